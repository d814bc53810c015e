"""Page objects: what a person can do on each page, in their words."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from support.demo import Demo


class Visitor:
    """One person at one browser."""

    def __init__(self, page: Page, demo: Demo, expected: list[re.Pattern[str]]) -> None:
        self.page = page
        self.demo = demo
        self._expected = expected

    def expect_complaint(self, pattern: str) -> None:
        """A refusal provoked on purpose; the browser logs every 4xx answer as an error."""
        self._expected.append(re.compile(pattern))

    def get(self, test_id: str) -> Locator:
        return self.page.get_by_test_id(test_id)

    def log_in(self, username: str, password: str | None = None) -> None:
        self.page.goto("/login")
        self.page.locator("#username").fill(username)
        self.page.locator("#password").fill(password or self.demo.account(username)["password"])
        self.get("login-submit").click()
        if password is None:
            expect(self.get("who")).to_be_visible()

    def log_out(self) -> None:
        self.get("who").click()
        self.get("logout").click()
        expect(self.get("login-submit")).to_be_visible()

    def open(self, path: str) -> None:
        self.page.goto(path)
        expect(self.page.locator("h1").first).to_be_visible()

    def go(self, item: str) -> None:
        """By the rail, as people do."""
        self.get(f"nav-{item}").first.click()
        expect(self.page.locator("h1").first).to_be_visible()

    def switch_language(self) -> None:
        self.get("language").click()

    def choose(self, test_id: str, text: str) -> None:
        """Write or pick in a select that takes both."""
        box = self.get(test_id).locator("input")
        box.click()
        box.fill(text)
        self.page.get_by_role("option", name=text, exact=True).first.click()


class Inventory:
    """填报."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.page = visitor.page

    def download_form(self, folder: Path) -> Path:
        self.visitor.go("filings")
        return self._download("form-xlsx", folder)

    def upload(self, file: Path) -> None:
        """Returns when the dry run is done."""
        self.visitor.go("filings")
        self.visitor.get("form-file").set_input_files(file)
        expect(self.page).to_have_url(re.compile(r"/inventory/filings/\d+"))
        expect(self.state).to_have_attribute("data-code", "checked", timeout=60_000)

    @property
    def state(self) -> Locator:
        return self.visitor.get("filing-state")

    def group(self, rule: str) -> Locator:
        return self.page.locator(f'[data-rule^="{rule}"]').first

    def show_first_finding(self, rule: str) -> Locator:
        """Opens the rule and presses its first finding; the cell it leads to."""
        self.group(rule).click()
        self.visitor.get("finding").first.click()
        return self.page.locator('[data-chosen="true"]')

    def marked_workbook(self, folder: Path) -> Path:
        return self._download("marked", folder)

    def submit(self) -> None:
        self.visitor.get("submit").click()
        self.visitor.get("confirm").click()
        expect(self.state).to_have_attribute("data-code", "submitted")

    def accept(self) -> None:
        self.visitor.get("accept").click()
        self.visitor.get("confirm").click()
        expect(self.state).to_have_attribute("data-code", "accepted", timeout=60_000)

    def _download(self, test_id: str, folder: Path) -> Path:
        with self.page.expect_download() as waiting:
            self.visitor.get(test_id).click()
        target = folder / waiting.value.suggested_filename
        waiting.value.save_as(target)
        return target


