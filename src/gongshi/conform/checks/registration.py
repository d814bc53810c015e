"""Registration and keepalive of a device (9.1, 9.6; §4, §5)."""

import asyncio

from gongshi.conform.checks.registry import absent, fail, seen, upper
from gongshi.conform.upper import Arrived, Upper
from gongshi.kit.i18n import Text

LEAST_EXPIRES = 3600
_MISSES = 3
_TCP_HINT = ("请核对服务器地址、端口与编码", "check server address, port and code")


@upper("REG-01")
async def form(bench: Upper) -> Text:
    """The first REGISTER."""
    found = await bench.next(lambda a: a.request.method == "REGISTER", bench.patience.register, 0)
    if found is None:
        raise fail(f"未收到 {bench.options.peer} 的注册请求；{_TCP_HINT[0]}", f"no REGISTER came; {_TCP_HINT[1]}")
    request = found.request
    if request.to.user != request.from_.user:
        raise fail(
            f"To 为 {request.to.user}，From 为 {request.from_.user}",
            f"To is {request.to.user} and From {request.from_.user}",
        )
    if request.contact is None or request.cseq.method != "REGISTER":
        raise fail("缺少 Contact，或 CSeq 的方法不是 REGISTER", "no Contact, or CSeq names another method")
    return seen(f"From 与 To 均为 {request.from_.user}", f"From and To are {request.from_.user}")


@upper("REG-02")
async def challenged(bench: Upper) -> Text:
    """The answer to 401."""
    await bench.next(lambda a: a.request.headers.get("Authorization") is not None, bench.patience.register, 0)
    proof = next((proof for proof in bench.facts.proofs if proof is not None), None)
    if proof is None:
        raise fail("收到 401 后没有携带可读的 Authorization", "no readable Authorization after 401")
    form = "qop=auth" if proof.qop else "RFC 2069"
    return seen(f"算法 {proof.algorithm}，{form}", f"algorithm {proof.algorithm}, {form}")


@upper("REG-03")
async def numbered(bench: Upper) -> Text:
    """Call-ID and CSeq of the second REGISTER."""
    at = next(i for i, proof in enumerate(bench.facts.proofs) if proof is not None)
    first, second = bench.facts.registers[0], bench.facts.registers[at]
    if first.call_id != second.call_id:
        raise fail("Call-ID 改变", "Call-ID changed")
    numbers = first.cseq.number, second.cseq.number
    if numbers[1] <= numbers[0]:
        raise fail(f"CSeq 由 {numbers[0]} 变为 {numbers[1]}", f"CSeq went from {numbers[0]} to {numbers[1]}")
    return seen(f"CSeq {numbers[0]} → {numbers[1]}", f"CSeq {numbers[0]} → {numbers[1]}")


@upper("REG-04")
async def proven(bench: Upper) -> Text:
    """Username and digest."""
    proof = next(proof for proof in bench.facts.proofs if proof is not None)
    if proof.username != bench.options.peer:
        raise fail(f"用户名为 {proof.username}", f"the username is {proof.username}")
    try:
        async with asyncio.timeout(bench.patience.register):
            await bench.registered.wait()
    except TimeoutError:
        raise fail("摘要与约定口令不符", "the digest does not fit the agreed password") from None
    return seen("摘要验证通过", "the digest is right")


@upper("REG-05")
async def stale(bench: Upper) -> Text:
    """A nonce that was called stale."""
    if bench.facts.stale_answered is False:
        raise fail("未用新随机数应答，而是重新开始注册", "it did not answer with the new nonce but began again")
    return seen("用新随机数完成认证", "it authenticated with the new nonce")


@upper("REG-06")
async def versioned(bench: Upper) -> Text:
    """X-GB-Ver."""
    missing = [r for r in bench.facts.registers if not r.gb_version]
    if missing:
        raise fail(f"{len(missing)} 个注册请求没有 X-GB-Ver", f"{len(missing)} REGISTER without X-GB-Ver")
    return seen(f"X-GB-Ver: {bench.announced}", f"X-GB-Ver: {bench.announced}")


