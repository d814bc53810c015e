"""What the device says of its own accord: NOTIFY to subscribers, and alarms (§9, §14)."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

import structlog

from gongshi.kit.clock import now
from gongshi.protocols.errors import ProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import CatalogItem, Envelope, leaf, parse
from gongshi.protocols.manscdp.alarm import Alarm, MobilePosition, Position
from gongshi.protocols.manscdp.catalog import CatalogChange
from gongshi.protocols.manscdp.element import Element
from gongshi.protocols.manscdp.envelope import build
from gongshi.protocols.manscdp.queries import AlarmQuery, MobilePositionQuery
from gongshi.protocols.sip import MANSCDP, Dialog, NameAddr, RequestReceived, Response, Uri
from gongshi.simulator.agent import Agent, NoAnswer
from gongshi.simulator.queries import Queries
from gongshi.simulator.site import Site

log = structlog.get_logger(__name__)

DEFAULT_EXPIRES = 600
_KINDS = ("catalog", "alarm", "mobileposition", "ptzposition")
_INPUT = 2
"""AlarmMethod of an alarm input: the device stays silent after one until it is reset (2022 A.2.5.3)."""
Spawn = Callable[[Coroutine[None, None, None]], None]


@dataclass(eq=False, slots=True)
class Subscription:
    """One dialog of a subscriber with us."""

    dialog: Dialog
    kind: str
    event: str
    """The Event header, echoed in every NOTIFY."""
    envelope: Envelope
    until: float
    """Of the loop's clock."""
    task: asyncio.Task[None] | None = field(default=None)


