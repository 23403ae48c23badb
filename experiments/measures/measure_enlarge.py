"""Measure how photographs are enlarged and restored, what it costs, and draw docs/enlarge.jpg.

    python experiments/measures/measure_enlarge.py --sets benchmark_sets --data imagenet_sample

Reads Set5, Set14, B100 and Urban100 below the folder of sets, a folder of sharp photographs, and
samples/. Writes experiments/results/measure_enlarge.json and prints what it holds.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer import errors
from colorizer.errors import UserError
from colorizer.files import atomic, photos
from colorizer.jobs.find import find_photographs
from colorizer.pixels import grayscale, high_bits, to_uint8, to_unit
from colorizer.prints.enlarge import WEIGHTS, Enlarger
from colorizer.progress import Progress
from experiments.measures import records
from pictures import damage, metrics

import cv2
import numpy as np
import onnx
from PIL import Image

# PSNR and SSIM of bicubic interpolation, x2, as the literature has them (Set5 and others in SAFMN's
# table, Sun et al. 2023): what is measured here has to agree with those.
PUBLISHED = {
    "Set5": (33.66, 0.9299),
    "Set14": (30.24, 0.8688),
    "B100": (29.56, 0.8431),
    "Urban100": (26.88, 0.8403),
}
SHAVED = 2  # pixels along the edges that do not count
SEED = 2026
UNDAMAGED_QUALITY = 95
# Pixels of a scratch: those that it covers so much at least.
COVERED = 0.1
MEGAPIXELS = (12, 48)

# Runs alone in its process, so that its memory is its own.
COST = """
import resource, sys, time
sys.path.insert(0, {root!r})
from colorizer.prints.enlarge import Enlarger
import numpy as np
scale, megapixels, colours = {scale}, {megapixels}, {colours}
side = round((megapixels * 1e6) ** 0.5 / scale)
image = np.random.default_rng(0).integers(0, 256, (side, side, 1), np.uint8).repeat(colours, 2)
enlarger = Enlarger(scale)
started = time.perf_counter()
(enlarger.enlarge if colours == 3 else enlarger.luminance)(image)
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def luma(image) -> np.ndarray:
    """Return the luminance that the literature measures, uint8 (H, W): Y of BT.601, 16 to 235.

    What is gray already is taken as it is, as MATLAB's scripts do. Source: MATLAB's rgb2ycbcr.
    """
    if image.mode == "L":
        return np.asarray(image)
    rgb = np.asarray(image.convert("RGB"), np.float64)
    return np.rint(16 + rgb @ (65.481, 128.553, 24.966) / 255).astype(np.uint8)


def decibels(found, truth) -> float:
    """Return the PSNR of two pictures, uint8 or in 0..255, not capped."""
    return float(10 * np.log10(255**2 / max(1e-9, metrics.mean_squared_error(truth, found))))


def restored(enlarger, gray) -> np.ndarray:
    """Restore or enlarge a gray picture (H, W), uint8 or uint16."""
    return enlarger.luminance(np.ascontiguousarray(gray)[..., None])[..., 0]


def bicubic(gray, scale) -> np.ndarray:
    """Enlarge a gray picture uint8 (H, W) by bicubic interpolation."""
    height, width = gray.shape
    return to_uint8(damage.resize_bicubic(to_unit(gray), scale * height, scale * width))


