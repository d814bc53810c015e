"""What a platform does with a device below it (9.1, 9.4, 9.5, 9.6, 9.2; §4 to §10)."""

import asyncio
import contextlib

from gongshi.conform.checks.registry import absent, fail, lower, seen
from gongshi.conform.lower import Lower
from gongshi.conform.upper import Arrived
from gongshi.kit.clock import now
from gongshi.kit.i18n import Text
from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.manscdp import build, leaf, parse_time
from gongshi.protocols.manscdp.alarm import Alarm
from gongshi.protocols.sdp import SessionDescription
from gongshi.protocols.sip import Challenge, Response, answer_challenge

_OFF = 5.0
_MODERN = {"homepositionquery", "cruisetracklistquery", "cruisetrackquery", "ptzposition", "sdcardstatus"}
_OURS = ("SSRC 的第 2 至 6 位", "digits 2 to 6 of the SSRC")


def _status(answer: Response | None) -> tuple[str, str]:
    return ("没有应答", "no answer") if answer is None else (f"应答 {answer.status}", f"answered {answer.status}")


def _is(answer: Response | None, *allowed: int) -> Text:
    if answer is None or answer.status not in allowed:
        raise fail(*_status(answer))
    return seen(*_status(answer))


def _not_ok(answer: Response | None) -> Text:
    if answer is not None and answer.status == 200:
        raise fail("应答 200", "answered 200")
    return seen(*_status(answer))


async def _challenge(bench: Lower) -> tuple[Response, Challenge]:
    answer = await bench.ask(bench.register())
    if answer is None or answer.status != 401:
        raise fail(*_status(answer))
    value = answer.headers.get("WWW-Authenticate")
    if value is None:
        raise fail("401 没有 WWW-Authenticate", "the 401 has no WWW-Authenticate")
    return answer, Challenge.parse(value)


@lower("SRV-01")
async def challenge(bench: Lower) -> Text:
    """401."""
    _, found = await _challenge(bench)
    if not found.realm:
        raise fail("质询没有 realm", "the challenge has no realm")
    return seen(f"realm {found.realm}", f"realm {found.realm}")


@lower("SRV-02")
async def algorithm(bench: Lower) -> Text:
    """Named, as some devices want it (Q-05)."""
    answer, found = await _challenge(bench)
    if "algorithm" not in (answer.headers.get("WWW-Authenticate") or "").lower():
        raise fail("没有声明 algorithm", "algorithm is not stated")
    return seen(found.algorithm, found.algorithm)


@lower("SRV-03")
async def wrong_password(bench: Lower) -> Text:
    """Credentials made of another password."""
    request = bench.register()
    answer = await bench.ask(request)
    if answer is None or answer.status != 401:
        raise fail(*_status(answer))
    return _not_ok(await bench.prove(request, answer, bench.options.password + "!"))


@lower("SRV-04")
async def register(bench: Lower) -> Text:
    """The right ones."""
    answer = await bench.enter()
    _is(answer, 200)
    expires = answer.expires if answer else None
    if expires is None:
        raise fail("200 没有有效期", "the 200 names no time")
    return seen(f"应答 200，{expires} 秒", f"answered 200, {expires} seconds")


@lower("SRV-05")
async def date(bench: Lower) -> Text:
    """Date."""
    text = next((a.headers.get("Date") for a in reversed(bench.answers) if a.status == 200), None)
    moment = parse_time(text)
    if moment is None:
        raise fail(f"Date 为 {text or '空'}", f"Date is {text or 'missing'}")
    off = abs((moment - now()).total_seconds())
    if off > _OFF:
        raise fail(f"Date 与北京时间相差 {off:.0f} 秒", f"Date is {off:.0f} seconds from Beijing time")
    return seen(text or "", text or "")


@lower("SRV-06")
async def version(bench: Lower) -> Text:
    """X-GB-Ver."""
    missing = [a.status for a in bench.answers if not a.gb_version]
    if missing:
        listed = "、".join(str(status) for status in sorted(set(missing)))
        raise fail(f"应答 {listed} 没有 X-GB-Ver", f"answers {listed} lack X-GB-Ver")
    return seen(f"X-GB-Ver: {bench.announced}", f"X-GB-Ver: {bench.announced}")


@lower("SRV-07")
async def made_up(bench: Lower) -> Text:
    """A nonce that the platform never gave."""
    _, found = await _challenge(bench)
    invented = Challenge(found.realm, "00" * 28, found.algorithm, found.qop)
    request = bench.register()
    proof = answer_challenge(invented, bench.code, bench.options.password, "REGISTER", request.uri)
    request.headers.set("Authorization", proof.header())
    return _not_ok(await bench.ask(request))


