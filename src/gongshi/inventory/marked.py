"""The checked rows written back as a workbook: cells coloured, findings as notes, and one sheet that lists them all.

It has the form's own headings, so that it can be corrected and uploaded again; the list of findings is ignored then.
Written in batches in a thread, because a filing may have tens of thousands of rows and the loop has other callers.
"""

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, NamedStyle, PatternFill
from openpyxl.utils import get_column_letter

from gongshi.inventory.form import HEAD, TABLES, TITLE, Sheet, Table
from gongshi.inventory.models import FilingRow, Finding
from gongshi.inventory.workbook import BORDER, FONT
from gongshi.kit.i18n import Lang, Text

T = TypeVar("T")

_MAX_NOTES = 5_000
"""Notes in cells; beyond it colours and the list remain. Spreadsheets become slow with many notes."""
_COLOURS = {"error": "F8C9C4", "warning": "FCE8B2", "suspicious": "E6D5F5", "advice": "D6E6F7"}
_WEIGHT = {"error": 3, "warning": 2, "suspicious": 1, "advice": 0}
SEVERITY_WORDS = {
    "error": Text("错误", "error"),
    "warning": Text("警告", "warning"),
    "suspicious": Text("存疑", "suspicious"),
    "advice": Text("提示", "advice"),
}
RESULT = Text("校验结果", "Findings")
_COLUMNS = (
    (Text("表", "Table"), 18),
    (Text("工作表", "Worksheet"), 18),
    (Text("原文件行", "Row in your file"), 12),
    (Text("列", "Column"), 16),
    (Text("级别", "Severity"), 10),
    (Text("规则", "Rule"), 18),
    (Text("填写内容", "Value"), 24),
    (Text("问题", "Finding"), 60),
    (Text("处理办法", "Remedy"), 50),
    (Text("本文件位置", "Cell here"), 14),
)

Mark = tuple[str, str]
"""Severity and note of one cell."""
Place = tuple[str, str | None, int]
"""Sheet, worksheet of the upload, row of the upload."""


