"""Read and write photographs.

Pictures are uint8 arrays, RGB (H, W, 3) or gray (H, W, 1), in sRGB, upright, unless said otherwise.
"""

import contextlib
import dataclasses
import io
import os
import stat
import struct
import zlib

from colorizer.files import icc, metadata, tiff
from colorizer.files.atomic import replacing
from colorizer.files.metadata import Metadata
from colorizer.pixels import high_bits

import cv2
import numpy as np
import pillow_heif
from PIL import Image, ImageOps, PngImagePlugin

# By content: Pillow knows many more formats, some of which run other programs.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIF", "AVIF", "JPEG2000", "PPM")

# What is not a number of pixels anyone photographs is a broken or hostile header.
MAX_MEGAPIXELS = 250

# Of the 0..100 that libjpeg calls quality; with 4:4:4 chroma, so that colour is not halved again.
JPEG_QUALITY = 95

# HEIC is read by a library of its own.
pillow_heif.register_heif_opener()

# Profiles of printers have some megabytes; Pillow would take more than one for an attack.
PngImagePlugin.MAX_TEXT_CHUNK = 32 << 20

# Pillow would warn and refuse by its own limit when a file is opened; `opened` has ours.
Image.MAX_IMAGE_PIXELS = None


class PhotographError(Exception):
    """A file cannot be read as a photograph; the message is one phrase that says why."""


