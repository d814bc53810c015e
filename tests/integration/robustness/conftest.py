"""One demonstration for all of it; at its end it stops in good form, and its log holds no traces and no secrets."""

from collections.abc import Iterator

import pytest

from gongshi.db.embedded import EmbeddedPostgres
from support.demo import Demo
from support.logs import check_log


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo(tmp_path_factory.mktemp("demo"), within=300)
    try:
        running.start()
        yield running
        assert running.stop() == 0
        check_log(running)
    finally:
        running.stop()
        EmbeddedPostgres(running.data).destroy()
