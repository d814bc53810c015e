"""The forecourt of a station: a wide hall with a clock, a canopy, taxis and a bus in front, travellers on foot."""

from random import Random

from gongshi.simulator.video.lens import Pen, shade
from gongshi.simulator.video.scenes.base import CAR_COLORS, COAT_COLORS, LOOP, Actor, lamp, sky, tree

HALL = 62.0
ROAD = (26.0, 36.0)


def paint(pen: Pen, rng: Random) -> list[Actor]:
    """Draw the station and give what moves before it."""
    sky(pen, (144, 180, 212), (224, 228, 230))
    pen.ground(-400, 400, 1.0, 900, (150, 148, 142))
    _hall(pen, rng)
    pen.ground(-60, 60, ROAD[1], HALL, (172, 168, 160))
    for z in range(int(ROAD[1]) + 2, int(HALL), 3):
        pen.ground(-60, 60, z, z + 0.12, (154, 150, 144))
    pen.ground(-60, 60, *ROAD, (82, 84, 88))
    for x in range(-56, 57, 8):
        pen.ground(x, x + 4, (ROAD[0] + ROAD[1]) / 2 - 0.1, (ROAD[0] + ROAD[1]) / 2 + 0.1, (226, 226, 222))
    for z in (ROAD[0] + 0.3, ROAD[1] - 0.4):
        pen.ground(-60, 60, z, z + 0.14, (214, 178, 66))
    pen.ground(-60, 60, 3.0, ROAD[0], (178, 172, 164))
    for z in range(4, int(ROAD[0]), 3):
        pen.ground(-60, 60, z, z + 0.1, (158, 152, 146))
    for x in range(-20, 21, 2):
        pen.wall(x - 0.1, x + 0.1, ROAD[0] - 0.4, 0, 0.9, (170, 60, 50) if x % 4 else (220, 220, 214))
    for x in (-24.0, -15.0, 17.0, 26.0):
        tree(pen, rng, x, 44, rng.uniform(5, 6.5))
    lamp(pen, -12.0, 24, 1.6)
    lamp(pen, 12.5, 24, -1.6)
    return _traffic(rng) + _travellers(rng)


def _hall(pen: Pen, rng: Random) -> None:
    pen.wall(-34, 34, HALL, 0, 10.5, (206, 200, 190))
    for index in range(22):
        left = -33 + index * 3.0
        pen.wall(left, left + 2.4, HALL, 3.6, 8.8, shade((92, 122, 146), rng.uniform(0.85, 1.15)))
        pen.wall(left, left + 2.4, HALL, 0.1, 3.0, shade((70, 84, 96), rng.uniform(0.8, 1.2)))
    pen.wall(-38, 38, HALL, 10.3, 11.2, (176, 170, 162))
    pen.wall(-7, 7, HALL, 10.3, 13.4, (190, 182, 170))
    pen.disc(0, HALL - 0.5, 12.0, 1.3, (244, 244, 240))
    pen.disc(0, HALL - 0.5, 12.0, 0.12, (40, 40, 44))
    pen.line((0, HALL - 0.5, 12.0), (0.6, HALL - 0.5, 12.6), (40, 40, 44), 0.16)
    pen.line((0, HALL - 0.5, 12.0), (-0.2, HALL - 0.5, 11.0), (40, 40, 44), 0.12)
    pen.polygon([(-26, HALL - 9, 4.6), (26, HALL - 9, 4.6), (28, HALL, 5.2), (-28, HALL, 5.2)], (222, 220, 214))
    pen.wall(-26, 26, HALL - 9, 4.1, 4.6, (196, 52, 46))
    for x in range(-24, 25, 8):
        pen.wall(x - 0.25, x + 0.25, HALL - 8.6, 0, 4.1, (190, 186, 178))


def _traffic(rng: Random) -> list[Actor]:
    actors: list[Actor] = []
    for z, rightward in ((33.5, False), (28.8, True)):
        at = rng.uniform(0, 3)
        while at < LOOP - 1.5:
            bus = rng.random() < 0.22
            reach = z * 0.72 + (6 if bus else 3)
            x0, x1 = (-reach, reach) if rightward else (reach, -reach)
            kind = "bus_side" if bus else "car_side"
            color = rng.choice(((46, 120, 90), (60, 110, 170), (214, 150, 60))) if bus else rng.choice(CAR_COLORS)
            actors.append(Actor(kind, color, (x0, z, x1, z), at, 9.0 if bus else 7.0, mirrored=not rightward))
            at += rng.uniform(4.0, 7.5) + (3 if bus else 0)
    return actors


def _travellers(rng: Random) -> list[Actor]:
    actors: list[Actor] = []
    for index in range(10):
        near = index % 2 == 0
        z = rng.uniform(11, 23) if near else rng.uniform(39, 50)
        reach = z * 0.78 if near else rng.uniform(10, 20)
        x0, x1 = (-reach, reach) if rng.random() < 0.5 else (reach, -reach)
        start = rng.uniform(0, LOOP)
        actors.append(Actor("person", rng.choice(COAT_COLORS), (x0, z, x1, z), start, LOOP - 1.0, 8, mirrored=x1 < x0))
    return actors
