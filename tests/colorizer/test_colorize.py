"""colorize.py, end to end with a stand-in model of one layer: folders, sizes, troubles."""

import errno
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from colorizer import Colorizer, cli
from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.jobs import run as running
from colorizer.jobs.find import find_photographs
from colorizer.jobs.plan import plan
from colorizer.jobs.record import RECORD, Record
from colorizer.jobs.request import Fingerprint, Request
from colorizer.pixels import grayscale, is_gray, resize, to_unit

import cv2
import numpy as np
import pytest
import standins
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return standins.save_brown(tmp_path_factory.mktemp("model") / "brown.onnx")


def scene(height=90, width=120, channels=3):
    """Return a smooth random picture."""
    small = np.random.default_rng(height * width).integers(0, 256, (4, 5, channels), np.uint8)
    return resize(small, height, width)


def write(path, picture, **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = picture[..., 0] if picture.shape[-1] == 1 else picture
    Image.fromarray(picture).save(path, **settings)
    return path


def lightness(picture):
    return cv2.cvtColor(to_unit(picture), cv2.COLOR_RGB2LAB)[..., 0]


def files(folder):
    """Return the relative paths of all files, half-written ones too, but for the record."""
    found = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    return sorted(name for name in found if name != RECORD)


def test_a_folder_is_colorized_under_the_same_names_and_sizes(tmp_path, run):
    gray = scene(90, 120, 1)
    write(tmp_path / "in" / "a.png", gray)
    write(tmp_path / "in" / "inner" / "b.jpg", scene(333, 222))
    write(tmp_path / "in" / "inner" / "deeper" / "tall.webp", scene(400, 21))
    write(tmp_path / "in" / ".hidden.png", gray)
    (tmp_path / "in" / "notes.txt").write_text("not a photograph")
    status, printed = run()
    assert status == 0
    assert files(tmp_path / "out") == ["a.png", "inner/b.jpg", "inner/deeper/tall.webp"]
    assert Image.open(tmp_path / "out" / "inner" / "b.jpg").size == (222, 333)
    assert Image.open(tmp_path / "out" / "inner" / "deeper" / "tall.webp").size == (21, 400)
    painted = photos.read_rgb(tmp_path / "out" / "a.png")
    difference = lightness(painted) - lightness(gray.repeat(3, 2))
    assert abs(difference.mean()) < 0.1
    assert 10 * np.log10(100**2 / np.mean(difference**2)) > 55
    middle = gray[..., 0] // 64 == 2
    assert (painted[middle][:, 0].astype(int) - painted[middle][:, 2]).min() > 20
    assert "3 colorized, 0 failed" in printed
    assert "2 were in colour and were recoloured" in printed


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3), (8, 8), (37, 1000), (700, 9)])
def test_any_size_keeps_every_pixel(tmp_path, run, size):
    write(tmp_path / "in" / "a.png", scene(*size, 1))
    assert run()[0] == 0
    painted = photos.read_rgb(tmp_path / "out" / "a.png")
    assert painted.shape == (*size, 3)
    difference = lightness(painted) - lightness(scene(*size, 1).repeat(3, 2))
    assert np.abs(difference).max() < 0.5


def test_a_jpeg_of_a_gray_photograph_keeps_its_luminance(tmp_path, run):
    for sample in ("astronaut", "cat", "coffee", "palace", "raccoon"):
        gray = grayscale(photos.read_rgb(ROOT / "samples" / f"{sample}.jpg"))
        write(tmp_path / "in" / f"{sample}.jpg", gray, quality=95)
    assert run()[0] == 0
    for path in find_photographs(tmp_path / "in"):
        before = lightness(photos.read_rgb(path))
        difference = lightness(photos.read_rgb(tmp_path / "out" / path.name)) - before
        assert abs(difference.mean()) < 0.1
        assert 10 * np.log10(100**2 / np.mean(difference**2)) > 45


def test_jpegs_are_written_without_halving_their_colour(tmp_path, run):
    source = write(tmp_path / "in" / "a.jpg", scene(), quality=60)
    run()
    written = Image.open(tmp_path / "out" / "a.jpg")
    assert [layer[1:3] for layer in written.layer] == [(1, 1)] * 3
    assert written.quantization[0] == Image.open(source).quantization[0]  # as good as it was
    write(tmp_path / "lossless" / "a.png", scene())
    run("--format", "jpg", output="best", input="lossless")
    written = Image.open(tmp_path / "best" / "a.jpg")
    assert max(written.quantization[0]) < 13  # quality 95


