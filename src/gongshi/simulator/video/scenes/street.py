"""A city street seen along its length: cars both ways, pedestrians on the crossing, shops and trees on both sides."""

from random import Random

from gongshi.simulator.video.lens import Pen, shade
from gongshi.simulator.video.scenes.base import (
    CAR_COLORS,
    COAT_COLORS,
    LOOP,
    Actor,
    facade,
    flank,
    hills,
    lamp,
    sky,
    tree,
)

LANE = 3.4
FAR = 150.0
CROSSING = (17.0, 20.5)


def paint(pen: Pen, rng: Random) -> list[Actor]:
    """Draw the street and give what moves on it."""
    sky(pen, (150, 182, 212), (222, 228, 230))
    hills(pen, rng, (150, 166, 176), 26)
    pen.ground(-400, 400, 1.0, 900, (122, 124, 118))
    edge = LANE * 2 + 0.4
    walk = edge + 4.2
    for side in (-1, 1):
        pen.ground(side * edge, side * walk, 4.0, FAR, (164, 160, 152))
        for z in range(6, int(FAR), 3):
            pen.ground(side * edge, side * walk, z, z + 0.1, (146, 142, 136))
    pen.ground(-edge, edge, 3.0, FAR, (84, 86, 90))
    _buildings(pen, rng, walk)
    _markings(pen, edge)
    for z in range(int(FAR) - 6, 8, -14):
        for side in (-1, 1):
            tree(pen, rng, side * (edge + 1.3), z + rng.uniform(-1.5, 1.5), rng.uniform(4.6, 6.0))
            if z % 28 < 14 and z > CROSSING[1]:
                lamp(pen, side * (edge + 0.5), z - 6, -side * 1.8)
    return _cars(rng) + _walkers(rng, edge, walk)


def _buildings(pen: Pen, rng: Random, walk: float) -> None:
    facade(pen, rng, -30, 30, FAR, rng.uniform(14, 20), (176, 170, 160))
    tints = ((186, 176, 160), (168, 160, 156), (196, 182, 160), (158, 166, 172), (180, 150, 130))
    for side in (-1, 1):
        z1 = FAR
        while z1 > 14:
            depth = rng.uniform(16, 34)
            z0 = max(z1 - depth, 9.0)
            flank(
                pen, rng, side * (walk + 0.4), z0, z1, rng.uniform(9, 17), shade(rng.choice(tints), 0.95 + side * 0.06)
            )
            z1 = z0 - 0.8


def _markings(pen: Pen, edge: float) -> None:
    white, yellow = (226, 226, 222), (214, 178, 66)
    for offset in (-0.18, 0.12):
        pen.ground(offset, offset + 0.1, CROSSING[1] + 3, FAR, yellow)
    for x in (-LANE, LANE):
        z = CROSSING[1] + 4.0
        while z < 110:
            pen.ground(x - 0.07, x + 0.07, z, z + 4, white)
            z += 9
    x = -edge + 0.6
    while x < edge - 0.6:
        pen.ground(x, x + 0.5, *CROSSING, white)
        x += 1.0
    pen.ground(0.2, edge, CROSSING[1] + 1.4, CROSSING[1] + 1.9, white)
    pen.ground(-edge, -0.2, CROSSING[0] - 1.9, CROSSING[0] - 1.4, white)
    pen.ground(-edge, -edge + 0.16, 5, FAR, white)
    pen.ground(edge - 0.16, edge, 5, FAR, white)


def _cars(rng: Random) -> list[Actor]:
    actors: list[Actor] = []
    for lane in (-1.5, -0.5, 0.5, 1.5):
        approaching = lane < 0
        at = rng.uniform(0, 6)
        while at < LOOP - 2.5:
            x = lane * LANE
            path = (x, 118.0, x, 9.5) if approaching else (x, 9.5, x, 118.0)
            kind = "car_front" if approaching else "car_back"
            actors.append(Actor(kind, rng.choice(CAR_COLORS), path, at, rng.uniform(8.6, 9.4)))
            at += rng.uniform(4.5, 9.0)
    return actors


def _walkers(rng: Random, edge: float, walk: float) -> list[Actor]:
    actors: list[Actor] = []
    for side in (-1, 1):
        for _ in range(3):
            x = side * rng.uniform(edge + 1.8, walk - 0.6)
            near, far = rng.uniform(11, 14), rng.uniform(30, 38)
            z0, z1 = (near, far) if rng.random() < 0.5 else (far, near)
            actors.append(Actor("person", rng.choice(COAT_COLORS), (x, z0, x, z1), rng.uniform(0, LOOP), LOOP - 0.6, 7))
    for _ in range(2):
        z = rng.uniform(CROSSING[0] + 0.4, CROSSING[1] - 0.4)
        x0, x1 = (-walk, walk) if rng.random() < 0.5 else (walk, -walk)
        start = rng.uniform(0, LOOP)
        actors.append(Actor("person", rng.choice(COAT_COLORS), (x0, z, x1, z), start, 17.0, 8, mirrored=x1 < x0))
    x0 = rng.choice((-1, 1)) * (edge - 0.9)
    path = (x0, 60.0, x0, 10.0) if x0 < 0 else (x0, 10.0, x0, 60.0)
    return [*actors, Actor("scooter", rng.choice(CAR_COLORS), path, rng.uniform(0, LOOP), 8.0)]
