"""Comma, semicolon or tab separated text in UTF-8 (with or without mark), UTF-16 or GB18030."""

import csv
import io
from collections.abc import Iterator

from gongshi.inventory.readers.grid import MAX_COLUMNS, MAX_TEXT, Grid, GridRow
from gongshi.inventory.readers.refusal import damaged, hostile


def decode(content: bytes) -> str | None:
    """The text, or None when the bytes are no text in any encoding that agencies use."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ("utf-16",)
    elif b"\x00" in content[:4096]:
        return None
    else:
        encodings = ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def sheets(text: str, name: str = "csv") -> list[Grid]:
    """One grid; blank lines are counted."""
    grid = Grid(name, iter(()))
    grid.rows = _rows(text, grid)
    return [grid]


def _rows(text: str, grid: Grid) -> Iterator[GridRow]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=False)
    number = 0
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise damaged() from error
        number += 1
        cells: dict[int, str] = {}
        for column, cell in enumerate(record[:MAX_COLUMNS]):
            if len(cell) > MAX_TEXT:
                raise hostile("text")
            if cell.strip():
                cells[column] = _unquoted(cell)
        if cells:
            yield GridRow(number, cells)
        else:
            grid.blank_rows += 1


def _delimiter(text: str) -> str:
    head = text[:8192]
    return max(",\t;", key=head.count)


def _unquoted(cell: str) -> str:
    """Undo the usual trick to keep a spreadsheet from turning a code into a number: ="3415…" or a leading tab."""
    stripped = cell.strip()
    if stripped.startswith('="') and stripped.endswith('"') and len(stripped) > 3:
        return stripped[2:-1]
    return cell
