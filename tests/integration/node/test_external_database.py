"""`database.url` of a PostgreSQL that is not ours: Debian's own server, started for this test."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from gongshi.config import Settings
from gongshi.node.initialise import render
from gongshi.node.migrate import migrate, pending
from gongshi.node.runtime import Runtime

OWNER, APPLICATION = "city_owner", "city_app"


def debian_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    assert found, "Debian's PostgreSQL is missing: apt-get install postgresql"
    return found[-1]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Host directory of a fresh Debian cluster with an owner role and an application role."""
    programs = debian_programs()
    base = Path(tempfile.mkdtemp(prefix="gongshi-debian-"))
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    user, group = (account.pw_uid, account.pw_gid) if account else (None, None)
    groups: list[str | int] | None = [] if account else None
    if account:
        os.chown(base, account.pw_uid, account.pw_gid)
    subprocess.run(
        [programs / "initdb", "-D", base / "c", "-U", "admin", "--auth=trust", "-E", "UTF8", "--locale=C"],
        check=True,
        capture_output=True,
        cwd=base,
        user=user,
        group=group,
        extra_groups=groups,
    )
    process = subprocess.Popen(
        [programs / "postgres", "-D", base / "c", "-k", base, "-c", "listen_addresses="],
        cwd=base,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=user,
        group=group,
        extra_groups=groups,
    )
    try:
        admin = f"postgresql://admin@/postgres?host={base}"
        deadline = time.monotonic() + 20
        while True:
            try:
                connection = psycopg.connect(admin, autocommit=True)
                break
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        with connection:
            connection.execute(f"CREATE ROLE {OWNER} LOGIN".encode())
            connection.execute(f"CREATE ROLE {APPLICATION} LOGIN".encode())
            connection.execute(f"CREATE DATABASE city OWNER {OWNER}".encode())
        yield str(base)
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(base)


def settings(server: str, data: Path) -> Settings:
    return Settings.model_validate(
        {
            "data": data,
            "database": {
                "url": f"postgresql://{APPLICATION}@/city?host={server}",
                "owner_url": f"postgresql://{OWNER}@/city?host={server}",
            },
        }
    )


def test_an_external_server_is_migrated_and_the_log_is_insert_only(server: str, tmp_path: Path) -> None:
    runtime = Runtime.of(settings(server, tmp_path / "data"))
    assert runtime.embedded is None
    assert runtime.application_role == APPLICATION
    migrate(runtime.owner_url, runtime.application_role)
    assert pending(runtime.owner_url) == []
    with psycopg.connect(runtime.database_url, autocommit=True) as connection:
        row = connection.execute("SELECT value FROM access.epoch").fetchone()
        assert row is not None
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM audit.entry")


def test_a_node_serves_from_an_external_server(server: str, tmp_path: Path) -> None:
    base = settings(server, tmp_path / "data")
    configured = base.model_copy(
        update={
            "web": base.web.model_copy(update={"port": 18931}),
            "sip": base.sip.model_copy(update={"host": "127.0.0.1", "port": 18932}),
        }
    )
    file = tmp_path / "gongshi.toml"
    extra = f'url = "{configured.database.url}"\nowner_url = "{configured.database.owner_url}"\n'
    file.write_text(render(configured).replace("[database]", "[database]\n" + extra + "#"), encoding="utf-8")
    seeded = subprocess.run(
        [sys.executable, "-m", "gongshi", "database", "migrate", "--config", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert seeded.returncode == 0, seeded.stderr
    process = subprocess.Popen([sys.executable, "-m", "gongshi", "serve", "--config", str(file)])
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                answer = httpx.get("http://127.0.0.1:18931/readyz", timeout=5)
                if answer.status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert answer.json()["parts"]["database"] == "ok"
    finally:
        process.terminate()
        assert process.wait(30) == 0
    assert not (tmp_path / "data" / "postgres").exists()
