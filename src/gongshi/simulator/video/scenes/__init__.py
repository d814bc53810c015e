"""Five places a city watches. `build` paints one of them with its own details for every seed."""

from random import Random
from typing import get_args

from PIL import Image

from gongshi.simulator.video.lens import OVERSAMPLE, Lens, Pen
from gongshi.simulator.video.scenes import gate, lake, square, station, street
from gongshi.simulator.video.scenes.base import LOOP, Daylight, Painter, Scene, SceneName, finish

SCENES: tuple[SceneName, ...] = get_args(SceneName)

_PAINTERS: dict[SceneName, Painter] = {
    "square": square.paint,
    "street": street.paint,
    "gate": gate.paint,
    "lake": lake.paint,
    "station": station.paint,
}


def build(name: SceneName, seed: int, width: int = 1280, height: int = 720, daylight: Daylight = "day") -> Scene:
    """Paint a scene of `width` x `height` pixels (multiples of 16). The same arguments give the same picture."""
    rng = Random(f"{name}/{seed}")
    factor = width / 1280
    lens = Lens(
        width,
        height,
        focal=rng.uniform(840, 960) * factor,
        horizon=rng.uniform(176, 204) * factor,
        height=rng.uniform(6.4, 7.6),
        shift=rng.uniform(-70, 70) * factor,
    )
    pen = Pen(lens, Image.new("RGB", (width * OVERSAMPLE, height * OVERSAMPLE)))
    actors = _PAINTERS[name](pen, rng)
    return Scene(lens, finish(pen, rng, daylight), actors, light=1.0 if daylight == "day" else 0.5)


__all__ = ["LOOP", "SCENES", "Daylight", "Scene", "SceneName", "build"]
