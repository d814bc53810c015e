"""Where a played recording stands, and what pause, speed, seek and reverse do to it (annex B; §11.2)."""

from datetime import datetime, timedelta

from gongshi.protocols.sip.mansrtsp import PlaybackCommand
from gongshi.simulator.recordings import Recorder

GROUP = 2.0
"""Seconds of a group of pictures. Reverse plays groups, the last one first and each forward (2022 annex B)."""
FASTEST = 32.0


class Playhead:
    """A position of 0 to `length` seconds from `start`. `pace` is how many times as fast a download is sent."""

    def __init__(self, recorder: Recorder, start: datetime, end: datetime, pace: float = 1.0) -> None:
        self._recorder = recorder
        self._start = start
        self.length = max(0.0, (end - start).total_seconds())
        self.position = 0.0
        self.scale = 1.0
        self.paused = False
        self.pace = pace
        self._first, self._last = 0.0, self.length
        self._group = self._group_end = 0.0
        self._over = False
        self._skip_gap()

    @property
    def moment(self) -> datetime:
        """The time of day that the picture shows."""
        return self._start + timedelta(seconds=self.position)

    @property
    def ended(self) -> bool:
        """Nothing is left in the direction of play."""
        return self._over if self.scale < 0 else self.position >= self._last

    def command(self, command: PlaybackCommand) -> bool:
        """Obey PLAY or PAUSE; True when the position jumped. Scale and Range may come together (S-12)."""
        if command.method == "PAUSE":
            self.paused = True
            return False
        self.paused = False
        turned = bool(command.scale) and (command.scale or 0) * self.scale < 0
        if command.scale:
            self.scale = max(-FASTEST, min(FASTEST, command.scale))
        if command.start is None and not turned:
            return False
        self._first, self._last, self._over = 0.0, self.length, False
        if command.start is not None:
            self.position = self._within(command.start)
        if command.end is not None:
            self._first, self._last = (
                (self._within(command.end), self.length)
                if self.scale < 0
                else (
                    0.0,
                    self._within(command.end),
                )
            )
        if self.scale < 0:
            self._enter_group_before(self.position)
        else:
            self._skip_gap()
        return True

    def advance(self, seconds: float) -> bool:
        """Let `seconds` of the wall clock pass; True when the position jumped, so that a key picture is due."""
        self.position += seconds * abs(self.scale)
        if self.scale > 0:
            return self._skip_gap()
        if self.position < self._group_end:
            return False
        if self._group <= self._first:
            self._over = True
            return False
        self._enter_group_before(self._group)
        return True

    def _enter_group_before(self, end: float) -> None:
        self._group_end = end
        self._group = self.position = max(self._first, end - GROUP)

    def _within(self, position: float) -> float:
        return min(max(0.0, position), self.length)

    def _skip_gap(self) -> bool:
        """Recordings have holes; nothing is played there."""
        there = self._recorder.next_recorded(self.moment)
        if there == self.moment:
            return False
        self.position = self._within((there - self._start).total_seconds())
        return True
