"""Colorize photographs at their own size: colour from a network, luminance from the photograph.

    python colorize.py --input DIR_OR_FILE

Reads every photograph below DIR, or the one FILE, and writes each one in colour, under the same
relative path, below outputs/colorized/. Exit status: 0 all done, 1 some failed, 2 wrong call.
"""

import argparse
import dataclasses
import itertools
import math
import os
import sys
import threading
import warnings
from concurrent.futures import FIRST_COMPLETED, CancelledError, ThreadPoolExecutor, wait
from pathlib import Path

from colorizer import chroma, photos
from colorizer.errors import UserError, run

import cv2
import numpy as np
from tqdm import tqdm

WEIGHTS = Path(__file__).parent / "weights"

# The colorizers that ship: their files, and the side of the square that has as many pixels as what
# each sees. The paper's sees the size that it learned from, which is that of other files as well;
# the other paints the more colour, the larger the picture is that it sees.
SHIPPED = {"semantic": ("semantic.keras", 224), "paper": ("paper_gan.keras", 120)}
WORKING_SIZE = 120

# Every colorizer halves its picture three times, so its sides are multiples of 8.
MULTIPLE = 8

# A panorama keeps its shape up to this many working sizes in length.
LONGEST = 8

# Pictures of the same shape that go through the network at once.
BATCH_SIZE = 8

# What is decoded and not yet written: never more photographs than this, nor, unless it is a single
# one, more million pixels. Each pixel takes about 10 bytes on its way.
MOST_PHOTOGRAPHS = 64
MOST_MEGAPIXELS = 64

# The longer side of the picture before and after, in pixels.
COMPARE_SIZE = 1600

FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tif": "TIFF"}


@dataclasses.dataclass(frozen=True)
class Job:
    """One photograph: where it is, what it is called in messages, where the results go."""

    source: Path
    name: str
    target: Path
    compare_target: Path


@dataclasses.dataclass(eq=False)
class Prepared:
    """A decoded photograph and what the network is to see of it.

    `small` is the photograph at the network's size, uint8 gray (h, w, 1) or RGB (h, w, 3); `gray`
    is its luma, float32 in [0, 1], with h and w padded to multiples of 8.
    """

    job: Job
    photograph: photos.Photograph
    small: np.ndarray
    gray: np.ndarray
    in_colour: bool

    @property
    def pixels(self) -> int:
        """Count the pixels of the full-size photograph."""
        return math.prod(self.photograph.pixels.shape[:2])


@dataclasses.dataclass
class Report:
    """What became of the photographs."""

    done: int = 0
    skipped: int = 0
    left_in_colour: int = 0
    recoloured: int = 0
    failures: list = dataclasses.field(default_factory=list)
    remarks: list = dataclasses.field(default_factory=list)


class PixelBudget:
    """Let threads decode photographs while those in memory stay below a number of pixels.

    A photograph that is larger than the whole budget waits until it is alone.
    """

    def __init__(self, pixels):
        self.pixels = pixels
        self.taken = 0
        self.closed = False
        self.changed = threading.Condition()

    def take(self, pixels) -> None:
        """Wait for room; raises CancelledError once the budget is closed."""
        with self.changed:
            self.changed.wait_for(
                lambda: self.closed or not self.taken or self.taken + pixels <= self.pixels
            )
            if self.closed:
                raise CancelledError("stopped")
            self.taken += pixels

    def give_back(self, pixels) -> None:
        with self.changed:
            self.taken -= pixels
            self.changed.notify_all()

    def close(self) -> None:
        with self.changed:
            self.closed = True
            self.changed.notify_all()


