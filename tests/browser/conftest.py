"""A demonstration node and Chromium; every page that a test opens must stay free of errors."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from browser.pages import Visitor
from gongshi.db.embedded import EmbeddedPostgres
from support.demo import Demo

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
OUTPUT = Path(__file__).parent / "output"
BUILT = Path(__file__).parents[2] / "src" / "gongshi" / "web_dist" / "index.html"
SWITCHES = [
    "--no-sandbox",
    # WebGL on the processor: the map is drawn without a graphics card.
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A machine that builds and tests at once is slow; promised deadlines are asserted where they are promised.
expect.set_options(timeout=20_000)
DESKTOP = (1440, 900)
PHONE = (390, 844)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The story comes first: it begins on a city where nothing has happened yet."""
    places = [place for place, item in enumerate(items) if Path(__file__).parent in item.path.parents]
    ours = sorted((items[place] for place in places), key=lambda item: item.path.name != "test_story.py")
    for place, item in zip(places, ours, strict=True):
        item.add_marker(pytest.mark.browser)
        items[place] = item


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    if not BUILT.exists():
        pytest.fail("The web app is not built; type: make web", pytrace=False)
    running = Demo(tmp_path_factory.mktemp("demo"))
    try:
        running.start()
        yield running
    finally:
        running.stop()
        EmbeddedPostgres(running.data).destroy()


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.fail("Chromium is missing: sudo apt-get install --yes chromium", pytrace=False)
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
    yield browser
    browser.close()


OpenContext = Callable[[str | None, bool], BrowserContext]


@pytest.fixture(scope="package")
def contexts(demo: Demo, chromium: Browser) -> Iterator[OpenContext]:
    """`contexts("wenlv", phone)`: one login per role and screen, made once and kept for all tests."""
    kept: dict[tuple[str | None, bool], BrowserContext] = {}

    def context(who: str | None, phone: bool) -> BrowserContext:
        if (who, phone) not in kept:
            width, height = PHONE if phone else DESKTOP
            made = chromium.new_context(
                viewport={"width": width, "height": height}, has_touch=phone, locale="zh-CN", base_url=demo.url
            )
            made.set_default_timeout(20_000)
            if who is not None:
                account = {"username": who, "password": demo.account(who)["password"]}
                assert made.request.post("/api/v1/login", data=account).ok
                made.add_init_script("localStorage.setItem('gongshi.signedIn', '1')")
            kept[who, phone] = made
        return kept[who, phone]

    yield context
    for made in kept.values():
        made.close()


class Watch:
    """Collects what a page complains of. A refusal that a test provokes on purpose is named by its path."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.expected: list[re.Pattern[str]] = []

    def follow(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", self._error)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text} {message.location.get('url', '')}")

    def _error(self, error: Error) -> None:
        self.complaints.append(f"uncaught: {error}")

    @property
    def unexpected(self) -> list[str]:
        return [line for line in self.complaints if not any(pattern.search(line) for pattern in self.expected)]


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(demo: Demo, chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """`visit("wenlv", lang="en", phone=True)` opens a browser of one's own and logs in through the page."""
    opened: list[tuple[Visitor, Watch]] = []

    def open_browser(username: str | None = None, *, lang: str = "zh-CN", phone: bool = False) -> Visitor:
        width, height = PHONE if phone else DESKTOP
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            # The pages show Beijing time wherever the browser thinks it is.
            timezone_id="America/New_York",
            locale="zh-CN",
            has_touch=phone,
            accept_downloads=True,
            base_url=demo.url,
        )
        context.set_default_timeout(30_000)
        context.add_init_script(
            "if (!localStorage.getItem('gongshi.language')) localStorage.setItem('gongshi.language', '" + lang + "')"
        )
        page = context.new_page()
        watch = Watch()
        watch.follow(page)
        visitor = Visitor(page, demo, watch.expected)
        opened.append((visitor, watch))
        if username is not None:
            visitor.log_in(username)
        return visitor

    yield open_browser
    complaints: list[str] = []
    for visitor, watch in opened:
        if request.session.testsfailed:
            OUTPUT.mkdir(exist_ok=True)
            name = re.sub(r"\W+", "-", request.node.name)
            visitor.page.screenshot(path=OUTPUT / f"{name}-{len(complaints)}.png")
        complaints += watch.unexpected
        visitor.page.context.close()
    assert complaints == []
