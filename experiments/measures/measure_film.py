"""Measure how steady films come out: frame by frame against steady, and the truth beside both.

    python experiments/measures/measure_film.py FILM [FILM ...]

Turns films in colour gray, and pans and zooms over samples/, where the motion is known, and colours
them both ways at the size at which the network sees them. Prints a table, writes it to
experiments/results/measure_film.json, and a strip of frames of each clip into outputs/films. With
--known it also measures networks that are told the colours carried to a frame as known colours.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import dataclasses
import itertools

from colorizer import Colorizer, chroma, tone
from colorizer.errors import UserError, run
from colorizer.files import photos
from colorizer.files.atomic import write_json
from colorizer.films import decode, stabilize
from colorizer.hints import known
from colorizer.jobs.find import find_photographs
from colorizer.pixels import grayscale, resize, to_unit
from pictures import metrics

import cv2
import numpy as np

# Frames of each film that are measured, and of a pan over a photograph.
FRAMES = 90
PAN_FRAMES = 60

# Frames between the two whose histograms are compared. Source: Liu et al. 2021, "Temporally
# Consistent Video Colorization with Deep Feature Propagation and Self-regularization Learning".
CDC_DISTANCES = (1, 2, 4)

# The frames of a scene between which points are followed, or its last one if it ends earlier; how
# many points, and how near one must come, followed back, to where it was, in pixels.
DRIFT_FRAMES = 5, 85
POINTS = 600
RETURN = 1.0

# Frames of a strip, in which the ways to colour lie below each other.
STRIP = 6
STRIPS = Path("outputs/films")

# What is measured: how a table calls it and writes it.
FIGURES = {
    "cdc": ("CDC", ".5f"),
    "e_warp": ("E_warp", ".5f"),
    "psnr": ("PSNR dB", ".2f"),
    "drift": ("drift", ".2f"),
    "chroma_change": ("chroma change", ".2f"),
    "colourfulness": ("colourfulness", ".1f"),
}


def read_clip(path) -> list:
    """Read the first FRAMES frames of a film as RGB, uint8 (H, W, 3)."""
    clip = []
    with decode.reading(path, decode.probe(path)) as frames:
        for frame, *_ in frames:
            clip.append(frame.to_ndarray(format="rgb24"))
            if len(clip) == FRAMES:
                break
    return clip


def pan_and_zoom(sample, number) -> tuple[list, list]:
    """Move a window over a photograph; return its frames, RGB (H, W, 3), and their true motion.

    The motion holds for each frame but the first, float32 (h, w, 2), where each of its pixels was
    in the frame before, in pixels of a frame of 240 rows and 320 columns.
    """
    height, width = 240, 320
    scale = max(height / sample.shape[0], width / sample.shape[1]) * 1.5
    size = round(sample.shape[0] * scale), round(sample.shape[1] * scale)
    whole = resize(sample, *size)
    room = np.array([size[1] - width, size[0] - height], np.float64)
    clip, windows = [], []
    for time in np.linspace(0, 1, PAN_FRAMES):
        share = 0.9 + 0.1 * np.cos(2 * np.pi * time) if number % 2 else 1.0
        corner = room * np.array([time, (1 - np.cos(2 * np.pi * time)) / 2])
        matrix = np.array([[share, 0, corner[0]], [0, share, corner[1]]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        clip.append(cv2.warpAffine(whole, matrix, (width, height), flags=flags))
        windows.append((share, corner))
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    motions = []
    for (share_before, corner_before), (share, corner) in itertools.pairwise(windows):
        place = (grid * share + corner - corner_before) / share_before
        motions.append((place - grid).astype(np.float32))
    return clip, motions


def waiting(colorizer, grays) -> list[stabilize.Prediction]:
    """Return gray frames (H, W, 1), coloured frame by frame, as they wait for steady colours."""
    small = [colorizer.shrink(gray)[..., 0] for gray in grays]
    frames, last = [], None
    for number, gray in enumerate(grays):
        before = small[max(0, number - stabilize.CONTEXT - 1) : number]
        after = small[number : number + stabilize.CONTEXT + 1]
        transition = stabilize.find_transition(before, after)
        cut = transition is stabilize.Transition.CUT
        flow = None if cut else stabilize.find_flow(last, small[number])
        frames.append(stabilize.Prediction(colorizer.predict(gray), transition, flow))
        if transition is not stabilize.Transition.FLASH:
            last = small[number]
    return frames


def steadied(frames) -> list:
    """Return the steady chroma of frames, as films get it."""
    stabilizer, chromas = stabilize.Stabilizer(), []
    for start in range(0, len(frames), stabilize.BLOCK):
        block = frames[start : start + stabilize.BLOCK + stabilize.AHEAD]
        chromas += [each for each, _ in stabilizer.stabilize(block)]
    return chromas


def told(colorizer, grays, frames) -> list[stabilize.Prediction]:
    """Colour frames one after the other, and tell the network what is carried to each."""
    answers, colours = [], None
    for gray, frame in zip(grays, frames, strict=True):
        chroma, weight = frame.chroma, np.ones(frame.chroma.shape[:2], np.float32)
        if frame.flow:
            carried, weight = frame.flow.forward.carry(*colours)
            mask = weight / stabilize.LONGEST_MEMORY
            chroma = colorizer.predict(gray, np.dstack([carried / known.SCALE, mask]))
            weight = np.minimum(weight + 1, stabilize.LONGEST_MEMORY)
        if frame.transition is not stabilize.Transition.FLASH:
            colours = chroma, weight
        answers.append(dataclasses.replace(frame, chroma=chroma))
    return answers


class Motion:
    """Where each pixel of a frame was in the frame before, and where that can be told.

    Measured on the frames' luminance with a slower flow than the one that steadies, or given.
    Source of what is occluded: Lai et al. 2018, "Learning Blind Video Temporal Consistency".
    """

    def __init__(self, small, cuts, motions):
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self.places, self.seen = [None], [None]
        for number in range(1, len(small)):
            if number in cuts:
                self.places.append(None)
                self.seen.append(None)
                continue
            before, after = small[number - 1], small[number]
            height, width = after.shape
            back = flow.calc(after, before, None)
            forth = flow.calc(before, after, None)
            if motions:
                scale = np.array([width / 320, height / 240], np.float32)
                back = cv2.resize(motions[number - 1], (width, height)) * scale
            grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
            place = (grid + back).astype(np.float32)
            returned = cv2.remap(forth, place, None, cv2.INTER_LINEAR)
            gap = np.sum((back + returned) ** 2, axis=2)
            bound = 0.01 * np.sum(back**2 + returned**2, axis=2) + 0.5
            edges = sum(np.sum(np.square(np.gradient(back, axis=axis)), axis=2) for axis in (0, 1))
            inside = (place >= 0).all(axis=2) & (place <= [width - 1, height - 1]).all(axis=2)
            seen = inside
            if not motions:
                still = edges <= 0.01 * np.linalg.norm(back, axis=2) + 0.002
                seen = inside & (gap <= bound) & still
            self.places.append(place)
            self.seen.append(seen)

    def differences(self, frames):
        """Yield frames (h, w, C) minus what was there before along the motion, where it is seen."""
        for before, after, place, seen in zip(
            frames, frames[1:], self.places[1:], self.seen[1:], strict=False
        ):
            if place is not None and seen.any():
                moved = cv2.remap(before, place, None, cv2.INTER_LINEAR)
                yield (after - moved)[seen]


def follow(grays) -> tuple[np.ndarray, np.ndarray]:
    """Follow points from the first to the last of gray frames, uint8 (H, W).

    Returns where those that are not lost are in both, float32 (N, 2), x and y. Source: pyramidal
    Lucas-Kanade (Bouguet 2001); forward and backward, Kalal et al. 2010.
    """
    begin = cv2.goodFeaturesToTrack(grays[0], POINTS, 0.001, 5)
    begin = np.zeros((0, 1, 2), np.float32) if begin is None else begin
    place, kept = begin, np.ones(len(begin), bool)
    for before, after in itertools.pairwise([*grays, *grays[-2::-1]]):
        if not kept.any():
            break
        place, found, _ = cv2.calcOpticalFlowPyrLK(before, after, place, None)
        kept &= found[:, 0] == 1
        if after is grays[-1]:
            end = place
    kept &= np.linalg.norm(place - begin, axis=-1)[:, 0] <= RETURN
    return begin[kept, 0], end[kept, 0]


def changes(chromas, points) -> np.ndarray:
    """Return how far the chroma (h, w, 2) of points is in two frames, in Lab's units, (N,).

    `points` are pairs of places, as `follow` gives them, in shares of the sides.
    """
    colours = [
        cv2.remap(chroma, (place * chroma.shape[1::-1] - 0.5).astype(np.float32), None, 1)[:, 0]
        for chroma, place in zip(chromas, points, strict=True)
    ]
    return np.linalg.norm(colours[1] - colours[0], axis=-1)


def cdc(frames) -> float:
    """Return the colour distribution consistency of RGB frames, uint8; 0 is steady.

    The Jensen-Shannon divergence (natural logarithm) of the histograms of 256 bins of each channel,
    of frames that are 1, 2 and 4 apart; the mean over frames, then distances and channels.
    Source: Liu et al. 2021, as TCVC and ColorMNet compute it.
    """
    histograms = np.stack(
        [
            [np.bincount(channel.ravel(), minlength=256) / channel.size for channel in cv2.split(f)]
            for f in frames
        ]
    )
    means = []
    for distance in CDC_DISTANCES:
        first, second = histograms[:-distance], histograms[distance:]
        middle = (first + second) / 2
        divergence = (_relative_entropy(first, middle) + _relative_entropy(second, middle)) / 2
        means.append(divergence.mean(axis=0))
    return float(np.mean(means))


def _relative_entropy(first, second) -> np.ndarray:
    """Return the Kullback-Leibler divergence of histograms (..., bins), natural logarithm."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(first > 0, first * np.log(first / second), 0).sum(axis=-1)


