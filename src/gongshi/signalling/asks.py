"""What a REGISTER asks, however it was read."""

import secrets
from dataclasses import dataclass
from typing import Final, Protocol

from gongshi.protocols.errors import LocalProtocolError
from gongshi.protocols.sip import Flow, NameAddr, Request, Response, readable
from gongshi.protocols.sip.transactions import server_key

TAG: Final = secrets.token_hex(8)
"""One tag for all answers: a repeated request must get the same one (RFC 3261 §8.2.7), and nothing depends on it."""


class Ask(Protocol):
    """Texts are as sent."""

    @property
    def code(self) -> str:
        """Who registers: the user of To."""
        ...

    @property
    def sender(self) -> str:
        """The user of From."""
        ...

    @property
    def authorization(self) -> str | None: ...

    @property
    def expires(self) -> int | None:
        """Seconds: the header's, else the Contact's."""
        ...

    @property
    def contact(self) -> str | None: ...

    @property
    def contact_uri(self) -> str | None:
        """The Contact's address in brackets, to be given back; None when there is none that can be."""
        ...

    @property
    def call_id(self) -> str: ...

    @property
    def version(self) -> str | None: ...

    @property
    def user_agent(self) -> str | None: ...

    @property
    def key(self) -> tuple[str | int, ...]:
        """Equal for repetitions of the same request."""
        ...

    def answer(self, status: int, more: str) -> bytes:
        """The bytes of an answer; `more` is whole header lines."""
        ...


@dataclass(frozen=True, slots=True)
class Read:
    """The long way: from a parsed request."""

    request: Request
    code: str
    sender: str
    authorization: str | None
    expires: int | None
    contact: str | None
    contact_uri: str | None
    call_id: str
    version: str | None
    user_agent: str | None
    key: tuple[str | int, ...]

    def answer(self, status: int, more: str) -> bytes:
        headers = [
            (name, value) for name, colon, value in (line.partition(": ") for line in more.split("\r\n")) if colon
        ]
        return Response.to_request(self.request, status, headers=headers, tag=TAG).to_bytes()


def ask_of(request: Request, flow: Flow) -> Ask:
    """Raises RemoteProtocolError for what cannot be read."""
    key = server_key(request, flow.host)
    request.stamp_source(*flow.next_hop)
    contact = request.contact
    uri = None
    if contact is not None:
        try:
            uri = str(NameAddr(contact.uri))
        except LocalProtocolError:
            uri = None
    return Read(
        request=request,
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
    )


def _text(value: str | None) -> str | None:
    return readable(value) if value else None
