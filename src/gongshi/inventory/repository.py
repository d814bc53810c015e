"""All SQL of filings. Rows and findings go in by COPY, out by keyset pages."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Text, case, cast, delete, func, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import aggregate_order_by, array
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.inventory.form import TABLES, Sheet
from gongshi.inventory.models import Filing, FilingRow, Finding
from gongshi.inventory.rules import Finding as Found
from gongshi.registry.models import REMOVED, Camera, Organisation
from gongshi.registry.repository import copy_rows

_ROW_COLUMNS = ("filing_id", "sheet", "tab", "row", "raw", "values", "verdict")
_FINDING_COLUMNS = (
    "filing_id",
    "sheet",
    "tab",
    "row",
    "column",
    "rule",
    "clause",
    "severity",
    "value",
    "message_zh",
    "message_en",
    "remedy_zh",
    "remedy_en",
)


async def add(session: AsyncSession, filing: Filing) -> Filing:
    session.add(filing)
    await session.flush()
    return filing


async def filing(session: AsyncSession, filing_id: int, *, lock: bool = False) -> Filing | None:
    query = select(Filing).where(Filing.id == filing_id)
    if lock:
        query = query.with_for_update()
    return (await session.scalars(query)).one_or_none()


async def filings(
    session: AsyncSession,
    *,
    organisation_id: int | None,
    state: str | None,
    own: int | None,
    area: str | None,
    before: int | None,
    limit: int,
) -> Sequence[tuple[Filing, Organisation]]:
    """Newest first. `own` and `area` narrow to one organisation and to a region's organisations; drafts of others hide."""
    query = select(Filing, Organisation).join(Organisation, Organisation.id == Filing.organisation_id)
    ways: list[ColumnElement[bool]] = []
    if own is not None:
        ways.append(Filing.organisation_id == own)
    if area is not None:
        inside = Organisation.region_code.startswith(area, autoescape=True)
        ways.append(inside & Filing.state.in_(("submitted", "accepting", "accepted", "sent_back")))
    if ways:
        query = query.where(or_(*ways))
    if organisation_id is not None:
        query = query.where(Filing.organisation_id == organisation_id)
    if state:
        query = query.where(Filing.state == state)
    if before is not None:
        query = query.where(Filing.id < before)
    rows = await session.execute(query.order_by(Filing.id.desc()).limit(limit + 1))
    return rows.all()


async def count_by_state(
    session: AsyncSession, states: Sequence[str], organisation_id: int | None
) -> Mapping[str, int]:
    query = select(Filing.state, func.count()).where(Filing.state.in_(states)).group_by(Filing.state)
    if organisation_id is not None:
        query = query.where(Filing.organisation_id == organisation_id)
    return dict((await session.execute(query)).all())


async def answered(session: AsyncSession) -> tuple[int, int]:
    """Member units with an accepted filing or zero report, and all member units."""
    filed = select(Filing.organisation_id).where(Filing.state == "accepted")
    members = select(func.count()).select_from(Organisation).where(Organisation.member)
    done = await session.scalar(members.where(Organisation.id.in_(filed)))
    return done or 0, await session.scalar(members) or 0


async def last_was_sent_back(session: AsyncSession, organisation_id: int) -> bool:
    """Whether the unit's newest filing that anybody decided on or still works on was sent back."""
    query = (
        select(Filing.state)
        .where(Filing.organisation_id == organisation_id, Filing.state.not_in(("failed", "cancelled")))
        .order_by(Filing.id.desc())
        .limit(1)
    )
    return await session.scalar(query) == "sent_back"


async def cameras_known(session: AsyncSession, organisation_id: int) -> dict[str, int]:
    """Cameras of a unit that are not removed (`registered`), and those of its list that waits for a decision (`filed`)."""
    registered = select(func.count()).where(Camera.organisation_id == organisation_id, Camera.status != REMOVED)
    filed = (
        select(func.count())
        .select_from(FilingRow)
        .join(Filing, Filing.id == FilingRow.filing_id)
        .where(
            Filing.organisation_id == organisation_id,
            Filing.state.in_(("submitted", "accepting")),
            FilingRow.sheet == "camera",
            FilingRow.verdict.in_(("ok", "warning")),
        )
    )
    return {"registered": await session.scalar(registered) or 0, "filed": await session.scalar(filed) or 0}


