"""Nothing is lost without a word; what is no longer true goes; cut and hostile files are named."""

import contextlib
import io
import os
import struct
import subprocess
import sys
import zlib

from colorizer.files import boxes, exif, jpeg, photos, photoshop, png
from colorizer.files.metadata import Metadata

import cv2
import numpy as np
import pillow_heif
import pytest
import tifffile
from generated import quarters
from PIL import ExifTags, Image
from test_photos import corners, load, near, photograph
from test_tiff import store

SAMPLE = cv2.cvtColor(cv2.imread("samples/palace.jpg"), cv2.COLOR_BGR2RGB)[:256, :384]
GRAY = cv2.cvtColor(SAMPLE, cv2.COLOR_RGB2GRAY)


def saved(picture, format="JPEG", **settings):
    content = io.BytesIO()
    Image.fromarray(picture).save(content, format, **settings)
    return content.getvalue()


def loaded_from(folder, content, name="a"):
    (folder / name).write_bytes(content)
    return load(folder / name)


# ------------------------------------------------------------------------------ JPEG


@pytest.mark.parametrize("quality", [50, 70, 85, 95])
def test_a_coloured_jpeg_is_about_as_large_and_good_as_its_source(tmp_path, quality):
    content = saved(GRAY, quality=quality)
    loaded = loaded_from(tmp_path, content)
    before = loaded.pixels
    tint = np.array([1.02, 1, 0.95])
    loaded.pixels = np.clip(before * tint, 0, 255).round().astype(np.uint8)
    written = photos.encode(loaded)
    again = Image.open(io.BytesIO(written))
    assert abs(jpeg.quality_of(again.quantization[0]) - quality) <= 2
    assert len(written) < 1.25 * len(content)
    # An explicit one is what is written, and so is the default for what is another size.
    explicit = Image.open(io.BytesIO(photos.encode(loaded, quality=31)))
    assert abs(jpeg.quality_of(explicit.quantization[0]) - 31) <= 1
    loaded.pixels = loaded.pixels.repeat(2, 0)
    larger = Image.open(io.BytesIO(photos.encode(loaded)))
    assert jpeg.quality_of(larger.quantization[0]) == 95


def test_a_gray_jpeg_s_luminance_survives_its_own_table(tmp_path):
    loaded = loaded_from(tmp_path, saved(GRAY, quality=60))
    again = loaded_from(tmp_path, photos.encode(loaded))
    assert np.abs(again.pixels.astype(int) - loaded.pixels).mean() < 0.1


def test_the_table_turns_with_the_picture():
    table = list(range(1, 65))
    upright, turned = (jpeg.tables_like({0: table}, each)[0] for each in (False, True))
    assert upright == table
    assert np.reshape(turned, (8, 8)).T.ravel().tolist() == table


def test_all_comments_and_photoshop_resources_of_a_jpeg_are_kept(tmp_path):
    url = b"8BIM\x04\x0b\0\0\0\0\0\x08http://x"
    thumbnail = b"8BIM\x04\x0c\0\0\0\0\0\x03abc\0"
    iptc = b"8BIM\x04\x04\0\0\0\0\0\x05\x1c\x02x\0\0\0"
    named = b"8BIM\x07\xd0\x04path\0\0\0\0\x02ab"
    content = saved(SAMPLE, comment=b"first")
    more = jpeg._segment(0xED, jpeg.PHOTOSHOP + url + thumbnail + iptc + named)
    more += jpeg._segment(0xFE, b"second")
    loaded = loaded_from(tmp_path, content[:2] + more + content[2:])
    assert loaded.metadata.photoshop == url + named
    assert loaded.metadata.iptc == b"\x1c\x02x\0\0"
    assert set(loaded.metadata.comment.split(b"\n")) == {b"first", b"second"}
    for format in ("JPEG", "PNG", "TIFF"):
        again = loaded_from(tmp_path, photos.encode(loaded, format))
        assert (again.metadata.photoshop, again.metadata.iptc) == (url + named, b"\x1c\x02x\0\0")


