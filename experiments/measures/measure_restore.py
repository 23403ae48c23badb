"""Measure what --restore mends and what it harms, and how prints are found on plates.

    python experiments/measures/measure_restore.py --data imagenet_sample

Reads samples/ and every second of 124 sharp photographs of the folder of data (the others were for
choosing). Writes experiments/results/measure_restore.json and prints the tables of
docs/results.md.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer import Colorizer, errors
from colorizer.files import atomic, photos
from colorizer.jobs.find import find_photographs
from colorizer.pixels import grayscale, resize, to_uint8, to_unit
from colorizer.prints import fading, mend, scans
from colorizer.prints.enlarge import Enlarger
from colorizer.progress import Progress
from experiments.measures import records
from experiments.measures.measure_enlarge import (
    SEED,
    SHAVED,
    UNDAMAGED_QUALITY,
    bicubic,
    decibels,
    even,
    restored,
    samples,
)
from pictures import damage, lookalikes, marks, metrics

import cv2
import numpy as np

PRINTS = 60
# Inside a mark is what one covers so much of; outside what none covers.
INSIDE, OUTSIDE = marks.COVERED, 0.02
# A thing is touched when so much of it is taken for a mark.
TOUCHED = 0.05
THINGS = ("rope", "wires", "whiskers", "frames", "fence")
# Sharp photographs for choosing come first, every second of so many.
SHARP = 124
# Above half of the highest frequency that a picture can hold.
FINE = 0.25  # periods a pixel
PLATES = 60
PLATE = 1754, 1240  # A4 at 150 dots an inch, height and width
GROUNDS = {"white": 247, "gray": 128, "dark": 22}
MOST_TURNED = 8  # degrees
NEAR = 3  # pixels: 6 at 300 dots an inch
# Runs alone in its process, so that its memory is its own.
COST = """
import resource, sys, time
sys.path.insert(0, {root!r})
from experiments.measures.measure_restore import *
from colorizer.prints.enlarge import PARTS
part = faded(0, grayscale(photos.read_rgb(ROOT / "samples" / "raccoon.jpg")))
layer = marks.draw_marks(np.random.default_rng(SEED), part.shape[:2])
part = to_uint8(layer.on(to_unit(part[..., 0])))
print_ = np.tile(part, (4, 4))[..., None]
enlarger = Enlarger(1, parts=PARTS)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.perf_counter(), time.process_time()
enlarger.luminance(print_)
print(print_.size / 1e6, time.perf_counter() - started[0], time.process_time() - started[1])
print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
FORMATS = (531, 767), (531, 531), (450, 650), (350, 500)  # prints, pixels


def share_of(flags) -> float:
    return round(float(np.mean(flags)), 4)


def prints(paths) -> list:
    """Return gray pictures uint8 (H, W): samples/ and then sharp photographs, PRINTS of them."""
    chosen = [*samples(), *paths][:PRINTS]
    grays = [grayscale(photos.read_rgb(path))[..., 0] for path in chosen]
    return [shrunk(gray, 700) for gray in grays]


def shrunk(gray, longer) -> np.ndarray:
    scale = min(1, longer / max(gray.shape))
    size = (round(side * scale) for side in gray.shape)
    return resize(gray[..., None], *size)[..., 0]


# ------------------------------------------------------------------------------------ the parts


def measure_marks(paths) -> dict:
    """Return how well drawn marks are found and filled: errors in gray levels of 255."""
    rows, hits, wrong, missed = [], 0, 0, 0
    for number, gray in enumerate(Progress(prints(paths), desc="marks", leave=False)):
        random = np.random.default_rng([SEED, number])
        layer = marks.draw_marks(random, gray.shape)
        broken = to_uint8(layer.on(to_unit(gray)))
        found = mend.find(broken[..., None])
        mended = mend.fill(broken[..., None], found)[..., 0].astype(float)
        known = mend.fill(broken[..., None], layer.cover > OUTSIDE)[..., 0].astype(float)
        inside, outside = layer.cover >= INSIDE, layer.cover < OUTSIDE
        before = np.abs(broken.astype(float) - gray)
        rows.append(
            (
                before[inside].mean(),
                np.abs(mended - gray)[inside].mean(),
                np.abs(known - gray)[inside].mean(),
                np.abs(mended - broken)[outside].mean(),
            )
        )
        seen = inside & (before >= 255 * marks.SEEN)
        hits += np.count_nonzero(found & seen)
        missed += np.count_nonzero(seen & ~found)
        # A pixel beside a mark is no mistake: its edge is soft.
        near = cv2.dilate((layer.cover >= OUTSIDE).astype(np.uint8), None, iterations=2) > 0
        wrong += np.count_nonzero(found & ~near)
    before, after, known, outside = np.mean(rows, axis=0)
    return {
        "prints": len(rows),
        "before": round(before, 2),
        "after": round(after, 2),
        "falls": round(1 - after / before, 4),
        "falls_where_known": round(1 - known / before, 4),
        "outside": round(outside, 3),
        "outside_worst": round(max(row[3] for row in rows), 3),
        "recall": round(hits / (hits + missed), 4),
        "precision": round(hits / (hits + wrong), 4),
    }