@lower("SRV-08")
async def refresh(bench: Lower) -> Text:
    """The same call, without credentials."""
    answer = await bench.ask(bench.register())
    found = _not_ok(answer)
    await bench.enter()
    return found


@lower("SRV-09")
async def unknown(bench: Lower) -> Text:
    """A device that was never entered."""
    code = f"{bench.code[:10]}118{bench.code[13]}999999"
    request = bench.register(code=code)
    answer = await bench.ask(request)
    if answer is not None and answer.status == 401:
        with contextlib.suppress(ProtocolError):
            answer = await bench.prove(request, answer)
    return _not_ok(answer)


@lower("SRV-10")
async def leave(bench: Lower) -> Text:
    """Expires 0."""
    return _is(await bench.enter(0), 200)


# --- messages ----------------------------------------------------------------------------------------------------------


@lower("PLT-01")
async def keepalive(bench: Lower) -> Text:
    """From us."""
    return _is(await bench.keepalive(), 200)


@lower("PLT-02")
async def stranger(bench: Lower) -> Text:
    """From somebody who did not register."""
    return _not_ok(await bench.keepalive(f"{bench.code[:10]}118{bench.code[13]}999999"))


@lower("PLT-03")
async def alarm(bench: Lower) -> Text:
    """By MESSAGE."""
    since, sn = len(bench.arrived), bench.next_sn()
    told = Alarm(bench.camera, sn, 4, 5, now(), "符合性测试", type=2)
    _is(await bench.tell(told).answer(bench.patience.answer), 200)
    found = await bench.next(lambda a: a.is_("Response", "Alarm"), bench.patience.answer, since)
    if found is None or found.envelope is None:
        raise fail("没有 Response Alarm", "no Response Alarm came")
    if found.envelope.sn != sn:
        raise fail(f"SN 为 {found.envelope.sn}，应为 {sn}", f"SN is {found.envelope.sn} and not {sn}")
    return seen("已应答", "answered")


@lower("PLT-04")
async def repeated(bench: Lower) -> Text:
    """The same keepalive twice."""
    body = build("Notify", "Keepalive", bench.next_sn(), bench.code, [leaf("Status", "OK")], edition=bench.edition)
    asked = bench.wire.ask(bench.message(body), bench.path)
    first = await asked.answer(bench.patience.answer)
    _is(first, 200)
    since = len(bench.wire.log)
    bench.wire.raw(asked.request.to_bytes(), bench.path)
    await asyncio.sleep(bench.patience.silence)
    call_id = asked.request.call_id.encode()
    again = [
        m for m in bench.wire.log[since:] if not m.sent and call_id in m.data and m.data.startswith(b"SIP/2.0 200")
    ]
    if not again:
        raise fail("重发没有应答 200", "the repetition was not answered 200")
    return seen("应答相同", "answered the same")


@lower("PLT-05")
async def options(bench: Lower) -> Text:
    """OPTIONS."""
    request = bench.message(b"")
    request.method = "OPTIONS"
    request.headers.remove("Content-Type")
    request.headers.set("CSeq", "21 OPTIONS")
    return _is(await bench.ask(request), 200)


@lower("PLT-06")
async def stray_bye(bench: Lower) -> Text:
    """BYE of a call that never was."""
    request = bench.message(b"")
    request.method = "BYE"
    request.headers.remove("Content-Type")
    request.headers.set("CSeq", "22 BYE")
    request.headers.set("To", f"<{bench.server}>;tag=nobody")
    return _is(await bench.ask(request), 481, 200)


@lower("PLT-07")
async def unknown_method(bench: Lower) -> Text:
    """A method that nobody has."""
    request = bench.message(b"")
    request.method = "GONGSHI"
    request.headers.remove("Content-Type")
    request.headers.set("CSeq", "23 GONGSHI")
    return _is(await bench.ask(request), 405, 501)


@lower("PLT-08")
async def unknown_notice(bench: Lower) -> Text:
    """A CmdType that nobody has (Q-51)."""
    body = build("Notify", "SensorCatalog", bench.next_sn(), bench.code, edition=bench.edition)
    return _is(await bench.ask(bench.message(body)), 200)


@lower("PLT-09")
async def unreadable(bench: Lower) -> Text:
    """A body that is no XML."""
    return _is(await bench.ask(bench.message(b"<Notify><CmdType>")), 400)


# --- what the platform asks --------------------------------------------------------------------------------------------


def _query(arrived: Arrived) -> bool:
    return arrived.envelope is not None and arrived.envelope.root == "Query"


