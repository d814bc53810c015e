"""Catalogue queries: what a peer says it has, put together from many packets and merged as it comes (§7).

Only a complete answer may mark rows as gone, and a great loss must be confirmed by a second answer (§7.5).
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from time import monotonic
from typing import Any, Final

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gongshi.db.engine import Database
from gongshi.kit import clock
from gongshi.protocols.manscdp import CatalogCollector, CatalogQuery, CatalogResponse, CollectState
from gongshi.protocols.sip import Response
from gongshi.signalling import repository
from gongshi.signalling.agent import Agent, NoAnswer
from gongshi.signalling.channels import channel_row
from gongshi.signalling.peers import Peers, PeerState
from gongshi.signalling.policy import Policy
from gongshi.signalling.writer import Writer

log = structlog.get_logger(__name__)

CATALOGUED: Final = "signalling.peer.catalogued"
_BATCH: Final = 2_048
_LINGER: Final = 0.5
"""Seconds that fewer rows wait for more."""
_MOST_AT_ONCE: Final = 4_096
_ENOUGH_WAITING: Final = 20_000
"""Rows of all runs together: who sends more is answered when they are written, and its sender waits for that."""
_MOST_WAITING: Final = 200_000
_PARALLEL: Final = 8
"""Catalogues taken in at the same time: a restart brings thousands at once (§4.5)."""
_GREAT_LOSS: Final = 0.1


@dataclass(slots=True)
class Run:
    """One query and the answer so far."""

    peer: PeerState
    collector: CatalogCollector
    number: int = 0
    lines: dict[str, str] = field(default_factory=dict[str, str])
    """Rows that wait to be written, by code: clipping may make two long invented codes equal."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    asking: "asyncio.Future[Response] | None" = None
    """The query itself, until it is answered."""
    left: bool = False
    """The peer went, or went elsewhere, in the middle."""
    codes: set[str] = field(default_factory=set[str])


