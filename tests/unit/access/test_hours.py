from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.access.hours import Hours
from gongshi.kit.clock import SHANGHAI

MONDAY = datetime(2026, 11, 23, tzinfo=SHANGHAI)


def at(day: int, clock: str) -> datetime:
    """A moment of the week that begins on MONDAY; day 1 is Monday."""
    hour, minute = clock.split(":")
    return MONDAY + timedelta(days=day - 1, hours=int(hour), minutes=int(minute))


OFFICE = {"days": [1, 2, 3, 4, 5], "from": "08:00", "to": "18:00"}
NIGHT = {"days": [5], "from": "22:00", "to": "06:00"}


@pytest.mark.parametrize(
    ("hours", "moment", "until"),
    [
        (OFFICE, at(1, "07:59"), None),
        (OFFICE, at(1, "08:00"), at(1, "18:00")),
        (OFFICE, at(1, "17:59"), at(1, "18:00")),
        (OFFICE, at(1, "18:00"), None),
        (OFFICE, at(6, "12:00"), None),
        (NIGHT, at(5, "21:59"), None),
        (NIGHT, at(5, "22:00"), at(6, "06:00")),
        (NIGHT, at(6, "05:59"), at(6, "06:00")),
        (NIGHT, at(6, "06:00"), None),
        (NIGHT, at(5, "03:00"), None),
        # Sunday night runs into Monday
        ({"days": [7], "from": "23:00", "to": "01:00"}, at(8, "00:30"), at(8, "01:00")),
        # Windows without a gap are one: from Monday 00:00 through Friday 24:00
        ({"days": [1, 2, 3, 4, 5], "from": "00:00", "to": "24:00"}, at(1, "12:00"), at(6, "00:00")),
        # Equal ends: a whole day from that hour
        ({"days": [3], "from": "08:00", "to": "08:00"}, at(4, "07:59"), at(4, "08:00")),
        ({"days": [3], "from": "08:00", "to": "08:00"}, at(4, "08:00"), None),
    ],
)
def test_windows(hours: dict[str, Any], moment: datetime, until: datetime | None) -> None:
    assert Hours.parse(hours).until(moment) == until


def test_the_wall_clock_is_chinese_whatever_the_zone_of_the_question() -> None:
    from datetime import UTC

    hours = Hours.parse(OFFICE)

    assert hours.until(datetime(2026, 11, 23, 0, 0, tzinfo=UTC)) == at(1, "18:00")
    assert hours.until(datetime(2026, 11, 22, 23, 59, tzinfo=UTC)) is None


def test_a_week_of_whole_days_ends_nothing() -> None:
    assert Hours.parse({}).always
    assert Hours.parse({"from": "06:00", "to": "06:00"}).always
    assert not Hours.parse({"days": [1], "from": "00:00", "to": "24:00"}).always


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": []},
        {"days": [0]},
        {"days": [8]},
        {"days": [True]},
        {"days": "1"},
        {"from": "8:00"},
        {"from": "24:00"},
        {"from": "12:60"},
        {"to": "25:00"},
        {"to": 18},
        {"from": "08:00\n"},
        {"until": "18:00"},
    ],
)
def test_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="hours"):
        Hours.parse(wrong)


CLOCK = st.integers(0, 1439).map(lambda minutes: f"{minutes // 60:02d}:{minutes % 60:02d}")


@given(
    days=st.sets(st.integers(1, 7), min_size=1),
    start=CLOCK,
    end=CLOCK | st.just("24:00"),
    offset=st.integers(0, 8 * 86400),
)
def test_the_end_of_a_window_is_the_first_moment_outside(days: set[int], start: str, end: str, offset: int) -> None:
    hours = Hours.parse({"days": sorted(days), "from": start, "to": end})
    moment = MONDAY + timedelta(seconds=offset)
    until = hours.until(moment)
    if hours.always:
        assert until is not None
    elif until is not None:
        assert until > moment
        assert hours.until(until) is None
        assert hours.until(until - timedelta(microseconds=1)) == until
    assert Hours.parse(hours.stored()) == hours
