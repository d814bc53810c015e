"""The contract between the media agent and a media engine (design.md §7).

An engine receives RTP, repackages it for viewers and lets nobody in whom the agent has not admitted. It knows streams
and sessions by the agent's ids and nothing of cameras, people or rights. Two engines keep the contract: `embedded`
(our own workers) and ZLMediaKit; `capabilities` says what only one can do, and a verb outside it raises `Unsupported`.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, Protocol

from gongshi.kit.errors import Conflict, NotFound, Problem, Unavailable
from gongshi.kit.i18n import Text

Transport = Literal["udp", "tcp_passive", "tcp_active"]
"""Who connects, seen from us: `tcp_passive` listens, `tcp_active` connects to the device (GB/T 28181 §10.1)."""

LEASE_SECONDS: Final = 15.0
"""The longest lease an engine accepts; the agent renews every five seconds (design.md §6)."""


class Unsupported(Problem):
    """The engine cannot do this; `capabilities` says so beforehand."""

    status, code, title = 501, "media_unsupported", Text("流媒体引擎不支持此操作", "The media engine cannot do this")


class UnknownStream(NotFound):
    code, title = "media_unknown_stream", Text("没有这路视频流", "No such stream in the media engine")


class StreamExists(Conflict):
    code, title = "media_stream_exists", Text("这路视频流已经打开", "This stream is already open")


class SessionEnded(Conflict):
    """A kicked or lapsed session stays ended; a new look needs a new session."""

    code, title = "media_session_ended", Text("本次调阅已经结束", "This session has ended")


class NoPort(Unavailable):
    code, title = (
        "media_no_port",
        Text(
            "收流端口已用完：请扩大 media.rtp_ports 的范围或等待其他视频结束",
            "No receive port is free: widen media.rtp_ports or wait until other streams end",
        ),
    )


class BadTarget(Problem):
    """Nothing can be sent to, or fetched from, such an address."""

    status, code, title = (
        422,
        "media_bad_target",
        Text("对端地址或端口无法使用", "The other side's address or port cannot be used"),
    )


class NoPicture(Unavailable):
    code, title = (
        "media_no_picture",
        Text("还没有收到关键帧，暂时无法抓图", "No key frame has arrived yet, so there is no picture to take"),
    )


class EngineDown(Unavailable):
    code, title = (
        "media_engine_down",
        Text("流媒体服务正在重启，请稍后再试", "The media engine is restarting; try again shortly"),
    )


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where the device must send: `address` and `port` go into the SDP."""

    stream: str
    address: str
    port: int
    transport: Transport


@dataclass(frozen=True, slots=True)
class Sender:
    """Where a relay sends from; with `tcp_passive`, where its target must connect."""

    session: str
    address: str
    port: int
    transport: Transport


@dataclass(frozen=True, slots=True)
class Urls:
    """Where one session's viewer finds the stream; a format not offered is None. Each carries a token: never log."""

    flv: str | None
    fmp4: str | None
    hls: str | None
    expires_at: datetime = field(kw_only=True)
    """The last moment to open a connection with these; running ones go on until the session ends."""


@dataclass(frozen=True, slots=True)
class SenderStats:
    """Figures of one relay. `state` is `held`, `connecting` or `sending`; `queued` bytes wait for a slow target."""

    session: str
    transport: str
    target: str
    port: int
    ssrc: int
    state: str
    packets: int
    octets: int
    dropped: int
    queued: int


