"""What a file says about its photograph: EXIF, XMP, IPTC, comments, texts, resolution."""

import dataclasses

from colorizer.files import boxes, exif, jpeg, photoshop, png, tiff, xmp

# The comment that OpenJPEG writes into each JPEG 2000, which is no one's.
OPENJPEG = b"Created by OpenJPEG"


@dataclasses.dataclass
class Metadata:
    """Ready to be written with the upright photograph; empty where the file had none.

    `exif` is the bytes of a TIFF header and its directories; `photoshop` the resources of Photoshop
    but for IPTC; `resolution` pixels an inch, across and down, or None; `texts` a PNG's, by
    keyword. A `comment` of other letters than ASCII is in UTF-8.
    """

    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    photoshop: bytes = b""
    comment: bytes = b""
    texts: dict = dataclasses.field(default_factory=dict)
    resolution: tuple | None = None


def read(image):
    """Return the Metadata of an `opened` image, its EXIF orientation (1 to 8), and remarks.

    What is no longer true of the upright picture in sRGB is left out. The remarks are phrases for
    the user about what is damaged, or not kept.
    """
    found, remarks = {"exif": b"", "xmp": b"", "orientation": 1, "lost": []}, []
    readers = {"TIFF": tiff.tags_of, "JPEG": _of_jpeg, "MPO": _of_jpeg, "PNG": _of_png}
    try:
        found |= readers.get(image.format, _of_others)(image)
    except Exception:
        # A photograph is worth more than its metadata, which breaks in as many ways as a picture.
        remarks.append("its metadata is damaged and was left out")
    lost, turned = found.pop("lost"), found.pop("orientation")
    extended = found.pop("extended", b"")
    try:
        found["exif"], turned = exif.upright(found["exif"], turned)
    except Exception:
        found["exif"] = b""
        remarks.append("its EXIF is damaged and was left out")
    if b"hdrgm:Version" in found["xmp"] or b"HDRGainMap" in found["xmp"]:
        lost.append("gain map")
    try:
        found["xmp"] = xmp.cleaned(found["xmp"], extended, turned)
    except ValueError:
        found["xmp"] = b""
        remarks.append("its XMP is damaged and was left out")
    if content := found.get("photoshop"):
        iptc, found["photoshop"] = photoshop.parse(content)
        found["iptc"] = found.get("iptc") or iptc
    found["resolution"] = _resolution(found.get("resolution"), turned) or exif.resolution(
        found["exif"]
    )
    if lost:
        remarks.append(f"its {', '.join(lost)} cannot be kept")
    return Metadata(**found), turned, remarks


def orientation(image) -> int:
    """Return how EXIF turns an `opened` image, 1 to 8."""
    return read(image)[1]


def _of_jpeg(image) -> dict:
    """Return the fields of Metadata that a JPEG has, as stored."""
    return _of_info(image.info) | jpeg.segments_of(image)


def _of_png(image) -> dict:
    """Return the fields of Metadata that a PNG has, as stored."""
    described, texts, lost = png.described(image.fp)
    found = _of_info(described.info)
    if "exif" not in described.info and any(key in texts for key in png.EXIF):
        found["exif"] = described.getexif().tobytes().removeprefix(b"Exif\0\0")
    found["xmp"] = found["xmp"] or texts.get(png.XMP, "").encode()
    found["comment"] = texts.get(png.COMMENT, "").encode()
    raw = [png.raw_profile(texts[key]) for key in png.RESOURCES if key in texts]
    found["photoshop"] = max(raw, key=len, default=b"")
    if found["photoshop"].startswith(b"\x1c"):  # IPTC by itself
        found["iptc"], found["photoshop"] = found["photoshop"], b""
    known = (png.XMP, png.COMMENT, *png.EXIF, *png.RESOURCES)
    found["texts"] = {key: text for key, text in texts.items() if key not in known}
    return found | {"lost": lost}


def _of_others(image) -> dict:
    """Return the fields of Metadata that a file of another format has, as stored."""
    found = _of_info(image.info)
    if found["comment"].startswith(OPENJPEG):
        found["comment"] = b""
    if image.format in ("JPEG2000", "HEIF", "AVIF"):
        there = boxes.uuids(image.fp)
        if image.format == "JPEG2000":
            found["xmp"] = there.get(boxes.XMP, b"")
            found["exif"] = there.get(boxes.EXIF, b"").removeprefix(b"Exif\0\0")
        if boxes.C2PA in there:
            found["lost"] = ["Content Credentials (C2PA)"]
    return found


def _of_info(info) -> dict:
    """Return the fields of Metadata that Pillow's `info` has."""
    texts = {name: info.get(name) or b"" for name in ("xmp", "comment")}
    return {
        "exif": (info.get("exif") or b"").removeprefix(b"Exif\0\0"),
        "resolution": info.get("dpi"),
        **{name: text.encode() if isinstance(text, str) else text for name, text in texts.items()},
    }


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
    return dataclasses.replace(
        kept,
        exif=exif.enlarged(kept.exif, scale),
        xmp=xmp.enlarged(kept.xmp, scale),
        resolution=resolution,
    )
