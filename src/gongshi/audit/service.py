"""Writing the log: one entry, in the same transaction as what it tells of (design.md §8, S-06, G-034)."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, cast
from uuid import UUID

from gongshi.audit import leaves, repository, tree
from gongshi.db.uow import UnitOfWork
from gongshi.kit import clock

_ACTION = re.compile(r"[a-z]+(\.[a-z_]+){1,2}")
_BARRED = re.compile("[\x00\ud800-\udfff]")
"""PostgreSQL text cannot hold these; a hostile name must not be able to prevent its own entry."""
_MAX_NAME = 400


class LogSettings:
    """What the node chose for its log. Set once when a process starts, before the first entry."""

    algorithm: tree.Algorithm = "sha256"


def use_algorithm(name: str) -> None:
    """Choose SHA-256 or SM3 for new leaves; ValueError for anything else. A log keeps the one it began with."""
    LogSettings.algorithm = tree.algorithm_named(name)


def _text(value: str | None, limit: int = _MAX_NAME) -> str | None:
    return None if value is None else _BARRED.sub("\ufffd", value)[:limit]


def _plain(value: Any) -> Any:
    """Reduce a detail to what JSON can say, in one spelling per value."""
    if isinstance(value, str):
        return _BARRED.sub("\ufffd", value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return leaves.moment_text(value)
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value)
        return {_BARRED.sub("\ufffd", str(key)): _plain(item) for key, item in pairs.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = [_plain(item) for item in cast("list[object]", value)]
        return sorted(items, key=str) if isinstance(value, set | frozenset) else items
    if isinstance(value, UUID | Decimal):
        return str(value)
    raise TypeError(f"an entry's detail cannot hold a {type(value).__name__}")


async def record(
    uow: UnitOfWork,
    action: str,
    *,
    object_kind: str | None = None,
    object_id: str | int | UUID | None = None,
    camera_id: int | None = None,
    session_id: str | UUID | None = None,
    grant_id: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write one entry. Who acts comes from the unit of work; the entry stands or falls with its transaction.

    `action` is `room.noun.past`. `detail` should carry the names as they were at this moment (camera name and
    code, grant number, purpose), because the log must stay readable when the rows behind the ids have changed;
    it must never carry a password, token or other secret. Raises ValueError for an ill-formed action and
    TypeError for a detail that JSON cannot hold: both are faults of the calling code.
    """
    if not _ACTION.fullmatch(action):
        raise ValueError(f"not an action name: {action!r}")
    actor = uow.actor
    columns: dict[str, Any] = {
        "id": await repository.next_entry_id(uow.session),
        "at": clock.now(),
        "action": action,
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "actor_name": _text(actor.name) or "",
        "organisation_id": actor.organisation_id,
        "organisation_name": _text(actor.organisation_name) or "",
        "address": _text(actor.address),
        "object_kind": object_kind,
        "object_id": None if object_id is None else _text(str(object_id)),
        "camera_id": camera_id,
        "session_id": None if session_id is None else str(session_id),
        "grant_id": grant_id,
        "request_id": _text(uow.request_id),
        "detail": leaves.canonical_json(_plain(dict(detail or {}))),
    }
    columns["leaf_hash"] = leaves.leaf_hash(columns, LogSettings.algorithm)
    await repository.insert_entry(uow.session, columns)

    async def wake() -> None:
        await repository.wake_sequencer(uow.session)

    uow.before_commit("audit.wake", wake)
