"""The gate of a scenic area: a three-bay memorial arch, ticket lanes, visitors who walk in and out, a car at the barrier."""

from random import Random

from gongshi.simulator.video.lens import Color, Pen, shade
from gongshi.simulator.video.scenes.base import CAR_COLORS, COAT_COLORS, LOOP, Actor, hills, lamp, sky, tree

ARCH = 40.0
STONE: Color = (186, 176, 160)
TILE: Color = (70, 92, 96)
WOOD: Color = (146, 58, 46)


def paint(pen: Pen, rng: Random) -> list[Actor]:
    """Draw the gate and give who passes it."""
    sky(pen, (146, 184, 214), (228, 230, 226))
    hills(pen, rng, (134, 156, 150), 92)
    hills(pen, rng, (96, 128, 104), 52)
    pen.ground(-400, 400, 1.0, 900, (112, 132, 90))
    pen.ground(-9, 9, 3.0, 110, (170, 164, 154))
    for z in range(4, 110, 3):
        pen.ground(-9, 9, z, z + 0.1, (150, 144, 136))
    pen.ground(9.6, 16.5, 3.0, 110, (92, 94, 98))
    for x in range(-44, 45, 7):
        if abs(x) > 9:
            tree(pen, rng, x + rng.uniform(-1.5, 1.5), 74 + rng.uniform(-4, 4), rng.uniform(6, 9))
    _wall(pen, -46, -11.5)
    _wall(pen, 17.5, 46)
    _arch(pen)
    _lanes(pen)
    for x, z in ((-12, 30), (-13, 22), (-14, 15), (20, 30), (19, 18)):
        tree(pen, rng, x, z, rng.uniform(4.2, 5.6))
    lamp(pen, -10.0, 26, 1.5)
    return _visitors(rng)


def _wall(pen: Pen, x0: float, x1: float) -> None:
    pen.wall(x0, x1, ARCH, 0, 3.0, (214, 208, 196))
    pen.wall(x0, x1, ARCH, 3.0, 3.6, TILE)
    pen.wall(x0, x1, ARCH, 0, 0.5, (140, 134, 126))


def _roof(pen: Pen, x0: float, x1: float, base: float, rise: float) -> None:
    middle = (x0 + x1) / 2
    pen.polygon(
        [
            (x0 - 1.2, ARCH, base + 0.5),
            (x0 + 0.4, ARCH, base + 0.1),
            (x1 - 0.4, ARCH, base + 0.1),
            (x1 + 1.2, ARCH, base + 0.5),
            (x1 - 0.8, ARCH, base + rise * 0.7),
            (middle, ARCH, base + rise),
            (x0 + 0.8, ARCH, base + rise * 0.7),
        ],
        TILE,
    )
    pen.line((x0 - 1.2, ARCH, base + 0.5), (x0 + 0.4, ARCH, base + 0.1), (206, 174, 96), 0.16)
    pen.line((x1 + 1.2, ARCH, base + 0.5), (x1 - 0.4, ARCH, base + 0.1), (206, 174, 96), 0.16)


def _arch(pen: Pen) -> None:
    for x in (-10.0, -4.0, 4.0, 10.0):
        pen.wall(x - 0.7, x + 0.7, ARCH, 0, 1.2, shade(STONE, 0.8))
        pen.wall(x - 0.45, x + 0.45, ARCH, 1.2, 8.0 if abs(x) < 5 else 6.2, WOOD)
    for x0, x1, base in ((-10.0, -4.0, 5.2), (4.0, 10.0, 5.2), (-4.0, 4.0, 6.8)):
        pen.wall(x0, x1, ARCH, base, base + 1.3, (62, 104, 120))
        pen.wall(x0, x1, ARCH, base + 0.5, base + 0.8, (206, 174, 96))
        _roof(pen, x0 - 0.6, x1 + 0.6, base + 1.3, 1.9)
    pen.wall(-2.2, 2.2, ARCH, 6.9, 8.0, (40, 34, 30))
    for x in (-1.6, -0.5, 0.6, 1.7):
        pen.wall(x - 0.36, x + 0.2, ARCH, 7.1, 7.8, (226, 192, 104))


def _lanes(pen: Pen) -> None:
    for x in (-6.0, -2.0, 2.0, 6.0):
        pen.wall(x - 0.25, x + 0.25, ARCH - 6, 0, 1.1, (150, 156, 162))
    pen.wall(7.6, 9.4, ARCH - 8, 0, 2.6, (226, 222, 210))
    pen.wall(7.9, 9.1, ARCH - 8, 1.1, 2.1, (84, 112, 134))
    pen.wall(7.4, 9.6, ARCH - 8, 2.6, 2.9, (170, 54, 48))
    for index in range(8):
        color = (214, 52, 46) if index % 2 else (240, 240, 236)
        pen.line((10.0 + index * 0.75, ARCH - 8, 1.0), (10.75 + index * 0.75, ARCH - 8, 1.0), color, 0.14)


def _visitors(rng: Random) -> list[Actor]:
    actors: list[Actor] = []
    for index in range(12):
        x = rng.choice((-4.0, 0.0, 4.0)) + rng.uniform(-1.4, 1.4)
        inward = index % 2 == 0
        near, far = (rng.uniform(-7, 7), 10.5), (x, rng.uniform(33, 36))
        (x0, z0), (x1, z1) = (near, far) if inward else (far, near)
        start = rng.uniform(0, LOOP)
        actors.append(
            Actor("person", rng.choice(COAT_COLORS), (x0, z0, x1, z1), start, LOOP - 0.8, 8, mirrored=x1 < x0)
        )
    color = rng.choice(CAR_COLORS)
    actors.append(Actor("car_back", color, (13.0, 9.0, 13.0, 30.5), 1.0, 5.0))
    actors.append(Actor("car_back", color, (13.0, 30.5, 13.0, 30.5), 6.0, 11.0))
    return actors
