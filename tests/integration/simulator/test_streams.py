"""INVITE to moving pictures over UDP and both roles of TCP, and every way in which a call ends."""

import asyncio
from pathlib import Path
from time import monotonic

import numpy as np
import pytest

from gongshi.protocols.sip import Response
from gongshi.simulator import PlatformConfig, SimulatedPlatform
from integration.simulator.receiver import Receiver, pump, tcp_receiver, udp_receiver
from integration.simulator.upper import OpenCall, Upper


async def opened(upper: Upper, config: PlatformConfig, index: int, port: int, **more: object) -> OpenCall:
    call = await upper.invite(config.code, config.channels[index].code, port, **more)  # type: ignore[arg-type] -- test options
    assert isinstance(call, OpenCall)
    return call


async def refused(upper: Upper, config: PlatformConfig, channel: str) -> int:
    answer = await upper.invite(config.code, channel, 40000)
    assert isinstance(answer, Response)
    return answer.status


async def test_pictures_over_udp_begin_with_a_key_frame_and_move(upper: Upper, config: PlatformConfig) -> None:
    async with SimulatedPlatform(config) as platform, udp_receiver() as receiver:
        await platform.wait_registered()
        asked = monotonic()
        call = await opened(upper, config, 1, receiver.port, sequence="0500000007")
        assert call.answer.ssrc is not None
        assert call.answer.ssrc.number == 500_000_007
        media = call.answer.section("video")
        assert media is not None
        assert media.direction == "sendonly"
        await receiver.until_frames(40)
        assert receiver.first_at - asked < 3
        assert receiver.ssrcs == {500_000_007}
        assert receiver.keys[0]
        assert sum(receiver.keys) >= 2
        assert receiver.ps.codec == "h264"
        assert receiver.rtp.stats().lost == 0
        steps = {b - a for a, b in zip(receiver.stamps, receiver.stamps[1:], strict=False)} - {0}
        assert min(steps) == 6000
        assert (await upper.bye(call, config.code)).status == 200
        assert platform.streams == []
        seen = receiver.packets
        await asyncio.sleep(0.2)
        assert receiver.packets == seen
    pictures = receiver.pictures()
    assert len(pictures) == len(receiver.frames)
    assert pictures[0].shape == (368, 640, 3)
    # Something moves below the clock, and most of the picture stands still.
    moved = np.abs(pictures[0][64:].astype(int) - pictures[20][64:].astype(int)).max(axis=2) > 24
    assert 0.0005 < moved.mean() < 0.3


async def test_h265_over_tcp(upper: Upper, config: PlatformConfig) -> None:
    async with SimulatedPlatform(config) as platform, tcp_receiver() as receiver:
        await platform.wait_registered()
        call = await opened(upper, config, 7, receiver.port, tcp="passive")
        media = call.answer.section("video")
        assert media is not None
        assert media.tcp
        assert media.setup == "active"
        await receiver.until_frames(35)
        assert receiver.ps.codec == "h265"
        assert receiver.keys[0]
        await upper.bye(call, config.code)
    assert len(receiver.pictures()) == len(receiver.frames)


async def test_we_may_connect_to_the_platform(upper: Upper, config: PlatformConfig) -> None:
    async with SimulatedPlatform(config) as platform:
        await platform.wait_registered()
        call = await opened(upper, config, 0, 40001, tcp="active")
        media = call.answer.section("video")
        assert media is not None
        assert media.setup == "passive"
        reader, writer = await asyncio.open_connection("127.0.0.1", media.port)
        receiver = Receiver()
        pumping = asyncio.create_task(pump(receiver, reader))
        await receiver.until_frames(3)
        await upper.bye(call, config.code)
        await pumping
        writer.close()
    assert receiver.keys[0]


async def test_no_pictures_before_the_ack(upper: Upper, config: PlatformConfig) -> None:
    async with SimulatedPlatform(config) as platform, udp_receiver() as receiver:
        await platform.wait_registered()
        call = await opened(upper, config, 0, receiver.port, acknowledge=False)
        await asyncio.sleep(0.2)
        assert receiver.packets == 0
        upper.acknowledge(call, config.code)
        await receiver.until_frames(1)


async def test_several_channels_at_once_and_leaving_ends_them(upper: Upper, config: PlatformConfig) -> None:
    async with SimulatedPlatform(config) as platform:
        await platform.wait_registered()
        async with udp_receiver() as a, udp_receiver() as b, tcp_receiver() as c:
            await opened(upper, config, 0, a.port, sequence="0500000001")
            await opened(upper, config, 1, b.port, sequence="0500000002")
            await opened(upper, config, 2, c.port, sequence="0500000003", tcp="passive")
            for receiver in (a, b, c):
                await receiver.until_frames(5)
            assert len(platform.streams) == 3
            leaving = asyncio.create_task(platform.__aexit__(None, None, None))
            async with asyncio.timeout(10):
                ended = {(await upper.byes.get()).call_id for _ in range(3)}
            await leaving
        assert len(ended) == 3
        assert config.code not in upper.bindings
        await platform.__aenter__()


