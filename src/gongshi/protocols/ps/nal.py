"""NAL units of H.264 (ITU-T H.264 §7.4.1) and H.265 (ITU-T H.265 §7.4.2): splitting, naming, sniffing."""

from typing import Final, Literal

VideoCodec = Literal["h264", "h265"]

H264_IDR, H264_SEI, H264_SPS, H264_PPS, H264_AUD = 5, 6, 7, 8, 9
H265_VPS, H265_SPS, H265_PPS, H265_AUD = 32, 33, 34, 35
H265_IRAP: Final = range(16, 22)
"""BLA, IDR and CRA: every one starts a GOP. Open-GOP encoders send CRA (21) only, never IDR."""

_BEFORE_SETS: Final = frozenset({0x09, 0x06, 0x46, 0x4E, 0x68, 0x48, 0x28})
"""First bytes of what may stand before an SPS or VPS: delimiters and SEI of either codec, a PPS sent first."""

MAX_NALS: Final = 512
"""NAL units looked at in one access unit; more is hostile."""


def split(annexb: bytes) -> list[bytes]:
    """The NAL units between the start codes, without them and without trailing zeros; empty units left out."""
    # Backwards, because CPython searches bytes from the end twice as fast, and this search is what muxing costs most.
    units: list[bytes] = []
    search = annexb.rfind
    end = len(annexb)
    while len(units) < MAX_NALS and (start := search(b"\x00\x00\x01", 0, end)) >= 0:
        # The zero byte of a four-byte start code, and cabac_zero_words, belong to nobody.
        unit = annexb[start + 3 : end].rstrip(b"\x00")
        if unit:
            units.append(unit)
        end = start
    units.reverse()
    return units


def sniff(data: bytes) -> VideoCodec | None:
    """Tell the codec by the first parameter set near the front; None if there is none (wait for a key frame).

    H.265 headers have two bytes, and layer 0 with temporal id 0 makes the second one 01; an H.264 SPS has type 7 in
    its low five bits, which as H.265 would be a reserved type.
    """
    at = data.find(b"\x00\x00\x01", 0, 512)
    while at >= 0 and at + 4 < len(data):
        first, second = data[at + 3], data[at + 4]
        if first in {0x40, 0x42, 0x44} and second == 1:
            return "h265"
        if first in {0x67, 0x47, 0x27}:
            return "h264"
        if first not in _BEFORE_SETS:
            return None
        at = data.find(b"\x00\x00\x01", at + 3, at + 4096)
    return None
