"""The embedded PostgreSQL through its life: first start, restart, crash, upgrade, and what can go wrong."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from gongshi.db import embedded
from gongshi.db.embedded import APPLICATION, DatabaseFailure, EmbeddedPostgres, packaged
from gongshi.node.migrate import migrate


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def node(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "data")
    yield server
    server.destroy()


def one(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def test_what_was_committed_is_there_after_a_restart(node: EmbeddedPostgres) -> None:
    node.start()
    with psycopg.connect(node.owner_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    node.stop()
    node.start()
    assert one(node.owner_url, "SELECT n FROM kept") == 7


def test_a_killed_server_recovers(node: EmbeddedPostgres) -> None:
    node.start()
    with psycopg.connect(node.owner_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    assert node.pid is not None
    os.kill(node.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while node.running and time.monotonic() < deadline:
        time.sleep(0.02)
    node.start()
    assert one(node.owner_url, "SELECT n FROM kept") == 7


def test_a_process_of_a_killed_server_is_gone_before_the_next_one_starts(node: EmbeddedPostgres) -> None:
    node.start()
    with psycopg.connect(node.owner_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
        backend = connection.info.backend_pid
        os.kill(backend, signal.SIGSTOP)
        assert node.pid is not None
        os.kill(node.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while node.running and time.monotonic() < deadline:
            time.sleep(0.02)
        node.start()
        state = Path(f"/proc/{backend}/stat")
        assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"
    assert one(node.owner_url, "SELECT n FROM kept") == 7


def test_a_server_that_outlived_its_node_is_taken_over(tmp_path: Path) -> None:
    first, second = EmbeddedPostgres(tmp_path / "data"), EmbeddedPostgres(tmp_path / "data")
    try:
        first.start()
        old = first.pid
        second.start()
        assert second.pid is not None
        assert second.pid != old
        assert one(second.url, "SELECT 1") == 1
    finally:
        second.stop()
        first.destroy()


def test_a_stale_lock_with_a_foreign_process_number_is_removed(node: EmbeddedPostgres) -> None:
    node.start()
    node.stop()
    (node.cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{node.cluster}\n0\n5432\n{node.socket}\n")
    node.start()
    assert one(node.url, "SELECT 1") == 1


def test_nobody_connects_without_a_password_or_over_the_network(node: EmbeddedPostgres) -> None:
    node.start()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://{APPLICATION}@/gongshi?host={node.socket}")
    assert one(node.owner_url, "SHOW listen_addresses") == ""
    rules = (node.cluster / "pg_hba.conf").read_text()
    assert " trust" not in "\n".join(line for line in rules.splitlines() if not line.startswith("#"))


def test_secrets_and_cluster_are_closed_to_others_and_parents_untouched(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    node = EmbeddedPostgres(home / "data")
    try:
        node.start()
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert stat.S_IMODE((home / "data").stat().st_mode) == 0o700
        assert stat.S_IMODE((home / "data/secrets/database.json").stat().st_mode) == 0o600
        assert stat.S_IMODE(node.cluster.stat().st_mode) == 0o700
        if os.geteuid() == 0:
            assert node.cluster.stat().st_uid != 0
    finally:
        node.destroy()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become an ordinary user; as one, every test here is it")
def test_as_an_ordinary_user_it_stays_in_the_data_directory(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The checkout may lie in a directory closed to others; the copy root made for its own server is open to all.
    reachable = postgres._binaries()
    monkeypatch.setattr(embedded, "packaged", lambda: reachable)
    base = Path(tempfile.mkdtemp(prefix="gongshi-ordinary-"))
    base.chmod(0o755)
    os.chown(base, 65534, 65534)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            node = EmbeddedPostgres(base / "data")
            node.start()
            inside = node.cluster.is_relative_to(base) and one(node.url, "SELECT 1") == 1
            node.destroy()
            code = 0 if inside else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    shutil.rmtree(base)
    assert os.waitstatus_to_exitcode(status) == 0


def test_an_older_cluster_is_upgraded_with_its_data(node: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    found = packaged()
    older = min(found)
    assert older < max(found), "the package carries only one version to try with"
    with monkeypatch.context() as patch:
        patch.setattr(embedded, "packaged", lambda: {older: found[older]})
        node.start()
        with psycopg.connect(node.owner_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
        node.stop()
    assert (node.cluster / "PG_VERSION").read_text().strip() == str(older)
    node.start()
    assert str(one(node.owner_url, "SHOW server_version")).startswith(str(max(found)))
    assert one(node.owner_url, "SELECT n FROM kept") == 7


def test_a_cluster_of_an_unknown_version_is_refused_untouched(node: EmbeddedPostgres) -> None:
    node.start()
    node.stop()
    (node.cluster / "PG_VERSION").write_text("11\n")
    with pytest.raises(DatabaseFailure, match="PostgreSQL 11"):
        node.start()
    (node.cluster / "PG_VERSION").write_text("18\n")
    node.start()
    assert one(node.url, "SELECT 1") == 1


def test_a_full_disk_is_said_before_anything_is_written(
    node: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded.shutil, "disk_usage", lambda _: Usage(10**9, 10**9 - 1024, 1024))
    with pytest.raises(DatabaseFailure, match="nearly full"):
        node.start()
    assert not node.cluster.exists()


def test_a_failed_first_start_leaves_no_half_cluster(node: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    real = EmbeddedPostgres._run

    def failing(server: EmbeddedPostgres, arguments: Sequence[str | Path], *, cwd: Path | None = None) -> None:
        (server.cluster / "PG_VERSION").write_text("18\n")
        real(server, ["/bin/sh", "-c", "echo no space left on device >&2; exit 1"], cwd=cwd)

    with monkeypatch.context() as patch:
        patch.setattr(EmbeddedPostgres, "_run", failing)
        with pytest.raises(DatabaseFailure, match="no space left"):
            node.start()
    node.start()
    assert one(node.url, "SELECT 1") == 1


def test_a_deep_data_directory_still_gets_a_short_socket_path(tmp_path: Path) -> None:
    node = EmbeddedPostgres(tmp_path / ("d" * 60) / ("e" * 60))
    try:
        node.start()
        assert len(str(node.socket / ".s.PGSQL.5432")) <= 100
        assert one(node.url, "SELECT 1") == 1
    finally:
        node.destroy()


def test_the_application_may_not_change_or_delete_entries(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        for statement in ("UPDATE audit.entry SET action = 'x'", "DELETE FROM audit.entry", "TRUNCATE audit.leaf"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_two_nodes_may_migrate_at_once(node: EmbeddedPostgres) -> None:
    node.start()
    code = "import sys; from gongshi.node.migrate import migrate; migrate(sys.argv[1], sys.argv[2])"
    running = [subprocess.Popen([sys.executable, "-c", code, node.owner_url, APPLICATION]) for _ in range(2)]
    assert [child.wait(60) for child in running] == [0, 0]
    migrate(node.owner_url, APPLICATION)
