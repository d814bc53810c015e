"""Daily hours of a right: `{"days": [1..7], "from": "08:00", "to": "18:00"}` on a Chinese wall clock.

A window opens on each of its days (1 is Monday) at `from` and ends at `to`; when `to` is not later than `from`
it ends on the following day. `to` may be `24:00`. The end itself is outside.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gongshi.kit.clock import SHANGHAI

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00")
_DAY = timedelta(days=1)


def _minutes(value: object, name: str) -> int:
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        raise ValueError(f"hours.{name} must look like 08:00, not {value!r}")
    return int(value[:2]) * 60 + int(value[3:])


@dataclass(frozen=True, slots=True)
class Hours:
    """Parsed daily hours; minutes after midnight, `start < 1440`, `end` may lie past midnight (up to 2880)."""

    days: frozenset[int]
    start: int
    end: int

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> "Hours":
        """Read the stored or posted form; ValueError names the wrong key."""
        unknown = set(value) - {"days", "from", "to"}
        if unknown:
            raise ValueError(f"hours has no {min(unknown)!r}")
        days: Any = value.get("days", [1, 2, 3, 4, 5, 6, 7])
        if not isinstance(days, list | tuple) or not days:
            raise ValueError("hours.days must list days from 1 (Monday) to 7")
        chosen: set[int] = set()
        for day in days:  # pyright: ignore[reportUnknownVariableType] -- JSON: checked in the next line
            if type(day) is not int or not 1 <= day <= 7:  # pyright: ignore[reportUnknownArgumentType] -- as above
                raise ValueError("hours.days must list days from 1 (Monday) to 7")
            chosen.add(day)
        start = _minutes(value.get("from", "00:00"), "from")
        end = _minutes(value.get("to", "24:00"), "to")
        if start == 1440:
            raise ValueError("hours.from must be earlier than 24:00")
        return cls(frozenset(chosen), start, end if end > start else end + 1440)

    def stored(self) -> dict[str, Any]:
        """The one spelling that the database holds; `visible` compares its clock times as text."""
        end = self.end if self.end <= 1440 else self.end - 1440
        return {"days": sorted(self.days), "from": _text(self.start), "to": _text(end)}

    @property
    def always(self) -> bool:
        """Whether the windows leave no gap, so that they end nothing."""
        return len(self.days) == 7 and self.end - self.start == 1440

    def until(self, at: datetime) -> datetime | None:
        """The end of the window that `at` is in, windows without a gap taken as one; None: outside.

        Never called for hours that are `always` in force (there is no end to name).
        """
        local = at.astimezone(SHANGHAI)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        end = self._end(local, midnight) or self._end(local, midnight - _DAY)
        if end is None:
            return None
        for _ in range(7):
            midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
            following = self._end(end, midnight) or self._end(end, midnight - _DAY)
            if following is None:
                break
            end = following
        return end

    def _end(self, local: datetime, midnight: datetime) -> datetime | None:
        """The end of the window that opened on the day of `midnight`, if `local` is in it."""
        if midnight.isoweekday() not in self.days:
            return None
        if midnight + timedelta(minutes=self.start) <= local < (end := midnight + timedelta(minutes=self.end)):
            return end
        return None


def _text(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
