"""Asking for cameras (申请): the first step of the sharing process of G-033.

A department asks, the data bureau is consulted and police decides (`decisions`), and the decision itself opens or
closes the picture (`grants`) by writing rights through `access.service`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.actions import Action
from gongshi.access.permissions import Permit, Thing, permit
from gongshi.access.subjects import Subject
from gongshi.access.visible import visible
from gongshi.audit.service import record
from gongshi.db.events import emit
from gongshi.db.uow import UnitOfWork
from gongshi.kit import clock
from gongshi.kit.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from gongshi.kit.i18n import Text
from gongshi.kit.ids import document_number
from gongshi.registry.models import Organisation
from gongshi.sharing import repository
from gongshi.sharing.models import Grant, Request
from gongshi.sharing.repository import CameraRow
from gongshi.sharing.terms import Terms, check
from gongshi.sharing.vocabulary import PURPOSES, phrase

Stage = Literal["consult", "approve"]
MAX_TEXT = 2000
CHANGEABLE = ("draft", "sent_back")
WITHDRAWABLE = ("draft", "sent_back", "consult", "approve")

STATES: Mapping[str, Text] = {
    "draft": Text("草稿", "draft"),
    "consult": Text("待数据资源部门会商", "with the data bureau"),
    "approve": Text("待公安机关审批", "with the police"),
    "approved": Text("已批准", "approved"),
    "partly_approved": Text("部分批准", "approved in part"),
    "refused": Text("不予批准", "refused"),
    "sent_back": Text("退回补充", "sent back"),
    "withdrawn": Text("已撤回", "withdrawn"),
}


class NoSuchCamera(Invalid):
    """Cameras that the requester's catalogue does not show; absent and hidden give the same answer."""

    code = "unknown_camera"
    title = Text("所选摄像机不在可申请的目录中", "Some cameras are not in the catalogue")


def thing_of(request: Request | Grant, organisation: Organisation) -> Thing:
    """A request or grant as `permit` sees it: it belongs to the asking unit."""
    return Thing(
        organisation_id=organisation.id,
        region_code=organisation.region_code,
        level=organisation.level,
        created_by=request.created_by if isinstance(request, Request) else None,
    )


def terms_of(request: Request) -> Terms:
    return Terms(
        title=request.title,
        purpose=request.purpose,
        legal_basis=request.legal_basis,
        actions=tuple(request.actions),
        valid_from=request.valid_from,
        valid_to=request.valid_to,
        hours=request.hours,
        playback_hours=request.playback_hours,
        concurrency=request.concurrency,
        delivery=tuple(request.delivery),
    )


def demand(answer: Permit) -> None:
    """Raise what a refused `permit` means for the caller: Forbidden, or NotFound when they may not know."""
    if not answer.allowed:
        raise Forbidden(answer.reason) if answer.known else NotFound()


def wrong_state(request: Request) -> Conflict:
    """The state that the request is in does not allow what was asked."""
    state = STATES[request.state]
    return Conflict(
        Text(
            f"申请 {request.number} 现为“{state.zh}”，不能进行此操作",
            f"Request {request.number} is {state.en}; this cannot be done now",
        ),
        code="wrong_state",
    )


async def next_number(session: AsyncSession, kind: str) -> str:
    """The next number of a kind of document, by the Chinese calendar year: `R-2026-0007`, `G-2026-0142`."""
    year = clock.local(clock.now()).year
    return document_number(kind, year, await repository.next_number(session, kind, year))


async def askable(session: AsyncSession, subject: Subject, codes: Sequence[str]) -> list[CameraRow]:
    """The cameras behind codes, if the subject's catalogue shows all of them; NoSuchCamera names the others."""
    condition = visible(subject, Action.SEE, clock.now())
    found = await repository.cameras_by_code(session, set(codes), condition)
    known = {row.code for row in found}
    missing = sorted(set(codes) - known)
    if missing:
        raise NoSuchCamera(
            errors=[
                FieldError(
                    "cameras",
                    "unknown_camera",
                    Text(f"目录中没有摄像机 {code[:20]}", f"The catalogue has no camera {code[:20]}"),
                )
                for code in missing[:20]
            ]
        )
    return found


# Asking


