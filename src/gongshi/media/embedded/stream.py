"""One stream in a worker: packets in, pictures out to its viewers, and what there is to know about it."""

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from gongshi.media.embedded import flv, fmp4
from gongshi.media.embedded.parameter_sets import VideoConfig
from gongshi.media.embedded.sender import Sender
from gongshi.media.embedded.settings import WorkerSettings
from gongshi.media.embedded.track import Sample, VideoTrack
from gongshi.media.embedded.wire import FRAMINGS, Format, Framing
from gongshi.protocols.ps import AudioFrame, PsDemuxer, VideoFrame
from gongshi.protocols.rtp import RtpReceiver

Emit = Callable[..., None]
"""`emit(name, **fields)` sends one event to the agent."""

_RATE_WINDOW: Final = 5
_BLIND_AFTER: Final = 5.0
"""Seconds without a viewer after which a stream that is only relayed is not looked into any more."""


class StreamViewer(Protocol):
    """What a stream needs of a viewer's connection."""

    format: Format
    framing: Framing
    config: VideoConfig | None
    waiting: bool
    """Takes nothing until `resume`: it has had no key frame yet, or is too far behind."""

    def begin(self, config: VideoConfig, data: bytes) -> None:
        """The first bytes: the answer's head if it is still owed, then `data`."""
        ...

    def resume(self) -> bool:
        """At a key frame: whether the viewer takes pictures (again)."""
        ...

    def send(self, data: bytes) -> None:
        """One picture, framed; dropped while the viewer waits."""
        ...


def _header(form: Format, config: VideoConfig, dts: int) -> bytes:
    if form == "fmp4":
        return fmp4.init(config)
    return flv.header(config, audio=form == "flv+audio", dts=dts)


def _change(form: Format, config: VideoConfig, dts: int) -> bytes:
    return fmp4.init(config) if form == "fmp4" else flv.configuration(config, dts)


def _picture(form: Format, sample: Sample) -> bytes:
    return fmp4.fragment(sample) if form == "fmp4" else flv.video(sample)


