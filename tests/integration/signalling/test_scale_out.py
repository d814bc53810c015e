"""Several signalling servers on one database: each owns devices, and one that is killed is replaced by the others."""

import asyncio
import contextlib
import json
import signal
from pathlib import Path

import pytest

from gongshi.node.rpc import RemoteProblem
from integration.signalling.conftest import PASSWORD, PLATFORM, until
from integration.signalling.device import Device

TESTS = Path(__file__).resolve().parents[2]
SECOND = "34150200002000000002"
QUICK = {"instance_beat": 0.1, "instance_gone": 0.8}


async def owner(world, code=PLATFORM):
    rows = await world.rows(
        "SELECT b.instance, b.state FROM signalling.binding b JOIN signalling.peer p ON p.id = b.peer_id "
        "WHERE p.code = :code",
        code=code,
    )
    return rows[0] if rows else None


async def events(world, name):
    return await world.rows("SELECT payload FROM system.outbox WHERE name = :name ORDER BY id", name=name)


async def test_a_device_belongs_to_the_server_that_it_registered_with_last(world):
    await world.peer()
    one, two = await world.start(**QUICK), await world.start(**QUICK)
    device = Device(PLATFORM, one.port)
    async with device.on():
        assert (await device.register(PASSWORD)).status == 200
        await until(lambda: owner(world))
        assert await owner(world) == (one.instance, "online")
        assert not two.peers.get(PLATFORM).online
        device.server = ("127.0.0.1", two.port)
        assert await device.keepalive() == 403, "the other is there: it must register anew to change"
        assert (await device.register(PASSWORD)).status == 200
        await until(lambda: not one.peers.get(PLATFORM).online)
        assert one.peers.get(PLATFORM).reason == "elsewhere"
        assert await owner(world) == (two.instance, "online")
        # What the first still owed must not turn up now.
        one._writer.dirty(one.peers.get(PLATFORM))
        await until(lambda: not one._writer.pending)
        assert await owner(world) == (two.instance, "online")
        assert await events(world, "signalling.peer.offline") == []
        assert await device.keepalive() == 200


async def test_calls_of_other_roles_reach_the_owner(world):
    peer_id = await world.peer()
    asked = []

    async def reach(control, method, parameters):
        asked.append((control, method))
        return await one.handlers()[method](**parameters)

    one = await world.start(**QUICK, control="/nowhere/one")
    two = await world.start(**QUICK, control="/nowhere/two", reach=reach)
    async with Device(PLATFORM, one.port).on() as device:
        assert (await device.register(PASSWORD)).status == 200
        await until(owner_is(world, one))
        await until(lambda: two.instances.others)
        answer = await two.handlers()["query_catalogue"](peer_id=peer_id)
        assert answer["state"] == "asked"
        assert asked == [("/nowhere/one", "query_catalogue")]
        request = await asyncio.wait_for(device.requests.get(), 5)
        while b"Catalog" not in request.body:
            request = await asyncio.wait_for(device.requests.get(), 5)
        trace = await two.handlers()["trace"](peer_id=peer_id)
        assert any("REGISTER" in line["text"] for line in trace)
        assert len(asked) == 2


def owner_is(world, server):
    async def check():
        return (await owner(world) or ("",))[0] == server.instance

    return check


async def test_a_server_out_of_reach_is_named(world):
    from gongshi.kit.errors import Unavailable

    peer_id = await world.peer()
    one, two = await world.start(**QUICK), await world.start(**QUICK)
    async with Device(PLATFORM, one.port).on() as device:
        assert (await device.register(PASSWORD)).status == 200
        await until(owner_is(world, one))
        await until(lambda: two.instances.others)
        with pytest.raises(Unavailable, match="other_instance"):
            await two.handlers()["query_catalogue"](peer_id=peer_id)


