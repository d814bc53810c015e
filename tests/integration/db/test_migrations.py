"""The chain of migrations: one line, explained, from empty to exactly what the models say (design.md §12)."""

import os
from collections.abc import Iterator

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import create_engine

from conftest import renamed
from gongshi.db.base import SCHEMAS, Base
from gongshi.db.embedded import APPLICATION, EmbeddedPostgres
from gongshi.db.engine import async_url
from gongshi.node.migrate import configuration, migrate, pending
from gongshi.node.models import __name__ as every_model

assert every_model


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The owner's address of a database with nothing in it."""
    name = f"empty_{os.getpid()}"
    with psycopg.connect(renamed(postgres.owner_url, "postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    yield renamed(postgres.owner_url, name)
    with psycopg.connect(renamed(postgres.owner_url, "postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def chain() -> ScriptDirectory:
    return ScriptDirectory.from_config(configuration("postgresql://nowhere/none"))


def test_the_chain_is_one_line_and_every_link_says_what_it_does() -> None:
    scripts = chain()
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
    links = list(scripts.walk_revisions())
    for link in links:
        assert not link.is_branch_point, link.revision
        assert not link.is_merge_point, link.revision
        words = (link.module.__doc__ or "").strip()
        assert len(words.splitlines()[0]) > 10, f"{link.path}: the docstring says nothing"
    numbers = [link.revision for link in reversed(links)]
    assert numbers == [f"{number:04d}" for number in range(1, len(links) + 1)]


def test_an_empty_database_comes_up_to_what_the_models_say(empty: str) -> None:
    waiting = pending(empty)
    assert waiting[0] == "0001"
    assert waiting[-1] == chain().get_current_head()
    migrate(empty, APPLICATION)
    assert pending(empty) == []
    # Raises when autogenerate would still write something.
    command.check(configuration(empty))


def test_a_second_run_changes_nothing(empty: str) -> None:
    migrate(empty, APPLICATION)
    before = shape(empty)
    migrate(empty, APPLICATION)
    assert shape(empty) == before


def test_the_check_sees_a_column_that_the_models_do_not_have(empty: str) -> None:
    migrate(empty, APPLICATION)
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("ALTER TABLE registry.camera ADD COLUMN forgotten int")
    assert drift(empty) == [("remove_column", "registry", "camera", "forgotten")]


@pytest.mark.parametrize("revision", [link.revision for link in chain().walk_revisions()][1:])
def test_a_database_of_every_earlier_release_comes_up(empty: str, revision: str) -> None:
    command.upgrade(configuration(empty), revision)
    migrate(empty, APPLICATION)
    assert pending(empty) == []
    assert drift(empty) == []


def test_the_application_may_write_everything_but_the_past(empty: str) -> None:
    migrate(empty, APPLICATION)
    with psycopg.connect(empty) as connection:
        for schema, table in connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_schema = ANY(%s) AND table_type = 'BASE TABLE'",
            [list(SCHEMAS)],
        ).fetchall():
            name = f'"{schema}"."{table}"'
            held = {
                right
                for right in ("SELECT", "INSERT", "UPDATE", "DELETE")
                if connection.execute("SELECT has_table_privilege(%s, %s, %s)", [APPLICATION, name, right]).fetchone()
                == (True,)
            }
            expected = {"SELECT", "INSERT"} if schema == "audit" else {"SELECT", "INSERT", "UPDATE", "DELETE"}
            assert held == expected, name


def drift(url: str) -> list[tuple[object, ...]]:
    """What autogenerate would write, in short."""
    engine = create_engine(async_url(url))
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection,
                opts={
                    "include_schemas": True,
                    "compare_type": True,
                    "version_table_schema": "system",
                    "include_name": lambda name, kind, _: name in SCHEMAS if kind == "schema" else True,
                },
            )
            found = compare_metadata(context, Base.metadata)
    finally:
        engine.dispose()
    return [(kind, schema, table, column.name) for kind, schema, table, column in found]


def shape(url: str) -> list[tuple[object, ...]]:
    """Every column and index of ours."""
    with psycopg.connect(url) as connection:
        columns = connection.execute(
            "SELECT table_schema, table_name, column_name, data_type, is_nullable, column_default"
            " FROM information_schema.columns WHERE table_schema = ANY(%s) ORDER BY 1, 2, 3",
            [list(SCHEMAS)],
        ).fetchall()
        indexes = connection.execute(
            "SELECT schemaname, indexname, indexdef FROM pg_indexes WHERE schemaname = ANY(%s) ORDER BY 1, 2",
            [list(SCHEMAS)],
        ).fetchall()
    return [*columns, *indexes]
