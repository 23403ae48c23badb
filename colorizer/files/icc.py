"""Colour profiles: which is sRGB, judged by what it does; conversion to sRGB."""

import functools
import io

import numpy as np
from PIL import Image, ImageCms

# Levels of 255 by which a profile that is sRGB under any name may differ from ours.
SAME = 2

# The colour spaces of profiles, as ICC writes them, and Pillow's modes of pixels they are for.
SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}

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
