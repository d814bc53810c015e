"""County, city and province, each a whole stack of its own: what one level does passes two hops (§13)."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from conftest import renamed
from gongshi.access.actions import Action
from gongshi.db.embedded import EmbeddedPostgres
from gongshi.db.engine import Database
from gongshi.kit import clock
from gongshi.kit.errors import Problem
from gongshi.simulator import PlatformConfig, SimulatedPlatform, generate_channels
from gongshi.simulator.video.encoder import Format
from integration.cascade.levels import PASSWORD, VIEWER, Level, running
from integration.media.support import OPEN, get
from integration.signalling.conftest import until

RECORDER = "34150200001180000001"
COUNTY, CITY, PROVINCE = "34150200002000000001", "34150000002000000001", "34000000002000000001"


@dataclass
class Cascade:
    county: Level
    city: Level
    province: Level
    recorder: SimulatedPlatform
    camera: str
    rights: dict[str, int]

    async def quiet(self) -> None:
        """Nothing runs on any level any more."""
        await until(lambda: not self.recorder.streams, 15)
        for level in (self.county, self.city, self.province):
            await until(lambda level=level: not level.server.calls and not len(level.party.invites.calls), 15)


@pytest.fixture
def addresses(postgres: EmbeddedPostgres, request: pytest.FixtureRequest):
    """Three databases of this test's own: (name, application address)."""
    admin = renamed(postgres.owner_url, "postgres")
    names = [f"cascade_{abs(hash(request.node.name)) % 100_000}_{n}" for n in range(3)]
    with psycopg.connect(admin, autocommit=True) as connection:
        for name in names:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE gongshi").format(sql.Identifier(name)))
    yield [renamed(postgres.url, name) for name in names]
    with psycopg.connect(admin, autocommit=True) as connection:
        for name in names:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(params=[("udp", "udp"), ("tcp", "tcp_passive")], ids=["udp", "tcp"])
async def cascade(
    addresses: list[str], tmp_path: Path, clips: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Cascade]:
    signals, media = request.param
    async with contextlib.AsyncExitStack() as stack:
        levels: list[Level] = []
        for number, (code, name) in enumerate(((COUNTY, "县"), (CITY, "市"), (PROVINCE, "省"))):
            database = Database(addresses[number], pool_size=6)
            stack.push_async_callback(database.close)
            run = tmp_path / str(number)
            run.mkdir()
            ports = (45_000 + 100 * number, 45_099 + 100 * number)
            level = Level(code, f"{name}公共视频平台", database, addresses[number], run, ports)
            levels.append(await stack.enter_async_context(running(level)))
        county, city, province = levels
        channels = generate_channels(2, RECORDER)
        camera = channels[0].code
        recorder = SimulatedPlatform(
            PlatformConfig(
                code=RECORDER,
                password=PASSWORD,
                host="127.0.0.1",
                port=county.server.port,
                channels=channels,
                server_code=COUNTY,
                keepalive=1.0,
                format=Format(640, 368, 15),
                cache=clips,
            )
        )
        for level, below in ((county, RECORDER), (city, COUNTY), (province, CITY)):
            await level.camera(camera, channels[0].name)
            await level.peer(below, media)
        await stack.enter_async_context(recorder)
        await until(lambda: county.channel(camera), 15)
        rights = {
            "city": await county.grant("upper", await county.under(city, signals), camera),
            "province": await city.grant("upper", await city.under(province, signals), camera),
            "viewer": await province.grant("service", VIEWER.id, camera),
        }
        await until(lambda: city.channel(camera), 20)
        await until(lambda: province.channel(camera), 20)
        yield Cascade(county, city, province, recorder, camera, rights)
        while OPEN:
            OPEN.pop().writer.close()


async def watch(opened):
    """A player at the province; returns once pictures flow."""
    answer = await get(opened.answer["urls"]["flv"])
    assert (await answer.body(30_000))[:3] == b"FLV"
    return answer


