"""Measure how steady films come out: frame by frame against steady, and the truth beside both.

    python experiments/measures/measure_film.py FILM [FILM ...]

Takes films in black-and-white, films in colour turned gray, and pans and zooms over samples/, where
the motion is known, and colours them both ways at the size at which the network sees them. Prints
a table, writes it to experiments/results/measure_film.json, and a strip of frames of each clip into
outputs/films.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import itertools

from colorizer import Colorizer, chroma, tone
from colorizer.errors import run
from colorizer.files import photos
from colorizer.files.atomic import write_json
from colorizer.films import decode, scenes, stabilize
from colorizer.jobs.find import find_photographs
from colorizer.pixels import grayscale, is_gray, resize, shrink, to_unit
from pictures import metrics

import cv2
import numpy as np

# Frames of each film that are measured, and of a pan over a photograph.
FRAMES = 100
PAN_FRAMES = 60

# Frames between the two whose histograms are compared. Source: Liu et al. 2021, "Temporally
# Consistent Video Colorization with Deep Feature Propagation and Self-regularization Learning".
CDC_DISTANCES = (1, 2, 4)

# The frames of a scene between which points are followed, or its last one if it ends earlier; how
# many points, and how near one must come, followed back, to where it was, in pixels.
DRIFT_FRAMES = 5, 85
POINTS = 600
RETURN = 1.0

# Frames for which a shot is away before it returns, and in which it comes out of black.
AWAY = 20
FADE = 24

# The size in pixels at which frames side by side are looked at: a film in sepia has no colours.
TONED_SIZE = 224, 896

# Frames of a strip, in which the ways to colour lie below each other.
STRIP = 6
STRIPS = Path("outputs/films")

# What is measured: how a table calls it and writes it.
FIGURES = {
    "cdc": ("CDC", ".5f"),
    "e_warp": ("E_warp", ".5f"),
    "psnr": ("PSNR dB", ".2f"),
    "drift": ("drift", ".2f"),
    "returns": ("return", ".2f"),
    "fades": ("fade", ".2f"),
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


class Ways:
    """Colours gray frames both ways, and looks at each picture once."""

    def __init__(self, colorizer):
        """Take a Colorizer."""
        self.colorizer, self.seen = colorizer, {}

    def look(self, gray) -> tuple:
        """Return the small picture of gray (H, W), its chroma and its features."""
        key = gray.tobytes(), gray.shape
        if key not in self.seen:
            image = np.ascontiguousarray(gray)[..., np.newaxis]
            self.seen[key] = self.colorizer.shrink(image)[..., 0], *self.colorizer.look(image)
        return self.seen[key]

    def frame_by_frame(self, grays) -> list:
        """Return the chroma (h, w, 2) of each of gray frames (H, W), by itself."""
        return [self.look(gray)[1] for gray in grays]

    def steady(self, grays) -> tuple[list, list]:
        """Return the chroma (h, w, 2) of gray frames (H, W) as films get it, and their Scenes."""
        smalls = [self.colorizer.shrink(gray[..., np.newaxis])[..., 0] for gray in grays]
        frames = [(number, smalls[number], gray, 0.0) for number, gray in enumerate(grays)]
        predictions, inner, last, places = [], [], None, []
        for scene, opinion, _ in scenes.survey(frames, lambda gray: gray, self.look):
            for number in range(scene.begin, scene.end):
                gray = scenes.exposed(scene.inner(grays[number]), scene.exposure(number))
                small, values, features = self.look(gray)
                if opinion is not None:
                    values = opinion.of_frame(number, small, values, features)
                transition = scene.transition(number)
                cut = transition is stabilize.Transition.CUT
                flow = None if cut else stabilize.find_flow(last, small)
                predictions.append(stabilize.Prediction(values, transition, flow))
                inner.append(small)
                places.append(scene)
                if transition is not stabilize.Transition.FLASH:
                    last = small
        stabilizer, chromas = stabilize.Stabilizer(), []
        for start in range(0, len(predictions), stabilize.BLOCK):
            block = predictions[start : start + stabilize.BLOCK + stabilize.AHEAD]
            chromas += [each for each, _ in stabilizer.stabilize(block)]
        whole = []
        for number, (values, scene) in enumerate(zip(chromas, places, strict=True)):
            values = scenes.dimmed(values, inner[number], scene.exposure(number))
            picture = np.zeros((*smalls[number].shape, 2), np.float32)
            room = scene.inner(picture)
            room[:] = cv2.resize(values, room.shape[1::-1])
            whole.append(picture)
        return whole, [scene for number, scene in enumerate(places) if scene.begin == number]


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
    colours = []
    for values, place in zip(chromas, points, strict=True):
        place = np.float32(place * values.shape[1::-1] - 0.5)[:, np.newaxis]
        colours.append(cv2.remap(values, place, None, cv2.INTER_LINEAR)[:, 0])
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


def longest(found) -> tuple:
    """Return the longest of Scenes, and the first and last of its frames that drift is between."""
    scene = max(found, key=lambda each: each.end - each.begin)
    first, last = (min(scene.begin + each, scene.end - 1) for each in DRIFT_FRAMES)
    return scene, first, last


def followed(grays, scene):
    """Follow points within a Scene's bars, as `follow`; in shares of the sides of its frames."""
    inner = [np.ascontiguousarray(scene.inner(gray)) for gray in grays]
    corner = np.array([scene.box[2], scene.box[0]])
    sides = np.array([scene.box[3], scene.box[1]]) - corner
    return [(place + 0.5) / inner[0].shape[1::-1] * sides + corner for place in follow(inner)]


