"""Platforms below and above on the pages: steering a camera, its recordings, alarms, messages, and an upper platform."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from browser.conftest import Visit
from browser.outside import Outside, platform_with_a_dome
from browser.pages import Live, Visitor
from gongshi.simulator.platform import SimulatedPlatform
from integration.cascade.scripted import ScriptedUpper
from support.demo import Demo, wait_for

pytestmark = pytest.mark.timeout(180)
TOURISM = "34150000552008000001"


class Dome:
    """A camera that turns, seen from its own side."""

    def __init__(self, outside: Outside, platform: SimulatedPlatform, camera: dict[str, Any]) -> None:
        self.outside = outside
        self.platform = platform
        self.code: str = camera["code"]
        self.peer: int = camera["peer"]

    @property
    def pan(self) -> float:
        async def look() -> float:
            return self.platform.site.cameras[self.code].position.pan

        return self.outside.do(look())

    def stands(self) -> bool:
        """Does it stand still?"""
        before = self.pan
        time.sleep(0.2)
        return self.pan == before

    def alarm(self) -> None:
        assert self.outside.do(self.platform.raise_alarm(self.code, method=6, type=1, priority=1))


@pytest.fixture(scope="module")
def dome(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dome]:
    with platform_with_a_dome(demo, tmp_path_factory.mktemp("dome")) as (outside, platform, camera):
        yield Dome(outside, platform, camera)


def hold(visitor: Visitor, button: Locator) -> None:
    """Presses the mouse on a button and keeps it down."""
    box = button.bounding_box()
    assert box is not None
    visitor.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    visitor.page.mouse.down()


def test_a_camera_turns_while_a_button_is_held_and_stands_when_it_is_let_go(visit: Visit, dome: Dome) -> None:
    """By mouse and by key; leaving the window with a key down stops it too."""
    visitor = visit("jingcha")
    Live(visitor).watch(dome.code)
    pad = visitor.get("ptz")
    expect(pad).to_be_visible()
    expect(visitor.get("ptz-holder")).to_have_attribute("data-held", "nobody")

    start = dome.pan
    hold(visitor, visitor.get("ptz-right"))
    wait_for(lambda: dome.pan != start, what="the camera's turning")
    expect(visitor.get("ptz-holder")).to_have_attribute("data-held", "mine")
    visitor.page.mouse.up()
    wait_for(dome.stands, what="the camera's standing")

    turned = dome.pan
    visitor.get("ptz-left").focus()
    visitor.page.keyboard.down("ArrowLeft")
    wait_for(lambda: dome.pan != turned, what="the turn back")
    visitor.page.evaluate("() => window.dispatchEvent(new Event('blur'))")
    wait_for(dome.stands, what="the camera's standing after the window was left")
    visitor.page.keyboard.up("ArrowLeft")


def grant_ptz(demo: Demo, code: str) -> None:
    """The emergency bureau may watch and steer a camera: asked, consulted, approved."""
    yingji, now = demo.client("yingji"), datetime.now(UTC)
    body = {
        "cameras": [code],
        "actions": ["live", "ptz"],
        "purpose": "防汛抗旱值守",
        "legal_basis": "《中华人民共和国突发事件应对法》",
        "valid_from": now.isoformat(),
        "valid_to": (now + timedelta(days=2)).isoformat(),
        "delivery": ["portal"],
    }
    number = yingji.post("/share-requests", json=body).json()["id"]
    assert yingji.post(f"/share-requests/{number}/submit").status_code == 200
    for who, decision in (
        ("shuju", {"stage": "consult", "outcome": "agreed", "comment": "与值守职责相符"}),
        ("jingcha", {"stage": "approve", "items": [{"camera": code, "outcome": "approved"}], "comment": "同意"}),
    ):
        answer = demo.client(who).post(f"/share-requests/{number}/decisions", json=decision)
        assert answer.status_code == 200, answer.text


def test_a_camera_that_somebody_moves_is_refused_to_others_by_name(visit: Visit, demo: Demo) -> None:
    """The page of those who wait says who has it."""
    code = [camera["code"] for camera in demo.ready["cameras"] if camera["peer"] == TOURISM][-1]
    grant_ptz(demo, code)
    visitor = visit("yingji")
    Live(visitor).watch(code)
    expect(visitor.get("ptz")).to_be_visible()
    moved = demo.client("jingcha").post(f"/cameras/{code}/ptz", json={"command": "move", "pan": 1, "speed": 20})
    assert moved.json()["holder"]["mine"], moved.text
    visitor.expect_complaint("409")
    hold(visitor, visitor.get("ptz-up"))
    expect(visitor.get("ptz-holder")).to_have_attribute("data-held", "other")
    expect(visitor.get("ptz-holder")).to_contain_text("公安视频管理员")
    visitor.page.mouse.up()
    assert demo.client("jingcha").post(f"/cameras/{code}/ptz", json={"command": "stop"}).status_code == 200


def test_a_view_is_stored_and_called_again(visit: Visit, dome: Dome) -> None:
    visitor = visit("jingcha")
    Live(visitor).watch(dome.code)
    visitor.get("preset-add").click()
    visitor.page.get_by_label("编号").fill("7")
    visitor.page.get_by_label("名称", exact=True).fill("码头")
    visitor.get("preset-save").click()
    expect(visitor.get("preset-7")).to_be_visible()
    stored = dome.pan
    hold(visitor, visitor.get("ptz-right"))
    wait_for(lambda: dome.pan != stored, what="the camera's turning")
    visitor.page.mouse.up()
    wait_for(dome.stands, what="the camera's standing")
    visitor.get("preset-7").click()
    wait_for(lambda: abs(dome.pan - stored) < 0.01, what="the way back to the stored view")


def test_recordings_play_from_a_moment_of_the_timeline_pause_and_wind(visit: Visit, dome: Dome) -> None:
    """The clock over the picture says the recorded moment; a click inside winds the same session."""
    visitor = visit("jingcha")
    visitor.open(f"/cameras/{dome.code}/live?mode=playback")
    visitor.get("reason-duty").click()
    expect(visitor.get("timeline-block").first).to_be_visible()
    player = visitor.get("player")
    now = visitor.get("playback-now")

    visitor.page.get_by_text(re.compile("^录像文件")).click()
    visitor.page.get_by_role("button", name="播放").last.click()
    expect(player).to_have_attribute("data-state", "playing", timeout=30_000)
    session = player.get_attribute("data-session")
    visitor.get("playback-pause").click()
    expect(visitor.get("playback-pause")).to_have_text("继续")
    held = now.inner_text()
    visitor.page.wait_for_timeout(1200)
    assert now.inner_text() == held
    visitor.get("playback-pause").click()
    expect(now).not_to_have_text(held)

    visitor.page.get_by_role("button", name="+60 s").click()
    expect(visitor.page.get_by_role("alert")).to_have_count(0)
    expect(player).to_have_attribute("data-state", "playing")
    assert player.get_attribute("data-session") == session


def test_an_alarm_appears_by_itself_and_is_confirmed(visit: Visit, dome: Dome) -> None:
    visitor = visit("jingcha")
    visitor.go("alarms")
    dome.alarm()
    row = visitor.get("alarm-table").locator("tbody tr").first
    expect(row).to_contain_text("存储设备故障")
    expect(row).to_contain_text("一级")
    row.get_by_test_id("alarm-confirm").click()
    visitor.get("alarm-note").fill("已通知管理单位换盘")
    visitor.get("alarm-save").click()
    expect(visitor.page.get_by_role("dialog")).to_be_hidden()
    visitor.get("alarms-confirmed").click()
    expect(visitor.get("alarm-table").locator("tbody tr").first).to_contain_text("已通知管理单位换盘")


def test_the_messages_of_a_peer_are_read_as_exchanges_and_taken_as_files(
    visit: Visit, dome: Dome, tmp_path: Path
) -> None:
    """The registration with its credentials taken out; the filter leaves nothing else."""
    visitor = visit("guanli")
    visitor.open(f"/peers/{dome.peer}?tab=trace")
    kind = visitor.get("trace-kind")
    kind.click()
    visitor.page.get_by_role("option", name=re.compile("REGISTER")).click()
    exchanges = visitor.get("trace-exchange")
    expect(exchanges.first).to_contain_text("注册")
    assert set(exchanges.evaluate_all("all => all.map(e => e.dataset.method)")) == {"REGISTER"}
    exchanges.last.click()
    arrows = visitor.get("trace-arrows")
    expect(arrows).to_contain_text("200 OK")
    sent = arrows.locator("details").filter(has_text="Authorization: Digest")
    sent.locator("summary").click()
    raw = sent.locator("pre")
    expect(raw).to_contain_text("REGISTER sip:")
    expect(raw).to_contain_text("Digest ***")

    for button, suffix, begins in (("trace-as-text", ".txt", b"20"), ("trace-as-pcap", ".pcap", b"\xd4\xc3\xb2\xa1")):
        with visitor.page.expect_download() as waiting:
            visitor.get(button).click()
        assert waiting.value.suggested_filename.endswith(suffix)
        waiting.value.save_as(tmp_path / "trace")
        taken = (tmp_path / "trace").read_bytes()
        assert taken.startswith(begins), taken[:16]
        assert b"REGISTER" in taken


def test_an_upper_platform_is_added_registered_with_and_shown_what_police_opens(visit: Visit, demo: Demo) -> None:
    """The administrator connects it, police opens a county to it and takes that back."""
    outside = Outside()
    upper = ScriptedUpper()
    running = upper.on()
    outside.do(running.__aenter__())
    try:
        admin = visit("guanli")
        admin.go("uppers")
        admin.get("upper-add").click()
        for field, value in (
            ("name", "省公共视频共享平台"),
            ("code", upper.code),
            ("own", demo.ready["sip"]["code"]),
            ("host", "127.0.0.1"),
            ("port", str(upper.port)),
            ("password", upper.password),
        ):
            admin.page.locator(f"#u-{field}").fill(value)
        admin.page.locator("#u-unit").fill("市公安局")
        admin.page.get_by_role("option", name="市公安局", exact=True).click()
        admin.get("upper-save").click()
        expect(admin.page).to_have_url(re.compile(r"/uppers/\d+"))
        expect(admin.get("upper-state")).to_have_attribute("data-code", "registered")
        assert upper.registers

        police = visit("jingcha")
        police.go("uppers")
        police.get("upper-table").get_by_role("link", name="省公共视频共享平台").click()
        police.page.get_by_role("tab", name="权限").click()
        police.get("right-give").click()
        police.get("right-region").locator("input").fill("金安区")
        police.page.get_by_role("option", name=re.compile("金安区")).click()
        police.get("right-live").click()
        police.get("right-save").click()
        row = police.get("right-table").locator("tbody tr")
        expect(row).to_contain_text("金安区")
        expect(row).to_contain_text("实时调阅")
        police.page.get_by_role("tab", name=re.compile("可见摄像机")).click()
        expect(police.get("shared-table").locator("tbody tr").first).to_contain_text("实时调阅")

        police.page.get_by_role("tab", name="权限").click()
        police.get("right-end").click()
        police.get("reason-text").fill("测试结束")
        police.get("reason-confirm").click()
        expect(police.page.get_by_text("没有权限", exact=True)).to_be_visible()
    finally:
        outside.do(running.__aexit__(None, None, None))
        outside.close()
