"""Tables of rights. Written through `access.service` only, in the caller's unit of work."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, LargeBinary, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from gongshi.db.base import Base

ACCESS = {"schema": "access"}


class Right(Base):
    """A grant, duty or emergency compiled for decisions."""

    __tablename__ = "right"
    __table_args__ = (
        Index("ix_right_subject", "subject_kind", "subject_id"),
        Index("ix_right_basis", "basis", "basis_id"),
        ACCESS,
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    subject_kind: Mapped[str] = mapped_column(Text)
    """`organisation` (all its people), `person` or `upper`."""
    subject_id: Mapped[int]
    basis: Mapped[str] = mapped_column(Text)
    """`duty`, `grant` or `emergency`."""
    basis_id: Mapped[int | None]
    """The grant's or emergency's id."""
    actions: Mapped[int]
    """Bit mask of `access.actions.Action`."""
    scope: Mapped[str] = mapped_column(Text)
    """`cameras` (rows in right_camera), `organisation` or `region` (scope_value)."""
    scope_value: Mapped[str | None] = mapped_column(Text)
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]
    hours: Mapped[dict[str, Any] | None]
    """`{"days": [1..7], "from": "08:00", "to": "18:00"}` in Asia/Shanghai; None: all day."""
    limits: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """`concurrency`, `playback_hours`, `delivery`."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    suspended_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    end_code: Mapped[str | None] = mapped_column(Text)
    """`revoked`, `withdrawn`, …: machine word of why it ended."""
    end_reason: Mapped[str | None] = mapped_column(Text)


class RightCamera(Base):
    """One camera of a right with scope `cameras`."""

    __tablename__ = "right_camera"
    __table_args__ = (Index("ix_right_camera_camera", "camera_id"), ACCESS)

    right_id: Mapped[int] = mapped_column(ForeignKey("access.right.id", ondelete="CASCADE"), primary_key=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("registry.camera.id"), primary_key=True)


class Epoch(Base):
    """One row, locked by every transaction that changes rights: epochs follow commit order."""

    __tablename__ = "epoch"
    __table_args__ = (ACCESS,)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[int] = mapped_column(BigInteger)


class IdempotencyKey(Base):
    """A post that was sent twice makes one thing: the caller's key, and what it was answered (design.md §9)."""

    __tablename__ = "idempotency_key"
    __table_args__ = (ACCESS,)

    account_id: Mapped[int] = mapped_column(ForeignKey("identity.account.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    """SHA-256 of route and body; the same key with another body is refused."""
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Status, headers and body, sealed with the node's key; None while the first post is being answered."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
