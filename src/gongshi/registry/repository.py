"""All SQL of the registry. Who may see which camera comes in as a condition (`access.visible`), never from here."""

import asyncio
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from sqlalchemy import ColumnElement, Float, func, literal_column, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.db.uow import UnitOfWork
from gongshi.registry.models import Camera, Change, Organisation, Platform, Region
from gongshi.registry.naming import like_terms

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list or map is narrowed to; None and empty mean everything."""

    q: str | None = None
    region: str | None = None
    organisation_id: int | None = None
    box: Box | None = None
    status: int | None = None
    sharing_class: str | None = None
    platform_id: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = [Camera.search.like(term) for term in like_terms(self.q or "")]
        if self.region:
            prefix = self.region.rstrip("0") if self.region.endswith("00") else self.region
            found.append(Camera.region_code.startswith(prefix, autoescape=True))
        if self.organisation_id is not None:
            found.append(Camera.organisation_id == self.organisation_id)
        if self.box is not None:
            west, south, east, north = self.box
            found += [Camera.longitude.between(west, east), Camera.latitude.between(south, north)]
        if self.status is not None:
            found.append(Camera.status == self.status)
        if self.sharing_class:
            found.append(Camera.sharing_class == self.sharing_class)
        if self.platform_id is not None:
            found.append(Camera.platform_id == self.platform_id)
        return found


async def regions(session: AsyncSession) -> Sequence[Region]:
    return (await session.scalars(select(Region).order_by(Region.code))).all()


async def organisations(session: AsyncSession) -> Sequence[Organisation]:
    return (await session.scalars(select(Organisation).order_by(Organisation.level, Organisation.id))).all()


async def organisation(session: AsyncSession, key: str | int) -> Organisation | None:
    """By id, or by its short code."""
    where = Organisation.id == key if isinstance(key, int) else Organisation.code == key
    return (await session.scalars(select(Organisation).where(where))).one_or_none()


async def organisation_by_name(session: AsyncSession, name: str) -> Organisation | None:
    """By its full or short name, as people write it."""
    where = or_(Organisation.name == name, Organisation.short_name == name)
    return (await session.scalars(select(Organisation).where(where).order_by(Organisation.id))).first()


async def platforms(session: AsyncSession, organisation_id: int) -> Sequence[Platform]:
    query = select(Platform).where(Platform.organisation_id == organisation_id).order_by(Platform.name)
    return (await session.scalars(query)).all()


async def camera(session: AsyncSession, code: str, where: ColumnElement[bool]) -> Camera | None:
    """The camera if it exists and `where` lets it be seen."""
    return (await session.scalars(select(Camera).where(Camera.code == code, where))).one_or_none()


async def cameras(
    session: AsyncSession, where: ColumnElement[bool], filters: Filters, after: str | None, limit: int
) -> Sequence[Camera]:
    """One page in the order of codes, and one row more when there is a next one."""
    query = select(Camera).where(where, *filters.conditions()).order_by(Camera.code).limit(limit + 1)
    if after is not None:
        query = query.where(Camera.code > after)
    return (await session.scalars(query)).all()


async def count(session: AsyncSession, where: ColumnElement[bool], filters: Filters) -> int:
    return await session.scalar(select(func.count()).select_from(Camera).where(where, *filters.conditions())) or 0


async def ids(session: AsyncSession, where: ColumnElement[bool], filters: Filters) -> Sequence[int]:
    return (await session.scalars(select(Camera.id).where(where, *filters.conditions()))).all()


async def by_region(session: AsyncSession, where: ColumnElement[bool]) -> Mapping[str, int]:
    query = select(Camera.region_code, func.count()).where(where).group_by(Camera.region_code)
    return dict((await session.execute(query)).all())


async def cameras_by_codes(session: AsyncSession, codes: Collection[str]) -> Sequence[Camera]:
    return (await session.scalars(select(Camera).where(Camera.code.in_(list(codes))))).all()


async def cameras_of(session: AsyncSession, organisation_id: int) -> Sequence[Camera]:
    return (await session.scalars(select(Camera).where(Camera.organisation_id == organisation_id))).all()


@dataclass(frozen=True, slots=True)
class Cell:
    """Cameras that stand close together at this zoom."""

    longitude: float
    latitude: float
    count: int
    box: Box
    sample_id: int


def cell_size(zoom: float) -> float:
    """Degrees that 64 pixels cover in a Web Mercator map at the equator: near enough for a grid."""
    return 360.0 / 2 ** max(0.0, min(zoom, 22.0)) / 4


async def clusters(
    session: AsyncSession, where: ColumnElement[bool], filters: Filters, zoom: float, limit: int = 2_000
) -> list[Cell]:
    """The map's grid: cells with their count and middle; a cell of one is that camera itself."""
    size = literal_column(repr(cell_size(zoom)), Float)
    query = (
        select(
            func.avg(Camera.longitude),
            func.avg(Camera.latitude),
            func.count(),
            func.min(Camera.longitude),
            func.min(Camera.latitude),
            func.max(Camera.longitude),
            func.max(Camera.latitude),
            func.min(Camera.id),
        )
        .where(where, Camera.longitude.is_not(None), Camera.latitude.is_not(None), *filters.conditions())
        .group_by(func.floor(Camera.longitude / size), func.floor(Camera.latitude / size))
        .order_by(func.count().desc())
        .limit(limit)
    )
    rows = await session.execute(query)
    return [
        # Never null here, by the condition above.
        Cell(float(x or 0), float(y or 0), n, (west or 0.0, south or 0.0, east or 0.0, north or 0.0), sample)
        for x, y, n, west, south, east, north, sample in rows
    ]


