"""Background work of the inventory."""

from typing import Any

from gongshi.db.jobs import JobContext, job
from gongshi.db.uow import Actor
from gongshi.inventory import accepting, checking


@job("inventory.check")
async def check(context: JobContext, *, filing_id: int) -> None:
    """Read and check an upload; safe to run twice."""
    await checking.run(context.database, context.objects, filing_id)


@job("inventory.accept")
async def accept(context: JobContext, *, filing_id: int, actor: dict[str, Any], request_id: str | None = None) -> None:
    """Write an accepted filing into the registry; safe to run twice."""
    await accepting.run(context.database, filing_id, Actor(**actor), request_id)
