"""The command: its flags, and the lines it prints."""

import argparse
import contextlib
import math
import sys
import warnings
from fractions import Fraction
from pathlib import Path

from colorizer import Colorizer
from colorizer.errors import STOPPED, Ending, UserError, shown
from colorizer.files import formats, photos
from colorizer.films import formats as film_formats
from colorizer.jobs import single
from colorizer.jobs.dry_run import print_dry_run
from colorizer.jobs.plan import plan
from colorizer.jobs.record import Record
from colorizer.jobs.request import Fingerprint, Request, read_reference
from colorizer.jobs.run import run
from colorizer.network import DEVICES, WORKING_SIZES
from colorizer.prints.enlarge import PARTS, USUAL_PARTS, Enlarger
from colorizer.progress import Progress

import cv2

EPILOG = """\
examples:
  colorize photographs                        everything in a folder, into outputs/colorized
  colorize --restore --enlarge 2 old.jpg --output new.jpg
  colorize album --reference aunt.jpg --strength 0.8 --compare

exit status: 0 all done, 1 some failed, 2 wrong call, 130 stopped by Ctrl-C
docs/files.md has the rest."""


def arguments():
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="colorize",
        description="Bring black-and-white photographs and films into colour, at their own size.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument_group("what").add_argument
    add("paths", type=path, nargs="*", metavar="PATH", help="folders, photographs, films; - reads")
    add("--input", type=path, nargs="+", default=[], metavar="PATH", help="the same")
    add(
        "--output",
        type=path,
        default=Path("outputs/colorized"),
        metavar="PATH",
        help="folder; for one photograph a file, or - to write it out (default %(default)s)",
    )
    add("--overwrite", action="store_true", help="do finished ones again; replace unknown files")
    add("--dry-run", action="store_true", help="write nothing; print what would be done")

    add = parser.add_argument_group("how").add_argument
    add("--model", default="semantic", help="semantic, paper, or a file (default %(default)s)")
    add("--working-size", type=working_size, metavar="PIXELS", help="the network sees this square")
    add("--strength", type=strength, default=1.0, metavar="SHARE", help="of the colour, 0 to 1")
    add("--hints", type=path, metavar="FILE", help="your colours (default: NAME.hints.png beside)")
    add(
        "--reference", type=path, metavar="FILE", help="colours for what looks like this photograph"
    )
    add(
        "--restore",
        action=Restoring,
        nargs="*",
        metavar="SHARE|PART",
        help=f"mend old prints, by a share (0.5), or parts: {', '.join(PARTS)} "
        f"(default: {', '.join(USUAL_PARTS)})",
    )
    add("--enlarge", type=int, choices=(2, 4), help="make it so much wider and higher")
    add("--mask-out", action="store_true", help="also write NAME.mask.png, what --restore filled")
    add("--split", action="store_true", help="a picture of each print on a scanner's plate")
    add("--trim", action="store_true", help="hide black or white frames from the network")
    add(
        "--keep-colour",
        nargs="?",
        choices=("colour", "toned"),
        const="colour",
        help="copy what is in colour; toned: copy sepia and the like as well",
    )

    add = parser.add_argument_group("files").add_argument
    add("--format", choices=formats.CHOICES, help="of the results (default: each file's own)")
    add("--jpeg-quality", type=percent, metavar="0..100", help="default: about the source's own")
    add("--label", nargs="?", const="colorized", default="", help="write this word in a corner")
    add("--compare", action="store_true", help="also before and after: NAME-compare.jpg, .mp4")
    add(
        "--max-megapixels",
        type=megapixels,
        default=photos.MAX_MEGAPIXELS,
        metavar="MILLIONS",
        help="refuse larger ones (default %(default)s)",
    )

    add = parser.add_argument_group("films").add_argument
    add("--codec", choices=film_formats.CODECS, help=f"default {film_formats.DEFAULT_CODECS}")
    qualities = film_formats.DEFAULT_QUALITIES
    add("--quality", type=quality, metavar="CRF", help=f"0 to 63, lower is better ({qualities})")
    add("--as-film", type=rate, metavar="RATE", help="a film of each folder; pictures a second")
    add("--from", dest="begin", type=moment, metavar="TIME", help="do a part: 90, 1:30, 0:01:30.5")
    add("--to", dest="end", type=moment, metavar="TIME", help="the part ends before this time")
    add("--preview", action="store_true", help="write a sheet of the scenes instead, in minutes")
    add("--scenes", type=path, metavar="FILE", help="the cuts of a film; --preview writes them")
    add("--keep-interlaced", action="store_true", help="default: a frame for each field")

    add = parser.add_argument_group("where").add_argument
    add("--device", choices=("auto", *DEVICES), default="auto", help="what runs the networks")
    add("--cluster", metavar="ADDRESS", help="a Dask scheduler, such as tcp://host:8786")
    parser.set_defaults(more_paths=[])
    return parser


