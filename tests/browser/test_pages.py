"""Every page, in both languages, both themes and on both sizes of screen: whole, quiet, readable and reachable."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Request, Response, ViewportSize, expect

from browser.conftest import DESKTOP, OUTPUT, PHONE, OpenContext, Watch
from support.demo import Demo, free_port, wait_for

pytestmark = pytest.mark.timeout(120)
CHINA = timezone(timedelta(hours=8))
AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
LOCALES = Path(__file__).parents[2] / "web" / "src" / "locales" / "zh-CN"
# An entry of the log that tells of a search names the event that was searched for.
EVENTS = set(
    re.findall(
        r"[a-z_]+\.[a-z_]+\.[a-z_]+", (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
    )
)
TOURISM = "34150000552008000001"

# Headless Chromium draws the map on the processor and says so when a screenshot reads it back.
DRAWN_IN_SOFTWARE = re.compile(r"GL Driver Message|GPU stall due to ReadPixels|software WebGL")


@dataclass(frozen=True, slots=True)
class Furnished:
    """What the pages show: addresses are filled from here."""

    own: str
    granted: str
    refused: str
    flawed: int
    submitted: int
    deciding: int
    consulting: int
    decided: int
    grant: int
    peer: int
    upper: int
    names: list[str]
    """What cameras, places and units are called; these stay Chinese in either language."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One page as one role meets it."""

    name: str
    who: str | None
    path: str


PAGES = (
    Sight("login", None, "/login"),
    Sight("password", "wenlv", "/password"),
    Sight("overview-agency", "wenlv", "/"),
    Sight("overview-police", "jingcha", "/"),
    Sight("overview-admin", "guanli", "/"),
    Sight("todo", "jingcha", "/todo"),
    Sight("cameras-list", "yingji", "/cameras"),
    Sight("cameras-split", "yingji", "/cameras?view=split"),
    Sight("cameras-map", "yingji", "/cameras?view=map"),
    Sight("camera-owner", "wenlv", "/cameras/{own}"),
    Sight("camera-police", "jingcha", "/cameras/{own}"),
    Sight("camera-catalogue", "yingji", "/cameras/{refused}"),
    Sight("live-reason", "yingji", "/cameras/{granted}/live"),
    Sight("live-not-mine", "yingji", "/cameras/{refused}/live"),
    Sight("wall", "jingcha", "/live"),
    Sight("peers", "guanli", "/peers"),
    Sight("peer", "wenlv", "/peers/{peer}"),
    Sight("peer-facts", "guanli", "/peers/{peer}?tab=answers"),
    Sight("peer-subscriptions", "guanli", "/peers/{peer}?tab=subscriptions"),
    Sight("peer-messages", "guanli", "/peers/{peer}?tab=trace"),
    Sight("uppers", "guanli", "/uppers"),
    Sight("upper", "jingcha", "/uppers/{upper}"),
    Sight("upper-rights", "jingcha", "/uppers/{upper}?tab=rights"),
    Sight("upper-messages", "guanli", "/uppers/{upper}?tab=trace"),
    Sight("alarms", "jingcha", "/alarms?state=all"),
    Sight("playback-reason", "jingcha", "/cameras/{granted}/live?mode=playback"),
    Sight("filings", "wenlv", "/inventory"),
    Sight("filing-findings", "wenlv", "/inventory/filings/{flawed}"),
    Sight("filing-to-accept", "bangongshi", "/inventory/filings/{submitted}"),
    Sight("reconciliation", "wenlv", "/inventory/reconciliation"),
    Sight("requests", "yingji", "/sharing/requests"),
    Sight("request-form", "yingji", "/sharing/requests/new?cameras={granted},{refused}"),
    Sight("request-consult", "shuju", "/sharing/requests/{consulting}"),
    Sight("request-decide", "jingcha", "/sharing/requests/{deciding}"),
    Sight("request-decided", "yingji", "/sharing/requests/{decided}"),
    Sight("grants", "jingcha", "/sharing/grants"),
    Sight("grant", "jingcha", "/sharing/grants/{grant}"),
    Sight("audit", "shenji", "/audit"),
    Sight("users", "guanli", "/users"),
    Sight("forbidden", "yingji", "/audit"),
    Sight("missing", "wenlv", "/no/such/page"),
)

