"""What the form as a whole tells: its head, tables, columns, and what was noticed while reading (G-020, G-054, G-060)."""

from collections.abc import Iterator

from gongshi.inventory.form import HEAD, TABLES
from gongshi.inventory.recognise import Form, FormNote
from gongshi.inventory.rules.base import Context, Finding, Severity, shorten
from gongshi.inventory.values import is_phone, squash
from gongshi.kit.i18n import Text

_NOTES: dict[str, tuple[str, Severity, Text, Text]] = {
    "form.example": (
        "X-04",
        "advice",
        Text("示例行未删除，已跳过", "The example row was left in place and is skipped"),
        Text("删除序号为“示例”的行", "Delete the row whose number says 示例"),
    ),
    "form.total": (
        "G-020",
        "advice",
        Text("合计行不是数据，已跳过", "A row of totals is no data and is skipped"),
        Text("删除合计行", "Delete the totals"),
    ),
    "form.line": (
        "G-020",
        "advice",
        Text("“{value}”只有一格文字，不作为数据", "“{value}” is a single cell of text and no data"),
        Text("如为数据请补齐各列；如为说明可删除", "Fill in the columns if it is data; delete it if it is a remark"),
    ),
    "form.formula": (
        "G-055",
        "advice",
        Text("单元格是公式，按其结果“{value}”处理", "The cell is a formula; its result “{value}” is used"),
        Text("粘贴为数值后再上传更稳妥", "Paste the value instead"),
    ),
    "form.formula_empty": (
        "G-055",
        "warning",
        Text("单元格是公式且没有结果，按空白处理", "The cell is a formula without a result and counts as blank"),
        Text("在表格软件中打开、重新计算并保存", "Open it in a spreadsheet, recalculate and save"),
    ),
    "form.hidden": (
        "G-055",
        "warning",
        Text("{detail}被隐藏，其中的内容同样参与校验", "{detail} hidden; what stands there is checked like the rest"),
        Text("取消隐藏并确认内容", "Unhide and look at it"),
    ),
    "form.blank_rows": (
        "G-020",
        "advice",
        Text("有{detail}行空白行，已忽略", "{detail} blank rows are ignored"),
        Text("删除多余的空白行可加快上传", "Delete them to make the upload faster"),
    ),
    "form.missing_table": (
        "G-020",
        "error",
        Text("没有找到表{detail}", "The table {detail} was not found"),
        Text("使用下载的表样，保留表头各列名称", "Use the downloaded form and keep its headings"),
    ),
    "form.missing_column": (
        "G-020",
        "error",
        Text("表头缺少{detail}", "The heading lacks {detail}"),
        Text("使用下载的表样，保留表头各列名称", "Use the downloaded form and keep its headings"),
    ),
}

_TABLE_OPTIONAL: Severity = "advice"


def notes(form: Form, context: Context) -> Iterator[Finding]:
    """Findings about the form itself, in the order of the file."""
    yield from _head(form, context)
    for note in form.notes:
        yield _note(note, context)
    if form.present and not form.data("platform") and not form.data("camera"):
        yield Finding(
            "G-054.empty",
            "G-054",
            "error",
            Text("表中没有数据。空表不等于零报告", "There are no rows. An empty form is not a zero report"),
            Text("确无监控资源的，请使用“零报告”并确认", "If you have nothing to report, sign a zero report"),
        )


def _note(note: FormNote, context: Context) -> Finding:
    clause, severity, message, remedy = _NOTES[note.rule]
    if note.rule == "form.missing_table" and note.sheet == "platform" and context.registered_platforms:
        # The unit's platforms are already registered; a file of cameras alone is then complete.
        severity = _TABLE_OPTIONAL
    words = {"value": shorten(note.value or "")}
    return Finding(
        note.rule,
        clause,
        severity,
        Text(message.zh.format(detail=note.detail.zh, **words), message.en.format(detail=note.detail.en, **words)),
        remedy,
        note.sheet,
        note.tab,
        note.row,
        note.column,
        note.value,
    )


def _head(form: Form, context: Context) -> Iterator[Finding]:
    for field in HEAD:
        if not form.head.get(field.key):
            yield Finding(
                f"G-060.{field.key}",
                "G-060",
                "error",
                Text(f"表头未填写“{field.label.zh}”", f"{field.label.en} is missing in the head of the form"),
                Text(f"在表格上方填写{field.label.zh}", "Fill it in above the table"),
                column=field.key,
            )
    unit = form.head.get("unit")
    if unit and squash(unit) not in {squash(name) for name in context.organisation_names}:
        yield Finding(
            "G-060.other_unit",
            "G-060",
            "error",
            Text(
                f"填报单位“{unit[:40]}”与本次填报的单位不一致",
                f"The form names {unit[:40]}, not the unit it is filed for",
            ),
            Text("核对是否拿错文件；单位名称写全称", "Make sure that it is the right file; write the unit's full name"),
            column="unit",
            value=unit,
        )
    phone = form.head.get("phone")
    if phone and not is_phone(phone):
        yield Finding(
            "G-060.phone_format",
            "G-060",
            "warning",
            Text(f"联系方式“{phone[:40]}”不像电话号码", f"“{phone[:40]}” does not look like a phone number"),
            Text("填写座机（含区号）或手机号码", "Enter a land line with area code, or a mobile number"),
            column="phone",
            value=phone,
        )


FORM_RULES: tuple[tuple[str, str, Severity, Text], ...] = (
    *((rule, clause, severity, message) for rule, (clause, severity, message, _) in _NOTES.items()),
    *((f"G-060.{field.key}", "G-060", "error", field.label) for field in HEAD),
    ("G-054.empty", "G-054", "error", Text("空表不等于零报告", "An empty form is not a zero report")),
    ("G-060.other_unit", "G-060", "error", Text("填报单位一致", "The form names the unit it is filed for")),
    ("G-060.phone_format", "G-060", "warning", Text("联系方式为电话号码", "The phone is a phone number")),
)
"""For the list of rules: id, clause, severity, title."""

TABLE_TITLES = {sheet: table.title for sheet, table in TABLES.items()}
