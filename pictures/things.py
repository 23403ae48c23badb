"""Things of one colour in a picture, and what a person may say of one: another colour, or none.

Chroma is Lab's a and b, in its units.
"""

import cv2
import numpy as np

# How far the pixels of a thing may be from its first one: in steps of 255 of lightness, which
# shading changes, and in Lab's units of chroma.
LIGHTNESS, CHROMA = 60, (8.0, 18.0)
LEAST_AREA, MOST_AREA = 0.015, 0.5
ATTEMPTS = 6
# What is said of a thing: its hue turned, that it is gray, or that it is as it is.
TURNED, GRAY = 0.55, 0.2
# A thing that is turned gets at least so much chroma: a gray one as well may be said to be blue.
LEAST_CHROMA = 10.0, 40.0
# Points in it, at most; and how often others say that what is beside it stays as it is.
MOST_POINTS = 3
BESIDE = 0.3
LARGEST_SQUARE = 5


def draw_thing(random, rgb):
    """Return a thing in a picture, uint8 RGB (h, w, 3): bool (h, w); None where none is found.

    It is connected and of one true chroma.
    """
    height, width = rgb.shape[:2]
    lab = cv2.cvtColor(cv2.medianBlur(rgb, 5), cv2.COLOR_RGB2LAB)
    tolerance = random.uniform(*CHROMA)
    tolerances = (LIGHTNESS, tolerance, tolerance)
    for _ in range(ATTEMPTS):
        seed = tuple(random.integers(0, (width, height)).tolist())
        found = np.zeros((height + 2, width + 2), np.uint8)
        flags = cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | 1 << 8 | 4
        cv2.floodFill(lab, found, seed, 0, tolerances, tolerances, flags)
        # Holes of a pixel or two, as texture makes them, belong to it.
        thing = cv2.morphologyEx(found[1:-1, 1:-1], cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        if LEAST_AREA < thing.mean() < MOST_AREA:
            return thing > 0
    return None


def draw_change(random, mean) -> np.ndarray:
    """Draw what is said of a thing of this `mean` chroma (2,): an angle, a factor, an offset.

    float32 (4,): angle in radians, factor, and the offset's a and b; see `turn` of guided.py.
    """
    kind = random.random()
    if kind > TURNED + GRAY:
        return np.array([0, 1, 0, 0], np.float32)
    if kind > TURNED:
        return np.zeros(4, np.float32)
    angle = random.uniform(-np.pi, np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    turned = np.array([cos * mean[0] - sin * mean[1], sin * mean[0] + cos * mean[1]])
    length = np.linalg.norm(turned) + 1e-6
    wanted = max(length, random.uniform(*LEAST_CHROMA))
    return np.array([angle, 1, *(turned * (wanted / length - 1))], np.float32)


def draw_points(random, mask, thing) -> None:
    """Set squares of a mask (h, w) to 1: in the middle of the thing, and sometimes beside it."""
    inside = cv2.distanceTransform(np.pad(thing, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    put_squares(random, mask, inside, random.integers(1, MOST_POINTS + 1))
    if random.random() < BESIDE:
        outside = cv2.distanceTransform((~thing).astype(np.uint8), cv2.DIST_L2, 3)
        put_squares(random, mask, outside, random.integers(1, MOST_POINTS + 1))


def put_squares(random, mask, distance, count) -> None:
    """Set so many squares to 1, each as far inside as fits, where `distance` is to the edge."""
    for _ in range(count):
        square = int(random.integers(1, LARGEST_SQUARE + 1))
        places = np.argwhere(distance > square * 0.75)
        if not len(places):
            square, places = 1, np.argwhere(distance > 0)
        if len(places):
            row, column = places[random.integers(len(places))]
            top, left = max(0, row - square // 2), max(0, column - square // 2)
            mask[top : top + square, left : left + square] = 1


def draw(random, rgb, mask):
    """Draw a thing of a picture and what is said of it; `mask` (h, w) then has points on it alone.

    `rgb` is uint8 (h, w, 3). Returns the thing, float32 (h, w), and the change as `draw_change`;
    None, and `mask` as it was, where there is no thing.
    """
    thing = draw_thing(random, rgb)
    if thing is None:
        return None
    lab = cv2.cvtColor(rgb[thing][np.newaxis].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    mask[:] = 0
    draw_points(random, mask, thing)
    return thing.astype(np.float32), draw_change(random, lab[0, :, 1:].mean(axis=0))
