"""What pages keep from whom, and that everything is reached without a mouse."""

import re
import time

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from browser.conftest import OpenContext, Visit
from support.demo import Demo

pytestmark = pytest.mark.timeout(120)

EVERYONE = ["overview", "todo", "map", "cameras"]
WATCHERS = [*EVERYONE, "live", "requests", "grants"]
DECIDERS = [*WATCHERS, "peers", "filings", "reconciliation"]
RAIL = {
    "wenlv": [*DECIDERS, "catalogue", "alarms"],
    "yingji": [*DECIDERS, "catalogue", "alarms"],
    "xianban": [*DECIDERS, "catalogue", "alarms"],
    "yingji-zhiban": WATCHERS,
    "shuju": [*DECIDERS, "uppers"],
    "jingcha": [*DECIDERS, "uppers", "alarms"],
    "bangongshi": [*DECIDERS, "uppers"],
    "shenji": [
        *EVERYONE,
        *("peers", "uppers", "filings", "reconciliation", "requests", "grants", "alarms", "audit"),
    ],
    "guanli": [*EVERYONE, "peers", "uppers", "alarms", "users"],
    "anquan": [*EVERYONE, "users"],
    "shenjiguanli": [*EVERYONE, "users", "audit"],
}
"""What each role finds in its rail; nothing else."""

CLOSED = {
    "wenlv": ["/audit", "/users", "/uppers", "/uppers/1"],
    "shuju": ["/audit", "/alarms"],
    "jingcha": ["/audit", "/users", "/sharing/requests/new"],
    "yingji-zhiban": [
        *("/audit", "/users", "/peers", "/uppers", "/alarms"),
        *("/inventory", "/inventory/filings/1", "/sharing/requests/new"),
    ],
    "shenji": ["/users", "/live", "/sharing/requests/new"],
    "guanli": ["/audit", "/inventory", "/inventory/reconciliation", "/sharing/requests", "/sharing/grants", "/live"],
    "anquan": ["/audit", "/peers", "/live"],
}
"""Addresses that a role may type and that stay shut."""


def focused(page: Page) -> Locator:
    return page.locator("*:focus")


@pytest.mark.parametrize("who", RAIL)
def test_the_rail_shows_a_role_its_own_pages_and_no_others(who: str, contexts: OpenContext) -> None:
    page = contexts(who, False).new_page()
    page.goto("/")
    expect(page.get_by_test_id("nav-overview")).to_be_visible()
    shown = page.locator("aside [data-testid^=nav-]").evaluate_all("all => all.map(e => e.dataset.testid.slice(4))")
    page.close()
    assert sorted(shown) == sorted(RAIL[who])


@pytest.mark.parametrize("who", CLOSED)
def test_a_typed_address_of_anothers_page_opens_nothing(who: str, contexts: OpenContext, demo: Demo) -> None:
    """The page says that it is shut and whom to ask, and does not even ask the server for what lies behind."""
    page = contexts(who, False).new_page()
    asked: list[str] = []
    behind = re.compile(r"/api/v1/(audit|accounts|peers|uppers|alarms|inventory|share-requests|grants|cameras)")

    def note(request: Request) -> None:
        if behind.search(request.url):
            asked.append(request.url)

    page.on("request", note)
    for path in CLOSED[who]:
        page.goto(path)
        expect(page).to_have_url(re.compile(r"/forbidden\?of="))
        expect(page.locator("h1")).to_have_text("无权进入")
        expect(page.locator("main")).to_contain_text("系统管理员")
    page.close()
    assert asked == []


def test_without_a_login_every_address_leads_to_the_login_and_back(visit: Visit, demo: Demo) -> None:
    visitor = visit()
    visitor.page.goto("/sharing/grants?state=in_force")
    expect(visitor.page).to_have_url(re.compile(r"/login\?next="))
    visitor.page.locator("#username").fill("jingcha")
    visitor.page.locator("#password").fill(demo.account("jingcha")["password"])
    visitor.get("login-submit").click()
    expect(visitor.page).to_have_url(re.compile(r"/sharing/grants\?state=in_force$"))
    visitor.log_out()
    # The way back leads through the login again, not to what was seen before.
    visitor.page.goto("/sharing/grants")
    expect(visitor.get("login-submit")).to_be_visible()


@pytest.mark.parametrize(
    "next_page", ["//example.org/", "/\\example.org", "https://example.org/", "javascript:alert(1)"]
)
def test_the_login_leads_to_no_other_site(visit: Visit, demo: Demo, next_page: str) -> None:
    visitor = visit()
    visitor.page.goto(f"/login?next={next_page}")
    visitor.page.locator("#username").fill("jingcha")
    visitor.page.locator("#password").fill(demo.account("jingcha")["password"])
    visitor.get("login-submit").click()
    expect(visitor.page).to_have_url(f"{demo.url}/")


def test_a_login_that_ended_elsewhere_is_said_and_taken_up_again(visit: Visit, demo: Demo) -> None:
    """After the login was ended at the server the next step asks for it again, then goes on where one was."""
    visitor = visit("jingcha")
    visitor.page.goto("/no/such/page")
    expect(visitor.page.locator("h1")).to_have_text("没有这个页面")
    visitor.expect_complaint(r"401 \(Unauthorized\)")
    visitor.page.context.clear_cookies()
    visitor.get("nav-grants").click()
    expect(visitor.page).to_have_url(re.compile(r"/login\?.*ended=1"))
    expect(visitor.page.get_by_text("登录已结束")).to_be_visible()
    visitor.page.locator("#username").fill("jingcha")
    visitor.page.locator("#password").fill(demo.account("jingcha")["password"])
    visitor.get("login-submit").click()
    expect(visitor.page).to_have_url(re.compile("/sharing/grants$"))