@pytest.mark.parametrize(
    "damage", [b"8BIM", b"8BIM\x04\x0b\xff", b"8BIM\x04\x0b\0\0\xff\xff\xff\xff"]
)
def test_damaged_resources_are_left_out(damage):
    good = b"8BIM\x04\x0b\0\0\0\0\0\x01x\0"
    assert photoshop.parse(good + damage) == (b"", good)


def test_long_resources_are_written_in_several_segments(tmp_path):
    path = b"8BIM\x07\xd0\0\0" + struct.pack(">L", 150_000) + bytes(range(250)) * 600
    kept = photograph(quarters(), format="JPEG", metadata=Metadata(photoshop=path))
    again = loaded_from(tmp_path, photos.encode(kept))
    assert again.metadata.photoshop == path
    assert kept.remarks == []


def test_a_film_a_gain_map_and_credentials_that_go_are_said(tmp_path):
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf'
    )
    xmp += (
        b'-syntax-ns#"><rdf:Description rdf:about="" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map'
    )
    xmp += b'/1.0/" hdrgm:Version="1.0"/></rdf:RDF></x:xmpmeta>'
    content = saved(SAMPLE, xmp=xmp)
    credentials = jpeg._segment(0xEB, b"JP\0\1\0\0\0\1c2pa")
    film = b"\0\0\0\x18ftypmp42" + bytes(100)
    loaded = loaded_from(tmp_path, content[:2] + credentials + content[2:] + film)
    for name in ("film", "gain map", "Content Credentials (C2PA)"):
        assert name in loaded.remark
    assert b"hdrgm:Version" not in photos.encode(loaded)
    with_chunk = saved(SAMPLE, "PNG")
    with_chunk = with_chunk[:33] + _chunk(b"caBX", b"c2pa") + with_chunk[33:]
    assert "Content Credentials" in loaded_from(tmp_path, with_chunk).remark


def test_the_second_picture_of_a_jpeg_is_said(tmp_path):
    content = io.BytesIO()
    frames = [Image.fromarray(quarters()), Image.fromarray(quarters()[::-1].copy())]
    frames[0].save(content, "MPO", save_all=True, append_images=frames[1:])
    loaded = loaded_from(tmp_path, content.getvalue())
    assert loaded.remark == "its second picture cannot be kept"
    assert loaded.format == "JPEG"


def test_a_picture_too_long_for_a_format_says_the_limit():
    long = photograph(np.zeros((2, 65_501, 1), np.uint8))
    with pytest.raises(photos.PhotographError, match="65501 x 2 pixels, and a JPEG at most 65500"):
        photos.encode(long, "JPEG")
    photos.encode(long, "PNG")


# ------------------------------------------------------------------------------ EXIF


def exif_of(**tags):
    """Return EXIF bytes with a thumbnail, as a camera writes them, of tags of its directories."""
    content = Image.Exif()
    for name, value in tags.items():
        if name == "R03":
            continue
        tag = ExifTags.Base[name]
        below = name in ("ColorSpace", "SceneType", "ExifImageWidth", "ExifImageHeight")
        (content.get_ifd(ExifTags.IFD.Exif) if below else content)[tag] = value
    return content.tobytes()[6:]


def said(exif_bytes):
    first, more, _ = exif.directories(io.BytesIO(exif_bytes))
    return {ExifTags.TAGS.get(tag, tag): each[tag] for each in (first, more) for tag in each}


def test_exif_says_srgb_and_no_longer_how_the_source_was_stored():
    tags = {"ColorSpace": 65535, "SceneType": b"\1", "BitsPerSample": 8, "Artist": "Łoś".encode()}
    upright, _ = exif.upright(exif_of(**tags, PhotometricInterpretation=1, Compression=1))
    found = said(upright)
    assert found["ColorSpace"] == 1
    assert found["Artist"].encode("latin-1").decode() == "Łoś"
    assert not found.keys() & {"SceneType", "BitsPerSample", "PhotometricInterpretation"}
    assert "Compression" not in found


