"""Known colours: from points, from a picture of hints, from a reference photograph.

Known colours are float32 (h, w, 3) at the size at which the network sees a photograph, that of
`Colorizer.shrink`: Lab a and b over 110, and a mask, 1 where the colour is known and 0 elsewhere.
Hints are uint8 (H, W, 4), RGB and alpha, of any size and of the upright photograph's shape.
"""

import dataclasses

from colorizer import chroma, photos
from colorizer.photos import PhotographError

import cv2
import numpy as np

# Lab's a and b are given to networks in this unit.
SCALE = 110

# How far the height of hints may lie from what their width and the photograph's shape say, as a
# share of it; and one pixel more.
SHAPE_TOLERANCE = 0.01

# The cosine from which two places look alike, and the share of its places in which a photograph has
# to look like a reference, because some look alike by chance in any two. Of 100 photographs, two
# views of the same share 22% of their places (median; the least 14%), and those of two that have
# nothing in common 0.5% (19 of 20 pairs below 2.6%).
LEAST_LIKENESS = 0.65
LEAST_SHARE = 0.03

# Black has no chroma at all; but whoever points at a dark fold of a blue coat means the coat.
DARK = 96


# Lab a and b that things up to these gray levels usually have, the commonest first.
# Source: python experiments/likely_colours.py, on the photographs of 100 classes of ImageNet.
LIKELY = {
    64: ((7, 13), (-16, 18), (4, -15), (27, 19), (22, -41), (48, 34), (48, -73)),
    112: ((-6, 12), (15, 33), (-1, -22), (-29, 36), (33, 4), (52, 43), (29, -61)),
    152: ((0, 17), (-11, -15), (12, 44), (-31, 41), (32, 0), (13, -47), (44, 46)),
    192: ((-4, 20), (-1, -21), (20, 19), (15, 56), (-29, 49), (-27, -3), (36, -19)),
    255: ((3, 17), (-3, -17), (-20, 29), (4, 47), (17, -4), (-22, -2), (-20, 66)),
}
# The chroma at the top of a palette, more than any colour has.
MOST_CHROMA = 110


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


@dataclasses.dataclass(frozen=True)
class Reference:
    """What a photograph in colour says: features, float32 (N, C), of its places, of length 1, and
    their chroma in Lab's units, float32 (N, 2)."""

    features: np.ndarray
    chroma: np.ndarray


def none(height, width) -> np.ndarray:
    """Return known colours (height, width, 3) of which none is known."""
    return np.zeros((height, width, 3), np.float32)


def first_of(*several) -> np.ndarray:
    """Put known colours of one size together: what an earlier one knows counts."""
    merged = several[0]
    for known in several[1:]:
        merged = np.where(merged[..., 2:] > 0, merged, known)
    return merged


def at_half_size(known) -> np.ndarray:
    """Halve known colours (H, W, 3), H and W even, as networks take them: (H / 2, W / 2, 3).

    The mask is the highest of four pixels, the colour the mean of those that are known.
    """
    height, width = known.shape[0] // 2, known.shape[1] // 2
    four = known.reshape(height, 2, width, 2, 3)
    mask = four[..., 2:]
    colour = (four[..., :2] * mask).sum(axis=(1, 3)) / np.maximum(mask.sum(axis=(1, 3)), 1e-6)
    return np.concatenate([colour, mask.max(axis=(1, 3))], axis=-1)


def possible(known, small) -> np.ndarray:
    """Take chroma from known colours (h, w, 3) until the photograph's luminance can show them.

    `small` is the photograph at that size, uint8, gray (h, w, 1) or RGB (h, w, 3). Darker than
    DARK, they stay what DARK can show.
    """
    deep = np.maximum(small, DARK).astype(np.uint16) * 257  # 8 bits would round the chroma
    painted = chroma.add_chroma(deep, np.maximum(small, DARK), known[..., :2] * SCALE)
    mask = known[..., 2:]
    colour = chroma.chroma_of(painted.astype(np.float32) / 65535) / SCALE
    return np.concatenate([np.where(mask > 0, colour, 0), mask], axis=-1, dtype=np.float32)


