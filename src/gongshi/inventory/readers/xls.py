"""Workbooks of Excel 97-2003 and WPS .et, read by calamine in a child process with limits on memory and time.

The old format can claim a cell in the last row and column of an empty sheet; a reader then fills the whole square. The
child may die of that without harm: it is a refusal, not an outage. Run as `python -m gongshi.inventory.readers.xls`.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import IO, Any

from gongshi.inventory.readers.grid import MAX_COLUMNS, Grid, GridRow
from gongshi.inventory.readers.refusal import damaged, encrypted, hostile
from gongshi.inventory.readers.texts import number_text

_MEMORY = 1024 * 1024 * 1024
_SECONDS = 60


def sheets(content: bytes) -> list[Grid]:
    """The worksheets in their order. Raises `damaged`, `encrypted` and `hostile`. Blocks: call it in a thread."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gongshi.inventory.readers.xls"],
            input=content,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired as error:
        raise hostile("memory") from error
    if done.returncode == 3:
        raise damaged()
    if done.returncode == 4:
        raise encrypted()
    if done.returncode != 0:
        raise hostile("memory")
    grids: list[Grid] = []
    rows: list[GridRow] = []
    for line in done.stdout.splitlines():
        item = json.loads(line)
        if "name" in item:
            rows = []
            grids.append(Grid(item["name"], _each(rows), item["hidden"]))
        elif item["cells"]:
            cells = {int(column): text for column, text in item["cells"].items()}
            rows.append(GridRow(item["row"], cells, item["numeric"], 0, item["dated"]))
    return grids


def _each(rows: list[GridRow]) -> Iterator[GridRow]:
    yield from rows


def _child(source: IO[bytes], sink: IO[str]) -> int:
    """Read a workbook from `source`, write one line of JSON per sheet and row."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    import io  # noqa: PLC0415 -- after the limits

    import python_calamine as calamine  # noqa: PLC0415 -- after the limits

    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(source.read()))
        for meta in book.sheets_metadata:
            if meta.typ != calamine.SheetTypeEnum.WorkSheet:
                continue
            hidden = meta.visible != calamine.SheetVisibleEnum.Visible
            sink.write(json.dumps({"name": meta.name, "hidden": hidden}) + "\n")
            sheet = book.get_sheet_by_name(meta.name)
            # Rows are given from the first one of the sheet, but columns from the first one that holds something.
            shift = sheet.start[1] if sheet.start else 0
            for index, values in enumerate(sheet.iter_rows()):
                line = _line(index + 1, values, shift)
                if line:
                    sink.write(line + "\n")
    except calamine.PasswordError:
        return 4
    except calamine.CalamineError:
        return 3
    return 0


def _line(number: int, values: list[Any], shift: int) -> str | None:
    cells: dict[int, str] = {}
    numeric = dated = 0
    for column, value in enumerate(values[: max(MAX_COLUMNS - shift, 0)], start=shift):
        if value is None or value == "":
            continue
        if isinstance(value, (datetime, date)):
            dated |= 1 << column
            cells[column] = value.isoformat()[:10]
        elif isinstance(value, bool):
            cells[column] = "TRUE" if value else "FALSE"
        elif isinstance(value, (int, float)):
            numeric |= 1 << column
            cells[column] = number_text(repr(value))
        elif isinstance(value, time):
            cells[column] = value.isoformat()
        else:
            cells[column] = str(value)
    if not cells:
        return None
    return json.dumps({"row": number, "cells": cells, "numeric": numeric, "dated": dated}, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(_child(sys.stdin.buffer, sys.stdout))