async def placed(session: AsyncSession, where: ColumnElement[bool], filters: Filters, limit: int) -> Sequence[Camera]:
    """Single cameras with a position, for a map at close range."""
    query = (
        select(Camera)
        .where(where, Camera.longitude.is_not(None), Camera.latitude.is_not(None), *filters.conditions())
        .limit(limit)
    )
    return (await session.scalars(query)).all()


async def cameras_by_ids(session: AsyncSession, wanted: Collection[int]) -> Sequence[Camera]:
    return (await session.scalars(select(Camera).where(Camera.id.in_(list(wanted))))).all()


async def changes(session: AsyncSession, kind: str, object_id: int, before: int | None, limit: int) -> Sequence[Change]:
    """Newest first."""
    query = select(Change).where(Change.object_kind == kind, Change.object_id == object_id)
    if before is not None:
        query = query.where(Change.id < before)
    return (await session.scalars(query.order_by(Change.id.desc()).limit(limit + 1))).all()


async def lock_organisation(session: AsyncSession, organisation_id: int) -> None:
    """One writer of an organisation's platforms and cameras at a time."""
    await session.execute(select(Organisation.id).where(Organisation.id == organisation_id).with_for_update())


async def update_cameras(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """By `id`; every row names the same columns."""
    if rows:
        await session.execute(update(Camera), [dict(row) for row in rows])


async def insert_platform(session: AsyncSession, values: Mapping[str, Any]) -> Platform:
    platform = Platform(**values)
    session.add(platform)
    await session.flush()
    return platform


async def copy_cameras(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    """Insert many at once by COPY; every row names the same columns. Returns the new ids by code."""
    if not rows:
        return {}
    await copy_rows(session, "registry.camera", list(rows[0]), ([row[key] for key in rows[0]] for row in rows))
    codes = [row["code"] for row in rows]
    found: dict[str, int] = {}
    for start in range(0, len(codes), 5_000):
        query = select(Camera.code, Camera.id).where(Camera.code.in_(codes[start : start + 5_000]))
        found.update((await session.execute(query)).all())
    return found


async def copy_changes(uow: UnitOfWork, changes: Iterable[Mapping[str, Any]], source: str, reason: str | None) -> None:
    """Write history by COPY: `object_kind`, `object_id`, `operation`, `before`, `after` per change."""
    actor = uow.actor
    columns = [
        "object_kind",
        "object_id",
        "operation",
        "before",
        "after",
        "actor_kind",
        "actor_id",
        "actor_name",
        "source",
        "reason",
        "request_id",
    ]
    tail = (actor.kind, actor.id, actor.name, source, reason, uow.request_id)
    rows = (
        (
            change["object_kind"],
            change["object_id"],
            change["operation"],
            None if change["before"] is None else Jsonb(change["before"]),
            None if change["after"] is None else Jsonb(change["after"]),
            *tail,
        )
        for change in changes
    )
    await copy_rows(uow.session, "registry.change", columns, rows)


async def copy_rows(session: AsyncSession, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert by COPY in the session's transaction; `table` and `columns` are ours, never a user's."""
    raw = await (await session.connection()).get_raw_connection()
    connection: AsyncConnection[Any] = raw.driver_connection  # pyright: ignore[reportAssignmentType] -- psycopg is the only driver
    names = ", ".join(f'"{column}"' for column in columns)
    statement = f"COPY {table} ({names}) FROM STDIN".encode()
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for number, row in enumerate(rows):
            await copy.write_row(row)
            if number % 500 == 0:
                # Others on this loop (the sequencer of the log, heartbeats) must not wait for a whole import.
                await asyncio.sleep(0)


def box_of(text: str) -> Box | None:
    """`minlon,minlat,maxlon,maxlat`; None when it is not four numbers in order."""
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        return None
    if not all(math.isfinite(edge) for edge in (west, south, east, north)) or west > east or south > north:
        return None
    return (west, south, east, north)
