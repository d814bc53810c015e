"""Who may watch: the sessions the agent has admitted, their leases and their ends (design.md §6).

A worker ends sessions by itself at `not_after` and when a lease lapses, so that a lost agent, database or event channel
closes every picture within fifteen seconds. What has ended stays ended.
"""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from gongshi.media.engine import LEASE_SECONDS

REMEMBERED: Final = 100_000
"""Ended sessions that are remembered, so that they cannot be admitted again."""


class Connection(Protocol):
    """A viewer's connection, as admission sees it."""

    octets: int
    waiting: bool

    def cut(self, reason: str) -> None:
        """Stop sending now and let the peer know."""
        ...


class Session:
    __slots__ = ("admitted_at", "connections", "lease", "left_at", "name", "not_after", "octets", "opened_at", "stream")

    def __init__(self, name: str, stream: str, not_after: float | None, lease: float, now: float) -> None:
        self.name = name
        self.stream = stream
        self.not_after = not_after
        self.lease = lease
        self.admitted_at = now
        self.opened_at: float | None = None
        self.left_at: float | None = None
        self.connections: dict[str, Connection] = {}
        self.octets = 0


Closed = Callable[[Session, str, float], None]


class Admission:
    """Holds the sessions of one worker. `now` is monotonic, `wall` seconds since 1970; `closed` is told every end."""

    def __init__(self, closed: Closed, *, reconnect: float, connect: float) -> None:
        self._closed = closed
        self._reconnect = reconnect
        self._connect = connect
        self._sessions: dict[str, Session] = {}
        self._ended: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def admit(self, name: str, stream: str, not_after: float | None, lease: float, now: float) -> bool:
        """Let a session in for `lease` seconds at most 15; again for one that is held. False if it has ended."""
        if name in self._ended:
            return False
        until = now + min(lease, LEASE_SECONDS)
        session = self._sessions.get(name)
        if session is None:
            self._sessions[name] = Session(name, stream, not_after, until, now)
            return True
        if session.stream != stream:
            return False
        session.not_after = not_after
        session.lease = until
        return True

    def renew(self, names: Iterable[str], lease: float, now: float) -> list[str]:
        """Prolong; gives back the names that are not held."""
        until = now + min(lease, LEASE_SECONDS)
        missing: list[str] = []
        for name in names:
            session = self._sessions.get(name)
            if session is None:
                missing.append(name)
            else:
                session.lease = until
        return missing

    def find(self, name: str, stream: str, now: float, wall: float) -> Session | None:
        """The session if it may connect to this stream at this moment."""
        session = self._sessions.get(name)
        if session is None or session.stream != stream or now >= session.lease:
            return None
        if session.not_after is not None and wall >= session.not_after:
            return None
        return session

    def held(self, name: str) -> Session | None:
        """The session as long as it has not ended."""
        return self._sessions.get(name)

    def connected(self, session: Session, form: str, connection: Connection, now: float) -> bool:
        """A viewer was let in; True if it is the session's first."""
        session.connections[form] = connection
        session.left_at = None
        if session.opened_at is not None:
            return False
        session.opened_at = now
        return True

    def disconnected(self, session: Session, form: str, connection: Connection, now: float) -> None:
        if session.connections.get(form) is connection:
            del session.connections[form]
            session.octets += connection.octets
            if not session.connections:
                session.left_at = now

    def end(self, name: str, reason: str, now: float) -> bool:
        """End a session for good, cutting its connections; False if it is not held."""
        session = self._sessions.pop(name, None)
        # Also what was never admitted here: a kick may overtake its admission.
        self._ended[name] = None
        if len(self._ended) > REMEMBERED:
            del self._ended[next(iter(self._ended))]
        if session is None:
            return False
        connections = list(session.connections.values())
        session.connections.clear()
        for connection in connections:
            session.octets += connection.octets
            connection.cut(reason)
        self._closed(session, reason, now)
        return True

    def end_stream(self, stream: str, reason: str, now: float) -> None:
        for session in [s for s in self._sessions.values() if s.stream == stream]:
            self.end(session.name, reason, now)

    def end_all(self, reason: str, now: float) -> None:
        for name in list(self._sessions):
            self.end(name, reason, now)

    def sweep(self, now: float, wall: float) -> None:
        """End what is over. Called several times a second."""
        over: list[tuple[str, str]] = []
        for session in self._sessions.values():
            if session.not_after is not None and wall >= session.not_after:
                over.append((session.name, "period_over"))
            elif now >= session.lease:
                over.append((session.name, "control_lost"))
            elif session.left_at is not None and now - session.left_at > self._reconnect:
                over.append((session.name, "viewer_left"))
            elif session.opened_at is None and now - session.admitted_at > self._connect:
                over.append((session.name, "not_started"))
        for name, reason in over:
            self.end(name, reason, now)
