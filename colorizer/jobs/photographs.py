"""Many photographs at once: each core takes one from its file to its coloured file."""

import contextlib
import dataclasses
import math
import os
import shutil
import threading
from concurrent.futures import FIRST_COMPLETED, CancelledError, ThreadPoolExecutor, wait
from pathlib import Path

from colorizer import tone
from colorizer.enlarge import Enlarger
from colorizer.errors import UserError, shown
from colorizer.files import formats, metadata, photos, tiff
from colorizer.files.atomic import replacing
from colorizer.files.source import Source, sha256
from colorizer.films import hints as film_hints
from colorizer.hints import drawing, reference
from colorizer.pixels import grayscale, high_bits, resize

import numpy as np

# Pixels of photographs in memory at once, unless it is a single one, in millions. Each pixel takes
# about 10 bytes on its way.
MOST_MEGAPIXELS = 64

# Pixels that the network sees at once, unless it is a single picture, in millions. Each takes about
# 500 bytes in there.
MOST_NETWORK_MEGAPIXELS = 2

# The longer side of the picture before and after, in pixels.
COMPARE_SIZE = 1600


@dataclasses.dataclass(frozen=True)
class Job:
    """One photograph or film: where it is, its name in messages, where the results go.

    `compare_target` is where the picture before and after goes, or None. Without `paint`, that is
    made of the result that is there. `note` is a phrase for the user, or empty. `page` is the
    place, from 0, of a page in a TIFF. `film` tells that it is one. `hints` is its file of
    hints, a Source, or for a film a film_hints.Hints, or None.
    """

    source: Source
    name: str
    target: Path
    compare_target: Path | None = None
    paint: bool = True
    note: str = ""
    page: int = 0
    film: bool = False
    hints: Source | film_hints.Hints | None = None


@dataclasses.dataclass(frozen=True)
class Reference:
    """A photograph from which others take colours: its name, its hash, what it says."""

    name: str
    sha256: str
    learned: reference.Reference


@dataclasses.dataclass(frozen=True)
class Options:
    """How photographs are colorized.

    `strength` scales chroma, 0 to 1. `format` is one of formats.CHOICES, or None for each file's
    own. `keep_colour` copies photographs in colour as they are, `keep_toned` toned prints.
    Photographs of more than `max_megapixels` million pixels fail. Where they look like `reference`,
    a Reference or None, they take its colours. An `enlarger`, or None, restores and enlarges them
    before, also those in colour that keep their colours.
    """

    strength: float = 1.0
    format: str | None = None
    keep_colour: bool = False
    keep_toned: bool = False
    max_megapixels: float = photos.MAX_MEGAPIXELS
    reference: Reference | None = None
    enlarger: Enlarger | None = None

    @property
    def scale(self) -> int:
        """How many times as many pixels a side a result has."""
        return self.enlarger.scale if self.enlarger else 1


def read_reference(path, colorizer) -> Reference:
    """Read a photograph in colour to take colours from; raises UserError where it is none."""
    try:
        picture = photos.read_rgb(path)
    except photos.PhotographError as error:
        raise UserError(
            f"{shown(path)} is no reference: {error}; give a photograph in colour as --reference"
        ) from error
    if tone.is_gray(picture):
        raise UserError(
            f"{shown(path)} is black-and-white; give a photograph in colour as --reference"
        )
    return Reference(shown(path.name), sha256(path), colorizer.reference(picture))


