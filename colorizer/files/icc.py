"""Colour profiles: which is sRGB, judged by what it does; conversion to sRGB."""

import functools
import io

import imagecodecs
import numpy as np
from PIL import Image, ImageCms

# Levels of 255 by which a profile that is sRGB under any name may differ from ours.
SAME = 2

# The colour spaces of profiles, as ICC writes them, and Pillow's modes of pixels they are for.
SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}

# Little CMS would go through a coarse grid of colours, and lose steps of 16 bits in the shadows.
NO_GRID = 0x100
# Rows of this many pixels are converted at a time.
BLOCK = 1 << 20
# Levels of 65,535 by which colours may differ from what Little CMS makes of them one by one.
DEEP_SAME = 64

UNREADABLE = (ImageCms.PyCMSError, OSError, ValueError, TypeError)


def to_srgb(image, profile):
    """Convert a Pillow image of mode L, RGB, CMYK or LAB to sRGB by its embedded profile.

    Gray stays gray, the other modes become RGB. Returns the image as it is where there is no
    profile, one that is broken or for another mode, or nothing to do.
    """
    transform = _transform(profile, image.mode) if profile or image.mode == "LAB" else None
    if transform is None:
        return image
    converted = ImageCms.applyTransform(image, transform)
    return converted.convert("L") if image.mode == "L" else converted


@functools.lru_cache(maxsize=16)
def _transform(profile, mode):
    """Build the conversion from a profile (bytes) to sRGB; None where there is nothing to do."""
    try:
        if mode == "LAB":
            source = ImageCms.createProfile("LAB")
        else:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if SPACES.get(source.profile.xcolor_space.strip()) != mode or _is_srgb(source):
                return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except UNREADABLE:
        # The pixels are read without a profile that cannot be, as browsers do.
        return None


def _is_srgb(profile) -> bool:
    """Tell whether a profile leaves a lattice of RGB colours where sRGB has them."""
    if profile.profile.xcolor_space.strip() != "RGB":
        return False
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    lattice = Image.fromarray(np.stack(np.meshgrid(steps, steps, steps), -1).reshape(27, 27, 3))
    transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "RGB", "RGB")
    converted = ImageCms.applyTransform(lattice, transform)
    return np.abs(np.asarray(converted, int) - np.asarray(lattice, int)).max() <= SAME


def deep_to_srgb(pixels, profile) -> np.ndarray:
    """Convert 16-bit pixels (H, W, 1 or 3) to sRGB by their embedded profile; others stay.

    They stay where there is no profile, one that is broken or for another mode, or nothing to do.
    """
    if not profile or pixels.dtype != np.uint16:
        return pixels
    mode = "L" if pixels.shape[2] == 1 else "RGB"
    if _transform(profile, mode) is None:
        return pixels
    if mode == "L":
        return _gray_table(profile)[pixels]
    tables = _light_tables(profile)
    converted = np.empty_like(pixels)
    flat, target = pixels.reshape(-1, 3), converted.reshape(-1, 3)
    for place in range(0, len(flat), BLOCK):
        block = slice(place, place + BLOCK)
        target[block] = (
            _srgb_of_light(sum(table[flat[block, c]] for c, table in enumerate(tables)))
            if tables is not None
            else _by_little_cms(flat[np.newaxis, block], profile)[0]
        )
    return converted


@functools.lru_cache(maxsize=4)
def _gray_table(profile) -> np.ndarray:
    """Return the gray level in sRGB of each of the 65,536 of a gray profile."""
    levels = np.arange(65536, dtype=np.uint16)[np.newaxis]
    return _by_little_cms(levels, profile, "gray")[0, :, 1]


@functools.lru_cache(maxsize=4)
def _light_tables(profile):
    """Return what each level of red, green and blue adds to the light: three (65536, 3).

    The light is sRGB's, linear. None where the profile is more than curves and a matrix.
    """
    levels = np.arange(65536) / 65535
    tables = []
    for channel in range(3):
        ramp = np.zeros((1, 65536, 3))
        ramp[..., channel] = levels
        light = _light_of_srgb(_by_little_cms(ramp, profile)[0])
        tables.append((light - light[0]).astype(np.float32))
    tables[0] += light[0].astype(np.float32)
    colours = np.random.default_rng(0).integers(0, 65536, (1, 4096, 3)).astype(np.uint16)
    ours = _srgb_of_light(sum(table[colours[0, :, c]] for c, table in enumerate(tables)))
    theirs = _by_little_cms(colours, profile)[0]
    return tables if np.abs(ours.astype(int) - theirs).max() <= DEEP_SAME else None


def _by_little_cms(pixels, profile, space="rgb") -> np.ndarray:
    """Convert pixels (H, W) or (H, W, 3) to sRGB (H, W, 3) of the same type, colour by colour."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    types = {"outdtype": pixels.dtype, "colorspace": space, "outcolorspace": "rgb"}
    return imagecodecs.cms_transform(pixels, profile, srgb, flags=NO_GRID, **types)


def _light_of_srgb(values) -> np.ndarray:
    """Undo sRGB's curve, also below 0. Source: IEC 61966-2-1."""
    return np.where(
        values <= 0.04045, values / 12.92, ((np.maximum(values, 0) + 0.055) / 1.055) ** 2.4
    )


def _srgb_of_light(light) -> np.ndarray:
    """Apply sRGB's curve to light from 0 to 1; return uint16. Source: IEC 61966-2-1."""
    light = np.clip(light, 0, 1)
    curved = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(curved * 65535).astype(np.uint16)


@functools.lru_cache(maxsize=16)
def written(profile) -> bytes:
    """Give the profile to write for RGB pixels in sRGB: the file's own if it is sRGB, else a plain.

    Empty where the file had none, or one that cannot be read.
    """
    if not profile:
        return b""
    try:
        if _is_srgb(ImageCms.ImageCmsProfile(io.BytesIO(profile))):
            return profile
    except UNREADABLE:
        return b""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
