"""A simulated device and a conformance run against it, with times that suit a test."""

import asyncio
import itertools
import logging
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import structlog

from gongshi.conform import Options, Patience, Report, run
from gongshi.protocols.codes import Edition
from gongshi.protocols.sip import Timers
from gongshi.simulator import Faults, PlatformConfig, SimulatedPlatform, generate_channels
from gongshi.simulator.faults import NAMED
from gongshi.simulator.video.clip import GROUPS
from gongshi.simulator.video.encoder import Format

OURS = "34150000002000000001"
DEVICE = "34150200002000000001"
PASSWORD = "agreed upon"
QUICK = Patience(
    register=10.0,
    grant=2,
    keepalive=2.0,
    answer=4.0,
    gap=3.0,
    media=8.0,
    watch=0.5,
    silence=0.4,
    hold=0.3,
    repeat=3.0,
    clip=2.0,
    operator=4.0,
    notify=4.0,
    move=0.2,
)
"""Long where only a fault must wait so long, short where every run does."""


_ports = itertools.count(20_000 + os.getpid() * 37 % 10_000)


def free_port() -> int:
    """A port below those that the system gives out by itself, free for UDP and TCP."""
    while True:
        port = next(_ports)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.socket() as stream:
            try:
                datagrams.bind(("127.0.0.1", port))
                stream.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def device(port: int, second: int, edition: Edition, faults: Faults, cache: Path) -> PlatformConfig:
    channels = [replace(channel, codec="h264") for channel in generate_channels(4, DEVICE)]
    channels[3] = replace(channels[3], online=False)
    return PlatformConfig(
        code=DEVICE,
        password=PASSWORD,
        host="127.0.0.1",
        port=port,
        channels=channels,
        name="模拟设备",
        server_code=OURS,
        edition=edition,
        keepalive=0.25,
        retry=(0.1, 0.2),
        format=Format(320, 192, 15),
        cache=cache,
        tree=True,
        voice=True,
        answer_delay=0.05,
        position_interval=0.2,
        timers=Timers(t1=0.1),
        trusted_servers=(f"127.0.0.1:{second}",),
        faults=faults,
    )


async def draw(cache: Path) -> None:
    """Make all pictures of the camera that is looked at, so that no run has to."""
    platform = SimulatedPlatform(device(free_port(), free_port(), Edition.E2016, Faults(), cache))
    async with platform:
        clip = platform.calls._clip(platform.config.channels[0])
        await asyncio.gather(*(asyncio.wrap_future(clip.request(group)) for group in range(GROUPS)))


@asynccontextmanager
async def running(platform: SimulatedPlatform) -> AsyncGenerator[None]:
    async def live() -> None:
        # The tool listens first: a device that meets nobody waits before it tries again.
        await asyncio.sleep(0.05)
        async with platform:
            await asyncio.Event().wait()

    task = asyncio.create_task(live())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def conform(faults: Faults, cache: Path, edition: Edition = Edition.E2016, **options: object) -> Report:
    """Run the tool as an upper against a simulated device with these faults."""
    port, second = free_port(), free_port()
    platform = SimulatedPlatform(device(port, second, edition, faults, cache))

    async def prompt(what, _text) -> bool:
        if what != "alarm":
            return False
        await platform.raise_alarm(platform.config.channels[0].code)
        return True

    settings = Options(
        "upper",
        OURS,
        DEVICE,
        PASSWORD,
        host="127.0.0.1",
        port=port,
        edition=edition,
        allow=frozenset({"reboot", "redirect"}),
        redirect=("127.0.0.1", second),
        patience=QUICK,
        t1=0.2,
        prompt=prompt,
    )
    async with running(platform):
        return await run(replace(settings, **options))


def failures(names: list[str], cache: Path, at_once: int) -> dict[str, dict[str, str]]:
    """Run the named faults, so many side by side; what failed by name. For a process of its own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

    async def every() -> dict[str, dict[str, str]]:
        limit = asyncio.Semaphore(at_once)

        async def one(name: str) -> tuple[str, dict[str, str]]:
            named = next(named for named in NAMED if named.name == name)
            async with limit:
                report = await conform(named.faults(), cache, Edition(named.edition))
            return name, {result.case.id: result.seen.en for result in report.failures}

        return dict(await asyncio.gather(*(one(name) for name in names)))

    return asyncio.run(every())