async def test_a_killed_servers_devices_are_taken_over_on_their_next_keepalive(world, processes):
    await world.peer()
    await world.peer(SECOND, name="另一平台")
    one, two = await processes(), await processes()
    async with Device(PLATFORM, one.port).on() as device, Device(SECOND, two.port).on() as other:
        assert (await device.register(PASSWORD)).status == 200
        assert (await other.register(PASSWORD)).status == 200
        await until(lambda: owner(world))
        assert await one.online() == {PLATFORM}
        assert await two.online() == {SECOND}
        state = {"dialog": dialog_state(device), "flow": flow_state(device), "kind": "play", "commands": 0}
        await world.execute(
            "INSERT INTO signalling.dialog (stream_id, peer_id, channel_code, ssrc, state, instance) "
            "SELECT 'stream-1', b.peer_id, '34150200001310000001', 100000001, CAST(:state AS jsonb), b.instance "
            "FROM signalling.binding b JOIN signalling.peer p ON p.id = b.peer_id WHERE p.code = :code",
            state=json.dumps(state),
            code=PLATFORM,
        )
        await one.kill()
        # Now the load balancer sends it to the other server.
        device.server = ("127.0.0.1", two.port)

        async def heard():
            return await device.keepalive() == 200

        await until(heard, 15)
        assert await two.online() == {PLATFORM, SECOND}
        assert await other.keepalive() == 200
        # The call of the server that is gone is ended, and the media room told.
        request = await asyncio.wait_for(device.requests.get(), 10)
        assert request.method == "BYE"
        device.answer(request, 200)
        ended = await until(lambda: events(world, "signalling.stream.ended"))
        assert ended[0][0]["stream_id"] == "stream-1"
        await until(lambda: none(world, "SELECT 1 FROM signalling.dialog"))
        assert await events(world, "signalling.peer.offline") == [], "nobody was offline"
        assert (await device.register(PASSWORD)).status == 200


async def none(world, query):
    return not await world.rows(query)


def dialog_state(device):
    from gongshi.protocols.sip import Dialog, Response, Uri, new_request

    own, to = Uri.of("34150000002000000001", "3415000000"), Uri.of("34150200001310000001", "3415020000")
    invite = new_request("INVITE", to, own, to, contact=own)
    invite.headers.add_first("Via", "SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bKx")
    answer = Response.to_request(
        invite, 200, headers=[("Contact", f"<sip:34150200001310000001@127.0.0.1:{device.port}>")]
    )
    return Dialog.from_response(invite, answer).dump()


def flow_state(device):
    return {"transport": "UDP", "host": "127.0.0.1", "port": device.port, "local_host": "127.0.0.1"}


async def test_a_server_that_stops_hands_its_devices_over(world, processes):
    await world.peer()
    one, two = await processes(), await processes()
    async with Device(PLATFORM, one.port).on() as device:
        assert (await device.register(PASSWORD)).status == 200
        await until(lambda: owner(world))
        one.process.terminate()
        await one.process.wait()
        await until(two.online)
        device.server = ("127.0.0.1", two.port)
        assert await device.keepalive() == 200


async def test_a_server_that_was_only_slow_gives_up_what_others_took(world, processes):
    await world.peer()
    one, two = await processes(), await processes()
    async with Device(PLATFORM, one.port).on() as device:
        assert (await device.register(PASSWORD)).status == 200
        await until(one.online)
        await until(lambda: owner(world))
        one.process.send_signal(signal.SIGSTOP)
        await until(two.online, 15)
        one.process.send_signal(signal.SIGCONT)

        async def gone():
            return not await one.online()

        await until(gone, 15)
        device.server = ("127.0.0.1", two.port)
        assert await device.keepalive() == 200
        assert await world.rows("SELECT state FROM signalling.binding") == [("online",)]


async def test_the_longest_there_leads(world):
    one = await world.start(**QUICK)
    two = await world.start(**QUICK)
    await until(lambda: one.instances.others and two.instances.others)
    assert one.instances.leads
    assert not two.instances.leads
    await world.stop(one)
    await until(lambda: two.instances.leads)


async def test_an_error_of_the_owner_comes_back_as_it_is(world, processes):
    peer_id = await world.peer()
    one, two = await processes(), await processes()
    async with Device(PLATFORM, one.port).on() as device:
        assert (await device.register(PASSWORD)).status == 200
        await until(lambda: owner(world))

        async def refused():
            with contextlib.suppress(RemoteProblem):
                await two.client.call("invite", stream_id="x", channel_id=1, address="127.0.0.1", port=9)
                return False
            return True

        assert await refused()
        answer = await two.client.call("query_catalogue", peer_id=peer_id)
        assert answer["state"] == "asked"
        assert await one.online() == {PLATFORM}
