"""The viewers' door: HTTP-FLV, fragmented MP4 and FLV over WebSocket on a raw asyncio protocol.

Nothing is opened without a genuine token of a session that this worker holds, and every refusal looks alike, so that a
stranger cannot learn which streams exist. Request targets carry tokens and are never logged.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlsplit

from gongshi.kit.errors import BadRequest, Conflict, Forbidden, NotFound, Problem
from gongshi.kit.i18n import Text, language_of
from gongshi.media.embedded import flv, fmp4
from gongshi.media.embedded.admission import Admission, Session
from gongshi.media.embedded.parameter_sets import VideoConfig
from gongshi.media.embedded.settings import WorkerSettings
from gongshi.media.embedded.stream import Emit, Stream
from gongshi.media.embedded.token import TokenVerifier
from gongshi.media.embedded.voice import Incoming, Voice
from gongshi.media.embedded.wire import RESET, Format, Framing, accept_key, ending, unacknowledged

_MAX_HEAD: Final = 8192
_HEAD_SECONDS: Final = 10.0
_LOW_WATER: Final = 64 << 10
_PATH: Final = re.compile(r"/live/([A-Za-z0-9_.-]{1,128})\.(flv|mp4)")
_TALK: Final = re.compile(r"/talk/([A-Za-z0-9_.-]{1,128})")
_PRIVACY: Final = "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n"
_KIND: Final = "\x00"
"""Stands for the media type in a head that is written before the codec is known."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

_REFUSED: Final = Text(
    "播放地址无效或已失效，请重新打开", "This address is not valid or no longer; open the camera again"
)
_IN_USE: Final = Text("本次调阅已在另一处播放", "This session is already playing elsewhere")
_NOT_FOUND: Final = Text("没有这个地址", "There is nothing at this address")
_MALFORMED: Final = Text("请求格式有误", "The request is malformed")
_ORIGIN: Final = Text("不允许从此网站播放", "Playing from this site is not allowed")


class Doorway:
    """What every connection of a worker shares."""

    def __init__(
        self,
        settings: WorkerSettings,
        streams: Mapping[str, Stream],
        voices: Mapping[str, Voice],
        admission: Admission,
        emit: Emit,
        wall: Callable[[], float],
    ) -> None:
        self.settings = settings
        self.streams = streams
        self.voices = voices
        self.admission = admission
        self.emit = emit
        self.wall = wall
        self.verifier = TokenVerifier(bytes.fromhex(settings.public_key))
        self.origins = frozenset(settings.origins)
        self.connections: set[ViewerConnection] = set()

    def sweep(self, now: float) -> None:
        """Cut viewers that take nothing any more."""
        for connection in [c for c in self.connections if c.stalled(now, self.settings.stall)]:
            connection.give_up(now)


