"""What is written about sessions: opened, started, failed, ended (S-05, S-06).

Always in the viewer's name, and with everything that the log needs to stay readable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access import service as access
from gongshi.audit.service import record
from gongshi.db.engine import Database
from gongshi.db.events import emit
from gongshi.db.uow import Actor, UnitOfWork
from gongshi.kit import clock
from gongshi.kit.i18n import Text
from gongshi.media import repository
from gongshi.media.models import Session
from gongshi.media.reasons import SessionFailed, end_text

RIGHT_CODES = frozenset({"no_right", "period_over", "hours_over", "suspended"})
"""Ends that the right itself explains: who revoked it, when and why."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended: the code and, where the cause is known better than by the code, the sentence."""

    code: str
    text: Text | None = None


def viewer(row: Session) -> Actor:
    """The one who looked, as the log names them. The agent writes in their name: it was their look."""
    return Actor(
        kind="upper" if row.subject_kind == "upper" else "service" if row.subject_kind == "service" else "person",
        id=row.subject_id,
        name=row.subject_name,
        organisation_id=row.organisation_id,
        organisation_name=row.organisation_name,
        address=row.address,
    )


def about(row: Session, camera_code: str, camera_name: str, limits: Mapping[str, Any], **detail: Any) -> dict[str, Any]:
    """Arguments of `record` that every entry about a session carries."""
    return {
        "object_kind": "session",
        "object_id": row.id,
        "camera_id": row.camera_id,
        "session_id": row.id,
        "grant_id": row.grant_id,
        "detail": {
            "action": row.action,
            "camera_code": camera_code,
            "camera_name": camera_name,
            "reason": row.reason,
            "basis": row.basis,
            "delivery": row.delivery,
            **_interval(row),
            **{name: limits[name] for name in ("grant_number", "purpose") if limits.get(name)},
            **detail,
        },
    }


def _interval(row: Session) -> dict[str, Any]:
    """What part of a recording it is about."""
    if row.interval_from is None or row.interval_to is None:
        return {}
    return {
        "from": clock.local(row.interval_from).isoformat(timespec="seconds"),
        "to": clock.local(row.interval_to).isoformat(timespec="seconds"),
    }


async def _say(uow: UnitOfWork, name: str, row: Session, camera_code: str, code: str, text: Text) -> None:
    await emit(
        uow,
        name,
        id=str(row.id),
        camera=camera_code,
        code=code,
        reason={"zh": text.zh, "en": text.en},
        subject_kind=row.subject_kind,
        subject_id=row.subject_id,
    )


async def why(session: AsyncSession, row: Session, ending: Ending, limits: Mapping[str, Any]) -> Ending:
    """The ending with the best sentence there is: a right that was ended says by whom, when and why."""
    if ending.text is not None:
        return ending
    if ending.code not in RIGHT_CODES:
        return Ending(ending.code, end_text(ending.code))
    state = await access.right_state(session, row.right_id)
    number = limits.get("grant_number")
    name = Text(f"授权 {number}", f"Grant {number}") if number else Text("授权", "The right")
    if state is not None and state.ended_at is not None and ending.code != "hours_over":
        code = state.end_code or "revoked"
        return Ending(code, Text.unpacked(state.end_reason) if state.end_reason else end_text(code))
    if state is not None and state.valid_to is not None and state.valid_to <= clock.now():
        until = clock.local(state.valid_to).strftime("%Y-%m-%d %H:%M")
        return Ending(
            "period_over", Text(f"{name.zh}的期限已于 {until} 到期", f"{name.en} ended with its period at {until}")
        )
    if ending.code == "period_over":
        # The worker counts to the end of the daily hours as it does to the end of the period.
        return Ending("hours_over", end_text("hours_over"))
    if ending.code == "suspended":
        return Ending("suspended", Text(f"{name.zh}已被暂停", f"{name.en} was suspended"))
    return Ending(ending.code, end_text(ending.code))