OPENED_ON_A_PHONE = {
    "login",
    "overview-police",
    "cameras-split",
    "live-reason",
    "filing-findings",
    "request-decide",
    "peer-messages",
}


def names_in(client: httpx.Client) -> list[str]:
    """The longest first, so that no name is cut by a shorter one."""
    found = {
        item.get(key)
        for what in ("regions", "organisations")
        for item in client.get(f"/{what}").json()["items"]
        for key in ("name", "short_name")
    }
    cursor: str | None = ""
    while cursor is not None:
        page = client.get("/cameras", params={"limit": 200} | ({"cursor": cursor} if cursor else {})).json()
        found |= {item[key] for item in page["items"] for key in ("name", "place", "region_name")}
        found |= {item["organisation"]["name"] for item in page["items"]}
        cursor = page["next_cursor"]
    return sorted(found - {None, ""}, key=len, reverse=True)


def connected_upwards(demo: Demo) -> int:
    """An upper platform that nobody runs, with a county opened to it."""
    upper = {
        "code": "34000000002000000009",
        "name": "省视频共享平台",
        "host": "127.0.0.1",
        "port": free_port(),
        "organisation": "police",
        "own_code": demo.ready["sip"]["code"],
        "password": "as it gave us",
    }
    added = demo.client("guanli").post("/uppers", json=upper)
    assert added.status_code == 201, added.text
    right = {"scope": "region", "value": "341502", "actions": ["see", "live"], "concurrency": 8}
    given = demo.client("jingcha").post(f"/uppers/{added.json()['id']}/rights", json=right)
    assert given.status_code == 201, given.text
    return added.json()["id"]


@pytest.fixture(scope="module")
def furnished(demo: Demo) -> Furnished:
    """One of everything, made by scripts, so that no page stands empty."""
    wenlv, yingji, shuju = demo.client("wenlv"), demo.client("yingji"), demo.client("shuju")
    jingcha = demo.client("jingcha")
    codes = [camera["code"] for camera in demo.ready["cameras"] if camera["peer"] == TOURISM]
    granted, refused = codes[2], codes[3]

    def file(part: str, *, dry_run: bool) -> int:
        path = demo.sample(part)
        form = {"file": (path.name, path.read_bytes())}
        answer = wenlv.post("/inventory/filings", files=form, data={"dry_run": str(dry_run).lower()})
        assert answer.status_code == 202, answer.text
        number = answer.json()["id"]
        wait_for(
            lambda: wenlv.get(f"/inventory/filings/{number}").json()["state"] in {"checked", "draft"},
            within=60,
            what="the check of the form",
        )
        return number

    def ask(*, consulted: bool) -> int:
        now = datetime.now(CHINA)
        body = {
            "cameras": [granted, refused],
            "actions": ["live"],
            "purpose": "防汛抗旱值守",
            "legal_basis": "《中华人民共和国突发事件应对法》",
            "valid_from": now.isoformat(),
            "valid_to": (now + timedelta(days=30)).isoformat(),
            "delivery": ["portal"],
        }
        number = yingji.post("/share-requests", json=body).json()["id"]
        assert yingji.post(f"/share-requests/{number}/submit").status_code == 200
        if consulted:
            agreed = {"stage": "consult", "outcome": "agreed", "comment": "与值守职责相符"}
            assert shuju.post(f"/share-requests/{number}/decisions", json=agreed).status_code == 200
        return number

    flawed, submitted = file("含问题", dry_run=True), file("已更正", dry_run=False)
    assert wenlv.post(f"/inventory/filings/{submitted}/submit", json={}).status_code == 200
    decided, deciding, consulting = ask(consulted=True), ask(consulted=True), ask(consulted=False)
    items = [
        {"camera": granted, "outcome": "approved"},
        {"camera": refused, "outcome": "refused", "reason": "目的无需此点位画面即可达成"},
    ]
    outcome = {"stage": "approve", "items": items, "comment": "同意一路"}
    assert jingcha.post(f"/share-requests/{decided}/decisions", json=outcome).status_code == 200
    grant = yingji.get(f"/share-requests/{decided}").json()["grants"][0]["id"]
    opened = jingcha.post(f"/cameras/{granted}/sessions", json={"action": "live", "reason": "日常巡查"}).json()
    jingcha.delete(f"/sessions/{opened['id']}")
    peer = next(p["id"] for p in wenlv.get("/peers").json()["items"] if p["code"] == TOURISM)
    return Furnished(
        upper=connected_upwards(demo),
        own=codes[0],
        granted=granted,
        refused=refused,
        flawed=flawed,
        submitted=submitted,
        deciding=deciding,
        consulting=consulting,
        decided=decided,
        grant=grant,
        peer=peer,
        names=names_in(wenlv),
    )