def test_sixteen_bits_and_alpha_stay(tmp_path, run):
    deep = (scene(60, 80).astype(np.uint16) << 8) + 77
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "deep.png"), deep)
    cv2.imwrite(str(tmp_path / "in" / "deep.tif"), deep[..., 0])
    alpha = np.dstack([scene(60, 80), np.arange(4800, dtype=np.uint8).reshape(60, 80)])
    write(tmp_path / "in" / "alpha.png", alpha)
    assert run()[0] == 0
    for name in ("deep.png", "deep.tif"):
        written = cv2.imread(str(tmp_path / "out" / name), cv2.IMREAD_UNCHANGED)
        assert written.dtype == np.uint16
        assert written.shape == (60, 80, 3)
    written = np.asarray(Image.open(tmp_path / "out" / "alpha.png"))
    np.testing.assert_array_equal(written[..., 3], alpha[..., 3])


def test_two_files_that_want_one_name_are_both_kept(tmp_path, run):
    write(tmp_path / "in" / "a.bmp", scene(40, 40))
    write(tmp_path / "in" / "a.png", scene(50, 50))
    status, printed = run("--format", "jpg")
    assert status == 0
    assert files(tmp_path / "out") == ["a-2.jpg", "a.jpg"]
    assert "a.png: written as a-2.jpg" in printed
    assert Image.open(tmp_path / "out" / "a-2.jpg").size == (50, 50)


def test_finished_files_are_skipped_unless_told_otherwise(tmp_path, run):
    write(tmp_path / "in" / "a.png", scene())
    run()
    (tmp_path / "out" / "a.png").write_bytes(b"finished earlier")
    write(tmp_path / "in" / "b.png", scene())
    status, printed = run()
    assert status == 0
    assert "1 colorized, 1 skipped" in printed
    assert (tmp_path / "out" / "a.png").read_bytes() == b"finished earlier"
    assert "a.png: changed since it was written, and kept" in printed
    assert "2 colorized, 0 failed" in run("--overwrite")[1]
    assert "0 colorized, 2 skipped" in run()[1]


def test_strength_zero_leaves_gray(tmp_path, run):
    write(tmp_path / "in" / "a.png", scene())
    run("--strength", "0")
    assert is_gray(photos.read_rgb(tmp_path / "out" / "a.png"))


def test_photographs_in_colour_can_be_left_alone(tmp_path, run):
    write(tmp_path / "in" / "colour.png", scene())
    write(tmp_path / "in" / "gray.png", scene(90, 120, 1).repeat(3, 2))
    status, printed = run("--keep-colour")
    assert status == 0
    assert files(tmp_path / "out") == ["colour.png", "gray.png"]
    kept = (tmp_path / "out" / "colour.png").read_bytes()
    assert kept == (tmp_path / "in" / "colour.png").read_bytes()
    assert "1 colorized, 1 in colour and copied as they are" in printed


def test_compare_puts_before_and_after_beside_each_other(tmp_path, run):
    gray = scene(90, 120, 1)
    write(tmp_path / "in" / "a.png", gray)
    assert run("--compare")[0] == 0
    assert files(tmp_path / "out") == ["a-compare.jpg", "a.png"]
    pair = photos.read_rgb(tmp_path / "out" / "a-compare.jpg")
    assert pair.shape == (90, 240, 3)
    after = photos.read_rgb(tmp_path / "out" / "a.png")
    for half, expected in ((pair[:, :120], gray), (pair[:, 120:], after)):
        assert np.abs(half.astype(int) - expected).mean() < 2
    assert "1 skipped" in run("--compare")[1]


def test_results_inside_the_input_folder_are_not_colorized_again(tmp_path, run):
    write(tmp_path / "in" / "a.png", scene())
    run(output="in/results")
    assert "0 colorized, 1 skipped" in run(output="in/results")[1]


