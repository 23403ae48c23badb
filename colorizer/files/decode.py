"""From an opened image to its pixels: upright, in sRGB, as deep as they are stored."""

from colorizer.files import icc, png, tiff
from colorizer.pixels import high_bits

import numpy as np
from PIL import Image, ImageOps


def is_deep(image) -> bool:
    """Tell whether an `opened` image holds more than 8 bits a channel."""
    return isinstance(image, tiff.DeepTiff) or png.is_deep(image)


def decode(image, deep, orientation):
    """Decode an `opened` image: pixels, upright and in sRGB, and alpha or None.

    `orientation`, EXIF's 1 to 8, is asked for where it is `deep`, with more than 8 bits a channel.
    """
    if not deep:
        return _decode_eight_bit(image)
    profile = image.info.get("icc_profile")
    if isinstance(image, tiff.DeepTiff):
        pixels, alpha = image.load()
    else:
        pixels, alpha = png.load_deep(image.fp)
    if isinstance(pixels, Image.Image):
        pixels = np.asarray(icc.to_srgb(pixels, profile).convert("RGB"))
    pixels = np.ascontiguousarray(_upright(pixels, orientation))
    if alpha is not None:
        alpha = np.ascontiguousarray(_upright(alpha[..., np.newaxis], orientation)[..., 0])
    if profile and pixels.dtype == np.uint16:
        pixels = _deep_srgb(pixels, profile)
    return pixels, alpha


def _decode_eight_bit(image):
    """Turn a Pillow image of any mode upright and into sRGB: uint8 (H, W, 1 or 3), and alpha."""
    profile = image.info.get("icc_profile")
    ImageOps.exif_transpose(image, in_place=True)
    alpha = None
    if image.has_transparency_data:
        gray = image.mode in ("1", "L", "LA", "La", "I;16")
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"))
        image = image.convert("L" if gray else "RGB")
    elif image.mode in ("I", "F", "I;16", "I;16B", "I;16L", "I;16N"):
        image = _eight_bit(image)
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode in ("P", "RGBX", "YCbCr"):
        image = image.convert("RGB")
    image = icc.to_srgb(image, profile)
    if image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    return np.asarray(image).reshape(image.height, image.width, -1), alpha


def _eight_bit(image):
    """Scale gray of more than 8 bits to 8: floats from [0, 1], whole numbers by 257."""
    values = np.asarray(image)
    scale = 255 if values.dtype.kind == "f" else 1 / 257
    return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))


def _deep_srgb(pixels, profile) -> np.ndarray:
    """Convert 16-bit pixels to sRGB by their profile.

    Little CMS is within reach for 8 bits only: it converts those, the rest is carried over.
    """
    high = high_bits(pixels)
    image = Image.fromarray(high[..., 0] if high.shape[2] == 1 else high)
    converted = np.asarray(icc.to_srgb(image, profile)).reshape(high.shape)
    rest = pixels - 257 * high.astype(np.int32)
    return np.clip(257 * converted.astype(np.int32) + rest, 0, 65535).astype(np.uint16)


def _upright(pixels, orientation) -> np.ndarray:
    """Turn pixels (H, W, C) upright by EXIF's orientation, 1 to 8."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