async def running(session: AsyncSession, organisation_id: int) -> int:
    """How many of the organisation's filings are being worked on."""
    query = select(func.count()).where(
        Filing.organisation_id == organisation_id, Filing.state.in_(("checking", "accepting"))
    )
    return await session.scalar(query) or 0


async def set_progress(session: AsyncSession, filing_id: int, progress: float, stage: str) -> bool:
    """Write the progress while the check runs; returns whether somebody asked to cancel."""
    query = (
        update(Filing)
        .where(Filing.id == filing_id, Filing.state == "checking")
        .values(progress=progress, stage=stage)
        .returning(Filing.cancel_requested)
    )
    return bool(await session.scalar(query))


async def clear(session: AsyncSession, filing_id: int) -> None:
    """Remove rows and findings, so that a job can start again."""
    await session.execute(delete(Finding).where(Finding.filing_id == filing_id))
    await session.execute(delete(FilingRow).where(FilingRow.filing_id == filing_id))


async def copy_filing_rows(session: AsyncSession, filing_id: int, rows: Iterable[Sequence[Any]]) -> None:
    """`(sheet, tab, row, raw, values, verdict)` per row."""
    await copy_rows(
        session,
        "inventory.filing_row",
        _ROW_COLUMNS,
        (
            (filing_id, sheet, _storable(tab), row, _json(raw), _json(values), verdict)
            for sheet, tab, row, raw, values, verdict in rows
        ),
    )


async def copy_findings(session: AsyncSession, filing_id: int, found: Iterable[Found]) -> None:
    await copy_rows(
        session,
        "inventory.finding",
        _FINDING_COLUMNS,
        (
            (
                filing_id,
                each.sheet,
                _storable(each.tab),
                each.row,
                each.column,
                each.rule,
                each.clause,
                each.severity,
                _storable(each.value),
                _storable(each.message.zh),
                _storable(each.message.en),
                _storable(each.remedy.zh),
                _storable(each.remedy.en),
            )
            for each in found
        ),
    )


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\\u0000", "")


def _storable(text: str | None) -> str | None:
    """PostgreSQL text holds no zero character."""
    return text.replace("\x00", "") if text else text


async def rows(
    session: AsyncSession, filing_id: int, sheet: str | None, after: int, limit: int, verdict: str | None = None
) -> Sequence[FilingRow]:
    query = select(FilingRow).where(FilingRow.filing_id == filing_id, FilingRow.id > after)
    if sheet:
        query = query.where(FilingRow.sheet == sheet)
    if verdict:
        query = query.where(FilingRow.verdict == verdict)
    return (await session.scalars(query.order_by(FilingRow.id).limit(limit + 1))).all()


async def all_rows(session: AsyncSession, filing_id: int, sheet: str) -> AsyncIterator[FilingRow]:
    """Every row of a sheet, streamed."""
    query = (
        select(FilingRow)
        .where(FilingRow.filing_id == filing_id, FilingRow.sheet == sheet)
        .order_by(FilingRow.id)
        .execution_options(yield_per=2_000)
    )
    async for row in await session.stream_scalars(query):
        yield row
        session.expunge(row)


async def good_values(session: AsyncSession, filing_id: int, sheet: str) -> Sequence[tuple[int, dict[str, Any]]]:
    """Row id and parsed values of every row that may enter the registry."""
    query = (
        select(FilingRow.id, FilingRow.values)
        .where(FilingRow.filing_id == filing_id, FilingRow.sheet == sheet, FilingRow.verdict.in_(("ok", "warning")))
        .order_by(FilingRow.id)
    )
    return (await session.execute(query)).all()


_LINKS = {
    "camera": text(
        "UPDATE inventory.filing_row r SET object_id = o.id FROM registry.camera o "
        "WHERE r.filing_id = :filing AND r.sheet = 'camera' AND r.verdict IN ('ok', 'warning') "
        "AND o.code = r.values->>'code'"
    ),
    "platform": text(
        "UPDATE inventory.filing_row r SET object_id = o.id FROM registry.platform o, inventory.filing f "
        "WHERE r.filing_id = :filing AND f.id = r.filing_id AND r.sheet = 'platform' "
        "AND r.verdict IN ('ok', 'warning') AND o.organisation_id = f.organisation_id AND o.name = r.values->>'name'"
    ),
}


