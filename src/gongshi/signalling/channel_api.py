"""Routes of a peer's channels: what the device stores, and commands that each need a permission of their own."""

from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.door import Caller, CallerContext, Door, ObjectId, Thing
from gongshi.audit import service as audit
from gongshi.kit.errors import FieldError, Invalid, NotFound
from gongshi.kit.i18n import Text
from gongshi.signalling import repository
from gongshi.signalling.commands import DEVICE_COMMANDS
from gongshi.signalling.device_schemas import CommandIn, PresetOut, PresetsOut, ResultOut
from gongshi.signalling.models import Channel
from gongshi.signalling.repository import PeerRow

door = Door(prefix="/api/v1/channels", tag="control")

_ASKING: Final = 12.0
_CONFIRMED: Final = frozenset({"reboot", "upgrade", "format"})
"""Nothing is done by a slip of the hand."""


async def _channel(
    caller: CallerContext, session: AsyncSession, channel_id: int, permission: str
) -> tuple[Channel, PeerRow]:
    channel = await repository.channel(session, channel_id)
    row = await repository.peer(session, channel.peer_id) if channel is not None else None
    if channel is None or row is None:
        raise NotFound
    unit = row.organisation
    thing = Thing(organisation_id=unit.id, region_code=unit.region_code, level=unit.level)
    # Who may not see it learns nothing of it, whatever they wanted to do with it.
    caller.permit("signalling.channel.see", thing)
    caller.permit(permission, thing)
    return channel, row


@door.get("/{channel_id}/presets", permission="signalling.channel.see", summary="Stored views of a channel 通道预置位")
async def presets(channel_id: ObjectId, caller: Caller) -> PresetsOut:
    """Asked of the device itself."""
    async with caller.read() as session:
        await _channel(caller, session, channel_id, "signalling.channel.see")
    answer = await caller.state.roles["signal"].call("query", timeout=_ASKING, kind="presets", channel_id=channel_id)
    return PresetsOut(items=[PresetOut(**item) for item in answer["presets"]], complete=answer["complete"])


@door.post(
    "/{channel_id}/commands", permission="signalling.device.command", summary="Send a command to a device 设备控制命令"
)
async def command(channel_id: ObjectId, body: CommandIn, caller: Caller) -> ResultOut:
    """`operate` (key frame, record, guard, alarm reset, home position), `reboot`, `upgrade` and `format` are apart.

    Reboot, upgrade and format need the channel's code again in `confirm`. An upgrade ends with the event
    `signalling.upgrade.finished`.
    """
    permission = f"signalling.device.{DEVICE_COMMANDS[body.command]}"
    async with caller.read() as session:
        channel, row = await _channel(caller, session, channel_id, permission)
    if body.command in _CONFIRMED and body.confirm != channel.code:
        message = Text(
            f"请在 confirm 中再次填写通道编码 {channel.code} 以确认",
            f"Repeat the channel's code {channel.code} in confirm",
        )
        raise Invalid(message, errors=[FieldError("confirm", "missing", message)])
    params: dict[str, Any] = body.model_dump(exclude={"command", "confirm"}, exclude_none=True)
    detail: dict[str, Any] = {
        "channel": channel.code,
        "name": channel.name,
        "command": body.command,
        "peer": row.peer.name,
    }
    async with caller.unit() as uow:
        # Before it is done: what reboots or erases a device must not happen unlogged.
        await audit.record(
            uow,
            "signalling.device.commanded",
            object_kind="channel",
            object_id=channel_id,
            camera_id=channel.camera_id,
            detail=detail,
        )
    result = await caller.state.roles["signal"].call(
        "control", timeout=_ASKING, command=body.command, channel_id=channel_id, params=params
    )
    return ResultOut(result=result["result"], session_id=result.get("session_id"))
