"""The sequencer: gives every committed entry its place in the tree within a second, and signs checkpoints.

One per database, held by an advisory lock; a second one waits and takes over when the first is gone.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from psycopg.rows import tuple_row

from gongshi.audit import tree
from gongshi.audit.checkpoints import Checkpoint, Keeper, Signer, Witness, keep
from gongshi.audit.leaves import moment_text
from gongshi.audit.repository import WAKE_CHANNEL
from gongshi.db.engine import plain_url
from gongshi.kit import clock

log = structlog.get_logger(__name__)

_LOCK = 0x6C6F_6773
_BATCH = 5000
_NEAR_END = 50_000
_FULL_SEARCH_EVERY = 5.0
_REPAIR = 200
"""How many of the latest checkpoints are looked for outside at start."""

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

_UNSEQUENCED = """
SELECT e.id, e.leaf_hash FROM audit.entry e
WHERE e.id > %(floor)s AND NOT EXISTS (SELECT 1 FROM audit.leaf l WHERE l.entry_id = e.id)
ORDER BY e.id LIMIT %(limit)s
"""
_HORIZON = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
       (SELECT last_value FROM audit.entry_id_seq)
"""


@dataclass(slots=True)
class _Mark:
    """A promise in the making: once every transaction older than `xmax` is over, no id up to `last_id` can appear."""

    taken: float
    xmax: int
    last_id: int


