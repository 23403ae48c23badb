"""Read and write photographs.

Pictures are uint8 arrays, RGB (H, W, 3) or gray (H, W, 1), in sRGB, upright, unless said otherwise.
"""

import contextlib
import dataclasses
import io
import os
import stat

from colorizer.files import boxes, formats, icc, jpeg, metadata, pdf, png, tiff
from colorizer.files import encode as encoding
from colorizer.files.atomic import replacing
from colorizer.files.decode import bits_of, decode
from colorizer.files.metadata import Metadata
from colorizer.pixels import high_bits

import numpy as np
import pillow_heif
from PIL import Image

# What is not a number of pixels anyone photographs is a broken or hostile header.
MAX_MEGAPIXELS = 250

# What has more pages than this is no album.
MOST_PAGES = 1000

# Bytes that a pixel of the result takes on its way, of 8 bits a channel and of 16.
BYTES_A_PIXEL, BYTES_A_DEEP_PIXEL = 10, 20
# Encoders of these take as much again.
HUNGRY = ("GIF", "WEBP")

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
    the user: what was damaged when it was read, what was left out when it was encoded. A JPEG of
    the same size, `quantization_of`, is written with tables like the source's, `quantization`; a
    WebP that was `lossless` stays it. `bits` are those of a sample in its file.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    format: str = "JPEG"
    metadata: Metadata = dataclasses.field(default_factory=Metadata)
    icc_profile: bytes = b""
    remarks: list = dataclasses.field(default_factory=list)
    quantization: list | None = None
    quantization_of: tuple | None = None
    lossless: bool = False
    bits: int = 8

    @property
    def remark(self) -> str:
        """All remarks as one phrase, empty where there are none."""
        return "; ".join(self.remarks)


@contextlib.contextmanager
def opened(path, max_megapixels=MAX_MEGAPIXELS, page=0):
    """Open a file and give its picture, of which only the header is read yet.

    That is a Pillow image, or a tiff.DeepTiff or pdf.PdfPicture with the same `format`, `size` and
    `info`. Raises PhotographError for all that fails, in here or in the block that uses it, and for
    a picture of more than `max_megapixels` million pixels. `page` is the place, from 0, of a page
    in a TIFF or a PDF.
    """
    try:
        # Opening a pipe would wait for its writer for ever.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise PhotographError("it is not a regular file")
        with open(path, "rb") as file:
            image = _picture(file, page)
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
    except (tiff.Refused, pdf.NoPicture) as error:
        raise PhotographError(str(error)) from error
    except Exception as error:
        # Pillow's readers raise whatever a broken file makes them stumble over.
        raise PhotographError(_reason(error)) from error


def _picture(file, page):
    """Open a page's picture by what the file holds: some formats of Pillow run other programs."""
    format = formats.of_content(file)
    file.seek(0)
    if format is None:
        raise PhotographError("it holds no picture in a known format")
    if format.key == "PDF":
        return pdf.PdfPicture(file, page)
    if format.key == "TIFF" and (deep := tiff.opened(file, page)):
        return deep
    if format.key in ("HEIF", "AVIF"):
        # The libraries go by the first brand, of which there are as many as cameras.
        brand = {"HEIF": b"heic", "AVIF": b"avif"}[format.key]
        file = io.BytesIO(boxes.with_brand(file.read(), brand))
    image = Image.open(file, formats=[format.key])
    if page:
        image.seek(page)
    return image


def _reason(error) -> str:
    """Say in one phrase why a file cannot be read."""
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, Image.UnidentifiedImageError):
        return "it holds no picture in a known format"
    return f"it is damaged ({' '.join(str(error).split()) or type(error).__name__})"


def pages(path):
    """Return the places of a file's photographs among its pages, and a remark, mostly empty.

    All but TIFF and PDF have one, and so has a file that is damaged, of which reading says what is
    wrong. Of more than MOST_PAGES the first are taken, and the remark says so.
    """
    # Opening a pipe would wait for its writer for ever.
    if not os.path.isfile(path):
        return [0], ""
    try:
        with open(path, "rb") as file:
            format = formats.of_content(file)
            if format is None or "pages" not in format.holds:
                return [0], ""
            places, more = {"PDF": pdf.pages, "TIFF": tiff.pages}[format.key](file, MOST_PAGES)
    except Exception:
        return [0], ""
    return places or [0], f"only its first {MOST_PAGES} pages" if more else ""


