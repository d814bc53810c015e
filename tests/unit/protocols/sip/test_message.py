"""Parsing and writing messages: shape, headers, URIs, tolerance and strictness."""

import pytest

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.sip import CSeq, Headers, NameAddr, Request, Response, Subject, Uri, Via, parse_message, readable
from gongshi.protocols.sip.fields import parse_auth

REGISTER = (
    b"REGISTER sip:34150000002000000001@3415000000 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 10.5.2.31:5060;rport;branch=z9hG4bK71c2a0\r\n"
    b"From: <sip:34150200001180000001@3415020000>;tag=5d01\r\n"
    b"To: <sip:34150200001180000001@3415020000>\r\n"
    b"Call-ID: 8f2e6a10@10.5.2.31\r\n"
    b"CSeq: 1 REGISTER\r\n"
    b"Contact: <sip:34150200001180000001@10.5.2.31:5060>\r\n"
    b"Max-Forwards: 70\r\n"
    b"Expires: 86400\r\n"
    b"X-GB-Ver: 3.0\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def register() -> Request:
    message = parse_message(REGISTER)
    assert isinstance(message, Request)
    return message


def test_register_is_read() -> None:
    request = register()
    assert request.method == "REGISTER"
    assert request.target == Uri("34150000002000000001", "3415000000")
    assert request.from_.user == request.to.user == "34150200001180000001"
    assert (request.from_.tag, request.to.tag) == ("5d01", None)
    assert request.cseq == CSeq(1, "REGISTER")
    assert request.expires == 86400
    assert request.gb_version == "3.0"
    assert request.defects == ()
    contact = request.contact
    assert contact is not None
    assert (contact.uri.host, contact.uri.port) == ("10.5.2.31", 5060)


def test_register_is_written_as_it_was_read() -> None:
    assert register().to_bytes() == REGISTER


def test_response_copies_what_identifies_the_request() -> None:
    request = register()
    request.stamp_source("198.51.100.7", 40000)
    data = Response.to_request(request, 401, tag="a77c", headers=[("X-GB-Ver", "3.0")]).to_bytes()
    assert data == (
        b"SIP/2.0 401 Unauthorized\r\n"
        b"Via: SIP/2.0/UDP 10.5.2.31:5060;rport=40000;branch=z9hG4bK71c2a0;received=198.51.100.7\r\n"
        b"From: <sip:34150200001180000001@3415020000>;tag=5d01\r\n"
        b"To: <sip:34150200001180000001@3415020000>;tag=a77c\r\n"
        b"Call-ID: 8f2e6a10@10.5.2.31\r\n"
        b"CSeq: 1 REGISTER\r\n"
        b"X-GB-Ver: 3.0\r\n"
        b"Content-Length: 0\r\n\r\n"
    )


def test_response_keeps_an_existing_to_tag_and_wraps_a_bare_address() -> None:
    request = register()
    request.headers.set("To", "<sip:a@b>;tag=x")
    assert Response.to_request(request, 200).headers.get("To") == "<sip:a@b>;tag=x"
    request.headers.set("To", "sip:a@b")
    assert Response.to_request(request, 200, tag="t").headers.get("To") == "<sip:a@b>;tag=t"
    assert Response.to_request(request, 100).headers.get("To") == "sip:a@b"


def test_compact_folded_lf_only_and_oddly_spaced_headers_are_the_same_message() -> None:
    odd = (
        b"\r\n\r\nregister   sip:34150000002000000001@3415000000   sip/2.0\n"
        b"v:SIP / 2.0 / udp 10.5.2.31:5060 ; rport ; branch=z9hG4bK71c2a0\n"
        b"f :<sip:34150200001180000001@3415020000>;tag=5d01\n"
        b"TO:   <sip:34150200001180000001@3415020000>\n"
        b"i: 8f2e6a10@10.5.2.31\n"
        b"CSEQ: 1\n\t Register\n"
        b"m: <sip:34150200001180000001@10.5.2.31:5060>\n"
        b"expires: 86400\n\n"
    )
    request = parse_message(odd)
    assert isinstance(request, Request)
    plain = register()
    assert (request.method, request.target, request.cseq) == (plain.method, plain.target, plain.cseq)
    assert (request.from_, request.to, request.via, request.contact) == (
        plain.from_,
        plain.to,
        plain.via,
        plain.contact,
    )
    assert (request.call_id, request.expires) == (plain.call_id, 86400)
    assert request.defects == ("lf-only",)


def test_foreign_bytes_in_a_header_survive_a_copy_unchanged() -> None:
    name = "人民路".encode("gb18030")
    raw = REGISTER.replace(b"From: <", b'From: "' + name + b'" <')
    request = parse_message(raw)
    assert isinstance(request, Request)
    assert readable(request.from_.display) == "人民路"
    assert name in Response.to_request(request, 200).to_bytes()
    assert request.to_bytes() == raw


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ((b"CSeq: 1 REGISTER\r\n", b""), 400),
        ((b"CSeq: 1 REGISTER", b"CSeq: one REGISTER"), 400),
        ((b"CSeq: 1 REGISTER", b"CSeq: 1 INVITE"), 400),
        ((b"CSeq: 1 REGISTER", b"CSeq: 4294967296 REGISTER"), 400),
        ((b"Call-ID: 8f2e6a10@10.5.2.31\r\n", b""), 400),
        ((b"From: ", b"X-From: "), 400),
        ((b"Max-Forwards: 70", b"From: <sip:a@b>"), 400),
        ((b"SIP/2.0\r\nVia", b"SIP/3.0\r\nVia"), 505),
        ((b"SIP/2.0\r\nVia", b"HTTP/1.1\r\nVia"), 400),
        ((b"sip:34150000002000000001@3415000000 ", b"sip:a b@c "), 400),
        ((b"Content-Length: 0", b"Content-Length: -1"), 400),
        ((b"Content-Length: 0", b"Content-Length: 99999999999"), 513),
        ((b"Max-Forwards: 70", b"Max-Forwards: 7\x000"), 400),
    ],
)
def test_ambiguous_messages_are_refused(change: tuple[bytes, bytes], status: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_message(REGISTER.replace(*change))
    assert caught.value.hint_status == status


def test_size_limits() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_message(REGISTER[:-2] + b"X: " + b"a" * 70_000 + b"\r\n\r\n")
    assert caught.value.hint_status == 513
    with pytest.raises(RemoteProtocolError, match="too many headers"):
        parse_message(REGISTER[:-2] + b"X: a\r\n" * 400 + b"\r\n")


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0b"])
def test_the_writer_never_breaks_the_framing(value: str) -> None:
    request = register()
    request.headers.set("User-Agent", value)
    with pytest.raises(LocalProtocolError):
        request.to_bytes()
    with pytest.raises(LocalProtocolError):
        Response(Headers(), status=200, reason=value).to_bytes()
    with pytest.raises(LocalProtocolError):
        Request(Headers(), method="OPTIONS", uri=f"sip:{value}").to_bytes()


def test_content_length_counts_bytes_and_is_always_ours() -> None:
    request = register()
    request.body = "人民路".encode("gb18030")
    assert b"Content-Length: 6\r\n\r\n" in request.to_bytes()


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:34150200001310000007@3415020000", Uri("34150200001310000007", "3415020000")),
        ("34150200001310000007@3415020000:5060", Uri("34150200001310000007", "3415020000", 5060)),
        ("<SIP:a@[2001:db8::1]:5061;transport=TCP>", Uri("a", "[2001:db8::1]", 5061, {"transport": "TCP"})),
        ("sip:10.1.1.1", Uri("", "10.1.1.1")),
        ("sips:a@x.spvmn.cn?subject=1", Uri("a", "x.spvmn.cn", None, {}, "sips", "subject=1")),
    ],
)
def test_uris(text: str, uri: Uri) -> None:
    assert Uri.parse(text) == uri
    assert Uri.parse(str(uri)) == uri


