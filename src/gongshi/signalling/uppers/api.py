"""Routes of uppers: the platforms that we register with, and what they may see."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.actions import Action, parse_actions
from gongshi.access.door import Caller, CallerContext, Door, ObjectId, Thing, check_version, etag
from gongshi.access.rights import load
from gongshi.access.service import HeldRight
from gongshi.access.subjects import Subject
from gongshi.access.visible import visible
from gongshi.kit import clock
from gongshi.kit.errors import NotFound, Problem
from gongshi.kit.paging import MAX_LIMIT, decode_cursor, encode_cursor
from gongshi.signalling.schemas import OrganisationRef, TraceLine
from gongshi.signalling.uppers import repository, service
from gongshi.signalling.uppers.problems import reason_text
from gongshi.signalling.uppers.repository import UpperRow
from gongshi.signalling.uppers.schemas import (
    AliasIn,
    SharedCameraOut,
    SharedCamerasOut,
    SubscriptionOut,
    UpperChange,
    UpperIn,
    UpperOut,
    UpperPassword,
    UpperRightIn,
    UpperRightOut,
    UpperRightsOut,
    UppersOut,
    UpperTraceOut,
)

door = Door(prefix="/api/v1/uppers", tag="uppers")

_ROW: Final = (
    "id",
    "code",
    "name",
    "domain",
    "host",
    "port",
    "transport",
    "own_code",
    "username",
    "realm",
    "edition",
    "charset",
    "expires",
    "keepalive_interval",
    "keepalive_misses",
    "retry_seconds",
    "tree",
    "contact",
    "sources",
    "media_networks",
    "redirects",
    "enabled",
    "version",
)


async def _live(caller: CallerContext) -> Mapping[int, Mapping[str, Any]]:
    """States as the signal role knows them; empty when it does not answer, the rows' last states count then."""
    try:
        rows = await caller.state.roles["signal"].call("uppers", timeout=3.0)
    except Problem:
        return {}
    return {int(row["id"]): row for row in rows}


def _subject(row: UpperRow) -> Subject:
    upper, unit = row.upper, row.organisation
    return Subject(
        kind="upper",
        id=upper.id,
        name=upper.name,
        organisation_id=unit.id,
        organisation_name=unit.name,
        region_code=unit.region_code,
        level=unit.level,
    )


def _thing(row: UpperRow) -> Thing:
    unit = row.organisation
    return Thing(organisation_id=unit.id, region_code=unit.region_code, level=unit.level)


async def _upper(caller: CallerContext, session: AsyncSession, upper_id: int, permission: str) -> UpperRow:
    row = await service.standing_upper(session, upper_id)
    caller.permit(permission, _thing(row))
    return row


def _actions(caller: CallerContext, row: UpperRow) -> list[str]:
    thing = _thing(row)
    found: list[str] = []
    if caller.permits("signalling.upper.change", thing).allowed:
        found += ["change", "set_password", "remove", "trace"]
    if caller.permits("signalling.upper.share", thing).allowed:
        found.append("share")
    return found


async def _shown(
    caller: CallerContext, session: AsyncSession, row: UpperRow, live: Mapping[str, Any] | None
) -> UpperOut:
    upper, unit = row.upper, row.organisation
    ids = await repository.visible_ids(session, _subject(row), upper.code, clock.now())
    known: Mapping[str, Any] = live or {}
    reason = reason_text(known.get("reason") if live else upper.reason)
    return UpperOut(
        **{name: getattr(upper, name) for name in _ROW},
        organisation=OrganisationRef(id=unit.id, name=unit.name if caller.lang == "zh" else unit.name_en),
        state=known.get("state") or (upper.state if upper.enabled else "off"),
        reason=None if reason is None else reason.pick(caller.lang),
        registered_at=known.get("registered_at") or (clock.local(upper.registered_at) if upper.registered_at else None),
        keepalive_at=known.get("keepalive_at"),
        address=known.get("address"),
        spoken=known.get("edition"),
        clock_offset=known.get("clock_offset"),
        calls=known.get("calls", 0),
        subscriptions=[SubscriptionOut(**item) for item in known.get("subscriptions", ())],
        cameras=len(ids),
        allowed_actions=_actions(caller, row),
    )


