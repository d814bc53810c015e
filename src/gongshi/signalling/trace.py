"""The last messages per peer, for people who must find out why something does not work. Secrets never leave it."""

import re
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from gongshi.kit import clock
from gongshi.protocols.manscdp import decode

STRANGERS: Final = 0
"""Key of what came from nobody we know."""
_KEPT: Final = 4_096
_SECRETS: Final = (
    (re.compile(r"(?im)^((?:proxy-)?authorization\s*:\s*digest\b).*$"), r"\1 ***"),
    (re.compile(r"(?i)(nonce|cnonce|response)\s*=\s*\"[^\"\r\n]*\""), r'\1="***"'),
    (re.compile(r"(?is)(<\s*password\s*>).*?(<\s*/\s*password\s*>)"), r"\1***\2"),
)

Way = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Line:
    """One message as it passed."""

    at: datetime
    way: Way
    remote: str
    data: bytes
    size: int


_Kept = tuple[float, Way, str | tuple[str, int], bytes, int]


class Trace:
    """Rings of messages. `budget` bounds the bytes of all rings together: the ring that was quiet longest goes."""

    def __init__(self, messages: int = 200, budget: int = 64 * 1024 * 1024) -> None:
        self._messages = messages
        self._budget = budget
        self._rings: OrderedDict[int, deque[_Kept]] = OrderedDict()
        self._bytes = 0

    def add(self, peer_id: int, way: Way, remote: str, data: bytes) -> None:
        """Keep a message; long ones lose their end."""
        self._keep(self._ring(peer_id), (time.time(), way, remote, data[:_KEPT], len(data)))
        if self._bytes > self._budget:
            self._shrink()

    def exchange(self, peer_id: int, host: str, port: int, request: bytes, answer: bytes) -> None:
        """Keep a datagram and its answer."""
        ring, now, remote = self._ring(peer_id), time.time(), (host, port)
        self._keep(ring, (now, "in", remote, request[:_KEPT], len(request)))
        self._keep(ring, (now, "out", remote, answer, len(answer)))
        if self._bytes > self._budget:
            self._shrink()

    def _ring(self, peer_id: int) -> "deque[_Kept]":
        ring = self._rings.get(peer_id)
        if ring is None:
            ring = self._rings[peer_id] = deque()
        else:
            self._rings.move_to_end(peer_id)
        return ring

    def _keep(self, ring: "deque[_Kept]", line: _Kept) -> None:
        ring.append(line)
        self._bytes += len(line[3])
        if len(ring) > self._messages:
            self._bytes -= len(ring.popleft()[3])

    def _shrink(self) -> None:
        while self._bytes > self._budget and len(self._rings) > 1:
            _, oldest = self._rings.popitem(last=False)
            self._bytes -= sum(len(line[3]) for line in oldest)

    def of(self, peer_id: int) -> Sequence[Line]:
        """Oldest first."""
        return [_line(kept) for kept in self._rings.get(peer_id, ())]

    def forget(self, peer_id: int) -> None:
        """Drop a ring."""
        self._bytes -= sum(len(line[3]) for line in self._rings.pop(peer_id, ()))


def _line(kept: _Kept) -> Line:
    at, way, remote, data, size = kept
    where = remote if isinstance(remote, str) else f"udp:{remote[0]}:{remote[1]}"
    return Line(datetime.fromtimestamp(at, UTC), way, where, data, size)


def shown(line: Line) -> dict[str, Any]:
    """A line as a page shows it, without credentials."""
    return {
        "at": clock.local(line.at).isoformat(timespec="milliseconds"),
        "way": line.way,
        "remote": line.remote,
        "size": line.size,
        "truncated": line.size > len(line.data),
        "text": redacted(line.data),
    }


def redacted(data: bytes) -> str:
    """A message as text without passwords and digest answers."""
    text = decode(data).text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text
