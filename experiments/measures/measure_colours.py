"""Measure what people bring and see: made-old photographs, patchy things, hints that bleed.

    python experiments/measures/measure_colours.py --data photographs outputs/a/generator.onnx

Reads colorizers (names that ship, .onnx or .keras files) and photographs that none of them has
seen. Prints a row for each: how far its chroma is from the true one on pictures as they are and on
those made old; the chroma it paints; then, scaled to one colourfulness, patchiness, PSNR and
balanced AuC; and how far a point's colour goes in its region and behind its edge.

The recipe of the made-old pictures is none of pictures/ageing.py's: each kind has one strength.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer import Colorizer, chroma, errors
from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.hints.known import at_half_size
from colorizer.jobs.find import find_photographs
from colorizer.pixels import grayscale, is_gray, resize, shrink, to_uint8, to_unit
from experiments.measures import judge, measure_hints

import cv2
import numpy as np
from tqdm import tqdm

SIDE = judge.SIDE
# Blue-sensitive film: how much of the gray is red, green and blue, of sRGB's values.
ORTHOCHROMATIC = 0.05, 0.35, 0.60
# A Gaussian's sigma in pixels of a picture of 256; grain's deviation in shares of white; the levels
# of 255 that black and white become.
SOFT_SIGMA, SOFT_SIDE = 1.6, 256
GRAIN = 0.13
FADED_BLACK, FADED_WHITE = 60, 188
# What is done to the gray picture, in this order: grain that has not faded with the print disturbs
# a colorizer most.
KINDS = {
    "clean": (),
    "ortho": ("ortho",),
    "soft": ("soft",),
    "grain": ("grain",),
    "faded": ("faded",),
    "all four": ("ortho", "soft", "faded", "grain"),
}
# Pairs of places so far apart, in pixels of a picture of half of SIDE, and how alike their true
# chroma has to be: the weight is exp(-d^2 / ALIKE).
NEAREST, FARTHEST, ALIKE = 4, 30, 32
PAIRS = 20000
# Regions of one picture that are given a point.
REGIONS = 2


def make_old(rgb, kinds, random) -> np.ndarray:
    """Return the gray, uint8 (H, W, 1), of RGB, uint8 (H, W, 3), made old in these ways."""
    gray = to_unit(grayscale(rgb))[..., 0]
    if "ortho" in kinds:
        gray = to_unit(rgb) @ np.array(ORTHOCHROMATIC, np.float32)
    if "soft" in kinds:
        gray = cv2.GaussianBlur(gray, (0, 0), SOFT_SIGMA * max(gray.shape) / SOFT_SIDE)
    if "faded" in kinds:
        gray = (FADED_BLACK + (FADED_WHITE - FADED_BLACK) * gray) / 255
    if "grain" in kinds:
        gray = np.clip(gray + GRAIN * random.standard_normal(gray.shape, np.float32), 0, 1)
    return to_uint8(gray)[..., np.newaxis]


def made_old(colorizer, truths) -> dict:
    """Return the mean chroma error of each of KINDS, and the mean chroma painted (Lab), by name."""
    found = {}
    for name, kinds in KINDS.items():
        distances, painted = [], []
        for number, truth in enumerate(tqdm(truths, desc=name, leave=False)):
            gray = make_old(truth, kinds, np.random.default_rng(number))
            true = chroma.chroma_of(to_unit(truth))
            predicted = colorizer.predict(gray)
            distances.append(np.linalg.norm(predicted - true, axis=-1).mean())
            painted.append(np.linalg.norm(predicted, axis=-1).mean())
        found[name] = float(np.mean(distances))
        found[f"{name}, chroma"] = float(np.mean(painted))
    return found


def pairs_of_places(random, side) -> np.ndarray:
    """Draw pairs of places (row, column), int64 (2, PAIRS, 2), NEAREST to FARTHEST apart."""
    first = random.integers(0, side, (4 * PAIRS, 2))
    angle = random.uniform(0, 2 * np.pi, 4 * PAIRS)
    far = random.uniform(NEAREST, FARTHEST, 4 * PAIRS)
    second = first + np.rint(far * [np.sin(angle), np.cos(angle)]).astype(int).T
    inside = ((second >= 0) & (second < side)).all(axis=1)
    return np.stack([first[inside][:PAIRS], second[inside][:PAIRS]])


def patchiness(truths, pictures) -> float:
    """Return how far apart the chroma of places is whose true chroma is alike, in Lab.

    Both are lists of uint8 RGB (SIDE, SIDE, 3). Chroma is that of half the size.
    """
    total, weight = 0.0, 0.0
    for number, (truth, picture) in enumerate(zip(truths, pictures, strict=True)):
        places = pairs_of_places(np.random.default_rng(number), SIDE // 2)
        true, painted = (
            chroma.chroma_of(to_unit(shrink(each, SIDE // 2, SIDE // 2)))
            for each in (truth, picture)
        )
        apart, found = (
            np.linalg.norm(np.subtract(*each[places[..., 0], places[..., 1]]), axis=-1)
            for each in (true, painted)
        )
        alike = np.exp(-(apart**2) / ALIKE)
        total += (alike * found).sum()
        weight += alike.sum()
    return float(total / weight)


class Unconfined(Colorizer):
    """A colorizer whose known colours go as far as the network takes them."""

    def predict(self, image, known=None):
        """As Colorizer does, of pictures whose sides are multiples of 8."""
        if known is None:
            return super().predict(image)
        gray = to_unit(grayscale(image))[np.newaxis]
        return self.network.chroma(gray, at_half_size(known)[np.newaxis])[0]


def hints(model, truths) -> list:
    """Return how far a point's colour goes in % of its way: in its region, behind its edge.

    By the network alone, then as Colorizer confines it.
    """
    rows = []
    for kind in (Unconfined, Colorizer):
        colorizer = kind(model, SIDE)
        inside, behind = [], []
        for truth in tqdm(truths, desc="regions", leave=False):
            for mask in measure_hints.regions_of(truth)[:REGIONS]:
                there, beyond = measure_hints.steering(colorizer, truth, mask)
                inside.append(there)
                behind += [] if beyond is None else [beyond]
        rows += [100 * np.mean(inside), 100 * np.mean(behind)]
    return rows


def at_equal_colourfulness(colorizer, truths, target) -> list:
    """Return colourfulness as painted, and at `target` patchiness, PSNR and balanced AuC."""
    grays = [grayscale(truth) for truth in truths]
    chromas = [colorizer.predict(gray) for gray in tqdm(grays, leave=False)]
    scale = judge.scale_to(target, colorizer, grays, chromas)
    pictures = judge.painted(colorizer, grays, chromas, scale)
    psnr, _, balanced = judge.compare(truths, pictures)
    before = judge.colourfulness(judge.painted(colorizer, grays, chromas, 1))
    return [before, patchiness(truths, pictures), psnr, balanced]


def measure(arguments) -> None:
    """Print the table."""
    paths = find_photographs(arguments.data)[arguments.skip :][: arguments.pictures]
    truths = [resize(photos.read_rgb(path), SIDE, SIDE) for path in paths]
    truths = [truth for truth in truths if not is_gray(truth)]
    if not truths:
        raise UserError(f"{arguments.data} holds no photographs in colour; give another --data")
    true = [chroma.chroma_of(to_unit(truth)) for truth in truths]
    mean = np.mean([np.linalg.norm(each, axis=-1).mean() for each in true])
    print(
        f"{len(truths)} pictures; truth's mean chroma {mean:.1f}, colourfulness "
        f"{judge.colourfulness(truths):.1f}, patchiness {patchiness(truths, truths):.2f}"
    )
    columns = [*KINDS, "chroma, clean", "chroma, all four", "colourfulness", "patchiness"]
    columns += ["PSNR dB", "balanced AuC %", "region %", "behind %", "region, reach %"]
    columns += ["behind, reach %"]
    print("| colorizer | " + " | ".join(columns) + " |")
    print("| --- | " + " | ".join(["---:"] * len(columns)) + " |")
    for model in arguments.models:
        colorizer = Colorizer(model, SIDE)
        old = made_old(colorizer, truths)
        row = [f"{old[kind]:.1f}" for kind in KINDS]
        row += [f"{old[kind] / mean:.2f}" for kind in ("clean, chroma", "all four, chroma")]
        formats = "{:.1f}", "{:.2f}", "{:.2f}", "{:.1f}"
        found = at_equal_colourfulness(colorizer, truths, arguments.colourfulness)
        row += [form.format(value) for form, value in zip(formats, found, strict=True)]
        if colorizer.network.takes_known and arguments.hinted:
            row += [f"{value:.0f}" for value in hints(model, truths[: arguments.hinted])]
        row += ["—"] * (len(columns) - len(row))
        name = model if "/" not in model else f"{Path(model).parent.name}/{Path(model).name}"
        print(f"| {name} | " + " | ".join(row) + " |", flush=True)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", help="colorizers: names that ship, or files")
    parser.add_argument("--data", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--pictures", type=int, default=200, help="how many (default: 200)")
    parser.add_argument("--skip", type=int, default=0, help="so many before them (default: none)")
    parser.add_argument(
        "--hinted", type=int, default=30, help="of them, to give points to (default: 30)"
    )
    parser.add_argument(
        "--colourfulness",
        type=float,
        default=33,
        help="to which each colorizer's chroma is scaled (default: %(default)s)",
    )
    return errors.run(measure, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
