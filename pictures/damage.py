"""What happened to old prints, made up: blur, grain, noise, JPEG, fading, dust and scratches.

Pictures are luminance, float32 (H, W) in [0, 1]. Every draw comes from the generator that is given.

Source: the recipes of Wan et al. 2020 (Bringing Old Photos Back to Life) and Wang et al. 2021
(Real-ESRGAN); the strengths are milder, because what is enlarged is mostly a decent scan.
"""

import functools

from colorizer.pixels import to_uint8, to_unit

import cv2
import numpy as np

# How often each is done to a picture; at least one of them is.
FADED, BLURRED, GRAINY, SCRATCHED, NOISY, COMPRESSED = 0.4, 0.5, 0.6, 0.4, 0.4, 0.7

# All in pixels of the picture that is enlarged or restored, and in shares of white.
BLUR_SIGMA = 0.3, 1.1
DEFOCUS_RADIUS = 0.8, 1.6
MOTION_LENGTH = 1.5, 4.0
GRAIN_DEVIATION = 0.01, 0.07
GRAIN_SIZE = 0.0, 0.9
NOISE_DEVIATION = 0.005, 0.04
JPEG_QUALITY = 30, 95
SCRATCH_WIDTH = 1, 2
SCRATCH_LENGTH = 20, 160
DUST_RADIUS = 0.5, 2.0
# The mean number of scratches and of specks of dust on so many pixels.
SCRATCHES, SPECKS, ON_PIXELS = 1.5, 2.0, 96 * 96
# cv2's fixed point: coordinates have so many bits behind the point.
SHIFT = 4


def cubic(distances) -> np.ndarray:
    """Return the weights of Keys' cubic kernel, a = -0.5, as MATLAB's imresize has it."""
    x = np.abs(distances)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


@functools.lru_cache(maxsize=64)
def bicubic_matrix(length, wanted) -> np.ndarray:
    """Return what resizes `length` pixels to `wanted` along one axis, float32 (wanted, length).

    As MATLAB's imresize: when shrinking, the kernel is as much wider (antialiasing); at the ends
    the picture goes on in its mirror image.
    """
    scale = wanted / length
    stretch = min(scale, 1)
    reach = int(np.ceil(2 / stretch)) + 1
    centres = (np.arange(wanted) + 0.5) / scale - 0.5
    places = np.floor(centres).astype(int)[:, None] + np.arange(-reach, reach + 1)
    weights = cubic(stretch * (places - centres[:, None]))
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = np.mod(places, 2 * length)
    mirrored = np.minimum(mirrored, 2 * length - 1 - mirrored)
    matrix = np.zeros((wanted, length))
    np.add.at(matrix, (np.arange(wanted)[:, None], mirrored), weights)
    return matrix.astype(np.float32)


def resize_bicubic(picture, height, width) -> np.ndarray:
    """Resize a picture as MATLAB's imresize does, with antialiasing when shrinking."""
    rows, columns = (
        bicubic_matrix(*pair) for pair in zip(picture.shape, (height, width), strict=True)
    )
    return rows @ picture @ columns.T


def rounded(picture) -> np.ndarray:
    """Round a picture to the 256 levels of a file."""
    return to_unit(to_uint8(picture))


def clean(truth, scale) -> np.ndarray:
    """Return the picture that becomes `truth` when it is enlarged: bicubic, of 256 levels."""
    height, width = (side // scale for side in truth.shape)
    return rounded(resize_bicubic(truth, height, width))


# --------------------------------------------------------------------------- one damage each


def fade(random, picture) -> np.ndarray:
    """Take contrast away, and expose one side more than the other."""
    black, white = random.uniform(0, 0.25), random.uniform(0.65, 1)
    angle, strength = random.uniform(0, 2 * np.pi), random.uniform(0, 0.25)
    rows, columns = (np.linspace(-1, 1, side, dtype=np.float32) for side in picture.shape)
    slope = np.sin(angle) * rows[:, None] + np.cos(angle) * columns
    exposed = picture ** np.float32(random.uniform(0.7, 1.4)) * (1 + strength * slope)
    return np.clip(black + (white - black) * exposed, 0, 1).astype(np.float32)


def blur(random, picture, scale) -> np.ndarray:
    """Blur by one of three kinds: a Gaussian, longer one way; defocus; a shake of the hand."""
    kind = random.choice(3, p=(0.6, 0.2, 0.2))
    reach = 4 * scale
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32) / scale
    angle = random.uniform(0, np.pi)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    if kind == 0:
        first, second = random.uniform(*BLUR_SIGMA, 2)
        kernel = np.exp(-0.5 * ((along / first) ** 2 + (across / second) ** 2))
    elif kind == 1:
        kernel = np.clip(scale * (random.uniform(*DEFOCUS_RADIUS) - np.hypot(x, y)) + 0.5, 0, 1)
    else:
        half = random.uniform(*MOTION_LENGTH) / 2
        kernel = np.clip(scale * (half - np.abs(along)) + 0.5, 0, 1) * np.exp(
            -2 * (across / 0.7) ** 2
        )
    return cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)


