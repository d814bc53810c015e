"""Parts of a running node are killed without warning: what they carried ends with a reason or goes on, nothing is lost."""

import io
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openpyxl
import pytest

from support.demo import Demo, wait_for
from support.logs import log_lines, told
from support.processes import Process, family, role, worker
from support.viewer import Viewer
from support.watching import POLICE, TOURISM, all_well, cameras, ready, watch

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def police(demo: Demo) -> httpx.Client:
    all_well(demo)
    return demo.client("jingcha")


def kill(process: Process) -> float:
    """End it as the kernel does when memory is short; the moment."""
    os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: process.gone, what="the end of the process")
    return time.monotonic()


def started_again(demo: Demo, name: str, before: Process) -> None:
    wait_for(lambda: role(demo, name).pid != before.pid, within=30, what=f"{name} to be started again")
    all_well(demo, within=90)


def test_a_killed_media_worker_is_replaced_and_the_entitled_watch_on(demo: Demo, police: httpx.Client) -> None:
    watched = watch(police, cameras(demo, TOURISM)[0])
    moment = kill(worker(demo))
    watched.viewer.over(5)

    def outcome() -> httpx.Response | None:
        answer = police.post(f"/sessions/{watched.id}/urls")
        # While the worker starts there is nothing to play yet; a session that has ended says so.
        settled = answer.status_code == 200 or watched.state()["state"] != "open"
        return answer if settled else None

    fresh = wait_for(outcome, within=12, what="a new address or an end")
    if fresh.status_code == 200:
        again = Viewer(fresh.json()["urls"]["flv"]).playing(8)
        assert again.first is not None
        again.goes_on()
        assert watched.state()["state"] == "open"
        assert police.delete(f"/sessions/{watched.id}").status_code == 204
        again.over(5)
    else:
        assert watched.state()["end_code"] == "stream_lost"
        assert watched.state()["end_text"]
    assert time.monotonic() - moment < 30
    assert any("media worker 0 ended" in line for line in log_lines(demo))
    all_well(demo)
    watch(police, cameras(demo, TOURISM)[1]).close()


def test_a_killed_media_agent_ends_its_pictures_as_control_lost(demo: Demo, police: httpx.Client) -> None:
    watched = [watch(police, cameras(demo, TOURISM)[0]), watch(police, cameras(demo, POLICE)[0])]
    agent, old_worker = role(demo, "media"), worker(demo)
    moment = kill(agent)
    assert ready(demo)["parts"]["media"] == "does not answer"
    for each in watched:
        # The lease is fifteen seconds; a worker that has lost its agent need not wait for that.
        assert each.viewer.over(17) - moment < 17
    assert wait_for(lambda: old_worker.gone, within=5)
    started_again(demo, "media", agent)
    for each in watched:
        end = each.ended()
        assert end["end_code"] == "control_lost"
        assert "控制中断" in end["end_text"]
    watch(police, cameras(demo, TOURISM)[0]).close()
    watch(police, cameras(demo, POLICE)[0]).close()


def test_a_killed_signal_role_keeps_registrations_and_running_pictures(demo: Demo, police: httpx.Client) -> None:
    def peers() -> dict[str, dict[str, Any]]:
        return {p["code"]: p for p in police.get("/peers").json()["items"]}

    watched = watch(police, cameras(demo, TOURISM)[2])
    before, old = peers(), role(demo, "signal")
    kill(old)
    assert ready(demo)["parts"]["signal"] == "does not answer"
    watched.viewer.goes_on()
    started_again(demo, "signal", old)
    assert told(demo, "signal.started")[-1]["restored"] >= 1
    assert told(demo, "signal.started")[-1]["calls"] >= 1
    after = peers()
    # A datagram peer has not noticed; a connection died with its process, and its device comes back by itself.
    assert after[TOURISM]["state"] == "online"
    assert after[TOURISM]["registered_at"] == before[TOURISM]["registered_at"]
    wait_for(lambda: peers()[POLICE]["state"] == "online", within=30, what="the platform on TCP")
    watched.viewer.goes_on()
    watch(police, cameras(demo, POLICE)[1]).close()
    watched.close()


def test_a_killed_web_role_forgets_no_login_and_disturbs_no_picture(demo: Demo, police: httpx.Client) -> None:
    watched = watch(police, cameras(demo, TOURISM)[3])
    old = role(demo, "web")
    kill(old)
    watched.viewer.goes_on()
    started_again(demo, "web", old)
    assert police.get("/me").json()["username"] == "jingcha"
    watched.viewer.goes_on()
    assert watched.state()["state"] == "open"
    watched.close()


def big_form(demo: Demo, rows: int) -> bytes:
    """The corrected sample, with its last camera repeated under new serials and codes."""
    book = openpyxl.load_workbook(demo.sample("已更正"))
    sheet: Any = book["平台接入摄像机"]
    first = next(row for row in range(5, sheet.max_row + 1) if str(sheet.cell(row, 1).value) == "1")
    template = [cell.value for cell in sheet[first]]
    code = next(index for index, value in enumerate(template) if str(value).isdigit() and len(str(value)) == 20)
    for number in range(rows):
        row = list(template)
        row[0], row[code] = str(100 + number), f"{template[code][:14]}{500000 + number}"
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_a_killed_work_role_loses_no_job_and_no_entry(demo: Demo, police: httpx.Client) -> None:
    contact = demo.client("wenlv")

    def upload(content: bytes) -> int:
        answer = contact.post("/inventory/filings", files={"file": ("清单.xlsx", content)}, data={"dry_run": "true"})
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def state(number: int) -> str:
        return contact.get(f"/inventory/filings/{number}").json()["state"]

    # Killed in the middle of a job: another process takes it up once the dead one's heartbeat is missed.
    content = big_form(demo, 6000)
    first, jobs = role(demo, "work"), len(told(demo, "job.started"))

    def stop_in_the_middle() -> None:
        wait_for(lambda: len(told(demo, "job.started")) > jobs, within=30, what="the start of the job")
        os.kill(first.pid, signal.SIGSTOP)

    with ThreadPoolExecutor(1) as beside:
        # The job may be done before the upload is answered.
        stopping = beside.submit(stop_in_the_middle)
        running = upload(content)
        stopping.result()
    kill(first)
    assert state(running) == "checking"
    assert ready(demo)["parts"]["work"] == "does not answer"
    started_again(demo, "work", first)
    # Stopped before it: what is queued and what is written meanwhile waits, and is done by the next process.
    second = role(demo, "work")
    os.kill(second.pid, signal.SIGSTOP)
    queued = upload(demo.sample("含问题").read_bytes())
    kill(second)
    started_again(demo, "work", second)
    wait_for(lambda: state(queued) == "checked", within=40, what="the queued job")
    wait_for(lambda: state(running) == "checked", within=60, what="the orphaned job")
    assert contact.get(f"/inventory/filings/{running}").json()["counts"]["cameras"] >= 6000
    assert told(demo, "job.orphaned")
    auditor = demo.client("shenji")
    proof = wait_for(
        lambda: found if (found := auditor.post("/audit/verify").json())["ok"] else None, within=10, what="the proof"
    )
    assert proof["entries"] > 0


def test_every_part_is_there_once(demo: Demo, police: httpx.Client) -> None:
    """After all that, nothing runs twice and nothing of what was killed is left."""
    commands = [" ".join(process.command) for process in family(demo)]
    for name in ("web", "signal", "media", "work"):
        assert sum(f"--role {name} " in command for command in commands) == 1
    assert sum("media.embedded.worker" in command for command in commands) == 1
