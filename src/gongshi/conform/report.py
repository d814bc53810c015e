"""A report as JSON for machines, as a table for terminals, and as one HTML page for a file."""

import json
from html import escape
from typing import Any
from unicodedata import east_asian_width

from gongshi.conform.cases import GROUPS, group_of
from gongshi.conform.model import Conformity, Exchanged, Report, Result, Verdict
from gongshi.kit.clock import local
from gongshi.kit.i18n import Lang, Text
from gongshi.protocols.codes import Edition

FORMAT = "gongshi.conform/1"
VERDICTS: dict[Verdict, Text] = {
    Verdict.PASS: Text("通过", "pass"),
    Verdict.FAIL: Text("不通过", "FAIL"),
    Verdict.NOT_APPLICABLE: Text("不适用", "n/a"),
    Verdict.NOT_RUN: Text("未执行", "not run"),
}
ANSWERS: dict[Conformity, Text] = {
    Conformity.YES: Text("符合", "conforms"),
    Conformity.NO: Text("不符合", "does not conform"),
    Conformity.UNKNOWN: Text("无法判定", "cannot be said"),
}
_EDITIONS = (Edition.E2016, Edition.E2022)


def readable(data: bytes) -> str:
    """A message for people: UTF-8 when it is, else GB 18030."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("gb18030", "replace")


def as_dict(report: Report) -> dict[str, Any]:
    """The report as plain values; `SCHEMA` describes them."""
    return {
        "format": FORMAT,
        "side": report.side,
        "code": report.code,
        "peer": report.peer,
        "edition": str(report.edition),
        "announced": report.announced,
        "user_agent": report.user_agent,
        "started": report.started.isoformat(),
        "seconds": round(report.seconds, 3),
        "conformity": {str(edition): str(report.conformity[edition]) for edition in _EDITIONS},
        "counts": {str(verdict): report.count(verdict) for verdict in Verdict},
        "results": [_result(result) for result in report.results],
    }


def as_json(report: Report) -> str:
    """The report as JSON."""
    return json.dumps(as_dict(report), ensure_ascii=False, indent=1)


def _text(text: Text) -> dict[str, str]:
    return {"zh": text.zh, "en": text.en}


def _result(result: Result) -> dict[str, Any]:
    case = result.case
    return {
        "id": case.id,
        "group": group_of(case.id),
        "level": case.level,
        "clauses": {"2016": case.clause_2016, "2022": case.clause_2022},
        "title": _text(case.title),
        "expected": _text(case.expected),
        "verdict": str(result.verdict),
        "seen": _text(result.seen),
        "seconds": round(result.seconds, 3),
        "exchanged": [_message(message) for message in result.exchanged],
    }


def _message(message: Exchanged) -> dict[str, Any]:
    return {
        "seconds": round(message.seconds, 3),
        "sent": message.sent,
        "transport": message.transport,
        "peer": message.peer,
        "text": readable(message.data),
    }


def _object(required: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": required, "additionalProperties": False}


_STRING, _NUMBER = {"type": "string"}, {"type": "number", "minimum": 0}
_WORDS = _object({"zh": _STRING, "en": _STRING})
_MAYBE = {"type": ["string", "null"]}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Report of gongshi conform",
    **_object(
        {
            "format": {"const": FORMAT},
            "side": {"enum": ["upper", "lower"]},
            "code": _STRING,
            "peer": _STRING,
            "edition": {"enum": [str(edition) for edition in Edition]},
            "announced": _MAYBE,
            "user_agent": _STRING,
            "started": {"type": "string", "format": "date-time"},
            "seconds": _NUMBER,
            "conformity": _object({str(e): {"enum": [str(c) for c in Conformity]} for e in _EDITIONS}),
            "counts": _object({str(v): {"type": "integer", "minimum": 0} for v in Verdict}),
            "results": {
                "type": "array",
                "items": _object(
                    {
                        "id": _STRING,
                        "group": _STRING,
                        "level": {"enum": ["must", "should"]},
                        "clauses": _object({"2016": _MAYBE, "2022": _MAYBE}),
                        "title": _WORDS,
                        "expected": _WORDS,
                        "verdict": {"enum": [str(verdict) for verdict in Verdict]},
                        "seen": _WORDS,
                        "seconds": _NUMBER,
                        "exchanged": {
                            "type": "array",
                            "items": _object(
                                {
                                    "seconds": _NUMBER,
                                    "sent": {"type": "boolean"},
                                    "transport": {"enum": ["UDP", "TCP"]},
                                    "peer": _STRING,
                                    "text": _STRING,
                                }
                            ),
                        },
                    }
                ),
            },
        }
    ),
}
"""JSON Schema of `as_dict`."""


# --- terminal ----------------------------------------------------------------------------------------------------------


def _width(text: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def _cell(text: str, width: int) -> str:
    return text + " " * max(0, width - _width(text))


def line(result: Result, lang: Lang) -> str:
    """One case in one line."""
    verdict = _cell(VERDICTS[result.verdict].pick(lang), 8)
    return f"{_cell(result.case.id, 8)}{verdict}{_cell(result.case.title.pick(lang), 28)} {result.seen.pick(lang)}"


def summary(report: Report, lang: Lang) -> str:
    """What it comes to, in a few lines: the answers, the counts, and every failure with what was expected."""
    zh = lang == "zh"
    answers = [
        f"GB/T 28181-{edition}：{ANSWERS[report.conformity[edition]].pick(lang)}"
        if zh
        else f"GB/T 28181-{edition}: {ANSWERS[report.conformity[edition]].pick(lang)}"
        for edition in _EDITIONS
    ]
    counts = "  ".join(f"{VERDICTS[verdict].pick(lang)} {report.count(verdict)}" for verdict in Verdict)
    lines = [*answers, counts]
    for result in report.failures:
        clause = result.case.clause_2022 if report.edition == Edition.E2022 else result.case.clause_2016
        expected, seen = result.case.expected.pick(lang), result.seen.pick(lang)
        advised = "" if result.case.level == "must" else ("（建议）" if zh else " (advised)")
        words = f"应：{expected}；实：{seen}" if zh else f"expected: {expected}; seen: {seen}"
        lines.append(f"  {result.case.id} [{clause}]{advised} {result.case.title.pick(lang)}  {words}")
    return "\n".join(lines)


# --- HTML --------------------------------------------------------------------------------------------------------------

_STYLE = """
body{font:15px/1.6 system-ui,"Noto Sans CJK SC",sans-serif;margin:2rem auto;max-width:1080px;padding:0 1rem;color:#1b1f24}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}small{color:#57606a}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #d0d7de;padding:.35rem .5rem;text-align:left;
vertical-align:top}.pass{color:#1a7f37}.fail{color:#cf222e;font-weight:600}.not_applicable,.not_run{color:#57606a}
pre{background:#f6f8fa;padding:.6rem;overflow:auto;font-size:12px;margin:.3rem 0;white-space:pre-wrap}
.answer{font-size:1.2rem;margin:.2rem 0}.sent{border-left:3px solid #0969da}.received{border-left:3px solid #bf8700}
@media print{details{display:none}}
"""


def _both(text: Text) -> str:
    return f"{escape(text.zh)}<br><small>{escape(text.en)}</small>"


def as_html(report: Report) -> str:
    """One page that needs nothing else: the answers, then every case with its messages."""
    answers = "".join(
        f'<p class="answer">GB/T 28181-{edition}：<b>{escape(ANSWERS[report.conformity[edition]].zh)}</b> '
        f"<small>{escape(ANSWERS[report.conformity[edition]].en)}</small></p>"
        for edition in _EDITIONS
    )
    side = Text("作为上级", "as upper") if report.side == "upper" else Text("作为下级", "as lower")
    facts = [
        (Text("被测编码", "Tested"), report.peer),
        (Text("测试方", "Tester"), f"{report.code}（{side.zh} {side.en}）"),
        (Text("按版本", "Edition"), str(report.edition)),
        (Text("版本标识", "X-GB-Ver"), report.announced or "-"),
        (Text("软件标识", "User-Agent"), report.user_agent or "-"),
        (Text("时间", "Time"), f"{local(report.started):%Y-%m-%d %H:%M:%S}，{report.seconds:.0f} s"),
    ]
    rows = "".join(f"<tr><th>{_both(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts)
    counts = " · ".join(f"{VERDICTS[v].zh} {VERDICTS[v].en} {report.count(v)}" for v in Verdict)
    groups = list(dict.fromkeys(group_of(result.case.id) for result in report.results))
    sections = "".join(_section(name, report) for name in groups)
    title = f"GB/T 28181 符合性测试报告 {report.peer}"
    return (
        f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>GB/T 28181 符合性测试报告<br><small>Conformance report</small></h1>"
        f"{answers}<p>{escape(counts)}</p><table>{rows}</table>{sections}</html>\n"
    )


def _section(group: str, report: Report) -> str:
    rows = "".join(_row(result) for result in report.results if group_of(result.case.id) == group)
    return f"<h2>{escape(GROUPS[group].zh)} <small>{escape(GROUPS[group].en)}</small></h2><table>{rows}</table>"


def _row(result: Result) -> str:
    case, word = result.case, VERDICTS[result.verdict]
    clauses = f"2016: {case.clause_2016 or '-'}<br>2022: {case.clause_2022 or '-'}"
    advised = "" if case.level == "must" else "<br><small>建议 advised</small>"
    messages = "".join(_exchange(message) for message in result.exchanged)
    shown = (
        f"<details><summary>{len(result.exchanged)} 条消息 messages</summary>{messages}</details>" if messages else ""
    )
    return (
        f"<tr><td>{case.id}{advised}</td><td><small>{clauses}</small></td><td>{_both(case.title)}</td>"
        f'<td class="{result.verdict}">{escape(word.zh)}<br><small>{escape(word.en)}</small></td>'
        f"<td><small>应 expected</small> {_both(case.expected)}<br><small>实 seen</small> {_both(result.seen)}{shown}</td></tr>"
    )


def _exchange(message: Exchanged) -> str:
    kind, arrow = ("sent", "→") if message.sent else ("received", "←")
    head = f"{message.seconds:.3f} s {arrow} {message.transport} {message.peer}"
    return f'<pre class="{kind}"><b>{escape(head)}</b>\n{escape(readable(message.data))}</pre>'
