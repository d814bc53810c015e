"""How muxed bytes reach a viewer: HTTP chunks (RFC 9112 §7.1), as they are, or WebSocket messages (RFC 6455 §5)."""

import base64
import hashlib
import socket
import struct
from collections.abc import Callable
from typing import Final, Literal

Framing = Literal["chunked", "plain", "websocket"]
Format = Literal["flv", "flv+audio", "fmp4"]

HANDSHAKE_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_OUTPUT_QUEUE: Final = 0x5411
"""TIOCOUTQ, on a socket SIOCOUTQ: bytes that the peer has not acknowledged."""


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _plain(data: bytes) -> bytes:
    return data


def _message(data: bytes) -> bytes:
    size = len(data)
    if size < 126:
        return bytes((0x82, size)) + data
    if size < 65_536:
        return b"\x82\x7e" + size.to_bytes(2, "big") + data
    return b"\x82\x7f" + size.to_bytes(8, "big") + data


FRAMINGS: Final[dict[Framing, Callable[[bytes], bytes]]] = {"chunked": _chunk, "plain": _plain, "websocket": _message}


def ending(framing: Framing, reason: str) -> bytes:
    """The orderly last bytes. WebSocket viewers are told the reason (4000: ours to define)."""
    if framing == "chunked":
        return b"0\r\n\r\n"
    if framing == "websocket":
        text = reason.encode()[:100]
        return bytes((0x88, len(text) + 2)) + (4000).to_bytes(2, "big") + text
    return b""


def accept_key(key: str) -> str:
    """The answer to Sec-WebSocket-Key."""
    digest = hashlib.sha1(key.encode() + HANDSHAKE_GUID, usedforsecurity=False)
    return base64.b64encode(digest.digest()).decode()


def unacknowledged(descriptor: int) -> int:
    """Bytes in the kernel that have not reached the peer; 0 if the system does not say."""
    import fcntl  # noqa: PLC0415 -- only at the end of a session

    try:
        answer = fcntl.ioctl(descriptor, _OUTPUT_QUEUE, bytes(4))
    except OSError:
        return 0
    return int(struct.unpack("i", answer)[0])


RESET: Final = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""Socket option: close throws away what is unsent, and the peer learns at once."""
