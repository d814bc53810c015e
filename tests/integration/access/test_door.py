"""The door itself: what is checked, in which order, and before anything of the body is read."""

from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, File, Response, UploadFile
from sqlalchemy import select

from gongshi.access.door import (
    PUBLIC,
    SIGNED_IN,
    Caller,
    Door,
    Thing,
    UndeclaredRouteError,
    check_routes,
    check_version,
    etag,
    route_matrix,
)
from gongshi.access.subjects import Subject
from gongshi.audit.models import Entry
from gongshi.audit.service import record
from gongshi.db import Database
from integration.access.helpers import account, application, client, seed, token_of

door = Door(prefix="/api/v1/things", tag="things")


@door.get("/public", permission=PUBLIC, summary="Open")
async def public(caller: Caller) -> dict[str, object]:
    return {"lang": caller.lang, "id": caller.request_id, "signed_in": caller.signed_in, "kind": caller.actor.kind}


@door.get("/mine", permission=SIGNED_IN, summary="Any login")
async def mine(caller: Caller) -> dict[str, object]:
    return {"name": caller.subject.name, "organisation": caller.subject.organisation_name}


@door.post("/upload", permission="inventory.filing.create", summary="A file")
async def upload(file: Annotated[UploadFile, File()], caller: Caller) -> dict[str, int]:
    return {"size": len(await file.read())}


@door.get("/requests/{organisation}", permission="sharing.request.see", summary="Object rules")
async def request_of(organisation: int, caller: Caller) -> dict[str, bool]:
    thing = Thing(organisation_id=organisation, region_code="341500", level="city", created_by=999)
    caller.permit("sharing.request.see", thing)
    caller.permit("sharing.request.submit", thing)
    return {"ok": True}


@door.patch("/versioned", permission=SIGNED_IN, summary="Lost updates")
async def versioned(caller: Caller, response: Response) -> None:
    check_version(caller, 7)
    response.headers["ETag"] = etag(8)


@door.post("/written", permission=SIGNED_IN, summary="In the caller's name")
async def written(caller: Caller) -> None:
    async with caller.unit() as uow:
        await record(uow, "access.thing.tried")


@pytest.fixture
async def units(database: Database) -> dict[str, int]:
    units = await seed(database)
    for username, role in (("wenlv", "agency_contact"), ("yingji", "viewer"), ("shenji", "auditor")):
        await account(database, username, role)
    await account(database, "newbie", "viewer", demo=False)
    return units


@pytest.fixture
def app(database: Database, units: dict[str, int]) -> FastAPI:
    return application(database, door)


@pytest.fixture
async def wenlv(app: FastAPI, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app, await token_of(database, "wenlv")) as opened:
        yield opened


def test_a_route_without_a_known_permission_cannot_be_made() -> None:
    with pytest.raises(UndeclaredRouteError, match=r"sharing\.request\.aprove"):
        Door(prefix="/x", tag="x").get("/", permission="sharing.request.aprove")
    with pytest.raises(TypeError):
        Door(prefix="/x", tag="x").get("/")  # pyright: ignore[reportCallIssue] -- the fault under test


def test_an_application_with_any_other_route_does_not_start() -> None:
    from fastapi.staticfiles import StaticFiles
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route, WebSocketRoute

    def bare() -> FastAPI:
        return FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    good = bare()
    door.mount(good)
    check_routes(good)

    plain, mounted, starlette, socket, included = (bare() for _ in range(5))
    plain.get("/open")(lambda: "hello")
    mounted.mount("/files", StaticFiles(directory="/", check_dir=False))
    starlette.router.routes.append(Route("/raw", PlainTextResponse("x")))

    async def talk(_: object) -> None: ...

    socket.router.routes.append(WebSocketRoute("/ws", talk))
    from fastapi import APIRouter

    inner = APIRouter()
    inner.get("/inner")(lambda: "hello")
    outer = APIRouter(prefix="/outer")
    outer.include_router(inner)
    included.include_router(outer)
    for wrong in (plain, mounted, starlette, socket, included, FastAPI()):
        with pytest.raises(UndeclaredRouteError):
            check_routes(wrong)
    check_routes(mounted, allowed=["/files"])


def test_the_matrix_names_every_route(app: FastAPI) -> None:
    found = {(rule.method, rule.path): rule for rule in route_matrix(app)}

    assert found["POST", "/api/v1/things/upload"].permission == "inventory.filing.create"
    assert "viewer" not in (found["POST", "/api/v1/things/upload"].roles or set())
    assert found["GET", "/api/v1/things/mine"].roles is None
    assert len(found) == 6


async def test_a_strangers_upload_is_not_even_read(app: FastAPI) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        for _ in range(1000):
            read += 1
            yield b"x" * 10_000

    async with client(app) as stranger:
        answer = await stranger.post(
            "/api/v1/things/upload", content=body(), headers={"Content-Type": "multipart/form-data; boundary=b"}
        )
    assert answer.status_code == 401
    assert read < 1000


