"""Time and memory of a large filing: upload checked, and accepted into the registry.

    python bench/inventory_import.py [ROWS]

Method: a workbook of ROWS cameras (20,000 by default), one row in fifty with a mistake, written by another process. A
fresh process then does what the work role does: reads it from the object store, checks it against an embedded
PostgreSQL, writes rows and findings, and accepts the good rows into an empty registry with history and log. Memory is
the peak resident size of that process. Times are wall clock on this machine. The baseline is another fresh process that
only reads the same workbook into a polars frame and copies it, as text, into one table without keys or constraints.
"""

import asyncio
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
import psycopg
from _figures import Baseline, Figure, report
from python_calamine import CalamineWorkbook
from sqlalchemy import func, select

from gongshi.audit.models import Entry
from gongshi.db import Database
from gongshi.db.embedded import APPLICATION, EmbeddedPostgres
from gongshi.db.engine import plain_url
from gongshi.db.objects import Objects
from gongshi.db.uow import Actor
from gongshi.identity import service as identity
from gongshi.inventory import accepting, checking, repository
from gongshi.inventory.models import Filing, FilingRow, Finding
from gongshi.inventory.workbook import filled_workbook
from gongshi.node.migrate import migrate
from gongshi.registry.models import Camera
from gongshi.registry.seed import estate, platform_row, samples, seed_city

UNIT = "culture-tourism"


def write(path: Path, rows: int) -> None:
    """The workbook: clean rows but for every fiftieth."""
    head = {"unit": "市文化和旅游局", "contact": "值班室", "phone": "0564-3331234"}
    cameras = [dict(sample.form_row(n)) for n, sample in enumerate(samples(UNIT, rows), start=1)]
    for row in cameras[::50]:
        row["longitude"] = row["longitude"][:-2]
    path.write_bytes(filled_workbook(head, [platform_row(estate(UNIT), cameras=rows)], cameras))


async def seed(database: Database) -> tuple[int, int]:
    """An organisation and an account."""
    async with database.unit() as uow:
        unit = (await seed_city(uow))[UNIT].id
    async with database.unit() as uow:
        member, _ = await identity.create_account(
            uow,
            username="bench",
            display_name="Bench",
            organisation=UNIT,
            roles=("agency_contact",),
            by=None,
            password="three-Quiet-rivers-27",
            demo=True,
        )
        return unit, member.account.id


async def measure(url: str, directory: Path) -> dict[str, float]:
    """In a fresh process: one check and one acceptance."""
    database, objects = Database(url), Objects.local(directory / "objects")
    try:
        unit, account = await seed(database)
        content = (directory / "form.xlsx").read_bytes()
        await objects.put("inventory/form", content)
        async with database.unit() as uow:
            filing = Filing(
                organisation_id=unit,
                state="checking",
                file_name="form.xlsx",
                file_object="inventory/form",
                created_by=account,
            )
            number = (await repository.add(uow.session, filing)).id
        del content
        before = peak()
        start = time.perf_counter()
        await checking.run(database, objects, number)
        checked = time.perf_counter() - start
        after_check = peak()
        async with database.unit() as uow:
            filing = await repository.filing(uow.session, number)
            assert filing is not None
            assert filing.state == "draft", (filing.state, filing.failure)
            filing.state = "accepting"
        start = time.perf_counter()
        await accepting.run(database, number, Actor("person", account, "Bench", unit), None)
        accepted = time.perf_counter() - start
        async with database.read() as session:
            rows = await session.scalar(select(func.count()).select_from(FilingRow))
            found = await session.scalar(select(func.count()).select_from(Finding))
            cameras = await session.scalar(select(func.count()).select_from(Camera))
            entries = await session.scalar(select(func.count()).select_from(Entry))
        return {
            "rows": rows or 0,
            "findings": found or 0,
            "cameras": cameras or 0,
            "entries": entries or 0,
            "check": checked,
            "accept": accepted,
            "before": before,
            "after_check": after_check,
            "peak": peak(),
        }
    finally:
        await database.close()


def floor(url: str, form: Path) -> dict[str, float]:
    """In a fresh process: the least that any import of this file must do."""
    before = peak()
    start = time.perf_counter()
    sheet = CalamineWorkbook.from_path(form).get_sheet_by_index(1).to_python()
    width = max(map(len, sheet))
    columns = {f"c{i}": [str(row[i]) if i < len(row) else "" for row in sheet] for i in range(width)}
    frame = pl.DataFrame(columns)
    with psycopg.connect(plain_url(url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE plain ({', '.join(f'{name} text' for name in frame.columns)})".encode())
        with cursor.copy("COPY plain FROM STDIN") as copy:
            for row in frame.iter_rows():
                copy.write_row(row)
    return {"seconds": time.perf_counter() - start, "before": before, "peak": peak()}


def peak() -> float:
    """MiB resident at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def apart(*arguments: str) -> dict[str, float]:
    """What this script prints as its last line when run with those arguments; logs may stand before it."""
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    if sys.argv[1:2] == ["--floor"]:
        print(json.dumps(floor(sys.argv[2], Path(sys.argv[3]))))
        return 0
    if sys.argv[1:2] == ["--write"]:
        write(Path(sys.argv[2]), int(sys.argv[3]))
        return 0
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(asyncio.run(measure(sys.argv[2], Path(sys.argv[3])))))
        return 0
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    directory = Path(tempfile.mkdtemp(prefix="gongshi-bench-"))
    server = EmbeddedPostgres(directory)
    try:
        server.start()
        migrate(server.owner_url, APPLICATION)
        form = directory / "form.xlsx"
        subprocess.run([sys.executable, __file__, "--write", str(form), str(rows)], check=True)
        figures = apart("--measure", server.url, str(directory))
        least = apart("--floor", server.owner_url, str(form))
        size = form.stat().st_size / 2**20
        print(f"workbook:                        {rows:,} cameras, {size:.1f} MiB")
        print(
            f"upload to findings:              {figures['check']:.1f} s ({rows / figures['check']:,.0f} rows/s, {figures['findings']:,.0f} findings)"
        )
        print(
            f"acceptance into the registry:    {figures['accept']:.1f} s ({figures['cameras']:,.0f} cameras, history and log included)"
        )
        print(
            f"peak memory of the process:      {figures['peak']:.0f} MiB (before reading {figures['before']:.0f}, after the check {figures['after_check']:.0f})"
        )
        print(f"only reading and copying:        {least['seconds']:.1f} s, peak memory {least['peak']:.0f} MiB")
        named = ("同一文件只读入并 COPY", "reading and copying the same file")
        seconds, memory = Baseline(*named, least["seconds"]), Baseline(*named, least["peak"])
        both = figures["check"] + figures["accept"]
        count = f"{rows:,}"
        report(
            [
                Figure(
                    "import.all",
                    f"导入 {count} 行：校验并入库",
                    f"Import of {count} rows, checked and accepted",
                    both,
                    "s",
                    seconds,
                ),
                Figure(
                    "import.check",
                    f"其中：上传到得出校验问题（{count} 行）",
                    "of which: upload to findings",
                    figures["check"],
                    "s",
                    seconds,
                ),
                Figure(
                    "import.accept",
                    f"其中：接收入库，含沿革和审计（{count} 行）",
                    "of which: acceptance with history and log",
                    figures["accept"],
                    "s",
                    seconds,
                ),
                Figure(
                    "import.memory",
                    f"导入 {count} 行的峰值内存",
                    f"Peak memory of importing {count} rows",
                    figures["peak"],
                    "MiB",
                    memory,
                ),
            ]
        )
        return 0
    finally:
        server.destroy()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
