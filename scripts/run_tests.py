"""Every check of the repository in order, each timed; the first failure stops the run and says how to repeat it.

    .venv/bin/python scripts/run_tests.py [STAGE...]

A stage whose subject does not exist yet is reported as absent, never passed over in silence.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bootstrap

ROOT, BIN = bootstrap.ROOT, bootstrap.VENV / "bin"
FUZZ_SECONDS = 40
CLOSING = re.compile(r"^=+ .*\b(passed|failed|errors?|no tests ran)\b.* in [\d.]+s.*=+$")

# What a browser would fetch from elsewhere while it shows a page of the documentation; plain links are fine.
FOREIGN = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)=["']?((?:https?:)?//[^"' >]+)""")


class Failed(Exception):
    """A stage did not hold; the text is the command that repeats it."""


class Absent(Exception):
    """What the stage would check is not in the repository yet."""


@dataclass
class Result:
    name: str
    state: str
    seconds: float
    note: str = ""


def call(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run one command, show its output as it comes, and return pytest's closing line if it prints one."""
    words = [str(word) for word in command]
    print(f"$ {' '.join(words)}", flush=True)
    closing = ""
    with subprocess.Popen(
        words, cwd=cwd, env=bootstrap.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace", bufsize=1,
    ) as process:  # fmt: skip
        if process.stdout is None:
            raise Failed(" ".join(words))
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if CLOSING.match(line.strip()):
                closing = line.strip().strip("= ")
    if process.returncode:
        place = f"cd {cwd.relative_to(ROOT)} && " if cwd != ROOT and cwd.is_relative_to(ROOT) else ""
        raise Failed(place + " ".join(words))
    return closing


def packages() -> str:
    bootstrap.packages()
    return ", ".join(bootstrap.PACKAGES)


def lint() -> str:
    call(BIN / "ruff", "format", "--check", ".")
    call(BIN / "ruff", "check", ".")
    return ""


def types() -> str:
    bootstrap.node()  # pyright runs on Node
    call(BIN / "pyright")
    return ""


def arrows() -> str:
    call(BIN / "lint-imports")
    return ""


def npm(*scripts: str) -> Callable[[], str]:
    """A stage that runs npm scripts of web/; a script that package.json does not name is a failure."""

    def stage() -> str:
        if not bootstrap.has_web():
            raise Absent("web/package.json")
        bootstrap.node_modules()
        known = json.loads((bootstrap.WEB / "package.json").read_text(encoding="utf-8"))["scripts"]
        for script in scripts:
            if script not in known:
                raise Failed(f"web/package.json has no script '{script}'")
            call("npm", "run", "--silent", script, cwd=bootstrap.WEB)
        return ""

    return stage


def web_schema() -> str:
    """The types that the pages are compiled against are those of the API as it is now."""
    if not bootstrap.has_web():
        raise Absent("web/package.json")
    bootstrap.api_description()
    return npm("schema:check")()


def web_build() -> str:
    if not bootstrap.has_web():
        raise Absent("web/package.json")
    bootstrap.web()
    return ""


def pytest(folder: str) -> Callable[[], str]:
    def stage() -> str:
        if not list((ROOT / folder).rglob("test_*.py")):
            raise Absent(f"{folder}/test_*.py")
        return call(BIN / "python", "-m", "pytest", "--durations=20", "--durations-min=5", folder)

    return stage


def fuzz() -> str:
    """Every file of the corpus, then new bytes for a while where the fuzzer's wheel exists."""
    replayed = call(BIN / "python", "-m", "pytest", "tests/fuzz")
    if subprocess.run([BIN / "python", "-c", "import atheris"], capture_output=True, check=False).returncode:
        return f"{replayed}; no new bytes, for there is no atheris for this machine"
    call(BIN / "python", "tests/fuzz/run.py", str(FUZZ_SECONDS))
    return f"{replayed}; new bytes for {FUZZ_SECONDS} s"


def docs() -> str:
    call(BIN / "python", "scripts/clauses.py", "--check")
    call(BIN / "mkdocs", "build", "--strict", "--quiet", "--site-dir", "site")
    pages = sorted((ROOT / "site").rglob("*.html"))
    loads = [f"{page.relative_to(ROOT)}: {found[1]}" for page in pages for found in FOREIGN.finditer(page.read_text())]
    if loads:
        raise Failed("make docs; these pages load from the internet: " + "; ".join(loads))
    return f"{len(pages)} pages"


def wheel() -> str:
    """Build the wheel, install it with the locked packages into an empty environment, and run it from there."""
    with tempfile.TemporaryDirectory(prefix="gongshi-wheel-") as folder:
        place = Path(folder)
        uv = bootstrap.UV
        call(uv, "build", "--quiet", "--wheel", "--out-dir", place, ROOT)
        built = next(place.glob("gongshi-*.whl"))
        call(uv, "venv", "--quiet", "--python", sys.executable, place / "venv")
        python = place / "venv" / "bin" / "python"
        install = (uv, "pip", "install", "--quiet", "--python", python)
        call(*install, "--require-hashes", "-r", ROOT / "requirements" / "runtime.lock")
        call(*install, "--no-deps", built)
        call(python, "-I", ROOT / "scripts" / "check_installed.py", cwd=place)
        call(place / "venv" / "bin" / "gongshi", "--version", cwd=place)
        target = ROOT / "dist" / built.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(built.read_bytes())
        return f"dist/{built.name}, {built.stat().st_size / 1e6:.1f} MB"


STAGES: dict[str, Callable[[], str]] = {
    "packages": packages,
    "lint": lint,
    "types": types,
    "arrows": arrows,
    "web-lint": npm("lint"),
    "web-schema": web_schema,
    "web-types": npm("typecheck"),
    "web-test": npm("test"),
    "web-i18n": npm("i18n"),
    "web-build": web_build,
    "unit": pytest("tests/unit"),
    "fuzz": fuzz,
    "integration": pytest("tests/integration"),
    "conformance": pytest("tests/conformance"),
    "browser": pytest("tests/browser"),
    "docs": docs,
    "wheel": wheel,
}


def run_stage(name: str) -> Result:
    print(f"\n── {name} {'─' * (70 - len(name))}", flush=True)
    start = time.monotonic()
    try:
        note = STAGES[name]()
        return Result(name, "ok", time.monotonic() - start, note)
    except Absent as absent:
        print(f"{absent} is not in the repository yet")
        return Result(name, "absent", time.monotonic() - start, f"no {absent} yet")
    except Failed as failed:
        return Result(name, "FAILED", time.monotonic() - start, f"repeat with: {failed}")
    except bootstrap.Stop as stop:
        print(f"✗ {stop}", file=sys.stderr)
        return Result(name, "FAILED", time.monotonic() - start, " ".join(str(stop).split()))


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        print(f"Unknown stage {', '.join(unknown)}. Stages: {', '.join(STAGES)}", file=sys.stderr)
        return 2
    results: list[Result] = []
    try:
        for name in names or STAGES:
            results.append(run_stage(name))
            if results[-1].state == "FAILED":
                break
    except KeyboardInterrupt:
        return 130
    print(f"\n── summary {'─' * 63}")
    for result in results:
        print(f"{result.name:<12} {result.state:<7} {result.seconds:7.1f} s  {result.note}")
    failed = results[-1].state == "FAILED"
    total = sum(result.seconds for result in results)
    verdict = f"FAILED at stage '{results[-1].name}'" if failed else "ALL STAGES PASSED"
    absent = sum(result.state == "absent" for result in results)
    print(f"{verdict} in {total:.0f} s" + (f" ({absent} absent)" if absent else ""), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
