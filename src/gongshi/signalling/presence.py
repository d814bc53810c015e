"""What other rooms' pages want to know of the connected platforms: who is online, what they show (design.md §3)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.permissions import holds, permit
from gongshi.access.subjects import Subject
from gongshi.identity.roles import AGENCY_CONTACT
from gongshi.kit import clock
from gongshi.kit.i18n import Lang, Text
from gongshi.registry.models import Camera
from gongshi.registry.ports import Figure, Need, Overview
from gongshi.signalling import repository

_PEERS: Final = "/peers"


class Presence:
    """`registry.ports.Presence`."""

    async def online(self, session: AsyncSession, camera_ids: Collection[int]) -> Mapping[int, bool]:
        """Online when any channel of the camera is on at a platform that is online; absent: never seen."""
        return await repository.cameras_online(session, camera_ids)

    async def online_count(self, session: AsyncSession) -> int:
        return await repository.cameras_online_count(session)


@dataclass(frozen=True, slots=True)
class SeenChannel:
    """A camera that a catalogue names; the shape `inventory.ports.SeenChannel` asks for."""

    peer_id: int
    peer_name: str
    code: str
    name: str
    longitude: float | None
    latitude: float | None
    status: str


async def seen(session: AsyncSession, organisation_id: int | None = None) -> Sequence[SeenChannel]:
    """Cameras that stand in catalogues: of the organisation's own peers, and its cameras at anybody else's.

    What its peers carry for other organisations is theirs to declare and is left out.
    """
    return [SeenChannel(*row) for row in await repository.seen(session, organisation_id)]


async def seen_section(session: AsyncSession, camera: Camera, subject: Any, lang: Lang) -> dict[str, Any] | None:
    """The `seen` part of a camera's page; None when no platform has ever shown it."""
    del subject, lang
    row = await repository.seen_camera(session, camera.id)
    if row is None:
        return None
    channel, peer, binding = row
    state = _state(peer.enabled, binding.state if binding else None)
    return {
        "online": state == "online" and channel.status == "on" and channel.gone_at is None,
        "peer": {"id": peer.id, "name": peer.name, "code": peer.code},
        "state": state,
        "code": channel.code,
        "name": channel.name,
        "status": channel.status,
        "manufacturer": channel.manufacturer,
        "model": channel.model,
        "address": channel.address,
        "longitude": channel.longitude,
        "latitude": channel.latitude,
        "first_seen_at": clock.local(channel.first_seen_at).isoformat(timespec="seconds"),
        "seen_at": clock.local(channel.seen_at).isoformat(timespec="seconds"),
        "gone_at": clock.local(channel.gone_at).isoformat(timespec="seconds") if channel.gone_at else None,
    }


def _state(enabled: bool, state: str | None) -> str:
    """How a page names a peer's state."""
    return ("disabled" if not enabled else None) or state or "never"


async def overview(session: AsyncSession, subject: Subject) -> Overview:
    """Platforms online of all, and for whom it concerns: offline ones and cameras shown but not declared."""
    part = Overview()
    if not holds(subject, "signalling.peer.see"):
        return part
    everything = permit(subject, "signalling.peer.change").allowed
    where = [] if everything else repository.reach(subject)
    total, online = await repository.peer_figures(session, where)
    part.figures.append(Figure("peers", Text("在线平台", "Platforms online"), online, _PEERS, f"/{total}"))
    if total > online:
        part.needs.append(
            Need("peers_offline", Text("下级平台离线", "platforms offline"), total - online, f"{_PEERS}?state=offline")
        )
    if AGENCY_CONTACT in subject.roles and subject.organisation_id is not None:
        unknown = await repository.undeclared_count(session, subject.organisation_id)
        if unknown:
            label = Text("平台上有但未填报的摄像机", "cameras on the platform that no filing declares")
            part.needs.append(Need("seen_undeclared", label, unknown, "/inventory?tab=reconciliation"))
    return part
