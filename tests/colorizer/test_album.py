"""The user's files: nothing written over, nothing confused, everything accounted for."""

import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import colorize
from colorizer import Colorizer, progress
from colorizer.files import photos
from colorizer.files.source import Source
from colorizer.jobs.find import find_photographs
from colorizer.jobs.record import RECORD, Record, entry_of
from colorizer.pixels import grayscale, is_gray, resize
from colorizer.progress import Progress

import numpy as np
import pytest
import standins
import tifffile
from PIL import Image
from test_colorize import files, scene, write

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return standins.save_brown(tmp_path_factory.mktemp("model") / "brown.onnx")


@pytest.fixture
def run(tmp_path, model, capsys, monkeypatch):
    """Return a function that runs colorize.py in tmp_path, into out, and returns status, text."""
    monkeypatch.chdir(tmp_path)

    def run(*flags, model=model):
        try:
            status = colorize.main([*flags, "--output", "out", "--model", str(model)])
        except SystemExit as stopped:
            status = stopped.code
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return status, printed.out + printed.err

    return run


def gray(number, size=(40, 60)):
    """Return a gray picture, another for each number."""
    levels = np.random.default_rng(number).integers(60, 200, (4, 6, 1), np.uint8)
    return resize(levels, *size)


def is_result_of(result, picture):
    """Tell whether a result has the lightness of a picture."""
    return np.abs(grayscale(photos.read_rgb(result)).astype(int) - picture).mean() < 4


@pytest.mark.parametrize("flags", [(), ("--overwrite",)])
def test_the_files_behind_symlinks_are_inputs_too(tmp_path, run, flags):
    original = write(tmp_path / "out" / "a.png", gray(1))
    before = original.read_bytes()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").symlink_to(original)
    status, printed = run("--input", "in", *flags)
    assert status == 2
    assert "out/a.png would be written over an input" in printed
    assert original.read_bytes() == before


def test_a_second_album_with_the_same_names_gets_names_of_its_own(tmp_path, run):
    for number, folder in enumerate(("first", "second"), start=1):
        write(tmp_path / folder / "scan0001.png", gray(number))
    run("--input", "first")
    status, printed = run("--input", "second")
    assert status == 0
    assert "scan0001.png: written as scan0001-2.png" in printed
    for _ in range(2):
        assert is_result_of(tmp_path / "out" / "scan0001.png", gray(1))
        assert is_result_of(tmp_path / "out" / "scan0001-2.png", gray(2))
        # Neither is done again, and --overwrite does not mix them up.
        assert "0 colorized, 1 skipped" in run("--input", "second")[1]
        assert "1 colorized, 0 failed" in run("--input", "second", "--overwrite")[1]
    assert "0 colorized, 1 skipped" in run("--input", "first")[1]
    assert len(files(tmp_path / "out")) == 2


def test_a_photograph_that_took_the_place_of_another_is_no_finished_one(tmp_path, run):
    write(tmp_path / "in" / "a.png", gray(1))
    run("--input", "in")
    write(tmp_path / "in" / "a.png", gray(2))
    assert "a.png: written as a-2.png" in run("--input", "in")[1]
    assert is_result_of(tmp_path / "out" / "a.png", gray(1))
    assert is_result_of(tmp_path / "out" / "a-2.png", gray(2))


def test_a_photograph_that_was_moved_or_touched_is_finished(tmp_path, run):
    write(tmp_path / "in" / "a.png", gray(1))
    run("--input", "in")
    (tmp_path / "in").rename(tmp_path / "moved")
    os.utime(tmp_path / "moved" / "a.png", (1, 1))
    assert "0 colorized, 1 skipped" in run("--input", "moved")[1]


