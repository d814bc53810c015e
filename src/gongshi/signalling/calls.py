"""Calls to cameras: INVITE, ACK, INFO, BYE, and what can go wrong between them (gb28181.md §10, §11)."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import structlog

from gongshi.kit import clock
from gongshi.kit.i18n import Text
from gongshi.protocols.codes import DeviceCode, Edition
from gongshi.protocols.errors import ProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import MediaStatus, parse
from gongshi.protocols.sdp import SessionDescription, Ssrc, SsrcAllocator
from gongshi.protocols.sip import (
    ALLOW,
    MANSRTSP,
    SDP,
    Dialog,
    Flow,
    Request,
    RequestFailed,
    RequestReceived,
    Response,
    ResponseReceived,
    Uri,
    new_request,
)
from gongshi.protocols.sip import Subject as SubjectHeader
from gongshi.signalling import calls_steer, problems
from gongshi.signalling.agent import USER_AGENT, Agent, NoAnswer
from gongshi.signalling.calls_book import Call, CallBook, Unfinished
from gongshi.signalling.calls_offer import Order, offer_of, playable, summary, told
from gongshi.signalling.peers import PeerState
from gongshi.signalling.policy import Policy
from gongshi.signalling.writer import clean

log = structlog.get_logger(__name__)

_INFO_SECONDS: Final = 5.0
"""How long a person waits for a playback command to be answered."""


@dataclass(slots=True)
class Steps:
    """What happened, for the page: `{"step", "at", "detail"}`."""

    items: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def add(self, step: str, detail: str | Text = "") -> None:
        shown = {"zh": detail.zh, "en": detail.en} if isinstance(detail, Text) else detail
        self.items.append({"step": step, "at": clock.now().isoformat(timespec="milliseconds"), "detail": shown})


@dataclass(slots=True, eq=False)
class _Attempt:
    """One INVITE on its way. Answers after it was given up still have to be ended properly."""

    key: tuple[int, str]
    """Peer and channel."""
    request: Request
    flow: Flow
    steps: Steps
    final: "asyncio.Future[Response | None]"
    heard: bool = False
    abandoned: bool = False
    unwanted: bool = False
    dialog: Dialog | None = None
    hung_up: bool = False
    """The device's BYE came before its 200 was dealt with."""
    forks: set[str] = field(default_factory=set[str])
    """Tags of others who answered the same INVITE."""


@dataclass(frozen=True, slots=True)
class Inside:
    """How to answer a request inside a call."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()


Ended = Callable[[Call, str], None]
"""A call ended without our asking: `remote_bye`, `peer_offline`, `replaced`; `finished`: a recording's end."""
Save = Callable[[Call], Awaitable[None]]
Drop = Callable[[str], Awaitable[None]]


