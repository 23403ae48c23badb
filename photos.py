"""Read and write photographs; grayscale; pixel scaling; chroma onto full-size luminance.

Pictures are uint8 arrays, RGB (H, W, 3) or gray (H, W, 1), in sRGB, upright, unless said otherwise.
"""

import functools
import io
import os
import stat
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps

from project import replacing

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")

# What is not a number of pixels anyone photographs is a broken or hostile header.
MAX_MEGAPIXELS = 250

# A photograph is black-and-white when at most one pixel in a thousand has channels further apart
# than this, of 255: JPEG leaves a few levels of chroma noise in gray pictures.
GRAY_TOLERANCE = 8
GRAY_EXCEPTIONS = 0.001

# Pillow would warn and refuse by its own limit when a file is opened; `open_picture` has ours.
Image.MAX_IMAGE_PIXELS = None


class PhotographError(Exception):
    """A file cannot be read as a photograph; the message is one phrase that says why."""


def find_photographs(folder, onerror=None) -> list[Path]:
    """List the photographs below `folder`, sorted, judged by suffix; hidden names are skipped.

    Symlinks are followed, and each folder is entered once, so that loops end. A folder that cannot
    be listed is passed over; `onerror` is called with its OSError, as in `os.walk`.
    """
    found, entered = [], set()
    for parent, folders, files in os.walk(folder, onerror=onerror, followlinks=True):
        status = os.stat(parent)
        if (status.st_dev, status.st_ino) in entered:
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            Path(parent, name)
            for name in files
            if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
    return sorted(found)


def open_picture(path, max_megapixels=MAX_MEGAPIXELS) -> Image.Image:
    """Open `path` and read its header, not yet its pixels; raises PhotographError."""
    try:
        # Opening a pipe would wait for its writer for ever.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise PhotographError("it is not a regular file")
        content = Path(path).read_bytes()
        if not content:
            raise PhotographError("the file is empty")
        image = Image.open(io.BytesIO(content))
    except OSError as error:
        raise PhotographError(_reason(error)) from error
    width, height = image.size
    if width * height > max_megapixels * 1e6:
        raise PhotographError(
            f"it is {width} x {height} pixels, over the limit of {max_megapixels} megapixels"
        )
    return image


def read_rgb(path, at_least=None) -> np.ndarray:
    """Read any supported file as uint8 RGB (H, W, 3): sRGB, upright, alpha laid on white.

    With `at_least` (pixels), a JPEG may come at 1/2, 1/4 or 1/8 of its size, which is faster, as
    long as both its sides stay at least that long. Raises PhotographError.
    """
    image = open_picture(path)
    try:
        if at_least is not None:
            image.draft(None, (at_least, at_least))
        ImageOps.exif_transpose(image, in_place=True)
        return np.asarray(to_srgb(image))
    except Exception as error:
        # Pillow's readers raise whatever a broken file makes them stumble over.
        raise PhotographError(_reason(error)) from error


def to_srgb(image) -> Image.Image:
    """Convert a Pillow image of any mode to RGB in sRGB, its transparency laid on white."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith(("I", "F")):
        image = _eight_bit(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode in ("1", "P", "PA", "RGBA"):
        image = image.convert("RGB")
    transform = _transform(profile, image.mode) if profile else None
    if transform:
        return ImageCms.applyTransform(image, transform)
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bit(image) -> Image.Image:
    """Scale a 16-bit, 32-bit or float gray image to 8 bits: floats from [0, 1], others by 257."""
    values = np.asarray(image)
    scale = 255 if values.dtype.kind == "f" else 1 / 257
    return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))


@functools.lru_cache(maxsize=16)
def _transform(profile, mode):
    """Build the conversion from an embedded profile to sRGB; None where there is nothing to do."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError):
        # A broken profile, or one for another mode: the pixels are read without it, as browsers do.
        return None


def _reason(error) -> str:
    """Say in one phrase why a file cannot be read."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, Image.UnidentifiedImageError):
        return "it holds no picture in a known format"
    return f"it is damaged ({error or type(error).__name__})"


def write_png(path, picture) -> None:
    """Write a uint8 picture, gray (H, W) or (H, W, 1) or RGB (H, W, 3), as PNG, whole or not."""
    if picture.ndim == 3 and picture.shape[-1] == 1:
        picture = picture[..., 0]
    with replacing(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")


def to_unit(picture) -> np.ndarray:
    """Scale uint8 pixels to float32 in [0, 1]."""
    return np.asarray(picture, np.float32) / 255


def to_uint8(picture) -> np.ndarray:
    """Scale float pixels in [0, 1] to uint8, rounded; what lies outside is clipped."""
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def grayscale(rgb) -> np.ndarray:
    """Turn uint8 RGB (..., H, W, 3) into gray (..., H, W, 1): BT.601 luma, rounded.

    Source: ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, which OpenCV computes in fixed point.
    """
    luma = cv2.cvtColor(rgb.reshape(-1, rgb.shape[-2], 3), cv2.COLOR_RGB2GRAY)
    return luma.reshape(*rgb.shape[:-1], 1)


def is_gray(rgb) -> bool:
    """Tell whether RGB (H, W, 3) is a black-and-white photograph.

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


def add_chroma(rgb, colours) -> np.ndarray:
    """Give a photograph the chroma of a small colour picture and keep its own luminance.

    `rgb` is the photograph, uint8 (H, W, 3); `colours` a network's picture of it, float32 RGB
    (h, w, 3) in [0, 1]. Returns uint8 (H, W, 3) with Lab L of the one and a, b of the other.
    """
    lab = cv2.cvtColor(to_unit(rgb), cv2.COLOR_RGB2LAB)
    chroma = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB)[..., 1:]
    lab[..., 1:] = resize(chroma, *rgb.shape[:2])
    return to_uint8(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))
