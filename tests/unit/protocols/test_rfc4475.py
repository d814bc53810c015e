"""Every torture message of RFC 4475, by its name there: our own bytes, the same trap, and what must come of it.

What a device is forgiven and what not is said in gongshi.protocols.sip.parser: forgiven is whatever has only one
meaning. "Taken" means parsed with the facts named; "refused" means RemoteProtocolError with the status to answer with,
which closes a stream and drops a datagram.
"""

import pytest

from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.sip import (
    Credentials,
    Endpoint,
    Flow,
    Request,
    RequestReceived,
    Response,
    StreamParser,
    parse_message,
)

FLOW = Flow("UDP", "192.0.2.9", 5060)


def lines(*text: str, body: str = "") -> bytes:
    return "\r\n".join([*text, "", body]).encode("utf-8", "surrogateescape")


def request(
    start: str = "OPTIONS sip:cam@example.org SIP/2.0",
    *more: str,
    via: str = "SIP/2.0/UDP host.example.org;branch=z9hG4bKkdjuw",
    sender: str = "<sip:caller@example.org>;tag=3",
    receiver: str = "<sip:cam@example.org>",
    cseq: str | None = None,
    call: str = "a.1@example.org",
    length: str | None = "0",
    body: str = "",
) -> bytes:
    method = start.split(maxsplit=1)[0]
    head = [
        start,
        f"Via: {via}",
        f"From: {sender}",
        f"To: {receiver}",
        f"Call-ID: {call}",
        f"CSeq: {cseq or f'1 {method}'}",
    ]
    head += [*more] + ([f"Content-Length: {length}"] if length is not None else [])
    return lines(*head, body=body)


def taken(data: bytes) -> Request:
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def refused(data: bytes, status: int = 400) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_message(data)
    assert caught.value.hint_status == status


def received(data: bytes) -> RequestReceived:
    events = Endpoint().receive(parse_message(data), FLOW, 0.0)
    assert len(events) == 1
    assert isinstance(events[0], RequestReceived)
    return events[0]


# --- 3.1.1 valid messages ---------------------------------------------------------------------------------------------


def test_wsinv_a_short_tortuous_invite() -> None:
    data = lines(
        "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0",
        "TO :",
        " sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n",
        'from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>',
        "  ;",
        "  tag = 98asjd8",
        "MaX-fOrWaRdS: 0068",
        "Call-ID: wsinv.ndaksdj@192.0.2.1",
        "Content-Length   : 150",
        "cseq: 0009",
        "  INVITE",
        "Via  : SIP  /   2.0",
        " /UDP",
        "    192.0.2.2;branch=390skdjuw",
        "s :",
        "NewFangledHeader:   newfangled value",
        " continued newfangled value",
        "UnknownHeaderWithUnusualValue: ;;,,;;,;",
        "Content-Type: application/sdp",
        "Route:",
        " <sip:services.example.com;lr;unknownwith=value;unknown-no-value>",
        "v:  SIP  / 2.0  / TCP     spindle.example.com   ;",
        "  branch  =   z9hG4bK9ikj8  ,",
        " SIP  /    2.0   / UDP  192.168.255.111   ; branch=",
        " z9hG4bK30239",
        'm:"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam =',
        "      newvalue ;",
        "  secondparam ; q = 0.33",
        body="v=0\r\n" + "x" * 145,
    )
    message = taken(data)
    assert message.cseq.number == 9
    assert message.cseq.method == "INVITE"
    assert message.to.tag == "1918181833n"
    assert message.from_.tag == "98asjd8"
    assert message.from_.uri.user == "jdrosen"
    assert message.via is not None
    assert (message.via.host, message.via.branch) == ("192.0.2.2", "390skdjuw")
    assert len(message.headers.all("Via")) == 2
    assert message.headers.get("Subject") == ""
    assert message.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert message.contact is not None
    assert message.contact.uri.user == "jdrosen"
    assert len(message.body) == 150


