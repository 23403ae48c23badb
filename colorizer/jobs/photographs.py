"""Many photographs at once: each core takes one from its file to its coloured file."""

import contextlib
import dataclasses
import math
import threading
from concurrent.futures import FIRST_COMPLETED, CancelledError, wait

from colorizer import Colorizer, tone
from colorizer.errors import shown
from colorizer.files import formats, metadata, photos, xmp
from colorizer.files.atomic import PARTIAL
from colorizer.files.label import draw_label
from colorizer.hints import drawing
from colorizer.jobs.job import Outcome, Writer, Written, failure_of
from colorizer.jobs.request import Request
from colorizer.jobs.workers import on, workers_of
from colorizer.pixels import grayscale, high_bits, is_gray, resize, to_uint8
from colorizer.prints import fading
from colorizer.prints.scans import frame

import numpy as np

# Bytes of photographs in memory at once, unless it is a single one: 64 megapixels of 8 bits.
MOST_BYTES = 640e6

# Bytes of pictures in the network at once, unless it is a single one: 2 megapixels.
MOST_NETWORK_BYTES = 1e9
NETWORK_BYTES_A_PIXEL = 500

# The longer side of the picture before and after, in pixels.
COMPARE_SIZE = 1600


class Budget:
    """Let threads work on photographs while those in memory stay below a number of bytes.

    A photograph that is larger than the whole budget waits until it is alone.
    """

    def __init__(self, size):
        self.size = size
        self.taken = 0
        self.closed = False
        self.changed = threading.Condition()

    @contextlib.contextmanager
    def hold(self, size):
        """Wait for room and keep it during the block; raises CancelledError once it is closed."""
        with self.changed:
            self.changed.wait_for(
                lambda: self.closed or not self.taken or self.taken + size <= self.size
            )
            if self.closed:
                raise CancelledError("stopped")
            self.taken += size
        try:
            yield
        finally:
            with self.changed:
                self.taken -= size
                self.changed.notify_all()

    def close(self) -> None:
        """Let nobody in any more."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()


def colorize_photographs(jobs, colorizer, request, writer, tell) -> None:
    """Colorize every job, several at once; call `tell(outcome)` in this thread as each one ends.

    What goes wrong with a photograph is its failure; the others are done. Stopped by Ctrl-C, it
    finishes those that are under way, tells of them too, and raises KeyboardInterrupt.
    """
    work = _Work(colorizer, request, writer)
    colorize = on(request.cluster, work.colorize)
    under_way = {}

    def tell_of_finished():
        for future in [future for future in under_way if future.done()]:
            job = under_way.pop(future)
            if future.cancelled():
                tell(Outcome(job, "the cluster was lost"))
                continue
            if isinstance(error := future.exception(), CancelledError):
                continue
            outcome = Outcome(job, failure_of(error)) if error else future.result()
            try:
                for written in outcome.written:
                    writer.finish(written)
            except photos.PhotographError as refused:
                for written in outcome.written:
                    written.drop()
                outcome = Outcome(job, str(refused))
            tell(outcome)

    # A photograph on each core, and one network for all of them: it takes several pictures at once
    # no faster than one after the other, and so nothing waits for anything.
    with workers_of(request.cluster) as (workers, at_once):
        try:
            for job in jobs:
                under_way[workers.submit(colorize, job)] = job
                if len(under_way) >= 2 * at_once():
                    wait(under_way, return_when=FIRST_COMPLETED)
                    tell_of_finished()
            while under_way:
                wait(under_way, return_when=FIRST_COMPLETED)
                tell_of_finished()
        finally:
            # What has not begun to decode ends here; the rest is finished, and counted, however
            # often Ctrl-C is pressed.
            work.memory.close()
            while under_way:
                with contextlib.suppress(KeyboardInterrupt):
                    wait(under_way)
                    tell_of_finished()
            if request.cluster:
                _remove_partial({job.target.parent for job in jobs})


def _remove_partial(folders) -> None:
    """Remove what workers that died began to write into output folders, which this run holds."""
    for folder in folders:
        for left in folder.glob(f"{PARTIAL}*"):
            with contextlib.suppress(OSError):
                left.unlink()


@dataclasses.dataclass(frozen=True)
class _Work:
    """What all photographs of a run share; its methods are called from several threads."""

    colorizer: Colorizer
    request: Request
    writer: Writer
    memory: Budget = dataclasses.field(default_factory=lambda: Budget(MOST_BYTES))
    network: Budget = dataclasses.field(default_factory=lambda: Budget(MOST_NETWORK_BYTES))

    def __reduce__(self):
        """In another process: with budgets of its own."""
        return type(self), (self.colorizer, self.request, self.writer)

    def colorize(self, job) -> Outcome:
        """Read one photograph, decide what becomes of it, paint and write it."""
        with photos.opened(job.source.path, self.request.max_megapixels, job.page) as image:
            check_pixels(image, self.request.scale)
            size = photos.bytes_needed(image, self.request.scale)
        with self.memory.hold(size):
            with photos.opened(job.source.path, self.request.max_megapixels, job.page) as image:
                photograph = photos.load(image)
            cut(photograph, job.part)
            in_colour, toned = self.tint(photograph.pixels)
            kept = (in_colour and self.request.keep_colour) or (toned and self.request.keep_toned)
            kept = kept and not job.hints  # whoever gives hints wants them used
            marks = self.marks(job, photograph.pixels)
            after, match = self.paint(job, photograph.pixels, kept, marks)
            with contextlib.ExitStack() as drop:
                written = []
                if job.mask_target and marks is not None:
                    drawn = photos.Photograph(to_uint8(marks)[..., None], format="PNG")
                    mask = photos.encode(drawn)
                    written.append(self.writer.prepare(job.mask_target, "mask", job, mask))
                    drop.callback(written[-1].drop)
                if job.compare_target:
                    mark = self.writer.mark_of(job, xmp.COLORIZED)
                    pair = photos.encode(_side_by_side(photograph.pixels, after), mark=mark)
                    written.append(self.writer.prepare(job.compare_target, "compare", job, pair))
                    drop.callback(written[-1].drop)
                if job.paint:
                    written.append(self.write(job, photograph, after, kept))
                drop.pop_all()
            undated = written[-1].remark if written else ""
            remark = "; ".join(filter(None, (photograph.remark, match, undated)))
            return Outcome(job, "", remark, in_colour, toned, kept, tuple(written))

    def tint(self, image) -> tuple[bool, bool]:
        """Tell whether a photograph is in colour, and whether it is a toned print."""
        small = self.colorizer.shrink(image)
        tinted = image.shape[2] == 3 and not is_gray(small)
        toned = tinted and tone.is_toned(small)
        return tinted and not toned, toned

    def marks(self, job, image):
        """Return the marks to fill of an image, bool (H, W), or None."""
        if not (self.request.enlarger and job.paint):
            return None
        painted = mask_of(job, *image.shape[:2]) if job.mask else None
        return self.request.enlarger.marks(grayscale(image), painted)

    def paint(self, job, before, kept, marks=None):
        """Return the result of an image, and a phrase about the reference, or an empty one."""
        enlarger, match = self.request.enlarger, ""
        if not job.paint:
            return photos.read_rgb(job.target), match
        if kept:
            return enlarger.enlarge(before, marks) if enlarger else before, match
        known = None
        if job.hints or self.request.reference:
            with self.network.hold(NETWORK_BYTES_A_PIXEL * self.colorizer.working_size**2):
                known, match = self.known_colours(job, before)
        larger = enlarger.luminance(grayscale(before), marks) if enlarger else before
        inner = frame(grayscale(larger)) if self.request.trim else (slice(None), slice(None))
        seen = larger[inner]
        # Faded tones mislead it, whether or not the result keeps them.
        restored = bool(enlarger and enlarger.parts)
        with self.network.hold(NETWORK_BYTES_A_PIXEL * self.colorizer.working_size**2):
            chroma = self.colorizer.predict(fading.corrected(seen) if restored else seen, known)
        painted = self.colorizer.paint(seen, chroma, self.request.strength)
        if seen.shape != larger.shape:
            whole = np.broadcast_to(grayscale(larger), (*larger.shape[:2], 3)).copy()
            whole[inner] = painted
            painted = whole
        return draw_label(painted, self.request.label), match

    def known_colours(self, job, image):
        """Return the known colours of an image, float32 (h, w, 3) or None; and a phrase about the
        reference, or an empty one."""
        hinted, reference = None, self.request.reference
        if job.hints:
            hinted = drawing.from_hints(
                hints_of(job, *image.shape[:2]), self.colorizer.shrink(image)
            )
        if not reference:
            return hinted, ""
        known, share = self.colorizer.known_colours(image, hinted, reference.exemplar)
        remark = f"{max(share, 0.01):.0%} of it looks like {reference.name}"
        if not share:
            remark = f"nothing in it looks like {reference.name}; colorized without it"
        return known, remark

    def write(self, job, photograph, after, kept) -> Written:
        """Write the result of a photograph, or a copy of its file where nothing is changed."""
        format, enlarger = formats.CHOICES.get(self.request.format), self.request.enlarger
        # A page of several is written by itself.
        whole = job.pages == 1 and not formats.BY_KEY[photograph.format].written_as
        if kept and not enlarger and format in (None, photograph.format) and whole:
            return self.writer.prepare(job.target, "picture", job)
        photograph.pixels = after
        if enlarger:
            if photograph.alpha is not None:
                photograph.alpha = enlarger.alpha(photograph.alpha)
            photograph.metadata = metadata.enlarged(photograph.metadata, enlarger.scale)
        mark = self.writer.mark_of(job, xmp.ENHANCED if kept else xmp.COLORIZED)
        content = photos.encode(photograph, format, self.request.jpeg_quality, mark)
        return self.writer.prepare(job.target, "picture", job, content)


def hints_of(job, height, width) -> np.ndarray:
    """Read the hints of a photograph of this upright size; raises PhotographError."""
    try:
        hints = drawing.read_hints(job.hints.path)
        drawing.check_shape(hints.shape[:2], (height, width))
    except photos.PhotographError as error:
        raise photos.PhotographError(f"{shown(job.hints.path.name)}: {error}") from error
    return hints


def mask_of(job, height, width) -> np.ndarray:
    """Read a person's mask of a photograph of this upright size: uint8 (H, W, 2), brightness and
    opacity; raises PhotographError."""
    name = shown(job.mask.path.name)
    try:
        with photos.opened(job.mask.path) as image:
            mask = photos.load(image)
    except photos.PhotographError as error:
        raise photos.PhotographError(f"{name}: {error}") from error
    if mask.pixels.shape[:2] != (height, width):
        found = f"{mask.pixels.shape[1]} x {mask.pixels.shape[0]}"
        raise photos.PhotographError(
            f"{name} has {found} pixels, and the photograph {width} x {height}"
        )
    opacity = np.full((height, width), 255, np.uint8) if mask.alpha is None else mask.alpha
    bright = grayscale(mask.pixels)[..., 0]
    return np.stack([high_bits(each) for each in (bright, opacity)], axis=2)


def cut(photograph, part) -> None:
    """Cut a Photograph to one print of a plate, where `part` is a scans.Print."""
    if part is None:
        return
    photograph.pixels = part.cut(photograph.pixels)
    if photograph.alpha is not None:
        photograph.alpha = part.cut(photograph.alpha)


def check_pixels(image, scale) -> int:
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


def _side_by_side(before, after) -> photos.Photograph:
    """Put before (gray or RGB) and after (RGB) beside each other, COMPARE_SIZE at most."""
    height, width = after.shape[:2]
    scale = min(1, COMPARE_SIZE / max(height, 2 * width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    pair = [high_bits(resize(picture, *size)) for picture in (before, after)]
    pair = [np.broadcast_to(picture, (*size, 3)) for picture in pair]
    return photos.Photograph(np.concatenate(pair, axis=1))
