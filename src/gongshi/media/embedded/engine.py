"""The embedded engine: N worker processes behind the contract of `media.engine`."""

import asyncio
import base64
import logging
import socket
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from gongshi.kit.clock import now
from gongshi.kit.i18n import Text
from gongshi.media.embedded.events import read_event
from gongshi.media.embedded.picture import PicturePool
from gongshi.media.embedded.process import WorkerProcess
from gongshi.media.embedded.settings import WorkerSettings
from gongshi.media.embedded.token import Claims, TokenSigner
from gongshi.media.engine import (
    Capabilities,
    EngineDown,
    EngineEvent,
    EngineStats,
    Receiver,
    Sender,
    SenderStats,
    SessionClosed,
    SessionEnded,
    StreamClosed,
    StreamExists,
    StreamStats,
    Transport,
    UnknownStream,
    Unsupported,
    Urls,
    WorkerLost,
    WorkerStats,
)

_BACKOFF: Final = (0.0, 0.5, 1.0, 2.0, 5.0)
_STEADY_SECONDS: Final = 30.0
"""A worker that ran this long is started again at once."""
_QUEUE: Final = 10_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EmbeddedSettings:
    """Where workers listen and how their addresses look from outside.

    `address` is what devices are told to send to; None takes the local address towards the device. `viewer_base` is
    the beginning of viewers' URLs, with `{worker}`, `{host}` and `{port}` filled in: `/media/{worker}` behind the
    proxy of deploy/, or a worker's own port. `run` holds the control sockets (keep the path under 90 bytes).
    """

    run: Path
    workers: int = 1
    host: str = "0.0.0.0"  # noqa: S104 -- cameras come from other networks
    address: str | None = None
    http_host: str = "127.0.0.1"
    http_port: int = 0
    viewer_base: str = "http://{host}:{port}"
    viewer_host: str = "127.0.0.1"
    rtp_first: int = 30_000
    rtp_last: int = 30_999
    origins: tuple[str, ...] = ()
    first_packet: float = 10.0
    silence: float = 10.0
    no_reader: float = 15.0
    reconnect: float = 5.0
    connect: float = 60.0
    stall: float = 30.0
    reach: float = 10.0
    token_seconds: float = 60.0


@dataclass(slots=True)
class _Slot:
    """One worker's place: the process changes when it dies, the number stays."""

    number: int
    process: WorkerProcess | None = None
    restarts: int = 0
    failures: int = 0
    started_at: float = 0.0


@dataclass(frozen=True, slots=True)
class _Held:
    stream: str
    not_after: datetime | None


