"""A viewer of live pictures, as a player behaves: one GET that goes on until somebody ends it."""

import contextlib
import io
import threading
import time
from typing import Self

import av
import httpx
from av.error import FFmpegError

from support.demo import wait_for


class Viewer:
    """Reads a media address in a thread and remembers when bytes came and when it ended."""

    def __init__(self, url: str) -> None:
        self.received = bytearray()
        self.first: float | None = None
        self.ended: float | None = None
        self.status = 0
        self._answer: httpx.Response | None = None
        self._thread = threading.Thread(target=self._read, args=(url,), daemon=True)
        self.begun = time.monotonic()
        self._thread.start()

    def _read(self, url: str) -> None:
        with contextlib.suppress(httpx.HTTPError), httpx.stream("GET", url, timeout=30) as answer:
            self.status = answer.status_code
            for chunk in answer.iter_bytes():
                if self.first is None and answer.status_code == 200 and len(chunk) > 100:
                    self.first = time.monotonic()
                self.received += chunk
        self.ended = time.monotonic()

    def playing(self, within: float = 8.0) -> Self:
        """Wait for the first picture."""
        wait_for(lambda: self.first or self.ended, within=within, what="the first picture")
        assert self.first is not None, f"no picture, status {self.status}"
        return self

    def goes_on(self, octets: int = 60_000, within: float = 8.0) -> None:
        """Wait until so many more bytes came; fails when it ended instead."""
        before = len(self.received)
        wait_for(lambda: self.ended or len(self.received) - before > octets, within=within, what="more of the picture")
        assert self.ended is None, "the picture ended"

    def over(self, within: float) -> float:
        """Wait for the end; its moment."""
        wait_for(lambda: self.ended, within=within, what="the end of the picture")
        assert self.ended is not None
        return self.ended


def pictures(content: bytes) -> int:
    """How many pictures really decode."""
    with av.open(io.BytesIO(content), mode="r") as container:
        count = 0
        with contextlib.suppress(FFmpegError):
            for _ in container.decode(video=0):
                count += 1
        return count
