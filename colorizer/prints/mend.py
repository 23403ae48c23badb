"""Marks of broken prints, found by a network and filled from what lies around them; no Keras.

A mask says of each pixel whether a mark covers it, bool (H, W). A person's mask is a picture of the
photograph's size beside it, NAME.mask.png: white is mended, black is left as it is, and where it is
transparent the network decides.
"""

import functools
import os
from pathlib import Path

from colorizer.colorizer import WEIGHTS
from colorizer.network import open_onnx
from colorizer.pixels import high_bits
from colorizer.prints.tiles import Grid, in_tiles

import cv2
import numpy as np

SUFFIX = ".mask.png"
FINDER = WEIGHTS / "find_marks.onnx"

# The network's grid: sides are multiples of 16, and what is 112 pixels away decides nothing.
GRID = Grid(tile=800, seen=112, multiple=16)

# A mark is where the network is this sure, of 255, and all that hangs together with it and is
# likely; and so many pixels around, where its edge is faint.
SURE, LIKELY = 246, 200
GROWN = 1
# What is larger is looked at in half its size as well, in which wide marks are narrower.
HALVED_ABOVE = 1500
# How far marks are filled from, in pixels.
REACH = 3


@functools.lru_cache
def finder(device="auto"):
    """Return the network that finds marks, loaded once; `device` is as for Colorizer."""
    return open_onnx(FINDER, device)


def likely(gray, device="auto") -> np.ndarray:
    """Return how likely a mark covers each pixel of a gray image (H, W, 1): uint8 (H, W)."""
    gray = high_bits(gray)
    found = in_tiles(finder(device), gray, GRID)[..., 0]
    height, width = found.shape
    if max(height, width) > HALVED_ABOVE:
        half = cv2.resize(gray, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        wide = in_tiles(finder(device), half[..., None], GRID)[..., 0]
        cv2.max(found, cv2.resize(wide, (width, height)), found)
    return found


def find(gray, device="auto") -> np.ndarray:
    """Find the marks on a gray image (H, W, 1), uint8 or uint16: bool (H, W).

    `device`, on which the network runs, is as for Colorizer.
    """
    found = likely(gray, device)
    count, parts = cv2.connectedComponents((found >= LIKELY).astype(np.uint8))
    sure = np.zeros(count, bool)
    sure[parts[found >= SURE]] = True
    sure[0] = False
    marked = sure[parts].astype(np.uint8)
    return cv2.dilate(marked, None, iterations=GROWN).astype(bool)


def fill(gray, mask) -> np.ndarray:
    """Continue what lies around a mask into it: (H, W, 1) of the image's dtype.

    Source: Bertalmio, Bertozzi & Sapiro 2001 (Navier-Stokes), by OpenCV.
    """
    if not mask.any():
        return gray
    return cv2.inpaint(gray, mask.astype(np.uint8), REACH, cv2.INPAINT_NS)[..., None]


# ------------------------------------------------------------------------------ a person's mask


def beside(path) -> Path | None:
    """Return the mask beside a photograph, or None where there is none."""
    mask = path.with_name(path.stem + SUFFIX)
    return mask if os.path.isfile(mask) else None


def is_mask(path) -> bool:
    """Tell whether a file is a mask by its name."""
    return path.name.lower().endswith(SUFFIX)


def as_painted(found, painted) -> np.ndarray:
    """Let a person's mask, uint8 (H, W, 2) of brightness and opacity, overrule what was found."""
    said = painted[..., 1] >= 128
    return np.where(said, painted[..., 0] >= 128, found)
