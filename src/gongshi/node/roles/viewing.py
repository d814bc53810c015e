"""The signal role's way to pictures: what an upper asks for is opened by media's only opener (design.md §6)."""

import contextlib
from collections.abc import Collection, Mapping
from typing import Any, cast

from gongshi.access.subjects import Subject
from gongshi.db.engine import Database
from gongshi.kit.errors import Problem
from gongshi.media import repository
from gongshi.media.ports import AgentPort, Relay, Steering
from gongshi.media.sessions import Asked, MediaPorts, Rights, open_session
from gongshi.signalling.uppers.ports import Granted, Wish

_REASON = "上级平台调阅 Viewed by an upper platform"


class MediaViewing:
    """`signalling.uppers.ports.Viewing`, answered by media."""

    def __init__(self, database: Database, rights: Rights, agent: AgentPort) -> None:
        self._database = database
        self._ports = MediaPorts(rights, agent)
        self._agent = agent

    async def open(self, subject: Subject, wish: Wish) -> Granted:
        to = wish.relay
        asked = Asked(
            camera_code=wish.camera_code,
            action=wish.action,
            reason=_REASON,
            delivery="cascade",
            address=wish.address,
            interval=wish.interval,
            relay=Relay(to.host, to.port, to.ssrc, to.transport, to.kind, to.speed),
        )
        opened = await open_session(self._database, self._ports, subject, asked)
        relay = cast("Mapping[str, Any]", opened.answer["relay"])
        return Granted(
            str(opened.id),
            str(relay["address"]),
            int(relay["port"]),
            int(relay["ssrc"]),
            relay.get("filesize"),
            relay.get("path"),
        )

    async def release(self, session_id: str) -> None:
        await self._agent.release(session_id)

    async def close(self, session_id: str, code: str) -> None:
        # A media role that is not there ends the session by its lease.
        with contextlib.suppress(Problem):
            await self._agent.close(session_id, code)

    async def control(self, session_id: str, action: str, value: float | None) -> Mapping[str, Any]:
        return await self._agent.control(session_id, cast("Steering", action), value)

    async def running(self, session_ids: Collection[str]) -> set[str]:
        async with self._database.read() as session:
            return {str(found) for found in await repository.left_open(session)} & set(session_ids)
