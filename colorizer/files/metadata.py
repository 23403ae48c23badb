"""What a file says about its photograph: EXIF, XMP, IPTC, comments, texts, resolution."""

import dataclasses
import re

from colorizer.files import exif, png, tiff

# Where a JPEG keeps IPTC among the resources of Photoshop.
IPTC_RESOURCE = 0x0404

# The comment that OpenJPEG writes into each JPEG 2000, which is no one's.
OPENJPEG = b"Created by OpenJPEG"


@dataclasses.dataclass
class Metadata:
    """Ready to be written with the upright photograph; empty where the file had none.

    `exif` is the bytes of a TIFF header and its directories; `resolution` pixels an inch, across
    and down, or None; `texts` a PNG's, by keyword.
    """

    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    comment: bytes = b""
    texts: dict = dataclasses.field(default_factory=dict)
    resolution: tuple | None = None


def read(image, texts=True):
    """Return the Metadata of a Pillow image, its EXIF orientation (1 to 8), and a remark.

    With `texts`, a PNG is decoded, to find what stands behind the picture as well. The remark is a
    phrase for the user where something is damaged and left out, else empty.
    """
    if image.format == "TIFF":
        return _read_tiff(image)
    info = image.info
    remark = ""
    try:
        directories, orientation = exif.upright(_exif_of(image))
    except Exception:
        # A photograph is worth more than its EXIF, which breaks in as many ways as a picture.
        directories, orientation, remark = b"", 1, "its EXIF is damaged and was left out"
    found = {}
    if image.format == "PNG":
        found = image.text if texts else {k: v for k, v in info.items() if isinstance(v, str)}
    xmp = info.get("xmp") or found.get(png.XMP, "")
    comment = info.get("comment", b"")
    comment = comment.encode() if isinstance(comment, str) else comment
    photoshop = info.get("photoshop")
    kept = Metadata(
        directories,
        _upright_xmp(xmp.encode() if isinstance(xmp, str) else xmp),
        photoshop.get(IPTC_RESOURCE, b"") if isinstance(photoshop, dict) else b"",
        b"" if comment.startswith(OPENJPEG) else comment,
        {key: text for key, text in found.items() if key not in (png.XMP, *png.EXIF)},
        _resolution(info.get("dpi"), orientation),
    )
    return kept, orientation, remark


def _read_tiff(image):
    """Return the same of a page of a TIFF, which has an EXIF directory of its own or none."""
    try:
        tags = tiff.tags_of(image)
        orientation = tags.pop("orientation")
        kept = Metadata(**tags)
    except Exception:
        # As above.
        return Metadata(), 1, "its EXIF is damaged and was left out"
    kept.xmp = _upright_xmp(kept.xmp)
    kept.resolution = _resolution(kept.resolution, orientation)
    return kept, orientation, ""


def _resolution(dpi, orientation):
    """Return pixels an inch across and down the upright picture, None where there is no number."""
    try:
        across, down = float(dpi[0]), float(dpi[1])
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not (0.1 < across < 1e6 and 0.1 < down < 1e6):
        return None
    return (down, across) if orientation >= 5 else (across, down)


def enlarged(kept, scale) -> Metadata:
    """Return the Metadata of the same print with `scale` times as many pixels a side."""
    resolution = kept.resolution and tuple(scale * each for each in kept.resolution)
    return dataclasses.replace(kept, exif=exif.enlarged(kept.exif, scale), resolution=resolution)


def _upright_xmp(xmp) -> bytes:
    """Let XMP say that the picture is upright."""
    return re.sub(rb'(tiff:Orientation(?:="|>))\d', rb"\g<1>1", xmp)


def _exif_of(image) -> bytes:
    """Return the bytes of EXIF that a Pillow image carries, from the TIFF header on."""
    found = image.info.get("exif")
    if found is None and image.format == "PNG" and any(key in image.info for key in png.EXIF):
        found = image.getexif().tobytes()
    return (found or b"").removeprefix(b"Exif\0\0")
