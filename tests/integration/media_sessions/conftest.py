"""A city with one granted camera, a real media worker, a media agent, and a device that sends real RTP."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

from gongshi.access import service as access
from gongshi.access.actions import Action
from gongshi.access.rights import RightsFollower
from gongshi.access.subjects import Subject
from gongshi.db import Database
from gongshi.kit import clock
from gongshi.kit.errors import Problem, Unavailable
from gongshi.kit.i18n import Text
from gongshi.media.agent import AgentSettings, MediaAgent
from gongshi.media.embedded import EmbeddedEngine, EmbeddedSettings
from gongshi.media.engine import Receiver
from gongshi.media.ports import ChannelRef
from gongshi.media.sessions import Asked, MediaPorts, open_session
from gongshi.signalling.models import Channel, Peer
from integration.access import helpers
from integration.media.relays import UPPERS
from integration.media.support import OPEN, Camera, get


@dataclass
class Devices:
    """The signal role as far as media sees it: an INVITE makes a camera send."""

    cameras: dict[str, tuple[Camera, asyncio.Task[None]]] = field(default_factory=dict)
    invited: list[dict[str, Any]] = field(default_factory=list)
    byes: list[str] = field(default_factory=list)
    problem: Problem | None = None
    silent: bool = False
    answer: dict[str, Any] = field(default_factory=dict)
    """More of what the device answers to an INVITE."""
    steered: list[tuple[str, float | None]] = field(default_factory=list)
    told: dict[str, float] = field(default_factory=dict)
    key_frames: list[int] = field(default_factory=list)
    ended: list[tuple[str, str, dict[str, str], float]] = field(default_factory=list)
    frames: Any = None
    """What the cameras send instead of the clip."""

    async def invite(self, *, stream_id, channel_id, address, port, ssrc, transport, kind="play", **more):
        self.invited.append(
            {"stream": stream_id, "channel": channel_id, "port": port, "ssrc": ssrc, "kind": kind, **more}
        )
        if self.problem is not None:
            raise self.problem
        if not self.silent:
            camera = Camera(Receiver(stream_id, address, port, transport), ssrc=ssrc, speed=4.0)
            self.cameras[stream_id] = (camera, asyncio.create_task(camera.run(self.frames and self.frames(ssrc))))
        return {"call_id": "call", "steps": [], **self.answer}

    async def control(self, *, stream_id, action, value=None):
        self.steered.append((action, value))
        if self.problem is not None:
            raise self.problem
        return self.told

    async def key_frame(self, *, channel_id):
        self.key_frames.append(channel_id)

    async def relay_ended(self, *, session_id, code, detail):
        self.ended.append((session_id, code, detail, time.monotonic()))

    async def talk_call(self, *, talk_id, channel_id):
        raise Unavailable(Text("没有喇叭", "no loudspeaker"), code="refused_488")

    async def talk_answer(self, *, talk_id, address, port, ssrc):
        raise Unavailable(Text("没有喇叭", "no loudspeaker"), code="refused_488")

    async def talk_end(self, *, talk_id):
        """Nothing was begun."""

    async def bye(self, *, stream_id):
        self.byes.append(stream_id)
        await self.stop(stream_id)

    async def stop(self, stream_id):
        camera, task = self.cameras.pop(stream_id, (None, None))
        if camera is not None and task is not None:
            camera.stop()
            await asyncio.gather(task, return_exceptions=True)

    async def stop_all(self):
        for stream_id in list(self.cameras):
            await self.stop(stream_id)


class Directory:
    """signalling's answer to "which channel shows this camera"."""

    async def channel_of(self, session, camera_id):
        row = (
            await session.execute(
                text("SELECT id, code FROM signalling.channel WHERE camera_id = :id LIMIT 1"), {"id": camera_id}
            )
        ).one_or_none()
        return None if row is None else ChannelRef(row[0], row[1], "34150000001180000001", "udp", True)


