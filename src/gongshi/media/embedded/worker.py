"""One media worker process: `python -m gongshi.media.embedded.worker`, told what to do by a line on standard input.

It writes one JSON line when it is ready, and ends when standard input closes (its supervisor died) or on SIGTERM.
SIP, API, database and decoding stay out of this process: a picture must not wait for them.
"""

import asyncio
import base64
import contextlib
import gc
import ipaddress
import json
import logging
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final

from gongshi.kit.errors import BadRequest
from gongshi.kit.i18n import Text
from gongshi.media.embedded.admission import Admission, Session
from gongshi.media.embedded.control import ControlServer
from gongshi.media.embedded.door import Doorway, ViewerConnection
from gongshi.media.embedded.ingest import ClientPort, Port, PortRange, PortsExhausted
from gongshi.media.embedded.link import Address
from gongshi.media.embedded.poller import Poller
from gongshi.media.embedded.sender import ActiveSender, Bounds, PassiveSender, Sender, UdpSender
from gongshi.media.embedded.settings import WorkerSettings
from gongshi.media.embedded.stream import Stream
from gongshi.media.embedded.voice import PCMA, Voice
from gongshi.media.engine import BadTarget, NoPicture, NoPort, SessionEnded, StreamExists, UnknownStream
from gongshi.protocols.rtp import PS_PAYLOAD_TYPE

_ROUND: Final = 0.25
"""Seconds between housekeeping rounds: leases, periods and time-outs are kept to this."""

log = logging.getLogger(__name__)


