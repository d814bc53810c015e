"""Workbooks of Excel 2007 and later, of WPS and of LibreOffice, read as a stream in bounded memory.

Formulas, hidden rows and columns, and merged cells are noticed. Cached results stand for formulas. Numbers keep the shortest text that means the same double, so that 31.870837 stays
31.870837 although the file says 31.870837000000002.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from zipfile import BadZipFile

from gongshi.inventory.readers.grid import MAX_COLUMNS, MAX_TEXT, Grid, GridRow
from gongshi.inventory.readers.package import Package
from gongshi.inventory.readers.refusal import damaged, hostile
from gongshi.inventory.readers.texts import FIRST_DAY, FIRST_DAY_1904, day_text, number_text
from gongshi.inventory.readers.xmlstream import Handler, attribute, pump, read

_MAX_SHARED = 64 * 1024 * 1024
_MAX_MERGES = 100_000
_MERGE = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})"')
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})", re.ASCII)
_DATE_FORMATS = frozenset({14, 15, 16, 17, 22, *range(27, 37), *range(50, 59)})
_DATE_CODE = re.compile(r"[ymd年月日]", re.IGNORECASE)
_NOT_CODE = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')


def sheets(package: Package) -> list[Grid]:
    """The worksheets in their order. Raises `damaged`."""
    book = _Book()
    read(package.open("xl/workbook.xml"), book)
    targets = _Relations()
    read(package.open("xl/_rels/workbook.xml.rels"), targets)
    shared = _Shared()
    if targets.shared in package.names:
        read(package.open(targets.shared), shared)
    styles = _Styles()
    if targets.styles in package.names:
        read(package.open(targets.styles), styles)
    common = _Common(shared.texts, styles.dated(), FIRST_DAY_1904 if book.from_1904 else FIRST_DAY)
    grids: list[Grid] = []
    for name, relation, hidden in book.sheets:
        part = targets.paths.get(relation, "")
        if part in package.names and part.startswith("xl/worksheets/"):
            grid = Grid(name, iter(()), hidden)
            grid.rows = _rows(package, part, common, grid)
            grids.append(grid)
    if not grids:
        raise damaged()
    return grids


@dataclass(frozen=True, slots=True)
class _Common:
    shared: list[str]
    dated: frozenset[int]
    first_day: date


class _Book(Handler):
    def __init__(self) -> None:
        self.sheets: list[tuple[str, str, bool]] = []
        self.from_1904 = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "sheet":
            hidden = attributes.get("state", "visible") != "visible"
            self.sheets.append((attributes.get("name", ""), attribute(attributes, "id") or "", hidden))
        elif name == "workbookPr":
            self.from_1904 = attributes.get("date1904", "0") in {"1", "true"}


class _Relations(Handler):
    def __init__(self) -> None:
        self.paths: dict[str, str] = {}
        self.shared = "xl/sharedStrings.xml"
        self.styles = "xl/styles.xml"

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name != "Relationship":
            return
        target = attributes.get("Target", "")
        path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        self.paths[attributes.get("Id", "")] = path
        kind = attributes.get("Type", "").rpartition("/")[2]
        if kind == "sharedStrings":
            self.shared = path
        elif kind == "styles":
            self.styles = path


class _Shared(Handler):
    def __init__(self) -> None:
        self.texts: list[str] = []
        self._parts: list[str] = []
        self._inside = False
        self._phonetic = 0
        self._size = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "si":
            self._parts = []
        elif name == "rPh":
            self._phonetic += 1
        elif name == "t":
            self._inside = not self._phonetic

    def end(self, name: str) -> None:
        if name == "si":
            self.texts.append(_short("".join(self._parts)))
        elif name == "rPh":
            self._phonetic -= 1
        elif name == "t":
            self._inside = False

    def text(self, data: str) -> None:
        if self._inside:
            self._size += len(data)
            if self._size > _MAX_SHARED:
                raise hostile("text")
            self._parts.append(data)


class _Styles(Handler):
    def __init__(self) -> None:
        self._codes: dict[int, str] = {}
        self._formats: list[int] = []
        self._inside = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "numFmt":
            self._codes[_int(attributes.get("numFmtId"))] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            self._inside = True
        elif name == "xf" and self._inside:
            self._formats.append(_int(attributes.get("numFmtId")))

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._inside = False

    def dated(self) -> frozenset[int]:
        """Indexes of the cell styles that show a number as a date."""
        custom = {number for number, code in self._codes.items() if _DATE_CODE.search(_NOT_CODE.sub("", code))}
        return frozenset(
            index for index, number in enumerate(self._formats) if number in custom or number in _DATE_FORMATS
        )


class _Sheet(Handler):
    """One worksheet: rows are handed over as they end."""

    def __init__(self, common: _Common, grid: Grid) -> None:
        self.ready: list[GridRow] = []
        self._common = common
        self._grid = grid
        self._row = GridRow(0, {})
        self._next_column = 0
        self._column = 0
        self._type = "n"
        self._style = 0
        self._formula = False
        self._take = False
        self._parts: list[str] = []
        self._phonetic = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "c":
            reference = _REFERENCE.fullmatch(attributes.get("r", ""))
            self._column = column_index(reference[1]) if reference else self._next_column
            self._next_column = self._column + 1
            self._type = attributes.get("t", "n")
            self._style = _int(attributes.get("s"))
            self._formula = False
            self._parts = []
        elif name in {"v", "t"}:
            self._take = not self._phonetic
        elif name == "f":
            self._formula = True
        elif name == "rPh":
            self._phonetic += 1
        elif name == "row":
            number = _int(attributes.get("r")) or self._row.number + 1
            self._row = GridRow(number, {}, hidden=attributes.get("hidden") in {"1", "true"})
            self._next_column = 0
        elif name == "col" and attributes.get("hidden") in {"1", "true"}:
            first, last = _int(attributes.get("min")), _int(attributes.get("max"))
            self._grid.hidden_columns.update(range(max(first - 1, 0), min(last, MAX_COLUMNS)))

    def text(self, data: str) -> None:
        if self._take:
            self._parts.append(data)

    def end(self, name: str) -> None:
        if name in {"v", "t"}:
            self._take = False
        elif name == "c":
            if (self._parts or self._formula) and self._column < MAX_COLUMNS:
                self._cell("".join(self._parts))
        elif name == "rPh":
            self._phonetic -= 1
        elif name == "row":
            if self._row.cells:
                self.ready.append(self._row)
            else:
                self._grid.blank_rows += 1

    def _cell(self, text: str) -> None:
        row, bit = self._row, 1 << self._column
        if self._formula:
            row.formula |= bit
        if self._type == "s":
            number = _int(text, -1)
            text = self._common.shared[number] if 0 <= number < len(self._common.shared) else ""
        elif self._type == "n" and text:
            row.numeric |= bit
            day = day_text(text, self._common.first_day) if self._style in self._common.dated else None
            if day:
                row.dated |= bit
            text = day or number_text(text)
        elif self._type == "b":
            text = "TRUE" if text == "1" else "FALSE"
        elif self._type == "d":
            row.dated |= bit
            text = text[:10]
        text = _short(text)
        if text.strip() or self._formula:
            row.cells[self._column] = text


def _rows(package: Package, part: str, common: _Common, grid: Grid) -> Iterator[GridRow]:
    below = _merges(package, part)
    handler = _Sheet(common, grid)
    carried: dict[int, tuple[int, str]] = {}
    for _ in pump(package.open(part), handler):
        for row in handler.ready:
            if below:
                _fill(row, below, carried)
            yield row
        handler.ready.clear()


def _merges(package: Package, part: str) -> dict[tuple[int, int], int]:
    """Upright merged ranges: (first row, column) → last row. They stand behind the cells, so they are read first."""
    found: dict[tuple[int, int], int] = {}
    rest = b""
    try:
        with package.open(part) as stream:
            while chunk := stream.read(1 << 20):
                block = rest + chunk
                for match in _MERGE.finditer(block):
                    first, last, column = int(match[2]), int(match[4]), column_index(match[1].decode())
                    if last > first and column < MAX_COLUMNS:
                        found[(first, column)] = last
                        if len(found) > _MAX_MERGES:
                            raise hostile("cells")
                rest = block[-128:]
    except (BadZipFile, EOFError, zlib.error, OSError) as error:
        raise damaged() from error
    return found


def _fill(row: GridRow, below: Mapping[tuple[int, int], int], carried: dict[int, tuple[int, str]]) -> None:
    """Give the lower cells of a merged range the text of its first cell, as a reader sees it."""
    for column, (last, text) in list(carried.items()):
        if row.number > last:
            del carried[column]
        elif column not in row.cells:
            row.cells[column] = text
    for column, text in row.cells.items():
        last = below.get((row.number, column))
        if last is not None:
            carried[column] = (last, text)


def column_index(letters: str) -> int:
    """`A` is 0, `AA` is 26."""
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - 64
    return index - 1


def _int(text: str | None, default: int = 0) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else default


def _short(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise hostile("text")
    return text
