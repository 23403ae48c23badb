"""From an opened image to its pixels: upright, in sRGB, as deep as they are stored."""

import struct

from colorizer.files import boxes, icc, png, tiff

import imagecodecs
import numpy as np
import pillow_heif
from PIL import Image, ImageOps

# In a JPEG 2000: where its picture begins, and how far in the samples stand.
CODESTREAM, COMPONENTS = b"\xff\x4f\xff\x51", 40


def bits_of(image) -> int:
    """Return the bits a channel of an `opened` image: 8, or what is read as 16."""
    if isinstance(image, tiff.DeepTiff):
        return image.bits
    if image.format == "PNG":
        return 16 if png.is_deep(image) else 8
    if image.format == "PPM":
        return 16 if _most_of_pnm(image.fp) > 255 else 8
    if image.format == "JPEG2000":
        return _bits_of_jpeg2000(image.fp)
    if image.format == "HEIF":
        return image.info.get("bit_depth", 8)
    return boxes.depth(image.fp) if image.format == "AVIF" else 8


def decode(image, orientation):
    """Decode an `opened` image: pixels, upright and in sRGB, and alpha or None.

    `orientation` is EXIF's, 1 to 8.
    """
    bits = bits_of(image)
    if image.format == "PDF":
        return _decode_eight_bit(image.load())
    if bits <= 8 and not isinstance(image, tiff.DeepTiff):
        return _decode_eight_bit(image)
    profile = image.info.get("icc_profile")
    readers = {"PNG": _read_png, "PPM": _read_pnm, "HEIF": _read_heif, "TIFF": _read_tiff}
    pixels, alpha = readers.get(image.format, _read_with_imagecodecs)(image, bits)
    if isinstance(pixels, Image.Image):
        pixels = np.asarray(icc.to_srgb(pixels, profile).convert("RGB"))
        profile = None
    pixels = np.ascontiguousarray(_upright(pixels, orientation))
    if alpha is not None:
        alpha = np.ascontiguousarray(_upright(alpha[..., np.newaxis], orientation)[..., 0])
    return icc.deep_to_srgb(pixels, profile), alpha


def _read_tiff(image, bits):
    return image.load()


def _read_png(image, bits):
    return png.load_deep(image.fp)


def _read_pnm(image, bits):
    """Read a PNM of up to 65,535 levels, binary or as text."""
    most = _most_of_pnm(image.fp)
    image.fp.seek(0)
    kind = image.fp.read(2)
    width, height = image.size
    count = width * height * (3 if kind in (b"P3", b"P6") else 1)
    image.fp.seek(_end_of_pnm_header(image.fp)[1])
    if kind in (b"P5", b"P6"):
        values = np.frombuffer(image.fp.read(2 * count), ">u2")
    else:
        # No more than so many numbers and some comments take.
        values = np.array(image.fp.read(8 * count + 65536).split()[:count], np.uint16)
    if len(values) < count:
        raise ValueError("its pixels end too early")
    return _scaled(values.reshape(height, width, -1), most), None


def _most_of_pnm(file) -> int:
    """Return the value that is white in an open PNM."""
    numbers, _ = _end_of_pnm_header(file)
    return int(numbers[2]) if len(numbers) > 2 and numbers[2].isdigit() else 255


def _end_of_pnm_header(file):
    """Return the numbers of a PNM's header, as bytes, and where its pixels begin."""
    file.seek(2)
    numbers, place, head = [], 2, file.read(4096)
    word, comment = b"", False
    for byte in (head[i : i + 1] for i in range(len(head))):
        place += 1
        if comment or byte == b"#":
            comment = byte not in b"\r\n"
        elif not byte.isspace():
            word += byte
            continue
        if word:
            numbers.append(word)
            word = b""
        if len(numbers) == 3:
            break
    return numbers, place


def _bits_of_jpeg2000(file) -> int:
    file.seek(0)
    head = file.read(1 << 20)
    start = head.find(CODESTREAM)
    if start < 0 or len(head) < start + COMPONENTS + 3:
        return 8
    (count,) = struct.unpack_from(">H", head, start + COMPONENTS)
    depths = head[start + COMPONENTS + 2 :][: 3 * count : 3]
    # The highest bit tells of samples with a sign.
    return max((each & 0x7F) + 1 for each in depths) if max(depths) < 0x80 else 8


def _read_heif(image, bits):
    """Read HEIC of 10 or 12 bits, which is turned by its own boxes."""
    image.fp.seek(0)
    deep = pillow_heif.open_heif(image.fp, convert_hdr_to_8bit=False)
    most = (1 << bits) - 1
    return _apart(_scaled(np.asarray(deep) >> (16 - bits), most))


def _read_with_imagecodecs(image, bits):
    """Read JPEG 2000 or AVIF of more than 8 bits."""
    image.fp.seek(0)
    decoder = {"JPEG2000": imagecodecs.jpeg2k_decode, "AVIF": imagecodecs.avif_decode}
    values = decoder[image.format](image.fp.read())
    if values.ndim > 3 or values.shape[:2] != image.size[::-1]:
        raise ValueError("its pixels are of another size than it says")
    return _apart(_scaled(values, (1 << bits) - 1))


def _scaled(values, most) -> np.ndarray:
    """Scale whole numbers from 0 to `most` to uint16, rounded."""
    if most == 65535:
        return values.astype(np.uint16)
    return np.minimum((values.astype(np.uint32) * 65535 + most // 2) // most, 65535).astype(
        np.uint16
    )


def _apart(values):
    """Return the colours of pixels (H, W) or (H, W, 1 to 4), and alpha or None."""
    values = values.reshape(*values.shape[:2], -1)
    if values.shape[2] in (2, 4):
        return np.ascontiguousarray(values[..., :-1]), np.ascontiguousarray(values[..., -1])
    return values, None


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


def _upright(pixels, orientation) -> np.ndarray:
    """Turn pixels (H, W, C) upright by EXIF's orientation, 1 to 8."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