class Sequencer:
    """Runs in the `work` role: `await Sequencer(url, signer, objects).run()` until cancelled."""

    def __init__(
        self,
        database_url: str,
        signer: Signer,
        objects: Keeper,
        *,
        witnesses: Sequence[Keeper] = (),
        algorithm: str = "sha256",
        every_entries: int = 1000,
        every_seconds: float = 60.0,
        idle: float = 0.5,
    ) -> None:
        self._url = plain_url(database_url)
        self._signer = signer
        self._keepers = (objects, *witnesses)
        self._algorithm: tree.Algorithm = tree.algorithm_named(algorithm)
        self._every_entries = every_entries
        self._every_seconds = every_seconds
        self._idle = idle
        self._frontier = tree.Frontier(self._algorithm)
        self._next_index = 0
        self._since: list[tuple[int, bytes]] = []
        self._signed_size = 0
        self._signed_at = time.monotonic()
        self._asked = False
        self._floor = 0
        self._searched = float("-inf")
        self._mark: _Mark | None = None
        self._unkept: deque[tuple[Keeper, Witness]] = deque(maxlen=10_000)

    async def run(self) -> None:
        """Work until cancelled; a lost database connection is taken up again."""
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, row_factory=tuple_row, connect_timeout=5
                )
                async with connection:
                    await self._serve(connection)
            except (psycopg.Error, OSError) as error:
                log.warning("audit.sequencer.database_lost", error=type(error).__name__)
                await asyncio.sleep(1.0)

    async def _serve(self, connection: Connection) -> None:
        await connection.execute(f"LISTEN {WAKE_CHANNEL}".encode())
        while not await self._try_lock(connection):  # noqa: ASYNC110 -- another process holds it; nothing to await
            await asyncio.sleep(1.0)
        await self._load(connection)
        await self._repair(connection)
        while True:
            count = await self._sequence(connection)
            if self._due():
                await self._checkpoint(connection)
            await self._keep_again()
            if count < _BATCH:
                async for notice in connection.notifies(timeout=self._idle, stop_after=1):
                    self._asked = self._asked or notice.payload == "checkpoint"

    async def _try_lock(self, connection: Connection) -> bool:
        row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])).fetchone()
        return row is not None and bool(row[0])

    async def _load(self, connection: Connection) -> None:
        """Take up the tree where the last checkpoint left it and add what was sequenced since."""
        self._frontier = tree.Frontier(self._algorithm)
        self._since, self._floor, self._mark = [], 0, None
        self._searched = float("-inf")
        row = await (
            await connection.execute(
                "SELECT size, root, frontier, algorithm FROM audit.checkpoint ORDER BY size DESC LIMIT 1"
            )
        ).fetchone()
        if row is not None:
            size, root, packed, algorithm = row
            if algorithm != self._algorithm:
                raise RuntimeError(f"this log is hashed with {algorithm}; it cannot go on with {self._algorithm}")
            try:
                frontier = tree.Frontier.unpack(size, packed, self._algorithm)
            except ValueError:
                frontier = tree.Frontier(self._algorithm)
            if frontier.size == size and frontier.root() == root:
                self._frontier = frontier
            else:
                # The row was tampered with. The tree is read anew; the verifier is who says what is wrong.
                log.error("audit.sequencer.frontier_wrong", size=size)
        self._signed_size = self._frontier.size
        self._next_index = self._frontier.size
        async with connection.cursor() as cursor:
            await cursor.execute(
                "SELECT index, entry_id, leaf_hash FROM audit.leaf WHERE index >= %s ORDER BY index",
                [self._frontier.size],
            )
            async for index, entry_id, leaf in cursor:
                self._frontier.append(leaf)
                self._since.append((entry_id, leaf))
                self._next_index = index + 1
        if self._next_index != self._frontier.size:
            log.error("audit.sequencer.leaves_missing", expected=self._frontier.size, found=self._next_index)

    async def _repair(self, connection: Connection) -> None:
        """Put outside what a crash left only in the database."""
        rows = await (
            await connection.execute(
                "SELECT size, at, node_code, algorithm, root, key_id, signature,"
                " coalesce(lag(size) OVER (ORDER BY size), 0) FROM audit.checkpoint ORDER BY size DESC LIMIT %s",
                [_REPAIR],
            )
        ).fetchall()
        for keeper in self._keepers:
            for size, at, node, algorithm, root, key_id, signature, first in rows:
                checkpoint = Checkpoint(size, bytes(root), moment_text(at), node, algorithm, key_id, bytes(signature))
                try:
                    await keeper.get(Witness(checkpoint, 0, (), ()).name)
                except FileNotFoundError:
                    leaves = await (
                        await connection.execute(
                            "SELECT entry_id, leaf_hash FROM audit.leaf WHERE index >= %s AND index < %s ORDER BY index",
                            [first, size],
                        )
                    ).fetchall()
                    if len(leaves) == size - first:
                        ids, hashes = tuple(row[0] for row in leaves), tuple(bytes(row[1]) for row in leaves)
                        self._unkept.append((keeper, Witness(checkpoint, first, hashes, ids)))
                except Exception as error:  # noqa: BLE001 -- a place outside that is down must not stop the log
                    log.warning("audit.checkpoint.keeper_down", error=type(error).__name__)
                    break
                else:
                    break

    async def _sequence(self, connection: Connection) -> int:
        """Give leaf numbers to what is committed; the number of entries handled."""
        settled, newest = await self._settled(connection)
        floor = self._floor
        if not floor and settled is None and time.monotonic() - self._searched < _FULL_SEARCH_EVERY:
            # Until the first floor is known, most turns look at the end of the log only.
            floor = max(0, newest - _NEAR_END)
        elif not floor:
            self._searched = time.monotonic()
        rows = await (await connection.execute(_UNSEQUENCED, {"floor": floor, "limit": _BATCH})).fetchall()
        if rows:
            moment = clock.now()
            async with (
                connection.transaction(),
                connection.cursor() as cursor,
                cursor.copy("COPY audit.leaf (index, entry_id, leaf_hash, sequenced_at) FROM STDIN") as copy,
            ):
                for offset, (entry_id, leaf) in enumerate(rows):
                    await copy.write_row((self._next_index + offset, entry_id, leaf, moment))
            self._next_index += len(rows)
            for entry_id, leaf in rows:
                self._frontier.append(bytes(leaf))
                self._since.append((entry_id, bytes(leaf)))
        if settled is not None and len(rows) < _BATCH and (self._floor or not floor):
            self._floor = settled
        return len(rows)

    async def _settled(self, connection: Connection) -> tuple[int | None, int]:
        """The newest id handed out; before it, now and then, an id below which nothing new can appear any more.

        From there on the search need not begin at the first entry. Ids are drawn before their transaction has a
        number; half a minute covers that moment, and a restart, which begins at the first entry, covers the rest.
        """
        row = await (await connection.execute(_HORIZON)).fetchone()
        if row is None:
            return None, 0
        xmin, xmax, last_id = row
        mark = self._mark
        if mark is None:
            self._mark = _Mark(time.monotonic(), xmax, last_id)
            return None, last_id
        if xmin >= mark.xmax and time.monotonic() - mark.taken > 30:
            self._mark = None
            return mark.last_id, last_id
        return None, last_id

    def _due(self) -> bool:
        waiting = self._frontier.size - self._signed_size
        if not waiting:
            self._asked = False
            self._signed_at = time.monotonic()
            return False
        return (
            self._asked or waiting >= self._every_entries or time.monotonic() - self._signed_at >= self._every_seconds
        )

    async def _checkpoint(self, connection: Connection) -> None:
        moment = clock.now()
        frontier = self._frontier
        checkpoint = self._signer.sign(frontier.size, frontier.root(), moment, self._algorithm)
        await connection.execute(
            "INSERT INTO audit.checkpoint (size, at, node_code, algorithm, root, frontier, key_id, signature)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (size) DO NOTHING",
            [
                checkpoint.size,
                moment,
                checkpoint.node,
                checkpoint.algorithm,
                checkpoint.root,
                frontier.pack(),
                checkpoint.key_id,
                checkpoint.signature,
            ],
        )
        witness = Witness(
            checkpoint,
            self._signed_size,
            tuple(leaf for _, leaf in self._since),
            tuple(entry_id for entry_id, _ in self._since),
        )
        self._since = []
        self._signed_size = frontier.size
        self._signed_at = time.monotonic()
        self._asked = False
        self._unkept.extend((keeper, witness) for keeper in self._keepers)

    async def _keep_again(self) -> None:
        """Store checkpoints outside; what a place does not take now is offered again at the next turn."""
        for _ in range(len(self._unkept)):
            keeper, witness = self._unkept.popleft()
            try:
                if not await keep(keeper, witness):
                    log.error("audit.checkpoint.rewound", size=witness.checkpoint.size)
            except Exception as error:  # noqa: BLE001 -- a place outside that is down must not stop the log
                log.warning("audit.checkpoint.keeper_down", error=type(error).__name__)
                self._unkept.append((keeper, witness))
                return