async def test_a_live_view_passes_two_hops_and_ends_on_every_level(cascade: Cascade):
    opened = await cascade.province.open(cascade.camera)
    await watch(opened)
    assert len(cascade.recorder.streams) == 1
    for level in (cascade.county, cascade.city):
        (session,) = await level.rows("SELECT subject_kind, subject_name, delivery, action, state FROM media.session")
        assert (session[0], session[2:]) == ("upper", ("cascade", "live", "open"))
    # The way over the levels is told in the answers (22 annex H).
    ((number,),) = await cascade.province.rows("SELECT id FROM signalling.peer")
    lines = await cascade.province.server.show_trace(number)
    assert any(f"X-RoutePath: {CITY}-{COUNTY}" in line["text"] for line in lines)
    # A second viewer of the same camera is served by what runs already (§10.4).
    await watch(await cascade.province.open(cascade.camera))
    assert len(cascade.recorder.streams) == 1
    for (session,) in await cascade.province.rows("SELECT id FROM media.session"):
        await cascade.province.agent.close(str(session), "closed")
    await cascade.quiet()
    for level in (cascade.county, cascade.city):
        await until(lambda level=level: level.rows("SELECT 1 FROM media.session WHERE end_code = 'closed'"), 10)


async def test_a_recording_is_wound_from_two_levels_above(cascade: Cascade):
    start = clock.now().replace(microsecond=0) - timedelta(hours=3)
    opened = await cascade.province.open(
        cascade.camera, Action.PLAYBACK, interval=(start, start + timedelta(seconds=60))
    )
    await watch(opened)
    told = await cascade.province.agent.control(str(opened.id), "seek", 30.0)
    assert 29.0 <= told["position"] <= 31.0
    assert (await cascade.province.agent.control(str(opened.id), "pause"))["paused"]
    assert (await cascade.province.agent.control(str(opened.id), "scale", 4.0))["scale"] == 4.0
    await cascade.province.agent.control(str(opened.id), "seek", 57.0)
    # It plays to its end, and the end is told from level to level.
    await until(lambda: cascade.province.rows("SELECT 1 FROM media.session WHERE end_code = 'finished'"), 20)
    await cascade.quiet()


async def test_recordings_are_found_two_levels_below(cascade: Cascade):
    now = clock.now()
    channel = await cascade.province.channel(cascade.camera)
    found = await cascade.province.server.handlers()["records"](
        channel_id=channel, start=(now - timedelta(hours=2)).isoformat(), end=now.isoformat()
    )
    assert found["items"]
    assert found["complete"] is True


async def test_a_camera_is_moved_from_two_levels_above(cascade: Cascade):
    channel = await cascade.province.channel(cascade.camera)
    order = cascade.province.server.handlers()["control"]
    camera = cascade.recorder.site.cameras[cascade.camera]
    before = camera.position
    told = await order(command="move", channel_id=channel, params={"pan": 1, "speed": 50})
    assert told["result"] == "sent"
    await until(lambda: camera.position.pan > before.pan, 10)
    await order(command="stop", channel_id=channel)
    await until(lambda: camera._speed == (0.0, 0.0, 0.0), 10)
    for level in (cascade.county, cascade.city):
        await until(
            lambda level=level: level.rows("SELECT 1 FROM audit.entry WHERE action = 'signalling.upper.controlled'")
        )
    # Without the right, on any level, it stays where it is.
    await cascade.county.revoke(cascade.rights["city"])
    await cascade.county.grant("upper", 1, cascade.camera, Action.SEE | Action.LIVE)
    await asyncio.sleep(0.3)
    still = camera.position
    await order(command="move", channel_id=channel, params={"pan": -1, "speed": 50})
    await asyncio.sleep(1.0)
    assert camera.position == still


async def test_a_revocation_in_the_middle_cuts_every_level_within_two_seconds(cascade: Cascade):
    """design.md §6: when a right ends, its sessions are cut within 2 s at every door, with the reason."""
    opened = await cascade.province.open(cascade.camera)
    answer = await watch(opened)
    begun = time.monotonic()
    await cascade.city.revoke(cascade.rights["province"])
    await answer.ended(4)
    took = time.monotonic() - begun
    assert took < 2.0, f"the picture went on for {took:.2f} s"
    await until(lambda: cascade.province.rows("SELECT 1 FROM media.session WHERE end_code = 'stream_lost'"))
    (ended,) = await cascade.city.rows("SELECT end_code FROM media.session")
    assert ended == ("revoked",)
    await cascade.quiet()
    with pytest.raises(Problem):
        await cascade.province.open(cascade.camera)
    # The province subscribed to the city's catalogue and was told that the camera is not shared any more.
    gone = "SELECT 1 FROM signalling.channel WHERE gone_at IS NOT NULL AND code = :c"
    await until(lambda: cascade.province.rows(gone, c=cascade.camera), 10)
