"""Tables of the registry. One archive record per camera (一机一档): governance.md §3."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Numeric, Text, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from gongshi.db.base import Base

REGISTRY = {"schema": "registry"}


class Region(Base):
    """An administrative division, GB/T 2260 down to the county, local codes below."""

    __tablename__ = "region"
    __table_args__ = (REGISTRY,)

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    level: Mapped[str] = mapped_column(Text)
    """`province`, `city`, `county` or `township`."""
    parent_code: Mapped[str | None] = mapped_column(ForeignKey("registry.region.code"))
    usable: Mapped[bool] = mapped_column(default=True)
    """False for codes that may not stand in a camera's code any more (341501, 341521)."""
    hint: Mapped[str | None] = mapped_column(Text)


class Organisation(Base):
    """A bureau, county government, enterprise or operator (单位)."""

    __tablename__ = "organisation"
    __table_args__ = (UniqueConstraint("name"), REGISTRY)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(Text, unique=True)
    """Short stable key, for example `culture-tourism`."""
    name: Mapped[str] = mapped_column(Text)
    short_name: Mapped[str] = mapped_column(Text)
    name_en: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    """`bureau`, `police`, `data_bureau`, `leading_office`, `county_government`, `enterprise`, `operator`."""
    level: Mapped[str] = mapped_column(Text)
    region_code: Mapped[str] = mapped_column(ForeignKey("registry.region.code"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("registry.organisation.id"))
    industries: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    """Digits 9-10 of device codes that fit this organisation (G-142); empty: not checked."""
    department: Mapped[int | None]
    """SSBMHY value of the archive (governance.md §3.1 row 27)."""
    member: Mapped[bool] = mapped_column(default=False)
    """Member unit of the leading group (G-042)."""
    note: Mapped[str | None] = mapped_column(Text)
    active: Mapped[bool] = mapped_column(default=True)


class Platform(Base):
    """A declared video platform (inventory table 1, G-062 to G-071)."""

    __tablename__ = "platform"
    __table_args__ = (UniqueConstraint("organisation_id", "name"), REGISTRY)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("registry.organisation.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    vendor: Mapped[str | None] = mapped_column(Text)
    gbt28181: Mapped[bool | None]
    network_type: Mapped[str | None] = mapped_column(Text)
    """`internet`, `department_line`, `police_line` or `egov` (G-065)."""
    description: Mapped[str | None] = mapped_column(Text)
    joined_xueliang: Mapped[bool | None]
    built_month: Mapped[str | None] = mapped_column(Text)
    """YYYY-MM."""
    build_cost: Mapped[Decimal | None] = mapped_column(Numeric(14, 4))
    """10,000 CNY."""
    yearly_cost: Mapped[Decimal | None] = mapped_column(Numeric(14, 4))
    """10,000 CNY per year."""
    remark: Mapped[str | None] = mapped_column(Text)
    source_filing_id: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    version: Mapped[int] = mapped_column(default=1)


class Pole(Base):
    """What cameras are mounted on (G-132)."""

    __tablename__ = "pole"
    __table_args__ = (REGISTRY,)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(Text, unique=True)
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("registry.organisation.id"))
    longitude: Mapped[float | None]
    latitude: Mapped[float | None]
    remark: Mapped[str | None] = mapped_column(Text)


REMOVED = 3
"""Status of a camera that was taken down (X-09)."""


class Camera(Base):
    """One archive record. `id` is what keys, rights and bitmaps hold and is never reused."""

    __tablename__ = "camera"
    __table_args__ = (
        CheckConstraint("code ~ '^[0-9]{20}$'", name="code_shape"),
        Index("ix_camera_organisation", "organisation_id", "code"),
        Index("ix_camera_region", "region_code", "code"),
        Index("ix_camera_place", "longitude", "latitude"),
        REGISTRY,
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    # The 27 fields of 公科信传发〔2017〕297号, in their order (governance.md §3.1)
    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    maker: Mapped[int | None]
    region_code: Mapped[str] = mapped_column(Text)
    point_class: Mapped[int | None]
    model: Mapped[str | None] = mapped_column(Text)
    common_name: Mapped[str | None] = mapped_column(Text)
    ipv4: Mapped[str | None] = mapped_column(Text)
    ipv6: Mapped[str | None] = mapped_column(Text)
    mac: Mapped[str | None] = mapped_column(Text)
    camera_type: Mapped[int | None]
    functions: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), default=list)
    fill_light: Mapped[int | None]
    codec: Mapped[int | None]
    address: Mapped[str | None] = mapped_column(Text)
    longitude: Mapped[float | None]
    latitude: Mapped[float | None]
    location_types: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), default=list)
    direction: Mapped[int | None]
    networked: Mapped[bool | None]
    police_code: Mapped[str | None] = mapped_column(Text)
    installed_on: Mapped[date | None]
    organisation_id: Mapped[int] = mapped_column(ForeignKey("registry.organisation.id"))
    """Managing unit (管理单位)."""
    contact: Mapped[str | None] = mapped_column(Text)
    days_kept: Mapped[int | None]
    status: Mapped[int] = mapped_column(default=1)
    """1 in use, 2 repair, 3 removed (X-09)."""
    departments: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), default=list)
    # The two fields of the city (G-147); 授权共享单位 is derived from live grants and has no column
    demand_organisation_id: Mapped[int | None] = mapped_column(ForeignKey("registry.organisation.id"))
    # Inventory table 2 as declared
    brand: Mapped[str | None] = mapped_column(Text)
    platform_id: Mapped[int | None] = mapped_column(ForeignKey("registry.platform.id"), index=True)
    place_text: Mapped[str | None] = mapped_column(Text)
    township: Mapped[str | None] = mapped_column(Text)
    longitude_text: Mapped[str | None] = mapped_column(Text)
    latitude_text: Mapped[str | None] = mapped_column(Text)
    datum: Mapped[str] = mapped_column(Text, default="wgs84")
    built_month: Mapped[str | None] = mapped_column(Text)
    leased: Mapped[bool | None]
    plan: Mapped[str | None] = mapped_column(Text)
    """`keep`, `remove` or `move` (G-092, X-10)."""
    measures: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    remark: Mapped[str | None] = mapped_column(Text)
    # Added by this platform (governance.md §3.5)
    code_edition: Mapped[str] = mapped_column(Text, default="2016")
    code_frozen_at: Mapped[datetime | None]
    domain: Mapped[str | None] = mapped_column(Text)
    sharing_class: Mapped[str] = mapped_column(Text, default="conditional")
    """`unconditional`, `conditional` or `none`: who may know that it exists (design.md §6 catalogue)."""
    place_class: Mapped[str | None] = mapped_column(Text)
    sensitive: Mapped[bool] = mapped_column(default=False)
    """School, hospital, religious or residential place (S-15)."""
    key_position: Mapped[bool] = mapped_column(default=False)
    core_area: Mapped[bool] = mapped_column(default=False)
    security_level: Mapped[str | None] = mapped_column(Text)
    purpose: Mapped[str | None] = mapped_column(Text)
    legal_basis: Mapped[str | None] = mapped_column(Text)
    pole_id: Mapped[int | None] = mapped_column(ForeignKey("registry.pole.id"))
    bearing: Mapped[float | None]
    field_of_view: Mapped[float | None]
    view_range: Mapped[float | None]
    source: Mapped[str] = mapped_column(Text, default="filing")
    source_filing_id: Mapped[int | None]
    search: Mapped[str] = mapped_column(Text, default="")
    """Name, code, place and pinyin initials, lower case, for substring search."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    version: Mapped[int] = mapped_column(default=1)


class Change(Base):
    """One change of one record: before and after, who, why, through which door."""

    __tablename__ = "change"
    __table_args__ = (Index("ix_change_object", "object_kind", "object_id", "id"), REGISTRY)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    object_kind: Mapped[str] = mapped_column(Text)
    object_id: Mapped[int]
    operation: Mapped[str] = mapped_column(Text)
    """`create`, `update` or `remove`."""
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    actor_kind: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[int | None]
    actor_name: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    """`page`, `api`, `import` or `signalling`."""
    reason: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)
