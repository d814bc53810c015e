"""A demonstration node as a process of its own, driven the way a visitor's script would drive it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import httpx


def free_port() -> int:
    """A port that nobody uses now, outside the range of RTP."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Demo:
    """`gongshi demo --headless` on free ports; everything known comes from its ready file."""

    def __init__(self, directory: Path, *, within: float = 150.0) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.ready_file = directory / "ready.json"
        self._within = within
        self._process: subprocess.Popen[bytes] | None = None
        self.ready: dict[str, Any] = {}
        self.seconds_to_ready = 0.0
        self._clients: list[httpx.Client] = []

    def start(self) -> Self:
        """Returns when the ready file is there; fails with the end of the log otherwise."""
        self.ready_file.unlink(missing_ok=True)
        begun = time.monotonic()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gongshi", "demo", "--headless", "--data", str(self.data)),
                *("--ready-file", str(self.ready_file)),
                # Ports of its own: two demos that begin together would both find the usual ones free.
                *("--port", str(free_port()), "--sip-port", str(free_port())),
            ],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "GONGSHI_CONFIG": ""},
        )
        while not self.ready_file.exists():
            ended = self._process.poll() is not None
            if ended or time.monotonic() - begun > self._within:
                self.stop()
                raise AssertionError(f"the demo is not ready: {self.log_tail()}")
            time.sleep(0.05)
        self.seconds_to_ready = time.monotonic() - begun
        self.ready = json.loads(self.ready_file.read_text(encoding="utf-8"))
        return self

    def stop(self) -> int:
        """Ends it as a service manager would; the exit code."""
        while self._clients:
            self._clients.pop().close()
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the demo did not end: {self.log_tail()}") from None

    def log_tail(self, size: int = 6000) -> str:
        log = self.data / "gongshi.log"
        return log.read_text(encoding="utf-8", errors="replace")[-size:] if log.exists() else "no log"

    @property
    def url(self) -> str:
        return self.ready["url"]

    @property
    def config(self) -> Path:
        return self.data / "gongshi.toml"

    def account(self, username: str) -> dict[str, str]:
        return next(a for a in self.ready["accounts"] if a["username"] == username)

    def client(self, username: str) -> httpx.Client:
        """A script's client: logged in with a bearer token."""
        client = httpx.Client(base_url=f"{self.url}/api/v1", timeout=30, headers={"Accept-Language": "zh-CN"})
        self._clients.append(client)
        account = self.account(username)
        answer = client.post("/login", json={"username": username, "password": account["password"]})
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        return client

    def cli(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """One command line verb against this node."""
        return subprocess.run(
            [sys.executable, "-m", "gongshi", *arguments, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def sample(self, part: str) -> Path:
        """A filled form whose name contains `part`."""
        return Path(next(path for path in self.ready["samples"] if part in path))


def wait_for(condition: Any, *, within: float = 10.0, what: str = "the condition") -> Any:
    """The first true answer of `condition()`; fails after `within` seconds."""
    end = time.monotonic() + within
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {within} s")
        time.sleep(0.05)
