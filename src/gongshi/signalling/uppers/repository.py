"""All SQL of uppers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, any_, bindparam, delete, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.actions import Action
from gongshi.access.subjects import Subject
from gongshi.access.visible import visible
from gongshi.registry.models import Camera, Organisation, Region
from gongshi.signalling.models import Channel, Peer
from gongshi.signalling.uppers.models import Upper, UpperAlias, UpperCall, UpperSubscription


@dataclass(frozen=True, slots=True)
class UpperRow:
    """An upper with who runs it."""

    upper: Upper
    organisation: Organisation


def _any(ids: Collection[int]) -> Any:
    """One array parameter, however many ids: a list of parameters ends at 65,535."""
    return any_(bindparam(None, list(ids), type_=ARRAY(Integer), unique=True))


# -- uppers ----------------------------------------------------------------------------------------------------------


async def uppers(session: AsyncSession, *, upper_id: int | None = None) -> Sequence[UpperRow]:
    """Those that stand, by code."""
    query = (
        select(Upper, Organisation)
        .join(Organisation, Organisation.id == Upper.organisation_id)
        .where(Upper.removed_at.is_(None))
        .order_by(Upper.code)
    )
    if upper_id is not None:
        query = query.where(Upper.id == upper_id)
    return [UpperRow(*row) for row in await session.execute(query)]


async def upper(session: AsyncSession, upper_id: int) -> UpperRow | None:
    found = await uppers(session, upper_id=upper_id)
    return found[0] if found else None


async def by_code(session: AsyncSession, code: str) -> Upper | None:
    """Whether or not it was removed, locked until the commit."""
    return (await session.scalars(select(Upper).where(Upper.code == code).with_for_update())).one_or_none()


async def save_state(
    session: AsyncSession, upper_id: int, state: str, reason: str | None, at: datetime, registered_at: datetime | None
) -> None:
    values: dict[str, Any] = {"state": state, "reason": reason, "state_at": at}
    if registered_at is not None:
        values["registered_at"] = registered_at
    await session.execute(update(Upper).where(Upper.id == upper_id).values(**values))


# -- cameras under an upper's codes ------------------------------------------------------------------------------------

# A camera that only the upper itself has shown us is never shown back to it (gb28181.md §13.5).
_NOT_ITS_OWN = text("""
(NOT EXISTS (SELECT 1 FROM signalling.channel l JOIN signalling.peer q ON q.id = l.peer_id
            WHERE l.camera_id = registry.camera.id AND l.kind = 'device' AND l.gone_at IS NULL AND q.code = :upper)
OR EXISTS (SELECT 1 FROM signalling.channel l JOIN signalling.peer q ON q.id = l.peer_id
           WHERE l.camera_id = registry.camera.id AND l.kind = 'device' AND l.gone_at IS NULL AND q.code <> :upper))
""")


@dataclass(frozen=True, slots=True)
class Shared:
    """What is said of one camera when only changes matter."""

    id: int
    code: str
    """As the upper knows it."""
    online: bool
    version: int


_BEST = """
LEFT JOIN LATERAL (
  SELECT h.code AS channel_code, h.manufacturer, h.model, h.ptz_type, h.fields, p.code AS peer_code, p.name AS peer_name,
         h.status = 'on' AND h.gone_at IS NULL AND coalesce(b.state = 'online', false) AS online
  FROM signalling.channel h
  JOIN signalling.peer p ON p.id = h.peer_id AND p.enabled AND p.code <> :upper
  LEFT JOIN signalling.binding b ON b.peer_id = p.id
  WHERE h.camera_id = m.id AND h.kind = 'device'
  ORDER BY h.gone_at IS NOT NULL, b.state IS DISTINCT FROM 'online', p.organisation_id <> m.organisation_id,
           h.status <> 'on', h.id
  LIMIT 1
) c ON true
"""

_SHARED = text(f"""
SELECT m.id, coalesce(a.alias, m.code), coalesce(c.online, false), m.version
FROM registry.camera m
LEFT JOIN signalling.upper_alias a ON a.upper_id = :id AND a.camera_id = m.id
{_BEST}
WHERE m.id = ANY(CAST(:ids AS int[]))
""")  # noqa: S608 -- put together from constants

_ITEMS = text(f"""
SELECT m.id, coalesce(a.alias, m.code) AS code, m.name, m.region_code, m.organisation_id, o.short_name AS owner,
       m.brand, coalesce(m.model, c.model) AS model, c.manufacturer, m.police_code, m.address, m.place_text,
       m.longitude, m.latitude, m.point_class, m.direction, m.camera_type, c.ptz_type, c.peer_code, c.peer_name,
       coalesce(c.online, false) AS online
