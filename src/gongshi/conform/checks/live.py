"""Live pictures (9.2; §10, §15): the answer, the media, the end."""

import asyncio
from itertools import pairwise

from gongshi.conform.calling import accepted, calling, calling_tcp, invite, offer, roles
from gongshi.conform.checks.registry import absent, fail, seen, upper
from gongshi.conform.model import Failed
from gongshi.conform.pictures import Pictures, datagrams
from gongshi.conform.upper import Upper
from gongshi.kit.i18n import Text

_ANY = "0.0.0.0"  # noqa: S104 -- media come to whichever address the offer names
_PS = 96
_LOSS = 0.01
_CANCELS = 4
_STILL = 0.5
"""Part of the patience with silence after which a stream counts as stopped."""


@upper("INV-01")
async def live(bench: Upper) -> Text:
    """200 with SDP."""
    async with calling(bench, bench.channel) as call:
        return seen(f"应答 200，端口 {call.media.port}", f"answered 200, port {call.media.port}")


@upper("INV-02")
async def described(bench: Upper) -> Text:
    """Direction, payload, port."""
    async with calling(bench, bench.channel) as call:
        media = call.media
        if media.direction != "sendonly":
            raise fail(f"方向为 {media.direction or '未声明'}", f"the direction is {media.direction or 'not stated'}")
        mapped = media.rtpmaps.get(_PS)
        if _PS not in media.formats or mapped is None or mapped.encoding != "PS":
            raise fail("没有负载 96 的 PS 映射", "payload 96 is not mapped to PS")
        if not media.port or not call.answer.media_address(media):
            raise fail("端口或地址无效", "there is no port or no address")
        return seen("sendonly，96 PS/90000", "sendonly, 96 PS/90000")


@upper("INV-03")
async def stated_ssrc(bench: Upper) -> Text:
    """The y= line."""
    async with calling(bench, bench.channel) as call:
        stated = call.answer.ssrc
        if stated is None or stated != call.ssrc:
            raise fail(f"请求 {call.ssrc}，应答 {stated or '无'}", f"offered {call.ssrc}, answered {stated or 'none'}")
        return seen(f"y={stated}", f"y={stated}")


@upper("INV-04")
async def dialog(bench: Upper) -> Text:
    """To tag and Contact."""
    async with calling(bench, bench.channel) as call:
        if not call.response.to.tag:
            raise fail("To 没有标签", "To has no tag")
        if call.response.contact is None:
            raise fail("没有 Contact", "there is no Contact")
        return seen(f"Contact {call.response.contact.uri}", f"Contact {call.response.contact.uri}")


@upper("INV-05")
async def again(bench: Upper) -> Text:
    """The 200 without an ACK."""
    if bench.path.transport != "UDP":
        raise absent("信令为 TCP", "signalling is over TCP")
    async with calling(bench, bench.channel, acknowledge=False) as call:
        came = await call.asked.until(lambda asked: asked.repeats > 0, bench.patience.repeat)
        call.acknowledge()
        if not came:
            raise fail(f"{bench.patience.repeat:g} 秒内没有重发", f"not repeated within {bench.patience.repeat:g} s")
        return seen("已重发", "repeated")


@upper("INV-06")
async def patient(bench: Upper) -> Text:
    """Media before the ACK."""
    async with calling(bench, bench.channel, acknowledge=False) as call:
        early = await call.pictures.until_packets(1, bench.patience.silence)
        call.acknowledge()
        if early:
            raise fail("ACK 之前已发送 RTP", "RTP came before the ACK")
        return seen("ACK 之前没有 RTP", "no RTP before the ACK")


async def _watched(bench: Upper) -> tuple[Pictures, int]:
    """Pictures that were looked at for a while, and their SSRC; one call for all cases about media."""
    if bench.facts.watched is None:
        async with calling(bench, bench.channel) as call:
            await call.arrive()
            await asyncio.sleep(bench.patience.watch)
        bench.facts.watched = call.pictures, (call.answer.ssrc or call.ssrc).number
    return bench.facts.watched


@upper("MED-01")
async def arrive(bench: Upper) -> Text:
    """RTP."""
    pictures, _ = await _watched(bench)
    return seen(
        f"{pictures.packets} 个包，{pictures.frames} 帧，{pictures.codec}",
        f"{pictures.packets} packets, {pictures.frames} pictures, {pictures.codec}",
    )


@upper("MED-02")
async def sent_ssrc(bench: Upper) -> Text:
    """SSRC of RTP."""
    pictures, stated = await _watched(bench)
    found = {f"{ssrc:010d}" for ssrc in pictures.ssrcs}
    if pictures.ssrcs != {stated}:
        listed = "、".join(sorted(found))
        raise fail(f"y={stated:010d}，RTP 为 {listed}", f"y={stated:010d}, but RTP carries {listed}")
    return seen(f"{stated:010d}", f"{stated:010d}")


@upper("MED-03")
async def program_stream(bench: Upper) -> Text:
    """Payload type and pack header."""
    pictures = (await _watched(bench))[0]
    if pictures.kinds != {_PS}:
        kinds = sorted(pictures.kinds)
        raise fail(f"负载类型为 {kinds}", f"the payload type is {kinds}")
    if not pictures.begins_with_pack:
        raise fail("首包不是 PS 包头", "the first packet does not begin a PS pack")
    return seen("96，PS", "96, PS")


