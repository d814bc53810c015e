"""Runs the cases one after the other, and says what they come to."""

import asyncio
from collections.abc import Sequence
from time import monotonic

import structlog

from gongshi.conform.cases import LOWER, UPPER
from gongshi.conform.checks import LOWER_CHECKS, UPPER_CHECKS
from gongshi.conform.checks.registry import Check
from gongshi.conform.lower import Lower
from gongshi.conform.model import (
    Case,
    Conformity,
    Exchanged,
    Failed,
    NotApplicable,
    Options,
    Report,
    Result,
    Verdict,
)
from gongshi.conform.upper import Upper
from gongshi.kit.clock import now
from gongshi.kit.i18n import Text
from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import ProtocolError

log = structlog.get_logger(__name__)

_LONGEST = 900.0
"""Seconds after which a case is given up, whatever it waits for."""
_KEPT_OF_CASE = 200
_EDITIONS = (Edition.E2016, Edition.E2022)

Bench = Upper | Lower


async def run(options: Options) -> Report:
    """Test what `options` names. Raises `OSError` when our address is taken or theirs cannot be reached.

    `options.progress` is told of every result as it comes. The run never raises for what the other side does.
    """
    started = now()
    bench: Bench = Upper(options) if options.side == "upper" else Lower(options)
    cases = UPPER if options.side == "upper" else LOWER
    await bench.open()
    results: list[Result] = []
    try:
        for case in cases:
            result = await _try(bench, case, results)
            results.append(result)
            options.progress(result, len(results), len(cases))
    finally:
        await bench.close()
    return Report(
        options.side,
        options.code,
        options.peer,
        bench.edition,
        bench.announced,
        started,
        monotonic() - bench.started,
        bench.user_agent,
        tuple(results),
        {edition: conformity(edition, results, bench.announced) for edition in _EDITIONS},
        options.only,
    )


async def _try(bench: Bench, case: Case, before: Sequence[Result]) -> Result:
    reason = _why_not(bench, case, before)
    if reason is not None:
        return reason
    at, since = monotonic(), len(bench.wire.log)
    try:
        async with asyncio.timeout(_LONGEST):
            seen, verdict = await _check(bench, case.id), Verdict.PASS
    except Failed as failed:
        seen, verdict = failed.seen, Verdict.FAIL
    except NotApplicable as error:
        seen, verdict = error.why, Verdict.NOT_APPLICABLE
    except TimeoutError:
        seen, verdict = Text("等待超时", "it took too long"), Verdict.FAIL
    except (ProtocolError, OSError) as error:
        # Something that cannot be read where a case had to read it, or a connection that was refused.
        log.info("conform.case.broken", case=case.id, error=str(error))
        seen, verdict = Text(f"无法解析或连接中断：{error}", f"unreadable, or cut off: {error}"), Verdict.FAIL
    exchanged: list[Exchanged] = bench.wire.log[since:][:_KEPT_OF_CASE]
    if not exchanged and verdict is Verdict.FAIL:
        exchanged = _evidence(bench, case, before)
    return Result(case, verdict, seen, monotonic() - at, tuple(exchanged))


async def _check(bench: Bench, case_id: str) -> Text:
    if isinstance(bench, Upper):
        check: Check = UPPER_CHECKS[case_id]
        return await check(bench)
    return await LOWER_CHECKS[case_id](bench)


def _evidence(bench: Bench, case: Case, before: Sequence[Result]) -> list[Exchanged]:
    """A case that only looked at what others had exchanged shows what they did."""
    needed = [r for r in before if r.case.id in case.needs and r.exchanged]
    return list(needed[-1].exchanged) if needed else bench.wire.log[:_KEPT_OF_CASE]


def _why_not(bench: Bench, case: Case, before: Sequence[Result]) -> Result | None:
    verdicts = {result.case.id: result.verdict for result in before}
    options = bench.options
    if not case.in_edition(bench.edition):
        text = Text("此版本标准没有此项", "this edition does not have it")
        return Result(case, Verdict.NOT_APPLICABLE, text)
    if case.needs_leave and case.needs_leave not in options.allow:
        text = Text(
            f"会中断设备，须用 --allow {case.needs_leave} 允许",
            f"interrupts the device; allow with --allow {case.needs_leave}",
        )
        return Result(case, Verdict.NOT_RUN, text)
    if options.only and case.id not in options.only and case.id not in _needed(options.only, options.side):
        return Result(case, Verdict.NOT_RUN, Text("未选择", "not chosen"))
    unmet = [need for need in case.needs if verdicts.get(need) is not Verdict.PASS]
    if unmet:
        # What a device does not have, it cannot do wrong.
        absent = all(verdicts.get(need) is Verdict.NOT_APPLICABLE for need in unmet)
        verdict = Verdict.NOT_APPLICABLE if absent else Verdict.NOT_RUN
        return Result(case, verdict, Text(f"前提 {unmet[0]} 未通过", f"{unmet[0]}, which it needs, did not pass"))
    return None


def _needed(chosen: frozenset[str], side: str) -> frozenset[str]:
    """Cases that the chosen ones need, and theirs."""
    table = {case.id: case for case in (UPPER if side == "upper" else LOWER)}
    found: set[str] = set()
    queue = list(chosen)
    while queue:
        case = table.get(queue.pop())
        queue += [need for need in (case.needs if case else ()) if need not in found]
        found |= set(case.needs) if case else set()
    return frozenset(found)


def conformity(edition: Edition, results: Sequence[Result], announced: str | None) -> Conformity:
    """The answer for one edition: no for any failed `must`; yes when every `must` that applies passed.

    2022 asks for X-GB-Ver (annex I), so a side that announces nothing does not conform to it.
    """
    asked = [r for r in results if r.case.in_edition(edition) and r.case.level == "must"]
    if edition == Edition.E2022 and results and not announced and any(r.verdict is Verdict.PASS for r in results):
        return Conformity.NO
    if any(r.verdict is Verdict.FAIL for r in asked):
        return Conformity.NO
    left = [r for r in asked if r.verdict is Verdict.NOT_RUN and not r.case.needs_leave]
    if left or not any(r.verdict is Verdict.PASS for r in asked):
        return Conformity.UNKNOWN
    return Conformity.YES