@upper("REG-07")
async def validity(bench: Upper) -> Text:
    """Seconds asked for."""
    expires = bench.facts.registers[0].expires
    if expires is None:
        return seen("未声明有效期，按默认值 86400", "not stated, so 86400")
    if expires < LEAST_EXPIRES:
        raise fail(f"有效期 {expires} 秒", f"{expires} seconds")
    return seen(f"有效期 {expires} 秒", f"{expires} seconds")


@upper("REG-08")
async def refreshed(bench: Upper) -> Text:
    """A REGISTER before the granted time is over."""
    if bench.facts.registers[-1].expires == 0:
        raise absent("设备已注销", "the device has left")
    granted = bench.grant
    since = len(bench.arrived)
    # The first registration may have been refreshed already while other things were looked at.
    before = sum(proof is not None for proof in bench.facts.proofs)
    found = await bench.next(lambda a: a.request.method == "REGISTER", granted + bench.patience.hold, since)
    bench.grant = 86_400
    if found is None and before < 4:
        raise fail(f"授予 {granted} 秒，届满仍未刷新", f"{granted} seconds were granted and passed without a refresh")
    # Let it finish, and get the long time.
    await bench.next(lambda a: a.request.headers.get("Authorization") is not None, bench.patience.answer, since)
    return seen(f"授予 {granted} 秒，届满前刷新", f"{granted} seconds were granted, and refreshed before")


# --- keepalive ---------------------------------------------------------------------------------------------------------


def _keepalive(arrived: Arrived) -> bool:
    return arrived.is_("Notify", "Keepalive")


async def _heard(bench: Upper) -> Arrived:
    """The last keepalive that came, or the next."""
    for arrived in reversed(bench.arrived):
        if _keepalive(arrived):
            return arrived
    found = await bench.next(_keepalive, bench.patience.keepalive)
    if found is None:
        raise fail(
            f"{bench.patience.keepalive:g} 秒内没有心跳", f"no keepalive within {bench.patience.keepalive:g} seconds"
        )
    return found


@upper("KEEP-01")
async def alive(bench: Upper) -> Text:
    """A keepalive comes."""
    found = await _heard(bench)
    if found.envelope is None or not found.envelope.sn:
        raise fail("心跳缺少 SN", "the keepalive has no SN")
    return seen(f"SN {found.envelope.sn}", f"SN {found.envelope.sn}")


@upper("KEEP-02")
async def alive_as(bench: Upper) -> Text:
    """Who is alive."""
    envelope = (await _heard(bench)).envelope
    code = envelope.device_id if envelope else ""
    if code != bench.options.peer:
        raise fail(f"DeviceID 为 {code}", f"DeviceID is {code}")
    return seen(f"DeviceID {code}", f"DeviceID {code}")


@upper("KEEP-03")
async def alive_how(bench: Upper) -> Text:
    """How it is."""
    envelope = (await _heard(bench)).envelope
    status = envelope.element.get("Status") if envelope else None
    if status not in {"OK", "ERROR"}:
        raise fail(f"Status 为 {status or '空'}", f"Status is {status or 'missing'}")
    return seen(f"Status {status}", f"Status {status}")


async def _comes_back(bench: Upper, status: int | None, seconds: float) -> bool:
    since = len(bench.arrived)
    bench.keepalive_status = status
    try:
        found = await bench.next(lambda a: a.request.method == "REGISTER", seconds, since)
    finally:
        bench.keepalive_status = 200
    if found is not None:
        await bench.next(lambda a: a.request.headers.get("Authorization") is not None, bench.patience.answer, since)
    return found is not None


@upper("KEEP-04")
async def refused(bench: Upper) -> Text:
    """403 to a keepalive."""
    if not await _comes_back(bench, 403, bench.patience.keepalive * 2):
        raise fail("心跳被 403 拒绝后没有重新注册", "after 403 to its keepalive it did not register again")
    return seen("重新注册", "it registered again")


@upper("KEEP-05")
async def unheard(bench: Upper) -> Text:
    """Silence to keepalives."""
    if not await _comes_back(bench, None, bench.patience.keepalive * (_MISSES + 2)):
        raise fail(
            "心跳多次无应答后没有重新注册", "after several keepalives without an answer it did not register again"
        )
    return seen("重新注册", "it registered again")
