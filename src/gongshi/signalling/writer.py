"""Write-behind: what changed in memory reaches the database within a second, in batches (signalling.md §2.5, §6).

The registry in memory goes on without a database; what is owed is written when it is back.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.audit import service as audit
from gongshi.db.engine import Database
from gongshi.db.events import emit
from gongshi.db.uow import SYSTEM, Actor, UnitOfWork
from gongshi.signalling import repository
from gongshi.signalling.copying import line
from gongshi.signalling.limits import Sparse
from gongshi.signalling.peers import Peers, PeerState
from gongshi.signalling.policy import Policy
from gongshi.signalling.problems import OFFLINE_REASONS
from gongshi.signalling.registrar import Refusal

log = structlog.get_logger(__name__)

_BATCH: Final = 4_000
_CHANGES: Final = 200
"""State changes per round: each is an event and an entry of the log."""
_CHANGES_AT_ONCE: Final = 100
_MOST_CHANGES: Final = 50_000
"""Owed while the database is away; older ones are told by the newer."""
_REFUSAL_KEYS: Final = 1_000

Change = tuple[int, str, dict[str, Any]]
"""(peer, event name, payload)."""


def clean(value: str | None) -> str | None:
    """Text that the database can hold: no NUL, no half of a surrogate pair."""
    if value is None or (value.isascii() and "\0" not in value):
        return value
    return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


class Writer:
    """Collects and writes. `dirty`, `changed` and `refused` are called from the loop and only note things down."""

    def __init__(self, database: Database, peers: Peers, policy: Policy, instance: str) -> None:
        self._database = database
        self._peers = peers
        self._policy = policy
        self._instance = instance
        self._dirty: dict[int, PeerState] = {}
        self._changes: deque[Change] = deque(maxlen=_MOST_CHANGES)
        self._refusals: dict[tuple[str, str, Refusal], int] = {}
        self._told: dict[tuple[str, str, Refusal], float] = {}
        self._heard_since = float("-inf")
        self._keepalives_due = 0.0
        self._sparse = Sparse(30.0)
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()

    # --- notes -------------------------------------------------------------------------------------------------------

    def dirty(self, peer: PeerState) -> None:
        """The binding changed."""
        self._dirty[peer.id] = peer
        self._wake.set()

    def changed(self, peer: PeerState, name: str, **payload: Any) -> None:
        """The peer came or went: an event and an entry."""
        state = "online" if peer.online else "offline"
        known = {"id": peer.id, "code": peer.code, "state": state, "organisation_id": peer.organisation_id}
        self._changes.append((peer.id, name, known | payload))
        self._wake.set()

    def refused(self, code: str, host: str, why: Refusal) -> None:
        """A registration was turned down: logged once a minute, and in the log of the node with a count."""
        key = (code[:40], host, why)
        if key not in self._refusals and len(self._refusals) >= _REFUSAL_KEYS:
            key = ("*", "*", why)
        self._refusals[key] = self._refusals.get(key, 0) + 1
        self._wake.set()

    @property
    def pending(self) -> int:
        """What is owed to the database."""
        return len(self._dirty) + len(self._changes)

    # --- writing -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="signal-writer")

    async def stop(self) -> None:
        """Write what is owed, once, and end."""
        self._stopping.set()
        self._wake.set()
        if self._task is not None:
            await self._task
        self._keepalives_due = 0.0
        await self._round(everything=True)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            await _within(self._wake, self._policy.keepalive_write_every)
            self._wake.clear()
            if self._stopping.is_set():
                return
            if not await self._round():
                await _within(self._stopping, 2.0)
                self._wake.set()
            await _within(self._stopping, self._policy.write_every)
            if self._changes:
                self._wake.set()

    async def _round(self, *, everything: bool = False) -> bool:
        """Write one batch of everything; False when the database did not take it, and then nothing is lost."""
        try:
            await self._write_bindings()
            await self._write_changes(everything=everything)
            await self._write_refusals(everything=everything)
            await self._write_keepalives()
        except (SQLAlchemyError, OSError) as error:
            if count := self._sparse.count("database", monotonic()):
                log.warning("signal.write.failed", error=type(error).__name__, owed=self.pending, count=count)
            return False
        return True

    async def _write_bindings(self) -> None:
        while self._dirty:
            batch = dict(list(self._dirty.items())[:_BATCH])
            rows = [_line(peer) for peer in batch.values() if peer.flow is not None and peer.registered_at is not None]
            for peer_id in batch:
                del self._dirty[peer_id]
            try:
                if rows:
                    async with self._database.unit() as uow:
                        await repository.save_bindings(uow.session, rows, self._instance)
            except BaseException:
                # Whoever changed again meanwhile is in the book with the newer state already.
                self._dirty = batch | self._dirty
                raise

    async def _write_changes(self, *, everything: bool) -> None:
        done = 0
        while self._changes and (everything or done < _CHANGES):
            batch = [self._changes.popleft() for _ in range(min(len(self._changes), _CHANGES_AT_ONCE))]
            try:
                async with self._database.unit() as uow:
                    await self._tell_all(uow, batch)
            except BaseException:
                self._changes.extendleft(reversed(batch))
                raise
            done += len(batch)

    async def _tell_all(self, uow: UnitOfWork, batch: Sequence[Change]) -> None:
        """Each change in the name of its own peer, all in one transaction: a restart brings thousands."""
        own = uow
        for peer_id, name, payload in batch:
            peer = self._peers.by_id(peer_id)
            actor = SYSTEM
            if peer is not None:
                host = peer.flow.host if peer.flow else None
                actor = Actor("peer", peer.id, peer.name, peer.organisation_id, peer.organisation_name, host)
            own = UnitOfWork(uow.session, actor)
            await self._tell(own, peer, name, payload)
        await own.committing()

    @staticmethod
    async def _tell(uow: UnitOfWork, peer: PeerState | None, name: str, payload: Mapping[str, Any]) -> None:
        await emit(uow, name, **payload)
        if name not in _ENTRIES:
            return
        detail: dict[str, Any] = {"name": peer.name if peer else payload["code"], "code": payload["code"]}
        reason = payload.get("reason")
        if reason:
            because = OFFLINE_REASONS.get(str(reason))
            words = {"zh": because.zh, "en": because.en} if because else str(reason)
            detail |= {"reason_code": reason, "because": words}
        if name == MOVED:
            old, new = payload["previous"], payload["address"]
            detail |= {
                "previous": old,
                "address": new,
                "because": {"zh": f"由 {old} 换到 {new}", "en": f"from {old} to {new}"},
            }
        await audit.record(uow, name, object_kind="peer", object_id=payload["id"], detail=detail)

    async def _write_refusals(self, *, everything: bool) -> None:
        now = monotonic()
        for key, count in list(self._refusals.items()):
            if not everything and now - self._told.get(key, float("-inf")) < self._policy.refusals_every:
                continue
            code, host, why = key
            what = "signal.keepalive.refused" if why == "elsewhere" else "signal.register.refused"
            log.warning(what, code=code, source=host, why=why, count=count)
            if why not in {"unknown", "elsewhere"}:
                # Strangers knock all day, and devices change addresses; what belongs into the log of the node are those
                # who use a known peer's name to register.
                peer = self._peers.get(code)
                async with self._database.unit(Actor("peer", None, code, address=host)) as uow:
                    detail = {"code": code, "name": peer.name if peer else code, "why": why, "count": count}
                    await audit.record(
                        uow, REFUSED, object_kind="peer", object_id=peer.id if peer else None, detail=detail
                    )
            left = self._refusals[key] - count
            if left:
                self._refusals[key] = left
            else:
                del self._refusals[key]
            if len(self._told) > _REFUSAL_KEYS:
                self._told.clear()
            self._told[key] = now

    async def _write_keepalives(self) -> None:
        now = monotonic()
        if now < self._keepalives_due:
            return
        since, self._heard_since = self._heard_since, now
        heard = [peer for peer in self._peers if peer.seen >= since and peer.keepalive_at is not None]
        try:
            for start in range(0, len(heard), _BATCH):
                times = {peer.id: peer.keepalive_at for peer in heard[start : start + _BATCH]}
                async with self._database.unit() as uow:
                    await repository.save_keepalives(uow.session, times)
        except BaseException:
            self._heard_since = since
            raise
        self._keepalives_due = now + self._policy.keepalive_write_every


async def _within(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but no longer."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


REGISTERED: Final = "signalling.peer.registered"
OFFLINE: Final = "signalling.peer.offline"
MOVED: Final = "signalling.peer.moved"
REFUSED: Final = "signalling.peer.refused"
_ENTRIES: Final = frozenset({REGISTERED, MOVED, OFFLINE})


def _line(peer: PeerState) -> str:
    """A binding as `repository.save_bindings` wants it."""
    flow = peer.flow
    assert flow is not None  # noqa: S101 -- rows are made of peers with a flow only
    return line(
        peer.id,
        "online" if peer.online else "offline",
        peer.reason,
        flow.transport,
        flow.host,
        flow.port,
        clean(peer.contact),
        clean(peer.call_id),
        clean(peer.version),
        clean(peer.user_agent),
        peer.registered_at,
        peer.expires_at,
        peer.keepalive_at,
    )
