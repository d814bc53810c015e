"""REGISTER and keepalives: proved by digest on every refresh, bounded against floods (gb28181.md §4, §5).

Both are answered without the transaction layer, which would cost more than they do: a repeated REGISTER is answered
from a store of its own, a repeated keepalive is answered like the first.
"""

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
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
from gongshi.signalling.asks import Ask
from gongshi.signalling.fast import read_proof
from gongshi.signalling.limits import Buckets, Memory
from gongshi.signalling.peers import Peers, PeerState
from gongshi.signalling.policy import Policy

VERSION: Final = "X-GB-Ver: 3.0\r\n"
"""On REGISTER's answers, good or bad (2022 annex I)."""
_BUSY: Final = f"Retry-After: 30\r\n{VERSION}"

Refusal = Literal["unknown", "disabled", "identity", "password", "flood", "elsewhere"]
Path = Flow | Callable[[str, int], Flow]
"""What a request came over; for a datagram the making of it, which most need not."""
Outcome = tuple[int, str, int | None]
"""(status, header lines, seconds granted): what the answer to a proof is made of, whoever asks."""
_KEPT_TEXT: Final = 200
_REMEMBERED: Final = 100_000


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
        self._on_bound = on_bound
        self._on_unbound = on_unbound
        self._on_moved = on_moved
        self._on_refused = on_refused
        self._nonces = NonceIssuer()
        self._fresh, self._stale = (_challenge_lines(realm, stale=stale) for stale in (False, True))
        self._sources = Buckets(policy.source_rate, policy.source_burst)
        self._devices = Buckets(policy.device_rate, policy.device_burst)
        self._replay: Memory[Outcome] = Memory(policy.timers.limit, _REMEMBERED)
        self._now = float("-inf")
        self._moment = clock.now()
        self._date = ""
        self._ends: dict[int, datetime] = {}
        self._outcomes: dict[int, Outcome] = {}

    def _look(self, now: float) -> datetime:
        """The time of day. A batch of messages has one `now` and needs one look at the clock."""
        if now != self._now:
            self._now, self._moment, self._date = now, clock.now(), ""
            self._ends, self._outcomes = {}, {}
        return self._moment

    # --- REGISTER ----------------------------------------------------------------------------------------------------

    def register(self, ask: Ask, host: str, port: int, path: Path, now: float) -> bytes:
        """The answer's bytes. `host` and `port` are where it came from."""
        if not self._sources.take(host, now):
            # One entry for the source: it may name any number of devices.
            return self._flooded(ask, "*", host)
        code = ask.code
        peer = self._peers.get(code)
        if peer is None or not peer.enabled:
            self._on_refused(code, host, "unknown" if peer is None else "disabled")
            return ask.answer(403, VERSION)
        given = ask.authorization
        if given is None:
            return self._challenge(ask, host, now)
        key = hash(ask.key)
        outcome = self._replay.get(key, now)
        if outcome is None:
            outcome = self._proved(ask, given, peer, host, port, path, now)
            if isinstance(outcome, bool):
                return self._challenge(ask, host, now, stale=outcome)
            self._replay.put(key, outcome, now)
        status, more, granted = outcome
        if granted is not None and (uri := ask.contact_uri) is not None:
            more = f"Contact: {uri};expires={granted}\r\n{more}"
        return ask.answer(status, more)

    def _flooded(self, ask: Ask, code: str, host: str) -> bytes:
        self._on_refused(code, host, "flood")
        return ask.answer(503, _BUSY)

    def _challenge(self, ask: Ask, host: str, now: float, *, stale: bool = False) -> bytes:
        """A nonce, which is what is rationed: the answer to it is free, or a hasty device would never get in again."""
        if not self._devices.take((host, ask.code), now):
            return self._flooded(ask, ask.code, host)
        before, after = self._stale if stale else self._fresh
        return ask.answer(401, f"{before}{self._nonces.issue(host, now)}{after}")

    def _proved(
        self, ask: Ask, given: str, peer: PeerState, host: str, port: int, path: Path, now: float
    ) -> Outcome | bool:
        """What comes of a proof, or that it needs another nonce: True because it is stale."""
        proof = read_proof(given)
        if proof is None:
            try:
                proof = Credentials.parse(given)
            except RemoteProtocolError as error:
                return False if error.hint_status == 401 else (400, VERSION, None)
        if proof.username != peer.code or ask.sender != peer.code:
            self._on_refused(peer.code, host, "identity")
            return 403, VERSION, None
        if self._nonces.spend(proof.nonce, host, now) is not NonceState.GOOD:
            return True
        if proof.algorithm != "MD5" or not proof.verify("REGISTER", peer.ha1):
            self._on_refused(peer.code, host, "password")
            return 403, VERSION, None
        return self._accept(ask, peer, host, port, path, now)

    def _accept(self, ask: Ask, peer: PeerState, host: str, port: int, path: Path, now: float) -> Outcome:
        policy = self._policy
        wanted = ask.expires
        moment = self._look(now)
        if not self._date:
            self._date = f"Date: {format_sip_date(moment)}\r\n"
        if wanted == 0:
            if self._peers.unbind(peer, "unregistered"):
                self._on_unbound(peer)
            return 200, f"{self._date}Expires: 0\r\n{VERSION}", None
        granted = min(max(wanted or policy.expires_default, policy.expires_minimum), policy.expires_maximum)
        outcome = self._outcomes.get(granted)
        if outcome is None:
            outcome = self._outcomes[granted] = (200, f"{self._date}Expires: {granted}\r\n{VERSION}", granted)
            self._ends[granted] = moment + timedelta(seconds=granted)
        peer.registered_at = moment
        peer.expires_at = self._ends[granted]
        peer.contact = _kept(ask.contact)
        peer.call_id = _kept(ask.call_id)
        peer.version = _shared(ask.version, peer.version)
        peer.user_agent = _shared(ask.user_agent, peer.user_agent)
        before = peer.flow if peer.online else None
        if isinstance(path, Flow):
            flow = path
        elif before is not None and before.port == port and before.host == host and before.transport == "UDP":
            flow = before
        else:
            flow = path(host, port)
        fresh = self._peers.bind(peer, flow, now + granted, now)
        self._on_bound(peer, fresh)
        if before is not None and before.host != flow.host:
            # Proved by its password, so the latest one holds; two devices under one code show as moves to and fro.
            self._on_moved(peer, before)
        return outcome

    def heard(self, code: str, host: str, port: int, now: float) -> bool:
        """Count a keepalive that came by UDP from exactly the bound address; False: ask `keepalive`."""
        peer = self._peers.get(code)
        if peer is None or not peer.online or not peer.enabled:
            return False
        flow = peer.flow
        if flow is None or flow.port != port or flow.host != host or flow.transport != "UDP":
            return False
        peer.seen = now
        peer.keepalive_at = self._look(now)
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
        elif peer.flow is not None and peer.flow.proxy != flow.proxy:
            # The same device, but by way of another proxy.
            self._peers.move(peer, flow)
        peer.seen = now
        peer.keepalive_at = self._look(now)
        return 200


def _challenge_lines(realm: str, *, stale: bool) -> tuple[str, str]:
    """The header lines of a 401 before and after the nonce."""
    before, _, after = Challenge(realm, "\0", stale=stale).header().partition("\0")
    return f"WWW-Authenticate: {before}", f"{after}\r\n{VERSION}"


def _kept(value: str | None) -> str | None:
    return value[:_KEPT_TEXT] if value else None


def _shared(value: str | None, before: str | None) -> str | None:
    """The same text as before rather than another copy, or one copy for all peers that say the same."""
    if value == before:
        return before
    return sys.intern(value[:_KEPT_TEXT]) if value else None
