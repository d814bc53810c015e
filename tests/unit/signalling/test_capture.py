"""Traces as files."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.signalling.capture import _checksum, as_pcap, as_text

LINE = {
    "at": "2026-03-01T08:00:00.123+08:00",
    "way": "in",
    "remote": "udp:10.5.2.31:5060",
    "size": 12,
    "truncated": False,
    "text": "REGISTER sip:x SIP/2.0\r\n\r\n",
}


def packets(data: bytes) -> list[bytes]:
    assert struct.unpack("<I", data[:4]) == (0xA1B2C3D4,)
    found, at = [], 24
    while at < len(data):
        (length,) = struct.unpack("<I", data[at + 8 : at + 12])
        found.append(data[at + 16 : at + 16 + length])
        at += 16 + length
    assert at == len(data)
    return found


@pytest.mark.parametrize("way", ["in", "out"])
def test_a_packet_says_who_sent_what(way):
    (packet,) = packets(as_pcap([LINE | {"way": way}], "10.1.1.10", 5060))
    hosts = (packet[12:16], packet[16:20])
    assert hosts == (
        (b"\x0a\x05\x02\x1f", b"\x0a\x01\x01\x0a") if way == "in" else (b"\x0a\x01\x01\x0a", b"\x0a\x05\x02\x1f")
    )
    assert _checksum(packet[:20]) == 0
    assert packet[28:] == str(LINE["text"]).encode()
    pseudo = packet[12:20] + struct.pack(">BBH", 0, 17, len(packet) - 20)
    assert _checksum(pseudo + packet[20:]) == 0


def test_ipv6_and_names():
    (six,) = packets(as_pcap([LINE | {"remote": "tcp:[fd00::7]:5061"}], "fd00::1", 5060))
    assert six[0] >> 4 == 6
    assert struct.unpack(">HH", six[40:44]) == (5061, 5060)
    (named,) = packets(as_pcap([LINE], "sip.example.com", 5060))
    assert named[16:20] == bytes(4)
    (mixed,) = packets(as_pcap([LINE | {"remote": "tcp:[fd00::7]:5061"}], "10.1.1.10", 5060))
    assert mixed[0] >> 4 == 6


@given(
    st.lists(
        st.builds(
            lambda way, remote, text: LINE | {"way": way, "remote": remote, "text": text},
            st.sampled_from(["in", "out"]),
            st.sampled_from(["udp:10.5.2.31:5060", "tcp:[fd00::7]:1", "udp:host:99999", "odd", ""])
            | st.text(max_size=20),
            st.text(max_size=200),
        ),
        max_size=5,
    )
)
def test_any_trace_is_a_readable_file(lines):
    """Whatever was traced becomes packets that a reader can walk through, and text."""
    assert len(packets(as_pcap(lines, "10.1.1.10", 5060))) == len(lines)
    assert as_text(lines).count(" bytes") >= len(lines)


def test_text_names_way_and_address():
    text = as_text([LINE, LINE | {"way": "out", "truncated": True}])
    assert "2026-03-01T08:00:00.123+08:00 <<< udp:10.5.2.31:5060 12 bytes\r\nREGISTER" in text
    assert ">>> udp:10.5.2.31:5060 12 bytes (truncated)" in text
