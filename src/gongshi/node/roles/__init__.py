"""One process per role (design.md §4). Each role is a module of its own, so that a process loads only what it runs."""

import asyncio
import importlib

import psycopg
import structlog

from gongshi.db.engine import plain_url
from gongshi.node.runtime import Runtime

log = structlog.get_logger(__name__)


async def run(role: str, runtime: Runtime) -> None:
    """Run one role until SIGINT or SIGTERM."""
    structlog.contextvars.bind_contextvars(role=role)
    await _database_up(runtime.database_url)
    await importlib.import_module(f"gongshi.node.roles.{role}").run(runtime)


async def _database_up(url: str) -> None:
    """Wait for the database: a role that was started while it is away works as soon as it is back."""
    told = False
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(plain_url(url), connect_timeout=5)
        except psycopg.OperationalError as error:
            if not told:
                log.warning("role.waits_for_database", error=str(error).strip())
            told = True
            await asyncio.sleep(0.3)
        else:
            await connection.close()
            return
