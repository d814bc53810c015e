"""All SQL of signalling. Rows travel as one JSON document per statement: a batch costs one round trip."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, false, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.permissions import TABLE
from gongshi.access.subjects import Subject, region_prefix
from gongshi.registry.models import Camera, Organisation
from gongshi.registry.service import organisation_named
from gongshi.signalling import copying
from gongshi.signalling.models import Binding, CatalogueRun, Channel, Dialog, Peer

# -- peers and bindings ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PeerRow:
    """A peer with what belongs to it."""

    peer: Peer
    organisation: Organisation
    binding: Binding | None


async def peers(session: AsyncSession, *where: ColumnElement[bool], limit: int | None = None) -> Sequence[PeerRow]:
    """Peers by code."""
    query = (
        select(Peer, Organisation, Binding)
        .join(Organisation, Organisation.id == Peer.organisation_id)
        .outerjoin(Binding, Binding.peer_id == Peer.id)
        .where(*where)
        .order_by(Peer.code)
        .limit(limit)
    )
    return [PeerRow(*row) for row in await session.execute(query)]


async def peer(session: AsyncSession, peer_id: int) -> PeerRow | None:
    found = await peers(session, Peer.id == peer_id)
    return found[0] if found else None


async def peer_by_code(session: AsyncSession, code: str) -> PeerRow | None:
    found = await peers(session, Peer.code == code)
    return found[0] if found else None


async def insert_peer(session: AsyncSession, values: Mapping[str, Any]) -> Peer | None:
    """The new row, or None when the code is taken."""
    query = insert(Peer).values(**values).on_conflict_do_nothing(index_elements=["code"]).returning(Peer)
    return (await session.scalars(query)).one_or_none()


async def organisation(session: AsyncSession, key: str | int) -> Organisation | None:
    """By number, short key or name."""
    return await organisation_named(session, str(key))


_BINDING = (
    "peer_id int, state text, reason text, transport text, remote_host text, remote_port int, contact text, "
    "call_id text, version text, user_agent text, registered_at timestamptz, expires_at timestamptz, "
    "keepalive_at timestamptz"
)
_SAVE_BINDINGS = b"""
INSERT INTO signalling.binding AS b
  (peer_id, state, reason, transport, remote_host, remote_port, contact, call_id, version, user_agent,
   registered_at, expires_at, keepalive_at, instance, updated_at)
SELECT peer_id, state, reason, transport, remote_host, remote_port, contact, call_id, version, user_agent,
       registered_at, expires_at, keepalive_at, %s, now()
FROM new_binding r
WHERE EXISTS (SELECT 1 FROM signalling.peer p WHERE p.id = r.peer_id)
ON CONFLICT (peer_id) DO UPDATE SET
  state = excluded.state, reason = excluded.reason, transport = excluded.transport,
  remote_host = excluded.remote_host, remote_port = excluded.remote_port, contact = excluded.contact,
  call_id = excluded.call_id, version = excluded.version, user_agent = excluded.user_agent,
  registered_at = excluded.registered_at, expires_at = excluded.expires_at,
  keepalive_at = coalesce(excluded.keepalive_at, b.keepalive_at), instance = excluded.instance, updated_at = now()
WHERE b.instance = excluded.instance OR excluded.registered_at > b.registered_at
"""


async def save_bindings(session: AsyncSession, lines: Iterable[str], instance: str) -> None:
    """Write bindings (rows of `copying.line`, distinct) at once; those of peers that were deleted meanwhile fall away."""
    await copying.merge(session, "new_binding", _BINDING, lines, _SAVE_BINDINGS, instance)


_SAVE_KEEPALIVES = text("""
UPDATE signalling.binding b SET keepalive_at = r.at
FROM unnest(CAST(:ids AS int[]), CAST(:times AS timestamptz[])) AS r(id, at)
WHERE b.peer_id = r.id AND b.keepalive_at IS DISTINCT FROM r.at
""")


async def save_keepalives(session: AsyncSession, times: Mapping[int, datetime | None]) -> None:
    """Write when each peer was heard last, in one statement."""
    await session.execute(_SAVE_KEEPALIVES, {"ids": list(times), "times": list(times.values())})


# -- catalogue -------------------------------------------------------------------------------------------------------


async def start_run(session: AsyncSession, peer_id: int, sn: int) -> int:
    """A new run's number; runs that an earlier process left unfinished end as silent."""
    await session.execute(
        update(CatalogueRun)
        .where(CatalogueRun.peer_id == peer_id, CatalogueRun.state == "running")
        .values(state="silent", ended_at=func.now(), note="interrupted")
    )
    run = CatalogueRun(peer_id=peer_id, sn=sn, state="running")
    session.add(run)
    await session.flush()
    return run.id


