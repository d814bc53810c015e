"""Rules that every table needs, made once per field: filled in, one of the listed values, month, amount, serial."""

import polars as pl

from gongshi.inventory.form import TABLES, Field, Sheet
from gongshi.inventory.rules.base import Context, Rule, hits, nothing
from gongshi.inventory.values import is_placeholder, month_of, squash
from gongshi.kit.i18n import Text

_SHOWN_GAPS = 6
_NAMED = {"platform": Text("表1", "Table 1"), "camera": Text("表2", "Table 2")}


def missing(sheet: Sheet, field: Field) -> Rule:
    """A mandatory cell is blank. A column that is not there at all is one finding of the form, not one per row."""

    def check(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        if field.key in context.absent.get(sheet, ()):
            return nothing()
        return hits(frame, pl.col(field.key).is_null(), field.key)

    return Rule(
        f"{field.clause}.missing",
        field.clause,
        "error",
        sheet,
        (field.key,),
        Text(f"“{field.label.zh}”必填", f"{field.label.en} is mandatory"),
        Text(f"“{field.label.zh}”未填写", f"{field.label.en} is blank"),
        Text(f"{field.help.zh}", f"{field.help.en}"),
        check,
    )


def choice(sheet: Sheet, field: Field) -> Rule:
    """The value is none of those that the form lists."""
    allowed = {squash(word) for word in field.choices}

    def check(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
        wrong = [text for text in frame[field.key].drop_nulls().unique().to_list() if squash(text) not in allowed]
        return hits(frame, pl.col(field.key).is_in(wrong), field.key) if wrong else nothing()

    listed_zh = "、".join(field.choices)
    return Rule(
        f"{field.clause}.choice",
        field.clause,
        "error",
        sheet,
        (field.key,),
        Text(f"“{field.label.zh}”只能填 {listed_zh}", f"{field.label.en} is one of {', '.join(field.choices)}"),
        Text(
            f"“{field.label.zh}”填写的“{{value}}”不在可选值之内",
            f"“{{value}}” is not among the values for {field.label.en}",
        ),
        Text(f"改为 {listed_zh} 之一", f"Choose one of {', '.join(field.choices)}"),
        check,
    )


def placeholder(sheet: Sheet, field: Field) -> Rule:
    """XXX, 无, 未知: written only to fill the cell."""

    def check(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
        wrong = [text for text in frame[field.key].drop_nulls().unique().to_list() if is_placeholder(text)]
        return hits(frame, pl.col(field.key).is_in(wrong), field.key) if wrong else nothing()

    return Rule(
        f"{field.clause}.placeholder",
        field.clause,
        "warning",
        sheet,
        (field.key,),
        Text(f"“{field.label.zh}”应填写真实内容", f"{field.label.en} must be real"),
        Text(f"“{field.label.zh}”填写的“{{value}}”像是占位内容", "“{value}” looks like a placeholder"),
        Text("填写实际内容；确实不掌握的，向设备厂商或承建单位核实", "Enter the real value; ask the vendor if unknown"),
        check,
    )


def months(sheet: Sheet, clause: str) -> list[Rule]:
    """建设时间: readable, not in the future, no October lost to a number format (G-068, G-089, X-05)."""
    column = "built_month"
    how = Text("按 2020.03 的格式填写年份和月份", "Write year and month like 2020.03")

    def unreadable(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
        return hits(frame, pl.col("_month_issue") == "format", column)

    def serial(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
        return hits(frame, pl.col("_month_issue") == "serial", column, pl.col("_month").alias("month"))

    def future(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        today = month_of(context.today)
        return hits(frame, pl.col("_month") > today, column, pl.lit(today).alias("today"))

    def october(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
        number = pl.col("_numeric").str.split(",").list.contains(column)
        return hits(frame, number & pl.col(column).str.contains(r"^\d{4}\.1$"), column, pl.col(column).alias("text"))

    label = Text("建设时间", "Built")
    return [
        Rule(
            f"{clause}.format",
            clause,
            "error",
            sheet,
            (column,),
            Text("建设时间应为年月", "Built is a year and month"),
            Text(f"“{label.zh}”填写的“{{value}}”无法识别为年月", "“{value}” cannot be read as year and month"),
            how,
            unreadable,
        ),
        Rule(
            f"{clause}.serial",
            clause,
            "warning",
            sheet,
            (column,),
            Text("建设时间不应是日期序列号", "Built is not a spreadsheet's day count"),
            Text(
                "“{value}”像是电子表格的日期序列号，按{month}理解", "“{value}” looks like a day count; read as {month}"
            ),
            how,
            serial,
        ),
        Rule(
            f"{clause}.future",
            clause,
            "error",
            sheet,
            (column,),
            Text("建设时间不晚于当月", "Built is not in the future"),
            Text("建设时间{value}晚于当前月份{today}", "Built {value} lies after this month ({today})"),
            Text(
                "核对年份和月份；尚未建成的不在本表填报", "Check the date; what is not built yet does not belong here"
            ),
            future,
        ),
        Rule(
            f"{clause}.october",
            clause,
            "warning",
            sheet,
            (column,),
            Text("以数字保存的“年.1”可能是10月", "A number like 2020.1 may have been October"),
            Text(
                "单元格按数字保存，“{text}”可能原为“{text}0”（10月）",
                "The cell holds a number: “{text}” may have been “{text}0” (October)",
            ),
            Text(
                "将单元格设为文本格式，1月写作 .01，10月写作 .10",
                "Format it as text; write .01 for January, .10 for October",
            ),
            october,
        ),
    ]


def _absent(present: pl.Series) -> str:
    """The numbers from 1 on that are not there, as ranges: `3, 5-8`; the first few of many."""
    ranges: list[str] = []
    last = 0
    for number in present:
        if number > last + 1:
            ranges.append(str(number - 1) if number == last + 2 else f"{last + 1}-{number - 1}")
        last = number
    return ", ".join(ranges[:_SHOWN_GAPS]) + (" …" if len(ranges) > _SHOWN_GAPS else "")


def serials(sheet: Sheet) -> list[Rule]:
    """序号: there, whole, once each and without gaps (G-061, G-080)."""
    field = TABLES[sheet].field("serial")
    clause = field.clause

    def whole(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
        text = pl.col("serial")
        return hits(frame, text.is_null() | ~text.str.contains(r"^\d{1,7}$"), "serial")

    def repeated(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
        # Each worksheet of a form that is split by county may count from 1 again.
        again = pl.col("serial").is_not_null() & (pl.len().over("tab", "serial") > 1)
        first = pl.col("row").min().over("tab", "serial")
        return hits(frame, again & (pl.col("row") > first), "serial", first.alias("first"))

    def gaps(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
        numbers = (
            frame.filter(pl.col("serial").str.contains(r"^\d{1,7}$"))
            .with_columns(pl.col("serial").cast(pl.Int64).alias("number"))
            .group_by("tab", maintain_order=True)
            .agg(
                pl.col("ord").first(),
                pl.col("serial").first().alias("value"),
                pl.col("number").unique().sort(),
            )
            .with_columns(
                (pl.col("number").list.last() - pl.col("number").list.len()).alias("gaps"),
                pl.col("number").map_elements(_absent, return_dtype=pl.String).alias("absent"),
            )
            .filter(pl.col("gaps") > 0)
        )
        return numbers.select("ord", pl.lit("serial").alias("column"), "value", "gaps", "absent")

    name = _NAMED[sheet]
    return [
        Rule(
            f"{clause}.number",
            clause,
            "warning",
            sheet,
            ("serial",),
            Text(f"{name.zh}序号为整数", f"{name.en}: the number is whole"),
            Text("序号“{value}”不是整数", "“{value}” is no whole number"),
            Text("从1起连续编号", "Number from 1 without gaps"),
            whole,
        ),
        Rule(
            f"{clause}.repeat",
            clause,
            "warning",
            sheet,
            ("serial",),
            Text(f"{name.zh}序号不重复", f"{name.en}: each number once"),
            Text("序号{value}与第{first}行重复", "Number {value} is already used in row {first}"),
            Text("从1起连续编号", "Number from 1 without gaps"),
            repeated,
        ),
        Rule(
            f"{clause}.gap",
            clause,
            "advice",
            sheet,
            ("serial",),
            Text(f"{name.zh}序号连续", f"{name.en}: no gaps"),
            Text("序号不连续，缺{absent}（共{gaps}个）", "The numbers {absent} are missing ({gaps} in all)"),
            Text("确认没有漏填的行", "Make sure that no row was lost"),
            gaps,
        ),
    ]


def blanks(sheet: Sheet) -> Rule:
    """Values with blanks around them were read without."""

    def check(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
        padded = frame.filter(pl.col("_padded").is_not_null())
        if padded.height == 0:
            return nothing()
        cells = padded.select("ord", pl.col("_padded").str.split(",").alias("column"), *TABLES[sheet].keys).explode(
            "column"
        )
        value = pl.coalesce(*(pl.when(pl.col("column") == key).then(pl.col(key)) for key in TABLES[sheet].keys))
        return cells.select("ord", "column", value.alias("value"))

    return Rule(
        f"form.blanks.{sheet}",
        "G-055",
        "advice",
        sheet,
        (),
        Text("值前后不带空格", "No blanks around values"),
        Text("前后有空格或换行，已按“{value}”处理", "Blanks or line breaks around it were dropped; read as “{value}”"),
        Text("可删除多余空格", "You may delete the extra blanks"),
        check,
    )