def recorded_settings(colorizer, options) -> dict:
    """Return what decides about the pixels of a result, as the record keeps it."""
    settings = {
        "model": colorizer.network.path.name,
        "model_sha256": sha256(colorizer.network.path),
        "working_size": colorizer.working_size,
        "strength": options.strength,
        "keep_colour": options.keep_colour,
        "keep_toned": options.keep_toned,
    }
    if options.reference:
        settings["reference_sha256"] = options.reference.sha256
    if options.enlarger:
        settings["enlarge"] = options.scale
        settings["enlarger_sha256"] = [sha256(path) for path in options.enlarger.paths]
    return settings


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a photograph: `failure` is a phrase that says why it was not done, or empty.

    `remark` is a phrase for the user, or empty. It was `in_colour` before, or a `toned` print, or
    neither, and was `kept` as it is or not.
    """

    job: Job
    failure: str = ""
    remark: str = ""
    in_colour: bool = False
    toned: bool = False
    kept: bool = False


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


def job_settings(settings, job) -> dict:
    """Return the settings of the record for one job: with its page, and its hints."""
    if job.page:  # the first is like other photographs
        settings = settings | {"page": job.page + 1}
    if job.hints:
        settings = settings | {"hints_sha256": job.hints.sha256}
    return settings


def hints_of(job, height, width) -> np.ndarray:
    """Read the hints of a photograph of this upright size; raises PhotographError."""
    try:
        hints = drawing.read_hints(job.hints.path)
        drawing.check_shape(hints.shape[:2], (height, width))
    except photos.PhotographError as error:
        raise photos.PhotographError(f"{shown(job.hints.path.name)}: {error}") from error
    return hints


def pixels_of(image, scale) -> int:
    """Return how many pixels the result of an `opened` image has, enlarged `scale` times.

    Raises PhotographError where those are more than MAX_MEGAPIXELS million.
    """
    pixels = math.prod(image.size) * scale**2
    if scale > 1 and pixels > photos.MAX_MEGAPIXELS * 1e6:
        raise photos.PhotographError(
            f"{scale} times enlarged it would have {pixels / 1e6:.0f} megapixels, more than "
            f"{photos.MAX_MEGAPIXELS}"
        )
    return pixels


def colorize_files(jobs, colorizer, options, record, tell) -> None:
    """Colorize every job, several at once; call `tell(outcome)` in this thread as each one ends.

    Results enter the `record` of their folder. What goes wrong with a photograph is its failure;
    the others are done. Stopped by Ctrl-C, it finishes those that are under way, tells of them
    too, and raises KeyboardInterrupt.
    """
    # A photograph on each core, and one network for all of them: it takes several pictures at once
    # no faster than one after the other, and so nothing waits for anything.
    cores = os.cpu_count() or 1
    budget = PixelBudget(MOST_MEGAPIXELS * 1e6)
    network_budget = PixelBudget(MOST_NETWORK_MEGAPIXELS * 1e6)
    under_way = set()
    writer = Writer(record, recorded_settings(colorizer, options))

    def attempt(job):
        return _attempt(job, colorizer, options, budget, network_budget, writer)

    def tell_of_finished():
        for future in [future for future in under_way if future.done()]:
            under_way.remove(future)
            with contextlib.suppress(CancelledError):
                tell(future.result())

    with ThreadPoolExecutor(cores) as workers:
        try:
            for job in jobs:
                under_way.add(workers.submit(attempt, job))
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


def _attempt(job, colorizer, options, budget, network_budget, writer) -> Outcome:
    """Colorize one job; whatever is raised, but for a stop, becomes the reason of its failure."""
    try:
        return _colorize_file(job, colorizer, options, budget, network_budget, writer)
    except CancelledError:
        raise
    except (photos.PhotographError, UserError) as error:
        reason = str(error)
    except MemoryError:
        reason = "there is not enough memory"
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return Outcome(job, reason)


def _colorize_file(job, colorizer, options, budget, network_budget, writer) -> Outcome:
    """Read, colorize and write one photograph."""
    source, format = job.source, formats.CHOICES.get(options.format)
    with photos.opened(source.path, options.max_megapixels, job.page) as image:
        pixels = pixels_of(image, options.scale)
    with budget.hold(pixels):
        with photos.opened(source.path, options.max_megapixels, job.page) as image:
            photograph = photos.load(image)
        before = photograph.pixels
        small = colorizer.shrink(before)
        tinted = before.shape[2] == 3 and not tone.is_gray(small)
        toned = tinted and tone.is_toned(small)
        in_colour = tinted and not toned
        kept = (in_colour and options.keep_colour) or (toned and options.keep_toned)
        kept = kept and not job.hints  # whoever gives hints wants them seen
        match = ""
        if not job.paint:
            after = photos.read_rgb(job.target)
        elif kept:
            after = options.enlarger.enlarge(before) if options.enlarger else before
        else:
            told, match = None, ""
            if job.hints or options.reference:
                with network_budget.hold(colorizer.working_size**2):
                    told, match = _known_colours(job, before, colorizer, options)
            larger = before
            if options.enlarger:
                larger = options.enlarger.luminance(grayscale(before))
            with network_budget.hold(colorizer.working_size**2):
                after = colorizer.colorize(larger, told, options.strength)
        if job.compare_target:
            pair = photos.encode(_side_by_side(before, after))
            writer.write(job.compare_target, "compare", job, pair)
        if job.paint:
            photograph.pixels = after
            if options.enlarger:
                _enlarge_the_rest(photograph, options.enlarger)
        del before, after  # 300 MB at 100 megapixels
        # A page of several is written by itself.
        whole = photograph.format != "TIFF" or tiff.pages(source.path) == [0]
        same = kept and not options.enlarger
        if same and job.paint and format in (None, photograph.format) and whole:
            writer.write(job.target, "picture", job)
        elif job.paint:
            writer.write(job.target, "picture", job, photos.encode(photograph, format))
        remark = "; ".join(filter(None, (photograph.remark, match)))
        return Outcome(job, remark=remark, in_colour=in_colour, toned=toned, kept=kept)


def _enlarge_the_rest(photograph, enlarger) -> None:
    """Enlarge the alpha of a photograph, and what its file says of its size."""
    if photograph.alpha is not None:
        photograph.alpha = enlarger.alpha(photograph.alpha)
    photograph.metadata = metadata.enlarged(photograph.metadata, enlarger.scale)


def _known_colours(job, image, colorizer, options):
    """Return what hints and a reference say of an image, float32 (h, w, 3) or None; and a phrase
    for the user, or an empty one."""
    hinted = None
    if job.hints:
        hinted = drawing.from_hints(hints_of(job, *image.shape[:2]), colorizer.shrink(image))
    if not options.reference:
        return hinted, ""
    told, share = colorizer.told(image, hinted, options.reference.learned)
    remark = f"{max(share, 0.01):.0%} of it looks like {options.reference.name}"
    if not share:
        remark = f"nothing in it looks like {options.reference.name}; colorized without it"
    return told, remark


class Writer:
    """Writes results whole, with the dates of their photographs, and enters them in the record."""

    def __init__(self, record, settings):
        self.record, self.settings = record, settings

    def write(self, path, kind, job, content=None) -> None:
        """Write a result of a job: its encoded `content`, or by default a copy of its source.

        Raises PhotographError for all that the file system refuses.
        """
        source, settings = job.source, job_settings(self.settings, job)
        try:
            with replacing(path) as temporary:
                if content is None:
                    shutil.copyfile(source.path, temporary)
                else:
                    temporary.write_bytes(content)
                os.utime(temporary, ns=(source.mtime_ns, source.mtime_ns))
                self.record.add(path, temporary, kind, source, settings)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise photos.PhotographError(f"it cannot be written: {reason}") from error


def _side_by_side(before, after) -> photos.Photograph:
    """Put before (gray or RGB) and after (RGB) beside each other, COMPARE_SIZE at most."""
    height, width = after.shape[:2]
    scale = min(1, COMPARE_SIZE / max(height, 2 * width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    pair = [high_bits(resize(picture, *size)) for picture in (before, after)]
    pair = [np.broadcast_to(picture, (*size, 3)) for picture in pair]
    return photos.Photograph(np.concatenate(pair, axis=1))
