"""The demo node and the web development server side by side; when one ends, or on Ctrl-C, both end.

Arguments go to `gongshi demo`. GONGSHI_WEB__PORT moves the node, and the pages follow.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import bootstrap

GRACE_SECONDS = 20
PAGES = "http://localhost:5173,http://127.0.0.1:5173"


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    port = os.environ.get("GONGSHI_WEB__PORT", "8080")
    # The pages come from the development server, and media from the workers' own ports: tell both who is who.
    env = bootstrap.environment({"GONGSHI_URL": f"http://127.0.0.1:{port}", "GONGSHI_WEB__ORIGINS": PAGES})
    gongshi = [str(bootstrap.VENV / "bin" / "gongshi"), "demo", "--port", port, *arguments]
    programs = [subprocess.Popen(gongshi, cwd=bootstrap.ROOT, env=env)]
    if bootstrap.has_web():
        npm = ["npm", "run", "dev"]
        programs.append(subprocess.Popen(npm, cwd=bootstrap.WEB, env=env))
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
