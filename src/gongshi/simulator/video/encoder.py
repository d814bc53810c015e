"""The two encoders of clips: H.264 and H.265, both with a top that can be exchanged for another time of day.

Clips are encoded group by group with fresh encoders, so that groups are independent, can be made in any order and kept
on disk. What is kept are the encoder's own access units; opening them for splicing is quick.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from threading import Lock
from typing import Protocol, SupportsBytes, cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

from gongshi.protocols.ps import VideoCodec
from gongshi.simulator.video import splice264, splice265
from gongshi.simulator.video.bits import START, split_annexb
from gongshi.simulator.video.canvas import Picture

TICKS = 90_000
_FOREVER = 100_000
_GREY = 128


@dataclass(frozen=True, slots=True)
class Format:
    """Picture size in pixels (width a multiple of 32, height of 16) and pictures per second."""

    width: int = 1280
    height: int = 720
    fps: int = 15


class OpenFrame(Protocol):
    """A picture without its top."""

    @property
    def key(self) -> bool: ...


class ClipEncoder(Protocol):
    """What a clip needs of a codec. `Top` values are opaque: they go from `top` to `join`."""

    codec: VideoCodec
    rows: int
    """Rows at the top that can be exchanged."""

    def encode(self, pictures: Iterable[Picture]) -> list[bytes]:
        """One group of pictures that starts with a key picture, as access units fit for keeping."""
        ...

    def open(self, units: list[bytes]) -> list[OpenFrame]:
        """Prepare a group for `join`. Raises `ValueError` when the bytes are not such a group."""
        ...

    def top(self, picture: Picture) -> object:
        """Encode a top; the picture has the full width and `rows` rows."""
        ...

    def join(self, frame: OpenFrame, top: object | None) -> bytes:
        """A whole access unit in Annex B form; without `top` the one before stays (not allowed for key pictures)."""
        ...


def _open(codec: str, width: int, height: int, fps: int, options: dict[str, str]) -> VideoCodecContext:
    context = cast("VideoCodecContext", av.CodecContext.create(codec, "w"))
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.framerate, context.time_base = Fraction(fps), Fraction(1, TICKS)
    context.gop_size, context.max_b_frames, context.thread_count = _FOREVER, 0, 1
    context.options = options
    return context


def _encode(context: VideoCodecContext, frame: av.VideoFrame | None) -> list[bytes]:
    # PyAV's stubs leave the packets' buffer type open; all that is wanted of a packet is its bytes.
    packets = cast("list[SupportsBytes]", context.encode(frame))  # pyright: ignore[reportUnknownMemberType] -- as said
    return [bytes(packet) for packet in packets]


def _run(context: VideoCodecContext, pictures: Iterable[Picture], fps: int) -> list[bytes]:
    units: list[bytes] = []
    for index, picture in enumerate(pictures):
        frame = av.VideoFrame.from_numpy_buffer(picture.data, format="yuv420p")
        frame.pts, frame.time_base = index * TICKS // fps, context.time_base
        units += _encode(context, frame)
    units += _encode(context, None)
    return units


class _TopEncoder:
    """An encoder of single intra pictures that stays open, for one caller at a time."""

    def __init__(self, context: VideoCodecContext) -> None:
        self._context = context
        self._lock = Lock()
        self._count = 0

    def encode(self, picture: Picture) -> bytes:
        with self._lock:
            frame = av.VideoFrame.from_numpy_buffer(picture.data, format="yuv420p")
            self._count += 1
            frame.pts, frame.time_base = self._count * TICKS, self._context.time_base
            return b"".join(_encode(self._context, frame))


@dataclass(frozen=True, slots=True)
class _Open264:
    frame: splice264.Frame
    known: splice264.Parameters

    @property
    def key(self) -> bool:
        return self.frame.key


class H264Encoder:
    """libx264, baseline, one reference, no deblocking, slices of three macroblock rows."""

    codec: VideoCodec = "h264"
    rows = 48

    def __init__(self, form: Format, quality: int = 27) -> None:
        self._form = form
        self._blocks = form.width // 16 * (self.rows // 16)
        self._quality = quality
        self._top = _TopEncoder(self._context(self.rows, "keyint=1"))

    def _context(self, height: int, more: str) -> VideoCodecContext:
        options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "profile": "baseline",
            "crf": str(self._quality),
            "x264-params": f"scenecut=0:sliced-threads=0:colorprim=bt709:transfer=bt709:colormatrix=bt709:{more}",
        }
        return _open("libx264", self._form.width, height, self._form.fps, options)

    def encode(self, pictures: Iterable[Picture]) -> list[bytes]:
        context = self._context(self._form.height, f"slice-max-mbs={self._blocks}")
        return _run(context, pictures, self._form.fps)

    def open(self, units: list[bytes]) -> list[OpenFrame]:
        known = splice264.parameters(split_annexb(units[0]))
        return [_Open264(splice264.open_top(unit, known, self._blocks), known) for unit in units]

    def top(self, picture: Picture) -> splice264.Strip:
        return splice264.strip_of(self._top.encode(picture))

    def join(self, frame: OpenFrame, top: object | None) -> bytes:
        opened = cast("_Open264", frame)
        return splice264.close_top(opened.frame, opened.known, cast("splice264.Strip | None", top))


class H265Encoder:
    """libx265, main, 32 x 32 blocks; top and rest are encoded apart and joined as two slices."""

    codec: VideoCodec = "h265"
    rows = 64
    _block = 32

    def __init__(self, form: Format, quality: int = 30) -> None:
        self._form = form
        self._quality = quality
        across, down = form.width // self._block, -(-form.height // self._block)
        self._address = (across * (self.rows // self._block), (across * down - 1).bit_length())
        whole = _run(self._context(form.height), [_grey(form.width, form.height)], form.fps)
        units = split_annexb(whole[0])
        self._known = splice265.parameters(units)
        sets = {splice265.VPS, splice265.SPS, splice265.PPS}
        self._lead = b"".join(START + unit for unit in units if splice265.kind_of(unit) in sets)
        # The second of two equal grey pictures consists of skipped blocks only.
        still = _run(self._context(self.rows), [_grey(form.width, self.rows)] * 2, form.fps)
        self._skip = splice265.slice_of(still[1], self._known)
        self._top = _TopEncoder(self._context(self.rows, "keyint=1"))

    def _context(self, height: int, more: str = "keyint=-1") -> VideoCodecContext:
        params = (
            "log-level=none:repeat-headers=1:info=0:frame-threads=1:pools=none:no-wpp=1:scenecut=0:bframes=0:"
            "open-gop=0:aq-mode=0:no-sao=1:no-deblock=1:temporal-mvp=0:ref=1:ctu=32:"
            f"colorprim=bt709:transfer=bt709:colormatrix=bt709:{more}"
        )
        options = {"preset": "ultrafast", "tune": "zerolatency", "crf": str(self._quality), "x265-params": params}
        return _open("libx265", self._form.width, height, self._form.fps, options)

    def encode(self, pictures: Iterable[Picture]) -> list[bytes]:
        context = self._context(self._form.height - self.rows)
        return _run(context, (cut(picture, self.rows, picture.height) for picture in pictures), self._form.fps)

    def open(self, units: list[bytes]) -> list[OpenFrame]:
        if splice265.parameters(split_annexb(units[0])) != self._known:
            message = "the group was encoded with other parameters"
            raise ValueError(message)
        return [splice265.open_top(unit, self._known, self._address) for unit in units]

    def top(self, picture: Picture) -> splice265.Strip:
        return splice265.slice_of(self._top.encode(picture), self._known)

    def join(self, frame: OpenFrame, top: object | None) -> bytes:
        strip = self._skip if top is None else cast("splice265.Strip", top)
        return splice265.close_top(cast("splice265.Frame", frame), self._known, self._lead, strip)


def _grey(width: int, height: int) -> Picture:
    return Picture(np.full((height * 3 // 2, width), _GREY, dtype=np.uint8))


def cut(picture: Picture, first: int, end: int) -> Picture:
    """Rows `first` to `end` (even) as a picture of their own."""
    part = Picture(np.empty(((end - first) * 3 // 2, picture.width), dtype=np.uint8))
    part.y[...] = picture.y[first:end]
    part.u[...] = picture.u[first // 2 : end // 2]
    part.v[...] = picture.v[first // 2 : end // 2]
    return part


def make_encoder(codec: VideoCodec, form: Format) -> ClipEncoder:
    """The encoder for a codec. It may be used from several threads."""
    return H264Encoder(form) if codec == "h264" else H265Encoder(form)
