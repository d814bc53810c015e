"""A relay's numbering: one packet a payload, in order, a gap in the source a gap in the copy, nothing else changed."""

import itertools
import socket

from hypothesis import given
from hypothesis import strategies as st

from gongshi.media.embedded.sender import Bounds, Numbering, TcpSender
from gongshi.protocols.rtp import TcpDeframer
from gongshi.protocols.rtp.packet import parse
from gongshi.protocols.rtp.receiver import Payload

PAYLOADS = st.lists(st.tuples(st.booleans(), st.integers(0, 2**32 - 1), st.booleans(), st.binary(max_size=3000)))


@given(PAYLOADS, st.sampled_from([None, 1460]))
def test_payloads_come_out_as_they_went_in(ready: list[Payload], longest: int | None) -> None:
    """Invariant: the concatenation per timestamp, the markers and the number of gaps are those of the source."""
    out = [packet for packet in map(parse, Numbering(7, longest).packets(ready)) if packet is not None]
    assert b"".join(p.payload for p in out) == b"".join(data for *_, data in ready)
    assert sum(p.marker for p in out) == sum(marker for _, _, marker, _ in ready)
    assert all(p.ssrc == 7 and p.payload_type == 96 for p in out)
    numbers = [p.sequence for p in out]
    steps = [(b - a) & 0xFFFF for a, b in itertools.pairwise(numbers)]
    assert set(steps) <= {1, 2}
    assert steps.count(2) == sum(gap for gap, *_ in ready[1:])
    if longest is not None:
        assert all(len(p.payload) <= longest for p in out)


class Piped(TcpSender):
    """A sender on one end of a pair of sockets."""

    transport = "tcp_passive"

    def __init__(self, high_water: int) -> None:
        super().__init__("s", ("127.0.0.1", 9), 7, 0, Bounds(high_water, stall=5.0, reach=1.0))
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.theirs.setblocking(False)
        self.gone = False
        self.release(0.0)
        self._joined()

    def _connection(self) -> socket.socket | None:
        return None if self.gone else self.ours

    def _broken(self, now: float) -> None:
        self.gone = True

    def cut(self, reason: str) -> None:
        self.ours.close()
        self.theirs.close()


def frame(stamp: int, *, key: bool = False, size: int = 1000) -> list[Payload]:
    start = b"\0\0\1\xba" + (b"\0\0\1\xbb" if key else b"\0\0\1\xe0")
    return [(False, stamp, False, start + bytes(size)), (False, stamp, True, bytes(size))]


def test_a_jam_is_bounded_whole_and_ends_at_a_key_frame() -> None:
    """Invariant: what a slow target gets is whole frames, and never more than the bound waits for it."""
    sender = Piped(100_000)
    sender.forward(frame(1), 0.0)
    for number in range(2, 2000):
        sender.forward(frame(number, key=number % 50 == 0), number / 25)
        assert sender.queued < 105_000
    assert sender.dropped > 1000
    deframer, got = TcpDeframer(), []
    for number in range(2000, 2110):
        for _ in range(4):
            try:
                got += [parse(p) for p in deframer.feed(sender.theirs.recv(1 << 20))]
            except BlockingIOError:
                break
            sender.tick(number / 25)
        sender.forward(frame(number, key=number % 50 == 0), number / 25)
    assert deframer.resyncs == 0
    stamps = [p.timestamp for p in got if p is not None]
    jumps = [b for a, b in itertools.pairwise(stamps) if b - a > 1]
    assert jumps == [2000]
    numbers = [p.sequence for p in got if p is not None]
    assert [(b - a) & 0xFFFF for a, b in itertools.pairwise(numbers)].count(2) == 1, "the gap shows"
    sender.cut("")


def test_a_target_that_takes_nothing_is_given_up_after_a_while() -> None:
    sender = Piped(10_000)
    number = 1
    while not sender.queued:
        sender.forward(frame(number), 1.0)
        number += 1
    assert sender.tick(5.9) is None
    assert sender.tick(6.1) == "target_stalled"
    sender.cut("")


def test_a_target_that_is_gone_may_come_back_for_a_while() -> None:
    sender = Piped(10_000)
    sender.theirs.close()
    sender.forward(frame(1), 1.0)
    sender.forward(frame(2), 1.0)
    sender.forward(frame(3), 1.0)
    assert sender.gone
    assert sender.tick(1.0) is None
    assert sender.tick(1.9) is None
    assert sender.tick(2.1) == "target_broken"
    sender.cut("")
