"""FLV for live video (Adobe FLV 10.1 annex E; H.265 as Enhanced RTMP v1 with fourcc hvc1). Sans-IO."""

import struct

from gongshi.media.embedded.parameter_sets import VideoConfig
from gongshi.media.embedded.track import Sample

CONTENT_TYPE = "video/x-flv"

_TAG = struct.Struct("!BHBHBBxxx")
_VIDEO, _AUDIO = 9, 8
_ALAW_8K_MONO = b"\x72"
"""Sound format 7 (G.711 A-law), 16-bit, mono."""
_MAX_TAG = 0xFFFFFF


def _tag(kind: int, milliseconds: int, head: bytes, body: bytes) -> bytes:
    size = len(head) + len(body)
    header = _TAG.pack(
        kind,
        size >> 8,
        size & 0xFF,
        milliseconds >> 8 & 0xFFFF,
        milliseconds & 0xFF,
        milliseconds >> 24 & 0x7F,
    )
    return b"".join((header, head, body, (size + 11).to_bytes(4, "big")))


def header(config: VideoConfig, *, audio: bool = False, dts: int = 0) -> bytes:
    """The file header and the decoder configuration.

    `audio` may be True only if audio tags will follow, because players wait for them.
    """
    start = b"FLV\x01" + (b"\x05" if audio else b"\x01") + b"\x00\x00\x00\x09\x00\x00\x00\x00"
    return start + configuration(config, dts)


def configuration(config: VideoConfig, dts: int) -> bytes:
    """The decoder configuration again, where it changes in the middle of a stream."""
    head = b"\x17\x00\x00\x00\x00" if config.codec == "h264" else b"\x90hvc1"
    return _tag(_VIDEO, dts // 90, head, config.record)


def video(sample: Sample) -> bytes:
    """One picture as a tag; empty for a picture that does not fit the 24-bit size."""
    if len(sample.data) > _MAX_TAG - 16:
        return b""
    cts = (sample.cts // 90).to_bytes(3, "big")
    if sample.config.codec == "h264":
        head = (b"\x17\x01" if sample.key else b"\x27\x01") + cts
    else:
        head = (b"\x91hvc1" if sample.key else b"\xa1hvc1") + cts
    return _tag(_VIDEO, sample.dts // 90, head, sample.data)


def alaw(payload: bytes, dts: int) -> bytes:
    """G.711 A-law samples at 8 kHz as a tag."""
    return _tag(_AUDIO, dts // 90, _ALAW_8K_MONO, payload)
