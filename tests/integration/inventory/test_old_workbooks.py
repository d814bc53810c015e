"""Excel 97-2003 files are read in a child process with limits; nothing they hold can hurt the node."""

import contextlib
import io
from typing import Any

import pytest
import xlwt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gongshi.inventory.readers import UnreadableFile
from unit.inventory.forms import HEAD, both, camera, platform, read, run


def as_xls(rows: list[list[str]], *, far: bool = False) -> bytes:
    book = xlwt.Workbook()
    sheet: Any = book.add_sheet("清单")
    for r, row in enumerate(rows):
        for c, text in enumerate(row):
            if text:
                sheet.write(r + 2, c + 1, text)
    if far:
        sheet.write(65_535, 255, "x")
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_an_old_workbook_reads_like_the_others() -> None:
    form = read(as_xls(both([platform()], [camera(1), camera(2)])))
    assert form.format == "xls"
    assert form.head["unit"] == HEAD[1]
    assert [row.cells for row in form.data("camera")] == [camera(1), camera(2)]
    assert form.data("camera")[0].number > 2
    assert run(form) == []


def test_a_cell_in_the_last_corner_is_no_outage() -> None:
    try:
        form = read(as_xls(both([platform()], [camera(1)]), far=True))
    except UnreadableFile as refused:
        assert refused.code == "hostile_file"  # noqa: PT017 -- either answer is right, see the limits of readers.xls
    else:
        assert form.data("camera")[0].cells == camera(1)


SEED = as_xls(both([platform()], [camera(1)]))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_damaged_old_workbooks_parse_or_are_refused(data: st.DataObject) -> None:
    content = bytearray(SEED)
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(8, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(512, len(content) - 1)) :]
    with contextlib.suppress(UnreadableFile):
        run(read(bytes(content)))


def test_a_truncated_old_workbook_is_refused() -> None:
    with pytest.raises(UnreadableFile):
        read(SEED[:700])
