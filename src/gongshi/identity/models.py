"""Tables of identity. Passwords and tokens are stored as hashes only."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Identity, Index, LargeBinary, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from gongshi.db.base import Base

IDENTITY = {"schema": "identity"}


class Account(Base):
    """A person's account at one organisation."""

    __tablename__ = "account"
    __table_args__ = (IDENTITY,)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    username: Mapped[str] = mapped_column(Text, unique=True)
    display_name: Mapped[str] = mapped_column(Text)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("registry.organisation.id"), index=True)
    password_hash: Mapped[str] = mapped_column(Text)
    must_change: Mapped[bool] = mapped_column(default=True)
    demo: Mapped[bool] = mapped_column(default=False)
    """Made by `gongshi demo`; exempt from the forced change (design.md §10)."""
    failed_count: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    password_changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_login_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
    """Counts what administrators change; logins and passwords of one's own leave it alone."""


class AccountRole(Base):
    """One role of one account."""

    __tablename__ = "account_role"
    __table_args__ = (IDENTITY,)

    account_id: Mapped[int] = mapped_column(ForeignKey("identity.account.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(Text, primary_key=True)


class Login(Base):
    """One login of a person (the word session is kept for looking at a camera)."""

    __tablename__ = "login"
    __table_args__ = (Index("ix_login_account", "account_id"), IDENTITY)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("identity.account.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    address: Mapped[str | None] = mapped_column(Text)
    user_agent: Mapped[str | None] = mapped_column(Text)


class Attempt(Base):
    """A failed login, kept in the database so that a restart forgets no lockout."""

    __tablename__ = "attempt"
    __table_args__ = (Index("ix_attempt_address", "address", "at"), IDENTITY)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    username: Mapped[str] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
