"""Subscriptions of uppers: catalogue, alarms, positions (GB/T 28181 §9.11; gb28181.md §14)."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from time import monotonic
from typing import Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.access.actions import Action
from gongshi.db.engine import Database
from gongshi.kit import clock
from gongshi.protocols.errors import ProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import (
    Alarm,
    CatalogChange,
    CatalogItem,
    Envelope,
    MobilePosition,
    build,
    leaf,
    parse,
)
from gongshi.protocols.manscdp.element import write_xml
from gongshi.protocols.sip import MANSCDP, Dialog, Flow, RequestReceived, Response, new_tag
from gongshi.signalling.agent import NoAnswer
from gongshi.signalling.party import Ground
from gongshi.signalling.uppers import repository
from gongshi.signalling.uppers.calls import stored_flow
from gongshi.signalling.uppers.catalogue import DATAGRAM
from gongshi.signalling.uppers.changes import (
    PACKAGES,
    Change,
    Package,
    conditions_of,
    differences,
    expires_of,
    initial,
    wanted,
)
from gongshi.signalling.uppers.client import Link
from gongshi.signalling.uppers.directory import Directory
from gongshi.signalling.uppers.gate import Links
from gongshi.signalling.uppers.repository import Shared

log = structlog.get_logger(__name__)

_MOST: Final = 32
"""Subscriptions of one upper."""
_CHANGES: Final = 100
"""Changes of one notification (22 §N.1)."""
_HEAD: Final = 700
_SILENCES: Final = 3
"""Notifications without an answer after which a subscription is dropped."""

Spawn = Callable[[Coroutine[Any, Any, None]], Any]
Decide = Callable[[Link, Action, int], Coroutine[Any, Any, bool]]


@dataclass(slots=True, eq=False)
class Subscription:
    """One subscription that stands."""

    upper_id: int
    package: Package
    scope: str
    """The code that was subscribed to."""
    event: str
    """The Event header, given back in every notification."""
    dialog: Dialog
    flow: Flow
    expires: float
    """When it ends, on the loop's clock."""
    conditions: dict[str, Any] = field(default_factory=dict[str, Any])
    told: dict[int, Shared] | None = None
    """What the upper knows of each camera; None before the first report."""
    silences: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    due: dict[int, float] = field(default_factory=dict[int, float])
    """When each camera's position may be told again."""


