"""The verifier: recomputes everything from exported records alone and names the first thing that is wrong.

It trusts nothing in the records but signatures by keys it was given. Per entry it recomputes the leaf hash from
the columns; per checkpoint it recomputes the root. Where a copy of the checkpoint was kept outside, its leaves
(proved by the signed root) tell which entry was changed, removed, put in or moved, and what was cut off at the end.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

from gongshi.audit import export, faults, leaves, tree
from gongshi.audit.checkpoints import Checkpoint, Witness, key_id_of
from gongshi.audit.diagnosis import Found, compare
from gongshi.audit.export import FORMAT
from gongshi.audit.faults import Fault
from gongshi.kit.i18n import Text

GRACE = timedelta(seconds=5)
"""How long a committed entry may stay outside the tree."""

Stage = Literal["start", "leaves", "pending", "end"]


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome. `signed` entries lie under a signed checkpoint; the rest only under their own hashes."""

    ok: bool
    node: str
    entries: int
    signed: int
    checkpoints: int
    witnesses: int
    root: str
    fault: Fault | None
    notes: tuple[Text, ...]


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("not a whole number")
    return value


def _in_words(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) and error.args else str(error)


class _Stop(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.kind)
        self.fault = fault


class Verifier:
    """`Verifier(trusted=keys).run(records)`. Holds one stretch between two checkpoints in memory at a time.

    `trusted` are raw Ed25519 public keys by key id; without them the keys named in the records are used, which
    proves that the log is whole, but not whose it is. `witnesses` are copies kept elsewhere, beside those in the
    records.
    """

    def __init__(self, *, trusted: Mapping[str, bytes] | None = None, witnesses: Iterable[Witness] = ()) -> None:
        self._trusted = trusted
        self._keys: dict[str, bytes] = dict(trusted or {})
        self._outside = sorted(witnesses, key=lambda witness: (witness.checkpoint.size, witness.checkpoint.at))
        self._stage: Stage = "start"
        self._frontier = tree.Frontier()
        """The tree up to the last boundary that was found right."""
        self._algorithm: tree.Algorithm | None = None
        self._open: list[Found] = []
        """What stands after that boundary."""
        self._signed = 0
        self._leaves = self._pending = self._checkpoints = self._witnesses = 0
        self._line = 0
        self._last_leaf = -1
        self._node = ""
        self._exported_at = datetime.max.replace(tzinfo=UTC)
        self._notes: list[Text] = []
        self._witnessed: set[int] = set()
        self._stated: set[int] = set()

    def run(self, records: Iterable[Mapping[str, Any]]) -> Report:
        """Read all records and report. Nothing that a record says, however hostile, makes it raise."""
        fault: Fault | None = None
        following = iter(records)
        try:
            for record in following:
                self._line += 1
                self._feed(record)
            self._finish()
        except _Stop as stop:
            fault = stop.fault
            if fault.kind == "cut_off" and self._goes_on(following, fault.leaf or 0):
                fault = faults.gap(fault)
        except export.BadLine as error:
            fault = faults.bad_file(self._line + 1, str(error))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, binascii.Error) as error:
            fault = faults.bad_file(self._line, _in_words(error))
        return Report(
            ok=fault is None,
            node=self._node,
            entries=self._leaves + self._pending,
            signed=self._signed,
            checkpoints=self._checkpoints,
            witnesses=self._witnesses,
            root=self._whole().root().hex(),
            fault=fault,
            notes=tuple(self._notes),
        )

    def _goes_on(self, following: Iterator[Mapping[str, Any]], leaf: int) -> bool:
        """Whether entries stand behind a missing place; the boundary that shows the hole may come before them."""
        if self._last_leaf > leaf:
            return True
        try:
            return any(record["kind"] == "entry" and _integer(record["leaf"]) > leaf for record in following)
        except (KeyError, TypeError, ValueError):
            return False

    def _whole(self) -> tree.Frontier:
        whole = self._frontier.copy()
        whole.extend(place.computed or place.listed for place in self._open)
        return whole

    # One record at a time

    def _feed(self, record: Mapping[str, Any]) -> None:
        kind = record["kind"]
        if kind == "header" and self._stage == "start":
            self._header(record)
            self._stage = "leaves"
        elif kind == "entry" and self._stage == "leaves":
            self._entry(record)
        elif kind == "checkpoint" and self._stage == "leaves":
            self._checkpoint(record)
        elif kind == "witness" and self._stage == "leaves":
            self._witness(Witness.from_json(record))
        elif kind == "pending" and self._stage in {"leaves", "pending"}:
            self._stage = "pending"
            self._unsequenced(record["entry"])
        elif kind == "end" and self._stage in {"leaves", "pending"}:
            if (record["leaves"], record["pending"], record["checkpoints"]) != (
                self._leaves,
                self._pending,
                self._checkpoints,
            ):
                raise ValueError("counts differ")
            self._stage = "end"
        else:
            raise ValueError("records out of order")

    def _header(self, record: Mapping[str, Any]) -> None:
        if record["format"] != FORMAT:
            raise ValueError("unknown format")
        self._node = str(record["node"])
        self._exported_at = datetime.fromisoformat(record["exported_at"])
        self._algorithm = tree.algorithm_named(record["algorithm"])
        self._frontier = tree.Frontier(self._algorithm)
        if self._trusted is None:
            for key_id, encoded in record["keys"].items():
                key = base64.b64decode(encoded, validate=True)
                if key_id_of(key) != key_id:
                    raise ValueError("a key does not belong to its id")
                self._keys[key_id] = key
            self._notes.append(faults.UNPINNED)

    def _entry(self, record: Mapping[str, Any]) -> None:
        leaf, columns, algorithm = _integer(record["leaf"]), record["entry"], self._algorithm
        entry_id = _integer(record["entry_id"])
        if columns is not None and entry_id != _integer(columns["id"]):
            raise ValueError("the place names another entry")
        assert algorithm is not None  # noqa: S101 -- the header came first, see `_feed`
        self._last_leaf = max(self._last_leaf, leaf)
        while self._outside and self._outside[0].checkpoint.size <= leaf:
            self._witness(self._outside.pop(0))
        self._leaves += 1
        self._open.append(
            Found(
                leaf=leaf,
                entry_id=entry_id,
                computed=None if columns is None else leaves.leaf_hash(columns, algorithm),
                stored=None if record["stored_hash"] is None else bytes.fromhex(record["stored_hash"]),
                listed=bytes.fromhex(record["leaf_hash"]),
                label="" if columns is None else faults.label(columns),
            )
        )

    def _unsequenced(self, columns: Mapping[str, Any]) -> None:
        self._pending += 1
        if self._exported_at - datetime.fromisoformat(columns["at"]) > GRACE:
            raise _Stop(faults.unsequenced(_integer(columns["id"]), faults.label(columns)))

    # Boundaries

    def _signature(self, checkpoint: Checkpoint, *, outside: bool) -> None:
        key = self._keys.get(checkpoint.key_id)
        if key is None:
            raise _Stop(faults.unknown_key(checkpoint))
        if not checkpoint.signed_by(key):
            raise _Stop(faults.bad_signature(checkpoint, outside=outside))
        if checkpoint.algorithm != self._algorithm:
            raise ValueError("another algorithm")

    def _witness(self, witness: Witness) -> None:
        checkpoint, start = witness.checkpoint, self._frontier.size
        self._signature(checkpoint, outside=True)
        self._witnesses += 1
        self._witnessed.add(checkpoint.size)
        if checkpoint.size < start:
            raise ValueError("boundaries out of order")
        if checkpoint.size == start:
            if checkpoint.root != self._frontier.root():
                raise _Stop(faults.rewound(checkpoint))
            return
        # What lies between the last boundary and the first leaf of this copy is taken as found; the signed root
        # then tells whether the whole is right.
        before = [place.computed or place.listed for place in self._open[: max(0, witness.first - start)]]
        expected = [*before, *witness.leaves[max(0, start - witness.first) :]]
        ids = [*(place.entry_id for place in self._open[: len(before)]), *witness.entry_ids[-len(expected) :]]
        proved = self._frontier.copy()
        proved.extend(expected)
        if proved.size == checkpoint.size and proved.root() == checkpoint.root:
            self._judge(checkpoint, expected, ids[: len(expected)])
        self._settle(checkpoint, frontier=None)

    def _checkpoint(self, record: Mapping[str, Any]) -> None:
        checkpoint = Checkpoint.from_json(record)
        while self._outside and self._outside[0].checkpoint.size <= checkpoint.size:
            self._witness(self._outside.pop(0))
        self._checkpoints += 1
        self._stated.add(checkpoint.size)
        self._signature(checkpoint, outside=False)
        if checkpoint.size < self._frontier.size:
            raise ValueError("boundaries out of order")
        if checkpoint.size == self._frontier.size:
            if checkpoint.root != self._frontier.root():
                raise _Stop(faults.bad_checkpoint(checkpoint))
            return
        self._settle(checkpoint, frontier=bytes.fromhex(record["frontier"]))

    def _judge(
        self, checkpoint: Checkpoint, expected: Sequence[bytes] | None = None, entry_ids: Sequence[int] = ()
    ) -> None:
        places = [place for place in self._open if place.leaf < checkpoint.size]
        suspect = compare(places, self._frontier.size, expected, entry_ids)
        if suspect is not None:
            raise _Stop(faults.of_suspect(suspect))

    def _settle(self, checkpoint: Checkpoint, *, frontier: bytes | None) -> None:
        """Take the stretch up to this checkpoint as right, or stop."""
        self._judge(checkpoint)
        start, places = self._frontier.size, [place for place in self._open if place.leaf < checkpoint.size]
        if start + len(places) < checkpoint.size:
            raise _Stop(faults.cut_off(start + len(places), checkpoint))
        grown = self._frontier.copy()
        grown.extend(place.listed for place in places)
        if grown.root() != checkpoint.root:
            low, high = self._narrow(checkpoint, frontier, places)
            raise _Stop(faults.stretch(places[low - start], places[high - 1 - start], checkpoint))
        self._frontier = grown
        self._open = self._open[len(places) :]
        self._signed = grown.size

    def _narrow(self, checkpoint: Checkpoint, packed: bytes | None, places: Sequence[Found]) -> tuple[int, int]:
        """The stretch of leaves in which the difference lies: the first perfect subtree that differs, or all."""
        start, end = self._frontier.size, checkpoint.size
        try:
            stated = tree.Frontier.unpack(end, packed or b"", self._frontier.algorithm)
        except ValueError:
            return start, end
        if stated.root() != checkpoint.root:
            return start, end
        # Walk the perfect subtrees from left to right; those that end before `start` are settled.
        bounds, position = [0], 0
        for bit in range(end.bit_length() - 1, -1, -1):
            if end >> bit & 1:
                position += 1 << bit
                bounds.append(position)
        grown = self._frontier.copy()
        for number, (low, high) in enumerate(pairwise(bounds)):
            if high <= start:
                continue
            grown.extend(place.listed for place in places[grown.size - start : high - start])
            if grown.roots[: number + 1] != stated.roots[: number + 1]:
                return max(low, start), high
        return start, end

    def _finish(self) -> None:
        if self._stage != "end":
            raise _Stop(faults.CUT_FILE)
        while self._outside:
            self._witness(self._outside.pop(0))
        suspect = compare(self._open, self._frontier.size)
        if suspect is not None:
            raise _Stop(faults.of_suspect(suspect))
        missing = sorted(self._witnessed - self._stated)
        if missing:
            raise _Stop(faults.lost_checkpoint(missing[0]))
        if self._open:
            self._notes.append(faults.unsigned(len(self._open)))
        if self._checkpoints and not self._witnessed:
            self._notes.append(faults.UNWITNESSED)
