"""The sockets of a conformance run: everything sent and received is kept, and anything can be sent or held back."""

import asyncio
import contextlib
import itertools
import re
import socket
from collections.abc import Callable
from time import monotonic

from gongshi.conform.model import Exchanged
from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.sip import (
    AckMissing,
    AckReceived,
    Cancelled,
    Endpoint,
    Event,
    Flow,
    Ping,
    Request,
    RequestFailed,
    RequestReceived,
    Response,
    ResponseReceived,
    StreamParser,
    Timers,
    parse_message,
)

_DATAGRAM = 65_535
_BUFFER = 4 << 20
_KEPT = 20_000
"""Messages kept of a run; a flood must not eat the memory."""
_PROOF = re.compile(rb'(response=")[^"]*(")')

_order = itertools.count(1)
Incoming = RequestReceived | AckReceived | AckMissing | Cancelled
Handler = Callable[[Incoming], None]


class Asked:
    """A request of ours and what came back: any number of 1xx, and final answers, repeated ones included."""

    def __init__(self, token: int, request: Request, flow: Flow) -> None:
        self.token = token
        self.request = request
        self.flow = flow
        self.responses: list[Response] = []
        self.failed = False
        self.final_order = 0
        """When the first final answer came, as a number that grows with everything that comes."""
        self._news = asyncio.Event()

    def take(self, response: Response | None) -> None:
        """Note an answer, or with None that none will come."""
        self.failed = self.failed or response is None
        if response is not None:
            self.responses.append(response)
            if response.status >= 200 and not self.final_order:
                self.final_order = next(_order)
        self._news.set()

    @property
    def final(self) -> Response | None:
        """The first final answer."""
        return next((r for r in self.responses if r.status >= 200), None)

    @property
    def repeats(self) -> int:
        """How often a final answer came again."""
        return max(0, sum(r.status >= 200 for r in self.responses) - 1)

    async def until(self, condition: "Callable[[Asked], bool]", seconds: float) -> bool:
        """Wait until something holds of the answers; False when it does not in time or never will."""
        try:
            async with asyncio.timeout(seconds):
                while not condition(self):
                    if self.failed:
                        return False
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def answer(self, seconds: float) -> Response | None:
        """Wait for the final answer; None when there is none in time."""
        await self.until(lambda asked: asked.final is not None, seconds)
        return self.final


