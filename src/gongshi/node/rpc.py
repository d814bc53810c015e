"""Calls between the processes of one node: JSON lines over a Unix socket only this user can open.

One line a call: `{"id", "method", "params"}` answered by `{"id", "result"}` or `{"id", "error"}`. Calls overlap on one
connection. Across hosts the same verbs will travel over mutual TLS; callers see a port, never this module.
"""

import asyncio
import contextlib
import itertools
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from gongshi.kit.errors import FieldError, Problem, Unavailable
from gongshi.kit.i18n import Text

log = structlog.get_logger(__name__)

Handler = Callable[..., Awaitable[Any]]
_LINE_LIMIT = 16 * 1024 * 1024


class RemoteProblem(Problem):
    """A problem the other process answered with; status, code, title, texts and fields are its own."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        self.status = int(error.get("status", 500))
        self.data: Mapping[str, Any] = error.get("data") or {}
        detail = Text(str(error.get("zh", "内部错误")), str(error.get("en", "Internal error")))
        title: Mapping[str, Any] = error.get("title") or {}
        self.title = Text(str(title.get("zh", detail.zh)), str(title.get("en", detail.en)))
        super().__init__(
            detail,
            code=str(error.get("code", "internal")),
            errors=[
                FieldError(str(e["field"]), str(e["code"]), Text(str(e["zh"]), str(e["en"])))
                for e in error.get("errors") or ()
            ],
        )


def problem_line(problem: Problem) -> dict[str, Any]:
    """A problem as it travels; `data` carries what the caller may show beside the text."""
    return {
        "status": problem.status,
        "code": problem.code,
        "zh": problem.detail.zh,
        "en": problem.detail.en,
        "title": {"zh": problem.title.zh, "en": problem.title.en},
        "errors": [{"field": e.field, "code": e.code, "zh": e.message.zh, "en": e.message.en} for e in problem.errors],
        "data": getattr(problem, "data", None),
    }


class RpcServer:
    """Serves `handlers` until closed. A handler's `Problem` reaches the caller; anything else is logged here."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = {"ping": _ping, **handlers}
        self._server: asyncio.Server | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path, limit=_LINE_LIMIT)
        finally:
            os.umask(before)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.close()
        for call in list(self._calls):
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                call = asyncio.create_task(self._answer(json.loads(line), writer))
                self._calls.add(call)
                call.add_done_callback(self._calls.discard)
        except (ConnectionError, ValueError):
            log.warning("rpc.broken", path=self._path.name)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, call: Mapping[str, Any], writer: asyncio.StreamWriter) -> None:
        answer: dict[str, Any] = {"id": call.get("id")}
        try:
            handler = self._handlers.get(str(call.get("method")))
            if handler is None:
                raise Unavailable(Text("没有这个内部调用", "There is no such internal call"), code="no_such_call")
            answer["result"] = await handler(**call.get("params", {}))
        except Problem as problem:
            answer["error"] = problem_line(problem)
        except Exception:
            log.exception("rpc.failed", method=call.get("method"))
            answer["error"] = problem_line(Problem())
        with contextlib.suppress(ConnectionError):
            writer.write(json.dumps(answer, ensure_ascii=False, default=str).encode() + b"\n")
            await writer.drain()


async def _ping() -> bool:
    return True


class RpcClient:
    """Calls another process; connects when needed and again after it was restarted."""

    def __init__(self, path: Path, role: Text) -> None:
        self._path = path
        self._role = role
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()

    async def call(self, method: str, *, timeout: float = 10.0, **params: Any) -> Any:
        """The answer, or a `Problem`: the other side's own, or `unavailable` when it is not there."""
        try:
            async with asyncio.timeout(timeout):
                writer = await self._connected()
                number = next(self._ids)
                answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
                self._waiting[number] = answer
                try:
                    line = {"id": number, "method": method, "params": params}
                    writer.write(json.dumps(line, ensure_ascii=False, default=str).encode() + b"\n")
                    await writer.drain()
                    return await answer
                finally:
                    self._waiting.pop(number, None)
        except (OSError, TimeoutError) as error:
            raise Unavailable(
                Text(f"{self._role.zh}没有响应，请稍后重试", f"The {self._role.en} does not answer; try again shortly"),
                code="role_unavailable",
            ) from error

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._drop()

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._writer is None or self._writer.is_closing():
                reader, self._writer = await asyncio.open_unix_connection(self._path, limit=_LINE_LIMIT)
                self._reading = asyncio.create_task(self._read(reader))
            return self._writer

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                message = json.loads(line)
                waiting = self._waiting.get(message["id"])
                if waiting is None or waiting.done():
                    continue
                if "error" in message:
                    waiting.set_exception(RemoteProblem(message["error"]))
                else:
                    waiting.set_result(message.get("result"))
        except (ConnectionError, ValueError):
            log.warning("rpc.lost", path=self._path.name)
        finally:
            self._drop()

    def _drop(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError())


class Neighbours:
    """Other nodes' signalling servers on this machine, by their control sockets."""

    def __init__(self) -> None:
        self._clients: dict[str, RpcClient] = {}

    async def ask(self, control: str, method: str, parameters: Mapping[str, Any]) -> Any:
        """The answer of one of them, or a `Problem`."""
        client = self._clients.get(control)
        if client is None:
            client = self._clients[control] = RpcClient(Path(control), Text("信令服务", "signalling server"))
        return await client.call(method, timeout=60.0, **parameters)

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()
