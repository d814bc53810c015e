"""Decisions per second: the snapshot of rights against one indexed SQL query, and how fast a revocation is in force.

    python bench/decide.py [QUESTIONS]

Method: 2,000 grants of 50 to 5,000 cameras each (log-uniform), held by 230 organisations with 10,000 people between
them, over 100,000 cameras, in the embedded PostgreSQL. Half the questions are aimed at a camera of an own grant. Both
sides must give the same answers, or the run fails. SQL is one synchronous connection with a prepared statement over
the Unix socket. Times are wall clock on this machine; the ratio is what travels.
"""

import asyncio
import random
import shutil
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from _figures import Baseline, Figure, quantile, report
from sqlalchemy import select

from gongshi.access import service
from gongshi.access.actions import Action
from gongshi.access.rights import RightsFollower, RightsSnapshot
from gongshi.access.subjects import Subject
from gongshi.access.visible import visible
from gongshi.db import Database
from gongshi.db.embedded import APPLICATION, EmbeddedPostgres
from gongshi.db.engine import plain_url
from gongshi.node.migrate import migrate
from gongshi.registry.models import Camera

GRANTS, CAMERAS, PEOPLE, UNITS = 2_000, 100_000, 10_000, 230
NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)

ONE = """
SELECT EXISTS (
  SELECT 1 FROM access."right" r
  JOIN access.right_camera rc ON rc.right_id = r.id AND rc.camera_id = %s
  JOIN registry.camera c ON c.id = rc.camera_id AND c.status <> 3
  WHERE ((r.subject_kind = 'organisation' AND r.subject_id = %s) OR (r.subject_kind = 'person' AND r.subject_id = %s))
    AND r.actions & %s = %s AND r.ended_at IS NULL AND r.suspended_at IS NULL
    AND r.valid_from <= %s AND (r.valid_to IS NULL OR r.valid_to > %s))
"""


def fill(url: str, chance: random.Random) -> dict[int, list[list[int]]]:
    """Write the world; returns the camera lists of each organisation's grants."""
    grants: dict[int, list[list[int]]] = {}
    with psycopg.connect(plain_url(url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO registry.region (code, name, level, usable) VALUES ('341500', '六安市', 'city', true)"
        )
        with cursor.copy(
            "COPY registry.organisation (id, code, name, short_name, name_en, kind, level, region_code, industries,"
            " member, active) FROM STDIN"
        ) as copy:
            for unit in range(1, UNITS + 1):
                copy.write_row((unit, f"u{unit}", f"单位{unit}", "", "", "bureau", "city", "341500", [], False, True))
        with cursor.copy(
            "COPY registry.camera (id, code, name, functions, location_types, departments, measures, datum,"
            " code_edition, sensitive, key_position, core_area, source, search, version, organisation_id,"
            " region_code, status, sharing_class) FROM STDIN"
        ) as copy:
            for camera in range(1, CAMERAS + 1):
                base = (
                    camera,
                    f"{camera:020d}",
                    "",
                    [],
                    [],
                    [],
                    [],
                    "wgs84",
                    "2016",
                    False,
                    False,
                    False,
                    "bench",
                    "",
                    1,
                )
                region = chance.choice(("341502", "341503", "341522", "341523"))
                copy.write_row((*base, chance.randint(1, UNITS), region, 1, "none"))
        lists: list[tuple[int, list[int]]] = []
        with cursor.copy(
            'COPY access."right" (id, subject_kind, subject_id, basis, basis_id, actions, scope, valid_from, valid_to,'
            " limits) FROM STDIN"
        ) as copy:
            for grant in range(1, GRANTS + 1):
                unit = chance.randint(1, UNITS)
                cameras = chance.sample(range(1, CAMERAS + 1), int(50 * 100 ** chance.random()))
                lists.append((grant, cameras))
                grants.setdefault(unit, []).append(cameras)
                begin = NOW - timedelta(days=chance.randint(0, 300))
                mask = int(Action.SEE | Action.LIVE | (Action.PLAYBACK if chance.random() < 0.5 else Action.SEE))
                end = begin + timedelta(days=chance.randint(100, 365))
                copy.write_row((grant, "organisation", unit, "grant", grant, mask, "cameras", begin, end, "{}"))
        with cursor.copy("COPY access.right_camera (right_id, camera_id) FROM STDIN") as copy:
            for grant, cameras in lists:
                for camera in cameras:
                    copy.write_row((grant, camera))
        for table in ("registry.organisation", "registry.camera", "access.right"):
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))".encode()
            )
    with psycopg.connect(plain_url(url), autocommit=True) as connection:
        connection.execute("ANALYZE")
    print(f"{GRANTS:,} grants, {sum(len(cameras) for _, cameras in lists):,} grant-camera rows, {PEOPLE:,} people")
    return grants


def questions(
    count: int, grants: dict[int, list[list[int]]], chance: random.Random
) -> list[tuple[Subject, Action, int, datetime]]:
    people = [
        Subject("person", number, "", unit, "", "341500", "city", frozenset({"viewer"}))
        for number in range(1, PEOPLE + 1)
        for unit in [chance.randint(1, UNITS)]
    ]
    asked: list[tuple[Subject, Action, int, datetime]] = []
    for _ in range(count):
        person = chance.choice(people)
        own = grants.get(person.organisation_id or 0)
        camera = chance.choice(chance.choice(own)) if own and chance.random() < 0.5 else chance.randint(1, CAMERAS)
        action = chance.choice((Action.LIVE, Action.LIVE, Action.PLAYBACK, Action.PTZ))
        asked.append((person, action, camera, NOW + timedelta(minutes=chance.randint(0, 1000))))
    return asked


