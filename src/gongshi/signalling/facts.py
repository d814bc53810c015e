"""All SQL of what devices report: answers, alarms, positions, faults, subscriptions. One statement per batch."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.registry.models import Camera, Organisation
from gongshi.signalling.models import Alarm, Channel, Peer, PeerSubscription, Position, Said

Rows = Sequence[Mapping[str, Any]]


def _json(rows: Rows) -> str:
    return json.dumps(rows, ensure_ascii=False, default=str)


# -- answers ---------------------------------------------------------------------------------------------------------

_SAVE_SAID = text("""
INSERT INTO signalling.said AS s (peer_id, code, kind, value, at)
SELECT r.peer_id, r.code, r.kind, r.value, now()
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(peer_id int, code text, kind text, value jsonb)
WHERE EXISTS (SELECT 1 FROM signalling.peer p WHERE p.id = r.peer_id)
ON CONFLICT (peer_id, code, kind) DO UPDATE SET value = excluded.value, at = excluded.at
""")


async def save_said(session: AsyncSession, rows: Rows) -> None:
    """What peers answered last, distinct by peer, code and kind."""
    await session.execute(_SAVE_SAID, {"rows": _json(rows)})


async def said(session: AsyncSession, peer_id: int, code: str | None = None) -> Sequence[Said]:
    """Answers of a peer, of one of its channels when named."""
    query = select(Said).where(Said.peer_id == peer_id).order_by(Said.code, Said.kind)
    return (await session.scalars(query if code is None else query.where(Said.code == code))).all()


async def asked_since(session: AsyncSession, peer_id: int, kind: str, moment: datetime) -> bool:
    """Did the peer answer this about itself since then?"""
    query = (
        select(Said.at)
        .join(Peer, Peer.id == Said.peer_id)
        .where(Said.peer_id == peer_id, Said.code == Peer.code, Said.kind == kind, Said.at >= moment)
    )
    return (await session.scalar(query)) is not None


# -- subscriptions ---------------------------------------------------------------------------------------------------


async def chosen(session: AsyncSession) -> Sequence[PeerSubscription]:
    """What people chose, for every peer."""
    return (await session.scalars(select(PeerSubscription).where(PeerSubscription.chosen))).all()


_CHOOSE = text("""
INSERT INTO signalling.subscription AS s (peer_id, package, wanted, "interval", chosen)
VALUES (:peer, :package, :wanted, :interval, true)
ON CONFLICT (peer_id, package) DO UPDATE
  SET wanted = excluded.wanted, "interval" = excluded."interval", chosen = true, updated_at = now()
""")


async def choose(session: AsyncSession, peer_id: int, package: str, wanted: bool, interval: int | None) -> None:
    """Somebody's wish."""
    await session.execute(_CHOOSE, {"peer": peer_id, "package": package, "wanted": wanted, "interval": interval})


_SAVE_STATES = text("""
INSERT INTO signalling.subscription AS s (peer_id, package, wanted, state, refusal, until)
SELECT r.peer_id, r.package, true, r.state, r.refusal, r.until
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(peer_id int, package text, state text, refusal int, until timestamptz)
WHERE EXISTS (SELECT 1 FROM signalling.peer p WHERE p.id = r.peer_id)
ON CONFLICT (peer_id, package) DO UPDATE
  SET state = excluded.state, refusal = excluded.refusal, until = excluded.until, updated_at = now()
""")


async def save_states(session: AsyncSession, rows: Rows) -> None:
    """How subscriptions stand, distinct by peer and package."""
    await session.execute(_SAVE_STATES, {"rows": _json(rows)})


# -- alarms ----------------------------------------------------------------------------------------------------------

_SAVE_ALARMS = text("""
INSERT INTO signalling.alarm
  (peer_id, code, camera_id, priority, method, type, kind, description, longitude, latitude, alarm_at, received_at)
SELECT r.peer_id, r.code, m.id, r.priority, r.method, r.type, r.kind, r.description, r.longitude, r.latitude,
       r.alarm_at, r.received_at
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
  peer_id int, code text, priority int, method int, type int, kind text, description text, longitude float8,
  latitude float8, alarm_at timestamptz, received_at timestamptz)
JOIN signalling.peer p ON p.id = r.peer_id
LEFT JOIN registry.camera m ON m.code = r.code
ON CONFLICT ON CONSTRAINT uq_alarm_once DO NOTHING
RETURNING id, peer_id, code, camera_id, priority, kind
""")