@lower("ASK-01")
async def catalogue(bench: Lower) -> Text:
    """Of its own accord, or when a person asks for it."""
    found = await bench.next(lambda a: a.is_("Query", "Catalog"), bench.patience.notify)
    if found is None:
        text = Text("请在平台上查询本设备的目录", "please ask for this device's catalogue at the platform")
        if not await bench.options.prompt("catalogue", text):
            raise absent("平台没有查询目录", "the platform did not ask for the catalogue")
        found = await bench.next(lambda a: a.is_("Query", "Catalog"), bench.patience.operator)
    if found is None or found.envelope is None:
        raise fail("没有目录查询", "no query for the catalogue came")
    if found.envelope.device_id != bench.code:
        raise fail(f"DeviceID 为 {found.envelope.device_id}", f"DeviceID is {found.envelope.device_id}")
    return seen(f"SN {found.envelope.sn}", f"SN {found.envelope.sn}")


@lower("ASK-02")
async def form(bench: Lower) -> Text:
    """Every query so far."""
    queries = [a for a in bench.arrived if _query(a)]
    for arrived in queries:
        envelope = arrived.envelope
        if envelope is None or not envelope.sn or not envelope.device_id:
            raise fail("查询缺少 SN 或 DeviceID", "a query lacks SN or DeviceID")
        if arrived.request.to.tag:
            raise fail("MESSAGE 的 To 带标签", "To of a MESSAGE has a tag")
    return seen(f"{len(queries)} 条查询", f"{len(queries)} queries")


@lower("ASK-03")
async def by_edition(bench: Lower) -> Text:
    """What a 2016 device cannot know must not come; charsets."""
    for arrived in bench.arrived:
        envelope = arrived.envelope
        if envelope is None:
            continue
        if bench.options.edition == Edition.E2016 and envelope.cmd_type.lower() in _MODERN:
            raise fail(f"向 2016 版设备发送 {envelope.cmd_type}", f"{envelope.cmd_type} was sent to a 2016 device")
        if "mislabelled-charset" in envelope.defects or "undecodable-bytes" in envelope.defects:
            raise fail("正文与声明的字符集不符", "a body is not in the charset it declares")
    return seen("均相符", "all right")


def _invite(arrived: Arrived) -> bool:
    return arrived.request.method == "INVITE"


@lower("ASK-04")
async def invite(bench: Lower) -> Text:
    """A call that a person opens."""
    since = len(bench.arrived)
    text = Text(f"请在平台上点播 {bench.camera}", f"please open {bench.camera} at the platform")
    if not await bench.options.prompt("invite", text):
        raise absent("无人点播", "nobody opened it")
    found = await bench.next(_invite, bench.patience.operator, since)
    if found is None:
        raise fail("没有 INVITE", "no INVITE came")
    subject = found.request.subject
    if not subject.sender or not subject.receiver:
        raise fail("Subject 缺失或不完整", "Subject is missing or incomplete")
    offer = SessionDescription.parse(found.request.body)
    media = offer.section("video")
    if offer.name.strip() != "Play" or media is None or media.direction != "recvonly":
        raise fail("SDP 不是 s=Play 的接收请求", "the SDP does not ask to receive with s=Play")
    if offer.ssrc is None:
        raise fail("SDP 没有 y", "the SDP has no y")
    return seen(f"Subject {subject}，y={offer.ssrc}", f"Subject {subject}, y={offer.ssrc}")


@lower("ASK-05")
async def acknowledged(bench: Lower) -> Text:
    """ACK."""
    found = next(a for a in reversed(bench.arrived) if _invite(a))
    if not await bench.acknowledged(found.event.token, bench.patience.answer):
        raise fail("没有 ACK", "no ACK came")
    ack = next(a for a in bench.acks if a.token == found.event.token)
    if ack.request.body:
        raise fail("ACK 带有正文", "the ACK has a body")
    return seen("已收到 ACK", "the ACK came")


@lower("ASK-06")
async def ssrc(bench: Lower) -> Text:
    """Ten digits by the rule."""
    found = next(a for a in reversed(bench.arrived) if _invite(a))
    stated = SessionDescription.parse(found.request.body).ssrc
    text = str(stated)
    if stated is None or stated.history:
        raise fail(f"y={text}", f"y={text}")
    if text[1:6] != bench.options.peer[3:8]:
        raise fail(f"{_OURS[0]}为 {text[1:6]}", f"{_OURS[1]} are {text[1:6]}")
    return seen(f"y={text}", f"y={text}")


@lower("ASK-07")
async def hang_up(bench: Lower) -> Text:
    """BYE from us, unless the platform was first."""
    found = next(a for a in reversed(bench.arrived) if _invite(a))
    _, dialog = bench.calls[found.event.token]
    if any(a.request.method == "BYE" and dialog.matches(a.request) for a in bench.arrived):
        return seen("平台已先挂断", "the platform had hung up already")
    return _is(await bench.wire.ask(dialog.request("BYE"), bench.path).answer(bench.patience.answer), 200)
