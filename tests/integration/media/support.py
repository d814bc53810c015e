"""A camera that sends real RTP, and viewers that read real HTTP, for the engine tests."""

import asyncio
import io
import random
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar
from urllib.parse import urlsplit

import av
from av.error import FFmpegError

from gongshi.kit.clock import now
from gongshi.media.engine import EngineEvent, MediaEngine, Receiver, SessionClosed
from gongshi.protocols.rtp import frame_rfc4571
from unit.media.clips import Codec, packets

E = TypeVar("E")
SSRC = 500_000_001


class Listener:
    """Collects an engine's events; `wait` finds one by kind and fields, past or to come."""

    def __init__(self, engine: MediaEngine) -> None:
        self.seen: list[EngineEvent] = []
        self._changed = asyncio.Event()
        self._events = engine.events()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async for event in self._events:
            self.seen.append(event)
            self._changed.set()

    async def wait(self, kind: type[E], timeout: float = 5.0, **fields: object) -> E:
        async with asyncio.timeout(timeout):
            while True:
                for event in self.seen:
                    if isinstance(event, kind) and all(getattr(event, k) == v for k, v in fields.items()):
                        return event
                self._changed.clear()
                await self._changed.wait()

    def closed(self, session: str) -> list[str]:
        return [e.reason for e in self.seen if isinstance(e, SessionClosed) and e.session == session]

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@dataclass
class Camera:
    """Sends a clip over and over, at `speed` times real time, until stopped."""

    receiver: Receiver
    codec: Codec = "h264"
    ssrc: int = SSRC
    loss: float = 0.0
    reorder: float = 0.0
    speed: float = 4.0
    sent: int = 0
    dropped: int = 0
    seed: int = 7
    host: str = "127.0.0.1"
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, frames: Sequence[list[bytes]] | None = None) -> None:
        tcp = self.receiver.transport == "tcp_passive"
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        sock.setblocking(False)
        with closing(sock):
            await asyncio.get_running_loop().sock_connect(sock, (self.host, self.receiver.port))
            await self.feed(sock, frames)

    async def feed(self, sock: socket.socket, frames: Sequence[list[bytes]] | None = None) -> None:
        """Send over a socket that is connected."""
        chance = random.Random(self.seed)
        loop = asyncio.get_running_loop()
        tcp = sock.type == socket.SOCK_STREAM
        clip = frames or packets(self.codec, self.ssrc)
        step = sum(map(len, clip))
        ticks = len(clip) * 3600
        for turn in range(10_000):
            for frame in clip:
                again = [self._renumber(p, turn * step, turn * ticks) for p in frame]
                out = [p for p in again if chance.random() >= self.loss]
                self.dropped += len(again) - len(out)
                if chance.random() < self.reorder:
                    chance.shuffle(out)
                if tcp:
                    await loop.sock_sendall(sock, frame_rfc4571(out))
                else:
                    for packet in out:
                        sock.send(packet)
                self.sent += len(out)
                if self._stop.is_set():
                    return
                try:
                    async with asyncio.timeout(0.04 / self.speed):
                        await self._stop.wait()
                except TimeoutError:
                    continue
                return

    @staticmethod
    def _renumber(packet: bytes, sequence: int, stamp: int) -> bytes:
        if not sequence:
            return packet
        number = (int.from_bytes(packet[2:4], "big") + sequence) & 0xFFFF
        ticks = (int.from_bytes(packet[4:8], "big") + stamp) & 0xFFFFFFFF
        return packet[:2] + number.to_bytes(2, "big") + ticks.to_bytes(4, "big") + packet[8:]

    def stop(self) -> None:
        self._stop.set()


@asynccontextmanager
async def sending(camera: Camera, frames: Sequence[list[bytes]] | None = None) -> AsyncGenerator[Camera]:
    task = asyncio.create_task(camera.run(frames))
    try:
        yield camera
    finally:
        camera.stop()
        await asyncio.gather(task, return_exceptions=True)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def body(self, size: int, timeout: float = 8.0) -> bytes:
        """At least `size` bytes of the decoded body, or all of it."""
        out = bytearray()
        async with asyncio.timeout(timeout):
            while len(out) < size:
                part = await self.part()
                if part is None:
                    break
                out += part
        return bytes(out)

    async def part(self) -> bytes | None:
        """The next chunk; None at the orderly end. ConnectionError or IncompleteReadError when it was cut."""
        if "transfer-encoding" not in self.headers:
            return await self.reader.read(65_536) or None
        size = int(await self.reader.readline() or b"x", 16)
        data = await self.reader.readexactly(size + 2)
        return data[:-2] if size else None

    async def ended(self, timeout: float = 5.0) -> float:
        """Read until the stream ends in any way; the seconds that took."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        async with asyncio.timeout(timeout):
            try:
                while await self.part() is not None:
                    pass
            except (OSError, asyncio.IncompleteReadError, ValueError):
                pass
        return loop.time() - start

    def close(self) -> None:
        self.writer.close()


OPEN: list[Answer] = []
"""Connections to close when the test ends."""


async def get(url: str, *, method: str = "GET", limit: int = 2**20, **headers: str) -> Answer:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=limit)
    lines = [f"{method} {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    async with asyncio.timeout(8):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    answered = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    answer = Answer(int(head[0].split(" ")[1]), answered, reader, writer)
    OPEN.append(answer)
    return answer


@dataclass
class Watched:
    session: str
    flv: str
    fmp4: str


async def admitted(
    engine: MediaEngine, session: str, stream: str, *, lease: float = 15.0, period: float | None = None
) -> Watched:
    await engine.admit(
        session,
        stream,
        None if period is None else now() + timedelta(seconds=period),
        now() + timedelta(seconds=lease),
    )
    urls = engine.urls(session, stream)
    assert urls.flv is not None
    assert urls.fmp4 is not None
    return Watched(session, urls.flv, urls.fmp4)


def decoded(data: bytes) -> tuple[str, int, int, int]:
    """Codec, width, height and number of pictures that FFmpeg decodes from the beginning of a live stream."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        count = 0
        try:
            for _ in container.decode(stream):
                count += 1
        except FFmpegError:
            # The body was cut in the middle of a picture; what came before counts.
            pass
        return context.name, context.width, context.height, count
