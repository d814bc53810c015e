"""Bytes to messages: tolerant of what devices send (gb28181.md §3, §17, §18), bounded against what attackers send.

Invariant: any input parses or raises RemoteProtocolError, never anything else. Forgiven: any letter case, LF-only line
ends, folded and compact headers, blanks around colons, leading blank lines, missing Via, missing or wrong
Content-Length in a datagram. Not forgiven: what would make a request ambiguous.
"""

import re

from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.sip.headers import Headers, canonical
from gongshi.protocols.sip.message import Request, Response, SipMessage

MAX_HEAD = 64 * 1024
MAX_BODY = 8 * 1024 * 1024
MAX_HEADERS = 256

_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_START_LINE = re.compile(rb"(?:SIP/2\.0 [1-6][0-9][0-9]|[A-Za-z]{2,20} [^\s]+ SIP/2\.0)", re.IGNORECASE)
_METHOD = re.compile(r"[A-Za-z0-9!%*_+`'~.-]{1,64}")
_STATUS = re.compile(r"([1-6][0-9][0-9])(?:\s+(.*))?", re.DOTALL)
_NAME_MEMO: dict[str, str] = {}
_NAME_MEMO_LIMIT = 512
_KNOWN = frozenset({"Via", "From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards", "Expires", "Content-Type"}) | {
    "Content-Length",
    "User-Agent",
    "Authorization",
    "Subject",
    "X-GB-Ver",
    "Event",
    "Date",
    "WWW-Authenticate",
    "Allow",
}
_SINGLE = frozenset({"From", "To", "Call-ID", "CSeq", "Content-Length"})


def parse_message(data: bytes) -> SipMessage:
    """Read one datagram as one message. Raises RemoteProtocolError with a fitting `hint_status`."""
    head, body, defects = _split(data.lstrip(b"\r\n"))
    message = _parse_head(head, defects)
    declared = _content_length(message)
    if declared is None:
        message.body = body
    elif declared < len(body):
        surplus = body[declared:].lstrip(b"\r\n")
        if not surplus.strip() or _START_LINE.match(surplus):
            # A second message in the datagram is ignored (RFC 3261 §18.3, RFC 4475 dblreq).
            message.body = body[:declared]
        else:
            # Senders count characters instead of bytes, or write 0 and attach a body all the same (S-09, Q-24).
            message.body = body
            message.defects += ("content-length-short",)
    else:
        message.body = body
        if declared > len(body):
            message.defects += ("content-length-long",)
    return message


def _split(data: bytes) -> tuple[bytes, bytes, tuple[str, ...]]:
    match = _END_OF_HEAD.search(data, 0, MAX_HEAD + 4)
    if match is not None:
        return data[: match.start()], data[match.end() :], ()
    if len(data) > MAX_HEAD:
        raise RemoteProtocolError("the header section exceeds 64 KiB", 513)
    return data.rstrip(b"\r\n"), b"", ("no-blank-line",)


def _parse_head(head: bytes, defects: tuple[str, ...] = ()) -> SipMessage:
    if not head:
        raise RemoteProtocolError("an empty message")
    lines = head.decode("utf-8", "surrogateescape").split("\n")
    message = _start_line(lines[0].rstrip("\r"))
    if len(lines) > 1 and not lines[0].endswith("\r"):
        defects += ("lf-only",)
    items: list[tuple[str, str]] = []
    seen: set[str] = set()
    memo = _NAME_MEMO
    for raw in lines[1:]:
        line = raw.rstrip("\r")
        if "\0" in line or "\r" in line:
            raise RemoteProtocolError("a header contains NUL or a lone carriage return")
        if line[:1] in {" ", "\t"}:
            if items:
                name, value = items[-1]
                items[-1] = (name, f"{value} {line.strip()}".strip())
            continue
        spelt, colon, value = line.partition(":")
        name = memo.get(spelt)
        if name is None:
            bare = spelt.strip()
            if not colon or not bare:
                if line:
                    defects += ("line-without-colon",)
                continue
            name = canonical(bare)
            if len(memo) < _NAME_MEMO_LIMIT and name in _KNOWN:
                memo[spelt] = name
        if name in _SINGLE and name in seen:
            raise RemoteProtocolError(f"{name} occurs twice")
        seen.add(name)
        items.append((name, value.strip()))
        if len(items) > MAX_HEADERS or len(defects) > MAX_HEADERS:
            raise RemoteProtocolError("too many headers", 513)
    message.headers = Headers.canonical_items(items)
    message.defects = tuple(dict.fromkeys(defects))
    _check(message)
    return message


