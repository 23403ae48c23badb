"""Known colours as siggraph17 is judged with them, and what they bring.

Source of the protocol: Zhang et al. 2017, in their published code: pictures squashed to 256x256;
each point a patch of 6x6 pixels with its true mean chroma, at a normal place around the middle;
PSNR of each picture in RGB, 0 to 255, then the mean over pictures.
"""

from colorizer import chroma
from colorizer.hints import geodesic
from colorizer.hints.known import SCALE
from colorizer.pixels import grayscale, to_uint8, to_unit
from pictures import metrics

import numpy as np

SIDE = 256
PATCH = 6
BATCH_SIZE = 8


def draw_corners(random, points) -> np.ndarray:
    """Draw the upper left corners of so many patches, even numbers of pixels, int64 (points, 2).

    Even, because the network takes known colours at half the picture's size.
    """
    middle = (SIDE - PATCH) / 2
    corners = np.clip(random.normal(middle, SIDE / 4, (points, 2)), 0, SIDE - PATCH)
    return corners.astype(np.int64) // 2 * 2


def known_colours(chroma_of_truth, corners) -> np.ndarray:
    """Return the network's second input, float32 (SIDE / 2, SIDE / 2, 3), from true chroma.

    `chroma_of_truth` is Lab's a and b, (SIDE, SIDE, 2); each patch has its own mean.
    """
    known = np.zeros((SIDE // 2, SIDE // 2, 3), np.float32)
    for top, left in corners:
        mean = chroma_of_truth[top : top + PATCH, left : left + PATCH].mean(axis=(0, 1))
        place = slice(top // 2, (top + PATCH) // 2), slice(left // 2, (left + PATCH) // 2)
        known[place] = *(mean / SCALE), 1
    return known


def within_reach(network, gray, known, painted):
    """Paint pictures as Colorizer does: what known colours change stays within their reach.

    `painted` is what the network makes of `gray` and `known`; returns RGB of the same shape.
    """
    automatic = network(gray)
    pictures = []
    for picture, alone, told, each in zip(gray, automatic, painted, known, strict=True):
        told, alone = chroma.chroma_of(told), chroma.chroma_of(alone)
        colours = geodesic.confined(told, alone, each.repeat(2, axis=0).repeat(2, axis=1), picture)
        pixels = to_uint8(picture)
        pictures.append(to_unit(chroma.add_chroma(pixels, pixels, colours)))
    return np.stack(pictures)


def psnr_of(network, pictures, points, seed, confined=False) -> float:
    """Return the mean PSNR in dB of uint8 pictures (N, SIDE, SIDE, 3) with so many points each.

    With `confined`, points change what is within their reach, as in Colorizer.
    """
    values = []
    for first in range(0, len(pictures), BATCH_SIZE):
        truths = pictures[first : first + BATCH_SIZE]
        known = []
        for number, truth in enumerate(truths, start=first):
            corners = draw_corners(np.random.default_rng([seed, points, number]), points)
            known.append(known_colours(chroma.chroma_of(to_unit(truth)), corners))
        gray, known = to_unit(grayscale(truths)), np.stack(known)
        painted = network(gray, known)
        if confined and points:
            painted = within_reach(network, gray, known, painted)
        for truth, picture in zip(truths, to_uint8(painted), strict=True):
            values.append(metrics.psnr(metrics.mean_squared_error(truth, picture)))
    return float(np.mean(values))