def test_other_settings_and_another_model_do_it_again(tmp_path, run):
    write(tmp_path / "in" / "a.png", gray(1))
    run("--input", "in")
    first = (tmp_path / "out" / "a.png").read_bytes()
    assert "1 colorized" in run("--input", "in", "--strength", "0.5")[1]
    half = (tmp_path / "out" / "a.png").read_bytes()
    assert half != first
    assert "0 colorized, 1 skipped" in run("--input", "in", "--strength", "0.5")[1]
    other = standins.save_brown(tmp_path / "brown.onnx", bias=(0.05, 0, -0.05))
    assert "1 colorized" in run("--input", "in", "--strength", "0.5", model=other)[1]
    assert (tmp_path / "out" / "a.png").read_bytes() != half
    assert files(tmp_path / "out") == ["a.png"]


def test_what_is_in_the_way_stays_and_an_empty_file_is_no_result(tmp_path, run):
    for name in ("folder.png", "foreign.png", "empty.png"):
        write(tmp_path / "in" / name, gray(1))
    (tmp_path / "out" / "folder.png").mkdir(parents=True)
    (tmp_path / "out" / "foreign.png").write_bytes(b"of the user")
    (tmp_path / "out" / "empty.png").touch()
    status, printed = run("--input", "in")
    assert status == 0
    assert "3 colorized" in printed
    assert (tmp_path / "out" / "foreign.png").read_bytes() == b"of the user"
    assert files(tmp_path / "out") == ["empty.png", "folder-2.png", "foreign-2.png", "foreign.png"]
    assert is_result_of(tmp_path / "out" / "empty.png", gray(1))


def test_two_suffixes_of_one_name_are_two_photographs_in_later_runs_too(tmp_path, run):
    write(tmp_path / "in" / "a.jpg", gray(1), quality=95)
    run("--input", "in", "--format", "png")
    write(tmp_path / "in" / "a.bmp", gray(2))
    run("--input", "in", "--format", "png")
    assert is_result_of(tmp_path / "out" / "a.png", gray(1))
    assert is_result_of(tmp_path / "out" / "a-2.png", gray(2))


def test_compare_touches_neither_a_retouched_result_nor_a_foreign_file(tmp_path, run):
    write(tmp_path / "in" / "a.png", gray(1))
    write(tmp_path / "in" / "b.png", gray(2))
    run("--input", "in")
    retouched = write(tmp_path / "out" / "a.png", gray(3).repeat(3, 2)).read_bytes()
    (tmp_path / "out" / "b-compare.jpg").write_bytes(b"of the user")
    status, printed = run("--input", "in", "--compare")
    assert status == 0
    assert "2 finished earlier and now compared" in printed
    assert (tmp_path / "out" / "a.png").read_bytes() == retouched
    assert (tmp_path / "out" / "b-compare.jpg").read_bytes() == b"of the user"
    pair = grayscale(photos.read_rgb(tmp_path / "out" / "a-compare.jpg")).astype(int)
    assert np.abs(pair - np.hstack([gray(1), gray(3)])).mean() < 3
    assert (tmp_path / "out" / "b-compare-2.jpg").exists()
    assert "2 skipped" in run("--input", "in", "--compare")[1]


def test_killed_at_any_moment_nothing_is_done_twice_or_kept_half(tmp_path, model):
    for number in range(30):
        write(tmp_path / "in" / f"{number:02}.jpg", gray(number, (400, 600)), quality=90)
    command = [sys.executable, str(ROOT / "colorize.py"), "--model", str(model)]
    command += ["--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not any((tmp_path / "out").glob("[!.]*.jpg")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    done = len(list((tmp_path / "out").glob("[!.]*.jpg")))
    with (tmp_path / "out" / RECORD).open("ab") as file:
        file.write(b'{"result": "half of a li')
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"{30 - done} colorized, {done} skipped" in finished.stdout
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "0 colorized, 30 skipped" in again.stdout
    names = [path.name for path in (tmp_path / "out").glob("[!.]*.jpg")]
    assert sorted(names) == [f"{number:02}.jpg" for number in range(30)]


def test_a_line_of_the_record_that_the_disk_cut_off_takes_no_other_with_it(tmp_path):
    source = Source(write(tmp_path / "a.png", gray(1)))
    record = Record(tmp_path)

    def add(name):
        path = tmp_path / name
        record.add(entry_of(tmp_path, path, source.path, "picture", source, {}))

    add("first.png")
    size = (tmp_path / RECORD).stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, limits[1]))
    try:
        with pytest.raises(OSError, match="No space"):
            add("second.png")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    add("third.png")
    assert list(Record(tmp_path).entries) == ["first.png", "third.png"]


