"""Tables of uppers: who they are, under which codes they know our cameras, and what stands with them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Identity, Index, LargeBinary, Text, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from gongshi.db.base import Base
from gongshi.signalling.models import SIGNALLING


class Upper(Base):
    """A platform that we register with (上级平台). A row is never deleted: rights and the log hold its number."""

    __tablename__ = "upper"
    __table_args__ = (SIGNALLING,)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("registry.organisation.id"))
    """Who runs it."""
    domain: Mapped[str] = mapped_column(Text)
    host: Mapped[str] = mapped_column(Text)
    port: Mapped[int]
    transport: Mapped[str] = mapped_column(Text)
    """`udp` or `tcp`."""
    own_code: Mapped[str] = mapped_column(Text)
    """Our platform code at this upper."""
    username: Mapped[str] = mapped_column(Text)
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    """The digest password, encrypted with the node's key; never shown again."""
    realm: Mapped[str | None] = mapped_column(Text)
    """Only a challenge of this realm is answered; None: of any."""
    edition: Mapped[str | None] = mapped_column(Text)
    """Pinned: `2016` or `2022`; None: as announced by X-GB-Ver."""
    charset: Mapped[str | None] = mapped_column(Text)
    """`utf-8` overrides GB 18030."""
    expires: Mapped[int] = mapped_column(default=86_400)
    keepalive_interval: Mapped[int] = mapped_column(default=60)
    keepalive_misses: Mapped[int] = mapped_column(default=3)
    retry_seconds: Mapped[int] = mapped_column(default=60)
    tree: Mapped[str] = mapped_column(Text, default="none")
    """How its catalogue is arranged: `none`, `region`, `organisation` or `device`."""
    contact: Mapped[str | None] = mapped_column(Text)
    """`host:port` to put into Contact instead of what we know of ourselves (Q-02)."""
    sources: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    """Networks whose requests count as the upper's; empty: its own address."""
    media_networks: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    """Networks that its media may be sent into; empty: its own address (design.md §6)."""
    redirects: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    """`host:port` that a 302 may send us to."""
    enabled: Mapped[bool] = mapped_column(default=True)
    state: Mapped[str] = mapped_column(Text, default="off")
    """A state of `states.STATES`."""
    reason: Mapped[str | None] = mapped_column(Text)
    state_at: Mapped[datetime | None]
    registered_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class UpperAlias(Base):
    """The code under which one upper knows one camera. The camera's own code never changes (G-143)."""

    __tablename__ = "upper_alias"
    __table_args__ = (UniqueConstraint("upper_id", "alias"), SIGNALLING)

    upper_id: Mapped[int] = mapped_column(ForeignKey("signalling.upper.id"), primary_key=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("registry.camera.id"), primary_key=True)
    alias: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class UpperCall(Base):
    """A call of an upper that stands: kept so that it can be ended after a restart (gb28181.md §10.5)."""

    __tablename__ = "upper_call"
    __table_args__ = (Index("ix_upper_call_upper", "upper_id"), SIGNALLING)

    session_id: Mapped[str] = mapped_column(Text, primary_key=True)
    """The media room's session, as text."""
    upper_id: Mapped[int] = mapped_column(ForeignKey("signalling.upper.id"))
    camera_code: Mapped[str] = mapped_column(Text)
    state: Mapped[dict[str, Any]]
    """`protocols.sip.Dialog.dump()`, the flow, and what the call is about."""
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())


class UpperSubscription(Base):
    """A subscription of an upper (GB/T 28181 §9.11)."""

    __tablename__ = "upper_subscription"
    __table_args__ = (Index("ix_upper_subscription_upper", "upper_id"), SIGNALLING)

    call_id: Mapped[str] = mapped_column(Text, primary_key=True)
    upper_id: Mapped[int] = mapped_column(ForeignKey("signalling.upper.id"))
    package: Mapped[str] = mapped_column(Text)
    """`Catalog`, `Alarm` or `MobilePosition`."""
    expires_at: Mapped[datetime]
    state: Mapped[dict[str, Any]]
    """The dialog, the flow, the scope and the conditions."""
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
