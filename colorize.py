"""Colorize photographs and films at their own size: colour from a network, luminance their own.

    python colorize.py --input DIR_OR_FILE ...

Reads every photograph and film below each DIR, and each FILE, and writes each one in colour, under
the same relative path, below outputs/colorized/, where colorized.jsonl records what each result was
made of. Exit status: 0 all done, 1 some failed, 2 wrong call.
"""

import argparse
import contextlib
import dataclasses
import signal
import sys
import warnings
from pathlib import Path

if __name__ == "__main__":
    # What follows takes seconds to import. Ctrl-C ends it at once; later `errors.run` answers it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from colorizer import Colorizer
from colorizer.arguments import megapixels, working_size
from colorizer.colorizer import SHIPPED, WORKING_SIZE
from colorizer.enlarge import Enlarger
from colorizer.errors import STOPPED, UserError, run, shown
from colorizer.files import formats, photos
from colorizer.films import formats as film_formats
from colorizer.jobs import photographs
from colorizer.jobs.dry_run import print_forecast
from colorizer.jobs.plan import plan
from colorizer.jobs.record import Record
from colorizer.progress import Progress

import cv2


@dataclasses.dataclass
class Report:
    """What became of the photographs."""

    done: int = 0
    compared: int = 0
    skipped: int = 0
    left_in_colour: int = 0
    recoloured: int = 0
    toned: int = 0
    failures: list = dataclasses.field(default_factory=list)
    remarks: list = dataclasses.field(default_factory=list)

    def add(self, outcome) -> None:
        """Take up what became of one photograph."""
        job, name = outcome.job, outcome.job.name
        if outcome.failure:
            self.failures.append((name, outcome.failure))
            return
        self.remarks += [(name, phrase) for phrase in (outcome.remark, job.note) if phrase]
        if not job.paint:
            self.compared += 1
        elif outcome.kept:
            self.left_in_colour += 1
        else:
            self.done += 1
            self.recoloured += outcome.in_colour
            self.toned += outcome.toned


def arguments():
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0],
        epilog="Exit status: 0 all done, 1 some failed, 2 wrong call, 130 stopped by Ctrl-C.",
    )
    parser.add_argument(
        "--input",
        type=path,
        required=True,
        nargs="+",
        metavar="DIR_OR_FILE",
        help="folders of photographs and films, and single ones; results of several folders go "
        "below the folders' own names",
    )
    parser.add_argument(
        "--output",
        type=path,
        default=Path("outputs/colorized"),
        help="folder for the results (default %(default)s); a photograph whose name another file "
        "has there gets a name of its own",
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
        help="colorize again what is finished, and write over files of the same name that are not "
        "recorded as another photograph's results (default: skip what colorized.jsonl records as "
        "made from the same photograph, model and settings, or as changed by somebody since; write "
        "over nothing else than results made with other settings)",
    )
    parser.add_argument(
        "--format",
        choices=formats.CHOICES,
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
        "--hints",
        type=path,
        metavar="FILE",
        help="colours for places of one photograph: a picture of its shape, transparent but where "
        "it is painted in the colour wanted (default: NAME.hints.png beside the photograph NAME)",
    )
    parser.add_argument(
        "--reference",
        type=path,
        metavar="FILE",
        help="a photograph in colour; places that look like places of it get their colours",
    )
    parser.add_argument(
        "--keep-colour",
        nargs="?",
        choices=("colour", "toned"),
        const="colour",
        help="copy photographs that are in colour as they are; sepia and other prints of one hue "
        "count as black-and-white, unless it is --keep-colour toned (default: recolour all, and "
        "say so)",
    )
    parser.add_argument(
        "--restore",
        action="store_true",
        help="first take grain, noise, scratches, dust and JPEG's blocks away",
    )
    parser.add_argument(
        "--enlarge",
        type=int,
        choices=(2, 4),
        metavar="TIMES",
        help="the same, and make photographs 2 or 4 times as wide and high; those that "
        "--keep-colour leaves in colour as well",
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="also write NAME-compare.jpg, the photograph before and after beside each other",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="write nothing; say what would be done, skipped and refused, and how long it takes",
    )
    parser.add_argument(
        "--codec",
        choices=film_formats.CODECS,
        help="codec of coloured films (default: h264; vp9 in .webm, mpeg2 in .mpg, mpeg4 in .avi "
        "and .wmv)",
    )
    parser.add_argument(
        "--quality",
        type=quality,
        metavar="CRF",
        help="constant rate factor of coloured films, 0 to 63, lower is better (default: "
        + ", ".join(f"{value} for {name}" for name, value in film_formats.CODECS.items())
        + ")",
    )
    parser.add_argument(
        "--max-megapixels",
        type=megapixels,
        default=photos.MAX_MEGAPIXELS,
        metavar="MILLIONS",
        help="refuse photographs of more pixels than this (default %(default)s)",
    )
    return parser


