"""What the verifier says: one fault, with the entry's number, in both languages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from gongshi.audit.checkpoints import Checkpoint
from gongshi.audit.diagnosis import Found, Suspect
from gongshi.kit import clock
from gongshi.kit.i18n import Text

FaultKind = Literal[
    "changed",
    "removed",
    "inserted",
    "reordered",
    "cut_off",
    "unsequenced",
    "bad_checkpoint",
    "lost_checkpoint",
    "bad_signature",
    "unknown_key",
    "rewound",
    "bad_file",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing wrong: what kind, which entry (its id and place in the tree, where known), and in words."""

    kind: FaultKind
    text: Text
    entry_id: int | None = None
    leaf: int | None = None


UNPINNED = Text(
    "未指定可信公钥：仅证明日志自身完整，不证明出自哪个节点",
    "No trusted key was given: this shows that the log is whole, not whose it is",
)
UNWITNESSED = Text(
    "没有库外检查点可供比对：末尾被整段截去将无法发现",
    "No checkpoint kept outside was at hand: a tail cut off together with its checkpoints would not be noticed",
)
CUT_FILE = Fault(
    "bad_file", Text("导出文件不完整，缺少结尾，请重新导出", "The export has no end line; export it again")
)


def label(columns: Mapping[str, Any]) -> str:
    """`2026-11-22 10:31:07 市应急局 值班员 media.session.opened`, as far as the columns tell."""
    moment = clock.local(datetime.fromisoformat(str(columns["at"]))).strftime("%Y-%m-%d %H:%M:%S")
    words = (moment, columns.get("organisation_name"), columns.get("actor_name"), columns.get("action"))
    return " ".join(str(word) for word in words if word)


def _entry(suspect: Suspect) -> Text:
    if suspect.entry_id is None:
        return Text(f"序号 {suspect.leaf} 的记录", f"the entry at place {suspect.leaf}")
    about = f"，{suspect.label}" if suspect.label else ""
    about_en = f", {suspect.label}" if suspect.label else ""
    return Text(
        f"第 {suspect.entry_id} 号记录（序号 {suspect.leaf}{about}）",
        f"entry {suspect.entry_id} (place {suspect.leaf}{about_en})",
    )


_SUSPECTS = {
    "changed": Text("{0}被改动：内容与写入时的哈希不符", "{0} was changed: its content does not give the hash it had"),
    "removed": Text("{0}被删除", "{0} was removed"),
    "inserted": Text("{0}是事后插入的", "{0} was put in afterwards"),
    "reordered": Text("{0}被调换了次序", "{0} was moved out of its order"),
    "cut_off": Text("{0}及其后的记录被截去", "{0} and what followed were cut off"),
}


def of_suspect(suspect: Suspect) -> Fault:
    entry, words = _entry(suspect), _SUSPECTS[suspect.kind]
    english = words.en.format(entry.en)
    return Fault(
        suspect.kind,
        Text(words.zh.format(entry.zh), english[0].upper() + english[1:]),
        suspect.entry_id,
        suspect.leaf,
    )


def stretch(first: Found, last: Found, checkpoint: Checkpoint) -> Fault:
    """The root is wrong, and nothing kept outside says which entry of the stretch it is."""
    return Fault(
        "changed",
        Text(
            f"第 {first.entry_id} 号至第 {last.entry_id} 号记录之间有改动（哈希也被一并改写）："
            f"与 {checkpoint.at} 签名的检查点（{checkpoint.size} 条）不符",
            f"Something between entry {first.entry_id} and entry {last.entry_id} was changed, hashes included: it does "
            f"not fit the checkpoint signed at {checkpoint.at} ({checkpoint.size} entries)",
        ),
        first.entry_id,
        first.leaf,
    )


def cut_off(leaf: int, checkpoint: Checkpoint) -> Fault:
    return Fault(
        "cut_off",
        Text(
            f"日志只剩 {leaf} 条，而 {checkpoint.at} 签名的检查点有 {checkpoint.size} 条：序号 {leaf} 起被截去",
            f"The log has {leaf} entries, but the checkpoint signed at {checkpoint.at} had {checkpoint.size}: "
            f"everything from place {leaf} on was cut off",
        ),
        None,
        leaf,
    )


def unsequenced(entry_id: int, about: str) -> Fault:
    return Fault(
        "unsequenced",
        Text(
            f"第 {entry_id} 号记录（{about}）超过 5 秒仍未编入日志树：定序器停止，或该记录系绕过系统写入",
            f"Entry {entry_id} ({about}) is older than 5 seconds and not in the tree: the sequencer stands still, or "
            "the entry was written past the system",
        ),
        entry_id,
    )


def bad_checkpoint(checkpoint: Checkpoint) -> Fault:
    return Fault(
        "bad_checkpoint",
        Text(
            f"库内 {checkpoint.size} 条处的检查点被替换：根哈希与记录不符",
            f"The database's checkpoint at {checkpoint.size} entries was replaced: its root does not fit the entries",
        ),
        None,
        checkpoint.size - 1,
    )


def lost_checkpoint(size: int) -> Fault:
    return Fault(
        "lost_checkpoint",
        Text(
            f"库内缺少 {size} 条处的检查点，而库外留有其签名副本：已被删除",
            f"The database lacks the checkpoint at {size} entries that is kept outside: it was removed",
        ),
        None,
        size - 1,
    )


def bad_signature(checkpoint: Checkpoint, *, outside: bool) -> Fault:
    place = Text("库外", "outside") if outside else Text("库内", "database")
    return Fault(
        "bad_signature",
        Text(
            f"{place.zh} {checkpoint.size} 条处的检查点签名不成立：内容被改动",
            f"The signature of the {place.en} checkpoint at {checkpoint.size} entries does not hold: it was altered",
        ),
        None,
        checkpoint.size - 1,
    )


def unknown_key(checkpoint: Checkpoint) -> Fault:
    return Fault(
        "unknown_key",
        Text(
            f"{checkpoint.size} 条处的检查点由不可信的密钥 {checkpoint.key_id} 签名",
            f"The checkpoint at {checkpoint.size} entries is signed by key {checkpoint.key_id}, which is not trusted",
        ),
        None,
        checkpoint.size - 1,
    )


def rewound(checkpoint: Checkpoint) -> Fault:
    return Fault(
        "rewound",
        Text(
            f"{checkpoint.size} 条处存在两个不同的签名检查点：数据库曾被回退后重写",
            f"Two different checkpoints are signed at {checkpoint.size} entries: the database was rewound and rewritten",
        ),
        None,
        checkpoint.size - 1,
    )


def bad_file(line: int, what: str) -> Fault:
    """`line` counts from 1; a record is a line of the export."""
    return Fault(
        "bad_file",
        Text(
            f"导出内容第 {line} 行不合格式，请重新导出后再验证",
            f"Line {line} of the export is not well formed ({what}); export it again and verify that",
        ),
    )


def gap(fault: Fault) -> Fault:
    """What looked cut off is a hole: later entries stand there."""
    return of_suspect(Suspect("removed", fault.leaf or 0, fault.entry_id))


def unsigned(count: int) -> Text:
    return Text(
        f"最后 {count} 条尚未签入检查点，仅以各自哈希核对",
        f"The last {count} entries are not under a checkpoint yet and were checked by their own hashes only",
    )
