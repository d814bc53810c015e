"""The MPEG program stream writer (ISO/IEC 13818-1 §2.5) in the form that GB/T 28181 annex C sends.

One pack per video frame: pack header, at key frames the system header and the program stream map, then the video PES
packets. Audio goes in packs of its own, with the same clock. The byte vectors of GB/T 28181 reference §15.1 hold here.
"""

from typing import Final, Literal

from gongshi.protocols.ps.nal import VideoCodec

AudioCodec = Literal["g711a", "g711u", "aac"]

VIDEO_STREAM_TYPES: Final[dict[VideoCodec, int]] = {"h264": 0x1B, "h265": 0x24}
AUDIO_STREAM_TYPES: Final[dict[AudioCodec, int]] = {"g711a": 0x90, "g711u": 0x91, "aac": 0x0F}

VIDEO_ID = 0xE0
AUDIO_ID = 0xC0

_PES_OVERHEAD = 8
"""Bytes of a PES packet behind its length field when it carries a PTS: two flag bytes, one length byte, five of PTS."""


def _crc_table() -> tuple[int, ...]:
    table: list[int] = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return tuple(table)


_CRC = _crc_table()


def crc32_mpeg2(data: bytes) -> int:
    """CRC-32/MPEG-2: polynomial 04C11DB7, start FFFFFFFF, nothing reflected, no final XOR."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = ((crc << 8) & 0xFFFFFFFF) ^ _CRC[(crc >> 24) ^ byte]
    return crc


def pack_header(scr: int, mux_rate: int) -> bytes:
    """A 14-byte pack header. `scr` in 90 kHz ticks (33 bits, extension 0), `mux_rate` in units of 50 bytes/s."""
    scr &= 0x1FFFFFFFF
    clock = (
        0x440004000401  # the prefix 01, a marker bit behind each part of the base and behind the zero extension
        | ((scr >> 30) & 0x07) << 43
        | ((scr >> 15) & 0x7FFF) << 27
        | (scr & 0x7FFF) << 11
    )
    rate = ((mux_rate & 0x3FFFFF) << 2 | 0x3).to_bytes(3, "big")
    return b"\x00\x00\x01\xba" + clock.to_bytes(6, "big") + rate + b"\xf8"


def pts_field(pts: int) -> bytes:
    """The five bytes of a PTS that stands alone (prefix 0010). 33 bits, 90 kHz."""
    pts &= 0x1FFFFFFFF
    value = 0x2100010001 | (pts >> 30) << 33 | ((pts >> 15) & 0x7FFF) << 17 | (pts & 0x7FFF) << 1
    return value.to_bytes(5, "big")


def stream_map(video: VideoCodec, audio: AudioCodec | None) -> bytes:
    """The program stream map: stream types of E0 and, with audio, C0; CRC over everything before it."""
    entries = bytes((VIDEO_STREAM_TYPES[video], VIDEO_ID, 0, 0))
    if audio is not None:
        entries += bytes((AUDIO_STREAM_TYPES[audio], AUDIO_ID, 0, 0))
    body = b"\xe0\xff\x00\x00" + len(entries).to_bytes(2, "big") + entries
    head = b"\x00\x00\x01\xbc" + (len(body) + 4).to_bytes(2, "big") + body
    return head + crc32_mpeg2(head).to_bytes(4, "big")


def system_header(mux_rate: int, *, audio: bool) -> bytes:
    """The system header with generous buffer bounds (they are a promise to hardware decoders only)."""
    bound = (0x800001 | (mux_rate & 0x3FFFFF) << 1).to_bytes(3, "big")
    counts = bytes(((1 if audio else 0) << 2, 0xE1, 0x7F))
    streams = bytes((VIDEO_ID, 0xE0 | 0x02, 0x00))
    if audio:
        streams += bytes((AUDIO_ID, 0xC0, 0x40))
    body = bound + counts + streams
    return b"\x00\x00\x01\xbb" + len(body).to_bytes(2, "big") + body


class PsMuxer:
    """Writes one program stream. Not reusable for two streams; needs no closing.

    `chunk` is the largest PES payload; real cameras use 65,000 or about 5,000 bytes.
    """

    def __init__(
        self,
        video: VideoCodec,
        audio: AudioCodec | None = None,
        *,
        mux_rate: int = 20_000,
        chunk: int = 65_000,
    ) -> None:
        if not 1 <= chunk <= 65_535 - _PES_OVERHEAD:
            message = f"chunk {chunk} does not fit the 16-bit PES length"
            raise ValueError(message)
        self._audio = audio
        self._mux_rate = mux_rate
        self._chunk = chunk
        self._tables = system_header(mux_rate, audio=audio is not None) + stream_map(video, audio)

    def frame(self, annexb: bytes, pts90k: int, key: bool) -> bytes:
        """One access unit in Annex B form (with start codes; parameter sets in front of a key frame) as one pack."""
        head = pack_header(pts90k, self._mux_rate)
        if key:
            head += self._tables
        return head + self._pes(VIDEO_ID, annexb, pts90k)

    def audio_frame(self, payload: bytes, pts90k: int) -> bytes:
        """Audio samples (G.711: 8 bytes per millisecond; AAC: one ADTS frame) as a pack of their own."""
        if self._audio is None:
            message = "this stream was announced without audio"
            raise ValueError(message)
        return pack_header(pts90k, self._mux_rate) + self._pes(AUDIO_ID, payload, pts90k)

    def _pes(self, stream_id: int, payload: bytes, pts: int) -> bytes:
        start = b"\x00\x00\x01" + bytes((stream_id,))
        parts: list[bytes] = []
        for at in range(0, len(payload), self._chunk):
            piece = payload[at : at + self._chunk]
            # Continuations repeat the PTS: receivers that treat a PES without one as noise still work.
            parts += (start, (len(piece) + _PES_OVERHEAD).to_bytes(2, "big"), b"\x80\x80\x05", pts_field(pts), piece)
        return b"".join(parts)