@dataclasses.dataclass
class Photograph:
    """What a file holds: the picture and what is known about it.

    `pixels` is uint8 or uint16, gray (H, W, 1) or RGB (H, W, 3), sRGB, upright; `alpha` is (H, W)
    of the same dtype or None. `format` is Pillow's name of the file format. `metadata` and
    `icc_profile` are ready to be written, empty where the file had none. `remark` is a phrase for
    the user, or empty.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    format: str = "JPEG"
    metadata: Metadata = dataclasses.field(default_factory=Metadata)
    icc_profile: bytes = b""
    remark: str = ""


@contextlib.contextmanager
def opened(path, max_megapixels=MAX_MEGAPIXELS, page=0):
    """Open a file and give its Pillow image or DeepTiff, of which only the header is read yet.

    Raises PhotographError for all that fails, in here or in the block that uses the image, and for
    a picture of more than `max_megapixels` million pixels. `page` is the place, from 0, of a page
    in a TIFF.
    """
    try:
        # Opening a pipe would wait for its writer for ever.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise PhotographError("it is not a regular file")
        with open(path, "rb") as file:
            magic = file.read(4)
            file.seek(0)
            deep = tiff.opened(file, page) if magic in tiff.MAGIC else None
            image = deep or Image.open(file, formats=FORMATS)
            if page and not deep:
                image.seek(page)
            width, height = image.size
            if not width * height:
                raise PhotographError("it is damaged (it has no pixels)")
            if width * height > max_megapixels * 1e6:
                raise PhotographError(
                    f"it has {width} x {height} pixels, more than {max_megapixels:g} megapixels"
                )
            yield image
    except PhotographError:
        raise
    except tiff.Refused as error:
        raise PhotographError(str(error)) from error
    except Exception as error:
        # Pillow's readers raise whatever a broken file makes them stumble over.
        raise PhotographError(_reason(error)) from error


def _reason(error) -> str:
    """Say in one phrase why a file cannot be read."""
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, Image.UnidentifiedImageError):
        return "it holds no picture in a known format"
    return f"it is damaged ({' '.join(str(error).split()) or type(error).__name__})"


def read_rgb(path, at_least=None) -> np.ndarray:
    """Read any supported file as uint8 RGB (H, W, 3): sRGB, upright, alpha laid on white.

    With `at_least` (pixels), a JPEG may come at 1/2, 1/4 or 1/8 of its size, which is faster, as
    long as both its sides stay at least that long. Raises PhotographError.
    """
    with opened(path) as image:
        if at_least is not None and isinstance(image, Image.Image):
            image.draft(None, (at_least, at_least))
        deep = _is_deep(image)
        orientation = metadata.read(image, texts=False)[1] if deep else 1
        pixels, alpha = _decode(image, deep, orientation)
        pixels = high_bits(pixels)
        if alpha is not None:
            pixels = _on_white(pixels, high_bits(alpha))
        return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def load(image) -> Photograph:
    """Decode an `opened` image with its depth, its alpha, and what its file says about it."""
    format = "JPEG" if image.format == "MPO" else image.format
    profile = image.info.get("icc_profile")
    # Asked for now, because Pillow forgets it when it has decoded the picture; and it would decode
    # a PNG, to look for texts behind the picture.
    deep = _is_deep(image)
    kept, orientation, remark = metadata.read(image, texts=not deep)
    frames = _frames(image)
    if frames > 1 and image.format not in ("MPO", "TIFF"):
        remark = f"only the first of its {frames} frames"
    if image.format in ("JPEG", "MPO") and (whole := _salvaged(image)):
        image, remark = whole, "it is cut off; what is missing is gray"
    pixels, alpha = _decode(image, deep, orientation)
    return Photograph(pixels, alpha, format, kept, icc.written(profile), remark)


def _decode(image, deep, orientation):
    """Decode an `opened` image: pixels, upright and in sRGB, and alpha or None.

    `orientation`, EXIF's 1 to 8, is asked for where it is `deep`, with more than 8 bits a channel.
    """
    if not deep:
        return _decode_eight_bit(image)
    profile = image.info.get("icc_profile")
    if isinstance(image, tiff.DeepTiff):
        pixels, alpha = image.load()
    else:
        pixels, alpha = _load_deep_png(image.fp)
    if isinstance(pixels, Image.Image):
        pixels = np.asarray(icc.to_srgb(pixels, profile).convert("RGB"))
    pixels = np.ascontiguousarray(_upright(pixels, orientation))
    if alpha is not None:
        alpha = np.ascontiguousarray(_upright(alpha[..., np.newaxis], orientation)[..., 0])
    if profile and pixels.dtype == np.uint16:
        pixels = _deep_srgb(pixels, profile)
    return pixels, alpha


def _salvaged(image):
    """Decode a JPEG; return another image of the same file where it is cut off, else None.

    With an end where it breaks off, libjpeg decodes what there is, as viewers do.
    """
    content = image.fp
    try:
        image.load()
    except OSError as error:
        if "truncated" not in str(error):
            raise
        content.seek(0)
        return Image.open(io.BytesIO(content.read() + b"\xff\xd9"), formats=FORMATS)
    return None


def _frames(image) -> int:
    """Count the frames of an animation; damage behind the first is none."""
    try:
        return getattr(image, "n_frames", 1)
    except Exception:
        # Pillow stumbles over later frames in as many ways as over the first.
        return 1


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


def _on_white(pixels, alpha) -> np.ndarray:
    """Lay pixels uint8 (H, W, 1 or 3) with their alpha (H, W) on white."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    laid = Image.composite(
        image, Image.new(image.mode, image.size, "white"), Image.fromarray(alpha)
    )
    return np.asarray(laid).reshape(pixels.shape)


def _eight_bit(image):
    """Scale gray of more than 8 bits to 8: floats from [0, 1], whole numbers by 257."""
    values = np.asarray(image)
    scale = 255 if values.dtype.kind == "f" else 1 / 257
    return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))


def _is_deep(image) -> bool:
    """Tell whether an `opened` image holds 16 bits a channel (Pillow would halve a PNG's)."""
    if isinstance(image, tiff.DeepTiff):
        return True
    return image.format == "PNG" and bool(image.tile) and ";16" in str(image.tile[0][3])


def _load_deep_png(file):
    """Decode a 16-bit PNG with OpenCV; return its pixels as stored, and alpha or None."""
    file.seek(0)
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(file.read(), np.uint8), flags)
    if pixels is None or pixels.dtype != np.uint16:
        raise PhotographError("it is damaged (its 16-bit pixels cannot be decoded)")
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    alpha = None
    if pixels.shape[2] == 4:
        alpha = pixels[..., 3]
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB)
    elif pixels.shape[2] == 3:
        cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)
    return pixels, alpha


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


