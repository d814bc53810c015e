"""Deciding on requests (审批): the data bureau's word, then the police's decision camera by camera (G-033, S-03)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.subjects import Subject
from gongshi.audit.service import record
from gongshi.db.uow import UnitOfWork
from gongshi.kit import clock
from gongshi.kit.errors import Conflict, FieldError, Forbidden, Invalid
from gongshi.kit.i18n import Text
from gongshi.sharing import repository
from gongshi.sharing.grants import open_grant
from gongshi.sharing.models import Decision, Grant, Request, RequestCamera
from gongshi.sharing.service import MAX_TEXT, Stage, about, say, terms_of, wrong_state
from gongshi.sharing.terms import Narrow, effective, narrowed
from gongshi.sharing.vocabulary import REFUSALS, phrase


@dataclass(frozen=True, slots=True)
class Item:
    """What an approver decides about one camera."""

    camera: str
    outcome: Literal["approved", "refused", "narrowed"]
    reason: str = ""
    narrow: Narrow = field(default_factory=Narrow)


async def _round(session: AsyncSession, request_id: int) -> int:
    made = await repository.decisions(session, request_id)
    return 1 + sum(decision.outcome == "sent_back" for decision in made)


async def _decision(
    uow: UnitOfWork, subject: Subject, request: Request, stage: Stage, outcome: str, comment: str, items: list[Any]
) -> Decision:
    if subject.organisation_id is None:
        raise Forbidden
    decision = Decision(
        request_id=request.id,
        stage=stage,
        round=await _round(uow.session, request.id),
        account_id=subject.id,
        organisation_id=subject.organisation_id,
        outcome=outcome,
        comment=comment,
        items=items,
    )
    uow.session.add(decision)
    await uow.session.flush()
    return decision


def _comment(comment: str, *, needed: bool) -> str:
    text = comment.strip()[:MAX_TEXT]
    if needed and len(text) < 2:
        raise Invalid(
            errors=[FieldError("comment", "missing", Text("请写明理由", "Say why"))],
        )
    return text


async def consult(
    uow: UnitOfWork,
    subject: Subject,
    request: Request,
    outcome: Literal["agreed", "objected", "sent_back"] | None,
    items: Sequence[Item],
    comment: str,
) -> None:
    """The data bureau's word. An objection does not end the request: police sees it and must answer it.

    Without a word on the whole, every camera must have one; Invalid otherwise. Silence is never agreement.
    """
    if request.state != "consult":
        raise wrong_state(request)
    if outcome is None:
        outcome = await _word_of(uow.session, request, items)
    text = _comment(comment, needed=outcome != "agreed")
    await _decision(uow, subject, request, "consult", outcome, text, [])
    request.state = "sent_back" if outcome == "sent_back" else "approve"
    request.version += 1
    await record(uow, "sharing.request.consulted", **about(request, outcome=outcome, comment=text))
    await say(uow, "sharing.request.consulted", request)


async def _word_of(session: AsyncSession, request: Request, items: Sequence[Item]) -> Literal["agreed", "objected"]:
    """What the words on every single camera amount to; Invalid unless each camera has one."""
    if not items:
        raise Invalid(
            errors=[
                FieldError(
                    "outcome",
                    "missing",
                    Text(
                        "请写明会商意见：agreed（同意）、objected（不同意）或 sent_back（退回）",
                        "Say the outcome of consulting: agreed, objected or sent_back",
                    ),
                )
            ]
        )
    asked = await repository.request_cameras(session, request.id)
    cameras = await repository.cameras_by_id(session, [row.camera_id for row in asked])
    rows = {row.camera_id: row for row in asked}
    _checked_items(request, items, {camera.code: rows[camera.id] for camera in cameras})
    return "objected" if any(item.outcome == "refused" for item in items) else "agreed"


async def send_back(uow: UnitOfWork, subject: Subject, request: Request, comment: str) -> None:
    """Police asks for a better request instead of deciding."""
    if request.state != "approve":
        raise wrong_state(request)
    text = _comment(comment, needed=True)
    await _decision(uow, subject, request, "approve", "sent_back", text, [])
    request.state = "sent_back"
    request.version += 1
    await record(uow, "sharing.decision.made", **about(request, outcome="sent_back", comment=text))
    await say(uow, "sharing.decision.made", request)


def spelt(reason: str) -> dict[str, str]:
    """A refusal's reason as people read it, preset or free, in both languages: the log keeps words, not codes."""
    text = phrase(REFUSALS, reason.strip()[:MAX_TEXT])
    return {"zh": text.zh, "en": text.en}


