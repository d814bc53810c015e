"""`gongshi simulate platform`: one lower platform as a process of its own."""

import asyncio
import contextlib
import signal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gongshi.kit.i18n import Text
from gongshi.protocols.codes import Edition
from gongshi.simulator.config import ConfigError, PlatformConfig, generate_channels, load_catalog
from gongshi.simulator.console import follow
from gongshi.simulator.faults import NAMED, Faults
from gongshi.simulator.platform import SimulatedPlatform
from gongshi.simulator.video.fonts import FontError


class TransportOption(StrEnum):
    """SIP transport."""

    UDP = "udp"
    TCP = "tcp"


class EditionOption(StrEnum):
    """Edition of GB/T 28181 to speak."""

    E2016 = "2016"
    E2022 = "2022"


def platform(
    host: Annotated[str, typer.Option(help="平台地址 / address of the platform to register with")],
    code: Annotated[str, typer.Option(help="本平台 20 位编码 / own 20-digit code")],
    port: Annotated[int, typer.Option(help="SIP 端口 / SIP port")] = 5060,
    channels: Annotated[int, typer.Option(help="虚拟摄像机数量 / number of invented cameras")] = 4,
    password: Annotated[str, typer.Option(help="注册密码 / password", envvar="GONGSHI_SIMULATE_PASSWORD")] = "",
    password_file: Annotated[Path | None, typer.Option(help="密码文件 / file that holds the password")] = None,
    domain: Annotated[str, typer.Option(help="上级 SIP 域 / SIP domain of the server")] = "",
    server_code: Annotated[str, typer.Option(help="上级平台编码 / code of the server")] = "",
    transport: Annotated[TransportOption, typer.Option(help="信令传输 / SIP transport")] = TransportOption.UDP,
    catalog_file: Annotated[Path | None, typer.Option(help="通道清单 JSON / channel list, JSON")] = None,
    edition: Annotated[EditionOption, typer.Option(help="标准版本 / edition")] = EditionOption.E2016,
    local_host: Annotated[str, typer.Option(help="本机地址 / own address")] = "",
    local_port: Annotated[int, typer.Option(help="本机 SIP 端口，0 为任意 / own SIP port, 0 is any")] = 0,
    name: Annotated[str, typer.Option(help="平台名称 / name of this platform")] = "模拟下级平台",
    keepalive: Annotated[float, typer.Option(help="心跳间隔，秒 / seconds between keepalives", min=1)] = 60.0,
    items_per_packet: Annotated[int, typer.Option(help="每个目录包的项数 / items per catalogue packet", min=1)] = 2,
    font: Annotated[Path | None, typer.Option(help="叠加文字字体 / font of the on-screen text")] = None,
    cache: Annotated[Path | None, typer.Option(help="画面缓存目录 / cache directory of pictures")] = None,
    prewarm: Annotated[int, typer.Option(help="预先制作画面的通道数 / channels to prepare", min=0)] = 64,
    record_days: Annotated[int, typer.Option(help="录像保存天数，0 为无 / days of recordings, 0 is none", min=0)] = 7,
    trust: Annotated[list[str] | None, typer.Option(help="可重定向到的服务器 / where a redirect may lead")] = None,
    fault: Annotated[list[str] | None, typer.Option(help="故障名称，见文档 / a fault by name")] = None,
    *,
    tree: Annotated[bool, typer.Option(help="目录含区划与组织 / list regions and organisations too")] = False,
    voice: Annotated[bool, typer.Option(help="有语音输出 / has a voice output")] = False,
    commands: Annotated[bool, typer.Option(help="从标准输入接受命令 / take orders from standard input")] = False,
) -> None:
    """模拟一个 GB/T 28181 设备或下级平台。 / Simulate a device or lower platform."""
    try:
        secret = password_file.read_text("utf-8").strip() if password_file else password
        if not secret:
            message = "缺少密码：请用 --password-file 或 --password / no password: use --password-file or --password"
            raise typer.BadParameter(message)
        config = PlatformConfig(
            code=code,
            password=secret,
            host=host,
            port=port,
            channels=load_catalog(catalog_file) if catalog_file else generate_channels(channels, code),
            name=name,
            server_code=server_code,
            domain=domain,
            transport="tcp" if transport is TransportOption.TCP else "udp",
            local_host=local_host,
            local_port=local_port,
            edition=Edition(edition.value),
            keepalive=keepalive,
            items_per_packet=items_per_packet,
            font=font,
            cache=cache,
            prewarm=prewarm,
            record_days=record_days,
            trusted_servers=tuple(trust or ()),
            tree=tree,
            voice=voice,
            faults=_faults(fault or []),
        )
        asyncio.run(run(config, commands=commands))
    except (ConfigError, FontError, OSError, UnicodeDecodeError) as error:
        # One line that names the place; a traceback would not help whoever typed the command.
        raise typer.BadParameter(str(error)) from error


def _faults(names: list[str]) -> Faults:
    """Faults that are named together."""
    known = {named.name: named for named in NAMED}
    made = Faults()
    for name in names:
        if name not in known:
            raise ConfigError(Text(f"没有故障 {name!r}，名称见 docs/simulator.md", f"there is no fault {name!r}"))
        for key, value in known[name].settings.items():
            setattr(made, key, value)
    return made


async def run(config: PlatformConfig, *, commands: bool = False) -> None:
    """Run a platform until SIGINT or SIGTERM, then end calls, unregister and return.

    With `commands` it takes orders from standard input (`console.HELP`).
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    async with SimulatedPlatform(config) as platform:
        listening = asyncio.create_task(follow(platform, typer.echo)) if commands else None
        await stop.wait()
        if listening is not None:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
