"""Rows into the database by COPY: built as text once, merged by one statement (signalling.md §2.5)."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from psycopg import AsyncConnection
from sqlalchemy.ext.asyncio import AsyncSession

_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

Field = str | int | float | datetime | None


def field(value: Field) -> str:
    r"""A value in the text format of COPY; None is `\N`. Text holds no NUL and no half of a surrogate pair."""
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value if value.isprintable() and "\\" not in value else value.translate(_ESCAPES)
    return _moment(value) if isinstance(value, datetime) else repr(value)


@lru_cache(maxsize=64)
def _moment(value: datetime) -> str:
    # Those of a batch are the same few.
    return value.isoformat()


def line(*values: Field) -> str:
    """A row."""
    return "\t".join([field(value) for value in values]) + "\n"


async def merge(
    session: AsyncSession, table: str, columns: str, lines: Iterable[str], statement: bytes, *values: Any
) -> int:
    """Put rows into a table that lives as long as the transaction, then run `statement`, which reads it.

    `table` and `columns` (names with types) are ours, never a peer's; `values` fill the statement's `%s`. The number of
    rows that the statement touched.
    """
    raw = await (await session.connection()).get_raw_connection()
    connection: AsyncConnection[Any] = raw.driver_connection  # pyright: ignore[reportAssignmentType] -- psycopg is the only driver
    async with connection.cursor() as cursor:
        create = f"CREATE TEMPORARY TABLE IF NOT EXISTS {table} ({columns}) ON COMMIT DELETE ROWS"
        await cursor.execute(create.encode())
        async with cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
            await copy.write("".join(lines))
        await cursor.execute(statement, values or None)
        return cursor.rowcount
