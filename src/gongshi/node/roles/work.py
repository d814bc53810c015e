"""The work role: jobs, the sequencer of the log, and what falls due."""

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError

from gongshi.audit.sequencer import Sequencer
from gongshi.audit.service import use_algorithm
from gongshi.db import jobs
from gongshi.db.engine import Database
from gongshi.db.events import prune
from gongshi.db.uow import UnitOfWork
from gongshi.node.jobs import DECLARED
from gongshi.node.log import keepers, signer
from gongshi.node.roles.parts import STOP_WITHIN, answering, log, stop_event, until
from gongshi.node.runtime import Runtime
from gongshi.sharing import grants

_EXPIRE_EVERY = 30.0
"""Only the books wait for this: the rights themselves end on the second."""
_PRUNE_EVERY = 600.0
_EVENTS_KEPT = 86_400.0
_PATIENCE = 120.0
"""Seconds for one statement: imports write more at once than a page asks for."""


async def run(runtime: Runtime) -> None:
    """Work until SIGINT or SIGTERM."""
    use_algorithm(runtime.settings.audit.algorithm)
    stop = stop_event(STOP_WITHIN)
    database = runtime.database(patience=_PATIENCE)
    log.info("jobs.declared", rooms=len(DECLARED))
    queue = jobs.application(jobs.JobContext(database, runtime.objects(), runtime.database_url))
    audit = runtime.settings.audit
    first, *witnesses = keepers(runtime)
    sequencer = Sequencer(
        runtime.database_url,
        signer(runtime),
        first,
        witnesses=witnesses,
        algorithm=audit.algorithm,
        every_entries=audit.checkpoint_entries,
        every_seconds=audit.checkpoint_seconds,
    )
    async with queue.open_async(), answering(runtime, "work", {}):
        try:
            await until(
                stop,
                {
                    "jobs": queue.run_worker_async(
                        wait=True,
                        install_signal_handlers=False,
                        concurrency=2,
                        delete_jobs="successful",
                        update_heartbeat_interval=jobs.HEARTBEAT,
                        stalled_worker_timeout=jobs.STALLED,
                    ),
                    "recovery": jobs.recover(queue),
                    "sequencer": sequencer.run(),
                    "expiry": _repeat("expiry", database, grants.expire, _EXPIRE_EVERY),
                    "pruning": _repeat("pruning", database, _prune, _PRUNE_EVERY),
                },
            )
        finally:
            await database.close()


async def _repeat(name: str, database: Database, turn: Callable[[UnitOfWork], Awaitable[int]], every: float) -> None:
    """One turn after another until nothing is left to do, then again after `every` seconds."""
    while True:
        try:
            while True:
                async with database.unit() as uow:
                    if not await turn(uow):
                        break
        except SQLAlchemyError as error:
            log.warning(f"{name}.postponed", error=type(error).__name__)
        await asyncio.sleep(every)


async def _prune(uow: UnitOfWork) -> int:
    return await prune(uow, older=_EVENTS_KEPT)
