"""Answers to MESSAGE, and how requests are told apart (4.3, annex A; §3.2, §6)."""

import asyncio

from gongshi.conform.checks.registry import absent, fail, seen, upper
from gongshi.conform.upper import Arrived, Upper
from gongshi.kit.i18n import Text
from gongshi.protocols.manscdp import CatalogQuery, DeviceInfoQuery
from gongshi.protocols.sip import MANSCDP

_OK, _BAD = 200, 400
_UNKNOWN = {404, 403, 480, 488}


@upper("MSG-01")
async def answered(bench: Upper) -> Text:
    """200 to a query."""
    answer = await bench.send(DeviceInfoQuery(bench.options.peer, bench.next_sn())).answer(bench.patience.answer)
    if answer is None:
        raise fail("没有应答", "no answer")
    if answer.status != _OK:
        raise fail(f"应答 {answer.status}", f"answered {answer.status}")
    if answer.body:
        return seen("应答 200（带正文）", "answered 200, with a body")
    return seen("应答 200", "answered 200")


@upper("MSG-02")
async def unreadable(bench: Upper) -> Text:
    """A body that is no XML."""
    request = bench.request("MESSAGE", bench.options.peer, body=b"<Query><CmdType>", content_type=MANSCDP)
    answer = await bench.wire.ask(request, bench.path).answer(bench.patience.answer)
    if answer is None or answer.status != _BAD:
        raise fail(*_status(answer.status if answer else None))
    return seen("应答 400", "answered 400")


@upper("MSG-03")
async def stranger(bench: Upper) -> Text:
    """A query about a device that nobody has."""
    code = f"{bench.options.peer[:10]}132{bench.options.peer[13]}999999"
    since, sn = len(bench.arrived), bench.next_sn()
    answer = await bench.send(DeviceInfoQuery(code, sn), code).answer(bench.patience.answer)
    if answer is not None and answer.status >= _BAD:
        return seen(f"应答 {answer.status}", f"answered {answer.status}")
    found = await bench.next(lambda a: bench.answers(a, "DeviceInfo", sn, code), bench.patience.silence, since)
    if found is None or found.envelope is None:
        return seen("没有应答消息", "no answering message")
    if found.envelope.result_ok:
        raise fail("对不存在的设备应答了信息", "it gave information about a device that is not there")
    return seen("应答 ERROR", "answered ERROR")


@upper("MSG-04")
async def same_sn(bench: Upper) -> Text:
    """SN of everything that was answered so far."""
    wrong: list[str] = []
    count = 0
    for arrived in bench.arrived:
        envelope = arrived.envelope
        if envelope is None or envelope.root != "Response":
            continue
        count += 1
        if envelope.sn not in bench.facts.asked.get(envelope.cmd_type.lower(), {envelope.sn}):
            wrong.append(f"{envelope.cmd_type} SN {envelope.sn}")
    if wrong:
        raise fail(f"{len(wrong)} 条应答的 SN 不符：{wrong[0]}", f"{len(wrong)} answers with another SN: {wrong[0]}")
    if not count:
        raise absent("没有应答可看", "there was no answer to look at")
    return seen(f"{count} 条应答的 SN 均相符", f"{count} answers, all with the SN asked")


@upper("TRN-01")
async def repeated(bench: Upper) -> Text:
    """The same request twice."""
    code, sn = bench.options.peer, bench.next_sn()
    since = len(bench.arrived)
    asked = bench.send(DeviceInfoQuery(code, sn))
    if await asked.answer(bench.patience.answer) is None:
        raise fail("没有应答", "no answer")
    if await bench.next(lambda a: bench.answers(a, "DeviceInfo", sn, code), bench.patience.answer, since) is None:
        raise fail("没有应答消息", "no answering message")
    bench.wire.raw(asked.request.to_bytes(), bench.path)
    await asyncio.sleep(bench.patience.silence)
    answers = [a for a in bench.arrived[since:] if bench.answers(a, "DeviceInfo", sn, code)]
    if len(answers) != 1:
        raise fail(f"同一请求应答了 {len(answers)} 次", f"the same request was worked on {len(answers)} times")
    return seen("只处理一次", "worked on once")


@upper("TRN-02")
async def options(bench: Upper) -> Text:
    """OPTIONS."""
    answer = await bench.wire.ask(bench.request("OPTIONS", bench.options.peer), bench.path).answer(
        bench.patience.answer
    )
    if answer is None or answer.status != _OK:
        raise fail(*_status(answer.status if answer else None))
    allow = answer.headers.get("Allow") or "-"
    return seen(f"应答 200，Allow: {allow}", f"answered 200, Allow: {allow}")


@upper("TRN-03")
async def stray_bye(bench: Upper) -> Text:
    """BYE of a call that never was."""
    answer = await bench.stray("BYE", bench.options.peer).answer(bench.patience.answer)
    if answer is None or answer.status != 481:
        raise fail(*_status(answer.status if answer else None))
    return seen("应答 481", "answered 481")


@upper("TRN-04")
async def unknown_method(bench: Upper) -> Text:
    """A method that nobody has."""
    answer = await bench.wire.ask(bench.request("GONGSHI", bench.options.peer), bench.path).answer(
        bench.patience.answer
    )
    if answer is None or answer.status not in {405, 501}:
        raise fail(*_status(answer.status if answer else None))
    return seen(f"应答 {answer.status}", f"answered {answer.status}")


@upper("CHR-01")
async def charset(bench: Upper) -> Text:
    """Bodies in the charset that they declare."""
    wrong = [a for a in bench.arrived if _mislabelled(a)]
    if wrong:
        command = wrong[0].envelope.cmd_type if wrong[0].envelope else ""
        raise fail(
            f"{len(wrong)} 条消息的正文与声明的字符集不符（{command}）",
            f"{len(wrong)} messages are not in the charset they declare ({command})",
        )
    if not any(a.envelope is not None and any(byte > 127 for byte in a.request.body) for a in bench.arrived):
        await bench.query(CatalogQuery(bench.options.peer, sn := bench.next_sn()), "Catalog", sn, bench.options.peer)
    return seen("均可按声明的字符集解码", "all can be read in the charset they declare")


def _mislabelled(arrived: Arrived) -> bool:
    defects = arrived.envelope.defects if arrived.envelope else ()
    return "mislabelled-charset" in defects or "undecodable-bytes" in defects


def _status(status: int | None) -> tuple[str, str]:
    return ("没有应答", "no answer") if status is None else (f"应答 {status}", f"answered {status}")
