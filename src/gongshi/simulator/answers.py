"""What comes by MESSAGE: answered at once with 200, and properly in a MESSAGE of our own (§6, §7)."""

import asyncio
from collections.abc import Sequence

import structlog

from gongshi.protocols.errors import ProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import Envelope, Result, parse
from gongshi.protocols.sip import MANSCDP, Request, RequestReceived, Response, Uri, new_request
from gongshi.simulator.agent import Agent, NoAnswer
from gongshi.simulator.broadcast import Broadcasts
from gongshi.simulator.calls import Calls
from gongshi.simulator.controls import Controls
from gongshi.simulator.notices import Notices
from gongshi.simulator.queries import Queries
from gongshi.simulator.registration import Registration
from gongshi.simulator.settings import Settings
from gongshi.simulator.site import Site

log = structlog.get_logger(__name__)


class Answers:
    """Sends every MANSCDP message where it belongs, and what comes back to who asked."""

    def __init__(
        self,
        site: Site,
        agent: Agent,
        registration: Registration,
        calls: Calls,
        *,
        queries: Queries,
        broadcasts: Broadcasts,
        notices: Notices,
    ) -> None:
        self._site = site
        self._agent = agent
        self._registration = registration
        self._calls = calls
        self._queries = queries
        self._broadcasts = broadcasts
        self._controls = Controls(site, calls, registration, self.tell, notices.moved)
        self._settings = Settings(site, calls.spawn, self.tell)
        self.catalogues = 0
        """Catalogue queries answered to the end."""

    def message(self, event: RequestReceived) -> None:
        """Answer a MESSAGE with 200, or say why not; the reply proper follows."""
        request, faults = event.request, self._site.config.faults
        try:
            envelope = parse(request.body)
        except ProtocolError as error:
            log.warning("simulator.manscdp.unreadable", error=str(error))
            status = 200 if faults.accept_garbage else 400
            self._agent.respond(event.token, Response.to_request(request, status))
            return
        # A Broadcast has no DeviceID of its own; its target is looked at where it is carried out.
        stranger = envelope.device_id and not self._site.knows(envelope.device_id)
        if stranger and not faults.stranger_answered:
            self._agent.respond(event.token, Response.to_request(request, 404))
            return
        if not faults.no_ok:
            self._agent.respond(event.token, Response.to_request(request, 200))
        self._calls.spawn(self._reply(envelope, request))

    async def _reply(self, envelope: Envelope, request: Request) -> None:
        catalogue = envelope.is_("Query", "Catalog")
        try:
            bodies = [self._labelled(body) for body in self._bodies(envelope)]
            if catalogue and self._site.config.faults.catalog_at_once:
                await asyncio.gather(*(self._send(body, request) for body in bodies))
            else:
                for body in bodies:
                    # Serially: the next packet waits for the answer to the one before (§7.5).
                    await self._send(body, request)
        except (NoAnswer, ProtocolError) as error:
            log.warning("simulator.reply.failed", command=envelope.cmd_type, error=str(error) or "no answer")
            return
        if catalogue:
            self.catalogues += 1

    def _labelled(self, body: bytes) -> bytes:
        """The body in the wrong charset when that is the fault."""
        if not self._site.config.faults.mislabelled_charset:
            return body
        return body.decode("gb18030").encode()

    async def _send(self, body: bytes, request: Request) -> None:
        # To is who asked (annex A.1), in a call of its own.
        asked = request.from_.uri
        to = Uri.of(asked.user or self._site.config.server_code, asked.host)
        own = self._registration.own
        message = new_request("MESSAGE", self._registration.server, own, to, cseq=20, body=body, content_type=MANSCDP)
        await self._agent.request(message)

    async def tell(self, body: bytes) -> None:
        """Send something of our own accord; failing is logged only."""
        try:
            await self._registration.message(body)
        except (NoAnswer, ProtocolError) as error:
            log.warning("simulator.notify.failed", error=str(error) or "no answer")

    def _bodies(self, envelope: Envelope) -> Sequence[bytes]:
        if envelope.root == "Query":
            try:
                if envelope.is_("Query", "ConfigDownload"):
                    return self._settings.show(envelope)
                return self._queries.answer(envelope)
            except RemoteProtocolError as error:
                log.warning("simulator.query.incomplete", command=envelope.cmd_type, error=str(error))
                refusal = Result(envelope.cmd_type, envelope.device_id, envelope.sn or 1, ok=False)
                return [refusal.to_bytes(self._site.edition)]
        if envelope.is_("Control", "DeviceControl"):
            return self._controls.obey(envelope)
        if envelope.is_("Control", "DeviceConfig"):
            return self._settings.change(envelope)
        if envelope.is_("Notify", "Broadcast"):
            return self._broadcasts.order(envelope)
        return []
