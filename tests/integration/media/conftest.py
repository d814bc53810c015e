import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gongshi.media.embedded import EmbeddedEngine, EmbeddedSettings
from integration.media.relays import UPPERS
from integration.media.support import OPEN, Listener


@pytest.fixture(autouse=True)
async def _close_connections() -> AsyncIterator[None]:
    """Viewers and uppers that a test leaves open are closed behind it."""
    yield
    while OPEN:
        writer = OPEN.pop().writer
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    while UPPERS:
        await UPPERS.pop().stop()


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[EmbeddedEngine]:
    """The embedded engine with one real worker process and short time-outs."""
    settings = EmbeddedSettings(
        run=tmp_path,
        host="127.0.0.1",
        rtp_first=41_000,
        rtp_last=41_399,
        origins=("http://portal.example:8080",),
        first_packet=1.0,
        silence=1.0,
        no_reader=0.5,
        reconnect=0.5,
        stall=2.0,
        reach=1.0,
    )
    engine = EmbeddedEngine(settings)
    await engine.start()
    yield engine
    await engine.close()


@pytest.fixture
async def listener(engine: EmbeddedEngine) -> AsyncIterator[Listener]:
    listener = Listener(engine)
    yield listener
    await listener.stop()
