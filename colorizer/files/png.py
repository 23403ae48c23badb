"""PNG: 16 bits a channel in and out, and its chunks of metadata."""

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import PngImagePlugin

XMP = "XML:com.adobe.xmp"
# Where ImageMagick puts what PNG has chunks for; Pillow reads the first as EXIF.
EXIF = ("Raw profile type exif", "Raw profile type APP1")

# Profiles of printers have some megabytes; Pillow would take more than one for an attack.
PngImagePlugin.MAX_TEXT_CHUNK = 32 << 20


def is_deep(image) -> bool:
    """Tell whether an `opened` image is a PNG of 16 bits a channel, which Pillow would halve."""
    return image.format == "PNG" and bool(image.tile) and ";16" in str(image.tile[0][3])


def load_deep(file):
    """Decode a 16-bit PNG with OpenCV; return its pixels as stored, and alpha or None."""
    file.seek(0)
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(file.read(), np.uint8), flags)
    if pixels is None or pixels.dtype != np.uint16:
        raise ValueError("its 16-bit pixels cannot be decoded")
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    alpha = None
    if pixels.shape[2] == 4:
        alpha = pixels[..., 3]
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB)
    elif pixels.shape[2] == 3:
        cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)
    return pixels, alpha


def encode(image, kept, icc_profile) -> bytes:
    """Encode a Pillow image of 8 bits a channel, with what is known about it."""
    settings = {"exif": kept.exif, "icc_profile": icc_profile, "dpi": kept.resolution}
    settings = {name: value for name, value in settings.items() if value}
    encoded = io.BytesIO()
    image.save(encoded, format="PNG", pnginfo=_chunks(kept), **settings)
    return encoded.getvalue()


def encode_deep(channels, kept, icc_profile) -> bytes:
    """Encode uint16 (H, W, 1, 3 or 4) with OpenCV, and put the rest behind its header."""
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
    if icc_profile:
        profile = b"ICC profile\0\0" + zlib.compress(icc_profile)
        PngImagePlugin.putchunk(encoded, b"iCCP", profile)
    if kept.resolution:
        across, down = (round(dpi / 0.0254) for dpi in kept.resolution)
        PngImagePlugin.putchunk(encoded, b"pHYs", struct.pack(">LLB", across, down, 1))
    if kept.exif:
        PngImagePlugin.putchunk(encoded, b"eXIf", kept.exif)
    for kind, text, *_ in _chunks(kept).chunks:
        PngImagePlugin.putchunk(encoded, kind, text)
    encoded.write(content[header_end:])
    return encoded.getvalue()


def _chunks(kept):
    """Return XMP and texts as Pillow's PngInfo."""
    chunks = PngImagePlugin.PngInfo()
    for keyword, text in kept.texts.items():
        if isinstance(text, PngImagePlugin.iTXt):
            chunks.add_itxt(keyword, text, text.lang or "", text.tkey or "")
        else:
            chunks.add_text(keyword, text)
    if kept.xmp:
        chunks.add_itxt(XMP, kept.xmp.decode("utf-8", "replace"))
    return chunks
