"""The command as a process of its own."""

import asyncio
import json
import signal
import sys
from pathlib import Path

from integration.simulator.receiver import udp_receiver
from integration.simulator.upper import OpenCall, Upper

CODE = "34150300002000000001"
CAMERA = "34150300001320000009"
_RUN = "import typer; from gongshi.simulator.cli import platform; typer.run(platform)"


async def start(*arguments: str, orders: bool = False) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    given = pipe if orders else asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _RUN,
        *arguments,
        stdin=given,
        stdout=pipe,
        stderr=asyncio.subprocess.DEVNULL if orders else asyncio.subprocess.STDOUT,
    )


async def test_a_process_registers_streams_and_ends_cleanly_on_sigterm(
    upper: Upper, tmp_path: Path, clips: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text(f"{upper.password}\n", "utf-8")
    cameras = tmp_path / "cameras.json"
    row = {"code": CAMERA, "name": "望江寨大门", "scene": "gate", "longitude": 116.5, "latitude": 31.7, "status": "ON"}
    cameras.write_text(json.dumps([row]), "utf-8")
    process = await start(
        "--host", "127.0.0.1", "--port", str(upper.port), "--code", CODE, "--password-file", str(secret),
        "--catalog-file", str(cameras), "--cache", str(clips),
    )  # fmt: skip
    try:
        await asyncio.wait_for(upper.bound.wait(), 20)
        async with udp_receiver() as receiver:
            call = await upper.invite(CODE, CAMERA, receiver.port)
            assert isinstance(call, OpenCall)
            await receiver.until_frames(20)
            process.send_signal(signal.SIGTERM)
            bye = await asyncio.wait_for(upper.byes.get(), 5)
            output = await asyncio.wait_for(process.communicate(), 10)
        assert bye.call_id == call.request.call_id
        assert process.returncode == 0
        assert not upper.bindings
        assert upper.password.encode() not in output[0]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_bad_options_are_said_in_one_message(tmp_path: Path) -> None:
    cameras = tmp_path / "cameras.json"
    cameras.write_text('[{"code": "12"}]', "utf-8")
    common = ("--host", "127.0.0.1", "--code", CODE)
    for arguments, expected in (
        ((*common, "--password", "x", "--catalog-file", str(cameras)), "channel list, entry 1"),
        (("--host", "127.0.0.1", "--code", "77", "--password", "x"), "not 20 digits"),
        (common, "no password"),
    ):
        process = await start(*arguments)
        output, _ = await asyncio.wait_for(process.communicate(), 20)
        text = " ".join(output.decode().replace("│", " ").split())
        assert process.returncode == 2
        assert expected in text
        assert "Traceback" not in text


async def test_orders_come_by_standard_input(upper: Upper, clips: Path) -> None:
    process = await start(
        "--host", "127.0.0.1", "--port", str(upper.port), "--code", CODE, "--password", upper.password,
        "--cache", str(clips), "--commands", "--fault", "alarm_without_priority", orders=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    camera = f"{CODE[:10]}131{CODE[13]}000001"
    try:
        await asyncio.wait_for(upper.bound.wait(), 20)
        said: list[str] = []
        for line in ("alarm", f"alarm {camera} 2", f"alarm {camera} 2", "well", f"alarm {camera} 6 1", "fly", "del 7"):
            process.stdin.write(f"{line}\n".encode())
            while not (answer := (await asyncio.wait_for(process.stdout.readline(), 10)).decode()).startswith(
                ("raised", "silent", "done", "?")
            ):
                pass
            said.append(answer.split()[0])
        assert said == ["raised", "raised", "silent", "done", "raised", "?", "?"]
        alarms = [await asyncio.wait_for(upper.messages.get(), 5) for _ in range(3)]
        assert [a.element.get("AlarmMethod") for a in alarms] == ["5", "2", "6"]
        assert [a.element.get("AlarmPriority") is not None for a in alarms] == [False, False, True]
    finally:
        process.terminate()
        await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0
