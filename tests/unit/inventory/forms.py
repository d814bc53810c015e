"""Forms of every format for tests, from the same rows."""

import csv
import io
from collections.abc import Sequence
from datetime import date
from typing import Any

from docx import Document
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P

from gongshi.inventory.check import Checked, check
from gongshi.inventory.form import CAMERAS, PLATFORMS
from gongshi.inventory.readers import open_file
from gongshi.inventory.recognise import Form, recognise
from gongshi.inventory.rules import Context, Finding
from gongshi.inventory.values import Divisions
from gongshi.registry.city import city
from gongshi.registry.seed import estate, platform_row, samples

Rows = list[list[str]]
HEAD = ["填报单位", "市文化和旅游局", "联系人", "李联络", "联系方式", "0564-3331234"]


def context(**changes: Any) -> Context:
    """As for a filing of the culture and tourism bureau."""
    data = city()
    known: dict[str, Any] = {
        "today": date(2026, 11, 22),
        "organisation_id": 1,
        "organisation_names": frozenset({"市文化和旅游局"}),
        "industries": frozenset({"55", "57"}),
        "divisions": Divisions(data.code, data.name, data.county_names(), {"寿县": "341521"}),
        "retired_hints": {old.code: old.hint for old in data.retired},
        "box": data.box,
        "local_industries": data.local_industries,
    }
    return Context(**known | changes)


def platform(**changes: Any) -> dict[str, Any]:
    return platform_row(estate("culture-tourism"), cameras=3) | changes


def camera(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A clean row; the same for the same number."""
    sample = list(samples("culture-tourism", number))[-1]
    return sample.form_row(number) | changes


def table(fields: Any, rows: Sequence[dict[str, Any]]) -> Rows:
    return [[field.label.zh for field in fields], *([str(row.get(f.key, "")) for f in fields] for row in rows)]


def both(platforms: Sequence[dict[str, Any]], cameras: Sequence[dict[str, Any]]) -> Rows:
    """Both tables on one sheet, one below the other."""
    return [HEAD, ["表1"], *table(PLATFORMS.fields, platforms), [], ["表2"], *table(CAMERAS.fields, cameras)]


def as_csv(rows: Rows, encoding: str = "utf-8-sig") -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode(encoding)


def as_ods(sheets: dict[str, Rows]) -> bytes:
    book: Any = OpenDocumentSpreadsheet()
    for name, rows in sheets.items():
        sheet = Table(name=name)
        for row in rows:
            line = TableRow()
            for text in row:
                cell = TableCell(valuetype="string")
                cell.addElement(P(text=text))
                line.addElement(cell)
            sheet.addElement(line)
        blank = TableRow(numberrowsrepeated=1_000_000)
        blank.addElement(TableCell(numbercolumnsrepeated=16_000))
        sheet.addElement(blank)
        book.spreadsheet.addElement(sheet)
    out = io.BytesIO()
    book.write(out)
    return out.getvalue()


def as_docx(platforms: Sequence[dict[str, Any]], cameras: Sequence[dict[str, Any]]) -> bytes:
    document: Any = Document()
    document.add_paragraph("填报单位：市文化和旅游局    联系人：李联络   联系方式：0564-3331234")
    for fields, rows in ((PLATFORMS.fields, platforms), (CAMERAS.fields, cameras)):
        lines = table(fields, rows)
        grid = document.add_table(rows=len(lines), cols=len(fields))
        for r, line in enumerate(lines):
            for c, text in enumerate(line):
                grid.cell(r, c).text = text
        document.add_paragraph("填报说明：按实填写")
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def read(content: bytes) -> Form:
    kind, grids = open_file(content)
    return recognise(kind, grids)


def run(form: Form, **changes: Any) -> list[Finding]:
    return [finding for chunk in check(form, context(**changes), Checked()) for finding in chunk]


def check_rows(
    cameras: Sequence[dict[str, Any]], platforms: Sequence[dict[str, Any]] | None = None, **changes: Any
) -> dict[str, list[Finding]]:
    """Findings by rule for rows in a text file."""
    rows = both([platform()] if platforms is None else platforms, cameras)
    found: dict[str, list[Finding]] = {}
    for finding in run(read(as_csv(rows)), **changes):
        found.setdefault(finding.rule, []).append(finding)
    return found
