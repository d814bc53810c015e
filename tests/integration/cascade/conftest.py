"""A signalling server with uppers on a real database; the media room is a stand-in that records what it was asked."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text

from gongshi.access import service as access
from gongshi.access.actions import Action
from gongshi.access.follower import RightsFollower
from gongshi.access.subjects import Subject
from gongshi.config import SipSettings
from gongshi.db.engine import Database
from gongshi.kit import clock
from gongshi.kit.errors import NotFound, Problem
from gongshi.kit.secretbox import SecretBox
from gongshi.protocols.manscdp import Element
from gongshi.registry.models import Camera, Organisation
from gongshi.registry.seed import seed_city
from gongshi.signalling.policy import Policy
from gongshi.signalling.server import SignalServer
from gongshi.signalling.uppers import service
from gongshi.signalling.uppers.client import Pace
from gongshi.signalling.uppers.party import UpperPolicy, Uppers
from gongshi.signalling.uppers.ports import Errand, Granted, Reply, Wish
from integration.cascade.scripted import UPPER, ScriptedUpper

NODE = "34150000002000000001"
CHANNEL = "34150200001310000555"
PEER = "34150200002000000009"
NAME = "六安市公共视频共享平台"
BOX = SecretBox(bytes(32))
PASSWORD = "as the province gave it"

QUICK = Policy(
    write_every=0.02, housekeeping=0.05, catalogue_on_register=False, interview=False, subscribe=(), bye_seconds=1.0
)
PACE = UpperPolicy(pace=Pace(answer=2.0, goodbye=0.3, jitter=0.02, scale=0.005), settle=0.05, period=30.0)


@dataclass
class StandIn:
    """The media room as the uppers' port sees it: a real node has `media.sessions` here."""

    asked: list[Wish] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    closed: list[tuple[str, str]] = field(default_factory=list)
    steered: list[tuple[str, str, float | None]] = field(default_factory=list)
    problem: Problem | None = None
    hold: asyncio.Event | None = None
    live: set[str] = field(default_factory=set)
    path: str | None = None
    filesize: int | None = None

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)

    async def open(self, subject: Subject, wish: Wish) -> Granted:
        assert subject.kind == "upper"
        self.asked.append(wish)
        if self.hold is not None:
            await self.hold.wait()
        if self.problem is not None:
            raise self.problem
        session = f"01a202bc-cb8b-7dab-b08e-{next(self._numbers):012d}"
        self.live.add(session)
        return Granted(session, "127.0.0.1", 40_000, wish.relay.ssrc, self.filesize, self.path)

    async def release(self, session_id: str) -> None:
        self.released.append(session_id)

    async def close(self, session_id: str, code: str) -> None:
        self.live.discard(session_id)
        self.closed.append((session_id, code))

    async def control(self, session_id: str, action: str, value: float | None) -> Mapping[str, Any]:
        self.steered.append((session_id, action, value))
        return {"position": value if action == "seek" else 12.0}

    async def running(self, session_ids: Collection[str]) -> set[str]:
        return set(session_ids) & self.live


@dataclass
class Devices:
    """What lies below, as the errands' port sees it."""

    errands: list[Errand] = field(default_factory=list)
    answers: list[list[Element]] = field(default_factory=list)
    problem: Problem | None = None

    async def forward(self, errand: Errand) -> Reply:
        self.errands.append(errand)
        if self.problem is not None:
            raise self.problem
        return Reply(CHANNEL, self.answers)


