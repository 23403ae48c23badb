"""16 bits stay 16 bits wherever they come from, through colour profiles as well, or it is said."""

import io
import zlib

from colorizer.files import boxes, icc, photos
from colorizer.files.formats import FORMATS

import imagecodecs
import numpy as np
import pillow_heif
import pytest
from generated import quarters
from PIL import Image, ImageCms
from test_metadata import ADOBE, gray_profile
from test_photos import load, near, photograph

RAMP = np.linspace(0, 65535, 64 * 48).astype(np.uint16).reshape(48, 64, 1)
COLOUR = np.dstack([RAMP, RAMP[::-1], RAMP[:, ::-1]])


def pnm(pixels, plain=False, most=65535):
    """Return a PGM or PPM of up to 65,535 levels, with a comment in its header."""
    height, width, channels = pixels.shape
    kind = {(1, False): 5, (3, False): 6, (1, True): 2, (3, True): 3}[channels, plain]
    head = b"P%d # a # comment\n%d %d\n%d\n" % (kind, width, height, most)
    return head + (
        b" ".join(b"%d" % v for v in pixels.flat) if plain else pixels.astype(">u2").tobytes()
    )


def heif(pixels):
    mode = "I;16" if pixels.shape[2] == 1 else "RGB;16"
    image = pillow_heif.from_bytes(mode, pixels.shape[1::-1], pixels.tobytes())
    content = io.BytesIO()
    image.save(content, quality=-1, chroma=444)
    return content.getvalue()


DEEP = {
    "gray.pgm": (pnm(RAMP), RAMP, 0),
    "colour.ppm": (pnm(COLOUR), COLOUR, 0),
    "plain.pgm": (pnm(RAMP, plain=True), RAMP, 0),
    "plain.ppm": (pnm(COLOUR, plain=True), COLOUR, 0),
    "ten bits.pgm": (pnm(RAMP >> 6, most=1023), RAMP, 64),
    "gray.jp2": (imagecodecs.jpeg2k_encode(RAMP[..., 0], level=0, reversible=True), RAMP, 0),
    "colour.jp2": (imagecodecs.jpeg2k_encode(COLOUR, level=0, reversible=True), COLOUR, 0),
    "twelve bits.jp2": (
        imagecodecs.jpeg2k_encode(COLOUR >> 4, level=0, reversible=True, bitspersample=12),
        COLOUR,
        16,
    ),
    "ten bits.heic": (heif(COLOUR), COLOUR, 700),
    "ten bits.avif": (
        imagecodecs.avif_encode(COLOUR >> 6, level=100, bitspersample=10),
        COLOUR,
        64,
    ),
}


@pytest.mark.parametrize("name", DEEP)
def test_more_than_8_bits_are_read_and_kept(tmp_path, name):
    content, expected, tolerance = DEEP[name]
    (tmp_path / name).write_bytes(content)
    loaded = load(tmp_path / name)
    assert loaded.pixels.dtype == np.uint16
    near(loaded.pixels, expected, tolerance)
    assert loaded.pixels.max() == 65535
    near(photos.read_rgb(tmp_path / name), np.broadcast_to(expected / 257, (48, 64, 3)), 4)
    for format in FORMATS:
        if "depth" not in format.holds:
            continue
        (tmp_path / "again").write_bytes(photos.encode(loaded, format.key))
        again = load(tmp_path / "again")
        assert len(np.unique(again.pixels)) > 500, format.key
        near(again.pixels, expected, tolerance + (1200 if format.key == "HEIF" else 0))
    assert loaded.remarks == []
    photos.encode(loaded, "JPEG")
    assert "no room for its 16 bits" in loaded.remark


