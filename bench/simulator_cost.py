"""What 24 cameras that stream at once cost the simulator's process, in cores.

The simulator runs as a process of its own; this one is the platform it registers with and the receiver of all streams.
Three figures: `first loop` is measured while the pictures are made for the first time (an empty cache), `after it` when
every camera repeats its loop and only the clocks are encoded, `again` in a new process that finds the clips on disk.

    .venv/bin/python bench/simulator_cost.py [CAMERAS]
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from _figures import Figure, report

from integration.simulator.upper import OpenCall, Upper

CODE = "34150200002000000001"
LOOP = 20
SETTLE = 6.0
MEASURE = 15.0
_RUN = "import typer; from gongshi.simulator.cli import platform; typer.run(platform)"


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its threads, Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Sink:
    """Counts what arrives on many ports, parsing nothing."""

    def __init__(self, count: int) -> None:
        self.packets = self.bytes = 0
        self.first: dict[int, float] = {}
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
        for sock in self.sockets:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            sock.bind(("127.0.0.1", 0))
            asyncio.get_running_loop().add_reader(sock.fileno(), self._read, sock)
        self.ports = [int(sock.getsockname()[1]) for sock in self.sockets]

    def _read(self, sock: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.bytes += len(sock.recv(65535))
                self.packets += 1
                self.first.setdefault(int(sock.getsockname()[1]), time.monotonic())

    def close(self) -> None:
        for sock in self.sockets:
            asyncio.get_running_loop().remove_reader(sock.fileno())
            sock.close()


async def measure(pid: int, sink: Sink, label: str, cameras: int) -> float:
    """Print and give the cores used over `MEASURE` seconds."""
    cpu, wall, octets, packets = cpu_seconds(pid), time.monotonic(), sink.bytes, sink.packets
    await asyncio.sleep(MEASURE)
    span = time.monotonic() - wall
    cores = (cpu_seconds(pid) - cpu) / span
    rate = (sink.bytes - octets) * 8 / span / 1e6
    print(
        f"{label:11s} {cores:5.2f} cores for {cameras} cameras ({cores / cameras * 100:4.1f} % of a core each), "
        f"{rate:5.1f} Mbit/s, {(sink.packets - packets) / span:6.0f} packets/s",
        flush=True,
    )
    return cores


async def run(upper: Upper, cache: Path, cameras: int, *, cold: bool) -> list[float]:
    """One process: register, open all cameras, measure."""
    upper.bound.clear()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _RUN, "--host", "127.0.0.1", "--port", str(upper.port), "--code", CODE,
        "--channels", str(cameras), "--cache", str(cache), "--prewarm", "0",
        env=os.environ | {"GONGSHI_SIMULATE_PASSWORD": upper.password}, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await asyncio.wait_for(upper.bound.wait(), 30)
    sink = Sink(cameras)
    asked: dict[int, float] = {}
    for index, port in enumerate(sink.ports):
        asked[port] = time.monotonic()
        channel = f"{CODE[:10]}1310{index + 1:06d}"
        call = await upper.invite(CODE, channel, port, sequence=f"05000{index + 1:05d}")
        assert isinstance(call, OpenCall), call
    results: list[float] = []
    if cold:
        results.append(await measure(process.pid, sink, "first loop", cameras))
        while len(list(cache.glob("*.h26*"))) < cameras * LOOP // 2:  # noqa: ASYNC110 -- files of another process
            await asyncio.sleep(1)
    await asyncio.sleep(SETTLE)
    waits = sorted(sink.first[port] - asked[port] for port in sink.ports)
    print(f"            first packet after INVITE: median {waits[cameras // 2]:.2f} s, slowest {waits[-1]:.2f} s")
    results.append(await measure(process.pid, sink, "after it" if cold else "again", cameras))
    process.send_signal(signal.SIGTERM)
    await process.wait()
    sink.close()
    return results


async def main(cameras: int) -> int:
    """All three figures; fails when the repeated loop costs a core or more."""
    cache = Path(tempfile.mkdtemp(prefix="gongshi-bench-"))
    try:
        async for upper in Upper().run():
            print(f"{cameras} cameras, 1280x720, 15 pictures/s, group of 2 s, one in eight H.265, RTP over UDP")
            results = await run(upper, cache, cameras, cold=True)
            size = sum(path.stat().st_size for path in cache.iterdir()) / 1e6
            print(f"            clips on disk: {size:.0f} MB")
            results += await run(upper, cache, cameras, cold=False)
            report(
                [
                    Figure(
                        "simulator",
                        f"模拟 {cameras} 路摄像机占用的处理器核数",
                        f"Cores that {cameras} simulated cameras take",
                        max(results[1:]),
                        "",
                        headline=False,
                    )
                ]
            )
            return int(max(results[1:]) >= 1)
    finally:
        shutil.rmtree(cache, ignore_errors=True)
    return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 24)))
