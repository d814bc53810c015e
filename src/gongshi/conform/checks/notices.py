"""Subscriptions, alarms, voice, snapshots and restarts (9.4, 9.11, 9.12, 9.14, 9.3; §9, §12, §14)."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gongshi.conform.checks.controls import tell
from gongshi.conform.checks.registry import absent, fail, seen, upper
from gongshi.conform.upper import Arrived, Body, Upper
from gongshi.kit.i18n import Text
from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.manscdp import (
    AlarmQuery,
    Broadcast,
    CatalogQuery,
    MobilePositionQuery,
    PtzPositionQuery,
    Result,
    SnapShotFinished,
)
from gongshi.protocols.manscdp.alarm import Alarm, MobilePosition
from gongshi.protocols.manscdp.configuration import DeviceConfig
from gongshi.protocols.manscdp.control import AlarmReset, TeleBoot
from gongshi.protocols.manscdp.settings import SnapShotConfig
from gongshi.protocols.rtp import packetize
from gongshi.protocols.sdp import SessionDescription, Ssrc, audio_answer
from gongshi.protocols.sip import MANSCDP, SDP, Dialog, NameAddr, Request, Response

_EXPIRES = 600
_PCMA = 8
_SILENCE = b"\xd5" * 160
"""20 ms of G.711 A-law without sound."""


class _Subscription:
    """A dialog of ours with the device."""

    def __init__(self, bench: Upper, dialog: Dialog, answer: Response, since: int, event: str) -> None:
        self.bench = bench
        self.dialog = dialog
        self.answer = answer
        self.since = since
        self.event = event

    async def notified(self, seconds: float) -> Arrived | None:
        """The next NOTIFY."""
        found = await self.bench.next(
            lambda a: a.request.method == "NOTIFY" and self.dialog.matches(a.request), seconds, self.since
        )
        if found is not None:
            self.since = self.bench.arrived.index(found) + 1
        return found

    async def again(self, expires: int) -> Response | None:
        """Refresh, or with 0 end."""
        headers = (("Event", self.event), ("Expires", str(expires)), ("Contact", str(NameAddr(self.bench.contact()))))
        request = self.dialog.request("SUBSCRIBE", headers=headers)
        return await self.bench.wire.ask(request, self.bench.path).answer(self.bench.patience.answer)


async def _ask(bench: Upper, message: Body, code: str, event: str) -> tuple[Request, Response | None, int]:
    since = len(bench.arrived)
    request = bench.request(
        "SUBSCRIBE",
        code,
        headers=(("Event", event), ("Expires", str(_EXPIRES))),
        body=message.to_bytes(bench.edition),
        content_type=MANSCDP,
        contact=True,
    )
    return request, await bench.wire.ask(request, bench.path).answer(bench.patience.answer), since


@asynccontextmanager
async def subscribed(bench: Upper, message: Body, code: str, event: str) -> AsyncGenerator[_Subscription]:
    """A subscription that stands inside the block. Raises Failed, or NotApplicable when it is refused as unknown."""
    request, answer, since = await _ask(bench, message, code, event)
    if answer is None:
        raise fail("SUBSCRIBE 没有应答", "SUBSCRIBE was not answered")
    if answer.status >= 300:
        raise fail(f"SUBSCRIBE 应答 {answer.status}", f"SUBSCRIBE was answered {answer.status}")
    made = _Subscription(bench, Dialog.from_response(request, answer), answer, since, event)
    try:
        yield made
    finally:
        with contextlib.suppress(ProtocolError):
            await made.again(0)


def _catalogue(bench: Upper) -> tuple[CatalogQuery, str, str]:
    sn = bench.next_sn()
    return CatalogQuery(bench.options.peer, sn), bench.options.peer, f"Catalog;id={sn % 10_000}"


@upper("SUB-01")
async def subscribe(bench: Upper) -> Text:
    """Catalogue."""
    async with subscribed(bench, *_catalogue(bench)) as made:
        if not made.answer.to.tag:
            raise fail("200 没有 To 标签", "the 200 has no To tag")
        if made.answer.expires is None:
            raise fail("200 没有 Expires", "the 200 has no Expires")
        return seen(f"Expires {made.answer.expires}", f"Expires {made.answer.expires}")


@upper("SUB-02")
async def first(bench: Upper) -> Text:
    """NOTIFY at once."""
    async with subscribed(bench, *_catalogue(bench)) as made:
        found = await made.notified(bench.patience.notify)
        if found is None:
            raise fail("没有 NOTIFY", "no NOTIFY came")
        state = found.request.headers.get("Subscription-State") or "-"
        return seen(f"Subscription-State: {state}", f"Subscription-State: {state}")


@upper("SUB-03")
async def counted(bench: Upper) -> Text:
    """SumNum and Num."""
    async with subscribed(bench, *_catalogue(bench)) as made:
        found = await made.notified(bench.patience.notify)
        if found is None or found.envelope is None:
            raise absent("NOTIFY 没有正文", "the NOTIFY has no body")
        element = found.envelope.element
        holder = element.find("DeviceList")
        count = len(list(holder.all("Item"))) if holder else 0
        numbers = (element.integer("SumNum"), holder.integer("Num") if holder else 0)
        if numbers != (count, count):
            raise fail(
                f"SumNum {numbers[0]}，Num {numbers[1]}，实有 {count} 项",
                f"SumNum {numbers[0]}, Num {numbers[1]}, but {count} items",
            )
        return seen(f"{count} 项", f"{count} items")


@upper("SUB-04")
async def refresh(bench: Upper) -> Text:
    """SUBSCRIBE in the dialog."""
    async with subscribed(bench, *_catalogue(bench)) as made:
        answer = await made.again(_EXPIRES)
        if answer is None or answer.status != 200:
            status = answer.status if answer else "-"
            raise fail(f"应答 {status}", f"answered {status}")
        return seen("应答 200", "answered 200")


@upper("SUB-05")
async def unsubscribe(bench: Upper) -> Text:
    """Expires 0."""
    async with subscribed(bench, *_catalogue(bench)) as made:
        await made.notified(bench.patience.silence)
        answer = await made.again(0)
        if answer is None or answer.status not in {200, 202}:
            status = answer.status if answer else "-"
            raise fail(f"应答 {status}", f"answered {status}")
        while (found := await made.notified(bench.patience.notify)) is not None:
            if (found.request.headers.get("Subscription-State") or "").lower().startswith("terminated"):
                return seen("terminated", "terminated")
    raise fail("没有 terminated 通知", "no NOTIFY said terminated")


@upper("SUB-06")
async def alarms(bench: Upper) -> Text:
    """Alarms."""
    message = AlarmQuery(bench.options.peer, bench.next_sn())
    async with subscribed(bench, message, bench.options.peer, "presence") as made:
        return seen(f"Expires {made.answer.expires}", f"Expires {made.answer.expires}")


@upper("SUB-07")
async def positions(bench: Upper) -> Text:
    """Positions, for devices that have any."""
    message = MobilePositionQuery(bench.options.peer, bench.next_sn(), 1)
    _, answer, _ = await _ask(bench, message, bench.options.peer, "presence")
    if answer is not None and answer.status >= 300:
        raise absent(f"设备不报告位置（{answer.status}）", f"the device tells no position ({answer.status})")
    async with subscribed(bench, message, bench.options.peer, "presence") as made:
        count = 0
        for _ in range(3):
            found = await made.notified(bench.patience.notify)
            if found is None:
                break
            if found.envelope is not None:
                count += len(MobilePosition.parse(found.envelope).positions) > 0
        if count < 2:
            raise fail(f"收到 {count} 次位置", f"{count} positions came")
        return seen(f"收到 {count} 次位置", f"{count} positions came")


@upper("SUB-08")
async def lens(bench: Upper) -> Text:
    """PTZ positions."""
    code = bench.turning
    message = PtzPositionQuery(code, bench.next_sn())
    async with subscribed(bench, message, code, "presence") as made:
        found = await made.notified(bench.patience.notify)
        if found is None or found.envelope is None or not found.is_("Notify", "PTZPosition"):
            raise fail("没有方位通知", "no position was told")
        return seen("已通知方位", "the position was told")


# --- alarms ------------------------------------------------------------------------------------------------------------


def _alarm(arrived: Arrived) -> bool:
    return arrived.is_("Notify", "Alarm")


@upper("ALM-01")
async def alarm(bench: Upper) -> Text:
    """An alarm that a person raises."""
    since = len(bench.arrived)
    asked = await bench.options.prompt("alarm", Text("请触发设备的一个报警", "please raise an alarm at the device"))
    if not asked:
        raise absent("无人触发报警", "nobody raised an alarm")
    found = await bench.next(_alarm, bench.patience.operator, since)
    if found is None or found.envelope is None:
        raise fail("没有收到报警", "no alarm came")
    told = found.envelope
    # Confirmed, and reset, so that the device is as it was before.
    await bench.send(Result("Alarm", told.device_id, told.sn or 1)).answer(bench.patience.answer)
    await tell(bench, AlarmReset(), told.device_id)
    kind = Alarm.parse(told).kind
    return seen(kind, kind)


@upper("ALM-02")
async def alarm_fields(bench: Upper) -> Text:
    """AlarmPriority, AlarmMethod, AlarmTime."""
    found = next((a for a in reversed(bench.arrived) if _alarm(a)), None)
    if found is None or found.envelope is None:
        raise absent("没有报警", "there was no alarm")
    told = Alarm.parse(found.envelope)
    named = {"AlarmPriority": told.priority, "AlarmMethod": told.method, "AlarmTime": told.time}
    missing = [name for name, value in named.items() if value is None]
    if missing:
        raise fail(f"缺少 {'、'.join(missing)}", f"it lacks {', '.join(missing)}")
    return seen(f"级别 {told.priority}，方式 {told.method}", f"priority {told.priority}, method {told.method}")


# --- voice -------------------------------------------------------------------------------------------------------------


def _speaker(bench: Upper) -> str:
    """A voice output, else the device itself."""
    outputs = [code for code in bench.facts.items if code[10:13] == "137"]
    return outputs[0] if outputs else bench.options.peer


@asynccontextmanager
async def _broadcast(bench: Upper) -> AsyncGenerator[list[Arrived]]:
    """Order a broadcast and take the device's call; what it sent gathers in the list."""
    calls: list[Arrived] = []
    dialogs: list[Dialog] = []

    def take(arrived: Arrived) -> None:
        calls.append(arrived)
        with contextlib.suppress(ProtocolError):
            dialogs.append(_talk(bench, arrived, sock))

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("0.0.0.0", 0))  # noqa: S104 -- voice goes out from whichever address leads to the device
        bench.on_invite = take
        try:
            yield calls
        finally:
            bench.on_invite = bench.refuse_call
            for dialog in dialogs:
                await bench.end(dialog).answer(bench.patience.answer)


