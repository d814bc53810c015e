"""REGISTER and keepalives: proved by digest on every refresh, bounded against floods (gb28181.md §4, §5).

Both are answered without the transaction layer, which would cost more than they do: a repeated REGISTER is answered
from a store of its own, a repeated keepalive is answered like the first.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final, Literal

from gongshi.kit import clock
from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.manscdp import format_sip_date
from gongshi.protocols.sip import (
    Challenge,
    Credentials,
    Flow,
    NonceIssuer,
    NonceState,
)
from gongshi.protocols.sip.transactions import ReplayStore
from gongshi.signalling.asks import Ask
from gongshi.signalling.limits import Buckets
from gongshi.signalling.peers import Peers, PeerState
from gongshi.signalling.policy import Policy

VERSION: Final = ("X-GB-Ver", "3.0")
"""On REGISTER's answers, good or bad (2022 annex I)."""
_VERSION: Final = (VERSION,)
RETRY_AFTER: Final = "30"

Refusal = Literal["unknown", "disabled", "identity", "password", "flood", "elsewhere"]
_KEPT_TEXT: Final = 200


class Registrar:
    """Answers REGISTER; tells `on_bound`, `on_moved` and `on_unbound` what changed and `on_refused` what did not."""

    def __init__(
        self,
        peers: Peers,
        policy: Policy,
        realm: str,
        *,
        on_bound: Callable[[PeerState, bool], None],
        on_unbound: Callable[[PeerState], None],
        on_moved: Callable[[PeerState, Flow], None],
        on_refused: Callable[[str, str, Refusal], None],
    ) -> None:
        self._peers = peers
        self._policy = policy
        self._realm = realm
        self._on_bound = on_bound
        self._on_unbound = on_unbound
        self._on_moved = on_moved
        self._on_refused = on_refused
        self._nonces = NonceIssuer()
        self._sources = Buckets(policy.source_rate, policy.source_burst)
        self._devices = Buckets(policy.device_rate, policy.device_burst)
        self._replay = ReplayStore(policy.timers.limit)

    # --- REGISTER ----------------------------------------------------------------------------------------------------

    def register(self, ask: Ask, host: str, flow: Callable[[], Flow], now: float) -> bytes:
        """The answer's bytes. `host` is where it came from, `flow` makes the path to bind to."""
        code = ask.code
        if not self._sources.take(host, now):
            return self._flooded(ask, host)
        peer = self._peers.get(code)
        if peer is None or not peer.enabled:
            self._on_refused(code, host, "unknown" if peer is None else "disabled")
            return ask.answer(403, _VERSION)
        if ask.authorization is None:
            return self._challenge(ask, host, now)
        known = self._replay.begin(ask.key, now)
        if known:
            return known
        answer = self._proved(ask, ask.authorization, peer, host, flow, now)
        self._replay.finish(ask.key, answer, now)
        return answer

    def _flooded(self, ask: Ask, host: str) -> bytes:
        self._on_refused(ask.code, host, "flood")
        return ask.answer(503, [("Retry-After", RETRY_AFTER), VERSION])

    def _challenge(self, ask: Ask, host: str, now: float, *, stale: bool = False) -> bytes:
        """A nonce, which is what is rationed: the answer to it is free, or a hasty device would never get in again."""
        if not self._devices.take((host, ask.code), now):
            return self._flooded(ask, host)
        challenge = Challenge(self._realm, self._nonces.issue(host, now), stale=stale)
        return ask.answer(401, [("WWW-Authenticate", challenge.header()), VERSION])

    def _proved(self, ask: Ask, given: str, peer: PeerState, host: str, flow: Callable[[], Flow], now: float) -> bytes:
        try:
            proof = Credentials.parse(given)
        except RemoteProtocolError as error:
            return self._challenge(ask, host, now) if error.hint_status == 401 else ask.answer(400, _VERSION)
        if proof.username != peer.code or ask.sender != peer.code:
            self._on_refused(peer.code, host, "identity")
            return ask.answer(403, _VERSION)
        if self._nonces.spend(proof.nonce, host, now) is not NonceState.GOOD:
            return self._challenge(ask, host, now, stale=True)
        if proof.algorithm != "MD5" or not proof.verify("REGISTER", peer.ha1):
            self._on_refused(peer.code, host, "password")
            return ask.answer(403, _VERSION)
        return self._accept(ask, peer, flow(), now)

    def _accept(self, ask: Ask, peer: PeerState, flow: Flow, now: float) -> bytes:
        policy = self._policy
        wanted = ask.expires
        moment = clock.now()
        date = ("Date", format_sip_date(moment))
        if wanted == 0:
            if self._peers.unbind(peer, "unregistered"):
                self._on_unbound(peer)
            return ask.answer(200, [date, ("Expires", "0"), VERSION])
        granted = min(max(wanted or policy.expires_default, policy.expires_minimum), policy.expires_maximum)
        peer.registered_at = moment
        peer.expires_at = moment + timedelta(seconds=granted)
        peer.contact = _kept(ask.contact)
        peer.call_id = _kept(ask.call_id)
        peer.version = _kept(ask.version)
        peer.user_agent = _kept(ask.user_agent)
        before = peer.flow if peer.online else None
        fresh = self._peers.bind(peer, flow, now + granted, now)
        self._on_bound(peer, fresh)
        if before is not None and before.host != flow.host:
            # Proved by its password, so the latest one holds; two devices under one code show as moves to and fro.
            self._on_moved(peer, before)
        headers = [date, ("Expires", str(granted)), VERSION]
        if ask.contact_uri is not None:
            headers.insert(0, ("Contact", f"{ask.contact_uri};expires={granted}"))
        return ask.answer(200, headers)

    def heard(self, code: str, host: str, port: int, now: float) -> bool:
        """Count a keepalive that came by UDP from exactly the bound address; False: ask `keepalive`."""
        peer = self._peers.get(code)
        if peer is None or not peer.online or not peer.enabled:
            return False
        flow = peer.flow
        if flow is None or flow.port != port or flow.host != host or flow.transport != "UDP":
            return False
        peer.seen = now
        peer.keepalive_at = clock.now()
        return True

    # --- keepalive ---------------------------------------------------------------------------------------------------

    def keepalive(self, code: str, flow: Flow, now: float) -> int:
        """The status to answer a keepalive with, which counts only when it is 200 (§4.5, §5).

        From another port of the same address it counts as the same device behind a NAT that moved it (Q-01), but only
        once the bound port has been quiet for half an interval: who merely shares the address cannot take over.
        From another address it must register again.
        """
        peer = self._peers.get(code)
        if peer is None or not peer.online or not peer.enabled:
            return 403
        if not peer.same_path(flow):
            own = peer.flow
            moved = own is not None and own.transport == flow.transport == "UDP" and own.host == flow.host
            if not moved or now - peer.seen < peer.interval / 2:
                self._on_refused(code, flow.host, "elsewhere")
                return 403
            self._peers.move(peer, flow)
            self._on_bound(peer, False)
        peer.seen = now
        peer.keepalive_at = clock.now()
        return 200


def _kept(value: str | None) -> str | None:
    return value[:_KEPT_TEXT] if value else None