@dataclass
class World:
    """Everything a test needs, with short words for what happens."""

    database: Database
    engine: EmbeddedEngine
    agent: MediaAgent
    devices: Devices
    rights: RightsFollower
    units: dict[str, int]
    cameras: list[int]
    codes: list[str]
    account: int
    right: int
    reason: str = "防汛值守"

    @property
    def ports(self) -> MediaPorts:
        return MediaPorts(self.rights, self.agent)

    @property
    def subject(self) -> Subject:
        return Subject(
            "person",
            self.account,
            "值班员",
            self.units["emergency"],
            "市应急管理局",
            "341500",
            "city",
            frozenset({"viewer"}),
        )

    async def open(self, camera=0, subject=None, action=Action.LIVE, **more):
        asked = Asked(self.codes[camera], action, self.reason, address="10.0.0.7", **more)
        return await open_session(self.database, self.ports, subject or self.subject, asked)

    async def watch(self, opened):
        """A player on the FLV address; returns once it has got data."""
        answer = await get(opened.answer["urls"]["flv"])
        assert answer.status == 200
        assert (await answer.body(2000))[:3] == b"FLV"
        return answer

    async def grant(self, cameras, **terms):
        now = clock.now()
        values: dict[str, Any] = {
            "valid_from": now - timedelta(minutes=1),
            "valid_to": now + timedelta(hours=1),
            "actions": Action.LIVE,
            "limits": {
                "concurrency": 3,
                "grant_number": "G-2026-0001",
                "purpose": {"zh": "防汛值守", "en": "flood watch"},
            },
            **terms,
        }
        async with self.database.unit() as uow:
            return await access.grant_right(
                uow,
                subject_kind="organisation",
                subject_id=self.units["emergency"],
                basis="grant",
                basis_id=7,
                camera_ids=[self.cameras[number] for number in cameras],
                **values,
            )

    async def revoke(self, text="市公安局撤销：演练结束"):
        told = Text(f"授权 G-2026-0001 已于 10:32 被{text}", "Grant G-2026-0001 was revoked")
        async with self.database.unit() as uow:
            await access.end_rights(uow, basis="grant", basis_id=7, code="revoked", reason=told.packed())

    async def row(self, session_id):
        async with self.database.read() as session:
            query = text("SELECT * FROM media.session WHERE id = :id")
            return (await session.execute(query, {"id": session_id})).mappings().one()

    async def ended(self, session_id, within=3.0):
        async with asyncio.timeout(within):
            while (row := await self.row(session_id))["state"] in {"opening", "open"}:
                await asyncio.sleep(0.02)
        return row

    async def actions(self):
        async with self.database.read() as session:
            return list(
                await session.scalars(text("SELECT action FROM audit.entry WHERE action LIKE 'media.%' ORDER BY id"))
            )

    async def entry(self, action):
        async with self.database.read() as session:
            query = text("SELECT * FROM audit.entry WHERE action = :action ORDER BY id DESC LIMIT 1")
            return (await session.execute(query, {"action": action})).mappings().one()

    async def stream_state(self, stream_id):
        async with self.database.read() as session:
            return await session.scalar(text("SELECT state FROM media.stream WHERE id = :id"), {"id": stream_id})


@pytest.fixture(autouse=True)
async def _close_connections():
    yield
    while OPEN:
        writer = OPEN.pop().writer
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    while UPPERS:
        await UPPERS.pop().stop()


def make_engine(run):
    return EmbeddedEngine(
        EmbeddedSettings(
            run=run,
            host="127.0.0.1",
            rtp_first=43_000,
            rtp_last=43_199,
            first_packet=1.0,
            silence=1.5,
            no_reader=30.0,
            reconnect=0.5,
            reach=1.0,
        )
    )


@pytest.fixture
async def world(database, tmp_path):
    units = await helpers.seed(database)
    rows: list[dict[str, object]] = [
        {"organisation_id": units["culture-tourism"], "region_code": "341502", "sharing_class": sharing_class}
        for sharing_class in ("conditional", "conditional", "none")
    ]
    cameras = await helpers.cameras(database, rows)
    account = await helpers.account(database, "yingji-zhiban", "viewer", organisation="emergency")
    async with database.unit() as uow:
        codes = list(await uow.session.scalars(text("SELECT code FROM registry.camera ORDER BY id")))
        peer = Peer(code="34150000001180000001", name="旅游平台", organisation_id=units["culture-tourism"], secret=b"")
        uow.session.add(peer)
        await uow.session.flush()
        await uow.session.execute(
            insert(Channel),
            [
                {"peer_id": peer.id, "code": code, "kind": "device", "name": code, "status": "on", "camera_id": camera}
                for code, camera in zip(codes, cameras, strict=True)
                if camera != cameras[1] or True
            ],
        )
    rights = RightsFollower(database.url, beat=0.2)
    await rights.start()
    devices, engine = Devices(), make_engine(tmp_path)
    agent = MediaAgent(
        database=database,
        engine=engine,
        rights=rights,
        devices=devices,
        channels=Directory(),
        domain_code="34150000002000000001",
        settings=AgentSettings(linger=0.5, first_packet=1.0, reopen_within=5.0),
    )
    await agent.start()
    made = World(database, engine, agent, devices, rights, units, cameras, codes, account, 0)
    made.right = await made.grant([0])
    await rights.reached(1)
    yield made
    await agent.stop()
    await devices.stop_all()
    await rights.stop()
