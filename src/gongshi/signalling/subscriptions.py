"""Our subscriptions to peers: asked, refreshed, recovered, ended (GB/T 28181 §9.11; gb28181.md §14).

No task runs per subscription: a time line tells which one is due, answers come by callback.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any, Final, Literal, get_args

import structlog

from gongshi.kit import clock
from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.manscdp import AlarmQuery, CatalogQuery, MobilePositionQuery, PtzPositionQuery
from gongshi.protocols.sip import Request, RequestFailed, ResponseReceived, Subscription, Uri, new_request
from gongshi.signalling.agent import USER_AGENT, Agent
from gongshi.signalling.exchanges import Sendable, charset_of
from gongshi.signalling.peers import Peers, PeerState
from gongshi.signalling.policy import Policy
from gongshi.signalling.queries import is_platform

log = structlog.get_logger(__name__)

Package = Literal["catalogue", "alarm", "mobile_position", "ptz_position"]
PACKAGES: Final[tuple[Package, ...]] = get_args(Package)
_RECORDERS: Final = frozenset({"111", "112", "113", "117", "118", "130"})
"""Devices with channels of their own: subscribed to like platforms."""
_AT_ONCE: Final = 50
"""Requests per round: a restart brings thousands."""
_SPREAD: Final = 2.0
_ids: Final = itertools.count(random.randrange(1, 100_000))  # noqa: S311 -- tells subscriptions apart, secret to nobody

Changed = Callable[[int, Mapping[str, Any]], None]
"""(peer, row of `signalling.subscription`): the state of one has changed."""


@dataclass(slots=True, eq=False)
class Watch:
    """One package at one peer."""

    peer: PeerState
    package: Package
    subscription: Subscription
    interval: int | None = None
    notified: float | None = None
    token: int | None = None
    planned: float = float("inf")
    """When the time line will look at it."""


class Subscriptions:
    """All of them, by peer and package."""

    def __init__(self, agent: Agent, peers: Peers, policy: Policy, changed: Changed) -> None:
        self._agent = agent
        self._peers = peers
        self._policy = policy
        self._changed = changed
        self._chosen: dict[tuple[int, Package], tuple[bool, int | None]] = {}
        self._watches: dict[int, dict[Package, Watch]] = {}
        self._timeline: list[tuple[float, int, Watch]] = []
        self._order = itertools.count()
        self._random = random.Random()  # noqa: S311 -- spreads load, decides nothing

    # --- what is wanted ----------------------------------------------------------------------------------------------

    def load(self, chosen: Mapping[tuple[int, Package], tuple[bool, int | None]]) -> None:
        """What people chose, as the database keeps it."""
        self._chosen = dict(chosen)

    def wanted(self, peer: PeerState) -> dict[Package, int | None]:
        """Packages to subscribe to, with the interval: what people chose, else the policy's for whoever has channels.

        Positions of mobile devices are followed only where somebody chose so for the peer.
        """
        by_default = is_platform(peer) or peer.code[10:13] in _RECORDERS
        found: dict[Package, int | None] = {}
        for package in PACKAGES:
            on, interval = self._chosen.get(
                (peer.id, package), (by_default and package in self._policy.subscribe, None)
            )
            if on:
                found[package] = interval
        return found

    def choose(self, peer: PeerState, package: Package, on: bool, interval: int | None, now: float) -> None:
        """Somebody's wish for a peer; carried out at once when it is online."""
        self._chosen[(peer.id, package)] = (on, interval)
        watch = self._watches.get(peer.id, {}).get(package)
        if watch is not None and (not on or watch.interval != interval):
            self._end(watch, now)
        if on and peer.online:
            self._begin(peer, package, interval, now)

    def of(self, peer_id: int) -> Iterator[Watch]:
        """Those of a peer."""
        return iter(self._watches.get(peer_id, {}).values())

    # --- peers come and go -------------------------------------------------------------------------------------------

    def online(self, peer: PeerState, now: float) -> None:
        """A peer came; whatever it knew of us before is asked for anew."""
        for package, interval in self.wanted(peer).items():
            self._begin(peer, package, interval, now + self._random.uniform(0, _SPREAD) * bool(self._watches))

    def offline(self, peer: PeerState, now: float) -> None:
        """A peer went, or went elsewhere."""
        for watch in self._watches.pop(peer.id, {}).values():
            self._forget(watch)
            watch.subscription.lost(now)
            self._tell(watch)

    def _begin(self, peer: PeerState, package: Package, interval: int | None, due: float) -> None:
        watches = self._watches.setdefault(peer.id, {})
        if package in watches:
            return
        event = f"Catalog;id={next(_ids)}" if package == "catalogue" else "presence"
        subscription = Subscription(event, self._policy.subscription_expires)
        watch = watches[package] = Watch(peer, package, subscription, interval)
        self._plan(watch, due)

    def _end(self, watch: Watch, now: float) -> None:
        self._watches.get(watch.peer.id, {}).pop(watch.package, None)
        request = watch.subscription.stop()
        if request is not None and watch.peer.online and watch.peer.flow is not None:
            self._send(watch, request)
        self._tell(watch)

    # --- time --------------------------------------------------------------------------------------------------------

    def _plan(self, watch: Watch, due: float) -> None:
        watch.planned = due
        if due < float("inf"):
            heapq.heappush(self._timeline, (due, next(self._order), watch))

    def tick(self, now: float) -> None:
        """Ask and refresh what is due; a limited number per round."""
        done = 0
        while self._timeline and self._timeline[0][0] <= now and done < _AT_ONCE:
            due, _, watch = heapq.heappop(self._timeline)
            current = self._watches.get(watch.peer.id, {}).get(watch.package)
            if current is not watch or due != watch.planned or watch.token is not None:
                continue
            self._ask(watch, now)
            done += 1

    def _ask(self, watch: Watch, now: float) -> None:
        peer = watch.peer
        if not peer.online or peer.flow is None:
            return
        flow = peer.flow
        first = new_request(
            "SUBSCRIBE",
            Uri.of(peer.code, flow.host, flow.port),
            self._agent.own,
            Uri.of(peer.code, peer.code[:10]),
            cseq=peer.next_sn() % 1_000_000 + 1,
            contact=self._agent.contact(flow),
            headers=(("User-Agent", USER_AGENT),),
        )
        try:
            body = _body(watch).to_bytes(peer.edition, charset_of(peer))
            request = watch.subscription.ask(first, body)
        except ProtocolError as error:
            # Not in the peer's edition: nothing to ask for.
            log.info("signal.subscription.impossible", peer=peer.code, package=watch.package, error=str(error))
            watch.subscription.failed(now)
            watch.planned = float("inf")
            self._tell(watch)
            return
        self._send(watch, request)

    def _send(self, watch: Watch, request: Request) -> None:
        flow = watch.peer.flow
        if flow is None:
            return
        self._forget(watch)
        try:
            watch.token = self._agent.start(request, flow, lambda event: self._answered(watch, event))
        except ProtocolError as error:
            log.warning("signal.subscription.unsent", peer=watch.peer.code, error=str(error))

    def _forget(self, watch: Watch) -> None:
        if watch.token is not None:
            self._agent.forget(watch.token)
            watch.token = None

    def _answered(self, watch: Watch, event: ResponseReceived | RequestFailed) -> None:
        now = monotonic()
        subscription = watch.subscription
        if isinstance(event, RequestFailed):
            watch.token = None
            subscription.failed(now)
        elif event.response.status < 200:
            return
        else:
            self._forget(watch)
            subscription.answered(event.response, now)
            if event.response.status >= 300:
                log.info(
                    "signal.subscription.refused",
                    peer=watch.peer.code,
                    package=watch.package,
                    status=event.response.status,
                )
        if subscription.unwanted:
            request = subscription.stop() if subscription.standing else None
            if request is not None:
                self._send(watch, request)
        else:
            self._plan(watch, subscription.due)
        self._tell(watch)

    # --- what comes in -----------------------------------------------------------------------------------------------

    def notified(self, peer: PeerState, request: Request, now: float) -> tuple[int, Watch | None]:
        """A NOTIFY of a peer: the status to answer, and what it belongs to. 481 ends what the peer should not have."""
        for watch in self.of(peer.id):
            subscription = watch.subscription
            if not subscription.matches(request):
                continue
            status = subscription.notified(request, now)
            if status == 481:
                # It overtook the answer to its SUBSCRIBE.
                status = 200
            watch.notified = now
            if subscription.state == "waiting":
                self._plan(watch, subscription.due)
                self._tell(watch)
            return status, watch
        return 481, None

    def _tell(self, watch: Watch) -> None:
        subscription = watch.subscription
        self._changed(
            watch.peer.id,
            {
                "package": watch.package,
                "state": subscription.state,
                "refusal": subscription.refusal,
                "until": clock.now() + timedelta(seconds=subscription.until - monotonic())
                if subscription.standing
                else None,
            },
        )

    def shown(self, peer: PeerState) -> Sequence[dict[str, Any]]:
        """Every package of a peer, for its page."""
        wanted, now = self.wanted(peer), monotonic()
        standing = self._watches.get(peer.id, {})
        return [
            _shown(package, package in wanted, wanted.get(package), standing.get(package), now) for package in PACKAGES
        ]


def _shown(package: Package, on: bool, interval: int | None, watch: Watch | None, now: float) -> dict[str, Any]:
    subscription = watch.subscription if watch is not None else None
    left = round(subscription.until - now) if subscription is not None and subscription.standing else None
    heard = watch.notified if watch is not None else None
    return {
        "package": package,
        "on": on,
        "interval": interval,
        "state": subscription.state if subscription is not None else "idle",
        "refusal": subscription.refusal if subscription is not None else None,
        "seconds_left": left,
        "notified_seconds_ago": round(now - heard) if heard is not None else None,
    }


def _body(watch: Watch) -> Sendable:
    peer = watch.peer
    sn = peer.next_sn()
    match watch.package:
        case "catalogue":
            return CatalogQuery(peer.code, sn)
        case "alarm":
            return AlarmQuery(peer.code, sn)
        case "mobile_position":
            return MobilePositionQuery(peer.code, sn, watch.interval or 5)
        case "ptz_position":
            return PtzPositionQuery(peer.code, sn)
