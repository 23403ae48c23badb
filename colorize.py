"""Colorize photographs and films at their own size: colour from a network, luminance their own.

    python colorize.py --input DIR_OR_FILE

Reads every photograph and film below DIR, or the one FILE, and writes each one in colour, under the
same relative path, below outputs/colorized/. Exit status: 0 all done, 1 some failed, 2 wrong call.
"""

import argparse
import contextlib
import dataclasses
import itertools
import os
import sys
import warnings
from pathlib import Path

from colorizer import Colorizer, batch, formats, photos
from colorizer.colorizer import SHIPPED, WORKING_SIZE
from colorizer.errors import UserError, run

import cv2
from tqdm import tqdm


@dataclasses.dataclass
class Report:
    """What became of the photographs."""

    done: int = 0
    skipped: int = 0
    left_in_colour: int = 0
    recoloured: int = 0
    failures: list = dataclasses.field(default_factory=list)
    remarks: list = dataclasses.field(default_factory=list)

    def add(self, outcome, keep_colour) -> None:
        """Take up what became of one photograph."""
        name = outcome.job.name
        if outcome.remark:
            self.remarks.append((name, outcome.remark))
        if outcome.failure:
            self.failures.append((name, outcome.failure))
        elif outcome.in_colour and keep_colour:
            self.left_in_colour += 1
        else:
            self.done += 1
            self.recoloured += outcome.in_colour


def shown(path) -> str:
    """Write a path for people: bytes that are no text, and control characters, are escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def plan(input_path, output, format, report) -> list[batch.Job]:
    """Find photographs and films and name the files to write; no two get the same name.

    `format` is a suffix of batch.FORMATS, or None to keep each file's name. Folders that cannot be
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
            f"{shown(input_path)} holds no photographs ({', '.join(photos.SUFFIXES)}) "
            f"and no films ({', '.join(formats.FILM_SUFFIXES)}); give another --input"
        )
    jobs, taken = [], set()
    for source in sources:
        relative = source.relative_to(root)
        film = formats.is_film(source)
        if film:
            wanted = output / formats.film_target(relative)
        else:
            wanted = output / (relative.with_suffix(f".{format}") if format else relative)
        target = _free(wanted, taken)
        compare_target = _free(target.with_name(f"{target.stem}-compare.jpg"), taken)
        if target != wanted:
            report.remarks.append((shown(relative), f"written as {shown(target.name)}"))
        jobs.append(batch.Job(source, shown(relative), target, compare_target, film))
    inputs = {_place(job.source) for job in jobs}
    for target in itertools.chain.from_iterable((j.target, j.compare_target) for j in jobs):
        if _place(target) in inputs:
            raise UserError(
                f"{shown(target)} would be written over an input; give another folder as --output"
            )
    return jobs


def _find(folder, output, report) -> list[Path]:
    """List photographs and films below `folder`, without results of earlier runs in `output`."""

    def fail(error):
        report.failures.append((shown(error.filename), error.strerror.lower()))

    suffixes = photos.SUFFIXES + formats.FILM_SUFFIXES
    found = photos.find_photographs(folder, fail, suffixes)
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
    compared = job.film or not settings.compare or job.compare_target.exists()
    return job.target.exists() and compared


def arguments():
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0],
        epilog="Exit status: 0 all done, 1 some failed, 2 wrong call, 130 stopped by Ctrl-C.",
    )
    parser.add_argument(
        "--input", type=Path, required=True, help="a folder of photographs and films, or one"
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
        help="semantic or paper, which ship, or an .onnx or .keras file that train.py wrote "
        "(default %(default)s)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="colorize again what an earlier run has finished (default: skip it)",
    )
    parser.add_argument(
        "--format",
        choices=batch.FORMATS,
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
        "--codec",
        choices=formats.CODECS,
        help="codec of coloured films (default: h264; vp9 in .webm, mpeg2 in .mpg, mpeg4 in .avi "
        "and .wmv)",
    )
    parser.add_argument(
        "--quality",
        type=quality,
        metavar="CRF",
        help="constant rate factor of coloured films, 0 to 63, lower is better (default: "
        + ", ".join(f"{value} for {name}" for name, value in formats.CODECS.items())
        + ")",
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


def quality(text) -> int:
    """Parse --quality."""
    factor = int(text)
    if not 0 <= factor <= 63:
        raise argparse.ArgumentTypeError(f"{factor} is not between 0 and 63")
    return factor


def colorize(settings) -> int:
    """Colorize what `settings` name and say what became of it; return the exit status."""
    if settings.model.endswith(".keras"):
        # TensorFlow says much when it is imported, unless training/ does it.
        with contextlib.suppress(ImportError):
            import training  # noqa: F401
    colorizer = Colorizer(settings.model, settings.working_size)
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
    still = [job for job in jobs if not job.film]
    moving = [job for job in jobs if job.film]
    stopped = bool(still) and colorize_jobs(still, colorizer, settings, report)
    stopped = stopped or colorize_films(moving, colorizer, settings, report)
    print_report(report, settings)
    if stopped:
        print("stopped; the same command goes on from here")
        return 130
    return 1 if report.failures else 0


def colorize_jobs(jobs, colorizer, settings, report) -> bool:
    """Colorize the jobs under a progress bar and fill the report; return whether it was stopped."""
    options = batch.Options(
        settings.strength,
        settings.format,
        settings.keep_colour,
        settings.compare,
        settings.max_megapixels,
    )
    with tqdm(total=len(jobs), desc="colorizing", unit=" photographs") as progress:

        def tell(outcome):
            report.add(outcome, settings.keep_colour)
            progress.update()

        try:
            batch.colorize_files(jobs, colorizer, options, tell)
        except KeyboardInterrupt:
            return True
    return False


def colorize_films(jobs, colorizer, settings, report) -> bool:
    """Colorize films one after the other, as `colorize_jobs` does photographs."""
    if not jobs:
        return False
    # Not imported above, because a photograph need not wait for FFmpeg's libraries.
    try:
        from colorizer import films
    except ImportError as error:
        raise UserError(
            f"films need PyAV ({error}); run `pip install -r requirements-colorize.txt`"
        ) from error
    options = films.Options(
        settings.strength, settings.codec, settings.quality, settings.keep_colour
    )
    for job in jobs:
        with tqdm(desc=job.name, unit=" frames", smoothing=0.05) as progress:

            def tell(frames, all_frames, progress=progress):
                progress.total = all_frames or None
                progress.update(frames)

            try:
                outcome = films.colorize_film(job, colorizer, options, tell)
            except KeyboardInterrupt:
                return True
        report.add(outcome, settings.keep_colour)
    return False


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
