"""The database stops answering, dies, or goes down with the whole node: nothing opens, nothing accepted is lost."""

import contextlib
import os
import signal
import time
from collections.abc import Generator
from typing import Any

import httpx
import psycopg
import pytest

from gongshi.db.embedded import EmbeddedPostgres
from support.demo import Demo, wait_for
from support.logs import told
from support.processes import database, family
from support.watching import POLICE, TOURISM, all_well, cameras, opening, ready, watch

pytestmark = pytest.mark.timeout(400)


def verified(demo: Demo) -> int:
    """The log's proof holds; how many entries it covers."""
    auditor = demo.client("shenji")
    proof = wait_for(
        lambda: found if (found := auditor.post("/audit/verify").json()).get("ok") else None,
        within=15,
        what="the proof",
    )
    return int(proof["entries"])


def opened_sessions(demo: Demo) -> set[str]:
    """Ids of the sessions that the log has as opened."""
    with psycopg.connect(EmbeddedPostgres(demo.data).owner_url) as connection:
        rows = connection.execute("SELECT session_id::text FROM audit.entry WHERE action = 'media.session.opened'")
        return {row[0] for row in rows}


@contextlib.contextmanager
def frozen_database(demo: Demo) -> Generator[None]:
    """All of the server's processes stand still: it is there and says nothing."""
    server = database(demo)
    os.kill(server.pid, signal.SIGSTOP)
    frozen = [process.pid for process in family(demo) if process.parent == server.pid]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in (*frozen, server.pid):
            os.kill(pid, signal.SIGCONT)


def test_a_database_that_stands_still_denies_openings_and_lets_leases_lapse(demo: Demo) -> None:
    police, camera = demo.client("jingcha"), cameras(demo, TOURISM)
    watched = watch(police, camera[0])
    with frozen_database(demo):
        moment = time.monotonic()
        for attempt in (
            lambda: opening(police, camera[1]),
            lambda: httpx.post(f"{demo.url}/api/v1/login", json={"username": "jingcha", "password": "x"}, timeout=30),
        ):
            refused = attempt()
            assert refused.status_code == 503, refused.text
            assert refused.headers["content-type"] == "application/problem+json"
            assert refused.json()["code"] in {"database_unavailable", "rights_unavailable"}
            assert refused.json()["detail"]
        assert watched.viewer.over(20) - moment < 17
        state = ready(demo)
        assert state["status"] == "degraded"
        assert state["parts"]["database"] == "does not answer"
        assert state["parts"]["rights"] == "behind the database"
    all_well(demo, within=60)
    end = watched.ended(within=15)
    assert end["end_code"] == "control_lost"
    assert "控制中断" in end["end_text"]
    # What was refused has not opened behind our back.
    mine = police.get("/sessions", params={"state": "open,opening"}).json()["items"]
    assert mine == []
    for peer in (TOURISM, POLICE):
        watch(police, cameras(demo, peer)[1]).close()
    assert verified(demo) > 0


def test_a_killed_database_is_started_again_and_has_kept_everything(demo: Demo) -> None:
    police = demo.client("jingcha")
    watched = watch(police, cameras(demo, TOURISM)[0])
    before = verified(demo)
    known = opened_sessions(demo)
    old = database(demo)
    os.kill(old.pid, signal.SIGKILL)
    answers: list[int] = []

    def back() -> bool:
        answer = police.get("/me")
        answers.append(answer.status_code)
        return answer.status_code == 200 and database(demo).pid != old.pid

    wait_for(back, within=60, what="the database")
    assert set(answers) <= {200, 503}
    assert told(demo, "database.died")
    wait_for(lambda: told(demo, "database.restarted"), what="the word of its return")
    all_well(demo, within=60)
    # Back within the lease the picture goes on; later it has ended for that reason.
    state = watched.state()
    if state["state"] == "open":
        watched.viewer.goes_on()
        watched.close()
    else:
        assert state["end_code"] == "control_lost"
    watch(police, cameras(demo, TOURISM)[1]).close()
    assert known < opened_sessions(demo)
    assert verified(demo) >= before


def test_a_killed_supervisor_leaves_no_orphans_and_the_next_start_recovers(demo: Demo) -> None:
    police = demo.client("jingcha")
    watched = watch(police, cameras(demo, TOURISM)[0])
    known, everybody = opened_sessions(demo), family(demo)
    assert len(everybody) > 8
    os.kill(demo.ready["pid"], signal.SIGKILL)
    watched.viewer.over(17)
    deadline = time.monotonic() + 20
    while (left := [process.command for process in everybody if not process.gone]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []
    assert demo.stop() == -signal.SIGKILL
    demo.start()
    all_well(demo)
    police = demo.client("jingcha")
    end: dict[str, Any] = police.get(f"/sessions/{watched.id}").json()
    assert (end["state"], end["end_code"]) == ("ended", "control_lost")
    assert known <= opened_sessions(demo)
    assert verified(demo) > 0
    watch(police, cameras(demo, POLICE)[0]).close()


def test_a_stop_in_good_form_ends_pictures_and_the_next_start_has_everything(demo: Demo) -> None:
    police, contact = demo.client("jingcha"), demo.client("wenlv")
    sent = contact.post(
        "/inventory/filings",
        files={"file": ("清单.xlsx", demo.sample("已更正").read_bytes())},
        data={"dry_run": "false"},
    )
    assert sent.status_code == 202, sent.text
    watched = watch(police, cameras(demo, TOURISM)[0])
    known, everybody = opened_sessions(demo), family(demo)
    assert demo.stop() == 0
    watched.viewer.over(5)
    assert [process.command for process in everybody if not process.gone] == []
    demo.start()
    police, contact = demo.client("jingcha"), demo.client("wenlv")
    end = police.get(f"/sessions/{watched.id}").json()
    assert (end["state"], end["end_code"]) == ("ended", "control_lost")
    assert "服务停止" in end["end_text"]
    number = sent.json()["id"]
    wait_for(
        lambda: contact.get(f"/inventory/filings/{number}").json()["state"] == "draft", within=40, what="the filing"
    )
    assert known <= opened_sessions(demo)
    assert verified(demo) > 0
    watch(police, cameras(demo, TOURISM)[0]).close()
