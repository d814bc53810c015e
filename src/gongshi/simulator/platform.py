"""A whole lower platform in one object: `async with SimulatedPlatform(config) as platform`."""

import asyncio
from types import TracebackType
from typing import Self

import structlog

from gongshi.protocols.sip import AckMissing, AckReceived, Cancelled, RequestReceived, Response
from gongshi.simulator.agent import Agent, Incoming
from gongshi.simulator.answers import Answers
from gongshi.simulator.calls import Calls
from gongshi.simulator.config import Faults, PlatformConfig, default_cache
from gongshi.simulator.registration import Registration
from gongshi.simulator.stream import MediaStream
from gongshi.simulator.video.clip import Studio
from gongshi.simulator.video.fonts import find

log = structlog.get_logger(__name__)

_WARM_PAUSE = 1.0
_ALLOWED = "INVITE, ACK, BYE, CANCEL, MESSAGE, OPTIONS"


class SimulatedPlatform:
    """Registers, stays registered, answers and streams until left. All in the event loop that entered it.

    `faults` may be changed at any time.
    """

    def __init__(self, config: PlatformConfig) -> None:
        self.config = config
        self.agent = Agent(config, self._incoming, self._connection_lost)
        self.registration = Registration(config, self.agent)
        self._studio: Studio | None = None
        self._calls: Calls | None = None
        self._answers: Answers | None = None
        self._running: asyncio.Task[None] | None = None
        self._warming: asyncio.Task[None] | None = None

    @property
    def faults(self) -> Faults:
        """The switches, live."""
        return self.config.faults

    @property
    def streams(self) -> list[MediaStream]:
        """Streams of calls that stand."""
        return self._calls.streams if self._calls else []

    @property
    def calls(self) -> Calls:
        """The calls; only while entered."""
        if self._calls is None:
            message = "the platform is not running"
            raise RuntimeError(message)
        return self._calls

    @property
    def answers(self) -> Answers:
        """What answers queries; only while entered."""
        if self._answers is None:
            message = "the platform is not running"
            raise RuntimeError(message)
        return self._answers

    async def wait_registered(self, timeout: float = 10.0) -> None:
        """Wait until the registration stands. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout):
            await self.registration.registered.wait()

    async def __aenter__(self) -> Self:
        config = self.config
        # Opening fonts and pruning the cache touch the disk: not in the loop.
        typeface = await asyncio.to_thread(find, config.font)
        self._studio = await asyncio.to_thread(Studio, config.format, typeface, config.cache or default_cache())
        if typeface.origin == "pinyin":
            log.warning("simulator.font.missing", remedy="install fonts-noto-cjk or configure a font file")
        self._calls = Calls(config, self.agent, self._studio)
        self._answers = Answers(config, self.agent, self.registration, self._calls)
        self._running = asyncio.create_task(self.registration.run())
        if config.prewarm:
            self._warming = asyncio.create_task(self._warm())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in (self._running, self._warming):
            if task is not None:
                # Again and again: a cancellation that meets the end of a `wait_for` is lost before Python 3.12.
                while not task.done():
                    task.cancel()
                    await asyncio.wait([task], timeout=1.0)
        await self.calls.close()
        await self.registration.leave()
        await self.agent.close()
        if self._studio is not None:
            await asyncio.to_thread(self._studio.close)

    async def _warm(self) -> None:
        await self.registration.registered.wait()
        for channel in self.config.channels[: self.config.prewarm]:
            # Leaves most of the machine to others: this is only for later comfort.
            await asyncio.sleep(_WARM_PAUSE)
            await self.calls.warm(channel)

    def _connection_lost(self) -> None:
        log.warning("simulator.connection.lost", code=self.config.code)
        self.registration.renew()

    def _incoming(self, event: Incoming) -> None:
        match event:
            case AckReceived():
                self.calls.acknowledged(event.token)
            case AckMissing():
                self.calls.spawn(self.calls.unacknowledged(event.token))
            case Cancelled():
                self.agent.respond(event.token, Response.to_request(event.invite, 487))
            case RequestReceived():
                self._request(event)

    def _request(self, event: RequestReceived) -> None:
        match event.request.method:
            case "INVITE":
                self.calls.spawn(self.calls.invite(event))
            case "BYE":
                self.calls.spawn(self.calls.bye(event))
            case "MESSAGE":
                self.answers.message(event)
            case "OPTIONS":
                self.agent.respond(event.token, Response.to_request(event.request, 200, headers=[("Allow", _ALLOWED)]))
            case _:
                self.agent.respond(event.token, Response.to_request(event.request, 405, headers=[("Allow", _ALLOWED)]))
