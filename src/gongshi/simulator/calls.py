"""Live calls: INVITE to 200, ACK to pictures, BYE to silence; the same Subject again replaces the old call (§10)."""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass

import structlog

from gongshi.kit.clock import local, now
from gongshi.protocols.errors import ProtocolError, RemoteProtocolError
from gongshi.protocols.sdp import SessionDescription, Setup, Ssrc, answer_offer
from gongshi.protocols.sip import SDP, Dialog, NameAddr, Request, RequestReceived, Response, Uri
from gongshi.simulator.agent import Agent, NoAnswer
from gongshi.simulator.config import Channel, PlatformConfig
from gongshi.simulator.stream import MediaStream, Target
from gongshi.simulator.video.clip import Clip, Look, Studio
from gongshi.simulator.video.osd import Label

log = structlog.get_logger(__name__)

_COMPLEMENT: dict[Setup, Setup] = {"active": "passive", "passive": "active"}


@dataclass(slots=True)
class Call:
    """One dialog and its stream."""

    token: int
    dialog: Dialog
    stream: MediaStream
    subject: tuple[str, ...]


class Calls:
    """All calls of a platform."""

    def __init__(self, config: PlatformConfig, agent: Agent, studio: Studio) -> None:
        self._config = config
        self._agent = agent
        self._studio = studio
        self._channels = {channel.code: channel for channel in config.channels}
        self._seeds = {channel.code: index for index, channel in enumerate(config.channels)}
        self._calls: dict[int, Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.opened = 0

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run something beside; it is ended by `close`."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def streams(self) -> list[MediaStream]:
        """The streams of calls that stand."""
        return [call.stream for call in self._calls.values()]

    def label(self, channel: Channel) -> Label:
        """What stands on the channel's picture."""
        place = channel.place or tuple(dict.fromkeys(line for line in (channel.address, channel.name) if line))
        return Label(place, channel.source or self._config.name)

    async def warm(self, channel: Channel) -> None:
        """Have the first pictures of a channel made, so that opening it later is quick."""
        await asyncio.wrap_future(self._clip(channel).warm(local(now())))

    def _clip(self, channel: Channel) -> Clip:
        look = Look(channel.scene, self._seeds[channel.code], self.label(channel), channel.codec)
        return self._studio.clip(look, local(now()))

    # --- what comes in -----------------------------------------------------------------------------------------------

    async def invite(self, event: RequestReceived) -> None:
        """Answer an INVITE: 100, then 200 with our SDP, or a refusal that says which kind."""
        request = event.request
        self._agent.respond(event.token, Response.to_request(request, 100))
        try:
            call = await self._accept(event)
        except RemoteProtocolError as error:
            log.info("simulator.invite.refused", status=error.hint_status, reason=str(error))
            self._agent.respond(event.token, Response.to_request(request, error.hint_status))
            return
        except OSError as error:
            log.warning("simulator.invite.failed", error=str(error))
            self._agent.respond(event.token, Response.to_request(request, 500))
            return
        # §10.4: the same sender and sequence again means that the old link is to be replaced.
        replaced = [other for other in self._calls.values() if other.subject == call.subject]
        self._calls[event.token] = call
        self.opened += 1
        for other in replaced:
            await self.hang_up(other)

    def _channel(self, request: Request) -> Channel:
        refusal = self._config.faults.refuse_invite
        if refusal is not None:
            raise RemoteProtocolError("told to refuse", refusal)
        # The camera is in the Request-URI; some uppers put their own idea of our address there and the camera into To.
        channel = self._channels.get(request.target.user) or self._channels.get(request.to.uri.user)
        if channel is None:
            raise RemoteProtocolError("unknown channel", 404)
        if not channel.online:
            raise RemoteProtocolError("the channel is off", 480)
        return channel

    async def _accept(self, event: RequestReceived) -> Call:
        request = event.request
        channel = self._channel(request)
        offer = SessionDescription.parse(request.body)
        if offer.name.strip().lower() not in {"play", ""}:
            raise RemoteProtocolError("only live pictures are here", 488)
        media = offer.section("video")
        if media is None:
            raise RemoteProtocolError("the offer has no video", 488)
        setup: Setup | None = _COMPLEMENT[media.setup or "passive"] if media.tcp else None
        target = Target(offer.media_address(media), media.port, setup)
        ssrc = offer.ssrc or Ssrc(int(channel.code[3:8]) * 10_000 + event.token % 10_000)
        # Checked before a port is taken: it raises for an offer that names no place.
        answer_offer(offer, channel.code, event.flow.local_host, 9, ssrc=ssrc)
        stream = MediaStream(channel, self._clip(channel), self._studio, target, ssrc.number)
        stream.faults = self._config.faults
        try:
            port = await stream.open(event.flow.local_host)
        except OSError:
            await stream.stop()
            raise
        answer = answer_offer(offer, channel.code, event.flow.local_host, port, ssrc=ssrc)
        dialog = Dialog.from_request(request)
        contact = NameAddr(Uri.of(channel.code, event.flow.local_host, event.flow.local_port))
        response = Response.to_request(
            request,
            200,
            tag=dialog.local_tag,
            headers=[("Contact", str(contact))],
            body=answer.to_bytes(),
            content_type=SDP,
        )
        call = Call(event.token, dialog, stream, _identity(request, offer))
        stream.on_broken = lambda: self.spawn(self.hang_up(call))
        self._agent.respond(event.token, response)
        return call

    def acknowledged(self, token: int) -> None:
        """The ACK came: pictures may flow."""
        call = self._calls.get(token)
        if call is not None:
            call.stream.start()

    async def unacknowledged(self, token: int) -> None:
        """No ACK within 32 s: the caller is gone (RFC 3261 §13.3.1.4)."""
        call = self._calls.get(token)
        if call is not None:
            await self.hang_up(call)

    async def bye(self, event: RequestReceived) -> None:
        """End the call that the request belongs to."""
        call = self._find(event.request)
        if call is None:
            self._agent.respond(event.token, Response.to_request(event.request, 481))
            return
        self._agent.respond(event.token, Response.to_request(event.request, 200))
        del self._calls[call.token]
        await call.stream.stop()
        log.info("simulator.call.ended", channel=call.stream.channel.code, frames=call.stream.frames)

    def refresh(self, code: str) -> None:
        """Key pictures now on all streams of a channel (IFrameCmd)."""
        for stream in self.streams:
            if stream.channel.code == code:
                stream.refresh()

    # --- ending ------------------------------------------------------------------------------------------------------

    def _find(self, request: Request) -> Call | None:
        return next((call for call in self._calls.values() if call.dialog.matches(request)), None)

    async def hang_up(self, call: Call) -> None:
        """End a call from our side: stop the stream, send BYE, do not insist on an answer."""
        if self._calls.pop(call.token, None) is None:
            return
        await call.stream.stop()
        with contextlib.suppress(NoAnswer, ProtocolError):
            await self._agent.request(call.dialog.request("BYE"), 2.0)

    async def close(self) -> None:
        """End all calls."""
        await asyncio.gather(*(self.hang_up(call) for call in list(self._calls.values())))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _identity(request: Request, offer: SessionDescription) -> tuple[str, ...]:
    """What makes a call the same as another (§10.4, Q-15: sequence 0 or empty says nothing)."""
    subject, caller = request.subject, request.from_.uri.user
    if subject.sender_sequence.strip("0"):
        return caller, subject.sender, subject.sender_sequence
    receiver = (subject.receiver, subject.receiver_sequence)
    return caller, request.target.user, offer.name, *receiver