class Wire:
    """One address on UDP and TCP. Not thread-safe; one loop."""

    def __init__(self, timers: Timers, on_event: Handler, started: float) -> None:
        self.endpoint = Endpoint(timers)
        self.log: list[Exchanged] = []
        self.host = ""
        self.port = 0
        self.on_lost: Callable[[Flow], None] = lambda _flow: None
        self._on_event = on_event
        self._started = started
        self._asked: dict[int, Asked] = {}
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._readers: set[asyncio.Task[None]] = set()
        self._connections = 0
        self._timer: asyncio.TimerHandle | None = None

    async def open(self, host: str, port: int, *, listen: bool = True) -> None:
        """Bind. Raises `OSError`. With `listen` the same port takes TCP connections."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            sock.bind((host, port))
            self.host, self.port = host, int(sock.getsockname()[1])
            if listen:
                self._server = await asyncio.start_server(self._connected, host, self.port, family=family)
        except OSError:
            sock.close()
            raise
        self._socket = sock
        asyncio.get_running_loop().add_reader(sock.fileno(), self._drain)

    async def close(self) -> None:
        """Close every socket."""
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
        if self._server is not None:
            self._server.close()
        for writer in self._writers.values():
            writer.transport.abort()
        for task in self._readers:
            task.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    def local(self, peer: str) -> str:
        """Our address as a peer would reach it."""
        if self.host not in {"0.0.0.0", "::", ""}:  # noqa: S104 -- compared, not bound
            return self.host
        family = socket.AF_INET6 if ":" in peer else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((peer, 9))
            return str(probe.getsockname()[0])

    def udp(self, host: str, port: int) -> Flow:
        """The way to a peer by datagram."""
        return Flow("UDP", host, port, self.local(host), self.port)

    async def tcp(self, host: str, port: int) -> Flow:
        """Connect to a peer. Raises `OSError`."""
        reader, writer = await asyncio.open_connection(host, port)
        return self._follow(reader, writer)

    # --- sending -----------------------------------------------------------------------------------------------------

    def ask(self, request: Request, flow: Flow) -> Asked:
        """Send a request; its answers gather in what is returned."""
        token = self.endpoint.request(request, flow, monotonic())
        asked = self._asked[token] = Asked(token, request, flow)
        self.flush()
        return asked

    def cancel(self, asked: Asked) -> Asked | None:
        """Give an INVITE up; the answers to CANCEL, or None when it is too late or too early for one."""
        token = self.endpoint.cancel(asked.token, monotonic())
        cancelling = None
        if token is not None:
            cancelling = self._asked[token] = Asked(token, asked.request, asked.flow)
        self.flush()
        return cancelling

    def send(self, request: Request, flow: Flow) -> None:
        """Send a request that has no answer: ACK."""
        self.endpoint.send(request, flow)
        self.flush()

    def respond(self, event: RequestReceived | Cancelled, response: Response) -> None:
        """Answer a request; one that is over already is let go."""
        with contextlib.suppress(ProtocolError):
            self.endpoint.respond(event.token, response, monotonic())
        self.flush()

    def raw(self, data: bytes, flow: Flow) -> None:
        """Put bytes on the wire as they are."""
        self.log_message(data, flow, sent=True)
        if flow.transport == "UDP" and self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(data, (flow.host, flow.port))
        elif (writer := self._writers.get(flow.connection)) is not None and not writer.is_closing():
            writer.write(data)

    def flush(self) -> None:
        """Send what the transaction layer has, and come back when it wants to."""
        for data, flow in self.endpoint.outgoing():
            self.raw(data, flow)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.endpoint.deadline != float("inf") and self._socket is not None:
            delay = max(0.0, self.endpoint.deadline - monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    # --- receiving ---------------------------------------------------------------------------------------------------

    def log_message(self, data: bytes, flow: Flow, *, sent: bool) -> None:
        """Keep a message for the report, without the proof of the password."""
        if len(self.log) < _KEPT and data.strip(b"\r\n\0"):
            peer = f"{flow.host}:{flow.port}"
            clean = _PROOF.sub(rb"\1***\2", data)
            self.log.append(Exchanged(monotonic() - self._started, sent, flow.transport, peer, clean))

    def _tick(self) -> None:
        self._timer = None
        self._dispatch(self.endpoint.tick(monotonic()))
        self.flush()

    def _drain(self) -> None:
        while self._socket is not None:
            try:
                data, address = self._socket.recvfrom(_DATAGRAM)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                break
            flow = self.udp(str(address[0]), int(address[1]))
            if not data.strip(b"\r\n\0"):
                continue
            self.log_message(data, flow, sent=False)
            with contextlib.suppress(ProtocolError):
                self._dispatch(self.endpoint.receive(parse_message(data), flow, monotonic()))
        self.flush()

    def _flow(self, writer: asyncio.StreamWriter) -> Flow:
        own, peer = writer.get_extra_info("sockname"), writer.get_extra_info("peername")
        self._connections += 1
        self._writers[self._connections] = writer
        return Flow("TCP", str(peer[0]), int(peer[1]), str(own[0]), self.port, self._connections)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._follow(reader, writer)

    def _follow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Flow:
        flow = self._flow(writer)
        task = asyncio.create_task(self._read(reader, flow))
        self._readers.add(task)
        task.add_done_callback(self._readers.discard)
        return flow

    async def _read(self, reader: asyncio.StreamReader, flow: Flow) -> None:
        parser = StreamParser()
        with contextlib.suppress(OSError):
            while data := await reader.read(_DATAGRAM):
                self.log_message(data, flow, sent=False)
                for message in parser.feed(data):
                    if isinstance(message, Ping):
                        self.raw(b"\r\n", flow)
                    else:
                        self._dispatch(self.endpoint.receive(message, flow, monotonic()))
                self.flush()
                if parser.error is not None:
                    break
        writer = self._writers.pop(flow.connection, None)
        if writer is not None:
            writer.close()
        self._dispatch(self.endpoint.flow_lost(lambda lost: lost == flow))
        self.on_lost(flow)

    def _dispatch(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, ResponseReceived | RequestFailed):
                asked = self._asked.get(event.token)
                if asked is not None:
                    asked.take(event.response if isinstance(event, ResponseReceived) else None)
            else:
                self._on_event(event)
