"""The story of the product in a browser, step by step on one node; each test continues where the last one ended."""

import re
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import openpyxl
import psycopg
import pytest
from playwright.sync_api import expect

from browser.conftest import OUTPUT, Visit
from browser.pages import Inventory, Live, Sharing
from support.demo import Demo, wait_for

pytestmark = pytest.mark.timeout(240)
CHINA = timezone(timedelta(hours=8))
TOURISM = "34150000552008000001"
POLICE = "34150000002001000002"
PURPOSE, BASIS = "防汛抗旱值守", "《中华人民共和国突发事件应对法》"


def cameras(demo: Demo, platform: str = TOURISM) -> list[dict[str, str]]:
    """The cameras of one platform, in the platform's order."""
    return [camera for camera in demo.ready["cameras"] if camera["peer"] == platform]


def test_1_the_agency_files_with_a_dry_run_and_the_office_accepts(visit: Visit, demo: Demo, tmp_path: Path) -> None:
    """Findings lead to their cells in both languages, the marked workbook comes down, the clean form goes in."""
    visitor = visit("wenlv")
    inventory = Inventory(visitor)
    form = openpyxl.load_workbook(inventory.download_form(tmp_path))
    assert form.sheetnames == ["监控管理平台", "平台接入摄像机"]

    inventory.upload(demo.sample("含问题"))
    cell = inventory.show_first_finding("C-SHAPE")
    expect(cell).to_be_visible()
    expect(cell).to_have_class(re.compile("error"))
    expect(inventory.group("C-SHAPE")).to_contain_text("编码应为20位")
    told = visitor.get("finding").first
    expect(told).to_contain_text("补齐或更正为20位")
    expect(told).to_contain_text("G-081")
    expect(visitor.get("submit")).to_contain_text(re.compile("登记 2 行，退回 8 行"))
    visitor.switch_language()
    expect(inventory.group("C-SHAPE")).to_contain_text("20 digits")
    inventory.show_first_finding("C-SHAPE")
    expect(told).to_contain_text("correct it to 20 digits")
    expect(visitor.get("submit")).to_contain_text(re.compile("register 2 rows, return 8"))
    visitor.switch_language()
    marked = openpyxl.load_workbook(inventory.marked_workbook(tmp_path))
    comments = [cell.comment.text for sheet in marked for row in sheet.iter_rows() for cell in row if cell.comment]
    assert any("C-SHAPE" in comment for comment in comments)

    inventory.upload(demo.sample("已更正"))
    expect(visitor.get("submit")).to_contain_text("提交：登记 10 行")
    inventory.submit()

    office = visit("bangongshi")
    office.get("need-filings").click()
    office.get("filing-table").locator("tbody a").first.click()
    Inventory(office).accept()

    visitor.open("/cameras?sight=mine&q=34150300551328000003")
    expect(visitor.get("camera-table").locator("tbody tr")).to_have_count(1)


def test_2_the_platform_is_online_and_both_differences_are_listed(visit: Visit) -> None:
    """Channels link by code; what was only declared and what is only seen stand side by side."""
    visitor = visit("wenlv")
    visitor.go("peers")
    row = visitor.get("peer-table").locator(f'tr[data-code="{TOURISM}"]')
    expect(row).to_contain_text("在线")
    expect(row).to_contain_text("9 / 9")
    expect(row).to_contain_text("完整")
    visitor.go("reconciliation")
    expect(visitor.get("unseen")).to_contain_text("独山镇景区东门东侧")
    expect(visitor.get("undeclared").locator("tbody tr")).to_have_count(1)
    expect(visitor.get("undeclared")).to_contain_text("与儿街镇观景台西侧")

    police = visit("jingcha")
    police.go("peers")
    for platform in (TOURISM, POLICE):
        expect(police.get("peer-table").locator(f'tr[data-code="{platform}"]')).to_contain_text("在线")


def test_3_two_cameras_are_asked_for_one_is_approved_and_one_refused(visit: Visit, demo: Demo) -> None:
    """The applicant and the decider read the same effect before they act."""
    granted, refused = cameras(demo)[:2]
    asking = visit("yingji")
    sharing = Sharing(asking)
    sharing.choose_cameras(granted, refused)
    until = (datetime.now(CHINA) + timedelta(days=12)).strftime("%Y-%m-%d")
    effect = sharing.ask(PURPOSE, BASIS, until)
    expect(effect).to_contain_text("市应急")
    expect(effect).to_contain_text(until)
    number = sharing.send()

    bureau = visit("shuju")
    consulting = Sharing(bureau)
    consulting.first_waiting()
    expect(bureau.page).to_have_url(re.compile(rf"/requests/{number}$"))
    consulting.agree("与值守职责相符")
    expect(consulting.state).to_have_attribute("data-code", "approve")

    police = visit("jingcha")
    deciding = Sharing(police)
    deciding.first_waiting()
    told = police.get("effect")
    expect(told).to_contain_text(re.compile("批准后，市应急.*可在.*2 台摄像机实时调阅"))
    expect(told).to_contain_text(until)
    expect(police.get("decision-send")).to_be_disabled()
    deciding.decide(granted["code"], "approved")
    deciding.decide(refused["code"], "refused", "目的无需此点位画面即可达成")
    police.get("decision-comment").fill("同意一路")
    deciding.send_decision()
    expect(deciding.state).to_have_attribute("data-code", "partly_approved")

    asking.open(f"/sharing/requests/{number}")
    outcomes = asking.get("request-cameras")
    expect(outcomes.locator(f'tr[data-code="{granted["code"]}"]')).to_have_attribute("data-outcome", "approved")
    expect(outcomes.locator(f'tr[data-code="{refused["code"]}"]')).to_contain_text("目的无需此点位画面即可达成")