def _start_line(line: str) -> SipMessage:
    words = line.split(None, 1)
    if len(words) == 2 and words[0].upper() == "SIP/2.0":
        match = _STATUS.fullmatch(words[1].strip())
        if match is None:
            raise RemoteProtocolError("the status line cannot be read")
        return Response(status=int(match[1]), reason=(match[2] or "").strip())
    parts = line.split()
    if len(parts) < 3 or not _METHOD.fullmatch(parts[0]):
        raise RemoteProtocolError("the request line cannot be read")
    if parts[-1].upper() != "SIP/2.0":
        raise RemoteProtocolError("not SIP version 2.0", 505 if parts[-1].upper().startswith("SIP/") else 400)
    if len(parts) > 3:
        raise RemoteProtocolError("the Request-URI contains blanks")
    uri = parts[1]
    if uri.startswith("<") and uri.endswith(">"):
        uri = uri[1:-1]
    if not uri:
        raise RemoteProtocolError("the Request-URI is empty")
    return Request(method=parts[0].upper(), uri=uri)


def _check(message: SipMessage) -> None:
    """The four fields without which nothing can be matched or answered."""
    cseq = message.cseq
    for name in ("Call-ID", "From", "To"):
        if not message.headers.get(name):
            raise RemoteProtocolError(f"{name} is missing")
    if isinstance(message, Request) and cseq.method != message.method:
        raise RemoteProtocolError("CSeq names another method than the request line")


def _content_length(message: SipMessage) -> int | None:
    value = message.headers.get("Content-Length")
    if value is None:
        return None
    if not value.isascii() or not value.isdigit():
        if not value:
            return None
        raise RemoteProtocolError("Content-Length is not a number")
    number = int(value[:20])
    if number > MAX_BODY:
        raise RemoteProtocolError("the body exceeds 8 MiB", 513)
    return number


class Ping:
    """A double CRLF on a stream: answer with one CRLF (RFC 5626 §3.5.1)."""

    __slots__ = ()


PING = Ping()


class StreamParser:
    """Cuts a TCP byte stream into messages by Content-Length.

    After an error the stream has no known boundary: the parser is dead, `error` is set, close the connection.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._pending: SipMessage | None = None
        self._missing = 0
        self.error: RemoteProtocolError | None = None

    def feed(self, data: bytes) -> list[SipMessage | Ping]:
        """Take bytes, give what became complete.

        Raises RemoteProtocolError when nothing good precedes the damage; otherwise the good messages are returned
        and `error` tells that they were the last.
        """
        if self.error is not None:
            raise self.error
        self._buffer += data
        found: list[SipMessage | Ping] = []
        try:
            while (event := self._next()) is not None:
                found.append(event)
        except RemoteProtocolError as error:
            self.error = error
            self._buffer.clear()
            if not found:
                raise
        return found

    @property
    def announced(self) -> int:
        """Bytes of the body that is being waited for; 0 between messages."""
        return self._missing if self._pending is not None else 0

    def _next(self) -> SipMessage | Ping | None:
        if self._pending is None and (event := self._head()) is not None:
            return event
        message = self._pending
        if message is None or len(self._buffer) < self._missing:
            return None
        message.body = bytes(self._buffer[: self._missing])
        del self._buffer[: self._missing]
        self._pending = None
        return message

    def _head(self) -> Ping | None:
        buffer = self._buffer
        if self._scanned == 0 and buffer and buffer[0] in {13, 10}:
            if buffer.startswith(b"\r\n\r\n"):
                del buffer[:4]
                return PING
            blank = len(buffer) - len(buffer.lstrip(b"\r\n"))
            if blank == len(buffer):
                # Two may yet become a ping.
                del buffer[: max(0, blank - 2) if blank > 4 else 0]
                return None
            del buffer[:blank]
        match = _END_OF_HEAD.search(buffer, max(0, self._scanned - 3), MAX_HEAD + 4)
        if match is None:
            if len(buffer) > MAX_HEAD:
                raise RemoteProtocolError("the header section exceeds 64 KiB", 513)
            self._scanned = len(buffer)
            return None
        head = bytes(buffer[: match.start()])
        del buffer[: match.end()]
        self._scanned = 0
        message = _parse_head(head)
        length = _content_length(message)
        if length is None:
            raise RemoteProtocolError("Content-Length is missing on a stream", 400)
        self._pending, self._missing = message, length
        return None
