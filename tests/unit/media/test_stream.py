"""A stream keeps one GOP within its bound, muxes only for who watches, and lets nobody in between key frames."""

from typing import Any

from gongshi.media.embedded import stream as module
from gongshi.media.embedded.parameter_sets import VideoConfig
from gongshi.media.embedded.sender import Numbering, Sender
from gongshi.media.embedded.settings import WorkerSettings
from gongshi.media.embedded.stream import Stream
from gongshi.media.embedded.wire import Format, Framing, accept_key, ending
from unit.media.clips import packets


class Viewer:
    def __init__(self, form: Format = "flv", framing: Framing = "plain", *, open_: bool = True) -> None:
        self.format: Format = form
        self.framing: Framing = framing
        self.config: VideoConfig | None = None
        self.waiting = True
        self.open = open_
        self.got: list[bytes] = []

    def begin(self, config: VideoConfig, data: bytes) -> None:
        self.got.append(data)

    def resume(self) -> bool:
        self.waiting = not self.open
        return self.open

    def send(self, data: bytes) -> None:
        if not self.waiting:
            self.got.append(data)


class Told(list[tuple[str, dict[str, Any]]]):
    def __call__(self, name: str, **fields: Any) -> None:
        self.append((name, fields))


def make(**changes: Any) -> tuple[Stream, Told]:
    told = Told()
    settings = WorkerSettings(0, "", "", "", 0, 0, 0, "", **changes)
    stream = Stream("s", "udp", None, settings, told)
    stream.opened(0.0)
    return stream, told


def play(stream: Stream, frames: list[list[bytes]], start: float = 0.0) -> float:
    now = start
    for frame in frames:
        for packet in frame:
            stream.receiver.push(packet, now, "camera")
        stream.pump(now)
        now += 0.04
    return now


def test_who_joins_gets_the_gop_so_far_and_what_follows() -> None:
    stream, told = make()
    play(stream, packets("h264")[:17])
    viewer = Viewer()
    stream.join(viewer)
    assert viewer.got[0].startswith(b"FLV\x01\x01")
    assert viewer.got[0].count(b"\x27\x01\x00\x00\x00") == 4, "key frame 12 and pictures 13 to 16"
    play(stream, packets("h264")[17:20], 1.0)
    assert len(viewer.got) == 4
    assert [name for name, _ in told] == ["online", "first_frame"]


def test_a_gop_beyond_its_bound_is_forgotten_until_the_next_key_frame() -> None:
    stream, _ = make(gop_bytes=4_000)
    play(stream, packets("h264")[:11])
    early = Viewer()
    stream.join(early)
    assert early.got == []
    play(stream, packets("h264")[11:14], 1.0)
    assert early.got[0].startswith(b"FLV")
    assert len(early.got) >= 2


def test_nothing_is_muxed_for_nobody(monkeypatch: Any) -> None:
    stream, _ = make()

    def refuse(*_: object) -> bytes:
        raise AssertionError("muxed without a viewer")

    monkeypatch.setattr(module, "_picture", refuse)
    play(stream, packets("h264"))
    assert stream.frames == 50


def test_a_viewer_that_fell_behind_goes_on_at_a_key_frame() -> None:
    stream, _ = make()
    frames = packets("h264")
    viewer = Viewer(open_=False)
    play(stream, frames[:1])
    stream.join(viewer)
    viewer.got.clear()
    now = play(stream, frames[1:11], 0.04)
    assert viewer.got == []
    viewer.open = True
    now = play(stream, frames[11:12], now)
    assert viewer.got == [], "not between key frames"
    play(stream, frames[12:15], now)
    assert len(viewer.got) == 3
    assert b"\x17\x01" in viewer.got[0][:20]


def test_a_stream_of_pictures_without_a_key_frame_is_reported_as_such() -> None:
    stream, told = make(first_packet=1.0)
    now = play(stream, [f for i, f in enumerate(packets("h264")) if i % 12])
    stream.tick(now)
    assert [name for name, _ in told] == ["online", "lost"]
    assert told[1][1]["reason"] == "no_frames"
    assert told[1][1]["detail"]["waiting_for_key"] > 30
    stream.tick(now + 0.1)
    assert len(told) == 2


def test_silence_is_told_once_and_again_after_a_return() -> None:
    stream, told = make(first_packet=1.0, silence=2.0)
    stream.tick(0.9)
    stream.tick(1.1)
    stream.tick(5.0)
    assert [fields.get("reason") for name, fields in told if name == "lost"] == ["no_packets"]
    now = play(stream, packets("h264")[:5], 6.0)
    stream.tick(now + 1.9)
    stream.tick(now + 2.1)
    stream.tick(now + 9.0)
    assert [name for name, _ in told] == ["lost", "online", "first_frame", "lost"]
    assert not stream.online


def test_endings_say_the_reason_where_they_can() -> None:
    assert ending("chunked", "revoked") == b"0\r\n\r\n"
    assert ending("plain", "revoked") == b""
    assert ending("websocket", "revoked") == b"\x88\x09\x0f\xa0revoked"
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_a_stream_that_is_only_relayed_is_not_looked_into() -> None:
    """And shows pictures again, from a key frame on, when a viewer comes."""
    stream, _ = make()
    relay = Relay()
    now = play(stream, packets("h264"))
    stream.attach(relay)
    stream.tick(now)
    assert stream.last_key is not None
    now += 6
    stream.tick(now)
    frames, before = stream.frames, relay.taken
    step = sum(map(len, packets("h264")))
    now = play(stream, packets("h264", start=step), now)
    assert relay.taken > before
    assert stream.frames == frames
    assert stream.last_key is None
    viewer = Viewer()
    stream.join(viewer)
    now = play(stream, packets("h264", start=2 * step)[:20], now)
    assert viewer.got[0].startswith(b"FLV")
    assert 15 <= stream.frames - frames <= 20
    stream.detach(relay, now)
    assert stream.stats()["senders"] == []


class Relay(Sender):
    """Counts what it is given."""

    def __init__(self) -> None:
        super().__init__("r", ("127.0.0.1", 9), Numbering(1), 0)
        self.taken = 0

    def forward(self, ready: list[Any], now: float) -> None:
        self.taken += len(ready)


def test_a_pause_is_not_a_loss() -> None:
    """Q-38: a device that was told to pause is silent for as long as that lasts."""
    stream, told = make(first_packet=1.0, silence=2.0)
    now = play(stream, packets("h264")[:20])
    stream.set_pace(0, now)
    for second in range(60):
        stream.tick(now + second)
    stream.set_pace(1, now + 60)
    stream.tick(now + 61.9)
    assert [name for name, _ in told] == ["online", "first_frame"]
    stream.tick(now + 62.1)
    assert [name for name, _ in told] == ["online", "first_frame", "lost"]
