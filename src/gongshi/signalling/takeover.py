"""What changes hands between signalling servers: devices that register elsewhere, devices and calls of one that is gone."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import structlog

from gongshi.kit import clock
from gongshi.protocols.sip import Flow
from gongshi.signalling.calls import Calls
from gongshi.signalling.catalogue import Catalogues
from gongshi.signalling.devices import Devices
from gongshi.signalling.instances import Instances, Taken
from gongshi.signalling.peers import OfflineReason, Peers, PeerState
from gongshi.signalling.store import Store

log = structlog.get_logger(__name__)


class Takeover:
    """Carries out what `Instances` finds out. `here` makes a path that begins at this server."""

    def __init__(
        self,
        peers: Peers,
        store: Store,
        instances: Instances,
        catalogues: Catalogues,
        devices: Devices,
        calls: Calls,
        *,
        here: Callable[[Flow], Flow],
        offline: Callable[[PeerState, OfflineReason], None],
    ) -> None:
        self._peers = peers
        self._store = store
        self._instances = instances
        self._catalogues = catalogues
        self._devices = devices
        self._calls = calls
        self._here = here
        self._offline = offline

    def elsewhere(self, peer: PeerState, moment: datetime) -> None:
        """It registered with another server at that moment; that one tells about it from here on.

        Calls of ours with it go on: they are the device's and ours, wherever it registers. Old news, of before it came
        to us, changes nothing.
        """
        if peer.registered_at is not None and peer.registered_at >= moment:
            return
        if self._peers.unbind(peer, "elsewhere"):
            log.info("signal.peer.elsewhere", peer=peer.code)
            self._catalogues.offline(peer)
            self._devices.offline(peer)

    async def adopt(self, taken: Taken) -> None:
        """Devices of a server that is gone are ours, and are given the time to say something."""
        for peer in await self._store.adopt(taken.peers):
            flow = peer.flow
            if flow is None or flow.transport == "TCP":
                self._offline(peer, "connection_lost")
                continue
            self._peers.move(peer, self._here(flow))
            self._catalogues.online(peer)
            self._devices.online(peer)
        for call in await self._store.calls(taken.calls):
            # The device knows the address of a server that is gone: it could never tell us that it ended the call.
            self._calls.restore(call)
            self._store.call_ended(call, "peer_offline")
            await self._calls.bye(call.stream_id)

    def keep_only(self, peer_ids: set[int]) -> None:
        """We were taken for gone: what others took over is theirs."""
        now = clock.now()
        for peer in self._peers:
            if peer.online and peer.id not in peer_ids:
                self.elsewhere(peer, now)

    async def whose(self, parameters: Mapping[str, Any]) -> str | None:
        """Which other server a call of another role is for, by what it names; None: this one."""
        stream, channel, peer_id = (parameters.get(name) for name in ("stream_id", "channel_id", "peer_id"))
        if stream is not None and channel is None:
            return None if self._calls.has(str(stream)) else await self._store.call_instance(str(stream))
        if channel is not None:
            found = await self._store.channel(int(channel))
            peer_id = found.peer_id if found is not None else None
        peer = self._peers.by_id(int(peer_id)) if peer_id is not None else None
        return None if peer is None or peer.online else await self._instances.owner(peer.id)
