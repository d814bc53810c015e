"""What only the embedded engine promises: its processes, its door to viewers, its memory."""

import asyncio
import contextlib
import os
import signal
import socket
import struct
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import av
import pytest

from gongshi.media.embedded import EmbeddedEngine, EmbeddedSettings
from gongshi.media.embedded.picture import PicturePool
from gongshi.media.embedded.settings import WorkerSettings
from gongshi.media.embedded.token import TokenSigner
from gongshi.media.engine import EngineDown, FirstFrame, NoPicture, NoPort, SessionClosed, WorkerLost
from gongshi.protocols.rtp import packetize
from integration.media.support import SSRC, Camera, Listener, admitted, decoded, get, sending
from unit.media.clips import clip, packets, packs

PORTAL = "http://portal.example:8080"


@contextlib.asynccontextmanager
async def running(settings: EmbeddedSettings) -> AsyncGenerator[EmbeddedEngine]:
    engine = EmbeddedEngine(settings)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


def settings(path: Path, **changes: object) -> EmbeddedSettings:
    base = EmbeddedSettings(run=path, host="127.0.0.1", rtp_first=41_400, rtp_last=41_799, first_packet=1.0)
    return replace(base, **changes)


def pids(engine: EmbeddedEngine) -> list[int]:
    return [slot.process.pid for slot in engine._slots if slot.process is not None]


# -- processes


async def test_a_killed_worker_is_told_and_started_again(tmp_path: Path) -> None:
    async with running(settings(tmp_path, workers=2)) as engine:
        listener = Listener(engine)
        first = await engine.open_receiver("s", "udp", SSRC)
        await engine.open_receiver("t", "udp", SSRC + 1)
        async with sending(Camera(first)):
            await listener.wait(FirstFrame)
            watched = await admitted(engine, "a", "s")
            answer = await get(watched.flv)
            await answer.body(5_000)
            victim = engine._streams["s"]
            assert victim.process is not None
            os.kill(victim.process.pid, signal.SIGKILL)
            lost = await listener.wait(WorkerLost)
            assert (lost.worker, lost.streams, lost.sessions) == (victim.number, ("s",), ("a",))
            await answer.ended()
        async with asyncio.timeout(10):
            while len(pids(engine)) < 2:
                await asyncio.sleep(0.05)
        assert [w.alive for w in (await engine.stats()).workers] == [True, True]
        assert [s.stream for s in (await engine.stats()).streams] == ["t"]
        again = await engine.open_receiver("s", "udp", SSRC)
        async with sending(Camera(again)):
            listener.seen.clear()
            await listener.wait(FirstFrame, stream="s")
        await listener.stop()


async def test_a_worker_that_hangs_is_ended_and_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gongshi.media.embedded.process._CALL_SECONDS", 0.5)
    async with running(settings(tmp_path)) as engine:
        listener = Listener(engine)
        await engine.open_receiver("s")
        (pid,) = pids(engine)
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(EngineDown):
            await engine.open_receiver("t")
        assert (await listener.wait(WorkerLost)).streams == ("s",)
        async with asyncio.timeout(10):
            while not pids(engine):
                await asyncio.sleep(0.05)
        assert pids(engine) != [pid]
        assert (await engine.open_receiver("t")).port
        await listener.stop()


async def test_a_picture_that_does_not_decode_is_refused_and_a_crashed_decoder_replaced() -> None:
    pool = PicturePool()
    with pytest.raises(NoPicture):
        await pool.jpeg("h264", b"\x00\x00\x01\x65" + bytes(range(256)) * 20, None)
    for process in (pool._pool._processes or {}).values() if pool._pool else ():
        process.kill()
    with pytest.raises(NoPicture):
        await pool.jpeg("h264", clip("h264")[0].data, None)
    assert (await pool.jpeg("h264", clip("h264")[0].data, None))[:2] == b"\xff\xd8"
    pool.close()


