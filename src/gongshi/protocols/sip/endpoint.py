"""A SIP user agent's transaction layer without sockets: both sides of everything GB/T 28181 needs.

The owner feeds messages with the flow they came on and the time, answers events, and after every call sends what
`outgoing()` gives. Repeats, retransmissions, ACK matching and time-outs are done here.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.sip.fields import Via
from gongshi.protocols.sip.message import Request, Response, SipMessage, new_branch
from gongshi.protocols.sip.transactions import (
    Action,
    ClientTransaction,
    Deliver,
    Expired,
    InviteServerTransaction,
    ReplayStore,
    Send,
    ServerKey,
    State,
    Timers,
    cancel_of,
    server_key,
)

Transport = Literal["UDP", "TCP"]


@dataclass(frozen=True, slots=True)
class Flow:
    """Between which two addresses messages travel; `connection` tells TCP connections apart."""

    transport: Transport
    host: str
    port: int
    local_host: str = ""
    """What we call ourselves towards this peer: Via and Contact (Q-04: the address the peer knows)."""
    local_port: int = 0
    connection: int = 0
    proxy: tuple[str, int] | None = None
    """Through which proxy messages go both ways; `host` and `port` are the peer's behind it."""

    @property
    def next_hop(self) -> tuple[str, int]:
        """Where bytes are sent, and where they come from."""
        return self.proxy or (self.host, self.port)

    @property
    def reliable(self) -> bool:
        """No retransmission needed."""
        return self.transport == "TCP"


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """A new request: answer with `respond(token, ...)`. Requests inside dialogs come here too."""

    token: int
    request: Request
    flow: Flow


@dataclass(frozen=True, slots=True)
class ResponseReceived:
    """An answer to our request `token`; several 1xx, one final, and repeated 2xx to INVITE (send the ACK again)."""

    token: int
    request: Request
    response: Response
    flow: Flow


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """No final answer came in 32 s, or the flow is gone."""

    token: int
    request: Request


@dataclass(frozen=True, slots=True)
class AckReceived:
    """The caller acknowledged our final answer to its INVITE `token`; `request` is the ACK."""

    token: int
    invite: Request
    request: Request


