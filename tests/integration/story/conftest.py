"""One demonstration for the whole story."""

from collections.abc import Iterator

import pytest

from gongshi.db.embedded import EmbeddedPostgres
from support.demo import Demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo(tmp_path_factory.mktemp("demo"))
    try:
        running.start()
        yield running
    finally:
        running.stop()
        EmbeddedPostgres(running.data).destroy()
