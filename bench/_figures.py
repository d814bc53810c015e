"""What a measurement hands to scripts/figures.py: one line `FIGURES {...}` at the end of its output."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

MARK = "FIGURES "


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the figure is compared with, measured in the same run; its value is in the figure's unit."""

    zh: str
    en: str
    value: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    key: str
    zh: str
    en: str
    value: float
    unit: str
    """`s`, `ms`, `/s`, `MiB`, `%`, or empty for a count."""
    baseline: Baseline | None = None
    headline: bool = True
    """Whether it stands in the README too, and not only in docs/figures.md."""


def report(figures: Sequence[Figure]) -> None:
    """Print the line; comes last, after what a person reads."""
    print(MARK + json.dumps([asdict(figure) for figure in figures], ensure_ascii=False), flush=True)


def quantile(values: Sequence[float], share: float) -> float:
    """The nearest-rank quantile: a value that was measured, never one in between."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
