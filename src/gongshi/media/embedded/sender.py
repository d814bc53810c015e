"""A relay to one target: RTP payloads as they came, under a number and an SSRC of our own (GB/T 28181 §13.3).

Program streams pass through untouched, whatever is in them. A target that takes nothing loses pictures and is given
up in the end; it never delays another.
"""

import socket
import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from gongshi.media.embedded.link import Address, Link
from gongshi.media.embedded.poller import Poller
from gongshi.protocols.rtp import PS_PAYLOAD_TYPE
from gongshi.protocols.rtp.receiver import Payload

_HEADER: Final = struct.Struct("!BBHII")
_ROOM: Final = 1400
"""Payload bytes of one datagram; longer packets (they come over TCP) are cut, which PS allows at any byte."""
_LARGEST: Final = 1460
_PATIENCE: Final = 5.0
"""After a jam the relay goes on at a key frame, or after this many seconds at any frame."""


class Numbering:
    """Gives payloads an SSRC and sequence numbers of our own; a gap in the source stays one in the copy."""

    def __init__(self, ssrc: int, longest: int | None = None, payload_type: int = PS_PAYLOAD_TYPE) -> None:
        self.ssrc = ssrc
        self._next = 0
        self._longest = longest
        self._plain, self._marked = payload_type, payload_type | 0x80

    def packets(self, ready: Iterable[Payload]) -> list[bytes]:
        pack, ssrc, number, longest = _HEADER.pack, self.ssrc, self._next, self._longest
        plain, marked = self._plain, self._marked
        out: list[bytes] = []
        for gap, stamp, marker, data in ready:
            if gap:
                number += 1
            if longest is not None and len(data) > longest:
                for at in range(0, len(data), _ROOM):
                    last = marker and at + _ROOM >= len(data)
                    head = pack(0x80, marked if last else plain, number & 0xFFFF, stamp, ssrc)
                    out.append(head + data[at : at + _ROOM])
                    number += 1
                continue
            out.append(pack(0x80, marked if marker else plain, number & 0xFFFF, stamp, ssrc) + data)
            number += 1
        self._next = number & 0xFFFF
        return out

    def skip(self) -> None:
        """Something is left out on purpose; the target shall see that."""
        self._next = (self._next + 1) & 0xFFFF


class Sender:
    """One target. Silent while `held`; begins at the beginning of a frame. Admission sees it as a connection."""

    transport: str

    def __init__(self, session: str, target: Address, numbering: Numbering, port: int) -> None:
        self.session = session
        self.target = target
        self.port = port
        self.held = True
        self.octets = 0
        self.waiting = False
        self.packets = 0
        self.dropped = 0
        self._numbering = numbering
        self._released_at = 0.0
        self._stamp: int | None = None
        """Timestamp of the frame that was running when we were let go; None: any frame will do."""
        self._begun = False

    def release(self, now: float) -> None:
        """Begin to send."""
        self.held = False
        self._released_at = now

    def forward(self, ready: list[Payload], now: float) -> None:
        """What the source has put in order, once per tick."""
        if self.held:
            return
        if not self._begun:
            ready = self._from_frame(ready)
            if not ready:
                return
        self._send(ready, now)

    def _from_frame(self, ready: list[Payload]) -> list[Payload]:
        for index, (_, stamp, _, _) in enumerate(ready):
            if self._stamp is not None and stamp != self._stamp:
                self._begun = True
                return ready[index:]
            self._stamp = stamp
        return []

    def _send(self, ready: list[Payload], now: float) -> None:
        raise NotImplementedError

    def tick(self, now: float) -> str | None:
        """Housekeeping; the reason when the target is given up: `target_unreachable`, `_broken` or `_stalled`."""
        raise NotImplementedError

    def cut(self, reason: str) -> None:
        """Stop for good, now."""
        raise NotImplementedError

    @property
    def queued(self) -> int:
        """Bytes that wait for the target."""
        return 0

    def state(self) -> str:
        return "held" if self.held else "sending"

    def stats(self) -> dict[str, Any]:
        return {
            "session": self.session,
            "transport": self.transport,
            "target": f"{self.target[0]}:{self.target[1]}",
            "port": self.port,
            "ssrc": self._numbering.ssrc,
            "state": self.state(),
            "packets": self.packets,
            "octets": self.octets,
            "dropped": self.dropped,
            "queued": self.queued,
        }


