"""Any bytes are a form or an UnreadableFile, never anything else."""

import contextlib
import functools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gongshi.inventory.readers import UnreadableFile
from gongshi.inventory.workbook import filled_workbook
from unit.inventory.forms import HEAD, as_csv, as_docx, as_ods, both, camera, platform, read, run, table

SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
_OLE = b"\xd0\xcf\x11\xe0"


@functools.cache
def seeds() -> list[bytes]:
    from gongshi.inventory.form import CAMERAS

    platforms, cameras = [platform()], [camera(1), camera(2)]
    return [
        filled_workbook({}, platforms, cameras),
        as_docx(platforms, cameras),
        as_ods({"一": [HEAD, *table(CAMERAS.fields, cameras)]}),
        as_csv(both(platforms, cameras)),
        as_csv(both(platforms, cameras), "gb18030"),
    ]


def survives(content: bytes) -> None:
    if content.startswith(_OLE):
        return  # read in a child process: tests/integration/inventory
    with contextlib.suppress(UnreadableFile):
        run(read(content))


@SLOW
@given(st.binary(max_size=2_000))
def test_random_bytes(content: bytes) -> None:
    survives(content)


@SLOW
@given(st.integers(0, 4), st.data())
def test_forms_cut_and_overwritten_anywhere(which: int, data: st.DataObject) -> None:
    content = bytearray(seeds()[which])
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    for _ in range(data.draw(st.integers(0, 8))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    survives(bytes(content))


CELL = st.one_of(
    st.text(max_size=30), st.sampled_from(["示例", "合计", "序号", "名称", "经度", "3.4E+19", "2020.1", "{x}", "=1+1"])
)


@SLOW
@given(st.lists(st.lists(CELL, max_size=16), max_size=20), st.booleans())
def test_any_cells_under_real_headings(rows: list[list[str]], cameras_only: bool) -> None:
    from gongshi.inventory.form import CAMERAS

    start = table(CAMERAS.fields, []) if cameras_only else both([platform()], [])
    text = "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [*start, *rows])
    survives(text.encode("utf-8", "replace"))
