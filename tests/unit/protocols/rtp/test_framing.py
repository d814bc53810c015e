"""Any bytes in any chunks yield whole packets or counted losses; nothing is ever raised."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from gongshi.protocols.rtp import TcpDeframer, frame_rfc4571, packetize
from gongshi.protocols.rtp.framing import MAX_RESYNC_SCAN

SSRC = 0x1DCD6501
PACKETS = [p for i in range(40) for p in packetize(random.Random(i).randbytes(1000 + 37 * i), i, i, SSRC)]


def dollar(packets: list[bytes], channel: int = 0) -> bytes:
    return b"".join(b"$" + bytes((channel,)) + len(p).to_bytes(2, "big") + p for p in packets)


def cut(data: bytes, seed: int, most: int) -> list[bytes]:
    order = random.Random(seed)
    chunks: list[bytes] = []
    while data:
        size = order.randint(1, most)
        chunks.append(data[:size])
        data = data[size:]
    return chunks


def run(chunks: list[bytes]) -> tuple[list[bytes], TcpDeframer]:
    deframer = TcpDeframer()
    return [packet for chunk in chunks for packet in deframer.feed(chunk)], deframer


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(20, 5000))
def test_both_framings_cut_anywhere_give_every_packet(seed: int, most: int) -> None:
    assert run(cut(frame_rfc4571(PACKETS), seed, most))[0] == PACKETS
    assert run(cut(dollar(PACKETS), seed, most))[0] == PACKETS


def test_byte_by_byte_is_the_same() -> None:
    data = frame_rfc4571(PACKETS[:8])
    assert run([data[i : i + 1] for i in range(len(data))])[0] == PACKETS[:8]


def test_a_length_that_looks_like_a_dollar_sign_is_a_length() -> None:
    packets = [packetize(bytes(0x2400 - 12 + n), n, 0, SSRC, mtu=20_000)[0] for n in range(4)]
    assert run([frame_rfc4571(packets)])[0] == packets


def test_rtcp_is_left_out() -> None:
    report = b"\x80\xc8\x00\x06" + bytes(24)
    assert run([frame_rfc4571([PACKETS[0], report, PACKETS[1]])])[0] == PACKETS[:2]
    assert run([dollar([PACKETS[0]]) + dollar([report], 1) + dollar([PACKETS[1]])])[0] == PACKETS[:2]


def test_q34_an_overwritten_buffer_is_resynchronised() -> None:
    data = frame_rfc4571(PACKETS[:10])
    second = frame_rfc4571(PACKETS[20:])
    got, deframer = run(cut(data[:-700] + second, 3, 900))
    assert got[:9] == PACKETS[:9]
    assert got[-18:] == PACKETS[-18:]
    assert deframer.resyncs == 1
    assert not deframer.broken


def test_a_stream_that_is_not_rtp_is_given_up() -> None:
    deframer = TcpDeframer()
    for _ in range(40):
        assert deframer.feed(b"GET / HTTP/1.1\r\n" * 2048) == []
    assert deframer.broken
    assert deframer.discarded > MAX_RESYNC_SCAN


def test_a_restarted_sender_with_another_ssrc_is_followed() -> None:
    other = packetize(bytes(5000), 9, 9, 4711)
    assert run([frame_rfc4571(PACKETS[:3] + other + other[:1])])[0][: 3 + len(other)] == PACKETS[:3] + other


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=20), st.booleans())
def test_random_bytes_never_raise_and_memory_is_bounded(chunks: list[bytes], warm: bool) -> None:
    deframer = TcpDeframer()
    if warm:
        deframer.feed(frame_rfc4571(PACKETS[:2]))
    for chunk in chunks:
        deframer.feed(chunk)
    assert len(deframer._buffer) <= 65_536 + 16
