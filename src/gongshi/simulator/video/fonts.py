"""Finding Chinese glyphs. No font is committed; the wheel may carry one that the build collected.

Order: the configured file, what lies in `gongshi/simulator/fonts`, fonts of the system. Without any of them texts are
written in pinyin with Pillow's own Latin font, which is legible and says plainly that a Chinese font is missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw, ImageFont
from pypinyin import lazy_pinyin

Origin = Literal["configured", "packaged", "system", "pinyin"]
AnyFont = ImageFont.FreeTypeFont | ImageFont.ImageFont

SUFFIXES = (".otf", ".ttf", ".ttc", ".woff2", ".woff")
PROBE = "六安市裕霍"
"""Characters a usable font must have; two of them are rare outside place names."""

_SYSTEM_DIRECTORIES = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("~/.local/share/fonts"),
    Path("/System/Library/Fonts"),
    Path("C:/Windows/Fonts"),
)
_SYSTEM_NAMES = (
    "NotoSansCJK-Bold",
    "NotoSansCJK",
    "NotoSerifCJK",
    "NotoSansSC",
    "wqy-",
    "SourceHan",
    "PingFang",
    "simsun",
    "msyh",
    "unifont",
    "uming",
    "ukai",
)
_SIMPLIFIED_FACE = 2
"""In the Noto CJK collections the third face has the simplified Chinese forms."""


class FontError(ValueError):
    """The configured font cannot be used."""


@dataclass(frozen=True, slots=True)
class Typeface:
    """A font file and face, or none: then `write` turns Chinese into pinyin."""

    origin: Origin
    path: Path | None
    face: int = 0

    def at(self, size: int) -> AnyFont:
        """The font at a height in pixels. A 16-dot font is used at whole multiples of 16 only, to stay sharp."""
        if self.path is None:
            return ImageFont.load_default(size)
        if self.dotted:
            size = max(16, round(size / 16) * 16)
        return ImageFont.truetype(str(self.path), size, index=self.face)

    @property
    def dotted(self) -> bool:
        """Whether this is the 16 x 16 dot font that GA/T 751 describes."""
        return self.path is not None and "unifont" in self.path.name.lower()

    def write(self, text: str) -> str:
        """The text as this typeface can show it."""
        if self.path is not None:
            return text
        parts = lazy_pinyin(text)
        return " ".join(part.capitalize() for part in parts).encode("ascii", "replace").decode()


def _packaged() -> Iterator[Path]:
    folder = files("gongshi.simulator").joinpath("fonts")
    if folder.is_dir():
        for entry in sorted(folder.iterdir(), key=lambda item: item.name):
            if entry.name.lower().endswith(SUFFIXES) and isinstance(entry, Path):
                yield entry


def _system() -> Iterator[Path]:
    found = [
        path
        for directory in _SYSTEM_DIRECTORIES
        if directory.expanduser().is_dir()
        for path in directory.expanduser().rglob("*")
        if path.suffix.lower() in SUFFIXES
    ]
    for name in _SYSTEM_NAMES:
        yield from sorted(path for path in found if name.lower() in path.name.lower())


def _drawn(font: ImageFont.FreeTypeFont, character: str) -> bytes:
    image = Image.new("L", (48, 48))
    ImageDraw.Draw(image).text((0, 0), character, font=font, fill=255)
    return image.tobytes()


def usable(path: Path) -> Typeface | None:
    """Open a font file and see whether it has the probe's characters; None when not."""
    origin: Origin = "system"
    for face in (_SIMPLIFIED_FACE, 0) if path.suffix.lower() == ".ttc" else (0,):
        try:
            font = ImageFont.truetype(str(path), 32, index=face)
            missing = _drawn(font, "\uffff")
            if all(_drawn(font, character) != missing for character in PROBE):
                return Typeface(origin, path, face)
        except OSError:
            continue
    return None


@lru_cache(maxsize=8)
def find(configured: Path | None = None) -> Typeface:
    """The best typeface there is. A configured file that cannot be used raises `FontError`: the operator asked for it."""
    if configured is not None:
        chosen = usable(configured)
        if chosen is None:
            message = f"{configured}：不是含有“{PROBE}”等汉字的字体文件，请另选 / no font with these characters; choose another"
            raise FontError(message)
        return Typeface("configured", chosen.path, chosen.face)
    for origin, candidates in (("packaged", _packaged()), ("system", _system())):
        for path in candidates:
            chosen = usable(path)
            if chosen is not None:
                return Typeface("packaged" if origin == "packaged" else "system", chosen.path, chosen.face)
    return Typeface("pinyin", None)
