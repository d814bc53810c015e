"""A device that answers what it is asked, as a test tells it to, and keeps what it heard."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from gongshi.protocols.codes import Edition
from gongshi.protocols.manscdp import Envelope, parse
from gongshi.protocols.sip import Notifier, Request, Uri, Via, new_branch, new_tag
from gongshi.signalling.server import SignalServer
from integration.signalling.conftest import PASSWORD, PLATFORM
from integration.signalling.device import NODE, Device

Reply = Callable[[Any], "Iterable[bytes] | None"]


class Talker(Device):
    """`replies[CmdType]` gives the bodies of the answer; `silent` commands are not even acknowledged."""

    def __init__(self, code: str, port: int, edition: Edition = Edition.E2016) -> None:
        super().__init__(code, port)
        self.edition = edition
        self.replies: dict[str, Reply] = {}
        self.statuses: dict[str, int] = {}
        self.silent: set[str] = set()
        self.heard: list[tuple[Request, Envelope]] = []
        self.subscribed: dict[str, Notifier] = {}
        self.subscribe_status = 200
        self._tasks: set[asyncio.Task[None]] = set()

    def of(self, command: str) -> list[Envelope]:
        """What was heard of a command, oldest first."""
        return [envelope for _, envelope in self.heard if envelope.cmd_type == command]

    @asynccontextmanager
    async def talking(self, **options: object) -> AsyncGenerator["Talker"]:
        """Registered and answering."""
        async with self.on():
            worker = asyncio.create_task(self._work())
            try:
                assert (await self.register(PASSWORD, headers=self._version())).status == 200
                yield self
            finally:
                worker.cancel()
                for task in list(self._tasks):
                    task.cancel()
                await asyncio.gather(worker, *self._tasks, return_exceptions=True)

    def _version(self) -> list[tuple[str, str]]:
        return [("X-GB-Ver", "3.0")] if self.edition == Edition.E2022 else []

    async def _work(self) -> None:
        while True:
            request = await self.requests.get()
            if request.method == "SUBSCRIBE":
                self._subscribe(request)
            elif request.method == "MESSAGE":
                self._message(request)

    def _message(self, request: Request) -> None:
        envelope = parse(request.body)
        self.heard.append((request, envelope))
        if envelope.cmd_type in self.silent:
            return
        status = self.statuses.get(envelope.cmd_type, 200)
        self.answer(request, status)
        reply = self.replies.get(envelope.cmd_type)
        if status == 200 and reply is not None:
            task = asyncio.create_task(self._reply(list(reply(envelope) or ())))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _reply(self, bodies: list[bytes]) -> None:
        for body in bodies:
            await self.ask(self.message(body))

    def _subscribe(self, request: Request) -> None:
        if request.body:
            self.heard.append((request, parse(request.body)))
        if self.subscribe_status != 200:
            self.answer(request, self.subscribe_status)
            return
        known = self.subscribed.get(request.call_id)
        if request.to.tag is not None:
            if known is None:
                self.answer(request, 481)
                return
            seconds = known.refresh(request, 0.0)
            self.answer(request, 200, headers=[("Expires", str(seconds))])
            return
        envelope = parse(request.body)
        tag = new_tag()
        notifier = Notifier.accept(request, tag, envelope.cmd_type, envelope.device_id, 0.0)
        self.subscribed[request.call_id] = notifier
        self.answer(request, 200, tag=tag, headers=[("Expires", str(int(notifier.until)))])

    def notifier(self, command: str) -> Notifier | None:
        """The subscription that stands for a command."""
        return next((n for n in self.subscribed.values() if n.command == command and n.state == "active"), None)

    async def notify(self, command: str, body: bytes) -> int:
        """Tell the subscriber; the status of its answer."""
        notifier = self.notifier(command)
        assert notifier is not None
        return await self.send_notify(notifier.notify(body, 0.0))

    async def send_notify(self, request: Request) -> int:
        request.uri = str(Uri.of(NODE, "127.0.0.1", self.server[1]))
        request.headers.add_first("Via", str(Via("UDP", self.host, self.port, {"branch": new_branch()})))
        return (await self.ask(request)).status


def talker(server: SignalServer, edition: Edition = Edition.E2016, code: str = PLATFORM) -> Talker:
    return Talker(code, server.port, edition)
