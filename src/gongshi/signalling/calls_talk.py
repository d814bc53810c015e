"""Voice to a device: asked by Broadcast, the device calls back, its call is answered and ended here (§12; 9.12.1)."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.db.engine import Database
from gongshi.db.events import emit
from gongshi.kit.errors import Conflict, Problem
from gongshi.kit.i18n import Text
from gongshi.protocols.errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import Broadcast, Result
from gongshi.protocols.sdp import SessionDescription, Ssrc, audio_answer
from gongshi.protocols.sip import (
    ALLOW,
    SDP,
    AckMissing,
    AckReceived,
    Cancelled,
    Dialog,
    Flow,
    Request,
    RequestReceived,
    Response,
)
from gongshi.signalling import problems, repository
from gongshi.signalling.agent import USER_AGENT, NoAnswer
from gongshi.signalling.party import Concerns, Ground
from gongshi.signalling.peers import PeerState

log = structlog.get_logger(__name__)

STREAM_ENDED: Final = "signalling.stream.ended"
_CALL_BACK: Final = 10.0
"""Seconds that a device has to call, after it agreed."""
_ACK: Final = 5.0


class TalkBusy(Conflict):
    code, title = "talk_busy", Text("正有人与此摄像机对讲", "Somebody is talking to this camera")


class TalkFailed(Problem):
    """The device cannot be spoken to; says why and what to check."""

    status, code, title = 502, "talk_failed", Text("无法与设备对讲", "The device cannot be spoken to")


@dataclass(eq=False, slots=True)
class _Talk:
    """One voice call: wanted, offered by the device, standing."""

    id: str
    peer: PeerState
    code: str
    host: str
    """Where the peer is registered from; only from there its call is taken."""
    offered: "asyncio.Future[SessionDescription]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    acknowledged: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    event: RequestReceived | None = None
    dialog: Dialog | None = None
    answered: bool = False


class Talks:
    """All voice calls, as a party on the server's sockets."""

    def __init__(self, ground: Ground, database: Database) -> None:
        self._ground = ground
        self._agent = ground.agent
        self._database = database
        self._by_id: dict[str, _Talk] = {}
        self._by_host: dict[str, list[_Talk]] = {}
        self._by_call_id: dict[str, _Talk] = {}
        self._by_token: dict[int, _Talk] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._by_id)

    def handlers(self) -> Mapping[str, Callable[..., Awaitable[Any]]]:
        """For the node's control socket."""
        return {"talk_call": self.call, "talk_answer": self.answer, "talk_end": self.end}

    async def stop(self) -> None:
        """End every call while the sockets are still open."""
        for talk in list(self._by_id.values()):
            await self.end(talk.id)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- what the media room asks ------------------------------------------------------------------------------------

    async def call(self, talk_id: str, channel_id: int) -> dict[str, Any]:
        """Have a device call us for our voice; where it wants it: `{"host", "port", "transport", "ssrc"}`.

        Raises TalkBusy, TalkFailed and what a query raises.
        """
        peer, code = await self._target(channel_id)
        if peer.flow is None or not peer.online:
            raise problems.device_offline(peer.name, peer.reason)
        if any(talk.peer is peer and talk.code == code for talk in self._by_id.values()):
            raise TalkBusy
        talk = self._by_id[talk_id] = _Talk(talk_id, peer, code, peer.flow.host)
        self._by_host.setdefault(talk.host, []).append(talk)
        try:
            own = self._agent.code
            answer = await self._ground.devices.exchanges.one(
                peer, code, "Broadcast", lambda sn: Broadcast(own, code, sn), to=code
            )
            if not Result.parse(answer).ok:
                raise _failed(
                    "no_voice",
                    "设备拒绝语音：它没有语音输出（类型 137），或正被占用",
                    "The device refuses voice: it has no voice output (type 137), or it is in use",
                )
            async with asyncio.timeout(_CALL_BACK):
                offer = await talk.offered
        except TimeoutError:
            self._forget(talk)
            raise _failed(
                "no_call_back",
                f"设备同意对讲，但 {_CALL_BACK:.0f} 秒内没有发来呼叫：请检查设备到本平台的 SIP 端口",
                f"The device agreed but did not call within {_CALL_BACK:.0f} s: check its way to our SIP port",
            ) from None
        except BaseException:
            await self._drop(talk)
            raise
        media = offer.section("audio")
        assert media is not None  # noqa: S101 -- looked at when the call came
        transport = "udp"
        if media.tcp:
            transport = "tcp_passive" if media.setup == "active" else "tcp_active"
        ssrc = offer.ssrc.number if offer.ssrc is not None else 0
        return {"host": offer.media_address(media), "port": media.port, "transport": transport, "ssrc": ssrc}

    async def answer(self, talk_id: str, address: str, port: int, ssrc: int) -> None:
        """Take the device's call: we send from `address:port`. Returns with its ACK. Raises TalkFailed."""
        talk = self._by_id.get(talk_id)
        if talk is None or talk.event is None or talk.dialog is None:
            raise _gone()
        event, dialog = talk.event, talk.dialog
        offer = talk.offered.result()
        flow = event.flow
        shown = flow.local_host if address in {"", "0.0.0.0", "::"} else address  # noqa: S104 -- compared with
        try:
            body = audio_answer(offer, self._agent.code, shown, port, ssrc=Ssrc(ssrc)).to_bytes()
            headers = [("Contact", f"<{self._agent.contact(flow)}>"), ("User-Agent", USER_AGENT)]
            response = Response.to_request(
                event.request, 200, tag=dialog.local_tag, headers=headers, body=body, content_type=SDP
            )
            self._agent.endpoint.respond(event.token, response, monotonic())
        except ProtocolError as error:
            await self._drop(talk)
            raise _gone() from error
        talk.answered = True
        self._agent.flush()
        try:
            async with asyncio.timeout(_ACK):
                await talk.acknowledged
        except TimeoutError:
            await self._drop(talk)
            raise _failed(
                "no_ack",
                "设备没有确认（ACK）本平台的应答：请检查网络后重试",
                "The device did not acknowledge our answer: check the network and try again",
            ) from None

    async def end(self, talk_id: str) -> None:
        """End a voice call, or give it up; no error when there is none."""
        talk = self._by_id.get(talk_id)
        if talk is not None:
            await self._drop(talk)

    async def _target(self, channel_id: int) -> tuple[PeerState, str]:
        async with self._database.read() as session:
            channel = await repository.channel(session, channel_id)
        peer = None if channel is None else self._ground.peers.by_id(channel.peer_id)
        if channel is None or peer is None or channel.gone_at is not None:
            raise problems.channel_unknown()
        return peer, channel.code

    # --- what comes in -----------------------------------------------------------------------------------------------

    def claims(self, request: Request, flow: Flow) -> bool:
        """A call from where a device was just asked to call, or something inside a call that stands."""
        if request.call_id in self._by_call_id:
            return True
        return request.method == "INVITE" and any(not talk.offered.done() for talk in self._by_host.get(flow.host, ()))

    def take(self, event: Concerns, now: float) -> None:
        match event:
            case RequestReceived():
                talk = self._by_call_id.get(event.request.call_id)
                if talk is not None:
                    self._inside(talk, event, now)
                else:
                    self._called(event, now)
            case AckReceived():
                talk = self._by_token.get(event.token)
                if talk is not None and not talk.acknowledged.done():
                    talk.acknowledged.set_result(None)
            case AckMissing():
                talk = self._by_token.get(event.token)
                if talk is not None:
                    self._spawn(self._drop(talk))
            case Cancelled():
                talk = self._by_token.get(event.token)
                if talk is not None and talk.event is not None and not talk.answered:
                    self._respond(talk.event, 487, now)
                    self._lost(talk)

    def _called(self, event: RequestReceived, now: float) -> None:
        """The device calls: keep its offer until there is a place to send from."""
        request = event.request
        if request.method != "INVITE":
            self._respond(event, 481, now)
            return
        waiting = [talk for talk in self._by_host.get(event.flow.host, ()) if not talk.offered.done()]
        said = {request.from_.user, request.subject.receiver, request.subject.sender}
        # Some call in the name of the device instead of the camera; then there must be no doubt which one is meant.
        named = [talk for talk in waiting if talk.code in said]
        found = named or (waiting if len(waiting) == 1 else [])
        if not found:
            self._respond(event, 486, now)
            return
        talk = found[0]
        try:
            offer = SessionDescription.parse(request.body)
            audio_answer(offer, self._agent.code, event.flow.local_host, 9)
        except (RemoteProtocolError, LocalProtocolError) as error:
            self._respond(event, 488, now)
            talk.offered.set_exception(
                _failed(
                    "voice_not_understood",
                    f"设备的语音呼叫无法接受（{error}）：只支持 G.711A",
                    f"The device's voice call cannot be taken ({error}): only G.711 A-law is spoken",
                )
            )
            return
        talk.event, talk.dialog = event, Dialog.from_request(request)
        self._by_call_id[request.call_id] = talk
        self._by_token[event.token] = talk
        with contextlib.suppress(ProtocolError):
            self._agent.endpoint.respond(event.token, Response.to_request(request, 100), now)
        talk.offered.set_result(offer)

    def _inside(self, talk: _Talk, event: RequestReceived, now: float) -> None:
        match event.request.method:
            case "BYE":
                self._respond(event, 200, now)
                self._lost(talk)
            case "INVITE" | "UPDATE":
                self._respond(event, 488, now)
            case "INFO" | "OPTIONS" | "MESSAGE":
                self._respond(event, 200, now, [("Allow", ALLOW)])
            case _:
                self._respond(event, 405, now, [("Allow", ALLOW)])

    def lost(self, flow: Flow) -> None:
        """A TCP connection closed: calls over it go on, their media is another matter."""

    def ring(self, flow: Flow) -> int | None:
        """Devices have rings of their own."""
        return None

    def _respond(
        self, event: RequestReceived, status: int, now: float, headers: list[tuple[str, str]] | None = None
    ) -> None:
        with contextlib.suppress(ProtocolError):
            response = Response.to_request(event.request, status, headers=headers or ())
            self._agent.endpoint.respond(event.token, response, now)
        self._agent.flush()

    # --- ending ------------------------------------------------------------------------------------------------------

    def _forget(self, talk: _Talk) -> bool:
        if self._by_id.get(talk.id) is not talk:
            return False
        del self._by_id[talk.id]
        others = self._by_host[talk.host]
        others.remove(talk)
        if not others:
            del self._by_host[talk.host]
        if talk.event is not None:
            self._by_call_id.pop(talk.event.request.call_id, None)
            self._by_token.pop(talk.event.token, None)
        if not talk.offered.done():
            talk.offered.cancel()
        return True

    def _lost(self, talk: _Talk) -> None:
        """The device ended it."""
        if self._forget(talk):
            self._spawn(self._tell(talk))

    async def _tell(self, talk: _Talk) -> None:
        try:
            async with self._database.unit() as uow:
                await emit(uow, STREAM_ENDED, stream_id=talk.id, channel=talk.code, reason="remote_bye")
        except (SQLAlchemyError, OSError) as error:
            log.warning("signal.talk.not_told", talk=talk.id, error=type(error).__name__)

    async def _drop(self, talk: _Talk) -> None:
        """We end it: BYE for a call that was answered, a refusal for one that waits."""
        if not self._forget(talk) or talk.event is None or talk.dialog is None:
            return
        if not talk.answered:
            self._respond(talk.event, 486, monotonic())
            return
        flow = talk.peer.flow or talk.event.flow
        try:
            await self._agent.ask(talk.dialog.request("BYE"), flow, self._ground.policy.bye_seconds)
        except (NoAnswer, ProtocolError) as error:
            log.info("signal.talk.bye_unanswered", talk=talk.id, error=str(error))

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _failed(code: str, zh: str, en: str) -> TalkFailed:
    return TalkFailed(Text(zh, en), code=code)


def _gone() -> TalkFailed:
    return _failed("talk_over", "设备已经挂断", "The device has hung up")
