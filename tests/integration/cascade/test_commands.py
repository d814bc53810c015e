"""Queries and controls of an upper: forwarded after `decide`, mapped back, refused alike (gb28181.md §13.4)."""

import asyncio

import pytest

from gongshi.access.actions import Action
from gongshi.kit.errors import Unavailable
from gongshi.protocols.manscdp import Element, PtzControl, Record, build, leaf
from integration.cascade.conftest import CHANNEL, NODE, code, registered
from integration.cascade.scripted import ScriptedUpper
from integration.signalling.conftest import until

EAST, BARE = code(1), code(4)
RIGHT = "A50F010180000036"


async def test_a_query_comes_back_under_the_upper_s_number_and_code(world, upper):
    world.devices.answers = [[leaf("Result", "OK"), leaf("DeviceName", "球机")]]
    async with registered(world, upper) as number:
        await world.share(number, Action.SEE, EAST)
        sn = await upper.send("Query", "DeviceInfo", EAST)
        said = await upper.answer(sn)
        assert (said.device_id, said.element.get("DeviceName")) == (EAST, "球机")
        (errand,) = world.devices.errands
        assert (errand.camera_id, errand.command, errand.answered) == (world.cameras[EAST], "DeviceInfo", True)


async def test_recordings_are_put_together_again(world, upper):
    def record(number):
        times = {"StartTime": f"2026-11-22T0{number}:00:00", "EndTime": f"2026-11-22T0{number}:30:00"}
        return Element(
            "Item", "", [leaf("DeviceID", CHANNEL), leaf("Name", "录像"), *(leaf(k, v) for k, v in times.items())]
        )

    def packet(*numbers):
        items = [record(number) for number in numbers]
        return [leaf("Name", "东口"), leaf("SumNum", 5), Element("RecordList", "", items, {"Num": "2"})]

    world.devices.answers = [packet(1, 2), packet(2, 3), packet(4, 5)]
    async with registered(world, upper, transport="tcp") as number:
        await world.share(number, Action.PLAYBACK, EAST)
        times = [leaf("StartTime", "2026-11-22T00:00:00"), leaf("EndTime", "2026-11-22T12:00:00")]
        said = await upper.ask("RecordInfo", EAST, times)
        items = list(said.element.find("RecordList").all("Item"))
        assert said.element.integer("SumNum") == len(items) == 5
        assert {item.get("DeviceID") for item in items} == {EAST}


@pytest.mark.parametrize(
    ("command", "expected"),
    [("RecordInfo", "SumNum"), ("DeviceInfo", "Result"), ("DeviceStatus", "Result"), ("ConfigDownload", "Result")],
)
async def test_unknown_unshared_and_absent_answer_the_same(world, upper, command, expected):
    async with registered(world, upper) as number:
        await world.share(number, Action.SEE, EAST)
        said = [await upper.ask(command, device) for device in (BARE, "34150200001310009999", "34150200001310008888")]
        values = [envelope.element.get(expected) for envelope in said]
        assert values == (["0"] * 3 if expected == "SumNum" else ["ERROR"] * 3)
        assert world.devices.errands == []


async def test_moving_a_camera_is_a_right_of_its_own(world, upper):
    async with registered(world, upper) as number:
        await world.share(number, Action.LIVE, EAST)
        await upper.send("Control", "DeviceControl", EAST, [leaf("PTZCmd", RIGHT)])
        # Controls of one camera are taken in order: after this answer the first was dealt with.
        sn = await upper.send("Control", "DeviceControl", EAST, [Element("HomePosition", "", [leaf("Enabled", 1)])])
        assert (await upper.answer(sn)).result_ok is False
        assert world.devices.errands == []
        await world.share(number, Action.PTZ, EAST)
        await upper.send("Control", "DeviceControl", EAST, [leaf("PTZCmd", RIGHT)])
        await until(lambda: world.devices.errands)
        (errand,) = world.devices.errands
        assert errand.message.command == PtzControl(RIGHT)
        assert errand.answered is False
        await until(lambda: world.entries("signalling.upper.controlled"))
        # Nothing is answered to a command that has no answer.
        assert upper.messages.empty()


async def test_groups_beyond_moving_must_be_named(world, upper):
    world.devices.answers = [[leaf("Result", "OK")]]
    async with registered(world, upper) as number:
        await world.share(number, Action.PTZ, EAST)
        sn = await upper.send("Control", "DeviceControl", EAST, [leaf("RecordCmd", "Record")])
        assert (await upper.answer(sn)).result_ok is False
        await world.share(number, Action.PTZ, EAST, limits={"commands": ["record"]})
        await upper.send("Control", "DeviceControl", EAST, [leaf("TeleBoot", "Boot")])
        sn = await upper.send("Control", "DeviceControl", EAST, [leaf("RecordCmd", "Record")])
        assert (await upper.answer(sn)).result_ok is True
        assert [errand.message.command for errand in world.devices.errands] == [Record(True)]


async def test_following_is_dropped_without_a_word(world, upper):
    """Not built, by decision: no identification or tracking of persons."""
    async with registered(world, upper) as number:
        await world.share(number, Action.PTZ, EAST, limits={"commands": ["record"]})
        await upper.send("Control", "DeviceControl", EAST, [leaf("TargetTrack", "Auto"), leaf("DeviceID2", BARE)])
        await upper.ask("DeviceInfo", NODE)
        assert world.devices.errands == []
        assert upper.messages.empty()


async def test_a_device_that_does_not_answer_is_an_error_for_the_upper(world, upper):
    world.devices.problem = Unavailable()
    async with registered(world, upper) as number:
        await world.share(number, Action.SEE, EAST)
        assert (await upper.ask("DeviceStatus", EAST)).result_ok is False


async def test_rubbish_is_refused_and_harms_nobody(world, upper):
    async with registered(world, upper):
        for body in (b"", b"<Query>", b"<Query><CmdType>Catalog</CmdType></Query>", b"\xff" * 100):
            request = upper.compose("MESSAGE", NODE, body=body, content_type="Application/MANSCDP+xml")
            response = await upper.request(request)
            assert response.status in {200, 400}
        await upper.ask("DeviceInfo", NODE)


async def test_a_spoofed_query_gets_nothing(world, upper):
    """Whoever names the upper but speaks from elsewhere is refused, and the log knows."""
    async with registered(world, upper), ScriptedUpper(host="127.0.0.2").on() as stranger:
        stranger.flow = upper.flow
        body = build("Query", "Catalog", 1, NODE)
        response = await stranger.request(
            stranger.compose("MESSAGE", NODE, body=body, content_type="Application/MANSCDP+xml")
        )
        assert response.status == 403
        entries = await until(lambda: world.entries("signalling.upper.refused"))
        assert "127.0.0.2" in str(entries[0][0])
        await asyncio.sleep(0.1)
        assert stranger.messages.empty()
        assert upper.messages.empty()
