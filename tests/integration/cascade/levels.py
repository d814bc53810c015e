"""One level of a cascade with everything that a node has between its sockets: signalling, uppers, media agent, worker."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from sqlalchemy import text

from gongshi.access import service as access
from gongshi.access.actions import Action
from gongshi.access.follower import RightsFollower
from gongshi.access.subjects import Subject
from gongshi.config import SipSettings
from gongshi.db.engine import Database
from gongshi.db.events import EventStream
from gongshi.kit import clock
from gongshi.kit.secretbox import SecretBox
from gongshi.media.agent import AgentSettings, MediaAgent
from gongshi.media.embedded import EmbeddedEngine, EmbeddedSettings
from gongshi.media.ports import ChannelRef, DeviceControl
from gongshi.media.sessions import Asked, MediaPorts, Opened, open_session
from gongshi.node.roles.media import TRANSPORTS
from gongshi.node.roles.viewing import MediaViewing
from gongshi.registry.models import Camera
from gongshi.registry.seed import seed_city
from gongshi.signalling import service as signalling
from gongshi.signalling.policy import Policy
from gongshi.signalling.server import SignalServer
from gongshi.signalling.uppers import service as uppers
from gongshi.signalling.uppers.client import Pace
from gongshi.signalling.uppers.party import UpperPolicy, Uppers

BOX = SecretBox(bytes(32))
PASSWORD = "from level to level"
VIEWER = Subject("service", 5, "值班席")
EVERYTHING = Action.SEE | Action.LIVE | Action.PLAYBACK | Action.DOWNLOAD | Action.PTZ


class Directory:
    """`ChannelDirectory` as the media role has it."""

    async def channel_of(self, session: Any, camera_id: int) -> ChannelRef | None:
        found = await signalling.channel_for(session, camera_id)
        if found is None:
            return None
        transport = TRANSPORTS.get(found.transport, "udp")
        return ChannelRef(found.channel_id, found.channel_code, found.peer_name, transport, True)


class Devices:
    """`DeviceControl` within this process, as the node's internal calls make it."""

    def __init__(self, server: SignalServer, party: Uppers) -> None:
        self._server = server
        self._party = party

    async def invite(self, **order: Any) -> Mapping[str, Any]:
        return await self._server.invite(**order)

    async def control(self, *, stream_id: str, action: Any, value: float | None = None) -> Mapping[str, Any]:
        return await self._server.steer(stream_id, action, value)

    async def key_frame(self, *, channel_id: int) -> None:
        await self._server.handlers()["control"](command="key_frame", channel_id=channel_id)

    async def bye(self, *, stream_id: str) -> None:
        await self._server.bye(stream_id)

    async def relay_ended(self, *, session_id: str, code: str, detail: Mapping[str, str]) -> None:
        await self._party.relay_ended(session_id, code, detail)


