"""A folder of every format and every trouble, with what is to become of each file."""

import os
import zlib

from colorizer.files import formats, photos
from colorizer.pixels import grayscale

import numpy as np
from generated import STORED, quarters
from PIL import Image
from test_tiff import COLOUR, READ, REFUSED, store

SHOWN = quarters(32, 48)
GRAY = grayscale(SHOWN)


def make(folder):
    """Fill a folder; return {name: RGB that the file shows} and {name: why it cannot be read}."""
    folder.mkdir(parents=True, exist_ok=True)
    right, wrong = {}, {}
    _formats(folder, right)
    _modes(folder, right)
    _orientations(folder, right)
    _tiffs(folder, right, wrong)
    _names(folder, right)
    _damage(folder, right, wrong)
    for suffixes in formats.UNREADABLE.values():
        for suffix in suffixes:
            (folder / f"unreadable{suffix}").write_bytes(os.urandom(500))
            wrong[f"unreadable{suffix}"] = "which cannot be read; save it as TIFF or PNG"
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.jpg").write_text("not looked at")
    return right, wrong


def _formats(folder, right):
    for suffix in (*formats.SUFFIXES, ""):
        if suffix in (".hif", ".jpf", ".apng", ".mpo", ".pdf"):
            continue
        format = {
            **dict.fromkeys((".jfif", ".jif", ".jpe"), "JPEG"),
            ".dib": "BMP",
            ".pbm": "PPM",
            ".pnm": "PPM",
            "": "PNG",
            ".jpx": "JPEG2000",
        }.get(suffix)
        settings = {"quality": 95} if suffix in (".jpg", ".webp", ".heic", ".avif") else {}
        for kind, picture in (("gray", GRAY[..., 0]), ("colour", SHOWN)):
            if suffix == ".pgm" and kind == "colour":
                continue
            Image.fromarray(picture).save(folder / f"{kind}{suffix}", format, **settings)
            right[f"{kind}{suffix}"] = SHOWN if kind == "colour" else GRAY.repeat(3, 2)


def _modes(folder, right):
    image = Image.fromarray(SHOWN)
    for mode, suffix in (
        *(("P", "png"), ("P", "gif"), ("P", "bmp"), ("P", "tif"), ("CMYK", "jpg"), ("CMYK", "tif")),
        *(("YCbCr", "tif"), ("YCbCr", "jpg"), ("RGBA", "png"), ("RGBA", "webp"), ("RGBA", "tif")),
        *(("LA", "png"), ("LA", "tif"), ("1", "png"), ("1", "tif")),
    ):
        name = f"mode {mode}.{suffix}"
        converted = image.convert("RGB").convert("L" if mode in ("1", "LA") else mode)
        converted = converted.convert(mode, **{"dither": 0} if mode == "1" else {})
        # Pillow 12, which the page needs, reads no YCbCr in a TIFF that is not compressed.
        converted.save(folder / name, **{"compression": "tiff_lzw"} if "YCbCr.tif" in name else {})
        gray = {"LA": GRAY, "1": np.where(GRAY >= 128, 255, 0).astype(np.uint8)}.get(mode)
        right[name] = SHOWN if gray is None else gray.repeat(3, 2)
    for levels, name in ((SHOWN.astype(np.uint16) * 257, "deep"), (GRAY.astype(np.uint16), "dark")):
        photograph = photos.Photograph(levels, format="PNG")
        (folder / f"{name}.png").write_bytes(photos.encode(photograph))
        right[f"{name}.png"] = SHOWN if name == "deep" else np.zeros_like(SHOWN)


def _orientations(folder, right):
    for orientation, store_as in STORED.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = np.ascontiguousarray(store_as(SHOWN))
        for suffix in ("jpg", "png", "webp"):
            name = f"turned {orientation}.{suffix}"
            Image.fromarray(stored).save(folder / name, exif=exif.tobytes())
            right[name] = SHOWN
        for depth, pixels in ((8, stored), (16, stored.astype(np.uint16) * 257)):
            name = f"turned {orientation} of {depth}.tif"
            store(folder / name, pixels, orientation, photometric="rgb")
            right[name] = SHOWN


def _tiffs(folder, right, wrong):
    for name, (pixels, settings, shares) in READ.items():
        store(folder / f"{name}.tif", pixels, **settings)
        shown = np.rint(255 * shares).astype(np.uint8)
        right[f"{name}.tif"] = shown if shares is COLOUR else shown[..., None].repeat(3, 2)
    for number, (reason, (pixels, settings)) in enumerate(REFUSED.items()):
        settings = {"photometric": "minisblack", **settings}
        store(folder / f"refused {number}.tif", pixels, **settings)
        wrong[f"refused {number}.tif"] = reason


def _names(folder, right):
    for name in ("Größe 写真 🎞.png", "two  spaces & 'quotes'.png", "x" * 251 + ".png", "a\nb.png"):
        Image.fromarray(SHOWN).save(folder / "new.png")
        (folder / "new.png").rename(folder / name)
        right[name] = SHOWN
    Image.fromarray(SHOWN).save(folder / "new.png")
    (folder / "new.png").rename(folder / os.fsdecode(b"raw \xff.png"))
    right[os.fsdecode(b"raw \xff.png")] = SHOWN


def _damage(folder, right, wrong):
    none = "it holds no picture in a known format"
    for suffix in ("jpg", "png", "webp", "tif", "bmp", "gif", "heic", "avif", "jp2", "pgm"):
        (folder / f"empty.{suffix}").touch()
        (folder / f"text.{suffix}").write_text("This is no picture.")
        (folder / f"noise.{suffix}").write_bytes(b"\x01" + os.urandom(3000))
        wrong |= {f"{kind}.{suffix}": none for kind in ("empty", "text", "noise")}
    for suffix in ("png", "gif", "bmp"):
        content = (folder / f"colour.{suffix}").read_bytes()
        # What there is of a PNG is read, so that it is cut before its first row.
        length = 45 if suffix == "png" else len(content) // 2
        (folder / f"cut.{suffix}").write_bytes(content[:length])
        wrong[f"cut.{suffix}"] = "it is damaged"
    os.mkfifo(folder / "pipe.jpg")
    (folder / "nothing behind.jpg").symlink_to(folder / "no such file.jpg")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    bomb = bytearray((folder / "colour.png").read_bytes())
    bomb[16:24] = (100_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    (folder / "bomb.png").write_bytes(bomb)
    wrong |= {
        "pipe.jpg": "not a regular file",
        "nothing behind.jpg": "no such file",
        "loop.jpg": "too many levels of symbolic links",
        "bomb.png": "100000 x 100000 pixels, more than 250 megapixels",
    }
    (folder / "folder.jpg").mkdir()
    Image.fromarray(SHOWN).save(folder / "folder.jpg" / "inner.png")
    right["folder.jpg/inner.png"] = SHOWN
    (folder / "folder.jpg" / "up").symlink_to(folder)
