"""SIP requests and responses as values (RFC 3261 §7)."""

import secrets
from dataclasses import dataclass, field

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.sip.fields import BRANCH_COOKIE, CSeq, Subject, Via, split_vias
from gongshi.protocols.sip.headers import Headers
from gongshi.protocols.sip.uri import NameAddr, Uri, seconds, split_outside_quotes

REASONS = {
    100: "Trying",
    180: "Ringing",
    200: "OK",
    202: "Accepted",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "Version Not Supported",
    513: "Message Too Large",
    603: "Decline",
}
ALLOW = "INVITE, ACK, BYE, CANCEL, INFO, OPTIONS, MESSAGE, SUBSCRIBE, NOTIFY, REGISTER"
MANSCDP = "Application/MANSCDP+xml"
SDP = "Application/SDP"
MANSRTSP = "Application/MANSRTSP"


def new_tag() -> str:
    """A tag that nobody can guess (64 bits)."""
    return secrets.token_hex(8)


def new_branch() -> str:
    """A branch with the RFC 3261 cookie."""
    return BRANCH_COOKIE + secrets.token_hex(8)


def new_call_id(host: str) -> str:
    """A Call-ID that nobody can guess (128 bits)."""
    return f"{secrets.token_hex(16)}@{host}"


@dataclass(slots=True)
class Message:
    """What requests and responses share. Header properties parse on access and raise RemoteProtocolError."""

    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    defects: tuple[str, ...] = ()
    """What the parser forgave, as short codes: for diagnosis and quirk profiles, never for decisions."""

    def _required(self, name: str) -> str:
        value = self.headers.get(name)
        if value is None:
            raise RemoteProtocolError(f"{name} is missing")
        return value

    @property
    def call_id(self) -> str:
        """Call-ID."""
        return self._required("Call-ID")

    @property
    def cseq(self) -> CSeq:
        """CSeq."""
        return CSeq.parse(self._required("CSeq"))

    @property
    def from_(self) -> NameAddr:
        """From."""
        return NameAddr.parse(self._required("From"))

    @property
    def to(self) -> NameAddr:
        """To."""
        return NameAddr.parse(self._required("To"))

    @property
    def via(self) -> Via | None:
        """The top Via; None when there is none (Q-48)."""
        value = self.headers.get("Via")
        return None if value is None else Via.parse(value)

    @property
    def contact(self) -> NameAddr | None:
        """The first Contact; None when absent, unreadable or `*` (Q-02: never a routing source behind NAT)."""
        value = self.headers.get("Contact")
        if value is None or value.strip() == "*":
            return None
        try:
            return NameAddr.parse(split_outside_quotes(value, ",")[0])
        except RemoteProtocolError:
            return None

    @property
    def expires(self) -> int | None:
        """Seconds: the Expires header, else the Contact's parameter, else None."""
        value = seconds(self.headers.get("Expires"))
        if value is not None:
            return value
        contact = self.contact
        return contact.expires if contact else None

    @property
    def content_type(self) -> str:
        """Media type in lower case without parameters; "" when absent."""
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()

    @property
    def is_manscdp(self) -> bool:
        """A MANSCDP body by its label, or, when the label is cut off or missing (S-14), by its first byte."""
        kind = self.content_type
        if kind in {"", "application", "application/"}:
            return self.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
        return "manscdp" in kind or kind.endswith("xml")

    @property
    def is_sdp(self) -> bool:
        """An SDP body by its label, or by its first line when there is no label."""
        kind = self.content_type
        return kind.endswith("/sdp") or (
            kind in {"", "application", "application/"} and self.body.lstrip()[:2] == b"v="
        )

    @property
    def is_mansrtsp(self) -> bool:
        """A MANSRTSP body."""
        return self.content_type.endswith(("/mansrtsp", "/rtsp"))

    @property
    def user_agent(self) -> str:
        """User-Agent of a request, Server of a response; for quirk profiles, never for security."""
        return self.headers.get("User-Agent") or self.headers.get("Server") or ""

    @property
    def gb_version(self) -> str | None:
        """X-GB-Ver, such as 3.0; None = treat as 2.0 (gb28181.md §4.3)."""
        value = self.headers.get("X-GB-Ver")
        return value.strip() if value else None

    def _tail(self) -> bytes:
        headers = self.headers.copy()
        headers.remove("Content-Length")
        return headers.to_lines() + b"Content-Length: %d\r\n\r\n" % len(self.body) + self.body


@dataclass(slots=True)
class Request(Message):
    """A request. `method` is upper case, `uri` the Request-URI as text."""

    method: str = ""
    uri: str = ""

    @property
    def target(self) -> Uri:
        """The Request-URI."""
        return Uri.parse(self.uri)

    @property
    def subject(self) -> Subject:
        """Subject of an INVITE; empty parts when absent."""
        return Subject.parse(self.headers.get("Subject") or "")

    def to_bytes(self) -> bytes:
        """The wire form. Raises LocalProtocolError instead of writing anything that breaks the framing."""
        if not self.method.isascii() or not self.method.isalpha() or not self.method.isupper():
            raise LocalProtocolError("a method is upper-case letters")
        if not self.uri or any(c.isspace() or c == "\0" for c in self.uri):
            raise LocalProtocolError("the Request-URI is empty or contains blanks")
        return f"{self.method} {self.uri} SIP/2.0\r\n".encode("utf-8", "surrogateescape") + self._tail()

    def stamp_source(self, host: str, port: int) -> None:
        """Write the real source into the top Via (RFC 3581), so that responses carry it back."""
        value = self.headers.get("Via")
        if value is None:
            return
        hops = split_vias([value])
        try:
            hops[0] = str(Via.parse(hops[0]).with_source(host, port))
        except (RemoteProtocolError, IndexError):
            return
        self.headers.replace_first("Via", ", ".join(hops))


@dataclass(slots=True)
class Response(Message):
    """A response."""

    status: int = 0
    reason: str = ""

    @classmethod
    def to_request(
        cls,
        request: Request,
        status: int,
        *,
        reason: str | None = None,
        tag: str | None = None,
        headers: "list[tuple[str, str]] | tuple[tuple[str, str], ...]" = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> "Response":
        """An answer: Via, From, To, Call-ID, CSeq and Record-Route are copied as they came.

        `tag` is added to To when it has none; any status above 100 gets a fresh one if none is given.
        """
        copied = Headers()
        for name in ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route"):
            for value in request.headers.all(name):
                if name == "To" and status > 100 and ";tag=" not in value.replace(" ", "").lower():
                    addressed = value if "<" in value else f"<{value.strip()}>"
                    copied.add(name, f"{addressed};tag={tag or new_tag()}")
                else:
                    copied.add(name, value)
        for name, value in headers:
            copied.add(name, value)
        if content_type is not None:
            copied.set("Content-Type", content_type)
        return cls(copied, body, (), status, reason if reason is not None else REASONS.get(status, "Unknown"))

    def to_bytes(self) -> bytes:
        """The wire form. Raises LocalProtocolError instead of writing anything that breaks the framing."""
        if not 100 <= self.status <= 699:
            raise LocalProtocolError("a status is 100-699")
        if any(c in self.reason for c in "\r\n\0"):
            raise LocalProtocolError("the reason phrase contains a line break")
        return f"SIP/2.0 {self.status} {self.reason}\r\n".encode("utf-8", "surrogateescape") + self._tail()


SipMessage = Request | Response