FROM registry.camera m
JOIN registry.organisation o ON o.id = m.organisation_id
LEFT JOIN signalling.upper_alias a ON a.upper_id = :id AND a.camera_id = m.id
{_BEST}
WHERE m.id = ANY(CAST(:ids AS int[]))
ORDER BY m.id
""")  # noqa: S608 -- put together from constants


async def visible_ids(
    session: AsyncSession,
    subject: Subject,
    upper_code: str,
    at: datetime,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    also: ColumnElement[bool] | None = None,
) -> Sequence[int]:
    """Ids of the cameras that an upper may know of; those added between two moments, or that meet `also`, when given."""
    query = select(Camera.id).where(visible(subject, Action.SEE, at), _NOT_ITS_OWN.bindparams(upper=upper_code))
    if since is not None:
        query = query.where(Camera.created_at >= since)
    if until is not None:
        query = query.where(Camera.created_at <= until)
    if also is not None:
        query = query.where(also)
    return list(await session.scalars(query.order_by(Camera.id)))


async def shared(session: AsyncSession, upper_id: int, upper_code: str, ids: Collection[int]) -> Sequence[Shared]:
    """What changes of cameras an upper is told, by id."""
    rows = await session.execute(_SHARED, {"id": upper_id, "upper": upper_code, "ids": list(ids)})
    return [Shared(*row) for row in rows]


async def items(session: AsyncSession, upper_id: int, upper_code: str, ids: Collection[int]) -> Sequence[Any]:
    """Rows of what a catalogue says of cameras, by id."""
    return (await session.execute(_ITEMS, {"id": upper_id, "upper": upper_code, "ids": list(ids)})).all()


async def places(session: AsyncSession, ids: Collection[int]) -> Sequence[tuple[str, int]]:
    """Distinct (region, organisation) of cameras."""
    query = select(Camera.region_code, Camera.organisation_id).where(Camera.id == _any(ids)).distinct()
    return [(region, unit) for region, unit in await session.execute(query)]


async def of_place(
    session: AsyncSession, ids: Collection[int], *, region: str | None = None, organisations: Collection[int] = ()
) -> Sequence[int]:
    """Those of `ids` inside a region (its digits) or of some organisations."""
    query = select(Camera.id).where(Camera.id == _any(ids)).order_by(Camera.id)
    if region is not None:
        query = query.where(Camera.region_code.startswith(region, autoescape=True))
    if organisations:
        query = query.where(Camera.organisation_id.in_(organisations))
    return list(await session.scalars(query))


async def of_peer(session: AsyncSession, ids: Collection[int], peer_code: str) -> Sequence[int]:
    """Those of `ids` that a peer shows."""
    query = (
        select(Channel.camera_id)
        .join(Peer, Peer.id == Channel.peer_id)
        .where(
            Peer.code == peer_code,
            Channel.gone_at.is_(None),
            Channel.camera_id == _any(ids),
        )
        .distinct()
    )
    return sorted(found for found in await session.scalars(query) if found is not None)


async def regions(session: AsyncSession) -> Mapping[str, str]:
    """Names of divisions by code."""
    return {row.code: row.name for row in await session.execute(select(Region.code, Region.name))}


async def organisations(session: AsyncSession, ids: Collection[int]) -> Sequence[Organisation]:
    return list(await session.scalars(select(Organisation).where(Organisation.id.in_(ids)).order_by(Organisation.id)))


async def peers_of(session: AsyncSession, ids: Collection[int]) -> Sequence[tuple[str, str, bool]]:
    """(code, name, online) of the peers that show some cameras."""
    query = text("""
        SELECT DISTINCT p.code, p.name, coalesce(b.state = 'online', false)
        FROM signalling.channel h
        JOIN signalling.peer p ON p.id = h.peer_id AND p.enabled
        LEFT JOIN signalling.binding b ON b.peer_id = p.id
        WHERE h.camera_id = ANY(CAST(:ids AS int[])) AND h.kind = 'device' AND h.gone_at IS NULL
        ORDER BY p.code
    """)
    return [(code, name, online) for code, name, online in await session.execute(query, {"ids": list(ids)})]


@dataclass(frozen=True, slots=True)
class Target:
    """The camera behind a code that an upper used."""

    id: int
    code: str
    """Its real code."""
    name: str
    region_code: str
    organisation_id: int


async def camera_known_as(session: AsyncSession, upper_id: int, code: str) -> Target | None:
    """The camera that an upper means: by its alias, or by the real code when it has no alias at this upper."""
    row = (await session.execute(_KNOWN_AS, {"upper": upper_id, "code": code})).first()
    return None if row is None else Target(*row)


_KNOWN_AS = text("""
SELECT m.id, m.code, m.name, m.region_code, m.organisation_id
FROM registry.camera m
LEFT JOIN signalling.upper_alias a ON a.upper_id = :upper AND a.camera_id = m.id
WHERE m.id = (SELECT camera_id FROM signalling.upper_alias WHERE upper_id = :upper AND alias = :code)
   OR (m.code = :code AND a.alias IS NULL)
