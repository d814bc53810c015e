"""Recordings: search, playback with its commands, download (9.7, 9.8, 9.9; §7.6, §11)."""

from datetime import timedelta
from time import monotonic

from gongshi.conform.calling import Call, Interval, calling
from gongshi.conform.checks.registry import absent, fail, seen, upper
from gongshi.conform.upper import Arrived, Upper
from gongshi.kit.clock import local, now
from gongshi.kit.i18n import Text
from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.manscdp import MediaStatus, RecordInfo, RecordInfoQuery, RecordItem
from gongshi.protocols.sip.mansrtsp import PlaybackCommand

_BACK = timedelta(hours=12)
_SETTLED = timedelta(minutes=10)
"""A recording that ended so long ago is written to its end."""
_FAST = 4.0
_EARLY = 0.7
"""Part of the ordinary time in which a fast playback must be over."""
_STILL = 0.5
_SPEED = 4


async def _search(bench: Upper) -> tuple[list[Arrived], RecordInfoQuery]:
    """Look for twelve hours of recordings and gather the packets."""
    code, sn, since = bench.channel, bench.next_sn(), len(bench.arrived)
    end = now().replace(microsecond=0)
    query = RecordInfoQuery(code, sn, end - _BACK, end)
    bench.send(query, code)
    packets: list[Arrived] = []
    seconds = bench.patience.answer
    while True:
        found = await bench.next(lambda a: bench.answers(a, "RecordInfo", sn, code), seconds, since)
        if found is None:
            return packets, query
        since = bench.arrived.index(found) + 1
        packets.append(found)
        infos = [_read(packet) for packet in packets]
        total = max((info.sum_num or 0 for info in infos), default=0)
        enough = len({item.key for info in infos for item in info.items}) >= total
        seconds = min(bench.patience.gap, bench.patience.silence) if enough else bench.patience.gap
        if not total:
            return packets, query


def _read(packet: Arrived) -> RecordInfo:
    if packet.envelope is None:
        return RecordInfo("", None)
    try:
        return RecordInfo.parse(packet.envelope)
    except ProtocolError:
        return RecordInfo("", None)


@upper("REC-01")
async def search(bench: Upper) -> Text:
    """Any answer."""
    packets, query = await _search(bench)
    if not packets:
        raise fail("没有录像检索应答", "no answer")
    bench.facts.recordings = ([_read(packet) for packet in packets], query)
    items = [item for info in bench.facts.recordings[0] for item in info.items]
    return seen(f"{len(packets)} 个包，{len(items)} 段录像", f"{len(packets)} packets, {len(items)} recordings")


def _found(bench: Upper) -> tuple[list[RecordInfo], RecordInfoQuery]:
    if bench.facts.recordings is None:
        raise absent("没有检索", "nothing was searched")
    return bench.facts.recordings


def _items(bench: Upper) -> list[RecordItem]:
    return [item for info in _found(bench)[0] for item in info.items]


@upper("REC-02")
async def total(bench: Upper) -> Text:
    """SumNum."""
    infos, _ = _found(bench)
    stated, count = {info.sum_num for info in infos}, len({item.key for item in _items(bench)})
    if stated != {count}:
        said = "、".join(str(number) for number in stated)
        raise fail(f"SumNum {said}，实收 {count} 段", f"SumNum {said}, but {count} recordings came")
    return seen(f"SumNum {count}", f"SumNum {count}")


@upper("REC-03")
async def times(bench: Upper) -> Text:
    """Recordings that were not asked for."""
    _, query = _found(bench)
    items = _items(bench)
    if not items:
        raise absent("最近 12 小时没有录像", "nothing was recorded in the last 12 hours")
    for item in items:
        if item.start is None or item.end is None or item.end < item.start:
            raise fail(f"{item.name or item.file_path} 的时间无法解析", "a recording has no times")
        if item.end <= query.start or item.start >= query.end:
            raise fail(f"{local(item.start):%F %T} 不在检索范围内", f"{local(item.start):%F %T} was not asked for")
    return seen("均在范围内", "all lie in it")


def _interval(bench: Upper, speed: int | None = None) -> Interval:
    """A piece of a settled recording. Raises NotApplicable when there is none."""
    length = timedelta(seconds=bench.patience.clip)
    _, query = _found(bench)
    for item in reversed(_items(bench)):
        if item.start is None or item.end is None or item.end - max(item.start, query.start) < length:
            continue
        if item.end < query.end - _SETTLED or item.start + length < query.end - _SETTLED:
            start = max(item.start, query.start).replace(microsecond=0)
            whole = timedelta(seconds=max(1, round(bench.patience.clip)))
            return Interval(start, start + whole, speed)
    raise absent("没有足够长的录像", "no recording is long enough")


