"""One node, from its database to its last role: start in order, say when ready, stop in order."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine, Generator
from pathlib import Path

import structlog

from gongshi.kit.errors import Problem, Unavailable
from gongshi.kit.i18n import Text
from gongshi.node.nursery import Nursery
from gongshi.node.roles.parts import stop_event
from gongshi.node.runtime import ROLE_NAMES, Runtime
from gongshi.node.supervisor import ROLES, Supervisor

log = structlog.get_logger(__name__)

_READY_WITHIN = 150.0
"""Generous: a machine that is busy with something else starts slowly, and failing then helps nobody."""


@contextlib.contextmanager
def prepared_database(runtime: Runtime) -> Generator[None]:
    """The database, started when it is ours and migrated in any case; stopped again at the end."""
    from gongshi.node.migrate import migrate  # noqa: PLC0415 -- roles import this module and never migrate

    if runtime.embedded is not None:
        runtime.embedded.start()
    try:
        migrate(runtime.owner_url, runtime.application_role)
        yield
    finally:
        if runtime.embedded is not None:
            runtime.embedded.stop()


@contextlib.contextmanager
def reachable_database(runtime: Runtime) -> Generator[None]:
    """The database for one command: the running node's, or started for the length of the block."""
    if runtime.embedded is None or runtime.embedded.answers():
        yield
        return
    with prepared_database(runtime):
        yield


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncGenerator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def running_roles(
    runtime: Runtime, configuration: Path, nursery: Nursery | None = None
) -> AsyncGenerator[Supervisor]:
    """All roles on this machine, ready when the block begins."""
    supervisor = Supervisor(nursery)
    try:
        for role in ROLES:
            supervisor.add_role(role, configuration)
        await wait_ready(runtime, ROLES)
        async with _beside(keep_database(runtime)):
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


async def keep_database(runtime: Runtime) -> None:
    """Start the embedded database again when it dies; the roles wait for it and deny meanwhile."""
    server = runtime.embedded
    while server is not None:
        await asyncio.sleep(0.3)
        if server.running:
            continue
        log.error("database.died")
        try:
            # Not in a thread: PostgreSQL is to die with the thread that started it, and that must be this one.
            server.start()
            log.info("database.restarted")
        except Problem as problem:
            log.error("database.start_failed", reason=problem.detail.en)  # noqa: TRY400 -- the reason is the whole story
            await asyncio.sleep(3)


async def serve(runtime: Runtime, configuration: Path, nursery: Nursery | None = None) -> None:
    """Run the node until SIGINT or SIGTERM."""
    stop = stop_event()
    async with running_roles(runtime, configuration, nursery):
        web = runtime.settings.web
        log.info("node.ready", address=f"http://{web.host}:{web.port}", code=runtime.settings.node.code)
        await stop.wait()
        log.info("node.stopping")
