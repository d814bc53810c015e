"""RTP over TCP: RFC 4571 length framing and, tolerated on input, RTSP `$` interleaving (GB/T 28181-2022 annex D).

Invariant: any input in any chunks yields whole packets or counted losses; nothing is ever raised.
"""

from collections.abc import Iterable

MAX_RESYNC_SCAN = 1 << 20
"""Bytes thrown away in one search for the next frame before the connection is given up."""
_HEADER = 12


def frame_rfc4571(packets: Iterable[bytes]) -> bytes:
    """Prefix each packet with its 16-bit big-endian length and join them for one write."""
    return b"".join(part for packet in packets for part in (len(packet).to_bytes(2, "big"), packet))


class TcpDeframer:
    """Cuts a TCP byte stream into RTP packets and finds its way back when a sender loses the framing.

    The first frame decides between RFC 4571 and `$` interleaving; a length of 0x24xx (9216..9471) is told from `$`
    by where the RTP version stands. `resyncs` counts searches; `broken` is set when a search found nothing for 1 MiB
    and the connection should be closed (Uniview overwrites its send buffer on slow links, reference §15.2).
    """

    __slots__ = ("_buffer", "_payload_type", "_skipped", "_ssrc", "broken", "discarded", "resyncs")

    def __init__(self) -> None:
        self._buffer = b""
        self._ssrc: bytes | None = None
        self._payload_type: int | None = None
        self._skipped = 0
        self.resyncs = 0
        self.discarded = 0
        self.broken = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; give every packet that is now complete, RTCP and other channels left out."""
        buffer = self._buffer + data if self._buffer else data
        size = len(buffer)
        at = 0
        out: list[bytes] = []
        while size - at >= 2:  # noqa: PLR2004 -- the length field
            start, length = self._header(buffer, at, size)
            if start < 0:
                if length:
                    break
                found = self._search(buffer, at + 1)
                self.discarded += found - at
                self._skipped += found - at
                at = found
                if self._skipped > MAX_RESYNC_SCAN:
                    self.broken = True
                    break
                if size - at < 4 + _HEADER:
                    break
                continue
            end = start + length
            if end > size:
                break
            if length >= _HEADER:
                packet = buffer[start:end]
                if not 192 <= packet[1] <= 223:  # noqa: PLR2004 -- RTCP packet types, RFC 5761 §4
                    out.append(packet)
                    self._ssrc = packet[8:12]
                    self._payload_type = packet[1] & 0x7F
                self._skipped = 0
            at = end
        self._buffer = b"" if self.broken else buffer[at:]
        return out

    def _header(self, buffer: bytes, at: int, size: int) -> tuple[int, int]:
        """Where the packet starts and its length; (-1, 1) needs more bytes, (-1, 0) is no frame."""
        if buffer[at] == 0x24:  # noqa: PLR2004 -- "$"
            if size - at < 5:  # noqa: PLR2004 -- version byte of either form
                return -1, 1
            if buffer[at + 2] & 0xC0 != 0x80 or (buffer[at + 4] & 0xC0 == 0x80 and buffer[at + 1] <= 1):  # noqa: PLR2004 -- RTP version 2
                if buffer[at + 4] & 0xC0 == 0x80 and buffer[at + 1] <= 3:  # noqa: PLR2004 -- as above; channels 0..3
                    return at + 4, buffer[at + 2] << 8 | buffer[at + 3]
                return -1, 0
        length = buffer[at] << 8 | buffer[at + 1]
        if length == 0:
            return at + 2, 0
        if length < 4:  # noqa: PLR2004 -- shorter than any RTP or RTCP header
            return -1, 0
        if size - at > 2 and buffer[at + 2] & 0xC0 != 0x80:  # noqa: PLR2004 -- RTP version 2
            return -1, 0
        return at + 2, length

    def _search(self, buffer: bytes, at: int) -> int:
        """The next place that looks like a frame of the stream seen so far; keeps a header's worth of bytes."""
        if self._skipped == 0:
            self.resyncs += 1
        size = len(buffer)
        known = self._ssrc
        if known is None:
            while at < size - (2 + _HEADER):
                if buffer[at + 2] & 0xC0 == 0x80 and 0 < (buffer[at] << 8 | buffer[at + 1]) < 2048:  # noqa: PLR2004 -- a plausible packet
                    return at
                at += 1
            return min(at, size)
        while True:
            place = buffer.find(known, at + 10)
            if place < 0:
                return max(at, size - (4 + _HEADER))
            start = place - 10
            if buffer[start + 2] & 0xC0 == 0x80 and buffer[start + 3] & 0x7F == self._payload_type:  # noqa: PLR2004 -- RTP version 2
                return start
            at = start + 1
