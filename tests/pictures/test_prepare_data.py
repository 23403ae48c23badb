import contextlib
import functools
import hashlib
import http.server
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import prepare_data
from colorizer.pixels import grayscale
from pictures import dataset, preparing, sources

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

ROOT = Path(prepare_data.__file__).parent
FLAGS = "--classes 3 --images-per-class 4 --test-images-per-class 2 --size 8"


def write_picture(path, colour, size=(20, 24), mode="RGB", **options):
    """Write a picture of one colour; files of the same colour differ by a text in them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = PngImagePlugin.PngInfo()
    text.add_text("path", ascii(path))
    told = {".png": {"pnginfo": text}, ".jpg": {"comment": ascii(path)}}.get(path.suffix, {})
    Image.new(mode, size, colour).save(path, **told | options)


def write_classes(folder, classes, pictures, blue=200, first=0):
    """Write one-coloured pictures: picture p of class c is (40 * c, 10 * p, blue)."""
    for c in range(first, classes):
        for p in range(pictures):
            write_picture(folder / f"n0{c}" / f"{p:02d}.png", (40 * c, 10 * p, blue))
    return folder


def run(source, output, flags=FLAGS):
    """Run the script on `source`, a folder or a list of them, and return its status."""
    sources = source if isinstance(source, list) else [source]
    arguments = ["--source", *map(str, sources), "--output", str(output), *flags.split()]
    return prepare_data.main(arguments)


def prepared(folder):
    """Return the manifest and {split: (rgb, label, files)} of prepared data."""
    manifest = dataset.read_manifest(folder)
    splits = {}
    for split in dataset.SPLITS:
        shards = list(dataset.open_split(folder, split).shards())
        files = [file for shard in manifest["splits"][split]["shards"] for file in shard["rows"]]
        rgb = np.concatenate([shard.rgb for shard in shards])
        gray = np.concatenate([shard.gray for shard in shards])
        assert np.array_equal(gray, grayscale(rgb))
        splits[split] = rgb, np.concatenate([shard.label for shard in shards]), files
    return manifest, splits


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@pytest.fixture
def in_threads(monkeypatch):
    """Convert in threads, which start faster than the processes that other tests use."""
    monkeypatch.setattr(preparing, "worker_pool", ThreadPoolExecutor)


@pytest.fixture
def error(capsys):
    """Give a function that returns the one line printed as an error, after any progress bar."""

    def read():
        *progress, line = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        assert all("picture/s" in text or not text for text in progress)
        return line

    return read


# --------------------------------------------------------------------------- what is prepared


@pytest.mark.parametrize("one_tree", [False, True])
def test_every_row_is_the_picture_and_class_the_manifest_says(tmp_path, in_threads, one_tree):
    source = tmp_path / "source"
    if one_tree:
        write_classes(source, 5, 9)
    else:
        write_classes(source / "train", 5, 6)
        write_classes(source / "val", 4, 3)
    assert run(source, tmp_path / "data") == 0
    manifest, splits = prepared(tmp_path / "data")
    assert len(manifest["classes"]) == 3
    assert manifest["test_pictures_from"] == ("train" if one_tree else "val")
    assert (manifest["seed"], manifest["size"], manifest["skipped"]) == (0, 8, [])
    assert "numpy" in manifest["versions"]
    for split, images in (("train", 4), ("test", 2)):
        rgb, label, files = splits[split]
        assert sorted(label) == sorted([0, 1, 2] * images)
        for row, file in enumerate(files):
            folder, name = Path(file).parts[-2:]
            assert folder == manifest["classes"][label[row]]
            assert (rgb[row] == (40 * int(folder[2]), 10 * int(name[:2]), 200)).all()
            assert one_tree or file.startswith({"train": "train/", "test": "val/"}[split])
    every = splits["train"][2] + splits["test"][2]
    assert len(set(every)) == len(every) == 18


def test_the_seed_decides_every_byte(tmp_path, in_threads):
    source = write_classes(tmp_path / "source", 5, 9)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert run(source, tmp_path / name, f"{FLAGS} --seed {seed}") == 0
    first, same, other = (contents(tmp_path / name) for name in "abc")
    assert set(first) == {
        "manifest.json",
        "train-00000-of-00001.npz",
        "test-00000-of-00001.npz",
    }
    assert first == same
    assert all(first[name] != other[name] for name in first)
    draws = [prepared(tmp_path / name)[1]["train"][2] for name in "ac"]
    assert set(draws[0]) != set(draws[1])


def test_the_number_of_cores_changes_no_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "SHARD_PICTURES", 10)
    source = write_classes(tmp_path / "source", 3, 14)
    for name in ("n00/03.png", "n01/00.png", "n02/07.png"):
        (source / name).write_bytes(b"no picture")
    for cores in (1, 3):
        monkeypatch.setattr(preparing, "cores", lambda cores=cores: cores)
        flags = "--classes 3 --images-per-class 10 --test-images-per-class 3 --size 8"
        assert run(source, tmp_path / f"{cores}", flags) == 0
    assert contents(tmp_path / "1") == contents(tmp_path / "3")
    manifest, _ = prepared(tmp_path / "1")
    assert [shard["pictures"] for shard in manifest["splits"]["train"]["shards"]] == [10, 10, 10]
    assert {entry["file"] for entry in manifest["skipped"]} == {
        "n00/03.png",
        "n01/00.png",
        "n02/07.png",
    }


def test_every_kind_of_picture_is_handled(tmp_path, in_threads):
    folder = tmp_path / "source" / "kinds"
    upright = Image.new("RGB", (32, 32), (250, 0, 0))
    upright.paste((0, 0, 250), (0, 16, 32, 32))
    exif = Image.Exif()
    exif[0x0112] = 6  # Shown upright after a quarter turn clockwise.
    folder.mkdir(parents=True)
    upright.rotate(90).save(folder / "rotated.jpg", exif=exif, quality=95)
    write_picture(folder / "gray.jpg", 77, mode="L")
    write_picture(folder / "cmyk.jpg", (0, 255, 255, 0), mode="CMYK")
    write_picture(folder / "palette.gif", (0, 255, 0), mode="RGB")
    write_picture(folder / "transparent.png", (9, 9, 9, 0), mode="RGBA")
    write_picture(folder / "gray_alpha.png", (60, 255), mode="LA")
    write_picture(folder / "sixteen.png", 257 * 99, mode="I;16")
    write_picture(folder / "bilevel.png", 1, mode="1")
    write_picture(folder / "large.JPEG", (200, 100, 50), size=(640, 480))
    write_picture(folder / "tiny.webp", (10, 90, 160), size=(1, 1), lossless=True)
    flags = "--classes 1 --images-per-class 9 --test-images-per-class 1 --size 16"
    assert run(tmp_path / "source", tmp_path / "data", flags) == 0
    manifest, splits = prepared(tmp_path / "data")
    pictures = {
        Path(file).stem: picture.astype(int)
        for rgb, _, files in splits.values()
        for file, picture in zip(files, rgb, strict=True)
    }
    for name, colour in {
        "gray": (77, 77, 77),
        "palette": (0, 255, 0),
        "transparent": (255, 255, 255),
        "gray_alpha": (60, 60, 60),
        "sixteen": (99, 99, 99),
        "bilevel": (255, 255, 255),
        "large": (200, 100, 50),
        "tiny": (10, 90, 160),
    }.items():
        assert np.abs(pictures[name] - colour).max() <= 2, name
    red, green, blue = pictures["cmyk"].mean((0, 1))
    assert red > 180 > 80 > max(green, blue)
    assert np.abs(pictures["rotated"][:6] - (250, 0, 0)).max() < 12
    assert np.abs(pictures["rotated"][-6:] - (0, 0, 250)).max() < 12
    black_and_white = sum(manifest["splits"][split]["black_and_white"] for split in dataset.SPLITS)
    assert black_and_white == 5


def test_shrinking_takes_the_mean_of_the_area(tmp_path, in_threads):
    stripes = np.zeros((24, 24, 3), np.uint8)
    stripes[::2] = 200
    for p in range(2):
        path = tmp_path / "source" / "stripes" / f"{p}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(stripes).save(path, compress_level=p)  # the same picture, not the same file
    flags = "--classes 1 --images-per-class 1 --test-images-per-class 1 --size 12"
    assert run(tmp_path / "source", tmp_path / "data", flags) == 0
    assert (prepared(tmp_path / "data")[1]["train"][0] == 100).all()


def test_unreadable_pictures_are_replaced_and_named(tmp_path, in_threads, capsys):
    source = write_classes(tmp_path / "source", 3, 9)
    whole = (source / "n01" / "00.png").read_bytes()
    broken = {
        "n00/01.png": b"",
        "n00/04.png": b"text",
        "n01/05.png": whole[:60],
        "n01/06.png": whole[:60],
        "n01/07.png": whole[:60],
    }
    for name, content in broken.items():
        (source / name).write_bytes(content)
    assert run(source, tmp_path / "data") == 0
    manifest, splits = prepared(tmp_path / "data")
    used = splits["train"][2] + splits["test"][2]
    assert len(set(used)) == 18
    assert not broken.keys() & set(used)
    skipped = {entry["file"]: entry["reason"] for entry in manifest["skipped"]}
    # Class n01 has only just enough, so that all it has were tried.
    assert skipped.keys() >= {"n01/05.png", "n01/06.png", "n01/07.png"}
    assert skipped.keys() <= broken.keys()
    assert all(skipped.values())
    for rgb, label, files in splits.values():
        for row, file in enumerate(files):
            assert (rgb[row] == (40 * int(file[2]), 10 * int(file[4:6]), 200)).all()
            assert manifest["classes"][label[row]] == file[:3]
    assert f"{len(skipped)} files could not be used" in capsys.readouterr().out


def test_black_and_white_pictures_are_counted_once_and_unreadable_ones_never(tmp_path, in_threads):
    source = tmp_path / "source" / "n00"
    for number in range(9):
        write_picture(source / f"{number}.png", (number, number, number))
    for number in range(9, 12):
        (source / f"{number}.png").write_bytes(b"no picture")
    for seed in range(3):  # whichever are drawn
        flags = "--classes 1 --images-per-class 6 --test-images-per-class 2 --size 8 --overwrite"
        assert run(tmp_path / "source", tmp_path / "data", f"{flags} --seed {seed}") == 0
        splits = prepared(tmp_path / "data")[0]["splits"]
        assert [splits[split]["black_and_white"] for split in ("train", "test")] == [6, 2]


def test_twins_are_of_one_class(tmp_path):
    for name in "abcd":
        (tmp_path / name).write_bytes(b"the same")
    label = np.array([0, 1], np.int32)
    shards = [
        sources.PlannedShard("", "train", ["a", "b"], label),
        sources.PlannedShard("", "test", ["c", "d"], label),
    ]
    assert sources.find_twins(tmp_path, sources.Draw(["0", "1"], shards, None)) == {
        "c": "it is the same as a, which trains",
        "d": "it is the same as b, which trains",
    }


def test_a_class_with_too_few_readable_pictures_is_not_drawn(tmp_path, in_threads):
    source = write_classes(tmp_path / "source", 4, 6)
    (source / "n02" / "03.png").write_bytes(b"")
    assert run(source, tmp_path / "data") == 0
    manifest, splits = prepared(tmp_path / "data")
    assert manifest["classes"] == ["n00", "n01", "n03"]
    assert len(set(splits["train"][2] + splits["test"][2])) == 18


def test_val_without_classes_in_common_is_left_alone(tmp_path, in_threads):
    write_classes(tmp_path / "source" / "train", 3, 6)
    write_picture(tmp_path / "source" / "val" / "ILSVRC2012_val_00000001.JPEG", (1, 2, 3))
    assert run(tmp_path / "source", tmp_path / "data") == 0
    assert prepared(tmp_path / "data")[0]["test_pictures_from"] == "train"


def test_the_command_reads_as_documented(tmp_path):
    source = write_classes(tmp_path / "source", 3, 6)
    command = [sys.executable, ROOT / "prepare_data.py", "--source", source, *FLAGS.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "12 training and 6 test pictures of 3 classes, 8x8 pixels; 0 of them are black-and-white",
        "the data is in data; next: python train.py --data data",
    ]
    assert "18/18" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name[0] == "."] == []
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o777 & ~current_umask()


def current_umask():
    umask = os.umask(0)
    os.umask(umask)
    return umask


# ------------------------------------------------------------------ several sources, and --all


def rows(folder):
    """Return {split: {file: class}} of prepared data, whose every row is checked.

    Pictures are those of `write_classes`, with 1, 2 or 3 for 200 in the sources a, b and c.
    """
    manifest, splits = prepared(folder)
    found = {}
    for split, (rgb, label, files) in splits.items():
        assert len(set(files)) == len(files)
        for picture, file in zip(rgb, files, strict=True):
            name, number = Path(file).parts[-2:]
            source = {"a": 1, "b": 2, "c": 3}.get(file[0], 200)
            assert (picture == (40 * int(name[2]), 10 * int(number[:2]), source)).all()
        found[split] = {file: manifest["classes"][i] for file, i in zip(files, label, strict=True)}
        assert all(Path(file).parts[-2] == name for file, name in found[split].items())
    assert not found["train"].keys() & found["test"].keys()
    return found


def of_class(files, name):
    return sorted(file for file, its_class in files.items() if its_class == name)


@pytest.fixture
def mixed(tmp_path):
    """Write three sources: `a` with n00, n01 and val; `b` with n01, n02 in one tree; `c` as `a`.

    Source `c` has n03 in train, and in val only n00.
    """
    write_classes(tmp_path / "a" / "train", 2, 6, blue=1)
    write_classes(tmp_path / "a" / "val", 2, 3, blue=1)
    write_classes(tmp_path / "b", 3, 7, blue=2, first=1)
    write_classes(tmp_path / "c" / "train", 4, 4, blue=3, first=3)
    write_classes(tmp_path / "c" / "train", 1, 4, blue=3)
    write_classes(tmp_path / "c" / "val", 1, 2, blue=3)
    return [tmp_path / name for name in "abc"]


def test_classes_of_several_sources_are_pooled(tmp_path, in_threads, mixed):
    flags = "--classes 3 --images-per-class 5 --test-images-per-class 2 --size 8"
    assert run(mixed, tmp_path / "data", flags) == 0
    manifest = dataset.read_manifest(tmp_path / "data")
    assert manifest["source"] == [str(folder) for folder in mixed]
    # Source c has val, so that its n03, which is not in it, has nothing to test.
    assert manifest["classes"] == ["n00", "n01", "n02"]
    assert manifest["test_pictures_from"] == "train and val"
    found = rows(tmp_path / "data")
    for name, test_files in {
        "n00": ("a/val/n00/", "c/val/n00/"),
        "n01": ("a/val/n01/",),
        "n02": ("b/n02/",),
    }.items():
        assert len(of_class(found["train"], name)) == 5
        assert len(of_class(found["test"], name)) == 2
        assert all(file.startswith(test_files) for file in of_class(found["test"], name))
    sources = {file[0] for file in of_class(found["train"], "n01")}
    assert sources == {"a", "b"}


def test_all_takes_every_picture(tmp_path, in_threads, mixed, monkeypatch):
    monkeypatch.setattr(dataset, "SHARD_PICTURES", 9)
    assert run(mixed, tmp_path / "data", "--all --test-images-per-class 4 --size 8") == 0
    manifest = dataset.read_manifest(tmp_path / "data")
    assert manifest["classes"] == ["n00", "n01", "n02", "n03"]
    assert manifest["images_per_class"] is None
    found = rows(tmp_path / "data")
    every = {
        file.relative_to(tmp_path).as_posix()
        for folder in ("a/train", "b", "c/train")
        for file in (tmp_path / folder).glob("*/*.png")
    }
    held_out = of_class(found["test"], "n02")
    assert found["train"].keys() == every - set(held_out)
    # In n00 and n01 all that val has, up to 4; half of the 7 in n02 at most; none in n03.
    counts = [len(of_class(found["test"], name)) for name in manifest["classes"]]
    assert counts == [4, 3, 3, 0]
    assert all(file.startswith("b/n02/") for file in held_out)
    first_shard = next(dataset.open_split(tmp_path / "data", "train").shards())
    assert len(set(first_shard.label)) > 1


def test_all_leaves_out_what_cannot_be_read(tmp_path, in_threads, capsys):
    source = write_classes(tmp_path / "source", 3, 9)
    broken = {"n00/01.png", "n00/04.png", *(f"n01/0{number}.png" for number in range(9))}
    for name in broken:
        (source / name).write_bytes(b"no picture")
    assert run(source, tmp_path / "data", "--all --test-images-per-class 2 --size 8") == 0
    manifest = dataset.read_manifest(tmp_path / "data")
    assert manifest["classes"] == ["n00", "n02"]
    assert {entry["file"] for entry in manifest["skipped"]} == broken
    found = rows(tmp_path / "data")
    assert [len(of_class(found["test"], name)) for name in ("n00", "n02")] == [2, 2]
    assert [len(of_class(found["train"], name)) for name in ("n00", "n02")] == [5, 7]
    printed = capsys.readouterr().out
    assert "some pictures cannot be read: drawing without them" in printed
    assert "11 files could not be used" in printed


def test_the_command_in_the_manifest_makes_the_data_again(tmp_path, in_threads, mixed):
    assert run(mixed, tmp_path / "data", "--all --size 8 --seed 3") == 0
    before = contents(tmp_path / "data")
    command = dataset.preparing_command(tmp_path / "data", json.loads(before["manifest.json"]))
    (tmp_path / "data" / "manifest.json").unlink()
    assert prepare_data.main(shlex.split(command)[2:]) == 0
    assert contents(tmp_path / "data") == before


@pytest.mark.parametrize("flags", ["--classes 3", "--images-per-class 0", FLAGS])
def test_all_and_a_number_of_pictures_are_refused(tmp_path, error, flags):
    source = write_classes(tmp_path / "source", 3, 6)
    assert run(source, tmp_path / "data", f"--all {flags}") == 2
    assert "--all takes every picture of every class; leave out --classes" in error()


def test_all_without_a_picture_to_test_is_refused(tmp_path, error):
    assert run(write_classes(tmp_path / "source", 3, 1), tmp_path / "data", "--all") == 2
    assert "no class with a readable picture for training and one for testing" in error()


@pytest.mark.parametrize("second", ["a", "a/train", "link"])
def test_a_source_inside_another_is_refused(tmp_path, error, mixed, second):
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert run([tmp_path / second, mixed[1], mixed[0]], tmp_path / "data") == 2
    message = error()
    assert str(tmp_path / second) in message
    assert message.endswith(f"is part of {tmp_path / 'a'}; give --source only one of them")


# ---------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("flags", "enough", "asked"),
    [
        ("--classes 4 --images-per-class 4 --test-images-per-class 2", 3, 4),
        ("--classes 3 --images-per-class 40 --test-images-per-class 2", 0, 3),
        ("--classes 3 --images-per-class 4 --test-images-per-class 20", 0, 3),
    ],
)
@pytest.mark.parametrize("one_tree", [False, True])
def test_too_few_names_flags_that_work(tmp_path, in_threads, error, flags, enough, asked, one_tree):
    source = tmp_path / "source"
    write_classes(source if one_tree else source / "train", 3, 9)
    if not one_tree:
        write_classes(source / "val", 3, 3)
    assert run(source, tmp_path / "data", flags) == 2
    message = error()
    assert f"--source has {enough} classes" in message
    assert f"not {asked}; use" in message
    assert not (tmp_path / "data").exists()
    assert ("use --classes 3, fewer" in message) == (enough == 3)
    if enough:
        assert run(source, tmp_path / "fewer", f"{flags} --classes 3 --size 8") == 0
    assert message.endswith("or --all for what there is")
    assert run(source, tmp_path / "all", "--all --size 8") == 0


def test_pictures_that_cannot_be_read_do_not_count_as_enough(tmp_path, in_threads, error):
    source = write_classes(tmp_path / "source", 3, 6)
    (source / "n01" / "00.png").write_bytes(b"")
    assert run(source, tmp_path / "data") == 2
    message = error()
    assert "has 2 classes with 4 training and 2 test pictures" in message
    assert "use --classes 2, fewer --images-per-class, or --all" in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_missing_and_empty_folders_are_refused(tmp_path, error):
    assert run(tmp_path / "absent", tmp_path / "data") == 2
    assert f"there is no folder {tmp_path / 'absent'}" in error()
    (tmp_path / "empty" / "train" / "n00").mkdir(parents=True)
    (tmp_path / "empty" / "train" / "n00" / "notes.txt").write_text("no picture")
    assert run(tmp_path / "empty", tmp_path / "data") == 2
    assert "holds no photographs in class folders" in error()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("flag", ["--classes 0", "--images-per-class -1", "--size 0", "--seed -1"])
def test_numbers_out_of_range_are_refused(tmp_path, error, flag):
    assert run(write_classes(tmp_path / "source", 1, 1), tmp_path / "data", flag) == 2
    assert "must be 0 or more" in error()


def test_prepared_data_is_only_replaced_on_request(tmp_path, in_threads, error):
    source = write_classes(tmp_path / "source", 3, 6)
    output = tmp_path / "data"
    output.mkdir()  # An empty folder is no reason to refuse.
    assert run(source, output) == 0
    before = contents(output)
    assert run(source, output, FLAGS + " --seed 1") == 2
    assert "add --overwrite" in error()
    assert contents(output) == before
    assert run(source, output, FLAGS + " --seed 1 --overwrite") == 0
    assert prepared(output)[0]["seed"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "source"]


def test_a_folder_of_other_things_is_never_replaced(tmp_path, error):
    source = write_classes(tmp_path / "source", 3, 6)
    assert run(source, source, FLAGS + " --overwrite") == 2
    assert "holds n00, which is no prepared data" in error()
    assert run(source, source / "n00" / "00.png") == 2
    assert "is a file" in error()
    assert run(source, "/proc", FLAGS + " --overwrite") == 2
    assert "file system is mounted" in error()


def test_a_failure_with_overwrite_leaves_the_old_data(tmp_path, in_threads, error, monkeypatch):
    source = write_classes(tmp_path / "source", 3, 6)
    assert run(source, tmp_path / "data") == 0
    before = contents(tmp_path / "data")

    def full(*_):
        raise OSError(28, "No space left on device")

    for function in ("write_shard", "write_manifest"):
        with monkeypatch.context() as patch:
            patch.setattr(dataset, function, full)
            assert run(source, tmp_path / "data", FLAGS + " --seed 1 --overwrite") == 2
        assert "No space left on device" in error()[-100:]
        assert contents(tmp_path / "data") == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "source"]


def test_a_full_disk_is_noticed_before_the_work(tmp_path, error):
    write_classes(tmp_path / "source", 1, 2)
    flags = "--classes 1 --images-per-class 1 --test-images-per-class 1 --size 100000000"
    assert run(tmp_path / "source", tmp_path / "data", flags) == 2
    assert "the disk has" in error()


def test_room_that_is_short_by_little_is_named_in_megabytes(tmp_path, error, monkeypatch):
    write_classes(tmp_path / "source", 1, 2)
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    flags = "--classes 1 --images-per-class 1 --test-images-per-class 1 --size 120"
    assert run(tmp_path / "source", tmp_path / "data", flags) == 2
    assert "needs 0.115 MB and the disk has 0.001 MB left" in error()


@pytest.mark.parametrize("take", ["--all", "--classes 2 --images-per-class 4"])
@pytest.mark.parametrize("own_val", [False, True])
def test_the_same_picture_never_trains_and_tests(tmp_path, in_threads, take, own_val):
    """Half of the files of each class are copies of others."""
    source = tmp_path / "source"
    write_classes(source / "train" if own_val else source, 2, 8)
    for split in ("train", "val") if own_val else ("",):
        for c in range(2):
            for p in range(6):
                copy = source / split / f"n0{c}" / f"copy{p}.png"
                copy.parent.mkdir(parents=True, exist_ok=True)
                first = source / ("train" if own_val else "") / f"n0{c}" / f"{p:02d}.png"
                shutil.copy(first, copy)
            if own_val:
                write_picture(source / "val" / f"n0{c}" / "own.png", (40 * c, 99, 7))
    flags = f"{take} --test-images-per-class {1 if own_val else 2} --size 8"
    assert run(source, tmp_path / "data", flags) == 0
    manifest, splits = prepared(tmp_path / "data")
    seen = {
        split: {(int(label), picture.tobytes()) for picture, label in zip(*two[:2], strict=True)}
        for split, two in splits.items()
    }
    assert splits["test"][0].any()
    assert not seen["train"] & seen["test"]
    if take == "--all":
        assert any("which trains" in each["reason"] for each in manifest["skipped"])


def test_names_that_are_no_text_are_refused_before_the_work(tmp_path, error):
    odd = tmp_path / os.fsdecode(b"odd \xff")
    write_classes(odd, 1, 2)
    assert run(odd, tmp_path / "data") == 2
    assert r"odd \xff is a name that is not UTF-8" in error()


def test_an_output_that_cannot_be_written_is_one_sentence(tmp_path, error, in_threads):
    write_classes(tmp_path / "source", 3, 6)
    (tmp_path / "file").touch()
    assert run(tmp_path / "source", tmp_path / "file" / "data") == 2
    assert "cannot be written" in error()


def test_a_process_that_was_ended_from_outside_is_one_sentence(tmp_path, error, monkeypatch):
    def ended(*_):
        raise BrokenProcessPool("A process in the process pool was terminated abruptly")

    write_classes(tmp_path / "source", 3, 6)
    monkeypatch.setattr(preparing, "write_shards", ended)
    assert run(tmp_path / "source", tmp_path / "data") == 2
    assert "was ended from outside" in error()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


# --------------------------------------------------------------------------- being interrupted


@contextlib.contextmanager
def running(tmp_path):
    """Start a run that replaces data of 3 classes, and give it when its first shard is written."""
    source = tmp_path / "source" / "n00"
    write_picture(source / "0.jpg", (10, 20, 30), size=(500, 500))
    content = (source / "0.jpg").read_bytes()
    for number in range(1, 4000):
        (source / f"{number}.jpg").write_bytes(content + b"%d" % number)
    flags = "--classes 1 --images-per-class 3990 --test-images-per-class 10 --size 16"
    command = [sys.executable, ROOT / "prepare_data.py", "--source", tmp_path / "source"]
    command += [*flags.split(), "--output", tmp_path / "data", "--overwrite"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        while not list(tmp_path.glob(".data-partial-*/train-00000-*.npz")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def old_data(tmp_path):
    """Prepare small data and return its bytes."""
    source = write_classes(tmp_path / "small", 1, 2)
    flags = "--classes 1 --images-per-class 1 --test-images-per-class 1 --size 8"
    assert run(source, tmp_path / "data", flags) == 0
    return contents(tmp_path / "data")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_midway_leaves_everything_as_it_was(tmp_path, in_threads, number, status):
    before = old_data(tmp_path)
    with running(tmp_path) as process:
        # Ctrl-C reaches every process of the terminal, kill only the one that it names.
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        _, text = process.communicate(timeout=20)
    assert process.returncode == status
    assert "Traceback" not in text
    assert number != signal.SIGINT or text.endswith(f"stopped; {tmp_path / 'data'} is as it was\n")
    assert contents(tmp_path / "data") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "small", "source"]


def test_killed_midway_leaves_the_old_data_and_no_process(tmp_path, in_threads):
    before = old_data(tmp_path)
    with running(tmp_path) as process:
        process.kill()
        process.wait()
        assert contents(tmp_path / "data") == before
        for _ in range(500):
            if not group_lives(process.pid):
                break
            time.sleep(0.01)
        assert not group_lives(process.pid)
    assert list(tmp_path.glob(".data-partial-*"))
    flags = "--classes 1 --images-per-class 1 --test-images-per-class 1 --size 8 --seed 1"
    assert run(tmp_path / "small", tmp_path / "data", flags + " --overwrite") == 0
    assert prepared(tmp_path / "data")[0]["seed"] == 1
    assert not list(tmp_path.glob(".data-partial-*"))


def group_lives(group):
    """Tell whether a process of the group still runs (those that ended may wait to be reaped)."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, of_group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(of_group) == group and state != "Z":
                return True
    return False


