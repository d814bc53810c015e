"""REGISTER, keepalives and what strangers try (gb28181.md §4, §5; Q-01, Q-41)."""

import asyncio
import random
import re
import socket
from contextlib import AsyncExitStack

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from gongshi.protocols.manscdp import Keepalive
from gongshi.protocols.sip import Challenge, answer_challenge, authorized
from integration.signalling.conftest import PASSWORD, PLATFORM, until
from integration.signalling.device import Device


@pytest.fixture
async def devices():
    """Opens devices that are closed at the end."""
    async with AsyncExitStack() as stack:

        async def make(server, code=PLATFORM, host="127.0.0.1"):
            return await stack.enter_async_context(Device(code, server.port).on(host))

        yield make


def state_of(server, code=PLATFORM):
    return server.peers.get(code)


async def test_a_registration_is_challenged_granted_and_kept(world, devices):
    peer_id = await world.peer()
    server = await world.start()
    device = await devices(server)
    request, challenge = await device.challenge(60)
    assert challenge.status == 401
    assert challenge.headers.get("X-GB-Ver") == "3.0"
    header = challenge.headers.get("WWW-Authenticate")
    assert 'realm="3415000000"' in header
    assert "algorithm=MD5" in header
    assert 'qop="auth"' in header
    answer = await device.ask(authorized(request, challenge, PLATFORM, PASSWORD))
    assert answer.status == 200
    assert answer.headers.get("Expires") == "3600", "less than the minimum is raised to it"
    assert answer.headers.get("Contact") == f"<sip:{PLATFORM}@127.0.0.1:{device.port}>;expires=3600"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}", answer.headers.get("Date"))
    assert answer.via.received == ("127.0.0.1", device.port)
    assert state_of(server).online
    row = await until(lambda: world.rows("SELECT peer_id, state, remote_port, transport FROM signalling.binding"))
    assert row == [(peer_id, "online", device.port, "UDP")]


async def test_every_refresh_and_the_farewell_are_challenged(world, devices):
    await world.peer()
    server = await world.start()
    device = await devices(server)
    assert (await device.register(PASSWORD)).status == 200
    for expires in (3600, 0):
        _, answer = await device.challenge(expires)
        assert answer.status == 401, "the known Call-ID proves nothing"
    assert state_of(server).online
    assert (await device.register(PASSWORD, 0)).status == 200
    assert not state_of(server).online
    assert state_of(server).reason == "unregistered"


async def test_nonces_are_good_once_and_only_for_who_got_them(world, devices):
    await world.peer()
    server = await world.start()
    device, thief = await devices(server), await devices(server, host="127.0.0.2")
    request, challenge = await device.challenge()
    proof = authorized(request, challenge, PLATFORM, PASSWORD)
    stolen = await thief.ask(authorized(thief.register_request(), challenge, PLATFORM, PASSWORD))
    assert stolen.status == 401
    assert "stale=true" in stolen.headers.get("WWW-Authenticate")
    assert (await device.ask(proof)).status == 200
    again = device.register_request()
    credentials = answer_challenge(
        Challenge.parse(challenge.headers.get("WWW-Authenticate")), PLATFORM, PASSWORD, "REGISTER", again.uri, nc=2
    )
    again.headers.set("Authorization", credentials.header())
    assert (await device.ask(again)).status == 401


async def test_a_repeated_register_gets_the_same_answer(world, devices):
    await world.peer()
    server = await world.start()
    device = await devices(server)
    request, challenge = await device.challenge()
    proof = authorized(request, challenge, PLATFORM, PASSWORD)
    first = await device.ask(proof)
    second = await device.ask(proof)
    assert first.status == second.status == 200
    assert first.to_bytes() == second.to_bytes()


async def test_strangers_are_refused_without_a_challenge(world, devices):
    await world.peer()
    server = await world.start()
    stranger = await devices(server, "34150200002000009999")
    assert (await stranger.challenge())[1].status == 403
    assert (await stranger.keepalive()) == 403


