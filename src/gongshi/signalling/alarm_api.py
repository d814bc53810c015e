"""Routes of alarms: who is responsible for a peer sees its alarms and confirms them."""

from typing import Annotated, Any

from fastapi import Query

from gongshi.access.door import Caller, CallerContext, Door, ObjectId, Thing
from gongshi.audit import service as audit
from gongshi.db.events import emit
from gongshi.kit import clock
from gongshi.kit.errors import Conflict, NotFound
from gongshi.kit.i18n import Text
from gongshi.kit.paging import MAX_LIMIT, decode_cursor, encode_cursor
from gongshi.registry.models import Camera, Organisation
from gongshi.signalling import facts, repository
from gongshi.signalling.device_schemas import AlarmOut, AlarmsOut, ConfirmIn
from gongshi.signalling.models import Alarm, Peer

door = Door(prefix="/api/v1/alarms", tag="alarms")


def _shown(alarm: Alarm, peer: Peer, camera: Camera | None, *, may_confirm: bool) -> AlarmOut:
    return AlarmOut(
        id=alarm.id,
        peer={"id": peer.id, "name": peer.name, "code": peer.code},
        code=alarm.code,
        camera={"code": camera.code, "name": camera.name} if camera is not None else None,
        kind=alarm.kind,
        method=alarm.method,
        type=alarm.type,
        priority=alarm.priority,
        description=alarm.description,
        alarm_at=clock.local(alarm.alarm_at),
        received_at=clock.local(alarm.received_at),
        confirmed_at=clock.local(alarm.confirmed_at) if alarm.confirmed_at else None,
        confirmed_by=alarm.confirmed_name,
        note=alarm.note,
        allowed_actions=["confirm"] if may_confirm and alarm.confirmed_at is None else [],
    )


def _thing(unit: Organisation) -> Thing:
    return Thing(organisation_id=unit.id, region_code=unit.region_code, level=unit.level)


@door.get("", permission="signalling.alarm.see", summary="Alarms of devices, newest first 设备报警")
async def alarms(
    caller: Caller,
    confirmed: Annotated[bool | None, Query(description="Only confirmed ones, or only open ones")] = None,
    peer: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    priority: Annotated[int | None, Query(ge=1, le=4)] = None,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
) -> AlarmsOut:
    """Those of peers that the caller's duty covers."""
    where = repository.reach(caller.subject, "signalling.alarm.see")
    if confirmed is not None:
        where.append(Alarm.confirmed_at.is_not(None) if confirmed else Alarm.confirmed_at.is_(None))
    if peer is not None:
        where.append(Alarm.peer_id == peer)
    if priority is not None:
        where.append(Alarm.priority == priority)
    before = int(decode_cursor(cursor, [int])[0]) if cursor else None
    async with caller.read() as session:
        found = await facts.alarms(session, *where, before=before, limit=limit + 1)
        units = await facts.organisations(session, {row[1].organisation_id for row in found})
    items = [
        _shown(alarm, owner, camera, may_confirm=_may(caller, units.get(owner.organisation_id)))
        for alarm, owner, camera in found[:limit]
    ]
    following = encode_cursor(items[-1].id) if len(found) > limit else None
    return AlarmsOut(items=items, next_cursor=following)


def _may(caller: CallerContext, unit: Organisation | None) -> bool:
    return unit is not None and caller.permits("signalling.alarm.confirm", _thing(unit)).allowed


class Confirmed(Conflict):
    code, title = "alarm_confirmed", Text("该报警已确认", "The alarm is confirmed already")


@door.post("/{alarm_id}/confirm", permission="signalling.alarm.confirm", summary="Confirm an alarm 确认报警")
async def confirm(alarm_id: ObjectId, body: ConfirmIn, caller: Caller) -> AlarmOut:
    """With `reset` the device is told too: after an alarm of its input it stays silent until then.

    When the device does not take the reset, the alarm stays confirmed and the answer says why.
    """
    async with caller.unit() as uow:
        row = await facts.alarm(uow.session, alarm_id)
        if row is None:
            raise NotFound
        alarm, peer, unit, camera = row
        caller.permit("signalling.alarm.confirm", _thing(unit))
        if alarm.confirmed_at is not None:
            raise Confirmed(
                Text(f"该报警已由“{alarm.confirmed_name}”确认", f"“{alarm.confirmed_name}” confirmed it already")
            )
        subject = caller.subject
        alarm.confirmed_at, alarm.confirmed_by, alarm.confirmed_name = clock.now(), subject.id, subject.name
        alarm.note = body.note.strip() or None
        await uow.session.flush()
        detail: dict[str, Any] = {"code": alarm.code, "kind": alarm.kind, "peer": peer.name, "note": alarm.note}
        await audit.record(
            uow,
            "signalling.alarm.confirmed",
            object_kind="alarm",
            object_id=alarm_id,
            camera_id=alarm.camera_id,
            detail=detail,
        )
        await emit(
            uow,
            "signalling.alarm.confirmed",
            id=alarm_id,
            peer=peer.id,
            code=alarm.code,
            organisation_id=peer.organisation_id,
        )
        shown = _shown(alarm, peer, camera, may_confirm=False)
        channel_id = await facts.channel_named(uow.session, peer.id, alarm.code)
    if body.reset:
        target = {"peer_id": peer.id} if channel_id is None else {"channel_id": channel_id}
        await caller.state.roles["signal"].call(
            "control", timeout=12.0, command="alarm_reset", params={"method": alarm.method}, **target
        )
    return shown