def _checked_items(
    request: Request, items: Sequence[Item], asked: Mapping[str, RequestCamera]
) -> list[tuple[Item, RequestCamera, dict[str, Any]]]:
    """Every camera decided exactly once, refusals and narrowings with a reason; Invalid with all faults."""
    errors: list[FieldError] = []
    result: list[tuple[Item, RequestCamera, dict[str, Any]]] = []
    seen: set[str] = set()
    terms = terms_of(request)
    for number, item in enumerate(items):
        place = f"items.{number}"
        if item.camera not in asked or item.camera in seen:
            errors.append(
                FieldError(
                    f"{place}.camera",
                    "not_asked",
                    Text(
                        f"摄像机 {item.camera[:20]} 不在此申请中，或重复出现",
                        f"Camera {item.camera[:20]} is not in this request, or stands twice",
                    ),
                )
            )
            continue
        seen.add(item.camera)
        if item.outcome == "refused" and len(item.reason.strip()) < 2:
            errors.append(
                FieldError(f"{place}.reason", "missing", Text("不予批准须写明理由", "A refusal needs a reason"))
            )
        narrow: dict[str, Any] = {}
        if item.outcome == "narrowed":
            narrow = narrowed(terms, item.narrow, f"{place}.narrow", errors).stored()
            if not narrow:
                errors.append(
                    FieldError(f"{place}.narrow", "missing", Text("请写明限缩的内容", "Say what is narrowed"))
                )
        result.append((item, asked[item.camera], narrow))
    missing = sorted(set(asked) - seen)
    if missing:
        errors.append(
            FieldError(
                "items",
                "incomplete",
                Text(
                    f"还有 {len(missing)} 台摄像机没有意见，例如 {missing[0]}",
                    f"{len(missing)} cameras are not decided yet, for example {missing[0]}",
                ),
            )
        )
    if errors:
        raise Invalid(errors=errors)
    return result


def _overall(items: Sequence[Item]) -> str:
    outcomes = {item.outcome for item in items}
    if outcomes == {"refused"}:
        return "refused"
    return "approved" if outcomes == {"approved"} else "partly_approved"


def not_a_verdict(outcome: str) -> Invalid:
    """Police decides camera by camera; the only word on the whole is to send the request back."""
    return Invalid(
        errors=[
            FieldError(
                "outcome",
                "not_a_verdict",
                Text(
                    f"审批须逐台给出意见（items），整体只能填 sent_back（退回），不能填 {outcome}",
                    f"Police decides camera by camera (items); on the whole only sent_back is said, not {outcome}",
                ),
            )
        ]
    )


async def approve(
    uow: UnitOfWork, subject: Subject, request: Request, items: Sequence[Item], comment: str
) -> Grant | None:
    """The police's decision, camera by camera; opens one grant for whatever is approved. None: all refused."""
    if request.state != "approve":
        raise wrong_state(request)
    asked = await repository.request_cameras(uow.session, request.id)
    rows = {row.id: row for row in await repository.cameras_by_id(uow.session, [row.camera_id for row in asked])}
    by_code = {rows[row.camera_id].code: row for row in asked}
    checked = _checked_items(request, items, by_code)
    outcome = _overall(items)
    objected = any(
        decision.outcome == "objected" for decision in (await repository.decisions(uow.session, request.id))[-1:]
    )
    text = _comment(comment, needed=objected and outcome != "refused")
    if outcome != "refused" and request.valid_to <= clock.now():
        raise Conflict(
            Text("申请的期限已过，请退回重新填写", "The period asked for is over; send the request back"),
            code="period_over",
        )
    decided = [
        {"camera": item.camera, "outcome": item.outcome, "reason": item.reason.strip()[:MAX_TEXT], "narrow": narrow}
        for item, _, narrow in checked
    ]
    await _decision(uow, subject, request, "approve", outcome, text, decided)
    for item, row, narrow in checked:
        reason = phrase(REFUSALS, item.reason.strip()[:MAX_TEXT]).zh or None
        await repository.set_outcome(uow.session, request.id, row.camera_id, item.outcome, reason, narrow or None)
    request.state = outcome
    request.decided_at = clock.now()
    request.version += 1
    await uow.session.flush()
    await record(uow, "sharing.decision.made", **about(request, outcome=outcome, comment=text, items=decided))
    for item, row, _ in checked:
        if item.outcome == "refused":
            camera = rows[row.camera_id]
            await record(
                uow,
                "sharing.camera.refused",
                camera_id=camera.id,
                **about(request, camera_code=camera.code, camera_name=camera.name, reason=spelt(item.reason)),
            )
    await say(uow, "sharing.decision.made", request)
    terms = terms_of(request)
    open_ones = [
        (rows[row.camera_id], effective(terms, narrow)) for item, row, narrow in checked if item.outcome != "refused"
    ]
    return await open_grant(uow, request, open_ones) if open_ones else None
