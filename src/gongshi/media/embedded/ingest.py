"""Receive ports: one per stream, UDP or TCP, listening or connecting (GB/T 28181 §10.2, §15.2)."""

import contextlib
import errno
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from gongshi.media.embedded.link import Address, Link
from gongshi.media.embedded.poller import Poller
from gongshi.protocols.rtp import RtpReceiver, TcpDeframer

_DATAGRAM: Final = 2048
"""Bytes read per datagram: RTP stays below the MTU. A sender of larger ones is noticed and given 64 KiB."""
_BATCH: Final = 256
"""Datagrams of one port per tick, so that a flood does not starve the others."""
_CHUNK: Final = 256 << 10
_CONNECTIONS: Final = 3
"""Connections of one port at a time: the running one, and others that may replace it when it is silent."""


class Sink(Protocol):
    """What a port delivers to: its stream."""

    receiver: RtpReceiver
    resyncs: int
    connections: int

    def pump(self, now: float) -> None:
        """Take what the receiver has put in order."""
        ...


class Port(Protocol):
    number: int

    def tick(self, now: float) -> None:
        """Called several times a second."""
        ...

    def close(self) -> None: ...


class PortsExhausted(Exception):
    """No port of the range could be bound."""


class UdpPort:
    """Datagrams from anyone go to the receiver, which locks its source; `source` restricts it to one address."""

    def __init__(self, poller: Poller, sock: socket.socket, sink: Sink, source: str | None) -> None:
        self.number: int = sock.getsockname()[1]
        self._poller = poller
        self._socket = sock
        self._sink = sink
        self._source = source
        self._size = _DATAGRAM
        poller.add(sock.fileno(), self._drain)

    def tick(self, now: float) -> None:
        """Nothing is ever due."""

    def close(self) -> None:
        self._poller.remove(self._socket.fileno())
        self._socket.close()

    def _drain(self, now: float) -> None:
        receiver = self._sink.receiver
        take, push, size, wanted = self._socket.recvfrom, receiver.push, self._size, self._source
        try:
            for _ in range(_BATCH):
                data, source = take(size)
                if len(data) == size:
                    self._size = 65_536
                    receiver.malformed += 1
                elif wanted is not None and source[0] != wanted:
                    receiver.foreign += 1
                else:
                    push(data, now, source)
        except BlockingIOError:
            pass
        self._sink.pump(now)


class TcpPort:
    """A listener and its connections. The receiver's lock decides whose packets count."""

    def __init__(self, poller: Poller, sock: socket.socket, sink: Sink, source: str | None) -> None:
        self.number: int = sock.getsockname()[1]
        self._poller = poller
        self._socket = sock
        self._sink = sink
        self._source = source
        self._open: dict[int, socket.socket] = {}
        poller.add(sock.fileno(), self._accept)

    def tick(self, now: float) -> None:
        """Nothing is ever due."""

    def close(self) -> None:
        for connection in list(self._open.values()):
            self._drop(connection)
        self._poller.remove(self._socket.fileno())
        self._socket.close()

    def _accept(self, _now: float) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while True:
                connection, peer = self._socket.accept()
                if (self._source is not None and peer[0] != self._source) or len(self._open) >= _CONNECTIONS:
                    self._sink.receiver.foreign += 1
                    connection.close()
                    continue
                connection.setblocking(False)
                self._open[connection.fileno()] = connection
                self._sink.connections += 1
                self._poller.add(connection.fileno(), self._reader(connection, peer))

    def _reader(self, connection: socket.socket, peer: object) -> Callable[[float], None]:
        deframer = TcpDeframer()
        receiver = self._sink.receiver

        def drain(now: float) -> None:
            try:
                data = connection.recv(_CHUNK)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            resyncs = deframer.resyncs
            for packet in deframer.feed(data):
                receiver.push(packet, now, peer)
            self._sink.resyncs += deframer.resyncs - resyncs
            if not data or deframer.broken:
                self._drop(connection)
            self._sink.pump(now)

        return drain

    def _drop(self, connection: socket.socket) -> None:
        descriptor = connection.fileno()
        if self._open.pop(descriptor, None) is not None:
            self._poller.remove(descriptor)
            connection.close()


class ClientPort:
    """We connect to the device, from the port that it was told, when `connect` says where it listens."""

    def __init__(self, poller: Poller, sock: socket.socket, sink: Sink, source: str | None) -> None:
        self.number: int = sock.getsockname()[1]
        self._poller = poller
        self._bound: socket.socket | None = sock
        self._sink = sink
        self._source = source
        self._link: Link | None = None
        self._peer: Address | None = None
        self._deframer = TcpDeframer()

    def connect(self, targets: Sequence[Address], now: float) -> None:
        """Begin; once. Targets other than the one source that is accepted are left out."""
        wanted = [target for target in targets if self._source in {None, target[0]}]
        sock, self._bound = self._bound, None
        if sock is not None and wanted:
            self._link = Link(self._poller, sock, wanted, self._took, self._got)
            self._link.tick(now)

    def tick(self, now: float) -> None:
        if self._link is not None:
            self._link.tick(now)

    def close(self) -> None:
        if self._bound is not None:
            self._bound.close()
            self._bound = None
        if self._link is not None:
            self._link.close()

    def _took(self, peer: Address) -> None:
        self._peer = peer
        self._deframer = TcpDeframer()
        self._sink.connections += 1

    def _got(self, data: bytes, now: float) -> None:
        deframer, receiver = self._deframer, self._sink.receiver
        resyncs = deframer.resyncs
        for packet in deframer.feed(data):
            receiver.push(packet, now, self._peer)
        self._sink.resyncs += deframer.resyncs - resyncs
        if deframer.broken and self._link is not None:
            self._link.drop(now)
        self._sink.pump(now)


_PORTS: Final = {"udp": UdpPort, "tcp_passive": TcpPort, "tcp_active": ClientPort}


class PortRange:
    """Hands out ports of a range in turn, even ones first used (RTCP would be port + 1), skipping what is taken."""

    def __init__(self, host: str, first: int, last: int, receive_buffer: int) -> None:
        self._host = host
        self._first = first + (first & 1)
        self._count = max(0, (last - self._first) // 2 + 1)
        self._next = 0
        self._buffer = receive_buffer

    def open(self, poller: Poller, sink: Sink, transport: str, *, source: str | None) -> Port:
        """Receive on the next free port. Raises `PortsExhausted`."""
        sock = self.bind(tcp=transport != "udp", listen=transport == "tcp_passive")
        return _PORTS[transport](poller, sock, sink, source)

    def bind(self, *, tcp: bool, listen: bool = False) -> socket.socket:
        """A non-blocking socket on the next free port. Raises `PortsExhausted`."""
        for number in self._numbers():
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
            try:
                # Inherited by accepted connections; before bind and listen, or the window stays small.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
                sock.setblocking(False)
                if tcp:
                    # Closed connections of an earlier stream must not hold the number for a minute.
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((self._host, number))
                if listen:
                    sock.listen(4)
            except OSError as error:
                sock.close()
                if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                    continue
                raise
            return sock
        raise PortsExhausted

    def _numbers(self) -> Iterator[int]:
        for _ in range(self._count):
            yield self._first + 2 * self._next
            self._next = (self._next + 1) % self._count
