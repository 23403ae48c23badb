"""Chroma onto a photograph's own luminance, at full size and fast; sRGB, XYZ and Lab in NumPy."""

import cv2
import numpy as np

# Linear RGB to XYZ and back (IEC 61966-2-1, D65), each row divided by the white point: white
# is (1, 1, 1), and the middle row is luminance.
RGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
RGB_TO_XYZ /= RGB_TO_XYZ.sum(axis=1, keepdims=True)
XYZ_TO_RGB = np.linalg.inv(RGB_TO_XYZ).astype(np.float32)
LUMINANCE = RGB_TO_XYZ[1:2].astype(np.float32)

# CIE Lab's cube root continues as a straight line below this root.
TOE = np.float32(6 / 29)

# Networks take and give Lab's a and b in this unit: those of sRGB end at -107.9 and 98.3.
CHROMA_SCALE = 110

# The window in which chroma is a straight line in lightness, in pixels of the network's picture,
# and what counts as flat there, in squared L / 100: about 5 of L.
FIT_RADIUS = 1
FIT_EPSILON = 0.05**2

# Linear light beyond 0 and 1 that is no more than a rounding error.
ROUNDING = 1e-6

# Pixels worked on at a time: few enough for the processor's cache, enough to forget the calls.
STRIP_PIXELS = 40_000


def linear_from_srgb(values) -> np.ndarray:
    """Undo sRGB's gamma, [0, 1] to [0, 1]. Source: IEC 61966-2-1."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(values) -> np.ndarray:
    """Apply sRGB's gamma, [0, 1] to [0, 1]. Source: IEC 61966-2-1."""
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)


def lab_root(values) -> np.ndarray:
    """Take Lab's cube root of X, Y or Z in [0, 1]: L = 116 root(Y) - 16. Source: CIE 15."""
    return np.where(values > TOE**3, np.cbrt(values), values / (3 * TOE**2) + 4 / 29)


# The linear light of every level of 8 and of 16 bits.
LINEAR_8 = linear_from_srgb(np.arange(256) / 255).astype(np.float32)
LINEAR_16 = linear_from_srgb(np.arange(65536) / 65535).astype(np.float32)
ROOT_16 = lab_root(LINEAR_16).astype(np.float32)
# Indexed by linear light in whole steps; the last of the 65536 is white once more, so that a
# rounding error beyond white does no harm.
STEPS = 65534
LIGHT_OF_STEP = np.minimum(np.arange(65536) / STEPS, 1)
ROOT_OF_STEP = lab_root(LIGHT_OF_STEP).astype(np.float32)
LEVEL_OF_STEP = np.rint(255 * srgb_from_linear(LIGHT_OF_STEP)).astype(np.uint8)


def chroma_of(rgb) -> np.ndarray:
    """Return Lab a and b, float32 (..., 2), of sRGB (..., 3) in [0, 1]. Source: CIE 15."""
    return _chroma_of_linear(linear_from_srgb(rgb))


def _chroma_of_linear(rgb) -> np.ndarray:
    """Return Lab a and b, float32 (..., 2), of linear RGB (..., 3) in [0, 1]."""
    roots = lab_root(rgb @ RGB_TO_XYZ.T).astype(np.float32)
    x, y, z = np.moveaxis(roots, -1, 0)
    return np.stack([500 * (x - y), 200 * (y - z)], axis=-1)


def rgb_of(gray, chroma) -> np.ndarray:
    """Return sRGB, float32 (H, W, 3) in [0, 1], of gray (H, W, 1) in [0, 1] and Lab a, b (H, W, 2).

    What sRGB cannot show is clipped, channel by channel.
    """
    linear = cv2.merge(_linear_rgb(gray, chroma))
    return srgb_from_linear(np.clip(linear, 0, 1)).astype(np.float32)


def clipped(gray, chroma) -> np.ndarray:
    """Return `chroma_of(rgb_of(gray, chroma))`, but for rounding; fast where little is clipped."""
    red, green, blue = linear = _linear_rgb(gray, chroma)
    outside = cv2.max(cv2.max(red, green), blue) > 1 + ROUNDING
    outside |= cv2.min(cv2.min(red, green), blue) < -ROUNDING
    if outside.any():
        rgb = np.stack([plane[outside] for plane in linear], axis=-1)
        chroma = chroma.copy()
        chroma[outside] = _chroma_of_linear(np.clip(rgb, 0, 1))
    return chroma


