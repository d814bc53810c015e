"""What devices report by themselves: alarms, changes, positions; subscriptions and their recovery (gb28181.md §9, §14)."""

import asyncio
from datetime import timedelta

import pytest

from gongshi.kit import clock
from gongshi.protocols.codes import Edition
from gongshi.protocols.manscdp import (
    Alarm,
    BasicParam,
    CatalogChange,
    CatalogItem,
    CatalogResponse,
    ConfigDownload,
    DeviceInfo,
    MobilePosition,
    Position,
    Result,
    SnapShotFinished,
    UpgradeResult,
)
from integration.signalling.conftest import PLATFORM, until
from integration.signalling.device import Device
from integration.signalling.talking import talker

CAMERA = "34150200001310000007"
OTHER = "34150200001310000008"


async def channel(world, code=CAMERA, peer_id=None):
    if peer_id is None:
        peer_id = await world.peer()
    await world.execute(
        "INSERT INTO signalling.channel (peer_id, code, kind, name, status, fields) "
        "VALUES (:peer, :code, 'device', 'x', 'on', '{}')",
        peer=peer_id,
        code=code,
    )
    return peer_id


async def states(world):
    return dict(await world.rows("SELECT package, state FROM signalling.subscription"))


async def condition(world, code=CAMERA):
    rows = await world.rows(
        "SELECT status, fault, gone_at IS NOT NULL FROM signalling.channel WHERE code = :code", code=code
    )
    return rows[0] if rows else None


# -- subscriptions ---------------------------------------------------------------------------------------------------


async def test_a_platform_is_subscribed_to_when_it_comes_and_again_when_it_comes_back(world):
    await world.peer()
    server = await world.start(catalogue_on_register=False, subscribe=("catalogue", "alarm"))
    async with talker(server).talking() as device:
        await until(lambda: len(device.subscribed) == 2)
        assert {n.command for n in device.subscribed.values()} == {"Catalog", "Alarm"}
        catalogue = device.notifier("Catalog")
        assert catalogue is not None
        assert catalogue.event.startswith("Catalog;id=")
        await until(lambda: _are(world, {"catalogue": "active", "alarm": "active"}))
        await device.register("right and proper", expires=0)
        await until(lambda: _are(world, {"catalogue": "idle", "alarm": "idle"}))
        await device.register("right and proper")
        await until(lambda: len(device.subscribed) == 4)


async def _are(world, wanted):
    return await states(world) == wanted


async def test_a_camera_is_not_subscribed_to_unless_somebody_chose_so(world):
    camera = "34150200001320000001"
    peer_id = await world.peer(camera)
    server = await world.start(catalogue_on_register=False, subscribe=("catalogue", "alarm"))
    async with talker(server, code=camera).talking() as device:
        await asyncio.sleep(0.15)
        assert not device.subscribed
        await server._devices.subscribe(peer_id, "alarm", True)
        await until(lambda: device.notifier("Alarm"))
        await server._devices.subscribe(peer_id, "alarm", False)
        await until(lambda: not device.notifier("Alarm"))
    # It is remembered.
    await server._devices.subscribe(peer_id, "mobile_position", True, 30)
    await world.stop(server)
    server = await world.start(catalogue_on_register=False)
    async with talker(server, code=camera).talking() as device:
        await until(lambda: device.notifier("MobilePosition"))
        assert device.of("MobilePosition")[0].element.get("Interval") == "30"


async def test_a_refresh_stays_in_its_dialog_and_481_asks_anew(world):
    await world.peer()
    server = await world.start(catalogue_on_register=False, subscribe=("catalogue",), subscription_expires=5)
    async with talker(server).talking() as device:
        await until(lambda: device.notifier("Catalog"))
        (call_id,) = device.subscribed
        watch = next(server._devices.subscriptions.of(server.peers.get(PLATFORM).id))
        await until(lambda: watch.subscription.state == "active")
        server._devices.subscriptions._plan(watch, 0.0)
        await until(lambda: watch.subscription.dialog is not None and watch.subscription.dialog.local_cseq > 1)
        assert set(device.subscribed) == {call_id}
        await until(lambda: watch.subscription.state == "active")
        device.subscribed.clear()
        server._devices.subscriptions._plan(watch, 0.0)
        await until(lambda: device.notifier("Catalog"))
        assert call_id not in device.subscribed


