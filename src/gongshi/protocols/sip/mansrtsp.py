"""MANSRTSP: the playback commands in INFO bodies and their answers (annex B; gb28181.md §11.2)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp.element import to_number

MAX_BODY = 4096

_START = re.compile(r"(PLAY|PAUSE|TEARDOWN)\s+(?:\S+\s+)?(?:MANS)?RTSP\s*/\s*1\.0", re.IGNORECASE)
_STATUS = re.compile(r"(?:MANS)?RTSP\s*/\s*1\.0\s+([1-6][0-9]{2})\s*(.{0,80})", re.IGNORECASE)
_NPT = re.compile(r"n[pt][tp]\s*=\s*(now|[0-9.]{1,16})?\s*-\s*([0-9.]{1,16})?", re.IGNORECASE)
_SMPTE = re.compile(r"smpte[a-z0-9-]{0,12}\s*=\s*([0-9:.]{1,16})?\s*-\s*([0-9:.]{1,16})?", re.IGNORECASE)
_CLOCK = re.compile(r"clock\s*=\s*(\d{8}T\d{6})(?:\.\d{1,6})?Z?\s*-.*", re.IGNORECASE | re.ASCII)
_RTP_INFO = re.compile(r"(seq|rtptime)\s*=\s*([0-9]{1,10})", re.IGNORECASE)
_METHODS = frozenset({"PLAY", "PAUSE", "TEARDOWN"})


@dataclass(frozen=True, slots=True)
class PlaybackCommand:
    """One command. A PLAY without `start` and `clock` means: from where it stands (npt=now-)."""

    method: str
    cseq: int
    scale: float | None = None
    """Speed; negative is reverse (2022)."""
    start: float | None = None
    """Seconds from the start of the recording to seek to."""
    end: float | None = None
    clock: datetime | None = None
    """A moment to seek to, as some write it instead; aware UTC."""

    @classmethod
    def resume(cls, cseq: int) -> "PlaybackCommand":
        """PLAY from where it stands, at the old speed."""
        return cls("PLAY", cseq)

    @classmethod
    def seek(cls, cseq: int, start: float) -> "PlaybackCommand":
        """PLAY from so many seconds after the start of the recording, at the old speed: Range only."""
        return cls("PLAY", cseq, start=start)

    @classmethod
    def speed(cls, cseq: int, scale: float, start: float | None = None, end: float | None = None) -> "PlaybackCommand":
        """PLAY at another speed: Scale only; reverse (2022) may carry a range that runs down."""
        return cls("PLAY", cseq, scale, start, end)

    @classmethod
    def pause(cls, cseq: int) -> "PlaybackCommand":
        """PAUSE now; the sender keeps its resources."""
        return cls("PAUSE", cseq)

    @classmethod
    def teardown(cls, cseq: int) -> "PlaybackCommand":
        """TEARDOWN; many ignore it, so a BYE follows."""
        return cls("TEARDOWN", cseq)

    @classmethod
    def parse(cls, body: bytes) -> "PlaybackCommand":
        """Read a body; both start lines and `ntp=` are accepted, Scale and Range may come together (S-12)."""
        first, values = _read(body)
        match = _START.fullmatch(first)
        if match is None:
            raise RemoteProtocolError("not a MANSRTSP command")
        scale = to_number(values.get("scale", "").replace("\N{MINUS SIGN}", "-"))
        start, end, clock = _range(values.get("range", ""))
        return cls(match[1].upper(), _count(values.get("cseq")), scale, start, end, clock)

    def to_bytes(self) -> bytes:
        """The wire form, `RTSP/1.0` as the annex says; the caller sends Scale or Range, not both."""
        if self.method not in _METHODS:
            raise LocalProtocolError("no such playback command")
        lines = [f"{self.method} RTSP/1.0", f"CSeq: {self.cseq}"]
        if self.method == "PAUSE":
            lines.append("PauseTime: now")
        if self.scale is not None:
            if not self.scale or abs(self.scale) > 256:
                raise LocalProtocolError("a speed is not 0 and at most 256")
            text = decimal(self.scale)
            lines.append(f"Scale: {text}" if "." in text else f"Scale: {text}.0")
        if self.method == "PLAY" and (self.start is not None or self.scale is None):
            start = "now" if self.start is None else decimal(self.start)
            lines.append(f"Range: npt={start}-" + (decimal(self.end) if self.end is not None else ""))
        return _join(lines)


@dataclass(frozen=True, slots=True)
class PlaybackAnswer:
    """The body of the 200 to an INFO (2022): where the stream goes on."""

    cseq: int
    status: int = 200
    reason: str = "OK"
    start: float | None = None
    """Seconds from the start of the recording."""
    end: float | None = None
    sequence: int | None = None
    """RTP sequence number of the first packet."""
    timestamp: int | None = None
    """Its RTP timestamp."""

    @classmethod
    def parse(cls, body: bytes) -> "PlaybackAnswer":
        """Read a body. Raises RemoteProtocolError when it is none."""
        first, values = _read(body)
        match = _STATUS.fullmatch(first)
        if match is None:
            raise RemoteProtocolError("not a MANSRTSP answer")
        start, end, _ = _range(values.get("range", ""))
        numbers = {name.lower(): int(value) for name, value in _RTP_INFO.findall(values.get("rtp-info", ""))}
        return cls(
            _count(values.get("cseq")),
            int(match[1]),
            match[2].strip(),
            start,
            end,
            numbers.get("seq"),
            numbers.get("rtptime"),
        )

    def to_bytes(self) -> bytes:
        """The wire form."""
        if any(c in self.reason for c in "\r\n\0") or not 100 <= self.status <= 699:
            raise LocalProtocolError("no such status line")
        lines = [f"RTSP/1.0 {self.status} {self.reason}", f"CSeq: {self.cseq}"]
        if self.start is not None:
            lines.append(f"Range: npt={decimal(self.start)}-" + (decimal(self.end) if self.end is not None else ""))
        info = [("seq", self.sequence), ("rtptime", self.timestamp)]
        parts = [f"{name}={value}" for name, value in info if value is not None]
        if parts:
            lines.append(f"RTP-Info: {';'.join(parts)}")
        return _join(lines)


def decimal(value: float) -> str:
    """Seconds or a speed with at most three decimals and no exponent."""
    if not abs(value) < 1e9:
        raise LocalProtocolError("a number of MANSRTSP is finite and small")
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _join(lines: list[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _read(body: bytes) -> tuple[str, dict[str, str]]:
    lines = body[:MAX_BODY].decode("utf-8", "replace").replace("\r", "\n").split("\n")
    values: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            values.setdefault(name.strip().lower(), value.strip())
    return lines[0].strip(), values


def _count(text: str | None) -> int:
    return int(text[:9]) if text is not None and text.isascii() and text.isdigit() else 0


def _range(text: str) -> tuple[float | None, float | None, datetime | None]:
    """(start, end, moment) of a Range in npt, smpte or clock form; None where it says nothing."""
    span = _NPT.fullmatch(text)
    if span is not None:
        return (None if (span[1] or "").lower() == "now" else to_number(span[1])), to_number(span[2]), None
    span = _SMPTE.fullmatch(text)
    if span is not None:
        return _clockwork(span[1]), _clockwork(span[2]), None
    moment = _CLOCK.fullmatch(text)
    if moment is not None:
        try:
            return None, None, datetime.strptime(moment[1].upper(), "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            return None, None, None
    return None, None, None


def _clockwork(text: str | None) -> float | None:
    """`hh:mm:ss` with or without frames, in seconds; frames are not counted."""
    parts = [to_number(part) for part in (text or "").split(":")]
    if len(parts) < 3 or any(part is None for part in parts[:3]):
        return None
    hours, minutes, seconds = (part or 0.0 for part in parts[:3])
    return hours * 3600 + minutes * 60 + seconds
