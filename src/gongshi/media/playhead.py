"""Where a recording stands while it plays (§11.2): counted here, corrected by what the device says. Pure."""

from typing import Final

from gongshi.kit.errors import FieldError, Invalid
from gongshi.kit.i18n import Text
from gongshi.media.ports import Steering

SCALES: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Speeds that may be asked for, in either direction; a device need not have all of them."""


class Playhead:
    """`span` seconds of recording; moments are monotonic seconds. `scale` is negative in reverse."""

    def __init__(self, span: float) -> None:
        self.span = span
        self.scale = 1.0
        self.paused = True
        self._position = 0.0
        self._since = 0.0

    def begin(self, now: float) -> None:
        """The first packet came."""
        self.paused, self._since = False, now

    def position(self, now: float) -> float:
        """Seconds from the start of the recording."""
        passed = 0.0 if self.paused else (now - self._since) * self.scale
        return min(max(self._position + passed, 0.0), self.span)

    def over(self, now: float, slack: float) -> bool:
        """Is it at its end, or within `slack` seconds of it? In reverse the end is the beginning."""
        position = self.position(now)
        return position >= self.span - slack if self.scale > 0 else position <= slack

    def steered(self, action: Steering, value: float | None, now: float, told: float | None) -> None:
        """The device has done it; `told` is the position that it named."""
        position = self.position(now)
        match action:
            case "pause":
                self.paused = True
            case "resume":
                self.paused = False
            case "scale":
                self.scale, self.paused = value or 1.0, False
            case "seek":
                position, self.paused = value or 0.0, False
            case "teardown":
                self.paused = True
        self._position = min(max(position if told is None else told, 0.0), self.span)
        self._since = now

    @property
    def pace(self) -> float:
        """What the engine is to expect: the speed, 0 while paused."""
        return 0.0 if self.paused else self.scale


def checked(action: Steering, value: float | None, span: float) -> float | None:
    """The value as it may be sent. Invalid (422) for a speed that does not exist or a place outside."""
    if action == "scale":
        if value is None or abs(value) not in SCALES:
            raise _wrong(
                "unknown_scale",
                "倍速应为 0.25、0.5、1、2、4、8、16，负数为倒放",
                "The speed is 0.25, 0.5, 1, 2, 4, 8 or 16, or one of these below zero for reverse",
            )
        return value
    if action == "seek":
        if value is None or not 0 <= value <= span:
            raise _wrong(
                "outside",
                f"定位应在 0 到 {span:.0f} 秒之间",
                f"The place to go to lies between 0 and {span:.0f} seconds",
            )
        return value
    return None


def _wrong(code: str, zh: str, en: str) -> Invalid:
    return Invalid(errors=[FieldError("value", code, Text(zh, en))])
