"""Short real clips for media tests: encoded with libx264 and libx265 in memory, cut into Annex B access units."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Literal

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from gongshi.protocols.ps import PsMuxer
from gongshi.protocols.rtp import packetize

FPS = 25
Codec = Literal["h264", "h265"]
TICKS = 90_000 // FPS


@dataclass(frozen=True, slots=True)
class Unit:
    data: bytes
    pts: int
    key: bool


@cache
def clip(codec: Codec, frames: int = 50, width: int = 320, height: int = 240, gop: int = 12) -> tuple[Unit, ...]:
    """Access units of a moving pattern; without B-frames, parameter sets in front of every key frame."""
    name = {"h264": "libx264", "h265": "libx265"}[codec]
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base = Fraction(1, FPS)
    context.framerate = Fraction(FPS)
    context.gop_size = gop
    context.options = {"preset": "ultrafast", "tune": "zerolatency"}
    if codec == "h265":
        # open-gop makes later key frames CRA, as real cameras and encoders do.
        context.options |= {
            "x265-params": f"keyint={gop}:min-keyint={gop}:open-gop=1:bframes=0:repeat-headers=1:log-level=none"
        }
    units: list[Unit] = []

    def take(packets: list[av.Packet]) -> None:
        units.extend(Unit(bytes(packet), (packet.pts or 0) * TICKS, packet.is_keyframe) for packet in packets)

    columns = np.arange(width, dtype=np.int32)[None, :]
    rows = np.arange(height, dtype=np.int32)[:, None]
    for index in range(frames):
        grey = ((columns + rows + 7 * index) % 256).astype(np.uint8)
        frame = VideoFrame.from_ndarray(np.stack([grey, np.roll(grey, 40, 0), grey[::-1]], axis=2), format="rgb24")
        picture = frame.reformat(format="yuv420p")
        picture.pts = index
        take(context.encode(picture))
    take(context.encode(None))
    headers = context.extradata or b""
    if codec == "h264" and not units[0].data.startswith((b"\0\0\0\1\x67", b"\0\0\1\x67")):
        units = [Unit(headers + u.data if u.key else u.data, u.pts, u.key) for u in units]
    return tuple(units)


def packs(codec: Codec, *, chunk: int = 65_000, audio: bool = False, frames: int = 50, **size: int) -> list[bytes]:
    """The clip as program stream packs, one per frame (and one per audio frame)."""
    muxer = PsMuxer(codec, "g711a" if audio else None, chunk=chunk)
    out: list[bytes] = []
    for unit in clip(codec, frames, **size):
        out.append(muxer.frame(unit.data, unit.pts, unit.key))
        if audio:
            out.append(muxer.audio_frame(bytes(range(256)) + bytes(64), unit.pts))
    return out


def packets(
    codec: Codec, ssrc: int = 0x1DCD6501, start: int = 0, *, chunk: int = 65_000, frames: int = 50, gop: int = 12
) -> list[list[bytes]]:
    """The clip as RTP packets, one list per frame."""
    sequence = start
    out: list[list[bytes]] = []
    for pack, unit in zip(packs(codec, chunk=chunk, frames=frames, gop=gop), clip(codec, frames, gop=gop), strict=True):
        frame = packetize(pack, sequence, unit.pts, ssrc)
        sequence = (sequence + len(frame)) & 0xFFFF
        out.append(frame)
    return out
