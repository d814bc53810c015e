"""Structured header fields: Via, CSeq, Subject, credentials parameters."""

import re
from dataclasses import dataclass, field, replace

from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.sip.uri import format_parameters, parse_parameters, split_outside_quotes, unquote

BRANCH_COOKIE = "z9hG4bK"

_VIA = re.compile(
    r"\s*SIP\s*/\s*[0-9.]+\s*/\s*(?P<transport>[A-Za-z][A-Za-z0-9-]*)\s+"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:;,\[\]]+)\s*(?::\s*(?P<port>[0-9]{1,5}))?\s*(?P<params>;.*)?",
    re.IGNORECASE | re.DOTALL,
)
_CSEQ = re.compile(r"\s*([0-9]{1,10})\s+([A-Za-z0-9!%*_+`'~.-]{1,64})\s*")
_AUTH = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=\s*(\"(?:[^\"\\]|\\.)*\"|[^\s,\"]*)\s*")
_PLAIN_AUTH = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=\s*(?:\"([^\"\\]*)\"|([^\s,\"<>]*))\s*(?:,|\Z)")


@dataclass(frozen=True, slots=True)
class Via:
    """One hop. `rport` is None when absent, "" when asked for, digits when answered (RFC 3581)."""

    transport: str
    host: str
    port: int | None = None
    parameters: dict[str, str | None] = field(default_factory=dict[str, str | None])

    @classmethod
    def parse(cls, text: str) -> "Via":
        """Read one Via value (the first, when several are joined by commas)."""
        match = _VIA.fullmatch(split_outside_quotes(text, ",")[0])
        if match is None:
            raise RemoteProtocolError("Via cannot be read")
        port = int(match["port"]) if match["port"] else None
        if port is not None and port > 65535:
            raise RemoteProtocolError("Via names a port out of range")
        return cls(match["transport"].upper(), match["host"], port, parse_parameters(match["params"] or ""))

    def __str__(self) -> str:
        port = f":{self.port}" if self.port is not None else ""
        return f"SIP/2.0/{self.transport} {self.host}{port}{format_parameters(self.parameters)}"

    @property
    def branch(self) -> str | None:
        """The branch, with or without the RFC 3261 cookie."""
        return self.parameters.get("branch") or None

    @property
    def sent_by(self) -> str:
        """Host and port as written, for transaction matching."""
        return f"{self.host.lower()}:{self.port or 5060}"

    @property
    def received(self) -> tuple[str, int | None] | None:
        """How the server saw us: (address, port), from `received` and `rport` of a response (Q-02)."""
        host = self.parameters.get("received")
        port = self.parameters.get("rport")
        if not host and not port:
            return None
        return host or self.host, int(port) if port and port.isascii() and port.isdigit() and len(port) < 6 else None

    def with_source(self, host: str, port: int) -> "Via":
        """The same hop marked with where it really came from.

        `rport` is filled whether or not it was asked for: a peer that does not know it ignores it, and behind NAT it
        is the only truth.
        """
        return replace(self, parameters={**self.parameters, "rport": str(port), "received": host})


@dataclass(frozen=True, slots=True)
class CSeq:
    """Sequence number and upper-case method."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> "CSeq":
        """Read `20 INVITE`; any case of the method (S-01)."""
        match = _CSEQ.fullmatch(text)
        if match is None or int(match[1]) >= 2**32:
            raise RemoteProtocolError("CSeq cannot be read")
        return cls(int(match[1]), match[2].upper())

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@dataclass(frozen=True, slots=True)
class Subject:
    """`senderID:senderSeq,receiverID:receiverSeq` of an INVITE (gb28181.md §10.4)."""

    sender: str
    sender_sequence: str
    receiver: str
    receiver_sequence: str

    @classmethod
    def parse(cls, text: str) -> "Subject":
        """Read leniently: missing parts are empty strings (Q-15)."""
        sender, _, receiver = text.partition(",")
        sender_id, _, sender_seq = sender.partition(":")
        receiver_id, _, receiver_seq = receiver.partition(":")
        return cls(sender_id.strip(), sender_seq.strip(), receiver_id.strip(), receiver_seq.strip())

    def __str__(self) -> str:
        return f"{self.sender}:{self.sender_sequence},{self.receiver}:{self.receiver_sequence}"


def split_vias(values: list[str]) -> list[str]:
    """Via values one per hop, in order, as written."""
    return [part.strip() for value in values for part in split_outside_quotes(value, ",") if part.strip()]


def parse_auth(text: str) -> tuple[str, dict[str, str]]:
    """`Digest realm="x", nonce=y` to (lower-case scheme, parameters with lower-case names).

    Quoted or not, in any order (gb28181.md §4.2). The first of a repeated parameter counts.
    Raises RemoteProtocolError when there is no scheme.
    """
    scheme, _, rest = text.strip().partition(" ")
    if not scheme or "=" in scheme:
        raise RemoteProtocolError("credentials lack a scheme")
    found = _plain_parameters(rest)
    return scheme.lower(), _parameters(rest) if found is None else found


def _plain_parameters(text: str) -> dict[str, str] | None:
    """Parameters without escapes or brackets, as every sane device writes them; None: read them the long way."""
    found: dict[str, str] = {}
    at, end = 0, len(text)
    while at < end:
        match = _PLAIN_AUTH.match(text, at)
        if match is None:
            return None
        name, quoted, bare = match.groups()
        found.setdefault(name.lower(), bare if quoted is None else quoted)
        at = match.end()
    return found


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in split_outside_quotes(text, ","):
        match = _AUTH.fullmatch(part)
        if match:
            found.setdefault(match[1].lower(), unquote(match[2]))
    return found
