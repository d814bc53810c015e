"""The ordinary keepalive, answered from its bytes: what thousands of devices send each minute costs least this way.

Anything out of the ordinary (folded, compact or repeated headers, several Via, other line ends, a body that is not
exactly the usual one) gives None and goes the long way, where everything is understood and everything is refused that
must be (signalling.md §6).
"""

import re
import secrets
from dataclasses import dataclass
from typing import Final

from gongshi.protocols.manscdp import fast_keepalive

_TAG: Final = secrets.token_hex(8).encode()
"""One tag for all answers: a repeated request must get the same one (RFC 3261 §8.2.7), and nothing depends on it."""
_CODE: Final = re.compile(
    rb"(?:\"[^\"\\]*\" ?)?<sips?:([0-9]{20})@[0-9A-Za-z.-]+(?::[0-9]{1,4}|:[1-5][0-9]{4})?>(?:;[^<>\",\s;]+)*",
    re.IGNORECASE,
)
_TO: Final = re.compile(rb"[^<>\"]*<[^<>\"]+>(;[^<>\"]*)?")
_VIA: Final = re.compile(
    rb"SIP/2\.0/UDP [^\s,\";]+((?:;(?!received\b|rport\b)[^\s,\";]+)*)(;rport(?=;|$))?((?:;(?!received\b|rport\b)[^\s,\";]+)*)"
)
_CSEQ: Final = re.compile(rb"[0-9]{1,9} MESSAGE")
_FIELDS: Final = {name: name for name in (b"Via", b"From", b"To", b"Call-ID", b"CSeq", b"Content-Length")}
_TITLED: Final = frozenset(name.title() for name in _FIELDS)
_LONG_WAY: Final = frozenset({b"v", b"f", b"t", b"i", b"l"})


@dataclass(frozen=True, slots=True)
class Ordinary:
    """A keepalive whose answer can be written."""

    code: bytes
    """Who says it, from From."""
    fields: dict[bytes, bytes]

    def answer(self, host: str, port: int) -> bytes:
        """The 200, with the source written into Via (RFC 3581)."""
        fields = self.fields
        to = fields[b"To"]
        if b";tag=" not in to:
            to += b";tag=" + _TAG
        via = fields[b"Via"]
        source = b";rport=%d" % port
        via = via.replace(b";rport", source, 1) if b";rport" in via else via + source
        return b"SIP/2.0 200 OK\r\nVia: %b;received=%b\r\nFrom: %b\r\nTo: %b\r\nCall-ID: %b\r\nCSeq: %b\r\n%b" % (
            via,
            host.encode(),
            fields[b"From"],
            to,
            fields[b"Call-ID"],
            fields[b"CSeq"],
            b"Content-Length: 0\r\n\r\n",
        )


def ordinary(data: bytes) -> Ordinary | None:
    """Read a datagram as an ordinary keepalive, or give None."""
    if not data.startswith(b"MESSAGE "):
        return None
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank or fast_keepalive(body) is None:
        return None
    lines = head.split(b"\r\n")
    if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1 or b"\0" in head:
        return None
    if not lines[0].endswith(b" SIP/2.0") or lines[0].count(b" ") != 2:
        return None
    fields: dict[bytes, bytes] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        known = _FIELDS.get(name)
        if known is None:
            # A header of another spelling may be one of ours: only what surely is not is passed over.
            bare = name.strip()
            if not colon or name[:1] in b" \t" or bare.title() in _TITLED or bare.lower() in _LONG_WAY:
                return None
            continue
        if known in fields:
            return None
        fields[known] = value.strip()
    return _checked(fields, len(body))


def _checked(fields: dict[bytes, bytes], size: int) -> Ordinary | None:
    if len(fields) < len(_FIELDS) or not fields[b"Call-ID"]:
        return None
    code = _CODE.fullmatch(fields[b"From"])
    if code is None or fields[b"Content-Length"] != b"%d" % size or not _CSEQ.fullmatch(fields[b"CSeq"]):
        return None
    if not _TO.fullmatch(fields[b"To"]) or not _VIA.fullmatch(fields[b"Via"]):
        return None
    return Ordinary(code[1], fields)
