"""Scans: several prints on one plate, prints that lie askew on it, and frames around pictures."""

import dataclasses

from colorizer.pixels import grayscale, high_bits, shrink

import cv2
import numpy as np

# Prints are looked for in a picture of so many pixels along its longer side.
LOOKED_AT = 1000
# What differs by so many levels, of 255, from the ground is no ground, at least; more where the
# ground itself varies.
LEAST_DIFFERENCE = 4
GROUND_DEVIATIONS = 4
# The width of the strip along the plate's edges in which the ground is, in shares of its sides.
STRIP = 0.01
# A print covers this share of a plate at least, and this of the rectangle around it.
LEAST_AREA, LEAST_FILLED = 0.015, 0.9
# A print that fills the plate to this share is the plate.
WHOLE = 0.97
# In so many parts of a side, of so many points, its edge is looked for.
PARTS, PART_POINTS = 24, 10
# What is turned further is not straightened: it may be meant.
MOST_TURNED = 15
# A frame takes this share of a side at most, and varies by so many levels at most.
MOST_FRAME, FRAME_DEVIATION = 0.2, 5
# So dark or bright is a frame.
DARK, BRIGHT = 40, 215


@dataclasses.dataclass(frozen=True)
class Print:
    """Where a print lies on a plate.

    `corners` are (x, y) in pixels, from the upper left clockwise.
    """

    corners: tuple

    @property
    def size(self) -> tuple:
        """Height and width of the straightened print, in pixels."""
        corners = np.asarray(self.corners)
        width, height = (np.hypot(*(corners[i] - corners[0])) for i in (1, 3))
        return max(1, round(height)), max(1, round(width))

    def cut(self, image) -> np.ndarray:
        """Cut the print out of an image (H, W, C), straight."""
        height, width = self.size
        start = np.float32(self.corners)[[0, 1, 3]] - np.float32(0.5)
        end = np.float32([[0, 0], [width, 0], [0, height]]) - np.float32(0.5)
        turn = cv2.getAffineTransform(start, end)
        cut = cv2.warpAffine(
            image, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        return cut.reshape(height, width, -1) if image.ndim == 3 else cut


def split(image) -> list[Print]:
    """Find the prints on a plate, an image (H, W, C): in reading order, [] where that is not sure.

    Not sure is a ground that is not even, parts that are no rectangles or overlap, and a picture
    that fills the plate. Prints that are turned by more than MOST_TURNED degrees are not sure.
    """
    height, width = image.shape[:2]
    scale = min(1, LOOKED_AT / max(height, width))
    small = high_bits(shrink(image, max(1, round(height * scale)), max(1, round(width * scale))))
    other = _other_than_ground(small)
    if other is None:
        return []
    contours, _ = cv2.findContours(other, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    prints, gray = [], None
    for contour in map(cv2.convexHull, contours):
        area = cv2.contourArea(contour)
        if area < LEAST_AREA * other.size:
            continue
        rectangle = cv2.minAreaRect(contour)
        corners = _upright(cv2.boxPoints(rectangle))
        filled = area / max(1, rectangle[1][0] * rectangle[1][1])
        if filled < LEAST_FILLED or corners is None or area > WHOLE * other.size:
            return []
        gray = grayscale(high_bits(image))[..., 0] if gray is None else gray
        corners = (corners + 0.5) * (width / small.shape[1], height / small.shape[0])
        prints.append(Print(tuple(map(tuple, _refined(gray, corners, 2.5 / scale + 3).tolist()))))
    rows = height / 8
    return sorted(prints, key=lambda each: (each.corners[0][1] // rows, each.corners[0][0]))


def _other_than_ground(small):
    """Return where a plate is covered, uint8 (h, w), or None where its ground is not even."""
    strip = max(2, round(STRIP * max(small.shape[:2])))
    edges = [small[:strip], small[-strip:], small[:, :strip], small[:, -strip:]]
    edges = np.concatenate([edge.reshape(-1, small.shape[2]) for edge in edges]).astype(np.float32)
    ground = np.median(edges, axis=0)
    apart = np.abs(edges - ground).max(axis=1)
    deviation = 1.5 * np.median(apart)
    limit = max(LEAST_DIFFERENCE, GROUND_DEVIATIONS * deviation)
    if (apart > limit).mean() > 0.25:
        return None
    smooth = cv2.blur(small, (3, 3)).reshape(small.shape)
    away = (np.abs(smooth - ground).max(axis=2) > limit).astype(np.uint8)
    # Parts of a print that look like the ground belong to it.
    away = cv2.morphologyEx(away, cv2.MORPH_CLOSE, np.ones((5, 5)))
    return cv2.morphologyEx(away, cv2.MORPH_OPEN, np.ones((5, 5)))


def _upright(corners):
    """Order four corners from the upper left clockwise; None where they are turned too far."""
    corners = corners[np.argsort(np.arctan2(*(corners - corners.mean(axis=0)).T[::-1]))]
    along = corners[1] - corners[0]
    turned = np.degrees(np.arctan2(along[1], along[0]))
    return None if abs(turned) > MOST_TURNED else corners


def _refined(gray, corners, reach) -> np.ndarray:
    """Move the corners of a rectangle to where its sides are sharp edges of a gray (H, W).

    Each end of a side moves by at most `reach` pixels, so that the side lies along the strongest
    edge: the shadow around a print is soft. Each part of a side counts by the root of its step, so
    that what is strong in the picture does not outweigh an edge that goes all along.
    """
    offsets = np.arange(-reach, reach + 1)
    # Which step of each part a side crosses that is moved by so much at its first and last part.
    first, last = (each.ravel() for each in np.meshgrid(*[np.arange(len(offsets) - 1)] * 2))
    shares = np.linspace(0, 1, PARTS)
    crossed = np.rint(first + shares[:, None] * (last - first)).astype(int)
    lines = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = (end - start) / np.hypot(*(end - start))
        across = np.array([-along[1], along[0]])
        places = np.linspace(0.05, 0.95, PARTS * PART_POINTS)[:, None]
        grid = (start + places * (end - start))[:, None] + offsets[:, None] * across
        grid = np.float32(grid - 0.5)
        profile = cv2.remap(
            gray, grid[..., 0], grid[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        parts = profile.reshape(PARTS, PART_POINTS, -1).mean(axis=1)
        steps = np.abs(np.diff(parts, axis=1))
        beside = np.pad(steps, ((0, 0), (1, 1)), mode="edge")
        steps = np.sqrt(np.maximum(0, steps - (beside[:, :-2] + beside[:, 2:]) / 4))
        best = np.argmax(steps[np.arange(PARTS)[:, None], crossed].sum(axis=0))
        points = []
        for part, moved in ((0, first[best]), (PARTS - 1, last[best])):
            middle = places[part * PART_POINTS : (part + 1) * PART_POINTS].mean()
            points.append(start + middle * (end - start) + (offsets[moved] + 0.5) * across)
        lines.append(points)
    return np.array([_crossing(lines[number - 1], lines[number]) for number in range(4)])


def _crossing(first, second) -> np.ndarray:
    """Return where two lines meet, each given by two points (x, y)."""
    (a, b), (c, d) = first, second
    share = np.linalg.solve(np.stack([b - a, c - d], axis=1), c - a)[0]
    return a + share * (b - a)


def frame(gray) -> tuple[slice, slice]:
    """Return the rows and columns inside the even black or white frame of a gray image (H, W, 1).

    All of them where there is none.
    """
    small = high_bits(shrink(gray, *(min(side, 400) for side in gray.shape[:2])))[..., 0]
    found = []
    for turned, side in ((small, gray.shape[0]), (small.T, gray.shape[1])):
        lines = turned.astype(np.float32)
        even = (lines.std(axis=1) <= FRAME_DEVIATION) & (
            (lines.mean(axis=1) <= DARK) | (lines.mean(axis=1) >= BRIGHT)
        )
        scale = side / len(even)
        first, last = (round(_leading(each) * scale) for each in (even, even[::-1]))
        found.append(slice(first, side - last))
    return tuple(found)


def _leading(even) -> int:
    """Return how many lines from the first on are a frame, 0 where that is not sure."""
    most = round(MOST_FRAME * len(even))
    count = int(np.argmin(even[: most + 1]))
    # In one line more frame and picture mix.
    return count + 1 if count else 0
