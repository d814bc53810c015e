"""What must hold for the repository as a whole, beyond what linters see."""

import ast
import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from gongshi.config import load

ROOT = Path(__file__).resolve().parents[3]
SUPPRESSION = re.compile(r"#\s*(?:noqa|type:\s*ignore|pyright:\s*ignore)(?P<rest>.*)")
LINK = re.compile(r"\]\(([^)#\s]+)")
EVENT = re.compile(r"[a-z]+(?:\.[a-z_]+){1,2}")
LARGEST = 600


def tracked(*patterns: str) -> list[Path]:
    folders = ("src", "tests", "bench", "scripts")
    files = chain.from_iterable((ROOT / folder).rglob(pattern) for folder in folders for pattern in patterns)
    return sorted(path for path in files if not {"web_dist", "__pycache__"}.intersection(path.parts))


def test_every_suppression_gives_its_reason():
    bare = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (found := SUPPRESSION.search(line)) and path != Path(__file__) and not re.search(r" -- \S+", found["rest"])
    ]

    assert bare == []


def test_no_file_has_grown_a_second_room():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked("*.py")
        if "migrations" not in path.parts and (lines := path.read_text(encoding="utf-8").count("\n")) > LARGEST
    }

    assert long == {}


def test_every_cited_clause_leads_somewhere_and_its_pages_are_fresh():
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "clauses.py"), "--check"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def told_events() -> set[str]:
    """Names that code gives to `emit` and `record`."""
    names: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in {"emit", "record"}:
                words = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                names.update(word for word in words if EVENT.fullmatch(word))
    return names


def test_every_event_stands_in_the_list():
    listed = set(
        re.findall(r"^\| `([a-z_.]+)`", (ROOT / "docs" / "events.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    told = told_events()

    assert "identity.login.succeeded" in told
    assert told - listed == set()


def test_locks_name_no_registry():
    locks = [*(ROOT / "requirements").glob("*.lock"), ROOT / "web" / "package-lock.json"]
    leaks = {
        path.name: found
        for path in locks
        if path.exists()
        and (found := re.findall(r'"resolved"|(?:^|\s)--(?:index|extra|find)\S*|https?://\S+/simple', path.read_text()))
    }

    assert len(locks) >= 4
    assert leaks == {}


@pytest.mark.parametrize("kind", ["runtime", "dev"])
def test_locks_hold_every_dependency(kind: str):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = list(project["project"]["dependencies"])
    if kind == "dev":
        wanted += project["dependency-groups"]["dev"]
    names = {re.split(r"[\[<>=! ;]", text, maxsplit=1)[0].lower().replace("_", "-") for text in wanted}
    lock = (ROOT / "requirements" / f"{kind}.lock").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([a-z0-9.-]+)==", lock, re.MULTILINE))

    assert names - locked == set()


def test_both_readmes_say_the_same_things():
    english, chinese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
    heads = [[line.split()[0] for line in text.splitlines() if line.startswith("#")] for text in (english, chinese)]
    targets = [
        {link.replace("zh/", "en/") for link in LINK.findall(text) if not link.startswith("README")}
        for text in (english, chinese)
    ]

    assert heads[0] == heads[1]
    assert targets[0] == targets[1]
    assert english.count("\n| ") == chinese.count("\n| ")


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_of_the_front_pages_lead_somewhere(name: str):
    links = [link for link in LINK.findall((ROOT / name).read_text(encoding="utf-8")) if "://" not in link]

    assert [link for link in links if not (ROOT / link).exists()] == []


def test_example_configuration_is_valid_and_matches_the_proxy():
    settings = load(ROOT / "deploy" / "gongshi.toml", {})
    proxy = (ROOT / "deploy" / "nginx" / "gongshi.conf").read_text(encoding="utf-8")

    assert settings.media.same_origin
    assert settings.web.secure_cookie
    assert f"proxy_pass http://127.0.0.1:{settings.web.port};" in proxy
    assert f"http://127.0.0.1:{settings.media.http_port // 10}$gongshi_worker/" in proxy
    assert settings.media.http_port % 10 == 0


def test_proxy_never_logs_a_query():
    proxy = (ROOT / "deploy" / "nginx" / "gongshi.conf").read_text(encoding="utf-8")
    formats = re.findall(r"log_format[^;]+;", proxy)
    media = proxy[proxy.index("location ~ ^/media/") :]

    assert formats
    assert not any(re.search(r"\$(request|request_uri|args|query_string|http_referer)\b", text) for text in formats)
    assert "access_log off;" in media
    assert "error_log /dev/null" in media


def test_continuous_integration_runs_make_test_and_nothing_else():
    lines = [
        line
        for line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("#", "set ", "cd ", "export CI="))
    ]

    assert lines == ["exec make test </dev/null"]
