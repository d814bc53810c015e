"""Alarms and positions, as a device reports them (annex A.2.5.3, A.2.5.6; gb28181.md §9)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp.charset import Charset
from gongshi.protocols.manscdp.editions import extra_element, modern
from gongshi.protocols.manscdp.element import Element, leaf, optional
from gongshi.protocols.manscdp.envelope import Envelope, build
from gongshi.protocols.manscdp.messages import format_time, parse_time
from gongshi.protocols.manscdp.values import counted, items_of

METHODS: Final = {1: "phone", 2: "device", 3: "sms", 4: "gps", 5: "video", 6: "fault", 7: "other"}
TYPES: Final = {
    2: {1: "video_loss", 2: "tamper", 3: "storage_full", 4: "over_temperature", 5: "under_temperature"},
    5: {
        1: "manual",
        2: "motion",
        3: "left_object",
        4: "object_removed",
        5: "tripwire",
        6: "intrusion",
        7: "wrong_way",
        8: "loitering",
        9: "flow_count",
        10: "density",
        11: "video_abnormal",
        12: "fast_movement",
        13: "occlusion",
    },
    6: {1: "disk_fault", 2: "fan_fault"},
}
"""What AlarmType means under each AlarmMethod; under the others none is defined."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Notify Alarm. `method` and `type` are numbers of the tables; unknown ones are kept."""

    device_id: str
    """The device, or an alarm centre."""
    sn: int
    priority: int | None = None
    """1 (highest) to 4."""
    method: int | None = None
    time: datetime | None = None
    description: str = ""
    longitude: float | None = None
    latitude: float | None = None
    type: int | None = None
    event: int | None = None
    """AlarmTypeParam/EventType: 1 enters, 2 leaves an area."""
    extra: tuple[str, ...] = ()
    """Free text of the sender."""

    @classmethod
    def parse(cls, envelope: Envelope) -> "Alarm":
        """From an envelope that `is_("Notify", "Alarm")`; some put AlarmType at top level."""
        e = envelope.element
        infos = list(e.all("Info"))
        first = next((info for info in infos if info.children), None)
        kind = first.integer("AlarmType") if first else None
        params = (first.find("AlarmTypeParam") if first else None) or e.find("AlarmTypeParam")
        extra = tuple(x.text for x in (*infos, *e.all("ExtraInfo")) if x.text)
        return cls(
            envelope.device_id,
            envelope.sn or 0,
            e.integer("AlarmPriority"),
            e.integer("AlarmMethod"),
            parse_time(e.get("AlarmTime")),
            e.get("AlarmDescription") or "",
            e.number("Longitude"),
            e.number("Latitude"),
            e.integer("AlarmType") if kind is None else kind,
            params.integer("EventType") if params else None,
            extra,
        )

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body. Raises LocalProtocolError without priority, method or time."""
        if self.priority is None or self.method is None or self.time is None:
            raise LocalProtocolError("an alarm states its priority, method and time")
        children = optional(
            [
                ("AlarmPriority", self.priority),
                ("AlarmMethod", self.method),
                ("AlarmTime", format_time(self.time)),
                ("AlarmDescription", self.description),
                ("Longitude", self.longitude),
                ("Latitude", self.latitude),
            ]
        )
        info = optional([("AlarmType", self.type)])
        if self.event is not None:
            info.append(Element("AlarmTypeParam", "", [leaf("EventType", self.event)]))
        if info:
            children.append(Element("Info", "", info))
        children += [leaf(extra_element(edition), text) for text in self.extra]
        return build("Notify", "Alarm", self.sn, self.device_id, children, edition=edition, charset=charset)

    @property
    def kind(self) -> str:
        """A word for method and type: `motion`, `disk_fault`, `device` for an alarm input, `other`."""
        return TYPES.get(self.method or 0, {}).get(self.type or 0) or METHODS.get(self.method or 0, "other")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a mobile device is; degrees (WGS-84 in 2022), km/h, degrees clockwise from north, metres."""

    device_id: str
    time: datetime | None
    longitude: float
    latitude: float
    speed: float | None = None
    direction: float | None = None
    altitude: float | None = None
    height: float | None = None
    """2022: above the ground."""

    @classmethod
    def parse(cls, element: Element, device_id: str = "") -> "Position":
        """From an Item, or from the flat message of 2016. Raises RemoteProtocolError without a plausible place."""
        longitude, latitude = element.number("Longitude"), element.number("Latitude")
        if longitude is None or latitude is None or abs(longitude) > 180 or abs(latitude) > 90:
            raise RemoteProtocolError("a position lacks longitude and latitude")
        return cls(
            element.get("DeviceID") or device_id,
            parse_time(element.get("CaptureTime") or element.get("Time")),
            longitude,
            latitude,
            *(element.number(name) for name in ("Speed", "Direction", "Altitude", "Height")),
        )

    def _pairs(self) -> list[tuple[str, object | None]]:
        return [
            ("Longitude", self.longitude),
            ("Latitude", self.latitude),
            ("Speed", self.speed),
            ("Direction", self.direction),
            ("Altitude", self.altitude),
        ]

    def to_element(self) -> Element:
        """An Item of 2022."""
        time = format_time(self.time) if self.time else None
        pairs = [("DeviceID", self.device_id), ("CaptureTime", time), *self._pairs(), ("Height", self.height)]
        return Element("Item", "", optional(pairs))

    def to_leaves(self) -> list[Element]:
        """The flat fields of 2016."""
        time = format_time(self.time) if self.time else None
        return optional([("Time", time), *self._pairs()])


@dataclass(frozen=True, slots=True)
class MobilePosition:
    """Notify MobilePosition: one place in 2016, a list in 2022."""

    device_id: str
    sn: int
    positions: tuple[Position, ...] = ()
    time: datetime | None = None
    lost: int = 0
    """Entries without a readable place."""

    @classmethod
    def parse(cls, envelope: Envelope) -> "MobilePosition":
        """From an envelope that `is_("Notify", "MobilePosition")`. The 2016 schema has no DeviceID; it may be empty."""
        e = envelope.element
        holder = e.find("DeviceList")
        found: list[Position] = []
        lost = envelope.lost_items
        for element in [e] if holder is None else items_of(holder):
            try:
                found.append(Position.parse(element, envelope.device_id))
            except RemoteProtocolError:
                lost += 1
        return cls(envelope.device_id, envelope.sn or 0, tuple(found), parse_time(e.get("Time")), lost)

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body. To 2016 exactly one position."""
        if not modern(edition):
            if len(self.positions) != 1:
                raise LocalProtocolError("a 2016 message carries one position")
            children = self.positions[0].to_leaves()
        else:
            children = optional([("Time", format_time(self.time) if self.time else None)])
            children += [
                leaf("SumNum", len(self.positions)),
                counted("DeviceList", [position.to_element() for position in self.positions]),
            ]
        return build("Notify", "MobilePosition", self.sn, self.device_id, children, edition=edition, charset=charset)
