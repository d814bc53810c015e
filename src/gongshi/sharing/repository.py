"""All SQL of the sharing room."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.models import Right
from gongshi.identity.models import Account
from gongshi.registry.models import Camera, Organisation, Region
from gongshi.sharing.models import (
    Decision,
    Grant,
    GrantCamera,
    Request,
    RequestCamera,
    Serial,
)

RUNNING = ("in_force", "suspended")
OPEN_STATES = ("consult", "approve")


@dataclass(frozen=True, slots=True)
class CameraRow:
    """What the sharing pages show of a camera: the catalogue's reduced field set and no more (design.md §6)."""

    id: int
    code: str
    name: str
    organisation_id: int
    organisation_name: str
    region_code: str
    region_name: str
    place: str | None
    longitude: float | None
    latitude: float | None
    point_class: int | None
    place_class: str | None
    sensitive: bool
    sharing_class: str


_CAMERA = (
    Camera.id,
    Camera.code,
    Camera.name,
    Camera.organisation_id,
    Organisation.short_name,
    Camera.region_code,
    func.coalesce(Region.name, ""),
    Camera.place_text,
    Camera.longitude,
    Camera.latitude,
    Camera.point_class,
    Camera.place_class,
    Camera.sensitive,
    Camera.sharing_class,
)


async def cameras(session: AsyncSession, condition: ColumnElement[bool]) -> list[CameraRow]:
    """Cameras that fit a condition, in the order of their codes."""
    rows = await session.execute(
        select(*_CAMERA)
        .join(Organisation, Organisation.id == Camera.organisation_id)
        .outerjoin(Region, Region.code == Camera.region_code)
        .where(condition)
        .order_by(Camera.code)
    )
    return [CameraRow(*row) for row in rows]


async def cameras_by_code(
    session: AsyncSession, codes: Collection[str], condition: ColumnElement[bool]
) -> list[CameraRow]:
    return await cameras(session, and_(Camera.code.in_(codes), condition))


async def cameras_by_id(session: AsyncSession, ids: Collection[int]) -> list[CameraRow]:
    return await cameras(session, Camera.id.in_(ids))


async def organisation(session: AsyncSession, organisation_id: int) -> Organisation:
    return (await session.scalars(select(Organisation).where(Organisation.id == organisation_id))).one()


async def organisations(session: AsyncSession, ids: Collection[int]) -> dict[int, Organisation]:
    rows = await session.scalars(select(Organisation).where(Organisation.id.in_(ids)))
    return {row.id: row for row in rows}


async def account_names(session: AsyncSession, ids: Collection[int]) -> dict[int, str]:
    rows = await session.execute(select(Account.id, Account.display_name).where(Account.id.in_(ids)))
    return {row[0]: row[1] for row in rows}


async def people_of(session: AsyncSession, organisation_id: int) -> int:
    """How many accounts of an organisation are active: whom a grant reaches."""
    count = select(func.count()).where(Account.organisation_id == organisation_id, Account.disabled_at.is_(None))
    return int(await session.scalar(count) or 0)


async def next_number(session: AsyncSession, kind: str, year: int) -> int:
    """The next serial of a kind and year, without gaps: the row stays locked until the commit."""
    statement = (
        insert(Serial)
        .values(kind=kind, year=year, last=1)
        .on_conflict_do_update(index_elements=["kind", "year"], set_={"last": Serial.last + 1})
        .returning(Serial.last)
    )
    return int((await session.execute(statement)).scalar_one())


# Requests


async def request(session: AsyncSession, request_id: int, *, lock: bool = False) -> Request | None:
    query = select(Request).where(Request.id == request_id).execution_options(populate_existing=True)
    return (await session.scalars(query.with_for_update() if lock else query)).one_or_none()


async def replace_cameras(session: AsyncSession, request_id: int, camera_ids: Sequence[int]) -> None:
    await session.execute(delete(RequestCamera).where(RequestCamera.request_id == request_id))
    if camera_ids:
        await session.execute(
            insert(RequestCamera), [{"request_id": request_id, "camera_id": camera_id} for camera_id in camera_ids]
        )


async def request_cameras(session: AsyncSession, request_id: int) -> list[RequestCamera]:
    rows = await session.scalars(
        select(RequestCamera)
        .where(RequestCamera.request_id == request_id)
        .execution_options(populate_existing=True)
        .order_by(RequestCamera.camera_id)
    )
    return list(rows)


async def clear_outcomes(session: AsyncSession, request_id: int) -> None:
    await session.execute(
        update(RequestCamera)
        .where(RequestCamera.request_id == request_id)
        .values(outcome=None, reason=None, narrowed=None)
    )


async def set_outcome(
    session: AsyncSession,
    request_id: int,
    camera_id: int,
    outcome: str,
    reason: str | None,
    narrowed: dict[str, Any] | None,
) -> None:
    await session.execute(
        update(RequestCamera)
        .where(RequestCamera.request_id == request_id, RequestCamera.camera_id == camera_id)
        .values(outcome=outcome, reason=reason, narrowed=narrowed)
    )


async def decisions(session: AsyncSession, request_id: int) -> list[Decision]:
    rows = await session.scalars(select(Decision).where(Decision.request_id == request_id).order_by(Decision.id))
    return list(rows)


async def requests(
    session: AsyncSession,
    *,
    condition: ColumnElement[bool],
    states: Collection[str] = (),
    before: int | None = None,
    limit: int,
) -> list[tuple[Request, int]]:
    """Requests with their number of cameras, newest first."""
    counted = select(func.count()).where(RequestCamera.request_id == Request.id).correlate(Request).scalar_subquery()
    query = select(Request, counted).where(condition).order_by(Request.id.desc()).limit(limit)
    if states:
        query = query.where(Request.state.in_(states))
    if before is not None:
        query = query.where(Request.id < before)
    return [(row[0], int(row[1])) for row in await session.execute(query)]


