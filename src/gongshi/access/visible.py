"""The SQL twin of `decide`: which cameras a subject may act on, as a condition for lists, maps and counts.

A property test holds it to the same answers as `RightsSnapshot.decide` (tests/integration/access).
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, cast, false, func, literal, or_, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB

from gongshi.access.actions import Action
from gongshi.access.models import Right, RightCamera
from gongshi.access.repository import REMOVED, covers_region
from gongshi.access.snapshot import BASES
from gongshi.access.subjects import Subject
from gongshi.kit.clock import SHANGHAI
from gongshi.registry.models import Camera

OPEN_CLASSES = ("unconditional", "conditional")


def visible(subject: Subject, action: Action, at: datetime) -> ColumnElement[bool]:
    """A condition on `registry.camera`: true for exactly the cameras where `decide(subject, action, …, at)` allows."""
    ways: list[ColumnElement[bool]] = []
    if action == Action.SEE and subject.reads_catalogue:
        ways.append(Camera.sharing_class.in_(OPEN_CLASSES))
    if subject.holders():
        ways += entitled(subject, action, at)
    if not ways:
        return false()
    return and_(Camera.status != REMOVED, or_(*ways))


def entitled(subject: Subject, action: Action, at: datetime) -> list[ColumnElement[bool]]:
    """The ways to a camera by right, without the catalogue: named, by managing unit, by region."""
    in_force = _in_force(subject, action, at)
    named = select(RightCamera.camera_id).join(Right, Right.id == RightCamera.right_id)
    units = select(Right.scope_value).where(Right.scope == "organisation", *in_force)
    regions = (
        select(literal(1))
        .select_from(Right)
        .where(Right.scope == "region", covers_region(Right.scope_value, Camera.region_code), *in_force)
        .correlate(Camera)
    )
    return [
        Camera.id.in_(named.where(Right.scope == "cameras", *in_force)),
        cast(Camera.organisation_id, Text).in_(units),
        regions.exists(),
    ]


def entitled_to(subject: Subject, action: Action, at: datetime) -> ColumnElement[bool]:
    """As `visible`, but by right only: what the catalogue opens to everybody does not count."""
    if not subject.holders():
        return false()
    return and_(Camera.status != REMOVED, or_(*entitled(subject, action, at)))


def _in_force(subject: Subject, action: Action, at: datetime) -> list[ColumnElement[bool]]:
    holders = or_(*(and_(Right.subject_kind == kind, Right.subject_id == holder) for kind, holder in subject.holders()))
    return [
        holders,
        Right.basis.in_(BASES),
        Right.actions.bitwise_and(int(action)) == int(action),
        Right.ended_at.is_(None),
        Right.suspended_at.is_(None),
        Right.valid_from <= at,
        or_(Right.valid_to.is_(None), Right.valid_to > at),
        _open_now(at),
    ]


def _open_now(at: datetime) -> ColumnElement[bool]:
    """Whether the daily hours are open. Clock times are compared as text: both have the form HH:MM.

    Seconds do not matter, since windows begin and end on whole minutes.
    """
    local = at.astimezone(SHANGHAI)
    clock = local.strftime("%H:%M")
    opens, closes = _clock_text("from"), _clock_text("to")
    days: Any = type_coerce(Right.hours, JSONB)["days"]
    today = days.contains(_json(local.isoweekday()))
    yesterday = days.contains(_json((local - timedelta(days=1)).isoweekday()))
    overnight = opens >= closes
    return or_(
        # Both forms of "no hours": a column never set, and JSON null written by a driver.
        Right.hours.is_(None),
        func.jsonb_typeof(Right.hours) == "null",
        and_(today, opens <= clock, or_(overnight, closes > clock)),
        and_(yesterday, overnight, closes > clock),
    )


def _clock_text(key: str) -> ColumnElement[str]:
    return type_coerce(Right.hours, JSONB)[key].astext.collate("C")


def _json(value: int) -> ColumnElement[Any]:
    return cast(literal(str(value)), JSONB)
