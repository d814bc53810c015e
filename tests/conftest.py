"""Fixtures for tests on real parts: one embedded PostgreSQL per run, one fresh database per test."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from gongshi.db.embedded import APPLICATION, EmbeddedPostgres
from gongshi.db.engine import Database
from gongshi.db.objects import Objects
from gongshi.node.migrate import migrate

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """The server of this run, its database `gongshi` migrated; use it as a template only."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("node"))
    server.start()
    try:
        migrate(server.owner_url, APPLICATION)
        yield server
    finally:
        server.destroy()


def renamed(url: str, database: str) -> str:
    """The same address with another database."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


@pytest.fixture
def database_urls(postgres: EmbeddedPostgres) -> Iterator[tuple[str, str]]:
    """(application address, owner address) of an empty, migrated database of this test's own."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    admin = renamed(postgres.owner_url, "postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE gongshi").format(sql.Identifier(name)))
    yield renamed(postgres.url, name), renamed(postgres.owner_url, name)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
async def database(database_urls: tuple[str, str]) -> AsyncIterator[Database]:
    """An empty, migrated database as the application role sees it."""
    opened = Database(database_urls[0], pool_size=5)
    yield opened
    await opened.close()
    await asyncio.sleep(0)


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    """An object store of this test's own."""
    return Objects.local(tmp_path / "objects")
