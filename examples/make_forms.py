"""Write filled inventory forms for trying the check: clean ones, and ones with the mistakes that agencies make.

    .venv/bin/python examples/make_forms.py [DIRECTORY]

The units, cameras and points are samples of the sample city; nothing in them is real.
"""
# ruff: noqa: INP001 -- a script that is run by its path

import csv
import io
import sys
from pathlib import Path

from gongshi.inventory.form import CAMERAS, HEAD, PLATFORMS
from gongshi.inventory.workbook import filled_workbook
from gongshi.registry.seed import estate, platform_row, samples

Row = dict[str, str]
FIRST = 301
"""Serials of the codes begin here, so that the samples do not meet those of `gongshi demo`."""


def rows(unit: str, count: int) -> tuple[list[Row], list[Row]]:
    """A unit's platform and cameras, clean by every rule."""
    cameras = [sample.form_row(n) for n, sample in enumerate(samples(unit, count, first=FIRST), start=1)]
    return [platform_row(estate(unit), cameras=count)], cameras


def spoil(cameras: list[Row]) -> list[Row]:
    """One mistake per row, each of its own kind."""
    bad = [dict(row) for row in cameras]
    bad[0]["code"] = "3.41502E+19"
    bad[1]["longitude"] = bad[1]["longitude"][:-2]
    bad[2]["longitude"], bad[2]["latitude"] = bad[2]["latitude"], bad[2]["longitude"]
    bad[3]["status"] = "正常"
    bad[4]["plan"] = "迁移"
    bad[5]["platform"] = "旅游平台"
    bad[6]["code"] = bad[7]["code"]
    bad[8]["name"] = "Camera 01"
    bad[9]["built_month"] = "43922"
    bad[10]["latitude"] = "31°44′28″"
    bad[11]["place"] = "六安市寿县寿春镇"
    return bad


def sample_row() -> tuple[list[Row], list[Row]]:
    """The form's own example under a real serial: it breaks five rules (X-04)."""
    platform = {field.key: field.example for field in PLATFORMS.fields} | {"serial": "1"}
    camera = {field.key: field.example for field in CAMERAS.fields} | {"serial": "1"}
    return [platform], [camera]


def text_file(head: Row, platforms: list[Row], cameras: list[Row]) -> bytes:
    """Both tables on one sheet, as a text file in the encoding of old office software."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([cell for field in HEAD for cell in (field.label.zh, head[field.key])])
    for table, lines in ((PLATFORMS, platforms), (CAMERAS, cameras)):
        writer.writerow([field.label.zh for field in table.fields])
        writer.writerows([[line.get(field.key, "") for field in table.fields] for line in lines])
    return out.getvalue().encode("gb18030")


def main() -> int:
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "forms"
    directory.mkdir(parents=True, exist_ok=True)
    tourism = {"unit": "市文化和旅游局", "contact": "值班室", "phone": "0564-3331234"}
    transport = {"unit": "市交通运输局", "contact": "值班室", "phone": "0564-3335678"}
    platforms, cameras = rows("culture-tourism", 12)
    files = {
        "市文化和旅游局-含问题.xlsx": filled_workbook(tourism, platforms, spoil(cameras)),
        "市文化和旅游局-已更正.xlsx": filled_workbook(tourism, platforms, cameras),
        "市文化和旅游局-示例行当数据.xlsx": filled_workbook(tourism, *sample_row()),
        "市交通运输局.csv": text_file(transport, *rows("transport", 8)),
    }
    for name, content in files.items():
        (directory / name).write_bytes(content)
        sys.stdout.write(f"{directory / name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
