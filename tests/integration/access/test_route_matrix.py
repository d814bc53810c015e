"""Every route of the node × every role: what the table does not open is closed (design.md §6)."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from gongshi.access.door import RouteRule, route_matrix
from gongshi.access.permissions import PERMISSIONS, PUBLIC, SIGNED_IN
from gongshi.config import DatabaseSettings, Settings
from gongshi.db import Database
from gongshi.identity.roles import ROLES
from gongshi.node.app import create_app
from gongshi.node.roles.web import filled
from gongshi.node.runtime import Runtime
from integration.access.helpers import account, client, seed, token_of

PLACEHOLDERS = {"code": "34150200001310000001"}

PUBLIC_ROUTES = {
    ("POST", "/api/v1/login"),
    ("GET", "/api/v1/system/info"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
}
"""Whatever else becomes public is a decision that changes this list."""


def address_of(rule: RouteRule) -> str:
    """The path with something in every placeholder that parses and exists nowhere."""

    def fill(match: re.Match[str]) -> str:
        name = match[1].partition(":")[0]
        if name in PLACEHOLDERS:
            return PLACEHOLDERS[name]
        return "01910000-0000-7000-8000-000000000000" if "session" in rule.path or "login" in name else "2147483647"

    return re.sub(r"\{([^}]+)\}", fill, rule.path)


@pytest.fixture
async def app(database: Database, database_urls: tuple[str, str], tmp_path: Path) -> AsyncIterator[FastAPI]:
    """The node's own application with all it has in hand, except that no other process of the node runs."""
    await seed(database)
    for role in ROLES:
        await account(database, role.replace("_", "-"), role)
    settings = Settings(
        data=tmp_path / "node", database=DatabaseSettings(url=database_urls[0], owner_url=database_urls[1])
    )
    made = create_app()
    async with filled(made, Runtime.of(settings)):
        yield made


@pytest.fixture
async def callers(app: FastAPI, database: Database) -> AsyncIterator[dict[str | None, httpx.AsyncClient]]:
    """One client per role, and nobody."""
    async with AsyncExitStack() as stack:
        made: dict[str | None, httpx.AsyncClient] = {None: await stack.enter_async_context(client(app))}
        for role in ROLES:
            token = await token_of(database, role.replace("_", "-"))
            made[role] = await stack.enter_async_context(client(app, token))
        yield made


def test_what_is_public_is_a_short_list() -> None:
    public = {(rule.method, rule.path) for rule in route_matrix(create_app()) if rule.permission == PUBLIC}
    assert public <= PUBLIC_ROUTES


def test_every_permission_of_a_route_is_held_by_some_role_and_not_by_all_that_change_something() -> None:
    for rule in route_matrix(create_app()):
        if rule.permission in {PUBLIC, SIGNED_IN}:
            continue
        assert rule.roles == PERMISSIONS[rule.permission]
        assert rule.roles, rule
        if rule.method not in {"GET", "HEAD"}:
            assert rule.roles != ROLES.keys(), rule


async def test_nobody_gets_in_without_a_login(app: FastAPI, callers: dict[str | None, httpx.AsyncClient]) -> None:
    tried = 0
    for rule in route_matrix(app):
        if rule.permission == PUBLIC:
            continue
        answer = await callers[None].request(rule.method, address_of(rule))
        assert answer.status_code == 401, rule
        assert answer.json()["code"] == "unauthenticated", rule
        tried += 1
    assert tried > 10


async def test_every_route_is_closed_to_every_role_that_the_table_does_not_name(
    app: FastAPI, callers: dict[str | None, httpx.AsyncClient]
) -> None:
    tried = 0
    for rule in route_matrix(app):
        if rule.roles is None:
            continue
        for role in ROLES.keys() - rule.roles:
            answer = await callers[role].request(rule.method, address_of(rule))
            assert (answer.status_code, answer.json()["code"]) == (403, "no_permission"), (rule, role)
            tried += 1
    assert tried > 20


async def test_every_readable_route_is_open_to_every_role_that_the_table_names(
    app: FastAPI, callers: dict[str | None, httpx.AsyncClient]
) -> None:
    """Open means: past the door. What lies behind may still be missing, or need a query."""
    for rule in route_matrix(app):
        if rule.method != "GET" or rule.path.endswith("/events") or rule.permission == PUBLIC:
            continue
        for role in rule.roles or ROLES:
            answer = await callers[role].get(address_of(rule))
            assert answer.status_code != 401, (rule, role)
            if answer.status_code == 403:
                assert answer.json()["code"] != "no_permission", (rule, role)
            assert answer.status_code < 500 or answer.status_code == 503, (rule, role, answer.text)
