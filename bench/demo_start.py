"""Seconds from `gongshi demo` to everything answering: from nothing, and again on the same data.

    python bench/demo_start.py [ROUNDS]

Method: ROUNDS times (3 by default) a fresh data directory: initdb, migrations, seed, four roles, two simulated
platforms registered, their catalogues in; then stopped and started again on what is there. The clock runs from the
start of the process to the ready file; processor seconds are those of the whole family of processes up to then. What
`make demo` does before that (is everything fetched and built?) is measured apart. The baseline is the same machine
importing one role's code in one process: what no start of this program can be faster than.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from _demo import Demo
from _figures import Baseline, Figure, report

ROOT = Path(__file__).resolve().parent.parent
BOOT = ROOT / "scripts" / "bootstrap.py"


def timed(*command: str) -> float:
    """Wall clock of a program that must succeed."""
    begun = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begun


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    cold: list[float] = []
    again: list[float] = []
    busy: list[float] = []
    imports = [timed(sys.executable, "-c", "import gongshi.node.roles.web") for _ in range(rounds)]
    for _ in range(rounds):
        with Demo() as demo:
            cold.append(demo.start()[0])
            demo.stop()
            seconds, used = demo.start()
            again.append(seconds)
            busy.append(used)
            print(f"from nothing {cold[-1]:.1f} s, again {seconds:.1f} s ({used:.1f} processor seconds)", flush=True)
    # Twice, because the first may have something to fetch or build when the checkout has changed.
    timed(sys.executable, str(BOOT), "runtime", "web")
    checks = [timed(sys.executable, str(BOOT), "runtime", "web") for _ in range(rounds)]
    floor = statistics.median(imports)
    base = Baseline("仅导入门户进程代码", "importing the web role alone", floor)
    print(f"medians: from nothing {statistics.median(cold):.1f} s, again {statistics.median(again):.1f} s")
    print(f"importing the web role alone: {floor:.2f} s; make's own checks: {statistics.median(checks):.2f} s")
    report(
        [
            Figure(
                "demo.cold",
                "首次启动演示（建库、迁移、写入样例城市）",
                "Demo, first start (initdb, migrations, seed)",
                statistics.median(cold),
                "s",
                base,
            ),
            Figure("demo.again", "再次启动演示", "Demo, second start", statistics.median(again), "s", base),
            Figure(
                "demo.again.cpu",
                "再次启动耗用的处理器时间（全部进程）",
                "Processor time of the second start, all processes",
                statistics.median(busy),
                "s",
            ),
            Figure(
                "make.checks",
                "make demo 自身的检查（无变化时）",
                "make demo's own checks when nothing changed",
                statistics.median(checks),
                "s",
            ),
        ]
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
