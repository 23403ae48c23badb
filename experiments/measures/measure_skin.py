"""Measure what colorizers make of skin, by its tone: hue, chroma and the sign of their shifts.

    python experiments/measures/measure_skin.py --data faces semantic

Reads colorizers (names that ship, .onnx or .keras files) and aligned crops of faces in colour that
none of them has seen. Prints a row for each group of tones: how many faces, and the means over
them, with 95% bootstrap intervals, of the distance in a and b, of the shift of hue (degrees; below
0 is redder, above 0 yellower) and of the shift of chroma (below 0 is paler).

The tone is measured, not labelled: the individual typology angle of the true skin, atan((L - 50) /
b), in the groups of Chardon et al. 1991. Light and camera shift it; no group is a group of people.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer import Colorizer, errors
from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.jobs.find import find_photographs
from colorizer.pixels import grayscale, is_gray, resize, to_unit

import numpy as np
import scipy.stats
from skimage.color import rgb2lab
from tqdm import tqdm

SIDE = 224
# Rows and columns of an aligned face, in shares of its sides, in which cheeks and nose are.
CHEEKS = (0.45, 0.7), (0.25, 0.75)
# Hue (degrees) and chroma of what is taken for skin there, and the least share of it.
HUES, CHROMAS, LEAST_SKIN = (15, 85), (8, 50), 0.4
# Name -> the least individual typology angle (degrees).
TONES = {
    "very light": 55,
    "light": 41,
    "intermediate": 28,
    "tan": 10,
    "brown": -30,
    "dark": -90,
}
FIGURES = ("distance", "hue", "chroma")
DRAWS = 2000


def hue_of(ab):
    """Return the hue of chroma (..., 2) in degrees: 0 is red, 90 yellow."""
    return np.degrees(np.arctan2(ab[..., 1], ab[..., 0]))


def skin_of(lab):
    """Return where skin is in an aligned face, Lab (SIDE, SIDE, 3): bool, or None."""
    hue, strength = hue_of(lab[..., 1:]), np.linalg.norm(lab[..., 1:], axis=-1)
    cheeks = np.zeros(lab.shape[:2], bool)
    rows, columns = (slice(*(round(SIDE * end) for end in ends)) for ends in CHEEKS)
    cheeks[rows, columns] = True
    skin = cheeks & (hue > HUES[0]) & (hue < HUES[1])
    skin &= (strength > CHROMAS[0]) & (strength < CHROMAS[1])
    return skin if skin.sum() >= LEAST_SKIN * cheeks.sum() else None


def tone_of(lightness, b) -> str:
    """Return the name of a tone of skin by its mean lightness and b."""
    angle = np.degrees(np.arctan2(lightness - 50, b))
    return next(name for name, least in TONES.items() if angle >= least)


def shifts(true, painted) -> list:
    """Return FIGURES of the mean painted chroma of skin, (2,), against the true one."""
    turned = (hue_of(painted) - hue_of(true) + 180) % 360 - 180
    paler = np.linalg.norm(painted) - np.linalg.norm(true)
    return [np.linalg.norm(painted - true), turned, paler]


def with_interval(values) -> str:
    """Return the mean of figures and its 95% bootstrap interval, as text."""
    if len(values) < 2:
        return "—"
    found = scipy.stats.bootstrap(
        (np.asarray(values),), np.mean, n_resamples=DRAWS, method="percentile", random_state=0
    ).confidence_interval
    return f"{np.mean(values):.1f} [{found.low:.1f}, {found.high:.1f}]"


def measure(arguments) -> None:
    """Print the table."""
    paths = find_photographs(arguments.data)
    faces = []
    for path in tqdm(paths, desc="looking for skin", leave=False):
        rgb = resize(photos.read_rgb(path), SIDE, SIDE)
        if is_gray(rgb):
            continue
        lab = rgb2lab(rgb)
        skin = skin_of(lab)
        if skin is not None:
            mean = lab[skin].mean(axis=0)
            faces.append((grayscale(rgb), skin, mean[1:], tone_of(mean[0], mean[2])))
    if not faces:
        raise UserError(f"{arguments.data} holds no faces in colour; give another --data")
    print(f"{len(faces)} faces of {len(paths)} show enough skin")
    print("| colorizer | skin | faces | " + " | ".join(FIGURES) + " |")
    print("| --- | --- | " + " | ".join(["---:"] * 4) + " |")
    for model in arguments.models:
        colorizer = Colorizer(model, SIDE)
        found = {name: [] for name in TONES}
        for gray, skin, true, name in tqdm(faces, leave=False):
            if len(found[name]) < arguments.faces:
                chroma = colorizer.predict(gray)
                painted = rgb2lab(to_unit(colorizer.paint(gray, chroma)))[skin].mean(axis=0)[1:]
                found[name].append(shifts(true, painted))
        for name, rows in found.items():
            texts = [with_interval(values) for values in zip(*rows, strict=True)]
            texts = texts or ["—"] * len(FIGURES)
            print(f"| {model} | {name} | {len(rows)} | " + " | ".join(texts) + " |", flush=True)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", help="colorizers: names that ship, or files")
    parser.add_argument("--data", type=Path, required=True, help="folder of faces")
    parser.add_argument(
        "--faces", type=int, default=200, help="at most, of each group (default: %(default)s)"
    )
    return errors.run(measure, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
