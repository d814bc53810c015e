"""Catalogue items of both editions and the collection of split answers (gb28181.md §7.1-7.5)."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.manscdp import (
    CatalogCollector,
    CatalogItem,
    CatalogResponse,
    CollectState,
    Element,
    leaf,
    parse,
    split_catalog,
)

SYSTEM = "34150200002000000001"


def camera(number: int, **fields: str) -> CatalogItem:
    base = {
        "CivilCode": "341502",
        "Parental": "0",
        "ParentID": SYSTEM,
        "RegisterWay": "1",
        "Secrecy": "0",
        "Status": "ON",
    }
    return CatalogItem(f"3415020000131{number:07d}", f"人民路{number}号", {**base, **fields}, {"PTZType": "3"})


def packets(items: list[CatalogItem], per_packet: int, edition: Edition = Edition.E2016) -> list[CatalogResponse]:
    return [CatalogResponse.parse(parse(body)) for body in split_catalog(SYSTEM, 7, items, per_packet, edition)]


@pytest.mark.parametrize("edition", [Edition.E2016, Edition.E2022])
def test_item_there_and_back(edition: Edition) -> None:
    item = camera(7, Longitude="116.50731", Latitude="31.75442", Manufacturer="V", Address="人民路1号 & 东口")
    assert packets([item], 1, edition)[0].items == [item]


def test_editions_write_their_own_fields() -> None:
    item = camera(7, Owner="o", SecurityLevelCode="A", BusinessGroupID="34150200002150000001")
    item.info.update({"GrassrootsCode": "000000", "PositionType": "9"})
    old = item.to_element(Edition.E2016)
    new = item.to_element(Edition.E2022)
    old_info, new_info = old.find("Info"), new.find("Info")
    assert old_info is not None
    assert new_info is not None
    assert old.get("Owner") == "o"
    assert new.get("Owner") is None
    assert (old.get("BusinessGroupID"), old_info.get("BusinessGroupID")) == (None, "34150200002150000001")
    assert (new.get("BusinessGroupID"), new_info.get("BusinessGroupID")) == ("34150200002150000001", None)
    assert (old_info.get("PositionType"), old_info.get("GrassrootsCode")) == ("9", None)
    assert (new_info.get("PositionType"), new_info.get("GrassrootsCode")) == (None, "000000")


def test_organisation_keeps_its_group_at_item_level_in_both_editions() -> None:
    item = CatalogItem("34150200002160000003", "景区", {"BusinessGroupID": "34150200002150000001"})
    assert all(item.to_element(e).get("BusinessGroupID") for e in (Edition.E2016, Edition.E2022))


@pytest.mark.parametrize(
    ("device_id", "kind"),
    [
        ("34", "region"),
        ("341502", "region"),
        ("34150201", "region"),
        (SYSTEM, "system"),
        ("34150200002150000001", "group"),
        ("34150200002160000001", "organisation"),
        ("34150200001320000001", "device"),
        ("34150200001250000001", "device"),
        ("12345", "unknown"),
        ("camera-1", "unknown"),
    ],
)
def test_kind_of_item(device_id: str, kind: str) -> None:
    assert CatalogItem(device_id).kind == kind


def test_s08_notify_with_root_response_no_event_and_sumnum_larger_than_num() -> None:
    body = (
        f"<Response><CmdType>Catalog</CmdType><SN>7</SN><DeviceID>{SYSTEM}</DeviceID><SumNum>100</SumNum>"
        '<DeviceList Num="1"><Item><DeviceID>34150200001310000001</DeviceID><Status>OFF </Status></Item></DeviceList></Response>'
    )
    response = CatalogResponse.parse(parse(body.encode()))
    assert (response.sum_num, len(response.items)) == (100, 1)
    assert response.items[0].event is None
    assert response.items[0].online is False


@pytest.mark.parametrize(
    ("status", "online"),
    [
        ("ON", True),
        ("OFF ", False),
        ("ONLINE", True),
        ("offline", False),
        ("ok", True),
        ("1", True),
        ("0", False),
        ("VLOST", True),
        ("运行", None),
        ("", None),
    ],
)
def test_s15_q22_status_in_other_words(status: str, online: bool | None) -> None:
    item = CatalogItem.parse(
        Element("Item", "", [leaf("DeviceID", "34150200001310000001"), leaf("Status", status.strip())])
    )
    assert item.online is online


def test_s15_textual_placeholder_as_parent_is_kept_as_an_unknown_part() -> None:
    assert CatalogItem("34150200001310000001", "", {"ParentID": "设备父节点"}).parents == ("设备父节点",)


def test_q20_a_channel_is_never_its_own_parent() -> None:
    code = "34150200001310000001"
    assert CatalogItem(code, "", {"ParentID": f"{code}/{SYSTEM}"}).parents == (SYSTEM,)


def test_q21_no_parent_two_parents_and_damaged_civil_code() -> None:
    assert CatalogItem("34150200001310000001").parents == ()
    two = CatalogItem("34150200001310000001", "", {"ParentID": f" {SYSTEM} / 34150200002160000003 //{SYSTEM}"})
    assert two.parents == (SYSTEM, "34150200002160000003")
    assert CatalogItem("34150200001310000001").civil_code is None
    assert CatalogItem("34150200001310000001", "", {"CivilCode": SYSTEM}).civil_code is None
    assert CatalogItem("34150200001310000001", "", {"CivilCode": "341502"}).civil_code == "341502"


def test_q22_parental_65535_is_no_parent() -> None:
    assert not CatalogItem("1", "", {"Parental": "65535"}).has_children
    assert CatalogItem("1", "", {"Parental": "1"}).has_children


def test_q32_uniview_types_119_to_129_are_devices() -> None:
    assert CatalogItem("34150200001190000001").kind == "device"


def test_faults_are_not_absence() -> None:
    item = CatalogItem("1", "", {"Status": "VLOST"})
    assert (item.online, item.faulty) == (True, True)
    assert CatalogItem("1", event="DEFECT").faulty


@pytest.mark.parametrize(
    ("longitude", "latitude", "position"),
    [
        ("116.5", "31.7", (116.5, 31.7)),
        ("0", "0", None),
        ("", "31.7", None),
        ("216.5", "31.7", None),
        ("116.5E", "31.7", None),
        ("31.7", "116.5", None),
    ],
)
def test_positions(longitude: str, latitude: str, position: tuple[float, float] | None) -> None:
    assert CatalogItem("1", "", {"Longitude": longitude, "Latitude": latitude}).position == position


def test_item_without_an_id_is_lost_not_fatal() -> None:
    with pytest.raises(RemoteProtocolError):
        CatalogItem.parse(Element("Item", "", [leaf("Name", "x")]))
    body = b"<Response><CmdType>Catalog</CmdType><SN>1</SN><DeviceList><Item/><Item><DeviceID>1</DeviceID></Item></DeviceList></Response>"
    response = CatalogResponse.parse(parse(body))
    assert (len(response.items), response.lost) == (1, 1)


def test_unknown_elements_are_kept() -> None:
    element = Element(
        "Item", "", [leaf("deviceid", "1"), leaf("VendorThing", "x"), Element("Info", "", [leaf("ptztype", "1")])]
    )
    item = CatalogItem.parse(element)
    assert (item.device_id, item.fields, item.ptz_type) == ("1", {"VendorThing": "x"}, 1)


@settings(max_examples=60)
@given(st.integers(0, 60), st.integers(1, 9), st.randoms(use_true_random=False))
def test_any_order_with_any_repeats_is_complete_exactly_at_the_last_missing_item(
    count: int, per_packet: int, rng: random.Random
) -> None:
    """However packets are shuffled and repeated, the collection completes when, and not before, every item was seen."""
    items = [camera(n) for n in range(count)]
    parts = packets(items, per_packet)
    order = parts + rng.choices(parts, k=len(parts) // 2)
    rng.shuffle(order)
    collector = CatalogCollector(SYSTEM, 7, 0.0)
    seen: set[str] = set()
    fresh: list[CatalogItem] = []
    for part in order:
        fresh += collector.add(part, 1.0)
        seen |= {i.device_id for i in part.items}
        assert (collector.state is CollectState.COMPLETE) == (len(seen) == count)
    assert sorted(i.device_id for i in fresh) == sorted(i.device_id for i in items) == sorted(collector.items)


def test_empty_answer_is_complete() -> None:
    collector = CatalogCollector(SYSTEM, 7, 0.0)
    (empty,) = packets([], 10)
    assert (empty.sum_num, empty.items) == (0, [])
    collector.add(empty, 1.0)
    assert collector.state is CollectState.COMPLETE


def test_a_lost_packet_never_completes() -> None:
    parts = packets([camera(n) for n in range(30)], 10)
    collector = CatalogCollector(SYSTEM, 7, 0.0, gap_timeout=10)
    collector.add(parts[0], 1.0)
    collector.add(parts[2], 5.0)
    assert not collector.expire(14.9)
    assert collector.expire(15.0)
    assert not collector.expire(16.0)
    assert (collector.state, collector.count, collector.declared) == (CollectState.PARTIAL, 20, 30)
    collector.add(parts[1], 17.0)
    assert collector.state is CollectState.PARTIAL


def test_q47_the_first_packet_may_take_two_minutes_and_gaps_are_short() -> None:
    collector = CatalogCollector(SYSTEM, 7, 0.0)
    assert collector.deadline == 120.0
    collector.add(packets([camera(1), camera(2)], 1)[0], 119.0)
    assert collector.deadline == 129.0
    silent = CatalogCollector(SYSTEM, 7, 0.0)
    assert silent.expire(120.0)
    assert (silent.state, silent.declared) == (CollectState.PARTIAL, None)


def test_a_damaged_item_makes_the_answer_partial() -> None:
    (part,) = packets([camera(1), camera(2)], 10)
    damaged = CatalogResponse(part.device_id, part.sn, 3, part.items, lost=1)
    collector = CatalogCollector(SYSTEM, 7, 0.0)
    collector.add(damaged, 1.0)
    assert collector.state is CollectState.PARTIAL


def test_a_sumnum_that_is_too_small_is_not_believed() -> None:
    parts = packets([camera(n) for n in range(4)], 2)
    for part in parts:
        part.sum_num = 2
    collector = CatalogCollector(SYSTEM, 7, 0.0)
    collector.add(parts[0], 1.0)
    assert collector.state is CollectState.COMPLETE
    assert len(collector.add(parts[1], 1.1)) == 2
    assert collector.state is CollectState.PARTIAL


def test_answer_without_sumnum_ends_by_the_timer() -> None:
    (part,) = packets([camera(1)], 10)
    part.sum_num = None
    collector = CatalogCollector(SYSTEM, 7, 0.0)
    collector.add(part, 1.0)
    assert collector.state is CollectState.WAITING
    assert collector.expire(11.0)


def test_streaming_keeps_only_ids() -> None:
    collector = CatalogCollector(SYSTEM, 7, 0.0, keep=False)
    for part in packets([camera(n) for n in range(10)], 3):
        collector.add(part, 1.0)
    assert collector.items == {}
    assert (collector.count, collector.state) == (10, CollectState.COMPLETE)
