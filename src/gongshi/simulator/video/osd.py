"""Text on the picture by GA/T 751 (governance §4.2, G-144): time upper right, place lower right, source lower left."""

from dataclasses import dataclass
from datetime import datetime

from PIL import Image, ImageDraw

from gongshi.simulator.video.canvas import Sprite
from gongshi.simulator.video.fonts import AnyFont, Typeface

STRIP = 48
"""Rows at the top that hold the time and nothing that moves: three macroblock rows, one slice of their own."""
MARGIN = 24
SIZE = 32
MAX_LINES = 3
"""GA/T 751: the place takes up to three lines, large to small."""


@dataclass(frozen=True, slots=True)
class Label:
    """What stands still on a camera's picture."""

    place: tuple[str, ...]
    source: str


def text_sprite(text: str, font: AnyFont) -> Sprite:
    """White letters with a dark rim, which stay legible on any background."""
    stroke = 2
    left, top, right, bottom = font.getbbox(text)
    width, height = round(right - left) + 2 * stroke + 2, round(bottom - top) + 2 * stroke + 2
    image = Image.new("RGBA", (width, height), (16, 16, 16, 0))
    ImageDraw.Draw(image).text(
        (stroke - left, stroke - top),
        text,
        font=font,
        fill=(250, 250, 250, 255),
        stroke_width=stroke,
        stroke_fill=(16, 16, 16, 255),
    )
    return Sprite.from_image(image)


def beijing_clock(moment: datetime) -> str:
    """`YYYY-MM-DD hh:mm:ss` of a moment already in Beijing time."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"


class OnScreenText:
    """Lays out the texts of one camera for one picture size; positions are even pixels from the top left."""

    def __init__(self, label: Label, typeface: Typeface, width: int, height: int) -> None:
        self._width = width
        factor = width / 1280
        size = max(16, round(SIZE * factor))
        margin = round(MARGIN * factor)
        self._font = typeface.at(size)
        self._margin = margin
        self.still: list[tuple[Sprite, int, int]] = []
        lines = [typeface.write(line) for line in label.place[:MAX_LINES]]
        pitch = round(size * 1.3)
        top = height - margin - pitch * len(lines)
        for line in lines:
            sprite = text_sprite(line, self._font)
            self.still.append((sprite, width - margin - sprite.size[0], top + (pitch - sprite.size[1]) // 2))
            top += pitch
        if label.source:
            sprite = text_sprite(typeface.write(label.source), self._font)
            self.still.append((sprite, margin, height - margin - (pitch + sprite.size[1]) // 2))

    def clock(self, moment: datetime) -> tuple[Sprite, int, int]:
        """The time line for a moment in Beijing time and where it belongs, inside the top `STRIP` rows."""
        sprite = text_sprite(beijing_clock(moment), self._font)
        return sprite, self._width - self._margin - sprite.size[0], max(2, (STRIP - sprite.size[1]) // 2 + 2)
