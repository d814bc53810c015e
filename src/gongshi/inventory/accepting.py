"""The background acceptance of a filing: its good rows become platforms and cameras, all or nothing."""

import psycopg
from sqlalchemy.exc import InterfaceError, OperationalError

from gongshi.access import service as access
from gongshi.audit.service import record
from gongshi.db.engine import Database
from gongshi.db.uow import Actor, UnitOfWork
from gongshi.inventory import repository
from gongshi.inventory.checking import announce, internal, told
from gongshi.inventory.models import Filing
from gongshi.inventory.records import AT_CREATION, camera_record, platform_record
from gongshi.inventory.values import squash
from gongshi.kit import clock
from gongshi.kit.errors import Conflict, Problem
from gongshi.kit.i18n import Text
from gongshi.registry import repository as registry
from gongshi.registry import service as registry_service
from gongshi.registry.models import Organisation
from gongshi.registry.service import Outcome

_NAMED = 200
"""Codes that an entry of the log names; the registry's history holds every one."""


async def run(database: Database, filing_id: int, actor: Actor, request_id: str | None) -> None:
    """Accept one filing in one transaction. May run twice: an accepted filing is left alone.

    What stands in the way (a code that another unit registered meanwhile) returns the filing to the office with the
    reason; nothing of it is registered then.
    """
    try:
        await _accept(database, filing_id, actor, request_id)
    except Problem as problem:
        await _return(database, filing_id, problem)
    except (OperationalError, InterfaceError, psycopg.OperationalError):
        # The database went away: the queue tries again.
        raise
    except Exception:
        await _return(database, filing_id, internal())
        raise


async def _accept(database: Database, filing_id: int, actor: Actor, request_id: str | None) -> None:
    async with database.unit(actor, request_id) as uow:
        filing = await repository.filing(uow.session, filing_id, lock=True)
        if filing is None or filing.state != "accepting":
            return
        organisation = await registry.organisation(uow.session, filing.organisation_id)
        assert organisation is not None  # noqa: S101 -- held by a foreign key
        platforms, cameras = await _register(uow, filing, organisation)
        filing.state, filing.progress, filing.stage = "accepted", 1.0, None
        filing.decided_at = clock.now()
        filing.version += 1
        filing.counts = {
            **filing.counts,
            "new": cameras.new,
            "changed": cameras.changed,
            "unchanged": cameras.unchanged,
            "platforms_new": platforms.new,
        }
        access.touch(uow)
        await _log(uow, filing, organisation, cameras)
        await announce(uow, filing)


async def _return(database: Database, filing_id: int, problem: Problem) -> None:
    async with database.unit() as uow:
        filing = await repository.filing(uow.session, filing_id, lock=True)
        if filing is None or filing.state != "accepting":
            return
        filing.state, filing.stage, filing.failure = "submitted", None, told(problem)
        filing.decided_at = filing.decided_by = filing.decision_reason = None
        filing.version += 1
        await announce(uow, filing)


async def _refuse_taken(uow: UnitOfWork, organisation: Organisation, codes: list[str]) -> None:
    """Codes that another unit registered since the check."""
    taken: list[str] = []
    for start in range(0, len(codes), 5_000):
        found = await registry.cameras_by_codes(uow.session, codes[start : start + 5_000])
        taken += [camera.code for camera in found if camera.organisation_id != organisation.id]
    if taken:
        listed, more = "、".join(taken[:5]), len(taken)
        raise Conflict(
            Text(
                f"{more}个编码在校验之后已由其他单位登记（{listed}），请退回更正",
                f"Since the check other units registered {more} of the codes ({listed}); send the filing back",
            ),
            code="codes_taken",
        )


async def _register(uow: UnitOfWork, filing: Filing, organisation: Organisation) -> tuple[Outcome, Outcome]:
    reason = f"填报 {filing.id}"
    declared = await repository.good_values(uow.session, filing.id, "platform")
    # A platform named twice was an error, so that each name stands here once.
    rows = [platform_record(parsed, filing.id) for _, parsed in declared]
    platforms = await registry_service.file_platforms(uow, organisation, rows, source="import", reason=reason)
    known = {
        squash(platform.name): (platform.id, platform.network_type)
        for platform in await registry.platforms(uow.session, organisation.id)
    }
    found = await repository.good_values(uow.session, filing.id, "camera")
    records = [camera_record(parsed, organisation, known, filing.id) for _, parsed in found]
    await _refuse_taken(uow, organisation, [row["code"] for row in records])
    cameras = await registry_service.file_cameras(
        uow, organisation, records, source="import", reason=reason, at_creation=AT_CREATION
    )
    await repository.link_objects(uow.session, filing.id, "platform")
    await repository.link_objects(uow.session, filing.id, "camera")
    return platforms, cameras


async def _log(uow: UnitOfWork, filing: Filing, organisation: Organisation, cameras: Outcome) -> None:
    counts = {"new": cameras.new, "changed": cameras.changed, "unchanged": cameras.unchanged}
    common = {"filing": filing.id, "organisation": organisation.name, "organisation_id": organisation.id}
    await record(
        uow,
        "inventory.filing.accepted",
        object_kind="filing",
        object_id=filing.id,
        detail={**common, **counts, "digest": filing.file_digest, "comment": filing.decision_reason},
    )
    if cameras.new:
        detail = {**common, "count": cameras.new, "codes": list(cameras.created[:_NAMED])}
        await record(uow, "registry.camera.created", object_kind="filing", object_id=filing.id, detail=detail)
    if cameras.changed:
        detail = {**common, "count": cameras.changed}
        await record(uow, "registry.camera.updated", object_kind="filing", object_id=filing.id, detail=detail)
