"""A whole lower platform in one object: `async with SimulatedPlatform(config) as platform`."""

import asyncio
from dataclasses import replace
from types import TracebackType
from typing import Self

import structlog

from gongshi.kit.clock import now
from gongshi.protocols.manscdp import CatalogItem
from gongshi.protocols.manscdp.alarm import Alarm
from gongshi.protocols.sip import AckMissing, AckReceived, Cancelled, RequestReceived, Response
from gongshi.simulator.agent import Agent, Incoming
from gongshi.simulator.answers import Answers
from gongshi.simulator.broadcast import Broadcasts
from gongshi.simulator.calls import Calls
from gongshi.simulator.config import Channel, PlatformConfig, default_cache
from gongshi.simulator.faults import Faults
from gongshi.simulator.notices import Notices
from gongshi.simulator.queries import Queries
from gongshi.simulator.registration import Registration
from gongshi.simulator.site import Site
from gongshi.simulator.stream import MediaStream
from gongshi.simulator.video.clip import Studio
from gongshi.simulator.video.fonts import find

log = structlog.get_logger(__name__)

_WARM_PAUSE = 1.0
_ALLOWED = "INVITE, ACK, BYE, CANCEL, INFO, MESSAGE, OPTIONS, SUBSCRIBE"


class SimulatedPlatform:
    """Registers, stays registered, answers and streams until left. All in the event loop that entered it.

    `faults` may be changed at any time.
    """

    def __init__(self, config: PlatformConfig) -> None:
        self.config = config
        self.agent = Agent(config, self._incoming, self._connection_lost)
        self.registration = Registration(config, self.agent)
        self.site = Site(config)
        self._studio: Studio | None = None
        self._calls: Calls | None = None
        self._answers: Answers | None = None
        self._notices: Notices | None = None
        self._broadcasts: Broadcasts | None = None
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

    @property
    def notices(self) -> Notices:
        """What is told to subscribers; only while entered."""
        if self._notices is None:
            message = "the platform is not running"
            raise RuntimeError(message)
        return self._notices

    @property
    def broadcasts(self) -> Broadcasts:
        """Voices that play; only while entered."""
        if self._broadcasts is None:
            message = "the platform is not running"
            raise RuntimeError(message)
        return self._broadcasts

    # --- what an operator can make happen ----------------------------------------------------------------------------

    async def raise_alarm(self, code: str, *, method: int = 5, type: int | None = 2, priority: int = 4) -> bool:
        """Raise an alarm; False when the device keeps silent until the last one is reset."""
        alarm = Alarm(code, self.site.next_serial(), priority, method, now(), "模拟报警", type=type)
        return await self.notices.alarm(alarm, self.answers.tell)

    def switch(self, code: str, *, online: bool) -> None:
        """Let a camera fail or come back; subscribers hear of it. KeyError when there is no such camera."""
        self.site.put(replace(self.site.channels[code], online=online))
        self.notices.changed([CatalogItem(code, event="ON" if online else "OFF")])

    def put(self, channel: Channel) -> None:
        """Add a camera or change one."""
        event = "ADD" if self.site.put(channel) else "UPDATE"
        self.notices.changed([replace(self.site.item(channel.code), event=event)])

    def remove(self, code: str) -> None:
        """Take a camera away."""
        if self.site.remove(code):
            self.notices.changed([CatalogItem(code, event="DEL")])

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
        self._calls = Calls(self.site, self.agent, self._studio)
        queries = Queries(self.site, self._calls)
        self._notices = Notices(self.site, self.agent, queries, self._calls.spawn)
        self._broadcasts = Broadcasts(self.site, self.agent, self.registration, self._calls.spawn)
        self._answers = Answers(
            self.site,
            self.agent,
            self.registration,
            self._calls,
            queries=queries,
            broadcasts=self._broadcasts,
            notices=self._notices,
        )
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
        await self.notices.close()
        await self.broadcasts.close()
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
                self.calls.cancel(event.token, event.invite)
            case RequestReceived():
                self._request(event)

    def _request(self, event: RequestReceived) -> None:
        match event.request.method:
            case "INVITE":
                self.calls.spawn(self.calls.invite(event))
            case "BYE":
                if self.broadcasts.ended(event.request):
                    self.agent.respond(event.token, Response.to_request(event.request, 200))
                else:
                    self.calls.spawn(self.calls.bye(event))
            case "INFO":
                self.calls.info(event)
            case "MESSAGE":
                self.answers.message(event)
            case "SUBSCRIBE":
                self.notices.subscribe(event)
            case "OPTIONS":
                status = 405 if self.faults.no_options else 200
                self._answer(event, status)
            case _:
                self._answer(event, 200 if self.faults.accept_any_method else 405)

    def _answer(self, event: RequestReceived, status: int) -> None:
        self.agent.respond(event.token, Response.to_request(event.request, status, headers=[("Allow", _ALLOWED)]))
