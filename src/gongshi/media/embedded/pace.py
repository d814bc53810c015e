"""How fast a recording is sent, and whether its timestamps say so (Q-38; GB/T 28181 §11.2). Pure.

At four times the speed some devices send timestamps that run at real time (a picture every 10 ms), others the
recorded ones (every 40 ms). A player needs the first kind; which one it is, is measured.
"""

import math
from typing import Final

from gongshi.protocols.rtp import CLOCK_RATE

_WINDOW: Final = 0.8
"""Seconds of arrival that are measured before the device is judged."""


class Pace:
    """Gives the factor for the distance of two pictures. `scale` 1 is real time, negative is reverse, 0 paused."""

    __slots__ = ("_begun", "_scales", "_sent", "factor", "scale")

    def __init__(self) -> None:
        self.scale = 1.0
        self.factor = 1.0
        self._scales: bool | None = None
        """Whether this device scales its timestamps; None: not known yet."""
        self._begun: float | None = None
        self._sent = 0

    @property
    def paused(self) -> bool:
        return self.scale == 0

    def set(self, scale: float) -> None:
        self.scale = scale
        self._begun, self._sent = None, 0
        self._decide()

    def step(self, ticks: int, now: float) -> int:
        """The distance to use for `ticks` as sent, of a picture that arrived at `now` (monotonic seconds)."""
        speed = abs(self.scale)
        if speed in {0.0, 1.0}:
            return ticks
        if self._begun is None:
            self._begun = now
        else:
            self._sent += ticks
            elapsed = now - self._begun
            if elapsed >= _WINDOW and self._sent > 0:
                ratio = self._sent / CLOCK_RATE / elapsed
                # Nearer to real time, or nearer to the speed that was asked for?
                self._scales = abs(math.log(ratio)) <= abs(math.log(ratio / speed))
                self._begun, self._sent = now, 0
                self._decide()
        return max(1, round(ticks * self.factor))

    def _decide(self) -> None:
        speed = abs(self.scale)
        # Until it is measured: too slow for a moment is better than seconds of pictures too many.
        self.factor = 1.0 if self._scales or not speed else 1.0 / max(speed, 1.0) if self._scales is None else 1 / speed
