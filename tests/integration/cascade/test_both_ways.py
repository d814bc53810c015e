"""Two platforms that cascade to each other (wvp#999): each is the other's upper and lower, and nothing runs in circles."""

import contextlib
from pathlib import Path

import pytest

from gongshi.db.engine import Database
from gongshi.kit.errors import Problem
from gongshi.simulator import PlatformConfig, SimulatedPlatform, generate_channels
from gongshi.simulator.video.encoder import Format
from integration.cascade.levels import PASSWORD, VIEWER, Level, running
from integration.media.support import OPEN, get
from integration.signalling.conftest import until

WEST, EAST, RECORDER = "34150200002000000001", "34150300002000000001", "34150200001180000001"


async def test_each_serves_the_other_and_no_camera_is_shown_back(database_urls, second_urls, tmp_path: Path):
    """The west's camera is the east's to see, as a channel of its peer; the east does not offer it to the west again."""
    async with contextlib.AsyncExitStack() as stack:
        levels = []
        for number, (code, url) in enumerate(((WEST, database_urls[0]), (EAST, second_urls))):
            database = Database(url, pool_size=6)
            stack.push_async_callback(database.close)
            (tmp_path / str(number)).mkdir()
            level = Level(
                code, code, database, url, tmp_path / str(number), (45_400 + 100 * number, 45_499 + 100 * number)
            )
            levels.append(await stack.enter_async_context(running(level)))
        west, east = levels
        channels = generate_channels(1, RECORDER)
        camera = channels[0].code
        config = PlatformConfig(
            code=RECORDER,
            password=PASSWORD,
            host="127.0.0.1",
            port=west.server.port,
            channels=channels,
            server_code=WEST,
            format=Format(640, 368, 15),
            cache=tmp_path / "clips",
        )
        await west.peer(RECORDER)
        for level, other in ((west, east), (east, west)):
            await level.camera(camera, channels[0].name)
            await level.peer(other.code)
        await stack.enter_async_context(SimulatedPlatform(config))
        await until(lambda: west.channel(camera), 15)
        await west.grant("upper", await west.under(east), camera)
        await until(lambda: east.channel(camera), 15)
        # The east shares everything that it sees with the west, its own camera included.
        await east.grant("upper", await east.under(west), camera)
        await east.grant("service", VIEWER.id, camera)
        ((number,),) = await west.rows("SELECT id FROM signalling.peer WHERE code = :c", c=EAST)
        await until(lambda: west.server.peers.get(EAST).online, 15)
        await west.server.query_catalogue(number)
        await until(
            lambda: west.rows(
                "SELECT 1 FROM signalling.catalogue_run WHERE peer_id = :p AND state = 'complete'", p=number
            ),
            15,
        )
        shown = await west.rows("SELECT code FROM signalling.channel WHERE peer_id = :p AND kind = 'device'", p=number)
        assert shown == []
        opened = await east.open(camera)
        answer = await get(opened.answer["urls"]["flv"])
        assert (await answer.body(20_000))[:3] == b"FLV"
        while OPEN:
            OPEN.pop().writer.close()
        await east.agent.close(str(opened.id), "closed")
        await until(lambda: not west.server.calls and not east.server.calls, 15)
        # The recorder goes: what is left is refused, and does not run round.
        await west.execute("UPDATE signalling.channel SET gone_at = now() WHERE code = :c", c=camera)
        await west.execute("DELETE FROM signalling.channel WHERE code = :c", c=camera)
        with pytest.raises(Problem):
            await east.open(camera)


@pytest.fixture
def second_urls(postgres, request):
    import psycopg
    from psycopg import sql

    from conftest import renamed

    name = f"both_ways_{abs(hash(request.node.name)) % 100_000}"
    admin = renamed(postgres.owner_url, "postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE gongshi").format(sql.Identifier(name)))
    yield renamed(postgres.url, name)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