def path(text) -> Path:
    """Parse a path; one of no characters is a mistake of a script, not the folder it runs in."""
    if not text:
        raise argparse.ArgumentTypeError("an empty text is no path")
    return Path(text)


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
    reference = check_known(settings, colorizer)
    scale = settings.enlarge or (1 if settings.restore else None)
    options = photographs.Options(
        settings.strength,
        settings.format,
        keep_colour=settings.keep_colour is not None,
        keep_toned=settings.keep_colour == "toned",
        max_megapixels=settings.max_megapixels,
        reference=reference,
        enlarger=Enlarger(scale) if scale else None,
    )
    record = Record(settings.output)
    film_settings = {"codec": settings.codec, "quality": settings.quality}
    planned = plan(
        settings.input,
        settings.output,
        settings.format,
        record,
        photographs.recorded_settings(colorizer, options),
        settings.compare,
        settings.overwrite,
        film_settings,
        settings.hints,
        colorizer.network.takes_known,
    )
    if options.enlarger:
        planned.failures += refuse_films(planned)
    if settings.dry_run:
        return 1 if print_forecast(planned, colorizer, options) else 0
    report = Report(skipped=len(planned.skipped), failures=planned.failures)
    report.remarks += [(name, "changed since it was written, and kept") for name in planned.kept]
    try:
        settings.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{shown(settings.output)} cannot be made ({error.strerror}); "
            "give another folder as --output"
        ) from error
    jobs = [job for job in planned.jobs if not job.film]
    stopped = bool(jobs) and colorize_jobs(jobs, colorizer, options, record, report)
    jobs = [job for job in planned.jobs if job.film]
    if jobs and not stopped:
        stopped = colorize_films(jobs, colorizer, options, film_settings, record, report)
    print_report(report, settings)
    if stopped:
        print("stopped; the same command goes on from here")
        return STOPPED
    return 1 if report.failures else 0


def refuse_films(planned) -> list:
    """Take the films out of a plan; return their names, each with the reason."""
    films = [job for job in planned.jobs if job.film]
    planned.jobs = [job for job in planned.jobs if not job.film]
    reason = "films are neither restored nor enlarged; leave --restore and --enlarge out"
    return [(job.name, reason) for job in films]


def check_known(settings, colorizer) -> photographs.Reference | None:
    """Return what --reference says, if it is given.

    Raises UserError where that or --hints cannot be used.
    """
    for flag, file in (("--hints", settings.hints), ("--reference", settings.reference)):
        if file and not file.is_file():
            raise UserError(f"there is no file {shown(file)}; give another as {flag}")
        if file and not colorizer.network.takes_known:
            raise UserError(
                f"{colorizer.network.path.name} takes no known colours, which {flag} needs; "
                "give a --model that does"
            )
    if settings.reference:
        return photographs.read_reference(settings.reference, colorizer)
    return None


def colorize_jobs(jobs, colorizer, options, record, report) -> bool:
    """Colorize the jobs under a progress bar and fill the report; return whether it was stopped."""
    with Progress(total=len(jobs), desc="colorizing", unit=" photographs") as progress:

        def tell(outcome):
            report.add(outcome)
            progress.update()

        try:
            photographs.colorize_files(jobs, colorizer, options, record, tell)
        except KeyboardInterrupt:
            return True
    return False


def colorize_films(jobs, colorizer, options, film_settings, record, report) -> bool:
    """Colorize films one after the other, as `colorize_jobs` does photographs."""
    # Not imported above, because a photograph need not wait for FFmpeg's libraries.
    try:
        from colorizer.jobs import films
    except ImportError as error:
        raise UserError(
            f"films need PyAV ({error}); run `pip install -r requirements-colorize.txt`"
        ) from error
    film_options = films.Options(
        options.strength,
        keep_colour=options.keep_colour,
        reference=options.reference,
        **film_settings,
    )
    recorded = photographs.recorded_settings(colorizer, options) | film_settings
    writer = photographs.Writer(record, recorded)
    for job in jobs:
        with Progress(desc=job.name, unit=" frames", smoothing=0.05) as progress:

            def tell(frames, all_frames, progress=progress):
                progress.total = all_frames or None
                progress.update(frames)

            try:
                outcome = films.colorize_film(job, colorizer, film_options, writer, tell)
            except KeyboardInterrupt:
                return True
        report.add(outcome)
    return False


def print_report(report, settings) -> None:
    """Print remarks, failures with their reasons, the counts, and where the results are."""
    for name, remark in report.remarks:
        print(f"{name}: {remark}")
    for name, reason in report.failures:
        print(f"failed: {name}: {reason}")
    if report.recoloured:
        print(f"{report.recoloured} were in colour and were recoloured (--keep-colour leaves them)")
    if report.toned:
        print(
            f"{report.toned} were prints of one hue, such as sepia, and were colorized as "
            "black-and-white (--keep-colour toned leaves them)"
        )
    counts = [f"{report.done} colorized"]
    if report.skipped:
        counts.append(f"{report.skipped} skipped, finished earlier (--overwrite does them again)")
    if report.compared:
        counts.append(f"{report.compared} finished earlier and now compared")
    if report.left_in_colour:
        how = (
            "in their own colours" if settings.restore or settings.enlarge else "copied as they are"
        )
        counts.append(f"{report.left_in_colour} in colour and {how}")
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
