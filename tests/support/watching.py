"""Opening a camera by the API and watching it."""

from dataclasses import dataclass
from typing import Any

import httpx

from support.demo import Demo, wait_for
from support.viewer import Viewer

TOURISM = "34150000552008000001"
"""The simulated platform that speaks UDP."""
POLICE = "34150000002001000002"
"""The one that speaks TCP."""


def cameras(demo: Demo, peer: str) -> list[str]:
    return [camera["code"] for camera in demo.ready["cameras"] if camera["peer"] == peer]


def vacant_peer(demo: Demo) -> dict[str, str]:
    """Code and password of the peer that nobody simulates."""
    taken = {camera["peer"] for camera in demo.ready["cameras"]}
    return next(peer for peer in demo.ready["peers"] if peer["code"] not in taken)


def opening(client: httpx.Client, code: str) -> httpx.Response:
    return client.post(f"/cameras/{code}/sessions", json={"action": "live", "reason": "防汛值守"})


@dataclass
class Watched:
    """An open session and its viewer."""

    client: httpx.Client
    id: str
    urls: dict[str, str | None]
    viewer: Viewer

    def state(self) -> dict[str, Any]:
        return self.client.get(f"/sessions/{self.id}").json()

    def ended(self, within: float = 10.0) -> dict[str, Any]:
        """Wait until the books say that it is over."""
        return wait_for(
            lambda: state if (state := self.state()).get("state") in {"ended", "failed"} else None,
            within=within,
            what="the end of the session",
        )

    def close(self) -> None:
        assert self.client.delete(f"/sessions/{self.id}").status_code == 204
        self.viewer.over(5)


def watch(client: httpx.Client, code: str) -> Watched:
    """Open a camera and wait for its picture."""
    answer = opening(client, code)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    return Watched(client, body["id"], body["urls"], Viewer(body["urls"]["flv"]).playing())


def ready(demo: Demo) -> dict[str, Any]:
    """What /readyz says; `{}` when not even the web process answers."""
    try:
        return httpx.get(f"{demo.url}/readyz", timeout=15).json()
    except httpx.HTTPError:
        return {}


def all_well(demo: Demo, within: float = 30.0) -> None:
    """Wait until every part answers again."""
    wait_for(lambda: ready(demo).get("status") == "ok", within=within, what="readiness")
