"""Every file of the corpus against its target: what fuzzing found once stays found, also where there is no fuzzer."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from targets import TARGETS  # noqa: E402 -- the fuzzer's program imports it the same way

FILES = sorted((name, path) for name in TARGETS for path in (HERE / "corpus" / name).iterdir())


@pytest.mark.parametrize(("name", "path"), FILES, ids=[f"{name}/{path.name}" for name, path in FILES])
def test_what_was_found_once_holds(name: str, path: Path) -> None:
    TARGETS[name](path.read_bytes())


def test_every_target_has_a_corpus() -> None:
    for name in TARGETS:
        assert len(list((HERE / "corpus" / name).iterdir())) >= 5, name
