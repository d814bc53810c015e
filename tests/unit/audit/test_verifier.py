"""Whatever is done to the log, the verifier finds it and names the first entry; an honest log passes."""

import base64
import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gongshi.audit import export, faults, tree
from gongshi.audit.checkpoints import Signer, Witness
from gongshi.audit.leaves import COLUMNS, leaf_hash, moment_text
from gongshi.audit.models import Entry
from gongshi.audit.verifier import Verifier

SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), "34150000002000000001")
OTHER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))), "34150000002000000001")
START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
KEYS = {SIGNER.key_id: SIGNER.public_key}


def columns(number):
    return {
        **dict.fromkeys(COLUMNS),
        "id": 100 + number,
        "at": moment_text(START + timedelta(seconds=number)),
        "action": "media.session.opened",
        "actor_kind": "person",
        "actor_id": 7,
        "actor_name": "值班员",
        "organisation_name": "市应急局",
        "detail": json.dumps({"n": number}),
    }


class Log:
    """A log as the database would show it, with ways to tamper with it."""

    def __init__(self, size=20, boundaries=(8, 13, 20), signer=SIGNER, algorithm: tree.Algorithm = "sha256"):
        self.algorithm: tree.Algorithm = algorithm
        self.places = []
        for number in range(size):
            entry = columns(number)
            digest = leaf_hash(entry, algorithm)
            self.places.append({"leaf": number, "entry_id": entry["id"], "list": digest, "own": digest, "entry": entry})
        self.checkpoints, self.copies, self.frontiers = [], [], {}
        last = 0
        for boundary in boundaries:
            frontier = tree.Frontier(algorithm)
            frontier.extend(place["list"] for place in self.places[:boundary])
            signed = signer.sign(boundary, frontier.root(), START + timedelta(seconds=boundary), algorithm)
            self.checkpoints.append(signed)
            self.frontiers[boundary] = frontier.pack()
            stretch = self.places[last:boundary]
            self.copies.append(
                Witness(signed, last, tuple(p["list"] for p in stretch), tuple(p["entry_id"] for p in stretch))
            )
            last = boundary
        self.pending = []
        self.inline_copies = []

    def rehash(self, place):
        place["own"] = place["list"] = leaf_hash(place["entry"], self.algorithm)

    def renumber(self):
        for number, place in enumerate(self.places):
            place["leaf"] = number

    def records(self):
        yield {
            "kind": "header",
            "format": "gongshi-audit/1",
            "node": "34150000002000000001",
            "algorithm": self.algorithm,
            "exported_at": moment_text(START + timedelta(minutes=5)),
            "keys": {k: base64.b64encode(v).decode() for k, v in KEYS.items()},
        }
        boundaries = sorted(
            [(c.size, 1, self._checkpoint(c)) for c in self.checkpoints]
            + [(w.checkpoint.size, 0, {"kind": "witness", **w.as_json()}) for w in self.inline_copies],
            key=lambda b: b[:2],
        )
        for place in self.places:
            while boundaries and boundaries[0][0] <= place["leaf"]:
                yield boundaries.pop(0)[2]
            gone = place["entry"] is None
            yield {
                "kind": "entry",
                "leaf": place["leaf"],
                "entry_id": place["entry_id"],
                "leaf_hash": place["list"].hex(),
                "stored_hash": None if gone else place["own"].hex(),
                "entry": place["entry"],
            }
        for boundary in boundaries:
            yield boundary[2]
        for entry in self.pending:
            yield {"kind": "pending", "stored_hash": "00" * 32, "entry": entry}
        yield {
            "kind": "end",
            "leaves": len(self.places),
            "pending": len(self.pending),
            "checkpoints": len(self.checkpoints),
        }

    def _checkpoint(self, signed):
        return {"kind": "checkpoint", "frontier": self.frontiers[signed.size].hex(), **signed.as_json()}

    def verify(self, copies=True, trusted=KEYS):
        return Verifier(trusted=trusted, witnesses=self.copies if copies else ()).run(self.records())

    def fault(self, copies=True, trusted=KEYS) -> Any:
        return self.verify(copies, trusted).fault


def test_every_column_of_an_entry_is_hashed():
    assert set(COLUMNS) == {column.name for column in Entry.__table__.columns} - {"leaf_hash"}


@pytest.mark.parametrize("algorithm", tree.ALGORITHMS)
@pytest.mark.parametrize("copies", [True, False])
def test_an_honest_log_passes(copies, algorithm):
    report = Log(23, algorithm=algorithm).verify(copies)
    assert report.ok, report.fault
    assert (report.entries, report.signed, report.checkpoints) == (23, 20, 3)
    assert any("3" in note.zh for note in report.notes)


