"""Turn photographs into the shards of gray/RGB pairs that train.py and evaluate.py read.

    python prepare_data.py --source IMAGENET_FOLDER

Reads `train/<class>/*.JPEG` and `val/<class>/*.JPEG` below the folder, or one tree of class
folders, whose test pictures then come from the same classes and never overlap the training ones.
Several folders count as one, and classes of the same name in them as one class, tested on what
there is of it in any val. With --all every picture is taken, however many a class has.
Writes `data/train-00000-of-00010.npz` ..., `data/test-00000-of-00001.npz` and
`data/manifest.json`; pictures/dataset.py says what is in them. The flags' defaults are the paper's
data: 10,000 training pictures of 100 classes and 1,000 for testing, 11 shards, 634 MB. The same
source and seed give the same bytes, whatever the number of cores; each core holds one shard in
memory.
"""

import argparse
import contextlib
import functools
import itertools
import multiprocessing
import os
import re
import shutil
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    # What follows takes seconds to import. Ctrl-C ends it at once; later `errors.run` answers it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from colorizer import errors, tone
from colorizer.errors import shown
from colorizer.files import atomic, photos
from colorizer.files.source import sha256
from colorizer.jobs.find import find_photographs
from colorizer.pixels import grayscale, resize
from colorizer.progress import Progress
from pictures import dataset, record

import cv2
import numpy as np

# Paper: "100 random classes" and 100 images of each, from ImageNet.
CLASSES = 100
IMAGES_PER_CLASS = 100
# Paper: silent. Here: 10, because with 100 classes they make 1,000, enough for all metrics but one
# (a Frechet distance wants 2,048 or more), and ImageNet's val/ holds 50 a class.
TEST_IMAGES_PER_CLASS = 10
# Paper: "resized to 120x120". Here too: a plain resize to the square, nothing is cropped.
SIZE = 120

# fast.ai's 160 px archive of 10 ImageNet classes, 13,394 photographs, about 100 MB; the checksum
# is the one that torchvision publishes for it.
IMAGENETTE_ADDRESS = "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz"
IMAGENETTE_MD5 = "e793b78cc4c9e9a4ccc0c1155377a412"
IMAGENETTE_FLAGS = "--classes 10 --images-per-class 850 --test-images-per-class 100"


# ----------------------------------------------------------------------- finding and drawing


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


class Shard(NamedTuple):
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
    they never overlap.
    """

    classes: list
    shards: list
    spare: dict


class DrawAgain(Exception):
    """Files that were drawn cannot be read, and no others can take their place."""


def find_source(folders) -> Source:
    """List the photographs of all `folders`, with classes of the same name made one class.

    A class is tested on what is in the val of any folder, or else held out of what is in train.
    Raises `errors.UserError` where a folder has no photographs, or those of another folder.
    """
    for folder, other in itertools.permutations(folders, 2):
        if folder.resolve().is_relative_to(other.resolve()):
            raise errors.UserError(f"{folder} is part of {other}; give --source only one of them")
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

    Raises `errors.UserError` where there are none for training.
    """
    if not folder.is_dir():
        raise errors.UserError(
            f"there is no folder {folder}; give --source the folder that holds ImageNet's train "
            "and val, or one with a folder of photographs for each class"
        )
    has_train = (folder / "train").is_dir()
    train = find_classes(root, folder / "train" if has_train else folder)
    if not train:
        raise errors.UserError(
            f"{folder} holds no photographs in class folders; --source needs CLASS/PICTURE.JPEG, "
            "or train/CLASS/PICTURE.JPEG and val/CLASS/PICTURE.JPEG, below it"
        )
    return train, find_classes(root, folder / "val") if has_train else {}


def find_classes(root, folder) -> dict:
    """Return class name -> files (str, relative to `root`) of the class folders in `folder`."""

    def refuse(error):
        raise errors.UserError(f"{error.filename} cannot be listed ({error.strerror})")

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
                raise errors.UserError(
                    f"{shown(path)} has a file whose name is not UTF-8, which the manifest "
                    "cannot hold; rename it"
                ) from None
    return classes


def draw(source, arguments) -> Draw:
    """Draw classes and the order of their pictures by seed, as the command line says.

    Raises `errors.UserError` when there are too few.
    """
    random = np.random.default_rng(arguments.seed)
    if arguments.all:
        names, counts = take_all(source, arguments.test_images_per_class)
    else:
        images, test_images = arguments.images_per_class, arguments.test_images_per_class
        names = draw_classes(source, arguments.classes, images, test_images, random)
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
            shards.append(Shard(dataset.shard_name(split, index, len(starts)), split, files, label))
    return Draw(names, shards, spare)


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
    others train. Raises `errors.UserError` when no class has any to test.
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
        raise errors.UserError(
            "--source has no class with a readable picture for training and one for testing; "
            "give it more photographs"
        )
    return names, counts


