"""What exactly would become visible to whom and until when, said before anybody decides (ui.md page 5)."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.actions import Action
from gongshi.kit.i18n import Text
from gongshi.registry.models import Organisation
from gongshi.sharing import repository
from gongshi.sharing.models import Request
from gongshi.sharing.repository import CameraRow
from gongshi.sharing.terms import period_text


@dataclass(frozen=True, slots=True)
class Effect:
    """What exactly would become visible to whom and until when, before anybody decides."""

    cameras: int
    sensitive: int
    overlapping: int
    people: int
    summary: Text


async def effect(
    session: AsyncSession, request: Request, organisation: Organisation, cameras: Sequence[CameraRow], already: int
) -> Effect:
    """The effect of approving everything that is asked."""
    people = await repository.people_of(session, organisation.id)
    sensitive = sum(row.sensitive for row in cameras)
    asked = [action for action in Action if action.wire in request.actions]
    what, what_en = "、".join(a.label.zh for a in asked), ", ".join(a.label.en for a in asked)
    period = period_text(request.valid_from, request.valid_to, request.hours)
    zh = (
        f"批准后，{organisation.short_name}的 {people} 个账号可在 {period.zh} 对 {len(cameras)} 台摄像机"
        f"{what}，最多同时 {request.concurrency} 路"
    )
    en = (
        f"If approved, {people} accounts of {organisation.name_en} may {what_en}: {len(cameras)} cameras, "
        f"{period.en}, at most {request.concurrency} at once"
    )
    if sensitive:
        zh, en = f"{zh}；其中敏感场所 {sensitive} 台", f"{en}; {sensitive} of them at sensitive places"
    if already:
        zh, en = f"{zh}；{already} 台已有在用授权", f"{en}; {already} are granted to them already"
    return Effect(len(cameras), sensitive, already, people, Text(zh + "。", en + "."))
