"""Logging in against a real database: what is refused, what is kept, and that nothing secret is written."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text, update

from gongshi.audit.models import Entry
from gongshi.db import Database
from gongshi.identity import service
from gongshi.identity.api import door
from gongshi.identity.models import Account, Attempt, Login
from gongshi.kit import clock
from integration.access.helpers import PASSWORD, account, application, client, seed

WRONG = "three-Quiet-rivers-28"


@pytest.fixture
async def app(database: Database) -> FastAPI:
    await seed(database)
    await account(database, "wenlv", "agency_contact")
    return application(database, door)


@pytest.fixture
async def anyone(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app) as opened:
        yield opened


async def log_in(anyone: httpx.AsyncClient, username: str = "wenlv", password: str = PASSWORD) -> httpx.Response:
    return await anyone.post("/api/v1/login", json={"username": username, "password": password})


async def test_the_answer_carries_token_cookie_and_account(anyone: httpx.AsyncClient) -> None:
    answer = await log_in(anyone, " WenLv ")

    assert answer.status_code == 200, answer.text
    body = answer.json()
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert body["account"]["organisation"]["code"] == "culture-tourism"
    assert "inventory.filing.create" in body["account"]["permissions"]
    assert "audit.entry.see" not in body["account"]["permissions"]
    assert body["expires_at"].endswith("+08:00")
    assert answer.headers["cache-control"] == "no-store"
    me = await anyone.get("/api/v1/me", headers={"Authorization": f"Bearer {body['token']}"})
    assert me.json()["username"] == "wenlv"
    assert (await anyone.get("/api/v1/me")).status_code == 200, "the cookie alone is enough to read"


async def test_five_failures_lock_for_five_minutes_and_a_restart_forgives_nothing(
    anyone: httpx.AsyncClient, database: Database, database_urls: tuple[str, str]
) -> None:
    answers = [await log_in(anyone, password=WRONG) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 429]
    assert [answer.json()["code"] for answer in answers] == ["bad_credentials"] * 4 + ["locked"]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 300

    again = Database(database_urls[0], pool_size=2)
    try:
        async with client(application(again, door)) as other:
            right = await log_in(other)
            assert (right.status_code, right.json()["code"]) == (429, "locked")
    finally:
        await again.close()

    async with database.unit() as uow:
        await uow.session.execute(update(Account).values(locked_until=clock.now() - timedelta(seconds=1)))
    assert (await log_in(anyone)).status_code == 200
    assert (await log_in(anyone, password=WRONG)).status_code == 401, "the count began again"


async def test_a_name_without_account_meets_the_same_answers(anyone: httpx.AsyncClient) -> None:
    def seen(answer: httpx.Response) -> tuple[int, dict[str, object]]:
        body = answer.json()
        return answer.status_code, {key: body[key] for key in ("code", "title", "status")}

    real = [seen(await log_in(anyone, password=WRONG)) for _ in range(7)]
    nobody = [seen(await log_in(anyone, "nobody", WRONG)) for _ in range(7)]
    assert real == nobody


async def test_guesses_at_the_same_time_count_one_by_one(anyone: httpx.AsyncClient, database: Database) -> None:
    answers = await asyncio.gather(*(log_in(anyone, password=WRONG) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [401] * 4 + [429] * 4
    async with database.read() as session:
        assert len((await session.scalars(select(Attempt))).all()) == 5
        locks = await session.scalars(select(Entry).where(Entry.action == "identity.account.locked"))
        assert len(locks.all()) == 1


async def test_an_address_that_fails_too_often_is_turned_away(app: FastAPI, database: Database) -> None:
    async with database.unit() as uow:
        uow.session.add_all(
            [Attempt(username="x", address="10.6.6.6", at=clock.now()) for _ in range(service.ADDRESS_FAILURES)]
        )
    async with client(app, address="10.6.6.6") as bad, client(app, address="10.6.6.7") as good:
        refused = await log_in(bad)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
        assert int(refused.headers["retry-after"]) > 0
        assert (await log_in(good)).status_code == 200


async def test_dead_logins_open_nothing(anyone: httpx.AsyncClient, database: Database) -> None:
    async def alive(token: str) -> int:
        anyone.cookies.clear()
        return (await anyone.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})).status_code

    tokens = [(await log_in(anyone)).json()["token"] for _ in range(2)]
    assert [await alive(token) for token in tokens] == [200, 200]
    bearer = {"Authorization": f"Bearer {tokens[0]}"}
    assert (await anyone.post("/api/v1/logout", headers=bearer)).status_code == 204
    assert [await alive(token) for token in tokens] == [401, 200]

    async with database.unit() as uow:
        await uow.session.execute(update(Login).values(expires_at=clock.now() - timedelta(microseconds=1)))
    assert await alive(tokens[1]) == 401

    fresh = (await log_in(anyone)).json()["token"]
    async with database.unit() as uow:
        await uow.session.execute(update(Account).values(disabled_at=clock.now()))
    assert await alive(fresh) == 401
    disabled = await log_in(anyone)
    assert (disabled.status_code, disabled.json()["code"]) == (401, "bad_credentials")


@pytest.mark.parametrize("token", ["gsl_", "x" * 5000, "gsl_ümlaut", "null", "..."])
async def test_invented_tokens_are_nobody(anyone: httpx.AsyncClient, token: str) -> None:
    answer = await anyone.get("/api/v1/me", headers={b"Authorization": f"Bearer {token}".encode("latin-1")})

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_a_browser_cannot_be_made_to_act_by_another_site(anyone: httpx.AsyncClient) -> None:
    await log_in(anyone)

    refused = await anyone.post("/api/v1/logout")
    assert (refused.status_code, refused.json()["code"]) == (403, "cross_site")
    assert (await anyone.get("/api/v1/me")).status_code == 200
    done = await anyone.post("/api/v1/logout", headers={"X-Requested-With": "gongshi"})
    assert done.status_code == 204
    assert (await anyone.get("/api/v1/me")).status_code == 401


async def test_the_first_password_must_be_changed_before_anything_else(app: FastAPI, database: Database) -> None:
    await account(database, "newbie", "viewer", demo=False)
    async with client(app) as one, client(app) as other:
        for window in (one, other):
            answer = await log_in(window, "newbie")
            window.cookies.clear()
            window.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        assert (await one.get("/api/v1/me")).json()["must_change"] is True
        blocked = await one.get("/api/v1/me/logins")
        assert (blocked.status_code, blocked.json()["code"]) == (403, "must_change_password")

        async def change(old: str, new: str) -> httpx.Response:
            return await one.post("/api/v1/me/password", json={"old": old, "new": new})

        assert (await change(WRONG, "five-green-hills-in-fog")).json()["errors"][0]["code"] == "wrong"
        assert (await change(PASSWORD, "short")).json()["errors"][0]["code"] == "too_short"
        assert (await change(PASSWORD, PASSWORD)).json()["errors"][0]["code"] == "same"
        assert (await change(PASSWORD, "five-green-hills-in-fog")).status_code == 204

        logins = await one.get("/api/v1/me/logins")
        assert [item["current"] for item in logins.json()["items"]] == [True]
        assert (await other.get("/api/v1/me")).status_code == 401, "the other window must log in again"
        assert (await log_in(other, "newbie")).status_code == 401
        assert (await log_in(other, "newbie", "five-green-hills-in-fog")).status_code == 200


async def test_guessing_the_old_password_locks_too(anyone: httpx.AsyncClient) -> None:
    token = (await log_in(anyone)).json()["token"]
    anyone.headers["Authorization"] = f"Bearer {token}"

    codes = [
        (await anyone.post("/api/v1/me/password", json={"old": WRONG, "new": "five-green-hills"})).status_code
        for _ in range(6)
    ]
    assert codes == [422, 422, 422, 422, 429, 429]


async def test_one_login_can_be_ended_from_another_but_never_someone_elses(
    app: FastAPI, database: Database, anyone: httpx.AsyncClient
) -> None:
    await account(database, "yingji", "viewer")
    async with client(app) as other:
        await log_in(other, "yingji")
        theirs = (await other.get("/api/v1/me/logins")).json()["items"][0]["id"]
        await log_in(anyone)
        async with client(app) as elsewhere:
            await log_in(elsewhere)
            items = (await anyone.get("/api/v1/me/logins")).json()["items"]
            mine = next(item["id"] for item in items if not item["current"])
            headers = {"X-Requested-With": "gongshi"}
            assert (await anyone.delete(f"/api/v1/me/logins/{theirs}", headers=headers)).status_code == 404
            assert (await anyone.delete(f"/api/v1/me/logins/{mine}", headers=headers)).status_code == 204
            assert (await elsewhere.get("/api/v1/me")).status_code == 401
        assert (await other.get("/api/v1/me")).status_code == 200


async def test_no_secret_reaches_the_database_or_the_log(anyone: httpx.AsyncClient, database: Database) -> None:
    typed = "my-password-in-the-name-field"
    await log_in(anyone, typed, WRONG)
    await log_in(anyone, password=WRONG)
    token = (await log_in(anyone)).json()["token"]

    async with database.read() as session:
        tables = ["identity.account", "identity.login", "identity.attempt", "audit.entry"]
        for table in tables:
            for row in await session.execute(text(f"SELECT t::text FROM {table} t")):
                for secret in (token, PASSWORD, WRONG, typed):
                    assert secret not in row[0], table
        entries = (await session.scalars(select(Entry).order_by(Entry.id))).all()
    actions = [entry.action for entry in entries if entry.action.startswith("identity.login")]
    assert actions == ["identity.login.failed", "identity.login.failed", "identity.login.succeeded"]
    assert entries[-1].actor_name == "Wenlv"
    assert entries[-1].organisation_name == "市文化和旅游局"
    assert entries[-1].address == "10.0.0.9"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": "wenlv"},
        {"username": "", "password": ""},
        {"username": "wenlv", "password": "x" * 100_000},
        {"username": "wenlv", "password": PASSWORD, "role": "auditor"},
        {"username": ["wenlv"], "password": PASSWORD},
        [],
    ],
)
async def test_ill_formed_logins_are_refused(anyone: httpx.AsyncClient, body: object) -> None:
    assert (await anyone.post("/api/v1/login", json=body)).status_code == 422


async def test_a_name_that_no_database_can_hold_is_refused(anyone: httpx.AsyncClient) -> None:
    answer = await log_in(anyone, "wen\x00lv")

    assert (answer.status_code, answer.json()["code"]) == (400, "unstorable")
