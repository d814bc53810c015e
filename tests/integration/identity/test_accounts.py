"""Three administrators apart (S-13): who may open, change and close whose account."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
import pytest

from gongshi.db import Database
from gongshi.identity.api import door
from integration.access.helpers import PASSWORD, account, application, client, seed, token_of

As = Callable[[str], Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def acting(database: Database) -> AsyncIterator[As]:
    """Clients by username; the three administrators exist."""
    await seed(database)
    for name, role in (("guanli", "system_admin"), ("anquan", "security_admin"), ("shenjiguanli", "audit_admin")):
        await account(database, name, role)
    app = application(database, door)
    async with AsyncExitStack() as stack:

        async def opened(username: str) -> httpx.AsyncClient:
            return await stack.enter_async_context(client(app, await token_of(database, username)))

        yield opened


async def create(who: httpx.AsyncClient, username: str, organisation: str, *roles: str) -> httpx.Response:
    body = {"username": username, "display_name": "李四", "organisation": organisation, "roles": list(roles)}
    return await who.post("/api/v1/accounts", json=body)


def codes(answer: httpx.Response) -> list[str]:
    body = answer.json()
    return [error["code"] for error in body["errors"]] if "errors" in body else [body["code"]]


async def test_the_system_administrator_opens_business_accounts_only(acting: As) -> None:
    guanli = await acting("guanli")

    made = await create(guanli, "zhiban", "emergency", "viewer")
    assert made.status_code == 201, made.text
    assert made.json()["account"]["must_change"] is True
    assert made.json()["account"]["allowed_actions"] == ["change", "disable", "reset_password"]
    for role in ("auditor", "audit_admin", "security_admin", "system_admin"):
        refused = await create(guanli, "evil", "emergency", role)
        assert (refused.status_code, codes(refused)) == (422, ["not_yours"]), role
    assert codes(await create(guanli, "zhiban", "emergency", "viewer")) == ["username_taken"]
    assert codes(await create(guanli, "p", "emergency", "viewer")) == ["shape"]
    assert codes(await create(guanli, "pol", "emergency", "police_officer")) == ["wrong_organisation"]
    assert codes(await create(guanli, "pol", "nowhere", "viewer")) == ["unknown"]
    assert codes(await create(guanli, "pol", "emergency", "king")) == ["unknown_role"]
    for name in ("anquan", "shenjiguanli"):
        assert (await create(await acting(name), "evil", "emergency", "viewer")).status_code == 403


async def test_the_one_time_password_works_once_changed(acting: As) -> None:
    guanli = await acting("guanli")
    made = (await create(guanli, "zhiban", "emergency", "viewer")).json()
    entered = await guanli.post("/api/v1/login", json={"username": "zhiban", "password": made["password"]})

    assert entered.status_code == 200
    assert entered.json()["account"]["must_change"] is True


async def test_auditors_are_made_by_the_audit_administrator_from_an_account_without_roles(acting: As) -> None:
    guanli, anquan, shenjiguanli = [await acting(name) for name in ("guanli", "anquan", "shenjiguanli")]
    new = (await create(guanli, "shenji", "cyberspace")).json()["account"]["id"]

    refused = await anquan.patch(f"/api/v1/accounts/{new}", json={"roles": ["auditor"]})
    assert codes(refused) == ["not_yours"]
    done = await shenjiguanli.patch(f"/api/v1/accounts/{new}", json={"roles": ["auditor"]})
    assert (done.status_code, done.json()["roles"]) == (200, ["auditor"])

    for intruder in (guanli, anquan):
        for change in ({"roles": []}, {"disabled": True}, {"display_name": "王五"}):
            answer = await intruder.patch(f"/api/v1/accounts/{new}", json=change)
            assert (answer.status_code, codes(answer)) == (403, ["other_administrator"])
        reset = await intruder.post(f"/api/v1/accounts/{new}/reset-password")
        assert codes(reset) == ["other_administrator"], "a reset would be a take-over"


async def test_nobody_changes_their_own_account(acting: As, database: Database) -> None:
    anquan = await acting("anquan")
    own = (await anquan.get("/api/v1/me")).json()["id"]

    answer = await anquan.patch(f"/api/v1/accounts/{own}", json={"roles": ["security_admin", "system_admin"]})
    assert (answer.status_code, codes(answer)) == (403, ["own_account"])
    assert codes(await anquan.post(f"/api/v1/accounts/{own}/reset-password")) == ["own_account"]


async def test_roles_that_exclude_each_other_do_not_meet(acting: As, database: Database) -> None:
    anquan = await acting("anquan")
    wenlv_id = await account(database, "wenlv", "agency_contact")

    answer = await anquan.patch(f"/api/v1/accounts/{wenlv_id}", json={"roles": ["agency_contact", "system_admin"]})
    assert codes(answer) == ["conflict"]
    both = await anquan.patch(f"/api/v1/accounts/{wenlv_id}", json={"roles": ["agency_contact", "viewer"]})
    assert both.json()["roles"] == ["agency_contact", "viewer"]


async def test_losing_a_role_or_the_account_ends_its_logins(acting: As, database: Database) -> None:
    guanli = await acting("guanli")
    wenlv_id = await account(database, "wenlv", "agency_contact")

    async def change(**changes: object) -> None:
        assert (await guanli.patch(f"/api/v1/accounts/{wenlv_id}", json=changes)).status_code == 200

    wenlv = await acting("wenlv")
    await change(roles=["agency_contact", "viewer"])
    assert (await wenlv.get("/api/v1/me")).status_code == 200, "a gain ends nothing"
    await change(roles=["viewer"])
    assert (await wenlv.get("/api/v1/me")).status_code == 401
    wenlv = await acting("wenlv")
    await change(disabled=True)
    assert (await wenlv.get("/api/v1/me")).status_code == 401
    await change(disabled=False)
    assert (await wenlv.get("/api/v1/me")).status_code == 401, "and a reopened account brings none back"


async def test_a_reset_ends_logins_and_lifts_the_lock(acting: As, database: Database) -> None:
    guanli = await acting("guanli")
    wenlv_id = await account(database, "wenlv", "agency_contact")
    wenlv = await acting("wenlv")
    for _ in range(5):
        await guanli.post("/api/v1/login", json={"username": "wenlv", "password": "wrong-guess-1"})

    reset = await guanli.post(f"/api/v1/accounts/{wenlv_id}/reset-password")
    assert reset.status_code == 200
    assert (await wenlv.get("/api/v1/me")).status_code == 401

    async def enter(password: str) -> int:
        return (await guanli.post("/api/v1/login", json={"username": "wenlv", "password": password})).status_code

    assert await enter(reset.json()["password"]) == 200
    assert await enter(PASSWORD) == 401


async def test_the_last_administrator_of_a_kind_stays(acting: As, database: Database) -> None:
    anquan = await acting("anquan")
    guanli = (await (await acting("guanli")).get("/api/v1/me")).json()["id"]

    answer = await anquan.patch(f"/api/v1/accounts/{guanli}", json={"disabled": True})
    assert (answer.status_code, codes(answer)) == (409, ["last_administrator"])
    await account(database, "guanli2", "system_admin")
    assert (await anquan.patch(f"/api/v1/accounts/{guanli}", json={"disabled": True})).status_code == 200


async def test_lists_page_and_filter(acting: As, database: Database) -> None:
    guanli = await acting("guanli")
    for number in range(5):
        await account(database, f"viewer{number}", "viewer")

    seen: list[str] = []
    cursor: str | None = None
    for _ in range(20):
        params = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await guanli.get("/api/v1/accounts", params=params)).json()
        seen += [item["username"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(seen)
    assert len(seen) == 8
    only = (await guanli.get("/api/v1/accounts", params={"organisation": "emergency"})).json()["items"]
    assert [item["username"] for item in only] == [f"viewer{number}" for number in range(5)]
    assert (await guanli.get("/api/v1/accounts", params={"q": "%"})).json()["items"] == []
    assert (await guanli.get("/api/v1/accounts", params={"q": "_iewer3"})).json()["items"] == []
    assert len((await guanli.get("/api/v1/accounts", params={"q": "iewer3"})).json()["items"]) == 1
    assert (await guanli.get("/api/v1/accounts", params={"q": "a\x00b"})).status_code == 400
    assert (await guanli.get("/api/v1/accounts", params={"cursor": "junk"})).status_code == 400
    assert (await guanli.get("/api/v1/accounts/99999999999999")).status_code in {404, 405}
    missing = await guanli.patch("/api/v1/accounts/2147483647", json={"disabled": True})
    assert missing.status_code == 404
    assert (await guanli.patch("/api/v1/accounts/2147483648", json={"disabled": True})).status_code == 422


async def test_roles_are_told_in_the_callers_language_with_what_they_may_give(acting: As) -> None:
    anquan = await acting("anquan")

    zh = {role["code"]: role for role in (await anquan.get("/api/v1/roles")).json()}
    en = {role["code"]: role for role in (await anquan.get("/api/v1/roles?lang=en")).json()}
    assert zh["auditor"]["name"] == "审计员"
    assert en["auditor"]["name"] == "Auditor"
    assert [zh[code]["givable"] for code in ("auditor", "system_admin", "viewer")] == [False, True, True]
