"""A SIP user agent on real sockets: datagrams or one TCP connection below, requests that can be awaited above."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from time import monotonic

import structlog

from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.sip import (
    AckMissing,
    AckReceived,
    Cancelled,
    Dialog,
    Endpoint,
    Event,
    Flow,
    Ping,
    Request,
    RequestFailed,
    RequestReceived,
    Response,
    ResponseReceived,
    SipMessage,
    StreamParser,
    parse_message,
)
from gongshi.simulator.config import PlatformConfig

log = structlog.get_logger(__name__)

_DATAGRAM = 65_535
_BUFFER = 4 << 20
_BATCH = 64
"""Datagrams taken from the socket before others get their turn."""

Incoming = RequestReceived | AckReceived | AckMissing | Cancelled
Handler = Callable[[Incoming], None]


class NoAnswer(Exception):
    """No final answer came in time, or the connection broke."""


class Agent:
    """Owns the socket and the transaction layer; all of it in one event loop.

    `on_event` gets requests of the peer, ACKs and their absence; it must not block. `on_lost` is told when a TCP
    connection broke.
    """

    def __init__(self, config: PlatformConfig, on_event: Handler, on_lost: Callable[[], None]) -> None:
        self._config = config
        self._on_event = on_event
        self._on_lost = on_lost
        self._endpoint = Endpoint(config.timers)
        self._waiting: dict[int, asyncio.Future[Response]] = {}
        self._socket: socket.socket | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._connections = 0
        self._acks: dict[int, Request] = {}
        self._said: set[str] = set()
        self._heard: dict[bytes, RequestReceived] = {}
        self.server = (config.host, config.port)
        """Where the next `open` leads; a redirect changes it."""
        self.flow: Flow | None = None
        """How the server is reached; None while there is no socket."""

    async def open(self) -> None:
        """Bind or connect. Raises `OSError`."""
        await self.close()
        loop = asyncio.get_running_loop()
        config = self._config
        kind = socket.SOCK_DGRAM if config.transport == "udp" else socket.SOCK_STREAM
        host, port = self.server
        found = await loop.getaddrinfo(host, port, type=kind)
        family, _, _, _, target = found[0]
        local = (config.local_host or ("::" if family == socket.AF_INET6 else "0.0.0.0"), config.local_port)  # noqa: S104 -- a device listens on its interfaces
        if config.transport == "udp":
            await self._open_udp(family, local, (str(target[0]), port))
        else:
            await self._open_tcp(family, local, (str(target[0]), port))

    async def _open_udp(self, family: int, local: tuple[str, int], target: tuple[str, int]) -> None:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(target)
            own_host = self._config.local_host or str(probe.getsockname()[0])
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            sock.bind(local)
        except OSError:
            sock.close()
            raise
        self._socket = sock
        self.flow = Flow("UDP", target[0], target[1], own_host, sock.getsockname()[1])
        asyncio.get_running_loop().add_reader(sock.fileno(), self._drain)

    async def _open_tcp(self, family: int, local: tuple[str, int], target: tuple[str, int]) -> None:
        wanted = local if self._config.local_port or self._config.local_host else None
        reader, writer = await asyncio.open_connection(target[0], target[1], family=family, local_addr=wanted)
        own = writer.get_extra_info("sockname")
        self._connections += 1
        self._writer = writer
        self.flow = Flow("TCP", target[0], target[1], str(own[0]), int(own[1]), self._connections)
        self._reading = asyncio.create_task(self._read(reader, self.flow))

    async def close(self) -> None:
        """Close the socket; waiting requests fail."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
        if self._reading is not None:
            self._reading.cancel()
            # Not awaited itself: its cancellation and ours would look alike, and ours would be lost.
            await asyncio.wait([self._reading])
            self._reading = None
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
            self._writer = None
        self.flow = None
        self._dispatch(self._endpoint.flow_lost(lambda _flow: True))

    # --- what the platform does ----------------------------------------------------------------------------------

    async def request(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request and wait for the final answer. Raises `NoAnswer`."""
        return (await self._ask(request, timeout))[1]

    async def _ask(self, request: Request, timeout: float | None) -> tuple[int, Response]:
        if self.flow is None:
            raise NoAnswer
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        token = self._endpoint.request(request, self.flow, monotonic())
        self._waiting[token] = future
        self._flush()
        try:
            async with asyncio.timeout(timeout):
                return token, await future
        except TimeoutError:
            raise NoAnswer from None
        finally:
            self._waiting.pop(token, None)

    async def call(self, invite: Request, timeout: float | None = None) -> tuple[Response, Dialog | None]:
        """Send an INVITE; the final answer, and with a 200 the acknowledged dialog. Raises `NoAnswer`."""
        token, response = await self._ask(invite, timeout)
        if response.status >= 300 or self.flow is None:
            return response, None
        dialog = Dialog.from_response(invite, response)
        self._acks[token] = dialog.ack()
        self._endpoint.send(self._acks[token], self.flow)
        self._flush()
        # As long as the 200 may be repeated because an ACK was lost.
        asyncio.get_running_loop().call_later(self._config.timers.limit, self._acks.pop, token, None)
        return response, dialog

    def respond(self, token: int, response: Response) -> None:
        """Answer a request; one that is over already is let go."""
        with contextlib.suppress(ProtocolError):
            self._endpoint.respond(token, response, monotonic())
        self._flush()

    # --- the wire ------------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        sock = self._socket
        if sock is None:
            return
        for _ in range(_BATCH):
            try:
                data, address = sock.recvfrom(_DATAGRAM)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                # ICMP tells of a closed port on Linux; the transaction layer notices by itself.
                log.debug("simulator.socket", error=str(error))
                break
            own = self.flow
            if own is None or not data.strip(b"\r\n\0"):
                continue
            try:
                message = parse_message(data)
            except ProtocolError as error:
                log.warning("simulator.unreadable", source=address[0], error=str(error))
                continue
            flow = Flow("UDP", address[0], address[1], own.local_host, own.local_port)
            self._take(data, message, flow)
        self._flush()

    def _take(self, data: bytes, message: SipMessage, flow: Flow) -> None:
        events = self._endpoint.receive(message, flow, monotonic())
        if self._config.faults.no_replay and isinstance(message, Request) and message.method == "MESSAGE":
            if not events and data in self._heard:
                self._on_event(self._heard[data])
            for event in events:
                if isinstance(event, RequestReceived):
                    self._heard[data] = event
        self._dispatch(events)

    async def _read(self, reader: asyncio.StreamReader, flow: Flow) -> None:
        parser = StreamParser()
        try:
            while data := await reader.read(_DATAGRAM):
                for message in parser.feed(data):
                    if isinstance(message, Ping):
                        if self._writer is not None:
                            self._writer.write(b"\r\n")
                        continue
                    self._dispatch(self._endpoint.receive(message, flow, monotonic()))
                self._flush()
                if parser.error is not None:
                    raise parser.error
        except (OSError, ProtocolError) as error:
            log.warning("simulator.connection", error=str(error))
        if self.flow == flow:
            self.flow = None
            self._dispatch(self._endpoint.flow_lost(lambda lost: lost == flow))
            self._on_lost()

    def _flush(self) -> None:
        for data, flow in self._endpoint.outgoing():
            if self._config.faults.ok_once and self._repeats(data):
                continue
            if flow.transport == "UDP" and self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.sendto(data, (flow.host, flow.port))
            elif self._writer is not None and not self._writer.is_closing():
                self._writer.write(data)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._endpoint.deadline
        if deadline != float("inf") and (self._socket is not None or self._writer is not None):
            delay = max(0.0, deadline - monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _repeats(self, data: bytes) -> bool:
        """A 200 to an INVITE that was sent before."""
        text = data.decode("utf-8", "replace")
        if not text.startswith("SIP/2.0 200") or " INVITE\r\n" not in text:
            return False
        known = text in self._said
        self._said.add(text)
        return known

    def _tick(self) -> None:
        self._timer = None
        self._dispatch(self._endpoint.tick(monotonic()))
        self._flush()

    def _dispatch(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, ResponseReceived):
                ack = self._acks.get(event.token)
                if ack is not None and self.flow is not None:
                    self._endpoint.send(ack, self.flow)
                future = self._waiting.get(event.token)
                if future is not None and not future.done() and event.response.status >= 200:
                    future.set_result(event.response)
            elif isinstance(event, RequestFailed):
                future = self._waiting.get(event.token)
                if future is not None and not future.done():
                    future.set_exception(NoAnswer())
            else:
                self._on_event(event)
