"""Who may steer and search a camera: `access` decides, this room only asks (design.md §6)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.actions import Action
from gongshi.access.decisions import Decision
from gongshi.access.rights import decide_now
from gongshi.access.subjects import Subject
from gongshi.kit import clock
from gongshi.kit.errors import Conflict, Forbidden, NotFound, Problem
from gongshi.kit.i18n import Text
from gongshi.registry.models import Camera
from gongshi.signalling import service
from gongshi.signalling.service import ChannelTarget

URGENT: Final = 10
"""Priority at the desk of who acts under an emergency."""

_WHAT: Final = {
    Action.PTZ: Text("云台控制", "moving the camera"),
    Action.PLAYBACK: Text("录像回放", "playing recordings back"),
}


@dataclass(frozen=True, slots=True)
class Admitted:
    """A camera that may be used this way, and the channel that leads to it."""

    camera_id: int
    code: str
    name: str
    target: ChannelTarget
    decision: Decision

    @property
    def priority(self) -> int:
        """At the desk."""
        return URGENT if self.decision.basis == "emergency" else 0


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not; `camera_id` for the log when the camera exists."""

    problem: Problem
    code: str
    camera_id: int | None = None


async def admit(session: AsyncSession, subject: Subject, code: str, action: Action) -> Admitted | Refused:
    """Decide from the database itself. Absent and not the subject's to know look the same."""
    camera = await session.scalar(select(Camera).where(Camera.code == code))
    if camera is None:
        return Refused(NotFound(), "not_found")
    now = clock.now()
    decision = await decide_now(session, subject, action, camera.id, now)
    if not decision.allowed:
        seen = (await decide_now(session, subject, Action.SEE, camera.id, now)).allowed
        return Refused(_no_right(camera.name, action, decision) if seen else NotFound(), decision.code, camera.id)
    target = await service.channel_for(session, camera.id)
    if target is None:
        problem = Conflict(
            Text(
                f"{camera.name}：没有下级平台的目录列出这台摄像机，无法操作",
                f"{camera.name}: no peer's catalogue lists this camera, so it cannot be reached",
            ),
            code="channel_unknown",
        )
        return Refused(problem, "channel_unknown", camera.id)
    return Admitted(camera.id, camera.code, camera.name, target, decision)


def _no_right(name: str, action: Action, decision: Decision) -> Forbidden:
    what = _WHAT[action]
    if decision.code == "no_right":
        text = Text(
            f"{name}：没有{what.zh}的授权（实时调阅的授权不含此项），可在“共享 · 申请”中申请",
            f"{name}: no right for {what.en} (live viewing does not include it); ask for it under Sharing",
        )
    else:
        text = Text(f"{name}：{decision.reason.zh}", f"{name}: {decision.reason.en}")
    return Forbidden(text, code=decision.code)


def too_old(admitted: Admitted, start: Any) -> Forbidden | None:
    """A search further back than the grant reaches."""
    hours = admitted.decision.limits.get("playback_hours")
    if not isinstance(hours, int | float) or start >= clock.now() - timedelta(hours=hours):
        return None
    return Forbidden(
        Text(f"该授权只能回看最近 {hours:g} 小时的录像", f"The grant reaches back {hours:g} hours only"),
        code="playback_depth",
    )