async def test_a_refusal_is_shown_and_not_repeated_at_once(world):
    peer_id = await world.peer()
    server = await world.start(catalogue_on_register=False, subscribe=("alarm",))
    device = talker(server)
    device.subscribe_status = 405
    async with device.talking():
        await until(lambda: _are(world, {"alarm": "waiting"}))
        shown = {row["package"]: row for row in await server._devices.list_subscriptions(peer_id)}
        assert (shown["alarm"]["on"], shown["alarm"]["refusal"]) == (True, 405)
        assert not shown["catalogue"]["on"]
        heard = len(device.heard)
        await asyncio.sleep(0.15)
        assert len(device.heard) == heard


async def test_a_notify_that_nobody_asked_for_is_481(world):
    await world.peer()
    server = await world.start(catalogue_on_register=False, subscribe=("catalogue",))
    async with talker(server).talking() as device:
        await until(lambda: device.notifier("Catalog"))
        notifier = device.notifier("Catalog")
        assert notifier is not None
        request = notifier.notify(b"", 0.0)
        request.headers.set("Call-ID", "made-up")
        assert await device.send_notify(request) == 481


# -- the catalogue ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("OFF", ("off", None, False)),
        ("ON", ("on", None, False)),
        ("VLOST", ("on", "video_lost", False)),
        ("DEFECT", ("on", "defect", False)),
        ("DEL", ("on", None, True)),
    ],
)
async def test_every_event_of_a_catalogue(world, event, expected):
    await channel(world)
    server = await world.start(catalogue_on_register=False, subscribe=("catalogue",))
    async with talker(server).talking() as device:
        await until(lambda: device.notifier("Catalog"))
        body = CatalogChange(PLATFORM, 1, [CatalogItem(CAMERA, event=event)]).to_bytes()
        assert await device.notify("Catalog", body) == 200
        await until(lambda: _is(world, expected))
        events = "SELECT payload->>'codes' FROM system.outbox WHERE name = 'signalling.channel.changed'"
        assert await until(lambda: world.rows(events))


async def _is(world, expected, code=CAMERA):
    return await condition(world, code) == expected


async def test_added_and_updated_devices_bring_their_whole_record(world):
    await channel(world)
    server = await world.start(catalogue_on_register=False, subscribe=("catalogue",))
    async with talker(server).talking() as device:
        await until(lambda: device.notifier("Catalog"))
        items = [
            CatalogItem(OTHER, "新点位", {"Status": "OFF", "Manufacturer": "V"}, event="ADD"),
            CatalogItem(CAMERA, "改名", {"Status": "ON"}, event="UPDATE"),
        ]
        assert await device.notify("Catalog", CatalogChange(PLATFORM, 1, items).to_bytes()) == 200
        await until(lambda: _is(world, ("off", None, False), OTHER))
        assert set(await world.rows("SELECT code, name FROM signalling.channel")) == {
            (OTHER, "新点位"),
            (CAMERA, "改名"),
        }


async def test_s08_a_change_in_the_clothes_of_an_answer(world):
    await world.peer()
    server = await world.start(catalogue_on_register=False, subscribe=("catalogue",))
    async with talker(server).talking() as device:
        await until(lambda: device.notifier("Catalog"))
        body = CatalogResponse(PLATFORM, 1, 9, [CatalogItem(OTHER, "x", {"Status": "ON"})]).build()
        assert await device.notify("Catalog", body) == 200
        await until(lambda: _is(world, ("on", None, False), OTHER))


async def test_a_device_that_nobody_knows_is_asked_for(world):
    await world.peer()
    server = await world.start(catalogue_on_register=False, subscribe=("catalogue",))
    async with talker(server).talking() as device:
        await until(lambda: device.notifier("Catalog"))
        heard = len(device.of("Catalog"))
        device.replies["Catalog"] = lambda e: [
            CatalogResponse(OTHER, e.sn, 1, [CatalogItem(OTHER, "找到了", {"Status": "ON"})]).build()
        ]
        await device.notify("Catalog", CatalogChange(PLATFORM, 1, [CatalogItem(OTHER, event="ON")]).to_bytes())
        await until(lambda: _is(world, ("on", None, False), OTHER))
        assert [e.device_id for e in device.of("Catalog")[heard:]] == [OTHER]


