"""`gongshi conform`: is it GB/T 28181? Exit code 0 yes, 1 no, 2 cannot be said."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gongshi.conform.cases import LOWER, UPPER
from gongshi.conform.model import Options, Report, Result
from gongshi.conform.report import as_html, as_json, line, summary
from gongshi.conform.runner import run
from gongshi.kit.i18n import Lang, Text
from gongshi.protocols.codes import DeviceCode, Edition
from gongshi.protocols.errors import ProtocolError

UNDECIDED = 2
_MAY = ("reboot", "redirect")


class SideOption(StrEnum):
    """Who we are."""

    UPPER = "upper"
    LOWER = "lower"


class EditionOption(StrEnum):
    """Edition to try; by default what the other side announces."""

    E2016 = "2016"
    E2022 = "2022"


class TransportOption(StrEnum):
    """SIP transport as lower; as upper the device decides."""

    UDP = "udp"
    TCP = "tcp"


def conform(
    side: Annotated[SideOption, typer.Option("--as", help="本方身份：上级测设备，下级测平台 / who we are")],
    code: Annotated[str, typer.Option(help="本方 20 位编码 / our own 20-digit code")],
    peer_code: Annotated[str, typer.Option(help="被测方 20 位编码 / their 20-digit code")],
    listen: Annotated[str, typer.Option(help="本方地址 / our address HOST:PORT")] = "0.0.0.0:5060",
    target: Annotated[str, typer.Option(help="被测平台地址 / address of the platform HOST:PORT")] = "",
    password: Annotated[str, typer.Option(help="注册密码 / password", envvar="GONGSHI_CONFORM_PASSWORD")] = "",
    password_file: Annotated[Path | None, typer.Option(help="密码文件 / file that holds the password")] = None,
    edition: Annotated[EditionOption | None, typer.Option(help="按哪一版测试 / edition to try")] = None,
    transport: Annotated[TransportOption, typer.Option(help="信令传输 / SIP transport")] = TransportOption.UDP,
    channel: Annotated[str, typer.Option(help="用于点播的通道 / camera to open")] = "",
    only: Annotated[str, typer.Option(help="只测这些用例，逗号分隔 / only these cases, by commas")] = "",
    allow: Annotated[str, typer.Option(help="允许中断设备：reboot,redirect / what may interrupt it")] = "",
    redirect: Annotated[str, typer.Option(help="重定向到的本方第二地址 / second address HOST:PORT")] = "",
    report: Annotated[Path | None, typer.Option(help="HTML 报告 / write an HTML report")] = None,
    json: Annotated[Path | None, typer.Option(help="JSON 报告 / write a JSON report")] = None,
) -> None:
    """测试设备或平台是否符合 GB/T 28181 · Test whether a device or platform conforms."""
    lang: Lang = "en" if os.environ.get("LC_ALL", os.environ.get("LANG", "")).lower().startswith("en") else "zh"
    own_host, own_port = _address(listen, "--listen")
    options = Options(
        "upper" if side is SideOption.UPPER else "lower",
        _code(code, "--code"),
        _code(peer_code, "--peer-code"),
        _secret(password, password_file),
        host=own_host,
        port=own_port,
        target=_target(side, target),
        transport="tcp" if transport is TransportOption.TCP else "udp",
        edition=Edition(edition.value) if edition else None,
        only=_chosen(only, side),
        allow=_allowed(allow),
        redirect=_address(redirect, "--redirect") if redirect else None,
        channel=_code(channel, "--channel") if channel else "",
        prompt=_ask(lang),
        progress=lambda result, done, total: typer.echo(_progress(result, done, total, lang)),
    )
    try:
        made = asyncio.run(run(options))
    except OSError as error:
        typer.echo(f"gongshi conform: {error}", err=True)
        raise typer.Exit(UNDECIDED) from None
    _write(made, report, json)
    typer.echo(summary(made, lang))
    raise typer.Exit(made.exit_code)


def _progress(result: Result, done: int, total: int, lang: Lang) -> str:
    return f"{done:3}/{total} {line(result, lang)}"


def _write(made: Report, html: Path | None, json: Path | None) -> None:
    for path, text in ((html, as_html), (json, as_json)):
        if path is not None:
            path.write_text(text(made), "utf-8")


def _ask(lang: Lang) -> Callable[[str, Text], Awaitable[bool]]:
    """Ask who sits at the terminal; without one nobody is there."""

    async def prompt(_what: str, text: Text) -> bool:
        if not sys.stdin.isatty():
            return False
        question = f"{text.pick(lang)} [y/N] "
        answer = await asyncio.to_thread(input, question)
        return answer.strip().lower() in {"y", "yes", "是"}

    return prompt


def _address(text: str, option: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not int(port) <= 65_535:
        raise typer.BadParameter(f"{option} {text!r}：应为 主机:端口 / must be HOST:PORT")
    return host.strip("[]"), int(port)


def _target(side: SideOption, text: str) -> tuple[str, int] | None:
    if side is SideOption.UPPER:
        return None
    if not text:
        raise typer.BadParameter("作为下级时须用 --target 给出平台地址 / as lower, --target names the platform")
    return _address(text, "--target")


def _code(text: str, option: str) -> str:
    try:
        return DeviceCode.parse(text).value
    except ProtocolError:
        raise typer.BadParameter(f"{option} {text!r}：应为 20 位数字 / must be 20 digits") from None


def _secret(password: str, file: Path | None) -> str:
    try:
        secret = file.read_text("utf-8").strip() if file else password
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"--password-file：{error}") from None
    if not secret:
        raise typer.BadParameter("缺少密码：请用 --password-file / no password: use --password-file")
    return secret


def _chosen(text: str, side: SideOption) -> frozenset[str]:
    names = {name.strip().upper() for name in text.split(",") if name.strip()}
    known = {case.id for case in (UPPER if side is SideOption.UPPER else LOWER)}
    if unknown := sorted(names - known):
        raise typer.BadParameter(f"--only：没有用例 {'、'.join(unknown)} / no such case")
    return frozenset(names)


def _allowed(text: str) -> frozenset[str]:
    names = {name.strip().lower() for name in text.split(",") if name.strip()}
    if names - set(_MAY):
        raise typer.BadParameter(f"--allow：只能是 {'、'.join(_MAY)} / one of {', '.join(_MAY)}")
    return frozenset(names)
