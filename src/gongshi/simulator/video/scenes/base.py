"""What every scene is: a painted background and actors on straight paths that repeat with the loop.

Everything moves with period `LOOP` seconds, so that an encoded loop can be sent for ever.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from threading import Lock
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from gongshi.simulator.video.canvas import Picture
from gongshi.simulator.video.lens import OVERSAMPLE, Color, Lens, Pen, blend, shade
from gongshi.simulator.video.sprites import sprite

LOOP = 20.0
"""Seconds after which every scene looks the same again."""

HAZE = 8
"""Pixels by which what stands behind reaches below the horizon, because the ground ends before infinity."""

SceneName = Literal["square", "street", "gate", "lake", "station"]
Daylight = Literal["day", "night"]

CAR_COLORS: tuple[Color, ...] = (
    (232, 234, 236),
    (38, 40, 46),
    (150, 156, 164),
    (168, 34, 40),
    (36, 70, 140),
    (206, 202, 190),
    (90, 96, 104),
)
COAT_COLORS: tuple[Color, ...] = (
    (172, 52, 56),
    (50, 84, 140),
    (60, 64, 70),
    (216, 182, 80),
    (90, 130, 96),
    (226, 224, 220),
    (128, 82, 124),
)


@dataclass(frozen=True, slots=True)
class Actor:
    """A thing on a straight path from (x, z) to (x, z) in metres; absent outside `[start, start + duration)` mod LOOP.

    `pace` is how many animation phases pass per second; `up` lifts it off the ground (a flag on its pole).
    """

    kind: str
    color: Color
    path: tuple[float, float, float, float]
    start: float
    duration: float
    pace: float = 0.0
    up: float = 0.0
    mirrored: bool = False

    def place(self, moment: float) -> tuple[float, float] | None:
        """Where it is at `moment` seconds, or None when it is not in the picture."""
        passed = (moment - self.start) % LOOP
        if passed >= self.duration:
            return None
        part = passed / self.duration
        x0, z0, x1, z1 = self.path
        return x0 + (x1 - x0) * part, z0 + (z1 - z0) * part


@dataclass(slots=True)
class Scene:
    """A camera's view, ready to be drawn at any moment."""

    lens: Lens
    background: Picture
    actors: Sequence[Actor]
    light: float = 1.0
    lock: Lock = field(default_factory=Lock)
    """Held by whoever uses `draw`, because its buffer is shared."""
    _frame: Picture = field(init=False)

    def __post_init__(self) -> None:
        self._frame = self.background.copy()

    def draw(self, moment: float) -> Picture:
        """The picture at `moment` seconds (mod LOOP). The same buffer is used for every call."""
        frame = self._frame
        frame.restore(self.background)
        placed = [(place[1], place[0], actor) for actor in self.actors if (place := actor.place(moment)) is not None]
        placed.sort(key=lambda item: -item[0])
        for z, x, actor in placed:
            scale = self.lens.scale(z)
            phase = int(moment % LOOP * actor.pace)
            image = sprite(actor.kind, actor.color, scale, phase=phase, mirrored=actor.mirrored, light=self.light)
            px, py = self.lens.project(x, z, actor.up)
            width, height = image.size
            frame.paste(image, round(px - width / 2), round(py - height))
        return frame


Painter = Callable[[Pen, Random], list[Actor]]


def sky(pen: Pen, top: Color, bottom: Color) -> None:
    """A gradient down to the horizon, and haze below it for what the ground leaves open."""
    pen.draw.rectangle((0, 0, pen.image.width, pen.image.height), fill=bottom)
    limit = round(pen.lens.horizon * OVERSAMPLE)
    for row in range(limit):
        pen.draw.line((0, row, pen.image.width, row), fill=blend(top, bottom, row / max(limit, 1)))


def hills(pen: Pen, rng: Random, color: Color, height: float) -> None:
    """A ridge behind everything; `height` in pixels above the horizon."""
    base = (pen.lens.horizon + HAZE) * OVERSAMPLE
    points: list[tuple[float, float]] = [(0, base)]
    level = rng.uniform(0.3, 0.9)
    for step in range(33):
        level = min(1.0, max(0.15, level + rng.uniform(-0.22, 0.22)))
        points.append((pen.image.width * step / 32, base - (level * height + HAZE) * OVERSAMPLE))
    points.append((pen.image.width, base))
    pen.draw.polygon(points, fill=color)