def bytes_needed(image, scale=1) -> int:
    """Return about how much memory an `opened` image takes until its result is written.

    The result has `scale` times as many pixels a side.
    """
    width, height = image.size
    each = BYTES_A_PIXEL if bits_of(image) <= 8 else BYTES_A_DEEP_PIXEL
    if getattr(image, "has_transparency_data", False):
        each *= 2
    if image.format in HUNGRY:
        each *= 2
    own = getattr(image, "bytes_a_pixel", 0)
    return width * height * (own + each * scale**2) + getattr(image, "bytes_a_tile", 0)


def read_rgb(path, at_least=None) -> np.ndarray:
    """Read any supported file as uint8 RGB (H, W, 3): sRGB, upright, alpha laid on white.

    With `at_least` (pixels), a JPEG may come at 1/2, 1/4 or 1/8 of its size, which is faster, as
    long as both its sides stay at least that long. Raises PhotographError.
    """
    with opened(path) as image:
        if at_least is not None and isinstance(image, Image.Image):
            image.draft(None, (at_least, at_least))
        orientation = metadata.orientation(image) if bits_of(image) > 8 else 1
        pixels, alpha = decode(image, orientation)
        pixels = high_bits(pixels)
        if alpha is not None:
            pixels = encoding.on_white(pixels, high_bits(alpha))
        return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def load(image) -> Photograph:
    """Decode an `opened` image with its depth, its alpha, and what its file says about it."""
    format = "JPEG" if image.format == "MPO" else image.format
    profile = image.info.get("icc_profile")
    # Asked for now, because Pillow forgets it when it has decoded the picture.
    kept, orientation, remarks = metadata.read(image)
    frames = _frames(image)
    if frames > 1:
        remarks.append(f"only the first of its {frames} frames")
    quantization, bits = getattr(image, "quantization", None), bits_of(image)
    lossless = image.format == "WEBP" and _is_lossless_webp(image.fp)
    if image.format in ("JPEG", "MPO", "PNG"):
        salvaged = png.salvaged if image.format == "PNG" else jpeg.salvaged
        if whole := salvaged(image):
            image = whole
            remarks.append("it is cut off; what is missing is gray")
    pixels, alpha = decode(image, orientation)
    remarks += getattr(image, "remarks", [])
    photograph = Photograph(pixels, alpha, format, kept, icc.written(profile), remarks)
    photograph.lossless, photograph.bits = lossless, bits
    if quantization:
        photograph.quantization = jpeg.tables_like(quantization, orientation >= 5)
        photograph.quantization_of = pixels.shape[:2]
    return photograph


def _is_lossless_webp(file) -> bool:
    """Tell whether the picture of an open WebP is stored without loss."""
    file.seek(12)
    while len(head := file.read(8)) == 8:
        if head[:4] in (b"VP8L", b"VP8 "):
            return head[:4] == b"VP8L"
        length = int.from_bytes(head[4:], "little")
        file.seek(length + length % 2, 1)
    return False


def _frames(image) -> int:
    """Count the frames of an animation; damage behind the first is none."""
    if image.format in ("MPO", "TIFF"):  # they have pages, and counting may take for ever
        return 1
    try:
        return getattr(image, "n_frames", 1)
    except Exception:
        # Pillow stumbles over later frames in as many ways as over the first.
        return 1


def encode(photograph, format=None, quality=None, mark=None) -> bytes:
    """Encode a photograph in `format`, a key of formats.BY_KEY, by default its own.

    What the format does not hold becomes a remark of the photograph; alpha is laid on white there,
    16 bits become 8. `quality` of lossy formats, 0 to 100, is by default about the source's own, or
    formats.QUALITY; `mark`, an xmp.Mark, says how it was made. Raises PhotographError where the
    format cannot hold the picture.
    """
    target = formats.BY_KEY[format or photograph.format]
    if target.written_as:
        target = formats.BY_KEY[formats.CHOICES[target.written_as]]
    try:
        content, remarks = encoding.encoded(photograph, target, quality, mark)
    except (OSError, ValueError, RuntimeError) as error:
        raise PhotographError(f"it cannot be written as {target.name} ({error})") from error
    photograph.remarks += [remark for remark in remarks if remark not in photograph.remarks]
    return content


def write(path, photograph, format=None, quality=None, mark=None) -> None:
    """Encode a photograph as `encode` does and write it, whole or not at all.

    Raises PhotographError where the format cannot hold the picture, OSError where it cannot be
    written.
    """
    content = encode(photograph, format, quality, mark)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_png(path, picture) -> None:
    """Write a uint8 picture, gray (H, W) or (H, W, 1) or RGB (H, W, 3), as PNG, whole or not."""
    if picture.ndim == 3 and picture.shape[-1] == 1:
        picture = picture[..., 0]
    with replacing(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")
