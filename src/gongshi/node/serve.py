"""One node, from its database to its last role: start in order, say when ready, stop in order."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine, Generator
from pathlib import Path

import structlog

from gongshi.kit.errors import Problem, Unavailable
from gongshi.kit.i18n import Text
from gongshi.node.failures import explained
from gongshi.node.nursery import Nursery
from gongshi.node.roles.parts import stop_event
from gongshi.node.runtime import ROLE_NAMES, Runtime
from gongshi.node.supervisor import ROLES, Supervisor

log = structlog.get_logger(__name__)

_HOPELESS = 5
"""A role that ended this often before it answered will not answer."""
_READY_WITHIN = 150.0
"""Generous: a machine that is busy with something else starts slowly, and failing then helps nobody."""


@contextlib.contextmanager
def prepared_database(runtime: Runtime) -> Generator[None]:
    """The database, started when it is ours and migrated in any case; stopped again at the end."""
    from gongshi.node.migrate import migrate  # noqa: PLC0415 -- roles import this module and never migrate

    if runtime.embedded is not None:
        runtime.embedded.start()
    try:
        with explained(runtime.owner_url):
            migrate(runtime.owner_url, runtime.application_role)
        with explained(runtime.database_url):
            yield
    finally:
        if runtime.embedded is not None:
            runtime.embedded.stop()


@contextlib.contextmanager
def reachable_database(runtime: Runtime) -> Generator[None]:
    """The database for one command: the running node's, or started for the length of the block."""
    if runtime.embedded is None or runtime.embedded.answers():
        with explained(runtime.database_url):
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
    runtime: Runtime, configuration: Path, nursery: Nursery | None = None, log_file: Path | None = None
) -> AsyncGenerator[Supervisor]:
    """All roles on this machine, ready when the block begins. What they say stands in `log_file`, or above."""
    supervisor = Supervisor(nursery)
    try:
        for role in ROLES:
            supervisor.add_role(role, configuration)
        await wait_ready(runtime, supervisor, log_file)
        async with _beside(keep_database(runtime)):
            yield supervisor
    finally:
        await supervisor.stop()


async def wait_ready(
    runtime: Runtime, supervisor: Supervisor, log_file: Path | None = None, within: float = _READY_WITHIN
) -> None:
    """Return when every role answers; `Unavailable` names the one that takes too long or dies again and again."""
    clock = asyncio.get_running_loop().time
    started = clock()
    for role in ROLES:
        while not await answers(runtime, role):
            if supervisor.children[role].restarts >= _HOPELESS:
                times = supervisor.children[role].restarts
                raise _not_ready(role, Text(f"启动 {times} 次均退出", f"ended {times} times"), log_file)
            if clock() - started > within:
                waited = f"{clock() - started:.0f}"
                raise _not_ready(role, Text(f"{waited} 秒仍未就绪", f"was not ready after {waited} s"), log_file)
            await asyncio.sleep(0.05)


def _not_ready(role: str, what: Text, log_file: Path | None) -> Unavailable:
    place = Text(f"日志 {log_file}", str(log_file)) if log_file else Text("上方日志", "the log above")
    name = ROLE_NAMES[role]
    return Unavailable(
        Text(f"{name.zh}{what.zh}，原因见{place.zh}", f"The {name.en} {what.en}; see {place.en}"),
        code="role_not_ready",
    )


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
