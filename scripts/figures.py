"""Write what `make bench` measured into README.md, README.zh-CN.md and docs/figures.md, between their markers.

    .venv/bin/python scripts/figures.py [--check]     --check writes nothing and fails when a marker is missing

Each measurement ends with one line `FIGURES [...]` (bench/_figures.py); this program only sets them out. No figure is
written by hand: what was not measured does not stand in the table.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
BEGIN, END = "<!-- figures.{}: begin -->", "<!-- figures.{}: end -->"
ORDER = ("demo_start", "open_camera", "media_streams", "sip_register", "inventory_import", "decide", "simulator_cost")
BUSY = ", load average before: "
"""Parts date and load in the second line of a result (scripts/run_bench.py)."""
Language = Literal["zh", "en"]

HEADS = {
    "zh": "| 项目 | 结果 | 对照（同次测得） | 倍数 |",
    "en": "| what | result | compared with, in the same run | ratio |",
}
NOTHING = {
    "zh": "这里还没有数字：先运行 `make bench`，再运行 `.venv/bin/python scripts/figures.py`，表格由实测生成。",
    "en": (
        "There are no figures here yet: run `make bench`, then `.venv/bin/python scripts/figures.py`, and the table is "
        "made from what was measured."
    ),
}


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement: where and when, and its figures."""

    name: str
    machine: str
    moment: str
    figures: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Place:
    """A pair of markers in a file."""

    path: Path
    language: Language
    everything: bool


PLACES = (
    Place(ROOT / "README.md", "en", everything=False),
    Place(ROOT / "README.zh-CN.md", "zh", everything=False),
    Place(ROOT / "docs" / "figures.md", "zh", everything=True),
    Place(ROOT / "docs" / "figures.md", "en", everything=True),
)


def runs() -> list[Run]:
    """The newest result of every measurement, in the order of the table."""
    found: list[Run] = []
    for path in RESULTS.glob("*.txt"):
        lines = path.read_text(encoding="utf-8").splitlines()
        marked = [line for line in lines if line.startswith("FIGURES ")]
        if len(lines) > 2 and marked:
            figures = json.loads(marked[-1].removeprefix("FIGURES "))
            found.append(Run(path.stem, lines[0], lines[1], figures))
    return sorted(found, key=lambda run: (ORDER.index(run.name) if run.name in ORDER else len(ORDER), run.name))


def number(value: float) -> str:
    """Three significant digits; more would claim more than one run can know."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return (
        f"{round(value, digits if abs(value) < 100 else -max(0, math.floor(math.log10(abs(value))) - 2)):,.{digits}f}"
    )


def quantity(value: float, unit: str) -> str:
    return f"{number(value)}{'' if unit in {'', '%'} else ' '}{unit}"


def row(figure: dict[str, Any], language: Language) -> str:
    base = figure["baseline"]
    if base is None:
        return f"| {figure[language]} | {quantity(figure['value'], figure['unit'])} | | |"
    colon = "：" if language == "zh" else ": "
    compared = f"{base[language]}{colon}{quantity(base['value'], figure['unit'])}"
    ratio = f"{number(figure['value'] / base['value'])} ×" if base["value"] else ""
    return f"| {figure[language]} | {quantity(figure['value'], figure['unit'])} | {compared} | {ratio} |"


def table(found: list[Run], place: Place) -> str:
    """Where and when, then one line per figure."""
    if not found:
        return NOTHING[place.language]
    lines: list[str] = []
    for machine, moment in dict.fromkeys((run.machine, run.moment) for run in found):
        date, _, load = moment.partition(BUSY)
        told = f"{machine}，{date}，测量前系统负载 {load}" if place.language == "zh" else f"{machine}; {moment}"
        lines += [f"- {told}"]
    lines += ["", HEADS[place.language], "|---|---:|---|---:|"]
    for run in found:
        lines += [row(f, place.language) for f in run.figures if place.everything or f["headline"]]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    found = runs()
    for place in PLACES:
        text = place.path.read_text(encoding="utf-8")
        begin, end = BEGIN.format(place.language), END.format(place.language)
        before, opened, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not opened or not closed:
            print(f"{place.path.relative_to(ROOT)}: no markers {begin} … {end}", file=sys.stderr)
            return 1
        if "--check" not in arguments:
            place.path.write_text(f"{before}{begin}\n{table(found, place)}\n{end}{after}", encoding="utf-8")
    print(f"{sum(len(run.figures) for run in found)} figures of {len(found)} measurements")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
