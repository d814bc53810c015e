"""Playback commands in INFO and their answers (annex B; gb28181.md §11.2)."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.sip.mansrtsp import PlaybackAnswer, PlaybackCommand

seconds = st.integers(0, 86_400_000).map(lambda n: n / 1000)
speeds = st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0, 8.0, -1.0, -2.0, 0.125])
commands = st.one_of(
    st.builds(PlaybackCommand.resume, st.integers(0, 999_999)),
    st.builds(PlaybackCommand.seek, st.integers(0, 9), seconds),
    st.builds(PlaybackCommand.speed, st.integers(0, 9), speeds),
    st.builds(PlaybackCommand.pause, st.integers(0, 9)),
    st.builds(PlaybackCommand.teardown, st.integers(0, 9)),
)


def test_every_action_as_the_table_says() -> None:
    assert PlaybackCommand.resume(2).to_bytes() == b"PLAY RTSP/1.0\r\nCSeq: 2\r\nRange: npt=now-\r\n\r\n"
    assert PlaybackCommand.pause(1).to_bytes() == b"PAUSE RTSP/1.0\r\nCSeq: 1\r\nPauseTime: now\r\n\r\n"
    assert PlaybackCommand.speed(3, 0.25).to_bytes() == b"PLAY RTSP/1.0\r\nCSeq: 3\r\nScale: 0.25\r\n\r\n"
    assert PlaybackCommand.seek(4, 100).to_bytes() == b"PLAY RTSP/1.0\r\nCSeq: 4\r\nRange: npt=100-\r\n\r\n"
    back = PlaybackCommand.speed(5, -1, 600, 120).to_bytes()
    assert back == b"PLAY RTSP/1.0\r\nCSeq: 5\r\nScale: -1.0\r\nRange: npt=600-120\r\n\r\n"
    assert PlaybackCommand.teardown(6).to_bytes() == b"TEARDOWN RTSP/1.0\r\nCSeq: 6\r\n\r\n"


def test_long_recordings_keep_their_seconds() -> None:
    assert b"npt=86399.25-" in PlaybackCommand.seek(1, 86_399.25).to_bytes()
    assert b"npt=1234567-" in PlaybackCommand.seek(1, 1_234_567).to_bytes()


@given(commands)
def test_there_and_back(command: PlaybackCommand) -> None:
    """What we say is read as said."""
    assert PlaybackCommand.parse(command.to_bytes()) == command


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("npt=now-", None, None),
        ("ntp=30-", 30.0, None),
        ("npt=12.5-60", 12.5, 60.0),
        ("npt=-60", None, 60.0),
        ("smpte=0:10:20-", 620.0, None),
        ("smpte-30-drop=00:00:10:05-00:01:00", 10.0, 60.0),
        ("whatever", None, None),
    ],
)
def test_ranges_in_every_form(text: str, start: float | None, end: float | None) -> None:
    command = PlaybackCommand.parse(f"PLAY MANSRTSP/1.0\r\nCSeq:1\r\nRange:{text}\r\n\r\n".encode())
    assert (command.start, command.end) == (start, end)


def test_a_range_by_the_clock() -> None:
    command = PlaybackCommand.parse(b"play rtsp/1.0\nrange: clock=20260301T000000Z-\n")
    assert command.clock == datetime(2026, 3, 1, tzinfo=UTC)
    assert PlaybackCommand.parse(b"PLAY RTSP/1.0\nRange: clock=20261301T000000Z-\n").clock is None


@given(
    st.builds(
        PlaybackAnswer,
        st.integers(0, 999),
        st.sampled_from([200, 454, 457]),
        st.sampled_from(["OK", "Session Not Found"]),
        st.none() | seconds,
        st.none(),
        st.none() | st.integers(0, 65535),
        st.none() | st.integers(0, 2**32 - 1),
    )
)
def test_answers_there_and_back(answer: PlaybackAnswer) -> None:
    """An answer is read as said."""
    assert PlaybackAnswer.parse(answer.to_bytes()) == answer


def test_an_answer_of_a_device() -> None:
    body = b"MANSRTSP/1.0 200 OK\r\nCSeq: 7\r\nRange: npt=100-\r\nRTP-Info: url=x;seq=12;rtptime=9000\r\n\r\n"
    assert PlaybackAnswer.parse(body) == PlaybackAnswer(7, 200, "OK", 100.0, None, 12, 9000)


@pytest.mark.parametrize(
    "command", [PlaybackCommand("RECORD", 1), PlaybackCommand.speed(1, 0), PlaybackCommand.seek(1, float("inf"))]
)
def test_never_sent(command: PlaybackCommand) -> None:
    with pytest.raises(LocalProtocolError):
        command.to_bytes()


@given(
    st.binary(max_size=120),
    st.sampled_from([b"", b"PLAY RTSP/1.0\r\n", b"RTSP/1.0 200 OK\r\n", b"PLAY RTSP/1.0\r\nRange:"]),
)
def test_any_bytes_are_read_or_refused(tail: bytes, head: bytes) -> None:
    """Any bytes are a command, an answer or a RemoteProtocolError."""
    for reader in (PlaybackCommand.parse, PlaybackAnswer.parse):
        with contextlib.suppress(RemoteProtocolError):
            reader(head + tail)
