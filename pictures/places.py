"""Places of a picture whose colours a network is told in training, drawn at random."""

import cv2
import numpy as np

# Zhang et al. 2017: after each point goes on with a probability of 7/8; squares of 1 to 9 pixels,
# around the middle. Here: at half the picture's size, so squares of 1 to 5.
STOP = 1 / 8
LARGEST_SQUARE = 5
# Silent there. Here: half of the pictures have their points anywhere, some have many, and some have
# large regions, as a hand-tinted part or a film's last frame give.
ANYWHERE_SHARE = 0.5
MANY_SHARE = 0.15
MOST_POINTS = 120
REGION_SHARE = 0.17


def draw(random, count, side, unknown_share) -> np.ndarray:
    """Draw masks (count, side, side, 1) float32, 1 where the colour of a place is told, else 0.

    A share of `unknown_share` is all zeros. Source: Zhang et al. 2017, section 3.2.
    """
    masks = np.zeros((count, side, side, 1), np.float32)
    for mask in masks:
        if random.random() < unknown_share:
            continue
        if random.random() < REGION_SHARE:
            mask[..., 0] = draw_region(random, side)
        else:
            draw_points(random, mask)
    return masks


def draw_points(random, mask) -> None:
    """Set squares of a mask (side, side, 1) to 1."""
    side = len(mask)
    points = random.geometric(STOP)
    if random.random() < MANY_SHARE:
        points = random.integers(points, MOST_POINTS + 1)
    anywhere = random.random() < ANYWHERE_SHARE
    for _ in range(points):
        square = int(random.integers(1, LARGEST_SQUARE + 1))
        if anywhere:
            corner = random.integers(0, side - square + 1, 2)
        else:
            middle = (side - square) / 2
            corner = np.clip(random.normal(middle, side / 4, 2), 0, side - square).astype(int)
        top, left = corner
        mask[top : top + square, left : left + square] = 1


def draw_region(random, side) -> np.ndarray:
    """Return a region with smooth borders, bool (side, side), of a tenth to nearly all of it."""
    hills = cv2.resize(
        random.random((4, 4), np.float32), (side, side), interpolation=cv2.INTER_CUBIC
    )
    return hills > np.quantile(hills, random.uniform(0.05, 0.9))
