"""What it costs the database that registrations survive a restart: our write-behind against Kamailio's.

    python bench/sip_persistence.py

Method: 1,000 registrations a second of 5,000 devices, twice around: first each is new to the table, then each renews.
Both write to the same PostgreSQL server, each into its own database: we by COPY and one statement at most twice a
second, Kamailio row by row every second (db_mode 2, timer_interval 1). Counted is the CPU time of all PostgreSQL
processes until everything is written, per registration, less what they use when nothing happens.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from _figures import Baseline, Figure, report
from _sip_load import Load, apart, children, cpu
from _sip_servers import KAMAILIO_LINE, fill, has_kamailio, kamailio, serve
from sqlalchemy.engine import make_url

from gongshi.db.embedded import APPLICATION, EmbeddedPostgres
from gongshi.db.engine import plain_url
from gongshi.node.migrate import migrate

DEVICES, RATE, IDLE = 5_000, 1_000.0, 3.0
_SCRIPTS = Path("/usr/share/kamailio/postgres")


def postmaster(url: str) -> int:
    """The process that all others of the server are children of."""
    with psycopg.connect(plain_url(url)) as connection:
        stat = Path(f"/proc/{connection.info.backend_pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def rounds(load: Load, pid: int, written: object) -> list[float]:
    """Database CPU microseconds per registration: first, then renewed."""
    assert callable(written)
    watched = lambda: cpu(children(pid))  # noqa: E731 -- processes come and go
    start, moment = watched(), time.monotonic()
    time.sleep(IDLE)
    idle = (watched() - start) / (time.monotonic() - moment)
    found: list[float] = []
    for _ in range(2):
        before, moment = watched(), time.monotonic()
        run = load.pace("register", RATE, count=DEVICES)
        assert not run.refused
        written()
        found.append((watched() - before - idle * (time.monotonic() - moment)) / DEVICES * 1e6)
    return found


def tables(url: str) -> str:
    """A database with Kamailio's own tables for its bindings; its address."""
    admin = make_url(url).set(drivername="postgresql")
    with psycopg.connect(
        admin.set(database="postgres").render_as_string(hide_password=False), autocommit=True
    ) as setup:
        setup.execute("CREATE DATABASE kamailio")
    made = admin.set(database="kamailio").render_as_string(hide_password=False)
    with psycopg.connect(made) as connection:
        for name in ("standard-create.sql", "usrloc-create.sql"):
            text = (_SCRIPTS / name).read_text()
            connection.execute(text.encode())
    # Its module knows no socket directories, the library below it does.
    os.environ["PGHOST"] = str(admin.query.get("host", ""))
    return f"postgres://{admin.username}:{admin.password}@/kamailio"


def main() -> int:
    print(__doc__)
    if not has_kamailio() or not (_SCRIPTS / "usrloc-create.sql").exists():
        print(f"Kamailio with its PostgreSQL module is not here. To compare, type:\n  {KAMAILIO_LINE}\n")
    apart()
    directory = Path(tempfile.mkdtemp(prefix="gs"))
    try:
        with EmbeddedPostgres(directory) as postgres:
            migrate(postgres.owner_url, APPLICATION)
            asyncio.run(fill(postgres.url, DEVICES))
            pid = postmaster(postgres.owner_url)
            with serve(postgres.url) as own:
                load = Load(own.port, DEVICES)
                load.pace("register", RATE, count=DEVICES)
                own.ask("settle")
                # Arrivals are events and entries too; what is compared is the binding alone.
                ours = rounds(load, pid, lambda: own.ask("settle"))
            theirs: list[float] = []
            if has_kamailio():
                url = tables(postgres.owner_url)
                watched = (
                    make_url(postgres.owner_url)
                    .set(drivername="postgresql", database="kamailio")
                    .render_as_string(hide_password=False)
                )
                with kamailio(own.port + 1, url, every=1) as other, psycopg.connect(watched, autocommit=True) as watch:

                    def written() -> None:
                        done = b"SELECT count(*) FROM location WHERE last_modified > now() - interval '1 hour'"
                        last = -1
                        while (found := (watch.execute(done).fetchone() or (0,))[0]) < DEVICES or found != last:
                            last = found
                            time.sleep(1.5)

                    theirs = rounds(Load(other.port, DEVICES), pid, written)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"database CPU microseconds per registration: ours {ours}, Kamailio {theirs or 'not measured'}")
    base = Baseline("Kamailio 写回", "Kamailio write-back", theirs[1]) if theirs else None
    report(
        [
            Figure(
                "sip_persistence",
                "一次注册刷新占用的数据库处理器时间",
                "database CPU for one refreshed registration",
                ours[1],
                "µs",
                base,
                headline=False,
            )
        ]
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