async def test_a_platform_that_does_not_answer_for_one_device_is_asked_for_all(world):
    await world.peer()
    server = await world.start(catalogue_on_register=False, subscribe=("catalogue",), query_seconds=0.3)
    async with talker(server).talking() as device:
        await until(lambda: device.notifier("Catalog"))
        device.replies["Catalog"] = lambda e: (
            [CatalogResponse(PLATFORM, e.sn, 1, [CatalogItem(OTHER, "x", {"Status": "ON"})]).build()]
            if e.device_id == PLATFORM
            else None
        )
        await device.notify("Catalog", CatalogChange(PLATFORM, 1, [CatalogItem(OTHER, event="ON")]).to_bytes())
        await until(lambda: _is(world, ("on", None, False), OTHER))


# -- alarms ----------------------------------------------------------------------------------------------------------


async def test_an_alarm_by_message_is_answered_kept_and_told(world):
    await world.peer()
    server = await world.start(catalogue_on_register=False)
    async with talker(server).talking() as device:
        moment = clock.now().replace(microsecond=0)
        alarm = Alarm(CAMERA, 7, 1, 5, moment, "有人移动", type=2)
        assert (await device.ask(device.message(alarm.to_bytes()))).status == 200
        (answer,) = await until(lambda: device.of("Alarm"))
        assert (answer.root, answer.sn, answer.device_id, answer.result_ok) == ("Response", 7, CAMERA, True)
        rows = await until(
            lambda: world.rows("SELECT code, kind, priority, description, alarm_at FROM signalling.alarm")
        )
        assert rows == [(CAMERA, "motion", 1, "有人移动", moment)]
        told = "SELECT payload->>'kind' FROM system.outbox WHERE name = 'signalling.alarm.raised'"
        assert await world.rows(told) == [("motion",)]


async def test_the_same_alarm_by_message_and_subscription_is_one(world):
    await world.peer()
    server = await world.start(catalogue_on_register=False, subscribe=("alarm",))
    async with talker(server).talking() as device:
        await until(lambda: device.notifier("Alarm"))
        alarm = Alarm(CAMERA, 7, 1, 2, clock.now().replace(microsecond=0), "输入")
        await device.ask(device.message(alarm.to_bytes()))
        assert await device.notify("Alarm", alarm.to_bytes()) == 200
        # By subscription there is no Response Alarm.
        await until(lambda: not server._devices.reports.pending and world.rows("SELECT 1 FROM signalling.alarm"))
        assert len(await world.rows("SELECT 1 FROM signalling.alarm")) == 1
        assert len([e for e in device.of("Alarm") if e.root == "Response"]) == 1


@pytest.mark.parametrize("kind", [5, 6, 7, 8, 9, 10, 12, 99])
async def test_of_alarms_about_persons_only_the_number_is_kept(world, kind):
    await world.peer()
    server = await world.start(catalogue_on_register=False)
    async with talker(server).talking() as device:
        alarm = Alarm(CAMERA, 7, 1, 5, clock.now(), "张三 徘徊", type=kind, extra=("face=abc",))
        await device.ask(device.message(alarm.to_bytes()))
        rows = await until(lambda: world.rows("SELECT kind, type, description FROM signalling.alarm"))
        assert rows == [(f"type_{kind}", kind, None)]


async def test_a_flood_of_alarms_is_bounded(world):
    await world.peer()
    server = await world.start(catalogue_on_register=False, alarms_owed=10)
    async with talker(server).talking() as device:
        peer = server.peers.get(PLATFORM)
        for second in range(50):
            server._devices.reports.alarm(peer, Alarm(CAMERA, second, 1, 2, clock.now() - timedelta(seconds=second)))
        assert server._devices.reports.pending <= 10
        assert (await server.stats())["alarms_dropped"] >= 40
        await until(lambda: not server._devices.reports.pending)
        assert await device.keepalive() == 200


async def test_absurd_alarm_times_are_ours(world):
    await world.peer()
    server = await world.start(catalogue_on_register=False)
    async with talker(server).talking() as device:
        await device.ask(device.message(Alarm(CAMERA, 7, 1, 2, clock.now() - timedelta(days=9000)).to_bytes()))
        query = "SELECT alarm_at > now() - interval '1 minute' FROM signalling.alarm"
        assert await until(lambda: world.rows(query)) == [(True,)]


# -- positions, orders, the first talk -------------------------------------------------------------------------------


