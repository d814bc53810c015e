"""DeviceControl: every command of annex A.2.3.1 (gb28181.md §8.1). One message carries one command."""

import re
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, TypeAlias

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp.answers import HomePosition
from gongshi.protocols.manscdp.charset import Charset
from gongshi.protocols.manscdp.editions import (
    join_codes,
    key_frame_element,
    modern,
    require_modern,
    split_codes,
)
from gongshi.protocols.manscdp.element import Element, leaf, optional
from gongshi.protocols.manscdp.envelope import Envelope, build
from gongshi.protocols.ptz import PtzCommand, decode, encode

Group = Literal[
    "ptz", "reboot", "record", "guard", "alarm_reset", "key_frame", "home_position", "upgrade", "format", "track"
]
"""Commands that one right allows together."""

SESSION_ID: Final = re.compile(r"[A-Za-z0-9-]{32,128}")
_AREA: Final = ("Length", "Width", "MidPointX", "MidPointY", "LengthX", "LengthY")
_PARAMS_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class PtzControl:
    """PTZCmd: a code of eight bytes, or the command it stands for. No answer."""

    code: str | PtzCommand
    preset_name: str = ""
    """2022; at most 32 bytes."""
    cruise_name: str = ""
    """2022; at most 32 bytes."""
    priority: int | None = None

    GROUP: ClassVar[Group] = "ptz"
    ANSWERED: ClassVar[bool] = False

    @property
    def command(self) -> PtzCommand:
        """What the code says. Raises RemoteProtocolError for a wrong one."""
        return decode(self.code) if isinstance(self.code, str) else self.code

    def to_elements(self, edition: Edition) -> list[Element]:
        """The elements."""
        if isinstance(self.code, str):
            try:
                decode(self.code)
            except RemoteProtocolError as error:
                raise LocalProtocolError(str(error)) from error
        elements = [leaf("PTZCmd", self.code.upper() if isinstance(self.code, str) else encode(self.code))]
        if modern(edition) and (self.preset_name or self.cruise_name):
            pairs = [("PresetName", _short(self.preset_name)), ("CruiseTrackName", _short(self.cruise_name))]
            elements.append(Element("PTZCmdParams", "", optional(pairs)))
        if self.priority is not None:
            elements.append(Element("Info", "", [leaf("ControlPriority", self.priority)]))
        return elements


@dataclass(frozen=True, slots=True)
class TeleBoot:
    """Reboots the device. No answer; guarded by a right of its own."""

    GROUP: ClassVar[Group] = "reboot"
    ANSWERED: ClassVar[bool] = False

    def to_elements(self, edition: Edition) -> list[Element]:
        """The elements."""
        return [leaf("TeleBoot", "Boot")]


@dataclass(frozen=True, slots=True)
class Record:
    """Starts or stops recording at the front end."""

    on: bool
    stream_number: int | None = None
    """2022."""

    GROUP: ClassVar[Group] = "record"
    ANSWERED: ClassVar[bool] = True

    def to_elements(self, edition: Edition) -> list[Element]:
        """The elements."""
        number = self.stream_number if modern(edition) else None
        return [leaf("RecordCmd", "Record" if self.on else "StopRecord"), *optional([("StreamNumber", number)])]


@dataclass(frozen=True, slots=True)
class Guard:
    """Arms or disarms."""

    on: bool

    GROUP: ClassVar[Group] = "guard"
    ANSWERED: ClassVar[bool] = True

    def to_elements(self, edition: Edition) -> list[Element]:
        """The elements."""
        return [leaf("GuardCmd", "SetGuard" if self.on else "ResetGuard")]


@dataclass(frozen=True, slots=True)
class AlarmReset:
    """Resets an alarm: a device that raised one by method 2 stays silent until this (2022 A.2.5.3)."""

    methods: tuple[int, ...] = ()
    type: int | None = None

    GROUP: ClassVar[Group] = "alarm_reset"
    ANSWERED: ClassVar[bool] = True

    def to_elements(self, edition: Edition) -> list[Element]:
        """The elements."""
        method = join_codes(self.methods, edition) if self.methods else None
        info = optional([("AlarmMethod", method), ("AlarmType", self.type)])
        return [leaf("AlarmCmd", "ResetAlarm"), *([Element("Info", "", info)] if info else [])]


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """Asks for a key frame at once. No answer."""

    GROUP: ClassVar[Group] = "key_frame"
    ANSWERED: ClassVar[bool] = False

    def to_elements(self, edition: Edition) -> list[Element]:
        """The elements."""
        return [leaf(key_frame_element(edition), "Send")]


