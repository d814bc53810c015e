"""Shapes of the inventory's API."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from gongshi.registry.schemas import CameraItem


class UnitRef(BaseModel):
    id: int
    code: str
    name: str


class FieldOut(BaseModel):
    """One column of the form."""

    key: str = Field(examples=["code"])
    label: str = Field(examples=["20位编码"])
    label_zh: str
    label_en: str
    help: str
    clause: str
    required: bool
    enum: list[str]


class TableOut(BaseModel):
    sheet: str
    title: str
    notes: list[str]
    fields: list[FieldOut]


class RuleOut(BaseModel):
    """One rule of the check."""

    id: str
    clause: str
    severity: str
    sheet: str | None
    columns: list[str]
    title: str


class FieldsOut(BaseModel):
    tables: list[TableOut]
    rules: list[RuleOut]


class FailureOut(BaseModel):
    code: str
    title: str
    detail: str


class FilingOut(BaseModel):
    """One return of the form."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": 12, "state": "draft", "file_name": "文旅局.xlsx"}]}
    )

    id: int
    organisation: UnitRef
    state: str
    state_label: str
    dry_run: bool
    zero_report: bool
    file_name: str | None
    head: dict[str, Any]
    counts: dict[str, Any]
    progress: float
    stage: str | None
    failure: FailureOut | None
    caution: str | None = Field(default=None, description="What speaks against accepting it as it is")
    created_at: datetime
    submitted_at: datetime | None
    decided_at: datetime | None
    decision_reason: str | None
    version: int
    allowed_actions: list[str]


class FilingPage(BaseModel):
    items: list[FilingOut]
    next_cursor: str | None


class RowOut(BaseModel):
    sheet: str
    tab: str | None
    row: int
    raw: dict[str, str]
    verdict: str


class RowPage(BaseModel):
    items: list[RowOut]
    next_cursor: str | None


class FindingOut(BaseModel):
    id: int
    sheet: str | None
    tab: str | None
    row: int | None
    column: str | None
    column_label: str | None
    rule: str
    clause: str
    severity: str
    value: str | None
    message: str
    remedy: str
    waived: bool
    waiver_reason: str | None


class FindingGroup(BaseModel):
    rule: str
    severity: str
    count: int
    message: str


class FindingPage(BaseModel):
    items: list[FindingOut]
    groups: list[FindingGroup]
    next_cursor: str | None


class ZeroReport(BaseModel):
    organisation: int | str | None = None
    statement: Annotated[str, StringConstraints(strip_whitespace=True, min_length=4, max_length=500)] = Field(
        description="In words, that the unit has nothing to report; at least four characters",
        examples=["本单位无公共场所视频监控资源"],
    )


class SubmitIn(BaseModel):
    valid_rows_only: StrictBool = False


class AcceptIn(BaseModel):
    comment: str = Field(default="", max_length=1_000)
    confirm: StrictBool = Field(
        default=False, description="Accept a zero report although the unit has cameras (its `caution`)"
    )


class ReasonIn(BaseModel):
    reason: str = Field(min_length=1, max_length=1_000)


class SeenOut(BaseModel):
    peer: dict[str, Any]
    code: str
    name: str
    longitude: float | None
    latitude: float | None
    status: str


class ReconciliationOut(BaseModel):
    """Declared and seen side by side (C-LIVE)."""

    declared_unseen: list[CameraItem]
    seen_undeclared: list[SeenOut]
    matched: int
    truncated: bool


SheetName = Literal["platform", "camera"]
SeverityName = Literal["error", "warning", "suspicious", "advice"]
VerdictName = Literal["ok", "warning", "error", "skipped"]