async def test_a_position_is_kept_only_where_chosen_and_only_the_newest(world):
    peer_id = await world.peer()
    server = await world.start(catalogue_on_register=False)
    async with talker(server).talking() as device:
        now = clock.now().replace(microsecond=0)
        body = MobilePosition(CAMERA, 1, (Position(CAMERA, now, 116.5, 31.7),)).to_bytes()
        assert (await device.ask(device.message(body))).status == 200
        await server._devices.subscribe(peer_id, "mobile_position", True, 5)
        await until(lambda: device.notifier("MobilePosition"))
        assert await world.rows("SELECT 1 FROM signalling.position") == []
        for seconds, longitude in ((0, 116.5), (10, 116.6), (5, 116.55)):
            place = Position(CAMERA, now + timedelta(seconds=seconds), longitude, 31.7)
            body = MobilePosition(CAMERA, 1, (place,)).to_bytes()
            assert await device.notify("MobilePosition", body) == 200
            await until(lambda: not server._devices.reports.pending)
        rows = await until(lambda: world.rows("SELECT code, longitude FROM signalling.position"))
        assert rows == [(CAMERA, 116.6)]


async def test_upgrades_and_pictures_tell_how_they_ended(world):
    peer_id = await channel(world)
    channel_id = (await world.rows("SELECT id FROM signalling.channel"))[0][0]
    server = await world.start(catalogue_on_register=False)
    async with talker(server, Edition.E2022).talking() as device:
        device.replies["DeviceControl"] = lambda e: [Result("DeviceControl", CAMERA, e.sn).to_bytes()]
        device.replies["DeviceConfig"] = lambda e: [Result("DeviceConfig", CAMERA, e.sn).to_bytes()]
        order = await server._devices.order(
            "upgrade", channel_id, params={"firmware": "2.0", "file_url": "http://10.1.1.9/f", "manufacturer": "V"}
        )
        shot = await server._devices.order("snapshot", channel_id, params={"upload_url": "http://10.1.1.9/up"})
        await device.ask(device.message(UpgradeResult(CAMERA, 1, order["session_id"], False, "2.0", "02").to_bytes()))
        done = SnapShotFinished(CAMERA, 2, shot["session_id"], ("a" * 41,))
        await device.ask(device.message(done.to_bytes()))
        query = "SELECT kind, value->>'state', value->>'session_id' FROM signalling.said WHERE peer_id = :peer"

        async def finished():
            rows = set(await world.rows(query, peer=peer_id))
            return rows if all(state == "finished" for _, state, _ in rows) and len(rows) == 2 else None

        assert await until(finished) == {
            ("upgrade", "finished", order["session_id"]),
            ("snapshot", "finished", shot["session_id"]),
        }


async def test_q30_a_peer_is_interviewed_once_and_its_absurd_heartbeat_is_clamped(world):
    await world.peer(keepalive_interval=60, keepalive_misses=3)
    server = await world.start(catalogue_on_register=False, interview=True)
    device = talker(server)
    device.replies["DeviceInfo"] = lambda e: [DeviceInfo(e.device_id, e.sn, "平台").to_bytes()]
    device.replies["ConfigDownload"] = lambda e: [
        ConfigDownload(e.device_id, e.sn, True, (BasicParam("x", 3600, 999_999, 0),)).to_bytes()
    ]
    async with device.talking():
        peer = server.peers.get(PLATFORM)
        await until(lambda: peer.interval == 3600)
        assert peer.misses == 3
        await until(lambda: _kinds(world, {"device_info", "basic"}))
        await device.register("right and proper", expires=0)
        await device.register("right and proper")
        await asyncio.sleep(0.15)
        assert len(device.of("DeviceInfo")) == 1


async def _kinds(world, wanted):
    return {row[0] for row in await world.rows("SELECT kind FROM signalling.said")} == wanted


async def test_q44_q51_unknown_messages_and_queries_from_below_are_acknowledged(world):
    await world.peer()
    server = await world.start(catalogue_on_register=False)
    device = Device(PLATFORM, server.port)
    async with device.on():
        await device.register("right and proper")
        for command in (b"SensorCatalog", b"DeviceStatus"):
            body = b"<Query><CmdType>%s</CmdType><SN>1</SN><DeviceID>%s</DeviceID></Query>" % (
                command,
                PLATFORM.encode(),
            )
            assert (await device.ask(device.message(body))).status == 200