@pytest.mark.parametrize("channels", [1, 3])
def test_the_clear_colour_of_a_16_bit_png_is_its_alpha(tmp_path, channels):
    pixels = COLOUR[..., :channels].copy()
    pixels[:5] = 77
    content = imagecodecs.png_encode(pixels.squeeze())
    clear = b"tRNS" + np.full(channels, 77, ">u2").tobytes()
    chunk = (2 * channels).to_bytes(4, "big") + clear + (0).to_bytes(4, "big")

    chunk = chunk[:-4] + zlib.crc32(clear).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(content[:33] + chunk + content[33:])
    loaded = load(tmp_path / "a.png")
    np.testing.assert_array_equal(loaded.pixels, pixels)
    np.testing.assert_array_equal(loaded.alpha, np.where((pixels == 77).all(axis=2), 0, 65535))


# ------------------------------------------------------------------------------ colour profiles


def lightness(light):
    """Return CIE L* of light from 0 to 1."""
    return np.where(light > 216 / 24389, 116 * np.cbrt(light) - 16, light * 24389 / 27)


def light_of_srgb(values):
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
def test_a_gray_profile_is_applied_at_16_bits(gamma):
    """Linear scans have no steps in the shadows: L* is within 0.3, and rises."""
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    converted = icc.deep_to_srgb(levels, gray_profile(gamma)).ravel()
    exponent = round(gamma * 256) / 256
    expected = lightness((levels.ravel() / 65535) ** exponent)
    found = lightness(light_of_srgb(converted / 65535))
    assert np.abs(found - expected).max() < 0.3
    assert (np.diff(converted.astype(int)) >= 0).all()


def matrix_profile(name):
    """Return a profile of primaries far outside sRGB, with a curve of 1.8: Adobe RGB, changed."""
    if name == "Adobe RGB":
        return ADOBE, 563 / 256
    place = ADOBE.index(b"curv")
    wide = ADOBE.replace(ADOBE[place : place + 14], b"curv\0\0\0\0\0\0\0\x01\x01\xcd")
    return wide, 461 / 256


@pytest.mark.parametrize("name", ["Adobe RGB", "gamma 1.8"])
def test_a_matrix_profile_is_applied_at_16_bits(name):
    profile, exponent = matrix_profile(name)
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, 2)
    converted = icc.deep_to_srgb(levels, profile).reshape(-1, 3)
    expected = lightness((levels.reshape(-1, 3) / 65535) ** exponent)
    found = lightness(light_of_srgb(converted / 65535))
    assert np.abs(found - expected).max() < 0.3
    # Colours are those of Little CMS.
    random = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    ours = icc.deep_to_srgb(random.astype(np.uint16) * 257, profile)
    theirs = icc.to_srgb(Image.fromarray(random), profile)
    near(ours / 257, np.asarray(theirs), 2)


def test_a_profile_that_is_srgb_broken_or_for_inks_leaves_16_bits_alone():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (b"", b"broken" * 50, srgb, gray_profile()):
        assert icc.deep_to_srgb(COLOUR, profile) is COLOUR


# ------------------------------------------------------------------------------ HEIF's brands


def test_heif_is_told_by_its_boxes_whatever_its_brands_are(tmp_path):
    for key, format in (("HEIF", "HEIF"), ("AVIF", "AVIF")):
        content = photos.encode(photograph(quarters(), format=key))
        for brand in (b"miaf", b"mif1", b"mif2", b"hevc", b"heis", b"hevx", b"avio", b"MA1B"):
            path = tmp_path / "a"
            path.write_bytes(boxes.with_brand(content, brand))
            assert load(path).format == format, (key, brand)
            near(load(path).pixels[5, 5], quarters()[5, 5], 12)


def test_a_film_is_no_photograph():
    film = b"\0\0\0\x18ftypmp42\0\0\0\0mp42mif1" + b"\0\0\0\x10moov\0\0\0\x08trak" + bytes(20)
    assert boxes.picture_codec(io.BytesIO(film)) == ""
    for damage in (b"", b"\0\0\0\x18ftyp", b"\0\0\0\x18ftypheic" + b"\xff" * 200):
        assert boxes.picture_codec(io.BytesIO(damage)) == ""
