"""Rights from the database: loaded once for one question, or followed for many (design.md §4 and §6)."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access import repository
from gongshi.access.actions import Action
from gongshi.access.decisions import Decision
from gongshi.access.follower import RightsFollower, RightsUnavailable
from gongshi.access.snapshot import RightsSnapshot, build
from gongshi.access.subjects import Subject

__all__ = ["RightsFollower", "RightsSnapshot", "RightsUnavailable", "decide_now", "load"]


async def load(
    session: AsyncSession,
    *,
    subject: Subject | None = None,
    camera_ids: Collection[int] | None = None,
    horizon: datetime | None = None,
) -> RightsSnapshot:
    """A snapshot as the session's transaction sees it.

    With `subject` and `camera_ids` only what concerns them is read, which makes it cheap enough for one decision.
    Rights over before `horizon` are left out; None keeps them all, so that any past moment can be asked.
    """
    epoch = await repository.epoch(session)
    groups = [repository.group_of(row) for row in await session.execute(repository.groups_query(camera_ids))]
    keys = None if subject is None else subject.holders()
    if keys is not None and not keys:
        return build(epoch, groups, (), {})
    rights = [repository.right_of(row) for row in await session.execute(repository.rights_query(horizon, keys))]
    named = [right.id for right in rights if right.scope == "cameras"]
    listed = await session.execute(repository.listed_query(named, camera_ids)) if named else ()
    return build(epoch, groups, rights, {row[0]: repository.ids_of(row[1]) for row in listed})


async def decide_now(session: AsyncSession, subject: Subject, action: Action, camera_id: int, at: datetime) -> Decision:
    """One decision from the database itself: inside the transaction that opens a session, and when no snapshot is."""
    snapshot = await load(session, subject=subject, camera_ids=[camera_id])
    return snapshot.decide(subject, action, camera_id, at)
