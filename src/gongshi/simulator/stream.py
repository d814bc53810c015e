"""One running picture on the wire: PS over RTP, by datagram or over TCP in either role (§10, §15)."""

import asyncio
import contextlib
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from av.error import FFmpegError

from gongshi.kit.clock import local, now
from gongshi.protocols.ps import PsMuxer
from gongshi.protocols.rtp import PS_PAYLOAD_TYPE, frame_rfc4571, packetize
from gongshi.protocols.sdp import Setup
from gongshi.simulator.config import Channel
from gongshi.simulator.faults import Faults
from gongshi.simulator.playhead import Playhead
from gongshi.simulator.video.clip import Clip, Feed, Studio
from gongshi.simulator.video.encoder import TICKS

log = structlog.get_logger(__name__)

_SEND_BUFFER = 1 << 20
_TCP_BACKLOG = 2 << 20
"""Bytes a slow TCP receiver may leave unread before pictures are dropped up to the next key picture."""
_LATE = 0.5
_CONNECT_TRIES = 4
_CONNECT_PAUSE = 1.0
"""GB/T 28181-2022 annex D: at least three further attempts, at least one second apart."""
_IDLE = 0.05
"""Seconds between two looks at a paused recording."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a picture goes. `setup` is our role on TCP, None is UDP."""

    host: str
    port: int
    setup: Setup | None = None


