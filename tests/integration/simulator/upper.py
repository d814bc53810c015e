"""The smallest upper platform that a test can steer: registrar with digest, queries, INVITE; real sockets on loopback."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from time import monotonic

from gongshi.protocols.manscdp import Envelope, Keepalive, build_query, parse
from gongshi.protocols.sdp import SessionDescription, Ssrc, live_offer
from gongshi.protocols.sip import (
    MANSCDP,
    SDP,
    Challenge,
    Credentials,
    Dialog,
    Endpoint,
    Event,
    Flow,
    NonceIssuer,
    NonceState,
    Ping,
    Request,
    RequestFailed,
    RequestReceived,
    Response,
    ResponseReceived,
    StreamParser,
    Uri,
    ha1,
    new_request,
    parse_message,
)

CODE = "34150000002000000001"
DOMAIN = CODE[:10]


@dataclass
class OpenCall:
    """A call that we opened."""

    dialog: Dialog
    answer: SessionDescription
    request: Request


@dataclass
class Upper:
    """State a test looks at, and the verbs it uses."""

    password: str = "correct horse"
    keepalive_status: int = 200
    register_status: int = 200
    messages: "asyncio.Queue[Envelope]" = field(default_factory=asyncio.Queue)
    byes: "asyncio.Queue[Request]" = field(default_factory=asyncio.Queue)
    registers: list[Request] = field(default_factory=list)
    bindings: dict[str, Flow] = field(default_factory=dict)
    keepalives: int = 0
    bound: asyncio.Event = field(default_factory=asyncio.Event)
    deaf: bool = False
    port: int = 0

    def __post_init__(self) -> None:
        self.endpoint = Endpoint()
        self.nonces = NonceIssuer()
        self._waiting: dict[int, asyncio.Future[Response]] = {}
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._sn = 100
        self._connection = 0

    async def run(self) -> AsyncIterator["Upper"]:
        loop = asyncio.get_running_loop()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setblocking(False)
        self.udp.bind(("127.0.0.1", 0))
        self.port = self.udp.getsockname()[1]
        loop.add_reader(self.udp.fileno(), self._readable)
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        ticker = asyncio.create_task(self._tick())
        try:
            yield self
        finally:
            ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticker
            loop.remove_reader(self.udp.fileno())
            self.udp.close()
            self.drop_connections()
            server.close()
            await asyncio.sleep(0)

    def drop_connections(self) -> None:
        for writer in self._writers.values():
            writer.transport.abort()
        self._writers.clear()

    # --- verbs -----------------------------------------------------------------------------------------------------

    async def request(self, request: Request, flow: Flow) -> Response:
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._waiting[self.endpoint.request(request, flow, monotonic())] = future
        self._flush()
        return await asyncio.wait_for(future, 10)

    async def ask(self, command: str, code: str, device: str) -> tuple[int, Response]:
        self._sn += 1
        body = build_query(command, device, self._sn)
        return self._sn, await self.message(body, code, device)

    async def message(self, body: bytes, code: str, device: str) -> Response:
        target, own = Uri.of(device, "127.0.0.1"), Uri.of(CODE, DOMAIN)
        request = new_request("MESSAGE", target, own, Uri.of(device, code[:10]), body=body, content_type=MANSCDP)
        return await self.request(request, self.bindings[code])

    def invitation(self, code: str, channel: str, offer: SessionDescription, sequence: str) -> Request:
        flow = self.bindings[code]
        return new_request(
            "INVITE",
            Uri.of(channel, flow.host, flow.port),
            Uri.of(CODE, DOMAIN),
            Uri.of(channel, channel[:10]),
            contact=Uri.of(CODE, "127.0.0.1", self.port),
            headers=(("Subject", f"{channel}:{sequence},{CODE}:0"),),
            body=offer.to_bytes(),
            content_type=SDP,
        )

    async def invite(
        self,
        code: str,
        channel: str,
        port: int,
        *,
        tcp: str | None = None,
        sequence: str = "0500000001",
        acknowledge: bool = True,
    ) -> OpenCall | Response:
        offer = live_offer(CODE, "127.0.0.1", port, Ssrc.parse(sequence), setup=tcp)  # type: ignore[arg-type] -- tests pass literals
        request = self.invitation(code, channel, offer, sequence)
        response = await self.request(request, self.bindings[code])
        if response.status != 200:
            return response
        call = OpenCall(Dialog.from_response(request, response), SessionDescription.parse(response.body), request)
        if acknowledge:
            self.acknowledge(call, code)
        return call

    def acknowledge(self, call: OpenCall, code: str) -> None:
        self.endpoint.send(call.dialog.ack(), self.bindings[code])
        self._flush()

    async def bye(self, call: OpenCall, code: str) -> Response:
        return await self.request(call.dialog.request("BYE"), self.bindings[code])

    # --- wire --------------------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                data, (host, port) = self.udp.recvfrom(65535)
                if not self.deaf:
                    flow = Flow("UDP", host, port, "127.0.0.1", self.port)
                    self._take(self.endpoint.receive(parse_message(data), flow, monotonic()))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connection += 1
        number = self._connection
        self._writers[number] = writer
        host, port = writer.get_extra_info("peername")
        flow = Flow("TCP", host, port, "127.0.0.1", self.port, number)
        parser = StreamParser()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                for message in parser.feed(data):
                    if not isinstance(message, Ping):
                        self._take(self.endpoint.receive(message, flow, monotonic()))
        writer.close()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            self._take(self.endpoint.tick(monotonic()))

    def _flush(self) -> None:
        for data, flow in self.endpoint.outgoing():
            if flow.transport == "UDP":
                self.udp.sendto(data, (flow.host, flow.port))
            elif flow.connection in self._writers:
                self._writers[flow.connection].write(data)

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, ResponseReceived):
                future = self._waiting.get(event.token)
                if event.response.status >= 200 and future is not None and not future.done():
                    future.set_result(event.response)
            elif isinstance(event, RequestFailed):
                future = self._waiting.get(event.token)
                if future is not None and not future.done():
                    future.set_exception(TimeoutError())
            elif isinstance(event, RequestReceived):
                self._handle(event)
        self._flush()

    def _handle(self, event: RequestReceived) -> None:
        method = event.request.method
        if method == "REGISTER":
            self._register(event)
        elif method == "MESSAGE":
            envelope = parse(event.request.body)
            if envelope.is_("Notify", "Keepalive"):
                Keepalive.parse(envelope)
                self.keepalives += 1
                self.endpoint.answer(event, self.keepalive_status, monotonic())
                return
            self.endpoint.answer(event, 200, monotonic())
            self.messages.put_nowait(envelope)
        elif method == "BYE":
            self.endpoint.answer(event, 200, monotonic())
            self.byes.put_nowait(event.request)
        else:
            self.endpoint.answer(event, 405, monotonic())

    def _register(self, event: RequestReceived) -> None:
        request, source = event.request, event.flow.host
        self.registers.append(request)
        given = request.headers.get("Authorization")
        user = request.from_.uri.user
        good = False
        if given is not None:
            proof = Credentials.parse(given)
            good = (
                self.nonces.spend(proof.nonce, source, monotonic()) is NonceState.GOOD
                and proof.username == user
                and proof.verify("REGISTER", ha1(user, DOMAIN, self.password))
            )
        now = monotonic()
        if given is None:
            challenge = Challenge(DOMAIN, self.nonces.issue(source, now)).header()
            response = Response.to_request(request, 401, headers=[("WWW-Authenticate", challenge)])
        elif not good or self.register_status != 200:
            response = Response.to_request(request, self.register_status if good else 403)
        else:
            expires = request.expires or 0
            response = Response.to_request(request, 200, headers=[("Expires", str(expires))])
            if expires:
                self.bindings[user] = event.flow
                self.bound.set()
            else:
                self.bindings.pop(user, None)
                self.bound.clear()
        self.endpoint.respond(event.token, response, now)
