"""Staying registered: REGISTER with digest, refresh, keepalives, and a way back after every kind of failure (§9.1, §9.6)."""

import asyncio
import contextlib
import random
from collections.abc import Callable

import structlog

from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.manscdp import Keepalive
from gongshi.protocols.sip import MANSCDP, Request, Response, Uri, authorized, new_call_id, new_request, new_tag
from gongshi.simulator.agent import Agent, NoAnswer
from gongshi.simulator.config import PlatformConfig

log = structlog.get_logger(__name__)

OK, MOVED, UNAUTHORIZED = 200, 302, 401
_CHALLENGES = 3
"""Challenges answered in one registration: the first, and new ones because a nonce had become stale."""
_ANSWER_WITHIN = 8.0
"""Seconds to wait for the answer to REGISTER or a keepalive: less than the transaction's 32, to come back sooner."""
_REFRESH_AT = 0.8


class Registration:
    """One binding with the server. `run` keeps it up until cancelled; `registered` tells when it stands."""

    def __init__(self, config: PlatformConfig, agent: Agent) -> None:
        self._config = config
        self._agent = agent
        self._call_id = new_call_id(config.code[:10])
        self._tag = new_tag()
        self._cseq = 0
        self._serial = random.randrange(1, 1 << 20)
        self._again = asyncio.Event()
        self.registered = asyncio.Event()
        self.attempts = 0
        self.refusals = 0
        self.keepalives = 0
        """Keepalives that were answered with 200."""
        self.faulty: tuple[str, ...] = ()
        """Sub-devices that the keepalive reports as being in trouble."""
        self.on_change: Callable[[bool], None] = lambda _registered: None
        self._home = (config.host, config.port)
        self._server_code, self._domain = config.server_code, config.domain
        self._due = asyncio.Event()

    @property
    def own(self) -> Uri:
        """Our address of record."""
        return Uri.of(self._config.code, self._config.code[:10])

    @property
    def server(self) -> Uri:
        """The server's address of record: the configured one, or the one that a redirect named."""
        return Uri.of(self._server_code, self._domain)

    @property
    def contact(self) -> Uri | None:
        """Where we are reached from the server."""
        flow = self._agent.flow
        return Uri.of(self._config.code, flow.local_host, flow.local_port) if flow else None

    def next_serial(self) -> int:
        """The next SN; wraps before 2^31."""
        self._serial = self._serial % ((1 << 31) - 2) + 1
        return self._serial

    def renew(self) -> None:
        """The binding may be gone: register again without waiting."""
        self._again.set()

    def report(self, faulty: tuple[str, ...]) -> None:
        """Sub-devices are in trouble, or well again: said at once in a keepalive (§9.6)."""
        self.faulty = faulty
        self._due.set()

    async def reboot(self) -> None:
        """Go away properly and come back."""
        await self.leave()
        self.renew()

    async def run(self) -> None:
        """Register, keep alive, and begin again with growing pauses when that fails."""
        first, longest = self._config.retry
        pause = first
        while True:
            expires = await self._try()
            if expires is None:
                self._set(registered=False)
                await self._go_home()
                # A little randomness keeps thousands of devices from coming back in step.
                delay = min(pause, longest) * random.uniform(0.9, 1.1)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._again.wait(), delay)
                pause = min(pause * 2, longest)
                continue
            pause = first
            self._set(registered=True)
            await self._hold(float("inf") if self._config.faults.no_refresh else expires * _REFRESH_AT)

    def _set(self, *, registered: bool) -> None:
        if registered == self.registered.is_set():
            return
        if registered:
            self.registered.set()
        else:
            self.registered.clear()
        log.info("simulator.registered" if registered else "simulator.unregistered", code=self._config.code)
        self.on_change(registered)

    async def _try(self) -> int | None:
        """One registration; seconds granted, or None."""
        self._again.clear()
        self.attempts += 1
        try:
            if self._agent.flow is None:
                await self._agent.open()
            answer = await self._register(self._config.faults.short_expires or self._config.expires)
            if answer.status == MOVED and await self._follow(answer):
                answer = await self._register(self._config.expires)
        except (NoAnswer, OSError, ProtocolError) as error:
            log.warning("simulator.register.failed", code=self._config.code, error=str(error) or "no answer")
            return None
        if answer.status != OK:
            self.refusals += 1
            log.warning("simulator.register.refused", code=self._config.code, status=answer.status)
            return None
        granted = answer.expires
        return granted or self._config.expires

    async def _register(self, expires: int) -> Response:
        request = self._request(expires)
        answer = await self._agent.request(request, _ANSWER_WITHIN)
        faults = self._config.faults
        for attempt in range(_CHALLENGES):
            if answer.status != UNAUTHORIZED:
                break
            again = any("stale=true" in value.lower() for value in answer.headers.all("WWW-Authenticate"))
            if attempt and (not again or faults.ignore_stale):
                break
            password = self._config.password + ("!" if faults.wrong_password else "")
            username = self._config.server_code if faults.wrong_username else self._config.code
            request = authorized(request, answer, username, password)
            if faults.same_cseq:
                request.headers.set("CSeq", f"{self._cseq} REGISTER")
            self._cseq = request.cseq.number
            answer = await self._agent.request(request, _ANSWER_WITHIN)
        return answer

    async def _follow(self, answer: Response) -> bool:
        """Go where a redirect leads, one hop and to trusted servers only (2022 §9.1.2.3)."""
        contact = answer.contact
        if contact is None or self._config.faults.ignore_redirect:
            return False
        host, port = contact.uri.host, contact.uri.port or 5060
        if f"{host}:{port}" not in self._config.trusted_servers:
            log.warning("simulator.redirect.refused", code=self._config.code, host=host, port=port)
            return False
        self._agent.server = (host, port)
        self._server_code = contact.user or self._server_code
        self._domain = self._server_code[:10]
        log.info("simulator.redirected", code=self._config.code, server=self._server_code)
        await self._agent.open()
        return True

    async def _go_home(self) -> None:
        """The server that a redirect led to failed: ask the one that we know (2022 §9.1.2.3)."""
        if self._agent.server != self._home:
            self._agent.server = self._home
            self._server_code, self._domain = self._config.server_code, self._config.domain
            await self._agent.close()

    def _request(self, expires: int) -> Request:
        self._cseq += 1
        # 2016 devices do not know the version header; 2022 ones must send it (annex I).
        versioned = self._config.edition == "2022" and not self._config.faults.no_version
        version = (("X-GB-Ver", "3.0"),) if versioned else ()
        return new_request(
            "REGISTER",
            self.server,
            self.own,
            self.own,
            call_id=self._call_id,
            cseq=self._cseq,
            from_tag=self._tag,
            contact=self.contact,
            headers=(("Expires", str(expires)), ("User-Agent", "Gongshi-Simulator"), *version),
        )

    async def _hold(self, seconds: float) -> None:
        """Send keepalives until the binding must be refreshed or seems to be gone."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        faults = self._config.faults
        misses = 0
        while (left := until - loop.time()) > 0:
            if await self._called(min(self._config.keepalive, left)):
                return
            if faults.drop_keepalives:
                continue
            status = await self._keepalive()
            if status == OK:
                misses = 0
                self.keepalives += 1
                continue
            if faults.keepalive_silence_ignored if status is None else faults.keepalive_refusal_ignored:
                continue
            misses += 1
            if status is not None or misses >= self._config.keepalive_misses:
                # 403 says that we are unknown there; silence, that nobody listens any more.
                log.warning("simulator.keepalive.lost", code=self._config.code, status=status)
                if status is None:
                    self._set(registered=False)
                return

    async def _called(self, seconds: float) -> bool:
        """Wait for the next keepalive's time; True when the registration is to be repeated instead."""
        waits = [asyncio.create_task(event.wait()) for event in (self._again, self._due)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._due.clear()
        return self._again.is_set()

    async def _keepalive(self) -> int | None:
        faults, edition = self._config.faults, self._config.edition
        code = self._config.server_code if faults.keepalive_of_another else self._config.code
        body = Keepalive(code, self.next_serial(), not self.faulty, self.faulty).build(edition)
        if faults.keepalive_without_status:
            body = body.replace(b"<Status>OK</Status>", b"")
        try:
            answer = await self.message(body, min(_ANSWER_WITHIN, self._config.keepalive))
        except NoAnswer:
            return None
        return answer.status

    async def message(self, body: bytes, timeout: float = 32.0) -> Response:
        """Send a MANSCDP body to the server in a MESSAGE and wait for its answer. Raises `NoAnswer`."""
        request = new_request("MESSAGE", self.server, self.own, self.server, cseq=20, body=body, content_type=MANSCDP)
        return await self._agent.request(request, timeout)

    async def leave(self) -> None:
        """Unregister (Expires 0, challenged like any other); failing is no harm."""
        if not self.registered.is_set():
            return
        with contextlib.suppress(NoAnswer, OSError, ProtocolError):
            async with asyncio.timeout(2.0):
                await self._register(0)
        self._set(registered=False)
