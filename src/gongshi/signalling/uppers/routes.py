"""Paths over several levels (22 annex H): which way an INVITE came and went, and when it runs in a circle. Pure."""

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.sip import Request

ROUTE = "X-RoutePath"


def path(text: str | None) -> tuple[str, ...]:
    """The platform codes of a path, highest first."""
    return tuple(part.strip() for part in (text or "").split("-") if part.strip())


def refuse_circles(invite: Request, own_codes: frozenset[str]) -> None:
    """Raise RemoteProtocolError (482, 483) for an INVITE that has been here before, or has no hops left (§13.5)."""
    if own_codes & set(path(invite.headers.get(ROUTE))):
        raise RemoteProtocolError("the INVITE has been here before", 482)
    hops = (invite.headers.get("Max-Forwards") or "70").strip()
    if not hops.isascii() or not hops.isdigit() or int(hops[:6]) < 1:
        raise RemoteProtocolError("no hops are left", 483)


def travelled(edition: Edition, own_code: str, below: str | None) -> tuple[tuple[str, str], ...]:
    """The header of an answer: we put ourselves before the levels below; only where the upper knows 2022."""
    if edition != Edition.E2022:
        return ()
    rest = [code for code in path(below) if code != own_code]
    return ((ROUTE, "-".join([own_code, *rest])),)
