"""From a photograph to the bytes of its file: what a format holds is kept, the rest is said."""

import dataclasses
import io

from colorizer.files import boxes, exif, formats, jpeg, png, tiff, xmp
from colorizer.files.metadata import Metadata
from colorizer.pixels import high_bits

import imagecodecs
import numpy as np
import pillow_heif
from PIL import Image


def fitting(photograph, target):
    """Return pixels, alpha and Metadata of a photograph as far as a Format holds them.

    The rest are the remarks, the last that is returned.
    """
    pixels, alpha, kept = photograph.pixels, photograph.alpha, photograph.metadata
    lost, too_long = [], []
    if pixels.dtype == np.uint16 and "depth" not in target.holds:
        lost.append(formats.HOLDS["depth"])
        pixels, alpha = high_bits(pixels), None if alpha is None else high_bits(alpha)
    if alpha is not None and "alpha" not in target.holds:
        lost.append("alpha, which is laid on white")
        pixels, alpha = on_white(pixels, alpha), None
    if target.colours and _image(pixels).getcolors(target.colours) is None:
        lost.append(f"more than {target.colours} colours")
    empty = Metadata()
    for field in dataclasses.fields(kept):
        block = getattr(kept, field.name)
        if not block:
            continue
        if field.name not in target.holds:
            lost.append(formats.HOLDS[field.name])
        elif target.key == "JPEG" and not jpeg.has_room(field.name, block):
            too_long.append(formats.HOLDS[field.name])
        else:
            continue
        kept = dataclasses.replace(kept, **{field.name: getattr(empty, field.name)})
    remarks = []
    if lost:
        remarks.append(f"{target.name} has no room for its {', '.join(lost)}")
    if too_long:
        remarks.append(f"its {', '.join(too_long)} is too long for a {target.name} and left out")
    return pixels, alpha, kept, remarks


def on_white(pixels, alpha) -> np.ndarray:
    """Lay pixels (H, W, 1 or 3) with their alpha (H, W), both uint8 or uint16, on white."""
    if pixels.dtype == np.uint16:
        share = alpha[..., np.newaxis].astype(np.uint64)
        laid = (pixels * share + 65535 * (65535 - share) + 32767) // 65535
        return laid.astype(np.uint16)
    image = _image(pixels)
    laid = Image.composite(
        image, Image.new(image.mode, image.size, "white"), Image.fromarray(alpha)
    )
    return np.asarray(laid).reshape(pixels.shape)


def encoded(photograph, target, quality=None, mark=None):
    """Encode a photograph in a Format; return its bytes and remarks.

    `quality`, 0 to 100, is by default about the source's own; `mark` is an xmp.Mark or None. Raises
    OSError, ValueError or RuntimeError where the format cannot hold the picture.
    """
    height, width = photograph.pixels.shape[:2]
    if target.longest_side and max(height, width) > target.longest_side:
        raise ValueError(
            f"it has {width} x {height} pixels, and a {target.name} at most "
            f"{target.longest_side} a side; use --format png or tif"
        )
    pixels, alpha, kept, remarks = fitting(photograph, target)
    if mark and "xmp" in target.holds:
        packet = xmp.marked(kept.xmp, mark, Image.MIME.get(target.key, ""))
        kept = dataclasses.replace(kept, xmp=packet)
    elif mark:
        remarks.append(f"{target.name} has no place for a mark that says how it was made")
    profile = photograph.icc_profile if "profile" in target.holds else b""
    channels = pixels if alpha is None else np.dstack([pixels, alpha])
    settings = dict(target.settings)
    if quality is not None and "quality" in settings:
        settings["quality"] = quality
    elif target.key == "JPEG" and photograph.quantization_of == (height, width):
        settings = {"qtables": photograph.quantization}
    elif target.key == photograph.format and photograph.lossless:
        settings = {"lossless": True}
    if target.key == "TIFF":
        content = tiff.encode(channels, pixels.shape[2], kept, profile)
    elif target.key == "JPEG":
        content = jpeg.encode(_image(channels), kept, profile, settings)
    elif channels.dtype == np.uint16:
        if target.key == "HEIF":
            settings["bit_depth"] = 12 if photograph.bits > 10 else 10
        content = _deep(channels, kept, profile, settings, target)
    elif target.key == "PNG":
        content = png.encode(_image(channels), kept, profile)
    else:
        content = _with_pillow(_image(channels), kept, profile, settings, target)
    if target.key == "JPEG2000":
        content += boxes.uuid(boxes.XMP, kept.xmp) if kept.xmp else b""
        exif_bytes = _with_resolution(kept)
        content += boxes.uuid(boxes.EXIF, exif_bytes) if exif_bytes else b""
    return content, remarks


def _image(channels):
    """Return uint8 pixels (H, W, 1 to 4) as a Pillow image."""
    return Image.fromarray(channels[..., 0] if channels.shape[2] == 1 else channels)


def _with_resolution(kept) -> bytes:
    """Return EXIF that says the resolution, for formats that have no other place for it."""
    if not kept.resolution or exif.resolution(kept.exif):
        return kept.exif
    return exif.with_resolution(kept.exif, *kept.resolution)


def _with_pillow(image, kept, icc_profile, settings, target) -> bytes:
    """Encode a Pillow image in a Format of which Pillow's `save` knows all that there is."""
    exif_bytes = _with_resolution(kept) if "exif" in target.holds else b""
    blocks = {
        "exif": exif_bytes and b"Exif\0\0" + exif_bytes,
        "xmp": kept.xmp,
        "comment": kept.comment,
        "icc_profile": icc_profile,
        "dpi": kept.resolution,
    }
    settings = settings | {name: block for name, block in blocks.items() if block}
    content = io.BytesIO()
    image.save(content, format=target.key, **settings)
    return content.getvalue()


def _deep(channels, kept, icc_profile, settings, target) -> bytes:
    """Encode uint16 pixels (H, W, 1, 3 or 4) in a Format, but for TIFF."""
    if target.key == "PNG":
        return png.encode_deep(channels, kept, icc_profile)
    flat = channels[..., 0] if channels.shape[2] == 1 else channels
    if target.key == "PPM":
        height, width = channels.shape[:2]
        kind = 5 if channels.shape[2] == 1 else 6
        return b"P%d\n%d %d\n65535\n" % (kind, width, height) + flat.astype(">u2").tobytes()
    if target.key == "JPEG2000":
        content = imagecodecs.jpeg2k_encode(flat, level=0, reversible=True, codecformat="jp2")
        return boxes.with_comment(content, kept.comment)
    mode = {1: "I;16", 3: "RGB;16", 4: "RGBA;16"}[channels.shape[2]]
    image = pillow_heif.from_bytes(
        mode, channels.shape[1::-1], np.ascontiguousarray(flat).tobytes()
    )
    exif_bytes = _with_resolution(kept)
    blocks = {"exif": exif_bytes and b"Exif\0\0" + exif_bytes, "xmp": kept.xmp}
    blocks = {name: block for name, block in blocks.items() if block}
    if icc_profile:
        image.info["icc_profile"], image.info["icc_profile_type"] = icc_profile, "prof"
    content = io.BytesIO()
    image.save(content, **settings, **blocks)
    return content.getvalue()