async def test_streams_are_spread_over_workers_with_ports_of_their_own(tmp_path: Path) -> None:
    async with running(settings(tmp_path, workers=2)) as engine:
        receivers = await asyncio.gather(*(engine.open_receiver(f"s{i}") for i in range(6)))
        stats = await engine.stats()
        assert [w.streams for w in stats.workers] == [3, 3]
        assert len({r.port for r in receivers}) == 6
        assert {r.port // 200 for r in receivers} == {41_400 // 200, 41_600 // 200}


async def test_closing_ends_sessions_and_processes(tmp_path: Path) -> None:
    engine = EmbeddedEngine(settings(tmp_path))
    await engine.start()
    listener = Listener(engine)
    receiver = await engine.open_receiver("s", "udp", SSRC)
    async with sending(Camera(receiver)):
        await listener.wait(FirstFrame)
        watched = await admitted(engine, "a", "s")
        answer = await get(watched.flv)
        await answer.body(5_000)
        (pid,) = pids(engine)
        await engine.close()
    assert (await listener.wait(SessionClosed)).reason == "engine_stopped"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(EngineDown):
        await engine.open_receiver("t")
    answer.close()
    await listener.stop()


async def test_a_worker_whose_supervisor_dies_ends_too(tmp_path: Path) -> None:
    line = WorkerSettings(
        0, str(tmp_path / "c.sock"), "127.0.0.1", "127.0.0.1", 0, 41_000, 41_010, TokenSigner().public_key.hex()
    ).line()
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gongshi.media.embedded.worker", stdin=-1, stdout=-1
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(line.encode() + b"\n")
    assert b'"ready": true' in await asyncio.wait_for(worker.stdout.readline(), 10)
    worker.stdin.close()
    assert await asyncio.wait_for(worker.wait(), 5) == 0


async def test_a_worker_refuses_settings_that_do_not_parse() -> None:
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gongshi.media.embedded.worker", stdin=-1, stderr=-1
    )
    _, log = await asyncio.wait_for(worker.communicate(b'{"worker": 1}\n'), 10)
    assert worker.returncode == 2
    assert b"do not parse" in log


async def test_a_port_that_is_taken_is_skipped_and_an_empty_range_said(tmp_path: Path) -> None:
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind(("127.0.0.1", 41_400))
    async with running(settings(tmp_path, rtp_last=41_403)) as engine:
        assert (await engine.open_receiver("s")).port == 41_402
        with pytest.raises(NoPort):
            await engine.open_receiver("t")
        await engine.close_receiver("s")
        assert (await engine.open_receiver("u")).port == 41_402
    taken.close()


async def test_the_control_socket_belongs_to_this_user_alone(engine: EmbeddedEngine, tmp_path: Path) -> None:
    path = tmp_path / "media-0.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    reader, writer = await asyncio.open_unix_connection(path)
    for line in (b"nonsense\n", b"[]\n", b'{"id":1,"verb":"kill"}\n', b'{"id":2,"verb":"kick","params":{"x":1}}\n'):
        writer.write(line)
        assert b'"error"' in await asyncio.wait_for(reader.readline(), 5)
    writer.write(b'{"id":3,"verb":"ping"}\n')
    assert b'"result": true' in await asyncio.wait_for(reader.readline(), 5)
    writer.close()


# -- viewers


