"""Cutting TCP streams into messages."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.sip import PING, Ping, Request, SipMessage, StreamParser

HEAD = (
    b"MESSAGE sip:34150000002000000001@3415000000 SIP/2.0\r\nVia: SIP/2.0/TCP 10.5.2.31;branch=z9hG4bKa\r\n"
    b"From: <sip:a@b>;tag=1\r\nTo: <sip:c@b>\r\nCall-ID: x\r\nCSeq: %d MESSAGE\r\n"
)


def message(number: int, body: bytes) -> bytes:
    return HEAD % number + b"Content-Length: %d\r\n\r\n" % len(body) + body


def bodies(found: list[SipMessage | Ping]) -> list[bytes]:
    return [m.body for m in found if isinstance(m, Request)]


WANTED = [b"<Notify/>", b"", "人民路".encode("gb18030"), b"\r\n\r\nMESSAGE sip:x SIP/2.0\r\n\r\n"]
STREAM = b"".join(message(i, body) for i, body in enumerate(WANTED))


def test_whole_and_byte_by_byte_are_the_same() -> None:
    assert bodies(StreamParser().feed(STREAM)) == WANTED
    parser = StreamParser()
    found = [m for i in range(len(STREAM)) for m in parser.feed(STREAM[i : i + 1])]
    assert bodies(found) == WANTED


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_cut_gives_the_same_messages(cuts: list[int]) -> None:
    """However a stream is cut, the messages are the same."""
    edges = [0, *sorted(cuts), len(STREAM)]
    parser = StreamParser()
    found = [m for a, b in itertools.pairwise(edges) for m in parser.feed(STREAM[a:b])]
    assert bodies(found) == WANTED


def test_double_crlf_is_a_ping_and_single_ones_are_nothing() -> None:
    assert StreamParser().feed(b"\r\n\r\n") == [PING]
    assert StreamParser().feed(b"\r\n\r\n\r\n\r\n") == [PING, PING]
    parser = StreamParser()
    assert parser.feed(b"\r\n") == []
    assert bodies(parser.feed(message(1, b"a"))) == [b"a"]


def test_missing_content_length_ends_the_stream() -> None:
    parser = StreamParser()
    with pytest.raises(RemoteProtocolError, match="Content-Length is missing"):
        parser.feed(HEAD % 1 + b"\r\n")
    with pytest.raises(RemoteProtocolError):
        parser.feed(message(1, b""))


def test_good_messages_before_the_damage_are_not_lost() -> None:
    parser = StreamParser()
    assert bodies(parser.feed(message(1, b"a") + b"rubbish\r\n\r\n")) == [b"a"]
    assert parser.error is not None
    with pytest.raises(RemoteProtocolError):
        parser.feed(b"")


def test_endless_header_and_huge_body_are_refused_early() -> None:
    parser = StreamParser()
    for _ in range(16):
        assert parser.feed(b"x" * 4096) == []
    with pytest.raises(RemoteProtocolError) as caught:
        parser.feed(b"x")
    assert caught.value.hint_status == 513
    with pytest.raises(RemoteProtocolError, match="8 MiB"):
        StreamParser().feed(HEAD % 1 + b"Content-Length: 8388609\r\n\r\n")


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_any_bytes_parse_or_raise_protocol_error(chunks: list[bytes]) -> None:
    """Any input parses or raises RemoteProtocolError, never anything else."""
    parser = StreamParser()
    try:
        for chunk in chunks:
            parser.feed(chunk)
    except RemoteProtocolError:
        assert parser.error is not None


def test_blanks_before_a_message_may_come_by_themselves() -> None:
    for blanks in range(12):
        parser = StreamParser()
        found: list[SipMessage | Ping] = []
        for part in (b"\n" * blanks, STREAM):
            found += parser.feed(part)
        assert bodies(found) == WANTED
