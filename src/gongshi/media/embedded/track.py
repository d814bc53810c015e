"""From access units to samples: parameter sets out, NAL units length-prefixed, key frames known, times repaired."""

from typing import Final, TypeAlias

from gongshi.media.embedded.pace import Pace
from gongshi.media.embedded.parameter_sets import VideoConfig, h264_config, h265_config
from gongshi.protocols.ps import VideoFrame
from gongshi.protocols.ps.nal import (
    H264_AUD,
    H264_IDR,
    H264_PPS,
    H264_SPS,
    H265_AUD,
    H265_IRAP,
    H265_PPS,
    H265_VPS,
    split,
)

CLOCK: Final = 90_000
_WRAP: Final = 1 << 33
_MAX_STEP: Final = 10 * CLOCK
_NOMINAL: Final = CLOCK // 25
_H264_FILLER: Final = range(10, 13)
_H265_FILLER: Final = range(36, 39)
_MAX_SET: Final = 4096
"""Bytes of one parameter set that is believed; real ones have 10 to 300."""

_Sets: TypeAlias = tuple[list[bytes], list[bytes], list[bytes]]
"""VPS, SPS and PPS of one access unit."""


class Sample:
    """One picture, ready to be muxed. `dts` in 90 kHz ticks since the stream began, `cts` = pts - dts."""

    __slots__ = ("config", "cts", "data", "dts", "duration", "key", "ordinal")

    def __init__(
        self, *, data: bytes, key: bool, dts: int, cts: int, duration: int, ordinal: int, config: VideoConfig
    ) -> None:
        self.data = data
        self.key = key
        self.dts = dts
        self.cts = cts
        self.duration = duration
        self.ordinal = ordinal
        self.config = config

    def annexb(self) -> bytes:
        """With start codes and, for a key frame, its parameter sets in front: what a decoder takes."""
        parts = list(self.config.parameter_sets) if self.key else []
        at = 0
        while at + 4 <= len(self.data):
            size = int.from_bytes(self.data[at : at + 4], "big")
            parts.append(self.data[at + 4 : at + 4 + size])
            at += 4 + size
        return b"".join(b"\x00\x00\x00\x01" + part for part in parts)


class Timeline:
    """Makes sent times usable: they start at 0, go strictly forward, and survive wraps, jumps and standstill."""

    __slots__ = ("_last", "_now", "_step", "pace")

    def __init__(self) -> None:
        self.pace = Pace()
        self._last = -1
        self._now = 0
        self._step = _NOMINAL

    def map(self, dts: int, now: float = 0.0) -> tuple[int, int]:
        """Ticks since the start for a sent decoding time, and the likely duration of the frame."""
        duration = self._step
        if self._last >= 0:
            step = (dts - self._last) % _WRAP
            if 0 < step <= _MAX_STEP:
                self._step = step
            duration = self.pace.step(self._step, now)
            self._now += duration
        self._last = dts
        return self._now, duration


class VideoTrack:
    """Turns the demuxer's frames into samples, from the first key frame with its parameter sets on."""

    def __init__(self) -> None:
        self.config: VideoConfig | None = None
        self.waiting = 0
        """Frames thrown away before the first key frame."""
        self._sets: _Sets = ([], [], [])
        self._timeline = Timeline()
        self._ordinal = 0

    @property
    def pace(self) -> Pace:
        """How fast the frames are meant to be shown."""
        return self._timeline.pace

    def sample(self, frame: VideoFrame, now: float = 0.0) -> Sample | None:
        """The next sample, or None for a frame that shows nothing or cannot be decoded yet.

        `now`, monotonic, is when it arrived; only what is played faster or slower needs it.
        """
        parts: list[bytes] = []
        sets: _Sets = ([], [], [])
        key = False
        if frame.codec == "h264":
            for unit in split(frame.data):
                kind = unit[0] & 0x1F
                if H264_SPS <= kind <= H264_PPS:
                    sets[kind - H264_SPS + 1].append(unit)
                elif kind != H264_AUD and kind not in _H264_FILLER:
                    key = key or kind == H264_IDR
                    parts += (len(unit).to_bytes(4, "big"), unit)
            # Encoders with intra refresh never send an IDR; they put an SPS where decoding may begin.
            key = key or bool(sets[1])
        else:
            for unit in split(frame.data):
                kind = unit[0] >> 1 & 0x3F
                if H265_VPS <= kind <= H265_PPS:
                    sets[kind - H265_VPS].append(unit)
                elif kind != H265_AUD and kind not in _H265_FILLER:
                    key = key or kind in H265_IRAP
                    parts += (len(unit).to_bytes(4, "big"), unit)
        if sets[1] or sets[2]:
            self._learn(frame, sets)
        config = self.config
        if not parts or config is None or config.codec != frame.codec or (not self._ordinal and not key):
            self.waiting += 1
            return None
        dts, duration = self._timeline.map(frame.dts, now)
        cts = (frame.pts - frame.dts) % _WRAP
        cts = round(cts * self.pace.factor) if cts <= _MAX_STEP else 0
        self._ordinal += 1
        return Sample(
            data=b"".join(parts),
            key=key,
            dts=dts,
            cts=cts,
            duration=duration,
            ordinal=self._ordinal,
            config=config,
        )

    def _learn(self, frame: VideoFrame, sets: _Sets) -> None:
        """Take over parameter sets that differ from the known ones; kinds that are missing stay as they were."""
        if any(len(unit) > _MAX_SET for units in sets for unit in units):
            return
        fresh = self.config is None or self.config.codec != frame.codec
        known: _Sets = ([], [], []) if fresh else self._sets
        merged = (sets[0] or known[0], sets[1] or known[1], sets[2] or known[2])
        if not fresh and merged == self._sets:
            return
        vps, sps, pps = merged
        config = None
        if sps and pps:
            config = h264_config(sps, pps) if frame.codec == "h264" else h265_config(vps, sps, pps) if vps else None
        self._sets = merged
        if config is not None:
            self.config = config