def shown(path) -> str:
    """Write a path for people: bytes that are no text, and control characters, are escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def plan(input_path, output, format, report) -> list[Job]:
    """Find the photographs and name the files to write; no two get the same name.

    `format` is a suffix of FORMATS, or None to keep each file's name. Folders that cannot be
    listed become failures in `report`. Raises UserError where nothing is found, or where a
    result would lie over an input.
    """
    if not input_path.exists():
        raise UserError(f"there is no {shown(input_path)}; give a folder or a file as --input")
    if not input_path.is_dir():
        root, sources = input_path.parent, [input_path]
    else:
        root, sources = input_path, _find(input_path, output, report)
    if not sources and not report.failures:
        raise UserError(
            f"{shown(input_path)} holds no photographs ({', '.join(photos.SUFFIXES)}); "
            "give another --input"
        )
    jobs, taken = [], set()
    for source in sources:
        relative = source.relative_to(root)
        wanted = output / (relative.with_suffix(f".{format}") if format else relative)
        target = _free(wanted, taken)
        compare_target = _free(target.with_name(f"{target.stem}-compare.jpg"), taken)
        if target != wanted:
            report.remarks.append((shown(relative), f"written as {shown(target.name)}"))
        jobs.append(Job(source, shown(relative), target, compare_target))
    inputs = {_place(job.source) for job in jobs}
    for target in itertools.chain.from_iterable((j.target, j.compare_target) for j in jobs):
        if _place(target) in inputs:
            raise UserError(
                f"{shown(target)} would be written over an input; give another folder as --output"
            )
    return jobs


def _find(folder, output, report) -> list[Path]:
    """List the photographs below `folder`, without the results of earlier runs below `output`."""

    def fail(error):
        report.failures.append((shown(error.filename), error.strerror.lower()))

    found = photos.find_photographs(folder, onerror=fail)
    results = output.resolve()
    if folder.resolve() in results.parents:
        found = [path for path in found if results not in (path.parent / "x").resolve().parents]
    return found


def _free(path, taken) -> Path:
    """Return `path`, or the same with -2, -3, ... behind its stem, and add it to `taken`."""
    numbers = itertools.count(2)
    free = path
    while free in taken:
        free = path.with_name(f"{path.stem}-{next(numbers)}{path.suffix}")
    taken.add(free)
    return free


def _place(path) -> Path:
    """Name the place of a file, without following the file itself if it is a symlink."""
    return path.parent.resolve() / path.name


def finished(job, settings) -> bool:
    """Tell whether an earlier run has written all that this one would."""
    return job.target.exists() and (not settings.compare or job.compare_target.exists())


def network_size(height, width, working_size) -> tuple[int, int]:
    """Return the height and width, in pixels, at which the network sees a photograph.

    The aspect ratio stays. The area is that of a square of `working_size`, as far as LONGEST
    allows, or a little less, so that the longer side is a multiple of 8.
    """
    longer = working_size * math.sqrt(max(height, width) / min(height, width))
    longer = min(longer, LONGEST * working_size) // MULTIPLE * MULTIPLE
    scale = longer / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def read(job, settings, budget) -> Prepared:
    """Decode one photograph and make the small gray picture of it; raises PhotographError."""
    with photos.opened(job.source, settings.max_megapixels) as image:
        pixels = image.width * image.height
        budget.take(pixels)
        try:
            return _prepare(job, photos.load(image), settings)
        except BaseException:
            budget.give_back(pixels)
            raise


def _prepare(job, photograph, settings) -> Prepared:
    """Shrink a photograph to the working size and pad it to multiples of 8 by reflection."""
    height, width = network_size(*photograph.pixels.shape[:2], settings.working_size)
    small = photos.high_bits(photos.shrink(photograph.pixels, height, width))
    in_colour = small.shape[2] == 3 and not photos.is_gray(small)
    gray = photos.to_unit(photos.grayscale(small) if small.shape[2] == 3 else small)
    padding = ((0, -height % MULTIPLE), (0, -width % MULTIPLE), (0, 0))
    gray = np.pad(gray, padding, mode="symmetric")
    return Prepared(job, photograph, small, gray, in_colour)


def finish(prepared, colours, settings, budget) -> None:
    """Paint one photograph with the network's colours (h, w, 3) and write it."""
    photograph = prepared.photograph
    before = photograph.pixels
    try:
        height, width = prepared.small.shape[:2]
        colours = colours[:height, :width]
        painted = chroma.add_chroma(before, prepared.small, colours, settings.strength)
        if settings.compare:
            photos.write(prepared.job.compare_target, side_by_side(before, painted))
        prepared.photograph = dataclasses.replace(photograph, pixels=painted)
        del photograph, before, painted
        photos.write(prepared.job.target, prepared.photograph, FORMATS.get(settings.format))
    finally:
        budget.give_back(prepared.pixels)


