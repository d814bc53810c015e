"""Several signalling servers on one database: who is there, who owns which devices, who takes over (design.md §4).

Each server keeps a row that it renews every few seconds. A row that is not renewed is removed by the first who notices,
and the devices and calls of a server without a row belong to whoever claims them first. A device that registers anew
belongs to the server that it reached.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.db.engine import Database
from gongshi.kit.errors import Unavailable
from gongshi.kit.i18n import Text
from gongshi.signalling.policy import Policy

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Instance:
    """A server as its row says. `control` is where its own machine reaches it; None: nowhere."""

    id: str
    host: str
    control: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became ours."""

    peers: Collection[int] = ()
    calls: Collection[str] = ()


Handler = Callable[..., Awaitable[Any]]
Reach = Callable[[str, str, Mapping[str, Any]], Awaitable[Any]]
"""`(control, method, parameters)`: ask another server of this machine."""
Whose = Callable[[Mapping[str, Any]], Awaitable[str | None]]
"""Which server the subject of a call belongs to; None: this one, or nobody's."""

_JOIN = text("""
INSERT INTO signalling.instance (id, seat, host, control) VALUES (:id, :seat, :host, :control)
""")
_VACATE = text("DELETE FROM signalling.instance WHERE seat = :seat AND id <> :id")
_BEAT = text("UPDATE signalling.instance SET beat_at = now() WHERE id = :id")
_BURY = text("""
DELETE FROM signalling.instance WHERE id <> :id AND beat_at < now() - make_interval(secs => :seconds)
""")
_ALL = text("SELECT id, host, control FROM signalling.instance ORDER BY started_at, id")
_CLAIM_PEERS = text("""
UPDATE signalling.binding b SET instance = :id
WHERE NOT EXISTS (SELECT 1 FROM signalling.instance i WHERE i.id = b.instance)
RETURNING b.peer_id, b.state
""")
_CLAIM_CALLS = text("""
UPDATE signalling.dialog d SET instance = :id
WHERE NOT EXISTS (SELECT 1 FROM signalling.instance i WHERE i.id = d.instance)
RETURNING d.stream_id
""")
_LEAVE = text("DELETE FROM signalling.instance WHERE id = :id")
_OWNER = text("SELECT instance FROM signalling.binding WHERE peer_id = :peer AND state = 'online'")
_OWN: Final = text("SELECT peer_id FROM signalling.binding WHERE instance = :id AND state = 'online'")


async def _nothing(_taken: Taken) -> None:
    return


