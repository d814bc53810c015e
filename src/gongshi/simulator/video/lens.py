"""The geometry of a fixed camera on a pole: metres on the ground to pixels, and a pen that draws in metres."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

Color = tuple[int, int, int]
Point3 = tuple[float, float, float]

OVERSAMPLE = 2
"""Backgrounds are drawn this many times larger and then reduced, which smooths the edges."""


@dataclass(frozen=True, slots=True)
class Lens:
    """A pinhole camera that looks level: x to the right, z away from us, up, all in metres; the pole stands at 0, 0.

    `focal` and `horizon` are in pixels of the final picture, `height` is that of the lens above the ground in metres.
    """

    width: int
    frame_height: int
    focal: float
    horizon: float
    height: float
    shift: float = 0.0

    def project(self, x: float, z: float, up: float = 0.0) -> tuple[float, float]:
        """Pixel position of a point; `z` must be positive."""
        scale = self.focal / z
        return self.width / 2 + self.shift + x * scale, self.horizon + (self.height - up) * scale

    def scale(self, z: float) -> float:
        """Pixels per metre at a distance."""
        return self.focal / z


class Pen:
    """Draws polygons given in metres on an oversampled image."""

    def __init__(self, lens: Lens, image: Image.Image) -> None:
        self.lens = lens
        self.image = image
        self.draw = ImageDraw.Draw(image)

    def pixels(self, points: Sequence[Point3]) -> list[tuple[float, float]]:
        """Points (x, z, up) on the oversampled image."""
        return [
            (px * OVERSAMPLE, py * OVERSAMPLE)
            for px, py in (self.lens.project(x, max(z, 0.5), up) for x, z, up in points)
        ]

    def polygon(self, points: Sequence[Point3], fill: Color) -> None:
        self.draw.polygon(self.pixels(points), fill=fill)

    def ground(self, x0: float, x1: float, z0: float, z1: float, fill: Color, up: float = 0.0) -> None:
        """A rectangle lying flat."""
        self.polygon([(x0, z0, up), (x1, z0, up), (x1, z1, up), (x0, z1, up)], fill)

    def wall(self, x0: float, x1: float, z: float, low: float, high: float, fill: Color) -> None:
        """A rectangle that faces us."""
        self.polygon([(x0, z, low), (x1, z, low), (x1, z, high), (x0, z, high)], fill)

    def side(self, x: float, z0: float, z1: float, low: float, high: float, fill: Color) -> None:
        """A rectangle along the view, such as the flank of a building beside a street."""
        self.polygon([(x, z0, low), (x, z1, low), (x, z1, high), (x, z0, high)], fill)

    def line(self, a: Point3, b: Point3, fill: Color, metres: float) -> None:
        """A line whose width is `metres` at its nearer end, at least one pixel."""
        near = max(min(a[1], b[1]), 0.5)
        width = max(1, round(self.lens.scale(near) * metres * OVERSAMPLE))
        self.draw.line(self.pixels([a, b]), fill=fill, width=width)

    def disc(self, x: float, z: float, up: float, radius: float, fill: Color, flat: float = 1.0) -> None:
        """A ball, or with `flat` < 1 an ellipse lying on the ground or water; radius in metres."""
        (px, py), size = self.pixels([(x, z, up)])[0], self.lens.scale(max(z, 0.5)) * radius * OVERSAMPLE
        self.draw.ellipse((px - size, py - size * flat, px + size, py + size * flat), fill=fill)


def shade(color: Color, factor: float) -> Color:
    """Lighter (> 1) or darker (< 1)."""
    red, green, blue = (min(255, max(0, round(part * factor))) for part in color)
    return red, green, blue


def blend(a: Color, b: Color, part: float) -> Color:
    """`a` at 0, `b` at 1."""
    red, green, blue = (round(x + (y - x) * part) for x, y in zip(a, b, strict=True))
    return red, green, blue
