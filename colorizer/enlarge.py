"""Photographs larger and cleaner: luminance from a network, colours along it; no Keras."""

import functools
import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from colorizer import chroma
from colorizer.colorizer import WEIGHTS, check_image
from colorizer.errors import UserError
from colorizer.network import open_onnx
from colorizer.pixels import resize

import numpy as np

# The networks that each scale is made of, one after the other: the first takes the damage away, so
# that a second one enlarges what is clean.
PASSES = {
    1: ("restore.onnx",),
    2: ("enlarge_photo.onnx",),
    4: ("enlarge_photo.onnx", "enlarge_clean.onnx"),
}

# The networks compute on a grid: of the small picture's pixels, or of every second one where they
# do not enlarge. So many of its places make a tile, small enough for the memory, and so many around
# it are seen as well: what lies further away decides nothing, so tiles leave no seams.
TILE = 400
SEEN = 36
SHORTEST = 8  # pixels a side; smaller pictures are continued in their mirror image

# Rows of colour that are worked on at a time, and those around them that decide about colour.
BAND = 256
BAND_SEEN = 4


@functools.lru_cache
def enlarger_of(scale):
    """Return the Enlarger of a scale, 1, 2 or 4, loaded once; None of 0, which changes nothing."""
    return Enlarger(scale) if scale else None


class Enlarger:
    """Makes photographs larger and cleaner; safe to use from several threads.

    An image is uint8 or uint16, gray (H, W, 1) or RGB (H, W, 3), in sRGB. Other arrays raise
    ValueError.
    """

    def __init__(self, scale, files=None, device="auto"):
        """Load the networks that enlarge `scale` times, 2 or 4, or that restore, 1.

        `files` are others than those that ship, .onnx files that `train.py --system enlarge` wrote,
        one after the other; `device` is as for Colorizer. Raises ValueError for other scales,
        UserError where a file is missing, or they do not enlarge as many times.
        """
        if scale not in PASSES:
            raise ValueError(f"a scale is one of {', '.join(map(str, PASSES))}, not {scale}")
        self.scale = scale
        self.paths = [Path(file) for file in files or (WEIGHTS / name for name in PASSES[scale])]
        self.files, self.device = files, device
        self._passes = [_opened(path, device) for path in self.paths]
        if math.prod(times for _, times in self._passes) != scale:
            raise UserError(
                f"{', '.join(path.name for path in self.paths)} do not enlarge {scale} times; give "
                "files that do"
            )

    def __reduce__(self):
        """In another process: the same networks, loaded there."""
        return type(self), (self.scale, self.files, self.device)

    def luminance(self, gray) -> np.ndarray:
        """Restore and enlarge a gray image (H, W, 1): (scale H, scale W, 1) of its dtype."""
        check_image(gray)
        if gray.shape[2] != 1:
            raise ValueError(f"a gray image is (height, width, 1), not {gray.shape}")
        for session, times in self._passes:
            gray = _in_tiles(session, gray, times)
        return gray

    def enlarge(self, image) -> np.ndarray:
        """Restore and enlarge an image and keep its colours: (scale H, scale W, C) of its dtype.

        Colours are brought to the new size along its luminance.
        """
        check_image(image)
        if image.shape[2] == 1:
            return self.luminance(image)
        larger = self.luminance(chroma.gray_of(image))
        painted = np.empty((*larger.shape[:2], 3), image.dtype)
        for top in range(0, len(image), BAND):
            first, last = max(0, top - BAND_SEEN), min(len(image), top + BAND + BAND_SEEN)
            small = image[first:last]
            unit = small / np.float32(np.iinfo(image.dtype).max)
            band = larger[self.scale * first : self.scale * last]
            coloured = chroma.add_chroma(band, small, chroma.chroma_of(unit))
            begin = self.scale * (top - first)
            rows = painted[self.scale * top : self.scale * (top + BAND)]
            rows[:] = coloured[begin : begin + len(rows)]
        return painted

    def alpha(self, alpha) -> np.ndarray:
        """Enlarge the alpha (H, W) of an image by cubic interpolation: its dtype."""
        height, width = alpha.shape
        return resize(alpha[..., None], self.scale * height, self.scale * width)[..., 0]


def _opened(path, device):
    """Open a network that enlarges luminance; also return how many times, 1 or 2.

    Raises UserError where it is none.
    """
    session = open_onnx(path, device)
    trial = np.full((1, SHORTEST, SHORTEST + 4, 1), 0.5, np.float32)
    try:
        (larger,) = session.run(None, {session.get_inputs()[0].name: trial})
    except Exception as error:
        raise UserError(f"{path} fails on a small gray picture ({error})") from error
    times = larger.shape[1] // SHORTEST
    if times not in (1, 2) or larger.shape != (1, times * SHORTEST, times * (SHORTEST + 4), 1):
        raise UserError(
            f"{path} maps {trial.shape} to {larger.shape}, which neither restores nor doubles "
            "luminance; give a file that train.py --system enlarge wrote"
        )
    return session, times


def _in_tiles(session, gray, times) -> np.ndarray:
    """Run a network over a gray image, tile by tile, a tile on each core."""
    height, width, _ = gray.shape
    step = 1 if times == 2 else 2  # pixels of a place of the network's grid
    white = np.iinfo(gray.dtype).max
    result = np.empty((times * height, times * width, 1), gray.dtype)
    name = session.get_inputs()[0].name

    def fill(corner):
        rows, columns = (
            _seen(start, side, step) for start, side in zip(corner, (height, width), strict=True)
        )
        tile = gray[rows, columns].astype(np.float32) / white
        wanted = (max(SHORTEST, side + -side % (2 * step)) for side in tile.shape[:2])
        grown = [(0, new - side) for new, side in zip(wanted, tile.shape[:2], strict=True)]
        tile = np.pad(tile, [*grown, (0, 0)], mode="symmetric")
        larger = session.run(None, {name: tile[np.newaxis]})[0][0]
        top, left = corner
        target = result[
            times * top : times * (top + step * TILE), times * left : times * (left + step * TILE)
        ]
        begin = times * (top - rows.start), times * (left - columns.start)
        larger = larger[begin[0] :, begin[1] :][: target.shape[0], : target.shape[1]]
        np.copyto(target, np.rint(np.clip(larger, 0, 1) * white), casting="unsafe")

    corners = [
        (top, left)
        for top in range(0, height, step * TILE)
        for left in range(0, width, step * TILE)
    ]
    with ThreadPoolExecutor(min(len(corners), os.cpu_count() or 1)) as workers:
        for _ in workers.map(fill, corners):
            pass  # raises what went wrong
    return result


def _seen(start, side, step) -> slice:
    """Return the rows or columns that a tile sees which begins at `start`, of `side` in all."""
    return slice(max(0, start - step * SEEN), min(side, start + step * (TILE + SEEN)))
