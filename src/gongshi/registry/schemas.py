"""Shapes of the registry's API."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class RegionOut(BaseModel):
    """An administrative division."""

    code: str = Field(examples=["341502"])
    name: str = Field(examples=["金安区"])
    level: str = Field(examples=["county"])
    parent_code: str | None
    usable: bool
    hint: str | None


class OrganisationOut(BaseModel):
    """An organisation with its place in the process."""

    id: int
    code: str = Field(examples=["culture-tourism"])
    name: str = Field(examples=["市文化和旅游局"])
    short_name: str
    name_en: str
    kind: str
    level: str
    region_code: str
    member: bool
    note: str | None


class OrganisationRef(BaseModel):
    id: int
    name: str


class CameraAccess(BaseModel):
    """Why the caller may know of the camera and whether they may watch it."""

    see: str | None = Field(examples=["duty"], description="duty, grant, emergency or catalogue")
    live: bool
    until: datetime | None = Field(description="When the right to watch (or to see) must be asked again")
    grant: int | None


class CameraItem(BaseModel):
    """A camera in lists. What only a right shows is null when the catalogue alone opens it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"code": "34150200551328000001", "name": "景区东门", "online": True}]}
    )

    code: str
    name: str
    organisation: OrganisationRef
    region_code: str
    region_name: str
    place: str | None
    longitude: float | None
    latitude: float | None
    status: int | None
    point_class: int | None
    place_class: str | None
    sensitive: bool
    sharing_class: str
    direction: int | None
    access: CameraAccess
    online: bool | None
    allowed_actions: list[str]


class CameraPage(BaseModel):
    items: list[CameraItem]
    next_cursor: str | None
    total: int


class Cluster(BaseModel):
    longitude: float
    latitude: float
    count: int
    bbox: tuple[float, float, float, float]


class CameraMap(BaseModel):
    clusters: list[Cluster]
    cameras: list[CameraItem]
    total: int


class ArchiveFieldOut(BaseModel):
    key: str
    label: str
    value: Any
    display: str | None
    source: str


class ArchiveGroupOut(BaseModel):
    group: str
    group_name: str
    fields: list[ArchiveFieldOut]


class CodeSegmentOut(BaseModel):
    """One part of the 20-digit code and what it says."""

    digits: str = Field(examples=["1-6"])
    label: str = Field(examples=["行政区划"])
    value: str = Field(examples=["341502"])
    meaning: str


class CameraOut(CameraItem):
    """One camera with its archive; `sections` are filled by the rooms that know."""

    archive: list[ArchiveGroupOut]
    code_segments: list[CodeSegmentOut]
    sections: dict[str, Any]
    version: int


class ChangeOut(BaseModel):
    id: int
    at: datetime
    operation: str
    actor_name: str
    source: str
    reason: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class ChangePage(BaseModel):
    items: list[ChangeOut]
    next_cursor: str | None


class FigureOut(BaseModel):
    key: str
    label: str
    value: float
    unit: str
    link: str


class NeedOut(BaseModel):
    key: str
    label: str
    count: int
    link: str
    deadline: str | None


class RegionFigures(BaseModel):
    code: str
    name: str
    cameras: int
    online: int | None


class OverviewOut(BaseModel):
    figures: list[FigureOut]
    needs: list[NeedOut]
    by_region: list[RegionFigures]


class Page(BaseModel):
    """A list without paging: there are few of these."""

    next_cursor: None = None


class RegionPage(Page):
    items: list[RegionOut]


class OrganisationPage(Page):
    items: list[OrganisationOut]
