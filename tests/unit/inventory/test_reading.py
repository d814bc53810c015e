"""Forms as agencies really send them: every format, every trap."""

import io
from datetime import date
from typing import Any

import openpyxl
import pytest

from gongshi.inventory.form import CAMERAS, PLATFORMS
from gongshi.inventory.readers import UnreadableFile, detect
from gongshi.inventory.readers.texts import day_text, number_text
from gongshi.inventory.workbook import blank_document, blank_workbook, filled_workbook
from unit.inventory.forms import HEAD, as_csv, as_docx, as_ods, both, camera, platform, read, run, table


def saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def sheets(**tables: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in tables.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    return saved(book)


@pytest.mark.parametrize("kind", ["xlsx", "ods", "docx", "csv", "gb18030", "tabs", "utf16"])
def test_the_same_form_reads_alike_in_every_format(kind: str) -> None:
    platforms, cameras = [platform()], [camera(1), camera(2)]
    rows = both(platforms, cameras)
    content = {
        "xlsx": lambda: filled_workbook(
            dict(zip(("unit", "contact", "phone"), HEAD[1::2], strict=True)), platforms, cameras
        ),
        "ods": lambda: as_ods(
            {"一": [HEAD, *table(PLATFORMS.fields, platforms)], "二": table(CAMERAS.fields, cameras)}
        ),
        "docx": lambda: as_docx(platforms, cameras),
        "csv": lambda: as_csv(rows),
        "gb18030": lambda: as_csv(rows, "gb18030"),
        "tabs": lambda: "\n".join("\t".join(row) for row in rows).encode(),
        "utf16": lambda: as_csv(rows, "utf-16"),
    }[kind]()
    form = read(content)
    assert form.head == {"unit": "市文化和旅游局", "contact": "李联络", "phone": "0564-3331234"}
    assert [row.cells for row in form.data("camera")] == cameras
    assert [{k: v for k, v in row.cells.items() if v} for row in form.data("platform")] == platforms
    assert {finding.rule for finding in run(form)} <= {"form.example"}


@pytest.mark.parametrize("blank", [blank_workbook, blank_document])
def test_the_blank_form_holds_only_the_example_and_is_no_zero_report(blank: Any) -> None:
    form = read(blank())
    assert form.data("platform") == form.data("camera") == []
    assert {finding.rule for finding in run(form)} == {
        "G-054.empty",
        "G-060.unit",
        "G-060.contact",
        "G-060.phone",
        "form.example",
    }


def test_headings_may_be_wrapped_spaced_merged_and_full_width() -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    upper = [field.label.zh for field in CAMERAS.fields]
    upper[6] = "所在市、 县（区）、\n 乡镇（街 道）"
    upper[1] = "２０位编码"
    upper[7], upper[8] = "坐标", None  # type: ignore[call-overload] -- a merged cell is blank
    lower: list[Any] = [None] * 14
    lower[7], lower[8] = "经　度", "纬 度"
    sheet.append(upper)
    sheet.append(lower)
    sheet.append(list(camera(1).values()))
    for column in (1, 2, 3):
        sheet.merge_cells(start_row=1, end_row=2, start_column=column, end_column=column)
    sheet.merge_cells(start_row=1, end_row=1, start_column=8, end_column=9)
    form = read(saved(book))
    assert [row.cells for row in form.data("camera")] == [camera(1)]
    assert not [note for note in form.notes if note.rule == "form.missing_column"]


def test_several_sheets_per_county_repeated_headings_totals_and_notes() -> None:
    heading = table(CAMERAS.fields, [])[0]
    body = [list(camera(n).values()) for n in (1, 2, 3)]
    content = sheets(
        平台=table(PLATFORMS.fields, [platform()]),
        金安区=[heading, body[0], heading, body[1], ["合计", None, "2台"], ["填报说明：①", None]],
        裕安区=[["裕安区"], heading, body[2], [None, None, "合计", None]],
    )
    form = read(content)
    assert [(row.tab, row.number) for row in form.data("camera")] == [("金安区", 2), ("金安区", 4), ("裕安区", 3)]
    assert [row.skipped for row in form.rows["camera"] if row.skipped] == ["total", "total"]


def test_numbers_keep_their_shortest_text_and_dates_become_days() -> None:
    assert number_text("31.870837000000002") == "31.870837"
    assert number_text("3.40123410013E+19") == "3.40123410013e+19"
    assert number_text("34012341001320175000") == "34012341001320175000"
    assert number_text("43922") == "43922"
    assert day_text("43922.5") == "2020-04-01"
    assert day_text("-1") is day_text("nan") is day_text("1e99") is day_text("x") is None

    row: dict[str, Any] = camera(1) | {
        "code": 3.41502005513280e19,
        "built_month": date(2020, 4, 1),
        "longitude": 116.512341,
    }
    form = read(filled_workbook({}, [platform()], [row]))
    cells = form.data("camera")[0].cells
    assert (cells["built_month"], cells["longitude"]) == ("2020-04-01", "116.512341")
    rules = {finding.rule for finding in run(form)}
    assert "C-SHAPE" in rules
    assert "G-089.format" not in rules


def test_formulas_hidden_parts_and_merged_data_are_noticed() -> None:
    book = openpyxl.load_workbook(io.BytesIO(filled_workbook({}, [platform()], [camera(1), camera(2), camera(3)])))
    sheet = book["平台接入摄像机"]
    sheet["N6"] = "=1+1"
    sheet.row_dimensions[7].hidden = True
    sheet.column_dimensions["F"].hidden = True
    sheet["D7"] = sheet["D8"] = None
    sheet.merge_cells("D6:D8")
    book["监控管理平台"].sheet_state = "hidden"
    found = run(read(saved(book)))
    rules = [finding.rule for finding in found]
    assert rules.count("form.formula_empty") == 1
    assert rules.count("form.hidden") == 3
    assert "G-083.missing" not in rules, "a merged cell counts for every row that it covers"


def test_a_million_blank_rows_cost_little_and_are_mentioned() -> None:
    import zipfile

    source = zipfile.ZipFile(io.BytesIO(filled_workbook({}, [platform()], [camera(1)])))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name in source.namelist():
            data = source.read(name)
            if name == "xl/worksheets/sheet2.xml":
                blank = b"".join(b'<row r="%d"/>' % n for n in range(100, 400_000))
                data = data.replace(b"</sheetData>", blank + b"</sheetData>")
            package.writestr(name, data)
    form = read(out.getvalue())
    assert len(form.data("camera")) == 1
    assert [note.detail.zh for note in form.notes if note.rule == "form.blank_rows"] == ["399900"]


def test_missing_tables_and_columns_are_said_once() -> None:
    rows = table(CAMERAS.fields, [camera(1), camera(2)])
    without_state = [[cell for index, cell in enumerate(row) if index != 11] for row in rows]
    found = run(read(as_csv(without_state)))
    rules = [finding.rule for finding in found]
    assert rules.count("form.missing_column") == 1
    assert rules.count("form.missing_table") == 1
    assert "G-091.missing" not in rules
    assert rules.count("G-083.unknown") == 2


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"PK\x03\x04broken", "damaged_file"),
        (b"", "empty_file"),
        (b" \r\n\t ", "empty_file"),
        (b"MZ\x90\x00", "wrong_type"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "WordDocument".encode("utf-16-le"), "wrong_type"),
        (b"<?xml version='1.0'?><Workbook/>", "wrong_type"),
        (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "wrong_type"),
    ],
)
def test_refusals_say_what_and_what_instead(content: bytes, code: str) -> None:
    with pytest.raises(UnreadableFile) as refused:
        read(content)
    assert refused.value.code == code
    assert refused.value.detail.zh
    assert refused.value.detail.en