def test_adobe_rgb_s_interoperability_becomes_srgb_s():
    # Little-endian: IFD0 -> EXIF -> interoperability, of which the index is R03.
    def directory(*entries):
        return struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)

    first = directory(struct.pack("<HHLL", 0x8769, 4, 1, 26))
    second = directory(struct.pack("<HHLL", 0xA005, 4, 1, 44))
    third = directory(struct.pack("<HHL4s", 1, 2, 4, b"R03\0"))
    upright, _ = exif.upright(b"II*\0\x08\0\0\0" + first + second + third)
    assert b"R98\0" in upright
    assert b"R03\0" not in upright


def test_exif_resolution_turns_and_grows_with_the_picture(tmp_path):
    tags = {"XResolution": 300.0, "YResolution": 150.0, "ResolutionUnit": 2, "Orientation": 6}
    tags |= {"ExifImageWidth": 60, "ExifImageHeight": 40}
    upright, orientation = exif.upright(exif_of(**tags))
    assert orientation == 6
    found = said(upright)
    assert (found["XResolution"], found["YResolution"]) == (150, 300)
    assert (found["ExifImageWidth"], found["ExifImageHeight"]) == (40, 60)
    found = said(exif.enlarged(upright, 4))
    assert (found["XResolution"], found["YResolution"]) == (600, 1200)
    assert (found["ExifImageWidth"], found["ExifImageHeight"]) == (160, 240)
    for wrong in (0, 9, 300):
        assert exif.upright(exif_of(Orientation=wrong))[1] == 1


def test_one_value_for_both_resolutions_grows_once():
    content = bytearray(exif_of(XResolution=300.0, YResolution=300.0, ResolutionUnit=2))
    order, start = exif._beginning(content)
    places = {tag: place for tag, _, place in exif._entries(content, order, start)}
    one, other = places[exif.X_RESOLUTION], places[exif.Y_RESOLUTION]
    content[other : other + 4] = content[one : one + 4]
    found = said(exif.enlarged(bytes(content), 2))
    assert (found["XResolution"], found["YResolution"]) == (600, 600)


def test_a_thumbnail_s_bytes_are_left_out():
    content = exif_of(Artist="a")
    order, start = exif._beginning(content)
    end = start + 2 + 12 * len(list(exif._entries(content, order, start)))
    place = len(content)
    second = struct.pack(order + "H", 2)
    second += struct.pack(order + "HHLL", 0x201, 4, 1, place + 30)
    second += struct.pack(order + "HHLL", 0x202, 4, 1, 6) + bytes(4)
    content = content[:end] + struct.pack(order + "L", place) + content[end + 4 :]
    upright, _ = exif.upright(content + second + b"THUMBN")
    assert b"THUMBN" not in upright
    assert said(upright)["Artist"] == "a"


@pytest.mark.parametrize("format", ["WEBP", "HEIF", "AVIF", "JPEG2000"])
def test_resolution_goes_into_exif_where_there_is_no_other_place(tmp_path, format):
    for exif_bytes in (b"", exif_of(Artist="someone")):
        kept = Metadata(exif=exif_bytes, resolution=(300, 150))
        content = photos.encode(photograph(quarters(), format=format, metadata=kept))
        again = loaded_from(tmp_path, content)
        assert again.metadata.resolution == (300, 150)
        assert said(again.metadata.exif).get("Artist", "someone") == "someone"


# ------------------------------------------------------------------------------ PNG


