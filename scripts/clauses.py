"""Write docs/clauses.md and docs/coverage.md from docs/data/clauses.yaml, and find clause ids that lead nowhere.

python scripts/clauses.py            write both pages
python scripts/clauses.py --check    fail when a page is stale or the code cites an id that is not in the file
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "docs" / "data" / "clauses.yaml"
CLAUSES, COVERAGE = ROOT / "docs" / "clauses.md", ROOT / "docs" / "coverage.md"
STATES = {
    "done": ("已实现", "done"),
    "partly": ("部分实现", "partly"),
    "planned": ("计划中", "planned"),
    "outside": ("软件之外", "outside the software"),
    "refused": ("决定不做", "not built, by decision"),
}
# An id as it is cited in code, comments, docs and tests. Two digits or three by family, or a code rule's word.
CITED = re.compile(r"(?<![\w-])(?:G-\d{3}|[TKPXRLISQ]-\d{2}|C-[A-Z]{2,})(?![\w-])")


@dataclass(frozen=True)
class Clause:
    """One clause: its line in both languages, and how far the software has it."""

    id: str
    zh: str
    en: str
    state: str
    issue: str
    where: str


@dataclass(frozen=True)
class Group:
    zh: str
    en: str
    coverage: bool
    clauses: tuple[Clause, ...]


def load() -> tuple[Group, ...]:
    """The data file, checked: unique ids, known states, an issue with every plan."""
    raw: Mapping[str, Any] = yaml.safe_load(DATA.read_text(encoding="utf-8"))
    groups = tuple(
        Group(
            group["title"]["zh"],
            group["title"]["en"],
            group.get("coverage", True),
            tuple(
                Clause(
                    item["id"],
                    item["zh"],
                    item["en"],
                    item.get("state", ""),
                    str(item.get("issue", "")),
                    item.get("where", ""),
                )
                for item in group["clauses"]
            ),
        )
        for group in raw["groups"]
    )
    every = [clause.id for group in groups for clause in group.clauses]
    twice = [name for name, count in Counter(every).items() if count > 1]
    if twice:
        raise SystemExit(f"{DATA.name}: twice: {', '.join(twice)}")
    for group in groups:
        for clause in group.clauses:
            if group.coverage and clause.state not in STATES:
                raise SystemExit(f"{DATA.name}: {clause.id}: state is '{clause.state}', not one of {', '.join(STATES)}")
            if clause.state == "planned" and not clause.issue:
                raise SystemExit(f"{DATA.name}: {clause.id} is planned, but names no issue (or `later`)")
    return groups


def known_ids(groups: tuple[Group, ...]) -> set[str]:
    """Ids as code may cite them; "28181 S-01" is cited in code with or without its first word."""
    return {clause.id.removeprefix("28181 ") for group in groups for clause in group.clauses}


def clauses_page(groups: tuple[Group, ...]) -> str:
    lines = [
        "# 条款索引 · Clauses",
        "",
        (
            "代码、接口和测试里出现的编号，含义都在这里：每条一句，用我们自己的话，不是标准原文。"
            "与标准或文件原文不一致时，以原文为准。"
        ),
        "",
        (
            "Every id that code, API or tests cite, one line each in our own words, not the text of any standard. "
            "Where a line and the official text differ, the official text counts. "
            "How far each is built: [coverage](coverage.md)."
        ),
    ]
    for group in groups:
        lines += ["", f"## {group.zh} · {group.en}", "", "| id | 含义 | meaning |", "|---|---|---|"]
        lines += [f"| {clause.id} | {clause.zh} | {clause.en} |" for clause in group.clauses]
    return "\n".join(lines) + "\n"


def state_of(clause: Clause) -> str:
    zh, en = STATES[clause.state]
    if clause.state != "planned":
        return f"{zh} · {en}"
    return f"{zh} · {en} ({'#' + clause.issue if clause.issue.isdigit() else clause.issue})"


def coverage_page(groups: tuple[Group, ...]) -> str:
    shown = [group for group in groups if group.coverage]
    counts = Counter(clause.state for group in shown for clause in group.clauses)
    total = sum(counts.values())
    lines = [
        "# 条款覆盖 · Coverage",
        "",
        (
            f"共 {total} 条。`#n` 是计划完成它的议题编号，`later` 表示已认定要做、尚未排期。"
            "“决定不做”指识别或跟踪个人的功能，见[威胁与边界](threats.md)。"
        ),
        "",
        (
            f"{total} clauses. `#n` is the issue that is to bring a clause, `later` means accepted and not yet scheduled. "
            "“Not built, by decision” are functions that identify or follow persons, see [threats](threats.md)."
        ),
        "",
        "| 状态 | state | 条 · count |",
        "|---|---|---|",
        *(f"| {zh} | {en} | {counts[state]} |" for state, (zh, en) in STATES.items()),
    ]
    for group in shown:
        lines += [
            "",
            f"## {group.zh} · {group.en}",
            "",
            "| id | 含义 · meaning | 状态 · state | where |",
            "|---|---|---|---|",
        ]
        lines += [f"| {c.id} | {c.zh}<br>{c.en} | {state_of(c)} | {c.where} |" for c in group.clauses]
    return "\n".join(lines) + "\n"


def cited() -> Iterator[tuple[Path, int, str]]:
    """Every clause id in the source, with its place."""
    for folder, endings in (("src", {".py"}), ("tests", {".py"}), ("web/src", {".ts", ".vue", ".json"})):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in endings or "web_dist" in path.parts:
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                for match in CITED.finditer(line):
                    yield path, number, match[0]


def check(groups: tuple[Group, ...]) -> list[str]:
    known = known_ids(groups)
    faults = [
        f"{path.relative_to(ROOT)}:{number}: {name} is not in docs/data/clauses.yaml"
        for path, number, name in cited()
        if name not in known
    ]
    for page, text in ((CLAUSES, clauses_page(groups)), (COVERAGE, coverage_page(groups))):
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            faults.append(f"{page.relative_to(ROOT)} is stale; type: .venv/bin/python scripts/clauses.py")
    return faults


def main(arguments: list[str]) -> int:
    groups = load()
    if arguments == ["--check"]:
        faults = check(groups)
        for fault in faults:
            print(f"✗ {fault}", file=sys.stderr)
        return int(bool(faults))
    CLAUSES.write_text(clauses_page(groups), encoding="utf-8")
    COVERAGE.write_text(coverage_page(groups), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
