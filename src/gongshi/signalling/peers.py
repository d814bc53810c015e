"""The registry in memory: who may register, who is registered, from where, until when. Truth for routing."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from gongshi.protocols.codes import Edition
from gongshi.protocols.manscdp import version_edition
from gongshi.protocols.sip import Flow

OfflineReason = Literal["expired", "silent", "unregistered", "connection_lost", "disabled", "elsewhere"]
_NEVER = float("inf")


@dataclass(slots=True, eq=False)
class PeerState:
    """One peer: its account, and its binding as far as it has one. Times without a zone are of the loop's clock."""

    id: int
    code: str
    name: str
    organisation_id: int
    organisation_name: str
    ha1: str
    """MD5 of user, realm and password: all that is kept of the password."""
    media_transport: str = "udp"
    edition_pin: str | None = None
    charset: str | None = None
    interval: int = 60
    misses: int = 3
    enabled: bool = True

    online: bool = False
    reason: OfflineReason | None = None
    flow: Flow | None = None
    contact: str | None = None
    call_id: str | None = None
    version: str | None = None
    user_agent: str | None = None
    registered_at: datetime | None = None
    expires_at: datetime | None = None
    keepalive_at: datetime | None = None
    expires: float = 0.0
    """When the registration ends."""
    seen: float = 0.0
    """When something came from the bound address last."""
    timed: bool = False
    """An entry of the time line stands for this peer."""
    catalogued: float = float("-inf")
    """When its catalogue was last complete."""
    sn: int = field(default=0)

    @property
    def edition(self) -> Edition:
        """Which edition to speak: pinned by an operator, else as announced (§4.3)."""
        if self.edition_pin:
            return Edition(self.edition_pin)
        return version_edition(self.version)

    def next_sn(self) -> int:
        """The next SN; wraps before 2^31 (§6)."""
        self.sn = self.sn % ((1 << 31) - 2) + 1
        return self.sn

    def silent_after(self, slack: float) -> float:
        """When it counts as silent if nothing more comes; never for one that is not judged by keepalives (Q-29)."""
        if not self.misses:
            return _NEVER
        return self.seen + self.interval * self.misses * slack

    def same_path(self, flow: Flow) -> bool:
        """Did this come from the bound address (or over the bound connection)?"""
        own = self.flow
        return (
            own is not None
            and own.host == flow.host
            and own.port == flow.port
            and own.transport == flow.transport
            and own.connection == flow.connection
        )


class Peers:
    """All peers by code and by id, with one entry of the time line per online peer."""

    def __init__(self, slack: float) -> None:
        self._slack = slack
        self._by_code: dict[str, PeerState] = {}
        self._by_id: dict[int, PeerState] = {}
        self._by_path: dict[tuple[str, str, int], PeerState] = {}
        self._by_connection: dict[int, set[int]] = {}
        self._timeline: list[tuple[float, int]] = []
        self.online = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[PeerState]:
        return iter(list(self._by_id.values()))

    def get(self, code: str) -> PeerState | None:
        """By device code."""
        return self._by_code.get(code)

    def by_id(self, peer_id: int) -> PeerState | None:
        """By number."""
        return self._by_id.get(peer_id)

    def at(self, flow: Flow) -> PeerState | None:
        """Who is bound to the path; several peers behind one address give the one that registered last."""
        return self._by_path.get((flow.transport, flow.host, flow.port))

    def put(self, peers: Iterable[PeerState]) -> None:
        """Add peers, or take over new account data for known ones; bindings of known ones stay."""
        for fresh in peers:
            known = self._by_id.get(fresh.id)
            if known is None:
                self._by_id[fresh.id] = fresh
                self._by_code[fresh.code] = fresh
                if fresh.online:
                    self._bound(fresh)
                continue
            for name in _ACCOUNT:
                setattr(known, name, getattr(fresh, name))

    def remove(self, peer: PeerState) -> None:
        """Forget a peer altogether."""
        self.unbind(peer, "disabled")
        self._by_id.pop(peer.id, None)
        if self._by_code.get(peer.code) is peer:
            del self._by_code[peer.code]

    def bind(self, peer: PeerState, flow: Flow, expires: float, now: float) -> bool:
        """Register a peer at a path until `expires`; True when it was not online before."""
        fresh = not peer.online
        if not fresh and peer.flow == flow and self._by_path.get((flow.transport, flow.host, flow.port)) is peer:
            peer.expires, peer.seen = expires, now
            return False
        self._unpath(peer)
        peer.flow, peer.expires, peer.seen = flow, expires, now
        peer.online, peer.reason = True, None
        if fresh:
            self._bound(peer)
        else:
            self._path(peer)
        return fresh

    def move(self, peer: PeerState, flow: Flow) -> None:
        """The same binding at another port (Q-01)."""
        self._unpath(peer)
        peer.flow = flow
        self._path(peer)

    def unbind(self, peer: PeerState, reason: OfflineReason) -> bool:
        """End a registration; False when there was none."""
        if not peer.online:
            return False
        self._unpath(peer)
        peer.online, peer.reason = False, reason
        self.online -= 1
        return True

    def _bound(self, peer: PeerState) -> None:
        self.online += 1
        self._path(peer)
        if not peer.timed:
            peer.timed = True
            heapq.heappush(self._timeline, (self._due(peer), peer.id))

    def _path(self, peer: PeerState) -> None:
        if peer.flow is None:
            return
        self._by_path[(peer.flow.transport, peer.flow.host, peer.flow.port)] = peer
        if peer.flow.connection:
            self._by_connection.setdefault(peer.flow.connection, set()).add(peer.id)

    def _unpath(self, peer: PeerState) -> None:
        if peer.flow is None:
            return
        key = (peer.flow.transport, peer.flow.host, peer.flow.port)
        if self._by_path.get(key) is peer:
            del self._by_path[key]
        others = self._by_connection.get(peer.flow.connection)
        if others is not None:
            others.discard(peer.id)
            if not others:
                del self._by_connection[peer.flow.connection]

    def _due(self, peer: PeerState) -> float:
        return min(peer.expires, peer.silent_after(self._slack))

    def overdue(self, now: float) -> list[tuple[PeerState, OfflineReason]]:
        """Peers whose time is over; they are still bound, the caller ends it. Touches only entries that are due."""
        found: list[tuple[PeerState, OfflineReason]] = []
        while self._timeline and self._timeline[0][0] <= now:
            _, peer_id = heapq.heappop(self._timeline)
            peer = self._by_id.get(peer_id)
            if peer is None:
                continue
            peer.timed = False
            if not peer.online:
                continue
            due = self._due(peer)
            if due <= now:
                found.append((peer, "expired" if peer.expires <= now else "silent"))
                continue
            peer.timed = True
            heapq.heappush(self._timeline, (due, peer_id))
        return found

    def on_connection(self, connection: int) -> list[PeerState]:
        """Peers bound to a TCP connection."""
        return [self._by_id[peer_id] for peer_id in self._by_connection.get(connection, ())]


_ACCOUNT = (
    "name",
    "organisation_id",
    "organisation_name",
    "ha1",
    "media_transport",
    "edition_pin",
    "charset",
    "interval",
    "misses",
    "enabled",
)
