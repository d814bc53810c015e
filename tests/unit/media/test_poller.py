"""The poller drains by time while busy, stops when idle, and one bad handler stops nobody else."""

import asyncio
import logging
import socket
from collections.abc import Iterator

import pytest

from gongshi.media.embedded.poller import TICK, Poller


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


async def test_it_wakes_drains_in_batches_and_sleeps_again(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    poller = Poller(asyncio.get_running_loop())
    batches: list[int] = []

    def drain(_: float) -> None:
        count = 0
        while True:
            try:
                ours.recv(100)
            except BlockingIOError:
                break
            count += 1
        batches.append(count)

    poller.add(ours.fileno(), drain)
    await asyncio.sleep(0.02)
    assert not poller.running
    for _ in range(40):
        theirs.send(b"x")
        await asyncio.sleep(TICK / 8)
    assert poller.running
    async with asyncio.timeout(2):
        while poller.running:
            await asyncio.sleep(0.02)
    assert sum(batches) == 40
    assert len(batches) < 30, "several datagrams per wake-up"
    theirs.send(b"again")
    async with asyncio.timeout(1):
        while sum(batches) < 41:
            await asyncio.sleep(0.005)
    poller.remove(ours.fileno())
    poller.close()


async def test_a_failing_handler_is_logged_and_the_others_run(
    pair: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = pair
    other, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    other.setblocking(False)
    poller = Poller(asyncio.get_running_loop())
    got: list[bytes] = []

    def fail(_: float) -> None:
        ours.recv(100)
        raise RuntimeError("hostile")

    poller.add(ours.fileno(), fail)
    poller.add(other.fileno(), lambda _: got.append(other.recv(100)))
    theirs.send(b"a")
    sender.send(b"b")
    with caplog.at_level(logging.ERROR):
        async with asyncio.timeout(1):
            while not got or "hostile" not in caplog.text:
                await asyncio.sleep(0.005)
    assert got == [b"b"]
    poller.close()
    other.close()
    sender.close()
