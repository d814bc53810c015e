"""Recordings and voice from end to end: a simulated platform, the signalling server, a media worker, a viewer."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy import text

from gongshi.access import service as access
from gongshi.access.actions import Action
from gongshi.access.follower import RightsFollower
from gongshi.access.subjects import Subject
from gongshi.config import SipSettings
from gongshi.db import Database
from gongshi.db.events import EventStream
from gongshi.kit import clock
from gongshi.kit.secretbox import SecretBox
from gongshi.media.agent import AgentSettings, MediaAgent
from gongshi.media.embedded import EmbeddedEngine, EmbeddedSettings
from gongshi.media.ports import ChannelRef, Relay, Transport
from gongshi.media.reasons import SessionFailed
from gongshi.media.sessions import Asked, MediaPorts, Opened, open_session
from gongshi.protocols.codes import Edition
from gongshi.signalling import service as signalling
from gongshi.signalling.calls_talk import Talks
from gongshi.signalling.policy import Policy
from gongshi.signalling.server import SignalServer
from gongshi.simulator import PlatformConfig, SimulatedPlatform, generate_channels
from gongshi.simulator.video.encoder import Format
from integration.access import helpers
from integration.media.relays import UPPERS, Upper, pictures
from integration.media.support import OPEN, get
from unit.media.test_voice import masked

NODE, PEER = "34150000002000000001", "34150200002000000001"
BOX = SecretBox(bytes(32))
SUBJECT = Subject("service", 5, "录像复核")
UPPER = Subject("upper", 6, "省级平台")
SECONDS = 20


class Devices:
    """`DeviceControl` on the server in this process, as the node's internal calls make it."""

    def __init__(self, server: SignalServer, talks: Talks) -> None:
        self._server = server
        self.talks = talks
        self.ended: list[str] = []

    async def invite(self, **order: Any) -> dict[str, Any]:
        return await self._server.invite(**order)

    async def control(self, *, stream_id: str, action: Any, value: float | None = None) -> dict[str, Any]:
        return await self._server.steer(stream_id, action, value)

    async def key_frame(self, *, channel_id: int) -> None:
        return None

    async def bye(self, *, stream_id: str) -> None:
        await self._server.bye(stream_id)

    async def talk_call(self, *, talk_id: str, channel_id: int) -> dict[str, Any]:
        return await self.talks.call(talk_id, channel_id)

    async def talk_answer(self, *, talk_id: str, address: str, port: int, ssrc: int) -> None:
        await self.talks.answer(talk_id, address, port, ssrc)

    async def talk_end(self, *, talk_id: str) -> None:
        await self.talks.end(talk_id)

    async def relay_ended(self, *, session_id: str, code: str, detail: Any) -> None:
        self.ended.append(code)


class Directory:
    def __init__(self) -> None:
        self.transport: Transport = "udp"

    async def channel_of(self, session: Any, camera_id: int) -> ChannelRef | None:
        found = await signalling.channel_for(session, camera_id)
        if found is None:
            return None
        return ChannelRef(found.channel_id, found.channel_code, found.peer_name, self.transport)


@dataclass
class Stack:
    database: Database
    agent: MediaAgent
    server: SignalServer
    platform: SimulatedPlatform
    rights: RightsFollower
    directory: Directory
    devices: Devices
    code: str

    async def play(self, seconds: float = SECONDS, action: Action = Action.PLAYBACK, **more: Any) -> Opened:
        start = clock.now().replace(microsecond=0) - timedelta(hours=3)
        asked = Asked(self.code, action, "复核", interval=(start, start + timedelta(seconds=seconds)), **more)
        subject = SUBJECT if asked.relay is None else UPPER
        return await open_session(self.database, MediaPorts(self.rights, self.agent), subject, asked)

    async def ended(self, opened: Opened, within: float = 10.0) -> str:
        async with asyncio.timeout(within):
            while True:
                async with self.database.read() as session:
                    row = (
                        await session.execute(
                            text("SELECT state, end_code FROM media.session WHERE id = :id"), {"id": opened.id}
                        )
                    ).one()
                if row.state not in {"opening", "open"}:
                    return row.end_code
                await asyncio.sleep(0.05)


