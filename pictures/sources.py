"""The photographs there are for prepared data, and the draw of those that become it."""

import contextlib
import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from colorizer.errors import UserError, shown
from colorizer.files.source import sha256
from colorizer.jobs.find import find_photographs
from colorizer.progress import Progress
from pictures import dataset

import numpy as np


@dataclass(frozen=True)
class Source:
    """The photographs there are: class name -> files, relative to `root`.

    The classes in `held_out` have none in `test`: both splits draw on theirs in `train`.
    """

    root: Path
    train: dict
    test: dict
    held_out: set

    def holds(self, name, images, test_images) -> bool:
        """Tell whether class `name` has this many pictures for training and for testing."""
        if name in self.held_out:
            return len(self.train[name]) >= images + test_images
        return len(self.train[name]) >= images and len(self.test[name]) >= test_images

    def without(self, files) -> "Source":
        """Return this source less `files`."""

        def rest(classes):
            return {name: [f for f in found if f not in files] for name, found in classes.items()}

        return Source(self.root, rest(self.train), rest(self.test), self.held_out)


class PlannedShard(NamedTuple):
    """A shard to be written: its name, its split, and the file and label of every row.

    `label` is int32 (rows,). `files` is changed when a file turns out to be unreadable.
    """

    name: str
    split: str
    files: list
    label: np.ndarray


class Draw(NamedTuple):
    """What to prepare: the class names, the shards, and `spare[split][label]`.

    The last are iterators over the files of a class that are in no shard, in the order in which
    they stand in for others. Where testing is held out of training, the splits share them, so that
    they never overlap. `spare` is None where every picture is taken.
    """

    classes: list
    shards: list
    spare: dict | None


class DrawAgain(Exception):
    """Files that were drawn cannot be read, and no others can take their place."""


def find_source(folders) -> Source:
    """List the photographs of all `folders`, with classes of the same name made one class.

    A class is tested on what is in the val of any folder, or else held out of what is in train.
    Raises `UserError` where a folder has no photographs, or those of another folder.
    """
    for folder, other in itertools.permutations(folders, 2):
        if folder.resolve().is_relative_to(other.resolve()):
            raise UserError(f"{folder} is part of {other}; give --source only one of them")
    root = Path(os.path.commonpath([folder.absolute() for folder in folders]))
    train, test, held_out = {}, {}, set()
    for folder in folders:
        found, found_test = find_splits(root, folder)
        if found.keys().isdisjoint(found_test):
            # Such is the val of ImageNet's own archive, which has no class folders.
            held_out.update(found)
            found_test = {}
        for name in found:
            train.setdefault(name, []).extend(found[name])
            test.setdefault(name, []).extend(found_test.get(name, ()))
    return Source(root, train, test, {name for name in held_out if not test[name]})


def find_splits(root, folder):
    """Return the classes of one source folder for training and for testing, as `find_classes`.

    Raises `UserError` where there are none for training.
    """
    if not folder.is_dir():
        raise UserError(
            f"there is no folder {folder}; give --source the folder that holds ImageNet's train "
            "and val, or one with a folder of photographs for each class"
        )
    has_train = (folder / "train").is_dir()
    train = find_classes(root, folder / "train" if has_train else folder)
    if not train:
        raise UserError(
            f"{folder} holds no photographs in class folders; --source needs CLASS/PICTURE.JPEG, "
            "or train/CLASS/PICTURE.JPEG and val/CLASS/PICTURE.JPEG, below it"
        )
    return train, find_classes(root, folder / "val") if has_train else {}


def find_classes(root, folder) -> dict:
    """Return class name -> files (str, relative to `root`) of the class folders in `folder`."""

    def refuse(error):
        raise UserError(f"{error.filename} cannot be listed ({error.strerror})")

    if not folder.is_dir():
        return {}
    folders = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    classes = {}
    for path in Progress(folders, desc=f"listing {folder}", unit="class", leave=False, delay=1):
        found = find_photographs(path, onerror=refuse)
        if found:
            classes[path.name] = [file.absolute().relative_to(root).as_posix() for file in found]
            try:
                "".join(classes[path.name]).encode()
            except UnicodeEncodeError:
                raise UserError(
                    f"{shown(path)} has a file whose name is not UTF-8, which the manifest "
                    "cannot hold; rename it"
                ) from None
    return classes


