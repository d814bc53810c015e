"""All SQL of the log that runs on the application's own connections. Inserts and reads, nothing else."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

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