def in_memory(
    snapshot: RightsSnapshot, asked: list[tuple[Subject, Action, int, datetime]]
) -> tuple[float, float, list[bool]]:
    """Decisions per second by the wall clock and per second of processor time (best of three), and the answers."""
    decide = snapshot.decide
    wall = busy = float("inf")
    answers: list[bool] = []
    for _ in range(3):
        start, used = time.perf_counter(), time.thread_time()
        answers = [decide(*question).allowed for question in asked]
        wall, busy = min(wall, time.perf_counter() - start), min(busy, time.thread_time() - used)
    return len(asked) / wall, len(asked) / busy, answers


def in_sql(url: str, asked: list[tuple[Subject, Action, int, datetime]]) -> tuple[float, list[bool]]:
    answers: list[bool] = []
    with (
        psycopg.connect(plain_url(url), autocommit=True, prepare_threshold=1) as connection,
        connection.cursor() as cursor,
    ):
        start = time.perf_counter()
        for person, action, camera, at in asked:
            mask = int(action)
            row = cursor.execute(ONE, (camera, person.organisation_id, person.id, mask, mask, at, at)).fetchone()
            answers.append(bool(row and row[0]))
        return len(asked) / (time.perf_counter() - start), answers


async def pages(database: Database, asked: list[tuple[Subject, Action, int, datetime]], count: int) -> list[float]:
    """Seconds for the first 50 cameras by code that somebody may watch, through the SQL twin."""
    times: list[float] = []
    for person, _, _, at in asked[:count]:
        async with database.read() as session:
            start = time.perf_counter()
            page = select(Camera.id).where(visible(person, Action.LIVE, at)).order_by(Camera.code).limit(50)
            (await session.scalars(page)).all()
            times.append(time.perf_counter() - start)
    return sorted(times)


async def revocations(database: Database, follower: RightsFollower, count: int) -> list[float]:
    """Seconds from the commit of a revocation to the snapshot that knows of it."""
    waits: list[float] = []
    for grant in range(1, count + 1):
        epoch = follower.current().epoch
        async with database.unit() as uow:
            await service.end_rights(uow, basis="grant", basis_id=grant, code="revoked", reason="bench")
        start = time.perf_counter()
        await follower.reached(epoch + 1, timeout=30)
        waits.append(time.perf_counter() - start)
    return sorted(waits)


async def measure(server: EmbeddedPostgres, count: int) -> int:
    chance = random.Random(28181)
    grants = await asyncio.to_thread(fill, server.owner_url, chance)
    database = Database(server.url)
    follower = RightsFollower(server.url)
    try:
        await follower.start(wait=60)
        snapshot = follower.current()
        size = sum(len(cameras.serialize()) for cameras in snapshot.bitmaps.values()) / 2**20
        print(f"first load of all rights:        {follower.reload_seconds:.2f} s, bitmaps {size:.1f} MiB serialised")
        asked = questions(count, grants, chance)
        rate, busy_rate, answers = in_memory(snapshot, asked)
        few = asked[: max(1, count // 50)]
        sql_rate, sql_answers = await asyncio.to_thread(in_sql, server.url, few)
        if answers[: len(few)] != sql_answers:
            print("the two sides disagree")
            return 1
        print(
            f"decide() in memory:              {rate:,.0f}/s, {busy_rate:,.0f} per CPU second ({sum(answers) / len(answers):.0%} of {count:,} allowed)"
        )
        print(f"one indexed SQL query:           {sql_rate:,.0f}/s ({len(few):,} questions, same answers)")
        print(f"ratio, wall clock, one thread:   {rate / sql_rate:.0f}x")
        times = await pages(database, asked, 60)
        print(
            f"visible(), page of 50 by code:   median {statistics.median(times) * 1000:.0f} ms,"
            f" p95 {times[int(len(times) * 0.95)] * 1000:.0f} ms"
        )
        waits = await revocations(database, follower, 40)
        print(
            f"revocation committed to in force: median {statistics.median(waits) * 1000:.0f} ms,"
            f" p95 {waits[int(len(waits) * 0.95)] * 1000:.0f} ms"
        )
        sql = Baseline("一条带索引的 SQL", "one indexed SQL query", sql_rate)
        report(
            [
                Figure(
                    "decide",
                    "decide() 每秒判定次数（单线程）",
                    "decide() calls per second, one thread",
                    rate,
                    "/s",
                    sql,
                ),
                Figure(
                    "decide.cpu",
                    "decide() 每处理器秒判定次数",
                    "decide() calls per processor second",
                    busy_rate,
                    "/s",
                    headline=False,
                ),
                Figure(
                    "visible.median",
                    "visible() 取一页 50 台，中位数",
                    "visible(), a page of 50, median",
                    statistics.median(times) * 1000,
                    "ms",
                    headline=False,
                ),
                Figure(
                    "visible.p95",
                    "visible() 取一页 50 台，P95",
                    "visible(), a page of 50, p95",
                    quantile(times, 0.95) * 1000,
                    "ms",
                    headline=False,
                ),
                Figure(
                    "epoch.median",
                    "撤销提交到快照生效，中位数",
                    "revocation committed to in force in the snapshot, median",
                    statistics.median(waits) * 1000,
                    "ms",
                    headline=False,
                ),
                Figure(
                    "epoch.p95",
                    "撤销提交到快照生效，P95",
                    "revocation committed to in force in the snapshot, p95",
                    quantile(waits, 0.95) * 1000,
                    "ms",
                    headline=False,
                ),
            ]
        )
    finally:
        await follower.stop()
        await database.close()
    return 0


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    directory = Path(tempfile.mkdtemp(prefix="gongshi-bench-"))
    server = EmbeddedPostgres(directory)
    try:
        server.start()
        migrate(server.owner_url, APPLICATION)
        return asyncio.run(measure(server, count))
    finally:
        server.destroy()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
