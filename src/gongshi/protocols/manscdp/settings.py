"""The settings of a device by type: elements of DeviceConfig and ConfigDownload (annex A.2.3.2; gb28181.md §8.2)."""

from dataclasses import dataclass, field
from datetime import time
from typing import ClassVar, Final, TypeAlias

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp.control import SESSION_ID
from gongshi.protocols.manscdp.element import Element, leaf, optional
from gongshi.protocols.manscdp.values import counted, digit, items_of, read_switch

LEAST_INTERVAL: Final = 5
MOST_INTERVAL: Final = 3600
MOST_MISSES: Final = 20


@dataclass(frozen=True, slots=True)
class BasicParam:
    """Name, registration and heartbeat (seconds, count), as the device has them; None where it says nothing."""

    name: str = ""
    expiration: int | None = None
    heartbeat_interval: int | None = None
    heartbeat_count: int | None = None
    position_capability: int | None = None
    """2016 answers: 0 none, 1 GPS, 2 BeiDou."""
    longitude: float | None = None
    latitude: float | None = None

    NAME: ClassVar[str] = "BasicParam"

    @classmethod
    def parse(cls, e: Element) -> "BasicParam":
        """Read the element; numbers that are none are absent (Q-30)."""
        return cls(
            e.get("Name") or "",
            e.integer("Expiration"),
            e.integer("HeartBeatInterval"),
            e.integer("HeartBeatCount"),
            e.integer("PositionCapability"),
            e.number("Longitude"),
            e.number("Latitude"),
        )

    def to_element(self) -> Element:
        """The element."""
        pairs = [
            ("Name", self.name),
            ("Expiration", self.expiration),
            ("HeartBeatInterval", self.heartbeat_interval),
            ("HeartBeatCount", self.heartbeat_count),
            ("PositionCapability", self.position_capability),
            ("Longitude", self.longitude),
            ("Latitude", self.latitude),
        ]
        return Element(self.NAME, "", optional(pairs))

    def keepalive(self, interval: int, misses: int) -> tuple[int, int]:
        """(seconds, count) to judge by: as stated but within bounds; what is 0 or missing stays as given (Q-30)."""
        stated, count = self.heartbeat_interval, self.heartbeat_count
        if stated is not None and stated > 0:
            interval = min(max(stated, LEAST_INTERVAL), MOST_INTERVAL)
        if count is not None and count > 0:
            misses = min(count, MOST_MISSES)
        return interval, misses


@dataclass(frozen=True, slots=True)
class VideoParamOpt:
    """What the device can do, as lists of f= codes: "1/2/4" and "5/6"."""

    download_speeds: str = ""
    resolutions: str = ""

    NAME: ClassVar[str] = "VideoParamOpt"

    @classmethod
    def parse(cls, e: Element) -> "VideoParamOpt":
        """Read the element."""
        return cls(e.get("DownloadSpeed") or "", e.get("Resolution") or "")

    def to_element(self) -> Element:
        """The element."""
        pairs = [("DownloadSpeed", self.download_speeds), ("Resolution", self.resolutions)]
        return Element(self.NAME, "", optional(pairs))


@dataclass(frozen=True, slots=True)
class VideoAttribute:
    """One stream of a camera in f= codes."""

    stream_number: int
    video_format: str = ""
    resolution: str = ""
    frame_rate: str = ""
    bit_rate_type: str = ""
    bit_rate: str = ""


_ATTRIBUTE_FIELDS = ("VideoFormat", "Resolution", "FrameRate", "BitRateType", "VideoBitRate")


