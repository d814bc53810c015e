"""The sample city is clean by our own rules."""

from datetime import date

from gongshi.inventory.check import Checked, check
from gongshi.inventory.readers import open_file
from gongshi.inventory.recognise import recognise
from gongshi.inventory.rules import Context
from gongshi.inventory.values import Divisions
from gongshi.inventory.workbook import filled_workbook
from gongshi.registry.archive import GROUPS, display
from gongshi.registry.city import city
from gongshi.registry.makers import maker_of
from gongshi.registry.naming import initials, like_terms, search_text
from gongshi.registry.seed import ESTATES, platform_row, sample_cameras, samples


def test_a_filled_form_of_every_sample_unit_has_no_finding_but_the_example_rows():
    data = city()
    for estate in ESTATES:
        unit = next(unit for unit in data.units if unit.code == estate.unit)
        context = Context(
            today=date(2026, 11, 22),
            organisation_id=1,
            organisation_names=frozenset({unit.name}),
            industries=frozenset(unit.industries),
            divisions=Divisions(data.code, data.name, data.county_names(), {}),
            box=data.box,
            local_industries=data.local_industries,
        )
        head = {"unit": unit.name, "contact": "值班室", "phone": "0564-3331234"}
        rows = [sample.form_row(n) for n, sample in enumerate(samples(unit.code, 60), start=1)]
        kind, grids = open_file(filled_workbook(head, [platform_row(estate, cameras=60)], rows))
        form = recognise(kind, grids)
        checked = Checked()
        found = [finding for chunk in check(form, context, checked) for finding in chunk]
        assert len(form.data("camera")) == 60
        assert {finding.rule for finding in found} <= {"form.example"}, [f.message.zh for f in found]


def test_sample_cameras_are_many_distinct_and_in_the_box():
    found = sample_cameras(500)
    west, south, east, north = city().box
    assert len({sample.code for sample in found}) == len(found) == 500
    assert all(west < float(s.longitude) < east and south < float(s.latitude) < north for s in found)
    assert found == sample_cameras(500)


def test_the_city_has_its_member_units_and_counties():
    data = city()
    assert sum(unit.member for unit in data.units) == 21
    assert {unit.code for unit in data.units} >= {"finance", "urban-management", "leading-office", "telecom"}
    assert [county.code for county in data.counties] == [
        "341502", "341503", "341504", "341522", "341523", "341524", "341525",
    ]  # fmt: skip
    assert {old.code for old in data.retired} == {"341501", "341521"}


def test_search_text_holds_names_codes_and_pinyin_initials():
    text = search_text("解放路与梅山路口", "34150200551328000001")
    assert "jflymslk" in text
    assert "34150200551328000001" in text
    assert initials("第3小学East门") == "d3xxeastm"
    assert like_terms("50% 路_") == ["%50\\%%", "%路\\_%"]


def test_brands_are_read_under_their_usual_names():
    assert maker_of("海康") == maker_of("杭州海康威视") or maker_of("海康威视股份有限公司") == 1
    assert maker_of("Hikvision") == 1
    assert maker_of("某某牌") is None


def test_the_place_class_of_every_sample_has_a_name():
    """The archive page shows words, not codes."""
    field = next(field for group in GROUPS for field in group.fields if field.key == "place_class")
    used = {sample.place_class for sample in ESTATES} - {None}
    assert len(used) > 4
    assert display(field, "PA-03", "zh") == "主要道路和路口"
    assert display(field, "KT-20", "en") == "Logistics and express"
    for code in used:
        assert display(field, code, "zh") != code
