"""Who else speaks on the server's sockets: a party takes requests that do not come from a peer (an upper's)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from gongshi.protocols.sip import (
    AckMissing,
    AckReceived,
    Cancelled,
    Flow,
    Request,
    RequestReceived,
    Transport,
)
from gongshi.signalling.agent import Agent
from gongshi.signalling.devices import Devices
from gongshi.signalling.peers import Peers
from gongshi.signalling.policy import Policy
from gongshi.signalling.trace import Trace

Concerns = RequestReceived | AckReceived | AckMissing | Cancelled
"""What a party hears: its requests, and how its INVITEs go on."""


class Party(Protocol):
    """One user of the sockets beside the registrar. Called in the loop; must not block."""

    def claims(self, request: Request, flow: Flow) -> bool:
        """Is this request the party's? In constant time and without I/O; asked for every request but REGISTER."""
        ...

    def take(self, event: Concerns, now: float) -> None:
        """A claimed request to be answered with `endpoint.respond`, or news of an INVITE answered before."""
        ...

    def lost(self, flow: Flow) -> None:
        """A TCP connection closed."""
        ...

    def ring(self, flow: Flow) -> int | None:
        """The trace's ring for messages on a path of the party's; None for a path of somebody else."""
        ...


@dataclass(frozen=True, slots=True)
class Ground:
    """What the server gives a party.

    `reach` finds or opens the path to an address (raises OSError, TimeoutError), `leave` closes what it opened.
    """

    agent: Agent
    peers: Peers
    trace: Trace
    reach: Callable[[str, int, Transport], Awaitable[Flow]]
    leave: Callable[[Flow], None]
    devices: Devices
    policy: Policy
