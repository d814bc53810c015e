"""All SQL of sessions and streams."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.models import Right
from gongshi.access.repository import REMOVED
from gongshi.identity.models import Account, AccountRole, Login
from gongshi.media.models import Session, Stream
from gongshi.registry.models import Camera, Organisation

RUNNING = ("opening", "open")


@dataclass(frozen=True, slots=True)
class CameraRef:
    """What the log and the errors need to say about a camera."""

    id: int
    code: str
    name: str
    organisation_id: int
    region_code: str


async def camera_by_code(session: AsyncSession, code: str) -> CameraRef | None:
    """The camera of a code, unless it was taken down."""
    row = (
        await session.execute(
            select(Camera.id, Camera.code, Camera.name, Camera.organisation_id, Camera.region_code).where(
                Camera.code == code, Camera.status != REMOVED
            )
        )
    ).one_or_none()
    return None if row is None else CameraRef(*row)


async def camera_by_id(session: AsyncSession, camera_id: int) -> CameraRef | None:
    row = (
        await session.execute(
            select(Camera.id, Camera.code, Camera.name, Camera.organisation_id, Camera.region_code).where(
                Camera.id == camera_id
            )
        )
    ).one_or_none()
    return None if row is None else CameraRef(*row)


async def running_under(session: AsyncSession, right_id: int) -> list[str]:
    """Names of those who have pictures open under a right; call with the right's row locked."""
    rows = await session.scalars(
        select(Session.subject_name).where(Session.right_id == right_id, Session.state.in_(RUNNING))
    )
    return list(rows)


async def lock(session: AsyncSession, session_id: UUID) -> Session | None:
    """The session's row, held until the commit."""
    return (
        await session.scalars(
            select(Session).where(Session.id == session_id).with_for_update().execution_options(populate_existing=True)
        )
    ).one_or_none()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A session as the agent takes it over: the row, its camera, the right's limits and the person as they are now."""

    row: Session
    camera_code: str
    camera_name: str
    limits: dict[str, Any]
    region_code: str
    level: str
    roles: frozenset[str]


def _roles() -> Any:
    return (
        select(func.array_agg(AccountRole.role))
        .where(AccountRole.account_id == Session.subject_id)
        .correlate(Session)
        .scalar_subquery()
    )


async def waiting(session: AsyncSession, session_id: UUID) -> Waiting | None:
    row = (
        await session.execute(
            select(
                Session, Camera.code, Camera.name, Right.limits, Organisation.region_code, Organisation.level, _roles()
            )
            .join(Camera, Camera.id == Session.camera_id)
            .outerjoin(Right, Right.id == Session.right_id)
            .outerjoin(Organisation, Organisation.id == Session.organisation_id)
            .where(Session.id == session_id)
        )
    ).one_or_none()
    if row is None:
        return None
    return Waiting(row[0], row[1], row[2], row[3] or {}, row[4] or "", row[5] or "", frozenset(row[6] or ()))


async def people_now(
    session: AsyncSession, login_ids: Collection[UUID], at: datetime
) -> dict[UUID, tuple[int, frozenset[str]]]:
    """(organisation, roles) of each login that is still in force, of an account that is not disabled."""
    rows = await session.execute(
        select(
            Login.id,
            Account.organisation_id,
            select(func.array_agg(AccountRole.role))
            .where(AccountRole.account_id == Account.id)
            .correlate(Account)
            .scalar_subquery(),
        )
        .join(Account, Account.id == Login.account_id)
        .where(Login.id.in_(login_ids), Login.ended_at.is_(None), Login.expires_at > at, Account.disabled_at.is_(None))
    )
    return {row[0]: (row[1], frozenset(row[2] or ())) for row in rows}


async def left_open(session: AsyncSession) -> list[UUID]:
    """Sessions that a former agent left behind."""
    return list(await session.scalars(select(Session.id).where(Session.state.in_(RUNNING))))


async def end_streams(
    session: AsyncSession, *, code: str, at: datetime, channel_id: int | None = None, keep: Collection[UUID] = ()
) -> list[UUID]:
    """Close the books on running streams (of one channel, when given) except those to `keep`; returns their ids."""
    statement = update(Stream).where(Stream.state.in_(("opening", "live")))
    if channel_id is not None:
        statement = statement.where(Stream.channel_id == channel_id)
    if keep:
        statement = statement.where(Stream.id.not_in(keep))
    rows = await session.scalars(statement.values(state="ended", ended_at=at, end_code=code).returning(Stream.id))
    return list(rows)


async def running_streams(session: AsyncSession) -> list[UUID]:
    """Ids of the streams that are opening or live."""
    return list(await session.scalars(select(Stream.id).where(Stream.state.in_(("opening", "live")))))


async def elect(session: AsyncSession, stream: Stream) -> bool:
    """Become the one opener of a channel's flow; False when another holds it (the unique index decides)."""
    try:
        async with session.begin_nested():
            session.add(stream)
            await session.flush()
    except IntegrityError:
        return False
    return True


async def update_stream(session: AsyncSession, stream_id: UUID, **values: Any) -> None:
    await session.execute(update(Stream).where(Stream.id == stream_id).values(**values))


async def stream(session: AsyncSession, stream_id: UUID) -> Stream | None:
    return await session.get(Stream, stream_id)


async def session_row(session: AsyncSession, session_id: UUID) -> tuple[Session, CameraRef] | None:
    rows = await sessions(session, condition=Session.id == session_id, limit=1)
    return rows[0] if rows else None


async def sessions(
    session: AsyncSession,
    *,
    condition: ColumnElement[bool],
    states: Collection[str] = (),
    camera_code: str | None = None,
    organisation_id: int | None = None,
    grant_id: int | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int,
) -> list[tuple[Session, CameraRef]]:
    """The register of sessions, newest first."""
    query = (
        select(Session, Camera.id, Camera.code, Camera.name, Camera.organisation_id, Camera.region_code)
        .join(Camera, Camera.id == Session.camera_id)
        .where(condition)
        .order_by(Session.opened_at.desc(), Session.id.desc())
        .limit(limit)
    )
    if states:
        query = query.where(Session.state.in_(states))
    if camera_code is not None:
        query = query.where(Camera.code == camera_code)
    if organisation_id is not None:
        query = query.where(Session.organisation_id == organisation_id)
    if grant_id is not None:
        query = query.where(Session.grant_id == grant_id)
    if before is not None:
        moment, last = before
        query = query.where((Session.opened_at < moment) | ((Session.opened_at == moment) & (Session.id < last)))
    return [(row[0], CameraRef(*row[1:])) for row in await session.execute(query)]


def by_subject(kind: str, subject_id: int) -> ColumnElement[bool]:
    return (Session.subject_kind == kind) & (Session.subject_id == subject_id)


async def right_limits(session: AsyncSession, right_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    rows = await session.execute(select(Right.id, Right.limits).where(Right.id.in_(right_ids)))
    return {row[0]: row[1] for row in rows}


async def count_running(session: AsyncSession) -> int:
    return int(await session.scalar(select(func.count()).where(Session.state == "open")) or 0)
