"""Ordinary REGISTER, keepalive and catalogue datagrams, their heads read by one expression and answered as text.

What thousands of devices send each minute costs least this way (signalling.md §6). Anything out of the ordinary
(folded, compact, repeated or unknown headers, several Via, other line ends, other letter case) gives None and goes the
long way, where everything is understood and everything refused that must be.
"""

import hashlib
import hmac
import re
from typing import Final, NamedTuple

from gongshi.protocols.sip.message import REASONS
from gongshi.signalling.asks import TAG

# Every repetition stops at a character that it does not take itself, so that no input is read twice.
_HOST: Final = r"[0-9A-Za-z.-]+(?::[1-9][0-9]{0,3}|:[1-5][0-9]{4})?"
_PARAMETER: Final = r"[!#-+\--:=?-~]+"
_ADDRESS: Final = rf"@{_HOST}>"
_BRANCH: Final = r"branch=[!#-+\--:<-~]+"
_TEXT: Final = r"[!-~][ -~]*"
_HEAD: Final = (
    rf"Via: (?P<via>SIP/2\.0/UDP {_HOST}(?:(?:;rport)?;{_BRANCH}|;{_BRANCH};rport))\r\n"
    r"(?:Max-Forwards: ([0-9]{1,3})\r\n)?"
    rf'From: (?P<sender>(?:"[ !#-\[\]-~]*" ?)?<sip:(?P<code>[0-9]{{20}}){_ADDRESS}(?:;{_PARAMETER})*)\r\n'
    rf"To: (?P<receiver><sip:(?P<to>[0-9]{{20}}){_ADDRESS}(?:;tag={_PARAMETER})?)\r\n"
    r"Call-ID: (?P<call>[!-~]{1,200})\r\n"
)
_INNER: Final = 2
"""Groups inside of groups: `code` and `to`."""
_REST: Final = "|".join(
    [
        r"Content-Length: (?P<length>0|[1-9][0-9]{0,4})\r\n",
        r"Max-Forwards: ([0-9]{1,3})\r\n",
        rf"User-Agent: (?P<agent>{_TEXT})\r\n",
        rf"Content-Type: (?P<kind>{_TEXT})\r\n",
        *(rf"{name}: ({_TEXT})\r\n" for name in ("Allow", "Supported", "Accept")),
    ]
)
_REGISTER: Final = re.compile(
    rf"REGISTER sip:[0-9A-Za-z@.:-]+ SIP/2\.0\r\n{_HEAD}CSeq: (?P<cseq>[0-9]{{1,9}} REGISTER)\r\n"
    rf"(?:Contact: (?P<contact><sip:[0-9]{{20}}{_ADDRESS}(?:;expires=[0-9]{{1,9}})?)\r\n|"
    rf"Expires: (?P<expires>[0-9]{{1,9}})\r\n|Authorization: (?P<proof>{_TEXT})\r\n|"
    rf"X-GB-Ver: (?P<version>{_TEXT})\r\n|{_REST})+(?P<blank>\r\n)"
)
_MESSAGE: Final = re.compile(
    rf"MESSAGE sip:[0-9A-Za-z@.:-]+ SIP/2\.0\r\n{_HEAD}CSeq: (?P<cseq>[0-9]{{1,9}} MESSAGE)\r\n(?:{_REST})+"
    r"(?P<blank>\r\n)"
)
_KEEPALIVE: Final = re.compile(
    r"\s*(?:<\?xml[^>]{0,100}\?>\s*)?<Notify>\s*<CmdType>Keepalive</CmdType>\s*<SN>[0-9]{1,10}</SN>\s*"
    r"<DeviceID>[0-9]{20}</DeviceID>\s*<Status>(?:OK|ERROR)</Status>\s*"
    r"(?:<Info>\s*</Info>\s*|<Info\s?/>\s*)?</Notify>\s*",
    re.ASCII,
)
_CATALOGUE: Final = re.compile(rb"<CmdType>Catalog</CmdType>")
_MANSCDP: Final = "application/manscdp+xml"
_PROOF: Final = re.compile(
    r'Digest username="([!#-\[\]-~]*)", ?realm="([!#-\[\]-~]*)", ?nonce="([!#-\[\]-~]+)", ?uri="([!#-\[\]-~]*)", ?'
    r'response="([0-9a-f]{32})"(?:, ?(?:(algorithm="?MD5"?)|(qop="?auth"?)|nc=([0-9A-Fa-f]{1,8})|cnonce="([!#-\[\]-~]*)"|'
    r'(opaque="[!#-\[\]-~]*")))*'
)
_URIS: Final = 1_024
_LOOK: Final = 400
"""Where CmdType must have come, counted from the start of a body."""
_ORDER: Final = {name: place for place, name in enumerate(("Via", "From", "To", "Call-ID", "CSeq"))}


