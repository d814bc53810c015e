"""What a simulated platform is: its account, its channels, its habits and the faults it can be told to have."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args

from gongshi.kit.i18n import Text
from gongshi.protocols.codes import DeviceCode, Edition
from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.ps import VideoCodec
from gongshi.protocols.sip import Timers
from gongshi.simulator.faults import Faults
from gongshi.simulator.video.encoder import Format
from gongshi.simulator.video.scenes import SCENES, SceneName

Transport = Literal["udp", "tcp"]
MAX_CHANNELS = 100_000


class ConfigError(ValueError):
    """The settings or the channel list cannot be used; `text` says where, why and what to do."""

    def __init__(self, text: Text) -> None:
        super().__init__(f"{text.zh} / {text.en}")
        self.text = text


@dataclass(frozen=True, slots=True)
class Channel:
    """One camera of the platform. Longitude and latitude in degrees, WGS-84."""

    code: str
    name: str
    longitude: float | None = None
    latitude: float | None = None
    address: str = ""
    civil_code: str = ""
    online: bool = True
    codec: VideoCodec = "h264"
    scene: SceneName = "street"
    place: tuple[str, ...] = ()
    """Lines of the place on the picture, large to small; by default address and name."""
    source: str = ""
    """The label of who runs it on the picture; by default the platform's name."""
    ptz: bool = False
    """Can be turned and zoomed."""


@dataclass(slots=True)
class PlatformConfig:
    """Settings of one simulated platform. Times are seconds."""

    code: str
    password: str
    host: str
    port: int = 5060
    channels: list[Channel] = field(default_factory=list[Channel])
    name: str = ""
    server_code: str = ""
    """Code of the platform we register with; by default the first one (type 200) of our city."""
    domain: str = ""
    """SIP domain of that platform; by default the first ten digits of its code."""
    transport: Transport = "udp"
    local_host: str = ""
    local_port: int = 0
    edition: Edition = Edition.E2016
    expires: int = 86_400
    keepalive: float = 60.0
    keepalive_misses: int = 3
    retry: tuple[float, float] = (2.0, 60.0)
    """First and longest pause before a registration is tried again."""
    items_per_packet: int = 2
    format: Format = field(default_factory=Format)
    cache: Path | None = None
    font: Path | None = None
    prewarm: int = 0
    """So many channels get their first pictures made in the background after the start."""
    faults: Faults = field(default_factory=Faults)
    timers: Timers = field(default_factory=Timers)
    record_days: int = 7
    """How far recordings go back; 0 is a device without a recorder."""
    tree: bool = False
    """List regions, business groups and virtual organisations with the cameras, not cameras alone."""
    voice: bool = False
    """Has a voice output (type 137) that broadcasts can go to."""
    answer_delay: float = 0.0
    """Seconds between an INVITE and its answer, as a real camera needs."""
    trusted_servers: tuple[str, ...] = ()
    """`host:port` of servers that a redirect may lead to (§4.4)."""
    position_interval: float = 5.0
    """Seconds between two positions when a subscription does not say."""

    def __post_init__(self) -> None:
        code = _code(self.code)
        self.server_code = self.server_code or f"{code.region[:4]}0000002000000001"
        self.domain = self.domain or _code(self.server_code).domain


def _code(text: str) -> DeviceCode:
    try:
        return DeviceCode.parse(text)
    except ProtocolError:
        raise ConfigError(
            Text(
                f"平台编码 {text!r} 不是 20 位数字，请核对后重试",
                f"the platform code {text!r} is not 20 digits; correct it",
            )
        ) from None


