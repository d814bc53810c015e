"""What an upper's catalogue holds: only what is shared with it, under its codes, in its tree (gb28181.md §7, §13.2)."""

import pytest

from gongshi.access.actions import Action
from gongshi.protocols.manscdp import DeviceInfo, DeviceStatus, leaf
from gongshi.signalling.uppers import service
from gongshi.signalling.uppers.problems import AliasTaken
from gongshi.signalling.uppers.repository import camera_known_as
from integration.cascade.conftest import NAME, NODE, code, registered
from integration.signalling.conftest import until

EAST, WEST, TOWER, BARE = code(1), code(2), code(3, "341503"), code(4)
GROUP = f"{NODE[:10]}2150000001"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_nothing_is_shared_by_itself_and_what_is_shared_says_the_truth(world, upper, transport):
    async with registered(world, upper, transport=transport) as number:
        items, _ = await upper.catalogue(NODE)
        assert [item.device_id for item in items] == [NODE]
        assert items[0].name == NAME
        assert "ParentID" not in items[0].fields
        await world.share(number, Action.LIVE, EAST, WEST, TOWER, BARE)
        items, packets = await upper.catalogue(NODE)
        assert [item.device_id for item in items] == [NODE, EAST, WEST, TOWER, BARE]
        cameras = {item.device_id: item for item in items[1:]}
        assert {c: item.online for c, item in cameras.items()} == {EAST: True, WEST: False, TOWER: True, BARE: False}
        assert cameras[TOWER].name == "鼓楼街<南>&口"
        assert cameras[EAST].parents == (NODE,)
        assert cameras[EAST].position == (116.5, 31.75)
        assert cameras[EAST].ptz_type == 1
        assert "IPAddress" not in cameras[EAST].fields
        assert all(packet.device_id == NODE for packet in packets)
        assert len(packets) == (1 if transport == "tcp" else 5)


async def test_a_datagram_stays_under_the_mtu(world, upper):
    async with registered(world, upper) as number:
        await world.share(number, Action.SEE, scope="region", scope_value="341500")
        sizes: list[int] = []
        take = upper._handle

        def measured(event):
            sizes.append(len(event.request.to_bytes()))
            take(event)

        upper._handle = measured
        items, _ = await upper.catalogue(NODE)
        assert len(items) == 5
        assert max(sizes) <= 1_400


async def test_an_offline_platform_turns_its_cameras_off(world, upper):
    async with registered(world, upper) as number:
        await world.share(number, Action.SEE, EAST)
        await world.execute("UPDATE signalling.binding SET state = 'offline'")
        items, _ = await upper.catalogue(NODE)
        assert items[1].online is False


async def test_the_upper_chooses_by_region(world, upper):
    async with registered(world, upper, tree="region") as number:
        await world.share(number, Action.SEE, scope="region", scope_value="341500")
        items, _ = await upper.catalogue(NODE)
        assert [item.device_id for item in items[1:4]] == ["3415", "341502", "341503"]
        assert [item.name for item in items[1:3]] == ["六安市", "金安区"]
        assert {item.device_id: item.civil_code for item in items[4:]} == {
            EAST: "341502",
            WEST: "341502",
            TOWER: "341503",
            BARE: "341502",
        }
        part, _ = await upper.catalogue("341503")
        assert [item.device_id for item in part] == ["341503", TOWER]
        one, _ = await upper.catalogue(EAST)
        assert [item.device_id for item in one] == [EAST]
        none, packets = await upper.catalogue("110000")
        assert (none, len(packets)) == ([], 1)


async def test_the_upper_chooses_by_organisation(world, upper):
    async with registered(world, upper, tree="organisation") as number:
        await world.share(number, Action.SEE, EAST, BARE)
        items, _ = await upper.catalogue(NODE)
        kinds = [item.kind for item in items]
        assert kinds[:2] == ["system", "group"]
        assert items[1].device_id == GROUP
        units = {item.name: item.device_id for item in items if item.kind == "organisation"}
        cameras = {item.device_id: item for item in items if item.kind == "device"}
        (tourism,) = [unit for name, unit in units.items() if "文" in name]
        assert cameras[EAST].parents == (NODE, tourism)
        part, _ = await upper.catalogue(tourism)
        assert [item.device_id for item in part] == [tourism, EAST]
        whole, _ = await upper.catalogue(GROUP)
        assert {item.device_id for item in whole} >= {GROUP, EAST, BARE}