def test_an_honest_log_passes_with_the_copies_inside_the_file():
    log = Log()
    log.inline_copies = log.copies
    report = log.verify(copies=False)
    assert report.ok, report.fault
    assert report.witnesses == 3


@pytest.mark.parametrize("copies", [True, False])
@pytest.mark.parametrize("where", [0, 7, 8, 12, 19, 22])
def test_an_edited_entry_is_named(where, copies):
    log = Log(23)
    log.places[where]["entry"]["actor_name"] = "他人"
    fault = log.fault(copies)
    assert (fault.kind, fault.entry_id, fault.leaf) == ("changed", 100 + where, where)
    assert str(100 + where) in fault.text.zh
    assert str(100 + where) in fault.text.en


@pytest.mark.parametrize("where", [0, 9, 19])
def test_an_entry_edited_with_all_its_hashes_is_named_by_the_copy_outside(where):
    log = Log()
    log.places[where]["entry"]["detail"] = "{}"
    log.rehash(log.places[where])
    fault = log.fault()
    assert (fault.kind, fault.entry_id, fault.leaf) == ("changed", 100 + where, where)


@pytest.mark.parametrize("where", [2, 9, 18])
def test_an_entry_edited_with_all_its_hashes_is_narrowed_down_without_a_copy(where):
    log = Log()
    log.places[where]["entry"]["detail"] = "{}"
    log.rehash(log.places[where])
    fault = log.fault(copies=False)
    assert fault.kind == "changed"
    assert fault.entry_id <= 100 + where
    assert "检查点" in fault.text.zh


@pytest.mark.parametrize("copies", [True, False])
def test_a_removed_entry_is_named_when_its_place_stays(copies):
    log = Log()
    log.places[9]["entry"] = None
    fault = log.fault(copies)
    assert (fault.kind, fault.entry_id, fault.leaf) == ("removed", 109, 9)


def test_a_removed_entry_and_place_leave_a_gap():
    log = Log()
    del log.places[9]
    assert (log.fault().kind, log.fault().leaf, log.fault().entry_id) == ("removed", 9, 109)
    fault = log.fault(copies=False)
    assert (fault.kind, fault.leaf) == ("removed", 9)


@pytest.mark.parametrize("place", [0, 7, 12, 18])
@pytest.mark.parametrize("copies", [True, False])
@pytest.mark.parametrize("inline", [True, False])
def test_a_hole_is_never_called_a_cut_off_tail(place, copies, inline):
    """Also where the hole stands just before a boundary, which is read before what follows."""
    log = Log()
    if inline:
        log.inline_copies = log.copies
    del log.places[place]
    fault = log.fault(copies)
    assert (fault.kind, fault.leaf) == ("removed", place)
    assert "截去" not in fault.text.zh
    if copies or inline:
        assert fault.entry_id == 100 + place


def test_a_removed_entry_is_named_when_the_others_move_up():
    log = Log()
    del log.places[9]
    log.renumber()
    fault = log.fault()
    assert (fault.kind, fault.entry_id, fault.leaf) == ("removed", 109, 9)
    assert not log.verify(copies=False).ok


def test_an_inserted_entry_is_named():
    log = Log()
    forged = copy.deepcopy(log.places[9])
    forged["entry_id"] = forged["entry"]["id"] = 999
    log.rehash(forged)
    log.places.insert(10, forged)
    log.renumber()
    fault = log.fault()
    assert (fault.kind, fault.entry_id, fault.leaf) == ("inserted", 999, 10)
    assert not log.verify(copies=False).ok


def test_two_entries_that_changed_places_are_named():
    log = Log()
    a, b = log.places[10], log.places[11]
    for key in ("entry_id", "list", "own", "entry"):
        a[key], b[key] = b[key], a[key]
    fault = log.fault()
    assert (fault.kind, fault.leaf) == ("reordered", 10)
    assert not log.verify(copies=False).ok


@pytest.mark.parametrize("copies", [True, False])
def test_entries_swapped_under_their_places_are_named(copies):
    log = Log()
    a, b = log.places[10], log.places[11]
    for key in ("entry_id", "own", "entry"):
        a[key], b[key] = b[key], a[key]
    fault = log.fault(copies)
    assert (fault.kind, fault.leaf) == ("reordered", 10)


@pytest.mark.parametrize("keep", [0, 5, 8, 14, 19])
def test_a_tail_cut_off_with_its_checkpoints_is_found_by_the_copy_outside(keep):
    log = Log()
    del log.places[keep:]
    log.checkpoints = [c for c in log.checkpoints if c.size <= keep]
    fault = log.fault()
    assert (fault.kind, fault.leaf, fault.entry_id) == ("cut_off", keep, 100 + keep)


