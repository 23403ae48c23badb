"""Things in a picture that resemble the marks of an old print, made up.

Ropes, wires, whiskers, fences, frames, rain, rigging, branches, hair, writing; and stains, tape and
borders, which lie on a print but are no marks: what they cover still shows, or was never there.
Each draws on luminance, float32 (H, W) in [0, 1], and returns it.
"""

from pictures.marks import (
    Layer,
    across_picture,
    rough_path,
    smooth_noise,
    somewhere,
    stroke,
    width_of,
)

import cv2
import numpy as np

FONTS = (
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_SIMPLEX,
)
LETTERS = "aabcdeeefghiiklmnnoprsttuvwyABDEGHKLMPRSTW 1234567890"


def laid(picture, cover, tone) -> np.ndarray:
    """Lay a thing of this cover and tone on a picture."""
    return picture + cover * (tone - picture)


def own_tone(random, picture) -> float:
    """Draw the tone of a thing: bright, dark or between, rarely quite black or white."""
    return random.choice((random.uniform(0.02, 0.3), random.uniform(0.6, 0.97), random.random()))


def hanging(random, shape, count=24) -> np.ndarray:
    """Return points (count, 2) of something that hangs or is stretched between two places."""
    start, end = across_picture(random, shape)
    along = np.linspace(0, 1, count)[:, None]
    points = start + along * (end - start)
    sag = random.uniform(0, 0.15) * max(shape) * random.integers(0, 2)
    points[:, 1] += (4 * along * (1 - along))[:, 0] * sag
    return points


def rope(random, picture) -> np.ndarray:
    """Stretch a twisted rope."""
    width = width_of(random, 2, 12)
    points = hanging(random, picture.shape)
    cover = stroke(picture.shape, points, np.full(len(points), width))
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    angle = np.arctan2(*(points[-1] - points[0])[::-1]) + random.choice((-1, 1)) * 0.8
    twist = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / max(2.5, 0.9 * width))
    shade = own_tone(random, picture) + random.uniform(0.05, 0.2) * twist
    below = points + np.array([0, 0.4 * width])
    dark = stroke(picture.shape, below, np.full(len(points), width))
    return laid(laid(picture, 0.5 * dark, 0.1), cover, np.clip(shade, 0, 1))


def wires(random, picture) -> np.ndarray:
    """Stretch one or several wires, each of one width and one tone."""
    tone, width = own_tone(random, picture), width_of(random, 0.7, 5)
    points, apart = hanging(random, picture.shape), random.normal(0, 12, 2)
    for number in range(random.integers(1, 5)):
        moved = points + number * apart
        picture = laid(picture, stroke(picture.shape, moved, np.full(len(points), width)), tone)
    return picture


def tuft(random, picture, count, spread, widths, bend) -> np.ndarray:
    """Draw a bundle of curves that start close together and taper."""
    start, angle = somewhere(random, picture.shape), random.uniform(0, 2 * np.pi)
    tone, length = own_tone(random, picture), random.uniform(0.2, 0.7) * max(picture.shape)
    size = width_of(random, *widths)
    for _ in range(count):
        turns = angle + random.normal(0, spread) + np.linspace(0, random.normal(0, bend), 16)
        points = start + random.normal(0, 6, 2)
        steps = np.stack([np.cos(turns), np.sin(turns)], 1) * length / 16
        points = points + np.cumsum(steps, axis=0)
        cover = stroke(picture.shape, points, size * np.linspace(1, 0.4, 16))
        picture = laid(picture, cover * random.uniform(0.6, 1), tone + random.normal(0, 0.05))
    return picture


def whiskers(random, picture) -> np.ndarray:
    """Draw whiskers or grass blades."""
    return tuft(random, picture, random.integers(4, 12), 0.35, (0.8, 2.5), 0.4)


def tresses(random, picture) -> np.ndarray:
    """Draw strands of hair that lie side by side."""
    return tuft(random, picture, random.integers(8, 24), 0.06, (0.7, 2), 0.8)


def fence(random, picture) -> np.ndarray:
    """Put up bars or a mesh, at one distance."""
    step, width = random.uniform(6, 30), width_of(random, 0.8, 5)
    tone, angle = own_tone(random, picture), random.choice((0, np.pi / 4)) + random.normal(0, 0.05)
    centre = somewhere(random, picture.shape)
    cover = np.zeros_like(picture)
    reach, count = max(picture.shape) * 1.5, int(max(picture.shape) / step) + 1
    for turn in (0, np.pi / 2)[: random.integers(1, 3)]:
        along = np.array([np.cos(angle + turn), np.sin(angle + turn)])
        across = along[::-1] * (-1, 1)
        for number in range(-count, count + 1):
            middle = centre + number * step * across
            ends = np.stack([middle - reach * along, middle + reach * along])
            cover = np.maximum(cover, stroke(picture.shape, ends, [width]))
    region = smooth_noise(random, picture.shape, max(picture.shape)) > random.uniform(-2, 0.5)
    return laid(picture, cover * region, tone)


def frames(random, picture) -> np.ndarray:
    """Draw spectacles: two rims and a bridge."""
    size, width = random.uniform(6, 40), width_of(random, 0.8, 4)
    centre, tone = somewhere(random, picture.shape), own_tone(random, picture)
    around = np.linspace(0, 2 * np.pi, 32)
    round_ = np.stack([size * np.cos(around), random.uniform(0.7, 1) * size * np.sin(around)], 1)
    for side in (-1.25, 1.25):
        points = centre + round_ + np.array([side * size, 0])
        picture = laid(picture, stroke(picture.shape, points, np.full(32, width)), tone)
    ends = centre + np.array([[-0.25 * size, 0], [0, -0.15 * size], [0.25 * size, 0]])
    return laid(picture, stroke(picture.shape, ends, np.full(3, width)), tone)