class Worker:
    """Streams, sessions and viewers of one process."""

    def __init__(self, settings: WorkerSettings, loop: asyncio.AbstractEventLoop) -> None:
        self._settings = settings
        self._loop = loop
        self._poller = Poller(loop)
        self._ports = PortRange(settings.host, settings.rtp_first, settings.rtp_last, settings.receive_buffer)
        self._streams: dict[str, Stream] = {}
        self._open: dict[str, Port] = {}
        self._senders: dict[str, Sender] = {}
        self._voices: dict[str, Voice] = {}
        self._control = ControlServer(
            Path(settings.control),
            {
                "open_receiver": self._open_receiver,
                "connect_receiver": self._connect_receiver,
                "set_pace": self._set_pace,
                "close_receiver": self._close_receiver,
                "admit": self._admit,
                "renew": self._renew,
                "kick": self._kick,
                "open_voice": self._open_voice,
                "close_voice": self._close_voice,
                "start_sender": self._start_sender,
                "release_sender": self._release_sender,
                "stop_sender": self._stop_sender,
                "stats": self._stats,
                "key_frame": self._key_frame,
                "ping": self._ping,
            },
        )
        self._admission = Admission(self._session_closed, reconnect=settings.reconnect, connect=settings.connect)
        self._doorway = Doorway(settings, self._streams, self._voices, self._admission, self._control.push, time.time)
        self._server: asyncio.Server | None = None
        self._rounds = 0
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> int:
        """Open the doors; the viewers' port."""
        self._server = await self._loop.create_server(
            lambda: ViewerConnection(self._doorway, self._loop),
            self._settings.http_host,
            self._settings.http_port,
            reuse_address=True,
        )
        await self._control.start()
        self._timer = self._loop.call_later(_ROUND, self._round)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """End everything in good form."""
        if self._timer is not None:
            self._timer.cancel()
        self._admission.end_all("engine_stopped", self._loop.time())
        for name in list(self._streams):
            self._drop(name, "engine_stopped")
        for name in list(self._voices):
            self._close_voice(name)
        if self._server is not None:
            self._server.close()
        self._poller.close()
        await self._control.close()

    # -- verbs

    def _open_receiver(
        self, stream: str, transport: str, ssrc: int | None = None, source: str | None = None
    ) -> dict[str, object]:
        if stream in self._streams:
            raise StreamExists
        _known(transport)
        entry = Stream(stream, transport, ssrc, self._settings, self._control.push)
        try:
            port = self._ports.open(self._poller, entry, transport, source=source)
        except PortsExhausted:
            raise NoPort from None
        entry.port = port.number
        entry.opened(self._loop.time())
        self._streams[stream] = entry
        self._open[stream] = port
        return {"port": port.number}

    def _connect_receiver(self, stream: str, targets: list[list[Any]]) -> bool:
        port = self._open.get(stream)
        if port is None:
            raise UnknownStream
        if not isinstance(port, ClientPort) or not targets:
            raise BadTarget
        port.connect([_address(host, number) for host, number in targets], self._loop.time())
        return True

    def _set_pace(self, stream: str, scale: float) -> bool:
        entry = self._streams.get(stream)
        if entry is None:
            raise UnknownStream
        entry.set_pace(scale, self._loop.time())
        return True

    def _close_receiver(self, stream: str) -> bool:
        if stream not in self._streams:
            return False
        self._admission.end_stream(stream, "stream_closed", self._loop.time())
        self._drop(stream, "closed")
        return True

    def _admit(self, session: str, stream: str, not_after: float | None, lease: float) -> bool:
        if stream not in self._streams and stream not in self._voices:
            raise UnknownStream
        if not self._admission.admit(session, stream, not_after, lease, self._loop.time()):
            raise SessionEnded
        return True

    def _renew(self, sessions: list[str], lease: float) -> list[str]:
        return self._admission.renew(sessions, lease, self._loop.time())

    def _kick(self, session: str, reason: str) -> bool:
        return self._admission.end(session, reason, self._loop.time())

    def _open_voice(self, stream: str) -> bool:
        if stream in self._voices or stream in self._streams:
            raise StreamExists
        self._voices[stream] = Voice(stream, self._loop)
        return True

    def _close_voice(self, stream: str) -> bool:
        self._admission.end_stream(stream, "stream_closed", self._loop.time())
        voice = self._voices.pop(stream, None)
        if voice is not None:
            voice.close()
        return voice is not None

    def _start_sender(
        self, session: str, stream: str, host: str, port: int, ssrc: int, transport: str, held: bool
    ) -> dict[str, object]:
        _known(transport)
        target = _address(host, port)
        entry = self._streams.get(stream) or self._voices.get(stream)
        if entry is None:
            raise UnknownStream
        now = self._loop.time()
        if self._admission.find(session, stream, now, time.time()) is None:
            raise SessionEnded
        self._stop_sender(session)
        try:
            sender = self._sender(session, target, ssrc, transport, PCMA if stream in self._voices else PS_PAYLOAD_TYPE)
        except PortsExhausted:
            raise NoPort from None
        self._senders[session] = sender
        entry.attach(sender)
        if not held:
            self._release_sender(session)
        return {"port": sender.port}

    def _sender(self, session: str, target: Address, ssrc: int, transport: str, payload_type: int) -> Sender:
        settings = self._settings
        if transport == "udp":
            sock = self._ports.bind(tcp=False)
            try:
                return UdpSender(session, target, ssrc, sock, reach=settings.reach, payload_type=payload_type)
            except OSError:
                sock.close()
                raise BadTarget from None
        passive = transport == "tcp_passive"
        kind = PassiveSender if passive else ActiveSender
        bounds = Bounds(settings.high_water, settings.stall, settings.reach, payload_type)
        return kind(session, target, ssrc, self._poller, self._ports.bind(tcp=True, listen=passive), bounds)

    def _release_sender(self, session: str) -> bool:
        sender = self._senders.get(session)
        now = self._loop.time()
        held = None if sender is None else self._admission.held(session)
        if sender is None or held is None:
            raise SessionEnded
        if sender.held:
            sender.release(now)
            voice = self._voices.get(held.stream)
            if voice is not None:
                # Who speaks is its viewer: the session ends with the speaker's connection, not with the device's.
                voice.begin()
                return True
            if self._admission.connected(held, "rtp", sender, now):
                host, port = sender.target
                self._control.push(
                    "session_opened", session=session, stream=held.stream, address=f"{host}:{port}", format="rtp"
                )
        return True

    def _stop_sender(self, session: str) -> bool:
        sender = self._senders.pop(session, None)
        if sender is None:
            return False
        now = self._loop.time()
        held = self._admission.held(session)
        if held is not None:
            self._admission.disconnected(held, "rtp", sender, now)
        for entry in (*self._streams.values(), *self._voices.values()):
            entry.detach(sender, now)
        sender.cut("stopped")
        return True

    def _key_frame(self, stream: str) -> dict[str, str]:
        entry = self._streams.get(stream)
        if entry is None:
            raise UnknownStream
        entry.look(self._loop.time())
        if entry.last_key is None:
            raise NoPicture
        data = base64.b64encode(entry.last_key.annexb()).decode()
        return {"codec": entry.last_key.config.codec, "data": data}

    def _stats(self) -> dict[str, Any]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        lag, self._poller.worst_lag = self._poller.worst_lag, 0.0
        return {
            "streams": [stream.stats() for stream in self._streams.values()],
            "sessions": len(self._admission),
            "viewers": sum(stream.viewers for stream in self._streams.values()),
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
            "rss": _resident(),
            "lag_ms": round(lag * 1000, 2),
        }

    def _ping(self) -> bool:
        return True

    # -- housekeeping

    def _round(self) -> None:
        self._timer = self._loop.call_later(_ROUND, self._round)
        now = self._loop.time()
        self._admission.sweep(now, time.time())
        self._doorway.sweep(now)
        self._rounds += 1
        for sender in list(self._senders.values()):
            reason = sender.tick(now)
            if reason is not None:
                self._admission.end(sender.session, reason, now)
        for port in self._open.values():
            port.tick(now)
        for stream in self._streams.values():
            stream.tick(now)
            if self._rounds % 4 == 0:
                stream.measure(now)

    def _drop(self, name: str, reason: str) -> None:
        self._open.pop(name).close()
        del self._streams[name]
        self._control.push("stream_closed", stream=name, reason=reason)

    def _session_closed(self, session: Session, reason: str, now: float) -> None:
        self._stop_sender(session.name)
        seconds = 0.0 if session.opened_at is None else (session.left_at or now) - session.opened_at
        self._control.push(
            "session_closed",
            session=session.name,
            stream=session.stream,
            octets=session.octets,
            seconds=round(seconds, 3),
            reason=reason,
        )


