"""metadata.py and icc.py: what a file says about its photograph comes out as it went in."""

import io
import json
import shutil
import subprocess

from colorizer.files import exif as exif_module
from colorizer.files import icc, photos, png
from colorizer.files.metadata import Metadata

import numpy as np
import pytest
from generated import quarters
from PIL import ExifTags, Image, ImageCms, PngImagePlugin
from test_photos import load, near, photograph

CAPTION = "Größe Łódź 写真"
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    'syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"><dc:creator><rdf:Seq><rdf:li>'
    "Jürgen Łoś</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF></x:xmpmeta>"
).encode()
IPTC = b"\x1c\x02\x78" + len(CAPTION.encode()).to_bytes(2, "big") + CAPTION.encode()
SUFFIXES = {"JPEG": "jpg", "PNG": "png", "TIFF": "tif", "WEBP": "webp"}


def exif(orientation=1):
    """Return EXIF with a caption in UTF-8, a date, a maker's note and a place."""
    content = Image.Exif()
    content[ExifTags.Base.Orientation] = orientation
    content[ExifTags.Base.ImageDescription] = CAPTION.encode()
    content.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "1931:02:03 04:05:06"
    content.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = bytes(range(200))
    content.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    content.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (51.0, 46.0, 36.0)
    return content.tobytes()[6:]


KEPT = Metadata(
    exif(),
    XMP.replace(b'="6"', b'="1"'),
    IPTC,
    comment=CAPTION.encode(),
    texts={"Title": CAPTION},
    resolution=(300, 150),
)

# What each format has room for.
ROOM = {
    "JPEG": ("exif", "xmp", "iptc", "comment", "resolution"),
    "PNG": ("exif", "xmp", "iptc", "comment", "texts", "resolution"),
    "TIFF": ("exif", "xmp", "iptc", "resolution"),
    "WEBP": ("exif", "xmp", "resolution"),
}


def texts_of(exif_bytes):
    """Return the caption, date, maker's note and latitude that EXIF bytes hold."""
    first, more, gps = exif_module.directories(io.BytesIO(exif_bytes))
    return (
        first[ExifTags.Base.ImageDescription].encode("latin-1").decode(),
        more[ExifTags.Base.DateTimeOriginal],
        more[ExifTags.Base.MakerNote],
        gps[ExifTags.GPS.GPSLatitude],
    )


@pytest.mark.parametrize("format", ROOM)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_everything_a_format_has_room_for_comes_out_as_it_went_in(tmp_path, format, depth):
    path = tmp_path / f"a.{SUFFIXES[format]}"
    pixels = quarters().astype(depth) * (257 if depth == np.uint16 else 1)
    path.write_bytes(photos.encode(photograph(pixels, format=format, metadata=KEPT)))
    for _ in range(2):
        loaded = load(path)
        assert loaded.remark == ""
        for name in ROOM[format]:
            found, expected = getattr(loaded.metadata, name), getattr(KEPT, name)
            if name == "exif":
                found, expected = texts_of(found), texts_of(expected)
            if name == "resolution":
                found = tuple(round(each) for each in found)
            assert found == expected, name
        path.write_bytes(photos.encode(loaded))


@pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed")
@pytest.mark.parametrize("format", ROOM)
@pytest.mark.parametrize("deep", [False, True])
def test_exiftool_reads_the_same_before_and_after(tmp_path, format, deep):
    if deep and format in ("JPEG", "WEBP"):
        pytest.skip("has 8 bits")
    path = tmp_path / f"a.{SUFFIXES[format]}"
    pixels = quarters().astype(np.uint16) * 257 if deep else quarters()
    path.write_bytes(photos.encode(photograph(pixels, format=format)))
    tags = ["-EXIF:ImageDescription=Größe Łódź", "-EXIF:Artist=Jürgen", "-EXIF:LensModel=Łoś 50"]
    tags += [
        "-XMP:Title=写真",
        "-XMP-mwg-rs:RegionName=Zoë",
        "-EXIF:DateTimeOriginal=1931:02:03 04:05:06",
    ]
    tags += ["-GPSLatitude=51.76", "-GPSLatitudeRef=N", "-UserComment=Grüße"]
    if "iptc" in ROOM[format]:
        tags += ["-IPTC:Keywords=Großmutter", "-IPTC:Caption-Abstract=Łódź"]
    if format == "JPEG":
        tags += ["-Comment=Grüße aus Łódź"]
    if format == "PNG":
        tags += ["-PNG:Author=Jürgen", "-PNG:Description=written by hand"]
    subprocess.run(["exiftool", "-q", "-overwrite_original", *tags, path], check=True)

    def said(file):
        groups = [
            "-EXIF:all",
            "-XMP:all",
            "-IPTC:all",
            "-Comment",
            "-PNG:Author",
            "-PNG:Description",
        ]
        command = ["exiftool", "-j", "-G1", "-a", *groups, file]
        found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]
        how = ("SourceFile", "Strip", "RowsPer", "Compression", "Samples", "BitsPer", "Planar")
        how += ("Photometric", "ImageWidth", "ImageHeight", "Resolution", "YCbCr", "Subfile")
        how += ("ExifVersion", "Components", "FlashpixVersion", "ColorSpace", "XMPToolkit")
        how += ("Orientation", "ExtraSamples", "Exif Byte", "XMP-x", "SampleFormat")
        return {tag: value for tag, value in found.items() if not any(word in tag for word in how)}

    (tmp_path / f"b.{SUFFIXES[format]}").write_bytes(photos.encode(load(path)))
    before, after = said(path), said(tmp_path / f"b.{SUFFIXES[format]}")
    assert len(before) >= 8
    assert after == before


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_what_is_turned_upright_says_so_everywhere(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    more = {"pnginfo": PngImagePlugin.PngInfo()} if suffix == "png" else {"xmp": XMP}
    if suffix == "png":
        more["pnginfo"].add_itxt(png.XMP, XMP.decode())
    Image.fromarray(quarters()).save(path, exif=b"Exif\0\0" + exif(6), dpi=(300, 150), **more)
    loaded = load(path)
    assert loaded.pixels.shape == (60, 40, 3)
    assert b'tiff:Orientation="1"' in loaded.metadata.xmp
    if suffix != "webp":
        assert tuple(round(each) for each in loaded.metadata.resolution) == (150, 300)
    again = Image.open(io.BytesIO(photos.encode(loaded)))
    assert again.getexif().get(ExifTags.Base.Orientation, 1) == 1


def test_the_thumbnail_of_the_photograph_before_is_not_kept():
    content = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\x1a\0\0\0\0\0\0"
    upright, orientation = exif_module.upright(content)
    assert orientation == 6
    assert upright == content.replace(b"\0\x06\0\0", b"\0\x01\0\0").replace(b"\x1a", b"\0")


@pytest.mark.parametrize("damage", [b"II*\0\xff\xff\xff\x7f", b"nonsense", b"MM\0*\0\0\0\x08\xff"])
def test_damaged_exif_is_left_out_and_said(tmp_path, damage):
    path = tmp_path / "a.jpg"
    Image.fromarray(quarters()).save(path, exif=b"Exif\0\0" + damage)
    loaded = load(path)
    assert loaded.metadata.exif == b""
    assert loaded.remark == "its EXIF is damaged and was left out"


def test_what_is_too_long_for_a_jpeg_is_left_out_and_said():
    large = photograph(quarters(), metadata=Metadata(xmp=b"x" * 70_000, comment=b"kept"))
    again = Image.open(io.BytesIO(photos.encode(large, "JPEG")))
    assert large.remark == "its XMP is too long for a JPEG and left out"
    assert again.info["comment"] == b"kept"


# ----------------------------------------------------------------------------- colour profiles


def renamed(profile, name):
    """Return a profile with another description of the same length."""
    old = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).strip()
    new = name.ljust(len(old))[: len(old)]
    for code in ("utf-16-be", "ascii"):
        profile = profile.replace(old.encode(code), new.encode(code))
    return profile


ADOBE = Image.open("samples/rocket.jpg").info["icc_profile"]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def gray_profile(gamma=1.0):
    """Return a GRAY profile with "sRGB" in its name, built from its parts by hand."""
    curve = b"curv\0\0\0\0\0\0\0\x01" + round(gamma * 256).to_bytes(2, "big") + b"\0\0"
    name = b"Grayscale sRGB TRC\0"
    text = b"desc\0\0\0\0" + len(name).to_bytes(4, "big") + name + bytes(78)
    text += bytes(-len(text) % 4)
    white = b"XYZ \0\0\0\0\0\0\xf6\xd6\0\1\0\0\0\0\xd3\x2d"
    parts, place, table = [(b"desc", text), (b"wtpt", white), (b"kTRC", curve)], 128 + 4 + 36, b""
    for tag, part in parts:
        table += tag + place.to_bytes(4, "big") + len(part).to_bytes(4, "big")
        place += len(part)
    header = place.to_bytes(4, "big") + bytes(4) + b"\x02\x10\0\0mntrGRAYXYZ " + bytes(12) + b"acsp"
    header = header.ljust(68, b"\0") + b"\0\0\xf6\xd6\0\1\0\0\0\0\xd3\x2d"
    header = header.ljust(128, b"\0")
    return header + len(parts).to_bytes(4, "big") + table + b"".join(part for _, part in parts)


def test_a_profile_is_judged_by_what_it_does_not_by_its_name():
    wrong = renamed(ADOBE, "sRGB")
    assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(wrong)))
    image = Image.fromarray(quarters())
    near(np.asarray(icc.to_srgb(image, wrong)), np.asarray(icc.to_srgb(image, ADOBE)), 0)
    assert np.abs(np.asarray(icc.to_srgb(image, wrong), int) - quarters()).max() > 10
    assert icc.written(wrong) != wrong
    other = renamed(SRGB, "my screen")
    assert icc.written(other) == other
    np.testing.assert_array_equal(icc.to_srgb(image, other), quarters())


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_gray_profile_is_used_and_does_not_end_up_on_colours(tmp_path, mode):
    levels = np.full((8, 8), 128, np.uint8)
    picture = levels if mode == "L" else np.dstack([levels, np.full_like(levels, 200)])
    path = tmp_path / "a.png"
    Image.fromarray(picture).save(path, icc_profile=gray_profile())
    loaded = load(path)
    # Half of the light is 188 in sRGB.
    near(loaded.pixels, np.full((8, 8, 1), 188), 1)
    assert (loaded.alpha is None) == (mode == "L")
    written = ImageCms.ImageCmsProfile(io.BytesIO(loaded.icc_profile))
    assert written.profile.xcolor_space.strip() == "RGB"


def test_a_large_profile_is_no_damage(tmp_path):
    path = tmp_path / "a.png"
    large = SRGB + np.random.default_rng(0).bytes(3_000_000)
    large = len(large).to_bytes(4, "big") + large[4:]
    Image.fromarray(quarters()).save(path, icc_profile=large)
    np.testing.assert_array_equal(load(path).pixels, quarters())
