"""Rows as text for COPY."""

from datetime import UTC, datetime

import psycopg
from hypothesis import given
from hypothesis import strategies as st

from gongshi.db.engine import Database, plain_url
from gongshi.signalling.copying import line, merge
from gongshi.signalling.writer import clean

WORDS = ["", "普通", "a\tb", "a\nb", "a\r\nb", "back\\slash", "\\N", "\\.", "x\u2028y\x0bz", "'\"{}", "\U0001f3a5"]


@given(st.lists(st.one_of(st.none(), st.text(), st.integers(), st.floats(allow_nan=False)), min_size=1, max_size=6))
def test_a_row_is_one_line_with_one_field_per_value(values: list[str | int | float | None]) -> None:
    """Invariant: whatever the values hold, the row has one line feed, at its end, and a tab between fields only."""
    row = line(*values)
    assert row.endswith("\n")
    assert row.count("\n") == 1
    assert row.count("\t") == len(values) - 1
    assert "\r" not in row


async def test_what_is_written_is_read_back(database: Database, database_urls: tuple[str, str]) -> None:
    texts = [clean(word) for word in WORDS]
    moment = datetime(2026, 3, 1, 8, 0, 0, 123456, UTC)
    rows = [line(number, text, 1.5, moment, None) for number, text in enumerate(texts)]
    async with database.unit() as uow:
        written = await merge(
            uow.session,
            "new_words",
            "id int, word text, share float8, at timestamptz, nothing text",
            rows,
            b"INSERT INTO system.outbox (name, payload) SELECT %s, to_jsonb(w) FROM new_words w ORDER BY id",
            "test.words.kept",
        )
    assert written == len(WORDS)
    with psycopg.connect(plain_url(database_urls[1])) as connection:
        found = connection.execute("SELECT payload FROM system.outbox WHERE name = 'test.words.kept' ORDER BY id")
        kept = [row[0] for row in found]
    assert [row["word"] for row in kept] == texts
    assert {(row["share"], datetime.fromisoformat(row["at"]), row["nothing"]) for row in kept} == {(1.5, moment, None)}
