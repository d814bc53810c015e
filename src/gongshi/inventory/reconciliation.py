"""Declared against seen: what a unit filed, and what its platforms show over GB/T 28181 (C-LIVE, G-082)."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access import rights
from gongshi.access.actions import Action
from gongshi.access.subjects import Subject
from gongshi.inventory.ports import SeenChannel
from gongshi.inventory.schemas import ReconciliationOut, SeenOut
from gongshi.kit import clock
from gongshi.registry import repository as registry
from gongshi.registry.items import Sight, camera_item, names
from gongshi.registry.models import REMOVED, Organisation
from gongshi.registry.schemas import CameraItem

MOST = 1_000
"""Rows per list; whoever has more differences than this has another problem first."""


async def reconcile(
    session: AsyncSession, subject: Subject, organisation: Organisation, seen: Sequence[SeenChannel]
) -> ReconciliationOut:
    """Compare by code. Removed cameras need not be seen."""
    declared = [row for row in await registry.cameras_of(session, organisation.id) if row.status != REMOVED]
    by_code = {channel.code: channel for channel in seen}
    unseen = [row for row in declared if row.code not in by_code]
    declared_codes = {row.code for row in declared}
    undeclared = [channel for code, channel in by_code.items() if code not in declared_codes]
    known = await names(session)
    at = clock.now()
    shown = unseen[:MOST]
    snapshot = await rights.load(session, subject=subject, camera_ids=[row.id for row in shown])
    items: list[CameraItem] = []
    for row in shown:
        see = snapshot.decide(subject, Action.SEE, row.id, at)
        live = snapshot.decide(subject, Action.LIVE, row.id, at)
        allowed = [a.wire for a in Action if snapshot.decide(subject, a, row.id, at).allowed]
        until = live.not_after if live.allowed else see.not_after
        items.append(camera_item(row, known, Sight(see.basis, live.allowed, until, see.grant_id, allowed, False)))
    return ReconciliationOut(
        declared_unseen=items,
        seen_undeclared=[
            SeenOut(
                peer={"id": channel.peer_id, "name": channel.peer_name},
                code=channel.code,
                name=channel.name,
                longitude=channel.longitude,
                latitude=channel.latitude,
                status=channel.status,
            )
            for channel in undeclared[:MOST]
        ],
        matched=len(declared) - len(unseen),
        truncated=len(unseen) > MOST or len(undeclared) > MOST,
    )
