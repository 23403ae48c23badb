"""Pictures of any size through a network, tile by tile, a tile on each core."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from colorizer.pixels import padded

import numpy as np


class Grid(NamedTuple):
    """How a network is given a large picture, in pixels.

    So large is a `tile`, and so much around it is `seen` as well: what lies further away decides
    nothing, so tiles leave no seams. Sides are given as multiples of `multiple`, of which `tile`
    and `seen` are multiples; smaller pictures are continued in their mirror image, `shortest` at
    least.
    """

    tile: int
    seen: int
    multiple: int
    shortest: int = 16


def in_tiles(session, gray, grid, times=1) -> np.ndarray:
    """Run a network over a gray image (H, W, 1): (times H, times W, 1) of its dtype.

    It maps luminance (1, h, w, 1) in [0, 1] to (1, times h, times w, 1), which is clipped.
    """
    height, width, _ = gray.shape
    white = np.iinfo(gray.dtype).max
    result = np.empty((times * height, times * width, 1), gray.dtype)
    name = session.get_inputs()[0].name
    tile = grid.tile

    def fill(corner):
        rows, columns = (
            slice(max(0, start - grid.seen), min(side, start + tile + grid.seen))
            for start, side in zip(corner, (height, width), strict=True)
        )
        part = gray[rows, columns].astype(np.float32) / white
        part = padded(part, grid.multiple, grid.shortest)
        larger = session.run(None, {name: part[np.newaxis]})[0][0]
        top, left = corner
        target = result[times * top : times * (top + tile), times * left : times * (left + tile)]
        begin = times * (top - rows.start), times * (left - columns.start)
        larger = larger[begin[0] :, begin[1] :][: target.shape[0], : target.shape[1]]
        np.copyto(target, np.rint(np.clip(larger, 0, 1) * white), casting="unsafe")

    corners = [(top, left) for top in range(0, height, tile) for left in range(0, width, tile)]
    with ThreadPoolExecutor(min(len(corners), os.cpu_count() or 1)) as workers:
        for _ in workers.map(fill, corners):
            pass  # raises what went wrong
    return result