@dataclass
class World:
    """A database with a city, a server with uppers on it, and what a test does to them."""

    database: Database
    url: str
    viewing: StandIn = field(default_factory=StandIn)
    devices: Devices = field(default_factory=Devices)
    cameras: dict[str, int] = field(default_factory=dict)
    server: Any = None
    uppers: Any = None
    rights: Any = None

    async def start(self, policy: UpperPolicy = PACE, **options: Any) -> Uppers:
        self.rights = RightsFollower(self.url, beat=0.1)
        await self.rights.start()
        self.server = SignalServer(
            SipSettings(host="127.0.0.1", port=0), NODE, self.database, self.url, BOX, policy=QUICK, **options
        )
        self.uppers = Uppers(
            self.server.ground,
            self.database,
            self.url,
            BOX,
            name=NAME,
            rights=self.rights,
            viewing=self.viewing,
            below=self.devices,
            policy=policy,
        )
        self.server.admit(self.uppers)
        await self.server.start()
        await self.uppers.start()
        return self.uppers

    async def stop(self) -> None:
        if self.uppers is not None and self.server is not None and self.rights is not None:
            await self.uppers.stop()
            await self.server.stop()
            await self.rights.stop()
        self.uppers = self.server = self.rights = None

    async def add(self, upper: ScriptedUpper, **options: Any) -> int:
        """An upper of ours that is `upper`; its id."""
        values: dict[str, Any] = {
            "code": upper.code,
            "name": "省公共视频共享平台",
            "host": upper.host,
            "port": upper.port,
            "transport": "udp",
            "own_code": NODE,
        }
        async with self.database.unit() as uow:
            made = await service.create_upper(
                uow, BOX, organisation="police", password=options.pop("password", PASSWORD), **(values | options)
            )
        return made.id

    async def share(self, upper: int, actions: Action, *codes: str, **options: Any) -> int:
        """A right of an upper over cameras, or over a scope."""
        async with self.database.unit() as uow:
            return await access.grant_right(
                uow,
                subject_kind="upper",
                subject_id=upper,
                basis="duty",
                basis_id=None,
                actions=actions,
                camera_ids=[self.cameras[code] for code in codes] if codes else None,
                valid_from=clock.now(),
                valid_to=None,
                **options,
            )

    async def unshare(self, right: int) -> None:
        async with self.database.unit() as uow:
            await access.end_rights_by_id(uow, [right], code="revoked", reason="收回")

    async def rows(self, query: str, **values: Any) -> list[Any]:
        async with self.database.read() as session:
            return [tuple(row) for row in await session.execute(text(query), values)]

    async def execute(self, query: str, **values: Any) -> None:
        async with self.database.unit() as uow:
            await uow.session.execute(text(query), values)

    async def entries(self, action: str) -> list[Any]:
        return await self.rows("SELECT detail FROM audit.entry WHERE action = :a ORDER BY id", a=action)


def code(number: int, county: str = "341502") -> str:
    return f"{county}00001310{number:06d}"


async def plant(world: World) -> None:
    """Four cameras of two units in two counties; the first three have channels of one platform, two of them on."""
    async with world.database.unit() as uow:
        units = await seed_city(uow)
        rows = [
            (code(1), "人民路东口", "culture-tourism", "341502"),
            (code(2), "人民路西口", "culture-tourism", "341502"),
            (code(3, "341503"), "鼓楼街<南>&口", "culture-tourism", "341503"),
            (code(4), "没有通道的点位", "police", "341502"),
        ]
        for value, name, unit, region in rows:
            organisation: Organisation = units[unit]
            camera = Camera(
                code=value,
                name=name,
                organisation_id=organisation.id,
                region_code=region,
                longitude=116.5,
                latitude=31.75,
                camera_type=1,
                sharing_class="none",
                functions=[],
                location_types=[],
                departments=[],
                measures=[],
            )
            uow.session.add(camera)
            await uow.session.flush()
            world.cameras[value] = camera.id
        peer = units["culture-tourism"].id
    await world.execute(
        "INSERT INTO signalling.peer (code, name, organisation_id, secret, media_transport, keepalive_interval, "
        "keepalive_misses, enabled) VALUES (:c, '文旅平台', :o, :s, 'udp', 60, 3, true)",
        c=PEER,
        o=peer,
        s=BOX.seal("unused", f"peer:{PEER}"),
    )
    await world.execute(
        "INSERT INTO signalling.binding (peer_id, state, transport, remote_host, remote_port, registered_at, expires_at, "
        "instance) SELECT id, 'online', 'UDP', '127.0.0.1', 9, now(), now() + interval '1 day', 'x' FROM signalling.peer"
    )
    for number, status in ((code(1), "on"), (code(2), "off"), (code(3, "341503"), "on")):
        await world.execute(
            "INSERT INTO signalling.channel (peer_id, code, kind, name, status, fields, camera_id, ptz_type) "
            "SELECT id, :c, 'device', '通道', :s, '{}', :m, 1 FROM signalling.peer",
            c=number,
            s=status,
            m=world.cameras[number],
        )


@pytest.fixture
async def world(database: Database, database_urls: tuple[str, str]) -> AsyncIterator[World]:
    made = World(database, database_urls[0])
    await plant(made)
    yield made
    await made.stop()


@pytest.fixture
async def upper() -> AsyncIterator[ScriptedUpper]:
    async with ScriptedUpper().on() as running:
        yield running


@asynccontextmanager
async def registered(world: World, upper: ScriptedUpper, **options: Any) -> AsyncGenerator[int]:
    """The node is registered with the upper; the upper's number."""
    number = await world.add(upper, **options)
    await world.start()
    await asyncio.wait_for(upper.bound.wait(), 10)
    yield number


__all__ = ["NODE", "UPPER", "NotFound", "World", "code", "registered"]
