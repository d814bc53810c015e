"""What a peer is asked when it comes for the first time, a few peers at a time (gb28181.md §4.5, Q-29, Q-30)."""

import asyncio
from collections import deque
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.db.engine import Database
from gongshi.kit import clock
from gongshi.kit.errors import Problem
from gongshi.signalling import facts
from gongshi.signalling.peers import PeerState
from gongshi.signalling.policy import Policy
from gongshi.signalling.queries import Queries, plain
from gongshi.signalling.reports import Reports

log = structlog.get_logger(__name__)

_PARALLEL: Final = 8
_FRESH: Final = timedelta(days=1)
INFO: Final = "device_info"
BASIC: Final = "basic"


class Interviews:
    """Asks for information and heartbeat settings; who answered a day ago or less is left alone."""

    def __init__(self, queries: Queries, reports: Reports, database: Database, policy: Policy) -> None:
        self._queries = queries
        self._reports = reports
        self._database = database
        self._policy = policy
        self._waiting: deque[PeerState] = deque()
        self._done: set[int] = set()
        self._workers: set[asyncio.Task[None]] = set()

    def online(self, peer: PeerState) -> None:
        """A peer came."""
        if not self._policy.interview or peer.id in self._done:
            return
        self._done.add(peer.id)
        self._waiting.append(peer)
        if len(self._workers) < _PARALLEL:
            worker = asyncio.create_task(self._work(), name="signal-interview")
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _work(self) -> None:
        while self._waiting:
            peer = self._waiting.popleft()
            try:
                await self._interview(peer)
            except Problem as problem:
                # It will be asked again when it comes the next time.
                self._done.discard(peer.id)
                log.info("signal.interview.unanswered", peer=peer.code, code=problem.code)
            except (SQLAlchemyError, OSError) as error:
                self._done.discard(peer.id)
                log.warning("signal.interview.database", error=type(error).__name__)

    async def _interview(self, peer: PeerState) -> None:
        async with self._database.read() as session:
            known = await facts.asked_since(session, peer.id, INFO, clock.now() - _FRESH)
        if known or not peer.online:
            return
        info = await self._queries.run(peer, peer.code, INFO, {})
        self._reports.said(peer, peer.code, INFO, info)
        basic = await self._queries.basic(peer)
        if basic is None:
            return
        self._reports.said(peer, peer.code, BASIC, plain(basic))
        interval, misses = basic.keepalive(peer.interval, peer.misses)
        if peer.misses and interval * misses > peer.interval * peer.misses:
            # It means to be heard less often than we were told to expect: not a reason to call it silent.
            log.info("signal.interview.keepalive", peer=peer.code, interval=interval, misses=misses)
            peer.interval, peer.misses = interval, misses

    async def close(self) -> None:
        for worker in list(self._workers):
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
