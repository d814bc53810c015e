"""Pictures in YUV 4:2:0, as the encoder wants them, and the blending of small ones into large ones.

All arithmetic is BT.709 with limited range (Y 16..235), which players assume for 720 lines.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes2D = NDArray[np.uint8]
Floats = NDArray[np.floating]


def _luma(rgb: Floats) -> Floats:
    return rgb[..., 0] * 0.2126 + rgb[..., 1] * 0.7152 + rgb[..., 2] * 0.0722


def _to_bytes(plane: Floats) -> Bytes2D:
    return np.clip(plane + 0.5, 0, 255).astype(np.uint8)


def _halve(plane: Floats) -> Floats:
    """Average 2x2 blocks; the plane must have even sides."""
    return (plane[0::2, 0::2] + plane[1::2, 0::2] + plane[0::2, 1::2] + plane[1::2, 1::2]) * np.float32(0.25)


@dataclass(frozen=True, slots=True)
class Sprite:
    """A small picture with transparency: Y and its weight in full size, U, V and their weight in half size.

    Sides are even. Weights are 0..256 in uint16, so that blending is one shift.
    """

    y: NDArray[np.uint16]
    u: NDArray[np.uint16]
    v: NDArray[np.uint16]
    alpha: NDArray[np.uint16]
    alpha_half: NDArray[np.uint16]

    @classmethod
    def from_image(cls, image: Image.Image) -> "Sprite":
        """Convert an RGBA image; odd sides are padded with transparency."""
        rgba = np.asarray(image.convert("RGBA"), dtype=np.float32)
        rgba = np.pad(rgba, ((0, rgba.shape[0] % 2), (0, rgba.shape[1] % 2), (0, 0)))
        alpha = rgba[..., 3] / np.float32(255)
        luma = _luma(rgba)
        # Colour is averaged by weight, or the black behind transparent pixels would bleed into the rim.
        weight = _halve(alpha)
        safe = np.maximum(weight, np.float32(1e-3))
        chroma_blue = _halve((rgba[..., 2] - luma) * alpha) / safe * np.float32(224 / 255 / 1.8556)
        chroma_red = _halve((rgba[..., 0] - luma) * alpha) / safe * np.float32(224 / 255 / 1.5748)
        return cls(
            y=np.asarray(luma * np.float32(219 / 255) + 16.5, dtype=np.uint16),
            u=np.asarray(np.clip(chroma_blue + 128.5, 0, 255), dtype=np.uint16),
            v=np.asarray(np.clip(chroma_red + 128.5, 0, 255), dtype=np.uint16),
            alpha=np.asarray(alpha * 256 + 0.5, dtype=np.uint16),
            alpha_half=np.asarray(weight * 256 + 0.5, dtype=np.uint16),
        )

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.y.shape[1], self.y.shape[0]


def _mix(target: Bytes2D, source: NDArray[np.uint16], weight: NDArray[np.uint16]) -> None:
    target[...] = (source * weight + target * (256 - weight)) >> 8


class Picture:
    """One frame: `data` has shape (height * 3 / 2, width), the layout of `av.VideoFrame.from_numpy_buffer`."""

    __slots__ = ("data", "height", "u", "v", "width", "y")

    def __init__(self, data: Bytes2D) -> None:
        self.data = data
        rows, self.width = data.shape
        self.height = rows * 2 // 3
        quarter = self.height // 4
        self.y = data[: self.height]
        self.u = data[self.height : self.height + quarter].reshape(self.height // 2, self.width // 2)
        self.v = data[self.height + quarter :].reshape(self.height // 2, self.width // 2)

    @classmethod
    def from_image(cls, image: Image.Image) -> "Picture":
        """Convert an RGB image whose sides are divisible by 4."""
        rgb = np.asarray(image.convert("RGB"), dtype=np.float32)
        height, width = rgb.shape[:2]
        picture = cls(np.empty((height * 3 // 2, width), dtype=np.uint8))
        luma = _luma(rgb)
        picture.y[...] = _to_bytes(luma * np.float32(219 / 255) + 16)
        picture.u[...] = _to_bytes(_halve(rgb[..., 2] - luma) * np.float32(224 / 255 / 1.8556) + 128)
        picture.v[...] = _to_bytes(_halve(rgb[..., 0] - luma) * np.float32(224 / 255 / 1.5748) + 128)
        return picture

    def copy(self) -> "Picture":
        return Picture(self.data.copy())

    def restore(self, other: "Picture") -> None:
        """Become equal to `other`, which has the same size."""
        np.copyto(self.data, other.data)

    def paste(self, sprite: Sprite, left: int, top: int) -> None:
        """Blend a sprite in at an even position (odd ones are rounded down); what lies outside is cut off."""
        left, top = left & ~1, top & ~1
        width, height = sprite.size
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + width, self.width), min(top + height, self.height)
        if x0 >= x1 or y0 >= y1:
            return
        rows, columns = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
        _mix(self.y[y0:y1, x0:x1], sprite.y[rows, columns], sprite.alpha[rows, columns])
        rows, columns = slice((y0 - top) // 2, (y1 - top) // 2), slice((x0 - left) // 2, (x1 - left) // 2)
        half = (slice(y0 // 2, y1 // 2), slice(x0 // 2, x1 // 2))
        weight = sprite.alpha_half[rows, columns]
        _mix(self.u[half], sprite.u[rows, columns], weight)
        _mix(self.v[half], sprite.v[rows, columns], weight)
