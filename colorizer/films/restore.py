"""Old film stock: flicker of the exposure, and dust and scratches that last one frame.

What is not amiss keeps its luminance bit for bit.
"""

import cv2
import numpy as np

# A frame flickers where its mean differs by more than this share from those around it, so many
# frames before and behind; it is brought to their middle by no more than a factor.
FLICKER = 0.015
AROUND = 5
MOST_CHANGE = 1.3

# Dust differs by so many levels, of 255, from what is there in the frames before and behind, to
# the same side, which differ less than half as much from each other.
DUST = 20
# The motion near it has to be trusted at least so much, of 1.
LEAST_TRUST = 0.3


def gains(means) -> tuple:
    """Return by what to multiply each frame of a scene, of mean levels, against its flicker.

    It is 1 where a frame does not flicker.
    """
    means = np.maximum(np.asarray(means, np.float64), 1)
    whole = np.pad(means, AROUND, mode="reflect" if len(means) > AROUND else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(whole, 2 * AROUND + 1)
    factors = np.median(windows, axis=1) / means
    factors[np.abs(factors - 1) < FLICKER] = 1
    return tuple(np.clip(factors, 1 / MOST_CHANGE, MOST_CHANGE).round(4).tolist())


def brightened(pixels, factor) -> np.ndarray:
    """Multiply pixels, uint8 or uint16, by a factor."""
    if factor == 1:
        return pixels
    most = np.iinfo(pixels.dtype).max
    table = np.rint(np.clip(np.arange(most + 1) * factor, 0, most)).astype(pixels.dtype)
    return table[pixels]


def without_dust(gray, before, after, warps) -> np.ndarray:
    """Return a gray frame, uint8 or uint16 (H, W), in which dust of one frame is mended.

    `before` and `after` are its neighbours, and `warps` the stabilize.Warps from them to it, at the
    network's size. What covers dust is the mean of both, along the motion.
    """
    height, width = gray.shape
    levels = np.iinfo(gray.dtype).max / 255
    there, trusted = [], np.ones(gray.shape, bool)
    for other, warp in zip((before, after), warps, strict=True):
        rows, columns = warp.trust.shape
        place = (warp.place + 0.5) * np.float32([width / columns, height / rows]) - 0.5
        place = cv2.resize(np.float32(place), (width, height))
        there.append(np.float32(cv2.remap(other, place, None, cv2.INTER_LINEAR)))
        trusted &= cv2.resize(warp.trust, (width, height)) >= LEAST_TRUST
    apart = [np.float32(gray) - each for each in there]
    dust = np.abs(there[0] - there[1]) < DUST * levels / 2
    dust &= np.minimum(*np.abs(apart)) > DUST * levels
    dust &= (apart[0] > 0) == (apart[1] > 0)
    # Trust is lost where dust is: it counts around it.
    dust &= cv2.dilate(np.uint8(trusted), np.ones((9, 9), np.uint8)) > 0
    if not dust.any():
        return gray
    wide = cv2.dilate(np.uint8(dust), np.ones((3, 3), np.uint8)) > 0
    mended = np.rint((there[0] + there[1]) / 2).astype(gray.dtype)
    return np.where(wide, mended, gray)
