"""Measure how far a point steers the colour of its region, and what a reference photograph brings.

    python experiments/measures/measure_hints.py --model weights/semantic.onnx --data FOLDER

Reads a network that takes known colours, samples/ for the points and a folder of photographs for
the reference. Prints two tables and writes experiments/results/NAME/hints.json with --name.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer import Colorizer, chroma, errors
from colorizer.errors import UserError
from colorizer.files import atomic, photos
from colorizer.hints import drawing, palette
from colorizer.jobs.find import find_photographs
from colorizer.pixels import grayscale, is_gray, resize, to_unit
from experiments.measures import records
from pictures import metrics, record

import cv2
import numpy as np
from skimage.segmentation import felzenszwalb
from tqdm import tqdm

REGIONS = 20
# The size, in pixels, at which regions are looked for, and how large they are, in shares of it.
SIDE = 400
LEAST_AREA, MOST_AREA = 0.015, 0.3
# Segments merge by this scale; Felzenszwalb and Huttenlocher 2004, by scikit-image.
SCALE, SIGMA = 300, 0.8
# A point is this large, in shares of the longer side; app.py's first size.
RADIUS = 0.01
# What is asked for: this chroma, at a hue turned so far from what the network paints, in degrees.
CHROMA, TURN = 35, 120
# Behind a region's edge: pixels up to this distance, in shares of the longer side, whose true
# chroma is another by this much: light and shade of one thing may well change together.
BAND, OTHER = 0.05, 15
# Another photograph for the reference is so many places further in the list.
OTHERS = 37


def regions_of(rgb) -> list:
    """Return masks, bool (h, w), of regions of a picture in colour, the largest first."""
    labels = felzenszwalb(rgb, SCALE, SIGMA, min_size=int(LEAST_AREA * rgb[..., 0].size))
    masks = [labels == label for label in np.unique(labels)]
    masks = [mask for mask in masks if LEAST_AREA < mask.mean() < MOST_AREA]
    return sorted(masks, key=lambda mask: -mask.sum())


def middle_of(mask):
    """Return the row and column of a region that are farthest from its edge."""
    inside = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    return np.unravel_index(inside.argmax(), mask.shape)


def behind_the_edge(mask, rgb):
    """Return where a picture is near a region, outside, and of another chroma: bool (h, w)."""
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    true = chroma.chroma_of(to_unit(rgb))
    other = np.linalg.norm(true - true[mask].mean(axis=0), axis=-1) > OTHER
    # The pixel at the edge itself belongs to both.
    return (distance > 2) & (distance < BAND * max(mask.shape)) & other


def steering(colorizer, rgb, mask):
    """Return the share of the way to a hint that a region goes, and what lies behind its edge.

    The way is that from the region's mean chroma, as the network paints it, to the hint.
    """
    gray = grayscale(rgb)
    row, column = middle_of(mask)
    automatic = chroma.chroma_of(to_unit(colorizer.colorize(gray)))
    before = automatic[mask].mean(axis=0)
    hue = np.arctan2(before[1], before[0]) + np.radians(TURN)
    wanted = CHROMA * np.array([np.cos(hue), np.sin(hue)])
    colour = palette.shades(gray[row, column, 0], wanted[np.newaxis, np.newaxis])[0, 0]
    height, width = mask.shape
    point = drawing.Point((column + 0.5) / width, (row + 0.5) / height, tuple(colour), RADIUS)
    hints = drawing.draw([point], height, width)
    told = drawing.from_hints(hints, colorizer.shrink(gray))
    after = chroma.chroma_of(to_unit(colorizer.colorize(gray, told)))
    way = chroma.chroma_of(colour / 255) - before
    moved = ((after - automatic) @ way) / (way @ way)
    behind = behind_the_edge(mask, rgb)
    return float(moved[mask].mean()), float(moved[behind].mean()) if behind.any() else None


def measure_points(colorizer) -> list:
    """Measure REGIONS regions of samples/, as many of each photograph in colour as of the next."""
    found = []
    for path in find_photographs(ROOT / "samples"):
        rgb = photos.read_rgb(path)
        if not is_gray(rgb):
            scale = SIDE / max(rgb.shape)
            size = round(rgb.shape[0] * scale), round(rgb.shape[1] * scale)
            rgb = resize(rgb, *size)
            found += [(rank, path.name, rgb, mask) for rank, mask in enumerate(regions_of(rgb))]
    found.sort(key=lambda each: each[:2])
    rows = []
    for _, name, rgb, mask in found[:REGIONS]:
        inside, behind = steering(colorizer, rgb, mask)
        rows.append({"photograph": name, "area": float(mask.mean()), "inside": inside})
        rows[-1]["behind"] = behind
    return rows


def psnr(colorizer, truth, told=None) -> float:
    """Return the PSNR in dB of a photograph that is colorized from its gray."""
    painted = colorizer.colorize(grayscale(truth), told)
    return float(metrics.psnr(metrics.mean_squared_error(truth, painted)))


def measure_references(colorizer, paths) -> list:
    """Measure each photograph alone, with its own colour version, and with another photograph."""
    pictures = [photos.read_rgb(path) for path in paths]
    references = [colorizer.reference(picture) for picture in tqdm(pictures, leave=False)]
    rows = []
    for number, truth in enumerate(tqdm(pictures, leave=False)):
        row = {"automatic": psnr(colorizer, truth)}
        for kind, place in (("own", number), ("other", (number + OTHERS) % len(pictures))):
            told, share = colorizer.match(grayscale(truth), references[place])
            row[kind] = psnr(colorizer, truth, told)
            row[f"{kind}_share"] = share
        rows.append(row)
    return rows


def mean(rows, key) -> float:
    return float(np.mean([row[key] for row in rows if row[key] is not None]))


def measure(arguments) -> None:
    """Measure both, print the tables, and write the JSON."""
    colorizer = Colorizer(arguments.model, arguments.working_size)
    if not colorizer.network.takes_known:
        raise UserError(f"{arguments.model} takes no known colours; give another --model")
    points = measure_points(colorizer)
    print("| photograph | region % of it | of the way, inside % | behind the edge % |")
    print("| --- | ---: | ---: | ---: |")
    for row in points:
        behind = "—" if row["behind"] is None else f"{row['behind']:.0%}"
        print(f"| {row['photograph']} | {row['area']:.1%} | {row['inside']:.0%} | {behind} |")
    inside, behind = mean(points, "inside"), mean(points, "behind")
    print(f"| mean of {len(points)} | | {inside:.0%} | {behind:.0%} |\n")
    result = {"points": points, "inside": inside, "behind": behind}
    if arguments.data:
        paths = find_photographs(arguments.data)[: arguments.pictures]
        if len(paths) <= OTHERS:
            raise UserError(
                f"{arguments.data} holds {len(paths)} photographs, no more than {OTHERS}; "
                "give another --data"
            )
        rows = result["references"] = measure_references(colorizer, paths)
        alone = mean(rows, "automatic")
        print("| reference | PSNR dB | more than alone | matched % |")
        print("| --- | ---: | ---: | ---: |")
        print(f"| none | {alone:.2f} | | |")
        for kind, label in (("own", "its own colour version"), ("other", "another photograph")):
            value, share = mean(rows, kind), mean(rows, f"{kind}_share")
            print(f"| {label} | {value:.2f} | {value - alone:+.2f} | {share:.1%} |")
    if arguments.name:
        path = records.RESULTS / arguments.name / "hints.json"
        atomic.write_json(path, result | {"versions": record.versions()})
        print(f"written to {path.relative_to(ROOT)}")


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True, help="a network that takes known colours")
    parser.add_argument("--data", type=Path, help="folder of photographs, one of each class")
    parser.add_argument("--pictures", type=int, default=100, help="of them (default %(default)s)")
    parser.add_argument(
        "--working-size", type=int, default=224, metavar="PIXELS", help="default %(default)s"
    )
    parser.add_argument("--name", help="name of the result (default: it is printed only)")
    return errors.run(measure, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
