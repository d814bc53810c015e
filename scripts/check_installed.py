"""Asked inside an environment that holds only the wheel: is everything in it that the program reads at run time?"""

import sys
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import gongshi


def main() -> int:
    place = Path(gongshi.__file__).parent
    faults: list[str] = []
    if "site-packages" not in place.parts:
        faults.append(f"gongshi was imported from {place}, not from the wheel")
    if gongshi.__version__ != version("gongshi"):
        faults.append("gongshi.__version__ differs from the wheel's metadata")
    package = files("gongshi")
    wanted = {"py.typed": "the marker of typed packages", "web_dist/index.html": "the web app (make web)"}
    for name, meaning in wanted.items():
        if not package.joinpath(*name.split("/")).is_file():
            faults.append(f"{name} is missing: {meaning}")
    for fault in faults:
        print(f"✗ {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
