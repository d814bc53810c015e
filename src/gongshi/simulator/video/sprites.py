"""Moving things as abstract shapes: cars, people, scooters, a bus, boats. Drawn on demand in the size that is needed.

People are a head, a coat and two legs: enough to see that somebody walks there, nothing to tell who.
"""

from collections.abc import Callable
from functools import lru_cache
from math import floor, log, sin, tau

from PIL import Image, ImageDraw

from gongshi.simulator.video.canvas import Sprite
from gongshi.simulator.video.lens import Color, shade

_FINE = 4
"""Sprites are drawn this many times larger and then reduced."""
_STEP = 1.05
"""Sizes come in a geometric row with this ratio, so that a car on its way needs some thirty sprites, not hundreds."""
WALK_PHASES = 6

GLASS: Color = (52, 66, 80)
TYRE: Color = (24, 24, 26)
SKIN: Color = (196, 160, 134)

Shape = Callable[["Plan", Color, int], None]


class Plan:
    """A side or front elevation in metres: x from the left edge, up from the ground."""

    def __init__(self, width: float, height: float, scale: float) -> None:
        self.width, self.height, self.scale = width, height, scale
        size = (max(2, round(width * scale)), max(2, round(height * scale)))
        self.image = Image.new("RGBA", size, (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.image)

    def at(self, x: float, up: float) -> tuple[float, float]:
        return x * self.scale, (self.height - up) * self.scale

    def box(self, x0: float, x1: float, low: float, high: float, fill: Color, round_by: float = 0.0) -> None:
        (left, top), (right, bottom) = self.at(x0, high), self.at(x1, low)
        self.draw.rounded_rectangle((left, top, right, bottom), radius=round_by * self.scale, fill=(*fill, 255))

    def poly(self, points: list[tuple[float, float]], fill: Color) -> None:
        self.draw.polygon([self.at(x, up) for x, up in points], fill=(*fill, 255))

    def ball(self, x: float, up: float, radius: float, fill: Color) -> None:
        (left, top), (right, bottom) = self.at(x - radius, up + radius), self.at(x + radius, up - radius)
        self.draw.ellipse((left, top, right, bottom), fill=(*fill, 255))

    def shadow(self, x0: float, x1: float, depth: float) -> None:
        (left, top), (right, bottom) = self.at(x0, depth), self.at(x1, 0)
        self.draw.ellipse((left, top, right, bottom), fill=(10, 12, 14, 110))


def _car_side(plan: Plan, color: Color, _phase: int) -> None:
    plan.shadow(0, 4.6, 0.32)
    plan.box(0.1, 4.5, 0.35, 0.95, color, 0.22)
    plan.poly([(0.75, 0.9), (1.35, 1.45), (3.05, 1.45), (3.75, 0.9)], shade(color, 0.94))
    plan.poly([(1.0, 0.93), (1.45, 1.36), (2.18, 1.36), (2.18, 0.93)], GLASS)
    plan.poly([(2.28, 0.93), (2.28, 1.36), (2.98, 1.36), (3.5, 0.93)], GLASS)
    plan.box(4.3, 4.5, 0.62, 0.8, (250, 244, 214), 0.05)
    plan.box(0.1, 0.26, 0.62, 0.8, (190, 40, 36), 0.05)
    for x in (1.0, 3.6):
        plan.ball(x, 0.33, 0.33, TYRE)
        plan.ball(x, 0.33, 0.17, (150, 152, 156))


def _car_front(plan: Plan, color: Color, _phase: int) -> None:
    plan.shadow(0, 1.9, 0.3)
    plan.box(0.12, 0.42, 0.02, 0.5, TYRE, 0.06)
    plan.box(1.48, 1.78, 0.02, 0.5, TYRE, 0.06)
    plan.box(0.06, 1.84, 0.26, 1.0, color, 0.16)
    plan.poly([(0.22, 0.96), (0.42, 1.62), (1.48, 1.62), (1.68, 0.96)], shade(color, 0.92))
    plan.poly([(0.32, 1.0), (0.48, 1.42), (1.42, 1.42), (1.58, 1.0)], GLASS)
    plan.box(0.4, 1.5, 1.46, 1.62, shade(color, 1.12), 0.08)
    plan.box(0.6, 1.3, 0.34, 0.52, (30, 32, 36), 0.05)
    for x in (0.14, 1.42):
        plan.box(x, x + 0.34, 0.6, 0.78, (252, 248, 226), 0.06)
    plan.box(0.68, 1.22, 0.3, 0.42, (46, 92, 190))


def _car_back(plan: Plan, color: Color, _phase: int) -> None:
    plan.shadow(0, 1.9, 0.3)
    plan.box(0.12, 0.42, 0.02, 0.5, TYRE, 0.06)
    plan.box(1.48, 1.78, 0.02, 0.5, TYRE, 0.06)
    plan.box(0.06, 1.84, 0.26, 1.02, shade(color, 0.9), 0.14)
    plan.poly([(0.2, 1.0), (0.4, 1.6), (1.5, 1.6), (1.7, 1.0)], shade(color, 0.84))
    plan.poly([(0.34, 1.06), (0.48, 1.46), (1.42, 1.46), (1.56, 1.06)], shade(GLASS, 0.8))
    plan.box(0.4, 1.5, 1.5, 1.6, color, 0.06)
    for x in (0.1, 1.5):
        plan.box(x, x + 0.3, 0.66, 0.86, (188, 34, 34), 0.05)
    plan.box(0.68, 1.22, 0.46, 0.6, (46, 92, 190))


def _bus_side(plan: Plan, color: Color, _phase: int) -> None:
    plan.shadow(0, 10.6, 0.4)
    plan.box(0.1, 10.5, 0.45, 3.0, color, 0.3)
    plan.box(0.1, 10.5, 0.9, 1.15, (240, 240, 236))
    for index in range(7):
        plan.box(0.6 + index * 1.4, 1.75 + index * 1.4, 1.5, 2.5, GLASS, 0.08)
    for x in (2.2, 8.2):
        plan.ball(x, 0.5, 0.5, TYRE)
        plan.ball(x, 0.5, 0.24, (140, 142, 146))


def _person(plan: Plan, color: Color, phase: int) -> None:
    stride = sin(tau * phase / WALK_PHASES) * 0.2
    plan.shadow(0.1, 0.8, 0.14)
    dark = shade(color, 0.55)
    for sign in (1, -1):
        foot = 0.45 + sign * stride
        plan.poly([(0.36, 0.86), (0.54, 0.86), (foot + 0.08, 0.04), (foot - 0.08, 0.04)], dark)
    for sign in (1, -1):
        hand = 0.45 - sign * stride * 1.1
        plan.poly([(0.38, 1.38), (0.52, 1.38), (hand + 0.06, 0.84), (hand - 0.06, 0.84)], shade(color, 0.8))
    plan.box(0.25, 0.65, 0.78, 1.46, color, 0.14)
    plan.ball(0.45, 1.6, 0.13, SKIN)
    plan.poly([(0.32, 1.6), (0.34, 1.72), (0.45, 1.76), (0.56, 1.72), (0.58, 1.6)], (34, 30, 30))


def _scooter(plan: Plan, color: Color, _phase: int) -> None:
    plan.shadow(0.1, 1.7, 0.16)
    for x in (0.35, 1.45):
        plan.ball(x, 0.26, 0.26, TYRE)
        plan.ball(x, 0.26, 0.13, (120, 122, 126))
    plan.poly(
        [(0.2, 0.42), (0.3, 0.74), (0.85, 0.74), (1.1, 0.36), (1.25, 0.36), (1.4, 0.98), (1.5, 0.96), (1.4, 0.3)], color
    )
    plan.poly([(0.5, 0.74), (0.72, 1.36), (0.96, 1.36), (0.92, 0.74)], shade(color, 0.6))
    plan.poly([(0.84, 1.28), (1.38, 1.04), (1.4, 0.96), (0.84, 1.12)], shade(color, 0.55))
    plan.ball(0.86, 1.52, 0.15, (232, 196, 60))


def _boat(plan: Plan, color: Color, _phase: int) -> None:
    plan.poly([(0.0, 0.9), (0.7, 0.15), (5.2, 0.15), (6.0, 1.0)], color)
    plan.box(0.2, 5.7, 0.8, 0.95, shade(color, 1.4))
    for x in (1.3, 4.5):
        plan.box(x, x + 0.14, 0.9, 2.3, (120, 84, 56))
    plan.poly([(0.8, 2.25), (1.5, 2.9), (4.5, 2.9), (5.2, 2.25)], (176, 62, 46))
    plan.box(1.6, 4.4, 0.95, 1.25, (208, 190, 150))


def _glint(plan: Plan, color: Color, phase: int) -> None:
    spread = 0.5 + 0.5 * sin(tau * phase / WALK_PHASES)
    (left, top), (right, bottom) = plan.at(1.5 - 1.4 * spread, 0.2), plan.at(1.5 + 1.4 * spread, 0.06)
    plan.draw.ellipse((left, top, right, bottom), fill=(*color, 150))


def _flag(plan: Plan, color: Color, phase: int) -> None:
    points = [
        (index / 12 * 2.2, 0.22 * sin(tau * (index / 9 - phase / WALK_PHASES)) * index / 12) for index in range(13)
    ]
    upper = [(x, 1.85 + wave) for x, wave in points]
    lower = [(x, 0.45 + wave) for x, wave in reversed(points)]
    plan.poly(upper + lower, color)


_SHAPES: dict[str, tuple[float, float, Shape]] = {
    "car_side": (4.6, 1.6, _car_side),
    "car_front": (1.9, 1.7, _car_front),
    "car_back": (1.9, 1.7, _car_back),
    "bus_side": (10.6, 3.2, _bus_side),
    "person": (0.9, 1.8, _person),
    "scooter": (1.8, 1.7, _scooter),
    "boat": (6.0, 3.0, _boat),
    "glint": (3.0, 0.3, _glint),
    "flag": (2.3, 2.3, _flag),
}
KINDS = tuple(_SHAPES)


def _bucket(pixels_per_metre: float) -> int:
    return floor(log(max(pixels_per_metre, 1.0), _STEP) + 0.5)


@lru_cache(maxsize=4096)
def _render(kind: str, color: Color, phase: int, bucket: int, mirrored: bool, light: float) -> Sprite:
    width, height, shape = _SHAPES[kind]
    scale = _STEP**bucket
    plan = Plan(width, height, scale * _FINE)
    shape(plan, shade(color, light), phase)
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    image = plan.image.resize(size, Image.Resampling.BOX)
    if mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return Sprite.from_image(image)


def sprite(
    kind: str, color: Color, pixels_per_metre: float, *, phase: int = 0, mirrored: bool = False, light: float = 1.0
) -> Sprite:
    """The sprite of a thing in about the wanted size (within 2.5 %); `light` darkens its colour at night."""
    return _render(kind, color, phase % WALK_PHASES, _bucket(pixels_per_metre), mirrored, light)
