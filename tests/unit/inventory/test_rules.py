"""Every rule fires on what it is for, names value and remedy in both languages, and stays silent otherwise."""

from typing import Any

import pytest

from gongshi.inventory.form import CAMERAS, PLATFORMS
from gongshi.inventory.rules import RULES, Registered
from gongshi.inventory.rules.form import FORM_RULES
from unit.inventory.forms import camera, check_rows, platform

CAMERA_CASES: list[tuple[str, dict[str, Any]]] = [
    ("C-SHAPE", {"code": "3.40123E+19"}),
    ("C-SHAPE", {"code": ""}),
    ("C-SHAPE", {"code": "34150200551328 00001"}),
    ("C-SHAPE", {"code": "34150200551328000"}),
    ("C-SHAPE", {"code": "34150200551328００００01"}),
    ("C-SHAPE", {"code": "34150200551328100000"}),
    ("C-PROV", {"code": "32150200551328000001"}),
    ("C-CITY", {"code": "34010200551328000001"}),
    ("C-COUNTY", {"code": "34152100551328000001"}),
    ("C-COUNTY", {"code": "34150100551328000001"}),
    ("C-COUNTY", {"code": "34152300551328000001", "place": "六安市金安区东市街道"}),
    ("C-IND", {"code": "34150200111328000001"}),
    ("C-TYPE", {"code": "34150200552008000001"}),
    ("C-NET", {"code": "34150200551327000001"}),
    ("C-SERIAL", {"code": "34150200551328000000"}),
    ("C-EXAMPLE", {"code": "34020000001320000001"}),
    ("G-080.number", {"serial": "甲"}),
    ("G-082.missing", {"name": ""}),
    ("G-082.meaning", {"name": "Camera 01"}),
    ("G-082.meaning", {"name": "192.168.1.64"}),
    ("G-082.meaning", {"name": "IPC"}),
    ("G-082.long", {"name": "路" * 101}),
    ("G-083.missing", {"platform": ""}),
    ("G-083.unknown", {"platform": "另一平台"}),
    ("G-084.missing", {"brand": ""}),
    ("G-084.placeholder", {"brand": "XXX"}),
    ("G-084.maker", {"brand": "某牌"}),
    ("G-085.missing", {"model": ""}),
    ("G-085.placeholder", {"model": "不详"}),
    ("G-086.missing", {"place": ""}),
    ("G-086.county", {"place": "六安市经济技术开发区"}),
    ("G-086.city", {"place": "合肥市肥西县上派镇"}),
    ("G-086.retired", {"place": "六安市寿县寿春镇"}),
    ("G-086.township", {"place": "六安市金安区"}),
    ("G-087.missing", {"longitude": ""}),
    ("G-087.number", {"longitude": "东经"}),
    ("G-087.degrees", {"longitude": "116°30′12.5″"}),
    ("G-087.decimals", {"longitude": "116.51234"}),
    ("G-087.sixth", {"longitude": "116.512340"}),
    ("G-087.city", {"longitude": "117.266573"}),
    ("G-087.swapped", {"longitude": "31.741234", "latitude": "116.512341"}),
    ("G-088.missing", {"latitude": ""}),
    ("G-088.number", {"latitude": "?"}),
    ("G-088.degrees", {"latitude": "31.44.28"}),
    ("G-088.decimals", {"latitude": "31.7"}),
    ("G-088.sixth", {"latitude": "31.741230"}),
    ("G-088.city", {"latitude": "33.741231"}),
    ("G-089.missing", {"built_month": ""}),
    ("G-089.format", {"built_month": "去年"}),
    ("G-089.serial", {"built_month": "43922"}),
    ("G-089.future", {"built_month": "2031.05"}),
    ("G-089.platform", {"built_month": "1998.05"}),
    ("G-090.choice", {"leased": "可能"}),
    ("G-090.lease", {"leased": "是"}),
    ("G-091.missing", {"status": ""}),
    ("G-091.choice", {"status": "报废"}),
    ("G-091.stopped", {"status": "停用"}),
    ("G-092.choice", {"plan": "升级"}),
    ("G-092.move", {"plan": "迁移"}),
    ("G-092.remove", {"plan": "拆除"}),
    ("form.blanks.camera", {"status": "在用 "}),
]
PLATFORM_CASES: list[tuple[str, dict[str, Any]]] = [
    ("G-061.number", {"serial": ""}),
    ("G-062.missing", {"name": ""}),
    ("G-063.missing", {"vendor": ""}),
    ("G-063.placeholder", {"vendor": "XXX"}),
    ("G-064.choice", {"gbt28181": "符合"}),
    ("G-064.no", {"gbt28181": "否"}),
    ("G-065.choice", {"network_type": "局域网"}),
    ("G-066.missing", {"description": ""}),
    ("G-066.short", {"description": "视频"}),
    ("G-067.choice", {"joined_xueliang": "正在对接"}),
    ("G-068.format", {"built_month": "2020年"}),
    ("G-068.future", {"built_month": "2027-01"}),
    ("G-069.number", {"build_cost": "一百万"}),
    ("G-069.number", {"build_cost": "-3"}),
    ("G-069.outlier", {"build_cost": "2600"}),
    ("G-070.number", {"yearly_cost": "约10"}),
    ("form.blanks.platform", {"vendor": " 海康威视"}),
]


