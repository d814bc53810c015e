"""Digest authentication and nonces (gb28181.md §4.2)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.errors import ProtocolError, RemoteProtocolError
from gongshi.protocols.sip import (
    Challenge,
    Credentials,
    NonceIssuer,
    NonceState,
    answer_challenge,
    digest_response,
    fields,
    ha1,
)

USER, REALM, PASSWORD = "34150000001320000001", "3415000000", "Camera#2024"
URI = "sip:34150000002000000001@3415000000"
NONCE = "f0a1b2c3d4e5f60718293a4b5c6d7e8f"


def test_vector_md5_without_qop() -> None:
    response = digest_response(ha1(USER, REALM, PASSWORD), "REGISTER", URI, NONCE)
    assert response == "e5615d0d0dcfe4dc267a31291563498c"


def test_vector_md5_with_qop() -> None:
    secret = ha1(USER, REALM, PASSWORD)
    response = digest_response(secret, "REGISTER", URI, NONCE, qop="auth", nc="00000001", cnonce="0a4f113b")
    assert response == "6866bf9fd9c2e7eb15b5b2c2bc90d2ce"


def test_vector_sm3() -> None:
    response = digest_response(ha1(USER, REALM, PASSWORD, "SM3"), "REGISTER", URI, NONCE, algorithm="SM3")
    assert response == "2596d9786884bedf5a1c9dfd2c1680520ac98ab6d2db91a41760f8f62ec7332e"


def test_rfc_7616_example_sha256() -> None:
    secret = ha1("Mufasa", "http-auth@example.org", "Circle of Life", "SHA-256")
    response = digest_response(
        secret,
        "GET",
        "/dir/index.html",
        "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        algorithm="SHA-256",
        qop="auth",
        nc="00000001",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert response == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SM3"])
@pytest.mark.parametrize("qop", [True, False])
def test_challenge_and_answer_over_the_wire(algorithm: str, qop: bool) -> None:
    challenge = Challenge.parse(Challenge(REALM, NONCE, algorithm, qop, opaque="o").header())
    credentials = Credentials.parse(answer_challenge(challenge, USER, PASSWORD, "REGISTER", URI).header())
    secret = ha1(USER, REALM, PASSWORD, algorithm)
    assert credentials.verify("REGISTER", secret)
    assert not credentials.verify("INVITE", secret)
    assert not credentials.verify("REGISTER", ha1(USER, REALM, "wrong", algorithm))
    assert not replace(credentials, uri="sip:other@3415000000").verify("REGISTER", secret)


def test_uri_is_used_as_the_peer_wrote_it() -> None:
    header = (
        f'Digest username={USER}, realm="{REALM}", nonce="{NONCE}", uri=sip:x@10.0.0.1:5060, '
        f'response="{digest_response(ha1(USER, REALM, PASSWORD), "REGISTER", "sip:x@10.0.0.1:5060", NONCE).upper()}", '
        "algorithm=md5"
    )
    assert Credentials.parse(header).verify("REGISTER", ha1(USER, REALM, PASSWORD))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Digest",
        "Basic abc",
        'Digest username="a"',
        'Digest username="a", nonce="b", response="c", algorithm=FOO',
        'Digest username="a", nonce="b", response="c", qop=auth-int',
    ],
)
def test_incomplete_credentials(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        Credentials.parse(text)


@given(st.text(max_size=200))
def test_any_header_parses_or_raises_protocol_error(text: str) -> None:
    """Any input parses or raises ProtocolError, never anything else."""
    for parse in (Credentials.parse, Challenge.parse):
        for value in (text, f"Digest {text}", f'Digest username="a",nonce="b",response="c",{text}'):
            try:
                parsed = parse(value)
            except ProtocolError:
                continue
            if isinstance(parsed, Credentials):
                assert not parsed.verify("REGISTER", "0" * 32)


def test_a_nonce_is_good_once_from_its_source_for_its_time() -> None:
    issuer = NonceIssuer(lifetime=300)
    nonce = issuer.issue("10.0.0.1", 1000.0)
    assert issuer.spend(nonce, "10.0.0.2", 1001.0) is NonceState.FOREIGN
    assert issuer.spend(nonce, "10.0.0.1", 1001.0) is NonceState.GOOD
    assert issuer.spend(nonce, "10.0.0.1", 1002.0) is NonceState.STALE
    late = issuer.issue("10.0.0.1", 1000.0)
    assert issuer.spend(late, "10.0.0.1", 1300.1) is NonceState.STALE
    assert issuer.spend(late, "10.0.0.1", 1300.1 + 10_000) is NonceState.STALE


def test_a_spent_nonce_stays_spent_over_the_turn_of_generations() -> None:
    issuer = NonceIssuer(lifetime=300)
    nonce = issuer.issue("s", 299.0)
    assert issuer.spend(nonce, "s", 299.5) is NonceState.GOOD
    assert issuer.spend(issuer.issue("s", 310.0), "s", 311.0) is NonceState.GOOD
    assert issuer.spend(nonce, "s", 312.0) is NonceState.STALE


def test_a_forged_nonce_is_foreign() -> None:
    issuer = NonceIssuer()
    good = issuer.issue("s", 5.0)
    for bad in (
        "",
        "0" * 56,
        good[:-1],
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        "f" + good[1:],
        "密" * 56,
        NONCE,
    ):
        assert issuer.spend(bad, "s", 6.0) is NonceState.FOREIGN
    assert NonceIssuer().spend(good, "s", 6.0) is NonceState.FOREIGN


@given(st.text(max_size=60))
def test_any_nonce_text_is_judged(text: str) -> None:
    """Any text is judged without an exception, and never good."""
    assert NonceIssuer().spend(text, "s", 0.0) is NonceState.FOREIGN


@given(st.text(alphabet='abc=",\\ <>;\t', max_size=40))
def test_plain_credentials_are_read_like_all_others(text: str) -> None:
    """Invariant: the short way reads what the long way reads, or declines."""
    quick = fields._plain_parameters(text)
    assert quick is None or quick == fields._parameters(text)
