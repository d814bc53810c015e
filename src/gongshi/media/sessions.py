"""The only opener of pictures: decide, count, write, then ask the network (design.md §6).

Transaction 1 decides and writes the session and its audit entry; only then is the device asked. Transaction 2, at the
media agent, says how it went. The web route and (later) an upper's INVITE both come through here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

from gongshi.access import service as access
from gongshi.access.actions import Action
from gongshi.access.decisions import DENIALS, Decision
from gongshi.access.follower import RightsUnavailable
from gongshi.access.rights import decide_now
from gongshi.access.snapshot import RightsSnapshot
from gongshi.access.subjects import Subject
from gongshi.audit.service import record
from gongshi.db.engine import Database
from gongshi.db.uow import UnitOfWork
from gongshi.kit import clock
from gongshi.kit.errors import FieldError, Forbidden, Invalid, NotFound, Problem
from gongshi.kit.i18n import Text
from gongshi.kit.ids import new_id
from gongshi.media import books, repository
from gongshi.media.models import Session
from gongshi.media.ports import AgentPort, Relay
from gongshi.media.reasons import NoRight, SessionFailed, TooManyAtOnce
from gongshi.media.repository import CameraRef

VIEWED: Final = Action.LIVE | Action.PLAYBACK | Action.TALK
"""What a person can open."""
RELAYED: Final = Action.LIVE | Action.PLAYBACK | Action.DOWNLOAD
"""What an upper can have sent to it."""
SHORTEST_REASON: Final = 2
LONGEST: Final = timedelta(hours=24)
"""Old recorders fail at what spans more than one of their files."""
_AHEAD: Final = timedelta(minutes=2)
"""How far clocks of devices and uppers may be ahead of ours."""


class Rights(Protocol):
    """Rights in memory, as `access.rights.RightsFollower` holds them."""

    def current(self) -> RightsSnapshot: ...


@dataclass(frozen=True, slots=True)
class MediaPorts:
    """What the opener needs of its node; `node` puts one into the application's state as `media`."""

    rights: Rights
    agent: AgentPort


@dataclass(frozen=True, slots=True)
class Asked:
    """One wish to look at a camera."""

    camera_code: str
    action: Action
    reason: str
    delivery: str = "portal"
    address: str | None = None
    request_id: str | None = None
    host: str | None = None
    """The name under which the viewer reaches the portal."""
    interval: tuple[datetime, datetime] | None = None
    """Of a recording: from and to, aware."""
    relay: Relay | None = None
    """For an upper: where the stream is to be sent."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session with its picture."""

    id: UUID
    camera: CameraRef
    decision: Decision
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Refusal:
    problem: Problem
    code: str
    camera: CameraRef | None


async def open_session(database: Database, ports: MediaPorts, subject: Subject, asked: Asked) -> Opened:
    """Open one camera for one subject.

    Raises NotFound for a camera that is absent or not the subject's to know, NoRight (403) when the catalogue shows
    it, TooManyAtOnce, and SessionFailed with the reason when there is a right but no picture.
    """
    reason = asked.reason.strip()[:500]
    if len(reason) < SHORTEST_REASON:
        raise Invalid(
            errors=[
                FieldError(
                    "reason", "missing", Text("请填写调阅事由，它会记入审计", "Give a reason; it goes into the log")
                )
            ]
        )
    _offered(asked)
    actor = subject.actor(asked.address)
    async with database.unit(actor, asked.request_id) as uow:
        result = await _first(uow, ports.rights, subject, asked, reason)
    if isinstance(result, _Refusal):
        # The refusal is committed before it is told.
        raise result.problem
    session_id, camera, decision = result
    try:
        relay = None if asked.relay is None else asked.relay.packed()
        answer = await ports.agent.open(str(session_id), asked.host, relay)
    except Problem as problem:
        failed = _failed(problem, session_id)
        # The agent has written it too, unless it could not be reached.
        await books.fail(database, session_id, failed)
        raise failed from problem
    return Opened(session_id, camera, decision, answer)


