"""Scenes look different from each other, repeat exactly, keep the clock's rows still; text is where GA/T 751 wants it."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from gongshi.kit.clock import SHANGHAI
from gongshi.simulator.video.canvas import Picture, Sprite
from gongshi.simulator.video.fonts import FontError, Typeface, find
from gongshi.simulator.video.osd import STRIP, Label, OnScreenText, beijing_clock
from gongshi.simulator.video.scenes import LOOP, SCENES, SceneName, build
from gongshi.simulator.video.sprites import KINDS, sprite

WIDTH, HEIGHT = 640, 368
PLAIN = Typeface("pinyin", None)


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_moves_repeats_and_leaves_the_clocks_rows_alone(name: SceneName) -> None:
    scene = build(name, 1, WIDTH, HEIGHT)
    changed = np.zeros((HEIGHT, WIDTH), dtype=bool)
    first = scene.draw(0).copy()
    for moment in range(int(LOOP)):
        changed |= scene.draw(moment).y != first.y
    # 64 rows: the taller of the two encoders' tops.
    assert not changed[:64].any()
    assert changed[64:].mean() > 0.01
    assert np.array_equal(scene.draw(LOOP + 3.5).data.copy(), scene.draw(3.5).data)


def test_the_same_seed_gives_the_same_picture_and_another_does_not() -> None:
    one, same, other = (build("street", seed, WIDTH, HEIGHT).background.data for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert (one != other).mean() > 0.2


def test_night_is_darker() -> None:
    day = build("square", 1, WIDTH, HEIGHT, "day").background.y.mean()
    night = build("square", 1, WIDTH, HEIGHT, "night").background.y.mean()
    assert night < day * 0.7


@pytest.mark.parametrize("kind", KINDS)
def test_every_sprite_can_be_drawn_at_every_size(kind: str) -> None:
    for scale in (0.5, 3.0, 20.0, 90.0):
        image = sprite(kind, (200, 40, 40), scale, phase=2, mirrored=True)
        assert image.size[0] % 2 == image.size[1] % 2 == 0
        assert image.alpha.max() <= 256


def test_a_sprite_may_hang_over_every_edge() -> None:
    picture = Picture(np.full((96 * 3 // 2, 128), 100, dtype=np.uint8))
    image = sprite("person", (250, 250, 250), 30.0)
    assert isinstance(image, Sprite)
    for left in (-200, -11, 3, 121, 400):
        for top in (-200, -7, 5, 93, 400):
            picture.paste(image, left, top)
    assert picture.y.max() > 100


def test_texts_are_in_their_corners() -> None:
    """Time upper right inside the top rows, place lower right, source lower left."""
    text = OnScreenText(Label(("省市县", "路", "点"), "来源"), PLAIN, WIDTH, HEIGHT)
    moment = datetime(2026, 11, 22, 9, 5, 7, tzinfo=SHANGHAI)
    assert beijing_clock(moment) == "2026-11-22 09:05:07"
    clock, left, top = text.clock(moment)
    assert left > WIDTH / 2
    assert left + clock.size[0] <= WIDTH
    assert top >= 0
    assert top + clock.size[1] <= STRIP
    *places, (source, source_left, source_top) = text.still
    assert len(places) == 3
    for line, x, y in places:
        assert x + line.size[0] <= WIDTH
        assert x + line.size[0] > WIDTH * 0.9
        assert y > HEIGHT / 2
        assert y + line.size[1] <= HEIGHT
    assert [y for _, _, y in places] == sorted(y for _, _, y in places)
    assert source_left < WIDTH / 10
    assert source_top + source.size[1] <= HEIGHT


def test_without_a_font_places_are_written_in_pinyin() -> None:
    assert PLAIN.write("裕安区01") == "Yu An Qu 01"


def test_a_configured_file_that_is_no_font_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "font.otf"
    path.write_bytes(b"not a font")
    with pytest.raises(FontError, match=r"font\.otf"):
        find(path)
