"""Orders to a running platform, one per line: what an operator or a test wants to happen now."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import fields, replace

from gongshi.kit.i18n import Text
from gongshi.simulator.config import generate_channels
from gongshi.simulator.faults import NAMED, Faults
from gongshi.simulator.platform import SimulatedPlatform

HELP = Text(
    "alarm [通道 [方式 [类型]]]、on 通道、off 通道、add、del 通道、sick [通道…]、fault 名称、well、boot、leave",
    "alarm [CHANNEL [METHOD [TYPE]]], on CHANNEL, off CHANNEL, add, del CHANNEL, sick [CHANNEL...], fault NAME, "
    "well, boot, leave",
)


class BadOrder(ValueError):
    """A line that cannot be carried out."""

    def __init__(self, text: Text) -> None:
        super().__init__(f"{text.zh} / {text.en}")


async def obey(platform: SimulatedPlatform, line: str) -> str:
    """Carry out one line; what was done, in a word. Raises BadOrder."""
    word, *rest = line.split() or [""]
    channels = platform.site.channels
    code = rest[0] if rest else next(iter(channels), "")
    if word in {"on", "off", "del"} and code not in channels:
        raise BadOrder(Text(f"没有通道 {code}", f"there is no channel {code}"))
    match word.lower():
        case "alarm":
            method, kind = (_number(rest, at) for at in (1, 2))
            raised = await platform.raise_alarm(code, method=method or 5, type=kind if method else 2)
            return "raised" if raised else "silent"
        case "on" | "off":
            platform.switch(code, online=word == "on")
        case "add":
            platform.put(generate_channels(len(channels) + 1, platform.config.code)[-1])
        case "del":
            platform.remove(code)
        case "sick":
            platform.registration.report(tuple(rest))
        case "fault":
            _spoil(platform, code)
        case "well":
            _heal(platform)
        case "boot":
            await platform.registration.reboot()
        case "leave":
            await platform.registration.leave()
        case _:
            raise BadOrder(HELP)
    return "done"


def _number(words: list[str], at: int) -> int | None:
    text = words[at] if at < len(words) else ""
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise BadOrder(Text(f"{text} 不是数字", f"{text} is no number"))
    return int(text)


def _spoil(platform: SimulatedPlatform, name: str) -> None:
    named = next((named for named in NAMED if named.name == name), None)
    if named is None:
        raise BadOrder(Text(f"没有故障 {name}", f"there is no fault {name}"))
    for key, value in named.settings.items():
        setattr(platform.faults, key, value)


def _heal(platform: SimulatedPlatform) -> None:
    sound = replace(Faults())
    for key in fields(Faults):
        setattr(platform.faults, key.name, getattr(sound, key.name))


async def follow(platform: SimulatedPlatform, say: Callable[[str], None]) -> None:
    """Read lines from standard input until it ends; every line is answered by one."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while line := (await reader.readline()).decode("utf-8", "replace").strip():
            try:
                say(await obey(platform, line))
            except BadOrder as error:
                say(f"? {error}")
    finally:
        transport.close()