def _talk(bench: Upper, arrived: Arrived, sock: socket.socket) -> Dialog:
    """Answer the device's INVITE, and send a little silence for it to hear."""
    request = arrived.request
    offer = SessionDescription.parse(request.body)
    host = bench.wire.local(arrived.event.flow.host)
    ssrc = offer.ssrc or Ssrc(bench.next_ssrc())
    description = audio_answer(offer, bench.options.code, host, int(sock.getsockname()[1]), ssrc=ssrc)
    dialog = Dialog.from_request(request)
    response = Response.to_request(
        request,
        200,
        tag=dialog.local_tag,
        headers=[("Contact", str(NameAddr(bench.contact())))],
        body=description.to_bytes(),
        content_type=SDP,
    )
    bench.wire.respond(arrived.event, response)
    audio = offer.section("audio")
    if audio is not None and not audio.tcp:
        for number in range(5):
            for packet in packetize(_SILENCE, number, number * 160, ssrc.number, payload_type=_PCMA):
                with contextlib.suppress(OSError):
                    sock.sendto(packet, (offer.media_address(audio), audio.port))
    return dialog


async def _order(bench: Upper) -> tuple[Arrived | None, list[Arrived]]:
    """(the answering message, the calls that came)."""
    code, sn, since = _speaker(bench), bench.next_sn(), len(bench.arrived)
    source = f"{bench.options.code[:10]}136{bench.options.code[13]}000001"
    async with _broadcast(bench) as calls:
        bench.send(Broadcast(source, code, sn), code)
        found = await bench.next(lambda a: a.is_("Response", "Broadcast"), bench.patience.answer, since)
        accepted = found is not None and found.envelope is not None and found.envelope.result_ok
        if accepted:
            await bench.next(lambda a: a.request.method == "INVITE", bench.patience.notify, since)
            await asyncio.sleep(min(0.2, bench.patience.silence))
        return found, calls


