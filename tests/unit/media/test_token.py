"""A token is believed only if this signer made it, unchanged and in time."""

from hypothesis import given
from hypothesis import strategies as st

from gongshi.media.embedded.token import Claims, TokenSigner, TokenVerifier

SIGNER = TokenSigner()
VERIFIER = TokenVerifier(SIGNER.public_key)
CLAIMS = Claims("session-1", "stream-1", 1000.0, 5000.0)


def test_a_genuine_token_gives_its_claims() -> None:
    assert VERIFIER.verify(SIGNER.sign(CLAIMS), 999.0) == CLAIMS
    unlimited = Claims("s", "t", 1000.0, None)
    assert VERIFIER.verify(SIGNER.sign(unlimited), 999.0) == unlimited


def test_an_expired_token_is_refused() -> None:
    assert VERIFIER.verify(SIGNER.sign(CLAIMS), 1000.1) is None
    assert VERIFIER.verify(SIGNER.sign(Claims("s", "t", 9000.0, 500.0)), 500.0) is None


def test_another_signers_token_is_refused() -> None:
    assert VERIFIER.verify(TokenSigner().sign(CLAIMS), 0.0) is None


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_changed_token_is_refused(place: int, change: int) -> None:
    token = SIGNER.sign(CLAIMS)
    at = place % len(token)
    changed = token[:at] + chr(ord(token[at]) ^ change) + token[at + 1 :]
    result = VERIFIER.verify(changed, 0.0)
    # The last character of a base64 part has spare bits: another spelling of the same bytes is no forgery.
    assert result is None or result == CLAIMS


@given(st.text(max_size=300))
def test_any_text_is_refused_without_an_exception(text: str) -> None:
    assert VERIFIER.verify(text, 0.0) is None


def test_signed_nonsense_is_refused() -> None:
    from gongshi.media.embedded.token import _encode

    for body in (b"[]", b"1", b"{}", b'{"s":1,"t":"t","e":9}', b'{"s":"s","t":"t","e":"9"}', b'{"s":"s"', b"\xff"):
        token = f"{_encode(body)}.{_encode(SIGNER._key.sign(body))}"
        assert VERIFIER.verify(token, 0.0) is None