def grain(random, picture, scale) -> np.ndarray:
    """Add the grain of film, which has a size and is strongest in the middle tones."""
    noise = random.standard_normal(picture.shape, np.float32)
    sigma = scale * random.uniform(*GRAIN_SIZE)
    if sigma > 0.3:
        noise = cv2.GaussianBlur(noise, (0, 0), sigma)
    noise *= random.uniform(*GRAIN_DEVIATION) / noise.std()
    return picture + noise * (0.4 + 2.4 * picture * (1 - picture))


def sensor_noise(random, picture) -> np.ndarray:
    """Add the noise of a scanner's sensor: that of light, and a floor."""
    deviation = random.uniform(*NOISE_DEVIATION)
    share = random.random()
    variance = deviation**2 * (share * np.clip(picture, 0, 1) * 2 + (1 - share))
    return picture + np.sqrt(variance) * random.standard_normal(picture.shape, np.float32)


def compress(random, picture) -> np.ndarray:
    """Store as JPEG."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(*JPEG_QUALITY, endpoint=True))]
    encoded = cv2.imencode(".jpg", to_uint8(picture), quality)[1]
    return to_unit(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE))


def scratches(random, shape, scale):
    """Draw thin scratches and specks of dust: how much they cover, and their brightness.

    Both are float32 (H, W) in [0, 1], of a picture of that `shape`.
    """
    height, width = shape
    cover = np.zeros(shape, np.float32)
    tone = np.zeros(shape, np.float32)
    share = height * width / (scale**2 * ON_PIXELS)
    curves, specks = 1 + random.poisson(SCRATCHES * share), random.poisson(SPECKS * share)
    for number in range(curves + specks):
        drawn = np.zeros(shape, np.uint8)
        if number < curves:
            points = np.rint(curve(random, shape, scale) * 2**SHIFT).astype(np.int32)
            thickness = int(
                random.integers(SCRATCH_WIDTH[0], scale * SCRATCH_WIDTH[1], endpoint=True)
            )
            cv2.polylines(drawn, [points], False, 255, thickness, cv2.LINE_AA, SHIFT)
        else:
            centre = np.rint(random.uniform(0, (width, height)) * 2**SHIFT).astype(int)
            axes = np.rint(scale * random.uniform(*DUST_RADIUS, 2) * 2**SHIFT).astype(int)
            angle = random.uniform(0, 180)
            cv2.ellipse(
                drawn, centre.tolist(), axes.tolist(), angle, 0, 360, 255, -1, cv2.LINE_AA, SHIFT
            )
        opacity = np.float32(random.uniform(0.5, 1)) * to_unit(drawn)
        bright = random.random() < 0.6
        level = random.uniform(0.75, 1) if bright else random.uniform(0, 0.25)
        tone = np.where(opacity > cover, np.float32(level), tone)
        cover = np.maximum(cover, opacity)
    return cover, tone


def curve(random, shape, scale) -> np.ndarray:
    """Return the points (x, y) of a scratch, float64 (N, 2): nearly straight, or like a hair."""
    length = scale * np.exp(random.uniform(*np.log(SCRATCH_LENGTH)))
    count = 12
    sway = random.choice((0.03, 0.15, 0.5))
    # Film is scratched along the way it runs.
    start = np.pi / 2 if random.random() < 0.4 else random.uniform(0, np.pi)
    angles = start + np.cumsum(random.normal(0, sway, count))
    moves = length / count * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = np.cumsum(moves, axis=0)
    middle = random.uniform(0, shape[::-1])
    return points - points.mean(axis=0) + middle


# ------------------------------------------------------------------------------- all together


def damage(random, truth, scale):
    """Make an old print of a sharp picture, which a network then enlarges by `scale`, 1 or 2.

    Returns the print (H / scale, W / scale), of the 256 levels of a file, and what it ought to
    become, (H, W): the `truth`, which may be faded, because fading is not undone.
    """
    faded, blurred, grainy, scratched, noisy, compressed = random.random(6) < (
        FADED,
        BLURRED,
        GRAINY,
        SCRATCHED,
        NOISY,
        COMPRESSED,
    )
    if not (blurred or grainy or scratched or noisy or compressed):
        compressed = True
    if faded:
        truth = fade(random, truth)
    picture = truth
    for kind in random.permutation(3):
        if kind == 0 and blurred:
            picture = blur(random, picture, scale)
        if kind == 1 and grainy:
            picture = grain(random, picture, scale)
        if kind == 2 and scratched:
            cover, tone = scratches(random, picture.shape, scale)
            picture = picture + cover * (tone - picture)
    if scale > 1:
        picture = shrink(random, picture, scale)
    if noisy:
        picture = sensor_noise(random, picture)
    if compressed:
        picture = compress(random, picture)
    return rounded(picture), truth


def shrink(random, picture, scale) -> np.ndarray:
    """Shrink by one of the ways of scanners and programs."""
    height, width = (side // scale for side in picture.shape)
    if random.random() < 0.5:
        return resize_bicubic(picture, height, width)
    ways = cv2.INTER_AREA, cv2.INTER_LANCZOS4
    way = ways[random.integers(2)]
    return cv2.resize(picture, (width, height), interpolation=way)
