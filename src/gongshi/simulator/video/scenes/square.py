"""A public square: paving, flower beds, a fountain, flags, buildings behind, people who stroll across."""

from random import Random

from gongshi.simulator.video.lens import Pen, shade
from gongshi.simulator.video.scenes.base import COAT_COLORS, LOOP, Actor, facade, hills, lamp, sky, tree

FAR = 74.0
POLE_HEIGHT = 9.0


def paint(pen: Pen, rng: Random) -> list[Actor]:
    """Draw the square and give who walks on it."""
    sky(pen, (140, 178, 214), (226, 230, 230))
    hills(pen, rng, (140, 158, 160), 34)
    pen.ground(-400, 400, 1.0, 900, (128, 140, 112))
    x = -78.0
    while x < 70:
        width = rng.uniform(14, 24)
        facade(
            pen,
            rng,
            x,
            x + width - 1.2,
            FAR + 22,
            rng.uniform(9, 18),
            rng.choice(((190, 180, 164), (172, 168, 164), (200, 184, 158))),
        )
        x += width
    pen.ground(-44, 44, 4.0, FAR, (178, 172, 162))
    for z in range(4, int(FAR), 4):
        pen.ground(-44, 44, z, z + 0.14, (154, 148, 140))
    for column in range(-44, 45, 4):
        pen.ground(column, column + 0.14, 4.0, FAR, (158, 152, 144))
    for z in range(12, int(FAR), 12):
        pen.ground(-44, 44, z, z + 1.0, (196, 176, 150))
    for x in range(-40, 41, 10):
        tree(pen, rng, x + rng.uniform(-1, 1), FAR + 3, rng.uniform(4.5, 6.5))
    poles = (-5.0, 0.0, 5.0)
    for x in poles:
        pen.line((x, FAR - 8, 0), (x, FAR - 8, POLE_HEIGHT), (200, 204, 208), 0.14)
    for x in (-26.0, 18.0):
        _flower_bed(pen, rng, x, 38.0)
        _flower_bed(pen, rng, x, 24.0)
    _fountain(pen, 46.0)
    for side in (-1, 1):
        for z in (56, 34, 20):
            lamp(pen, side * 17.0, z, -side * 1.6)
    actors = _strollers(rng)
    for x, color in zip(poles, ((196, 40, 44), (206, 38, 40), (60, 110, 180)), strict=True):
        actors.append(Actor("flag", color, (x + 1.1, FAR - 8, x + 1.1, FAR - 8), 0, LOOP, 6, up=POLE_HEIGHT - 2.3))
    actors.extend(
        Actor("glint", (236, 244, 250), (x, 45.8, x, 45.8), rng.uniform(0, 3), LOOP, 5, up=0.7)
        for x in (-3.0, 0.0, 3.0)
    )
    return actors


def _flower_bed(pen: Pen, rng: Random, x: float, z: float) -> None:
    pen.ground(x, x + 8, z, z + 5, (150, 146, 140), up=0.4)
    pen.wall(x, x + 8, z, 0, 0.4, (128, 124, 118))
    pen.ground(x + 0.4, x + 7.6, z + 0.4, z + 4.6, (74, 108, 62), up=0.45)
    for _ in range(160):
        color = rng.choice(((206, 62, 70), (232, 188, 70), (222, 120, 160), (90, 132, 70)))
        pen.disc(x + rng.uniform(0.6, 7.4), z + rng.uniform(0.6, 4.4), 0.55, 0.16, color)


def _fountain(pen: Pen, z: float) -> None:
    pen.disc(0, z, 0.0, 7.2, (140, 136, 130), flat=0.2)
    pen.disc(0, z, 0.5, 7.0, (176, 172, 166), flat=0.2)
    pen.disc(0, z, 0.55, 6.4, (92, 140, 166), flat=0.2)
    pen.wall(-0.9, 0.9, z, 0.5, 4.2, (186, 180, 170))
    pen.wall(-0.6, 0.6, z, 4.2, 6.6, (172, 164, 152))
    pen.disc(0, z, 7.2, 0.9, shade((186, 160, 96), 1.0))


def _strollers(rng: Random) -> list[Actor]:
    actors: list[Actor] = []
    for _ in range(11):
        z0 = rng.uniform(12, 52)
        z1 = min(56.0, max(11.0, z0 + rng.uniform(-9, 9)))
        x0 = rng.uniform(-14, 14)
        x1 = x0 + rng.choice((-1, 1)) * rng.uniform(12, 22)
        color = rng.choice(COAT_COLORS)
        # There and back within one loop, so that nobody vanishes in the middle of the square.
        half = LOOP / 2
        actors.append(Actor("person", color, (x0, z0, x1, z1), 0, half, 8, mirrored=x1 < x0))
        actors.append(Actor("person", color, (x1, z1, x0, z0), half, half, 8, mirrored=x1 > x0))
    z = rng.uniform(15, 22)
    return [*actors, Actor("scooter", (60, 120, 170), (-34, z, 34, z + 8), rng.uniform(0, LOOP), 12)]
