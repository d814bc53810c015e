"""Subscriptions of uppers: the first report, changes, refresh, expiry, 481 (GB/T 28181 §9.11; gb28181.md §14)."""

import asyncio
from datetime import UTC, datetime

import pytest

from gongshi.access.actions import Action
from gongshi.db.events import emit
from gongshi.protocols.manscdp import Alarm, CatalogChange, MobilePosition, Position, leaf, parse
from gongshi.protocols.sip import MANSCDP
from gongshi.signalling.models import Alarm as AlarmRow
from integration.cascade.conftest import NODE, code, registered
from integration.signalling.conftest import until

EAST, WEST, TOWER, BARE = code(1), code(2), code(3, "341503"), code(4)


async def told(upper, seconds=8):
    """The next notification: (header fields, changes by code)."""
    request = await asyncio.wait_for(upper.notifies.get(), seconds)
    if not request.body:
        return request, {}
    change = CatalogChange.parse(parse(request.body))
    return request, {item.device_id: item.event for item in change.items}


async def test_a_subscriber_is_told_what_is_off_and_then_what_changes(world, upper):
    async with registered(world, upper) as number:
        right = await world.share(number, Action.SEE, EAST, WEST)
        response, dialog = await upper.subscribe("Catalog", NODE)
        assert (response.status, response.headers.get("Expires")) == (200, "600")
        assert response.contact is not None
        assert dialog.remote_tag
        first, changes = await told(upper)
        assert changes == {WEST: "OFF"}
        assert first.headers.get("Event") == "Catalog;id=7"
        assert (first.headers.get("Subscription-State") or "").startswith("active;expires=")
        assert first.cseq.number == 1
        assert first.call_id == dialog.call_id
        # A right more, a channel on, a channel off, a record changed, a right less: each is told, and nothing else.
        more = await world.share(number, Action.SEE, TOWER)
        second, changes = await told(upper)
        assert (changes, second.cseq.number) == ({TOWER: "ADD"}, 2)
        added = CatalogChange.parse(parse(second.body)).items[0]
        assert (added.name, added.online) == ("鼓楼街<南>&口", True)
        await world.execute("UPDATE signalling.channel SET status = 'on' WHERE code = :c", c=WEST)
        await world.execute("UPDATE signalling.channel SET status = 'off' WHERE code = :c", c=EAST)
        world.uppers.subscriptions.changed()
        assert (await told(upper))[1] == {WEST: "ON", EAST: "OFF"}
        await world.execute("UPDATE registry.camera SET name = '新名', version = version + 1 WHERE code = :c", c=WEST)
        world.uppers.subscriptions.changed()
        last, changes = await told(upper)
        assert changes == {WEST: "UPDATE"}
        assert CatalogChange.parse(parse(last.body)).items[0].name == "新名"
        await world.unshare(more)
        assert (await told(upper))[1] == {TOWER: "DEL"}
        # The next query agrees with what was told (§13.2).
        items, _ = await upper.catalogue(NODE)
        assert [item.device_id for item in items[1:]] == [EAST, WEST]
        await world.unshare(right)
        assert (await told(upper))[1] == {EAST: "DEL", WEST: "DEL"}


async def test_an_upper_that_sees_nothing_is_told_that_its_subscription_stands(world, upper):
    async with registered(world, upper):
        await upper.subscribe("Catalog", NODE)
        request, changes = await told(upper)
        assert (changes, request.body) == ({}, b"")


async def test_a_scope_is_kept_to(world, upper):
    async with registered(world, upper, tree="region") as number:
        await world.share(number, Action.SEE, EAST, WEST)
        await upper.subscribe("Catalog", "341503")
        await told(upper)
        await world.share(number, Action.SEE, TOWER, BARE)
        assert (await told(upper))[1] == {TOWER: "ADD"}


async def test_many_changes_go_in_portions(world, upper):
    async with registered(world, upper, transport="tcp") as number:
        async with world.database.unit() as uow:
            from sqlalchemy import insert

            from gongshi.registry.models import Camera

            rows = [
                {
                    "code": code(1_000 + n),
                    "name": f"点位 {n}",
                    "organisation_id": 1,
                    "region_code": "341502",
                    "functions": [],
                    "location_types": [],
                    "departments": [],
                    "measures": [],
                }
                for n in range(250)
            ]
            await uow.session.execute(insert(Camera), rows)
        await upper.subscribe("Catalog", NODE)
        await told(upper)
        await world.share(number, Action.SEE, scope="region", scope_value="341502")
        found: dict[str, str | None] = {}
        sizes = []
        while len(found) < 253:
            _, changes = await told(upper)
            sizes.append(len(changes))
            found |= changes
        assert sizes == [100, 100, 53]
        assert set(found.values()) == {"ADD"}


async def test_refresh_expiry_and_end(world, upper):
    async with registered(world, upper):
        _, dialog = await upper.subscribe("Catalog", NODE, expires=600)
        await told(upper)
        refresh = dialog.request("SUBSCRIBE", headers=(("Event", "Catalog;id=7"), ("Expires", "900")))
        response = await upper.request(refresh)
        assert (response.status, response.headers.get("Expires"), response.to.tag) == (200, "900", dialog.remote_tag)
        rows = await until(
            lambda: world.rows(
                "SELECT 1 FROM signalling.upper_subscription WHERE expires_at > now() + interval '800 s'"
            )
        )
        assert rows
        end = dialog.request("SUBSCRIBE", headers=(("Event", "Catalog;id=7"), ("Expires", "0")))
        assert (await upper.request(end)).status == 200
        request, _ = await told(upper)
        assert (request.headers.get("Subscription-State") or "").startswith("terminated")
        assert len(world.uppers.subscriptions) == 0
        await until(lambda: _empty(world))
        assert (await upper.request(dialog.request("SUBSCRIBE", headers=(("Expires", "600"),)))).status == 481