async def save_alarms(session: AsyncSession, rows: Rows) -> Sequence[Any]:
    """New alarms; (id, peer_id, code, camera_id, priority, kind) of those that were not known yet."""
    return (await session.execute(_SAVE_ALARMS, {"rows": _json(rows)})).all()


AlarmRow = tuple[Alarm, Peer, Camera | None]


async def alarms(
    session: AsyncSession, *where: ColumnElement[bool], before: int | None, limit: int
) -> Sequence[AlarmRow]:
    """Alarms, newest first; `where` may speak of Alarm, Peer, Organisation and Camera."""
    query = (
        select(Alarm, Peer, Camera)
        .join(Peer, Peer.id == Alarm.peer_id)
        .join(Organisation, Organisation.id == Peer.organisation_id)
        .outerjoin(Camera, Camera.id == Alarm.camera_id)
        .where(*where)
        .order_by(Alarm.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(Alarm.id < before)
    return [(alarm, peer, camera) for alarm, peer, camera in await session.execute(query)]


async def alarm(session: AsyncSession, alarm_id: int) -> tuple[Alarm, Peer, Organisation, Camera | None] | None:
    """One, with whose it is."""
    query = (
        select(Alarm, Peer, Organisation, Camera)
        .join(Peer, Peer.id == Alarm.peer_id)
        .join(Organisation, Organisation.id == Peer.organisation_id)
        .outerjoin(Camera, Camera.id == Alarm.camera_id)
        .where(Alarm.id == alarm_id)
    )
    row = (await session.execute(query)).first()
    return None if row is None else (row[0], row[1], row[2], row[3])


async def organisations(session: AsyncSession, ids: Collection[int]) -> Mapping[int, Organisation]:
    """Units by number."""
    return {unit.id: unit for unit in await session.scalars(select(Organisation).where(Organisation.id.in_(ids)))}


async def channel_named(session: AsyncSession, peer_id: int, code: str) -> int | None:
    """Number of a peer's channel of that code."""
    return await session.scalar(select(Channel.id).where(Channel.peer_id == peer_id, Channel.code == code))


# -- positions and faults --------------------------------------------------------------------------------------------

_SAVE_POSITIONS = text("""
INSERT INTO signalling.position AS s (peer_id, code, longitude, latitude, speed, direction, altitude, at)
SELECT r.peer_id, r.code, r.longitude, r.latitude, r.speed, r.direction, r.altitude, r.at
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
  peer_id int, code text, longitude float8, latitude float8, speed float8, direction float8, altitude float8,
  at timestamptz)
WHERE EXISTS (SELECT 1 FROM signalling.peer p WHERE p.id = r.peer_id)
ON CONFLICT (peer_id, code) DO UPDATE SET
  longitude = excluded.longitude, latitude = excluded.latitude, speed = excluded.speed,
  direction = excluded.direction, altitude = excluded.altitude, at = excluded.at
WHERE s.at <= excluded.at
""")


async def save_positions(session: AsyncSession, rows: Rows) -> None:
    """The newest place of each device, distinct by peer and code."""
    await session.execute(_SAVE_POSITIONS, {"rows": _json(rows)})


async def position(session: AsyncSession, peer_id: int, code: str) -> Position | None:
    return await session.get(Position, (peer_id, code))


_SAVE_CONDITIONS = text("""
UPDATE signalling.channel c
SET status = coalesce(r.status, c.status), fault = r.fault, seen_at = now(), gone_at = NULL
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(code text, status text, fault text)
WHERE c.peer_id = :peer AND c.code = r.code
RETURNING c.code
""")


async def save_conditions(session: AsyncSession, peer_id: int, rows: Rows) -> set[str]:
    """On, off, or faulty, as notified; the codes that are known."""
    return set(await session.scalars(_SAVE_CONDITIONS, {"peer": peer_id, "rows": _json(rows)}))