def made_by_organisation(organisation_id: int) -> ColumnElement[bool]:
    return Request.organisation_id == organisation_id


def made_by_account(account_id: int) -> ColumnElement[bool]:
    return Request.created_by == account_id


def not_draft() -> ColumnElement[bool]:
    """Nobody but the asking unit reads a draft, or what it withdrew before sending."""
    return Request.submitted_at.is_not(None)


def made_inside(prefix: str, level: str | None = None) -> ColumnElement[bool]:
    """Made by an organisation inside a region (its digits without the trailing zeros), of one level when given."""
    inside = select(Organisation.id).where(func.starts_with(Organisation.region_code, prefix))
    if level is not None:
        inside = inside.where(Organisation.level == level)
    return Request.organisation_id.in_(inside)


def other_than(organisation_id: int | None, account_id: int) -> ColumnElement[bool]:
    return and_(Request.organisation_id != (organisation_id or 0), Request.created_by != account_id)


async def count_requests(session: AsyncSession, condition: ColumnElement[bool]) -> int:
    return int(await session.scalar(select(func.count()).select_from(Request).where(condition)) or 0)


# Grants


async def count_grants(session: AsyncSession, condition: ColumnElement[bool], now: datetime) -> int:
    """Those in force at this moment."""
    running = and_(Grant.state == "in_force", Grant.valid_from <= now, Grant.valid_to > now)
    return int(await session.scalar(select(func.count()).select_from(Grant).where(running, condition)) or 0)


async def grant(session: AsyncSession, grant_id: int, *, lock: bool = False) -> Grant | None:
    query = select(Grant).where(Grant.id == grant_id).execution_options(populate_existing=True)
    return (await session.scalars(query.with_for_update() if lock else query)).one_or_none()


async def grants_of_request(session: AsyncSession, request_id: int) -> list[Grant]:
    return list(await session.scalars(select(Grant).where(Grant.request_id == request_id).order_by(Grant.id)))


async def grant_cameras(session: AsyncSession, grant_id: int) -> list[tuple[GrantCamera, Right]]:
    """The cameras of a grant with the terms that hold for each."""
    rows = await session.execute(
        select(GrantCamera, Right)
        .join(Right, Right.id == GrantCamera.right_id)
        .where(GrantCamera.grant_id == grant_id)
        .order_by(GrantCamera.camera_id)
    )
    return [(row[0], row[1]) for row in rows]


async def grants(
    session: AsyncSession,
    *,
    condition: ColumnElement[bool],
    states: Collection[str] = (),
    organisation_id: int | None = None,
    camera_code: str | None = None,
    now: datetime,
    before: int | None = None,
    limit: int,
) -> list[tuple[Grant, int]]:
    """Grants with their number of cameras, newest first. A grant whose period is over counts as expired."""
    counted = select(func.count()).where(GrantCamera.grant_id == Grant.id).correlate(Grant).scalar_subquery()
    query = select(Grant, counted).where(condition).order_by(Grant.id.desc()).limit(limit)
    if states:
        over = and_(Grant.state.in_(RUNNING), Grant.valid_to <= now)
        by_state = and_(Grant.state.in_(states), ~over)
        query = query.where(or_(by_state, over) if "expired" in states else by_state)
    if organisation_id is not None:
        query = query.where(Grant.organisation_id == organisation_id)
    if camera_code is not None:
        query = query.where(
            exists().where(
                GrantCamera.grant_id == Grant.id, GrantCamera.camera_id == Camera.id, Camera.code == camera_code
            )
        )
    if before is not None:
        query = query.where(Grant.id < before)
    return [(row[0], int(row[1])) for row in await session.execute(query)]


def granted_to(organisation_id: int) -> ColumnElement[bool]:
    return Grant.organisation_id == organisation_id


def granted_inside(prefix: str) -> ColumnElement[bool]:
    inside = select(Organisation.id).where(func.starts_with(Organisation.region_code, prefix))
    return Grant.organisation_id.in_(inside)


async def running_grants(
    session: AsyncSession, camera_ids: Collection[int], now: datetime, organisation_id: int | None = None
) -> list[tuple[int, Grant, Right]]:
    """(camera, grant, right) of grants that are or will be in force over some cameras, longest first."""
    query = (
        select(GrantCamera.camera_id, Grant, Right)
        .join(Grant, Grant.id == GrantCamera.grant_id)
        .join(Right, Right.id == GrantCamera.right_id)
        .where(
            GrantCamera.camera_id.in_(camera_ids),
            Grant.state.in_(RUNNING),
            Right.ended_at.is_(None),
            Right.valid_to > now,
        )
        .order_by(Right.valid_to.desc(), Grant.id)
    )
    if organisation_id is not None:
        query = query.where(Grant.organisation_id == organisation_id)
    return [(row[0], row[1], row[2]) for row in await session.execute(query)]


async def due_grants(session: AsyncSession, now: datetime, limit: int = 200) -> list[Grant]:
    """Running grants whose period is over, locked; those that another process holds are left to it."""
    rows = await session.scalars(
        select(Grant)
        .where(Grant.state.in_(RUNNING), Grant.valid_to <= now)
        .order_by(Grant.valid_to)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(rows)


async def open_requests_over(session: AsyncSession, camera_id: int) -> int:
    """How many requests for a camera wait for a decision."""
    query = (
        select(func.count())
        .select_from(RequestCamera)
        .join(Request, Request.id == RequestCamera.request_id)
        .where(RequestCamera.camera_id == camera_id, Request.state.in_(OPEN_STATES))
    )
    return int(await session.scalar(query) or 0)
