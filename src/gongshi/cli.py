"""The command line: verbs only; each calls one room (design.md §10)."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gongshi import __version__
from gongshi.kit.i18n import Lang

if TYPE_CHECKING:
    from gongshi.config import Settings
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
        "--config",
        "-c",
        "--data",
        envvar="GONGSHI_CONFIG",
        help="Configuration file, or the directory it stands in 配置文件或其所在目录 (default ./gongshi.toml)",
    ),
]


def language() -> Lang:
    """English only for people whose terminal says so; this is a Chinese city's software first."""
    return "en" if os.environ.get("LC_ALL", os.environ.get("LANG", "")).lower().startswith("en") else "zh"


def main() -> None:
    """Entry point: expected failures are one readable line, never a traceback."""
    if "simulate" in sys.argv[1:]:
        _load_simulator()
    _load_conform(shown="conform" in sys.argv[1:])
    try:
        app()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Exception as error:
        from gongshi.node.failures import readable, shown

        problem = readable(error)
        if problem is None:
            raise
        sys.stderr.write(shown(problem, language()))
        raise SystemExit(1) from None


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
    config: Annotated[Path | None, typer.Option("--config", "-c", help="File to write 要写入的文件")] = None,
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
    from gongshi.node import ports, roles
    from gongshi.node import serve as node
    from gongshi.node.nursery import COMMON, Nursery

    runtime, file = _runtime(config)
    if role is not None:
        asyncio.run(roles.run(role, runtime))
        return
    ports.require(runtime.settings)
    with Nursery(COMMON) as nursery, node.prepared_database(runtime):
        asyncio.run(node.serve(runtime, file, nursery))


@app.command()
def demo(
    data: Annotated[Path, typer.Option(help="Data directory 数据目录")] = Path("./.demo"),
    ready_file: Annotated[Path | None, typer.Option(help="Written when everything answers 就绪后写入")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Web port 网页端口")] = None,
    sip_port: Annotated[int | None, typer.Option(min=0, max=65535, help="SIP port 信令端口")] = None,
    *,
    headless: Annotated[bool, typer.Option(help="No hints for a person 不打印使用提示")] = False,
    fresh: Annotated[bool, typer.Option(help="Start over 清空后重新开始")] = False,
) -> None:
    """示例城市 · A sample city with simulated cameras."""
    from gongshi.node.nursery import DEMONSTRATION, Nursery

    # First, so that it loads on one core while this process prepares the database on another.
    with Nursery(DEMONSTRATION) as nursery:
        from gongshi.node import demo as room

        room.run(
            data,
            ready_file,
            port=port,
            sip_port=sip_port,
            headless=headless,
            fresh=fresh,
            lang=language(),
            nursery=nursery,
        )


@app.command()
def doctor(config: ConfigOption = None) -> None:
    """体检 · Check this machine and the configuration."""
    from gongshi.node import doctor as room

    settings, _ = _settings(config)
    raise typer.Exit(room.run(settings, language()))


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


@audit_app.command("verify")
def audit_verify(
    config: ConfigOption = None,
    file: Annotated[Path | None, typer.Option(help="An export instead of the database 验证导出文件")] = None,
    key: Annotated[list[str] | None, typer.Option(help="Trusted public key, base64 可信公钥")] = None,
    witness: Annotated[Path | None, typer.Option(help="Directory of kept checkpoints 库外检查点目录")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts 供脚本使用")] = False,
) -> None:
    """验证审计日志未被改动 · Verify that no entry was changed, removed, reordered or cut off."""
    from gongshi.audit import cli as room

    if file is not None:
        report, notes = asyncio.run(
            room.verify_file(file, keys=dict(map(room.parse_key, key)) if key else None, witnesses=witness)
        )
    else:
        from gongshi.node.log import audit_ports
        from gongshi.node.serve import reachable_database

        runtime, _ = _runtime(config)
        with reachable_database(runtime):
            report, notes = asyncio.run(room.verify(runtime.owner_url, audit_ports(runtime)))
    show = room.as_json if as_json else room.show
    typer.echo(show(report, notes, language()))
    raise typer.Exit(0 if report.ok else 1)


@audit_app.command("export")
def audit_export(file: Path, config: ConfigOption = None) -> None:
    """导出全部审计日志 · Write the whole log as JSON lines, verifiable on any machine."""
    from gongshi.audit import cli as room
    from gongshi.node.log import audit_ports
    from gongshi.node.serve import reachable_database

    room.writable(file)
    runtime, _ = _runtime(config)
    with reachable_database(runtime):
        written = asyncio.run(room.write_export(file, runtime.database_url, audit_ports(runtime)))
    typer.echo(f"{file}: {written.text.pick(language())}")


@user_app.command("add")
def user_add(
    username: str,
    organisation: Annotated[str, typer.Option(help="Organisation code 单位代码")],
    role: Annotated[list[str], typer.Option(help="Role, repeatable 角色")],
    name: Annotated[str | None, typer.Option(help="Display name 显示名")] = None,
    config: ConfigOption = None,
) -> None:
    """新建账号，打印一次性口令 · Open an account and print its one-time password."""
    from gongshi.node import accounts

    runtime, _ = _runtime(config)
    typer.echo(asyncio.run(accounts.add(runtime, username, name or username, organisation, role)))


@user_app.command("reset")
def user_reset(username: str, config: ConfigOption = None) -> None:
    """重置口令 · Give an account a new one-time password."""
    from gongshi.node import accounts

    runtime, _ = _runtime(config)
    typer.echo(asyncio.run(accounts.reset(runtime, username)))


@user_app.command("list")
def user_list(config: ConfigOption = None) -> None:
    """列出账号 · List the accounts."""
    from gongshi.node import accounts

    runtime, _ = _runtime(config)
    for line in asyncio.run(accounts.listing(runtime)):
        typer.echo(line)


@database_app.command("seed")
def database_seed(config: ConfigOption = None) -> None:
    """写入本市区划与单位 · Write the city's regions and organisations."""
    from gongshi.node import accounts

    runtime, _ = _runtime(config)
    typer.echo(asyncio.run(accounts.seed(runtime)))


@simulate_app.callback()
def _simulate() -> None:
    """Keep `platform` a verb of its own although it is the only one so far."""


def _load_simulator() -> None:
    """Its options live with the simulator; loaded only when asked for, so that other verbs start quickly."""
    from gongshi.simulator.cli import platform

    simulate_app.command("platform")(platform)


def _settings(config: Path | None) -> "tuple[Settings, Path]":
    from gongshi.config import load
    from gongshi.kit.logging import configure

    standing = [Path("gongshi.toml"), Path(".demo/gongshi.toml")]
    file = (config or next((path for path in standing if path.exists()), standing[0])).resolve()
    if file.is_dir():
        file /= "gongshi.toml"
    settings = load(file)
    configure(settings.log.level, settings.log.format)
    return settings, file


def _load_conform(*, shown: bool) -> None:
    """As with the simulator: its options are read only when the verb is used."""
    if shown:
        from gongshi.conform.cli import conform

        app.command("conform")(conform)
    else:
        app.command("conform", help="测试是否符合 GB/T 28181 · Test whether a device or platform conforms.")(
            lambda: None
        )


def _runtime(config: Path | None) -> "tuple[Runtime, Path]":
    from gongshi.node.runtime import Runtime

    settings, file = _settings(config)
    return Runtime.of(settings), file


if __name__ == "__main__":
    main()
