"""Our registration with one upper: register, answer challenges, stay, come back (GB/T 28181 §9.1, §9.6; §13.1)."""

import asyncio
import contextlib
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Final

import structlog

from gongshi.kit import clock
from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import ProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import Keepalive, parse_time, version_edition
from gongshi.protocols.sip import (
    MANSCDP,
    Challenge,
    Flow,
    Request,
    Response,
    Uri,
    authorized,
    new_call_id,
    new_request,
)
from gongshi.signalling.agent import USER_AGENT, NoAnswer
from gongshi.signalling.party import Ground
from gongshi.signalling.uppers.account import Account
from gongshi.signalling.uppers.states import ONLINE, Signal, State, follow

log = structlog.get_logger(__name__)

VERSION: Final = "3.0"
_GONE: Final = frozenset({403, 500})
"""What a redirected registration is answered when it is no good any more (22 §9.1.2.3)."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Times are seconds. `scale` shortens what the account says, for tests."""

    answer: float = 8.0
    """How long a REGISTER or keepalive waits for its answer."""
    goodbye: float = 2.0
    refresh_at: float = 0.8
    """The part of Expires after which it is renewed."""
    jitter: float = 0.25
    longest: float = 900.0
    """Between attempts, however often they fail."""
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class _Aim:
    """Where to register."""

    code: str
    domain: str
    host: str
    port: int


class _Refused(Exception):
    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class _Redirected(Exception):
    def __init__(self, aim: _Aim) -> None:
        super().__init__("redirected")
        self.aim = aim


