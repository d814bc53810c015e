"""Media tokens: a signed note that names one session and one stream (design.md §6, "Admission and leases").

The agent signs, workers hold only the public key. A token opens nothing by itself: the worker must hold the admitted
session too. Never logged.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MAX_TOKEN = 1024
"""Characters; ours are about 300."""


@dataclass(frozen=True, slots=True)
class Claims:
    """`expires` is the last moment to open a connection, `not_after` the end of the right; UTC seconds since 1970."""

    session: str
    stream: str
    expires: float
    not_after: float | None


class TokenSigner:
    """Signs with a key of its own, or one that is given so that several agents can share workers."""

    def __init__(self, key: Ed25519PrivateKey | None = None) -> None:
        self._key = key or Ed25519PrivateKey.generate()

    @property
    def public_key(self) -> bytes:
        """The 32 raw bytes that the workers get."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, claims: Claims) -> str:
        body: dict[str, object] = {"s": claims.session, "t": claims.stream, "e": round(claims.expires, 3)}
        if claims.not_after is not None:
            body["n"] = round(claims.not_after, 3)
        payload = json.dumps(body, separators=(",", ":")).encode()
        return f"{_encode(payload)}.{_encode(self._key.sign(payload))}"


class TokenVerifier:
    def __init__(self, public_key: bytes) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(public_key)

    def verify(self, token: str, now: float) -> Claims | None:
        """The claims of a token that is genuine and in time; None for everything else, without saying why."""
        if len(token) > MAX_TOKEN:
            return None
        head, _, tail = token.partition(".")
        try:
            payload = _decode(head)
            self._key.verify(_decode(tail), payload)
            body = cast(dict[str, object], json.loads(payload))
            session, stream, expires, not_after = body["s"], body["t"], body["e"], body.get("n")
        except (binascii.Error, ValueError, InvalidSignature, KeyError, TypeError, AttributeError):
            return None
        if not isinstance(session, str) or not isinstance(stream, str) or not isinstance(expires, int | float):
            return None
        if not isinstance(not_after, int | float | None):
            return None
        if now > expires or (not_after is not None and now >= not_after):
            return None
        return Claims(session, stream, float(expires), None if not_after is None else float(not_after))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
