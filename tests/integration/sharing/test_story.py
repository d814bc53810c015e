"""The sharing process at its door, on a real database: ask, consult, decide, use, revoke, expire (G-033)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gongshi.access.actions import Action
from gongshi.access.rights import load
from gongshi.access.subjects import Subject
from gongshi.identity import repository as identity
from gongshi.kit import clock
from gongshi.sharing import grants, overview, sections
from gongshi.sharing.api import door
from integration.access import helpers

ROLES = {
    "yingji": ("agency_contact", "emergency"),
    "zhiban": ("viewer", "emergency"),
    "wenlv": ("agency_contact", "culture-tourism"),
    "shuju": ("data_bureau", "data-resource"),
    "jingcha": ("police_officer", "police"),
    "jingcha-asks": ("agency_contact", "police"),
    "xianban": ("county_office", "jinan"),
    "shenji": ("auditor", "cyberspace"),
}


class City:
    """The application with one client per person."""

    def __init__(self, database, clients, units, codes):
        self.database, self.clients, self.units, self.codes = database, clients, units, codes

    def body(self, *cameras, **changes) -> dict[str, Any]:
        now = clock.now()
        return {
            "cameras": [self.codes[number] for number in cameras or (0, 1)],
            "actions": ["live"],
            "purpose": "flood_watch",
            "legal_basis": "《防洪法》第八条",
            "valid_from": now.isoformat(),
            "valid_to": (now + timedelta(days=30)).isoformat(),
            **changes,
        }

    async def ask(self, who, method, path, status=200, json: Any = None, **headers) -> Any:
        answer = await self.clients[who].request(method, "/api/v1" + path, json=json, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def submitted(self, who="yingji", *cameras, **changes):
        made = await self.ask(who, "POST", "/share-requests", 201, self.body(*cameras, **changes))
        return await self.ask(who, "POST", f"/share-requests/{made['id']}/submit")

    async def consulted(self, who="yingji", *cameras, outcome="agreed", comment="", **changes):
        request = await self.submitted(who, *cameras, **changes)
        body = {"stage": "consult", "outcome": outcome, "comment": comment}
        return await self.ask("shuju", "POST", f"/share-requests/{request['id']}/decisions", json=body)

    async def decided(self, request, *items, comment="", status=200):
        body = {"stage": "approve", "items": list(items), "comment": comment}
        return await self.ask("jingcha", "POST", f"/share-requests/{request['id']}/decisions", status, body)

    def approve(self, number, **more):
        return {"camera": self.codes[number], "outcome": "approved", **more}

    def refuse(self, number, reason="sensitive_place"):
        return {"camera": self.codes[number], "outcome": "refused", "reason": reason}

    async def may(self, number, action=Action.LIVE, who="zhiban", at=None):
        async with self.database.read() as session:
            member = await identity.member_by_username(session, who)
            assert member is not None
            unit = member.organisation
            subject = Subject(
                "person", member.account.id, who, unit.id, unit.name, unit.region_code, unit.level, member.roles
            )
            camera = await session.scalar(
                text("SELECT id FROM registry.camera WHERE code = :code"), {"code": self.codes[number]}
            )
            assert camera is not None
            return (await load(session)).decide(subject, action, camera, at or clock.now())

    async def log(self):
        async with self.database.read() as session:
            rows = await session.scalars(
                text("SELECT action FROM audit.entry WHERE action LIKE 'sharing.%' ORDER BY id")
            )
            return list(rows)

    async def subject(self, who):
        async with self.database.read() as session:
            member = await identity.member_by_username(session, who)
        assert member is not None
        unit = member.organisation
        return Subject("person", member.account.id, who, unit.id, unit.name, unit.region_code, unit.level, member.roles)


@pytest.fixture
async def city(database):
    units = await helpers.seed(database)
    rows: list[dict[str, object]] = [
        {
            "organisation_id": units["culture-tourism"],
            "region_code": "341502",
            "sharing_class": "none" if number == 4 else "conditional",
            "sensitive": number == 1,
        }
        for number in range(5)
    ]
    await helpers.cameras(database, rows)
    clients = {}
    app = helpers.application(database, door)
    for name, (role, unit) in ROLES.items():
        await helpers.account(database, name, role, organisation=unit)
        clients[name] = helpers.client(app, await helpers.token_of(database, name))
    clients["nobody"] = helpers.client(app)
    async with database.read() as session:
        codes = list(await session.scalars(text("SELECT code FROM registry.camera ORDER BY id")))
    yield City(database, clients, units, codes)
    for client in clients.values():
        await client.aclose()


async def test_the_story_from_asking_to_revoking(city):
    request = await city.submitted()
    assert (request["state"], request["number"][:2]) == ("consult", "R-")
    assert request["effect"]["sensitive"] == 1
    assert "2 个账号" in request["effect"]["summary"]["zh"]
    assert request["effect"]["becomes_visible_to"]["people"] == 2
    todo = await city.ask("shuju", "GET", "/share-requests?todo=true")
    assert [item["id"] for item in todo["items"]] == [request["id"]]
    assert todo["items"][0]["allowed_actions"] == ["consult"]
    assert (await city.ask("jingcha", "GET", "/share-requests?todo=true"))["items"] == []
    agreed = {"stage": "consult", "outcome": "agreed", "comment": "同意"}
    await city.ask("shuju", "POST", f"/share-requests/{request['id']}/decisions", json=agreed)
    assert not (await city.may(0)).allowed
    decided = await city.decided(request, city.approve(0), city.refuse(1))
    assert decided["state"] == "partly_approved"
    by_code = {camera["code"]: camera for camera in decided["cameras"]}
    assert by_code[city.codes[0]]["outcome"] == "approved"
    assert by_code[city.codes[0]]["already"]["number"] == decided["grants"][0]["number"]
    assert by_code[city.codes[1]]["reason"] == "敏感场所点位，不宜共享"
    allowed = await city.may(0)
    assert (allowed.allowed, allowed.basis, allowed.limits["grant_number"]) == (
        True,
        "grant",
        decided["grants"][0]["number"],
    )
    assert not (await city.may(1)).allowed
    assert not (await city.may(0, Action.PTZ)).allowed
    assert not (await city.may(0, who="xianban")).allowed

    grant = (await city.ask("jingcha", "GET", "/grants?state=in_force"))["items"][0]
    assert (grant["allowed_actions"], grant["cameras_count"]) == (["revoke"], 1)
    detail = await city.ask("zhiban", "GET", f"/grants/{grant['id']}")
    assert (detail["cameras"][0]["actions"], detail["people"]) == (["see", "live"], 2)
    await city.ask("jingcha", "POST", f"/grants/{grant['id']}/revoke", 422, {"reason": " "})
    revoked = await city.ask("jingcha", "POST", f"/grants/{grant['id']}/revoke", json={"reason": "演练结束"})
    assert (revoked["state"], revoked["allowed_actions"], revoked["end_reason"]) == ("revoked", [], "演练结束")
    assert not (await city.may(0)).allowed
    await city.ask("jingcha", "POST", f"/grants/{grant['id']}/revoke", 409, {"reason": "再次"})
    async with city.database.read() as session:
        told = await session.scalar(text("SELECT end_reason FROM access.right WHERE basis = 'grant'"))
    assert told is not None
    assert "被市公安局撤销：演练结束" in told
    assert await city.log() == [
        "sharing.request.created",
        "sharing.request.submitted",
        "sharing.request.consulted",
        "sharing.decision.made",
        "sharing.camera.refused",
        "sharing.grant.opened",
        "sharing.grant.revoked",
    ]


async def test_nobody_decides_their_own_case_or_out_of_turn(city):
    own = await city.submitted("jingcha-asks")
    await city.ask(
        "shuju", "POST", f"/share-requests/{own['id']}/decisions", json={"stage": "consult", "outcome": "agreed"}
    )
    body = {"stage": "approve", "items": [city.approve(0), city.approve(1)]}
    refused = await city.ask("jingcha", "POST", f"/share-requests/{own['id']}/decisions", 403, body)
    assert "本单位" in refused["detail"]
    request = await city.submitted()
    path = f"/share-requests/{request['id']}/decisions"
    assert (await city.ask("jingcha", "POST", path, 409, body))["code"] == "wrong_state"
    await city.ask("shuju", "POST", path, 403, body)
    await city.ask("yingji", "POST", path, 403, body)
    county = await city.submitted("xianban")
    await city.ask(
        "shuju", "POST", f"/share-requests/{county['id']}/decisions", 403, {"stage": "consult", "outcome": "agreed"}
    )


async def test_a_decision_covers_every_camera_once_and_refuses_with_a_reason(city):
    request = await city.consulted()
    for items in (
        [city.approve(0)],
        [city.approve(0), city.approve(0)],
        [city.approve(0), city.approve(1), city.approve(2)],
        [city.approve(0), city.refuse(1, "")],
        [city.approve(0), {**city.approve(1), "outcome": "narrowed"}],
        [city.approve(0), {**city.approve(1), "outcome": "narrowed", "narrow": {"actions": ["live", "ptz"]}}],
    ):
        assert (await city.decided(request, *items, status=422))["errors"]
    assert (await city.ask("yingji", "GET", "/grants"))["items"] == []
    refused = await city.decided(request, city.refuse(0), city.refuse(1))
    assert (refused["state"], refused["grants"]) == ("refused", [])


async def test_narrowed_cameras_have_their_own_terms(city):
    request = await city.consulted("yingji", 0, 1, 2, actions=["live", "playback"])
    soon = clock.now() + timedelta(days=1)
    narrowed = {**city.approve(1), "outcome": "narrowed", "narrow": {"actions": ["live"], "valid_to": soon.isoformat()}}
    decided = await city.decided(request, city.approve(0), narrowed, city.approve(2))
    assert decided["state"] == "partly_approved"
    grant = await city.ask("yingji", "GET", f"/grants/{decided['grants'][0]['id']}")
    assert [camera["actions"] for camera in grant["cameras"]] == [
        ["see", "live", "playback"],
        ["see", "live"],
        ["see", "live", "playback"],
    ]
    assert (await city.may(0, Action.PLAYBACK)).allowed
    assert not (await city.may(1, Action.PLAYBACK)).allowed
    later = soon + timedelta(hours=1)
    assert (await city.may(0, at=later)).allowed
    assert not (await city.may(1, at=later)).allowed
    async with city.database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM access.right WHERE basis = 'grant'")) == 2


async def test_an_objection_must_be_answered(city):
    request = await city.consulted(outcome="objected", comment="超出职责")
    items = [city.approve(0), city.approve(1)]
    assert (await city.decided(request, *items, status=422))["errors"][0]["field"] == "comment"
    decided = await city.decided(request, *items, comment="汛期急需，已电话核实")
    assert decided["state"] == "approved"
    assert [step["outcome"] for step in decided["decisions"]] == ["objected", "approved"]


async def test_silence_is_never_agreement(city):
    """A decision that says nothing decides nothing, in both stages."""
    request = await city.submitted()
    path = f"/share-requests/{request['id']}/decisions"
    silent = await city.ask("shuju", "POST", path, 422, {"stage": "consult"})
    assert [error["field"] for error in silent["errors"]] == ["outcome"]
    partly = await city.ask("shuju", "POST", path, 422, {"stage": "consult", "items": [city.approve(0)]})
    assert city.codes[1] in partly["errors"][0]["message"]
    whole = await city.ask(
        "shuju", "POST", path, json={"stage": "consult", "items": [city.approve(0), city.approve(1)]}
    )
    assert whole["decisions"][0]["outcome"] == "agreed"
    for body in ({}, {"items": []}, {"outcome": "agreed"}, {"outcome": "objected", "items": [city.approve(0)]}):
        await city.ask("jingcha", "POST", path, 422, {"stage": "approve", **body})
    assert not (await city.may(0)).allowed
    refusing = await city.submitted()
    path = f"/share-requests/{refusing['id']}/decisions"
    body = {"stage": "consult", "items": [city.approve(0), city.refuse(1)], "comment": "第二台不宜"}
    assert (await city.ask("shuju", "POST", path, json=body))["decisions"][0]["outcome"] == "objected"


async def test_sending_back_changing_and_sending_again(city):
    request = await city.consulted()
    path = f"/share-requests/{request['id']}"
    body = {"stage": "approve", "outcome": "sent_back", "comment": "期限过长"}
    back = await city.ask("jingcha", "POST", path + "/decisions", json=body)
    assert back["state"] == "sent_back"
    mine = await city.ask("yingji", "GET", "/share-requests?todo=true")
    assert set(mine["items"][0]["allowed_actions"]) == {"change", "submit", "withdraw"}
    version = mine["items"][0]["version"]
    change = {"valid_to": (clock.now() + timedelta(days=5)).isoformat(), "cameras": [city.codes[0]]}
    await city.ask("yingji", "PATCH", path, 412, change, **{"If-Match": f'"{version - 1}"'})
    changed = await city.ask("yingji", "PATCH", path, json=change, **{"If-Match": f'"{version}"'})
    assert len(changed["cameras"]) == 1
    await city.ask("yingji", "POST", path + "/submit")
    await city.ask("shuju", "POST", path + "/decisions", json={"stage": "consult", "outcome": "agreed"})
    decided = await city.decided(request, city.approve(0))
    assert [step["round"] for step in decided["decisions"]] == [1, 1, 2, 2]


async def test_who_may_read_what(city):
    draft = await city.ask("yingji", "POST", "/share-requests", 201, city.body())
    path = f"/share-requests/{draft['id']}"
    for stranger in ("wenlv", "xianban", "shuju", "jingcha", "shenji"):
        await city.ask(stranger, "GET", path, 404)
    await city.ask("zhiban", "GET", path)
    await city.ask("nobody", "GET", path, 401)
    await city.ask("yingji", "POST", path + "/submit")
    for reader in ("shuju", "jingcha", "shenji"):
        assert (await city.ask(reader, "GET", path))["number"] == draft["number"]
        assert len((await city.ask(reader, "GET", "/share-requests"))["items"]) == 1
    for stranger in ("wenlv", "xianban"):
        await city.ask(stranger, "GET", path, 404)
        assert (await city.ask(stranger, "GET", "/share-requests"))["items"] == []
    await city.ask("wenlv", "POST", path + "/withdraw", 404)
    withdrawn = await city.ask("yingji", "POST", path + "/withdraw")
    assert (withdrawn["state"], withdrawn["allowed_actions"]) == ("withdrawn", [])


async def test_cameras_outside_the_catalogue_cannot_be_asked_for(city):
    hidden = await city.ask("yingji", "POST", "/share-requests", 422, city.body(0, 4))
    assert (hidden["code"], hidden["errors"][0]["code"]) == ("unknown_camera", "unknown_camera")
    city.codes.append("34150200001329999999")
    absent = await city.ask("yingji", "POST", "/share-requests", 422, city.body(0, 5))
    assert absent["errors"][0]["message"].replace(city.codes[5], "") == hidden["errors"][0]["message"].replace(
        city.codes[4], ""
    )
    wrong = await city.ask("yingji", "POST", "/share-requests", 422, city.body(purpose=" ", legal_basis=""))
    assert {error["field"] for error in wrong["errors"]} == {"purpose", "legal_basis"}
    await city.ask("zhiban", "POST", "/share-requests", 403, city.body())


async def test_posting_twice_with_one_key_makes_one_request(city):
    body = city.body()
    key = {"Idempotency-Key": "key-00000001"}
    first = await city.ask("yingji", "POST", "/share-requests", 201, body, **key)
    again = await city.ask("yingji", "POST", "/share-requests", 201, body, **key)
    assert first == again
    other = await city.ask("yingji", "POST", "/share-requests", 409, {**body, "title": "别的"}, **key)
    assert other["code"] == "idempotency_key_reused"
    assert len((await city.ask("yingji", "GET", "/share-requests?mine=true"))["items"]) == 1


async def test_a_grant_can_be_given_back_and_expires_in_the_books(city):
    request = await city.consulted()
    grant = (await city.decided(request, city.approve(0), city.approve(1)))["grants"][0]
    await city.ask("wenlv", "POST", f"/grants/{grant['id']}/revoke", 404, {"reason": "不行"})
    back = await city.ask("yingji", "POST", f"/grants/{grant['id']}/revoke", json={"reason": "任务完成"})
    assert back["state"] == "revoked"
    request = await city.consulted()
    await city.decided(request, city.approve(0), city.approve(1))
    async with city.database.unit() as uow:
        await uow.session.execute(text("UPDATE sharing.grant SET valid_to = now() - interval '1 second' WHERE id = 2"))
    assert [g["state"] for g in (await city.ask("yingji", "GET", "/grants"))["items"]] == ["expired", "revoked"]
    assert len((await city.ask("yingji", "GET", "/grants?state=expired"))["items"]) == 1
    assert (await city.ask("yingji", "GET", "/grants?state=in_force"))["items"] == []
    for expected in (1, 0):
        async with city.database.unit() as uow:
            assert await grants.expire(uow) == expected
    assert (await city.log())[-1] == "sharing.grant.expired"


async def test_the_camera_page_says_who_may_see_it(city):
    request = await city.consulted()
    grant = (await city.decided(request, city.approve(0), city.refuse(1)))["grants"][0]
    path = f"/cameras/{city.codes[0]}/access"
    shown = await city.ask("wenlv", "GET", path)
    assert [(item["basis"], item["grant_number"]) for item in shown["items"]] == [("grant", grant["number"])]
    await city.ask("jingcha", "GET", path)
    await city.ask("shenji", "GET", path)
    await city.ask("yingji", "GET", path, 403)
    await city.ask("yingji", "GET", f"/cameras/{city.codes[4]}/access", 404)
    from gongshi.registry.models import Camera

    async with city.database.read() as session:
        camera = await session.get(Camera, 1)
        assert camera is not None
        owner = await sections.decided(session, camera, await city.subject("wenlv"))
        grantee = await sections.decided(session, camera, await city.subject("zhiban"))
        stranger = await sections.decided(session, camera, await city.subject("xianban"))
    assert owner is not None
    assert grantee is not None
    assert [unit["name"] for unit in owner["shared_with"]] == ["市应急管理局"]
    assert grantee["grants"][0]["number"] == grant["number"]
    assert grantee["open_requests"] is None
    assert stranger is None


async def test_the_overview_counts_what_waits(city):
    await city.submitted()
    async with city.database.read() as session:
        needs = {who: await overview.needs(session, await city.subject(who)) for who in ("shuju", "jingcha", "yingji")}
    assert [(need.key, need.count) for need in needs["shuju"]] == [("sharing.consult", 1)]
    assert needs["jingcha"] == []
    assert needs["yingji"] == []


async def test_two_decisions_at_once_make_one_grant(city):
    import asyncio

    request = await city.consulted()
    body = {"stage": "approve", "items": [city.approve(0), city.approve(1)], "comment": ""}
    path = f"/api/v1/share-requests/{request['id']}/decisions"
    answers = await asyncio.gather(*(city.clients["jingcha"].post(path, json=body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert len((await city.ask("jingcha", "GET", "/grants"))["items"]) == 1