async def test_the_upper_chooses_by_device(world, upper):
    async with registered(world, upper, tree="device") as number:
        await world.share(number, Action.SEE, EAST, BARE)
        items, _ = await upper.catalogue(NODE)
        assert [item.device_id for item in items] == [NODE, "34150200002000000009", EAST, BARE]
        assert items[2].parents == ("34150200002000000009",)
        assert items[3].parents == (NODE,)
        part, _ = await upper.catalogue("34150200002000000009")
        assert [item.device_id for item in part] == ["34150200002000000009", EAST]


async def test_an_alias_is_what_the_upper_knows_and_never_changes(world, upper):
    alias = "34000000001310000077"
    async with registered(world, upper) as number:
        await world.share(number, Action.SEE, EAST, WEST)
        async with world.database.unit() as uow:
            row = await service.standing_upper(uow.session, number)
            east = await camera_known_as(uow.session, number, EAST)
            assert east is not None
            await service.give_alias(uow, row.upper, east, alias)
        for camera, other in ((EAST, "34000000001310000078"), (WEST, alias), (WEST, TOWER)):
            async with world.database.unit() as uow:
                row = await service.standing_upper(uow.session, number)
                target = (await service.repository.cameras_by_code(uow.session, [camera]))[camera]
                with pytest.raises(AliasTaken):
                    await service.give_alias(uow, row.upper, target, other)
        items, _ = await upper.catalogue(NODE)
        assert [item.device_id for item in items[1:]] == [alias, WEST]
        # The real code is another upper's business, and the camera's own never changed (G-143).
        assert (await upper.catalogue(EAST))[0] == []
        assert [item.device_id for item in (await upper.catalogue(alias))[0]] == [alias]
        assert await world.rows("SELECT code FROM registry.camera WHERE id = :i", i=world.cameras[EAST]) == [(EAST,)]


async def test_what_came_from_the_upper_is_not_shown_back_to_it(world, upper):
    async with registered(world, upper) as number:
        await world.share(number, Action.SEE, EAST, BARE)
        await world.execute("UPDATE signalling.peer SET code = :u", u=upper.code)
        items, _ = await upper.catalogue(NODE)
        assert [item.device_id for item in items] == [NODE, BARE]


async def test_a_query_about_ourselves_is_answered(world, upper):
    """Q-44: status queries with the platform's ID were rejected by others."""
    async with registered(world, upper):
        info = DeviceInfo.parse(await upper.ask("DeviceInfo", NODE))
        assert (info.name, info.result, info.device_id) == (NAME, True, NODE)
        status = DeviceStatus.parse(await upper.ask("DeviceStatus", NODE))
        assert (status.result, status.online, status.ok) == (True, True, True)
        basics = await upper.ask("ConfigDownload", NODE, [leaf("ConfigType", "BasicParam")])
        assert basics.result_ok
        found = basics.element.find("BasicParam")
        assert found is not None
        assert found.get("HeartBeatInterval") == "60"
        presets = await upper.ask("PresetQuery", NODE)
        assert presets.element.integer("SumNum") == 0


async def test_a_refused_packet_ends_the_answer(world, upper):
    async with registered(world, upper) as number:
        await world.share(number, Action.SEE, EAST, WEST, TOWER)
        upper.message_status = 503
        sn = await upper.send("Query", "Catalog", NODE)
        await upper.answer(sn)
        upper.message_status = 200
        items, _ = await upper.catalogue(NODE)
        assert len(items) == 4
        assert upper.messages.empty()


async def test_queries_of_one_upper_wait_for_each_other(world, upper):
    async with registered(world, upper) as number:
        await world.share(number, Action.SEE, EAST, WEST)
        numbers = [await upper.send("Query", "Catalog", NODE) for _ in range(3)]
        seen: list[int] = []
        await until(lambda: upper.messages.qsize() >= 9)
        while not upper.messages.empty():
            seen.append(upper.messages.get_nowait().sn)
        assert seen == sorted(seen)
        assert set(seen) == set(numbers)
