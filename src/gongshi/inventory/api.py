"""Routes of the inventory: the form, uploads and their findings, submission and decision, reconciliation."""

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated, Literal, cast
from urllib.parse import quote

from fastapi import File, Form, Query, Response, UploadFile
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.door import Caller, CallerContext, Door, ObjectId, Thing, check_version, etag
from gongshi.access.subjects import region_prefix
from gongshi.inventory import repository, service
from gongshi.inventory.form import HEAD, TABLES
from gongshi.inventory.marked import marked_workbook
from gongshi.inventory.models import Filing, Finding
from gongshi.inventory.ports import SeenChannel, SeenChannels
from gongshi.inventory.readers import detect
from gongshi.inventory.reconciliation import reconcile
from gongshi.inventory.rules import RULES
from gongshi.inventory.rules.form import FORM_RULES
from gongshi.inventory.schemas import (
    AcceptIn,
    FailureOut,
    FieldOut,
    FieldsOut,
    FilingOut,
    FilingPage,
    FindingGroup,
    FindingOut,
    FindingPage,
    ReasonIn,
    ReconciliationOut,
    RowOut,
    RowPage,
    RuleOut,
    SeverityName,
    SheetName,
    SubmitIn,
    TableOut,
    UnitRef,
    VerdictName,
    ZeroReport,
)
from gongshi.inventory.workbook import blank_document, blank_workbook
from gongshi.kit import clock
from gongshi.kit.errors import BadRequest, Conflict, NotFound, TooLarge
from gongshi.kit.i18n import Lang, Text
from gongshi.kit.ids import new_id
from gongshi.kit.paging import MAX_LIMIT, decode_cursor, encode_cursor
from gongshi.registry import repository as registry
from gongshi.registry.models import Organisation
from gongshi.registry.service import organisation_named

door = Door(prefix="/api/v1/inventory", tag="inventory")

MAX_UPLOAD = 64 * 1024 * 1024
_TYPES = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
_ORDER = {"error": 0, "warning": 1, "suspicious": 2, "advice": 3}
_LABELS = {(sheet, field.key): field.label for sheet, table in TABLES.items() for field in table.fields}
_HEAD_LABELS = {field.key: field.label for field in HEAD}

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Cursor = Annotated[str | None, Query(max_length=200)]
UnitQuery = Annotated[str | None, Query(max_length=64)]


@door.get(
    "/form",
    permission="inventory.form.get",
    summary="The empty form",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in _TYPES.values()}, "description": "The form as a file"}},
)
async def form(format: Literal["xlsx", "docx"] = "xlsx") -> Response:
    """As a workbook with lists and notes, or for Word."""
    content = await asyncio.to_thread(blank_workbook if format == "xlsx" else blank_document)
    return _file(content, format, f"inventory-form.{format}", f"公共场所视频监控资源整合接入清单.{format}")


@door.get("/fields", permission="inventory.form.get", summary="Columns and rules of the form", response_model=FieldsOut)
async def fields(caller: Caller) -> FieldsOut:
    lang = caller.lang
    return FieldsOut(
        tables=[
            TableOut(
                sheet=sheet,
                title=table.title.pick(lang),
                notes=[note.pick(lang) for note in table.notes],
                fields=[
                    FieldOut(
                        key=field.key,
                        label=field.label.pick(lang),
                        label_zh=field.label.zh,
                        label_en=field.label.en,
                        help=field.help.pick(lang),
                        clause=field.clause,
                        required=field.required,
                        enum=list(field.choices),
                    )
                    for field in table.fields
                ],
            )
            for sheet, table in TABLES.items()
        ],
        rules=[
            *(
                RuleOut(id=id_, clause=clause, severity=severity, sheet=None, columns=[], title=title.pick(lang))
                for id_, clause, severity, title in FORM_RULES
            ),
            *(
                RuleOut(
                    id=rule.id,
                    clause=rule.clause,
                    severity=rule.severity,
                    sheet=rule.sheet,
                    columns=list(rule.columns),
                    title=rule.title.pick(lang),
                )
                for rule in RULES
            ),
        ],
    )