def returning(ways, grays, other, scene, first) -> dict:
    """Return how far the chroma of a shot is when it returns from what it was, by way.

    It is shown, then a part of another film, gray frames, then it goes on where it would be then.
    Nothing is returned where it is too short.
    """
    if scene.end - first < 3 * AWAY:
        return {}
    away = min(AWAY, len(other))
    gone = first + (scene.end - first - away) // 2
    back = gone + away
    points = followed(grays[gone - 1 : back + 1], scene)
    height, width = grays[0].shape
    between = [cv2.resize(gray, (width, height)) for gray in other[:away]]
    film = [*grays[first:gone], *between, *grays[back : scene.end]]
    ends = gone - 1 - first, gone - first + away
    return {
        way: float(np.mean(changes([chromas[end] for end in ends], points)))
        for way, chromas in (
            ("frame by frame", ways.frame_by_frame(film)),
            ("steady", ways.steady(film)[0]),
        )
    }


def fading(ways, grays, scene, first) -> dict:
    """Return the most chroma over lightness in a fade from black, as a multiple of what it is
    behind it, by way; nothing where the scene is too short."""
    if scene.end - first < 2 * FADE:
        return {}
    film = [
        np.rint(gray * min(1.0, number / FADE)).astype(np.uint8)
        for number, gray in enumerate(grays[first : first + 2 * FADE])
    ]
    small = [ways.colorizer.shrink(gray[..., np.newaxis]) for gray in film]
    found = {}
    for way, chromas in (
        ("frame by frame", ways.frame_by_frame(film)),
        ("steady", ways.steady(film)[0]),
    ):
        shares = []
        for gray, values in zip(small, chromas, strict=True):
            painted = chroma.chroma_of(ways.colorizer.paint(gray, values) / np.float32(255))
            lightness = scenes.LIGHTNESS[gray].mean()
            if lightness > 1:
                shares.append(np.linalg.norm(painted, axis=-1).mean() / lightness)
        found[way] = float(max(shares) / np.mean(shares[-FADE // 2 :]))
    return found


def measure(name, clip, motions, other, colorizer, folder) -> list[dict]:
    """Measure one clip; return a row for the truth, if it is in colour, and for each way to colour
    it. `other` is another clip."""
    some = np.hstack(clip[:: len(clip) // 4])
    in_colour = not is_gray(some) and not tone.is_toned(shrink(some, *TONED_SIZE))
    ways = Ways(colorizer)
    grays = [grayscale(frame)[..., 0] for frame in clip]
    small = [colorizer.shrink(gray[..., np.newaxis]) for gray in grays]
    steady, found = ways.steady(grays)
    truth = [resize(frame, *small[0].shape[:2]) for frame in clip]
    chromas = {
        "truth": [chroma.chroma_of(to_unit(frame)) for frame in truth],
        "frame by frame": ways.frame_by_frame(grays),
        "steady": steady,
    }
    if not in_colour:
        del chromas["truth"]
    motion = Motion([gray[..., 0] for gray in small], [scene.begin for scene in found], motions)
    scene, first, last = longest(found)
    points = followed(grays[first : last + 1], scene)
    returns = returning(ways, grays, [grayscale(each)[..., 0] for each in other], scene, first)
    fades = fading(ways, grays, scene, first)
    rows, strips = [], []
    for way, values in chromas.items():
        painted = truth if way == "truth" else list(map(colorizer.paint, small, values))
        row = {"clip": name, "way": way, **figures(painted, values, truth, motion)}
        if not in_colour:
            row["psnr"] = None
        drifts = changes([values[first], values[last]], points)
        row |= {"drift": float(drifts.mean()), "points": len(drifts)}
        row |= {"returns": returns.get(way), "fades": fades.get(way)}
        rows.append(row)
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
        "psnr": float(np.mean(list(map(metrics.psnr, errors)))) if painted is not truth else None,
        "chroma_change": float(np.mean(changes)),
        "colourfulness": float(np.mean(list(map(metrics.colourfulness, painted)))),
    }


def means(rows) -> list[dict]:
    """Return the mean over the clips of each way's figures, as further rows."""
    found = []
    for way in dict.fromkeys(row["way"] for row in rows):
        of_way = [row for row in rows if row["way"] == way]
        mean = {}
        for name in FIGURES:
            measured = [row[name] for row in of_way if row.get(name) is not None]
            mean[name] = float(np.mean(measured)) if measured else None
        found.append({"clip": f"mean of {len(of_way)}", "way": way, **mean})
    return found


def table(rows) -> str:
    """Write rows and their means as a Markdown table."""
    lines = ["| clip | | " + " | ".join(label for label, _ in FIGURES.values()) + " |"]
    lines.append("|---|---|" + "---:|" * len(FIGURES))
    named = None
    for row in [*rows, *means(rows)]:
        numbers = [
            "—" if row.get(name) is None else f"{row[name]:{form}}"
            for name, (_, form) in FIGURES.items()
        ]
        name = "" if row["clip"] == named else row["clip"]
        named = row["clip"]
        lines.append(f"| {name} | {row['way']} | {' | '.join(numbers)} |")
    return "\n".join(lines)


def main(argv=None) -> int:
    """Measure the clips, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("films", nargs="*", type=Path, metavar="FILM", help="films")
    parser.add_argument("--model", default="semantic", help="as colorize.py takes it")
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
    clips = [(path.stem, read_clip(path), None) for path in settings.films]
    paths = find_photographs(ROOT / "samples")
    samples = [(path.stem, photos.read_rgb(path)) for path in paths]
    coloured = [(name, sample) for name, sample in samples if not is_gray(sample)]
    for number, (name, sample) in enumerate(coloured):
        kind = "zoom" if number % 2 else "pan"
        clips.append((f"{kind} over {name}", *pan_and_zoom(sample, number)))
    rows = []
    for number, (name, clip, motions) in enumerate(clips):
        other = clips[number - 1][1]
        rows += measure(name, clip, motions, other, colorizer, STRIPS)
        print(f"measured {name}, {number + 1} of {len(clips)}", flush=True)
    print(table(rows))
    write_json(settings.output, {"model": colorizer.network.path.name, "clips": rows})
    print(f"written to {settings.output}; strips of frames are in {STRIPS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
