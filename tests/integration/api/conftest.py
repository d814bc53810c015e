"""One node per test module, on a database of its own."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import structlog
from psycopg import sql

from conftest import renamed
from gongshi.db.embedded import EmbeddedPostgres
from integration.api.node import Node


@pytest.fixture(scope="module")
def node(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Node]:
    """The seeded city behind the real application, served on a port."""
    name = f"api_{os.getpid()}_{Path(str(request.path)).stem}"[:60]
    admin = renamed(postgres.owner_url, "postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE gongshi").format(sql.Identifier(name)))
    # Structlog's own rendering of a traceback takes seconds, in which the node would not answer.
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])
    made = Node(tmp_path_factory.mktemp("api"), renamed(postgres.url, name), renamed(postgres.owner_url, name))
    asyncio.run(made.seed())
    made.start()
    try:
        made.fill()
        yield made
    finally:
        made.stop()
        structlog.reset_defaults()
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
