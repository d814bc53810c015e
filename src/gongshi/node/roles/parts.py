"""What the roles share: answering other roles, and ending when a part of theirs ends."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

import structlog

from gongshi.node.rpc import RpcServer
from gongshi.node.runtime import Runtime

log = structlog.get_logger(__name__)

Handlers = Mapping[str, Callable[..., Awaitable[object]]]


STOP_WITHIN = 9.0
"""Seconds a role has to stop in good form: less than the supervisor's patience, which may not be there any more."""


def stop_event(within: float | None = None) -> asyncio.Event:
    """An event that SIGINT and SIGTERM set; the process ends `within` so many seconds after that in any case.

    Whatever waits for ever then (a database that is gone, a part that does not notice) must not leave an orphan.
    """
    event = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if within is not None and not event.is_set():
            # A thread, because the loop itself may be what hangs.
            watch = threading.Timer(within, _overdue)
            watch.daemon = True
            watch.start()
        event.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    return event


def _overdue() -> None:
    log.error("role.stop_overdue")
    os._exit(1)


@contextlib.asynccontextmanager
async def answering(runtime: Runtime, role: str, handlers: Handlers) -> AsyncGenerator[None]:
    """Serve this role's calls; being reachable here is what "ready" means to the supervisor."""
    rpc = RpcServer(runtime.socket(role), handlers)
    await rpc.start()
    try:
        yield
    finally:
        await rpc.close()


async def until(stop: asyncio.Event, work: Mapping[str, Awaitable[object]]) -> None:
    """Run everything until told to stop; one part failing ends the process, and the supervisor starts it afresh."""
    running = {name: asyncio.ensure_future(part) for name, part in work.items()}
    waiting = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([waiting, *running.values()], return_when=asyncio.FIRST_COMPLETED)
        for name, part in running.items():
            if part.done() and not stop.is_set():
                log.error("part.ended", part=name, error=repr(part.exception()))
    finally:
        waiting.cancel()
        for part in running.values():
            part.cancel()
        await asyncio.gather(waiting, *running.values(), return_exceptions=True)
