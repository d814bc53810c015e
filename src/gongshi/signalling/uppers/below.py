"""Errands of uppers on their way to devices: the same questions under our numbers and the devices' codes (§13.4)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import Any, Final

from gongshi.db.engine import Database
from gongshi.kit.errors import Problem
from gongshi.protocols.manscdp import (
    ConfigDownloadQuery,
    DeviceControl,
    Element,
    Envelope,
    RecordInfoQuery,
    leaf,
    split_span,
)
from gongshi.signalling import device_problems as faults
from gongshi.signalling import problems, repository
from gongshi.signalling.control import Control
from gongshi.signalling.exchanges import Exchange, Exchanges
from gongshi.signalling.peers import Peers, PeerState
from gongshi.signalling.policy import Policy
from gongshi.signalling.uppers.commands import payload
from gongshi.signalling.uppers.ports import Errand, Reply

DEAD_MAN: Final = 10.0
"""An upper sends a move once and a stop at its end; a lost stop must not turn the camera for ever (§8.3)."""
_PIECES: Final = 62
"""Pieces of twelve hours that one search may have: a month."""


class Forwarding:
    """`ports.Below`, by the exchanges of our own peers."""

    def __init__(
        self, database: Database, peers: Peers, exchanges: Exchanges, control: Control, policy: Policy
    ) -> None:
        self._database = database
        self._peers = peers
        self._exchanges = exchanges
        self._control = control
        self._policy = policy

    async def forward(self, errand: Errand) -> Reply:
        """Carry an errand to the device that has the camera. Raises Problem."""
        async with self._database.read() as session:
            best = await repository.best_channel(session, errand.camera_id)
        if best is None:
            raise problems.channel_unknown()
        peer, code = self._peers.by_id(best[4]), str(best[1])
        if peer is None:
            raise problems.UnknownPeer
        message: Any = errand.message
        if isinstance(message, DeviceControl):
            # The desk knows who moves the camera, whoever it is (§13.4).
            await self._control.send(peer, code, message.command, errand.holder, dead_man=DEAD_MAN)
            return Reply(code, [[leaf("Result", "OK")]] if errand.answered else [])
        found: list[Envelope] = []
        if isinstance(message, RecordInfoQuery):
            await self._records(peer, code, message, found)
        else:
            await self._ask(peer, code, errand.command, message, found)
        return Reply(code, [payload(envelope.element) for envelope in found])

    async def _records(self, peer: PeerState, code: str, query: RecordInfoQuery, found: list[Envelope]) -> None:
        """A long span in pieces, one after the other; what was found before a failure counts (Q-25)."""
        until = monotonic() + self._policy.records_seconds
        pieces = split_span(query.start, query.end, timedelta(seconds=self._policy.records_span))
        for number, (start, end) in enumerate(pieces[:_PIECES]):
            if monotonic() >= until:
                return
            try:
                await self._ask(peer, code, "RecordInfo", replace(query, start=start, end=end), found)
            except Problem:
                if not number:
                    raise
                return

    async def _ask(self, peer: PeerState, code: str, command: str, message: Any, found: list[Envelope]) -> None:
        search = isinstance(message, RecordInfoQuery)
        first = self._policy.records_first if search else self._policy.query_seconds
        types = len(message.types) if isinstance(message, ConfigDownloadQuery) else 0
        before = len(found)
        async with self._exchanges.ask(
            peer, code, command, lambda sn: replace(message, device_id=code, sn=sn), to=code
        ) as exchange:
            answer = await exchange.next(first)
            if answer is None:
                raise faults.silent(peer.name, first, acknowledged=exchange.acknowledged)
            while answer is not None:
                found.append(answer)
                done = _complete(found[before:], types)
                answer = None if done else await self._further(exchange)

    async def _further(self, exchange: Exchange) -> Envelope | None:
        return await exchange.next(self._policy.records_gap)


def _complete(answers: Sequence[Envelope], types: int) -> bool:
    """Is everything there: as many items as declared, one answer per kind of setting?"""
    if types:
        return len(answers) >= types
    declared = max((answer.element.integer("SumNum") or 0 for answer in answers), default=0)
    return sum(_items(answer.element) for answer in answers) >= declared


def _items(element: Element) -> int:
    """Entries of the lists of an answer."""
    return sum(len(child.children) for child in element.children if child.name.lower() in _LISTS)


_LISTS: Final = frozenset({"recordlist", "presetlist", "cruisetracklist", "cruisepointlist", "sdcardstatusinfo"})