def test_intmeth_a_wide_range_of_valid_characters() -> None:
    method = "!interesting-Method0123456789_*+`.%indeed'~"
    data = request(
        f"{method} sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0",
        "extensionHeader-!.%*+_`'~: \ufeff大停電",
        via="SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~",
        sender="token1~` token2'+_ token3*%!.- <sip:mundane@example.com> ;fromParam''~+*_!.-%=\"работающий\";tag=_token~1'+`*%!-.",
        receiver='"BEL:\\\x07 NUL:\\n DEL:\\\x7f" <sip:1_unusual.URI~(to-be!sure)&isn\'t+it$/crazy?,/;;*@example.com>',
        cseq=f"139122385 {method}",
        call="intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
    )
    message = taken(data)
    assert message.method == method.upper()
    assert message.call_id.startswith("intmeth.word%ZK")
    assert message.from_.uri.user == "mundane"
    assert message.from_.tag == "_token~1'+`*%!-."
    assert message.to.uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert received(data).request.method == method.upper()


def test_esc01_valid_use_of_the_escape() -> None:
    message = taken(
        request(
            "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0",
            "Contact: <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>",
            receiver="sip:%75se%72@example.com",
            sender="<sip:I%20have%20spaces@example.net>;tag=938",
        )
    )
    assert message.uri == "sip:sips%3Auser%40example.com@example.net"
    assert message.target.host == "example.net"
    assert message.from_.tag == "938"
    # Escapes stay as they are: codes of devices are digits, and nothing is compared after unescaping.
    assert message.to.user == "%75se%72"


def test_escnull_escaped_nulls_in_uris() -> None:
    message = taken(
        request(
            "REGISTER sip:example.com SIP/2.0",
            "Contact: <sip:%00@host5.example.com>",
            "L:0",
            receiver="sip:null-%00-null@example.com",
            sender="sip:null-%00-null@example.com;tag=839923423",
            length=None,
        )
    )
    assert message.to.user == "null-%00-null"
    assert "\0" not in message.to.user


def test_esc02_percent_that_is_no_escape() -> None:
    data = request(
        "RE%47IST%45R sip:registrar.example.com SIP/2.0",
        "Contact: <sip:alias1@host1.example.com>",
        '"%Z%45" : x',
        cseq="29344 RE%47IST%45R",
        sender='"%Z%45" <sip:resource@example.com>;tag=f232jadfj23',
    )
    assert taken(data).method == "RE%47IST%45R", "not REGISTER"


def test_lwsdisp_no_blank_between_display_name_and_bracket() -> None:
    message = taken(request(sender="caller<sip:caller@example.com>;tag=323"))
    assert message.from_.uri.user == "caller"
    assert message.from_.tag == "323"


def test_longreq_long_values() -> None:
    long = "valuevalue" * 30
    message = taken(
        request(
            f"INVITE sip:user@{'example' * 20}.com SIP/2.0",
            f"Unknown-{'LongLong' * 20}: {'unknown-longvalue' * 20}",
            f"Contact: <sip:amazinglylongcallername@host5.example.net;{'param' * 20}={long}>",
            *(f"Via: SIP/2.0/TCP sip{n}.example.com" for n in range(33, 0, -1)),
            receiver=f'"I have a user name of {"extreme" * 40} proportion" <sip:user@example.com:6000;unknownparam1={long}>',
            sender=f"sip:{'amazinglylongcallername' * 20}@example.net;tag=12{'9824' * 60}424",
            call="longreq.one" + "really" * 20 + "longcallid",
        )
    )
    assert len(message.headers.all("Via")) == 34
    assert message.to.uri.user == "user"
    assert message.from_.user.startswith("amazinglylong")


def test_dblreq_a_second_message_in_the_datagram() -> None:
    first = request("REGISTER sip:example.com SIP/2.0", receiver="sip:j.user@example.com")
    second = request("INVITE sip:joe@example.com SIP/2.0", length="150", body="v=0\r\n")
    message = taken(first + second)
    assert message.method == "REGISTER"
    assert message.body == b""


def test_semiuri_semicolons_in_the_user_part() -> None:
    message = taken(request("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0"))
    assert message.uri == "sip:user;par=u%40example.net@example.com"
    assert message.target.host == "example.com"


def test_transports_varied_and_unknown() -> None:
    message = taken(
        request(
            "OPTIONS sip:user@example.com SIP/2.0",
            *(f"Via: SIP/2.0/{name} t.example.com;branch=z9hG4bK{name}" for name in ("SCTP", "TLS", "UNKNOWN", "TCP")),
        )
    )
    assert [value.split()[0] for value in message.headers.all("Via")][3] == "SIP/2.0/UNKNOWN"
    assert message.via is not None
    assert message.via.transport == "UDP"