def test_a_tail_cut_off_but_for_its_checkpoint_is_found_without_a_copy():
    log = Log()
    del log.places[15:]
    fault = log.fault(copies=False)
    assert (fault.kind, fault.leaf) == ("cut_off", 15)


def test_a_log_rewritten_after_a_rollback_is_found():
    log, rewritten = Log(), Log()
    for place in rewritten.places[14:]:
        place["entry"]["actor_name"] = "他人"
        rewritten.rehash(place)
    frontier = tree.Frontier()
    frontier.extend(place["list"] for place in rewritten.places)
    signed = SIGNER.sign(20, frontier.root(), START + timedelta(hours=1), "sha256")
    rewritten.checkpoints[-1] = signed
    rewritten.frontiers[20] = frontier.pack()
    fault = rewritten.fault()
    assert (fault.kind, fault.entry_id) == ("changed", 114)
    both = [*rewritten.copies, Witness(signed, 13, tuple(p["list"] for p in rewritten.places[13:]), ())]
    fault: Any = Verifier(trusted=KEYS, witnesses=both).run(rewritten.records()).fault
    assert fault is not None
    del log.copies[-1]
    second = SIGNER.sign(13, tree.empty_root(), START + timedelta(hours=1), "sha256")
    fault: Any = Verifier(trusted=KEYS, witnesses=[*log.copies, Witness(second, 13, (), ())]).run(log.records()).fault
    assert fault.kind == "rewound"


def test_a_replaced_checkpoint_is_named():
    log = Log()
    log.checkpoints[1] = SIGNER.sign(13, b"\1" * 32, START, "sha256")
    assert (log.fault().kind, log.fault().leaf) == ("bad_checkpoint", 12)
    assert not log.verify(copies=False).ok


def test_a_removed_checkpoint_is_named():
    log = Log()
    del log.checkpoints[1]
    assert log.fault().kind == "lost_checkpoint"
    assert log.verify(copies=False).ok


def test_an_altered_checkpoint_has_no_signature():
    log = Log()
    signed = log.checkpoints[1]
    log.checkpoints[1] = type(signed)(
        13, signed.root, moment_text(START), signed.node, "sha256", signed.key_id, signed.signature
    )
    assert log.fault().kind == "bad_signature"


def test_a_checkpoint_of_a_foreign_key_is_refused():
    log = Log(signer=OTHER)
    assert log.fault().kind == "unknown_key"


def test_without_a_trusted_key_the_report_says_so():
    report = Log().verify(trusted=None)
    assert report.ok
    assert any("公钥" in note.zh for note in report.notes)


def test_an_entry_that_waits_too_long_fails():
    log = Log()
    log.pending = [columns(50)]
    assert (log.fault().kind, log.fault().entry_id) == ("unsequenced", 150)
    log.pending[0]["at"] = moment_text(START + timedelta(minutes=4, seconds=58))
    assert log.verify().ok


def test_a_file_cut_short_is_refused():
    records = list(Log().records())
    for end in range(len(records)):
        fault: Any = Verifier(trusted=KEYS).run(records[:end]).fault
        assert fault.kind == "bad_file"


def test_a_file_cut_within_a_line_is_cut_short_and_a_spoilt_line_is_named():
    lines = [export.line(record).encode() for record in Log().records()]
    whole = b"".join(lines)
    for end in range(1, len(whole) - 1, 97):
        fault: Any = Verifier(trusted=KEYS).run(export.read(whole[:end].splitlines(keepends=True))).fault
        assert fault == faults.CUT_FILE
    lines[6] = b"{nonsense\n"
    fault = Verifier(trusted=KEYS).run(export.read(lines)).fault
    assert fault.kind == "bad_file"
    assert "第 7 行" in fault.text.zh
    assert not set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") & set(fault.text.zh)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_any_alteration_of_any_record_reports_and_never_raises(data):
    """Invariant: any records give a report; a report of a log with an altered field is never `ok` by accident."""
    records = [json.loads(json.dumps(record)) for record in Log(12, (5, 12)).records()]
    victim = data.draw(st.sampled_from([r for r in records if r["kind"] != "header"]))
    key = data.draw(st.sampled_from(sorted(victim)))
    value = data.draw(JSON)
    before = victim[key]
    victim[key] = value
    report = Verifier(trusted=KEYS, witnesses=Log(12, (5, 12)).copies).run(records)
    if report.ok:
        same = before == value or key == "frontier"
        assert same, (victim, before)
