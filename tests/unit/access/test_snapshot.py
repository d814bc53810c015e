from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyroaring import BitMap

from gongshi.access.actions import Action, parse_action, parse_actions
from gongshi.access.decisions import REASONS
from gongshi.access.snapshot import CameraGroup, RightRow, RightsSnapshot, build
from gongshi.access.subjects import Subject, region_prefix, within
from gongshi.kit.errors import BadRequest

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
"""Monday noon in Shanghai."""
HOUR = timedelta(hours=1)

VIEWER = Subject("person", 7, "值班员", 3, "市应急管理局", "341500", "city", frozenset({"viewer"}))
AUDITOR = replace(VIEWER, id=8, roles=frozenset({"auditor"}))
UPPER = Subject("upper", 3, "省平台")
OPEN, CLOSED = 1, 2

GROUPS = [
    CameraGroup(1, "341502", "conditional", BitMap([OPEN, 3])),
    CameraGroup(1, "341502", "none", BitMap([CLOSED])),
    CameraGroup(2, "341522", "none", BitMap([10, 11])),
]
"""Cameras 4 and up to 9 do not exist or were removed."""


def right(id: int = 1, **changes: Any) -> RightRow:
    row = RightRow(
        id=id,
        subject_kind="organisation",
        subject_id=3,
        basis="grant",
        basis_id=40,
        actions=int(Action.SEE | Action.LIVE),
        scope="cameras",
        scope_value=None,
        valid_from=NOW - HOUR,
        valid_to=NOW + HOUR,
        hours=None,
        limits={"concurrency": 4},
        suspended=False,
    )
    return row._replace(**changes)


def world(*rights: RightRow, listed: set[int] | None = None) -> RightsSnapshot:
    cameras = BitMap(listed or {CLOSED, 5})
    return build(1, GROUPS, rights, {row.id: cameras for row in rights})


def test_a_grant_opens_its_cameras_and_actions_only() -> None:
    snapshot = world(right())
    allowed = snapshot.decide(VIEWER, Action.LIVE, CLOSED, NOW)

    assert allowed.allowed
    assert (allowed.basis, allowed.right_id, allowed.grant_id) == ("grant", 1, 40)
    assert allowed.not_after == NOW + HOUR
    assert allowed.limits == {"concurrency": 4}
    assert allowed.reason == REASONS["grant"]
    assert not snapshot.decide(VIEWER, Action.PTZ, CLOSED, NOW).allowed, "live never implies ptz"
    assert not snapshot.decide(VIEWER, Action.LIVE, OPEN, NOW).allowed
    assert not snapshot.decide(VIEWER, Action.LIVE | Action.PTZ, CLOSED, NOW).allowed, "all actions or none"


def test_a_removed_camera_gives_nothing_even_when_granted() -> None:
    assert not world(right()).decide(VIEWER, Action.LIVE, 5, NOW).allowed


def test_other_people_get_nothing_from_it() -> None:
    snapshot = world(right())
    stranger = replace(VIEWER, id=9, organisation_id=4)

    assert not snapshot.decide(stranger, Action.LIVE, CLOSED, NOW).allowed
    assert not snapshot.decide(AUDITOR, Action.LIVE, CLOSED, NOW).allowed
    assert not snapshot.decide(replace(VIEWER, roles=frozenset()), Action.LIVE, CLOSED, NOW).allowed
    mixed = replace(VIEWER, roles=frozenset({"viewer", "system_admin"}))
    assert not snapshot.decide(mixed, Action.LIVE, CLOSED, NOW).allowed
    assert not snapshot.decide(UPPER, Action.LIVE, CLOSED, NOW).allowed, (
        "an upper shares no number with an organisation"
    )


def test_the_catalogue_opens_see_to_everybody_with_an_organisation() -> None:
    snapshot = world()

    for person in (VIEWER, AUDITOR):
        assert snapshot.decide(person, Action.SEE, OPEN, NOW).basis == "catalogue"
        assert snapshot.decide(person, Action.SEE, CLOSED, NOW).code == "no_right"
        assert snapshot.decide(person, Action.LIVE, OPEN, NOW).code == "no_right"
    assert not snapshot.decide(replace(VIEWER, organisation_id=None), Action.SEE, OPEN, NOW).allowed
    assert not snapshot.decide(UPPER, Action.SEE, OPEN, NOW).allowed


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"valid_from": NOW}, "allowed"),
        ({"valid_from": NOW + timedelta(microseconds=1)}, "not_yet"),
        ({"valid_to": NOW}, "period_over"),
        ({"valid_to": NOW + timedelta(microseconds=1)}, "allowed"),
        ({"valid_to": None}, "allowed"),
        ({"suspended": True}, "suspended"),
        ({"hours": {"from": "12:00", "to": "13:00"}}, "allowed"),
        ({"hours": {"from": "08:00", "to": "12:00"}}, "outside_hours"),
        ({"actions": int(Action.SEE)}, "no_right"),
        ({"basis": "favour"}, "no_right"),
        ({"scope": "everything"}, "no_right"),
        ({"scope": "region", "scope_value": "000000"}, "no_right"),
        ({"scope": "region", "scope_value": None}, "no_right"),
        ({"scope": "organisation", "scope_value": "one"}, "no_right"),
        ({"hours": {"from": "soon"}}, "no_right"),
    ],
)
def test_terms(changes: dict[str, Any], code: str) -> None:
    assert world(right(**changes)).decide(VIEWER, Action.LIVE, CLOSED, NOW).code == code


