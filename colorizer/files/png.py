"""PNG: its chunks of metadata, 16 bits a channel in and out, cut-off ones."""

import io
import re
import struct
import zlib

from colorizer.files import photoshop

import imagecodecs
import numpy as np
from PIL import Image, PngImagePlugin

XMP = "XML:com.adobe.xmp"
# Where ImageMagick puts what PNG has chunks for, or has none; Pillow reads the first as EXIF.
EXIF = ("Raw profile type exif", "Raw profile type APP1")
RESOURCES = ("Raw profile type iptc", "Raw profile type 8bim")
COMMENT = "Comment"

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LONGEST_CHUNK = 32 << 20
# Of pixels whose samples are wider than a byte, and of colour types, the samples.
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Adam7: the first column and row of each pass, and its steps.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
PASSES += ((0, 1, 1, 2),)

# Profiles of printers have some megabytes; Pillow would take more than one for an attack.
PngImagePlugin.MAX_TEXT_CHUNK = LONGEST_CHUNK


def chunks(file):
    """Yield (kind, content) of each chunk of an open PNG; the last may be cut off."""
    file.seek(len(SIGNATURE))
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">L4s", head)
        content = file.read(length)
        yield kind, content
        if kind == b"IEND" or len(content) < length:
            return
        file.seek(4, 1)


def _png(found) -> bytes:
    """Return a PNG of chunks (kind, content)."""
    encoded = io.BytesIO()
    encoded.write(SIGNATURE)
    for kind, content in found:
        PngImagePlugin.putchunk(encoded, kind, content)
    return encoded.getvalue()


def described(file):
    """Return what an open PNG says about its picture, also behind it, and nothing is decoded.

    Returns Pillow's `info`, the texts by keyword, and names of what is not kept.
    """
    found = [
        (kind, content)
        for kind, content in chunks(file)
        if kind not in (b"IDAT", b"fdAT", b"fcTL", b"acTL", b"IEND")
        and len(content) <= LONGEST_CHUNK
    ]
    image = Image.open(io.BytesIO(_png([*found, (b"IDAT", b""), (b"IEND", b"")])), formats=["PNG"])
    lost = ["Content Credentials (C2PA)"] if any(kind == b"caBX" for kind, _ in found) else []
    return image, dict(image.png.im_text), lost


def raw_profile(text) -> bytes:
    """Return what ImageMagick wrote as a raw profile, empty where it is damaged."""
    # A name of any words, the number of bytes, and they themselves, a line each.
    _, _, digits = (*text.strip().split("\n", 2), "", "")[:3]
    try:
        return bytes.fromhex("".join(digits.split()))
    except ValueError:
        return b""


def is_deep(image) -> bool:
    """Tell whether an `opened` image is a PNG of 16 bits a channel, which Pillow would halve."""
    return image.format == "PNG" and bool(image.tile) and ";16" in str(image.tile[0][3])


def load_deep(file):
    """Decode a 16-bit PNG; return its pixels as stored, and alpha or None."""
    wanted = (b"IHDR", b"IDAT", b"IEND")
    pixels = imagecodecs.png_decode(_png(each for each in chunks(file) if each[0] in wanted))
    if pixels.dtype != np.uint16:
        raise ValueError("its 16-bit pixels cannot be decoded")
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if pixels.shape[2] in (2, 4):
        return np.ascontiguousarray(pixels[..., :-1]), np.ascontiguousarray(pixels[..., -1])
    clear = next((content for kind, content in chunks(file) if kind == b"tRNS"), b"")
    if len(clear) != 2 * pixels.shape[2]:
        return pixels, None
    clear = np.frombuffer(clear, ">u2").astype(np.uint16)
    return pixels, np.where((pixels == clear).all(axis=2), 0, 65535).astype(np.uint16)


def salvaged(image):
    """Return an opened PNG that is cut off as one that is whole; None where it is not cut off.

    What is missing is gray. Nothing is salvaged where not one row is there.
    """
    content = _whole(image.fp)
    return content and Image.open(io.BytesIO(content), formats=["PNG"])


def _whole(file):
    """Return a cut-off PNG filled up with gray; None where it is whole or nothing is there."""
    found, data, rows = [], zlib.decompressobj(), io.BytesIO()
    if file.seek(-12, 2) and b"IEND" in file.read():
        return None
    for kind, content in chunks(file):
        if kind == b"IDAT":
            try:
                rows.write(data.decompress(content))
            except zlib.error:
                return None
        elif kind in (b"IHDR", b"PLTE", b"tRNS"):
            found.append((kind, content))
    if not found or len(found[0][1]) < 13:
        return None
    width, height, bits, colour, _, _, interlaced = struct.unpack(">LLBBBBB", found[0][1][:13])
    passes = PASSES if interlaced else ((0, 0, 1, 1),)
    there, blank = rows.getvalue(), []
    whole = 0  # bytes of rows that are there from end to end: the next one builds on the last
    for left, top, across, down in passes:
        columns, lines = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and lines > 0:
            row = _gray_row(columns, bits, colour)
            left_over = max(0, len(there) - sum(map(len, blank)))
            whole += min(left_over // len(row), lines) * len(row)
            blank.append(row * lines)
    blank = b"".join(blank)
    if not whole or len(there) >= len(blank):
        return None
    filled = there[:whole] + blank[whole:]
    return _png([*found, (b"IDAT", zlib.compress(filled, 1)), (b"IEND", b"")])


def _gray_row(columns, bits, colour) -> bytes:
    """Return a row of middle gray, opaque, as it stands in a PNG, with its filter, none, before."""
    samples = SAMPLES[colour]
    if bits < 8 or colour == 3:
        return bytes(1 + -(-columns * bits * samples // 8))
    opaque = samples in (2, 4)
    pixel = b"\x80" * ((samples - opaque) * bits // 8) + b"\xff" * (opaque * bits // 8)
    return b"\0" + pixel * columns


def encode(image, kept, icc_profile) -> bytes:
    """Encode a Pillow image of 8 bits a channel, with what is known about it."""
    settings = {"exif": kept.exif, "icc_profile": icc_profile, "dpi": kept.resolution}
    settings = {name: value for name, value in settings.items() if value}
    encoded = io.BytesIO()
    image.save(encoded, format="PNG", pnginfo=_texts(kept), **settings)
    return encoded.getvalue()


def encode_deep(channels, kept, icc_profile) -> bytes:
    """Encode uint16 (H, W, 1, 3 or 4), and put what is known about it behind the header."""
    content = imagecodecs.png_encode(channels[..., 0] if channels.shape[2] == 1 else channels, 6)
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
    for kind, text, *_ in _texts(kept).chunks:
        PngImagePlugin.putchunk(encoded, kind, text)
    encoded.write(content[header_end:])
    return encoded.getvalue()


def _texts(kept):
    """Return XMP, IPTC, resources of Photoshop, comment and texts as Pillow's PngInfo."""
    written = PngImagePlugin.PngInfo()
    for keyword, text in kept.texts.items():
        if isinstance(text, PngImagePlugin.iTXt):
            written.add_itxt(keyword, text, text.lang or "", text.tkey or "")
        else:
            written.add_text(keyword, text)
    if kept.comment:
        written.add_text(COMMENT, kept.comment.decode("utf-8", "replace"))
    if kept.xmp:
        written.add_itxt(XMP, kept.xmp.decode("utf-8", "replace"))
    if resources := photoshop.resources(kept):
        lines = re.sub("(.{72})", r"\1\n", resources.hex())
        written.add_text(RESOURCES[0], f"\niptc\n{len(resources):8d}\n{lines}\n", zip=True)
    return written
