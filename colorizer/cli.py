"""The command: its flags, and the lines it prints."""

import argparse
import contextlib
import math
import warnings
from pathlib import Path

from colorizer import Colorizer
from colorizer.enlarge import Enlarger
from colorizer.errors import STOPPED, Ending, UserError, shown
from colorizer.files import formats, photos
from colorizer.films import formats as film_formats
from colorizer.jobs.dry_run import print_dry_run
from colorizer.jobs.plan import plan
from colorizer.jobs.record import Record
from colorizer.jobs.request import Fingerprint, Request, read_reference
from colorizer.jobs.run import run
from colorizer.progress import Progress

import cv2


def arguments():
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="Colorize photographs and films at their own size: colour from a network, "
        "luminance their own.",
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
        help="side of the square whose area the network sees, 32 to 2048 (default: what the "
        "model's file says, or 224 for a model that takes known colours and 120 for another)",
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
        help=f"codec of coloured films (default: {film_formats.DEFAULT_CODECS})",
    )
    parser.add_argument(
        "--quality",
        type=quality,
        metavar="CRF",
        help="constant rate factor of coloured films, 0 to 63, lower is better (default: "
        f"{film_formats.DEFAULT_QUALITIES})",
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


def megapixels(text) -> float:
    """Parse --max-megapixels."""
    millions = float(text)
    if not 0 < millions < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return millions


def working_size(text) -> int:
    """Parse --working-size."""
    size = int(text)
    if not 32 <= size <= 2048:
        raise argparse.ArgumentTypeError(f"{size} is not between 32 and 2048 pixels")
    return size


def request_of(settings, colorizer) -> Request:
    """Turn what the command line names into a Request; raises UserError where that cannot be."""
    for flag, file in (("--hints", settings.hints), ("--reference", settings.reference)):
        if file and not file.is_file():
            raise UserError(f"there is no file {shown(file)}; give another as {flag}")
        if file and not colorizer.network.takes_known:
            raise UserError(
                f"{colorizer.network.path.name} takes no known colours, which {flag} needs; "
                "give a --model that does"
            )
    scale = settings.enlarge or (1 if settings.restore else None)
    return Request(
        inputs=settings.input,
        output=settings.output,
        format=settings.format,
        compare=settings.compare,
        overwrite=settings.overwrite,
        hints=settings.hints,
        strength=settings.strength,
        keep_colour=settings.keep_colour is not None,
        keep_toned=settings.keep_colour == "toned",
        max_megapixels=settings.max_megapixels,
        reference=settings.reference and read_reference(settings.reference, colorizer),
        enlarger=Enlarger(scale) if scale else None,
        codec=settings.codec,
        quality=settings.quality,
    )


def print_report(report, request) -> None:
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
        how = "in their own colours" if request.enlarger else "copied as they are"
        counts.append(f"{report.left_in_colour} in colour and {how}")
    counts.append(f"{len(report.failures)} failed")
    print(f"{', '.join(counts)}; results are in {shown(request.output)}")


def main(argv=None) -> int:
    """Read the command line, colorize, and report; return the exit status."""
    # OpenCV's own threads would only get in the way of the ones that work on whole photographs.
    cv2.setNumThreads(1)
    # What is wrong with a file is in its failure or its remark.
    warnings.filterwarnings("ignore", module="PIL")
    settings = arguments().parse_args(argv)
    with Ending() as ending:
        if settings.model.endswith(".keras"):
            # TensorFlow prints much when it is imported, unless training/ does it.
            with contextlib.suppress(ImportError):
                import training  # noqa: F401
        colorizer = Colorizer(settings.model, settings.working_size)
        request = request_of(settings, colorizer)
        if settings.dry_run:
            record, fingerprint = Record(request.output), Fingerprint(request, colorizer)
            planned = plan(request, record, fingerprint, colorizer.network.takes_known)
            ending.status = 1 if print_dry_run(planned, colorizer, request) else 0
        else:
            report = run(request, colorizer, Progress)
            print_report(report, request)
            ending.status = 1 if report.failures else 0
            if report.stopped:
                print("stopped; the same command goes on from here")
                ending.status = STOPPED
    return ending.status
