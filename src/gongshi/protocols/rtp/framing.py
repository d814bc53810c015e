"""RTP over TCP: RFC 4571 length framing and, tolerated on input, RTSP `$` interleaving (GB/T 28181-2022 annex D).

Invariant: any input in any chunks yields whole packets or counted losses; nothing is ever raised.
"""

from collections.abc import Iterable
from typing import Final

from gongshi.protocols.rtp.packet import HEADER_SIZE

MAX_RESYNC_SCAN: Final = 1 << 20
"""Bytes thrown away in one search for the next frame before the connection is given up."""

_DOLLAR = 0x24
_CHANNELS = 4
_VERSION_MASK, _VERSION_2 = 0xC0, 0x80
_LEAST = 4
"""No RTP or RTCP packet is shorter."""
_PLAUSIBLE = 2048
"""A packet that a search without a known SSRC believes in."""
_NEED_MORE: Final = (-1, 1)
_NO_FRAME: Final = (-1, 0)


def frame_rfc4571(packets: Iterable[bytes]) -> bytes:
    """Prefix each packet with its 16-bit big-endian length and join them for one write."""
    return b"".join(part for packet in packets for part in (len(packet).to_bytes(2, "big"), packet))


class TcpDeframer:
    """Cuts a TCP byte stream into RTP packets and finds its way back when a sender loses the framing.

    A frame may use either form at any time; a length of 0x2400..0x2403 is told from `$` by where the RTP version
    stands. `resyncs` counts searches, `discarded` the bytes thrown away; `broken` is set when a search found nothing
    for 1 MiB and the connection should be closed (Uniview overwrites its send buffer on slow links, Q-34).
    """

    __slots__ = ("_buffer", "_payload_type", "_prefix", "_skipped", "_ssrc", "broken", "discarded", "resyncs")

    def __init__(self) -> None:
        self._buffer = b""
        self._ssrc = b""
        self._payload_type = -1
        self._prefix = 2
        self._skipped = 0
        self.resyncs = 0
        self.discarded = 0
        self.broken = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; give every RTP packet that is now complete (RTCP is left out)."""
        buffer = self._buffer + data if self._buffer else data
        size = len(buffer)
        at = 0
        packets: list[bytes] = []
        while size - at > _LEAST:
            start, length = self._header(buffer, at, size)
            if start < 0:
                if length:
                    break
                at = self._search(buffer, at)
                if self._skipped > MAX_RESYNC_SCAN:
                    self.broken = True
                    at = size
                if size - at < _LEAST + HEADER_SIZE:
                    break
                continue
            end = start + length
            if end > size:
                break
            if length >= HEADER_SIZE and not 192 <= buffer[start + 1] <= 223:
                packet = buffer[start:end]
                packets.append(packet)
                self._ssrc = packet[8:12]
                self._payload_type = packet[1] & 0x7F
                self._prefix = start - at
            self._skipped = 0
            at = end
        self._buffer = buffer[at:]
        return packets

    def _header(self, buffer: bytes, at: int, size: int) -> tuple[int, int]:
        """Where the packet at `at` starts and its length."""
        start = at + 2
        if buffer[at] == _DOLLAR and buffer[start] & _VERSION_MASK != _VERSION_2:
            if buffer[at + 1] >= _CHANNELS:
                return _NO_FRAME
            start = at + 4
        length = buffer[start - 2] << 8 | buffer[start - 1]
        if length == 0:
            return start, 0
        if length < _LEAST or buffer[start] & _VERSION_MASK != _VERSION_2:
            return _NO_FRAME
        if self._ssrc and length >= HEADER_SIZE:
            if size < start + HEADER_SIZE:
                return _NEED_MORE
            if buffer[start + 8 : start + 12] != self._ssrc and not 192 <= buffer[start + 1] <= 223:
                return self._stranger(buffer, start, length)
        return start, length

    def _stranger(self, buffer: bytes, start: int, length: int) -> tuple[int, int]:
        """A frame of another SSRC: a restarted sender if a frame follows it; a wild length if it spans known packets."""
        if self._skipped:
            return _NO_FRAME
        end = start + length
        if buffer.find(self._ssrc, start + HEADER_SIZE, end) >= 0:
            return _NO_FRAME
        if len(buffer) < end + 5:
            return _NEED_MORE
        follows = buffer[end + 2] & _VERSION_MASK == _VERSION_2 or (
            buffer[end] == _DOLLAR and buffer[end + 4] & _VERSION_MASK == _VERSION_2
        )
        return (start, length) if follows else _NO_FRAME

    def _search(self, buffer: bytes, at: int) -> int:
        """The next place that looks like a frame of the stream seen so far; keeps what may be half a header."""
        if not self._skipped:
            self.resyncs += 1
        found = self._known(buffer, at + 1) if self._ssrc else self._any(buffer, at + 1)
        self._skipped += found - at
        self.discarded += found - at
        return found

    def _known(self, buffer: bytes, at: int) -> int:
        ahead = self._prefix + 8
        while True:
            place = buffer.find(self._ssrc, at + ahead)
            if place < 0:
                return max(at, len(buffer) - (ahead + 3))
            start = place - 8
            if buffer[start] & _VERSION_MASK == _VERSION_2 and buffer[start + 1] & 0x7F == self._payload_type:
                return place - ahead
            at = place - ahead + 1

    @staticmethod
    def _any(buffer: bytes, at: int) -> int:
        last = len(buffer) - _LEAST
        while at < last:
            if buffer[at + 2] & _VERSION_MASK == _VERSION_2 and (
                HEADER_SIZE <= (buffer[at] << 8 | buffer[at + 1]) < _PLAUSIBLE
            ):
                return at
            at += 1
        return at
