"""The catalogue of a device or platform (9.5, annexes J, M, N, O; §7)."""

from gongshi.conform.checks.registry import absent, fail, seen, upper
from gongshi.conform.upper import Arrived, Upper
from gongshi.kit.i18n import Text
from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.manscdp import CatalogItem, CatalogQuery, CatalogResponse

_FAR_AWAY = ("65", "11")
"""Regions of which a device hardly has anything: Xinjiang, or Beijing for devices there."""
_REQUIRED = {
    "region": ("Name",),
    "system": ("Name", "Manufacturer", "Model", "RegisterWay", "Secrecy"),
    "group": ("Name",),
    "organisation": ("Name", "BusinessGroupID"),
    "device": (
        "Name",
        "Manufacturer",
        "Model",
        "CivilCode",
        "Address",
        "Parental",
        "ParentID",
        "RegisterWay",
        "Secrecy",
        "Status",
    ),
}
"""Fields by kind that both editions require (16 annex A.2.1.9, 22 annex J)."""


async def collect(bench: Upper, code: str) -> list[Arrived]:
    """Ask, and gather packets until SumNum is reached or nothing more comes."""
    sn, since = bench.next_sn(), len(bench.arrived)
    bench.send(CatalogQuery(code, sn), code)
    packets: list[Arrived] = []
    seconds = bench.patience.answer
    while True:
        at = since
        found = await bench.next(lambda a: bench.answers(a, "Catalog", sn, code), seconds, at)
        if found is None:
            return packets
        since = bench.arrived.index(found) + 1
        packets.append(found)
        seconds = bench.patience.gap
        responses = [_read(packet) for packet in packets]
        total = max((r.sum_num or 0 for r in responses), default=0)
        if len({item.device_id for r in responses for item in r.items}) >= total:
            # A little longer, for packets that SumNum knows nothing of.
            seconds = min(bench.patience.gap, bench.patience.silence)
            if total == 0:
                return packets


def _read(packet: Arrived) -> CatalogResponse:
    if packet.envelope is None:
        return CatalogResponse("", None, None, [])
    try:
        return CatalogResponse.parse(packet.envelope)
    except ProtocolError:
        return CatalogResponse("", None, None, [])


def _items(packets: list[Arrived]) -> list[CatalogItem]:
    return [item for packet in packets for item in _read(packet).items]


class _Run:
    """The catalogue that CAT-01 got; later cases look at it."""

    def __init__(self, packets: list[Arrived]) -> None:
        self.packets = packets
        self.responses = [_read(packet) for packet in packets]
        self.items = _items(packets)


def _of(bench: Upper) -> _Run:
    return _Run([a for a in bench.arrived if a.is_("Response", "Catalog")][: bench.facts.catalogue_packets])


@upper("CAT-01")
async def catalogue(bench: Upper) -> Text:
    """Any answer at all. Holds the first 200 back, for CAT-09."""
    held: list[Arrived] = []

    def hold(arrived: Arrived) -> float:
        if arrived.is_("Response", "Catalog") and not held:
            held.append(arrived)
            return bench.patience.hold
        return 0.0

    bench.hold = hold
    try:
        packets = await collect(bench, bench.options.peer)
    finally:
        bench.hold = lambda _arrived: 0.0
    if not packets:
        raise fail("没有目录应答", "no answer")
    bench.facts.catalogue_packets = len(packets)
    items = _items(packets)
    bench.facts.items = {item.device_id: item for item in items}
    return seen(
        f"{len(packets)} 个包，{len(bench.facts.items)} 项", f"{len(packets)} packets, {len(bench.facts.items)} items"
    )


@upper("CAT-02")
async def total(bench: Upper) -> Text:
    """SumNum."""
    run = _of(bench)
    stated = {r.sum_num for r in run.responses}
    count = len({item.device_id for item in run.items})
    if stated != {count}:
        said = "、".join(str(number) for number in stated)
        raise fail(f"SumNum {said}，实收 {count} 项", f"SumNum {said}, but {count} items came")
    return seen(f"SumNum {count}", f"SumNum {count}")


