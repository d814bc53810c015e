"""Calls for live pictures and recordings: INVITE to 200, ACK to pictures, INFO to steer, BYE to silence (§10, §11)."""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from gongshi.kit.clock import local, now
from gongshi.protocols.errors import ProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import MediaStatus
from gongshi.protocols.sdp import SessionDescription, Setup, Ssrc, answer_offer
from gongshi.protocols.sip import MANSCDP, MANSRTSP, SDP, Dialog, NameAddr, Request, RequestReceived, Response, Uri
from gongshi.protocols.sip.mansrtsp import PlaybackAnswer, PlaybackCommand
from gongshi.simulator.agent import Agent, NoAnswer
from gongshi.simulator.config import Channel
from gongshi.simulator.playhead import Playhead
from gongshi.simulator.recordings import BYTES_PER_SECOND
from gongshi.simulator.site import Site
from gongshi.simulator.stream import MediaStream, Target
from gongshi.simulator.video.clip import Clip, Look, Studio
from gongshi.simulator.video.osd import Label

log = structlog.get_logger(__name__)

_COMPLEMENT: dict[Setup, Setup] = {"active": "passive", "passive": "active"}
_LIVE, _HISTORY, _DOWNLOAD = ("play", ""), ("playback",), "download"
_LINGER = 1.0
"""Seconds that a stream goes on after its BYE when it is told to break the rule."""


@dataclass(slots=True)
class Call:
    """One dialog and its stream."""

    token: int
    dialog: Dialog
    stream: MediaStream
    subject: tuple[str, ...]


