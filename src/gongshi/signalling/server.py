"""The signalling server of a node: sockets, registrar, catalogues, calls and what other roles may ask of them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import Any

import structlog

from gongshi.config import SipSettings
from gongshi.db.engine import Database
from gongshi.kit.errors import Unavailable
from gongshi.kit.i18n import Text
from gongshi.kit.ids import new_id
from gongshi.kit.secretbox import SecretBox
from gongshi.protocols.sip import (
    Endpoint,
    Flow,
    Transport,
)
from gongshi.signalling import problems
from gongshi.signalling.agent import Agent
from gongshi.signalling.calls import Calls
from gongshi.signalling.calls_book import Call, CallKind
from gongshi.signalling.calls_offer import Order
from gongshi.signalling.calls_steer import Action
from gongshi.signalling.catalogue import Catalogues
from gongshi.signalling.devices import Devices
from gongshi.signalling.inbox import Inbox, path_text
from gongshi.signalling.instances import Handler, Instances, Reach
from gongshi.signalling.limits import Sparse
from gongshi.signalling.party import Ground, Party
from gongshi.signalling.peers import Peers, PeerState
from gongshi.signalling.policy import Policy
from gongshi.signalling.registrar import Registrar
from gongshi.signalling.store import Store
from gongshi.signalling.takeover import Takeover
from gongshi.signalling.trace import Trace, shown
from gongshi.signalling.wire import Locals, Tcp, Udp, family_of
from gongshi.signalling.writer import MOVED, OFFLINE, REGISTERED, Writer

log = structlog.get_logger(__name__)

Wanted = Callable[[], Awaitable[set[str]]]
"""Streams that the media room still wants; node wires it."""


class SignalServer:
    """`await start()`, then everything runs by itself until `await stop()`."""

    def __init__(
        self,
        settings: SipSettings,
        node_code: str,
        database: Database,
        database_url: str,
        box: SecretBox,
        *,
        policy: Policy | None = None,
        wanted_streams: Wanted | None = None,
        control: str | None = None,
        reach: Reach | None = None,
    ) -> None:
        """`node_code` is our 20-digit code, its first ten digits are the SIP domain and the digest realm.

        `wanted_streams` gives the ids of streams that are running: calls of an earlier process for any other are
        ended. Without it none is carried on. `control` is where other servers of this machine find our handlers, and
        `reach` asks theirs.
        """
        if policy is None:
            policy = Policy(
                expires_minimum=settings.expires_minimum, catalogue_on_register=settings.catalogue_on_register
            )
        self._settings = settings
        self._policy = policy
        self._wanted = wanted_streams
        self._code = node_code
        self.instance = str(new_id())
        self.peers = Peers(policy.keepalive_slack)
        self.trace = Trace(policy.trace_messages, policy.trace_bytes)
        self._endpoint = Endpoint(policy.timers)
        self._agent = Agent(self._endpoint, node_code, self._send, self._port_of)
        self._agent.on_deadline = self._schedule
        self._writer = Writer(database, self.peers, policy, self.instance)
        self._store = Store(
            database,
            database_url,
            box,
            node_code[:10],
            self.peers,
            self._peers_changed,
            self.instance,
        )
        self._reach_other = reach
        self.instances = Instances(
            database,
            self.instance,
            control or (f"{settings.host}:{settings.port}" if settings.port else self.instance),
            control,
            policy,
        )
        self._registrar = Registrar(
            self.peers,
            policy,
            node_code[:10],
            on_bound=self._bound,
            on_unbound=self._unbound,
            on_moved=self._moved,
            on_refused=self._writer.refused,
        )
        self._catalogues = Catalogues(self._agent, self.peers, database, policy, self._writer)
        self._calls = Calls(
            self._agent,
            policy,
            flow_of=self._flow_of,
            save=self._store.save_call,
            drop=self._store.drop_call,
            ended=self._store.call_ended,
        )
        self._devices = Devices(
            self._agent,
            self.peers,
            database,
            policy,
            requery=self._catalogues.ask,
            channel=self._store.channel,
        )
        self._takeover = Takeover(
            self.peers,
            self._store,
            self.instances,
            self._catalogues,
            self._devices,
            self._calls,
            here=lambda flow: replace(flow, local_host=self._locals.towards(flow.host), local_port=self.port),
            offline=self._offline,
        )
        self._store.on_elsewhere = self._takeover.elsewhere
        self.instances.on_taken = self._takeover.adopt
        self.instances.on_lost = self._takeover.keep_only
        self._sparse = Sparse(policy.refusals_every)
        self._locals = Locals(settings.advertise, family_of(settings.host))
        self._inbox = Inbox(
            self._agent,
            self.peers,
            self._registrar,
            self._catalogues,
            self._calls,
            self._devices,
            self.trace,
            self._send,
            self._flow_from,
            settings.proxies,
        )
        self._udp: Udp | None = None
        self._tcp: Tcp | None = None
        self._housekeeping: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None

    # --- life --------------------------------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The UDP port, or the TCP port when there is no UDP."""
        if self._udp is not None:
            return self._udp.port
        return self._tcp.port if self._tcp is not None else self._settings.port

    async def start(self) -> None:
        """Load what is known, open the sockets, carry on. Raises Unavailable when a port is taken."""
        await self.instances.join()
        await self._store.start()
        for peer in self.peers:
            # Whoever was bound to a connection of the last process is gone with it.
            if peer.online and peer.flow is not None and peer.flow.transport == "TCP":
                self._offline(peer, "connection_lost")
            elif peer.flow is not None:
                peer.flow = replace(peer.flow, local_host=self._locals.towards(peer.flow.host))
        await self._open()
        await self._devices.start()
        for peer in self.peers:
            if peer.online and peer.flow is not None:
                peer.flow = replace(peer.flow, local_port=self.port)
                self._catalogues.online(peer)
                self._devices.online(peer)
        for call in await self._store.calls():
            self._calls.restore(call)
        self._writer.start()
        self.instances.start()
        self._housekeeping = asyncio.create_task(self._keep_house(), name="signal-housekeeping")
        log.info(
            "signal.started",
            port=self.port,
            peers=len(self.peers),
            restored=self.peers.online,
            calls=len(self._calls),
            transports=",".join(self._settings.transports),
        )

    async def _open(self) -> None:
        host, port = self._settings.host, self._settings.port
        try:
            if "tcp" in self._settings.transports:
                self._tcp = Tcp(
                    self._inbox.streamed,
                    self._agent.flush,
                    self._connection_lost,
                    self._inbox.unreadable,
                    self._locals,
                    self._policy.connections,
                    per_source=self._policy.connections_per_source,
                    trusted=lambda number: bool(self.peers.on_connection(number)),
                )
                await self._tcp.start(host, port)
                # With port 0 both transports get the same number.
                port = self._tcp.port
            if "udp" in self._settings.transports:
                self._udp = Udp(host, port, self._inbox.datagram, self._agent.flush)
        except OSError as error:
            await self._close_sockets()
            await self._store.stop()
            raise Unavailable(
                Text(
                    f"SIP 端口 {host}:{port} 无法使用（{error.strerror}）：修改 sip.port 或停止占用它的程序",
                    f"The SIP port {host}:{port} cannot be used ({error.strerror}): change sip.port or stop what holds it",
                ),
                code="sip_port_taken",
            ) from error

    async def stop(self) -> None:
        """Close the sockets and write what is owed. Registrations and calls stay in the database."""
        if self._housekeeping is not None:
            self._housekeeping.cancel()
            await asyncio.gather(self._housekeeping, return_exceptions=True)
        if self._alarm is not None:
            self._alarm.cancel()
        await self._devices.stop()
        await self._catalogues.close()
        await self._calls.close()
        await self._close_sockets()
        await self._writer.stop()
        await self.instances.leave()
        await self._store.stop()
        log.info("signal.stopped")

    async def _close_sockets(self) -> None:
        if self._udp is not None:
            self._udp.close()
            self._udp = None
        tcp, self._tcp = self._tcp, None
        if tcp is not None:
            await tcp.close()

    # --- sending -----------------------------------------------------------------------------------------------------

    def _port_of(self, flow: Flow) -> int:
        if flow.transport == "TCP" and self._tcp is not None:
            return self._tcp.port
        return self._udp.port if self._udp is not None else self._settings.port

    def _flow_of(self, peer_id: int) -> Flow | None:
        peer = self.peers.by_id(peer_id)
        return peer.flow if peer is not None and peer.online else None

    def _flow_from(self, host: str, port: int) -> Flow:
        return Flow("UDP", host, port, self._locals.towards(host), self.port)

    def _send_datagram(self, data: bytes, host: str, port: int) -> None:
        if self._udp is not None:
            self._udp.send(data, host, port)

    def _send(self, data: bytes, flow: Flow) -> None:
        if flow.transport == "UDP":
            self._send_datagram(data, *flow.next_hop)
        elif self._tcp is not None:
            self._tcp.send(data, flow)
        self.trace.add(self._inbox.ring(flow), "out", path_text(flow), data)

    # --- parties -----------------------------------------------------------------------------------------------------

    @property
    def ground(self) -> Ground:
        """What a party works with."""
        return Ground(self._agent, self.peers, self.trace, self._reach, self._leave, self._devices, self._policy)

    def admit(self, party: Party) -> None:
        """Have another user on the sockets; its requests are asked for before a peer's."""
        self._inbox.parties.append(party)

    async def _reach(self, host: str, port: int, transport: Transport) -> Flow:
        if transport == "UDP":
            return self._flow_from(host, port)
        if self._tcp is None:
            raise OSError("this node does not speak SIP over TCP")
        return await self._tcp.connect(host, port)

    def _leave(self, flow: Flow) -> None:
        if self._tcp is not None:
            self._tcp.hang_up(flow)

    def _schedule(self) -> None:
        """Have the transaction layer called when its next timer is due."""
        deadline = self._endpoint.deadline
        if deadline == float("inf"):
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + max(0.0, deadline - monotonic())
        if self._alarm is not None and not self._alarm.cancelled():
            if loop.time() < self._alarm.when() <= due:
                return
            self._alarm.cancel()
        self._alarm = loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._alarm = None
        now = monotonic()
        for event in self._endpoint.tick(now):
            self._inbox.happened(event, now)
        self._agent.flush()

    # --- who comes and goes --------------------------------------------------------------------------------------------

    def _bound(self, peer: PeerState, fresh: bool) -> None:
        self._writer.dirty(peer)
        if not fresh:
            return
        assert peer.flow is not None  # noqa: S101 -- bound just now
        log.info("signal.peer.online", peer=peer.code, at=path_text(peer.flow), agent=peer.user_agent)
        moment = peer.registered_at.isoformat() if peer.registered_at else None
        self._writer.changed(peer, REGISTERED, address=peer.flow.host, instance=self.instance, registered_at=moment)
        self._catalogues.online(peer)
        self._devices.online(peer)

    def _moved(self, peer: PeerState, before: Flow) -> None:
        assert peer.flow is not None  # noqa: S101 -- bound just now
        self._catalogues.offline(peer)
        self._devices.moved(peer)
        if count := self._sparse.count(("moved", peer.id), monotonic()):
            log.warning(
                "signal.peer.moved", peer=peer.code, at=path_text(peer.flow), before=path_text(before), count=count
            )
            self._writer.changed(peer, MOVED, address=peer.flow.host, previous=before.host)

    def _unbound(self, peer: PeerState) -> None:
        log.info("signal.peer.offline", peer=peer.code, reason=peer.reason)
        self._writer.dirty(peer)
        self._writer.changed(peer, OFFLINE, reason=peer.reason)
        self._catalogues.offline(peer)
        self._devices.offline(peer)
        self._calls.offline(peer)

    def _offline(self, peer: PeerState, reason: Any) -> None:
        if self.peers.unbind(peer, reason):
            self._unbound(peer)

    def _connection_lost(self, flow: Flow) -> None:
        for event in self._endpoint.flow_lost(lambda other: other.connection == flow.connection):
            self._inbox.happened(event, monotonic())
        self._agent.flush()
        if self._tcp is None:
            # We are closing it ourselves: the peers did not go.
            return
        for party in self._inbox.parties:
            party.lost(flow)
        for peer in self.peers.on_connection(flow.connection):
            self._offline(peer, "connection_lost")

    def _peers_changed(self, peer: PeerState) -> None:
        if not peer.enabled:
            self._offline(peer, "disabled")

    async def _keep_house(self) -> None:
        swept = monotonic()
        await self._sweep(0.0)
        while True:
            await asyncio.sleep(self._policy.housekeeping)
            now = monotonic()
            for peer, reason in self.peers.overdue(now):
                self._offline(peer, reason)
            self._devices.tick(now)
            if now - swept >= self._policy.dialog_sweep:
                swept = now
                await self._sweep(self._policy.dialog_sweep)
                if self._tcp is not None:
                    self._tcp.idle(now, self._policy.idle_connection)

    async def _sweep(self, older: float) -> None:
        if self._wanted is None:
            if not older:
                await self._calls.sweep(set(), 0.0)
            return
        try:
            wanted = await self._wanted()
        except Exception as error:  # noqa: BLE001 -- whatever the other room's query met; calls wait for the next sweep
            log.warning("signal.sweep.failed", error=type(error).__name__)
            return
        await self._calls.sweep(wanted, older)

    # --- what other roles may ask ------------------------------------------------------------------------------------

    def handlers(self) -> Mapping[str, Callable[..., Awaitable[Any]]]:
        """For the node's control socket."""
        handlers: dict[str, Handler] = {
            "invite": self.invite,
            "steer": self.steer,
            "bye": self.bye,
            "query_catalogue": self.query_catalogue,
            "peers": self.list_peers,
            "trace": self.show_trace,
            "stats": self.stats,
            **self._devices.handlers(),
        }
        return self.instances.passing_on(handlers, self._takeover.whose, self._reach_other)

    async def invite(
        self,
        stream_id: str,
        channel_id: int,
        address: str,
        port: int,
        ssrc: int | str | None = None,
        transport: str = "udp",
        kind: CallKind = "play",
        start: str | None = None,
        end: str | None = None,
        speed: int | None = None,
        profile: int = 0,
    ) -> dict[str, Any]:
        """Have a channel send its live stream, or a recording, to `address:port`; see `Calls.invite`."""
        channel = await self._store.channel(channel_id)
        if channel is None or channel.kind != "device" or channel.gone_at is not None:
            raise problems.channel_unknown()
        peer = self.peers.by_id(channel.peer_id)
        if peer is None:
            raise problems.channel_unknown()
        wanted = int(ssrc) if ssrc is not None and str(ssrc).isascii() and str(ssrc).isdigit() else None
        online = channel.status == "on"
        order = Order(
            str(stream_id),
            channel.code,
            channel.name,
            online,
            address,
            port,
            wanted,
            transport,
            kind,
            None if start is None else datetime.fromisoformat(start),
            None if end is None else datetime.fromisoformat(end),
            speed or 1,
            profile,
        )
        return await self._calls.invite(peer, order)

    async def steer(self, stream_id: str, action: Action, value: float | None = None) -> dict[str, Any]:
        """Pause, resume, wind or speed up a recording; see `Calls.steer`."""
        return await self._calls.steer(str(stream_id), action, value)

    async def bye(self, stream_id: str) -> bool:
        """End a stream's call; False when there is none."""
        return await self._calls.bye(str(stream_id))

    async def query_catalogue(self, peer_id: int) -> dict[str, Any]:
        """Ask a peer for its catalogue now. Raises PeerOffline, UnknownPeer."""
        peer = self.peers.by_id(peer_id)
        if peer is None:
            raise problems.UnknownPeer
        if not peer.online:
            raise problems.PeerOffline(problems.device_offline(peer.name, peer.reason).detail)
        self._catalogues.ask(peer)
        return {"id": peer.id, "state": "asked"}

    async def list_peers(self) -> list[dict[str, Any]]:
        """Live states by id."""
        return [
            {
                "id": peer.id,
                "code": peer.code,
                "state": "online" if peer.online else "offline",
                "reason": peer.reason,
                "address": path_text(peer.flow) if peer.flow else None,
                "registered_at": peer.registered_at,
                "keepalive_at": peer.keepalive_at,
                "calls": sum(1 for call in self._calls.running if call.peer_id == peer.id),
            }
            for peer in self.peers
        ]

    async def show_trace(self, peer_id: int) -> list[dict[str, Any]]:
        """The last messages from and to a peer, oldest first; 0: strangers."""
        return [shown(line) for line in self.trace.of(peer_id)]

    async def stats(self) -> dict[str, Any]:
        """Counters since the start."""
        return {
            **self._inbox.counters,
            "peers": len(self.peers),
            "online": self.peers.online,
            "calls": len(self._calls),
            "connections": len(self._tcp) if self._tcp is not None else 0,
            "datagrams": self._udp.received if self._udp is not None else 0,
            "unsent": self._udp.unsent if self._udp is not None else 0,
            "pending_transactions": self._endpoint.pending,
            "owed": self._writer.pending + self._devices.reports.pending,
            "alarms_dropped": self._devices.reports.dropped,
        }

    @property
    def calls(self) -> list[Call]:
        """Calls that stand."""
        return self._calls.running