async def link_objects(session: AsyncSession, filing_id: int, sheet: str) -> None:
    """Note in each good row what it became."""
    await session.execute(_LINKS[sheet], {"filing": filing_id})


def _column_number(sheet: Sheet) -> ColumnElement[int]:
    return func.array_position(cast(array(TABLES[sheet].keys), ARRAY(Text)), Finding.column)


_PLACE: tuple[Any, ...] = (
    case({"platform": 1, "camera": 2}, value=Finding.sheet, else_=0),
    func.coalesce(Finding.tab, ""),
    func.coalesce(Finding.row, 0),
    func.coalesce(case((Finding.sheet == "platform", _column_number("platform")), else_=_column_number("camera")), 0),
    Finding.id,
)
"""Where a finding stands in the file, as a person reads it: the form itself, table 1, table 2; by row; by column."""
Place = tuple[int, str, int, int, int]
PLACE_TYPES = (int, str, int, int, int)


async def findings(
    session: AsyncSession, filing_id: int, *, severity: str | None, rule: str | None, after: Place | None, limit: int
) -> Sequence[tuple[Finding, Place]]:
    """In the order of the file, each with its place, which is where the next page begins."""
    query = select(Finding, *_PLACE).where(Finding.filing_id == filing_id)
    if severity:
        query = query.where(Finding.severity == severity)
    if rule:
        query = query.where(Finding.rule == rule)
    if after is not None:
        query = query.where(tuple_(*_PLACE) > tuple_(*after))
    rows: Sequence[Any] = (await session.execute(query.order_by(*_PLACE).limit(limit + 1))).all()
    return [(row[0], (row[1], row[2], row[3], row[4], row[5])) for row in rows]


async def all_findings(session: AsyncSession, filing_id: int) -> AsyncIterator[Finding]:
    """Every finding in the order of the file, streamed."""
    query = select(Finding).where(Finding.filing_id == filing_id).order_by(*_PLACE).execution_options(yield_per=2_000)
    async for found in await session.stream_scalars(query):
        yield found
        session.expunge(found)


async def groups(session: AsyncSession, filing_id: int) -> Sequence[tuple[str, str, int, str, str]]:
    """Per rule and severity: how many, and the first one's text in both languages."""
    first_zh = func.array_agg(aggregate_order_by(Finding.message_zh, Finding.id))[1]
    first_en = func.array_agg(aggregate_order_by(Finding.message_en, Finding.id))[1]
    query = (
        select(Finding.rule, Finding.severity, func.count(), first_zh, first_en)
        .where(Finding.filing_id == filing_id)
        .group_by(Finding.rule, Finding.severity)
    )
    return (await session.execute(query)).all()


async def finding(session: AsyncSession, finding_id: int) -> Finding | None:
    return (await session.scalars(select(Finding).where(Finding.id == finding_id).with_for_update())).one_or_none()


async def findings_of_row(session: AsyncSession, found: Finding) -> Sequence[Finding]:
    """All findings about the same row."""
    query = select(Finding).where(
        Finding.filing_id == found.filing_id,
        Finding.sheet == found.sheet,
        Finding.tab.is_not_distinct_from(found.tab),
        Finding.row == found.row,
    )
    return (await session.scalars(query)).all()


async def set_verdict(session: AsyncSession, found: Finding, verdict: str) -> bool:
    """Give the finding's row a new verdict; returns whether it changed."""
    query = (
        update(FilingRow)
        .where(
            FilingRow.filing_id == found.filing_id,
            FilingRow.sheet == found.sheet,
            FilingRow.tab.is_not_distinct_from(found.tab),
            FilingRow.row == found.row,
            FilingRow.verdict != verdict,
        )
        .returning(FilingRow.id)
    ).values(verdict=verdict)
    return (await session.scalars(query)).first() is not None


async def open_errors(session: AsyncSession, filing_id: int, *, of_form: bool = False) -> int:
    """Errors without a waiver; `of_form`: only those that belong to no row."""
    query = select(func.count()).where(
        Finding.filing_id == filing_id, Finding.severity == "error", Finding.waived_at.is_(None)
    )
    if of_form:
        query = query.where(Finding.row.is_(None))
    return await session.scalar(query) or 0


async def bad_rows(session: AsyncSession, filing_id: int) -> int:
    query = select(func.count()).where(FilingRow.filing_id == filing_id, FilingRow.verdict == "error")
    return await session.scalar(query) or 0
