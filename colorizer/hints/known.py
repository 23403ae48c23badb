"""Known colours: from points, from a picture of hints, from a reference photograph.

Known colours are float32 (h, w, 3) at the size at which the network sees a photograph, that of
`Colorizer.shrink`: Lab a and b over 110, and a mask, 1 where the colour is known and 0 elsewhere.
Hints are uint8 (H, W, 4), RGB and alpha, of any size and of the upright photograph's shape.
"""

from colorizer import chroma
from colorizer.chroma import CHROMA_SCALE as SCALE

import numpy as np

# Black has no chroma at all; but whoever points at a dark fold of a blue coat means the coat.
DARK = 96


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


# ----------------------------------------------------------------------------- to choose from


# ----------------------------------------------------------------------------- a reference
