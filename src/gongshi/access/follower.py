"""Rights in memory that keep up with the database, or say that they do not (design.md §4, §6)."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

import psycopg
import structlog
from pyroaring import BitMap
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from gongshi.access import repository
from gongshi.access.snapshot import RightsSnapshot, build
from gongshi.db.engine import plain_url
from gongshi.kit import clock
from gongshi.kit.errors import Unavailable
from gongshi.kit.i18n import Text

log = structlog.get_logger(__name__)

HORIZON: Final = timedelta(days=1)
"""How long a right that is over stays in memory, so that a refusal can say "the period is over"."""

_LOAD_SECONDS: Final = 30.0
"""A load that takes longer hangs on a dead connection: better to begin anew."""

OnChange = Callable[[RightsSnapshot], None]


class RightsUnavailable(Unavailable):
    """The rights in memory may be out of date; who depends on them must ask the database or deny."""

    code = "rights_unavailable"
    title = Text("暂时无法核实权限，请稍后重试", "Rights cannot be checked at the moment; try again shortly")


class RightsFollower:
    """Holds the newest snapshot on a database connection of its own.

    A NOTIFY wakes it at every change; a heartbeat each `beat` seconds compares epochs, so that neither a lost
    notification nor a dead connection goes unnoticed. `current()` answers only while the last proof that nothing
    newer exists is at most `patience` seconds old.
    """

    def __init__(self, database_url: str, *, beat: float = 1.0, patience: float = 3.0) -> None:
        self._url = plain_url(database_url)
        self._beat = beat
        self._patience = patience
        self._snapshot: RightsSnapshot | None = None
        self._proved = float("-inf")
        self._callbacks: list[OnChange] = []
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.reload_seconds = 0.0
        """How long the latest reload took, from asking to the snapshot being in force."""
        self.reloads = 0

    def on_change(self, callback: OnChange) -> None:
        """Call back in the event loop with every new snapshot, the first included."""
        self._callbacks.append(callback)

    def current(self) -> RightsSnapshot:
        """The snapshot in force; RightsUnavailable when it may be out of date."""
        if self._snapshot is None or time.monotonic() - self._proved > self._patience:
            raise RightsUnavailable
        return self._snapshot

    async def start(self, *, wait: float = 10.0) -> None:
        """Begin to follow; returns once the first snapshot is there, or after `wait` seconds without one."""
        if self._task is None:
            self._task = asyncio.create_task(self._follow(), name="rights-follower")
        with contextlib.suppress(TimeoutError):
            await self.reached(0, timeout=wait)

    async def reached(self, epoch: int, *, timeout: float = 5.0) -> RightsSnapshot:
        """Wait until the snapshot is at least of `epoch`; TimeoutError otherwise."""
        async with asyncio.timeout(timeout):
            while self._snapshot is None or self._snapshot.epoch < epoch:
                await self._changed.wait()
        return self._snapshot

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self._proved = float("-inf")

    async def _follow(self) -> None:
        delay = 0.1
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, connect_timeout=5
                ) as connection:
                    await connection.execute(f"LISTEN {repository.CHANNEL}".encode())
                    # Nothing is taken over from before the break: the first load on a connection is a full one.
                    self._publish(await self._load(connection, {}))
                    delay = 0.1
                    await self._keep_up(connection)
            except (psycopg.Error, OSError, TimeoutError) as error:
                log.warning("access.rights.lost", error=str(error).strip())
            except Exception:
                log.exception("access.rights.failed")
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2.0)

    async def _keep_up(self, connection: psycopg.AsyncConnection[Any]) -> None:
        while True:
            async for _ in connection.notifies(timeout=self._beat, stop_after=1):
                pass
            asked = time.monotonic()
            async with asyncio.timeout(self._patience):
                row = await (await connection.execute(_EPOCH)).fetchone()
            snapshot = self._snapshot
            if snapshot is not None and (row[0] if row else 0) == snapshot.epoch:
                self._proved = asked
                continue
            self._publish(await self._load(connection, snapshot.bitmaps if snapshot else {}))

    def _publish(self, loaded: tuple[RightsSnapshot, float]) -> None:
        snapshot, asked = loaded
        self._snapshot = snapshot
        self._proved = asked
        self.reload_seconds = time.monotonic() - asked
        self.reloads += 1
        self._changed.set()
        self._changed = asyncio.Event()
        for callback in self._callbacks:
            try:
                callback(snapshot)
            except Exception:
                log.exception("access.rights.callback_failed")

    async def _load(
        self, connection: psycopg.AsyncConnection[Any], known: Mapping[int, BitMap]
    ) -> tuple[RightsSnapshot, float]:
        """Read one consistent state. Cameras of rights already `known` are not read again: they never change."""
        asked = time.monotonic()
        async with asyncio.timeout(_LOAD_SECONDS), connection.transaction():
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            row = await (await connection.execute(_EPOCH)).fetchone()
            groups = await self._rows(connection, repository.groups_query())
            rights = await self._rows(connection, repository.rights_query(clock.now() - HORIZON))
            fresh = [row[0] for row in rights if row[6] == "cameras" and row[0] not in known]
            listed = await self._rows(connection, repository.listed_query(fresh)) if fresh else []
        snapshot = await asyncio.to_thread(compile_snapshot, row[0] if row else 0, groups, rights, listed, known)
        return snapshot, asked

    async def _rows(self, connection: psycopg.AsyncConnection[Any], query: Select[*tuple[Any, ...]]) -> list[Any]:
        compiled = query.compile(dialect=DIALECT)
        cursor = await connection.execute(str(compiled).encode(), compiled.params)
        return await cursor.fetchall()


DIALECT: Final = PGDialect_psycopg()
_EPOCH: Final = b"SELECT value FROM access.epoch WHERE id = 1"


def compile_snapshot(
    epoch: int, groups: list[Any], rights: list[Any], listed: list[Any], known: Mapping[int, BitMap]
) -> RightsSnapshot:
    """A snapshot from the rows of `repository`'s queries; cameras of rights already `known` are taken over."""
    cameras = dict(known)
    cameras.update((row[0], repository.ids_of(row[1])) for row in listed)
    return build(
        epoch,
        [repository.group_of(row) for row in groups],
        [repository.right_of(row) for row in rights],
        cameras,
    )
