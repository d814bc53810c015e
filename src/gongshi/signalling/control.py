"""Commands to devices: those with an answer wait for it, those without get none (gb28181.md §8.1)."""

import asyncio
import secrets
from typing import Any, Final

import structlog

from gongshi.kit.errors import Problem
from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.manscdp import Command, DeviceConfig, DeviceControl, PtzControl, Result, Setting, TargetTrack
from gongshi.protocols.ptz import PtzCommand
from gongshi.signalling import device_problems as faults
from gongshi.signalling.desk import Desk, Holder
from gongshi.signalling.exchanges import Exchanges
from gongshi.signalling.peers import Peers, PeerState
from gongshi.signalling.policy import Policy
from gongshi.signalling.queries import is_platform

log = structlog.get_logger(__name__)

DEVICE_CONTROL: Final = "DeviceControl"


def new_session_id() -> str:
    """Names an upgrade or an order for pictures (32-128 letters, digits, dashes)."""
    return secrets.token_hex(20)


class Control:
    """Sends commands; owns the desk."""

    def __init__(self, exchanges: Exchanges, peers: Peers, policy: Policy) -> None:
        self._exchanges = exchanges
        self._peers = peers
        self._policy = policy
        self.desk = Desk(policy, self._halt)
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(
        self, peer: PeerState, code: str, command: Command, holder: Holder | None, *, dead_man: float | None = None
    ) -> dict[str, Any]:
        """Carry a command out: `{"result": "ok"}` when the device said so, `"sent"` when none is due.

        `taken` says whether the holder moves the camera from now on, and did not before.

        Raises PtzHeld, CallFailed when it is offline, NotInEdition, QueryFailed (`device_error` for Result ERROR).
        """
        taken = command.GROUP == "ptz" and holder is not None and self.desk.take(peer, code, holder)
        if not command.ANSWERED:
            self.desk.went(peer, code, command, self._policy.dead_man if dead_man is None else dead_man)
            await self._exchanges.tell(peer, code, DEVICE_CONTROL, lambda sn: DeviceControl(code, sn, command), to=code)
            return {"result": "sent", "taken": taken}
        answer = await self._exchanges.one(
            peer, code, DEVICE_CONTROL, lambda sn: DeviceControl(code, sn, command), to=code
        )
        return self._result(peer, answer)

    async def configure(self, peer: PeerState, code: str, *settings: Setting) -> dict[str, Any]:
        """Write settings; Dahua takes them for the device, not for its channel (Q-27)."""
        target = code if is_platform(peer) else peer.code
        answer = await self._exchanges.one(
            peer, target, "DeviceConfig", lambda sn: DeviceConfig(target, sn, settings), to=target
        )
        return self._result(peer, answer)

    @staticmethod
    def _result(peer: PeerState, answer: Any) -> dict[str, Any]:
        try:
            ok = Result.parse(answer).ok
        except RemoteProtocolError as error:
            raise faults.unreadable(peer.name, str(error)) from error
        if not ok:
            raise faults.declined(peer.name)
        return {"result": "ok"}

    def _halt(self, peer: PeerState, code: str, halt: PtzCommand) -> None:
        """The dead man's stop."""
        log.info("signal.ptz.halted", peer=peer.code, channel=code)
        task = asyncio.create_task(self._stop(peer, code, halt), name=f"halt-{code}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop(self, peer: PeerState, code: str, halt: PtzCommand) -> None:
        try:
            await self._exchanges.tell(
                peer, code, DEVICE_CONTROL, lambda sn: DeviceControl(code, sn, PtzControl(halt)), to=code
            )
        except Problem as problem:
            log.warning("signal.ptz.not_halted", peer=peer.code, channel=code, error=problem.code)

    async def close(self) -> None:
        """Stop what moves; a moment is given for it to be sent."""
        self.desk.close(self._peers.by_id)
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=0.2)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def refused_by_decision(command: Command) -> bool:
    """Automatic following of a target is not built: never sent, never carried out."""
    return isinstance(command, TargetTrack)
