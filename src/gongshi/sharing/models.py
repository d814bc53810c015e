"""Tables of the sharing process (G-033)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Identity, Index, Text, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from gongshi.db.base import Base

SHARING = {"schema": "sharing"}


class Request(Base):
    """A department asks for cameras, with purpose, legal basis and period (申请)."""

    __tablename__ = "request"
    __table_args__ = (Index("ix_request_organisation", "organisation_id", "id"), SHARING)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    number: Mapped[str] = mapped_column(Text, unique=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("registry.organisation.id"))
    created_by: Mapped[int] = mapped_column(ForeignKey("identity.account.id"))
    state: Mapped[str] = mapped_column(Text)
    """`draft`, `consult`, `approve`, `approved`, `partly_approved`, `refused`, `sent_back`, `withdrawn`."""
    title: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    legal_basis: Mapped[str] = mapped_column(Text)
    actions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime]
    hours: Mapped[dict[str, Any] | None]
    playback_hours: Mapped[int | None]
    concurrency: Mapped[int] = mapped_column(default=4)
    delivery: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    submitted_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)


class RequestCamera(Base):
    """One camera asked for and what was decided about it."""

    __tablename__ = "request_camera"
    __table_args__ = (SHARING,)

    request_id: Mapped[int] = mapped_column(ForeignKey("sharing.request.id", ondelete="CASCADE"), primary_key=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("registry.camera.id"), primary_key=True)
    outcome: Mapped[str | None] = mapped_column(Text)
    """`approved`, `narrowed`, `refused`; None while open."""
    reason: Mapped[str | None] = mapped_column(Text)
    narrowed: Mapped[dict[str, Any] | None]
    """Terms that replace the asked ones for this camera."""


class Decision(Base):
    """One stage decided by one person for one authority (审批)."""

    __tablename__ = "decision"
    __table_args__ = (UniqueConstraint("request_id", "stage", "round"), SHARING)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("sharing.request.id", ondelete="CASCADE"))
    stage: Mapped[str] = mapped_column(Text)
    """`consult` (data bureau) or `approve` (police)."""
    round: Mapped[int] = mapped_column(default=1)
    account_id: Mapped[int] = mapped_column(ForeignKey("identity.account.id"))
    organisation_id: Mapped[int] = mapped_column(ForeignKey("registry.organisation.id"))
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    outcome: Mapped[str] = mapped_column(Text)
    """`agreed`, `objected`, `approved`, `partly_approved`, `refused` or `sent_back`."""
    comment: Mapped[str] = mapped_column(Text)
    items: Mapped[list[Any]]
    """`{"camera", "outcome", "reason", "narrow"}` as decided."""


class Grant(Base):
    """What a decision opened, to whom, until when (授权). Its rights are in `access`."""

    __tablename__ = "grant"
    __table_args__ = (Index("ix_grant_organisation", "organisation_id", "state"), SHARING)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    number: Mapped[str] = mapped_column(Text, unique=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("sharing.request.id"))
    organisation_id: Mapped[int] = mapped_column(ForeignKey("registry.organisation.id"))
    """The grantee."""
    state: Mapped[str] = mapped_column(Text)
    """`in_force`, `suspended`, `revoked` or `expired`; before `valid_from` it is in force but opens nothing."""
    purpose: Mapped[str] = mapped_column(Text)
    legal_basis: Mapped[str] = mapped_column(Text)
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[int | None]
    end_reason: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)


class GrantCamera(Base):
    """One camera of a grant with the terms that hold for it."""

    __tablename__ = "grant_camera"
    __table_args__ = (Index("ix_grant_camera_camera", "camera_id"), SHARING)

    grant_id: Mapped[int] = mapped_column(ForeignKey("sharing.grant.id", ondelete="CASCADE"), primary_key=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("registry.camera.id"), primary_key=True)
    right_id: Mapped[int] = mapped_column(ForeignKey("access.right.id"))


class Serial(Base):
    """The last number given out per kind and year; the row is locked while one is taken."""

    __tablename__ = "serial"
    __table_args__ = (SHARING,)

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]