ORDER BY a.alias IS NULL
LIMIT 1
""")


async def alias_of(session: AsyncSession, upper_id: int, camera_id: int) -> str | None:
    return await session.scalar(
        select(UpperAlias.alias).where(UpperAlias.upper_id == upper_id, UpperAlias.camera_id == camera_id)
    )


async def aliases(session: AsyncSession, upper_id: int, ids: Collection[int]) -> Mapping[int, str]:
    query = select(UpperAlias.camera_id, UpperAlias.alias).where(
        UpperAlias.upper_id == upper_id, UpperAlias.camera_id.in_(ids)
    )
    return {row.camera_id: row.alias for row in await session.execute(query)}


async def insert_alias(session: AsyncSession, upper_id: int, camera_id: int, alias: str) -> bool:
    """False when the camera has one already or the alias is taken."""
    query = (
        insert(UpperAlias)
        .values(upper_id=upper_id, camera_id=camera_id, alias=alias)
        .on_conflict_do_nothing()
        .returning(UpperAlias.camera_id)
    )
    return (await session.scalar(query)) is not None


# -- what stands -------------------------------------------------------------------------------------------------------


async def save_call(session: AsyncSession, values: Mapping[str, Any]) -> None:
    query = insert(UpperCall).values(**values)
    await session.execute(
        query.on_conflict_do_update(index_elements=["session_id"], set_={"state": query.excluded.state})
    )


async def drop_call(session: AsyncSession, session_id: str) -> None:
    await session.execute(delete(UpperCall).where(UpperCall.session_id == session_id))


async def calls(session: AsyncSession) -> Sequence[UpperCall]:
    return list(await session.scalars(select(UpperCall)))


async def save_subscription(session: AsyncSession, values: Mapping[str, Any]) -> None:
    query = insert(UpperSubscription).values(**values)
    await session.execute(
        query.on_conflict_do_update(
            index_elements=["call_id"],
            set_={"state": query.excluded.state, "expires_at": query.excluded.expires_at},
        )
    )


async def drop_subscription(session: AsyncSession, call_id: str) -> None:
    await session.execute(delete(UpperSubscription).where(UpperSubscription.call_id == call_id))


async def subscriptions(session: AsyncSession, at: datetime) -> Sequence[UpperSubscription]:
    """Those that still run."""
    return list(await session.scalars(select(UpperSubscription).where(UpperSubscription.expires_at > at)))


async def cameras_by_code(session: AsyncSession, codes: Collection[str]) -> Mapping[str, Target]:
    """Cameras by their real codes."""
    query = select(Camera.id, Camera.code, Camera.name, Camera.region_code, Camera.organisation_id).where(
        Camera.code.in_(codes)
    )
    return {row.code: Target(*row) for row in await session.execute(query)}


async def listed(
    session: AsyncSession, upper_id: int, ids: Collection[int], after: int, limit: int
) -> Sequence[tuple[Camera, str | None]]:
    """Cameras of `ids` by number, each with its alias at an upper."""
    query = (
        select(Camera, UpperAlias.alias)
        .outerjoin(UpperAlias, (UpperAlias.camera_id == Camera.id) & (UpperAlias.upper_id == upper_id))
        .where(Camera.id == _any(ids), Camera.id > after)
        .order_by(Camera.id)
        .limit(limit)
    )
    return [(camera, alias) for camera, alias in await session.execute(query)]
