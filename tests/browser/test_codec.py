"""A camera whose coding this browser cannot show: the page says so in words, and says what helps."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from browser.conftest import Visit
from browser.outside import unconnected, vacant_peer
from browser.pages import Live
from support.demo import Demo, wait_for

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def h265(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Code of a camera that sends H.265, on the peer that the demonstration leaves to visitors."""
    folder = tmp_path_factory.mktemp("h265")
    police = demo.client("jingcha")
    vacant = vacant_peer(demo)
    camera = unconnected(police, str(vacant["organisation"]["id"]))
    channel = {"code": camera["code"], "name": camera["name"], "codec": "h265", "scene": "lake", "civil_code": "341502"}
    (folder / "catalogue.json").write_text(json.dumps([channel], ensure_ascii=False), encoding="utf-8")
    sip = demo.ready["sip"]
    log = folder / "platform.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "gongshi",
                    "simulate",
                    "platform",
                    "--host",
                    sip["host"],
                    "--port",
                    str(sip["port"]),
                ),
                *(
                    "--code",
                    vacant["code"],
                    "--server-code",
                    sip["code"],
                    "--catalog-file",
                    str(folder / "catalogue.json"),
                ),
                *("--cache", str(folder / "clips")),
            ],
            env={**os.environ, "GONGSHI_SIMULATE_PASSWORD": vacant["password"]},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(
            lambda: police.get(f"/cameras/{camera['code']}").json()["online"],
            within=60,
            what=f"the platform, {log},",
        )
        yield camera["code"]
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize(
    ("lang", "advice"), [("zh-CN", "请管理单位把设备改为 H.264"), ("en", "H.264")], ids=["zh", "en"]
)
def test_a_codec_that_the_browser_lacks_is_said_in_words(visit: Visit, h265: str, lang: str, advice: str) -> None:
    visitor = visit("jingcha", lang=lang)
    live = Live(visitor)
    live.start(h265)
    expect(live.player).to_have_attribute("data-state", "error", timeout=30_000)
    expect(live.ending).to_have_attribute("data-code", "codec")
    expect(live.ending).to_contain_text("H.265")
    expect(live.player).to_contain_text(advice)