def test_clean_rows_have_no_findings() -> None:
    assert check_rows([camera(n) for n in range(1, 6)]) == {}


@pytest.mark.parametrize(
    ("rule", "change"), CAMERA_CASES, ids=[f"{rule}-{n}" for n, (rule, _) in enumerate(CAMERA_CASES)]
)
def test_camera_rules(rule: str, change: dict[str, Any]) -> None:
    found = check_rows([camera(1), camera(2, **change)])
    assert rule in found, sorted(found)
    finding = found[rule][0]
    assert (finding.sheet, finding.message.zh != "", finding.remedy.en != "") == ("camera", True, True)
    assert "{" not in finding.message.zh + finding.message.en + finding.remedy.zh + finding.remedy.en


@pytest.mark.parametrize(
    ("rule", "change"), PLATFORM_CASES, ids=[f"{rule}-{n}" for n, (rule, _) in enumerate(PLATFORM_CASES)]
)
def test_platform_rules(rule: str, change: dict[str, Any]) -> None:
    found = check_rows([camera(1)], [platform(**change)])
    assert rule in found, sorted(found)


def test_every_rule_has_an_id_a_clause_and_a_case() -> None:
    ids = [rule.id for rule in RULES]
    assert len(ids) == len(set(ids))
    cased = {rule for rule, _ in CAMERA_CASES + PLATFORM_CASES}
    elsewhere = {
        "C-UNIT", "C-UNIQ", "C-UNIQ.city", "C-RECODE", "G-061.repeat", "G-061.gap", "G-080.repeat", "G-080.gap",
        "G-062.repeat", "G-082.repeat", "G-083.unused", "G-087.county", "I-28.point", "G-068.october", "G-089.october",
        "G-070.lease", "G-064.missing", "G-065.missing", "G-067.missing", "G-068.missing", "G-069.missing",
        "G-070.missing", "G-090.missing", "G-092.missing", "G-068.serial",
    }  # fmt: skip
    assert set(ids) - cased - elsewhere == set()
    assert all(rule.clause and rule.title.zh and rule.title.en for rule in RULES)
    assert len({rule for rule, *_ in FORM_RULES}) == len(FORM_RULES)


def test_the_guidelines_sample_row_under_a_real_serial_yields_the_findings_of_x04() -> None:
    example = {field.key: field.example for field in CAMERAS.fields} | {"serial": "1"}
    platform_example = {field.key: field.example for field in PLATFORMS.fields} | {"serial": "1"}
    found = check_rows([example], [platform_example])
    assert {"C-CITY", "C-COUNTY", "C-IND", "C-NET", "G-087.city"} <= set(found)
    assert "G-089.format" not in found
    assert "G-068.format" not in found


def test_the_sample_row_marked_as_example_is_skipped_with_one_advice() -> None:
    example = {field.key: field.example for field in CAMERAS.fields}
    found = check_rows([example, camera(1)])
    assert {rule: len(findings) for rule, findings in found.items()} == {"form.example": 1}
    assert found["form.example"][0].severity == "advice"


def test_repeated_codes_name_each_other() -> None:
    same = camera(1)["code"]
    found = check_rows([camera(1), camera(2, code=same), camera(3)])
    assert [finding.severity for finding in found["C-UNIQ"]] == ["error", "error"]
    assert "2次" in found["C-UNIQ"][0].message.zh