def test_a_wrong_call_is_one_sentence_and_status_2(tmp_path, run, model):
    write(tmp_path / "in" / "a.png", scene())
    before = (tmp_path / "in" / "a.png").read_bytes()
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("no folder")
    endless = standins.save_brown(tmp_path / "endless.onnx", bias=(np.nan, 0, 0))
    (tmp_path / "text.keras").write_text("no model")
    (tmp_path / "text.onnx").write_text("no model")
    for flags, folders, sentence in (
        ([], {"input": "nowhere"}, "there is no .*nowhere"),
        ([], {"input": "empty"}, "holds no photographs"),
        ([], {"output": "in"}, "would be written over an input"),
        ([], {"output": "file"}, "cannot be made"),
        (["--model", str(tmp_path / "none.onnx")], {}, "there is no model"),
        (["--model", str(tmp_path / "text.keras")], {}, "is not a Keras model|needs Keras"),
        (["--model", str(tmp_path / "text.onnx")], {}, "is not an ONNX model"),
        (["--model", "sepia"], {}, "neither an .onnx nor a .keras file"),
        (["--model", str(endless)], {}, "not finite"),
    ):
        status, printed = run(*flags, **folders)
        assert status == 2
        errors = [line for line in printed.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1
        assert re.search(sentence, errors[0])
    for flags in (["--strength", "2"], ["--working-size", "7"], ["--format", "doc"]):
        with pytest.raises(SystemExit) as stopped:
            run(*flags)
        assert stopped.value.code == 2
    assert files(tmp_path / "in") == ["a.png"]
    assert (tmp_path / "in" / "a.png").read_bytes() == before


def test_a_keras_file_colorizes_as_well(tmp_path, run):
    keras = pytest.importorskip("keras")
    gray = keras.Input((None, None, 1))
    layer = keras.layers.Conv2D(3, 1)
    model = keras.Model(gray, layer(gray))
    layer.set_weights([np.full((1, 1, 1, 3), standins.FACTOR), np.array(standins.BROWN)])
    model.save(tmp_path / "brown.keras")
    write(tmp_path / "in" / "a.png", scene())
    command = [sys.executable, str(ROOT / "colorize.py"), "--model", str(tmp_path / "brown.keras")]
    command += ["--input", str(tmp_path / "in"), "--output", str(tmp_path / "keras")]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = finished.stderr.split()
    assert lines[0] == "colorizing:", finished.stderr
    assert run()[0] == 0
    painted = photos.read_rgb(tmp_path / "keras" / "a.png")
    assert np.abs(painted.astype(int) - photos.read_rgb(tmp_path / "out" / "a.png")).max() <= 1


@pytest.mark.parametrize("model", ["semantic", "paper"])
def test_a_sliver_is_colorized_and_the_rest_of_the_folder_too(tmp_path, run, model):
    sizes = {"wide.png": (3, 900), "tall.jpg": (900, 3), "plain.png": (60, 80), "dot.png": (1, 1)}
    for name, size in sizes.items():
        write(tmp_path / "in" / name, scene(*size, 1))
    status, printed = run("--model", model)
    assert status == 0
    assert "4 colorized, 0 failed" in printed
    for name, size in sizes.items():
        assert photos.read_rgb(tmp_path / "out" / name).shape == (*size, 3)


def test_the_working_size_is_that_of_the_flag(tmp_path, run, monkeypatch):
    given = []
    made = Colorizer
    monkeypatch.setattr(cli, "Colorizer", lambda *each: (given.append(each), made(*each))[1])
    write(tmp_path / "in" / "a.png", scene())
    assert run("--working-size", "64")[0] == 0
    assert [size for _, size, *_ in given] == [64]


def test_a_result_never_lies_over_an_input_in_another_folder(tmp_path):
    write(tmp_path / "in" / "a.png", scene())
    write(tmp_path / "in" / "b" / "b" / "a.png", scene())
    (tmp_path / "out").symlink_to(tmp_path / "in" / "b" / "b")
    inner = tmp_path / "in" / "b"
    request = Request(inputs=(inner,), output=inner / "b" / "..")
    fingerprint = Fingerprint(request, Colorizer("paper"))
    with pytest.raises(UserError, match="over an input"):
        plan(request, Record(request.output), fingerprint)


def hostile_folder(folder):
    """Fill a folder with every trouble at once; return the names of those that can be colorized."""
    good = {
        "good.jpg": scene(),
        "Größe 写真 🎞.png": scene(70, 90),
        "two  spaces & 'quotes'.webp": scene(50, 60),
        "only.jpg.png": scene(10, 10),
    }
    for name, picture in good.items():
        write(folder / name, picture)
    write(folder / "raw.png", scene(20, 30)).rename(folder / os.fsdecode(b"raw \xff\xfe.png"))
    write(folder / "newline.png", scene(20, 30)).rename(folder / "new\nline.png")
    Image.fromarray(scene(20, 30)).save(
        folder / "pages.tif", save_all=True, append_images=[Image.new("RGB", (9, 9))]
    )
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("This is no picture.")
    content = (folder / "good.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(content[: len(content) // 2])
    (folder / "header.jpg").write_bytes(content[:100])
    (folder / "noise.tif").write_bytes(os.urandom(5000))
    os.mkfifo(folder / "pipe.jpg")
    (folder / "nothing behind.jpg").symlink_to(folder / "no such file.jpg")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    (folder / "inner").mkdir()
    (folder / "inner" / "up").symlink_to(folder)
    large = bytearray((folder / "only.jpg.png").read_bytes())
    large[16:24] = (100_000).to_bytes(4, "big") * 2
    (folder / "header.png").write_bytes(large)
    (folder / "folder.jpg").mkdir()
    more = [os.fsdecode(b"raw \xff\xfe.png"), "new\nline.png", "pages.tif", "pages-page-2.tif"]
    return [*good, *more, "cut.jpg"]


def test_a_hostile_folder_is_done_as_far_as_it_can_be(tmp_path, run):
    good = hostile_folder(tmp_path / "in")
    before = {p: p.read_bytes() for p in find_photographs(tmp_path / "in") if p.is_file()}
    status, printed = run()
    assert status == 1
    assert files(tmp_path / "out") == sorted(good)
    for name in good:
        photos.read_rgb(tmp_path / "out" / name)
    for name in ("empty.png", "text.jpg", "header.jpg", "noise.tif", "header.png", "pipe.jpg"):
        assert f"failed: {name}: it " in printed
    assert "failed: nothing behind.jpg: no such file or directory" in printed
    assert "failed: loop.jpg: too many levels of symbolic links" in printed
    assert "cut.jpg: it is cut off; what is missing is gray" in printed
    assert f"{len(good)} colorized, 8 failed" in printed
    assert {p: p.read_bytes() for p in before} == before


def test_a_pixel_limit_can_be_set(tmp_path, run):
    write(tmp_path / "in" / "a.png", scene(200, 300))
    status, printed = run("--max-megapixels", "0.05")
    assert status == 1
    assert "it has 300 x 200 pixels, more than 0.05 megapixels" in printed


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_permissions_are_respected_and_named(tmp_path, run):
    for name in ("secret.png", "fine.png", "closed/a.png", "kept/a.png"):
        write(tmp_path / "in" / name, scene())
    (tmp_path / "in" / "secret.png").chmod(0)
    (tmp_path / "in" / "closed").chmod(0)
    (tmp_path / "out" / "kept").mkdir(parents=True)
    (tmp_path / "out" / "kept").chmod(0o500)
    status, printed = run()
    (tmp_path / "in" / "closed").chmod(0o700)
    assert status == 1
    assert files(tmp_path / "out") == ["fine.png"]
    assert printed.count("permission denied") == 3


def test_a_file_that_is_gone_when_its_turn_comes_is_named(tmp_path, run, monkeypatch):
    write(tmp_path / "in" / "a.png", scene())
    gone = write(tmp_path / "in" / "b.png", scene())
    planned = running.plan
    monkeypatch.setattr(
        running, "plan", lambda *given: (planned(*given), gone.unlink(missing_ok=True))[0]
    )
    status, printed = run()
    assert status == 1
    assert files(tmp_path / "out") == ["a.png"]
    assert "failed: b.png: no such file or directory" in printed


def test_a_full_disk_leaves_nothing_half_written(tmp_path, run):
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 1), np.uint8)
    write(tmp_path / "in" / "large.png", noise)
    write(tmp_path / "in" / "small.png", scene(4, 4))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
    try:
        status, printed = run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert status == 1
    assert files(tmp_path / "out") == ["small.png"]
    assert f"large.png: it cannot be written: {os.strerror(errno.EFBIG).lower()}" in printed


def test_ctrl_c_leaves_whole_files_and_the_same_command_goes_on(tmp_path, model):
    first = write(tmp_path / "in" / "00.jpg", scene(1000, 1400))
    for number in range(1, 60):
        shutil.copy(first, tmp_path / "in" / f"{number:02}.jpg")
    command = [sys.executable, str(ROOT / "colorize.py"), "--model", str(model)]
    command += ["--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not any((tmp_path / "out").glob("[!.]*")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "the same command goes on" in out
    written = files(tmp_path / "out")
    assert 0 < len(written) < 60
    for name in written:
        photos.read_rgb(tmp_path / "out" / name)
    assert f"{len(written)} colorized" in out
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"{60 - len(written)} colorized, {len(written)} skipped" in finished.stdout
    assert len(files(tmp_path / "out")) == 60
