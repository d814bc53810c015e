"""MESSAGE from an upper: answered about ourselves, forwarded for a camera after `decide` (gb28181.md §13.4)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Final
from weakref import WeakValueDictionary

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.access.actions import Action
from gongshi.access.decisions import Decision
from gongshi.access.follower import RightsUnavailable
from gongshi.access.rights import decide_now, load
from gongshi.audit import service as audit
from gongshi.db.engine import Database
from gongshi.kit import clock
from gongshi.kit.errors import Problem
from gongshi.protocols.errors import ProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import (
    CatalogQuery,
    Charset,
    DeviceInfo,
    DeviceStatus,
    Element,
    Envelope,
    build,
    leaf,
    read,
)
from gongshi.protocols.manscdp.element import write_xml
from gongshi.signalling.agent import NoAnswer
from gongshi.signalling.desk import Holder
from gongshi.signalling.limits import Sparse
from gongshi.signalling.uppers import commands, repository
from gongshi.signalling.uppers.catalogue import DATAGRAM, Answers
from gongshi.signalling.uppers.client import Link
from gongshi.signalling.uppers.commands import GROUPS, Need
from gongshi.signalling.uppers.directory import MAKER, MODEL
from gongshi.signalling.uppers.ports import Below, Errand, Reply, Rights
from gongshi.signalling.uppers.repository import Target

log = structlog.get_logger(__name__)

CONTROLLED: Final = "signalling.upper.controlled"
_HEAD: Final = 600
_PER_STREAM: Final = 200


class Relay:
    """Queries and controls of all uppers."""

    def __init__(
        self,
        database: Database,
        rights: Rights,
        answers: Answers,
        below: Below,
        name: str,
        count: Callable[[], int],
    ) -> None:
        """`name` is what our platform is called, `count` how many channels it has."""
        self._database = database
        self._rights = rights
        self._answers = answers
        self._below = below
        self._name = name
        self._count = count
        self._sparse = Sparse(60.0)
        self._turns: WeakValueDictionary[tuple[int, str], asyncio.Lock] = WeakValueDictionary()

    async def take(self, link: Link, envelope: Envelope, address: str) -> None:
        """Deal with one message; the SIP answer has been given."""
        try:
            if envelope.is_("Query", "Catalog"):
                await self._answers.answer(link, CatalogQuery.parse(envelope))
            elif envelope.root == "Query":
                await self._command(link, envelope, address)
            elif envelope.root == "Control":
                # In the order they came: a stop that overtakes its move would leave the camera turning.
                async with self._turns.setdefault((link.account.id, envelope.device_id), asyncio.Lock()):
                    await self._command(link, envelope, address)
            elif envelope.is_("Notify", "Broadcast"):
                # Speaking through an upper is not carried on to cameras yet; the answer says so.
                await self._respond(link, envelope, [leaf("Result", "ERROR")])
        except (NoAnswer, ProtocolError, SQLAlchemyError, OSError) as error:
            log.warning(
                "signal.upper.message.failed",
                upper=link.account.code,
                command=envelope.cmd_type[:40],
                error=str(error)[:200],
            )

    async def _command(self, link: Link, envelope: Envelope, address: str) -> None:
        if commands.follows(envelope):
            log.info("signal.upper.following.dropped", upper=link.account.code, device=envelope.device_id[:20])
            return
        if envelope.device_id in {link.account.own_code, ""}:
            await self._about_us(link, envelope)
            return
        need = commands.need(envelope)
        target = None
        if need is not None:
            async with self._database.read() as session:
                target = await repository.camera_known_as(session, link.account.id, envelope.device_id)
        if need is None or target is None or not await self._allowed(link, need, target):
            if need is None or need.answered:
                await self._respond(link, envelope, commands.refusal(envelope.cmd_type))
            return
        await self._forward(link, envelope, need, target, address)

    # --- rights --------------------------------------------------------------------------------------------------------

    async def _allowed(self, link: Link, need: Need, target: Target) -> bool:
        if need.group not in GROUPS:
            return (await self.decide(link, need.action, target.id)).allowed
        subject, now = link.account.subject, clock.now()
        async with self._database.read() as session:
            snapshot = await load(session, subject=subject, camera_ids=[target.id])
        # Any of its rights may be the one that names the group.
        return any(
            need.group in (holding.limits.get("commands") or ())
            and snapshot.decide_under(subject, need.action, target.id, now, holding.right_id).allowed
            for key in subject.holders()
            for holding in snapshot.holdings.get(key, ())
        )

    async def decide(self, link: Link, action: Action, camera_id: int) -> Decision:
        """From memory; what memory refuses, or may not know yet, is asked of the database."""
        subject, now = link.account.subject, clock.now()
        try:
            decision = self._rights.current().decide(subject, action, camera_id, now)
        except RightsUnavailable:
            decision = None
        if decision is not None and decision.allowed:
            return decision
        async with self._database.read() as session:
            return await decide_now(session, subject, action, camera_id, now)

    async def _log(self, link: Link, envelope: Envelope, need: Need, target: Target, address: str) -> None:
        """Every first command of a kind in a minute; a joystick sends twenty a second."""
        count = self._sparse.count((link.account.id, target.id, need.group), monotonic())
        if not count:
            return
        async with self._database.unit(link.account.actor(address)) as uow:
            await audit.record(
                uow,
                CONTROLLED,
                object_kind="camera",
                object_id=target.code,
                camera_id=target.id,
                detail={
                    "camera_name": target.name,
                    "camera_code": target.code,
                    "name": link.account.name,
                    "group": need.group,
                    "command": envelope.cmd_type[:40],
                    "count": count,
                },
            )

    # --- about us ------------------------------------------------------------------------------------------------------

    async def _about_us(self, link: Link, envelope: Envelope) -> None:
        """A question about our own platform is answered too (Q-44)."""
        own, sn = link.account.own_code, envelope.sn or 0
        name = envelope.cmd_type.strip().lower()
        if envelope.root == "Query" and name == "deviceinfo":
            info = DeviceInfo(own, sn, self._name, manufacturer=MAKER, model=MODEL, channels=self._count())
            await link.say(info.build(link.edition))
        elif envelope.root == "Query" and name == "devicestatus":
            await link.say(DeviceStatus(own, sn, device_time=clock.now()).build(link.edition))
        elif envelope.root == "Query" and name == "configdownload":
            await self._respond(link, envelope, self._basics(link, envelope))
        else:
            await self._respond(link, envelope, commands.refusal(envelope.cmd_type))

    def _basics(self, link: Link, envelope: Envelope) -> list[Element]:
        if (envelope.element.get("ConfigType") or "").strip().lower() != "basicparam":
            return commands.refusal("ConfigDownload")
        account = link.account
        basics = [
            leaf("Name", self._name),
            leaf("Expiration", link.expires or account.expires),
            leaf("HeartBeatInterval", account.interval),
            leaf("HeartBeatCount", account.misses),
        ]
        return [leaf("Result", "OK"), Element("BasicParam", "", basics)]

    # --- for a camera --------------------------------------------------------------------------------------------------

    async def _forward(self, link: Link, envelope: Envelope, need: Need, target: Target, address: str) -> None:
        if envelope.root == "Control":
            await self._log(link, envelope, need, target, address)
        account, reply = link.account, None
        holder = Holder("upper", account.id, account.name, account.organisation_name)
        try:
            message = read(envelope)
            if message is not None:
                command = envelope.cmd_type.strip()
                reply = await self._below.forward(Errand(target.id, message, command, need.answered, holder))
        except (Problem, RemoteProtocolError) as error:
            log.info("signal.upper.errand.failed", upper=account.code, camera=target.code, error=str(error)[:200])
        if not need.answered:
            return
        if reply is None or not reply.contents:
            await self._respond(link, envelope, commands.refusal(envelope.cmd_type))
            return
        codes = {reply.code: envelope.device_id, target.code: envelope.device_id}
        if envelope.is_("Query", "RecordInfo"):
            await self._records(link, envelope, reply, codes)
            return
        for elements in reply.contents:
            await self._respond(link, envelope, [commands.renamed(element, codes) for element in elements])

    async def _records(self, link: Link, envelope: Envelope, reply: Reply, codes: Mapping[str, str]) -> None:
        """One list in packets that fit the upper's transport, whatever the device's were (§7.5)."""
        name, items = commands.records(reply.contents)
        items = [commands.renamed(item, codes) for item in items]
        if not items:
            await self._respond(link, envelope, [leaf("Name", name), leaf("SumNum", 0)])
            return
        stream = link.account.transport == "TCP"
        room, most = (1 << 30, _PER_STREAM) if stream else (DATAGRAM - _HEAD, 64)
        for portion in portions(items, room, most):
            held = Element("RecordList", "", portion, {"Num": str(len(portion))})
            await self._respond(link, envelope, [leaf("Name", name), leaf("SumNum", len(items)), held])

    async def _respond(self, link: Link, envelope: Envelope, children: Sequence[Element]) -> None:
        """A Response under the upper's SN and code, as a MESSAGE of its own."""
        charset: Charset = link.account.charset or "gb18030"
        body = build(
            "Response",
            envelope.cmd_type.strip(),
            envelope.sn or 0,
            envelope.device_id or link.account.own_code,
            children,
            edition=link.edition,
            charset=charset,
        )
        await link.say(body)


def portions(items: Sequence[Element], room: int, most: int) -> list[list[Element]]:
    """Items in lists of at most `most` and at most `room` bytes; one that is larger goes alone."""
    found: list[list[Element]] = []
    used = room + 1
    for item in items:
        size = len(write_xml(item).encode("gb18030"))
        if used + size > room or len(found[-1]) >= most:
            found.append([])
            used = 0
        found[-1].append(item)
        used += size
    return found
