"""How far a known colour goes: to where edges begin, and beyond them only what is no surprise.

The network spreads what is known by likeness and distance and sees no edge between. What it changes
counts here by the way from the nearest known place: by the edges of luminance and of the chroma
that is painted alone that have to be crossed.
"""

from colorizer import chroma
from colorizer.hints.known import SCALE

import cv2
import numpy as np

# All at half the size at which the network sees a photograph, as it takes known colours.
# The radius over which luminance and chroma are smoothed, in pixels: texture is no edge.
SMOOTHING = 1.25
# A way ends where the squared differences of Lab along it add up to this, and how suddenly.
FARTHEST, SHARPNESS = 120, 8
# In films it ends sooner: a hint lasts for a scene, and there are mostly more on a thing. Of the
# way to five dots, 10 objects go 84, 84, 81 and 75% with 120, 60, 40 and 25, what is behind their
# edges 33, 20, 12 and 7%; skin changes by 13.9, 2.0, 0.6 and 0.6 of Lab. With a single point, 20
# regions of photographs go 70, 57 and 48% with 120, 60 and 40.
FARTHEST_IN_FILMS = 40
# What a way that adds up to no more leads to is the same thing: no edge lies between.
SAME = 30
# What differs from the automatic chroma by less than this goes all the way of the network:
# light and toning are shared by much of a photograph, the colour of a dress is its own.
SURPRISE = 20
# Sweeps over the picture, each to all four sides: a way may turn so often.
SWEEPS = 3


def edges_to(seeds, lab) -> np.ndarray:
    """Return the squared differences of Lab along the easiest way to any seed, float32 (h, w).

    `seeds` is bool (h, w), `lab` float32 (h, w, 3); ways go from pixel to neighbour, up to so many
    turns as there are sweeps. Source: geodesic distance, as Yatziv and Sapiro 2006 colorize by it;
    squares, so that many small steps, as shading makes them, cost less than an edge.
    """
    far = np.where(seeds, 0, np.inf).astype(np.float32)
    for _ in range(SWEEPS):
        for axis in (0, 1):
            step = (np.diff(lab, axis=axis) ** 2).sum(axis=-1)
            way = np.insert(np.cumsum(step, axis=axis), 0, 0, axis=axis)
            # From any pixel before this one, and from any behind it.
            ahead = np.minimum.accumulate(far - way, axis=axis) + way
            back = np.flip(np.minimum.accumulate(np.flip(far + way, axis), axis=axis), axis) - way
            far = np.minimum(ahead, back)
    return np.maximum(far, 0)


def surprise(known, automatic) -> np.ndarray:
    """Return how far the nearest known colour is from the chroma painted alone: Lab, (h, w)."""
    mask = known[..., 2] > 0
    _, nearest = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    amiss = np.zeros(nearest.max() + 1, np.float32)
    amiss[nearest[mask]] = np.linalg.norm(known[mask][:, :2] * SCALE - automatic[mask], axis=-1)
    return amiss[nearest]


def confined(told, automatic, known, gray, farthest=FARTHEST) -> np.ndarray:
    """Return chroma (h, w, 2) that is told, where known colours reach, and automatic elsewhere.

    `told` is predicted with the known colours (h, w, 3), `automatic` without; `gray` is what the
    network saw, float32 (h, w, 1) in [0, 1]; a way of `farthest` ends, of edges as FARTHEST has.
    """
    if not known[..., 2].any():
        return told
    height, width = told.shape[:2]
    edges = _edges(known, automatic, gray)
    within = 1 / (1 + (edges / farthest) ** SHARPNESS)
    within = cv2.resize(within, (width, height))
    common = np.exp(-((surprise(known, automatic) / SURPRISE) ** 2))
    share = within + (1 - within) * common
    return automatic + share[..., np.newaxis] * (told - automatic)


def same_things(known, automatic, gray) -> np.ndarray:
    """Return where things go on on which colours are known, bool (h, w), as `confined` takes them.

    A later hint says anew what colour the whole of its thing has.
    """
    height, width = automatic.shape[:2]
    same = _edges(known, automatic, gray) <= SAME
    return cv2.resize(np.uint8(same), (width, height), interpolation=cv2.INTER_NEAREST) > 0


def _edges(known, automatic, gray) -> np.ndarray:
    """Return `edges_to` what is known, at half the size."""
    height, width = automatic.shape[:2]
    half = -(-width // 2), -(-height // 2)
    lightness = 116 * chroma.lab_root(chroma.linear_from_srgb(gray)) - 16
    lab = np.dstack([lightness, automatic]).astype(np.float32)
    lab = cv2.GaussianBlur(cv2.resize(lab, half, interpolation=cv2.INTER_AREA), (0, 0), SMOOTHING)
    seeds = cv2.resize(known[..., 2], half, interpolation=cv2.INTER_AREA) > 0
    return edges_to(seeds, lab)