class Subscriptions:
    """All subscriptions of all uppers."""

    def __init__(
        self,
        ground: Ground,
        database: Database,
        directory: Directory,
        links: Links,
        spawn: Spawn,
        allowed: Decide,
    ) -> None:
        self._ground = ground
        self._endpoint = ground.agent.endpoint
        self._database = database
        self._directory = directory
        self._links = links
        self._spawn = spawn
        self._allowed = allowed
        self._by_call: dict[str, Subscription] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._by_call)

    def __iter__(self) -> Iterator[Subscription]:
        return iter(list(self._by_call.values()))

    def clear(self) -> None:
        """Forget everything: another process carries the subscriptions on."""
        self._by_call.clear()

    def knows(self, call_id: str) -> bool:
        return call_id in self._by_call

    # --- SUBSCRIBE -----------------------------------------------------------------------------------------------------

    def subscribe(self, link: Link, event: RequestReceived) -> None:
        """A new subscription, a refresh, or the end of one."""
        request = event.request
        known = self._by_call.get(request.call_id)
        if known is not None:
            self._refresh(link, known, event)
            return
        if request.to.tag:
            self._respond(event, 481)
            return
        try:
            envelope = parse(request.body)
            package = PACKAGES.get(envelope.cmd_type.strip().lower())
        except RemoteProtocolError as error:
            self._respond(event, error.hint_status)
            return
        if package is None:
            self._respond(event, 489, headers=[("Allow-Events", "Catalog, presence")])
            return
        if sum(1 for other in self if other.upper_id == link.account.id) >= _MOST:
            self._respond(event, 503, headers=[("Retry-After", "60")])
            return
        expires = expires_of(request)
        if not expires:
            # Asked for once only: an answer, and nothing stands (RFC 6665 §4.4.3).
            self._accept(link, event, envelope, new_tag(), 0)
            return
        self._open(link, event, envelope, package, expires)

    def _open(self, link: Link, event: RequestReceived, envelope: Envelope, package: Package, expires: int) -> None:
        request = event.request
        dialog = Dialog.from_request(request, new_tag())
        # Notifications count from 1 (§14).
        dialog.local_cseq = 0
        subscription = Subscription(
            link.account.id,
            package,
            envelope.device_id or link.account.own_code,
            (request.headers.get("Event") or package).strip(),
            dialog,
            event.flow,
            monotonic() + expires,
            conditions_of(package, envelope),
        )
        self._accept(link, event, envelope, dialog.local_tag, expires)
        self._by_call[request.call_id] = subscription
        log.info("signal.upper.subscribed", upper=link.account.code, package=package, scope=subscription.scope)
        self._spawn(self._begin(link, subscription))

    def _refresh(self, link: Link, subscription: Subscription, event: RequestReceived) -> None:
        request = event.request
        if subscription.upper_id != link.account.id or not subscription.dialog.matches(request):
            self._respond(event, 481)
            return
        try:
            subscription.dialog.accept(request)
        except RemoteProtocolError as error:
            self._respond(event, error.hint_status)
            return
        expires = expires_of(request)
        subscription.flow = event.flow
        subscription.expires = monotonic() + expires
        envelope = None
        with contextlib.suppress(RemoteProtocolError):
            envelope = parse(request.body) if request.body else None
        self._accept(link, event, envelope, subscription.dialog.local_tag, expires)
        if expires:
            self._spawn(self._save(subscription))
        else:
            self._spawn(self._finish(subscription, "timeout"))

    def _accept(self, link: Link, event: RequestReceived, envelope: Envelope | None, tag: str, expires: int) -> None:
        """200 with Contact and Expires; the sample's body too, which some uppers wait for."""
        body, kind = b"", None
        if envelope is not None:
            body = build(
                "Response",
                envelope.cmd_type.strip(),
                envelope.sn or 0,
                envelope.device_id,
                [leaf("Result", "OK")],
                edition=link.edition,
                charset=link.account.charset or "gb18030",
            )
            kind = MANSCDP
        headers = [("Contact", f"<{link.contact(event.flow)}>"), ("Expires", str(expires))]
        if event_name := event.request.headers.get("Event"):
            headers.append(("Event", event_name))
        self._respond(event, 200, tag=tag, headers=headers, body=body, content_type=kind)

    def _respond(
        self,
        event: RequestReceived,
        status: int,
        *,
        tag: str | None = None,
        headers: list[tuple[str, str]] | None = None,
        body: bytes = b"",
        content_type: str | None = None,
    ) -> None:
        response = Response.to_request(
            event.request, status, tag=tag, headers=headers or [], body=body, content_type=content_type
        )
        with contextlib.suppress(ProtocolError):
            self._endpoint.respond(event.token, response, monotonic())
        self._ground.agent.flush()

    async def _begin(self, link: Link, subscription: Subscription) -> None:
        await self._save(subscription)
        if subscription.package == "Catalog":
            await self._report(link, subscription)
        else:
            # A subscriber is told at once that its subscription stands (RFC 6665 §4.1.2).
            await self._notify(link, subscription, b"")

    # --- catalogue -----------------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """Rights, cameras or their states may have changed."""
        self._changed.set()

    async def watch(self, settle: float, period: float) -> None:
        """Tell subscribers of the catalogue what changes: soon after a hint, and every `period` seconds in any case."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(period):
                    await self._changed.wait()
            await asyncio.sleep(settle)
            self._changed.clear()
            self.expire()
            for subscription in self:
                link = self._links.get(subscription.upper_id)
                if subscription.package == "Catalog" and link is not None and link.online:
                    self._spawn(self._report(link, subscription))

    async def _report(self, link: Link, subscription: Subscription) -> None:
        if subscription.turn.locked():
            # The one that runs reads the state after this hint, or the next period finds the rest.
            return
        async with subscription.turn:
            try:
                now = await self._state(link, subscription)
                told = subscription.told
                changes = initial(now) if told is None else differences(told, now)
                subscription.told = now
                if told is None and not changes:
                    await self._notify(link, subscription, b"")
                    return
                await self._tell(link, subscription, changes)
            except SQLAlchemyError as error:
                log.warning("signal.upper.report", upper=link.account.code, error=type(error).__name__)

    async def _state(self, link: Link, subscription: Subscription) -> dict[int, Shared]:
        account = link.account
        async with self._database.read() as session:
            now = await self._directory.shared(session, account)
            if subscription.scope != account.own_code:
                outline = await self._directory.outline(session, account, subscription.scope)
                inside = set(outline.cameras)
                now = {key: value for key, value in now.items() if key in inside}
        return now

    async def _tell(self, link: Link, subscription: Subscription, changes: Sequence[Change]) -> None:
        whole = [change.camera_id for change in changes if change.event in {"ADD", "UPDATE"}]
        items: dict[str, CatalogItem] = {}
        for start in range(0, len(whole), 500):
            async with self._database.read() as session:
                page = await self._directory.items(session, link.account, whole[start : start + 500])
            items |= {item.device_id: item for item in page}
        room = DATAGRAM - _HEAD if subscription.flow.transport == "UDP" else 1 << 30
        portion: list[CatalogItem] = []
        used = 0
        for change in changes:
            item = items.get(change.code) or CatalogItem(change.code)
            item = replace(item, event=change.event)
            size = len(write_xml(item.to_element(link.edition)).encode("gb18030"))
            if change.event not in {"ADD", "UPDATE"}:
                size = 90
            if portion and (used + size > room or len(portion) >= _CHANGES):
                if not await self._send_changes(link, subscription, portion):
                    return
                portion, used = [], 0
            portion.append(item)
            used += size
        if portion:
            await self._send_changes(link, subscription, portion)

    async def _send_changes(self, link: Link, subscription: Subscription, portion: list[CatalogItem]) -> bool:
        body = CatalogChange(subscription.scope, link.next_sn(), portion).to_bytes(
            link.edition, link.account.charset or "gb18030"
        )
        return await self._notify(link, subscription, body)

    # --- alarms and positions --------------------------------------------------------------------------------------------

    async def alarm(self, camera_id: int, alarm: Alarm) -> None:
        """An alarm of a camera: to every upper that subscribed to such alarms and may see the camera."""
        for subscription in self:
            if subscription.package == "Alarm" and wanted(subscription.conditions, alarm):
                await self._pass_on(
                    subscription,
                    camera_id,
                    lambda code, sn, link: replace(alarm, device_id=code, sn=sn).to_bytes(
                        link.edition, link.account.charset or "gb18030"
                    ),
                )

    async def position(self, camera_id: int, position: MobilePosition) -> None:
        """A mobile camera's place, not more often than the subscriber asked."""
        now = monotonic()
        for subscription in self:
            if subscription.package != "MobilePosition" or subscription.due.get(camera_id, 0.0) > now:
                continue
            subscription.due[camera_id] = now + float(subscription.conditions.get("interval", 5))

            def told(code: str, sn: int, link: Link) -> bytes:
                places = tuple(replace(place, device_id=code) for place in position.positions[-1:])
                return MobilePosition(code, sn, places, position.time).to_bytes(
                    link.edition, link.account.charset or "gb18030"
                )

            await self._pass_on(subscription, camera_id, told)

    async def _pass_on(
        self, subscription: Subscription, camera_id: int, body: Callable[[str, int, Link], bytes]
    ) -> None:
        link = self._links.get(subscription.upper_id)
        if link is None or not link.online or not await self._allowed(link, Action.SEE, camera_id):
            return
        async with self._database.read() as session:
            known = await repository.shared(session, link.account.id, link.account.code, [camera_id])
            if subscription.scope != link.account.own_code:
                outline = await self._directory.outline(session, link.account, subscription.scope)
                if camera_id not in set(outline.cameras):
                    return
        if known:
            with contextlib.suppress(ProtocolError):
                await self._notify(link, subscription, body(known[0].code, link.next_sn(), link))

    # --- NOTIFY --------------------------------------------------------------------------------------------------------

    async def _notify(self, link: Link, subscription: Subscription, body: bytes, *, ended: str | None = None) -> bool:
        """Send one notification; False when the subscription is over."""
        left = max(0, round(subscription.expires - monotonic()))
        state = f"terminated;reason={ended}" if ended else f"active;expires={left}"
        request = subscription.dialog.request(
            "NOTIFY",
            headers=(
                ("Event", subscription.event),
                ("Subscription-State", state),
                ("Contact", f"<{link.contact(subscription.flow)}>"),
            ),
            body=body,
            content_type=MANSCDP if body else None,
        )
        try:
            answer = await self._ground.agent.ask(request, self._flow(link, subscription), 10.0)
        except NoAnswer:
            subscription.silences += 1
            if subscription.silences >= _SILENCES:
                await self._forget(subscription, "silent")
                return False
            return True
        subscription.silences = 0
        if answer.status in {404, 410, 481, 489}:
            # It does not know the subscription any more; it subscribes again if it wants to (§14).
            await self._forget(subscription, str(answer.status))
            return False
        return True

    def _flow(self, link: Link, subscription: Subscription) -> Flow:
        if subscription.flow.transport == "TCP" and link.flow is not None and link.flow.transport == "TCP":
            return link.flow
        return subscription.flow

    async def _finish(self, subscription: Subscription, reason: str) -> None:
        link = self._links.get(subscription.upper_id)
        await self._forget(subscription, reason)
        if link is not None:
            await self._notify(link, subscription, b"", ended=reason)

    async def _forget(self, subscription: Subscription, reason: str) -> None:
        if self._by_call.pop(subscription.dialog.call_id, None) is None:
            return
        log.info("signal.upper.unsubscribed", upper=subscription.upper_id, package=subscription.package, reason=reason)
        await self._write(lambda session: repository.drop_subscription(session, subscription.dialog.call_id))

    def expire(self) -> None:
        """End what was not refreshed in time."""
        now = monotonic()
        for subscription in self:
            if subscription.expires <= now:
                self._spawn(self._finish(subscription, "timeout"))

    async def gone(self, upper_id: int) -> None:
        """The upper was disabled or removed."""
        for subscription in self:
            if subscription.upper_id == upper_id:
                await self._forget(subscription, "deactivated")

    # --- books ---------------------------------------------------------------------------------------------------------

    async def _save(self, subscription: Subscription) -> None:
        values = {
            "call_id": subscription.dialog.call_id,
            "upper_id": subscription.upper_id,
            "package": subscription.package,
            "expires_at": clock.now() + timedelta(seconds=subscription.expires - monotonic()),
            "state": {
                "dialog": subscription.dialog.dump(),
                "flow": asdict(subscription.flow),
                "scope": subscription.scope,
                "event": subscription.event,
                "conditions": subscription.conditions,
            },
        }
        await self._write(lambda session: repository.save_subscription(session, values))

    async def _write(self, work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        try:
            async with self._database.unit() as uow:
                await work(uow.session)
        except (SQLAlchemyError, OSError, UnicodeError) as error:
            # A Call-ID that the database cannot hold: the subscription stands all the same, until we restart.
            log.warning("signal.upper.subscription.database", error=type(error).__name__)

    async def restore(self) -> None:
        """Take over the subscriptions of an earlier process; their first report is given again."""
        async with self._database.read() as session:
            rows = await repository.subscriptions(session, clock.now())
        for row in rows:
            package = PACKAGES.get(row.package.lower())
            try:
                dialog, flow = Dialog.load(row.state["dialog"]), stored_flow(row.state["flow"])
                scope, event = str(row.state["scope"]), str(row.state["event"])
                conditions: dict[str, Any] = dict(row.state["conditions"])
            except (ProtocolError, KeyError, TypeError, ValueError):
                continue
            if package is None:
                continue
            # Sequence numbers were counted on after the row was written.
            dialog.local_cseq += 10_000
            expires = monotonic() + (row.expires_at - clock.now()).total_seconds()
            self._by_call[row.call_id] = Subscription(
                row.upper_id, package, scope, event, dialog, flow, expires, conditions
            )
