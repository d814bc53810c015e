"""Digest authentication of REGISTER (RFC 2617, RFC 8760; gb28181.md §4.2) and nonces that need no memory.

MD5 is what the field speaks; SHA-256 and SM3 are offered per peer. `uri` is used as the peer wrote it, never rebuilt.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from cryptography.hazmat.primitives import hashes

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.sip.fields import parse_auth
from gongshi.protocols.sip.uri import quote


def _sm3(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


_DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
    "SHA-1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "SHA-256": lambda data: hashlib.sha256(data).digest(),
    "SM3": _sm3,
}
ALGORITHMS = ("MD5", "SHA-256", "SM3")
"""For REGISTER; the signalling digest also knows SHA-1 (§8.3 of 2016)."""


def digest_bytes(algorithm: str, data: bytes) -> bytes:
    """The digest of an algorithm by its token in any case. Raises RemoteProtocolError for an unknown one."""
    try:
        return _DIGESTS[algorithm.upper()](data)
    except KeyError:
        raise RemoteProtocolError("the digest algorithm is not supported") from None


def _hash(algorithm: str) -> Callable[[bytes], str]:
    name = algorithm.upper()
    if name not in ALGORITHMS:
        raise RemoteProtocolError("the digest algorithm is not supported")
    return lambda data: _DIGESTS[name](data).hex()


def ha1(username: str, realm: str, password: str, algorithm: str = "MD5") -> str:
    """H(username:realm:password): all a registrar needs to keep."""
    return _hash(algorithm)(f"{username}:{realm}:{password}".encode())


def digest_response(
    ha1_hex: str,
    method: str,
    uri: str,
    nonce: str,
    *,
    algorithm: str = "MD5",
    qop: str | None = None,
    nc: str = "",
    cnonce: str = "",
) -> str:
    """The `response` value, without qop (RFC 2069 form) or with qop=auth."""
    h = _hash(algorithm)
    ha2 = h(f"{method}:{uri}".encode("utf-8", "surrogateescape"))
    middle = f"{nonce}:{nc}:{cnonce}:{qop}" if qop else nonce
    return h(f"{ha1_hex}:{middle}:{ha2}".encode("utf-8", "surrogateescape"))


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a 401 asks for."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: bool = True
    """Offer qop=auth. Dahua wants algorithm named and follows RFC 2617 strictly (Q-05), so both are on by default."""
    stale: bool = False
    opaque: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Challenge":
        """Read WWW-Authenticate. A missing algorithm means MD5 (S-04); other schemes raise RemoteProtocolError."""
        scheme, values = parse_auth(text)
        if scheme != "digest" or not values.get("nonce"):
            raise RemoteProtocolError("not a digest challenge")
        offered = {q.strip().lower() for q in values.get("qop", "").split(",")}
        algorithm = values.get("algorithm", "").upper() or "MD5"
        _hash(algorithm)
        stale = values.get("stale", "").lower() == "true"
        return cls(values.get("realm", ""), values["nonce"], algorithm, "auth" in offered, stale, values.get("opaque"))

    def header(self) -> str:
        """The value of WWW-Authenticate."""
        parts = [f"realm={quote(self.realm)}", f"nonce={quote(self.nonce)}"]
        if self.qop:
            parts.append('qop="auth"')
        parts.append(f"algorithm={self.algorithm}")
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        if self.stale:
            parts.append("stale=true")
        return "Digest " + ",".join(parts)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an Authorization header proves."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = "MD5"
    qop: str | None = None
    nc: str = ""
    cnonce: str = ""
    opaque: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Credentials":
        """Read Authorization. Raises RemoteProtocolError when it is not a complete digest answer."""
        scheme, values = parse_auth(text)
        if scheme != "digest":
            raise RemoteProtocolError("not digest credentials", 401)
        missing = [name for name in ("username", "nonce", "response") if not values.get(name)]
        if missing:
            raise RemoteProtocolError(f"digest credentials lack {', '.join(missing)}")
        algorithm = values.get("algorithm", "").upper() or "MD5"
        _hash(algorithm)
        qop = values.get("qop", "").lower() or None
        if qop not in {None, "auth"}:
            raise RemoteProtocolError("qop is not auth")
        return cls(
            values["username"],
            values.get("realm", ""),
            values["nonce"],
            values.get("uri", ""),
            values["response"].lower(),
            algorithm,
            qop,
            values.get("nc", ""),
            values.get("cnonce", ""),
            values.get("opaque"),
        )

    def header(self) -> str:
        """The value of Authorization."""
        parts = [
            f"username={quote(self.username)}",
            f"realm={quote(self.realm)}",
            f"nonce={quote(self.nonce)}",
            f"uri={quote(self.uri)}",
            f'response="{self.response}"',
            f"algorithm={self.algorithm}",
        ]
        if self.qop:
            parts += [f"qop={self.qop}", f"nc={self.nc}", f"cnonce={quote(self.cnonce)}"]
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        return "Digest " + ",".join(parts)

    def verify(self, method: str, ha1_hex: str) -> bool:
        """Does the response prove knowledge of `ha1_hex`? The caller checks nonce, realm and username itself."""
        expected = digest_response(
            ha1_hex,
            method,
            self.uri,
            self.nonce,
            algorithm=self.algorithm,
            qop=self.qop,
            nc=self.nc,
            cnonce=self.cnonce,
        )
        return hmac.compare_digest(expected.encode(), self.response.encode("utf-8", "surrogateescape"))


def answer_challenge(
    challenge: Challenge, username: str, password: str, method: str, uri: str, *, nc: int = 1, cnonce: str | None = None
) -> Credentials:
    """Credentials for a challenge, in the form that it asks for."""
    if not 1 <= nc < 2**32:
        raise LocalProtocolError("nc is an eight-digit hexadecimal count from 1")
    secret = ha1(username, challenge.realm, password, challenge.algorithm)
    qop = "auth" if challenge.qop else None
    count = f"{nc:08x}" if qop else ""
    cnonce = (cnonce or secrets.token_hex(8)) if qop else ""
    response = digest_response(
        secret, method, uri, challenge.nonce, algorithm=challenge.algorithm, qop=qop, nc=count, cnonce=cnonce
    )
    return Credentials(
        username,
        challenge.realm,
        challenge.nonce,
        uri,
        response,
        challenge.algorithm,
        qop,
        count,
        cnonce,
        challenge.opaque,
    )


class NonceState(Enum):
    """What a presented nonce is worth."""

    GOOD = "good"
    STALE = "stale"
    """Ours, but too old or used before: challenge again with stale=true."""
    FOREIGN = "foreign"
    """Not ours, or issued to another source."""


class NonceIssuer:
    """Nonces made of time, counter and a keyed MAC over both and the source; only used ones are remembered.

    Each is good once, for `lifetime` seconds, from the source it was issued to. A flood of challenges costs no memory;
    memory grows only with nonces that came back, and two generations bound that too.
    """

    def __init__(self, key: bytes | None = None, lifetime: float = 300.0) -> None:
        self._keyed = hashlib.blake2b(key=key or secrets.token_bytes(32), digest_size=16)
        self._lifetime = lifetime
        self._counter = secrets.randbits(32)
        self._now = float("-inf")
        self._stamp = ""
        self._used: set[int] = set()
        self._used_before: set[int] = set()
        self._generation = 0

    def _mac(self, prefix: str, source: str) -> str:
        mac = self._keyed.copy()
        mac.update(f"{prefix}|{source}".encode())
        return mac.hexdigest()

    def issue(self, source: str, now: float) -> str:
        """A nonce for a source (its address as text). `now` is seconds of any clock that does not run backwards."""
        if now != self._now:
            self._now, self._stamp = now, f"{int(now * 1000) & 0xFFFFFFFFFFFF:012x}"
        self._counter = count = (self._counter + 1) & 0xFFFFFFFFFFFF
        prefix = f"{self._stamp}{count:012x}"
        mac = self._keyed.copy()
        mac.update(f"{prefix}|{source}".encode())
        return prefix + mac.hexdigest()

    def spend(self, nonce: str, source: str, now: float) -> NonceState:
        """Judge a nonce and, when it is good, use it up."""
        prefix, mac = nonce[:24], nonce[24:]
        if len(nonce) != 56 or not nonce.isascii() or not hmac.compare_digest(mac, self._mac(prefix, source)):
            return NonceState.FOREIGN
        age = now - int(prefix[:12], 16) / 1000
        if not -1.0 <= age <= self._lifetime:
            return NonceState.STALE
        generation = int(now // self._lifetime)
        if generation > self._generation:
            self._used_before = self._used if generation == self._generation + 1 else set()
            self._used, self._generation = set(), generation
        # The counter alone tells nonces of one key apart.
        count = int(prefix[12:], 16)
        if count in self._used or count in self._used_before:
            return NonceState.STALE
        self._used.add(count)
        return NonceState.GOOD
