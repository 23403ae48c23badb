"""Measure what each known colour brings: PSNR over the number of points, as siggraph17 is judged.

    python experiments/measures/hint_curve.py --model weights/semantic.onnx --data imagenet_sample

Reads a network that takes known colours and a folder of photographs. Prints a table beside the
published curve and writes experiments/results/NAME/hint_curve.json with --name.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer import errors
from colorizer.errors import UserError
from colorizer.files import atomic, photos
from colorizer.jobs.find import find_photographs
from colorizer.network import load_network
from colorizer.pixels import resize
from experiments.measures import hints, records
from pictures import record

import numpy as np
from tqdm import tqdm

# Number of points -> PSNR in dB of the published Caffe model, on 1,000 pictures of ImageNet's
# validation set: resources/psnrs_siggraph.npy of richzhang/colorization-pytorch.
PUBLISHED = {
    **{0: 24.43, 1: 25.37, 2: 26.20, 3: 26.69, 4: 27.08, 5: 27.39, 6: 27.65, 8: 28.10, 10: 28.42},
    **{13: 28.79, 16: 29.04, 20: 29.34, 25: 29.60, 32: 29.91, 40: 30.17, 50: 30.42, 63: 30.68},
    **{79: 30.90, 100: 31.13, 126: 31.34, 158: 31.52, 200: 31.70, 251: 31.85, 316: 31.97},
    **{398: 32.07, 501: 32.14},
}


def measure(arguments) -> None:
    """Measure the curve, print the table and write the JSON."""
    network = load_network(arguments.model)
    if not network.takes_known:
        raise UserError(f"{arguments.model} takes no known colours; give another --model")
    paths = find_photographs(arguments.data)[: arguments.pictures]
    if not paths:
        raise UserError(f"{arguments.data} holds no photographs; give another --data")
    pictures = np.stack([resize(photos.read_rgb(path), hints.SIDE, hints.SIDE) for path in paths])
    curve = {}
    print("| points | PSNR dB | gain dB | siggraph17, published | its gain |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for points, published in tqdm(PUBLISHED.items(), desc="points", leave=False):
        if arguments.points and points not in (0, *arguments.points):
            continue
        value = curve[points] = hints.psnr_of(
            network, pictures, points, arguments.seed, arguments.confined
        )
        tqdm.write(
            f"| {points} | {value:.2f} | {value - curve[0]:+.2f} | {published:.2f} "
            f"| {published - PUBLISHED[0]:+.2f} |"
        )
    if arguments.name:
        path = records.RESULTS / arguments.name / "hint_curve.json"
        content = {"pictures": len(pictures), "seed": arguments.seed, "psnr": curve}
        atomic.write_json(path, content | {"versions": record.versions()})
        print(f"written to {path.relative_to(ROOT)}")


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="a network with known colours")
    parser.add_argument("--data", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--pictures", type=int, help="how many of them (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="decides the points' places")
    parser.add_argument(
        "--points", type=int, nargs="+", metavar="N", help="these numbers only (default: all)"
    )
    parser.add_argument(
        "--confined", action="store_true", help="points stay within reach, as Colorizer paints"
    )
    parser.add_argument("--name", help="name of the result (default: it is printed only)")
    return errors.run(measure, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
