"""Alarms, positions and changes of the catalogue (gb28181.md §9, §14)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import Alarm, CatalogChange, CatalogItem, MobilePosition, Position, parse
from unit.protocols.manscdp.words import CAMERA, EIGHT, moments, texts

numbers = st.none() | st.integers(0, 20)
degrees = st.integers(-90_000, 90_000).map(lambda n: n / 1000)
maybe_degrees = st.none() | degrees
alarms = st.builds(
    Alarm,
    st.just(CAMERA),
    st.integers(1, 9),
    st.integers(1, 4),
    st.integers(1, 7),
    moments,
    texts,
    maybe_degrees,
    maybe_degrees,
    numbers,
    st.none() | st.integers(1, 2),
    st.lists(texts.filter(bool), max_size=2).map(tuple),
)
positions = st.builds(
    Position, st.just(CAMERA), moments, degrees, degrees, maybe_degrees, maybe_degrees, maybe_degrees, maybe_degrees
)


@given(alarms, st.sampled_from([Edition.E2016, Edition.E2022]))
def test_alarms_there_and_back(alarm: Alarm, edition: Edition) -> None:
    """An alarm is read as said, in both editions."""
    assert Alarm.parse(parse(alarm.to_bytes(edition))) == alarm


def test_alarm_kinds() -> None:
    assert Alarm(CAMERA, 1, method=5, type=2).kind == "motion"
    assert Alarm(CAMERA, 1, method=6, type=1).kind == "disk_fault"
    assert Alarm(CAMERA, 1, method=2).kind == "device"
    assert Alarm(CAMERA, 1, method=2, type=99).kind == "device"
    assert Alarm(CAMERA, 1, method=42).kind == "other"
    assert Alarm(CAMERA, 1).kind == "other"


def test_alarm_type_at_top_level_and_missing_fields() -> None:
    body = b"<Notify><CmdType>Alarm</CmdType><DeviceID>1</DeviceID><AlarmMethod>5</AlarmMethod><AlarmType>6</AlarmType></Notify>"
    alarm = Alarm.parse(parse(body))
    assert (alarm.kind, alarm.priority, alarm.time, alarm.sn) == ("intrusion", None, None, 0)
    with pytest.raises(LocalProtocolError):
        alarm.to_bytes()


@given(st.lists(positions, max_size=3))
def test_positions_of_2022_there_and_back(found: list[Position]) -> None:
    """A list of positions is read as said."""
    message = MobilePosition(CAMERA, 4, tuple(found), EIGHT)
    assert MobilePosition.parse(parse(message.to_bytes(Edition.E2022))) == message


def test_a_position_of_2016_is_flat_and_may_lack_the_device() -> None:
    position = Position(CAMERA, EIGHT, 116.5, 31.75, 20.0, 90.0, 55.5)
    body = MobilePosition(CAMERA, 4, (position,), EIGHT).to_bytes(Edition.E2016)
    assert b"DeviceList" not in body
    assert MobilePosition.parse(parse(body)).positions == (position,)
    without = body.replace(f"<DeviceID>{CAMERA}</DeviceID>".encode(), b"")
    assert MobilePosition.parse(parse(without)).positions[0].device_id == ""
    with pytest.raises(LocalProtocolError):
        MobilePosition(CAMERA, 4, ()).to_bytes(Edition.E2016)


def test_positions_without_a_place_are_counted() -> None:
    body = MobilePosition(CAMERA, 4, (Position(CAMERA, EIGHT, 1.0, 2.0), Position(CAMERA, EIGHT, 3.0, 4.0))).to_bytes(
        Edition.E2022
    )
    message = MobilePosition.parse(parse(body.replace(b"<Longitude>1.0<", b"<Longitude>999<")))
    assert (len(message.positions), message.lost) == (1, 1)


def test_changes_of_the_catalogue() -> None:
    full = CatalogItem(CAMERA, "东门", {"Status": "ON", "Manufacturer": "V"}, {"PTZType": "1"}, "ADD")
    changes = [
        full,
        *(
            CatalogItem(f"3415020000131000000{n}", event=e)
            for n, e in enumerate(("ON", "OFF", "VLOST", "DEFECT", "DEL"))
        ),
    ]
    body = CatalogChange(CAMERA, 9, changes).to_bytes(Edition.E2022)
    assert b"<SumNum>6</SumNum>" in body
    again = CatalogChange.parse(parse(body))
    assert again.items == changes
    assert again.lost == 0
    brief = CatalogItem(CAMERA, "name", {"Status": "OFF"}, event="OFF")
    assert b"<Name>" not in CatalogChange(CAMERA, 9, [brief]).to_bytes()
    with pytest.raises(LocalProtocolError):
        CatalogChange(CAMERA, 9, [CatalogItem(CAMERA, "x")]).to_bytes()


def test_s08_a_change_with_root_response_and_without_event() -> None:
    body = CatalogChange(CAMERA, 9, [CatalogItem(CAMERA, "x", event="ADD")]).to_bytes()
    body = body.replace(b"Notify>", b"Response>").replace(b"<Event>ADD</Event>", b"")
    assert CatalogChange.parse(parse(body)).items == [CatalogItem(CAMERA, "x")]


@given(st.sampled_from([b"Alarm", b"MobilePosition", b"Catalog"]), st.binary(max_size=60), st.integers(0, 400))
def test_damaged_notifies_are_read_or_refused(command: bytes, noise: bytes, at: int) -> None:
    """Any damage gives a message or a RemoteProtocolError."""
    body = Alarm(CAMERA, 1, 1, 5, EIGHT, type=2).to_bytes().replace(b"Alarm<", command + b"<")
    with contextlib.suppress(RemoteProtocolError):
        envelope = parse(body[:at] + noise + body[at:])
        for kind in (Alarm, MobilePosition, CatalogChange):
            kind.parse(envelope)
