"""The main job end to end over HTTP, SIP, RTP and PostgreSQL: from a filled form to a revoked picture and its proof.

The tests of this file run in order on one node; each continues where the one before it ended.
"""

import io
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import av
import httpx
import openpyxl
import psycopg
import pytest
from av.error import FFmpegError

from support.demo import Demo, wait_for

pytestmark = pytest.mark.timeout(240)
CHINA = timezone(timedelta(hours=8))


def upload(client: httpx.Client, demo: Demo, part: str, *, dry_run: bool) -> dict[str, Any]:
    path = demo.sample(part)
    answer = client.post(
        "/inventory/filings",
        files={"file": (path.name, path.read_bytes())},
        data={"dry_run": str(dry_run).lower()},
    )
    assert answer.status_code in {200, 201, 202}, answer.text
    number = answer.json()["id"]
    return wait_for(
        lambda: state if (state := client.get(f"/inventory/filings/{number}").json())["state"] != "checking" else None,
        within=60,
        what="the check of the form",
    )


def test_1_the_agency_files_its_inventory_and_the_office_accepts(demo: Demo) -> None:
    wenlv, office = demo.client("wenlv"), demo.client("bangongshi")
    form = wenlv.get("/inventory/form")
    book = openpyxl.load_workbook(io.BytesIO(form.content))
    assert book.sheetnames == ["监控管理平台", "平台接入摄像机"]

    flawed = upload(wenlv, demo, "含问题", dry_run=True)
    assert flawed["state"] == "checked"
    assert flawed["counts"]["errors"] >= 7
    findings = wenlv.get(f"/inventory/filings/{flawed['id']}/findings", params={"limit": 500}).json()["items"]
    for finding in findings:
        assert finding["rule"]
        assert finding["message"]
        assert finding["remedy"]
    rules = {finding["rule"].partition(".")[0] for finding in findings}
    assert {"C-SHAPE", "G-087", "G-091", "G-083", "G-092"} <= rules
    english = wenlv.get(
        f"/inventory/filings/{flawed['id']}/findings", headers={"Accept-Language": "en"}, params={"limit": 500}
    ).json()["items"]
    assert [f["message"] for f in english] != [f["message"] for f in findings]
    marked = openpyxl.load_workbook(io.BytesIO(wenlv.get(f"/inventory/filings/{flawed['id']}/workbook").content))
    comments = [cell.comment.text for sheet in marked for row in sheet.iter_rows() for cell in row if cell.comment]
    assert any("C-SHAPE" in text for text in comments)

    clean = upload(wenlv, demo, "已更正", dry_run=False)
    assert clean["state"] == "draft"
    assert clean["counts"]["errors"] == 0
    assert wenlv.post(f"/inventory/filings/{clean['id']}/accept", json={}).status_code in {403, 404}
    assert wenlv.post(f"/inventory/filings/{clean['id']}/submit", json={}).status_code == 200
    accepted = office.post(f"/inventory/filings/{clean['id']}/accept", json={"comment": "核对无误"})
    assert accepted.status_code in {200, 202}, accepted.text
    wait_for(
        lambda: office.get(f"/inventory/filings/{clean['id']}").json()["state"] == "accepted",
        within=60,
        what="the acceptance",
    )
    listed = wenlv.get("/cameras", params={"sight": "mine", "limit": 200}).json()
    assert len(listed["items"]) >= 9


def test_2_channels_link_to_cameras_and_both_lists_of_differences_are_shown(demo: Demo) -> None:
    wenlv = demo.client("wenlv")
    peers = {p["code"]: p for p in wenlv.get("/peers").json()["items"]}
    mine = peers["34150000552008000001"]
    assert (mine["state"], mine["channels"]) == ("online", 9)
    assert mine["last_run"]["state"] == "complete"
    assert mine["last_run"]["packets"] > 1

    def reconciled() -> Any:
        found = wenlv.get("/inventory/reconciliation").json()
        return found if found["matched"] >= 8 and len(found["seen_undeclared"]) == 1 else None

    found = wait_for(reconciled, what="linking of channels")
    assert any("00551328000090" in c["code"] for c in found["declared_unseen"])


