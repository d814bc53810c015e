"""Field quirks that touch SIP parsing and dialogs (gb28181.md §18), one named test each."""

import pytest

from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.sip import (
    Challenge,
    Credentials,
    Dialog,
    Endpoint,
    Flow,
    Request,
    RequestReceived,
    Response,
    Uri,
    Via,
    answer_challenge,
    authorized,
    ha1,
    new_request,
    parse_message,
)

DEVICE, PLATFORM = "34150200001320000007", "34150000002000000001"
FLOW = Flow("UDP", "198.51.100.7", 40001, "10.1.1.10", 5060)


def request(method: str = "MESSAGE", *lines: str, body: bytes = b"") -> Request:
    made = new_request(
        method, Uri.of(PLATFORM, "10.1.1.10"), Uri.of(DEVICE, "3415020000"), Uri.of(PLATFORM, "3415000000")
    )
    made.headers.add_first("Via", "SIP/2.0/UDP 192.168.1.9:5060;rport;branch=z9hG4bK1")
    made.body = body
    head, _, tail = made.to_bytes().partition(b"\r\n\r\n")
    extra = "".join(f"\r\n{line}" for line in lines).encode()
    parsed = parse_message(head + extra + b"\r\n\r\n" + tail)
    assert isinstance(parsed, Request)
    return parsed


def received(message: Request, endpoint: Endpoint | None = None) -> RequestReceived:
    (event,) = (endpoint or Endpoint()).receive(message, FLOW, 0.0)
    assert isinstance(event, RequestReceived)
    return event


def test_q01_port_behind_nat_changes_and_the_answer_follows_the_source() -> None:
    endpoint = Endpoint()
    event = received(request(), endpoint)
    endpoint.answer(event, 200, 0.0)
    ((data, flow),) = endpoint.outgoing()
    assert (flow.host, flow.port) == ("198.51.100.7", 40001)
    assert b"rport=40001" in data


def test_q02_private_via_and_contact_and_learning_the_public_address() -> None:
    event = received(request("REGISTER", "Contact: <sip:34150200001320000007@192.168.1.9:5060>"))
    answer = Response.to_request(event.request, 200)
    via = answer.via
    assert via is not None
    assert via.received == ("198.51.100.7", 40001)


def test_q03_route_added_by_a_gateway_is_ignored() -> None:
    event = received(request("REGISTER", "Route: <sip:203.0.113.1;lr>"))
    assert "Route" not in Response.to_request(event.request, 401).headers


def test_q04_via_names_the_address_that_the_peer_knows() -> None:
    endpoint = Endpoint()
    endpoint.request(new_request("INVITE", Uri.of(DEVICE, "x"), Uri.of(PLATFORM, "y"), Uri.of(DEVICE, "z")), FLOW, 0.0)
    assert b"Via: SIP/2.0/UDP 10.1.1.10:5060;rport;branch=z9hG4bK" in endpoint.outgoing()[0][0]


def test_q05_challenge_names_algorithm_and_qop() -> None:
    header = Challenge("3415000000", "n").header()
    assert header == 'Digest realm="3415000000",nonce="n",qop="auth",algorithm=MD5'


def test_q06_full_and_short_digest_forms_are_both_verified() -> None:
    secret = ha1("u", "r", "p")
    for qop in (True, False):
        credentials = answer_challenge(Challenge("r", "n", qop=qop), "u", "p", "REGISTER", "sip:x@y")
        assert (credentials.qop is not None) is qop
        assert Credentials.parse(credentials.header()).verify("REGISTER", secret)


def test_q07_no_100_trying_to_message_and_register() -> None:
    for method in ("MESSAGE", "REGISTER"):
        endpoint = Endpoint()
        received(request(method), endpoint)
        assert endpoint.outgoing() == []


def test_q11_no_to_tag_in_a_message() -> None:
    made = new_request("MESSAGE", Uri.of(DEVICE, "x"), Uri.of(PLATFORM, "y"), Uri.of(DEVICE, "z"))
    assert made.to.tag is None
    assert made.from_.tag


def test_q12_call_id_and_branch_used_again_with_another_cseq_is_a_new_request() -> None:
    endpoint = Endpoint()
    first = request("REGISTER", body=b"")
    second = parse_message(first.to_bytes().replace(b"CSeq: 1", b"CSeq: 2"))
    third = parse_message(first.to_bytes().replace(first.call_id.encode(), b"other"))
    assert isinstance(second, Request)
    assert isinstance(third, Request)
    tokens = {received(m, endpoint).token for m in (first, second, third)}
    assert len(tokens) == 3


