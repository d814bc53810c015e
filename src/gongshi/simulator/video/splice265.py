"""Joining H.265 pictures from two encoders, so that a cached clip can show a running clock.

The top (two rows of 32 x 32 blocks) and everything below it are encoded apart, as pictures of their own, and become the
two slices of one picture: slices do not predict from each other inside a picture, and the arithmetic coder starts anew
in each. Only the slice headers are written again; their data starts at a byte border and is copied (H.265 §7.3.6).
Between two changes of the clock the top is a slice of skipped blocks, taken from the encoder as it repeats a picture.
"""

from dataclasses import dataclass, replace

from gongshi.simulator.video.bits import START, BitReader, BitWriter, escape, split_annexb, unescape

VPS, SPS, PPS = 32, 33, 34
FIRST_IRAP, LAST_IRAP = 16, 21
IDR = (19, 20)
TYPE_P, TYPE_I = 1, 2
MAX_KEPT = 4
"""Pictures a decoder may be told to keep; the encoder keeps more than it uses."""


def _require(condition: bool, what: str) -> None:
    if not condition:
        message = f"the encoder wrote a stream that cannot be spliced: {what}"
        raise ValueError(message)


def kind_of(unit: bytes) -> int:
    """The NAL unit type."""
    return unit[0] >> 1 & 63


@dataclass(frozen=True, slots=True)
class Parameters:
    """What of SPS and PPS decides how a slice header is written."""

    poc_bits: int
    init_qp: int
    cabac_init: bool
    slice_chroma: bool
    deblocking_control: bool
    deblocking_override: bool
    deblocking_off: bool
    across_slices: bool


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """A slice header as our encoders write it: no SAO, no motion from other pictures, one reference, no entry points.

    `order` holds picture order count and reference set as (value, bits), absent in an IDR picture.
    """

    unit: bytes
    kind: int
    order: tuple[int, int]
    inter: tuple[int, int]
    qp: int
    deblocking_off: bool


def _read_sps(bits: BitReader) -> int:
    _require(bits.u(8) >> 1 & 7 == 0, "temporal layers")
    bits.u(96)
    bits.ue()
    _require(bits.ue() == 1, "chroma format")
    bits.ue()
    bits.ue()
    if bits.u(1):
        for _ in range(4):
            bits.ue()
    bits.ue()
    bits.ue()
    poc_bits = bits.ue() + 4
    bits.u(1)
    for _ in range(9):
        bits.ue()
    _require(bits.u(1) == 0, "scaling lists")
    bits.u(1)
    _require(bits.u(2) == 0, "SAO or PCM")
    _require(bits.ue() == 0, "reference sets in the SPS")
    _require(bits.u(2) == 0, "long-term references or temporal motion")
    return poc_bits


def parameters(units: list[bytes]) -> Parameters:
    """Read the parameter sets of an access unit; raises `ValueError` when they are not what we asked the encoder for."""
    sps = next((BitReader(unescape(unit[2:])) for unit in units if kind_of(unit) == SPS), None)
    bits = next((BitReader(unescape(unit[2:])) for unit in units if kind_of(unit) == PPS), None)
    if sps is None or bits is None:
        message = "an access unit without parameter sets"
        raise ValueError(message)
    poc_bits = _read_sps(sps)
    bits.ue()
    bits.ue()
    _require(bits.u(5) == 0, "dependent slices, output flags or extra header bits")
    bits.u(1)
    cabac_init = bool(bits.u(1))
    _require(bits.ue() == 0, "several references")
    bits.ue()
    init_qp = 26 + bits.se()
    bits.u(2)
    if bits.u(1):
        bits.ue()
    bits.se()
    bits.se()
    slice_chroma = bool(bits.u(1))
    _require(bits.u(2) == 0, "weighted prediction")
    bits.u(1)
    _require(bits.u(2) == 0, "tiles or wavefronts")
    across = bool(bits.u(1))
    control = bool(bits.u(1))
    override = off = False
    if control:
        override, off = bool(bits.u(1)), bool(bits.u(1))
        if not off:
            bits.se()
            bits.se()
    _require(bits.u(2) == 0, "scaling lists or list modification")
    return Parameters(poc_bits, init_qp, cabac_init, slice_chroma, control, override, off, across)


