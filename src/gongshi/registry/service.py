"""Rules of the registry: how platforms and cameras enter it and change, always with history (G-143, G-055)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.db.uow import UnitOfWork
from gongshi.kit import clock
from gongshi.registry import repository
from gongshi.registry.models import Camera, Organisation, Platform
from gongshi.registry.naming import search_text

_ARRAYS = ("functions", "location_types", "departments", "measures")
_BOOKKEEPING = frozenset({"source", "source_filing_id"})
"""Where a record came from: written with a change, but no change by itself."""
_DEFAULTS: dict[str, Any] = {
    "status": 1,
    "datum": "wgs84",
    "code_edition": "2016",
    "sharing_class": "conditional",
    "sensitive": False,
    "key_position": False,
    "core_area": False,
    "source": "filing",
    "version": 1,
    **{column: [] for column in _ARRAYS},
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a batch of records did."""

    new: int
    changed: int
    unchanged: int
    ids: Mapping[str, int]
    """By code (cameras) or name (platforms)."""
    created: Sequence[str]
    """Keys of the new ones."""


def plain(value: Any) -> Any:
    """A value as the history keeps it."""
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def difference(before: Any, values: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Columns that would change, with old and new value."""
    found: dict[str, tuple[Any, Any]] = {}
    for column, value in values.items():
        if column in _BOOKKEEPING:
            continue
        old = getattr(before, column)
        if plain(old) != plain(value):
            found[column] = (old, value)
    return found


async def file_platforms(
    uow: UnitOfWork, organisation: Organisation, rows: Sequence[Mapping[str, Any]], *, source: str, reason: str | None
) -> Outcome:
    """Create or change platforms of one organisation by name. Columns that a row does not name stay as they are."""
    await repository.lock_organisation(uow.session, organisation.id)
    known = {platform.name: platform for platform in await repository.platforms(uow.session, organisation.id)}
    history: list[dict[str, Any]] = []
    created: list[str] = []
    changed = 0
    for row in rows:
        platform = known.get(row["name"])
        if platform is None:
            values = dict(row) | {"organisation_id": organisation.id}
            platform = await repository.insert_platform(uow.session, values)
            known[platform.name] = platform
            created.append(platform.name)
            history.append(_change("platform", platform.id, "create", None, values))
        elif differing := difference(platform, row):
            _assign(platform, differing)
            changed += 1
            history.append(_changed("platform", platform.id, differing))
    await uow.session.flush()
    await repository.copy_changes(uow, history, source, reason)
    ids = {row["name"]: known[row["name"]].id for row in rows}
    return Outcome(len(created), changed, len(rows) - len(created) - changed, ids, created)


async def file_cameras(
    uow: UnitOfWork,
    organisation: Organisation,
    rows: Sequence[Mapping[str, Any]],
    *,
    source: str,
    reason: str | None,
    at_creation: frozenset[str] = frozenset(),
) -> Outcome:
    """Create or change cameras of one organisation by code; every row names the same columns.

    Columns in `at_creation` are only set for new cameras. Columns not named stay as they are, so that what was decided about a camera survives a new declaration. The code of
    a new camera is frozen at once (G-143). A code of another organisation raises ValueError: the caller has checked.
    Whoever calls this at a door then calls `access.service.touch`.
    """
    await repository.lock_organisation(uow.session, organisation.id)
    codes = [row["code"] for row in rows]
    known: dict[str, Camera] = {}
    for start in range(0, len(codes), 5_000):
        for camera in await repository.cameras_by_codes(uow.session, codes[start : start + 5_000]):
            known[camera.code] = camera
    fresh: list[dict[str, Any]] = []
    updates: list[dict[str, Any]] = []
    history: list[dict[str, Any]] = []
    now = clock.now()
    for number, row in enumerate(rows):
        if number % 500 == 0:
            await asyncio.sleep(0)
        camera = known.get(row["code"])
        if camera is None:
            fresh.append(_DEFAULTS | dict(row) | {"organisation_id": organisation.id, "code_frozen_at": now})
            continue
        if camera.organisation_id != organisation.id:
            message = f"camera {camera.code} belongs to another organisation"
            raise ValueError(message)
        declared = {column: value for column, value in row.items() if column not in at_creation}
        differing = difference(camera, declared)
        if differing:
            values = {column: value for column, value in declared.items() if column != "code"}
            merged = {"name": camera.name, "place_text": camera.place_text, "common_name": camera.common_name} | values
            search = _search(camera.code, merged, organisation)
            updates.append(values | {"id": camera.id, "version": camera.version + 1, "search": search})
            history.append(_changed("camera", camera.id, differing))
    # Pinyin takes longer than all the rest, and the loop is not ours alone.
    await asyncio.to_thread(_add_search, fresh, organisation)
    ids = {code: camera.id for code, camera in known.items()}
    for camera in known.values():
        # The rows are written in bulk below, which objects in the session would not notice.
        uow.session.expunge(camera)
    new_ids = await repository.copy_cameras(uow.session, fresh)
    await repository.update_cameras(uow.session, updates)
    history += (
        _change("camera", new_ids[row["code"]], "create", None, {k: v for k, v in row.items() if k != "search"})
        for row in fresh
    )
    await repository.copy_changes(uow, history, source, reason)
    created = [row["code"] for row in fresh]
    return Outcome(len(fresh), len(updates), len(rows) - len(fresh) - len(updates), {**ids, **new_ids}, created)


def _add_search(rows: Sequence[dict[str, Any]], organisation: Organisation) -> None:
    for row in rows:
        row["search"] = _search(row["code"], row, organisation)


def _search(code: str, values: Mapping[str, Any], organisation: Organisation) -> str:
    return search_text(
        values.get("name"),
        code,
        values.get("place_text"),
        values.get("common_name"),
        organisation.name,
        organisation.short_name,
    )


def _assign(target: Platform, differing: Mapping[str, tuple[Any, Any]]) -> None:
    for column, (_, value) in differing.items():
        setattr(target, column, value)
    target.version += 1


def _change(
    kind: str, object_id: int, operation: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> dict[str, Any]:
    return {
        "object_kind": kind,
        "object_id": object_id,
        "operation": operation,
        "before": None if before is None else {key: plain(value) for key, value in before.items()},
        "after": None if after is None else {key: plain(value) for key, value in after.items() if value is not None},
    }


def _changed(kind: str, object_id: int, differing: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    before = {column: old for column, (old, _) in differing.items()}
    after = {column: plain(new) for column, (_, new) in differing.items()}
    return _change(kind, object_id, "update", before, None) | {"after": after}


async def organisation_named(session: AsyncSession, key: str) -> Organisation | None:
    """An organisation by its number, short code or name, as it comes from a form or a query."""
    if key.isascii() and key.isdigit() and len(key) < 10:
        return await repository.organisation(session, int(key))
    return await repository.organisation(session, key) or await repository.organisation_by_name(session, key)
