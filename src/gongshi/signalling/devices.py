"""The working side of a registered peer: what it is asked, told and reports. One object for the server to hold."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from time import monotonic
from typing import Any, Final

import structlog

from gongshi.db.engine import Database
from gongshi.kit.errors import BadRequest
from gongshi.kit.i18n import Text
from gongshi.protocols.errors import ProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import (
    Alarm,
    AnyMessage,
    CatalogChange,
    Envelope,
    MobilePosition,
    PtzPosition,
    Result,
    SnapShotConfig,
    SnapShotFinished,
    UpgradeResult,
    VideoUpload,
    parse,
    read,
)
from gongshi.protocols.sip import Request
from gongshi.signalling import device_problems as faults
from gongshi.signalling import facts, problems
from gongshi.signalling.agent import Agent
from gongshi.signalling.changes import Changes
from gongshi.signalling.commands import DEVICE_COMMANDS, PTZ_COMMANDS, command_of
from gongshi.signalling.control import Control, new_session_id
from gongshi.signalling.desk import Holder
from gongshi.signalling.exchanges import Exchanges, charset_of
from gongshi.signalling.interviews import Interviews
from gongshi.signalling.limits import Sparse
from gongshi.signalling.models import Channel
from gongshi.signalling.peers import Peers, PeerState
from gongshi.signalling.policy import Policy
from gongshi.signalling.queries import KINDS, Queries, plain
from gongshi.signalling.records import Records
from gongshi.signalling.reports import Reports
from gongshi.signalling.subscriptions import PACKAGES, Package, Subscriptions, Watch

log = structlog.get_logger(__name__)

UPGRADED: Final = "signalling.upgrade.finished"
SNAPPED: Final = "signalling.snapshot.finished"
_KEPT_ANSWERS: Final = frozenset({"device_info", "device_status", "config", "sd_card"})

ChannelOf = Callable[[int], Awaitable[Channel | None]]


class Devices:
    """Everything but registration, catalogue queries and calls."""

    def __init__(
        self,
        agent: Agent,
        peers: Peers,
        database: Database,
        policy: Policy,
        *,
        requery: Callable[[PeerState, float], None],
        channel: ChannelOf,
    ) -> None:
        self._agent = agent
        self._peers = peers
        self._database = database
        self._policy = policy
        self._channel = channel
        self._sparse = Sparse(60.0)
        self.exchanges = Exchanges(agent, policy)
        self.reports = Reports(database, peers, policy)
        self.queries = Queries(self.exchanges, policy)
        self.records = Records(self.exchanges, policy)
        self.control = Control(self.exchanges, peers, policy)
        self.subscriptions = Subscriptions(agent, peers, policy, self.reports.subscription)
        self.changes = Changes(self.exchanges, database, policy, requery)
        self.interviews = Interviews(self.queries, self.reports, database, policy)

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Load what people chose. Peers that are online come by `online`."""
        async with self._database.read() as session:
            rows = await facts.chosen(session)
        self.subscriptions.load({(r.peer_id, _package(r.package)): (r.wanted, r.interval) for r in rows})
        self.reports.start()
        self.changes.start()

    async def stop(self) -> None:
        """Stop what moves, write what is owed. To be called while the sockets are still open."""
        await self.control.close()
        await self.interviews.close()
        await self.exchanges.close()
        await self.changes.stop()
        await self.reports.stop()

    def online(self, peer: PeerState) -> None:
        """A peer came."""
        self.interviews.online(peer)
        self.subscriptions.online(peer, monotonic())

    def moved(self, peer: PeerState) -> None:
        """A peer registered from another address. Its subscriptions may have survived; a refresh will tell."""
        self.exchanges.offline(peer)

    def offline(self, peer: PeerState) -> None:
        """A peer went."""
        self.exchanges.offline(peer)
        self.control.desk.offline(peer)
        self.subscriptions.offline(peer, monotonic())

    def tick(self, now: float) -> None:
        """Twice a second."""
        self.subscriptions.tick(now)

    # --- what comes in -----------------------------------------------------------------------------------------------

    def received(self, peer: PeerState, envelope: Envelope) -> bool:
        """The body of a MESSAGE, answered with 200 already; False when it is nothing that is known here."""
        if envelope.root == "Response":
            return self.exchanges.received(peer, envelope)
        if envelope.root != "Notify":
            return False
        message = self._read(peer, envelope)
        if message is None:
            return False
        if isinstance(message, Alarm):
            self._acknowledge(peer, message)
        return self._reported(peer, message)

    def notified(self, peer: PeerState, request: Request, now: float) -> int:
        """A NOTIFY of a peer: the status to answer with."""
        status, watch = self.subscriptions.notified(peer, request, now)
        if watch is None or status >= 300 or not request.body.strip():
            # Terminated ones may be empty.
            return status
        try:
            envelope = parse(request.body)
        except RemoteProtocolError as error:
            if count := self._sparse.count(("notify", peer.id), now):
                log.warning("signal.notify.unreadable", peer=peer.code, error=str(error), count=count)
            return error.hint_status
        if envelope.is_("Response", "Catalog"):
            # The samples call it a Response (S-08).
            self.changes.take(peer, CatalogChange.parse(envelope))
            return 200
        message = self._read(peer, envelope)
        if message is not None:
            self._reported(peer, message, watch)
        return 200

    def _read(self, peer: PeerState, envelope: Envelope) -> AnyMessage | None:
        try:
            return read(envelope)
        except RemoteProtocolError as error:
            if count := self._sparse.count(("message", peer.id), monotonic()):
                log.warning("signal.manscdp.incomplete", peer=peer.code, error=str(error), count=count)
            return None

    def _reported(self, peer: PeerState, message: AnyMessage, watch: Watch | None = None) -> bool:
        match message:
            case Alarm():
                self.reports.alarm(peer, message)
            case CatalogChange():
                self.changes.take(peer, message)
            case MobilePosition():
                # Followed only where somebody chose so: nobody's way is recorded by accident.
                if watch is not None and watch.package == "mobile_position":
                    for position in message.positions:
                        self.reports.position(peer, position)
            case PtzPosition():
                self.reports.said(peer, message.device_id or peer.code, "ptz_position", plain(message))
            case UpgradeResult():
                self._finished(peer, message.device_id, "upgrade", UPGRADED, plain(message), message.session_id)
            case SnapShotFinished():
                self._finished(peer, message.device_id, "snapshot", SNAPPED, plain(message), message.session_id)
            case VideoUpload():
                log.info("signal.video.offered", peer=peer.code, channel=message.device_id[:40])
            case _:
                return False
        return True

    def _finished(
        self, peer: PeerState, code: str, kind: str, event: str, value: Mapping[str, Any], session_id: str
    ) -> None:
        code = code or peer.code
        self.reports.said(peer, code, kind, {"state": "finished", **value})
        self.reports.event(peer, event, channel=code[:64], session_id=session_id[:128])

    def _acknowledge(self, peer: PeerState, alarm: Alarm) -> None:
        """Response Alarm as a MESSAGE of our own (§9); nothing waits for its 200."""
        if peer.flow is None:
            return
        body = Result("Alarm", alarm.device_id, alarm.sn).to_bytes(peer.edition, charset_of(peer))
        try:
            token = self._agent.start(self._agent.message(peer, body), peer.flow, lambda _: None)
        except ProtocolError as error:
            log.warning("signal.alarm.unanswered", peer=peer.code, error=str(error))
            return
        self._agent.forget(token)

    # --- what other roles may ask ------------------------------------------------------------------------------------

    def handlers(self) -> Mapping[str, Callable[..., Awaitable[Any]]]:
        """For the node's control socket."""
        return {
            "query": self.query,
            "records": self.search,
            "control": self.order,
            "ptz_holder": self.ptz_holder,
            "subscribe": self.subscribe,
            "subscriptions": self.list_subscriptions,
        }

    async def _target(self, peer_id: int | None, channel_id: int | None) -> tuple[PeerState, str]:
        code = None
        if channel_id is not None:
            channel = await self._channel(channel_id)
            if channel is None:
                raise faults.UnknownChannel
            peer_id, code = channel.peer_id, channel.code
        peer = self._peers.by_id(peer_id) if peer_id is not None else None
        if peer is None:
            raise problems.UnknownPeer
        return peer, code or peer.code

    async def query(
        self,
        kind: str,
        peer_id: int | None = None,
        channel_id: int | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Ask a peer or a channel; see `Queries.run`. What it says about itself is kept."""
        if kind not in KINDS:
            raise BadRequest(Text(f"没有名为“{kind[:40]}”的查询", f"There is no query “{kind[:40]}”"))
        peer, code = await self._target(peer_id, channel_id)
        answer = await self.queries.run(peer, code, kind, params or {})
        if kind in _KEPT_ANSWERS:
            self.reports.said(peer, code, kind, answer)
        return answer

    async def search(
        self, channel_id: int, start: str, end: str, type: str = "all", centre: bool = False
    ) -> dict[str, Any]:
        """Recordings of a channel between two moments (ISO, aware); see `Records.search`."""
        peer, code = await self._target(None, channel_id)
        first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
        return await self.records.search(peer, code, first, last, type=type, centre=centre)

    async def order(
        self,
        command: str,
        channel_id: int | None = None,
        peer_id: int | None = None,
        params: Mapping[str, Any] | None = None,
        actor: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Carry a command of `commands` out for `actor` (kind, id, name, organisation, priority)."""
        peer, code = await self._target(peer_id, channel_id)
        values = dict(params or {})
        if command == "snapshot":
            return await self._snapshot(peer, code, values)
        if command == "upgrade":
            values.setdefault("session_id", new_session_id())
        if command not in PTZ_COMMANDS and command not in DEVICE_COMMANDS:
            raise BadRequest(Text(f"没有名为“{command[:40]}”的命令", f"There is no command “{command[:40]}”"))
        made = command_of(command, values)
        holder = Holder(**actor) if actor is not None else None
        result = await self.control.send(peer, code, made, holder)
        if command == "upgrade":
            self.reports.said(peer, code, "upgrade", {"state": "running", "session_id": values["session_id"]})
            result["session_id"] = values["session_id"]
        return result

    async def _snapshot(self, peer: PeerState, code: str, values: Mapping[str, Any]) -> dict[str, Any]:
        session_id = str(values.get("session_id") or new_session_id())
        config = SnapShotConfig(
            int(values.get("count", 1)), int(values.get("interval", 1)), str(values.get("upload_url", "")), session_id
        )
        result = await self.control.configure(peer, code, config)
        self.reports.said(peer, code, "snapshot", {"state": "running", "session_id": session_id})
        return {**result, "session_id": session_id}

    async def ptz_holder(self, channel_id: int) -> dict[str, Any] | None:
        """Who moves a camera now."""
        peer, code = await self._target(None, channel_id)
        holder = self.control.desk.holder(peer, code)
        return None if holder is None else {"kind": holder.kind, "id": holder.id, "name": holder.name}

    async def subscribe(self, peer_id: int, package: str, on: bool, interval: int | None = None) -> dict[str, Any]:
        """Choose what to subscribe to at a peer; kept for good."""
        peer, _ = await self._target(peer_id, None)
        chosen = _package(package)
        async with self._database.unit() as uow:
            await facts.choose(uow.session, peer.id, chosen, on, interval)
        self.subscriptions.choose(peer, chosen, on, interval, monotonic())
        self.subscriptions.tick(monotonic())
        return {"peer_id": peer.id, "package": package, "on": on, "interval": interval}

    async def list_subscriptions(self, peer_id: int) -> list[dict[str, Any]]:
        """Every package and how it stands."""
        peer, _ = await self._target(peer_id, None)
        return list(self.subscriptions.shown(peer))


def _package(word: str) -> Package:
    for package in PACKAGES:
        if package == word:
            return package
    raise BadRequest(Text(f"没有名为“{word[:40]}”的订阅", f"There is no package “{word[:40]}”"))
