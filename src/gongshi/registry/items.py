"""One camera as lists show it. What the subject may do with it is decided elsewhere and comes in as `Sight`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.kit import clock
from gongshi.registry import repository
from gongshi.registry.models import Camera
from gongshi.registry.schemas import CameraAccess, CameraItem, OrganisationRef


@dataclass(frozen=True, slots=True)
class Names:
    """Names behind ids and codes."""

    units: Mapping[int, str]
    places: Mapping[str, str]


async def names(session: AsyncSession) -> Names:
    """Of all organisations and divisions: a few dozen rows."""
    return Names(
        {unit.id: unit.name for unit in await repository.organisations(session)},
        {region.code: region.name for region in await repository.regions(session)},
    )


@dataclass(frozen=True, slots=True)
class Sight:
    """How a subject stands to one camera."""

    basis: str | None
    """Why they may know of it; `catalogue` opens the reduced field set only (design.md §6)."""
    live: bool
    until: datetime | None
    grant: int | None
    allowed: Sequence[str]
    online: bool | None = None

    @property
    def reduced(self) -> bool:
        return self.basis == "catalogue"


def camera_item(row: Camera, known: Names, sight: Sight) -> CameraItem:
    """The row with names; null for what the subject's sight does not reach."""
    return CameraItem(
        code=row.code,
        name=row.name,
        organisation=OrganisationRef(id=row.organisation_id, name=known.units.get(row.organisation_id, "")),
        region_code=row.region_code,
        region_name=known.places.get(row.region_code, row.region_code),
        place=row.place_text or row.address,
        longitude=row.longitude,
        latitude=row.latitude,
        status=None if sight.reduced else row.status,
        point_class=row.point_class,
        place_class=row.place_class,
        sensitive=row.sensitive,
        sharing_class=row.sharing_class,
        direction=None if sight.reduced else row.direction,
        access=CameraAccess(
            see=sight.basis,
            live=sight.live,
            until=None if sight.until is None else clock.local(sight.until),
            grant=sight.grant,
        ),
        online=None if sight.reduced else sight.online,
        allowed_actions=list(sight.allowed),
    )
