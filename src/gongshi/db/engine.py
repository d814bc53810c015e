"""Connections. One pool per process; every door opens a unit of work on it and commits once."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from gongshi.db.uow import SYSTEM, Actor, UnitOfWork


def async_url(url: str) -> URL:
    """Any `postgresql://` address as the one SQLAlchemy needs for psycopg 3."""
    return make_url(url).set(drivername="postgresql+psycopg")


def plain_url(url: str) -> str:
    """The same address for psycopg itself and for other PostgreSQL tools."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


PATIENCE = 10.0
"""Seconds that one statement may take before the server counts as lost."""


def _impatient(patience: float) -> type[psycopg.AsyncConnection[Any]]:
    """A connection that gives up on a server that is there but says nothing: stopped, swapped out, disk stuck.

    Only a killed server breaks the connection; without this, whoever asks a stopped one would wait for ever.
    """

    class Impatient(psycopg.AsyncConnection[Any]):
        async def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            if timeout is not None:
                return await super().wait(gen, interval, timeout)
            try:
                return await super().wait(gen, interval, patience)
            except psycopg.errors._WaitTimeout as error:  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] -- the only name of "took too long"
                # What the server still sends would be taken for the answer to the next question.
                self.pgconn.finish()
                raise psycopg.OperationalError(f"no answer within {patience:.0f} s") from error

    return Impatient


class Database:
    """The node's database as the application role sees it.

    A statement that is not answered within `patience` seconds fails like one on a broken connection.
    """

    def __init__(self, url: str, *, pool_size: int = 10, patience: float = PATIENCE) -> None:
        self.url = url
        self.engine: AsyncEngine = create_async_engine(
            async_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            pool_timeout=5,
            # An error's text reaches the log; what was written (hashes, names) must not.
            hide_parameters=True,
            connect_args={"async_creator_fn": _impatient(patience).connect, "connect_timeout": 5},
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def unit(self, actor: Actor = SYSTEM, request_id: str | None = None) -> AsyncGenerator[UnitOfWork]:
        """One transaction: commits at the end of the block, rolls back when it raises."""
        async with self._sessions() as session:
            uow = UnitOfWork(session, actor, request_id)
            async with session.begin():
                yield uow
                await uow.committing()
        await uow.committed()

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncSession]:
        """A read-only transaction for list and detail pages."""
        async with self._sessions() as session, session.begin():
            await session.execute(text("SET TRANSACTION READ ONLY"))
            yield session

    async def ping(self) -> None:
        """Raise when the database does not answer."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self.engine.dispose()
