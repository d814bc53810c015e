"""Reading single values as agencies write them: months, coordinates, places, phone numbers, amounts.

Each reader is pure and total: any text gives a result, never an exception. Rules run them once per distinct value.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from gongshi.inventory.readers.texts import FIRST_DAY

_MONTHS = (
    re.compile(r"(\d{4})[.\-/年](\d{1,2})月?份?"),
    re.compile(r"(\d{4})[.\-/年](\d{1,2})[.\-/月](\d{1,2})日?(?:[ T].*)?"),
    re.compile(r"(\d{4})(\d{2})"),
)
_SERIAL = re.compile(r"[2-6]\d{4}")


@dataclass(frozen=True, slots=True)
class Month:
    """`value` is YYYY-MM when the text could be understood."""

    value: str | None
    issue: Literal["", "format", "serial"] = ""


def read_month(text: str) -> Month:
    """X-05: YYYY.M, YYYY.MM, YYYY-MM, YYYY年M月, with or without a day; a day count of a spreadsheet is understood."""
    plain = unicodedata.normalize("NFKC", text).strip().replace(" ", "")
    for pattern in _MONTHS:
        match = pattern.fullmatch(plain)
        if match and 1 <= int(match[2]) <= 12 and 1900 <= int(match[1]) <= 2100:
            return Month(f"{match[1]}-{int(match[2]):02d}")
    if _SERIAL.fullmatch(plain):
        day = FIRST_DAY + timedelta(days=int(plain))
        return Month(f"{day.year}-{day.month:02d}", "serial")
    return Month(None, "format")


_DECIMAL = re.compile(r"-?\d{1,3}(?:\.\d*)?")
_DEGREES = re.compile(
    r"[东西南北经纬EWSNewsn ]*(\d{1,3})\s*[°度º:]\s*(?:(\d{1,2}(?:\.\d+)?)\s*['′’分:]?\s*)?(?:(\d{1,2}(?:\.\d+)?)\s*[\"″”秒'′’]*)?"
    r"\s*[EWSNewsn]?"
)
_DOTTED = re.compile(r"(\d{1,3})\.(\d{1,2})\.(\d{1,2}(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Coordinate:
    """`value` in decimal degrees when the text means a number at all."""

    value: float | None
    issue: Literal["", "number", "degrees", "decimals", "sixth"] = ""


def read_coordinate(text: str) -> Coordinate:
    """G-087, G-088: decimal degrees with at least 6 decimals of which the 6th is not 0; degrees and minutes are read."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if _DECIMAL.fullmatch(plain):
        decimals = plain.partition(".")[2]
        if len(decimals) < 6:
            return Coordinate(float(plain), "decimals")
        return Coordinate(float(plain), "sixth" if decimals[5] == "0" else "")
    match = _DEGREES.fullmatch(plain) or _DOTTED.fullmatch(plain)
    if match:
        degrees, minutes, seconds = (float(part or 0) for part in match.groups())
        if minutes < 60 and seconds < 60:
            return Coordinate(round(degrees + minutes / 60 + seconds / 3600, 6), "degrees")
    return Coordinate(None, "number")


@dataclass(frozen=True, slots=True)
class Divisions:
    """The city's divisions as the place column is read against them."""

    city_code: str
    city_name: str
    counties: Mapping[str, str]
    """Code → name, for example 341502 → 金安区."""
    retired: Mapping[str, str]
    """Names of counties that left the city → their old code."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a place text says."""

    county: str | None = None
    township: str | None = None
    issue: Literal["", "county", "retired", "city", "township"] = ""


_OTHER_CITY = re.compile(r"^(?:安徽省)?([\u4e00-\u9fff]{2,4}市)")


def read_place(text: str, divisions: Divisions) -> Place:
    """G-086: city, county (district), township (street). Development zones have no code and count as not recognised."""
    plain = re.sub(r"[\s,，、/\-]+", "", unicodedata.normalize("NFKC", text))
    rest = plain.removeprefix("安徽省").removeprefix("安徽")
    city = divisions.city_name
    had_city = rest.startswith(city[:-1])
    rest = rest.removeprefix(city) if rest.startswith(city) else rest.removeprefix(city[:-1])
    for code, name in divisions.counties.items():
        for form in (name, name[:-1]):
            if rest.startswith(form) and len(form) >= 2:
                township = rest.removeprefix(form).lstrip("区县") or None
                return Place(code, township, "" if township else "township")
    for name, code in divisions.retired.items():
        if rest.startswith((name, name[:-1])) and len(name) >= 2:
            return Place(code, None, "retired")
    other = _OTHER_CITY.match(plain)
    if other and not had_city:
        return Place(issue="city")
    return Place(issue="county")


_PHONE = re.compile(r"(?:\+?86[- ]?)?(?:1[3-9]\d{9}|(?:0\d{2,3}[- ]?)?[2-9]\d{6,7}(?:[- ]\d{1,6})?)")


def is_phone(text: str) -> bool:
    """A mobile or land-line number of mainland China, or several."""
    plain = unicodedata.normalize("NFKC", text).replace("(", "").replace(")", "-").strip()
    parts = [part.strip() for part in re.split(r"[/、;,]|\s{2,}", plain) if part.strip()]
    return bool(parts) and all(_PHONE.fullmatch(part) for part in parts)


_AMOUNT = re.compile(r"-?\d{1,9}(?:\.\d{1,6})?")


def read_amount(text: str) -> float | None:
    """A decimal number, with or without thousands separators."""
    plain = unicodedata.normalize("NFKC", text).strip().replace(",", "")
    return float(plain) if _AMOUNT.fullmatch(plain) else None


_PLACEHOLDER = re.compile(r"[xX×*\-/\\.?？—_]+|无|未知|不详|不清楚|暂无|待定|N/?A|none|null", re.IGNORECASE)


def is_placeholder(text: str) -> bool:
    """Something written only to fill the cell."""
    return bool(_PLACEHOLDER.fullmatch(text.strip()))


_MEANINGLESS = re.compile(
    r"(?:camera|cam|ipc|ipcamera|channel|ch|通道|摄像机|监控|视频|nvr|dvr|ip)?[ _\-#]*\d{0,4}|\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?",
    re.IGNORECASE,
)


def is_meaningless_name(text: str) -> bool:
    """A device default or an address instead of a place: Camera 01, IPC, 192.168.1.64."""
    return bool(_MEANINGLESS.fullmatch(text.strip()))


def squash(text: str) -> str:
    """Names compared without white space, width and case."""
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()


def month_of(day: date) -> str:
    return f"{day.year}-{day.month:02d}"