class UdpSender(Sender):
    """Datagrams to one address. A full socket buffer loses packets, as the network would."""

    transport = "udp"

    def __init__(
        self,
        session: str,
        target: Address,
        ssrc: int,
        sock: socket.socket,
        *,
        reach: float,
        payload_type: int = PS_PAYLOAD_TYPE,
    ) -> None:
        """Takes the socket over. Raises OSError when there is no way to the target.

        `reach` is how many seconds of ICMP refusals tell that nobody listens.
        """
        sock.connect(target)
        super().__init__(session, target, Numbering(ssrc, _LARGEST, payload_type), sock.getsockname()[1])
        self._socket: socket.socket | None = sock
        self._reach = reach
        self._refused_at = 0.0
        self._refused_since: float | None = None

    def _send(self, ready: list[Payload], now: float) -> None:
        sock = self._socket
        if sock is None:
            return
        send = sock.send
        for packet in self._numbering.packets(ready):
            try:
                self.octets += send(packet)
                self.packets += 1
            except BlockingIOError:
                self.dropped += 1
            except OSError:
                # ICMP said of an earlier packet that nobody listens; this one was not sent.
                self.dropped += 1
                self._refused_at = now
                if self._refused_since is None:
                    self._refused_since = now

    def tick(self, now: float) -> str | None:
        if self._refused_since is None:
            return None
        if now - self._refused_at > 2.0:
            self._refused_since = None
        elif now - self._refused_since > self._reach:
            return "target_unreachable"
        return None

    def cut(self, reason: str) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a connection may cost. `high_water` in bytes, `stall` and `reach` in seconds."""

    high_water: int
    stall: float
    """A target that takes nothing for so long is given up."""
    reach: float
    """In this time a target must connect, or come back (annex D: the listener stays for ten seconds)."""
    payload_type: int = PS_PAYLOAD_TYPE


class TcpSender(Sender):
    """RFC 4571 frames over a connection. A jam loses everything up to a key frame; a lasting one ends the relay."""

    def __init__(self, session: str, target: Address, ssrc: int, port: int, bounds: Bounds) -> None:
        super().__init__(session, target, Numbering(ssrc, None, bounds.payload_type), port)
        self._bounds = bounds
        self._queue: deque[memoryview] = deque()
        self._queued = 0
        self._jammed_at: float | None = None
        self._moved_at = 0.0
        self._lost_at: float | None = None
        self._ever = False

    @property
    def queued(self) -> int:
        return self._queued

    def _connection(self) -> socket.socket | None:
        raise NotImplementedError

    def _broken(self, now: float) -> None:
        """The connection is gone."""
        raise NotImplementedError

    def _joined(self) -> None:
        """A connection stands: begin with the next frame."""
        self._ever = True
        self._lost_at = None
        self._clear()
        self._begun, self._stamp = False, None

    def _clear(self) -> None:
        # Half a packet of the old connection must not begin the new one.
        self._queue.clear()
        self._queued = 0
        self._jammed_at = None

    def state(self) -> str:
        return "held" if self.held else "sending" if self._connection() is not None else "connecting"

    def _send(self, ready: list[Payload], now: float) -> None:
        if self._connection() is None:
            # Before the first connection nothing was promised.
            self.dropped += len(ready) if self._ever else 0
            return
        if self._jammed_at is not None:
            self._flush(now)
            ready = self._after_jam(ready, now)
        if ready:
            out: list[bytes] = []
            for packet in self._numbering.packets(ready):
                out.append(len(packet).to_bytes(2, "big"))
                out.append(packet)
            data = b"".join(out)
            if not self._queue:
                self._moved_at = now
            self._queue.append(memoryview(data))
            self._queued += len(data)
            self.packets += len(out) // 2
        self._flush(now)
        if self._queued > self._bounds.high_water and self._jammed_at is None:
            self._jammed_at = now

    def _after_jam(self, ready: list[Payload], now: float) -> list[Payload]:
        """What to go on with: nothing until the jam is over, then from a key frame on."""
        stamp = self._stamp
        for index, (_, at, _, data) in enumerate(ready):
            first, stamp = at != stamp, at
            over = self._jammed_at is not None and self._queued <= self._bounds.high_water // 4
            if first and over and (_key(data) or now - (self._jammed_at or now) > _PATIENCE):
                self.dropped += index
                self._jammed_at = None
                self._numbering.skip()
                return ready[index:]
        self._stamp = stamp
        self.dropped += len(ready)
        return []

    def _flush(self, now: float) -> None:
        sock, queue = self._connection(), self._queue
        if sock is None:
            return
        try:
            while queue:
                data = queue[0]
                sent = sock.send(data)
                self.octets += sent
                self._queued -= sent
                self._moved_at = now
                if sent < len(data):
                    queue[0] = data[sent:]
                    return
                queue.popleft()
        except BlockingIOError:
            return
        except OSError:
            self._broken(now)

    def tick(self, now: float) -> str | None:
        if self.held:
            return None
        self._flush(now)
        if self._queue and now - self._moved_at > self._bounds.stall:
            return "target_stalled"
        if self._connection() is not None:
            return None
        if self._lost_at is None:
            self._lost_at = now
        since = max(self._lost_at, self._released_at)
        if now - since > self._bounds.reach:
            return "target_broken" if self._ever else "target_unreachable"
        return None


class PassiveSender(TcpSender):
    """We listen, the target connects; from another address nobody is let in."""

    transport = "tcp_passive"

    def __init__(
        self, session: str, target: Address, ssrc: int, poller: Poller, listener: socket.socket, bounds: Bounds
    ) -> None:
        super().__init__(session, target, ssrc, listener.getsockname()[1], bounds)
        self.strangers = 0
        self._poller = poller
        self._listener: socket.socket | None = listener
        self._taken: socket.socket | None = None
        poller.add(listener.fileno(), self._accept)

    def _connection(self) -> socket.socket | None:
        return self._taken

    def _accept(self, now: float) -> None:
        listener = self._listener
        try:
            while listener is not None:
                sock, peer = listener.accept()
                if peer[0] != self.target[0]:
                    self.strangers += 1
                    sock.close()
                    continue
                # Who connects again has given the old connection up (§15.2).
                self._drop(now)
                sock.setblocking(False)
                self._taken = sock
                self._poller.add(sock.fileno(), self._drain)
                self._joined()
        except (BlockingIOError, ConnectionError):
            return

    def _drain(self, now: float) -> None:
        """What the target says (receiver reports) is of no interest; that it hangs up is."""
        sock = self._taken
        if sock is None:
            return
        try:
            data = sock.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(now)

    def _broken(self, now: float) -> None:
        self._drop(now)

    def _drop(self, now: float) -> None:
        sock, self._taken = self._taken, None
        if sock is not None:
            self._poller.remove(sock.fileno())
            sock.close()
            self._lost_at = now
            self._clear()

    def cut(self, reason: str) -> None:
        self._drop(0.0)
        listener, self._listener = self._listener, None
        if listener is not None:
            self._poller.remove(listener.fileno())
            listener.close()


class ActiveSender(TcpSender):
    """We connect to the target, once we are let go; again when the connection breaks."""

    transport = "tcp_active"

    def __init__(
        self, session: str, target: Address, ssrc: int, poller: Poller, sock: socket.socket, bounds: Bounds
    ) -> None:
        super().__init__(session, target, ssrc, sock.getsockname()[1], bounds)
        self._link = Link(poller, sock, [target], lambda _peer: self._joined(), lambda _data, _now: None)

    def _connection(self) -> socket.socket | None:
        return self._link.sock if self._link.up else None

    def release(self, now: float) -> None:
        super().release(now)
        self._link.tick(now)

    def _broken(self, now: float) -> None:
        self._link.drop(now)
        self._clear()

    def tick(self, now: float) -> str | None:
        if self.held:
            return None
        self._link.tick(now)
        if self._link.given_up:
            return "target_broken" if self._ever else "target_unreachable"
        return super().tick(now)

    def cut(self, reason: str) -> None:
        self._link.close()
        self._clear()


def _key(data: bytes) -> bool:
    """Does a frame begin here that carries a system header or a stream map, as key frames do (§15.1)?"""
    return data[:4] == b"\0\0\1\xba" and (b"\0\0\1\xbb" in data or b"\0\0\1\xbc" in data)
