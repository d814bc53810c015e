"""What every media engine must do. A second engine passes by subclassing `EngineContract` with its own fixtures.

Subclasses provide the fixtures `engine` (started, with the short time-outs of conftest) and `listener`.
"""

import asyncio
import random
import socket
from datetime import timedelta

import pytest

from gongshi.kit.clock import now
from gongshi.media.engine import (
    FirstFrame,
    MediaEngine,
    NoPicture,
    NoReader,
    Receiver,
    SessionClosed,
    SessionEnded,
    SessionOpened,
    StreamClosed,
    StreamExists,
    StreamLost,
    StreamOnline,
    StreamStats,
    Transport,
    UnknownStream,
    Unsupported,
)
from integration.media.support import SSRC, Answer, Camera, Listener, admitted, decoded, get, sending
from unit.media.clips import Codec, packets


async def stats_of(engine: MediaEngine, stream: str) -> StreamStats:
    return next(s for s in (await engine.stats()).streams if s.stream == stream)


class EngineContract:
    # -- pictures

    @pytest.mark.parametrize("codec", ["h264", "h265"])
    @pytest.mark.parametrize("transport", ["udp", "tcp_passive"])
    async def test_what_a_camera_sends_is_seen(
        self, engine: MediaEngine, listener: Listener, codec: Codec, transport: Transport
    ) -> None:
        receiver = await engine.open_receiver("s", transport, SSRC)
        assert receiver.transport == transport
        async with sending(Camera(receiver, codec)):
            online = await listener.wait(StreamOnline)
            assert online.ssrc == SSRC
            assert online.ssrc_expected
            first = await listener.wait(FirstFrame)
            assert (first.codec, first.width, first.height) == (codec, 320, 240)
            watched = await admitted(engine, "a", "s")
            again = await admitted(engine, "b", "s")
            flv, fmp4 = await get(watched.flv), await get(again.fmp4)
            assert (flv.status, fmp4.status) == (200, 200)
            assert flv.headers["content-type"] == "video/x-flv"
            assert fmp4.headers["content-type"].startswith('video/mp4; codecs="')
            name = {"h264": "h264", "h265": "hevc"}[codec]
            for answer in (flv, fmp4):
                assert answer.headers["cache-control"] == "no-store"
                assert answer.headers["referrer-policy"] == "no-referrer"
                found, width, height, count = decoded(await answer.body(150_000))
                assert (found, width, height) == (name, 320, 240)
                assert count > 10
            opened = await listener.wait(SessionOpened)
            assert (opened.session, opened.stream) == ("a", "s")

    async def test_who_joins_a_running_stream_sees_a_picture_at_once(
        self, engine: MediaEngine, listener: Listener
    ) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        # One GOP of two seconds, of which only the first half is ever sent: no further key frame comes.
        async with sending(Camera(receiver), packets("h264", SSRC, gop=50)[:25]) as camera:
            await listener.wait(FirstFrame)
            while camera.sent < 30:
                await asyncio.sleep(0.02)
            camera.stop()
        watched = await admitted(engine, "a", "s")
        loop = asyncio.get_running_loop()
        start = loop.time()
        answer = await get(watched.flv)
        assert decoded(await answer.body(2_000))[3] >= 1
        assert loop.time() - start < 0.5

    async def test_loss_and_reordering_are_survived_and_counted(self, engine: MediaEngine, listener: Listener) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        async with sending(Camera(receiver, loss=0.05, reorder=0.3, speed=8)) as camera:
            await listener.wait(FirstFrame)
            watched = await admitted(engine, "a", "s")
            answer = await get(watched.flv)
            codec, width, _, count = decoded(await answer.body(300_000))
            assert (codec, width) == ("h264", 320)
            assert count > 30
            while camera.sent < 1500:
                await asyncio.sleep(0.05)
            stats = await stats_of(engine, "s")
        share = stats.lost / (stats.packets + stats.lost)
        assert 0.02 < share < 0.09
        assert stats.reordered > 0
        assert stats.damaged_frames > 0

    async def test_random_bytes_and_damage_do_no_harm(self, engine: MediaEngine, listener: Listener) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        chance = random.Random(3)
        bad = [
            [packet if chance.random() > 0.2 else self._damage(packet, chance) for packet in frame]
            for frame in packets("h264", SSRC)
        ]
        noise = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        async with sending(Camera(receiver), bad):
            for _ in range(300):
                noise.sendto(chance.randbytes(chance.randint(0, 1500)), ("127.0.0.1", receiver.port))
                await asyncio.sleep(0.001)
            await listener.wait(StreamOnline)
        noise.close()
        other = await engine.open_receiver("t", "udp", SSRC)
        async with sending(Camera(other)):
            await listener.wait(FirstFrame, stream="t")
        stats = await stats_of(engine, "s")
        assert stats.malformed + stats.foreign > 50

    @staticmethod
    def _damage(packet: bytes, chance: random.Random) -> bytes:
        data = bytearray(packet)
        for _ in range(20):
            data[chance.randrange(12, len(data))] = chance.randrange(256)
        return bytes(data)

    async def test_two_senders_on_one_port_do_not_mix(self, engine: MediaEngine, listener: Listener) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        async with sending(Camera(receiver)):
            await listener.wait(FirstFrame)
            async with sending(Camera(receiver, "h265", ssrc=999)) as intruder:
                while intruder.sent < 100:
                    await asyncio.sleep(0.02)
                watched = await admitted(engine, "a", "s")
                assert decoded(await (await get(watched.flv)).body(100_000))[0] == "h264"
                stats = await stats_of(engine, "s")
        assert stats.foreign >= 50
        assert stats.ssrc == SSRC
        assert stats.damaged_frames == 0

    async def test_q14_an_ignored_ssrc_is_accepted_and_told(self, engine: MediaEngine, listener: Listener) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        async with sending(Camera(receiver, ssrc=0)):
            assert not (await listener.wait(StreamOnline)).ssrc_expected
            await listener.wait(FirstFrame)

    async def test_only_the_named_source_is_accepted(self, engine: MediaEngine, listener: Listener) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC, source="127.0.0.9")
        async with sending(Camera(receiver)):
            lost = await listener.wait(StreamLost)
        assert lost.reason == "no_packets"
        assert lost.detail["foreign"]

    async def test_a_reconnecting_tcp_sender_is_followed(self, engine: MediaEngine, listener: Listener) -> None:
        receiver = await engine.open_receiver("s", "tcp_passive", SSRC)
        async with sending(Camera(receiver)):
            await listener.wait(FirstFrame)
        before = (await stats_of(engine, "s")).frames
        async with sending(Camera(receiver), packets("h264", SSRC, start=30_000)):
            async with asyncio.timeout(6):
                while (await stats_of(engine, "s")).frames < before + 20:
                    await asyncio.sleep(0.1)

    # -- time-outs

    async def test_a_silent_camera_is_reported(self, engine: MediaEngine, listener: Listener) -> None:
        await engine.open_receiver("s", "udp", SSRC)
        assert (await listener.wait(StreamLost, stream="s")).reason == "no_packets"

    async def test_a_camera_that_falls_silent_is_reported_and_may_come_back(
        self, engine: MediaEngine, listener: Listener
    ) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        async with sending(Camera(receiver)):
            await listener.wait(FirstFrame)
        assert (await listener.wait(StreamLost, stream="s")).reason == "silent"
        listener.seen.clear()
        async with sending(Camera(receiver)):
            await listener.wait(StreamOnline, stream="s")

    async def test_nobody_watching_is_reported_once(self, engine: MediaEngine, listener: Listener) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        async with sending(Camera(receiver)):
            await listener.wait(NoReader, stream="s")
            watched = await admitted(engine, "a", "s")
            answer = await get(watched.flv)
            await answer.body(20_000)
            assert sum(isinstance(e, NoReader) for e in listener.seen) == 1
            listener.seen.clear()
            answer.close()
            await listener.wait(NoReader, stream="s")

    # -- admission

    async def test_a_url_opens_nothing_before_admission_and_nothing_for_another_stream(
        self, engine: MediaEngine, listener: Listener
    ) -> None:
        first = await engine.open_receiver("s", "udp", SSRC)
        await engine.open_receiver("t", "udp", SSRC + 1)
        with pytest.raises(SessionEnded):
            engine.urls("a", "s")
        with pytest.raises(UnknownStream):
            await admitted(engine, "a", "nowhere")
        async with sending(Camera(first)):
            await listener.wait(FirstFrame)
            watched = await admitted(engine, "a", "t")
            with pytest.raises(SessionEnded):
                engine.urls("a", "s")
            for url in (
                watched.flv.replace("/t.flv", "/s.flv"),
                watched.flv.split("?")[0].replace("/t.", "/s."),
                watched.flv[:-4] + "AAAA",
                watched.flv.replace("/t.flv", "/nowhere.flv"),
            ):
                answer = await get(url)
                assert answer.status == 403
                assert b"media_refused" in await answer.body(400)

    async def test_all_refusals_look_alike(self, engine: MediaEngine, listener: Listener) -> None:
        await engine.open_receiver("s", "udp", SSRC)
        watched = await admitted(engine, "a", "s")
        await engine.kick("a", "revoked")
        answers: list[Answer] = [
            await get(watched.flv),
            await get(watched.flv.replace("/s.flv", "/nowhere.flv")),
            await get(watched.flv.split("?")[0]),
        ]
        bodies = {await answer.body(1000) for answer in answers}
        assert {a.status for a in answers} == {403}
        assert len(bodies) == 1

    async def test_one_picture_per_session(self, engine: MediaEngine, listener: Listener) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        async with sending(Camera(receiver)):
            await listener.wait(FirstFrame)
            watched = await admitted(engine, "a", "s")
            first = await get(watched.flv)
            await first.body(5_000)
            assert (await get(watched.flv)).status == 409
            await first.body(5_000)
            # A player that changes the format has its one picture there, and no other goes on beside it.
            second = await get(watched.fmp4)
            assert second.status == 200
            assert await first.ended() < 1.0
            await second.body(5_000)

    async def test_a_kick_cuts_the_picture_at_once_and_for_good(self, engine: MediaEngine, listener: Listener) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        async with sending(Camera(receiver)):
            await listener.wait(FirstFrame)
            watched = await admitted(engine, "a", "s")
            other = await admitted(engine, "b", "s")
            third = await admitted(engine, "c", "s")
            flv, fmp4, kept = await get(watched.flv), await get(third.fmp4), await get(other.flv)
            await flv.body(10_000)
            assert await engine.kick("a", "revoked")
            assert await engine.kick("c", "revoked")
            assert max(await asyncio.gather(flv.ended(), fmp4.ended())) < 0.5
            closed = await listener.wait(SessionClosed, session="a")
            assert closed.reason == "revoked"
            assert closed.octets > 10_000
            assert closed.seconds > 0
            assert (await get(watched.flv)).status == 403
            with pytest.raises(SessionEnded):
                await admitted(engine, "a", "s")
            assert not await engine.kick("a", "again")
            await kept.body(30_000)

    async def test_not_after_ends_the_session_without_the_agent(self, engine: MediaEngine, listener: Listener) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        async with sending(Camera(receiver)):
            await listener.wait(FirstFrame)
            loop = asyncio.get_running_loop()
            start = loop.time()
            watched = await admitted(engine, "a", "s", period=1.0)
            answer = await get(watched.flv)
            await answer.ended()
            assert 0.9 < loop.time() - start < 2.0
            assert (await listener.wait(SessionClosed, session="a")).reason == "period_over"
            assert (await get(watched.flv)).status == 403

    async def test_a_lapsed_lease_ends_the_session(self, engine: MediaEngine, listener: Listener) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        async with sending(Camera(receiver)):
            await listener.wait(FirstFrame)
            lapsing = await admitted(engine, "a", "s", lease=1.0)
            renewed = await admitted(engine, "b", "s", lease=1.0)
            flv, kept = await get(lapsing.flv), await get(renewed.flv)
            assert await engine.renew(["b", "never"], now() + timedelta(seconds=10)) == {"never"}
            await flv.ended()
            assert (await listener.wait(SessionClosed, session="a")).reason == "control_lost"
            assert await engine.renew(["a"], now() + timedelta(seconds=10)) == {"a"}
            assert (await get(lapsing.flv)).status == 403
            await kept.body(60_000)
            assert listener.closed("b") == []

    @pytest.mark.slow
    async def test_a_lease_is_never_longer_than_fifteen_seconds(self, engine: MediaEngine, listener: Listener) -> None:
        """Whatever the agent asks for: a lost agent must not leave a picture running for an hour."""
        receiver = await engine.open_receiver("s", "udp", SSRC)
        async with sending(Camera(receiver)):
            await listener.wait(FirstFrame)
            start = asyncio.get_running_loop().time()
            watched = await admitted(engine, "a", "s", lease=3600)
            answer = await get(watched.flv)
            await answer.ended(20)
            assert 14 < asyncio.get_running_loop().time() - start < 17
            assert (await listener.wait(SessionClosed, session="a")).reason == "control_lost"

    async def test_a_viewer_who_leaves_ends_the_session_after_a_moment(
        self, engine: MediaEngine, listener: Listener
    ) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        async with sending(Camera(receiver)):
            await listener.wait(FirstFrame)
            watched = await admitted(engine, "a", "s")
            first = await get(watched.flv)
            await first.body(5_000)
            first.close()
            await asyncio.sleep(0.1)
            again = await get(watched.flv)
            assert again.status == 200, "a player that reconnects at once goes on"
            again.close()
            assert (await listener.wait(SessionClosed, session="a")).reason == "viewer_left"

    async def test_closing_a_stream_ends_its_sessions(self, engine: MediaEngine, listener: Listener) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        async with sending(Camera(receiver)):
            await listener.wait(FirstFrame)
            watched = await admitted(engine, "a", "s")
            answer = await get(watched.flv)
            await answer.body(5_000)
            await engine.close_receiver("s")
            await answer.ended()
        assert (await listener.wait(SessionClosed, session="a")).reason == "stream_closed"
        await listener.wait(StreamClosed, stream="s")
        await engine.close_receiver("s")
        assert (await engine.stats()).streams == ()

    # -- ports, pictures, promises

    async def test_a_stream_is_opened_once(self, engine: MediaEngine) -> None:
        first = await engine.open_receiver("s")
        with pytest.raises(StreamExists):
            await engine.open_receiver("s")
        second = await engine.open_receiver("t")
        assert first.port != second.port
        assert first.port % 2 == second.port % 2 == 0

    async def test_a_snapshot_is_the_last_key_frame(self, engine: MediaEngine, listener: Listener) -> None:
        from io import BytesIO

        from PIL import Image

        receiver = await engine.open_receiver("s", "udp", SSRC)
        with pytest.raises(NoPicture):
            await engine.snapshot("s")
        with pytest.raises(UnknownStream):
            await engine.snapshot("nowhere")
        async with sending(Camera(receiver, "h265")):
            await listener.wait(FirstFrame)
            full, small = await engine.snapshot("s"), await engine.snapshot("s", 160)
        assert Image.open(BytesIO(full)).size == (320, 240)
        assert Image.open(BytesIO(small)).size == (160, 120)

    async def test_figures_tell_whether_the_camera_really_works(self, engine: MediaEngine, listener: Listener) -> None:
        receiver = await engine.open_receiver("s", "udp", SSRC)
        async with sending(Camera(receiver, speed=1.0), packets("h264", SSRC, frames=48)):
            await listener.wait(FirstFrame)
            async with asyncio.timeout(6):
                while (stats := await stats_of(engine, "s")).frames < 60:
                    await asyncio.sleep(0.1)
        assert stats.online
        assert stats.codec == "h264"
        assert 18 < stats.fps < 32
        assert stats.kbit_s > 50
        assert abs(stats.gop_seconds - 12 / 25) < 0.1
        assert stats.lost == 0
        assert stats.first_frame_ms is not None

    async def test_what_is_not_built_says_so(self, engine: MediaEngine) -> None:
        capable = engine.capabilities()
        await engine.open_receiver("s")
        if "tcp_active" not in capable.transports:
            with pytest.raises(Unsupported):
                await engine.open_receiver("t", "tcp_active")
        await admitted(engine, "a", "s")
        if "start_record" not in capable.verbs:
            with pytest.raises(Unsupported):
                await engine.start_record("s")
        if "start_sender" not in capable.verbs:
            with pytest.raises(Unsupported):
                await engine.start_sender("a", ("127.0.0.1", 9), 1, "udp")
        if "open_voice" not in capable.verbs:
            with pytest.raises(Unsupported):
                await engine.open_voice("v")

    async def test_many_streams_at_once(self, engine: MediaEngine, listener: Listener) -> None:
        receivers: list[Receiver] = await asyncio.gather(
            *(engine.open_receiver(f"s{i}", "udp", SSRC + i) for i in range(8))
        )
        assert len({r.port for r in receivers}) == 8
        cameras = [Camera(r, ssrc=SSRC + i, speed=1.0) for i, r in enumerate(receivers)]
        tasks = [asyncio.create_task(camera.run()) for camera in cameras]
        for index in range(8):
            await listener.wait(FirstFrame, stream=f"s{index}")
        for camera in cameras:
            camera.stop()
        await asyncio.gather(*tasks)
