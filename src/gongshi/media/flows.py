"""One flow from a channel: a port to receive on, a call to the device, and the steps between, each with its moment."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.db.engine import Database
from gongshi.kit import clock
from gongshi.kit.errors import Problem
from gongshi.kit.i18n import Text
from gongshi.kit.ids import new_id
from gongshi.media import reasons, repository
from gongshi.media.engine import EngineDown, FirstFrame, MediaEngine, Receiver, StreamOnline
from gongshi.media.models import Stream
from gongshi.media.ports import ChannelRef, DeviceControl
from gongshi.media.reasons import SessionFailed
from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.sdp import Ssrc, SsrcAllocator

log = structlog.get_logger(__name__)

_STEPS: Mapping[str, Text] = {
    "elected": Text("准备打开通道 {channel}", "Opening channel {channel}"),
    "receiver": Text("已准备收流端口 {address}:{port}", "Receiving at {address}:{port}"),
    "invited": Text("正在邀请设备", "Inviting the device"),
    "answered": Text("设备已应答", "The device has answered"),
    "online": Text("收到设备的数据（来自 {source}）", "Data arrives from the device ({source})"),
    "first_frame": Text("收到首个关键帧：{codec} {width}×{height}", "First key frame: {codec} {width}×{height}"),
    "worker_lost": Text("媒体进程中断，正在重新打开", "The media worker was lost; opening again"),
    "failed": Text("{zh}", "{en}"),
}


@dataclass(eq=False)
class Flow:
    """A running or opening stream. `sessions` are those that share it."""

    id: UUID
    channel: ChannelRef
    camera_id: int
    steps: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    sessions: set[UUID] = field(default_factory=set[UUID])
    state: str = "opening"
    ssrc: Ssrc | None = None
    receiver: Receiver | None = None
    invited: bool = False
    opening: asyncio.Task[None] | None = None
    online: asyncio.Future[None] | None = None
    linger: asyncio.TimerHandle | None = None
    begun: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        """The stream's name towards the engine and the signal role."""
        return str(self.id)

    def step(self, name: str, **values: Any) -> None:
        """Note one step with its moment, in words and in values."""
        text = _STEPS[name].format(**values)
        moment = clock.local(clock.now()).isoformat(timespec="milliseconds")
        elapsed = round((time.monotonic() - self.begun) * 1000)
        self.steps.append({"step": name, "at": moment, "ms": elapsed, "zh": text.zh, "en": text.en, "detail": values})


