"""What sharing tells the overview page: what waits for this person, and how many grants are in force."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, false, or_
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.permissions import TABLE, holds
from gongshi.access.subjects import Subject, region_prefix
from gongshi.kit import clock
from gongshi.kit.i18n import Text
from gongshi.sharing import repository
from gongshi.sharing.models import Request


@dataclass(frozen=True, slots=True)
class Need:
    """A line of "what needs me"."""

    key: str
    label: Text
    count: int
    link: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One honest number and the list behind it."""

    key: str
    label: Text
    value: int
    unit: Text
    link: str


def readable_requests(subject: Subject) -> ColumnElement[bool]:
    """The SQL twin of `service.readable`: a test holds both to the same answers."""
    reaches = {reach for role, reach in TABLE["sharing.request.see"].items() if role in subject.roles}
    ways: list[ColumnElement[bool]] = []
    if "all" in reaches:
        ways.append(repository.not_draft())
    prefix = region_prefix(subject.region_code)
    if "area" in reaches and prefix:
        ways.append(and_(repository.made_inside(prefix), repository.not_draft()))
    if reaches and subject.organisation_id is not None:
        ways.append(repository.made_by_organisation(subject.organisation_id))
    return or_(*ways) if ways else false()


def readable_grants(subject: Subject) -> ColumnElement[bool]:
    """Grants that `permit(subject, "sharing.grant.see", …)` allows, as a condition for lists."""
    reaches = {reach for role, reach in TABLE["sharing.grant.see"].items() if role in subject.roles}
    ways: list[ColumnElement[bool]] = []
    prefix = region_prefix(subject.region_code)
    if "all" in reaches:
        ways.append(repository.granted_inside(""))
    if "area" in reaches and prefix:
        ways.append(repository.granted_inside(prefix))
    if reaches and subject.organisation_id is not None:
        ways.append(repository.granted_to(subject.organisation_id))
    return or_(*ways) if ways else false()


def waiting(subject: Subject) -> dict[str, ColumnElement[bool]]:
    """What waits for this person, by kind: to consult, to approve, to complete and send."""
    prefix = region_prefix(subject.region_code)
    found: dict[str, ColumnElement[bool]] = {}
    if prefix:
        over = and_(
            repository.made_inside(prefix, subject.level), repository.other_than(subject.organisation_id, subject.id)
        )
        for state in repository.OPEN_STATES:
            if holds(subject, f"sharing.request.{state}"):
                found[state] = and_(Request.state == state, over)
    if holds(subject, "sharing.request.submit") and subject.organisation_id is not None:
        own = repository.made_by_organisation(subject.organisation_id)
        found["sent_back"] = and_(Request.state == "sent_back", own)
        found["draft"] = and_(Request.state == "draft", own)
    return found


_LABELS = {
    "consult": Text("待会商的共享申请", "Share requests to consult on"),
    "approve": Text("待审批的共享申请", "Share requests to decide"),
    "sent_back": Text("被退回、待补充的申请", "Requests sent back to complete"),
    "draft": Text("未提交的申请草稿", "Request drafts not sent"),
}


async def needs(session: AsyncSession, subject: Subject) -> list[Need]:
    """Only what is not empty."""
    return [
        Need(f"sharing.{kind}", _LABELS[kind], count, f"/sharing/requests?todo=true&state={kind}")
        for kind, condition in waiting(subject).items()
        if (count := await repository.count_requests(session, condition))
    ]


async def figures(session: AsyncSession, subject: Subject) -> list[Figure]:
    """Grants in force that the subject may read of."""
    if not holds(subject, "sharing.grant.see"):
        return []
    count = await repository.count_grants(session, readable_grants(subject), clock.now())
    return [
        Figure("grants", Text("在用授权", "Grants in force"), count, Text("项", ""), "/sharing/grants?state=in_force")
    ]
