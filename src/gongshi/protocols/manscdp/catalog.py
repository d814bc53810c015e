"""Catalogue items and responses of both editions (gb28181.md §7.1-7.4) and the collector of split answers (§7.5)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp.charset import Charset
from gongshi.protocols.manscdp.collector import Collector
from gongshi.protocols.manscdp.element import Element, leaf, optional, to_integer, to_number
from gongshi.protocols.manscdp.envelope import Envelope, build

Kind = Literal["region", "system", "group", "organisation", "device", "unknown"]
Event = Literal["ON", "OFF", "VLOST", "DEFECT", "ADD", "DEL", "UPDATE"]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


EVENTS: dict[str, Event] = {e.upper(): e for e in ("ON", "OFF", "VLOST", "DEFECT", "ADD", "DEL", "UPDATE")}
_ONLINE = {
    "ON": True,
    "ONLINE": True,
    "OK": True,
    "1": True,
    "TRUE": True,
    "DEFECT": True,
    "VLOST": True,
    "OFF": False,
    "OFFLINE": False,
    "0": False,
    "ERROR": False,
    "NOTREACH": False,
    "FALSE": False,
}
"""What is said where ON or OFF belongs (§7.2, S-15, Q-22). VLOST and DEFECT are faults of something that is there."""

_KINDS: dict[str, Kind] = {"200": "system", "215": "group", "216": "organisation"}
_ITEM_FIELDS_2016 = _words(
    "DeviceID Name Manufacturer Model Owner CivilCode Block Address Parental ParentID SafetyWay RegisterWay "
    "CertNum Certifiable ErrCode EndTime Secrecy IPAddress Port Password Status Longitude Latitude"
)
_ITEM_FIELDS_2022 = _words(
    "DeviceID Name Manufacturer Model CivilCode Block Address Parental ParentID RegisterWay SecurityLevelCode "
    "Secrecy IPAddress Port Password Status Longitude Latitude BusinessGroupID"
)
_INFO_FIELDS_2016 = _words(
    "PTZType PositionType RoomType UseType SupplyLightType DirectionType Resolution BusinessGroupID DownloadSpeed "
    "SVCSpaceSupportMode SVCTimeSupportMode"
)
_INFO_FIELDS_2022 = _words(
    "PTZType PhotoelectricImagingType CapturePositionType RoomType SupplyLightType DirectionType Resolution "
    "StreamNumberList DownloadSpeed SVCSpaceSupportMode SVCTimeSupportMode SSVCRatioSupportList MobileDeviceType "
    "HorizontalFieldAngle VerticalFieldAngle MaxViewDistance GrassrootsCode PointType PointCommonName MAC "
    "FunctionType EncodeType InstallTime ManagementUnit ContactInfo RecordSaveDays IndustrialClassification"
)
CANONICAL = {
    name.lower(): name
    for name in (*_ITEM_FIELDS_2016, *_ITEM_FIELDS_2022, *_INFO_FIELDS_2016, *_INFO_FIELDS_2022, "Event")
}


@dataclass(slots=True)
class CatalogItem:
    """One Item. `fields` and `info` keep every sent text under its canonical name, unknown ones included."""

    device_id: str
    name: str = ""
    fields: dict[str, str] = field(default_factory=dict[str, str])
    info: dict[str, str] = field(default_factory=dict[str, str])
    event: Event | None = None

    @classmethod
    def parse(cls, element: Element) -> "CatalogItem":
        """Read an Item. Raises RemoteProtocolError when it has no DeviceID; every other gap is tolerated."""
        values: dict[str, str] = {}
        info: dict[str, str] = {}
        for name, value in element.attributes.items():
            if value.strip():
                values[CANONICAL.get(name.lower(), name)] = value.strip()
        for child in element.children:
            if child.name.lower() == "info" and child.children:
                for sub in child.children:
                    if sub.text:
                        info.setdefault(CANONICAL.get(sub.name.lower(), sub.name), sub.text)
            elif child.text:
                values[CANONICAL.get(child.name.lower(), child.name)] = child.text
        device_id = values.pop("DeviceID", "")
        if not device_id:
            raise RemoteProtocolError("a catalogue item lacks DeviceID")
        event = EVENTS.get(values.pop("Event", "").upper())
        return cls(device_id, values.pop("Name", ""), values, info, event)

    def to_element(self, edition: Edition = Edition.E2016) -> Element:
        """The Item in the order of the edition's table, with the fields that the edition has."""
        new = edition == Edition.E2022
        values = {"DeviceID": self.device_id, "Name": self.name, **self.fields}
        info = dict(self.info)
        group = values.pop("BusinessGroupID", None) or info.pop("BusinessGroupID", None)
        fixed = self.kind in {"organisation", "group", "region", "system"}
        if group:
            # A virtual organisation carries its group at item level in both editions (§7.3).
            (values if new or fixed else info)["BusinessGroupID"] = group
        names = [*(_ITEM_FIELDS_2022 if new else _ITEM_FIELDS_2016)]
        if fixed and not new:
            names.append("BusinessGroupID")
        children = optional([(name, values.get(name)) for name in names])
        inner = optional([(name, info.get(name)) for name in (_INFO_FIELDS_2022 if new else _INFO_FIELDS_2016)])
        if inner:
            children.append(Element("Info", "", inner))
        if self.event is not None:
            children.insert(1, leaf("Event", self.event))
        return Element("Item", "", children)

    @property
    def kind(self) -> Kind:
        """What the item is, by the form of its ID alone (§7.3)."""
        code = self.device_id
        if not code.isascii() or not code.isdigit():
            return "unknown"
        if len(code) in {2, 4, 6, 8}:
            return "region"
        if len(code) != 20:
            return "unknown"
        return _KINDS.get(code[10:13], "device")

    @property
    def online(self) -> bool | None:
        """True, False, or None when the status says neither (S-15)."""
        return _ONLINE.get(self.fields.get("Status", "").strip().upper())

    @property
    def faulty(self) -> bool:
        """VLOST or DEFECT: there, but not well (§14)."""
        word = self.event or self.fields.get("Status", "").strip().upper()
        return word in {"VLOST", "DEFECT"}

    @property
    def parents(self) -> tuple[str, ...]:
        """The parts of ParentID, each deciding its own tree; itself is never its parent (Q-20, Q-21)."""
        parts = (part.strip() for part in self.fields.get("ParentID", "").split("/"))
        return tuple(dict.fromkeys(p for p in parts if p and p != self.device_id))

    @property
    def civil_code(self) -> str | None:
        """CivilCode when it is 2, 4, 6 or 8 digits; the field holds anything."""
        text = self.fields.get("CivilCode", "")
        return text if len(text) in {2, 4, 6, 8} and text.isascii() and text.isdigit() else None

    @property
    def has_children(self) -> bool:
        """Parental is 1; Hikvision's 65535 says nothing (Q-22)."""
        return to_integer(self.fields.get("Parental")) == 1

    @property
    def position(self) -> tuple[float, float] | None:
        """(longitude, latitude) in degrees when both are plausible and not 0 0; the datum is the peer's."""
        longitude, latitude = to_number(self.fields.get("Longitude")), to_number(self.fields.get("Latitude"))
        if longitude is None or latitude is None or (longitude == 0 and latitude == 0):
            return None
        return (longitude, latitude) if abs(longitude) <= 180 and abs(latitude) <= 90 else None

    @property
    def ptz_type(self) -> int | None:
        """Info/PTZType; some send it at item level."""
        return to_integer(self.info.get("PTZType") or self.fields.get("PTZType"))


