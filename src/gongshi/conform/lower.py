"""The device of a conformance run against a platform: registers there, answers what it asks, and looks at how it asks."""

import asyncio
import itertools
import random
from collections.abc import Callable, Coroutine
from time import monotonic

from gongshi.conform.model import Options
from gongshi.conform.upper import Arrived, Body
from gongshi.conform.wire import Asked, Incoming, Wire
from gongshi.kit.clock import now
from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.manscdp import (
    CatalogItem,
    CatalogResponse,
    ConfigDownloadQuery,
    DeviceInfo,
    DeviceStatus,
    Envelope,
    Keepalive,
    PresetList,
    RecordInfo,
    Result,
    parse,
    version_edition,
)
from gongshi.protocols.manscdp.configuration import ConfigDownload
from gongshi.protocols.manscdp.settings import BasicParam
from gongshi.protocols.sdp import SessionDescription, answer_offer
from gongshi.protocols.sip import (
    MANSCDP,
    SDP,
    AckReceived,
    Dialog,
    Flow,
    NameAddr,
    Request,
    RequestReceived,
    Response,
    Timers,
    Uri,
    authorized,
    new_call_id,
    new_request,
    new_tag,
)

_NAME = "符合性测试设备"
_CAMERA = "龘靐测试点位"
"""With characters that GB 2312 does not have."""


