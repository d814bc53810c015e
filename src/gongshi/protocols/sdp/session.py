"""SDP as GB/T 28181 bends it (annex F of 2016, G of 2022): own lines y= and f=, sloppy writers (gb28181.md §10)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError

MAX_SDP = 64 * 1024
MAX_LINES = 512

Setup = Literal["active", "passive"]
Direction = Literal["sendonly", "recvonly", "sendrecv", "inactive"]

_SSRC = re.compile(r"[0-9]{1,10}")
_RTPMAP = re.compile(r"([0-9]{1,3})\s+([^/\s]+)(?:/([0-9]{1,9}))?(?:/.*)?")
_SOURCE = re.compile(r"\s*([0-9]{2,20})\s*(?::\s*([0-9]{1,3}))?\s*")


@dataclass(frozen=True, slots=True, order=True)
class Ssrc:
    """The value of y=: ten decimal digits, first 0 live or 1 history. Compared as a number (S-02)."""

    number: int

    def __post_init__(self) -> None:
        if not 0 <= self.number <= 0xFFFFFFFF:
            raise RemoteProtocolError("an SSRC has 32 bits")

    @classmethod
    def parse(cls, text: str) -> "Ssrc":
        """Read up to ten digits; senders lose leading zeros."""
        text = text.strip()
        if not _SSRC.fullmatch(text):
            raise RemoteProtocolError("y= is not a number")
        return cls(int(text))

    def __str__(self) -> str:
        return f"{self.number:010d}"

    @property
    def history(self) -> bool:
        """First digit 1: playback or download."""
        return self.number >= 1_000_000_000


class SsrcAllocator:
    """SSRC values of one domain (gb28181.md §10.2): class digit, digits 4-8 of the domain's code, 4 digits of ours.

    Only 10 000 values exist per class; a value returns `rest` seconds after it was given back, when late packets and
    retransmitted BYEs are over.
    """

    def __init__(self, domain_code: str, rest: float = 32.0) -> None:
        if len(domain_code) != 20 or not domain_code.isascii() or not domain_code.isdigit():
            raise LocalProtocolError("the domain's code has 20 digits")
        self._middle = int(domain_code[3:8]) * 10_000
        self._rest = rest
        self._next = {False: 0, True: 0}
        self._used: set[int] = set()
        self._resting: dict[int, float] = {}

    def allocate(self, now: float, *, history: bool = False) -> Ssrc:
        """A free value. Raises LocalProtocolError when all 10 000 of the class are in use."""
        base = (1_000_000_000 if history else 0) + self._middle
        self._resting = {number: until for number, until in self._resting.items() if until > now}
        for step in range(10_000):
            serial = (self._next[history] + step) % 10_000
            number = base + serial
            # A zero SSRC is taken for "none" by several stacks.
            if number and number not in self._used and number not in self._resting:
                self._next[history] = serial + 1
                self._used.add(number)
                return Ssrc(number)
        raise LocalProtocolError("every SSRC of the domain is in use")

    def release(self, ssrc: Ssrc, now: float) -> None:
        """Give a value back; unknown ones are ignored."""
        if ssrc.number in self._used:
            self._used.discard(ssrc.number)
            self._resting[ssrc.number] = now + self._rest

    @property
    def in_use(self) -> int:
        """How many values are allocated."""
        return len(self._used)


@dataclass(frozen=True, slots=True)
class MediaFormat:
    """The f= line: `v/codec/resolution/fps/ratetype/kbps` and `a/codec/rate/samplerate`, every part optional text."""

    video: tuple[str, str, str, str, str] = ("", "", "", "", "")
    audio: tuple[str, str, str] = ("", "", "")

    @classmethod
    def parse(cls, text: str) -> "MediaFormat":
        """Read leniently: missing slashes are empty parts."""
        video, _, audio = text.strip().partition("a/")
        v = [part.strip() for part in video.strip().removeprefix("v").removeprefix("/").split("/")][:5]
        a = [part.strip() for part in audio.split("/")][:3]
        v += [""] * (5 - len(v))
        a += [""] * (3 - len(a))
        return cls((v[0], v[1], v[2], v[3], v[4]), (a[0], a[1], a[2]))

    def __str__(self) -> str:
        return f"v/{'/'.join(self.video)}a/{'/'.join(self.audio)}"


@dataclass(frozen=True, slots=True)
class RtpMap:
    """One a=rtpmap."""

    payload_type: int
    encoding: str
    clock: int


_STATIC_MAPS = {0: RtpMap(0, "PCMU", 8000), 8: RtpMap(8, "PCMA", 8000)}


@dataclass(frozen=True, slots=True)
class Media:
    """One m= section. Attributes keep order; names are lower case, a flag has an empty value."""

    kind: str
    port: int
    protocol: str = "RTP/AVP"
    formats: tuple[int, ...] = (96,)
    attributes: tuple[tuple[str, str], ...] = ()
    address: str | None = None
    """c= of the section, if it has one."""

    def attribute(self, name: str) -> str | None:
        """First value of an attribute; "" for a flag, None when absent."""
        return next((value for key, value in self.attributes if key == name), None)

    @property
    def tcp(self) -> bool:
        """RTP over TCP (RFC 4571)."""
        return self.protocol.upper().startswith("TCP")

    @property
    def setup(self) -> Setup | None:
        """Role of the sender of this SDP in opening the TCP connection."""
        value = (self.attribute("setup") or "").lower()
        return "active" if value == "active" else "passive" if value == "passive" else None

    @property
    def direction(self) -> Direction | None:
        """sendonly, recvonly, sendrecv or inactive, when stated."""
        names = {key for key, _ in self.attributes}
        order: tuple[Direction, ...] = ("sendonly", "recvonly", "sendrecv", "inactive")
        return next((d for d in order if d in names), None)

    @property
    def rtpmaps(self) -> dict[int, RtpMap]:
        """Encodings by payload type: the first of repeated maps counts (S-13), PT 0 and 8 need none (Q-52)."""
        found: dict[int, RtpMap] = {}
        for key, value in self.attributes:
            match = _RTPMAP.fullmatch(value.strip()) if key == "rtpmap" else None
            if match:
                number = int(match[1])
                found.setdefault(number, RtpMap(number, match[2].upper(), int(match[3] or 0)))
        for number, static in _STATIC_MAPS.items():
            if number in self.formats:
                found.setdefault(number, static)
        return found

    @property
    def stream_number(self) -> int | None:
        """Which stream is meant: 0 main, 1 sub; by the 2022 attribute or a vendor's (Q-39)."""
        for name in ("streamnumber", "stream", "streamprofile"):
            value = self.attribute(name)
            if value is not None and value.strip().isascii() and value.strip().isdigit():
                return int(value.strip()[:4])
        mode = (self.attribute("streammode") or "").strip().upper()
        return {"MAIN": 0, "SUB": 1}.get(mode)

    @property
    def download_speed(self) -> int | None:
        """a=downloadspeed of a download's offer."""
        return _count(self.attribute("downloadspeed"))

    @property
    def file_size(self) -> int | None:
        """a=filesize of a download's answer in bytes; -1 and 0 say nothing (Q-13)."""
        return _count(self.attribute("filesize")) or None


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A whole SDP body."""

    username: str = ""
    """o= username: a device code by the text, not checked."""
    address: str = ""
    """c= of the session, else o= address; a section's own wins, see `media_address`."""
    name: str = "Play"
    start: int = 0
    end: int = 0
    """t= in UNIX seconds, 0 0 for live."""
    uri: str | None = None
    media: tuple[Media, ...] = ()
    ssrc: Ssrc | None = None
    format: MediaFormat | None = None
    attributes: tuple[tuple[str, str], ...] = field(default=())
    """Session-level attributes."""

    @classmethod
    def parse(cls, body: bytes) -> "SessionDescription":
        """Read a body. Raises RemoteProtocolError when it is no SDP or a number cannot be read."""
        return _Reader(body).result()

    @property
    def source(self) -> tuple[str, int] | None:
        """(code, type) of u=: type 0 all, 1 manual, 2 alarm, 3 time; None when it is a URL or absent."""
        match = _SOURCE.fullmatch(self.uri or "")
        return (match[1], int(match[2] or 0)) if match else None

    def section(self, kind: str = "video") -> Media | None:
        """The first m= section of a kind."""
        return next((m for m in self.media if m.kind == kind), None)

    def media_address(self, media: Media) -> str:
        """Where the section's media goes: its own c= wins over the session's."""
        return media.address or self.address

    def to_bytes(self, charset: str = "gb18030") -> bytes:
        """The wire form: y= and f= after all a= lines (Q-18), CRLF, final CRLF."""
        return ("\r\n".join(self._lines()) + "\r\n").encode(charset)

    def _lines(self) -> Iterator[str]:
        origin = self.address or "0.0.0.0"  # noqa: S104 -- the text of an SDP line, nothing is bound
        family = "IP6" if ":" in origin else "IP4"
        yield "v=0"
        yield f"o={_one_line(self.username) or '-'} 0 0 IN {family} {_one_line(origin)}"
        yield f"s={_one_line(self.name) or '-'}"
        if self.uri is not None:
            yield f"u={_one_line(self.uri)}"
        yield f"c=IN {family} {_one_line(origin)}"
        yield f"t={self.start} {self.end}"
        yield from (_attribute_line(name, value) for name, value in self.attributes)
        for media in self.media:
            if not 0 < media.port <= 65535:
                raise LocalProtocolError("a media port is 1-65535 (Q-17: port 0 is refused)")
            formats = " ".join(str(f) for f in media.formats)
            yield f"m={_one_line(media.kind)} {media.port} {_one_line(media.protocol)} {formats}"
            if media.address:
                yield f"c=IN {'IP6' if ':' in media.address else 'IP4'} {_one_line(media.address)}"
            yield from (_attribute_line(name, value) for name, value in media.attributes)
        if self.ssrc is not None:
            yield f"y={self.ssrc}"
        if self.format is not None:
            yield f"f={self.format}"


