"""Whatever the device does with its timestamps, pictures run at real time after the first second."""

import itertools

import pytest

from gongshi.media.embedded.pace import Pace
from gongshi.media.embedded.track import Timeline

STEP = 3600


def run(timeline: Timeline, frames: int, gap: float, step: int, start: float, stamp: int) -> tuple[float, int, int]:
    """Feed frames that arrive every `gap` seconds with timestamps `step` apart."""
    first = shown = timeline.map(stamp, start)[0]
    now = start
    for _ in range(frames):
        now += gap
        stamp = (stamp + step) % (1 << 33)
        shown, _ = timeline.map(stamp, now)
    return now, stamp, shown - first


@pytest.mark.parametrize("scale", [0.25, 0.5, 2.0, 4.0, 8.0, 16.0, -1.0, -2.0, -4.0])
@pytest.mark.parametrize("scaled", [True, False])
def test_pictures_run_at_real_time_at_any_speed(scale: float, scaled: bool) -> None:
    timeline = Timeline()
    now, stamp, _ = run(timeline, 50, 0.04, STEP, 0.0, 0)
    timeline.pace.set(scale)
    gap = 0.04 / abs(scale)
    step = round(STEP / abs(scale)) if scaled else STEP
    now, stamp, _ = run(timeline, int(2 / gap), gap, step, now, stamp)
    _, _, shown = run(timeline, int(2 / gap), gap, step, now, stamp)
    assert 0.85 < shown / 90_000 / 2 < 1.15


def test_what_a_device_does_is_remembered_for_the_next_speed() -> None:
    timeline = Timeline()
    timeline.pace.set(4.0)
    run(timeline, 200, 0.01, 900, 0.0, 0)
    timeline.pace.set(2.0)
    assert timeline.pace.factor == 1.0
    timeline.pace.set(1.0)
    assert timeline.pace.step(STEP, 9.0) == STEP


def test_a_pause_changes_no_distance() -> None:
    pace = Pace()
    pace.set(0)
    assert pace.paused
    assert pace.step(STEP, 1.0) == STEP
    pace.set(1)
    assert not pace.paused


def test_reverse_runs_forward_on_the_timeline() -> None:
    """GOPs come in reverse order: their jumps back are bridged, time never stands or goes back."""
    timeline = Timeline()
    timeline.pace.set(-1.0)
    now, seen = 0.0, []
    for gop in range(20, 0, -1):
        for frame in range(25):
            seen.append(timeline.map(gop * 25 * STEP + frame * STEP, now)[0])
            now += 0.04
    assert all(b > a for a, b in itertools.pairwise(seen))
    assert 0.9 < seen[-1] / 90_000 / now < 1.1
