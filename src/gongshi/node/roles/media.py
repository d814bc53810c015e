"""The media role: the media agent and its workers."""

import asyncio
import contextlib
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.follower import RightsFollower
from gongshi.audit.service import use_algorithm
from gongshi.db.events import EventStream
from gongshi.media.agent import AgentSettings, MediaAgent
from gongshi.media.embedded.engine import EmbeddedEngine, EmbeddedSettings
from gongshi.media.embedded.token import TokenSigner
from gongshi.media.ports import ChannelRef, RemoteDevices, Transport
from gongshi.node.roles.parts import STOP_WITHIN, answering, log, stop_event
from gongshi.node.runtime import Runtime
from gongshi.signalling import service as signalling

TRANSPORTS: Final[dict[str, Transport]] = {
    "udp": "udp",
    "tcp_passive": "tcp_passive",
    "tcp_active": "tcp_active",
}
_EVERYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104 -- compared with, not bound to


async def run(runtime: Runtime) -> None:
    """Hold streams and sessions until SIGINT or SIGTERM."""
    use_algorithm(runtime.settings.audit.algorithm)
    stop = stop_event(STOP_WITHIN)
    database = runtime.database()
    rights = RightsFollower(runtime.database_url)
    signal = runtime.client("signal")
    media = runtime.settings.media
    agent = MediaAgent(
        database=database,
        engine=EmbeddedEngine(engine_settings(runtime), TokenSigner(runtime.secrets.media)),
        rights=rights,
        devices=RemoteDevices(signal),
        channels=_Channels(),
        domain_code=runtime.settings.node.code,
        settings=AgentSettings(linger=media.linger_seconds, first_packet=media.first_packet_seconds),
    )
    try:
        await rights.start()
        await agent.start()
        async with answering(runtime, "media", agent.handlers()):
            listening = asyncio.create_task(_hear(runtime.database_url, agent), name="device-ends")
            try:
                await stop.wait()
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
    finally:
        await agent.stop()
        await rights.stop()
        await signal.close()
        await database.close()


async def _hear(database_url: str, agent: MediaAgent) -> None:
    """Tell the agent when signalling says that a device ended a call."""
    while True:
        stream = EventStream(database_url)
        try:
            await stream.connect()
            async with contextlib.aclosing(stream.read()) as batches:
                async for batch in batches:
                    for event in batch:
                        if event.name == "signalling.stream.ended":
                            await agent.device_ended(str(event.payload["stream_id"]), str(event.payload.get("reason")))
        except psycopg.Error as error:
            # Meanwhile the engine notices by the silence of the stream.
            log.warning("events.lost", error=type(error).__name__)
            await asyncio.sleep(1)
        finally:
            await stream.close()


def engine_settings(runtime: Runtime) -> EmbeddedSettings:
    """Where the workers listen, and how browsers and cameras reach them."""
    settings = runtime.settings
    media, web = settings.media, settings.web
    first, last = settings.rtp_range()
    reached_at = media.advertise or ("127.0.0.1" if web.host in _EVERYWHERE else web.host)
    own = tuple(f"http://{name}:{web.port}" for name in ("127.0.0.1", "localhost"))
    return EmbeddedSettings(
        run=Path(runtime.sockets),
        workers=media.workers,
        host=media.host,
        address=media.advertise,
        # Behind the proxy nobody but the proxy needs to reach the workers.
        http_host="127.0.0.1" if media.same_origin else media.host,
        http_port=media.http_port,
        viewer_base="/media/{worker}" if media.same_origin else "http://{host}:{port}",
        viewer_host=reached_at,
        rtp_first=first,
        rtp_last=last,
        origins=() if media.same_origin else (*own, *web.origins),
        first_packet=media.first_packet_seconds,
        no_reader=media.linger_seconds,
    )


class _Channels:
    """`media.ports.ChannelDirectory`, answered by signalling."""

    async def channel_of(self, session: AsyncSession, camera_id: int) -> ChannelRef | None:
        found = await signalling.channel_for(session, camera_id)
        if found is None:
            return None
        return ChannelRef(
            id=found.channel_id,
            code=found.channel_code,
            peer_code=found.peer_name,
            transport=TRANSPORTS.get(found.transport, "udp"),
            online=found.peer_online and found.channel_online,
        )
