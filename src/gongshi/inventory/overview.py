"""What filings add to the first page: what waits for this person, and how many units have answered (G-054)."""

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.subjects import Subject
from gongshi.identity.roles import LEADING_OFFICE
from gongshi.inventory import repository
from gongshi.kit.i18n import Text
from gongshi.registry.ports import Figure, Need, Overview

_OWN = {
    "checked": Text("试校验完成，可保留并提交", "dry runs to keep and submit"),
    "draft": Text("填报草稿待提交", "drafts to submit"),
}


async def overview(session: AsyncSession, subject: Subject) -> Overview:
    """Drafts to submit for whoever files, submissions to decide for the leading-group office."""
    part = Overview()
    if LEADING_OFFICE in subject.roles:
        waiting = (await repository.count_by_state(session, ("submitted",), None)).get("submitted", 0)
        part.needs.append(
            Need("filings", Text("填报待受理", "filings to decide"), waiting, "/inventory?state=submitted")
        )
        answered, units = await repository.answered(session)
        part.figures.append(
            Figure("answered", Text("已填报成员单位", "Member units that filed"), answered, "/inventory", f"/{units}")
        )
    elif subject.organisation_id is not None and subject.holders():
        counts = await repository.count_by_state(session, tuple(_OWN), subject.organisation_id)
        for state, label in _OWN.items():
            part.needs.append(Need(f"filings_{state}", label, counts.get(state, 0), f"/inventory?state={state}"))
        if await repository.last_was_sent_back(session, subject.organisation_id):
            label = Text("填报被退回，需更正后重报", "filing sent back: correct and file again")
            part.needs.append(Need("filings_sent_back", label, 1, "/inventory?state=sent_back"))
    return part
