"""tiff.py: what scanners write is read right, or refused by what it is."""

import io
import shutil
import subprocess

from colorizer.files import photos, tiff
from colorizer.pixels import high_bits

import numpy as np
import pytest
import tifffile
from generated import STORED, quarters
from PIL import Image, ImageCms
from test_photos import load, near

# A ramp of grays with a darker lower half, and a picture of four colours; in shares of white.
GRAY = np.linspace(0, 1, 48).reshape(1, 48).repeat(32, 0) * np.linspace(1, 0.5, 32).reshape(32, 1)
COLOUR = quarters(32, 48) / 255


def sixteen(shares):
    return np.rint(shares * 65535).astype(np.uint16)


def cmyk(shares):
    """Return shares of ink for RGB shares, without black."""
    return np.dstack([1 - shares, np.zeros(shares.shape[:2])])


ALPHA = np.linspace(0.2, 1, 48).reshape(1, 48).repeat(32, 0)

# name: the pixels in the file, tifffile's settings, the shares that they mean.
READ = {
    "gray": (sixteen(GRAY), {"photometric": "minisblack"}, GRAY),
    "white is zero": (sixteen(1 - GRAY), {"photometric": "miniswhite"}, GRAY),
    "rgb": (sixteen(COLOUR), {"photometric": "rgb"}, COLOUR),
    "planes": (
        sixteen(np.moveaxis(COLOUR, -1, 0)),
        {"photometric": "rgb", "planarconfig": "separate"},
        COLOUR,
    ),
    "tiles": (sixteen(COLOUR), {"photometric": "rgb", "tile": (16, 16)}, COLOUR),
    "lzw": (sixteen(COLOUR), {"photometric": "rgb", "compression": "lzw", "predictor": 2}, COLOUR),
    "big-endian": (sixteen(COLOUR), {"photometric": "rgb", "byteorder": ">"}, COLOUR),
    "bigtiff": (sixteen(COLOUR), {"photometric": "rgb", "bigtiff": True}, COLOUR),
    "12 bits": (
        np.rint(GRAY * 4095).astype(np.uint16),
        {"photometric": "minisblack", "bitspersample": 12},
        GRAY,
    ),
    "uint32": (
        np.rint(GRAY * (2**32 - 1)).astype(np.uint32),
        {"photometric": "minisblack"},
        GRAY,
    ),
    "float": (GRAY.astype(np.float32), {"photometric": "minisblack"}, GRAY),
    "float rgb": (COLOUR.astype(np.float32), {"photometric": "rgb"}, COLOUR),
    "half": (COLOUR.astype(np.float16), {"photometric": "rgb"}, COLOUR),
    "cmyk": (sixteen(cmyk(COLOUR)), {"photometric": "separated"}, COLOUR),
    "gray and alpha": (
        sixteen(np.dstack([GRAY, ALPHA])),
        {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]},
        GRAY,
    ),
    "premultiplied": (
        sixteen(np.dstack([COLOUR * ALPHA[..., None], ALPHA])),
        {"photometric": "rgb", "extrasamples": ["assocalpha"]},
        COLOUR,
    ),
    "a fourth channel": (
        sixteen(np.dstack([COLOUR, ALPHA])),
        {"photometric": "rgb", "extrasamples": ["unspecified"]},
        COLOUR,
    ),
}


def store(path, pixels, orientation=None, **settings):
    file_settings = {key: settings.pop(key) for key in ("byteorder", "bigtiff") if key in settings}
    tags = [] if orientation is None else [(274, 3, 1, orientation, True)]
    if settings.get("bitspersample") == 12:  # which older imagecodecs read, but do not write
        bits = (pixels[..., np.newaxis] >> np.arange(11, -1, -1)) & 1
        rows = np.packbits(bits.astype(np.uint8).reshape(len(pixels), -1), axis=1)
        settings |= {"shape": pixels.shape, "dtype": pixels.dtype, "rowsperstrip": len(pixels)}
        pixels = iter([rows.tobytes()])
    with tifffile.TiffWriter(path, **file_settings) as writer:
        writer.write(pixels, metadata=None, extratags=tags, **settings)
    return path


