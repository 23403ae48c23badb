"""Find the chroma that things of a luminance usually have, for the colours that app.py offers.

    python experiments/measures/likely_colours.py --data imagenet100/train

Reads a folder of photographs in colour. Prints the table LIKELY of colorizer/known.py.
"""

import argparse
import itertools
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer import chroma, errors
from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.jobs.find import find_photographs
from colorizer.pixels import grayscale, to_unit

import cv2
import numpy as np

COLOURS = 7
# Gray levels, of 255, between which one list of colours serves.
BANDS = (0, 64, 112, 152, 192, 256)
PIXELS = 200  # drawn from each photograph
BIN = 5  # of a and b; a bin counts by the square root of its pixels, or all were brown
LEAST_CHROMA = 8  # nearly gray is no suggestion


def colours_of(paths, random):
    """Draw pixels of photographs: gray levels (N,) and chroma (N, 2)."""
    levels, colours = [], []
    for path in paths:
        rgb = photos.read_rgb(path)
        drawn = random.choice(rgb.reshape(1, -1, 3), PIXELS, axis=1)
        levels.append(grayscale(drawn)[0, :, 0])
        colours.append(chroma.chroma_of(to_unit(drawn))[0])
    return np.concatenate(levels), np.concatenate(colours)


def clusters(colours) -> np.ndarray:
    """Return the centres of COLOURS clusters of chroma (N, 2), the commonest first."""
    colours = colours[np.hypot(*colours.T) >= LEAST_CHROMA]
    bins, counts = np.unique(np.rint(colours / BIN), axis=0, return_counts=True)
    # k-means has no weights: each bin stands as often as it counts.
    weights = np.ceil(np.sqrt(counts) / 2).astype(int)
    weights[counts < 3] = 0
    samples = np.repeat(bins * BIN, weights, axis=0).astype(np.float32)
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 100, 0.01)
    centres = cv2.kmeans(samples, COLOURS, None, stop, 20, cv2.KMEANS_PP_CENTERS)[2]
    nearest = ((colours[:, np.newaxis] - centres) ** 2).sum(axis=2).argmin(axis=1)
    return centres[np.argsort(-np.bincount(nearest, minlength=COLOURS))]


def find(arguments) -> None:
    """Print the table."""
    paths = find_photographs(arguments.data)
    if not paths:
        raise UserError(f"{arguments.data} holds no photographs; give another --data")
    random = np.random.default_rng(0)
    paths = [paths[i] for i in random.permutation(len(paths))[: arguments.pictures]]
    levels, colours = colours_of(paths, random)
    for low, high in itertools.pairwise(BANDS):
        centres = clusters(colours[(levels >= low) & (levels < high)])
        print(f"    {high}: ({', '.join(f'({a:.0f}, {b:.0f})' for a, b in centres)}),")


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of photographs in colour")
    parser.add_argument("--pictures", type=int, default=3000, help="how many (default %(default)s)")
    return errors.run(find, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
