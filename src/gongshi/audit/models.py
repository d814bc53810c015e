"""Tables of the log. The application may insert and read them, never change or delete."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, LargeBinary, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from gongshi.db.base import Base


class Entry(Base):
    """One line of the log. Its leaf hash covers every column here except `leaf_hash` itself."""

    __tablename__ = "entry"
    __table_args__ = (
        Index("ix_entry_at", "at"),
        Index("ix_entry_action_at", "action", "at"),
        Index("ix_entry_camera", "camera_id", "at", postgresql_where=text("camera_id IS NOT NULL")),
        Index("ix_entry_organisation", "organisation_id", "at"),
        {"schema": "audit"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime]
    action: Mapped[str] = mapped_column(Text)
    """`room.noun.past`, listed in docs/events.md."""
    actor_kind: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[int | None]
    actor_name: Mapped[str] = mapped_column(Text)
    organisation_id: Mapped[int | None]
    organisation_name: Mapped[str] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
    object_kind: Mapped[str | None] = mapped_column(Text)
    object_id: Mapped[str | None] = mapped_column(Text)
    camera_id: Mapped[int | None]
    session_id: Mapped[str | None] = mapped_column(Text)
    grant_id: Mapped[int | None]
    request_id: Mapped[str | None] = mapped_column(Text)
    """The HTTP or SIP request that caused it."""
    detail: Mapped[str] = mapped_column(Text)
    """Canonical JSON; text, so that what was hashed is what is stored."""
    leaf_hash: Mapped[bytes] = mapped_column(LargeBinary)


class Leaf(Base):
    """The place of an entry in the tree, given by the sequencer within a second of the commit."""

    __tablename__ = "leaf"
    __table_args__ = ({"schema": "audit"},)

    index: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(ForeignKey("audit.entry.id"), unique=True)
    leaf_hash: Mapped[bytes] = mapped_column(LargeBinary)
    sequenced_at: Mapped[datetime]


class Checkpoint(Base):
    """A signed statement: at this time the tree had this size and this root."""

    __tablename__ = "checkpoint"
    __table_args__ = ({"schema": "audit"},)

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    node_code: Mapped[str] = mapped_column(Text)
    algorithm: Mapped[str] = mapped_column(Text)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    frontier: Mapped[bytes] = mapped_column(LargeBinary)
    """Roots of the perfect subtrees from left to right, so that the tree can grow without reading it again."""
    key_id: Mapped[str] = mapped_column(Text)
    signature: Mapped[bytes] = mapped_column(LargeBinary)
