"""The last messages per peer, for people who must find out why something does not work. Secrets never leave it."""

import re
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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


class Trace:
    """Rings of messages. `budget` bounds the bytes of all rings together: the ring that was quiet longest goes."""

    def __init__(self, messages: int = 200, budget: int = 64 * 1024 * 1024) -> None:
        self._messages = messages
        self._budget = budget
        self._rings: OrderedDict[int, deque[Line]] = OrderedDict()
        self._bytes = 0

    def add(self, peer_id: int, way: Way, remote: str, data: bytes) -> None:
        """Keep a message; long ones lose their end."""
        ring = self._rings.get(peer_id)
        if ring is None:
            ring = self._rings[peer_id] = deque()
        else:
            self._rings.move_to_end(peer_id)
        kept = data[:_KEPT]
        ring.append(Line(clock.now(), way, remote, kept, len(data)))
        self._bytes += len(kept)
        if len(ring) > self._messages:
            self._bytes -= len(ring.popleft().data)
        while self._bytes > self._budget and len(self._rings) > 1:
            _, oldest = self._rings.popitem(last=False)
            self._bytes -= sum(len(line.data) for line in oldest)

    def of(self, peer_id: int) -> Sequence[Line]:
        """Oldest first."""
        return list(self._rings.get(peer_id, ()))

    def forget(self, peer_id: int) -> None:
        """Drop a ring."""
        self._bytes -= sum(len(line.data) for line in self._rings.pop(peer_id, ()))


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
