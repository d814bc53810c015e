"""What comes in: bytes to messages to whoever deals with them. Nothing a peer sends raises out of here."""

import asyncio
import contextlib
from collections.abc import Callable, Collection
from dataclasses import replace
from time import monotonic
from typing import Final

import structlog

from gongshi.protocols.errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import CatalogResponse, Envelope, MediaStatus, fast_keepalive, parse
from gongshi.protocols.manscdp.items import fast_catalog
from gongshi.protocols.sip import (
    ALLOW,
    AckMissing,
    AckReceived,
    Cancelled,
    Event,
    Flow,
    Request,
    RequestReceived,
    Response,
    SipMessage,
    Via,
    parse_message,
)
from gongshi.protocols.sip.fields import split_vias
from gongshi.signalling.agent import Agent, Sender
from gongshi.signalling.asks import ask_of
from gongshi.signalling.calls import Calls
from gongshi.signalling.catalogue import Catalogues
from gongshi.signalling.devices import Devices
from gongshi.signalling.fast import Note, read_message, read_register
from gongshi.signalling.limits import Sparse
from gongshi.signalling.party import Party
from gongshi.signalling.peers import Peers, PeerState
from gongshi.signalling.registrar import Registrar
from gongshi.signalling.trace import STRANGERS, Trace

log = structlog.get_logger(__name__)

_WORD: Final = 40
_LARGE: Final = 128 * 1024
"""Bytes of a body that is read in a thread; up to here it takes some ten milliseconds at the worst."""
_TO_STRANGERS: Final = {"OPTIONS": 200, "BYE": 481, "CANCEL": 481, "INFO": 481}


def path_text(flow: Flow) -> str:
    """A path for people: `udp:10.5.2.31:5060`."""
    host = f"[{flow.host}]" if ":" in flow.host else flow.host
    return f"{flow.transport.lower()}:{host}:{flow.port}"