class Notices:
    """Subscriptions of the server, and what they are told."""

    def __init__(self, site: Site, agent: Agent, queries: Queries, spawn: Spawn) -> None:
        self._site = site
        self._agent = agent
        self._queries = queries
        self._spawn = spawn
        self.subscriptions: list[Subscription] = []

    # --- SUBSCRIBE ---------------------------------------------------------------------------------------------------

    def subscribe(self, event: RequestReceived) -> None:
        """Answer a SUBSCRIBE: new, refreshed, or ended with Expires 0."""
        request, faults = event.request, self._site.config.faults
        found = next((s for s in self.subscriptions if s.dialog.matches(request)), None)
        if request.to.tag and (found is None or (faults.refresh_refused and request.expires)):
            self._agent.respond(event.token, Response.to_request(request, 481))
            return
        expires = DEFAULT_EXPIRES if request.expires is None else request.expires
        until = asyncio.get_running_loop().time() + expires
        if found is not None:
            if expires or not faults.unsubscribe_ignored:
                found.until = until
            self._grant(event, found, expires)
            if not expires:
                self._end(found, "timeout")
            return
        try:
            envelope = parse(request.body)
        except RemoteProtocolError as error:
            self._agent.respond(event.token, Response.to_request(request, error.hint_status))
            return
        kind = envelope.cmd_type.lower()
        known = _KINDS if self._site.edition == "2022" else _KINDS[:3]
        if kind not in known or kind in faults.refused_subscriptions:
            self._agent.respond(event.token, Response.to_request(request, 489))
            return
        if not self._site.knows(envelope.device_id):
            self._agent.respond(event.token, Response.to_request(request, 404))
            return
        header = request.headers.get("Event") or "presence"
        made = Subscription(Dialog.from_request(request), kind, header, envelope, until)
        self.subscriptions.append(made)
        self._grant(event, made, expires)
        made.task = asyncio.create_task(self._serve(made))

    def _grant(self, event: RequestReceived, subscription: Subscription, expires: int) -> None:
        contact = NameAddr(Uri.of(self._site.config.code, event.flow.local_host, event.flow.local_port))
        headers = [("Contact", str(contact)), ("Expires", str(expires))]
        tag = subscription.dialog.local_tag
        self._agent.respond(event.token, Response.to_request(event.request, 200, tag=tag, headers=headers))

    def _end(self, subscription: Subscription, reason: str) -> None:
        if self._site.config.faults.unsubscribe_ignored or subscription not in self.subscriptions:
            return
        self.subscriptions.remove(subscription)
        if subscription.task is not None:
            subscription.task.cancel()
        self._spawn(self._notify(subscription, b"", f"terminated;reason={reason}"))

    async def close(self) -> None:
        """End every subscription without a word, as a device does that loses its power."""
        tasks = [s.task for s in self.subscriptions if s.task is not None]
        self.subscriptions.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- NOTIFY ------------------------------------------------------------------------------------------------------

    async def _serve(self, subscription: Subscription) -> None:
        """The first report at once, positions in their interval, and the end when nobody refreshes."""
        if not self._site.config.faults.no_notify:
            await self._notify(subscription, self._first(subscription))
        loop = asyncio.get_running_loop()
        while (left := subscription.until - loop.time()) > 0:
            pause = self._interval(subscription)
            await asyncio.sleep(left if pause is None else min(left, pause))
            if pause is not None and not self._site.config.faults.position_silent:
                await self._notify(subscription, self._first(subscription))
        self._end(subscription, "timeout")

    def _interval(self, subscription: Subscription) -> float | None:
        if subscription.kind != "mobileposition":
            return None
        asked = MobilePositionQuery.parse(subscription.envelope).interval
        return min(float(asked), self._site.config.position_interval)

    def _first(self, subscription: Subscription) -> bytes:
        site, asked = self._site, subscription.envelope.device_id
        match subscription.kind:
            case "catalog":
                # What is not said to be off is taken to be on (16 annex P, 22 annex N).
                items = [item for item in site.select(asked) if item.online is False]
                return self._change(asked, [CatalogItem(item.device_id, event="OFF") for item in items])
            case "mobileposition":
                return self._whereabouts(asked)
            case "ptzposition":
                return self._queries.position(asked, site.next_serial()).to_bytes(site.edition, notify=True)
            case _:
                return b""

    def _whereabouts(self, asked: str) -> bytes:
        site = self._site
        placed = [c for c in site.channels.values() if c.longitude is not None and asked in {c.code, site.config.code}]
        moment = now()
        positions = [
            Position(c.code, moment, c.longitude, c.latitude, 0.0, 0.0, 0.0)
            for c in placed
            if c.longitude is not None and c.latitude is not None
        ]
        modern = site.edition == "2022"
        if not modern:
            positions = positions[:1]
        if not positions:
            return b""
        told = MobilePosition(asked, site.next_serial(), tuple(positions), moment)
        return told.to_bytes(site.edition)

    def _change(self, asked: str, items: list[CatalogItem]) -> bytes:
        site = self._site
        if items:
            body = CatalogChange(asked, site.next_serial(), items).to_bytes(site.edition)
        else:
            empty = [leaf("SumNum", 0), Element("DeviceList", "", [], {"Num": "0"})]
            body = build("Notify", "Catalog", site.next_serial(), asked, empty, edition=site.edition)
        return body.replace(b"<SumNum>", b"<SumNum>1") if site.config.faults.notify_wrong_sum else body

    async def _notify(self, subscription: Subscription, body: bytes, state: str = "") -> None:
        left = max(0, round(subscription.until - asyncio.get_running_loop().time()))
        headers = (
            ("Event", subscription.event),
            ("Subscription-State", state or f"active;expires={left}"),
        )
        request = subscription.dialog.request(
            "NOTIFY", headers=headers, body=body, content_type=MANSCDP if body else None
        )
        with contextlib.suppress(NoAnswer, ProtocolError):
            answer = await self._agent.request(request)
            if answer.status in {481, 489} and subscription in self.subscriptions:
                # The subscriber knows nothing of it any more (§14).
                self.subscriptions.remove(subscription)

    def changed(self, items: list[CatalogItem]) -> None:
        """Tell subscribers of the catalogue what changed; every item has its event."""
        if self._site.config.faults.no_notify:
            return
        for subscription in [s for s in self.subscriptions if s.kind == "catalog"]:
            self._spawn(self._notify(subscription, self._change(subscription.envelope.device_id, items)))

    def moved(self, code: str) -> None:
        """Tell subscribers where a camera looks now."""
        for subscription in [s for s in self.subscriptions if s.kind == "ptzposition"]:
            if subscription.envelope.device_id == code:
                self._spawn(self._notify(subscription, self._first(subscription)))

    # --- alarms ------------------------------------------------------------------------------------------------------

    async def alarm(self, alarm: Alarm, tell: "Callable[[bytes], Coroutine[None, None, None]]") -> bool:
        """Raise an alarm: to subscribers that want it, else by MESSAGE; False when the device keeps silent."""
        site, camera = self._site, self._site.cameras.get(alarm.device_id)
        if camera is not None and alarm.method == _INPUT:
            if camera.alarmed:
                return False
            camera.alarmed = True
        body = alarm.to_bytes(site.edition)
        if site.config.faults.alarm_without_priority:
            body = body.replace(f"<AlarmPriority>{alarm.priority}</AlarmPriority>".encode(), b"")
        if site.config.faults.no_alarms:
            return True
        wanted = [s for s in self.subscriptions if s.kind == "alarm"]
        if not wanted:
            await tell(body)
            return True
        for subscription in wanted:
            if AlarmQuery.parse(subscription.envelope).wants(alarm.priority, alarm.method, alarm.type):
                await self._notify(subscription, body)
        return True
