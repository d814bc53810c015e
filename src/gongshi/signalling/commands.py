"""What people call commands, turned into messages (gb28181.md §8.1). Pure."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from gongshi.kit.errors import FieldError, Invalid
from gongshi.kit.i18n import Text
from gongshi.protocols import ptz
from gongshi.protocols.errors import LocalProtocolError
from gongshi.protocols.manscdp import (
    AlarmReset,
    Command,
    DragZoom,
    FormatCard,
    Guard,
    HomePosition,
    KeyFrame,
    PrecisePtz,
    PtzControl,
    Record,
    SetHomePosition,
    TeleBoot,
    Upgrade,
)

PTZ_COMMANDS: Final = (
    "move",
    "stop",
    "focus",
    "iris",
    "preset_set",
    "preset_call",
    "preset_delete",
    "cruise_start",
    "cruise_add",
    "cruise_remove",
    "cruise_speed",
    "cruise_stay",
    "scan_start",
    "scan_left",
    "scan_right",
    "scan_speed",
    "auxiliary_on",
    "auxiliary_off",
    "drag_zoom_in",
    "drag_zoom_out",
    "precise",
)
"""Under the action `ptz`."""

DEVICE_COMMANDS: Final[Mapping[str, str]] = {
    "key_frame": "operate",
    "record_start": "operate",
    "record_stop": "operate",
    "guard_set": "operate",
    "guard_reset": "operate",
    "alarm_reset": "operate",
    "home_position": "operate",
    "snapshot": "snapshot",
    "reboot": "reboot",
    "upgrade": "upgrade",
    "format": "format",
}
"""Under a permission of their own: `signalling.device.<group>`."""

Params = Mapping[str, Any]


def command_of(name: str, params: Params) -> Command:
    """The command of a name in either table. Raises Invalid with the field that is wrong; `snapshot` is a setting."""
    try:
        command = _ptz(name, params) if name in PTZ_COMMANDS else _device(name, params)
        if isinstance(command, PtzControl) and not isinstance(command.code, str):
            ptz.encode(command.code)
        return command
    except LocalProtocolError as error:
        message = Text(f"命令 {name} 的参数超出范围（{error}）", f"Values of {name} are out of range ({error})")
        raise Invalid(message, errors=[FieldError("command", "range", message)]) from error


def _ptz(name: str, params: Params) -> Command:
    verb, _, rest = name.partition("_")
    match verb:
        case "move":
            return PtzControl(_move(params))
        case "stop":
            return PtzControl(ptz.Stop())
        case "focus":
            return PtzControl(ptz.Lens(focus=_sign(params, "focus"), focus_speed=_speed(params, 255)))
        case "iris":
            return PtzControl(ptz.Lens(iris=_sign(params, "iris"), iris_speed=_speed(params, 255)))
        case "preset":
            number = _number(params, "preset")
            return PtzControl(ptz.Preset(_word(rest, ptz.PresetAction), number), str(params.get("name") or ""))
        case "cruise":
            value = 0 if rest == "start" else _number(params, "preset" if rest in {"add", "remove"} else "value")
            return PtzControl(ptz.Cruise(_word(rest, ptz.CruiseAction), _number(params, "group"), value))
        case "scan":
            value = _number(params, "value") if rest == "speed" else 0
            return PtzControl(ptz.Scan(_word(rest, ptz.ScanAction), _number(params, "group"), value))
        case "auxiliary":
            return PtzControl(ptz.Auxiliary(rest == "on", _number(params, "number")))
        case "drag":
            names = ("length", "width", "mid_x", "mid_y", "length_x", "length_y")
            return DragZoom(rest == "zoom_in", *(_number(params, part) for part in names))
        case _:
            return PrecisePtz(*(_float(params, part) for part in ("pan", "tilt", "zoom")))


def _move(params: Params) -> ptz.PtzCommand:
    pan, tilt, zoom = _sign(params, "pan"), _sign(params, "tilt"), _sign(params, "zoom")
    if not (pan or tilt or zoom):
        return ptz.Stop()
    turn, close = _speed(params, 255), _speed(params, 15)
    return ptz.Move(pan, tilt, zoom, turn if pan else 0, turn if tilt else 0, close if zoom else 0)


def _device(name: str, params: Params) -> Command:
    match name:
        case "key_frame":
            return KeyFrame()
        case "record_start" | "record_stop":
            number = params.get("stream_number")
            return Record(name == "record_start", None if number is None else _number(params, "stream_number"))
        case "guard_set" | "guard_reset":
            return Guard(name == "guard_set")
        case "alarm_reset":
            method = params.get("method")
            return AlarmReset(() if method is None else (_number(params, "method"),), params.get("type"))
        case "home_position":
            preset = None if params.get("preset") is None else _number(params, "preset")
            rest = None if params.get("reset_time") is None else _number(params, "reset_time")
            return SetHomePosition(HomePosition(bool(params.get("enabled", True)), rest, preset))
        case "reboot":
            return TeleBoot()
        case "upgrade":
            words = (str(params.get(part) or "") for part in ("firmware", "file_url", "manufacturer", "session_id"))
            return Upgrade(*words)
        case "format":
            return FormatCard(_number(params, "card"))
        case _:
            raise _unknown(name)


def _unknown(name: str) -> Invalid:
    message = Text(f"没有名为“{name[:40]}”的命令", f"There is no command “{name[:40]}”")
    return Invalid(message, errors=[FieldError("command", "unknown", message)])


def _wrong(field: str) -> Invalid:
    message = Text(f"缺少 {field} 或其值无效", f"{field} is missing or not valid")
    return Invalid(message, errors=[FieldError(field, "invalid", message)])


def _number(params: Params, name: str) -> int:
    value = params.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 65_535:
        raise _wrong(name)
    return value


def _float(params: Params, name: str) -> float | None:
    value = params.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _wrong(name)
    return float(value)


def _sign(params: Params, name: str) -> ptz.Sign:
    value = params.get(name) or 0
    if value not in {-1, 0, 1}:
        raise _wrong(name)
    return 1 if value > 0 else -1 if value < 0 else 0


def _speed(params: Params, most: int) -> int:
    """Per cent, 1-100, of what the code can say."""
    value = params.get("speed", 50)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 1 <= value <= 100:
        raise _wrong("speed")
    return max(1, round(value * most / 100))


def _word(word: str, choices: Any) -> Any:
    if word not in get_args(choices):
        raise _unknown(word)
    return word
