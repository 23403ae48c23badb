"""Read and write photographs; grayscale; pixel scaling; sizes.

Pictures are uint8 arrays, RGB (H, W, 3) or gray (H, W, 1), in sRGB, upright, unless said otherwise.
"""

import contextlib
import dataclasses
import functools
import io
import os
import stat
import zlib
from pathlib import Path

from colorizer.files import replacing

import cv2
import numpy as np
import tifffile
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")

# By content: Pillow knows many more formats, some of which run other programs.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")

# What is not a number of pixels anyone photographs is a broken or hostile header.
MAX_MEGAPIXELS = 250

# Of the 0..100 that libjpeg calls quality; with 4:4:4 chroma, so that colour is not halved again.
JPEG_QUALITY = 95

# A photograph is black-and-white when at most one pixel in a thousand has channels further apart
# than this, of 255: JPEG leaves a few levels of chroma noise in gray pictures.
GRAY_TOLERANCE = 8
GRAY_EXCEPTIONS = 0.001

# What EXIF says about the photograph, and not about how its file stores it.
KEPT_EXIF = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.XResolution,
    ExifTags.Base.YResolution,
    ExifTags.Base.ResolutionUnit,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.HostComputer,
    ExifTags.Base.Copyright,
    ExifTags.Base.XPTitle,
    ExifTags.Base.XPComment,
    ExifTags.Base.XPAuthor,
    ExifTags.Base.XPKeywords,
    ExifTags.Base.XPSubject,
)
KEPT_EXIF_FOLDERS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)

# Pillow would warn and refuse by its own limit when a file is opened; `opened` has ours.
Image.MAX_IMAGE_PIXELS = None


class PhotographError(Exception):
    """A file cannot be read as a photograph; the message is one phrase that says why."""


