"""The 20-digit device code as a value (GB/T 28181-2016 annex D, -2022 annex E; governance.md §2)."""

import re
from dataclasses import dataclass, field
from typing import Literal

from gongshi.protocols.codes.tables import Edition, Words, industry_name, network_name, type_name
from gongshi.protocols.errors import RemoteProtocolError

_SHAPE = re.compile(r"[0-9]{20}", re.ASCII)

_ONLY_1400 = frozenset({"119", "504"})
_ONLY_2022 = frozenset({"122", "123", "124", "125", "140", "141", "142", "143", "505"})
_INDUSTRY_ONLY_2022 = frozenset({"12", "13", "14", "56", "57", "58", "59"})

PLAYABLE_TYPES = frozenset({"111", "112", "113", "114", "118", "121", "131", "132"})
"""Types that may be asked for a picture; recorders only as single-channel encoders (gb28181.md §2.1)."""


def guess_edition(text: str) -> Edition | None:
    """The edition a code betrays by digits that only one edition defines, or None when they do not tell.

    `text` must have the 20-digit shape.
    """
    industry, kind = text[8:10], text[10:13]
    if kind in _ONLY_1400:
        return Edition.E1400
    if kind in _ONLY_2022 or industry in _INDUSTRY_ONLY_2022:
        return Edition.E2022
    return None


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a code, for a reader: digits `start` to `end` (0-based, end excluded) and what they say."""

    name: str
    label: str
    start: int
    end: int
    digits: str
    meaning: str | None
    """None when the digits have no meaning in the edition, or a different one in each edition."""


@dataclass(frozen=True, slots=True, order=True)
class DeviceCode:
    """Centre 8 + industry 2 + type 3 + network 1 + serial 6 decimal digits. Equality is by digits alone."""

    value: str
    edition: Edition | None = field(default=None, compare=False)
    """As declared, else as betrayed by the digits, else None: unknown (never assumed)."""

    def __post_init__(self) -> None:
        if not _SHAPE.fullmatch(self.value):
            raise RemoteProtocolError("a device code is exactly 20 ASCII digits")

    @classmethod
    def parse(cls, text: str, edition: Edition | str | None = None) -> "DeviceCode":
        """Read a code. Raises RemoteProtocolError when it is not exactly 20 ASCII digits; blanks are not forgiven."""
        if not _SHAPE.fullmatch(text):
            raise RemoteProtocolError("a device code is exactly 20 ASCII digits")
        return cls(text, Edition(edition) if edition else guess_edition(text))

    def __str__(self) -> str:
        return self.value

    @property
    def region(self) -> str:
        """Digits 1-6: the division of the *centre* that the device belongs to, not of its place."""
        return self.value[:6]

    @property
    def centre(self) -> str:
        """Digits 1-8."""
        return self.value[:8]

    @property
    def domain(self) -> str:
        """Digits 1-10: the default SIP domain name of a signalling server's own code."""
        return self.value[:10]

    @property
    def unit(self) -> str:
        """Digits 7-8: basic access unit, 00 when the centre is not one."""
        return self.value[6:8]

    @property
    def industry(self) -> str:
        """Digits 9-10."""
        return self.value[8:10]

    @property
    def type(self) -> str:
        """Digits 11-13."""
        return self.value[10:13]

    @property
    def network(self) -> str:
        """Digit 14."""
        return self.value[13]

    @property
    def serial(self) -> str:
        """Digits 15-20."""
        return self.value[14:]

    @property
    def playable(self) -> bool:
        """May it be asked for a picture (see `PLAYABLE_TYPES`)?"""
        return self.type in PLAYABLE_TYPES

    @property
    def is_platform(self) -> bool:
        """A signalling server, that is a whole platform (type 200)."""
        return self.type == "200"

    def segments(self, lang: Literal["zh", "en"] = "zh") -> tuple[Segment, ...]:
        """The six parts in order with their meaning; region names are data and are filled by who knows them."""
        at = 0 if lang == "zh" else 1
        unit = Words("非基层接入单位", "not a basic access unit") if self.unit == "00" else None
        parts: tuple[tuple[str, Words, int, int, Words | None], ...] = (
            ("region", Words("行政区划", "division"), 0, 6, None),
            ("unit", Words("基层接入单位", "basic access unit"), 6, 8, unit),
            ("industry", Words("行业", "industry"), 8, 10, industry_name(self.industry, self.edition)),
            ("type", Words("类型", "type"), 10, 13, type_name(self.type, self.edition)),
            ("network", Words("网络标识", "network"), 13, 14, network_name(self.network, self.edition)),
            ("serial", Words("序号", "serial"), 14, 20, None),
        )
        return tuple(
            Segment(name, label[at], start, end, self.value[start:end], meaning[at] if meaning else None)
            for name, label, start, end, meaning in parts
        )
