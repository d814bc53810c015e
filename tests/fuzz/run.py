"""Fuzz one target, guided by what the bytes reach in the parsers (atheris, libFuzzer).

    python tests/fuzz/run.py TARGET SECONDS [CORPUS]

Starts from tests/fuzz/corpus/TARGET. What is found on the way goes into CORPUS, or is forgotten; bytes that break the
invariant are written to tests/fuzz/found/ and named, and the program ends with a status other than 0. Put such a file
into the corpus together with the repair.
"""

import sys
import tempfile
from pathlib import Path

import atheris

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

INSTRUMENTED = ["gongshi.protocols", "gongshi.signalling.fast", "gongshi.signalling.asks"]
with atheris.instrument_imports(include=INSTRUMENTED):  # pyright: ignore[reportAttributeAccessIssue] -- has no types
    from targets import TARGETS

LONGEST = 4096


def main(name: str, seconds: int, corpus: str) -> None:
    found = HERE / "found"
    found.mkdir(exist_ok=True)
    arguments = [
        sys.argv[0],
        corpus,
        str(HERE / "corpus" / name),
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        f"-artifact_prefix={found}/{name}-",
        "-timeout=10",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup(arguments, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="fuzz") as scratch:
        main(sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else scratch)
