"""One node, from its database to its last role: start in order, say when ready, stop in order."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import structlog

from gongshi.kit.errors import Problem, Unavailable
from gongshi.kit.i18n import Text
from gongshi.node.migrate import migrate
from gongshi.node.runtime import ROLE_NAMES, Runtime
from gongshi.node.supervisor import ROLES, Supervisor

log = structlog.get_logger(__name__)

_READY_WITHIN = 60.0


def stop_event() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, event.set)
    return event


@contextlib.contextmanager
def prepared_database(runtime: Runtime) -> Generator[None]:
    """The database, started when it is ours and migrated in any case; stopped again at the end."""
    if runtime.embedded is not None:
        runtime.embedded.start()
    try:
        migrate(runtime.owner_url, runtime.application_role)
        yield
    finally:
        if runtime.embedded is not None:
            runtime.embedded.stop()


@contextlib.asynccontextmanager
async def running_roles(runtime: Runtime, configuration: Path) -> AsyncGenerator[Supervisor]:
    """All roles on this machine, ready when the block begins."""
    supervisor = Supervisor()
    try:
        for role in ROLES:
            supervisor.add_role(role, configuration)
        await wait_ready(runtime, ROLES)
        yield supervisor
    finally:
        await supervisor.stop()


async def wait_ready(runtime: Runtime, roles: tuple[str, ...], within: float = _READY_WITHIN) -> None:
    """Return when every role answers; raise `Unavailable` naming the one that does not."""
    deadline = asyncio.get_running_loop().time() + within
    for role in roles:
        while not await answers(runtime, role):
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable(
                    Text(
                        f"{ROLE_NAMES[role].zh}在 {within:.0f} 秒内没有就绪，原因见上方日志",
                        f"The {ROLE_NAMES[role].en} was not ready within {within:.0f} s; see the log above",
                    ),
                    code="role_not_ready",
                )
            await asyncio.sleep(0.05)


async def answers(runtime: Runtime, role: str) -> bool:
    """Whether that role's process is up."""
    client = runtime.client(role)
    try:
        return bool(await client.call("ping", timeout=2))
    except Problem:
        return False
    finally:
        await client.close()


async def serve(runtime: Runtime, configuration: Path) -> None:
    """Run the node until SIGINT or SIGTERM."""
    stop = stop_event()
    async with running_roles(runtime, configuration):
        web = runtime.settings.web
        log.info("node.ready", address=f"http://{web.host}:{web.port}", code=runtime.settings.node.code)
        await stop.wait()
        log.info("node.stopping")
