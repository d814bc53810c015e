"""RecordInfo: the search for recordings and its answers in many packets (GB/T 28181 §9.7; gb28181.md §7.5, §7.6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp.charset import Charset
from gongshi.protocols.manscdp.collector import Collector
from gongshi.protocols.manscdp.editions import modern
from gongshi.protocols.manscdp.element import Element, leaf, optional
from gongshi.protocols.manscdp.envelope import Envelope, build
from gongshi.protocols.manscdp.messages import format_time, parse_time
from gongshi.protocols.manscdp.values import counted, digit, items_of, read_switch, sn_of

RecordKey = tuple[str, datetime | None, datetime | None, str]
MAX_PER_MESSAGE = 10_000


@dataclass(frozen=True, slots=True)
class RecordInfoQuery:
    """Query RecordInfo. The device searches itself, or with `indistinct` the whole domain behind it."""

    device_id: str
    sn: int
    start: datetime
    end: datetime
    type: str = "all"
    """time, alarm, manual or all; Dahua answers only when it is stated (Q-26)."""
    file_path: str = ""
    address: str = ""
    secrecy: int | None = None
    recorder_id: str = ""
    indistinct: bool | None = None
    stream_number: int | None = None
    """2022."""
    alarm_method: str = ""
    alarm_type: str = ""

    @classmethod
    def parse(cls, envelope: Envelope) -> "RecordInfoQuery":
        """From an envelope that `is_("Query", "RecordInfo")`. Raises RemoteProtocolError without both times."""
        e = envelope.element
        start, end = parse_time(e.get("StartTime")), parse_time(e.get("EndTime"))
        if start is None or end is None:
            raise RemoteProtocolError("a search for recordings needs StartTime and EndTime")
        return cls(
            envelope.device_id,
            sn_of(envelope),
            start,
            end,
            (e.get("Type") or "all").lower(),
            e.get("FilePath") or "",
            e.get("Address") or "",
            e.integer("Secrecy"),
            e.get("RecorderID") or "",
            read_switch(e.get("IndistinctQuery")),
            e.integer("StreamNumber"),
            e.get("AlarmMethod") or "",
            e.get("AlarmType") or "",
        )

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body; the fields of 2022 are left out to others."""
        if self.end < self.start:
            raise LocalProtocolError("the search ends before it starts")
        children = optional(
            [
                ("StartTime", format_time(self.start)),
                ("EndTime", format_time(self.end)),
                ("FilePath", self.file_path),
                ("Address", self.address),
                ("Secrecy", self.secrecy),
                ("Type", self.type),
                ("RecorderID", self.recorder_id),
                ("IndistinctQuery", digit(self.indistinct)),
            ]
        )
        if modern(edition):
            names = ("StreamNumber", "AlarmMethod", "AlarmType")
            children += optional(
                list(zip(names, (self.stream_number, self.alarm_method, self.alarm_type), strict=True))
            )
        return build("Query", "RecordInfo", self.sn, self.device_id, children, edition=edition, charset=charset)


@dataclass(frozen=True, slots=True)
class RecordItem:
    """One recording. Times are None when the device wrote something unreadable; then it cannot be played."""

    device_id: str
    name: str = ""
    start: datetime | None = None
    end: datetime | None = None
    file_path: str = ""
    address: str = ""
    secrecy: int = 0
    type: str = "time"
    recorder_id: str = ""
    file_size: int | None = None
    """Bytes."""
    location: str = ""
    """RecordLocation (2022): where it lies, after a search of the whole domain."""
    stream_number: int | None = None

    @classmethod
    def parse(cls, element: Element) -> "RecordItem":
        """Read an Item. Raises RemoteProtocolError when it has neither a device nor a time."""
        device_id = element.get("DeviceID") or ""
        start, end = parse_time(element.get("StartTime")), parse_time(element.get("EndTime"))
        if not device_id and start is None:
            raise RemoteProtocolError("a recording has neither DeviceID nor StartTime")
        size = element.integer("FileSize")
        return cls(
            device_id,
            element.get("Name") or "",
            start,
            end,
            element.get("FilePath") or "",
            element.get("Address") or "",
            element.integer("Secrecy") or 0,
            (element.get("Type") or "time").lower(),
            element.get("RecorderID") or "",
            size if size is not None and size >= 0 else None,
            element.get("RecordLocation") or "",
            element.integer("StreamNumber"),
        )

    def to_element(self, edition: Edition = Edition.E2016) -> Element:
        """The Item in the order of the table."""
        children = optional(
            [
                ("DeviceID", self.device_id),
                ("Name", self.name),
                ("FilePath", self.file_path),
                ("Address", self.address),
                ("StartTime", format_time(self.start) if self.start else None),
                ("EndTime", format_time(self.end) if self.end else None),
                ("Secrecy", self.secrecy),
                ("Type", self.type),
                ("RecorderID", self.recorder_id),
                ("FileSize", self.file_size),
            ]
        )
        if modern(edition):
            children += optional([("RecordLocation", self.location), ("StreamNumber", self.stream_number)])
        return Element("Item", "", children)

    @property
    def key(self) -> RecordKey:
        """What makes it this recording and no other (§7.5)."""
        return (self.device_id, self.start, self.end, self.file_path)


