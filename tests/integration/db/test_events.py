"""Events reach readers once, in commit order, and only when their cause was committed."""

import asyncio
import contextlib

import pytest
from sqlalchemy import text

from gongshi.db.engine import Database
from gongshi.db.events import Event, EventStream, emit, prune


async def collect(stream: EventStream, number: int) -> list[Event]:
    found: list[Event] = []
    async with contextlib.aclosing(stream.read()) as batches, asyncio.timeout(10):
        async for batch in batches:
            found += batch
            if len(found) >= number:
                break
    return found


async def test_a_reader_sees_what_commits_after_it_connected(database: Database) -> None:
    async with database.unit() as uow:
        await emit(uow, "test.thing.before")
    stream = EventStream(database.url, beat=0.1)
    await stream.connect()
    async with database.unit() as uow:
        await emit(uow, "test.thing.after", number=1)
    found = await collect(stream, 1)
    await stream.close()
    assert [(e.name, e.payload) for e in found] == [("test.thing.after", {"number": 1})]


async def test_an_event_of_a_failed_change_is_never_seen(database: Database) -> None:
    stream = EventStream(database.url, beat=0.1)
    await stream.connect()

    async def fail() -> None:
        async with database.unit() as uow:
            await emit(uow, "test.thing.failed")
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with database.unit() as uow:
        await emit(uow, "test.thing.kept")
    assert [e.name for e in await collect(stream, 1)] == ["test.thing.kept"]
    await stream.close()


async def test_a_slow_writer_is_not_lost_behind_a_quick_one(database: Database) -> None:
    """The slow transaction takes its number first and commits last: a cursor by id alone would skip it."""
    stream = EventStream(database.url, beat=0.05)
    await stream.connect()
    written, release = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with database.unit() as uow:
            await emit(uow, "test.thing.slow")
            written.set()
            await release.wait()

    writer = asyncio.create_task(slow())
    await written.wait()
    async with database.unit() as uow:
        await emit(uow, "test.thing.quick")
    reader = asyncio.create_task(collect(stream, 2))
    await asyncio.sleep(0.15)
    release.set()
    await writer
    assert [e.name for e in await reader] == ["test.thing.slow", "test.thing.quick"]
    await stream.close()


async def test_old_events_go_once_every_durable_reader_has_read_them(database: Database) -> None:
    async with database.unit() as uow:
        await uow.session.execute(text("DELETE FROM system.outbox"))
        for name in ("test.thing.read", "test.thing.unread", "test.thing.fresh"):
            await emit(uow, name)
        await uow.session.execute(
            text("UPDATE system.outbox SET at = now() - interval '2 days' WHERE name <> 'test.thing.fresh'")
        )
        await uow.session.execute(
            text(
                "INSERT INTO system.consumer (name, xid, event_id) "
                "SELECT 'reader', xid, id FROM system.outbox WHERE name = 'test.thing.read'"
            )
        )

    async def names() -> list[str]:
        async with database.read() as session:
            return list(await session.scalars(text("SELECT name FROM system.outbox ORDER BY id")))

    async with database.unit() as uow:
        assert await prune(uow, older=86_400) == 1
    assert await names() == ["test.thing.unread", "test.thing.fresh"]
    async with database.unit() as uow:
        await uow.session.execute(text("DELETE FROM system.consumer"))
        assert await prune(uow, older=86_400) == 1
        assert await prune(uow, older=86_400) == 0
    assert await names() == ["test.thing.fresh"]
