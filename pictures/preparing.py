"""Photographs become the shards of prepared data, on all cores."""

import contextlib
import functools
import multiprocessing
import os
import re
import shutil
import signal
import threading
from concurrent.futures import ProcessPoolExecutor

from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.jobs.workers import workers_of
from colorizer.pixels import grayscale, is_gray, resize
from colorizer.progress import Progress
from pictures import dataset
from pictures.sources import DrawAgain, find_twins

import cv2
import numpy as np


def check_output(output, overwrite) -> None:
    """Raise `UserError` unless prepared data may be written to the folder `output`."""
    if os.path.ismount(output):
        raise UserError(
            f"{output} is where a file system is mounted, so it cannot be replaced as a whole; "
            f"give a folder in it, as --output {output / 'data'}"
        )
    if not output.exists():
        return
    if not output.is_dir():
        raise UserError(f"{output} is a file; --output needs a folder")
    names = sorted(path.name for path in output.iterdir())
    of_others = [
        name
        for name in names
        if name != dataset.MANIFEST and not re.fullmatch(r"(train|test)-\d{5}-of-\d{5}\.npz", name)
    ]
    if of_others:
        raise UserError(
            f"{output} holds {of_others[0]}, which is no prepared data; give another --output"
        )
    if names and not overwrite:
        raise UserError(
            f"{output} already holds prepared data; add --overwrite to replace it, "
            "or give another --output"
        )


def check_room(output, shards, size) -> None:
    """Raise `UserError` when the disk has no room for the pairs of `shards`."""
    existing = next(parent for parent in output.parents if parent.exists())
    pictures = sum(len(shard.files) for shard in shards)
    needed, free = pictures * size * size * 4, shutil.disk_usage(existing).free
    if needed > free:
        raise UserError(
            f"{output} needs {megabytes(needed)} and the disk has {megabytes(free)} left; "
            "give another --output, a smaller --size or fewer --images-per-class"
        )


def megabytes(count) -> str:
    """Write a number of bytes so that it is not 0.0."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.3f} MB"


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
    return sum(bool(is_gray(picture)) for picture in rgb)


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


@contextlib.contextmanager
def pool_of(cluster):
    """Give the workers of a Dask cluster, by its scheduler's address, or of None a pool here."""
    if not cluster:
        with worker_pool(cores()) as pool:
            yield pool
        return
    with workers_of(cluster) as (pool, _):
        yield pool


def cores() -> int:
    """Return the number of cores this process may use, and no more than a pool can have."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(usable, 61)  # Windows cannot wait for more.


def write_shards(folder, source, drawn, size, unreadable, cluster=None) -> dict:
    """Write every shard of a draw into `folder`, and return the manifest's `splits`.

    The workers are those of `pool_of`. What cannot be read is added to `unreadable` (file ->
    reason). Raises `DrawAgain`.
    """
    convert_files = functools.partial(convert, source.root, size)
    task = functools.partial(write_shard, folder, convert_files)
    splits = {
        split: {"pictures": 0, "black_and_white": 0, "shards": []} for split in dataset.SPLITS
    }
    total = sum(len(shard.files) for shard in drawn.shards)
    with (
        pool_of(cluster) as pool,
        Progress(total=total, desc="preparing", unit="picture") as bar,
    ):
        written = pool.map(task, drawn.shards)
        for shard, (black_and_white, failed) in zip(drawn.shards, written, strict=True):
            if failed and drawn.spare:
                spare = drawn.spare[shard.split]
                black_and_white += mend_shard(
                    folder, convert_files, shard, failed, spare, unreadable
                )
            else:
                unreadable.update((shard.files[place], failed[place]) for place in failed)
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
    return splits
