"""The other side of the signalling, on a loop of its own: Playwright keeps the test's thread for itself."""

import asyncio
import threading
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from gongshi.simulator.config import Channel, PlatformConfig
from gongshi.simulator.platform import SimulatedPlatform
from gongshi.simulator.video.encoder import Format
from support.demo import Demo, wait_for

T = TypeVar("T")


class Outside:
    """Runs coroutines of the simulator beside the test."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="outside", daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, T], within: float = 60.0) -> T:
        """The result of a coroutine."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(within)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def vacant_peer(demo: Demo) -> dict[str, Any]:
    """The peer that the demonstration leaves to visitors, with its password."""
    known = {peer["code"]: peer["password"] for peer in demo.ready["peers"]}
    peers = demo.client("guanli").get("/peers").json()["items"]
    found = next(peer for peer in peers if peer["code"] in known and peer["state"] != "online")
    return found | {"password": known[found["code"]]}


def unconnected(client: httpx.Client, organisation: str) -> dict[str, Any]:
    """A registered camera that no platform shows yet, of the unit if it has one; the last, so that no other test minds."""
    for narrowed in ({"organisation": organisation}, {}):
        listed = client.get("/cameras", params=narrowed | {"limit": "200"}).json()["items"]
        found = next((camera for camera in reversed(listed) if not camera["online"]), None)
        if found is not None:
            return found
    raise AssertionError("every camera is connected")


@contextmanager
def platform_with_a_dome(demo: Demo, folder: Path) -> Generator[tuple[Outside, SimulatedPlatform, dict[str, Any]]]:
    """A visitor's platform with one camera that turns; ends when left."""
    police = demo.client("jingcha")
    peer = vacant_peer(demo)
    camera = unconnected(police, str(peer["organisation"]["id"]))
    sip = demo.ready["sip"]
    config = PlatformConfig(
        peer["code"],
        peer["password"],
        sip["host"],
        sip["port"],
        [Channel(camera["code"], camera["name"], civil_code="341502", scene="lake", ptz=True)],
        server_code=sip["code"],
        keepalive=5.0,
        format=Format(width=320, height=176),
        cache=folder / "clips",
    )
    outside = Outside()
    try:

        async def begin() -> SimulatedPlatform:
            platform = SimulatedPlatform(config)
            await platform.__aenter__()
            await platform.wait_registered()
            return platform

        platform = outside.do(begin())
        try:
            wait_for(
                lambda: police.get(f"/cameras/{camera['code']}").json()["online"],
                within=60,
                what="the camera of the visitor's platform",
            )
            yield outside, platform, camera | {"peer": peer["id"]}
        finally:
            outside.do(platform.__aexit__(None, None, None))
    finally:
        outside.close()
