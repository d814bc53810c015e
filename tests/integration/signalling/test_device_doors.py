"""Cameras steered, recordings searched, devices commanded, alarms confirmed, peers changed: over HTTP, with rights."""

import json
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from gongshi.access import service as access
from gongshi.access.actions import Action
from gongshi.config import Settings
from gongshi.kit import clock
from gongshi.kit.i18n import Text
from gongshi.node.rpc import RpcClient, RpcServer
from gongshi.protocols.codes import Edition
from gongshi.protocols.manscdp import Alarm, DeviceInfo, PresetItem, PresetList, RecordItem, Result, split_records
from gongshi.registry.models import Organisation
from gongshi.signalling import alarm_api, camera_api, channel_api, manage_api
from gongshi.signalling.api import door as peers_door
from integration.access.helpers import account, application, cameras, client, token_of
from integration.signalling.conftest import BOX, PLATFORM, until
from integration.signalling.talking import talker

CAMERA = "34150200001310000000"


class City:
    """Two people of the culture bureau's world, one camera, one device that answers."""

    def __init__(self, world, stack, app, tmp_path):
        self.world, self._stack, self._app, self._path = world, stack, app, tmp_path
        self._number = 0
        self.units: dict[str, int] = {}
        self.camera_id = self.peer_id = self.channel_id = 0

    async def person(self, role, organisation):
        self._number += 1
        name = f"person{self._number}"
        await account(self.world.database, name, role, organisation=organisation)
        return await self._stack.enter_async_context(client(self._app, await token_of(self.world.database, name)))

    async def serve(self, **options):
        server = await self.world.start(catalogue_on_register=False, **options)
        rpc = RpcServer(self._path / "signal.sock", server.handlers())
        await rpc.start()
        self._stack.push_async_callback(rpc.close)
        return server

    async def allow(self, organisation, action, **limits):
        async with self.world.database.unit() as uow:
            await access.grant_right(
                uow,
                subject_kind="organisation",
                subject_id=organisation,
                basis="grant",
                basis_id=1,
                actions=action,
                camera_ids=[self.camera_id],
                valid_from=clock.now() - timedelta(hours=1),
                valid_to=clock.now() + timedelta(hours=1),
                limits=limits,
            )

    async def entries(self, action):
        rows = await self.world.rows("SELECT detail FROM audit.entry WHERE action = :action", action=action)
        return [json.loads(row[0]) for row in rows]


@pytest.fixture
async def city(world, tmp_path: Path):
    async with AsyncExitStack() as stack:
        doors = (peers_door, manage_api.door, channel_api.door, camera_api.door, alarm_api.door)
        app = application(world.database, *doors)
        calls = RpcClient(tmp_path / "signal.sock", Text("信令服务", "signal role"))
        stack.push_async_callback(calls.close)
        app.state.roles, app.state.box, app.state.settings = {"signal": calls}, BOX, Settings(data=tmp_path)
        made = City(world, stack, app, tmp_path)
        async with world.database.read() as session:
            found = await session.execute(select(Organisation.code, Organisation.id))
            made.units = {code: number for code, number in found if code}
        (made.camera_id,) = await cameras(
            world.database, [{"region_code": "341502", "organisation_id": made.units["culture-tourism"]}]
        )
        made.peer_id = await world.peer()
        await world.execute(
            "INSERT INTO signalling.channel (peer_id, code, kind, name, status, fields, camera_id) "
            "VALUES (:peer, :code, 'device', '东门', 'on', '{}', :camera)",
            peer=made.peer_id,
            code=CAMERA,
            camera=made.camera_id,
        )
        made.channel_id = (await world.rows("SELECT id FROM signalling.channel"))[0][0]
        yield made


async def test_watching_never_includes_moving(city):
    server = await city.serve()
    viewer = await city.person("viewer", "emergency")
    await city.allow(city.units["emergency"], Action.LIVE)
    async with talker(server).talking() as device:
        refused = await viewer.post(f"/api/v1/cameras/{CAMERA}/ptz", json={"command": "move", "pan": 1})
        assert refused.status_code == 403
        assert "云台控制" in refused.json()["detail"]
        assert (await city.entries("signalling.camera.refused"))[0]["action"] == "ptz"
        await city.allow(city.units["emergency"], Action.PTZ)
        moved = await viewer.post(f"/api/v1/cameras/{CAMERA}/ptz", json={"command": "move", "pan": 1, "speed": 100})
        assert moved.status_code == 200, moved.text
        assert moved.json()["holder"] == {"kind": "person", "name": "Person1", "mine": True}
        assert device.of("DeviceControl")[0].element.get("PTZCmd") == "A50F0101FF0000B5"
        # Going on is not logged again; presets are.
        await viewer.post(f"/api/v1/cameras/{CAMERA}/ptz", json={"command": "stop"})
        assert len(await city.entries("signalling.ptz.taken")) == 1
        await viewer.post(f"/api/v1/cameras/{CAMERA}/presets", json={"action": "set", "number": 3})
        assert (await city.entries("signalling.preset.changed"))[0]["preset"] == 3