class Link:
    """One upper's registration. `changed` hears of every new state."""

    def __init__(self, account: Account, ground: Ground, pace: Pace, changed: "Callable[[Link], None]") -> None:
        self.account = account
        self._ground = ground
        self._pace = pace
        self._changed = changed
        self._home = _Aim(account.code, account.domain, account.host, account.port)
        self._aim = self._home
        self._call_id = new_call_id(account.own_code[:10])
        self._cseq = random.randint(1, 10_000)  # noqa: S311 -- where a count begins, no secret
        self._sn = random.randint(1, 1_000_000)  # noqa: S311 -- as above
        self._learned: tuple[str, int] | None = None
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.state: State = "off"
        self.reason: str | None = None
        self.state_at: datetime = clock.now()
        self.flow: Flow | None = None
        self.registered_at: datetime | None = None
        self.keepalive_at: datetime | None = None
        self.expires: int = 0
        self.version: str | None = None
        self.clock_offset: float | None = None
        """Seconds that the upper's Date is ahead of us; told to people, our clock is not set by it."""

    # --- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._move("start")
        self._task = asyncio.create_task(self._run(), name=f"upper-{self.account.code}")

    async def stop(self, *, farewell: bool = True) -> None:
        """End the registration, with Expires 0 when it stands."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        flow = self.flow
        if farewell and self.online and flow is not None:
            with contextlib.suppress(_Refused, _Redirected, NoAnswer, ProtocolError):
                await self._exchange(flow, 0, self._pace.goodbye)
        self._move("stop")
        self._hang_up()

    @property
    def online(self) -> bool:
        """Registered, as far as we know."""
        return self.state in ONLINE

    @property
    def edition(self) -> Edition:
        """Which edition to speak to it (§4.3)."""
        return self.account.edition or version_edition(self.version)

    def lost(self, flow: Flow) -> None:
        """A TCP connection closed."""
        if self.flow is not None and flow.connection and self.flow.connection == flow.connection:
            self.flow = None
            self._lost.set()

    def _move(self, signal: Signal, reason: str | None = None) -> None:
        before, self.state = self.state, follow(self.state, signal)
        self.reason = reason
        if before != self.state or reason:
            self.state_at = clock.now()
            self._changed(self)

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self._register()
                failures = 0
                await self._stay()
            except _Refused as error:
                self._move("refuse", error.reason)
                self._aim = self._home
            except (NoAnswer, OSError, TimeoutError) as error:
                self._move("silence", "unreachable" if isinstance(error, OSError) else "no_answer")
                self._aim = self._home
            except ProtocolError as error:
                self._move("refuse", f"unreadable: {error}"[:200])
            except Exception:
                # A fault of ours must not end the cascade for good: it is tried again like any failure.
                log.exception("signal.upper.crashed", upper=self.account.code)
                self.state, self.reason = "failing", "internal"
                self._changed(self)
            if self.state == "failing":
                failures += 1
                await asyncio.sleep(self._pause(failures))
                self._move("start")
            else:
                # Lost a moment ago: the first attempt comes at once, but not all uppers' at the same instant.
                await asyncio.sleep(random.uniform(0.0, self._pace.jitter))  # noqa: S311 -- spreading load, no secret

    def _pause(self, failures: int) -> float:
        """At least the configured seconds (60 by the standard), doubling, with jitter (§4.1)."""
        least = self.account.retry * self._pace.scale
        longest = max(least, self._pace.longest * self._pace.scale)
        pause = min(longest, least * 2 ** min(failures - 1, 10))
        return pause * (1.0 + random.uniform(0.0, self._pace.jitter))  # noqa: S311 -- spreading load, no secret

    # --- registering -------------------------------------------------------------------------------------------------

    async def _register(self) -> None:
        for _ in range(2):
            flow = await self._path()
            try:
                response = await self._exchange(flow, self.account.expires, self._pace.answer)
            except _Redirected as redirected:
                if self._aim != self._home:
                    raise _Refused("redirected_twice", 302) from None
                self._move("redirect")
                self._hang_up()
                self._aim = redirected.aim
                continue
            except _Refused as error:
                if self._aim != self._home and error.status in _GONE:
                    # Back to the redirect server, which may know a better one (22 §9.1.2.3).
                    self._aim = self._home
                raise
            if self._note(flow, response):
                # It sees us at another address than we said: say so, that its requests find us.
                response = await self._exchange(flow, self.account.expires, self._pace.answer)
                self._note(flow, response)
            self._move("accept")
            return
        raise _Refused("redirected_twice", 302)

    async def _path(self) -> Flow:
        """The path to the upper; a TCP connection that stands is used again."""
        host = await self._resolve(self._aim.host)
        flow = self.flow
        if flow is not None and flow.transport == "TCP" and flow.host == host:
            return flow
        self._lost.clear()
        self.flow = await self._ground.reach(host, self._aim.port, self.account.transport)
        return self.flow

    async def _resolve(self, host: str) -> str:
        loop = asyncio.get_running_loop()
        family = socket.AF_UNSPEC
        async with asyncio.timeout(5):
            found = await loop.getaddrinfo(host, self._aim.port, family=family, type=socket.SOCK_DGRAM)
        return str(found[0][4][0])

    async def _exchange(self, flow: Flow, expires: int, within: float) -> Response:
        """REGISTER, challenge, REGISTER; the 200. Raises _Refused, _Redirected, NoAnswer."""
        request = self._registering(flow, expires)
        response = await self._ground.agent.ask(request, flow, within)
        for _ in range(2):
            if response.status != 401:
                break
            if expires:
                self._move("challenge")
            self._check_realm(response)
            request = authorized(request, response, self.account.username, self.account.password)
            self._cseq = request.cseq.number
            response = await self._ground.agent.ask(request, flow, within)
            if response.status == 401 and not _stale(response):
                raise _Refused("credentials", 401)
        return self._judge(response)

    def _judge(self, response: Response) -> Response:
        if response.status == 302:
            raise _Redirected(self._target(response))
        if not 200 <= response.status < 300:
            raise _Refused(f"{response.status} {response.reason}"[:100], response.status)
        return response

    def _check_realm(self, response: Response) -> None:
        wanted = self.account.realm
        if not wanted:
            return
        for value in response.headers.all("WWW-Authenticate"):
            with contextlib.suppress(RemoteProtocolError):
                if Challenge.parse(value).realm == wanted:
                    return
        raise _Refused("realm", 401)

    def _registering(self, flow: Flow, expires: int) -> Request:
        account = self.account
        self._cseq += 1
        own = Uri.of(account.own_code, account.own_code[:10])
        return new_request(
            "REGISTER",
            Uri.of(self._aim.code, self._aim.domain),
            own,
            own,
            call_id=self._call_id,
            cseq=self._cseq,
            contact=self.contact(flow),
            headers=(("Expires", str(expires)), ("X-GB-Ver", VERSION), ("User-Agent", USER_AGENT)),
        )

    def _target(self, response: Response) -> _Aim:
        """Where a 302 leads; only where the operator said it may."""
        contact = response.contact
        if contact is None or self.account.edition == Edition.E2016:
            raise _Refused("redirect_unreadable", 302)
        host, port = contact.uri.host, contact.uri.port or 5060
        if f"{host}:{port}" not in self.account.redirects:
            raise _Refused(f"redirect_untrusted {host}:{port}"[:100], 302)
        code = contact.uri.user or self._home.code
        return _Aim(code, code[:10], host, port)

    def contact(self, flow: Flow) -> Uri:
        """Where the upper reaches us: as configured, as it told us, or as our socket says."""
        if self.account.contact:
            host, _, port = self.account.contact.rpartition(":")
            return Uri.of(self.account.own_code, host, int(port))
        if self._learned is not None:
            return Uri.of(self.account.own_code, *self._learned)
        standard = self._ground.agent.contact(flow)
        return Uri.of(self.account.own_code, standard.host, standard.port)

    def _note(self, flow: Flow, response: Response) -> bool:
        """Take over what a 200 says; True when it sees us elsewhere than our Contact says."""
        granted = response.expires
        self.expires = min(granted, self.account.expires) if granted else self.account.expires
        self.version = response.gb_version
        self.registered_at = self.keepalive_at = clock.now()
        date = parse_time(response.headers.get("Date"))
        self.clock_offset = (date - clock.now()).total_seconds() if date is not None else None
        if self.account.contact:
            return False
        via = response.via
        seen = via.received if via is not None else None
        if seen is None:
            return False
        contact = self.contact(flow)
        # Over TCP the port is that of one connection, which nobody can call.
        port = seen[1] if flow.transport == "UDP" and seen[1] else contact.port or 5060
        if (seen[0], port) == (contact.host, contact.port):
            return False
        self._learned = (seen[0], port)
        return True

    # --- staying -----------------------------------------------------------------------------------------------------

    async def _stay(self) -> None:
        """Keepalives and renewals until the upper is lost."""
        misses = 0
        now = monotonic()
        interval = self.account.interval * self._pace.scale
        refresh, beat = now + self.expires * self._pace.refresh_at, now + interval
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + min(refresh, beat) - monotonic()):
                    await self._lost.wait()
            if self._lost.is_set():
                self._move("loss", "connection_lost")
                return
            now = monotonic()
            if now >= refresh:
                self._move("refresh")
                await self._register()
                refresh = monotonic() + self.expires * self._pace.refresh_at
                misses = 0
                continue
            beat = now + interval
            flow = self.flow
            if flow is None:
                continue
            try:
                answer = await self.say(self._keepalive(), within=min(interval, self._pace.answer))
            except NoAnswer:
                misses += 1
                if misses >= self.account.misses:
                    self._move("loss", "keepalive_unanswered")
                    return
                continue
            if answer.status >= 400:
                # It restarted and does not know us any more.
                self._move("loss", f"keepalive_{answer.status}")
                return
            misses = 0
            self.keepalive_at = clock.now()

    def _keepalive(self) -> bytes:
        return Keepalive(self.account.own_code, self.next_sn()).build(self.edition)

    # --- speaking ----------------------------------------------------------------------------------------------------

    def next_sn(self) -> int:
        """The next SN of ours towards this upper; wraps before 2^31 (§6)."""
        self._sn = self._sn % ((1 << 31) - 2) + 1
        return self._sn

    def compose(
        self,
        method: str,
        *,
        body: bytes = b"",
        content_type: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Request:
        """A request of our platform to the upper, outside a dialog. Raises NoAnswer when there is no path."""
        flow = self.flow
        if flow is None:
            raise NoAnswer("no path to the upper")
        self._cseq += 1
        return new_request(
            method,
            Uri.of(self._aim.code, flow.host, flow.port),
            Uri.of(self.account.own_code, self.account.own_code[:10]),
            Uri.of(self._aim.code, self._aim.domain),
            cseq=self._cseq,
            headers=(("User-Agent", USER_AGENT), *headers),
            body=body,
            content_type=content_type,
        )

    async def say(self, body: bytes, *, within: float = 15.0) -> Response:
        """Send a MANSCDP body as MESSAGE and wait for the answer (annex A.1: the next one only then). Raises NoAnswer."""
        request = self.compose("MESSAGE", body=body, content_type=MANSCDP)
        flow = self.flow
        assert flow is not None  # noqa: S101 -- compose has looked
        return await self._ground.agent.ask(request, flow, within)

    def _hang_up(self) -> None:
        flow, self.flow = self.flow, None
        if flow is not None and flow.transport == "TCP":
            self._ground.leave(flow)


def _stale(response: Response) -> bool:
    for value in response.headers.all("WWW-Authenticate"):
        with contextlib.suppress(RemoteProtocolError):
            return Challenge.parse(value).stale
    return False