@upper("BC-01")
async def broadcast(bench: Upper) -> Text:
    """Response Broadcast."""
    found, _ = await _order(bench)
    if found is None or found.envelope is None:
        raise fail("没有应答消息", "no answering message")
    if not found.envelope.result_ok:
        raise absent("设备应答 ERROR：没有语音输出", "the device answers ERROR: it has no voice output")
    return seen("Result OK", "Result OK")


@upper("BC-02")
async def called(bench: Upper) -> Text:
    """INVITE of the device."""
    _, calls = await _order(bench)
    if not calls:
        raise fail("设备没有发起 INVITE", "the device did not call")
    target = calls[0].request.to.user
    return seen(f"呼叫 {target}", f"it called {target}")


@upper("BC-03")
async def voice(bench: Upper) -> Text:
    """Its SDP."""
    _, calls = await _order(bench)
    if not calls:
        raise absent("设备没有发起 INVITE", "the device did not call")
    try:
        audio = SessionDescription.parse(calls[0].request.body).section("audio")
    except ProtocolError as error:
        raise fail(f"SDP 无法解析：{error}", f"the SDP cannot be read: {error}") from error
    if audio is None:
        raise fail("没有音频", "there is no audio")
    if audio.direction != "recvonly":
        raise fail(f"方向为 {audio.direction or '未声明'}", f"the direction is {audio.direction or 'not stated'}")
    if not any(entry.encoding == "PCMA" for entry in audio.rtpmaps.values()):
        raise fail("没有 PCMA", "there is no PCMA")
    return seen("recvonly，PCMA", "recvonly, PCMA")


