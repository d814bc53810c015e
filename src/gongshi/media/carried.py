"""The sessions that an agent carries, and how each of them ends: picture first, then books, then whoever must know."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.db.engine import Database
from gongshi.kit.errors import Problem
from gongshi.media import books
from gongshi.media.books import Ending
from gongshi.media.engine import MediaEngine
from gongshi.media.flow import Flow
from gongshi.media.flows import Flows
from gongshi.media.held import Held, Unwritten
from gongshi.media.ports import DeviceControl
from gongshi.media.reasons import SessionFailed, end_text
from gongshi.media.talks import Talks

log = structlog.get_logger(__name__)

FIGURES_WITHIN: Final = 2.0
"""How long the agent waits for the engine's figures before it closes the books without them."""
_TELL_AGAIN: Final = (0.0, 0.3, 1.0, 3.0)
"""Seconds before each attempt to tell the signal role; it finds out by itself if all of them fail."""

Spawn = Callable[[Coroutine[Any, Any, Any], str], "asyncio.Task[Any]"]


class Carried:
    """Sessions by id."""

    def __init__(
        self,
        database: Database,
        engine: MediaEngine,
        flows: Flows,
        devices: DeviceControl,
        talks: Talks,
        spawn: Spawn,
        *,
        linger: float,
    ) -> None:
        self._database = database
        self._engine = engine
        self._flows = flows
        self._devices = devices
        self._talks = talks
        self._spawn = spawn
        self._linger = linger
        self._sessions: dict[UUID, Held] = {}
        self._unwritten: list[Unwritten] = []
        self.closing = False

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Held]:
        return iter(list(self._sessions.values()))

    def __contains__(self, session_id: object) -> bool:
        return session_id in self._sessions

    @property
    def unwritten(self) -> int:
        """Ends that wait for the database."""
        return len(self._unwritten)

    def get(self, session_id: UUID | str) -> Held | None:
        return self._sessions.get(session_id if isinstance(session_id, UUID) else UUID(session_id))

    def put(self, held: Held) -> None:
        self._sessions[held.id] = held

    def talking(self, name: str) -> Held | None:
        """Whose voice path it is."""
        return next((held for held in self if held.talk == name), None)

    def on(self, flow: Flow) -> list[Held]:
        """Those who share a flow."""
        return [held for held in self if held.flow is flow]

    async def give_up(self, held: Held, error: BaseException) -> None:
        """It could not be opened."""
        if held.admitted:
            with contextlib.suppress(Problem):
                await self._engine.kick(str(held.id), "failed")
        if held.ending is not None:
            await self.finish(held)
            return
        self._sessions.pop(held.id, None)
        self.leave(held)
        if isinstance(error, SessionFailed):
            failed = error
        elif isinstance(error, Problem):
            failed = SessionFailed(error.detail, code=error.code, which=("engine",))
        else:
            failed = SessionFailed(end_text("failed"), code="failed", which=("engine",))
        try:
            await books.fail(self._database, held.id, failed)
        except SQLAlchemyError:
            self._unwritten.append(Unwritten(held.id, Ending("failed", failed.detail)))

    async def end(self, held: Held, ending: Ending, *, told: bool = False) -> None:
        """Cut the picture first, then close the books with the engine's figures. `told`: an upper knows already."""
        if held.ending is not None:
            return
        held.ending, held.ended_at = ending, time.monotonic()
        if not told:
            self.tell(held)
        kicked = False
        if held.admitted:
            with contextlib.suppress(Problem):
                kicked = await self._engine.kick(str(held.id), ending.code)
        if not kicked:
            await self.finish(held)
        # Otherwise the engine tells the figures in a moment, and the agent closes the books with them.

    def tell(self, held: Held) -> None:
        """An upper that gets this picture hears of its end at once; its opener is answered by who opened it."""
        if held.relay is not None and held.answered:
            self._spawn(self._tell(held), f"tell-{held.id}")

    async def _tell(self, held: Held) -> None:
        ending = held.ending or Ending("control_lost")
        with contextlib.suppress(SQLAlchemyError, OSError):
            ending = await books.told(self._database, held.id, ending)
        text = ending.text or end_text(ending.code)
        for wait in _TELL_AGAIN:
            await asyncio.sleep(wait)
            try:
                await self._devices.relay_ended(
                    session_id=str(held.id), code=ending.code, detail={"zh": text.zh, "en": text.en}
                )
            except Problem as problem:
                log.warning("media.relay.end_not_told", session=str(held.id), code=problem.code)
            else:
                return

    async def finish(self, held: Held) -> None:
        """Close the books; what the database does not take now is offered again."""
        if self._sessions.pop(held.id, None) is None:
            return
        self.leave(held)
        ending = held.ending or Ending("control_lost")
        if held.starting is not None:
            # The log tells of the beginning before the end.
            await asyncio.wait([held.starting])
        await self._write(Unwritten(held.id, ending, held.figures))

    async def write_again(self) -> None:
        """Offer the database what it did not take."""
        waiting, self._unwritten = self._unwritten, []
        for end in waiting:
            await self._write(end)

    async def _write(self, end: Unwritten) -> None:
        try:
            octets, seconds = end.figures
            await books.end(self._database, end.session_id, end.ending, octets=octets, seconds=seconds)
        except (SQLAlchemyError, OSError) as error:
            log.warning("media.session.end_not_written", session=str(end.session_id), error=type(error).__name__)
            self._unwritten.append(end)

    def leave(self, held: Held) -> None:
        """Take the session off its flow; the last one starts the linger. A recording is nobody else's."""
        if held.ssrc is not None:
            self._flows.numbers.release(held.ssrc, time.monotonic())
            held.ssrc = None
        flow = held.flow
        if held.talk is not None:
            self._spawn(self._talks.close(held), f"hush-{held.id}")
        if flow is None:
            return
        flow.sessions.discard(held.id)
        if flow.sessions or self.closing or flow.linger is not None:
            return
        wait = self._linger if flow.recording is None else 0.0
        flow.linger = asyncio.get_running_loop().call_later(wait, self._lingered, flow)

    def _lingered(self, flow: Flow) -> None:
        flow.linger = None
        if not flow.sessions:
            self._spawn(self._flows.close(flow), f"close-{flow.name}")
