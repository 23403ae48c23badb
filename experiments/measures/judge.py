"""Compare colorizers at equal colourfulness, on pictures that none of them has seen.

    python experiments/measures/judge.py --data photographs outputs/a/generator.keras

A paler colorizer is nearer to the truth by being paler: so the chroma of each is scaled until its
pictures are as colourful as those of the others, and then they are compared. Prints a row for the
gray copy and one for each file: colourfulness as painted, the scale, and PSNR, AuC and balanced AuC
at --colourfulness; where the network takes known colours, the gain in PSNR by 1, 5, 10 and 100
points too, by the protocol of hint_curve.py. With --classifier, as painted, how much of what
EfficientNet-Lite2 sees in the true pictures it sees in these: the mean cosine of its features.
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
from colorizer.pixels import grayscale, is_gray, resize
from experiments.measures import hints
from pictures import metrics
from training import features

import numpy as np
from tqdm import tqdm

SIDE = 224
POINTS = (1, 5, 10, 100)
# Pictures whose colourfulness decides the scale, and those that the hints are measured on.
SCALED_PICTURES = 100
HINTED_PICTURES = 100
LARGEST_SCALE = 4.0
HALVINGS = 8
BATCH_SIZE = 60


def painted(colorizer, grays, chromas, scale):
    """Paint gray pictures, uint8 (SIDE, SIDE, 1), with their chroma times `scale`."""
    return [
        colorizer.paint(gray, chroma, scale) for gray, chroma in zip(grays, chromas, strict=True)
    ]


def colourfulness(pictures) -> float:
    return float(np.mean([metrics.colourfulness(picture) for picture in pictures]))


def scale_to(target, colorizer, grays, chromas) -> float:
    """Return the scale of chroma at which the pictures have the target colourfulness, halving."""
    low, high = 0.0, LARGEST_SCALE
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if colourfulness(painted(colorizer, grays, chromas, middle)) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def compare(truths, pictures) -> list:
    """Return PSNR in dB, AuC and balanced AuC in % of pictures, uint8 (SIDE, SIDE, 3) each."""
    psnr, scores = [], 0
    for truth, picture in zip(truths, pictures, strict=True):
        psnr.append(metrics.psnr(metrics.mean_squared_error(truth, picture)))
        pair = metrics.to_lab(truth), metrics.to_lab(picture)
        scores = scores + metrics.chroma_scores(*pair)
    return [np.mean(psnr), metrics.auc(scores), metrics.auc_balanced(scores)]


def seen_in(classifier, pictures):
    """Return a classifier's features of uint8 RGB pictures, each of length 1: float32 (N, D)."""
    batches = (pictures[i : i + BATCH_SIZE] for i in range(0, len(pictures), BATCH_SIZE))
    found = [features.classify(classifier, np.stack(batch))[0] for batch in batches]
    found = np.concatenate(found)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def cosine(classifier, true_features, pictures) -> list:
    """Return how alike a classifier's features of pictures are to the truth's; [] without one."""
    if classifier is None:
        return []
    return [(true_features * seen_in(classifier, pictures)).sum(axis=1).mean()]


def hint_gains(network, paths) -> list:
    """Return how much 1, 5, 10 and 100 known colours raise the PSNR, in dB."""
    side = hints.SIDE
    pictures = [resize(photos.read_rgb(path), side, side) for path in paths]
    alone, *others = (
        hints.psnr_of(network, np.stack(pictures), points, seed=0) for points in (0, *POINTS)
    )
    return [value - alone for value in others]


def judge(arguments) -> None:
    """Print the table."""
    classifier = None
    if arguments.classifier:
        try:
            classifier = features.load_classifier(arguments.classifier)
        except features.NoClassifier as error:
            raise UserError(str(error)) from error
    paths = find_photographs(arguments.data)[: arguments.pictures]
    truths = [resize(photos.read_rgb(path), SIDE, SIDE) for path in paths]
    # What is gray in truth says nothing about colours.
    kept = [not is_gray(truth) for truth in truths]
    truths = [truth for truth, keep in zip(truths, kept, strict=True) if keep]
    paths = [path for path, keep in zip(paths, kept, strict=True) if keep]
    if not truths:
        raise UserError(f"{arguments.data} holds no photographs in colour; give another --data")
    true_features = None if classifier is None else seen_in(classifier, truths)
    grays = [grayscale(truth) for truth in truths]
    decimals = {"colourfulness": 1, "scale": 2, "PSNR dB": 2, "AuC %": 1, "balanced AuC %": 1}
    decimals |= {} if classifier is None else {"cosine": 3}
    decimals |= {f"+{points} dB": 2 for points in POINTS}
    print(f"{len(truths)} pictures, truth's colourfulness {colourfulness(truths):.1f}")
    print("| colorizer | " + " | ".join(decimals) + " |")
    print("| --- | " + " | ".join(["---:"] * len(decimals)) + " |")
    copies = [np.broadcast_to(gray, truth.shape) for gray, truth in zip(grays, truths, strict=True)]
    row = [0, 0, *compare(truths, copies), *cosine(classifier, true_features, copies)]
    print_row("gray copy", row, decimals)
    for model in arguments.models:
        colorizer = Colorizer(model, SIDE)
        chromas = [colorizer.predict(gray) for gray in tqdm(grays, leave=False)]
        few = grays[:SCALED_PICTURES], chromas[:SCALED_PICTURES]
        scale = scale_to(arguments.colourfulness, colorizer, *few)
        pictures = painted(colorizer, grays, chromas, 1)
        row = [colourfulness(pictures), scale]
        row += compare(truths, painted(colorizer, grays, chromas, scale))
        row += cosine(classifier, true_features, pictures)
        if colorizer.network.takes_known:
            row += hint_gains(colorizer.network, paths[:HINTED_PICTURES])
        print_row(Path(model).parent.name + "/" + Path(model).name, row, decimals)


def print_row(name, values, decimals) -> None:
    """Print one row of the table, {column: decimals}; what was not measured is a dash."""
    counts = decimals.values()
    cells = [f"{value:.{count}f}" for value, count in zip(values, counts, strict=False)]
    cells += ["—"] * (len(decimals) - len(cells))
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", help="colorizers, .onnx or .keras files")
    parser.add_argument("--data", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--pictures", type=int, help="how many of them (default: all)")
    parser.add_argument(
        "--colourfulness",
        type=float,
        default=31.5,
        help="to which each colorizer's chroma is scaled (default: %(default)s)",
    )
    parser.add_argument(
        "--classifier", type=Path, help="EfficientNet-Lite2, as convert_efficientnet.py writes it"
    )
    return errors.run(judge, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
