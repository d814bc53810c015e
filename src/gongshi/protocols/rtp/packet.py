"""One RTP packet (RFC 3550 §5.1): the tolerant header parser and the strict writer (GB/T 28181-2022 annex C)."""

import struct
from typing import NamedTuple

PS_PAYLOAD_TYPE = 96
"""The dynamic payload type that GB/T 28181 gives to PS over RTP (§4.3.6; clock 90 kHz)."""
CLOCK_RATE = 90_000
HEADER_SIZE = 12
MAX_PACKET = 65_535

_HEADER = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")


class RtpPacket(NamedTuple):
    """A parsed packet; `payload` is a copy without padding, header extension and contributing sources."""

    sequence: int
    timestamp: int
    ssrc: int
    payload_type: int
    marker: bool
    payload: bytes


def parse(data: bytes) -> RtpPacket | None:
    """Read one packet; None for anything that is not RTP version 2 (a datagram has no one to complain to).

    RTCP (packet types 192..223 in the second byte) is also answered with None, because devices send it to the
    media port when they ignore the port + 1 recommendation.
    """
    size = len(data)
    if size < HEADER_SIZE or size > MAX_PACKET:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first & 0xC0 != 0x80 or 192 <= second <= 223:
        return None
    start = HEADER_SIZE
    end = size
    if first & 0x3F:
        start += 4 * (first & 0x0F)
        if first & 0x10:
            if start + 4 > size:
                return None
            start += 4 + 4 * _EXTENSION.unpack_from(data, start)[1]
        if first & 0x20:
            padding = data[-1]
            if padding == 0:
                return None
            end -= padding
        if start > end:
            return None
    return RtpPacket(sequence, timestamp, ssrc, second & 0x7F, second >= 0x80, data[start:end])


def packetize(
    payload: bytes,
    seq: int,
    timestamp: int,
    ssrc: int,
    mtu: int = 1400,
    payload_type: int = PS_PAYLOAD_TYPE,
) -> list[bytes]:
    """Cut one frame (a PS pack or several) into RTP packets that share a timestamp; the last has the marker.

    `seq` is the first packet's number; the next frame starts at `(seq + len(result)) & 0xFFFF`. `timestamp` is in
    90 kHz ticks and wraps. `mtu` is the largest packet in bytes, header included.
    """
    room = mtu - HEADER_SIZE
    if room < 1:
        message = f"mtu {mtu} leaves no room behind the {HEADER_SIZE}-byte RTP header"
        raise ValueError(message)
    pack = _HEADER.pack
    stamp = timestamp & 0xFFFFFFFF
    last = len(payload) - room
    return [
        pack(0x80, payload_type | (0x80 if at >= last else 0), (seq + index) & 0xFFFF, stamp, ssrc)
        + payload[at : at + room]
        for index, at in enumerate(range(0, len(payload), room))
    ]