async def test_roles_open_routes_and_refusals_are_logged_once(
    app: FastAPI, database: Database, wenlv: httpx.AsyncClient
) -> None:
    files = {"file": ("a.xlsx", b"12345")}
    assert (await wenlv.post("/api/v1/things/upload", files=files)).json() == {"size": 5}
    async with client(app, await token_of(database, "yingji")) as yingji:
        for _ in range(3):
            answer = await yingji.post("/api/v1/things/upload", files=files)
            assert (answer.status_code, answer.json()["code"]) == (403, "no_permission")
    async with database.read() as session:
        entries = (await session.scalars(select(Entry).where(Entry.action == "access.denied"))).all()
    assert len(entries) == 1
    assert entries[0].actor_name == "Yingji"
    assert "inventory.filing.create" in entries[0].detail


async def test_object_rules_answer_not_found_or_forbidden(
    app: FastAPI, database: Database, units: dict[str, int], wenlv: httpx.AsyncClient
) -> None:
    own, other = units["culture-tourism"], units["emergency"]
    assert (await wenlv.get(f"/api/v1/things/requests/{own}")).json() == {"ok": True}
    assert (await wenlv.get(f"/api/v1/things/requests/{other}")).status_code == 404
    async with client(app, await token_of(database, "yingji")) as yingji:
        seen = await yingji.get(f"/api/v1/things/requests/{other}")
        assert (seen.status_code, seen.json()["code"]) == (403, "forbidden")
    async with database.read() as session:
        entries = (await session.scalars(select(Entry).where(Entry.action == "access.denied"))).all()
    assert len(entries) == 2


async def test_versions_guard_against_lost_updates(wenlv: httpx.AsyncClient) -> None:
    async def change(match: str | None) -> int:
        headers = {} if match is None else {"If-Match": match}
        return (await wenlv.patch("/api/v1/things/versioned", headers=headers)).status_code

    tries = (None, "*", '"7"', 'W/"7"', '"6", "7"', '"6"', "junk")
    assert [await change(match) for match in tries] == [200, 200, 200, 200, 200, 412, 412]


@pytest.mark.parametrize(
    ("query", "cookie", "header", "lang"),
    [
        ("", None, None, "zh"),
        ("", None, "en-GB,en;q=0.9,zh;q=0.1", "en"),
        ("", "zh", "en", "zh"),
        ("?lang=en", "zh", "zh", "en"),
        ("?lang=xx", "en", "zh", "en"),
    ],
)
async def test_the_language_is_chosen_by_address_then_cookie_then_header(
    app: FastAPI, query: str, cookie: str | None, header: str | None, lang: str
) -> None:
    async with client(app) as anyone:
        if cookie:
            anyone.cookies.set("gongshi_lang", cookie)
        headers = {"Accept-Language": header} if header else {}
        answer = await anyone.get(f"/api/v1/things/public{query}", headers=headers)
    assert answer.json()["lang"] == lang


@pytest.mark.parametrize(
    ("sent", "kept"), [("abcDEF-123.4_5", True), ("short", False), ("x" * 65, False), ("a b c d e", False)]
)
async def test_a_well_formed_request_id_is_kept(app: FastAPI, sent: str, kept: bool) -> None:
    async with client(app) as anyone:
        answer = await anyone.get("/api/v1/things/public", headers={"X-Request-Id": sent})
    assert (answer.headers["x-request-id"] == sent) is kept
    assert answer.json()["id"] == answer.headers["x-request-id"]
    assert answer.json()["signed_in"] is False


async def test_what_is_written_carries_person_address_and_request(wenlv: httpx.AsyncClient, database: Database) -> None:
    await wenlv.post("/api/v1/things/written", headers={"X-Request-Id": "request-0001"})
    async with database.read() as session:
        entry = (await session.scalars(select(Entry).where(Entry.action == "access.thing.tried"))).one()
    assert (entry.actor_name, entry.organisation_name) == ("Wenlv", "市文化和旅游局")
    assert (entry.address, entry.request_id) == ("10.0.0.9", "request-0001")


async def test_a_first_password_closes_every_other_route(app: FastAPI, database: Database) -> None:
    async with client(app, await token_of(database, "newbie")) as newbie:
        answer = await newbie.get("/api/v1/things/mine")
    assert (answer.status_code, answer.json()["code"]) == (403, "must_change_password")


async def test_a_database_that_is_down_is_said_so() -> None:
    gone = Database("postgresql://nobody:nothing@127.0.0.1:1/none", pool_size=1)
    try:
        async with client(application(gone, door), "gsl_x") as anyone:
            answer = await anyone.get("/api/v1/things/mine")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert answer.headers["retry-after"] == "5"
    finally:
        await gone.close()


def test_a_subject_is_named_in_the_log_as_it_was() -> None:
    actor = Subject("upper", 4, "省平台").actor("10.9.9.9")
    assert (actor.kind, actor.id, actor.name, actor.address) == ("upper", 4, "省平台", "10.9.9.9")