@dataclass(frozen=True, slots=True)
class StreamStats:
    """Figures of one stream since it was opened; rates over the last seconds."""

    stream: str
    online: bool
    transport: str
    port: int
    source: str | None
    ssrc: int | None
    codec: str | None
    width: int
    height: int
    packets: int
    octets: int
    lost: int
    late: int
    reordered: int
    foreign: int
    malformed: int
    resyncs: int
    damaged_frames: int
    jitter_ms: float
    frames: int
    key_frames: int
    kbit_s: float
    fps: float
    gop_seconds: float
    first_frame_ms: float | None
    viewers: int
    sent: int
    senders: tuple[SenderStats, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """Figures of one worker process. `lag_ms` is the worst lateness of its 4 ms tick in the last seconds."""

    worker: int
    pid: int | None
    alive: bool
    restarts: int
    streams: int
    sessions: int
    viewers: int
    cpu_seconds: float
    rss: int
    lag_ms: float


@dataclass(frozen=True, slots=True)
class EngineStats:
    streams: tuple[StreamStats, ...]
    workers: tuple[WorkerStats, ...]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do beyond the verbs that every engine has."""

    engine: str
    transports: frozenset[Transport]
    formats: frozenset[str]
    codecs: frozenset[str]
    verbs: frozenset[str]
    """Optional verbs built in: of `start_sender`, `set_pace`, `open_voice`, `start_record`, `snapshot`."""


@dataclass(frozen=True, slots=True)
class StreamOnline:
    """The first packet arrived. `ssrc_expected` is False when the device used another than it was given."""

    stream: str
    source: str
    ssrc: int
    ssrc_expected: bool


@dataclass(frozen=True, slots=True)
class FirstFrame:
    """The first key frame arrived: viewers see a picture from now on. `seconds` since the receiver was opened."""

    stream: str
    codec: str
    width: int
    height: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StreamLost:
    """Nothing came for the time-out: `no_packets` never began, `silent` fell silent, `no_frames` has no usable video.

    Sent once per silence; the receiver stays open, and `StreamOnline` follows if packets come back. `detail` holds
    counters that tell why (foreign and malformed packets, connections, the foreign codec).
    """

    stream: str
    reason: Literal["no_packets", "silent", "no_frames"]
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class NoReader:
    """Nobody has watched for the configured time; the agent decides whether to close."""

    stream: str


@dataclass(frozen=True, slots=True)
class StreamClosed:
    stream: str
    reason: str


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """The session's viewer connected and was let in."""

    session: str
    stream: str
    address: str
    format: str


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """The session has ended for good in the engine.

    `reason` is the one given to `kick`, or the engine's own: `viewer_left`, `control_lost`, `period_over`,
    `stream_closed`, `viewer_stalled`, `not_started`, `engine_stopped`; of a relay also `target_unreachable` (nobody
    there, or nobody connected within ten seconds), `target_broken` and `target_stalled`. `octets` and `seconds` count what was sent.
    """

    session: str
    stream: str
    octets: int
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker died; these streams and sessions are gone. It is started again by itself."""

    worker: int
    streams: tuple[str, ...]
    sessions: tuple[str, ...]


EngineEvent = (
    StreamOnline | FirstFrame | StreamLost | NoReader | StreamClosed | SessionOpened | SessionClosed | WorkerLost
)


class MediaEngine(Protocol):
    """What the media agent may ask. Every verb may raise `EngineDown`; ids are those of the agent's own rows."""

    async def start(self) -> None:
        """Bring the engine up; returns when it can receive."""
        ...

    async def close(self) -> None:
        """End every session and stream and stop."""
        ...

    def capabilities(self) -> Capabilities: ...

    async def open_receiver(
        self,
        stream: str,
        transport: Transport = "udp",
        ssrc: int | None = None,
        source: str | None = None,
        toward: str | None = None,
    ) -> Receiver:
        """Open a receive port for one stream.

        `source`, when given, is the only IP address accepted. `toward` is where the device is: it only chooses the
        local address to tell it, where none is configured.

        The port is the key: any SSRC is accepted on it (§10.2), a sender with the expected one wins. Raises
        `StreamExists`, `NoPort`, `Unsupported` (transport).
        """
        ...

    async def connect_receiver(self, stream: str, targets: Sequence[tuple[str, int]]) -> None:
        """With `tcp_active`: where the device listens, as its answer says. The targets are tried in turn, each second.

        Raises `UnknownStream`, `BadTarget`.
        """
        ...

    async def set_pace(self, stream: str, scale: float) -> None:
        """A recording now comes at this speed (negative: in reverse), or, with 0, is paused.

        While it is paused silence is no loss; at other speeds viewers get timestamps that run at real time, whether
        the device scales its own or not (Q-38). Raises `UnknownStream`, `Unsupported`.
        """
        ...

    async def close_receiver(self, stream: str) -> None:
        """Close the port and end the stream's sessions as `stream_closed`. Unknown streams are no error."""
        ...

    async def admit(self, session: str, stream: str, not_after: datetime | None, lease_until: datetime) -> None:
        """Let one session in. Before this its URLs open nothing.

        The engine ends it by itself at `not_after` (`period_over`) and when the lease runs out (`control_lost`).
        Raises `UnknownStream`, `SessionEnded` when it was kicked or has lapsed before.
        """
        ...

    async def renew(self, sessions: Collection[str], lease_until: datetime) -> frozenset[str]:
        """Prolong the leases. Gives back the sessions that the engine no longer holds."""
        ...

    async def kick(self, session: str, reason: str) -> bool:
        """End a session for good and cut its connections at once. False if the engine did not hold it."""
        ...

    def urls(self, session: str, stream: str, host: str | None = None) -> Urls:
        """Signed, short-lived addresses for an admitted session. Raises `UnknownStream`, `SessionEnded`.

        `host` is the name under which this viewer reaches the portal, where workers are reached on ports of their own.
        """
        ...

    async def stats(self) -> EngineStats: ...

    async def snapshot(self, stream: str, width: int | None = None) -> bytes:
        """The last key frame as JPEG, at most `width` pixels wide. Raises `UnknownStream`, `NoPicture`."""
        ...

    async def start_sender(
        self, session: str, target: tuple[str, int], ssrc: int, transport: Transport, *, held: bool = False
    ) -> Sender:
        """Relay the stream of an admitted session to an upper platform, payloads untouched, under `ssrc`.

        The session's lease, period and kick govern it as they govern a viewer. `target` is an IPv4 address and port;
        with `tcp_passive` only that address may connect. A `held` one is silent until `release_sender`. One sender
        a session: a second call replaces the first. Raises `SessionEnded`, `BadTarget`, `NoPort`, `Unsupported`.
        """
        ...

    async def release_sender(self, session: str) -> None:
        """Let a held sender begin; `SessionOpened` (format `rtp`) follows. Raises `SessionEnded`."""
        ...

    async def stop_sender(self, session: str) -> None:
        """Stop sending; the session goes on until it is kicked or nobody comes back to it."""
        ...

    async def start_record(self, stream: str) -> None: ...

    async def stop_record(self, stream: str) -> None: ...

    async def open_voice(self, stream: str) -> None:
        """Make a voice path to a device: a session is admitted to it, `start_sender` says where it goes.

        What the session's viewer sends leaves as RTP of 20 ms (G.711 A-law), silence where nothing is said. Raises
        `StreamExists`, `Unsupported`.
        """
        ...

    async def close_voice(self, stream: str) -> None:
        """End a voice path and its session. Unknown ones are no error."""
        ...

    def voice_url(self, session: str, stream: str, host: str | None = None) -> tuple[str, datetime]:
        """Where an admitted session's viewer speaks (a WebSocket taking A-law), and until when it may connect."""
        ...

    def events(self) -> AsyncIterator[EngineEvent]:
        """What happens from this call on, in order; ends when the engine is closed. Several listeners may exist."""
        ...
