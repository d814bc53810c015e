"""Uppers at the door: administrators connect them, police officers open cameras to them inside their jurisdiction."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gongshi.access import service as access
from gongshi.access.actions import Action
from gongshi.config import Settings
from gongshi.kit import clock
from gongshi.kit.i18n import Text
from gongshi.node.rpc import RpcClient, RpcServer
from gongshi.signalling.uppers.api import door
from integration.access.helpers import account, application, client, token_of
from integration.cascade.conftest import BOX, NODE, PASSWORD, code
from integration.signalling.conftest import until

EAST, WEST, TOWER, BARE = code(1), code(2), code(3, "341503"), code(4)


@pytest.fixture
async def people(world, tmp_path: Path):
    """`await people(role, organisation)` gives a client; the application reaches a real signal role."""
    async with AsyncExitStack() as stack:
        app = application(world.database, door)
        calls = RpcClient(tmp_path / "signal.sock", Text("信令服务", "signal role"))
        stack.push_async_callback(calls.close)
        app.state.roles = {"signal": calls}
        app.state.box = BOX
        app.state.settings = Settings(data=tmp_path)
        number = 0

        async def make(role: str, organisation: str):
            nonlocal number
            number += 1
            await account(world.database, f"person{number}", role, organisation=organisation)
            token = await token_of(world.database, f"person{number}")
            return await stack.enter_async_context(client(app, token))

        async def serve():
            await world.start()
            rpc = RpcServer(tmp_path / "signal.sock", world.uppers.handlers())
            await rpc.start()
            stack.push_async_callback(rpc.close)

        make.serve = serve  # type: ignore[attr-defined] -- a function with a second verb
        yield make


def settings(upper, **changes):
    return {
        "code": upper.code,
        "name": "省公共视频共享平台",
        "organisation": "police",
        "host": upper.host,
        "port": upper.port,
        "own_code": NODE,
        "password": PASSWORD,
        **changes,
    }


async def test_an_upper_is_added_shown_changed_and_removed(world, upper, people):
    await people.serve()
    admin = await people("system_admin", "data-resource")
    made = await admin.post("/api/v1/uppers", json=settings(upper))
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    assert made.json()["state"] == "off"
    await asyncio.wait_for(upper.bound.wait(), 10)

    async def registered():
        shown = (await admin.get(f"/api/v1/uppers/{number}")).json()
        return shown if shown["state"] == "registered" else None

    shown = await until(registered)
    assert (shown["address"], shown["cameras"], shown["reason"]) == (f"udp:127.0.0.1:{upper.port}", 0, None)
    assert "password" not in shown
    # A change unregisters and registers anew.
    upper.bound.clear()
    changed = await admin.patch(
        f"/api/v1/uppers/{number}", json={"tree": "region", "keepalive_interval": 30}, headers={"If-Match": '"1"'}
    )
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    await until(lambda: upper.unregistered)
    await asyncio.wait_for(upper.bound.wait(), 10)
    stale = await admin.patch(f"/api/v1/uppers/{number}", json={"name": "x"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    upper.password = "a new one"
    assert (await admin.post(f"/api/v1/uppers/{number}/password", json={"password": "a new one"})).status_code == 204
    await until(registered)
    lines = (await admin.get(f"/api/v1/uppers/{number}/trace")).json()["items"]
    text = "\n".join(line["text"] for line in lines)
    assert "REGISTER sip:" in text
    assert "response=" not in text.replace('response="***"', "")
    again = await admin.post("/api/v1/uppers", json=settings(upper))
    assert (again.status_code, again.json()["code"]) == (409, "upper_exists")
    assert (await admin.delete(f"/api/v1/uppers/{number}")).status_code == 204
    await until(lambda: upper.unregistered >= 2)
    assert (await admin.get("/api/v1/uppers")).json()["items"] == []
    assert (await admin.get(f"/api/v1/uppers/{number}")).status_code == 404
    # Added again it is the same one: its aliases were never anybody else's.
    back = await admin.post("/api/v1/uppers", json=settings(upper, password="a new one"))
    assert (back.status_code, back.json()["id"]) == (201, number)
    entries = [
        row[0]
        for row in await world.rows("SELECT action FROM audit.entry WHERE action LIKE 'signalling.upper%' ORDER BY id")
    ]
    assert entries == [
        "signalling.upper.created",
        "signalling.upper.changed",
        "signalling.upper.password_set",
        "signalling.upper.removed",
        "signalling.upper.created",
    ]
    assert "a new one" not in str(await world.rows("SELECT * FROM audit.entry"))
    secrets = await world.rows("SELECT secret FROM signalling.upper")
    assert b"a new one" not in bytes(secrets[0][0])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"code": "123"}, "code"),
        ({"code": "34000000001310000001"}, "code"),
        ({"own_code": "34000000002000000001"}, "own_code"),
        ({"host": "not a host"}, "host"),
        ({"port": 0}, "port"),
        ({"retry_seconds": 5}, "retry_seconds"),
        ({"keepalive_misses": 0}, "keepalive_misses"),
        ({"media_networks": ["everywhere"]}, "media_networks"),
        ({"sources": ["10.0.0.0/33"]}, "sources"),
        ({"redirects": ["10.0.0.1"]}, "redirects"),
        ({"contact": "10.0.0.1:70000"}, "contact"),
        ({"organisation": "nobody"}, "organisation"),
        ({"password": ""}, "password"),
    ],
)
async def test_a_wrong_field_is_named(upper, people, change, field):
    admin = await people("system_admin", "data-resource")
    answer = await admin.post("/api/v1/uppers", json=settings(upper, **change))
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_police_opens_cameras_inside_its_jurisdiction_only(world, upper, people):
    number = await world.add(upper)
    await _duty(world)
    city = await people("police_officer", "police")
    admin = await people("system_admin", "data-resource")
    path = f"/api/v1/uppers/{number}"
    terms = {"scope": "cameras", "cameras": [EAST, TOWER], "actions": ["live"], "concurrency": 2}
    assert (await admin.post(f"{path}/rights", json=terms)).status_code == 403
    made = await city.post(f"{path}/rights", json=terms)
    assert made.status_code == 201, made.text
    right = made.json()
    assert (right["actions"], right["cameras"], right["limits"]) == (["see", "live"], 2, {"concurrency": 2})
    await city.post(f"{path}/rights", json={"scope": "region", "value": "341502", "actions": ["see"]})
    page = (await city.get(f"{path}/cameras?limit=2")).json()
    rest = (await city.get(f"{path}/cameras?limit=2&cursor={page['next_cursor']}")).json()
    found = {item["code"]: item["actions"] for item in page["items"] + rest["items"]}
    assert found == {EAST: ["see", "live"], WEST: ["see"], TOWER: ["see", "live"], BARE: ["see"]}
    assert (page["total"], rest["next_cursor"]) == (4, None)
    shown = (await city.get(path)).json()
    assert (shown["cameras"], shown["allowed_actions"]) == (4, ["share"])
    # What lies outside the officer's city is not the officer's to share.
    for outside in ({"scope": "region", "value": "340100"}, {"scope": "region", "value": "34"}):
        answer = await city.post(f"{path}/rights", json={**outside, "actions": ["see"]})
        assert answer.status_code == 403, answer.text
    for wrong in (
        {"scope": "cameras", "cameras": ["34150200001310009999"], "actions": ["live"]},
        {"scope": "cameras", "cameras": [], "actions": ["live"]},
        {"scope": "cameras", "cameras": [EAST], "actions": ["talk"]},
        {"scope": "cameras", "cameras": [EAST], "actions": ["ptz"], "commands": ["everything"]},
    ):
        assert (await city.post(f"{path}/rights", json=wrong)).status_code == 422, wrong
    # An administrator sees how many, but only cameras that the catalogue shows to everybody.
    seen = (await admin.get(f"{path}/cameras")).json()
    assert (seen["items"], seen["total"]) == ([], 4)
    ended = await city.delete(f"{path}/rights/{right['id']}?reason=演练结束")
    assert ended.status_code == 204
    assert (await city.delete(f"{path}/rights/{right['id']}")).status_code == 404
    rights = (await city.get(f"{path}/rights")).json()["items"]
    assert [item["scope"] for item in rights] == ["region"]
    actions = [
        row[0] for row in await world.rows("SELECT action FROM audit.entry WHERE action LIKE '%shared' ORDER BY id")
    ]
    assert actions == ["signalling.upper.shared"] * 2 + ["signalling.upper.unshared"]


async def _duty(world):
    """What a node gives its police when it is made: to see what lies inside the jurisdiction."""
    ((police,),) = await world.rows("SELECT id FROM registry.organisation WHERE code = 'police'")
    async with world.database.unit() as uow:
        await access.grant_right(
            uow,
            subject_kind="organisation",
            subject_id=police,
            basis="duty",
            basis_id=None,
            actions=Action.SEE,
            scope="region",
            scope_value="341500",
            valid_from=clock.now(),
            valid_to=None,
        )


async def test_an_alias_is_given_once(world, upper, people):
    number = await world.add(upper)
    admin = await people("system_admin", "data-resource")
    path = f"/api/v1/uppers/{number}/aliases"
    alias = {"camera": EAST, "alias": "34000000001310000077"}
    assert (await admin.post(path, json=alias)).status_code == 204
    again = await admin.post(path, json=alias)
    assert (again.status_code, again.json()["code"]) == (409, "alias_taken")
    assert (await admin.post(path, json={"camera": "1", "alias": "2"})).status_code == 404
    assert (await admin.post(path, json={"camera": WEST, "alias": "2"})).status_code == 422


async def test_removing_an_upper_ends_its_rights(world, upper, people):
    number = await world.add(upper)
    city, admin = await people("police_officer", "police"), await people("system_admin", "data-resource")
    terms = {"scope": "cameras", "cameras": [EAST], "actions": ["live"]}
    await city.post(f"/api/v1/uppers/{number}/rights", json=terms)
    assert (await admin.delete(f"/api/v1/uppers/{number}")).status_code == 204
    rows = await world.rows("SELECT end_code FROM access.right WHERE subject_kind = 'upper'")
    assert rows == [("revoked",)]
    assert (await city.get(f"/api/v1/uppers/{number}/rights")).status_code == 404