@dataclass(frozen=True, slots=True)
class RecordInfo:
    """One packet of an answer."""

    device_id: str
    sn: int | None
    name: str = ""
    sum_num: int | None = None
    items: tuple[RecordItem, ...] = ()
    lost: int = 0
    """Items that could not be read (Q-25)."""

    @classmethod
    def parse(cls, envelope: Envelope) -> "RecordInfo":
        """From an envelope that `is_("Response", "RecordInfo")`. Bad items are counted, good ones kept."""
        items: list[RecordItem] = []
        lost = envelope.lost_items
        for holder in envelope.element.all("RecordList"):
            for child in items_of(holder):
                try:
                    items.append(RecordItem.parse(child))
                except RemoteProtocolError:
                    lost += 1
        total = envelope.element.integer("SumNum")
        if total is not None and total < 0:
            total = None
        name = envelope.element.get("Name") or ""
        return cls(envelope.device_id, envelope.sn, name, total, tuple(items), lost)

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body. SumNum is the whole answer's number, not this packet's."""
        if len(self.items) > MAX_PER_MESSAGE:
            raise LocalProtocolError("a message carries at most 10 000 recordings")
        total = self.sum_num if self.sum_num is not None else len(self.items)
        children = [*optional([("Name", self.name)]), leaf("SumNum", total)]
        if self.items:
            children.append(counted("RecordList", [item.to_element(edition) for item in self.items]))
        return build("Response", "RecordInfo", self.sn or 0, self.device_id, children, edition=edition, charset=charset)


def split_records(device_id: str, sn: int, name: str, items: Sequence[RecordItem], per_packet: int) -> list[RecordInfo]:
    """An answer in packets of at most `per_packet` items, to be sent one after the other's 200 (§7.5)."""
    size = max(1, min(per_packet, MAX_PER_MESSAGE))
    starts = range(0, len(items), size) if items else (0,)
    return [RecordInfo(device_id, sn, name, len(items), tuple(items[at : at + size])) for at in starts]


def split_span(
    start: datetime, end: datetime, longest: timedelta = timedelta(hours=12)
) -> list[tuple[datetime, datetime]]:
    """A search in pieces that old recorders survive (Q-25): a longer one gives broken XML or stops half-way."""
    pieces: list[tuple[datetime, datetime]] = []
    at = start
    while at < end:
        following = min(at + longest, end)
        pieces.append((at, following))
        at = following
    return pieces or [(start, end)]


class RecordCollector(Collector[RecordKey, RecordItem]):
    """The packets of one answer."""

    def __init__(
        self, device_id: str, sn: int, now: float, *, first_timeout: float = 30.0, gap_timeout: float = 10.0
    ) -> None:
        super().__init__(lambda item: item.key, now, first_timeout=first_timeout, gap_timeout=gap_timeout)
        self.device_id = device_id
        self.sn = sn

    def add(self, response: RecordInfo, now: float) -> list[RecordItem]:
        """Take a packet; gives the recordings that are new."""
        return self.take(response.sum_num, response.items, response.lost, now)
