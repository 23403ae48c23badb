"""A dry run: what a run would do, with formats, megapixels and time; nothing is written."""

import math
import os
import time
from collections import Counter

from colorizer.errors import shown
from colorizer.files import metadata, photos
from colorizer.films.cuts import clock
from colorizer.jobs.photographs import check_pixels, hints_of
from colorizer.jobs.run import films_module
from colorizer.pixels import resize

import numpy as np

# The photograph on which the time is measured, in pixels.
TRIAL_HEIGHT, TRIAL_WIDTH = 1000, 1000


def print_dry_run(planned, colorizer, request, progress) -> int:
    """Print a line for each job of a plan, then counts, formats, megapixels and time.

    Films have a line for each scene, for which they are read; `progress` is as `run` takes it.

    Returns how many would fail, as far as their headers tell.
    """
    formats, pixels, made, failures = Counter(), 0, 0, list(planned.failures)
    for name in planned.skipped:
        print(f"{name}: skipped, finished earlier")
    for name in planned.kept:
        print(f"{name}: stays, changed since it was written")
    moving, of_films = 0, 0.0
    for job in planned.films:
        try:
            film, what = films_module().described(job, request)
            print(f"{job.name}: a film, {what}, to {shown(job.target)}{_note(job)}")
            of_films += _examine(job, film, colorizer, request, progress)
            moving += 1
        except BaseException as error:
            failures.append((job.name, films_module().reason_of(error)))
    for job in planned.photographs:
        try:
            with photos.opened(job.source.path, request.max_megapixels, job.page) as image:
                size, format = math.prod(image.size), image.format
                larger = check_pixels(image, request.scale)
                if job.hints:
                    turned = metadata.orientation(image) >= 5
                    hints_of(job, *(image.size if turned else image.size[::-1]))
        except photos.PhotographError as error:
            failures.append((job.name, str(error)))
            continue
        formats[format] += 1
        pixels, made = pixels + size, made + larger
        megapixels = f"{size / 1e6:.1f} megapixels"
        print(f"{job.name}: {format}, {megapixels}, to {shown(job.target)}{_note(job)}")
    for name, reason in failures:
        print(f"would fail: {name}: {reason}")
    count = formats.total()
    kinds = ", ".join(f"{number} {format}" for format, number in formats.most_common())
    seconds = of_films + (_seconds(colorizer, request.enlarger, count, made) if count else 0)
    moving = f"{moving} films and " if planned.films else ""
    print(
        f"would colorize {moving}{count} photographs of {pixels / 1e6:.1f} megapixels"
        f"{kinds and f' ({kinds})'} in about {_duration(seconds)}; {len(planned.skipped)} skipped, "
        f"{len(failures)} would fail; nothing was written"
    )
    return len(failures)


def _examine(job, film, colorizer, request, progress) -> float:
    """Print the scenes of a film, and return how many seconds it will take."""
    with progress(desc=job.name, unit=" frames", total=None) as bar:

        def tell(frames, all_frames):
            bar.total = all_frames or None
            bar.update(frames)

        scenes, seconds = films_module().examine(job, film, colorizer, request, tell)
    for number, scene in enumerate(scenes, start=1):
        frames = scene.end - scene.begin
        print(f"  scene {number}: {clock(scene.seconds)}, {frames} frames from {scene.begin}")
    print(f"  {len(scenes)} scenes, about {_duration(seconds)}")
    return seconds


def _note(job) -> str:
    """Say what else there is to say of a job, in brackets, or nothing."""
    notes = [job.hints and f"with {shown(job.hints.path.name)}", job.note]
    note = "; ".join(filter(None, notes))
    return f" ({note})" if note else ""


def _seconds(colorizer, enlarger, count, pixels) -> float:
    """Measure one photograph and return how long so many of so many pixels take, all together.

    The pixels are those of the results, made with an Enlarger or with None.
    """
    levels = np.random.default_rng(0).integers(0, 256, (TRIAL_HEIGHT // 8, TRIAL_WIDTH // 8, 1))
    trial = resize(levels.astype(np.uint8), TRIAL_HEIGHT, TRIAL_WIDTH)
    colorizer.predict(trial)  # the first is slower than the others
    started = time.perf_counter()
    chroma = colorizer.predict(trial)
    each = time.perf_counter() - started
    started = time.perf_counter()
    photos.encode(photos.Photograph(colorizer.paint(trial, chroma)))
    # Decoding takes about half as long as encoding does.
    per_pixel = 1.3 * (time.perf_counter() - started) / (TRIAL_HEIGHT * TRIAL_WIDTH)
    seconds = (count * each + pixels * per_pixel) / min(os.cpu_count() or 1, count)
    if enlarger:
        small = trial[: TRIAL_HEIGHT // enlarger.scale, : TRIAL_WIDTH // enlarger.scale]
        started = time.perf_counter()
        larger = enlarger.luminance(small)  # on all cores
        seconds += pixels * (time.perf_counter() - started) / larger.size
    return seconds


def _duration(seconds) -> str:
    """Write a duration for people."""
    if seconds < 90:
        return f"{math.ceil(seconds)} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