def side_by_side(before, after) -> photos.Photograph:
    """Put before (gray or RGB) and after (RGB) beside each other, COMPARE_SIZE at most."""
    height, width = after.shape[:2]
    scale = min(1, COMPARE_SIZE / max(height, 2 * width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    pair = [photos.high_bits(photos.resize(picture, *size)) for picture in (before, after)]
    pair = [np.broadcast_to(picture, (*size, 3)) for picture in pair]
    return photos.Photograph(np.concatenate(pair, axis=1), None, "JPEG", b"", b"", "")


def load_painter(path):
    """Load the network; return a function from gray (B, h, w, 1) to colours (B, h, w, 3), float32.

    Raises UserError if the model is none, or works at one size only.
    """
    # TensorFlow takes seconds to import; the first photographs are decoded meanwhile.
    import models

    from engine import tf

    generator = models.load_generator(path)
    if generator.input_shape[1:3] != (None, None):
        raise UserError(
            f"{path} works at {generator.input_shape[1]}x{generator.input_shape[2]} pixels only; "
            "give a fully convolutional model, such as train.py writes"
        )

    # One trace for all sizes: a trace for each would take longer than the photographs.
    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 1), tf.float32)])
    def paint(gray):
        return generator(gray, training=False)

    def paint_finite(gray):
        colours = paint(gray).numpy()
        if not np.isfinite(colours).all():
            raise UserError(f"{path} paints numbers that are not finite; give another --model")
        return np.clip(colours, 0, 1)

    return paint_finite


class Pipeline:
    """The photographs on their way: threads decode and encode while this one runs the network."""

    def __init__(self, jobs, settings, report, progress):
        """Take the jobs in order, fill `report`, and advance the bar `progress`."""
        self.jobs = iter(jobs)
        self.settings = settings
        self.report = report
        self.progress = progress
        self.budget = PixelBudget(MOST_MEGAPIXELS * 1e6)
        self.reading = {}  # future of a Prepared -> its Job
        self.ready = []  # Prepared
        self.writing = {}  # future of a written photograph -> its Prepared

    def run(self) -> None:
        """Colorize every job. Stopped by Ctrl-C, it still finishes the files it is writing."""
        cores = os.cpu_count() or 1
        # Painting and encoding take several times as long as decoding does, and while TensorFlow is
        # imported it needs a core for itself.
        with (
            ThreadPoolExecutor(max(1, cores // 2)) as readers,
            ThreadPoolExecutor(cores) as writers,
        ):
            try:
                self._read_on(readers)
                paint = load_painter(self.settings.model)
                while self.reading or self.ready or self.writing:
                    # A full batch costs the network less a photograph; a core without work, more.
                    full = len(self.ready) >= BATCH_SIZE
                    if full or (self.ready and len(self.writing) < cores):
                        self._paint_batch(paint, writers)
                    else:
                        wait([*self.reading, *self.writing], return_when=FIRST_COMPLETED)
                    self._collect()
                    self._read_on(readers)
            finally:
                self.budget.close()
                self.writing = {f: p for f, p in self.writing.items() if not f.cancel()}
                wait(self.writing)
                self._collect()

    def _read_on(self, readers) -> None:
        """Start to read further photographs, as far as there is room."""
        room = MOST_PHOTOGRAPHS - len(self.reading) - len(self.ready) - len(self.writing)
        for job in itertools.islice(self.jobs, room):
            self.reading[readers.submit(read, job, self.settings, self.budget)] = job

    def _collect(self) -> None:
        """Take up what the threads have finished."""
        for future in [future for future in self.reading if future.done()]:
            job = self.reading.pop(future)
            try:
                self._take_up(future.result())
            except photos.PhotographError as error:
                self._fail(job, str(error))
        for future in [future for future in self.writing if future.done()]:
            prepared = self.writing.pop(future)
            try:
                future.result()
            except photos.PhotographError as error:
                self._fail(prepared.job, str(error))
            except (OSError, MemoryError) as error:
                reason = getattr(error, "strerror", None) or "there is not enough memory"
                self._fail(prepared.job, f"it cannot be written: {reason.lower()}")
            else:
                self.report.done += 1
                self.report.recoloured += prepared.in_colour
                self.progress.update()

    def _take_up(self, prepared) -> None:
        """Line a decoded photograph up for the network, or leave it alone."""
        if prepared.photograph.remark:
            self.report.remarks.append((prepared.job.name, prepared.photograph.remark))
        if prepared.in_colour and self.settings.keep_colour:
            self.budget.give_back(prepared.pixels)
            self.report.left_in_colour += 1
            self.progress.update()
        else:
            self.ready.append(prepared)

    def _fail(self, job, reason) -> None:
        self.report.failures.append((job.name, reason))
        self.progress.update()

    def _paint_batch(self, paint, writers) -> None:
        """Run the network on the photograph that waits longest and on others of its shape."""
        shape = self.ready[0].gray.shape
        batch = [prepared for prepared in self.ready if prepared.gray.shape == shape][:BATCH_SIZE]
        self.ready = [prepared for prepared in self.ready if prepared not in batch]
        colours = paint(np.stack([prepared.gray for prepared in batch]))
        for prepared, picture in zip(batch, colours, strict=True):
            future = writers.submit(finish, prepared, picture, self.settings, self.budget)
            self.writing[future] = prepared


def arguments():
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0],
        epilog="Exit status: 0 all done, 1 some failed, 2 wrong call, 130 stopped by Ctrl-C.",
    )
    parser.add_argument(
        "--input", type=Path, required=True, help="a folder of photographs, or one photograph"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("outputs/colorized"),
        help="folder for the results (default %(default)s)",
    )
    parser.add_argument(
        "--model",
        default="semantic",
        help="semantic or paper, which ship, or a file that train.py wrote (default %(default)s)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="colorize again what an earlier run has finished (default: skip it)",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="file format of the results (default: the format and name of each input)",
    )
    parser.add_argument(
        "--working-size",
        type=working_size,
        metavar="PIXELS",
        help="side of the square whose area the network sees, 32 to 2048 (default: "
        + ", ".join(f"{size} for {name}" for name, (_, size) in SHIPPED.items())
        + f" and {WORKING_SIZE} for a file)",
    )
    parser.add_argument(
        "--strength",
        type=strength,
        default=1.0,
        metavar="SHARE",
        help="how much of the colour to use, 0 to 1 (default %(default)s)",
    )
    parser.add_argument(
        "--keep-colour",
        action="store_true",
        help="leave photographs that are in colour alone (default: recolour them, and say so)",
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="also write NAME-compare.jpg, the photograph before and after beside each other",
    )
    parser.add_argument(
        "--max-megapixels",
        type=float,
        default=photos.MAX_MEGAPIXELS,
        metavar="MILLIONS",
        help="refuse photographs of more pixels than this (default %(default)s)",
    )
    return parser