class ViewerConnection(asyncio.Protocol):
    """One connection: reads one request, then only writes."""

    def __init__(self, doorway: Doorway, loop: asyncio.AbstractEventLoop) -> None:
        self.format: Format = "flv"
        self.framing: Framing = "chunked"
        self.config: VideoConfig | None = None
        self.waiting = True
        self.octets = 0
        self.dropped = 0
        self._doorway = doorway
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._head_due: asyncio.TimerHandle | None = None
        self._session: Session | None = None
        self._stream: Stream | None = None
        self._voice: Voice | None = None
        self._incoming = Incoming()
        self._owed: str | None = None
        self._behind_since: float | None = None
        self._high = doorway.settings.high_water

    # -- connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._doorway.connections.add(self)
        self._head_due = self._loop.call_later(_HEAD_SECONDS, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._doorway.connections.discard(self)
        if self._head_due is not None:
            self._head_due.cancel()
        self._detach()
        self._transport = None

    def data_received(self, data: bytes) -> None:
        if self._voice is not None:
            self._hear(self._voice, data)
            return
        if self._session is not None:
            self._answer_websocket(data)
            return
        if self._head_due is None:
            return
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0 and len(self._head) <= _MAX_HEAD:
            return
        self._head_due.cancel()
        self._head_due = None
        head, self._head = self._head[: max(end, 0)], b""
        lang = "zh"
        origin: str | None = None
        try:
            method, target, version, headers = _parse(head)
            lang = language_of(headers.get("accept-language"))
            origin = self._allowed_origin(headers)
            if method == "OPTIONS":
                self._preflight(origin)
            else:
                self._open(method, target, version, headers, origin)
        except Problem as problem:
            self._refuse(problem, lang, origin)

    # -- what the stream calls

    def begin(self, config: VideoConfig, data: bytes) -> None:
        if self._owed is not None and self._transport is not None:
            kind = fmp4.content_type(config) if self.format == "fmp4" else flv.CONTENT_TYPE
            self._write(self._owed.replace(_KIND, kind))
            self._owed = None
        self.send(data)

    def resume(self) -> bool:
        if self.waiting and self._transport is not None and self._transport.get_write_buffer_size() <= _LOW_WATER:
            self.waiting = False
            self._behind_since = None
        return not self.waiting

    def send(self, data: bytes) -> None:
        transport = self._transport
        # A peer that has just gone is told to us after this round of pictures; asyncio logs every write until then.
        if self.waiting or transport is None or transport.is_closing():
            self.dropped += 1
            return
        if transport.get_write_buffer_size() > self._high:
            self.waiting = True
            self._behind_since = self._loop.time()
            return
        transport.write(data)
        self.octets += len(data)
        if self._stream is not None:
            self._stream.sent += len(data)

    # -- what admission calls

    def cut(self, reason: str) -> None:
        """Stop sending now.

        An idle line is ended in good form; one with data under way is reset, so that nothing that is still in buffers
        gets shown.
        """
        self._session = None
        self._detach()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        sock = transport.get_extra_info("socket")
        if self._owed is None and not transport.get_write_buffer_size() and not unacknowledged(sock.fileno()):
            transport.write(ending(self.framing, reason))
            transport.close()
            return
        with contextlib.suppress(OSError):
            sock.setsockopt(*RESET)
        transport.abort()

    def stalled(self, now: float, limit: float) -> bool:
        return self._behind_since is not None and now - self._behind_since > limit

    def give_up(self, now: float) -> None:
        if self._session is not None:
            self._doorway.admission.end(self._session.name, "viewer_stalled", now)

    # -- the request

    def _allowed_origin(self, headers: Mapping[str, str]) -> str | None:
        """The Origin to allow; None without one. Raises Forbidden for a site that is neither ours nor configured."""
        origin = headers.get("origin")
        if origin is None:
            return None
        if origin in self._doorway.origins or urlsplit(origin).netloc == headers.get("host"):
            return origin
        raise Forbidden(_ORIGIN, code="media_origin")

    def _open(self, method: str, target: str, version: str, headers: Mapping[str, str], origin: str | None) -> None:
        path, _, query = target.partition("?")
        match = _PATH.fullmatch(path)
        talk = _TALK.fullmatch(path)
        if talk is not None and method == "GET" and headers.get("upgrade", "").lower() == "websocket":
            self._open_voice(talk[1], query, version, headers, origin)
            return
        if match is None or method != "GET":
            raise NotFound(_NOT_FOUND)
        asked = parse_qs(query, max_num_fields=8)
        doorway = self._doorway
        now = self._loop.time()
        name = match[1]
        session = self._entitled(name, asked.get("token", [""])[0], now)
        stream = doorway.streams.get(name)
        if session is None or stream is None:
            raise Forbidden(_REFUSED, code="media_refused")
        form = "fmp4" if match[2] == "mp4" else "flv"
        running = session.connections.get(form)
        if running is not None:
            # A viewer that takes nothing is most likely a dead connection of the same browser.
            if not running.waiting or not isinstance(running, ViewerConnection) or running.config is None:
                raise Conflict(_IN_USE, code="media_in_use")
            doorway.admission.disconnected(session, form, running, now)
            running.cut("replaced")
        for other, former in list(session.connections.items()):
            # One picture per session: a player that changes the format has left the former one.
            doorway.admission.disconnected(session, other, former, now)
            former.cut("replaced")
        self.format = "flv+audio" if form == "flv" and asked.get("audio") == ["1"] else form
        self._head_line(version, headers, origin)
        self._session = session
        self._stream = stream
        if doorway.admission.connected(session, form, self, now):
            address = self._peer()
            doorway.emit("session_opened", session=session.name, stream=name, address=address, format=form)
        stream.join(self)

    def _entitled(self, name: str, token: str, now: float) -> Session | None:
        """The admitted session of a genuine token, if it is one of this stream."""
        doorway = self._doorway
        wall = doorway.wall()
        claims = doorway.verifier.verify(token, wall)
        if claims is None or claims.stream != name:
            return None
        return doorway.admission.find(claims.session, name, now, wall)

    def _open_voice(self, name: str, query: str, version: str, headers: Mapping[str, str], origin: str | None) -> None:
        """A speaker connects: binary messages of G.711 A-law from now on."""
        now, doorway = self._loop.time(), self._doorway
        session = self._entitled(name, parse_qs(query, max_num_fields=8).get("token", [""])[0], now)
        voice = doorway.voices.get(name)
        if session is None or voice is None:
            raise Forbidden(_REFUSED, code="media_refused")
        if session.connections:
            raise Conflict(_IN_USE, code="media_in_use")
        self._head_line(version, headers, origin)
        self._session, self._voice = session, voice
        if doorway.admission.connected(session, "flv", self, now):
            doorway.emit("session_opened", session=session.name, stream=name, address=self._peer(), format="voice")

    def _hear(self, voice: Voice, data: bytes) -> None:
        try:
            frames = self._incoming.feed(data)
        except ValueError:
            if self._transport is not None:
                self._transport.abort()
            return
        for code, payload in frames:
            if code in {0, 2} and self._session is not None:
                voice.feed(payload)
                self.octets += len(payload)
            elif code == 8 and self._transport is not None:
                self._transport.write(b"\x88\x00")
                self._transport.close()
            elif code == 9 and len(payload) <= 125 and self._transport is not None:
                self._transport.write(bytes((0x8A, len(payload))) + payload)

    def _head_line(self, version: str, headers: Mapping[str, str], origin: str | None) -> None:
        """Answer the request; for MP4 only when the codec is known, because its type names it."""
        cors = _cors(origin)
        key = headers.get("sec-websocket-key")
        if headers.get("upgrade", "").lower() == "websocket" and key is not None:
            self.framing = "websocket"
            protocol = headers.get("sec-websocket-protocol", "").split(",")[0].strip()
            chosen = f"Sec-WebSocket-Protocol: {protocol}\r\n" if re.fullmatch(r"[\w.-]{1,64}", protocol) else ""
            self._write(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Accept: {accept_key(key)}\r\n{chosen}\r\n"
            )
            return
        self.framing = "plain" if version == "HTTP/1.0" else "chunked"
        chunked = "" if self.framing == "plain" else "Transfer-Encoding: chunked\r\n"
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: {_KIND}\r\n"
            f"{chunked}Connection: close\r\nX-Accel-Buffering: no\r\n{_PRIVACY}{cors}\r\n"
        )
        if self.format == "fmp4":
            self._owed = head
        else:
            self._write(head.replace(_KIND, flv.CONTENT_TYPE))

    def _preflight(self, origin: str | None) -> None:
        allow = "Access-Control-Allow-Methods: GET\r\nAccess-Control-Allow-Headers: Range\r\n" if origin else ""
        self._write(f"HTTP/1.1 204 No Content\r\n{allow}{_cors(origin)}Connection: close\r\n\r\n")
        if self._transport is not None:
            self._transport.close()

    def _refuse(self, problem: Problem, lang: Any, origin: str | None) -> None:
        body = json.dumps(problem.body(lang), ensure_ascii=False).encode()
        self._write(
            f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n"
            f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
            f"Connection: close\r\n{_PRIVACY}{_cors(origin)}\r\n"
        )
        if self._transport is not None:
            self._transport.write(body)
            self._transport.close()

    def _write(self, text: str) -> None:
        if self._transport is not None:
            self._transport.write(text.encode("latin-1"))

    def _peer(self) -> str:
        peer: object = self._transport.get_extra_info("peername") if self._transport is not None else None
        return str(cast(tuple[object, ...], peer)[0]) if isinstance(peer, tuple) else ""

    def _detach(self) -> None:
        now = self._loop.time()
        if self._stream is not None:
            self._stream.leave(self, now)
            self._stream = None
        if self._session is not None:
            form = "flv" if self.format == "flv+audio" else self.format
            self._doorway.admission.disconnected(self._session, form, self, now)
            self._session = None

    def _answer_websocket(self, data: bytes) -> None:
        """Viewers have nothing to say but close (8) and ping (9), which fit one small frame."""
        if self.framing != "websocket" or len(data) < 6 or self._transport is None:
            return
        code, size = data[0] & 0x0F, data[1] & 0x7F
        if code == 8:
            self._transport.write(b"\x88\x00")
            self._transport.close()
        elif code == 9 and size <= 125 and len(data) >= 6 + size:
            mask, payload = data[2:6], data[6 : 6 + size]
            plain = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
            self._transport.write(bytes((0x8A, size)) + plain)


def _cors(origin: str | None) -> str:
    return f"Access-Control-Allow-Origin: {origin}\r\nVary: Origin\r\n" if origin else "Vary: Origin\r\n"


def _parse(head: bytes) -> tuple[str, str, str, dict[str, str]]:
    """Method, target, version and headers (names in lower case). Raises BadRequest."""
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or parts[2] not in {"HTTP/1.0", "HTTP/1.1"} or not parts[1].startswith("/"):
        raise BadRequest(_MALFORMED, code="media_bad_request")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip() or _CONTROL.search(line):
            raise BadRequest(_MALFORMED, code="media_bad_request")
        headers[name.lower()] = value.strip()
    return parts[0], parts[1], parts[2], headers