def test_a_wrong_password_is_said_without_telling_whether_the_name_exists(visit: Visit) -> None:
    visitor = visit()
    visitor.expect_complaint(r"401 \(Unauthorized\)")
    told: list[str] = []
    for name in ("wenlv", "nobody-of-this-name"):
        visitor.log_in(name, "not the password")
        problem = visitor.page.get_by_role("alert")
        expect(problem).to_have_attribute("data-code", "bad_credentials")
        told.append(problem.locator(".title").inner_text())
        expect(visitor.page.locator("#password")).to_have_value("")
    assert told[0] == told[1]


def test_a_new_account_goes_nowhere_before_it_has_a_password_of_its_own(visit: Visit, demo: Demo) -> None:
    """Made on the page by the system administrator; the password is shown once and good for one login only."""
    admin = visit("guanli")
    admin.go("users")
    admin.get("account-new").click()
    username = f"xinren{time.time_ns() % 10**9}"
    admin.page.locator("#a-username").fill(username)
    admin.page.locator("#a-name").fill("新来的人")
    admin.page.locator("#a-unit").fill("市教育局")
    admin.page.get_by_role("option", name="市教育局").first.click()
    admin.page.get_by_role("checkbox", name="调阅人员").locator("xpath=ancestor::label").click()
    admin.get("account-save").click()
    password = admin.get("account-password").inner_text().strip()

    visitor = visit()
    visitor.log_in(username, password)
    expect(visitor.page).to_have_url(re.compile("/password$"))
    visitor.page.goto("/cameras")
    expect(visitor.page).to_have_url(re.compile("/password$"))
    for field, value in (("old", password), ("next", "liu an 2026 shishi"), ("again", "liu an 2026 shishi")):
        visitor.page.locator(f"#{field}").fill(value)
    visitor.page.keyboard.press("Enter")
    expect(visitor.page).to_have_url(f"{demo.url}/")
    expect(visitor.get("who")).to_contain_text("新来的人")


def test_the_keyboard_alone_logs_in_searches_and_leaves(visit: Visit, demo: Demo) -> None:
    visitor = visit()
    page, keys = visitor.page, visitor.page.keyboard
    page.goto("/login")
    expect(page.locator("#username")).to_be_focused()
    keys.type("jingcha")
    keys.press("Tab")
    keys.type(demo.account("jingcha")["password"])
    keys.press("Enter")
    expect(visitor.get("who")).to_be_visible()

    keys.press("/")
    expect(page.locator("#global-search")).to_be_focused()
    assert page.locator("#global-search").input_value() == ""
    keys.type("步行街")
    keys.press("Enter")
    expect(page).to_have_url(re.compile(r"/cameras\?q="))
    rows = visitor.get("camera-table").locator("tbody tr")
    expect(rows.first).to_contain_text("步行街")

    page.locator("h1").click()
    keys.press("?")
    expect(page.get_by_role("dialog", name="快捷键")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_role("dialog", name="快捷键")).to_be_hidden()

    visitor.get("who").focus()
    keys.press("Enter")
    expect(visitor.get("logout")).to_be_visible()
    expect(page.get_by_role("menuitem", name="修改密码")).to_be_focused()
    keys.press("ArrowDown")
    expect(visitor.get("logout")).to_be_focused()
    keys.press("Enter")
    expect(visitor.get("login-submit")).to_be_visible()


def test_the_first_tab_jumps_over_the_rail(visit: Visit) -> None:
    visitor = visit("jingcha")
    visitor.open("/sharing/grants")
    visitor.page.keyboard.press("Tab")
    expect(focused(visitor.page)).to_have_text("跳到正文")
    box = focused(visitor.page).bounding_box()
    assert box is not None
    assert box["y"] >= 0
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.locator("main")).to_be_focused()


SEEN_FOCUS = """() => {
    const e = document.activeElement;
    if (!e || e === document.body) return { name: 'nothing', seen: true, end: true };
    const marks = [e, e.parentElement, e.closest('label, .el-input__wrapper, .el-select__wrapper, .el-radio-button, .el-tabs__item')]
        .filter(Boolean).flatMap(x => [getComputedStyle(x), getComputedStyle(x, '::before'), getComputedStyle(x, '::after'),
            ...[...x.children].slice(0, 3).map(c => getComputedStyle(c))]);
    const seen = marks.some(s => (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1) || s.boxShadow !== 'none');
    const box = e.getBoundingClientRect();
    return { name: `${e.tagName} ${e.className} ${(e.innerText || e.getAttribute('aria-label') || '').slice(0, 30)}`,
             seen, inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth }; }"""


@pytest.mark.parametrize(
    ("who", "path"),
    [("jingcha", "/"), ("yingji", "/cameras"), ("wenlv", "/inventory"), ("shenji", "/audit"), ("guanli", "/users")],
)
def test_the_focus_is_always_seen(who: str, path: str, contexts: OpenContext) -> None:
    """Tab through the whole frame and into the page: every stop shows itself and lies on the screen."""
    page = contexts(who, False).new_page()
    page.goto(path)
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator(".skeleton")).to_have_count(0)
    stops: list[str] = []
    unseen: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        stop = page.evaluate(SEEN_FOCUS)
        if stop.get("end"):
            break
        stops.append(stop["name"])
        if not stop["seen"] or not stop["inside"]:
            unseen.append(stop["name"])
    page.close()
    assert len(stops) > 12
    assert unseen == []
