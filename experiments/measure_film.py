"""Measure how steady films come out: frame by frame against steady, and the truth beside both.

    python experiments/measure_film.py CLIP [CLIP ...]

Reads films in colour, turns them gray, and colours them both ways at the size at which the network
sees them; without a film it pans and zooms over samples/, where the motion is known. Prints a table
and writes it to outputs/films/steadiness.json, and a strip of frames of each clip beside it.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import itertools

from colorizer import Colorizer, chroma, formats, photos, steady, tone, video
from colorizer.files import write_json

import cv2
import numpy as np

# Frames of each film that are measured, and of a pan over a photograph.
FRAMES = 90
PAN_FRAMES = 60

# Frames between the two whose histograms are compared. Source: Liu et al. 2021, "Temporally
# Consistent Video Colorization with Deep Feature Propagation and Self-regularization Learning".
CDC_DISTANCES = (1, 2, 4)

# Frames of a strip.
STRIP = 6


def read_clip(path) -> list:
    """Read the first FRAMES frames of a film as RGB, uint8 (H, W, 3)."""
    clip = []
    with video.opened(path) as (container, stream):
        for frame, *_ in video.frames(container, stream):
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
    whole = photos.resize(sample, *size)
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


def colour(colorizer, grays):
    """Return the chroma of gray frames (H, W, 1), frame by frame and steady, and the small frames.

    Also returns the numbers of the frames that begin a scene.
    """
    small = [colorizer.shrink(gray)[..., 0] for gray in grays]
    single, steadied, cuts = [], [], []
    steadier = steady.Steady(colorizer.network.takes_known)
    for number, gray in enumerate(grays):
        single.append(colorizer.predict(gray))
        change = steady.change(small[max(0, number - 3) : number], small[number : number + 3])
        if change == "cut":
            cuts.append(number)

        def predict(known, gray=gray):
            return single[-1] if known is None else colorizer.predict(gray, known)

        steadied.append(steadier.step(small[number], predict, change))
    return small, single, steadied, cuts


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


def colourfulness(rgb) -> float:
    """Return the colourfulness of an RGB picture. Source: Hasler & Suesstrunk 2003, M3."""
    red, green, blue = np.moveaxis(rgb.astype(np.float64), -1, 0)
    first, second = red - green, (red + green) / 2 - blue
    spread = np.hypot(first.std(), second.std())
    return float(spread + 0.3 * np.hypot(first.mean(), second.mean()))


def measure(name, clip, motions, colorizer, folder) -> list[dict]:
    """Measure one clip; return a row for the truth, frame by frame, and steady."""
    grays = [photos.grayscale(frame) for frame in clip]
    small, single, steadied, cuts = colour(colorizer, grays)
    truth = [photos.resize(frame, *small[0].shape) for frame in clip]
    motion = Motion(small, cuts, motions)
    chromas = {
        "truth": [chroma.chroma_of(photos.to_unit(frame)) for frame in truth],
        "frame by frame": single,
        "steady": steadied,
    }
    rows, painted = [], {}
    for way, values in chromas.items():
        frames = truth
        if way != "truth":
            frames = [
                colorizer.paint(gray[..., np.newaxis], each)
                for gray, each in zip(small, values, strict=True)
            ]
        painted[way] = frames
        moved = [np.hypot(*each.T).mean() for each in motion.differences(values)]
        warped = [np.square(each).mean() for each in motion.differences([f / 255 for f in frames])]
        errors = [
            np.square(frame.astype(np.float64) - true).mean()
            for frame, true in zip(frames, truth, strict=True)
        ]
        row = {
            "clip": name,
            "way": way,
            "frames": len(clip),
            "chroma_change": float(np.mean(moved)),
            "cdc": cdc(frames),
            "e_warp": float(np.mean(warped)),
            "colourfulness": float(np.mean([colourfulness(frame) for frame in frames])),
            "psnr": float(np.mean(10 * np.log10(255**2 / np.maximum(errors, 1e-9)))),
        }
        rows.append(row)
    places = np.linspace(0, len(clip) - 1, STRIP).round().astype(int)
    strip = np.vstack([np.hstack([frames[n] for n in places]) for frames in painted.values()])
    photos.write_png(folder / f"{name}.png", strip)
    return rows


def print_rows(rows) -> None:
    """Print rows as a Markdown table."""
    print(
        "| clip | way | chroma change | CDC | E_warp | colourfulness | PSNR |\n"
        "|---|---|---|---|---|---|---|"
    )
    for row in rows:
        psnr = "" if row["way"] == "truth" else f"{row['psnr']:.2f}"
        print(
            f"| {row['clip']} | {row['way']} | {row['chroma_change']:.3f} | {row['cdc']:.6f} | "
            f"{row['e_warp']:.6f} | {row['colourfulness']:.2f} | {psnr} |"
        )


def summary(rows) -> list[dict]:
    """Return the mean over the clips of each way's figures."""
    means = []
    for way in dict.fromkeys(row["way"] for row in rows):
        of_way = [row for row in rows if row["way"] == way]
        figures = {
            name: float(np.mean([row[name] for row in of_way]))
            for name in ("chroma_change", "cdc", "e_warp", "colourfulness", "psnr")
        }
        means.append({"clip": "mean", "way": way, **figures})
    return means


def main(argv=None) -> int:
    """Measure the clips, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clips", nargs="*", type=Path, help="films in colour")
    parser.add_argument("--model", default="semantic", help="as colorize.py takes it")
    parser.add_argument(
        "--output", type=Path, default=Path("outputs/films"), help="default %(default)s"
    )
    settings = parser.parse_args(argv)
    cv2.setNumThreads(1)
    colorizer = Colorizer(settings.model)
    rows = []
    for path in settings.clips:
        rows += measure(path.stem, read_clip(path), None, colorizer, settings.output)
    if not settings.clips:
        samples = [photos.read_rgb(path) for path in formats.find_photographs(ROOT / "samples")]
        coloured = [sample for sample in samples if not tone.is_gray(sample)]
        for number, sample in enumerate(coloured):
            clip, motions = pan_and_zoom(sample, number)
            rows += measure(f"pan-{number}", clip, motions, colorizer, settings.output)
    rows += summary(rows)
    print_rows(rows)
    write_json(settings.output / "steadiness.json", rows)
    print(f"written to {settings.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
