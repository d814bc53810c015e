"""Background work of sharing: grants whose period is over are closed in the books."""

from gongshi.db.jobs import JobContext, job
from gongshi.sharing import grants

EXPIRE_EVERY = 60
"""Seconds between two runs. The rights themselves end on the second, with or without this job."""


@job("sharing.grant.expire")
async def expire_grants(context: JobContext) -> None:
    """Idempotent: takes what is due now, a few hundred per transaction."""
    while True:
        async with context.database.unit() as uow:
            if not await grants.expire(uow):
                return
