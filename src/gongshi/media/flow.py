"""A flow as a value: what runs, how it was opened, who is on it."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, cast
from uuid import UUID

from gongshi.kit import clock
from gongshi.kit.i18n import Text
from gongshi.media.engine import Receiver
from gongshi.media.playhead import Playhead
from gongshi.media.ports import ChannelRef
from gongshi.protocols.sdp import Ssrc

_STEPS: Final[Mapping[str, Text]] = {
    "elected": Text("准备打开通道 {channel}", "Opening channel {channel}"),
    "receiver": Text("已准备收流端口 {address}:{port}", "Receiving at {address}:{port}"),
    "invited": Text("正在邀请设备", "Inviting the device"),
    "answered": Text("设备已应答", "The device has answered"),
    "connecting": Text("正在连接设备 {address}:{port}", "Connecting to the device at {address}:{port}"),
    "online": Text("收到设备的数据（来自 {source}）", "Data arrives from the device ({source})"),
    "key_frame_asked": Text(
        "{seconds} 秒内没有关键帧，已请求设备发送", "No key frame within {seconds} s: asked for one"
    ),
    "first_frame": Text("收到首个关键帧：{codec} {width}×{height}", "First key frame: {codec} {width}×{height}"),
    "worker_lost": Text("媒体进程中断，正在重新打开", "The media worker was lost; opening again"),
    "failed": Text("{zh}", "{en}"),
}
_CALL_STEPS: Final[Mapping[str, Text]] = {
    "channel_off": Text("{detail}", "{detail}"),
    "stale_ended": Text("已结束同一通道遗留的呼叫", "An earlier call of the same channel was ended"),
    "invited": Text("INVITE 已发出：{detail}", "INVITE sent: {detail}"),
    "heard": Text("对方已收到：{detail}", "The other side has it: {detail}"),
    "retried": Text("对方应答 {detail}，已换一种方式再试", "Answered {detail}: tried once more in another way"),
    "timed_out": Text("等待应答超时", "No answer in time"),
    "answered": Text("对方应答：{detail}", "Answered: {detail}"),
    "ssrc_changed": Text("对方改用了 SSRC：{detail}", "The other side uses another SSRC: {detail}"),
    "unreadable": Text("应答无法识别：{detail}", "The answer cannot be read: {detail}"),
    "acknowledged": Text("已确认（ACK）", "Acknowledged (ACK)"),
}
"""What the signal role notes on its way to the device."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What part of a device's recording is wanted."""

    kind: Literal["playback", "download"]
    start: datetime
    end: datetime
    speed: int | None = None

    @property
    def span(self) -> float:
        """Seconds."""
        return (self.end - self.start).total_seconds()


@dataclass(eq=False)
class Flow:
    """A running or opening stream. `sessions` are those that share it; a recording has one."""

    id: UUID
    channel: ChannelRef
    camera_id: int
    recording: Recording | None = None
    steps: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    sessions: set[UUID] = field(default_factory=set[UUID])
    state: str = "opening"
    ssrc: Ssrc | None = None
    receiver: Receiver | None = None
    invited: bool = False
    opening: asyncio.Task[None] | None = None
    online: asyncio.Future[None] | None = None
    linger: asyncio.TimerHandle | None = None
    asking: asyncio.TimerHandle | None = None
    """Asks for a key frame, if none has come by then."""
    begun: float = field(default_factory=time.monotonic)
    begun_at: datetime = field(default_factory=clock.now)
    codec: str = ""
    playhead: Playhead | None = None
    steering: asyncio.Lock = field(default_factory=asyncio.Lock)
    finished: bool = False
    """The device said that the recording was sent to its end."""
    filesize: int | None = None
    path: str | None = None
    """X-RoutePath of the levels below, as the lower platform said it."""

    def __post_init__(self) -> None:
        if self.recording is not None:
            self.playhead = Playhead(self.recording.span)

    @property
    def name(self) -> str:
        """The stream's name towards the engine and the signal role."""
        return str(self.id)

    def step(self, name: str, **values: Any) -> None:
        """Note one step with its moment, in words and in values."""
        elapsed = round((time.monotonic() - self.begun) * 1000)
        self._note(name, clock.now(), elapsed, _STEPS[name].format(**values), values)

    def called(self, answer: Any) -> None:
        """Take over what the signal role noted on its way to the device: `{"step", "at", "detail"}` each."""
        if not isinstance(answer, Mapping):
            return
        for step in cast("list[Mapping[str, Any]]", cast("Mapping[str, Any]", answer).get("steps") or []):
            detail = step.get("detail") or ""
            both = cast("Mapping[str, str]", detail) if isinstance(detail, Mapping) else {"zh": detail, "en": detail}
            text = _CALL_STEPS.get(str(step["step"]), Text("{detail}", "{detail}"))
            moment = datetime.fromisoformat(step["at"])
            elapsed = max(0, round((moment - self.begun_at).total_seconds() * 1000))
            told = Text(text.zh.format(detail=both["zh"]), text.en.format(detail=both["en"]))
            self._note(f"call_{step['step']}", moment, elapsed, told, {"detail": both["en"]} if both["en"] else {})

    def _note(self, name: str, moment: datetime, elapsed: int, text: Text, values: Mapping[str, Any]) -> None:
        at = clock.local(moment).isoformat(timespec="milliseconds")
        self.steps.append({"step": name, "at": at, "ms": elapsed, "zh": text.zh, "en": text.en, "detail": values})