async def _settled(caller: CallerContext, filing_id: int, working: str) -> FilingOut:
    """The filing once its job is done, or as it stands after a few seconds: small forms are answered whole.

    A page shows progress instead and says so with `Prefer: respond-async` (RFC 7240). The node sets `state.patience`
    (seconds) where a work role runs the jobs.
    """
    patience: float = getattr(caller.state, "patience", 0.0)
    if "respond-async" in caller.request.headers.get("prefer", ""):
        patience = 0.0
    end = time.monotonic() + patience
    while True:
        async with caller.read() as session:
            row = await repository.filing(session, filing_id)
            unit = await session.get(Organisation, row.organisation_id) if row is not None else None
        if row is None or unit is None:
            raise NotFound
        if row.state != working or time.monotonic() >= end:
            return _out(caller, row, unit)
        await asyncio.sleep(0.05)


@door.post(
    "/filings",
    permission="inventory.filing.create",
    summary="Upload a filled form",
    status_code=202,
    idempotent=True,
    max_body=MAX_UPLOAD + 64 * 1024,
    response_model=FilingOut,
)
async def upload(
    caller: Caller,
    file: Annotated[UploadFile, File(description="xlsx, xls, ods, csv or docx")],
    organisation: Annotated[str | None, Form(max_length=64)] = None,
    dry_run: Annotated[bool, Form()] = True,
) -> FilingOut:
    """Checked in the background; a dry run ends as `checked`, anything else as a `draft` that can be submitted."""
    content = await file.read(MAX_UPLOAD + 1)
    if len(content) > MAX_UPLOAD:
        limit = MAX_UPLOAD // 1024 // 1024
        raise TooLarge(
            Text(f"文件超过{limit}MB，请拆分后上传", f"The file is larger than {limit} MB; split it"),
            code="file_too_large",
        )
    name = _safe_name(file.filename)
    await asyncio.to_thread(detect, content, name)
    stored = f"inventory/{new_id()}"
    async with caller.read() as session:
        unit = await _unit(caller, session, organisation, "inventory.filing.create")
    await caller.objects.put(stored, content)
    async with caller.unit() as uow:
        filing = await service.start(
            uow, unit, caller.subject.id, file_name=name, file_object=stored, content=content, dry_run=dry_run
        )
    return await _settled(caller, filing.id, "checking")


@door.post(
    "/filings/zero",
    permission="inventory.filing.create",
    summary="Sign a zero report",
    status_code=201,
    idempotent=True,
    response_model=FilingOut,
)
async def zero(body: ZeroReport, caller: Caller) -> FilingOut:
    """No answer is never read as zero: a unit without cameras says so (G-054)."""
    async with caller.unit() as uow:
        key = None if body.organisation is None else str(body.organisation)
        unit = await _unit(caller, uow.session, key, "inventory.filing.create")
        filing = await service.report_zero(uow, unit, caller.subject.id, body.statement)
        return _out(caller, filing, unit)


