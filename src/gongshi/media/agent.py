"""The media agent: one per host, between rights, devices and the engine (design.md §6 and §7).

It joins or opens flows for sessions, renews their leases every five seconds while it can prove their rights, and
cuts them as soon as a right has ended. When it cannot prove a right it renews nothing, and the engine's workers close
the pictures by themselves within fifteen seconds.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.access.follower import RightsUnavailable
from gongshi.access.rights import load
from gongshi.access.snapshot import RightsSnapshot
from gongshi.db.engine import Database
from gongshi.kit import clock
from gongshi.kit.errors import Conflict, NotFound, Problem
from gongshi.kit.i18n import Text
from gongshi.media import books, reasons, repository
from gongshi.media.books import Ending
from gongshi.media.engine import (
    LEASE_SECONDS,
    EngineEvent,
    FirstFrame,
    MediaEngine,
    NoReader,
    SessionClosed,
    SessionOpened,
    StreamClosed,
    StreamLost,
    StreamOnline,
    WorkerLost,
)
from gongshi.media.entitlement import Standing, standing
from gongshi.media.flows import Flow, Flows
from gongshi.media.held import Held, Unwritten, overtaken, take_over, urls_out
from gongshi.media.ports import ChannelDirectory, DeviceControl
from gongshi.media.reasons import ENGINE_REASONS, SessionFailed
from gongshi.media.repository import Waiting

log = structlog.get_logger(__name__)

RENEW_EVERY = 5.0
TICK = 0.5
FIGURES_WITHIN = 2.0
"""How long the agent waits for the engine's figures before it closes the books without them."""