def measure_set(folder, enlarger) -> dict:
    """Return mean PSNR and SSIM on a benchmark set, doubled by bicubic and by a network."""
    rows = []
    for path in Progress(sorted(folder.iterdir()), desc=folder.name, leave=False):
        with Image.open(path) as image:
            truth = luma(image)
        height, width = (side // 2 * 2 for side in truth.shape)
        truth = truth[:height, :width]
        # As the literature's scripts do, the small picture is not rounded to 256 levels: so its
        # bicubic rows come out. Rounded, as files are, it is measured as well.
        small = damage.resize_bicubic(to_unit(truth), height // 2, width // 2)
        deep = np.rint(np.clip(small, 0, 1) * 65535).astype(np.uint16)
        doubled = to_uint8(damage.resize_bicubic(small, height, width))
        row = []
        for found in (
            doubled,
            high_bits(restored(enlarger, deep)),
            restored(enlarger, to_uint8(small)),
        ):
            pair = [each[SHAVED:-SHAVED, SHAVED:-SHAVED] for each in (truth, found)]
            row += [decibels(*pair[::-1]), metrics.ssim(*(each[..., None] for each in pair))]
        rows.append(row)
    names = "bicubic_psnr", "bicubic_ssim", "psnr", "ssim", "rounded_psnr", "rounded_ssim"
    return {"pictures": len(rows), **mean_of(names, rows)}


def parameters(path) -> int:
    """Return how many numbers the layers of an .onnx file have."""
    kernels = onnx.load(path).graph.initializer
    return sum(int(np.prod(each.dims)) for each in kernels if each.dims and each.data_type == 1)


def mean_of(names, rows) -> dict:
    return dict(zip(names, np.mean(rows, axis=0).round(4).tolist(), strict=True))


def measure_damaged(paths, scale, enlarger) -> dict:
    """Return mean PSNR of damaged photographs: only enlarged by bicubic, and by a network."""
    rows = []
    for number, path in enumerate(Progress(paths, desc=f"damaged x{scale}", leave=False)):
        truth = to_unit(even(grayscale(photos.read_rgb(path))[..., 0]))
        random = np.random.default_rng([SEED, scale, number])
        damaged, truth = (to_uint8(each) for each in damage.damage(random, truth, scale))
        before = bicubic(damaged, scale) if scale > 1 else damaged
        row = decibels(before, truth), decibels(restored(enlarger, damaged), truth)
        rows.append((*row, row[1] > row[0]))
    names = "before_psnr", "psnr", "share_better"
    return {"pictures": len(rows), **mean_of(names, rows)}


def even(gray) -> np.ndarray:
    """Cut a gray picture to even sides."""
    return gray[: len(gray) // 2 * 2, : gray.shape[1] // 2 * 2]


def measure_undamaged(paths, enlarger) -> dict:
    """Return what restoring does to photographs that nothing happened to.

    `same_psnr`: of them restored against themselves; `leaving_psnr` and `psnr`: of them stored as
    JPEG of high quality, which is what undamaged photographs are, before and after.
    """
    rows = []
    for path in Progress(paths, desc="undamaged", leave=False):
        truth = even(grayscale(photos.read_rgb(path))[..., 0])
        quality = [cv2.IMWRITE_JPEG_QUALITY, UNDAMAGED_QUALITY]
        stored = cv2.imdecode(cv2.imencode(".jpg", truth, quality)[1], cv2.IMREAD_GRAYSCALE)
        rows.append(
            (
                decibels(restored(enlarger, truth), truth),
                decibels(stored, truth),
                decibels(restored(enlarger, stored), truth),
            )
        )
    return {"pictures": len(rows), **mean_of(("same_psnr", "leaving_psnr", "psnr"), rows)}


def scratched(number, gray):
    """Scratch a gray picture uint8 (H, W); return it, and where it is scratched, (H, W) bool."""
    random = np.random.default_rng([SEED, number])
    cover, tone = damage.scratches(random, gray.shape, 1)
    unit = to_unit(gray)
    return to_uint8(unit + cover * (tone - unit)), cover > COVERED


def measure_scratches(enlarger) -> dict:
    """Return the errors under scratches drawn over samples/, before and after, 0 to 255."""
    before, after, around = [], [], []
    for number, path in enumerate(samples()):
        gray = grayscale(photos.read_rgb(path))[..., 0]
        damaged, mask = scratched(number, gray)
        found = restored(enlarger, damaged).astype(float) - gray
        before.append((damaged.astype(float) - gray)[mask])
        after.append(found[mask])
        around.append(found[~mask])
    before, after, around = (np.concatenate(each) for each in (before, after, around))
    absolute = np.abs(after).mean() / np.abs(before).mean()
    squared = np.square(after).mean() / np.square(before).mean()
    return {
        "before": round(float(np.abs(before).mean()), 2),
        "after": round(float(np.abs(after).mean()), 2),
        "elsewhere": round(float(np.abs(around).mean()), 2),
        "absolute_falls": round(float(1 - absolute), 4),
        "squared_falls": round(float(1 - squared), 4),
    }


def samples() -> list:
    return sorted(path for path in (ROOT / "samples").iterdir() if path.suffix in (".jpg", ".png"))


def measure_cost() -> dict:
    """Return seconds a megapixel of the result and peak memory (MiB), by scale and size."""
    found = {}
    for scale, megapixels, colours in (
        (1, 12, 1),
        (2, 12, 1),
        (4, 12, 1),
        (1, 48, 3),
        (2, 48, 3),
    ):
        code = COST.format(root=str(ROOT), scale=scale, megapixels=megapixels, colours=colours)
        answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        seconds, kilobytes = map(float, answer.stdout.split())
        name = f"x{scale}, {megapixels} megapixels, {'colour' if colours == 3 else 'gray'}"
        found[name] = {
            "seconds_a_megapixel": round(seconds / megapixels, 3),
            "peak_mib": round(kilobytes / 1024),
        }
    return found | {"cores": os.cpu_count()}


# ------------------------------------------------------------------------------- the picture


def sheet() -> np.ndarray:
    """Draw what restoring and enlarging do, and what they do not: uint8 gray (H, W).

    Parts of samples/, damaged by the recipe as its first draws have it, and the truth.
    """
    rows = []
    for number, (name, top, left) in enumerate(SHOWN):
        gray = grayscale(photos.read_rgb(ROOT / "samples" / name))[..., 0]
        truth = to_unit(even(gray)[top : top + PART, left : left + PART])
        damaged, truth = damage.damage(np.random.default_rng([SEED, 7, number]), truth, 2)
        small = to_uint8(damaged)
        rows.append(np.hstack([bicubic(small, 2), restored(Enlarger(2), small), to_uint8(truth)]))
    return np.vstack(rows)


PART = 200
SHOWN = (("grace_hopper.jpg", 0, 100), ("palace.jpg", 60, 60), ("cat.jpg", 40, 120))


# ------------------------------------------------------------------------------------ the tables


def sets_table(sets, parameters) -> str:
    """Return the table of the benchmark sets, bicubic first: PSNR / SSIM."""
    lines = [
        "| x2 | parameters | " + " | ".join(sets) + " |",
        "| --- | ---: |" + " ---: |" * len(sets),
    ]
    for name, key in (("bicubic", "bicubic_"), ("`enlarge_clean`", "")):
        cells = [f"{row[key + 'psnr']:.2f} / {row[key + 'ssim']:.4f}" for row in sets.values()]
        count = "—" if key else f"{parameters:,}"
        lines.append(f"| {name} | {count} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def damage_table(found) -> str:
    """Return the table of damaged and undamaged photographs: PSNR before and after."""
    rows = [
        ("damaged, x2, against bicubic", found["damaged_x2"], "before_psnr"),
        ("damaged, restored at its size", found["damaged_x1"], "before_psnr"),
        (f"JPEG of quality {UNDAMAGED_QUALITY}, restored", found["undamaged_x1"], "leaving_psnr"),
    ]
    lines = ["| photographs | before, dB | after, dB | gain, dB |", "| --- | ---: | ---: | ---: |"]
    for name, row, before in rows:
        gain = row["psnr"] - row[before]
        lines.append(f"| {name} | {row[before]:.2f} | {row['psnr']:.2f} | {gain:+.2f} |")
    return "\n".join(lines)


def cost_table(cost) -> str:
    """Return the table of time and memory."""
    lines = ["| result | seconds a megapixel | peak, MiB |", "| --- | ---: | ---: |"]
    for name, row in cost.items():
        if name != "cores":
            lines.append(f"| {name} | {row['seconds_a_megapixel']:.2f} | {row['peak_mib']} |")
    return "\n".join(lines)


# ------------------------------------------------------------------------------------ all of it


def measure(arguments) -> None:
    """Measure what is asked for, write it and print it."""
    cv2.setNumThreads(1)
    started = time.perf_counter()
    path = records.RESULTS / "measure_enlarge.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if arguments.sets:
        clean = Enlarger(2, [WEIGHTS / "enlarge_clean.onnx"])
        found["sets"], found["parameters"] = {}, parameters(WEIGHTS / "enlarge_clean.onnx")
        for name in PUBLISHED:
            if not (arguments.sets / name).is_dir():
                raise UserError(f"there is no folder {arguments.sets / name}; see the docstring")
            found["sets"][name] = measure_set(arguments.sets / name, clean)
    if arguments.data:
        paths = find_photographs(arguments.data)[: arguments.pictures]
        found["damaged_x2"] = measure_damaged(paths, 2, Enlarger(2))
        found["damaged_x1"] = measure_damaged(paths, 1, Enlarger(1))
        found["undamaged_x1"] = measure_undamaged(paths, Enlarger(1))
        found["scratches"] = measure_scratches(Enlarger(1))
    if arguments.cost:
        found["cost"] = measure_cost()
    atomic.write_json(path, found)
    if arguments.picture:
        photos.write(ROOT / "docs" / "enlarge.jpg", photos.Photograph(sheet()[..., None]))
    if "sets" in found:
        print(sets_table(found["sets"], found["parameters"]))
    if "damaged_x2" in found:
        print(damage_table(found))
        print(found["damaged_x2"], found["damaged_x1"], found["undamaged_x1"], found["scratches"])
    if "cost" in found:
        print(cost_table(found["cost"]))
    for name, row in found.get("sets", {}).items():
        psnr, ssim = PUBLISHED[name]
        print(
            f"{name}: bicubic {row['bicubic_psnr']:.2f}/{row['bicubic_ssim']:.4f}, published "
            f"{psnr:.2f}/{ssim:.4f}"
        )
    print(f"{time.perf_counter() - started:.0f} seconds; written to {path}")


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", type=Path, help="folder of Set5, Set14, B100 and Urban100")
    parser.add_argument("--data", type=Path, help="folder of sharp photographs to damage")
    parser.add_argument("--pictures", type=int, help="so many of them (default: all)")
    parser.add_argument("--cost", action="store_true", help="measure time and memory as well")
    parser.add_argument("--picture", action="store_true", help="draw docs/enlarge.jpg as well")
    return errors.run(measure, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
