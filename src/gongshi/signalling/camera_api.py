"""Routes that steer a camera and search its recordings: every one decided by `access` for this camera and action."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Query

from gongshi.access.actions import Action
from gongshi.access.door import Caller, CallerContext, Door
from gongshi.audit import service as audit
from gongshi.kit import clock
from gongshi.kit.errors import FieldError, Invalid, Problem
from gongshi.kit.i18n import Text
from gongshi.signalling.device_problems import PtzHeld
from gongshi.signalling.device_schemas import (
    Code,
    HolderOut,
    PresetIn,
    PresetOut,
    PresetsOut,
    PtzIn,
    PtzOut,
    RecordingOut,
    RecordingsOut,
    ResultOut,
    SpanOut,
)
from gongshi.signalling.guard import Admitted, Refused, admit, too_old

door = Door(prefix="/api/v1/cameras", tag="control")

LONGEST: Final = timedelta(days=31)
_ASKING: Final = 12.0
_SEARCHING: Final = 90.0
_HOLDER: Final = ("kind", "name", "organisation", "seconds")
_AXES: Final = ("pan", "tilt", "zoom")


async def _admit(caller: CallerContext, code: str, action: Action) -> Admitted:
    """The camera, or the refusal, which is logged before it is told."""
    async with caller.read() as session:
        found = await admit(session, caller.subject, code, action)
    if isinstance(found, Admitted):
        return found
    await _log_refusal(caller, code, action, found)
    raise found.problem


async def _log_refusal(caller: CallerContext, code: str, action: Action, refused: Refused) -> None:
    text = refused.problem.detail
    detail = {
        "action": action.wire,
        "camera_code": code,
        "code": refused.code,
        "because": {"zh": text.zh, "en": text.en},
    }
    async with caller.unit() as uow:
        await audit.record(
            uow,
            "signalling.camera.refused",
            object_kind="camera",
            object_id=code,
            camera_id=refused.camera_id,
            detail=detail,
        )


async def _control(caller: CallerContext, camera: Admitted, command: str, params: dict[str, Any]) -> dict[str, Any]:
    subject = caller.subject
    actor = {
        "kind": subject.kind,
        "id": subject.id,
        "name": subject.name,
        "organisation": subject.organisation_name,
        "priority": camera.priority,
    }
    try:
        return await caller.state.roles["signal"].call(
            "control",
            timeout=_ASKING,
            command=command,
            channel_id=camera.target.channel_id,
            params=params,
            actor=actor,
        )
    except Problem as problem:
        data: Any = getattr(problem, "data", None)
        if problem.code == PtzHeld.code and data:
            # Another process says so: told on with the holder in the answer's body.
            raise PtzHeld(problem.detail, {name: data.get(name) for name in _HOLDER}) from problem
        raise


async def _log_use(caller: CallerContext, camera: Admitted, action: str, **detail: Any) -> None:
    limits = camera.decision.limits
    about = {
        "camera_code": camera.code,
        "camera_name": camera.name,
        "basis": camera.decision.basis,
        "grant_number": limits.get("grant_number"),
    }
    async with caller.unit() as uow:
        await audit.record(
            uow, action, object_kind="camera", object_id=camera.code, camera_id=camera.camera_id, detail=about | detail
        )


@door.post("/{code}/ptz", permission="signalling.camera.control", summary="Move a camera 云台控制")
async def move(code: Code, body: PtzIn, caller: Caller) -> PtzOut:
    """Decided as the action `ptz`; a right to watch does not include it.

    The camera belongs to who moved it last for 10 s: others get 409 `ptz_held` with the `holder`. What moves
    continuously is stopped 5 s after the last command; repeat it while the button is held.
    """
    camera = await _admit(caller, code, Action.PTZ)
    params = body.model_dump(exclude={"command"}, exclude_none=True)
    if body.command == "move":
        params |= {axis: int(params[axis]) for axis in _AXES if axis in params and params[axis] in {-1.0, 0.0, 1.0}}
    result = await _control(caller, camera, body.command, params)
    if result.get("taken"):
        await _log_use(caller, camera, "signalling.ptz.taken", command=body.command)
    return PtzOut(result=result["result"], holder=await _holder(caller, camera))


async def _holder(caller: CallerContext, camera: Admitted) -> HolderOut | None:
    held = await caller.state.roles["signal"].call("ptz_holder", timeout=5.0, channel_id=camera.target.channel_id)
    if held is None:
        return None
    mine = held["kind"] == caller.subject.kind and held["id"] == caller.subject.id
    return HolderOut(kind=held["kind"], name=held["name"], mine=mine)


@door.get("/{code}/presets", permission="signalling.camera.control", summary="Stored views of a camera 预置位")
async def presets(code: Code, caller: Caller) -> PresetsOut:
    """Asked of the device itself."""
    camera = await _admit(caller, code, Action.PTZ)
    answer = await caller.state.roles["signal"].call(
        "query", timeout=_ASKING, kind="presets", channel_id=camera.target.channel_id
    )
    return PresetsOut(items=[PresetOut(**item) for item in answer["presets"]], complete=answer["complete"])


@door.post("/{code}/presets", permission="signalling.camera.control", summary="Set, call or delete a view 设置预置位")
async def change_preset(code: Code, body: PresetIn, caller: Caller) -> ResultOut:
    """Setting and deleting are logged; calling counts as a movement."""
    camera = await _admit(caller, code, Action.PTZ)
    result = await _control(caller, camera, f"preset_{body.action}", {"preset": body.number, "name": body.name})
    if body.action == "call":
        if result.get("taken"):
            await _log_use(caller, camera, "signalling.ptz.taken", command="preset_call")
    else:
        await _log_use(caller, camera, "signalling.preset.changed", change=body.action, preset=body.number)
    return ResultOut(result=result["result"])


@door.get("/{code}/recordings", permission="signalling.camera.search", summary="Search recordings 录像检索")
async def recordings(
    code: Code,
    caller: Caller,
    from_: Annotated[datetime, Query(alias="from", description="With a zone")],
    to: Annotated[datetime, Query(description="With a zone; at most 31 days after `from`")],
    type: Annotated[str, Query(pattern="^(all|time|alarm|manual)$")] = "all",
    centre: Annotated[bool, Query(description="Search the platform's storage instead of the camera's own")] = False,
) -> RecordingsOut:
    """Decided as the action `playback`, as far back as the right reaches. Long spans are asked in pieces of 12 h.

    A recorder that stops half-way gives what it had, with `complete` false.
    """
    start, end = _interval(from_, to)
    camera = await _admit(caller, code, Action.PLAYBACK)
    problem = too_old(camera, start)
    if problem is not None:
        await _log_refusal(caller, code, Action.PLAYBACK, Refused(problem, "playback_depth", camera.camera_id))
        raise problem
    await _log_use(caller, camera, "signalling.recordings.searched", start=start, end=end)
    found: dict[str, Any] = await caller.state.roles["signal"].call(
        "records",
        timeout=_SEARCHING,
        channel_id=camera.target.channel_id,
        start=start.isoformat(),
        end=end.isoformat(),
        type=type,
        centre=centre,
    )
    return RecordingsOut(
        items=[RecordingOut(**item) for item in found["items"]],
        complete=found["complete"],
        spans=[SpanOut(**span) for span in found["spans"]],
    )


def _interval(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    faults: list[FieldError] = []
    for name, moment in (("from", start), ("to", end)):
        if moment.tzinfo is None:
            message = Text(f"{name} 缺少时区，例如 +08:00", f"{name} lacks its zone, for example +08:00")
            faults.append(FieldError(name, "zone", message))
        elif not 2000 <= moment.year <= 2200:
            faults.append(FieldError(name, "range", Text(f"{name} 超出范围", f"{name} is out of range")))
    if not faults and not start < end <= start + LONGEST:
        message = Text("结束时间应在开始之后 31 天以内", "The end lies after the beginning, by at most 31 days")
        faults.append(FieldError("to", "range", message))
    if not faults and start > clock.now():
        faults.append(FieldError("from", "range", Text("开始时间不能在将来", "The beginning lies in the future")))
    if faults:
        raise Invalid(
            Text("；".join(f.message.zh for f in faults), "; ".join(f.message.en for f in faults)), errors=faults
        )
    return start, end