async def test_two_people_and_one_camera(city):
    server = await city.serve()
    anna, bernd = await city.person("viewer", "emergency"), await city.person("viewer", "emergency")
    await city.allow(city.units["emergency"], Action.PTZ)
    async with talker(server).talking():
        await anna.post(f"/api/v1/cameras/{CAMERA}/ptz", json={"command": "move", "tilt": 1})
        held = await bernd.post(f"/api/v1/cameras/{CAMERA}/ptz", json={"command": "move", "tilt": -1})
        assert (held.status_code, held.json()["code"]) == (409, "ptz_held")
        assert "Person1" in held.json()["detail"]
        assert held.json()["holder"]["name"] == "Person1"


async def test_absent_and_not_yours_look_the_same(city):
    await city.serve()
    await city.world.execute("UPDATE registry.camera SET sharing_class = 'none'")
    stranger = await city.person("viewer", "education")
    for code in (CAMERA, "34150200001310000999"):
        for path, body in (("ptz", {"command": "stop"}), ("presets", {"action": "call", "number": 1})):
            answer = await stranger.post(f"/api/v1/cameras/{code}/{path}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        answer = await stranger.get(
            f"/api/v1/cameras/{code}/recordings",
            params={"from": "2026-03-01T08:00:00+08:00", "to": "2026-03-01T09:00:00+08:00"},
        )
        assert answer.status_code == 404


async def test_recordings_as_far_back_as_the_grant_reaches(city):
    server = await city.serve()
    viewer = await city.person("viewer", "emergency")
    await city.allow(city.units["emergency"], Action.PLAYBACK, playback_hours=24)
    start = clock.now().replace(microsecond=0) - timedelta(hours=20)
    async with talker(server).talking() as device:
        device.replies["RecordInfo"] = lambda e: [
            packet.to_bytes()
            for packet in split_records(
                CAMERA, e.sn, "", [RecordItem(CAMERA, "a", start, start + timedelta(hours=1), "/a")], 1
            )
        ]
        span = {"from": start.isoformat(), "to": (start + timedelta(hours=1)).isoformat()}
        found = await viewer.get(f"/api/v1/cameras/{CAMERA}/recordings", params=span)
        assert found.status_code == 200, found.text
        assert found.json()["complete"]
        assert [item["name"] for item in found.json()["items"]] == ["a"]
        assert len(await city.entries("signalling.recordings.searched")) == 1
        early = {"from": (start - timedelta(hours=9)).isoformat(), "to": start.isoformat()}
        refused = await viewer.get(f"/api/v1/cameras/{CAMERA}/recordings", params=early)
        assert (refused.status_code, refused.json()["code"]) == (403, "playback_depth")
        for wrong in (
            {"from": "2026-03-01T08:00:00", "to": "2026-03-01T09:00:00"},
            {"from": span["to"], "to": span["from"]},
            {"from": "2026-01-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"},
            {"from": "9999-12-31T23:00:00Z", "to": "9999-12-31T23:30:00Z"},
        ):
            answer = await viewer.get(f"/api/v1/cameras/{CAMERA}/recordings", params=wrong)
            assert answer.status_code == 422, answer.text


async def test_commands_need_a_permission_each_and_the_dangerous_ones_the_code(city):
    server = await city.serve()
    contact = await city.person("agency_contact", "culture-tourism")
    other = await city.person("agency_contact", "education")
    police = await city.person("police_officer", "police")
    path = f"/api/v1/channels/{city.channel_id}/commands"
    async with talker(server, Edition.E2022).talking() as device:
        device.replies["DeviceControl"] = lambda e: (
            [Result("DeviceControl", CAMERA, e.sn).to_bytes()] if e.element.get("RecordCmd") else None
        )
        assert (await contact.post(path, json={"command": "record_start"})).json()["result"] == "ok"
        assert (await other.post(path, json={"command": "record_start"})).status_code == 404
        assert (await police.post(path, json={"command": "reboot", "confirm": CAMERA})).status_code == 403
        missing = await contact.post(path, json={"command": "reboot"})
        assert (missing.status_code, missing.json()["errors"][0]["field"]) == (422, "confirm")
        assert not [e for e in device.of("DeviceControl") if e.element.get("TeleBoot")]
        assert (await contact.post(path, json={"command": "reboot", "confirm": CAMERA})).json()["result"] == "sent"
        assert (await contact.post(path, json={"command": "format", "card": 1, "confirm": CAMERA})).status_code == 403
        assert (await contact.post(path, json={"command": "track"})).status_code == 422
        told = [row["command"] for row in await city.entries("signalling.device.commanded")]
        assert told == ["record_start", "reboot"]


async def test_presets_are_read_from_the_device(city):
    server = await city.serve()
    police = await city.person("police_officer", "police")
    async with talker(server).talking() as device:
        device.replies["PresetQuery"] = lambda e: [PresetList(CAMERA, e.sn, (PresetItem(1, "东门"),)).to_bytes()]
        shown = await police.get(f"/api/v1/channels/{city.channel_id}/presets")
        assert shown.json() == {"items": [{"number": 1, "name": "东门"}], "complete": True}
        assert (await police.get("/api/v1/channels/999999/presets")).status_code == 404