@pytest.fixture(scope="module")
def shared(demo: Demo) -> dict[str, Any]:
    """The request of the story: two cameras asked for, one approved, one refused."""
    yingji, shuju, jingcha = demo.client("yingji"), demo.client("shuju"), demo.client("jingcha")
    wanted = [c["code"] for c in demo.ready["cameras"] if c["peer"] == "34150000552008000001"][:2]
    now = datetime.now(CHINA)
    draft = yingji.post(
        "/share-requests",
        json={
            "cameras": wanted,
            "actions": ["live"],
            "purpose": "防汛值守",
            "legal_basis": "《突发事件应对法》",
            "valid_from": now.isoformat(),
            "valid_to": (now + timedelta(days=30)).isoformat(),
            "delivery": ["portal"],
        },
    )
    assert draft.status_code in {200, 201}, draft.text
    number = draft.json()["id"]
    assert yingji.post(f"/share-requests/{number}/submit").status_code == 200
    consult = shuju.post(
        f"/share-requests/{number}/decisions",
        json={"stage": "consult", "outcome": "agreed", "items": [], "comment": "同意"},
    )
    assert consult.status_code == 200, consult.text
    seen = jingcha.get(f"/share-requests/{number}").json()
    assert seen["effect"]["cameras"] == 2
    assert seen["effect"]["becomes_visible_to"]["name"] == "市应急管理局"
    assert "市应急" in str(seen["effect"]["summary"])
    assert seen["effect"]["until"]
    decided = jingcha.post(
        f"/share-requests/{number}/decisions",
        json={
            "stage": "approve",
            "items": [
                {"camera": wanted[0], "outcome": "approved"},
                {"camera": wanted[1], "outcome": "refused", "reason": "与防汛无关"},
            ],
            "comment": "同意一路",
        },
    )
    assert decided.status_code == 200, decided.text
    grants = yingji.get("/grants", params={"state": "in_force"}).json()["items"]
    return {"granted": wanted[0], "refused": wanted[1], "grant": grants[0], "request": number}


def open_live(client: httpx.Client, code: str) -> httpx.Response:
    return client.post(f"/cameras/{code}/sessions", json={"action": "live", "reason": "防汛值守"})


class Viewer:
    """Reads a media URL in a thread and remembers when bytes came and when it ended."""

    def __init__(self, url: str) -> None:
        self.received = bytearray()
        self.first: float | None = None
        self.ended: float | None = None
        self.status = 0
        self._thread = threading.Thread(target=self._read, args=(url,), daemon=True)
        self.begun = time.monotonic()
        self._thread.start()

    def _read(self, url: str) -> None:
        try:
            with httpx.stream("GET", url, timeout=30) as answer:
                self.status = answer.status_code
                for chunk in answer.iter_bytes():
                    if self.first is None and answer.status_code == 200 and len(chunk) > 100:
                        self.first = time.monotonic()
                    self.received += chunk
        except httpx.HTTPError:
            pass
        self.ended = time.monotonic()


def pictures(content: bytes) -> int:
    """How many pictures really decode."""
    with av.open(io.BytesIO(content), mode="r") as container:
        count = 0
        try:
            for _ in container.decode(video=0):
                count += 1
        except FFmpegError:
            pass
        return count


def test_4_the_granted_camera_shows_moving_video_and_the_other_stays_shut(demo: Demo, shared: dict[str, Any]) -> None:
    yingji = demo.client("yingji")
    begun = time.monotonic()
    session = open_live(yingji, shared["granted"])
    assert session.status_code in {200, 201}, session.text
    viewer = Viewer(session.json()["urls"]["flv"])
    wait_for(lambda: viewer.first, within=6, what="the first picture")
    assert viewer.first is not None
    assert viewer.first - begun < 3.5
    wait_for(lambda: len(viewer.received) > 200_000 or time.monotonic() - begun > 6, within=10)
    assert pictures(bytes(viewer.received)) > 5

    refused = open_live(yingji, shared["refused"])
    assert refused.status_code in {403, 404}
    assert "urls" not in refused.json()
    absent = open_live(yingji, "34150200551328009999")
    assert absent.status_code == 404
    for url in session.json()["urls"].values():
        if url:
            bare = url.split("?")[0]
            assert httpx.get(bare, timeout=5).status_code in {401, 403, 404}
    assert yingji.delete(f"/sessions/{session.json()['id']}").status_code in {200, 204}
    wait_for(lambda: viewer.ended, within=3, what="the end of the picture")
    # A closed session's address is dead.
    assert httpx.get(session.json()["urls"]["flv"], timeout=5).status_code in {401, 403, 404, 410}


