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


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", _RUN, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
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
