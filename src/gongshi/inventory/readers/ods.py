"""OpenDocument spreadsheets as a stream. Repeated rows and cells are counted, never unrolled beyond what is written."""

from collections.abc import Mapping

from gongshi.inventory.readers.grid import MAX_COLUMNS, MAX_TEXT, Grid, GridRow
from gongshi.inventory.readers.package import Package
from gongshi.inventory.readers.refusal import damaged, hostile
from gongshi.inventory.readers.texts import number_text
from gongshi.inventory.readers.xmlstream import Handler, attribute, pump

_MAX_REPEATED_ROWS = 1_000
"""A row with content is hardly ever repeated; more than this is a bomb."""


def sheets(package: Package) -> list[Grid]:
    """The tables in their order. Reads the file once: the grids hold their rows."""
    handler = _Content()
    for _ in pump(package.open("content.xml"), handler):
        pass
    if not handler.grids:
        raise damaged()
    for grid, rows in handler.grids:
        grid.rows = iter(rows)
    return [grid for grid, _ in handler.grids]


class _Content(Handler):
    def __init__(self) -> None:
        self.grids: list[tuple[Grid, list[GridRow]]] = []
        self._number = 0
        self._blank = 0
        self._row = GridRow(0, {})
        self._repeat_row = 1
        self._column = 0
        self._repeat_cell = 1
        self._header_column = 0
        self._type = ""
        self._value: str | None = None
        self._formula = False
        self._parts: list[str] | None = None
        self._paragraphs = 0
        self._total = 0
        self._annotation = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "table":
            self.grids.append((Grid(attribute(attributes, "name") or "", iter(())), []))
            self._number = self._blank = 0
            self._header_column = 0
        elif name == "table-column" and self.grids:
            count = _repeat(attribute(attributes, "number-columns-repeated"))
            if attribute(attributes, "visibility") in {"collapse", "filter"}:
                last = min(self._header_column + count, MAX_COLUMNS)
                self.grids[-1][0].hidden_columns.update(range(self._header_column, last))
            self._header_column += count
        elif name == "table-row":
            self._repeat_row = _repeat(attribute(attributes, "number-rows-repeated"))
            hidden = attribute(attributes, "visibility") in {"collapse", "filter"}
            self._row = GridRow(self._number + 1, {}, hidden=hidden)
            self._column = 0
        elif name in {"table-cell", "covered-table-cell"}:
            self._repeat_cell = _repeat(attribute(attributes, "number-columns-repeated"))
            self._type = attribute(attributes, "value-type") or ""
            self._value = (
                attribute(attributes, "date-value")
                if self._type == "date"
                else attribute(attributes, "value") or attribute(attributes, "boolean-value")
            )
            self._formula = attribute(attributes, "formula") is not None
            self._parts = []
            self._paragraphs = 0
        elif name == "annotation":
            self._annotation += 1
        elif name == "p" and self._parts is not None and not self._annotation:
            self._paragraphs += 1
            if self._paragraphs > 1:
                self._parts.append("\n")
        elif name == "s" and self._parts is not None:
            self._parts.append(" ")

    def text(self, data: str) -> None:
        if self._parts is not None and self._paragraphs and not self._annotation:
            self._parts.append(data)

    def end(self, name: str) -> None:
        if name in {"table-cell", "covered-table-cell"}:
            self._cell()
            self._parts = None
        elif name == "annotation":
            self._annotation -= 1
        elif name == "table-row" and self.grids:
            self._end_row()

    def _cell(self) -> None:
        text = "".join(self._parts or [])
        row = self._row
        for column in range(self._column, min(self._column + self._repeat_cell, MAX_COLUMNS)):
            bit = 1 << column
            shown = text
            if self._type == "date" and self._value:
                shown = self._value[:10]
                row.dated |= bit
            elif self._type in {"float", "currency", "percentage"} and self._value:
                shown = number_text(self._value)
                row.numeric |= bit
            if self._formula:
                row.formula |= bit
            if len(shown) > MAX_TEXT:
                raise hostile("text")
            if shown.strip() or self._formula:
                row.cells[column] = shown
            else:
                break
        self._column += self._repeat_cell

    def _end_row(self) -> None:
        grid, rows = self.grids[-1]
        if not self._row.cells:
            self._blank += min(self._repeat_row, 1_048_576)
        else:
            if self._repeat_row > _MAX_REPEATED_ROWS:
                raise hostile("cells")
            # Every sheet ends with blank rows up to the last possible one; only those before content are worth a word.
            grid.blank_rows += self._blank
            self._blank = 0
            self._total += len(self._row.cells) * self._repeat_row
            if self._total > 20_000_000:
                raise hostile("cells")
            rows.append(self._row)
            for copy in range(1, self._repeat_row):
                rows.append(_copied(self._row, copy))
        self._number += self._repeat_row


def _copied(row: GridRow, by: int) -> GridRow:
    return GridRow(row.number + by, dict(row.cells), row.numeric, row.formula, row.dated, row.hidden)


def _repeat(text: str | None) -> int:
    if not text or not text.isascii() or not text.isdigit() or len(text) > 9:
        return 1
    return max(int(text), 1)
