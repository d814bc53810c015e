"""`gongshi doctor`: what a person would check first when something does not work, with the remedy."""

import asyncio
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import psycopg

from gongshi.config import Settings
from gongshi.db.embedded import MINIMUM_FREE
from gongshi.db.engine import plain_url
from gongshi.kit.errors import Problem
from gongshi.kit.i18n import Lang, Text
from gongshi.node import ports
from gongshi.node.migrate import pending
from gongshi.node.runtime import ROLE_NAMES, Runtime
from gongshi.node.serve import answers
from gongshi.node.supervisor import ROLES

State = Literal["ok", "warning", "error"]
_MARKS: dict[State, str] = {"ok": "✓", "warning": "!", "error": "✗"}
_GOOD_RECEIVE_BUFFER = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the answer."""

    state: State
    what: Text


def run(settings: Settings, lang: Lang, write: Callable[[str], object] = print) -> int:
    """Print every check; the exit code is 1 when one of them is an error."""
    worst = 0
    for check in checks(settings):
        write(f"{_MARKS[check.state]} {check.what.pick(lang)}")
        worst = max(worst, 1 if check.state == "error" else 0)
    return worst


def checks(settings: Settings) -> Iterator[Check]:
    """All checks in the order a person would make them; what needs the node's keys only when they are there."""
    yield _python()
    yield _receive_buffer()
    yield _pages()
    try:
        runtime = Runtime.of(settings)
    except Problem as problem:
        yield Check("error", problem.detail)
        return
    yield _space(settings.data)
    yield from _permissions(settings.data / "secrets")
    running = [role for role in ROLES if asyncio.run(answers(runtime, role))]
    if not running:
        yield from _ports(runtime)
        yield Check("warning", Text("节点没有在运行（gongshi serve）", "The node is not running (gongshi serve)"))
    else:
        for role in ROLES:
            yield _role(role, role in running)
    if running or runtime.embedded is None:
        yield _database(runtime)


def _python() -> Check:
    shown = ".".join(str(n) for n in sys.version_info[:3])
    return Check("ok", Text(f"Python {shown}", f"Python {shown}"))


def _space(data: Path) -> Check:
    free = shutil.disk_usage(data).free
    megabytes = free // 2**20
    if free < MINIMUM_FREE:
        return Check(
            "error",
            Text(f"{data} 仅剩 {megabytes} MB，请清理磁盘", f"{data} has only {megabytes} MB left; free some space"),
        )
    return Check("ok", Text(f"数据目录 {data} 剩余 {megabytes} MB", f"{data} has {megabytes} MB left"))


def _permissions(directory: Path) -> Iterator[Check]:
    for file in sorted(directory.glob("*")):
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            yield Check(
                "error",
                Text(
                    f"密钥文件 {file} 可被他人读取：chmod 600 {file}", f"{file} can be read by others: chmod 600 {file}"
                ),
            )


def _receive_buffer() -> Check:
    limit = int(Path("/proc/sys/net/core/rmem_max").read_text())
    if limit < _GOOD_RECEIVE_BUFFER:
        return Check(
            "warning",
            Text(
                f"net.core.rmem_max = {limit}，大关键帧可能丢包：sysctl -w net.core.rmem_max={_GOOD_RECEIVE_BUFFER}",
                f"net.core.rmem_max = {limit}: bursts may be lost; sysctl -w net.core.rmem_max={_GOOD_RECEIVE_BUFFER}",
            ),
        )
    return Check("ok", Text("网络接收缓冲区足够", "Network receive buffers are large enough"))


def _pages() -> Check:
    if (files("gongshi") / "web_dist" / "index.html").is_file():
        return Check("ok", Text("网页已构建", "The pages are built"))
    return Check("error", Text("网页尚未构建：make web", "The pages are not built: make web"))


def _ports(runtime: Runtime) -> Iterator[Check]:
    for port in ports.wanted(runtime.settings):
        reason = ports.obstacle(port)
        if reason is None:
            yield Check("ok", Text(f"{port.shown} 可用", f"{port.shown} is free"))
        else:
            yield Check(
                "error",
                Text(
                    f"{port.shown} {reason.zh}，请换端口或停止占用它的程序",
                    f"{port.shown} {reason.en}; change it or stop what holds it",
                ),
            )


def _role(role: str, up: bool) -> Check:
    name = ROLE_NAMES[role]
    if up:
        return Check("ok", Text(f"{name.zh}正常", f"The {name.en} answers"))
    return Check("error", Text(f"{name.zh}没有响应，请查看日志", f"The {name.en} does not answer; see the log"))


def _database(runtime: Runtime) -> Check:
    try:
        with psycopg.connect(plain_url(runtime.database_url), connect_timeout=5) as connection:
            row = connection.execute("SHOW server_version").fetchone()
        missing = pending(runtime.owner_url)
    except (psycopg.Error, Problem) as error:
        return Check("error", Text(f"数据库无法连接：{error}", f"The database cannot be reached: {error}"))
    if missing:
        return Check(
            "error",
            Text("数据库结构需要升级：gongshi database migrate", "The database needs: gongshi database migrate"),
        )
    shown = row[0] if row else "?"
    return Check("ok", Text(f"数据库 PostgreSQL {shown}，结构最新", f"PostgreSQL {shown}, schema up to date"))