@dataclass(slots=True)
class CatalogResponse:
    """One packet of an answer."""

    device_id: str
    sn: int | None
    sum_num: int | None
    items: list[CatalogItem]
    lost: int = 0
    """Items that could not be read."""

    @classmethod
    def parse(cls, envelope: Envelope) -> "CatalogResponse":
        """From a Response or a Notify with CmdType Catalog. Bad items are counted, good ones kept (Q-19)."""
        items: list[CatalogItem] = []
        lost = envelope.lost_items
        for holder in envelope.element.all("DeviceList"):
            for child in holder.all("Item"):
                try:
                    items.append(CatalogItem.parse(child))
                except RemoteProtocolError:
                    lost += 1
        sum_num = envelope.element.integer("SumNum")
        if sum_num is not None and sum_num < 0:
            sum_num = None
        return cls(envelope.device_id, envelope.sn, sum_num, items, lost)

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body of a Response."""
        children = [leaf("SumNum", self.sum_num if self.sum_num is not None else len(self.items))]
        if self.items:
            elements = [item.to_element(edition) for item in self.items]
            children.append(Element("DeviceList", "", elements, {"Num": str(len(elements))}))
        return build("Response", "Catalog", self.sn or 0, self.device_id, children, edition=edition, charset=charset)

    build = to_bytes


def split_catalog(
    device_id: str, sn: int, items: Sequence[CatalogItem], per_packet: int, edition: Edition = Edition.E2016
) -> list[bytes]:
    """The bodies of an answer in packets of at most `per_packet` items; an empty answer is one packet (§7.5)."""
    total = len(items)
    if not total:
        return [CatalogResponse(device_id, sn, 0, []).build(edition)]
    size = max(1, min(per_packet, 10_000))
    chunks = (list(items[start : start + size]) for start in range(0, total, size))
    return [CatalogResponse(device_id, sn, total, chunk).build(edition) for chunk in chunks]


class CatalogCollector(Collector[str, CatalogItem]):
    """Puts the packets of one answer together (§7.5, Q-47). With `keep=False` only IDs stay."""

    def __init__(
        self,
        device_id: str,
        sn: int,
        now: float,
        *,
        first_timeout: float = 120.0,
        gap_timeout: float = 10.0,
        keep: bool = True,
    ) -> None:
        super().__init__(
            lambda item: item.device_id, now, first_timeout=first_timeout, gap_timeout=gap_timeout, keep=keep
        )
        self.device_id = device_id
        self.sn = sn

    def add(self, response: CatalogResponse, now: float) -> list[CatalogItem]:
        """Take a packet; gives the items that are new. The caller matched peer and SN."""
        return self.take(response.sum_num, response.items, response.lost, now)


@dataclass(slots=True)
class CatalogChange:
    """Notify Catalog: what changed below the subscribed ID (§14). An item without event is a full one (S-08)."""

    device_id: str
    sn: int
    items: list[CatalogItem]
    lost: int = 0

    @classmethod
    def parse(cls, envelope: Envelope) -> "CatalogChange":
        """From the body of a NOTIFY with CmdType Catalog, whatever its root."""
        response = CatalogResponse.parse(envelope)
        return cls(envelope.device_id, envelope.sn or 0, response.items, response.lost)

    def to_bytes(self, edition: Edition = Edition.E2016, charset: Charset = "gb18030") -> bytes:
        """The body: SumNum is the number of items in it. ON, OFF, VLOST, DEFECT and DEL carry the ID alone."""
        elements: list[Element] = []
        for item in self.items:
            if item.event is None:
                raise LocalProtocolError("an item of a catalogue notification states its event")
            brief = item.event not in {"ADD", "UPDATE"}
            elements.append(
                Element("Item", "", [leaf("DeviceID", item.device_id), leaf("Event", item.event)])
                if brief
                else item.to_element(edition)
            )
        children = [leaf("SumNum", len(elements)), Element("DeviceList", "", elements, {"Num": str(len(elements))})]
        return build("Notify", "Catalog", self.sn, self.device_id, children, edition=edition, charset=charset)