async def update_run(session: AsyncSession, run_id: int, **values: Any) -> None:
    await session.execute(update(CatalogueRun).where(CatalogueRun.id == run_id).values(**values))


async def last_complete(session: AsyncSession) -> Mapping[int, datetime]:
    """When each peer's catalogue was complete last."""
    query = (
        select(CatalogueRun.peer_id, func.max(CatalogueRun.ended_at))
        .where(CatalogueRun.state == "complete", CatalogueRun.ended_at.is_not(None))
        .group_by(CatalogueRun.peer_id)
    )
    return {peer_id: ended for peer_id, ended in await session.execute(query) if ended is not None}


async def last_runs(session: AsyncSession, peer_ids: Collection[int]) -> Mapping[int, CatalogueRun]:
    """The newest run of each peer."""
    query = (
        select(CatalogueRun)
        .ext(distinct_on(CatalogueRun.peer_id))
        .where(CatalogueRun.peer_id.in_(peer_ids))
        .order_by(CatalogueRun.peer_id, CatalogueRun.id.desc())
    )
    return {run.peer_id: run for run in await session.scalars(query)}


_CHANNEL = (
    "code text, kind text, name text, manufacturer text, model text, civil_code text, address text, parent text, "
    "status text, longitude float8, latitude float8, ptz_type int, fields jsonb"
)
_MERGE = b"""
INSERT INTO signalling.channel AS c
  (peer_id, code, kind, name, manufacturer, model, civil_code, address, parent, status, longitude, latitude, ptz_type,
   fields, camera_id)
SELECT %s, r.code, r.kind, r.name, r.manufacturer, r.model, r.civil_code, r.address, r.parent, r.status,
       r.longitude, r.latitude, r.ptz_type, r.fields, m.id
FROM new_channel r
LEFT JOIN registry.camera m ON m.code = r.code AND r.kind = 'device'
ON CONFLICT (peer_id, code) DO UPDATE SET
  kind = excluded.kind, name = excluded.name, manufacturer = excluded.manufacturer, model = excluded.model,
  civil_code = excluded.civil_code, address = excluded.address, parent = excluded.parent, status = excluded.status,
  longitude = excluded.longitude, latitude = excluded.latitude, ptz_type = excluded.ptz_type,
  fields = excluded.fields, camera_id = excluded.camera_id, seen_at = now(), gone_at = NULL
WHERE (c.kind, c.name, c.manufacturer, c.model, c.civil_code, c.address, c.parent, c.status, c.longitude, c.latitude,
       c.ptz_type, c.fields, c.camera_id)
  IS DISTINCT FROM
      (excluded.kind, excluded.name, excluded.manufacturer, excluded.model, excluded.civil_code, excluded.address,
       excluded.parent, excluded.status, excluded.longitude, excluded.latitude, excluded.ptz_type, excluded.fields,
       excluded.camera_id)
  OR c.gone_at IS NOT NULL OR c.seen_at < now() - interval '1 hour'
"""


async def merge_channels(session: AsyncSession, peer_id: int, lines: Iterable[str]) -> int:
    """Take over catalogue items (rows of `channels.ChannelRow`, distinct by code); how many said something new."""
    return await copying.merge(session, "new_channel", _CHANNEL, lines, _MERGE, peer_id)


_MISSING = text("""
SELECT c.code FROM signalling.channel c
LEFT JOIN unnest(CAST(:codes AS text[])) AS n(code) ON n.code = c.code
WHERE c.peer_id = :peer AND c.gone_at IS NULL AND n.code IS NULL
""")


async def missing_channels(session: AsyncSession, peer_id: int, codes: Collection[str]) -> tuple[set[str], int]:
    """Codes of rows that a complete answer did not name, and how many rows stood."""
    values = {"peer": peer_id, "codes": list(codes)}
    missing = {str(code) for code in await session.scalars(_MISSING, values)}
    stood = select(func.count()).where(Channel.peer_id == peer_id, Channel.gone_at.is_(None))
    return missing, int(await session.scalar(stood) or 0)


async def mark_gone(session: AsyncSession, peer_id: int, codes: Collection[str]) -> None:
    """Tombstone channels; their rows stay."""
    await session.execute(
        text(
            "UPDATE signalling.channel SET gone_at = now() "
            "WHERE peer_id = :peer AND gone_at IS NULL AND code = ANY(CAST(:codes AS text[]))"
        ),
        {"peer": peer_id, "codes": list(codes)},
    )