@pytest.mark.parametrize("name", READ)
def test_what_scanners_write_is_read_right(tmp_path, name):
    pixels, settings, shares = READ[name]
    path = store(tmp_path / "a.tif", pixels, **settings)
    shares = shares if shares.ndim == 3 else shares[..., None]
    loaded = load(path)
    tolerance = 2 if name == "half" else 1
    assert loaded.pixels.dtype == (np.uint8 if name == "cmyk" else np.uint16)
    near(high_bits(loaded.pixels), shares * 255, tolerance)
    assert (loaded.alpha is not None) == ("alpha" in name or name == "premultiplied")
    if loaded.alpha is not None:
        near(loaded.alpha, ALPHA * 65535, 2)
    # What is written again is the same.
    (tmp_path / "again.tif").write_bytes(photos.encode(loaded))
    np.testing.assert_array_equal(load(tmp_path / "again.tif").pixels, loaded.pixels)


@pytest.mark.skipif(not shutil.which("vips"), reason="libvips is not installed")
@pytest.mark.parametrize("name", ["gray", "white is zero", "rgb", "planes", "lzw", "big-endian"])
def test_an_independent_reader_sees_the_same(tmp_path, name):
    pixels, settings, _ = READ[name]
    path = store(tmp_path / "a.tif", pixels, **settings)
    subprocess.run(["vips", "copy", path, tmp_path / "a.png"], check=True)
    other = load(tmp_path / "a.png").pixels
    if name == "white is zero" and np.abs(other.astype(int) - load(path).pixels).max() > 60000:
        other = 65535 - other  # older versions of libvips leave it a negative
    np.testing.assert_array_equal(load(path).pixels, other)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("bits", [8, 16])
def test_orientation_is_applied_once_at_any_depth(tmp_path, orientation, bits):
    shown = quarters(40, 60)
    pixels = np.ascontiguousarray(STORED[orientation](shown))
    if bits == 16:
        pixels = pixels.astype(np.uint16) * 257
    path = store(tmp_path / "a.tif", pixels, orientation, photometric="rgb")
    np.testing.assert_array_equal(high_bits(load(path).pixels), shown)
    np.testing.assert_array_equal(photos.read_rgb(path), shown)


REFUSED = {
    "floating-point pixels go from 0 to 255": (
        (GRAY * 255).astype(np.float32),
        {"photometric": "minisblack"},
    ),
    "floating-point pixels go from nan": (GRAY.astype(np.float32) * np.nan, {}),
    "16-bit whole numbers with a sign": (sixteen(GRAY / 2).astype(np.int16), {}),
    "of 16 bits in CIELAB": (sixteen(COLOUR), {"photometric": "cielab"}),
    "TIFF of 7 channels": (
        sixteen(np.dstack([COLOUR, COLOUR, ALPHA])),
        {"photometric": "minisblack", "planarconfig": "contig"},
    ),
    "64 bits": (np.rint(GRAY * 2**60).astype(np.uint64), {}),
    "complex numbers": (GRAY.astype(np.complex64), {}),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_not_read_is_refused_by_what_it_is(tmp_path, reason):
    pixels, settings = REFUSED[reason]
    path = store(tmp_path / "a.tif", pixels, **{"photometric": "minisblack", **settings})
    for read in (load, photos.read_rgb):
        with pytest.raises(photos.PhotographError, match=reason) as refused:
            read(path)
        assert "save it " in str(refused.value)


def test_cielab_of_8_bits_is_converted(tmp_path):
    lab = ImageCms.applyTransform(
        Image.fromarray(quarters(32, 48)),
        ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        ),
    )
    lab.save(tmp_path / "a.tif")
    near(photos.read_rgb(tmp_path / "a.tif"), quarters(32, 48), 6)


def test_results_are_compressed_with_exif_too():
    content = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "a title"
    Image.fromarray(quarters(200, 300)).save(content, "TIFF", exif=exif)
    content.seek(0)
    image = Image.open(content, formats=["TIFF"])
    encoded = photos.encode(photos.load(image))
    assert len(encoded) < len(content.getvalue()) / 10
    again = Image.open(io.BytesIO(encoded))
    assert (again.info["compression"], again.getexif()[0x010E]) == ("tiff_adobe_deflate", "a title")


def test_pictures_of_8_bits_are_left_to_pillow():
    content = io.BytesIO()
    Image.fromarray(quarters()).save(content, "TIFF")
    assert tiff.opened(content) is None


def test_a_tiff_without_pixels_is_damaged(tmp_path):
    path = store(tmp_path / "a.tif", sixteen(GRAY), photometric="minisblack")
    content = bytearray(path.read_bytes())
    place = content.index(b"\x00\x01\x04\x00\x01\x00\x00\x00\x30\x00")  # ImageWidth, 48
    content[place + 8] = 0
    path.write_bytes(content)
    with pytest.raises(photos.PhotographError, match="no pixels"):
        load(path)
