"""Tables of filings. A filing is a document: rows, findings, decisions; accepted snapshots never change (G-094)."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from gongshi.db.base import Base

INVENTORY = {"schema": "inventory"}


class Filing(Base):
    """One organisation's return of the form (填报)."""

    __tablename__ = "filing"
    __table_args__ = (Index("ix_filing_organisation", "organisation_id", "id"), INVENTORY)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("registry.organisation.id"))
    state: Mapped[str] = mapped_column(Text)
    """`checking`, `checked` (dry run), `draft`, `submitted`, `accepting`, `sent_back`, `accepted`, `cancelled`, `failed`."""
    dry_run: Mapped[bool] = mapped_column(default=False)
    zero_report: Mapped[bool] = mapped_column(default=False)
    """Signed statement that the unit has nothing to report (G-054)."""
    file_name: Mapped[str | None] = mapped_column(Text)
    file_object: Mapped[str | None] = mapped_column(Text)
    file_digest: Mapped[str | None] = mapped_column(Text)
    file_format: Mapped[str | None] = mapped_column(Text)
    head: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """填报单位, 联系人, 联系方式 as written."""
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    progress: Mapped[float] = mapped_column(default=0.0)
    """0 to 1 while a job works on it."""
    stage: Mapped[str | None] = mapped_column(Text)
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    failure: Mapped[dict[str, Any] | None]
    created_by: Mapped[int] = mapped_column(ForeignKey("identity.account.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    submitted_at: Mapped[datetime | None]
    submitted_by: Mapped[int | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[int | None]
    decision_reason: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)


class FilingRow(Base):
    """One row of the form as it was written, and what became of it."""

    __tablename__ = "filing_row"
    __table_args__ = (Index("ix_filing_row_place", "filing_id", "sheet", "row"), INVENTORY)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    filing_id: Mapped[int] = mapped_column(ForeignKey("inventory.filing.id", ondelete="CASCADE"))
    sheet: Mapped[str] = mapped_column(Text)
    """`platform` or `camera`."""
    tab: Mapped[str | None] = mapped_column(Text)
    """The worksheet's name in the file; one table may be spread over several (one per county)."""
    row: Mapped[int]
    """Row number as a person sees it in the file, from 1."""
    raw: Mapped[dict[str, Any]]
    """Cell texts by field key."""
    values: Mapped[dict[str, Any]]
    """Parsed values by field key."""
    verdict: Mapped[str] = mapped_column(Text)
    """`ok`, `warning`, `error` or `skipped`."""
    object_id: Mapped[int | None]
    """The camera or platform it became."""


class Finding(Base):
    """What a rule has to say about one cell, row or filing."""

    __tablename__ = "finding"
    __table_args__ = (Index("ix_finding_filing", "filing_id", "id"), INVENTORY)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    filing_id: Mapped[int] = mapped_column(ForeignKey("inventory.filing.id", ondelete="CASCADE"))
    sheet: Mapped[str | None] = mapped_column(Text)
    tab: Mapped[str | None] = mapped_column(Text)
    row: Mapped[int | None]
    column: Mapped[str | None] = mapped_column(Text)
    """Field key, for example `code`."""
    rule: Mapped[str] = mapped_column(Text)
    clause: Mapped[str] = mapped_column(Text)
    severity: Mapped[str] = mapped_column(Text)
    """`error`, `warning`, `suspicious` or `advice`."""
    value: Mapped[str | None] = mapped_column(Text)
    message_zh: Mapped[str] = mapped_column(Text)
    message_en: Mapped[str] = mapped_column(Text)
    remedy_zh: Mapped[str] = mapped_column(Text)
    remedy_en: Mapped[str] = mapped_column(Text)
    waived_by: Mapped[int | None]
    waived_at: Mapped[datetime | None]
    waiver_reason: Mapped[str | None] = mapped_column(Text)
