"""Talking to a device: a voice path in the engine, the device's own call, and the end of both (§12)."""

import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from gongshi.kit import clock
from gongshi.kit.errors import Problem
from gongshi.kit.ids import new_id
from gongshi.media.engine import MediaEngine
from gongshi.media.flows import Flows
from gongshi.media.held import Held
from gongshi.media.ports import ChannelRef, DeviceControl, Transport
from gongshi.media.reasons import SessionFailed, device_failure

log = structlog.get_logger(__name__)

_TRANSPORTS: dict[str, Transport] = {"udp": "udp", "tcp_passive": "tcp_passive", "tcp_active": "tcp_active"}


class Talks:
    """Opens and closes voice paths; which session may is the agent's to know."""

    def __init__(self, engine: MediaEngine, devices: DeviceControl, flows: Flows) -> None:
        self._engine = engine
        self._devices = devices
        self._flows = flows

    async def open(
        self, held: Held, channel: ChannelRef, host: str | None, admit: Callable[[str], Awaitable[None]]
    ) -> dict[str, Any]:
        """Have the device call and let the session speak: `{"url", "expires_at"}`. SessionFailed with the reason.

        `admit` lets the session into the engine, once its right was checked again.
        """
        name = held.talk = str(new_id())
        await self._engine.open_voice(name)
        await admit(name)
        try:
            wanted = await self._devices.talk_call(talk_id=name, channel_id=channel.id)
            held.ssrc = self._flows.numbers.allocate(time.monotonic())
            # The called side chooses across domains; a device that named one expects that.
            ssrc = int(wanted.get("ssrc") or 0) or held.ssrc.number
            sender = await self._engine.start_sender(
                str(held.id),
                (str(wanted["host"]), int(wanted["port"])),
                ssrc,
                _TRANSPORTS.get(str(wanted["transport"]), "udp"),
                held=True,
            )
            await self._devices.talk_answer(talk_id=name, address=sender.address, port=sender.port, ssrc=ssrc)
        except SessionFailed:
            raise
        except Problem as problem:
            raise device_failure(problem) from problem
        await self._engine.release_sender(str(held.id))
        url, expires = self._engine.voice_url(str(held.id), name, host)
        return {"url": url, "expires_at": clock.local(expires).isoformat()}

    async def close(self, held: Held) -> None:
        """End the device's call and the path; whatever fails here is logged and does not stop the rest."""
        name, held.talk = held.talk, None
        if name is None:
            return
        try:
            await self._devices.talk_end(talk_id=name)
        except Problem as problem:
            log.warning("media.talk.end_failed", talk=name, code=problem.code)
        with contextlib.suppress(Problem):
            await self._engine.close_voice(name)
