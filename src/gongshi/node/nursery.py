"""Starts processes of a node by forking one that has loaded their code already.

Six processes of a demonstration would each spend two to five seconds of a core on the same imports; here they are
paid once, while the database starts. What comes out is a direct child of the supervisor, as if it had been executed:
same command line in `ps`, same signals, same end when the supervisor dies. Nothing depends on the nursery: when it
cannot do it (`NoNursery`), the supervisor executes the command instead.

Forking is safe only while the process has one thread and no connection. So the nursery loads modules and does nothing
else, leaves out those that start threads when imported (polars), and refuses to serve when it finds a second thread.

This module is the program too: `python -m gongshi.node.nursery MODULE...`, a Unix socket as its standard input.
"""

import asyncio
import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LARGEST = 65536
_PATIENCE = 60.0
_ROOM = "-" * 1000
"""Keeps room for the command lines of the children, see `_entitle`."""

COMMON = (
    "gongshi.cli",
    "gongshi.node.roles.media",
    "gongshi.node.roles.signal",
    "gongshi.db.jobs",
    "gongshi.audit.sequencer",
    "gongshi.identity.api",
    "gongshi.registry.api",
    "gongshi.sharing.api",
    "gongshi.audit.api",
    "gongshi.media.api",
    "gongshi.signalling.api",
    "docx",
    "numpy",
    "openpyxl",
    "pypinyin",
    "uvicorn",
)
"""What the roles load. The doors of inventory stay out: its rules are polars', which starts threads when imported."""
DEMONSTRATION = (*COMMON, "gongshi.simulator.cli")


class NoNursery(Exception):
    """The nursery cannot start processes; the text says why."""


class ForkedProcess:
    """A child that the nursery made; has of `asyncio.subprocess.Process` what a supervisor uses."""

    def __init__(self, pid: int) -> None:
        # Raises unless it is our child, as on a kernel that knows no subreapers.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        self.pid = pid
        self.returncode: int | None = None
        self._descriptor = os.pidfd_open(pid)
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._descriptor, self._collect)

    async def wait(self) -> int:
        """The exit status; negative for the signal that ended it."""
        await self._ended.wait()
        return self.returncode or 0

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.returncode is None:
            signal.pidfd_send_signal(self._descriptor, number)

    def _collect(self) -> None:
        _, status = os.waitpid(self.pid, os.WNOHANG)
        self.returncode = os.waitstatus_to_exitcode(status)
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._ended.set()


class Nursery:
    """The supervisor's end. Starting it costs nothing; it loads in parallel until the first `fork` needs it."""

    def __init__(self, modules: Sequence[str]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self._socket = ours
        self._turn = asyncio.Lock()
        self._nothing = os.open(os.devnull, os.O_RDONLY)
        self._broken = ""
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gongshi.node.nursery", _ROOM, *modules],
                stdin=theirs.fileno(),
                # No linear algebra in any role: the second thread would only forbid forking.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                preexec_fn=lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM),  # noqa: PLW1509 -- nothing else runs yet
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    async def fork(self, arguments: Sequence[str], environment: Mapping[str, str]) -> ForkedProcess:
        """Run `gongshi ARGUMENTS` in that environment as a child of this process. Raises `NoNursery`.

        Its standard output goes where errors go: standard output is for the person who typed the command.
        """
        async with self._turn:
            if not self._broken:
                try:
                    return await self._fork(arguments, environment)
                except (OSError, TimeoutError, ValueError) as error:
                    # An answer that comes late would be taken for that of the next request.
                    self._broken = repr(error)
                    self._process.kill()
            raise NoNursery(self._broken)

    async def _fork(self, arguments: Sequence[str], environment: Mapping[str, str]) -> ForkedProcess:
        request = json.dumps({"arguments": list(arguments), "environment": dict(environment), "parent": os.getpid()})
        with _adopting():
            socket.send_fds(self._socket, [request.encode()], [self._nothing, 2, 2])
            async with asyncio.timeout(_PATIENCE):
                pid = int(await asyncio.get_running_loop().sock_recv(self._socket, 64))
        return ForkedProcess(pid)

    def close(self) -> None:
        """End the nursery; what it made lives on."""
        self._socket.close()
        os.close(self._nothing)
        self._process.terminate()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _prctl(option: int, value: int) -> None:
    """The ones used here cannot fail on Linux; where they do nothing, `fork` notices."""
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


@contextlib.contextmanager
def _adopting() -> Generator[None]:
    """Children of the nursery's children become ours; orphans of the roles must not, so only for this moment."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        _prctl(_PR_SET_CHILD_SUBREAPER, 0)


# -- the program ------------------------------------------------------------------------------


def main(modules: Sequence[str]) -> None:
    """Load, then fork on request until the supervisor closes its end. In a child: be that child to its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in modules:
        importlib.import_module(module)
    threads = sum(1 for _ in Path("/proc/self/task").iterdir())
    if threads > 1:
        message = f"nursery: {threads} threads after loading; forking would not be safe"
        raise SystemExit(message)
    gc.collect()
    gc.freeze()
    _entitle([sys.executable, "-m", "gongshi.node.nursery"])
    with socket.socket(fileno=os.dup(0)) as door:
        while True:
            content, descriptors, _, _ = socket.recv_fds(door, _LARGEST, 3)
            if not content:
                return
            pid = _grandchild()
            if pid == 0:
                break
            for descriptor in descriptors:
                os.close(descriptor)
            door.send(str(pid).encode())
    _become(json.loads(content), descriptors)


def _grandchild() -> int:
    """Fork twice, so that the child's parent is gone and the supervisor inherits it; 0 in the child."""
    reading, writing = os.pipe()
    between = os.fork()
    if between == 0:
        os.close(reading)
        pid = os.fork()
        if pid == 0:
            os.close(writing)
            return 0
        os.write(writing, str(pid).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        pid = int(answer.read())
    # After this the child belongs to the supervisor, which may now wait for it.
    os.waitpid(between, 0)
    return pid


def _become(request: Mapping[str, Any], descriptors: Sequence[int]) -> None:
    """Be `gongshi ARGUMENTS` from now on, to the end that the command line gives it."""
    _belong_to(int(request["parent"]))
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["gongshi", *request["arguments"]]
    _entitle([sys.executable, "-m", *sys.argv])
    importlib.import_module("gongshi.cli").main()


def _belong_to(parent: int) -> None:
    """Wait until the supervisor is our parent, then end with it."""
    deadline = time.monotonic() + 5
    while os.getppid() != parent:
        if time.monotonic() > deadline:
            raise SystemExit(1)
        select.select([], [], [], 0.001)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit(1)


def _entitle(words: Sequence[str]) -> None:
    """Show another command line in `ps` and /proc: written over the one this process was started with."""
    fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    shown = b"\0".join(word.encode() for word in words) + b"\0"
    if 0 < start < end:
        ctypes.memmove(start, shown[: end - start - 1].ljust(end - start, b"\0"), end - start)


if __name__ == "__main__":
    main(sys.argv[2:])