def _order(bits: BitReader, known: Parameters) -> tuple[int, int]:
    start = bits.position
    bits.u(known.poc_bits)
    _require(bits.u(1) == 0, "a reference set from the SPS")
    negative, positive = bits.ue(), bits.ue()
    _require(negative <= MAX_KEPT and positive == 0, "reference sets")
    for _ in range(negative):
        bits.ue()
        bits.u(1)
    size = bits.position - start
    bits.position = start
    return bits.u(size), size


def read(unit: bytes, known: Parameters) -> tuple[SliceHeader, bytes]:
    """The header of the only slice of a picture, and its data with emulation prevention removed."""
    payload = unescape(unit[2:])
    bits = BitReader(payload)
    kind_of_unit = kind_of(unit)
    _require(bits.u(1) == 1, "several slices")
    if FIRST_IRAP <= kind_of_unit <= LAST_IRAP:
        bits.u(1)
    bits.ue()
    kind = bits.ue()
    order = (0, 0) if kind_of_unit in IDR else _order(bits, known)
    inter = (0, 0)
    if kind == TYPE_P:
        start = bits.position
        _require(bits.u(1) == 0, "a number of references of its own")
        if known.cabac_init:
            bits.u(1)
        bits.ue()
        size = bits.position - start
        bits.position = start
        inter = bits.u(size), size
    qp = known.init_qp + bits.se()
    if known.slice_chroma:
        _require(bits.se() == 0 and bits.se() == 0, "chroma quantisers")
    off = known.deblocking_off
    if known.deblocking_override:
        _require(bits.u(1) == 0, "a deblocking override")
    _require(off, "deblocking")
    _require(bits.u(1) == 1, "alignment")
    start = (bits.position + 7) // 8
    return SliceHeader(unit[:2], kind, order, inter, qp, off), payload[start:]


def write(header: SliceHeader, known: Parameters, data: bytes, address: tuple[int, int] | None) -> bytes:
    """A slice as an Annex B unit; `address` is (block number, bits) of its first block, None for the top."""
    bits = BitWriter().u(0 if address else 1, 1)
    if FIRST_IRAP <= kind_of(header.unit) <= LAST_IRAP:
        bits.u(0, 1)
    bits.ue(0)
    if address:
        bits.u(*address)
    bits.ue(header.kind).u(*header.order)
    if header.kind == TYPE_P:
        bits.u(*header.inter)
    bits.se(header.qp - known.init_qp)
    if known.slice_chroma:
        bits.se(0).se(0)
    if known.deblocking_override:
        bits.u(0, 1)
    return START + header.unit + escape(bits.close() + data)


@dataclass(frozen=True, slots=True)
class Strip:
    """A top slice on its own: intra-coded, or skipped blocks only."""

    header: SliceHeader
    data: bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a clip, open at the top: header of its slice (for order and unit type) and the rest, ready."""

    key: bool
    header: SliceHeader
    tail: bytes


def slice_of(access_unit: bytes, known: Parameters) -> Strip:
    """The only slice of an access unit."""
    units = [unit for unit in split_annexb(access_unit) if kind_of(unit) < VPS]
    _require(len(units) == 1 and len(units[0]) > 2, "several slices")
    return Strip(*read(units[0], known))


def open_top(access_unit: bytes, known: Parameters, address: tuple[int, int]) -> Frame:
    """Make the picture below the top into a second slice that starts at block `address`."""
    below = slice_of(access_unit, known)
    key = kind_of(below.header.unit) in IDR
    return Frame(key, below.header, write(below.header, known, below.data, address))


def close_top(frame: Frame, known: Parameters, lead: bytes, strip: Strip) -> bytes:
    """The whole picture: parameter sets before a key picture, the given top, the rest."""
    header = replace(strip.header, unit=frame.header.unit, order=frame.header.order)
    return (lead if frame.key else b"") + write(header, known, strip.data, None) + frame.tail