async def test_a_proof_for_one_peer_does_not_register_another(world, devices):
    await world.peer()
    await world.peer("34150200002000000002", name="另一平台", password="another secret")
    server = await world.start()
    device = await devices(server, "34150200002000000002")
    request, challenge = await device.challenge()
    forged = authorized(request, challenge, PLATFORM, PASSWORD)
    assert (await device.ask(forged)).status == 403
    assert not state_of(server).online
    assert not state_of(server, "34150200002000000002").online


async def test_a_hundred_wrong_passwords_are_refused_bounded_and_told_once(world, devices):
    await world.peer()
    server = await world.start()
    attacker, device = await devices(server), await devices(server, host="127.0.0.2")
    statuses = [(await attacker.register("wrong password")).status for _ in range(100)]
    assert set(statuses) == {403, 503}
    assert statuses.count(503) > 50, "guessing is slowed down"
    assert not state_of(server).online
    assert (await device.register(PASSWORD)).status == 200, "nobody can lock the real device out"
    await world.stop(server)
    rows = await world.rows(
        "SELECT address, detail::json->>'why', (detail::json->>'count')::int FROM audit.entry "
        "WHERE action = 'signalling.peer.refused'"
    )
    assert sum(count for _, _, count in rows) == 100
    assert len(rows) <= 4, "aggregated, not one entry per attempt"
    assert {address for address, _, _ in rows} == {"127.0.0.1"}
    assert {why for _, why, _ in rows} == {"password", "flood"}
    assert PASSWORD not in str(await world.rows("SELECT * FROM audit.entry"))


async def test_random_datagrams_change_nothing(world, devices):
    await world.peer()
    server = await world.start()
    device = await devices(server)
    assert (await device.register(PASSWORD)).status == 200
    chance = random.Random(28181)
    whole = device.message(Keepalive(PLATFORM, 1).build()).to_bytes()
    for number in range(400):
        noise = chance.randbytes(chance.randrange(1, 1500))
        torn = whole[: chance.randrange(len(whole))] + (noise if number % 3 else b"")
        device.send(noise if number % 2 else torn)
        if number % 50 == 0:
            await asyncio.sleep(0.005)
    device.send(b"")
    assert await device.keepalive() == 200
    assert state_of(server).online
    assert (await server.stats())["unreadable"] > 100
    lines = await server.show_trace(state_of(server).id)
    assert 0 < len(lines) <= 200


async def test_random_bytes_on_a_connection_end_only_that_connection(world, config):
    server = await world.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(bytes(range(1, 256)) * 20 + b"\r\n\r\n" + b"x" * 100)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"\r\n\r\n")
    assert await asyncio.wait_for(reader.readexactly(2), 5) == b"\r\n", "RFC 5626 ping"
    writer.close()
    await until(lambda: _no_connections(server))


async def _no_connections(server):
    return (await server.stats())["connections"] == 0


async def test_a_keepalive_from_another_address_takes_nothing_over(world, devices):
    await world.peer()
    server = await world.start()
    device, spoofer, neighbour = (
        await devices(server),
        await devices(server, host="127.0.0.2"),
        await devices(server),
    )
    await device.register(PASSWORD)
    bound = state_of(server).flow
    assert await spoofer.keepalive() == 403
    assert await neighbour.keepalive() == 403, "same address, other port, while the real one is heard"
    assert state_of(server).flow == bound
    assert await device.keepalive() == 200


async def test_a_nat_that_moves_a_silent_device_is_followed(world, devices):
    await world.peer()
    await world.execute("UPDATE signalling.peer SET keepalive_interval = 1, keepalive_misses = 20")
    server = await world.start()
    device, moved = await devices(server), await devices(server)
    await device.register(PASSWORD)
    await asyncio.sleep(0.15)
    assert await moved.keepalive() == 403
    state_of(server).seen -= 0.6
    assert await moved.keepalive() == 200
    assert state_of(server).flow.port == moved.port
    await until(lambda: world.rows("SELECT 1 FROM signalling.binding WHERE remote_port = :p", p=moved.port))


async def test_silence_takes_a_peer_offline(world, devices):
    await world.peer()
    await world.execute("UPDATE signalling.peer SET keepalive_interval = 1, keepalive_misses = 1")
    server = await world.start()
    device = await devices(server)
    await device.register(PASSWORD)
    for _ in range(4):
        await asyncio.sleep(0.15)
        assert await device.keepalive() == 200
    await until(lambda: not state_of(server).online, 4)
    assert state_of(server).reason == "silent"
    assert await device.keepalive() == 403, "it must register again"
    assert await until(
        lambda: world.rows(
            "SELECT 1 FROM audit.entry WHERE action = 'signalling.peer.offline' AND detail LIKE '%silent%'"
        )
    )


