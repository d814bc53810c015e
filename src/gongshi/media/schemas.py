"""API shapes of sessions and streams."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from gongshi.kit.moments import Moment
from gongshi.kit.queries import split_words

Code = Annotated[str, StringConstraints(pattern=r"^[0-9]{20}$")]

SessionState = Literal["opening", "open", "ended", "failed"]
SessionStates = Annotated[list[SessionState] | None, BeforeValidator(split_words), Query(max_length=5)]


class SessionIn(BaseModel):
    """A wish to look at a camera."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"action": "live", "reason": "防汛值守，查看河道水位"}}
    )

    action: Literal["live", "playback"] = "live"
    reason: Annotated[str, StringConstraints(max_length=500)]
    from_: Moment | None = Field(default=None, alias="from")
    """With `playback`: where the recording begins; at most 24 hours, no older than the grant allows."""
    to: Moment | None = None


class ControlIn(BaseModel):
    """What to do with a recording that plays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"action": "seek", "value": 120}})

    action: Literal["pause", "resume", "scale", "seek", "teardown"]
    value: float | None = Field(default=None, allow_inf_nan=False)
    """`scale`: 0.25, 0.5, 1, 2, 4, 8, 16, below zero in reverse; `seek`: seconds from the beginning of the recording."""


class PlayingOut(BaseModel):
    """Where a recording stands: seconds from its beginning, as far as the device says it, and its speed."""

    position: float
    scale: float
    paused: bool


class Interval(BaseModel):
    """What part of a recording; `from` and `to` are as they were asked for."""

    model_config = ConfigDict(populate_by_name=True)

    from_: datetime = Field(alias="from")
    to: datetime


class UrlsOut(BaseModel):
    """A format that is not offered is null. Addresses carry a token: never pass them on."""

    flv: str | None
    fmp4: str | None
    hls: str | None


class StepOut(BaseModel):
    """One step on the way to the picture."""

    step: str
    at: datetime
    ms: int
    text: str
    detail: dict[str, Any]


class StreamRef(BaseModel):
    id: UUID
    steps: list[StepOut]


class Watermark(BaseModel):
    """What the player must lay over the picture (S-07)."""

    name: str
    organisation: str
    grant_number: str | None
    purpose: str | None


class OpenedOut(BaseModel):
    """An open session: connect within `expires_at`; it ends by itself at `not_after` (null: open-ended)."""

    id: UUID
    urls: UrlsOut
    expires_at: datetime
    not_after: datetime | None
    basis: str
    stream: StreamRef
    watermark: Watermark
    recording: Interval | None
    """With `playback`: the page counts from its beginning; `control` steers it."""


class TalkIn(BaseModel):
    """A wish to speak at a camera."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "劝离危险水域人员"}})

    reason: Annotated[str, StringConstraints(max_length=500)]


class TalkOut(BaseModel):
    """An open voice path: connect a WebSocket to `url` within `expires_at` and send G.711 A-law as binary messages.

    8000 samples a second, one channel, messages of any length; silence is filled in. The address carries a token: never
    pass it on.
    """

    id: UUID
    url: str
    codec: Literal["g711a"] = "g711a"
    sample_rate: Literal[8000] = 8000
    expires_at: datetime
    not_after: datetime | None
    basis: str


class FreshUrlsOut(BaseModel):
    urls: UrlsOut
    expires_at: datetime


class Reason(BaseModel):
    zh: str
    en: str


class SessionOut(BaseModel):
    """One look at one camera, as the register keeps it."""

    id: UUID
    state: str
    camera: dict[str, Any]
    subject: str
    organisation: str
    action: str
    delivery: str
    reason: str
    basis: str
    grant: int | None
    grant_number: str | None
    purpose: str | None
    recording: Interval | None
    stream: UUID | None
    opened_at: datetime
    first_played_at: datetime | None
    ended_at: datetime | None
    not_after: datetime | None
    end_code: str | None
    end_reason: Reason | None
    end_text: str | None
    which: list[str]
    seconds: float
    bytes_sent: int
    allowed_actions: list[str]


class SessionList(BaseModel):
    items: list[SessionOut]
    next_cursor: str | None


class StreamOut(BaseModel):
    """A flow and how it was opened."""

    id: UUID
    state: str
    camera: str
    kind: str
    recording: Interval | None
    codec: str | None
    width: int | None
    height: int | None
    opened_at: datetime
    live_at: datetime | None
    ended_at: datetime | None
    end_code: str | None
    steps: list[StepOut]
    figures: dict[str, Any] | None
