"""Ordinary REGISTER and keepalive datagrams, read and answered as text.

What thousands of devices send each minute costs least this way (signalling.md §6).
Anything out of the ordinary (folded, compact, repeated or unknown headers, several Via, other line ends, other letter
case) gives None and goes the long way, where everything is understood and everything refused that must be.
"""

import re
import secrets
from typing import Final

from gongshi.protocols.manscdp import fast_keepalive
from gongshi.protocols.sip.message import REASONS
from gongshi.signalling.asks import Ask, Headers

_TAG: Final = secrets.token_hex(8)
"""One tag for all answers: a repeated request must get the same one (RFC 3261 §8.2.7), and nothing depends on it."""

_ADDRESS = r"<sip:([0-9]{20})@[0-9A-Za-z.-]+(?::[0-9]{1,4}|:[1-5][0-9]{4})?>"
_FROM: Final = re.compile(rf'(?:"[^"\\]*" ?)?{_ADDRESS}(?:;[^<>",\s;]+)*')
_TO: Final = re.compile(rf"{_ADDRESS}(;tag=[^<>\",\s;]+)?")
_CONTACT: Final = re.compile(rf"({_ADDRESS})(?:;expires=([0-9]{{1,9}}))?")
_VIA: Final = re.compile(
    r"SIP/2\.0/UDP [0-9A-Za-z.-]+(?::[0-9]{1,4}|:[1-5][0-9]{4})?"
    r"((?:;(?!received\b|rport\b)[^\s,\";]+)*)(;rport(?=;|$))?((?:;(?!received\b|rport\b)[^\s,\";]+)*)"
)
_CALL_ID: Final = re.compile(r"[!-~]{1,200}")
_CSEQ: Final = re.compile(r"[0-9]{1,9} (REGISTER|MESSAGE)")
_START: Final = re.compile(r"(REGISTER|MESSAGE) sip:[0-9A-Za-z@.:-]+ SIP/2\.0")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_NEEDED: Final = ("Via", "From", "To", "Call-ID", "CSeq", "Content-Length")
_READ: Final = frozenset({*_NEEDED, "Contact", "Expires", "Authorization", "X-GB-Ver", "User-Agent"})
_PASSED_OVER: Final = frozenset({"Max-Forwards", "Content-Type", "Allow", "Supported", "Accept"})


class Plain:
    """A datagram of the ordinary kind. `code` is who says it, from From."""

    __slots__ = ("body", "code", "fields", "method", "rport", "to", "to_tag")

    def __init__(self, method: str, fields: dict[str, str], body: bytes) -> None:
        self.method = method
        self.fields = fields
        self.body = body
        self.code = ""
        self.to = ""
        self.to_tag = False
        self.rport = False

    @property
    def is_keepalive(self) -> bool:
        """A MESSAGE that says Keepalive and nothing else."""
        return self.method == "MESSAGE" and fast_keepalive(self.body) is not None

    def answer(self, status: int, headers: Headers, host: str, port: int) -> bytes:
        """The answer's bytes, with the source written into Via (RFC 3581)."""
        fields = self.fields
        via = fields["Via"]
        via = via.replace(";rport", f";rport={port}", 1) if self.rport else f"{via};rport={port}"
        to = fields["To"] if self.to_tag else f"{fields['To']};tag={_TAG}"
        more = "".join([f"{name}: {value}\r\n" for name, value in headers])
        return (
            f"SIP/2.0 {status} {REASONS[status]}\r\nVia: {via};received={host}\r\nFrom: {fields['From']}\r\n"
            f"To: {to}\r\nCall-ID: {fields['Call-ID']}\r\nCSeq: {fields['CSeq']}\r\n{more}Content-Length: 0\r\n\r\n"
        ).encode()

    def ask(self, host: str, port: int) -> Ask | None:
        """As a REGISTER; None when it says something that only the long way understands."""
        fields = self.fields
        expires, contact = fields.get("Expires"), fields.get("Contact")
        seconds = None
        uri = None
        if contact is not None:
            found = _CONTACT.fullmatch(contact)
            if found is None:
                return None
            uri = found[1]
            seconds = None if found[3] is None else int(found[3])
        if expires is not None:
            if _NUMBER.fullmatch(expires) is None:
                return None
            seconds = int(expires)
        return Ask(
            code=self.to,
            sender=self.code,
            authorization=fields.get("Authorization"),
            expires=seconds,
            contact=contact,
            contact_uri=uri,
            call_id=fields["Call-ID"],
            version=fields.get("X-GB-Ver") or None,
            user_agent=fields.get("User-Agent") or None,
            key=(fields["Via"], fields["Call-ID"], fields["CSeq"], host, str(port)),
            answer=lambda status, headers: self.answer(status, headers, host, port),
        )


def read(data: bytes) -> Plain | None:
    """Read a datagram, or give None."""
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank or not head.isascii() or data[:1] not in {b"R", b"M"}:
        return None
    text = head.decode("ascii")
    lines = text.split("\r\n")
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1 or "\0" in text:
        return None
    start = _START.fullmatch(lines[0])
    if start is None:
        return None
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if name in _READ:
            if not colon or name in fields:
                return None
            fields[name] = value.strip()
        elif name not in _PASSED_OVER:
            return None
    return _checked(Plain(start[1], fields, body))


def _checked(plain: Plain) -> Plain | None:
    fields = plain.fields
    for name in _NEEDED:
        if name not in fields:
            return None
    sender, to, via = _FROM.fullmatch(fields["From"]), _TO.fullmatch(fields["To"]), _VIA.fullmatch(fields["Via"])
    if sender is None or to is None or via is None or _CALL_ID.fullmatch(fields["Call-ID"]) is None:
        return None
    cseq = _CSEQ.fullmatch(fields["CSeq"])
    if cseq is None or cseq[1] != plain.method or fields["Content-Length"] != str(len(plain.body)):
        return None
    plain.code, plain.to = sender[1], to[1]
    plain.to_tag, plain.rport = to[2] is not None, via[2] is not None
    return plain
