"""Cases in the manner of RFC 4475, named after it; messages are our own compositions."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.sip import Endpoint, Flow, Request, Response, parse_message

GOOD = (
    b"INVITE sip:34150200001310000007@3415020000 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 10.1.1.10:5060;rport;branch=z9hG4bK9a11\r\n"
    b"From: <sip:34150000002000000001@3415000000>;tag=c401\r\n"
    b"To: <sip:34150200001310000007@3415020000>\r\n"
    b"Call-ID: 4f1c2b77@10.1.1.10\r\n"
    b"CSeq: 20 INVITE\r\n"
    b"Max-Forwards: 70\r\n"
)


def test_rfc4475_wsinv_odd_whitespace() -> None:
    message = parse_message(
        GOOD.replace(b"From: <", b'From :  "A \\"quoted\\" name" \r\n   <')
        .replace(b"CSeq: 20", b"CSeq:   00020")
        .replace(b"To: ", b"TO :\r\n ")
        + b"NewFangledHeader:   a\r\n b\r\n\tc\r\n\r\n"
    )
    assert isinstance(message, Request)
    assert message.from_.display == 'A "quoted" name'
    assert message.cseq.number == 20
    assert message.headers.get("newfangledheader") == "a b c"


def test_rfc4475_intmeth_unusual_tokens() -> None:
    method = b"!interesting-Method0123456789_*+`.%"
    message = parse_message(GOOD.replace(b"INVITE", method) + b"\r\n")
    assert isinstance(message, Request)
    assert message.method == method.decode().upper()


def test_rfc4475_esc01_escaped_user() -> None:
    message = parse_message(GOOD.replace(b"sip:34150000002000000001@", b"sip:a%3Bb;c=d@"))
    assert message.from_.user == "a%3Bb;c=d"
    assert str(message.from_.uri) == "sip:a%3Bb;c=d@3415000000"


def test_rfc4475_longreq_many_vias_and_long_values() -> None:
    vias = b"".join(b"Via: SIP/2.0/UDP 10.0.0.%d;branch=z9hG4bK%d\r\n" % (i % 250, i) for i in range(60))
    message = parse_message(GOOD + vias + b"X-Long: " + b"a" * 30_000 + b"\r\n\r\n")
    assert isinstance(message, Request)
    assert len(Response.to_request(message, 200).headers.all("Via")) == 61


def test_rfc4475_dblreq_second_message_in_the_datagram_is_ignored() -> None:
    message = parse_message(GOOD + b"Content-Length: 2\r\n\r\nab" + GOOD + b"\r\n")
    assert message.body == b"ab"
    assert message.defects == ()


def test_rfc4475_semiuri_and_lwsruri() -> None:
    assert parse_message(GOOD.replace(b"@3415020000 SIP", b"@3415020000;transport=udp SIP"))
    with pytest.raises(RemoteProtocolError):
        parse_message(GOOD.replace(b"@3415020000 SIP", b"@3415020000; transport=udp SIP"))


def test_rfc4475_noreason_empty_reason_phrase() -> None:
    for line in (b"SIP/2.0 100 \r\n", b"SIP/2.0 100\r\n"):
        answer = parse_message(line + GOOD.partition(b"\r\n")[2] + b"\r\n")
        assert isinstance(answer, Response)
        assert (answer.status, answer.reason) == (100, "")


def test_rfc4475_unreason_reason_in_another_language() -> None:
    answer = parse_message("SIP/2.0 200 正常\r\n".encode() + GOOD.partition(b"\r\n")[2] + b"\r\n")
    assert isinstance(answer, Response)
    assert answer.reason == "正常"


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param((b"CSeq: 20", b"CSeq: 36893488147419103232"), id="scalar02"),
        pytest.param((b"INVITE sip", b"OPTIONS sip"), id="mismatch01"),
        pytest.param((b"Call-ID: 4f1c2b77@10.1.1.10\r\n", b""), id="insuf"),
        pytest.param((b"Max-Forwards: 70", b"Call-ID: again"), id="multi01"),
        pytest.param((b"Max-Forwards: 70", b"Content-Length: -999"), id="ncl"),
        pytest.param((b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia"), id="badvers"),
        pytest.param((b"SIP/2.0\r\nVia", b"SIP/2.0 extra\r\nVia"), id="trws"),
        pytest.param((b"INVITE sip:34150200001310000007@3415020000", b"INVITE"), id="no-uri"),
    ],
)
def test_rfc4475_invalid_messages(damage: tuple[bytes, bytes]) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_message(GOOD.replace(*damage, 1) + b"\r\n")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param((b"<sip:34150000002000000001@3415000000>", b'"Unclosed <sip:a@b>'), id="quotbal"),
        pytest.param((b"10.1.1.10:5060;rport", b"10.1.1.10:99999;rport"), id="via-port"),
        pytest.param((b"SIP/2.0/UDP 10", b"garbage"), id="badvia"),
    ],
)
def test_damaged_fields_are_answered_400(damage: tuple[bytes, bytes]) -> None:
    endpoint = Endpoint()
    message = parse_message(GOOD.replace(*damage, 1) + b"\r\n")
    events = endpoint.receive(message, Flow("UDP", "10.0.0.9", 5060), 0.0)
    out = endpoint.outgoing()
    assert len(events) + len(out) == 1
    assert all(data.startswith(b"SIP/2.0 400 ") for data, _ in out)


PIECES = [
    b"INVITE ", b"sip:a@b", b" SIP/2.0", b"\r\n", b"\n", b"\r\n\r\n", b": ", b"Via: SIP/2.0/UDP x;branch=", b"From: ", b"To: <sip:", b">",
    b"Call-ID: x", b"CSeq: 1 INVITE", b"Content-Length: ", b"9", b";tag=", b'"', b"<", b" ", b"\xff", b"\x00", b"\xcb\xce", b"SIP/2.0 200",
]  # fmt: skip


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join)))
@example(b"")
@example(b"\r\n\r\n")
@example(b"SIP/2.0")
@example(GOOD)
def test_any_datagram_parses_or_raises_protocol_error(data: bytes) -> None:
    """Any input parses or raises RemoteProtocolError, never anything else; so does handling what was parsed."""
    try:
        message = parse_message(data)
    except RemoteProtocolError:
        return
    Endpoint().receive(message, Flow("UDP", "10.0.0.9", 5060), 0.0)


@settings(max_examples=300)
@given(st.integers(0, len(GOOD)), st.integers(0, 40), st.binary(max_size=20))
def test_any_mutation_of_a_good_message_is_survived(at: int, cut: int, insert: bytes) -> None:
    """Any input parses or raises RemoteProtocolError, and an endpoint answers or drops it without raising."""
    data = GOOD[:at] + insert + GOOD[at + cut :] + b"\r\n"
    try:
        message = parse_message(data)
    except RemoteProtocolError:
        return
    endpoint = Endpoint()
    for event in endpoint.receive(message, Flow("UDP", "10.0.0.9", 5060), 0.0):
        assert event
    for out, _ in endpoint.outgoing():
        parse_message(out)
