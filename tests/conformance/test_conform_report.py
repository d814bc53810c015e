"""What a run comes to on paper, and the command that makes it."""

import asyncio
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import jsonschema_rs
import pytest

from conformance.support import DEVICE, OURS, PASSWORD, conform, device, free_port, running
from gongshi.conform import LOWER, UPPER, Conformity, Exchanged, Report, Result, Verdict
from gongshi.conform.cases import GROUPS, group_of
from gongshi.conform.checks import LOWER_CHECKS, UPPER_CHECKS
from gongshi.conform.report import SCHEMA, as_dict, as_html, as_json, line, summary
from gongshi.conform.runner import conformity
from gongshi.kit.i18n import Text
from gongshi.protocols.codes import Edition
from gongshi.simulator import Faults, SimulatedPlatform

BOTH = (Edition.E2016, Edition.E2022)


def report(*results: Result, edition: Edition = Edition.E2016, announced: str | None = None) -> Report:
    answers = {e: conformity(e, results, announced) for e in BOTH}
    started = datetime(2026, 3, 1, tzinfo=UTC)
    return Report("upper", OURS, DEVICE, edition, announced, started, 12.5, "Dev/1", results, answers)


def passed(case, verdict: Verdict = Verdict.PASS) -> Result:
    return Result(case, verdict, Text("看到", "seen"), 0.1)


def case(case_id: str):
    return next(c for c in UPPER if c.id == case_id)


# --- the data ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cases", "checks"), [(UPPER, UPPER_CHECKS), (LOWER, LOWER_CHECKS)])
def test_every_case_has_a_check_and_needs_only_what_comes_before(cases, checks):
    assert [c.id for c in cases] == list(dict.fromkeys(c.id for c in cases))
    assert {c.id for c in cases} == set(checks)
    seen: set[str] = set()
    for entry in cases:
        assert set(entry.needs) <= seen, entry.id
        assert entry.clause_2016 or entry.clause_2022
        assert group_of(entry.id) in GROUPS
        assert all((entry.title.zh, entry.title.en, entry.expected.zh, entry.expected.en))
        seen.add(entry.id)


# --- the answer ----------------------------------------------------------------------------------------------------------


def test_one_failed_must_is_a_no_and_a_failed_advice_is_not():
    everything = [passed(c) for c in UPPER if c.in_edition(Edition.E2016)]
    assert conformity(Edition.E2016, everything, None) is Conformity.YES
    advised = [passed(c, Verdict.FAIL if c.level == "should" else Verdict.PASS) for c in UPPER]
    assert conformity(Edition.E2016, advised, "3.0") is Conformity.YES
    failed = [passed(c, Verdict.FAIL if c.id == "MED-02" else Verdict.PASS) for c in UPPER]
    assert conformity(Edition.E2016, failed, None) is Conformity.NO
    assert conformity(Edition.E2022, everything, None) is Conformity.NO, "2022 announces its version"


def test_what_could_not_be_tried_leaves_the_answer_open():
    some = [passed(c, Verdict.NOT_RUN if c.id == "MED-02" else Verdict.PASS) for c in UPPER]
    assert conformity(Edition.E2016, some, None) is Conformity.UNKNOWN
    assert conformity(Edition.E2016, [], None) is Conformity.UNKNOWN
    absent = [passed(c, Verdict.NOT_APPLICABLE if c.id.startswith("BC") else Verdict.PASS) for c in UPPER]
    assert conformity(Edition.E2016, absent, None) is Conformity.YES


# --- paper ---------------------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert tag not in {"script", "link", "img", "iframe"}
        assert not any(name in {"src", "href"} or name.startswith("on") for name, _ in attrs)

    def handle_data(self, data):
        self.words.append(data)


def test_a_page_shows_what_a_hostile_device_sent_and_runs_none_of_it():
    nasty = '<script>alert("1")</script>'
    message = Exchanged(1.5, False, "UDP", "10.0.0.1:5060", f"MESSAGE sip:x SIP/2.0\r\n\r\n{nasty}名".encode("gb18030"))
    result = Result(case("CAT-05"), Verdict.FAIL, Text(nasty, nasty), 0.5, (message,))
    made = replace(report(result), user_agent=nasty)
    reader = Reader()
    reader.feed(as_html(made))
    text = "".join(reader.words)
    assert text.count(nasty) >= 3
    assert "名" in text
    assert "不符合" in text


