"""What `gongshi audit` does; the verbs themselves stand in the node's command line."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gongshi.audit import export
from gongshi.audit.checkpoints import DirectoryKeeper, key_id_of
from gongshi.audit.checks import AuditPorts, gather, verify_live
from gongshi.audit.verifier import Report, Verifier
from gongshi.kit.i18n import Lang, Text


async def verify(database_url: str, ports: AuditPorts) -> tuple[Report, tuple[Text, ...]]:
    """`gongshi audit verify`: the running node's log against its keys and every copy kept outside."""
    return await verify_live(database_url, ports)


def _records(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8", errors="surrogatepass") as lines:
        for line in lines:
            yield export.parse_line(line)


async def verify_file(
    path: Path, *, keys: Mapping[str, bytes] | None = None, witnesses: Path | None = None
) -> tuple[Report, tuple[Text, ...]]:
    """`gongshi audit verify --file F [--key K] [--witness DIR]`: an export alone, on any machine. OSError if unread."""
    copies, unreadable = await gather([DirectoryKeeper(witnesses)] if witnesses is not None else [])
    report = Verifier(trusted=keys, witnesses=copies).run(_records(path))
    notes = tuple(
        Text(f"检查点文件 {name} 无法读取", f"The checkpoint file {name} cannot be read") for name in unreadable
    )
    return report, (*report.notes, *notes)


async def write_export(path: Path, database_url: str, ports: AuditPorts) -> int:
    """`gongshi audit export F`: the whole log as JSON lines; the number of lines. Never leaves half a file under F."""
    copies, _ = await gather(ports.keepers)
    draft = path.with_name(path.name + ".part")
    count = 0
    with draft.open("w", encoding="utf-8", errors="surrogatepass") as file:
        for record in export.records(
            database_url, node=ports.node_code, keys=ports.keys, witnesses=copies, algorithm=ports.algorithm
        ):
            file.write(export.line(record))
            count += 1
    draft.replace(path)
    return count


def parse_key(text: str) -> tuple[str, bytes]:
    """A public key as a person passes it (base64 of 32 bytes): its id and itself. ValueError otherwise."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if len(key) != 32:
        raise ValueError("an Ed25519 public key has 32 bytes")
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
