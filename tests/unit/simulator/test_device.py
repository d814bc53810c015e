"""What a simulated camera does when it is steered, and what a simulated recorder plays."""

from dataclasses import astuple
from datetime import UTC, datetime, timedelta

import pytest

from gongshi.protocols.ptz import Auxiliary, Cruise, Move, Preset, Scan, Stop
from gongshi.protocols.sip.mansrtsp import PlaybackCommand
from gongshi.simulator.device import Camera, Position
from gongshi.simulator.playhead import GROUP, Playhead
from gongshi.simulator.recordings import Recorder

CHANNEL = "34150200001310000003"
NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
"""20:30 on a Beijing clock; the recorder's gap is from 3:00 to 4:00."""


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_moving_changes_the_position_until_it_is_told_to_stop(clock):
    camera = Camera(clock)
    camera.obey(Move(pan=1, tilt=1, zoom=1, pan_speed=255, tilt_speed=51, zoom_speed=15))
    clock.now += 1
    assert astuple(camera.position) == pytest.approx((120.0, -12.0, 5.0))
    camera.obey(Stop())
    clock.now += 10
    assert astuple(camera.position) == pytest.approx((120.0, -12.0, 5.0))
    camera.obey(Move(tilt=-1, tilt_speed=255, pan=-1, pan_speed=255))
    clock.now += 10
    assert camera.position.tilt == 90.0
    assert camera.position.pan == pytest.approx((120 - 1200) % 360)


def test_presets_are_kept_called_and_deleted(clock):
    camera = Camera(clock)
    camera.look(pan=30, tilt=5, zoom=2)
    camera.obey(Preset("set", 7))
    camera.look(pan=90)
    camera.obey(Preset("call", 7))
    assert camera.position == Position(30, 5, 2)
    camera.obey(Preset("delete", 7))
    assert 7 not in camera.presets


def test_a_cruise_visits_its_presets_in_turn(clock):
    camera = Camera(clock)
    for number, pan in ((2, 20.0), (3, 40.0)):
        camera.look(pan=pan)
        camera.obey(Preset("set", number))
        camera.obey(Cruise("add", 1, number))
    camera.obey(Cruise("stay", 1, 4))
    camera.obey(Cruise("start", 1))
    seen = []
    for _ in range(4):
        clock.now += 3
        seen.append(camera.position.pan)
    assert seen == [20.0, 40.0, 20.0, 40.0]
    camera.obey(Stop())
    clock.now += 4
    assert camera.position.pan == 40.0
    camera.obey(Cruise("remove", 1, 0))
    assert camera.tracks == {}


def test_switches_scan_and_drag(clock):
    camera = Camera(clock)
    camera.obey(Auxiliary(True, 1))
    assert camera.auxiliaries == {1}
    camera.obey(Auxiliary(False, 1))
    assert camera.auxiliaries == set()
    camera.obey(Scan("start", 1))
    clock.now += 2
    assert camera.position.pan == 30.0
    camera.look(pan=0, tilt=0, zoom=1)
    camera.drag(640, 360, (480, 180), (320, 180), closer=True)
    assert camera.position == Position(15.0, 0.0, 2.0)
    camera.drag(0, 0, (1, 1), (1, 1), closer=True)
    assert camera.position.zoom == 2.0


def test_a_day_of_recordings_has_a_gap_and_ends_now():
    recorder = Recorder(CHANNEL, days=2)
    start = datetime(2026, 2, 28, 16, 0, tzinfo=UTC)
    files = recorder.find(start, NOW, NOW)
    assert len(files) == 20
    assert files[-1].end == NOW
    assert {file.start.hour for file in files}.isdisjoint({3})
    assert files == recorder.find(start, NOW + timedelta(days=1), NOW)
    assert [file.kind for file in recorder.find(start, NOW, NOW, "alarm")] == ["alarm"] * 4
    assert recorder.find(NOW - timedelta(days=9), NOW - timedelta(days=8), NOW) == []


def head(seconds: float = 60.0, start: datetime = NOW - timedelta(hours=2)) -> Playhead:
    return Playhead(Recorder(CHANNEL, 7), start, start + timedelta(seconds=seconds))


def test_speed_pause_and_seek():
    playing = head()
    playing.advance(1.0)
    playing.command(PlaybackCommand("PLAY", 1, scale=4.0))
    playing.advance(1.0)
    assert playing.position == 5.0
    playing.command(PlaybackCommand("PAUSE", 2))
    assert playing.paused
    assert not playing.command(PlaybackCommand("PLAY", 3))
    assert not playing.paused
    assert playing.command(PlaybackCommand("PLAY", 4, start=50.0))
    assert (playing.position, playing.scale) == (50.0, 4.0)
    playing.advance(2.5)
    assert playing.ended


def test_reverse_plays_whole_groups_from_the_last_to_the_first():
    playing = head(20.0)
    playing.command(PlaybackCommand("PLAY", 1, scale=-1.0, start=6.0))
    assert playing.position == 6.0 - GROUP
    seen = []
    while not playing.ended:
        seen.append(playing.position)
        playing.advance(1.0)
    assert seen == [4.0, 5.0, 2.0, 3.0, 0.0, 1.0]


def test_a_range_in_reverse_ends_where_it_says():
    playing = head(20.0)
    playing.command(PlaybackCommand("PLAY", 1, scale=-1.0, start=9.0, end=5.0))
    seen = []
    while not playing.ended:
        seen.append(playing.position)
        playing.advance(1.0)
    assert seen == [7.0, 8.0, 5.0, 6.0]


def test_nothing_is_played_in_a_gap():
    start = datetime(2026, 2, 28, 18, 59, 59, tzinfo=UTC)
    playing = head(7200.0, start)
    assert playing.advance(1.0)
    assert playing.moment == datetime(2026, 2, 28, 20, 0, tzinfo=UTC)
    assert head(600.0, start + timedelta(seconds=1)).ended
