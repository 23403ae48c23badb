"""Colours that a reference photograph gives to what looks like it."""

import dataclasses

from colorizer import chroma
from colorizer.hints.known import SCALE, none, possible
from colorizer.pixels import to_unit

import numpy as np

# How large a reference is looked at, as shares of the usual size: what it shows may be nearer or
# further away there.
SCALES = 5 / 7, 1, 10 / 7

# The cosine from which two places look alike, and the share of its places in which a photograph has
# to look like a reference, because some look alike by chance in any two. Of 102 pairs of a film's
# frame and a still that was chosen as its reference (those of Zhang et al. 2019) 50% have as much,
# and 44% at one size, from 0.03 on; of 341 pairs that have nothing in common 3.2% and 2.9%.
LEAST_LIKENESS = 0.65
LEAST_SHARE = 0.05

# The pixels a side in the middle of a place where its colour is known: from there the network
# spreads it to edges. Whole squares would be seen on plain walls.
DOT = 4


@dataclasses.dataclass(frozen=True)
class Exemplar:
    """What a photograph in colour says: features, float32 (N, C), of its places, of length 1, and
    their chroma in Lab's units, float32 (N, 2)."""

    features: np.ndarray
    chroma: np.ndarray


def reference_of(features, small, stride) -> Exemplar:
    """Learn from a photograph in colour.

    `features` (rows, columns, C) are those of squares of `stride` pixels of `small`, the photograph
    as the network sees it, uint8 RGB (h, w, 3); the last squares may reach over its edge. The
    chroma of a place is the mean in its square.
    """
    height, width = small.shape[:2]
    squares = _square_of_pixels(height, width, stride, features.shape[1])
    colours = chroma.chroma_of(to_unit(small)).reshape(-1, 2)
    count = np.bincount(squares)
    mean = [np.bincount(squares, colours[:, channel]) / count for channel in (0, 1)]
    return Exemplar(_unit_length(features), np.stack(mean, axis=-1).astype(np.float32))


def joined(exemplars) -> Exemplar:
    """Put together what several say, such as one photograph at several sizes."""
    return Exemplar(
        np.concatenate([each.features for each in exemplars]),
        np.concatenate([each.chroma for each in exemplars]),
    )


def from_reference(reference, features, small, stride) -> tuple:
    """Return the known colours (h, w, 3) of a photograph where it looks like a reference.

    `features` and `small` are as `reference_of` takes them. The middle of a square takes the colour
    of the reference's place that looks most like it, where that looks most like this square too and
    both look alike enough; others stay unknown, and all where there are too few. Also returns the
    share of the squares that found a match, 0 where there are too few.

    Source: mutual nearest neighbours, as they are used to match images; colour by matching places
    of a reference, Welsh et al. 2002 and He et al. 2018.
    """
    height, width = small.shape[:2]
    own = _unit_length(features)
    likeness = own @ reference.features.T
    best = likeness.argmax(axis=1)
    mutual = likeness.argmax(axis=0)[best] == np.arange(len(own))
    matched = mutual & (likeness.max(axis=1) >= LEAST_LIKENESS)
    share = float(matched.mean())
    if share < LEAST_SHARE:
        return none(height, width), 0.0
    colours = np.column_stack([reference.chroma[best] / SCALE, np.ones(len(own))])
    colours[~matched] = 0
    squares = _square_of_pixels(height, width, stride, features.shape[1])
    colours = colours[squares].reshape(height, width, 3).astype(np.float32)
    rows, columns = (
        np.abs(np.arange(side) % stride - (stride - 1) / 2) < DOT / 2 for side in (height, width)
    )
    colours[~(rows[:, np.newaxis] & columns)] = 0
    return possible(colours, small), share


def _square_of_pixels(height, width, stride, columns) -> np.ndarray:
    """Return for each pixel of a picture which square of `stride` pixels it is in, int64 (h w,)."""
    rows = np.arange(height) // stride
    return (rows[:, np.newaxis] * columns + np.arange(width) // stride).ravel()


def _unit_length(features) -> np.ndarray:
    """Bring features (rows, columns, C) to length 1 and into a row: float32 (rows columns, C)."""
    rows = features.reshape(-1, features.shape[-1])
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
