"""Tests other implementations of GB/T 28181 and says whether they conform (是否符合 GB/T 28181)."""

from gongshi.conform.cases import LOWER, UPPER
from gongshi.conform.model import (
    Case,
    Conformity,
    Exchanged,
    Options,
    Patience,
    Report,
    Result,
    Verdict,
)
from gongshi.conform.runner import run

__all__ = [
    "LOWER",
    "UPPER",
    "Case",
    "Conformity",
    "Exchanged",
    "Options",
    "Patience",
    "Report",
    "Result",
    "Verdict",
    "run",
]
