"""All SQL of the log that runs on the application's own connections. Inserts and reads, nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.audit.models import Checkpoint, Entry, Leaf
from gongshi.kit import clock

WAKE_CHANNEL = "gongshi_audit"

_NEXT_ID = text("SELECT nextval(pg_get_serial_sequence('audit.entry', 'id'))")
# The id is part of what is hashed, so it is drawn before the row is written.
_INSERT = text(
    "INSERT INTO audit.entry (id, at, action, actor_kind, actor_id, actor_name, organisation_id, organisation_name,"
    " address, object_kind, object_id, camera_id, session_id, grant_id, request_id, detail, leaf_hash)"
    " OVERRIDING SYSTEM VALUE VALUES (:id, :at, :action, :actor_kind, :actor_id, :actor_name, :organisation_id,"
    " :organisation_name, :address, :object_kind, :object_id, :camera_id, :session_id, :grant_id, :request_id,"
    " :detail, :leaf_hash)"
)


async def next_entry_id(session: AsyncSession) -> int:
    """Draw the id of the next entry; ids of failed transactions stay unused."""
    return int((await session.execute(_NEXT_ID)).scalar_one())


async def insert_entry(session: AsyncSession, columns: Mapping[str, Any]) -> None:
    await session.execute(_INSERT, dict(columns))


async def wake_sequencer(session: AsyncSession, word: str = "entries") -> None:
    """Tell the sequencer at commit that there is something for it; `checkpoint` asks for a signed one."""
    await session.execute(text("SELECT pg_notify(:channel, :word)"), {"channel": WAKE_CHANNEL, "word": word})


@dataclass(frozen=True, slots=True)
class Filters:
    """What the auditor looks for; every condition must hold."""

    q: str | None = None
    action: str | None = None
    """An action, or the beginning of several: `media.` or `media.session`."""
    person: str | None = None
    """Part of a name, or an account's id."""
    organisation: str | None = None
    """Part of a name, or an id."""
    camera: str | None = None
    """An id, or a 20-digit code."""
    grant: str | None = None
    """An id, or a number such as `G-2026-0142`."""
    session: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def words(self) -> dict[str, str]:
        """The conditions that were set, for the entry that tells of the reading."""
        given = {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}
        return {
            name: f"{clock.local(value):%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)
            for name, value in given.items()
        }


_MAX_INT = 2**31 - 1


def _number(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and int(value) <= _MAX_INT else None


def _like(value: str) -> str:
    escaped = value.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"


async def entries(
    session: AsyncSession, filters: Filters, *, before: int | None, limit: int
) -> list[tuple[Entry, int | None]]:
    """Entries that fit, newest first, each with its place in the tree (None: not sequenced yet)."""
    query = select(Entry, Leaf.index).outerjoin(Leaf, Leaf.entry_id == Entry.id).order_by(Entry.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Entry.id < before)
    if filters.q:
        like = _like(filters.q)
        query = query.where(
            or_(
                Entry.detail.ilike(like),
                Entry.actor_name.ilike(like),
                Entry.organisation_name.ilike(like),
                Entry.action.ilike(like),
                Entry.object_id == filters.q,
            )
        )
    if filters.action:
        query = query.where(Entry.action.startswith(filters.action, autoescape=True))
    if filters.person:
        named = Entry.actor_name.ilike(_like(filters.person))
        number = _number(filters.person)
        query = query.where(named if number is None else or_(named, Entry.actor_id == number))
    if filters.organisation:
        named = Entry.organisation_name.ilike(_like(filters.organisation))
        number = _number(filters.organisation)
        query = query.where(named if number is None else or_(named, Entry.organisation_id == number))
    if filters.camera:
        coded = Entry.detail.contains(f'"camera_code":"{filters.camera}"', autoescape=True)
        number = _number(filters.camera)
        query = query.where(coded if number is None else or_(coded, Entry.camera_id == number))
    if filters.grant:
        coded = Entry.detail.contains(f'"grant_number":"{filters.grant}"', autoescape=True)
        number = _number(filters.grant)
        query = query.where(coded if number is None else or_(coded, Entry.grant_id == number))
    if filters.session:
        query = query.where(Entry.session_id == filters.session)
    if filters.since is not None:
        query = query.where(Entry.at >= filters.since)
    if filters.until is not None:
        query = query.where(Entry.at < filters.until)
    return [(row[0], row[1]) for row in await session.execute(query)]


async def checkpoints(session: AsyncSession, *, before: int | None, limit: int) -> list[Checkpoint]:
    """Signed statements, newest first."""
    query = select(Checkpoint).order_by(Checkpoint.size.desc()).limit(limit)
    if before is not None:
        query = query.where(Checkpoint.size < before)
    return list(await session.scalars(query))
