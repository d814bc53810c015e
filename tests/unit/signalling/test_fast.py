"""The short way of a keepalive must say what the long way says, or decline."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.manscdp import Keepalive, fast_keepalive
from gongshi.protocols.sip import MANSCDP, Request, Response, Uri, new_request, parse_message
from gongshi.signalling.fast import ordinary

CODE = "34150200002000000001"
NODE = "34150000002000000001"


def keepalive(via: str = "SIP/2.0/UDP 10.5.2.31:5060;rport;branch=z9hG4bK71c2a0") -> bytes:
    own, server = Uri.of(CODE, "3415020000"), Uri.of(NODE, "3415000000")
    request = new_request("MESSAGE", server, own, server, body=Keepalive(CODE, 43).build(), content_type=MANSCDP)
    request.headers.add_first("Via", via)
    return request.to_bytes()


ORDINARY = keepalive()


def long_way(data: bytes) -> tuple[str, Response] | None:
    """What the tolerant parser makes of it: (who, the answer)."""
    message = parse_message(data)
    if not isinstance(message, Request) or message.method != "MESSAGE" or fast_keepalive(message.body) is None:
        return None
    message.stamp_source("10.0.0.9", 6061)
    return message.from_.user, Response.to_request(message, 200)


def test_an_ordinary_keepalive_is_answered_the_same() -> None:
    found = ordinary(ORDINARY)
    assert found is not None
    assert found.code.decode() == CODE
    quick = parse_message(found.answer("10.0.0.9", 6061))
    slow = long_way(ORDINARY)
    assert slow is not None
    assert isinstance(quick, Response)
    assert quick.status == 200
    assert quick.via == slow[1].via
    for name in ("From", "Call-ID", "CSeq"):
        assert quick.headers.get(name) == slow[1].headers.get(name)
    assert quick.to.uri == slow[1].to.uri
    assert quick.to.tag


def test_the_answer_repeats_its_tag() -> None:
    first, second = ordinary(ORDINARY), ordinary(ORDINARY)
    assert first is not None
    assert second is not None
    tags = {parse_message(found.answer("h", 1)).to.tag for found in (first, second)}
    assert len(tags) == 1


def test_what_is_out_of_the_ordinary_goes_the_long_way() -> None:
    data = ORDINARY
    odd = [
        data.replace(b"\r\n", b"\n"),
        data.replace(b"Via:", b"v:"),
        data.replace(b"Via:", b"via:"),
        data.replace(b"Via:", b"Via : x\r\nVia:", 1),
        data.replace(b"From:", b"f :"),
        data.replace(b"Call-ID:", b"CALL-ID:"),
        data.replace(b"Max-Forwards", b" folded\r\nMax-Forwards"),
        data.replace(b"From: ", b"From: <sip:34150200002000000009@x>\r\nFrom: "),
        data.replace(b";rport", b";rport=1"),
        data.replace(b";rport", b";received=1.2.3.4"),
        data.replace(b"MESSAGE sip", b"message sip"),
        data.replace(b"Content-Length: 1", b"Content-Length: 9"),
        data.replace(b"Keepalive", b"Catalog"),
        data + b"more",
        data.replace(b"z9hG4bK", b"z9hG4bK\0"),
        data[:-20],
        b"MESSAGE ",
    ]
    for changed in odd:
        assert changed != data
        assert ordinary(changed) is None, changed


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_declined(data: bytes) -> None:
    """Invariant: any input gives an Ordinary or None, never an exception."""
    for candidate in (data, b"MESSAGE " + data, ORDINARY + data):
        ordinary(candidate)


@given(st.integers(0, 600), st.integers(0, 600), st.binary(max_size=6))
def test_damage_never_makes_the_short_way_say_something_else(start: int, length: int, patch: bytes) -> None:
    """Invariant: whenever the short way answers, the long way answers the same peer with the same headers."""
    data = ORDINARY
    start %= len(data)
    changed = data[:start] + patch + data[start + length % 12 :]
    found = ordinary(changed)
    if found is None:
        return
    slow = long_way(changed)
    assert slow is not None
    who, answer = slow
    assert found.code.decode() == who
    try:
        quick = parse_message(found.answer("10.0.0.9", 6061))
    except RemoteProtocolError as error:
        raise AssertionError(f"our own answer cannot be read: {error}") from error
    assert quick.call_id == answer.call_id
    assert str(quick.cseq) == re.sub(r"\s+", " ", str(answer.cseq))
    assert quick.headers.get("From") == answer.headers.get("From")