async def test_a_viewer_that_never_reads_does_not_grow_memory(tmp_path: Path) -> None:
    async with running(settings(tmp_path, stall=5.0)) as engine:
        listener = Listener(engine)
        receiver = await engine.open_receiver("s", "udp", SSRC)
        sequence = 0
        frames: list[list[bytes]] = []
        # Every picture is a key frame of a megapixel pattern: queues without a bound would grow by 10 MB/s and more.
        for index, pack in enumerate(packs("h264", frames=12, width=1280, height=720, gop=1)):
            frame = packetize(pack, sequence, index * 3600, SSRC)
            sequence += len(frame)
            frames.append(frame)
        async with sending(Camera(receiver, speed=10), frames):
            await listener.wait(FirstFrame)
            watched, other = await admitted(engine, "a", "s"), await admitted(engine, "b", "s")
            deaf = await get(watched.flv, limit=2**12)
            deaf.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.reader._transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue] -- a deaf viewer
            good = await get(other.flv)
            reading = asyncio.create_task(good.body(30 << 20, timeout=30))
            before = (await engine.stats()).workers[0].rss
            assert (await listener.wait(SessionClosed, timeout=20, session="a")).reason == "viewer_stalled"
            after = (await engine.stats()).workers[0].rss
            assert (await engine.stats()).streams[0].octets > 40 << 20
            assert after - before < 12 << 20
            assert decoded(await reading)[3] > 100
            assert listener.closed("b") == []
        deaf.writer.transport.abort()
        good.close()
        await listener.stop()