class Instances:
    """One server among the others. `await join()`, then `start()`, at the end `await leave()`."""

    def __init__(
        self,
        database: Database,
        own: str,
        seat: str,
        control: str | None,
        policy: Policy,
    ) -> None:
        """`seat` is equal for a server and the one that replaces it after a restart."""
        self.own = own
        self.host = socket.gethostname()
        self._database = database
        self._seat = seat
        self._control = control
        self._policy = policy
        self.on_taken: Callable[[Taken], Awaitable[None]] = _nothing
        """What was taken over from a server that is gone."""
        self.on_lost: Callable[[set[int]], None] = lambda _kept: None
        """Which devices are still ours after we had been taken for gone ourselves."""
        self._known: dict[str, Instance] = {}
        self._beaten = monotonic()
        self._task: asyncio.Task[None] | None = None

    @property
    def others(self) -> Mapping[str, Instance]:
        """The other servers by their ids, as of the last look."""
        return {key: value for key, value in self._known.items() if key != self.own}

    @property
    def leads(self) -> bool:
        """Is this server the one that has been there longest? What only one may do is done by it."""
        return next(iter(self._known), self.own) == self.own

    # --- life --------------------------------------------------------------------------------------------------------

    async def join(self) -> Taken:
        """Take our place, and whatever belongs to nobody: after a restart that is what was ours."""
        async with self._database.unit() as uow:
            await uow.session.execute(_VACATE, {"seat": self._seat, "id": self.own})
            await self._appear(uow.session)
            await uow.session.execute(_BURY, {"id": self.own, "seconds": self._policy.instance_gone})
            taken = await self._claim(uow.session)
            await self._look(uow.session)
        self._beaten = monotonic()
        return taken

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="signal-instances")

    async def leave(self) -> None:
        """Give everything up: the others take it over, or whoever sits here next."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            async with self._database.unit() as uow:
                await uow.session.execute(_LEAVE, {"id": self.own})
        except (SQLAlchemyError, OSError) as error:
            log.warning("signal.instance.leave", error=type(error).__name__)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._policy.instance_beat)
            try:
                taken = await self._beat()
            except (SQLAlchemyError, OSError) as error:
                log.warning("signal.instance.beat", error=type(error).__name__)
                continue
            if taken.peers or taken.calls:
                log.warning("signal.instance.took_over", peers=len(taken.peers), calls=len(taken.calls))
                await self.on_taken(taken)

    async def _beat(self) -> Taken:
        late = monotonic() - self._beaten > self._policy.instance_gone / 2
        before = set(self._known)
        kept: set[int] | None = None
        taken = Taken()
        async with self._database.unit() as uow:
            session = uow.session
            renewed = await session.execute(_BEAT, {"id": self.own})
            if not getattr(renewed, "rowcount", 0):
                # The others took us for gone: what they claimed meanwhile is theirs.
                await self._appear(session)
                kept = {int(row) for row in await session.scalars(_OWN, {"id": self.own})}
            if not late:
                # After an outage of the database everybody is late, and nobody is gone.
                await session.execute(_BURY, {"id": self.own, "seconds": self._policy.instance_gone})
            await self._look(session)
            if before - set(self._known) or kept is not None:
                taken = await self._claim(session)
        self._beaten = monotonic()
        if kept is not None:
            log.warning("signal.instance.was_gone")
            self.on_lost(kept | set(taken.peers))
        return taken

    async def _appear(self, session: AsyncSession) -> None:
        row = {"id": self.own, "seat": self._seat, "host": self.host, "control": self._control}
        await session.execute(_JOIN, row)

    async def _look(self, session: AsyncSession) -> None:
        rows = await session.execute(_ALL)
        self._known = {str(key): Instance(str(key), str(host), control) for key, host, control in rows}

    async def _claim(self, session: AsyncSession) -> Taken:
        peers = await session.execute(_CLAIM_PEERS, {"id": self.own})
        online = [int(peer) for peer, state in peers if state == "online"]
        calls = [str(stream) for stream in await session.scalars(_CLAIM_CALLS, {"id": self.own})]
        return Taken(online, calls)

    async def owner(self, peer_id: int) -> str | None:
        """Which other server a peer is registered with; None: this one, or none."""
        if not self.others:
            return None
        async with self._database.read() as session:
            found = await session.scalar(_OWNER, {"peer": peer_id})
        return str(found) if found in self.others else None

    # --- calls for others --------------------------------------------------------------------------------------------

    def passing_on(self, handlers: Mapping[str, Handler], whose: Whose, reach: Reach | None) -> dict[str, Handler]:
        """The same handlers, but calls about another server's devices are passed on to it."""
        return {name: self._passing(name, handler, whose, reach) for name, handler in handlers.items()}

    def _passing(self, name: str, handler: Handler, whose: Whose, reach: Reach | None) -> Handler:
        async def call(*, passed_on: bool = False, **parameters: Any) -> Any:
            if passed_on or not self.others:
                return await handler(**parameters)
            other = self.others.get(await whose(parameters) or "")
            if other is None:
                return await handler(**parameters)
            if reach is None or other.control is None or other.host != self.host:
                raise Unavailable(
                    Text(
                        f"该设备注册在另一台信令服务器（{other.host}）上，本机无法转达：请在那台服务器上操作",
                        f"The device is registered with another signalling server ({other.host}) that this one cannot "
                        "reach: ask there",
                    ),
                    code="other_instance",
                )
            return await reach(other.control, name, {**parameters, "passed_on": True})

        return call
