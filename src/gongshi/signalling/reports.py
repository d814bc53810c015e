"""What devices report, on its way into the database: batches, twice a second, nothing waits for it (signalling.md §6)."""

import asyncio
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.db.engine import Database
from gongshi.db.events import emit
from gongshi.kit import clock
from gongshi.protocols.manscdp import Alarm, Position
from gongshi.signalling import facts
from gongshi.signalling.limits import Sparse
from gongshi.signalling.peers import Peers, PeerState
from gongshi.signalling.policy import Policy
from gongshi.signalling.writer import clean

log = structlog.get_logger(__name__)

RAISED: Final = "signalling.alarm.raised"
_BATCH: Final = 500
_SCENE_TYPES: Final = frozenset({1, 2, 3, 4, 11, 13})
"""Types of method 5 that speak of the scene or the picture; the others speak of persons and are kept as numbers."""
_SKEW: Final = timedelta(days=1)


class Reports:
    """Notes things down; a task writes them. What the database does not take is tried again, the oldest fall away."""

    def __init__(self, database: Database, peers: Peers, policy: Policy) -> None:
        self._database = database
        self._peers = peers
        self._policy = policy
        self._alarms: deque[dict[str, Any]] = deque()
        self._events: deque[tuple[str, dict[str, Any]]] = deque()
        self._said: dict[tuple[int, str, str], dict[str, Any]] = {}
        self._states: dict[tuple[int, str], dict[str, Any]] = {}
        self._positions: dict[tuple[int, str], dict[str, Any]] = {}
        self._sparse = Sparse(60.0)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0
        """Alarms that came faster than they could be kept."""

    # --- notes -------------------------------------------------------------------------------------------------------

    def alarm(self, peer: PeerState, alarm: Alarm) -> None:
        """An alarm; of one that concerns persons nothing but its number is kept."""
        if len(self._alarms) >= self._policy.alarms_owed:
            self.dropped += 1
            if count := self._sparse.count(("alarms", peer.id), monotonic()):
                log.warning("signal.alarm.dropped", peer=peer.code, count=count)
            return
        self._alarms.append(_alarm_row(peer, alarm))
        self._wake.set()

    def said(self, peer: PeerState, code: str, kind: str, value: Mapping[str, Any]) -> None:
        """An answer worth keeping."""
        code = _clip(code, 64)
        self._said[(peer.id, code, kind)] = {"peer_id": peer.id, "code": code, "kind": kind, "value": dict(value)}
        self._wake.set()

    def event(self, peer: PeerState, name: str, **payload: Any) -> None:
        """Something that other rooms should hear of."""
        if len(self._events) < self._policy.alarms_owed:
            known = {"id": peer.id, "code": peer.code, "organisation_id": peer.organisation_id}
            self._events.append((name, known | payload))
            self._wake.set()

    def subscription(self, peer_id: int, row: Mapping[str, Any]) -> None:
        """How a subscription stands now."""
        self._states[(peer_id, str(row["package"]))] = {"peer_id": peer_id, **row}
        self._wake.set()

    def position(self, peer: PeerState, position: Position) -> None:
        """The newest place of a device; an older one is forgotten."""
        code = _clip(position.device_id or peer.code, 64)
        self._positions[(peer.id, code)] = {
            "peer_id": peer.id,
            "code": code,
            "longitude": position.longitude,
            "latitude": position.latitude,
            "speed": position.speed,
            "direction": position.direction,
            "altitude": position.altitude,
            "at": _sane(position.time),
        }
        self._wake.set()

    @property
    def pending(self) -> int:
        """What is owed to the database."""
        return len(self._alarms) + len(self._events) + len(self._said) + len(self._states) + len(self._positions)

    # --- writing -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="signal-reports")

    async def stop(self) -> None:
        """Write what is owed, once, and end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._round()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not await self._round():
                await asyncio.sleep(2.0)
                self._wake.set()
            if self.pending:
                self._wake.set()
            await asyncio.sleep(self._policy.alarms_every)

    async def _round(self) -> bool:
        try:
            await self._write_alarms()
            await self._write_rest()
        except (SQLAlchemyError, OSError) as error:
            if count := self._sparse.count("database", monotonic()):
                log.warning("signal.reports.failed", error=type(error).__name__, owed=self.pending, count=count)
            return False
        return True

    async def _write_alarms(self) -> None:
        batch = [self._alarms.popleft() for _ in range(min(len(self._alarms), _BATCH))]
        if not batch:
            return
        try:
            async with self._database.unit() as uow:
                for row in await facts.save_alarms(uow.session, batch):
                    peer = self._peers.by_id(row.peer_id)
                    await emit(
                        uow,
                        RAISED,
                        id=row.id,
                        peer=row.peer_id,
                        code=row.code,
                        kind=row.kind,
                        priority=row.priority,
                        camera_id=row.camera_id,
                        organisation_id=peer.organisation_id if peer is not None else None,
                    )
        except BaseException:
            self._alarms.extendleft(reversed(batch))
            raise

    async def _write_rest(self) -> None:
        said, states, positions = self._said, self._states, self._positions
        events = [self._events.popleft() for _ in range(min(len(self._events), _BATCH))]
        if not (said or states or positions or events):
            return
        self._said, self._states, self._positions = {}, {}, {}
        try:
            async with self._database.unit() as uow:
                for rows, save in (
                    (said, facts.save_said),
                    (states, facts.save_states),
                    (positions, facts.save_positions),
                ):
                    if rows:
                        await save(uow.session, list(rows.values()))
                for name, payload in events:
                    await emit(uow, name, **payload)
        except BaseException:
            self._events.extendleft(reversed(events))
            # Whatever changed again meanwhile is in the book with the newer value already.
            self._said, self._states = said | self._said, states | self._states
            self._positions = positions | self._positions
            raise


def _alarm_row(peer: PeerState, alarm: Alarm) -> dict[str, Any]:
    of_persons = alarm.method == 5 and alarm.type is not None and alarm.type not in _SCENE_TYPES
    return {
        "peer_id": peer.id,
        "code": _clip(alarm.device_id or peer.code, 64),
        "priority": _small(alarm.priority),
        "method": _small(alarm.method),
        "type": _small(alarm.type),
        "kind": f"type_{_small(alarm.type)}" if of_persons else alarm.kind,
        "description": None if of_persons else (_clip(alarm.description, 500) or None),
        "longitude": alarm.longitude,
        "latitude": alarm.latitude,
        "alarm_at": _sane(alarm.time),
        "received_at": clock.now(),
    }


def _sane(moment: datetime | None) -> datetime:
    """A device's time unless its clock is absurd; then ours."""
    now = clock.now()
    return moment if moment is not None and abs(moment - now) < _SKEW else now


def _small(value: int | None) -> int | None:
    return value if value is not None and -1_000_000 < value < 1_000_000 else None


def _clip(value: str, length: int) -> str:
    return (clean(value) or "")[:length]
