"""Toned and aged prints, which are black-and-white, and date stamps on them."""

import cv2
import numpy as np

# A toned print has one chroma for each lightness: all but this share of its pixels are within so
# many units of Lab of it.
TONE_TOLERANCE = 6
TONE_EXCEPTIONS = 0.02
# Its chromas are of one hue, within so many degrees, where they are large enough to be seen.
TONE_HUES = 60
LEAST_CHROMA = 6
LIGHTNESSES = 24

# An aged print is one with stains, foxing and borders. Within its margins, all but this share of
# its pixels are within so many units of its tone, or browner, and not vivid; and its colours vary
# softly: but for this share, its colour ratios are within so much of those around, this far away.
MARGIN = 0.1
AGED_TOLERANCE = 7
AGED_EXCEPTIONS = 0.003
BROWN = 25, 115  # degrees in Lab
VIVID = 45
DETAIL = 0.08
DETAIL_EXCEPTIONS = 0.08
AROUND = 4  # pixels, of a picture as small as a network sees it
DARK = 15  # what is darker has no colour to speak of

# The tone under the stains is a curve of this degree over lightness. What is some units of Lab off
# it weighs less, so often.
DEGREE = 3
OFF = 2
ROUNDS = 8
LEAST = 1e-6  # added to the squares, so that a picture of one lightness has a curve as well

# What is this far from the tone is another colour, not noise; one pixel in five hundred may be.
OTHER_COLOUR = 18
OTHER_EXCEPTIONS = 0.002

# Unless it is a date stamp: at most this share of the pixels, in a box of at most so much of the
# picture, within the strip of this width along one of its edges.
STAMP_PIXELS = 0.03
STAMP_BOX = 0.08
STAMP_STRIP = 0.25


def is_toned(rgb) -> bool:
    """Tell whether uint8 RGB (H, W, 3), small, is a toned print, or gray, also a stained one.

    That is a photograph of one hue, its chroma a function of its lightness: sepia, cyanotype, a
    yellowed print, a gray scan. What is left of a date stamp in other colours does not count, nor
    do stains, borders and foxing, which are brown and do not follow the picture.

    Of 484 photographs of ImageNet in colour, 25 in 1,000 are taken for prints. Of prints made of
    them by formula, with grain and as JPEGs of quality 60 to 90, 99 in 100 are found of gray, sepia
    and blue ones, also with foxing or a border; with three brown stains 9 in 10 of gray ones and 7
    in 10 of sepia ones.
    """
    return _has_one_tone(rgb) or _is_aged(rgb)


def _has_one_tone(rgb) -> bool:
    """Tell whether the chroma of RGB follows from its lightness, but for a date stamp."""
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lightness, chroma = lab[..., 0], lab[..., 1:]
    # The middle, not the mean, so that a stamp does not move it.
    places = (lightness / 100 * (LIGHTNESSES - 1)).round().astype(np.uint8).ravel()
    counts = np.bincount(places, minlength=LIGHTNESSES)
    known = np.flatnonzero(counts > 2)
    if not len(known):
        return False
    sorted_chroma = chroma.reshape(-1, 2)[np.argsort(places, kind="stable")]
    groups = np.split(sorted_chroma, np.cumsum(counts)[:-1])
    tones = np.array([np.median(groups[place], axis=0) for place in known])
    if not _one_hue(tones):
        return False
    steps = known * 100 / (LIGHTNESSES - 1)
    expected = np.stack([np.interp(lightness, steps, tones[:, axis]) for axis in (0, 1)], -1)
    distance = np.linalg.norm(chroma - expected, axis=-1)
    others = distance > OTHER_COLOUR
    if others.mean() > OTHER_EXCEPTIONS:
        stamp = _stamp(others)
        if stamp is None:
            return False
        distance[stamp] = 0
    return (distance > TONE_TOLERANCE).mean() <= TONE_EXCEPTIONS


def _is_aged(rgb) -> bool:
    """Tell whether RGB is a print whose colours, but for its tone, are stains alone.

    A stain takes a share of the blue light, and a smaller one of the green, whatever lies below
    it: the ratios of the colours vary softly. In a photograph in colour they have its detail.
    """
    down, across = (int(side * MARGIN) for side in rgb.shape[:2])
    inner = rgb[down : rgb.shape[0] - down, across : rgb.shape[1] - across]
    unit = cv2.GaussianBlur(np.ascontiguousarray(inner), (3, 3), 0).astype(np.float32) / 255
    lab = cv2.cvtColor(unit, cv2.COLOR_RGB2LAB)
    lightness, chroma = lab[..., 0], lab[..., 1:]
    away = chroma - _tone_under_stains(lightness, chroma, OFF)
    distance = np.linalg.norm(away, axis=-1)
    hue = np.degrees(np.arctan2(away[..., 1], away[..., 0]))
    stained = (hue > BROWN[0]) & (hue < BROWN[1]) & (distance <= VIVID)
    if ((distance > AGED_TOLERANCE) & ~stained).mean() > AGED_EXCEPTIONS:
        return False
    logarithms = np.log(unit + 0.05)
    ratios = logarithms[..., (0, 2)] - logarithms[..., 1:2]
    ratios = ratios - _tone_under_stains(lightness, ratios, OFF / 30)
    detail = np.linalg.norm(ratios - cv2.GaussianBlur(ratios, (0, 0), AROUND), axis=-1)
    lit = lightness > DARK
    return not lit.any() or (detail[lit] > DETAIL).mean() <= DETAIL_EXCEPTIONS


def _tone_under_stains(lightness, colours, off) -> np.ndarray:
    """Return the colours (H, W, 2) that follow from lightness (H, W) alone, where most do.

    A curve is fitted to `colours`; those that are more than `off` away weigh less each time.
    """
    powers = np.vander(lightness.ravel() / np.float64(50) - 1, DEGREE + 1, increasing=True)
    some, wanted = powers[::3], colours.reshape(-1, 2)[::3]
    weights = np.ones((len(some), 1))
    for _ in range(ROUNDS):
        # Least squares by the normal equations, a tenth of the work of a decomposition.
        heavy = some * weights**2
        curve = np.linalg.solve(some.T @ heavy + LEAST * np.eye(DEGREE + 1), heavy.T @ wanted)
        distance = np.linalg.norm(wanted - some @ curve, axis=1, keepdims=True)
        weights = 1 / np.sqrt(1 + (distance / off) ** 2)
    return (powers @ curve).reshape(colours.shape)


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
