"""Routes of the log: read it, verify it, take it away. Reading is itself written to the log (design.md §8)."""

import base64
import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import StreamingResponse

from gongshi.access.door import Caller, CallerContext, Door
from gongshi.audit import export, repository
from gongshi.audit.checkpoints import Witness
from gongshi.audit.checks import AuditPorts, gather, verify_live
from gongshi.audit.leaves import COLUMNS
from gongshi.audit.models import Entry
from gongshi.audit.repository import Filters
from gongshi.audit.schemas import CheckpointList, CheckpointOut, EntryList, EntryOut, FaultOut, VerifyOut
from gongshi.audit.sentences import detail_of, sentence
from gongshi.audit.service import record
from gongshi.kit import clock
from gongshi.kit.errors import Conflict
from gongshi.kit.i18n import Lang, Text
from gongshi.kit.moments import Moment
from gongshi.kit.paging import MAX_LIMIT, decode_cursor, encode_cursor

door = Door(prefix="/api/v1/audit", tag="audit")

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Words = Annotated[str | None, Query(max_length=200)]


def ports(caller: CallerContext) -> AuditPorts:
    """What `node` put into the application's state."""
    return caller.state.audit


def _cursor(cursor: str | None) -> int | None:
    return None if cursor is None else int(decode_cursor(cursor, [int])[0])


def _word(detail: dict[str, Any], key: str) -> str | None:
    value = detail.get(key)
    return value if isinstance(value, str) else None


def _entry_out(entry: Entry, leaf: int | None, lang: Lang) -> EntryOut:
    columns = {name: getattr(entry, name) for name in COLUMNS}
    detail = detail_of(columns)
    return EntryOut(
        id=entry.id,
        at=clock.local(entry.at),
        action=entry.action,
        sentence=sentence(columns).pick(lang),
        actor_kind=entry.actor_kind,
        actor_name=entry.actor_name,
        organisation_id=entry.organisation_id,
        organisation_name=entry.organisation_name,
        address=entry.address,
        object_kind=entry.object_kind,
        object_id=entry.object_id,
        camera=entry.camera_id,
        camera_code=_word(detail, "camera_code"),
        camera_name=_word(detail, "camera_name"),
        session_id=entry.session_id,
        grant=entry.grant_id,
        grant_number=_word(detail, "grant_number"),
        request_id=entry.request_id,
        detail=detail,
        leaf_index=leaf,
        leaf_hash=entry.leaf_hash.hex(),
    )


@door.get("/entries", permission="audit.entry.see", summary="Read the log, newest first 查阅审计日志")
async def entries(
    caller: Caller,
    q: Words = None,
    action: Words = None,
    person: Words = None,
    organisation: Words = None,
    camera: Words = None,
    grant: Words = None,
    session: Words = None,
    since: Annotated[Moment | None, Query(alias="from")] = None,
    until: Annotated[Moment | None, Query(alias="to")] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = 50,
) -> EntryList:
    """One sentence per entry in the caller's language. The reading itself becomes an entry."""
    texts = [
        value.replace("\x00", "") if value else None
        for value in (q, action, person, organisation, camera, grant, session)
    ]
    filters = Filters(*texts, since=since, until=until)
    async with caller.unit() as uow:
        rows = await repository.entries(uow.session, filters, before=_cursor(cursor), limit=limit + 1)
        items = [_entry_out(entry, leaf, caller.lang) for entry, leaf in rows[:limit]]
        await record(uow, "audit.log.read", detail={"shown": len(items), "conditions": filters.words()})
    more = len(rows) > limit
    return EntryList(items=items, next_cursor=encode_cursor(items[-1].id) if more else None)


@door.get("/checkpoints", permission="audit.checkpoint.see", summary="Signed checkpoints, newest first 检查点")
async def checkpoints(
    caller: Caller, cursor: Annotated[str | None, Query(max_length=200)] = None, limit: Limit = 50
) -> CheckpointList:
    async with caller.read() as session:
        rows = await repository.checkpoints(session, before=_cursor(cursor), limit=limit + 1)
    items = [
        CheckpointOut(
            size=row.size,
            at=clock.local(row.at),
            node=row.node_code,
            algorithm=row.algorithm,
            root=row.root.hex(),
            key_id=row.key_id,
            signature=base64.b64encode(row.signature).decode(),
        )
        for row in rows[:limit]
    ]
    return CheckpointList(
        items=items,
        next_cursor=encode_cursor(items[-1].size) if len(rows) > limit else None,
        keys={key_id: base64.b64encode(key).decode() for key_id, key in ports(caller).keys.items()},
    )


@door.post("/verify", permission="audit.log.verify", summary="Recompute the whole log 验证日志")
async def verify(caller: Caller) -> VerifyOut:
    """Asks for a fresh checkpoint, recomputes every hash and root and compares with the copies kept outside."""
    wired = ports(caller)
    if wired.busy.locked():
        raise Conflict(
            Text("另一次验证正在进行，请稍后再试", "Another verification is running; try again when it is done"),
            code="verification_running",
        )
    begun = time.monotonic()
    report, notes = await verify_live(caller.database.url, wired)
    fault = report.fault
    async with caller.unit() as uow:
        result = Text("通过", "passed") if fault is None else fault.text
        await record(
            uow,
            "audit.log.verified",
            detail={
                "ok": report.ok,
                "entries": report.entries,
                "root": report.root,
                "fault": None if fault is None else {"kind": fault.kind, "entry_id": fault.entry_id},
                "result": {"zh": result.zh, "en": result.en},
            },
        )
    return VerifyOut(
        ok=report.ok,
        node=report.node,
        at=clock.local(clock.now()),
        entries=report.entries,
        signed=report.signed,
        checkpoints=report.checkpoints,
        witnesses=report.witnesses,
        root=report.root,
        problem=None
        if fault is None
        else FaultOut(entry_id=fault.entry_id, leaf=fault.leaf, kind=fault.kind, text=fault.text.pick(caller.lang)),
        notes=[note.pick(caller.lang) for note in notes],
        seconds=round(time.monotonic() - begun, 3),
    )


def _lines(url: str, wired: AuditPorts, copies: Sequence[Witness]) -> Iterator[str]:
    for row in export.records(url, node=wired.node_code, keys=wired.keys, witnesses=copies, algorithm=wired.algorithm):
        yield export.line(row)


@door.get(
    "/export",
    permission="audit.log.export",
    summary="The whole log as JSON lines 导出日志",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/jsonl": {"schema": {"type": "string"}}}}},
)
async def export_log(caller: Caller) -> StreamingResponse:
    """What `gongshi audit verify --file` accepts, on any machine and without this node."""
    wired = ports(caller)
    async with caller.unit() as uow:
        await record(uow, "audit.log.exported")
    copies, _ = await gather(wired.keepers)
    name = f"gongshi-audit-{clock.local(clock.now()):%Y%m%d-%H%M%S}.jsonl"
    return StreamingResponse(
        _lines(caller.database.url, wired, copies),
        media_type="application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )
