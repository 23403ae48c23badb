"""Old photographs made of new ones: what a colorizer learns from, beside pictures as they are.

Only what the network sees is aged: the film that saw little red, the faded, soft, grainy and
broken print, the bars of a film. What it ought to paint stays the true chroma; a frame has none.
Pictures are gray, float32 (H, W) in [0, 1]. Every draw comes from the generator that is given.

Source: as in damage.py, the recipes of Wan et al. 2020 and Wang et al. 2021. Their damage is to be
undone; this is to be seen through, so it is stronger, and it knows film.
"""

from colorizer.pixels import to_uint8, to_unit

import cv2
import numpy as np

# How often each happens to a picture that is aged. Film and curve always do.
EVEN_LIGHT, SHARP, WITHOUT_GRAIN = 0.5, 0.4, 0.3
WHOLE, WITHOUT_FRAME, UNCOMPRESSED = 0.75, 0.8, 0.5
# How often grain, or a scanner's noise, comes after the fading, so that it is as strong as ever.
FADED_FIRST = 0.5

# How much of the gray is red, green and blue light, of sRGB's values. Panchromatic film sees about
# what the eye does; orthochromatic is blind to red; film before 1880 saw blue alone.
PANCHROMATIC = 0.30, 0.59, 0.11
FILMS = np.array(
    [PANCHROMATIC, (0.40, 0.35, 0.25), (0.05, 0.45, 0.50), (0.02, 0.20, 0.78)], np.float32
)
# Gamma of the whole process, and the levels that black and white have become.
GAMMA = 0.6, 1.6
BLACK, WHITE = (0.0, 0.3), (0.62, 1.0)
# How much darker or brighter corners, sides and places are.
VIGNETTE, SLOPE, HILLS = (0.0, 0.6), (0.0, 0.4), (0.0, 0.3)
# In pixels of what the network sees.
SOFTNESS = 0.4, 2.2
SHRUNK = 1.5, 3.0
# Deviation in shares of the way from black to white; sizes are sigmas in pixels.
GRAIN, GRAIN_SIZES = (0.01, 0.16), (0.0, 0.5, 0.8, 1.3)
JPEG_QUALITY = 25, 95
# The widest frame, in shares of a side.
FRAME = 0.02, 0.25


def age(random, gray, rgb, share):
    """Age a share of a batch.

    `gray` is uint8 (N, H, W, 1) and `rgb` uint8 (N, H, W, 3), its truth. Returns new arrays of the
    same shapes: where a picture has got a frame, its truth is gray there.
    """
    gray, rgb = gray.copy(), rgb.copy()
    for number in np.flatnonzero(random.random(len(gray)) < share):
        picture, frame = age_one(random, rgb[number])
        gray[number, ..., 0] = to_uint8(picture)
        rgb[number][frame] = gray[number][frame]
    return gray, rgb


def age_one(random, rgb):
    """Return an old print of a picture, uint8 (H, W, 3), and where it has a frame, bool (H, W)."""
    picture = develop(random, expose(random, rgb))
    even, sharp, clean, whole, open_, raw, faded_first = random.random(7) < (
        *(EVEN_LIGHT, SHARP, WITHOUT_GRAIN),
        *(WHOLE, WITHOUT_FRAME, UNCOMPRESSED, FADED_FIRST),
    )
    if not even:
        picture = light_unevenly(random, picture)
    if not sharp:
        picture = soften(random, picture)
    if not clean and not faded_first:
        picture = add_grain(random, picture)
    if not whole:
        picture = break_up(random, picture)
    frame = np.zeros(picture.shape, bool)
    if not open_:
        picture, frame = put_in_frame(random, picture)
    picture = np.clip(fade(random, picture), 0, 1)
    if not clean and faded_first:
        picture = np.clip(add_grain(random, picture), 0, 1)
    return (picture if raw else compress(random, picture)), frame


def expose(random, rgb) -> np.ndarray:
    """Return what a film makes of a picture's colours: a mix of two kinds of film."""
    first, second = FILMS[random.integers(len(FILMS), size=2)]
    share = random.random()
    weights = share * first + (1 - share) * second
    return to_unit(rgb) @ weights.astype(np.float32)


def develop(random, picture) -> np.ndarray:
    """Apply a film's characteristic curve: a gamma, and a toe and a shoulder."""
    picture = np.power(
        np.maximum(picture, 1e-4), np.float32(np.exp(random.uniform(*np.log(GAMMA))))
    )
    # Between the straight line and smoothstep, or its mirror image.
    bend = np.float32(random.uniform(-0.4, 0.9))
    return picture + bend * (picture * picture * (3 - 2 * picture) - picture)


