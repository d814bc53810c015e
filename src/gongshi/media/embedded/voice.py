"""Voice on its way to a device: G.711 A-law in from a browser, RTP of 20 ms out (GB/T 28181 §12)."""

import asyncio
import struct
from typing import Any, Final

from gongshi.media.embedded.sender import Sender

FRAME: Final = 160
"""Bytes and samples of 20 ms at 8000 Hz."""
SILENCE: Final = bytes((0xD5,)) * FRAME
PCMA: Final = 8
"""RTP payload type (RFC 3551)."""
_STEP: Final = 0.02
_AHEAD: Final = 3 * FRAME
"""After a gap so much is gathered before voice goes on, so that it does not stutter."""
_MOST: Final = 8000
"""Bytes that may wait: one second. Older voice is dropped, because late voice is worse than none."""
_MESSAGE: Final = 16_384
"""Bytes of one message that are believed; a browser sends a few hundred."""


class Voice:
    """One voice path. From its release on it sends without a pause, silence where nothing is said."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self.name = name
        self.heard = 0
        self.dropped = 0
        self._loop = loop
        self._sender: Sender | None = None
        self._waiting = bytearray()
        self._gathering = True
        self._stamp = 0
        self._talking = False
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def attach(self, sender: Sender) -> None:
        self._sender = sender

    def detach(self, sender: Sender, now: float) -> None:
        if self._sender is sender:
            self._sender = None
            self.close()

    def begin(self) -> None:
        """The device has acknowledged: send from now on."""
        if self._timer is None:
            self._due = self._loop.time()
            self._tick()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def feed(self, data: bytes) -> None:
        """A piece of voice, of any length."""
        self.heard += len(data)
        self._waiting += data
        over = len(self._waiting) - _MOST
        if over > 0:
            self.dropped += over
            del self._waiting[:over]

    def frame(self) -> tuple[bytes, bool]:
        """The next 20 ms, and whether speech begins with it (RFC 3551 §4.1: the marker)."""
        waiting = self._waiting
        if len(waiting) < (_AHEAD if self._gathering else FRAME):
            self._gathering, self._talking = True, False
            return SILENCE, False
        self._gathering = False
        data = bytes(waiting[:FRAME])
        del waiting[:FRAME]
        first, self._talking = not self._talking, True
        return data, first

    def _tick(self) -> None:
        now = self._loop.time()
        sender = self._sender
        # A loop that was late catches up, so that the device's clock and ours stay together.
        while self._due <= now:
            self._due += _STEP
            data, first = self.frame()
            if sender is not None:
                sender.forward([(False, self._stamp & 0xFFFFFFFF, first, data)], now)
            self._stamp += FRAME
        self._timer = self._loop.call_at(self._due, self._tick)

    def stats(self) -> dict[str, Any]:
        return {"heard": self.heard, "dropped": self.dropped}


class Incoming:
    """A browser's side of a WebSocket (RFC 6455 §5): masked frames in any pieces. ValueError for what is none."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Opcodes and payloads that are complete; pieces of one message come one by one, as it suits a sound."""
        buffer = self._buffer + data
        out: list[tuple[int, bytes]] = []
        at = 0
        while len(buffer) - at >= 6:
            size, start = buffer[at + 1] & 0x7F, at + 2
            if not buffer[at + 1] & 0x80 or buffer[at] & 0x70:
                raise ValueError("a browser masks its frames and negotiated no extension")
            if size == 126:
                size, start = int(struct.unpack_from("!H", buffer, start)[0]), start + 2
            elif size == 127:
                raise ValueError("no sound is that long")
            end = start + 4 + size
            if size > _MESSAGE:
                raise ValueError("no sound is that long")
            if len(buffer) < end:
                break
            mask, payload = buffer[start : start + 4], buffer[start + 4 : end]
            out.append((buffer[at] & 0x0F, unmasked(payload, mask)))
            at = end
        self._buffer = buffer[at:]
        return out


def unmasked(payload: bytes, mask: bytes) -> bytes:
    """XOR with the mask, as one large number: a loop over bytes would cost a hundred times as much."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)