# --------------------------------------------------------------------------------- Imagenette


@pytest.fixture
def served(tmp_path):
    """Serve a small archive laid out as Imagenette on the loopback address; give its address."""
    folder = tmp_path / "imagenette2-160"
    write_classes(folder / "train", 3, 4)
    write_classes(folder / "val", 3, 2)
    (folder / "noisy_imagenette.csv").write_text("path,noisy_labels_0\n")
    (tmp_path / "www").mkdir()
    with tarfile.open(tmp_path / "www" / "imagenette2-160.tgz", "w:gz") as archive:
        archive.add(folder, arcname=folder.name)
    handler = functools.partial(QuietHandler, directory=tmp_path / "www")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/imagenette2-160.tgz"
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


# Run apart, because Keras reads KERAS_HOME only when it is imported.
DOWNLOADS = """
import json, sys
import prepare_data
results = []
for address, checksum, output in json.loads(sys.argv[1]):
    prepare_data.IMAGENETTE_ADDRESS, prepare_data.IMAGENETTE_MD5 = address, checksum
    flags = "--classes 3 --images-per-class 4 --test-images-per-class 2 --size 8"
    arguments = ["--source", "imagenette", "--output", output, *flags.split()]
    results.append(prepare_data.main(arguments))
sys.exit(results != [2, 2, 0, 0])
"""


