"""What the standard's own samples get wrong and vendors copied (gb28181.md §17): each is accepted, none is produced.

All messages are our own compositions that show the defect; S-02, S-03, S-13 are in sdp/, the XML ones in manscdp/.
"""

import pytest

from gongshi.protocols.sip import (
    Challenge,
    Credentials,
    Dialog,
    Request,
    Response,
    SipMessage,
    Uri,
    new_request,
    parse_message,
)
from gongshi.protocols.sip.mansrtsp import PlaybackCommand
from gongshi.protocols.sip.transactions import server_key

BARE = (
    b"%s sip:34150000002000000001@3415000000 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 10.5.2.31\r\n"
    b"From: sip:34150200001180000001@3415020000;tag=5d01\r\n"
    b"To: sip:34150000002000000001@3415000000\r\n"
    b"Call-ID: c1\r\n"
    b"CSeq: 2 %s\r\n"
)


def bare(method: bytes, rest: bytes = b"\r\n") -> Request:
    message = parse_message(BARE % (method, method) + rest)
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize("method", [b"Register", b"Invite", b"Message", b"Info", b"bYe"])
def test_s01_mixed_case_method_no_branch_no_brackets(method: bytes) -> None:
    request = bare(method)
    assert request.method == method.decode().upper()
    assert request.cseq.method == request.method
    assert request.from_.user == "34150200001180000001"
    assert request.from_.tag == "5d01"
    assert request.via is not None
    assert request.via.branch is None
    assert server_key(request, "10.5.2.31") == server_key(bare(method), "10.5.2.31")
    assert Response.to_request(request, 200).to_bytes().startswith(b"SIP/2.0 200 OK\r\n")


def test_s04_digest_username_shorter_than_the_id_and_challenge_without_algorithm() -> None:
    challenge = Challenge.parse('Digest realm="3415000000",nonce="abc"')
    assert (challenge.algorithm, challenge.qop) == ("MD5", False)
    credentials = Credentials.parse(
        'Digest username="3415020000118",realm="3415000000",nonce="abc",uri="sip:x@y",response="00"'
    )
    assert credentials.username == "3415020000118"
    answer = parse_message(
        b"SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP 10.5.2.31\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@b>\r\n"
        b"Call-ID: c1\r\nCSeq: 1 REGISTER\r\nWWW-Authenticate: Digest realm=x,nonce=y\r\n\r\n"
    )
    assert isinstance(answer, Response)
    assert answer.to.tag is None


def test_s06_answering_message_with_the_tag_of_an_older_transaction_is_a_message_like_any_other() -> None:
    request = bare(b"MESSAGE", b"Content-Type: Application/MANSCDP+xml\r\nContent-Length: 11\r\n\r\n<Response/>")
    assert request.to.tag is None
    assert request.is_manscdp
    assert request.body == b"<Response/>"


def subscription() -> tuple[Request, Dialog]:
    subscribe = new_request(
        "SUBSCRIBE",
        Uri.of("34150200002000000001", "10.5.2.10"),
        Uri.of("34150000002000000001", "3415000000"),
        Uri.of("34150200002000000001", "3415020000"),
        call_id="sub1",
        from_tag="s1",
    )
    ok = Response.to_request(subscribe, 200)
    ok.headers.set("To", "<sip:34150200002000000001@3415020000>")
    return subscribe, Dialog.from_response(subscribe, ok)


def test_s07_no_to_tag_no_contact_and_notify_with_the_subscribers_tag() -> None:
    subscribe, dialog = subscription()
    assert dialog.remote_tag == ""
    assert dialog.target == "sip:34150200002000000001@3415020000"
    for tags in ((";tag=s1", ""), (";tag=s1", ";tag=s1"), ("", ";tag=s1"), (";tag=n9", ";tag=s1")):
        notify = bare(b"NOTIFY")
        notify.headers.set("From", f"<sip:34150200002000000001@3415020000>{tags[0]}")
        notify.headers.set("To", f"<sip:34150000002000000001@3415000000>{tags[1]}")
        notify.headers.set("Call-ID", subscribe.call_id)
        assert dialog.matches(notify), tags
    stranger = bare(b"NOTIFY")
    stranger.headers.set("Call-ID", subscribe.call_id)
    stranger.headers.set("To", "<sip:34150000002000000001@3415000000>;tag=zz")
    assert not dialog.matches(stranger)


def test_s09_content_length_zero_with_a_body() -> None:
    message: SipMessage = parse_message(
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.5.2.31\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@b>;tag=2\r\nCall-ID: c1\r\n"
        b"CSeq: 1 NOTIFY\r\nContent-Length: 0\r\n\r\n<Response><CmdType>Catalog</CmdType></Response>"
    )
    assert message.body.startswith(b"<Response>")
    assert message.defects == ("content-length-short",)


def test_s10_repeated_cseq_in_a_dialog_is_accepted() -> None:
    _, dialog = subscription()
    notify = bare(b"NOTIFY")
    dialog.accept(notify)
    dialog.accept(notify)
    assert dialog.remote_cseq == 2


def test_s11_trailing_blanks_in_headers() -> None:
    request = bare(b"SUBSCRIBE", b"Event: Alarm \r\nExpires: 90 \r\n\r\n")
    assert request.headers.get("Event") == "Alarm"
    assert request.expires == 90


def test_s12_mansrtsp_start_line_with_scale_and_range_together() -> None:
    command = PlaybackCommand.parse(b"PLAY MANSRTSP/1.0\r\nCSeq: 3\r\nScale: 2.0\r\nRange: npt=100-\r\n\r\n")
    assert command == PlaybackCommand("PLAY", 3, 2.0, 100.0)
    assert PlaybackCommand("PLAY", 3, scale=2.0).to_bytes() == b"PLAY RTSP/1.0\r\nCSeq: 3\r\nScale: 2.0\r\n\r\n"


def test_s14_content_type_cut_off_after_the_slash() -> None:
    request = bare(b"NOTIFY", b"Content-Type: Application/\r\nContent-Length: 9\r\n\r\n<Notify/>")
    assert request.is_manscdp
    assert not request.is_sdp


def test_s16_header_expire() -> None:
    request = bare(b"SUBSCRIBE", b"Expire: 600\r\n\r\n")
    assert request.expires == 600
    assert b"\r\nExpires: 600\r\n" in request.to_bytes()
