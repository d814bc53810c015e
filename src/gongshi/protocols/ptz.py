"""The PTZ code: eight bytes as sixteen hexadecimal digits (GB/T 28181-2022 annex A.3; gb28181.md §8.3).

Directions are movements of the picture on the monitor: pan 1 is right, tilt 1 is up, zoom 1 is in.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError

Sign = Literal[-1, 0, 1]
PresetAction = Literal["set", "call", "delete"]
CruiseAction = Literal["add", "remove", "speed", "stay", "start"]
ScanAction = Literal["start", "left", "right", "speed"]

_PRESETS: dict[PresetAction, int] = {"set": 0x81, "call": 0x82, "delete": 0x83}
_CRUISES: dict[CruiseAction, int] = {"add": 0x84, "remove": 0x85, "speed": 0x86, "stay": 0x87, "start": 0x88}
_SCANS: dict[ScanAction, int] = {"start": 0, "left": 1, "right": 2}
_PRESET_OF: dict[int, PresetAction] = {code: action for action, code in _PRESETS.items()}
_CRUISE_OF: dict[int, CruiseAction] = {code: action for action, code in _CRUISES.items()}
_SCAN_OF: dict[int, ScanAction] = {code: action for action, code in _SCANS.items()}
_LONG: frozenset[str] = frozenset({"speed", "stay"})
"""What carries a value of twelve bits."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Ends movement, cruise and scan."""


@dataclass(frozen=True, slots=True)
class Move:
    """Pan, tilt and zoom at once. Speeds 0-255, of zoom 0-15."""

    pan: Sign = 0
    tilt: Sign = 0
    zoom: Sign = 0
    pan_speed: int = 0
    tilt_speed: int = 0
    zoom_speed: int = 0


@dataclass(frozen=True, slots=True)
class Lens:
    """Focus (1 far, -1 near) and iris (1 open, -1 close), speeds 0-255; both 0 stops the lens."""

    focus: Sign = 0
    iris: Sign = 0
    focus_speed: int = 0
    iris_speed: int = 0


@dataclass(frozen=True, slots=True)
class Preset:
    """Preset 1-255; 0 is reserved."""

    action: PresetAction
    number: int


@dataclass(frozen=True, slots=True)
class Cruise:
    """Group 0-255. `value` is a preset for add and remove (0 removes the whole cruise), speed or seconds to 4095."""

    action: CruiseAction
    group: int
    value: int = 0


@dataclass(frozen=True, slots=True)
class Scan:
    """Group 0-255: start between the limits, set a limit where it looks now, or the speed to 4095."""

    action: ScanAction
    group: int
    value: int = 0


@dataclass(frozen=True, slots=True)
class Auxiliary:
    """A switch 0-255; 1 is the wiper."""

    on: bool
    number: int


PtzCommand: TypeAlias = Stop | Move | Lens | Preset | Cruise | Scan | Auxiliary


def encode(command: PtzCommand, address: int = 1) -> str:
    """Sixteen upper-case digits. Raises LocalProtocolError for a value out of range. `address` 0-4095 is unused."""
    if not 0 <= address <= 0xFFF:
        raise LocalProtocolError("a PTZ address has twelve bits")
    code, first, second, high = _data(command)
    data = bytes((0xA5, 0x0F, address & 0xFF, code, first, second, high << 4 | address >> 8))
    return (data + bytes((sum(data) & 0xFF,))).hex().upper()


def _data(command: PtzCommand) -> tuple[int, int, int, int]:
    """Command byte, data 1, data 2, and data 3 of four bits."""
    match command:
        case Stop():
            return 0, 0, 0, 0
        case Move():
            bits = _bits(command.pan, 0, 1) | _bits(command.tilt, 3, 2) | _bits(command.zoom, 4, 5)
            if not bits:
                raise LocalProtocolError("a movement without direction is a stop")
            speeds = _byte(command.pan_speed), _byte(command.tilt_speed)
            return bits, *speeds, _ranged(command.zoom_speed, 0, 15)
        case Lens():
            bits = 0x40 | _bits(command.focus, 0, 1) | _bits(command.iris, 2, 3)
            return bits, _byte(command.focus_speed), _byte(command.iris_speed), 0
        case Preset():
            return _PRESETS[command.action], 0, _ranged(command.number, 1, 255), 0
        case Cruise():
            return _CRUISES[command.action], _byte(command.group), *_cruise_value(command)
        case Scan():
            if command.action == "speed":
                return 0x8A, _byte(command.group), *_twelve(command.value)
            return 0x89, _byte(command.group), _SCANS[command.action], 0
        case Auxiliary():
            return 0x8C if command.on else 0x8D, _byte(command.number), 0, 0


def _cruise_value(command: Cruise) -> tuple[int, int]:
    if command.action in _LONG:
        return _twelve(command.value)
    least = 1 if command.action == "add" else 0
    most = 0 if command.action == "start" else 255
    return _ranged(command.value, least, most), 0


def _bits(sign: int, positive: int, negative: int) -> int:
    return 0 if not sign else 1 << (positive if sign > 0 else negative)


def _byte(value: int) -> int:
    return _ranged(value, 0, 255)


def _ranged(value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise LocalProtocolError(f"{value} is not {least}-{most}")
    return value


def _twelve(value: int) -> tuple[int, int]:
    _ranged(value, 0, 0xFFF)
    return value & 0xFF, value >> 8


def decode(text: str) -> PtzCommand:
    """Read a code leniently: any case, any address, a wrong check nibble when the sum is right.

    Raises RemoteProtocolError for a wrong sum, a pair of opposite directions and commands that nobody defined.
    """
    digits = text.strip()
    try:
        data = bytes.fromhex(digits) if digits.isascii() and digits.isalnum() else b""
    except ValueError:
        data = b""
    if len(data) != 8 or data[0] != 0xA5:
        raise RemoteProtocolError("a PTZ code is eight bytes that start with A5")
    if sum(data[:7]) & 0xFF != data[7]:
        raise RemoteProtocolError("the sum of the PTZ code is wrong")
    code, first, second, high = data[3], data[4], data[5], data[6] >> 4
    if code == 0:
        return Stop()
    if code < 0x40:
        pan, tilt, zoom = _sign(code, 0, 1), _sign(code, 3, 2), _sign(code, 4, 5)
        return Move(pan, tilt, zoom, first, second, high)
    if code < 0x50:
        return Lens(_sign(code, 0, 1), _sign(code, 2, 3), first, second)
    return _special(code, first, second, second | high << 8)


def _special(code: int, first: int, second: int, long: int) -> PtzCommand:
    preset = _PRESET_OF.get(code)
    if preset is not None:
        if not second:
            raise RemoteProtocolError("preset 0 is reserved")
        return Preset(preset, second)
    cruise = _CRUISE_OF.get(code)
    if cruise is not None:
        if cruise == "add" and not second:
            raise RemoteProtocolError("preset 0 is reserved")
        value = long if cruise in _LONG else 0 if cruise == "start" else second
        return Cruise(cruise, first, value)
    if code == 0x8A:
        return Scan("speed", first, long)
    scan = _SCAN_OF.get(second) if code == 0x89 else None
    if scan is not None:
        return Scan(scan, first)
    if code in {0x8C, 0x8D}:
        return Auxiliary(code == 0x8C, first)
    raise RemoteProtocolError(f"the PTZ command {code:02X} is not defined")


def _sign(code: int, positive: int, negative: int) -> Sign:
    up, down = code >> positive & 1, code >> negative & 1
    if up and down:
        raise RemoteProtocolError("a PTZ code moves both ways at once")
    return 1 if up else -1 if down else 0