class Stream:
    """Keeps the current GOP, so that who joins sees a picture at once. Muxes a format only while someone watches it."""

    def __init__(self, name: str, transport: str, ssrc: int | None, settings: WorkerSettings, emit: Emit) -> None:
        self.name = name
        self.transport = transport
        self.port = 0
        self.receiver = RtpReceiver(ssrc)
        self.demuxer = PsDemuxer()
        self.track = VideoTrack()
        self.resyncs = 0
        self.connections = 0
        self.sent = 0
        self.opened_at = 0.0
        self.online = False
        self.frames = 0
        self.key_frames = 0
        self.audio_frames = 0
        self.first_frame: float | None = None
        self.last_key: Sample | None = None
        self._expected = ssrc
        self._settings = settings
        self._emit = emit
        self._groups: dict[tuple[Format, Framing], list[StreamViewer]] = {}
        self._senders: list[Sender] = []
        self._passing = False
        self._gop: list[Sample] = []
        self._gop_bytes = 0
        self._gop_seconds = 0.0
        self._stamp = -1
        self._last_packet = 0.0
        self._last_reader = 0.0
        self._last_look = 0.0
        self._told_lost = False
        self._told_idle = False
        self._told_blind = False
        self._online_at = 0.0
        self._rates: deque[tuple[float, int, int]] = deque(maxlen=_RATE_WINDOW + 1)

    @property
    def viewers(self) -> int:
        return sum(map(len, self._groups.values()))

    def opened(self, now: float) -> None:
        self.opened_at = self._last_packet = self._last_reader = self._last_look = now
        self._rates.append((now, 0, 0))

    def pump(self, now: float) -> None:
        """Take what the receiver has put in order. Called once per tick in which something came."""
        ready = self.receiver.ready
        if not ready:
            return
        self.receiver.ready = []
        self._last_packet = now
        if not self.online:
            self._came_online(now)
        for sender in self._senders:
            sender.forward(ready, now)
        if self._passing:
            return
        demuxer = self.demuxer
        feed = demuxer.feed
        for gap, stamp, marker, data in ready:
            if gap:
                demuxer.lost()
            if stamp != self._stamp:
                if demuxer.pending:
                    self._take(feed(b"", self._stamp, end=True), now)
                self._stamp = stamp
            frames = feed(data, stamp, end=marker)
            if frames:
                self._take(frames, now)

    def attach(self, sender: Sender) -> None:
        """Add a relay; it gets what comes from now on."""
        self._senders.append(sender)
        self._told_idle = False

    def detach(self, sender: Sender, now: float) -> None:
        if sender in self._senders:
            self._senders.remove(sender)
            self._last_reader = now
            self.sent += sender.octets
            self.look(now)

    def set_pace(self, scale: float, now: float) -> None:
        """The device was told to send at another speed; 0: to pause."""
        self.track.pace.set(scale)
        self._last_packet = now

    def look(self, now: float) -> None:
        """Somebody wants pictures: look into the packets again, if they were only passed on."""
        self._last_look = now
        if self._passing:
            self._passing = False
            self.demuxer.lost()

    def join(self, viewer: StreamViewer) -> None:
        """Add a viewer; it gets the current GOP, or waits for the next key frame."""
        self.look(self._last_packet)
        self._groups.setdefault((viewer.format, viewer.framing), []).append(viewer)
        self._told_idle = False
        if self._gop:
            first = self._gop[0]
            data = [_header(viewer.format, first.config, first.dts)]
            data += [_picture(viewer.format, sample) for sample in self._gop]
            viewer.config = first.config
            viewer.resume()
            viewer.begin(first.config, FRAMINGS[viewer.framing](b"".join(data)))

    def leave(self, viewer: StreamViewer, now: float) -> None:
        group = self._groups.get((viewer.format, viewer.framing), [])
        if viewer in group:
            group.remove(viewer)
            self._last_reader = now

    def tick(self, now: float) -> None:
        """Once per housekeeping round: time-outs, each told once."""
        self.receiver.tick(now)
        self.pump(now)
        if self.track.pace.paused:
            # A device that was told to pause may be silent for as long as that lasts.
            self._last_packet = self._last_reader = now
            return
        settings = self._settings
        quiet = now - self._last_packet
        if not self._told_lost and quiet > (settings.silence if self.online else settings.first_packet):
            self._told_lost = True
            self._lose("silent" if self.online else "no_packets")
            self.online = False
        elif (
            self.online
            and not self._told_blind
            and self.first_frame is None
            and now - self._online_at > settings.first_packet
        ):
            self._told_blind = True
            self._lose("no_frames")
        if self.viewers:
            self._last_look = now
        elif self._senders and not self._passing and self.last_key is not None and now - self._last_look > _BLIND_AFTER:
            # A relay needs no pictures; what is kept would be old when somebody asks.
            self._passing = True
            self._gop, self.last_key = [], None
        if self.viewers or self._senders:
            self._last_reader = now
        elif self.online and not self._told_idle and now - self._last_reader > settings.no_reader:
            self._told_idle = True
            self._emit("no_reader", stream=self.name)

    def measure(self, now: float) -> None:
        """Once per second: the sliding window behind bit rate and frame rate."""
        self._rates.append((now, self.receiver.octets, self.frames))

    def stats(self) -> dict[str, Any]:
        rtp = self.receiver.stats()
        config = self.track.config
        then, octets, frames = self._rates[0]
        span = self._rates[-1][0] - then
        source = self.receiver.source
        return {
            "stream": self.name,
            "online": self.online,
            "transport": self.transport,
            "port": self.port,
            "source": _source(source),
            "ssrc": rtp.ssrc,
            "codec": config.codec if config else self.demuxer.codec,
            "width": config.width if config else 0,
            "height": config.height if config else 0,
            "packets": rtp.received,
            "octets": rtp.octets,
            "lost": rtp.lost,
            "late": rtp.late,
            "reordered": rtp.reordered,
            "foreign": rtp.foreign,
            "malformed": rtp.malformed,
            "resyncs": self.resyncs + self.demuxer.stats.resyncs,
            "damaged_frames": self.demuxer.stats.damaged,
            "jitter_ms": round(rtp.jitter * 1000, 3),
            "frames": self.frames,
            "key_frames": self.key_frames,
            "kbit_s": round((self._rates[-1][1] - octets) / span / 125, 1) if span else 0.0,
            "fps": round((self._rates[-1][2] - frames) / span, 2) if span else 0.0,
            "gop_seconds": round(self._gop_seconds, 3),
            "first_frame_ms": None if self.first_frame is None else round(self.first_frame * 1000, 1),
            "viewers": self.viewers,
            "sent": self.sent,
            "senders": [sender.stats() for sender in self._senders],
        }

    def _came_online(self, now: float) -> None:
        self.online = True
        self._online_at = now
        self._told_lost = False
        ssrc = self.receiver.ssrc or 0
        self._emit(
            "online",
            stream=self.name,
            source=_source(self.receiver.source) or "",
            ssrc=ssrc,
            ssrc_expected=self._expected is None or ssrc == self._expected,
        )

    def _lose(self, reason: str) -> None:
        rtp, ps = self.receiver.stats(), self.demuxer.stats
        detail = {
            "packets": rtp.received,
            "foreign": rtp.foreign,
            "malformed": rtp.malformed,
            "connections": self.connections,
            "resyncs": self.resyncs + ps.resyncs,
            "foreign_codec": ps.foreign_codec,
            "waiting_for_key": self.track.waiting + ps.unidentified,
        }
        self._emit("lost", stream=self.name, reason=reason, detail=detail)

    def _take(self, frames: list[VideoFrame | AudioFrame], now: float) -> None:
        for frame in frames:
            if isinstance(frame, VideoFrame):
                sample = self.track.sample(frame, now)
                if sample is not None:
                    self._show(sample, now)
            else:
                self.audio_frames += 1
                if frame.codec == "g711a" and self._gop:
                    self._hear(frame)

    def _show(self, sample: Sample, now: float) -> None:
        self.frames += 1
        if sample.key:
            self.key_frames += 1
            if self.last_key is not None:
                self._gop_seconds = (sample.dts - self.last_key.dts) / 90_000
            self.last_key = sample
            self._gop = [sample]
            self._gop_bytes = len(sample.data)
            if self.first_frame is None:
                self.first_frame = now - self.opened_at
                self._emit(
                    "first_frame",
                    stream=self.name,
                    codec=sample.config.codec,
                    width=sample.config.width,
                    height=sample.config.height,
                    seconds=round(self.first_frame, 4),
                )
        elif self._gop:
            self._gop_bytes += len(sample.data)
            if self._gop_bytes > self._settings.gop_bytes:
                # Without its beginning a GOP shows nothing: who joins now waits for the next key frame.
                self._gop = []
            else:
                self._gop.append(sample)
        muxed: dict[Format, bytes] = {}
        for (form, framing), viewers in self._groups.items():
            if not viewers:
                continue
            data = muxed.get(form)
            if data is None:
                data = muxed[form] = _picture(form, sample)
            wire = FRAMINGS[framing](data)
            if sample.key:
                self._configure(viewers, sample, form, framing)
            for viewer in viewers:
                viewer.send(wire)

    def _configure(self, viewers: list[StreamViewer], sample: Sample, form: Format, framing: Framing) -> None:
        """At a key frame: let waiting viewers in, and give the configuration to those who have none or an older one."""
        config = sample.config
        for viewer in viewers:
            if not viewer.resume() or viewer.config is config:
                continue
            if viewer.config is None:
                viewer.begin(config, FRAMINGS[framing](_header(form, config, sample.dts)))
            else:
                viewer.send(FRAMINGS[framing](_change(form, config, sample.dts)))
            viewer.config = config

    def _hear(self, frame: AudioFrame) -> None:
        """Audio has its own clock in the field as often as not; it is stamped with the picture it arrives with."""
        latest = self._gop[-1].dts
        for (form, framing), viewers in self._groups.items():
            if form == "flv+audio" and viewers:
                wire = FRAMINGS[framing](flv.alaw(frame.data, latest))
                for viewer in viewers:
                    viewer.send(wire)


def _source(source: object) -> str | None:
    match source:
        case (str() as host, int() as port):
            return f"{host}:{port}"
        case _:
            return None