async def end(
    database: Database, session_id: UUID, ending: Ending, *, octets: int = 0, seconds: float = 0.0
) -> Ending | None:
    """Close the books on a running session; None when they were closed before. Raises when the database is away."""
    async with database.unit() as uow:
        row = await repository.lock(uow.session, session_id)
        if row is None or row.state not in repository.RUNNING:
            return None
        known = await repository.waiting(uow.session, session_id)
        code, name, limits = ("", "", {}) if known is None else (known.camera_code, known.camera_name, known.limits)
        told = await why(uow.session, row, ending, limits)
        text = told.text or end_text(told.code)
        row.state = "ended"
        row.ended_at = clock.now()
        row.end_code = told.code
        row.end_detail = {"zh": text.zh, "en": text.en}
        row.bytes_sent, row.seconds = octets, round(seconds, 3)
        arguments = about(
            row,
            code,
            name,
            limits,
            end_code=told.code,
            end_reason={"zh": text.zh, "en": text.en},
            seconds=round(seconds, 1),
            octets=octets,
        )
        uow.actor = viewer(row)
        await record(uow, "media.session.ended", **arguments)
        await _say(uow, "media.session.ended", row, code, told.code, text)
    return told


async def told(database: Database, session_id: UUID, ending: Ending) -> Ending:
    """The ending with the best sentence there is, before the books are closed."""
    async with database.read() as session:
        known = await repository.waiting(session, session_id)
        return ending if known is None else await why(session, known.row, ending, known.limits)


async def fail(database: Database, session_id: UUID, problem: SessionFailed) -> None:
    """Close the books on a session that never had a picture."""
    async with database.unit() as uow:
        row = await repository.lock(uow.session, session_id)
        if row is None or row.state != "opening":
            return
        known = await repository.waiting(uow.session, session_id)
        code, name, limits = ("", "", {}) if known is None else (known.camera_code, known.camera_name, known.limits)
        text = problem.detail
        row.state = "failed"
        row.ended_at = clock.now()
        row.end_code = problem.code
        row.end_detail = {"zh": text.zh, "en": text.en, "which": list(problem.which), "steps": problem.steps}
        arguments = about(
            row,
            code,
            name,
            limits,
            because={"zh": text.zh, "en": text.en},
            code=problem.code,
            which=list(problem.which),
        )
        uow.actor = viewer(row)
        await record(uow, "media.session.failed", **arguments)
        await _say(uow, "media.session.failed", row, code, problem.code, text)


async def opened(database: Database, session_id: UUID, stream_id: UUID, not_after: datetime | None) -> bool:
    """Transaction 2: the session is open; False when it was ended in the meantime."""
    async with database.unit() as uow:
        row = await repository.lock(uow.session, session_id)
        if row is None or row.state != "opening":
            return False
        row.state = "open"
        row.ready_at = clock.now()
        row.stream_id = stream_id
        row.not_after = not_after
    return True


async def started(database: Database, session_id: UUID) -> None:
    """The viewer's player connected and was let in."""
    async with database.unit() as uow:
        row = await repository.lock(uow.session, session_id)
        if row is None or row.first_played_at is not None:
            return
        row.first_played_at = clock.now()
        known = await repository.waiting(uow.session, session_id)
        code, name, limits = ("", "", {}) if known is None else (known.camera_code, known.camera_name, known.limits)
        arguments = about(row, code, name, limits)
        uow.actor = viewer(row)
        await record(uow, "media.session.started", **arguments)


async def left_behind(database: Database) -> Sequence[UUID]:
    """End what a former agent left open: its workers are gone, and nobody checked rights since. Returns stream ids."""
    async with database.read() as session:
        left = await repository.left_open(session)
    for session_id in left:
        await end(database, session_id, Ending("control_lost"))
    async with database.unit() as uow:
        return await repository.end_streams(uow.session, code="control_lost", at=clock.now())


async def resumed(database: Database, session_id: UUID) -> None:
    """A running session has new addresses, because its media worker was replaced: tell the page."""
    async with database.unit() as uow:
        row = await repository.lock(uow.session, session_id)
        if row is None or row.state != "open":
            return
        known = await repository.waiting(uow.session, session_id)
        code = "" if known is None else known.camera_code
        text = Text("媒体进程已恢复，正在重新连接", "The media worker is back; connecting again")
        await _say(uow, "media.session.resumed", row, code, "resumed", text)