def test_q15_invite_with_empty_subject_or_zero_sequences() -> None:
    assert request("INVITE").subject.sender == ""
    assert request("INVITE", "Subject: ").subject.sender_sequence == ""
    subject = request("INVITE", f"Subject: {DEVICE}:0,{PLATFORM}:0", "X-PreferredPath: a-b").subject
    assert (subject.sender_sequence, subject.receiver) == ("0", PLATFORM)


def test_q16_another_platform_id_than_ours_is_still_readable_and_answered_under_it() -> None:
    message = request()
    message.headers.set("To", "<sip:34150000002000000099@3415000000>")
    assert received(message).request.to.user == "34150000002000000099"
    assert Response.to_request(message, 200).to.user == "34150000002000000099"


def test_q28_media_status_from_another_id_is_matched_by_call_id() -> None:
    invite = new_request("INVITE", Uri.of(DEVICE, "x"), Uri.of(PLATFORM, "y"), Uri.of(DEVICE, "z"), call_id="c9")
    dialog = Dialog.from_response(invite, Response.to_request(invite, 200, tag="dev"))
    status = request()
    status.headers.set("Call-ID", "c9")
    status.headers.set("From", "<sip:34150200001180000001@3415020000>;tag=dev")
    status.headers.set("To", invite.headers.get("From") or "")
    assert dialog.matches(status)
    status.headers.set("Call-ID", "c8")
    assert not dialog.matches(status)


def test_q31_ack_goes_to_the_contact_of_the_200() -> None:
    invite = new_request("INVITE", Uri.of(DEVICE, "10.5.2.31", 5060), Uri.of(PLATFORM, "y"), Uri.of(DEVICE, "z"))
    ok = Response.to_request(invite, 200, headers=[("Contact", f"<sip:{DEVICE}@10.5.2.99:5062>")])
    assert Dialog.from_response(invite, ok).ack().uri == f"sip:{DEVICE}@10.5.2.99:5062"


def test_q46_and_s04_registering_again_with_credentials_keeps_call_id_and_raises_cseq() -> None:
    first = new_request("REGISTER", Uri.of(PLATFORM, "3415000000"), Uri.of(DEVICE, "d"), Uri.of(DEVICE, "d"))
    challenged = Response.to_request(first, 401, headers=[("WWW-Authenticate", "Digest realm=x,nonce=y")])
    second = authorized(first, challenged, DEVICE, "secret")
    assert (second.call_id, second.cseq.number) == (first.call_id, 2)
    assert second.headers.get("Via") is None
    proof = Credentials.parse(second.headers.get("Authorization") or "")
    assert (proof.uri, proof.qop) == (first.uri, None)
    assert proof.verify("REGISTER", ha1(DEVICE, "x", "secret"))
    with pytest.raises(RemoteProtocolError):
        authorized(first, Response.to_request(first, 401), DEVICE, "secret")


def test_q48_message_without_via_is_answered() -> None:
    plain = request()
    plain.headers.remove("Via")
    message = parse_message(plain.to_bytes())
    assert isinstance(message, Request)
    endpoint = Endpoint()
    event = received(message, endpoint)
    endpoint.answer(event, 200, 0.0)
    ((data, flow),) = endpoint.outgoing()
    assert data.startswith(b"SIP/2.0 200 OK\r\nFrom: ")
    assert flow == FLOW


def test_q48_answer_with_a_rewritten_via_is_matched() -> None:
    endpoint = Endpoint()
    made = new_request("MESSAGE", Uri.of(DEVICE, "x"), Uri.of(PLATFORM, "y"), Uri.of(DEVICE, "z"))
    endpoint.request(made, FLOW, 0.0)
    answer = Response.to_request(made, 200)
    answer.headers.set("Via", str(Via("UDP", "203.0.113.5", 5060)))
    assert len(endpoint.receive(answer, FLOW, 0.1)) == 1


def test_q52_no_final_line_end_after_the_headers() -> None:
    data = request().to_bytes().rstrip(b"\r\n")
    message = parse_message(data)
    assert message.defects == ("no-blank-line",)
