"""What `gongshi audit` does; the verbs themselves stand in the node's command line."""

import base64
import errno
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gongshi.audit import export
from gongshi.audit.checkpoints import DirectoryKeeper, key_id_of
from gongshi.audit.checks import AuditPorts, gather, verify_live
from gongshi.audit.verifier import Report, Verifier
from gongshi.kit.errors import FieldError, Invalid
from gongshi.kit.i18n import Lang, Text


async def verify(database_url: str, ports: AuditPorts) -> tuple[Report, tuple[Text, ...]]:
    """`gongshi audit verify`: the running node's log against its keys and every copy kept outside."""
    return await verify_live(database_url, ports)


def _records(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open("rb") as lines:
        yield from export.read(lines)


async def verify_file(
    path: Path, *, keys: Mapping[str, bytes] | None = None, witnesses: Path | None = None
) -> tuple[Report, tuple[Text, ...]]:
    """`gongshi audit verify --file F [--key K] [--witness DIR]`: an export alone, on any machine. OSError if unread."""
    if witnesses is not None and not witnesses.is_dir():
        # A directory that is not there would count as one without copies.
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(witnesses))
    copies, unreadable = await gather([DirectoryKeeper(witnesses)] if witnesses is not None else [])
    report = Verifier(trusted=keys, witnesses=copies).run(_records(path))
    notes = tuple(
        Text(f"检查点文件 {name} 无法读取", f"The checkpoint file {name} cannot be read") for name in unreadable
    )
    return report, (*report.notes, *notes)


@dataclass(frozen=True, slots=True)
class Written:
    """What an export holds: entries, and lines with the header, the checkpoints and the end."""

    entries: int
    lines: int

    @property
    def text(self) -> Text:
        return Text(f"{self.entries} 条记录，共 {self.lines} 行", f"{self.entries} entries in {self.lines} lines")


def writable(path: Path) -> None:
    """OSError when no file can be made there; asked before a database is started for it."""
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


async def write_export(path: Path, database_url: str, ports: AuditPorts) -> Written:
    """`gongshi audit export F`: the whole log as JSON lines. Never leaves half a file under F."""
    writable(path)
    copies, _ = await gather(ports.keepers)
    draft = path.with_name(path.name + ".part")
    entries = lines = 0
    try:
        with draft.open("w", encoding="utf-8", errors="surrogatepass") as file:
            for record in export.records(
                database_url, node=ports.node_code, keys=ports.keys, witnesses=copies, algorithm=ports.algorithm
            ):
                file.write(export.line(record))
                lines += 1
                entries += record["kind"] in {"entry", "pending"}
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return Written(entries, lines)


def parse_key(text: str) -> tuple[str, bytes]:
    """A public key as a person passes it (base64 of 32 bytes): its id and itself. Invalid otherwise."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise Invalid(
            errors=[
                FieldError(
                    "--key",
                    "not_a_key",
                    Text(
                        f"--key {text.strip()[:60]} 不是公钥：应为 32 字节 Ed25519 公钥的 base64（44 个字符）",
                        f"--key {text.strip()[:60]} is not a public key: the base64 of a 32-byte Ed25519 key is expected",
                    ),
                )
            ]
        )
    return key_id_of(key), key


def show(report: Report, notes: tuple[Text, ...], lang: Lang) -> str:
    """The result in words, fit for a terminal and for printing."""
    if report.fault is None:
        head = Text(
            f"验证通过：共 {report.entries} 条记录，其中 {report.signed} 条在签名检查点之下；"
            f"检查点 {report.checkpoints} 个，库外副本 {report.witnesses} 个",
            f"Verified: {report.entries} entries, {report.signed} of them under a signed checkpoint; "
            f"{report.checkpoints} checkpoints, {report.witnesses} copies kept outside",
        )
    else:
        head = Text(f"验证失败：{report.fault.text.zh}", f"Verification failed: {report.fault.text.en}")
    root = Text(f"根哈希 {report.root}", f"Root {report.root}")
    return "\n".join(text.pick(lang) for text in (head, *notes, root))


def as_json(report: Report, notes: tuple[Text, ...], lang: Lang) -> str:
    """The result for scripts."""
    fault = report.fault
    body = {
        "ok": report.ok,
        "entries": report.entries,
        "signed": report.signed,
        "checkpoints": report.checkpoints,
        "witnesses": report.witnesses,
        "root": report.root,
        "problem": None
        if fault is None
        else {"kind": fault.kind, "entry_id": fault.entry_id, "leaf": fault.leaf, "text": fault.text.pick(lang)},
        "notes": [note.pick(lang) for note in notes],
    }
    return json.dumps(body, ensure_ascii=False, indent=2)
