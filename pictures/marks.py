"""Marks that break an old print, made up, and things that only resemble them.

Marks: cracks, folds, scratches, hairs, specks, blots, torn edges and corners. Each is a `cover`,
float32 (H, W) in [0, 1], how much of the picture it hides, and a `tone`, what is seen instead.
Things belong to the picture: ropes, wires, whiskers, fences, frames, rain, rigging, branches,
writing; stains and tape lie on it, but it shows through, so they are no marks either.

Widths are in pixels; `random` is a numpy Generator, from which every draw comes.
"""

from colorizer.pixels import to_unit
from pictures import damage

import cv2
import numpy as np

# Widths of what is drawn, in pixels: most are narrow.
CRACK_WIDTH = 1.0, 12.0
FOLD_WIDTH = 1.0, 5.0
SCRATCH_WIDTH = 1.0, 3.5
HAIR_WIDTH = 1.0, 2.5
SPECK_RADIUS = 0.6, 3.0
BLOT_RADIUS = 2.0, 14.0
# The mean number of each kind on a print that has it, on so many pixels.
ON_PIXELS = 160 * 160
# A mark covers a pixel from here; below FAINT it does not, between them nobody can tell.
COVERED, FAINT = 0.35, 0.08
# A mark that changes a pixel by less is not seen.
SEEN = 6 / 255
SHIFT = damage.SHIFT


def width_of(random, least, most) -> float:
    """Draw a width, evenly in its logarithm."""
    return float(np.exp(random.uniform(np.log(least), np.log(most))))


def stroke(shape, points, widths, level=255) -> np.ndarray:
    """Draw a line through points (N, 2) as x and y, of a width at each: float32 (H, W) in [0, 1].

    Below a width of 1 the line is fainter.
    """
    drawn = np.zeros(shape, np.uint8)
    places = np.rint(points * 2**SHIFT).astype(np.int64)
    for start, end, width in zip(places[:-1], places[1:], widths, strict=False):
        strength = int(level * min(1, width))
        if strength > 0:
            cv2.line(
                drawn,
                start.tolist(),
                end.tolist(),
                strength,
                max(1, round(width)),
                cv2.LINE_AA,
                SHIFT,
            )
    return to_unit(drawn)


def rough_path(random, start, end, roughness, depth=5) -> np.ndarray:
    """Return points (2**depth + 1, 2) from `start` to `end`, by midpoint displacement.

    `roughness` is how far the middle moves aside, as a share of the length.
    """
    points = np.array([start, end], np.float64)
    length = np.hypot(*(points[1] - points[0]))
    for _ in range(depth):
        middle = (points[:-1] + points[1:]) / 2
        along = points[1:] - points[:-1]
        size = np.hypot(*along.T)[:, None] + 1e-9
        across = along[:, ::-1] * (1, -1) / size
        middle += across * random.normal(0, roughness * length, (len(middle), 1))
        merged = np.empty((len(points) + len(middle), 2))
        merged[::2], merged[1::2] = points, middle
        points, length = merged, length / 2
    return points


def smooth_noise(random, shape, size) -> np.ndarray:
    """Return noise of mean 0 and deviation 1 whose blotches are about `size` pixels wide."""
    small = [max(2, int(np.ceil(side / size)) + 1) for side in shape]
    noise = random.standard_normal(small, np.float32)
    return cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC)


def ragged(random, cover, width) -> np.ndarray:
    """Make the edges of a cover irregular, as emulsion breaks; `width` is that of the mark."""
    if width < 2:
        return cover
    soft = cv2.GaussianBlur(cover, (0, 0), 0.25 * width)
    uneven = soft + 0.16 * smooth_noise(random, cover.shape, max(1.5, 0.6 * width))
    return np.clip((uneven - 0.42) * 4, 0, 1).astype(np.float32) * (soft > 0.1)


def somewhere(random, shape) -> np.ndarray:
    """Return a place (x, y) of a picture."""
    return random.uniform(0, 1, 2) * shape[::-1]


def across_picture(random, shape):
    """Return where a straight line enters and leaves a picture, somewhat beyond its edges."""
    height, width = shape
    centre = np.array([width, height]) * random.uniform(0.15, 0.85, 2)
    # Folds run along the sides or over a corner.
    angle = random.choice((0, np.pi / 2, np.pi / 4, 3 * np.pi / 4), p=(0.35, 0.35, 0.15, 0.15))
    angle += random.normal(0, 0.12)
    reach = np.array([np.cos(angle), np.sin(angle)]) * np.hypot(height, width)
    return centre - reach, centre + reach


def bright_or_dark(random, share=0.75) -> float:
    """Return the tone of bare paper, or of dirt and shade, in [0, 1]."""
    return random.uniform(0.75, 1.0) if random.random() < share else random.uniform(0.0, 0.2)


# ----------------------------------------------------------------------------------- the marks


