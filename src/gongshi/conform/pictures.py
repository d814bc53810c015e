"""A receiver that notes what a sender's pictures look like on the wire (annex C; §10, §15)."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import monotonic

from gongshi.protocols.ps import PsDemuxer, VideoFrame
from gongshi.protocols.ps.nal import H264_SPS, H265_VPS, split
from gongshi.protocols.rtp import RtpReceiver, TcpDeframer, parse
from gongshi.protocols.rtp.receiver import MAX_WAIT

_PACK = b"\x00\x00\x01\xba"
_KEPT = 4000


class Pictures:
    """Counts and first impressions of one stream. Times are of the monotonic clock, 0 when nothing came."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.packets = 0
        self.octets = 0
        self.first_at = 0.0
        self.last_at = 0.0
        self.ssrcs: set[int] = set()
        self.kinds: set[int] = set()
        self.stamps: list[int] = []
        self.frames = 0
        self.begins_with_pack: bool | None = None
        self.begins_with_key: bool | None = None
        self.connected = asyncio.Event()
        self._rtp = RtpReceiver()
        self._ps = PsDemuxer()
        self._news = asyncio.Event()

    def take(self, data: bytes) -> None:
        """Note one packet; what is not RTP is not a picture."""
        packet = parse(data)
        if packet is None:
            return
        now = monotonic()
        self.first_at = self.first_at or now
        self.last_at = now
        self.packets += 1
        self.octets += len(packet.payload)
        self.ssrcs.add(packet.ssrc)
        self.kinds.add(packet.payload_type)
        if self.begins_with_pack is None:
            self.begins_with_pack = packet.payload.startswith(_PACK)
        if len(self.stamps) < _KEPT and (not self.stamps or self.stamps[-1] != packet.timestamp):
            self.stamps.append(packet.timestamp)
        self._rtp.push(data, now, "sender")
        ready, self._rtp.ready = self._rtp.ready, []
        for gap, stamp, marker, payload in ready:
            if gap:
                self._ps.lost()
            for frame in self._ps.feed(payload, stamp, end=marker):
                if isinstance(frame, VideoFrame):
                    self._frame(frame)
        self._news.set()

    def _frame(self, frame: VideoFrame) -> None:
        self.frames += 1
        if self.begins_with_key is None:
            kinds = {unit[0] & 31 if frame.codec == "h264" else unit[0] >> 1 & 63 for unit in split(frame.data)}
            self.begins_with_key = (H264_SPS if frame.codec == "h264" else H265_VPS) in kinds

    @property
    def codec(self) -> str:
        """h264, h265, or nothing when it is not known."""
        return self._ps.codec or ""

    @property
    def lost(self) -> float:
        """Share of packets that were lost, 0..1; what is still waited for counts as lost."""
        self._rtp.tick(monotonic() + MAX_WAIT * 2)
        stats = self._rtp.stats()
        return stats.lost / stats.expected if stats.expected else 0.0

    async def until_packets(self, count: int, seconds: float) -> bool:
        """Wait for so many packets more than now; False when they do not come."""
        wanted = self.packets + count
        try:
            async with asyncio.timeout(seconds):
                while self.packets < wanted:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def quiet(self, still: float, seconds: float) -> bool:
        """Wait until nothing came for `still` seconds; False when it never stops."""
        deadline = monotonic() + seconds
        while monotonic() < deadline:
            seen = self.packets
            if not await self.until_packets(1, still) and self.packets == seen:
                return True
            await asyncio.sleep(still / 10)
        return False


@asynccontextmanager
async def datagrams(host: str) -> AsyncGenerator[Pictures]:
    """Listen for pictures on an even UDP port."""
    loop = asyncio.get_running_loop()
    sock = _even(host)
    pictures = Pictures(int(sock.getsockname()[1]))

    def readable() -> None:
        with contextlib.suppress(OSError):
            while True:
                pictures.take(sock.recv(65_535))

    loop.add_reader(sock.fileno(), readable)
    try:
        yield pictures
    finally:
        loop.remove_reader(sock.fileno())
        sock.close()


def _even(host: str) -> socket.socket:
    """A bound socket; even, because RTCP has the odd port above (§15.1)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    spare: list[socket.socket] = []
    try:
        while True:
            sock = socket.socket(family, socket.SOCK_DGRAM)
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            sock.bind((host, 0))
            if sock.getsockname()[1] % 2 == 0:
                return sock
            spare.append(sock)
    finally:
        for other in spare:
            other.close()


@asynccontextmanager
async def listener(host: str) -> AsyncGenerator[Pictures]:
    """Wait for the sender's TCP connection."""
    tasks: set[asyncio.Task[None]] = set()
    pictures = Pictures()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_pump(pictures, reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accepted, host, 0)
    pictures.port = int(server.sockets[0].getsockname()[1])
    try:
        yield pictures
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def connection(host: str, port: int) -> AsyncGenerator[Pictures]:
    """Connect to a sender that listens. Raises `OSError`."""
    reader, writer = await asyncio.open_connection(host, port)
    pictures = Pictures(port)
    task = asyncio.create_task(_pump(pictures, reader, writer))
    try:
        yield pictures
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _pump(pictures: Pictures, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pictures.connected.set()
    deframer = TcpDeframer()
    try:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                for packet in deframer.feed(data):
                    pictures.take(packet)
    finally:
        writer.transport.abort()