def test_4_the_granted_camera_moves_under_a_watermark_and_the_other_stays_shut(visit: Visit, demo: Demo) -> None:
    """Moving video within 3 s of the press, marked with unit and person; the refused one has no way in."""
    granted, refused = cameras(demo)[:2]
    visitor = visit("yingji")
    live = Live(visitor)
    with visitor.page.expect_request(re.compile(r"\.flv\?token=")) as asked:
        waited = live.start_measured(granted["code"])
    sys.stdout.write(f"first moving picture after {waited:.2f} s\n")
    assert waited < 3.0
    first, before = live.picture(), live.shown()
    assert before["frames"] > 0
    visitor.page.wait_for_function(
        "t => document.querySelector('[data-testid=player] video').currentTime > t + 0.5", arg=before["time"]
    )
    after = live.shown()
    assert live.picture() != first
    assert after["frames"] > before["frames"]
    assert after["width"] >= 640
    mark = visitor.get("watermark")
    expect(mark).to_have_attribute("data-text", re.compile("市应急管理局.*应急局联络员"))
    # The time runs in the mark itself.
    drawn = mark.locator("canvas").evaluate("canvas => canvas.toDataURL()")
    visitor.page.wait_for_function(
        "before => document.querySelector('[data-testid=watermark] canvas').toDataURL() !== before", arg=drawn
    )
    OUTPUT.mkdir(exist_ok=True)
    visitor.page.screenshot(path=OUTPUT / "story-live.png")
    address = asked.value.url
    stranger = address.replace(".flv?token=", ".flv?token=x")
    for shut in (address.split("?")[0], stranger):
        assert httpx.get(shut, timeout=5).status_code in {401, 403, 404}

    visitor.open(f"/cameras/{refused['code']}")
    expect(visitor.page.get_by_role("button", name="申请共享")).to_be_visible()
    expect(visitor.get("watch")).to_have_count(0)
    visitor.expect_complaint(r"/sessions")
    visitor.open(f"/cameras/{refused['code']}/live")
    expect(visitor.page.get_by_text("您没有调阅这台摄像机的授权")).to_be_visible()
    expect(visitor.get("reason-duty")).to_have_count(0)
    expect(live.player).to_have_count(0)
    # Leaving the page closed the picture, and its address is dead.
    wait_for(
        lambda: httpx.get(address, timeout=5).status_code in {401, 403, 404, 410}, within=5, what="the dead address"
    )
    answer = visitor.page.evaluate(
        """code => fetch(`/api/v1/cameras/${code}/sessions`, { method: 'POST', body: '{"action":"live","reason":"防汛值守"}',
            headers: { 'Content-Type': 'application/json', 'X-Requested-With': 'gongshi' } }).then(r => r.json())""",
        refused["code"],
    )
    assert answer["code"] == "no_right"
    assert "urls" not in answer


def test_4b_tampering_with_the_watermark_stops_the_picture(visit: Visit, demo: Demo) -> None:
    """The mark is a condition of viewing: removed, hidden or faded, the picture ends and says so."""
    visitor = visit("yingji")
    live = Live(visitor)
    for harm in ("m => m.remove()", "m => { m.style.opacity = 0 }"):
        live.watch(cameras(demo)[0]["code"])
        visitor.get("watermark").evaluate(harm)
        expect(live.player).to_have_attribute("data-state", "ended", timeout=3000)
        expect(live.ending).to_have_attribute("data-code", "watermark")