def test_imagenette_is_downloaded_checked_and_kept(tmp_path, served):
    checksum = hashlib.md5((tmp_path / "www" / "imagenette2-160.tgz").read_bytes()).hexdigest()
    absent = served.replace("imagenette2", "absent")
    outputs = [str(tmp_path / name) for name in ("gone", "wrong", "a", "b")]
    calls = [
        (absent, checksum, outputs[0]),
        (served, prepare_data.IMAGENETTE_MD5, outputs[1]),
        (served, checksum, outputs[2]),
        # The second time nothing is downloaded.
        (absent, checksum, outputs[3]),
    ]
    done = subprocess.run(
        [sys.executable, "-c", DOWNLOADS, json.dumps(calls)],
        cwd=ROOT,
        env={**os.environ, "KERAS_HOME": str(tmp_path / "keras")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2
    assert f"Imagenette is not available from {absent}" in errors[0]
    assert "404" in errors[0]
    assert "hash does not match" in errors[1]
    assert "Traceback" not in done.stderr
    assert [Path(output).exists() for output in outputs] == [False, False, True, True]
    manifest, _ = prepared(outputs[2])
    assert manifest["source"] == "imagenette"
    assert manifest["classes"] == ["n00", "n01", "n02"]
    assert manifest["test_pictures_from"] == "val"
    assert contents(outputs[2]) == contents(outputs[3])


def test_the_archive_is_the_published_one():
    assert prepare_data.IMAGENETTE_ADDRESS.startswith("https://s3.amazonaws.com/fast-ai-imageclas/")
    assert prepare_data.IMAGENETTE_MD5 == "e793b78cc4c9e9a4ccc0c1155377a412"
