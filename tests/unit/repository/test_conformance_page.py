"""The page about conformance lists the cases and faults that there are."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_fresh():
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "conformance.py"), "--check"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
