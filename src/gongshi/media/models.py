"""Tables of media. A session is one subject looking at one camera once (调阅会话)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from gongshi.db.base import Base

MEDIA = {"schema": "media"}


class Stream(Base):
    """One live or recorded flow from a channel, opened once and shared by sessions."""

    __tablename__ = "stream"
    __table_args__ = (
        Index(
            "uq_stream_running",
            "channel_id",
            "kind",
            "profile",
            unique=True,
            postgresql_where=text("state IN ('opening', 'live') AND kind = 'live'"),
        ),
        MEDIA,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("signalling.channel.id", ondelete="CASCADE"))
    camera_id: Mapped[int] = mapped_column(ForeignKey("registry.camera.id"))
    kind: Mapped[str] = mapped_column(Text)
    """`live`, `playback` or `download`; only live ones are shared."""
    profile: Mapped[str] = mapped_column(Text, default="main")
    state: Mapped[str] = mapped_column(Text)
    """`opening`, `live`, `ended` or `failed`."""
    interval_from: Mapped[datetime | None]
    """Of a recording: what is played."""
    interval_to: Mapped[datetime | None]
    steps: Mapped[list[Any]] = mapped_column(default=list)
    """How it was opened, step by step: `{"step", "at", "detail"}`."""
    codec: Mapped[str | None] = mapped_column(Text)
    width: Mapped[int | None]
    height: Mapped[int | None]
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    live_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    end_code: Mapped[str | None] = mapped_column(Text)


class Session(Base):
    """Who looked at which camera, why, on which basis, from when to when, and how it ended (S-05, R-11)."""

    __tablename__ = "session"
    __table_args__ = (
        Index("ix_session_running", "state", postgresql_where=text("state IN ('opening', 'open')")),
        Index("ix_session_camera", "camera_id", "opened_at"),
        Index("ix_session_subject", "subject_kind", "subject_id", "opened_at"),
        MEDIA,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    subject_kind: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[int]
    subject_name: Mapped[str] = mapped_column(Text)
    organisation_id: Mapped[int | None]
    organisation_name: Mapped[str] = mapped_column(Text)
    login_id: Mapped[UUID | None]
    camera_id: Mapped[int] = mapped_column(ForeignKey("registry.camera.id"))
    action: Mapped[str] = mapped_column(Text)
    interval_from: Mapped[datetime | None]
    """Of a recording: what was asked for (what was looked at is part of who looked)."""
    interval_to: Mapped[datetime | None]
    delivery: Mapped[str] = mapped_column(Text)
    """`portal`, `api` or `cascade`."""
    reason: Mapped[str] = mapped_column(Text)
    basis: Mapped[str] = mapped_column(Text)
    right_id: Mapped[int]
    grant_id: Mapped[int | None]
    stream_id: Mapped[UUID | None]
    state: Mapped[str] = mapped_column(Text)
    """`opening`, `open`, `ended` or `failed`."""
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ready_at: Mapped[datetime | None]
    first_played_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    not_after: Mapped[datetime | None]
    end_code: Mapped[str | None] = mapped_column(Text)
    """`closed`, `revoked`, `period_over`, `control_lost`, `stream_lost`, `logged_out`, `failed`, …"""
    end_detail: Mapped[dict[str, Any] | None]
    address: Mapped[str | None] = mapped_column(Text)
    bytes_sent: Mapped[int] = mapped_column(BigInteger, default=0)
    seconds: Mapped[float] = mapped_column(default=0.0)