@pytest.fixture(params=[Edition.E2016, Edition.E2022], ids=["2016", "2022"])
async def stack(
    database: Database, database_urls: tuple[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Stack]:
    units = await helpers.seed(database)
    channels = generate_channels(2, PEER)
    async with database.unit() as uow:
        await signalling.create_peer(
            uow, BOX, code=PEER, name="裕安区模拟平台", organisation="culture-tourism", password="right and proper"
        )
    (camera, *_) = await helpers.cameras(
        database,
        [{"organisation_id": units["culture-tourism"], "region_code": "341502", "sharing_class": "conditional"}],
    )
    server = SignalServer(
        SipSettings(host="127.0.0.1", port=0),
        NODE,
        database,
        database_urls[0],
        BOX,
        policy=Policy(write_every=0.02, housekeeping=0.05, bye_seconds=1.0, catalogue_on_register=False),
    )
    talks = Talks(server.ground, database)
    server.admit(talks)
    await server.start()
    platform = SimulatedPlatform(
        PlatformConfig(
            code=PEER,
            password="right and proper",
            host="127.0.0.1",
            port=server.port,
            channels=channels,
            server_code=NODE,
            keepalive=1.0,
            edition=request.param,
            voice=True,
            format=Format(640, 368, 15),
            cache=tmp_path / "clips",
        )
    )
    rights = RightsFollower(database.url, beat=0.2)
    await rights.start()
    async with database.unit() as uow:
        await uow.session.execute(
            text(
                "INSERT INTO signalling.channel (peer_id, code, kind, name, status, fields, camera_id) "
                "SELECT id, :code, 'device', :name, 'on', '{}', :camera FROM signalling.peer"
            ),
            {"code": channels[0].code, "name": channels[0].name, "camera": camera},
        )
        code = await uow.session.scalar(text("SELECT code FROM registry.camera WHERE id = :id"), {"id": camera})
        holders: list[tuple[Literal["service", "upper"], int]] = [("service", SUBJECT.id), ("upper", UPPER.id)]
        for kind, number in holders:
            await access.grant_right(
                uow,
                subject_kind=kind,
                subject_id=number,
                basis="grant",
                basis_id=number,
                actions=Action.LIVE | Action.PLAYBACK | Action.DOWNLOAD | Action.TALK,
                camera_ids=[camera],
                valid_from=clock.now() - timedelta(minutes=1),
                valid_to=clock.now() + timedelta(hours=1),
            )
    await rights.reached(1)
    devices, directory = Devices(server, talks), Directory()
    engine = EmbeddedEngine(
        EmbeddedSettings(
            run=tmp_path, host="127.0.0.1", rtp_first=44_000, rtp_last=44_099, first_packet=5.0, silence=2.0
        )
    )
    agent = MediaAgent(
        database=database,
        engine=engine,
        rights=rights,
        devices=devices,
        channels=directory,
        domain_code=NODE,
        settings=AgentSettings(linger=0.5, first_packet=5.0),
    )
    await agent.start()
    await platform.__aenter__()
    async with asyncio.timeout(5):
        while (peer := server.peers.get(PEER)) is None or not peer.online:
            await asyncio.sleep(0.02)
    hearing = asyncio.create_task(_hear(database_urls[0], agent))
    yield Stack(database, agent, server, platform, rights, directory, devices, str(code))
    hearing.cancel()
    await asyncio.gather(hearing, return_exceptions=True)
    while OPEN:
        OPEN.pop().writer.close()
    while UPPERS:
        await UPPERS.pop().stop()
    await agent.stop()
    await talks.stop()
    await platform.__aexit__(None, None, None)
    await rights.stop()
    await server.stop()


async def _hear(url: str, agent: MediaAgent) -> None:
    """As the media role does: what signalling tells of calls that ended."""
    stream = EventStream(url)
    await stream.connect()
    try:
        async for batch in stream.read():
            for event in batch:
                if event.name == "signalling.stream.ended":
                    await agent.device_ended(str(event.payload["stream_id"]), str(event.payload["reason"]))
    finally:
        await stream.close()


async def test_a_recording_plays_is_wound_and_ends(stack: Stack) -> None:
    opened = await stack.play()
    answer = await get(opened.answer["urls"]["flv"])
    assert (await answer.body(20_000))[:3] == b"FLV"
    session = str(opened.id)
    told = await stack.agent.control(session, "seek", 10.0)
    assert 9.5 <= told["position"] <= 10.5
    assert (await stack.agent.control(session, "pause"))["paused"]
    await asyncio.sleep(2.5)
    assert not answer.reader.at_eof(), "a pause is longer than the silence that would be a loss"
    assert not (await stack.agent.control(session, "resume"))["paused"]
    assert (await stack.agent.control(session, "scale", 4.0))["scale"] == 4.0
    await answer.ended(10)
    assert await stack.ended(opened) == "finished"
    async with asyncio.timeout(5):
        while stack.platform.streams or stack.server.calls:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("transport", ["tcp_passive", "tcp_active"])
async def test_a_recording_over_tcp(stack: Stack, transport: Transport) -> None:
    stack.directory.transport = transport
    opened = await stack.play()
    answer = await get(opened.answer["urls"]["flv"])
    assert (await answer.body(20_000))[:3] == b"FLV"
    await stack.agent.close(str(opened.id), "closed")
    assert await stack.ended(opened) == "closed"


async def test_a_download_goes_through_to_an_upper(stack: Stack) -> None:
    """Eight times as fast, with its size told, every payload as the device sent it."""
    upper = Upper("tcp_active")
    host, port = upper.listen()
    relay = Relay(host, port, 1_200_000_001, "tcp_active", "download", 8)
    opened = await stack.play(action=Action.DOWNLOAD, relay=relay, delivery="cascade")
    assert opened.answer["relay"]["filesize"] > 0
    upper.start(opened.answer["relay"]["port"])
    await stack.agent.release(str(opened.id))
    assert await stack.ended(opened, 15) == "finished"
    assert stack.devices.ended == ["finished"]
    seen = pictures(upper.packets)
    assert len(seen) > 100


async def speak(stack: Stack) -> tuple[Opened, Any]:
    """A browser with a microphone."""
    opened = await open_session(
        stack.database, MediaPorts(stack.rights, stack.agent), SUBJECT, Asked(stack.code, Action.TALK, "劝离危险水域")
    )
    url = str(opened.answer["url"])
    assert url.startswith("ws://127.0.0.1:")
    answer = await get(
        url,
        Upgrade="websocket",
        Connection="Upgrade",
        Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
        Sec_WebSocket_Version="13",
    )
    assert answer.status == 101
    return opened, answer


async def heard(stack: Stack, packets: int) -> None:
    async with asyncio.timeout(5):
        while not stack.platform.broadcasts.running or stack.platform.broadcasts.running[0].packets < packets:
            await asyncio.sleep(0.02)


async def test_a_voice_reaches_the_camera_and_ends_with_the_right(stack: Stack) -> None:
    opened, answer = await speak(stack)
    answer.writer.write(masked(bytes(8000)))
    await heard(stack, 40)
    speech = stack.platform.broadcasts.running[0]
    assert speech.octets == speech.packets * 160
    again = await get(str(opened.answer["url"]), Upgrade="websocket", Connection="Upgrade", Sec_WebSocket_Key="eA==")
    assert again.status == 409, "one speaker at a time"
    async with stack.database.unit() as uow:
        await access.end_rights(uow, basis="grant", basis_id=SUBJECT.id, code="revoked", reason="{}")
    assert await stack.ended(opened, 3) == "revoked"
    async with asyncio.timeout(3):
        while stack.platform.broadcasts.running or len(stack.devices.talks):
            await asyncio.sleep(0.02)
    assert (await answer.reader.read(200))[:1] == b"\x88"


async def test_a_speaker_who_leaves_ends_the_talk(stack: Stack) -> None:
    opened, answer = await speak(stack)
    await heard(stack, 5)
    answer.close()
    assert await stack.ended(opened, 10) == "closed"
    async with asyncio.timeout(3):
        while stack.platform.broadcasts.running:
            await asyncio.sleep(0.02)


async def test_a_device_without_a_voice_is_told(stack: Stack) -> None:
    stack.platform.config.voice = False
    with pytest.raises(SessionFailed) as failed:
        await speak(stack)
    assert failed.value.code == "no_voice"
    assert len(stack.devices.talks) == 0
