"""SUBSCRIBE and NOTIFY of both sides without I/O (GB/T 28181 §9.11; RFC 6665; gb28181.md §14).

Each side is a table from which the diagrams in the docs are drawn. The owner sends what it is given and reports what
came of it; `now` is seconds of a monotonic clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.sip.dialog import Dialog
from gongshi.protocols.sip.headers import Headers
from gongshi.protocols.sip.message import MANSCDP, Request, Response

DEFAULT_EXPIRES: Final = 600
LEAST_EXPIRES: Final = 5
MOST_EXPIRES: Final = 86_400
REFRESH_AT: Final = 0.8
"""Part of the time after which a subscription is refreshed."""
RETRIES: Final = (10.0, 30.0, 60.0, 300.0, 600.0)
"""Seconds between attempts; the last repeats."""

State = Literal["idle", "asking", "active", "refreshing", "waiting", "ending", "ended"]
Signal = Literal["ask", "accept", "refuse", "silence", "lost", "refresh", "terminated", "stop"]

SUBSCRIBER: Final[Mapping[tuple[State, Signal], State]] = {
    ("idle", "ask"): "asking",
    ("asking", "accept"): "active",
    ("asking", "refuse"): "waiting",
    ("asking", "silence"): "waiting",
    ("asking", "lost"): "idle",
    ("active", "refresh"): "refreshing",
    ("active", "terminated"): "waiting",
    # The peer went offline, or registered anew: what it knew of us is gone.
    ("active", "lost"): "idle",
    ("refreshing", "accept"): "active",
    # 481: the peer forgot us; asked anew with a dialog of its own.
    ("refreshing", "refuse"): "waiting",
    ("refreshing", "silence"): "waiting",
    ("refreshing", "terminated"): "waiting",
    ("refreshing", "lost"): "idle",
    ("waiting", "ask"): "asking",
    ("waiting", "lost"): "idle",
    ("idle", "stop"): "ended",
    ("asking", "stop"): "ending",
    ("active", "stop"): "ending",
    ("refreshing", "stop"): "ending",
    ("waiting", "stop"): "ended",
    ("ending", "accept"): "ended",
    ("ending", "refuse"): "ended",
    ("ending", "silence"): "ended",
    ("ending", "terminated"): "ended",
    ("ending", "lost"): "ended",
}

NotifierState = Literal["active", "expired", "dropped", "ended"]
NotifierSignal = Literal["refresh", "unsubscribe", "time", "refused", "unheard", "terminate"]

NOTIFIER: Final[Mapping[tuple[NotifierState, NotifierSignal], NotifierState]] = {
    ("active", "refresh"): "active",
    ("active", "unsubscribe"): "ended",
    ("active", "time"): "expired",
    # 481 or 489, or three time-outs: the subscriber subscribes again when it wants.
    ("active", "refused"): "dropped",
    ("active", "unheard"): "dropped",
    ("active", "terminate"): "ended",
}
UNHEARD: Final = 3


@dataclass(slots=True)
class Subscription:
    """One subscription of ours to a peer. `event` is the Event header, `expires` what we ask for."""

    event: str
    expires: int = DEFAULT_EXPIRES
    state: State = "idle"
    dialog: Dialog | None = None
    due: float = float("-inf")
    """When to ask or refresh next."""
    until: float = float("-inf")
    """When the peer lets it end."""
    failures: int = 0
    refusal: int | None = None
    """The status of the last refusal; None after silence or success."""
    unwanted: bool = False
    """`stop` was called: what stands all the same, accepted after that, has to be stopped again."""
    _asked: Request | None = field(default=None, repr=False)

    def _go(self, signal: Signal) -> None:
        self.state = SUBSCRIBER.get((self.state, signal), self.state)

    def _wait(self, now: float) -> None:
        self.due = now + RETRIES[min(self.failures, len(RETRIES) - 1)]
        self.failures += 1
        self.dialog = None

    def ask(self, first: Request, body: bytes) -> Request:
        """What to send now: `first` outside a dialog (SUBSCRIBE with From, To, Call-ID), or a refresh inside it.

        Headers Event, Expires, Contact and the body are filled in; a refresh takes its Contact from `first`.
        """
        if self.state not in {"idle", "waiting", "active"}:
            raise LocalProtocolError("a subscription asks once at a time")
        if self.dialog is None:
            request = first
            self._go("ask")
        else:
            contact = first.headers.get("Contact")
            extra = (("Contact", contact),) if contact else ()
            request = self.dialog.request("SUBSCRIBE", headers=extra)
            self._go("refresh")
        self._fill(request, self.expires, body)
        self._asked = request
        return request

    def stop(self) -> Request | None:
        """Unsubscribe: the request to send, in the same dialog with Expires 0; None when nothing stands."""
        before = self.state
        self.unwanted = True
        self._go("stop")
        self.due = float("inf")
        if before not in {"active", "refreshing"} or self.dialog is None:
            return None
        request = self.dialog.request("SUBSCRIBE")
        self._fill(request, 0, b"")
        return request

    def _fill(self, request: Request, expires: int, body: bytes) -> None:
        request.headers.set("Event", self.event)
        request.headers.set("Expires", str(expires))
        request.body = body
        if body:
            request.headers.set("Content-Type", MANSCDP)

    def answered(self, response: Response, now: float) -> None:
        """The final answer to the last request. 2xx without a To tag is accepted (S-07)."""
        if response.status >= 300:
            self.refusal = response.status
            forgot = response.status in {481, 408} and self.state == "refreshing"
            self._go("refuse")
            self._wait(now)
            if forgot:
                # It only forgot us: asked anew at once, outside the old dialog.
                self.due, self.failures = now, 0
            return
        if self.state == "asking" and self._asked is not None:
            self.dialog = Dialog.from_response(self._asked, response)
        granted = response.expires
        seconds = self.expires if granted is None else min(max(granted, LEAST_EXPIRES), MOST_EXPIRES)
        if self.state == "ending" and self.dialog is None and self._asked is not None:
            # Accepted after we had changed our mind.
            self.dialog = Dialog.from_response(self._asked, response)
            self.state = "active"
            return
        self._go("accept")
        self.failures, self.refusal = 0, None
        self.until = now + seconds
        self.due = now + seconds * REFRESH_AT

    def failed(self, now: float) -> None:
        """No answer came."""
        self._go("silence")
        self.refusal = None
        self._wait(now)

    def lost(self, now: float) -> None:
        """The peer went, or registered anew: ask it again when it is back."""
        self._go("lost")
        self.dialog, self.failures, self.due = None, 0, now

    def notified(self, request: Request, now: float) -> int:
        """A NOTIFY that `matches`: the status to answer with. 500 when its CSeq went back; terminated is noted."""
        if self.dialog is None:
            return 481
        try:
            self.dialog.accept(request)
        except RemoteProtocolError as error:
            return error.hint_status
        word, left = subscription_state(request.headers)
        if word == "terminated":
            self._go("terminated")
            self._wait(now)
        elif left is not None and self.state == "active":
            self.until = now + min(left, MOST_EXPIRES)
            self.due = min(self.due, now + left * REFRESH_AT)
        return 200

    def matches(self, request: Request) -> bool:
        """Does a NOTIFY belong here? The Call-ID decides; tags are often wrong (S-07)."""
        if self.dialog is not None:
            return self.dialog.matches(request) or request.call_id == self.dialog.call_id
        # The first NOTIFY may overtake the 200.
        return self._asked is not None and self.state == "asking" and request.call_id == self._asked.call_id

    @property
    def standing(self) -> bool:
        """Does the peer report to us now, as far as we know?"""
        return self.state in {"active", "refreshing"}


def subscription_state(headers: Headers) -> tuple[str, int | None]:
    """(active, pending or terminated; seconds left) of Subscription-State; missing means active."""
    value = headers.get("Subscription-State") or ""
    word, *parameters = (part.strip().lower() for part in value.split(";"))
    left = None
    for parameter in parameters:
        name, _, number = parameter.partition("=")
        if name.strip() in {"expires", "expire"} and number.strip().isascii() and number.strip().isdigit():
            left = int(number.strip()[:9])
    return word or "active", left


@dataclass(slots=True)
class Notifier:
    """A peer's subscription to us: made from its SUBSCRIBE, told by NOTIFY with our own CSeq from 1."""

    dialog: Dialog
    event: str
    """As it asked, echoed in every NOTIFY (`Catalog;id=17`)."""
    command: str
    """CmdType of the body: what is subscribed to, whatever Event says."""
    device_id: str
    """The scope asked for."""
    until: float
    state: NotifierState = "active"
    unheard: int = 0

    @classmethod
    def accept(
        cls, request: Request, tag: str, command: str, device_id: str, now: float, *, longest: int = MOST_EXPIRES
    ) -> "Notifier":
        """A new subscription; answer 200 with `tag`, Contact and `Expires: granted`."""
        dialog = Dialog.from_request(request, tag)
        dialog.local_cseq = 0
        event = (request.headers.get("Event") or "presence").strip()
        return cls(dialog, event, command, device_id, now + granted(request, longest))

    def refresh(self, request: Request, now: float, *, longest: int = MOST_EXPIRES) -> int:
        """A SUBSCRIBE inside the dialog: the seconds granted, 0 when it ends the subscription.

        Equal CSeq is accepted (S-10). Raises RemoteProtocolError (481) when nothing stands any more.
        """
        if self.state != "active":
            raise RemoteProtocolError("the subscription has ended", 481)
        self.dialog.accept(request)
        seconds = granted(request, longest)
        self._go("refresh" if seconds else "unsubscribe")
        self.until = now + seconds
        return seconds

    def _go(self, signal: NotifierSignal) -> None:
        self.state = NOTIFIER.get((self.state, signal), self.state)

    def notify(self, body: bytes, now: float, *, contact: str | None = None) -> Request:
        """The NOTIFY to send. Raises LocalProtocolError when the subscription has ended."""
        if self.state != "active":
            raise LocalProtocolError("nobody is subscribed any more")
        left = max(0, int(self.until - now))
        return self._compose(f"active;expires={left}", body, contact)

    def terminate(self, reason: str = "noresource", *, contact: str | None = None) -> Request | None:
        """The last NOTIFY (RFC 6665 §4.4.1); None when the subscription has ended already."""
        if self.state != "active":
            return None
        self._go("terminate")
        return self._compose(f"terminated;reason={reason}", b"", contact)

    def _compose(self, state: str, body: bytes, contact: str | None) -> Request:
        headers: list[tuple[str, str]] = [("Event", self.event), ("Subscription-State", state)]
        if contact is not None:
            headers.append(("Contact", contact))
        kind = MANSCDP if body else None
        return self.dialog.request("NOTIFY", headers=tuple(headers), body=body, content_type=kind)

    def answered(self, status: int | None) -> bool:
        """The answer to a NOTIFY, None for silence; False when the subscription is over by it."""
        if status is None or status == 408:
            self.unheard += 1
            if self.unheard >= UNHEARD:
                self._go("unheard")
        elif status in {481, 489}:
            self._go("refused")
        else:
            self.unheard = 0
        return self.state == "active"

    def expire(self, now: float) -> bool:
        """End it when its time is over; True when it ended just now."""
        if self.state == "active" and now >= self.until:
            self._go("time")
            return True
        return False


def granted(request: Request, longest: int = MOST_EXPIRES) -> int:
    """Seconds for a SUBSCRIBE: what it asks within bounds; the misprinted header `Expire` counts (S-16)."""
    asked = request.expires
    if asked is None:
        return min(DEFAULT_EXPIRES, longest)
    return 0 if asked == 0 else min(max(asked, LEAST_EXPIRES), longest)
