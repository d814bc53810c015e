"""Background work: jobs in PostgreSQL by procrastinate, written with the change that causes them.

A room's `jobs.py` declares `@job("room.verb")`; services call `defer(uow, "room.verb", …)` inside their unit of
work, so that a job exists if and only if its cause was committed. Jobs may run twice and must be idempotent.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from procrastinate import App, PsycopgConnector, RetryStrategy
from procrastinate.exceptions import ProcrastinateException
from procrastinate.jobs import Status
from sqlalchemy import text

from gongshi.db.engine import Database, plain_url
from gongshi.db.objects import Objects
from gongshi.db.uow import UnitOfWork

log = structlog.get_logger(__name__)

HEARTBEAT = 2.0
STALLED = 10.0
"""Seconds without a heartbeat after which a worker counts as dead and its jobs as nobody's."""
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a job works with."""

    database: Database
    objects: Objects
    database_url: str


JobFunction = Callable[..., Awaitable[None]]

_JOBS: dict[str, JobFunction] = {}


def job(name: str) -> Callable[[JobFunction], JobFunction]:
    """Register a job: `async def f(context: JobContext, **arguments)`."""

    def register(function: JobFunction) -> JobFunction:
        if name in _JOBS:
            message = f"job {name} is declared twice"
            raise ValueError(message)
        _JOBS[name] = function
        return function

    return register


async def defer(uow: UnitOfWork, name: str, **arguments: Any) -> int:
    """Queue a job in this transaction; it starts after the commit. Returns the job's number."""
    if name not in _JOBS:
        message = f"no such job: {name}"
        raise LookupError(message)
    row = await uow.session.execute(
        text(
            "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW('default', :name, 0, NULL, NULL, CAST(:args AS jsonb), NULL)"
            "::procrastinate_job_to_defer_v1])"
        ),
        {"name": name, "args": json.dumps(arguments)},
    )
    return int(row.scalar_one()[0])


def application(context: JobContext) -> App:
    """The queue with every declared job bound to this node's database and object store."""
    app = App(connector=PsycopgConnector(conninfo=plain_url(context.database_url), max_size=4, min_size=1))
    for name, function in _JOBS.items():
        app.task(name=name, retry=RetryStrategy(max_attempts=ATTEMPTS, exponential_wait=2))(
            _bound(function, context, name)
        )
    return app


def _bound(function: JobFunction, context: JobContext, name: str) -> JobFunction:
    async def run(**arguments: Any) -> None:
        log.info("job.started", job=name, **arguments)
        try:
            await function(context, **arguments)
        except Exception:
            log.exception("job.failed", job=name, **arguments)
            raise
        log.info("job.done", job=name, **arguments)

    return run


async def recover(queue: App) -> None:
    """Put the jobs of workers that died back into the queue, until cancelled.

    A job counts as orphaned when two looks in a row find its worker without a heartbeat: after the database was away,
    the first look finds the living stale as well.
    """
    suspects: set[int] = set()
    while True:
        try:
            stalled = await queue.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED)
            found = {stuck.id: stuck for stuck in stalled if stuck.id is not None}
            for number in suspects & found.keys():
                stuck = found[number]
                if stuck.attempts < ATTEMPTS:
                    log.warning("job.orphaned", job=stuck.task_name, number=number, attempts=stuck.attempts)
                    await queue.job_manager.retry_job(stuck)
                else:
                    # Whatever it does, it takes its worker with it.
                    log.error("job.abandoned", job=stuck.task_name, number=number, attempts=stuck.attempts)
                    await queue.job_manager.finish_job(stuck, status=Status.FAILED, delete_job=False)
            suspects = set(found)
        except ProcrastinateException as error:
            log.warning("job.recovery.postponed", error=type(error).__name__)
        await asyncio.sleep(HEARTBEAT * 1.5)
