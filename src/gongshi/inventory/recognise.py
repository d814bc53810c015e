"""Finding the form's tables in whatever grid they were sent in.

A heading row is known by its labels, after removing white space, punctuation and width; it may be spread over two rows,
stand anywhere, occur again after a page break, and both tables may share one sheet. What is not part of a table (head of
the form, notes, totals, the example row) is recognised and kept out of the data.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gongshi.inventory.form import EXAMPLE, HEAD, TABLES, Sheet, headings, squeeze
from gongshi.inventory.readers.grid import MAX_ROWS, Grid, GridRow, Tick
from gongshi.inventory.readers.refusal import too_many_rows
from gongshi.kit.i18n import Text

_HEADINGS: dict[Sheet, dict[str, str]] = {sheet: headings(table) for sheet, table in TABLES.items()}
_COMMON = {"serial", "name", "built_month", "remark"}
_ENOUGH = 4
"""A heading row names at least this many columns, one of which belongs to one table only."""
_HINTS = frozenset("序称编码厂纬经牌型租备注描述整合度状态")
"""Characters of the headings that are rare in data."""
_EXAMPLES = {squeeze(word) for word in (EXAMPLE, "例", "样例", "示例行", "范例")}
_TOTALS = ("合计", "总计", "小计", "共计", "总数")
_NOTES = ("填报说明", "填表说明", "填写说明", "说明", "注", "备注说明")
_LABELS = {squeeze(label): f.key for f in HEAD for label in (f.label.zh, *f.aliases)}
_INLINE = re.compile(
    "(" + "|".join(label for f in HEAD for label in (f.label.zh, *f.aliases)) + r")\s*[:：]\s*"
    r"(.*?)(?=(?:填报单位|联系人|联系方式|联系电话)\s*[:：]|$)",
    re.DOTALL,
)

SKIP_EXAMPLE, SKIP_TOTAL = "example", "total"


@dataclass(frozen=True, slots=True)
class FormNote:
    """Something noticed while reading that a person should know; becomes a finding."""

    rule: str
    sheet: Sheet | None
    tab: str | None
    row: int | None
    column: str | None
    value: str | None
    detail: Text


@dataclass(slots=True)
class Row:
    """One row of a table."""

    tab: str
    number: int
    cells: dict[str, str]
    """Text as written by field key."""
    numeric: frozenset[str] = frozenset()
    """Fields whose cell was a number."""
    skipped: str | None = None
    """`example` or `total`: kept for the record, not data."""


@dataclass(slots=True)
class Form:
    """What a file holds."""

    format: str
    head: dict[str, str] = field(default_factory=dict[str, str])
    rows: dict[Sheet, list[Row]] = field(default_factory=lambda: {"platform": [], "camera": []})
    present: set[Sheet] = field(default_factory=set[Sheet])
    """Tables whose heading was found."""
    absent: dict[Sheet, frozenset[str]] = field(default_factory=dict[Sheet, frozenset[str]])
    """Mandatory columns that no heading of the table had."""
    notes: list[FormNote] = field(default_factory=list[FormNote])

    def data(self, sheet: Sheet) -> list[Row]:
        return [row for row in self.rows[sheet] if row.skipped is None]


@dataclass(frozen=True, slots=True)
class _Heading:
    sheet: Sheet
    columns: dict[int, str]
    rows: int


def recognise(format: str, grids: Sequence[Grid], tick: Tick | None = None) -> Form:
    """Read all grids into one form. `tick` is called now and then and may raise to cancel."""
    form = Form(format)
    reader = _Reader(form, tick)
    for grid in grids:
        reader.grid(grid)
    reader.finish()
    return form


class _Reader:
    def __init__(self, form: Form, tick: Tick | None) -> None:
        self._form = form
        self._tick = tick
        self._count = 0
        self._absent: dict[tuple[str, Sheet], set[str]] = {}

    def finish(self) -> None:
        """Say which columns and tables were not found."""
        for (tab, sheet), absent in self._absent.items():
            known = self._form.absent.get(sheet)
            self._form.absent[sheet] = frozenset(absent) if known is None else known & absent
            if absent:
                labels = [f.label for f in TABLES[sheet].fields if f.key in absent]
                detail = Text("、".join(f"“{label.zh}”" for label in labels), ", ".join(label.en for label in labels))
                self._form.notes.append(FormNote("form.missing_column", sheet, tab, None, None, None, detail))
        for sheet in ("platform", "camera"):
            if sheet not in self._form.present:
                title = TABLES[sheet].title
                detail = Text(f"“{title.zh}”", title.en)
                self._form.notes.append(FormNote("form.missing_table", sheet, None, None, None, None, detail))

    def grid(self, grid: Grid) -> None:
        heading: _Heading | None = None
        previous: GridRow | None = None
        found = hidden = formulas = 0
        ended = False
        for row in grid.rows:
            self._count += 1
            if self._count > MAX_ROWS:
                raise too_many_rows(MAX_ROWS)
            if self._tick and self._count % 2_000 == 0:
                self._tick()
            new = _heading(row, previous)
            if new:
                if new.rows == 2 and heading and heading.sheet == new.sheet and previous and found:
                    found -= self._drop(heading.sheet, grid.name, previous.number)
                heading, ended = new, False
                self._begin(heading, grid)
            elif heading is None:
                self._head(row)
            elif _first(row).startswith(_NOTES) and len(row.cells) <= 2:
                ended = True
            elif not ended:
                taken = self._row(heading, grid, row)
                found += taken
                hidden += taken and row.hidden
                formulas += self._formulas(heading, grid, row) if taken else 0
            previous = row
        if found:
            self._about(grid, heading, hidden)

    def _begin(self, heading: _Heading, grid: Grid) -> None:
        sheet = heading.sheet
        absent = {f.key for f in TABLES[sheet].fields if f.required and f.key != "serial"}
        self._absent[(grid.name, sheet)] = absent - set(heading.columns.values())
        self._form.present.add(sheet)

    def _head(self, row: GridRow) -> None:
        """填报单位, 联系人, 联系方式: value behind a colon, or in the next cell."""
        columns = sorted(row.cells)
        for position, column in enumerate(columns):
            text = row.cells[column].strip()
            for match in _INLINE.finditer(text):
                if value := match[2].strip(" \t\r\n·_"):
                    self._form.head.setdefault(_LABELS[squeeze(match[1])], value[:200])
            key = _LABELS.get(squeeze(text))
            if key and position + 1 < len(columns):
                value = row.cells[columns[position + 1]].strip()
                if value and squeeze(value) not in _LABELS:
                    self._form.head.setdefault(key, value[:200])

    def _row(self, heading: _Heading, grid: Grid, row: GridRow) -> bool:
        cells = {key: row.cells[column] for column, key in heading.columns.items() if row.cells.get(column, "").strip()}
        if not cells:
            return False
        if cells.keys() == {"serial"} and not _is_example(cells["serial"]):
            # Numbered in advance and never filled, or a line of text between the rows.
            if not cells["serial"].strip().isdigit() and not _is_title(cells["serial"]):
                self._note("form.line", heading.sheet, Row(grid.name, row.number, cells), "serial", Text("", ""))
            return False
        numeric = frozenset(key for column, key in heading.columns.items() if row.numeric >> column & 1)
        made = Row(grid.name, row.number, cells, numeric)
        if _is_example(cells.get("serial", "")):
            made.skipped = SKIP_EXAMPLE
            self._note("form.example", heading.sheet, made, "serial", Text("", ""))
        elif _is_total(cells, row):
            made.skipped = SKIP_TOTAL
            self._note("form.total", heading.sheet, made, None, Text("", ""))
        self._form.rows[heading.sheet].append(made)
        return True

    def _drop(self, sheet: Sheet, tab: str, number: int) -> int:
        """The first half of a two-row heading had been taken for data."""
        rows = self._form.rows[sheet]
        if rows and rows[-1].tab == tab and rows[-1].number == number:
            rows.pop()
            return 1
        return 0

    def _note(self, rule: str, sheet: Sheet, row: Row, column: str | None, detail: Text) -> None:
        value = row.cells.get(column) if column else None
        self._form.notes.append(FormNote(rule, sheet, row.tab, row.number, column, value, detail))

    def _formulas(self, heading: _Heading, grid: Grid, row: GridRow) -> int:
        count = 0
        for column, key in heading.columns.items():
            if row.formula >> column & 1:
                count += 1
                text = row.cells.get(column, "").strip()
                rule = "form.formula" if text else "form.formula_empty"
                self._form.notes.append(
                    FormNote(rule, heading.sheet, grid.name, row.number, key, text or None, Text("", ""))
                )
        return count

    def _about(self, grid: Grid, heading: _Heading | None, hidden: int) -> None:
        sheet = heading.sheet if heading else None
        if grid.hidden:
            name = Text(f"工作表“{grid.name}”", f"worksheet {grid.name}")
            self._form.notes.append(FormNote("form.hidden", sheet, grid.name, None, None, None, name))
        if hidden:
            detail = Text(f"{hidden}行", f"{hidden} rows")
            self._form.notes.append(FormNote("form.hidden", sheet, grid.name, None, None, None, detail))
        if heading and (columns := grid.hidden_columns & set(heading.columns)):
            labels = [TABLES[heading.sheet].field(heading.columns[column]).label for column in sorted(columns)]
            detail = Text(
                "列" + "、".join(f"“{label.zh}”" for label in labels),
                "columns " + ", ".join(label.en for label in labels),
            )
            self._form.notes.append(FormNote("form.hidden", sheet, grid.name, None, None, None, detail))
        if grid.blank_rows > 100:
            detail = Text(f"{grid.blank_rows}", f"{grid.blank_rows}")
            self._form.notes.append(FormNote("form.blank_rows", sheet, grid.name, None, None, None, detail))


def _heading(row: GridRow, previous: GridRow | None) -> _Heading | None:
    """A heading in this row, or in the one before and this one together."""
    if len(row.cells) < 2 or not (_hints(row) or (previous and _hints(previous))):
        return None
    here = {column: squeeze(text) for column, text in row.cells.items()}
    best: _Heading | None = None
    alone = _match({column: (text,) for column, text in here.items()})
    if alone:
        best = _Heading(alone[0], alone[1], 1)
    if previous and previous.number == row.number - 1:
        above = {column: squeeze(text) for column, text in previous.cells.items()}
        own = _match({column: (text,) for column, text in above.items()})
        both = _match(
            {
                column: (here.get(column, ""), above.get(column, ""), above.get(column, "") + here.get(column, ""))
                for column in here.keys() | above.keys()
            }
        )
        # Two rows are one heading only when the lower one is needed for it and holds nothing but headings.
        known = max(len(single[1]) if single else 0 for single in (alone, own))
        if both and len(both[1]) > known and _only_labels(here, both[0]):
            best = _Heading(both[0], both[1], 2)
    return best


def _hints(row: GridRow) -> bool:
    """A cheap look that spares ordinary rows the comparison with every label."""
    return len(_HINTS.intersection("".join(row.cells.values()))) >= 2


def _match(candidates: Mapping[int, tuple[str, ...]]) -> tuple[Sheet, dict[int, str]] | None:
    result: tuple[Sheet, dict[int, str]] | None = None
    for sheet, known in _HEADINGS.items():
        columns: dict[int, str] = {}
        for column in sorted(candidates):
            key = next((known[text] for text in candidates[column] if text in known), None)
            if key and key not in columns.values():
                columns[column] = key
        own = set(columns.values()) - _COMMON
        if len(columns) >= _ENOUGH and own and (result is None or len(columns) > len(result[1])):
            result = (sheet, columns)
    return result


def _only_labels(here: Mapping[int, str], sheet: Sheet) -> bool:
    """True when no cell looks like data: every text is part of some heading."""
    labels = "|".join(_HEADINGS[sheet])
    return all(text in labels for text in here.values() if text)


def _first(row: GridRow) -> str:
    return squeeze(row.cells[min(row.cells)])


def _is_example(serial: str) -> bool:
    return squeeze(serial).rstrip("0123456789") in _EXAMPLES


def _is_title(text: str) -> bool:
    """表1, 表 2 平台接入摄像机 and the like between two tables."""
    plain = squeeze(text)
    return plain.startswith("表") or any(squeeze(table.title.zh) in plain for table in TABLES.values())


def _is_total(cells: Mapping[str, str], row: GridRow) -> bool:
    first = _first(row)
    if first.startswith(_TOTALS):
        return True
    name = squeeze(cells.get("name", ""))
    return name in _TOTALS and "code" not in cells
