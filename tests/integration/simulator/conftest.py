"""An upper platform and small pictures, so that the tests are about signalling and streams."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gongshi.simulator import PlatformConfig, generate_channels
from gongshi.simulator.video.encoder import Format
from integration.simulator.upper import Upper

PLATFORM = "34150200002000000001"


@pytest.fixture
async def upper() -> AsyncIterator[Upper]:
    async for running in Upper().run():
        yield running


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One picture cache for all tests of the run: most of them look at the same camera."""
    return tmp_path_factory.mktemp("clips")


@pytest.fixture
def config(upper: Upper, clips: Path) -> PlatformConfig:
    return PlatformConfig(
        code=PLATFORM,
        password=upper.password,
        host="127.0.0.1",
        port=upper.port,
        channels=generate_channels(8, PLATFORM),
        name="裕安区模拟平台",
        keepalive=0.1,
        retry=(0.05, 0.2),
        format=Format(640, 368, 15),
        cache=clips,
    )
