"""Clips on disk: made once, found again, damage noticed, the oldest dropped; a feed never runs dry."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gongshi.kit.clock import SHANGHAI
from gongshi.simulator.video.clip import GROUPS, Feed, Look, Studio
from gongshi.simulator.video.encoder import Format
from gongshi.simulator.video.fonts import Typeface
from gongshi.simulator.video.osd import Label

FORM = Format(320, 208, 5)
LOOK = Look("street", 1, Label(("here",), "me"))
NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=SHANGHAI)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    made = Studio(FORM, Typeface("pinyin", None), tmp_path / "cache")
    yield made
    made.close()


def started(studio: Studio, moment: datetime = NOON) -> Feed:
    feed = Feed(studio.clip(LOOK, moment), studio)
    for work in feed.prepare(moment):
        work.result(30)
    return feed


def test_a_feed_runs_through_the_loop_and_each_group_begins_with_a_key(studio: Studio) -> None:
    feed = started(studio)
    keys = [feed.frame(NOON + timedelta(seconds=index / 5)).key for index in range(50)]
    assert keys == [index % 10 == 0 for index in range(50)]
    feed.restart()
    assert feed.frame(NOON + timedelta(seconds=10)).key
    feed.close()


def test_groups_are_found_again_on_disk_and_a_damaged_one_is_made_again(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for _ in range(3):
        studio = Studio(FORM, Typeface("pinyin", None), cache)
        clip = studio.clip(LOOK, NOON)
        clip.request(0).result(30)
        studio.close()
        (kept,) = cache.glob("*-0.h264")
        stamp = kept.stat().st_ino
        again = Studio(FORM, Typeface("pinyin", None), cache)
        again.clip(LOOK, NOON).request(0).result(30)
        again.close()
        assert kept.stat().st_ino == stamp
        kept.write_bytes(kept.read_bytes()[:-9] + bytes(5))


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\x00\x00\x00\x04abcd", b"\xff\xff\xff\xff" * 4])
def test_no_damage_to_a_file_reaches_a_viewer(studio: Studio, damage: bytes) -> None:
    clip = studio.clip(LOOK, NOON)
    clip.request(0).result(30)
    (path,) = studio.cache.glob("*-0.h264")
    path.write_bytes(damage)
    other = Studio(FORM, Typeface("pinyin", None), studio.cache)
    assert len(other.clip(LOOK, NOON).request(0).result(30)) == 10
    other.close()


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("in the way")
    studio = Studio(FORM, Typeface("pinyin", None), place)
    assert len(studio.clip(LOOK, NOON).request(0).result(30)) == 10
    studio.close()


def test_the_files_used_longest_ago_go_first(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "middle", "old")):
        path = tmp_path / name
        path.write_bytes(bytes(1000))
        os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))
    Studio(FORM, Typeface("pinyin", None), tmp_path, cache_limit=2000).close()
    assert {path.name for path in tmp_path.iterdir()} == {"new", "middle"}


def test_day_and_night_are_different_clips(studio: Studio) -> None:
    night = NOON.replace(hour=23)
    assert studio.clip(LOOK, NOON) is not studio.clip(LOOK, night)
    assert studio.clip(LOOK, NOON) is studio.clip(LOOK, NOON.replace(hour=7))


def test_clips_nobody_watches_are_let_go(studio: Studio) -> None:
    watched = started(studio)
    first = studio.clip(LOOK, NOON)
    for seed in range(2, 60):
        studio.clip(Look("lake", seed, Label((), "")), NOON)
    assert studio.clip(LOOK, NOON) is first
    assert len(studio.clips) < 40
    watched.close()
    assert GROUPS == 10
