"""Tables of signalling. The registry in memory is the truth for routing; these rows survive a restart."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, LargeBinary, Text, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from gongshi.db.base import Base

SIGNALLING = {"schema": "signalling"}


class Peer(Base):
    """A device or lower platform that may register with us (下级设备/平台)."""

    __tablename__ = "peer"
    __table_args__ = (SIGNALLING,)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("registry.organisation.id"))
    platform_id: Mapped[int | None] = mapped_column(ForeignKey("registry.platform.id"))
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    """The digest password, encrypted with the node's key; never shown again."""
    edition: Mapped[str | None] = mapped_column(Text)
    """Pinned by an operator: `2016` or `2022`; None: as announced by X-GB-Ver."""
    media_transport: Mapped[str] = mapped_column(Text, default="udp")
    """`udp`, `tcp_passive` (we listen) or `tcp_active` (we connect)."""
    charset: Mapped[str | None] = mapped_column(Text)
    keepalive_interval: Mapped[int] = mapped_column(default=60)
    keepalive_misses: Mapped[int] = mapped_column(default=3)
    """0: never judged by keepalives, only by its registration (Q-29)."""
    enabled: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Binding(Base):
    """Where a peer was last registered from; restored after a restart (design.md §4)."""

    __tablename__ = "binding"
    __table_args__ = (SIGNALLING,)

    peer_id: Mapped[int] = mapped_column(ForeignKey("signalling.peer.id", ondelete="CASCADE"), primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    """`online` or `offline`."""
    reason: Mapped[str | None] = mapped_column(Text)
    """Why offline: `expired`, `silent`, `unregistered`, `connection_lost`."""
    transport: Mapped[str] = mapped_column(Text)
    remote_host: Mapped[str] = mapped_column(Text)
    remote_port: Mapped[int]
    contact: Mapped[str | None] = mapped_column(Text)
    call_id: Mapped[str | None] = mapped_column(Text)
    version: Mapped[str | None] = mapped_column(Text)
    """X-GB-Ver as announced."""
    user_agent: Mapped[str | None] = mapped_column(Text)
    registered_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    keepalive_at: Mapped[datetime | None]
    instance: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class CatalogueRun(Base):
    """One catalogue query and how complete its answer was (gb28181.md §7.5)."""

    __tablename__ = "catalogue_run"
    __table_args__ = (Index("ix_catalogue_run_peer", "peer_id", "id"), SIGNALLING)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    peer_id: Mapped[int] = mapped_column(ForeignKey("signalling.peer.id", ondelete="CASCADE"))
    sn: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    declared: Mapped[int | None]
    """SumNum."""
    received: Mapped[int] = mapped_column(default=0)
    packets: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(Text)
    """`running`, `complete`, `partial` or `silent`."""
    note: Mapped[str | None] = mapped_column(Text)


class Channel(Base):
    """What a peer's catalogue says it has (通道); links to a camera by code."""

    __tablename__ = "channel"
    __table_args__ = (
        UniqueConstraint("peer_id", "code"),
        Index("ix_channel_camera", "camera_id"),
        Index("ix_channel_code", "code"),
        SIGNALLING,
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    peer_id: Mapped[int] = mapped_column(ForeignKey("signalling.peer.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    """`device`, `region`, `system`, `business_group` or `virtual_organisation`."""
    name: Mapped[str] = mapped_column(Text)
    manufacturer: Mapped[str | None] = mapped_column(Text)
    model: Mapped[str | None] = mapped_column(Text)
    civil_code: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
    parent: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    """`on` or `off`."""
    fault: Mapped[str | None] = mapped_column(Text)
    """`video_lost` or `defect`, as last notified: there, but not well (gb28181.md §14)."""
    longitude: Mapped[float | None]
    latitude: Mapped[float | None]
    ptz_type: Mapped[int | None]
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Every element of the item as sent, by name."""
    camera_id: Mapped[int | None] = mapped_column(ForeignKey("registry.camera.id"))
    first_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    gone_at: Mapped[datetime | None]


class Dialog(Base):
    """A call that stands: kept so that it can be ended, or carried on, after a restart (gb28181.md §10.5)."""

    __tablename__ = "dialog"
    __table_args__ = (Index("ix_dialog_peer", "peer_id"), SIGNALLING)

    stream_id: Mapped[str] = mapped_column(Text, primary_key=True)
    """The media room's stream, as text."""
    peer_id: Mapped[int] = mapped_column(ForeignKey("signalling.peer.id", ondelete="CASCADE"))
    channel_code: Mapped[str] = mapped_column(Text)
    ssrc: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[dict[str, Any]]
    """`protocols.sip.Dialog.dump()` and the flow that the call went over."""
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    instance: Mapped[str | None] = mapped_column(Text)
    """Which signalling server carries it."""


class Instance(Base):
    """A signalling server that runs; the devices and calls of one without a row belong to who claims them."""

    __tablename__ = "instance"
    __table_args__ = (SIGNALLING,)

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    """New at every start."""
    seat: Mapped[str] = mapped_column(Text)
    """Equal for a server and the one that replaces it after a restart."""
    host: Mapped[str] = mapped_column(Text)
    control: Mapped[str | None] = mapped_column(Text)
    """Its control socket, for calls of others on the same machine."""
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    beat_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Said(Base):
    """What a peer answered last to a query about itself or one of its channels (gb28181.md §7.6)."""

    __tablename__ = "said"
    __table_args__ = (SIGNALLING,)

    peer_id: Mapped[int] = mapped_column(ForeignKey("signalling.peer.id", ondelete="CASCADE"), primary_key=True)
    code: Mapped[str] = mapped_column(Text, primary_key=True)
    """The peer's own code, or the channel's."""
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    """`device_info`, `device_status`, `config`, `upgrade`, `snapshot`, ..."""
    value: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class PeerSubscription(Base):
    """What we subscribe to at a peer, and how that stands (gb28181.md §14)."""

    __tablename__ = "subscription"
    __table_args__ = (SIGNALLING,)

    peer_id: Mapped[int] = mapped_column(ForeignKey("signalling.peer.id", ondelete="CASCADE"), primary_key=True)
    package: Mapped[str] = mapped_column(Text, primary_key=True)
    """`catalogue`, `alarm`, `mobile_position` or `ptz_position`."""
    wanted: Mapped[bool]
    chosen: Mapped[bool] = mapped_column(server_default=text("false"))
    """Somebody chose so; otherwise the node's policy did."""
    interval: Mapped[int | None]
    """Seconds between positions."""
    state: Mapped[str] = mapped_column(Text, server_default="idle")
    """A state of `protocols.sip.subscription`."""
    refusal: Mapped[int | None]
    """SIP status of the last refusal."""
    until: Mapped[datetime | None]
    notified_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Alarm(Base):
    """An alarm that a device reported (gb28181.md §9). Of person-related types only the number is kept."""

    __tablename__ = "alarm"
    __table_args__ = (
        Index("ix_alarm_received", "received_at", "id"),
        Index("ix_alarm_open", "peer_id", postgresql_where=text("confirmed_at IS NULL")),
        UniqueConstraint(
            "peer_id", "code", "method", "type", "alarm_at", name="uq_alarm_once", postgresql_nulls_not_distinct=True
        ),
        SIGNALLING,
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    peer_id: Mapped[int] = mapped_column(ForeignKey("signalling.peer.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(Text)
    """The device that reports, or an alarm centre."""
    camera_id: Mapped[int | None] = mapped_column(ForeignKey("registry.camera.id"))
    priority: Mapped[int | None]
    """1 (highest) to 4."""
    method: Mapped[int | None]
    type: Mapped[int | None]
    kind: Mapped[str] = mapped_column(Text)
    """A word for method and type, `type_8` where the type concerns persons."""
    description: Mapped[str | None] = mapped_column(Text)
    longitude: Mapped[float | None]
    latitude: Mapped[float | None]
    alarm_at: Mapped[datetime]
    """As the device says, else when it came."""
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    confirmed_at: Mapped[datetime | None]
    confirmed_by: Mapped[int | None]
    confirmed_name: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)


class Position(Base):
    """Where a mobile device was last; a newer one replaces it, no trail is kept."""

    __tablename__ = "position"
    __table_args__ = (SIGNALLING,)

    peer_id: Mapped[int] = mapped_column(ForeignKey("signalling.peer.id", ondelete="CASCADE"), primary_key=True)
    code: Mapped[str] = mapped_column(Text, primary_key=True)
    longitude: Mapped[float]
    latitude: Mapped[float]
    speed: Mapped[float | None]
    direction: Mapped[float | None]
    altitude: Mapped[float | None]
    at: Mapped[datetime]
