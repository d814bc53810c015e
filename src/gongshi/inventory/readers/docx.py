"""Tables of a Word document (the form as agencies send it by mail), read as a stream.

Text outside tables that stands before a table becomes rows of one cell, because the head of the form (填报单位…) is
usually written there. Table rows are numbered as they stand in the table.
"""

from collections.abc import Mapping

from gongshi.inventory.readers.grid import MAX_COLUMNS, MAX_TEXT, Grid, GridRow
from gongshi.inventory.readers.package import Package
from gongshi.inventory.readers.refusal import damaged, hostile
from gongshi.inventory.readers.xmlstream import Handler, attribute, read

_MAX_CELLS = 20_000_000


def tables(package: Package) -> list[Grid]:
    """The text and tables as one grid per table, each with the paragraphs before it as its first rows."""
    handler = _Document()
    read(package.open("word/document.xml"), handler)
    if not handler.grids:
        raise damaged()
    return [Grid(name, iter(rows)) for name, rows in handler.grids]


class _Document(Handler):
    def __init__(self) -> None:
        self.grids: list[tuple[str, list[GridRow]]] = []
        self._before: list[str] = []
        self._rows: list[GridRow] = []
        self._table = 0
        self._row = GridRow(0, {})
        self._column = 0
        self._span = 1
        self._merged = False
        self._cell: list[str] = []
        self._paragraph: list[str] = []
        self._inside_text = False
        self._deleted = 0
        self._above: dict[int, str] = {}
        self._cells = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "tbl":
            self._table += 1
            if self._table == 1:
                self._open_table()
        elif name == "tr" and self._table == 1:
            self._row = GridRow(self._row.number + 1, {})
            self._column = 0
        elif name == "tc" and self._table == 1:
            self._span, self._merged, self._cell = 1, False, []
        elif name == "gridSpan" and self._table == 1:
            span = attribute(attributes, "val") or "1"
            self._span = min(int(span), MAX_COLUMNS) if span.isascii() and span.isdigit() and len(span) < 5 else 1
        elif name == "vMerge" and self._table == 1:
            self._merged = attribute(attributes, "val") != "restart"
        elif name == "p":
            self._paragraph = []
        elif name in {"del", "moveFrom"}:
            self._deleted += 1
        elif name == "t":
            self._inside_text = True
        elif name in {"br", "tab", "cr"}:
            self._paragraph.append(" ")

    def text(self, data: str) -> None:
        if self._inside_text and not self._deleted:
            self._paragraph.append(data)

    def end(self, name: str) -> None:
        if name == "t":
            self._inside_text = False
        elif name in {"del", "moveFrom"}:
            self._deleted -= 1
        elif name == "p":
            self._end_paragraph()
        elif name == "tc" and self._table == 1:
            self._end_cell()
        elif name == "tr" and self._table == 1:
            if self._row.cells:
                self._rows.append(self._row)
        elif name == "tbl":
            self._table -= 1

    def _open_table(self) -> None:
        rows = [GridRow(0, {0: line}) for line in self._before]
        name = next((line for line in reversed(self._before) if len(line) <= 40), f"{len(self.grids) + 1}")
        self._before, self._rows, self._row, self._above = [], rows, GridRow(0, {}), {}
        self.grids.append((name, self._rows))

    def _end_paragraph(self) -> None:
        line = "".join(self._paragraph).strip()
        if len(line) > MAX_TEXT:
            raise hostile("text")
        if not line:
            return
        if self._table:
            self._cell.append(line)
        else:
            self._before.append(line)
            self._before = self._before[-50:]

    def _end_cell(self) -> None:
        text = self._above.get(self._column, "") if self._merged else "\n".join(self._cell)
        if len(text) > MAX_TEXT:
            raise hostile("text")
        self._cells += 1
        if self._cells > _MAX_CELLS:
            raise hostile("cells")
        if self._column < MAX_COLUMNS:
            self._above[self._column] = text
            if text.strip():
                self._row.cells[self._column] = text
        self._column += self._span