def rain(random, picture) -> np.ndarray:
    """Let rain or snow fall: short faint streaks, all one way."""
    fall = np.array([random.normal(0, 0.3), 1.0]) * random.uniform(3, 25)
    cover = np.zeros_like(picture)
    for _ in range(int(random.uniform(20, 80) * picture.size / 160**2)):
        start = somewhere(random, picture.shape)
        cover = np.maximum(cover, stroke(picture.shape, np.stack([start, start + fall]), [1.0]))
    return laid(picture, cover * random.uniform(0.2, 0.6), random.uniform(0.7, 1))


def rigging(random, picture) -> np.ndarray:
    """Draw the shrouds of a ship, or the cables of a bridge: straight lines out of one point."""
    top, tone = somewhere(random, picture.shape), own_tone(random, picture)
    width, reach = width_of(random, 0.7, 3), random.uniform(0.4, 1.2) * max(picture.shape)
    base = top + reach * np.array([random.normal(0, 0.4), random.choice((-1, 1))])
    feet = base + np.linspace(-0.3, 0.3, random.integers(3, 8))[:, None] * (reach, 0)
    for foot in feet:
        picture = laid(picture, stroke(picture.shape, np.stack([top, foot]), [width]), tone)
    for height in np.linspace(0.2, 0.9, random.integers(0, 8)):
        rungs = top + height * (feet - top)
        cover = stroke(picture.shape, rungs, np.full(len(feet), 0.7 * width))
        picture = laid(picture, cover, tone)
    return picture


def branches(random, picture) -> np.ndarray:
    """Grow a bare tree: dark, tapering from a trunk, without a rim."""
    tone, lines = random.uniform(0.02, 0.3), []
    start = np.array([random.uniform(0, 1) * picture.shape[1], picture.shape[0] + 4.0])
    lines.append((start, -np.pi / 2 + random.normal(0, 0.3), 0.7 * max(picture.shape), 10.0))
    for number in range(20):
        if number >= len(lines):
            break
        start, angle, length, width = lines[number]
        end = start + length * np.array([np.cos(angle), np.sin(angle)])
        points = rough_path(random, start, end, 0.03, 3)
        taper = width * np.linspace(1, 0.6, len(points))
        picture = laid(picture, stroke(picture.shape, points, taper), tone)
        for _ in range(random.integers(1, 4)):
            place = points[random.integers(2, len(points))]
            turn = angle + random.choice((-1, 1)) * random.uniform(0.3, 0.9)
            if width > 1:
                lines.append((place, turn, length * random.uniform(0.4, 0.7), 0.6 * width))
    return picture


def writing(random, picture) -> np.ndarray:
    """Write a few words on the print, or on a sign in it."""
    text = "".join(random.choice(list(LETTERS), random.integers(4, 14)))
    place = somewhere(random, picture.shape) * (0.6, 1)
    font, size = FONTS[random.integers(len(FONTS))], random.uniform(0.4, 1.6)
    drawn = np.zeros(picture.shape, np.uint8)
    thick = int(random.integers(1, 4))
    cv2.putText(drawn, text, place.astype(int).tolist(), font, size, 255, thick, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D(place.tolist(), random.normal(0, 10), 1)
    drawn = cv2.warpAffine(drawn, turn, drawn.shape[::-1])
    return laid(picture, drawn / np.float32(255), own_tone(random, picture))


def stain(random, picture) -> np.ndarray:
    """Let water dry on the print: a tint that the picture shows through, and a darker edge."""
    size = random.uniform(0.2, 0.8) * max(picture.shape)
    height, width = picture.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    centre = somewhere(random, picture.shape)
    edge = 1 - np.hypot(x - centre[0], y - centre[1]) / size
    edge = edge * size + 0.06 * size * smooth_noise(random, picture.shape, 0.4 * size)
    inside = np.clip(edge / 2, 0, 1)
    tint, strength = random.uniform(-0.15, 0.1), random.uniform(0.02, 0.12)
    rim = np.exp(-((edge / random.uniform(2, 6)) ** 2)) * strength
    return np.clip(picture + (inside * tint - rim).astype(np.float32), 0, 1)


def tape(random, picture) -> np.ndarray:
    """Stick clear tape across the print: a strip of less contrast with straight edges."""
    start, end = across_picture(random, picture.shape)
    strip = stroke(picture.shape, np.stack([start, end]), [random.uniform(15, 50)])
    tone = random.uniform(0.3, 0.9)
    return laid(picture, strip * random.uniform(0.1, 0.4), tone)


def border(random, picture) -> np.ndarray:
    """Leave the white border of a print, or the dark frame of a film, on one side or on all."""
    layer = Layer(picture.shape)
    width = int(random.uniform(2, 25))
    cover = np.zeros_like(picture)
    sides = random.random(4) < random.choice((0.35, 1.0))
    cover[: width * sides[0]] = 1
    cover[picture.shape[0] - width * sides[1] :] = 1
    cover[:, : width * sides[2]] = 1
    cover[:, picture.shape[1] - width * sides[3] :] = 1
    tone = random.choice((random.uniform(0.85, 1), random.uniform(0, 0.15)))
    layer.add(cover, tone + 0.01 * smooth_noise(random, picture.shape, 1.5))
    return layer.on(picture)


# What belongs to the scene, and is as soft as it; and what lies on the print.
IN_SCENE = (
    rope,
    wires,
    whiskers,
    tresses,
    fence,
    frames,
    rain,
    rigging,
    branches,
    writing,
)
ON_PRINT = (stain, tape, border, writing)
