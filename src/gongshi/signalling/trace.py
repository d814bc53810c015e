"""The last messages per peer, for people who must find out why something does not work. Secrets never leave it."""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic, time
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


_Address = tuple[str, int]
_Kept = tuple[float, Way, str, bytes, int] | tuple[float, _Address, bytes, bytes]
"""A message, or a datagram with its answer; the moment is of the loop's clock."""


class _Ring(deque[_Kept]):
    """The messages of one peer, and how many bytes they are together."""

    bytes = 0


class Trace:
    """Rings of messages. `budget` bounds the bytes of all rings together: rings that were quiet long go.

    Two generations of rings: when the younger holds half of the budget, the older is forgotten and they change places.
    """

    def __init__(self, messages: int = 200, budget: int = 64 * 1024 * 1024) -> None:
        self._messages = messages
        self._half = budget // 2
        self._young: dict[int, _Ring] = {}
        self._old: dict[int, _Ring] = {}
        self._bytes = 0

    def add(self, peer_id: int, way: Way, remote: str, data: bytes) -> None:
        """Keep a message; long ones lose their end."""
        kept = data[:_KEPT]
        self._keep(peer_id, (monotonic(), way, remote, kept, len(data)), len(kept))

    def exchange(self, peer_id: int, host: str, port: int, request: bytes, answer: bytes, now: float) -> None:
        """Keep a datagram of ordinary size and its answer."""
        self._keep(peer_id, (now, (host, port), request, answer), len(request) + len(answer))

    def _keep(self, peer_id: int, kept: _Kept, size: int) -> None:
        ring = self._young.get(peer_id)
        if ring is None:
            ring = self._young[peer_id] = self._old.pop(peer_id, None) or _Ring()
            self._bytes += ring.bytes
        if len(ring) == self._messages:
            size -= _size(ring.popleft())
        ring.append(kept)
        ring.bytes += size
        self._bytes += size
        if self._bytes > self._half:
            self._old, self._young, self._bytes = self._young, {}, 0

    def of(self, peer_id: int) -> Sequence[Line]:
        """Oldest first."""
        ring = self._young.get(peer_id) or self._old.get(peer_id) or ()
        # The time of day of a moment of the loop's clock, as far as nobody set the former since.
        offset = time() - monotonic()
        return [line for kept in ring for line in _lines(kept, offset)][-self._messages :]

    def forget(self, peer_id: int) -> None:
        """Drop a ring."""
        young = self._young.pop(peer_id, None)
        if young is not None:
            self._bytes -= young.bytes
        self._old.pop(peer_id, None)


def _size(kept: _Kept) -> int:
    return len(kept[2]) + len(kept[3]) if len(kept) == 4 else len(kept[3])


def _lines(kept: _Kept, offset: float) -> list[Line]:
    at = datetime.fromtimestamp(kept[0] + offset, UTC)
    if len(kept) == 4:
        _, (host, port), request, answer = kept
        remote = f"udp:[{host}]:{port}" if ":" in host else f"udp:{host}:{port}"
        return [
            Line(at, "in", remote, request[:_KEPT], len(request)),
            Line(at, "out", remote, answer, len(answer)),
        ]
    _, way, where, data, size = kept
    return [Line(at, way, where, data, size)]


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
