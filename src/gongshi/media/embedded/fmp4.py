"""Fragmented MP4 for live video: an initialisation segment, then one fragment per picture (ISO/IEC 14496-12 §8.8).

Time scale 90 kHz. Sans-IO.
"""

import struct

from gongshi.media.embedded.parameter_sets import VideoConfig
from gongshi.media.embedded.track import CLOCK, Sample

_MATRIX = struct.pack("!9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_SYNC, _NON_SYNC = 0x02000000, 0x01010000
"""Sample flags: depends on nothing; depends on others and is no sync sample."""

# moof(mfhd, traf(tfhd, tfdt v1, trun v1 with one sample)) and the mdat header have a fixed size.
_FRAGMENT = struct.Struct("!I4s I4sII I4s I4sII I4sIQ I4sII i IIIi I4s")
_MOOF_SIZE = _FRAGMENT.size - 8
_TRAF_SIZE = _MOOF_SIZE - 8 - 16
_TRUN_SIZE = 36


def content_type(config: VideoConfig) -> str:
    return f'video/mp4; codecs="{config.codec_string}"'


def _box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return (len(body) + 8).to_bytes(4, "big") + name + body


def _full(name: bytes, flags: int, *parts: bytes) -> bytes:
    return _box(name, flags.to_bytes(4, "big"), *parts)


def init(config: VideoConfig) -> bytes:
    """Ftyp and moov for one video track."""
    size = struct.pack("!HH", config.width, config.height)
    entry_name, record_name = (b"avc1", b"avcC") if config.codec == "h264" else (b"hvc1", b"hvcC")
    entry = _box(
        entry_name,
        bytes(6) + b"\x00\x01" + bytes(16) + size,
        struct.pack("!IIIH", 0x480000, 0x480000, 0, 1) + bytes(32) + b"\x00\x18\xff\xff",
        _box(record_name, config.record),
    )
    table = _box(
        b"stbl",
        _full(b"stsd", 0, b"\x00\x00\x00\x01", entry),
        _full(b"stts", 0, bytes(4)),
        _full(b"stsc", 0, bytes(4)),
        _full(b"stsz", 0, bytes(8)),
        _full(b"stco", 0, bytes(4)),
    )
    references = _box(b"dinf", _full(b"dref", 0, b"\x00\x00\x00\x01", _full(b"url ", 1)))
    media = _box(
        b"mdia",
        _full(b"mdhd", 0, struct.pack("!IIIIHH", 0, 0, CLOCK, 0, 0x55C4, 0)),
        _full(b"hdlr", 0, bytes(4) + b"vide" + bytes(12) + b"video\x00"),
        _box(b"minf", _full(b"vmhd", 1, bytes(8)), references, table),
    )
    header = struct.pack("!IIIIIQHHHH", 0, 0, 1, 0, 0, 0, 0, 0, 0, 0)
    track = _box(
        b"trak",
        _full(b"tkhd", 3, header, _MATRIX, struct.pack("!II", config.width << 16, config.height << 16)),
        media,
    )
    movie = _box(
        b"moov",
        _full(
            b"mvhd",
            0,
            struct.pack("!IIIIIH", 0, 0, CLOCK, 0, 0x10000, 0x100),
            bytes(10),
            _MATRIX,
            bytes(24),
            b"\0\0\0\2",
        ),
        track,
        _box(b"mvex", _full(b"trex", 0, struct.pack("!IIIII", 1, 1, 0, 0, 0))),
    )
    return _box(b"ftyp", b"iso6\x00\x00\x00\x00iso6mp41dash") + movie


def fragment(sample: Sample) -> bytes:
    """One picture as moof and mdat. The duration is the previous picture's: waiting for the true one costs a frame."""
    head = _FRAGMENT.pack(
        _MOOF_SIZE, b"moof",
        16, b"mfhd", 0, sample.ordinal & 0xFFFFFFFF,
        _TRAF_SIZE, b"traf",
        16, b"tfhd", 0x020000, 1,
        20, b"tfdt", 0x01000000, sample.dts,
        _TRUN_SIZE, b"trun", 0x01000F01, 1,
        _MOOF_SIZE + 8,
        sample.duration, len(sample.data), _SYNC if sample.key else _NON_SYNC, sample.cts,
        len(sample.data) + 8, b"mdat",
    )  # fmt: skip
    return head + sample.data
