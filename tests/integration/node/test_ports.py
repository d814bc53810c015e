"""A port that is taken is said before anything starts, by its number and by what to change."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gongshi.config import Settings, SipSettings, WebSettings
from gongshi.db.embedded import EmbeddedPostgres
from gongshi.kit.errors import Conflict, Unavailable
from gongshi.node import ports
from gongshi.node.initialise import render
from gongshi.node.runtime import Runtime
from gongshi.node.serve import wait_ready
from gongshi.node.supervisor import ROLES, Child, Supervisor
from support.demo import free_port


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen(1)
        yield holder.getsockname()[1]


def gongshi(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gongshi", *arguments],
        capture_output=True,
        text=True,
        # Below what a start takes: the refusal comes before it.
        timeout=60,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8", "GONGSHI_CONFIG": ""},
    )


def settings(data: Path, web: int, sip: int) -> Settings:
    return Settings(
        data=data, web=WebSettings(port=web), sip=SipSettings(host="127.0.0.1", port=sip, transports=["udp"])
    )


def test_every_port_that_cannot_be_used_is_named(tmp_path: Path, taken: int) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        sip = holder.getsockname()[1]
        with pytest.raises(Conflict) as caught:
            ports.require(settings(tmp_path, taken, sip), {"web.port": "--port"})
    first, second = caught.value.errors
    assert f"web.port 127.0.0.1:{taken}/tcp 已被占用" in first.message.zh
    assert "--port" in first.message.zh
    assert f"sip.port 127.0.0.1:{sip}/udp is in use" in second.message.en
    ports.require(settings(tmp_path, free_port(), free_port()))


def test_an_address_of_another_machine_is_no_traceback() -> None:
    assert ports.obstacle(ports.Wanted("web.port", "203.0.113.7", free_port(), socket.SOCK_STREAM))
    assert ports.obstacle(ports.Wanted("web.port", "no.such.name.invalid", 80, socket.SOCK_STREAM))


def test_a_demonstration_on_a_taken_port_ends_before_it_begins(tmp_path: Path, taken: int) -> None:
    data = tmp_path / "data"
    ended = gongshi("demo", "--headless", "--data", str(data), "--port", str(taken), "--sip-port", str(free_port()))
    assert ended.returncode == 1
    assert f"127.0.0.1:{taken}" in ended.stderr
    assert "--port" in ended.stderr
    assert not EmbeddedPostgres(data).cluster.exists()
    assert not (data / "gongshi.toml").exists()


def test_a_node_on_a_taken_port_ends_before_it_begins(tmp_path: Path, taken: int) -> None:
    file = tmp_path / "gongshi.toml"
    file.write_text(
        render(
            settings(tmp_path / "data", free_port(), taken).model_copy(
                update={"sip": SipSettings(host="127.0.0.1", port=taken)}
            )
        ),
        encoding="utf-8",
    )
    ended = gongshi("serve", "--config", str(file))
    assert ended.returncode == 1
    assert f"sip.port 127.0.0.1:{taken}/tcp" in ended.stderr
    assert not EmbeddedPostgres(tmp_path / "data").cluster.exists()


async def test_a_role_that_dies_again_and_again_is_not_waited_for(tmp_path: Path) -> None:
    supervisor = Supervisor()
    supervisor.children.update({role: Child(role, [], restarts=5) for role in ROLES})
    with pytest.raises(Unavailable) as caught:
        await wait_ready(Runtime.of(settings(tmp_path, 0, 0)), supervisor, tmp_path / "gongshi.log")
    assert str(tmp_path / "gongshi.log") in caught.value.detail.zh
    assert "5" in caught.value.detail.zh
    assert "秒" not in caught.value.detail.zh


async def test_how_long_was_waited_is_said_as_it_was(tmp_path: Path) -> None:
    supervisor = Supervisor()
    supervisor.children.update({role: Child(role, []) for role in ROLES})
    with pytest.raises(Unavailable) as caught:
        await wait_ready(Runtime.of(settings(tmp_path, 0, 0)), supervisor, within=0.1)
    assert "0 秒" in caught.value.detail.zh