class Flows:
    """Opens and closes flows. Knows devices and the engine, nothing of people or rights."""

    def __init__(
        self,
        database: Database,
        engine: MediaEngine,
        devices: DeviceControl,
        domain_code: str,
        *,
        first_packet: float = 10.0,
    ) -> None:
        self._database = database
        self._engine = engine
        self._devices = devices
        self._numbers = SsrcAllocator(domain_code)
        self._first_packet = first_packet
        self._by_channel: dict[int, Flow] = {}
        self._by_id: dict[UUID, Flow] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def get(self, stream: str) -> Flow | None:
        """The flow of a stream's name; None when it does not run here."""
        with contextlib.suppress(ValueError):
            return self._by_id.get(UUID(stream))
        return None

    def all(self) -> list[Flow]:
        return list(self._by_id.values())

    async def join(self, channel: ChannelRef, camera_id: int, session_id: UUID) -> Flow:
        """The channel's flow with this session on it, opened if nobody has; SessionFailed with the reason."""
        flow = self._by_channel.get(channel.id)
        if flow is None:
            flow = Flow(new_id(), channel, camera_id)
            self._by_channel[channel.id] = self._by_id[flow.id] = flow
            flow.opening = asyncio.create_task(self._open(flow), name=f"open-{flow.name}")
        flow.sessions.add(session_id)
        self.stay(flow)
        if flow.opening is not None:
            try:
                # One viewer's broken connection must not take the picture from the others.
                await asyncio.shield(flow.opening)
            except BaseException:
                flow.sessions.discard(session_id)
                raise
        return flow

    def stay(self, flow: Flow) -> None:
        """Somebody watches again: do not close."""
        if flow.linger is not None:
            flow.linger.cancel()
            flow.linger = None

    async def _open(self, flow: Flow) -> None:
        try:
            flow.step("elected", channel=flow.channel.code)
            await self._elect(flow)
            await self._bring_up(flow)
            flow.state = "live"
            flow.opening = None
            async with self._database.unit() as uow:
                await repository.update_stream(
                    uow.session, flow.id, state="live", live_at=clock.now(), steps=list(flow.steps)
                )
        except BaseException as error:
            failed = _as_failed(error)
            flow.step("failed", zh=failed.detail.zh, en=failed.detail.en)
            failed.steps = list(flow.steps)
            await self._drop(flow, "failed", failed.code)
            if isinstance(error, asyncio.CancelledError):
                raise
            raise failed from error

    async def _elect(self, flow: Flow) -> None:
        """Write the row that only one opener can have; rows that a crash left behind give way."""
        for attempt in range(2):
            async with self._database.unit() as uow:
                row = Stream(
                    id=flow.id,
                    channel_id=flow.channel.id,
                    camera_id=flow.camera_id,
                    kind="live",
                    profile="main",
                    state="opening",
                    steps=list(flow.steps),
                )
                if await repository.elect(uow.session, row):
                    return
                if attempt == 0:
                    await repository.end_streams(
                        uow.session,
                        code="control_lost",
                        at=clock.now(),
                        channel_id=flow.channel.id,
                        keep=[known for known in self._by_id if known != flow.id],
                    )
        raise SessionFailed(
            Text("此通道正由另一进程打开，请稍后再试", "Another process is opening this channel; try again shortly"),
            code="stream_busy",
            which=("engine",),
        )

    async def _bring_up(self, flow: Flow) -> None:
        """Receiver, call, first packet; raises what went wrong."""
        loop = asyncio.get_running_loop()
        flow.online = loop.create_future()
        if flow.ssrc is None:
            flow.ssrc = self._numbers.allocate(time.monotonic())
        transport = flow.channel.transport
        flow.receiver = await self._engine.open_receiver(flow.name, transport, flow.ssrc.number)
        flow.step("receiver", address=flow.receiver.address, port=flow.receiver.port)
        flow.step("invited")
        flow.invited = True
        try:
            answer = await self._devices.invite(
                stream_id=flow.name,
                channel_id=flow.channel.id,
                address=flow.receiver.address,
                port=flow.receiver.port,
                ssrc=flow.ssrc.number,
                transport=transport,
            )
        except Problem as problem:
            raise reasons.device_failure(problem) from problem
        flow.step("answered", **{key: answer[key] for key in ("codec", "remote") if answer.get(key)})
        try:
            # The engine reports the missing packets itself, with counters; the margin is for its report.
            await asyncio.wait_for(flow.online, self._first_packet + 2.0)
        except TimeoutError:
            raise self._why(flow, "no_packets", {}) from None

    def _why(self, flow: Flow, reason: str, detail: Mapping[str, Any]) -> SessionFailed:
        receiver = flow.receiver
        return reasons.media_failure(
            reason,
            detail,
            address=receiver.address if receiver else "?",
            port=receiver.port if receiver else 0,
            transport=flow.channel.transport,
        )

    # What the engine tells

    def came_online(self, event: StreamOnline) -> None:
        flow = self.get(event.stream)
        if flow is None:
            return
        flow.step("online", source=event.source)
        if flow.online is not None and not flow.online.done():
            flow.online.set_result(None)

    def first_frame(self, event: FirstFrame) -> None:
        flow = self.get(event.stream)
        if flow is None:
            return
        flow.step("first_frame", codec=event.codec, width=event.width, height=event.height)
        self._note(flow, codec=event.codec, width=event.width, height=event.height, steps=list(flow.steps))

    def lost(self, stream: str, reason: str, detail: Mapping[str, Any]) -> SessionFailed | None:
        """Data never came, broke off or is no video; the reason in words, or None when an opener waits for it."""
        flow = self.get(stream)
        if flow is None:
            return None
        failed = self._why(flow, reason, detail)
        if flow.online is not None and not flow.online.done():
            flow.online.set_exception(failed)
            return None
        return failed

    def _note(self, flow: Flow, **values: Any) -> None:
        """Write what is nice to know, without making anybody wait."""

        async def write() -> None:
            try:
                async with self._database.unit() as uow:
                    await repository.update_stream(uow.session, flow.id, **values)
            except SQLAlchemyError as error:
                log.warning("media.stream.not_noted", stream=flow.name, error=type(error).__name__)

        task = asyncio.create_task(write())
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    # Ending

    async def close(self, flow: Flow, code: str = "no_reader") -> None:
        """End the call and the port; nobody watches any more, or the data broke off."""
        await self._drop(flow, "ended", code)

    async def _drop(self, flow: Flow, state: str, code: str) -> None:
        self.stay(flow)
        if self._by_id.pop(flow.id, None) is None:
            return
        if self._by_channel.get(flow.channel.id) is flow:
            del self._by_channel[flow.channel.id]
        flow.state = state
        await self._hang_up(flow)
        with contextlib.suppress(SQLAlchemyError):
            async with self._database.unit() as uow:
                await repository.update_stream(
                    uow.session, flow.id, state=state, ended_at=clock.now(), end_code=code, steps=list(flow.steps)
                )

    async def _hang_up(self, flow: Flow) -> None:
        """BYE, close the port, give the SSRC back; whatever fails here is logged and does not stop the rest."""
        if flow.invited:
            flow.invited = False
            try:
                await self._devices.bye(stream_id=flow.name)
            except Problem as problem:
                log.warning("media.stream.bye_failed", stream=flow.name, code=problem.code)
        if flow.receiver is not None:
            flow.receiver = None
            try:
                await self._engine.close_receiver(flow.name)
            except Problem as problem:
                log.warning("media.stream.close_failed", stream=flow.name, code=problem.code)
        if flow.ssrc is not None:
            self._numbers.release(flow.ssrc, time.monotonic())
            flow.ssrc = None

    async def reopen(self, flow: Flow, within: float) -> None:
        """Bring a flow up again after its worker died, under the same name; SessionFailed when it does not come."""
        flow.step("worker_lost")
        if flow.online is not None and not flow.online.done():
            # It was just being opened; the opener tells its viewers.
            flow.online.set_exception(_as_failed(EngineDown()))
            return
        # Who joins meanwhile waits as for a first opening.
        flow.opening = asyncio.create_task(self._again(flow, within), name=f"again-{flow.name}")
        try:
            await flow.opening
        finally:
            flow.opening = None

    async def _again(self, flow: Flow, within: float) -> None:
        flow.receiver = None
        await self._hang_up(flow)
        flow.state = "opening"
        end = time.monotonic() + within
        while True:
            try:
                await self._bring_up(flow)
                break
            except EngineDown:
                if time.monotonic() > end:
                    raise
                await asyncio.sleep(0.2)
        flow.state = "live"
        self._note(flow, steps=list(flow.steps))

    async def stop(self) -> None:
        """End everything; the node stops."""
        for flow in self.all():
            if flow.opening is not None:
                flow.opening.cancel()
                with contextlib.suppress(BaseException):
                    await flow.opening
            await self.close(flow, "stopped")
        await asyncio.gather(*self._writing, return_exceptions=True)


def _as_failed(error: BaseException) -> SessionFailed:
    """Any failure on the way as one that says what to check."""
    if isinstance(error, SessionFailed):
        return error
    if isinstance(error, Problem):
        return SessionFailed(error.detail, code=error.code, which=("engine",))
    if isinstance(error, ProtocolError):
        return SessionFailed(
            Text(
                "本域的 SSRC 已用完，请关闭一些画面后再试",
                "All SSRC values of this domain are in use; close some pictures",
            ),
            code="no_ssrc",
            which=("ssrc",),
        )
    if isinstance(error, SQLAlchemyError):
        return SessionFailed(
            Text("数据库暂不可用，请稍后重试", "The database does not answer at the moment; try again shortly"),
            code="database_unavailable",
            which=("engine",),
        )
    if not isinstance(error, asyncio.CancelledError):
        log.error("media.stream.open_crashed", exc_info=error)
    return SessionFailed(Text("打开过程被中断", "The opening was interrupted"), code="interrupted", which=("engine",))
