"""The whole log as JSON lines, enough for anyone to verify it without this node (design.md §8, S-06).

A `header` line; then `entry` lines in the order of the tree, and where a checkpoint was signed the copy kept outside
(`witness`, if known) followed by the database's own (`checkpoint`); then entries not yet in the tree (`pending`); and
an `end` line with the counts, so that a file cut short is recognised. Reading happens in one snapshot, on a connection of its own, without holding
the log in memory.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from gongshi.audit import tree
from gongshi.audit.checkpoints import Checkpoint, Witness
from gongshi.audit.leaves import COLUMNS, canonical_json, moment_text
from gongshi.db.engine import plain_url
from gongshi.kit import clock

FORMAT = "gongshi-audit/1"

Row = dict[str, Any]
_COLUMNS = ", ".join(f"e.{name}" for name in COLUMNS)
_SEQUENCED = f"""
SELECT l.index AS leaf, l.entry_id, l.leaf_hash, e.leaf_hash AS stored_hash, {_COLUMNS}
FROM audit.leaf l LEFT JOIN audit.entry e ON e.id = l.entry_id ORDER BY l.index
"""  # noqa: S608 -- column names are our own constants
_PENDING = f"""
SELECT e.leaf_hash AS stored_hash, {_COLUMNS} FROM audit.entry e
WHERE NOT EXISTS (SELECT 1 FROM audit.leaf l WHERE l.entry_id = e.id) ORDER BY e.id
"""  # noqa: S608 -- as above
_CHECKPOINTS = (
    "SELECT size, at, node_code, algorithm, root, frontier, key_id, signature FROM audit.checkpoint ORDER BY size"
)


def _columns(row: Mapping[str, Any]) -> Row:
    columns = {name: row[name] for name in COLUMNS}
    columns["at"] = moment_text(columns["at"])
    return columns


def _checkpoint(row: Mapping[str, Any]) -> Row:
    checkpoint = Checkpoint(
        row["size"],
        bytes(row["root"]),
        moment_text(row["at"]),
        row["node_code"],
        row["algorithm"],
        row["key_id"],
        bytes(row["signature"]),
    )
    return {"kind": "checkpoint", "frontier": bytes(row["frontier"]).hex(), **checkpoint.as_json()}


def records(
    database_url: str,
    *,
    node: str,
    keys: Mapping[str, bytes],
    witnesses: Sequence[Witness] = (),
    algorithm: tree.Algorithm = "sha256",
) -> Iterator[Row]:
    """The lines as dictionaries. `keys` are the node's public keys by id. psycopg.Error when the database fails."""
    with (
        psycopg.Connection[Row].connect(plain_url(database_url), row_factory=dict_row, connect_timeout=5) as connection,
        connection.transaction(),
    ):
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        checkpoints = [_checkpoint(row) for row in connection.execute(_CHECKPOINTS)]
        yield {
            "kind": "header",
            "format": FORMAT,
            "node": node,
            "algorithm": algorithm,
            "exported_at": moment_text(clock.now()),
            "keys": {key_id: base64.b64encode(key).decode() for key_id, key in keys.items()},
        }
        boundaries = sorted(
            [(record["size"], 1, record) for record in checkpoints]
            + [(copy.checkpoint.size, 0, {"kind": "witness", **copy.as_json()}) for copy in witnesses],
            key=lambda boundary: boundary[:2],
        )
        leaves = passed = 0
        with connection.cursor(name="audit_leaves") as cursor:
            cursor.itersize = 2000
            for row in cursor.execute(_SEQUENCED):
                while passed < len(boundaries) and boundaries[passed][0] <= row["leaf"]:
                    yield boundaries[passed][2]
                    passed += 1
                yield {
                    "kind": "entry",
                    "leaf": row["leaf"],
                    "entry_id": row["entry_id"],
                    "leaf_hash": bytes(row["leaf_hash"]).hex(),
                    "stored_hash": None if row["id"] is None else bytes(row["stored_hash"]).hex(),
                    "entry": None if row["id"] is None else _columns(row),
                }
                leaves += 1
        for boundary in boundaries[passed:]:
            yield boundary[2]
        pending = 0
        for row in connection.execute(_PENDING):
            yield {"kind": "pending", "stored_hash": bytes(row["stored_hash"]).hex(), "entry": _columns(row)}
            pending += 1
        yield {"kind": "end", "leaves": leaves, "pending": pending, "checkpoints": len(checkpoints)}


def line(record: Row) -> str:
    """A record as text: one JSON object and a newline."""
    return canonical_json(record) + "\n"


class BadLine(ValueError):
    """A line that is not a JSON object."""


def parse_line(content: bytes) -> Row:
    """One line read back; BadLine when it is not a JSON object."""
    try:
        value: Any = json.loads(content.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise BadLine("not JSON") from error
    if not isinstance(value, dict):
        raise BadLine("not a JSON object")
    return value  # pyright: ignore[reportUnknownVariableType] -- JSON objects have string keys


def read(lines: Iterable[bytes]) -> Iterator[Row]:
    """An export's records. A file cut short ends within a line; what is left of that line is no record."""
    for content in lines:
        try:
            yield parse_line(content)
        except BadLine:
            if not content.endswith(b"\n"):
                return
            raise
