"""What every engine that relays must do (design.md §7): a second contract class, and an upper platform that receives."""

import asyncio
import socket
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import pytest

from gongshi.media.engine import (
    BadTarget,
    FirstFrame,
    MediaEngine,
    SenderStats,
    SessionClosed,
    SessionEnded,
    SessionOpened,
    StreamOnline,
    Transport,
    UnknownStream,
)
from gongshi.protocols.ps import PsDemuxer, VideoFrame
from gongshi.protocols.rtp import TcpDeframer
from gongshi.protocols.rtp.packet import RtpPacket, parse
from integration.media.support import SSRC, Camera, Listener, admitted, get, sending
from unit.media.clips import clip, packets

OURS: Final = 1_500_000_001


@dataclass
class Upper:
    """Receives one relay, in any of the three ways; `packets` is what came."""

    transport: Transport
    packets: list[RtpPacket] = field(default_factory=list)
    deaf: bool = False
    """Connects and never reads."""
    closed: bool = False
    _task: "asyncio.Task[None] | None" = None
    _socket: socket.socket | None = None
    _connection: socket.socket | None = None

    def listen(self) -> tuple[str, int]:
        """Where the relay is asked to send; for `tcp_passive` only the address counts."""
        kind = socket.SOCK_DGRAM if self.transport == "udp" else socket.SOCK_STREAM
        sock = self._socket = socket.socket(socket.AF_INET, kind)
        UPPERS.append(self)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192 if self.deaf else 1 << 20)
        sock.bind(("127.0.0.1", 0))
        if self.transport == "tcp_active":
            sock.listen(4)
        return "127.0.0.1", sock.getsockname()[1]

    def start(self, port: int) -> None:
        self._task = asyncio.create_task(self._run(port))

    async def _run(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        assert self._socket is not None
        if self.transport == "udp":
            while True:
                self._take(await loop.sock_recv(self._socket, 4096))
        if self.transport == "tcp_active":
            self._connection, _ = await loop.sock_accept(self._socket)
        else:
            await loop.sock_connect(self._socket, ("127.0.0.1", port))
            self._connection = self._socket
        if self.deaf:
            await asyncio.Event().wait()
        deframer = TcpDeframer()
        try:
            while data := await loop.sock_recv(self._connection, 65_536):
                for packet in deframer.feed(data):
                    self._take(packet)
        except OSError:
            pass
        assert deframer.resyncs == 0
        self.closed = True

    def _take(self, data: bytes) -> None:
        packet = parse(data)
        assert packet is not None
        self.packets.append(packet)

    async def got(self, count: int, timeout: float = 5.0) -> list[RtpPacket]:
        async with asyncio.timeout(timeout):
            while len(self.packets) < count:
                await asyncio.sleep(0.01)
        return self.packets

    def hang_up(self) -> None:
        for sock in (self._connection, self._socket):
            if sock is not None:
                sock.close()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.hang_up()


UPPERS: list[Upper] = []
"""What to stop when the test ends."""


def pictures(got: list[RtpPacket]) -> list[VideoFrame]:
    demuxer = PsDemuxer()
    frames = [f for p in got for f in demuxer.feed(p.payload, p.timestamp, end=p.marker)]
    assert demuxer.stats.damaged == 0
    return [frame for frame in frames if isinstance(frame, VideoFrame)]


async def figures(engine: MediaEngine, session: str) -> SenderStats | None:
    found = [s for stream in (await engine.stats()).streams for s in stream.senders if s.session == session]
    return found[0] if found else None


class RelayContract:
    """Subclasses provide `engine` and `listener`, as for `EngineContract`; `reach` is one second there."""

    @pytest.mark.parametrize("transport", ["udp", "tcp_passive", "tcp_active"])
    async def test_a_relay_passes_on_what_came_untouched(
        self, engine: MediaEngine, listener: Listener, transport: Transport
    ) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        upper = Upper(transport)
        async with sending(Camera(receiver, speed=4.0)):
            await listener.wait(StreamOnline)
            await admitted(engine, "r", "s")
            sender = await engine.start_sender("r", upper.listen(), OURS, transport)
            assert (sender.session, sender.address, sender.transport) == ("r", "127.0.0.1", transport)
            upper.start(sender.port)
            got = list(await upper.got(120))
        assert {p.ssrc for p in got} == {OURS}
        assert {p.payload_type for p in got} == {96}
        first = got[0].sequence
        assert [p.sequence for p in got] == [(first + i) & 0xFFFF for i in range(len(got))]
        assert got[0].payload[:4] == b"\0\0\1\xba", "a relay begins with a frame"
        sent = {unit.data for unit in clip("h264")}
        seen = pictures(got)
        assert len(seen) > 15
        assert all(frame.data in sent for frame in seen[:-1])
        opened = await listener.wait(SessionOpened, session="r")
        assert opened.format == "rtp"

    @pytest.mark.parametrize("transport", ["udp", "tcp_passive", "tcp_active"])
    async def test_a_held_relay_is_silent_until_it_is_released(
        self, engine: MediaEngine, listener: Listener, transport: Transport
    ) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        upper = Upper(transport)
        async with sending(Camera(receiver)) as camera:
            await listener.wait(StreamOnline)
            await admitted(engine, "r", "s")
            sender = await engine.start_sender("r", upper.listen(), OURS, transport, held=True)
            upper.start(sender.port)
            before = camera.sent
            while camera.sent < before + 40:
                await asyncio.sleep(0.02)
            assert upper.packets == []
            held = await figures(engine, "r")
            assert held is not None
            assert (held.state, held.packets) == ("held", 0)
            await engine.release_sender("r")
            await upper.got(40)
            await engine.release_sender("r")
        with pytest.raises(SessionEnded):
            await engine.release_sender("nobody")

    async def test_one_stream_serves_several_targets_and_viewers(self, engine: MediaEngine, listener: Listener) -> None:
        receiver = await engine.open_receiver("s", "tcp_passive", SSRC)
        uppers = [Upper(way) for way in ("udp", "tcp_passive", "tcp_active", "udp")]
        async with sending(Camera(receiver)):
            await listener.wait(FirstFrame)
            for number, upper in enumerate(uppers):
                await admitted(engine, f"r{number}", "s")
                sender = await engine.start_sender(f"r{number}", upper.listen(), OURS + number, upper.transport)
                upper.start(sender.port)
            viewer = await get((await admitted(engine, "v", "s")).flv)
            await viewer.body(20_000)
            for number, upper in enumerate(uppers):
                assert {p.ssrc for p in await upper.got(60)} == {OURS + number}
                told = await figures(engine, f"r{number}")
                assert told is not None
                assert (told.state, told.dropped) == ("sending", 0)

    async def test_a_target_that_never_reads_delays_nobody_and_is_given_up(
        self, engine: MediaEngine, listener: Listener
    ) -> None:
        """Its queue is bounded; the other target gets every packet meanwhile."""
        receiver = await engine.open_receiver("s", "udp", SSRC)
        slow, fast = Upper("tcp_active", deaf=True), Upper("udp")
        big = [[packet[:12] + bytes(1388) for packet in frame] * 20 for frame in packets("h264", SSRC)]
        async with sending(Camera(receiver, speed=8.0), _in_order(big)):
            await listener.wait(StreamOnline)
            for name, upper in (("slow", slow), ("fast", fast)):
                await admitted(engine, name, "s")
                sender = await engine.start_sender(name, upper.listen(), OURS, upper.transport)
                upper.start(sender.port)
            closed = await listener.wait(SessionClosed, timeout=20, session="slow")
            assert closed.reason == "target_stalled"
            told = await figures(engine, "fast")
            assert told is not None
            assert told.dropped == 0
            count = len(fast.packets)
            got = await fast.got(count + 100)
        steps = [(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(got)]
        assert steps.count(1) > 0.98 * len(steps)

    async def test_a_kick_silences_a_relay_at_once(self, engine: MediaEngine, listener: Listener) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        uppers = {"a": Upper("tcp_active"), "b": Upper("udp"), "c": Upper("tcp_passive")}
        async with sending(Camera(receiver)):
            await listener.wait(StreamOnline)
            for name, upper in uppers.items():
                await admitted(engine, name, "s")
                sender = await engine.start_sender(name, upper.listen(), OURS, upper.transport)
                upper.start(sender.port)
                await upper.got(20)
            for name, upper in uppers.items():
                assert await engine.kick(name, "revoked")
                closed = await listener.wait(SessionClosed, session=name)
                assert (closed.reason, closed.octets > 1000) == ("revoked", True)
                await asyncio.sleep(0.1)
                count = len(upper.packets)
                await asyncio.sleep(0.2)
                assert len(upper.packets) == count
                assert await figures(engine, name) is None
        assert uppers["a"].closed
        assert uppers["c"].closed

    async def test_a_relays_lease_and_period_end_it_without_the_agent(
        self, engine: MediaEngine, listener: Listener
    ) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        upper = Upper("udp")
        async with sending(Camera(receiver)):
            await listener.wait(StreamOnline)
            target = upper.listen()
            await admitted(engine, "lease", "s", lease=1.0)
            await admitted(engine, "period", "s", period=1.0)
            for name in ("lease", "period"):
                sender = await engine.start_sender(name, target, OURS, "udp")
            upper.start(sender.port)
            assert (await listener.wait(SessionClosed, session="lease")).reason == "control_lost"
            assert (await listener.wait(SessionClosed, session="period")).reason == "period_over"
            with pytest.raises(SessionEnded):
                await engine.start_sender("lease", target, OURS, "udp")

    async def test_a_target_that_hangs_up_for_good_ends_the_relay(
        self, engine: MediaEngine, listener: Listener
    ) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        uppers = {"a": Upper("tcp_active"), "b": Upper("tcp_passive")}
        async with sending(Camera(receiver)):
            await listener.wait(StreamOnline)
            for name, upper in uppers.items():
                await admitted(engine, name, "s")
                sender = await engine.start_sender(name, upper.listen(), OURS, upper.transport)
                upper.start(sender.port)
                await upper.got(20)
                await upper.stop()
                assert (await listener.wait(SessionClosed, timeout=10, session=name)).reason == "target_broken"

    @pytest.mark.parametrize("transport", ["udp", "tcp_passive", "tcp_active"])
    async def test_a_target_that_is_not_there_ends_the_relay(
        self, engine: MediaEngine, listener: Listener, transport: Transport
    ) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        gone = Upper(transport)
        target = gone.listen()
        gone.hang_up()
        async with sending(Camera(receiver)):
            await listener.wait(StreamOnline)
            await admitted(engine, "r", "s")
            await engine.start_sender("r", target, OURS, transport)
            assert (await listener.wait(SessionClosed, timeout=10, session="r")).reason == "target_unreachable"

    async def test_a_target_that_comes_back_goes_on(self, engine: MediaEngine, listener: Listener) -> None:
        """The 2022 edition has TCP connect again after a break; the second connection replaces the first."""
        receiver = await engine.open_receiver("s", "udp", SSRC)
        first, second = Upper("tcp_passive"), Upper("tcp_passive")
        async with sending(Camera(receiver)):
            await listener.wait(StreamOnline)
            await admitted(engine, "r", "s")
            sender = await engine.start_sender("r", first.listen(), OURS, "tcp_passive")
            first.start(sender.port)
            await first.got(20)
            second.listen()
            second.start(sender.port)
            got = await second.got(20)
            assert got[0].payload[:4] == b"\0\0\1\xba"
            assert first.closed
            assert listener.closed("r") == []

    async def test_only_the_target_itself_may_connect(self, engine: MediaEngine, listener: Listener) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        async with sending(Camera(receiver)):
            await listener.wait(StreamOnline)
            await admitted(engine, "r", "s")
            sender = await engine.start_sender("r", ("127.0.0.1", 9), OURS, "tcp_passive")
            loop = asyncio.get_running_loop()
            with closing(socket.socket()) as stranger:
                stranger.setblocking(False)
                stranger.bind(("127.0.0.9", 0))
                await loop.sock_connect(stranger, ("127.0.0.1", sender.port))
                async with asyncio.timeout(2):
                    assert await loop.sock_recv(stranger, 100) == b""

    async def test_what_cannot_be_a_target_is_refused(self, engine: MediaEngine) -> None:
        await engine.open_receiver("s", "udp", SSRC)
        await admitted(engine, "r", "s")
        for target in (("nowhere.example", 9), ("127.0.0.1", 0), ("224.0.0.1", 9), ("0.0.0.0", 9)):
            with pytest.raises(BadTarget):
                await engine.start_sender("r", target, OURS, "udp")
        with pytest.raises(SessionEnded):
            await engine.start_sender("nobody", ("127.0.0.1", 9), OURS, "udp")
        await engine.stop_sender("r")

    async def test_a_relay_that_is_stopped_may_start_again(self, engine: MediaEngine, listener: Listener) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        first, second = Upper("udp"), Upper("tcp_active")
        async with sending(Camera(receiver)):
            await listener.wait(StreamOnline)
            await admitted(engine, "r", "s")
            first.start((await engine.start_sender("r", first.listen(), OURS, "udp")).port)
            await first.got(20)
            second.start((await engine.start_sender("r", second.listen(), OURS + 1, "tcp_active")).port)
            await second.got(20)
            told = await figures(engine, "r")
            assert told is not None
            assert told.ssrc == OURS + 1
            await engine.stop_sender("r")
            assert await figures(engine, "r") is None
            assert (await listener.wait(SessionClosed, session="r")).reason == "viewer_left"

    # -- receiving from a device that listens

    async def test_we_connect_to_a_device_that_listens(self, engine: MediaEngine, listener: Listener) -> None:
        """Also when it begins to listen only after its answer (annex D: three more attempts)."""
        receiver = await engine.open_receiver("s", "tcp_active", SSRC)
        assert receiver.port
        loop = asyncio.get_running_loop()
        with closing(socket.socket()) as door:
            door.setblocking(False)
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind(("127.0.0.1", 0))
            await engine.connect_receiver("s", [("127.0.0.1", door.getsockname()[1])])
            await asyncio.sleep(0.1)
            door.listen(2)
            async with asyncio.timeout(5):
                connection, peer = await loop.sock_accept(door)
            assert peer[1] == receiver.port, "the port of our offer is the one that we connect from"
            with closing(connection):
                connection.setblocking(False)
                camera = Camera(receiver)
                task = asyncio.create_task(camera.feed(connection))
                await listener.wait(FirstFrame, stream="s")
                camera.stop()
                await task
        with pytest.raises(UnknownStream):
            await engine.connect_receiver("nowhere", [("127.0.0.1", 9)])
        await engine.open_receiver("t", "udp", SSRC)
        with pytest.raises(BadTarget):
            await engine.connect_receiver("t", [("127.0.0.1", 9)])

    async def test_a_device_that_nobody_reaches_is_told_as_such(self, engine: MediaEngine, listener: Listener) -> None:
        from gongshi.media.engine import StreamLost

        await engine.open_receiver("s", "tcp_active", SSRC)
        with closing(socket.socket()) as door:
            door.bind(("127.0.0.1", 0))
            await engine.connect_receiver("s", [("127.0.0.1", door.getsockname()[1])])
            lost = await listener.wait(StreamLost)
        assert (lost.reason, lost.detail["connections"]) == ("no_packets", 0)


def _in_order(frames: list[list[bytes]]) -> list[list[bytes]]:
    """Number the packets one after the other."""
    number = 0
    out: list[list[bytes]] = []
    for frame in frames:
        row: list[bytes] = []
        for packet in frame:
            row.append(packet[:2] + (number & 0xFFFF).to_bytes(2, "big") + packet[4:])
            number += 1
        out.append(row)
    return out