@dataclasses.dataclass
class Photograph:
    """What a file holds: the picture and what is known about it.

    `pixels` is uint8 or uint16, gray (H, W, 1) or RGB (H, W, 3), sRGB, upright; `alpha` is (H, W)
    of the same dtype or None. `format` is Pillow's name of the file format. `exif` and
    `icc_profile` are ready to be written, empty where the file had none. `remark` is a phrase for
    the user, or empty.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    format: str
    exif: bytes
    icc_profile: bytes
    remark: str


def find_photographs(folder, onerror=None, suffixes=SUFFIXES) -> list[Path]:
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
            if name.lower().endswith(suffixes) and not name.startswith(".")
        ]
    return sorted(found)


@contextlib.contextmanager
def opened(path, max_megapixels=MAX_MEGAPIXELS):
    """Open a file and give its Pillow image, of which only the header is read yet.

    Raises PhotographError for all that fails, in here or in the block that uses the image, and for
    a picture of more than `max_megapixels` million pixels.
    """
    try:
        # Opening a pipe would wait for its writer for ever.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise PhotographError("it is not a regular file")
        with open(path, "rb") as file:
            image = Image.open(file, formats=FORMATS)
            width, height = image.size
            if width * height > max_megapixels * 1e6:
                raise PhotographError(
                    f"it has {width} x {height} pixels, more than {max_megapixels:g} megapixels"
                )
            yield image
    except PhotographError:
        raise
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
        if at_least is not None:
            image.draft(None, (at_least, at_least))
        image, alpha = _upright_srgb(image)
        image = image.convert("RGB")
        if alpha is not None:
            image = Image.composite(image, Image.new("RGB", image.size, "white"), alpha)
        return np.asarray(image)


def load(image) -> Photograph:
    """Decode an `opened` image with its depth, its alpha, and what its file says about it."""
    # Asked for now, because Pillow lets go of the file when it has decoded it.
    file, deep = image.fp, _is_deep(image)
    format = "JPEG" if image.format == "MPO" else image.format
    profile = image.info.get("icc_profile")
    exif, orientation, remark = _kept_exif(image)
    frames = _frames(image)
    if frames > 1 and image.format != "MPO":
        remark = f"only the first of its {frames} {'pages' if format == 'TIFF' else 'frames'}"
    if deep:
        pixels, alpha = _load_deep(file, orientation, profile)
    else:
        image, alpha = _upright_srgb(image)
        pixels = np.asarray(image).reshape(image.height, image.width, -1)
        alpha = None if alpha is None else np.asarray(alpha)
    return Photograph(pixels, alpha, format, exif, _kept_profile(profile), remark)


def _frames(image) -> int:
    """Count the pages of a TIFF or the frames of an animation; damage behind the first is none."""
    try:
        return getattr(image, "n_frames", 1)
    except Exception:
        # Pillow stumbles over later pages in as many ways as over the first.
        return 1


def _upright_srgb(image):
    """Turn an 8-bit image of any mode upright and into sRGB; return it, L or RGB, and its alpha."""
    profile = image.info.get("icc_profile")
    ImageOps.exif_transpose(image, in_place=True)
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert("RGB")
    elif image.mode in ("I", "F", "I;16", "I;16B", "I;16L", "I;16N"):
        image = _eight_bit(image)
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode in ("P", "RGBX", "YCbCr"):
        image = image.convert("RGB")
    transform = _to_srgb(profile, image.mode) if profile else None
    if transform:
        image = ImageCms.applyTransform(image, transform)
    if image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    return image, alpha


def _eight_bit(image):
    """Scale gray of more than 8 bits to 8: floats from [0, 1], whole numbers by 257."""
    values = np.asarray(image)
    scale = 255 if values.dtype.kind == "f" else 1 / 257
    return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))


def _is_deep(image) -> bool:
    """Tell whether a PNG or TIFF holds 16 bits a channel (Pillow itself would halve them)."""
    if image.format == "PNG":
        return ";16" in str(image.tile[0][3]) if image.tile else False
    if image.format == "TIFF":
        return set(image.tag_v2.get(ExifTags.Base.BitsPerSample, ())) == {16}
    return False


def _load_deep(file, orientation, profile):
    """Decode a 16-bit PNG or TIFF with OpenCV; return upright pixels in sRGB, and alpha or None."""
    file.seek(0)
    pixels = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise PhotographError("it is damaged (its 16-bit pixels cannot be decoded)")
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    alpha = None
    if pixels.shape[2] == 4:
        alpha = np.ascontiguousarray(_upright(pixels[..., 3:], orientation)[..., 0])
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB)
    elif pixels.shape[2] == 3:
        cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)
    pixels = np.ascontiguousarray(_upright(pixels, orientation))
    transform = _to_srgb(profile, "RGB" if pixels.shape[2] == 3 else "L") if profile else None
    if transform:
        # Little CMS is within reach for 8 bits only: it converts those, the rest is carried over.
        high = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
        rest = pixels - 257 * high.astype(np.int32)
        image = Image.fromarray(high[..., 0] if high.shape[2] == 1 else high)
        high = np.asarray(ImageCms.applyTransform(image, transform))
        pixels = np.clip(257 * high.astype(np.int32) + rest, 0, 65535).astype(np.uint16)
    return pixels, alpha


def _upright(pixels, orientation) -> np.ndarray:
    """Turn pixels (H, W, C) upright by EXIF's orientation, 1 to 8."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


