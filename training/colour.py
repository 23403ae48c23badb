"""Colour spaces as operations a network can contain, and chroma as a distribution over bins.

Colours are on the last axis: sRGB in [0, 1]; Lab with L in 0..100 and chroma (a, b) within
-108..99; YUV in [0, 1]. Every function of colours takes and returns float32 tensors of any backend,
or the symbolic ones of a model that is being built, and is differentiable everywhere.
"""

import functools

from colorizer import chroma as numpy_lab
from pictures.metrics import BIN_SIZE

import numpy as np
from keras import ops

# BT.601 with the full range, as in JPEG: rows give Y, U and V of (R, G, B).
RGB_TO_YUV = np.array(
    [
        [0.299, 0.587, 0.114],
        [-0.168736, -0.331264, 0.5],
        [0.5, -0.418688, -0.081312],
    ]
)
YUV_CENTRE = np.array([0, 0.5, 0.5], np.float32)  # gray has this U and V

# Zhang et al. 2016: chroma "on a grid of 10" (BIN_SIZE), soft labels on the "5
# nearest", sigma 5, T = 0.38.
FARTHEST_BIN = 11  # in steps of BIN_SIZE from gray; sRGB ends at -107.9 and 98.3
NEAREST_BINS = 5
SIGMA = 5
TEMPERATURE = 0.38
UNIFORM_SHARE = 0.5  # their lambda: how much of the uniform distribution is mixed into the prior


# ----------------------------------------------------------------------------- colour spaces


def linear_from_srgb(values):
    """Undo sRGB's gamma, [0, 1] to [0, 1]. Source: IEC 61966-2-1."""
    # A power is taken only where it is used: elsewhere its gradient could be infinite, and
    # `where` would turn that into NaN.
    bright = ops.power((ops.maximum(values, 0.04045) + 0.055) / 1.055, 2.4)
    return ops.where(values > 0.04045, bright, values / 12.92)


def srgb_from_linear(values):
    """Apply sRGB's gamma, [0, 1] to [0, 1]. Source: IEC 61966-2-1."""
    bright = 1.055 * ops.power(ops.maximum(values, 0.0031308), 1 / 2.4) - 0.055
    return ops.where(values > 0.0031308, bright, values * 12.92)


def lab_root(values):
    """Take Lab's cube root of X, Y or Z in [0, 1]: L = 116 root(Y) - 16. Source: CIE 15."""
    toe = float(numpy_lab.TOE)
    bright = ops.power(ops.maximum(values, toe**3), 1 / 3)
    return ops.where(values > toe**3, bright, values / (3 * toe**2) + 4 / 29)


def undo_lab_root(roots):
    """Return the X, Y or Z that has this `lab_root`."""
    toe = float(numpy_lab.TOE)
    return ops.where(roots > toe, ops.power(roots, 3), 3 * toe**2 * (roots - 4 / 29))