def measure_things(paths) -> dict:
    """Return how much of drawn things is taken for marks: two of each kind, one a photograph."""
    found = {}
    for number, kind in enumerate(THINGS * 2):
        gray = to_unit(grayscale(photos.read_rgb(paths[number]))[..., 0])
        random = np.random.default_rng([SEED, 1, number])
        drawn = getattr(lookalikes, kind)(random, gray)
        thing = np.abs(drawn - gray) > marks.SEEN
        taken = mend.find(to_uint8(drawn)[..., None])
        own = mend.find(to_uint8(gray)[..., None])
        found[f"{kind} {number // len(THINGS) + 1}"] = share_of((taken & ~own)[thing])
    return found | {"touched": sum(share > TOUCHED for share in found.values())}


def measure_harm(paths) -> dict:
    """Return what taking grain away does to what nothing happened to, and to old prints."""
    enlarger = Enlarger(1, parts=["grain"])
    loss, same, fine, gain, marked = [], [], [], [], []
    for number, path in enumerate(Progress(paths, desc="harm", leave=False)):
        truth = even(grayscale(photos.read_rgb(path))[..., 0])
        quality = [cv2.IMWRITE_JPEG_QUALITY, UNDAMAGED_QUALITY]
        stored = cv2.imdecode(cv2.imencode(".jpg", truth, quality)[1], cv2.IMREAD_GRAYSCALE)
        found = restored(enlarger, stored)
        marked.append(mend.find(stored[..., None]).mean())
        loss.append(decibels(found, truth) - decibels(stored, truth))
        same.append(np.abs(found.astype(float) - stored).mean())
        fine.append(fine_energy(found) / max(1e-9, fine_energy(stored)))
        random = np.random.default_rng([SEED, 1, number])
        old, wanted = (to_uint8(each) for each in damage.damage(random, to_unit(truth), 1))
        gain.append(decibels(restored(enlarger, old), wanted) - decibels(old, wanted))
    return {
        "pictures": len(loss),
        "undamaged_mean": round(np.mean(loss), 3),
        "undamaged_median": round(np.median(loss), 3),
        "undamaged_changed": round(np.mean(same), 3),
        "marked": round(np.mean(marked), 5),
        "fine_energy": round(np.mean(fine), 4),
        "fine_energy_worst": round(min(fine), 4),
        "damaged_gain": round(np.mean(gain), 3),
    }


def fine_energy(gray) -> float:
    """Return the energy of a gray picture above half of the highest frequency it can hold."""
    spectrum = np.abs(np.fft.rfft2(gray.astype(float))) ** 2
    rows, columns = np.fft.fftfreq(gray.shape[0])[:, None], np.fft.rfftfreq(gray.shape[1])
    return float(spectrum[np.maximum(np.abs(rows), columns) > FINE].sum())


def measure_doubled(paths) -> dict:
    """Return PSNR of clean photographs, halved and doubled again: bicubic and both flags."""
    ways = Enlarger(2, parts=()), Enlarger(2, parts=["grain"])
    rows = []
    for path in Progress(paths, desc="doubled", leave=False):
        truth = even(grayscale(photos.read_rgb(path))[..., 0])
        small = to_uint8(damage.clean(to_unit(truth), 2))
        found = [bicubic(small, 2), *(restored(way, small) for way in ways)]
        inner = (slice(SHAVED, -SHAVED),) * 2
        rows.append([decibels(each[inner], truth[inner]) for each in found])
    names = "bicubic", "enlarge", "restore_enlarge"
    return dict(zip(names, np.mean(rows, axis=0).round(3).tolist(), strict=True))


def ends(gray) -> np.ndarray:
    """Return black, white and mean of a gray picture uint8, in [0, 1]."""
    return np.array([*np.percentile(gray, (0.5, 99.5)), gray.mean()]) / 255


