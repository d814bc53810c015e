"""INVITE and SUBSCRIBE dialogs of both sides (RFC 3261 §12): identity, sequence numbers, requests inside."""

from dataclasses import asdict, dataclass, field

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.sip.headers import Headers
from gongshi.protocols.sip.message import Request, Response, new_tag
from gongshi.protocols.sip.uri import NameAddr

DialogKey = tuple[str, str, str]
"""(Call-ID, our tag, their tag)."""


@dataclass(slots=True)
class Dialog:
    """One side's view. All fields are plain values, so that a dialog survives a restart (`dump`, `load`)."""

    call_id: str
    local: str
    """Our From/To value with tag."""
    remote: str
    """Theirs; a peer may have no tag (S-07)."""
    local_tag: str
    remote_tag: str
    target: str
    """Request-URI for requests inside: their Contact, or their address when they gave none."""
    local_cseq: int
    remote_cseq: int = -1
    invite_cseq: int = 0
    """Sequence number of the INVITE, which the ACK repeats."""
    routes: list[str] = field(default_factory=list[str])
    outgoing: bool = True
    """We sent the INVITE."""

    @classmethod
    def from_response(cls, invite: Request, response: Response) -> "Dialog":
        """The caller's dialog, from a 1xx or 2xx answer."""
        remote = response.to
        return cls(
            call_id=invite.call_id,
            local=invite.headers.get("From") or "",
            remote=response.headers.get("To") or "",
            local_tag=invite.from_.tag or "",
            remote_tag=remote.tag or "",
            target=_target(response, remote),
            local_cseq=invite.cseq.number,
            invite_cseq=invite.cseq.number,
            routes=list(reversed(response.headers.all("Record-Route"))),
        )

    @classmethod
    def from_request(cls, invite: Request, tag: str | None = None) -> "Dialog":
        """The called side's dialog; give `local_tag` to every answer (`Response.to_request(..., tag=)`)."""
        remote = invite.from_
        own = tag or invite.to.tag or new_tag()
        return cls(
            call_id=invite.call_id,
            local=str(invite.to.with_tag(own)),
            remote=invite.headers.get("From") or "",
            local_tag=own,
            remote_tag=remote.tag or "",
            target=_target(invite, remote),
            local_cseq=invite.cseq.number,
            remote_cseq=invite.cseq.number,
            invite_cseq=invite.cseq.number,
            routes=invite.headers.all("Record-Route"),
            outgoing=False,
        )

    @property
    def key(self) -> DialogKey:
        """What later requests of the peer are matched by."""
        return (self.call_id, self.local_tag, self.remote_tag)

    def matches(self, request: Request) -> bool:
        """Does a request of the peer belong here?

        The Call-ID is ours or was never told to others, so it decides; tags may be missing (S-07), swapped or the
        sender another one than in the INVITE (Q-28), but a tag that neither side ever used is a stranger.
        """
        if request.call_id != self.call_id:
            return False
        known = {None, self.local_tag, self.remote_tag}
        stranger_allowed = not self.remote_tag
        return request.to.tag in known and (request.from_.tag in known or stranger_allowed)

    def request(
        self,
        method: str,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> Request:
        """A request inside the dialog, with the next sequence number; the endpoint adds Via."""
        if method == "ACK":
            raise LocalProtocolError("use ack()")
        self.local_cseq += 1
        return self._compose(method, self.local_cseq, headers, body, content_type)

    def ack(self, *, body: bytes = b"", content_type: str | None = None) -> Request:
        """The ACK of a 2xx: a new branch, the INVITE's sequence number."""
        return self._compose("ACK", self.invite_cseq, (), body, content_type)

    def _compose(
        self, method: str, number: int, extra: tuple[tuple[str, str], ...], body: bytes, content_type: str | None
    ) -> Request:
        headers = Headers()
        for route in self.routes:
            headers.add("Route", route)
        headers.add("From", self.local)
        headers.add("To", self.remote)
        headers.add("Call-ID", self.call_id)
        headers.add("CSeq", f"{number} {method}")
        headers.add("Max-Forwards", "70")
        for name, value in extra:
            headers.add(name, value)
        if content_type is not None:
            headers.set("Content-Type", content_type)
        return Request(headers, body, (), method, self.target)

    def accept(self, request: Request) -> None:
        """Take note of a request of the peer. Raises RemoteProtocolError (500) when its number went back.

        An equal number is accepted (Q-12): repeats of the same transaction never come this far.
        """
        number = request.cseq.number
        if number < self.remote_cseq:
            raise RemoteProtocolError("CSeq is lower than before in this dialog", 500)
        self.remote_cseq = number

    def dump(self) -> dict[str, object]:
        """Plain values for storage."""
        return asdict(self)

    @classmethod
    def load(cls, values: dict[str, object]) -> "Dialog":
        """The reverse of `dump`. Raises LocalProtocolError when the values are not a dialog's."""
        blank = cls("", "", "", "", "", "", 0)
        for name, example in asdict(blank).items():
            value = values.get(name)
            if type(value) is not type(example):
                raise LocalProtocolError(f"{name} is not a dialog's")
            setattr(blank, name, value)
        blank.routes = [str(route) for route in blank.routes]
        return blank


def _target(message: Request | Response, peer: NameAddr) -> str:
    contact = message.contact
    return str(contact.uri if contact is not None else peer.uri)