_RELINK = text("""
UPDATE signalling.channel h SET camera_id = m.id
FROM signalling.channel c LEFT JOIN registry.camera m ON m.code = c.code
WHERE h.id = c.id AND c.kind = 'device' AND h.camera_id IS DISTINCT FROM m.id
""")


async def relink(session: AsyncSession) -> int:
    """Tie channels to cameras by code, after cameras came or went; how many changed."""
    result = await session.execute(_RELINK)
    return int(getattr(result, "rowcount", 0))


async def channel(session: AsyncSession, channel_id: int) -> Channel | None:
    return await session.get(Channel, channel_id)


async def has_channels(session: AsyncSession, peer_id: int) -> bool:
    """Did the peer's catalogue ever list anything?"""
    return (await session.scalar(select(Channel.id).where(Channel.peer_id == peer_id).limit(1))) is not None


async def channels(
    session: AsyncSession, peer_id: int, *, kind: str | None, after: str | None, limit: int
) -> Sequence[tuple[Channel, Camera | None]]:
    """A peer's channels by code, each with the camera it shows."""
    query = (
        select(Channel, Camera)
        .outerjoin(Camera, Camera.id == Channel.camera_id)
        .where(Channel.peer_id == peer_id)
        .order_by(Channel.code)
        .limit(limit)
    )
    if kind is not None:
        query = query.where(Channel.kind == kind)
    if after is not None:
        query = query.where(Channel.code > after)
    return [(channel, camera) for channel, camera in await session.execute(query)]


async def channel_counts(session: AsyncSession, peer_ids: Collection[int]) -> Mapping[int, tuple[int, int]]:
    """(devices, devices whose catalogue status is on) of each peer."""
    query = (
        select(Channel.peer_id, func.count(), func.count().filter(Channel.status == "on"))
        .where(Channel.peer_id.in_(peer_ids), Channel.kind == "device", Channel.gone_at.is_(None))
        .group_by(Channel.peer_id)
    )
    return {peer_id: (total, on) for peer_id, total, on in await session.execute(query)}


_BEST = text("""
SELECT h.id, h.code, h.name, h.status = 'on', p.id, p.name, coalesce(b.state = 'online', false), p.media_transport,
       b.remote_host
FROM signalling.channel h
JOIN signalling.peer p ON p.id = h.peer_id AND p.enabled
JOIN registry.camera m ON m.id = h.camera_id
LEFT JOIN signalling.binding b ON b.peer_id = p.id
WHERE h.camera_id = :camera AND h.kind = 'device'
ORDER BY h.gone_at IS NOT NULL, b.state IS DISTINCT FROM 'online', p.organisation_id <> m.organisation_id,
         h.status <> 'on', h.id
LIMIT 1
""")


async def best_channel(session: AsyncSession, camera_id: int) -> Sequence[Any] | None:
    """The channel to open for a camera, in the order of `service.ChannelTarget`."""
    row = (await session.execute(_BEST, {"camera": camera_id})).first()
    return None if row is None else tuple(row)


# -- presence --------------------------------------------------------------------------------------------------------

_ONLINE = """
FROM signalling.channel h
JOIN signalling.peer p ON p.id = h.peer_id
LEFT JOIN signalling.binding b ON b.peer_id = p.id
WHERE h.camera_id IS NOT NULL AND h.gone_at IS NULL AND h.kind = 'device'
"""
_IS_ONLINE = "h.status = 'on' AND p.enabled AND coalesce(b.state = 'online', false)"


async def cameras_online(session: AsyncSession, camera_ids: Collection[int]) -> Mapping[int, bool]:
    """By camera: whether any of its channels is on at a platform that is online."""
    query = text(
        f"SELECT h.camera_id, bool_or({_IS_ONLINE}) {_ONLINE} "
        "AND h.camera_id = ANY(CAST(:ids AS int[])) GROUP BY h.camera_id"
    )
    return {int(row[0]): bool(row[1]) for row in await session.execute(query, {"ids": list(camera_ids)})}


async def cameras_online_count(session: AsyncSession) -> int:
    query = text(f"SELECT count(DISTINCT h.camera_id) {_ONLINE} AND {_IS_ONLINE}")
    return int(await session.scalar(query) or 0)


