"""An upper platform that does exactly what a test says: registrar with digest, queries, SUBSCRIBE, INVITE; real sockets."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.manscdp import Envelope, Keepalive, build, parse
from gongshi.protocols.sdp import SessionDescription, Ssrc, live_offer
from gongshi.protocols.sip import (
    MANSCDP,
    MANSRTSP,
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

UPPER = "34000000002000000001"
DOMAIN = UPPER[:10]


@dataclass(eq=False)
class OpenCall:
    """A call that we opened."""

    dialog: Dialog
    answer: SessionDescription
    response: Response
    token: int


@dataclass(eq=False)
class ScriptedUpper:
    """State a test looks at, and the verbs it uses."""

    code: str = UPPER
    host: str = "127.0.0.1"
    password: str = "as the province gave it"
    algorithm: str = "MD5"
    version: str | None = None
    register_status: int = 200
    redirect: str | None = None
    keepalive_status: int = 200
    message_status: int = 200
    notify_status: int = 200
    expires: int | None = None
    deaf: bool = False
    registers: list[Request] = field(default_factory=list)
    unregistered: int = 0
    keepalives: int = 0
    flow: Flow | None = None
    bound: asyncio.Event = field(default_factory=asyncio.Event)
    messages: "asyncio.Queue[Envelope]" = field(default_factory=asyncio.Queue)
    notifies: "asyncio.Queue[Request]" = field(default_factory=asyncio.Queue)
    byes: "asyncio.Queue[Request]" = field(default_factory=asyncio.Queue)
    in_dialog: "asyncio.Queue[Request]" = field(default_factory=asyncio.Queue)
    port: int = 0

    def __post_init__(self) -> None:
        self.endpoint = Endpoint()
        self.nonces = NonceIssuer()
        self._waiting: dict[int, asyncio.Future[Response]] = {}
        self.provisional: list[int] = []
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._sn = itertools.count(100)
        self._connections = itertools.count(1)

    @contextlib.asynccontextmanager
    async def on(self) -> AsyncGenerator["ScriptedUpper"]:
        loop = asyncio.get_running_loop()
        # The listener chooses: what is free for TCP is nearly always free for UDP, and the other way round it is not.
        server = await asyncio.start_server(self._connected, self.host, self.port)
        self.port = server.sockets[0].getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setblocking(False)
        self.udp.bind((self.host, self.port))
        loop.add_reader(self.udp.fileno(), self._readable)
        ticker = asyncio.create_task(self._tick())
        try:
            yield self
        finally:
            ticker.cancel()
            await asyncio.gather(ticker, return_exceptions=True)
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

    async def request(self, request: Request, flow: Flow | None = None) -> Response:
        _, future = self.start(request, flow)
        return await asyncio.wait_for(future, 15)

    def start(self, request: Request, flow: Flow | None = None) -> tuple[int, "asyncio.Future[Response]"]:
        target = flow or self.flow
        assert target is not None, "nobody has registered"
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        token = self.endpoint.request(request, target, monotonic())
        self._waiting[token] = future
        self._flush()
        return token, future

    def cancel(self, token: int) -> None:
        self.endpoint.cancel(token, monotonic())
        self._flush()

    def compose(self, method: str, device: str, **options: Any) -> Request:
        assert self.flow is not None
        return new_request(
            method,
            Uri.of(device, self.flow.host, self.flow.port),
            Uri.of(options.pop("sender", self.code), DOMAIN),
            Uri.of(device, device[:10]),
            contact=Uri.of(self.code, self.host, self.port),
            **options,
        )

    async def send(self, root: Any, command: str, device: str, children: Any = (), **options: Any) -> int:
        """A query or control; its SN."""
        sn = next(self._sn)
        body = build(root, command, sn, device, children)
        response = await self.request(self.compose("MESSAGE", device, body=body, content_type=MANSCDP, **options))
        assert response.status == 200
        return sn

    async def ask(self, command: str, device: str, children: Any = ()) -> Envelope:
        """A query, and the first answer to it."""
        sn = await self.send("Query", command, device, children)
        return await self.answer(sn)

    async def answer(self, sn: int, seconds: float = 10) -> Envelope:
        async with asyncio.timeout(seconds):
            while True:
                envelope = await self.messages.get()
                if envelope.sn == sn:
                    return envelope

    async def catalogue(self, device: str, children: Any = ()) -> tuple[list[Any], list[Envelope]]:
        """All items of a catalogue, and the packets they came in."""
        from gongshi.protocols.manscdp import CatalogResponse

        sn = await self.send("Query", "Catalog", device, children)
        items: list[Any] = []
        packets: list[Envelope] = []
        while True:
            packet = await self.answer(sn)
            packets.append(packet)
            response = CatalogResponse.parse(packet)
            items += response.items
            if len(items) >= (response.sum_num or 0):
                return items, packets

    async def subscribe(
        self, command: str, device: str, children: Any = (), *, expires: int = 600
    ) -> tuple[Response, Dialog]:
        body = build("Query", command, next(self._sn), device, children)
        headers = (("Event", f"{command};id=7"), ("Expires", str(expires)))
        request = self.compose("SUBSCRIBE", device, headers=headers, body=body, content_type=MANSCDP)
        response = await self.request(request)
        return response, Dialog.from_response(request, response)

    def offer(self, port: int, *, y: str | None = "0100000007", host: str | None = None, **options: Any) -> Any:
        from dataclasses import replace

        made = live_offer(self.code, host or self.host, port, Ssrc.parse(y or "1"), setup=options.pop("setup", None))
        if y is None:
            made = replace(made, ssrc=None)
        return replace(made, **options)

    def invitation(
        self, device: str, offer: SessionDescription, *, subject: str | None = None, **options: Any
    ) -> Request:
        y = str(offer.ssrc) if offer.ssrc else "0"
        headers = (("Subject", subject or f"{device}:{y},{self.code}:0"), *options.pop("headers", ()))
        return self.compose("INVITE", device, headers=headers, body=offer.to_bytes(), content_type=SDP, **options)

    async def invite(
        self, device: str, offer: SessionDescription, *, acknowledge: bool = True, **options: Any
    ) -> OpenCall | Response:
        request = self.invitation(device, offer, **options)
        token, future = self.start(request)
        response = await asyncio.wait_for(future, 30)
        if response.status != 200:
            return response
        answer = SessionDescription.parse(response.body)
        call = OpenCall(Dialog.from_response(request, response), answer, response, token)
        if acknowledge:
            self.acknowledge(call)
        return call

    def acknowledge(self, call: OpenCall) -> None:
        assert self.flow is not None
        self.endpoint.send(call.dialog.ack(), self.flow)
        self._flush()

    async def bye(self, call: OpenCall) -> Response:
        return await self.request(call.dialog.request("BYE"))

    async def info(self, call: OpenCall, body: bytes) -> Response:
        return await self.request(call.dialog.request("INFO", body=body, content_type=MANSRTSP))

    # --- wire --------------------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                data, (host, port) = self.udp.recvfrom(65535)
                if not self.deaf:
                    flow = Flow("UDP", host, port, self.host, self.port)
                    self._take(self.endpoint.receive(parse_message(data), flow, monotonic()))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(self._connections)
        self._writers[number] = writer
        host, port = writer.get_extra_info("peername")
        flow = Flow("TCP", host, port, self.host, self.port, number)
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
                if event.response.status < 200:
                    self.provisional.append(event.response.status)
                elif future is not None and not future.done():
                    future.set_result(event.response)
            elif isinstance(event, RequestFailed):
                future = self._waiting.get(event.token)
                if future is not None and not future.done():
                    future.set_exception(TimeoutError())
            elif isinstance(event, RequestReceived):
                self._handle(event)
        self._flush()

    def _handle(self, event: RequestReceived) -> None:
        now = monotonic()
        request = event.request
        match request.method:
            case "REGISTER":
                self._register(event)
            case "MESSAGE":
                if request.to.tag:
                    self.endpoint.answer(event, 200, now)
                    self.in_dialog.put_nowait(request)
                    return
                try:
                    envelope = parse(request.body)
                except RemoteProtocolError as error:
                    self.endpoint.answer(event, error.hint_status, now)
                    return
                if envelope.is_("Notify", "Keepalive"):
                    Keepalive.parse(envelope)
                    self.keepalives += 1
                    self.endpoint.answer(event, self.keepalive_status, now)
                    return
                self.endpoint.answer(event, self.message_status, now)
                self.messages.put_nowait(envelope)
            case "NOTIFY":
                self.endpoint.answer(event, self.notify_status, now)
                self.notifies.put_nowait(request)
            case "BYE":
                self.endpoint.answer(event, 200, now)
                self.byes.put_nowait(request)
            case _:
                self.endpoint.answer(event, 405, now)

    def _register(self, event: RequestReceived) -> None:
        request, source, now = event.request, event.flow.host, monotonic()
        self.registers.append(request)
        version = [("X-GB-Ver", self.version)] if self.version else []
        if self.redirect is not None:
            response = Response.to_request(request, 302, headers=[("Contact", self.redirect), *version])
            self.endpoint.respond(event.token, response, now)
            return
        given = request.headers.get("Authorization")
        user = request.from_.uri.user
        good = False
        if given is not None:
            proof = Credentials.parse(given)
            good = (
                self.nonces.spend(proof.nonce, source, now) is NonceState.GOOD
                and proof.algorithm == self.algorithm
                and proof.verify("REGISTER", ha1(user, DOMAIN, self.password, self.algorithm))
            )
        if given is None:
            challenge = Challenge(DOMAIN, self.nonces.issue(source, now), self.algorithm).header()
            response = Response.to_request(request, 401, headers=[("WWW-Authenticate", challenge), *version])
        elif not good or self.register_status != 200:
            response = Response.to_request(request, self.register_status if good else 403, headers=version)
        else:
            asked = request.expires or 0
            granted = asked if self.expires is None or not asked else self.expires
            date = ("Date", "2026-03-01T08:00:00.123")
            response = Response.to_request(request, 200, headers=[("Expires", str(granted)), date, *version])
            if asked:
                self.flow = event.flow
                self.bound.set()
            else:
                self.unregistered += 1
                self.bound.clear()
        self.endpoint.respond(event.token, response, now)