@functools.lru_cache(maxsize=16)
def _to_srgb(profile, mode):
    """Build the conversion from an embedded profile to sRGB; None where there is nothing to do."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if _is_srgb(source):
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError):
        # A broken profile, or one for another mode: the pixels are read without it, as browsers do.
        return None


def _is_srgb(profile) -> bool:
    return "srgb" in ImageCms.getProfileDescription(profile).lower()


@functools.lru_cache(maxsize=16)
def _kept_profile(profile) -> bytes:
    """Give the profile to write for pixels in sRGB: the file's own if it is sRGB, else a plain one.

    Empty where the file had none, or one that cannot be read.
    """
    if not profile:
        return b""
    try:
        if _is_srgb(ImageCms.ImageCmsProfile(io.BytesIO(profile))):
            return profile
    except (ImageCms.PyCMSError, OSError):
        return b""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _kept_exif(image):
    """Return the EXIF to write with the upright photograph, its orientation, and a remark."""
    if image.format == "PNG" and "exif" not in image.info:
        # Pillow would decode the whole picture to look behind it.
        return b"", 1, ""
    try:
        source, kept, kept_any = image.getexif(), Image.Exif(), False
        kept.update({tag: source[tag] for tag in KEPT_EXIF if tag in source})
        for folder in KEPT_EXIF_FOLDERS:
            if source.get_ifd(folder):
                kept.get_ifd(folder).update(source.get_ifd(folder))
                kept_any = True
        content = kept.tobytes() if kept_any or len(kept) else b""
        return content, source.get(ExifTags.Base.Orientation, 1), ""
    except Exception:
        # A photograph is worth more than its EXIF, which breaks in as many ways as a picture.
        return b"", 1, "its EXIF is damaged and was left out"


def encode(photograph, format=None) -> bytes:
    """Encode a photograph in `format`, by default its own, with its EXIF and colour profile.

    PNG and TIFF keep 16 bits, the other formats have 8. JPEG and BMP get the alpha laid on white.
    Raises PhotographError where the format cannot hold the picture.
    """
    format = format or photograph.format
    try:
        if photograph.pixels.dtype == np.uint16 and format == "PNG":
            return _encode_deep_png(photograph)
        if photograph.pixels.dtype == np.uint16 and format == "TIFF":
            return _encode_deep_tiff(photograph)
        return _encode_eight_bit(photograph, format)
    except (OSError, ValueError, RuntimeError) as error:
        raise PhotographError(f"it cannot be written as {format} ({error})") from error


def _encode_eight_bit(photograph, format) -> bytes:
    """Encode 8 bits a channel with Pillow."""
    pixels = high_bits(photograph.pixels)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    if photograph.alpha is not None:
        alpha = Image.fromarray(high_bits(photograph.alpha))
        if format in ("JPEG", "BMP"):
            image = Image.composite(image, Image.new(image.mode, image.size, "white"), alpha)
        else:
            image.putalpha(alpha)
    settings = {
        "JPEG": {"quality": JPEG_QUALITY, "subsampling": "4:4:4"},
        "WEBP": {"quality": JPEG_QUALITY},
        # Pillow cannot compress a TIFF that carries EXIF.
        "TIFF": {} if photograph.exif else {"compression": "tiff_adobe_deflate"},
    }.get(format, {})
    if photograph.exif and format in ("JPEG", "PNG", "WEBP", "TIFF"):
        settings["exif"] = photograph.exif
    if photograph.icc_profile and format in ("JPEG", "PNG", "WEBP", "TIFF"):
        settings["icc_profile"] = photograph.icc_profile
    encoded = io.BytesIO()
    image.save(encoded, format=format, **settings)
    return encoded.getbuffer()


def high_bits(values) -> np.ndarray:
    """Round 16-bit values to 8 bits; leave 8-bit ones as they are."""
    if values.dtype == np.uint8:
        return values
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _deep_channels(photograph) -> np.ndarray:
    """Put the alpha of a 16-bit photograph behind its colours: (H, W, 1 to 4)."""
    if photograph.alpha is None:
        return photograph.pixels
    return np.dstack([photograph.pixels, photograph.alpha])


def _encode_deep_png(photograph) -> bytes:
    """Encode 16 bits a channel with OpenCV, and put EXIF and profile behind the PNG's header."""
    channels = _deep_channels(photograph)
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
    if photograph.exif:
        PngImagePlugin.putchunk(encoded, b"eXIf", photograph.exif.removeprefix(b"Exif\0\0"))
    encoded.write(content[header_end:])
    return encoded.getbuffer()


def _encode_deep_tiff(photograph) -> bytes:
    """Encode 16 bits a channel with tifffile, with the profile and the EXIF it can hold."""
    channels = _deep_channels(photograph)
    exif = Image.Exif()
    exif.load(photograph.exif)
    texts = [(tag, "s", 0, value, True) for tag, value in exif.items() if isinstance(value, str)]
    encoded = io.BytesIO()
    tifffile.imwrite(
        encoded,
        channels[..., 0] if channels.shape[2] == 1 else channels,
        photometric="rgb" if photograph.pixels.shape[2] == 3 else "minisblack",
        extrasamples=None if photograph.alpha is None else ["unassalpha"],
        compression="adobe_deflate",
        iccprofile=photograph.icc_profile or None,
        extratags=texts,
        metadata=None,
        software=False,
    )
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


def shrink(picture, height, width) -> np.ndarray:
    """Resize as `resize` does, several times faster where a picture shrinks much.

    It is halved, which is fast, as often as leaves enough for the mean of the area.
    """
    while picture.shape[0] >= 4 * height and picture.shape[1] >= 4 * width:
        half = -(-picture.shape[0] // 2), -(-picture.shape[1] // 2)
        halved = cv2.resize(picture, half[::-1], interpolation=cv2.INTER_LINEAR)
        picture = halved.reshape(*half, picture.shape[2])
    return resize(picture, height, width)
