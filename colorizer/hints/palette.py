"""Colours to choose from: what is possible, and what is usual, at a luminance."""

from colorizer import chroma
from colorizer.hints.known import DARK

import numpy as np

# Lab a and b that things up to these gray levels usually have, the commonest first.
# Source: python experiments/measures/likely_colours.py, on photographs of 100 classes of ImageNet.
LIKELY = {
    64: ((7, 13), (-16, 18), (4, -15), (27, 19), (22, -41), (48, 34), (48, -73)),
    112: ((-6, 12), (15, 33), (-1, -22), (-29, 36), (33, 4), (52, 43), (29, -61)),
    152: ((0, 17), (-11, -15), (12, 44), (-31, 41), (32, 0), (13, -47), (44, 46)),
    192: ((-4, 20), (-1, -21), (20, 19), (15, 56), (-29, 49), (-27, -3), (36, -19)),
    255: ((3, 17), (-3, -17), (-20, 29), (4, 47), (17, -4), (-22, -2), (-20, 66)),
}


# The chroma at the top of a palette, more than any colour has.
MOST_CHROMA = 110


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