def draw_classes(source, classes, images, test_images, random) -> list:
    """Draw the names of `classes` classes that have enough pictures.

    Raises `errors.UserError` when there are too few.
    """
    enough = [name for name in source.train if source.holds(name, images, test_images)]
    if len(enough) < classes:
        ways = f"--classes {len(enough)}, fewer" if enough else "fewer"
        raise errors.UserError(
            f"--source has {len(enough)} classes with {images} training and {test_images} test "
            f"pictures, not {classes}; use {ways} --images-per-class, or --all for what there is"
        )
    chosen = random.choice(len(enough), classes, replace=False)
    return [enough[index] for index in sorted(chosen)]


# ------------------------------------------------------------------------------- converting


def convert(root, size, files):
    """Read the photographs `files` below `root` and resize them to `size` x `size` pixels.

    Returns uint8 RGB (N, size, size, 3) and {place: reason} of those that could not be read.
    Source: the paper's Dataset section, "resized to 120x120".
    """
    rgb = np.zeros((len(files), size, size, 3), np.uint8)
    unreadable = {}
    for place, file in enumerate(files):
        try:
            photograph = photos.read_rgb(root / file, at_least=size)
        except photos.PhotographError as error:
            unreadable[place] = str(error)
        else:
            rgb[place] = resize(photograph, size, size)
    return rgb, unreadable


def write_shard(folder, convert, shard):
    """Convert the photographs of a shard and write it into `folder`: the task of a worker process.

    `convert` is the function above with all but the files given. Returns the number of
    black-and-white pictures, and {place: reason} of those that could not be read.
    """
    rgb, unreadable = convert(shard.files)
    dataset.write_shard(folder / shard.name, grayscale(rgb), rgb, shard.label)
    # The rows that could not be read are black, which is gray too.
    black_and_white = count_black_and_white(rgb) - len(unreadable)
    return black_and_white, unreadable


def mend_shard(folder, convert, shard, failed, spare, unreadable) -> int:
    """Put the next spare pictures of their classes into the rows that could not be read.

    `failed` is {place: reason}; each such file goes into `unreadable` (file -> reason). Returns
    the number of black-and-white pictures among the new ones. Raises `DrawAgain`. The calling
    process does this for one shard after another, so the number of cores changes nothing.
    """
    with np.load(folder / shard.name, allow_pickle=False) as arrays:
        rgb = arrays["rgb"]
    for place, reason in failed.items():
        while reason:
            unreadable[shard.files[place]] = reason
            shard.files[place] = next(spare[shard.label[place]], None)
            if shard.files[place] is None:
                raise DrawAgain("a class has too few pictures that can be read: drawing without it")
            rgb[place : place + 1], failed_again = convert([shard.files[place]])
            reason = failed_again.get(0)
    dataset.write_shard(folder / shard.name, grayscale(rgb), rgb, shard.label)
    return count_black_and_white(rgb[list(failed)])


def count_black_and_white(rgb) -> int:
    """Return how many of the pictures uint8 (N, size, size, 3) hold no colour."""
    return sum(bool(tone.is_gray(picture)) for picture in rgb)