def _chunk(kind, content):
    return (
        struct.pack(">L", len(content))
        + kind
        + content
        + struct.pack(">L", zlib.crc32(kind + content))
    )


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "1"])
def test_a_png_that_is_cut_off_is_read_as_far_as_it_goes_and_said(tmp_path, mode):
    image = Image.fromarray(SAMPLE).convert(mode)
    content = io.BytesIO()
    image.save(content, "PNG")
    cut = content.getvalue()[: len(content.getvalue()) * 9 // 10]
    loaded = loaded_from(tmp_path, cut)
    assert loaded.remarks == ["it is cut off; what is missing is gray"]
    whole = loaded_from(tmp_path, content.getvalue(), "whole")
    assert whole.remarks == []
    assert loaded.pixels.shape == whole.pixels.shape
    np.testing.assert_array_equal(loaded.pixels[:200], whole.pixels[:200])
    assert (loaded.alpha is None) == (whole.alpha is None)
    if loaded.alpha is not None:
        assert loaded.alpha.min() == 255
    if mode in ("L", "RGB"):
        assert loaded.pixels[-1, -1, 0] == 128


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_16_bit_png_that_is_cut_off_is_read_too(tmp_path, channels):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 65536, (60, 80, channels), np.uint16)
    content = photos.encode(photograph(pixels[..., :3], pixels[..., 3] if channels == 4 else None))
    loaded = loaded_from(tmp_path, content[: len(content) * 9 // 10])
    assert loaded.remarks == ["it is cut off; what is missing is gray"]
    np.testing.assert_array_equal(loaded.pixels[:50], pixels[:50, :, :3])
    assert loaded.pixels[-1, -1, 0] == 32896


def test_an_interlaced_png_is_salvaged(tmp_path):
    image = io.BytesIO()
    Image.fromarray(SAMPLE).save(image, "PNG")
    interlaced = cv2.imencode(".png", SAMPLE)[1]
    assert len(interlaced)
    # Adam7 by hand: passes of rows without a filter.
    height, width = 16, 24
    small = SAMPLE[:height, :width]
    rows = b""
    for left, top, across, down in png.PASSES:
        for row in small[top::down, left::across]:
            rows += b"\0" + row.tobytes()
    header = struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 1)
    data = zlib.compress(rows, 0)
    content = png.SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
    np.testing.assert_array_equal(loaded_from(tmp_path, content).pixels, small)
    cut = loaded_from(tmp_path, content[:-100])
    assert cut.remarks == ["it is cut off; what is missing is gray"]
    np.testing.assert_array_equal(cut.pixels[::2, ::2], small[::2, ::2])


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_texts_behind_a_png_s_picture_are_kept(tmp_path, depth):
    content = photos.encode(photograph(quarters().astype(depth)))
    end = content.rindex(b"IEND") - 4
    texts = _chunk(b"tEXt", b"Title\0Oma") + _chunk(b"tEXt", b"Comment\0hello")
    loaded = loaded_from(tmp_path, content[:end] + texts + content[end:])
    assert loaded.metadata.texts == {"Title": "Oma"}
    assert loaded.metadata.comment == b"hello"
    assert Image.open(io.BytesIO(photos.encode(loaded, "JPEG"))).info["comment"] == b"hello"
    assert "texts" in loaded.remarks[-1]


# ------------------------------------------------------------------------------ WebP, GIF


def test_a_lossless_webp_stays_lossless(tmp_path):
    for lossless in (True, False):
        loaded = loaded_from(tmp_path, saved(SAMPLE, "WEBP", lossless=lossless))
        again = loaded_from(tmp_path, photos.encode(loaded))
        assert np.array_equal(again.pixels, loaded.pixels) == lossless
        assert again.lossless == lossless
        explicit = loaded_from(tmp_path, photos.encode(loaded, quality=50))
        assert not explicit.lossless


@pytest.mark.parametrize(("bits", "levels"), [(10, 1024), (12, 4096)])
def test_heic_stays_as_deep_as_it_was(tmp_path, bits, levels):
    ramp = np.linspace(0, 65535, 96 * 128).astype(np.uint16).reshape(96, 128, 1).repeat(3, 2)
    heic = pillow_heif.from_bytes("RGB;16", (128, 96), ramp.tobytes())
    heic.save(tmp_path / "a.heic", quality=-1, bit_depth=bits)
    loaded = load(tmp_path / "a.heic")
    assert loaded.bits == bits
    assert len(np.unique(loaded.pixels)) > 0.9 * levels
    again = loaded_from(tmp_path, photos.encode(loaded), "again.heic")
    assert again.bits == bits
    assert loaded.remarks == []


def test_colours_that_a_gif_has_no_room_for_are_said():
    many = photograph(SAMPLE, format="GIF")
    photos.encode(many)
    assert many.remarks == ["GIF has no room for its more than 256 colours"]
    few = photograph(quarters(), format="GIF")
    photos.encode(few)
    assert few.remarks == []


# ------------------------------------------------------------------------------ TIFF


def test_names_and_other_tags_of_a_tiff_are_kept_in_every_format_with_exif(tmp_path):
    tags = [(269, 2, 0, "Album 3", True), (285, 2, 0, "p7", True), (18246, 3, 1, 5, True)]
    tags += [(33550, 12, 3, (1.0, 2.0, 0.0), True), (297, 3, 2, (7, 9), True)]
    tags += [(40092, 1, 6, b"a\0b\0\0\0", True)]
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(GRAY, photometric="minisblack", extratags=tags, metadata=None)
    loaded = load(tmp_path / "a.tif")
    for format in ("TIFF", "JPEG", "PNG", "WEBP"):
        again = loaded_from(tmp_path, photos.encode(loaded, format), f"b.{format}")
        first, _, _ = exif.directories(io.BytesIO(again.metadata.exif))
        assert (first[269], first[285], first[18246]) == ("Album 3", "p7", 5), format
        assert (first[33550], first[297]) == ((1.0, 2.0, 0.0), (7, 9)), format
        assert first[40092] == b"a\0b\0\0\0", format
    assert loaded.remarks == []


def test_resolution_of_a_tiff_in_centimetres_is_said_in_inches(tmp_path):
    for unit, inches in (("inch", 1), ("centimeter", 2.54), ("none", None)):
        pixels = {"photometric": "minisblack", "resolution": (100, 50), "resolutionunit": unit}
        found = load(store(tmp_path / "a.tif", GRAY, **pixels)).metadata.resolution
        expected = inches and (100 * inches, 50 * inches)
        assert found == pytest.approx(expected), unit


def test_iptc_of_a_tiff_is_kept_as_bytes_or_whole_numbers(tmp_path):
    iptc = b"\x1c\x02x\0\x03Oma"
    for kind, count in ((7, len(iptc)), (4, len(iptc) // 4)):
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            tags = [(33723, kind, count, iptc, True)]
            writer.write(GRAY, photometric="minisblack", extratags=tags, metadata=None)
        assert load(tmp_path / "a.tif").metadata.iptc == iptc


def test_layers_and_bits_that_a_tiff_loses_are_said(tmp_path):
    tags = [(37724, 7, 8, b"Adobe Ph", True)]
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        pixels = GRAY.astype(np.uint32) << 24
        writer.write(pixels, photometric="minisblack", extratags=tags, metadata=None)
    assert load(tmp_path / "a.tif").remarks == [
        "its layers of Photoshop cannot be kept",
        "its 32 bits became 16",
    ]
    inks = np.zeros((8, 8, 4), np.uint16)
    ink = store(tmp_path / "b.tif", inks, photometric="separated")
    assert load(ink).remarks == ["its 16 bits of ink became 8 of colour"]
    more = np.dstack([SAMPLE, GRAY]).astype(np.uint16)
    fourth = store(tmp_path / "c.tif", more, photometric="rgb", extrasamples=["unspecified"])
    assert load(fourth).remarks == ["a channel beside its colours cannot be kept"]


@pytest.mark.parametrize("compression", ["webp", "zstd", "lzma", "jpeg2000"])
def test_compressions_that_pillow_does_not_read_are_read(tmp_path, compression):
    level = {"webp": {"level": -1}, "jpeg2000": {"level": 0}}.get(compression, {})
    path = store(
        tmp_path / "a.tif",
        SAMPLE,
        photometric="rgb",
        compression=compression,
        compressionargs=level,
    )
    loaded = load(path)
    assert loaded.pixels.dtype == np.uint8
    near(loaded.pixels, SAMPLE, 0 if compression != "webp" else 40)


def test_an_intact_tiff_that_is_not_read_is_not_called_damaged(tmp_path):
    bands = np.dstack([SAMPLE, GRAY, GRAY])
    path = store(tmp_path / "a.tif", bands, photometric="minisblack", planarconfig="contig")
    with pytest.raises(photos.PhotographError, match="it is a TIFF of 5 channels; save it as"):
        load(path)
    content = bytearray(store(tmp_path / "b.tif", GRAY, photometric="minisblack").read_bytes())
    place = content.index(struct.pack("<HHLH", 259, 3, 1, 1))
    content[place + 8 : place + 10] = struct.pack("<H", 34676)  # of SGI, which nobody reads
    (tmp_path / "b.tif").write_bytes(content)
    with pytest.raises(
        photos.PhotographError, match=r"it is a TIFF compressed as SGILOG.*not supp"
    ):
        load(tmp_path / "b.tif")


def test_a_tile_far_larger_than_the_picture_is_refused_before_it_is_read(tmp_path):
    path = store(tmp_path / "a.tif", GRAY[:16, :16], photometric="minisblack", tile=(16, 16))
    content = bytearray(path.read_bytes())
    for tag in (322, 323):
        place = content.index(struct.pack("<HHLL", tag, 4, 1, 16))
        content[place + 8 : place + 12] = struct.pack("<L", 45008)
    path.write_bytes(content)
    with pytest.raises(photos.PhotographError, match="tiles have 45008 x 45008 pixels"):
        load(path)


def test_pages_are_counted_once_and_up_to_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(photos, "MOST_PAGES", 3)
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for kind in (0, 1, 0, 4, 0):
            page = {"photometric": "minisblack"} if kind < 4 else {"photometric": "mask"}
            pixels = GRAY[:8, :8] > 0 if kind == 4 else GRAY[:8, :8]
            writer.write(pixels, subfiletype=kind, metadata=None, **page)
    assert photos.pages(path) == ([0, 2], "only its first 3 pages")
    monkeypatch.setattr(photos, "MOST_PAGES", 5)
    assert photos.pages(path) == ([0, 2, 4], "")
    (tmp_path / "a.jpg").write_bytes(saved(SAMPLE))
    for other in ("a.jpg", "none", "."):
        assert photos.pages(tmp_path / other) == ([0], "")
    # Reading the first page asks for no other, which Pillow would count one by one.
    monkeypatch.setattr(Image.Image, "n_frames", property(lambda image: 1 / 0), raising=False)
    load(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_memory_is_at_least_as_large_as_what_is_needed(tmp_path, dtype):
    """A pixel of float64 RGBA takes many times what one of 8-bit gray does."""
    code = """
import resource, sys
from colorizer.files import photos

def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

with photos.opened(sys.argv[2]) as image:
    photos.encode(photos.load(image))
before = used()
with photos.opened(sys.argv[1]) as image:
    needed = photos.bytes_needed(image)
    photograph = photos.load(image)
photos.encode(photograph)
print(needed, used() - before)
"""
    pixels = np.zeros((1000, 1500, 4), dtype)
    store(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    store(tmp_path / "b.tif", pixels[:8, :8], photometric="rgb", extrasamples=["unassalpha"])
    command = [sys.executable, "-c", code, tmp_path / "a.tif", tmp_path / "b.tif"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=os.getcwd())
    needed, used = map(int, answer.stdout.split())
    assert used < 1.15 * needed + 10e6


def test_libraries_say_nothing_on_the_terminal(tmp_path, capfd):
    """Damage is in the failure; libtiff, libpng and OpenCV would print it as well."""
    deep = photos.encode(photograph(quarters().astype(np.uint16) * 257))
    bad_profile = deep[:33] + _chunk(b"iCCP", b"x\0\0" + zlib.compress(b"broken" * 9)) + deep[33:]
    damaged = bytearray(deep)
    damaged[60:70] = bytes(10)
    lzw = bytearray(saved(SAMPLE, "TIFF", compression="tiff_lzw"))
    lzw[500:2500] = os.urandom(2000)
    for name, content in (("a.png", bad_profile), ("b.png", damaged), ("c.tif", lzw)):
        (tmp_path / name).write_bytes(bytes(content))
        with contextlib.suppress(photos.PhotographError):
            load(tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_jp2_boxes_hold_what_is_said(tmp_path):
    kept = Metadata(exif=exif_of(Artist="someone"), comment=b"hello")
    for depth in (np.uint8, np.uint16):
        given = photograph(quarters().astype(depth), format="JPEG2000", metadata=kept)
        again = loaded_from(tmp_path, photos.encode(given))
        assert said(again.metadata.exif)["Artist"] == "someone"
        assert again.metadata.comment == b"hello"
        near(corners(again.pixels), corners(quarters()), 0)
    assert boxes.uuids(io.BytesIO(b"")) == {}
