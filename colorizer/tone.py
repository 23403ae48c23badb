"""Black-and-white or in colour: gray photographs, toned prints, and date stamps on them."""

import cv2
import numpy as np

# A photograph is black-and-white when at most one pixel in a thousand has channels further apart
# than this, of 255: JPEG leaves a few levels of chroma noise in gray pictures.
GRAY_TOLERANCE = 8
GRAY_EXCEPTIONS = 0.001

# A toned print has one chroma for each lightness: all but this share of its pixels are within so
# many units of Lab of it. Of sepia and blue prints made by formula from 400 photographs, with grain
# and as JPEGs of quality 50 to 90, that finds 9 in 10; of 1,173 colour photographs of ImageNet it
# takes 3 in 100, which show hardly any colour but one.
TONE_TOLERANCE = 6
TONE_EXCEPTIONS = 0.02
# Its chromas are of one hue, within so many degrees, where they are large enough to be seen.
TONE_HUES = 60
LEAST_CHROMA = 6
LIGHTNESSES = 24

# What is this far from the tone is another colour, not noise; one pixel in five hundred may be.
OTHER_COLOUR = 18
OTHER_EXCEPTIONS = 0.002

# Unless it is a date stamp: at most this share of the pixels, in a box of at most so much of the
# picture, within the strip of this width along one of its edges.
STAMP_PIXELS = 0.03
STAMP_BOX = 0.08
STAMP_STRIP = 0.25


def is_gray(rgb) -> bool:
    """Tell whether RGB (H, W, 3) is a black-and-white photograph without any tone.

    True when no more than GRAY_EXCEPTIONS of the pixels have channels over GRAY_TOLERANCE apart.
    """
    red, green, blue = cv2.split(rgb)
    highest = cv2.max(cv2.max(red, green), blue)
    lowest = cv2.min(cv2.min(red, green), blue)
    coloured = np.count_nonzero(cv2.subtract(highest, lowest) > GRAY_TOLERANCE)
    return coloured <= GRAY_EXCEPTIONS * red.size


def is_toned(rgb) -> bool:
    """Tell whether uint8 RGB (H, W, 3), small, is a toned print, or gray, with or without a stamp.

    That is a photograph of one hue, its chroma a function of its lightness: sepia, cyanotype, a
    yellowed print, a gray scan. What is left of a date stamp in other colours does not count.
    """
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lightness, chroma = lab[..., 0], lab[..., 1:]
    # The middle, not the mean, so that a stamp does not move it.
    places = (lightness / 100 * (LIGHTNESSES - 1)).round().astype(int)
    known = [place for place in range(LIGHTNESSES) if np.count_nonzero(places == place) > 2]
    if not known:
        return False
    tones = np.array([np.median(chroma[places == place], axis=0) for place in known])
    if not _one_hue(tones):
        return False
    steps = np.array(known) * 100 / (LIGHTNESSES - 1)
    expected = np.stack([np.interp(lightness, steps, tones[:, axis]) for axis in (0, 1)], -1)
    distance = np.linalg.norm(chroma - expected, axis=-1)
    others = distance > OTHER_COLOUR
    if others.mean() > OTHER_EXCEPTIONS:
        stamp = _stamp(others)
        if stamp is None:
            return False
        distance[stamp] = 0
    return (distance > TONE_TOLERANCE).mean() <= TONE_EXCEPTIONS


def _stamp(coloured):
    """Return the box of a date stamp, as slices, if that is what is coloured, (H, W) bool."""
    height, width = coloured.shape
    rows, columns = np.nonzero(coloured)
    # A grain of noise elsewhere is no part of it.
    top, bottom = (int(np.percentile(rows, share)) for share in (2, 98))
    left, right = (int(np.percentile(columns, share)) for share in (2, 98))
    top, left, bottom, right = max(0, top - 2), max(0, left - 2), bottom + 3, right + 3
    box = (bottom - top) * (right - left) / coloured.size
    along = (
        bottom <= STAMP_STRIP * height
        or top >= (1 - STAMP_STRIP) * height
        or right <= STAMP_STRIP * width
        or left >= (1 - STAMP_STRIP) * width
    )
    if coloured.mean() > STAMP_PIXELS or box > STAMP_BOX or not along:
        return None
    return slice(top, bottom), slice(left, right)


def _one_hue(tones) -> bool:
    """Tell whether chromas (N, 2), as far as they are seen, are within TONE_HUES of each other."""
    seen = tones[np.linalg.norm(tones, axis=1) > LEAST_CHROMA]
    if not len(seen):
        return True
    middle = np.arctan2(*seen.mean(axis=0)[::-1])
    angles = np.arctan2(seen[:, 1], seen[:, 0]) - middle
    return np.abs(np.degrees(np.arctan2(np.sin(angles), np.cos(angles)))).max() <= TONE_HUES / 2
