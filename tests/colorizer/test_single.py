"""One photograph into a file or a stream."""

import io
import os
import subprocess
import sys

import colorize
from colorizer.files import photos

import numpy as np
import pytest
import standins
from PIL import Image


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(standins.save_brown(tmp_path_factory.mktemp("model") / "brown.onnx"))


@pytest.fixture
def gray(tmp_path):
    levels = np.random.default_rng(0).integers(60, 200, (6, 8), np.uint8)
    Image.fromarray(levels.repeat(5, 0).repeat(5, 1)).save(tmp_path / "gray.png")
    return str(tmp_path / "gray.png")


@pytest.mark.parametrize(("name", "format"), [("b.jpg", "JPEG"), ("b.tiff", "TIFF")])
def test_the_output_may_be_a_file_of_any_format_that_is_written(
    tmp_path, model, gray, capsys, name, format
):
    target = tmp_path / name
    assert colorize.main([gray, "--output", str(target), "--model", model]) == 0
    assert Image.open(target).format == format
    assert photos.read_rgb(target).shape == (30, 40, 3)
    assert sorted(os.listdir(tmp_path)) == [name, "gray.png"]
    before = target.read_bytes()
    assert colorize.main([gray, "--output", str(target), "--model", model]) == 2
    assert f"{target} is there; add --overwrite" in capsys.readouterr().err
    assert target.read_bytes() == before
    flags = ["--output", str(target), "--model", model, "--overwrite", "--strength", "0"]
    assert colorize.main([gray, *flags]) == 0
    assert target.read_bytes() != before


def test_a_stream_in_gives_a_stream_out_and_nothing_else(tmp_path, model, gray):
    command = [sys.executable, colorize.__file__, "-", "--output", "-", "--model", model]
    with open(gray, "rb") as file:
        content = file.read()
    done = subprocess.run(command, input=content, capture_output=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    image = Image.open(io.BytesIO(done.stdout))
    assert (image.format, image.size, image.mode) == ("PNG", (40, 30), "RGB")
    assert b"1 colorized" in done.stderr
    assert os.listdir(tmp_path) == ["gray.png"]


def test_what_cannot_be_one_file_is_one_sentence(tmp_path, model, gray, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        os.link(gray, folder / name)
    for inputs, output, expected in (
        ([str(folder)], "b.jpg", "is for one photograph, and --input names 2"),
        ([gray], "b.heic", "cannot be written as HEIF; end it in .jpg, .png, .webp, .tif"),
        ([gray], "none/b.jpg", "there is no folder"),
        ([], "out", "there is no input; give a folder or a file"),
    ):
        target = str(tmp_path / output)
        assert colorize.main([*inputs, "--output", target, "--model", model]) == 2
        assert expected in capsys.readouterr().err
        assert not os.path.exists(target)
    assert sorted(os.listdir(tmp_path)) == ["gray.png", "in"]


def test_a_failure_leaves_no_file(tmp_path, model, capsys):
    (tmp_path / "a.png").write_text("no picture")
    flags = ["--output", str(tmp_path / "b.png"), "--model", model]
    assert colorize.main([str(tmp_path / "a.png"), *flags]) == 1
    assert "failed: a.png: it holds no picture" in capsys.readouterr().out
    assert os.listdir(tmp_path) == ["a.png"]
