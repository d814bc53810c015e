"""What sharing adds to other rooms' pages: the camera's `decided` section, and what waits for whom."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.actions import Action
from gongshi.access.permissions import Thing, permit
from gongshi.access.subjects import Subject
from gongshi.kit import clock
from gongshi.registry.models import Camera
from gongshi.sharing import repository
from gongshi.sharing.grants import state_of


async def decided(session: AsyncSession, camera: Camera, subject: Subject) -> dict[str, Any] | None:
    """Running grants over a camera and 授权共享单位, the units that share it (G-147: derived, never typed).

    Its managing unit, police of the area and the auditor see all of them; anyone else their own unit's only.
    None when there is nothing for this subject to know.
    """
    thing = Thing(organisation_id=camera.organisation_id, region_code=camera.region_code)
    everything = permit(subject, "registry.camera.access", thing).allowed
    own = None if everything else (subject.organisation_id or 0)
    running = await repository.running_grants(session, [camera.id], clock.now(), own)
    units = await repository.organisations(session, {grant.organisation_id for _, grant, _ in running})
    waiting = await repository.open_requests_over(session, camera.id) if everything else None
    if not running and not waiting:
        return {"grants": [], "shared_with": [], "open_requests": waiting} if everything else None
    shared = [units[grant.organisation_id] for _, grant, _ in running]
    return {
        "grants": [
            {
                "id": grant.id,
                "number": grant.number,
                "state": state_of(grant),
                "organisation": units[grant.organisation_id].short_name,
                "actions": Action(right.actions).words,
                "from": clock.local(right.valid_from).isoformat(),
                "until": clock.local(right.valid_to or grant.valid_to).isoformat(),
            }
            for _, grant, right in running
        ],
        "shared_with": [
            {"id": unit.id, "name": unit.short_name, "name_en": unit.name_en} for unit in dict.fromkeys(shared)
        ],
        "open_requests": waiting,
    }