@door.get("", permission="signalling.upper.see", summary="Platforms that we register with 上级平台")
async def uppers(caller: Caller) -> UppersOut:
    """All of them, by code."""
    live = await _live(caller)
    async with caller.read() as session:
        rows = await repository.uppers(session)
        return UppersOut(items=[await _shown(caller, session, row, live.get(row.upper.id)) for row in rows])


@door.post(
    "",
    permission="signalling.upper.change",
    status_code=201,
    idempotent=True,
    summary="Add an upper platform and register with it 新增上级平台",
)
async def create_upper(body: UpperIn, caller: Caller, response: Response) -> UpperOut:
    """The signal role begins to register at once."""
    values = body.model_dump(exclude={"organisation", "password"})
    async with caller.unit() as uow:
        upper = await service.create_upper(
            uow,
            caller.state.box,
            organisation=body.organisation,
            password=body.password.get_secret_value(),
            **values,
        )
        row = await service.standing_upper(uow.session, upper.id)
        shown = await _shown(caller, uow.session, row, None)
    response.headers["ETag"] = etag(shown.version)
    return shown


@door.get("/{upper_id}", permission="signalling.upper.see", summary="One upper platform 上级平台详情")
async def upper(upper_id: ObjectId, caller: Caller, response: Response) -> UpperOut:
    live = await _live(caller)
    async with caller.read() as session:
        row = await _upper(caller, session, upper_id, "signalling.upper.see")
        shown = await _shown(caller, session, row, live.get(upper_id))
    response.headers["ETag"] = etag(shown.version)
    return shown


@door.patch("/{upper_id}", permission="signalling.upper.change", summary="Change an upper platform 修改上级平台")
async def change_upper(upper_id: ObjectId, body: UpperChange, caller: Caller, response: Response) -> UpperOut:
    """A registration that stands is taken back and made anew with the new settings."""
    values = body.model_dump(exclude_unset=True)
    for name in _NEVER_EMPTY & values.keys():
        if values[name] is None:
            del values[name]
    async with caller.unit() as uow:
        row = await _upper(caller, uow.session, upper_id, "signalling.upper.change")
        check_version(caller, row.upper.version)
        await service.change_upper(uow, row.upper, row.organisation, values)
        shown = await _shown(caller, uow.session, row, None)
    response.headers["ETag"] = etag(shown.version)
    return shown


_NEVER_EMPTY: Final = frozenset(
    name for name in UpperChange.model_fields if name not in {"realm", "edition", "charset", "contact"}
)


@door.delete(
    "/{upper_id}",
    permission="signalling.upper.change",
    status_code=204,
    summary="Unregister and remove an upper platform 删除上级平台",
)
async def remove_upper(upper_id: ObjectId, caller: Caller) -> None:
    """Its rights end, its pictures within 2 s; its aliases stay reserved."""
    async with caller.unit() as uow:
        row = await _upper(caller, uow.session, upper_id, "signalling.upper.change")
        check_version(caller, row.upper.version)
        await service.remove_upper(uow, row.upper, row.organisation)


@door.post(
    "/{upper_id}/password",
    permission="signalling.upper.change",
    status_code=204,
    summary="Set the password that an upper gave us 设置注册口令",
)
async def set_password(upper_id: ObjectId, body: UpperPassword, caller: Caller) -> None:
    async with caller.unit() as uow:
        row = await _upper(caller, uow.session, upper_id, "signalling.upper.change")
        secret = body.password.get_secret_value()
        await service.set_password(uow, caller.state.box, row.upper, row.organisation, secret)


@door.get("/{upper_id}/cameras", permission="signalling.upper.see", summary="What an upper may see 上级可见的摄像机")
async def cameras(
    upper_id: ObjectId,
    caller: Caller,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
) -> SharedCamerasOut:
    """The same as its catalogue holds, as far as the caller may know of the cameras."""
    after = int(decode_cursor(cursor, [int])[0]) if cursor else 0
    now = clock.now()
    async with caller.read() as session:
        row = await _upper(caller, session, upper_id, "signalling.upper.see")
        subject = _subject(row)
        everything = await repository.visible_ids(session, subject, row.upper.code, now)
        known = visible(caller.subject, Action.SEE, now)
        ids = await repository.visible_ids(session, subject, row.upper.code, now, also=known)
        found = await repository.listed(session, upper_id, ids, after, limit + 1)
        page = [camera.id for camera, _ in found[:limit]]
        snapshot = await load(session, subject=subject, camera_ids=page)
    items = [
        SharedCameraOut(
            code=camera.code,
            name=camera.name,
            alias=alias,
            region=camera.region_code,
            actions=[a.wire for a in Action if snapshot.decide(subject, a, camera.id, now).allowed],
        )
        for camera, alias in found[:limit]
    ]
    following = encode_cursor(page[-1]) if len(found) > limit else None
    return SharedCamerasOut(items=items, next_cursor=following, total=len(everything))


