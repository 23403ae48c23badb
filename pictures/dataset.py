"""The prepared data: .npz shards of grayscale/colour pairs, written whole, checked, streamed.

A data folder holds `manifest.json` and, for each of the splits `train` and `test`, shards named
`train-00000-of-00010.npz` with at most 1,000 pairs each. A shard's members are stored without
compression, so that one picture can be read without reading the shard:

    gray   uint8 (N, size, size, 1)   luminance, 0..255
    rgb    uint8 (N, size, size, 3)   ground truth, sRGB, 0..255
    label  int32 (N,)                 place of the picture's class in the manifest's `classes`
"""

import hashlib
import json
import shlex
import zipfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from colorizer import errors
from colorizer.files import atomic
from colorizer.progress import Progress

import numpy as np

# Paper: "resized to 120x120". Here too: a plain resize to the square, nothing is cropped.
SIZE = 120
SPLITS = ("train", "test")
SHARD_PICTURES = 1000
MANIFEST = "manifest.json"
CHECKED_AT_ONCE = 4  # shards that are read at the same time when they are checked


class Shard(NamedTuple):
    """The pairs of one shard: `gray`, `rgb` and `label` as in the module's docstring."""

    gray: np.ndarray
    rgb: np.ndarray
    label: np.ndarray


@dataclass(frozen=True)
class ShardFile:
    """A checked shard on disk, the bytes at which its pictures start, and its CRC-32s."""

    path: Path
    pictures: int
    gray_offset: int
    rgb_offset: int
    checksums: tuple


# ---------------------------------------------------------------------------------- writing


def shard_name(split, index, count) -> str:
    """Return the file name of shard `index` (from 0) of `count`, as `train-00000-of-00010.npz`."""
    return f"{split}-{index:05d}-of-{count:05d}.npz"


def write_shard(path, gray, rgb, label) -> None:
    """Write one shard, whole or not at all; the same arrays always give the same bytes.

    `gray`, `rgb` and `label` are as in the module's docstring. NumPy dates every member of an
    .npz 1980-01-01, so nothing of the clock gets in.
    """
    with atomic.replacing(path) as temporary:
        np.savez(temporary, gray=gray, rgb=rgb, label=label)


def write_manifest(folder, manifest) -> None:
    """Write `manifest` (a dict that JSON can hold) into `folder`, whole or not at all.

    `open_split` and `preparing_command` need of it: `source` (str, or a list of several),
    `classes` (list of names), `images_per_class` (None: all there are), `test_images_per_class`,
    `size` (pixels a side), `seed`, and `splits`: for each of "train" and "test" the total
    `pictures` and the list `shards`, each with `file` and `pictures`. Everything else is for the
    reader.
    """
    atomic.write_json(Path(folder) / MANIFEST, manifest)


# ---------------------------------------------------------------------------------- opening


