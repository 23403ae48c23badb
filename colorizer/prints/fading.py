"""Tones of faded prints: black, white and the middle as a photograph has them.

Only what a print still shows says how far it has faded: its darkest and brightest parts, without
borders and marks.
"""

from colorizer.prints.scans import frame

import numpy as np

# Black and white are these shares of the pixels from the ends, and lie here in a photograph that
# has not faded, in shares of white.
END = 0.005
BLACK, WHITE = 0.03, 0.93
# The middle moves this share of its way to where it lies in most photographs.
MIDDLE, TOWARDS = 0.45, 0.3
# A print whose black and white are this far in, together, has faded; below the first it has not.
FADED = 0.18, 0.21
# Contrast grows by this at most: noise grows with it.
MOST_GAIN = 2.5
LEAST_GAMMA, MOST_GAMMA = 0.6, 1.6


def ramp(value, first, last) -> float:
    """Return 0 to the first, 1 from the last, and between them evenly more."""
    return min(max((value - first) / (last - first), 0.0), 1.0)


def curve(gray, marks=None, strength=1.0) -> np.ndarray | None:
    """Return what each level of a gray image (H, W, 1) becomes, of its dtype; None: all stay.

    `marks`, bool (H, W) or None, do not count; `strength`, 0 to 1, is how much is corrected.
    """
    rows, columns = frame(gray)
    inner = gray[rows, columns, 0]
    counted = inner[~marks[rows, columns]] if marks is not None else inner.ravel()
    levels = np.iinfo(gray.dtype).max
    if not counted.size:
        return None
    counts = np.bincount(counted, minlength=levels + 1)
    share = np.cumsum(counts) / counts.sum()
    black, white = (np.searchsorted(share, end) / levels for end in (END, 1 - END))
    amiss = max(0, black - BLACK) + max(0, WHITE - white)
    sure = ramp(amiss, *FADED)
    if not sure or white <= black:
        return None
    gain = min(MOST_GAIN, (WHITE - BLACK) / (white - black))
    unit = np.arange(levels + 1) / levels
    # Where the gain is limited, the middle of what there is becomes the middle of the range.
    low = BLACK + ((WHITE - BLACK) - gain * (white - black)) / 2
    stretched = np.clip(low + gain * (unit - black), 0, 1)
    mean = np.average(stretched, weights=counts)
    wanted = mean + TOWARDS * (MIDDLE - mean)
    gamma = np.clip(np.log(wanted) / np.log(np.clip(mean, 0.01, 0.99)), LEAST_GAMMA, MOST_GAMMA)
    corrected = stretched**gamma
    corrected = unit + strength * sure * (corrected - unit)
    return np.rint(levels * np.clip(corrected, 0, 1)).astype(gray.dtype)


def corrected(gray, marks=None, strength=1.0) -> np.ndarray:
    """Return a gray image (H, W, 1) with the tones of one that has not faded."""
    levels = curve(gray, marks, strength)
    return gray if levels is None else levels[gray]
