"""The demo node and the web development server side by side; when one ends, or on Ctrl-C, both end.

Arguments go to `gongshi demo`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import bootstrap

GRACE_SECONDS = 20


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    gongshi = str(bootstrap.VENV / "bin" / "gongshi")
    programs = [subprocess.Popen([gongshi, "demo", *arguments], cwd=bootstrap.ROOT, env=bootstrap.environment())]
    if bootstrap.has_web():
        npm = ["npm", "run", "dev"]
        programs.append(subprocess.Popen(npm, cwd=bootstrap.WEB, env=bootstrap.environment()))
    try:
        while all(program.poll() is None for program in programs):
            time.sleep(0.2)
    except KeyboardInterrupt:
        pass  # the terminal sent the signal to the programs too; they are ended below in any case
    for program in programs:
        if program.poll() is None:
            program.terminate()
    for program in programs:
        try:
            program.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            program.kill()
    return max(abs(program.returncode or 0) for program in programs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