def test_names_serials_and_points_that_repeat() -> None:
    first = camera(1)
    point = {"longitude": first["longitude"], "latitude": first["latitude"]}
    rows = [camera(n, **point) for n in range(1, 8)]
    rows[1]["name"] = rows[0]["name"]
    rows[2]["serial"] = "2"
    found = check_rows(rows)
    assert len(found["I-28.point"]) == 7
    assert found["I-28.point"][0].severity == "suspicious"
    assert len(found["G-082.repeat"]) == len(found["G-080.repeat"]) == 1
    assert "7台" in found["I-28.point"][0].message.zh


def test_missing_numbers_are_named() -> None:
    rows = [camera(1), camera(2), camera(3, serial="5"), camera(4, serial="12"), camera(5, serial="14")]
    gap = check_rows(rows)["G-080.gap"][0]
    assert "缺3-4, 6-11, 13（共9个）" in gap.message.zh
    assert "3-4, 6-11, 13" in gap.message.en
    many = check_rows([camera(n, serial=str(2 * n)) for n in range(1, 10)])["G-080.gap"][0]
    assert "1, 3, 5, 7, 9, 11 …" in many.message.zh


def test_a_place_that_left_the_city_is_named_as_written() -> None:
    """寿县 is said to have left; nobody wrote its old code, so nobody reads it."""
    found = check_rows([camera(1), camera(2, place="六安市寿县寿春镇")])
    assert "G-086.retired" in found
    texts = [text for each in found.values() for one in each for text in (one.message.zh, one.message.en)]
    assert not any("341521" in text for text in texts), texts


def test_a_stopped_camera_that_says_removed_is_not_asked_again() -> None:
    for remark in ("已拆除", "2024年已拆除，杆体移交"):
        assert "G-091.stopped" not in check_rows([camera(1), camera(2, status="停用", remark=remark)])
    assert "G-091.stopped" in check_rows([camera(1), camera(2, status="停用", remark="线路故障")])


def test_platforms_repeat_stand_alone_and_lease() -> None:
    found = check_rows(
        [camera(1, leased="是")], [platform(yearly_cost="0"), platform(serial="2"), platform(serial="4", name="空平台")]
    )
    assert {"G-062.repeat", "G-083.unused", "G-070.lease", "G-061.gap"} <= set(found)


def test_the_registry_answers_for_platforms_and_codes() -> None:
    row = camera(1, platform="已登记平台")
    assert "G-083.unknown" not in check_rows([row], registered_platforms={"已登记平台": "部门专线"})
    assert "C-NET" in check_rows([row], registered_platforms={"已登记平台": "互联网"})

    other = Registered(row["code"], "x", 7, "市交通运输局", None, None)
    found = check_rows([camera(1)], registered={row["code"]: other})
    assert "市交通运输局" in found["C-UNIQ.city"][0].message.zh
    own = Registered("34150200551328999999", row["name"], 1, "", float(row["longitude"]), float(row["latitude"]))
    assert "34150200551328999999" in check_rows([camera(1)], own=(own,))["C-RECODE"][0].message.zh


def test_units_are_checked_only_against_a_local_table() -> None:
    row = camera(1)
    row["code"] = row["code"][:6] + "41" + row["code"][8:]
    assert "C-UNIT" not in check_rows([row])
    assert "C-UNIT" in check_rows([row], units=frozenset({"34150201"}))


def test_outlines_decide_the_county_when_the_deployer_supplied_them() -> None:
    from shapely.geometry import box

    row = camera(
        1, place="六安市金安区东市街道", code="34150200551328000001", longitude="116.520001", latitude="31.750001"
    )
    assert "G-087.county" not in check_rows([row], outlines={"341502": box(116.5, 31.7, 116.6, 31.8)})
    found = check_rows([row], outlines={"341502": box(116.6, 31.7, 116.7, 31.8)})
    assert "金安区" in found["G-087.county"][0].message.zh


def test_missing_cells_of_every_mandatory_field() -> None:
    for key in ("gbt28181", "network_type", "joined_xueliang", "built_month", "build_cost", "yearly_cost"):
        clause = PLATFORMS.field(key).clause
        assert f"{clause}.missing" in check_rows([camera(1)], [platform(**{key: ""})])
    for key in ("leased", "plan"):
        assert f"{CAMERAS.field(key).clause}.missing" in check_rows([camera(1), camera(2, **{key: ""})])


def test_other_units_form_and_odd_phone() -> None:
    found = check_rows([camera(1)], organisation_names=frozenset({"市教育局"}))
    assert found["G-060.other_unit"][0].severity == "error"
