"""Peers at the door: who sees which, adding one, asking it again, reading its trace."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gongshi.access.permissions import Thing, permit
from gongshi.access.subjects import Subject
from gongshi.config import Settings
from gongshi.identity.roles import ROLES
from gongshi.kit.i18n import Text
from gongshi.node.rpc import RpcClient, RpcServer
from gongshi.signalling import presence, repository
from gongshi.signalling.api import door
from gongshi.simulator import SimulatedPlatform
from integration.access.helpers import account, application, client, token_of
from integration.signalling.conftest import BOX, PASSWORD, PLATFORM, until
from integration.signalling.device import Device

CODES = ("34150200002000000001", "34150200002000000002", "34150300002000000003")


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

        async def serve(server):
            rpc = RpcServer(tmp_path / "signal.sock", server.handlers())
            await rpc.start()
            stack.push_async_callback(rpc.close)

        make.serve = serve  # type: ignore[attr-defined] -- a function with a second verb
        yield make


async def test_a_peer_is_added_registers_and_shows_its_channels(world, config, people):
    server = await world.start()
    await people.serve(server)
    admin = await people("system_admin", "data-resource")
    body = {"code": PLATFORM, "name": "旅游视频管理平台", "organisation": "culture-tourism"}
    made = await admin.post("/api/v1/peers", json=body)
    assert made.status_code == 201, made.text
    assert made.headers["cache-control"] == "no-store"
    peer = made.json()
    assert peer["state"] == "never"
    assert len(peer["password"]) == 16
    assert peer["server"]["domain"] == "3415000000"
    await until(lambda: server.peers.get(PLATFORM))
    async with SimulatedPlatform(config(server, password=peer["password"])) as platform:
        await platform.wait_registered()

        async def complete():
            shown = (await admin.get(f"/api/v1/peers/{peer['id']}")).json()
            done = shown["last_run"] and shown["last_run"]["state"] == "complete" and shown["state"] == "online"
            return shown if done else None

        shown = await until(complete)
        assert shown["channels"] == shown["online_channels"] == 8
        assert shown["user_agent"] == "Gongshi-Simulator"
        assert "query_catalogue" in shown["allowed_actions"]
        assert "password" not in shown
        page = (await admin.get(f"/api/v1/peers/{peer['id']}/channels?limit=5")).json()
        rest = (await admin.get(f"/api/v1/peers/{peer['id']}/channels?limit=5&cursor={page['next_cursor']}")).json()
        codes = [channel["code"] for channel in page["items"] + rest["items"]]
        assert codes == sorted(c.code for c in platform.config.channels)
        assert rest["next_cursor"] is None
        asked = await admin.post(f"/api/v1/peers/{peer['id']}/catalogue")
        assert asked.status_code == 202
        lines = (await admin.get(f"/api/v1/peers/{peer['id']}/trace")).json()["items"]
        text = "\n".join(line["text"] for line in lines)
        assert "REGISTER sip:" in text
        assert "<CmdType>Catalog</CmdType>" in text
        assert "response=" not in text.replace('response="***"', "")
    await until(lambda: not server.peers.get(PLATFORM).online)
    refused = await admin.post(f"/api/v1/peers/{peer['id']}/catalogue", headers={"Accept-Language": "en"})
    assert refused.status_code == 409
    assert refused.json()["code"] == "device_offline"
    again = await admin.post("/api/v1/peers", json=body)
    assert again.status_code == 409
    assert again.json()["code"] == "peer_exists"
    secrets = await world.rows("SELECT secret FROM signalling.peer")
    assert peer["password"].encode() not in bytes(secrets[0][0])
    assert peer["password"] not in str(await world.rows("SELECT * FROM audit.entry"))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"code": "123"}, "code"),
        ({"code": "34150200003000000001"}, "code"),
        ({"name": "  "}, "name"),
        ({"organisation": "nobody"}, "organisation"),
        ({"password": "short"}, "password"),
        ({"password": "密码密码密码密码"}, "password"),
        ({"keepalive_interval": 0}, "keepalive_interval"),
        ({"keepalive_misses": 99}, "keepalive_misses"),
    ],
)
async def test_a_wrong_field_is_named(people, change, field):
    admin = await people("system_admin", "data-resource")
    body = {"code": PLATFORM, "name": "平台", "organisation": "culture-tourism", **change}
    answer = await admin.post("/api/v1/peers", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_everybody_sees_what_their_duty_covers(world, people):
    ours = await world.peer(CODES[0])
    theirs = await world.peer(CODES[1], organisation="emergency", name="应急平台")
    contact = await people("agency_contact", "culture-tourism")
    police = await people("police_officer", "police")
    viewer = await people("viewer", "emergency")
    assert [item["id"] for item in (await contact.get("/api/v1/peers")).json()["items"]] == [ours]
    assert (await contact.get(f"/api/v1/peers/{theirs}")).status_code == 404, "not theirs, so not there"
    assert (await contact.get("/api/v1/peers/99999")).status_code == 404
    assert (await contact.post("/api/v1/peers", json={})).status_code == 403
    assert {item["id"] for item in (await police.get("/api/v1/peers")).json()["items"]} == {ours, theirs}
    assert (await viewer.get("/api/v1/peers")).status_code == 403
    page = (await police.get("/api/v1/peers?limit=1")).json()
    following = (await police.get(f"/api/v1/peers?limit=1&cursor={page['next_cursor']}")).json()
    assert [page["items"][0]["code"], following["items"][0]["code"]] == sorted(CODES[:2])


async def test_the_list_and_the_single_answer_agree_for_every_role(world):
    rows = await world.rows("SELECT id, region_code, level FROM registry.organisation ORDER BY id")
    for number, (unit, _, _) in enumerate(rows):
        await world.peer(f"341502000020{number:08d}", organisation=unit, name=f"平台{number}")
    async with world.database.read() as session:
        everything = await repository.peers(session)
        for role in ROLES:
            for unit, region, level in rows:
                subject = Subject(
                    kind="person",
                    id=1,
                    name="x",
                    organisation_id=unit,
                    organisation_name="x",
                    region_code=region,
                    level=level,
                    roles=frozenset({role}),
                )
                listed = {row.peer.id for row in await repository.peers(session, *repository.reach(subject))}
                single = {
                    row.peer.id
                    for row in everything
                    if permit(
                        subject,
                        "signalling.peer.see",
                        Thing(
                            organisation_id=row.organisation.id,
                            region_code=row.organisation.region_code,
                            level=row.organisation.level,
                        ),
                    ).allowed
                }
                assert listed == single, (role, unit)


async def test_the_first_page_counts_platforms(world):
    await world.peer(CODES[0])
    await world.peer(CODES[1], name="第二平台")
    server = await world.start(catalogue_on_register=False)
    async with Device(CODES[0], server.port).on() as device:
        await device.register(PASSWORD)
        await until(lambda: world.rows("SELECT 1 FROM signalling.binding WHERE state = 'online'"))
        unit = (await world.rows("SELECT id FROM registry.organisation WHERE code = 'culture-tourism'"))[0][0]
        await world.execute(
            "INSERT INTO signalling.channel (peer_id, code, kind, name, status, fields) "
            "SELECT id, '34150200001310000009', 'device', '未填报', 'on', '{}' FROM signalling.peer WHERE code = :c",
            c=CODES[0],
        )
        subject = Subject(
            kind="person",
            id=1,
            name="x",
            organisation_id=unit,
            organisation_name="x",
            region_code="341500",
            level="city",
            roles=frozenset({"agency_contact"}),
        )
        async with world.database.read() as session:
            part = await presence.overview(session, subject)
    assert [(figure.key, figure.value, figure.unit) for figure in part.figures] == [("peers", 1, "/2")]
    assert {need.key: need.count for need in part.needs} == {"peers_offline": 1, "seen_undeclared": 1}


async def test_without_the_signal_role_the_answer_says_so(world, people):
    peer_id = await world.peer()
    admin = await people("system_admin", "data-resource")
    answer = await admin.post(f"/api/v1/peers/{peer_id}/catalogue")
    assert answer.status_code == 503
    assert answer.json()["code"] == "role_unavailable"
    assert (await admin.get("/api/v1/peers")).status_code == 200