class Inbox:
    """The way of a message through the server."""

    def __init__(
        self,
        agent: Agent,
        peers: Peers,
        registrar: Registrar,
        catalogues: Catalogues,
        calls: Calls,
        devices: Devices,
        trace: Trace,
        send: Sender,
        flow_from: Callable[[str, int], Flow],
        proxies: Collection[str] = (),
    ) -> None:
        self._agent = agent
        self._endpoint = agent.endpoint
        self._peers = peers
        self._registrar = registrar
        self._catalogues = catalogues
        self._calls = calls
        self._devices = devices
        self._trace = trace
        self._send = send
        self._flow_from = flow_from
        self._proxies = frozenset(proxies)
        self._sparse = Sparse(60.0)
        self._one_large = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self.parties: list[Party] = []
        self._invites: dict[int, Party] = {}
        self.counters: dict[str, int] = dict.fromkeys(
            ("keepalives", "registers", "messages", "unreadable", "strangers", "unknown_commands"), 0
        )

    # --- bytes -------------------------------------------------------------------------------------------------------

    def datagram(self, data: bytes, host: str, port: int, now: float) -> bytes | None:
        """One UDP datagram; gives the answer to it when there is one at once, which may be empty: nothing yet."""
        answer = self._quickly(data, host, port, now)
        if answer is not None:
            return answer
        if not data.strip(b"\r\n\0 "):
            # An empty datagram keeps a NAT's door open and wants nothing.
            return None
        flow = self._flow_from(host, port)
        try:
            message = parse_message(data)
        except RemoteProtocolError as error:
            self.unreadable(flow, error, data)
            return None
        if host in self._proxies:
            behind = self._behind(message, flow)
            if behind is None:
                self.unreadable(flow, RemoteProtocolError("the proxy does not say where it came from"), data)
                return None
            flow = behind
        self._note(message, flow, data)
        self._message(message, flow, now)
        return None

    @staticmethod
    def _behind(message: SipMessage, flow: Flow) -> Flow | None:
        """The path through a trusted proxy: it noted in the second Via where it had the request from (RFC 3581)."""
        if not isinstance(message, Request):
            return flow
        hops = split_vias(message.headers.all("Via"))
        if len(hops) < 2:
            # It speaks for itself: is this server there?
            return flow
        try:
            via = Via.parse(hops[1])
        except RemoteProtocolError:
            return None
        low = hops[1].lower()
        source = via.received
        if source is None or source[1] is None or low.count("received=") > 1 or low.count("rport") > 1:
            # Who writes the marks in advance is not believed.
            return None
        return replace(flow, host=source[0], port=source[1], proxy=(flow.host, flow.port))

    def _quickly(self, data: bytes, host: str, port: int, now: float) -> bytes | None:
        """The answer to an ordinary REGISTER, keepalive or piece of a catalogue; None: the long way must decide."""
        if data[:8] == b"MESSAGE ":
            note = read_message(data)
            if note is None:
                return None
            if note.catalogue is not None:
                return self._catalogue(note, note.catalogue, data, host, port)
            # Not traced: thousands of them would push out of the ring whatever somebody may want to read.
            if not self._registrar.heard(note.plain.code, host, port, now):
                return None
            self.counters["keepalives"] += 1
            return note.plain.answer(200, "", host, port)
        ask = read_register(data, host, port) if data[:9] == b"REGISTER " else None
        if ask is None:
            return None
        self.counters["registers"] += 1
        peer = self._peers.get(ask.code)
        answer = self._registrar.register(ask, host, port, self._flow_from, now)
        self._trace.exchange(peer.id if peer is not None else STRANGERS, host, port, data, answer, now)
        return answer

    def _catalogue(self, note: Note, body: bytes, data: bytes, host: str, port: int) -> bytes | None:
        """Take a piece of a catalogue that was asked for. A repeated one says nothing new and is answered the same."""
        peer = self._peers.get(note.plain.code)
        if peer is None or not peer.online or peer.flow is None or peer.flow.host != host:
            return None
        if not self._catalogues.expects(peer):
            return None
        response = fast_catalog(body)
        if response is None:
            return None
        self.counters["messages"] += 1
        flow = peer.flow if peer.flow.port == port and peer.flow.transport == "UDP" else self._flow_from(host, port)
        self._trace.add(peer.id, "in", path_text(flow), data)
        self._catalogues.received(peer, response)
        answer = note.plain.answer(200, "", host, port)
        self._catalogues.when_room(lambda: self._send(answer, flow))
        return b""

    def streamed(self, message: SipMessage, flow: Flow, now: float) -> None:
        """One message cut from a TCP stream."""
        with contextlib.suppress(ProtocolError):
            self._note(message, flow, message.to_bytes())
        self._message(message, flow, now)

    def _note(self, message: SipMessage, flow: Flow, data: bytes) -> None:
        ring = self.ring(flow)
        if ring == STRANGERS and isinstance(message, Request):
            with contextlib.suppress(RemoteProtocolError):
                peer = self._peers.get(message.from_.user)
                ring = peer.id if peer is not None else STRANGERS
        self._trace.add(ring, "in", path_text(flow), data)

    def ring(self, flow: Flow) -> int:
        """Where the trace keeps what passes on a path."""
        peer = self._peers.at(flow)
        if peer is not None:
            return peer.id
        for party in self.parties:
            ring = party.ring(flow)
            if ring is not None:
                return ring
        return STRANGERS

    def unreadable(self, flow: Flow, error: RemoteProtocolError, data: bytes) -> None:
        """Counted, and told once a minute per source; never answered: there is nothing to answer to."""
        self.counters["unreadable"] += 1
        peer = self._peers.at(flow)
        self._trace.add(peer.id if peer else STRANGERS, "in", path_text(flow), data)
        if count := self._sparse.count(("unreadable", flow.host), monotonic()):
            log.warning("signal.unreadable", source=path_text(flow), error=str(error), size=len(data), count=count)

    # --- messages ----------------------------------------------------------------------------------------------------

    def _message(self, message: SipMessage, flow: Flow, now: float) -> None:
        try:
            if isinstance(message, Request):
                if message.method == "REGISTER":
                    self.counters["registers"] += 1
                    ask = ask_of(message, flow)
                    self._send(self._registrar.register(ask, flow.host, flow.port, flow, now), flow)
                    return
                if message.method == "MESSAGE" and self._keepalive(message, flow, now):
                    return
        except RemoteProtocolError as error:
            self._refuse(message, error, flow)
            return
        except LocalProtocolError as error:
            # An answer that would break the framing is not sent; the request said something that cannot be repeated.
            self.unreadable(flow, RemoteProtocolError(str(error)), b"")
            return
        party = self._claimed(message, flow) if isinstance(message, Request) else None
        if isinstance(message, Request) and party is None and self._strange(message, flow):
            return
        for event in self._endpoint.receive(message, flow, now):
            if party is not None and isinstance(event, RequestReceived):
                if event.request.method == "INVITE":
                    self._invites[event.token] = party
                party.take(event, now)
            else:
                self.happened(event, now)

    def _claimed(self, request: Request, flow: Flow) -> Party | None:
        try:
            return next((party for party in self.parties if party.claims(request, flow)), None)
        except RemoteProtocolError:
            return None

    def happened(self, event: Event, now: float) -> None:
        """What the transaction layer tells, from messages and from time: to whom it concerns."""
        if self._agent.take(event):
            return
        match event:
            case RequestReceived():
                self._request(event, now)
            case Cancelled():
                if (party := self._invites.get(event.token)) is not None:
                    party.take(event, now)
            case AckReceived() | AckMissing():
                # The last that is heard of an INVITE.
                if (party := self._invites.pop(event.token, None)) is not None:
                    party.take(event, now)
            case _:
                pass

    def _strange(self, request: Request, flow: Flow) -> bool:
        """Answer a request of nobody we know, keeping nothing: a flood of them costs no memory.

        What belongs to a call of ours may come from another address than the peer's (Q-28); its Call-ID was a secret.
        """
        if self._sender(request, flow) is not None or self._calls.knows(request):
            return False
        self.counters["strangers"] += 1
        if request.method != "ACK":
            request.stamp_source(*flow.next_hop)
            status = _TO_STRANGERS.get(request.method, 403)
            with contextlib.suppress(ProtocolError):
                self._send(Response.to_request(request, status).to_bytes(), flow)
        return True

    def _refuse(self, message: SipMessage, error: RemoteProtocolError, flow: Flow) -> None:
        if isinstance(message, Request):
            with contextlib.suppress(ProtocolError):
                self._send(Response.to_request(message, error.hint_status).to_bytes(), flow)

    def _keepalive(self, request: Request, flow: Flow, now: float) -> bool:
        """Answer an ordinary keepalive at once; False for anything else."""
        if fast_keepalive(request.body) is None:
            return False
        self.counters["keepalives"] += 1
        status = self._registrar.keepalive(request.from_.user, flow, now)
        request.stamp_source(*flow.next_hop)
        self._send(Response.to_request(request, status).to_bytes(), flow)
        return True

    # --- requests ----------------------------------------------------------------------------------------------------

    def _request(self, event: RequestReceived, now: float) -> None:
        inside = self._calls.inside(event)
        if inside is not None:
            self._answer(event, inside.status, now, list(inside.headers))
            return
        match event.request.method:
            case "MESSAGE":
                self._manscdp(event, now)
            case "BYE":
                # A dialog of before our last crash: old devices take 481 for a reason to go on (§10.5).
                self._answer(event, 200 if self._peers.at(event.flow) is not None else 481, now)
            case "INFO":
                self._answer(event, 481, now)
            case "OPTIONS":
                self._answer(event, 200, now, [("Allow", ALLOW)])
            case "NOTIFY":
                peer = self._sender(event.request, event.flow)
                self._answer(event, 481 if peer is None else self._devices.notified(peer, event.request, now), now)
            case "SUBSCRIBE":
                self._answer(event, 489, now)
            case _:
                self._answer(event, 405, now, [("Allow", ALLOW)])

    def _answer(
        self, event: RequestReceived, status: int, now: float, headers: list[tuple[str, str]] | None = None
    ) -> None:
        with contextlib.suppress(ProtocolError):
            self._endpoint.respond(event.token, Response.to_request(event.request, status, headers=headers or ()), now)

    def _answer_late(self, event: RequestReceived) -> None:
        self._answer(event, 200, monotonic())
        self._agent.flush()

    def _manscdp(self, event: RequestReceived, now: float) -> None:
        """Answer at once, then work (§3.2). Only a registered peer from its own address is listened to."""
        self.counters["messages"] += 1
        request, flow = event.request, event.flow
        peer = self._sender(request, flow)
        if peer is None:
            self.counters["strangers"] += 1
            self._answer(event, 403, now)
            return
        wanted = self._catalogues.expects(peer)
        if len(request.body) <= _LARGE:
            self._read(event, peer, _understood(request.body, catalogue=wanted), now)
            return
        task = asyncio.create_task(self._read_large(event, peer, catalogue=wanted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read_large(self, event: RequestReceived, peer: PeerState, *, catalogue: bool) -> None:
        """Off the loop, one at a time: what takes a second to read must not stop everybody else."""
        async with self._one_large:
            said = await asyncio.to_thread(_understood, event.request.body, catalogue=catalogue)
        self._read(event, peer, said, monotonic())
        self._agent.flush()

    def _read(
        self,
        event: RequestReceived,
        peer: PeerState,
        said: CatalogResponse | Envelope | RemoteProtocolError,
        now: float,
    ) -> None:
        """Do what a message says."""
        if isinstance(said, CatalogResponse):
            self._catalogues.received(peer, said)
            self._catalogues.when_room(lambda: self._answer_late(event))
            return
        if isinstance(said, RemoteProtocolError):
            if count := self._sparse.count(("manscdp", peer.code), now):
                log.warning("signal.manscdp.unreadable", peer=peer.code, error=str(said), count=count)
            self._answer(event, said.hint_status, now)
            return
        if said.is_("Notify", "Keepalive"):
            self.counters["keepalives"] += 1
            self._answer(event, self._registrar.keepalive(peer.code, event.flow, now), now)
            return
        self._answer(event, 200, now)
        self._agent.flush()
        try:
            self._act(peer, said, now)
        except RemoteProtocolError as error:
            if count := self._sparse.count(("manscdp", peer.code), now):
                log.warning("signal.manscdp.unreadable", peer=peer.code, error=str(error), count=count)

    def _act(self, peer: PeerState, envelope: Envelope, now: float) -> None:
        if envelope.is_("Response", "Catalog") and self._catalogues.received(peer, CatalogResponse.parse(envelope)):
            return
        if envelope.is_("Notify", "MediaStatus"):
            self._calls.media_status(peer.id, envelope.device_id, MediaStatus.parse(envelope))
        elif not self._devices.received(peer, envelope):
            self._unknown(peer, envelope, now)

    def _sender(self, request: Request, flow: Flow) -> PeerState | None:
        """The registered peer that speaks, from its own address; None for anybody else."""
        with contextlib.suppress(RemoteProtocolError):
            peer = self._peers.get(request.from_.user)
            if peer is None:
                # Some put the camera into From; the path tells which platform it is.
                peer = self._peers.at(flow)
            if peer is not None and peer.online and peer.flow is not None and peer.flow.host == flow.host:
                return peer
        return None

    def _unknown(self, peer: PeerState, envelope: Envelope, now: float) -> None:
        """Not asked for, or not built yet: taken note of, never refused (Q-51)."""
        self.counters["unknown_commands"] += 1
        command = envelope.cmd_type[:_WORD]
        if count := self._sparse.count(("command", peer.code, command), now):
            log.info("signal.command.unknown", peer=peer.code, root=envelope.root, command=command, count=count)


def _understood(body: bytes, *, catalogue: bool) -> CatalogResponse | Envelope | RemoteProtocolError:
    """What a body says; with `catalogue` an answer to that is read the short way."""
    quick = fast_catalog(body) if catalogue else None
    if quick is not None:
        return quick
    try:
        return parse(body)
    except RemoteProtocolError as error:
        return error
