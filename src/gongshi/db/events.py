"""Events between rooms: written with the change itself, read in commit order (design.md §3).

`emit` adds an outbox row in the caller's transaction; NOTIFY only wakes the readers. A reader keeps a
cursor (transaction id, row id) and reads no row of a transaction that is younger than the oldest one still
running, so that a slow writer can never slip in behind the cursor.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import BigInteger, CursorResult, Identity, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from gongshi.db.base import Base
from gongshi.db.engine import plain_url
from gongshi.db.uow import UnitOfWork

CHANNEL = "gongshi_events"


class Outbox(Base):
    """One thing that happened, for whoever listens."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_order", "xid", "id"), {"schema": "system"})

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    xid: Mapped[int] = mapped_column(BigInteger, server_default=text("(pg_current_xact_id()::text::bigint)"))
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    name: Mapped[str] = mapped_column(Text)
    payload: Mapped[dict[str, Any]]


class Consumer(Base):
    """How far a durable reader has read."""

    __tablename__ = "consumer"
    __table_args__ = ({"schema": "system"},)

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    xid: Mapped[int] = mapped_column(BigInteger)
    event_id: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class Event:
    """`name` is `room.noun.past`, listed in docs/events.md."""

    id: int
    xid: int
    at: datetime
    name: str
    payload: Mapping[str, Any]


async def emit(uow: UnitOfWork, name: str, **payload: Any) -> None:
    """Tell the other rooms, in this transaction; they hear it if and when it commits."""
    uow.session.add(Outbox(name=name, payload=payload))
    await uow.session.flush()
    await uow.session.execute(text("SELECT pg_notify(:channel, :name)"), {"channel": CHANNEL, "name": name})


_PENDING = """
SELECT id, xid, at, name, payload FROM system.outbox
WHERE (xid, id) > (%(xid)s, %(id)s) AND xid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
ORDER BY xid, id LIMIT 1000
"""


_PRUNE = """
DELETE FROM system.outbox WHERE id IN (
    SELECT id FROM system.outbox
    WHERE at < now() - make_interval(secs => :seconds)
      AND (xid, id) <= ALL (SELECT xid, event_id FROM system.consumer)
    ORDER BY id LIMIT 5000
)
"""


async def prune(uow: UnitOfWork, *, older: float) -> int:
    """Forget at most 5,000 events that are `older` seconds old and that every durable reader has read; how many.

    Live readers take an event within seconds; what must be kept for longer stands in the audit log.
    """
    done = await uow.session.execute(text(_PRUNE), {"seconds": older})
    return cast(CursorResult[Any], done).rowcount


class EventStream:
    """A live reader on a connection of its own. After `connect`, `read` yields batches of events.

    An empty batch every `beat` seconds says that the connection is alive. When the connection breaks,
    `read` raises `psycopg.OperationalError`; what was decided on its word is then out of date.
    """

    def __init__(self, url: str, *, beat: float = 1.0) -> None:
        self._url = plain_url(url)
        self._beat = beat
        self._connection: psycopg.AsyncConnection[dict[str, Any]] | None = None
        self._cursor = (0, 0)

    async def connect(self) -> None:
        """Open the connection and start from now: later commits are seen, earlier ones are not."""
        connection = await psycopg.AsyncConnection[dict[str, Any]].connect(
            self._url, autocommit=True, row_factory=dict_row, connect_timeout=5
        )
        self._connection = connection
        await connection.execute(f"LISTEN {CHANNEL}".encode())
        row = await (
            await connection.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xid")
        ).fetchone()
        # Everything below the oldest running transaction is settled; what runs now is read when it commits.
        self._cursor = ((row["xid"] if row else 1) - 1, 2**62)

    async def read(self) -> AsyncGenerator[list[Event]]:
        if self._connection is None:
            await self.connect()
        connection = self._connection
        assert connection is not None  # noqa: S101 -- narrowed for the type checker, set just above
        while True:
            batch = await self._pending(connection)
            yield batch
            if batch:
                continue
            async for _ in connection.notifies(timeout=self._beat, stop_after=1):
                pass

    async def _pending(self, connection: psycopg.AsyncConnection[dict[str, Any]]) -> list[Event]:
        rows = await (await connection.execute(_PENDING, {"xid": self._cursor[0], "id": self._cursor[1]})).fetchall()
        events = [Event(**row) for row in rows]
        if events:
            self._cursor = (events[-1].xid, events[-1].id)
        return events

    async def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error, asyncio.CancelledError):
                await self._connection.close()
            self._connection = None


def payload_json(payload: Mapping[str, Any]) -> str:
    """An event's payload as one line, for logs and server-sent events."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), default=str)
