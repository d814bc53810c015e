"""The background check of an uploaded filing: read, check, write rows and findings, with progress and cancelling.

Reading and rules run in a thread; a watcher on the loop writes the progress twice a second and hears of a cancel. Rows
and findings are written in chunks, so that memory does not grow with the number of findings. The job may run twice: it
begins by removing what an earlier run left.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.db.engine import Database
from gongshi.db.events import emit
from gongshi.db.objects import Objects
from gongshi.db.uow import UnitOfWork
from gongshi.inventory import repository
from gongshi.inventory.check import Checked, check
from gongshi.inventory.form import NETWORK_TYPES, Sheet
from gongshi.inventory.models import Filing
from gongshi.inventory.readers import Stop, open_file
from gongshi.inventory.recognise import Form, recognise
from gongshi.inventory.records import AT_CREATION, camera_record, values
from gongshi.inventory.rules import Context, Finding, Registered
from gongshi.inventory.values import Divisions, squash
from gongshi.kit import clock
from gongshi.kit.errors import Problem
from gongshi.kit.i18n import Text
from gongshi.registry import repository as registry
from gongshi.registry import service as registry_service
from gongshi.registry.city import city
from gongshi.registry.models import Camera, Organisation

log = structlog.get_logger(__name__)

_CHUNK = 5_000
_BEAT = 0.5
_SHEETS: tuple[Sheet, ...] = ("platform", "camera")
_NETWORK_LABELS = {code: label for label, code in NETWORK_TYPES.items()}


class Progress:
    """Shared by the loop and the working thread: plain assignments, no lock needed."""

    def __init__(self) -> None:
        self.stage = "reading"
        self.part = 0.0
        self.cancelled = False

    def tick(self) -> None:
        if self.cancelled:
            raise Stop

    def advance(self, part: float) -> None:
        self.part = part
        self.tick()

    @property
    def fraction(self) -> float:
        """Reading is 0 to 0.4, checking to 0.7, writing to 1."""
        start, share = {"reading": (0.0, 0.4), "checking": (0.4, 0.3), "writing": (0.7, 0.3)}[self.stage]
        return round(start + share * self.part, 3)


async def announce(uow: UnitOfWork, filing: Filing) -> None:
    """Tell open pages how the filing stands."""
    await emit(
        uow,
        "inventory.filing.progressed",
        id=filing.id,
        organisation_id=filing.organisation_id,
        state=filing.state,
        progress=filing.progress,
        stage=filing.stage,
    )


async def run(database: Database, objects: Objects, filing_id: int) -> None:
    """Check one filing. Whatever happens to it is written into it; only faults of the node itself are raised."""
    async with database.unit() as uow:
        filing = await repository.filing(uow.session, filing_id)
        if filing is None or filing.state != "checking":
            return
        await repository.clear(uow.session, filing_id)
        name, stored = filing.file_name or "", filing.file_object or ""
    progress = Progress()
    try:
        content = await objects.get(stored)
        async with _watched(database, filing_id, progress):
            form = await asyncio.to_thread(_read, content, name, progress)
            del content
            await _check(database, filing_id, form, progress)
    except Stop:
        await _end(database, filing_id, "cancelled", None)
    except Problem as problem:
        await _end(database, filing_id, "failed", problem)
    except FileNotFoundError:
        gone = Text("上传的文件已不在存储中，请重新上传", "The uploaded file is no longer stored; upload it again")
        await _end(database, filing_id, "failed", Problem(gone, code="file_gone"))
    except (SQLAlchemyError, psycopg.Error):
        # The database, not the file: the queue tries again.
        raise
    except Exception:
        await _end(database, filing_id, "failed", internal())
        raise


def internal() -> Problem:
    """A fault of ours: the file may be fine, and the log of the node says more."""
    return Problem(
        Text("处理时发生内部错误，请联系管理员", "An internal error stopped the work; ask the administrator"),
        code="internal",
    )


def told(problem: Problem) -> dict[str, Any]:
    """A problem as a filing keeps it, in both languages."""
    return {
        "code": problem.code,
        "title": {"zh": problem.title.zh, "en": problem.title.en},
        "detail": {"zh": problem.detail.zh, "en": problem.detail.en},
    }


def _read(content: bytes, name: str, progress: Progress) -> Form:
    kind, grids = open_file(content, name)
    return recognise(kind, grids, progress.tick)


async def _check(database: Database, filing_id: int, form: Form, progress: Progress) -> None:
    async with database.read() as session:
        filing = await repository.filing(session, filing_id)
        assert filing is not None  # noqa: S101 -- read at the start of this job, and filings are never deleted
        organisation = await registry.organisation(session, filing.organisation_id)
        assert organisation is not None  # noqa: S101 -- held by a foreign key
        context = await context_for(session, organisation, form)
    progress.stage, progress.part = "checking", 0.0
    checked = Checked()
    steps = check(form, context, checked, progress.advance)
    while (chunk := await asyncio.to_thread(_next, steps)) is not None:
        progress.tick()
        async with database.unit() as uow:
            await repository.copy_findings(uow.session, filing_id, chunk)
    progress.stage, progress.part = "writing", 0.0
    counts = await _write_rows(database, filing_id, form, context, checked, progress)
    counts |= await _preview(database, organisation, context, checked)
    async with database.unit() as uow:
        filing = await repository.filing(uow.session, filing_id, lock=True)
        assert filing is not None  # noqa: S101 -- as above
        progress.cancelled = progress.cancelled or filing.cancel_requested
        progress.tick()
        filing.state = "checked" if filing.dry_run else "draft"
        filing.head = form.head
        filing.file_format = form.format
        filing.counts = counts
        filing.progress, filing.stage = 1.0, None
        filing.version += 1
        await announce(uow, filing)


def _next(steps: Iterator[list[Finding]]) -> list[Finding] | None:
    return next(steps, None)


async def context_for(session: Any, organisation: Organisation, form: Form) -> Context:
    """What the rules must know of the city, the unit and the registry."""
    data = city()
    codes = {row.cells["code"].strip() for row in form.rows["camera"] if "code" in row.cells}
    units = {unit.id: unit.name for unit in await registry.organisations(session)}
    known: dict[str, Registered] = {}
    ordered = sorted(code for code in codes if len(code) == 20)
    for start in range(0, len(ordered), _CHUNK):
        for camera in await registry.cameras_by_codes(session, ordered[start : start + _CHUNK]):
            known[camera.code] = _registered(camera, units)
            session.expunge(camera)
    own: list[Registered] = []
    for camera in await registry.cameras_of(session, organisation.id):
        own.append(_registered(camera, units))
        session.expunge(camera)
    names = {organisation.name, organisation.short_name, data.name + organisation.name.removeprefix("市")}
    return Context(
        today=clock.local(clock.now()).date(),
        organisation_id=organisation.id,
        organisation_names=frozenset(names | {data.short_name + organisation.name}),
        industries=frozenset(organisation.industries) or None,
        divisions=Divisions(
            data.code,
            data.name,
            data.county_names(),
            {old.name: old.code for old in data.retired if old.name != "市辖区"},
        ),
        retired_hints={old.code: old.hint for old in data.retired},
        box=data.box,
        local_industries=data.local_industries,
        registered_platforms={
            platform.name: _NETWORK_LABELS.get(platform.network_type or "")
            for platform in await registry.platforms(session, organisation.id)
        },
        registered=known,
        own=tuple(own),
    )


def _registered(camera: Camera, units: dict[int, str]) -> Registered:
    return Registered(
        camera.code,
        camera.name,
        camera.organisation_id,
        units.get(camera.organisation_id, ""),
        camera.longitude,
        camera.latitude,
    )


async def _write_rows(
    database: Database, filing_id: int, form: Form, context: Context, checked: Checked, progress: Progress
) -> dict[str, int]:
    total = max(1, sum(len(rows) for rows in form.rows.values()))
    done = good = bad = 0
    for sheet in _SHEETS:
        parsed = values(sheet, context.frames[sheet])
        ordinal = 0
        batch: list[Sequence[Any]] = []
        for row in form.rows[sheet]:
            if row.skipped:
                batch.append((sheet, row.tab, row.number, row.cells, {}, "skipped"))
            else:
                verdict = checked.verdict(sheet, ordinal)
                batch.append((sheet, row.tab, row.number, row.cells, next(parsed), verdict))
                good, bad = (good, bad + 1) if verdict == "error" else (good + 1, bad)
                ordinal += 1
            if len(batch) >= _CHUNK:
                done += await _flush(database, filing_id, batch)
                progress.advance(done / total)
        done += await _flush(database, filing_id, batch)
    found = checked.severities
    return {
        "platforms": len(form.data("platform")),
        "cameras": len(form.data("camera")),
        "errors": found["error"],
        "warnings": found["warning"],
        "suspicious": found["suspicious"],
        "advices": found["advice"],
        "rows_ok": good,
        "rows_bad": bad,
        "skipped": done - good - bad,
    }


async def _flush(database: Database, filing_id: int, batch: list[Sequence[Any]]) -> int:
    async with database.unit() as uow:
        await repository.copy_filing_rows(uow.session, filing_id, batch)
    count = len(batch)
    batch.clear()
    return count


async def _preview(
    database: Database, organisation: Organisation, context: Context, checked: Checked
) -> dict[str, int]:
    """What accepting would do: how many cameras are new, changed, or stand there already as declared."""
    new = changed = unchanged = 0
    async with database.read() as session:
        platforms = {
            squash(platform.name): (platform.id, platform.network_type)
            for platform in await registry.platforms(session, organisation.id)
        }
        mine = [code for code, camera in context.registered.items() if camera.organisation_id == organisation.id]
        known: dict[str, Camera] = {}
        for start in range(0, len(mine), _CHUNK):
            found = await registry.cameras_by_codes(session, mine[start : start + _CHUNK])
            known.update((camera.code, camera) for camera in found)
        for ordinal, parsed in enumerate(values("camera", context.frames["camera"])):
            if ordinal % 500 == 0:
                await asyncio.sleep(0)
            if checked.verdict("camera", ordinal) == "error" or not parsed["code"]:
                continue
            camera = known.get(parsed["code"])
            if camera is None:
                new += 1
                continue
            record = camera_record(parsed, organisation, platforms, None)
            declared = {column: value for column, value in record.items() if column not in AT_CREATION}
            if registry_service.difference(camera, declared):
                changed += 1
            else:
                unchanged += 1
    return {"new": new, "changed": changed, "unchanged": unchanged}


@asynccontextmanager
async def _watched(database: Database, filing_id: int, progress: Progress) -> AsyncGenerator[None]:
    task = asyncio.create_task(_watch(database, filing_id, progress), name=f"filing-{filing_id}-progress")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _watch(database: Database, filing_id: int, progress: Progress) -> None:
    said = (-1.0, "")
    while True:
        try:
            now = (progress.fraction, progress.stage)
            async with database.unit() as uow:
                if await repository.set_progress(uow.session, filing_id, *now):
                    progress.cancelled = True
                if now != said:
                    filing = await repository.filing(uow.session, filing_id)
                    if filing is not None:
                        await announce(uow, filing)
                    said = now
        except Exception:  # noqa: BLE001 -- progress is a courtesy: a hiccup of the database must not end the check
            log.warning("inventory.progress_failed", filing_id=filing_id)
        await asyncio.sleep(_BEAT)


async def _end(database: Database, filing_id: int, state: str, problem: Problem | None) -> None:
    async with database.unit() as uow:
        await repository.clear(uow.session, filing_id)
        filing = await repository.filing(uow.session, filing_id, lock=True)
        if filing is None:
            return
        filing.state, filing.stage = state, None
        filing.version += 1
        if problem is not None:
            filing.failure = told(problem)
        await announce(uow, filing)