def start_worker() -> None:
    """Prepare a worker process: one thread, left alone by Ctrl-C, ended with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Windows does not inherit it
    cv2.setNumThreads(1)
    parent = multiprocessing.parent_process()

    def end_with_parent():
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


@contextlib.contextmanager
def worker_pool(processes):
    """Give a pool of worker processes; what is still waiting when the block fails is dropped."""
    # Spawned, not forked: a fork of a process with threads (OpenCV's, TensorFlow's) can hang.
    pool = ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), initializer=start_worker
    )
    try:
        # Ctrl-C is for the main process. Workers inherit that it is ignored, from their first
        # moment on, so all of them start here: a task for each, before any can have finished one.
        on_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            for _ in range(processes):
                pool.submit(int)
        finally:
            signal.signal(signal.SIGINT, on_interrupt)
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


# ---------------------------------------------------------------------------------- writing


def check_output(output, overwrite) -> None:
    """Raise `errors.UserError` unless prepared data may be written to the folder `output`."""
    if os.path.ismount(output):
        raise errors.UserError(
            f"{output} is where a file system is mounted, so it cannot be replaced as a whole; "
            f"give a folder in it, as --output {output / 'data'}"
        )
    if not output.exists():
        return
    if not output.is_dir():
        raise errors.UserError(f"{output} is a file; --output needs a folder")
    names = sorted(path.name for path in output.iterdir())
    of_others = [
        name
        for name in names
        if name != dataset.MANIFEST and not re.fullmatch(r"(train|test)-\d{5}-of-\d{5}\.npz", name)
    ]
    if of_others:
        raise errors.UserError(
            f"{output} holds {of_others[0]}, which is no prepared data; give another --output"
        )
    if names and not overwrite:
        raise errors.UserError(
            f"{output} already holds prepared data; add --overwrite to replace it, "
            "or give another --output"
        )


def check_room(output, shards, size) -> None:
    """Raise `errors.UserError` when the disk has no room for the pairs of `shards`."""
    existing = next(parent for parent in output.parents if parent.exists())
    pictures = sum(len(shard.files) for shard in shards)
    needed, free = pictures * size * size * 4, shutil.disk_usage(existing).free
    if needed > free:
        raise errors.UserError(
            f"{output} needs {megabytes(needed)} and the disk has {megabytes(free)} left; "
            "give another --output, a smaller --size or fewer --images-per-class"
        )


def megabytes(count) -> str:
    """Write a number of bytes so that it is not 0.0."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.3f} MB"


# ---------------------------------------------------------------------------------- running


def download_imagenette() -> Path:
    """Return the folder of Imagenette, downloaded to Keras' cache when it is not there yet.

    Raises `errors.UserError` when it is not available, or is not what its checksum says.
    """
    # Imported here: worker processes import this file, and need no TensorFlow.
    from training import keras

    try:
        folder = keras.utils.get_file(
            "imagenette2-160", IMAGENETTE_ADDRESS, file_hash=IMAGENETTE_MD5, extract=True
        )
    except Exception as error:
        # Keras raises a plain Exception for a failed download.
        raise errors.UserError(
            f"Imagenette is not available from {IMAGENETTE_ADDRESS} ({error}); try again, or give "
            "--source a folder of photographs"
        ) from error
    return Path(folder, "imagenette2-160")


def write_data(folder, source, drawn, unreadable, arguments) -> dict:
    """Write every shard and the manifest into `folder`, and return the manifest.

    What cannot be read is added to `unreadable` (file -> reason). Raises `DrawAgain`.
    """
    convert_files = functools.partial(convert, source.root, arguments.size)
    task = functools.partial(write_shard, folder, convert_files)
    splits = {
        split: {"pictures": 0, "black_and_white": 0, "shards": []} for split in dataset.SPLITS
    }
    total = sum(len(shard.files) for shard in drawn.shards)
    with (
        worker_pool(cores()) as pool,
        Progress(total=total, desc="preparing", unit="picture") as bar,
    ):
        written = pool.map(task, drawn.shards)
        for shard, (black_and_white, failed) in zip(drawn.shards, written, strict=True):
            if failed and arguments.all:
                unreadable.update((shard.files[place], failed[place]) for place in failed)
            elif failed:
                spare = drawn.spare[shard.split]
                black_and_white += mend_shard(
                    folder, convert_files, shard, failed, spare, unreadable
                )
            split = splits[shard.split]
            split["pictures"] += len(shard.files)
            split["black_and_white"] += black_and_white
            entry = {"file": shard.name, "pictures": len(shard.files), "rows": shard.files}
            split["shards"].append(entry)
            bar.update(len(shard.files))
    if any(file in unreadable for shard in drawn.shards for file in shard.files):
        raise DrawAgain("some pictures cannot be read: drawing without them")
    # What took the place of unreadable files was not looked at before.
    if twins := find_twins(source.root, drawn):
        unreadable.update(twins)
        raise DrawAgain("some test pictures also train: drawing without them")
    test_folders = {"train" if name in source.held_out else "val" for name in drawn.classes}
    manifest = {
        "source": arguments.source if len(arguments.source) > 1 else arguments.source[0],
        "seed": arguments.seed,
        "size": arguments.size,
        "images_per_class": arguments.images_per_class,
        "test_images_per_class": arguments.test_images_per_class,
        "test_pictures_from": " and ".join(sorted(test_folders)),
        "classes": drawn.classes,
        "skipped": [{"file": file, "reason": unreadable[file]} for file in sorted(unreadable)],
        "splits": splits,
        "versions": record.versions(),
    }
    dataset.write_manifest(folder, manifest)
    return manifest


