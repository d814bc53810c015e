"""Signalling servers in processes of their own."""

import asyncio
import contextlib
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gongshi.kit.i18n import Text
from gongshi.node.rpc import RpcClient

TESTS = Path(__file__).resolve().parents[2]


class Process:
    """A server in a process of its own."""

    def __init__(self, process, port, control):
        self.process = process
        self.port = port
        self.client = RpcClient(control, Text("信令服务", "signalling server"))

    async def kill(self):
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def online(self):
        """Codes of the peers that are registered with it."""
        return {peer["code"] for peer in await self.client.call("peers") if peer["state"] == "online"}


@pytest.fixture
async def processes(world, tmp_path):
    """Starts servers on the world's database."""
    async with AsyncExitStack() as stack:
        count = 0

        async def start(port=0, proxies=()):
            nonlocal count
            count += 1
            control = tmp_path / f"c{count}"
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "support.signal_process",
                world.url,
                str(port),
                str(control),
                *proxies,
                env={**os.environ, "PYTHONPATH": str(TESTS)},
                stdout=asyncio.subprocess.PIPE,
            )
            made = Process(process, 0, control)

            async def end():
                await made.client.close()
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                await process.wait()

            stack.push_async_callback(end)
            assert process.stdout is not None
            while line := (await asyncio.wait_for(process.stdout.readline(), 60)).decode():
                if line.strip().isdigit():
                    made.port = int(line)
                    break
            return made

        yield start