def test_mpart01_multipart_message() -> None:
    body = "--7a9cbec02ceef655\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\nHello\r\n"
    body += "--7a9cbec02ceef655\r\nContent-Type: application/octet-stream\r\n\r\n0\x82\x01R\x06\t*\x86\r\n--7a9cbec02ceef655--"
    data = request(
        "MESSAGE sip:kumiko@example.org SIP/2.0",
        "Content-Type: multipart/mixed;boundary=7a9cbec02ceef655",
        length=str(len(body.encode())),
        body=body,
    )
    message = taken(data)
    assert message.content_type == "multipart/mixed"
    assert not message.is_manscdp
    assert message.body == body.encode()


def test_unreason_unusual_reason_phrase() -> None:
    message = parse_message(request("SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое", cseq="35 INVITE"))
    assert isinstance(message, Response)
    assert message.status == 200
    assert message.reason.startswith("= 2**3 * 5**2 но")


def test_noreason_empty_reason_phrase() -> None:
    for start in ("SIP/2.0 100 ", "SIP/2.0 100"):
        message = parse_message(request(start, cseq="35 INVITE"))
        assert isinstance(message, Response)
        assert (message.status, message.reason) == (100, "")


# --- 3.1.2 invalid messages -------------------------------------------------------------------------------------------


def test_badinv01_extraneous_separators() -> None:
    data = request(
        "INVITE sip:user@example.com SIP/2.0",
        'Contact: "Joe" <sip:joe@example.org>;;;;',
        via="SIP/2.0/UDP 192.0.2.15;;,;,,",
        receiver="sip:j.user@example.com",
        sender="sip:caller@example.net;tag=134161461246",
    )
    message = taken(data)
    # The emptiness between the separators names nothing: no hop and no party is made of it.
    assert message.via is not None
    assert (message.via.host, message.via.parameters) == ("192.0.2.15", {})
    assert message.contact is not None
    assert message.contact.uri.user == "joe"
    assert received(data).request.from_.tag == "134161461246"


def test_clerr_content_length_larger_than_message() -> None:
    data = request("INVITE sip:user@example.com SIP/2.0", length="9999", body="v=0\r\n")
    message = taken(data)
    assert "content-length-long" in message.defects, "S-09: a datagram ends where it ends"
    assert message.body == b"v=0\r\n"
    stream = StreamParser()
    assert stream.feed(data) == [], "on a stream the rest is waited for"


def test_ncl_negative_content_length() -> None:
    refused(request("INVITE sip:user@example.com SIP/2.0", length="-999", body="v=0\r\n"))


def test_scalar02_scalar_fields_too_large() -> None:
    refused(request("REGISTER sip:example.com SIP/2.0", cseq="36893488147419103232 REGISTER"))
    message = taken(
        request(
            "REGISTER sip:example.com SIP/2.0",
            "Max-Forwards: 300",
            "Expires: 10000000000000000000000000000000",
            "Contact: <sip:user@host129.example.com>;expires=280297596632815",
        )
    )
    assert message.expires == 2**32 - 1, "the most that the field holds (RFC 3261 §20.19)"


def test_scalarlg_response_with_large_scalars() -> None:
    refused(
        request(
            "SIP/2.0 503 Service Unavailable",
            "Retry-After: 949302838503028349304023988",
            cseq="9292394834772304023312 OPTIONS",
        )
    )


def test_quotbal_unterminated_quote_in_display_name() -> None:
    data = request(receiver='"Mr. J. User <sip:j.user@example.com>', sender="sip:caller@example.net;tag=93334")
    message = taken(data)
    with pytest.raises(RemoteProtocolError):
        _ = message.to


def test_ltgtruri_brackets_around_the_request_uri() -> None:
    assert taken(request("INVITE <sip:user@example.com> SIP/2.0")).uri == "sip:user@example.com", "meant is one thing"


def test_lwsruri_blanks_inside_of_the_request_uri() -> None:
    refused(request("INVITE sip:user@example.com; lr SIP/2.0"))


def test_lwsstart_several_blanks_in_the_request_line() -> None:
    assert taken(request("INVITE  sip:user@example.com  SIP/2.0")).uri == "sip:user@example.com"


def test_trws_blanks_at_the_end_of_the_request_line() -> None:
    message = taken(request("OPTIONS sip:remote-target@example.com SIP/2.0  "))
    assert message.uri == "sip:remote-target@example.com"


def test_escruri_escaped_headers_in_the_request_uri() -> None:
    message = taken(request("INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0"))
    assert message.headers.get("Route") is None, "never taken for headers"
    assert message.method == "INVITE"


