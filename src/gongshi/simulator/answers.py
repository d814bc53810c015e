"""Answers to MANSCDP: catalogue in packets, device information and status, empty record lists (§7)."""

from collections.abc import Sequence

import structlog

from gongshi.kit.clock import now
from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.manscdp import (
    CatalogItem,
    CatalogResponse,
    DeviceInfo,
    DeviceStatus,
    Envelope,
    build,
    leaf,
    parse,
)
from gongshi.protocols.sip import MANSCDP, Request, RequestReceived, Response, Uri, new_request
from gongshi.simulator.agent import Agent, NoAnswer
from gongshi.simulator.calls import Calls
from gongshi.simulator.config import Channel, PlatformConfig
from gongshi.simulator.registration import Registration

log = structlog.get_logger(__name__)

MANUFACTURER, MODEL = "Gongshi", "Simulator"
_REFUSED_COMMANDS = ("RecordCmd", "GuardCmd", "AlarmCmd")
"""Commands of DeviceControl that want an answer (§8.1); the simulator has neither recorder nor alarms."""


def catalog_item(channel: Channel, platform: str) -> CatalogItem:
    """A camera as its platform lists it."""
    fields = {
        "Manufacturer": MANUFACTURER,
        "Model": MODEL,
        "Owner": "Owner",
        "CivilCode": channel.civil_code,
        "Address": channel.address or channel.name,
        "Parental": "0",
        "ParentID": platform,
        "SafetyWay": "0",
        "RegisterWay": "1",
        "Secrecy": "0",
        "Status": "ON" if channel.online else "OFF",
    }
    if channel.longitude is not None and channel.latitude is not None:
        fields |= {"Longitude": f"{channel.longitude:.6f}", "Latitude": f"{channel.latitude:.6f}"}
    return CatalogItem(channel.code, channel.name, fields, {"PTZType": "3", "RoomType": "1"})


class Answers:
    """Answers what the server asks by MESSAGE."""

    def __init__(self, config: PlatformConfig, agent: Agent, registration: Registration, calls: Calls) -> None:
        self._config = config
        self._agent = agent
        self._registration = registration
        self._calls = calls
        self._known = {config.code, *(channel.code for channel in config.channels)}
        self.catalogues = 0
        """Catalogue queries answered to the end."""

    def message(self, event: RequestReceived) -> None:
        """Answer a MESSAGE at once with 200, or say why not; the reply proper follows in a MESSAGE of our own."""
        request = event.request
        try:
            envelope = parse(request.body)
        except ProtocolError as error:
            log.warning("simulator.manscdp.unreadable", error=str(error))
            self._agent.respond(event.token, Response.to_request(request, 400))
            return
        # Region queries (2 to 8 digits) are answered with what lies in the region.
        if envelope.device_id not in self._known and len(envelope.device_id) == len(self._config.code):
            self._agent.respond(event.token, Response.to_request(request, 404))
            return
        self._agent.respond(event.token, Response.to_request(request, 200))
        self._calls.spawn(self._reply(envelope, request))

    async def _reply(self, envelope: Envelope, request: Request) -> None:
        try:
            bodies = self._bodies(envelope)
            for body in bodies:
                # Serially: the next packet waits for the answer to the one before (§7.5).
                await self._send(body, request)
        except (NoAnswer, ProtocolError) as error:
            log.warning("simulator.reply.failed", command=envelope.cmd_type, error=str(error) or "no answer")
            return
        if envelope.is_("Query", "Catalog"):
            self.catalogues += 1

    async def _send(self, body: bytes, request: Request) -> None:
        # To is who asked (annex A.1), in a call of its own.
        asked = request.from_.uri
        to = Uri.of(asked.user or self._config.server_code, asked.host)
        own = self._registration.own
        message = new_request("MESSAGE", self._registration.server, own, to, cseq=20, body=body, content_type=MANSCDP)
        await self._agent.request(message)

    def _bodies(self, envelope: Envelope) -> Sequence[bytes]:
        sn, asked, edition = envelope.sn or 1, envelope.device_id, self._config.edition
        if envelope.root == "Query":
            match envelope.cmd_type.lower():
                case "catalog":
                    return self._catalog(asked, sn)
                case "deviceinfo":
                    return [self._info(asked, sn)]
                case "devicestatus":
                    return [self._status(asked, sn)]
                case "recordinfo":
                    return [
                        build(
                            "Response", "RecordInfo", sn, asked, [leaf("Name", ""), leaf("SumNum", 0)], edition=edition
                        )
                    ]
                case _:
                    return [build("Response", envelope.cmd_type, sn, asked, [leaf("Result", "ERROR")], edition=edition)]
        if envelope.is_("Control", "DeviceControl"):
            # The 2016 sample spells the command IFameCmd, and so do devices.
            if envelope.element.get("IFrameCmd") or envelope.element.get("IFameCmd"):
                self._calls.refresh(asked)
            if any(envelope.element.get(command) for command in _REFUSED_COMMANDS):
                return [build("Response", "DeviceControl", sn, asked, [leaf("Result", "ERROR")], edition=edition)]
        return []

    def _info(self, asked: str, sn: int) -> bytes:
        channel = next((channel for channel in self._config.channels if channel.code == asked), None)
        name = channel.name if channel else self._config.name
        count = 1 if channel else len(self._config.channels)
        info = DeviceInfo(asked, sn, name, True, MANUFACTURER, MODEL, "1.0", count)
        return info.build(self._config.edition)

    def _status(self, asked: str, sn: int) -> bytes:
        channel = next((channel for channel in self._config.channels if channel.code == asked), None)
        online = channel.online if channel else True
        encode = any(stream.channel.code == asked for stream in self._calls.streams)
        status = DeviceStatus(asked, sn, online=online, ok=online, encode=encode, record=False, device_time=now())
        return status.build(self._config.edition)

    def _catalog(self, asked: str, sn: int) -> list[bytes]:
        config, faults = self._config, self._config.faults
        channels = config.channels
        if asked != config.code:
            region = len(asked) < len(config.code)
            channels = [c for c in channels if (c.civil_code.startswith(asked) if region else c.code == asked)]
        items = [catalog_item(channel, config.code) for channel in channels]
        total = len(items) + faults.catalog_wrong_sum
        size = max(1, config.items_per_packet)
        chunks = [items[at : at + size] for at in range(0, len(items), size)] or [[]]
        packets = [CatalogResponse(asked, sn, total, chunk).build(config.edition) for chunk in chunks]
        if faults.catalog_missing:
            packets = packets[: -faults.catalog_missing]
        if faults.catalog_out_of_order:
            packets = packets[1::2] + packets[0::2]
        if faults.catalog_duplicates:
            packets = [again for index, packet in enumerate(packets) for again in [packet] * (1 + index % 2)]
        return packets
