"""What a result says of how it was made, and what the command passes on to its file."""

import os

import colorize
from colorizer.files import photos, xmp
from colorizer.files.label import draw_label
from colorizer.files.source import sha256
from colorizer.pixels import grayscale

import numpy as np
import pytest
import standins
from PIL import Image


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return standins.save_brown(tmp_path_factory.mktemp("model") / "brown.onnx")


@pytest.fixture
def run(tmp_path, model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()

    def command(*flags):
        return colorize.main(["in", "--output", "out", "--model", str(model), *flags])

    return command


def picture(seed=0, channels=()):
    levels = np.random.default_rng(seed).integers(60, 200, (6, 8, *channels), np.uint8)
    return Image.fromarray(levels.repeat(5, 0).repeat(5, 1))


def marks_of(path):
    with Image.open(path) as image:
        packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp", "").encode()
    return packet.decode()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_a_colorized_photograph_says_so(tmp_path, run, model, suffix):
    source = tmp_path / "in" / f"a.{suffix}"
    picture().save(source)
    assert run("--compare", "--strength", "0.7") == 0
    for name in (f"a.{suffix}", "a-compare.jpg"):
        marks = marks_of(tmp_path / "out" / name)
        assert xmp.COLORIZED in marks
        assert "photo-colorizer" in marks
        assert f"{model.name} (sha256 {sha256(model)[:12]})" in marks
        assert "strength 0.7" in marks
        assert sha256(source) in marks


@pytest.mark.parametrize("suffix", ["gif", "bmp", "pgm"])
def test_a_format_without_a_place_for_marks_says_so(tmp_path, run, capsys, suffix):
    picture().save(tmp_path / "in" / f"a.{suffix}")
    assert run() == 0
    assert f"a.{suffix}: " in (printed := capsys.readouterr().out)
    assert "has no place for a mark that says how it was made" in printed


def test_what_was_only_restored_says_that_and_a_copy_says_nothing(tmp_path, run):
    source = tmp_path / "in" / "a.png"
    picture(channels=(3,)).save(source)
    assert run("--keep-colour") == 0
    assert (tmp_path / "out" / "a.png").read_bytes() == source.read_bytes()
    assert run("--keep-colour", "--restore") == 0
    marks = marks_of(tmp_path / "out" / "a.png")
    assert xmp.ENHANCED in marks
    assert xmp.COLORIZED not in marks


def test_the_quality_of_jpegs_is_that_of_the_flag(tmp_path, run, capsys):
    picture().save(tmp_path / "in" / "a.jpg")
    sizes = []
    for flags in (["--jpeg-quality", "10"], ["--jpeg-quality", "98"]):
        assert run(*flags) == 0
        assert "1 colorized" in capsys.readouterr().out
        sizes.append(os.path.getsize(tmp_path / "out" / "a.jpg"))
    assert sizes[0] < 0.8 * sizes[1]


def test_each_page_of_a_pdf_is_a_photograph(tmp_path, run, capsys):
    picture(0).save(
        tmp_path / "in" / "scan.pdf", save_all=True, append_images=[picture(1)], resolution=300
    )
    assert run("--keep-colour") == 0
    assert "2 colorized" in capsys.readouterr().out
    for number, name in enumerate(("scan.jpg", "scan-page-2.jpg")):
        made = photos.read_rgb(tmp_path / "out" / name)
        gray = np.asarray(picture(number), int)
        assert made.shape == (30, 40, 3)
        assert np.abs(grayscale(made)[..., 0] - gray).mean() < 5
    assert run() == 0


def test_one_page_of_several_in_colour_is_written_by_itself(tmp_path, run):
    pages = [picture(number, (3,)) for number in range(2)]
    pages[0].save(tmp_path / "in" / "a.tif", save_all=True, append_images=pages[1:])
    assert run("--keep-colour") == 0
    for number, name in enumerate(("a.tif", "a-page-2.tif")):
        with Image.open(tmp_path / "out" / name) as image:
            assert image.n_frames == 1
            np.testing.assert_array_equal(np.asarray(image), np.asarray(pages[number]))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_label_is_a_word_in_the_corner_and_nothing_else_changes(dtype):
    image = np.full((300, 400, 3), 100, dtype)
    labelled = draw_label(image, "colorized")
    changed = np.argwhere((labelled != image).any(axis=-1))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert (bottom, right) == (299, 399)
    assert top > 270
    assert left > 300
    assert labelled.max() > 0.8 * np.iinfo(dtype).max
    assert (image == 100).all()
    tiny = np.full((10, 30, 3), 100, dtype)
    np.testing.assert_array_equal(draw_label(tiny, "colorized"), tiny)


def test_the_label_is_that_of_the_flag(tmp_path, run):
    Image.fromarray(np.full((300, 400), 120, np.uint8)).save(tmp_path / "in" / "a.png")
    assert run() == 0
    plain = photos.read_rgb(tmp_path / "out" / "a.png")
    assert run("--label") == 0
    labelled = photos.read_rgb(tmp_path / "out" / "a.png")
    np.testing.assert_array_equal(labelled[:250], plain[:250])
    assert np.abs(labelled[-10:, -50:].astype(int) - plain[-10:, -50:]).max() > 50