def test_5_revoking_stops_the_running_picture_and_says_why(demo: Demo, shared: dict[str, Any]) -> None:
    yingji, jingcha = demo.client("yingji"), demo.client("jingcha")
    session = open_live(yingji, shared["granted"]).json()
    viewers = [Viewer(session["urls"]["flv"])]
    wait_for(lambda: viewers[0].first, within=6, what="the first picture")
    moment = time.monotonic()
    revoked = jingcha.post(f"/grants/{shared['grant']['id']}/revoke", json={"reason": "值守任务结束"})
    assert revoked.status_code == 200, revoked.text
    wait_for(lambda: viewers[0].ended, within=5, what="the end of the picture")
    assert viewers[0].ended is not None
    assert viewers[0].ended - moment < 2.0
    ended = wait_for(
        lambda: s if (s := yingji.get(f"/sessions/{session['id']}").json())["state"] == "ended" else None, within=3
    )
    assert ended["end_code"] == "revoked"
    assert "值守任务结束" in str(ended)
    assert open_live(yingji, shared["granted"]).status_code in {403, 404}
    assert httpx.get(session["urls"]["flv"], timeout=5).status_code in {401, 403, 404, 410}


def test_5b_a_grant_that_runs_out_ends_the_picture_by_itself(demo: Demo, shared: dict[str, Any]) -> None:
    yingji, shuju, jingcha = demo.client("yingji"), demo.client("shuju"), demo.client("jingcha")
    now = datetime.now(CHINA)
    until = now + timedelta(seconds=14)
    number = yingji.post(
        "/share-requests",
        json={
            "cameras": [shared["granted"]],
            "actions": ["live"],
            "purpose": "防汛值守",
            "legal_basis": "《突发事件应对法》",
            "valid_from": now.isoformat(),
            "valid_to": until.isoformat(),
            "delivery": ["portal"],
        },
    ).json()["id"]
    yingji.post(f"/share-requests/{number}/submit")
    shuju.post(f"/share-requests/{number}/decisions", json={"stage": "consult", "outcome": "agreed", "comment": "同意"})
    decided = jingcha.post(
        f"/share-requests/{number}/decisions",
        json={"stage": "approve", "items": [{"camera": shared["granted"], "outcome": "approved"}], "comment": "同意"},
    )
    assert decided.status_code == 200, decided.text
    session = open_live(yingji, shared["granted"]).json()
    viewer = Viewer(session["urls"]["flv"])
    wait_for(lambda: viewer.ended, within=20, what="the end of the period")
    late = datetime.now(CHINA) - until
    assert timedelta(seconds=-0.5) < late < timedelta(seconds=2)
    ended = wait_for(
        lambda: s if (s := yingji.get(f"/sessions/{session['id']}").json())["state"] == "ended" else None, within=4
    )
    assert ended["end_code"] == "period_over"


def test_6_the_auditor_sees_the_chain_and_an_altered_row_is_named(demo: Demo, shared: dict[str, Any]) -> None:
    shenji = demo.client("shenji")
    entries = shenji.get("/audit/entries", params={"limit": 200}).json()["items"]
    told = {entry["action"] for entry in entries}
    assert {
        "inventory.filing.accepted",
        "sharing.decision.made",
        "media.session.opened",
        "media.session.ended",
        "sharing.grant.revoked",
    } <= told
    assert all(entry["sentence"] for entry in entries)
    assert shenji.post("/audit/verify").json()["ok"] is True
    proof = demo.cli("audit", "verify")
    assert proof.returncode == 0, proof.stdout + proof.stderr
    victim = next(e for e in entries if e["action"] == "sharing.grant.revoked")
    owner = demo.cli("database", "url", "--owner").stdout.strip()
    with psycopg.connect(owner, autocommit=True) as connection:
        before = connection.execute("SELECT actor_name FROM audit.entry WHERE id = %s", [victim["id"]]).fetchone()
        connection.execute("UPDATE audit.entry SET actor_name = '无人' WHERE id = %s", [victim["id"]])
        tampered = demo.cli("audit", "verify")
        assert before is not None
        connection.execute("UPDATE audit.entry SET actor_name = %s WHERE id = %s", [before[0], victim["id"]])
    assert tampered.returncode == 1
    assert str(victim["id"]) in tampered.stdout
    assert demo.cli("audit", "verify").returncode == 0


def test_7_nobody_but_the_auditor_reads_the_log(demo: Demo) -> None:
    for username in ("wenlv", "yingji", "guanli", "anquan"):
        assert demo.client(username).get("/audit/entries").status_code == 403