async def _empty(world):
    return not await world.rows("SELECT 1 FROM signalling.upper_subscription")


async def test_one_that_is_not_refreshed_ends(world, upper):
    async with registered(world, upper):
        await upper.subscribe("Catalog", NODE, expires=1)
        await told(upper)
        await asyncio.sleep(1.1)
        world.uppers.subscriptions.changed()
        request, _ = await told(upper)
        assert request.headers.get("Subscription-State") == "terminated;reason=timeout"


async def test_an_upper_that_does_not_know_it_any_more_ends_it(world, upper):
    async with registered(world, upper) as number:
        await upper.subscribe("Catalog", NODE)
        await told(upper)
        upper.notify_status = 481
        await world.share(number, Action.SEE, EAST)
        await told(upper)
        await until(lambda: len(world.uppers.subscriptions) == 0)


@pytest.mark.parametrize(("command", "status"), [("PTZPosition", 489), ("Nonsense", 489)])
async def test_what_is_not_offered_is_489(world, upper, command, status):
    async with registered(world, upper):
        body = b"<Query><CmdType>%s</CmdType><SN>1</SN><DeviceID>1</DeviceID></Query>" % command.encode()
        request = upper.compose("SUBSCRIBE", NODE, body=body, content_type=MANSCDP)
        assert (await upper.request(request)).status == status


async def test_alarms_reach_those_who_asked_and_may_see_the_camera(world, upper):
    moment = datetime(2026, 11, 22, 4, tzinfo=UTC)

    def alarm(**values):
        return Alarm("x", 1, values.pop("priority", 2), values.pop("method", 5), moment, "移动侦测", type=2, **values)

    async with registered(world, upper) as number:
        await world.share(number, Action.SEE, EAST)
        await upper.subscribe("Alarm", NODE, [leaf("StartAlarmPriority", 1), leaf("EndAlarmPriority", 3)])
        await told(upper)
        subscriptions = world.uppers.subscriptions
        await subscriptions.alarm(world.cameras[BARE], alarm())
        await subscriptions.alarm(world.cameras[EAST], alarm(priority=4))
        await subscriptions.alarm(world.cameras[EAST], alarm())
        request = await asyncio.wait_for(upper.notifies.get(), 5)
        said = Alarm.parse(parse(request.body))
        assert (said.device_id, said.priority, said.kind, said.time) == (EAST, 2, "motion", moment)
        await asyncio.sleep(0.1)
        assert upper.notifies.empty()


async def test_positions_come_as_often_as_was_asked(world, upper):
    async with registered(world, upper) as number:
        await world.share(number, Action.SEE, EAST)
        await upper.subscribe("MobilePosition", NODE, [leaf("Interval", 60)])
        await told(upper)
        place = Position("x", datetime(2026, 11, 22, 4, tzinfo=UTC), 116.5, 31.75, 12.0, 90.0)
        for _ in range(3):
            await world.uppers.subscriptions.position(world.cameras[EAST], MobilePosition("x", 1, (place,)))
        request = await asyncio.wait_for(upper.notifies.get(), 5)
        said = MobilePosition.parse(parse(request.body))
        assert said.positions[0].longitude == 116.5
        assert upper.notifies.empty()


async def test_what_devices_reported_reaches_uppers(world, upper):
    """From the tables that our own peers' reports are kept in: uppers are told nothing that we do not keep."""
    async with registered(world, upper) as number:
        await world.share(number, Action.SEE, EAST)
        await upper.subscribe("Alarm", NODE)
        await told(upper)
        await upper.subscribe("MobilePosition", NODE, [leaf("Interval", 1)])
        await told(upper)
        async with world.database.unit() as uow:
            row = AlarmRow(
                peer_id=1,
                code=EAST,
                camera_id=world.cameras[EAST],
                priority=1,
                method=6,
                type=1,
                kind="disk_fault",
                alarm_at=datetime(2026, 11, 22, 4, tzinfo=UTC),
            )
            uow.session.add(row)
            await uow.session.flush()
            await emit(uow, "signalling.alarm.raised", id=row.id, code=EAST, camera_id=row.camera_id)
        request = await asyncio.wait_for(upper.notifies.get(), 8)
        said = Alarm.parse(parse(request.body))
        assert (said.device_id, said.kind, said.priority) == (EAST, "disk_fault", 1)
        # The first look learns where everything is; after it changes are told, whatever the device's clock says.
        await asyncio.sleep(1.2)
        await world.execute(
            "INSERT INTO signalling.position (peer_id, code, longitude, latitude, at) VALUES (1, :c, 116.6, 31.8, "
            "now() - interval '5 minutes')",
            c=EAST,
        )
        request = await asyncio.wait_for(upper.notifies.get(), 8)
        assert MobilePosition.parse(parse(request.body)).positions[0].latitude == 31.8
