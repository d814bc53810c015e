"""Live calls to cameras: INVITE, ACK, BYE, and what can go wrong between them (gb28181.md §10)."""

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
from gongshi.protocols.sdp import SessionDescription, Setup, Ssrc, SsrcAllocator, live_offer
from gongshi.protocols.sip import (
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
from gongshi.signalling import problems
from gongshi.signalling.agent import USER_AGENT, Agent, NoAnswer
from gongshi.signalling.peers import PeerState
from gongshi.signalling.policy import Policy
from gongshi.signalling.writer import clean

log = structlog.get_logger(__name__)

_SETUPS: Final[dict[str, Setup | None]] = {"udp": None, "tcp_passive": "passive", "tcp_active": "active"}
_NOT_PLAYABLE: Final = frozenset({"134", "135", "137"})
_ANY: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 -- compared with, nothing is bound


@dataclass(frozen=True, slots=True)
class Order:
    """What the media room asks for: one channel's live stream to be sent to one place."""

    stream_id: str
    channel: str
    name: str
    online: bool
    address: str
    port: int
    ssrc: int | None
    transport: str


@dataclass(slots=True, eq=False)
class Call:
    """A call that stands."""

    stream_id: str
    peer_id: int
    channel: str
    dialog: Dialog
    flow: Flow
    ssrc: Ssrc
    own_ssrc: bool
    """The SSRC was allocated here and must be given back."""
    since: float


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

    request: Request
    flow: Flow
    steps: Steps
    final: "asyncio.Future[Response | None]"
    heard: bool = False
    abandoned: bool = False
    unwanted: bool = False
    dialog: Dialog | None = None


Ended = Callable[[Call, str], None]
"""A call ended without our asking: `remote_bye`, `peer_offline`."""
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
        self._calls: dict[str, Call] = {}
        self._opening: dict[str, _Attempt | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def running(self) -> list[Call]:
        """Calls that stand."""
        return list(self._calls.values())

    # --- opening -----------------------------------------------------------------------------------------------------

    async def invite(self, peer: PeerState, order: Order) -> dict[str, Any]:
        """Open a call; `{call_id, ssrc, steps, media}`. Raises `problems.CallFailed` that says why not."""
        steps = Steps()
        code = _playable(order.channel)
        await self.bye(order.stream_id)
        if not peer.online or peer.flow is None:
            raise problems.device_offline(peer.name, peer.reason, steps.items)
        if not order.online:
            steps.add("channel_off", problems.channel_off(order.name))
        # One live call per channel and domain (§10.4): what is left of an earlier one is ended first.
        await self._end_stale(peer, order.channel, steps)
        allocated = order.ssrc is None
        ssrc = self._ssrcs.allocate(monotonic()) if order.ssrc is None else Ssrc(order.ssrc)
        self._opening[order.stream_id] = None
        try:
            call, answer = await self._negotiate(peer, code, order, ssrc, steps)
        except BaseException:
            if allocated:
                self._ssrcs.release(ssrc, monotonic())
            raise
        finally:
            self._opening.pop(order.stream_id, None)
        call.own_ssrc = allocated
        self._calls[order.stream_id] = call
        await self._save(call)
        return {
            "call_id": call.dialog.call_id,
            "ssrc": call.ssrc.number,
            "steps": steps.items,
            "remote": _remote(answer),
            "media": _media(answer),
        }

    async def _negotiate(
        self, peer: PeerState, code: DeviceCode, order: Order, ssrc: Ssrc, steps: Steps
    ) -> tuple[Call, SessionDescription]:
        modern = peer.edition == Edition.E2022
        plain = False
        for attempt in range(2):
            offer = self._offer(peer, order, ssrc, modern=modern and not plain, with_format=not plain)
            response, taken = await self._try(peer, code, order, ssrc, offer, steps)
            if response.status < 300:
                assert taken.dialog is not None  # noqa: S101 -- made with the 2xx
                return self._established(peer, order, ssrc, response, taken, steps)
            retry = attempt == 0 and response.status == 488
            if not retry:
                raise problems.refused(response.status, _words(response), steps.items)
            # Some take no optional lines (§10.3): once more without them.
            plain = True
            steps.add("retried", "488")
        raise AssertionError("unreachable")

    def _offer(
        self, peer: PeerState, order: Order, ssrc: Ssrc, *, modern: bool, with_format: bool
    ) -> SessionDescription:
        assert peer.flow is not None  # noqa: S101 -- checked by the caller
        address = peer.flow.local_host if order.address in _ANY else order.address
        return live_offer(
            self._agent.code,
            address,
            order.port,
            ssrc,
            setup=_SETUPS.get(order.transport),
            stream_number=0 if modern else None,
            with_format=with_format,
        )

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
        attempt = self._opening[order.stream_id] = _Attempt(request, flow, steps, final)
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
        first = attempt.dialog is None
        if attempt.dialog is None:
            try:
                attempt.dialog = Dialog.from_response(attempt.request, response)
            except RemoteProtocolError as error:
                log.warning("signal.invite.unreadable", error=str(error))
                return
        self._agent.endpoint.send(attempt.dialog.ack(), attempt.flow)
        self._agent.flush()
        if first and attempt.abandoned:
            self._spawn(self._hang_up(attempt.dialog, attempt.flow))

    def _established(
        self, peer: PeerState, order: Order, ssrc: Ssrc, response: Response, attempt: _Attempt, steps: Steps
    ) -> tuple[Call, SessionDescription]:
        dialog = attempt.dialog
        assert dialog is not None  # noqa: S101 -- made with the 2xx
        try:
            answer = SessionDescription.parse(response.body)
        except RemoteProtocolError as error:
            self._spawn(self._hang_up(dialog, attempt.flow))
            steps.add("unreadable", str(error))
            raise problems.unreadable_answer(str(error), steps.items) from error
        said = answer.ssrc or ssrc
        steps.add("answered", _summary(answer))
        if said != ssrc:
            # Across domains the called side chooses (§10.2).
            steps.add("ssrc_changed", f"{ssrc} → {said}")
        steps.add("acknowledged")
        call = Call(order.stream_id, peer.id, order.channel, dialog, attempt.flow, said, False, monotonic())
        return call, answer

    async def _end_stale(self, peer: PeerState, channel: str, steps: Steps) -> None:
        for call in self.running:
            if call.peer_id == peer.id and call.channel == channel:
                steps.add("stale_ended", call.stream_id)
                await self._end(call)
                self._ended(call, "replaced")

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
        call = self._calls.get(stream_id)
        if call is None:
            return False
        await self._end(call)
        return True

    async def _end(self, call: Call) -> None:
        self._forget(call)
        # The peer may have moved since: the path of its latest registration counts.
        await self._hang_up(call.dialog, self._flow_of(call.peer_id) or call.flow)
        await self._drop(call.stream_id)

    def _forget(self, call: Call) -> None:
        if self._calls.get(call.stream_id) is call:
            del self._calls[call.stream_id]
            if call.own_ssrc:
                self._ssrcs.release(call.ssrc, monotonic())

    async def _hang_up(self, dialog: Dialog, flow: Flow) -> None:
        try:
            await self._agent.ask(dialog.request("BYE"), flow, self._policy.bye_seconds)
        except (NoAnswer, ProtocolError) as error:
            log.info("signal.bye.unanswered", call=dialog.call_id[:16], error=str(error))

    def restore(self, call: Call) -> None:
        """Take over a call of an earlier process."""
        self._calls[call.stream_id] = call

    async def sweep(self, wanted: set[str], older: float) -> None:
        """End calls whose stream nobody wants any more (left over from a crash)."""
        now = monotonic()
        for call in self.running:
            if call.stream_id not in wanted and now - call.since >= older:
                log.info("signal.call.stale", stream=call.stream_id, channel=call.channel)
                await self._end(call)

    def offline(self, peer: PeerState) -> None:
        """The peer is gone, and so are its streams (§10.5)."""
        for call in self.running:
            if call.peer_id == peer.id:
                self._forget(call)
                self._ended(call, "peer_offline")
                self._spawn(self._drop(call.stream_id))

    def remote(self, event: RequestReceived) -> tuple[int, Call | None]:
        """A request inside a call: the status to answer with. BYE ends the call."""
        request = event.request
        call = self._find(request)
        if call is None:
            return 481, None
        if request.method == "BYE":
            self._forget(call)
            self._ended(call, "remote_bye")
            self._spawn(self._drop(call.stream_id))
        return 200, call

    def knows(self, request: Request) -> bool:
        """Does a request belong to a call that stands?"""
        return self._find(request) is not None

    def _find(self, request: Request) -> Call | None:
        return next((call for call in self._calls.values() if call.dialog.matches(request)), None)

    async def close(self) -> None:
        """Stop what runs beside; calls stay as they are, the next process carries them on."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _playable(channel: str) -> DeviceCode:
    try:
        code = DeviceCode.parse(channel)
    except ProtocolError:
        raise problems.channel_unknown() from None
    if code.type.startswith("2") or code.type in _NOT_PLAYABLE:
        raise problems.not_playable(channel)
    return code


def _words(response: Response) -> str:
    return clean(response.reason) or ""


def _media(answer: SessionDescription) -> dict[str, Any]:
    """Where the sender says it sends from, for diagnosis when nothing arrives."""
    media = answer.section("video")
    if media is None:
        return {}
    encodings = sorted({entry.encoding for entry in media.rtpmaps.values()})
    return {
        "address": answer.media_address(media),
        "port": media.port,
        "protocol": media.protocol,
        "setup": media.setup,
        "encodings": encodings,
    }


def _remote(answer: SessionDescription) -> str | None:
    media = answer.section("video")
    return f"{answer.media_address(media)}:{media.port}" if media else None


def _summary(answer: SessionDescription) -> str:
    media = answer.section("video")
    if media is None:
        return "200"
    return f"200 {media.protocol} {answer.media_address(media)}:{media.port}" + (
        f" y={answer.ssrc}" if answer.ssrc else ""
    )
