"""A simulated platform against the real server: register, catalogue, live calls with real RTP."""

import asyncio

import pytest

from gongshi.simulator import SimulatedPlatform
from integration.signalling.conftest import PLATFORM, until


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_platform_registers_and_its_channels_appear(world, config, transport):
    peer_id = await world.peer()
    server = await world.start()
    async with SimulatedPlatform(config(server, transport=transport)) as platform:
        await platform.wait_registered()
        await until(lambda: world.rows("SELECT 1 FROM signalling.catalogue_run WHERE state = 'complete'"))
        rows = await world.rows("SELECT code, kind, status FROM signalling.channel WHERE peer_id = :p", p=peer_id)
        assert {code for code, kind, _ in rows if kind == "device"} == {c.code for c in platform.config.channels}
        await until(lambda: world.rows("SELECT 1 FROM signalling.binding WHERE state = 'online'"))
    await until(
        lambda: world.rows("SELECT 1 FROM signalling.binding WHERE state = 'offline' AND reason = 'unregistered'")
    )

    async def told():
        rows = await world.rows("SELECT action FROM audit.entry WHERE action LIKE 'signalling.peer.%' ORDER BY id")
        return [row[0].rpartition(".")[2] for row in rows]

    await until(lambda: _equals(told, ["created", "registered", "offline"]))


async def _equals(actual, wanted):
    return await actual() == wanted


async def test_live_over_udp_and_bye(world, config):
    await world.peer()
    server = await world.start()
    loop = asyncio.get_running_loop()
    packets: asyncio.Queue[bytes] = asyncio.Queue()

    class Receiver(asyncio.DatagramProtocol):
        def datagram_received(self, data, addr):
            packets.put_nowait(data)

    transport, _ = await loop.create_datagram_endpoint(Receiver, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    async with SimulatedPlatform(config(server)) as platform:
        await platform.wait_registered()
        channel = await until(
            lambda: world.rows("SELECT id, code FROM signalling.channel WHERE kind = 'device' ORDER BY code LIMIT 1")
        )
        answer = await server.invite("stream-1", channel[0][0], "127.0.0.1", port)
        packet = await asyncio.wait_for(packets.get(), 5)
        assert packet[0] >> 6 == 2
        assert int.from_bytes(packet[8:12]) == answer["ssrc"]
        assert [step["step"] for step in answer["steps"]][-2:] == ["answered", "acknowledged"]
        assert len(server.calls) == 1
        assert await server.bye("stream-1")
        await until(lambda: not platform.streams)
        assert not await server.bye("stream-1")
    transport.close()
    assert await world.rows("SELECT 1 FROM signalling.dialog") == []
    assert PLATFORM in {peer["code"] for peer in await server.list_peers()}
