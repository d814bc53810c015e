"""All uppers of a node, as one user of the signalling server's sockets."""

import asyncio
import contextlib
import re
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.access.actions import Action
from gongshi.db.engine import Database
from gongshi.db.events import Event, EventStream, emit
from gongshi.kit.secretbox import SecretBox
from gongshi.protocols.errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import parse
from gongshi.protocols.sip import ALLOW, AckMissing, AckReceived, Cancelled, Flow, Request, RequestReceived, Response
from gongshi.signalling.inbox import path_text
from gongshi.signalling.party import Concerns, Ground
from gongshi.signalling.trace import shown
from gongshi.signalling.uppers import repository
from gongshi.signalling.uppers.account import Account
from gongshi.signalling.uppers.accounts import account_of
from gongshi.signalling.uppers.below import Forwarding
from gongshi.signalling.uppers.catalogue import Answers
from gongshi.signalling.uppers.client import Link, Pace
from gongshi.signalling.uppers.directory import Directory
from gongshi.signalling.uppers.feed import ALARM, Feed
from gongshi.signalling.uppers.gate import Links, Refusals, trusted
from gongshi.signalling.uppers.invites import Invites
from gongshi.signalling.uppers.ownership import Ownership
from gongshi.signalling.uppers.ports import Below, Rights, Viewing
from gongshi.signalling.uppers.relay import Relay
from gongshi.signalling.uppers.subscriptions import Subscriptions

log = structlog.get_logger(__name__)

REGISTERED: Final = "signalling.upper.registered"
LOST: Final = "signalling.upper.lost"
_CHANGED: Final = "signalling.upper.changed"
_WATCHED: Final = ("signalling.peer.", "signalling.channel.", "signalling.catalogue.", "registry.camera.")
"""Events after which the catalogue may look different."""
_ROOT: Final = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,100}\?>\s*)?<\s*([A-Za-z]{1,20})")
_BUSY: Final = 200
"""Messages of one upper that may be worked on at once."""


@dataclass(frozen=True, slots=True)
class UpperPolicy:
    """Times are seconds."""

    pace: Pace = field(default_factory=Pace)
    settle: float = 0.3
    """How long changes are gathered before subscribers are told."""
    period: float = 60.0
    """Subscribers are told of what no event announced at least so often (22 §N.1)."""
    contend: float = 3.0
    """Between tries to take the uppers over from a process that died."""


