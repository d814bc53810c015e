"""What changed in a peer's catalogue, as it notifies (gb28181.md §14). The daily full query stays the truth."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.db.engine import Database
from gongshi.db.events import emit
from gongshi.kit.errors import Problem
from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.manscdp import (
    CatalogChange,
    CatalogCollector,
    CatalogItem,
    CatalogQuery,
    CatalogResponse,
    CollectState,
)
from gongshi.signalling import facts, repository
from gongshi.signalling.channels import ChannelRow, channel_row
from gongshi.signalling.exchanges import Exchanges
from gongshi.signalling.peers import PeerState
from gongshi.signalling.policy import Policy

log = structlog.get_logger(__name__)

CHANGED: Final = "signalling.channel.changed"
_MOST_OWED: Final = 50_000
_BATCH: Final = 1_000
_NARROW: Final = 20
"""More unknown devices at once are worth a full query."""
_NAMED: Final = 100
_CONDITIONS: Final = {
    "ON": ("on", None),
    "OFF": ("off", None),
    "VLOST": (None, "video_lost"),
    "DEFECT": (None, "defect"),
}


@dataclass(slots=True)
class Batch:
    """Changes of one peer put together: the last word on each device counts."""

    peer: PeerState
    full: dict[str, ChannelRow] = field(default_factory=dict[str, ChannelRow])
    conditions: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    gone: set[str] = field(default_factory=set[str])
    vague: set[str] = field(default_factory=set[str])
    """Said to have changed, but not how."""

    def add(self, item: CatalogItem) -> None:
        """One item of a notification."""
        row = channel_row(item)
        code = row.code
        if item.event in _CONDITIONS:
            status, fault = _CONDITIONS[item.event]
            self.conditions[code] = {"code": code, "status": status, "fault": fault}
        elif item.event == "DEL":
            self.full.pop(code, None)
            self.conditions.pop(code, None)
            self.gone.add(code)
        elif not item.fields and not item.name:
            self.vague.add(code)
        else:
            self.gone.discard(code)
            self.conditions.pop(code, None)
            self.full[code] = row

    @property
    def codes(self) -> list[str]:
        """What changed."""
        return sorted({*self.full, *self.conditions, *self.gone})


class Changes:
    """Takes notifications in order and writes them in batches. `requery` asks a peer for everything."""

    def __init__(
        self, exchanges: Exchanges, database: Database, policy: Policy, requery: Callable[[PeerState, float], None]
    ) -> None:
        self._exchanges = exchanges
        self._database = database
        self._policy = policy
        self._requery = requery
        self._owed: deque[tuple[PeerState, CatalogItem]] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._narrow: dict[tuple[int, str], asyncio.Task[None]] = {}

    def take(self, peer: PeerState, change: CatalogChange) -> None:
        """A notification. When more comes than can be kept, or items were lost, the whole catalogue is asked for."""
        if change.lost or len(self._owed) + len(change.items) > _MOST_OWED:
            log.warning("signal.changes.lost", peer=peer.code, lost=change.lost, owed=len(self._owed))
            self._requery(peer, 1.0)
        room = _MOST_OWED - len(self._owed)
        self._owed.extend((peer, item) for item in change.items[:room])
        self._wake.set()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="signal-changes")

    async def stop(self) -> None:
        """Write what is owed, once, and end."""
        tasks = [task for task in (self._task, *self._narrow.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while self._owed and await self._round():
            pass

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._owed:
                if not await self._round():
                    await asyncio.sleep(2.0)

    async def _round(self) -> bool:
        taken = [self._owed.popleft() for _ in range(min(len(self._owed), _BATCH))]
        batches: dict[int, Batch] = {}
        for peer, item in taken:
            batches.setdefault(peer.id, Batch(peer)).add(item)
        try:
            for number in list(batches):
                await self._write(batches[number])
                del batches[number]
        except (SQLAlchemyError, OSError) as error:
            log.warning("signal.changes.failed", error=type(error).__name__, owed=len(taken))
            # Written ones are repeated, which changes nothing.
            self._owed.extendleft((peer, item) for peer, item in reversed(taken) if peer.id in batches)
            return False
        return True

    async def _write(self, batch: Batch) -> None:
        peer = batch.peer
        async with self._database.unit() as uow:
            if batch.full:
                await repository.merge_channels(uow.session, peer.id, [row.line() for row in batch.full.values()])
            known: set[str] = set()
            if batch.conditions:
                known = await facts.save_conditions(uow.session, peer.id, list(batch.conditions.values()))
            if batch.gone:
                await repository.mark_gone(uow.session, peer.id, batch.gone)
            codes = batch.codes
            await emit(
                uow,
                CHANGED,
                id=peer.id,
                code=peer.code,
                organisation_id=peer.organisation_id,
                changed=len(codes),
                codes=codes[:_NAMED],
            )
        unknown = (batch.conditions.keys() - known) | batch.vague
        if len(unknown) > _NARROW:
            self._requery(peer, 1.0)
            return
        for code in unknown:
            self.look(peer, code)

    # --- what is not known yet ---------------------------------------------------------------------------------------

    def look(self, peer: PeerState, code: str) -> None:
        """Ask for one device of a peer (ON came before ADD)."""
        key = (peer.id, code)
        if key in self._narrow or len(self._narrow) >= _BATCH:
            return
        task = asyncio.create_task(self._look(peer, code), name=f"look-{code}")
        self._narrow[key] = task
        task.add_done_callback(lambda _: self._narrow.pop(key, None))

    async def _look(self, peer: PeerState, code: str) -> None:
        policy = self._policy
        found: list[CatalogItem] = []
        try:
            async with self._exchanges.ask(peer, code, "Catalog", lambda sn: CatalogQuery(code, sn)) as exchange:
                collector = CatalogCollector(
                    code,
                    exchange.sn,
                    monotonic(),
                    first_timeout=policy.query_seconds,
                    gap_timeout=policy.catalogue_gap,
                    keep=False,
                )
                while collector.state is CollectState.WAITING:
                    answer = await exchange.next(max(0.0, collector.deadline - monotonic()))
                    if answer is None:
                        break
                    found += collector.add(CatalogResponse.parse(answer), monotonic())
        except (Problem, ProtocolError) as error:
            log.info("signal.changes.unanswered", peer=peer.code, channel=code, error=str(error))
        if not any(item.device_id == code for item in found):
            # It does not answer for single devices: everything, but not at once.
            self._requery(peer, policy.catalogue_gap)
        elif found:
            self._owed.extend((peer, item) for item in found)
            self._wake.set()
