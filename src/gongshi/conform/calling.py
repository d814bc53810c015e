"""Calls of the upper side: INVITE to a camera with a receiver of pictures behind it (9.2, 9.8, 9.9)."""

import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from gongshi.conform.checks.registry import absent, fail
from gongshi.conform.pictures import Pictures, connection, datagrams, listener
from gongshi.conform.upper import Upper
from gongshi.conform.wire import Asked
from gongshi.kit.i18n import Text
from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.sdp import (
    Media,
    SessionDescription,
    Setup,
    Ssrc,
    download_offer,
    live_offer,
    playback_offer,
)
from gongshi.protocols.sip import MANSRTSP, SDP, Dialog, Response
from gongshi.protocols.sip.mansrtsp import PlaybackCommand

_ANY = "0.0.0.0"  # noqa: S104 -- media come to whichever address the offer names
_PORT_AHEAD = 9
"""A port for offers in which we connect: the text needs one, and nothing listens there."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A recording to be played."""

    start: datetime
    end: datetime
    speed: int | None = None
    """Of a download; None is playback."""


@dataclass(slots=True)
class Call:
    """An INVITE that was answered 200."""

    bench: Upper
    asked: Asked
    response: Response
    dialog: Dialog
    answer: SessionDescription
    ssrc: Ssrc
    pictures: Pictures

    @property
    def media(self) -> Media:
        """The video of the answer. Raises Failed when there is none."""
        media = self.answer.section("video")
        if media is None:
            raise fail("应答 SDP 没有视频", "the answer has no video")
        return media

    def acknowledge(self) -> None:
        """Send the ACK."""
        self.bench.wire.send(self.dialog.ack(), self.bench.path)

    async def end(self) -> Response | None:
        """Say BYE and wait for the answer."""
        return await self.bench.end(self.dialog).answer(self.bench.patience.answer)

    async def arrive(self) -> None:
        """Wait for pictures. Raises Failed when none come."""
        seconds = self.bench.patience.media
        if not self.pictures.packets and not await self.pictures.until_packets(1, seconds):
            raise fail(f"{seconds:g} 秒内没有收到 RTP", f"no RTP within {seconds:g} seconds")

    async def command(self, command: PlaybackCommand) -> Response:
        """Steer the playback. Raises Failed when it is refused."""
        request = self.dialog.request("INFO", body=command.to_bytes(), content_type=MANSRTSP)
        answer = await self.bench.wire.ask(request, self.bench.path).answer(self.bench.patience.answer)
        if answer is None or answer.status != 200:
            status = answer.status if answer else "-"
            raise fail(f"{command.method} 应答 {status}", f"{command.method} was answered {status}")
        return answer


def offer(
    bench: Upper, code: str, port: int, *, setup: Setup | None = None, interval: Interval | None = None
) -> tuple[SessionDescription, Ssrc]:
    """What we offer to receive."""
    ssrc = Ssrc(bench.next_ssrc(history=interval is not None))
    host = bench.wire.local(bench.path.host)
    own = bench.options.code
    if interval is None:
        return live_offer(own, host, port, ssrc, setup=setup), ssrc
    span = (code, interval.start, interval.end)
    if interval.speed is None:
        return playback_offer(own, host, port, ssrc, *span, setup=setup), ssrc
    return download_offer(own, host, port, ssrc, *span, speed=interval.speed, setup=setup), ssrc


def invite(bench: Upper, code: str, description: SessionDescription, ssrc: Ssrc) -> Asked:
    """Send an INVITE."""
    subject = f"{code}:{ssrc},{bench.options.code}:{ssrc.number % 10_000}"
    request = bench.request(
        "INVITE",
        code,
        headers=(("Subject", subject),),
        body=description.to_bytes(),
        content_type=SDP,
        contact=True,
    )
    return bench.wire.ask(request, bench.path)


async def accepted(bench: Upper, asked: Asked, ssrc: Ssrc, pictures: Pictures) -> Call:
    """Wait for the 200. Raises Failed, or NotApplicable when the device is busy."""
    response = await asked.answer(max(bench.patience.answer, bench.patience.media))
    if response is None:
        raise fail("INVITE 没有应答", "INVITE was not answered")
    if response.status == 486:
        raise absent("设备忙（486）", "the device is busy (486)")
    if response.status >= 300:
        raise fail(f"INVITE 应答 {response.status}", f"INVITE was answered {response.status}")
    dialog = Dialog.from_response(asked.request, response)
    try:
        answer = SessionDescription.parse(response.body)
    except ProtocolError as error:
        bench.wire.send(dialog.ack(), bench.path)
        bench.end(dialog)
        raise fail(f"200 的 SDP 无法解析：{error}", f"the SDP of the 200 cannot be read: {error}") from error
    return Call(bench, asked, response, dialog, answer, ssrc, pictures)


@asynccontextmanager
async def calling(
    bench: Upper,
    code: str,
    *,
    interval: Interval | None = None,
    acknowledge: bool = True,
    ssrc: Ssrc | None = None,
) -> AsyncGenerator[Call]:
    """A call over UDP that stands inside the block, and is ended with it."""
    async with datagrams(_ANY) as pictures:
        description, own = offer(bench, code, pictures.port, interval=interval)
        asked = invite(bench, code, description, ssrc or own)
        call = await accepted(bench, asked, ssrc or own, pictures)
        if acknowledge:
            call.acknowledge()
        try:
            yield call
        finally:
            bench.end(call.dialog)


@asynccontextmanager
async def calling_tcp(bench: Upper, code: str, setup: Setup) -> AsyncGenerator[Call]:
    """A call with media over TCP; `setup` is our role. Raises `OSError` when the device does not listen."""
    async with contextlib.AsyncExitStack() as stack:
        pictures = await stack.enter_async_context(listener(_ANY)) if setup == "passive" else Pictures(_PORT_AHEAD)
        description, ssrc = offer(bench, code, pictures.port, setup=setup)
        call = await accepted(bench, invite(bench, code, description, ssrc), ssrc, pictures)
        call.acknowledge()
        try:
            if setup == "active":
                host = call.answer.media_address(call.media)
                call.pictures = await stack.enter_async_context(connection(host, call.media.port))
            yield call
        finally:
            bench.end(call.dialog)


def roles(call: Call, ours: Setup) -> Text | None:
    """What is wrong with the role in the answer; None when nothing."""
    theirs = call.media.setup
    wanted = "active" if ours == "passive" else "passive"
    if theirs == wanted:
        return None
    return Text(f"请求 {ours}，应答 {theirs or '无'}", f"offered {ours}, answered {theirs or 'none'}")