@dataclass(frozen=True, slots=True)
class VideoParamAttribute:
    """Streams of a camera (2022)."""

    streams: tuple[VideoAttribute, ...] = ()

    NAME: ClassVar[str] = "VideoParamAttribute"

    @classmethod
    def parse(cls, e: Element) -> "VideoParamAttribute":
        """Read the element."""
        found = [
            VideoAttribute(i.integer("StreamNumber") or 0, *(i.get(name) or "" for name in _ATTRIBUTE_FIELDS))
            for i in items_of(e)
        ]
        return cls(tuple(found))

    def to_element(self) -> Element:
        """The element."""
        entries: list[Element] = []
        for s in self.streams:
            values = (s.video_format, s.resolution, s.frame_rate, s.bit_rate_type, s.bit_rate)
            pairs = list(zip(_ATTRIBUTE_FIELDS, values, strict=True))
            entries.append(Element("Item", "", [leaf("StreamNumber", s.stream_number), *optional(pairs)]))
        return counted(self.NAME, entries)


@dataclass(frozen=True, slots=True)
class DayPlan:
    """Hours of recording of a weekday, 1 = Monday; at most eight spans."""

    weekday: int
    spans: tuple[tuple[time, time], ...] = ()


_SPAN = ("StartHour", "StartMin", "StartSec", "StopHour", "StopMin", "StopSec")


@dataclass(frozen=True, slots=True)
class VideoRecordPlan:
    """When the front end records (2022)."""

    enabled: bool
    days: tuple[DayPlan, ...] = ()
    stream_number: int = 0

    NAME: ClassVar[str] = "VideoRecordPlan"

    @classmethod
    def parse(cls, e: Element) -> "VideoRecordPlan":
        """Read the element. Raises RemoteProtocolError for hours that are none."""
        days: list[DayPlan] = []
        for holder in e.all("RecordSchedule"):
            spans = tuple(_span(segment) for segment in holder.all("TimeSegment"))
            days.append(DayPlan(holder.integer("WeekDayNum") or 0, spans))
        return cls(bool(read_switch(e.get("RecordEnable"))), tuple(days), e.integer("StreamNumber") or 0)

    def to_element(self) -> Element:
        """The element."""
        if len(self.days) > 7 or any(not 1 <= d.weekday <= 7 or len(d.spans) > 8 for d in self.days):
            raise LocalProtocolError("a plan has weekdays 1-7 with at most eight spans each")
        schedules: list[Element] = []
        for day in self.days:
            segments = [
                Element(
                    "TimeSegment",
                    "",
                    optional(list(zip(_SPAN, (a.hour, a.minute, a.second, b.hour, b.minute, b.second), strict=True))),
                )
                for a, b in day.spans
            ]
            head = [leaf("WeekDayNum", day.weekday), leaf("TimeSegmentSumNum", len(segments))]
            schedules.append(Element("RecordSchedule", "", [*head, *segments]))
        head = [leaf("RecordEnable", digit(self.enabled)), leaf("RecordScheduleSumNum", len(schedules))]
        return Element(self.NAME, "", [*head, *schedules, leaf("StreamNumber", self.stream_number)])


def _span(e: Element) -> tuple[time, time]:
    values = [e.integer(name) or 0 for name in _SPAN]
    if values[3] == 24:
        # The end of a day is written as 24:00:00 by some.
        values[3:] = [23, 59, 59]
    try:
        return time(values[0], values[1], values[2]), time(values[3], values[4], values[5])
    except ValueError as error:
        raise RemoteProtocolError("a time of a plan is none") from error


@dataclass(frozen=True, slots=True)
class VideoAlarmRecord:
    """Recording around alarms (2022), seconds after and before."""

    enabled: bool
    after: int | None = None
    before: int | None = None
    stream_number: int = 0

    NAME: ClassVar[str] = "VideoAlarmRecord"

    @classmethod
    def parse(cls, e: Element) -> "VideoAlarmRecord":
        """Read the element."""
        enabled = bool(read_switch(e.get("RecordEnable")))
        return cls(enabled, e.integer("RecordTime"), e.integer("PreRecordTime"), e.integer("StreamNumber") or 0)

    def to_element(self) -> Element:
        """The element."""
        pairs = [
            ("RecordEnable", digit(self.enabled)),
            ("RecordTime", self.after),
            ("PreRecordTime", self.before),
            ("StreamNumber", self.stream_number),
        ]
        return Element(self.NAME, "", optional(pairs))


