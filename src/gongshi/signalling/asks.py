"""What a REGISTER asks, however it was read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gongshi.protocols.errors import LocalProtocolError
from gongshi.protocols.sip import NameAddr, Request, Response, readable
from gongshi.protocols.sip.transactions import ServerKey, server_key

Headers = Sequence[tuple[str, str]]


@dataclass(slots=True)
class Ask:
    """`answer(status, headers)` gives the bytes of an answer. Texts are as sent."""

    code: str
    """Who registers: the user of To."""
    sender: str
    authorization: str | None
    expires: int | None
    contact: str | None
    contact_uri: str | None
    """The Contact's address in brackets, to be given back; None when there is none that can be."""
    call_id: str
    version: str | None
    user_agent: str | None
    key: ServerKey
    """Equal for repetitions of the same request."""
    answer: Callable[[int, Headers], bytes]


def ask_of(request: Request, host: str, port: int) -> Ask:
    """The long way: from a parsed request. Raises RemoteProtocolError for what cannot be read."""
    key = server_key(request, host)
    request.stamp_source(host, port)
    contact = request.contact
    uri = None
    if contact is not None:
        try:
            uri = str(NameAddr(contact.uri))
        except LocalProtocolError:
            uri = None
    return Ask(
        code=request.to.user,
        sender=request.from_.user,
        authorization=request.headers.get("Authorization"),
        expires=request.expires,
        contact=_text(request.headers.get("Contact")),
        contact_uri=uri,
        call_id=_text(request.call_id) or "",
        version=_text(request.gb_version),
        user_agent=_text(request.headers.get("User-Agent")),
        key=key,
        answer=lambda status, headers: Response.to_request(request, status, headers=list(headers)).to_bytes(),
    )


def _text(value: str | None) -> str | None:
    return readable(value) if value else None
