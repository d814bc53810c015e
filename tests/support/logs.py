"""What a running demonstration has written into its log, and what must never stand there."""

import json
import re
from typing import Any

from support.demo import Demo

_TOKEN = re.compile(r"gsl_\w{8}|eyJ[\w-]{20,}\.[\w-]{20,}")
"""A login's token; a media token."""


def log_lines(demo: Demo) -> list[str]:
    return (demo.data / "gongshi.log").read_text(encoding="utf-8", errors="replace").splitlines()


def told(demo: Demo, event: str, **values: object) -> list[dict[str, Any]]:
    """What the node has logged under a name, with these values."""
    lines = [json.loads(line) for line in log_lines(demo) if f'"{event}"' in line]
    return [line for line in lines if line["event"] == event and all(line.get(k) == v for k, v in values.items())]


def check_log(demo: Demo) -> None:
    """No exception that nobody had foreseen, and nothing that opens a door."""
    lines = log_lines(demo)
    assert [line[-2000:] for line in lines if "Traceback (most recent call last)" in line and not _of_queue(line)] == []
    content = "\n".join(lines)
    assert _TOKEN.findall(content) == []
    assert [secret for secret in _secrets(demo) if secret in content] == []


def _of_queue(line: str) -> bool:
    """The job library tells of every lost database connection with a trace; the process is started afresh then."""
    return '"logger": "procrastinate' in line and "ConnectorException" in line


def _secrets(demo: Demo) -> list[str]:
    """Every password of the demonstration."""
    known = [entry["password"] for kind in ("accounts", "peers") for entry in demo.ready[kind]]
    database: dict[str, str] = json.loads((demo.data / "secrets" / "database.json").read_text(encoding="utf-8"))
    return [*known, *database.values()]
