"""The short way of REGISTER and keepalive must say what the long way says, or decline."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.manscdp import CatalogItem, CatalogResponse, Keepalive, fast_keepalive
from gongshi.protocols.sip import (
    MANSCDP,
    Challenge,
    Credentials,
    Flow,
    Request,
    Response,
    Uri,
    answer_challenge,
    ha1,
    new_request,
    parse_message,
)
from gongshi.signalling.asks import Ask, ask_of
from gongshi.signalling.fast import Plain, Proof, read_message, read_proof, read_register

CODE = "34150200002000000001"
NODE = "34150000002000000001"
HOST, PORT = "10.0.0.9", 6061
FLOW = Flow("UDP", HOST, PORT)
OWN, SERVER = Uri.of(CODE, "3415020000"), Uri.of(NODE, "3415000000")
VIA = "SIP/2.0/UDP 10.5.2.31:5060;rport;branch=z9hG4bK71c2a0"


def message() -> bytes:
    request = new_request("MESSAGE", SERVER, OWN, SERVER, body=Keepalive(CODE, 43).build(), content_type=MANSCDP)
    request.headers.add_first("Via", VIA)
    return request.to_bytes()


def read_keepalive(data: bytes) -> Plain | None:
    note = read_message(data)
    return note.plain if note is not None and note.catalogue is None else None


def register() -> bytes:
    headers = (
        ("Expires", "7200"),
        ("User-Agent", "Device 1.0"),
        ("X-GB-Ver", "3.0"),
        ("Authorization", 'Digest username="x",nonce="y",response="z"'),
    )
    contact = Uri.of(CODE, "10.5.2.31", 5060)
    request = new_request("REGISTER", SERVER, OWN, OWN, contact=contact, headers=headers)
    request.headers.add_first("Via", VIA)
    return request.to_bytes()


KEEPALIVE, REGISTER = message(), register()


def long_way(data: bytes) -> Request:
    parsed = parse_message(data)
    assert isinstance(parsed, Request)
    return parsed


def same_answer(quick: bytes, slow: bytes) -> None:
    one, two = parse_message(quick), parse_message(slow)
    assert isinstance(one, Response)
    assert isinstance(two, Response)
    assert (one.status, one.reason) == (two.status, two.reason)
    assert one.via == two.via
    assert one.to.uri == two.to.uri
    assert one.to.tag
    for name in ("From", "Call-ID", "CSeq", "Contact", "Expires", "Date", "X-GB-Ver", "WWW-Authenticate"):
        assert one.headers.get(name) == two.headers.get(name), name


def facts(ask: Ask) -> tuple[object, ...]:
    return (
        ask.code,
        ask.sender,
        ask.authorization,
        ask.expires,
        ask.contact_uri,
        ask.call_id,
        ask.version,
        ask.user_agent,
    )


def test_an_ordinary_keepalive_is_answered_the_same() -> None:
    plain = read_keepalive(KEEPALIVE)
    assert plain is not None
    assert plain.code == CODE
    request = long_way(KEEPALIVE)
    request.stamp_source(HOST, PORT)
    same_answer(plain.answer(200, "", HOST, PORT), Response.to_request(request, 200).to_bytes())


def test_an_ordinary_register_asks_the_same() -> None:
    quick, slow = read_register(REGISTER, HOST, PORT), ask_of(long_way(REGISTER), FLOW)
    assert quick is not None
    assert facts(quick) == facts(slow)
    assert quick.expires == 7200
    more = f"Contact: {quick.contact_uri};expires=7200\r\nDate: 2026-03-01T08:00:00.123\r\n"
    same_answer(quick.answer(200, more), slow.answer(200, more))


def test_the_answer_repeats_its_tag() -> None:
    plain = read_keepalive(KEEPALIVE)
    assert plain is not None
    assert plain.answer(200, "", HOST, PORT) == plain.answer(200, "", HOST, PORT)


def test_headers_may_stand_in_any_order() -> None:
    for data in (KEEPALIVE, REGISTER):
        head, _, body = data.partition(b"\r\n\r\n")
        start, *lines = head.split(b"\r\n")
        turned = b"\r\n".join([start, *reversed(lines), b"", body])
        assert (read_keepalive(turned) or read_register(turned, HOST, PORT)) is not None


def test_what_is_out_of_the_ordinary_goes_the_long_way() -> None:
    data = KEEPALIVE
    odd = [
        data.replace(b"\r\n", b"\n"),
        data.replace(b"Via:", b"v:"),
        data.replace(b"Via:", b"via:"),
        data.replace(b"Via:", b"Via :", 1),
        data.replace(b"From:", b"f :"),
        data.replace(b"Call-ID:", b"CALL-ID:"),
        data.replace(b"Max-Forwards", b" folded\r\nMax-Forwards"),
        data.replace(b"Max-Forwards", b"Record-Route: <sip:x>\r\nMax-Forwards"),
        data.replace(b"From: ", b"From: <sip:34150200002000000009@x>\r\nFrom: "),
        data.replace(b";rport", b";rport=1"),
        data.replace(b";rport", b";received=1.2.3.4"),
        data.replace(b";rport", b",SIP/2.0/UDP x"),
        data.replace(b"MESSAGE sip", b"message sip"),
        data.replace(b"Content-Length: 1", b"Content-Length: 9"),
        data + b"more",
        data.replace(b"z9hG4bK", b"z9hG4bK\0"),
        data[:-20],
        b"MESSAGE ",
        b"",
    ]
    for changed in odd:
        assert changed != data
        assert read_keepalive(changed) is None, changed
    for changed in (data.replace(b"Keepalive", b"Keepalivf"), data.replace(b"<Status>", b"<Info>x</Info><Status>")):
        resized = changed.replace(
            b"Content-Length: 168", b"Content-Length: %d" % len(changed.partition(b"\r\n\r\n")[2])
        )
        assert read_keepalive(resized) is None
    for changed in (
        REGISTER.replace(b"Contact: <", b"Contact: <sip:x@y>, <"),
        REGISTER.replace(b"Contact: ", b"Contact: *"),
        REGISTER.replace(b"Expires: 7200", b"Expires: soon"),
        REGISTER.replace(b"Expires: 7200", b"Expires: 7200\r\nExpires: 7200"),
        REGISTER.replace(b"Content-Length: 0\r\n", b""),
        REGISTER + b"more",
    ):
        assert changed != REGISTER
        assert read_register(changed, HOST, PORT) is None


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_declined(data: bytes) -> None:
    """Invariant: any input is read or gives None, never an exception."""
    for candidate in (data, b"MESSAGE " + data, KEEPALIVE + data, data + KEEPALIVE, REGISTER + data):
        read_keepalive(candidate)
        read_register(candidate, HOST, PORT)


@given(st.sampled_from([KEEPALIVE, REGISTER]), st.integers(0, 900), st.integers(0, 12), st.binary(max_size=6))
def test_damage_never_makes_the_short_way_say_something_else(data: bytes, at: int, length: int, patch: bytes) -> None:
    """Invariant: whenever the short way answers, the long way reads the same and answers the same."""
    at %= len(data)
    changed = data[:at] + patch + data[at + length :]
    quick, plain = read_register(changed, HOST, PORT), read_keepalive(changed)
    if quick is None and plain is None:
        return
    request = long_way(changed)
    if quick is not None:
        assert request.method == "REGISTER"
        slow = ask_of(request, FLOW)
        assert facts(quick) == facts(slow)
        same_answer(quick.answer(401, ""), slow.answer(401, ""))
    elif plain is not None:
        assert request.method == "MESSAGE"
        assert request.from_.user == plain.code
        assert fast_keepalive(request.body) is not None
        request.stamp_source(HOST, PORT)
        same_answer(plain.answer(200, "", HOST, PORT), Response.to_request(request, 200).to_bytes())


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=60), st.integers(0, 10))
def test_odd_values_never_make_the_short_way_say_something_else(value: str, which: int) -> None:
    """Invariant: with any printable value in any header the two ways agree, or the short one declines."""
    lines = REGISTER.split(b"\r\n")
    at = 1 + which % (len(lines) - 3)
    name = lines[at].partition(b":")[0]
    lines[at] = name + b": " + value.encode()
    changed = b"\r\n".join(lines)
    quick = read_register(changed, HOST, PORT)
    if quick is None:
        return
    try:
        slow = ask_of(long_way(changed), FLOW)
    except RemoteProtocolError as error:
        raise AssertionError(f"the long way refuses what the short way takes: {name!r}: {value!r}") from error
    assert facts(quick) == facts(slow)
    same_answer(quick.answer(403, ""), slow.answer(403, ""))


# --- proofs -----------------------------------------------------------------------------------------------------------

SECRET = ha1(CODE, "3415000000", "Camera#2024")
GIVEN = answer_challenge(Challenge("3415000000", "f0a1"), CODE, "Camera#2024", "REGISTER", f"sip:{NODE}@3415000000")


def agree(text: str) -> None:
    quick = read_proof(text)
    if quick is None:
        return
    slow = Credentials.parse(text)
    assert (quick.username, quick.nonce, quick.uri, quick.algorithm) == (
        slow.username,
        slow.nonce,
        slow.uri,
        slow.algorithm,
    )
    assert quick.verify("REGISTER", SECRET) == slow.verify("REGISTER", SECRET)


def test_the_proofs_of_every_sane_device_are_read_quickly() -> None:
    full = GIVEN.header()
    assert isinstance(read_proof(full), Proof)
    # As the libraries inside of devices write it.
    osip = full.replace(",qop=auth", "").replace('",', '", ') + ", qop=auth"
    without = answer_challenge(Challenge("r", "f0", qop=False), CODE, "Camera#2024", "REGISTER", "sip:x").header()
    for text in (full, osip, without.replace(",algorithm=MD5", "")):
        assert read_proof(text) is not None, text
        agree(text)
    good = read_proof(full)
    assert good is not None
    assert good.verify("REGISTER", SECRET)
    assert not good.verify("REGISTER", ha1(CODE, "3415000000", "wrong"))


def test_a_proof_out_of_the_ordinary_goes_the_long_way() -> None:
    full = GIVEN.header()
    for text in (
        full.replace("MD5", "SM3"),
        full.replace("auth", "auth-int"),
        full.replace('realm="', 'realm="a, '),
        full.replace(",nc=", ',nc=1,nc="'),
        full + ',response="0"',
        full.replace('username="', 'username="\\"'),
        full.replace("Digest ", "Basic "),
        full.replace(CODE, ""),
    ):
        assert text != full
        assert read_proof(text) is None, text


@given(st.integers(0, 300), st.integers(0, 10), st.text(max_size=6))
def test_damage_never_makes_two_proofs_of_one(at: int, length: int, patch: str) -> None:
    """Invariant: whenever the short way reads a proof, the long way reads the same and judges the same."""
    full = GIVEN.header()
    at %= len(full)
    agree(full[:at] + patch + full[at + length :])


@given(st.permutations(GIVEN.header().removeprefix("Digest ").split(",")), st.integers(0, 9))
def test_order_and_repetition_change_nothing(parts: list[str], again: int) -> None:
    """Invariant: in any order and with any parameter twice, both ways agree or the short one declines."""
    agree("Digest " + ",".join(parts))
    agree("Digest " + ",".join([*parts, parts[again % len(parts)]]))
    agree(GIVEN.header() + "," + parts[again % len(parts)])


# --- catalogues -------------------------------------------------------------------------------------------------------


def catalogue() -> bytes:
    body = CatalogResponse(CODE, 7, 2, [CatalogItem("34150200001310000001", "东门", {"Model": "M"})]).build()
    request = new_request("MESSAGE", SERVER, OWN, SERVER, body=body, content_type=MANSCDP)
    request.headers.add_first("Via", VIA)
    return request.to_bytes()


CATALOGUE = catalogue()


def test_a_piece_of_a_catalogue_is_known_by_its_first_words() -> None:
    note = read_message(CATALOGUE)
    assert note is not None
    assert note.catalogue == long_way(CATALOGUE).body
    for changed in (
        CATALOGUE.replace(b"Catalog<", b"Alarm<"),
        CATALOGUE.replace(b"MANSCDP", b"SDP"),
        CATALOGUE.replace(b"Content-Type", b"Content-Kind"),
        CATALOGUE[:-1],
    ):
        assert changed != CATALOGUE
        resized = re.sub(
            rb"Content-Length: \d+", b"Content-Length: %d" % len(changed.partition(b"\r\n\r\n")[2]), changed
        )
        assert read_message(resized if len(changed) == len(CATALOGUE) else changed) is None


@given(st.integers(0, 700), st.integers(0, 12), st.binary(max_size=6))
def test_damaged_catalogues_have_the_same_body_both_ways(at: int, length: int, patch: bytes) -> None:
    """Invariant: whenever the short way takes a catalogue, the long way finds the same sender and the same body."""
    at %= len(CATALOGUE)
    changed = CATALOGUE[:at] + patch + CATALOGUE[at + length :]
    note = read_message(changed)
    if note is not None and note.catalogue is not None:
        request = long_way(changed)
        assert (request.method, request.from_.user, request.body) == ("MESSAGE", note.plain.code, note.catalogue)
        assert request.is_manscdp
        request.stamp_source(HOST, PORT)
        same_answer(note.plain.answer(200, "", HOST, PORT), Response.to_request(request, 200).to_bytes())
