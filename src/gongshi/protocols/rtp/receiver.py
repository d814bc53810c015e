"""One stream's RTP in order: source lock, 16-bit sequence reordering, loss and jitter (GB/T 28181 §10.2, RFC 3550).

Invariant: any datagram is either put in order, counted and dropped, or counted as foreign; nothing is ever raised.
"""

import struct
from dataclasses import dataclass
from typing import Final, TypeAlias

from gongshi.protocols.rtp.packet import CLOCK_RATE, HEADER_SIZE

DEPTH: Final = 64
"""Packets held while one is missing; a 1080p key frame has about 72."""
MAX_WAIT: Final = 0.5
"""Seconds a missing packet is waited for."""
RELOCK_AFTER: Final = 2.0
"""Seconds of silence after which another source may take the port (a device that restarted, a NAT that moved)."""

_MAX_DROPOUT = 3000
_MAX_MISORDER = 1000
_MAX_LATE_RUN = 100
"""As many late packets in a row mean that the sender restarted its numbering."""

_HEADER = struct.Struct("!BBHII")


Payload: TypeAlias = tuple[bool, int, bool, bytes]
"""The next piece of a stream: gap (packets before it are lost for good), timestamp, marker, data. A bare tuple,
because one is made per packet and a named one costs a tenth of the whole ingest."""


@dataclass(frozen=True, slots=True)
class RtpStats:
    """Counters since the start. `expected` - `received` = `lost`; `jitter` in seconds (RFC 3550 §6.4.1, per frame)."""

    received: int
    octets: int
    expected: int
    lost: int
    late: int
    reordered: int
    foreign: int
    malformed: int
    jitter: float
    ssrc: int | None


