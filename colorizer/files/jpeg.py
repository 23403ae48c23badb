"""JPEG: written with its EXIF, XMP, IPTC and comment; what its segments hold; cut-off ones."""

import hashlib
import io
import mmap
import struct

from colorizer.files import photoshop, xmp

import numpy as np
from PIL import Image

PHOTOSHOP = b"Photoshop 3.0\0"
XMP = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
# A segment holds 65,533 bytes, with the name of what it is.
LONGEST_BLOCK = 65533 - 40
LONGEST_PART = 65400

# How films begin that a telephone puts behind its photograph.
FILMS = (b"ftypmp4", b"ftypisom", b"ftypqt  ", b"MotionPhoto_Data")

# The tables of quality 50. Source: ITU-T T.81, tables K.1 and K.2.
LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
CHROMA = np.full((8, 8), 99)
CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]

# The colours are new, and have not been through the source's table.
LEAST_CHROMA_QUALITY = 75


def encode(image, kept, icc_profile, settings) -> bytes:
    """Encode a Pillow image, gray or RGB, with what is known about it.

    `settings` are Pillow's `quality`, or its `qtables`.
    """
    packet, extended = xmp.split(kept.xmp, LONGEST_BLOCK)
    guid = hashlib.md5(extended).hexdigest().upper()
    if extended:
        packet = xmp.noted(packet, guid)
    segments = _segment(0xE1, XMP + packet) if packet else b""
    for place in range(0, len(extended), LONGEST_PART):
        part = struct.pack(">LL", len(extended), place) + extended[place:][:LONGEST_PART]
        segments += _segment(0xE1, EXTENDED + guid.encode() + part)
    resources = photoshop.resources(kept)
    for place in range(0, len(resources), LONGEST_PART):
        segments += _segment(0xED, PHOTOSHOP + resources[place:][:LONGEST_PART])
    blocks = {
        "exif": kept.exif and b"Exif\0\0" + kept.exif,
        "comment": kept.comment,
        "extra": segments,
        "icc_profile": icc_profile,
        "dpi": kept.resolution,
    }
    blocks = {name: block for name, block in blocks.items() if block}
    encoded = io.BytesIO()
    # With chroma of full size, so that colour is not halved again.
    image.save(encoded, format="JPEG", subsampling="4:4:4", **settings, **blocks)
    return encoded.getvalue()


def has_room(name, block) -> bool:
    """Tell whether a JPEG has room for a block of Metadata, by its name there."""
    if name == "xmp":
        try:
            xmp.split(block, LONGEST_BLOCK)
        except ValueError:
            return False
        return True
    return name not in ("exif", "comment") or len(block) <= LONGEST_BLOCK


def _segment(marker, content) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def quality_of(table) -> int:
    """Return the quality, 1 to 100, of libjpeg of which a table of luminance is about."""
    scale = float(np.median(np.reshape(table, (8, 8)) * 100 / LUMINANCE))
    quality = (200 - scale) / 2 if scale <= 100 else 5000 / scale
    return int(np.clip(round(quality), 1, 100))


def tables_like(quantization, turned) -> list:
    """Return tables, as Pillow's `qtables`, for a coloured JPEG about as good as its source.

    `quantization` is the source's. Luminance has its table, so that it loses next to nothing once
    more; `turned` by a quarter as the picture.
    """
    luminance = np.reshape(quantization[min(quantization)], (8, 8))
    quality = max(quality_of(luminance), LEAST_CHROMA_QUALITY)
    chroma = (CHROMA * (200 - 2 * quality) + 50) // 100
    luminance = luminance.T if turned else luminance
    return [np.clip(table, 1, 255).ravel().tolist() for table in (luminance, chroma)]


def segments_of(image) -> dict:
    """Return what Pillow leaves in the segments of an opened JPEG.

    `photoshop` are resources, `extended` an XMP packet, `comment` all comments; `lost` are names of
    what is not kept.
    """
    resources, comments, extended, lost = b"", [], {}, []
    for name, content in image.applist:
        if name == "COM":
            comments.append(content)
        elif name == "APP13" and content.startswith(PHOTOSHOP):
            resources += content.removeprefix(PHOTOSHOP)
        elif name == "APP1" and content.startswith(EXTENDED):
            start = len(EXTENDED) + 32
            place = content[start + 4 : start + 8]
            extended[int.from_bytes(place, "big")] = content[start + 8 :]
        elif name == "APP11" and content.startswith(b"JP") and b"c2pa" in content:
            lost.append("Content Credentials (C2PA)")
    frames = getattr(image, "n_frames", 1) if image.format == "MPO" else 1
    if frames > 1:
        lost.append(f"other {frames - 1} pictures" if frames > 2 else "second picture")
    if _holds_film(image.fp):
        lost.append("film")
    return {
        "photoshop": resources,
        "extended": b"".join(part for _, part in sorted(extended.items())),
        "comment": b"\n".join(comments),
        "lost": list(dict.fromkeys(lost)),
    }


def _holds_film(file) -> bool:
    """Tell whether there is a film in an open file."""
    try:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return any(content.find(beginning) > 0 for beginning in FILMS)
    except (OSError, ValueError):
        return False


def salvaged(image):
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
        return Image.open(io.BytesIO(content.read() + b"\xff\xd9"), formats=["JPEG"])
    return None