@pytest.mark.parametrize("name", ["清单.xlsx", "清单.XLS", "form.ods", "form.docx"])
def test_text_under_a_workbooks_name_is_no_workbook_unless_it_holds_a_table(name: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        detect(b"hello", name)
    assert caught.value.code == "wrong_type"
    assert "不是工作簿" in caught.value.detail.zh
    assert detect(b"hello", "form.csv") == "csv"
    # Platforms export tabs under the name xls.
    assert detect("序号\t20位编码\n1\t2\n".encode(), name) == "csv"


def package(**parts: bytes) -> bytes:
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in parts.items():
            made.writestr(name.replace("__", "/").replace("_xml", ".xml"), data)
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        package(word__document_xml=b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]><x>&a;</x>'),
        package(word__document_xml=b"<a>" * 100_000),
        package(**{f"part{n}": b"" for n in range(3_000)}),
        package(word__document_xml=b"<d><tbl><tr><tc><p><t>" + b"x" * 10_000 + b"</t></p></tc></tr></tbl></d>"),
    ],
    ids=["entities", "nesting", "entries", "long text"],
)
def test_hostile_packages_are_refused(content: bytes) -> None:
    with pytest.raises(UnreadableFile) as refused:
        read(content)
    assert refused.value.code == "hostile_file"
