"""Commands (9.3; §8): which are answered, which are not, and whether they do anything."""

import asyncio

from gongshi.conform.checks.queries import answer, camera, read_basic, where
from gongshi.conform.checks.registry import absent, fail, seen, upper
from gongshi.conform.upper import Upper
from gongshi.kit.i18n import Text
from gongshi.protocols.manscdp import (
    HomePosition,
    HomePositionAnswer,
    HomePositionQuery,
    PresetList,
    PresetQuery,
    PtzPosition,
)
from gongshi.protocols.manscdp.configuration import DeviceConfig
from gongshi.protocols.manscdp.control import (
    AlarmReset,
    Command,
    DeviceControl,
    Guard,
    KeyFrame,
    PrecisePtz,
    PtzControl,
    Record,
    SetHomePosition,
)
from gongshi.protocols.ptz import Move, Preset, Stop

_PRESET = 200
"""A number that a site hardly uses."""
_NEAR = 1.0
"""Degrees."""


async def order(bench: Upper, command: Command, code: str) -> Text:
    """Give a command that is answered."""
    sn = bench.next_sn()
    found = await bench.query(DeviceControl(code, sn, command), "DeviceControl", sn, code)
    if found is None:
        raise fail("没有应答消息", "no answering message")
    result = found.element.get("Result")
    if result not in {"OK", "ERROR"}:
        raise fail(f"Result 为 {result or '空'}", f"Result is {result or 'missing'}")
    return seen(f"Result {result}", f"Result {result}")


async def tell(bench: Upper, command: Command, code: str) -> int:
    """Give a command that is not answered; its SN. The 200 is waited for, and may be missing."""
    sn = bench.next_sn()
    await bench.send(DeviceControl(code, sn, command), code).answer(bench.patience.answer)
    return sn


@upper("CTL-01")
async def guard(bench: Upper) -> Text:
    """SetGuard and ResetGuard."""
    await order(bench, Guard(on=True), bench.options.peer)
    return await order(bench, Guard(on=False), bench.options.peer)


@upper("CTL-02")
async def record(bench: Upper) -> Text:
    """Record: a recorder goes on recording, so nothing is lost."""
    return await order(bench, Record(on=True), bench.channel)


@upper("CTL-03")
async def reset(bench: Upper) -> Text:
    """ResetAlarm."""
    return await order(bench, AlarmReset(), bench.options.peer)


@upper("CTL-04")
async def silent(bench: Upper) -> Text:
    """PTZ stop and key frame."""
    code, since = camera(bench), len(bench.arrived)
    await tell(bench, PtzControl(Stop()), code)
    await tell(bench, KeyFrame(), code)
    await asyncio.sleep(bench.patience.silence)
    answers = [a for a in bench.arrived[since:] if a.is_("Response", "DeviceControl")]
    if answers:
        raise fail("对无应答命令发送了应答消息", "a command without an answer was answered")
    return seen("没有应答消息", "no answering message")


@upper("CTL-05")
async def configure(bench: Upper) -> Text:
    """DeviceConfig with the values that are there."""
    code, sn = bench.options.peer, bench.next_sn()
    basic = await read_basic(bench)
    found = await bench.query(DeviceConfig(code, sn, (basic,)), "DeviceConfig", sn, code)
    if found is None:
        raise fail("没有应答消息", "no answering message")
    result = found.element.get("Result")
    if result not in {"OK", "ERROR"}:
        raise fail(f"Result 为 {result or '空'}", f"Result is {result or 'missing'}")
    return seen(f"Result {result}", f"Result {result}")


@upper("CTL-06")
async def home(bench: Upper) -> Text:
    """HomePosition set and read; put back afterwards."""
    code = bench.turning
    before = HomePositionAnswer.parse(await answer(bench, HomePositionQuery, code)).position
    wanted = HomePosition(True, 120 if before is None or before.reset_time != 120 else 90, 1)
    try:
        await order(bench, SetHomePosition(wanted), code)
        after = HomePositionAnswer.parse(await answer(bench, HomePositionQuery, code)).position
    finally:
        await order(bench, SetHomePosition(before or HomePosition(enabled=False)), code)
    if after is None or (after.enabled, after.reset_time) != (wanted.enabled, wanted.reset_time):
        raise fail("查询结果与设置不符", "what was read is not what was set")
    return seen(f"ResetTime {after.reset_time}", f"ResetTime {after.reset_time}")


# --- PTZ ---------------------------------------------------------------------------------------------------------------


def _apart(one: PtzPosition, other: PtzPosition) -> float:
    pan = abs((one.pan or 0.0) - (other.pan or 0.0)) % 360.0
    return min(pan, 360.0 - pan) + abs((one.tilt or 0.0) - (other.tilt or 0.0))


@upper("PTZ-01")
async def turn(bench: Upper) -> Text:
    """Right, at half the speed."""
    code = bench.turning
    before = await where(bench)
    await tell(bench, PtzControl(Move(pan=1, pan_speed=128)), code)
    await asyncio.sleep(bench.patience.move)
    after = await where(bench)
    await tell(bench, PtzControl(Stop()), code)
    moved = _apart(before, after)
    if moved < _NEAR:
        raise fail("方位没有变化", "the position did not change")
    return seen(f"转动 {moved:.1f} 度", f"turned by {moved:.1f} degrees")


@upper("PTZ-02")
async def stop(bench: Upper) -> Text:
    """Stop."""
    code = bench.turning
    await tell(bench, PtzControl(Move(pan=1, pan_speed=128)), code)
    await tell(bench, PtzControl(Stop()), code)
    # It may swing a little; then it stands.
    await asyncio.sleep(bench.patience.move)
    before = await where(bench)
    await asyncio.sleep(bench.patience.move)
    moved = _apart(before, await where(bench))
    if moved >= _NEAR:
        raise fail(f"停止后仍转动 {moved:.1f} 度", f"it turned by {moved:.1f} degrees after stop")
    return seen("停止后不动", "it stands")


@upper("PTZ-03")
async def presets(bench: Upper) -> Text:
    """Set, list, delete."""
    code = bench.turning
    await tell(bench, PtzControl(Preset("set", _PRESET)), code)
    listed = {p.number for p in PresetList.parse(await answer(bench, PresetQuery, code)).presets}
    await tell(bench, PtzControl(Preset("delete", _PRESET)), code)
    left = {p.number for p in PresetList.parse(await answer(bench, PresetQuery, code)).presets}
    if _PRESET not in listed:
        raise fail(f"列表中没有预置位 {_PRESET}", f"preset {_PRESET} is not listed")
    if _PRESET in left:
        raise fail(f"预置位 {_PRESET} 未被删除", f"preset {_PRESET} was not deleted")
    return seen(f"预置位 {_PRESET}", f"preset {_PRESET}")


@upper("PTZ-04")
async def precise(bench: Upper) -> Text:
    """Look a little further."""
    code = bench.turning
    before = await where(bench)
    if before.pan is None:
        raise absent("设备不报告方位", "the device does not tell its position")
    pan = (before.pan + 20.0) % 360.0
    await tell(bench, PtzControl(Stop()), code)
    await tell(bench, PrecisePtz(pan=round(pan, 2), tilt=before.tilt, zoom=before.zoom), code)
    await asyncio.sleep(bench.patience.move)
    off = _apart(await where(bench), PtzPosition(code, 0, pan, before.tilt))
    if off >= _NEAR:
        raise fail(f"与目标相差 {off:.1f} 度", f"it is {off:.1f} degrees from where it was told")
    return seen(f"相差 {off:.2f} 度", f"{off:.2f} degrees off")
