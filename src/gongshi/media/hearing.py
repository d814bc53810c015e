"""What the engine and the devices tell, and what follows for the sessions."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import structlog

from gongshi.db.engine import Database
from gongshi.kit.errors import Problem
from gongshi.kit.i18n import Text
from gongshi.media import books, reasons
from gongshi.media.books import Ending
from gongshi.media.carried import Carried, Spawn
from gongshi.media.engine import (
    EngineEvent,
    FirstFrame,
    NoReader,
    SessionClosed,
    SessionOpened,
    StreamClosed,
    StreamLost,
    StreamOnline,
    WorkerLost,
)
from gongshi.media.flow import Flow
from gongshi.media.flows import Flows
from gongshi.media.held import Held
from gongshi.media.reasons import ENGINE_REASONS, SessionFailed

log = structlog.get_logger(__name__)

FINISH_AFTER: Final = 1.0
"""How long viewers still get what is on its way, after the device said that a recording has ended."""


class Hearing:
    """`admit_again` tells the engine of a session that goes on in a new worker."""

    def __init__(
        self,
        database: Database,
        flows: Flows,
        carried: Carried,
        spawn: Spawn,
        admit_again: Callable[[Held], Awaitable[None]],
        *,
        reopen_within: float,
    ) -> None:
        self._database = database
        self._flows = flows
        self._carried = carried
        self._spawn = spawn
        self._admit_again = admit_again
        self._reopen_within = reopen_within

    async def listen(self, events: AsyncIterator[EngineEvent]) -> None:
        async for event in events:
            try:
                await self._heard(event)
            except Exception:
                log.exception("media.agent.event_failed", event_kind=type(event).__name__)

    async def _heard(self, event: EngineEvent) -> None:
        match event:
            case StreamOnline():
                self._flows.came_online(event)
            case FirstFrame():
                self._flows.first_frame(event)
            case StreamLost(stream=stream, reason=reason, detail=detail):
                failed = self._flows.lost(stream, reason, detail)
                if failed is not None:
                    self._spawn(self._lose(stream, reason, failed), f"lose-{stream}")
            case NoReader(stream=stream):
                flow = self._flows.get(stream)
                if flow is not None and not flow.sessions and flow.linger is None:
                    self._spawn(self._flows.close(flow), f"close-{stream}")
            case StreamClosed(stream=stream):
                flow = self._flows.get(stream)
                if flow is not None and flow.state == "live":
                    self._spawn(self._flows.close(flow, "stream_lost"), f"close-{stream}")
            case SessionOpened(session=session):
                held = self._carried.get(session)
                if held is not None and held.starting is None:
                    held.starting = self._spawn(books.started(self._database, held.id), f"started-{session}")
            case SessionClosed():
                self._session_closed(event)
            case WorkerLost(streams=streams):
                for stream in streams:
                    flow = self._flows.get(stream)
                    if flow is not None and flow.state == "live":
                        flow.state = "opening"
                    self._spawn(self._worker_lost(stream), f"reopen-{stream}")

    def _session_closed(self, event: SessionClosed) -> None:
        held = self._carried.get(event.session)
        if held is None:
            return
        held.figures = (event.octets, event.seconds)
        if held.ending is None:
            held.ending = Ending(ENGINE_REASONS.get(event.reason, event.reason))
            self._carried.tell(held)
        if held.admitted:
            self._spawn(self._carried.finish(held), f"finish-{event.session}")

    async def device_ended(self, stream: str, reason: str) -> None:
        """The device or its platform ended the call: viewers are told at once instead of after a silence."""
        talking = self._carried.talking(stream)
        if talking is not None:
            text = Text("设备挂断了对讲：可重新发起", "The device hung up; talk to it again")
            await self._carried.end(talking, Ending("stream_lost", text))
            return
        flow = self._flows.get(stream)
        if flow is None or flow.finished:
            # What it says after the end of a recording is its farewell.
            return
        if reason == "finished" and flow.recording is not None:
            # Who tells of it has other events to tell, the device's BYE for one.
            flow.finished = True
            self._spawn(self._finished(flow), f"finish-{stream}")
            return
        await self._lost_flow(flow, reasons.device_end(reason))

    async def _finished(self, flow: Flow) -> None:
        """A recording was sent to its end: no loss, and the last pictures may still be on their way."""
        flow.finished = True
        await asyncio.sleep(FINISH_AFTER)
        for held in self._carried.on(flow):
            await self._carried.end(held, Ending("finished"))
        await self._flows.close(flow, "finished")

    async def _lose(self, stream: str, reason: str, failed: SessionFailed) -> None:
        """The device's data broke off or cannot be shown: its sessions end, each with the reason."""
        flow = self._flows.get(stream)
        if flow is None or flow.finished:
            return
        if reason == "silent" and self._flows.over(flow):
            # Some devices only fall silent at the end.
            await self._finished(flow)
        elif reason == "silent":
            text = Text("设备视频中断：已有一段时间没有收到数据", "The device's video broke off: no data for a while")
            await self._lost_flow(flow, text)
        else:
            await self._lost_flow(flow, failed.detail)

    async def _lost_flow(self, flow: Flow, text: Text) -> None:
        for held in self._carried.on(flow):
            await self._carried.end(held, Ending("stream_lost", text))
        await self._flows.close(flow, "stream_lost")

    async def _worker_lost(self, stream: str) -> None:
        """A media worker died: open its flows again for those who are still entitled.

        A relay's address is gone with the worker, and a recording's place with it: those end, and may be opened anew.
        """
        text = Text("媒体进程中断，未能恢复", "The media worker was lost")
        talking = self._carried.talking(stream)
        if talking is not None:
            await self._carried.end(talking, Ending("stream_lost", text))
        flow = self._flows.get(stream)
        if flow is None:
            return
        for held in self._carried.on(flow):
            if held.relay is not None or flow.recording is not None:
                await self._carried.end(held, Ending("stream_lost", text))
        try:
            if flow.recording is not None or (not flow.sessions and flow.opening is None):
                await self._flows.close(flow, "worker_lost")
                return
            await self._flows.reopen(flow, self._reopen_within)
            for held in self._carried.on(flow):
                if held.ending is None and held.admitted:
                    await self._admit_again(held)
                    await books.resumed(self._database, held.id)
        except Problem as problem:
            log.warning("media.stream.not_reopened", stream=stream, code=problem.code)
            for held in self._carried.on(flow):
                await self._carried.end(held, Ending("stream_lost", text))
            await self._flows.close(flow, "worker_lost")
