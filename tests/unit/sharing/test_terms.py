"""What may be asked for, and that a narrowing never widens."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.access.actions import Action
from gongshi.kit.errors import FieldError, Invalid
from gongshi.sharing.terms import Narrow, Terms, check, effective, inside, narrowed, period_text

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
TERMS = Terms(
    title="防汛",
    purpose="防汛抗旱值守",
    legal_basis="flood_control_law",
    actions=("live",),
    valid_from=NOW,
    valid_to=NOW + timedelta(days=30),
    hours=None,
    playback_hours=None,
    concurrency=4,
    delivery=("portal",),
)


def faults(terms, cameras=1):
    with pytest.raises(Invalid) as refused:
        check(terms, cameras, NOW)
    return {(error.field, error.code) for error in refused.value.errors}


def test_a_preset_phrase_becomes_its_code():
    checked = check(TERMS, 1, NOW)
    assert (checked.purpose, checked.legal_basis) == ("flood_watch", "flood_control_law")


def test_everything_wrong_is_said_at_once():
    wrong = replace(
        TERMS, purpose=" ", legal_basis="", actions=("fly",), valid_to=NOW - timedelta(days=1), concurrency=0
    )
    assert {field for field, _ in faults(wrong, 0)} == {
        "purpose",
        "legal_basis",
        "actions",
        "valid_to",
        "concurrency",
        "cameras",
    }


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"valid_to": NOW + timedelta(days=367)}, ("valid_to", "too_long")),
        ({"valid_from": NOW - timedelta(days=9), "valid_to": NOW - timedelta(days=1)}, ("valid_to", "past")),
        ({"valid_from": NOW.replace(tzinfo=None)}, ("valid_from", "no_time_zone")),
        ({"actions": ("see",)}, ("actions", "only_see")),
        ({"actions": ("live", "talk")}, ("actions", "not_shared")),
        ({"actions": ("ptz",)}, ("actions", "needs_picture")),
        ({"hours": {"from": "8"}}, ("hours", "hours")),
        ({"delivery": ("cascade",)}, ("delivery", "delivery")),
        ({"playback_hours": 0}, ("playback_hours", "range")),
    ],
)
def test_each_fault_is_named(changes, fault):
    assert fault in faults(replace(TERMS, **changes))


def test_live_never_implies_anything_else():
    assert check(TERMS, 1, NOW).actions == ("live",)
    assert effective(check(TERMS, 1, NOW), None).actions == Action.LIVE


HOURS = st.fixed_dictionaries(
    {
        "days": st.lists(st.integers(1, 7), min_size=1, max_size=7, unique=True),
        "from": st.sampled_from(["00:00", "06:30", "08:00", "18:00", "22:00"]),
        "to": st.sampled_from(["00:00", "06:30", "08:00", "12:00", "18:00", "24:00"]),
    }
)


@given(HOURS, HOURS)
def test_hours_inside_hours_means_that_no_moment_is_won(inner, outer):
    """Invariant: if `inside` says yes, every minute open in the inner hours is open in the outer ones."""
    from gongshi.access.hours import Hours

    moments = [NOW + timedelta(minutes=30 * step) for step in range(7 * 48)]
    one, other = Hours.parse(inner), Hours.parse(outer)
    within = all(other.always or other.until(m) for m in moments if one.always or one.until(m))
    assert inside(inner, outer) == within
    assert inside(inner, None)
    assert inside(inner, inner)


ASKED = replace(
    TERMS,
    actions=("live", "playback"),
    hours={"days": [1, 2, 3, 4, 5], "from": "08:00", "to": "18:00"},
    playback_hours=24,
)


@pytest.mark.parametrize(
    "narrow",
    [
        Narrow(actions=("live", "ptz")),
        Narrow(actions=("nonsense",)),
        Narrow(actions=()),
        Narrow(valid_to=ASKED.valid_to + timedelta(seconds=1)),
        Narrow(valid_from=ASKED.valid_from - timedelta(seconds=1)),
        Narrow(hours={"days": [6], "from": "08:00", "to": "18:00"}),
        Narrow(hours={"days": [1], "from": "07:00", "to": "18:00"}),
        Narrow(hours={"days": [9]}),
        Narrow(playback_hours=25),
        Narrow(concurrency=5),
        Narrow(concurrency=0),
    ],
)
def test_a_narrowing_that_widens_is_refused(narrow):
    errors: list[FieldError] = []
    narrowed(ASKED, narrow, "items.0.narrow", errors)
    assert errors
    assert all(error.field.startswith("items.0.narrow") for error in errors)


def test_a_narrowing_replaces_the_terms_of_one_camera():
    errors: list[FieldError] = []
    kept = narrowed(ASKED, Narrow(actions=("live",), valid_to=NOW + timedelta(days=3)), "n", errors)
    assert errors == []
    terms = effective(ASKED, kept.stored())
    assert (terms.actions, terms.valid_to, terms.concurrency) == (Action.LIVE, NOW + timedelta(days=3), 4)
    assert terms.hours_stored() == ASKED.hours


def test_a_period_reads_like_one():
    told = period_text(NOW, NOW + timedelta(days=1), {"days": [1, 3], "from": "08:00", "to": "18:00"})
    assert told.zh == "2026-11-22 10:00 至 2026-11-23 10:00，每周一、三 08:00–18:00"
    assert told.en.endswith(", Mon, Wed 08:00–18:00")
