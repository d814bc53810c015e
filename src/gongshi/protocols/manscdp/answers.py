"""Answers about lenses and storage, and the plain result of a command (annex A.2.6; gb28181.md §7.6)."""

from collections.abc import Sequence
from dataclasses import dataclass

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.manscdp.charset import Charset
from gongshi.protocols.manscdp.editions import modern, require_modern
from gongshi.protocols.manscdp.element import Element, leaf, optional
from gongshi.protocols.manscdp.envelope import Envelope, build
from gongshi.protocols.manscdp.values import (
    counted,
    digit,
    items_of,
    read_result,
    read_switch,
    result_word,
    sn_of,
)


@dataclass(frozen=True, slots=True)
class Result:
    """Response with a Result alone: to DeviceControl, DeviceConfig, Alarm, Broadcast, and to subscriptions."""

    command: str
    """CmdType."""
    device_id: str
    sn: int
    ok: bool = True

    @classmethod
    def parse(cls, envelope: Envelope) -> "Result":
        """From any Response."""
        return cls(envelope.cmd_type, envelope.device_id, sn_of(envelope), read_result(envelope.element))

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body."""
        children = [leaf("Result", result_word(self.ok))]
        return build("Response", self.command, self.sn, self.device_id, children, edition=edition, charset=charset)


@dataclass(frozen=True, slots=True)
class PresetItem:
    """A stored view."""

    number: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class PresetList:
    """Response PresetQuery."""

    device_id: str
    sn: int
    presets: tuple[PresetItem, ...] = ()
    sum_num: int | None = None
    """2022; many 2016 devices send it too."""

    @classmethod
    def parse(cls, envelope: Envelope) -> "PresetList":
        """From an envelope that `is_("Response", "PresetQuery")`; entries without a number fall away."""
        found: list[PresetItem] = []
        for holder in envelope.element.all("PresetList"):
            for item in items_of(holder):
                number = item.integer("PresetID")
                if number is not None and 0 <= number <= 65535:
                    found.append(PresetItem(number, item.get("PresetName") or ""))
        return cls(envelope.device_id, sn_of(envelope), tuple(found), total_of(envelope))

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body."""
        entries = [
            Element("Item", "", [leaf("PresetID", p.number), *optional([("PresetName", p.name)])]) for p in self.presets
        ]
        total = self.sum_num if self.sum_num is not None else len(self.presets)
        children = [leaf("SumNum", total)] if modern(edition) else []
        children.append(counted("PresetList", entries))
        return build("Response", "PresetQuery", self.sn, self.device_id, children, edition=edition, charset=charset)


@dataclass(frozen=True, slots=True)
class HomePosition:
    """Where a camera returns to when nobody moves it; `reset_time` is seconds of rest, `preset` 0-255."""

    enabled: bool
    reset_time: int | None = None
    preset: int | None = None

    @classmethod
    def parse(cls, element: Element) -> "HomePosition":
        """Read the element. Raises RemoteProtocolError when it does not say whether."""
        enabled = read_switch(element.get("Enabled"))
        if enabled is None:
            raise RemoteProtocolError("HomePosition lacks Enabled")
        return cls(enabled, element.integer("ResetTime"), element.integer("PresetIndex"))

    def to_element(self) -> Element:
        """The element."""
        pairs = [("Enabled", digit(self.enabled)), ("ResetTime", self.reset_time), ("PresetIndex", self.preset)]
        return Element("HomePosition", "", optional(pairs))


@dataclass(frozen=True, slots=True)
class HomePositionAnswer:
    """Response HomePositionQuery (2022); None: the device has none."""

    device_id: str
    sn: int
    position: HomePosition | None = None

    @classmethod
    def parse(cls, envelope: Envelope) -> "HomePositionAnswer":
        """From an envelope that `is_("Response", "HomePositionQuery")`."""
        element = envelope.element.find("HomePosition")
        stated = element is not None and element.get("Enabled") is not None
        return cls(
            envelope.device_id, sn_of(envelope), HomePosition.parse(element) if stated and element is not None else None
        )

    def to_bytes(self, edition: Edition = Edition.E2022, charset: Charset = "gb18030") -> bytes:
        """The body."""
        require_modern(edition, "HomePositionQuery")
        children = [self.position.to_element()] if self.position is not None else []
        return build(
            "Response", "HomePositionQuery", self.sn, self.device_id, children, edition=edition, charset=charset
        )


@dataclass(frozen=True, slots=True)
class CruiseTrackEntry:
    """A track by number, from 0; the name has at most 32 bytes."""

    number: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class CruiseTrackList:
    """Response CruiseTrackListQuery (2022)."""

    device_id: str
    sn: int
    tracks: tuple[CruiseTrackEntry, ...] = ()
    sum_num: int | None = None

    @classmethod
    def parse(cls, envelope: Envelope) -> "CruiseTrackList":
        """From an envelope that `is_("Response", "CruiseTrackListQuery")`."""
        found: list[CruiseTrackEntry] = []
        for item in items_of(envelope.element.find("CruiseTrackList"), "CruiseTrack"):
            number = item.integer("Number")
            if number is not None:
                found.append(CruiseTrackEntry(number, item.get("Name") or ""))
        return cls(envelope.device_id, sn_of(envelope), tuple(found), total_of(envelope))

    def to_bytes(self, edition: Edition = Edition.E2022, charset: Charset = "gb18030") -> bytes:
        """The body."""
        require_modern(edition, "CruiseTrackListQuery")
        entries = [
            Element("CruiseTrack", "", [leaf("Number", t.number), *optional([("Name", t.name)])]) for t in self.tracks
        ]
        children = _summed(self.sum_num, "CruiseTrackList", entries)
        return build(
            "Response", "CruiseTrackListQuery", self.sn, self.device_id, children, edition=edition, charset=charset
        )


