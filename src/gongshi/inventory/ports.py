"""What the inventory needs from rooms beside it; the node hands it in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class SeenChannel:
    """A channel that a peer's catalogue names."""

    peer_id: int
    peer_name: str
    code: str
    name: str
    longitude: float | None
    latitude: float | None
    status: str
    """`on` or `off`."""


class SeenChannels(Protocol):
    """What the platforms of an organisation show over GB/T 28181; signalling knows."""

    async def __call__(self, session: AsyncSession, organisation_id: int) -> Sequence[SeenChannel]:
        """Cameras only (no groups or regions), of all peers of the organisation."""
        ...
