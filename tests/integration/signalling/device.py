"""A SIP device on a plain UDP socket that does exactly what a test says, right or wrong."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.manscdp import Keepalive
from gongshi.protocols.sip import (
    MANSCDP,
    NameAddr,
    Request,
    Response,
    Uri,
    Via,
    authorized,
    new_branch,
    new_request,
    parse_message,
)

NODE = "34150000002000000001"


class Device:
    """One socket, one code. Requests of the server are queued in `requests`; answering them is up to the test."""

    def __init__(self, code: str, port: int) -> None:
        self.code = code
        self.server = ("127.0.0.1", port)
        self.requests: asyncio.Queue[Request] = asyncio.Queue()
        self.raw: asyncio.Queue[bytes] = asyncio.Queue()
        self._responses: dict[tuple[str, int], asyncio.Future[Response]] = {}
        self._transport: Any = None
        self._serial = itertools.count(1)
        self.cseq = itertools.count(1)
        self.call_id = f"call-{code[-4:]}"

    @asynccontextmanager
    async def on(self, host: str = "127.0.0.1") -> AsyncGenerator["Device"]:
        device = self

        class Protocol(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: Any) -> None:
                device.take(data)

        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Protocol, local_addr=(host, 0))
        self.host, self.port = self._transport.get_extra_info("sockname")
        try:
            yield self
        finally:
            self._transport.close()
            await asyncio.sleep(0)

    def take(self, data: bytes) -> None:
        self.raw.put_nowait(data)
        try:
            message = parse_message(data)
        except ProtocolError:
            return
        if isinstance(message, Request):
            self.requests.put_nowait(message)
            return
        waiting = self._responses.get((message.call_id, message.cseq.number))
        if waiting is not None and not waiting.done() and message.status >= 200:
            waiting.set_result(message)

    def send(self, data: bytes) -> None:
        self._transport.sendto(data, self.server)

    async def ask(self, request: Request, timeout: float = 5.0) -> Response:
        """Send and wait for the final answer. TimeoutError when none comes."""
        if request.via is None:
            via = Via("UDP", self.host, self.port, {"rport": None, "branch": new_branch()})
            request.headers.add_first("Via", str(via))
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._responses[(request.call_id, request.cseq.number)] = future
        self.send(request.to_bytes())
        return await asyncio.wait_for(future, timeout)

    # --- registration ------------------------------------------------------------------------------------------------

    def register_request(self, expires: int | None = 3600, **options: Any) -> Request:
        own = Uri.of(self.code, self.code[:10])
        headers = [("User-Agent", "Test-Device")] if expires is None else [("Expires", str(expires))]
        return new_request(
            "REGISTER",
            Uri.of(NODE, NODE[:10]),
            own,
            own,
            call_id=self.call_id,
            cseq=next(self.cseq),
            contact=Uri.of(self.code, self.host, self.port),
            headers=(*headers, *options.get("headers", ())),
        )

    async def challenge(self, expires: int | None = 3600, **options: Any) -> tuple[Request, Response]:
        request = self.register_request(expires, **options)
        return request, await self.ask(request)

    async def register(self, password: str, expires: int | None = 3600, **options: Any) -> Response:
        request, answer = await self.challenge(expires, **options)
        if answer.status != 401:
            return answer
        second = authorized(request, answer, self.code, password)
        next(self.cseq)
        return await self.ask(second)

    # --- messages ----------------------------------------------------------------------------------------------------

    def message(self, body: bytes, code: str | None = None) -> Request:
        own = Uri.of(code or self.code, self.code[:10])
        server = Uri.of(NODE, NODE[:10])
        return new_request("MESSAGE", server, own, server, cseq=20, body=body, content_type=MANSCDP)

    async def keepalive(self, code: str | None = None) -> int:
        body = Keepalive(code or self.code, next(self._serial)).build()
        return (await self.ask(self.message(body, code))).status

    def answer(self, request: Request, status: int, **options: Any) -> Response:
        """Answer a request of the server; gives what was sent, to be sent again."""
        headers = list(options.pop("headers", ()))
        if request.method == "INVITE":
            headers.append(("Contact", str(NameAddr(Uri.of(self.code, self.host, self.port)))))
        response = Response.to_request(request, status, headers=headers, **options)
        self.send(response.to_bytes())
        return response
