"""Put a Chinese font for the simulator's on-screen text into the package. It is built, never committed.

    .venv/bin/python scripts/collect_fonts.py

Takes GNU Unifont (OFL 1.1; a 16 x 16 dot font as GA/T 751 describes) from the npm package `@fontsource/unifont` in
`web/node_modules`, together with its licence, and checks that the glyphs of the sample city are in it. The file is used
whole (1.6 MB): its dots compress well and a subset would have to guess the place names of other cities.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from gongshi.simulator.video.fonts import usable

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "web" / "node_modules" / "@fontsource" / "unifont"
TARGET = ROOT / "src" / "gongshi" / "simulator" / "fonts"


def main() -> int:
    fonts = sorted((SOURCE / "files").glob("*.woff2"))
    if not fonts:
        print(f"No font in {SOURCE.relative_to(ROOT)}: the simulator will use a font of the system or pinyin.")
        return 0
    TARGET.mkdir(parents=True, exist_ok=True)
    for font in fonts:
        if usable(font) is None:
            print(f"{font.name} lacks Chinese glyphs or cannot be read by this Pillow.", file=sys.stderr)
            return 1
        shutil.copyfile(font, TARGET / font.name)
    shutil.copyfile(SOURCE / "LICENSE", TARGET / "LICENSE")
    print(f"Collected {', '.join(font.name for font in fonts)} into {TARGET.relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