class Traffic:
    """Requests under way and those that went wrong; the stream of events never ends and is left out."""

    def __init__(self, page: Page) -> None:
        self.open: set[Request] = set()
        self.failed: list[str] = []
        page.on("request", self._begun)
        page.on("requestfinished", self._done)
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def _begun(self, request: Request) -> None:
        if not request.url.endswith("/api/v1/events"):
            self.open.add(request)

    def _done(self, request: Request) -> None:
        self.open.discard(request)

    def _failed(self, request: Request) -> None:
        self.open.discard(request)
        # A page that is left, or a list that is asked anew, gives up what it no longer needs.
        if request.failure != "net::ERR_ABORTED":
            self.failed.append(f"{request.failure} {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.failed.append(f"{response.status} {response.url}")


def settle(page: Page, traffic: Traffic) -> None:
    """Until the page has its headline, no skeleton, no fading and nothing under way."""
    expect(page.locator("h1").first).to_be_visible()
    wait_for(lambda: page.wait_for_timeout(60) or not traffic.open, within=20, what="the end of all requests")
    page.wait_for_function(
        """() => !document.querySelector('.skeleton') && document.fonts.status === 'loaded'
            && [...document.querySelectorAll('[data-testid=map] .canvas')].every(map => map.dataset.drawn)
            && document.getAnimations().every(a => a.playState !== 'running' || a.effect?.getTiming().iterations === Infinity)"""
    )


def untranslated(page: Page) -> list[str]:
    """A key of a text that has no words shows itself as `room.name`."""
    rooms = "|".join(sorted(path.stem for path in LOCALES.glob("*.json")))
    keys = re.findall(rf"(?<![\w./@-])(?:{rooms})\.[a-zA-Z_]+(?:\.\w+)*", page.inner_text("body"))
    return sorted(set(keys) - EVENTS)


WORDS_OF_THE_PAGE = """() => [...document.querySelectorAll(
    'button, th, dt, label, legend, h2, input, [role=tab], [role=radio], [role=region], nav a')]
    .filter(e => e.offsetParent !== null && !e.closest('[lang=zh-CN], [data-testid=who]'))
    .map(e => [e.role === 'region' ? '' : e.innerText, e.getAttribute('aria-label'), e.getAttribute('placeholder')].filter(Boolean).join(' | '))"""


def not_english(page: Page, names: list[str]) -> list[str]:
    """Words of the interface that stayed Chinese; what people and places are called, and what was quoted, may."""
    found: list[str] = []
    for text in page.evaluate(WORDS_OF_THE_PAGE):
        rest = re.sub("“[^”]*”", "", text)
        for name in names:
            rest = rest.replace(name, "")
        if re.search("[\u4e00-\u9fff]", rest):
            found.append(text)
    return found


WIDER_THAN_THE_SCREEN = """() => {
    const wide = [document.documentElement, document.body, document.querySelector('main')]
        .filter(e => e && e.scrollWidth > e.clientWidth + 1);
    if (wide.length === 0) return [];
    const scrolls = e => { for (let p = e.parentElement; p && p.tagName !== 'MAIN'; p = p.parentElement)
        if (/auto|scroll|hidden|clip/.test(getComputedStyle(p).overflowX)) return true; return false; };
    return [...document.querySelectorAll('main *')]
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !scrolls(e))
        .slice(0, 6).map(e => `${e.tagName}.${e.className} ${Math.round(e.getBoundingClientRect().right)}`)
        .concat(wide.map(e => `${e.tagName} ${e.scrollWidth}`)); }"""


def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2 A and AA, one line per rule with the first places."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate(
        """async () => (await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'],
            resultTypes: ['violations'] })).violations"""
    )
    return [
        f"{rule['id']}: {rule['help']}: "
        + " ; ".join(f"{node['html'][:160]} {(node['failureSummary'] or '')[-220:]}" for node in rule["nodes"][:3])
        for rule in found
    ]


