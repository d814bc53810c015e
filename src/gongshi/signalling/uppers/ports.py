"""What uppers ask of other rooms, as small Protocols that the node fills (design.md §3)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from gongshi.access.actions import Action
from gongshi.access.snapshot import RightsSnapshot
from gongshi.access.subjects import Subject
from gongshi.protocols.manscdp import AnyMessage, Element
from gongshi.signalling.desk import Holder

Kind = Literal["play", "playback", "download"]
RelayTransport = Literal["udp", "tcp_active", "tcp_passive"]
"""As seen from us: `tcp_active`, we connect to the upper; `tcp_passive`, we listen."""


@dataclass(frozen=True, slots=True)
class RelayTo:
    """Where an upper wants its media."""

    host: str
    port: int
    ssrc: int
    transport: RelayTransport
    kind: Kind
    speed: int | None = None
    """Of a download: how many times faster than real time."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One INVITE of an upper as a wish to look at a camera."""

    camera_code: str
    action: Action
    relay: RelayTo
    interval: tuple[datetime, datetime] | None
    address: str


@dataclass(frozen=True, slots=True)
class Granted:
    """A session whose sender stands ready and silent."""

    session_id: str
    address: str
    port: int
    ssrc: int
    filesize: int | None = None
    path: str | None = None
    """X-RoutePath of the levels below, as the lower platform said it."""


class Viewing(Protocol):
    """media: the only opener of pictures (design.md §6)."""

    async def open(self, subject: Subject, wish: Wish) -> Granted:
        """Decide, log, bring the stream up, prepare a sender. Raises Problem."""
        ...

    async def release(self, session_id: str) -> None:
        """The upper acknowledged: begin to send. Raises Problem."""
        ...

    async def close(self, session_id: str, code: str) -> None:
        """End the session; no error when it has ended."""
        ...

    async def control(self, session_id: str, action: str, value: float | None) -> Mapping[str, Any]:
        """`pause`, `resume`, `scale`, `seek` or `teardown`; `{"position"?}` in seconds. Raises Problem."""
        ...

    async def running(self, session_ids: Collection[str]) -> set[str]:
        """Those that have not ended."""
        ...


class Rights(Protocol):
    """access: rights in memory, as `RightsFollower` holds them."""

    def current(self) -> RightsSnapshot: ...

    def on_change(self, callback: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Errand:
    """A query or control of an upper for one camera. Code and number of `message` are replaced by those below."""

    camera_id: int
    message: AnyMessage
    command: str
    """CmdType."""
    answered: bool
    """Whether the device answers this command at all (§8.1)."""
    holder: Holder
    """For whom a camera is moved."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a device answered."""

    code: str
    """The device's own code, wherever it stands in the contents."""
    contents: Sequence[Sequence[Element]]
    """Of each answer, what stands after DeviceID; none for a command without an answer."""


class Below(Protocol):
    """signalling towards devices: carries an errand to the device that has the camera."""

    async def forward(self, errand: Errand) -> Reply:
        """Ask or command, and wait for the answers. Raises Problem."""
        ...