@dataclass(frozen=True, slots=True)
class AckMissing:
    """No ACK came for our answer to INVITE `token` within 32 s: after a 2xx send BYE."""

    token: int
    invite: Request


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The caller gave its INVITE `token` up before our final answer (the CANCEL is answered): respond 487."""

    token: int
    invite: Request


Event = RequestReceived | ResponseReceived | RequestFailed | AckReceived | AckMissing | Cancelled


@dataclass(slots=True)
class _Client:
    transaction: ClientTransaction
    flow: Flow


@dataclass(slots=True)
class _InviteServer:
    transaction: InviteServerTransaction
    flow: Flow
    key: ServerKey


@dataclass(slots=True)
class _Server:
    request: Request
    flow: Flow
    key: ServerKey = field(default=())


class Endpoint:
    """Transactions of one SIP user agent. Not thread-safe; one owner."""

    def __init__(self, timers: Timers | None = None, max_pending: int = 200_000) -> None:
        self._timers = timers or Timers()
        self._max = max_pending
        self._tokens = itertools.count(1)
        self._out: list[tuple[bytes, Flow]] = []
        self._clients: dict[int, _Client] = {}
        self._client_index: dict[tuple[str, int, str], int] = {}
        self._servers: dict[int, _Server] = {}
        self._invites: dict[int, _InviteServer] = {}
        self._invite_index: dict[ServerKey, int] = {}
        self._call_index: dict[tuple[str, int, str], int] = {}
        self._replay = ReplayStore(self._timers.limit)
        self._timeline: list[tuple[float, int]] = []

    # --- what to put on the wire -------------------------------------------------------------------------------

    def outgoing(self) -> list[tuple[bytes, Flow]]:
        """Everything to be sent since the last call."""
        out, self._out = self._out, []
        return out

    @property
    def deadline(self) -> float:
        """When `tick` should be called next; infinite when nothing is pending."""
        return self._timeline[0][0] if self._timeline else float("inf")

    @property
    def pending(self) -> int:
        """Transactions that are not finished."""
        return len(self._clients) + len(self._invites) + len(self._servers)

    # --- our requests ------------------------------------------------------------------------------------------

    def request(self, request: Request, flow: Flow, now: float) -> int:
        """Send a request; adds a Via with a fresh branch when it has none. Gives the token of its answers."""
        if request.method == "ACK":
            raise LocalProtocolError("an ACK is no transaction: use send()")
        self._add_via(request, flow)
        return self._start(request, flow, now)

    def _start(self, request: Request, flow: Flow, now: float) -> int:
        if self.pending >= self._max:
            raise LocalProtocolError("too many pending transactions")
        transaction = ClientTransaction(request, reliable=flow.reliable, now=now, timers=self._timers)
        token = next(self._tokens)
        self._clients[token] = _Client(transaction, flow)
        self._client_index[_answer_key(request)] = token
        self._out.append((transaction.wire, flow))
        self._schedule(transaction.deadline, token)
        return token

    def send(self, request: Request, flow: Flow) -> None:
        """Send a request that expects no answer: the ACK of a 2xx."""
        self._add_via(request, flow)
        self._out.append((request.to_bytes(), flow))

    def cancel(self, token: int, now: float) -> int | None:
        """Give up an INVITE of ours; None when it is finished already or nothing was heard yet (then it times out)."""
        client = self._clients.get(token)
        if client is None or client.transaction.state is not State.PROCEEDING:
            return None
        return self._start(cancel_of(client.transaction.request), client.flow, now)

    @staticmethod
    def _add_via(request: Request, flow: Flow) -> None:
        if request.headers.get("Via") is None:
            parameters: dict[str, str | None] = {"rport": None, "branch": new_branch()}
            via = Via(flow.transport, flow.local_host or "0.0.0.0", flow.local_port or None, parameters)  # noqa: S104 -- text of a header, nothing is bound
            request.headers.add_first("Via", str(via))
            if flow.proxy is not None:
                # Whatever the Request-URI says, the peer is where its requests come from (RFC 3261 §16.12).
                host = f"[{flow.host}]" if ":" in flow.host else flow.host
                request.headers.add("Route", f"<sip:{host}:{flow.port};lr>")

    # --- answers to requests -----------------------------------------------------------------------------------

    def respond(self, token: int, response: Response, now: float) -> None:
        """Answer a request. Unknown or finished tokens raise LocalProtocolError."""
        invite = self._invites.get(token)
        if invite is not None:
            actions = invite.transaction.respond(response, now)
            self._perform(actions, invite.flow)
            self._schedule(invite.transaction.deadline, token)
            return
        server = self._servers.get(token)
        if server is None:
            raise LocalProtocolError("the request has been answered already")
        data = response.to_bytes()
        self._out.append((data, server.flow))
        if response.status >= 200:
            del self._servers[token]
            self._replay.finish(server.key, data, now)

    def answer(self, event: RequestReceived, status: int, now: float, *, reason: str | None = None) -> None:
        """Answer with a status and nothing else."""
        self.respond(event.token, Response.to_request(event.request, status, reason=reason), now)

    # --- what came in ------------------------------------------------------------------------------------------

    def receive(self, message: SipMessage, flow: Flow, now: float) -> list[Event]:
        """Take a parsed message. Never raises for what a peer sent: unreadable parts are answered 400 or dropped."""
        try:
            if isinstance(message, Response):
                return self._response(message, flow, now)
            return self._request(message, flow, now)
        except RemoteProtocolError as error:
            if isinstance(message, Request) and message.method != "ACK":
                self._refuse(message, error.hint_status, flow)
            return []

    def _refuse(self, request: Request, status: int, flow: Flow) -> None:
        try:
            self._out.append((Response.to_request(request, status).to_bytes(), flow))
        except LocalProtocolError:
            return

    def _response(self, response: Response, flow: Flow, now: float) -> list[Event]:
        # Call-ID and CSeq are ours and unguessable; the branch is not asked for, because gateways rewrite Via.
        token = self._client_index.get(_answer_key(response))
        if token is None:
            return []
        client = self._clients[token]
        request = client.transaction.request
        actions = client.transaction.receive(response, now)
        events = self._perform(actions, client.flow, token, request, arrived=flow)
        self._settle_client(token, client)
        return events

    def _request(self, request: Request, flow: Flow, now: float) -> list[Event]:
        request.stamp_source(*flow.next_hop)
        key = server_key(request, flow.host)
        if request.method == "ACK":
            return self._acknowledge(request, key, now)
        if request.method == "CANCEL":
            return self._cancel(request, key, flow)
        if request.method == "INVITE":
            return self._invite(request, key, flow, now)
        known = self._replay.begin(key, now)
        if known is not None:
            if known:
                self._out.append((known, flow))
            return []
        if self.pending >= self._max:
            self._refuse(request, 503, flow)
            return []
        token = next(self._tokens)
        self._servers[token] = _Server(request, flow, key)
        # Nobody waits longer than this for an answer; an application that forgets one must not leak.
        self._schedule(now + 2 * self._timers.limit, token)
        return [RequestReceived(token, request, flow)]

    def _invite(self, request: Request, key: ServerKey, flow: Flow, now: float) -> list[Event]:
        token = self._invite_index.get(key)
        if token is not None:
            self._perform(self._invites[token].transaction.repeated(), flow)
            return []
        if self.pending >= self._max:
            self._refuse(request, 503, flow)
            return []
        token = next(self._tokens)
        transaction = InviteServerTransaction(request, reliable=flow.reliable, now=now, timers=self._timers)
        self._invites[token] = _InviteServer(transaction, flow, key)
        self._invite_index[key] = token
        self._call_index[_call_key(request)] = token
        self._schedule(transaction.deadline, token)
        return [RequestReceived(token, request, flow)]

    def _acknowledge(self, ack: Request, key: ServerKey, now: float) -> list[Event]:
        # The ACK of a 2xx has a branch of its own: it is found by call and sequence number.
        token = self._invite_index.get(key) or self._call_index.get(_call_key(ack))
        if token is None:
            return []
        server = self._invites[token]
        if not server.transaction.acknowledged(now):
            return []
        self._schedule(server.transaction.deadline, token)
        return [AckReceived(token, server.transaction.request, ack)]

    def _cancel(self, cancel: Request, key: ServerKey, flow: Flow) -> list[Event]:
        token = self._invite_index.get(key) or self._call_index.get(_call_key(cancel))
        server = self._invites.get(token) if token is not None else None
        self._refuse(cancel, 200 if server is not None else 481, flow)
        if token is None or server is None or server.transaction.answered:
            return []
        return [Cancelled(token, server.transaction.request)]

    # --- time --------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> list[Event]:
        """Do what is due: retransmit, time out, forget."""
        events: list[Event] = []
        while self._timeline and self._timeline[0][0] <= now:
            _, token = heapq.heappop(self._timeline)
            client = self._clients.get(token)
            if client is not None:
                transaction = client.transaction
                if transaction.deadline <= now:
                    actions = transaction.tick(now)
                    events += self._perform(actions, client.flow, token, transaction.request)
                self._settle_client(token, client)
                continue
            self._servers.pop(token, None)
            server = self._invites.get(token)
            if server is not None:
                if server.transaction.deadline <= now:
                    for action in server.transaction.tick(now):
                        if isinstance(action, Expired):
                            events.append(AckMissing(token, server.transaction.request))
                        elif isinstance(action, Send):
                            self._out.append((action.data, server.flow))
                self._settle_invite(token, server)
        return events

    def flow_lost(self, lost: Callable[[Flow], bool]) -> list[Event]:
        """A connection closed: end what depends on it. `lost` says whether a flow is one of those."""
        events: list[Event] = []
        for token, client in list(self._clients.items()):
            if lost(client.flow):
                actions = client.transaction.abort()
                events += self._perform(actions, client.flow, token, client.transaction.request)
                self._settle_client(token, client)
        for token, server in list(self._invites.items()):
            if lost(server.flow):
                if server.transaction.abort():
                    events.append(AckMissing(token, server.transaction.request))
                self._settle_invite(token, server)
        for token, waiting in list(self._servers.items()):
            if lost(waiting.flow):
                del self._servers[token]
        return events

    # --- bookkeeping -------------------------------------------------------------------------------------------

    def _perform(
        self,
        actions: list[Action],
        flow: Flow,
        token: int = 0,
        request: Request | None = None,
        arrived: Flow | None = None,
    ) -> list[Event]:
        events: list[Event] = []
        for action in actions:
            if isinstance(action, Send):
                self._out.append((action.data, flow))
            elif request is None:
                continue
            elif isinstance(action, Deliver):
                events.append(ResponseReceived(token, request, action.response, arrived or flow))
            else:
                events.append(RequestFailed(token, request))
        return events

    def _settle_client(self, token: int, client: _Client) -> None:
        if client.transaction.state is not State.TERMINATED:
            self._schedule(client.transaction.deadline, token)
            return
        self._clients.pop(token, None)
        key = _answer_key(client.transaction.request)
        if self._client_index.get(key) == token:
            del self._client_index[key]

    def _settle_invite(self, token: int, server: _InviteServer) -> None:
        if server.transaction.state is not State.TERMINATED:
            self._schedule(server.transaction.deadline, token)
            return
        self._invites.pop(token, None)
        self._invite_index.pop(server.key, None)
        call = _call_key(server.transaction.request)
        if self._call_index.get(call) == token:
            del self._call_index[call]

    def _schedule(self, at: float, token: int) -> None:
        if at != float("inf"):
            heapq.heappush(self._timeline, (at, token))


def _answer_key(message: SipMessage) -> tuple[str, int, str]:
    cseq = message.cseq
    return (message.call_id, cseq.number, cseq.method)


def _call_key(request: Request) -> tuple[str, int, str]:
    return (request.call_id, request.cseq.number, request.from_.tag or "")
