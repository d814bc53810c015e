#!/usr/bin/env python3
"""Fetch what a checkout needs, once: uv, the virtual environment, Node, the web app, Debian packages for tests.

Runs on the standard library alone, because nothing else is there yet. Every step is skipped when its stamp in
`.make/` still holds the digest of the files that it was made from, so a second run takes a fraction of a second and
no network.

    python3 scripts/bootstrap.py STEP...    steps: tools runtime dev node-modules web schema packages lock
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMPS = ROOT / ".make"
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
WEB = ROOT / "web"
WEB_DIST = ROOT / "src" / "gongshi" / "web_dist"
REQUIREMENTS = ROOT / "requirements"
UV = TOOLS / "bin" / "uv"
NODE_MINIMUM = (20, 19)
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class Stop(Exception):
    """A step cannot go on; the text says what to type."""


def say(text: str) -> None:
    print(f"• {text}", flush=True)


def run(*command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> None:
    """Run a program, its output passed through; a failure names the command."""
    words = [str(word) for word in command]
    status = subprocess.run(words, cwd=cwd, env=environment(env), check=False).returncode
    if status:
        raise Stop(f"'{' '.join(words)}' ended with status {status} (in {cwd}). Its output above says why.")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of every program that make starts: ours first on the path, no foreign virtual environment."""
    env = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH"}}
    path = [str(VENV / "bin")]
    node = node_directory()
    if node is not None:
        path.append(str(node))
    env["PATH"] = os.pathsep.join([*path, env.get("PATH", os.defpath)])
    env |= {
        "PYTHONUTF8": "1",
        "NO_MKDOCS_2_WARNING": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    if CERTIFICATES.exists():
        # In a closed network the mirror's authority is known to the system, not to what uv and Node carry along.
        env.setdefault("UV_SYSTEM_CERTS", "true")
        env.setdefault("NODE_EXTRA_CA_CERTS", str(CERTIFICATES))
    return env | dict(extra or {})


def digest(paths: Iterable[Path], *words: str) -> str:
    """A digest over names and contents; file times mean nothing after a checkout."""
    total = hashlib.sha256("\0".join(words).encode())
    for path in sorted(paths):
        total.update(str(path.relative_to(ROOT)).encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def fresh(stamp: str, value: str, *products: Path) -> bool:
    """True when the stamp holds `value` and its products exist."""
    path = STAMPS / stamp
    return path.is_file() and path.read_text() == value and all(product.exists() for product in products)


def mark(stamp: str, value: str) -> None:
    STAMPS.mkdir(exist_ok=True)
    (STAMPS / stamp).write_text(value)


def this_python() -> str:
    return f"{sys.version} {sysconfig.get_platform()}"


# --- uv and the virtual environment ----------------------------------------------------------------------------------


def tools() -> None:
    """`.tools`: a small environment that holds uv, pinned with its hashes."""
    lock = REQUIREMENTS / "uv.lock"
    value = digest([lock], this_python())
    if fresh("tools", value, UV):
        return
    say("Fetching uv")
    try:
        venv.create(TOOLS, with_pip=True, clear=True)
    except subprocess.CalledProcessError as error:
        raise Stop(
            "Python's venv module cannot make an environment (ensurepip is missing). On Debian or Ubuntu type:\n"
            f"  sudo apt-get install --yes python{sys.version_info.major}.{sys.version_info.minor}-venv"
        ) from error
    run(TOOLS / "bin" / "python", "-m", "pip", "install", "--quiet", "--require-hashes", "-r", lock)
    (STAMPS / "node").unlink(missing_ok=True)
    mark("tools", value)


def python_environment(kind: str) -> None:
    """`.venv` with the locked packages of `kind` (runtime or dev; dev holds runtime too), and gongshi, editable."""
    tools()
    project = ROOT / "pyproject.toml"
    dev = digest([REQUIREMENTS / "dev.lock", project], this_python(), "dev")
    program = VENV / "bin" / "gongshi"
    if fresh("env", dev, program):
        return
    value = digest([REQUIREMENTS / f"{kind}.lock", project], this_python(), kind)
    if fresh("env", value, program):
        return
    say(f"Installing the {kind} packages into .venv")
    python = VENV / "bin" / "python"
    if not works(python):
        run(UV, "venv", "--quiet", "--clear", "--python", sys.executable, VENV)
    # `sync` also removes what the lock does not name; gongshi itself is put back right after. Compiled here, once:
    # where PYTHONDONTWRITEBYTECODE is set, every process would compile everything again at every start.
    sync: tuple[str | Path, ...] = (UV, "pip", "sync", "--quiet", "--compile-bytecode", "--python", python)
    run(*sync, "--require-hashes", REQUIREMENTS / f"{kind}.lock")
    run(UV, "pip", "install", "--quiet", "--python", python, "--no-deps", "--editable", ".")
    mark("env", value)


def works(python: Path) -> bool:
    """Whether that environment runs, on the same Python version as ours."""
    if not python.exists():
        return False
    question = "import sys; print('%d.%d' % sys.version_info[:2])"
    answer = subprocess.run([str(python), "-c", question], capture_output=True, text=True, check=False)
    return answer.stdout.strip() == f"{sys.version_info.major}.{sys.version_info.minor}"


def lock() -> None:
    """Resolve pyproject.toml anew into requirements/*.lock; hashes in, host names of registries out."""
    tools()
    compiler: tuple[str | Path, ...] = (
        UV, "pip", "compile", "--quiet", "--upgrade", "--universal", "--fork-strategy", "fewest", "--python-version",
        "3.11", "--generate-hashes", "--no-emit-index-url", "--no-annotate", "--custom-compile-command", "make lock",
    )  # fmt: skip
    runtime = "requirements/runtime.lock"
    say("Resolving runtime.lock, dev.lock, uv.lock, node.lock")
    run(*compiler, "pyproject.toml", "-o", runtime)
    run(*compiler, "-c", runtime, "pyproject.toml", "--group", "dev", "-o", "requirements/dev.lock")
    run(*compiler, "requirements/uv.in", "-o", "requirements/uv.lock")
    run(*compiler, "requirements/node.in", "-o", "requirements/node.lock")
    leaks = [path.name for path in REQUIREMENTS.glob("*.lock") if re.search(r"https?://", path.read_text())]
    if leaks:
        raise Stop(f"A registry's address stands in {', '.join(leaks)}; remove it before committing.")


# --- Node and the web app --------------------------------------------------------------------------------------------


def node_directory() -> Path | None:
    """Where node and npm are: the system's when new enough, else the ones in `.tools`, else None."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and node_version(node) >= NODE_MINIMUM:
        return Path(node).parent
    if (TOOLS / "bin" / "npm").exists():
        return TOOLS / "bin"
    return None


def node_version(node: str) -> tuple[int, int]:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", answer)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def node() -> None:
    tools()
    if node_directory() is None:
        say("Fetching Node (none here, or older than 20.19)")
        pip = (TOOLS / "bin" / "python", "-m", "pip", "install", "--quiet")
        run(*pip, "--require-hashes", "-r", REQUIREMENTS / "node.lock")
        if node_directory() is None:
            raise Stop(
                "Node was installed into .tools, but .tools/bin/npm is missing. Type: make clean, then try again."
            )


def web_sources() -> list[Path]:
    """What the web app is built from; folders of others' files are not even entered, for they hold 28,000 of them."""
    skipped = {"node_modules", "dist", "coverage"}
    found: list[Path] = []
    for folder, folders, files in os.walk(WEB):
        folders[:] = [name for name in folders if name not in skipped]
        found += [Path(folder, name) for name in files if not name.endswith(".tsbuildinfo")]
    return found


def has_web() -> bool:
    return (WEB / "package.json").is_file()


def node_modules() -> None:
    if not has_web():
        return
    node()
    value = digest([WEB / "package.json", WEB / "package-lock.json"])
    if fresh("node-modules", value, WEB / "node_modules"):
        return
    say("Installing the npm packages of web/")
    run("npm", "ci", "--no-audit", "--no-fund", cwd=WEB)
    mark("node-modules", value)


def api_description() -> None:
    """`.make/openapi.json`: what the API says of itself, for the types of the web app."""
    STAMPS.mkdir(exist_ok=True)
    with (STAMPS / "openapi.json").open("wb") as target:
        subprocess.run([VENV / "bin" / "gongshi", "openapi"], stdout=target, env=environment(), check=True)


def schema() -> None:
    """Write the types of the API that the web app is compiled against; they are committed."""
    node_modules()
    api_description()
    run("npm", "run", "--silent", "schema", cwd=WEB)


def web() -> None:
    """Build the web app into the package, and the simulator's font from an npm package."""
    if not has_web():
        say("web/package.json is not there: the node will answer its API without pages")
        return
    collector = ROOT / "scripts" / "collect_fonts.py"
    value = digest([*web_sources(), *([collector] if collector.exists() else [])])
    if fresh("web", value, WEB_DIST / "index.html"):
        return
    node_modules()
    say("Building the web app")
    run("npm", "run", "build", cwd=WEB)
    if not (WEB_DIST / "index.html").is_file():
        raise Stop(f"'npm run build' left no {WEB_DIST.relative_to(ROOT)}/index.html.")
    if collector.exists():
        run(VENV / "bin" / "python", collector)
    mark("web", value)


# --- Debian packages that tests need ---------------------------------------------------------------------------------


def chromium() -> str | None:
    """A Chromium that answers; Ubuntu's package is only a door to a snap and may not."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    return None


PACKAGES: dict[str, Callable[[], object]] = {
    "chromium": chromium,
    "ffmpeg": lambda: shutil.which("ffmpeg"),
    "kamailio": lambda: shutil.which("kamailio"),
    "fonts-noto-cjk": lambda: list(Path("/usr/share/fonts").rglob("NotoSansCJK*")),
    "postgresql": lambda: list(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
}


def missing() -> list[str]:
    return [name for name, present in PACKAGES.items() if not present()]


def packages() -> None:
    """Chromium, ffmpeg, Kamailio, a Chinese font and PostgreSQL: installed as root, asked for otherwise; never skipped."""
    absent = missing()
    if not absent:
        return
    line = f"apt-get install --yes --no-install-recommends {' '.join(absent)}"
    if not shutil.which("apt-get"):
        raise Stop(f"The tests need {', '.join(absent)}, and there is no apt-get here to install them with.")
    if os.geteuid() != 0:
        raise Stop(f"The tests need system packages. Type:\n  sudo apt-get update && sudo {line}")
    say(f"Installing {', '.join(absent)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-qq", env=quiet)
    run(*line.split(), "-qq", env=quiet)
    still = missing()
    if still:
        hint = (
            "\nUbuntu ships Chromium only as a snap. Type:\n"
            "  .venv/bin/playwright install --with-deps chromium && "
            "ln -s ~/.cache/ms-playwright/chromium-*/chrome-linux*/chrome /usr/local/bin/chromium"
            if still == ["chromium"]
            else ""
        )
        raise Stop(f"After '{line}' these are still missing: {', '.join(still)}.{hint}")


STEPS: dict[str, Callable[[], None]] = {
    "tools": tools,
    "runtime": lambda: python_environment("runtime"),
    "dev": lambda: python_environment("dev"),
    "node": node,
    "node-modules": node_modules,
    "web": web,
    "schema": schema,
    "packages": packages,
    "lock": lock,
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in STEPS]
    if unknown or not names:
        print(f"Unknown step {', '.join(unknown)}. Steps: {', '.join(STEPS)}", file=sys.stderr)
        return 2
    try:
        for name in names:
            STEPS[name]()
    except Stop as stop:
        print(f"✗ {stop}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