async def create(uow: UnitOfWork, subject: Subject, terms: Terms, codes: Sequence[str]) -> Request:
    """A draft. Invalid with everything that is wrong."""
    if subject.organisation_id is None:
        raise Forbidden
    checked = check(terms, len(set(codes)), clock.now())
    found = await askable(uow.session, subject, codes)
    request = Request(
        number=await next_number(uow.session, "R"),
        organisation_id=subject.organisation_id,
        created_by=subject.id,
        state="draft",
    )
    _write(request, checked)
    uow.session.add(request)
    await uow.session.flush()
    await repository.replace_cameras(uow.session, request.id, [row.id for row in found])
    await record(uow, "sharing.request.created", **about(request, cameras=len(found)))
    return request


def _write(request: Request, terms: Terms) -> None:
    request.title = terms.title or phrase(PURPOSES, terms.purpose).zh
    request.purpose = terms.purpose
    request.legal_basis = terms.legal_basis
    request.actions = list(terms.actions)
    request.valid_from, request.valid_to = terms.valid_from, terms.valid_to
    request.hours = terms.hours
    request.playback_hours = terms.playback_hours
    request.concurrency = terms.concurrency
    request.delivery = list(terms.delivery)


def about(request: Request, **detail: Any) -> dict[str, Any]:
    """Arguments of `record` that every entry about a request carries."""
    purpose = phrase(PURPOSES, request.purpose)
    return {
        "object_kind": "request",
        "object_id": request.id,
        "detail": {
            "request_number": request.number,
            "state": request.state,
            "purpose": {"zh": purpose.zh, "en": purpose.en},
            **detail,
        },
    }


async def say(uow: UnitOfWork, name: str, request: Request) -> None:
    """Tell the other rooms and the pages that wait."""
    await emit(
        uow,
        name,
        id=request.id,
        number=request.number,
        state=request.state,
        organisation_id=request.organisation_id,
        created_by=request.created_by,
    )


async def opened(uow: UnitOfWork, subject: Subject, request_id: int, permission: str) -> tuple[Request, Organisation]:
    """The request, locked, if the subject may do this with it; NotFound when it is not theirs to know."""
    request = await repository.request(uow.session, request_id, lock=True)
    if request is None:
        raise NotFound
    organisation = await repository.organisation(uow.session, request.organisation_id)
    if not readable(subject, request, organisation):
        raise NotFound
    demand(permit(subject, permission, thing_of(request, organisation)))
    return request, organisation


def readable(subject: Subject, request: Request, organisation: Organisation) -> bool:
    """Whether the subject may read a request: drafts are the asking unit's own, the auditor reads what was sent."""
    if not permit(subject, "sharing.request.see", thing_of(request, organisation)).allowed:
        return False
    return request.submitted_at is not None or request.organisation_id == subject.organisation_id


async def change(
    uow: UnitOfWork, subject: Subject, request: Request, terms: Terms, codes: Sequence[str] | None
) -> Request:
    """New terms for a draft or a request that was sent back."""
    if request.state not in CHANGEABLE:
        raise wrong_state(request)
    current = await repository.request_cameras(uow.session, request.id)
    checked = check(terms, len(current) if codes is None else len(set(codes)), clock.now())
    _write(request, checked)
    if codes is not None:
        found = await askable(uow.session, subject, codes)
        await repository.replace_cameras(uow.session, request.id, [row.id for row in found])
    request.version += 1
    await uow.session.flush()
    await record(uow, "sharing.request.changed", **about(request))
    return request


async def submit(uow: UnitOfWork, subject: Subject, request: Request) -> None:
    """Send it to the data bureau. What was valid as a draft is checked again now."""
    if request.state not in CHANGEABLE:
        raise wrong_state(request)
    asked = await repository.request_cameras(uow.session, request.id)
    check(terms_of(request), len(asked), clock.now())
    rows = await repository.cameras_by_id(uow.session, [row.camera_id for row in asked])
    await askable(uow.session, subject, [row.code for row in rows])
    await repository.clear_outcomes(uow.session, request.id)
    request.state = "consult"
    request.submitted_at = clock.now()
    request.decided_at = None
    request.version += 1
    await record(
        uow,
        "sharing.request.submitted",
        **about(request, cameras=len(rows), camera_codes=[row.code for row in rows], legal_basis=request.legal_basis),
    )
    await say(uow, "sharing.request.submitted", request)


async def withdraw(uow: UnitOfWork, request: Request) -> None:
    """Take it back before it is decided."""
    if request.state not in WITHDRAWABLE:
        raise wrong_state(request)
    request.state = "withdrawn"
    request.version += 1
    await record(uow, "sharing.request.withdrawn", **about(request))
    await say(uow, "sharing.request.withdrawn", request)
