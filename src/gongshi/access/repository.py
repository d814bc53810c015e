"""All SQL of the access room except the filter `visible`."""

import sys
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pyroaring import BitMap
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    Text,
    and_,
    any_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.models import Epoch, IdempotencyKey, Right, RightCamera
from gongshi.access.snapshot import CameraGroup, RightRow, bitmap
from gongshi.access.subjects import Key
from gongshi.registry.models import Camera

CHANNEL: Final = "gongshi_rights"
REMOVED: Final = 3
"""`registry.camera.status` of a camera that was taken down (X-09)."""
_INSERT_CHUNK = 10_000


def epoch_query() -> Select[int]:
    """The epoch; no row means that nothing was ever granted (epoch 0)."""
    return select(Epoch.value).where(Epoch.id == 1)


def _among(column: Any, ids: Collection[int]) -> ColumnElement[bool]:
    """`column = ANY(ids)`: one parameter however many ids there are."""
    return column == any_(literal(list(ids), ARRAY(Integer)))


async def epoch(session: AsyncSession) -> int:
    return (await session.scalar(epoch_query())) or 0


async def advance_epoch(session: AsyncSession) -> int:
    """Lock the epoch's row until the commit, count up and tell every follower."""
    value = await session.scalar(
        text(
            "INSERT INTO access.epoch (id, value) VALUES (1, 1) "
            "ON CONFLICT (id) DO UPDATE SET value = access.epoch.value + 1 RETURNING value"
        ).columns(value=BigInteger)
    )
    if value is None:
        raise RuntimeError("the rights epoch could not be advanced")
    await session.execute(select(func.pg_notify(CHANNEL, str(value))))
    return value


def _packed(column: Any) -> Any:
    """Many ids as one value: PostgreSQL's binary array form, some fifty times quicker to read than text."""
    return func.array_send(func.array_agg(column, type_=Integer), type_=LargeBinary)


def groups_query(camera_ids: Collection[int] | None = None) -> Select[int, str, str, bytes]:
    """Cameras in place, grouped by what matters for access; of `camera_ids` only, when given."""
    query = (
        select(Camera.organisation_id, Camera.region_code, Camera.sharing_class, _packed(Camera.id))
        .where(Camera.status != REMOVED)
        .group_by(Camera.organisation_id, Camera.region_code, Camera.sharing_class)
    )
    return query if camera_ids is None else query.where(_among(Camera.id, camera_ids))


def rights_query(horizon: datetime | None, keys: Collection[Key] | None = None) -> Select[*tuple[Any, ...]]:
    """Rights that have not ended and whose period was not over before `horizon`; of some holders only, when given."""
    query = select(
        Right.id,
        Right.subject_kind,
        Right.subject_id,
        Right.basis,
        Right.basis_id,
        Right.actions,
        Right.scope,
        Right.scope_value,
        Right.valid_from,
        Right.valid_to,
        Right.hours,
        Right.limits,
        Right.suspended_at.is_not(None),
    ).where(Right.ended_at.is_(None))
    if horizon is not None:
        query = query.where(or_(Right.valid_to.is_(None), Right.valid_to > horizon))
    if keys is not None:
        query = query.where(
            or_(*(and_(Right.subject_kind == kind, Right.subject_id == holder) for kind, holder in keys))
        )
    return query.order_by(Right.id)


def listed_query(right_ids: Collection[int], camera_ids: Collection[int] | None = None) -> Select[int, bytes]:
    """The cameras of rights with scope `cameras`."""
    query = (
        select(RightCamera.right_id, _packed(RightCamera.camera_id))
        .where(_among(RightCamera.right_id, right_ids))
        .group_by(RightCamera.right_id)
    )
    return query if camera_ids is None else query.where(_among(RightCamera.camera_id, camera_ids))


async def insert_right(session: AsyncSession, right: Right, camera_ids: Sequence[int]) -> int:
    """Add a right with its cameras; returns its id."""
    session.add(right)
    await session.flush()
    rows = [{"right_id": right.id, "camera_id": camera_id} for camera_id in camera_ids]
    for start in range(0, len(rows), _INSERT_CHUNK):
        await session.execute(insert(RightCamera), rows[start : start + _INSERT_CHUNK])
    return right.id


async def end_rights(
    session: AsyncSession,
    *,
    at: datetime,
    code: str,
    reason: str,
    basis: str | None = None,
    basis_id: int | None = None,
    right_ids: Collection[int] | None = None,
    camera_ids: Collection[int] | None = None,
) -> list[int]:
    """End the running rights of one basis, or some by id; returns the ids of those that ended now."""
    statement = update(Right).where(Right.ended_at.is_(None))
    if right_ids is not None:
        statement = statement.where(_among(Right.id, right_ids))
    else:
        statement = statement.where(Right.basis == basis, Right.basis_id == basis_id)
    if camera_ids is not None:
        covered = select(RightCamera.right_id).where(_among(RightCamera.camera_id, camera_ids))
        statement = statement.where(Right.id.in_(covered))
    ended = await session.scalars(statement.values(ended_at=at, end_code=code, end_reason=reason).returning(Right.id))
    return sorted(ended)


