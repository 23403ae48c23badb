"""Hints: points of colour, and the pictures in which they are drawn and saved.

Hints are uint8 (H, W, 4), RGB and alpha, of any size and of the upright photograph's shape.
"""

import dataclasses
import os
from pathlib import Path

from colorizer import chroma
from colorizer.files import photos
from colorizer.files.photos import PhotographError
from colorizer.hints.known import SCALE, possible

import cv2
import numpy as np

# How far the height of hints may lie from what their width and the photograph's shape say, as a
# share of it; and one pixel more.
SHAPE_TOLERANCE = 0.01

# NAME.hints.png says what colours places of the photograph NAME have.
SUFFIX = ".hints.png"


@dataclasses.dataclass(frozen=True)
class Point:
    """A place of a photograph and its colour.

    `x` and `y` are shares of the width and height, 0 to 1, from the upper left corner; `colour` is
    sRGB, three whole numbers of 0 to 255; `radius` a share of the longer side.
    """

    x: float
    y: float
    colour: tuple
    radius: float


def draw(points, height, width) -> np.ndarray:
    """Draw points as hints (height, width, 4): opaque discs on transparent; later ones lie above.

    A disc covers a pixel at least.
    """
    hints = np.zeros((height, width, 4), np.uint8)
    for point in points:
        centre = min(int(point.x * width), width - 1), min(int(point.y * height), height - 1)
        radius = round(point.radius * max(height, width))
        cv2.circle(hints, centre, radius, (*map(int, point.colour), 255), cv2.FILLED)
    return hints


def read_hints(path) -> np.ndarray:
    """Read a file of hints: uint8 (H, W, 4).

    Raises PhotographError where it is no picture, or no hint or nothing else is in it.
    """
    with photos.opened(path) as image:
        photograph = photos.load(image)
    pixels = photos.high_bits(photograph.pixels)
    if (
        photograph.alpha is None
        or photograph.alpha.min() > np.iinfo(photograph.alpha.dtype).max // 2
    ):
        raise PhotographError(
            "it is opaque everywhere; paint the colours on a transparent layer over the photograph "
            "and save that layer alone"
        )
    if not photograph.alpha.any():
        raise PhotographError(
            "it is empty; paint the colours where they belong, or take the file away"
        )
    alpha = photos.high_bits(photograph.alpha)
    return np.dstack([np.broadcast_to(pixels, (*alpha.shape, 3)), alpha])


def check_shape(hints_size, size) -> None:
    """Raise PhotographError unless hints (height, width) have the shape of a photograph's size."""
    height, width = size
    expected = hints_size[1] * height / width
    if abs(hints_size[0] - expected) > 1 + SHAPE_TOLERANCE * expected:
        raise PhotographError(
            f"it has {hints_size[1]} x {hints_size[0]} pixels, another shape than the upright "
            f"photograph's {width} x {height}; paint over the whole of the upright photograph"
        )


def from_hints(hints, small) -> np.ndarray:
    """Return the known colours (h, w, 3) that hints say.

    `small` is the photograph at the network's size, uint8 (h, w, 1) or (h, w, 3). A pixel of it has
    the mean colour of the hints in it. Thin strokes count; of the rim of wide ones, which covers
    pixels in part, half.
    """
    height, width = small.shape[:2]
    alpha = hints[..., 3]
    # A brush may be soft, or all of it translucent.
    rows, columns = np.nonzero(alpha >= max(1, alpha.max() / 2))
    colours = chroma.chroma_of(hints[rows, columns, :3] / np.float32(255)) / SCALE
    places = rows * height // hints.shape[0] * width + columns * width // hints.shape[1]

    def total(weights):
        sums = np.bincount(places, weights, height * width)
        return sums.reshape(height, width).astype(np.float32)

    count = total(None)
    mask = (count > 0) & (count >= cv2.dilate(count, np.ones((3, 3), np.uint8)) / 2)
    mean = [total(colours[:, channel]) / np.maximum(count, 1) for channel in (0, 1)]
    known = np.stack([*mean, np.ones_like(count)], axis=-1) * mask[..., np.newaxis]
    return possible(known.astype(np.float32), small)


def is_hints(path) -> bool:
    """Tell by its name whether a file holds hints, and so is no photograph."""
    return path.name.lower().endswith(SUFFIX)


def beside(path) -> Path | None:
    """Return the file of hints beside a photograph, or None where there is none."""
    hints = path.with_name(path.stem + SUFFIX)
    return hints if os.path.isfile(hints) else None
