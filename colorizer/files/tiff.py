"""TIFF: read beyond 8 bits a channel with tifffile, written with tifffile at any depth.

| pixels                                     | read as            |
|--------------------------------------------|--------------------|
| gray, RGB, CMYK, Lab, palette up to 8 bits | Pillow reads them  |
| gray (black or white is 0), RGB: 9..32 bits | 16 bits, by share  |
| the same, floating point from 0 to 1       | 16 bits            |
| CMYK of 16 bits                            | 8 bits, by profile |
| compressed in ways that Pillow cannot read | as deep as stored  |

with or without alpha, in planes, strips or tiles, compressed or not. What else there is, is refused
by what it is.
"""

import contextlib
import ctypes
import io
import itertools
import logging
import struct
from pathlib import Path

from colorizer.files import exif

import numpy as np
import PIL
import tifffile
from PIL import Image

# What they would print about a file that is damaged is in the file's failure.
for _name in ("tifffile", "PIL"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)
# Pillow's libtiff has no logger, and writes to the terminal; its handlers are taken out.
for _place in (
    Path(PIL.__file__).parents[1] / "pillow.libs",
    Path(PIL.__file__).parent / ".dylibs",
):
    for _library in _place.glob("libtiff*"):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(str(_library)).TIFFSetErrorHandler(None)
            ctypes.CDLL(str(_library)).TIFFSetWarningHandler(None)

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK = 0, 1, 2, 5
COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, CMYK: 4}
UNSIGNED, SIGNED, FLOATING = 1, 2, 3
ASSOCIATED, UNASSOCIATED = 1, 2
THUMBNAIL, MASK = 1, 4

# Tags of the first directory that are no part of EXIF.
BLOCKS = {700: "xmp", 33723: "iptc", 34377: "photoshop"}
# What is not kept, and what people call it.
LOST = {37724: "layers of Photoshop", 52545: "Content Credentials (C2PA)"}

# What Pillow reads: none, CCITT, LZW, JPEG, deflate, PackBits.
PILLOWS = (1, 2, 3, 4, 5, 6, 7, 8, 32946, 32773)

# In these, each strip or tile is a file of a format, here Pillow's name of it, with its own size.
PICTURES = {6: "JPEG", 7: "JPEG", 34927: "WEBP", 50001: "WEBP"} | dict.fromkeys(
    (33003, 33004, 33005, 34712), "JPEG2000"
)
# Zstandard and LZMA; of others it is not known that they stop where the picture does.
BOUNDED = (*PILLOWS, *PICTURES, 34925, 50000)

# Tiles of so many pixels are small, whatever the picture's size is.
SMALL_TILE = 1 << 20


class Refused(Exception):
    """A TIFF holds what this program does not read; the message says what, in one phrase."""