def test_baddate_a_zone_that_sip_does_not_know() -> None:
    data = request("INVITE sip:user@example.com SIP/2.0", "Date: Fri, 01 Jan 2010 16:00:00 EST")
    assert taken(data).headers.get("Date") == "Fri, 01 Jan 2010 16:00:00 EST", "nothing is decided by it"


def test_regbadct_contact_without_brackets_with_headers() -> None:
    message = taken(
        request(
            "REGISTER sip:example.com SIP/2.0",
            "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E",
        )
    )
    contact = message.contact
    assert contact is not None
    assert (contact.uri.user, contact.uri.host) == ("user", "example.com"), "meant is one thing"
    assert contact.uri.headers, "and its headers are not ours"
    assert message.headers.get("Route") is None


def test_badaspec_blanks_inside_of_an_address() -> None:
    data = request(
        receiver='"Watson, Thomas" < sip:t.watson@example.org >',
        sender='"Bell, Alexander" <sip:a.g.bell@example.com>;tag=433423',
    )
    message = taken(data)
    assert message.from_.uri.user == "a.g.bell"
    assert message.to.uri.user == "t.watson"
    assert message.to.display == "Watson, Thomas"


def test_baddn_characters_that_need_quotes() -> None:
    message = taken(request(sender="Bell, Alexander <sip:a.g.bell@example.com>;tag=43"))
    assert message.from_.uri.user == "a.g.bell"
    assert message.from_.tag == "43"


def test_badvers_unknown_protocol_version() -> None:
    refused(request("OPTIONS sip:t.watson@example.org SIP/7.0"), 505)
    refused(request("OPTIONS sip:t.watson@example.org HTTP/1.1"))


def test_mismatch01_method_in_cseq_differs() -> None:
    refused(request("OPTIONS sip:user@example.com SIP/2.0", cseq="8 INVITE"))


def test_mismatch02_unknown_method_with_mismatch() -> None:
    refused(request("NEWMETHOD sip:user@example.com SIP/2.0", cseq="8 INVITE"))


def test_bigcode_overlarge_response_code() -> None:
    refused(request("SIP/2.0 4294967301 better not break the receiver", cseq="353494 INVITE"))


# --- 3.2 transaction layer --------------------------------------------------------------------------------------------


def test_badbranch_without_a_transaction_identifier() -> None:
    data = request(via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK")
    endpoint = Endpoint()
    assert len(endpoint.receive(parse_message(data), FLOW, 0.0)) == 1
    # Two requests of two devices are not one because both forgot it.
    other = data.replace(b"a.1@example.org", b"a.2@example.org")
    assert len(endpoint.receive(parse_message(other), FLOW, 0.0)) == 1
    assert endpoint.receive(parse_message(data), FLOW, 0.1) == []


# --- 3.3 application layer --------------------------------------------------------------------------------------------


def test_insuf_required_headers_are_missing() -> None:
    refused(
        lines(
            "INVITE sip:user@example.com SIP/2.0", "CSeq: 193942 INVITE", "Via: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKk"
        )
    )
    refused(lines("INVITE sip:user@example.com SIP/2.0", "From: <sip:a@b>;tag=1", "To: <sip:a@b>", "Call-ID: x"))


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("unkscm", "nobodyKnowsThisScheme:totallyopaquecontent"),
        ("novelsc", "soap.beep://192.0.2.103:3002"),
        ("unksm2", "sip:user@example.com"),
    ],
)
def test_unknown_schemes_are_text(name: str, uri: str) -> None:
    """unkscm, novelsc, unksm2: a scheme that nobody knows is no address of ours, and breaks nothing."""
    receiver = "isbn:2983792873" if name == "unksm2" else "<sip:user@example.com>"
    data = request(f"OPTIONS {uri} SIP/2.0", receiver=receiver)
    message = taken(data)
    assert message.uri == uri
    if name == "unksm2":
        with pytest.raises(RemoteProtocolError):
            _ = message.to
    else:
        with pytest.raises(RemoteProtocolError):
            _ = message.target
    assert received(data).request.uri == uri


def test_bext01_unknown_require_and_proxy_require() -> None:
    data = request(
        "OPTIONS sip:user@example.com SIP/2.0",
        "Require: nothingSupportsThis, nothingSupportsThisEither",
        "Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis",
    )
    assert received(data).request.headers.get("Require") == "nothingSupportsThis, nothingSupportsThisEither"