class MediaStream:
    """Sends one channel to one target. Made for an INVITE, started by its ACK, stopped by BYE."""

    def __init__(
        self, channel: Channel, clip: Clip, studio: Studio, target: Target, ssrc: int, head: Playhead | None = None
    ) -> None:
        self.channel = channel
        self.target = target
        self.ssrc = ssrc
        self.frames = 0
        self.packets = 0
        self.bytes = 0
        self.faults = Faults()
        self.head = head
        """Where the recording stands; None is a live picture."""
        self.sequence = random.randrange(1 << 16)
        self.timestamp = 0
        self.on_broken: Callable[[], None] = lambda: None
        self.on_finished: Callable[[], None] = lambda: None
        self._studio = studio
        self._feed = Feed(clip, studio)
        self._muxer = PsMuxer(channel.codec)
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._held: bytes | None = None
        self._skipping = False
        self._over = False

    async def open(self, local_host: str) -> int:
        """Take a local port and start making the first picture. Raises `OSError`."""
        self._feed.prepare(self._moment())
        family = socket.AF_INET6 if ":" in self.target.host else socket.AF_INET
        if self.target.setup == "passive":
            self._server = await asyncio.start_server(self._accepted, local_host, 0, family=family)
            return int(self._server.sockets[0].getsockname()[1])
        kind = socket.SOCK_STREAM if self.target.setup else socket.SOCK_DGRAM
        sock = socket.socket(family, kind)
        sock.setblocking(False)
        if kind == socket.SOCK_DGRAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        sock.bind((local_host, 0))
        self._socket = sock
        return int(sock.getsockname()[1])

    def start(self) -> None:
        """Send from now on; a second call changes nothing (a repeated ACK)."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def refresh(self) -> None:
        """The next picture is a key picture."""
        self._feed.restart()

    async def stop(self) -> None:
        """Stop sending and give everything back; a second call changes nothing."""
        if self._over:
            return
        self._over = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._server is not None:
            self._server.close()
        if self._writer is not None:
            self._writer.transport.abort()
        if self._socket is not None:
            self._socket.close()
        self._feed.close()

    # --- pictures in time ------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._connect()
            await self._pace()
        except (OSError, RuntimeError, ValueError, FFmpegError) as error:
            # Besides a broken connection: an encoder that failed. Either way the caller must learn that it is over.
            log.warning("simulator.media.broken", channel=self.channel.code, error=str(error))
            self.on_broken()

    def _moment(self) -> datetime:
        return local(self.head.moment if self.head else now())

    async def _pace(self) -> None:
        loop = asyncio.get_running_loop()
        # Shielded: other calls wait for the same pictures, and this one may end before they are made.
        await asyncio.gather(*(asyncio.shield(asyncio.wrap_future(w)) for w in self._feed.prepare(self._moment())))
        due = loop.time()
        frame = 1 / self._studio.form.fps
        pace = frame / (self.head.pace if self.head else 1.0)
        pts = 0
        while True:
            delay = due - loop.time()
            if delay < -_LATE:
                # The machine was busy: go on from here instead of sending what is missed in one burst.
                missed = -delay if self.head is None else 0.0
                pts += round(missed * TICKS)
                due, delay = loop.time(), 0.0
            await asyncio.sleep(max(0.0, delay))
            if self.head is not None and self.head.ended:
                self.on_finished()
                return
            if self.head is not None and self.head.paused:
                due = loop.time() + _IDLE
                continue
            self._send(self._moment(), pts)
            due += pace
            pts += round(frame * TICKS)
            if self.head is not None and self.head.advance(frame):
                self._feed.restart()

    def _send(self, moment: datetime, pts: int) -> None:
        frame = self._feed.frame(moment)
        self.frames += 1
        if self.faults.no_rtp or self._congested(key=frame.key):
            return
        if self.faults.no_udp and self.head is None and self.target.setup is None:
            return
        if self.faults.no_key_frame and frame.key:
            return
        pack = self._muxer.frame(frame.data, pts, frame.key)
        ssrc = self.ssrc ^ 0x5A5A5A5A if self.faults.wrong_ssrc else self.ssrc
        stamp = 0 if self.faults.same_timestamp else pts
        kind = 97 if self.faults.wrong_payload else PS_PAYLOAD_TYPE
        packets = packetize(pack, self.sequence, stamp, ssrc, payload_type=kind)
        self.timestamp = pts
        self.sequence = (self.sequence + len(packets)) & 0xFFFF
        if (self.faults.loss or self.faults.reorder) and self.frames > 1:
            packets = self._spoil(packets)
        self._put(packets)

    def _congested(self, *, key: bool) -> bool:
        if self._writer is None:
            return False
        full = self._writer.transport.get_write_buffer_size() > _TCP_BACKLOG
        self._skipping = full or (self._skipping and not key)
        return self._skipping

    def _spoil(self, packets: list[bytes]) -> list[bytes]:
        """Lose and swap packets as the faults say; a packet held back at the end of a frame comes with the next."""
        sent: list[bytes] = []
        for packet in packets:
            if random.random() < self.faults.loss:
                continue
            if self._held is not None:
                sent += (packet, self._held)
                self._held = None
            elif random.random() < self.faults.reorder:
                self._held = packet
            else:
                sent.append(packet)
        return sent

    def _put(self, packets: list[bytes]) -> None:
        self.packets += len(packets)
        self.bytes += sum(map(len, packets))
        if self.target.setup is not None:
            writer = self._writer
            if writer is None or writer.is_closing():
                message = "the receiver closed the connection"
                raise ConnectionError(message)
            writer.write(frame_rfc4571(packets))
            return
        sock = self._socket
        if sock is None:
            return
        address = (self.target.host, self.target.port)
        for packet in packets:
            # A full send buffer loses packets, as a network would.
            with contextlib.suppress(BlockingIOError):
                sock.sendto(packet, address)

    # --- TCP ---------------------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        if self.target.setup is None:
            return
        if self.target.setup == "passive" or self.faults.no_tcp_media == "active":
            await self._connected.wait()
            return
        for attempt in range(_CONNECT_TRIES):
            try:
                _, self._writer = await self._dial()
            except OSError:
                if attempt == _CONNECT_TRIES - 1:
                    raise
                await asyncio.sleep(_CONNECT_PAUSE)
            else:
                return

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock, self._socket = self._socket, None
        if sock is None:
            return await asyncio.open_connection(self.target.host, self.target.port)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (self.target.host, self.target.port))
            return await asyncio.open_connection(sock=sock)
        except BaseException:
            # Also when the call ended meanwhile: nobody else knows this socket.
            sock.close()
            raise

    async def _accepted(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.faults.no_tcp_media == "passive":
            writer.transport.abort()
            return
        # §15.2: a second connection replaces the first.
        if self._writer is not None:
            self._writer.transport.abort()
        self._writer = writer
        self._connected.set()
