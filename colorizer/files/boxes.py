"""Boxes of ISO media files: HEIC, AVIF and JPEG 2000 are made of them, as MP4 is."""

import struct

# Boxes that hold others, and bytes of theirs before the first.
PARENTS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"jp2h": 0}

XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
EXIF = b"JpgTiffExif->JP2"
C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")

# What is this long in a header is an attack.
LONGEST_BOX = 64 << 20
MOST_BOXES = 10_000


def walk(file, parents=PARENTS):
    """Yield (kind, place of the content, its length) of each box of an open file, parents first.

    Ends at the first that is damaged.
    """
    end = file.seek(0, 2)
    waiting, count = [(0, end)], 0
    while waiting:
        place, end = waiting.pop()
        while place + 8 <= end and count < MOST_BOXES:
            count += 1
            file.seek(place)
            length, kind = struct.unpack(">L4s", file.read(8))
            start = place + 8
            if length == 1:
                wide = file.read(8)
                if len(wide) < 8:
                    return
                (length,), start = struct.unpack(">Q", wide), start + 8
            length = length or end - place
            if length < start - place or not kind.isascii():
                return
            yield kind, start, min(place + length, end) - start
            if kind in parents:
                waiting.append((place + length, end))
                place, end = start + parents[kind], min(place + length, end)
            else:
                place += length


def contents(file, kind) -> list[bytes]:
    """Return the contents of all boxes of a kind in an open file."""
    found = []
    for name, place, length in list(walk(file)):
        if name == kind and length <= LONGEST_BOX:
            file.seek(place)
            found.append(file.read(length))
    return found


def uuids(file) -> dict:
    """Return what an open file's uuid boxes hold, by their identity of 16 bytes."""
    return {content[:16]: content[16:] for content in contents(file, b"uuid")}


def uuid(identity, content) -> bytes:
    """Return a uuid box."""
    return struct.pack(">L4s", 24 + len(content), b"uuid") + identity + content


def picture_codec(file) -> str:
    """Return how the pictures of an open HEIF file are coded, HEIF or AVIF; empty where it is none.

    Judged by its boxes: the brands at its beginning are as many as cameras.
    """
    file.seek(0)
    if file.read(12)[4:8] != b"ftyp":
        return ""
    kinds = {kind for kind, _, _ in walk(file)}
    handlers = [content[8:12] for content in contents(file, b"hdlr")]
    if b"pict" not in handlers:
        return ""
    return "AVIF" if b"av1C" in kinds else "HEIF"


def with_brand(content, brand) -> bytes:
    """Return a HEIF file whose first brand is another one, that a library knows."""
    return content[:8] + brand + content[12:]


def depth(file) -> int:
    """Return the most bits a channel that the pictures of an open HEIF file have."""
    return max((max(content[5:], default=8) for content in contents(file, b"pixi")), default=8)


def with_comment(content, comment) -> bytes:
    """Return a JPEG 2000 with a comment behind the first marker of its picture, where it fits."""
    start = content.find(b"jp2c\xff\x4f\xff\x51")
    if not comment or len(comment) > 65000 or start < 0:
        return content
    (length,) = struct.unpack_from(">L", content, start - 4)
    (first,) = struct.unpack_from(">H", content, start + 8)
    marker = b"\xff\x64" + struct.pack(">HH", len(comment) + 4, 1) + comment
    length = length and length + len(marker)
    head = content[: start - 4] + struct.pack(">L", length) + content[start : start + 8 + first]
    return head + marker + content[start + 8 + first :]
