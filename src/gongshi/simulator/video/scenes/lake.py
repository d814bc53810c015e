"""A lake shore: water with moving light, hills, a pavilion, pleasure boats, walkers on the promenade behind a railing."""

from random import Random

from gongshi.simulator.video.lens import Pen, blend
from gongshi.simulator.video.scenes.base import COAT_COLORS, LOOP, Actor, hills, lamp, sky, tree

RAILING = 19.0
SHORE = 330.0


def paint(pen: Pen, rng: Random) -> list[Actor]:
    """Draw the lake and give what moves on and beside it."""
    sky(pen, (138, 182, 218), (232, 232, 226))
    hills(pen, rng, (138, 160, 170), 88)
    hills(pen, rng, (98, 130, 122), 46)
    pen.ground(-3000, 3000, SHORE, 3000, (150, 178, 186))
    for step in range(160):
        part = step / 159
        z0 = RAILING + (SHORE - RAILING) * part**2
        z1 = RAILING + (SHORE - RAILING) * (min(1.0, part + 0.01)) ** 2 + 0.6
        pen.ground(-500, 500, z0, z1, blend((64, 112, 122), (150, 178, 186), part))
    for _ in range(420):
        z = RAILING + rng.random() ** 2 * 190
        x = rng.uniform(-1, 1) * z * 0.75
        pen.ground(
            x, x + rng.uniform(0.8, 3.2), z, z + 0.08 + z / 900, blend((120, 156, 164), (196, 210, 212), rng.random())
        )
    _pavilion(pen, -20.0, 62.0)
    pen.ground(-60, 60, 3.0, RAILING, (178, 166, 150))
    for z in range(4, int(RAILING), 2):
        pen.ground(-60, 60, z, z + 0.08, (156, 146, 132))
    _railing(pen)
    for x in (-13.5, 12.5):
        tree(pen, rng, x, 17.0, 6.2)
    lamp(pen, 7.5, 17.6, -1.2)
    return _boats(rng) + _walkers(rng) + _glints(rng)


def _pavilion(pen: Pen, x: float, z: float) -> None:
    pen.ground(x - 6, x + 6, z - 1, z + 8, (150, 146, 140), up=0.6)
    pen.wall(x - 6, x + 6, z - 1, -0.2, 0.6, (120, 116, 110))
    for offset in (-4.2, -1.4, 1.4, 4.2):
        pen.line((x + offset, z, 0.6), (x + offset, z, 4.4), (150, 56, 44), 0.36)
    pen.polygon(
        [
            (x - 6.8, z, 4.9),
            (x - 4.6, z, 4.2),
            (x + 4.6, z, 4.2),
            (x + 6.8, z, 4.9),
            (x + 1.0, z, 7.4),
            (x - 1.0, z, 7.4),
        ],
        (66, 84, 86),
    )
    pen.disc(x, z, 7.6, 0.4, (206, 174, 96))
    pen.line((x - 70, z + 4, 0.8), (x - 6, z + 4, 0.8), (150, 146, 140), 0.5)


def _railing(pen: Pen) -> None:
    for x in range(-24, 25, 2):
        pen.wall(x - 0.14, x + 0.14, RAILING, 0, 1.2, (206, 202, 194))
        pen.disc(x, RAILING, 1.3, 0.17, (206, 202, 194))
    for up in (0.35, 0.95):
        pen.line((-40, RAILING, up), (40, RAILING, up), (196, 192, 184), 0.12)


def _boats(rng: Random) -> list[Actor]:
    actors: list[Actor] = []
    for z in (44.0, 72.0, 110.0):
        reach = z * 0.8
        leftward = rng.random() < 0.5
        x0, x1 = (reach, -reach * 0.1) if leftward else (-reach, reach * 0.1)
        half = LOOP / 2
        color = rng.choice(((182, 92, 52), (60, 108, 150), (200, 190, 170)))
        actors.append(Actor("boat", color, (x0, z, x1, z), 0, half, mirrored=leftward))
        actors.append(Actor("boat", color, (x1, z, x0, z), half, half, mirrored=not leftward))
    return actors


def _walkers(rng: Random) -> list[Actor]:
    actors: list[Actor] = []
    for _ in range(6):
        z = rng.uniform(10.5, 17.5)
        reach = z * 0.78
        x0, x1 = (-reach, reach) if rng.random() < 0.5 else (reach, -reach)
        start, duration = rng.uniform(0, LOOP), rng.uniform(15, 19)
        actors.append(Actor("person", rng.choice(COAT_COLORS), (x0, z, x1, z), start, duration, 8, mirrored=x1 < x0))
    return actors


def _glints(rng: Random) -> list[Actor]:
    return [
        Actor("glint", (230, 238, 238), (x, z, x + 1.5, z), rng.uniform(0, LOOP), LOOP, rng.uniform(2, 5))
        for z in (24, 27, 31, 36, 42, 50, 60, 74)
        for x in (rng.uniform(-0.7, 0.0) * z, rng.uniform(0.0, 0.7) * z)
    ]