def test_invut_unknown_content_type() -> None:
    body = '<audio>\r\n <pcmu port="443"/>\r\n</audio>'
    message = taken(
        request(
            "INVITE sip:user@example.com SIP/2.0",
            "Content-Type: application/unknownformat",
            length=str(len(body)),
            body=body,
        )
    )
    assert not message.is_sdp
    assert not message.is_manscdp


def test_regaut01_unknown_authorization_scheme() -> None:
    message = taken(
        request(
            "REGISTER sip:example.com SIP/2.0",
            "Authorization: NoOneKnowsThisScheme opaque-data=here",
        )
    )
    with pytest.raises(RemoteProtocolError) as caught:
        Credentials.parse(message.headers.get("Authorization") or "")
    assert caught.value.hint_status == 401


@pytest.mark.parametrize(
    "again", ["CSeq: 59 OPTIONS", "Call-ID: b@x", "From: sip:b@x", "To: sip:b@x", "i: b@x", "f: sip:b@x"]
)
def test_multi01_values_in_fields_that_may_have_one(again: str) -> None:
    refused(request("OPTIONS sip:user@company.com SIP/2.0", again))


def test_multi01_several_max_forwards_are_harmless() -> None:
    message = taken(request("OPTIONS sip:user@company.com SIP/2.0", "Max-Forwards: 70", "Max-Forwards: 5"))
    assert message.headers.get("Max-Forwards") == "70"


def test_mcl01_several_content_lengths() -> None:
    refused(request("OPTIONS sip:user@example.com SIP/2.0", "Content-Length: 13", "l: 5", body="hello"))


def test_bcast_a_response_with_a_broadcast_via() -> None:
    data = request("SIP/2.0 200 OK", cseq="2 INVITE", via="SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23")
    endpoint = Endpoint()
    assert endpoint.receive(parse_message(data), FLOW, 0.0) == [], "an answer to nothing that was asked"
    assert endpoint.outgoing() == []


def test_zeromf_max_forwards_of_zero() -> None:
    assert received(request("OPTIONS sip:user@example.com SIP/2.0", "Max-Forwards: 0")).request.method == "OPTIONS"


@pytest.mark.parametrize(
    ("name", "contact", "host"),
    [
        ("cparam01", "sip:+19725552222@gw1.example.net;unknownparam", "gw1.example.net"),
        ("cparam02", "<sip:+19725552222@gw1.example.net;unknownparam>", "gw1.example.net"),
    ],
)
def test_contact_parameters(name: str, contact: str, host: str) -> None:
    """cparam01, cparam02: outside of brackets a parameter is the field's, inside the address's."""
    found = taken(request("REGISTER sip:example.com SIP/2.0", f"Contact: {contact}")).contact
    assert found is not None
    assert found.uri.host == host
    assert ("unknownparam" in found.uri.parameters) is (name == "cparam02")


def test_regescrt_escaped_headers_in_the_contact() -> None:
    found = taken(
        request("REGISTER sip:example.com SIP/2.0", "Contact: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>")
    ).contact
    assert found is not None
    assert (found.uri.user, found.uri.headers) == ("user", "Route=%3Csip:sip.example.com%3E")


def test_sdp01_accept_without_sdp() -> None:
    body = "v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\n"
    message = taken(
        request(
            "INVITE sip:user@example.com SIP/2.0",
            "Accept: text/nobodyKnowsThis",
            "Content-Type: application/sdp",
            length=str(len(body)),
            body=body,
        )
    )
    assert message.headers.get("Accept") == "text/nobodyKnowsThis"
    assert message.is_sdp


# --- 3.4 backward compatibility ---------------------------------------------------------------------------------------


def test_inv2543_an_invite_of_rfc_2543() -> None:
    data = request(
        "INVITE sip:UserB@example.com SIP/2.0",
        "Contact: <sip:UserA@host.example.com>",
        via="SIP/2.0/UDP iftgw.example.com",
        sender="<sip:+13035551111@ift.client.example.net;user=phone>",
        receiver="sip:+16505552222@ss1.example.net;user=phone",
    )
    event = received(data)
    assert event.request.from_.tag is None
    endpoint = Endpoint()
    assert len(endpoint.receive(parse_message(data), FLOW, 0.0)) == 1
    assert endpoint.receive(parse_message(data), FLOW, 0.1) == [], "told apart without a branch"