def test_several_files_and_folders(tmp_path, run):
    write(tmp_path / "x" / "one" / "a.png", gray(1))
    write(tmp_path / "x" / "two" / "inner" / "a.png", gray(2))
    write(tmp_path / "b.png", gray(3))
    status, printed = run("--input", "x/one", "x/two", "b.png", "x/one/a.png")
    assert status == 0
    assert "3 colorized" in printed
    assert files(tmp_path / "out") == ["b.png", "one/a.png", "two/inner/a.png"]


@pytest.mark.parametrize("stem", ["a" * 251, "ü" * 125 + "x"])
def test_names_as_long_as_file_systems_take(tmp_path, run, stem):
    write(tmp_path / "in" / "a.png", gray(1)).rename(tmp_path / "in" / f"{stem}.png")
    status, printed = run("--input", "in", "--format", "webp", "--compare")
    assert status == 0
    assert "1 colorized, 0 failed" in printed
    assert len(files(tmp_path / "out")) == 2
    assert "1 skipped" in run("--input", "in", "--format", "webp", "--compare")[1]


def test_everything_that_looks_like_a_picture_is_accounted_for(tmp_path, run):
    for suffix, settings in (
        (".jfif", {"format": "JPEG"}),
        (".heic", {}),
        (".avif", {}),
        (".jp2", {}),
        (".pgm", {}),
        ("", {"format": "PNG"}),
        (".photo", {"format": "JPEG"}),
    ):
        path = tmp_path / "in" / f"a{suffix}"
        write(path, gray(1, (64, 64)), **settings)
    for name in ("b.psd", "b.CR2", "b.jxl"):
        (tmp_path / "in" / name).write_bytes(b"something")
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    status, printed = run("--input", "in")
    assert status == 1
    assert "7 colorized, 3 failed" in printed
    assert "failed: b.psd: it is a Photoshop document, which cannot be read; save it as" in printed
    assert "failed: b.CR2: it is a raw photograph, which" in printed
    for path in find_photographs(tmp_path / "in"):
        result = photos.read_rgb(tmp_path / "out" / path.name)
        assert is_result_of(tmp_path / "out" / path.name, grayscale(photos.read_rgb(path)))
        assert Image.open(tmp_path / "out" / path.name).format == Image.open(path).format
        assert not is_gray(result)


def test_results_keep_the_dates_of_their_photographs(tmp_path, run):
    os.utime(write(tmp_path / "in" / "a.png", gray(1)), ns=(10**18, 10**18 + 7))
    run("--input", "in")
    assert (tmp_path / "out" / "a.png").stat().st_mtime_ns == 10**18 + 7


@pytest.mark.parametrize(
    "flags", [["--max-megapixels", "nan"], ["--max-megapixels", "0"], ["--input", ""]]
)
def test_values_that_mean_nothing_are_refused(tmp_path, run, flags):
    write(tmp_path / "in" / "a.png", gray(1))
    status, printed = run("--input", "in", *flags)
    assert status == 2
    assert "error: argument" in printed
    assert not (tmp_path / "out").exists()