def working_size(text) -> int:
    """Parse --working-size."""
    size = int(text)
    if not 32 <= size <= 2048:
        raise argparse.ArgumentTypeError(f"{size} is not between 32 and 2048 pixels")
    return size


def strength(text) -> float:
    """Parse --strength."""
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{share:g} is not between 0 and 1")
    return share


def complete(settings) -> None:
    """Fill in what the model decides, unless it was given: its file, the working size."""
    file, size = Path(settings.model), WORKING_SIZE
    if settings.model in SHIPPED:
        name, size = SHIPPED[settings.model]
        file = WEIGHTS / name
    settings.model, settings.working_size = file, settings.working_size or size


def colorize(settings) -> int:
    """Colorize what `settings` name and say what became of it; return the exit status."""
    complete(settings)
    if not settings.model.is_file():
        raise UserError(
            f"there is no model {settings.model}; train one with `python train.py` or name "
            "another with --model"
        )
    report = Report()
    jobs = plan(settings.input, settings.output, settings.format, report)
    try:
        settings.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{shown(settings.output)} cannot be made ({error.strerror}); "
            "give another folder as --output"
        ) from error
    if not settings.overwrite:
        waiting = [job for job in jobs if not finished(job, settings)]
        report.skipped, jobs = len(jobs) - len(waiting), waiting
    stopped = False
    if jobs:
        with tqdm(total=len(jobs), desc="colorizing", unit=" photographs") as progress:
            try:
                Pipeline(jobs, settings, report, progress).run()
            except KeyboardInterrupt:
                stopped = True
    print_report(report, settings)
    if stopped:
        print("stopped; the same command goes on from here")
        return 130
    return 1 if report.failures else 0


def print_report(report, settings) -> None:
    """Print remarks, failures with their reasons, the counts, and where the results are."""
    for name, remark in report.remarks:
        print(f"{name}: {remark}")
    for name, reason in report.failures:
        print(f"failed: {name}: {reason}")
    if report.recoloured:
        print(f"{report.recoloured} were in colour and were recoloured (--keep-colour leaves them)")
    counts = [f"{report.done} colorized"]
    if report.skipped:
        counts.append(f"{report.skipped} skipped, finished earlier (--overwrite does them again)")
    if report.left_in_colour:
        counts.append(f"{report.left_in_colour} in colour and left alone")
    counts.append(f"{len(report.failures)} failed")
    print(f"{', '.join(counts)}; results are in {shown(settings.output)}")


def main(argv=None) -> int:
    """Read the command line and colorize."""
    # OpenCV's own threads would only get in the way of the ones that work on whole photographs.
    cv2.setNumThreads(1)
    # What is wrong with a file is in its failure or its remark.
    warnings.filterwarnings("ignore", module="PIL")
    return run(colorize, arguments().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