async def test_alarms_are_seen_by_whose_duty_it_is_and_confirmed_once(city):
    server = await city.serve()
    contact = await city.person("agency_contact", "culture-tourism")
    other = await city.person("agency_contact", "education")
    async with talker(server).talking() as device:
        device.replies["DeviceControl"] = lambda e: [Result("DeviceControl", e.device_id, e.sn).to_bytes()]
        for number in range(3):
            moment = clock.now() - timedelta(seconds=number)
            await device.ask(device.message(Alarm(CAMERA, number, 2, 2, moment, "输入").to_bytes()))
        await until(lambda: _count(city, 3))
        page = (await contact.get("/api/v1/alarms?limit=2")).json()
        rest = (await contact.get(f"/api/v1/alarms?limit=2&cursor={page['next_cursor']}")).json()
        ids = [alarm["id"] for alarm in page["items"] + rest["items"]]
        assert ids == sorted(ids, reverse=True)
        assert len(ids) == 3
        assert page["items"][0]["camera"]["code"] == CAMERA
        assert (await other.get("/api/v1/alarms")).json()["items"] == []
        assert (await other.post(f"/api/v1/alarms/{ids[0]}/confirm", json={})).status_code == 404
        done = await contact.post(f"/api/v1/alarms/{ids[0]}/confirm", json={"note": "误报", "reset": True})
        assert done.status_code == 200, done.text
        assert done.json()["confirmed_by"] == "Person1"
        reset = device.of("DeviceControl")[0]
        assert (reset.device_id, reset.element.get("AlarmCmd")) == (CAMERA, "ResetAlarm")
        assert (await contact.post(f"/api/v1/alarms/{ids[0]}/confirm", json={})).json()["code"] == "alarm_confirmed"
        assert len((await contact.get("/api/v1/alarms?confirmed=false")).json()["items"]) == 2


async def _count(city, number):
    return (await city.world.rows("SELECT count(*) FROM signalling.alarm"))[0][0] == number


async def test_a_peer_is_changed_asked_subscribed_to_and_traced(city):
    server = await city.serve()
    admin = await city.person("system_admin", "data-resource")
    path = f"/api/v1/peers/{city.peer_id}"
    async with talker(server).talking() as device:
        device.replies["DeviceInfo"] = lambda e: [DeviceInfo(e.device_id, e.sn, "平台", model="M1").to_bytes()]
        asked = await admin.post(f"{path}/queries", json={"kind": "device_info"})
        assert asked.json()["answer"]["model"] == "M1"
        await until(lambda: _answers(admin, path))
        shown = await admin.put(f"{path}/subscriptions", json={"package": "alarm", "on": True})
        assert {row["package"]: row["on"] for row in shown.json()["items"]}["alarm"]
        await until(lambda: device.notifier("Alarm"))
        before = await admin.get(path)
        changed = await admin.patch(
            path, json={"name": "新名", "edition": "2022"}, headers={"If-Match": before.headers["etag"]}
        )
        assert changed.status_code == 204
        stale = await admin.patch(path, json={"name": "旧"}, headers={"If-Match": before.headers["etag"]})
        assert stale.status_code == 412
        await until(lambda: server.peers.get(PLATFORM).edition == Edition.E2022)
        assert (await admin.patch(path, json={"keepalive_interval": 1})).status_code == 422
        capture = await admin.get(f"{path}/trace?format=pcap")
        assert capture.content[:4] == b"\xd4\xc3\xb2\xa1"
        assert "attachment" in capture.headers["content-disposition"]
        text = (await admin.get(f"{path}/trace?format=text")).text
        assert "<CmdType>DeviceInfo</CmdType>" in text
        assert (await admin.delete(path)).json()["code"] == "peer_in_use"
        await admin.patch(path, json={"enabled": False})
        await until(lambda: not server.peers.get(PLATFORM).online)


async def _answers(admin, path):
    return (await admin.get(f"{path}/answers")).json()["items"]


async def test_another_password_counts_from_the_next_registration(city):
    server = await city.serve()
    admin = await city.person("system_admin", "data-resource")
    made = await admin.post(f"/api/v1/peers/{city.peer_id}/password", json={})
    password = made.json()["password"]
    assert made.headers["cache-control"] == "no-store"
    assert password not in str(await city.world.rows("SELECT detail FROM audit.entry"))
    device = talker(server)
    async with device.on():

        async def registers():
            return (await device.register(password)).status == 200

        await until(registers)
        assert (await device.register("right and proper")).status == 403
        short = await admin.post(f"/api/v1/peers/{city.peer_id}/password", json={"password": "short"})
        assert short.status_code == 422


async def test_a_peer_that_showed_nothing_is_removed(city):
    server = await city.serve()
    admin = await city.person("system_admin", "data-resource")
    number = await city.world.peer("34150200002000000002")
    await until(lambda: server.peers.get("34150200002000000002"))
    assert (await admin.delete(f"/api/v1/peers/{number}")).status_code == 204
    await until(lambda: server.peers.get("34150200002000000002") is None)
    assert (await admin.get(f"/api/v1/peers/{number}")).status_code == 404