def test_names_that_a_terminal_cannot_write_and_output_that_nobody_reads(tmp_path, model):
    for number in range(3):
        write(tmp_path / "in" / f"Łódź {number}.gif", gray(number))
        (tmp_path / "in" / f"Łódź {number}.psd").touch()
    command = [sys.executable, str(ROOT / "colorize.py"), "--model", str(model), "--input"]
    command += [str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--overwrite"]
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii"}
    finished = subprocess.run(command, capture_output=True, env=ascii_only, check=False)
    assert finished.returncode == 1
    assert b"Traceback" not in finished.stderr
    assert rb"\u0141\xf3d\u017a 1.psd" in finished.stdout
    for unread, status, said in ((None, 141, b""), ("/dev/full", 2, b"there is no room left")):
        process = subprocess.Popen(
            command,
            stdout=open(unread, "w") if unread else subprocess.PIPE,  # noqa: SIM115
            stderr=subprocess.PIPE,
        )
        if not unread:
            process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(timeout=60) == status
        assert b"Traceback" not in errors
        assert b"Exception" not in errors
        assert said in errors


def test_progress_in_a_log_is_a_line_every_few_percent(capsys, monkeypatch):
    with Progress(total=1000) as bar:
        for _ in range(1000):
            bar.update()
    assert len(capsys.readouterr().err.splitlines()) == 2  # it took no ten seconds
    monkeypatch.setattr(progress, "LEAST_SECONDS", 0)
    with Progress(total=1000, desc="colorizing", mininterval=0) as bar:
        for _ in range(1000):
            bar.update()
    lines = capsys.readouterr().err.splitlines()
    assert 18 <= len(lines) <= 22
    assert max(map(len, lines)) < 120
    assert "100%" in lines[-1]


def test_large_working_sizes_go_through_the_network_one_after_the_other(tmp_path, run, monkeypatch):
    """Eight photographs at 2048 pixels took over 13 GB on eight cores."""
    at_once, most, lock = [0], [0], threading.Lock()

    def counted(self, image, known=None):
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.02)
        with lock:
            at_once[0] -= 1
        return np.zeros((8, 8, 2), np.float32)

    monkeypatch.setattr(Colorizer, "predict", counted)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    for number in range(8):
        write(tmp_path / "in" / f"{number}.png", gray(number))
    assert run("--input", "in", "--working-size", "2048")[0] == 0
    assert most == [1]
    run("--input", "in", "--working-size", "128")
    assert most[0] > 1


@pytest.mark.parametrize("model", ["semantic", "paper"])
def test_thin_pictures_at_the_smallest_working_size(tmp_path, run, model):
    sizes = [(1, 16), (16, 1), (30, 480), (480, 30), (2, 700), (33, 31)]
    for height, width in sizes:
        write(tmp_path / "in" / f"{height}x{width}.png", gray(1, (height, width)))
    status, printed = run("--input", "in", "--working-size", "32", model=model)
    assert (status, f"{len(sizes)} colorized, 0 failed" in printed) == (0, True)


def test_whatever_the_network_raises_is_the_failure_of_one_photograph(tmp_path, run, monkeypatch):
    predict = Colorizer.predict

    def raises(self, image, known=None):
        if image.shape[0] > image.shape[1]:
            raise RuntimeError("Got invalid dimensions")
        return predict(self, image, known)

    monkeypatch.setattr(Colorizer, "predict", raises)
    write(tmp_path / "in" / "tall.png", gray(1, (60, 40)))
    write(tmp_path / "in" / "wide.png", gray(2))
    status, printed = run("--input", "in")
    assert status == 1
    assert "failed: tall.png: RuntimeError: Got invalid dimensions" in printed
    assert "1 colorized, 1 failed" in printed


@pytest.mark.parametrize("padding", [[0, 2, 2, 0] * 2, [0, -2, -2, 0] * 2])
def test_a_model_whose_output_has_another_size_is_refused(tmp_path, run, padding):
    ones = {"ones": np.ones((1, 3), np.float32), "pads": np.array(padding, np.int64)}
    nodes = [("MatMul", ["grayscale", "ones"], ["gray"]), ("Pad", ["gray", "pads"], ["painted"])]
    other = standins.save_onnx(tmp_path / "other.onnx", nodes, ones)
    write(tmp_path / "in" / "a.png", gray(1))
    status, printed = run("--input", "in", model=other)
    assert status == 2
    assert "other.onnx maps (1, 32, 40, 1) to" in printed
    assert not (tmp_path / "out").exists()


