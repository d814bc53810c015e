"""A TCP connection that we open ourselves, to a device or to an upper platform (GB/T 28181-2022 annex D, §15.2)."""

import contextlib
import errno
import socket
from collections.abc import Callable, Sequence
from typing import Final

from gongshi.media.embedded.poller import Poller

TRIES: Final = 4
"""The first attempt and three more, as the 2022 edition asks for."""
GAP: Final = 1.0
"""Seconds between attempts."""
_CONNECT: Final = 5.0
_CHUNK: Final = 256 << 10

Address = tuple[str, int]


class Link:
    """Connects to the first of `targets` that answers and again when the connection breaks, `TRIES` times each.

    `took` is told of every connection that stands, `got` of every piece that arrives. `given_up` is set when nothing
    more will be tried. The local port is the one of `first`, or another where the system holds that one back.
    """

    def __init__(
        self,
        poller: Poller,
        first: socket.socket,
        targets: Sequence[Address],
        took: Callable[[Address], None],
        got: Callable[[bytes, float], None],
    ) -> None:
        self.sock: socket.socket | None = None
        self.up = False
        self.given_up = False
        self._poller = poller
        self._local: Address = first.getsockname()
        self._buffer = first.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
        self._first: socket.socket | None = first
        self._targets = list(targets)
        self._took = took
        self._got = got
        self._tries = 0
        self._since = 0.0

    def tick(self, now: float) -> None:
        """Begin, notice that the connection stands, or try again. Called several times a second."""
        sock = self.sock
        if sock is None:
            if not self.given_up and (not self._tries or now - self._since >= GAP):
                self._connect(now)
            return
        if self.up:
            return
        target = self._established(sock)
        if target is not None:
            self.up, self._tries = True, 0
            self._took(target)
        elif now - self._since > _CONNECT:
            self.drop(now)

    def drop(self, now: float) -> None:
        """The connection is of no use (any more): another attempt follows, if one is left."""
        if self.sock is not None:
            self._poller.remove(self.sock.fileno())
            self.sock.close()
            self.sock = None
        self.up = False
        self._since = now
        self.given_up = self._tries >= TRIES

    def close(self) -> None:
        self.drop(0.0)
        self.given_up = True
        if self._first is not None:
            self._first.close()
            self._first = None

    def _connect(self, now: float) -> None:
        target = self._targets[self._tries % len(self._targets)]
        self._tries += 1
        self._since = now
        sock, self._first = self._first or self._another(), None
        code = sock.connect_ex(target)
        if code == errno.EADDRNOTAVAIL:
            # The same pair of addresses was in use a moment ago; any other port of ours does as well.
            sock.close()
            sock = self._another(anywhere=True)
            code = sock.connect_ex(target)
        if code not in {0, errno.EINPROGRESS}:
            sock.close()
            self.given_up = self._tries >= TRIES
            return
        self.sock = sock
        self._poller.add(sock.fileno(), self._drain)

    def _another(self, *, anywhere: bool = False) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.bind((self._local[0], 0 if anywhere else self._local[1]))
        return sock

    @staticmethod
    def _established(sock: socket.socket) -> Address | None:
        try:
            peer: tuple[str, int] = sock.getpeername()
        except OSError:
            return None
        return peer[0], peer[1]

    def _drain(self, now: float) -> None:
        sock = self.sock
        if sock is None:
            return
        try:
            data = sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.drop(now)
            return
        if not self.up:
            self.tick(now)
        self._got(data, now)
