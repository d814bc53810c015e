"""What the server reads from the database and keeps in step with: accounts, bindings, calls, links to cameras."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from time import monotonic
from typing import Any, Final

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.db.engine import Database
from gongshi.db.events import Event, EventStream, emit
from gongshi.kit import clock
from gongshi.kit.secretbox import SecretBox
from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.sdp import Ssrc
from gongshi.protocols.sip import Dialog, Flow, ha1
from gongshi.signalling import repository
from gongshi.signalling.calls_book import Call
from gongshi.signalling.models import Channel, Peer
from gongshi.signalling.peers import Peers, PeerState
from gongshi.signalling.repository import PeerRow
from gongshi.signalling.writer import REGISTERED

log = structlog.get_logger(__name__)

STREAM_ENDED: Final = "signalling.stream.ended"
_BINDING: Final = ("contact", "call_id", "version", "user_agent", "registered_at", "expires_at", "keepalive_at")
_ACCOUNTS: Final = frozenset({"signalling.peer.created", "signalling.peer.changed"})
_CAMERAS: Final = frozenset({"inventory.filing.accepted", "registry.camera.created", "registry.camera.updated"})


def secret_label(code: str) -> str:
    """What a peer's sealed password is bound to."""
    return f"peer:{code}"


class Store:
    """Loads at the start and follows events afterwards."""

    def __init__(
        self,
        database: Database,
        database_url: str,
        box: SecretBox,
        realm: str,
        peers: Peers,
        changed: Callable[[PeerState], None],
        instance: str,
    ) -> None:
        self._database = database
        self._url = database_url
        self._box = box
        self._realm = realm
        self._peers = peers
        self._changed = changed
        self._instance = instance
        self.on_elsewhere: Callable[[PeerState, datetime], None] = lambda _peer, _moment: None
        """A peer registered with another server of this database, and when."""
        self._following: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Load everything; raises what the database raises. Then follow changes."""
        stream = EventStream(self._url)
        # Connected first: what is committed while we load is read again rather than missed.
        await stream.connect()
        try:
            await self._load()
        except BaseException:
            await stream.close()
            raise
        self._following = asyncio.create_task(self._follow(stream), name="signal-events")

    async def stop(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- accounts ----------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        async with self._database.read() as session:
            rows = await repository.peers(session)
            complete = await repository.last_complete(session)
        states = [state for row in rows if (state := self._state(row)) is not None]
        now, wall = monotonic(), clock.now()
        for state in states:
            ended = complete.get(state.id)
            if ended is not None:
                state.catalogued = now - (wall - ended).total_seconds()
            if self._following is not None and self._peers.by_id(state.id) is None:
                # Its row may say online from long ago; whoever is there registers with us.
                state.online = False
        self._peers.put(states)
        known = {state.id for state in states}
        for peer in self._peers:
            if peer.id not in known:
                self._gone(peer)
            elif not peer.enabled:
                self._changed(peer)

    def _state(self, row: PeerRow) -> PeerState | None:
        peer, binding = row.peer, row.binding
        try:
            password = self._box.open(peer.secret, secret_label(peer.code))
        except ValueError as error:
            log.warning("signal.peer.secret", peer=peer.code, error=str(error))
            return None
        state = _account(peer, row.organisation.name, ha1(peer.code, self._realm, password))
        if binding is None:
            return state
        now, wall = monotonic(), clock.now()
        transport = "TCP" if binding.transport.upper() == "TCP" else "UDP"
        state.flow = Flow(transport, binding.remote_host, binding.remote_port)
        state.contact, state.call_id = binding.contact, binding.call_id
        state.version, state.user_agent = binding.version, binding.user_agent
        state.registered_at, state.expires_at = binding.registered_at, binding.expires_at
        state.keepalive_at = binding.keepalive_at
        state.expires = now + (binding.expires_at - wall).total_seconds()
        # While we were away nobody could hear its keepalives: it gets the whole time again.
        state.seen = now
        state.online = binding.state == "online" and binding.instance == self._instance
        state.reason = None if state.online else binding.reason  # type: ignore[assignment] -- written by ourselves
        return state

    async def _reload(self, peer_id: int) -> None:
        async with self._database.read() as session:
            row = await repository.peer(session, peer_id)
        known = self._peers.by_id(peer_id)
        if row is None:
            if known is not None:
                self._gone(known)
            return
        state = self._state(row)
        if state is None:
            return
        if known is None:
            # A binding of before it was removed is no reason to think it online.
            state.online = False
        self._peers.put([state])
        fresh = self._peers.by_id(peer_id)
        if fresh is not None:
            self._changed(fresh)

    async def adopt(self, peer_ids: Collection[int]) -> Sequence[PeerState]:
        """Take over bindings of a server that is gone; those that are ours now."""
        async with self._database.read() as session:
            rows = await repository.peers(session, Peer.id.in_(peer_ids))
        adopted: list[PeerState] = []
        for row in rows:
            state = self._state(row)
            known = self._peers.by_id(row.peer.id)
            if state is None or not state.online or state.flow is None or (known is not None and known.online):
                continue
            if known is None:
                self._peers.put([state])
                known = state
            else:
                for name in _BINDING:
                    setattr(known, name, getattr(state, name))
                self._peers.bind(known, state.flow, state.expires, state.seen)
            adopted.append(known)
        return adopted

    def _gone(self, peer: PeerState) -> None:
        """Its row was deleted."""
        peer.enabled = False
        self._changed(peer)
        self._peers.remove(peer)

    # --- events ------------------------------------------------------------------------------------------------------

    async def _follow(self, stream: EventStream) -> None:
        fresh = True
        while True:
            try:
                if not fresh:
                    await stream.connect()
                    await self._load()
                    await self._relink()
                async with contextlib.aclosing(stream.read()) as batches:
                    async for batch in batches:
                        await self._take(batch)
            except (psycopg.Error, SQLAlchemyError, OSError) as error:
                log.warning("signal.events.lost", error=type(error).__name__)
                await asyncio.sleep(1)
            finally:
                await stream.close()
            stream, fresh = EventStream(self._url), False

    async def _take(self, batch: Sequence[Event]) -> None:
        for event in batch:
            if event.name in _ACCOUNTS and isinstance(event.payload.get("id"), int):
                await self._reload(int(event.payload["id"]))
            elif event.name == REGISTERED and event.payload.get("instance") not in {None, self._instance}:
                peer = self._peers.by_id(int(event.payload["id"]))
                moment = event.payload.get("registered_at")
                if peer is not None and isinstance(moment, str):
                    self.on_elsewhere(peer, datetime.fromisoformat(moment))
        if any(event.name in _CAMERAS for event in batch):
            await self._relink()

    async def _relink(self) -> None:
        async with self._database.unit() as uow:
            changed = await repository.relink(uow.session)
        if changed:
            log.info("signal.channels.linked", channels=changed)

    # --- calls -------------------------------------------------------------------------------------------------------

    async def channel(self, channel_id: int) -> Channel | None:
        async with self._database.read() as session:
            return await repository.channel(session, channel_id)

    async def save_call(self, call: Call) -> None:
        """Keep a call; without a database it goes on all the same."""
        values = {
            "stream_id": call.stream_id,
            "peer_id": call.peer_id,
            "channel_code": call.channel,
            "ssrc": call.ssrc.number,
            "state": {"dialog": call.dialog.dump(), "flow": asdict(call.flow), **call.extras()},
            "instance": self._instance,
        }
        with self._losing("save"):
            async with self._database.unit() as uow:
                await repository.save_dialog(uow.session, values)

    async def drop_call(self, stream_id: str) -> None:
        with self._losing("drop"):
            async with self._database.unit() as uow:
                await repository.delete_dialogs(uow.session, [stream_id])

    async def call_instance(self, stream_id: str) -> str | None:
        """Which server carries a call."""
        async with self._database.read() as session:
            return await repository.dialog_instance(session, stream_id)

    async def calls(self, stream_ids: Collection[str] | None = None) -> Sequence[Call]:
        """Calls of an earlier process, or those of the given streams."""
        async with self._database.read() as session:
            rows = await repository.dialogs(session, self._instance, stream_ids)
        found: list[Call] = []
        for row in rows:
            try:
                dialog = Dialog.load(row.state["dialog"])
                flow = _flow(row.state["flow"])
                call = Call(
                    row.stream_id, row.peer_id, row.channel_code, dialog, flow, Ssrc(row.ssrc), False, monotonic()
                ).restore(row.state)
            except (ProtocolError, KeyError, TypeError, ValueError) as error:
                log.warning("signal.dialog.unreadable", stream=row.stream_id, error=str(error))
                await self.drop_call(row.stream_id)
                continue
            found.append(call)
        return found

    def call_ended(self, call: Call, reason: str) -> None:
        """Tell the media room that a stream's call ended without its asking."""
        log.info("signal.call.ended", stream=call.stream_id, channel=call.channel, reason=reason)
        task = asyncio.create_task(self._tell_ended(call, reason))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell_ended(self, call: Call, reason: str) -> None:
        payload: dict[str, Any] = {"stream_id": call.stream_id, "channel": call.channel, "reason": reason}
        with self._losing("tell"):
            async with self._database.unit() as uow:
                await emit(uow, STREAM_ENDED, **payload)

    @staticmethod
    @contextlib.contextmanager
    def _losing(what: str) -> Generator[None]:
        """A call must not fail because its row could not be written; the media room notices a dead stream by itself."""
        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            log.warning("signal.call.database", what=what, error=type(error).__name__)


def _flow(values: Mapping[str, Any]) -> Flow:
    """A stored path; the connection, if it was one, is gone."""
    transport = "TCP" if values["transport"] == "TCP" else "UDP"
    return Flow(transport, str(values["host"]), int(values["port"]), str(values["local_host"]))


def _account(peer: Peer, organisation: str, secret: str) -> PeerState:
    return PeerState(
        id=peer.id,
        code=peer.code,
        name=peer.name,
        organisation_id=peer.organisation_id,
        organisation_name=organisation,
        ha1=secret,
        media_transport=peer.media_transport,
        edition_pin=peer.edition,
        charset=peer.charset,
        interval=peer.keepalive_interval,
        misses=peer.keepalive_misses,
        enabled=peer.enabled,
    )
