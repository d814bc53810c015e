"""REGISTER and keepalives: proved by digest on every refresh, bounded against floods (gb28181.md §4, §5).

Both are answered without the transaction layer, which would cost more than they do: a repeated REGISTER is answered
from a store of its own, a repeated keepalive is answered like the first.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Literal

from gongshi.kit import clock
from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import format_sip_date
from gongshi.protocols.sip import (
    Challenge,
    Credentials,
    Flow,
    NameAddr,
    NonceIssuer,
    NonceState,
    Request,
    Response,
    readable,
)
from gongshi.protocols.sip.transactions import ReplayStore, server_key
from gongshi.signalling.limits import Buckets
from gongshi.signalling.peers import Peers, PeerState
from gongshi.signalling.policy import Policy

VERSION: Final = ("X-GB-Ver", "3.0")
"""On REGISTER's answers, good or bad (2022 annex I)."""
RETRY_AFTER: Final = "30"

Refusal = Literal["unknown", "disabled", "identity", "password", "flood", "elsewhere"]
Headers = list[tuple[str, str]]

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

    def register(self, request: Request, flow: Flow, now: float) -> bytes:
        """The answer's bytes. Raises RemoteProtocolError for what cannot be read."""
        request.stamp_source(flow.host, flow.port)
        code = request.to.user
        if not self._sources.take(flow.host, now):
            return self._flooded(request, flow)
        peer = self._peers.get(code)
        if peer is None or not peer.enabled:
            self._on_refused(code, flow.host, "unknown" if peer is None else "disabled")
            return _answer(request, 403)
        given = request.headers.get("Authorization")
        if given is None:
            return self._challenge(request, flow, now)
        key = server_key(request, flow.host)
        known = self._replay.begin(key, now)
        if known:
            return known
        answer = self._proved(request, given, peer, flow, now)
        self._replay.finish(key, answer, now)
        return answer

    def _flooded(self, request: Request, flow: Flow) -> bytes:
        self._on_refused(request.to.user, flow.host, "flood")
        return _answer(request, 503, [("Retry-After", RETRY_AFTER)])

    def _challenge(self, request: Request, flow: Flow, now: float, *, stale: bool = False) -> bytes:
        """A nonce, which is what is rationed: the answer to it is free, or a hasty device would never get in again."""
        if not self._devices.take((flow.host, request.to.user), now):
            return self._flooded(request, flow)
        challenge = Challenge(self._realm, self._nonces.issue(flow.host, now), stale=stale)
        return _answer(request, 401, [("WWW-Authenticate", challenge.header())])

    def _proved(self, request: Request, given: str, peer: PeerState, flow: Flow, now: float) -> bytes:
        try:
            proof = Credentials.parse(given)
        except RemoteProtocolError as error:
            return self._challenge(request, flow, now) if error.hint_status == 401 else _answer(request, 400)
        if proof.username != peer.code or request.from_.user != peer.code:
            self._on_refused(peer.code, flow.host, "identity")
            return _answer(request, 403)
        if self._nonces.spend(proof.nonce, flow.host, now) is not NonceState.GOOD:
            return self._challenge(request, flow, now, stale=True)
        if proof.algorithm != "MD5" or not proof.verify("REGISTER", peer.ha1):
            self._on_refused(peer.code, flow.host, "password")
            return _answer(request, 403)
        return self._accept(request, peer, flow, now)

    def _accept(self, request: Request, peer: PeerState, flow: Flow, now: float) -> bytes:
        policy = self._policy
        wanted = request.expires
        moment = clock.now()
        date = ("Date", format_sip_date(moment))
        if wanted == 0:
            if self._peers.unbind(peer, "unregistered"):
                self._on_unbound(peer)
            return _answer(request, 200, [date, ("Expires", "0")])
        granted = min(max(wanted or policy.expires_default, policy.expires_minimum), policy.expires_maximum)
        self._note(request, peer, moment, granted)
        before = peer.flow if peer.online else None
        fresh = self._peers.bind(peer, flow, now + granted, now)
        self._on_bound(peer, fresh)
        if before is not None and before.host != flow.host:
            # Proved by its password, so the latest one holds; two devices under one code show as moves to and fro.
            self._on_moved(peer, before)
        headers: Headers = [date, ("Expires", str(granted))]
        contact = _contact(request, granted)
        if contact:
            headers.insert(0, ("Contact", contact))
        return _answer(request, 200, headers)

    @staticmethod
    def _note(request: Request, peer: PeerState, moment: datetime, granted: int) -> None:
        peer.registered_at = moment
        peer.expires_at = moment + timedelta(seconds=granted)
        peer.contact = _text(request.headers.get("Contact"))
        peer.call_id = _text(request.headers.get("Call-ID"))
        peer.version = _text(request.gb_version)
        peer.user_agent = _text(request.headers.get("User-Agent"))

    def heard(self, code: str, host: str, port: int, now: float) -> PeerState | None:
        """Count a keepalive that came by UDP from exactly the bound address; None: ask `keepalive`."""
        peer = self._peers.get(code)
        if peer is None or not peer.online or not peer.enabled:
            return None
        flow = peer.flow
        if flow is None or flow.port != port or flow.host != host or flow.transport != "UDP":
            return None
        peer.seen = now
        peer.keepalive_at = clock.now()
        return peer

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


def _answer(request: Request, status: int, headers: Headers | None = None) -> bytes:
    return Response.to_request(request, status, headers=[*(headers or ()), VERSION]).to_bytes()


def _contact(request: Request, granted: int) -> str | None:
    contact = request.contact
    if contact is None:
        return None
    try:
        return f"{NameAddr(contact.uri)};expires={granted}"
    except LocalProtocolError:
        return None


def _text(value: str | None) -> str | None:
    return readable(value)[:_KEPT_TEXT] if value else None
