"""Events reach readers once, in commit order, and only when their cause was committed."""

import asyncio
import contextlib

import pytest

from gongshi.db.engine import Database
from gongshi.db.events import Event, EventStream, emit


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