def encode(photograph, format=None) -> bytes:
    """Encode a photograph in `format`, by default its own, with its EXIF and colour profile.

    PNG and TIFF keep 16 bits, the other formats have 8. JPEG and BMP get the alpha laid on white.
    Raises PhotographError where the format cannot hold the picture.
    """
    format = format or photograph.format
    try:
        if photograph.pixels.dtype == np.uint16 and format == "PNG":
            return _encode_deep_png(photograph)
        if format == "TIFF":
            colours = photograph.pixels.shape[2]
            return tiff.encode(
                _channels(photograph), colours, photograph.metadata, photograph.icc_profile
            )
        return _encode_eight_bit(photograph, format)
    except (OSError, ValueError, RuntimeError) as error:
        raise PhotographError(f"it cannot be written as {format} ({error})") from error


def _encode_eight_bit(photograph, format) -> bytes:
    """Encode 8 bits a channel with Pillow."""
    pixels = high_bits(photograph.pixels)
    if photograph.alpha is not None:
        alpha = high_bits(photograph.alpha)
        opaque = format in ("JPEG", "BMP", "PPM")
        pixels = _on_white(pixels, alpha) if opaque else np.dstack([pixels, alpha])
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    settings = {
        "JPEG": {"quality": JPEG_QUALITY, "subsampling": "4:4:4"},
        "WEBP": {"quality": JPEG_QUALITY},
        "AVIF": {"quality": JPEG_QUALITY},
        "HEIF": {"quality": JPEG_QUALITY},
    }.get(format, {})
    known, left_out = metadata.pillow_settings(photograph.metadata, format)
    settings |= known
    if left_out:
        photograph.remark = f"its {', '.join(left_out)} is too long for a {format} and left out"
    if photograph.icc_profile and format in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "JPEG2000"):
        settings["icc_profile"] = photograph.icc_profile
    encoded = io.BytesIO()
    image.save(encoded, format=format, **settings)
    return encoded.getbuffer()


def _channels(photograph) -> np.ndarray:
    """Put the alpha of a photograph behind its colours: (H, W, 1 to 4)."""
    if photograph.alpha is None:
        return photograph.pixels
    return np.dstack([photograph.pixels, photograph.alpha])


def _encode_deep_png(photograph) -> bytes:
    """Encode 16 bits a channel with OpenCV, and put EXIF and profile behind the PNG's header."""
    channels = _channels(photograph)
    swap = {1: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[channels.shape[2]]
    # OpenCV wants blue first. Swapped in place and back: a copy is 600 MB at 100 megapixels.
    if swap is not None:
        cv2.cvtColor(channels, swap, dst=channels)
    content = cv2.imencode(".png", channels)[1].data
    if swap is not None:
        cv2.cvtColor(channels, swap, dst=channels)
    header_end = 33  # the signature of 8 bytes and the IHDR chunk of 25
    encoded = io.BytesIO()
    encoded.write(content[:header_end])
    if photograph.icc_profile:
        profile = b"ICC profile\0\0" + zlib.compress(photograph.icc_profile)
        PngImagePlugin.putchunk(encoded, b"iCCP", profile)
    kept = photograph.metadata
    if kept.resolution:
        across, down = (round(dpi / 0.0254) for dpi in kept.resolution)
        PngImagePlugin.putchunk(encoded, b"pHYs", struct.pack(">LLB", across, down, 1))
    if kept.exif:
        PngImagePlugin.putchunk(encoded, b"eXIf", kept.exif)
    for kind, text, *_ in metadata.png_chunks(kept).chunks:
        PngImagePlugin.putchunk(encoded, kind, text)
    encoded.write(content[header_end:])
    return encoded.getbuffer()


def write(path, photograph, format=None) -> None:
    """Encode a photograph as `encode` does and write it, whole or not at all.

    Raises PhotographError where the format cannot hold the picture, OSError where it cannot be
    written.
    """
    content = encode(photograph, format)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_png(path, picture) -> None:
    """Write a uint8 picture, gray (H, W) or (H, W, 1) or RGB (H, W, 3), as PNG, whole or not."""
    if picture.ndim == 3 and picture.shape[-1] == 1:
        picture = picture[..., 0]
    with replacing(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")
