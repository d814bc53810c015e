"""The program stream reader: bytes cut anywhere in, access units out (GB/T 28181-2022 annex C, ISO/IEC 13818-1 §2.5).

Invariant: any input, whole or in any chunks, yields frames or counted damage; nothing is ever raised and no more than
`MAX_FRAME` bytes are held.

Program stream start codes are 000001B9 and above; an elementary stream of H.264 or H.265 never contains one, because
a NAL header has its first bit clear. So a reader that lost its place can look for the next one without doubt.
"""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from gongshi.protocols.ps.nal import VideoCodec, sniff

MAX_FRAME: Final = 4 << 20
"""Bytes of one access unit; a 4K key frame stays under 2 MB."""
MAX_AUDIO: Final = 64 << 10

AudioKind = Literal["g711a", "g711u", "g722.1", "g723.1", "g729", "svac", "aac"]

AUDIO_TYPES: Final[dict[int, AudioKind]] = {
    0x90: "g711a",
    0x91: "g711u",
    0x92: "g722.1",
    0x93: "g723.1",
    0x99: "g729",
    0x9B: "svac",
    0x0F: "aac",
}
VIDEO_TYPES: Final[dict[int, VideoCodec]] = {0x1B: "h264", 0x24: "h265"}
_FOREIGN_VIDEO: Final = {0x10: "mpeg4", 0x80: "svac"}

_PACK, _SYSTEM, _MAP, _END, _PADDING = 0xBA, 0xBB, 0xBC, 0xB9, 0xBE
_START: Final = b"\x00\x00\x01"
_AUDIO_IDS: Final = range(0xC0, 0xE0)
_VIDEO_IDS: Final = range(0xE0, 0xF0)
_HEADER_MAX: Final = 9 + 255
"""Six bytes of start code and length, three of flags, the optional fields."""


class VideoFrame(NamedTuple):
    """One access unit in Annex B form. Times in 90 kHz ticks as sent (33 bits, or the 32 of RTP when PES has none)."""

    codec: VideoCodec
    pts: int
    dts: int
    data: bytes


class AudioFrame(NamedTuple):
    """The payload of one audio PES; `codec` as the stream map says, None without a map."""

    codec: AudioKind | None
    pts: int
    data: bytes


@dataclass(slots=True)
class PsStats:
    """What went wrong and what was skipped."""

    frames: int = 0
    audio_frames: int = 0
    damaged: int = 0
    resyncs: int = 0
    oversized: int = 0
    unknown: int = 0
    """Elements of a kind that is not known here."""
    unidentified: int = 0
    """Frames whose codec cannot be told before the first map or parameter set: they wait for a key frame."""
    foreign_codec: str | None = None