@door.get("/{upper_id}/rights", permission="signalling.upper.see", summary="Rights of an upper 上级平台的权限")
async def rights(upper_id: ObjectId, caller: Caller) -> UpperRightsOut:
    async with caller.read() as session:
        await _upper(caller, session, upper_id, "signalling.upper.see")
        held = await service.shares(session, upper_id)
        return UpperRightsOut(items=[_right(right) for right in held])


def _right(right: HeldRight) -> UpperRightOut:
    return UpperRightOut(
        id=right.id,
        scope=right.scope,
        value=right.scope_value,
        cameras=right.cameras,
        actions=[action.wire for action in Action if action & right.actions],
        valid_from=clock.local(right.valid_from),
        valid_to=clock.local(right.valid_to) if right.valid_to else None,
        limits=dict(right.limits),
    )


@door.post(
    "/{upper_id}/rights",
    permission="signalling.upper.share",
    status_code=201,
    idempotent=True,
    summary="Open cameras to an upper 向上级平台开放摄像机",
)
async def share(upper_id: ObjectId, body: UpperRightIn, caller: Caller) -> UpperRightOut:
    """Only cameras inside the caller's own jurisdiction; ptz is never part of live."""
    limits = {
        "concurrency": body.concurrency,
        "playback_hours": body.playback_hours,
        "commands": sorted(set(body.commands)),
    }
    async with caller.unit() as uow:
        row = await _upper(caller, uow.session, upper_id, "signalling.upper.share")
        right_id = await service.share(
            uow,
            caller.subject,
            row.upper,
            scope=body.scope,
            value=body.value,
            cameras=list(dict.fromkeys(body.cameras)),
            actions=parse_actions(body.actions),
            valid_to=body.valid_to,
            limits=limits,
        )
        held: Sequence[HeldRight] = await service.shares(uow.session, upper_id)
        return next(_right(right) for right in held if right.id == right_id)


@door.delete(
    "/{upper_id}/rights/{right_id}",
    permission="signalling.upper.share",
    status_code=204,
    summary="End a right of an upper 收回上级平台的权限",
)
async def unshare(
    upper_id: ObjectId,
    right_id: Annotated[int, Path(ge=1, le=2**31 - 1)],
    caller: Caller,
    reason: Annotated[str, Query(max_length=200)] = "",
) -> None:
    """Its pictures under this right end within 2 s, with the reason."""
    async with caller.unit() as uow:
        row = await _upper(caller, uow.session, upper_id, "signalling.upper.share")
        await service.unshare(uow, row.upper, right_id, reason)


@door.post(
    "/{upper_id}/aliases",
    permission="signalling.upper.change",
    status_code=204,
    summary="Give a camera a code of its own at one upper 设置摄像机在上级的编码",
)
async def give_alias(upper_id: ObjectId, body: AliasIn, caller: Caller) -> None:
    """For ever: an alias is neither changed nor used again; the camera's own code stays as it is."""
    async with caller.unit() as uow:
        row = await _upper(caller, uow.session, upper_id, "signalling.upper.change")
        found = await repository.cameras_by_code(uow.session, [body.camera])
        camera = found.get(body.camera)
        if camera is None:
            raise NotFound
        await service.give_alias(uow, row.upper, camera, body.alias)


@door.get("/{upper_id}/trace", permission="signalling.upper.change", summary="Last messages with an upper 与上级的报文")
async def trace(upper_id: ObjectId, caller: Caller) -> UpperTraceOut:
    """Oldest first, without credentials."""
    async with caller.read() as session:
        await _upper(caller, session, upper_id, "signalling.upper.change")
    lines = await caller.state.roles["signal"].call("upper_trace", timeout=5.0, upper_id=upper_id)
    return UpperTraceOut(items=[TraceLine(**line) for line in lines])
