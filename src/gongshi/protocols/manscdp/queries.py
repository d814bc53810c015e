"""Queries that carry little beside the device's code (annex A.2.4; gb28181.md §7.6). CatalogQuery is in `messages`."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Self

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp.charset import Charset
from gongshi.protocols.manscdp.editions import join_codes, modern, require_modern, split_codes
from gongshi.protocols.manscdp.element import leaf, optional
from gongshi.protocols.manscdp.envelope import Envelope, build
from gongshi.protocols.manscdp.messages import format_time, parse_time
from gongshi.protocols.manscdp.values import sn_of

POSITION_INTERVAL: Final = 5
"""Seconds between positions when the subscriber names none (annex A.2.4.9)."""
CONFIG_TYPES: Final = (
    "BasicParam",
    "VideoParamOpt",
    "SVACEncodeConfig",
    "SVACDecodeConfig",
    "VideoParamAttribute",
    "VideoRecordPlan",
    "VideoAlarmRecord",
    "PictureMask",
    "FrameMirror",
    "AlarmReport",
    "OSDConfig",
    "SnapShotConfig",
)
OLD_CONFIG_TYPES: Final = frozenset(CONFIG_TYPES[:4])
"""What a 2016 device knows."""


@dataclass(frozen=True, slots=True)
class PlainQuery:
    """A query without fields of its own. `COMMAND` is its CmdType, `MODERN` whether 2022 brought it."""

    device_id: str
    sn: int

    COMMAND: ClassVar[str] = ""
    MODERN: ClassVar[bool] = False

    @classmethod
    def parse(cls, envelope: Envelope) -> Self:
        """From an envelope of this query."""
        return cls(envelope.device_id, sn_of(envelope))

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body. Raises LocalProtocolError when the peer's edition does not know the query."""
        if self.MODERN:
            require_modern(edition, self.COMMAND)
        return build("Query", self.COMMAND, self.sn, self.device_id, edition=edition, charset=charset)


@dataclass(frozen=True, slots=True)
class DeviceInfoQuery(PlainQuery):
    """Query DeviceInfo."""

    COMMAND: ClassVar[str] = "DeviceInfo"


@dataclass(frozen=True, slots=True)
class DeviceStatusQuery(PlainQuery):
    """Query DeviceStatus."""

    COMMAND: ClassVar[str] = "DeviceStatus"


@dataclass(frozen=True, slots=True)
class PresetQuery(PlainQuery):
    """Query PresetQuery."""

    COMMAND: ClassVar[str] = "PresetQuery"


@dataclass(frozen=True, slots=True)
class HomePositionQuery(PlainQuery):
    """Query HomePositionQuery (2022)."""

    COMMAND: ClassVar[str] = "HomePositionQuery"
    MODERN: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class CruiseTrackListQuery(PlainQuery):
    """Query CruiseTrackListQuery (2022)."""

    COMMAND: ClassVar[str] = "CruiseTrackListQuery"
    MODERN: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class PtzPositionQuery(PlainQuery):
    """Query PTZPosition (2022); also the body of its subscription."""

    COMMAND: ClassVar[str] = "PTZPosition"
    MODERN: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class SdCardStatusQuery(PlainQuery):
    """Query SDCardStatus (2022)."""

    COMMAND: ClassVar[str] = "SDCardStatus"
    MODERN: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class CruiseTrackQuery:
    """Query CruiseTrackQuery (2022): the points of one track, counted from 0."""

    device_id: str
    sn: int
    number: int

    COMMAND: ClassVar[str] = "CruiseTrackQuery"
    MODERN: ClassVar[bool] = True

    @classmethod
    def parse(cls, envelope: Envelope) -> "CruiseTrackQuery":
        """From an envelope of this query; without a number it means the first."""
        return cls(envelope.device_id, sn_of(envelope), envelope.element.integer("Number") or 0)

    def to_bytes(self, edition: Edition = Edition.E2022, charset: Charset = "gb18030") -> bytes:
        """The body."""
        require_modern(edition, self.COMMAND)
        children = [leaf("Number", self.number)]
        return build("Query", self.COMMAND, self.sn, self.device_id, children, edition=edition, charset=charset)


