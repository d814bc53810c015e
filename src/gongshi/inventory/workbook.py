"""The blank form as a workbook and as a Word document, with what keeps people from mistakes.

Text format for codes, months and coordinates, lists for the columns with fixed values, a note at every heading.
"""

import io
from collections.abc import Sequence
from typing import Any

from docx import Document
from docx.enum.section import WD_ORIENT
from docx.shared import Pt
from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from gongshi.inventory.form import CAMERAS, HEAD, PLATFORMS, TABLES, TITLE, Table

HEAD_ROW, NOTE_ROW, HEADING_ROW, FIRST_ROW = 2, 3, 4, 5
"""Where things stand in our own workbook; the parser needs none of it."""
_ROOM = {"platform": 500, "camera": 20_000}
"""Rows prepared with formats and lists."""

_LINE = Side(style="thin", color="B8C4D6")
BORDER = Border(left=_LINE, right=_LINE, top=_LINE, bottom=_LINE)
_HEADING_FILL = PatternFill("solid", fgColor="1F4E8C")
_EXAMPLE_FILL = PatternFill("solid", fgColor="EEF2F7")
FONT = "宋体"


def blank_workbook() -> bytes:
    """The form as xlsx."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for table in TABLES.values():
        _sheet(book.create_sheet(table.title.zh), table)
    return _saved(book)


def filled_workbook(
    head: dict[str, str], platforms: Sequence[dict[str, Any]], cameras: Sequence[dict[str, Any]]
) -> bytes:
    """The same form with rows, keyed by field; for samples and tests. Cells keep the type that they are given."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for table, rows in ((PLATFORMS, platforms), (CAMERAS, cameras)):
        sheet = book.create_sheet(table.title.zh)
        _sheet(sheet, table, room=len(rows) + 20)
        for index, field in enumerate(HEAD):
            sheet.cell(HEAD_ROW, 2 * index + 2, head.get(field.key, ""))
        for number, row in enumerate(rows, start=FIRST_ROW + 1):
            for column, field in enumerate(table.fields, start=1):
                if row.get(field.key) is not None:
                    sheet.cell(number, column, row[field.key])
    return _saved(book)


def _saved(book: Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _sheet(sheet: Worksheet, table: Table, room: int | None = None) -> None:
    last = get_column_letter(len(table.fields))
    sheet.merge_cells(f"A1:{last}1")
    title: Any = sheet["A1"]
    title.value = f"{TITLE.zh} · 表{1 if table is PLATFORMS else 2} {table.title.zh}"
    title.font = Font(name=FONT, size=16, bold=True)
    title.alignment = Alignment(horizontal="center", vertical="center")
    sheet.row_dimensions[1].height = 30
    for index, field in enumerate(HEAD):
        label: Any = sheet.cell(HEAD_ROW, 2 * index + 1, field.label.zh)
        label.font = Font(name=FONT, bold=True)
        sheet.cell(HEAD_ROW, 2 * index + 2).border = BORDER
    sheet.merge_cells(f"A{NOTE_ROW}:{last}{NOTE_ROW}")
    notes: Any = sheet.cell(
        NOTE_ROW, 1, "填报说明：" + " ".join(f"{n}. {note.zh}" for n, note in enumerate(table.notes, 1))
    )
    notes.alignment = Alignment(wrap_text=True, vertical="center")
    notes.font = Font(name=FONT, size=9, color="5A6472")
    sheet.row_dimensions[NOTE_ROW].height = 30
    _columns(sheet, table, room or _ROOM[table.sheet])
    sheet.freeze_panes = f"{'D' if table is CAMERAS else 'C'}{FIRST_ROW}"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToWidth = 1
    sheet.page_setup.fitToHeight = 0
    sheet.print_title_rows = f"{HEADING_ROW}:{HEADING_ROW}"


def _columns(sheet: Worksheet, table: Table, room: int) -> None:
    for column, field in enumerate(table.fields, start=1):
        letter = get_column_letter(column)
        sheet.column_dimensions[letter].width = field.width
        if field.key not in {"serial", "build_cost", "yearly_cost"}:
            # For cells that nobody has touched yet, so that a code never becomes a number.
            sheet.column_dimensions[letter].number_format = "@"
        heading: Any = sheet.cell(HEADING_ROW, column, field.label.zh)
        heading.font = Font(name=FONT, bold=True, color="FFFFFF")
        heading.fill = _HEADING_FILL
        heading.border = BORDER
        heading.alignment = Alignment(wrap_text=True, horizontal="center", vertical="center")
        heading.comment = Comment(
            f"{field.help.zh}\n{field.label.en}: {field.help.en}", "Gongshi", width=260, height=90
        )
        example: Any = sheet.cell(FIRST_ROW, column, field.example or None)
        example.fill = _EXAMPLE_FILL
        example.font = Font(name=FONT, italic=True, color="6B7480")
        example.border = BORDER
        example.number_format = "@"
        if field.choices:
            _list(sheet, f'"{",".join(field.choices)}"', letter, room, field.help.zh)
    if table is CAMERAS:
        names = f"'{PLATFORMS.title.zh}'!$B${FIRST_ROW + 1}:$B${FIRST_ROW + _ROOM['platform']}"
        _list(sheet, names, get_column_letter(table.keys.index("platform") + 1), room, table.field("platform").help.zh)
    sheet.row_dimensions[HEADING_ROW].height = 44


def _list(sheet: Worksheet, formula: str, letter: str, room: int, prompt: str) -> None:
    rule: Any = DataValidation(type="list", formula1=formula, allow_blank=True)
    rule.error, rule.errorTitle, rule.prompt, rule.promptTitle = "请从列表中选择", "填写有误", prompt, "填写说明"
    rule.errorStyle = "warning"
    rule.showErrorMessage = rule.showInputMessage = True
    rule.add(f"{letter}{FIRST_ROW}:{letter}{FIRST_ROW + room}")
    sheet.add_data_validation(rule)


def blank_document() -> bytes:
    """The form as docx, for units that work on paper."""
    document: Any = Document()
    section = document.sections[0]
    section.orientation = WD_ORIENT.LANDSCAPE
    section.page_width, section.page_height = section.page_height, section.page_width
    document.styles["Normal"].font.size = Pt(9)
    document.add_heading(TITLE.zh, level=1)
    document.add_paragraph("    ".join(f"{field.label.zh}：____________" for field in HEAD))
    for number, table in enumerate(TABLES.values(), start=1):
        document.add_heading(f"表{number} {table.title.zh}", level=2)
        grid = document.add_table(rows=2, cols=len(table.fields))
        grid.style = "Table Grid"
        for column, field in enumerate(table.fields):
            grid.cell(0, column).text = field.label.zh
            grid.cell(1, column).text = field.example
        for _ in range(8):
            grid.add_row()
        document.add_paragraph("填报说明：" + " ".join(f"{n}. {note.zh}" for n, note in enumerate(table.notes, 1)))
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()