class PsDemuxer:
    """Reads one program stream. Feed payloads in order; call `lost` where packets are missing.

    A frame is given out when the sender says that it is whole (`end`, the RTP marker) or when the next one begins.
    Senders that set the marker inside a frame are found out once and then no longer believed.
    """

    def __init__(self) -> None:
        self.codec: VideoCodec | None = None
        self.audio_codec: AudioKind | None = None
        self.stats = PsStats()
        self._tail: bytes = b""
        self._searching = False
        self._stream_id = 0
        self._remaining = 0
        self._open_ended = False
        self._plain = False
        self._parts: list[bytes] = []
        self._size = 0
        self._pts = -1
        self._dts = -1
        self._new_pack = False
        self._damaged = False
        self._given_pts = -1
        self._trust_end = True
        self._audio: list[bytes] = []
        self._audio_size = 0
        self._audio_pts = -1
        self._stamp = 0
        self._video_types: dict[int, VideoCodec | None] = {}
        self._audio_types: dict[int, AudioKind] = {}
        self._out: list[VideoFrame | AudioFrame] = []

    @property
    def pending(self) -> bool:
        """Whether a frame is held that an `end` could give out."""
        return bool(self._parts)

    def feed(self, data: bytes, timestamp: int = 0, *, end: bool = False) -> list[VideoFrame | AudioFrame]:
        """Take the next payload bytes, sent with RTP `timestamp`; give the frames that are now complete."""
        size = len(data)
        if self._plain and size < self._remaining:
            # Most packets lie in the middle of a video PES: nothing to read, nothing to give.
            self._remaining -= size
            self._size += size
            self._parts.append(data)
            return []
        self._stamp = timestamp
        if self._tail:
            data = self._tail + data
            self._tail = b""
            size = len(data)
        at = 0
        while at < size:
            if self._remaining:
                take = min(self._remaining, size - at)
                self._keep(data if take == size else data[at : at + take])
                self._remaining -= take
                at += take
                if not self._remaining:
                    self._close_pes()
            elif self._open_ended:
                at = self._until_start_code(data, at)
                if at < 0:
                    break
            else:
                following = self._element(data, at, size)
                if following < 0:
                    self._tail = data[at:]
                    break
                at = following
        if end and self._trust_end and not self._remaining and self._parts:
            if self._open_ended:
                self._keep(self._tail)
                self._tail = b""
                self._open_ended = False
            if not self._tail:
                self._give()
        frames, self._out = self._out, []
        return frames

    def lost(self) -> None:
        """Packets before the next payload are missing: drop the frame in progress and look for the next start code."""
        self._tail = b""
        if self._parts or self._remaining or self._open_ended:
            self.stats.damaged += 1
        self._damaged = bool(self._parts) or self._stream_id in _VIDEO_IDS
        self._remaining = 0
        self._plain = False
        self._open_ended = False
        self._audio.clear()
        self._audio_size = 0
        self._searching = True

    def _element(self, data: bytes, at: int, size: int) -> int:
        """Read what begins at `at`; where to go on, or -1 when the rest of it has not arrived."""
        if data[at : at + 3] != _START or (size - at > 3 and data[at + 3] < _END):
            if size - at < 4 and _START.startswith(data[at : at + 3]):
                return -1
            return self._resync(data, at, size)
        if size - at < 6:
            return -1
        self._searching = False
        code = data[at + 3]
        if code == _PACK:
            return self._pack(data, at, size)
        if code == _END:
            return at + 4
        length = data[at + 4] << 8 | data[at + 5]
        if code in _VIDEO_IDS or code in _AUDIO_IDS:
            return self._pes(data, at, size, length)
        # System header, map, private streams, padding: skipped by length.
        end = at + 6 + length
        if end > size:
            return -1
        if code == _MAP:
            self._map(data, at + 6, end)
        elif code not in {_SYSTEM, _PADDING, 0xBD, 0xBF}:
            self.stats.unknown += 1
        return end

    def _resync(self, data: bytes, at: int, size: int) -> int:
        if not self._searching:
            self._searching = True
            self.stats.resyncs += 1
        place = at + 1
        while True:
            place = data.find(_START, place)
            if place < 0:
                # The last three bytes may be the beginning of a start code.
                self._tail = data[max(at + 1, size - 3) :]
                return size
            if place + 3 >= size:
                self._tail = data[place:]
                return size
            if data[place + 3] >= _END:
                return place
            place += 3

    def _pack(self, data: bytes, at: int, size: int) -> int:
        if size - at < 5:
            return -1
        self._new_pack = True
        if data[at + 4] >> 4 == 2:
            return at + 12 if size - at >= 12 else -1
        if size - at < 14:
            return -1
        end = at + 14 + (data[at + 13] & 0x07)
        return end if end <= size else -1

    def _map(self, data: bytes, at: int, end: int) -> None:
        """Learn the stream types. The CRC is not checked: Dahua sends wrong ones (Q-35)."""
        if end - at < 10:
            return
        at += 4 + (data[at + 2] << 8 | data[at + 3])
        if at + 2 > end:
            return
        stop = min(end - 4, at + 2 + (data[at] << 8 | data[at + 1]))
        at += 2
        while at + 4 <= stop:
            kind, stream_id = data[at], data[at + 1]
            if stream_id in _VIDEO_IDS:
                self._video_types[stream_id] = VIDEO_TYPES.get(kind)
                if kind in _FOREIGN_VIDEO:
                    self.stats.foreign_codec = _FOREIGN_VIDEO[kind]
            elif kind in AUDIO_TYPES:
                self._audio_types[stream_id] = AUDIO_TYPES[kind]
                self.audio_codec = AUDIO_TYPES[kind]
            at += 4 + (data[at + 2] << 8 | data[at + 3])

    def _pes(self, data: bytes, at: int, size: int, length: int) -> int:
        """Read a PES header and open its payload."""
        if size - at < 9:
            return -1
        payload = at + 9 + data[at + 8]
        if payload > size:
            return -1
        stream_id = data[at + 3]
        left = length - 3 - data[at + 8]
        if data[at + 6] >> 6 != 2 or (length and left < 0):
            self.stats.unknown += 1
            return at + 4
        flags = data[at + 7] >> 6
        pts = dts = -1
        if flags >= 2 and data[at + 8] >= 5:
            pts = dts = _timestamp(data, at + 9)
            if flags == 3 and data[at + 8] >= 10:
                dts = _timestamp(data, at + 14)
        if stream_id in _VIDEO_IDS:
            self._open_video(data, payload, pts, dts)
        else:
            self._audio_pts = pts if pts >= 0 else self._stamp
            self._audio.clear()
            self._audio_size = 0
        self._stream_id = stream_id
        self._open_ended = length == 0
        self._remaining = max(left, 0)
        self._plain = stream_id in _VIDEO_IDS and not self._damaged and self._size + self._remaining <= MAX_FRAME
        if length and not left:
            self._close_pes()
        return payload

    def _open_video(self, data: bytes, payload: int, pts: int, dts: int) -> None:
        """A video PES begins: does it begin a new access unit?"""
        if pts >= 0:
            begins = pts != self._pts
        else:
            begins = self._new_pack and data[payload : payload + 3] in {_START, b"\x00\x00\x00"}
            if begins or self._pts < 0:
                pts = dts = self._stamp
        if not begins and not self._parts and not self._damaged and pts in {-1, self._given_pts}:
            # The frame was given out at a marker that stood inside it.
            self._trust_end = False
        self._new_pack = False
        if begins:
            self._give()
            self._damaged = False
            self._pts, self._dts = pts, dts
        elif self._pts < 0:
            self._pts, self._dts = pts, dts

    def _until_start_code(self, data: bytes, at: int) -> int:
        """Keep the bytes of a PES without length up to the next start code; -1 when it is not here yet."""
        place = at
        while True:
            place = data.find(_START, place)
            if place < 0 or place + 3 >= len(data):
                cut = max(at, len(data) - 3) if place < 0 else place
                self._keep(data[at:cut])
                self._tail = data[cut:]
                return -1
            if data[place + 3] >= _END:
                self._keep(data[at:place])
                self._open_ended = False
                self._close_pes()
                return place
            place += 3

    def _keep(self, piece: bytes) -> None:
        if self._stream_id in _VIDEO_IDS:
            self._size += len(piece)
            if self._size > MAX_FRAME:
                if self._parts:
                    self.stats.oversized += 1
                self._parts.clear()
                self._damaged = True
                return
            if not self._damaged:
                self._parts.append(piece)
        elif self._audio_size + len(piece) <= MAX_AUDIO:
            self._audio.append(piece)
            self._audio_size += len(piece)

    def _close_pes(self) -> None:
        if self._stream_id in _AUDIO_IDS and self._audio:
            codec = self._audio_types.get(self._stream_id)
            self._out.append(AudioFrame(codec, self._audio_pts, b"".join(self._audio)))
            self.stats.audio_frames += 1
            self._audio.clear()
            self._audio_size = 0

    def _give(self) -> None:
        """Give out the access unit in progress, unless it is damaged or of an unknown codec."""
        parts = self._parts
        self._size = 0
        if not parts:
            return
        self._parts = []
        if self._damaged:
            return
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self._given_pts = self._pts
        # The content outranks the map, which some devices get wrong; without either the frame cannot be used.
        codec = sniff(data) or self.codec or self._mapped()
        if codec is None:
            self.stats.unidentified += 1
            return
        self.codec = codec
        self.stats.frames += 1
        self._out.append(VideoFrame(codec, self._pts, self._dts, data))

    def _mapped(self) -> VideoCodec | None:
        return next((codec for codec in self._video_types.values() if codec is not None), None)


def _timestamp(data: bytes, at: int) -> int:
    """33 bits in five bytes with three markers between; the markers and the prefix are not checked."""
    return (
        (data[at] >> 1 & 0x07) << 30
        | data[at + 1] << 22
        | (data[at + 2] >> 1) << 15
        | data[at + 3] << 7
        | data[at + 4] >> 1
    )
