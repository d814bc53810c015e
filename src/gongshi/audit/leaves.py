"""What exactly is hashed for one entry. The writer, the exporter and the verifier share this file and nothing else.

The leaf of an entry is HASH(0x00 || canonical JSON of all its columns but `leaf_hash`). Canonical means: keys in
alphabetical order, no spaces, UTF-8 without escapes for non-ASCII, the moment in UTC with six digits of a second.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gongshi.audit import tree

COLUMNS = (
    "id",
    "at",
    "action",
    "actor_kind",
    "actor_id",
    "actor_name",
    "organisation_id",
    "organisation_name",
    "address",
    "object_kind",
    "object_id",
    "camera_id",
    "session_id",
    "grant_id",
    "request_id",
    "detail",
)
"""Every column of `audit.entry` except `leaf_hash`; a test holds the model to this list."""


def moment_text(moment: datetime) -> str:
    """`2026-11-22T02:31:07.000000Z`: UTC, always six digits, so that one moment has one spelling."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def canonical_json(value: Any) -> str:
    """One spelling per value. ValueError for NaN and infinities, TypeError for what JSON has no word for."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def leaf_bytes(columns: Mapping[str, Any]) -> bytes:
    """The bytes behind the leaf hash; `at` may be a datetime or already text."""
    record = {name: columns[name] for name in COLUMNS}
    if isinstance(record["at"], datetime):
        record["at"] = moment_text(record["at"])
    return canonical_json(record).encode("utf-8", "surrogatepass")


def leaf_hash(columns: Mapping[str, Any], algorithm: tree.Algorithm) -> bytes:
    """The leaf hash of an entry given by its columns."""
    return tree.leaf_hash(leaf_bytes(columns), algorithm)