def measure_fades(paths) -> dict:
    """Return how near the tones of faded prints come to the unfaded ones."""
    away, alone = [], []
    for number, path in enumerate(Progress(paths, desc="fades", leave=False)):
        gray = grayscale(photos.read_rgb(path))
        back = fading.corrected(faded(number, gray))
        away.append([np.abs(ends(each) - ends(gray)) for each in (faded(number, gray), back)])
        alone.append(fading.curve(gray) is None)
    away = np.array(away)
    return {
        "pictures": len(away),
        "before": away[:, 0].mean(axis=0).round(4).tolist(),
        "after": away[:, 1].mean(axis=0).round(4).tolist(),
        "within_8_percent": (away[:, 1] <= 0.08).mean(axis=0).round(3).tolist(),
        "unfaded_left_alone": share_of(alone),
    }


def faded(number, gray) -> np.ndarray:
    """Fade a gray picture uint8 (H, W, 1)."""
    random = np.random.default_rng([SEED, 2, number])
    return to_uint8(damage.fade(random, to_unit(gray[..., 0])))[..., None]


def measure_colours(paths) -> dict:
    """Return the CIEDE2000 of colours that the network gives to the unfaded, faded and corrected.

    All are painted on the unfaded luminance, so that colours alone differ.
    """
    colorizer, rows = Colorizer(), []
    for number, path in enumerate(Progress(paths, desc="colours", leave=False)):
        rgb = photos.read_rgb(path)
        gray = grayscale(rgb)
        old = faded(number, gray)
        painted = [
            colorizer.paint(gray, colorizer.predict(seen))
            for seen in (gray, old, fading.corrected(old))
        ]
        rows.append([metrics.ciede2000(*map(metrics.to_lab, (rgb, each))) for each in painted])
    means = np.mean(rows, axis=0).round(3).tolist()
    return dict(zip(("own", "faded", "corrected"), means, strict=True))


# ----------------------------------------------------------------------------------- the plates


def plate(random, pictures, ground):
    """Lay prints on a scanner's plate: uint8 (H, W, 1), and the corners of each, (4, 2).

    They lie in a grid of cells, turned by up to MOST_TURNED degrees; half have a white border.
    The lid casts a thin shadow at their edges.
    """
    count = random.integers(1, 7)
    rows, columns = {1: (1, 1), 2: (2, 1), 3: (3, 1), 4: (2, 2)}.get(count, (3, 2))
    scan = np.full(PLATE, float(ground)) + random.normal(0, 1.5, PLATE)
    corners = []
    for place in random.permutation(rows * columns)[:count]:
        row, column = divmod(int(place), columns)
        cell = PLATE[0] / rows, PLATE[1] / columns
        height, width = FORMATS[random.integers(len(FORMATS))][:: random.choice((-1, 1))]
        fit = min(1, 0.8 * cell[0] / height, 0.8 * cell[1] / width)
        height, width = round(height * fit), round(width * fit)
        picture = pictures[random.integers(len(pictures))]
        picture = resize(picture[..., None], height, width)[..., 0].astype(float)
        if random.random() < 0.5:
            edge, paper = round(0.04 * width), random.uniform(225, 240)
            picture[:edge] = picture[-edge:] = paper
            picture[:, :edge] = picture[:, -edge:] = paper
        angle = np.radians(random.uniform(-MOST_TURNED, MOST_TURNED))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = np.array([(column + 0.5) * cell[1], (row + 0.5) * cell[0]])
        half = np.array([width, height]) / 2
        square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        # cv2 puts 0 in the middle of the first pixel, corners are measured from its edge.
        corners.append(square @ turn.T + centre + 0.5)
        move = np.hstack([turn, (centre - turn @ (half - 0.5))[:, None]])
        size = PLATE[::-1]
        mask = cv2.warpAffine(np.ones_like(picture), move, size)
        laid = cv2.warpAffine(picture, move, size, borderMode=cv2.BORDER_REPLICATE)
        shadow = cv2.GaussianBlur(np.roll(mask, (2, 2), (0, 1)), (0, 0), 1)
        scan = scan * (1 - 0.25 * shadow)
        scan = scan + mask * (laid - scan)
    return to_uint8(scan / 255)[..., None], corners


def measure_plates(paths) -> dict:
    """Return on how many plates all prints are found with corners within NEAR pixels."""
    pictures = [grayscale(photos.read_rgb(path))[..., 0] for path in [*samples(), *paths[:20]]]
    good, seconds, worst = {name: [] for name in GROUNDS}, 0.0, []
    for number in Progress(range(PLATES), desc="plates", leave=False):
        name = list(GROUNDS)[number % len(GROUNDS)]
        scan, wanted = plate(np.random.default_rng([SEED, 3, number]), pictures, GROUNDS[name])
        started = time.perf_counter()
        found = [np.array(each.corners) for each in scans.split(scan)]
        seconds += time.perf_counter() - started
        fits = len(found) == len(wanted)
        if fits:
            away = [min(np.hypot(*(each - other).T).max() for other in found) for each in wanted]
            worst.append(max(away))
            fits = max(away) <= NEAR
        good[name].append(bool(fits))
    return {
        "plates": PLATES,
        "right": sum(map(sum, good.values())),
        **{f"right_on_{name}": f"{sum(each)} of {len(each)}" for name, each in good.items()},
        "corner_away_median": round(float(np.median(worst)), 2),
        "seconds_each": round(seconds / PLATES, 3),
    }