def read_manifest(folder) -> dict:
    """Return the manifest of the data folder.

    Raises `errors.UserError` when there is none, or when it is not what `write_manifest` wrote.
    """
    path = Path(folder) / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        preparing_command(folder, manifest)
        for split in SPLITS:
            entry = manifest["splits"][split]
            if entry["pictures"] != sum(shard["pictures"] for shard in entry["shards"]):
                raise ValueError(f"its {split} shards do not add up to its number of pictures")
            if not all(isinstance(shard["file"], str) for shard in entry["shards"]):
                raise ValueError(f"a {split} shard has no file name")
    except (FileNotFoundError, NotADirectoryError):
        raise errors.UserError(
            f"{folder} holds no prepared data (no {MANIFEST}); prepare it with: "
            f"python prepare_data.py --source IMAGENET_FOLDER --output {shlex.quote(str(folder))}"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.UserError(
            f"{path} is not the manifest of prepared data ({error!r}); prepare the data again: "
            f"python prepare_data.py --source IMAGENET_FOLDER --output {shlex.quote(str(folder))} "
            "--overwrite"
        ) from error
    return manifest


def preparing_command(folder, manifest) -> str:
    """Return the command that prepares the data of `folder` again, for messages."""
    source, images = manifest["source"], manifest["images_per_class"]
    sources = [source] if isinstance(source, str) else source
    drawn = f"--classes {len(manifest['classes'])} --images-per-class {images}"
    return (
        f"python prepare_data.py --source {shlex.join(sources)}"
        f" {'--all' if images is None else drawn}"
        f" --test-images-per-class {manifest['test_images_per_class']}"
        f" --size {manifest['size']} --seed {manifest['seed']}"
        f" --output {shlex.quote(str(folder))} --overwrite"
    )


def open_split(folder, split) -> "Split":
    """Check every shard of the split "train" or "test" of a data folder and return it.

    The check reads every byte once, so that nothing flipped is learned or measured: names, dtypes,
    shapes, sizes and labels against the manifest, and checksums. It happens here, and not when a
    shard is first used, because an epoch is shuffled: its first batches use every shard. A second
    for each GB that is in memory, under a bar. Raises `errors.UserError`, with the command that
    mends it, when there is no prepared data, or a shard is missing, truncated, changed, of another
    size, or holds pickled objects.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, not {split!r}")
    folder = Path(folder)
    manifest = read_manifest(folder)
    classes = len(manifest["classes"])
    files = []
    entries = manifest["splits"][split]["shards"]
    bar = Progress(entries, desc=f"checking {split}", unit="shard", leave=False, delay=2)
    with bar, ThreadPoolExecutor(CHECKED_AT_ONCE) as checkers:
        waiting = [
            checkers.submit(
                check_shard, folder / entry["file"], entry["pictures"], manifest["size"], classes
            )
            for entry in entries
        ]
        try:
            for entry, checked in zip(bar, waiting, strict=True):
                path = folder / entry["file"]
                files.append(checked.result())
        except FileNotFoundError:
            raise errors.UserError(
                f"{path} is missing; prepare the data again: {preparing_command(folder, manifest)}"
            ) from None
        except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
            reason = " ".join(str(error).split())
            raise errors.UserError(
                f"{path} cannot be used ({reason}); prepare the data again: "
                f"{preparing_command(folder, manifest)}"
            ) from error
        finally:
            checkers.shutdown(cancel_futures=True)
    return Split(folder, split, manifest["size"], files)


def fingerprint(*splits) -> str:
    """Return what tells the pictures and labels of these splits from all others, wherever they are.

    It is a hash of their shards' checksums and sizes.
    """
    shards = [[file.path.name, file.pictures, *file.checksums] for s in splits for file in s.files]
    return hashlib.sha256(json.dumps(shards).encode()).hexdigest()


def check_shard(path, pictures, size, classes) -> ShardFile:
    """Return where the pictures of a shard are, if it holds `pictures` pairs of `size` pixels.

    Their labels are of so many classes. Raises OSError, EOFError, ValueError or zipfile.BadZipFile
    with what is wrong. A truncated file has lost the directory at its end, so it is found without
    reading the pictures.
    """
    expected = {
        "gray.npy": (np.dtype(np.uint8), (pictures, size, size, 1)),
        "rgb.npy": (np.dtype(np.uint8), (pictures, size, size, 3)),
        "label.npy": (np.dtype(np.int32), (pictures,)),
    }
    with zipfile.ZipFile(path) as archive:
        if sorted(archive.namelist()) != sorted(expected):
            raise ValueError(f"it holds {archive.namelist()}, not {list(expected)}")
        offsets = {
            name: check_member(path, archive, name, dtype, shape)
            for name, (dtype, shape) in expected.items()
        }
        # Raises BadZipFile where the bytes do not have the checksum that was written with them.
        for name in ("gray.npy", "rgb.npy"):
            with archive.open(name) as member:
                while member.read(1 << 20):
                    pass
        label = np.frombuffer(archive.read("label.npy"), np.uint8)[-4 * pictures :].view(np.int32)
        checksums = tuple(archive.getinfo(name).CRC for name in sorted(expected))
    if pictures and not 0 <= label.min() <= label.max() < classes:
        raise ValueError(f"it has labels from {label.min()} to {label.max()}, of {classes} classes")
    return ShardFile(Path(path), pictures, offsets["gray.npy"], offsets["rgb.npy"], checksums)


def check_member(path, archive, name, dtype, shape) -> int:
    """Return the byte of the file at which the array of a member starts, or raise ValueError."""
    information = archive.getinfo(name)
    if information.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"its {name} is compressed")
    with archive.open(name) as member:
        # Reads the array's header alone: nothing in the file is ever unpickled.
        if np.lib.format.read_magic(member) != (1, 0):
            raise ValueError(f"its {name} is of a version that np.savez does not write here")
        found_shape, fortran_order, found_dtype = np.lib.format.read_array_header_1_0(member)
        header = member.tell()
    if (found_shape, found_dtype, fortran_order) != (shape, dtype, False):
        raise ValueError(
            f"its {name} is {found_dtype} {found_shape}, the manifest says {dtype} {shape}"
        )
    if information.file_size != header + dtype.itemsize * int(np.prod(shape)):
        raise ValueError(f"its {name} has {information.file_size} bytes, not what its shape needs")
    # The zip format's local header: 30 bytes, of which 26 to 30 are the lengths of the two
    # fields (name, extra) that stand between it and the member's bytes.
    name_length, extra_length = np.fromfile(path, "<u2", 2, offset=information.header_offset + 26)
    return information.header_offset + 30 + int(name_length) + int(extra_length) + header


# -------------------------------------------------------------------------------- streaming


def epoch_order(pictures, seed, epoch) -> np.ndarray:
    """Return the rows 0..pictures-1, int64, in an order that only (seed, epoch) decide."""
    return np.random.default_rng([seed, epoch]).permutation(pictures)


class Split:
    """One checked split of a data folder.

    `folder`, `name` ("train" or "test"), `size` (pixels a side), `pictures` (how many), and
    `rows`, int64 (pictures,), their places counted over all shards.
    """

    def __init__(self, folder, name, size, files, rows=None):
        self.folder = folder
        self.name = name
        self.size = size
        self.files = files
        self.first_rows = np.cumsum([0] + [file.pictures for file in files])
        self.rows = np.arange(self.first_rows[-1]) if rows is None else rows
        self.pictures = len(self.rows)

    def only(self, rows) -> "Split":
        """Return the part of this split that has these `rows`."""
        return Split(self.folder, self.name, self.size, self.files, rows)

    def shards(self):
        """Yield every whole `Shard` in order, one in memory at a time."""
        for file in self.files:
            with np.load(file.path, allow_pickle=False) as arrays:
                yield Shard(arrays["gray"], arrays["rgb"], arrays["label"])

    def read(self, rows):
        """Return the pairs at `rows` (int64 (N,), counted over all shards, in any order).

        Two arrays: gray uint8 (N, size, size, 1) and rgb uint8 (N, size, size, 3). Reads these
        pictures alone, by position in the files, so memory does not depend on how many there are
        (a memory map would count every picture touched as this process's own).
        """
        gray = np.empty((len(rows), self.size, self.size, 1), np.uint8)
        rgb = np.empty((len(rows), self.size, self.size, 3), np.uint8)
        for place, row in enumerate(rows):
            number = np.searchsorted(self.first_rows, row, side="right") - 1
            file = self.files[number]
            within = int(row - self.first_rows[number])
            for pictures, start in ((gray, file.gray_offset), (rgb, file.rgb_offset)):
                picture = pictures[place]
                start += within * picture.size
                pixels = np.fromfile(file.path, np.uint8, picture.size, offset=start)
                picture[:] = pixels.reshape(picture.shape)
        return gray, rgb

    def batches(self, batch_size, seed, epoch, first_step=0):
        """Iterate over one epoch of training batches, shuffled over all shards.

        Yields (gray, rgb) as from `read`, with exactly `batch_size` pairs: what is left over at
        the end is dropped. The order depends on (seed, epoch) alone, so an epoch can be repeated
        bit for bit, also from its `first_step` on. Raises `errors.UserError` when one batch
        cannot be filled.
        """
        if not self.pictures:
            raise errors.UserError(
                f"{self.folder} has no {self.name} pictures that could be used; give another --data"
            )
        if batch_size > self.pictures:
            raise errors.UserError(
                f"a batch of {batch_size} needs more than the {self.pictures} {self.name} pictures"
                f" in {self.folder}; use --batch-size {self.pictures} or less"
            )
        steps = self.pictures // batch_size
        order = epoch_order(self.pictures, seed, epoch)[: steps * batch_size]
        return self._stream(self.rows[order][first_step * batch_size :], batch_size)

    def ordered_batches(self, batch_size):
        """Iterate over every pair in order, once; the last batch may be short.

        Yields (gray, rgb) as from `read`.
        """
        return self._stream(self.rows, batch_size)

    def _stream(self, rows, batch_size):
        """Yield the pairs at `rows`, a batch at a time; the next two are read while one is used."""
        batches = (rows[first : first + batch_size] for first in range(0, len(rows), batch_size))
        with ThreadPoolExecutor(1) as reader:
            coming = deque(reader.submit(self.read, batch) for batch in islice(batches, 2))
            while coming:
                pairs = coming.popleft().result()
                coming.extend(reader.submit(self.read, batch) for batch in islice(batches, 1))
                yield pairs


def flip_and_crop(random, gray, rgb, crop):
    """Mirror each pair of a batch by chance, and cut a part of `crop` x `crop` pixels by chance.

    `gray` uint8 (N, size, size, 1) and `rgb` uint8 (N, size, size, 3) are changed alike. `crop` is
    at most their size.
    """
    mirrored = random.random(len(gray)) < 0.5
    gray = np.where(mirrored[:, None, None, None], gray[:, :, ::-1], gray)
    rgb = np.where(mirrored[:, None, None, None], rgb[:, :, ::-1], rgb)
    windows = [
        (slice(top, top + crop), slice(left, left + crop))
        for top, left in random.integers(0, gray.shape[1] - crop + 1, (len(gray), 2))
    ]
    return tuple(
        np.stack([picture[window] for picture, window in zip(whole, windows, strict=True)])
        for whole in (gray, rgb)
    )