@dataclass(frozen=True, slots=True)
class CruisePoint:
    """A stop of a track: preset, seconds of stay, speed 1-15 on the way to it."""

    preset: int
    stay: int | None = None
    speed: int | None = None


@dataclass(frozen=True, slots=True)
class CruiseTrack:
    """Response CruiseTrackQuery (2022)."""

    device_id: str
    sn: int
    number: int
    name: str = ""
    points: tuple[CruisePoint, ...] = ()
    sum_num: int | None = None

    @classmethod
    def parse(cls, envelope: Envelope) -> "CruiseTrack":
        """From an envelope that `is_("Response", "CruiseTrackQuery")`."""
        e = envelope.element
        found: list[CruisePoint] = []
        for item in items_of(e.find("CruisePointList"), "CruisePoint"):
            preset = item.integer("PresetIndex")
            if preset is not None:
                found.append(CruisePoint(preset, item.integer("StayTime"), item.integer("Speed")))
        return cls(
            envelope.device_id,
            sn_of(envelope),
            e.integer("Number") or 0,
            e.get("Name") or "",
            tuple(found),
            total_of(envelope),
        )

    def to_bytes(self, edition: Edition = Edition.E2022, charset: Charset = "gb18030") -> bytes:
        """The body."""
        require_modern(edition, "CruiseTrackQuery")
        entries = [
            Element(
                "CruisePoint",
                "",
                optional([("PresetIndex", p.preset), ("StayTime", p.stay), ("Speed", p.speed)]),
            )
            for p in self.points
        ]
        children = [leaf("Number", self.number), *optional([("Name", self.name)])]
        children += _summed(self.sum_num, "CruisePointList", entries)
        return build(
            "Response", "CruiseTrackQuery", self.sn, self.device_id, children, edition=edition, charset=charset
        )


@dataclass(frozen=True, slots=True)
class PtzPosition:
    """PTZPosition (2022), as Response or as Notify of a subscription. Degrees, zoom a factor, distance in metres."""

    device_id: str
    sn: int
    pan: float | None = None
    tilt: float | None = None
    zoom: float | None = None
    horizontal_angle: float | None = None
    vertical_angle: float | None = None
    distance: float | None = None

    @classmethod
    def parse(cls, envelope: Envelope) -> "PtzPosition":
        """From an envelope with CmdType PTZPosition."""
        e = envelope.element
        names = ("Pan", "Tilt", "Zoom", "HorizontalFieldAngle", "VerticalFieldAngle", "MaxViewDistance")
        return cls(envelope.device_id, envelope.sn or 0, *(e.number(name) for name in names))

    def to_bytes(
        self, edition: Edition = Edition.E2022, charset: Charset = "gb18030", *, notify: bool = False
    ) -> bytes:
        """The body of a Response, or of a Notify."""
        require_modern(edition, "PTZPosition")
        children = optional(
            [
                ("Pan", self.pan),
                ("Tilt", self.tilt),
                ("Zoom", self.zoom),
                ("HorizontalFieldAngle", self.horizontal_angle),
                ("VerticalFieldAngle", self.vertical_angle),
                ("MaxViewDistance", self.distance),
            ]
        )
        root = "Notify" if notify else "Response"
        return build(root, "PTZPosition", self.sn, self.device_id, children, edition=edition, charset=charset)


@dataclass(frozen=True, slots=True)
class SdCard:
    """A storage card; sizes in MB, `status` ok, formatting, unformatted, idle or error."""

    number: int
    name: str = ""
    status: str = "ok"
    progress: int | None = None
    """Per cent of a format that runs."""
    capacity: int | None = None
    free: int | None = None


@dataclass(frozen=True, slots=True)
class SdCardStatus:
    """Response SDCardStatus (2022), at most eight cards."""

    device_id: str
    sn: int
    cards: tuple[SdCard, ...] = ()
    sum_num: int | None = None

    @classmethod
    def parse(cls, envelope: Envelope) -> "SdCardStatus":
        """From an envelope that `is_("Response", "SDCardStatus")`."""
        found: list[SdCard] = []
        for item in items_of(envelope.element.find("SDCardStatusInfo")):
            number = item.integer("ID")
            if number is None:
                continue
            sizes = (item.integer(name) for name in ("FormatProgress", "Capacity", "FreeSpace"))
            status = (item.get("Status") or "ok").lower()
            found.append(SdCard(number, item.get("HddName") or "", status, *sizes))
        return cls(envelope.device_id, sn_of(envelope), tuple(found), total_of(envelope))

    def to_bytes(self, edition: Edition = Edition.E2022, charset: Charset = "gb18030") -> bytes:
        """The body."""
        require_modern(edition, "SDCardStatus")
        entries = [
            Element(
                "Item",
                "",
                optional(
                    [
                        ("ID", c.number),
                        ("HddName", c.name),
                        ("Status", c.status),
                        ("FormatProgress", c.progress),
                        ("Capacity", c.capacity),
                        ("FreeSpace", c.free),
                    ]
                ),
            )
            for c in self.cards
        ]
        children = _summed(self.sum_num, "SDCardStatusInfo", entries)
        return build("Response", "SDCardStatus", self.sn, self.device_id, children, edition=edition, charset=charset)


def total_of(envelope: Envelope) -> int | None:
    """SumNum when it is a count."""
    total = envelope.element.integer("SumNum")
    return total if total is not None and total >= 0 else None


def _summed(total: int | None, name: str, entries: Sequence[Element]) -> list[Element]:
    """SumNum, and the list when there is anything in it (§7.5)."""
    children = [leaf("SumNum", len(entries) if total is None else total)]
    if entries:
        children.append(counted(name, list(entries)))
    return children
