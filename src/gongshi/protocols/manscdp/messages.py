"""The MANSCDP messages of the main path as values: keepalive, device information and status, catalogue query.

`build` is `to_bytes` under its older name.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

from gongshi.protocols.codes import Edition
from gongshi.protocols.manscdp.charset import Charset
from gongshi.protocols.manscdp.element import Element, leaf, optional
from gongshi.protocols.manscdp.envelope import Envelope, build
from gongshi.protocols.manscdp.values import read_result, read_switch, result_word, sn_of, switch_word

BEIJING = timezone(timedelta(hours=8))

_TIME = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?",
    re.ASCII | re.IGNORECASE,
)
_KEEPALIVE = re.compile(
    rb"\s*(?:<\?xml[^>]{0,100}\?>\s*)?<Notify>\s*<CmdType>Keepalive</CmdType>\s*<SN>([0-9]{1,10})</SN>\s*"
    rb"<DeviceID>([0-9]{20})</DeviceID>\s*<Status>(OK|ERROR)</Status>\s*(?:<Info>\s*</Info>\s*|<Info\s?/>\s*)?</Notify>\s*"
)


def version_edition(gb_version: str | None) -> Edition:
    """The edition to speak to a peer that sent this X-GB-Ver; none means 2.0, unknown higher means 3.0 (§4.3)."""
    match = re.match(r"\s*([0-9]{1,3})", gb_version or "")
    if match is None or int(match[1]) == 2:
        return Edition.E2016
    return Edition.E2011 if int(match[1]) < 2 else Edition.E2022


def parse_time(text: str | None) -> datetime | None:
    """A MANSCDP time as aware UTC; without a zone it is Beijing time (§3.4). None when absent or unreadable."""
    match = _TIME.fullmatch(text.strip()) if text else None
    if match is None:
        return None
    year, month, day, hour, minute = (int(match[i]) for i in range(1, 6))
    fraction = int((match[7] or "0").ljust(6, "0")[:6])
    zone = match[8]
    try:
        if zone is None:
            tz = BEIJING
        elif zone.upper() == "Z":
            tz = UTC
        else:
            offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
            tz = timezone(-offset if zone[0] == "-" else offset)
        moment = datetime(year, month, day, hour, minute, int(match[6] or 0), fraction, tzinfo=tz)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def format_time(moment: datetime) -> str:
    """`2026-03-01T08:00:00`, Beijing time, no zone. `moment` must be aware."""
    return moment.astimezone(BEIJING).strftime("%Y-%m-%dT%H:%M:%S")


def format_sip_date(moment: datetime) -> str:
    """The Date header of a 200 to REGISTER: `2026-03-01T08:00:00.123`, Beijing time (§3.4)."""
    return moment.astimezone(BEIJING).isoformat(timespec="milliseconds")[:23]


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Notify Keepalive (§5). `faulty` lists sub-devices in trouble."""

    device_id: str
    sn: int
    ok: bool = True
    faulty: tuple[str, ...] = ()

    @classmethod
    def parse(cls, envelope: Envelope) -> "Keepalive":
        """From an envelope that `is_("Notify", "Keepalive")`."""
        info = envelope.element.find("Info")
        faulty = tuple(c.text for c in info.all("DeviceID") if c.text) if info else ()
        status = (envelope.element.get("Status") or "OK").upper()
        return cls(envelope.device_id, envelope.sn or 0, status not in {"ERROR", "OFFLINE"}, faulty)

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body."""
        children = [leaf("Status", result_word(self.ok))]
        if self.faulty:
            children.append(Element("Info", "", [leaf("DeviceID", d) for d in self.faulty]))
        return build("Notify", "Keepalive", self.sn, self.device_id, children, edition=edition, charset=charset)

    build = to_bytes


def fast_keepalive(body: bytes) -> Keepalive | None:
    """Recognise an ordinary keepalive by one anchored expression (0.9 µs); None means: parse it properly."""
    match = _KEEPALIVE.fullmatch(body)
    return Keepalive(match[2].decode(), int(match[1]), match[3] == b"OK") if match else None


@dataclass(frozen=True, slots=True)
class CatalogQuery:
    """Query Catalog; the answer's DeviceID is the one asked."""

    device_id: str
    sn: int
    start: datetime | None = None
    end: datetime | None = None

    @classmethod
    def parse(cls, envelope: Envelope) -> "CatalogQuery":
        """From an envelope that `is_("Query", "Catalog")`."""
        element = envelope.element
        return cls(
            envelope.device_id,
            sn_of(envelope),
            parse_time(element.get("StartTime")),
            parse_time(element.get("EndTime")),
        )

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body."""
        times = [("StartTime", self.start), ("EndTime", self.end)]
        children = [leaf(name, format_time(moment)) for name, moment in times if moment is not None]
        return build("Query", "Catalog", self.sn, self.device_id, children, edition=edition, charset=charset)

    build = to_bytes


def build_query(cmd_type: str, device_id: str, sn: int, edition: Edition = Edition.E2016) -> bytes:
    """A query without fields of its own: DeviceInfo, DeviceStatus, PresetQuery."""
    return build("Query", cmd_type, sn, device_id, edition=edition)


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Response DeviceInfo (§7.6)."""

    device_id: str
    sn: int
    name: str = ""
    result: bool = True
    manufacturer: str = ""
    model: str = ""
    firmware: str = ""
    channels: int | None = None

    @classmethod
    def parse(cls, envelope: Envelope) -> "DeviceInfo":
        """From an envelope that `is_("Response", "DeviceInfo")`."""
        e = envelope.element
        return cls(
            envelope.device_id,
            sn_of(envelope),
            e.get("DeviceName") or e.get("Name") or "",
            read_result(e),
            e.get("Manufacturer") or "",
            e.get("Model") or "",
            e.get("Firmware") or "",
            e.integer("Channel") if e.get("Channel") else e.integer("MaxCamera"),
        )

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body."""
        children = optional(
            [
                ("DeviceName", self.name),
                ("Result", result_word(self.result)),
                ("Manufacturer", self.manufacturer),
                ("Model", self.model),
                ("Firmware", self.firmware),
                ("Channel", self.channels),
            ]
        )
        return build("Response", "DeviceInfo", self.sn, self.device_id, children, edition=edition, charset=charset)

    build = to_bytes


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """Response DeviceStatus (§7.6)."""

    device_id: str
    sn: int
    result: bool = True
    online: bool = True
    ok: bool = True
    reason: str = ""
    encode: bool | None = None
    record: bool | None = None
    device_time: datetime | None = None
    alarms: tuple[tuple[str, str], ...] = field(default=())
    """(device, ONDUTY | OFFDUTY | ALARM)."""

    @classmethod
    def parse(cls, envelope: Envelope) -> "DeviceStatus":
        """From an envelope that `is_("Response", "DeviceStatus")`."""
        e = envelope.element
        alarms = e.find("Alarmstatus")
        duty = (
            [(i.get("DeviceID") or "", (i.get("DutyStatus") or "").upper()) for i in alarms.all("Item")]
            if alarms
            else []
        )
        return cls(
            envelope.device_id,
            sn_of(envelope),
            read_result(e),
            (e.get("Online") or "ONLINE").upper() != "OFFLINE",
            (e.get("Status") or "OK").upper() == "OK",
            e.get("Reason") or "",
            read_switch(e.get("Encode")),
            read_switch(e.get("Record")),
            parse_time(e.get("DeviceTime")),
            tuple(duty),
        )

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body."""
        children = optional(
            [
                ("Result", result_word(self.result)),
                ("Online", "ONLINE" if self.online else "OFFLINE"),
                ("Status", result_word(self.ok)),
                ("Reason", self.reason),
                ("Encode", switch_word(self.encode)),
                ("Record", switch_word(self.record)),
                ("DeviceTime", format_time(self.device_time) if self.device_time else None),
            ]
        )
        if self.alarms:
            items = [Element("Item", "", [leaf("DeviceID", d), leaf("DutyStatus", s)]) for d, s in self.alarms]
            children.append(Element("Alarmstatus", "", items, {"Num": str(len(items))}))
        return build("Response", "DeviceStatus", self.sn, self.device_id, children, edition=edition, charset=charset)

    build = to_bytes
