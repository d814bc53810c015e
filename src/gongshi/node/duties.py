"""Duty, the basis of rights beside grants: units see their own cameras, police its jurisdiction (design.md §6)."""

from datetime import timedelta

from sqlalchemy import select

from gongshi.access import service as access
from gongshi.access.actions import Action
from gongshi.access.models import Right
from gongshi.access.service import Scope
from gongshi.db.uow import UnitOfWork
from gongshi.kit import clock
from gongshi.registry.models import Organisation, Region

_OWNERS = {"bureau", "police", "data_bureau", "county_government", "enterprise", "operator"}
"""Kinds of organisations that may manage cameras."""
_BY_AREA = {"police": access.POLICE_ACTIONS, "data_bureau": Action.SEE, "leading_office": Action.SEE}
"""What an authority may do with every camera of its jurisdiction (G-033, G-041)."""


async def give_duties(uow: UnitOfWork) -> int:
    """Give every organisation the duty rights of its kind that it does not have yet; returns how many are new.

    They begin a minute ago, so that a clock slightly behind does not keep the first user waiting.
    """
    known = set(
        (
            await uow.session.execute(
                select(Right.subject_id, Right.scope).where(
                    Right.basis == "duty", Right.subject_kind == "organisation", Right.ended_at.is_(None)
                )
            )
        ).all()
    )
    usable = set(await uow.session.scalars(select(Region.code)))
    wanted: list[tuple[int, Action, Scope, str]] = []
    for unit in await uow.session.scalars(select(Organisation).where(Organisation.active).order_by(Organisation.id)):
        if unit.kind in _OWNERS:
            wanted.append((unit.id, access.OWNER_ACTIONS, "organisation", str(unit.id)))
        if unit.kind in _BY_AREA and unit.region_code in usable:
            wanted.append((unit.id, _BY_AREA[unit.kind], "region", unit.region_code))
    missing = [right for right in wanted if (right[0], right[2]) not in {tuple(row) for row in known}]
    for organisation_id, actions, scope, value in missing:
        await access.grant_right(
            uow,
            subject_kind="organisation",
            subject_id=organisation_id,
            basis="duty",
            basis_id=None,
            actions=actions,
            scope=scope,
            scope_value=value,
            valid_from=clock.now() - timedelta(minutes=1),
            valid_to=None,
        )
    return len(missing)
