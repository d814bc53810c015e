"""Voice from the platform: asked by MESSAGE, the device calls back, plays what comes, and ends with BYE (§12)."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace

import structlog

from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.manscdp import Broadcast, Envelope, Result
from gongshi.protocols.rtp import parse
from gongshi.protocols.sdp import Ssrc, audio_offer
from gongshi.protocols.sip import SDP, Dialog, Request, Uri, new_request
from gongshi.simulator.agent import Agent, NoAnswer
from gongshi.simulator.registration import Registration
from gongshi.simulator.site import Site

log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class Speech:
    """One running broadcast."""

    dialog: Dialog
    socket: socket.socket
    packets: int = 0
    octets: int = 0


class Broadcasts:
    """Broadcasts that play."""

    def __init__(
        self,
        site: Site,
        agent: Agent,
        registration: Registration,
        spawn: Callable[[Coroutine[None, None, None]], None],
    ) -> None:
        self._site = site
        self._agent = agent
        self._registration = registration
        self._spawn = spawn
        self.running: list[Speech] = []

    def order(self, envelope: Envelope) -> list[bytes]:
        """Answer a Broadcast, and call its source when we have what it is meant for."""
        order, site = Broadcast.parse(envelope), self._site
        known = site.config.voice and order.target_id in {site.config.code, site.voice_output, *site.cameras}
        if site.config.faults.broadcast_silent:
            return []
        if known and not site.config.faults.broadcast_no_invite:
            self._spawn(self._call(order))
        return [Result("Broadcast", order.target_id, order.sn, known).to_bytes(site.edition)]

    async def _call(self, order: Broadcast) -> None:
        flow = self._agent.flow
        if flow is None:
            return
        sock = socket.socket(socket.AF_INET6 if ":" in flow.local_host else socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        try:
            sock.bind((flow.local_host, 0))
            request = self._invite(order, flow.local_host, int(sock.getsockname()[1]))
            answer, dialog = await self._agent.call(request)
        except (NoAnswer, OSError, ProtocolError) as error:
            log.warning("simulator.broadcast.failed", error=str(error) or "no answer")
            sock.close()
            return
        if dialog is None:
            log.warning("simulator.broadcast.refused", status=answer.status)
            sock.close()
            return
        speech = Speech(dialog, sock)
        self.running.append(speech)
        asyncio.get_running_loop().add_reader(sock.fileno(), self._hear, speech)

    def _invite(self, order: Broadcast, host: str, port: int) -> Request:
        site = self._site
        ssrc = Ssrc(int(site.config.code[3:8]) * 10_000 + order.sn % 10_000)
        offer = audio_offer(order.target_id, host, port, ssrc)
        if site.config.faults.broadcast_wrong_direction:
            media = replace(offer.media[0], attributes=(("sendonly", ""), *offer.media[0].attributes[1:]))
            offer = replace(offer, media=(media,))
        own = Uri.of(order.target_id, site.config.code[:10])
        return new_request(
            "INVITE",
            Uri.of(order.source_id, self._registration.server.host),
            own,
            Uri.of(order.source_id, self._registration.server.host),
            contact=self._registration.contact,
            headers=(("Subject", f"{order.source_id}:{ssrc},{order.target_id}:{ssrc}"),),
            body=offer.to_bytes(),
            content_type=SDP,
        )

    @staticmethod
    def _hear(speech: Speech) -> None:
        with contextlib.suppress(OSError):
            packet = parse(speech.socket.recv(65_535))
            if packet is not None:
                speech.packets += 1
                speech.octets += len(packet.payload)

    def ended(self, request: Request) -> bool:
        """The platform says BYE; False when it means another call."""
        speech = next((s for s in self.running if s.dialog.matches(request)), None)
        if speech is not None:
            self._close(speech)
        return speech is not None

    def _close(self, speech: Speech) -> None:
        self.running.remove(speech)
        asyncio.get_running_loop().remove_reader(speech.socket.fileno())
        speech.socket.close()

    async def close(self) -> None:
        """End every broadcast from our side."""
        for speech in list(self.running):
            self._close(speech)
            with contextlib.suppress(NoAnswer, ProtocolError):
                await self._agent.request(speech.dialog.request("BYE"), 2.0)