async def test_viewers_that_vanish_leave_no_noise(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A reset while pictures are written is everyday life, not a line in the log per picture."""
    async with running(settings(tmp_path)) as engine:
        listener = Listener(engine)
        receiver = await engine.open_receiver("s", "udp", SSRC)
        async with sending(Camera(receiver, speed=20)):
            await listener.wait(FirstFrame)
            for number in range(20):
                watched = await admitted(engine, f"v{number}", "s")
                answer = await get(watched.flv)
                linger = struct.pack("ii", 1, 0)
                answer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                await answer.body(3_000)
                (pid,) = pids(engine)
                # What is sent while the worker stands still arrives in one round, on a connection that is gone.
                os.kill(pid, signal.SIGSTOP)
                answer.writer.transport.abort()
                await asyncio.sleep(0.05)
                os.kill(pid, signal.SIGCONT)
        await listener.stop()
    assert "socket.send" not in capfd.readouterr().err


async def test_pages_of_other_sites_cannot_play(engine: EmbeddedEngine, listener: Listener) -> None:
    receiver = await engine.open_receiver("s", "udp", SSRC)
    async with sending(Camera(receiver)):
        await listener.wait(FirstFrame)
        watched = await admitted(engine, "a", "s")
        foreign = await get(watched.flv, Origin="http://evil.example")
        assert foreign.status == 403
        assert "access-control-allow-origin" not in foreign.headers
        preflight = await get(watched.flv, method="OPTIONS", Origin=PORTAL)
        assert preflight.status == 204
        assert preflight.headers["access-control-allow-origin"] == PORTAL
        allowed = await get(watched.flv, Origin=PORTAL)
        assert allowed.status == 200
        assert allowed.headers["access-control-allow-origin"] == PORTAL
        assert allowed.headers["vary"] == "origin"
        assert "set-cookie" not in allowed.headers


async def test_refusals_are_told_in_both_languages(engine: EmbeddedEngine) -> None:
    port = engine._slots[0].process.http_port if engine._slots[0].process else 0
    zh = await get(f"http://127.0.0.1:{port}/live/s.flv?token=x")
    en = await get(f"http://127.0.0.1:{port}/live/s.flv?token=x", Accept_Language="en")
    assert "播放地址无效" in (await zh.body(2000)).decode()
    assert "not valid" in (await en.body(2000)).decode()


@pytest.mark.parametrize(
    "request_",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /live/s.flv HTTP/9.9\r\n\r\n",
        b"GET http://x/live/s.flv HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET / HTTP/1.1\r\nOrigin: http://h\nSet-Cookie: a\r\nHost: h\nSet-Cookie: a\r\n\r\n",
        b"POST /live/s.flv HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /live/../../etc/passwd.flv HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
    ],
)
async def test_malformed_requests_are_refused(engine: EmbeddedEngine, request_: bytes) -> None:
    port = engine._slots[0].process.http_port if engine._slots[0].process else 0
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_)
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.split(b" ")[1] in {b"400", b"404"}
    assert b"\nset-cookie" not in answer.lower()
    writer.close()


async def test_flv_over_websocket(engine: EmbeddedEngine, listener: Listener) -> None:
    receiver = await engine.open_receiver("s", "udp", SSRC)
    async with sending(Camera(receiver)):
        await listener.wait(FirstFrame)
        watched = await admitted(engine, "a", "s")
        answer = await get(
            watched.flv,
            Upgrade="websocket",
            Connection="Upgrade",
            Origin=PORTAL,
            Sec_WebSocket_Version="13",
            Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
        )
        assert answer.status == 101
        assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".lower()
        out = bytearray()
        code, payload = 0, b""
        while len(out) < 100_000:
            code, payload = await message(answer.reader)
            assert code == 2
            out += payload
        assert decoded(bytes(out))[:2] == ("h264", 320)
        answer.writer.write(b"\x89\x84\x01\x01\x01\x01" + bytes(c ^ 1 for c in b"ping"))
        pong = b""
        while pong != b"ping":
            code, payload = await message(answer.reader)
            pong = payload if code == 10 else b""
        # A quiet line is closed with the reason; a busy one may be reset instead.
        await engine.kick("a", "revoked")
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while code != 8:
                code, payload = await message(answer.reader)
            assert payload == (4000).to_bytes(2, "big") + b"revoked"


async def message(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    async with asyncio.timeout(5):
        head = await reader.readexactly(2)
        size = head[1]
        if size >= 126:
            size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
        return head[0] & 0x0F, await reader.readexactly(size)


async def test_sound_comes_only_when_asked_for(engine: EmbeddedEngine, listener: Listener) -> None:
    """Browsers play no G.711: a player that does not ask must not wait for audio that it cannot use."""
    receiver = await engine.open_receiver("s", "udp", SSRC)
    frames: list[list[bytes]] = []
    sequence = 0
    for index, pack in enumerate(packs("h264", audio=True)):
        frame = packetize(pack, sequence, index // 2 * 3600, SSRC)
        sequence += len(frame)
        frames.append(frame)
    async with sending(Camera(receiver, speed=8), frames):
        await listener.wait(FirstFrame)
        for session, query, expected in (("a", "", []), ("b", "&audio=1", ["pcm_alaw"])):
            watched = await admitted(engine, session, "s")
            body = await (await get(watched.flv + query)).body(150_000)
            with av.open(BytesIO(body), "r") as container:
                assert [stream.codec_context.name for stream in container.streams.audio] == expected


async def test_a_changed_picture_size_reaches_running_viewers(engine: EmbeddedEngine, listener: Listener) -> None:
    receiver = await engine.open_receiver("s", "udp", SSRC)
    frames: list[list[bytes]] = []
    sequence = 0
    small, large = packs("h264", frames=24), packs("h264", frames=24, width=640, height=480)
    for index, pack in enumerate(small + large):
        frame = packetize(pack, sequence, index * 3600, SSRC)
        sequence += len(frame)
        frames.append(frame)
    async with sending(Camera(receiver), frames):
        await listener.wait(FirstFrame)
        watched = await admitted(engine, "a", "s")
        body = await (await get(watched.flv)).body(400_000)
        with av.open(BytesIO(body), "r") as container:
            sizes: set[int] = set()
            with contextlib.suppress(av.error.FFmpegError):  # pyright: ignore[reportAttributeAccessIssue] -- stub gap
                sizes.update(frame.width for frame in container.decode(video=0))
    assert {320, 640} <= sizes


async def test_tokens_stand_in_no_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with running(settings(tmp_path)) as engine:
        listener = Listener(engine)
        receiver = await engine.open_receiver("s", "udp", SSRC)
        async with sending(Camera(receiver), packets("h264", SSRC)):
            await listener.wait(FirstFrame)
            watched = await admitted(engine, "a", "s")
            for url in (watched.flv, watched.flv + "x", watched.flv.replace("live", "dead")):
                answer = await get(url)
                answer.close()
            await engine.kick("a", "revoked")
        await listener.stop()
    out, err = capfd.readouterr()
    token = watched.flv.partition("token=")[2]
    assert token[:20] not in out + err
