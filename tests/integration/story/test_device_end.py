"""A device that ends the call itself: the viewer is told at once and why, not after a silence."""

import os
import signal
import time

import pytest

from support.demo import Demo, wait_for
from support.processes import family

pytestmark = pytest.mark.timeout(120)


def test_a_platform_that_hangs_up_ends_the_picture_with_its_reason(demo: Demo) -> None:
    jingcha = demo.client("jingcha")
    peer = "34150000002001000002"
    code = next(camera["code"] for camera in demo.ready["cameras"] if camera["peer"] == peer)
    session = jingcha.post(f"/cameras/{code}/sessions", json={"action": "live", "reason": "日常值守"}).json()
    process = next(p for p in family(demo) if peer in p.command and "simulate" in p.command)
    begun = time.monotonic()
    os.kill(process.pid, signal.SIGTERM)
    ended = wait_for(
        lambda: s if (s := jingcha.get(f"/sessions/{session['id']}").json())["state"] == "ended" else None, within=8
    )
    assert time.monotonic() - begun < 8
    assert ended["end_code"] == "stream_lost"
    assert "设备主动结束" in str(ended) or "离线" in str(ended)