def _offered(asked: Asked) -> None:
    """Is this a thing that can be opened at all? Raises Invalid."""
    offered = VIEWED if asked.relay is None else RELAYED
    if asked.action & ~offered or asked.action not in Action:
        raise _invalid(
            "action",
            "not_offered",
            "可打开的操作：live（实时）、playback（回放）与 talk（对讲）",
            "What can be opened: live, playback and talk",
        )
    if asked.action in {Action.LIVE, Action.TALK}:
        if asked.interval is not None:
            raise _invalid("from", "not_a_recording", "只有录像有时间范围", "Only a recording has a time span")
        return
    if asked.interval is None:
        raise _invalid("from", "missing", "请给出录像的起止时间", "Say from when to when the recording is wanted")
    start, end = asked.interval
    if not start < end or start >= clock.now() + _AHEAD:
        raise _invalid(
            "to", "order", "结束时间应晚于开始时间，且不在未来", "The end comes after the beginning, not in future"
        )
    if end - start > LONGEST:
        raise _invalid("to", "too_long", "一次最多回放 24 小时", "At most 24 hours at once")


def _invalid(field: str, code: str, zh: str, en: str) -> Invalid:
    return Invalid(errors=[FieldError(field, code, Text(zh, en))])


def _too_old(asked: Asked, decision: Decision, moment: datetime) -> Forbidden | None:
    """How far back a right reaches: older recordings are not its holder's to see."""
    hours = decision.limits.get("playback_hours")
    if asked.interval is None or not isinstance(hours, int):
        return None
    earliest = moment - timedelta(hours=hours)
    if asked.interval[0] >= earliest:
        return None
    number = decision.limits.get("grant_number") or ""
    since = clock.local(earliest).strftime("%Y-%m-%d %H:%M")
    return Forbidden(
        Text(
            f"授权 {number} 只允许回看最近 {hours} 小时，即 {since} 以后的录像",
            f"Grant {number} reaches back {hours} hours only, to recordings after {since}",
        ),
        code="playback_depth",
    )


def _failed(problem: Problem, session_id: UUID) -> SessionFailed:
    data: Any = getattr(problem, "data", None)
    found: Mapping[str, Any] = data if isinstance(data, Mapping) else {}  # pyright: ignore[reportUnknownVariableType] -- JSON of our own agent
    failed = SessionFailed(
        problem.detail,
        code=problem.code,
        which=found.get("which", ()) or ("engine",),
        steps=found.get("steps", ()),
        session_id=str(session_id),
    )
    failed.status = problem.status if problem.status in {403, 404, 409, 503} else SessionFailed.status
    return failed