# --- snapshots ---------------------------------------------------------------------------------------------------------


@upper("SNP-01")
async def snapshot(bench: Upper) -> Text:
    """SnapShotConfig, an upload, and UploadSnapShotFinished."""
    pictures: list[int] = []
    session, since = secrets.token_hex(16), len(bench.arrived)
    host = bench.wire.local(bench.path.host)

    async def upload(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = next((line for line in head.split(b"\r\n") if line.startswith(b"content-length:")), b":0")
            body = await reader.readexactly(min(int(length.partition(b":")[2]), 8 << 20))
            pictures.append(body.find(b"\xff\xd8\xff"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(upload, host, 0)
    try:
        port = server.sockets[0].getsockname()[1]
        order = SnapShotConfig(1, 1, f"http://{host}:{port}/{session}", session)
        sn = bench.next_sn()
        code = bench.channel
        answer = await bench.query(DeviceConfig(code, sn, (order,)), "DeviceConfig", sn, code)
        if answer is None:
            raise fail("没有应答消息", "no answering message")
        if not answer.result_ok:
            raise absent("设备应答 ERROR：不具备此能力", "the device answers ERROR: it has no such ability")
        found = await bench.next(
            lambda a: a.is_("Notify", "UploadSnapShotFinished"), bench.patience.notify + bench.patience.answer, since
        )
    finally:
        server.close()
    if found is None or found.envelope is None:
        raise fail("没有抓拍完成通知", "its end was not told")
    finished = SnapShotFinished.parse(found.envelope)
    if finished.session_id != session or len(finished.files) != 1:
        raise fail("会话标识或文件数量不符", "session or number of files is wrong")
    if not pictures or pictures[0] < 0:
        raise fail("没有收到 JPEG", "no JPEG was uploaded")
    return seen(finished.files[0], finished.files[0])


# --- restart -----------------------------------------------------------------------------------------------------------


@upper("END-01")
async def restart(bench: Upper) -> Text:
    """TeleBoot."""
    since = len(bench.arrived)
    await tell(bench, TeleBoot(), bench.options.peer)
    found = await bench.next(
        lambda a: a.request.method == "REGISTER" and a.request.expires != 0, bench.patience.register, since
    )
    if found is None:
        raise fail("没有重新注册", "it did not register again")
    await bench.next(
        lambda a: a.request.headers.get("Authorization") is not None and a.request.expires != 0,
        bench.patience.answer,
        since,
    )
    return seen("已重新注册", "it registered again")


@upper("END-02")
async def leave(bench: Upper) -> Text:
    """Expires 0 before the restart."""
    left = [r for r in bench.facts.registers if r.expires == 0]
    if not left:
        raise fail("重启前没有注销", "it did not leave before it restarted")
    if all(r.headers.get("Authorization") is None for r in left):
        raise fail("注销没有经过认证", "leaving was not authenticated")
    return seen("注销并认证", "it left, authenticated")


@upper("END-03")
async def redirect(bench: Upper) -> Text:
    """302 to another port of ours."""
    since = len(bench.arrived)
    async with bench.elsewhere() as contact:
        bench.redirect = contact
        await tell(bench, TeleBoot(), bench.options.peer)
        found = await bench.next(
            lambda a: a.elsewhere and a.request.method == "REGISTER", bench.patience.register, since
        )
        bench.redirect = None
    if found is None:
        raise fail("没有向指定服务器注册", "it did not register with the server that was named")
    return seen(f"向 {contact} 注册", f"it registered with {contact}")
