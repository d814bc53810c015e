"""Checking a whole form: all findings at once, by row and column, with the verdict of every row."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from gongshi.inventory import prepare
from gongshi.inventory.form import Sheet
from gongshi.inventory.recognise import Form
from gongshi.inventory.rules import RULES, Context, Finding, apply
from gongshi.inventory.rules.form import notes

Verdict = Literal["ok", "warning", "error", "skipped"]
_CHUNK = 5_000
_RANK = {"advice": 0, "suspicious": 1, "warning": 1, "error": 2}
_VERDICTS: tuple[Verdict, ...] = ("ok", "warning", "error")


@dataclass(slots=True)
class Checked:
    """What a check says in sum; the findings themselves went through the caller's hands."""

    severities: dict[str, int] = field(default_factory=lambda: {"error": 0, "warning": 0, "suspicious": 0, "advice": 0})
    ranks: dict[Sheet, bytearray] = field(default_factory=dict[Sheet, bytearray])
    """Worst rank per data row in the order of the frame."""

    def verdict(self, sheet: Sheet, ord: int) -> Verdict:
        return _VERDICTS[self.ranks[sheet][ord]]


def check(
    form: Form, context: Context, checked: Checked, tick: Callable[[float], None] | None = None
) -> Iterator[list[Finding]]:
    """Yield the findings in chunks and fill `checked`. `tick` hears the progress from 0 to 1 and may raise to cancel."""
    context.absent = form.absent
    frames = prepare.frames(form, context)
    checked.ranks = {sheet: bytearray(frame.height) for sheet, frame in frames.items()}
    yield from _chunks(notes(form, context), checked)
    for done, rule in enumerate(RULES):
        if tick:
            tick(done / len(RULES))
        yield from _chunks(apply(rule, context), checked)
    if tick:
        tick(1.0)


def _chunks(findings: Iterator[Finding], checked: Checked) -> Iterator[list[Finding]]:
    while chunk := list(islice(findings, _CHUNK)):
        for finding in chunk:
            checked.severities[finding.severity] += 1
            if finding.sheet is None:
                continue
            ranks, rank = checked.ranks[finding.sheet], _RANK[finding.severity]
            if finding.ord is not None:
                ranks[finding.ord] = max(ranks[finding.ord], rank)
            elif finding.row is None and finding.severity == "error":
                # A column or table that is not there spoils every row of the table.
                checked.ranks[finding.sheet] = bytearray(b"\x02" * len(ranks))
        yield chunk
