"""Read and write photographs.

Pictures are uint8 arrays, RGB (H, W, 3) or gray (H, W, 1), in sRGB, upright, unless said otherwise.
"""

import contextlib
import dataclasses
import io
import os
import stat

from colorizer.files import formats, icc, jpeg, metadata, png, tiff
from colorizer.files.atomic import replacing
from colorizer.files.decode import decode, is_deep
from colorizer.files.metadata import Metadata
from colorizer.pixels import high_bits

import numpy as np
import pillow_heif
from PIL import Image

# What is not a number of pixels anyone photographs is a broken or hostile header.
MAX_MEGAPIXELS = 250

# HEIC is read by a library of its own.
pillow_heif.register_heif_opener()

# Pillow would warn and refuse by its own limit when a file is opened; `opened` has ours.
Image.MAX_IMAGE_PIXELS = None


class PhotographError(Exception):
    """A file cannot be read as a photograph; the message is one phrase that says why."""


@dataclasses.dataclass
class Photograph:
    """What a file holds: the picture and what is known about it.

    `pixels` is uint8 or uint16, gray (H, W, 1) or RGB (H, W, 3), sRGB, upright; `alpha` is (H, W)
    of the same dtype or None. `format` is Pillow's name of the file format. `metadata` and
    `icc_profile` are ready to be written, empty where the file had none. `remarks` are phrases for
    the user: what was damaged when it was read, what was left out when it was encoded.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    format: str = "JPEG"
    metadata: Metadata = dataclasses.field(default_factory=Metadata)
    icc_profile: bytes = b""
    remarks: list = dataclasses.field(default_factory=list)

    @property
    def remark(self) -> str:
        """All remarks as one phrase, empty where there are none."""
        return "; ".join(self.remarks)


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
            image = deep or Image.open(file, formats=list(formats.BY_KEY))
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
        deep = is_deep(image)
        orientation = metadata.read(image, texts=False)[1] if deep else 1
        pixels, alpha = decode(image, deep, orientation)
        pixels = high_bits(pixels)
        if alpha is not None:
            pixels = on_white(pixels, high_bits(alpha))
        return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def load(image) -> Photograph:
    """Decode an `opened` image with its depth, its alpha, and what its file says about it."""
    format = "JPEG" if image.format == "MPO" else image.format
    profile = image.info.get("icc_profile")
    # Asked for now, because Pillow forgets it when it has decoded the picture; and it would decode
    # a PNG, to look for texts behind the picture.
    deep = is_deep(image)
    kept, orientation, remark = metadata.read(image, texts=not deep)
    remarks = [remark] if remark else []
    frames = _frames(image)
    if frames > 1 and image.format not in ("MPO", "TIFF"):
        remarks.append(f"only the first of its {frames} frames")
    if image.format in ("JPEG", "MPO") and (whole := jpeg.salvaged(image)):
        image = whole
        remarks.append("it is cut off; what is missing is gray")
    pixels, alpha = decode(image, deep, orientation)
    return Photograph(pixels, alpha, format, kept, icc.written(profile), remarks)


def _frames(image) -> int:
    """Count the frames of an animation; damage behind the first is none."""
    try:
        return getattr(image, "n_frames", 1)
    except Exception:
        # Pillow stumbles over later frames in as many ways as over the first.
        return 1


def on_white(pixels, alpha) -> np.ndarray:
    """Lay pixels uint8 (H, W, 1 or 3) with their alpha (H, W) on white."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    laid = Image.composite(
        image, Image.new(image.mode, image.size, "white"), Image.fromarray(alpha)
    )
    return np.asarray(laid).reshape(pixels.shape)


def encode(photograph, format=None) -> bytes:
    """Encode a photograph in `format`, a key of formats.BY_KEY, by default its own.

    What the format does not hold becomes a remark of the photograph; alpha is laid on white there,
    16 bits become 8. Raises PhotographError where the format cannot hold the picture.
    """
    target = formats.BY_KEY[format or photograph.format]
    pixels, alpha, kept = _fitting(photograph, target)
    profile = photograph.icc_profile if "profile" in target.holds else b""
    colours = pixels.shape[2]
    channels = pixels if alpha is None else np.dstack([pixels, alpha])
    try:
        if target.key == "TIFF":
            return tiff.encode(channels, colours, kept, profile)
        if channels.dtype == np.uint16:
            return png.encode_deep(channels, kept, profile)
        image = Image.fromarray(channels[..., 0] if channels.shape[2] == 1 else channels)
        encoder = {"JPEG": jpeg.encode, "PNG": png.encode}.get(target.key)
        return encoder(image, kept, profile) if encoder else _encode(image, kept, profile, target)
    except (OSError, ValueError, RuntimeError) as error:
        raise PhotographError(f"it cannot be written as {target.name} ({error})") from error


def _fitting(photograph, target):
    """Return pixels, alpha and Metadata of a photograph as far as a Format holds them.

    The rest becomes a remark.
    """
    pixels, alpha, kept = photograph.pixels, photograph.alpha, photograph.metadata
    lost = []
    if pixels.dtype == np.uint16 and "depth" not in target.holds:
        lost.append(formats.HOLDS["depth"])
        pixels, alpha = high_bits(pixels), None if alpha is None else high_bits(alpha)
    if alpha is not None and "alpha" not in target.holds:
        lost.append("alpha, which is laid on white")
        pixels, alpha = on_white(pixels, alpha), None
    empty, too_long = Metadata(), []
    for field in dataclasses.fields(kept):
        block = getattr(kept, field.name)
        if not block:
            continue
        if field.name not in target.holds:
            lost.append(formats.HOLDS[field.name])
        elif isinstance(block, bytes) and len(block) > (target.longest_block or len(block)):
            too_long.append(formats.HOLDS[field.name])
        else:
            continue
        kept = dataclasses.replace(kept, **{field.name: getattr(empty, field.name)})
    remarks = []
    if lost:
        remarks.append(f"{target.name} has no room for its {', '.join(lost)}")
    if too_long:
        remarks.append(f"its {', '.join(too_long)} is too long for a {target.name} and left out")
    photograph.remarks += [remark for remark in remarks if remark not in photograph.remarks]
    return pixels, alpha, kept


def _encode(image, kept, icc_profile, target) -> bytes:
    """Encode a Pillow image in a Format of which Pillow's `save` knows all that there is."""
    blocks = {
        "exif": kept.exif and b"Exif\0\0" + kept.exif,
        "xmp": kept.xmp,
        "comment": kept.comment,
        "icc_profile": icc_profile,
        "dpi": kept.resolution,
    }
    settings = target.settings | {name: block for name, block in blocks.items() if block}
    encoded = io.BytesIO()
    image.save(encoded, format=target.key, **settings)
    return encoded.getvalue()


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
