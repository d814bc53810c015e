"""Write the reference pages of the documentation from the program: configuration keys, and operations of the API.

python scripts/reference.py            write docs/configuration.md, docs/api-reference.md and docs/states.md
python scripts/reference.py --check    fail when a page is stale or a key is not described

Descriptions of keys stand in docs/data/configuration.yaml, because they have two languages.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import state_tables
import yaml
from pydantic.fields import FieldInfo

from gongshi.access.door import route_matrix
from gongshi.access.permissions import PUBLIC, SIGNED_IN
from gongshi.config import Section, Settings
from gongshi.identity.roles import ROLES
from gongshi.node.app import create_app, describe

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "docs" / "data" / "configuration.yaml"
CONFIGURATION, API = ROOT / "docs" / "configuration.md", ROOT / "docs" / "api-reference.md"
STATES = ROOT / "docs" / "states.md"
WRITTEN = "<!-- written by scripts/reference.py -->"
ROOMS = {
    "identity": ("登录与账号", "Logins and accounts"),
    "registry": ("台账", "Registry"),
    "inventory": ("填报", "Inventory"),
    "peers": ("平台", "Platforms"),
    "control": ("控制与录像检索", "Control and recordings"),
    "alarms": ("报警", "Alarms"),
    "uppers": ("上级平台", "Upper platforms"),
    "sharing": ("共享", "Sharing"),
    "media": ("调阅", "Viewing"),
    "audit": ("审计", "Audit"),
    "events": ("事件流", "Events"),
    "system": ("系统", "System"),
}


@dataclass(frozen=True)
class Key:
    """One key of the configuration as a person writes it."""

    name: str
    kind: str
    default: str
    variable: str


def keys() -> Iterator[Key]:
    """Every key, in the order of the settings."""
    for name, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, Section):
            for inner, key in model.model_fields.items():
                yield Key(f"{name}.{inner}", kind_of(key), default_of(key), f"GONGSHI_{name}__{inner}".upper())
        else:
            yield Key(name, kind_of(field), default_of(field), f"GONGSHI_{name}".upper())


def kind_of(field: FieldInfo) -> str:
    """Type and limits in few words."""
    return ", ".join([words(field.annotation), *bounds(field)])


def bounds(field: FieldInfo) -> Iterator[str]:
    for rule in field.metadata:
        for name, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"), ("pattern", "")):
            value = getattr(rule, name, None)
            if value is not None:
                yield f"{sign} {value}" if sign else f"`{value}`"


def words(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is Literal:
        return " \\| ".join(f"`{each}`" for each in get_args(kind))
    if origin is list:
        return f"list of {words(get_args(kind)[0])}"
    if origin is not None:
        plain = [words(each) for each in get_args(kind) if each is not type(None)]
        return " or ".join(dict.fromkeys(plain))
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path"}.get(
        getattr(kind, "__name__", ""), "text"
    )


def default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "—"
    value = field.default
    return "" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def configuration_page() -> str:
    told: Mapping[str, Any] = yaml.safe_load(DATA.read_text(encoding="utf-8"))
    described: Mapping[str, Mapping[str, str]] = told["keys"]
    known = list(keys())
    names = {key.name for key in known}
    if names != set(described):
        raise SystemExit(f"{DATA.name}: not described or gone: {', '.join(sorted(names ^ set(described)))}")
    lines = [
        WRITTEN,
        "# 配置 · Configuration",
        "",
        "一个 TOML 文件，`gongshi init` 生成。每一项都可用环境变量覆盖，列表用逗号分开；写错的键、越界的值在启动时一次全部指出。",
        "没有 `--config` 时读 `GONGSHI_CONFIG`，再没有就读当前目录的 `gongshi.toml`（或 `.demo/gongshi.toml`）。",
        "",
        (
            "One TOML file, made by `gongshi init`. The environment overrides any key, lists with commas. Mistyped keys and values "
            "out of range are named at start, all at once. Without `--config` the file is `GONGSHI_CONFIG`, else `gongshi.toml` "
            "(or `.demo/gongshi.toml`) in the current directory."
        ),
    ]
    section = None
    for key in known:
        head, _, rest = key.name.rpartition(".")
        if head != section:
            title = told["sections"].get(head)
            shown = f"`[{head}]` {title['zh']} · {title['en']}" if title else "最外层 · Top level"
            lines += ["", f"## {shown}", "", "| 键 · key | 值 · value | 默认 · default | |", "|---|---|---|---|"]
            section = head
        text = described[key.name]
        lines.append(f"| `{rest}` | {key.kind} | {key.default} | {text['zh']}<br>{text['en']}<br>`{key.variable}` |")
    return "\n".join(lines) + "\n"


def who(roles: frozenset[str] | None, permission: str) -> str:
    if permission == PUBLIC:
        return "任何人 · anybody"
    if permission == SIGNED_IN or roles == frozenset(ROLES):
        return "登录的人 · everybody logged in"
    return ", ".join(f"`{role}`" for role in ROLES if roles and role in roles)


def api_page() -> str:
    description = describe()
    rules = {(rule.method, rule.path): rule for rule in route_matrix(create_app())}
    tables: dict[str, list[str]] = {room: [] for room in ROOMS}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            rule = rules[method.upper(), path]
            room = operation["tags"][0]
            tables[room].append(
                f"| `{method.upper()} {path.removeprefix('/api/v1')}` | {operation['summary']} | `{rule.permission}` | "
                f"{who(rule.roles, rule.permission)} |"
            )
    roles = [f"| `{role}` | {text.zh} | {text.en} |" for role, text in ROLES.items()]
    lines = [
        WRITTEN,
        "# 接口一览 · Operations",
        "",
        "路径前都有 `/api/v1`（`/healthz`、`/readyz`、`/metrics` 除外）。第四列是角色，能做到哪一级、哪个单位由对象再定。",
        "请求和应答的形状、例子在 `gongshi openapi` 的输出里。怎么用见[接口脚本](api.md)。",
        "",
        (
            "All paths begin with `/api/v1`, but for `/healthz`, `/readyz` and `/metrics`. The fourth column names roles; how far "
            "each reaches depends on the object. Shapes and examples: `gongshi openapi`. How to use them: [scripting](api.md)."
        ),
        "",
        "| 角色 · role | | |",
        "|---|---|---|",
        *roles,
    ]
    for room, rows in tables.items():
        zh, en = ROOMS[room]
        lines += ["", f"## {zh} · {en}", "", "| | | 权限 · permission | 谁 · who |", "|---|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    pages = {CONFIGURATION: configuration_page(), API: api_page(), STATES: state_tables.page(WRITTEN)}
    if arguments == ["--check"]:
        stale = [path for path, text in pages.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
        for path in stale:
            print(f"✗ {path.relative_to(ROOT)} is stale; type: .venv/bin/python scripts/reference.py", file=sys.stderr)
        return int(bool(stale))
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