class Calls:
    """All calls of a platform."""

    def __init__(self, site: Site, agent: Agent, studio: Studio) -> None:
        self._site = site
        self._config = site.config
        self._agent = agent
        self._studio = studio
        self._seeds = {code: index for index, code in enumerate(site.channels)}
        self._calls: dict[int, Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._given_up: set[int] = set()
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
        await asyncio.shield(asyncio.wrap_future(self._clip(channel).warm(local(now()))))

    def _clip(self, channel: Channel, head: Playhead | None = None) -> Clip:
        look = Look(channel.scene, self._seeds.get(channel.code, len(self._seeds)), self.label(channel), channel.codec)
        return self._studio.clip(look, local(head.moment if head else now()))

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
        kept = self._config.faults.keep_replaced
        replaced = [other for other in self._calls.values() if other.subject == call.subject and not kept]
        self._calls[event.token] = call
        self.opened += 1
        for other in replaced:
            await self.hang_up(other)

    def cancel(self, token: int, invite: Request) -> None:
        """The caller gave its INVITE up before it was answered."""
        if not self._config.faults.cancel_ignored:
            self._given_up.add(token)
            self._agent.respond(token, Response.to_request(invite, 487))

    def _channel(self, request: Request) -> Channel:
        faults = self._config.faults
        if faults.refuse_invite is not None:
            raise RemoteProtocolError("told to refuse", faults.refuse_invite)
        # The camera is in the Request-URI; some uppers put their own idea of our address there and the camera into To.
        channel = self._site.channels.get(request.target.user) or self._site.channels.get(request.to.uri.user)
        if channel is None and faults.unknown_channel_ok:
            channel = next(iter(self._site.channels.values()))
        if channel is None:
            raise RemoteProtocolError("unknown channel", 404)
        if not channel.online:
            raise RemoteProtocolError("the channel is off", 480)
        return channel

    def _head(self, channel: Channel, offer: SessionDescription) -> Playhead | None:
        """Where a recording begins; None for a live picture."""
        kind = offer.name.strip().lower()
        faults = self._config.faults
        if kind in _LIVE and not faults.refuse_live:
            return None
        refused = faults.no_download if kind == _DOWNLOAD else faults.refuse_playback
        if kind not in {*_HISTORY, _DOWNLOAD} or not self._config.record_days or refused:
            raise RemoteProtocolError("no such pictures are here", 488)
        try:
            start, end = (datetime.fromtimestamp(seconds, UTC) for seconds in (offer.start, offer.end))
        except (ValueError, OverflowError, OSError):
            raise RemoteProtocolError("t= is not a time", 488) from None
        recorder = self._site.recorder(channel.code)
        if end <= start or not recorder.find(start, end, now()):
            raise RemoteProtocolError("nothing was recorded then", 404)
        speed = _number(offer, "downloadspeed") if kind == _DOWNLOAD else 1.0
        return Playhead(recorder, start, end, max(1.0, min(speed, 16.0)))

    async def _accept(self, event: RequestReceived) -> Call:
        request = event.request
        channel = self._channel(request)
        offer = SessionDescription.parse(request.body)
        head = self._head(channel, offer)
        media = offer.section("video")
        if media is None:
            raise RemoteProtocolError("the offer has no video", 488)
        setup: Setup | None = _COMPLEMENT[media.setup or "passive"] if media.tcp else None
        target = Target(offer.media_address(media), media.port, setup)
        ssrc = offer.ssrc or Ssrc(int(channel.code[3:8]) * 10_000 + event.token % 10_000)
        # Checked before a port is taken: it raises for an offer that names no place.
        answer_offer(offer, channel.code, event.flow.local_host, 9, ssrc=ssrc)
        await asyncio.sleep(self._config.answer_delay)
        if event.token in self._given_up:
            raise RemoteProtocolError("given up", 487)
        stream = MediaStream(channel, self._clip(channel, head), self._studio, target, ssrc.number, head)
        stream.faults = self._config.faults
        try:
            port = await stream.open(event.flow.local_host)
        except OSError:
            await stream.stop()
            raise
        download = head is not None and offer.name.strip().lower() == _DOWNLOAD
        size = int(head.length) * BYTES_PER_SECOND if head is not None and download else None
        if self._config.faults.no_filesize:
            size = None
        answer = self._spoiled(
            answer_offer(offer, channel.code, event.flow.local_host, port, ssrc=ssrc, file_size=size)
        )
        dialog = Dialog.from_request(request)
        contact = NameAddr(Uri.of(channel.code, event.flow.local_host, event.flow.local_port))
        response = Response.to_request(
            request,
            200,
            tag=dialog.local_tag,
            headers=[] if self._config.faults.no_contact else [("Contact", str(contact))],
            body=answer.to_bytes(),
            content_type=SDP,
        )
        call = Call(event.token, dialog, stream, _identity(request, offer))
        stream.on_broken = lambda: self.spawn(self.hang_up(call))
        stream.on_finished = lambda: self.spawn(self._finished(call))
        self._agent.respond(event.token, response)
        if self._config.faults.before_ack:
            stream.start()
        return call

    def _spoiled(self, answer: SessionDescription) -> SessionDescription:
        """What the faults make of an answer."""
        faults, media = self._config.faults, answer.media[0]
        attributes = list(media.attributes)
        if faults.wrong_direction:
            attributes = [("recvonly" if name == "sendonly" else name, value) for name, value in attributes]
        if faults.wrong_setup and media.setup is not None:
            same = _COMPLEMENT[media.setup]
            attributes = [(name, same if name == "setup" else value) for name, value in attributes]
        ssrc = None if faults.no_ssrc else answer.ssrc
        return replace(answer, media=(replace(media, attributes=tuple(attributes)),), ssrc=ssrc)

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
        faults = self._config.faults
        if call is None:
            self._agent.respond(event.token, Response.to_request(event.request, 200 if faults.bye_always_ok else 481))
            return
        self._agent.respond(event.token, Response.to_request(event.request, 200))
        del self._calls[call.token]
        if faults.after_bye:
            await asyncio.sleep(_LINGER)
        await call.stream.stop()
        log.info("simulator.call.ended", channel=call.stream.channel.code, frames=call.stream.frames)

    def info(self, event: RequestReceived) -> None:
        """Steer a recording that plays (annex B)."""
        call = self._find(event.request)
        if call is None:
            self._agent.respond(event.token, Response.to_request(event.request, 481))
            return
        head = call.stream.head
        try:
            command = PlaybackCommand.parse(event.request.body)
            if head is None:
                raise RemoteProtocolError("a live picture cannot be steered", 488)
        except RemoteProtocolError as error:
            self._agent.respond(event.token, Response.to_request(event.request, error.hint_status))
            return
        self._steer(call, head, command)
        answer = PlaybackAnswer(
            command.cseq, start=head.position, sequence=call.stream.sequence, timestamp=call.stream.timestamp
        )
        modern = self._config.edition == "2022"
        response = Response.to_request(
            event.request,
            200,
            body=answer.to_bytes() if modern else b"",
            content_type=MANSRTSP if modern else None,
        )
        self._agent.respond(event.token, response)

    def _steer(self, call: Call, head: Playhead, command: PlaybackCommand) -> None:
        faults = self._config.faults
        if command.method == "TEARDOWN":
            self.spawn(call.stream.stop())
            return
        if command.method == "PAUSE" and faults.pause_ignored:
            return
        if faults.scale_ignored:
            command = replace(command, scale=None)
        if faults.seek_ignored:
            command = replace(command, start=None, end=None)
        if head.command(command):
            call.stream.refresh()

    async def _finished(self, call: Call) -> None:
        """The recording was sent to its end: said inside the dialog, and the caller says BYE (§9.8)."""
        faults = self._config.faults
        if call.token not in self._calls or faults.no_media_status:
            return
        serial = self._site.next_serial()
        body = MediaStatus(call.stream.channel.code, serial).to_bytes(self._config.edition)
        request = call.dialog.request("MESSAGE", body=body, content_type=MANSCDP)
        if faults.media_status_outside:
            request.headers.set("Call-ID", f"outside-{serial}@{self._config.domain}")
        with contextlib.suppress(NoAnswer, ProtocolError):
            await self._agent.request(request)

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

    async def hang_up_all(self) -> None:
        """End all calls."""
        await asyncio.gather(*(self.hang_up(call) for call in list(self._calls.values())))

    async def close(self) -> None:
        """End all calls and everything beside them."""
        await self.hang_up_all()
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


def _number(offer: SessionDescription, name: str) -> float:
    """An attribute of the video section as a number; 1 when it is none."""
    media = offer.section("video")
    text = (media.attribute(name) if media else None) or ""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 4 else 1.0
