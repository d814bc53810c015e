"""Calls between processes: answers, problems, restarts; and nobody else may open the socket."""

import asyncio
import stat
from pathlib import Path

import pytest

from gongshi.kit.errors import Conflict, FieldError, Unavailable
from gongshi.kit.i18n import Text
from gongshi.node.rpc import RemoteProblem, RpcClient, RpcServer


async def double(number: int) -> int:
    await asyncio.sleep(0.05 if number == 1 else 0)
    return number * 2


async def refuse() -> None:
    fault = FieldError("number", "odd", Text("不是偶数", "is odd"))
    raise Conflict(Text("不行", "No"), code="said_no", errors=[fault])


async def break_down() -> None:
    message = "secret inside"
    raise RuntimeError(message)


HANDLERS = {"double": double, "refuse": refuse, "break_down": break_down}


@pytest.fixture
async def pair(tmp_path: Path):
    server = RpcServer(tmp_path / "r.sock", HANDLERS)
    await server.start()
    client = RpcClient(tmp_path / "r.sock", Text("测试", "test"))
    yield tmp_path / "r.sock", client
    await client.close()
    await server.close()


async def test_calls_overlap_and_find_their_own_answers(pair: tuple[Path, RpcClient]) -> None:
    _, client = pair
    assert await asyncio.gather(*(client.call("double", number=n) for n in range(50))) == [n * 2 for n in range(50)]


async def test_a_problem_keeps_its_code_status_and_both_texts(pair: tuple[Path, RpcClient]) -> None:
    _, client = pair
    with pytest.raises(RemoteProblem) as caught:
        await client.call("refuse")
    assert (caught.value.status, caught.value.code, caught.value.detail) == (409, "said_no", Text("不行", "No"))
    body = caught.value.body("zh")
    assert body["title"] == Conflict.title.zh
    assert body["errors"] == [{"field": "number", "code": "odd", "message": "不是偶数"}]


async def test_a_fault_is_answered_without_its_insides(pair: tuple[Path, RpcClient]) -> None:
    _, client = pair
    with pytest.raises(RemoteProblem) as caught:
        await client.call("break_down")
    assert caught.value.code == "internal"
    assert "secret" not in str(caught.value.body("en"))


async def test_the_client_comes_back_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "r.sock"
    client = RpcClient(path, Text("测试", "test"))
    with pytest.raises(Unavailable):
        await client.call("ping")
    for _ in range(2):
        server = RpcServer(path, HANDLERS)
        await server.start()
        assert await client.call("double", number=4) == 8
        await server.close()
        with pytest.raises(Unavailable):
            await client.call("double", number=4)
    await client.close()


async def test_only_this_user_may_open_the_socket(pair: tuple[Path, RpcClient]) -> None:
    path, _ = pair
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_garbage_ends_the_connection_and_nothing_else(pair: tuple[Path, RpcClient]) -> None:
    path, client = pair
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"\xff\xfe not json\n")
    assert await reader.read() == b""
    writer.close()
    assert await client.call("ping") is True
