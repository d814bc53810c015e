"""Routes that change peers, ask them about themselves, and choose what they are subscribed to."""

from typing import Any, Final

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.door import Caller, CallerContext, Door, ObjectId, Thing, check_version, etag
from gongshi.audit import service as audit
from gongshi.kit import clock
from gongshi.kit.errors import NotFound
from gongshi.signalling import facts, repository, service
from gongshi.signalling.device_schemas import (
    AnswerOut,
    AnswersOut,
    PasswordIn,
    PasswordOut,
    PeerChange,
    QueryIn,
    SaidOut,
    SubscriptionIn,
    SubscriptionOut,
    SubscriptionsOut,
)
from gongshi.signalling.repository import PeerRow

door = Door(prefix="/api/v1/peers", tag="peers")

_ASKING: Final = 12.0
_NULLABLE: Final = frozenset({"edition", "charset"})


async def _peer(caller: CallerContext, session: AsyncSession, peer_id: int, permission: str) -> PeerRow:
    row = await repository.peer(session, peer_id)
    if row is None:
        raise NotFound
    unit = row.organisation
    caller.permit(permission, Thing(organisation_id=unit.id, region_code=unit.region_code, level=unit.level))
    return row


@door.patch("/{peer_id}", permission="signalling.peer.change", status_code=204, summary="Change a peer 修改下级平台")
async def change_peer(peer_id: ObjectId, body: PeerChange, caller: Caller, response: Response) -> None:
    """A disabled peer goes offline at once and its pictures end; edition and charset count from the next message."""
    values = body.model_dump(exclude_unset=True)
    values = {name: value for name, value in values.items() if value is not None or name in _NULLABLE}
    async with caller.unit() as uow:
        row = await _peer(caller, uow.session, peer_id, "signalling.peer.change")
        check_version(caller, row.peer.version)
        await service.change_peer(uow, row.peer, values)
        response.headers["ETag"] = etag(row.peer.version)


@door.post(
    "/{peer_id}/password", permission="signalling.peer.change", summary="Give a peer another password 重设注册口令"
)
async def set_password(peer_id: ObjectId, body: PasswordIn, caller: Caller, response: Response) -> PasswordOut:
    """Shown this once. What is registered stays so until its next registration."""
    async with caller.unit() as uow:
        row = await _peer(caller, uow.session, peer_id, "signalling.peer.change")
        wanted = body.password.get_secret_value() if body.password is not None else None
        password = await service.set_password(uow, caller.state.box, row.peer, wanted)
    response.headers["Cache-Control"] = "no-store"
    return PasswordOut(password=password)


@door.delete("/{peer_id}", permission="signalling.peer.change", status_code=204, summary="Remove a peer 删除下级平台")
async def remove_peer(peer_id: ObjectId, caller: Caller) -> None:
    """Only one that never showed a catalogue; any other keeps its records and can be disabled."""
    async with caller.unit() as uow:
        row = await _peer(caller, uow.session, peer_id, "signalling.peer.change")
        check_version(caller, row.peer.version)
        await service.remove_peer(uow, row.peer)


@door.post("/{peer_id}/queries", permission="signalling.peer.query", summary="Ask a peer about itself 查询设备信息")
async def query(peer_id: ObjectId, body: QueryIn, caller: Caller) -> AnswerOut:
    """Waits for the answer, at most 10 s."""
    async with caller.read() as session:
        row = await _peer(caller, session, peer_id, "signalling.peer.query")
    answer = await caller.state.roles["signal"].call(
        "query", timeout=_ASKING, kind=body.kind, peer_id=peer_id, params={"types": body.types}
    )
    async with caller.unit() as uow:
        detail = {"name": row.peer.name, "code": row.peer.code, "kind": body.kind}
        await audit.record(uow, "signalling.peer.queried", object_kind="peer", object_id=peer_id, detail=detail)
    return AnswerOut(kind=body.kind, answer=answer)


@door.get("/{peer_id}/answers", permission="signalling.peer.see", summary="What a peer said last 最近的设备信息")
async def answers(peer_id: ObjectId, caller: Caller) -> AnswersOut:
    """About itself and its channels: information, status, settings, how upgrades ended."""
    async with caller.read() as session:
        await _peer(caller, session, peer_id, "signalling.peer.see")
        rows = await facts.said(session, peer_id)
    return AnswersOut(
        items=[SaidOut(code=row.code, kind=row.kind, value=row.value, at=clock.local(row.at)) for row in rows]
    )


@door.get("/{peer_id}/subscriptions", permission="signalling.peer.see", summary="What we subscribe to 对下级的订阅")
async def subscriptions(peer_id: ObjectId, caller: Caller) -> SubscriptionsOut:
    """Catalogue, alarms, positions: whether they are wanted and how they stand."""
    async with caller.read() as session:
        await _peer(caller, session, peer_id, "signalling.peer.see")
    return await _subscriptions(caller, peer_id)


async def _subscriptions(caller: CallerContext, peer_id: int) -> SubscriptionsOut:
    rows: list[dict[str, Any]] = await caller.state.roles["signal"].call("subscriptions", timeout=5.0, peer_id=peer_id)
    return SubscriptionsOut(items=[SubscriptionOut(**row) for row in rows])


@door.put(
    "/{peer_id}/subscriptions", permission="signalling.peer.change", summary="Choose what to subscribe to 设置订阅"
)
async def subscribe(peer_id: ObjectId, body: SubscriptionIn, caller: Caller) -> SubscriptionsOut:
    """Kept for good and carried out when the peer is online.

    Positions of mobile devices are kept only where this was chosen, and only the newest of each device.
    """
    async with caller.unit() as uow:
        row = await _peer(caller, uow.session, peer_id, "signalling.peer.change")
        detail = {"name": row.peer.name, "code": row.peer.code, "package": body.package, "on": body.on}
        await audit.record(uow, "signalling.subscription.chosen", object_kind="peer", object_id=peer_id, detail=detail)
    await caller.state.roles["signal"].call(
        "subscribe", timeout=5.0, peer_id=peer_id, package=body.package, on=body.on, interval=body.interval
    )
    return await _subscriptions(caller, peer_id)