class Catalogues:
    """Runs queries, one at a time per peer."""

    def __init__(self, agent: Agent, peers: Peers, database: Database, policy: Policy, writer: Writer) -> None:
        self._agent = agent
        self._peers = peers
        self._database = database
        self._policy = policy
        self._writer = writer
        self._runs: dict[int, Run] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._missed: dict[int, set[str]] = {}
        self._attempts: dict[int, int] = {}
        self._gate = asyncio.Semaphore(_PARALLEL)
        self._held: deque[Callable[[], None]] = deque()
        self._random = random.Random()  # noqa: S311 -- spreads load, decides nothing

    # --- asking ------------------------------------------------------------------------------------------------------

    def online(self, peer: PeerState) -> None:
        """A peer came: ask unless its last complete answer is fresh."""
        if not self._policy.catalogue_on_register:
            return
        if monotonic() - peer.catalogued < self._policy.catalogue_fresh:
            return
        # One peer is asked at once; thousands that come together are asked over a minute.
        waiting = len(self._tasks)
        self.ask(peer, self._random.uniform(0, min(60.0, waiting / 20)) if waiting > _PARALLEL else 0.0)

    def ask(self, peer: PeerState, delay: float = 0.0) -> None:
        """Query now (or after `delay`); a query that is under way already is not repeated."""
        before = self._tasks.get(peer.id)
        run = self._runs.get(peer.id)
        # One whose answer is whole only waits for latecomers, and does not know what has changed since.
        under_way = run is not None and run.collector.state is not CollectState.COMPLETE
        if before is not None and (under_way or delay):
            return
        if before is not None:
            before.cancel()
        task = asyncio.create_task(self._ask(peer, delay, before), name=f"catalogue-{peer.code}")
        self._tasks[peer.id] = task
        task.add_done_callback(lambda done: self._ended(peer.id, done))

    def _ended(self, peer_id: int, task: "asyncio.Task[None]") -> None:
        if self._tasks.get(peer_id) is task:
            del self._tasks[peer_id]
        if not task.cancelled() and task.exception() is not None:
            log.error("signal.catalogue.crashed", error=repr(task.exception()))

    def offline(self, peer: PeerState) -> None:
        """A peer went, or went elsewhere: nothing more will come from where it was asked."""
        run = self._runs.get(peer.id)
        if run is not None and run.collector.state is CollectState.WAITING:
            run.left = True
            run.collector.deadline = 0.0
            run.news.set()
            if run.asking is not None:
                run.asking.cancel()

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, peer: PeerState, delay: float, before: "asyncio.Task[None] | None") -> None:
        if before is not None and before is not asyncio.current_task():
            await asyncio.wait([before])
        await asyncio.sleep(delay)
        try:
            again = await self._run(peer)
        except (OperationalError, InterfaceError, PoolTimeoutError, OSError) as error:
            log.warning("signal.catalogue.database", peer=peer.code, error=type(error).__name__)
            again = 10.0
        except SQLAlchemyError as error:
            # Something in the answer that the database cannot hold: asking again at once would only repeat it.
            log.exception("signal.catalogue.refused", peer=peer.code, error=type(error).__name__)
            again = self._later(peer)
        finally:
            self._runs.pop(peer.id, None)
            self._release()
        if again is not None:
            await asyncio.sleep(again * self._random.uniform(0.9, 1.1))
            if self._tasks.get(peer.id) is asyncio.current_task():
                del self._tasks[peer.id]
                self.ask(peer)

    # --- what comes in -----------------------------------------------------------------------------------------------

    def received(self, peer: PeerState, response: CatalogResponse) -> bool:
        """A packet of an answer; False when nobody asked for it.

        A wrong SN is forgiven when only one query is open, as here always (§6, Q-48), but not another device's list.
        """
        run = self._runs.get(peer.id)
        if run is None or response.device_id not in {peer.code, ""}:
            return False
        collector, lines = run.collector, run.lines
        if len(lines) >= _MOST_WAITING:
            # It does not wait for our answers: what cannot be kept is lost, and asked for again later.
            collector.take(response.sum_num, (), response.lost + len(response.items), monotonic())
            return True
        waited = bool(lines)
        for item in collector.add(response, monotonic()):
            row = channel_row(item)
            lines[row.code] = row.line()
            run.codes.add(row.code)
        # Few rows wait for more; one look at the first of them sets the time for that.
        if not waited or len(lines) >= _BATCH or collector.state is not CollectState.WAITING:
            run.news.set()
        return True

    def when_room(self, answer: Callable[[], None]) -> None:
        """Answer a packet now, or when the database has caught up."""
        if self._held or self._waiting() >= _ENOUGH_WAITING:
            self._held.append(answer)
        else:
            answer()

    def _waiting(self) -> int:
        return sum(len(run.lines) for run in self._runs.values())

    def _release(self) -> None:
        while self._held and self._waiting() < _ENOUGH_WAITING:
            self._held.popleft()()

    def expects(self, peer: PeerState) -> bool:
        """Is an answer of this peer under way?"""
        return peer.id in self._runs

    # --- one run -----------------------------------------------------------------------------------------------------

    def _begin(self, peer: PeerState) -> Run:
        peer.sn = peer.next_sn() if peer.sn else self._random.randrange(1, 1 << 30)
        collector = CatalogCollector(
            peer.code,
            peer.sn,
            monotonic(),
            first_timeout=self._policy.catalogue_first,
            gap_timeout=self._policy.catalogue_gap,
            keep=False,
        )
        run = self._runs[peer.id] = Run(peer, collector)
        return run

    async def _run(self, peer: PeerState) -> float | None:
        """The whole of it; seconds after which to ask again, or None."""
        async with self._gate:
            if not peer.online or peer.flow is None:
                return None
            run = self._begin(peer)
            collector = run.collector
            async with self._database.unit() as uow:
                run.number = await repository.start_run(uow.session, peer.id, collector.sn)
            note = await self._send(run)
            if note is None:
                await self._collect(run)
                note = None if collector.packets else "no packet"
        state = "silent" if note else "complete" if collector.state is CollectState.COMPLETE else "partial"
        await self._tell(run, state, note)
        if run.left and state != "complete":
            # It may be back by now, and was not asked again because this run was still under way.
            return 0.1 if peer.online else None
        if state == "complete":
            # The rows are there and usable; what is missing from them is marked only when no late packet came.
            await self._settle(run)
            if collector.state is CollectState.COMPLETE:
                peer.catalogued = monotonic()
                self._attempts.pop(peer.id, None)
                return await self._bury(run)
            await self._tell(run, "partial", "more items than declared")
        return self._later(peer)

    def _later(self, peer: PeerState) -> float | None:
        """When to ask again after an answer that was not whole; None: no more, until somebody asks or it returns."""
        attempt = self._attempts.get(peer.id, 0)
        self._attempts[peer.id] = attempt + 1
        return self._policy.catalogue_retry[attempt] if attempt < len(self._policy.catalogue_retry) else None

    async def _send(self, run: Run) -> str | None:
        """Send the query; what went wrong, if anything."""
        peer = run.peer
        body = CatalogQuery(peer.code, run.collector.sn).build(peer.edition)
        request = self._agent.message(peer, body)
        assert peer.flow is not None  # noqa: S101 -- checked by the caller
        try:
            # Some answer the query before they acknowledge it: packets count all the same.
            run.asking = asyncio.ensure_future(self._agent.ask(request, peer.flow, self._policy.timers.limit))
            response = await run.asking
        except NoAnswer:
            return None if run.collector.packets else "no answer"
        except asyncio.CancelledError:
            if not run.left:
                raise
            return "it went offline"
        finally:
            run.asking = None
        return None if response.status < 300 or run.collector.packets else f"answered {response.status}"

    async def _collect(self, run: Run) -> None:
        collector = run.collector
        linger = float("inf")
        while True:
            now = monotonic()
            waiting = collector.state is CollectState.WAITING
            if run.lines and (not waiting or len(run.lines) >= _BATCH or now >= linger):
                await self._take(run)
                linger = float("inf")
                continue
            if not waiting:
                return
            if collector.expire(now):
                continue
            if run.lines:
                linger = min(linger, now + _LINGER)
            await self._news(run, max(0.0, min(collector.deadline, linger) - now) + 0.01)

    async def _settle(self, run: Run) -> None:
        until = monotonic() + self._policy.catalogue_settle
        while (left := until - monotonic()) > 0 and run.collector.state is CollectState.COMPLETE:
            await self._news(run, left)
        await self._take(run)

    @staticmethod
    async def _news(run: Run, seconds: float) -> None:
        run.news.clear()
        try:
            await asyncio.wait_for(run.news.wait(), seconds)
        except TimeoutError:
            return

    async def _take(self, run: Run) -> None:
        """Merge what waits."""
        while run.lines:
            batch = list(islice(run.lines.items(), _MOST_AT_ONCE))
            for code, _ in batch:
                del run.lines[code]
            async with self._database.unit() as uow:
                await repository.merge_channels(uow.session, run.peer.id, [line for _, line in batch])
                await repository.update_run(uow.session, run.number, **_progress(run.collector))
            self._release()

    async def _tell(self, run: Run, state: str, note: str | None) -> None:
        async with self._database.unit() as uow:
            await repository.update_run(
                uow.session, run.number, state=state, note=note, ended_at=clock.now(), **_progress(run.collector)
            )
        collector = run.collector
        log.info(
            "signal.catalogue",
            peer=run.peer.code,
            state=state,
            declared=collector.declared,
            received=collector.count,
            packets=collector.packets,
            duplicates=collector.duplicates,
            lost=collector.lost,
            note=note,
        )
        self._writer.changed(run.peer, CATALOGUED, run=run.number, result=state, channels=collector.count)

    async def _bury(self, run: Run) -> float | None:
        """Tombstone what a complete answer did not name; a great loss only when the next answer says so too."""
        peer = run.peer
        async with self._database.unit() as uow:
            missing, stood = await repository.missing_channels(uow.session, peer.id, run.codes)
            confirmed = missing & self._missed.pop(peer.id, set())
            if missing and len(missing) > _GREAT_LOSS * stood and missing != confirmed:
                self._missed[peer.id] = missing
                await repository.mark_gone(uow.session, peer.id, confirmed)
                again = self._policy.catalogue_confirm
            else:
                await repository.mark_gone(uow.session, peer.id, missing)
                again = None
        if missing:
            log.info("signal.catalogue.missing", peer=peer.code, missing=len(missing), stood=stood, confirm=bool(again))
        return again


def _progress(collector: CatalogCollector) -> Mapping[str, Any]:
    declared = collector.declared
    return {
        "declared": None if declared is None else min(declared, 2**31 - 1),
        "received": collector.count,
        "packets": collector.packets,
    }
