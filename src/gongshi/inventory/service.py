"""Rules of filings: which state follows which, and who may move it (G-053 to G-055, G-094).

checking → checked (dry run) → draft → submitted → accepting → accepted, or sent_back; cancelled and failed end a filing
early. What was accepted never changes; a correction is a new filing.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from gongshi.access.permissions import Thing, permit
from gongshi.access.subjects import Subject
from gongshi.audit.service import record
from gongshi.db import jobs
from gongshi.db.uow import UnitOfWork
from gongshi.inventory import repository
from gongshi.inventory.checking import announce
from gongshi.inventory.models import Filing, Finding
from gongshi.kit import clock
from gongshi.kit.errors import BadRequest, Conflict, NotFound, TooManyRequests
from gongshi.kit.i18n import Text
from gongshi.registry.models import Organisation

STATES: dict[str, Text] = {
    "checking": Text("校验中", "being checked"),
    "checked": Text("已试校验", "dry run done"),
    "draft": Text("待提交", "draft"),
    "submitted": Text("已提交", "submitted"),
    "accepting": Text("入库中", "being accepted"),
    "accepted": Text("已受理", "accepted"),
    "sent_back": Text("已退回", "sent back"),
    "cancelled": Text("已取消", "cancelled"),
    "failed": Text("无法读取", "failed"),
}
_RUNNING = 3
"""Checks of one organisation at a time: the queue belongs to everybody."""
_NEVER = ("C-SHAPE", "C-UNIQ", "G-083")
_NEVER_KINDS = (".missing", ".number", ".format", ".choice")
"""Findings without which no record can be made: evidence cannot replace the value."""
_CANCELLABLE = frozenset({"checking", "checked", "draft", "submitted"})


def thing_of(filing: Filing, organisation: Organisation) -> Thing:
    """A filing as the permission rules see it."""
    return Thing(
        organisation_id=organisation.id,
        region_code=organisation.region_code,
        # The city's office accepts what counties file as well (G-094), so that the filing is the city's business.
        level="city",
        created_by=filing.submitted_by or filing.created_by,
    )


def visible_to(subject: Subject, filing: Filing, organisation: Organisation) -> bool:
    """Work in progress is seen by its own unit only; what was submitted also by those whose duty it is."""
    if not permit(subject, "inventory.filing.see", thing_of(filing, organisation)).allowed:
        return False
    if organisation.id == subject.organisation_id:
        return True
    return filing.submitted_at is not None


def actions(subject: Subject, filing: Filing, organisation: Organisation) -> list[str]:
    """What the subject may do with the filing as it stands."""
    thing = thing_of(filing, organisation)

    def may(permission: str) -> bool:
        return permit(subject, permission, thing).allowed

    found: list[str] = []
    if filing.state in _CANCELLABLE and not filing.cancel_requested and may("inventory.filing.cancel"):
        found.append("cancel")
    if filing.state == "checked" and may("inventory.filing.create"):
        found.append("keep")
    if filing.state == "draft" and may("inventory.filing.submit"):
        found.append("submit")
    if filing.state == "submitted" and may("inventory.filing.accept"):
        found += ["accept", "send_back"]
        if may("inventory.finding.waive"):
            found.append("waive")
    return found


async def start(
    uow: UnitOfWork,
    organisation: Organisation,
    account_id: int,
    *,
    file_name: str,
    file_object: str,
    content: bytes,
    dry_run: bool,
) -> Filing:
    """Take an upload (already in the object store) and queue its check."""
    if await repository.running(uow.session, organisation.id) >= _RUNNING:
        raise TooManyRequests(
            Text("本单位已有文件正在校验，请稍后再传", "Files of your unit are still being checked; try again shortly"),
            code="too_many_checks",
        )
    filing = Filing(
        organisation_id=organisation.id,
        state="checking",
        dry_run=dry_run,
        file_name=file_name,
        file_object=file_object,
        file_digest=hashlib.sha256(content).hexdigest(),
        stage="reading",
        created_by=account_id,
    )
    await repository.add(uow.session, filing)
    filing.job_id = await jobs.defer(uow, "inventory.check", filing_id=filing.id)
    await _log(uow, "inventory.filing.uploaded", filing, organisation, {"file": file_name, "dry_run": dry_run})
    await announce(uow, filing)
    return filing


async def report_zero(uow: UnitOfWork, organisation: Organisation, account_id: int, statement: str) -> Filing:
    """A signed statement that the unit has nothing to report (G-054); submitted at once.

    It is taken even when the unit has cameras, for it may have been rid of them; `caution` then says so.
    """
    now = clock.now()
    filing = Filing(
        organisation_id=organisation.id,
        state="submitted",
        zero_report=True,
        head={"statement": statement[:500]},
        counts=await repository.cameras_known(uow.session, organisation.id),
        progress=1.0,
        created_by=account_id,
        submitted_at=now,
        submitted_by=account_id,
    )
    await repository.add(uow.session, filing)
    await _log(
        uow,
        "inventory.filing.submitted",
        filing,
        organisation,
        {"zero_report": True, "statement": statement[:500], **filing.counts},
    )
    await announce(uow, filing)
    return filing


def caution(filing: Filing) -> Text | None:
    """What speaks against a zero report: cameras in the registry, or in a list that waits for its decision."""
    if not filing.zero_report:
        return None
    registered, filed = (int(filing.counts.get(name, 0)) for name in ("registered", "filed"))
    zh, en = list[str](), list[str]()
    if registered:
        zh.append(f"登记库中有 {registered} 台在册摄像机")
        en.append(f"{registered} cameras in the registry")
    if filed:
        zh.append(f"已提交的清单中有 {filed} 台")
        en.append(f"{filed} in a list that was submitted")
    if not zh:
        return None
    return Text(
        f"零报告与现有数据不符：该单位{'，'.join(zh)}",
        f"The zero report contradicts what is known: the unit has {' and '.join(en)}",
    )


async def keep(uow: UnitOfWork, filing: Filing) -> None:
    """A dry run becomes a draft that can be submitted."""
    _require(filing, "checked")
    filing.state, filing.dry_run = "draft", False
    await _changed(uow, filing)


async def submit(
    uow: UnitOfWork, filing: Filing, organisation: Organisation, account_id: int, *, valid_rows_only: bool
) -> None:
    """Hand the filing to the leading-group office. Errors block it unless their rows are expressly left out."""
    _require(filing, "draft")
    errors = await repository.open_errors(uow.session, filing.id)
    of_form = await repository.open_errors(uow.session, filing.id, of_form=True)
    if of_form:
        raise Conflict(
            Text(
                f"表头或表格本身有{of_form}个错误，不能靠略去某些行解决。请更正后重新上传",
                f"{of_form} errors are about the form itself, so leaving rows out does not help. Correct it and upload again",
            ),
            code="form_errors_open",
        )
    if errors and not valid_rows_only:
        raise Conflict(
            Text(
                f"还有{errors}个错误。请更正后重新上传，或选择只提交合格的行",
                f"{errors} errors are open. Correct them and upload again, or submit the good rows only",
            ),
            code="errors_open",
        )
    if not filing.counts.get("rows_ok"):
        raise Conflict(
            Text(
                "没有可登记的行。确无资源的请使用零报告",
                "There is no row to register; if you have nothing, sign a zero report",
            ),
            code="nothing_to_submit",
        )
    filing.state = "submitted"
    filing.submitted_at, filing.submitted_by = clock.now(), account_id
    filing.counts = {**filing.counts, "valid_rows_only": bool(errors)}
    await _log(
        uow,
        "inventory.filing.submitted",
        filing,
        organisation,
        {"rows": filing.counts.get("rows_ok"), "left_out": filing.counts.get("rows_bad"), "digest": filing.file_digest},
    )
    await _changed(uow, filing)


async def cancel(uow: UnitOfWork, filing: Filing, organisation: Organisation) -> None:
    """End a filing that nobody has decided on. A running check hears of it within a second."""
    if filing.state not in _CANCELLABLE:
        raise _wrong_state(filing)
    filing.cancel_requested = True
    if filing.state != "checking":
        filing.state = "cancelled"
    await _log(uow, "inventory.filing.cancelled", filing, organisation, {})
    await _changed(uow, filing)


async def accept(
    uow: UnitOfWork,
    filing: Filing,
    organisation: Organisation,
    account_id: int,
    comment: str,
    *,
    confirmed: bool = False,
) -> None:
    """Decide that the filing is accepted; its rows enter the registry by a job.

    A zero report of a unit that has cameras needs `confirmed` (G-054): Conflict with their number otherwise.
    """
    _require(filing, "submitted")
    if filing.zero_report:
        filing.counts = await repository.cameras_known(uow.session, organisation.id)
        against = caution(filing)
        if against is not None and not confirmed:
            raise Conflict(
                Text(
                    f"{against.zh}。请核实后退回，或带 confirm: true 确认受理",
                    f"{against.en}. Send it back, or accept it with confirm: true once you have made sure",
                ),
                code="cameras_exist",
            )
    filing.decided_by, filing.decided_at = account_id, clock.now()
    filing.decision_reason = comment.strip()[:1_000] or None
    filing.failure = None
    if filing.zero_report:
        filing.state = "accepted"
        await _log(uow, "inventory.filing.accepted", filing, organisation, {"zero_report": True, **filing.counts})
    else:
        filing.state, filing.progress, filing.stage = "accepting", 0.0, "registering"
        actor = uow.actor
        filing.job_id = await jobs.defer(
            uow,
            "inventory.accept",
            filing_id=filing.id,
            actor={
                "kind": actor.kind,
                "id": actor.id,
                "name": actor.name,
                "organisation_id": actor.organisation_id,
                "organisation_name": actor.organisation_name,
                "address": actor.address,
            },
            request_id=uow.request_id,
        )
    await _changed(uow, filing)


async def send_back(uow: UnitOfWork, filing: Filing, organisation: Organisation, account_id: int, reason: str) -> None:
    """Return the filing with a reason; the unit files again."""
    _require(filing, "submitted")
    if not reason.strip():
        raise BadRequest(Text("请填写退回理由", "Say why it is sent back"), code="reason_missing")
    filing.state = "sent_back"
    filing.decided_by, filing.decided_at = account_id, clock.now()
    filing.decision_reason = reason.strip()[:1_000]
    await _log(uow, "inventory.filing.sent_back", filing, organisation, {"reason": filing.decision_reason})
    await _changed(uow, filing)


async def waive(
    uow: UnitOfWork, filing: Filing, organisation: Organisation, found: Finding, account_id: int, reason: str
) -> None:
    """Let a finding stand with a reason (X-12: a surveyed coordinate whose sixth decimal is 0)."""
    _require(filing, "submitted")
    if found.waived_at is not None:
        raise Conflict(Text("该问题已豁免", "This finding is already waived"), code="already_waived")
    if not reason.strip():
        raise BadRequest(Text("请填写豁免依据", "Give the evidence for the waiver"), code="reason_missing")
    if found.row is None or found.rule.startswith(_NEVER) or found.rule.endswith(_NEVER_KINDS):
        raise Conflict(
            Text("此类问题不能豁免，请退回更正", "This kind of finding cannot be waived; send the filing back"),
            code="not_waivable",
        )
    found.waived_at, found.waived_by, found.waiver_reason = clock.now(), account_id, reason.strip()[:500]
    await uow.session.flush()
    rest = [each for each in await repository.findings_of_row(uow.session, found) if each.waived_at is None]
    verdict = "error" if any(each.severity == "error" for each in rest) else "warning"
    if await repository.set_verdict(uow.session, found, verdict) and verdict != "error":
        counts: dict[str, Any] = dict(filing.counts)
        counts["rows_ok"], counts["rows_bad"] = counts.get("rows_ok", 0) + 1, max(0, counts.get("rows_bad", 0) - 1)
        filing.counts = counts
    detail = {"rule": found.rule, "row": found.row, "value": found.value, "reason": found.waiver_reason}
    await _log(uow, "inventory.finding.waived", filing, organisation, detail)
    await _changed(uow, filing)


def _require(filing: Filing, state: str) -> None:
    if filing.state != state:
        raise _wrong_state(filing)


def _wrong_state(filing: Filing) -> Conflict:
    state = STATES[filing.state]
    return Conflict(
        Text(f"填报当前为“{state.zh}”，不能进行此操作", f"The filing is {state.en}; this cannot be done now"),
        code="wrong_state",
    )


async def _changed(uow: UnitOfWork, filing: Filing) -> None:
    filing.version += 1
    await announce(uow, filing)


async def _log(
    uow: UnitOfWork, action: str, filing: Filing, organisation: Organisation, detail: Mapping[str, Any]
) -> None:
    common = {"filing": filing.id, "organisation": organisation.name, "organisation_id": organisation.id}
    await record(uow, action, object_kind="filing", object_id=filing.id, detail={**common, **detail})


def not_yours() -> NotFound:
    """The same answer for what does not exist and for what is another unit's."""
    return NotFound()
