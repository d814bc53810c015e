"""DeviceCode: shape, segments and editions (governance.md §2, gb28181.md §2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.codes import DeviceCode, Edition, guess_edition, industry_ambiguous, industry_name
from gongshi.protocols.errors import ProtocolError, RemoteProtocolError


def test_segments_of_the_sample_code() -> None:
    code = DeviceCode.parse("34012341001320175079")
    assert (code.region, code.unit, code.industry, code.type, code.network, code.serial) == (
        "340123",
        "41",
        "00",
        "132",
        "0",
        "175079",
    )
    assert code.domain == "3401234100"
    assert [s.digits for s in code.segments("zh")] == ["340123", "41", "00", "132", "0", "175079"]
    assert "".join(s.digits for s in code.segments("en")) == code.value
    assert [s.meaning for s in code.segments("en")][3] == "network camera"
    # Digit 14 means different things in the editions, and this code tells none.
    assert code.edition is None
    assert [s.meaning for s in code.segments("zh")][4] is None


def test_segments_of_a_known_edition_are_named() -> None:
    code = DeviceCode.parse("34150200571321000001"[:13] + "8000001", "2022")
    meanings = {s.name: s.meaning for s in code.segments("zh")}
    assert meanings["industry"] == "文化体育娱乐"
    assert meanings["network"] == "专线"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "3415020000132000000",
        "341502000013200000011",
        "3.40123E+19",
        "34150200001320000 01",
        " " + "3" * 20,
        "３" * 20,
        "34150200001320000O01",
        "34150200001320000001\n",
        "٣" * 20,
        "+3415020000132000001",
        "3" * 18,
    ],
)
def test_other_shapes_are_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError, match="exactly 20 ASCII digits"):
        DeviceCode.parse(text)
    with pytest.raises(RemoteProtocolError):
        DeviceCode(text)


@given(st.text(max_size=30))
def test_any_text_parses_or_raises_protocol_error(text: str) -> None:
    """Any input parses or raises ProtocolError, never anything else; what parses is printed unchanged."""
    try:
        code = DeviceCode.parse(text)
    except ProtocolError:
        return
    assert str(code) == text


@given(st.from_regex(r"[0-9]{20}", fullmatch=True))
def test_every_20_digits_have_segments_that_join_to_the_code(text: str) -> None:
    for edition in (None, *Edition):
        code = DeviceCode.parse(text, edition)
        for lang in ("zh", "en"):
            assert "".join(s.digits for s in code.segments(lang)) == text


def test_edition_is_betrayed_by_digits_of_one_edition_only() -> None:
    assert guess_edition("34150200001190000001") is Edition.E1400
    assert guess_edition("34150200001220000001") is Edition.E2022
    assert guess_edition("34150200571320000001") is Edition.E2022
    assert guess_edition("34150200001320000001") is None


def test_equal_digits_are_the_same_code_in_any_edition() -> None:
    old, new = DeviceCode.parse("34150200001320000001", "2016"), DeviceCode.parse("34150200001320000001", "2022")
    assert old == new
    assert hash(old) == hash(new)
    assert (old.edition, new.edition) == (Edition.E2016, Edition.E2022)


def test_industry_digits_that_changed_their_meaning_are_ambiguous() -> None:
    assert all(industry_ambiguous(str(n)) for n in range(43, 56) if n != 52)
    assert industry_name("55", Edition.E2016) != industry_name("55", Edition.E2022)
    assert industry_name("55", None) is None
    assert industry_name("00", None) is not None
    assert industry_name("20", Edition.E2022) is None


def test_playable_types() -> None:
    assert DeviceCode.parse("34150200001320000001").playable
    assert not DeviceCode.parse("34150000002000000001").playable
    assert not DeviceCode.parse("34150000001370000001").playable
    assert DeviceCode.parse("34150000002000000001").is_platform
