"""One worker process seen from the agent: start it, call its verbs, hear its events, notice its death."""

import asyncio
import contextlib
import itertools
import json
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, cast

from gongshi.kit.errors import Problem
from gongshi.kit.i18n import Text
from gongshi.media.embedded.control import LINE_LIMIT
from gongshi.media.embedded.settings import WorkerSettings
from gongshi.media.engine import BadTarget, EngineDown, NoPicture, NoPort, SessionEnded, StreamExists, UnknownStream

_START_SECONDS: Final = 20.0
_CALL_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 3.0

_PROBLEMS: Final[Mapping[str, type[Problem]]] = {
    kind.code: kind for kind in (BadTarget, UnknownStream, StreamExists, SessionEnded, NoPort, NoPicture)
}

log = logging.getLogger(__name__)


class WorkerProcess:
    """Runs one worker until `stop`. `heard` gets every event, `died` is called once if it ends unasked."""

    def __init__(
        self, settings: WorkerSettings, heard: Callable[[dict[str, Any]], None], died: Callable[[], None]
    ) -> None:
        self.settings = settings
        self.http_port = 0
        self.pid = 0
        self.alive = False
        self._heard = heard
        self._died = died
        self._process: Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start the process and connect. Raises `EngineDown` when it does not get ready."""
        # A session of its own: Ctrl-C in a terminal reaches the supervisor, which then stops workers in order.
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gongshi.media.embedded.worker",
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,
        )
        assert self._process.stdin is not None  # noqa: S101 -- a pipe was asked for
        assert self._process.stdout is not None  # noqa: S101 -- as above
        try:
            self._process.stdin.write(self.settings.line().encode() + b"\n")
            line = await asyncio.wait_for(self._process.stdout.readline(), _START_SECONDS)
            ready = cast(dict[str, Any], json.loads(line))
            self.http_port, self.pid = int(ready["http_port"]), int(ready["pid"])
            reader, self._writer = await asyncio.open_unix_connection(Path(self.settings.control), limit=LINE_LIMIT)
        except (OSError, TimeoutError, ValueError, KeyError) as error:
            await self._end()
            text = Text(
                "流媒体工作进程 {n} 启动失败，请查看日志（常见原因：端口被占用）",
                "Media worker {n} did not start; see the log (often a port is taken)",
            )
            raise EngineDown(text.format(n=self.settings.worker)) from error
        self.alive = True
        self._tasks = [asyncio.create_task(self._listen(reader))]

    async def call(self, verb: str, **params: object) -> Any:
        """One verb. Raises the problem that the worker answers with, or `EngineDown`."""
        if not self.alive or self._writer is None:
            raise EngineDown
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._writer.write(json.dumps({"id": number, "verb": verb, "params": params}).encode() + b"\n")
            return await asyncio.wait_for(answer, _CALL_SECONDS)
        except TimeoutError as error:
            # Nothing in a worker waits, so one that does not answer hangs: its pictures stand still already.
            log.error("media worker %d does not answer %s; ending it", self.settings.worker, verb)  # noqa: TRY400 -- said
            if self._process is not None and self._process.returncode is None:
                self._process.kill()
            raise EngineDown from error
        except OSError as error:
            raise EngineDown from error
        finally:
            self._waiting.pop(number, None)

    async def stop(self) -> None:
        """End the process in good form, then by force."""
        self.alive = False
        await self._end()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            if task is not asyncio.current_task():
                with contextlib.suppress(TimeoutError):
                    # The last events are on their way when the process has ended.
                    await asyncio.wait_for(task, 1.0)

    async def _end(self) -> None:
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        for step in (None, process.terminate, process.kill):
            if process.returncode is not None:
                break
            if step is not None:
                with contextlib.suppress(ProcessLookupError):
                    step()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        if self._writer is not None:
            self._writer.close()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                self._hear(cast(dict[str, Any], json.loads(line)))
        except (OSError, ValueError) as error:
            log.warning("control line of media worker %d broke: %s", self.settings.worker, type(error).__name__)
        asked = not self.alive
        self.alive = False
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(EngineDown())
        if not asked:
            await self._end()
            self._died()

    def _hear(self, message: dict[str, Any]) -> None:
        if "event" in message:
            self._heard(message)
            return
        answer = self._waiting.get(message.get("id", 0))
        if answer is None or answer.done():
            return
        error = message.get("error")
        if error is None:
            answer.set_result(message.get("result"))
            return
        kind = _PROBLEMS.get(error["code"], EngineDown)
        answer.set_exception(kind(Text(error["zh"], error["en"]), code=error["code"]))
