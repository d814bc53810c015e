"""Queries beside the catalogue (9.5; §7.6)."""

from gongshi.conform.checks.registry import absent, fail, seen, upper
from gongshi.conform.upper import Upper
from gongshi.kit.clock import local, now
from gongshi.kit.i18n import Text
from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import LocalProtocolError
from gongshi.protocols.manscdp import (
    ConfigDownloadQuery,
    CruiseTrackListQuery,
    DeviceInfoQuery,
    DeviceStatusQuery,
    Envelope,
    HomePositionQuery,
    PlainQuery,
    PresetList,
    PresetQuery,
    PtzPosition,
    PtzPositionQuery,
    SdCardStatusQuery,
    parse_time,
)
from gongshi.protocols.manscdp.configuration import ConfigDownload
from gongshi.protocols.manscdp.settings import BasicParam, setting_name

_CLOCK_OFF = 5.0
"""Seconds that a device's clock may differ: it was set when it registered, and the answer travelled."""


async def answer(bench: Upper, kind: type[PlainQuery], code: str) -> Envelope:
    """Ask a plain question. Raises Failed without an answer."""
    sn = bench.next_sn()
    found = await bench.query(kind(code, sn), kind.COMMAND, sn, code)
    if found is None:
        raise fail("没有应答消息", "no answering message")
    return found


def _refused(envelope: Envelope) -> bool:
    return (envelope.element.get("Result") or "").upper() == "ERROR"


@upper("QRY-01")
async def information(bench: Upper) -> Text:
    """DeviceInfo."""
    found = await answer(bench, DeviceInfoQuery, bench.options.peer)
    element = found.element
    words = " ".join(element.get(name) or "-" for name in ("Manufacturer", "Model", "Firmware"))
    return seen(words, words)


@upper("QRY-02")
async def information_result(bench: Upper) -> Text:
    """Result of DeviceInfo."""
    found = await answer(bench, DeviceInfoQuery, bench.options.peer)
    return _word(found, "Result", {"OK", "ERROR"})


@upper("QRY-03")
async def status(bench: Upper) -> Text:
    """DeviceStatus."""
    found = await answer(bench, DeviceStatusQuery, bench.options.peer)
    _word(found, "Result", {"OK", "ERROR"})
    _word(found, "Status", {"OK", "ERROR"})
    return _word(found, "Online", {"ONLINE", "OFFLINE"})


@upper("QRY-04")
async def clock(bench: Upper) -> Text:
    """DeviceTime."""
    found = await answer(bench, DeviceStatusQuery, bench.options.peer)
    stated = parse_time(found.element.get("DeviceTime"))
    if stated is None:
        raise absent("设备未报告时间", "the device does not tell its time")
    off = abs((stated - now()).total_seconds())
    if off > _CLOCK_OFF:
        raise fail(f"设备时间 {local(stated):%F %T}，相差 {off:.0f} 秒", f"the clock is {off:.0f} seconds off")
    return seen(f"相差 {off:.1f} 秒", f"{off:.1f} seconds off")


@upper("QRY-05")
async def basic(bench: Upper) -> Text:
    """BasicParam."""
    found = await read_basic(bench)
    interval, count = found.heartbeat_interval, found.heartbeat_count
    return seen(f"心跳 {interval} 秒 × {count}", f"keepalive {interval} s × {count}")


async def read_basic(bench: Upper) -> BasicParam:
    """The basic parameters. Raises Failed without them."""
    code, sn = bench.options.peer, bench.next_sn()
    found = await bench.query(ConfigDownloadQuery(code, sn, ("BasicParam",)), "ConfigDownload", sn, code)
    if found is None:
        raise fail("没有应答消息", "no answering message")
    basics = [s for s in ConfigDownload.parse(found).settings if isinstance(s, BasicParam)]
    if not basics:
        raise fail("应答中没有 BasicParam", "there is no BasicParam in the answer")
    return basics[0]


@upper("QRY-06")
async def several(bench: Upper) -> Text:
    """Two types at once."""
    code, sn, since = bench.options.peer, bench.next_sn(), len(bench.arrived)
    bench.send(ConfigDownloadQuery(code, sn, ("BasicParam", "VideoParamOpt")))
    names: set[str] = set()
    for _ in range(2):
        found = await bench.next(lambda a: bench.answers(a, "ConfigDownload", sn, code), bench.patience.answer, since)
        if found is None or found.envelope is None:
            raise fail(f"只应答了 {len(names)} 种", f"{len(names)} of two were answered")
        since = bench.arrived.index(found) + 1
        answered = ConfigDownload.parse(found.envelope)
        if len(answered.settings) > 1:
            raise fail("一条应答含多种配置", "one answer carries several")
        names |= {setting_name(setting) for setting in answered.settings} or {"-"}
    return seen("、".join(sorted(names)), ", ".join(sorted(names)))


@upper("QRY-07")
async def presets(bench: Upper) -> Text:
    """PresetQuery."""
    found = await answer(bench, PresetQuery, camera(bench))
    count = len(PresetList.parse(found).presets)
    return seen(f"{count} 个预置位", f"{count} presets")


def camera(bench: Upper) -> str:
    """A camera that turns, else any."""
    turning = [code for code, item in bench.facts.items.items() if item.ptz_type in {1, 2, 4, 5} and item.online]
    return turning[0] if turning else bench.channel


async def _modern(bench: Upper, kind: type[PlainQuery]) -> Text:
    try:
        kind("1", 1).to_bytes(bench.edition)
    except LocalProtocolError:
        raise absent("仅 2022 版", "2022 only") from None
    found = await answer(bench, kind, camera(bench))
    if _refused(found):
        raise absent("设备应答 ERROR：不具备此能力", "the device answers ERROR: it has no such ability")
    return seen("已应答", "answered")


@upper("QRY-08")
async def home(bench: Upper) -> Text:
    """HomePositionQuery."""
    return await _modern(bench, HomePositionQuery)


@upper("QRY-09")
async def tracks(bench: Upper) -> Text:
    """CruiseTrackListQuery."""
    return await _modern(bench, CruiseTrackListQuery)


@upper("QRY-10")
async def position(bench: Upper) -> Text:
    """PTZPosition."""
    if bench.edition != Edition.E2022:
        raise absent("仅 2022 版", "2022 only")
    at = await where(bench)
    return seen(f"P {at.pan} T {at.tilt} Z {at.zoom}", f"P {at.pan} T {at.tilt} Z {at.zoom}")


async def where(bench: Upper) -> PtzPosition:
    """Where the camera looks. Raises Failed without an answer."""
    found = await answer(bench, PtzPositionQuery, bench.turning)
    if _refused(found):
        raise absent("设备应答 ERROR：不具备此能力", "the device answers ERROR: it has no such ability")
    return PtzPosition.parse(found)


@upper("QRY-11")
async def cards(bench: Upper) -> Text:
    """SDCardStatus."""
    return await _modern(bench, SdCardStatusQuery)


def _word(envelope: Envelope, name: str, allowed: set[str]) -> Text:
    value = envelope.element.get(name)
    if value not in allowed:
        raise fail(f"{name} 为 {value or '空'}", f"{name} is {value or 'missing'}")
    return seen(f"{name} {value}", f"{name} {value}")
