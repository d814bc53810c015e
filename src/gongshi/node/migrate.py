"""Bring a database to this release: one linear chain of migrations, run as the owner under a lock."""

from collections.abc import Sequence
from importlib.resources import files

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import create_engine

from gongshi.db.base import SCHEMAS
from gongshi.db.engine import async_url, plain_url
from gongshi.node import models

_LOCK = 0x676F6E67


def configuration(url: str) -> Config:
    """Alembic's settings for the chain inside this package."""
    config = Config()
    config.set_main_option("script_location", str(files("gongshi.node") / "migrations"))
    config.attributes["url"] = async_url(url)
    return config


def migrate(owner_url: str, application_role: str | None = None) -> None:
    """Apply what is missing, then give the application role exactly what it needs.

    Several nodes may start at once: an advisory lock lets one migrate while the others wait.
    """
    with psycopg.connect(plain_url(owner_url), autocommit=True) as lock:
        lock.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        command.upgrade(configuration(owner_url), "head")
        if application_role:
            _give_rights(lock, application_role)


def pending(owner_url: str) -> list[str]:
    """Revisions this release has and the database does not."""
    script = ScriptDirectory.from_config(configuration(owner_url))
    engine = create_engine(async_url(owner_url))
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(
                connection, opts={"version_table_schema": "system"}
            ).get_current_revision()
    finally:
        engine.dispose()
    return [r.revision for r in script.iterate_revisions("head", current or "base")][::-1]


def _give_rights(connection: psycopg.Connection, role: str) -> None:
    """The log is insert-only for the application (design.md §8); everything else is its own to write."""
    name = sql.Identifier(role)
    for schema in (*SCHEMAS, "public"):
        place = sql.Identifier(schema)
        statements: Sequence[str] = (
            "GRANT USAGE ON SCHEMA {s} TO {r}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {s} TO {r}",
            "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {s} TO {r}",
            "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {s} TO {r}",
        )
        for statement in statements:
            connection.execute(sql.SQL(statement).format(s=place, r=name))
    connection.execute(sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA audit FROM {}").format(name))


__all__ = ["configuration", "migrate", "models", "pending"]