def inspect(page: Page, sight: Sight, furnished: Furnished, *, english: bool, phone: bool, dark: bool) -> list[str]:
    """All faults of the page as it stands; its picture is kept for people to look at."""
    OUTPUT.mkdir(exist_ok=True)
    screen, language, theme = "phone" if phone else "desktop", "en" if english else "zh", "dark" if dark else "light"
    name = f"{sight.name}-{screen}-{language}-{theme}"
    page.screenshot(path=OUTPUT / f"page-{name}.png")
    faults = [f"key without words: {key}" for key in untranslated(page)] + violations(page)
    if english:
        faults += [f"not in English: {text}" for text in not_english(page, furnished.names)]
    if phone:
        faults += [f"wider than the screen: {what}" for what in page.evaluate(WIDER_THAN_THE_SCREEN)]
    return [f"{name}: {fault}" for fault in faults]


def show(page: Page, sight: Sight, furnished: Furnished, traffic: Traffic, language: str) -> None:
    """Opens the page in light colours and one language."""
    page.add_init_script(
        f"""if (!sessionStorage.getItem('begun')) {{ sessionStorage.setItem('begun', '1');
            localStorage.setItem('gongshi.language', '{language}');
            localStorage.setItem('gongshi.theme', 'light') }}"""
    )
    page.goto(sight.path.format_map({name: getattr(furnished, name) for name in Furnished.__slots__}))
    settle(page, traffic)


def switch_language(page: Page, traffic: Traffic) -> None:
    page.get_by_test_id("language").first.click()
    page.mouse.move(0, 0)
    settle(page, traffic)


def darken(page: Page) -> None:
    toggle = page.get_by_role("button", name=re.compile("切换到深色|Switch to dark"))
    if toggle.count():
        toggle.click()
    else:
        page.evaluate("() => document.documentElement.classList.add('dark')")


@pytest.mark.parametrize("sight", PAGES, ids=lambda sight: sight.name)
def test_a_page_is_whole(sight: Sight, furnished: Furnished, contexts: OpenContext) -> None:
    """Light and Chinese, then dark and English, on the wide screen and on the narrow one."""
    page = contexts(sight.who, False).new_page()
    watch, traffic = Watch(), Traffic(page)
    watch.expected = [DRAWN_IN_SOFTWARE]
    watch.follow(page)
    wide = ViewportSize(width=DESKTOP[0], height=DESKTOP[1])
    narrow = ViewportSize(width=PHONE[0], height=PHONE[1])
    try:
        show(page, sight, furnished, traffic, "zh-CN")
        faults = inspect(page, sight, furnished, english=False, phone=False, dark=False)
        page.set_viewport_size(narrow)
        settle(page, traffic)
        faults += inspect(page, sight, furnished, english=False, phone=True, dark=False)
        darken(page)
        switch_language(page, traffic)
        faults += inspect(page, sight, furnished, english=True, phone=True, dark=True)
        page.set_viewport_size(wide)
        settle(page, traffic)
        faults += inspect(page, sight, furnished, english=True, phone=False, dark=True)
    finally:
        page.close()
    told = faults + traffic.failed + watch.unexpected
    assert not told, "\n".join(told)


@pytest.mark.parametrize("sight", [s for s in PAGES if s.name in OPENED_ON_A_PHONE], ids=lambda sight: sight.name)
def test_a_page_opens_on_a_phone_in_english(sight: Sight, furnished: Furnished, contexts: OpenContext) -> None:
    """As before, but never shown on another screen or in another language, and held in a hand."""
    page = contexts(sight.who, True).new_page()
    watch, traffic = Watch(), Traffic(page)
    watch.expected = [DRAWN_IN_SOFTWARE]
    watch.follow(page)
    try:
        show(page, sight, furnished, traffic, "en")
        faults = inspect(page, sight, furnished, english=True, phone=True, dark=False)
    finally:
        page.close()
    told = faults + traffic.failed + watch.unexpected
    assert not told, "\n".join(told)