Groups = tuple[str | None, ...]


def _places(pattern: re.Pattern[str], *names: str) -> tuple[int, ...]:
    return tuple(pattern.groupindex[name] - 1 for name in names)


# The five fields of the head have the same places in both expressions.
_VIA, _SENDER, _CODE, _RECEIVER, _TO, _CALL, _CSEQ = _places(
    _REGISTER, "via", "sender", "code", "receiver", "to", "call", "cseq"
)
_LENGTH, _CONTACT, _EXPIRES, _AUTHORIZATION, _VERSION, _AGENT = _places(
    _REGISTER, "length", "contact", "expires", "proof", "version", "agent"
)
_MESSAGE_LENGTH, _KIND = _places(_MESSAGE, "length", "kind")


class Plain:
    """An ordinary request. Texts are as sent."""

    __slots__ = ("_groups",)

    def __init__(self, groups: Groups) -> None:
        self._groups = groups

    @property
    def code(self) -> str:
        """Who says it: the user of From."""
        return self._groups[_CODE] or ""

    def answer(self, status: int, more: str, host: str, port: int) -> bytes:
        """The answer's bytes, with the source written into Via (RFC 3581). `more` is whole header lines."""
        groups = self._groups
        via, receiver = groups[_VIA] or "", groups[_RECEIVER] or ""
        via = via.replace(";rport", f";rport={port}", 1) if ";rport" in via else f"{via};rport={port}"
        tag = "" if receiver[-1] != ">" else f";tag={TAG}"
        return (
            f"SIP/2.0 {status} {REASONS[status]}\r\nVia: {via};received={host}\r\nFrom: {groups[_SENDER]}\r\n"
            f"To: {receiver}{tag}\r\nCall-ID: {groups[_CALL]}\r\nCSeq: {groups[_CSEQ]}\r\n"
            f"{more}Content-Length: 0\r\n\r\n"
        ).encode()


class Registration:
    """An ordinary REGISTER; satisfies `asks.Ask`. Nothing is taken apart before somebody asks for it."""

    __slots__ = ("_groups", "_host", "_port", "authorization", "code")

    def __init__(self, groups: Groups, host: str, port: int) -> None:
        self._groups = groups
        self._host = host
        self._port = port
        self.code = groups[_TO] or ""
        self.authorization = groups[_AUTHORIZATION]

    @property
    def sender(self) -> str:
        return self._groups[_CODE] or ""

    @property
    def key(self) -> tuple[str | int, ...]:
        """Equal for repetitions of the same request."""
        groups = self._groups
        return (groups[_VIA] or "", groups[_CALL] or "", groups[_CSEQ] or "", self._host, self._port)

    @property
    def expires(self) -> int | None:
        """Seconds: the header's, else the Contact's."""
        expires = self._groups[_EXPIRES]
        if expires is not None:
            return int(expires)
        contact = self._groups[_CONTACT]
        if contact is None or contact[-1] == ">":
            return None
        return int(contact.rpartition("=")[2])

    @property
    def contact(self) -> str | None:
        return self._groups[_CONTACT]

    @property
    def contact_uri(self) -> str | None:
        contact = self._groups[_CONTACT]
        return None if contact is None else contact.partition(";")[0]

    @property
    def call_id(self) -> str:
        return self._groups[_CALL] or ""

    @property
    def version(self) -> str | None:
        version = self._groups[_VERSION]
        return version.rstrip() if version else None

    @property
    def user_agent(self) -> str | None:
        agent = self._groups[_AGENT]
        # Blanks after a value do not belong to it.
        return agent.rstrip() if agent else None

    def answer(self, status: int, more: str) -> bytes:
        return Plain(self._groups).answer(status, more, self._host, self._port)