def lab_from_srgb(rgb):
    """Convert sRGB (..., 3) in [0, 1] to CIE Lab (..., 3), D65. Source: CIE 15."""
    xyz = ops.matmul(linear_from_srgb(rgb), numpy_lab.RGB_TO_XYZ.T.astype(np.float32))
    x, y, z = ops.split(lab_root(xyz), 3, axis=-1)
    return ops.concatenate([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def srgb_from_lab(lightness, chroma):
    """Convert L (..., 1) and chroma (..., 2) to sRGB (..., 3); what sRGB cannot show is clipped."""
    a, b = ops.split(chroma, 2, axis=-1)
    y = (lightness + 16) / 116
    xyz = undo_lab_root(ops.concatenate([y + a / 500, y, y - b / 200], axis=-1))
    linear = ops.matmul(xyz, numpy_lab.XYZ_TO_RGB.T)
    return srgb_from_linear(ops.clip(linear, 0, 1))


def lightness_from_gray(gray):
    """Return the Lab L (..., 1) of gray sRGB (..., 1) in [0, 1]."""
    return 116 * lab_root(linear_from_srgb(gray)) - 16


def yuv_from_srgb(rgb):
    """Convert sRGB (..., 3) in [0, 1] to YUV (..., 3) in [0, 1]. Source: ITU-R BT.601, JPEG."""
    return ops.matmul(rgb, RGB_TO_YUV.T.astype(np.float32)) + YUV_CENTRE


def srgb_from_yuv(yuv):
    """Convert YUV (..., 3) in [0, 1] to sRGB (..., 3); what sRGB cannot show is clipped."""
    inverse = np.linalg.inv(RGB_TO_YUV).T.astype(np.float32)
    return ops.clip(ops.matmul(yuv - YUV_CENTRE, inverse), 0, 1)


# ------------------------------------------------------------------------------- chroma bins


@functools.cache
def bins() -> np.ndarray:
    """Return the chroma (a, b) of every bin, float32 (261, 2), ordered by a, then b.

    The points of a grid of 10 that are the nearest one to some colour of sRGB.
    Zhang et al. 2016: 313 bins "in gamut", by a rule that is not given; their file has points up
    to 15 from any colour. Here: 261, computed, because further ones are never the nearest.
    """
    # Along L every colour ends on the surface of the RGB cube, which is enough to know its shadow.
    level = np.arange(256) / 255
    first, second = np.meshgrid(level, level, indexing="ij")
    faces = []
    for channel in range(3):
        for end in (0.0, 1.0):
            face = np.stack([first, second], axis=-1)
            faces.append(np.insert(face, channel, end, axis=-1))
    roots = numpy_lab.lab_root(numpy_lab.linear_from_srgb(np.stack(faces)) @ numpy_lab.RGB_TO_XYZ.T)
    x, y, z = np.moveaxis(roots, -1, 0)
    chroma = np.stack([500 * (x - y), 200 * (y - z)], axis=-1).reshape(-1, 2)
    cells = np.unique(np.rint(chroma / BIN_SIZE).astype(np.int64), axis=0)
    return (BIN_SIZE * cells).astype(np.float32)


@functools.cache
def bin_of_cell() -> np.ndarray:
    """Return the nearest bin of every cell of the grid, int32 (23 * 23,), rows by a."""
    cells = BIN_SIZE * np.arange(-FARTHEST_BIN, FARTHEST_BIN + 1)
    grid = np.stack(np.meshgrid(cells, cells, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    return ((grid - bins()) ** 2).sum(axis=-1).argmin(axis=-1).astype(np.int32)


def nearest_bin(chroma):
    """Return the nearest bin of chroma (..., 2): int32 (...)."""
    steps = ops.clip(ops.round(chroma / BIN_SIZE), -FARTHEST_BIN, FARTHEST_BIN)
    a, b = ops.split(ops.cast(steps, "int32") + FARTHEST_BIN, 2, axis=-1)
    cell = a * (2 * FARTHEST_BIN + 1) + b
    return ops.take(ops.convert_to_tensor(bin_of_cell()), ops.squeeze(cell, axis=-1), axis=0)


def soft_encode(chroma):
    """Spread chroma (..., 2) over its 5 nearest bins.

    Returns the bins, int32 (..., 5), and their shares, float32 (..., 5), which add up to 1: a
    Gaussian of sigma 5 of their distance. Source: Zhang et al. 2016, section 2.1.
    """
    centres = bins()
    # The squared distance but for |chroma|^2, which is the same for every bin.
    closeness = 2 * ops.matmul(chroma, centres.T) - np.sum(centres**2, axis=-1)
    nearest, found = ops.top_k(closeness, NEAREST_BINS)
    return found, ops.softmax(nearest / (2 * SIGMA**2), axis=-1)


def annealed_mean(logits, temperature=TEMPERATURE):
    """Turn logits over the bins (..., 261) into chroma (..., 2).

    The mean under the distribution sharpened by `temperature`: the plain mean at 1, the mode
    towards 0. Source: Zhang et al. 2016, equation 5.
    """
    return ops.matmul(ops.softmax(logits / temperature, axis=-1), bins())


def count_bins(chroma) -> np.ndarray:
    """Count colours by their nearest bin: any chroma (..., 2) gives int64 (261,)."""
    found = ops.convert_to_numpy(nearest_bin(chroma))
    return np.bincount(found.ravel(), minlength=len(bins()))


def smoothed_prior(counts) -> np.ndarray:
    """Turn `count_bins` of many pictures into probabilities, float64 (261,), smoothed by sigma 5.

    Source: Zhang et al. 2016, section 2.2.
    """
    squared_distance = ((bins()[:, None] - bins()) ** 2).sum(axis=-1)
    smoothed = np.exp(-squared_distance / (2 * SIGMA**2)) @ np.asarray(counts, np.float64)
    return smoothed / smoothed.sum()


def rarity_weights(prior, exponent=1.0) -> np.ndarray:
    """Return how much a pixel of each bin counts in a loss, float32 (261,).

    The inverse of the prior mixed with a uniform distribution, to the power `exponent` (0: every
    pixel counts the same), scaled to a mean of 1 under the prior.
    Source: Zhang et al. 2016, equation 4, which is exponent 1.
    """
    mixed = (1 - UNIFORM_SHARE) * prior + UNIFORM_SHARE / len(prior)
    weights = mixed**-exponent
    return (weights / (prior @ weights)).astype(np.float32)
