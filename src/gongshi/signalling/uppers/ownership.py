"""Who registers with the uppers when several signalling processes share a database: one, held by an advisory lock.

An upper knows our platform under one code from one address; two processes that registered it in turn would take the
cascade from each other. When the holder dies its connection ends, and another takes over within seconds.
"""

import asyncio
import contextlib
from typing import Any, Final

import psycopg
import structlog

from gongshi.db.engine import plain_url

log = structlog.get_logger(__name__)

_LOCK: Final = 0x5550_5045_5253
_BEAT: Final = 1.0
_PATIENCE: Final = 5.0


class Ownership:
    """`await take()` until it is ours, then `await lost()`."""

    def __init__(self, database_url: str) -> None:
        self._url = plain_url(database_url)
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def take(self) -> bool:
        """One try. False when another process holds it, or the database does not answer."""
        await self.release()
        try:
            connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True, connect_timeout=5)
        except psycopg.Error as error:
            log.warning("signal.uppers.lock", error=type(error).__name__)
            return False
        self._connection = connection
        try:
            async with asyncio.timeout(_PATIENCE):
                row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])).fetchone()
        except (psycopg.Error, TimeoutError) as error:
            log.warning("signal.uppers.lock", error=type(error).__name__)
            row = None
        if row is not None and row[0]:
            return True
        await self.release()
        return False

    async def lost(self) -> None:
        """Returns when the lock may be another's: its connection broke or does not answer."""
        connection = self._connection
        while connection is not None:
            await asyncio.sleep(_BEAT)
            try:
                async with asyncio.timeout(_PATIENCE):
                    await connection.execute("SELECT 1")
            except (psycopg.Error, TimeoutError) as error:
                log.warning("signal.uppers.lock_lost", error=type(error).__name__)
                return

    async def release(self) -> None:
        """Give it up; closing the connection does."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error, asyncio.CancelledError):
                await connection.close()
