"""What parameter sets say: picture size, and the codec records that FLV and MP4 carry (ISO/IEC 14496-15 §5.3, §8.3).

A parameter set comes from the network. Reading one never raises: a set that does not parse gives size 0 × 0.
"""

from dataclasses import dataclass

from gongshi.protocols.ps import VideoCodec

_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_MAX_SIDE = 16_384


@dataclass(frozen=True, slots=True)
class VideoConfig:
    """How to decode a stream. `record` is the avcC or hvcC, `codec_string` what browsers are asked about."""

    codec: VideoCodec
    width: int
    height: int
    codec_string: str
    record: bytes
    parameter_sets: tuple[bytes, ...]
    """VPS (H.265), SPS and PPS, to put in front of a key frame again."""


class _Bits:
    """Reads an RBSP bit by bit (H.264 §7.2, H.265 §7.2); ValueError behind the end."""

    def __init__(self, unit: bytes) -> None:
        data = unit.replace(b"\x00\x00\x03", b"\x00\x00")
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("parameter set ends early")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def golomb(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("number too long")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        value = self.golomb()
        return (value + 1) // 2 if value & 1 else -(value // 2)


@dataclass(frozen=True, slots=True)
class _Shape:
    width: int = 0
    height: int = 0
    chroma: int = 1
    luma_depth: int = 8
    chroma_depth: int = 8


def _shape(width: int, height: int, chroma: int, depths: tuple[int, int]) -> _Shape:
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        raise ValueError("picture size out of range")
    return _Shape(width, height, chroma, *depths)


def _skip_scaling(bits: _Bits, chroma: int) -> None:
    for index in range(12 if chroma == 3 else 8):
        if not bits.take(1):
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + bits.signed()) % 256
            last = following or last


def _h264_shape(sps: bytes) -> _Shape:
    """H.264 §7.3.2.1.1 up to the cropping."""
    bits = _Bits(sps[1:])
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    chroma, planes, luma_depth, chroma_depth = 1, 0, 8, 8
    if profile in _HIGH_PROFILES:
        chroma = bits.golomb()
        if chroma > 3:
            raise ValueError("chroma format out of range")
        planes = bits.take(1) if chroma == 3 else 0
        luma_depth, chroma_depth = 8 + bits.golomb(), 8 + bits.golomb()
        bits.take(1)
        if bits.take(1):
            _skip_scaling(bits, chroma)
    bits.golomb()
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(min(bits.golomb(), 256)):
            bits.signed()
    bits.golomb()
    bits.take(1)
    columns = bits.golomb() + 1
    rows = bits.golomb() + 1
    frames_only = bits.take(1)
    if not frames_only:
        bits.take(1)
    bits.take(1)
    width, height = columns * 16, rows * 16 * (2 - frames_only)
    if bits.take(1):
        left, right, top, bottom = (bits.golomb() for _ in range(4))
        sub_width = 2 if chroma in {1, 2} and not planes else 1
        sub_height = (2 if chroma == 1 and not planes else 1) * (2 - frames_only)
        width -= sub_width * (left + right)
        height -= sub_height * (top + bottom)
    return _shape(width, height, chroma, (luma_depth, chroma_depth))


def _h265_shape(sps: bytes) -> _Shape:
    """H.265 §7.3.2.2.1 up to the bit depths."""
    bits = _Bits(sps[2:])
    bits.take(4)
    sub_layers = bits.take(3)
    bits.take(1 + 88 + 8)
    present = [(bits.take(1), bits.take(1)) for _ in range(sub_layers)]
    if sub_layers:
        bits.take(2 * (8 - sub_layers))
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    bits.golomb()
    chroma = bits.golomb()
    if chroma > 3:
        raise ValueError("chroma format out of range")
    if chroma == 3:
        bits.take(1)
    width, height = bits.golomb(), bits.golomb()
    if bits.take(1):
        left, right, top, bottom = (bits.golomb() for _ in range(4))
        width -= (2 if chroma in {1, 2} else 1) * (left + right)
        height -= (2 if chroma == 1 else 1) * (top + bottom)
    depths = 8 + bits.golomb(), 8 + bits.golomb()
    return _shape(width, height, chroma, depths)


def h264_config(sps: list[bytes], pps: list[bytes]) -> VideoConfig | None:
    """The configuration of an H.264 stream; None if the first SPS is too short to name a profile."""
    first = sps[0]
    if len(first) < 4 or len(sps) > 31 or len(pps) > 255:
        return None
    try:
        shape = _h264_shape(first)
    except ValueError:
        shape = _Shape()
    record = b"\x01" + first[1:4] + b"\xff" + bytes((0xE0 | len(sps),))
    record += b"".join(len(unit).to_bytes(2, "big") + unit for unit in sps)
    record += bytes((len(pps),)) + b"".join(len(unit).to_bytes(2, "big") + unit for unit in pps)
    if first[1] in {100, 110, 122, 144}:
        depths = shape.luma_depth - 8 & 7, shape.chroma_depth - 8 & 7
        record += bytes((0xFC | shape.chroma & 3, 0xF8 | depths[0], 0xF8 | depths[1], 0))
    return VideoConfig("h264", shape.width, shape.height, f"avc1.{first[1:4].hex()}", record, (*sps, *pps))


def h265_config(vps: list[bytes], sps: list[bytes], pps: list[bytes]) -> VideoConfig | None:
    """The configuration of an H.265 stream; None if the first SPS is too short to name a profile."""
    rbsp = sps[0].replace(b"\x00\x00\x03", b"\x00\x00")
    if len(rbsp) < 15:
        return None
    try:
        shape = _h265_shape(sps[0])
    except ValueError:
        shape = _Shape()
    general = rbsp[3:15]
    depths = shape.luma_depth - 8 & 7, shape.chroma_depth - 8 & 7
    nested = rbsp[2] & 1
    record = b"\x01" + general + b"\xf0\x00\xfc"
    record += bytes((0xFC | shape.chroma & 3, 0xF8 | depths[0], 0xF8 | depths[1], 0, 0, 0x08 | nested << 2 | 0x03))
    arrays = [(32, vps), (33, sps), (34, pps)]
    record += bytes((len(arrays),))
    for kind, units in arrays:
        record += bytes((0x80 | kind,)) + len(units).to_bytes(2, "big")
        record += b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)
    return VideoConfig("h265", shape.width, shape.height, _h265_string(general), record, (*vps, *sps, *pps))


def _h265_string(general: bytes) -> str:
    """ISO/IEC 14496-15 annex E: hvc1, profile, compatibility in reversed bit order, tier and level, constraints."""
    space = ("", "A", "B", "C")[general[0] >> 6]
    flags = int(f"{int.from_bytes(general[1:5], 'big'):032b}"[::-1], 2)
    tier = "H" if general[0] & 0x20 else "L"
    constraints = general[5:11].rstrip(b"\x00")
    parts = ["hvc1", f"{space}{general[0] & 0x1F}", f"{flags:X}", f"{tier}{general[11]}"]
    return ".".join(parts + [f"{byte:X}" for byte in constraints])