def draw(source, classes, images, test_images, seed) -> Draw:
    """Draw `classes` classes and the order of their pictures.

    `images` of each class train and `test_images` test; where `images` is None, all classes and
    all their pictures are taken. Raises `UserError` when there are too few.
    """
    random = np.random.default_rng(seed)
    if images is None:
        names, counts = take_all(source, test_images)
    else:
        names = draw_classes(source, classes, images, test_images, random)
        counts = {"train": images, "test": test_images}

    def shuffled(found):
        return iter([found[i] for i in random.permutation(len(found))])

    train = [shuffled(source.train[name]) for name in names]
    test = [
        same if name in source.held_out else shuffled(source.test[name])
        for name, same in zip(names, train, strict=True)
    ]
    spare = {"train": train, "test": test}
    shards = []
    for split in dataset.SPLITS:
        # Classes are mixed over the rows, so that any part of the data resembles the whole.
        labels = np.repeat(np.arange(len(names), dtype=np.int32), counts[split])
        labels = random.permutation(labels)
        starts = range(0, len(labels), dataset.SHARD_PICTURES)
        for index, start in enumerate(starts):
            label = labels[start : start + dataset.SHARD_PICTURES]
            files = [next(spare[split][row_label]) for row_label in label]
            name = dataset.shard_name(split, index, len(starts))
            shards.append(PlannedShard(name, split, files, label))
    return Draw(names, shards, spare if images else None)


def find_twins(root, drawn) -> dict:
    """Return the test pictures that are the same file as a training picture of their class.

    A dict of file -> reason. Only files of equal size are read.
    """
    by_size = {}
    for shard in drawn.shards:
        for file, label in zip(shard.files, shard.label, strict=True):
            with contextlib.suppress(OSError):
                key = int(label), os.stat(root / file).st_size
                by_size.setdefault(key, {}).setdefault(shard.split, []).append(file)
    twins = {}
    for found in by_size.values():
        if len(found) == len(dataset.SPLITS):
            train = {sha256(root / file): file for file in found["train"]}
            for file in found["test"]:
                same = train.get(sha256(root / file))
                if same:
                    twins[file] = f"it is the same as {same}, which trains"
    return twins


def take_all(source, test_images):
    """Return the names of all classes, and {split: how many pictures of each}.

    Up to `test_images` of a class test, but at most half where they are held out of training; all
    others train. Raises `UserError` when no class has any to test.
    """
    names = [name for name, files in source.train.items() if files]
    counts = {"train": [], "test": []}
    for name in names:
        images = len(source.train[name])
        if name in source.held_out:
            tests = min(test_images, images // 2)
            images -= tests
        else:
            tests = min(test_images, len(source.test[name]))
        counts["train"].append(images)
        counts["test"].append(tests)
    if not any(counts["test"]):
        raise UserError(
            "--source has no class with a readable picture for training and one for testing; "
            "give it more photographs"
        )
    return names, counts


def draw_classes(source, classes, images, test_images, random) -> list:
    """Draw the names of `classes` classes that have enough pictures.

    Raises `UserError` when there are too few.
    """
    enough = [name for name in source.train if source.holds(name, images, test_images)]
    if len(enough) < classes:
        ways = f"--classes {len(enough)}, fewer" if enough else "fewer"
        raise UserError(
            f"--source has {len(enough)} classes with {images} training and {test_images} test "
            f"pictures, not {classes}; use {ways} --images-per-class, or --all for what there is"
        )
    chosen = random.choice(len(enough), classes, replace=False)
    return [enough[index] for index in sorted(chosen)]
