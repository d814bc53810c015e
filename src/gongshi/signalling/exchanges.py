"""Our queries and controls, and the answers that come as messages of their own (gb28181.md §6, Q-48).

An answer is matched by peer, CmdType and SN; by peer, CmdType and DeviceID when its SN is wrong and only one query of
the kind is open.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol

from gongshi.kit.errors import Problem
from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import LocalProtocolError
from gongshi.protocols.manscdp import Charset, Element, Envelope
from gongshi.signalling import device_problems as faults
from gongshi.signalling import problems
from gongshi.signalling.agent import Agent, NoAnswer
from gongshi.signalling.peers import PeerState
from gongshi.signalling.policy import Policy

_MOST_WAITING: Final = 2_000
"""Answers that one query may pile up before they are taken: a flood ends there."""

_DONE: Final = Envelope("Response", "", None, "", Element(""))
"""Told when a command without an answer was acknowledged."""


class Sendable(Protocol):
    """A message of `protocols.manscdp`."""

    def to_bytes(self, edition: Edition = ..., charset: Charset = ...) -> bytes: ...


Make = Callable[[int], Sendable]
"""Makes the message for an SN."""


class Exchange:
    """One query on its way. Answers may come before the 200 to it."""

    def __init__(self, peer: PeerState, code: str, command: str, sn: int, answered: bool) -> None:
        self.peer = peer
        self.code = code
        self.command = command.lower()
        self.sn = sn
        self.acknowledged = False
        self.heard = 0
        self.answered = answered
        self._news: asyncio.Queue[Envelope | Problem] = asyncio.Queue(_MOST_WAITING)

    def put(self, news: Envelope | Problem) -> None:
        """An answer, or why none will come."""
        if isinstance(news, Envelope):
            self.heard += 1
        if not self._news.full():
            self._news.put_nowait(news)

    async def next(self, seconds: float) -> Envelope | None:
        """The next answer; None when none came in time. Raises what went wrong before anything came."""
        try:
            async with asyncio.timeout(seconds):
                news = await self._news.get()
        except TimeoutError:
            return None
        if isinstance(news, Envelope):
            return news
        raise news


class Exchanges:
    """All that are open, by peer."""

    def __init__(self, agent: Agent, policy: Policy) -> None:
        self._agent = agent
        self._policy = policy
        self._open: dict[int, list[Exchange]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._random = random.Random()  # noqa: S311 -- a starting number, decides nothing

    @asynccontextmanager
    async def ask(
        self, peer: PeerState, code: str, command: str, make: Make, *, to: str | None = None, answered: bool = True
    ) -> AsyncGenerator[Exchange]:
        """Send a query about `code` and take its answers in the block. Raises CallFailed when the peer is offline.

        `to` is who the message is addressed to, the peer itself without it. Raises NotInEdition when the message
        cannot be said to this peer.
        """
        if not peer.online or peer.flow is None:
            raise problems.device_offline(peer.name, peer.reason)
        peer.sn = peer.next_sn() if peer.sn else self._random.randrange(1, 1 << 30)
        exchange = Exchange(peer, code, command, peer.sn, answered)
        try:
            data = make(exchange.sn).to_bytes(peer.edition, charset_of(peer))
        except LocalProtocolError as error:
            raise faults.not_in_edition(peer.name, str(error)) from error
        open_here = self._open.setdefault(peer.id, [])
        open_here.append(exchange)
        task = asyncio.create_task(self._send(exchange, data, to), name=f"ask-{command}-{peer.code}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            yield exchange
        finally:
            open_here.remove(exchange)
            if not open_here and self._open.get(peer.id) is open_here:
                del self._open[peer.id]
            if answered:
                task.cancel()

    async def one(self, peer: PeerState, code: str, command: str, make: Make, *, to: str | None = None) -> Envelope:
        """The answer to a query that has one. Raises QueryFailed."""
        async with self.ask(peer, code, command, make, to=to) as exchange:
            answer = await exchange.next(self._policy.query_seconds)
            if answer is None:
                raise faults.silent(peer.name, self._policy.query_seconds, acknowledged=exchange.acknowledged)
            return answer

    async def tell(self, peer: PeerState, code: str, command: str, make: Make, *, to: str | None = None) -> None:
        """A command without an answer of its own: until it was acknowledged. Raises QueryFailed."""
        async with self.ask(peer, code, command, make, to=to, answered=False) as exchange:
            if await exchange.next(self._policy.query_seconds) is None and not exchange.acknowledged:
                raise faults.silent(peer.name, self._policy.query_seconds, acknowledged=False)

    async def _send(self, exchange: Exchange, data: bytes, to: str | None) -> None:
        peer = exchange.peer
        assert peer.flow is not None  # noqa: S101 -- checked by `ask`
        try:
            request = self._agent.message(peer, data, to)
            response = await self._agent.ask(request, peer.flow, self._policy.query_seconds)
        except NoAnswer:
            # Some answer the query and never acknowledge it: what came counts all the same.
            if not exchange.heard:
                exchange.put(faults.silent(peer.name, self._policy.query_seconds, acknowledged=False))
            return
        if response.status >= 300:
            if not exchange.heard:
                exchange.put(faults.refused(peer.name, response.status))
            return
        exchange.acknowledged = True
        if not exchange.answered:
            exchange.put(_DONE)

    def received(self, peer: PeerState, envelope: Envelope) -> bool:
        """An answer of a peer; False when nobody waits for it."""
        command = envelope.cmd_type.lower()
        waiting = [e for e in self._open.get(peer.id, ()) if e.command == command and e.answered]
        exact = [e for e in waiting if e.sn == envelope.sn]
        if not exact:
            # Gateways answer under a number of their own.
            exact = [e for e in waiting if len(waiting) == 1 and envelope.device_id in {e.code, peer.code, ""}]
        for exchange in exact[:1]:
            exchange.put(envelope)
        return bool(exact)

    def offline(self, peer: PeerState) -> None:
        """A peer went, or went elsewhere: nothing more will come from where it was asked."""
        for exchange in self._open.get(peer.id, ()):
            exchange.put(faults.gone(peer.name))

    async def close(self) -> None:
        """Give up what is open."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def charset_of(peer: PeerState) -> Charset:
    """What an operator chose for the peer, else GB 18030."""
    return "utf-8" if (peer.charset or "").lower() in {"utf-8", "utf8"} else "gb18030"
