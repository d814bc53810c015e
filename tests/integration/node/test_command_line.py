"""What goes wrong outside the program is one readable sentence: place, cause, remedy, and never a traceback."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from conftest import renamed
from gongshi.config import DatabaseSettings, Settings
from gongshi.db.embedded import EmbeddedPostgres
from gongshi.node.initialise import render
from gongshi.node.runtime import Runtime

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def gongshi(
    *arguments: str | Path, cwd: Path, lang: str = "zh_CN.UTF-8", **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GONGSHI_", "LC_", "LANG"))}
    return subprocess.run(
        [sys.executable, "-m", "gongshi", *map(str, arguments)],
        cwd=cwd,
        env={**kept, "LC_ALL": lang, "PYTHONUTF8": "1", **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def refused(done: subprocess.CompletedProcess[str], *parts: str) -> str:
    """The one sentence (and its fields) of a refusal that is not a traceback."""
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("gongshi: ")
    for part in parts:
        assert part in done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, postgres: EmbeddedPostgres) -> Iterator[Path]:
    """The directory of a node with an empty log in a database that answers."""
    place = tmp_path_factory.mktemp("cli")
    name = f"cli_{os.getpid()}"
    admin = renamed(postgres.owner_url, "postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE gongshi").format(sql.Identifier(name)))
    url = renamed(postgres.owner_url, name)
    settings = Settings(data=place / "data", database=DatabaseSettings(url=url))
    Runtime.of(settings)
    text = render(settings).replace("[database]", f'[database]\nurl = "{url}"')
    (place / "gongshi.toml").write_text(text, encoding="utf-8")
    yield place
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_files_that_cannot_be_used(node: Path, tmp_path: Path) -> None:
    """Walks what a person mistypes; every sentence names the place in the language of the terminal."""
    standing = tmp_path / "standing"
    standing.write_text("x", encoding="utf-8")
    cases: list[tuple[tuple[str | Path, ...], str]] = [
        (("audit", "verify", "--file", "/nope"), "/nope"),
        (("audit", "verify", "--file", tmp_path), str(tmp_path)),
        (("audit", "verify", "--file", standing, "--key", "AAAA"), "AAAA"),
        (("audit", "verify", "--file", standing, "--witness", "/nope"), "/nope"),
        (("audit", "export", "/nope/x.jsonl"), "/nope"),
        (("audit", "export", tmp_path), str(tmp_path)),
        (("init", "--data", "/proc/x", "-c", tmp_path / "g.toml"), "/proc/x"),
        (("init", "--data", standing, "-c", tmp_path / "g.toml"), str(standing)),
        (("init", "--data", standing / "below", "-c", tmp_path / "g.toml"), str(standing)),
        (("user", "list", "-c", "/nope/gongshi.toml"), "/nope/gongshi.toml"),
        (("user", "list", "-c", standing), str(standing)),
    ]
    for number, (arguments, place) in enumerate(cases):
        lang = "en_GB.UTF-8" if number % 4 == 0 else "zh_CN.UTF-8"
        said = refused(gongshi(*arguments, cwd=node, lang=lang), place)
        assert bool(CHINESE.search(said)) == lang.startswith("zh"), said
    assert not (tmp_path / "g.toml").exists()


def test_a_database_that_cannot_be_used(node: Path, postgres: EmbeddedPostgres) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"127.0.0.1:{closed.getsockname()[1]}"
        for verb in (["user", "list"], ["serve"], ["audit", "verify"]):
            said = refused(
                gongshi(*verb, cwd=node, **address(f"postgresql://x:hidden@{nowhere}/none"), **free_ports()),
                nowhere,
                "没有数据库在监听",
            )
            assert "hidden" not in said
    absent = renamed(postgres.owner_url, "no_such_database")
    refused(gongshi("user", "list", cwd=node, **address(absent)), "no_such_database", "没有这个数据库")
    wrong = re.sub(r":[^:@]+@", ":wrong@", postgres.owner_url)
    assert "wrong" not in refused(gongshi("user", "list", cwd=node, **address(wrong)), "口令不对")
    empty = renamed(postgres.owner_url, "postgres")
    refused(gongshi("user", "list", cwd=node, **address(empty)), "gongshi database migrate")
    for broken in ("nonsense", "postgresql://u:p@h:port/x", "mysql://u:hidden@h/x"):
        assert "hidden" not in refused(gongshi("user", "list", cwd=node, **address(broken)), "database.url")


def address(url: str) -> dict[str, str]:
    return {"GONGSHI_DATABASE__URL": url}


def free_ports() -> dict[str, str]:
    return {"GONGSHI_WEB__PORT": "0", "GONGSHI_SIP__PORT": "0"}


def test_every_field_that_is_wrong_is_said(node: Path) -> None:
    add = ["user", "add"]
    refused(
        gongshi(*add, "zhang", "--organisation", "nope", "--role", "viewer", cwd=node), "organisation", "没有这个单位"
    )
    refused(gongshi("database", "seed", cwd=node, GONGSHI_WEB__PORT="many"), "web.port", "应为整数")
    assert gongshi("database", "seed", cwd=node).returncode == 0
    refused(gongshi(*add, "zhang", "--organisation", "police", "--role", "king", cwd=node), "king")
    refused(gongshi(*add, "a b;", "--organisation", "police", "--role", "viewer", cwd=node), "username", "用户名")
    both = ["--role", "auditor", "--role", "system_admin", "--role", "police_officer"]
    said = refused(gongshi(*add, "li", "--organisation", "education", *both, cwd=node))
    assert said.count("  - ") == 2, said
    refused(gongshi("user", "reset", "nobody", cwd=node), "nobody")