async def test_a_registration_that_is_not_refreshed_expires(world, devices):
    await world.peer()
    server = await world.start(expires_minimum=1)
    device = await devices(server)
    assert (await device.register(PASSWORD, 1)).headers.get("Expires") == "1"
    await until(lambda: not state_of(server).online, 4)
    assert state_of(server).reason == "expired"


async def test_a_broken_connection_takes_its_peer_offline(world):
    await world.peer()
    server = await world.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    local = writer.get_extra_info("sockname")
    device = Device(PLATFORM, server.port)
    device.host, device.port = local

    async def answer():
        data = b""
        while b"\r\n\r\n" not in data:
            data += await reader.read(4096)
        device.take(data)

    device._transport = type("Pipe", (), {"sendto": staticmethod(lambda data, _: writer.write(data))})
    reading = asyncio.create_task(answer())
    request, challenge = await device.challenge()
    await reading
    reading = asyncio.create_task(answer())
    assert (await device.ask(authorized(request, challenge, PLATFORM, PASSWORD))).status == 200
    await reading
    assert state_of(server).flow.transport == "TCP"
    writer.close()
    await until(lambda: not state_of(server).online)
    assert state_of(server).reason == "connection_lost"


async def test_a_restart_keeps_registrations(world, devices):
    await world.peer()
    first = await world.start()
    port = first.port
    device = await devices(first)
    await device.register(PASSWORD)
    await world.stop(first)
    second = await world.start(port)
    assert state_of(second).online
    assert await device.keepalive() == 200, "it never notices"
    assert state_of(second).user_agent == state_of(first).user_agent


async def test_a_crash_before_the_write_makes_the_device_register_again(world, devices):
    await world.peer()
    first = await world.start()
    port, device = first.port, await devices(first)

    async def nothing(**_):
        return True

    first._writer._round = nothing
    await device.register(PASSWORD)
    await world.stop(first)
    assert await world.rows("SELECT 1 FROM signalling.binding") == []
    second = await world.start(port)
    assert not state_of(second).online
    assert await device.keepalive() == 403
    assert (await device.register(PASSWORD)).status == 200


async def test_a_peer_added_later_may_register_at_once(world, devices):
    server = await world.start()
    device = await devices(server)
    assert (await device.challenge())[1].status == 403
    await world.peer()
    await until(lambda: state_of(server))
    assert (await device.register(PASSWORD)).status == 200


async def test_a_peer_that_is_disabled_goes_offline(world, devices):
    from gongshi.db.events import emit

    peer_id = await world.peer()
    server = await world.start()
    device = await devices(server)
    await device.register(PASSWORD)
    async with world.database.unit() as uow:
        from sqlalchemy import text

        await uow.session.execute(text("UPDATE signalling.peer SET enabled = false"))
        await emit(uow, "signalling.peer.changed", id=peer_id)
    await until(lambda: not state_of(server).online)
    assert await device.keepalive() == 403
    assert (await device.challenge())[1].status == 403


async def test_without_a_database_peers_go_on_and_nothing_is_lost(world, devices, postgres):
    await world.peer()
    server = await world.start()
    device = await devices(server)
    name = str(make_url(world.url).database)
    admin = make_url(postgres.owner_url).set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            assert (await device.register(PASSWORD)).status == 200
            assert await device.keepalive() == 200
            await until(lambda: server._writer.pending)
        finally:
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(name)))
    await until(lambda: world.rows("SELECT 1 FROM signalling.binding WHERE state = 'online'"), 15)
    await until(lambda: world.rows("SELECT 1 FROM audit.entry WHERE action = 'signalling.peer.registered'"), 15)


async def test_a_taken_port_is_a_clear_refusal(world):
    from gongshi.kit.errors import Unavailable

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable, match="sip_port_taken"):
            await world.start(holder.getsockname()[1])
    world.servers.clear()
