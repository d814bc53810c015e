"""A running session stands and falls with its own right."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyroaring import BitMap

from gongshi.access.actions import Action
from gongshi.access.snapshot import CameraGroup, RightRow, build
from gongshi.access.subjects import Subject
from gongshi.media.entitlement import Standing, standing

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # Monday 10:00 in Shanghai
SUBJECT = Subject("person", 7, "值班员", 3, "市应急局", "341500", "city", frozenset({"viewer"}))


def right(id, **changes):
    values: dict[str, Any] = {
        "id": id,
        "subject_kind": "organisation",
        "subject_id": 3,
        "basis": "grant",
        "basis_id": 1,
        "actions": int(Action.SEE | Action.LIVE),
        "scope": "cameras",
        "scope_value": None,
        "valid_from": NOW - timedelta(days=1),
        "valid_to": NOW + timedelta(days=1),
        "hours": None,
        "limits": {},
        "suspended": False,
    }
    return RightRow(**{**values, **changes})


def stands(*rights, right_id=1, subject=SUBJECT, cameras=(1, 2), listed=(1,), at=NOW):
    groups = [CameraGroup(9, "341502", "conditional", BitMap(cameras))]
    snapshot = build(1, groups, rights, {row.id: BitMap(listed) for row in rights})
    return standing(snapshot, subject, Action.LIVE, 1, right_id, at)


def test_it_holds_until_the_end_of_the_period():
    assert stands(right(1)) == Standing("", NOW + timedelta(days=1))
    assert stands(right(1, valid_to=None)).not_after is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"suspended": True}, "suspended"),
        ({"valid_to": NOW}, "period_over"),
        ({"valid_from": NOW + timedelta(seconds=1)}, "period_over"),
        ({"hours": {"from": "11:00", "to": "12:00"}}, "hours_over"),
        ({"actions": int(Action.SEE)}, "no_right"),
        ({"subject_id": 4}, "no_right"),
    ],
)
def test_it_ends_with_its_right(changes, code):
    assert stands(right(1, **changes)).code == code


def test_another_right_does_not_carry_it():
    assert stands(right(2)).code == "no_right"
    assert stands(right(2), right(1, suspended=True)).code == "suspended"
    assert stands(right(2), right(1)).holds


def test_daily_hours_end_it_first():
    found = stands(right(1, hours={"from": "08:00", "to": "10:30"}))
    assert found == Standing("", NOW + timedelta(minutes=30))


def test_a_removed_camera_or_a_lost_role_ends_it():
    assert stands(right(1), cameras=(2,)).code == "no_right"
    assert stands(right(1), listed=(2,)).code == "no_right"
    auditor = Subject("person", 7, "x", 3, "", "341500", "city", frozenset({"viewer", "auditor"}))
    assert stands(right(1), subject=auditor).code == "no_right"
