"""A clip with an exchanged clock decodes to the same picture below and to the wanted picture on top."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gongshi.kit.clock import SHANGHAI
from gongshi.protocols.ps import VideoCodec
from gongshi.simulator.video.bits import BitReader, BitWriter, escape, split_annexb, unescape
from gongshi.simulator.video.canvas import Picture
from gongshi.simulator.video.encoder import Format, cut, make_encoder
from gongshi.simulator.video.fonts import Typeface
from gongshi.simulator.video.osd import Label, OnScreenText
from gongshi.simulator.video.scenes import SCENES, SceneName, build

FORM = Format(640, 368, 15)
NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=SHANGHAI)


def decode(units: list[bytes], codec: VideoCodec) -> list[NDArray[np.uint8]]:
    context = av.CodecContext.create("hevc" if codec == "h265" else "h264", "r")
    packets = [*(av.Packet(unit) for unit in units), None]
    return [np.asarray(frame.to_ndarray(), dtype=np.uint8) for packet in packets for frame in context.decode(packet)]


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("name", SCENES)
def test_the_clock_changes_and_nothing_else(name: SceneName, codec: VideoCodec) -> None:
    scene = build(name, 5, FORM.width, FORM.height)
    text = OnScreenText(Label(("a", "b"), "c"), Typeface("pinyin", None), FORM.width, FORM.height)
    encoder = make_encoder(codec, FORM)

    def pictures() -> Iterator[Picture]:
        for index in range(12):
            yield scene.draw(3 + index / FORM.fps)

    originals = [picture.copy() for picture in pictures()]
    units = encoder.encode(pictures())
    frames = encoder.open(units)
    assert [frame.key for frame in frames] == [True] + [False] * 11
    joined: list[bytes] = []
    tops: list[Picture] = []
    for index, frame in enumerate(frames):
        if index % 4 == 0:
            top = cut(scene.background, 0, encoder.rows)
            top.paste(*text.clock(NOON + timedelta(seconds=index * 977)))
            tops.append(top)
            joined.append(encoder.join(frame, encoder.top(top)))
        else:
            tops.append(tops[-1])
            joined.append(encoder.join(frame, None))
    shown = decode(joined, codec)
    assert len(shown) == len(originals)
    rows, height = encoder.rows, FORM.height
    for picture, original, top in zip(shown, originals, tops, strict=True):
        assert picture.shape == original.data.shape
        below = np.abs(picture[rows:height].astype(int) - original.y[rows:]).mean()
        above = np.abs(picture[:rows].astype(int) - top.y).mean()
        assert below < 4
        assert above < 5
    if codec == "h264":
        # Motion that reached into the clock's rows would show here: the same clip with its first top throughout.
        untouched = decode(units, codec)
        drift = max(
            np.abs(a[rows:height].astype(int) - b[rows:height]).max() for a, b in zip(shown, untouched, strict=True)
        )
        assert drift <= 24


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_a_group_that_is_none_is_refused(codec: VideoCodec) -> None:
    encoder = make_encoder(codec, FORM)
    for units in ([b"\x00\x00\x00\x01\x67"], [b"\x00\x00\x00\x01" + bytes(40)], [b"hello"]):
        with pytest.raises((ValueError, IndexError)):
            encoder.open(units)


@given(st.lists(st.tuples(st.sampled_from("us"), st.integers(-5000, 5000)), max_size=40))
def test_what_is_written_is_read(numbers: list[tuple[str, int]]) -> None:
    """Any sequence of Exp-Golomb numbers comes back, and the rest after the stop bit is empty."""
    writer = BitWriter()
    for kind, number in numbers:
        writer = writer.ue(abs(number)) if kind == "u" else writer.se(number)
    reader = BitReader(writer.close())
    for kind, number in numbers:
        assert (reader.ue() if kind == "u" else reader.se()) == (abs(number) if kind == "u" else number)
    assert reader.rest() == (0, 0)


@given(st.binary(max_size=200).map(lambda data: data.replace(b"\xff", b"\x00")))
def test_escaping_hides_start_codes_and_is_undone(data: bytes) -> None:
    """Any bytes survive escape and unescape, and no start code is left in between."""
    escaped = escape(data)
    assert unescape(escaped) == data
    assert b"\x00\x00\x01" not in escaped
    assert b"\x00\x00\x00" not in escaped


def test_units_are_split_at_both_kinds_of_start_code() -> None:
    assert split_annexb(b"\x00\x00\x00\x01\x67\x01\x00\x00\x01\x68\x02\x00\x00\x00\x01\x65") == [
        b"\x67\x01",
        b"\x68\x02",
        b"\x65",
    ]
