"""A demonstration node as a process of its own, for measurements: start it, talk to it, end it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from gongshi.db.embedded import EmbeddedPostgres

WITHIN = 180.0


class Demo:
    """`gongshi demo --headless` on a data directory of its own, removed at the end of the block."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="gsb-"))
        self.data = self.directory / "data"
        self.ready: dict[str, Any] = {}
        self._environment = {**os.environ, "GONGSHI_CONFIG": "", **(environment or {})}
        # Not the usual ones: a demo of whoever sits at this machine may hold them.
        self._port, self._sip_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: list[httpx.Client] = []

    def start(self) -> tuple[float, float]:
        """Seconds from the start of the process to the ready file, and the time of its children's processors so far."""
        file = self.directory / "ready.json"
        file.unlink(missing_ok=True)
        begun = time.monotonic()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gongshi", "demo", "--headless", "--data", str(self.data)),
                *("--ready-file", str(file), "--port", str(self._port), "--sip-port", str(self._sip_port)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=self._environment,
        )
        while not file.exists():
            if self._process.poll() is not None or time.monotonic() - begun > WITHIN:
                self.stop()
                raise SystemExit(f"the demo is not ready:\n{self._log()}")
            time.sleep(0.01)
        seconds = time.monotonic() - begun
        self.ready = json.loads(file.read_text(encoding="utf-8"))
        return seconds, sum(_busy(pid) for pid in family(self._process.pid))

    def stop(self) -> None:
        """End it as a service manager would, and wait."""
        while self._clients:
            self._clients.pop().close()
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise SystemExit(f"the demo did not end:\n{self._log()}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            EmbeddedPostgres(self.data).destroy()
            shutil.rmtree(self.directory, ignore_errors=True)

    def client(self, username: str) -> httpx.Client:
        """A script's client, logged in."""
        client = httpx.Client(base_url=f"{self.ready['url']}/api/v1", timeout=60)
        self._clients.append(client)
        self.log_in(client, username)
        return client

    def log_in(self, client: httpx.Client, username: str) -> None:
        """Give that client the account's token."""
        account = next(a for a in self.ready["accounts"] if a["username"] == username)
        token = checked(client.post("/login", json={k: account[k] for k in ("username", "password")}))["token"]
        client.headers["Authorization"] = f"Bearer {token}"

    def _log(self) -> str:
        log = self.data / "gongshi.log"
        return log.read_text(encoding="utf-8", errors="replace")[-4000:] if log.exists() else "no log"


def free_port() -> int:
    """A TCP port that nobody holds at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def checked(answer: httpx.Response) -> Any:
    """The answer's content; anything but success ends the measurement."""
    if not answer.is_success:
        raise SystemExit(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:400]}")
    return answer.json() if answer.content else None


def family(pid: int) -> list[int]:
    """A process and everything that descends from it, Linux."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += family(int(child))
    return found


def _busy(pid: int) -> float:
    """Processor seconds of a process and of the children it has waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
