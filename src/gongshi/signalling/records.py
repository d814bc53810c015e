"""Searching recordings: long spans in pieces, many packets, partial results that say so (gb28181.md §7.5, Q-25, Q-26)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from gongshi.kit import clock
from gongshi.kit.errors import Problem
from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.manscdp import (
    CollectState,
    RecordCollector,
    RecordInfo,
    RecordInfoQuery,
    RecordItem,
    split_span,
)
from gongshi.signalling import device_problems as faults
from gongshi.signalling.exchanges import Exchanges
from gongshi.signalling.peers import PeerState
from gongshi.signalling.policy import Policy
from gongshi.signalling.writer import clean

RecordKey = tuple[str, datetime | None, datetime | None, str]


@dataclass(slots=True)
class Span:
    """One piece of a search and how it went: `complete`, `partial`, `silent` or `skipped`."""

    start: datetime
    end: datetime
    state: str = "skipped"
    declared: int | None = None
    received: int = 0

    def shown(self) -> dict[str, Any]:
        """For the page."""
        return {
            "from": clock.local(self.start).isoformat(),
            "to": clock.local(self.end).isoformat(),
            "state": self.state,
            "declared": self.declared,
            "received": self.received,
        }


@dataclass(slots=True)
class Found:
    """What a search brought so far."""

    items: dict[RecordKey, RecordItem] = field(default_factory=dict[RecordKey, RecordItem])
    spans: list[Span] = field(default_factory=list[Span])

    def answer(self) -> dict[str, Any]:
        """For JSON: recordings by time; whether nothing is missing; each piece."""
        found = sorted(self.items.values(), key=lambda item: (item.start is None, item.start or clock.now()))
        return {
            "items": [_shown(item) for item in found],
            "complete": all(span.state == "complete" for span in self.spans),
            "spans": [span.shown() for span in self.spans],
        }


class Records:
    """Runs searches."""

    def __init__(self, exchanges: Exchanges, policy: Policy) -> None:
        self._exchanges = exchanges
        self._policy = policy

    async def search(
        self, peer: PeerState, code: str, start: datetime, end: datetime, *, type: str = "all", centre: bool = False
    ) -> dict[str, Any]:
        """Recordings of a channel; `centre` searches the platform's own storage rather than the camera's (§7.6).

        Pieces are asked one after the other. Raises what went wrong when not even the first piece was answered.
        """
        found = Found(spans=[Span(*piece) for piece in split_span(start, end, self._longest)])
        until = monotonic() + self._policy.records_seconds
        for number, span in enumerate(found.spans):
            if monotonic() >= until:
                break
            try:
                await self._piece(peer, code, span, found, type, peer.code if centre else code)
            except Problem:
                if not number:
                    raise
                span.state = "silent"
                if not peer.online:
                    break
        return found.answer()

    @property
    def _longest(self) -> timedelta:
        return timedelta(seconds=self._policy.records_span)

    async def _piece(self, peer: PeerState, code: str, span: Span, found: Found, type: str, to: str) -> None:
        policy = self._policy
        async with self._exchanges.ask(
            peer,
            code,
            "RecordInfo",
            lambda sn: RecordInfoQuery(code, sn, span.start, span.end, type),
            to=to,
        ) as exchange:
            collector = RecordCollector(
                code, exchange.sn, monotonic(), first_timeout=policy.records_first, gap_timeout=policy.records_gap
            )
            while collector.state is CollectState.WAITING:
                answer = await exchange.next(max(0.0, collector.deadline - monotonic()))
                if answer is None:
                    if collector.packets == 0:
                        raise faults.silent(peer.name, policy.records_first, acknowledged=exchange.acknowledged)
                    collector.expire(collector.deadline)
                    break
                try:
                    collector.add(RecordInfo.parse(answer), monotonic())
                except RemoteProtocolError as error:
                    raise faults.unreadable(peer.name, str(error)) from error
        # A recording across the cut stands in both pieces.
        found.items |= collector.items
        span.state = "complete" if collector.state is CollectState.COMPLETE else "partial"
        span.declared, span.received = collector.declared, collector.count


def _shown(item: RecordItem) -> dict[str, Any]:
    return {
        "name": (clean(item.name) or "")[:256],
        "from": clock.local(item.start).isoformat() if item.start else None,
        "to": clock.local(item.end).isoformat() if item.end else None,
        "type": (clean(item.type) or "")[:20],
        "file_size": item.file_size,
        "secrecy": item.secrecy,
        "file_path": (clean(item.file_path) or "")[:512],
        "stream_number": item.stream_number,
    }
