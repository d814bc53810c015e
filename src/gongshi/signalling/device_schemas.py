"""Shapes of what devices are asked, told and report, over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, Field, SecretStr, StrictBool, StrictInt

Code = Annotated[str, Path(pattern="^[0-9]{20}$", description="The camera's 20-digit code")]

PtzWord = Literal[
    "move",
    "stop",
    "focus",
    "iris",
    "preset_call",
    "cruise_start",
    "cruise_add",
    "cruise_remove",
    "cruise_speed",
    "cruise_stay",
    "scan_start",
    "scan_left",
    "scan_right",
    "scan_speed",
    "auxiliary_on",
    "auxiliary_off",
    "drag_zoom_in",
    "drag_zoom_out",
    "precise",
]
DeviceWord = Literal[
    "key_frame",
    "record_start",
    "record_stop",
    "guard_set",
    "guard_reset",
    "alarm_reset",
    "home_position",
    "reboot",
    "upgrade",
    "format",
]
QueryWord = Literal["device_info", "device_status", "config"]


class PtzIn(BaseModel):
    """One movement. Continuous ones (`move`, `focus`, `iris`) stop by themselves unless repeated within 5 s."""

    command: PtzWord = Field(examples=["move"])
    pan: float | None = Field(default=None, description="move: -1 left, 1 right; precise: 0-360 degrees")
    tilt: float | None = Field(
        default=None, description="move: -1 down, 1 up; precise: -30 to 90 degrees, down positive"
    )
    zoom: float | None = Field(default=None, description="move: -1 out, 1 in; precise: factor from 1")
    focus: StrictInt | None = Field(default=None, description="-1 near, 1 far")
    iris: StrictInt | None = Field(default=None, description="-1 close, 1 open")
    speed: StrictInt | None = Field(default=None, ge=1, le=100, description="Per cent; 50 without it")
    preset: StrictInt | None = Field(default=None, ge=0, le=255)
    group: StrictInt | None = Field(default=None, ge=0, le=255, description="Of a cruise or scan")
    value: StrictInt | None = Field(default=None, ge=0, le=4095, description="Speed or seconds of a cruise or scan")
    number: StrictInt | None = Field(default=None, ge=0, le=255, description="Of an auxiliary switch; 1 is the wiper")
    length: StrictInt | None = Field(
        default=None, ge=0, le=65535, description="Drag zoom: width of the window in pixels"
    )
    width: StrictInt | None = Field(default=None, ge=0, le=65535, description="Drag zoom: height of the window")
    mid_x: StrictInt | None = Field(default=None, ge=0, le=65535)
    mid_y: StrictInt | None = Field(default=None, ge=0, le=65535)
    length_x: StrictInt | None = Field(default=None, ge=0, le=65535)
    length_y: StrictInt | None = Field(default=None, ge=0, le=65535)


class PresetIn(BaseModel):
    """What to do with a preset."""

    action: Literal["set", "call", "delete"] = Field(examples=["call"])
    number: StrictInt = Field(ge=1, le=255, examples=[1])
    name: str = Field(default="", max_length=32, description="2022 devices store it")


class CommandIn(BaseModel):
    """A command to a channel; each group has a permission of its own."""

    command: DeviceWord = Field(examples=["record_start"])
    stream_number: StrictInt | None = Field(default=None, ge=0, le=9)
    method: StrictInt | None = Field(default=None, ge=1, le=7, description="Of the alarm to reset")
    type: StrictInt | None = Field(default=None, ge=1, le=99)
    enabled: StrictBool | None = Field(default=None, description="Of the home position")
    reset_time: StrictInt | None = Field(default=None, ge=0, le=86400, description="Seconds of rest before it returns")
    preset: StrictInt | None = Field(default=None, ge=0, le=255)
    firmware: str | None = Field(default=None, max_length=100)
    file_url: str | None = Field(default=None, max_length=500, pattern="^https?://")
    manufacturer: str | None = Field(default=None, max_length=100)
    card: StrictInt | None = Field(default=None, ge=0, le=8, description="To format: 1-8, 0 for all")
    confirm: str | None = Field(
        default=None, max_length=40, description="reboot, upgrade and format: the channel's code again"
    )


class ResultOut(BaseModel):
    """`ok`: the device said so; `sent`: it acknowledged a command that has no answer."""

    result: Literal["ok", "sent"]
    session_id: str | None = Field(default=None, description="Of an upgrade")


class PresetOut(BaseModel):
    number: int
    name: str


class PresetsOut(BaseModel):
    items: list[PresetOut]
    complete: bool = Field(description="Whether as many came as the device declared")


class RecordingOut(BaseModel):
    """A recording at the device or its platform. Times are null where the device wrote none that can be read."""

    name: str
    from_: datetime | None = Field(alias="from")
    to: datetime | None
    type: str = Field(description="time, alarm or manual, or the device's own word")
    file_size: int | None
    stream_number: int | None


class SpanOut(BaseModel):
    """One piece of a search, at most 12 hours."""

    from_: datetime = Field(alias="from")
    to: datetime
    state: str = Field(description="complete, partial, silent or skipped")
    declared: int | None
    received: int


class RecordingsOut(BaseModel):
    items: list[RecordingOut]
    complete: bool = Field(description="False: recorders stop half-way; `spans` tells where something is missing")
    spans: list[SpanOut]


class HolderOut(BaseModel):
    """Who moves the camera now."""

    kind: str
    name: str
    mine: bool


class PtzOut(ResultOut):
    holder: HolderOut | None = Field(default=None, description="Who holds the camera after this")


class QueryIn(BaseModel):
    """What to ask a peer about itself."""

    kind: QueryWord = Field(examples=["device_info"])
    types: list[str] = Field(default_factory=list, max_length=12, description="Kinds of settings for `config`")


class AnswerOut(BaseModel):
    """What a peer said, as GB/T 28181 names it."""

    kind: str
    answer: dict[str, Any]


class SaidOut(BaseModel):
    code: str
    kind: str
    value: dict[str, Any]
    at: datetime


class AnswersOut(BaseModel):
    items: list[SaidOut]


class PeerChange(BaseModel):
    """What an operator may change; what is not named stays."""

    name: str | None = Field(default=None, max_length=200)
    organisation: int | str | None = None
    enabled: StrictBool | None = None
    media_transport: Literal["udp", "tcp_passive"] | None = None
    edition: Literal["2016", "2022"] | None = Field(default=None, description="Pinned; null: as the peer announces")
    charset: Literal["gb18030", "utf-8"] | None = None
    keepalive_interval: StrictInt | None = None
    keepalive_misses: StrictInt | None = Field(default=None, description="0: never judged by keepalives")


class PasswordIn(BaseModel):
    """Without a password one is made."""

    password: SecretStr | None = None


class PasswordOut(BaseModel):
    """Shown this once."""

    password: str


class SubscriptionOut(BaseModel):
    """One package and how it stands."""

    package: str = Field(description="catalogue, alarm, mobile_position or ptz_position")
    on: bool
    interval: int | None
    state: str = Field(description="idle, asking, active, refreshing, waiting, ending or ended")
    refusal: int | None = Field(description="SIP status of the last refusal")
    seconds_left: int | None
    notified_seconds_ago: int | None


class SubscriptionsOut(BaseModel):
    items: list[SubscriptionOut]


class SubscriptionIn(BaseModel):
    package: Literal["catalogue", "alarm", "mobile_position", "ptz_position"]
    on: StrictBool
    interval: StrictInt | None = Field(default=None, ge=1, le=86400, description="Seconds between positions")


class AlarmOut(BaseModel):
    """An alarm. Of types that concern persons only the number is kept."""

    id: int
    peer: dict[str, Any] = Field(description="id, name, code")
    code: str = Field(description="The device that reports")
    camera: dict[str, Any] | None = Field(description="code and name, when the code is a declared camera")
    kind: str
    method: int | None
    type: int | None
    priority: int | None = Field(description="1 (highest) to 4")
    description: str | None
    alarm_at: datetime
    received_at: datetime
    confirmed_at: datetime | None
    confirmed_by: str | None
    note: str | None
    allowed_actions: list[str]


class AlarmsOut(BaseModel):
    items: list[AlarmOut]
    next_cursor: str | None


class ConfirmIn(BaseModel):
    note: str = Field(default="", max_length=500)
    reset: StrictBool = Field(
        default=False, description="Also reset the alarm at the device, which is silent until then"
    )