class Layer:
    """What lies on a picture: `cover` and `tone`, float32 (H, W)."""

    def __init__(self, shape):
        self.shape = shape
        self.cover = np.zeros(shape, np.float32)
        self.tone = np.zeros(shape, np.float32)

    def add(self, cover, tone) -> None:
        """Lay another mark of this cover and tone, a number or float32 (H, W), over all others."""
        hidden = self.cover + cover - self.cover * cover
        share = cover / np.maximum(hidden, 1e-6)
        self.tone += share * (tone - self.tone)
        self.cover = hidden

    def on(self, picture) -> np.ndarray:
        """Return the picture under it."""
        return picture + self.cover * (self.tone - picture)


def crack(random, layer) -> None:
    """Break the emulsion along a line that branches: a bright core and a dark rim beside it."""
    shape = layer.shape
    # Most cracks are fine ones.
    width = min(width_of(random, *CRACK_WIDTH) for _ in range(random.integers(1, 3)))
    length = random.uniform(0.3, 1.3) * max(shape)
    tone = bright_or_dark(random, 0.85)
    rim = random.uniform(0.2, 0.7) if random.random() < 0.7 else 0.0
    start, angle = somewhere(random, shape), random.uniform(0, 2 * np.pi)
    lines = [(start, angle, length, width)]
    core, shade = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for number in range(1 + random.integers(0, 6)):
        if number >= len(lines):
            break
        start, angle, length, width_here = lines[number]
        end = start + length * np.array([np.cos(angle), np.sin(angle)])
        points = rough_path(random, start, end, random.uniform(0.03, 0.14))
        taper = np.linspace(1, random.uniform(0.1, 1), len(points)) * width_here
        taper *= np.exp(random.normal(0, 0.25, len(points)))
        core = np.maximum(core, stroke(shape, points, taper))
        if rim:
            aside = points + random.uniform(-0.7, 0.7, 2) * (1 + width_here)
            shade = np.maximum(shade, stroke(shape, aside, taper))
        for _ in range(random.integers(0, 3)):
            place = points[random.integers(len(points) // 4, len(points))]
            turn = angle + random.choice((-1, 1)) * random.uniform(0.4, 1.4)
            part = width_here * random.uniform(0.3, 0.9)
            lines.append((place, turn, length * random.uniform(0.2, 0.6), part))
    if rim:
        layer.add(rim * cv2.GaussianBlur(shade, (0, 0), 0.8), random.uniform(0, 0.2))
    texture = 0.05 * random.standard_normal(shape, np.float32)
    layer.add(ragged(random, core, width) * random.uniform(0.75, 1), tone + texture)


def fold(random, layer) -> None:
    """Fold the whole print: a line from edge to edge, and flakes that have come off along it."""
    shape = layer.shape
    width = width_of(random, *FOLD_WIDTH)
    points = rough_path(random, *across_picture(random, shape), random.uniform(0, 0.006), 6)
    fading = np.clip(0.75 + 0.4 * smooth_noise(random, (1, len(points)), 5)[0], 0, 1)
    tone = bright_or_dark(random, 0.8)
    line = stroke(shape, points, width * fading) * random.uniform(0.5, 1)
    layer.add(line, tone)
    flakes = np.zeros(shape, np.uint8)
    for place in points[random.random(len(points)) < random.choice((0.0, 0.1, 0.4))]:
        aside = np.rint((place + random.normal(0, width, 2)) * 2**SHIFT).astype(np.int64)
        axes = np.rint(random.uniform(0.4, 2.2, 2) * width * 2**SHIFT).astype(np.int64)
        ellipse(flakes, aside, axes, random.uniform(0, 180))
    layer.add(ragged(random, to_unit(flakes), width), bright_or_dark(random, 0.95))


def ellipse(drawn, centre, axes, angle, level=255) -> None:
    """Fill an ellipse in uint8 (H, W), given in cv2's fixed point."""
    cv2.ellipse(drawn, centre.tolist(), axes.tolist(), angle, 0, 360, level, -1, cv2.LINE_AA, SHIFT)


def scratch(random, layer) -> None:
    """Scratch the print along a curve that fades in and out, alone or some of them in parallel."""
    shape = layer.shape
    width = width_of(random, *SCRATCH_WIDTH)
    points = damage.curve(random, shape, random.choice((1, 2, 4)))
    fading = np.clip(0.8 + 0.6 * smooth_noise(random, (1, len(points)), 3)[0], 0, 1)
    fading *= np.sin(np.linspace(0.15, np.pi - 0.15, len(points))) ** 0.5
    tone, aside = bright_or_dark(random), random.normal(0, 6, 2)
    for number in range(random.choice((1, 1, 1, 2, 4))):
        moved = points + number * aside + random.normal(0, 0.3, 2)
        layer.add(stroke(shape, moved, width * fading) * random.uniform(0.5, 1), tone)


def hair(random, layer) -> None:
    """Lay a hair or a fibre on the glass of the scanner or the enlarger."""
    width = width_of(random, *HAIR_WIDTH)
    count = 40
    turns = random.uniform(-0.1, 0.1) + np.cumsum(random.normal(0, 0.05, count))
    angles = random.uniform(0, 2 * np.pi) + np.cumsum(turns)
    length = random.uniform(15, 150) / count
    points = np.cumsum(length * np.stack([np.cos(angles), np.sin(angles)], 1), axis=0)
    points += somewhere(random, layer.shape) - points.mean(axis=0)
    cover = stroke(layer.shape, points, np.full(count, width)) * random.uniform(0.6, 1)
    layer.add(cover, bright_or_dark(random, 0.5))


def specks(random, layer) -> None:
    """Strew dust, or small holes of the emulsion."""
    drawn = np.zeros(layer.shape, np.uint8)
    for _ in range(1 + random.poisson(8 * layer.cover.size / ON_PIXELS)):
        centre = np.rint(somewhere(random, layer.shape) * 2**SHIFT).astype(np.int64)
        axes = width_of(random, *SPECK_RADIUS) * random.uniform(0.7, 1.4, 2)
        axes = np.rint(axes * 2**SHIFT).astype(np.int64)
        ellipse(drawn, centre, axes, random.uniform(0, 180), int(random.integers(150, 256)))
    layer.add(to_unit(drawn), bright_or_dark(random, 0.7))


def blots(random, layer) -> None:
    """Let emulsion flake off in patches, or ink and mould lie in them."""
    drawn, width = np.zeros(layer.shape, np.uint8), width_of(random, *BLOT_RADIUS)
    for _ in range(1 + random.poisson(2 * layer.cover.size / ON_PIXELS)):
        centre = somewhere(random, layer.shape)
        for _ in range(random.integers(1, 5)):
            place = np.rint((centre + random.normal(0, width, 2)) * 2**SHIFT).astype(np.int64)
            axes = np.rint(width * random.uniform(0.3, 1.2, 2) * 2**SHIFT).astype(np.int64)
            ellipse(drawn, place, axes, random.uniform(0, 180))
    cover = ragged(random, to_unit(drawn), width)
    texture = 0.04 * smooth_noise(random, layer.shape, 2)
    layer.add(cover * random.uniform(0.7, 1), bright_or_dark(random, 0.7) + texture)


def torn(random, layer) -> None:
    """Tear a corner or the middle of an edge off, or round a corner: the plate shows."""
    height, width = layer.shape
    reach = random.uniform(0.06, 0.3) * min(height, width)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    if random.random() < 0.5:
        x = width - 1 - x
    if random.random() < 0.5:
        y = height - 1 - y
    kind = random.choice(3)
    if kind == 0:  # a corner
        inside = x / (reach * random.uniform(0.6, 1.6)) + y / reach - 1
    elif kind == 1:  # rounded
        reach *= 0.6
        near = (x < reach) & (y < reach)
        inside = np.where(near, 1 - np.hypot(x - reach, y - reach) / reach, 1)
    else:  # a bite out of an edge
        centre = random.uniform(0.1, 0.9) * width
        inside = np.hypot((x - centre) / random.uniform(0.6, 2), 1.5 * y) / reach - 1
    inside = inside * reach
    if kind != 1:
        inside = inside + random.uniform(0.5, 3) * smooth_noise(random, layer.shape, 6)
        inside += random.uniform(0, 1) * smooth_noise(random, layer.shape, 2)
        rim = random.uniform(0, 5)  # the torn paper shows as a bright rim
        layer.add(np.clip(rim - inside, 0, 1) * (inside < rim), random.uniform(0.8, 1))
    ground = random.choice((random.uniform(0.9, 1), random.uniform(0, 0.15), random.uniform(0, 1)))
    layer.add(np.clip(-inside, 0, 1).astype(np.float32), ground)


# How often a print that is broken has each kind, and how many on ON_PIXELS at the most.
MARKS = {
    crack: (0.45, 2),
    fold: (0.3, 2),
    scratch: (0.45, 4),
    hair: (0.25, 3),
    specks: (0.35, 1),
    blots: (0.25, 1),
    torn: (0.2, 2),
}


def draw_marks(random, shape) -> Layer:
    """Break a print of this shape in one to four ways or so."""
    layer = Layer(shape)
    share = shape[0] * shape[1] / ON_PIXELS
    kinds = [kind for kind, (often, _) in MARKS.items() if random.random() < often]
    for kind in kinds or [random.choice(list(MARKS))]:
        single = kind in (torn, specks, blots, fold)
        most = MARKS[kind][1] * (1 if single else share)
        for _ in range(random.integers(1, max(1, round(most)), endpoint=True)):
            kind(random, layer)
    return layer


def labels(layer, change) -> np.ndarray:
    """Say of each pixel whether a mark covers it: float32 (H, W), 1, 0, or 0.5 for either.

    `change`, (H, W), is by how much the marks changed the picture.
    """
    seen = np.abs(change) >= SEEN
    return np.where(
        (layer.cover >= COVERED) & seen,
        np.float32(1),
        np.where(layer.cover >= FAINT, np.float32(0.5), np.float32(0)),
    )