def default_cache() -> Path:
    """Where encoded clips are kept: `$XDG_CACHE_HOME/gongshi/clips`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "gongshi" / "clips"


_PLACES = (
    ("中心广场", "square"),
    ("人民路与解放路交口", "street"),
    ("景区大门", "gate"),
    ("湖滨步道", "lake"),
    ("客运站站前", "station"),
)
_SIDES = ("东侧", "南侧", "西侧", "北侧")


def generate_channels(count: int, code: str) -> list[Channel]:
    """`count` invented cameras whose codes share centre and industry with the platform's.

    Every fourth can be turned, every eighth is H.265.
    """
    if not 0 < count <= MAX_CHANNELS:
        raise ConfigError(Text(f"通道数应在 1 到 {MAX_CHANNELS} 之间", f"channels must be 1 to {MAX_CHANNELS}"))
    _code(code)
    channels: list[Channel] = []
    for index in range(count):
        place, scene = _PLACES[index % len(_PLACES)]
        side = _SIDES[index // len(_PLACES) % len(_SIDES)]
        number = index // (len(_PLACES) * len(_SIDES)) + 1
        channels.append(
            Channel(
                code=f"{code[:10]}131{code[13]}{index + 1:06d}",
                name=f"{place}{side}{number:02d}",
                longitude=round(116.48 + index % 25 * 0.004, 6),
                latitude=round(31.72 + index // 25 % 25 * 0.004, 6),
                address=place,
                civil_code=code[:6],
                codec="h265" if index % 8 == 7 else "h264",
                scene=cast("SceneName", scene),
                ptz=index % 4 == 0,
            )
        )
    return channels


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _channel(row: object, index: int) -> Channel:
    def refuse(zh: str, en: str) -> ConfigError:
        return ConfigError(Text(f"通道清单第 {index + 1} 项：{zh}", f"channel list, entry {index + 1}: {en}"))

    if not isinstance(row, Mapping):
        raise refuse("不是一个对象", "not an object")
    entry = cast("Mapping[str, object]", row)
    code, name = str(entry.get("code", "")), str(entry.get("name", ""))
    try:
        DeviceCode.parse(code)
    except ProtocolError:
        raise refuse(f"编码 {code!r} 不是 20 位数字", f"code {code!r} is not 20 digits") from None
    codec, scene = entry.get("codec") or "h264", entry.get("scene") or SCENES[index % len(SCENES)]
    if codec not in get_args(VideoCodec):
        raise refuse("codec 只能是 h264 或 h265", "codec is h264 or h265")
    if scene not in SCENES:
        raise refuse(f"scene 只能是 {'、'.join(SCENES)}", f"scene is one of {', '.join(SCENES)}")
    return Channel(
        code=code,
        name=name or code,
        longitude=_number(entry.get("longitude")),
        latitude=_number(entry.get("latitude")),
        address=str(entry.get("address") or ""),
        civil_code=str(entry.get("civil_code") or code[:6]),
        online=str(entry.get("status") or "ON").upper() not in {"OFF", "OFFLINE"},
        codec=cast("VideoCodec", codec),
        scene=scene,
        place=_lines(entry.get("place")),
        source=str(entry.get("source") or ""),
        ptz=entry.get("ptz") is True,
    )


def _lines(value: object) -> tuple[str, ...]:
    return tuple(str(line) for line in cast("list[object]", value)) if isinstance(value, list) else ()


def load_catalog(path: Path) -> list[Channel]:
    """Read a channel list: a JSON array of objects. Raises `ConfigError` that names the entry."""
    try:
        rows: object = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            Text(f"无法读取通道清单 {path}：{error}", f"cannot read the channel list {path}: {error}")
        ) from error
    if not isinstance(rows, list) or len(cast("list[object]", rows)) > MAX_CHANNELS:
        raise ConfigError(Text("通道清单应是一个 JSON 数组", "the channel list must be a JSON array"))
    channels = [_channel(row, index) for index, row in enumerate(cast("list[object]", rows))]
    if len({channel.code for channel in channels}) != len(channels):
        raise ConfigError(
            Text("通道清单中有重复编码，请去重", "the channel list repeats a code; remove the repetition")
        )
    return channels
