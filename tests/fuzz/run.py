"""Fuzz the parsers, guided by what the bytes reach in them (atheris, libFuzzer).

    python tests/fuzz/run.py SECONDS [TARGET...]     without a target all of them, in turns

Starts from tests/fuzz/corpus. Bytes that break an invariant are written to tests/fuzz/found/TARGET-…, and the program
ends with a status other than 0: put such a file into the corpus together with the repair.
"""

import hashlib
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


def main(seconds: int, names: list[str], corpus: Path) -> None:
    for place, name in enumerate(names):
        for path in (HERE / "corpus" / name).iterdir():
            (corpus / f"{name}-{path.name}").write_bytes(bytes([place]) + path.read_bytes())

    def one(data: bytes) -> None:
        """The first byte says which target the others are for."""
        if not data:
            return
        name = names[data[0] % len(names)]
        try:
            TARGETS[name](data[1:])
        except BaseException:
            found = HERE / "found" / f"{name}-{hashlib.sha1(data[1:], usedforsecurity=False).hexdigest()[:12]}"
            found.parent.mkdir(exist_ok=True)
            found.write_bytes(data[1:])
            sys.stderr.write(f"\nBroken: {found}\n")
            raise

    scratch = f"-artifact_prefix={corpus}/broken-"
    options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=10", "-print_final_stats=1", scratch]
    atheris.Setup([sys.argv[0], str(corpus), *options, "-verbosity=0"], one)
    atheris.Fuzz()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="fuzz") as directory:
        main(int(sys.argv[1]), sys.argv[2:] or sorted(TARGETS), Path(directory))