_SEEN = """
FROM signalling.channel h
JOIN signalling.peer p ON p.id = h.peer_id
LEFT JOIN registry.camera m ON m.id = h.camera_id
WHERE h.kind = 'device' AND h.gone_at IS NULL AND substr(h.code, 11, 3) NOT IN ('134', '135', '136', '137')
"""
_OF = "((p.organisation_id = :org AND (m.id IS NULL OR m.organisation_id = :org)) OR m.organisation_id = :org)"


async def seen(session: AsyncSession, organisation_id: int | None) -> Sequence[Any]:
    """Cameras in catalogues by code, in the order of `presence.SeenChannel`; one row per code."""
    narrowed = "" if organisation_id is None else f" AND {_OF}"
    columns = "p.id, p.name, h.code, h.name, h.longitude, h.latitude, h.status"
    order = "h.code, p.organisation_id IS DISTINCT FROM m.organisation_id, p.id"
    query = text(f"SELECT DISTINCT ON (h.code) {columns} {_SEEN}{narrowed} ORDER BY {order}")
    values = {} if organisation_id is None else {"org": organisation_id}
    return [tuple(row) for row in await session.execute(query, values)]


async def undeclared_count(session: AsyncSession, organisation_id: int) -> int:
    """Cameras on an organisation's own platforms that the registry does not know."""
    query = text(f"SELECT count(DISTINCT h.code) {_SEEN} AND m.id IS NULL AND p.organisation_id = :org")
    return int(await session.scalar(query, {"org": organisation_id}) or 0)


async def seen_camera(session: AsyncSession, camera_id: int) -> tuple[Channel, Peer, Binding | None] | None:
    """The channel that shows a camera, the one that would be opened first."""
    best = await best_channel(session, camera_id)
    if best is None:
        return None
    query = (
        select(Channel, Peer, Binding)
        .join(Peer, Peer.id == Channel.peer_id)
        .outerjoin(Binding, Binding.peer_id == Peer.id)
        .where(Channel.id == best[0])
    )
    row = (await session.execute(query)).first()
    return None if row is None else (row[0], row[1], row[2])


def reach(subject: Subject, permission: str = "signalling.peer.see") -> list[ColumnElement[bool]]:
    """Conditions on Peer and Organisation for the peers that a person's roles let them see; the SQL of `permit`."""
    reaches = {level for role, level in TABLE[permission].items() if role in subject.roles}
    if "all" in reaches:
        return []
    ways: list[ColumnElement[bool]] = []
    if reaches & {"own", "area"} and subject.organisation_id is not None:
        ways.append(Peer.organisation_id == subject.organisation_id)
    prefix = region_prefix(subject.region_code or "")
    if "area" in reaches and prefix:
        ways.append(Organisation.region_code.startswith(prefix, autoescape=True))
    return [or_(false(), *ways)]


async def peer_figures(session: AsyncSession, where: Sequence[ColumnElement[bool]]) -> tuple[int, int]:
    """(enabled peers that were ever registered or should be, those online)."""
    query = (
        select(func.count(), func.count().filter(Binding.state == "online"))
        .select_from(Peer)
        .join(Organisation, Organisation.id == Peer.organisation_id)
        .outerjoin(Binding, Binding.peer_id == Peer.id)
        .where(Peer.enabled, *where)
    )
    total, online = (await session.execute(query)).one()
    return int(total), int(online)


# -- dialogs ---------------------------------------------------------------------------------------------------------


async def save_dialog(session: AsyncSession, values: Mapping[str, Any]) -> None:
    query = insert(Dialog).values(**values)
    changed = {name: query.excluded[name] for name in ("peer_id", "channel_code", "ssrc", "state", "instance")}
    await session.execute(query.on_conflict_do_update(index_elements=["stream_id"], set_=changed))


async def delete_dialogs(session: AsyncSession, stream_ids: Collection[str]) -> None:
    await session.execute(delete(Dialog).where(Dialog.stream_id.in_(stream_ids)))


async def dialogs(session: AsyncSession, instance: str, stream_ids: Collection[str] | None = None) -> Sequence[Dialog]:
    """Calls of a server, or those of the given streams among them."""
    query = select(Dialog).where(Dialog.instance == instance)
    if stream_ids is not None:
        query = query.where(Dialog.stream_id.in_(stream_ids))
    return (await session.scalars(query)).all()


async def dialog_instance(session: AsyncSession, stream_id: str) -> str | None:
    """Which server carries a call."""
    return await session.scalar(select(Dialog.instance).where(Dialog.stream_id == stream_id))