class Lower:
    """One run's device."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.patience = options.patience
        self.started = monotonic()
        self.wire = Wire(Timers(t1=options.t1), self._incoming, self.started)
        self.arrived: list[Arrived] = []
        self.acks: list[AckReceived] = []
        self.announced: str | None = None
        self.user_agent = ""
        self.answers: list[Response] = []
        """Every answer of the platform to REGISTER."""
        self.calls: dict[int, tuple[Arrived, Dialog]] = {}
        self.registered = False
        self.call_id = new_call_id(options.code[:10])
        self._flow: Flow | None = None
        self._news = asyncio.Event()
        self._tag = new_tag()
        self._cseq = itertools.count(1)
        self._serial = itertools.count(random.randrange(1, 100_000))  # noqa: S311 -- a number to count from
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Take a port, and connect when signalling is over TCP. Raises `OSError`."""
        if self.options.target is None:
            raise OSError("no platform to register with")
        host, port = self.options.target
        await self.wire.open(self.options.host, self.options.port, listen=False)
        self._flow = self.wire.udp(host, port) if self.options.transport == "udp" else await self.wire.tcp(host, port)

    async def close(self) -> None:
        """Close everything."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.wire.close()

    @property
    def edition(self) -> Edition:
        """What is tried: as asked for, else as the platform announces."""
        return self.options.edition or version_edition(self.announced)

    @property
    def path(self) -> Flow:
        """The way to the platform. Raises `OSError` before `open`."""
        if self._flow is None:
            raise OSError("not connected")
        return self._flow

    # --- addresses -----------------------------------------------------------------------------------------------------

    @property
    def code(self) -> str:
        """Our own."""
        return self.options.code

    @property
    def camera(self) -> str:
        """The one camera that we list."""
        return f"{self.code[:10]}132{self.code[13]}000001"

    @property
    def own(self) -> Uri:
        """Our address of record."""
        return Uri.of(self.code, self.code[:10])

    @property
    def server(self) -> Uri:
        """The platform's."""
        return Uri.of(self.options.peer, self.options.peer[:10])

    def contact(self) -> Uri:
        """Where the platform reaches us."""
        return Uri.of(self.code, self.path.local_host, self.path.local_port)

    def next_sn(self) -> int:
        """The SN of the next message."""
        return next(self._serial)

    # --- what we send --------------------------------------------------------------------------------------------------

    def register(self, expires: int = 86_400, code: str | None = None) -> Request:
        """A REGISTER without credentials."""
        own = Uri.of(code or self.code, self.code[:10])
        version = (("X-GB-Ver", "3.0"),) if self.options.edition != Edition.E2016 else ()
        return new_request(
            "REGISTER",
            self.server,
            own,
            own,
            call_id=self.call_id,
            cseq=next(self._cseq),
            from_tag=self._tag,
            contact=Uri.of(own.user, self.path.local_host, self.path.local_port),
            headers=(("Expires", str(expires)), ("User-Agent", "Gongshi-Conform"), *version),
        )

    async def ask(self, request: Request) -> Response | None:
        """Send and wait for the final answer."""
        answer = await self.wire.ask(request, self.path).answer(self.patience.answer)
        if answer is not None and request.method == "REGISTER":
            self.answers.append(answer)
            self.announced = self.announced or answer.gb_version
            self.user_agent = self.user_agent or answer.user_agent
        return answer

    async def prove(self, request: Request, challenge: Response, password: str | None = None) -> Response | None:
        """The same REGISTER with credentials. Raises RemoteProtocolError when it cannot be answered."""
        second = authorized(request, challenge, request.from_.user, password or self.options.password)
        second.headers.set("CSeq", f"{next(self._cseq)} REGISTER")
        return await self.ask(second)

    async def enter(self, expires: int = 86_400) -> Response | None:
        """Register from beginning to end."""
        request = self.register(expires)
        answer = await self.ask(request)
        if answer is not None and answer.status == 401:
            answer = await self.prove(request, answer)
        self.registered = answer is not None and answer.status == 200 and expires > 0
        return answer

    def message(self, body: bytes, code: str | None = None) -> Request:
        """A MESSAGE to the platform."""
        own = Uri.of(code or self.code, self.code[:10])
        return new_request("MESSAGE", self.server, own, self.server, cseq=20, body=body, content_type=MANSCDP)

    def tell(self, message: Body) -> Asked:
        """Send a MANSCDP message."""
        return self.wire.ask(self.message(message.to_bytes(self.edition)), self.path)

    async def keepalive(self, code: str | None = None) -> Response | None:
        """Send a keepalive."""
        body = Keepalive(code or self.code, self.next_sn()).build(self.edition)
        return await self.ask(self.message(body, code))

    # --- what the platform sends ---------------------------------------------------------------------------------------

    def _incoming(self, event: Incoming) -> None:
        if isinstance(event, AckReceived):
            self.acks.append(event)
            self._news.set()
            return
        if not isinstance(event, RequestReceived):
            return
        envelope = None
        if event.request.body and event.request.is_manscdp:
            try:
                envelope = parse(event.request.body)
            except ProtocolError:
                envelope = None
        arrived = Arrived(event, monotonic(), envelope)
        self.arrived.append(arrived)
        self._answer(arrived)
        self._news.set()

    def _answer(self, arrived: Arrived) -> None:
        request = arrived.request
        match request.method:
            case "MESSAGE":
                self._say(arrived, 200 if arrived.envelope is not None else 400)
                if arrived.envelope is not None:
                    self._spawn(self._reply(arrived.envelope))
            case "INVITE":
                self._take_call(arrived)
            case "BYE" | "OPTIONS" | "INFO":
                self._say(arrived, 200)
            case "SUBSCRIBE":
                self._say(arrived, 489)
            case _:
                self._say(arrived, 405)

    def _say(self, arrived: Arrived, status: int) -> None:
        self.wire.respond(arrived.event, Response.to_request(arrived.request, status))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, envelope: Envelope) -> None:
        for body in self._bodies(envelope):
            await self.wire.ask(self.message(body), self.path).answer(self.patience.answer)

    def _bodies(self, envelope: Envelope) -> list[bytes]:
        edition, asked, sn = self.edition, envelope.device_id, envelope.sn or 1
        if envelope.root == "Control":
            return [Result(envelope.cmd_type, asked, sn).to_bytes(edition)] if envelope.element.get("GuardCmd") else []
        if envelope.root != "Query":
            return []
        match envelope.cmd_type.lower():
            case "catalog":
                return [CatalogResponse(asked, sn, 1, [self._item()]).build(edition)]
            case "deviceinfo":
                return [DeviceInfo(asked, sn, _NAME, True, "Gongshi", "Conform", "1.0", 1).build(edition)]
            case "devicestatus":
                return [DeviceStatus(asked, sn, device_time=now()).build(edition)]
            case "recordinfo":
                return [RecordInfo(asked, sn, _CAMERA, 0).to_bytes(edition)]
            case "presetquery":
                return [PresetList(asked, sn).to_bytes(edition)]
            case "configdownload":
                return self._settings(envelope, sn)
            case _:
                return [Result(envelope.cmd_type, asked, sn, ok=False).to_bytes(edition)]

    def _settings(self, envelope: Envelope, sn: int) -> list[bytes]:
        try:
            types = ConfigDownloadQuery.parse(envelope).types
        except ProtocolError:
            return []
        basic = (BasicParam(_NAME, 86_400, 60, 3),)
        return [
            ConfigDownload(
                envelope.device_id, sn, name == "BasicParam", basic if name == "BasicParam" else ()
            ).to_bytes(self.edition)
            for name in types
        ]

    def _item(self) -> CatalogItem:
        fields = {
            "Manufacturer": "Gongshi",
            "Model": "Conform",
            "Owner": "Owner",
            "CivilCode": self.code[:6],
            "Address": _CAMERA,
            "Parental": "0",
            "ParentID": self.code,
            "RegisterWay": "1",
            "Secrecy": "0",
            "Status": "ON",
        }
        info = {"PTZType": "3", "GrassrootsCode": "000000", "PointType": "9"}
        return CatalogItem(self.camera, _CAMERA, fields, info)

    def _take_call(self, arrived: Arrived) -> None:
        request = arrived.request
        try:
            offer = SessionDescription.parse(request.body)
            answer = answer_offer(offer, self.camera, self.path.local_host, 30_000)
        except ProtocolError:
            self._say(arrived, 488)
            return
        dialog = Dialog.from_request(request)
        response = Response.to_request(
            request,
            200,
            tag=dialog.local_tag,
            headers=[("Contact", str(NameAddr(self.contact())))],
            body=answer.to_bytes(),
            content_type=SDP,
        )
        self.calls[arrived.event.token] = (arrived, dialog)
        self.wire.respond(arrived.event, response)

    # --- waiting -------------------------------------------------------------------------------------------------------

    async def next(self, wanted: Callable[[Arrived], bool], seconds: float, since: int = 0) -> Arrived | None:
        """The first request from number `since` on that is wanted; None when it does not come."""
        at = since
        try:
            async with asyncio.timeout(seconds):
                while True:
                    while at < len(self.arrived):
                        at += 1
                        if wanted(self.arrived[at - 1]):
                            return self.arrived[at - 1]
                    await self._more()
        except TimeoutError:
            return None

    async def acknowledged(self, token: int, seconds: float) -> bool:
        """Wait for the ACK of a call."""
        try:
            async with asyncio.timeout(seconds):
                while not any(ack.token == token for ack in self.acks):
                    await self._more()
        except TimeoutError:
            return False
        return True

    async def _more(self) -> None:
        self._news.clear()
        await self._news.wait()
