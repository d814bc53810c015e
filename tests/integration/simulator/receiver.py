"""A receiver of RTP/PS that gives whole frames: what a media server would see."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import monotonic

import av
import numpy as np
from numpy.typing import NDArray

from gongshi.protocols.ps.demux import PsDemuxer, VideoFrame
from gongshi.protocols.ps.nal import split
from gongshi.protocols.rtp import TcpDeframer, parse
from gongshi.protocols.rtp.receiver import RtpReceiver


def nal_type(unit: bytes, codec: str) -> int:
    """The type in a NAL unit's first byte."""
    return unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63


class Receiver:
    """Counts packets, puts them in order and demultiplexes."""

    def __init__(self) -> None:
        self.rtp = RtpReceiver()
        self.ps = PsDemuxer()
        self.frames: list[VideoFrame] = []
        self.packets = 0
        self.ssrcs: set[int] = set()
        self.stamps: list[int] = []
        self.first_at = 0.0
        self.port = 0
        self.changed = asyncio.Event()

    def take(self, data: bytes) -> None:
        packet = parse(data)
        assert packet is not None
        self.first_at = self.first_at or monotonic()
        self.packets += 1
        self.ssrcs.add(packet.ssrc)
        self.rtp.push(data, monotonic(), "sender")
        ready, self.rtp.ready = self.rtp.ready, []
        for gap, stamp, marker, payload in ready:
            if gap:
                self.ps.lost()
            self.stamps.append(stamp)
            self.frames += [f for f in self.ps.feed(payload, stamp, end=marker) if isinstance(f, VideoFrame)]
        self.changed.set()

    async def until_frames(self, count: int, seconds: float = 15.0) -> None:
        async with asyncio.timeout(seconds):
            while len(self.frames) < count:
                self.changed.clear()
                await self.changed.wait()

    @property
    def keys(self) -> list[bool]:
        """Which frames begin with parameter sets, as a joiner needs."""
        leading = {"h264": 7, "h265": 32}[self.ps.codec or "h264"]
        return [nal_type(split(frame.data)[0], self.ps.codec or "h264") == leading for frame in self.frames]

    def pictures(self) -> list[NDArray[np.uint8]]:
        """Decode what came, as RGB arrays; damaged data raises."""
        codec = av.CodecContext.create("hevc" if self.ps.codec == "h265" else "h264", "r")
        packets = [*(av.Packet(frame.data) for frame in self.frames), None]
        pictures = [picture for packet in packets for picture in codec.decode(packet)]
        return [np.asarray(picture.to_ndarray(format="rgb24"), dtype=np.uint8) for picture in pictures]


@asynccontextmanager
async def udp_receiver() -> AsyncGenerator[Receiver]:
    receiver, loop = Receiver(), asyncio.get_running_loop()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind(("127.0.0.1", 0))
    receiver.port = sock.getsockname()[1]

    def readable() -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                receiver.take(sock.recv(65535))

    loop.add_reader(sock.fileno(), readable)
    try:
        yield receiver
    finally:
        loop.remove_reader(sock.fileno())
        sock.close()


@asynccontextmanager
async def tcp_receiver() -> AsyncGenerator[Receiver]:
    receiver = Receiver()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await pump(receiver, reader)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


async def pump(receiver: Receiver, reader: asyncio.StreamReader) -> None:
    deframer = TcpDeframer()
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            for packet in deframer.feed(data):
                receiver.take(packet)
    assert deframer.resyncs == 0
