"""An evaluation's pictures: where they come from, and the folder that they are written to."""

import itertools
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from colorizer.errors import UserError, shown
from colorizer.files import formats, photos
from colorizer.jobs.find import find_photographs
from colorizer.pixels import grayscale, resize, to_uint8, to_unit
from colorizer.progress import Progress
from pictures import dataset
from pictures.measure import FOLDERS

import numpy as np
from tqdm import tqdm

CONTENTS = {*FOLDERS, "metrics.json", "per_image.csv", "accuracy_curve.png", "comparison.png"}


@dataclass
class TestSet:
    """Pictures to measure on: how many, their side in pixels, and where they come from.

    `pictures` yields (source, label, gray, rgb): text, the name of the class, uint8
    (size, size, 1) and (size, size, 3). What cannot be read on the way is added to `left_out`.
    """

    __test__ = False  # pytest takes it for tests

    count: int
    size: int
    pictures: Iterator
    left_out: list = field(default_factory=list)


def open_test_set(data, size) -> TestSet:
    """Find the pictures to measure on.

    `data` is a folder of prepared shards, or any folder of photographs, which are resized to
    `size` x `size` pixels, 120x120 where that is None. Raises UserError when there is nothing to
    measure on, or prepared data is of another size.
    """
    if (data / dataset.MANIFEST).is_file():
        split = dataset.open_split(data, "test")
        if split.pictures == 0:
            raise UserError(f"{data} holds no test pictures; prepare it with some of them")
        if size not in (None, split.size):
            raise UserError(
                f"{data} holds pictures of {split.size}x{split.size} pixels, not {size}x{size}; "
                "give --data a folder of photographs, or leave out --size"
            )
        classes = dataset.read_manifest(data)["classes"]
        return TestSet(split.pictures, split.size, shard_pictures(split, classes))
    if not data.is_dir():
        raise UserError(
            f"there is no data folder {data}; prepare one with: "
            f"python prepare_data.py --source IMAGENET_FOLDER --output {shlex.quote(str(data))}"
        )
    paths = find_photographs(data)
    if not paths:
        raise UserError(
            f"{data} holds neither prepared data ({dataset.MANIFEST}) nor photographs "
            f"({', '.join(formats.SUFFIXES)}); give another --data"
        )
    found = TestSet(len(paths), size or dataset.SIZE, iter(()))
    found.pictures = photographs(data, paths, found.size, found.left_out)
    return found


def shard_pictures(split, classes):
    """Yield (source, label, gray, rgb) of every pair of a split; the source is its row."""
    rows = itertools.count()
    for shard in split.shards():
        for gray, rgb, label in zip(*shard, strict=True):
            yield f"{split.name} row {next(rows)}", classes[label], gray, rgb


def photographs(folder, paths, size, left_out):
    """Yield (source, label, gray, rgb) of photographs, resized to `size` x `size` pixels."""
    for path in paths:
        source = shown(path.relative_to(folder))
        try:
            photograph = photos.read_rgb(path, at_least=size)
        except photos.PhotographError as error:
            tqdm.write(f"left out: {source}: {error}", file=sys.stderr)
            left_out.append({"file": source, "reason": str(error)})
            continue
        rgb = resize(photograph, size, size)
        yield source, label_of(path), grayscale(rgb), rgb


def label_of(path) -> str:
    """Return the class of a photograph: the synset its name begins with, or its folder's name."""
    synset = re.match(r"n\d{8}(?=_)", path.name)
    return synset.group() if synset else shown(path.parent.name)


def check_output(output) -> None:
    """Make the folder around `output`; `output` itself is free, empty or an earlier evaluation.

    Raises UserError when it is anything else, which is never touched, or cannot be made.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make the folder {output.parent} ({error.strerror}); give another --output"
        ) from error
    if not output.exists():
        return
    names = {path.name for path in output.iterdir()} if output.is_dir() else {output.name}
    if names and not (names <= CONTENTS and "metrics.json" in names):
        raise UserError(
            f"{output} holds something other than an evaluation; remove it, "
            "or give another --output"
        )


def write_pictures(network, test_set, batch_size, folder):
    """Colorize every picture of a test set and write the three folders.

    Returns {file name: source} and {file name: label}.
    """
    sources, labels = {}, {}
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    with Progress(total=test_set.count, desc="colorizing", unit=" pictures") as progress:
        while batch := list(itertools.islice(test_set.pictures, batch_size)):
            colours = network(to_unit(np.stack([gray for _, _, gray, _ in batch])))
            for (source, label, gray, rgb), generated in zip(batch, colours, strict=True):
                name = f"{len(sources):05d}.png"
                photos.write_png(folder / "grayscale" / name, gray)
                photos.write_png(folder / "generated" / name, to_uint8(generated))
                photos.write_png(folder / "ground_truth" / name, rgb)
                sources[name], labels[name] = source, label
            progress.update(len(batch))
    return sources, labels


def in_batches(folder, names, batch_size, description):
    """Yield the pictures `names` of a folder, uint8 RGB (B, H, W, 3), with a progress bar."""
    for start in Progress(range(0, len(names), batch_size), desc=description, unit=" batch"):
        batch = names[start : start + batch_size]
        yield np.stack([photos.read_rgb(folder / name) for name in batch])