# ----------------------------------------------------------------------------- points and hints


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


# ----------------------------------------------------------------------------- to choose from


def shades(level, colours) -> np.ndarray:
    """Show chroma (h, w, 2) in Lab's units at the luminance of a gray level: uint8 RGB (h, w, 3).

    A colour that cannot be there loses chroma until it can; in the dark, DARK is shown.
    """
    gray = np.full((*colours.shape[:2], 1), max(level, DARK), np.uint8)
    return chroma.add_chroma(gray, gray, np.asarray(colours, np.float32))


def likely(level) -> list[tuple]:
    """Return the usual colours of what has a gray level, 0 to 255: sRGB, the commonest first."""
    (colours,) = [each for highest, each in LIKELY.items() if level <= highest][:1]
    return [tuple(map(int, colour)) for colour in shades(level, np.array([colours]))[0]]


def palette(level, height, width) -> np.ndarray:
    """Show every colour that is possible at a gray level: uint8 RGB (height, width, 3).

    Hues from left to right, gray at the bottom and as much chroma as there can be at the top.
    """
    hues = np.linspace(0, 2 * np.pi, width, endpoint=False)
    amounts = np.linspace(MOST_CHROMA, 0, height)[:, np.newaxis, np.newaxis]
    return shades(level, amounts * np.stack([np.cos(hues), np.sin(hues)], axis=-1))


# ----------------------------------------------------------------------------- a reference


def reference_of(features, small, stride) -> Reference:
    """Learn from a photograph in colour.

    `features` (rows, columns, C) are those of squares of `stride` pixels of `small`, the photograph
    as the network sees it, uint8 RGB (h, w, 3); the last squares may reach over its edge. The
    chroma of a place is the mean in its square.
    """
    height, width = small.shape[:2]
    squares = _square_of_pixels(height, width, stride, features.shape[1])
    colours = chroma.chroma_of(photos.to_unit(small)).reshape(-1, 2)
    count = np.bincount(squares)
    mean = [np.bincount(squares, colours[:, channel]) / count for channel in (0, 1)]
    return Reference(_unit_length(features), np.stack(mean, axis=-1).astype(np.float32))


def from_reference(reference, features, small, stride) -> np.ndarray:
    """Return the known colours (h, w, 3) of a photograph where it looks like a reference.

    `features` and `small` are as `reference_of` takes them. A square takes the colour of the
    reference's place that looks most like it, where that looks most like this square too and both
    look alike enough; others stay unknown, and all where there are too few. The mean of the mask is
    the share that found a match.

    Source: mutual nearest neighbours, as they are used to match images; colour by matching places
    of a reference, Welsh et al. 2002 and He et al. 2018.
    """
    height, width = small.shape[:2]
    own = _unit_length(features)
    likeness = own @ reference.features.T
    best = likeness.argmax(axis=1)
    mutual = likeness.argmax(axis=0)[best] == np.arange(len(own))
    matched = mutual & (likeness.max(axis=1) >= LEAST_LIKENESS)
    if matched.mean() < LEAST_SHARE:
        return none(height, width)
    colours = np.column_stack([reference.chroma[best] / SCALE, np.ones(len(own))])
    colours[~matched] = 0
    squares = _square_of_pixels(height, width, stride, features.shape[1])
    return possible(colours[squares].reshape(height, width, 3).astype(np.float32), small)


def _square_of_pixels(height, width, stride, columns) -> np.ndarray:
    """Return for each pixel of a picture which square of `stride` pixels it is in, int64 (h w,)."""
    rows = np.arange(height) // stride
    return (rows[:, np.newaxis] * columns + np.arange(width) // stride).ravel()


def _unit_length(features) -> np.ndarray:
    """Bring features (rows, columns, C) to length 1 and into a row: float32 (rows columns, C)."""
    rows = features.reshape(-1, features.shape[-1])
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