def test_json_follows_its_schema():
    message = Exchanged(1.5, True, "TCP", "10.0.0.1:5060", b"OPTIONS")
    made = report(Result(case("TRN-02"), Verdict.PASS, Text("应答 200", "answered 200"), 0.5, (message,)))
    jsonschema_rs.validate(SCHEMA, json.loads(as_json(made)))
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(SCHEMA, {**as_dict(made), "side": "middle"})


def test_lines_for_a_terminal():
    failed = passed(case("CAT-02"), Verdict.FAIL)
    assert line(failed, "zh").startswith("CAT-02  不通过  目录总数")
    assert "FAIL" in line(failed, "en")
    text = summary(report(failed, passed(case("MSG-02"), Verdict.FAIL)), "zh")
    assert "GB/T 28181-2016：不符合" in text
    assert "CAT-02 [9.5, N, O]" in text
    assert "（建议）" in text


# --- a run ---------------------------------------------------------------------------------------------------------------


async def test_a_part_of_the_cases_and_what_they_need(tmp_path):
    made = await conform(Faults(), tmp_path, only=frozenset({"CAT-02", "QRY-03"}))
    done = [r.case.id for r in made.results if r.verdict is Verdict.PASS]
    assert done == ["REG-01", "REG-02", "REG-04", "CAT-01", "CAT-02", "QRY-03"]
    assert made.exit_code == 0
    assert made.conformity[Edition.E2016] is Conformity.UNKNOWN
    jsonschema_rs.validate(SCHEMA, as_dict(made))
    text = as_json(made)
    assert PASSWORD not in text
    assert 'response=\\"***\\"' in text


async def test_a_device_that_never_comes_leaves_everything_open(tmp_path):
    made = await conform(Faults(), tmp_path, peer="34150300002000000009")
    assert [r.case.id for r in made.failures] == ["REG-01"]
    assert made.exit_code == 1
    assert made.count(Verdict.NOT_RUN) + made.count(Verdict.NOT_APPLICABLE) == len(UPPER) - 1


async def command(*arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gongshi", "conform", *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, " ".join(output.decode().replace("│", " ").split())


async def test_the_command_tests_a_device_and_writes_its_reports(tmp_path):
    port = free_port()
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n", "utf-8")
    platform = SimulatedPlatform(device(port, free_port(), Edition.E2022, Faults(catalog_wrong_sum=1), tmp_path))
    async with running(platform):
        code, text = await command(
            "--as", "upper", "--listen", f"127.0.0.1:{port}", "--code", OURS, "--peer-code", DEVICE,
            "--password-file", str(secret), "--only", "CAT-02,QRY-01",
            "--report", str(tmp_path / "r.html"), "--json", str(tmp_path / "r.json"),
        )  # fmt: skip
    assert code == 1, text
    assert "CAT-02 不通过" in text
    assert "QRY-01 通过" in text
    assert PASSWORD not in text
    made = json.loads((tmp_path / "r.json").read_text("utf-8"))
    jsonschema_rs.validate(SCHEMA, made)
    assert made["edition"] == "2022"
    assert (tmp_path / "r.html").read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--listen", "here"), "主机:端口"),
        (("--code", "1"), "20 位数字"),
        (("--only", "XYZ-99"), "没有用例 XYZ-99"),
        (("--allow", "everything"), "reboot"),
        (("--password", ""), "缺少密码"),
        (("--as", "lower"), "--target"),
    ],
)
async def test_wrong_options_are_said_in_one_message(arguments, expected):
    common = ("--as", "upper", "--code", OURS, "--peer-code", DEVICE, "--password", "x", "--listen", "127.0.0.1:5060")
    code, text = await command(*common, *arguments)
    assert code == 2
    assert expected in text
    assert "Traceback" not in text


async def test_an_address_that_is_taken_is_said():
    port = free_port()
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", port)
    code, text = await command(
        "--as", "upper", "--code", OURS, "--peer-code", DEVICE, "--password", "x", "--listen", f"127.0.0.1:{port}"
    )
    server.close()
    assert code == 2
    assert "address already in use" in text