def _count(text: str | None) -> int | None:
    digits = (text or "").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None


def _one_line(text: str) -> str:
    if any(c in text for c in "\r\n\0"):
        raise LocalProtocolError("an SDP value contains a line break")
    return text


def _attribute_line(name: str, value: str) -> str:
    return f"a={_one_line(name)}:{_one_line(value)}" if value else f"a={_one_line(name)}"


class _Reader:
    """Walks the lines once.

    Unknown lines are ignored, unreadable addresses and attributes too; numbers that decide where media goes are not.
    """

    def __init__(self, body: bytes) -> None:
        if len(body) > MAX_SDP:
            raise RemoteProtocolError("the SDP exceeds 64 KiB", 513)
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            text = body.decode("gb18030", "replace")
        self._lines = text.lstrip("\ufeff").replace("\0", "").replace("\r", "\n").split("\n")
        if sum(1 for line in self._lines if line.strip()) > MAX_LINES:
            raise RemoteProtocolError("the SDP has too many lines", 513)
        self._session = SessionDescription(name="")
        self._origin = ""
        self._media: list[Media] = []
        self._session_attributes: list[tuple[str, str]] = []
        self._media_attributes: list[list[tuple[str, str]]] = []

    def result(self) -> SessionDescription:
        seen = False
        for line in self._lines:
            key, equals, value = line.partition("=")
            key, value = key.strip().lower(), value.strip()
            if not equals or len(key) != 1:
                continue
            seen = True
            self._take(key, value)
        if not seen:
            raise RemoteProtocolError("the body is not SDP")
        media = tuple(replace(m, attributes=tuple(a)) for m, a in zip(self._media, self._media_attributes, strict=True))
        return replace(
            self._session,
            address=self._session.address or self._origin,
            media=media,
            attributes=tuple(self._session_attributes),
        )

    def _take(self, key: str, value: str) -> None:
        match key:
            case "o":
                parts = value.split()
                self._session = replace(self._session, username=parts[0] if parts else "")
                self._origin = parts[5] if len(parts) > 5 else ""
            case "s":
                self._session = replace(self._session, name=value)
            case "u":
                self._session = replace(self._session, uri=value)
            case "c":
                self._connection(value)
            case "t":
                self._time(value)
            case "m":
                self._section(value)
            case "a":
                name, _, rest = value.partition(":")
                target = self._media_attributes[-1] if self._media_attributes else self._session_attributes
                target.append((name.strip().lower(), rest.strip()))
            case "y":
                # An empty y= occurs; it states nothing.
                if value and value.lower() != "null":
                    self._session = replace(self._session, ssrc=Ssrc.parse(value))
            case "f":
                self._session = replace(self._session, format=MediaFormat.parse(value))
            case _:
                return

    def _connection(self, value: str) -> None:
        parts = value.split()
        if len(parts) < 3:
            return
        address = parts[2].partition("/")[0]
        if self._media:
            self._media[-1] = replace(self._media[-1], address=address)
        else:
            self._session = replace(self._session, address=address)

    def _time(self, value: str) -> None:
        parts = [p for p in value.split() if p.isascii() and p.isdigit() and len(p) <= 12]
        if len(parts) == 2:
            self._session = replace(self._session, start=int(parts[0]), end=int(parts[1]))

    def _section(self, value: str) -> None:
        parts = value.split()
        if len(parts) < 3:
            raise RemoteProtocolError("an m= line is too short")
        port = parts[1].partition("/")[0]
        if not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
            raise RemoteProtocolError("an m= line names no port")
        formats = tuple(int(f) for f in parts[3:] if f.isascii() and f.isdigit() and len(f) <= 3)
        self._media.append(Media(parts[0].lower(), int(port), parts[2].upper(), formats))
        self._media_attributes.append([])
