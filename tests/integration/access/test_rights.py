"""Rights in a real database: given, ended, followed in memory, and denied when that is out of date."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, update
from sqlalchemy.engine import make_url

from gongshi.access import repository, rights, service
from gongshi.access.actions import Action
from gongshi.access.models import Right
from gongshi.access.rights import RightsFollower, RightsSnapshot, RightsUnavailable
from gongshi.access.subjects import Subject
from gongshi.db import Database
from gongshi.db.engine import plain_url
from gongshi.kit import clock
from gongshi.kit.errors import Invalid
from gongshi.registry.models import Camera
from integration.access.helpers import cameras, seed

LIVE = Action.LIVE


class City:
    """Five cameras of one unit, and someone of another unit who wants to see them."""

    def __init__(self, database: Database, units: dict[str, int], ids: list[int]) -> None:
        self.database = database
        self.units = units
        self.ids = ids
        unit = units["emergency"]
        self.viewer = Subject("person", 1, "值班员", unit, "市应急管理局", "341500", "city", frozenset({"viewer"}))

    async def grant(self, grant_id: int = 1, **terms: Any) -> int:
        now = clock.now()
        base: dict[str, Any] = {
            "subject_kind": "organisation",
            "subject_id": self.units["emergency"],
            "basis": "grant",
            "basis_id": grant_id,
            "actions": LIVE,
            "camera_ids": self.ids[:2],
            "valid_from": now - timedelta(hours=1),
            "valid_to": now + timedelta(hours=1),
        }
        async with self.database.unit() as uow:
            return await service.grant_right(uow, **(base | terms))

    async def end(self, grant_id: int = 1, **terms: Any) -> list[int]:
        async with self.database.unit() as uow:
            return list(
                await service.end_rights(
                    uow, basis="grant", basis_id=grant_id, code="revoked", reason="市公安局撤销", **terms
                )
            )

    async def epoch(self) -> int:
        async with self.database.read() as session:
            return await repository.epoch(session)

    async def decide(self, camera: int) -> str:
        async with self.database.read() as session:
            decision = await rights.decide_now(session, self.viewer, LIVE, camera, clock.now())
        return decision.basis or decision.code


@pytest.fixture
async def city(database: Database) -> City:
    units = await seed(database)
    row = {"organisation_id": units["culture-tourism"], "region_code": "341502", "sharing_class": "none"}
    return City(database, units, await cameras(database, [dict(row) for _ in range(5)]))


@pytest.fixture
async def follower(city: City, database_urls: tuple[str, str]) -> AsyncIterator[RightsFollower]:
    following = RightsFollower(database_urls[0], beat=0.2, patience=1.0)
    await following.start()
    yield following
    await following.stop()


def says(snapshot: RightsSnapshot, city: City, camera: int) -> bool:
    return snapshot.decide(city.viewer, LIVE, camera, clock.now()).allowed


async def test_a_grant_opens_until_it_ends_and_says_why(city: City) -> None:
    assert await city.decide(city.ids[0]) == "no_right"
    right_id = await city.grant()
    assert [await city.decide(camera) for camera in city.ids[:3]] == ["grant", "grant", "no_right"]

    assert await city.end() == [right_id]
    assert await city.decide(city.ids[0]) == "no_right"
    async with city.database.read() as session:
        state = await service.right_state(session, right_id)
        assert state is not None
        assert (state.end_code, state.end_reason) == ("revoked", "市公安局撤销")
        assert await service.right_state(session, 999) is None
    assert await city.end() == [], "what has ended cannot end again"


async def test_see_comes_with_every_action_and_nothing_else_does(city: City) -> None:
    right_id = await city.grant(actions=Action.LIVE)

    async with city.database.read() as session:
        mask = await session.scalar(select(Right.actions).where(Right.id == right_id))
    assert mask == Action.LIVE | Action.SEE


async def test_suspension_holds_and_resumes(city: City) -> None:
    await city.grant()
    async with city.database.unit() as uow:
        await service.suspend_rights(uow, basis="grant", basis_id=1)
    assert await city.decide(city.ids[0]) == "suspended"
    async with city.database.unit() as uow:
        await service.resume_rights(uow, basis="grant", basis_id=1)
    assert await city.decide(city.ids[0]) == "grant"


async def test_one_camera_of_a_grant_can_end_alone(city: City) -> None:
    first = await city.grant(camera_ids=[city.ids[0]])
    await city.grant(camera_ids=[city.ids[1]])

    assert await city.end(camera_ids=[city.ids[0]]) == [first]
    assert [await city.decide(camera) for camera in city.ids[:2]] == ["no_right", "grant"]


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"actions": Action(0)}, "empty"),
        ({"camera_ids": []}, "empty"),
        ({"valid_to": clock.now() - timedelta(days=1)}, "period"),
        ({"hours": {"from": "soon"}}, "hours"),
        ({"hours": {"days": []}}, "hours"),
        ({"scope": "region", "scope_value": "000000", "camera_ids": None}, "scope"),
        ({"scope": "region", "scope_value": "341500"}, "scope"),
        ({"scope": "organisation", "scope_value": "1e3", "camera_ids": None}, "scope"),
        ({"scope": "organisation", "scope_value": "99999999999", "camera_ids": None}, "scope"),
    ],
)
async def test_terms_that_make_no_sense_are_refused(city: City, terms: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as caught:
        await city.grant(**terms)
    assert [error.code for error in caught.value.errors] == [code]


async def test_a_period_without_zone_is_a_fault_of_the_program(city: City) -> None:
    with pytest.raises(ValueError, match="aware"):
        await city.grant(valid_from=clock.now().replace(tzinfo=None))


async def test_who_may_see_a_camera(city: City) -> None:
    listed = await city.grant()
    unit = await city.grant(
        2, scope="organisation", scope_value=str(city.units["culture-tourism"]), camera_ids=None, basis="duty"
    )
    area = await city.grant(3, scope="region", scope_value="341500", camera_ids=None, basis="duty")
    await city.grant(4, scope="region", scope_value="341522", camera_ids=None, basis="duty")

    async def over(camera: int) -> list[int]:
        async with city.database.read() as session:
            return [right.id for right in await repository.rights_over_camera(session, camera)]

    assert await over(city.ids[0]) == [listed, unit, area]
    assert await over(city.ids[4]) == [unit, area]
    assert await over(999) == []


async def test_the_follower_hears_of_every_change_at_once(city: City, follower: RightsFollower) -> None:
    heard: list[int] = []
    follower.on_change(lambda snapshot: heard.append(snapshot.epoch))
    epoch = follower.current().epoch

    for turn in range(1, 4):
        await city.grant(turn)
        began = time.monotonic()
        snapshot = await follower.reached(epoch + 2 * turn - 1)
        assert says(snapshot, city, city.ids[0])
        await city.end(turn)
        snapshot = await follower.reached(epoch + 2 * turn)
        assert not says(snapshot, city, city.ids[0])
        assert time.monotonic() - began < 2.0, "a right that ends must cut within 2 s"
    assert heard == sorted(heard)
    assert heard[-1] == epoch + 6
    assert 0 < follower.reload_seconds < 2.0


async def test_what_rolls_back_is_never_heard_of(city: City, follower: RightsFollower) -> None:
    epoch = follower.current().epoch

    async def give_up() -> None:
        async with city.database.unit() as uow:
            service.touch(uow)
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        await give_up()
    await city.grant()

    assert (await follower.reached(epoch + 1)).epoch == epoch + 1


async def test_a_moved_or_removed_camera_is_followed(city: City, follower: RightsFollower) -> None:
    await city.grant(scope="region", scope_value="341502", camera_ids=None, basis="duty")
    await city.grant(2, camera_ids=[city.ids[1]])
    epoch = (await follower.reached(await city.epoch())).epoch

    async with city.database.unit() as uow:
        await uow.session.execute(update(Camera).where(Camera.id == city.ids[0]).values(region_code="341522"))
        await uow.session.execute(update(Camera).where(Camera.id == city.ids[1]).values(status=3))
        service.touch(uow)
    snapshot = await follower.reached(epoch + 1)
    assert [says(snapshot, city, camera) for camera in city.ids[:3]] == [False, False, True]


async def ask_for_ever(follower: RightsFollower) -> None:
    async with asyncio.timeout(5):
        while follower.current():
            await asyncio.sleep(0.02)


async def test_a_broken_connection_is_noticed_and_mended(
    city: City, follower: RightsFollower, database_urls: tuple[str, str]
) -> None:
    await city.grant()
    await follower.reached(await city.epoch())
    # No new connections, and the follower's is cut: what it knows may be out of date from now on.
    owner = make_url(plain_url(database_urls[1]))
    name = owner.database
    elsewhere = owner.set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(elsewhere, autocommit=True) as server:
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        try:
            server.execute(b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            began = time.monotonic()
            with pytest.raises(RightsUnavailable):
                await ask_for_ever(follower)
            assert time.monotonic() - began < 1.5
        finally:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
    async with asyncio.timeout(10):
        while True:
            try:
                assert says(follower.current(), city, city.ids[0])
                break
            except RightsUnavailable:
                await asyncio.sleep(0.05)


async def test_rights_changed_during_a_break_are_read_after_it(city: City, database_urls: tuple[str, str]) -> None:
    await city.grant()
    following = RightsFollower(database_urls[0], beat=0.2)
    await following.start()
    assert says(following.current(), city, city.ids[0])
    await following.stop()
    with pytest.raises(RightsUnavailable):
        following.current()
    await city.end()
    await following.start()
    try:
        assert not says(await following.reached(await city.epoch()), city, city.ids[0])
    finally:
        await following.stop()


async def test_a_follower_without_database_denies(database_urls: tuple[str, str]) -> None:
    following = RightsFollower("postgresql://nobody@127.0.0.1:1/none", beat=0.1)
    await following.start(wait=0.1)
    try:
        with pytest.raises(RightsUnavailable):
            following.current()
    finally:
        await following.stop()


async def test_a_failing_callback_stops_nobody(city: City, follower: RightsFollower) -> None:
    heard: list[int] = []

    def broken(_: RightsSnapshot) -> None:
        raise RuntimeError("a listener's own fault")

    follower.on_change(broken)
    follower.on_change(lambda snapshot: heard.append(snapshot.epoch))
    epoch = follower.current().epoch
    await city.grant()
    await follower.reached(epoch + 1)
    await city.grant(2)
    await follower.reached(epoch + 2)
    assert heard == [epoch + 1, epoch + 2]


async def test_epochs_follow_the_order_of_commits(city: City) -> None:
    before = await city.epoch()
    await asyncio.gather(*(city.grant(number) for number in range(1, 6)))

    assert await city.epoch() == before + 5