@dataclass(frozen=True, slots=True)
class ConfigDownloadQuery:
    """Query ConfigDownload: one answer per type, all with this SN (§7.6)."""

    device_id: str
    sn: int
    types: tuple[str, ...]
    """Of `CONFIG_TYPES`; others are kept as sent."""

    COMMAND: ClassVar[str] = "ConfigDownload"

    @classmethod
    def parse(cls, envelope: Envelope) -> "ConfigDownloadQuery":
        """From an envelope of this query. Raises RemoteProtocolError when no type is asked for."""
        words = (envelope.element.get("ConfigType") or "").split("/")
        types = tuple(dict.fromkeys(_config_type(word.strip()) for word in words if word.strip()))
        if not types:
            raise RemoteProtocolError("ConfigDownload names no ConfigType")
        return cls(envelope.device_id, sn_of(envelope), types)

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body. Raises LocalProtocolError for types that the peer's edition does not know."""
        if not self.types or any("/" in name or not name for name in self.types):
            raise LocalProtocolError("ConfigDownload asks for types by name")
        for name in self.types:
            if name not in OLD_CONFIG_TYPES:
                require_modern(edition, name)
        children = [leaf("ConfigType", "/".join(self.types))]
        return build("Query", self.COMMAND, self.sn, self.device_id, children, edition=edition, charset=charset)


def _config_type(name: str) -> str:
    low = name.lower()
    if low == "snapshot":
        return "SnapShotConfig"  # S-16
    return next((known for known in CONFIG_TYPES if known.lower() == low), name)


@dataclass(frozen=True, slots=True)
class MobilePositionQuery:
    """Query MobilePosition: the body of a subscription to positions, one every `interval` seconds."""

    device_id: str
    sn: int
    interval: int = POSITION_INTERVAL

    COMMAND: ClassVar[str] = "MobilePosition"

    @classmethod
    def parse(cls, envelope: Envelope) -> "MobilePositionQuery":
        """From an envelope of this query; a missing or absurd interval is the default."""
        interval = envelope.element.integer("Interval")
        valid = interval is not None and 1 <= interval <= 86_400
        return cls(envelope.device_id, sn_of(envelope), interval if valid and interval else POSITION_INTERVAL)

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body."""
        children = [leaf("Interval", self.interval)]
        return build("Query", self.COMMAND, self.sn, self.device_id, children, edition=edition, charset=charset)


@dataclass(frozen=True, slots=True)
class AlarmQuery:
    """Query Alarm: which alarms a subscriber wants. Empty methods and types, and priority 0, mean all."""

    device_id: str
    sn: int
    start_priority: int = 0
    end_priority: int = 0
    methods: tuple[int, ...] = ()
    types: tuple[int, ...] = ()
    """2022."""
    start: datetime | None = None
    end: datetime | None = None

    COMMAND: ClassVar[str] = "Alarm"

    @classmethod
    def parse(cls, envelope: Envelope) -> "AlarmQuery":
        """From an envelope of this query; the samples call the times StartTime and EndTime."""
        e = envelope.element
        return cls(
            envelope.device_id,
            sn_of(envelope),
            e.integer("StartAlarmPriority") or 0,
            e.integer("EndAlarmPriority") or 0,
            split_codes(e.get("AlarmMethod")),
            tuple(code for word in (e.get("AlarmType") or "").split("/") for code in _code(word)),
            parse_time(e.get("StartAlarmTime") or e.get("StartTime")),
            parse_time(e.get("EndAlarmTime") or e.get("EndTime")),
        )

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body."""
        children = [
            leaf("StartAlarmPriority", self.start_priority),
            leaf("EndAlarmPriority", self.end_priority),
            leaf("AlarmMethod", join_codes(self.methods, edition)),
        ]
        if modern(edition) and self.types:
            children.append(leaf("AlarmType", join_codes(self.types, edition)))
        times = [("StartAlarmTime", self.start), ("EndAlarmTime", self.end)]
        children += optional([(name, format_time(moment) if moment else None) for name, moment in times])
        return build("Query", self.COMMAND, self.sn, self.device_id, children, edition=edition, charset=charset)

    def wants(self, priority: int | None, method: int | None, type: int | None = None) -> bool:
        """Does an alarm of these figures belong to the subscription? Unknown figures do."""
        if priority is not None and self.end_priority and not self.start_priority <= priority <= self.end_priority:
            return False
        if self.methods and method is not None and method not in self.methods:
            return False
        return not (self.types and type is not None and type not in self.types)


def _code(word: str) -> tuple[int, ...]:
    word = word.strip()
    return (int(word),) if word.isascii() and word.isdigit() and len(word) < 6 and int(word) else ()
