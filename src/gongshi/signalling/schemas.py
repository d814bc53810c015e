"""Shapes of signalling's API."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field, SecretStr, StrictInt


class OrganisationRef(BaseModel):
    id: int
    name: str


class RunOut(BaseModel):
    """One catalogue query and how complete its answer was (GB/T 28181 §9.5)."""

    state: str = Field(description="running, complete, partial or silent", examples=["complete"])
    declared: int | None = Field(description="SumNum, as the peer declared it")
    received: int
    packets: int
    started_at: datetime
    ended_at: datetime | None
    note: str | None


class PeerOut(BaseModel):
    """A device or lower platform that may register with us."""

    id: int
    code: str = Field(examples=["34150000552008000001"])
    name: str
    organisation: OrganisationRef
    state: str = Field(description="online, offline, never or disabled", examples=["online"])
    reason: str | None = Field(description="Why offline: expired, silent, unregistered or connection_lost")
    edition: str | None = Field(description="GB/T 28181 edition spoken with it", examples=["2016"])
    user_agent: str | None
    registered_at: datetime | None
    expires_at: datetime | None
    keepalive_at: datetime | None
    address: str | None = Field(examples=["udp 10.5.2.31:5060"])
    media_transport: str
    keepalive_interval: int = Field(description="Seconds")
    keepalive_misses: int = Field(description="0: not judged by keepalives")
    enabled: bool
    pinned_edition: str | None = Field(description="Edition chosen by an operator; null: as announced")
    charset: str | None = Field(description="Charset chosen by an operator; null: GB 18030")
    version: int = Field(description="The ETag")
    channels: int = Field(description="Cameras and other devices in its catalogue")
    online_channels: int
    last_run: RunOut | None
    allowed_actions: list[str]


class PeersOut(BaseModel):
    items: list[PeerOut]
    next_cursor: str | None


class NewPeerOut(PeerOut):
    """A new peer with what has to be typed into it; the password is shown this once."""

    password: str
    server: dict[str, Any] = Field(description="Code, domain and port to configure on the device")


class PeerIn(BaseModel):
    """A peer to add. Without a password one is made."""

    code: str = Field(max_length=40, examples=["34150000552008000001"])
    name: str = Field(max_length=200, examples=["旅游视频管理平台"])
    organisation: int | str = Field(description="Number or short key", examples=["culture-tourism"])
    password: SecretStr | None = None
    media_transport: Literal["udp", "tcp_passive", "tcp_active"] = "udp"
    keepalive_interval: StrictInt = Field(default=60, description="Seconds")
    keepalive_misses: StrictInt = 3


class CameraRef(BaseModel):
    code: str
    name: str


class ChannelOut(BaseModel):
    """What a peer's catalogue says it has."""

    id: int
    code: str
    kind: str = Field(description="device, region, system, business_group, virtual_organisation or unknown")
    name: str
    manufacturer: str | None
    model: str | None
    civil_code: str | None
    address: str | None
    parent: str | None
    status: str = Field(description="on or off")
    fault: str | None = Field(description="video_lost or defect, as the peer notified last")
    longitude: float | None
    latitude: float | None
    camera: CameraRef | None = Field(description="The declared camera of the same code")
    first_seen_at: datetime
    seen_at: datetime
    gone_at: datetime | None


class ChannelsOut(BaseModel):
    items: list[ChannelOut]
    next_cursor: str | None


class AskedOut(BaseModel):
    id: int
    state: str = Field(examples=["asked"])


class TraceLine(BaseModel):
    """One SIP message, credentials removed."""

    at: datetime
    way: Literal["in", "out"]
    remote: str
    size: int
    truncated: bool
    text: str


class TraceOut(BaseModel):
    items: list[TraceLine]
