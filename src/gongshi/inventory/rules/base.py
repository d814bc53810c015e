"""Rules are objects over columns: `check(frame, context)` looks at all rows at once and returns those that fail.

A frame has one row per data row of a table: `ord` (0, 1, …), `tab`, `row` (as in the file), one text column per field of
the form (stripped; null when blank), and derived columns beginning with `_` (see `prepare`). A result names `ord`,
`column` and `value`; its other columns fill the placeholders of the rule's message and remedy.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import polars as pl

from gongshi.inventory.form import Sheet
from gongshi.inventory.values import Divisions
from gongshi.kit.i18n import Text

Severity = Literal["error", "warning", "suspicious", "advice"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "suspicious", "advice")

Check = Callable[[pl.DataFrame, "Context"], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Registered:
    """A camera that the registry already has."""

    code: str
    name: str
    organisation_id: int
    organisation_name: str
    longitude: float | None
    latitude: float | None


@dataclass(slots=True)
class Context:
    """What rules know besides the rows. Empty means not known, so not checked."""

    today: date
    organisation_id: int
    organisation_names: frozenset[str]
    """Full and short names under which the filing unit may appear in the head."""
    industries: frozenset[str] | None
    """Industry digits that fit the unit (G-142); None: any."""
    divisions: Divisions
    retired_hints: Mapping[str, Text] = field(default_factory=dict[str, Text])
    box: tuple[float, float, float, float] | None = None
    """Coarse box of the city: west, south, east, north (governance.md §2.6)."""
    outlines: Mapping[str, Any] | None = None
    """County code → shapely geometry in WGS-84, when the deployer supplied them."""
    local_industries: Mapping[str, str] = field(default_factory=dict[str, str])
    units: frozenset[str] | None = None
    """Allocated basic access units as eight digits."""
    registered_platforms: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    """Names of the unit's platforms in the registry → their network type as the form writes it."""
    registered: Mapping[str, Registered] = field(default_factory=dict[str, Registered])
    """By code: cameras of the registry that the file names, whoever has them."""
    own: tuple[Registered, ...] = ()
    """The unit's cameras in the registry."""
    absent: Mapping[Sheet, frozenset[str]] = field(default_factory=dict[Sheet, frozenset[str]])
    """Columns that no heading of the table had: said once for the form, not once per row."""
    frames: dict[Sheet, pl.DataFrame] = field(default_factory=dict[Sheet, pl.DataFrame])
    cache: dict[str, pl.DataFrame] = field(default_factory=dict[str, pl.DataFrame])
    """Intermediate results that several rules share within one run."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One check with its texts. `id` begins with the clause it enforces."""

    id: str
    clause: str
    severity: Severity
    sheet: Sheet
    columns: tuple[str, ...]
    title: Text
    """What the rule demands, for the list of rules."""
    message: Text
    remedy: Text
    check: Check


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says about one cell, row or file."""

    rule: str
    clause: str
    severity: Severity
    message: Text
    remedy: Text
    sheet: Sheet | None = None
    tab: str | None = None
    row: int | None = None
    column: str | None = None
    value: str | None = None
    ord: int | None = None


def apply(rule: Rule, context: Context) -> Iterator[Finding]:
    """Run one rule on its table and put its findings into words."""
    frame = context.frames.get(rule.sheet)
    if frame is None or frame.height == 0:
        return
    hits = rule.check(frame, context)
    if hits.height == 0:
        return
    places = hits.join(frame.select("ord", "tab", "row"), on="ord", how="left", maintain_order="left")
    for hit in places.iter_rows(named=True):
        message = Text(hit.pop("message_zh", None) or rule.message.zh, hit.pop("message_en", None) or rule.message.en)
        remedy = Text(hit.pop("remedy_zh", None) or rule.remedy.zh, hit.pop("remedy_en", None) or rule.remedy.en)
        severity = hit.pop("severity", None) or rule.severity
        value = hit.get("value")
        words = {key: "" if item is None else item for key, item in hit.items()} | {"value": shorten(value or "")}
        yield Finding(
            rule.id,
            rule.clause,
            severity,
            _fill(message, words),
            _fill(remedy, words),
            rule.sheet,
            hit["tab"],
            hit["row"],
            hit.get("column"),
            None if value is None else shorten(str(value), 200),
            hit["ord"],
        )


def hits(frame: pl.DataFrame, where: pl.Expr, column: str, *more: pl.Expr) -> pl.DataFrame:
    """The rows where `where` holds, as a result about `column`."""
    return frame.filter(where).select("ord", pl.lit(column).alias("column"), pl.col(column).alias("value"), *more)


def nothing() -> pl.DataFrame:
    """No findings."""
    return pl.DataFrame(schema={"ord": pl.UInt32, "column": pl.String, "value": pl.String})


def shorten(text: str, limit: int = 60) -> str:
    """Long values are cut in messages; the cell itself shows all."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _fill(text: Text, words: Mapping[str, object]) -> Text:
    # A brace in a message can only come from the rule, since values are put in by `format` itself.
    return text.format(**words) if "{" in text.zh or "{" in text.en else text
