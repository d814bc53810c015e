"""The media agent: one per host, between rights, devices and the engine (design.md §6 and §7).

It joins or opens flows for sessions, renews their leases every five seconds while it can prove their rights, and
cuts them as soon as a right has ended. When it cannot prove a right it renews nothing, and the engine's workers close
the pictures by themselves within fifteen seconds.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.access.actions import Action
from gongshi.access.follower import RightsUnavailable
from gongshi.access.rights import load
from gongshi.access.snapshot import RightsSnapshot
from gongshi.db.engine import Database
from gongshi.kit import clock
from gongshi.kit.errors import Conflict, NotFound, Problem
from gongshi.kit.i18n import Text
from gongshi.media import books, reasons, repository
from gongshi.media.books import Ending
from gongshi.media.carried import FIGURES_WITHIN, Carried
from gongshi.media.engine import LEASE_SECONDS, EngineEvent, MediaEngine, SessionEnded
from gongshi.media.entitlement import Standing, standing
from gongshi.media.flow import Flow
from gongshi.media.flows import Flows
from gongshi.media.hearing import Hearing
from gongshi.media.held import Held, overtaken, take_over, urls_out
from gongshi.media.ports import ChannelDirectory, ChannelRef, DeviceControl, Relay, Steering
from gongshi.media.reasons import SessionFailed
from gongshi.media.repository import Waiting
from gongshi.media.talks import Talks

log = structlog.get_logger(__name__)

RENEW_EVERY = 5.0
TICK = 0.5


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
        self._tasks: set[asyncio.Task[Any]] = set()
        self._always: set[asyncio.Task[Any]] = set()
        self._talks = Talks(engine, devices, self._flows)
        self._carried = Carried(
            database, engine, self._flows, devices, self._talks, self._spawn, linger=self._settings.linger
        )
        self._hearing = Hearing(
            database,
            self._flows,
            self._carried,
            self._spawn,
            self._admit_again,
            reopen_within=self._settings.reopen_within,
        )
        self._events: AsyncIterator[EngineEvent] | None = None
        self._renewed = float("-inf")

    async def start(self) -> None:
        """Clear up what a former agent left, bring the engine up, begin to listen."""
        for stream_id in await books.left_behind(self._database):
            with contextlib.suppress(Problem):
                await self._devices.bye(stream_id=str(stream_id))
        self._events = self._engine.events()
        await self._engine.start()
        self._rights.on_change(self._rights_changed)
        self._always = {
            self._spawn(self._hearing.listen(self._events), "media-events"),
            self._spawn(self._watch(), "media-watch"),
        }

    async def stop(self) -> None:
        """The node stops: every session ends with a reason, every device hears BYE."""
        self._carried.closing = True
        for held in self._carried:
            await self._carried.end(held, Ending("control_lost", Text("服务停止", "the service stopped")))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIGURES_WITHIN):
                while len(self._carried):  # noqa: ASYNC110 -- emptied by the engine's events, for two seconds at most
                    await asyncio.sleep(0.02)
        await self._flows.stop()
        if writing := self._tasks - self._always:
            # Ends that are just being written; only what stands all the time is cancelled.
            await asyncio.wait(writing, timeout=5.0)
        await self._engine.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for held in self._carried:
            await self._carried.finish(held)
        await self._carried.write_again()

    def handlers(self) -> Mapping[str, Any]:
        """What the internal socket serves (`media.ports.AgentPort`)."""
        return {
            "open": self.open,
            "release": self.release,
            "control": self.control,
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

    async def open(
        self, session_id: str, host: str | None = None, relay: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Open what transaction 1 has written. SessionFailed when there is no picture, with steps and suspects."""
        waiting = await self._waiting(UUID(session_id))
        held = take_over(waiting, None if relay is None else Relay.unpacked(relay))
        self._carried.put(held)
        try:
            answer = await self._open(held, waiting, host)
        except BaseException as error:
            await self._carried.give_up(held, error)
            raise
        held.answered = True
        if held.ending is not None:
            # It ended while this answer was on its way.
            self._carried.tell(held)
        return answer

    async def _waiting(self, session_id: UUID) -> Waiting:
        async with self._database.read() as session:
            waiting = await repository.waiting(session, session_id)
        if waiting is None:
            raise NotFound
        if waiting.row.state != "opening" or session_id in self._carried:
            raise Conflict(Text("此次调阅已经处理过", "This session was dealt with before"), code="wrong_state")
        return waiting

    async def _open(self, held: Held, waiting: Waiting, host: str | None) -> dict[str, Any]:
        await self._check(held)
        async with self._database.read() as session:
            channel = await self._channels.channel_of(session, held.camera_id)
        if channel is None:
            raise reasons.no_channel()
        if held.action is Action.TALK:
            return await self._open_talk(held, channel, host)
        held.flow = await self._flows.join(channel, held.camera_id, held.id, held.recording)
        await self._admit(held, held.flow.name)
        # A right that ended while the engine was asked is seen here; one that ends later is seen by `_judge`.
        await self._check(held)
        way = await self._way(held, held.flow, host)
        if held.ending is not None or not await books.opened(self._database, held.id, held.flow.id, held.not_after):
            raise overtaken(held)
        return {
            **way,
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

    async def _admit(self, held: Held, stream: str) -> None:
        """Let it into the engine, as long as its right holds."""
        await self._check(held)
        lease = clock.now() + timedelta(seconds=LEASE_SECONDS)
        await self._engine.admit(str(held.id), stream, held.not_after, lease)
        held.admitted = True

    async def _open_talk(self, held: Held, channel: ChannelRef, host: str | None) -> dict[str, Any]:
        answer = await self._talks.open(held, channel, host, lambda name: self._admit(held, name))
        await self._check(held)
        name = held.talk
        if (
            held.ending is not None
            or name is None
            or not await books.opened(self._database, held.id, UUID(name), held.not_after)
        ):
            raise overtaken(held)
        return {**answer, "not_after": None if held.not_after is None else clock.local(held.not_after).isoformat()}

    async def _way(self, held: Held, flow: Flow, host: str | None) -> dict[str, Any]:
        """How the picture leaves: addresses for a viewer, or a sender that stands ready for an upper."""
        relay = held.relay
        if relay is None:
            return urls_out(self._engine.urls(str(held.id), flow.name, host))
        ssrc = relay.ssrc
        if ssrc is None:
            held.ssrc = self._flows.numbers.allocate(time.monotonic(), history=flow.recording is not None)
            ssrc = held.ssrc.number
        sender = await self._engine.start_sender(
            str(held.id), (relay.host, relay.port), ssrc, relay.transport, held=True
        )
        more = {"filesize": flow.filesize, "path": flow.path}
        return {
            "urls": None,
            "expires_at": None,
            "relay": {
                "address": sender.address,
                "port": sender.port,
                "ssrc": ssrc,
                **{key: value for key, value in more.items() if value is not None},
            },
        }

    async def release(self, session_id: str) -> None:
        """The upper has acknowledged: begin to send."""
        held = self._running(session_id)
        if held.relay is None:
            raise SessionEnded
        await self._engine.release_sender(session_id)

    async def control(self, session_id: str, action: Steering, value: float | None = None) -> dict[str, Any]:
        """Steer a recording; `{"position", "scale", "paused"}`."""
        held = self._running(session_id)
        assert held.flow is not None  # noqa: S101 -- a running session has one
        return await self._flows.steer(held.flow, action, value)

    def _running(self, session_id: str) -> Held:
        held = self._carried.get(session_id)
        if held is None or held.flow is None or held.ending is not None or not held.admitted:
            raise Conflict(Text("此次调阅已经结束", "This session has ended"), code="session_ended")
        return held

    async def urls(self, session_id: str, host: str | None = None) -> dict[str, Any]:
        """Fresh addresses for a running session: a reload, or a worker that was replaced."""
        held = self._running(session_id)
        assert held.flow is not None  # noqa: S101 -- a running session has one
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
            "figures": None if figures is None else asdict(figures),
        }

    async def stats(self) -> dict[str, Any]:
        """Counts for the metrics page."""
        stats = await self._engine.stats()
        return {
            "sessions": len(self._carried),
            "streams": len(self._flows.all()),
            "unwritten": self._carried.unwritten,
            "workers": [asdict(row) for row in stats.workers],
        }

    # Ending

    async def device_ended(self, stream: str, reason: str) -> None:
        """The device or its platform ended the call: viewers are told at once instead of after a silence."""
        await self._hearing.device_ended(stream, reason)

    async def close(self, session_id: str, code: str) -> bool:
        """End a session for a reason that is not a right's end: `closed` by its viewer, for example."""
        held = self._carried.get(session_id)
        if held is None:
            return False
        await self._carried.end(held, Ending(code), told=True)
        return True

    # Watching over rights, leases and clocks

    def _rights_changed(self, snapshot: RightsSnapshot) -> None:
        """A right was given, changed or ended: cut at once what it no longer covers."""
        now = clock.now()
        for held in self._carried:
            self._judge(held, snapshot, now)

    def _standing(self, held: Held, snapshot: RightsSnapshot, now: datetime) -> Standing:
        return standing(snapshot, held.subject, held.action, held.camera_id, held.right_id, now)

    def _judge(self, held: Held, snapshot: RightsSnapshot, now: datetime) -> None:
        if held.ending is not None or not held.admitted:
            # One that is still opening is checked by its opener right before it is let in, and once more after.
            return
        found = self._standing(held, snapshot, now)
        if not found.holds:
            self._spawn(self._carried.end(held, Ending(found.code)), f"end-{held.id}")
        elif found.not_after != held.not_after:
            held.not_after = found.not_after
            self._spawn(self._admit_again(held), f"admit-{held.id}")

    async def _admit_again(self, held: Held) -> None:
        """Tell the engine the new end of a running session."""
        if held.stream is None:
            return
        with contextlib.suppress(Problem):
            lease = clock.now() + timedelta(seconds=LEASE_SECONDS)
            await self._engine.admit(str(held.id), held.stream, held.not_after, lease)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            try:
                await self._turn()
            except Exception:
                log.exception("media.agent.turn_failed")

    async def _turn(self) -> None:
        now, ticks = clock.now(), time.monotonic()
        for held in self._carried:
            if held.ending is not None:
                if ticks - held.ended_at > FIGURES_WITHIN and held.admitted:
                    await self._carried.finish(held)
            elif held.admitted and held.not_after is not None and now >= held.not_after:
                await self._carried.end(held, Ending("period_over"))
        if ticks - self._renewed >= RENEW_EVERY:
            self._renewed = ticks
            await self._renew()
            await self._carried.write_again()

    async def _renew(self) -> None:
        """Prolong the leases of everything whose right is proved now; without proof nothing is prolonged."""
        try:
            snapshot = self._rights.current()
            await self._people()
        except (RightsUnavailable, SQLAlchemyError, OSError) as error:
            if len(self._carried):
                log.warning("media.agent.not_renewed", reason=type(error).__name__, sessions=len(self._carried))
            return
        now = clock.now()
        for held in self._carried:
            self._judge(held, snapshot, now)
        going = [str(held.id) for held in self._carried if held.admitted and held.ending is None]
        if not going:
            return
        missing = set(await self._engine.renew(going, clock.now() + timedelta(seconds=LEASE_SECONDS)))
        for name in going:
            held = self._carried.get(name)
            if held is None or held.ending is not None:
                continue
            # Once may be a worker that died a moment ago and is being replaced; nothing leaves the engine meanwhile.
            lost, held.missed = held.missed and name in missing, name in missing
            if lost and (held.flow is None or held.flow.state == "live"):
                await self._carried.end(held, Ending("control_lost"))

    async def _people(self) -> None:
        """Whose login has ended, or whose roles have changed, since they opened."""
        logins = {held.subject.login_id: held for held in self._carried if held.subject.login_id is not None}
        if not logins:
            return
        async with self._database.read() as session:
            present = await repository.people_now(session, list(logins), clock.now())
        for held in self._carried:
            login = held.subject.login_id
            if login is None or login not in logins or held.ending is not None:
                continue
            found = present.get(login)
            if found is None:
                await self._carried.end(held, Ending("logged_out"))
            else:
                held.subject = replace(held.subject, organisation_id=found[0], roles=found[1])
