"""Runs a node's roles as processes of their own; one that dies is restarted alone (design.md §4)."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from gongshi.node.nursery import ForkedProcess, NoNursery, Nursery

log = structlog.get_logger(__name__)

ROLES = ("work", "media", "signal", "web")
"""In starting order."""
_STOPPING = {"web": 0, "media": 1, "signal": 3, "work": 4}
"""Nothing new is opened, then pictures end while devices can still be told and are there to hear it; then the rest."""
_OTHERS = 2
_PR_SET_PDEATHSIG = 1
_STEADY = 30.0
_MAXIMUM_DELAY = 10.0


def _die_with_parent() -> None:
    """Runs in the child: a killed supervisor must leave no orphan behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    """One supervised process."""

    name: str
    arguments: Sequence[str]
    """Of the command line `gongshi`."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    process: asyncio.subprocess.Process | ForkedProcess | None = None
    restarts: int = 0


class Supervisor:
    """Starts children, restarts those that end by themselves, stops all on request."""

    def __init__(self, nursery: Nursery | None = None) -> None:
        self._nursery = nursery
        self.children: dict[str, Child] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    def add_role(self, role: str, configuration: Path) -> None:
        """Run one role of the node described by that configuration file."""
        self.add(role, ["serve", "--role", role, "--config", str(configuration)])

    def add(self, name: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Run `gongshi ARGUMENTS` from now on."""
        self.children[name] = Child(name, arguments, environment or {})
        self._tasks[name] = asyncio.create_task(self._keep(self.children[name]))

    async def stop(self, grace: float = 10.0) -> None:
        """End everything, one after the other; what does not end in `grace` seconds is killed."""
        self._stopping = True
        for child in sorted(self.children.values(), key=lambda child: _STOPPING.get(child.name, _OTHERS)):
            process = child.process
            if process is None or process.returncode is not None:
                continue
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), grace)
            except TimeoutError:
                log.warning("role.killed", role=child.name)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _keep(self, child: Child) -> None:
        delay = 0.2
        while not self._stopping:
            started = time.monotonic()
            child.process = await self._start(child)
            log.info("role.started", role=child.name, pid=child.process.pid)
            code = await child.process.wait()
            if self._stopping:
                return
            child.restarts += 1
            log.error("role.died", role=child.name, code=code, restarts=child.restarts)
            delay = 0.2 if time.monotonic() - started > _STEADY else min(delay * 2, _MAXIMUM_DELAY)
            await asyncio.sleep(delay)

    async def _start(self, child: Child) -> asyncio.subprocess.Process | ForkedProcess:
        environment = {**os.environ, **child.environment}
        if self._nursery is not None:
            try:
                return await self._nursery.fork(child.arguments, environment)
            except NoNursery as error:
                log.warning("nursery.lost", reason=str(error))
                self._nursery = None
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gongshi", *child.arguments),
            stdin=asyncio.subprocess.DEVNULL,
            # What a child says belongs where errors go: standard output is for the person who typed the command.
            stdout=2,
            env=environment,
            preexec_fn=_die_with_parent,
        )