async def suspend_rights(session: AsyncSession, *, basis: str, basis_id: int, at: datetime | None) -> list[int]:
    """Suspend (`at` given) or resume (None) the running rights of one basis; returns their ids."""
    changed = await session.scalars(
        update(Right)
        .where(Right.basis == basis, Right.basis_id == basis_id, Right.ended_at.is_(None))
        .values(suspended_at=at)
        .returning(Right.id)
    )
    return sorted(changed)


async def rights_by_id(session: AsyncSession, right_ids: Iterable[int]) -> Mapping[int, Right]:
    """Rows as they stand, ended or not."""
    rows = await session.scalars(select(Right).where(_among(Right.id, list(right_ids))))
    return {row.id: row for row in rows}


async def lock_right(session: AsyncSession, right_id: int) -> Right | None:
    """The row locked until the commit, as session openings count concurrency under it (design.md §6)."""
    return await session.scalar(select(Right).where(Right.id == right_id).with_for_update())


async def rights_over_camera(session: AsyncSession, camera_id: int) -> Sequence[Right]:
    """Running rights whose scope covers a camera: who may see it."""
    camera = await session.get(Camera, camera_id)
    if camera is None:
        return []
    listed = select(RightCamera.right_id).where(RightCamera.camera_id == camera_id)
    rows = await session.scalars(
        select(Right)
        .where(
            Right.ended_at.is_(None),
            or_(
                and_(Right.scope == "cameras", Right.id.in_(listed)),
                and_(Right.scope == "organisation", Right.scope_value == str(camera.organisation_id)),
                and_(Right.scope == "region", covers_region(Right.scope_value, camera.region_code)),
            ),
        )
        .order_by(Right.id)
    )
    return rows.all()


async def rights_held(session: AsyncSession, kind: str, holder: int) -> Sequence[Right]:
    """Running rights of one holder, the oldest first."""
    query = (
        select(Right)
        .where(Right.subject_kind == kind, Right.subject_id == holder, Right.ended_at.is_(None))
        .order_by(Right.id)
    )
    return list(await session.scalars(query))


async def cameras_named(session: AsyncSession, right_ids: Collection[int]) -> Mapping[int, int]:
    """How many cameras each right with scope `cameras` names."""
    query = (
        select(RightCamera.right_id, func.count())
        .where(_among(RightCamera.right_id, right_ids))
        .group_by(RightCamera.right_id)
    )
    return {row[0]: row[1] for row in await session.execute(query)}


def covers_region(scope_value: Any, region_code: Any) -> Any:
    """SQL twin of `subjects.within`: the digits before trailing pairs of zeros must begin the region's code."""
    prefix = func.regexp_replace(scope_value, "(00)+$", "", type_=Text)
    return and_(
        func.length(prefix) >= 2,
        func.length(scope_value) % 2 == 0,
        scope_value.op("~")("^[0-9]+$"),
        func.starts_with(region_code, prefix),
    )


def ids_of(packed: bytes) -> BitMap:
    """The ids in an answer of `array_send`.

    The form is a header of 20 bytes for one dimension, then per element its length (4) and its value (4),
    all big-endian.
    """
    words = array("I", packed[20:])
    if sys.byteorder == "little":
        words.byteswap()
    return bitmap(words[1::2].tobytes())


def group_of(row: Sequence[Any]) -> CameraGroup:
    """A row of `groups_query`."""
    return CameraGroup(row[0], row[1], row[2], ids_of(row[3]))


def right_of(row: Sequence[Any]) -> RightRow:
    """A row of `rights_query`."""
    return RightRow(*row)


# Idempotency keys


async def idempotency_key(session: AsyncSession, account_id: int, key: str, since: datetime) -> IdempotencyKey | None:
    """A key that this account used since then."""
    return await session.scalar(
        select(IdempotencyKey).where(
            IdempotencyKey.account_id == account_id, IdempotencyKey.key == key, IdempotencyKey.created_at >= since
        )
    )


async def claim_key(session: AsyncSession, account_id: int, key: str, digest: bytes) -> bool:
    """Take a key; waits for a transaction that holds it, and is False when that one was committed."""
    taken = await session.scalar(
        upsert(IdempotencyKey)
        .values(account_id=account_id, key=key, digest=digest)
        .on_conflict_do_nothing()
        .returning(IdempotencyKey.account_id)
    )
    return taken is not None


async def keep_answer(session: AsyncSession, account_id: int, key: str, answer: bytes) -> None:
    await session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.account_id == account_id, IdempotencyKey.key == key)
        .values(answer=answer)
    )


async def forget_keys(session: AsyncSession, account_id: int, before: datetime) -> None:
    await session.execute(
        delete(IdempotencyKey).where(IdempotencyKey.account_id == account_id, IdempotencyKey.created_at < before)
    )