@upper("PB-01")
async def playback(bench: Upper) -> Text:
    """Pictures of the past."""
    interval = _interval(bench)
    async with calling(bench, bench.channel, interval=interval) as call:
        await call.arrive()
        return seen(f"{local(interval.start):%F %T}", f"{local(interval.start):%F %T}")


@upper("PB-02")
async def pause(bench: Upper) -> Text:
    """Pause and resume."""
    async with calling(bench, bench.channel, interval=_interval(bench)) as call:
        await call.arrive()
        await call.command(PlaybackCommand.pause(1))
        still = bench.patience.silence * _STILL
        if not await call.pictures.quiet(still, still * 1.8):
            raise fail("暂停后仍在发送", "it goes on sending after PAUSE")
        await call.command(PlaybackCommand.resume(2))
        if not await call.pictures.until_packets(1, bench.patience.media):
            raise fail("恢复后没有媒体流", "nothing comes after PLAY")
        return seen("暂停后停流，恢复后继续", "it stopped and went on")


async def _until_end(call: Call, seconds: float) -> float | None:
    """Seconds until the stream stopped; None when it did not in time."""
    started = monotonic()
    still = call.bench.patience.silence
    if not await call.pictures.quiet(still, seconds + still):
        return None
    return max(0.0, call.pictures.last_at - started)


@upper("PB-03")
async def end_of_file(bench: Upper) -> Text:
    """MediaStatus 121, played quickly so that nobody waits."""
    interval, since = _interval(bench), len(bench.arrived)
    length = (interval.end - interval.start).total_seconds()
    async with calling(bench, bench.channel, interval=interval) as call:
        await call.arrive()
        found = await bench.next(lambda a: a.is_("Notify", "MediaStatus"), length + bench.patience.notify, since)
        if found is None or found.envelope is None:
            raise fail("没有 MediaStatus", "no MediaStatus came")
        status = MediaStatus.parse(found.envelope)
        bench.facts.end_of_file = (found.request.call_id, call.dialog.call_id)
        if status.notify_type != 121:
            raise fail(f"NotifyType 为 {status.notify_type}", f"NotifyType is {status.notify_type}")
        return seen("NotifyType 121", "NotifyType 121")


@upper("PB-04")
async def end_inside(bench: Upper) -> Text:
    """Call-ID of MediaStatus."""
    if bench.facts.end_of_file is None:
        raise absent("没有 MediaStatus", "no MediaStatus came")
    theirs, ours = bench.facts.end_of_file
    if theirs != ours:
        raise fail(f"Call-ID 为 {theirs}", f"the Call-ID is {theirs}")
    return seen("在点播对话内", "inside the dialog")


@upper("PB-05")
async def speed(bench: Upper) -> Text:
    """Four times as fast."""
    interval = _interval(bench)
    length = (interval.end - interval.start).total_seconds()
    async with calling(bench, bench.channel, interval=interval) as call:
        await call.arrive()
        await call.command(PlaybackCommand.speed(1, _FAST))
        took = await _until_end(call, length * _EARLY)
    if took is None:
        raise fail(f"{length:g} 秒的录像四倍速时未提前结束", f"{length:g} s at four times the speed did not end early")
    return seen(f"{length:g} 秒的录像用时 {took:.1f} 秒", f"{length:g} s took {took:.1f} s")


@upper("PB-06")
async def seek(bench: Upper) -> Text:
    """To the last quarter."""
    interval = _interval(bench)
    length = (interval.end - interval.start).total_seconds()
    async with calling(bench, bench.channel, interval=interval) as call:
        await call.arrive()
        await call.command(PlaybackCommand.seek(1, round(length * 0.8, 1)))
        took = await _until_end(call, length * _EARLY)
    if took is None:
        raise fail("拖放后未提前结束", "after the seek it did not end early")
    return seen(f"{took:.1f} 秒后结束", f"it ended after {took:.1f} s")


@upper("DL-01")
async def download(bench: Upper) -> Text:
    """s=Download."""
    async with calling(bench, bench.channel, interval=_interval(bench, _SPEED)) as call:
        await call.arrive()
        bench.facts.file_size = call.media.attribute("filesize")
        return seen(f"{call.pictures.packets} 个包", f"{call.pictures.packets} packets")


@upper("DL-02")
async def file_size(bench: Upper) -> Text:
    """a=filesize."""
    if not bench.facts.file_size or not bench.facts.file_size.isdigit() or int(bench.facts.file_size) == 0:
        raise fail(f"filesize 为 {bench.facts.file_size or '空'}", f"filesize is {bench.facts.file_size or 'missing'}")
    return seen(f"{bench.facts.file_size} 字节", f"{bench.facts.file_size} bytes")
