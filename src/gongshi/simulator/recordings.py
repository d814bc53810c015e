"""What a simulated recorder holds: the same for the same channel and day, with a gap in every day (§7.6, §11)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from gongshi.kit.clock import SHANGHAI, local

RecordKind = Literal["time", "alarm", "manual"]

BYTES_PER_SECOND = 160_000
"""What a second of the picture takes, roughly; sizes of files are made with it."""
_FILE = timedelta(hours=1)
_ALARM_EVERY = 6


@dataclass(frozen=True, slots=True)
class Recording:
    """One file. Times are aware; `end` is not in it."""

    channel: str
    start: datetime
    end: datetime
    kind: RecordKind

    @property
    def name(self) -> str:
        """What people see."""
        return f"{local(self.start):%Y%m%d-%H%M%S}"

    @property
    def path(self) -> str:
        """Where it lies on the recorder."""
        return f"/{self.channel}/{local(self.start):%Y%m%d/%H%M%S}.ps"

    @property
    def size(self) -> int:
        """Bytes, by the length."""
        return int((self.end - self.start).total_seconds()) * BYTES_PER_SECOND


class Recorder:
    """Files of one hour on Beijing's clock, for `days` back until now; one hour of a day was not recorded."""

    def __init__(self, channel: str, days: int) -> None:
        self._channel = channel
        self._days = days
        self._gap = int(channel[-6:] or 0) % 24

    def find(self, start: datetime, end: datetime, now: datetime, kind: str = "all") -> list[Recording]:
        """Files that touch [start, end), cut at now, in order. `kind` "all" or "" means every one."""
        return [file for file in self._files(start, end, now) if kind.lower() in {"all", "", file.kind}]

    def _files(self, start: datetime, end: datetime, now: datetime) -> Iterator[Recording]:
        first = max(start, now - timedelta(days=self._days))
        last = min(end, now)
        at = local(first).replace(minute=0, second=0, microsecond=0)
        while at < last:
            following = at + _FILE
            if at.hour != self._gap and following > first:
                kind: RecordKind = "alarm" if at.hour % _ALARM_EVERY == 0 else "time"
                yield Recording(self._channel, at, min(following, now), kind)
            at = following

    def next_recorded(self, moment: datetime) -> datetime:
        """The moment itself, or the end of the gap that it lies in."""
        there = moment.astimezone(SHANGHAI)
        if there.hour != self._gap:
            return moment
        return there.replace(minute=0, second=0, microsecond=0) + _FILE