class RtpReceiver:
    """Takes datagrams as they arrive, keeps `ready` filled with payloads in order.

    One port per stream, so the port is the key: the first source is accepted whatever its SSRC says (devices ignore
    the one they were given, Q-10 and Q-14) and locked; others are dropped as foreign until it falls silent. A source
    that does carry the expected SSRC replaces one that does not.
    """

    __slots__ = (
        "_base",
        "_cycles",
        "_expected_ssrc",
        "_held",
        "_held_since",
        "_jitter",
        "_last_seen",
        "_last_stamp",
        "_last_transit",
        "_late_run",
        "_next",
        "_past",
        "_probe",
        "_source",
        "foreign",
        "late",
        "malformed",
        "octets",
        "ready",
        "received",
        "reordered",
        "ssrc",
    )

    def __init__(self, expected_ssrc: int | None = None) -> None:
        self._expected_ssrc = expected_ssrc
        self._source: object = None
        self._next = -1
        self._base = 0
        self._cycles = 0
        self._past = 0
        self._held: dict[int, tuple[int, bool, bytes]] = {}
        self._held_since = 0.0
        self._probe = -1
        self._late_run = 0
        self._last_seen = 0.0
        self._last_stamp = -1
        self._last_transit = 0.0
        self._jitter = 0.0
        self.ssrc: int | None = None
        self.ready: list[Payload] = []
        self.received = 0
        self.octets = 0
        self.late = 0
        self.reordered = 0
        self.foreign = 0
        self.malformed = 0

    @property
    def source(self) -> object:
        """Whose packets are accepted, as given to `push`; None before the first."""
        return self._source

    def push(self, data: bytes, now: float, source: object = None) -> bool:
        """Take one datagram from `source` at monotonic `now` seconds; False if it is not of this stream."""
        if len(data) < HEADER_SIZE:
            self.malformed += 1
            return False
        first, second, sequence, stamp, ssrc = _HEADER.unpack_from(data)
        if first & 0xC0 != 0x80 or 192 <= second <= 223:
            self.malformed += 1
            return False
        if (ssrc != self.ssrc or source != self._source) and not self._lock(ssrc, source, now):
            self.foreign += 1
            return False
        payload = data[HEADER_SIZE:] if first == 0x80 else _strip(data, first)
        if payload is None:
            self.malformed += 1
            return False
        self._last_seen = now
        self.received += 1
        self.octets += len(data)
        if stamp != self._last_stamp:
            self._measure(stamp, now)
        if sequence == self._next:
            self._next = following = (sequence + 1) & 0xFFFF
            if not following:
                self._cycles += 1
            self._late_run = 0
            self.ready.append((False, stamp, second >= 0x80, payload))
            if self._held:
                self._release(now)
            return True
        self._out_of_order(sequence, stamp, marker=second >= 0x80, payload=payload, now=now)
        return True

    def tick(self, now: float) -> None:
        """Give up on a packet that is missing for too long, even if nothing else arrives."""
        if self._held and now - self._held_since > MAX_WAIT:
            self._skip(now)

    def stats(self) -> RtpStats:
        expected = self._past + ((self._cycles << 16) + self._next - self._base if self._next >= 0 else 0)
        # What waits for a missing packet was received but is not yet due.
        lost = max(0, expected - (self.received - self.late - len(self._held)))
        return RtpStats(
            received=self.received,
            octets=self.octets,
            expected=expected,
            lost=lost,
            late=self.late,
            reordered=self.reordered,
            foreign=self.foreign,
            malformed=self.malformed,
            jitter=self._jitter / CLOCK_RATE,
            ssrc=self.ssrc,
        )

    def _lock(self, ssrc: int, source: object, now: float) -> bool:
        if self.ssrc is not None:
            silent = now - self._last_seen > RELOCK_AFTER
            better = ssrc == self._expected_ssrc and self.ssrc != self._expected_ssrc
            renumbered = source == self._source and source is not None
            if not (silent or better or renumbered):
                return False
            self._restart(-1)
        self.ssrc = ssrc
        self._source = source
        return True

    def _restart(self, following: int) -> None:
        """Begin a new numbering; what was counted stays counted, what was held is lost."""
        if self._next >= 0:
            self._past += (self._cycles << 16) + self._next - self._base + len(self._held)
        self._cycles = 0
        self._base = max(following, 0)
        self._next = following
        self._held.clear()
        self._late_run = 0
        self._probe = -1
        self._last_stamp = -1

    def _measure(self, stamp: int, now: float) -> None:
        """Interarrival jitter, once per frame: packets of one frame share a timestamp and would only dilute it."""
        transit = now * CLOCK_RATE - stamp
        if self._last_stamp >= 0:
            difference = abs(transit - self._last_transit)
            if difference < CLOCK_RATE * 10:
                self._jitter += (difference - self._jitter) / 16
        self._last_stamp = stamp
        self._last_transit = transit

    def _out_of_order(self, sequence: int, stamp: int, *, marker: bool, payload: bytes, now: float) -> None:
        if self._next < 0:
            fresh = self._past == 0
            self._base = sequence
            self._next = (sequence + 1) & 0xFFFF
            self._cycles = 0 if self._next else 1
            self.ready.append((not fresh, stamp, marker, payload))
            return
        ahead = (sequence - self._next) & 0xFFFF
        if ahead < _MAX_DROPOUT:
            self._late_run = 0
            if sequence in self._held:
                self.late += 1
                return
            if not self._held:
                self._held_since = now
            self._held[sequence] = (stamp, marker, payload)
            if len(self._held) > DEPTH or now - self._held_since > MAX_WAIT:
                self._skip(now)
            return
        behind = 0x10000 - ahead
        if behind <= _MAX_MISORDER:
            self.late += 1
            self._late_run += 1
            if self._late_run < _MAX_LATE_RUN:
                return
        elif sequence != self._probe:
            # A wild number alone may be damage; two in a row are a sender that restarted.
            self.late += 1
            self._probe = (sequence + 1) & 0xFFFF
            return
        self._restart(sequence)
        self._next = (sequence + 1) & 0xFFFF
        self._cycles = 0 if self._next else 1
        self.ready.append((True, stamp, marker, payload))

    def _release(self, now: float) -> None:
        """Append what was held and now follows in order."""
        held = self._held
        following = self._next
        while (entry := held.pop(following, None)) is not None:
            self.reordered += 1
            self.ready.append((False, *entry))
            following = (following + 1) & 0xFFFF
            if not following:
                self._cycles += 1
        self._next = following
        self._held_since = now

    def _skip(self, now: float) -> None:
        """The packets before the oldest held one are lost."""
        following = min(self._held, key=lambda sequence: (sequence - self._next) & 0xFFFF)
        if following < self._next:
            self._cycles += 1
        stamp, marker, payload = self._held.pop(following)
        self._next = (following + 1) & 0xFFFF
        if not self._next:
            self._cycles += 1
        self.ready.append((True, stamp, marker, payload))
        self._release(now)


def _strip(data: bytes, first: int) -> bytes | None:
    """The payload behind contributing sources and header extension and before padding; None if they do not fit."""
    start = HEADER_SIZE + 4 * (first & 0x0F)
    end = len(data)
    if first & 0x10:
        if start + 4 > end:
            return None
        start += 4 + 4 * (data[start + 2] << 8 | data[start + 3])
    if first & 0x20:
        if not data[-1]:
            return None
        end -= data[-1]
    return data[start:end] if start <= end else None
