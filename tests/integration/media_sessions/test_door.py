"""The routes of sessions, as a page and as a stranger use them."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from gongshi.kit import clock
from gongshi.media.api import door
from integration.access import helpers
from integration.media.support import get


@pytest.fixture
async def clients(world):
    app = helpers.application(world.database, door)
    app.state.media = world.ports
    made = {"nobody": helpers.client(app)}
    await helpers.account(world.database, "shenji", "auditor")
    await helpers.account(world.database, "wenlv", "agency_contact")
    for name in ("yingji-zhiban", "shenji", "wenlv"):
        made[name] = helpers.client(app, await helpers.token_of(world.database, name))
    yield made
    for client in made.values():
        await client.aclose()


BODY = {"action": "live", "reason": "防汛值守"}


async def test_open_look_and_close(world, clients):
    me = clients["yingji-zhiban"]
    answer = await me.post(f"/api/v1/cameras/{world.codes[0]}/sessions", json=BODY)
    assert answer.status_code == 201, answer.text
    opened = answer.json()
    assert opened["urls"]["flv"].startswith("http://node.test:")
    assert opened["urls"]["hls"] is None
    assert opened["watermark"] == {
        "name": "Yingji-Zhiban",
        "organisation": "市应急管理局",
        "grant_number": "G-2026-0001",
        "purpose": "防汛值守",
    }
    assert "online" in [step["step"] for step in opened["stream"]["steps"]]
    path = f"/api/v1/sessions/{opened['id']}"
    shown = (await me.get(path)).json()
    assert (shown["state"], shown["allowed_actions"], shown["camera"]["code"]) == ("open", ["close"], world.codes[0])
    fresh = (await me.post(path + "/urls")).json()
    local = fresh["urls"]["flv"].replace("node.test", "127.0.0.1")
    assert (await get(local)).status == 200
    for name, status in (("wenlv", 404), ("nobody", 401)):
        assert (await clients[name].get(path)).status_code == status
        assert (await clients[name].delete(path)).status_code == status
        assert (await clients[name].post(path + "/urls")).status_code == status
    assert (await clients["shenji"].delete(path)).status_code in {403, 404}
    assert (await me.delete(path)).status_code == 204
    row = await world.ended(opened["id"])
    assert row["end_code"] == "closed"
    shown = (await me.get(path, params={"lang": "en"})).json()
    assert (shown["state"], shown["end_text"]) == ("ended", "closed by the viewer")
    assert (await me.delete(path)).status_code == 204
    assert (await me.post(path + "/urls")).status_code == 409


async def test_the_register_is_ones_own_or_the_auditors(world, clients):
    me = clients["yingji-zhiban"]
    for _ in range(2):
        await me.post(f"/api/v1/cameras/{world.codes[0]}/sessions", json=BODY)
    first = (await me.get("/api/v1/sessions", params={"limit": 1})).json()
    second = (await me.get("/api/v1/sessions", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert first["items"][0]["id"] != second["items"][0]["id"]
    assert second["next_cursor"] is None
    assert len((await clients["shenji"].get("/api/v1/sessions", params={"state": "open"})).json()["items"]) == 2
    assert (await clients["wenlv"].get("/api/v1/sessions")).json()["items"] == []
    assert (await me.get("/api/v1/sessions", params={"cursor": "WzEsMl0"})).status_code == 400


async def test_what_cannot_be_opened_is_told_apart_only_inside_the_catalogue(world, clients):
    me = clients["yingji-zhiban"]

    async def post(code, body=BODY):
        return await me.post(f"/api/v1/cameras/{code}/sessions", json=body)

    refused = await post(world.codes[1])
    assert (refused.status_code, refused.json()["code"]) == (403, "no_right")
    hidden, absent = await post(world.codes[2]), await post("34150200001329999999")
    assert hidden.status_code == absent.status_code == 404
    assert hidden.json() == absent.json()
    assert (await post(world.codes[0], {"action": "live", "reason": " "})).status_code == 422
    assert (await post(world.codes[0], {"action": "playback", "reason": "回看"})).status_code == 422
    assert (await post(world.codes[0], {"action": "ptz", "reason": "转动"})).status_code == 422
    assert (await clients["shenji"].post(f"/api/v1/cameras/{world.codes[0]}/sessions", json=BODY)).status_code == 403


async def test_no_picture_comes_with_steps_and_suspects(world, clients):
    world.devices.silent = True
    answer = await clients["yingji-zhiban"].post(f"/api/v1/cameras/{world.codes[0]}/sessions", json=BODY)
    assert answer.status_code == 502
    assert answer.json()["code"] == "no_media"
    async with world.database.read() as session:
        row = (await session.execute(text("SELECT id, end_detail FROM media.session"))).one()
    assert row.end_detail["which"] == ["address", "port", "firewall"]
    shown = (await clients["yingji-zhiban"].get(f"/api/v1/sessions/{row.id}")).json()
    assert (shown["state"], shown["which"]) == ("failed", ["address", "port", "firewall"])


async def test_a_stream_tells_its_steps_to_those_who_run_it(world, clients):
    opened = (await clients["yingji-zhiban"].post(f"/api/v1/cameras/{world.codes[0]}/sessions", json=BODY)).json()
    path = f"/api/v1/streams/{opened['stream']['id']}"
    async with asyncio.timeout(3):
        while (shown := (await clients["shenji"].get(path)).json())["codec"] is None:
            await asyncio.sleep(0.05)
    assert (shown["state"], shown["codec"], shown["camera"]) == ("live", "h264", world.codes[0])
    assert shown["figures"]["online"]
    assert (await clients["yingji-zhiban"].get(path)).status_code == 403


async def test_a_recording_is_played_and_steered_by_its_viewer_only(world, clients):
    from gongshi.access.actions import Action

    await world.grant([1], actions=Action.PLAYBACK, limits={"playback_hours": 24, "grant_number": "G-2"})
    me = clients["yingji-zhiban"]
    start = clock.now().replace(microsecond=0) - timedelta(hours=3)
    body = {"action": "playback", "reason": "复核", "from": start.isoformat()}
    path = f"/api/v1/cameras/{world.codes[1]}/sessions"
    half = await me.post(path, json=body)
    assert (half.status_code, half.json()["errors"][0]["field"]) == (422, "to")
    body["to"] = (start + timedelta(minutes=5)).isoformat()
    answer = await me.post(path, json=body)
    assert answer.status_code == 201, answer.text
    opened = answer.json()
    assert opened["recording"]["from"] == clock.local(start).isoformat()
    shown = (await me.get(f"/api/v1/sessions/{opened['id']}")).json()
    assert (shown["action"], shown["recording"]) == ("playback", opened["recording"])
    control = f"/api/v1/sessions/{opened['id']}/control"
    assert (await me.post(control, json={"action": "seek", "value": 60})).json()["position"] == 60.0
    assert (await me.post(control, json={"action": "scale", "value": -2})).json()["scale"] == -2.0
    assert (await me.post(control, json={"action": "scale", "value": 5})).status_code == 422
    assert (await me.post(control, json={"action": "jump"})).status_code == 422
    for name, status in (("wenlv", 404), ("nobody", 401)):
        assert (await clients[name].post(control, json={"action": "pause"})).status_code == status
    assert (await clients["shenji"].post(control, json={"action": "pause"})).status_code == 403
    body |= {"from": (start - timedelta(hours=22)).isoformat()}
    deep = await me.post(path, json={**body, "to": (start - timedelta(hours=21)).isoformat()})
    assert (deep.status_code, deep.json()["code"]) == (403, "playback_depth")
    live = (await me.post(f"/api/v1/cameras/{world.codes[0]}/sessions", json=BODY)).json()
    assert live["recording"] is None
    wrong = await me.post(f"/api/v1/sessions/{live['id']}/control", json={"action": "pause"})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "not_a_recording")
    await me.delete(f"/api/v1/sessions/{opened['id']}")
    ended = await me.post(control, json={"action": "pause"})
    assert (ended.status_code, ended.json()["code"]) == (409, "session_ended")
