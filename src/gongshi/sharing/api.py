"""Routes of the sharing process: requests, decisions, grants, and who may see a camera."""

from typing import Annotated, Any

from fastapi import Path, Query, Response
from sqlalchemy import and_, false, or_, true

from gongshi.access import repository as rights
from gongshi.access.actions import LABELS, Action
from gongshi.access.door import Caller, CallerContext, Door, Thing, check_version, etag
from gongshi.access.visible import visible
from gongshi.db.uow import UnitOfWork
from gongshi.kit import clock
from gongshi.kit.errors import NotFound
from gongshi.kit.i18n import Text
from gongshi.kit.paging import MAX_LIMIT, decode_cursor, encode_cursor
from gongshi.sharing import decisions, grants, overview, repository, schemas, service, views
from gongshi.sharing.models import Request
from gongshi.sharing.terms import ASKABLE, DELIVERIES, LONGEST, MAX_CONCURRENCY, Narrow, Terms
from gongshi.sharing.vocabulary import LEGAL_BASES, PURPOSES, REFUSALS

door = Door(prefix="/api/v1", tag="sharing")

Id = Annotated[int, Path(ge=1, le=2**31 - 1)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Cursor = Annotated[str | None, Query(max_length=200)]


def _before(cursor: str | None) -> int | None:
    return None if cursor is None else int(decode_cursor(cursor, [int])[0])


def _words(words: dict[str, Text]) -> list[schemas.WordOut]:
    return [schemas.WordOut(code=code, zh=text.zh, en=text.en) for code, text in words.items()]


@door.get("/sharing/vocabulary", permission="sharing.vocabulary.see", summary="Preset words of the process 共享词表")
async def vocabulary() -> schemas.VocabularyOut:
    return schemas.VocabularyOut(
        purposes=_words(dict(PURPOSES)),
        legal_bases=_words(dict(LEGAL_BASES)),
        refusals=_words(dict(REFUSALS)),
        actions=_words({action.wire: LABELS[action] for action in Action if action in ASKABLE}),
        states=_words(dict(service.STATES)),
        deliveries=list(DELIVERIES),
        longest_days=LONGEST.days,
        max_concurrency=MAX_CONCURRENCY,
    )


# Requests


def _hours(value: schemas.HoursIO | None) -> dict[str, Any] | None:
    return None if value is None else value.plain()


def _terms(body: schemas.RequestIn) -> Terms:
    return Terms(
        title=body.title,
        purpose=body.purpose,
        legal_basis=body.legal_basis,
        actions=tuple(body.actions),
        valid_from=body.valid_from,
        valid_to=body.valid_to,
        hours=_hours(body.hours),
        playback_hours=body.playback_hours,
        concurrency=body.concurrency,
        delivery=tuple(body.delivery),
    )


def _patched(request: Request, body: schemas.RequestPatch) -> Terms:
    """The present terms with what the body says; a null clears daily hours and playback depth."""
    given, terms = body.model_fields_set, service.terms_of(request)

    def one(name: str, present: Any) -> Any:
        value = getattr(body, name)
        return present if name not in given or value is None else value

    return Terms(
        title=one("title", terms.title),
        purpose=one("purpose", terms.purpose),
        legal_basis=one("legal_basis", terms.legal_basis),
        actions=tuple(one("actions", terms.actions)),
        valid_from=one("valid_from", terms.valid_from),
        valid_to=one("valid_to", terms.valid_to),
        hours=_hours(body.hours) if "hours" in given else terms.hours,
        playback_hours=body.playback_hours if "playback_hours" in given else terms.playback_hours,
        concurrency=one("concurrency", terms.concurrency),
        delivery=tuple(one("delivery", terms.delivery)),
    )


async def _answer(uow: UnitOfWork, caller: CallerContext, request: Request, response: Response) -> schemas.RequestOut:
    await uow.session.flush()
    response.headers["ETag"] = etag(request.version)
    return await views.request_out(uow.session, caller.subject, request, caller.lang)


@door.post(
    "/share-requests",
    permission="sharing.request.create",
    status_code=201,
    idempotent=True,
    summary="Draft a share request 起草共享申请",
)
async def create_request(body: schemas.RequestIn, caller: Caller, response: Response) -> schemas.RequestOut:
    async with caller.unit() as uow:
        request = await service.create(uow, caller.subject, _terms(body), body.cameras)
        response.headers["Location"] = f"/api/v1/share-requests/{request.id}"
        return await _answer(uow, caller, request, response)


@door.get("/share-requests", permission="sharing.request.see", summary="Share requests, newest first 共享申请列表")
async def list_requests(
    caller: Caller,
    state: schemas.RequestStates = None,
    mine: bool = False,
    todo: bool = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> schemas.RequestList:
    """`mine`: drafted by me; `todo`: waits for me to decide or to complete."""
    subject = caller.subject
    condition = overview.readable_requests(subject)
    if mine:
        condition = and_(condition, repository.made_by_account(subject.id))
    if todo:
        condition = and_(condition, or_(false(), *overview.waiting(subject).values()))
    async with caller.read() as session:
        rows = await repository.requests(
            session, condition=condition, states=state or (), before=_before(cursor), limit=limit + 1
        )
        items = await views.request_items(session, subject, rows[:limit], caller.lang)
    return schemas.RequestList(items=items, next_cursor=encode_cursor(items[-1].id) if len(rows) > limit else None)


@door.get("/share-requests/{id}", permission="sharing.request.see", summary="One share request 共享申请详情")
async def get_request(id: Id, caller: Caller, response: Response) -> schemas.RequestOut:
    async with caller.read() as session:
        request = await repository.request(session, id)
        if request is None:
            raise NotFound
        organisation = await repository.organisation(session, request.organisation_id)
        if not service.readable(caller.subject, request, organisation):
            raise NotFound
        response.headers["ETag"] = etag(request.version)
        return await views.request_out(session, caller.subject, request, caller.lang)


@door.patch(
    "/share-requests/{id}", permission="sharing.request.change", versioned=True, summary="Change a draft 修改共享申请"
)
async def change_request(id: Id, body: schemas.RequestPatch, caller: Caller, response: Response) -> schemas.RequestOut:
    async with caller.unit() as uow:
        request, _ = await service.opened(uow, caller.subject, id, "sharing.request.change")
        check_version(caller, request.version)
        await service.change(uow, caller.subject, request, _patched(request, body), body.cameras)
        return await _answer(uow, caller, request, response)


@door.post(
    "/share-requests/{id}/submit",
    permission="sharing.request.submit",
    versioned=True,
    summary="Send a draft 提交共享申请",
)
async def submit_request(id: Id, caller: Caller, response: Response) -> schemas.RequestOut:
    async with caller.unit() as uow:
        request, _ = await service.opened(uow, caller.subject, id, "sharing.request.submit")
        check_version(caller, request.version)
        await service.submit(uow, caller.subject, request)
        return await _answer(uow, caller, request, response)


@door.post(
    "/share-requests/{id}/withdraw",
    permission="sharing.request.withdraw",
    versioned=True,
    summary="Take a request back 撤回共享申请",
)
async def withdraw_request(id: Id, caller: Caller, response: Response) -> schemas.RequestOut:
    async with caller.unit() as uow:
        request, _ = await service.opened(uow, caller.subject, id, "sharing.request.withdraw")
        check_version(caller, request.version)
        await service.withdraw(uow, request)
        return await _answer(uow, caller, request, response)


def _narrow(body: schemas.NarrowIn | None) -> Narrow:
    if body is None:
        return Narrow()
    return Narrow(
        actions=None if body.actions is None else tuple(body.actions),
        valid_from=body.valid_from,
        valid_to=body.valid_to,
        hours=_hours(body.hours),
        playback_hours=body.playback_hours,
        concurrency=body.concurrency,
    )


@door.post(
    "/share-requests/{id}/decisions",
    permission="sharing.request.decide",
    versioned=True,
    summary="Consult or decide 会商与审批",
)
async def decide_request(id: Id, body: schemas.DecisionIn, caller: Caller, response: Response) -> schemas.RequestOut:
    """The data bureau consults (`stage: consult`), then police decides camera by camera (`stage: approve`)."""
    async with caller.unit() as uow:
        request, _ = await service.opened(uow, caller.subject, id, f"sharing.request.{body.stage}")
        check_version(caller, request.version)
        items = [decisions.Item(item.camera, item.outcome, item.reason, _narrow(item.narrow)) for item in body.items]
        if body.stage == "consult":
            await decisions.consult(uow, caller.subject, request, body.outcome, items, body.comment)
        elif body.outcome == "sent_back":
            await decisions.send_back(uow, caller.subject, request, body.comment)
        elif body.outcome == "objected":
            raise decisions.not_a_verdict(body.outcome)
        else:
            await decisions.approve(uow, caller.subject, request, items, body.comment)
        return await _answer(uow, caller, request, response)


# Grants


@door.get("/grants", permission="sharing.grant.see", summary="Grants, newest first 授权列表")
async def list_grants(
    caller: Caller,
    state: schemas.GrantStates = None,
    organisation: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    camera: schemas.Code | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> schemas.GrantList:
    async with caller.read() as session:
        rows = await repository.grants(
            session,
            condition=overview.readable_grants(caller.subject),
            states=state or (),
            organisation_id=organisation,
            camera_code=camera,
            now=clock.now(),
            before=_before(cursor),
            limit=limit + 1,
        )
        items = await views.grant_items(session, caller.subject, rows[:limit], caller.lang)
    return schemas.GrantList(items=items, next_cursor=encode_cursor(items[-1].id) if len(rows) > limit else None)


@door.get("/grants/{id}", permission="sharing.grant.see", summary="One grant 授权详情")
async def get_grant(id: Id, caller: Caller, response: Response) -> schemas.GrantOut:
    async with caller.read() as session:
        grant = await repository.grant(session, id)
        if grant is None:
            raise NotFound
        organisation = await repository.organisation(session, grant.organisation_id)
        if not caller.permits("sharing.grant.see", service.thing_of(grant, organisation)).allowed:
            raise NotFound
        response.headers["ETag"] = etag(grant.version)
        return await views.grant_out(session, caller.subject, grant, caller.lang)


@door.post(
    "/grants/{id}/revoke",
    permission="sharing.grant.revoke",
    versioned=True,
    summary="End a grant at once 撤销或退还授权",
)
async def revoke_grant(id: Id, body: schemas.RevokeIn, caller: Caller, response: Response) -> schemas.GrantOut:
    """Every running session under it is cut within two seconds; its viewers read the reason."""
    async with caller.unit() as uow:
        grant = await grants.revoke(uow, caller.subject, id, body.reason)
        # Of the version that was there; raising takes the revocation back.
        check_version(caller, grant.version - 1)
        await uow.session.flush()
        response.headers["ETag"] = etag(grant.version)
        return await views.grant_out(uow.session, caller.subject, grant, caller.lang)


@door.get("/cameras/{code}/access", permission="registry.camera.access", summary="Who may see this camera 谁可以看")
async def camera_access(code: schemas.Code, caller: Caller) -> schemas.AccessOut:
    """For the managing unit, police of the area and the auditor: every right over the camera, and until when."""
    async with caller.read() as session:
        found = await repository.cameras_by_code(session, [code], true())
        if not found:
            raise NotFound
        row = found[0]
        thing = Thing(organisation_id=row.organisation_id, region_code=row.region_code)
        if not caller.permits("registry.camera.access", thing).allowed:
            # Outside the catalogue "absent" and "not yours" are the same answer.
            shown = visible(caller.subject, Action.SEE, clock.now())
            if not await repository.cameras_by_code(session, [code], shown):
                raise NotFound
            caller.permit("registry.camera.access", thing)
        return await views.access_out(session, row, await rights.rights_over_camera(session, row.id))
