"""INVITE from an upper: decide, bring the stream up, answer, send after the ACK, end on both sides (§13.3)."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.db.engine import Database
from gongshi.kit.errors import Problem
from gongshi.protocols.errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import MediaStatus
from gongshi.protocols.sdp import Ssrc, SsrcAllocator, answer_offer
from gongshi.protocols.sip import (
    ALLOW,
    MANSCDP,
    MANSRTSP,
    SDP,
    AckMissing,
    AckReceived,
    Cancelled,
    Dialog,
    Flow,
    Request,
    RequestReceived,
    Response,
    Uri,
    new_tag,
)
from gongshi.protocols.sip.mansrtsp import PlaybackAnswer, PlaybackCommand
from gongshi.signalling.agent import USER_AGENT, NoAnswer
from gongshi.signalling.party import Ground
from gongshi.signalling.repository import best_channel
from gongshi.signalling.uppers import repository, routes
from gongshi.signalling.uppers.calls import Standing, UpperCall
from gongshi.signalling.uppers.client import Link
from gongshi.signalling.uppers.gate import Links, Refusals, welcome
from gongshi.signalling.uppers.offers import CallKey, Offer, call_key
from gongshi.signalling.uppers.ports import Granted, RelayTo, Viewing, Wish

log = structlog.get_logger(__name__)

FINISHED: Final = 121
"""NotifyType of MediaStatus: the recording was sent to its end (§9)."""
_OPENING: Final = 64
"""INVITEs of one upper that may be opening at once."""
_FAREWELL: Final = 3.0
"""Seconds that the upper has for its BYE after MediaStatus, and that a BYE of ours waits for its answer."""
_SWEEP: Final = 10.0

_STATUS: Final = {
    "not_found": 404,
    "no_right": 403,
    "forbidden": 403,
    "playback_depth": 403,
    "concurrency": 486,
    "busy": 486,
    "no_channel": 404,
    "channel_unknown": 404,
    "channel_not_playable": 488,
    "device_offline": 480,
    "no_answer": 408,
    "role_unavailable": 503,
    "unavailable": 503,
    "database_unavailable": 503,
    "rights_unavailable": 503,
    "invalid": 488,
    "circle": 482,
}
_CAUSES: Final = {"finished": 200, "closed": 200, "replaced": 200, "stream_lost": 480, "control_lost": 503}
"""Cause of a BYE's Reason header (RFC 3326); whatever ends a right is 403."""

Spawn = Callable[[Coroutine[Any, Any, None]], Any]


@dataclass(slots=True, eq=False)
class _Attempt:
    """An INVITE on its way to a call."""

    event: RequestReceived
    link: Link
    tag: str
    cancelled: bool = False


