"""An upper as the process knows it, and which addresses are its own (design.md §6 "Uppers")."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from gongshi.access.subjects import Subject
from gongshi.db.uow import Actor
from gongshi.protocols.codes import Edition
from gongshi.protocols.manscdp import Charset
from gongshi.protocols.sip import Transport


@dataclass(frozen=True, slots=True)
class Account:
    """The settings of one upper, its password opened."""

    id: int
    code: str
    name: str
    organisation_id: int
    organisation_name: str
    region_code: str
    level: str
    domain: str
    host: str
    port: int
    transport: Transport
    own_code: str
    username: str
    password: str
    realm: str | None = None
    edition: Edition | None = None
    charset: Charset | None = None
    expires: int = 86_400
    interval: int = 60
    misses: int = 3
    retry: int = 60
    tree: str = "none"
    contact: str | None = None
    sources: tuple[str, ...] = ()
    media_networks: tuple[str, ...] = ()
    redirects: tuple[str, ...] = ()
    enabled: bool = True

    @property
    def subject(self) -> Subject:
        """The upper as rights know it."""
        return Subject(
            kind="upper",
            id=self.id,
            name=self.name,
            organisation_id=self.organisation_id,
            organisation_name=self.organisation_name,
            region_code=self.region_code,
            level=self.level,
        )

    def actor(self, address: str | None) -> Actor:
        """The upper as the log names it."""
        return self.subject.actor(address)


def inside(address: str, networks: Iterable[str], own: Iterable[str]) -> bool:
    """Does an IP address lie in one of the networks, or, when none is given, is it one of `own`?

    Names and whatever else is no address are never inside: nothing is resolved here.
    """
    try:
        wanted = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return False
    if wanted.is_unspecified or wanted.is_multicast:
        return False
    # A list that cannot be read is a list all the same: it lets nobody in.
    texts = list(networks) or list(own)
    return any(wanted in network for text in texts if (network := _network(text)) is not None)


def _network(text: str) -> "ipaddress.IPv4Network | ipaddress.IPv6Network | None":
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None
