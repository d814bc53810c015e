"""SIP URIs and name-addresses, read leniently (gb28181.md §3.1, S-01) and written strictly.

A peer is recognised by the user part alone: hosts vary even inside one dialog.
"""

import re
from dataclasses import dataclass, field, replace

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError

_URI = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?(?:(?P<user>[^@<>\"\s\0]*)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:;?<>@\[\],\"\0]+)(?::(?P<port>[0-9]{1,6}))?"
    r"(?P<params>;[^?<>\"\s\0]*)?(?:\?(?P<headers>[^\s<>\"\0]*))?"
)
_UNSAFE = re.compile(r"[\s<>\"\0]")
_PARAMETER = re.compile(r"\s*([^=;,\"\s]+)\s*(?:=\s*(\"(?:[^\"\\]|\\.)*\"|[^;,\"]*))?\s*")


def unquote(value: str) -> str:
    """The content of a quoted string; other values only lose surrounding blanks."""
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def quote(value: str) -> str:
    """A quoted string."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def parse_parameters(text: str) -> dict[str, str | None]:
    """`;name=value;flag` to a dict with lower-case names; None marks a flag. Damaged parts are skipped."""
    found: dict[str, str | None] = {}
    for part in split_outside_quotes(text, ";"):
        match = _PARAMETER.fullmatch(part)
        if match:
            value = match[2]
            found.setdefault(match[1].lower(), None if value is None else value.strip())
    return found


def format_parameters(parameters: dict[str, str | None]) -> str:
    """The reverse of `parse_parameters`."""
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in parameters.items())


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """Split at a separator that is neither in a quoted string nor in angle brackets."""
    if '"' not in text and "<" not in text:
        return text.split(separator)
    parts: list[str] = []
    start = 0
    quoted = escaped = False
    depth = 0
    for i, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif char == "<":
            depth += 1
        elif char == ">":
            depth = max(0, depth - 1)
        elif char == separator and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    parts.append(text[start:])
    return parts


@dataclass(frozen=True, slots=True)
class Uri:
    """`sip:user@host:port;parameters`. Host may be a numeric domain such as 3415000000."""

    user: str
    host: str
    port: int | None = None
    parameters: dict[str, str | None] = field(default_factory=dict[str, str | None])
    scheme: str = "sip"
    headers: str = ""

    @classmethod
    def parse(cls, text: str) -> "Uri":
        """Read a URI; a missing scheme means sip. Raises RemoteProtocolError when no host can be found."""
        match = _URI.fullmatch(text.strip().strip("<>").strip())
        if match is None:
            raise RemoteProtocolError("not a SIP URI")
        scheme = (match["scheme"] or "sip").lower()
        user, host = match["user"], match["host"]
        if user is None and scheme not in {"sip", "sips", "tel"}:
            # "localhost:5060" without a scheme reads as scheme "localhost": only hosts with dots or digits may do so.
            raise RemoteProtocolError("unknown URI scheme")
        port = int(match["port"]) if match["port"] else None
        if port is not None and port > 65535:
            raise RemoteProtocolError("port number out of range")
        return cls(user or "", host, port, parse_parameters(match["params"] or ""), scheme, match["headers"] or "")

    @classmethod
    def of(cls, code: str, domain: str, port: int | None = None) -> "Uri":
        """The address of a device code in a domain or at a host."""
        return cls(str(code), domain, port)

    def __str__(self) -> str:
        head = f"{self.scheme}:{self.user}@{self.host}" if self.user else f"{self.scheme}:{self.host}"
        port = f":{self.port}" if self.port is not None else ""
        tail = f"?{self.headers}" if self.headers else ""
        text = f"{head}{port}{format_parameters(self.parameters)}{tail}"
        if _UNSAFE.search(text):
            raise LocalProtocolError("the URI contains blanks, quotes or brackets")
        return text

    @property
    def transport(self) -> str | None:
        """Lower-case `transport` parameter, if any."""
        value = self.parameters.get("transport")
        return value.lower() if value else None


@dataclass(frozen=True, slots=True)
class NameAddr:
    """The value of From, To, Contact, Route: optional display name, URI, header parameters such as tag."""

    uri: Uri
    display: str = ""
    parameters: dict[str, str | None] = field(default_factory=dict[str, str | None])

    @classmethod
    def parse(cls, text: str) -> "NameAddr":
        """Read one address, with or without angle brackets; parameters without brackets belong to the field."""
        text = text.strip()
        display = ""
        if text.startswith('"'):
            end = _closing_quote(text)
            display, text = unquote(text[: end + 1]), text[end + 1 :].strip()
        opening = text.find("<")
        if opening >= 0:
            display = display or text[:opening].strip()
            closing = text.find(">", opening)
            if closing < 0:
                raise RemoteProtocolError("an address lacks its closing bracket")
            uri, rest = Uri.parse(text[opening + 1 : closing]), text[closing + 1 :]
        else:
            address, semicolon, rest = text.partition(";")
            uri, rest = Uri.parse(address), semicolon + rest
        return cls(uri, display, parse_parameters(rest))

    def __str__(self) -> str:
        name = f"{quote(self.display)} " if self.display else ""
        return f"{name}<{self.uri}>{format_parameters(self.parameters)}"

    @property
    def user(self) -> str:
        """The user part: the code of who is meant."""
        return self.uri.user

    @property
    def tag(self) -> str | None:
        """The tag parameter."""
        return self.parameters.get("tag") or None

    @property
    def expires(self) -> int | None:
        """The expires parameter of a Contact in seconds, if it is a number."""
        value = self.parameters.get("expires")
        return seconds(unquote(value)) if value else None

    def with_tag(self, tag: str | None) -> "NameAddr":
        """The same address with another tag, or none."""
        others = {name: value for name, value in self.parameters.items() if name != "tag"}
        return replace(self, parameters={**others, "tag": tag} if tag else others)


def seconds(text: str | None) -> int | None:
    """A delta-seconds value, clamped to 32 bits; None when it is not a number."""
    if text is None:
        return None
    text = text.strip()
    if not text.isascii() or not text.isdigit():
        return None
    return min(int(text[:12]), 2**32 - 1)


def _closing_quote(text: str) -> int:
    escaped = False
    for i, char in enumerate(text[1:], start=1):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == '"':
            return i
    raise RemoteProtocolError("a quoted string is not closed")