async def test_the_same_subject_again_replaces_the_call(upper: Upper, config: PlatformConfig) -> None:
    async with SimulatedPlatform(config) as platform, udp_receiver() as first, udp_receiver() as second:
        await platform.wait_registered()
        old = await opened(upper, config, 0, first.port)
        await first.until_frames(2)
        await opened(upper, config, 0, second.port)
        bye = await asyncio.wait_for(upper.byes.get(), 5)
        assert bye.call_id == old.request.call_id
        await second.until_frames(2)
        seen = first.packets
        await asyncio.sleep(0.2)
        assert first.packets == seen
        assert len(platform.streams) == 1


async def test_refusals(upper: Upper, config: PlatformConfig) -> None:
    config.channels[3] = type(config.channels[3])(config.channels[3].code, "停用", online=False)
    async with SimulatedPlatform(config) as platform:
        await platform.wait_registered()
        assert await refused(upper, config, "34150200001310999999") == 404
        assert await refused(upper, config, config.channels[3].code) == 480
        platform.faults.refuse_invite = 486
        assert await refused(upper, config, config.channels[0].code) == 486
        platform.faults.refuse_invite = None
        call = await opened(upper, config, 0, 40000)
        assert (await upper.bye(call, config.code)).status == 200
        assert (await upper.bye(call, config.code)).status == 481


async def test_a_receiver_that_hangs_up_gets_a_bye(upper: Upper, config: PlatformConfig) -> None:
    closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(100)
        writer.transport.abort()
        closing.set_result(None)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with SimulatedPlatform(config) as platform:
        await platform.wait_registered()
        call = await opened(upper, config, 0, server.sockets[0].getsockname()[1], tcp="passive")
        await asyncio.wait_for(closing, 5)
        assert (await asyncio.wait_for(upper.byes.get(), 5)).call_id == call.request.call_id
        assert platform.streams == []
    server.close()


@pytest.mark.parametrize("fault", ["no_rtp", "wrong_ssrc", "loss", "reorder"])
async def test_faults_of_the_stream(upper: Upper, config: PlatformConfig, fault: str) -> None:
    setattr(config.faults, fault, 0.2 if fault in {"loss", "reorder"} else True)
    async with SimulatedPlatform(config) as platform, udp_receiver() as receiver:
        await platform.wait_registered()
        await opened(upper, config, 1, receiver.port)
        if fault == "no_rtp":
            stream = platform.streams[0]
            async with asyncio.timeout(10):
                while stream.frames < 5:
                    await asyncio.sleep(0.02)
            assert receiver.packets == 0
            return
        await receiver.until_frames(30)
        stats = receiver.rtp.stats()
    if fault == "wrong_ssrc":
        assert 500_000_001 not in receiver.ssrcs
        assert len(receiver.ssrcs) == 1
    elif fault == "loss":
        assert 0.05 < stats.lost / stats.expected < 0.4
    else:
        assert stats.reordered > 3
        assert stats.lost == 0


async def test_a_key_frame_can_be_asked_for(upper: Upper, config: PlatformConfig) -> None:
    async with SimulatedPlatform(config) as platform, udp_receiver() as receiver:
        await platform.wait_registered()
        channel = config.channels[0].code
        await opened(upper, config, 0, receiver.port)
        await receiver.until_frames(5)
        command = (
            '<?xml version="1.0"?><Control><CmdType>DeviceControl</CmdType><SN>9</SN>'
            f"<DeviceID>{channel}</DeviceID><IFameCmd>Send</IFameCmd></Control>"
        )
        assert (await upper.message(command.encode(), config.code, channel)).status == 200
        await receiver.until_frames(15)
    assert any(receiver.keys[1:15])


async def test_a_call_that_ends_before_its_first_picture_leaves_the_next_one_whole(
    upper: Upper, config: PlatformConfig, tmp_path: Path
) -> None:
    config.cache = tmp_path
    async with SimulatedPlatform(config) as platform, udp_receiver() as receiver:
        await platform.wait_registered()
        # Another camera keeps the encoder busy, so that the pictures of the next wait in line.
        await opened(upper, config, 1, 40002, sequence="0500000003")
        first = await opened(upper, config, 0, receiver.port, sequence="0500000001")
        assert (await upper.bye(first, config.code)).status == 200
        await opened(upper, config, 0, receiver.port, sequence="0500000002")
        await receiver.until_frames(3)