@dataclass(frozen=True, slots=True)
class DragZoom:
    """Zooms on a rectangle that was drawn in a player's window. Pixels, origin top left. No answer."""

    zoom_in: bool
    length: int
    """Of the window."""
    width: int
    mid_x: int
    mid_y: int
    length_x: int
    """Of the rectangle."""
    length_y: int

    GROUP: ClassVar[Group] = "ptz"
    ANSWERED: ClassVar[bool] = False

    def to_elements(self, edition: Edition) -> list[Element]:
        """The elements."""
        values = (self.length, self.width, self.mid_x, self.mid_y, self.length_x, self.length_y)
        if any(not 0 <= value <= 65_535 for value in values):
            raise LocalProtocolError("a drag zoom is in pixels of the window")
        pairs = list(zip(_AREA, values, strict=True))
        return [Element("DragZoomIn" if self.zoom_in else "DragZoomOut", "", optional(pairs))]


@dataclass(frozen=True, slots=True)
class SetHomePosition:
    """Sets where the camera returns to."""

    position: HomePosition

    GROUP: ClassVar[Group] = "home_position"
    ANSWERED: ClassVar[bool] = True

    def to_elements(self, edition: Edition) -> list[Element]:
        """The elements."""
        preset = self.position.preset
        if preset is not None and not 0 <= preset <= 255:
            raise LocalProtocolError("a home position is one of the presets 0-255")
        return [self.position.to_element()]


@dataclass(frozen=True, slots=True)
class PrecisePtz:
    """PTZPreciseCtrl (2022): degrees clockwise from above, degrees down positive, factor of zoom. No answer."""

    pan: float | None = None
    tilt: float | None = None
    zoom: float | None = None

    GROUP: ClassVar[Group] = "ptz"
    ANSWERED: ClassVar[bool] = False

    def to_elements(self, edition: Edition) -> list[Element]:
        """The elements."""
        require_modern(edition, "PTZPreciseCtrl")
        pan, tilt, zoom = self.pan, self.tilt, self.zoom
        bad = (pan is not None and not 0 <= pan <= 360) or (tilt is not None and not -30 <= tilt <= 90)
        if bad or (zoom is not None and not 1 <= zoom <= 1000) or (pan is None and tilt is None and zoom is None):
            raise LocalProtocolError("pan is 0-360, tilt -30 to 90 degrees, zoom at least 1")
        values = [("Pan", pan), ("Tilt", tilt), ("Zoom", zoom)]
        return [
            Element(
                "PTZPreciseCtrl",
                "",
                optional([(name, f"{value:.2f}" if value is not None else None) for name, value in values]),
            )
        ]


@dataclass(frozen=True, slots=True)
class Upgrade:
    """DeviceUpgrade (2022 §9.13): a firmware file by URL; ends with Notify DeviceUpgradeResult of the session."""

    firmware: str
    file_url: str
    manufacturer: str
    session_id: str

    GROUP: ClassVar[Group] = "upgrade"
    ANSWERED: ClassVar[bool] = True

    def to_elements(self, edition: Edition) -> list[Element]:
        """The elements."""
        require_modern(edition, "DeviceUpgrade")
        if not SESSION_ID.fullmatch(self.session_id) or not self.firmware or not self.file_url:
            raise LocalProtocolError("an upgrade needs a firmware, its URL and a session of 32-128 letters and digits")
        pairs = [
            ("Firmware", self.firmware),
            ("FileURL", self.file_url),
            ("Manufacturer", self.manufacturer),
            ("SessionID", self.session_id),
        ]
        return [Element("DeviceUpgrade", "", optional(pairs))]


@dataclass(frozen=True, slots=True)
class FormatCard:
    """FormatSDCard (2022): a card by number from 1; 0 is all of them. No answer."""

    number: int

    GROUP: ClassVar[Group] = "format"
    ANSWERED: ClassVar[bool] = False

    def to_elements(self, edition: Edition) -> list[Element]:
        """The elements."""
        require_modern(edition, "FormatSDCard")
        if not 0 <= self.number <= 8:
            raise LocalProtocolError("a card is 1-8, or 0 for all")
        return [leaf("FormatSDCard", self.number)]


@dataclass(frozen=True, slots=True)
class TargetTrack:
    """TargetTrack (2022): read so that it can be refused; Gongshi follows nobody and never sends it."""

    mode: str

    GROUP: ClassVar[Group] = "track"
    ANSWERED: ClassVar[bool] = False

    def to_elements(self, edition: Edition) -> list[Element]:
        """Never."""
        raise LocalProtocolError("TargetTrack is never sent")


