"""JPEG: written with its EXIF, XMP, IPTC and comment; read where it is cut off."""

import io
import struct

from colorizer.files import formats
from colorizer.files.metadata import IPTC_RESOURCE

from PIL import Image

PHOTOSHOP = b"Photoshop 3.0\0"


def encode(image, kept, icc_profile) -> bytes:
    """Encode a Pillow image, gray or RGB, with what is known about it."""
    settings = dict(formats.BY_KEY["JPEG"].settings)
    blocks = {
        "exif": kept.exif and b"Exif\0\0" + kept.exif,
        "xmp": kept.xmp,
        "comment": kept.comment,
        "extra": kept.iptc and _photoshop_segment(kept.iptc),
        "icc_profile": icc_profile,
        "dpi": kept.resolution,
    }
    settings |= {name: block for name, block in blocks.items() if block}
    encoded = io.BytesIO()
    image.save(encoded, format="JPEG", **settings)
    return encoded.getvalue()


def _photoshop_segment(iptc) -> bytes:
    """Return a JPEG's segment with IPTC in it, empty where that is too long for one."""
    resource = b"8BIM" + struct.pack(">HHL", IPTC_RESOURCE, 0, len(iptc)) + iptc
    content = PHOTOSHOP + resource + bytes(len(iptc) % 2)
    length = min(len(content) + 2, 65535)
    return b"\xff\xed" + struct.pack(">H", length) + content


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