class FollowsRights(Protocol):
    """Rights in memory that call back, as `access.rights.RightsFollower`."""

    def current(self) -> RightsSnapshot: ...
    def on_change(self, callback: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class AgentSettings:
    linger: float = 15.0
    """Seconds a flow stays open without sessions, so that the next viewer gets it at once."""
    first_packet: float = 10.0
    reopen_within: float = 5.0


class MediaAgent:
    """`await start()`, then serve `handlers()` to the other roles; `await stop()` ends every session."""

    def __init__(
        self,
        *,
        database: Database,
        engine: MediaEngine,
        rights: FollowsRights,
        devices: DeviceControl,
        channels: ChannelDirectory,
        domain_code: str,
        settings: AgentSettings | None = None,
    ) -> None:
        self._database = database
        self._engine = engine
        self._rights = rights
        self._devices = devices
        self._channels = channels
        self._settings = settings or AgentSettings()
        self._flows = Flows(database, engine, devices, domain_code, first_packet=self._settings.first_packet)
        self._sessions: dict[UUID, Held] = {}
        self._unwritten: list[Unwritten] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._always: set[asyncio.Task[Any]] = set()
        self._events: AsyncIterator[EngineEvent] | None = None
        self._renewed = float("-inf")
        self._closing = False

    async def start(self) -> None:
        """Clear up what a former agent left, bring the engine up, begin to listen."""
        for stream_id in await books.left_behind(self._database):
            with contextlib.suppress(Problem):
                await self._devices.bye(stream_id=str(stream_id))
        self._events = self._engine.events()
        await self._engine.start()
        self._rights.on_change(self._rights_changed)
        self._always = {
            self._spawn(self._listen(self._events), "media-events"),
            self._spawn(self._watch(), "media-watch"),
        }

    async def stop(self) -> None:
        """The node stops: every session ends with a reason, every device hears BYE."""
        self._closing = True
        for held in list(self._sessions.values()):
            await self._end(held, Ending("control_lost", Text("服务停止", "the service stopped")))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIGURES_WITHIN):
                while self._sessions:  # noqa: ASYNC110 -- emptied by the engine's events, for two seconds at most
                    await asyncio.sleep(0.02)
        await self._flows.stop()
        if writing := self._tasks - self._always:
            # Ends that are just being written; only what stands all the time is cancelled.
            await asyncio.wait(writing, timeout=5.0)
        await self._engine.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for held in list(self._sessions.values()):
            await self._finish(held)
        waiting, self._unwritten = self._unwritten, []
        for end in waiting:
            await self._write(end)

    def handlers(self) -> Mapping[str, Any]:
        """What the internal socket serves (`media.ports.AgentPort`)."""
        return {
            "open": self.open,
            "close": self.close,
            "urls": self.urls,
            "stream": self.stream,
            "stats": self.stats,
        }

    def _spawn(self, work: Any, name: str) -> "asyncio.Task[Any]":
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("media.agent.task_failed", task=task.get_name(), exc_info=task.exception())

    # Opening

    async def open(self, session_id: str, host: str | None = None) -> dict[str, Any]:
        """Open what transaction 1 has written. SessionFailed when there is no picture, with steps and suspects."""
        waiting = await self._waiting(UUID(session_id))
        held = take_over(waiting)
        self._sessions[held.id] = held
        try:
            return await self._open(held, waiting, host)
        except BaseException as error:
            await self._give_up(held, error)
            raise

    async def _waiting(self, session_id: UUID) -> Waiting:
        async with self._database.read() as session:
            waiting = await repository.waiting(session, session_id)
        if waiting is None:
            raise NotFound
        if waiting.row.state != "opening" or session_id in self._sessions:
            raise Conflict(Text("此次调阅已经处理过", "This session was dealt with before"), code="wrong_state")
        return waiting

    async def _open(self, held: Held, waiting: Waiting, host: str | None) -> dict[str, Any]:
        await self._check(held)
        async with self._database.read() as session:
            channel = await self._channels.channel_of(session, held.camera_id)
        if channel is None:
            raise reasons.no_channel()
        held.flow = await self._flows.join(channel, held.camera_id, held.id)
        await self._check(held)
        lease = clock.now() + timedelta(seconds=LEASE_SECONDS)
        await self._engine.admit(str(held.id), held.flow.name, held.not_after, lease)
        held.admitted = True
        # A right that ended while the engine was asked is seen here; one that ends later is seen by `_judge`.
        await self._check(held)
        urls = self._engine.urls(str(held.id), held.flow.name, host)
        if held.ending is not None or not await books.opened(self._database, held.id, held.flow.id, held.not_after):
            raise overtaken(held)
        return {
            **urls_out(urls),
            "not_after": None if held.not_after is None else clock.local(held.not_after).isoformat(),
            "stream": {"id": held.flow.name, "steps": list(held.flow.steps)},
            "limits": {key: waiting.limits.get(key) for key in ("grant_number", "purpose")},
        }

    async def _check(self, held: Held) -> None:
        """Decide once more, here where the picture is let out; from the database when memory may be old."""
        if held.ending is not None:
            raise overtaken(held)
        try:
            snapshot = self._rights.current()
        except RightsUnavailable:
            snapshot = None
        now = clock.now()
        found = None if snapshot is None else self._standing(held, snapshot, now)
        if found is None or not found.holds:
            # A grant that was opened a moment ago may be newer than this memory.
            async with self._database.read() as session:
                fresh = await load(session, subject=held.subject, camera_ids=[held.camera_id])
            found = self._standing(held, fresh, now)
        if not found.holds:
            raise SessionFailed(reasons.end_text(found.code), code=found.code, which=("right",))
        held.not_after = found.not_after

    async def _give_up(self, held: Held, error: BaseException) -> None:
        if held.admitted:
            with contextlib.suppress(Problem):
                await self._engine.kick(str(held.id), "failed")
        if held.ending is not None:
            await self._finish(held)
            return
        self._sessions.pop(held.id, None)
        self._leave(held)
        if isinstance(error, SessionFailed):
            failed = error
        elif isinstance(error, Problem):
            failed = SessionFailed(error.detail, code=error.code, which=("engine",))
        else:
            failed = SessionFailed(reasons.end_text("failed"), code="failed", which=("engine",))
        try:
            await books.fail(self._database, held.id, failed)
        except SQLAlchemyError:
            self._unwritten.append(Unwritten(held.id, Ending("failed", failed.detail)))

    async def urls(self, session_id: str, host: str | None = None) -> dict[str, Any]:
        """Fresh addresses for a running session: a reload, or a worker that was replaced."""
        held = self._sessions.get(UUID(session_id))
        if held is None or held.flow is None or held.ending is not None or not held.admitted:
            raise Conflict(Text("此次调阅已经结束", "This session has ended"), code="session_ended")
        urls = self._engine.urls(str(held.id), held.flow.name, host)
        return {**urls_out(urls), "stream": {"id": held.flow.name, "steps": list(held.flow.steps)}}

    async def stream(self, stream_id: str) -> dict[str, Any] | None:
        """Steps and figures of a running stream."""
        flow = self._flows.get(stream_id)
        if flow is None:
            return None
        stats = await self._engine.stats()
        figures = next((row for row in stats.streams if row.stream == flow.name), None)
        return {
            "id": flow.name,
            "state": flow.state,
            "steps": list(flow.steps),
            "sessions": len(flow.sessions),
            "figures": None if figures is None else {name: getattr(figures, name) for name in figures.__slots__},
        }

    async def stats(self) -> dict[str, Any]:
        """Counts for the metrics page."""
        stats = await self._engine.stats()
        return {
            "sessions": len(self._sessions),
            "streams": len(self._flows.all()),
            "unwritten": len(self._unwritten),
            "workers": [{name: getattr(row, name) for name in row.__slots__} for row in stats.workers],
        }

    # Ending

    async def close(self, session_id: str, code: str) -> bool:
        """End a session for a reason that is not a right's end: `closed` by its viewer, for example."""
        held = self._sessions.get(UUID(session_id))
        if held is None:
            return False
        await self._end(held, Ending(code))
        return True

    async def _end(self, held: Held, ending: Ending) -> None:
        """Cut the picture first, then close the books with the engine's figures."""
        if held.ending is not None:
            return
        held.ending, held.ended_at = ending, time.monotonic()
        kicked = False
        if held.admitted:
            with contextlib.suppress(Problem):
                kicked = await self._engine.kick(str(held.id), ending.code)
        if not kicked:
            await self._finish(held)
        # Otherwise the engine tells the figures in a moment, and `_session_closed` closes the books with them.

    async def _finish(self, held: Held) -> None:
        """Close the books; what the database does not take now is offered again."""
        if self._sessions.pop(held.id, None) is None:
            return
        self._leave(held)
        ending = held.ending or Ending("control_lost")
        if held.starting is not None:
            # The log tells of the beginning before the end.
            await asyncio.wait([held.starting])
        await self._write(Unwritten(held.id, ending, held.figures))

    async def _write(self, end: Unwritten) -> None:
        try:
            octets, seconds = end.figures
            await books.end(self._database, end.session_id, end.ending, octets=octets, seconds=seconds)
        except (SQLAlchemyError, OSError) as error:
            log.warning("media.session.end_not_written", session=str(end.session_id), error=type(error).__name__)
            self._unwritten.append(end)

    def _leave(self, held: Held) -> None:
        """Take the session off its flow; the last one starts the linger."""
        flow = held.flow
        if flow is None:
            return
        flow.sessions.discard(held.id)
        if flow.sessions or self._closing or flow.linger is not None:
            return
        loop = asyncio.get_running_loop()
        flow.linger = loop.call_later(self._settings.linger, self._lingered, flow)

    def _lingered(self, flow: Flow) -> None:
        flow.linger = None
        if not flow.sessions:
            self._spawn(self._flows.close(flow), f"close-{flow.name}")

    # Watching over rights, leases and clocks

    def _rights_changed(self, snapshot: RightsSnapshot) -> None:
        """A right was given, changed or ended: cut at once what it no longer covers."""
        now = clock.now()
        for held in list(self._sessions.values()):
            self._judge(held, snapshot, now)

    def _standing(self, held: Held, snapshot: RightsSnapshot, now: datetime) -> Standing:
        return standing(snapshot, held.subject, held.action, held.camera_id, held.right_id, now)

    def _judge(self, held: Held, snapshot: RightsSnapshot, now: datetime) -> None:
        if held.ending is not None or not held.admitted:
            # One that is still opening is checked by its opener right before it is let in, and once more after.
            return
        found = self._standing(held, snapshot, now)
        if not found.holds:
            self._spawn(self._end(held, Ending(found.code)), f"end-{held.id}")
        elif found.not_after != held.not_after:
            held.not_after = found.not_after
            self._spawn(self._admit_again(held), f"admit-{held.id}")

    async def _admit_again(self, held: Held) -> None:
        """Tell the engine the new end of a running session."""
        if held.flow is None:
            return
        with contextlib.suppress(Problem):
            lease = clock.now() + timedelta(seconds=LEASE_SECONDS)
            await self._engine.admit(str(held.id), held.flow.name, held.not_after, lease)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            try:
                await self._turn()
            except Exception:
                log.exception("media.agent.turn_failed")

    async def _turn(self) -> None:
        now, ticks = clock.now(), time.monotonic()
        for held in list(self._sessions.values()):
            if held.ending is not None:
                if ticks - held.ended_at > FIGURES_WITHIN and held.admitted:
                    await self._finish(held)
            elif held.admitted and held.not_after is not None and now >= held.not_after:
                await self._end(held, Ending("period_over"))
        if ticks - self._renewed >= RENEW_EVERY:
            self._renewed = ticks
            await self._renew()
            waiting, self._unwritten = self._unwritten, []
            for end in waiting:
                await self._write(end)

    async def _renew(self) -> None:
        """Prolong the leases of everything whose right is proved now; without proof nothing is prolonged."""
        try:
            snapshot = self._rights.current()
            await self._people()
        except (RightsUnavailable, SQLAlchemyError, OSError) as error:
            if self._sessions:
                log.warning("media.agent.not_renewed", reason=type(error).__name__, sessions=len(self._sessions))
            return
        now = clock.now()
        for held in list(self._sessions.values()):
            self._judge(held, snapshot, now)
        going = [str(held.id) for held in self._sessions.values() if held.admitted and held.ending is None]
        if not going:
            return
        missing = set(await self._engine.renew(going, clock.now() + timedelta(seconds=LEASE_SECONDS)))
        for name in going:
            held = self._sessions.get(UUID(name))
            if held is None or held.ending is not None:
                continue
            # Once may be a worker that died a moment ago and is being replaced; nothing leaves the engine meanwhile.
            lost, held.missed = held.missed and name in missing, name in missing
            if lost and held.flow is not None and held.flow.state == "live":
                await self._end(held, Ending("control_lost"))

    async def _people(self) -> None:
        """Whose login has ended, or whose roles have changed, since they opened."""
        logins = {held.subject.login_id: held for held in self._sessions.values() if held.subject.login_id is not None}
        if not logins:
            return
        async with self._database.read() as session:
            present = await repository.people_now(session, list(logins), clock.now())
        for held in list(self._sessions.values()):
            login = held.subject.login_id
            if login is None or login not in logins or held.ending is not None:
                continue
            found = present.get(login)
            if found is None:
                await self._end(held, Ending("logged_out"))
            else:
                held.subject = replace(held.subject, organisation_id=found[0], roles=found[1])

    # What the engine tells

    async def _listen(self, events: AsyncIterator[EngineEvent]) -> None:
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
                held = self._sessions.get(UUID(session))
                if held is not None and held.starting is None:
                    held.starting = self._spawn(books.started(self._database, held.id), f"started-{session}")
            case SessionClosed():
                await self._session_closed(event)
            case WorkerLost(streams=streams):
                for stream in streams:
                    flow = self._flows.get(stream)
                    if flow is not None and flow.state == "live":
                        flow.state = "opening"
                    self._spawn(self._worker_lost(stream), f"reopen-{stream}")

    async def _session_closed(self, event: SessionClosed) -> None:
        held = self._sessions.get(UUID(event.session))
        if held is None:
            return
        held.figures = (event.octets, event.seconds)
        if held.ending is None:
            held.ending = Ending(ENGINE_REASONS.get(event.reason, event.reason))
        if held.admitted:
            self._spawn(self._finish(held), f"finish-{event.session}")

    async def device_ended(self, stream: str, reason: str) -> None:
        """The device or its platform ended the call: viewers are told at once instead of after a silence."""
        flow = self._flows.get(stream)
        if flow is None:
            return
        text = reasons.device_end(reason)
        for held in [held for held in self._sessions.values() if held.flow is flow]:
            await self._end(held, Ending("stream_lost", text))
        await self._flows.close(flow, "stream_lost")

    async def _lose(self, stream: str, reason: str, failed: SessionFailed) -> None:
        """The device's data broke off or cannot be shown: its sessions end, each with the reason."""
        flow = self._flows.get(stream)
        if flow is None:
            return
        if reason == "silent":
            text = Text("设备视频中断：已有一段时间没有收到数据", "The device's video broke off: no data for a while")
        else:
            text = failed.detail
        for held in [held for held in self._sessions.values() if held.flow is flow]:
            await self._end(held, Ending("stream_lost", text))
        await self._flows.close(flow, "stream_lost")

    async def _worker_lost(self, stream: str) -> None:
        """A media worker died: open its flows again for those who are still entitled."""
        flow = self._flows.get(stream)
        if flow is None:
            return
        try:
            if not flow.sessions and flow.opening is None:
                await self._flows.close(flow, "worker_lost")
                return
            await self._flows.reopen(flow, self._settings.reopen_within)
            for held in [held for held in self._sessions.values() if held.flow is flow and held.ending is None]:
                if held.admitted:
                    await self._admit_again(held)
                    await books.resumed(self._database, held.id)
        except Problem as problem:
            log.warning("media.stream.not_reopened", stream=stream, code=problem.code)
            for held in [held for held in self._sessions.values() if held.flow is flow]:
                await self._end(
                    held, Ending("stream_lost", Text("媒体进程中断，未能恢复", "The media worker was lost"))
                )
            await self._flows.close(flow, "worker_lost")
