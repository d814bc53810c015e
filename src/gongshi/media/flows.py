"""One flow from a channel: a port to receive on, a call to the device, and the steps between, each with its moment."""

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Mapping
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gongshi.db.engine import Database
from gongshi.kit import clock
from gongshi.kit.errors import Problem
from gongshi.kit.i18n import Text
from gongshi.kit.ids import new_id
from gongshi.media import reasons, repository
from gongshi.media.engine import BadTarget, EngineDown, FirstFrame, MediaEngine, StreamOnline
from gongshi.media.flow import Flow, Recording
from gongshi.media.models import Stream
from gongshi.media.playhead import checked
from gongshi.media.ports import CallKind, ChannelRef, DeviceControl, Steering
from gongshi.media.reasons import SessionFailed
from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.sdp import SsrcAllocator

log = structlog.get_logger(__name__)

KEY_FRAME_WITHIN: Final = 3.0
"""Seconds after which a device is asked for a key frame (Q-53)."""
ALMOST: Final = 3.0
"""A recording that falls silent so many seconds before its end has ended."""


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
        self.numbers = SsrcAllocator(domain_code)
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

    async def join(
        self, channel: ChannelRef, camera_id: int, session_id: UUID, recording: Recording | None = None
    ) -> Flow:
        """The channel's flow with this session on it, opened if nobody has; SessionFailed with the reason.

        A recording is never shared: who plays it may stop it, wind it, and sees no more than was granted to them.
        """
        flow = self._by_channel.get(channel.id) if recording is None else None
        if flow is None:
            flow = Flow(new_id(), channel, camera_id, recording)
            self._by_id[flow.id] = flow
            if recording is None:
                self._by_channel[channel.id] = flow
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
        recording = flow.recording
        for attempt in range(2):
            async with self._database.unit() as uow:
                row = Stream(
                    id=flow.id,
                    channel_id=flow.channel.id,
                    camera_id=flow.camera_id,
                    kind="live" if recording is None else recording.kind,
                    profile="main",
                    interval_from=None if recording is None else recording.start,
                    interval_to=None if recording is None else recording.end,
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
        recording = flow.recording
        if flow.ssrc is None:
            flow.ssrc = self.numbers.allocate(time.monotonic(), history=recording is not None)
        kind: CallKind = "play" if recording is None else recording.kind
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
                kind=kind,
                start=None if recording is None else recording.start.isoformat(),
                end=None if recording is None else recording.end.isoformat(),
                speed=None if recording is None else recording.speed,
            )
        except Problem as problem:
            flow.called(getattr(problem, "data", None))
            raise reasons.device_failure(problem) from problem
        flow.called(answer)
        flow.step("answered", **{key: answer[key] for key in ("codec", "remote") if answer.get(key)})
        flow.filesize, flow.path = answer.get("filesize"), answer.get("path")
        if transport == "tcp_active":
            await self._connect(flow, answer.get("media") or {})
        try:
            # The engine reports the missing packets itself, with counters; the margin is for its report.
            await asyncio.wait_for(flow.online, self._first_packet + 2.0)
        except TimeoutError:
            raise self._why(flow, "no_packets", {}) from None

    async def _connect(self, flow: Flow, media: Mapping[str, Any]) -> None:
        """The device listens: where, its answer says; behind a NAT its signalling address is the better guess."""
        port = media.get("port")
        hosts = dict.fromkeys(str(host) for host in (media.get("address"), media.get("peer")) if host)
        if not hosts or not isinstance(port, int):
            raise reasons.no_place()
        targets = [(host, port) for host in hosts]
        flow.step("connecting", address=targets[0][0], port=port)
        try:
            await self._engine.connect_receiver(flow.name, targets)
        except BadTarget:
            raise reasons.no_place() from None

    async def steer(self, flow: Flow, action: Steering, value: float | None) -> dict[str, Any]:
        """Pause, wind or speed up a recording; where it stands then. Raises a Problem when the device does not."""
        playhead = flow.playhead
        if playhead is None:
            raise reasons.not_a_recording()
        value = checked(action, value, playhead.span)
        # One command at a time: each counts from where the one before left it.
        async with flow.steering:
            answer = await self._devices.control(stream_id=flow.name, action=action, value=value)
            told, now = answer.get("position"), time.monotonic()
            playhead.steered(action, value, now, float(told) if isinstance(told, int | float) else None)
            await self._engine.set_pace(flow.name, playhead.pace)
            return {
                "position": round(playhead.position(now), 3),
                "scale": playhead.scale,
                "paused": playhead.paused,
            }

    def over(self, flow: Flow) -> bool:
        """Is silence the end of what was asked for, rather than a loss?"""
        return flow.playhead is not None and flow.playhead.over(time.monotonic(), ALMOST)

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
        if flow.playhead is not None and flow.playhead.paused and not flow.playhead.position(0.0):
            flow.playhead.begin(time.monotonic())
        if flow.recording is None and flow.asking is None and not flow.codec:
            flow.asking = asyncio.get_running_loop().call_later(KEY_FRAME_WITHIN, self._ask_key_frame, flow)
        if flow.online is not None and not flow.online.done():
            flow.online.set_result(None)

    def first_frame(self, event: FirstFrame) -> None:
        flow = self.get(event.stream)
        if flow is None:
            return
        flow.codec = event.codec
        flow.step("first_frame", codec=event.codec, width=event.width, height=event.height)
        self._note(flow, codec=event.codec, width=event.width, height=event.height, steps=list(flow.steps))

    def _ask_key_frame(self, flow: Flow) -> None:
        flow.asking = None
        if flow.codec or flow.id not in self._by_id:
            return
        flow.step("key_frame_asked", seconds=round(KEY_FRAME_WITHIN))

        async def ask() -> None:
            try:
                await self._devices.key_frame(channel_id=flow.channel.id)
            except Problem as problem:
                log.info("media.stream.no_key_frame", stream=flow.name, code=problem.code)

        self._beside(ask())

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

        self._beside(write())

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
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
        if flow.asking is not None:
            flow.asking.cancel()
            flow.asking = None
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
            self.numbers.release(flow.ssrc, time.monotonic())
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