class Calls:
    """All calls by stream. `save` and `drop` keep them in the database, `ended` tells who watches."""

    def __init__(
        self,
        agent: Agent,
        policy: Policy,
        *,
        flow_of: Callable[[int], Flow | None],
        save: Save,
        drop: Drop,
        ended: Ended,
    ) -> None:
        self._agent = agent
        self._policy = policy
        self._flow_of = flow_of
        self._save = save
        self._drop = drop
        self._ended = ended
        self._ssrcs = SsrcAllocator(agent.code)
        self._serials = itertools.count(int(clock.now().timestamp()) % 1_000_000 * 1_000)
        self._book = CallBook()
        self._unfinished = Unfinished()
        self._opening: dict[str, _Attempt | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._book)

    @property
    def running(self) -> list[Call]:
        """Calls that stand."""
        return list(self._book)

    # --- opening -----------------------------------------------------------------------------------------------------

    async def invite(self, peer: PeerState, order: Order) -> dict[str, Any]:
        """Open a call; `{call_id, ssrc, steps, media, filesize?, path?}`. Raises `CallFailed` that says why not."""
        steps = Steps()
        code = playable(order.channel)
        await self.bye(order.stream_id)
        if not peer.online or peer.flow is None:
            raise problems.device_offline(peer.name, peer.reason, steps.items)
        if not order.online:
            steps.add("channel_off", problems.channel_off(order.name))
        if order.live:
            # One live call per channel and domain (§10.4): what is left of an earlier one is ended first.
            await self._end_stale(peer, order.channel, steps)
        allocated = order.ssrc is None
        ssrc = Ssrc(order.ssrc or 0)
        if allocated:
            ssrc = self._ssrcs.allocate(monotonic(), history=not order.live)
        self._opening[order.stream_id] = None
        try:
            call, answer, response = await self._negotiate(peer, code, order, ssrc, steps)
        except BaseException:
            if allocated:
                self._ssrcs.release(ssrc, monotonic())
            raise
        finally:
            self._opening.pop(order.stream_id, None)
        call.own_ssrc = allocated
        self._book.put(call)
        await self._save(call)
        return {
            "call_id": call.dialog.call_id,
            "ssrc": call.ssrc.number,
            "steps": steps.items,
            **told(answer, response, call.flow.host),
        }

    async def _negotiate(
        self, peer: PeerState, code: DeviceCode, order: Order, ssrc: Ssrc, steps: Steps
    ) -> tuple[Call, SessionDescription, Response]:
        modern = peer.edition == Edition.E2022
        tried: set[int] = set()
        while True:
            offer = self._offer(peer, order, ssrc, modern=modern, plain=488 in tried, steps=steps)
            response, taken = await self._try(peer, code, order, ssrc, offer, steps)
            if response.status < 300:
                assert taken.dialog is not None  # noqa: S101 -- made with the 2xx
                call, answer = self._established(peer, order, ssrc, response, taken, steps)
                return call, answer, response
            # Once more, each for its own reason: some take no optional lines (§10.3), some believe that a call of
            # ours still stands.
            again = response.status not in tried and (
                response.status == 488 or (response.status == 486 and await self._finish(peer, order.channel, steps))
            )
            if not again:
                raise problems.refused(response.status, _words(response), steps.items)
            tried.add(response.status)
            steps.add("retried", str(response.status))

    def _offer(
        self, peer: PeerState, order: Order, ssrc: Ssrc, *, modern: bool, plain: bool, steps: Steps
    ) -> SessionDescription:
        assert peer.flow is not None  # noqa: S101 -- checked by the caller
        try:
            return offer_of(order, self._agent.code, peer.flow.local_host, ssrc, modern=modern, plain=plain)
        except ProtocolError as error:
            raise problems.refused(400, str(error), steps.items) from error

    async def _finish(self, peer: PeerState, channel: str, steps: Steps) -> bool:
        """BYE for what may still stand at the device; False when there is nothing."""
        dialogs = self._unfinished.take(peer.id, channel)
        flow = peer.flow
        if flow is None or not dialogs:
            return False
        for dialog in dialogs:
            steps.add("stale_ended", dialog.call_id)
            await self._hang_up(dialog, flow)
        return True

    async def _try(
        self, peer: PeerState, code: DeviceCode, order: Order, ssrc: Ssrc, offer: SessionDescription, steps: Steps
    ) -> tuple[Response, _Attempt]:
        flow = peer.flow
        if flow is None or not peer.online:
            raise problems.device_offline(peer.name, peer.reason, steps.items)
        subject = SubjectHeader(code.value, str(ssrc), self._agent.code, str(next(self._serials)))
        request = new_request(
            "INVITE",
            Uri.of(code.value, flow.host, flow.port),
            self._agent.own,
            Uri.of(code.value, code.domain),
            cseq=peer.next_sn() % 1_000_000 + 1,
            contact=self._agent.contact(flow),
            headers=(("Subject", str(subject)), ("User-Agent", USER_AGENT)),
            body=offer.to_bytes(),
            content_type=SDP,
        )
        final: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        attempt = self._opening[order.stream_id] = _Attempt((peer.id, order.channel), request, flow, steps, final)
        try:
            token = self._agent.start(request, flow, lambda event: self._answered(attempt, event))
        except ProtocolError as error:
            raise problems.refused(503, str(error), steps.items) from error
        # A repeated 200 may come for as long as the transaction lives; then nobody is left to listen for.
        lifetime = self._policy.invite_seconds + 2 * self._policy.timers.limit + 5
        asyncio.get_running_loop().call_later(lifetime, self._agent.forget, token)
        media = offer.media[0]
        steps.add(
            "invited", f"{flow.transport} {flow.host}:{flow.port} ← {media.protocol} {offer.address}:{media.port}"
        )
        try:
            async with asyncio.timeout(self._policy.invite_seconds):
                response = await final
        except TimeoutError:
            response = None
        except asyncio.CancelledError:
            self._give_up(token, attempt)
            raise
        if response is None:
            self._give_up(token, attempt)
            if attempt.unwanted:
                raise problems.not_wanted(steps.items)
            steps.add("timed_out")
            raise problems.no_answer(peer.name, self._policy.invite_seconds, steps.items, heard=attempt.heard)
        return response, attempt

    def _give_up(self, token: int, attempt: _Attempt) -> None:
        """Nobody waits any more: CANCEL if the peer was heard; a late 200 is acknowledged and ended at once."""
        attempt.abandoned = True
        self._agent.endpoint.cancel(token, monotonic())
        self._agent.flush()

    def _answered(self, attempt: _Attempt, event: ResponseReceived | RequestFailed) -> None:
        if isinstance(event, RequestFailed):
            if not attempt.final.done():
                attempt.final.set_result(None)
            return
        response = event.response
        if response.status < 200:
            if not attempt.heard:
                attempt.steps.add("heard", f"{response.status} {_words(response)}")
            attempt.heard = True
            return
        if response.status < 300:
            self._acknowledge(attempt, response)
        if not attempt.final.done():
            attempt.final.set_result(response)

    def _acknowledge(self, attempt: _Attempt, response: Response) -> None:
        """ACK without body, again for every repeated 200 (§10.3); sent where the peer registered from, not to Contact."""
        try:
            dialog = Dialog.from_response(attempt.request, response)
        except RemoteProtocolError as error:
            log.warning("signal.invite.unreadable", error=str(error))
            return
        first = attempt.dialog is None
        if attempt.dialog is None:
            attempt.dialog = dialog
        forked = dialog.remote_tag != attempt.dialog.remote_tag
        self._agent.endpoint.send(dialog.ack(), attempt.flow)
        self._agent.flush()
        if (first and attempt.abandoned) or (forked and dialog.remote_tag not in attempt.forks):
            # Given up, or a second one answered the same INVITE (a fork): one picture is enough (RFC 3261 §13.2.2.4).
            attempt.forks.add(dialog.remote_tag)
            self._spawn(self._hang_up(dialog, attempt.flow, attempt.key))

    def _established(
        self, peer: PeerState, order: Order, ssrc: Ssrc, response: Response, attempt: _Attempt, steps: Steps
    ) -> tuple[Call, SessionDescription]:
        dialog = attempt.dialog
        assert dialog is not None  # noqa: S101 -- made with the 2xx
        if attempt.hung_up:
            raise problems.hung_up(steps.items)
        try:
            answer = SessionDescription.parse(response.body)
        except RemoteProtocolError as error:
            self._spawn(self._hang_up(dialog, attempt.flow, attempt.key))
            steps.add("unreadable", str(error))
            raise problems.unreadable_answer(str(error), steps.items) from error
        said = answer.ssrc or ssrc
        steps.add("answered", summary(answer))
        if said != ssrc:
            # Across domains the called side chooses (§10.2).
            steps.add("ssrc_changed", f"{ssrc} → {said}")
        steps.add("acknowledged")
        call = Call(order.stream_id, peer.id, order.channel, dialog, attempt.flow, said, False, monotonic(), order.kind)
        return call, answer

    async def _end_stale(self, peer: PeerState, channel: str, steps: Steps) -> None:
        for call in self._book.of_channel(peer.id, channel, live=True):
            steps.add("stale_ended", call.stream_id)
            await self._end(call)
            self._ended(call, "replaced")

    # --- steering ----------------------------------------------------------------------------------------------------

    async def steer(self, stream_id: str, action: calls_steer.Action, value: float | None) -> dict[str, Any]:
        """Pause, resume, wind or change the speed of a recording; `{"position"?}`. Raises a Problem."""
        call = self._book.get(stream_id)
        if call is None or call.kind == "play":
            raise calls_steer.NoRecording
        call.commands += 1
        body = calls_steer.command(action, value, call.commands).to_bytes()
        request = call.dialog.request("INFO", body=body, content_type=MANSRTSP)
        flow = self._flow_of(call.peer_id) or call.flow
        try:
            response = await self._agent.ask(request, flow, _INFO_SECONDS)
        except NoAnswer as error:
            raise calls_steer.silent(_INFO_SECONDS) from error
        finally:
            if self._book.get(stream_id) is call:
                # The numbers count on after a restart.
                self._spawn(self._save(call))
        return calls_steer.done(response)

    # --- ending ------------------------------------------------------------------------------------------------------

    async def bye(self, stream_id: str) -> bool:
        """End a call, or give one up that is being opened; False when there is none.

        Returns when the peer answered or a few seconds passed.
        """
        attempt = self._opening.get(stream_id)
        if attempt is not None and not attempt.final.done():
            attempt.unwanted = True
            attempt.final.set_result(None)
            return True
        call = self._book.get(stream_id)
        if call is None:
            return False
        await self._end(call)
        return True

    async def _end(self, call: Call) -> None:
        self._forget(call)
        # The peer may have moved since: the path of its latest registration counts.
        flow = self._flow_of(call.peer_id) or call.flow
        await self._hang_up(call.dialog, flow, (call.peer_id, call.channel))
        await self._drop(call.stream_id)

    def _forget(self, call: Call) -> None:
        if self._book.drop(call) and call.own_ssrc:
            self._ssrcs.release(call.ssrc, monotonic())

    async def _hang_up(self, dialog: Dialog, flow: Flow, key: tuple[int, str] | None = None) -> None:
        """BYE; whose nobody answers is remembered under its peer and channel (`key`)."""
        try:
            await self._agent.ask(dialog.request("BYE"), flow, self._policy.bye_seconds)
        except (NoAnswer, ProtocolError) as error:
            log.info("signal.bye.unanswered", call=dialog.call_id[:16], error=str(error))
            if key is not None:
                self._unfinished.note(*key, dialog)

    def has(self, stream_id: str) -> bool:
        """Is there a call of this stream, or is one being opened?"""
        return self._book.get(stream_id) is not None or stream_id in self._opening

    def restore(self, call: Call) -> None:
        """Take over a call of an earlier process."""
        self._book.put(call)

    async def sweep(self, wanted: set[str], older: float) -> None:
        """End calls whose stream nobody wants any more (left over from a crash)."""
        now = monotonic()
        for call in self.running:
            if call.stream_id not in wanted and now - call.since >= older:
                log.info("signal.call.stale", stream=call.stream_id, channel=call.channel)
                await self._end(call)

    def offline(self, peer: PeerState) -> None:
        """The peer is gone, and so are its streams (§10.5)."""
        for call in self._book.of_peer(peer.id):
            self._forget(call)
            self._ended(call, "peer_offline")
            self._spawn(self._drop(call.stream_id))

    # --- what the device asks ----------------------------------------------------------------------------------------

    def knows(self, request: Request) -> bool:
        """Does a request belong to a call that stands or is being opened?"""
        return self._book.inside(request) is not None or self._attempt(request) is not None

    def inside(self, event: RequestReceived) -> Inside | None:
        """Deal with a request inside a call: how to answer it; None when it belongs to none."""
        request = event.request
        call = self._book.inside(request)
        if call is None:
            attempt = self._attempt(request)
            if attempt is None:
                return None
            attempt.hung_up = attempt.hung_up or request.method == "BYE"
            return Inside(200 if request.method == "BYE" else 491)
        try:
            call.dialog.accept(request)
        except RemoteProtocolError as error:
            return Inside(error.hint_status)
        match request.method:
            case "BYE":
                self._forget(call)
                self._ended(call, "remote_bye")
                self._spawn(self._drop(call.stream_id))
                return Inside(200)
            case "MESSAGE":
                self._said(call, request)
                return Inside(200)
            case "INFO":
                return Inside(200)
            case "INVITE" | "UPDATE":
                # Changing a running call is not offered: the old terms go on (RFC 3261 §14.2).
                return Inside(488)
            case "OPTIONS":
                return Inside(200, (("Allow", ALLOW),))
            case _:
                return Inside(405, (("Allow", ALLOW),))

    def _said(self, call: Call, request: Request) -> None:
        """A MESSAGE inside a call: the end of a recording, whoever its From names (Q-28)."""
        try:
            envelope = parse(request.body)
        except RemoteProtocolError as error:
            log.info("signal.call.unreadable", stream=call.stream_id, error=str(error))
            return
        if envelope.is_("Notify", "MediaStatus") and MediaStatus.parse(envelope).ended:
            self._played(call)

    def media_status(self, peer_id: int, channel: str, status: MediaStatus) -> bool:
        """MediaStatus outside of any call, as some send it: the channel's one recording has ended, if there is one."""
        found = self._book.of_channel(peer_id, channel, live=False)
        if not status.ended or len(found) != 1:
            return False
        self._played(found[0])
        return True

    def _played(self, call: Call) -> None:
        if call.kind != "play":
            self._ended(call, "finished")

    def _attempt(self, request: Request) -> _Attempt | None:
        """The INVITE of ours that was answered a moment ago and is not dealt with yet."""
        for attempt in self._opening.values():
            if attempt is not None and attempt.dialog is not None and attempt.dialog.matches(request):
                return attempt
        return None

    async def close(self) -> None:
        """Stop what runs beside; calls stay as they are, the next process carries them on."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _words(response: Response) -> str:
    return clean(response.reason) or ""
