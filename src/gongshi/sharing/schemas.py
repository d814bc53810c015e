"""API shapes of the sharing process."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StringConstraints

from gongshi.kit.moments import Moment
from gongshi.kit.queries import split_words

Code = Annotated[str, StringConstraints(pattern=r"^[0-9]{20}$")]
Clause = Annotated[str, StringConstraints(max_length=500)]
Words = Annotated[str, StringConstraints(max_length=2000)]
_SPELLINGS = {
    "approve": "approved",
    "agreed": "approved",
    "refuse": "refused",
    "reject": "refused",
    "narrow": "narrowed",
}
Outcome = Annotated[
    Literal["approved", "refused", "narrowed"],
    BeforeValidator(lambda word: _SPELLINGS.get(word, word) if isinstance(word, str) else word),
]
"""The deed or the result: scripts write `approve` as often as `approved`."""

RequestState = Literal[
    "draft", "consult", "approve", "approved", "partly_approved", "refused", "sent_back", "withdrawn"
]
GrantState = Literal["in_force", "suspended", "revoked", "expired"]
RequestStates = Annotated[list[RequestState] | None, BeforeValidator(split_words), Query(max_length=10)]
GrantStates = Annotated[list[GrantState] | None, BeforeValidator(split_words), Query(max_length=10)]


class In(BaseModel):
    """What is posted: unknown fields are refused, so that a typing error is not taken for a choice."""

    model_config = ConfigDict(extra="forbid")


class HoursIO(In):
    """Daily hours on a Chinese wall clock."""

    days: list[Annotated[int, Field(ge=1, le=7)]] = Field(default=[1, 2, 3, 4, 5, 6, 7], max_length=7)
    begin: str = Field(default="00:00", alias="from")
    end: str = Field(default="24:00", alias="to")

    def plain(self) -> dict[str, Any]:
        return {"days": self.days, "from": self.begin, "to": self.end}


class RequestIn(In):
    """A share request as drafted."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "title": "防汛值守",
                "cameras": ["34150200001321000001"],
                "actions": ["live"],
                "purpose": "flood_watch",
                "legal_basis": "flood_control_law",
                "valid_from": "2026-11-22T00:00:00+08:00",
                "valid_to": "2026-12-22T00:00:00+08:00",
                "delivery": ["portal"],
            }
        },
    )

    title: Annotated[str, StringConstraints(max_length=120)] = ""
    cameras: list[Code] = Field(min_length=1, max_length=2000)
    actions: list[str] = Field(min_length=1, max_length=8)
    purpose: Clause
    legal_basis: Clause
    valid_from: Moment
    valid_to: Moment
    hours: HoursIO | None = None
    playback_hours: StrictInt | None = None
    concurrency: StrictInt = 4
    delivery: list[str] = Field(default=["portal"], max_length=4)


class RequestPatch(In):
    """Changes of a draft; what is left out stays."""

    title: Annotated[str, StringConstraints(max_length=120)] | None = None
    cameras: list[Code] | None = Field(default=None, max_length=2000)
    actions: list[str] | None = Field(default=None, max_length=8)
    purpose: Clause | None = None
    legal_basis: Clause | None = None
    valid_from: Moment | None = None
    valid_to: Moment | None = None
    hours: HoursIO | None = None
    playback_hours: StrictInt | None = None
    concurrency: StrictInt | None = None
    delivery: list[str] | None = Field(default=None, max_length=4)


class NarrowIn(In):
    actions: list[str] | None = None
    valid_from: Moment | None = None
    valid_to: Moment | None = None
    hours: HoursIO | None = None
    playback_hours: StrictInt | None = None
    concurrency: StrictInt | None = None


class ItemIn(In):
    camera: Code
    outcome: Outcome
    reason: Words = ""
    narrow: NarrowIn | None = None


class DecisionIn(In):
    """One stage's decision. `outcome` is the data bureau's word, or `sent_back` of the police."""

    stage: Literal["consult", "approve"]
    outcome: Literal["agreed", "objected", "sent_back"] | None = None
    items: list[ItemIn] = Field(default=[], max_length=2000)
    comment: Words = ""