def fade(random, picture) -> np.ndarray:
    """Make black gray and white gray; what is beyond either is lost."""
    black = BLACK[1] * random.random() ** 2 if random.random() < 0.7 else random.uniform(*BLACK)
    white = random.uniform(*WHITE)
    if random.random() < 0.3:
        # Too much or too little light: the ends are clipped before they fade.
        low, high = random.uniform(0, 0.15), random.uniform(0.75, 1)
        picture = np.clip((picture - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.float32(black) + np.float32(white - black) * picture


def light_unevenly(random, picture) -> np.ndarray:
    """Light one side more than the other, the middle more than the corners, and in clouds."""
    height, width = picture.shape
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, np.newaxis]
    columns = np.linspace(-1, 1, width, dtype=np.float32)
    angle = random.uniform(0, 2 * np.pi)
    slope = np.float32(random.uniform(*SLOPE)) * (
        np.float32(np.sin(angle)) * rows + np.float32(np.cos(angle)) * columns
    )
    centre = random.uniform(-0.5, 0.5, 2).astype(np.float32)
    vignette = np.float32(random.uniform(*VIGNETTE) / 2) * (
        (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2
    )
    clouds = hills(random, picture.shape, 4) * np.float32(random.uniform(*HILLS))
    return picture * np.maximum(1 + slope - vignette + clouds, 0.1)


def hills(random, shape, count) -> np.ndarray:
    """Return smooth values around 0, mostly within -1 to 1, float32 of `shape`."""
    few = random.uniform(-1, 1, (count, count)).astype(np.float32)
    return cv2.resize(few, shape[::-1], interpolation=cv2.INTER_CUBIC)


def soften(random, picture) -> np.ndarray:
    """Blur as a lens does, or see it with fewer pixels."""
    if random.random() < 0.7:
        sigma = random.uniform(*SOFTNESS)
        return cv2.GaussianBlur(picture, (0, 0), sigma)
    height, width = picture.shape
    times = random.uniform(*SHRUNK)
    small = round(width / times), round(height / times)
    small = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    way = cv2.INTER_CUBIC if random.random() < 0.5 else cv2.INTER_LINEAR
    return cv2.resize(small, (width, height), interpolation=way)


def add_grain(random, picture) -> np.ndarray:
    """Add grain of one size or a mix of two, strongest in the middle tones or everywhere alike."""
    noise = np.zeros(picture.shape, np.float32)
    for size in random.choice(GRAIN_SIZES, random.integers(1, 3), replace=False):
        layer = random.standard_normal(picture.shape, np.float32)
        if size:
            layer = cv2.GaussianBlur(layer, (0, 0), size)
        noise += layer / layer.std()
    # The square favours little grain.
    deviation = GRAIN[0] + (GRAIN[1] - GRAIN[0]) * random.random() ** 2
    noise *= np.float32(deviation / noise.std())
    if random.random() < 0.5:
        noise *= 0.4 + 2.4 * picture * (1 - picture)
    return picture + noise


def break_up(random, picture) -> np.ndarray:
    """Draw cracks, scratches and folds, specks and stains."""
    height, width = picture.shape
    picture = picture.copy()
    for _ in range(random.poisson(1.5)):
        stain = hills(random, picture.shape, random.integers(4, 9))
        edge = np.clip((stain - np.float32(random.uniform(0.4, 0.9))) * 6, 0, 1)
        picture = picture + edge * np.float32(random.uniform(-0.3, 0.3))
    for _ in range(random.poisson(3)):
        level, thickness = random.choice((0.02, 0.9, 1.0)), int(random.integers(1, 3))
        line = crack(random, height, width)
        drawn = cv2.polylines(
            picture.copy(), [line], False, float(level), thickness, cv2.LINE_AA, 4
        )
        opacity = np.float32(random.uniform(0.4, 1))
        picture += opacity * (drawn - picture)
    for _ in range(random.poisson(4)):
        centre = random.integers(0, (width, height)).tolist()
        radius = int(random.integers(1, 4))
        cv2.circle(picture, centre, radius, float(random.choice((0.05, 0.95))), -1, cv2.LINE_AA)
    return picture


def crack(random, height, width) -> np.ndarray:
    """Return the points of a line, int32 (N, 1, 2) with 4 bits behind the point.

    It runs straight like a fold, upright like a film's scratch, or wanders like a crack.
    """
    kind = random.integers(3)
    count = 2 if kind < 2 else 14
    length = random.uniform(0.3, 1.5) * max(height, width)
    angle = np.pi / 2 if kind == 1 else random.uniform(0, np.pi)
    angles = angle + np.cumsum(random.normal(0, (0.0, 0.02, 0.45)[kind], count))
    moves = length / count * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = np.cumsum(moves, axis=0)
    points += random.uniform(0, (width, height)) - points.mean(axis=0)
    return np.rint(points * 16).astype(np.int32)[:, np.newaxis]


def put_in_frame(random, picture):
    """Put a print's paper, an album's page or a film's bars around a picture.

    Returns it and where they are, bool (H, W).
    """
    height, width = picture.shape
    widths = np.zeros(4, int)
    kind = random.integers(4)
    chosen = ((0, 1), (2, 3), (0, 1, 2, 3), (random.integers(4),))[kind]
    for side in chosen:
        length = height if side < 2 else width
        widths[side] = round(random.uniform(*FRAME) * length)
    if kind < 2:
        widths[chosen[1]] = widths[chosen[0]]  # bars are alike
    top, bottom, left, right = widths
    frame = np.ones(picture.shape, bool)
    frame[top : height - bottom, left : width - right] = False
    dark = random.random() < 0.6
    level = random.uniform(0, 0.12) if dark else random.uniform(0.7, 1)
    paper = np.float32(level) + np.float32(0.03 * random.random()) * hills(random, picture.shape, 6)
    return np.where(frame, paper, picture), frame


def compress(random, picture) -> np.ndarray:
    """Store as JPEG."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(*JPEG_QUALITY, endpoint=True))]
    encoded = cv2.imencode(".jpg", to_uint8(picture), quality)[1]
    return to_unit(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE))