@dataclass(eq=False)
class Level:
    """A platform of the cascade. Parts exist between `begin` and `stop`."""

    code: str
    name: str
    database: Database
    url: str
    run: Path
    ports: tuple[int, int]
    server: Any = None
    party: Any = None
    agent: Any = None
    rights: Any = None
    cameras: dict[str, int] = field(default_factory=dict)

    async def begin(self, **habits: Any) -> "Level":
        async with self.database.unit() as uow:
            await seed_city(uow)
        self.rights = RightsFollower(self.url, beat=0.2)
        await self.rights.start()
        policy = Policy(write_every=0.02, housekeeping=0.05, bye_seconds=2.0, catalogue_settle=0.3, **habits)
        self.server = SignalServer(
            SipSettings(host="127.0.0.1", port=0), self.code, self.database, self.url, BOX, policy=policy
        )
        engine = EmbeddedEngine(
            EmbeddedSettings(
                run=self.run,
                host="127.0.0.1",
                rtp_first=self.ports[0],
                rtp_last=self.ports[1],
                first_packet=8.0,
                silence=4.0,
            )
        )
        # The agent and the uppers know each other by their ports only.
        viewing: Any = _Later()
        self.party = Uppers(
            self.server.ground,
            self.database,
            self.url,
            BOX,
            name=self.name,
            rights=self.rights,
            viewing=viewing,
            policy=UpperPolicy(pace=Pace(jitter=0.05), settle=0.05),
        )
        self.agent = MediaAgent(
            database=self.database,
            engine=engine,
            rights=self.rights,
            devices=cast("DeviceControl", Devices(self.server, self.party)),
            channels=Directory(),
            domain_code=self.code,
            settings=AgentSettings(linger=0.3, first_packet=8.0),
        )
        viewing.now = MediaViewing(self.database, self.rights, self.agent)
        self.server.admit(self.party)
        await self.server.start()
        await self.agent.start()
        await self.party.start()
        self._hearing = asyncio.create_task(self._hear())
        return self

    async def stop(self) -> None:
        self._hearing.cancel()
        await asyncio.gather(self._hearing, return_exceptions=True)
        await self.agent.stop()
        await self.party.stop()
        await self.server.stop()
        await self.rights.stop()

    async def _hear(self) -> None:
        """As the media role does: what signalling tells of calls that ended."""
        stream = EventStream(self.url)
        await stream.connect()
        try:
            async with contextlib.aclosing(stream.read()) as batches:
                async for batch in batches:
                    for event in batch:
                        if event.name == "signalling.stream.ended":
                            await self.agent.device_ended(str(event.payload["stream_id"]), str(event.payload["reason"]))
        finally:
            await stream.close()

    # --- words for tests ---------------------------------------------------------------------------------------------

    async def peer(self, code: str, transport: str = "udp") -> None:
        """Somebody below may register."""
        async with self.database.unit() as uow:
            await signalling.create_peer(
                uow,
                BOX,
                code=code,
                name=f"下级 {code[:6]}",
                organisation="culture-tourism",
                password=PASSWORD,
                media_transport=transport,
                keepalive_interval=5,
            )

    async def under(self, upper: "Level", transport: str = "udp", **options: Any) -> int:
        """Register with a level above; its number here."""
        async with self.database.unit() as uow:
            made = await uppers.create_upper(
                uow,
                BOX,
                organisation="police",
                password=PASSWORD,
                code=upper.code,
                name=upper.name,
                host="127.0.0.1",
                port=upper.server.port,
                transport=transport,
                own_code=self.code,
                **options,
            )
        return made.id

    async def camera(self, code: str, name: str) -> None:
        """A camera of the registry."""
        async with self.database.unit() as uow:
            units = await seed_city(uow)
            row = Camera(
                code=code,
                name=name,
                organisation_id=units["culture-tourism"].id,
                region_code="341502",
                sharing_class="none",
                functions=[],
                location_types=[],
                departments=[],
                measures=[],
            )
            uow.session.add(row)
            await uow.session.flush()
            self.cameras[code] = row.id

    async def grant(self, kind: Any, number: int, code: str, actions: Action = EVERYTHING) -> int:
        async with self.database.unit() as uow:
            return await access.grant_right(
                uow,
                subject_kind=kind,
                subject_id=number,
                basis="duty",
                basis_id=None,
                actions=actions,
                camera_ids=[self.cameras[code]],
                valid_from=clock.now(),
                valid_to=None,
            )

    async def revoke(self, right: int) -> None:
        async with self.database.unit() as uow:
            await access.end_rights_by_id(uow, [right], code="revoked", reason="联调结束")

    async def open(self, code: str, action: Action = Action.LIVE, **more: Any) -> Opened:
        asked = Asked(code, action, "联调", **more)
        return await open_session(self.database, MediaPorts(self.rights, self.agent), VIEWER, asked)

    async def rows(self, query: str, **values: Any) -> list[Any]:
        async with self.database.read() as session:
            return [tuple(row) for row in await session.execute(text(query), values)]

    async def execute(self, query: str, **values: Any) -> None:
        async with self.database.unit() as uow:
            await uow.session.execute(text(query), values)

    async def channel(self, code: str, status: str = "on") -> int | None:
        """The number of a linked channel, once the catalogue has brought it in this state."""
        rows = await self.rows(
            "SELECT id FROM signalling.channel WHERE code = :c AND camera_id IS NOT NULL AND status = :s",
            c=code,
            s=status,
        )
        return rows[0][0] if rows else None


class _Later:
    """A port whose other side is made after it."""

    now: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.now, name)


@contextlib.asynccontextmanager
async def running(level: Level, **habits: Any) -> AsyncGenerator[Level]:
    await level.begin(**habits)
    try:
        yield level
    finally:
        await level.stop()
