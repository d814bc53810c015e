"""Sockets: one UDP socket drained by a tick while busy, TCP connections cut into messages (signalling.md §6).

asyncio's own datagram endpoint allocates 256 KiB for each datagram; reading in batches every 4 ms halves the cost of a
paced load. The tick runs only while datagrams come.
"""

import asyncio
import contextlib
import itertools
import socket
from collections import Counter
from collections.abc import Callable
from time import monotonic
from typing import Any, Final, cast

import structlog

from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.sip import Flow, Ping, SipMessage, StreamParser
from gongshi.signalling.limits import Sparse

log = structlog.get_logger(__name__)

TICK: Final = 0.004
_BUSY_TICK: Final = 0.01
"""When many come: half of what a message costs is waking up for it, and nobody notices six milliseconds."""
_BUSY: Final = 6
_BATCH: Final = 256
_TURN: Final = 0.01
"""Seconds after which a batch lets timers, calls and connections have their turn, however many datagrams wait."""
_DATAGRAM: Final = 65_535
_BUFFER: Final = 8 * 1024 * 1024
_WRITE_LIMIT: Final = 4 * 1024 * 1024
_LOCALS: Final = 10_000
_STRANGERS_BODY: Final = 64 * 1024
"""Bytes of a body that is waited for from somebody who has not registered."""

OnDatagram = Callable[[bytes, str, int, float], bytes | None]
"""`(data, host, port, now)`; gives what to send back at once, if anything."""
OnMessage = Callable[[SipMessage, Flow, float], None]


