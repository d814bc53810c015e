"""Requests and grants as the API shows them, composed from several queries."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.actions import Action
from gongshi.access.models import Right
from gongshi.access.permissions import permit
from gongshi.access.subjects import Subject
from gongshi.kit import clock
from gongshi.kit.i18n import Lang
from gongshi.registry.models import Organisation
from gongshi.sharing import repository, schemas
from gongshi.sharing.effects import effect
from gongshi.sharing.grants import state_of
from gongshi.sharing.models import Grant, Request, RequestCamera
from gongshi.sharing.repository import CameraRow
from gongshi.sharing.service import CHANGEABLE, STATES, WITHDRAWABLE, thing_of
from gongshi.sharing.vocabulary import LEGAL_BASES, PURPOSES, phrase

EARLIER = 10


def unit_out(organisation: Organisation) -> schemas.UnitOut:
    return schemas.UnitOut(
        id=organisation.id,
        code=organisation.code,
        name=organisation.name,
        short_name=organisation.short_name,
        name_en=organisation.name_en,
    )


def _local(moment: datetime | None) -> datetime | None:
    return None if moment is None else clock.local(moment)


def request_actions(subject: Subject, request: Request, organisation: Organisation) -> list[str]:
    """What the subject may do with the request in its present state."""
    thing = thing_of(request, organisation)

    def may(permission: str) -> bool:
        return permit(subject, permission, thing).allowed

    actions: list[str] = []
    if request.state in CHANGEABLE and may("sharing.request.change"):
        actions.append("change")
    if request.state in CHANGEABLE and may("sharing.request.submit"):
        actions.append("submit")
    if request.state in WITHDRAWABLE and may("sharing.request.withdraw"):
        actions.append("withdraw")
    if request.state == "consult" and may("sharing.request.consult"):
        actions.append("consult")
    if request.state == "approve" and may("sharing.request.approve"):
        actions.append("approve")
    return actions


def request_item(
    subject: Subject, request: Request, organisation: Organisation, person: str, count: int, lang: Lang
) -> schemas.RequestItem:
    return schemas.RequestItem(
        id=request.id,
        number=request.number,
        title=request.title,
        state=request.state,
        state_label=STATES[request.state].pick(lang),
        organisation=unit_out(organisation),
        created_by=person,
        purpose=request.purpose,
        purpose_label=phrase(PURPOSES, request.purpose).pick(lang),
        actions=request.actions,
        valid_from=clock.local(request.valid_from),
        valid_to=clock.local(request.valid_to),
        cameras_count=count,
        created_at=clock.local(request.created_at),
        submitted_at=_local(request.submitted_at),
        decided_at=_local(request.decided_at),
        version=request.version,
        allowed_actions=request_actions(subject, request, organisation),
    )


async def request_items(
    session: AsyncSession, subject: Subject, rows: Sequence[tuple[Request, int]], lang: Lang
) -> list[schemas.RequestItem]:
    units = await repository.organisations(session, {row.organisation_id for row, _ in rows})
    people = await repository.account_names(session, {row.created_by for row, _ in rows})
    return [
        request_item(subject, row, units[row.organisation_id], people.get(row.created_by, ""), count, lang)
        for row, count in rows
    ]


async def _already(
    session: AsyncSession, camera_ids: Collection[int], organisation_id: int
) -> dict[int, schemas.Already]:
    running = await repository.running_grants(session, camera_ids, clock.now(), organisation_id)
    found: dict[int, schemas.Already] = {}
    for camera_id, grant, right in running:
        until = clock.local(right.valid_to or grant.valid_to)
        found.setdefault(camera_id, schemas.Already(grant=grant.id, number=grant.number, until=until))
    return found


def _camera(row: CameraRow, decided: RequestCamera | None, already: schemas.Already | None) -> dict[str, Any]:
    return {
        "code": row.code,
        "name": row.name,
        "organisation": {"id": row.organisation_id, "name": row.organisation_name},
        "region_code": row.region_code,
        "region_name": row.region_name,
        "place": row.place,
        "longitude": row.longitude,
        "latitude": row.latitude,
        "point_class": row.point_class,
        "place_class": row.place_class,
        "sensitive": row.sensitive,
        "sharing_class": row.sharing_class,
        "outcome": decided.outcome if decided else None,
        "reason": decided.reason if decided else None,
        "narrowed": decided.narrowed if decided else None,
        "already": already,
    }


async def request_out(session: AsyncSession, subject: Subject, request: Request, lang: Lang) -> schemas.RequestOut:
    organisation = await repository.organisation(session, request.organisation_id)
    asked = {row.camera_id: row for row in await repository.request_cameras(session, request.id)}
    rows = await repository.cameras_by_id(session, asked.keys())
    already = await _already(session, asked.keys(), organisation.id)
    decisions = await repository.decisions(session, request.id)
    people = await repository.account_names(session, {request.created_by, *(d.account_id for d in decisions)})
    units = await repository.organisations(session, {d.organisation_id for d in decisions})
    told = await effect(session, request, organisation, rows, sum(row.id in already for row in rows))
    before = await repository.requests(
        session,
        condition=repository.made_by_organisation(organisation.id) & repository.not_draft(),
        before=request.id,
        limit=EARLIER,
    )
    item = request_item(subject, request, organisation, people.get(request.created_by, ""), len(rows), lang)
    return schemas.RequestOut(
        **item.model_dump(),
        legal_basis=request.legal_basis,
        legal_basis_label=phrase(LEGAL_BASES, request.legal_basis).pick(lang),
        hours=request.hours,
        playback_hours=request.playback_hours,
        concurrency=request.concurrency,
        delivery=request.delivery,
        cameras=[schemas.CameraOut(**_camera(row, asked[row.id], already.get(row.id))) for row in rows],
        effect=schemas.EffectOut(
            summary=schemas.Bilingual(zh=told.summary.zh, en=told.summary.en),
            cameras=told.cameras,
            sensitive=told.sensitive,
            overlapping=told.overlapping,
            becomes_visible_to={**unit_out(organisation).model_dump(), "people": told.people},
            until=clock.local(request.valid_to),
        ),
        decisions=[
            schemas.DecisionOut(
                stage=decision.stage,
                round=decision.round,
                outcome=decision.outcome,
                comment=decision.comment,
                at=clock.local(decision.at),
                organisation=unit_out(units[decision.organisation_id]),
                person=people.get(decision.account_id, ""),
            )
            for decision in decisions
        ],
        earlier=[
            schemas.EarlierOut(
                id=row.id,
                number=row.number,
                title=row.title,
                state=row.state,
                submitted_at=_local(row.submitted_at),
                cameras=count,
            )
            for row, count in before
        ],
        grants=[
            schemas.GrantRef(id=grant.id, number=grant.number, state=state_of(grant))
            for grant in await repository.grants_of_request(session, request.id)
        ],
    )


def grant_actions(subject: Subject, grant: Grant, organisation: Organisation) -> list[str]:
    if state_of(grant) not in repository.RUNNING:
        return []
    return ["revoke"] if permit(subject, "sharing.grant.revoke", thing_of(grant, organisation)).allowed else []


def grant_item(
    subject: Subject, grant: Grant, organisation: Organisation, people: Mapping[int, str], count: int, lang: Lang
) -> schemas.GrantItem:
    return schemas.GrantItem(
        id=grant.id,
        number=grant.number,
        state=state_of(grant),
        request=grant.request_id,
        organisation=unit_out(organisation),
        purpose=grant.purpose,
        purpose_label=phrase(PURPOSES, grant.purpose).pick(lang),
        legal_basis_label=phrase(LEGAL_BASES, grant.legal_basis).pick(lang),
        valid_from=clock.local(grant.valid_from),
        valid_to=clock.local(grant.valid_to),
        cameras_count=count,
        created_at=clock.local(grant.created_at),
        ended_at=_local(grant.ended_at),
        ended_by=people.get(grant.ended_by) if grant.ended_by is not None else None,
        end_reason=grant.end_reason,
        version=grant.version,
        allowed_actions=grant_actions(subject, grant, organisation),
    )


async def grant_items(
    session: AsyncSession, subject: Subject, rows: Sequence[tuple[Grant, int]], lang: Lang
) -> list[schemas.GrantItem]:
    units = await repository.organisations(session, {row.organisation_id for row, _ in rows})
    people = await repository.account_names(session, {row.ended_by for row, _ in rows if row.ended_by is not None})
    return [grant_item(subject, row, units[row.organisation_id], people, count, lang) for row, count in rows]


async def grant_out(session: AsyncSession, subject: Subject, grant: Grant, lang: Lang) -> schemas.GrantOut:
    held = await repository.grant_cameras(session, grant.id)
    rights = {row.camera_id: right for row, right in held}
    rows = await repository.cameras_by_id(session, rights.keys())
    item = (await grant_items(session, subject, [(grant, len(rows))], lang))[0]
    return schemas.GrantOut(
        **item.model_dump(),
        cameras=[schemas.GrantCameraOut(**_camera(row, None, None), **_terms(rights[row.id])) for row in rows],
        people=await repository.people_of(session, grant.organisation_id),
    )


def _terms(right: Right) -> dict[str, Any]:
    return {
        "actions": Action(right.actions).words,
        "valid_from": clock.local(right.valid_from),
        "valid_to": _local(right.valid_to),
        "hours": right.hours,
        "concurrency": right.limits.get("concurrency"),
        "playback_hours": right.limits.get("playback_hours"),
        "ended_at": _local(right.ended_at),
    }


async def access_out(session: AsyncSession, row: CameraRow, rights: Sequence[Right]) -> schemas.AccessOut:
    """Who may see a camera, until when and by which right (ui.md page 3)."""
    units = await repository.organisations(
        session, {right.subject_id for right in rights if right.subject_kind == "organisation"}
    )
    now = clock.now()
    items: list[schemas.HolderOut] = []
    for right in rights:
        if right.valid_to is not None and right.valid_to <= now:
            continue
        unit = units.get(right.subject_id) if right.subject_kind == "organisation" else None
        purpose: Any = right.limits.get("purpose")
        items.append(
            schemas.HolderOut(
                kind=right.subject_kind,
                organisation=unit_out(unit) if unit is not None else None,
                basis=right.basis,
                grant=right.basis_id if right.basis == "grant" else None,
                grant_number=right.limits.get("grant_number"),
                purpose=schemas.Bilingual.model_validate(purpose) if purpose else None,
                actions=Action(right.actions).words,
                valid_from=clock.local(right.valid_from),
                valid_to=_local(right.valid_to),
                hours=right.hours,
                suspended=right.suspended_at is not None,
                people=await repository.people_of(session, unit.id) if unit is not None else None,
            )
        )
    return schemas.AccessOut(
        code=row.code, catalogue=row.sharing_class in {"unconditional", "conditional"}, items=items
    )
