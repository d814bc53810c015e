"""Queries and commands to real sockets: answers matched, split, late, wrong, missing (gb28181.md §6-8)."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gongshi.kit.errors import BadRequest, Invalid, Problem
from gongshi.protocols.codes import Edition
from gongshi.protocols.manscdp import (
    BasicParam,
    ConfigDownload,
    DeviceInfo,
    FrameMirror,
    HomePosition,
    HomePositionAnswer,
    PresetItem,
    PresetList,
    RecordInfoQuery,
    RecordItem,
    Result,
    SdCard,
    SdCardStatus,
    split_records,
)
from gongshi.protocols.ptz import Lens, Move, Stop, decode
from gongshi.signalling.device_problems import PtzHeld
from integration.signalling.conftest import PLATFORM, until
from integration.signalling.talking import talker

CAMERA = "34150200001310000007"
EIGHT = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
ANNA = {"kind": "person", "id": 1, "name": "Anna"}
BERND = {"kind": "person", "id": 2, "name": "Bernd"}


@pytest.fixture
async def channel(world):
    """A peer with one camera in its catalogue; (peer id, channel id)."""
    peer_id = await world.peer()
    await world.execute(
        "INSERT INTO signalling.channel (peer_id, code, kind, name, status, fields) "
        "VALUES (:peer, :code, 'device', '东门', 'on', '{}')",
        peer=peer_id,
        code=CAMERA,
    )
    return peer_id, (await world.rows("SELECT id FROM signalling.channel"))[0][0]


async def test_device_information_is_asked_and_kept(world, channel):
    server = await world.start(catalogue_on_register=False)
    async with talker(server).talking() as device:
        device.replies["DeviceInfo"] = lambda e: [
            DeviceInfo(e.device_id, e.sn, "录像机", True, "V", "M1", "1.0", 16).to_bytes()
        ]
        answer = await server._devices.query("device_info", peer_id=channel[0])
        assert (answer["name"], answer["channels"]) == ("录像机", 16)
        assert await until(lambda: world.rows("SELECT value->>'model' FROM signalling.said")) == [("M1",)]
        request, envelope = device.heard[0]
        assert (request.to.user, request.to.tag, envelope.device_id) == (PLATFORM, None, PLATFORM)


async def test_q48_a_foreign_number_is_forgiven_when_only_one_query_is_open(world, channel):
    server = await world.start(catalogue_on_register=False)
    async with talker(server).talking() as device:
        device.replies["DeviceInfo"] = lambda e: [DeviceInfo(e.device_id, 99, "x").to_bytes()]
        assert (await server._devices.query("device_info", peer_id=channel[0]))["name"] == "x"
        device.replies["DeviceInfo"] = lambda e: [DeviceInfo("34159900001310000001", 99, "stranger").to_bytes()]
        with pytest.raises(Problem) as caught:
            await server._devices.query("device_info", peer_id=channel[0])
        assert caught.value.code == "no_result"


async def test_two_queries_at_once_are_told_apart_by_their_numbers(world, channel):
    server = await world.start(catalogue_on_register=False)
    async with talker(server).talking() as device:
        device.replies["DeviceInfo"] = lambda e: [DeviceInfo(e.device_id, e.sn, f"n{e.sn}").to_bytes()]
        answers = await asyncio.gather(*(server._devices.query("device_info", peer_id=channel[0]) for _ in range(5)))
        assert len({answer["name"] for answer in answers}) == 5


@pytest.mark.parametrize(("status", "code"), [(404, "refused_404"), (400, "refused_400"), (487, "refused_487")])
async def test_q40_refusals_say_what_to_check(world, channel, status, code):
    server = await world.start(catalogue_on_register=False)
    async with talker(server).talking() as device:
        device.statuses["PresetQuery"] = status
        with pytest.raises(Problem) as caught:
            await server._devices.query("presets", channel_id=channel[1])
        assert caught.value.code == code
        if status != 404:
            assert "类型码" in caught.value.detail.zh
            assert "type digits" in caught.value.detail.en


async def test_an_offline_peer_is_said_to_be_offline_at_once(world, channel):
    server = await world.start(catalogue_on_register=False)
    with pytest.raises(Problem) as caught:
        await server._devices.query("device_info", peer_id=channel[0])
    assert caught.value.code == "device_offline"


async def test_a_peer_that_goes_in_the_middle_ends_the_wait(world, channel):
    server = await world.start(catalogue_on_register=False, query_seconds=30.0)
    async with talker(server).talking() as device:
        asking = asyncio.create_task(server._devices.query("device_info", peer_id=channel[0]))
        await until(lambda: device.of("DeviceInfo"))
        await device.register("right and proper", expires=0)
        with pytest.raises(Problem) as caught:
            await asyncio.wait_for(asking, 5)
        assert caught.value.code == "device_offline"


async def test_presets_in_several_messages(world, channel):
    server = await world.start(catalogue_on_register=False)
    async with talker(server, Edition.E2022).talking() as device:
        device.replies["PresetQuery"] = lambda e: [
            PresetList(CAMERA, e.sn, (PresetItem(n, f"p{n}"),), 3).to_bytes(Edition.E2022) for n in (2, 1, 3)
        ]
        answer = await server._devices.query("presets", channel_id=channel[1])
        assert [preset["number"] for preset in answer["presets"]] == [1, 2, 3]
        assert answer["complete"]
        assert device.heard[0][0].to.user == CAMERA


async def test_settings_come_one_answer_per_type(world, channel):
    server = await world.start(catalogue_on_register=False)
    async with talker(server, Edition.E2022).talking() as device:
        device.replies["ConfigDownload"] = lambda e: [
            ConfigDownload(e.device_id, e.sn, True, (setting,)).to_bytes(Edition.E2022)
            for setting in (BasicParam("x", 3600, 60, 3), FrameMirror(1))
        ]
        answer = await server._devices.query(
            "config", channel_id=channel[1], params={"types": ["BasicParam", "FrameMirror"]}
        )
        assert answer["settings"]["BasicParam"]["heartbeat_interval"] == 60
        assert answer["settings"]["FrameMirror"] == {"mode": 1}
        assert answer["complete"]


async def test_q27_settings_of_a_device_are_asked_of_the_device_not_of_its_channel(world):
    recorder = "34150200001180000001"
    peer_id = await world.peer(recorder)
    await world.execute(
        "INSERT INTO signalling.channel (peer_id, code, kind, name, status, fields) "
        "VALUES (:peer, :code, 'device', 'x', 'on', '{}')",
        peer=peer_id,
        code=CAMERA,
    )
    channel_id = (await world.rows("SELECT id FROM signalling.channel"))[0][0]
    server = await world.start(catalogue_on_register=False)
    async with talker(server, code=recorder).talking() as device:
        device.replies["ConfigDownload"] = lambda e: [
            ConfigDownload(e.device_id, e.sn, True, (BasicParam("x", 3600, 60, 3),)).to_bytes()
        ]
        await server._devices.query("config", channel_id=channel_id)
        assert device.heard[0][1].device_id == recorder


async def test_2022_queries_go_to_2022_only(world, channel):
    server = await world.start(catalogue_on_register=False)
    async with talker(server).talking() as device:
        with pytest.raises(BadRequest):
            await server._devices.query("home_position", channel_id=channel[1])
        assert not device.heard
    async with talker(server, Edition.E2022).talking() as device:
        device.replies["HomePositionQuery"] = lambda e: [
            HomePositionAnswer(e.device_id, e.sn, HomePosition(True, 60, 1)).to_bytes()
        ]
        device.replies["SDCardStatus"] = lambda e: [SdCardStatus(e.device_id, e.sn, (SdCard(1),), 1).to_bytes()]
        answer = await server._devices.query("home_position", channel_id=channel[1])
        assert answer["position"] == {"enabled": True, "reset_time": 60, "preset": 1}
        assert (await server._devices.query("sd_card", channel_id=channel[1]))["cards"][0]["number"] == 1
        with pytest.raises(BadRequest):
            await server._devices.query("nonsense", channel_id=channel[1])


# -- recordings ------------------------------------------------------------------------------------------------------


def recordings(envelope, per_packet=2, minutes=60, limit=None):
    """What a recorder with an endless recording answers, cut to pieces of an hour."""
    query = RecordInfoQuery.parse(envelope)
    items = []
    at = query.start.replace(minute=0)
    while at < query.end:
        items.append(RecordItem(CAMERA, f"{at:%H}", at, at + timedelta(minutes=minutes), f"/{at:%d%H}"))
        at += timedelta(minutes=minutes)
    return [packet.to_bytes() for packet in split_records(CAMERA, query.sn, "", items, per_packet)][:limit]


async def search(server, channel, hours):
    end = EIGHT + timedelta(hours=hours)
    return await server._devices.search(channel[1], EIGHT.isoformat(), end.isoformat())


async def test_q25_a_long_search_is_split_and_merged(world, channel):
    server = await world.start(catalogue_on_register=False)
    async with talker(server).talking() as device:
        device.replies["RecordInfo"] = recordings
        answer = await search(server, channel, 30)
        assert answer["complete"]
        assert [span["state"] for span in answer["spans"]] == ["complete"] * 3
        assert len(answer["items"]) == 30
        assert answer["items"] == sorted(answer["items"], key=lambda item: item["from"])
        asked = [RecordInfoQuery.parse(e) for e in device.of("RecordInfo")]
        assert [(q.end - q.start) / timedelta(hours=1) for q in asked] == [12, 12, 6]
        assert {request.to.user for request, _ in device.heard} == {CAMERA}
        # Dahua answers only when the type is stated.
        assert {q.type for q in asked} == {"all"}


async def test_q25_an_answer_that_stops_is_shown_as_partial(world, channel):
    server = await world.start(catalogue_on_register=False)
    async with talker(server).talking() as device:
        device.replies["RecordInfo"] = lambda e: recordings(e, limit=2)
        answer = await search(server, channel, 12)
        assert not answer["complete"]
        assert answer["spans"][0]["state"] == "partial"
        assert (answer["spans"][0]["declared"], answer["spans"][0]["received"]) == (12, 4)


async def test_q25_a_recorder_that_falls_silent_later_keeps_what_it_said(world, channel):
    server = await world.start(catalogue_on_register=False)
    async with talker(server).talking() as device:
        first = []
        device.replies["RecordInfo"] = lambda e: recordings(e) if not first and not first.append(1) else None
        answer = await search(server, channel, 24)
        assert [span["state"] for span in answer["spans"]] == ["complete", "silent"]
        assert len(answer["items"]) == 12


async def test_a_search_that_nobody_answers_fails(world, channel):
    server = await world.start(catalogue_on_register=False, records_first=0.3)
    async with talker(server).talking():
        with pytest.raises(Problem) as caught:
            await search(server, channel, 24)
        assert caught.value.code == "no_result"


async def test_nothing_found_is_complete(world, channel):
    server = await world.start(catalogue_on_register=False)
    async with talker(server).talking() as device:
        device.replies["RecordInfo"] = lambda e: [split_records(CAMERA, e.sn, "", [], 1)[0].to_bytes()]
        assert await search(server, channel, 1) == {
            "items": [],
            "complete": True,
            "spans": [
                {
                    "from": "2026-03-01T08:00:00+08:00",
                    "to": "2026-03-01T09:00:00+08:00",
                    "state": "complete",
                    "declared": 0,
                    "received": 0,
                }
            ],
        }


# -- commands --------------------------------------------------------------------------------------------------------


def moves(device):
    return [decode(e.element.get("PTZCmd")) for e in device.of("DeviceControl")]


async def test_a_command_without_an_answer_waits_for_none(world, channel):
    server = await world.start(catalogue_on_register=False, query_seconds=30.0)
    async with talker(server).talking() as device:
        result = await server._devices.order("move", channel[1], params={"pan": 1, "speed": 100}, actor=ANNA)
        assert result == {"result": "sent", "taken": True}
        assert moves(device) == [Move(pan=1, pan_speed=255)]
        assert await server._devices.order("reboot", channel[1]) == {"result": "sent", "taken": False}


async def test_a_command_with_an_answer_waits_for_it(world, channel):
    server = await world.start(catalogue_on_register=False)
    async with talker(server).talking() as device:
        device.replies["DeviceControl"] = lambda e: [Result("DeviceControl", CAMERA, e.sn).to_bytes()]
        assert await server._devices.order("record_start", channel[1]) == {"result": "ok"}
        device.replies["DeviceControl"] = lambda e: [Result("DeviceControl", CAMERA, e.sn, ok=False).to_bytes()]
        with pytest.raises(Problem) as caught:
            await server._devices.order("guard_set", channel[1])
        assert caught.value.code == "device_error"
        del device.replies["DeviceControl"]
        with pytest.raises(Problem) as caught:
            await server._devices.order("guard_set", channel[1])
        assert caught.value.code == "no_result"


async def test_a_key_frame_is_spelt_as_the_edition_does(world, channel):
    server = await world.start(catalogue_on_register=False)
    for edition, name in ((Edition.E2016, "IFameCmd"), (Edition.E2022, "IFrameCmd")):
        async with talker(server, edition).talking() as device:
            await server._devices.order("key_frame", channel[1])
            assert device.heard[-1][1].element.get(name) == "Send"


async def test_a_camera_that_moves_is_stopped_when_nobody_goes_on(world, channel):
    server = await world.start(catalogue_on_register=False, dead_man=0.2)
    async with talker(server).talking() as device:
        await server._devices.order("move", channel[1], params={"tilt": -1}, actor=ANNA)
        await until(lambda: len(moves(device)) == 2)
        assert moves(device)[1] == Stop()
        await server._devices.order("focus", channel[1], params={"focus": 1}, actor=ANNA)
        await until(lambda: len(moves(device)) == 4)
        assert moves(device)[3] == Lens()
        # One that was stopped by hand, and one that stands by itself, need no more.
        await server._devices.order("move", channel[1], params={"tilt": -1}, actor=ANNA)
        await server._devices.order("stop", channel[1], actor=ANNA)
        await server._devices.order("preset_call", channel[1], params={"preset": 3}, actor=ANNA)
        before = len(moves(device))
        await asyncio.sleep(0.2)
        assert not server._devices.control._tasks
        assert len(moves(device)) == before


async def test_a_camera_belongs_to_who_moves_it(world, channel):
    server = await world.start(catalogue_on_register=False, ptz_hold=0.4)
    async with talker(server).talking() as device:
        await server._devices.order("move", channel[1], params={"pan": 1}, actor=ANNA)
        with pytest.raises(Problem) as caught:
            await server._devices.order("move", channel[1], params={"pan": -1}, actor=BERND)
        assert (caught.value.status, caught.value.code) == (409, "ptz_held")
        assert "Anna" in caught.value.detail.zh
        assert isinstance(caught.value, PtzHeld)
        assert caught.value.data["name"] == "Anna"
        assert (await server._devices.ptz_holder(channel[1]))["name"] == "Anna"
        # Greater priority takes over, and what the other one moved is stopped first.
        await server._devices.order("move", channel[1], params={"pan": -1}, actor=BERND | {"priority": 9})
        await until(lambda: len(moves(device)) == 3)
        assert Stop() in moves(device)
        await until(lambda: not server._devices.control.desk.holder(server.peers.get(PLATFORM), CAMERA))
        await server._devices.order("stop", channel[1], actor=ANNA)


async def test_a_server_that_stops_leaves_no_camera_turning(world, channel):
    server = await world.start(catalogue_on_register=False)
    async with talker(server).talking() as device:
        await server._devices.order("move", channel[1], params={"pan": 1}, actor=ANNA)
        await world.stop(server)
        await until(lambda: len(moves(device)) == 2)
        assert moves(device)[1] == Stop()


@pytest.mark.parametrize(
    ("command", "params"),
    [
        ("move", {"pan": 5}),
        ("move", {"pan": 1, "speed": 0}),
        ("preset_call", {"preset": 0}),
        ("preset_call", {}),
        ("preset_fetch", {"preset": 1}),
        ("cruise_add", {"group": 1, "preset": 0}),
        ("drag_zoom_in", {"length": 1}),
        ("upgrade", {"firmware": "x"}),
        ("format", {"card": -1}),
        ("track", {}),
    ],
)
async def test_wrong_commands_reach_no_device(world, channel, command, params):
    server = await world.start(catalogue_on_register=False)
    async with talker(server, Edition.E2022).talking() as device:
        with pytest.raises((Invalid, BadRequest)):
            await server._devices.order(command, channel[1], params=params, actor=ANNA)
        assert not device.heard
