"""Grants (授权): what a decision opens, and how it ends. The rights behind them are written with them."""

from collections.abc import Sequence

from gongshi.access import service as access
from gongshi.access.permissions import permit
from gongshi.access.subjects import Subject
from gongshi.audit.service import record
from gongshi.db.events import emit
from gongshi.db.uow import UnitOfWork
from gongshi.kit import clock
from gongshi.kit.errors import Conflict, FieldError, Invalid, NotFound
from gongshi.kit.i18n import Text
from gongshi.registry.models import Organisation
from gongshi.sharing import repository
from gongshi.sharing.models import Grant, GrantCamera, Request
from gongshi.sharing.repository import CameraRow
from gongshi.sharing.service import MAX_TEXT, demand, next_number, thing_of
from gongshi.sharing.terms import Effective
from gongshi.sharing.vocabulary import PURPOSES, phrase


async def open_grant(uow: UnitOfWork, request: Request, cameras: Sequence[tuple[CameraRow, Effective]]) -> Grant:
    """A grant and its rights: one right per set of equal terms. They take effect with this transaction."""
    grant = Grant(
        number=await next_number(uow.session, "G"),
        request_id=request.id,
        organisation_id=request.organisation_id,
        state="in_force",
        purpose=request.purpose,
        legal_basis=request.legal_basis,
        valid_from=min(terms.valid_from for _, terms in cameras),
        valid_to=max(terms.valid_to for _, terms in cameras),
    )
    uow.session.add(grant)
    await uow.session.flush()
    groups: dict[Effective, list[CameraRow]] = {}
    for camera, terms in cameras:
        groups.setdefault(terms, []).append(camera)
    purpose = phrase(PURPOSES, grant.purpose)
    for terms, rows in groups.items():
        right_id = await access.grant_right(
            uow,
            subject_kind="organisation",
            subject_id=grant.organisation_id,
            basis="grant",
            basis_id=grant.id,
            actions=terms.actions,
            camera_ids=[row.id for row in rows],
            valid_from=terms.valid_from,
            valid_to=terms.valid_to,
            hours=terms.hours_stored(),
            # The number and the purpose travel with the right: the player shows them, and every look is logged
            # with them (S-05, S-07), without asking this room.
            limits={
                "concurrency": terms.concurrency,
                "playback_hours": terms.playback_hours,
                "delivery": list(request.delivery),
                "grant_number": grant.number,
                "purpose": {"zh": purpose.zh, "en": purpose.en},
            },
        )
        uow.session.add_all(GrantCamera(grant_id=grant.id, camera_id=row.id, right_id=right_id) for row in rows)
    await uow.session.flush()
    grantee = await repository.organisation(uow.session, grant.organisation_id)
    await record(
        uow,
        "sharing.grant.opened",
        object_kind="grant",
        object_id=grant.id,
        grant_id=grant.id,
        detail={
            "grant_number": grant.number,
            "request_number": request.number,
            "grantee": {"zh": grantee.short_name, "en": grantee.name_en},
            "grantee_id": grantee.id,
            "purpose": {"zh": purpose.zh, "en": purpose.en},
            "legal_basis": grant.legal_basis,
            "cameras": len(cameras),
            "camera_codes": [camera.code for camera, _ in cameras],
            "actions": sorted({word for _, terms in cameras for word in terms.actions.words}),
            "until": clock.local(grant.valid_to).strftime("%Y-%m-%d %H:%M"),
        },
    )
    await _grant_said(uow, "sharing.grant.opened", grant)
    return grant


async def _grant_said(uow: UnitOfWork, name: str, grant: Grant) -> None:
    await emit(uow, name, id=grant.id, number=grant.number, state=grant.state, organisation_id=grant.organisation_id)


def state_of(grant: Grant) -> str:
    """The state as it is now: a period that is over is over, whether or not the job has passed by."""
    if grant.state in repository.RUNNING and grant.valid_to <= clock.now():
        return "expired"
    return grant.state


async def revoke(uow: UnitOfWork, subject: Subject, grant_id: int, reason: str) -> Grant:
    """Police takes a grant back, or the grantee gives it back; its sessions are cut within 2 s (design.md §6)."""
    grant = await repository.grant(uow.session, grant_id, lock=True)
    if grant is None:
        raise NotFound
    grantee = await repository.organisation(uow.session, grant.organisation_id)
    demand(permit(subject, "sharing.grant.revoke", thing_of(grant, grantee)))
    text = _reason(reason)
    if state_of(grant) not in repository.RUNNING:
        raise Conflict(
            Text(f"授权 {grant.number} 已经结束", f"Grant {grant.number} has already ended"), code="wrong_state"
        )
    own = subject.organisation_id == grant.organisation_id
    who = (await repository.organisations(uow.session, [subject.organisation_id or 0])).get(
        subject.organisation_id or 0
    )
    moment = clock.now()
    told = _told(grant, who, moment_text=clock.local(moment).strftime("%H:%M"), own=own, reason=text)
    grant.state = "revoked"
    grant.ended_at, grant.ended_by, grant.end_reason = moment, subject.id, text
    grant.version += 1
    await access.end_rights(
        uow, basis="grant", basis_id=grant.id, code="given_back" if own else "revoked", reason=told.packed()
    )
    await record(
        uow,
        "sharing.grant.given_back" if own else "sharing.grant.revoked",
        object_kind="grant",
        object_id=grant.id,
        grant_id=grant.id,
        detail={
            "grant_number": grant.number,
            "grantee": {"zh": grantee.short_name, "en": grantee.name_en},
            "reason": text,
        },
    )
    await _grant_said(uow, "sharing.grant.revoked", grant)
    return grant


def _reason(reason: str) -> str:
    text = reason.strip()[:MAX_TEXT]
    if len(text) < 2:
        raise Invalid(
            errors=[
                FieldError(
                    "reason",
                    "missing",
                    Text("请写明撤销原因，调阅人员会看到", "Give a reason; the viewers will read it"),
                )
            ]
        )
    return text


def _told(grant: Grant, who: Organisation | None, *, moment_text: str, own: bool, reason: str) -> Text:
    """What the viewers read when their picture stops."""
    unit = Text(who.short_name, who.name_en) if who is not None else Text("管理机关", "the authority")
    if own:
        return Text(
            f"授权 {grant.number} 已于 {moment_text} 由{unit.zh}退还：{reason}",
            f"Grant {grant.number} was given back by {unit.en} at {moment_text}: {reason}",
        )
    return Text(
        f"授权 {grant.number} 已于 {moment_text} 被{unit.zh}撤销：{reason}",
        f"Grant {grant.number} was revoked by {unit.en} at {moment_text}: {reason}",
    )


async def expire(uow: UnitOfWork) -> int:
    """Close the books on grants whose period is over; their rights ended by themselves. The number of grants."""
    due = await repository.due_grants(uow.session, clock.now())
    grantees = await repository.organisations(uow.session, {grant.organisation_id for grant in due})
    for grant in due:
        grant.state = "expired"
        grant.ended_at = grant.valid_to
        grant.version += 1
        grantee = grantees[grant.organisation_id]
        await record(
            uow,
            "sharing.grant.expired",
            object_kind="grant",
            object_id=grant.id,
            grant_id=grant.id,
            detail={
                "grant_number": grant.number,
                "grantee": {"zh": grantee.short_name, "en": grantee.name_en},
            },
        )
        await _grant_said(uow, "sharing.grant.expired", grant)
    return len(due)
