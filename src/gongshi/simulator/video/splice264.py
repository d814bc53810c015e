"""Exchanging the top slice of H.264 pictures, so that a cached clip can show a running clock.

A clip is encoded once with its pictures cut into slices of three macroblock rows. Motion stays below the first slice,
hence the first slice can be replaced without decoding: by an intra slice with the new time when the second changes, by
a slice of skipped macroblocks in between. Slice data in CAVLC does not depend on the header except for the quantiser,
so the data is copied bit by bit behind a new header (H.264 §7.3.3).
"""

from dataclasses import dataclass, replace

from gongshi.simulator.video.bits import START, BitReader, BitWriter, escape, split_annexb, unescape

SLICE, IDR_SLICE, SPS, PPS = 1, 5, 7, 8
TYPE_P, TYPE_I = 0, 2
_ALL_SAME = 5
"""Slice types from 5 on promise that every slice of the picture has this type; below, slices may be mixed."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What of SPS and PPS decides how a slice header is written."""

    frame_num_bits: int
    init_qp: int
    chroma_offset: int
    deblocking_control: bool


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """A slice header as our encoder writes it: frames, CAVLC, picture order type 2, one reference, no weights."""

    unit: int
    reference: int
    first: int
    kind: int
    frame_num: int
    idr_pic_id: int
    qp: int
    deblocking: tuple[int, ...]


def _require(condition: bool, what: str) -> None:
    if not condition:
        message = f"the encoder wrote a stream that cannot be spliced: {what}"
        raise ValueError(message)


def parameters(units: list[bytes]) -> Parameters:
    """Read the parameter sets of an access unit; raises `ValueError` when they are not what we asked the encoder for."""
    sps = next((BitReader(unescape(unit[1:])) for unit in units if unit[0] & 31 == SPS), None)
    pps = next((BitReader(unescape(unit[1:])) for unit in units if unit[0] & 31 == PPS), None)
    if sps is None or pps is None:
        message = "an access unit without parameter sets"
        raise ValueError(message)
    profile = sps.u(8)
    _require(profile in {66, 77}, f"profile {profile}")
    sps.u(16)
    sps.ue()
    frame_num_bits = sps.ue() + 4
    _require(sps.ue() == 2, "picture order type")
    pps.ue()
    pps.ue()
    _require(pps.u(1) == 0, "CABAC")
    _require(pps.u(1) == 0, "bottom field order")
    _require(pps.ue() == 0, "slice groups")
    _require(pps.ue() == 0, "several references")
    pps.ue()
    _require(pps.u(3) == 0, "weighted prediction")
    init_qp = 26 + pps.se()
    pps.se()
    chroma = pps.se()
    deblocking = bool(pps.u(1))
    _require(pps.u(1) == 0, "constrained intra prediction")
    _require(pps.u(1) == 0, "redundant pictures")
    return Parameters(frame_num_bits, init_qp, chroma, deblocking)


def read(unit: bytes, known: Parameters) -> tuple[SliceHeader, int, int]:
    """The header of a slice, its data as a number and the number of bits of it."""
    kind_of_unit, reference = unit[0] & 31, unit[0] >> 5 & 3
    bits = BitReader(unescape(unit[1:]))
    first = bits.ue()
    kind = bits.ue() % _ALL_SAME
    bits.ue()
    frame_num = bits.u(known.frame_num_bits)
    idr_pic_id = bits.ue() if kind_of_unit == IDR_SLICE else 0
    if kind == TYPE_P:
        if bits.u(1):
            bits.ue()
        _require(bits.u(1) == 0, "reordered references")
    if reference:
        if kind_of_unit == IDR_SLICE:
            bits.u(2)
        else:
            _require(bits.u(1) == 0, "adaptive reference marking")
    qp = known.init_qp + bits.se()
    deblocking: tuple[int, ...] = ()
    if known.deblocking_control:
        deblocking = (bits.ue(),)
        if deblocking[0] != 1:
            deblocking += (bits.se(), bits.se())
    return SliceHeader(kind_of_unit, reference, first, kind, frame_num, idr_pic_id, qp, deblocking), *bits.rest()


def write(header: SliceHeader, known: Parameters, data: int, size: int) -> bytes:
    """A slice as an Annex B unit: this header, then the data. The slice type does not bind other slices."""
    bits = BitWriter().ue(header.first).ue(header.kind).ue(0).u(header.frame_num, known.frame_num_bits)
    if header.unit == IDR_SLICE:
        bits.ue(header.idr_pic_id)
    if header.kind == TYPE_P:
        bits.u(0, 2)
    if header.reference:
        bits.u(0, 2 if header.unit == IDR_SLICE else 1)
    bits.se(header.qp - known.init_qp)
    if known.deblocking_control:
        bits.ue(header.deblocking[0])
        for offset in header.deblocking[1:]:
            bits.se(offset)
    bits.u(data, size)
    return START + bytes((header.reference << 5 | header.unit,)) + escape(bits.close())


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a clip, open at the top: `lead` (parameter sets), the top slice, `tail` (all other slices)."""

    key: bool
    lead: bytes
    top: SliceHeader
    skipped: bytes
    tail: bytes


def open_top(access_unit: bytes, known: Parameters, top_macroblocks: int) -> Frame:
    """Take the top slice off a picture. Raises `ValueError` when the first slice is not exactly the top."""
    units = split_annexb(access_unit)
    slices = [unit for unit in units if unit[0] & 31 in {SLICE, IDR_SLICE}]
    lead = b"".join(START + unit for unit in units if unit[0] & 31 in {SPS, PPS})
    parsed = [read(unit, known) for unit in slices]
    _require(len(parsed) > 1 and parsed[0][0].first == 0 and parsed[1][0].first == top_macroblocks, "slice borders")
    top = parsed[0][0]
    key = top.unit == IDR_SLICE
    tail = b"".join(write(header, known, data, size) for header, data, size in parsed[1:])
    skip = BitWriter().ue(top_macroblocks)
    # A key picture has no skipped macroblocks; its top is always given anew.
    skipped = b"" if key else write(replace(top, kind=TYPE_P), known, *_payload(skip))
    return Frame(key, lead, top, skipped, tail)


def _payload(bits: BitWriter) -> tuple[int, int]:
    reader = BitReader(bits.close())
    return reader.rest()


@dataclass(frozen=True, slots=True)
class Strip:
    """An intra-coded top slice on its own: quantiser and data, ready for any picture of a clip."""

    qp: int
    deblocking: tuple[int, ...]
    data: int
    size: int
    chroma_offset: int


def strip_of(access_unit: bytes) -> Strip:
    """Read the only slice of a strip's access unit."""
    units = split_annexb(access_unit)
    known = parameters(units)
    slices = [unit for unit in units if unit[0] & 31 in {SLICE, IDR_SLICE}]
    _require(len(slices) == 1, "a strip of several slices")
    header, data, size = read(slices[0], known)
    _require(header.kind == TYPE_I, "a strip that is not intra-coded")
    return Strip(header.qp, header.deblocking, data, size, known.chroma_offset)


def close_top(frame: Frame, known: Parameters, strip: Strip | None) -> bytes:
    """The whole picture with a new top, or with the top of the picture before (None; not for key pictures)."""
    if strip is None:
        _require(not frame.key, "a key picture without its top")
        return frame.lead + frame.skipped + frame.tail
    _require(strip.chroma_offset == known.chroma_offset, "different chroma quantisers")
    header = replace(frame.top, kind=TYPE_I, qp=strip.qp, deblocking=strip.deblocking)
    return frame.lead + write(header, known, strip.data, strip.size) + frame.tail