class EmbeddedEngine:
    """Implements `MediaEngine`. Streams go to the worker that has fewest; a dead worker is started again."""

    def __init__(self, settings: EmbeddedSettings, signer: TokenSigner | None = None) -> None:
        self._settings = settings
        self._signer = signer or TokenSigner()
        self._slots = [_Slot(number) for number in range(settings.workers)]
        self._streams: dict[str, _Slot] = {}
        self._sessions: dict[str, _Held] = {}
        self._listeners: set[asyncio.Queue[EngineEvent | None]] = set()
        self._pictures = PicturePool()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    async def start(self) -> None:
        self._settings.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            await asyncio.gather(*(self._launch(slot) for slot in self._slots))
        except EngineDown:
            await self.close()
            raise

    async def close(self) -> None:
        self._closing = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(slot.process.stop() for slot in self._slots if slot.process is not None))
        self._pictures.close()
        for queue in self._listeners:
            queue.put_nowait(None)

    def capabilities(self) -> Capabilities:
        return Capabilities(
            engine="embedded",
            transports=frozenset({"udp", "tcp_passive", "tcp_active"}),
            formats=frozenset({"flv", "fmp4"}),
            codecs=frozenset({"h264", "h265"}),
            verbs=frozenset({"snapshot", "start_sender", "set_pace", "open_voice"}),
        )

    async def open_receiver(
        self,
        stream: str,
        transport: Transport = "udp",
        ssrc: int | None = None,
        source: str | None = None,
        toward: str | None = None,
    ) -> Receiver:
        slot = self._streams.get(stream) or self._freest()
        fresh = stream not in self._streams
        # Taken before the call, so that streams opened at the same time are spread and one name is never in two workers.
        self._streams[stream] = slot
        try:
            answer = await _process(slot).call(
                "open_receiver", stream=stream, transport=transport, ssrc=ssrc, source=source
            )
        except BaseException:
            if fresh:
                self._streams.pop(stream, None)
            raise
        return Receiver(stream, self._address(toward or source), int(answer["port"]), transport)

    async def connect_receiver(self, stream: str, targets: Sequence[tuple[str, int]]) -> None:
        await _process(self._slot(stream)).call("connect_receiver", stream=stream, targets=list(targets))

    async def set_pace(self, stream: str, scale: float) -> None:
        await _process(self._slot(stream)).call("set_pace", stream=stream, scale=scale)

    async def close_receiver(self, stream: str) -> None:
        slot = self._streams.pop(stream, None)
        if slot is not None:
            await _process(slot).call("close_receiver", stream=stream)

    async def admit(self, session: str, stream: str, not_after: datetime | None, lease_until: datetime) -> None:
        slot = self._slot(stream)
        await _process(slot).call(
            "admit",
            session=session,
            stream=stream,
            not_after=None if not_after is None else not_after.timestamp(),
            lease=_seconds(lease_until),
        )
        self._sessions[session] = _Held(stream, not_after)

    async def renew(self, sessions: Collection[str], lease_until: datetime) -> frozenset[str]:
        by_slot: dict[int, list[str]] = {}
        missing: set[str] = set()
        for session in sessions:
            held = self._sessions.get(session)
            slot = self._streams.get(held.stream) if held is not None else None
            if slot is None:
                missing.add(session)
            else:
                by_slot.setdefault(slot.number, []).append(session)
        for number, names in by_slot.items():
            try:
                answer = await _process(self._slots[number]).call("renew", sessions=names, lease=_seconds(lease_until))
            except EngineDown:
                # Its death is told as an event; here it only means that nothing was renewed.
                answer = names
            missing.update(answer)
        return frozenset(missing)

    async def kick(self, session: str, reason: str) -> bool:
        held = self._sessions.pop(session, None)
        slot = self._streams.get(held.stream) if held is not None else None
        if slot is None:
            return False
        return bool(await _process(slot).call("kick", session=session, reason=reason))

    def urls(self, session: str, stream: str, host: str | None = None) -> Urls:
        base, token, expires = self._ticket(session, stream, host)
        return Urls(
            flv=f"{base}/live/{stream}.flv?token={token}",
            fmp4=f"{base}/live/{stream}.mp4?token={token}",
            hls=None,
            expires_at=expires,
        )

    def _ticket(self, session: str, stream: str, host: str | None) -> tuple[str, str, datetime]:
        """The beginning of a session's addresses, their token, and until when it opens a connection."""
        slot = self._slot(stream)
        held = self._sessions.get(session)
        if held is None or held.stream != stream:
            raise SessionEnded
        expires = now() + timedelta(seconds=self._settings.token_seconds)
        if held.not_after is not None:
            expires = min(expires, held.not_after)
        not_after = None if held.not_after is None else held.not_after.timestamp()
        token = self._signer.sign(Claims(session, stream, expires.timestamp(), not_after))
        base = self._settings.viewer_base.format(
            worker=slot.number, host=host or self._settings.viewer_host, port=_process(slot).http_port
        )
        return base, token, expires

    async def stats(self) -> EngineStats:
        streams: list[StreamStats] = []
        workers: list[WorkerStats] = []
        for slot in self._slots:
            process = slot.process
            answer: dict[str, Any] = {}
            if process is not None and process.alive:
                try:
                    answer = await process.call("stats")
                except EngineDown:
                    log.warning("media worker %d gives no figures", slot.number)
            found = [_stream_stats(row) for row in answer.get("streams", [])]
            streams += found
            workers.append(
                WorkerStats(
                    worker=slot.number,
                    pid=process.pid if process is not None else None,
                    alive=bool(answer),
                    restarts=slot.restarts,
                    streams=len(found),
                    sessions=int(answer.get("sessions", 0)),
                    viewers=int(answer.get("viewers", 0)),
                    cpu_seconds=float(answer.get("cpu_seconds", 0.0)),
                    rss=int(answer.get("rss", 0)),
                    lag_ms=float(answer.get("lag_ms", 0.0)),
                )
            )
        return EngineStats(tuple(streams), tuple(workers))

    async def snapshot(self, stream: str, width: int | None = None) -> bytes:
        answer = await _process(self._slot(stream)).call("key_frame", stream=stream)
        return await self._pictures.jpeg(answer["codec"], base64.b64decode(answer["data"]), width)

    async def start_sender(
        self, session: str, target: tuple[str, int], ssrc: int, transport: Transport, *, held: bool = False
    ) -> Sender:
        stream, process = self._of(session)
        host, port = target
        answer = await process.call(
            "start_sender",
            session=session,
            stream=stream,
            host=host,
            port=port,
            ssrc=ssrc,
            transport=transport,
            held=held,
        )
        return Sender(session, self._address(host), int(answer["port"]), transport)

    async def release_sender(self, session: str) -> None:
        await self._of(session)[1].call("release_sender", session=session)

    async def stop_sender(self, session: str) -> None:
        await self._of(session)[1].call("stop_sender", session=session)

    async def start_record(self, stream: str) -> None:
        raise Unsupported(_not_built("录像", "recording"))

    async def stop_record(self, stream: str) -> None:
        raise Unsupported(_not_built("录像", "recording"))

    async def open_voice(self, stream: str) -> None:
        if stream in self._streams:
            raise StreamExists
        slot = self._streams[stream] = self._freest()
        try:
            await _process(slot).call("open_voice", stream=stream)
        except BaseException:
            self._streams.pop(stream, None)
            raise

    async def close_voice(self, stream: str) -> None:
        slot = self._streams.pop(stream, None)
        if slot is not None:
            await _process(slot).call("close_voice", stream=stream)

    def voice_url(self, session: str, stream: str, host: str | None = None) -> tuple[str, datetime]:
        base, token, expires = self._ticket(session, stream, host)
        # Behind the proxy the page's own scheme decides; a path is all there is to say.
        return f"{base.replace('http', 'ws', 1)}/talk/{stream}?token={token}", expires

    def events(self) -> AsyncIterator[EngineEvent]:
        queue: asyncio.Queue[EngineEvent | None] = asyncio.Queue(_QUEUE)
        self._listeners.add(queue)
        return self._follow(queue)

    async def _follow(self, queue: asyncio.Queue[EngineEvent | None]) -> AsyncIterator[EngineEvent]:
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._listeners.discard(queue)

    # -- workers

    async def _launch(self, slot: _Slot) -> None:
        process = WorkerProcess(self._worker_settings(slot.number), self._heard, lambda: self._lost(slot, process))
        await process.start()
        slot.process = process
        slot.started_at = asyncio.get_running_loop().time()

    def _worker_settings(self, number: int) -> WorkerSettings:
        settings = self._settings
        # An even number of ports each, so that RTP stays on even ones.
        share = (settings.rtp_last + 1 - settings.rtp_first) // settings.workers & ~1
        first = settings.rtp_first + number * share
        return WorkerSettings(
            worker=number,
            control=str(settings.run / f"media-{number}.sock"),
            host=settings.host,
            http_host=settings.http_host,
            http_port=settings.http_port + number if settings.http_port else 0,
            rtp_first=first,
            rtp_last=first + share - 1,
            public_key=self._signer.public_key.hex(),
            origins=settings.origins,
            first_packet=settings.first_packet,
            silence=settings.silence,
            no_reader=settings.no_reader,
            reconnect=settings.reconnect,
            connect=settings.connect,
            stall=settings.stall,
            reach=settings.reach,
        )

    def _lost(self, slot: _Slot, process: WorkerProcess) -> None:
        """A worker ended unasked: tell what went with it, start another."""
        streams = tuple(name for name, owner in self._streams.items() if owner is slot)
        sessions = tuple(name for name, held in self._sessions.items() if held.stream in streams)
        for name in streams:
            del self._streams[name]
        for name in sessions:
            del self._sessions[name]
        if slot.process is process:
            slot.process = None
        log.error("media worker %d ended; %d streams, %d sessions lost", slot.number, len(streams), len(sessions))
        self._tell(WorkerLost(slot.number, streams, sessions))
        if not self._closing:
            task = asyncio.create_task(self._relaunch(slot))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _relaunch(self, slot: _Slot) -> None:
        loop = asyncio.get_running_loop()
        slot.failures = 0 if loop.time() - slot.started_at > _STEADY_SECONDS else slot.failures + 1
        while slot.process is None:
            await asyncio.sleep(_BACKOFF[min(slot.failures, len(_BACKOFF)) - 1] if slot.failures else 0.0)
            try:
                await self._launch(slot)
            except EngineDown as problem:
                slot.failures += 1
                log.error("media worker %d does not start: %s", slot.number, problem.detail.en)  # noqa: TRY400 -- said
        slot.restarts += 1

    def _heard(self, message: dict[str, Any]) -> None:
        event = read_event(message)
        if event is None:
            return
        match event:
            case SessionClosed(session=session):
                self._sessions.pop(session, None)
            case StreamClosed(stream=stream):
                self._streams.pop(stream, None)
            case _:
                pass
        self._tell(event)

    def _tell(self, event: EngineEvent) -> None:
        for queue in list(self._listeners):
            if queue.full():
                log.error("a listener to media events does not read; dropped")
                self._listeners.discard(queue)
            else:
                queue.put_nowait(event)

    # -- small things

    def _freest(self) -> _Slot:
        """The running worker that has fewest streams."""
        running = [slot for slot in self._slots if slot.process is not None and slot.process.alive]
        if not running:
            raise EngineDown
        return min(running, key=self._load)

    def _load(self, slot: _Slot) -> int:
        return sum(owner is slot for owner in self._streams.values())

    def _slot(self, stream: str) -> _Slot:
        slot = self._streams.get(stream)
        if slot is None:
            raise UnknownStream
        return slot

    def _of(self, session: str) -> tuple[str, WorkerProcess]:
        """The stream of a session and the worker that holds both."""
        held = self._sessions.get(session)
        slot = self._streams.get(held.stream) if held is not None else None
        if held is None or slot is None:
            raise SessionEnded
        return held.stream, _process(slot)

    def _address(self, device: str | None) -> str:
        settings = self._settings
        if settings.address is not None:
            return settings.address
        if settings.host not in {"", "0.0.0.0", "::"}:  # noqa: S104 -- compared, not bound
            return settings.host
        # Connecting a datagram socket sends nothing; it only asks the routing table.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((device or "192.0.2.1", 9))
            except OSError:
                return "127.0.0.1"
            return str(probe.getsockname()[0])


def _process(slot: _Slot) -> WorkerProcess:
    if slot.process is None:
        raise EngineDown
    return slot.process


def _stream_stats(row: dict[str, Any]) -> StreamStats:
    senders = tuple(SenderStats(**sender) for sender in row.pop("senders"))
    return StreamStats(**row, senders=senders)


def _seconds(until: datetime) -> float:
    return max(0.0, (until - now()).total_seconds())


def _not_built(zh: str, en: str) -> Text:
    return Text(f"内置流媒体引擎不支持{zh}", f"The embedded media engine does not support {en}")