Command: TypeAlias = (
    PtzControl
    | TeleBoot
    | Record
    | Guard
    | AlarmReset
    | KeyFrame
    | DragZoom
    | SetHomePosition
    | PrecisePtz
    | Upgrade
    | FormatCard
    | TargetTrack
)


@dataclass(frozen=True, slots=True)
class DeviceControl:
    """Control DeviceControl. `answered` says whether the standard defines an answer: where not, none is given."""

    device_id: str
    sn: int
    command: Command

    @classmethod
    def parse(cls, envelope: Envelope) -> "DeviceControl":
        """From an envelope that `is_("Control", "DeviceControl")`.

        Raises RemoteProtocolError when there is no command in it that the standard knows, or it cannot be read.
        """
        return cls(envelope.device_id, envelope.sn or 0, _command(envelope.element))

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body. Raises LocalProtocolError for values out of range and commands that the edition lacks."""
        children = self.command.to_elements(edition)
        return build("Control", "DeviceControl", self.sn, self.device_id, children, edition=edition, charset=charset)

    @property
    def answered(self) -> bool:
        """Whether a Response DeviceControl is due (§8.1)."""
        return self.command.ANSWERED

    @property
    def group(self) -> Group:
        """The right that allows it."""
        return self.command.GROUP


def _command(e: Element) -> Command:
    if (code := e.get("PTZCmd")) is not None:
        return _ptz(e, code)
    if e.get("TeleBoot") is not None:
        return TeleBoot()
    if (word := e.get("RecordCmd")) is not None:
        return Record(_choice(word, "Record", "StopRecord"), e.integer("StreamNumber"))
    if (word := e.get("GuardCmd")) is not None:
        return Guard(_choice(word, "SetGuard", "ResetGuard"))
    if e.get("AlarmCmd") is not None:
        info = e.find("Info")
        methods = split_codes(info.get("AlarmMethod")) if info else ()
        return AlarmReset(methods, info.integer("AlarmType") if info else None)
    if e.get("IFameCmd") is not None or e.get("IFrameCmd") is not None:
        return KeyFrame()
    return _positioned(e)


def _positioned(e: Element) -> Command:
    for name in ("DragZoomIn", "DragZoomOut"):
        if (area := e.find(name)) is not None:
            return DragZoom(name == "DragZoomIn", *_area(area))
    if (home := e.find("HomePosition")) is not None:
        return SetHomePosition(HomePosition.parse(home))
    if (precise := e.find("PTZPreciseCtrl")) is not None:
        return PrecisePtz(precise.number("Pan"), precise.number("Tilt"), precise.number("Zoom"))
    if (upgrade := e.find("DeviceUpgrade")) is not None:
        names = ("Firmware", "FileURL", "Manufacturer", "SessionID")
        return Upgrade(*(upgrade.get(name) or "" for name in names))
    if e.get("FormatSDCard") is not None:
        number = e.integer("FormatSDCard")
        if number is None:
            raise RemoteProtocolError("FormatSDCard names no card")
        return FormatCard(number)
    if (track := e.find("TargetTrack")) is not None:
        return TargetTrack(track.text)
    raise RemoteProtocolError("the control carries no command that is known")


def _ptz(e: Element, code: str) -> PtzControl:
    params, info = e.find("PTZCmdParams"), e.find("Info")
    control = PtzControl(
        code.strip().upper(),
        (params.get("PresetName") if params else None) or "",
        (params.get("CruiseTrackName") if params else None) or "",
        info.integer("ControlPriority") if info else None,
    )
    decode(code)
    return control


def _choice(word: str, yes: str, no: str) -> bool:
    low = word.lower()
    if low not in {yes.lower(), no.lower()}:
        raise RemoteProtocolError(f"neither {yes} nor {no}")
    return low == yes.lower()


def _area(element: Element) -> tuple[int, int, int, int, int, int]:
    found = [element.integer(name) for name in _AREA]
    values = [value for value in found if value is not None]
    if len(values) != len(_AREA):
        raise RemoteProtocolError("a rectangle has six numbers")
    return values[0], values[1], values[2], values[3], values[4], values[5]


def _short(text: str) -> str:
    if len(text.encode("gb18030", "replace")) > _PARAMS_BYTES:
        raise LocalProtocolError("a name has at most 32 bytes")
    return text