class DeepTiff:
    """A page of a TIFF of more than 8 bits a channel, of which only the header is read.

    `size` is width and height in pixels, as stored, `bits` those of a channel. `bytes_a_pixel` is
    what decoding takes. `remarks` are phrases for the user about what `load` left out.
    """

    format = "TIFF"

    def __init__(self, file, page):
        self.fp, self.page = file, page
        self.size = page.imagewidth, page.imagelength
        self.info = {"icc_profile": page.iccprofile}
        self.tag_v2 = page  # for its offset, as Pillow's
        self.bits = page.bitspersample
        # As stored, in another order or type, and scaled.
        scaled = 0 if self.bits in (8, 16) else 8
        self.bytes_a_pixel = page.samplesperpixel * (2 * -(-self.bits // 8) + scaled)
        self.bytes_a_tile = page.samplesperpixel * -(-self.bits // 8) * _tile_pixels(page)
        self.remarks = []

    def load(self):
        """Decode it as stored: a Pillow image of CMYK, or uint16 (H, W, 1 or 3); and its alpha.

        The alpha is uint16 (H, W), or None. Raises Refused, and whatever tifffile raises for a file
        that is damaged.
        """
        page = self.page
        colours = _check(page)
        self.check_parts()
        values = page.asarray(maxworkers=1)
        if page.planarconfig == 2 and values.ndim == 3:
            values = np.moveaxis(values, 0, -1)
        values = values.reshape(page.imagelength, page.imagewidth, page.samplesperpixel)
        kind = page.extrasamples[0] if page.extrasamples else None
        if self.bits > 16:
            self.remarks.append(f"its {self.bits} bits became 16")
        if self.bits == 16 and page.photometric == CMYK:
            self.remarks.append("its 16 bits of ink became 8 of colour")
        if page.samplesperpixel > colours + (kind in (ASSOCIATED, UNASSOCIATED)):
            self.remarks.append("a channel beside its colours cannot be kept")
        values = _to_sixteen(values[..., : colours + (kind in (ASSOCIATED, UNASSOCIATED))], page)
        pixels, alpha = values[..., :colours], None
        if kind in (ASSOCIATED, UNASSOCIATED):
            alpha = np.ascontiguousarray(values[..., colours])
        if kind == ASSOCIATED:
            opaque = np.maximum(alpha, 1)[..., np.newaxis]
            most = np.iinfo(pixels.dtype).max
            pixels = np.minimum(pixels.astype(np.uint32) * most // opaque, most).astype(
                pixels.dtype
            )
        if page.photometric == WHITE_IS_ZERO:
            pixels = np.iinfo(pixels.dtype).max - pixels
        if page.photometric == CMYK:
            inks = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
            return Image.frombytes("CMYK", self.size, inks.tobytes()), None
        return np.ascontiguousarray(pixels), alpha

    def check_parts(self) -> None:
        """Raise Refused where strips or tiles may become larger than the picture has room for."""
        page, kind = self.page, int(self.page.compression)
        if kind not in BOUNDED:
            raise Refused(
                f"it is a TIFF compressed as {getattr(page.compression, 'name', kind)}, which is "
                "not supported; save it without compression"
            )
        room = _tile_pixels(page) or page.imagewidth * page.rowsperstrip
        for place, length in zip(page.dataoffsets, page.databytecounts, strict=False):
            if kind in PICTURES and length:
                self.fp.seek(place)
                with Image.open(io.BytesIO(self.fp.read(length)), formats=[PICTURES[kind]]) as part:
                    if part.width * part.height > room:
                        raise Refused("it is damaged (a part of it is larger than the picture)")


def opened(file, page=0):
    """Return the DeepTiff of a page of an open file, or None where Pillow is to read it.

    Raises Refused where its header promises what costs too much, or is not read.
    """
    try:
        found = tifffile.TiffFile(file, _multifile=False).pages[page]
        bits, kind = found.bitspersample, int(found.sampleformat or UNSIGNED)
        tile, samples = _tile_pixels(found), found.samplesperpixel
        pixels = found.imagewidth * found.imagelength
    except Exception:
        # Pillow says what is wrong with it.
        return None
    finally:
        file.seek(0)
    if tile > max(SMALL_TILE, 4 * pixels):
        raise Refused(
            f"it is damaged (its tiles have {found.tilewidth} x {found.tilelength} pixels, more "
            "than the picture)"
        )
    if bits <= 8 and kind == UNSIGNED and int(found.compression) in PILLOWS and samples <= 4:
        return None
    return DeepTiff(file, found)


def _tile_pixels(page) -> int:
    """Return how many pixels a tile of a page has, 0 where there are none."""
    return page.tilewidth * page.tilelength if page.is_tiled else 0


def pages(file, most):
    """Return the places of an open TIFF's photographs among its first `most` pages.

    Thumbnails and masks are none. Returns also whether there are more pages. Raises whatever damage
    makes tifffile raise.
    """
    file.seek(0)
    looked = list(itertools.islice(tifffile.TiffFile(file, _multifile=False).pages, most + 1))
    kinds = [page.subfiletype for page in looked[:most]]
    places = [place for place, kind in enumerate(kinds) if not kind & (THUMBNAIL | MASK)]
    return places, len(looked) > most


def _check(page) -> int:
    """Return how many samples are colours; raises Refused where the pixels are none that are read.

    Nothing is decoded before this, so that a hostile header costs nothing.
    """
    bits, kind = page.bitspersample, int(page.sampleformat or UNSIGNED)
    photometric = page.photometric
    if photometric not in COLOURS:
        name = getattr(photometric, "name", photometric)
        raise Refused(f"it is a TIFF of {bits} bits in {name}; save it as RGB or gray")
    colours = COLOURS[photometric]
    if kind not in (UNSIGNED, FLOATING):
        name = {SIGNED: "whole numbers with a sign"}.get(kind, "complex numbers")
        raise Refused(f"it is a TIFF of {bits}-bit {name}; save it with 16 bits without a sign")
    if page.samplesperpixel < colours or page.samplesperpixel > colours + 2:
        raise Refused(f"it is a TIFF of {page.samplesperpixel} channels; save it as RGB or gray")
    if page.imagedepth != 1 or (kind == UNSIGNED and bits > 32):
        raise Refused("it is a TIFF of volumes or of 64 bits; save it with 16 bits a channel")
    return colours


def _to_sixteen(values, page) -> np.ndarray:
    """Scale the values of a page to uint16, the largest there can be to 65535; leave uint8."""
    if values.dtype == np.uint8 and page.bitspersample == 8:
        return values
    if values.dtype.kind == "f":
        lowest, highest = float(values.min()), float(values.max())
        if not (lowest >= -1e-3 and highest <= 1 + 1e-3):
            raise Refused(
                f"its floating-point pixels go from {lowest:g} to {highest:g}, and 0 to 1 is read; "
                "save it with 16 bits a channel"
            )
        shares = np.clip(values.astype(np.float32), 0, 1)
        return np.rint(shares * 65535).astype(np.uint16)
    bits = page.bitspersample
    if bits == 16:
        return values.astype(np.uint16)
    return np.rint(values / (2.0**bits - 1) * 65535).astype(np.uint16)


def tags_of(image) -> dict:
    """Return the fields of Metadata that a page of a TIFF has, as stored, and its `orientation`.

    `lost` are names of what is not kept. Raises whatever damage makes Pillow raise.
    """
    first, more, gps = exif.directories(image.fp, image.tag_v2.offset)
    orientation = first.get(exif.ORIENTATION, 1)
    if not isinstance(orientation, int) or not 1 <= orientation <= 8:
        orientation = 1
    unit = exif.PER_INCH.get(first.get(exif.RESOLUTION_UNIT, 2))
    resolution = None
    if unit and exif.X_RESOLUTION in first and exif.Y_RESOLUTION in first:
        pair = first[exif.X_RESOLUTION], first[exif.Y_RESOLUTION]
        resolution = tuple(float(each) * unit for each in pair)
    # As stored: IPTC is written as whole numbers of 32 bits, by the standard.
    blocks = {name: first._tagdata.get(tag, b"") for tag, name in BLOCKS.items()}
    return {
        "exif": exif.from_directories(first, more, gps),
        **blocks,
        "resolution": resolution,
        "orientation": orientation,
        "lost": [name for tag, name in LOST.items() if tag in first],
    }


def encode(channels, colours, kept, icc_profile) -> bytes:
    """Encode pixels, uint8 or uint16 (H, W, 1 to 4), with what is known about them.

    `colours` of the channels are colour, 1 or 3; one more is alpha.
    """
    encoded = io.BytesIO()
    tifffile.imwrite(
        encoded,
        channels[..., 0] if channels.shape[2] == 1 else channels,
        byteorder="<",
        photometric="rgb" if colours == 3 else "minisblack",
        planarconfig="contig" if channels.shape[2] > 1 else None,
        extrasamples=["unassalpha"] if channels.shape[2] > colours else None,
        compression="adobe_deflate",
        iccprofile=icc_profile or None,
        resolution=kept.resolution,
        resolutionunit="inch" if kept.resolution else None,
        extratags=_extratags(kept),
        metadata=None,
        software=False,
    )
    return _append_directories(encoded.getvalue(), kept)


def _extratags(kept) -> list:
    """Return what goes into the first directory, as tifffile's extratags."""
    tags = []
    if kept.exif:
        first, _, _ = exif.directories(io.BytesIO(kept.exif))
        for tag in set(first) - exif.STORAGE:
            with contextlib.suppress(KeyError, struct.error, TypeError):
                tags.append((int(tag), *_packed(first.tagtype[tag], first[tag]), True))
    blocks = {tag: getattr(kept, name) for tag, name in BLOCKS.items()}
    return tags + [(tag, 7, len(block), block, True) for tag, block in blocks.items() if block]


def _packed(kind, value):
    """Return type, number and little-endian bytes of a tag's value as Pillow reads it."""
    if isinstance(value, str):
        return 2, 0, value.encode("latin-1") + b"\0"
    if isinstance(value, bytes):
        return kind, len(value), value
    values = value if isinstance(value, tuple) else (value,)
    if isinstance(values[0], bytes):
        return kind, len(b"".join(values)), b"".join(values)
    code = {3: "H", 4: "L", 6: "b", 8: "h", 9: "l", 11: "f", 12: "d", 5: "LL", 10: "ll"}[kind]
    if kind in (5, 10):
        parts = [number for each in values for number in (each.numerator, each.denominator)]
    else:
        parts = values
    return kind, len(values), struct.pack("<" + code * len(values), *parts)


def _append_directories(content, kept) -> bytes:
    """Put the EXIF and the GPS directory behind a little-endian TIFF of one page.

    `content` is the file's bytes. tifffile writes no such directories.
    """
    if not kept.exif:
        return content
    content = bytearray(content)
    _, more, gps = exif.directories(io.BytesIO(kept.exif))
    (start,) = struct.unpack_from("<L", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    places = range(start + 2, start + 2 + 12 * count, 12)
    entries = [bytes(content[place : place + 12]) for place in places]
    for tag, directory in ((exif.EXIF_IFD, more), (exif.GPS_IFD, gps)):
        if len(directory):
            content += bytes(len(content) % 2)
            entries.append(struct.pack("<HHLL", tag, 4, 1, len(content)))
            content += exif.copied(directory, set(directory) - {exif.INTEROPERABILITY}).tobytes(
                len(content)
            )
    content += bytes(len(content) % 2)
    struct.pack_into("<L", content, 4, len(content))
    entries.sort(key=lambda entry: struct.unpack("<H", entry[:2]))
    content += struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return bytes(content)