class Uppers:
    """`await start()`, hand it to the server with `admit`, `await stop()`."""

    def __init__(
        self,
        ground: Ground,
        database: Database,
        database_url: str,
        box: SecretBox,
        *,
        name: str,
        rights: Rights,
        viewing: Viewing,
        below: Below | None = None,
        policy: UpperPolicy | None = None,
    ) -> None:
        """`name` is what our platform is called in catalogues. `below` carries errands; our own peers without it."""
        self._ground = ground
        self._database = database
        self._url = database_url
        self._box = box
        self._rights = rights
        self._policy = policy or UpperPolicy()
        self._tasks: set[asyncio.Task[None]] = set()
        self._working: dict[int, int] = {}
        self._told: dict[int, tuple[str, str | None]] = {}
        self._closing = False
        self._ownership = Ownership(database_url)
        self._following: asyncio.Task[None] | None = None
        self.links = Links()
        directory = Directory(name)
        refusals = Refusals(database, self._spawn)
        self._refusals = refusals
        devices = ground.devices
        below = below or Forwarding(database, ground.peers, devices.exchanges, devices.control, ground.policy)
        self.invites = Invites(ground, database, viewing, self.links, refusals, self._spawn)
        self._relay = Relay(database, rights, Answers(database, directory), below, name, lambda: len(ground.peers))
        self.subscriptions = Subscriptions(ground, database, directory, self.links, self._spawn, self._allowed)
        self._feed = Feed(database, self.subscriptions)

    # --- life ----------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Register with every upper, take over what stood, follow changes; or wait until the process that does dies."""
        self._rights.on_change(self._rights_changed)
        if await self._ownership.take():
            await self._take_over()
        self._spawn(self._own())
        self._spawn(self.subscriptions.watch(self._policy.settle, self._policy.period))
        self._spawn(self.invites.watch())
        self._spawn(self._feed.positions())

    async def _take_over(self) -> None:
        stream = EventStream(self._url)
        # Connected first: what changes while we load is read again rather than missed.
        await stream.connect()
        async with self._database.read() as session:
            rows = await repository.uppers(session)
        await self.invites.restore()
        await self.subscriptions.restore()
        for row in rows:
            account = account_of(row, self._box)
            if account is not None:
                self._begin(account)
        self._following = self._spawn(self._follow(stream))
        log.info("signal.uppers.started", uppers=len(rows), calls=len(self.invites.calls))

    async def _own(self) -> None:
        """Hold the uppers as long as the database says so."""
        while True:
            if self._following is not None:
                await self._ownership.lost()
                await self._give_up()
            await asyncio.sleep(self._policy.contend)
            try:
                if await self._ownership.take():
                    await self._take_over()
            except (SQLAlchemyError, psycopg.Error, OSError) as error:
                log.warning("signal.uppers.take_over", error=type(error).__name__)

    async def _give_up(self) -> None:
        """Another process may register in our place now; what stood is in the database."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
            self._following = None
        for link in self.links:
            self.links.drop(link)
            await link.stop(farewell=False)
        self.invites.calls.clear()
        self.subscriptions.clear()
        log.warning("signal.uppers.given_up")

    async def stop(self) -> None:
        """Take leave of every upper. Calls and subscriptions stand in the database; the next process carries them on."""
        self._closing = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(link.stop() for link in self.links), return_exceptions=True)
        await self._ownership.release()

    def _rights_changed(self, _snapshot: object) -> None:
        self.subscriptions.changed()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("signal.upper.task_failed", exc_info=task.exception())

    def _begin(self, account: Account) -> None:
        link = Link(account, self._ground, self._policy.pace, self._link_changed)
        self.links.put(link)
        if account.enabled:
            link.start()

    def _link_changed(self, link: Link) -> None:
        log.info("signal.upper.state", upper=link.account.code, state=link.state, reason=link.reason)
        if self._closing:
            return
        known = self._told.get(link.account.id)
        if link.state in {"registered", "failing", "off"} and known != (link.state, link.reason):
            self._told[link.account.id] = (link.state, link.reason)
            self._spawn(self._save_state(link))
            self.subscriptions.changed()
        if link.state == "failing":
            # Nobody is there who could watch (§10.5).
            self._spawn(self.invites.gone(link.account.id, "stream_lost"))

    async def _save_state(self, link: Link) -> None:
        account = link.account
        try:
            async with self._database.unit() as uow:
                await repository.save_state(
                    uow.session, account.id, link.state, link.reason, link.state_at, link.registered_at
                )
                await emit(
                    uow,
                    REGISTERED if link.state == "registered" else LOST,
                    id=account.id,
                    code=account.code,
                    state=link.state,
                    reason=link.reason,
                    organisation_id=account.organisation_id,
                )
        except (SQLAlchemyError, OSError) as error:
            log.warning("signal.upper.state_not_written", upper=account.code, error=type(error).__name__)

    # --- changes ---------------------------------------------------------------------------------------------------------

    async def _follow(self, stream: EventStream) -> None:
        fresh = True
        while True:
            try:
                if not fresh:
                    await stream.connect()
                    await self._reload_all()
                async with contextlib.aclosing(stream.read()) as batches:
                    async for batch in batches:
                        await self._heard(batch)
            except (psycopg.Error, SQLAlchemyError, OSError) as error:
                log.warning("signal.uppers.events_lost", error=type(error).__name__)
                await asyncio.sleep(1)
            finally:
                await stream.close()
            stream, fresh = EventStream(self._url), False

    async def _heard(self, batch: Sequence[Event]) -> None:
        for event in batch:
            if event.name == _CHANGED and isinstance(event.payload.get("id"), int):
                await self.reload(int(event.payload["id"]))
            elif event.name == ALARM and isinstance(event.payload.get("camera_id"), int):
                self._spawn(self._feed.alarm(int(event.payload["id"]), int(event.payload["camera_id"])))
            elif event.name.startswith(_WATCHED) or event.name == "inventory.filing.accepted":
                self.subscriptions.changed()

    async def _reload_all(self) -> None:
        async with self._database.read() as session:
            rows = await repository.uppers(session)
        for upper_id in {row.upper.id for row in rows} | {link.account.id for link in self.links}:
            await self.reload(upper_id)
        self.subscriptions.changed()

    async def reload(self, upper_id: int) -> None:
        """Take over an upper's settings as they are now."""
        async with self._database.read() as session:
            row = await repository.upper(session, upper_id)
        account = account_of(row, self._box) if row is not None else None
        link = self.links.get(upper_id)
        if link is not None and link.account == account:
            return
        if link is not None:
            if account is None or not account.enabled:
                await self.invites.gone(upper_id, "closed")
                await self.subscriptions.gone(upper_id)
            self.links.drop(link)
            await link.stop()
        if account is not None:
            self._begin(account)

    # --- the server's side -------------------------------------------------------------------------------------------------

    def claims(self, request: Request, flow: Flow) -> bool:
        """Whatever an upper says; when it is also a peer of ours, only what an upper says to a lower platform."""
        call_id = request.call_id
        if self.subscriptions.knows(call_id) or self.invites.knows(request):
            return True
        link = self.links.speaking(request, flow)
        if link is None:
            return False
        if self._ground.peers.get(link.account.code) is None:
            return True
        match request.method:
            case "INVITE" | "SUBSCRIBE":
                return True
            case "MESSAGE":
                root = _ROOT.match(request.body)
                return root is not None and root[1].lower() in {b"query", b"control"}
            case _:
                return False

    def take(self, event: Concerns, now: float) -> None:
        """Deal with a claimed request, or with news of an INVITE."""
        if isinstance(event, AckReceived | AckMissing | Cancelled):
            self.invites.heard(event)
            return
        request = event.request
        link = self.links.speaking(request, event.flow)
        if link is None or not trusted(link, event.flow):
            if link is not None:
                self._refusals.note(link.account, request, event.flow, "source")
            self._respond(event, 403, now)
            return
        if not link.account.enabled:
            self._respond(event, 403, now)
            return
        try:
            self._request(link, event, now)
        except RemoteProtocolError as error:
            # A header that only this method needs cannot be read.
            self._respond(event, error.hint_status, now)
        except LocalProtocolError:
            # What would have to be repeated in the answer breaks the framing.
            self._respond(event, 400, now)

    def _request(self, link: Link, event: RequestReceived, now: float) -> None:
        match event.request.method:
            case "INVITE":
                self.invites.invite(link, event, now)
            case "MESSAGE":
                self._message(link, event, now)
            case "SUBSCRIBE":
                self.subscriptions.subscribe(link, event)
            case "OPTIONS":
                self._respond(event, 200, now, [("Allow", ALLOW)])
            case "BYE" | "INFO":
                self.invites.inside(event)
            case _:
                self._respond(event, 405, now, [("Allow", ALLOW)])

    def _message(self, link: Link, event: RequestReceived, now: float) -> None:
        """Answer at once, then work (§3.2)."""
        try:
            envelope = parse(event.request.body)
        except RemoteProtocolError as error:
            self._respond(event, error.hint_status, now)
            return
        upper = link.account.id
        if self._working.get(upper, 0) >= _BUSY:
            self._respond(event, 503, now, [("Retry-After", "5")])
            return
        self._respond(event, 200, now)
        self._working[upper] = self._working.get(upper, 0) + 1
        task = self._spawn(self._relay.take(link, envelope, event.flow.host))
        task.add_done_callback(lambda _: self._worked(upper))

    def _worked(self, upper: int) -> None:
        self._working[upper] -= 1

    def _respond(
        self, event: RequestReceived, status: int, now: float, headers: list[tuple[str, str]] | None = None
    ) -> None:
        with contextlib.suppress(ProtocolError):
            self._ground.agent.endpoint.respond(
                event.token, Response.to_request(event.request, status, headers=headers or []), now
            )
        self._ground.agent.flush()

    def lost(self, flow: Flow) -> None:
        """A TCP connection closed."""
        for link in self.links:
            link.lost(flow)

    def ring(self, flow: Flow) -> int | None:
        """Uppers' messages stand under negative numbers."""
        link = self.links.at(flow)
        return None if link is None else -link.account.id

    async def _allowed(self, link: Link, action: Action, camera_id: int) -> bool:
        return (await self._relay.decide(link, action, camera_id)).allowed

    # --- what other roles may ask ----------------------------------------------------------------------------------------

    def handlers(self) -> Mapping[str, Any]:
        """For the node's control socket."""
        return {
            "uppers": self.list_uppers,
            "upper_changed": self.upper_changed,
            "upper_trace": self.show_trace,
            "relay_ended": self.relay_ended,
        }

    async def list_uppers(self) -> list[dict[str, Any]]:
        """Live states by id."""
        return [
            {
                "id": link.account.id,
                "code": link.account.code,
                "state": link.state,
                "reason": link.reason,
                "state_at": link.state_at,
                "address": path_text(link.flow) if link.flow else None,
                "registered_at": link.registered_at,
                "keepalive_at": link.keepalive_at,
                "expires": link.expires,
                "edition": link.edition.value,
                "version": link.version,
                "clock_offset": link.clock_offset,
                "calls": sum(1 for call in self.invites.calls if call.upper_id == link.account.id),
                "subscriptions": [
                    {"package": s.package, "scope": s.scope, "seconds": max(0, round(s.expires - monotonic()))}
                    for s in self.subscriptions
                    if s.upper_id == link.account.id
                ],
            }
            for link in self.links
        ]

    async def upper_changed(self, upper_id: int) -> bool:
        """An upper's settings changed; the event stream tells the same, this is only sooner."""
        await self.reload(upper_id)
        return True

    async def show_trace(self, upper_id: int) -> list[dict[str, Any]]:
        """The last messages from and to an upper, oldest first."""
        return [shown(line) for line in self._ground.trace.of(-upper_id)]

    async def relay_ended(self, session_id: str, code: str, detail: Any = None) -> bool:
        """The media agent ended a session that an upper watches: BYE with the reason."""
        return await self.invites.relay_ended(session_id, code, detail)
