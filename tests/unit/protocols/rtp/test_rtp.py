"""Any datagram is put in order, counted and dropped, or counted as foreign; nothing is ever raised."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from gongshi.protocols.rtp import RtpReceiver, frame_rfc4571, packetize, parse
from gongshi.protocols.rtp.receiver import DEPTH, RELOCK_AFTER

SSRC = 0x1DCD6501


def numbered(count: int, start: int = 0, ssrc: int = SSRC) -> list[bytes]:
    return [packetize(b"%06d" % i, (start + i) & 0xFFFF, i * 3600, ssrc)[0] for i in range(count)]


def run(packets: list[bytes], receiver: RtpReceiver | None = None, step: float = 0.001) -> RtpReceiver:
    receiver = receiver or RtpReceiver()
    for index, packet in enumerate(packets):
        receiver.push(packet, index * step, "a")
    return receiver


def numbers(receiver: RtpReceiver) -> list[int]:
    return [int(data) for _, _, _, data in receiver.ready]


def test_packetize_and_parse_agree() -> None:
    packets = packetize(b"x" * 3000, 65_535, 2**32 + 7, SSRC, mtu=1400)
    parsed = [parse(packet) for packet in packets]
    assert [len(p) for p in packets] == [1400, 1400, 236]
    assert [(p.sequence, p.timestamp, p.ssrc, p.payload_type, p.marker) for p in parsed if p] == [
        (65_535, 7, SSRC, 96, False),
        (0, 7, SSRC, 96, False),
        (1, 7, SSRC, 96, True),
    ]
    assert b"".join(p.payload for p in parsed if p) == b"x" * 3000


def test_csrc_extension_and_padding_are_stripped() -> None:
    head = b"\xb1\x60" + bytes(2) + bytes(4) + SSRC.to_bytes(4, "big") + b"CSRC"
    packet = head + b"\xbe\xde\x00\x01EXT!" + b"payload" + b"\x00\x00\x03"
    parsed = parse(packet)
    assert parsed is not None
    assert parsed.payload == b"payload"
    assert run([packet]).ready[0][3] == b"payload"


@settings(max_examples=400)
@given(st.binary(max_size=80))
def test_random_bytes_never_raise(data: bytes) -> None:
    parse(data)
    receiver = RtpReceiver()
    receiver.push(data, 0.0)
    receiver.push(b"\x80" + data, 0.0)
    receiver.stats()


def test_order_survives_the_wrap_of_the_sequence_number() -> None:
    receiver = run(numbered(300, start=65_400))
    assert numbers(receiver) == list(range(300))
    assert receiver.stats().lost == 0
    assert receiver.stats().expected == 300


def test_swapped_and_delayed_packets_come_out_in_order() -> None:
    packets = numbered(2000, start=65_000)
    order = random.Random(1)
    head, rest = packets[:1], packets[1:]
    keyed = sorted(enumerate(rest), key=lambda item: item[0] + order.choice([0, 0, 0, 0, 6]))
    receiver = run(head + [packet for _, packet in keyed])
    assert numbers(receiver) == list(range(2000))
    assert receiver.stats().reordered > 0
    assert receiver.stats().lost == 0


def test_loss_is_counted_and_marked_where_it_happened() -> None:
    packets = numbered(1000, start=65_300)
    order = random.Random(2)
    dropped = {i for i in range(1, 900) if order.random() < 0.05}
    receiver = run([p for i, p in enumerate(packets) if i not in dropped])
    assert numbers(receiver) == [i for i in range(1000) if i not in dropped]
    assert receiver.stats().lost == len(dropped)
    gaps = [int(data) for gap, _, _, data in receiver.ready if gap]
    assert gaps == [i for i in range(1, 1000) if i not in dropped and i - 1 in dropped]


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 65_535), st.integers(0, 2**32), st.floats(0, 0.3), st.integers(0, 40))
def test_whatever_is_lost_or_late_the_output_only_goes_forward(start: int, seed: int, loss: float, span: int) -> None:
    order = random.Random(seed)
    kept = [(i + order.randint(0, span), p) for i, p in enumerate(numbered(400, start)) if order.random() >= loss]
    receiver = run([p for _, p in sorted(kept, key=lambda item: item[0])])
    receiver.tick(10**6)
    out = numbers(receiver)
    assert out == sorted(set(out))
    stats = receiver.stats()
    assert stats.expected == len(out) + stats.lost


def test_a_missing_packet_is_waited_for_but_not_for_ever() -> None:
    packets = numbered(DEPTH + 4)
    receiver = run(packets[:1] + packets[2 : DEPTH + 2])
    assert numbers(receiver) == [0]
    receiver.push(packets[DEPTH + 2], 0.1, "a")
    assert numbers(receiver) == [0, *range(2, DEPTH + 3)]
    waiting = run(packets[:1] + packets[2:3])
    waiting.tick(0.6)
    assert numbers(waiting) == [0, 2]


def test_a_late_or_doubled_packet_is_dropped() -> None:
    packets = numbered(10)
    receiver = run([*packets, packets[3], packets[9]])
    assert numbers(receiver) == list(range(10))
    assert receiver.stats().late == 2
    assert receiver.stats().lost == 0


def test_q10_any_ssrc_is_accepted_on_a_port_of_its_own_and_then_locked() -> None:
    receiver = RtpReceiver(expected_ssrc=SSRC)
    assert receiver.push(numbered(1, ssrc=0)[0], 0.0, "a")
    assert not receiver.push(numbered(1, ssrc=77)[0], 0.1, "b")
    assert receiver.foreign == 1
    assert receiver.ssrc == 0


def test_the_expected_ssrc_replaces_a_foreign_first_sender() -> None:
    receiver = RtpReceiver(expected_ssrc=SSRC)
    receiver.push(numbered(1, ssrc=77)[0], 0.0, "b")
    assert receiver.push(numbered(1)[0], 0.1, "a")
    assert not receiver.push(numbered(2, ssrc=77)[1], 0.2, "b")


def test_the_same_ssrc_from_another_source_is_foreign_until_the_first_is_silent() -> None:
    receiver = RtpReceiver()
    receiver.push(numbered(1)[0], 0.0, ("10.0.0.1", 1))
    assert not receiver.push(numbered(2)[1], 0.1, ("10.0.0.2", 1))
    assert receiver.push(numbered(2)[1], RELOCK_AFTER + 0.1, ("10.0.0.2", 1))


def test_a_restarted_numbering_is_followed() -> None:
    receiver = run(numbered(50, start=40_000) + numbered(50, start=10))
    assert numbers(receiver)[-48:] == list(range(2, 50))
    nearby = run(numbered(200, start=5000) + numbered(300, start=4700))
    assert numbers(nearby)[-1] == 299


def test_jitter_of_an_even_stream_is_near_zero() -> None:
    receiver = run(numbered(100), step=0.04)
    assert receiver.stats().jitter < 0.0001
    uneven = RtpReceiver()
    for i, packet in enumerate(numbered(100)):
        uneven.push(packet, i * 0.04 + (0.02 if i % 2 else 0), "a")
    assert 0.01 < uneven.stats().jitter < 0.03


def test_framing_prefixes_each_packet_with_its_length() -> None:
    assert frame_rfc4571([b"abc", b"de"]) == b"\x00\x03abc\x00\x02de"