async def _first(
    uow: UnitOfWork, rights: Rights, subject: Subject, asked: Asked, reason: str
) -> tuple[UUID, CameraRef, Decision] | _Refusal:
    """Transaction 1: decide, count under the right's lock, write session and entry; or write the refusal."""
    camera = await repository.camera_by_code(uow.session, asked.camera_code)
    if camera is None:
        return await _refuse(uow, asked, _Refusal(NotFound(), "not_found", None))
    moment = clock.now()
    decision = await _decide(uow, rights, subject, asked.action, camera.id, moment)
    if decision.allowed and not await _locked(uow, decision):
        # Revoked a moment ago, and the memory has not heard of it yet.
        decision = await decide_now(uow.session, subject, asked.action, camera.id, moment)
        if decision.allowed and not await _locked(uow, decision):
            decision = DENIALS["no_right"]
    if not decision.allowed or decision.right_id is None:
        seen = (await decide_now(uow.session, subject, Action.SEE, camera.id, moment)).allowed
        problem = NoRight(_what_to_ask(decision, camera, asked.action)) if seen else NotFound()
        return await _refuse(uow, asked, _Refusal(problem, decision.code, camera))
    ways = decision.limits.get("delivery")
    if ways and asked.delivery not in ways:
        problem = Forbidden(
            Text(f"该授权不含 {asked.delivery} 交付方式", f"The grant does not include delivery by {asked.delivery}")
        )
        return await _refuse(uow, asked, _Refusal(problem, "delivery", camera))
    too_old = _too_old(asked, decision, moment)
    if too_old is not None:
        return await _refuse(uow, asked, _Refusal(too_old, "playback_depth", camera))
    most = decision.limits.get("concurrency")
    if isinstance(most, int):
        watching = await repository.running_under(uow.session, decision.right_id)
        if len(watching) >= most:
            return await _refuse(uow, asked, _Refusal(_too_many(most, watching, decision), "concurrency", camera))
    row = Session(
        id=new_id(),
        subject_kind=subject.kind,
        subject_id=subject.id,
        subject_name=subject.name,
        organisation_id=subject.organisation_id,
        organisation_name=subject.organisation_name,
        login_id=subject.login_id,
        camera_id=camera.id,
        action=asked.action.wire,
        interval_from=None if asked.interval is None else asked.interval[0],
        interval_to=None if asked.interval is None else asked.interval[1],
        delivery=asked.delivery,
        reason=reason,
        basis=decision.basis or "",
        right_id=decision.right_id,
        grant_id=decision.grant_id if decision.basis == "grant" else None,
        state="opening",
        opened_at=moment,
        not_after=decision.not_after,
        address=asked.address,
    )
    uow.session.add(row)
    await uow.session.flush()
    await record(uow, "media.session.opened", **books.about(row, camera.code, camera.name, decision.limits))
    return row.id, camera, decision


async def _locked(uow: UnitOfWork, decision: Decision) -> bool:
    """Hold the right's row until the commit, so that openings under one right queue up; False when it has ended."""
    state = None if decision.right_id is None else await access.lock_right(uow, decision.right_id)
    return state is not None and state.ended_at is None and state.suspended_at is None


async def _decide(
    uow: UnitOfWork, rights: Rights, subject: Subject, action: Action, camera_id: int, moment: datetime
) -> Decision:
    """From memory; a refusal, or a memory that may be out of date, is checked against the database itself."""
    try:
        decision = rights.current().decide(subject, action, camera_id, moment)
    except RightsUnavailable:
        return await decide_now(uow.session, subject, action, camera_id, moment)
    if decision.allowed:
        return decision
    return await decide_now(uow.session, subject, action, camera_id, moment)


async def _refuse(uow: UnitOfWork, asked: Asked, refusal: _Refusal) -> _Refusal:
    camera, text = refusal.camera, refusal.problem.detail
    await record(
        uow,
        "media.session.refused",
        object_kind="camera",
        object_id=asked.camera_code,
        camera_id=None if camera is None else camera.id,
        detail={
            "action": asked.action.wire,
            "camera_code": asked.camera_code,
            **({} if camera is None else {"camera_name": camera.name}),
            "code": refusal.code,
            "because": {"zh": text.zh, "en": text.en},
        },
    )
    return refusal


def _what_to_ask(decision: Decision, camera: CameraRef, action: Action) -> Text:
    why, wanted = decision.reason, action.label
    if decision.code == "no_right":
        return Text(
            f"{camera.name}：没有{wanted.zh}授权。可在“共享 · 申请”中申请，由数据资源部门会商、公安机关审批",
            f"{camera.name}: no right to {wanted.en}. Ask for it under Sharing; the data bureau is consulted and the "
            "police decides",
        )
    return Text(f"{camera.name}：{why.zh}", f"{camera.name}: {why.en}")


def _too_many(most: int, watching: list[str], decision: Decision) -> TooManyAtOnce:
    number = decision.limits.get("grant_number") or ""
    names = "、".join(sorted(set(watching)))
    return TooManyAtOnce(
        Text(
            f"授权 {number} 最多同时调阅 {most} 路，现已满（{names}）：请先关闭一路",
            f"Grant {number} allows {most} pictures at once and all are in use ({names}): close one first",
        )
    )
