"""Single values: what is understood, and that nothing makes a reader raise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.inventory import values
from gongshi.inventory.values import (
    Divisions,
    is_meaningless_name,
    is_phone,
    is_placeholder,
    read_amount,
    read_coordinate,
    read_month,
    read_place,
)
from gongshi.registry.city import city
from gongshi.registry.makers import maker_of
from gongshi.registry.naming import initials, like_terms, search_text

DIVISIONS = Divisions("341500", "六安市", city().county_names(), {"寿县": "341521"})


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("2020.03", "2020-03"),
        ("2020.3", "2020-03"),
        ("2020-3", "2020-03"),
        ("2020/12", "2020-12"),
        ("2020年3月", "2020-03"),
        ("２０２０．３", "2020-03"),
        ("2020-03-15", "2020-03"),
        ("2020.3.15", "2020-03"),
        ("202003", "2020-03"),
        ("43922", "2020-04"),
        ("2020.13", None),
        ("2020", None),
        ("三月", None),
    ],
)
def test_months_of_x05(text: str, month: str | None) -> None:
    assert read_month(text).value == month


@pytest.mark.parametrize(
    ("text", "value", "issue"),
    [
        ("116.512341", 116.512341, ""),
        ("116.5123410", 116.512341, ""),
        ("１１６．５１２３４１", 116.512341, ""),
        ("116.512340", 116.51234, "sixth"),
        ("116.51", 116.51, "decimals"),
        ("116", 116.0, "decimals"),
        ("116°30′36″", 116.51, "degrees"),
        ("116°30.6′", 116.51, "degrees"),
        ("东经116度30分36秒", 116.51, "degrees"),
        ("116.30.36", 116.51, "degrees"),
        ("116°70′", None, "number"),
        ("一百一十六", None, "number"),
    ],
)
def test_coordinates(text: str, value: float | None, issue: str) -> None:
    read = read_coordinate(text)
    assert (read.value, read.issue) == (value, issue)


@pytest.mark.parametrize(
    ("text", "county", "township", "issue"),
    [
        ("六安市金安区三里桥街道", "341502", "三里桥街道", ""),
        ("安徽省六安市 霍邱县、城关镇", "341522", "城关镇", ""),
        ("六安金寨梅山镇", "341524", "梅山镇", ""),
        ("舒城县杭埠镇", "341523", "杭埠镇", ""),
        ("六安市金安区", "341502", None, "township"),
        ("六安市寿县", "341521", None, "retired"),
        ("合肥市肥西县", None, None, "city"),
        ("六安市开发区", None, None, "county"),
        ("", None, None, "county"),
    ],
)
def test_places(text: str, county: str | None, township: str | None, issue: str) -> None:
    place = read_place(text, DIVISIONS)
    assert (place.county, place.township, place.issue) == (county, township, issue)


def test_phones_amounts_and_fillers() -> None:
    assert all(
        map(
            is_phone,
            ["0564-3331234", "13855512345", "+86 13855512345", "3331234", "(0564)3331234", "13855512345/0564-3331234"],
        )
    )
    assert not any(map(is_phone, ["", "无", "12345", "李联络", "138555123456789"]))
    assert (read_amount("1,234.5"), read_amount("０"), read_amount("10万"), read_amount("")) == (
        1234.5,
        0.0,
        None,
        None,
    )
    assert all(map(is_placeholder, ["XXX", "无", "/", "-", "不详"]))
    assert not is_placeholder("DS-2CD")
    assert all(map(is_meaningless_name, ["Camera 01", "IPC", "192.168.1.64", "通道3", "摄像机"]))
    assert not any(map(is_meaningless_name, ["解放路口", "人民广场3号"]))


@given(st.text(max_size=200))
def test_any_text_gives_a_result_and_never_an_exception(text: str) -> None:
    for read in (
        read_month,
        read_coordinate,
        is_phone,
        read_amount,
        is_placeholder,
        is_meaningless_name,
        values.squash,
    ):
        read(text)
    read_place(text, DIVISIONS)
    maker_of(text)
    initials(text)
    search_text(text, None)
    like_terms(text)
