"""`gongshi demo`: a sample city that runs on this machine, with simulated platforms and live pictures."""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import structlog

from gongshi.config import MediaSettings, Settings, SipSettings, WebSettings, load
from gongshi.db.embedded import EmbeddedPostgres
from gongshi.db.engine import plain_url
from gongshi.kit.errors import Conflict, Problem, Unavailable
from gongshi.kit.i18n import Lang, Text
from gongshi.kit.logging import configure
from gongshi.node import demo_city, ports
from gongshi.node.initialise import render
from gongshi.node.nursery import Nursery
from gongshi.node.roles.parts import stop_event
from gongshi.node.runtime import Runtime
from gongshi.node.serve import prepared_database, running_roles
from gongshi.node.supervisor import Supervisor

log = structlog.get_logger(__name__)

_WEB_PORT, _SIP_PORT = 8080, 5060
_PEERS_WITHIN = 150.0


def run(
    data: Path,
    ready_file: Path | None,
    *,
    port: int | None,
    sip_port: int | None,
    headless: bool,
    fresh: bool,
    lang: Lang,
    nursery: Nursery | None = None,
) -> None:
    """Start everything, say where it is, run until SIGINT or SIGTERM; the same data starts again where it was."""
    data = data.resolve()
    if fresh:
        # The cluster may stand elsewhere, and after the directory was removed by hand.
        EmbeddedPostgres(data).destroy()
        if data.exists():
            shutil.rmtree(data)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    log_file = data / "gongshi.log"
    # The terminal is for the person; what the processes say is kept beside the data.
    with _alone(data), _errors_to(log_file):
        configure("info", "json", role="demo")
        file = data / "gongshi.toml"
        settings = _settings(data, port, sip_port)
        ports.require(settings, {"web.port": "--port", "sip.port": "--sip-port"})
        file.touch(mode=0o600)
        file.write_text(render(settings), encoding="utf-8")
        runtime = Runtime.of(load(file))
        with prepared_database(runtime):
            asyncio.run(_run(runtime, file, ready_file, log_file, lang, nursery, headless=headless))