@door.get("/filings", permission="inventory.filing.see", summary="Filings", response_model=FilingPage)
async def filings(
    caller: Caller,
    organisation: UnitQuery = None,
    state: Annotated[str | None, Query(max_length=20)] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> FilingPage:
    """Newest first: those of the own unit, and what was submitted to those whose duty it is."""
    subject = caller.subject
    before = int(decode_cursor(cursor, [int])[0]) if cursor else None
    everything = caller.permits("inventory.filing.see", Thing(organisation_id=-1, region_code="000000")).allowed
    inside = caller.permits("inventory.filing.see", Thing(organisation_id=-1, region_code=subject.region_code)).allowed
    area = "" if everything else region_prefix(subject.region_code) if inside else None
    async with caller.read() as session:
        unit = await organisation_named(session, organisation) if organisation else None
        rows = await repository.filings(
            session,
            organisation_id=(unit.id if unit else -1) if organisation else None,
            state=state,
            own=subject.organisation_id if subject.organisation_id is not None else -1,
            area=area,
            before=before,
            limit=limit,
        )
    page = rows[:limit]
    following = encode_cursor(page[-1][0].id) if len(rows) > limit else None
    return FilingPage(items=[_out(caller, row, unit) for row, unit in page], next_cursor=following)


@door.get("/filings/{filing_id}", permission="inventory.filing.see", summary="One filing", response_model=FilingOut)
async def filing(filing_id: ObjectId, caller: Caller, response: Response) -> FilingOut:
    async with caller.read() as session:
        row, unit = await _filing(caller, session, filing_id)
    response.headers["ETag"] = etag(row.version)
    return _out(caller, row, unit)


@door.get(
    "/filings/{filing_id}/rows", permission="inventory.filing.see", summary="Rows as written", response_model=RowPage
)
async def rows(
    filing_id: ObjectId,
    caller: Caller,
    sheet: SheetName | None = None,
    verdict: VerdictName | None = None,
    cursor: Cursor = None,
    limit: Limit = 200,
) -> RowPage:
    after = int(decode_cursor(cursor, [int])[0]) if cursor else 0
    async with caller.read() as session:
        await _filing(caller, session, filing_id)
        found = await repository.rows(session, filing_id, sheet, after, limit, verdict)
    page = found[:limit]
    return RowPage(
        items=[RowOut(sheet=r.sheet, tab=r.tab, row=r.row, raw=r.raw, verdict=r.verdict) for r in page],
        next_cursor=encode_cursor(page[-1].id) if len(found) > limit else None,
    )


@door.get(
    "/filings/{filing_id}/findings",
    permission="inventory.filing.see",
    summary="What the check found",
    response_model=FindingPage,
)
async def findings(
    filing_id: ObjectId,
    caller: Caller,
    severity: SeverityName | Literal[""] | None = None,
    rule: Annotated[str | None, Query(max_length=40)] = None,
    cursor: Cursor = None,
    limit: Limit = 200,
) -> FindingPage:
    """By table, row and column, with rule, reason and remedy in the caller's language; `groups` counts per rule."""
    after = cast("repository.Place", tuple(decode_cursor(cursor, repository.PLACE_TYPES))) if cursor else None
    async with caller.read() as session:
        await _filing(caller, session, filing_id)
        found = await repository.findings(
            session, filing_id, severity=severity or None, rule=rule, after=after, limit=limit
        )
        groups = await repository.groups(session, filing_id)
    page = found[:limit]
    lang = caller.lang
    return FindingPage(
        items=[_finding(each, lang) for each, _ in page],
        groups=sorted(
            (
                FindingGroup(rule=name, severity=grade, count=count, message=zh if lang == "zh" else en)
                for name, grade, count, zh, en in groups
            ),
            key=lambda group: (_ORDER[group.severity], -group.count, group.rule),
        ),
        next_cursor=encode_cursor(*page[-1][1]) if len(found) > limit else None,
    )


@door.get(
    "/filings/{filing_id}/workbook",
    permission="inventory.filing.see",
    summary="The upload with its findings marked",
    response_class=Response,
    responses={
        200: {"content": {_TYPES["xlsx"]: {}}, "description": "A workbook that can be corrected and sent again"}
    },
)
async def workbook(filing_id: ObjectId, caller: Caller) -> Response:
    """Coloured cells with notes, and a sheet that lists every finding."""
    async with caller.read() as session:
        row, _ = await _filing(caller, session, filing_id)
        if row.state in {"checking", "failed", "cancelled"} or row.zero_report:
            raise Conflict(
                Text("校验完成后才能下载", "It can be downloaded once the check is done"), code="not_checked"
            )
        content = await marked_workbook(
            caller.lang,
            row.head,
            repository.all_findings(session, filing_id),
            {sheet: repository.all_rows(session, filing_id, sheet) for sheet in TABLES},
        )
    return _file(content, "xlsx", f"filing-{filing_id}.xlsx", f"校验结果-{filing_id}.xlsx")


@door.post(
    "/filings/{filing_id}/keep",
    permission="inventory.filing.create",
    summary="Keep a dry run as a draft",
    versioned=True,
    response_model=FilingOut,
)
async def keep(filing_id: ObjectId, caller: Caller) -> FilingOut:
    async with caller.unit() as uow:
        row, unit = await _change(caller, uow.session, filing_id, "inventory.filing.create")
        await service.keep(uow, row)
        return _out(caller, row, unit)


@door.post(
    "/filings/{filing_id}/submit",
    permission="inventory.filing.submit",
    summary="Submit to the leading-group office",
    versioned=True,
    response_model=FilingOut,
)
async def submit(filing_id: ObjectId, caller: Caller, body: SubmitIn | None = None) -> FilingOut:
    """409 while errors are open, unless `valid_rows_only` leaves their rows out."""
    async with caller.unit() as uow:
        row, unit = await _change(caller, uow.session, filing_id, "inventory.filing.submit")
        only = body.valid_rows_only if body else False
        await service.submit(uow, row, unit, caller.subject.id, valid_rows_only=only)
        return _out(caller, row, unit)


@door.post(
    "/filings/{filing_id}/cancel",
    permission="inventory.filing.cancel",
    summary="Cancel a check, draft or submission",
    versioned=True,
    response_model=FilingOut,
)
async def cancel(filing_id: ObjectId, caller: Caller) -> FilingOut:
    async with caller.unit() as uow:
        row, unit = await _change(caller, uow.session, filing_id, "inventory.filing.cancel")
        await service.cancel(uow, row, unit)
        return _out(caller, row, unit)


@door.post(
    "/filings/{filing_id}/accept",
    permission="inventory.filing.accept",
    summary="Accept: the rows enter the registry",
    versioned=True,
    response_model=FilingOut,
)
async def accept(filing_id: ObjectId, caller: Caller, body: AcceptIn | None = None) -> FilingOut:
    """409 for a zero report of a unit that has cameras, unless `confirm` says that this was looked into."""
    async with caller.unit() as uow:
        row, unit = await _change(caller, uow.session, filing_id, "inventory.filing.accept")
        given = body or AcceptIn()
        await service.accept(uow, row, unit, caller.subject.id, given.comment, confirmed=given.confirm)
    return await _settled(caller, filing_id, "accepting")


@door.post(
    "/filings/{filing_id}/send-back",
    permission="inventory.filing.accept",
    summary="Send back with a reason",
    versioned=True,
    response_model=FilingOut,
)
async def send_back(filing_id: ObjectId, body: ReasonIn, caller: Caller) -> FilingOut:
    async with caller.unit() as uow:
        row, unit = await _change(caller, uow.session, filing_id, "inventory.filing.accept")
        await service.send_back(uow, row, unit, caller.subject.id, body.reason)
        return _out(caller, row, unit)


@door.post(
    "/findings/{finding_id}/waive",
    permission="inventory.finding.waive",
    summary="Waive a finding with evidence",
    versioned=True,
    response_model=FindingOut,
)
async def waive(finding_id: ObjectId, body: ReasonIn, caller: Caller) -> FindingOut:
    """The row counts as good once no error of it is left (X-12)."""
    async with caller.unit() as uow:
        found = await repository.finding(uow.session, finding_id)
        if found is None:
            raise NotFound
        row, unit = await _change(caller, uow.session, found.filing_id, "inventory.finding.waive")
        await service.waive(uow, row, unit, found, caller.subject.id, body.reason)
        return _finding(found, caller.lang)


@door.get(
    "/reconciliation",
    permission="inventory.reconciliation.see",
    summary="Declared but not seen, seen but not declared",
    response_model=ReconciliationOut,
)
async def reconciliation(caller: Caller, organisation: UnitQuery = None) -> ReconciliationOut:
    """What the unit filed against what its platforms show over GB/T 28181 (C-LIVE)."""
    seen: SeenChannels | None = getattr(caller.state, "seen_channels", None)
    async with caller.read() as session:
        unit = await _unit(caller, session, organisation, "inventory.reconciliation.see")
        channels: Sequence[SeenChannel] = await seen(session, unit.id) if seen else []
        return await reconcile(session, caller.subject, unit, channels)


async def _unit(caller: CallerContext, session: AsyncSession, key: str | None, permission: str) -> Organisation:
    """The organisation that is filed for: the caller's own by default, another one only where it is theirs to do."""
    if key:
        unit = await organisation_named(session, key)
    else:
        own = caller.subject.organisation_id
        unit = await registry.organisation(session, own) if own is not None else None
    if unit is None or not unit.active:
        raise NotFound
    caller.permit(permission, Thing(organisation_id=unit.id, region_code=unit.region_code, level=unit.level))
    return unit


async def _filing(
    caller: CallerContext, session: AsyncSession, filing_id: int, *, lock: bool = False
) -> tuple[Filing, Organisation]:
    row = await repository.filing(session, filing_id, lock=lock)
    unit = await registry.organisation(session, row.organisation_id) if row else None
    if row is None or unit is None or not service.visible_to(caller.subject, row, unit):
        raise NotFound
    return row, unit


async def _change(
    caller: CallerContext, session: AsyncSession, filing_id: int, permission: str
) -> tuple[Filing, Organisation]:
    row, unit = await _filing(caller, session, filing_id, lock=True)
    caller.permit(permission, service.thing_of(row, unit))
    check_version(caller, row.version)
    return row, unit


def _out(caller: CallerContext, row: Filing, unit: Organisation) -> FilingOut:
    lang = caller.lang
    failure = None
    if row.failure:
        failure = FailureOut(
            code=row.failure["code"], title=row.failure["title"][lang], detail=row.failure["detail"][lang]
        )
    caution = service.caution(row)
    return FilingOut(
        id=row.id,
        organisation=UnitRef(id=unit.id, code=unit.code, name=unit.name),
        state=row.state,
        state_label=service.STATES[row.state].pick(lang),
        dry_run=row.dry_run,
        zero_report=row.zero_report,
        file_name=row.file_name,
        head=row.head or {},
        counts=row.counts or {},
        progress=row.progress or 0.0,
        stage=row.stage,
        failure=failure,
        caution=caution.pick(lang) if caution and row.state == "submitted" else None,
        created_at=clock.local(row.created_at) if row.created_at else clock.local(clock.now()),
        submitted_at=clock.local(row.submitted_at) if row.submitted_at else None,
        decided_at=clock.local(row.decided_at) if row.decided_at else None,
        decision_reason=row.decision_reason,
        version=row.version,
        allowed_actions=service.actions(caller.subject, row, unit),
    )


def _finding(each: Finding, lang: Lang) -> FindingOut:
    label = _LABELS.get((each.sheet, each.column)) or _HEAD_LABELS.get(each.column or "")  # pyright: ignore[reportArgumentType] -- columns of head and file have no sheet
    return FindingOut(
        id=each.id,
        sheet=each.sheet,
        tab=each.tab,
        row=each.row,
        column=each.column,
        column_label=label.pick(lang) if label else None,
        rule=each.rule,
        clause=each.clause,
        severity=each.severity,
        value=each.value,
        message=each.message_zh if lang == "zh" else each.message_en,
        remedy=each.remedy_zh if lang == "zh" else each.remedy_en,
        waived=each.waived_at is not None,
        waiver_reason=each.waiver_reason,
    )


def _safe_name(name: str | None) -> str:
    """The name as people know it, without path and control characters."""
    plain = (name or "").replace("\\", "/").rpartition("/")[2]
    plain = "".join(c for c in plain if c.isprintable())[-120:]
    if not plain:
        raise BadRequest(Text("上传的文件没有名称", "The uploaded file has no name"), code="file_name_missing")
    return plain


def _file(content: bytes, kind: str, ascii_name: str, name: str) -> Response:
    disposition = f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name)}"
    return Response(content, media_type=_TYPES[kind], headers={"Content-Disposition": disposition})
