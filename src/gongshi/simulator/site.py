"""What a simulated platform consists of beside its signalling: cameras, recorders, storage, settings, and its tree."""

from dataclasses import dataclass, field

from gongshi.protocols.codes import Edition
from gongshi.protocols.manscdp import CatalogItem, SdCard
from gongshi.simulator.config import Channel, PlatformConfig
from gongshi.simulator.device import Camera
from gongshi.simulator.recordings import Recorder

MANUFACTURER, MODEL, FIRMWARE = "Gongshi", "Simulator", "1.0"
CARD_MB = 131_072
DEGREES_WIDE, DEGREES_HIGH, METRES_FAR = 62.0, 36.0, 80.0


@dataclass(slots=True)
class Basics:
    """BasicParam of the platform: seconds, and keepalives that may be missed."""

    name: str
    expiration: int
    heartbeat: int
    misses: int


@dataclass
class Site:
    """State that queries show and controls change; one owner."""

    config: PlatformConfig
    channels: dict[str, Channel] = field(init=False)
    cameras: dict[str, Camera] = field(init=False)
    basics: Basics = field(init=False)
    cards: list[SdCard] = field(default_factory=lambda: [SdCard(1, "SD1", "ok", None, CARD_MB, CARD_MB // 2)])
    firmware: str = FIRMWARE
    guarded: bool = False
    serial: int = 0

    def __post_init__(self) -> None:
        config = self.config
        self.cameras = {}
        self.renew()
        self.basics = Basics(config.name, config.expires, max(1, round(config.keepalive)), config.keepalive_misses)

    @property
    def edition(self) -> Edition:
        """What the platform speaks."""
        return self.config.edition

    def next_serial(self) -> int:
        """The SN of the next message of our own accord."""
        self.serial += 1
        return self.serial

    def renew(self) -> None:
        """Take the list of the configuration as it is now: it may have been exchanged while we run."""
        self.channels = {channel.code: channel for channel in self.config.channels}
        self.cameras = {code: self.cameras.get(code) or Camera() for code in self.channels}
        self._codes = {item.device_id for item in self.items()}

    def put(self, channel: Channel) -> bool:
        """Add a camera or change it; True when it is new."""
        new = channel.code not in self.channels
        others = [other for other in self.config.channels if other.code != channel.code]
        self.config.channels[:] = [*others, channel]
        self.renew()
        return new

    def remove(self, code: str) -> bool:
        """Take a camera away; False when there is none."""
        known = code in self.channels
        self.config.channels[:] = [channel for channel in self.config.channels if channel.code != code]
        self.renew()
        return known

    def item(self, code: str) -> CatalogItem:
        """A camera's catalogue item."""
        return self._camera(self.channels[code])

    def recorder(self, code: str) -> Recorder:
        """The recorder of a camera."""
        return Recorder(code, self.config.record_days)

    def knows(self, code: str) -> bool:
        """Is this the platform, something in it, or a region, which anybody may ask about?"""
        return code == self.config.code or len(code) < len(self.config.code) or code in self._codes

    # --- the tree (§7.3, §7.4) ---------------------------------------------------------------------------------------

    def _made(self, kind: str, number: int) -> str:
        code = self.config.code
        return f"{code[:10]}{kind}{code[13]}{number:06d}"

    @property
    def voice_output(self) -> str:
        """The loudspeaker."""
        return self._made("137", 1)

    @property
    def group(self) -> str:
        """The business group of the tree."""
        return self._made("215", 1)

    def organisation(self, channel: Channel) -> str:
        """The virtual organisation that a camera belongs to: cameras that turn, and cameras that do not."""
        return self._made("216", 1 if channel.ptz else 2)

    def items(self) -> list[CatalogItem]:
        """The whole catalogue, ourselves first."""
        devices = [self._camera(channel) for channel in self.channels.values()]
        if self.config.voice:
            devices.append(self._speaker())
        return [*self._frame(), *devices] if self.config.tree else devices

    def select(self, asked: str) -> list[CatalogItem]:
        """What a query about an ID is answered with (2022 annex J)."""
        items, code = self.items(), self.config.code
        if asked == code:
            return items
        if len(asked) < len(code):
            return [item for item in items if self._in_region(item, asked)]
        if asked == self.group:
            return [item for item in items if item.device_id == asked or self.group in _belongs(item)]
        if any(item.device_id == asked and item.kind == "organisation" for item in items):
            return [item for item in items if item.device_id == asked or asked in item.parents]
        return [item for item in items if item.device_id == asked]

    def _in_region(self, item: CatalogItem, region: str) -> bool:
        if item.kind == "region":
            return item.device_id.startswith(region)
        return item.kind == "device" and (item.civil_code or "").startswith(region)

    def _frame(self) -> list[CatalogItem]:
        code = self.config.code
        region = code[:6]
        system = {
            "Manufacturer": MANUFACTURER,
            "Model": MODEL,
            "Owner": "Owner",
            "CivilCode": region,
            "Address": self.config.name,
            "RegisterWay": "1",
            "Secrecy": "0",
            "Status": "ON",
        }
        organisations = ((self._made("216", 1), "可控摄像机"), (self._made("216", 2), "固定摄像机"))
        regions = sorted({region, *(channel.civil_code for channel in self.channels.values() if channel.civil_code)})
        return [
            CatalogItem(code, self.config.name or code, system),
            *(CatalogItem(place, f"区划{place}") for place in regions),
            CatalogItem(self.group, "公共视频", {"CivilCode": region, "ParentID": code}),
            *(CatalogItem(own, name, {"BusinessGroupID": self.group}) for own, name in organisations),
        ]

    def _camera(self, channel: Channel) -> CatalogItem:
        code = self.config.code
        parent = f"{code}/{self.organisation(channel)}" if self.config.tree else code
        fields = {
            **_device(channel.civil_code, channel.address or channel.name, parent),
            "Status": "ON" if channel.online else "OFF",
        }
        if channel.longitude is not None and channel.latitude is not None:
            fields |= {"Longitude": f"{channel.longitude:.6f}", "Latitude": f"{channel.latitude:.6f}"}
        if self.config.tree:
            fields["BusinessGroupID"] = self.group
        info = {
            "PTZType": "1" if channel.ptz else "3",
            "RoomType": "1",
            "DownloadSpeed": "1/2/4",
            "GrassrootsCode": "000000",
            "PointType": "9",
        }
        return CatalogItem(channel.code, channel.name, fields, info)

    def _speaker(self) -> CatalogItem:
        fields = _device(self.config.code[:6], self.config.name, self.config.code)
        return CatalogItem(self.voice_output, "广播音柱", {**fields, "Status": "ON"})


def _device(civil_code: str, address: str, parent: str) -> dict[str, str]:
    return {
        "Manufacturer": MANUFACTURER,
        "Model": MODEL,
        "Owner": "Owner",
        "CivilCode": civil_code,
        "Address": address,
        "Parental": "0",
        "ParentID": parent,
        "SafetyWay": "0",
        "RegisterWay": "1",
        "Secrecy": "0",
    }


def _belongs(item: CatalogItem) -> set[str]:
    group = item.fields.get("BusinessGroupID")
    return {group} if group else set()
