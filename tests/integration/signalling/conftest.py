"""A signalling server on free ports with a real database, and peers that may register with it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gongshi.config import SipSettings
from gongshi.db.engine import Database
from gongshi.kit.secretbox import SecretBox
from gongshi.registry.seed import seed_city
from gongshi.signalling import service
from gongshi.signalling.policy import Policy
from gongshi.signalling.server import SignalServer
from gongshi.simulator import PlatformConfig, generate_channels
from gongshi.simulator.video.encoder import Format
from integration.signalling.processes import processes

__all__ = ("processes",)

NODE = "34150000002000000001"
PLATFORM = "34150200002000000001"
PASSWORD = "right and proper"
BOX = SecretBox(bytes(32))

QUICK = Policy(
    write_every=0.02,
    keepalive_write_every=0.2,
    housekeeping=0.05,
    catalogue_first=3.0,
    catalogue_gap=0.4,
    catalogue_settle=0.3,
    catalogue_fresh=0.0,
    catalogue_confirm=0.05,
    catalogue_retry=(30.0,),
    invite_seconds=3.0,
    bye_seconds=1.0,
    dialog_sweep=0.3,
    refusals_every=30.0,
    query_seconds=2.0,
    records_first=2.0,
    records_gap=0.4,
    alarms_every=0.02,
    # Only what a test asks for goes to its device.
    interview=False,
    subscribe=(),
)


@dataclass
class World:
    """A database with a city and a way to start servers on it."""

    database: Database
    url: str
    policy: Policy = QUICK
    servers: list[SignalServer] = field(default_factory=list)

    async def start(self, port: int = 0, **options: Any) -> SignalServer:
        changes = {name: options.pop(name) for name in list(options) if hasattr(self.policy, name)}
        server = SignalServer(
            SipSettings(host="127.0.0.1", port=port),
            NODE,
            self.database,
            self.url,
            BOX,
            policy=replace(self.policy, **changes),
            **options,
        )
        await server.start()
        self.servers.append(server)
        return server

    async def stop(self, server: SignalServer) -> None:
        self.servers.remove(server)
        await server.stop()

    async def peer(self, code: str = PLATFORM, **options: Any) -> int:
        async with self.database.unit() as uow:
            peer, _ = await service.create_peer(
                uow,
                BOX,
                code=code,
                name=options.pop("name", "裕安区模拟平台"),
                organisation=options.pop("organisation", "culture-tourism"),
                password=options.pop("password", PASSWORD),
                **options,
            )
        return peer.id

    async def rows(self, query: str, **values: Any) -> list[Any]:
        async with self.database.read() as session:
            return [tuple(row) for row in await session.execute(text(query), values)]

    async def execute(self, query: str, **values: Any) -> None:
        async with self.database.unit() as uow:
            await uow.session.execute(text(query), values)


@pytest.fixture
async def world(database: Database, database_urls: tuple[str, str]) -> AsyncIterator[World]:
    async with database.unit() as uow:
        await seed_city(uow)
    made = World(database, database_urls[0])
    yield made
    for server in list(made.servers):
        await made.stop(server)


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait until a condition (plain or awaitable) holds; its value."""
    async with asyncio.timeout(seconds):
        while True:
            value = condition()
            if isinstance(value, Awaitable):
                value = await value
            if value:
                return value
            await asyncio.sleep(0.02)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture
def config(clips: Path) -> Callable[..., PlatformConfig]:
    """Makes the settings of a simulated platform for a server."""

    def make(server: SignalServer, channels: int = 8, **options: Any) -> PlatformConfig:
        return PlatformConfig(
            code=options.pop("code", PLATFORM),
            password=options.pop("password", PASSWORD),
            host="127.0.0.1",
            port=server.port,
            channels=options.pop("channel_list", None) or generate_channels(channels, PLATFORM),
            server_code=NODE,
            keepalive=options.pop("keepalive", 0.2),
            retry=(0.05, 0.2),
            format=Format(640, 368, 15),
            cache=clips,
            **options,
        )

    return make
