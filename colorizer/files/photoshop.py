"""Resources of Photoshop: where JPEG, PNG and TIFF keep IPTC, the copyright flag, paths."""

import struct

IPTC = 0x0404

# What is no longer true of the result, or stands elsewhere in its file: resolution, transfer
# functions of gray, duotone, thumbnails, colour profiles, EXIF and XMP.
UNTRUE = (
    *(0x03ED, 0x03F4, 0x03F7, 0x03F9, 0x03FA, 0x0409, 0x040C, 0x040F, 0x0411),
    *(0x0422, 0x0423, 0x0424),
)


def parse(content):
    """Return the IPTC in resources (bytes), and the other resources that stay true, as bytes.

    What is damaged ends them.
    """
    iptc, kept, place = b"", b"", 0
    while content[place : place + 4] == b"8BIM" and place + 7 <= len(content):
        (identity,) = struct.unpack_from(">H", content, place + 4)
        # A name, with its length before it, that is padded to an even number of bytes.
        start = place + 6 + (content[place + 6] + 2) // 2 * 2
        if start + 4 > len(content):
            break
        (length,) = struct.unpack_from(">L", content, start)
        end = start + 4 + length
        if end > len(content):
            break
        if identity == IPTC:
            iptc = iptc or content[start + 4 : end]
        elif identity not in UNTRUE:
            kept += content[place:end] + bytes(length % 2)
        place = end + length % 2
    return iptc, kept


def resources(kept) -> bytes:
    """Return IPTC and the other resources of Metadata together; empty where there are none."""
    if not kept.iptc:
        return kept.photoshop
    length = len(kept.iptc)
    header = b"8BIM" + struct.pack(">HHL", IPTC, 0, length)
    return header + kept.iptc + bytes(length % 2) + kept.photoshop
