"""MANSRTSP: the playback commands in INFO bodies (annex B; gb28181.md §11.2)."""

import re
from dataclasses import dataclass

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp.element import to_number

_START = re.compile(r"(PLAY|PAUSE|TEARDOWN)\s+(?:\S+\s+)?(?:MANS)?RTSP\s*/\s*1\.0", re.IGNORECASE)
_NPT = re.compile(r"n[pt][tp]\s*=\s*(now|[0-9.]{1,16})?\s*-\s*([0-9.]{1,16})?", re.IGNORECASE)
_METHODS = frozenset({"PLAY", "PAUSE", "TEARDOWN"})


@dataclass(frozen=True, slots=True)
class PlaybackCommand:
    """One command. `start` None with `seek` False means: from where it stands (npt=now-)."""

    method: str
    cseq: int
    scale: float | None = None
    """Speed; negative is reverse (2022)."""
    start: float | None = None
    """Seconds from the start of the recording to seek to."""
    end: float | None = None

    @classmethod
    def parse(cls, body: bytes) -> "PlaybackCommand":
        """Read a body; both start lines and `ntp=` are accepted, Scale and Range may come together (S-12)."""
        lines = body[:4096].decode("utf-8", "replace").replace("\r", "\n").split("\n")
        match = _START.fullmatch(lines[0].strip())
        if match is None:
            raise RemoteProtocolError("not a MANSRTSP command")
        values: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if colon:
                values.setdefault(name.strip().lower(), value.strip())
        cseq = values.get("cseq", "0")
        scale = to_number(values.get("scale", "").replace("\u2212", "-"))
        span = _NPT.fullmatch(values.get("range", ""))
        start = to_number(span[1]) if span and (span[1] or "").lower() != "now" else None
        number = int(cseq[:9]) if cseq.isascii() and cseq.isdigit() else 0
        return cls(match[1].upper(), number, scale, start, to_number(span[2]) if span else None)

    def to_bytes(self) -> bytes:
        """The wire form, `RTSP/1.0` as the annex says; the caller sends Scale or Range, not both."""
        if self.method not in _METHODS:
            raise LocalProtocolError("no such playback command")
        lines = [f"{self.method} RTSP/1.0", f"CSeq: {self.cseq}"]
        if self.method == "PAUSE":
            lines.append("PauseTime: now")
        if self.scale is not None:
            lines.append(f"Scale: {self.scale:g}" if self.scale % 1 else f"Scale: {self.scale:.1f}")
        if self.method == "PLAY" and (self.start is not None or self.scale is None):
            start = "now" if self.start is None else f"{self.start:g}"
            lines.append(f"Range: npt={start}-" + (f"{self.end:g}" if self.end is not None else ""))
        return ("\r\n".join(lines) + "\r\n\r\n").encode()
