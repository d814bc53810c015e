"""What happens, as it happens, to the pages that may know it (`GET /api/v1/events`, server-sent)."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from fastapi.responses import StreamingResponse

from gongshi.access.door import SIGNED_IN, Caller, Door
from gongshi.access.subjects import Subject
from gongshi.db.events import Event, EventStream

log = structlog.get_logger(__name__)

door = Door(prefix="/api/v1/events", tag="events")

_QUEUE = 256
_BEAT = 15.0
MayKnow = Callable[[Subject, Mapping[str, Any]], bool]
"""Whether a subject may hear of an event with this payload."""


def _own_session(subject: Subject, payload: Mapping[str, Any]) -> bool:
    return payload.get("subject_kind") == subject.kind and payload.get("subject_id") == subject.id


def _own_organisation_or(*roles: str) -> MayKnow:
    def may(subject: Subject, payload: Mapping[str, Any]) -> bool:
        mine = payload.get("organisation_id")
        return (mine is not None and mine == subject.organisation_id) or bool(subject.roles & set(roles))

    return may


def _roles(*roles: str) -> MayKnow:
    def may(subject: Subject, payload: Mapping[str, Any]) -> bool:
        del payload
        return bool(subject.roles & set(roles))

    return may


AUDIENCE: Mapping[str, tuple[str, MayKnow]] = {
    "media.session.": ("session", _own_session),
    "inventory.filing.": ("filing", _own_organisation_or("leading_office")),
    "sharing.request.": ("request", _own_organisation_or("data_bureau", "police_officer")),
    "sharing.decision.": ("request", _own_organisation_or("data_bureau", "police_officer")),
    "sharing.grant.": ("grant", _own_organisation_or("data_bureau", "police_officer")),
    "signalling.peer.": ("peer", _own_organisation_or("system_admin", "police_officer")),
    "signalling.alarm.": ("alarm", _own_organisation_or("system_admin", "police_officer")),
    "signalling.upper.": ("upper", _roles("system_admin", "police_officer", "data_bureau")),
}
"""Event names by prefix: the kind pages know them by, and who may hear them. Everything else stays inside."""


@dataclass(frozen=True, eq=False)
class Listener:
    """One open page."""

    subject: Subject
    queue: "asyncio.Queue[str | None]"


class Hub:
    """One reader of the outbox per web process, fanned out to the pages."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._follow(), name="event-hub")

    async def stop(self) -> None:
        for listener in self._listeners:
            with contextlib.suppress(asyncio.QueueFull):
                listener.queue.put_nowait(None)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def listen(self, subject: Subject) -> Listener:
        listener = Listener(subject, asyncio.Queue(_QUEUE))
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    async def _follow(self) -> None:
        while True:
            stream = EventStream(self._url)
            try:
                await stream.connect()
                async with contextlib.aclosing(stream.read()) as batches:
                    async for batch in batches:
                        for event in batch:
                            self._publish(event)
            except psycopg.Error as error:
                # Pages learn what they missed by asking again when their own connection comes back.
                log.warning("events.lost", error=type(error).__name__)
                await asyncio.sleep(1)
            finally:
                await stream.close()

    def _publish(self, event: Event) -> None:
        room = event.name[: event.name.rindex(".") + 1]
        if room not in AUDIENCE:
            return
        kind, may_know = AUDIENCE[room]
        verb = event.name.rpartition(".")[2]
        text = f"event: {kind}.{verb}\nid: {event.id}\ndata: {json.dumps(dict(event.payload), ensure_ascii=False)}\n\n"
        for listener in self._listeners:
            if not may_know(listener.subject, event.payload):
                continue
            try:
                listener.queue.put_nowait(text)
            except asyncio.QueueFull:
                # A page that does not read is let go; its browser connects again and asks afresh.
                with contextlib.suppress(asyncio.QueueEmpty):
                    listener.queue.get_nowait()
                with contextlib.suppress(asyncio.QueueFull):
                    listener.queue.put_nowait(None)


@door.get("", permission=SIGNED_IN, summary="Server-sent events", response_class=StreamingResponse)
async def events(caller: Caller) -> StreamingResponse:
    """Events the caller may know: `session.*`, `filing.*`, `request.*`, `grant.*`, `peer.*`, `alarm.*`, `upper.*`."""
    hub: Hub = caller.state.hub
    listener = hub.listen(caller.subject)

    async def lines() -> AsyncGenerator[str]:
        try:
            yield "retry: 1000\nevent: hello\ndata: {}\n\n"
            while True:
                try:
                    text = await asyncio.wait_for(listener.queue.get(), _BEAT)
                except TimeoutError:
                    text = ": beat\n\n"
                if text is None:
                    return
                yield text
        finally:
            hub.leave(listener)

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