@contextlib.contextmanager
def _errors_to(file: Path) -> Generator[None]:
    """Standard error of this process and of all it starts goes to a file for the length of the block."""
    sys.stderr.flush()
    kept = os.dup(2)
    with file.open("ab") as output:
        os.dup2(output.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


@contextlib.contextmanager
def _alone(data: Path) -> Generator[None]:
    """One demonstration per data directory at a time."""
    with (data / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(
                Text(
                    f"{data} 上已有一个演示在运行；先停止它，或用 --data 换一个目录",
                    f"A demo already runs on {data}; stop it first or choose another --data",
                ),
                code="demo_running",
            ) from None
        yield


def _settings(data: Path, port: int | None, sip_port: int | None) -> Settings:
    """The settings of the last run, or fresh ones; ports that are taken are replaced unless asked for by number."""
    kept = data / "gongshi.toml"
    base = load(kept, {"GONGSHI_DATA": str(data)}) if kept.exists() else Settings(data=data)
    web_port = port or _free_port(base.web.port or _WEB_PORT, udp=False)
    chosen_sip = sip_port or _free_port(base.sip.port or _SIP_PORT, udp=True)
    return base.model_copy(
        update={
            "data": data,
            "web": WebSettings(host="127.0.0.1", port=web_port),
            "sip": SipSettings(host="127.0.0.1", port=chosen_sip, advertise="127.0.0.1"),
            "media": MediaSettings(host="127.0.0.1", advertise="127.0.0.1", rtp_ports=base.media.rtp_ports),
        }
    )


def _free_port(wanted: int, *, udp: bool) -> int:
    """That port if it is free, else any free one."""
    for candidate in (wanted, 0):
        with contextlib.ExitStack() as held:
            try:
                tcp = held.enter_context(socket.socket())
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tcp.bind(("127.0.0.1", candidate))
                found = tcp.getsockname()[1]
                if udp:
                    held.enter_context(socket.socket(type=socket.SOCK_DGRAM)).bind(("127.0.0.1", found))
            except OSError:
                continue
            return found
    raise Unavailable(Text("没有可用的端口", "No port is free"))


async def _run(
    runtime: Runtime,
    file: Path,
    ready_file: Path | None,
    log_file: Path,
    lang: Lang,
    nursery: Nursery | None,
    *,
    headless: bool,
) -> None:
    started = time.monotonic()
    stop = stop_event()
    database = runtime.database()
    try:
        known = await demo_city.seed(database, runtime.secrets.box, runtime.settings.data)
    finally:
        await database.close()
    async with running_roles(runtime, file, nursery, log_file) as supervisor:
        _start_platforms(supervisor, runtime, known)
        waiting = asyncio.create_task(_peers_online(runtime, log_file))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([waiting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            waiting.cancel()
            return
        waiting.result()
        ready = await asyncio.to_thread(_ready, runtime, known)
        if ready_file is not None:
            _write_ready(ready_file, ready)
        _tell(ready, runtime, log_file, lang, time.monotonic() - started, headless=headless)
        await stopping


def _start_platforms(supervisor: Supervisor, runtime: Runtime, known: Mapping[str, Any]) -> None:
    """The simulated platforms, each a process of its own."""
    directory = runtime.settings.data / "platforms"
    directory.mkdir(mode=0o700, exist_ok=True)
    passwords = {peer["code"]: peer["password"] for peer in known["peers"]}
    for peer in demo_city.simulated_peers():
        catalogue = directory / f"{peer.code}.json"
        catalogue.write_text(json.dumps(peer.catalogue(), ensure_ascii=False), encoding="utf-8")
        secret = directory / f"{peer.code}.password"
        secret.touch(mode=0o600)
        secret.write_text(passwords[peer.code], encoding="utf-8")
        sip = runtime.settings.sip
        arguments = [
            *(
                "simulate",
                "platform",
                "--host",
                sip.host,
                "--port",
                str(sip.port),
                "--code",
                peer.code,
                "--name",
                peer.name,
            ),
            *("--password-file", str(secret), "--catalog-file", str(catalogue)),
            *("--server-code", runtime.settings.node.code, "--transport", "tcp" if peer.transport == "tcp" else "udp"),
            *("--cache", str(runtime.settings.data / "clips")),
        ]
        supervisor.add(f"platform-{peer.code}", arguments)


async def _peers_online(runtime: Runtime, log_file: Path) -> None:
    """Return when every simulated platform is registered and its catalogue is in; raise saying which is not."""
    wanted = {peer.code: len(peer.cameras) for peer in demo_city.simulated_peers()}
    deadline = asyncio.get_running_loop().time() + _PEERS_WITHIN
    connection = await psycopg.AsyncConnection.connect(plain_url(runtime.database_url), autocommit=True)
    async with connection:
        while True:
            rows = await (await connection.execute(_ONLINE, [list(wanted)])).fetchall()
            missing = {code for code in wanted if dict(rows).get(code, -1) < wanted[code]}
            if not missing:
                return
            if asyncio.get_running_loop().time() > deadline:
                shown = ", ".join(sorted(missing))
                raise Unavailable(
                    Text(
                        f"模拟平台没有就绪：{shown}，详见日志 {log_file}",
                        f"Simulated platforms are not ready: {shown}; see {log_file}",
                    )
                )
            await asyncio.sleep(0.1)


_ONLINE = """
SELECT p.code, count(c.id) FROM signalling.peer p
JOIN signalling.binding b ON b.peer_id = p.id AND b.state = 'online' AND b.registered_at > now() - interval '1 hour'
LEFT JOIN signalling.channel c ON c.peer_id = p.id AND c.kind = 'device' AND c.gone_at IS NULL
WHERE p.code = ANY(%s) GROUP BY p.code
"""


_REGISTERED = """
SELECT c.code, o.name FROM registry.camera c JOIN registry.organisation o ON o.id = c.organisation_id
WHERE EXISTS (SELECT 1 FROM signalling.channel h WHERE h.code = c.code)
"""


def _ready(runtime: Runtime, known: Mapping[str, Any]) -> dict[str, Any]:
    """What design.md §10 promises in the ready file."""
    settings = runtime.settings
    registered = _registered(runtime)
    cameras = [
        {"code": sample.code, "name": sample.name, "organisation": registered[sample.code], "peer": peer.code}
        for peer in demo_city.simulated_peers()
        for sample in peer.cameras
        if sample.code in registered
    ]
    return {
        "url": f"http://127.0.0.1:{settings.web.port}",
        "sip": {
            "host": settings.sip.host,
            "port": settings.sip.port,
            "domain": settings.node.code[:10],
            "code": settings.node.code,
            "transports": list(settings.sip.transports),
        },
        "accounts": known["accounts"],
        "peers": known["peers"],
        "cameras": cameras,
        "pid": os.getpid(),
        # For a visitor who wants to alter a row and see the log notice; the file is closed to others.
        "database": {"url": runtime.database_url, "owner_url": runtime.owner_url},
        "config": str(settings.data / "gongshi.toml"),
        "samples": sorted(str(path) for path in (settings.data / "samples").glob("*")),
    }


def _registered(runtime: Runtime) -> dict[str, str]:
    """Code to organisation of every camera in the registry that a platform shows."""
    with psycopg.connect(plain_url(runtime.database_url)) as connection:
        return dict(connection.execute(_REGISTERED).fetchall())


def _write_ready(file: Path, ready: Mapping[str, Any]) -> None:
    """Whole or not at all: a script may be waiting for it."""
    work = file.with_name(file.name + ".part")
    work.touch(mode=0o600)
    work.write_text(json.dumps(ready, ensure_ascii=False, indent=1), encoding="utf-8")
    work.rename(file)


def _tell(
    ready: Mapping[str, Any], runtime: Runtime, log_file: Path, lang: Lang, seconds: float, *, headless: bool
) -> None:
    if headless:
        return
    lines = [
        Text(
            f"共视演示已就绪（{seconds:.1f} 秒）：{ready['url']}",
            f"The Gongshi demo is ready ({seconds:.1f} s): {ready['url']}",
        ),
        Text("账号（口令随机生成，仅本机有效）：", "Accounts (random passwords, for this machine only):"),
    ]
    for account in ready["accounts"]:
        shown = f"  {account['username']:<14} {account['password']:<20} {account['organisation']} · {account['role']}"
        lines.append(Text(shown, shown))
    lines += [
        Text("可上传的示例清单：", "Filled sample forms to upload:"),
        *(Text(f"  {path}", f"  {path}") for path in ready["samples"]),
        Text(
            f"国标信令 {ready['sip']['host']}:{ready['sip']['port']} · 平台编码 {ready['sip']['code']}",
            f"SIP {ready['sip']['host']}:{ready['sip']['port']} · code {ready['sip']['code']}",
        ),
        Text(
            f"空位设备 {demo_city.VISITOR_PEER[0]} 可供您自己的设备注册，口令见 {runtime.settings.data}/secrets/demo.json",
            f"Peer {demo_city.VISITOR_PEER[0]} is free for a device of yours; its password is in "
            f"{runtime.settings.data}/secrets/demo.json",
        ),
        Text(f"日志 {log_file} · 按 Ctrl+C 结束", f"Log {log_file} · Ctrl+C ends it"),
    ]
    sys.stdout.write("\n".join(line.pick(lang) for line in lines) + "\n")
    sys.stdout.flush()


__all__ = ["Problem", "run"]