def test_5_revoking_stops_the_running_picture_within_two_seconds_and_says_why(visit: Visit, demo: Demo) -> None:
    """Police acts on the grant's page; the watcher's page says who, when and why."""
    code = cameras(demo)[0]["code"]
    watcher, police = visit("yingji"), visit("jingcha")
    live = Live(watcher)
    police.go("grants")
    police.get("grant-table").locator("tbody a").first.click()
    with watcher.page.expect_request(re.compile(r"\.flv\?token=")) as asked:
        live.watch(code)
    live.note_the_end()
    police.get("revoke").click()
    expect(police.page.get_by_role("dialog")).to_contain_text("市应急管理局")
    police.get("reason-text").fill("值守任务结束")
    with police.page.expect_response(re.compile(r"/revoke$")) as answered:
        police.get("reason-confirm").click()
    answered.value.finished()
    timing = answered.value.request.timing
    expect(live.player).to_have_attribute("data-state", "ended", timeout=10_000)
    waited = (live.over() - timing["startTime"] - timing["responseEnd"]) / 1000
    sys.stdout.write(f"the picture ended {waited:.2f} s after the answer to the revocation\n")
    assert waited < 2.0
    expect(live.ending).to_have_attribute("data-code", "revoked")
    expect(live.ending).to_contain_text("值守任务结束")
    assert live.shown()["width"] == 0
    assert httpx.get(asked.value.url, timeout=5).status_code in {401, 403, 404, 410}
    expect(watcher.get("ask-again")).to_be_visible()
    watcher.page.screenshot(path=OUTPUT / "story-revoked.png")
    expect(police.get("grant-state")).to_have_attribute("data-code", "revoked")


def grant_briefly(demo: Demo, code: str, seconds: float) -> datetime:
    """A grant that runs out soon, made by scripts of the three people; the moment of its end."""
    yingji, shuju, jingcha = demo.client("yingji"), demo.client("shuju"), demo.client("jingcha")
    now = datetime.now(CHINA)
    asked = yingji.post(
        "/share-requests",
        json={
            "cameras": [code],
            "actions": ["live"],
            "purpose": PURPOSE,
            "legal_basis": BASIS,
            "valid_from": now.isoformat(),
            "valid_to": (now + timedelta(seconds=seconds)).isoformat(),
            "delivery": ["portal"],
        },
    )
    path = f"/share-requests/{asked.json()['id']}"
    consulted = {"stage": "consult", "outcome": "agreed", "comment": "同意"}
    approved = {"stage": "approve", "items": [{"camera": code, "outcome": "approved"}], "comment": "同意"}
    steps: list[httpx.Response] = [
        yingji.post(f"{path}/submit"),
        shuju.post(f"{path}/decisions", json=consulted),
        jingcha.post(f"{path}/decisions", json=approved),
    ]
    assert [step.status_code for step in steps] == [200, 200, 200]
    return now + timedelta(seconds=seconds)


def test_5b_a_grant_that_runs_out_ends_the_picture_by_itself(visit: Visit, demo: Demo) -> None:
    """Nobody presses anything; the page says that the period is over."""
    code = cameras(demo)[0]["code"]
    visitor = visit("yingji")
    live = Live(visitor)
    until = grant_briefly(demo, code, 20)
    live.watch(code)
    live.note_the_end()
    expect(live.player).to_have_attribute("data-state", "ended", timeout=30_000)
    assert -0.5 < live.over() / 1000 - until.timestamp() < 2.0
    expect(live.ending).to_have_attribute("data-code", "period_over")
    expect(live.ending).to_contain_text("到期")
    assert live.shown()["width"] == 0


def test_6_the_auditor_reads_the_chain_and_verification_names_an_altered_row(visit: Visit, demo: Demo) -> None:
    """Sentences for every step; after one row is altered in the database, the page names it."""
    granted = cameras(demo)[0]
    visitor = visit("shenji")
    visitor.go("audit")
    entries = visitor.get("entries").locator("li")
    for action, words in (
        ("inventory.filing.uploaded", "文旅局联络员"),
        ("inventory.filing.accepted", "领导小组办公室"),
        ("sharing.request.submitted", PURPOSE),
        ("sharing.request.consulted", "与值守职责相符"),
        ("sharing.decision.made", "公安视频管理员"),
        ("sharing.grant.opened", "市应急局"),
        ("media.session.opened", granted["name"]),
        ("media.session.started", granted["name"]),
        ("media.session.ended", "依据授权"),
        ("sharing.grant.revoked", "值守任务结束"),
    ):
        visitor.open(f"/audit?action={action}")
        expect(entries.first).to_have_attribute("data-action", action)
        expect(visitor.get("entries")).to_contain_text(words)
    victim = entries.first.get_attribute("data-id")

    visitor.get("verify").click()
    result = visitor.get("verification")
    expect(result).to_have_attribute("data-ok", "true", timeout=30_000)
    owner = demo.cli("database", "url", "--owner").stdout.strip()
    with psycopg.connect(owner, autocommit=True) as connection:
        before = connection.execute("SELECT actor_name FROM audit.entry WHERE id = %s", [victim]).fetchone()
        assert before is not None
        connection.execute("UPDATE audit.entry SET actor_name = '无人' WHERE id = %s", [victim])
        try:
            visitor.get("verify").click()
            expect(result).to_have_attribute("data-ok", "false", timeout=30_000)
            expect(result).to_contain_text(str(victim))
            visitor.page.screenshot(path=OUTPUT / "story-altered.png")
        finally:
            connection.execute("UPDATE audit.entry SET actor_name = %s WHERE id = %s", [before[0], victim])
    visitor.get("verify").click()
    expect(result).to_have_attribute("data-ok", "true", timeout=30_000)