def measure(name, clip, motions, colorizer, with_known, folder) -> list[dict]:
    """Measure one clip; return a row for the truth, and for each way to colour it."""
    grays = [grayscale(frame) for frame in clip]
    small = [colorizer.shrink(gray) for gray in grays]
    frames = waiting(colorizer, grays)
    cuts = [number for number, frame in enumerate(frames) if frame.flow is None]
    motion = Motion([gray[..., 0] for gray in small], cuts, motions)
    truth = [resize(frame, *small[0].shape[:2]) for frame in clip]
    chromas = {
        "truth": [chroma.chroma_of(to_unit(frame)) for frame in truth],
        "frame by frame": [frame.chroma for frame in frames],
        "steady": steadied(frames),
    }
    if with_known:
        answers = told(colorizer, grays, frames)
        chromas["known"] = [frame.chroma for frame in answers]
        chromas["known, then steady"] = steadied(answers)
    rows, strips = [], []
    for way, values in chromas.items():
        painted = truth
        if way != "truth":
            painted = list(map(colorizer.paint, small, values))
        rows.append({"clip": name, "way": way, **figures(painted, values, truth, motion)})
        places = np.linspace(0, len(clip) - 1, STRIP).round().astype(int)
        strips.append(np.hstack([painted[place] for place in places]))
    photos.write_png(folder / f"{name}.png", np.vstack(strips))
    return rows


