"""The upper platform of a conformance run: registers a device, asks it, calls it, and remembers what it did."""

import asyncio
import itertools
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from gongshi.conform.model import NotApplicable, Options
from gongshi.conform.pictures import Pictures
from gongshi.conform.wire import Asked, Incoming, Wire
from gongshi.kit.clock import now
from gongshi.kit.i18n import Text
from gongshi.protocols.codes import PLAYABLE_TYPES, Edition
from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.manscdp import (
    CatalogItem,
    Charset,
    Envelope,
    RecordInfo,
    RecordInfoQuery,
    format_sip_date,
    parse,
    version_edition,
)
from gongshi.protocols.sip import (
    MANSCDP,
    Challenge,
    Credentials,
    Dialog,
    Flow,
    NonceIssuer,
    NonceState,
    Request,
    RequestReceived,
    Response,
    Timers,
    Uri,
    ha1,
    new_request,
)

MOST_SECONDS = 86_400


class Body(Protocol):
    """A message of the library."""

    def to_bytes(self, edition: Edition, charset: Charset = "gb18030") -> bytes:
        """Its body."""
        ...


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request of the device. `envelope` is None when it carries no MANSCDP that can be read."""

    event: RequestReceived
    at: float
    envelope: Envelope | None = None
    elsewhere: bool = False
    """It came to the address that a redirect named."""

    @property
    def request(self) -> Request:
        """The request."""
        return self.event.request

    def is_(self, root: str, cmd_type: str) -> bool:
        """Is it this message?"""
        envelope = self.envelope
        return envelope is not None and envelope.root == root and envelope.cmd_type.lower() == cmd_type.lower()


@dataclass
class Facts:
    """What earlier cases found, for later ones."""

    registers: list[Request] = field(default_factory=list[Request])
    proofs: list[Credentials | None] = field(default_factory=list["Credentials | None"])
    stale_answered: bool | None = None
    items: dict[str, CatalogItem] = field(default_factory=dict[str, CatalogItem])
    asked: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    catalogue_packets: int = 0
    """How many packets the first catalogue had."""
    watched: tuple[Pictures, int] | None = None
    """Pictures that were looked at for a while, and the SSRC they should have."""
    recordings: tuple[list[RecordInfo], RecordInfoQuery] | None = None
    end_of_file: tuple[str, str] | None = None
    """Call-ID of MediaStatus, and of the call that it should belong to."""
    file_size: str | None = None


class Upper:
    """One run's platform. Cases change `keepalive_status`, `hold` and the like, and put them back."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.patience = options.patience
        self.facts = Facts()
        self.started = monotonic()
        self.wire = Wire(Timers(t1=options.t1), self._incoming, self.started)
        self.flow: Flow | None = None
        self.announced: str | None = None
        self.user_agent = ""
        self.registered = asyncio.Event()
        self.arrived: list[Arrived] = []
        self.keepalive_status: int | None = 200
        self.grant = options.patience.grant
        self.deny_stale = True
        """Call the first good nonce stale, once."""
        self.hold: Callable[[Arrived], float] = lambda _arrived: 0.0
        """Seconds to wait with the 200 to a MESSAGE."""
        self.redirect: str | None = None
        """Answer the next REGISTER with this Contact."""
        self.on_invite: Callable[[Arrived], None] = self.refuse_call
        self._nonces = NonceIssuer()
        self._news = asyncio.Event()
        self._serial = itertools.count(random.randrange(1, 100_000))  # noqa: S311 -- a number to count from
        self._streams = itertools.count(1)

    # --- life --------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Listen. Raises `OSError`."""
        await self.wire.open(self.options.host, self.options.port)

    async def close(self) -> None:
        """Close everything."""
        await self.wire.close()

    @asynccontextmanager
    async def elsewhere(self) -> AsyncGenerator[str]:
        """A second address of ours, as a Contact; it refuses who comes, so that the device returns."""

        def take(event: Incoming) -> None:
            if isinstance(event, RequestReceived):
                self.arrived.append(Arrived(event, monotonic(), elsewhere=True))
                other.respond(event, Response.to_request(event.request, 403))
                self._news.set()

        other = Wire(Timers(t1=self.options.t1), take, self.started)
        other.log = self.wire.log
        host, port = self.options.redirect or (self.options.host, 0)
        await other.open(host, port)
        try:
            yield f"<sip:{self.options.code}@{other.local(self.path.host)}:{other.port}>"
        finally:
            await other.close()

    @property
    def edition(self) -> Edition:
        """What is tried: as asked for, else as announced."""
        return self.options.edition or version_edition(self.announced)

    @property
    def modern(self) -> bool:
        """2022."""
        return self.edition == Edition.E2022

    # --- what the device sends ---------------------------------------------------------------------------------------

    def _incoming(self, event: Incoming) -> None:
        if not isinstance(event, RequestReceived):
            return
        request = event.request
        if request.from_.user != self.options.peer and request.method == "REGISTER":
            self.wire.respond(event, Response.to_request(request, 403))
            return
        arrived = Arrived(event, monotonic(), _envelope(request))
        self.arrived.append(arrived)
        self._answer(arrived)
        self._news.set()

    def _answer(self, arrived: Arrived) -> None:
        request = arrived.request
        match request.method:
            case "REGISTER":
                self._register(arrived)
            case "MESSAGE" if arrived.is_("Notify", "Keepalive"):
                if self.keepalive_status is not None:
                    self._say(arrived, self.keepalive_status)
            case "MESSAGE":
                delay = self.hold(arrived)
                if delay:
                    asyncio.get_running_loop().call_later(delay, self._say, arrived, 200)
                else:
                    self._say(arrived, 200)
            case "NOTIFY" | "BYE" | "OPTIONS":
                self._say(arrived, 200)
            case "INVITE":
                self.on_invite(arrived)
            case _:
                self._say(arrived, 405)

    def refuse_call(self, arrived: Arrived) -> None:
        """What happens to a call of the device while nobody waits for one."""
        self._say(arrived, 488)

    def _say(self, arrived: Arrived, status: int) -> None:
        self.wire.respond(arrived.event, Response.to_request(arrived.request, status))

    async def next(self, wanted: Callable[[Arrived], bool], seconds: float, since: int | None = None) -> Arrived | None:
        """The first request after number `since` (default: now) that is wanted; None when it does not come."""
        at = len(self.arrived) if since is None else since
        try:
            async with asyncio.timeout(seconds):
                while True:
                    while at < len(self.arrived):
                        at += 1
                        if wanted(self.arrived[at - 1]):
                            return self.arrived[at - 1]
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return None

    # --- registrar ---------------------------------------------------------------------------------------------------

    def _register(self, arrived: Arrived) -> None:
        request, flow = arrived.request, arrived.event.flow
        self.announced = self.announced or request.gb_version
        self.user_agent = self.user_agent or request.user_agent
        proof = _proof(request)
        self.facts.registers.append(request)
        self.facts.proofs.append(proof)
        source = flow.host
        if proof is None:
            if self.facts.stale_answered is None and not self.deny_stale:
                # A challenge called stale is answered; a device that starts over did not understand it.
                self.facts.stale_answered = False
            self._challenge(arrived, source, stale=False)
            return
        good = self._good(proof)
        state = self._nonces.spend(proof.nonce, source, monotonic())
        if not good:
            self._respond(arrived, 403)
            return
        if state is not NonceState.GOOD:
            self._challenge(arrived, source, stale=True)
            return
        if self.deny_stale:
            self.deny_stale = False
            self._challenge(arrived, source, stale=True)
            return
        if self.facts.stale_answered is None:
            self.facts.stale_answered = True
        if self.redirect is not None and request.expires != 0:
            self._respond(arrived, 302, ("Contact", self.redirect), ("Expires", str(MOST_SECONDS)))
            self.redirect = None
            return
        self._accept(arrived)

    def _accept(self, arrived: Arrived) -> None:
        request = arrived.request
        wanted = MOST_SECONDS if request.expires is None else request.expires
        expires = min(wanted, self.grant)
        contact = request.headers.get("Contact") or ""
        self._respond(
            arrived,
            200,
            ("Contact", f"{contact.partition(';expires')[0]};expires={expires}"),
            ("Expires", str(expires)),
            ("Date", format_sip_date(now())),
        )
        if expires:
            self.flow = arrived.event.flow
            self.registered.set()

    def _good(self, proof: Credentials | None) -> bool:
        if proof is None:
            return False
        own = ha1(self.options.peer, self.domain, self.options.password, proof.algorithm)
        return proof.username == self.options.peer and proof.verify("REGISTER", own)

    def _challenge(self, arrived: Arrived, source: str, *, stale: bool) -> None:
        challenge = Challenge(self.domain, self._nonces.issue(source, monotonic()), stale=stale)
        self._respond(arrived, 401, ("WWW-Authenticate", challenge.header()))

    def _respond(self, arrived: Arrived, status: int, *headers: tuple[str, str]) -> None:
        version = (("X-GB-Ver", "3.0"),)
        self.wire.respond(arrived.event, Response.to_request(arrived.request, status, headers=[*headers, *version]))

    # --- what we send ------------------------------------------------------------------------------------------------

    @property
    def domain(self) -> str:
        """Our SIP domain."""
        return self.options.code[:10]

    @property
    def own(self) -> Uri:
        """Our address of record."""
        return Uri.of(self.options.code, self.domain)

    @property
    def path(self) -> Flow:
        """The way to the device. Raises NotApplicable before it registered."""
        if self.flow is None:
            raise NotApplicable(Text("设备尚未注册", "the device has not registered"))
        return self.flow

    def next_sn(self) -> int:
        """The SN of the next question."""
        return next(self._serial)

    def target(self, code: str) -> Uri:
        """A device or channel where it is reached."""
        return Uri.of(code, self.path.host, self.path.port)

    def contact(self) -> Uri:
        """Where the device reaches us."""
        return Uri.of(self.options.code, self.wire.local(self.path.host), self.wire.port)

    def request(
        self,
        method: str,
        code: str,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        content_type: str | None = None,
        contact: bool = False,
    ) -> Request:
        """A request to a device or channel outside every dialog."""
        return new_request(
            method,
            self.target(code),
            self.own,
            Uri.of(code, code[:10]),
            cseq=self.next_sn(),
            contact=self.contact() if contact else None,
            headers=headers,
            body=body,
            content_type=content_type,
        )

    def send(self, message: Body, code: str | None = None) -> Asked:
        """Send a MANSCDP message by MESSAGE."""
        body = message.to_bytes(self.edition)
        command = parse(body)
        self.facts.asked.setdefault(command.cmd_type.lower(), set()).add(command.sn or 0)
        return self.wire.ask(
            self.request("MESSAGE", code or self.options.peer, body=body, content_type=MANSCDP), self.path
        )

    def stray(self, method: str, code: str) -> Asked:
        """Send a request of a dialog that nobody knows."""
        request = self.request(method, code)
        request.headers.set("To", f"<{Uri.of(code, code[:10])}>;tag=nobody")
        return self.wire.ask(request, self.path)

    async def query(self, message: Body, command: str, sn: int, code: str) -> Envelope | None:
        """Ask and wait for the Response; None when there is none. SN or DeviceID may be wrong, not both."""
        since = len(self.arrived)
        self.send(message, code)
        found = await self.next(lambda a: self.answers(a, command, sn, code), self.patience.answer, since)
        return found.envelope if found else None

    @staticmethod
    def answers(arrived: Arrived, command: str, sn: int, code: str) -> bool:
        """Is it the Response to a question? Either SN or DeviceID tells."""
        envelope = arrived.envelope
        if envelope is None or not arrived.is_("Response", command):
            return False
        return envelope.sn == sn or envelope.device_id == code

    # --- the device's parts ------------------------------------------------------------------------------------------

    @property
    def channel(self) -> str:
        """The camera to try pictures on. Raises NotApplicable when there is none."""
        if self.options.channel:
            return self.options.channel
        for code, item in self.facts.items.items():
            if len(code) == len(self.options.peer) and code[10:13] in PLAYABLE_TYPES and item.online is not False:
                return code
        if self.options.peer[10:13] in PLAYABLE_TYPES:
            return self.options.peer
        raise NotApplicable(Text("目录中没有在线的摄像机", "the catalogue has no camera that is on"))

    @property
    def turning(self) -> str:
        """A camera that can be turned. Raises NotApplicable when there is none."""
        for code, item in self.facts.items.items():
            if item.ptz_type in {1, 2, 4, 5} and item.online is not False:
                return code
        raise NotApplicable(Text("目录中没有可控云台", "the catalogue has no camera that turns"))

    def next_ssrc(self, *, history: bool = False) -> int:
        """A stream's number in our domain (§10.2)."""
        return (1_000_000_000 if history else 0) + int(self.options.code[3:8]) * 10_000 + next(self._streams) % 10_000

    def end(self, dialog: Dialog) -> Asked:
        """Say BYE."""
        return self.wire.ask(dialog.request("BYE"), self.path)


def _envelope(request: Request) -> Envelope | None:
    if not request.body or not request.is_manscdp:
        return None
    try:
        return parse(request.body)
    except ProtocolError:
        return None


def _proof(request: Request) -> Credentials | None:
    text = request.headers.get("Authorization")
    if text is None:
        return None
    try:
        return Credentials.parse(text)
    except ProtocolError:
        return None
