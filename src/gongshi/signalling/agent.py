"""Our side of conversations: requests that can be awaited, on the transaction layer and the sockets."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

from gongshi.protocols.errors import LocalProtocolError
from gongshi.protocols.sip import (
    MANSCDP,
    Endpoint,
    Event,
    Flow,
    Request,
    RequestFailed,
    Response,
    ResponseReceived,
    Uri,
    new_request,
)
from gongshi.signalling.peers import PeerState

USER_AGENT: Final = "Gongshi"

Answered = Callable[[ResponseReceived | RequestFailed], None]
Sender = Callable[[bytes, Flow], None]


class NoAnswer(Exception):
    """No final answer came in time, or the path is gone."""


class Agent:
    """Requests of ours to peers. `send` puts bytes on a flow; one owner, one loop."""

    def __init__(self, endpoint: Endpoint, code: str, send: Sender, local_port: Callable[[Flow], int]) -> None:
        self.endpoint = endpoint
        self.code = code
        self.domain = code[:10]
        self._send = send
        self._local_port = local_port
        self._handlers: dict[int, Answered] = {}
        self.on_deadline: Callable[[], None] = lambda: None

    @property
    def own(self) -> Uri:
        """Our address of record."""
        return Uri.of(self.code, self.domain)

    def contact(self, flow: Flow) -> Uri:
        """Where this peer reaches us."""
        return Uri.of(self.code, flow.local_host, self._local_port(flow))

    def message(self, peer: PeerState, body: bytes, to_code: str | None = None) -> Request:
        """A MESSAGE with a MANSCDP body to the peer itself (annex A.1), or to one of its channels."""
        flow = _flow(peer)
        code = to_code or peer.code
        target = Uri.of(code, flow.host, flow.port)
        to = Uri.of(code, code[:10])
        return new_request(
            "MESSAGE",
            target,
            self.own,
            to,
            cseq=peer.next_sn() % 1_000_000 + 1,
            headers=(("User-Agent", USER_AGENT),),
            body=body,
            content_type=MANSCDP,
        )

    # --- sending -----------------------------------------------------------------------------------------------------

    def start(self, request: Request, flow: Flow, answered: Answered) -> int:
        """Send a request; every answer goes to `answered` until it is forgotten."""
        token = self.endpoint.request(request, flow, monotonic())
        self._handlers[token] = answered
        self.flush()
        return token

    def forget(self, token: int) -> None:
        """No more answers to this request are wanted."""
        self._handlers.pop(token, None)

    async def ask(self, request: Request, flow: Flow, timeout: float) -> Response:
        """Send a request that is no INVITE and wait for the final answer. Raises NoAnswer."""
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def answered(event: ResponseReceived | RequestFailed) -> None:
            if future.done():
                return
            if isinstance(event, RequestFailed):
                future.set_exception(NoAnswer("no answer"))
            elif event.response.status >= 200:
                future.set_result(event.response)

        try:
            token = self.start(request, flow, answered)
        except LocalProtocolError as error:
            raise NoAnswer(str(error)) from error
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            raise NoAnswer("no answer in time") from None
        finally:
            self.forget(token)

    def flush(self) -> None:
        """Put on the wire what the transaction layer wants to say."""
        for data, flow in self.endpoint.outgoing():
            self._send(data, flow)
        self.on_deadline()

    # --- what comes in -----------------------------------------------------------------------------------------------

    def take(self, event: Event) -> bool:
        """Hand an answer to who asked; False when the event is none."""
        if not isinstance(event, ResponseReceived | RequestFailed):
            return False
        handler = self._handlers.get(event.token)
        if handler is not None:
            if isinstance(event, RequestFailed):
                del self._handlers[event.token]
            handler(event)
        return True


def _flow(peer: PeerState) -> Flow:
    if peer.flow is None:
        raise LocalProtocolError("the peer was never registered")
    return peer.flow
