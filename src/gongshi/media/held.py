"""A session in the agent's hands, and an end that waits for the database."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from gongshi.access.actions import Action, parse_action
from gongshi.access.subjects import Subject
from gongshi.kit import clock
from gongshi.media import reasons
from gongshi.media.books import Ending
from gongshi.media.engine import Urls
from gongshi.media.flow import Flow, Recording
from gongshi.media.ports import Relay
from gongshi.media.reasons import SessionFailed
from gongshi.media.repository import Waiting
from gongshi.protocols.sdp import Ssrc


@dataclass(eq=False)
class Held:
    """A session that this agent carries."""

    id: UUID
    subject: Subject
    action: Action
    camera_id: int
    right_id: int
    not_after: datetime | None = None
    flow: Flow | None = None
    recording: Recording | None = None
    relay: Relay | None = None
    talk: str | None = None
    """The voice path of a session that speaks; it has no flow."""
    ssrc: Ssrc | None = None
    """A number of ours for the relay, where the upper left the choice to us."""
    answered: bool = False
    """Its opener has what it asked for; from now on an upper must be told of the end."""
    admitted: bool = False
    missed: bool = False
    """The engine did not know it at the last renewal; its worker may just be replaced."""
    ending: Ending | None = None
    ended_at: float = 0.0
    figures: tuple[int, float] = (0, 0.0)
    starting: "asyncio.Task[Any] | None" = None

    @property
    def stream(self) -> str | None:
        """What the engine knows it under: its flow or its voice path."""
        return self.flow.name if self.flow is not None else self.talk


@dataclass(slots=True)
class Unwritten:
    """An end that the database could not take; it is offered again until it does."""

    session_id: UUID
    ending: Ending
    figures: tuple[int, float] = field(default=(0, 0.0))


def take_over(waiting: Waiting, relay: Relay | None = None) -> Held:
    """A session as transaction 1 wrote it, in the agent's hands."""
    row = waiting.row
    kind = "upper" if row.subject_kind == "upper" else "service" if row.subject_kind == "service" else "person"
    subject = Subject(
        kind=kind,
        id=row.subject_id,
        name=row.subject_name,
        organisation_id=row.organisation_id,
        organisation_name=row.organisation_name,
        region_code=waiting.region_code,
        level=waiting.level,
        roles=waiting.roles,
        login_id=row.login_id,
    )
    recording = None
    if row.interval_from is not None and row.interval_to is not None:
        kind = "download" if row.action == Action.DOWNLOAD.wire else "playback"
        recording = Recording(kind, row.interval_from, row.interval_to, None if relay is None else relay.speed)
    return Held(
        row.id,
        subject,
        parse_action(row.action),
        row.camera_id,
        row.right_id,
        row.not_after,
        recording=recording,
        relay=relay,
    )


def overtaken(held: Held) -> SessionFailed:
    """It ended while it was still being opened."""
    code = held.ending.code if held.ending is not None else "closed"
    return SessionFailed(reasons.end_text(code), code=code, which=("right",))


def urls_out(urls: Urls) -> dict[str, Any]:
    """The engine's addresses as they travel to the door."""
    return {
        "urls": {"flv": urls.flv, "fmp4": urls.fmp4, "hls": urls.hls},
        "expires_at": clock.local(urls.expires_at).isoformat(),
    }