class Note(NamedTuple):
    """An ordinary MESSAGE. `catalogue` is a body that looks like one; None for a keepalive."""

    plain: Plain
    catalogue: bytes | None


class Proof(NamedTuple):
    """MD5 credentials as nearly every device writes them, with the same checks as `Credentials`."""

    username: str
    nonce: str
    uri: str
    response: str
    middle: str
    """What stands between the two hashes."""
    algorithm: str = "MD5"

    def verify(self, method: str, ha1_hex: str) -> bool:
        """Does the response prove knowledge of `ha1_hex`? The caller checks nonce and username itself."""
        key = (method, self.uri)
        ha2 = _HA2.get(key)
        if ha2 is None:
            if len(_HA2) >= _URIS:
                _HA2.clear()
            ha2 = _HA2[key] = _md5(f"{method}:{self.uri}")
        return hmac.compare_digest(_md5(f"{ha1_hex}:{self.middle}:{ha2}"), self.response)


_HA2: Final[dict[tuple[str, str], str]] = {}


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def read_proof(text: str) -> Proof | None:
    """Read Authorization in the order and spelling of nearly every device, or give None."""
    found = _PROOF.fullmatch(text)
    if found is None:
        return None
    username, _, nonce, uri, response, algorithm, qop, nc, cnonce, opaque = found.groups()
    given = 5 + (algorithm is not None) + (qop is not None) + (nc is not None) + (cnonce is not None)
    # A comma inside of a value, or a parameter twice, makes the numbers differ.
    if text.count(",") != given + (opaque is not None) - 1 or not username:
        return None
    middle = f"{nonce}:{nc or ''}:{cnonce or ''}:auth" if qop else nonce
    return Proof(username, nonce, uri, response, middle)


def read_message(data: bytes) -> Note | None:
    """Read a datagram that is an ordinary MESSAGE with a keepalive or a catalogue in it, or give None."""
    # One character for each byte: what the text means is not asked here.
    text = data.decode("latin-1")
    found = _match(_MESSAGE, text)
    if found is None:
        return None
    groups, start = found
    kind = groups[_KIND]
    if groups[_MESSAGE_LENGTH] != str(len(data) - start):
        return None
    if _KEEPALIVE.fullmatch(text, start) is not None:
        return Note(Plain(groups), None)
    if kind is not None and kind.lower() == _MANSCDP and _CATALOGUE.search(data, start, start + _LOOK) is not None:
        return Note(Plain(groups), data[start:])
    return None


def read_register(data: bytes, host: str, port: int) -> Registration | None:
    """Read a datagram that is an ordinary REGISTER, or give None."""
    found = _match(_REGISTER, data.decode("latin-1"))
    # A message ends where its head does.
    if found is None or found[1] != len(data) or found[0][_LENGTH] != "0":
        return None
    return Registration(found[0], host, port)


def _match(pattern: re.Pattern[str], text: str) -> tuple[Groups, int] | None:
    """The parts of a head with every header at most once and a Content-Length, and where it ends."""
    found = pattern.match(text)
    if found is None:
        arranged = _arranged(text)
        found = pattern.match(arranged) if arranged is not None else None
        if found is None or arranged is None:
            return None
        text = arranged
    # One group of each header and the blank line took part; the start line has none. More lines mean a repeated header.
    groups, end = found.groups(), found.end()
    return (groups, end) if len(groups) - groups.count(None) - _INNER == text.count("\n", 0, end) - 1 else None


def _arranged(text: str) -> str | None:
    """The same message with Via, From, To, Call-ID and CSeq first; None when they are already, or nothing like it."""
    head, blank, body = text.partition("\r\n\r\n")
    if not blank:
        return None
    start, *lines = head.split("\r\n")
    arranged = sorted(lines, key=lambda line: _ORDER.get(line.partition(":")[0], len(_ORDER)))
    return None if arranged == lines else "\r\n".join([start, *arranged, "", body])