@upper("CAT-03")
async def asked_about(bench: Upper) -> Text:
    """DeviceID."""
    others = {r.device_id for r in _of(bench).responses} - {bench.options.peer}
    if others:
        raise fail(f"DeviceID 为 {min(others)}", f"DeviceID is {min(others)}")
    return seen("与查询相同", "the one asked about")


@upper("CAT-04")
async def numbered(bench: Upper) -> Text:
    """Num."""
    for packet, response in zip(_of(bench).packets, _of(bench).responses, strict=True):
        holder = packet.envelope.element.find("DeviceList") if packet.envelope else None
        number = holder.integer("Num") if holder else None
        if holder is not None and number != len(response.items) + response.lost:
            raise fail(f"Num {number}，实有 {len(response.items)} 项", f"Num {number}, but {len(response.items)} items")
    return seen("各包均一致", "right in every packet")


@upper("CAT-05")
async def required(bench: Upper) -> Text:
    """Fields."""
    for item in _of(bench).items:
        values = {**item.fields, "Name": item.name}
        missing = [name for name in _REQUIRED.get(item.kind, ("Name",)) if not values.get(name)]
        if bench.modern and item.kind == "device" and item.device_id[10:13] in {"131", "132"}:
            missing += [name for name in ("GrassrootsCode", "PointType") if not item.info.get(name)]
        if missing:
            listed = "、".join(missing)
            raise fail(f"{item.device_id} 缺少 {listed}", f"{item.device_id} lacks {', '.join(missing)}")
    return seen("必选字段齐全", "all there")


@upper("CAT-06")
async def status(bench: Upper) -> Text:
    """Status words."""
    devices = [item for item in _of(bench).items if item.kind == "device"]
    for item in devices:
        word = item.fields.get("Status", "")
        if word and word not in {"ON", "OFF"}:
            raise fail(f"{item.device_id} 的 Status 为 {word}", f"Status of {item.device_id} is {word}")
    if not devices:
        raise absent("目录中没有设备", "there is no device in the catalogue")
    return seen(f"{len(devices)} 个设备", f"{len(devices)} devices")


@upper("CAT-07")
async def parents(bench: Upper) -> Text:
    """ParentID."""
    known = {bench.options.peer, *bench.facts.items}
    for item in bench.facts.items.values():
        lost = [parent for parent in item.parents if parent not in known or parent == item.device_id]
        if lost:
            raise fail(
                f"{item.device_id} 的上级 {lost[0]} 不在目录中",
                f"the parent {lost[0]} of {item.device_id} is not in the catalogue",
            )
    return seen("均可找到", "all are found")


@upper("CAT-08")
async def once(bench: Upper) -> Text:
    """No code twice."""
    codes = [item.device_id for item in _of(bench).items]
    twice = next((code for code in codes if codes.count(code) > 1), None) if len(codes) < 5000 else None
    if twice is not None or len(set(codes)) != len(codes):
        raise fail(f"{twice} 出现多次", f"{twice} comes more than once")
    return seen("无重复", "no repetition")


@upper("CAT-09")
async def serially(bench: Upper) -> Text:
    """The 200 of the first packet was held back."""
    run = _of(bench)
    if len(run.packets) < 2:
        raise absent("只有一个包", "there was one packet only")
    gap = run.packets[1].at - run.packets[0].at
    if gap < bench.patience.hold * 0.8:
        raise fail("未等 200 就发送了下一包", "the next packet did not wait for the 200")
    return seen("等到 200 后才发送下一包", "the next packet waited for the 200")


@upper("CAT-10")
async def elsewhere(bench: Upper) -> Text:
    """A region that the device has nothing in."""
    region = next(code for code in _FAR_AWAY if not bench.options.peer.startswith(code))
    packets = await collect(bench, region)
    if not packets:
        raise fail("没有应答", "no answer")
    items = _items(packets)
    if items:
        raise fail(f"返回了 {len(items)} 项", f"{len(items)} items came")
    return seen("SumNum 0", "SumNum 0")


@upper("CAT-11")
async def one(bench: Upper) -> Text:
    """One camera."""
    code = bench.channel
    packets = await collect(bench, code)
    if code not in {item.device_id for item in _items(packets)}:
        raise fail(f"没有返回 {code}", f"{code} did not come")
    return seen(f"返回 {code}", f"{code} came")
