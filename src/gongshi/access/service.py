"""Giving and ending rights. The rooms that own grants, duties and emergencies call this in their unit of work."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access import repository
from gongshi.access.actions import Action
from gongshi.access.decisions import Basis
from gongshi.access.hours import Hours
from gongshi.access.models import Right
from gongshi.access.subjects import region_prefix
from gongshi.db.uow import UnitOfWork
from gongshi.kit import clock
from gongshi.kit.errors import FieldError, Invalid
from gongshi.kit.i18n import Text

HolderKind = Literal["organisation", "person", "service", "upper"]
Scope = Literal["cameras", "organisation", "region"]

OWNER_ACTIONS: Final = Action.SEE | Action.LIVE | Action.PLAYBACK | Action.SNAPSHOT
"""What a managing unit's people may do with their own cameras."""

POLICE_ACTIONS: Final = OWNER_ACTIONS | Action.PTZ
"""What police video officers may do inside their jurisdiction (G-033)."""

_MAX_ID: Final = 2**31 - 1


def touch(uow: UnitOfWork) -> None:
    """Say that rights, or the cameras that they cover, change in this transaction.

    The epoch is counted up last thing before the commit, so that its row is locked for a moment only and epochs
    follow the order of commits; the NOTIFY goes out with the commit.
    """

    async def advance() -> None:
        await repository.advance_epoch(uow.session)

    uow.before_commit("access.rights", advance)


async def grant_right(
    uow: UnitOfWork,
    *,
    subject_kind: HolderKind,
    subject_id: int,
    basis: Basis,
    basis_id: int | None,
    actions: Action,
    camera_ids: Collection[int] | None = None,
    scope: Scope = "cameras",
    scope_value: str | None = None,
    valid_from: datetime,
    valid_to: datetime | None,
    hours: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
) -> int:
    """Open cameras to a holder: `camera_ids`, or all of an organisation (its id) or a region (its code).

    `see` comes with every action, since nobody can watch what they may not know of. Returns the right's id; a row's
    cameras never change afterwards. Raises Invalid when the terms make no sense.
    """
    canonical = _check(actions, camera_ids, scope, scope_value, valid_from, valid_to, hours)
    right = Right(
        subject_kind=subject_kind,
        subject_id=subject_id,
        basis=basis,
        basis_id=basis_id,
        actions=int(actions | Action.SEE),
        scope=scope,
        scope_value=scope_value,
        valid_from=valid_from,
        valid_to=valid_to,
        hours=canonical,
        limits=dict(limits or {}),
    )
    right_id = await repository.insert_right(uow.session, right, sorted(set(camera_ids or ())))
    touch(uow)
    return right_id


async def end_rights(
    uow: UnitOfWork,
    *,
    basis: Basis,
    basis_id: int,
    code: str,
    reason: str,
    camera_ids: Collection[int] | None = None,
) -> Sequence[int]:
    """End the running rights of a grant, duty or emergency (of some cameras' rights only, when given).

    `code` is the machine word (`revoked`, `withdrawn`, `expired`), `reason` what the viewer is told. Returns the ids
    of the rights that ended; their sessions are cut within 2 s (design.md §6).
    """
    ended = await repository.end_rights(
        uow.session, at=clock.now(), code=code, reason=reason, basis=basis, basis_id=basis_id, camera_ids=camera_ids
    )
    touch(uow)
    return ended


async def end_rights_by_id(uow: UnitOfWork, right_ids: Collection[int], *, code: str, reason: str) -> Sequence[int]:
    """End some rights by id; returns those that ended now."""
    ended = await repository.end_rights(uow.session, at=clock.now(), code=code, reason=reason, right_ids=right_ids)
    touch(uow)
    return ended


async def suspend_rights(uow: UnitOfWork, *, basis: Basis, basis_id: int) -> Sequence[int]:
    """Put rights on hold; returns their ids."""
    changed = await repository.suspend_rights(uow.session, basis=basis, basis_id=basis_id, at=clock.now())
    touch(uow)
    return changed


async def resume_rights(uow: UnitOfWork, *, basis: Basis, basis_id: int) -> Sequence[int]:
    """Take a suspension back; returns the ids of the rights."""
    changed = await repository.suspend_rights(uow.session, basis=basis, basis_id=basis_id, at=None)
    touch(uow)
    return changed


