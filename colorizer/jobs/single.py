"""One photograph or film from a file or a stream into a file or a stream."""

import contextlib
import dataclasses
import os
import shutil
import sys
import tempfile
from pathlib import Path

from colorizer.errors import UserError, shown
from colorizer.files import formats
from colorizer.films import formats as film_formats
from colorizer.jobs.run import Report, run

STREAM = "-"


def names_a_file(output) -> bool:
    """Tell whether an output is the name of one result, not of a folder of results."""
    suffix = output.suffix.lower()
    known = suffix in formats.SUFFIXES or suffix in film_formats.SUFFIXES
    return str(output) == STREAM or (known and not output.is_dir())


def run_one(request, colorizer, progress) -> Report:
    """Do a request whose output names one file, or is a stream; `-` as input is a stream, too.

    Nothing is recorded. Raises UserError where it is not for one photograph or film, where the file
    is there already, or where its format is none that can be written.
    """
    output = request.output
    into_stream = str(output) == STREAM
    if os.path.lexists(output) and not request.overwrite and not into_stream:
        raise UserError(f"{shown(output)} is there; add --overwrite, or give another --output")
    if not into_stream and output.suffix.lower() in formats.SUFFIXES:
        request = dataclasses.replace(request, format=_format_of(output))
    # Beside the result, so that it appears whole.
    place = None if into_stream else output.absolute().parent
    if place and not place.is_dir():
        raise UserError(f"there is no folder {shown(place)}; make it, or give another --output")
    with tempfile.TemporaryDirectory(prefix=".colorizer-", dir=place) as folder:
        inputs = tuple(_given(path, Path(folder)) for path in request.inputs)
        inner = dataclasses.replace(request, inputs=inputs, output=Path(folder, "result"))
        report = run(inner, colorizer, progress)
        done = [each.job.target for each in report.outcomes if not each.failure]
        if len(done) + len(report.failures) != 1:
            raise UserError(
                f"--output {shown(output)} is for one photograph, and --input names "
                f"{len(done) + len(report.failures)}; give a folder as --output"
            )
        for result in done:
            if into_stream:
                with open(result, "rb") as file, contextlib.suppress(BrokenPipeError):
                    shutil.copyfileobj(file, sys.stdout.buffer)
                    sys.stdout.buffer.flush()
            elif request.format or result.suffix.lower() == output.suffix.lower():
                os.replace(result, output)
            else:
                raise UserError(
                    f"the result is a {result.suffix} file; give --output that ending, or a folder"
                )
    return report


def _format_of(output) -> str:
    """Return the --format of an output's suffix; raises UserError where it cannot be written."""
    suffix = output.suffix.lower()
    key = formats.BY_SUFFIX[suffix].key
    for choice, chosen in formats.CHOICES.items():
        if chosen == key:
            return choice
    raise UserError(
        f"{shown(output)} cannot be written as {key}; end it in "
        f"{', '.join('.' + choice for choice in formats.CHOICES)}"
    )


def _given(path, folder) -> Path:
    """Return an input; what comes from standard input is written into a folder first."""
    if str(path) != STREAM:
        return path
    copy = folder / "input"
    with open(copy, "wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return copy