@dataclass(frozen=True, slots=True)
class MaskRegion:
    """A rectangle 1-4 in pixels: left top, right bottom."""

    number: int
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class PictureMask:
    """Privacy masks at the source (2022), at most four."""

    enabled: bool
    regions: tuple[MaskRegion, ...] = ()

    NAME: ClassVar[str] = "PictureMask"

    @classmethod
    def parse(cls, e: Element) -> "PictureMask":
        """Read the element. Raises RemoteProtocolError for a region that is no rectangle."""
        found: list[MaskRegion] = []
        for index, item in enumerate(items_of(e.find("RegionList")), 1):
            numbers = [part.strip() for part in (item.get("Point") or "").split(",")]
            if len(numbers) != 4 or any(not n.isascii() or not n.isdigit() or len(n) > 6 for n in numbers):
                raise RemoteProtocolError("a mask is four numbers")
            box = int(numbers[0]), int(numbers[1]), int(numbers[2]), int(numbers[3])
            found.append(MaskRegion(item.integer("Seq") or index, box))
        return cls(bool(read_switch(e.get("On"))), tuple(found))

    def to_element(self) -> Element:
        """The element."""
        if len(self.regions) > 4 or any(not 1 <= region.number <= 4 for region in self.regions):
            raise LocalProtocolError("a picture has masks 1-4")
        entries = [
            Element("Item", "", [leaf("Seq", r.number), leaf("Point", ",".join(str(n) for n in r.box))])
            for r in self.regions
        ]
        children = [leaf("On", digit(self.enabled)), leaf("SumNum", len(entries))]
        if entries:
            children.append(counted("RegionList", entries))
        return Element(self.NAME, "", children)


@dataclass(frozen=True, slots=True)
class FrameMirror:
    """0 none, 1 left-right, 2 up-down, 3 both (2022)."""

    mode: int

    NAME: ClassVar[str] = "FrameMirror"

    @classmethod
    def parse(cls, e: Element) -> "FrameMirror":
        """Read the element. Raises RemoteProtocolError for another number."""
        text = e.text or e.get("FrameMirror") or ""
        if text not in {"0", "1", "2", "3"}:
            raise RemoteProtocolError("FrameMirror is 0-3")
        return cls(int(text))

    def to_element(self) -> Element:
        """The element."""
        if not 0 <= self.mode <= 3:
            raise LocalProtocolError("FrameMirror is 0-3")
        return leaf(self.NAME, self.mode)


@dataclass(frozen=True, slots=True)
class AlarmReport:
    """Which scene alarms are reported (2022)."""

    motion: bool
    field: bool

    NAME: ClassVar[str] = "AlarmReport"

    @classmethod
    def parse(cls, e: Element) -> "AlarmReport":
        """Read the element."""
        return cls(bool(read_switch(e.get("MotionDetection"))), bool(read_switch(e.get("FieldDetection"))))

    def to_element(self) -> Element:
        """The element."""
        pairs = [("MotionDetection", digit(self.motion)), ("FieldDetection", digit(self.field))]
        return Element(self.NAME, "", optional(pairs))


@dataclass(frozen=True, slots=True)
class OsdText:
    """A line in the picture, at most 32 characters, at a pixel."""

    text: str
    x: int
    y: int


_OSD = ("Length", "Width", "TimeX", "TimeY")