@pytest.mark.parametrize(
    "text", ["", "sip:", "sip:a@", "sip:a b@c", "sip:a@b:99999", 'sip:a"@b', "http://a/", "sip:@@@"]
)
def test_bad_uris(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        Uri.parse(text)


def test_addresses_with_and_without_brackets() -> None:
    assert NameAddr.parse("sip:a@b;tag=1") == NameAddr.parse("<sip:a@b>;tag=1")
    assert NameAddr.parse("<sip:a@b;lr>;tag=1").uri.parameters == {"lr": None}
    quoted = NameAddr.parse('"Gate \\"A\\", <north>" <sip:a@b>;tag=1')
    assert quoted.display == 'Gate "A", <north>'
    assert NameAddr.parse(str(quoted)) == quoted
    for bad in ("<sip:a@b", '"open <sip:a@b>', ""):
        with pytest.raises(RemoteProtocolError):
            NameAddr.parse(bad)


def test_via_keeps_what_it_does_not_know_and_learns_the_source() -> None:
    via = Via.parse("SIP/2.0/UDP 10.5.2.31;x=1;rport, SIP/2.0/TCP 10.0.0.1")
    assert via.sent_by == "10.5.2.31:5060"
    assert via.received is None
    stamped = Via.parse(str(via.with_source("198.51.100.7", 4000)))
    assert stamped.received == ("198.51.100.7", 4000)
    assert stamped.parameters["x"] == "1"


def test_only_the_first_of_several_vias_is_stamped() -> None:
    request = register()
    request.headers.set("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa, SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKb")
    request.headers.add("Via", "SIP/2.0/UDP 10.0.0.3")
    request.stamp_source("192.0.2.1", 9)
    first, second = request.headers.all("Via")
    assert first.count("received") == 1
    assert first.startswith("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa;rport=9")
    assert second == "SIP/2.0/UDP 10.0.0.3"


def test_credentials_in_any_dress() -> None:
    scheme, values = parse_auth('DIGEST  Realm=3415000000 , nonce="a,b\\"c",QOP=auth, uri="sip:x@y;z=1"')
    assert scheme == "digest"
    assert values == {"realm": "3415000000", "nonce": 'a,b"c', "qop": "auth", "uri": "sip:x@y;z=1"}


def test_subject_with_missing_parts() -> None:
    full = Subject.parse("34150200001310000007:0500000001,34150000002000000001:0")
    assert full == Subject("34150200001310000007", "0500000001", "34150000002000000001", "0")
    assert str(full) == "34150200001310000007:0500000001,34150000002000000001:0"
    assert Subject.parse("") == Subject("", "", "", "")
    assert Subject.parse("a,b").receiver_sequence == ""


def test_credentials_are_not_shown_by_repr() -> None:
    request = register()
    request.headers.add("Authorization", 'Digest response="secret"')
    assert "secret" not in repr(request)
