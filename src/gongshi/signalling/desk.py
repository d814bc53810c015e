"""Who moves a camera: a lock with a holder, and a stop when nobody goes on (gb28181.md §8.3, §13.4)."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import monotonic

from gongshi.kit.i18n import Text
from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.manscdp import Command, PtzControl
from gongshi.protocols.ptz import Lens, Move, PtzCommand, Stop
from gongshi.signalling.device_problems import PtzHeld
from gongshi.signalling.peers import PeerState
from gongshi.signalling.policy import Policy


@dataclass(frozen=True, slots=True)
class Holder:
    """Who controls: a person or an upper. Greater priority takes a camera over, equal ones wait."""

    kind: str
    id: int | None
    name: str
    organisation: str = ""
    priority: int = 0

    def same(self, other: "Holder") -> bool:
        """Is it the same controller?"""
        return (self.kind, self.id) == (other.kind, other.id)


@dataclass(slots=True)
class _Held:
    holder: Holder
    until: float
    halt: PtzCommand | None = None
    alarm: asyncio.TimerHandle | None = None


Key = tuple[int, str]
Halt = Callable[[PeerState, str, PtzCommand], None]
"""Sends a stop without waiting."""


class Desk:
    """All cameras that are held, by (peer, channel)."""

    def __init__(self, policy: Policy, halt: Halt) -> None:
        self._policy = policy
        self._halt = halt
        self._held: dict[Key, _Held] = {}

    def holder(self, peer: PeerState, code: str) -> Holder | None:
        """Who holds a camera now."""
        held = self._held.get((peer.id, code))
        return held.holder if held is not None and held.until > monotonic() else None

    def take(self, peer: PeerState, code: str, holder: Holder) -> bool:
        """Hold a camera, or go on holding it; True when it was not held by them. Raises PtzHeld naming who has it."""
        now, key = monotonic(), (peer.id, code)
        held = self._held.get(key)
        if held is not None and held.until > now and not held.holder.same(holder):
            if held.holder.priority >= holder.priority:
                left = max(1, round(held.until - now))
                name = held.holder.name
                raise PtzHeld(
                    Text(
                        f"云台正由“{name}”控制，约 {left} 秒后可用",
                        f"“{name}” is moving the camera; free in about {left} s",
                    ),
                    {**asdict(held.holder), "seconds": left},
                )
            self._stop(key, peer)
        fresh = held is None or held.until <= now or not held.holder.same(holder)
        if held is None or not held.holder.same(holder):
            held = self._held[key] = _Held(holder, 0.0)
        held.holder, held.until = holder, now + self._policy.ptz_hold
        if len(self._held) > 1_000:
            self._held = {k: h for k, h in self._held.items() if h.until > now or h.alarm is not None}
        return fresh

    def release(self, peer: PeerState, code: str, holder: Holder) -> None:
        """Give a camera back at once."""
        held = self._held.get((peer.id, code))
        if held is not None and held.holder.same(holder):
            held.until = 0.0

    def went(self, peer: PeerState, code: str, command: Command, seconds: float) -> None:
        """A command was sent: one that keeps moving is stopped unless it is repeated within `seconds`."""
        held = self._held.get((peer.id, code))
        movement = _movement(command)
        if held is None or movement is None:
            return
        self._disarm(held)
        halt = Stop() if isinstance(movement, Move) else Lens() if movement not in {Stop(), Lens()} else None
        if halt is None:
            return
        held.halt = halt
        held.alarm = asyncio.get_running_loop().call_later(seconds, self._stop, (peer.id, code), peer)

    def _stop(self, key: Key, peer: PeerState) -> None:
        held = self._held.get(key)
        if held is None or held.halt is None:
            return
        halt = held.halt
        self._disarm(held)
        if peer.online:
            self._halt(peer, key[1], halt)

    @staticmethod
    def _disarm(held: _Held) -> None:
        if held.alarm is not None:
            held.alarm.cancel()
        held.alarm = held.halt = None

    def offline(self, peer: PeerState) -> None:
        """Nothing can be stopped any more."""
        for key in [key for key in self._held if key[0] == peer.id]:
            self._disarm(self._held.pop(key))

    def close(self, peer_of: Callable[[int], PeerState | None]) -> None:
        """We go: what moves is stopped first."""
        for key in list(self._held):
            peer = peer_of(key[0])
            if peer is not None:
                self._stop(key, peer)
        self._held.clear()


def _movement(command: Command) -> Stop | Move | Lens | None:
    if not isinstance(command, PtzControl):
        return None
    try:
        said = command.command
    except ProtocolError:
        return None
    return said if isinstance(said, Stop | Move | Lens) else None
