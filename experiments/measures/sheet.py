"""Lay photographs before and after colorizing on one sheet, all of a folder, none chosen.

    python experiments/measures/sheet.py --before samples --after outputs/demo --output sheet.jpg

Reads the photographs of the first folder and those of the same names in the others. Writes one
JPEG: a column a photograph, in gray above, then a row for each folder of results.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from colorizer import errors
from colorizer.files import photos
from colorizer.jobs.find import find_photographs
from colorizer.pixels import grayscale, resize

import numpy as np

CELL = 240  # pixels a side of a photograph on the sheet
MARGIN = 4
QUALITY = 85


def cell(rgb):
    """Return a photograph, uint8 (H, W, 3), as the CELL x CELL square from its middle."""
    side = min(rgb.shape[:2])
    top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
    return resize(rgb[top : top + side, left : left + side], CELL, CELL)


def sheet(before, afters, columns=5):
    """Return the sheet, uint8 (H, W, 3), on white, `columns` photographs wide."""
    names = [path.relative_to(before) for path in find_photographs(before)]
    if not names:
        raise errors.UserError(f"{before} holds no photographs; give another --before")
    rows = []
    for start in range(0, len(names), columns):
        group = names[start : start + columns]
        gray = [grayscale(photos.read_rgb(before / name)).repeat(3, -1) for name in group]
        rows.append([cell(picture) for picture in gray])
        rows += [[cell(photos.read_rgb(after / name)) for name in group] for after in afters]
    step = CELL + MARGIN
    picture = np.full((len(rows) * step - MARGIN, columns * step - MARGIN, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, content in enumerate(row):
            picture[y * step : y * step + CELL, x * step : x * step + CELL] = content
    return picture


def make(arguments) -> None:
    """Write the sheet that the command line describes."""
    try:
        picture = sheet(arguments.before, arguments.after, arguments.columns)
    except photos.PhotographError as error:
        raise errors.UserError(f"a photograph cannot be read: {error}") from error
    photos.write(arguments.output, photos.Photograph(picture), quality=QUALITY)
    print(f"wrote {arguments.output}")


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--before", type=Path, required=True, help="folder of the photographs")
    parser.add_argument(
        "--after",
        type=Path,
        required=True,
        action="append",
        help="folder of them in colour, as often as there are systems",
    )
    parser.add_argument("--output", type=Path, required=True, help="JPEG to write")
    parser.add_argument("--columns", type=int, default=5, help="photographs beside each other")
    return errors.run(make, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