class Locals:
    """Our own address as a peer sees it: the configured one, else the one the kernel sends from (Q-04)."""

    def __init__(self, advertise: str | None, family: socket.AddressFamily) -> None:
        self._advertise = advertise
        self._family = family
        self._known: dict[str, str] = {}

    def towards(self, host: str) -> str:
        """The address to put into Via, Contact and SDP for a peer at `host`."""
        if self._advertise:
            return self._advertise
        known = self._known.get(host)
        if known is None:
            if len(self._known) >= _LOCALS:
                self._known.clear()
            known = self._known[host] = self._ask(host)
        return known

    def _ask(self, host: str) -> str:
        # Connecting a datagram socket sends nothing; it only picks the route.
        with socket.socket(self._family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((host, 9))
            except OSError:
                return "127.0.0.1" if self._family == socket.AF_INET else "::1"
            return str(probe.getsockname()[0])


def family_of(host: str) -> socket.AddressFamily:
    """IPv6 when the address is written with colons."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class Udp:
    """The datagram socket."""

    def __init__(self, host: str, port: int, receive: OnDatagram, batch_end: Callable[[], None]) -> None:
        self._receive = receive
        self._batch_end = batch_end
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._sparse = Sparse(60.0)
        self._outgoing: list[tuple[bytes, tuple[Any, ...]]] | None = None
        self.received = 0
        self.unsent = 0
        self._socket = socket.socket(family_of(host), socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                with contextlib.suppress(OSError):
                    self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self.port = int(self._socket.getsockname()[1])
        self._loop.add_reader(self._socket.fileno(), self._wake)

    def _wake(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._drain()

    def _drain(self) -> None:
        receive, handle, now = self._socket.recvfrom, self._receive, monotonic()
        taken, more = 0, True
        # Answers leave together at the end: sending wakes whoever waits for them, and once per batch is enough.
        outgoing: list[tuple[bytes, tuple[Any, ...]]] = []
        self._outgoing = outgoing
        try:
            while taken < _BATCH and (taken % 16 or monotonic() - now < _TURN):
                data, address = receive(_DATAGRAM)
                taken += 1
                answer = handle(data, address[0], address[1], now)
                if answer:
                    outgoing.append((answer, address))
        except BlockingIOError:
            more = False
        except OSError as error:
            # An ICMP error of an earlier send surfaces here; the socket goes on.
            taken, more = taken + 1, False
            self._tell("udp.receive", error)
        finally:
            self.received += taken
            if taken:
                self._batch_end()
            self._outgoing = None
            for data, address in outgoing:
                self._put(data, address)
            if self._socket.fileno() >= 0:
                if more:
                    self._timer = self._loop.call_soon(self._drain)
                elif taken:
                    self._timer = self._loop.call_later(TICK if taken < _BUSY else _BUSY_TICK, self._drain)
                else:
                    self._loop.add_reader(self._socket.fileno(), self._wake)

    def send(self, data: bytes, host: str, port: int) -> None:
        """Send or lose it: SIP repeats what matters."""
        if self._outgoing is not None:
            self._outgoing.append((data, (host, port)))
        else:
            self._put(data, (host, port))

    def _put(self, data: bytes, address: tuple[Any, ...]) -> None:
        try:
            self._socket.sendto(data, address)
        except OSError as error:
            self.unsent += 1
            self._tell("udp.send", error)

    def _tell(self, what: str, error: OSError) -> None:
        if count := self._sparse.count((what, error.errno), monotonic()):
            log.warning("signal.socket", what=what, error=str(error), count=count)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()


class Connection(asyncio.Protocol):
    """One TCP connection of a peer."""

    def __init__(self, owner: "Tcp", number: int, *, ours: bool = False) -> None:
        self._owner = owner
        self._parser = StreamParser()
        self._transport: asyncio.Transport | None = None
        self.number = number
        self.ours = ours
        """We opened it: towards an upper."""
        self.flow = Flow("TCP", "", 0)
        self.opened = monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)
        self._transport = stream
        peer: tuple[Any, ...] | None = stream.get_extra_info("peername")
        host, port = (str(peer[0]), int(peer[1])) if peer else ("", 0)
        stream.set_write_buffer_limits(high=_WRITE_LIMIT)
        self.flow = Flow("TCP", host, port, self._owner.locals.towards(host), self._owner.port, self.number)
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        now = monotonic()
        try:
            found = self._parser.feed(data)
        except RemoteProtocolError as error:
            self._owner.damaged(self, error, data)
            self.close()
            return
        for message in found:
            if isinstance(message, Ping):
                self.write(b"\r\n")
            else:
                self._owner.receive(message, self.flow, now)
        self._owner.batch_end()
        failure = self._parser.error
        if self._parser.announced > _STRANGERS_BODY and not self.ours and not self._owner.trusted(self.number):
            failure = RemoteProtocolError("too large a body from nobody we know", 413)
        if failure is not None:
            self._owner.damaged(self, failure, data)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._owner.lost(self)

    def pause_writing(self) -> None:
        # The peer does not read: what waits for it would grow without end.
        if self._transport is not None:
            self._transport.abort()

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Tcp:
    """The listener and its connections."""

    def __init__(
        self,
        receive: OnMessage,
        batch_end: Callable[[], None],
        on_lost: Callable[[Flow], None],
        on_damage: Callable[[Flow, RemoteProtocolError, bytes], None],
        addresses: Locals,
        limit: int,
        *,
        per_source: int,
        trusted: Callable[[int], bool],
    ) -> None:
        """`trusted` says whether somebody has registered on a connection, by its number."""
        self.receive = receive
        self.batch_end = batch_end
        self.locals = addresses
        self.port = 0
        self._on_lost = on_lost
        self._on_damage = on_damage
        self._limit = limit
        self._per_source = per_source
        self._sources: Counter[str] = Counter()
        self.trusted = trusted
        self._numbers = itertools.count(1)
        self._connections: dict[int, Connection] = {}
        self._sparse = Sparse(60.0)
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self, next(self._numbers)), host, port, reuse_address=True
        )
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def connect(self, host: str, port: int, *, within: float = 5.0) -> Flow:
        """Open a connection to somebody who listens. Raises OSError, TimeoutError."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(within):
            _, made = await loop.create_connection(lambda: Connection(self, next(self._numbers), ours=True), host, port)
        return made.flow

    def hang_up(self, flow: Flow) -> None:
        """Close a connection that we opened; `on_lost` is told."""
        connection = self._connections.get(flow.connection)
        if connection is not None and connection.ours:
            connection.close()

    def __len__(self) -> int:
        return len(self._connections)

    def opened(self, connection: Connection) -> None:
        self._connections[connection.number] = connection
        host = connection.flow.host
        self._sources[host] += 1
        full = len(self._connections) > self._limit
        if connection.ours or not (full or self._sources[host] > self._per_source):
            return
        if count := self._sparse.count(("connections", None if full else host), monotonic()):
            log.warning("signal.connections.full", source="*" if full else host, count=count)
        connection.close()

    def lost(self, connection: Connection) -> None:
        if self._connections.pop(connection.number, None) is not None:
            host = connection.flow.host
            self._sources[host] -= 1
            if not self._sources[host]:
                del self._sources[host]
            self._on_lost(connection.flow)

    def damaged(self, connection: Connection, error: RemoteProtocolError, data: bytes) -> None:
        self._on_damage(connection.flow, error, data)

    def send(self, data: bytes, flow: Flow) -> None:
        """Write to the flow's connection; gone connections have told `on_lost` already."""
        connection = self._connections.get(flow.connection)
        if connection is not None:
            connection.write(data)

    def alive(self, flow: Flow) -> bool:
        return flow.connection in self._connections

    def idle(self, now: float, limit: float) -> None:
        """Close connections older than `limit` on which nobody registered."""
        for connection in list(self._connections.values()):
            if now - connection.opened > limit and not connection.ours and not self.trusted(connection.number):
                connection.close()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections.values()):
            connection.close()
        await asyncio.sleep(0)
