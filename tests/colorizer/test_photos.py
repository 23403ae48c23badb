"""photos.py: every kind of file is read right."""

import contextlib
import io
import os
import zlib

from colorizer.files import photos
from colorizer.files.metadata import Metadata
from colorizer.jobs.find import find_photographs
from colorizer.pixels import grayscale, is_gray, resize, shrink, to_uint8, to_unit

import cv2
import numpy as np
import pytest
import tifffile
from generated import BLUE, GREEN, STORED, WHITE, quarters
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def corners(picture):
    """Return the colours in the middle of the four quarters, in reading order."""
    height, width = picture.shape[:2]
    return [
        tuple(int(level) for level in picture[height * row // 4, width * column // 4])
        for row, column in ((1, 1), (1, 3), (3, 1), (3, 3))
    ]


def load(path):
    with photos.opened(path) as image:
        return photos.load(image)


def near(found, expected, tolerance):
    assert np.abs(np.array(found, int) - np.array(expected, int)).max() <= tolerance, found


def photograph(pixels, alpha=None, **known):
    return photos.Photograph(pixels, alpha, **{"format": "PNG", **known})


def test_photographs_are_found_by_suffix_without_hidden_ones_or_loops(tmp_path):
    for name in ("b.JPG", "a.tiff", ".hidden.jpg", "notes.txt", "inner/c.webp", ".git/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "inner" / "loop").symlink_to(tmp_path)
    (tmp_path / os.fsdecode(b"\xff\xe9.gif")).touch()
    found = [os.fsencode(path.relative_to(tmp_path)) for path in find_photographs(tmp_path)]
    assert found == [b"a.tiff", b"b.JPG", b"inner/c.webp", b"\xff\xe9.gif"]


@pytest.mark.parametrize(
    ("suffix", "settings", "tolerance"),
    [
        ("jpg", {"quality": 95, "subsampling": 0}, 3),
        ("png", {}, 0),
        ("webp", {"lossless": True}, 0),
        ("tif", {}, 0),
        ("bmp", {}, 0),
        ("gif", {}, 8),
    ],
)
def test_every_format_is_read(tmp_path, suffix, settings, tolerance):
    path = tmp_path / f"picture.{suffix}"
    Image.fromarray(quarters()).save(path, **settings)
    near(corners(photos.read_rgb(path)), corners(quarters()), tolerance)
    loaded = load(path)
    near(corners(loaded.pixels), corners(quarters()), tolerance)
    assert loaded.alpha is None
    assert loaded.remark == ""


@pytest.mark.parametrize(("mode", "suffix"), [("P", "png"), ("CMYK", "jpg"), ("YCbCr", "tif")])
def test_other_colour_modes_become_rgb(tmp_path, mode, suffix):
    path = tmp_path / f"picture.{suffix}"
    # Compressed, because Pillow 12 reads no YCbCr in a TIFF that is not.
    settings = {"compression": "tiff_lzw"} if suffix == "tif" else {}
    Image.fromarray(quarters()).convert(mode).save(path, **settings)
    near(corners(photos.read_rgb(path)), corners(quarters()), 25)


@pytest.mark.parametrize(("mode", "white"), [("L", 255), ("1", 1), ("I;16", 65535), ("F", 1.0)])
def test_gray_of_any_depth_is_read(tmp_path, mode, white):
    levels = np.array([[0, white], [white, 0]]).repeat(8, 0).repeat(8, 1)
    dtype = {"L": np.uint8, "1": bool, "I;16": np.uint16, "F": np.float32}[mode]
    path = tmp_path / "gray.tif"
    Image.fromarray(levels.astype(dtype)).save(path)
    black, paper = (0, 0, 0), (255, 255, 255)
    assert corners(photos.read_rgb(path)) == [black, paper, paper, black]
    assert load(path).pixels.shape == (16, 16, 1)


def test_alpha_is_kept_and_laid_on_white_where_there_is_no_room_for_it(tmp_path):
    alpha = np.full((40, 60), 255, np.uint8)
    alpha[:20, :30] = 0
    path = tmp_path / "alpha.png"
    Image.fromarray(np.dstack([quarters(), alpha])).save(path)
    assert corners(photos.read_rgb(path)) == [WHITE, GREEN, BLUE, WHITE]
    loaded = load(path)
    assert corners(loaded.pixels) == corners(quarters())
    np.testing.assert_array_equal(loaded.alpha, alpha)
    again = Image.open(io.BytesIO(photos.encode(loaded)))
    np.testing.assert_array_equal(again, np.dstack([quarters(), alpha]))
    jpeg = np.asarray(Image.open(io.BytesIO(photos.encode(loaded, "JPEG"))))
    near(corners(jpeg), [WHITE, GREEN, BLUE, WHITE], 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "deep.png"])
def test_exif_orientation_is_applied_once(tmp_path, orientation, suffix):
    turned = quarters(48, 48).astype(np.uint16) * 257
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Artist] = "someone"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2001:02:03 04:05:06"
    path = tmp_path / f"turned.{suffix}"
    stored = np.ascontiguousarray(STORED[orientation](turned))
    if suffix == "deep.png":
        kept = photograph(stored, metadata=Metadata(exif.tobytes()[6:]))
        path.write_bytes(photos.encode(kept))
    else:
        quality = {"quality": 95} if suffix in ("jpg", "webp") else {}
        Image.fromarray((stored // 257).astype(np.uint8)).save(path, exif=exif.tobytes(), **quality)
    near(corners(photos.read_rgb(path)), corners(quarters(48, 48)), 12)
    loaded = load(path)
    near(corners(loaded.pixels // (257 if suffix == "deep.png" else 1)), corners(quarters()), 25)
    for format in ("JPEG", "PNG", "WEBP", "TIFF"):
        written = Image.open(io.BytesIO(photos.encode(loaded, format))).getexif()
        assert written.get(ExifTags.Base.Orientation, 1) == 1
        assert written[ExifTags.Base.Artist] == "someone"
        taken = written.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal]
        assert taken == "2001:02:03 04:05:06"


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_stay_sixteen_bits(tmp_path, suffix, channels):
    levels = np.random.default_rng(0).integers(0, 65536, (24, 32, channels), np.uint16)
    if suffix == "png":
        stored = levels if channels == 1 else levels[..., [2, 1, 0, 3][:channels]]
        cv2.imwrite(str(tmp_path / "deep.png"), stored)
    else:
        kind = "minisblack" if channels == 1 else "rgb"
        alpha = ["unassalpha"] if channels == 4 else None
        tifffile.imwrite(
            tmp_path / "deep.tif", levels.squeeze(), photometric=kind, extrasamples=alpha
        )
    loaded = load(tmp_path / f"deep.{suffix}")
    np.testing.assert_array_equal(loaded.pixels, levels[..., : min(channels, 3)])
    (tmp_path / f"again.{suffix}").write_bytes(photos.encode(loaded))
    again = load(tmp_path / f"again.{suffix}")
    np.testing.assert_array_equal(again.pixels, loaded.pixels)
    np.testing.assert_array_equal(again.alpha, loaded.alpha)
    expected = np.rint(levels[..., : min(channels, 3)] / 257)
    if channels < 4:
        near(
            photos.read_rgb(tmp_path / f"deep.{suffix}"), np.broadcast_to(expected, (24, 32, 3)), 1
        )


def test_profiles_are_applied_and_an_srgb_one_is_written(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(quarters()).save(tmp_path / "srgb.png", icc_profile=srgb)
    assert corners(photos.read_rgb(tmp_path / "srgb.png")) == corners(quarters())
    assert load(tmp_path / "srgb.png").icc_profile == srgb
    # samples/rocket.jpg carries Adobe RGB, in which the same numbers are more saturated.
    plain = Image.open("samples/rocket.jpg")
    converted = photos.read_rgb("samples/rocket.jpg")
    assert b"Adobe RGB" in plain.info["icc_profile"]
    assert np.abs(converted.astype(int) - np.asarray(plain)).max() > 10
    written = Image.open(io.BytesIO(photos.encode(load("samples/rocket.jpg"))))
    name = ImageCms.getProfileDescription(
        ImageCms.ImageCmsProfile(io.BytesIO(written.info["icc_profile"]))
    )
    assert "srgb" in name.lower()


def test_a_broken_profile_is_left_out(tmp_path):
    Image.fromarray(quarters()).save(tmp_path / "broken.png", icc_profile=b"no profile" * 20)
    assert corners(photos.read_rgb(tmp_path / "broken.png")) == corners(quarters())
    assert load(tmp_path / "broken.png").icc_profile == b""


def test_sixteen_bits_keep_their_fine_steps_through_a_profile(tmp_path):
    profile = Image.open("samples/rocket.jpg").info["icc_profile"]
    ramp = np.linspace(0, 65535, 3000).astype(np.uint16).reshape(30, 100, 1).repeat(3, 2)
    path = tmp_path / "ramp.png"
    path.write_bytes(photos.encode(photograph(ramp, icc_profile=profile)))
    loaded = load(path)
    assert len(np.unique(loaded.pixels)) > 2000
    near(loaded.pixels, ramp, 10 * 257)


def test_the_first_of_several_frames_is_taken_and_said(tmp_path):
    frames = [Image.fromarray(quarters()), Image.new("RGB", (60, 40))]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    loaded = load(tmp_path / "a.gif")
    near(corners(loaded.pixels), corners(quarters()), 8)
    assert loaded.remark == "only the first of its 2 frames"


def test_a_jpeg_that_is_cut_off_is_read_as_far_as_it_goes_and_said(tmp_path):
    path = tmp_path / "cut.jpg"
    Image.fromarray(quarters(400, 600)).save(path, quality=95, subsampling=0)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    loaded = load(path)
    assert loaded.remark == "it is cut off; what is missing is gray"
    near(corners(loaded.pixels)[:2], corners(quarters())[:2], 3)
    # Nothing is learned from half a picture.
    with pytest.raises(photos.PhotographError, match="damaged"):
        photos.read_rgb(path)


def test_jpegs_come_smaller_only_as_far_as_asked(tmp_path):
    Image.fromarray(quarters(400, 640)).save(tmp_path / "large.jpg")
    assert photos.read_rgb(tmp_path / "large.jpg").shape == (400, 640, 3)
    assert photos.read_rgb(tmp_path / "large.jpg", at_least=120).shape == (200, 320, 3)
    assert photos.read_rgb(tmp_path / "large.jpg", at_least=300).shape == (400, 640, 3)


def bomb(path):
    """Write a PNG whose header promises 100,000 x 100,000 pixels."""
    Image.fromarray(quarters()).save(path)
    content = bytearray(path.read_bytes())
    content[16:24] = (100_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)


def test_what_is_no_photograph_is_refused_with_a_reason(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "script.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    bomb(tmp_path / "bomb.png")
    Image.fromarray(quarters()).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:45])
    for name, reason in (
        ("empty.jpg", "no picture in a known format"),
        ("text.jpg", "no picture in a known format"),
        ("script.jpg", "no picture in a known format"),
        ("pipe.jpg", "not a regular file"),
        ("folder.jpg", "not a regular file"),
        ("bomb.png", "100000 x 100000 pixels, more than 250 megapixels"),
        ("cut.png", "damaged"),
        ("gone.jpg", "no such file"),
    ):
        with pytest.raises(photos.PhotographError, match=reason):
            photos.read_rgb(tmp_path / name)
        with pytest.raises(photos.PhotographError, match=reason):
            load(tmp_path / name)


def encoded_examples():
    """Return one small file of every kind, by name."""
    rng = np.random.default_rng(1)
    deep = rng.integers(0, 65536, (20, 24, 3), np.uint16)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    examples = {"deep.png": bytes(photos.encode(photograph(deep)))}
    examples["deep.tif"] = bytes(photos.encode(photograph(deep, format="TIFF")))
    for format in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"):
        content = io.BytesIO()
        known = {"exif": exif.tobytes()} if format in ("JPEG", "PNG", "WEBP", "TIFF") else {}
        Image.fromarray(quarters(20, 24)).save(content, format=format, **known)
        examples[format] = content.getvalue()
    content = io.BytesIO()
    pages = [Image.fromarray(quarters(20, 24)).convert("P"), Image.new("P", (24, 20), 3)]
    pages[0].save(content, "GIF", save_all=True, append_images=pages[1:])
    examples["animation"] = content.getvalue()
    content = io.BytesIO()
    Image.fromarray(quarters(20, 24)).save(content, "TIFF", compression="tiff_lzw")
    examples["lzw"] = content.getvalue()
    return examples


EXAMPLES = encoded_examples()


def survives(path, content):
    """Read `content` both ways: a picture or a PhotographError, nothing else."""
    path.write_bytes(content)
    for read in (load, photos.read_rgb):
        with contextlib.suppress(photos.PhotographError):
            read(path)


@pytest.mark.parametrize("name", EXAMPLES)
def test_truncation_at_every_fiftieth_is_survived(tmp_path, name):
    content = EXAMPLES[name]
    for fiftieth in range(50):
        survives(tmp_path / "cut", content[: len(content) * fiftieth // 50])


@pytest.mark.parametrize("name", EXAMPLES)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(damage=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_changed_bytes_are_survived(tmp_path, name, damage):
    content = bytearray(EXAMPLES[name])
    for place, byte in damage:
        content[min(int(place * len(content)), len(content) - 1)] = byte
    survives(tmp_path / "changed", bytes(content))


def test_gray_is_rounded_bt601_luma():
    rgb = np.random.default_rng(2).integers(0, 256, (2, 30, 40, 3), np.uint8)
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    assert grayscale(rgb).shape == (2, 30, 40, 1)
    assert np.abs(grayscale(rgb)[..., 0] - luma).max() < 0.51


def test_units_and_levels_are_each_other_s_inverse():
    levels = np.arange(256, dtype=np.uint8)
    assert to_unit(levels).dtype == np.float32
    np.testing.assert_array_equal(to_uint8(to_unit(levels)), levels)
    np.testing.assert_array_equal(to_uint8(np.array([-1.0, 2.0])), [0, 255])


def test_black_and_white_photographs_are_recognised():
    gray = np.random.default_rng(3).integers(0, 250, (100, 100, 1), np.uint8)
    assert is_gray(np.repeat(gray, 3, axis=2))
    assert is_gray(gray + np.array([0, 5, 2], np.uint8))
    assert not is_gray(quarters())


def test_resizing_takes_the_mean_when_shrinking_and_keeps_the_channel():
    blocks = np.random.default_rng(4).integers(0, 256, (8, 12, 1), np.uint8)
    large = blocks.repeat(5, 0).repeat(5, 1)
    np.testing.assert_array_equal(resize(large, 8, 12), blocks)
    assert resize(blocks, 16, 24).shape == (16, 24, 1)
    assert np.abs(shrink(quarters(801, 1203), 40, 60).astype(int) - quarters()).mean() < 2


def test_png_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "picture.png"
    photos.write_png(path, quarters())
    np.testing.assert_array_equal(photos.read_rgb(path), quarters())
    with pytest.raises(TypeError):
        photos.write_png(path, np.zeros((4, 4, 7)))
    assert os.listdir(tmp_path) == ["picture.png"]
    np.testing.assert_array_equal(photos.read_rgb(path), quarters())