@dataclass(frozen=True, slots=True)
class RightState:
    """How a right stands: what a page tells a viewer whose session was cut."""

    id: int
    basis: str
    basis_id: int | None
    valid_from: datetime
    valid_to: datetime | None
    suspended_at: datetime | None
    ended_at: datetime | None
    end_code: str | None
    end_reason: str | None


async def right_state(session: AsyncSession, right_id: int) -> RightState | None:
    """How one right stands now, ended or not; None when there never was one."""
    row = (await repository.rights_by_id(session, [right_id])).get(right_id)
    return None if row is None else _state(row)


async def lock_right(uow: UnitOfWork, right_id: int) -> RightState | None:
    """The same, with the row locked until the commit: openings count concurrency under it (design.md §6)."""
    row = await repository.lock_right(uow.session, right_id)
    return None if row is None else _state(row)


@dataclass(frozen=True, slots=True)
class HeldRight:
    """A running right of one holder, as a page lists it."""

    id: int
    basis: str
    actions: Action
    scope: str
    scope_value: str | None
    cameras: int
    """How many cameras it names; 0 for a scope."""
    valid_from: datetime
    valid_to: datetime | None
    limits: Mapping[str, Any]


async def rights_held(session: AsyncSession, kind: HolderKind, holder: int) -> Sequence[HeldRight]:
    """The running rights of one holder, the oldest first."""
    rows = await repository.rights_held(session, kind, holder)
    named = await repository.cameras_named(session, [row.id for row in rows])
    return [
        HeldRight(
            row.id,
            row.basis,
            Action(row.actions),
            row.scope,
            row.scope_value,
            named.get(row.id, 0),
            row.valid_from,
            row.valid_to,
            row.limits or {},
        )
        for row in rows
    ]


def _state(row: Right) -> RightState:
    return RightState(
        id=row.id,
        basis=row.basis,
        basis_id=row.basis_id,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        suspended_at=row.suspended_at,
        ended_at=row.ended_at,
        end_code=row.end_code,
        end_reason=row.end_reason,
    )


def _check(
    actions: Action,
    camera_ids: Collection[int] | None,
    scope: Scope,
    scope_value: str | None,
    valid_from: datetime,
    valid_to: datetime | None,
    hours: Mapping[str, Any] | None,
) -> dict[str, Any] | None:
    """The terms of a right; Invalid with all that is wrong, else the hours as they are stored."""
    errors: list[FieldError] = []
    stored: dict[str, Any] | None = None
    if not actions:
        errors.append(FieldError("actions", "empty", Text("至少选择一项操作", "Choose at least one action")))
    if scope == "cameras":
        if not camera_ids:
            errors.append(FieldError("cameras", "empty", Text("至少选择一台摄像机", "Choose at least one camera")))
    elif camera_ids or not _scope_fits(scope, scope_value):
        errors.append(
            FieldError("scope", "scope", Text("授权范围不成立，请重新选择", "The scope makes no sense; choose again"))
        )
    if valid_from.tzinfo is None or (valid_to is not None and valid_to.tzinfo is None):
        raise ValueError("a right's period must be aware of its time zone")
    if valid_to is not None and valid_to <= valid_from:
        errors.append(
            FieldError(
                "valid_to",
                "period",
                Text("截止时间必须晚于开始时间", "The end must be later than the beginning"),
            )
        )
    if hours is not None:
        try:
            stored = Hours.parse(hours).stored()
        except ValueError as error:
            errors.append(
                FieldError(
                    "hours",
                    "hours",
                    Text(
                        "每日时段填写有误，应如 08:00 至 18:00，并至少选一天",
                        "The daily hours are wrong ({error}); write them like 08:00 to 18:00 and choose a day",
                    ).format(error=error),
                )
            )
    if errors:
        raise Invalid(errors=errors)
    return stored


def _scope_fits(scope: Scope, value: str | None) -> bool:
    if scope == "organisation":
        return (
            bool(value) and value.isascii() and value.isdigit() and value == str(int(value)) and int(value) <= _MAX_ID
        )
    return bool(value and region_prefix(value))
