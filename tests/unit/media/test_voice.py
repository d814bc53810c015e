"""Voice: whatever pieces a browser sends, whole frames of 20 ms leave in order; hostile frames only end the line."""

import asyncio
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.media.embedded.sender import Numbering, Sender
from gongshi.media.embedded.voice import FRAME, SILENCE, Incoming, Voice, unmasked


def masked(payload: bytes, code: int = 2, key: bytes = b"\x01\x02\x03\x04") -> bytes:
    size = len(payload)
    head = bytes((0x80 | code, 0x80 | size)) if size < 126 else bytes((0x80 | code, 0xFE)) + size.to_bytes(2, "big")
    return head + key + unmasked(payload, key)


@given(st.lists(st.binary(max_size=700), max_size=8), st.binary(min_size=4, max_size=4), st.integers(1, 50))
def test_messages_come_out_whole_in_any_pieces(messages: list[bytes], key: bytes, step: int) -> None:
    """Invariant: payloads equal what was sent, in order, however the bytes were cut."""
    data = b"".join(masked(message, key=key) for message in messages)
    incoming, out = Incoming(), []
    for at in range(0, len(data), step):
        out += incoming.feed(data[at : at + step])
    assert [payload for _, payload in out] == messages


@given(st.binary(max_size=400))
def test_any_bytes_are_messages_or_a_value_error(data: bytes) -> None:
    """Invariant: nothing else is raised, and what waits for more is bounded by one message."""
    incoming = Incoming()
    try:
        for _, payload in incoming.feed(data):
            assert len(payload) <= len(data)
    except ValueError:
        pass


@pytest.mark.parametrize(
    "data", [b"\x82\x05hello\x00", b"\xc2\x85\0\0\0\0hello", b"\x82\xff" + bytes(12), b"\x82\xfe\xff\xff" + bytes(9)]
)
def test_what_no_browser_sends_ends_the_line(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"browser|long"):
        Incoming().feed(data)


def drawn(voice: Voice, count: int) -> list[tuple[bytes, bool]]:
    return [voice.frame() for _ in range(count)]


async def test_silence_fills_what_nobody_says_and_speech_begins_with_a_marker() -> None:
    voice = Voice("v", asyncio.get_running_loop())
    assert drawn(voice, 2) == [(SILENCE, False)] * 2
    said = os.urandom(FRAME * 5)
    voice.feed(said[:100])
    assert drawn(voice, 1) == [(SILENCE, False)]
    voice.feed(said[100:])
    frames = drawn(voice, 6)
    assert b"".join(data for data, _ in frames[:5]) == said
    assert [first for _, first in frames] == [True, False, False, False, False, False]
    assert frames[5][0] == SILENCE
    voice.feed(said[: 2 * FRAME])
    assert drawn(voice, 1) == [(SILENCE, False)], "gathers a little before it goes on"
    voice.feed(said[:FRAME])
    assert drawn(voice, 1) == [(said[:FRAME], True)]


async def test_late_voice_is_dropped_not_queued() -> None:
    voice = Voice("v", asyncio.get_running_loop())
    voice.feed(bytes(20_000))
    voice.feed(bytes((1,)) * 8000)
    assert voice.dropped == 20_000
    assert drawn(voice, 1)[0][0] == bytes((1,)) * FRAME


class Taken(Sender):
    def __init__(self) -> None:
        super().__init__("s", ("127.0.0.1", 9), Numbering(1), 0)
        self.frames: list[tuple[int, bytes]] = []

    def forward(self, ready, now):
        self.frames += [(stamp, data) for _, stamp, _, data in ready]


async def test_it_sends_fifty_times_a_second_from_its_release_on() -> None:
    voice, sender = Voice("v", asyncio.get_running_loop()), Taken()
    voice.attach(sender)
    await asyncio.sleep(0.05)
    assert sender.frames == []
    voice.begin()
    await asyncio.sleep(0.4)
    voice.detach(sender, 0.0)
    stamps = [stamp for stamp, _ in sender.frames]
    assert 15 <= len(stamps) <= 60
    assert stamps == list(range(0, FRAME * len(stamps), FRAME))
    count = len(sender.frames)
    await asyncio.sleep(0.06)
    assert len(sender.frames) == count