def _known(transport: str) -> None:
    if transport not in {"udp", "tcp_passive", "tcp_active"}:
        raise BadRequest(Text("不支持的传输方式", "Transport is not supported"))


def _address(host: Any, port: Any) -> Address:
    """A target as given; names are not looked up here, because nothing in a worker waits. Raises BadTarget."""
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        raise BadTarget from None
    if not isinstance(port, int) or not 0 < port < 65_536 or address.is_multicast or address.is_unspecified:
        raise BadTarget
    return str(address), port


def _resident() -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return 0


async def _parent_gone() -> None:
    """Wait until standard input ends."""
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()

    def readable() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            gone.set()

    loop.add_reader(0, readable)
    await gone.wait()


async def _main(settings: WorkerSettings) -> None:
    loop = asyncio.get_running_loop()
    worker = Worker(settings, loop)
    port = await worker.start()
    stop = loop.create_task(_parent_gone())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.cancel)
    # What exists now lives as long as the process; scanning it again and again only delays pictures.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    os.write(1, json.dumps({"ready": True, "http_port": port, "pid": os.getpid()}).encode() + b"\n")
    with contextlib.suppress(asyncio.CancelledError):
        await stop
    await worker.close()


def main() -> int:
    """Read the settings and run until told to stop. 0 at a regular end, 2 for settings that do not parse."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        # Byte by byte: what follows the line must stay readable for the event loop.
        line = bytearray()
        while (byte := os.read(0, 1)) not in {b"", b"\n"}:
            line += byte
        settings = WorkerSettings.read(line.decode())
    except (ValueError, TypeError) as error:
        log.error("settings on standard input do not parse: %s", error)  # noqa: TRY400 -- a trace adds nothing
        return 2
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_main(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
