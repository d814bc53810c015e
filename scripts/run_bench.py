"""Run the measurements of bench/ one after the other and keep what each printed in bench/results/.

    .venv/bin/python scripts/run_bench.py [NAME...]     a name is a file of bench/ without `.py`

Each script is a program of its own that prints its figures, says on which machine and with which method, and exits
with a status other than 0 when it could not measure. Figures in README.md come from here and from nowhere else.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import bootstrap

BENCH = bootstrap.ROOT / "bench"
RESULTS = BENCH / "results"
LIMIT_SECONDS = 1800


def machine() -> str:
    """Processor, cores, kernel and Python: ratios are quoted, and this says ratios of what."""
    model = "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = (line for line in info.read_text().splitlines() if line.startswith("model name"))
        model = next(lines, f"x: {model}").partition(":")[2].strip()
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def header() -> str:
    """Machine, date, and how busy it was before the first measurement: two lines."""
    moment = datetime.now(UTC).astimezone().strftime("%Y-%m-%d")
    return f"{machine()}\n{moment}, load average before: {os.getloadavg()[0]:.1f}"


def measure(script: Path, head: str) -> int:
    print(f"\n── bench/{script.name} {'─' * (60 - len(script.name))}", flush=True)
    start = time.monotonic()
    try:
        done = subprocess.run(
            [str(bootstrap.VENV / "bin" / "python"), str(script)],
            cwd=bootstrap.ROOT,
            env=bootstrap.environment({"PYTHONPATH": str(bootstrap.ROOT)}),
            stdout=subprocess.PIPE,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        print(f"✗ no end after {LIMIT_SECONDS} s")
        return 1
    print(done.stdout, end="")
    print(f"({time.monotonic() - start:.0f} s, status {done.returncode})", flush=True)
    if done.returncode == 0:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{script.stem}.txt").write_text(f"{head}\n\n{done.stdout}", encoding="utf-8")
    return done.returncode


def main(names: list[str]) -> int:
    scripts = [path for path in sorted(BENCH.glob("*.py")) if not path.name.startswith("_")]
    known = {path.stem: path for path in scripts}
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"Unknown: {', '.join(unknown)}. Measurements: {', '.join(known) or 'none yet'}", file=sys.stderr)
        return 2
    head = header()
    print(head)
    failed = [script.stem for script in ([known[name] for name in names] or scripts) if measure(script, head)]
    closing = "All measurements done; texts are in bench/results/, scripts/figures.py writes the tables from them"
    print(f"\nFailed: {', '.join(failed)}" if failed else f"\n{closing}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
