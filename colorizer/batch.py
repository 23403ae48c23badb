"""Many photographs at once: each core takes one from its file to its coloured file."""

import contextlib
import dataclasses
import math
import os
import threading
from concurrent.futures import FIRST_COMPLETED, CancelledError, ThreadPoolExecutor, wait
from pathlib import Path

from colorizer import photos
from colorizer.errors import UserError

import numpy as np

# Pixels of photographs in memory at once, unless it is a single one, in millions. Each pixel takes
# about 10 bytes on its way.
MOST_MEGAPIXELS = 64

# The longer side of the picture before and after, in pixels.
COMPARE_SIZE = 1600

# File formats of results by suffix, and Pillow's names for them.
FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tif": "TIFF"}


@dataclasses.dataclass(frozen=True)
class Job:
    """One photograph or film: where it is, its name in messages, where the results go."""

    source: Path
    name: str
    target: Path
    compare_target: Path
    film: bool = False


@dataclasses.dataclass(frozen=True)
class Options:
    """How photographs are colorized.

    `strength` scales chroma, 0 to 1. `format` is a suffix of FORMATS, or None for each file's own.
    `keep_colour` leaves photographs in colour alone. `compare` writes a picture before and after
    too. Photographs of more than `max_megapixels` million pixels fail.
    """

    strength: float = 1.0
    format: str | None = None
    keep_colour: bool = False
    compare: bool = False
    max_megapixels: float = photos.MAX_MEGAPIXELS


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a photograph: `failure` is a phrase that says why it was not done, or empty.

    `remark` is a phrase for the user, or empty; `in_colour` tells that it was in colour before.
    """

    job: Job
    failure: str = ""
    remark: str = ""
    in_colour: bool = False


class PixelBudget:
    """Let threads decode photographs while those in memory stay below a number of pixels.

    A photograph that is larger than the whole budget waits until it is alone.
    """

    def __init__(self, pixels):
        self.pixels = pixels
        self.taken = 0
        self.closed = False
        self.changed = threading.Condition()

    @contextlib.contextmanager
    def hold(self, pixels):
        """Wait for room and keep it during the block; raises CancelledError once it is closed."""
        with self.changed:
            self.changed.wait_for(
                lambda: self.closed or not self.taken or self.taken + pixels <= self.pixels
            )
            if self.closed:
                raise CancelledError("stopped")
            self.taken += pixels
        try:
            yield
        finally:
            with self.changed:
                self.taken -= pixels
                self.changed.notify_all()

    def close(self) -> None:
        """Let nobody in any more."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()


def colorize_files(jobs, colorizer, options, tell) -> None:
    """Colorize every job, several at once; call `tell(outcome)` in this thread as each one ends.

    What goes wrong with a photograph is its failure; the others are done. Stopped by Ctrl-C, it
    finishes those that are under way, tells of them too, and raises KeyboardInterrupt.
    """
    # A photograph on each core, and one network for all of them: it takes several pictures at once
    # no faster than one after the other, and so nothing waits for anything.
    cores = os.cpu_count() or 1
    budget = PixelBudget(MOST_MEGAPIXELS * 1e6)
    under_way = set()

    def tell_of_finished():
        for future in [future for future in under_way if future.done()]:
            under_way.remove(future)
            with contextlib.suppress(CancelledError):
                tell(future.result())

    with ThreadPoolExecutor(cores) as workers:
        try:
            for job in jobs:
                under_way.add(workers.submit(_attempt, job, colorizer, options, budget))
                if len(under_way) >= 2 * cores:
                    wait(under_way, return_when=FIRST_COMPLETED)
                    tell_of_finished()
            while under_way:
                wait(under_way, return_when=FIRST_COMPLETED)
                tell_of_finished()
        finally:
            # What has not begun to decode ends here; the rest is finished.
            budget.close()
            wait(under_way)
            tell_of_finished()


def _attempt(job, colorizer, options, budget) -> Outcome:
    """Colorize one job; whatever is raised, but for a stop, becomes the reason of its failure."""
    try:
        return _colorize_file(job, colorizer, options, budget)
    except CancelledError:
        raise
    except (photos.PhotographError, UserError) as error:
        reason = str(error)
    except MemoryError:
        reason = "there is not enough memory"
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return Outcome(job, reason)


def _colorize_file(job, colorizer, options, budget) -> Outcome:
    """Read, colorize and write one photograph."""
    with photos.opened(job.source, options.max_megapixels) as image:
        pixels = math.prod(image.size)
    with budget.hold(pixels):
        with photos.opened(job.source, options.max_megapixels) as image:
            photograph = photos.load(image)
        before = photograph.pixels
        in_colour = before.shape[2] == 3 and not photos.is_gray(colorizer.shrink(before))
        if not (in_colour and options.keep_colour):
            photograph.pixels = colorizer.colorize(before, strength=options.strength)
            if options.compare:
                _write(job.compare_target, _side_by_side(before, photograph.pixels))
            del before  # 300 MB at 100 megapixels
            _write(job.target, photograph, FORMATS.get(options.format))
        return Outcome(job, remark=photograph.remark, in_colour=in_colour)


def _write(path, photograph, format=None) -> None:
    """Write a photograph; raises PhotographError for all that the file system refuses, too."""
    try:
        photos.write(path, photograph, format)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise photos.PhotographError(f"it cannot be written: {reason}") from error


def _side_by_side(before, after) -> photos.Photograph:
    """Put before (gray or RGB) and after (RGB) beside each other, COMPARE_SIZE at most."""
    height, width = after.shape[:2]
    scale = min(1, COMPARE_SIZE / max(height, 2 * width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    pair = [photos.high_bits(photos.resize(picture, *size)) for picture in (before, after)]
    pair = [np.broadcast_to(picture, (*size, 3)) for picture in pair]
    return photos.Photograph(np.concatenate(pair, axis=1), None, "JPEG", b"", b"", "")
