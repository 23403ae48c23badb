"""Pixels: gray, scaling between uint8 and float, fewer bits, other sizes."""

import cv2
import numpy as np

# A photograph is black-and-white when at most one pixel in a thousand has channels further apart
# than this, of 255: JPEG leaves a few levels of chroma noise in gray pictures.
GRAY_TOLERANCE = 8
GRAY_EXCEPTIONS = 0.001


def high_bits(values) -> np.ndarray:
    """Round 16-bit values to 8 bits; leave 8-bit ones as they are."""
    if values.dtype == np.uint8:
        return values
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def to_unit(picture) -> np.ndarray:
    """Scale uint8 pixels to float32 in [0, 1]."""
    return np.asarray(picture, np.float32) / 255


def to_uint8(picture) -> np.ndarray:
    """Scale float pixels in [0, 1] to uint8, rounded; what lies outside is clipped."""
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def grayscale(rgb) -> np.ndarray:
    """Turn uint8 RGB (..., H, W, 3) into gray (..., H, W, 1): BT.601 luma, rounded.

    What is gray already stays. Source: ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, which OpenCV
    computes in fixed point.
    """
    if rgb.shape[-1] == 1:
        return rgb
    luma = cv2.cvtColor(rgb.reshape(-1, rgb.shape[-2], 3), cv2.COLOR_RGB2GRAY)
    return luma.reshape(*rgb.shape[:-1], 1)


def is_gray(rgb) -> bool:
    """Tell whether RGB (H, W, 3) is a black-and-white photograph without any tone.

    True when no more than GRAY_EXCEPTIONS of the pixels have channels over GRAY_TOLERANCE apart.
    """
    red, green, blue = cv2.split(rgb)
    highest = cv2.max(cv2.max(red, green), blue)
    lowest = cv2.min(cv2.min(red, green), blue)
    coloured = np.count_nonzero(cv2.subtract(highest, lowest) > GRAY_TOLERANCE)
    return coloured <= GRAY_EXCEPTIONS * red.size


def resize(picture, height, width) -> np.ndarray:
    """Resize (H, W, C): the mean of the area when shrinking, cubic otherwise; uint8 is clipped."""
    shrinking = height <= picture.shape[0] and width <= picture.shape[1]
    method = cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
    resized = cv2.resize(picture, (width, height), interpolation=method)
    return resized.reshape(height, width, picture.shape[-1])


def shrink(picture, height, width) -> np.ndarray:
    """Resize as `resize` does, several times faster where a picture shrinks much.

    It is halved, which is fast, as often as leaves enough for the mean of the area.
    """
    while picture.shape[0] >= 4 * height and picture.shape[1] >= 4 * width:
        half = -(-picture.shape[0] // 2), -(-picture.shape[1] // 2)
        halved = cv2.resize(picture, half[::-1], interpolation=cv2.INTER_LINEAR)
        picture = halved.reshape(*half, picture.shape[2])
    return resize(picture, height, width)


def padded(pictures, multiple, shortest=0) -> np.ndarray:
    """Continue pictures (..., H, W, C) in their mirror image, below and to the right.

    Their sides become multiples of `multiple`, and `shortest` or more.
    """
    sides = pictures.shape[-3:-1]
    lengths = [max(shortest, -(-side // multiple) * multiple) - side for side in sides]
    if not any(lengths):
        return pictures
    around = [*[(0, 0)] * (pictures.ndim - 3), *((0, length) for length in lengths), (0, 0)]
    return np.pad(pictures, around, mode="symmetric")