@upper("MED-04")
async def key_first(bench: Upper) -> Text:
    """The first picture."""
    pictures = (await _watched(bench))[0]
    if not pictures.begins_with_key:
        raise fail("首帧没有参数集，无法立即解码", "the first picture has no parameter sets and cannot be decoded")
    return seen(f"首帧带参数集（{pictures.codec}）", f"the first picture has parameter sets ({pictures.codec})")


@upper("MED-05")
async def timestamps(bench: Upper) -> Text:
    """Timestamps of pictures."""
    stamps = (await _watched(bench))[0].stamps
    steps = [(b - a) & 0xFFFFFFFF for a, b in pairwise(stamps)]
    if len(stamps) < 2:
        raise fail("所有帧时间戳相同", "every picture has the same timestamp")
    if any(step > 0x7FFFFFFF for step in steps):
        raise fail("时间戳倒退", "timestamps run backwards")
    return seen(f"间隔约 {min(steps)}", f"about {min(steps)} apart")


@upper("MED-06")
async def loss(bench: Upper) -> Text:
    """Lost packets."""
    lost = (await _watched(bench))[0].lost
    if lost > _LOSS:
        raise fail(f"丢包率 {lost:.1%}", f"{lost:.1%} of packets were lost")
    return seen(f"丢包率 {lost:.2%}", f"{lost:.2%} lost")


@upper("INV-07")
async def end(bench: Upper) -> Text:
    """BYE, and then silence."""
    async with calling(bench, bench.channel) as call:
        await call.arrive()
        answer = await call.end()
        if answer is None or answer.status != 200:
            status = answer.status if answer else "-"
            raise fail(f"BYE 应答 {status}", f"BYE was answered {status}")
        quiet = bench.patience.silence * _STILL
        if not await call.pictures.quiet(quiet, bench.patience.silence):
            raise fail("BYE 之后仍在发送", "it goes on sending after BYE")
        return seen("停止发送", "it stopped sending")


@upper("INV-08")
async def replaced(bench: Upper) -> Text:
    """The same Subject twice."""
    async with calling(bench, bench.channel) as first:
        await first.arrive()
        async with calling(bench, bench.channel, ssrc=first.ssrc) as second:
            await second.arrive()
            if not await first.pictures.quiet(bench.patience.silence * _STILL, bench.patience.silence * 2):
                raise fail("旧链路仍在发送", "the old link goes on sending")
        return seen("旧链路已停止", "the old link has stopped")


@upper("INV-09")
async def unknown(bench: Upper) -> Text:
    """A camera that nobody has."""
    code = f"{bench.options.peer[:10]}132{bench.options.peer[13]}999999"
    async with datagrams(_ANY) as pictures:
        description, ssrc = offer(bench, code, pictures.port)
        try:
            call = await accepted(bench, invite(bench, code, description, ssrc), ssrc, pictures)
        except Failed as refused:
            if "200" in refused.seen.en or "not answered" in refused.seen.en:
                raise
            return refused.seen
        call.acknowledge()
        await call.end()
        raise fail("对不存在的通道应答 200", "a camera that is not there was answered 200")


@upper("INV-10")
async def cancel(bench: Upper) -> Text:
    """CANCEL before the answer; when the two cross, it is tried again."""
    for _ in range(_CANCELS):
        status = await _cancelled(bench)
        if status is not None:
            return seen(f"应答 {status}", f"answered {status}")
    raise absent("应答太快，来不及取消", "it answered before it could be cancelled")


async def _cancelled(bench: Upper) -> int | None:
    """What a cancelled INVITE was answered; None when its answer crossed the CANCEL."""
    code = bench.channel
    async with datagrams(_ANY) as pictures:
        description, ssrc = offer(bench, code, pictures.port)
        asked = invite(bench, code, description, ssrc)
        await asked.until(lambda a: bool(a.responses), bench.patience.answer)
        cancelling = bench.wire.cancel(asked)
        final = await asked.answer(bench.patience.answer)
        if final is None:
            raise fail("取消后 INVITE 没有最终应答", "after CANCEL the INVITE was not answered")
        if final.status >= 300:
            return final.status
        call = await accepted(bench, asked, ssrc, pictures)
        call.acknowledge()
        await call.end()
        answer = await cancelling.answer(bench.patience.answer) if cancelling is not None else None
        if cancelling is not None and answer is not None and cancelling.final_order < asked.final_order:
            raise fail(f"应答 CANCEL 之后仍应答 {final.status}", f"it answered CANCEL, and then {final.status}")
        return None


@upper("INV-11")
async def setup(bench: Upper) -> Text:
    """Roles."""
    async with calling_tcp(bench, bench.channel, "passive") as call:
        wrong = roles(call, "passive")
    if wrong is not None:
        raise Failed(wrong)
    return seen("passive → active", "passive → active")


@upper("INV-12")
async def listening(bench: Upper) -> Text:
    """We listen."""
    async with calling_tcp(bench, bench.channel, "passive") as call:
        await call.arrive()
        return seen(f"{call.pictures.packets} 个包", f"{call.pictures.packets} packets")


@upper("INV-13")
async def connecting(bench: Upper) -> Text:
    """We connect."""
    try:
        async with calling_tcp(bench, bench.channel, "active") as call:
            await call.arrive()
            return seen(f"{call.pictures.packets} 个包", f"{call.pictures.packets} packets")
    except OSError as error:
        raise fail(f"无法连接应答中的端口：{error}", f"the port of the answer takes no connection: {error}") from error
