"""Shapes of the uppers' API."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictInt

from gongshi.kit.moments import Moment
from gongshi.signalling.schemas import OrganisationRef, TraceLine

Transport = Literal["udp", "tcp"]
Tree = Literal["none", "region", "organisation", "device"]


class SubscriptionOut(BaseModel):
    """A subscription of an upper that stands."""

    package: str = Field(description="Catalog, Alarm or MobilePosition", examples=["Catalog"])
    scope: str = Field(description="The code that was subscribed to")
    seconds: int = Field(description="Until it ends unless it is refreshed")


class UpperOut(BaseModel):
    """A platform that we register with."""

    id: int
    code: str = Field(examples=["34000000002000000001"])
    name: str
    organisation: OrganisationRef
    domain: str
    host: str
    port: int
    transport: str
    own_code: str = Field(description="Our platform code at this upper")
    username: str
    realm: str | None
    edition: str | None = Field(description="Pinned edition; null: as announced")
    charset: str | None
    expires: int = Field(description="Seconds")
    keepalive_interval: int = Field(description="Seconds")
    keepalive_misses: int
    retry_seconds: int
    tree: str
    contact: str | None
    sources: list[str]
    media_networks: list[str]
    redirects: list[str]
    enabled: bool
    state: str = Field(
        description="off, trying, challenged, registered, refreshing or failing", examples=["registered"]
    )
    reason: str | None = Field(description="Why it is not registered")
    registered_at: datetime | None
    keepalive_at: datetime | None
    address: str | None = Field(examples=["udp:10.1.1.10:5060"])
    spoken: str | None = Field(description="The edition that is spoken with it", examples=["2016"])
    clock_offset: float | None = Field(description="Seconds that its Date is ahead of our clock")
    calls: int = Field(description="Pictures that it watches now")
    subscriptions: list[SubscriptionOut]
    cameras: int = Field(description="Cameras that it may know of")
    version: int
    allowed_actions: list[str]


class UppersOut(BaseModel):
    items: list[UpperOut]


class UpperTerms(BaseModel):
    """What can be set and changed."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=200, examples=["省公共视频共享平台"])
    host: str = Field(max_length=255, examples=["10.1.1.10"])
    port: StrictInt = 5060
    transport: Transport = "udp"
    own_code: str = Field(max_length=40, examples=["34150000002000000001"])
    username: str | None = Field(default=None, max_length=64, description="Our platform code when left out")
    domain: str | None = Field(default=None, max_length=100, description="First ten digits of its code when left out")
    realm: str | None = Field(default=None, max_length=100)
    edition: Literal["2016", "2022"] | None = None
    charset: Literal["gb18030", "utf-8"] | None = None
    expires: StrictInt = 86_400
    keepalive_interval: StrictInt = 60
    keepalive_misses: StrictInt = 3
    retry_seconds: StrictInt = 60
    tree: Tree = "none"
    contact: str | None = Field(default=None, max_length=270, description="host:port to say instead of our own address")
    sources: list[str] = Field(
        default_factory=list, max_length=50, description="Networks whose requests count as its; its address when empty"
    )
    media_networks: list[str] = Field(
        default_factory=list, max_length=50, description="Networks media may be sent into; its address when empty"
    )
    redirects: list[str] = Field(default_factory=list, max_length=20, description="host:port a 302 may lead to")


class UpperIn(UpperTerms):
    """An upper to add, with the password that it gave us."""

    code: str = Field(max_length=40, examples=["34000000002000000001"])
    organisation: int | str = Field(description="Number or short key of who runs it", examples=["culture-tourism"])
    password: SecretStr


class UpperChange(BaseModel):
    """Settings to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, max_length=200)
    host: str | None = Field(default=None, max_length=255)
    port: StrictInt | None = None
    transport: Transport | None = None
    own_code: str | None = Field(default=None, max_length=40)
    username: str | None = Field(default=None, max_length=64)
    domain: str | None = Field(default=None, max_length=100)
    realm: str | None = Field(default=None, max_length=100)
    edition: Literal["2016", "2022"] | None = None
    charset: Literal["gb18030", "utf-8"] | None = None
    expires: StrictInt | None = None
    keepalive_interval: StrictInt | None = None
    keepalive_misses: StrictInt | None = None
    retry_seconds: StrictInt | None = None
    tree: Tree | None = None
    contact: str | None = Field(default=None, max_length=270)
    sources: list[str] | None = Field(default=None, max_length=50)
    media_networks: list[str] | None = Field(default=None, max_length=50)
    redirects: list[str] | None = Field(default=None, max_length=20)
    enabled: bool | None = None


class UpperPassword(BaseModel):
    """The password that an upper gave us."""

    password: SecretStr


class SharedCameraOut(BaseModel):
    """A camera that an upper may know of."""

    code: str
    name: str
    alias: str | None = Field(description="The code under which the upper knows it, when it is another")
    region: str
    actions: list[str] = Field(description="What the upper may do with it now", examples=[["see", "live"]])


class SharedCamerasOut(BaseModel):
    items: list[SharedCameraOut]
    next_cursor: str | None
    total: int = Field(description="Cameras that the upper may know of, also those that the caller may not")


class UpperRightIn(BaseModel):
    """What an upper may see and do."""

    model_config = ConfigDict(extra="forbid")

    scope: Literal["region", "organisation", "cameras"]
    value: str | None = Field(default=None, max_length=60, description="Code of the region or key of the organisation")
    cameras: list[str] = Field(default_factory=list, max_length=5_000, description="Codes, for scope cameras")
    actions: list[str] = Field(min_length=1, max_length=8, examples=[["see", "live"]])
    valid_to: Moment | None = None
    concurrency: StrictInt | None = Field(default=None, ge=1, le=10_000, description="Pictures at once")
    playback_hours: StrictInt | None = Field(default=None, ge=1, le=8_784, description="How far back recordings go")
    commands: list[str] = Field(
        default_factory=list,
        max_length=10,
        description="Command groups beyond moving the camera: record, guard, alarm, reboot, upgrade, format, config",
    )


class UpperRightOut(BaseModel):
    """A running right of an upper."""

    id: int
    scope: str
    value: str | None
    cameras: int = Field(description="How many cameras it names; 0 for a scope")
    actions: list[str]
    valid_from: datetime
    valid_to: datetime | None
    limits: dict[str, Any]


class UpperRightsOut(BaseModel):
    items: list[UpperRightOut]


class AliasIn(BaseModel):
    """A code under which one upper shall know a camera, for ever."""

    camera: str = Field(max_length=40, examples=["34150200001310000007"])
    alias: str = Field(max_length=40, examples=["34000000001310000007"])


class UpperTraceOut(BaseModel):
    items: list[TraceLine]