def test_a_toned_print_counts_as_black_and_white_unless_told_otherwise(tmp_path, run):
    ramp = gray(1).astype(float) / 255
    sepia = (ramp * (235, 205, 165) + (15, 8, 2)).astype(np.uint8)
    write(tmp_path / "in" / "sepia.png", sepia)
    write(tmp_path / "in" / "colour.png", scene())
    printed = run("--input", "in", "--keep-colour")[1]
    assert "1 colorized, 1 in colour and copied as they are, 0 failed" in printed
    assert "1 were prints of one hue, such as sepia" in printed
    kept = (tmp_path / "out" / "colour.png").read_bytes()
    assert kept == (tmp_path / "in" / "colour.png").read_bytes()
    run("--input", "in", "--keep-colour", "toned")
    for name in ("sepia.png", "colour.png"):
        kept = (tmp_path / "out" / name).read_bytes()
        assert kept == (tmp_path / "in" / name).read_bytes()
    assert "0 colorized, 2 skipped" in run("--input", "in", "--keep-colour", "toned")[1]


def test_all_pages_of_a_tiff_are_photographs_but_for_thumbnails(tmp_path, run):
    (tmp_path / "in").mkdir()
    with tifffile.TiffWriter(tmp_path / "in" / "a.tif") as file:
        for number in (1, 2, 3):
            file.write(gray(number)[..., 0], photometric="minisblack", metadata=None)
            file.write(
                gray(9, (8, 8))[..., 0], photometric="minisblack", subfiletype=1, metadata=None
            )
        deep = gray(4)[..., 0].astype(np.uint16) * 257
        file.write(deep, photometric="minisblack", metadata=None)
    status, printed = run("--input", "in")
    assert (status, "4 colorized, 0 failed" in printed) == (0, True)
    names = ["a.tif", *(f"a-page-{number}.tif" for number in (2, 3, 4))]
    assert files(tmp_path / "out") == sorted(names)
    for number, name in enumerate(names, start=1):
        assert is_result_of(tmp_path / "out" / name, gray(number))
    assert "0 colorized, 4 skipped" in run("--input", "in")[1]
    assert "4 colorized" in run("--input", "in", "--format", "jpg")[1]


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(tmp_path, run):
    write(tmp_path / "in" / "done.png", gray(1))
    run("--input", "in")
    write(tmp_path / "in" / "a.jpg", gray(2, (500, 1000)))
    write(tmp_path / "in" / "b.png", gray(3, (1000, 500)))
    write(tmp_path / "other" / "done.png", gray(4))
    (tmp_path / "in" / "c.psd").touch()
    (tmp_path / "in" / "d.png").touch()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    status, printed = run("--input", "in", "other/done.png", "--dry-run")
    assert status == 1
    assert "done.png: skipped, finished earlier" in printed
    assert "a.jpg: JPEG, 0.5 megapixels, to out/a.jpg" in printed
    assert "would fail: c.psd: it is a Photoshop document" in printed
    assert "would fail: d.png: it holds no picture in a known format" in printed
    assert re.search(r"would colorize 3 .* 1\.0 megapixels \(2 PNG, 1 JPEG\) in about \d", printed)
    assert "1 skipped, 2 would fail; nothing was written" in printed
    after = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("script", ["colorize.py", "prepare_data.py", "evaluate.py", "train.py"])
def test_ctrl_c_while_a_script_is_imported_is_no_traceback(tmp_path, script):
    """Every script imports NumPy, which here says so and takes its time."""
    slow = "import time\nprint('importing', flush=True)\ntime.sleep(600)\n"
    (tmp_path / "numpy.py").write_text(slow)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert process.stdout.readline() == b"importing\n"
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == -signal.SIGINT
    assert b"Traceback" not in errors


def test_a_file_of_a_format_that_is_not_read_is_named_when_given_itself(tmp_path, run):
    (tmp_path / "a.psd").write_bytes(b"8BPS")
    status, printed = run("--input", "a.psd")
    assert status == 1
    assert "failed: a.psd: it is a Photoshop document" in printed
    assert "0 colorized, 1 failed" in printed
