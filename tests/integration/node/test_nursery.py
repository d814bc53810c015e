"""Forked processes are what executed ones would be: direct children, with their own command line, status and end."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gongshi.node.nursery import DEMONSTRATION, NoNursery, Nursery
from gongshi.node.supervisor import Supervisor
from support.demo import wait_for

pytestmark = pytest.mark.timeout(180)
LASTING = [
    "simulate",
    "platform",
    "--host",
    "127.0.0.1",
    "--port",
    "9",
    "--code",
    "34150000552008000009",
    "--prewarm",
    "0",
]
SECRET = {"GONGSHI_SIMULATE_PASSWORD": "x"}


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def words(pid: int) -> list[str]:
    return [word for word in Path(f"/proc/{pid}/cmdline").read_text().split("\0") if word]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """With everything that a demonstration loads: a module that starts a thread would make the first test fail."""
    with Nursery(DEMONSTRATION) as running:
        yield running


async def test_a_forked_command_ends_with_its_own_status(nursery: Nursery, capfd: pytest.CaptureFixture[str]) -> None:
    good = await nursery.fork(["--version"], dict(os.environ))
    assert await good.wait() == 0
    assert good.returncode == 0
    bad = await nursery.fork(["doctor", "--config", "/nowhere/gongshi.toml"], dict(os.environ))
    assert await bad.wait() == 1
    shown = capfd.readouterr()
    assert "gongshi 0." in shown.err
    assert "/nowhere/gongshi.toml" in shown.err
    assert shown.out == ""


async def test_it_is_a_direct_child_with_its_own_command_line(nursery: Nursery) -> None:
    child = await nursery.fork(LASTING, {**os.environ, **SECRET})
    assert parent(child.pid) == os.getpid()
    wanted = [sys.executable, "-m", "gongshi", *LASTING]
    wait_for(lambda: words(child.pid) == wanted, what="the new command line")
    assert child.returncode is None
    child.kill()
    assert await asyncio.wait_for(child.wait(), 10) == -signal.SIGKILL
    child.terminate()


async def test_several_are_forked_at_once_and_end_when_asked(nursery: Nursery) -> None:
    children = await asyncio.gather(*(nursery.fork(LASTING, {**os.environ, **SECRET}) for _ in range(4)))
    assert len({child.pid for child in children}) == 4
    for child in children:
        child.terminate()
    assert {await asyncio.wait_for(child.wait(), 20) for child in children} <= {0, -signal.SIGTERM}


def test_nothing_outlives_a_killed_supervisor() -> None:
    program = f"""
import asyncio, os
from gongshi.node.nursery import Nursery

async def main() -> None:
    with Nursery(["gongshi.cli", "gongshi.simulator.cli"]) as nursery:
        child = await nursery.fork({LASTING!r}, dict(os.environ))
        print(child.pid, nursery.pid, flush=True)
        await child.wait()

asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env={**os.environ, **SECRET}
    ) as supervisor:
        assert supervisor.stdout is not None
        pids = [int(pid) for pid in supervisor.stdout.readline().split()]
        assert all(alive(pid) for pid in pids)
        supervisor.kill()
    for pid in pids:
        wait_for(lambda: not alive(pid), what=f"the end of {pid}")  # noqa: B023 -- awaited within the round


async def test_a_supervisor_whose_nursery_died_executes_instead() -> None:
    with Nursery(["gongshi.cli", "gongshi.simulator.cli"]) as nursery:
        os.kill(nursery.pid, signal.SIGKILL)
        supervisor = Supervisor(nursery)
        try:
            supervisor.add("device", LASTING, SECRET)
            end = time.monotonic() + 60
            while (process := supervisor.children["device"].process) is None and time.monotonic() < end:
                await asyncio.sleep(0.05)
            assert process is not None
            assert isinstance(process, asyncio.subprocess.Process)
            assert words(process.pid)[1:4] == ["-m", "gongshi", "simulate"]
            with pytest.raises(NoNursery):
                await nursery.fork(["--version"], {})
        finally:
            await supervisor.stop()


async def test_a_died_child_is_forked_again(nursery: Nursery) -> None:
    supervisor = Supervisor(nursery)
    try:
        supervisor.add("device", LASTING, SECRET)
        child = supervisor.children["device"]
        seen: list[int] = []
        for _ in range(2):
            while child.process is None or child.process.returncode is not None:
                await asyncio.sleep(0.02)
            seen.append(child.process.pid)
            os.kill(child.process.pid, signal.SIGKILL)
            await child.process.wait()
        assert child.restarts >= 1
        assert seen[0] != seen[1]
    finally:
        await supervisor.stop()