def _linear_rgb(gray, chroma) -> list[np.ndarray]:
    """Return linear red, green and blue, float32 (H, W) each, of gray and Lab a and b, not clipped.

    Source: CIE 15. Gray counts in steps of 16 bits.
    """
    levels = (gray[..., 0] * np.float32(65535) + np.float32(0.5)).astype(np.uint16)
    y, root = cv2.LUT(levels, LINEAR_16), cv2.LUT(levels, ROOT_16)
    a, b = cv2.split(chroma)
    x, z = cv2.addWeighted(a, 1 / 500, root, 1, 0), cv2.addWeighted(b, -1 / 200, root, 1, 0)
    for plane in (x, z):
        _undo_lab_root(plane, root)
        plane -= y
    # How far each channel is from gray, of which all three are Y.
    return [
        cv2.addWeighted(x, from_x, z, from_z, 0) + y for from_x, _, from_z in XYZ_TO_RGB.tolist()
    ]


def gray_of(pixels) -> np.ndarray:
    """Return the gray (H, W, 1) that has the luminance of RGB (H, W, 3), both of one dtype."""
    gray = np.empty((*pixels.shape[:2], 1), pixels.dtype)
    rows = max(1, STRIP_PIXELS // pixels.shape[1])
    white = np.iinfo(pixels.dtype).max
    for top in range(0, len(pixels), rows):
        light = np.clip(_luminance(pixels[top : top + rows]), 0, 1)
        gray[top : top + rows, :, 0] = np.rint(white * srgb_from_linear(light))
    return gray


def add_chroma(pixels, small, chroma, strength=1.0) -> np.ndarray:
    """Paint a photograph with chroma that was predicted at a smaller size; its luminance stays.

    `pixels` is the photograph, uint8 or uint16, gray (H, W, 1) or RGB (H, W, 3); `small` the same
    photograph at the size (h, w) of the chroma, uint8, gray or RGB; `chroma` Lab a and b, float32
    (h, w, 2); `strength` scales it. Returns RGB (H, W, 3) of the photograph's dtype: luminance
    (hence Lab L) of the photograph, and the chroma, brought to full size along the photograph's
    edges (`_fit_chroma`). Colours that sRGB cannot show lose chroma until it can, at the same
    luminance and hue.
    """
    height, width, channels = pixels.shape
    lines = _fit_chroma(small, chroma, strength)
    lines = [cv2.resize(line, (line.shape[1], height)) for line in lines]
    painted = np.empty((height, width, 3), pixels.dtype)
    rows = max(1, STRIP_PIXELS // width)
    # Allocated once: fresh memory for every intermediate result would cost more than the sums.
    linear = np.empty((rows, width, channels), np.float32)
    planes = np.empty((11, rows, width), np.float32)
    steps = np.empty((3, rows, width), np.uint16)
    for top in range(0, height, rows):
        strip = pixels[top : top + rows]
        count = len(strip)
        for line, plane in zip(lines, planes, strict=False):
            cv2.resize(line[top : top + count], (width, count), dst=plane[:count])
        y = _luminance(strip, linear[:count])
        _paint(y, planes[:, :count], steps[:, :count], painted[top : top + count])
    return painted


def _luminance(pixels, linear=None) -> np.ndarray:
    """Compute the linear luminance Y, float32 (H, W) in [0, 1], of gray or RGB pixels in sRGB.

    `linear` is room for float32 values of the shape of `pixels`.
    """
    table = LINEAR_8 if pixels.dtype == np.uint8 else LINEAR_16
    linear = cv2.LUT(pixels, table, dst=linear).reshape(pixels.shape)
    return linear[..., 0] if pixels.shape[2] == 1 else cv2.transform(linear, LUMINANCE)


def _fit_chroma(small, chroma, strength):
    """Fit Lab chroma (h, w, 2) as straight lines in the photograph's own root of luminance.

    Returns four float32 planes (h, w): slope and offset of root(X), then the same of root(Z).
    Enlarged and applied to the full-size photograph's root(Y), they let chroma change where its
    lightness does: root(X) - root(Y) is Lab's a / 500, root(Y) - root(Z) its b / 200.

    Source: He & Sun 2015, "Fast Guided Filter", for slopes fitted at a small size and enlarged. Its
    offsets smooth the chroma over the window; here they give each pixel's chroma exactly, because
    that is nearer to true colours than plain interpolation is, and the filter itself is not.
    """
    guide = lab_root(_luminance(small)).astype(np.float32)
    a, b = cv2.split(chroma * np.float32(strength))

    def mean(plane):
        side = 2 * FIT_RADIUS + 1
        return cv2.blur(plane, (side, side), borderType=cv2.BORDER_REFLECT)

    mean_guide = mean(guide)
    variance = mean(guide * guide) - mean_guide**2
    lines = []
    for distance in (a / 500, b / -200):  # root(X) - root(Y), root(Z) - root(Y)
        covariance = mean(guide * distance) - mean_guide * mean(distance)
        slope = mean(covariance / (variance + FIT_EPSILON))
        lines += [1 + slope, distance - slope * guide]
    return lines


def _paint(y, planes, steps, painted) -> None:
    """Paint one strip: fill `painted` (H, W, 3) from its luminance and the lines of its chroma.

    `y` is the linear luminance, float32 (H, W); `planes`, float32 (11, H, W), holds the four lines
    of `_fit_chroma` at full size, then room for what is computed, as `steps`, uint16 (3, H, W), is.
    """
    x, x_offset, z, z_offset, root, share, room, light = planes[:8]
    # Light in whole steps, rounded, is the place in the tables.
    np.multiply(y, np.float32(STEPS), out=light)
    light += np.float32(0.5)
    np.copyto(steps[0], light, casting="unsafe")
    cv2.LUT(steps[0], ROOT_OF_STEP, dst=root)
    for plane, offset in ((x, x_offset), (z, z_offset)):
        plane *= root
        plane += offset
        _undo_lab_root(plane, room)
        plane -= y
    # Each channel's distance from the gray of this luminance. Scaling all three by one share moves
    # neither luminance nor hue: luminance is linear, and its weights add up to 1.
    rgb = planes[8:]
    red, green, blue = rgb
    for channel, (from_x, _, from_z) in zip(rgb, XYZ_TO_RGB.tolist(), strict=True):
        cv2.addWeighted(x, from_x, z, from_z, 0, dst=channel)
    # The share that stays within [0, 1]; room of nearly nothing, instead of nothing, divides.
    highest = np.maximum(np.maximum(red, green, out=x), blue, out=x)
    lowest = np.minimum(np.minimum(red, green, out=z), blue, out=z)
    np.maximum(np.subtract(1, y, out=room), 1e-6, out=room)
    np.divide(room, np.maximum(highest, room, out=highest), out=share)
    np.maximum(y, 1e-6, out=room)
    np.maximum(np.negative(lowest, out=lowest), room, out=lowest)
    np.minimum(share, np.divide(room, lowest, out=room), out=share)
    if painted.dtype == np.uint8:
        # In steps from here on: scaled before it is spread over three channels.
        share *= STEPS
        rgb *= share
        rgb += light
        np.copyto(steps, rgb, casting="unsafe")
        levels = [cv2.LUT(step, LEVEL_OF_STEP) for step in steps]
    else:
        rgb *= share
        rgb += y
        levels = list(np.rint(65535 * srgb_from_linear(np.clip(rgb, 0, 1))).astype(np.uint16))
    cv2.merge(levels, dst=painted)


def _undo_lab_root(plane, cube) -> None:
    """Turn Lab's root r back into X or Z, in place; `cube` is room of the same shape.

    r^3 above the toe t and the tangent t^3 + 3 t^2 (r - t) below it are, without a choice between
    the two, m^3 + 3 t^2 (r - m) with m = max(r, t).
    """
    higher = np.maximum(plane, TOE, out=cube)
    plane -= higher
    plane *= 3 * TOE**2
    cube *= cube * cube
    plane += cube
