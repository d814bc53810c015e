"""The signalling digest (GB/T 28181-2016 §8.3 and annex H; gb28181.md §4.6)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.sip import Request, Uri, new_request, parse_message
from gongshi.protocols.sip.digest import digest_bytes
from gongshi.protocols.sip.note import NoteState, check, sign

NOW = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
OWN, PEER = Uri.of("34150000002000000001", "3415000000"), Uri.of("34150200002000000001", "3415020000")


def signed(algorithm: str = "SM3", *, bare: bool = False, body: bytes = b"<Query/>") -> Request:
    request = new_request("MESSAGE", PEER, OWN, PEER, body=body)
    request.headers.add_first("Via", "SIP/2.0/UDP 10.1.1.10;branch=z9hG4bKx")
    sign(request, "secret", NOW, algorithm, bare=bare)
    read = parse_message(request.to_bytes())
    assert isinstance(read, Request)
    return read


def test_sm3_of_abc_is_the_standards_vector() -> None:
    expected = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert digest_bytes("sm3", b"abc").hex() == expected
    with pytest.raises(RemoteProtocolError):
        digest_bytes("MD4", b"")


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-1", "SHA-256", "SM3"])
def test_signed_and_checked(algorithm: str, bare: bool) -> None:
    request = signed(algorithm, bare=bare)
    assert check(request, "secret", NOW, bare=bare) is NoteState.GOOD
    assert check(request, "other", NOW, bare=bare) is NoteState.WRONG
    assert check(request, "secret", NOW, bare=not bare) is NoteState.WRONG


def test_the_window_is_ten_minutes_both_ways() -> None:
    request = signed()
    for minutes, state in ((-11, "stale"), (-10, "good"), (10, "good"), (11, "stale")):
        assert check(request, "secret", NOW + timedelta(minutes=minutes)).value == state


def test_missing_parts() -> None:
    request = signed()
    request.headers.remove("Date")
    assert check(request, "secret", NOW) is NoteState.STALE
    request = signed()
    request.headers.remove("Note")
    assert check(request, "secret", NOW) is NoteState.MISSING
    request.headers.set("Note", 'Digest nonce="%%%", algorithm=SM3')
    assert check(request, "secret", NOW) is NoteState.WRONG
    request.headers.set("Note", 'Digest nonce="AAAA", algorithm=ROT13')
    assert check(request, "secret", NOW) is NoteState.WRONG


@given(st.sampled_from(["From", "To", "Call-ID", "body"]), st.text("abc", min_size=1, max_size=3))
def test_any_change_of_what_is_signed_is_found(what: str, change: str) -> None:
    """A message whose From, To, Call-ID or body changed on the way is wrong."""
    request = signed()
    if what == "body":
        request.body += change.encode()
    else:
        request.headers.set(what, (request.headers.get(what) or "") + change)
    assert check(request, "secret", NOW) is NoteState.WRONG


@given(st.text(max_size=60))
def test_any_note_is_judged(text: str) -> None:
    """Any Note header is judged, never raised for."""
    request = signed()
    request.headers.set("Note", text)
    assert check(request, "secret", NOW) in {NoteState.WRONG, NoteState.GOOD}


def test_register_is_not_signed() -> None:
    with pytest.raises(LocalProtocolError):
        sign(new_request("REGISTER", PEER, OWN, OWN), "secret", NOW)