def measure_cost(_) -> dict:
    """Return what restoring a broken and faded print of 12 megapixels in all parts costs."""
    done = subprocess.run(
        [sys.executable, "-c", COST.format(root=str(ROOT))],
        check=True,
        capture_output=True,
        text=True,
    )
    megapixels, seconds, processor, before, peak = map(float, done.stdout.split())
    return {
        "megapixels": round(megapixels, 1),
        "seconds_a_megapixel": round(seconds / megapixels, 2),
        "processor_seconds_a_megapixel": round(processor / megapixels, 2),
        "before_mib": round(before / 1024),
        "peak_mib": round(peak / 1024),
    }


# -------------------------------------------------------------------------------------- all of it


def table(found) -> str:
    """Return the table of docs/results.md."""
    lines = ["| what | bar | found |", "| --- | ---: | ---: |"]

    def add(what, bar, text):
        lines.append(f"| {what} | {bar} | {text} |")

    if row := found.get("marks"):
        add("error under drawn marks falls by", "75%", f"{row['falls']:.1%}")
        add("the same where the marks are known", "", f"{row['falls_where_known']:.1%}")
        add("change beside marks, gray levels", "0.3", f"{row['outside']:.2f}")
        add("marks found (recall)", "", f"{row['recall']:.1%}")
        add("of what is found, marks (precision)", "", f"{row['precision']:.1%}")
    if row := found.get("things"):
        add("of ten drawn ropes and the like, touched", "1", row["touched"])
    if row := found.get("harm"):
        add("undamaged JPEG 95: mean, dB", "-0.2", f"{row['undamaged_mean']:+.2f}")
        add("undamaged JPEG 95: median, dB", "0.00", f"{row['undamaged_median']:+.2f}")
        add("undamaged: fine energy left, mean", "97%", f"{row['fine_energy']:.1%}")
        add("damaged: gain, dB", "+1.9", f"{row['damaged_gain']:+.2f}")
    if row := found.get("doubled"):
        for name, flag in (
            ("enlarge", "--enlarge 2"),
            ("restore_enlarge", "--restore --enlarge 2"),
        ):
            gain = row[name] - row["bicubic"]
            add(f"clean, x2 over bicubic, `{flag}`, dB", "+1.2", f"{gain:+.2f}")
    if row := found.get("fades"):
        for name, before, after in zip(
            ("black", "white", "mean"), row["before"], row["after"], strict=True
        ):
            add(f"faded: {name} away from the unfaded", "8%", f"{after:.1%} ({before:.1%} before)")
    if row := found.get("colours"):
        own, old, back = row["own"], row["faded"], row["corrected"]
        add("colours of faded: CIEDE2000 more", "0.3", f"{back - own:.2f} (was {old - own:.2f})")
    if row := found.get("plates"):
        add(
            "plates on which all prints are found", "57 of 60", f"{row['right']} of {row['plates']}"
        )
    if row := found.get("cost"):
        seconds, memory = row["processor_seconds_a_megapixel"], row["peak_mib"]
        add("all parts, 12 megapixels: seconds of a core a megapixel", "0.8", f"{seconds:.2f}")
        add("all parts, 12 megapixels: peak, MiB", "", memory)
    return "\n".join(lines)


def measure(arguments) -> None:
    """Measure what is asked for, write it and print it."""
    cv2.setNumThreads(1)
    path = records.RESULTS / "measure_restore.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    paths = find_photographs(arguments.data)
    paths = paths[:: max(1, len(paths) // SHARP)][:SHARP][1 - arguments.choosing :: 2]
    ways = {
        "marks": measure_marks,
        "things": measure_things,
        "harm": measure_harm,
        "fades": measure_fades,
        "colours": measure_colours,
        "plates": measure_plates,
        "doubled": measure_doubled,
        "cost": measure_cost,
    }
    for name in ways if arguments.only is None else arguments.only:
        found[name] = ways[name](paths)
        print(name, found[name])
    if not arguments.choosing:
        atomic.write_json(path, found)
        print(table(found))


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of sharp photographs")
    parser.add_argument(
        "--only", nargs="*", help="marks, things, harm, fades, colours, plates, doubled, cost"
    )
    parser.add_argument(
        "--choosing", action="store_true", help="on the photographs for choosing; write nothing"
    )
    return errors.run(measure, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
