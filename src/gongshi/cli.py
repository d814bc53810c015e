"""The command line: verbs only; each calls one room (design.md §10)."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gongshi import __version__
from gongshi.kit.errors import Problem
from gongshi.kit.i18n import Lang

if TYPE_CHECKING:
    from gongshi.node.runtime import Runtime

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Gongshi 共视 — 公共视频共享平台"
)
audit_app = typer.Typer(no_args_is_help=True, help="The tamper-evident log. 审计日志")
user_app = typer.Typer(no_args_is_help=True, help="Accounts. 账号")
database_app = typer.Typer(no_args_is_help=True, help="The node's database. 数据库")
simulate_app = typer.Typer(no_args_is_help=True, help="Simulated devices and platforms. 模拟器")
app.add_typer(audit_app, name="audit")
app.add_typer(user_app, name="user")
app.add_typer(database_app, name="database")
app.add_typer(simulate_app, name="simulate")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", envvar="GONGSHI_CONFIG", help="Configuration file 配置文件 (default ./gongshi.toml)"
    ),
]


def language() -> Lang:
    """English only for people whose terminal says so; this is a Chinese city's software first."""
    return "en" if os.environ.get("LC_ALL", os.environ.get("LANG", "")).lower().startswith("en") else "zh"


def main() -> None:
    """Entry point: expected failures are one readable line, never a traceback."""
    try:
        app()
    except Problem as problem:
        sys.stderr.write(f"gongshi: {problem.detail.pick(language())} [{problem.code}]\n")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _version(value: bool) -> None:
    if value:
        typer.echo(f"gongshi {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version 显示版本")
    ] = False,
) -> None:
    """Gongshi 共视 — one registry, one access plane, one accountable way to share."""


@app.command()
def init(
    data: Annotated[Path, typer.Option(help="Data directory 数据目录")] = Path("./data"),
    config: ConfigOption = None,
) -> None:
    """生成配置与密钥 · Write a configuration with fresh secrets."""
    from gongshi.config import load
    from gongshi.node.initialise import write_configuration

    file = config or Path("gongshi.toml")
    write_configuration(file, load(None, {**os.environ, "GONGSHI_DATA": str(data.resolve())}))
    typer.echo(f"{file}  ·  {data.resolve()}")
    typer.echo("gongshi doctor && gongshi serve")


@app.command()
def serve(
    config: ConfigOption = None,
    role: Annotated[
        Literal["web", "signal", "media", "work"] | None, typer.Option(help="Run one role only 只运行一个角色")
    ] = None,
) -> None:
    """启动节点 · Run the node."""
    from gongshi.node import roles
    from gongshi.node import serve as node

    runtime, file = _runtime(config)
    if role is not None:
        asyncio.run(roles.run(role, runtime))
        return
    with node.prepared_database(runtime):
        asyncio.run(node.serve(runtime, file))


@app.command()
def demo(
    data: Annotated[Path, typer.Option(help="Data directory 数据目录")] = Path("./.demo"),
    ready_file: Annotated[Path | None, typer.Option(help="Written when everything answers 就绪后写入")] = None,
    port: Annotated[int | None, typer.Option(help="Web port 网页端口")] = None,
    sip_port: Annotated[int | None, typer.Option(help="SIP port 信令端口")] = None,
    *,
    headless: Annotated[bool, typer.Option(help="No hints for a person 不打印使用提示")] = False,
    fresh: Annotated[bool, typer.Option(help="Start over 清空后重新开始")] = False,
) -> None:
    """示例城市 · A sample city with simulated cameras."""
    from gongshi.node import demo as room

    room.run(data, ready_file, port=port, sip_port=sip_port, headless=headless, fresh=fresh, lang=language())


@app.command()
def doctor(config: ConfigOption = None) -> None:
    """体检 · Check this machine and the configuration."""
    from gongshi.node import doctor as room

    runtime, _ = _runtime(config)
    raise typer.Exit(room.run(runtime, language()))


@app.command()
def openapi() -> None:
    """输出接口描述 · Print the OpenAPI description."""
    from gongshi.node.app import describe

    typer.echo(json.dumps(describe(), ensure_ascii=False, indent=1, sort_keys=True))


@database_app.command("url")
def database_url(
    config: ConfigOption = None,
    *,
    owner: Annotated[bool, typer.Option(help="Of the owning role 属主角色")] = False,
) -> None:
    """数据库地址（含口令） · Print the database's address, password included."""
    runtime, _ = _runtime(config)
    typer.echo(runtime.owner_url if owner else runtime.database_url)


@database_app.command("migrate")
def database_migrate(config: ConfigOption = None) -> None:
    """升级数据库结构 · Bring the database to this release."""
    from gongshi.node.migrate import pending
    from gongshi.node.serve import prepared_database

    runtime, _ = _runtime(config)
    with prepared_database(runtime):
        typer.echo(f"pending: {pending(runtime.owner_url)}")


def _runtime(config: Path | None) -> "tuple[Runtime, Path]":
    from gongshi.config import load
    from gongshi.kit.logging import configure
    from gongshi.node.runtime import Runtime

    file = (config or Path("gongshi.toml")).resolve()
    settings = load(file)
    configure(settings.log.level, settings.log.format)
    return Runtime.of(settings), file


if __name__ == "__main__":
    main()