class Sharing:
    """申请, 会商, 审批, 授权."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.page = visitor.page

    def choose_cameras(self, on_the_map: dict[str, str], in_the_list: dict[str, str]) -> None:
        """One by its mark on the map, one from the list; the selection stays while the view changes."""
        self.visitor.go("map")
        search = self.visitor.get("camera-search")
        search.fill(on_the_map["name"])
        self.page.locator(f'[data-marker="{on_the_map["code"]}"]').click()
        self.visitor.get("drawer-choose").click()
        self.page.keyboard.press("Escape")
        self.page.get_by_role("radio", name="列表", exact=True).locator("xpath=ancestor::label").click()
        search.fill(in_the_list["name"])
        row = self.visitor.get("camera-table").locator(f'tr[data-code="{in_the_list["code"]}"]')
        row.locator("label.el-checkbox").click()
        expect(self.visitor.get("selection")).to_contain_text("2")
        self.visitor.get("ask").click()
        expect(self.visitor.get("chosen-count")).to_have_text("2")

    def ask(self, purpose: str, basis: str, until: str) -> Locator:
        """Says why and until when, and looks at what would happen; the summary."""
        self.visitor.choose("purpose", purpose)
        self.visitor.choose("legal-basis", basis)
        last_day = self.page.get_by_label("结束日期")
        last_day.fill(until)
        last_day.press("Enter")
        self.visitor.get("request-check").click()
        effect = self.visitor.get("effect")
        expect(effect).to_be_visible()
        return effect

    def send(self) -> int:
        self.visitor.get("request-send").click()
        expect(self.page).to_have_url(re.compile(r"/sharing/requests/\d+$"))
        expect(self.state).to_be_visible()
        return int(self.page.url.rsplit("/", 1)[1])

    @property
    def state(self) -> Locator:
        return self.visitor.get("request-state")

    def first_waiting(self) -> None:
        """From the overview's list of what waits, into the request."""
        self.visitor.go("overview")
        self.page.locator('[data-testid^="need-sharing"]').first.click()
        self.visitor.get("request-table").locator("tbody a").first.click()
        expect(self.state).to_be_visible()

    def agree(self, comment: str) -> None:
        self.visitor.get("consult-comment").fill(comment)
        self.visitor.get("consult-agree").click()

    def row(self, code: str) -> Locator:
        return self.page.locator(f'[data-testid="decision-row"][data-code="{code}"]')

    def decide(self, code: str, outcome: str, reason: str = "") -> None:
        row = self.row(code)
        row.get_by_test_id(f"outcome-{outcome}").click()
        if reason:
            box = row.get_by_test_id("refusal-reason").locator("input")
            box.fill(reason)
            self.page.get_by_role("option", name=reason, exact=True).first.click()

    def send_decision(self) -> None:
        self.visitor.get("decision-send").click()
        expect(self.visitor.get("request-cameras")).to_be_visible()

    def revoke(self, reason: str) -> None:
        """On the grant's page."""
        self.visitor.get("revoke").click()
        self.visitor.get("reason-text").fill(reason)
        self.visitor.get("reason-confirm").click()


class Live:
    """调阅."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.page = visitor.page

    @property
    def player(self) -> Locator:
        return self.visitor.get("player")

    @property
    def ending(self) -> Locator:
        return self.visitor.get("player-ending")

    def start(self, code: str) -> None:
        self.visitor.open(f"/cameras/{code}/live")
        self.visitor.get("reason-duty").click()

    def start_measured(self, code: str) -> float:
        """Seconds from the press to the first moving picture, by the page's own clock."""
        self.visitor.open(f"/cameras/{code}/live")
        expect(self.visitor.get("reason-duty")).to_be_enabled()
        self.page.evaluate(
            """() => { const look = pressed => {
                    const video = document.querySelector('[data-testid=player][data-state=playing] video');
                    if (video && video.currentTime > 0 && video.getVideoPlaybackQuality().totalVideoFrames > 0)
                        window.waited = (performance.now() - pressed) / 1000;
                    else requestAnimationFrame(() => look(pressed)); };
                document.addEventListener('click', () => look(performance.now()), { capture: true, once: true }); }"""
        )
        self.visitor.get("reason-duty").click()
        return self.page.wait_for_function("() => window.waited").json_value()

    def note_the_end(self) -> None:
        """From now on the page notes at which moment its player said that it is over, in milliseconds of the epoch."""
        self.page.evaluate(
            """() => { const player = document.querySelector('[data-testid=player]');
                new MutationObserver(() => { if (player.dataset.state === 'ended') window.over ??= Date.now(); })
                    .observe(player, { attributeFilter: ['data-state'] }); }"""
        )

    def over(self) -> float:
        return self.page.evaluate("() => window.over")

    def watch(self, code: str) -> None:
        self.start(code)
        expect(self.player).to_have_attribute("data-state", "playing", timeout=20_000)

    def shown(self) -> dict[str, Any]:
        """What the video element itself says."""
        return self.page.evaluate(
            """() => { const v = document.querySelector('[data-testid=player] video');
                return { time: v.currentTime, width: v.videoWidth, height: v.videoHeight, paused: v.paused,
                         frames: v.getVideoPlaybackQuality().totalVideoFrames } }"""
        )

    def picture(self) -> str:
        """The picture now, small, as text that can be compared."""
        return self.page.evaluate(
            """() => { const v = document.querySelector('[data-testid=player] video');
                const c = document.createElement('canvas'); c.width = 64; c.height = 36;
                c.getContext('2d').drawImage(v, 0, 0, 64, 36); return c.toDataURL() }"""
        )
