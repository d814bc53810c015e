"""Catalogue answers of every kind: split, shuffled, repeated, short, shrinking (gb28181.md §7.5, Q-19, Q-47)."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from gongshi.db.events import emit
from gongshi.protocols.manscdp import CatalogItem, CatalogResponse, parse
from gongshi.registry.models import Camera
from gongshi.signalling import presence, repository, service
from gongshi.simulator import SimulatedPlatform, generate_channels
from integration.signalling.conftest import PASSWORD, PLATFORM, until
from integration.signalling.device import Device


async def last_run(world):
    rows = await world.rows(
        "SELECT state, declared, received, packets FROM signalling.catalogue_run ORDER BY id DESC LIMIT 1"
    )
    return rows[0] if rows and rows[0][0] != "running" else None


async def live_codes(world):
    return {row[0] for row in await world.rows("SELECT code FROM signalling.channel WHERE gone_at IS NULL")}


async def test_out_of_order_and_repeated_packets_make_a_whole(world, config):
    await world.peer()
    server = await world.start()
    settings = config(server, channels=21)
    settings.faults.catalog_out_of_order = True
    settings.faults.catalog_duplicates = True
    async with SimulatedPlatform(settings):
        state, declared, received, packets = await until(lambda: last_run(world))
        assert (state, declared, received) == ("complete", 21, 21)
        assert packets >= 11
        assert await live_codes(world) == {c.code for c in settings.channels}


async def test_a_partial_answer_keeps_what_stood(world, config):
    await world.peer()
    server = await world.start()
    settings = config(server, channels=10)
    async with SimulatedPlatform(settings) as platform:
        await until(lambda: last_run(world))
        before = await live_codes(world)
        platform.faults.catalog_missing = 2
        peer_id = server.peers.get(PLATFORM).id
        await until(lambda: not server._catalogues._tasks)
        await server.query_catalogue(peer_id)
        run = await until(lambda: _differs(world, "complete"))
        assert run[0] == "partial"
        assert run[1:3] == (10, 6)
        assert await live_codes(world) == before


async def _differs(world, state):
    run = await last_run(world)
    return run if run and run[0] != state else None


async def test_a_number_that_was_too_small_is_no_complete_answer(world, config):
    await world.peer()
    server = await world.start()
    settings = config(server, channels=9)
    settings.faults.catalog_wrong_sum = -3
    async with SimulatedPlatform(settings):
        run = await until(lambda: _is_partial(world))
        assert run[2] == 9
        assert len(await live_codes(world)) == 9


async def _is_partial(world):
    run = await last_run(world)
    return run if run and run[0] == "partial" else None


async def test_a_camera_that_left_is_marked_and_many_only_after_a_second_answer(world, config):
    await world.peer()
    server = await world.start()
    channels = generate_channels(20, PLATFORM)
    settings = config(server, channel_list=list(channels))
    async with SimulatedPlatform(settings) as platform:
        await until(lambda: last_run(world))
        await until(lambda: not server._catalogues._tasks)
        gone = channels[0].code
        platform.config.channels[:] = channels[1:]
        peer_id = server.peers.get(PLATFORM).id
        await server.query_catalogue(peer_id)
        assert await until(lambda: world.rows("SELECT code FROM signalling.channel WHERE gone_at IS NOT NULL")) == [
            (gone,)
        ]
        await until(lambda: not server._catalogues._tasks)
        queries = len(await world.rows("SELECT 1 FROM signalling.catalogue_run"))
        platform.config.channels[:] = channels[1:6]
        await server.query_catalogue(peer_id)
        left = {c.code for c in channels[1:6]}

        async def shrunk():
            return await live_codes(world) == left

        await until(shrunk)
        assert len(await world.rows("SELECT 1 FROM signalling.catalogue_run")) == queries + 2, "asked twice"
        platform.config.channels[:] = channels
        await until(lambda: not server._catalogues._tasks)
        await server.query_catalogue(peer_id)

        async def back():
            return len(await live_codes(world)) == 20

        await until(back)


@asynccontextmanager
async def registered(world, **options):
    await world.peer()
    server = await world.start(**options)
    async with Device(PLATFORM, server.port).on() as device:
        await device.register(PASSWORD)
        yield server, device


async def query_of(device):
    while True:
        request = await asyncio.wait_for(device.requests.get(), 5)
        if request.method == "MESSAGE":
            device.answer(request, 200)
            envelope = parse(request.body)
            assert envelope.sn is not None
            return envelope.sn


async def packet(device, sn, items, total, code=PLATFORM):
    body = CatalogResponse(code, sn, total, items).build()
    return (await device.ask(device.message(body))).status


def camera(number, **fields):
    code = f"{PLATFORM[:10]}1310{number:06d}"
    return CatalogItem(code, f"摄像机{number}", {"Status": "ON", "ParentID": PLATFORM, **fields}, {"PTZType": "1"})


async def test_every_kind_of_item_is_kept_and_passwords_are_not(world):
    async with registered(world) as (_, device):
        sn = await query_of(device)
        items = [
            CatalogItem("341502", "金安区"),
            CatalogItem(PLATFORM, "平台", {"Status": "ON"}),
            CatalogItem("34150200002150000001", "分组", {"ParentID": PLATFORM}),
            CatalogItem("34150200002160000001", "组织", {"BusinessGroupID": "34150200002150000001"}),
            camera(1, Password="hunter2 and more", Longitude="116.5", Latitude="31.75", Status="OFF"),
            CatalogItem("not a code", "怪名", {"Status": "什么"}),
        ]
        assert await packet(device, sn, items, len(items)) == 200
        await until(lambda: last_run(world))
        rows = await world.rows("SELECT kind, status, name, longitude FROM signalling.channel ORDER BY id")
        assert sorted(row[0] for row in rows) == [
            "business_group",
            "device",
            "region",
            "system",
            "unknown",
            "virtual_organisation",
        ]
        assert ("device", "off", "摄像机1", 116.5) in rows
        assert "hunter2" not in str(await world.rows("SELECT * FROM signalling.channel"))


async def test_items_that_only_a_wrong_serial_number_separates_are_taken(world):
    async with registered(world) as (_, device):
        sn = await query_of(device)
        assert await packet(device, sn + 7, [camera(1), camera(2)], 2) == 200
        assert (await until(lambda: last_run(world)))[0] == "complete"


async def test_another_devices_list_is_not_taken_for_the_answer(world):
    async with registered(world) as (_, device):
        sn = await query_of(device)
        await packet(device, sn, [camera(8)], 1, code="34150200002000009999")
        await packet(device, sn, [camera(1)], 1)
        await until(lambda: last_run(world))
        assert len(await live_codes(world)) == 1


async def test_catalogues_of_strangers_are_refused(world):
    async with registered(world) as (server, device):
        sn = await query_of(device)
        async with Device(PLATFORM, server.port).on("127.0.0.2") as spoofer:
            assert await packet(spoofer, sn, [camera(66)], 1) == 403
        await packet(device, sn, [camera(1)], 1)
        await until(lambda: last_run(world))
        assert len(await live_codes(world)) == 1


async def test_silence_is_recorded_as_silence(world):
    async with registered(world, catalogue_first=0.3) as (_, device):
        await query_of(device)
        assert (await until(lambda: last_run(world)))[0] == "silent"


async def test_a_thousand_items_in_one_burst(world):
    async with registered(world) as (_, device):
        sn = await query_of(device)
        items = [camera(number) for number in range(1000)]
        statuses = await asyncio.gather(
            *(packet(device, sn, items[start : start + 8], 1000) for start in range(0, 1000, 8))
        )
        assert set(statuses) == {200}
        assert await until(lambda: last_run(world)) == ("complete", 1000, 1000, 125)
        assert len(await live_codes(world)) == 1000


async def declare(world, code, organisation="culture-tourism"):
    async with world.database.unit() as uow:
        unit = await repository.organisation(uow.session, organisation)
        assert unit is not None
        row = Camera(code=code, name="登记的摄像机", region_code="341502", organisation_id=unit.id)
        uow.session.add(row)
        await uow.session.flush()
        await emit(uow, "inventory.filing.accepted", id=1)
        return row.id, unit.id


async def test_channels_and_cameras_find_each_other_whoever_comes_first(world):
    early, unit_id = await declare(world, camera(1).device_id)
    other, _ = await declare(world, camera(3).device_id, "emergency")
    async with registered(world) as (server, device):
        sn = await query_of(device)
        await packet(device, sn, [camera(n, Status="OFF" if n == 2 else "ON") for n in (1, 2, 3, 4)], 4)
        await until(lambda: last_run(world))
        late, _ = await declare(world, camera(2).device_id)
        await until(lambda: world.rows("SELECT 1 FROM signalling.channel WHERE camera_id = :c", c=late))
        await until(lambda: world.rows("SELECT 1 FROM signalling.binding WHERE state = 'online'"))
        port = presence.Presence()
        async with world.database.read() as session:
            assert await port.online(session, [early, late, other, 99]) == {early: True, late: False, other: True}
            assert await port.online_count(session) == 2
            seen = await presence.seen(session, unit_id)
            assert {channel.code for channel in seen} == {camera(n).device_id for n in (1, 2, 4)}, "3 is another unit's"
            assert len(await presence.seen(session)) == 4
            row = await session.get(Camera, early)
            assert row is not None
            section = await presence.seen_section(session, row, None, "zh")
            assert section is not None
            assert section["online"] is True
            assert section["peer"]["code"] == PLATFORM
            target = await service.channel_for(session, early)
            assert target is not None
            assert (target.channel_code, target.peer_online) == (camera(1).device_id, True)
            assert await service.channel_for(session, 12345) is None
        await world.stop(server)


@pytest.mark.parametrize("edition", ["2016", "2022"])
async def test_both_editions_are_asked_in_their_own_way(world, edition):
    await world.peer()
    server = await world.start()
    async with Device(PLATFORM, server.port).on() as device:
        request, challenge = await device.challenge()
        from gongshi.protocols.sip import authorized

        proof = authorized(request, challenge, PLATFORM, PASSWORD)
        if edition == "2022":
            proof.headers.add("X-GB-Ver", "3.0")
        await device.ask(proof)
        asked = await asyncio.wait_for(device.requests.get(), 5)
        label = b'encoding="GB18030"' if edition == "2022" else b'encoding="GB2312"'
        assert label in asked.body
        assert server.peers.get(PLATFORM).edition == edition
        assert asked.to.tag is None, "Q-11"