def test_the_next_end_is_the_earlier_of_period_and_hours() -> None:
    hours = {"from": "08:00", "to": "12:30"}

    assert world(right(hours=hours)).decide(VIEWER, Action.LIVE, CLOSED, NOW).not_after == NOW + HOUR / 2
    soon = NOW + timedelta(minutes=5)
    assert world(right(hours=hours, valid_to=soon)).decide(VIEWER, Action.LIVE, CLOSED, NOW).not_after == soon
    assert world(right(valid_to=None)).decide(VIEWER, Action.LIVE, CLOSED, NOW).not_after is None


@pytest.mark.parametrize(
    ("rights", "chosen"),
    [
        ([right(1, basis="emergency"), right(2), right(3, basis="duty")], 3),
        ([right(1, basis="emergency", valid_to=None), right(2)], 2),
        ([right(1), right(2, valid_to=NOW + 2 * HOUR)], 2),
        ([right(1, valid_to=NOW + 2 * HOUR), right(2, valid_to=None)], 2),
        ([right(1, valid_to=None), right(2, valid_to=NOW + 2 * HOUR)], 1),
        ([right(6), right(5)], 5),
        ([right(1, suspended=True), right(2)], 2),
    ],
)
def test_the_best_right_is_chosen_whatever_the_order(rights: list[RightRow], chosen: int) -> None:
    assert world(*rights).decide(VIEWER, Action.LIVE, CLOSED, NOW).right_id == chosen
    assert world(*reversed(rights)).decide(VIEWER, Action.LIVE, CLOSED, NOW).right_id == chosen


def test_scopes_resolve_to_cameras_in_place() -> None:
    snapshot = world(right(scope="organisation", scope_value="2"))
    assert snapshot.visible(VIEWER, Action.LIVE, NOW) == BitMap([10, 11])

    city = world(right(scope="region", scope_value="341500"))
    assert city.visible(VIEWER, Action.LIVE, NOW) == BitMap([1, 2, 3, 10, 11])

    county = world(right(scope="region", scope_value="341522"))
    assert county.visible(VIEWER, Action.LIVE, NOW) == BitMap([10, 11])
    assert county.visible(VIEWER, Action.SEE, NOW) == BitMap([1, 3, 10, 11])


@pytest.mark.parametrize(
    ("code", "prefix"),
    [
        ("341500", "3415"),
        ("341000", "3410"),
        ("340000", "34"),
        ("100000", "10"),
        ("341502", "341502"),
        ("34150201", "34150201"),
        ("000000", ""),
        ("", ""),
        ("34150", ""),
        ("三四一五", ""),
        ("²²", ""),
    ],
)
def test_region_prefix(code: str, prefix: str) -> None:
    assert region_prefix(code) == prefix


def test_a_region_that_is_nonsense_covers_nothing() -> None:
    assert within("341502", "341500")
    assert not within("341502", "341522")
    assert not within("341502", "000000")
    assert not within("341502", "")


def test_actions_on_the_wire() -> None:
    assert parse_actions(["live", "see"]).words == ["see", "live"]
    assert Action.PTZ.wire == "ptz"
    with pytest.raises(BadRequest, match="watch"):
        parse_action("watch")


def test_a_session_stands_by_its_own_right_only() -> None:
    snapshot = world(right(1), right(2, valid_to=NOW + 2 * HOUR), right(3, subject_id=4))

    assert snapshot.decide(VIEWER, Action.LIVE, CLOSED, NOW).right_id == 2
    assert snapshot.decide_under(VIEWER, Action.LIVE, CLOSED, NOW, 1).not_after == NOW + HOUR
    assert snapshot.decide_under(VIEWER, Action.LIVE, CLOSED, NOW + HOUR, 1).code == "period_over"
    assert snapshot.decide_under(VIEWER, Action.LIVE, CLOSED, NOW + HOUR, 2).allowed
    for camera, action, right_id in (
        (5, Action.LIVE, 1),
        (CLOSED, Action.PTZ, 1),
        (CLOSED, Action.LIVE, 3),
        (1, Action.SEE, 9),
    ):
        assert snapshot.decide_under(VIEWER, action, camera, NOW, right_id).code == "no_right"
