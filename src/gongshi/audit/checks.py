"""Verifying a running node's log: ask for a fresh checkpoint, gather what is kept outside, recompute everything."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psycopg

from gongshi.audit import export, tree
from gongshi.audit.checkpoints import Keeper, Witness, witnesses
from gongshi.audit.repository import WAKE_CHANNEL
from gongshi.audit.verifier import Report, Verifier
from gongshi.db.engine import plain_url
from gongshi.kit.i18n import Text


@dataclass(frozen=True, slots=True)
class AuditPorts:
    """What the log needs of its node; `node` puts one into the application's state as `audit`."""

    node_code: str
    keys: Mapping[str, bytes]
    """Raw Ed25519 public keys that may sign checkpoints, by key id."""
    keepers: Sequence[Keeper]
    """Where checkpoints are kept outside the database; the object store first."""
    algorithm: tree.Algorithm = "sha256"
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One verification at a time per process: it reads the whole log."""


_STATE = """
SELECT coalesce((SELECT max(index) FROM audit.leaf), -1) + 1, coalesce((SELECT max(size) FROM audit.checkpoint), 0),
       EXISTS (SELECT 1 FROM audit.entry e WHERE NOT EXISTS (SELECT 1 FROM audit.leaf l WHERE l.entry_id = e.id))
"""


async def fresh_checkpoint(database_url: str, *, patience: float = 4.0) -> bool:
    """Ask the sequencer to sign what is there; False when it did not within `patience` seconds."""
    end = time.monotonic() + patience
    connection = await psycopg.AsyncConnection.connect(plain_url(database_url), autocommit=True, connect_timeout=5)
    async with connection:
        while time.monotonic() < end:
            row = await (await connection.execute(_STATE)).fetchone()
            if row is not None and row[0] == row[1] and not row[2]:
                return True
            await connection.execute("SELECT pg_notify(%s, 'checkpoint')", [WAKE_CHANNEL])
            await asyncio.sleep(0.15)
    return False


async def gather(keepers: Sequence[Keeper]) -> tuple[list[Witness], list[str]]:
    """What all keepers hold, one copy of each statement, and the names of what could not be read."""
    found: dict[tuple[int, bytes], Witness] = {}
    unreadable: list[str] = []
    for keeper in keepers:
        copies, bad = await witnesses(keeper)
        unreadable.extend(bad)
        for copy in copies:
            found.setdefault((copy.checkpoint.size, copy.checkpoint.root), copy)
    return sorted(found.values(), key=lambda copy: (copy.checkpoint.size, copy.checkpoint.at)), unreadable


def _verify(database_url: str, ports: AuditPorts, copies: Sequence[Witness], keys: Mapping[str, bytes]) -> Report:
    records = export.records(database_url, node=ports.node_code, keys=keys, witnesses=copies, algorithm=ports.algorithm)
    return Verifier(trusted=keys).run(records)


async def verify_live(database_url: str, ports: AuditPorts) -> tuple[Report, tuple[Text, ...]]:
    """Verify the whole log as it stands now; the report and what should be said beside it.

    An entry may be committed a moment before the sequencer sees it, so "not in the tree" is looked at twice.
    psycopg.Error when the database does not answer.
    """
    notes: list[Text] = []
    async with ports.busy:
        if not await fresh_checkpoint(database_url):
            notes.append(
                Text(
                    "定序器没有及时签出新的检查点，最近的记录仅以各自哈希核对",
                    "The sequencer signed no new checkpoint in time; the latest entries were checked by their own "
                    "hashes only",
                )
            )
        copies, unreadable = await gather(ports.keepers)
        notes.extend(
            Text(f"库外检查点 {name} 无法读取", f"The outside checkpoint {name} cannot be read")
            for name in unreadable[:10]
        )
        report = await asyncio.to_thread(_verify, database_url, ports, copies, ports.keys)
        if report.fault is not None and report.fault.kind in {"unsequenced", "lost_checkpoint"}:
            await asyncio.sleep(1.5)
            copies, _ = await gather(ports.keepers)
            report = await asyncio.to_thread(_verify, database_url, ports, copies, ports.keys)
    return report, (*report.notes, *notes)