@dataclass(frozen=True, slots=True)
class OsdConfig:
    """Time and at most eight lines in the picture (2022); pixels of a window of `length` x `width`."""

    length: int
    width: int
    time_x: int = 0
    time_y: int = 0
    time_enabled: bool = True
    time_type: int = 0
    """0: 2026-03-01, 1: with the characters for year, month and day."""
    text_enabled: bool = True
    texts: tuple[OsdText, ...] = ()

    NAME: ClassVar[str] = "OSDConfig"

    @classmethod
    def parse(cls, e: Element) -> "OsdConfig":
        """Read the element; switches default to on."""
        numbers = [e.integer(name) or 0 for name in _OSD]
        time_on, text_on = read_switch(e.get("TimeEnable")), read_switch(e.get("TextEnable"))
        lines = [OsdText(i.get("Text") or "", i.integer("X") or 0, i.integer("Y") or 0) for i in items_of(e)]
        return cls(
            numbers[0],
            numbers[1],
            numbers[2],
            numbers[3],
            time_on is not False,
            e.integer("TimeType") or 0,
            text_on is not False,
            tuple(lines),
        )

    def to_element(self) -> Element:
        """The element."""
        if len(self.texts) > 8 or any(len(line.text) > 32 for line in self.texts):
            raise LocalProtocolError("a picture carries at most eight lines of 32 characters")
        numbers = (self.length, self.width, self.time_x, self.time_y)
        pairs: list[tuple[str, object | None]] = list(zip(_OSD, numbers, strict=True))
        pairs += [
            ("TimeEnable", digit(self.time_enabled)),
            ("TimeType", self.time_type),
            ("TextEnable", digit(self.text_enabled)),
            ("SumNum", len(self.texts)),
        ]
        lines = [Element("Item", "", [leaf("Text", t.text), leaf("X", t.x), leaf("Y", t.y)]) for t in self.texts]
        return Element(self.NAME, "", [*optional(pairs), *lines])


@dataclass(frozen=True, slots=True)
class SnapShotConfig:
    """An order for pictures (2022 §9.14): uploaded by HTTP to a URL, then Notify UploadSnapShotFinished."""

    count: int
    """1-10; 1 for a picture on demand."""
    interval: int
    """Seconds between pictures, at least 1."""
    upload_url: str
    session_id: str

    NAME: ClassVar[str] = "SnapShotConfig"

    @classmethod
    def parse(cls, e: Element) -> "SnapShotConfig":
        """Read the element."""
        count, interval = e.integer("SnapNum") or 1, e.integer("Interval") or 1
        return cls(count, interval, e.get("UploadURL") or "", e.get("SessionID") or "")

    def to_element(self) -> Element:
        """The element. Raises LocalProtocolError for values out of range."""
        if not 1 <= self.count <= 10 or self.interval < 1 or not SESSION_ID.fullmatch(self.session_id):
            raise LocalProtocolError("an order has 1-10 pictures and a session of 32-128 letters and digits")
        pairs = [
            ("SnapNum", self.count),
            ("Interval", self.interval),
            ("UploadURL", self.upload_url),
            ("SessionID", self.session_id),
        ]
        return Element(self.NAME, "", optional(pairs))


@dataclass(frozen=True, slots=True)
class RawSetting:
    """A setting kept as it was sent: SVAC's, and what vendors invent (Q-27)."""

    name: str
    element: Element = field(compare=False)

    def to_element(self) -> Element:
        """The element."""
        return self.element


Setting: TypeAlias = (
    BasicParam
    | VideoParamOpt
    | VideoParamAttribute
    | VideoRecordPlan
    | VideoAlarmRecord
    | PictureMask
    | FrameMirror
    | AlarmReport
    | OsdConfig
    | SnapShotConfig
    | RawSetting
)


def setting_name(setting: Setting) -> str:
    """The type's name, as ConfigType states it."""
    return setting.name if isinstance(setting, RawSetting) else setting.NAME


def too_new(setting: Setting, edition: Edition) -> bool:
    """Is this a setting that only 2022 has, and the peer is older?"""
    old = {BasicParam.NAME, VideoParamOpt.NAME, "SVACEncodeConfig", "SVACDecodeConfig"}
    return edition != Edition.E2022 and setting_name(setting) not in old