def figures(painted, chromas, truth, motion) -> dict:
    """Return the figures of a clip's frames: painted, their chroma, and the true frames."""
    changes = [np.hypot(*each.T).mean() for each in motion.differences(chromas)]
    warped = [np.square(each).mean() for each in motion.differences([f / 255 for f in painted])]
    errors = map(metrics.mean_squared_error, truth, painted)
    return {
        "frames": len(painted),
        "cdc": cdc(painted),
        "e_warp": float(np.mean(warped)),
        "psnr": float(np.mean(list(map(metrics.psnr, errors)))),
        "chroma_change": float(np.mean(changes)),
        "colourfulness": float(np.mean(list(map(metrics.colourfulness, painted)))),
    }


def means(rows) -> list[dict]:
    """Return the mean over the clips of each way's figures, as further rows."""
    found = []
    for way in dict.fromkeys(row["way"] for row in rows):
        of_way = [row for row in rows if row["way"] == way]
        mean = {name: float(np.mean([row[name] for row in of_way])) for name in FIGURES}
        found.append({"clip": f"mean of {len(of_way)}", "way": way, **mean})
    return found


def table(rows) -> str:
    """Write rows and their means as a Markdown table."""
    lines = ["| clip | | " + " | ".join(label for label, _ in FIGURES.values()) + " |"]
    lines.append("|---|---|" + "---:|" * len(FIGURES))
    named = None
    for row in [*rows, *means(rows)]:
        numbers = [f"{row[name]:{form}}" for name, (_, form) in FIGURES.items()]
        if row["way"] == "truth":
            numbers[list(FIGURES).index("psnr")] = "—"
        name = "" if row["clip"] == named else row["clip"]
        named = row["clip"]
        lines.append(f"| {name} | {row['way']} | {' | '.join(numbers)} |")
    return "\n".join(lines)


def main(argv=None) -> int:
    """Measure the clips, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("films", nargs="*", type=Path, metavar="FILM", help="films in colour")
    parser.add_argument("--model", default="semantic", help="as colorize.py takes it")
    parser.add_argument("--known", action="store_true", help="also with carried colours as known")
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "experiments/results/measure_film.json",
        help="default %(default)s",
    )
    settings = parser.parse_args(argv)
    return run(measure_all, settings)


def measure_all(settings) -> int:
    """Measure all films, and a pan or zoom over each coloured sample."""
    cv2.setNumThreads(1)
    colorizer = Colorizer(settings.model)
    if settings.known and not colorizer.network.takes_known:
        raise UserError(f"{settings.model} takes no known colours; give another --model")
    rows = []

    def add(name, clip, motions):
        rows.extend(measure(name, clip, motions, colorizer, settings.known, STRIPS))

    for path in settings.films:
        add(path.stem, read_clip(path), None)
    paths = find_photographs(ROOT / "samples")
    samples = [(path.stem, photos.read_rgb(path)) for path in paths]
    coloured = [(name, sample) for name, sample in samples if not tone.is_gray(sample)]
    for number, (name, sample) in enumerate(coloured):
        add(f"{'zoom' if number % 2 else 'pan'} over {name}", *pan_and_zoom(sample, number))
    print(table(rows))
    write_json(settings.output, {"model": colorizer.network.path.name, "clips": rows})
    print(f"written to {settings.output}; strips of frames are in {STRIPS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