class Invites:
    """All calls of all uppers."""

    def __init__(
        self, ground: Ground, database: Database, viewing: Viewing, links: Links, refusals: Refusals, spawn: Spawn
    ) -> None:
        self._ground = ground
        self._endpoint = ground.agent.endpoint
        self._database = database
        self._viewing = viewing
        self._links = links
        self._refusals = refusals
        self._spawn = spawn
        self._ssrcs = SsrcAllocator(ground.agent.code)
        self._opening: dict[int, _Attempt] = {}
        self.calls = Standing()

    # --- finding -----------------------------------------------------------------------------------------------------

    def knows(self, request: Request, *, but: int = 0) -> bool:
        """Does a request belong to a call that stands or is being opened (by another INVITE than `but`)?"""
        call_id = request.call_id
        return self.calls.dialled(call_id) or any(
            attempt.event.request.call_id == call_id for token, attempt in self._opening.items() if token != but
        )

    # --- opening -----------------------------------------------------------------------------------------------------

    def invite(self, link: Link, event: RequestReceived, now: float) -> None:
        """A new INVITE of an upper that may speak."""
        request = event.request
        if self.calls.inside(request) is not None:
            # Changing a running call is not offered: the old terms go on (RFC 3261 §14.2).
            self._respond(event, 488)
            return
        if self.knows(request, but=event.token):
            # The same INVITE over two ways (RFC 3261 §8.2.2.2), or a stale one.
            self._respond(event, 482)
            return
        if sum(1 for attempt in self._opening.values() if attempt.link is link) >= _OPENING:
            self._respond(event, 503, headers=[("Retry-After", "5")])
            return
        own_codes = frozenset({link.account.own_code, self._ground.agent.code})
        try:
            routes.refuse_circles(request, own_codes)
            offer = Offer.read(request, link.account.own_code)
        except RemoteProtocolError as error:
            self._respond(event, error.hint_status, headers=self._route(link, None))
            return
        if not welcome(link, offer.host):
            self._refusals.note(
                link.account, request, event.flow, "media", media=f"{offer.host}:{offer.port}", device=offer.device
            )
            self._respond(event, 403, headers=self._route(link, None))
            return
        # Starting a camera takes seconds: the upper must not repeat itself meanwhile (§3.2).
        with contextlib.suppress(ProtocolError):
            self._endpoint.respond(event.token, Response.to_request(request, 100), now)
            self._ground.agent.flush()
        attempt = self._opening[event.token] = _Attempt(event, link, new_tag())
        self._spawn(self._open(attempt, offer))

    async def _open(self, attempt: _Attempt, offer: Offer) -> None:
        event, link = attempt.event, attempt.link
        key = call_key(link.account.id, event.request, offer)
        status, below = 500, None
        ssrc, allocated = self._ssrc(offer)
        try:
            if (old := self.calls.sending(key)) is not None:
                # The same stream again: the old link is replaced, not doubled (§10.4).
                await self.end(old, "closed")
            granted = await self._granted(link, offer, ssrc, event.flow)
            below = granted.path
            if attempt.cancelled or not self._answer(attempt, offer, key, granted):
                await self._viewing.close(granted.session_id, "closed")
                status = 487
            else:
                return
        except Problem as problem:
            status = status_of(problem)
            log.info("signal.upper.invite.failed", upper=link.account.code, device=offer.device, code=problem.code)
        except (RemoteProtocolError, LocalProtocolError) as error:
            status = error.hint_status if isinstance(error, RemoteProtocolError) else 500
        except SQLAlchemyError:
            status = 503
        finally:
            self._opening.pop(event.token, None)
            if allocated is not None:
                self._ssrcs.release(allocated, monotonic())
        if not attempt.cancelled:
            self._respond(event, status, tag=attempt.tag, headers=self._route(link, below))

    def _ssrc(self, offer: Offer) -> tuple[int, Ssrc | None]:
        """The number that we send under: as offered, which every upper understands; ours when it named none (Q-15)."""
        if offer.ssrc is not None:
            return offer.ssrc, None
        allocated = self._ssrcs.allocate(monotonic(), history=offer.kind != "play")
        return allocated.number, allocated

    async def _granted(self, link: Link, offer: Offer, ssrc: int, flow: Flow) -> Granted:
        async with self._database.read() as session:
            target = await repository.camera_known_as(session, link.account.id, offer.device)
            best = None if target is None else await best_channel(session, target.id)
        peer = None if best is None else self._ground.peers.by_id(best[4])
        if peer is not None and peer.code == link.account.code:
            # We would ask the upper itself for it (§13.5: two platforms that cascade to each other).
            raise RemoteProtocolError("the camera is the upper's own", 482)
        relay = RelayTo(offer.host, offer.port, ssrc, offer.transport, offer.kind, offer.speed)
        # A code that means nothing here is asked for all the same: the opener refuses and logs it like any other.
        code = offer.device if target is None else target.code
        return await self._viewing.open(
            link.account.subject, Wish(code, offer.action, relay, offer.interval, flow.host)
        )

    def _answer(self, attempt: _Attempt, offer: Offer, key: CallKey, granted: Granted) -> bool:
        event, link = attempt.event, attempt.link
        request, flow = event.request, event.flow
        address = flow.local_host if granted.address in {"", "0.0.0.0", "::"} else granted.address  # noqa: S104 -- compared with
        answer = answer_offer(offer.sdp, offer.device, address, granted.port, ssrc=Ssrc(granted.ssrc))
        dialog = Dialog.from_request(request, attempt.tag)
        span = 0.0 if offer.interval is None else (offer.interval[1] - offer.interval[0]).total_seconds()
        call = UpperCall(
            granted.session_id,
            link.account.id,
            offer.device,
            offer.device,
            offer.kind,
            key,
            dialog,
            flow,
            event.token,
            span,
        )
        body = answer.to_bytes()
        if granted.filesize:
            body = body.replace(b"\r\ny=", f"\r\na=filesize:{granted.filesize}\r\ny=".encode(), 1)
        headers = [
            ("Contact", f"<{self._contact(link, flow)}>"),
            ("User-Agent", USER_AGENT),
            *self._route(link, granted.path),
        ]
        response = Response.to_request(request, 200, tag=attempt.tag, headers=headers, body=body, content_type=SDP)
        try:
            self._endpoint.respond(event.token, response, monotonic())
        except LocalProtocolError:
            # Its connection broke while the camera was being opened.
            return False
        self.calls.put(call)
        self._ground.agent.flush()
        self._spawn(self._save(call))
        log.info("signal.upper.call.answered", upper=link.account.code, device=offer.device, kind=offer.kind)
        return True

    def _contact(self, link: Link, flow: Flow) -> Uri:
        return link.contact(flow)

    @staticmethod
    def _route(link: Link, below: str | None) -> list[tuple[str, str]]:
        return list(routes.travelled(link.edition, link.account.own_code, below))

    def _respond(
        self,
        event: RequestReceived,
        status: int,
        *,
        tag: str | None = None,
        headers: list[tuple[str, str]] | None = None,
        body: bytes = b"",
        content_type: str | None = None,
    ) -> None:
        response = Response.to_request(
            event.request, status, tag=tag, headers=headers or [], body=body, content_type=content_type
        )
        with contextlib.suppress(ProtocolError):
            self._endpoint.respond(event.token, response, monotonic())
        self._ground.agent.flush()

    # --- how an INVITE goes on -----------------------------------------------------------------------------------------

    def heard(self, event: AckReceived | AckMissing | Cancelled) -> None:
        """News of an INVITE."""
        match event:
            case AckReceived():
                call = self.calls.invited(event.token)
                if call is not None:
                    self._spawn(self._release(call))
            case AckMissing():
                call = self.calls.invited(event.token)
                if call is not None:
                    self._spawn(self.end(call, "not_started"))
            case Cancelled():
                attempt = self._opening.get(event.token)
                if attempt is not None and not attempt.cancelled:
                    attempt.cancelled = True
                    self._respond(attempt.event, 487, tag=attempt.tag)

    async def _release(self, call: UpperCall) -> None:
        try:
            await self._viewing.release(call.session_id)
        except Problem as problem:
            log.warning("signal.upper.release", session=call.session_id, code=problem.code)
            await self.end(call, "stream_lost")

    # --- inside a call -------------------------------------------------------------------------------------------------

    def inside(self, event: RequestReceived) -> None:
        """BYE, INFO and whatever else comes with a call's Call-ID."""
        call = self.calls.inside(event.request)
        if call is None:
            self._respond(event, 481)
            return
        try:
            call.dialog.accept(event.request)
        except RemoteProtocolError as error:
            self._respond(event, error.hint_status)
            return
        match event.request.method:
            case "BYE":
                self._respond(event, 200)
                self._spawn(self._closed(call))
            case "INFO":
                self._spawn(self._info(call, event))
            case "OPTIONS":
                self._respond(event, 200, headers=[("Allow", ALLOW)])
            case _:
                self._respond(event, 405, headers=[("Allow", ALLOW)])

    async def _closed(self, call: UpperCall) -> None:
        """The upper hung up."""
        call.ending = True
        if self.calls.drop(call):
            await self._drop(call)
            with contextlib.suppress(Problem):
                await self._viewing.close(call.session_id, "closed")

    async def _info(self, call: UpperCall, event: RequestReceived) -> None:
        """Playback control, relayed into the call below: positions count from the same start (§13.3)."""
        link = self._links.get(call.upper_id)
        try:
            command = PlaybackCommand.parse(event.request.body)
            if call.kind == "play":
                raise RemoteProtocolError("a live picture has no position", 488)
            position = await self._steer(call, command)
        except RemoteProtocolError as error:
            self._respond(event, error.hint_status)
            return
        except Problem as problem:
            self._respond(event, status_of(problem))
            return
        body, kind = b"", None
        if link is not None and routes.travelled(link.edition, "", None):
            body, kind = PlaybackAnswer(command.cseq, start=position).to_bytes(), MANSRTSP
        self._respond(event, 200, body=body, content_type=kind)

    async def _steer(self, call: UpperCall, command: PlaybackCommand) -> float | None:
        steps: list[tuple[str, float | None]] = []
        match command.method:
            case "PAUSE":
                steps.append(("pause", None))
            case "TEARDOWN":
                steps.append(("teardown", None))
            case _:
                if command.start is not None:
                    steps.append(("seek", min(command.start, call.span)))
                if command.scale is not None:
                    steps.append(("scale", command.scale))
                steps = steps or [("resume", None)]
        answer: dict[str, Any] = {}
        for action, value in steps:
            answer = dict(await self._viewing.control(call.session_id, action, value) or {})
        position = answer.get("position")
        return float(position) if isinstance(position, int | float) else None

    # --- ending --------------------------------------------------------------------------------------------------------

    async def relay_ended(self, session_id: str, code: str, detail: Any = None) -> bool:
        """The media session has ended: tell the upper, with the reason (within 2 s of a revocation)."""
        call = self.calls.session(session_id)
        if call is None:
            return False
        log.info("signal.upper.call.ended", session=session_id, code=code)
        if code == "finished":
            await self._finished(call)
        else:
            await self._hang_up(call, code, detail)
        return True

    async def _finished(self, call: UpperCall) -> None:
        """MediaStatus 121 in the call; the receiver hangs up, and we do if it does not (§11.2)."""
        link = self._links.get(call.upper_id)
        if link is not None and not call.ending:
            body = MediaStatus(call.known_as, link.next_sn(), FINISHED).to_bytes(link.edition)
            request = call.dialog.request("MESSAGE", body=body, content_type=MANSCDP)
            with contextlib.suppress(NoAnswer, ProtocolError):
                await self._ground.agent.ask(request, self._flow(call), _FAREWELL)
            await asyncio.sleep(_FAREWELL)
        await self._hang_up(call, "finished", None)

    async def end(self, call: UpperCall, code: str) -> None:
        """End a call from our side: the session below, and a BYE."""
        with contextlib.suppress(Problem):
            await self._viewing.close(call.session_id, code)
        await self._hang_up(call, code, None)

    async def _hang_up(self, call: UpperCall, code: str, detail: Any) -> None:
        if call.ending:
            return
        call.ending = True
        self.calls.drop(call)
        text = detail.get("en") if isinstance(detail, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] -- JSON of our own agent
        reason = _reason(code, text if isinstance(text, str) else code)
        try:
            request = call.dialog.request("BYE", headers=(("Reason", reason),))
            await self._ground.agent.ask(request, self._flow(call), _FAREWELL)
        except (NoAnswer, ProtocolError) as error:
            log.info("signal.upper.bye.unanswered", session=call.session_id, error=str(error))
        await self._drop(call)

    def _flow(self, call: UpperCall) -> Flow:
        """Where the upper is now: the path of its latest registration counts."""
        link = self._links.get(call.upper_id)
        current = link.flow if link is not None else None
        if current is not None and current.transport == call.flow.transport and current.host == call.flow.host:
            return current if call.flow.transport == "TCP" else call.flow
        return call.flow

    async def gone(self, upper_id: int, code: str) -> None:
        """The upper is lost, disabled or removed: its pictures end (§10.5)."""
        for call in self.calls:
            if call.upper_id == upper_id:
                await self.end(call, code)

    # --- books ---------------------------------------------------------------------------------------------------------

    async def _save(self, call: UpperCall) -> None:
        values = {
            "session_id": call.session_id,
            "upper_id": call.upper_id,
            "camera_code": call.camera_code,
            "state": call.dump(),
        }
        await self._write(lambda session: repository.save_call(session, values))
        if call.ending:
            # It ended while it was being written.
            await self._drop(call)

    async def _drop(self, call: UpperCall) -> None:
        await self._write(lambda session: repository.drop_call(session, call.session_id))

    async def _write(self, work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        try:
            async with self._database.unit() as uow:
                await work(uow.session)
        except (SQLAlchemyError, OSError, UnicodeError) as error:
            log.warning("signal.upper.call.database", error=type(error).__name__)

    async def restore(self) -> None:
        """Take over the calls of an earlier process."""
        async with self._database.read() as session:
            rows = await repository.calls(session)
        for row in rows:
            call = UpperCall.load(row.session_id, row.upper_id, row.camera_code, row.state)
            if call is not None:
                self.calls.put(call)

    async def watch(self) -> None:
        """Hang up calls whose session has ended without our hearing of it (the media role died, for example)."""
        while True:
            await asyncio.sleep(_SWEEP)
            standing = {call.session_id for call in self.calls}
            if not standing:
                continue
            try:
                running = await self._viewing.running(standing)
            except (SQLAlchemyError, OSError, Problem) as error:
                log.warning("signal.upper.sweep", error=type(error).__name__)
                continue
            for session_id in standing - running:
                await self.relay_ended(session_id, "control_lost")


def status_of(problem: Problem) -> int:
    """The SIP status for why a picture did not come: absent and not shared look the same (§13.1)."""
    if problem.code.startswith("refused_") and problem.code[8:].isdigit():
        status = int(problem.code[8:])
        return status if 400 <= status <= 699 else 500
    found = _STATUS.get(problem.code)
    if found is not None:
        return found
    return {404: 404, 403: 403, 409: 486, 422: 488, 429: 486, 503: 503}.get(problem.status, 480)


def _reason(code: str, text: str) -> str:
    """RFC 3326; the text is for people who read a trace."""
    plain = "".join(c for c in text if c.isascii() and c.isprintable() and c not in '"\\')[:120]
    return f'SIP;cause={_CAUSES.get(code, 403)};text="{plain or code}"'
