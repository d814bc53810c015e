"""From a key frame to a JPEG, in processes of their own: a decoder fed by strangers may crash or hang."""

import asyncio
import io
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Final

from PIL.Image import Image

from gongshi.media.engine import NoPicture

_SECONDS: Final = 10.0
_WAITING: Final = 16
"""Pictures asked for at a time; more wait their turn outside the pool."""
_DECODERS: Final = {"h264": "h264", "h265": "hevc"}


def to_jpeg(codec: str, annexb: bytes, width: int | None) -> bytes:
    """Decode one key frame; empty if it does not decode. Runs in a pool process."""
    import av  # noqa: PLC0415 -- 0.3 s and 60 MB that only the pool's processes need
    from av import logging  # noqa: PLC0415 -- as above
    from av.error import FFmpegError  # noqa: PLC0415 -- as above

    logging.set_level(logging.FATAL)
    decoder: Any = av.CodecContext.create(_DECODERS[codec], "r")
    decoder.thread_count = 1
    try:
        frames: list[Any] = decoder.decode(av.Packet(annexb)) + decoder.decode(None)
    except FFmpegError:
        return b""
    if not frames:
        return b""
    image: Image = frames[-1].to_image()
    if width is not None and image.width > width:
        image.thumbnail((width, image.height))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


class PicturePool:
    """A bounded pool that is started by the first picture and again after a crash."""

    def __init__(self, processes: int = 1) -> None:
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None
        self._turns = asyncio.Semaphore(_WAITING)

    async def jpeg(self, codec: str, annexb: bytes, width: int | None) -> bytes:
        """Raises `NoPicture` when the frame does not decode in time."""
        loop = asyncio.get_running_loop()
        async with self._turns:
            try:
                work = loop.run_in_executor(self._running(), to_jpeg, codec, annexb, width)
                data = await asyncio.wait_for(work, _SECONDS)
            except (BrokenProcessPool, TimeoutError) as error:
                self.close()
                raise NoPicture from error
        if not data:
            raise NoPicture
        return data

    def close(self) -> None:
        """Stop the processes, also one that hangs in a decoder."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        processes = list((pool._processes or {}).values())  # noqa: SLF001 -- no public way to stop a hung one
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()

    def _running(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._processes, multiprocessing.get_context("spawn"))
        return self._pool