class RevokeIn(In):
    reason: Words


class Bilingual(BaseModel):
    zh: str
    en: str


class UnitOut(BaseModel):
    id: int
    code: str
    name: str
    short_name: str
    name_en: str


class Already(BaseModel):
    grant: int
    number: str
    until: datetime


class CameraOut(BaseModel):
    """A camera of a request or grant: the catalogue's fields, and what was decided."""

    code: str
    name: str
    organisation: dict[str, Any]
    region_code: str
    region_name: str
    place: str | None
    longitude: float | None
    latitude: float | None
    point_class: int | None
    place_class: str | None
    sensitive: bool
    sharing_class: str
    outcome: str | None
    reason: str | None
    narrowed: dict[str, Any] | None
    already: Already | None


class DecisionOut(BaseModel):
    stage: str
    round: int
    outcome: str
    comment: str
    at: datetime
    organisation: UnitOut
    person: str


class EarlierOut(BaseModel):
    id: int
    number: str
    title: str
    state: str
    submitted_at: datetime | None
    cameras: int


class EffectOut(BaseModel):
    summary: Bilingual
    cameras: int
    sensitive: int
    overlapping: int
    becomes_visible_to: dict[str, Any]
    until: datetime


class GrantRef(BaseModel):
    id: int
    number: str
    state: str


class RequestItem(BaseModel):
    """A request in a list."""

    id: int
    number: str
    title: str
    state: str
    state_label: str
    organisation: UnitOut
    created_by: str
    purpose: str
    purpose_label: str
    actions: list[str]
    valid_from: datetime
    valid_to: datetime
    cameras_count: int
    created_at: datetime
    submitted_at: datetime | None
    decided_at: datetime | None
    version: int
    allowed_actions: list[str]


class RequestOut(RequestItem):
    """A request with everything that its decision needs on one screen."""

    legal_basis: str
    legal_basis_label: str
    hours: dict[str, Any] | None
    playback_hours: int | None
    concurrency: int
    delivery: list[str]
    cameras: list[CameraOut]
    effect: EffectOut
    decisions: list[DecisionOut]
    earlier: list[EarlierOut]
    grants: list[GrantRef]


class RequestList(BaseModel):
    items: list[RequestItem]
    next_cursor: str | None


class GrantItem(BaseModel):
    id: int
    number: str
    state: str
    request: int
    organisation: UnitOut
    purpose: str
    purpose_label: str
    legal_basis_label: str
    valid_from: datetime
    valid_to: datetime
    cameras_count: int
    created_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None
    version: int
    allowed_actions: list[str]


class GrantCameraOut(CameraOut):
    """A camera with the terms that hold for it."""

    actions: list[str]
    valid_from: datetime
    valid_to: datetime
    hours: dict[str, Any] | None
    concurrency: int | None
    playback_hours: int | None
    ended_at: datetime | None


class GrantOut(GrantItem):
    cameras: list[GrantCameraOut]
    people: int
    """How many accounts of the grantee it reaches."""


class GrantList(BaseModel):
    items: list[GrantItem]
    next_cursor: str | None


class WordOut(BaseModel):
    code: str
    zh: str
    en: str


class VocabularyOut(BaseModel):
    purposes: list[WordOut]
    legal_bases: list[WordOut]
    refusals: list[WordOut]
    actions: list[WordOut]
    states: list[WordOut]
    deliveries: list[str]
    longest_days: int
    max_concurrency: int


class HolderOut(BaseModel):
    """Somebody who may see a camera, by which right and until when."""

    kind: str
    organisation: UnitOut | None
    basis: str
    grant: int | None
    grant_number: str | None
    purpose: Bilingual | None
    actions: list[str]
    valid_from: datetime
    valid_to: datetime | None
    hours: dict[str, Any] | None
    suspended: bool
    people: int | None


class AccessOut(BaseModel):
    code: str
    catalogue: bool
    """Whether the reduced field set is open to every organisation."""
    items: list[HolderOut]
