"""The worker's end of the control socket: JSON lines, requests answered in order, events pushed to every listener.

`{"id", "verb", "params"}` is answered by `{"id", "result"}` or `{"id", "error": {"code", "zh", "en"}}`; an event is
`{"event", …}` without an id. The socket belongs to this user alone, and the peer's user is checked as well.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, cast

from gongshi.kit.errors import BadRequest, Problem
from gongshi.kit.i18n import Text

LINE_LIMIT: Final = 8 << 20
_BACKLOG: Final = 4 << 20
"""Bytes of events that wait for a listener before it is dropped: it has stopped reading."""

Verb = Callable[..., Any]

log = logging.getLogger(__name__)


class ControlServer:
    """Serves `verbs` (plain functions: nothing in a worker waits) on a Unix socket."""

    def __init__(self, path: Path, verbs: Mapping[str, Verb]) -> None:
        self._path = path
        self._verbs = verbs
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[object]] = set()

    async def start(self) -> None:
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path, limit=LINE_LIMIT)
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Flush what is pending and stop."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.drain(), 1.0)
            writer.close()
        # Closing a writer ends its reader; a task cut off by the end of the loop would be reported as an error.
        if self._serving:
            await asyncio.wait(self._serving, timeout=1.0)
        self._path.unlink(missing_ok=True)

    def push(self, name: str, **fields: object) -> None:
        """Tell every listener."""
        line = json.dumps({"event": name, **fields}).encode() + b"\n"
        for writer in list(self._writers):
            if writer.transport.get_write_buffer_size() > _BACKLOG:
                log.error("control listener does not read; dropped")
                writer.transport.abort()
            else:
                writer.write(line)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not _same_user(writer):
            writer.close()
            return
        self._writers.add(writer)
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        try:
            while line := await reader.readline():
                writer.write(self._answer(line))
                await writer.drain()
        except (ValueError, OSError):
            # An over-long line or a broken connection: the peer starts again.
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, line: bytes) -> bytes:
        number: object = None
        try:
            call = cast(dict[str, Any], json.loads(line))
            number = call.get("id")
            verb = self._verbs.get(str(call.get("verb")))
            if verb is None:
                raise BadRequest(Text("没有这个操作", "No such verb"))
            answer: dict[str, object] = {"id": number, "result": verb(**call.get("params", {}))}
        except Problem as problem:
            answer = {"id": number, "error": {"code": problem.code, "zh": problem.detail.zh, "en": problem.detail.en}}
        except (ValueError, TypeError, AttributeError) as error:
            log.warning("bad control call: %s", type(error).__name__)
            text = BadRequest.title
            answer = {"id": number, "error": {"code": "bad_request", "zh": text.zh, "en": text.en}}
        return json.dumps(answer).encode() + b"\n"


def _same_user(writer: asyncio.StreamWriter) -> bool:
    sock = cast(socket.socket, writer.get_extra_info("socket"))
    _, user, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return user in {0, os.geteuid()}
