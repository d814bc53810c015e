"""Findings on one code in its context (governance.md §2.1, X-04)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.codes import NETWORK_TYPE_DIGITS, Context, Edition, Words, findings

COUNTIES = {"341502": "金安区", "341503": "裕安区", "341504": "叶集区", "341522": "霍邱县"}
LIUAN = Context(
    city="341500",
    counties=COUNTIES,
    retired={"341521": Words("寿县已划归淮南市，现为340422", "Shou County is 340422 now")},
)


def ids(text: str, context: Context = LIUAN) -> list[str]:
    return [f.code for f in findings(text, context)]


def test_sample_row_of_the_guideline_under_a_real_serial() -> None:
    context = Context(
        city="341500",
        counties=COUNTIES,
        industries=frozenset({"55", "57"}),
        networks=NETWORK_TYPE_DIGITS["部门专线"][Edition.E2022],
    )
    assert ids("34012341001320175079", context) == ["C-CITY", "C-COUNTY", "C-IND", "C-NET"]


def test_a_good_code_has_no_findings() -> None:
    assert ids("34150200001320000001") == []


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("3.4150200001320E+19", "floating-point"),
        ("34150200001320000001.0", "floating-point"),
        ("3415020000132 0000001", "blanks"),
        ("34150200001320000001\u200b", "invisible"),
        ("３４１５０２００００１３２０００００１２", "full-width"),
        ("3415020000132000O001", "other than digits"),
        ("341502000013200001", "rule B"),
        ("3415020000132000001", "has 19"),
        ("341502000013200000010", "has 21"),
    ],
)
def test_shape(text: str, cause: str) -> None:
    (finding,) = findings(text, LIUAN)
    assert finding.code == "C-SHAPE"
    assert finding.severity == "error"
    assert cause in finding.message.en
    assert finding.remedy.zh


def test_a_code_rounded_by_a_spreadsheet() -> None:
    assert ids("34150200001320100000") == ["C-SHAPE"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("35150200001320000001", ["C-PROV", "C-COUNTY"]),
        ("34010200001320000001", ["C-CITY", "C-COUNTY"]),
        ("34000000001320000001", []),
        ("34150000001320000001", []),
        ("34150100001320000001", ["C-COUNTY"]),
        ("34152100001320000001", ["C-COUNTY"]),
        ("34159900001320000001", ["C-COUNTY"]),
        ("34150200151320000001", ["C-IND"]),
        ("34150200550320000001", ["C-IND", "C-TYPE"]),
        ("34150200002000000001", ["C-TYPE"]),
        ("34150200001190000001", ["C-TYPE"]),
        ("34150200001329000001", ["C-NET"]),
        ("34150200001320000000", ["C-SHAPE", "C-SERIAL"]),
        ("34020000001320000001", ["C-CITY", "C-EXAMPLE"]),
    ],
)
def test_segments(text: str, expected: list[str]) -> None:
    assert ids(text) == expected


def test_retired_division_names_its_successor() -> None:
    (finding,) = findings("34152100001320000001", LIUAN)
    assert "340422" in finding.message.zh


def test_place_and_code_must_name_the_same_county() -> None:
    context = Context(city="341500", counties=COUNTIES, county="341503")
    (finding,) = findings("34150200001320000001", context)
    assert (finding.code, finding.severity) == ("C-COUNTY", "warning")
    assert "裕安区" in finding.message.zh


def test_unit_is_checked_against_the_allocation_table() -> None:
    context = Context(units=frozenset({"34150241"}))
    assert ids("34150241001320000001", context) == []
    assert ids("34150242001320000001", context) == ["C-UNIT"]
    assert ids("34150200001320000001", context) == []


def test_a_local_industry_is_accepted() -> None:
    assert ids("34150200151320000001", Context(local_industries={"15": "应急"})) == []


def test_an_industry_of_unknown_edition_is_an_advice_only() -> None:
    (finding,) = findings("34150200551320000001", Context())
    assert (finding.code, finding.severity) == ("C-IND", "advice")
    assert ids("34150200551320000001", Context(edition=Edition.E2016)) == []


def test_cross_border_waiver_softens_place_findings() -> None:
    context = Context(city="341500", counties=COUNTIES, cross_border=True)
    assert {f.severity for f in findings("34010200001320000001", context)} == {"warning"}


@pytest.mark.parametrize(
    ("declared", "digit", "good"),
    [
        ("互联网", "7", True),
        ("部门专线", "8", True),
        ("部门专线", "7", False),
        ("电子政务外网", "6", True),
        ("公安视频专线", "0", True),
        ("公安视频专线", "7", False),
    ],
)
def test_network_digit_fits_the_declared_network(declared: str, digit: str, good: bool) -> None:
    context = Context(networks=NETWORK_TYPE_DIGITS[declared][Edition.E2022])
    assert ids(f"3415020000132{digit}000001", context) == ([] if good else ["C-NET"])


@given(st.one_of(st.text(max_size=24), st.from_regex(r"[0-9]{20}", fullmatch=True)))
def test_any_text_gives_findings_in_both_languages(text: str) -> None:
    """Any input gives findings and never raises; what is not 20 digits gives exactly C-SHAPE."""
    found = findings(text, LIUAN)
    assert all(f.message.zh and f.message.en and f.remedy.zh and f.remedy.en for f in found)
    if not (len(text) == 20 and text.isascii() and text.isdigit()):
        assert [f.code for f in found] == ["C-SHAPE"]