def prepare(arguments) -> None:
    """Prepare the data as the command line says.

    Raises `errors.UserError`, with nothing written, when the arguments or the source do not do.
    """
    given = [arguments.classes, arguments.images_per_class]
    if arguments.all and given != [None, None]:
        raise errors.UserError(
            "--all takes every picture of every class; leave out --classes and --images-per-class"
        )
    numbers = [number for number in given if number is not None]
    if min(*numbers, arguments.test_images_per_class, arguments.size) < 1 or arguments.seed < 0:
        raise errors.UserError("--seed must be 0 or more, every other number 1 or more")
    if not arguments.all:
        arguments.classes = arguments.classes or CLASSES
        arguments.images_per_class = arguments.images_per_class or IMAGES_PER_CLASS
    for path in (*arguments.source, arguments.output):
        try:
            path.encode()
        except UnicodeEncodeError:
            raise errors.UserError(
                f"{shown(path)} is a name that is not UTF-8, which the manifest cannot hold; "
                "rename it"
            ) from None
    output = Path(arguments.output).resolve()
    check_output(output, arguments.overwrite)
    folders = [
        download_imagenette() if name == "imagenette" else Path(name) for name in arguments.source
    ]
    source = find_source(folders)

    unreadable, manifest = {}, None
    while not manifest:
        drawn = draw(source.without(unreadable), arguments)
        if twins := find_twins(source.root, drawn):
            unreadable.update(twins)
            continue
        check_room(output, drawn.shards, arguments.size)
        try:
            with atomic.replacing_folder(output) as folder:
                manifest = write_data(folder, source, drawn, unreadable, arguments)
        except DrawAgain as reason:
            print(reason)
        except OSError as error:
            raise errors.UserError(
                f"{shown(output)} cannot be written ({error.strerror or error}); make room, "
                "or give another --output"
            ) from error
        except BrokenProcessPool as error:
            raise errors.UserError(
                f"a process that reads photographs was ended from outside, perhaps because memory "
                f"ran out; {shown(output)} is as it was: give the same command again"
            ) from error
    report(manifest, arguments.output)


def cores() -> int:
    """Return the number of cores this process may use, and no more than a pool can have."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(usable, 61)  # Windows cannot wait for more.


def report(manifest, output) -> None:
    """Print what was prepared, and where it is."""
    train, test = manifest["splits"]["train"], manifest["splits"]["test"]
    black_and_white = train["black_and_white"] + test["black_and_white"]
    print(
        f"{train['pictures']:,} training and {test['pictures']:,} test pictures of "
        f"{len(manifest['classes'])} classes, {manifest['size']}x{manifest['size']} pixels; "
        f"{black_and_white:,} of them are black-and-white"
    )
    if manifest["skipped"]:
        print(
            f"{len(manifest['skipped'])} files could not be used: "
            f"see skipped in {Path(output, dataset.MANIFEST)}"
        )
    # What the paper's networks halve three times.
    following = f"; next: python train.py --data {output}" if manifest["size"] % 8 == 0 else ""
    print(f"the data is in {output}{following}")


def main(argv=None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        description="Turn photographs into the gray/RGB pairs that the networks learn from.",
        epilog="Without ImageNet: python prepare_data.py --source imagenette " + IMAGENETTE_FLAGS,
    )
    parser.add_argument(
        "--source",
        required=True,
        nargs="+",
        metavar="DIR",
        help="folder with ImageNet's train and val, or with a folder for each class; "
        "imagenette downloads 10 classes of it (100 MB); several folders are pooled, and classes "
        "of the same name become one",
    )
    parser.add_argument("--classes", type=int, help=f"classes to draw (default: {CLASSES})")
    parser.add_argument(
        "--images-per-class",
        type=int,
        help=f"training pictures of each class (default: {IMAGES_PER_CLASS})",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="instead of these two: every class, and all its pictures that do not test",
    )
    parser.add_argument(
        "--test-images-per-class",
        type=int,
        default=TEST_IMAGES_PER_CLASS,
        help="test pictures of each class, from val where that has the class, else held out of its "
        "training pictures; with --all fewer where it has fewer (default: %(default)s)",
    )
    parser.add_argument(
        "--size", type=int, default=SIZE, help="pixels a side (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of every random draw (default: %(default)s)"
    )
    parser.add_argument("--output", default="data", help="folder to write (default: %(default)s)")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the prepared data in that folder"
    )
    arguments = parser.parse_args(argv)
    return errors.run(prepare, arguments, f"stopped; {shown(arguments.output)} is as it was")


if __name__ == "__main__":
    # Ended from outside, clean up as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