class MarkedWorkbook:
    """Filled step by step: findings first, then rows, then `finish`."""

    def __init__(self, lang: Lang) -> None:
        self._lang: Lang = lang
        self._marks: dict[Place, dict[str, Mark]] = {}
        self._findings: list[tuple[Place | None, Finding]] = []
        self._placed: dict[Place, tuple[str, int]] = {}
        self._notes = 0
        self._book = Workbook(write_only=True)
        for style in _styles():
            self._book.add_named_style(style)
        self._styles: dict[str, Any] = {}
        self._sheet: Any = None
        self._table: Table = TABLES["platform"]
        self._row = 0

    def add_finding(self, finding: Finding) -> None:
        """Remember a finding; waived ones are listed but do not colour."""
        place: Place | None = None
        if finding.sheet is not None and finding.row is not None:
            place = (finding.sheet, finding.tab, finding.row)
        self._findings.append((place, finding))
        if place is None or finding.waived_at is not None:
            return
        note = f"[{finding.rule}] {self._text(finding, 'message')}\n→ {self._text(finding, 'remedy')}"
        cells = self._marks.setdefault(place, {})
        column = finding.column or "serial"
        old = cells.get(column)
        if old is None:
            cells[column] = (finding.severity, note)
        else:
            worst = max(old[0], finding.severity, key=_WEIGHT.__getitem__)
            cells[column] = (worst, f"{old[1]}\n{note}"[:1_500])

    def add_findings(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self.add_finding(finding)

    def add_rows(self, rows: Sequence[FilingRow]) -> None:
        for row in rows:
            self.add_row(row)

    def begin(self, sheet: Sheet, head: Mapping[str, Any]) -> None:
        """Start one of the form's tables with its head and headings."""
        table = self._table = TABLES[sheet]
        self._sheet = self._book.create_sheet(table.title.zh)
        for index, field in enumerate(table.fields, start=1):
            self._sheet.column_dimensions[get_column_letter(index)].width = field.width
        self._sheet.freeze_panes = "C4"
        self._append([self._cell(f"{TITLE.zh} · {table.title.zh}", "gs title")])
        line: list[Any] = []
        for field in HEAD:
            line += [self._cell(field.label.zh, "gs bold"), self._cell(head.get(field.key) or "")]
        self._append(line)
        self._append([self._cell(field.label.zh, "gs heading") for field in table.fields])
        self._row = 3

    def add_row(self, row: FilingRow) -> None:
        """One row of the upload with its colours."""
        self._row += 1
        place: Place = (row.sheet, row.tab, row.row)
        self._placed[place] = (self._table.title.zh, self._row)
        marks = self._marks.get(place, {})
        cells: list[Any] = []
        for field in self._table.fields:
            mark = marks.get(field.key)
            cell = self._cell(row.raw.get(field.key), f"gs {mark[0]}" if mark else "gs text")
            if mark is not None and self._notes < _MAX_NOTES:
                self._notes += 1
                cell.comment = Comment(mark[1], "Gongshi", width=320, height=120)
            cells.append(cell)
        self._append(cells)

    def finish(self) -> bytes:
        """Write the list of findings and return the file."""
        sheet: Any = self._book.create_sheet(RESULT.pick(self._lang))
        for index, (_, width) in enumerate(_COLUMNS, start=1):
            sheet.column_dimensions[get_column_letter(index)].width = width
        sheet.freeze_panes = "A2"
        self._sheet = sheet
        self._append([self._cell(title.pick(self._lang), "gs bold") for title, _ in _COLUMNS])
        for place, finding in self._findings:
            self._append(self._line(place, finding))
        sheet.auto_filter.ref = f"A1:{get_column_letter(len(_COLUMNS))}{len(self._findings) + 1}"
        out = io.BytesIO()
        self._book.save(out)
        return out.getvalue()

    def _line(self, place: Place | None, finding: Finding) -> list[Any]:
        table = TABLES.get(finding.sheet) if finding.sheet in {"platform", "camera"} else None  # pyright: ignore[reportArgumentType] -- tested just here
        label = next((f.label.pick(self._lang) for f in table.fields if f.key == finding.column), "") if table else ""
        here = self._placed.get(place) if place else None
        link: Any = ""
        if here is not None and table is not None:
            column = get_column_letter(table.keys.index(finding.column) + 1) if finding.column in table.keys else "A"
            link = self._cell(f"{column}{here[1]}", "gs link")
            link.hyperlink = f"#'{here[0]}'!{column}{here[1]}"
        severity = self._cell(SEVERITY_WORDS[finding.severity].pick(self._lang), f"gs {finding.severity}")
        return [
            table.title.pick(self._lang) if table else "",
            self._cell(finding.tab),
            finding.row,
            label,
            severity,
            finding.rule,
            self._cell(finding.value),
            _clean(self._text(finding, "message")),
            _clean(self._text(finding, "remedy")),
            link,
        ]

    def _text(self, finding: Finding, kind: str) -> str:
        return str(getattr(finding, f"{kind}_{self._lang}"))

    def _cell(self, value: Any, style: str = "gs text") -> Any:
        cell: Any = WriteOnlyCell(self._sheet, value=_clean(value))
        if isinstance(value, str):
            # A text that begins like a formula must stay a text: the file goes back to a person's spreadsheet.
            cell.data_type = "s"
        known = self._styles.get(style)
        if known is None:
            cell.style = style
            self._styles[style] = cell._style  # noqa: SLF001 -- looked up once per style instead of once per cell
        else:
            cell._style = known  # noqa: SLF001 -- as above; style arrays are never changed by writing
        return cell

    def _append(self, cells: Sequence[Any]) -> None:
        self._sheet.append(cells)


def _styles() -> list[NamedStyle]:
    """Named once: setting fonts and borders cell by cell takes ten times as long."""
    plain: dict[str, Any] = {"number_format": "@", "border": BORDER}
    found = [
        NamedStyle("gs text", font=Font(name=FONT), **plain),
        NamedStyle("gs bold", font=Font(name=FONT, bold=True), **plain),
        NamedStyle("gs title", font=Font(name=FONT, size=14, bold=True)),
        NamedStyle("gs link", font=Font(name=FONT, color="1F5FBF", underline="single"), **plain),
        NamedStyle(
            "gs heading",
            font=Font(name=FONT, bold=True, color="FFFFFF"),
            fill=PatternFill("solid", fgColor="1F4E8C"),
            alignment=Alignment(wrap_text=True, horizontal="center", vertical="center"),
            border=BORDER,
        ),
    ]
    found += [
        NamedStyle(f"gs {grade}", font=Font(name=FONT), fill=PatternFill("solid", fgColor=colour), **plain)
        for grade, colour in _COLOURS.items()
    ]
    return found


def _clean(value: Any) -> Any:
    """Without the control characters that a workbook cannot hold."""
    if isinstance(value, str):
        return ILLEGAL_CHARACTERS_RE.sub("", value)[:32_000]
    return value


async def marked_workbook(
    lang: Lang,
    head: Mapping[str, Any],
    findings: AsyncIterator[Finding],
    rows: Mapping[Sheet, AsyncIterator[FilingRow]],
) -> bytes:
    """Compose the file from streams of findings and rows, both in the order of the upload."""
    book = MarkedWorkbook(lang)
    async for findings_part in _batches(findings):
        await asyncio.to_thread(book.add_findings, findings_part)
    for sheet, stream in rows.items():
        book.begin(sheet, head)
        async for rows_part in _batches(stream):
            await asyncio.to_thread(book.add_rows, rows_part)
    return await asyncio.to_thread(book.finish)


async def _batches(stream: AsyncIterator[T], size: int = 500) -> AsyncGenerator[list[T]]:
    batch: list[T] = []
    async for item in stream:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
