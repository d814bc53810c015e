"""Making requests outside dialogs, and repeating one with credentials."""

from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.sip.digest import Challenge, answer_challenge
from gongshi.protocols.sip.headers import Headers
from gongshi.protocols.sip.message import Request, Response, new_call_id, new_tag
from gongshi.protocols.sip.uri import NameAddr, Uri


def new_request(
    method: str,
    target: Uri,
    from_: Uri,
    to: Uri,
    *,
    call_id: str | None = None,
    cseq: int = 1,
    from_tag: str | None = None,
    contact: Uri | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
    content_type: str | None = None,
) -> Request:
    """A request outside a dialog: no To tag (Q-11), Max-Forwards 70; the endpoint adds Via."""
    fields = Headers(
        [
            ("From", str(NameAddr(from_).with_tag(from_tag or new_tag()))),
            ("To", str(NameAddr(to))),
            ("Call-ID", call_id or new_call_id(from_.host)),
            ("CSeq", f"{cseq} {method}"),
            ("Max-Forwards", "70"),
        ]
    )
    if contact is not None:
        fields.add("Contact", str(NameAddr(contact)))
    for name, value in headers:
        fields.add(name, value)
    if content_type is not None:
        fields.set("Content-Type", content_type)
    return Request(fields, body, (), method, str(target))


def authorized(request: Request, response: Response, username: str, password: str, *, nc: int = 1) -> Request:
    """The same request again with credentials for the 401 `response`: CSeq one higher, fresh branch (no Via).

    Raises RemoteProtocolError when the response holds no challenge that can be answered.
    """
    failure: RemoteProtocolError | None = None
    for value in response.headers.all("WWW-Authenticate"):
        try:
            challenge = Challenge.parse(value)
        except RemoteProtocolError as error:
            failure = error
            continue
        headers = request.headers.copy()
        headers.remove("Via")
        headers.set("CSeq", f"{request.cseq.number + 1} {request.method}")
        credentials = answer_challenge(challenge, username, password, request.method, request.uri, nc=nc)
        headers.set("Authorization", credentials.header())
        return Request(headers, request.body, (), request.method, request.uri)
    raise failure or RemoteProtocolError("the 401 carries no challenge")