class Restoring(argparse.Action):
    """Parse --restore: a share of 0 to 1, parts, or nothing; then paths may follow."""

    def __call__(self, parser, namespace, values, option=None):
        share, parts = 1.0, []
        while values:
            try:
                share = strength(values[0])
            except ValueError:
                if values[0] not in PARTS:
                    break
                parts.append(values[0])
            except argparse.ArgumentTypeError as error:
                raise argparse.ArgumentError(self, str(error)) from error
            values = values[1:]
        namespace.restore = (tuple(parts) or USUAL_PARTS, share)
        namespace.more_paths = [path(value) for value in values]


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


def moment(text) -> Fraction:
    """Parse --from and --to: seconds, minutes:seconds or hours:minutes:seconds."""
    parts = [Fraction(part) for part in text.split(":")]
    if len(parts) > 3 or min(parts) < 0:
        raise argparse.ArgumentTypeError(f"{text} is no time; write 90, 1:30 or 0:01:30.5")
    return sum(part * 60**power for power, part in enumerate(reversed(parts)))


def percent(text) -> int:
    """Parse --jpeg-quality."""
    number = int(text)
    if not 0 <= number <= 100:
        raise argparse.ArgumentTypeError(f"{number} is not between 0 and 100")
    return number


def rate(text) -> Fraction:
    """Parse --as-film: pictures a second, such as 24, 23.976 or 24000/1001."""
    value = Fraction(text).limit_denominator(1001)
    if not 1 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 1000")
    return value


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
    if size not in WORKING_SIZES:
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
    if settings.scenes and not settings.scenes.is_file() and not settings.preview:
        raise UserError(f"there is no file {shown(settings.scenes)}; add --preview to write it")
    if settings.end is not None and settings.end <= (settings.begin or 0):
        raise UserError("--to is not behind --from; nothing lies between them")
    parts, share = settings.restore or ((), 1.0)
    scale = settings.enlarge or (1 if settings.restore else None)
    if settings.mask_out and "scratches" not in parts:
        raise UserError("--mask-out shows what is filled; give --restore scratches as well")
    inputs, output = (*settings.paths, *settings.more_paths, *settings.input), settings.output
    if settings.cluster:
        if single.names_a_file(output):
            raise UserError("--cluster is for folders; give a folder as --output")
        # Workers run in folders of their own.
        inputs, output = tuple(path.absolute() for path in inputs), output.absolute()
    return Request(
        inputs=inputs,
        output=output,
        cluster=settings.cluster,
        format=settings.format,
        compare=settings.compare,
        overwrite=settings.overwrite,
        hints=settings.hints,
        strength=settings.strength,
        keep_colour=settings.keep_colour is not None,
        keep_toned=settings.keep_colour == "toned",
        max_megapixels=settings.max_megapixels,
        reference=settings.reference and read_reference(settings.reference, colorizer),
        enlarger=Enlarger(scale, parts=parts, strength=share, device=settings.device)
        if scale
        else None,
        mask_out=settings.mask_out,
        split=settings.split,
        trim=settings.trim,
        label=settings.label,
        jpeg_quality=settings.jpeg_quality,
        codec=settings.codec,
        quality=settings.quality,
        keep_interlaced=settings.keep_interlaced,
        as_film=settings.as_film,
        begin=settings.begin,
        end=settings.end,
        scenes=settings.scenes,
        preview=settings.preview,
    )


def print_report(report, request) -> None:
    """Print remarks, failures with their reasons, the counts, and where the results are."""
    for name, remark in report.remarks:
        print(f"{name}: {shown(remark)}")
    for name, reason in report.failures:
        print(f"failed: {name}: {shown(reason)}")
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
        model = settings.model
        if settings.cluster and Path(model).exists():
            model = Path(model).absolute()
        colorizer = Colorizer(model, settings.working_size, settings.device)
        request = request_of(settings, colorizer)
        if not request.inputs:
            raise UserError("there is no input; give a folder or a file, as in: colorize FOLDER")
        into_file = single.names_a_file(request.output)
        if settings.dry_run:
            record, fingerprint = Record(request.output), Fingerprint(request, colorizer)
            planned = plan(request, record, fingerprint, colorizer.network.takes_known)
            ending.status = 1 if print_dry_run(planned, colorizer, request, Progress) else 0
        else:
            report = (single.run_one if into_file else run)(request, colorizer, Progress)
            # A result that is written out has standard output for itself.
            to_stream = str(request.output) == single.STREAM
            with contextlib.redirect_stdout(sys.stderr if to_stream else sys.stdout):
                print_report(report, request)
            ending.status = 1 if report.failures else 0
            if report.stopped:
                print("stopped; the same command goes on from here")
                ending.status = STOPPED
    return ending.status