def facade(pen: Pen, rng: Random, x0: float, x1: float, z: float, height: float, color: Color) -> None:
    """A building front with rows of windows."""
    pen.wall(x0, x1, z, 0, height, color)
    pen.wall(x0, x1, z, height - 0.5, height, shade(color, 0.8))
    lit = (250, 214, 130)
    glass = (86, 104, 122)
    storey = 3.2
    columns = max(2, round((x1 - x0) / 3.0))
    step = (x1 - x0) / columns
    for level in range(1, int((height - 1.0) / storey)):
        for column in range(columns):
            left = x0 + (column + 0.22) * step
            fill = lit if rng.random() < 0.06 else shade(glass, rng.uniform(0.8, 1.2))
            pen.wall(left, left + step * 0.56, z, level * storey + 0.8, level * storey + 2.5, fill)
    pen.wall(x0, x1, z, 0.0, 3.0, shade(color, 0.7))
    for column in range(columns):
        left = x0 + column * step
        pen.wall(left + 0.2, left + step - 0.2, z, 0.2, 2.4, shade((110, 124, 136), rng.uniform(0.7, 1.2)))
        if rng.random() < 0.6:
            sign = rng.choice(((178, 46, 44), (40, 92, 160), (208, 150, 40), (52, 120, 84)))
            pen.wall(left + 0.15, left + step - 0.15, z, 2.45, 3.1, sign)


def flank(pen: Pen, rng: Random, x: float, z0: float, z1: float, height: float, color: Color) -> None:
    """The long side of a building beside a street that leads away from us."""
    pen.side(x, z0, z1, 0, height, color)
    storey, step = 3.2, 4.0
    for level in range(1, int((height - 0.6) / storey)):
        z = z0 + 1.2
        while z + 2.0 < z1:
            pen.side(
                x,
                z,
                z + 2.0,
                level * storey + 0.8,
                level * storey + 2.4,
                shade((84, 100, 118), rng.uniform(0.75, 1.25)),
            )
            z += step
    z = z0
    while z + 0.5 < z1:
        pen.side(x, z + 0.2, min(z + 3.8, z1), 0.2, 2.5, shade((120, 128, 134), rng.uniform(0.6, 1.1)))
        sign = rng.choice(((178, 46, 44), (40, 92, 160), (208, 150, 40), (52, 120, 84), (120, 60, 130)))
        pen.side(x, z + 0.1, min(z + 3.9, z1), 2.6, 3.4, sign)
        z += 4.0


def tree(pen: Pen, rng: Random, x: float, z: float, height: float = 5.5) -> None:
    """A trunk and a cloud of leaves."""
    pen.disc(x + 0.4, z, 0.0, height * 0.32, (96, 98, 90), flat=0.26)
    pen.line((x, z, 0), (x, z, height * 0.55), (92, 72, 54), 0.28)
    for _ in range(26):
        green = blend((44, 84, 46), (104, 142, 72), rng.random())
        pen.disc(
            x + rng.gauss(0, height * 0.15),
            z,
            height * 0.7 + rng.gauss(0, height * 0.12),
            height * rng.uniform(0.07, 0.14),
            green,
        )


def lamp(pen: Pen, x: float, z: float, arm: float) -> None:
    """A street lamp whose arm reaches to `x + arm`."""
    pen.line((x, z, 0), (x, z, 7.5), (120, 124, 128), 0.16)
    pen.line((x, z, 7.5), (x + arm, z, 7.8), (120, 124, 128), 0.12)
    pen.line((x + arm * 0.7, z, 7.72), (x + arm, z, 7.8), (236, 236, 220), 0.3)


def finish(pen: Pen, rng: Random, daylight: Daylight) -> Picture:
    """Reduce, add a lens's unevenness and a sensor's grain, and at night take the light away."""
    lens = pen.lens
    image = pen.image.resize((lens.width, lens.frame_height), Image.Resampling.BOX)
    image = image.filter(ImageFilter.GaussianBlur(0.6))
    rgb = np.asarray(image, dtype=np.float32)
    grain = np.random.default_rng(rng.getrandbits(32)).normal(0, 1.6, rgb.shape[:2]).astype(np.float32)
    across = np.linspace(-1, 1, lens.width, dtype=np.float32)
    down = np.linspace(-1, 1, lens.frame_height, dtype=np.float32)[:, None]
    vignette = 1 - 0.16 * (across**2 + down**2) / 2
    rgb = rgb * vignette[..., None] + grain[..., None]
    if daylight == "night":
        # Dark blue surroundings and a warm pool of lamp light on the ground.
        pool = np.exp(-((across * 1.3) ** 2) - ((down - 0.35) * 1.2) ** 2)[..., None]
        rgb = rgb * (
            np.array([0.34, 0.38, 0.5], dtype=np.float32) + pool * np.array([0.42, 0.34, 0.16], dtype=np.float32)
        )
    return Picture.from_image(Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8)))
