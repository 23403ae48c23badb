"""Measure how far hints in one frame of a film steer their object through the scene.

    python experiments/measures/measure_film_hints.py FOLDER

FOLDER holds the clips of OBJECTS as NAME.mp4. Each is colorized alone and with five dots on one of
its objects in its first frame. Prints a table and writes
experiments/results/measure_film_hints.json; frames of each go into outputs/films.
"""

import argparse
import dataclasses
import itertools
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer import chroma, cli
from colorizer.errors import UserError, run
from colorizer.files import photos
from colorizer.files.atomic import write_json
from colorizer.films import decode
from colorizer.hints import drawing, palette
from colorizer.pixels import grayscale, shrink, to_unit
from experiments.measures.measure_film import RETURN, STRIPS, read_clip
from experiments.measures.measure_hints import CHROMA, RADIUS, TURN

import av
import cv2
import numpy as np

# Frames of a clip, the longer side in pixels, and the frames that are looked at.
FRAMES, SIDE = 86, 480
LOOKED_AT = 5, 25, 45, 65, 85
# How large a square around a point is looked at, in pixels.
AROUND = 5


@dataclasses.dataclass(frozen=True)
class Object:
    """An object of a clip, marked by hand in its first frame.

    Places are x and y in hundredths of the sides: of the dots, of others `on` the object, of those
    `behind` its edges, and of `skin`.
    """

    clip: str
    name: str
    dots: tuple
    on: tuple
    behind: tuple
    skin: tuple


V04_SKIN = (56, 40), (60, 55), (54, 66), (65, 60)
V07_SKIN = (33, 28), (34, 44), (68, 46), (80, 50)
V26_SKIN = (42, 46), (40, 42), (56, 24), (59, 42)
V32_SKIN = (46, 46), (55, 46), (50, 29), (51, 63)
V39_SKIN = (46, 22), (48, 19), (35, 67), (59, 67)
# The clips are of Zhang et al. 2019, "Deep Exemplar-based Video Colorization".
OBJECTS = (
    Object(
        "v04",
        "jacket",
        ((47, 86), (54, 82), (72, 80), (85, 84), (92, 86)),
        ((50, 92), (53, 76), (79, 90), (82, 73), (90, 79), (70, 90)),
        ((43, 70), (30, 60), (90, 50), (91, 35), (66, 78)),
        V04_SKIN,
    ),
    Object(
        "v04",
        "hat",
        ((50, 10), (57, 6), (63, 12), (72, 24), (43, 36)),
        ((53, 13), (60, 5), (69, 21), (74, 32), (41, 42)),
        ((42, 10), (71, 12), (45, 3), (36, 45), (80, 20)),
        V04_SKIN,
    ),
    Object(
        "v07",
        "his jacket",
        ((22, 75), (19, 86), (43, 60), (50, 68), (44, 76)),
        ((25, 65), (48, 54), (53, 62), (21, 70), (42, 68)),
        ((60, 50), (15, 30), (57, 40), (31, 60), (55, 45)),
        V07_SKIN,
    ),
    Object(
        "v07",
        "her dress",
        ((80, 80), (85, 74), (72, 92), (78, 90), (84, 92)),
        ((83, 84), (76, 86), (86, 82), (70, 97), (82, 76)),
        ((60, 55), (61, 62), (67, 80), (63, 87), (50, 60)),
        V07_SKIN,
    ),
    Object(
        "v26",
        "her coat",
        ((33, 70), (30, 80), (36, 80), (30, 90), (40, 88)),
        ((34, 90), (29, 85), (40, 76), (45, 92), (38, 70)),
        ((22, 86), (17, 90), (18, 60), (50, 60), (47, 35)),
        V26_SKIN,
    ),
    Object(
        "v26",
        "his coat",
        ((62, 60), (70, 60), (65, 75), (75, 80), (60, 85)),
        ((68, 50), (72, 70), (58, 75), (70, 90), (77, 90)),
        ((85, 70), (78, 38), (50, 60), (47, 35), (85, 45)),
        V26_SKIN,
    ),
    Object(
        "v32",
        "dress",
        ((30, 93), (38, 88), (40, 80), (66, 88), (75, 92)),
        ((34, 95), (42, 74), (64, 80), (70, 86), (80, 95), (63, 70)),
        ((31, 62), (70, 63), (80, 75), (37, 70), (20, 70)),
        V32_SKIN,
    ),
    Object(
        "v32",
        "headband",
        ((37, 25), (39, 12), (46, 3), (55, 3), (62, 15)),
        ((37, 32), (42, 7), (60, 8), (61, 20), (38, 38)),
        ((33, 20), (68, 15), (70, 30), (31, 40), (50, 15)),
        V32_SKIN,
    ),
    Object(
        "v39",
        "dress",
        ((45, 56), (50, 57), (42, 85), (47, 88), (53, 85)),
        ((43, 55), (53, 54), (45, 62), (40, 92), (50, 93), (56, 92)),
        ((70, 88), (66, 30), (64, 80), (33, 80), (66, 60)),
        V39_SKIN,
    ),
    Object(
        "v39",
        "sky",
        ((30, 20), (60, 15), (70, 20), (80, 10), (65, 28)),
        ((75, 15), (85, 25), (62, 8), (35, 24), (58, 12)),
        ((80, 60), (70, 88), (15, 50), (36, 50), (47, 57)),
        V39_SKIN,
    ),
)


def write_clip(clip, path) -> None:
    """Write gray frames (H, W, 1) as a film without loss."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", 24)
        stream.height, stream.width = clip[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for gray in clip:
            frame = av.VideoFrame.from_ndarray(gray[..., 0], format="gray")
            output.mux(stream.encode(frame.reformat(format="yuv420p")))
        output.mux(stream.encode(None))


def colorized(clip, folder, hints=None) -> list:
    """Return the chroma, float32 (H, W, 2), that `colorize.py` gives LOOKED_AT of gray frames."""
    folder.mkdir()
    write_clip(clip, folder / "film.mkv")
    if hints is not None:
        (folder / "film.hints").mkdir()
        photograph = photos.Photograph(hints[..., :3], alpha=hints[..., 3], format="PNG")
        (folder / "film.hints" / "0.png").write_bytes(photos.encode(photograph))
    given = [str(folder / "film.mkv"), "--output", str(folder / "out"), "--codec", "ffv1"]
    if cli.main(given):
        raise UserError(f"colorize.py fails on {folder / 'film.mkv'}")
    path, found = folder / "out" / "film.mkv", []
    with decode.reading(path, decode.probe(path)) as frames:
        for number, (frame, *_) in enumerate(frames):
            if number in LOOKED_AT:
                rgb = frame.to_ndarray(format="rgb24")
                found.append(cv2.blur(chroma.chroma_of(to_unit(rgb)), (AROUND, AROUND)))
    return found


def followed(grays, places) -> list:
    """Follow places of the first of gray frames (H, W) by pyramidal Lucas-Kanade.

    Returns for each of LOOKED_AT the places, float32 (N, 2) in pixels, and which are not lost, bool
    (N,), because they come back to where they were from one frame to the next and back.
    """
    height, width = grays[0].shape
    here = np.float32(places)[:, np.newaxis] / 100 * np.float32([width, height])
    kept, found = np.ones(len(places), bool), []
    for number, (before, after) in enumerate(itertools.pairwise(grays), start=1):
        there, seen, _ = cv2.calcOpticalFlowPyrLK(before, after, here, None)
        back, returned, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None)
        kept = kept & (seen[:, 0] == 1) & (returned[:, 0] == 1)
        kept &= np.linalg.norm(back - here, axis=-1)[:, 0] <= RETURN
        here = there
        inside = ((here[:, 0] >= 0) & (here[:, 0] < (width, height))).all(axis=1)
        kept = kept & inside
        if number in LOOKED_AT:
            found.append((here[:, 0], kept))
    return found


def at(values, places) -> np.ndarray:
    """Return values (H, W, 2) at places (N, 2), x and y in pixels."""
    columns, rows = np.rint(places).astype(int).T
    return values[rows, columns]


def hints_on(gray, before, dots) -> tuple:
    """Return hints on a first frame, gray (H, W, 1), and the chroma that they ask for, (2,).

    Its hue is turned from that of `before`, the mean chroma of the object.
    """
    hue = np.arctan2(before[1], before[0]) + np.radians(TURN)
    wanted = CHROMA * np.array([np.cos(hue), np.sin(hue)])
    height, width = gray.shape[:2]
    points, said = [], []
    for x, y in dots:
        level = gray[y * height // 100, x * width // 100, 0]
        colour = palette.shades(level, wanted[np.newaxis, np.newaxis])[0, 0]
        points.append(drawing.Point(x / 100, y / 100, tuple(colour), RADIUS))
        said.append(chroma.chroma_of(colour / 255))
    return drawing.draw(points, height, width), np.mean(said, axis=0)


def measure(thing, clip, alone, folder) -> dict:
    """Measure one object: the shares of the way that it and what is behind it go, and its skin.

    `alone` is what `colorized` gives without hints. The way is that from the mean chroma of the
    object to what the dots ask for; `skin` is how far that changes, in Lab's units.
    """
    grays = [gray[..., 0] for gray in clip]
    height, width = grays[0].shape
    first = np.float32(thing.on) / 100 * np.float32([width, height])
    before = at(alone[0], first).mean(axis=0)
    hints, asked = hints_on(clip[0], before, thing.dots)
    told = colorized(clip, folder, hints)
    way, row = asked - before, {"clip": thing.clip, "object": thing.name}
    for name in ("on", "behind", "skin"):
        changes = []
        for frame, (places, kept) in enumerate(followed(grays, getattr(thing, name))):
            places = places[kept]
            change = at(told[frame], places) - at(alone[frame], places)
            changes += [
                np.linalg.norm(change, axis=1) if name == "skin" else change @ way / (way @ way)
            ]
        row[name] = float(np.concatenate(changes).mean())
        row[f"{name}_last"] = float(changes[-1].mean()) if len(changes[-1]) else None
    strip = [
        np.hstack([painted(gray, values) for gray, values in zip(shown, each, strict=True)])
        for shown in [[clip[number] for number in LOOKED_AT]]
        for each in (alone, told)
    ]
    photos.write_png(
        STRIPS / f"hints-{thing.clip}-{thing.name.replace(' ', '-')}.png", np.vstack(strip)
    )
    return row


def painted(gray, values) -> np.ndarray:
    """Return half of the size of gray (H, W, 1) with chroma (H, W, 2), RGB."""
    whole = chroma.add_chroma(gray, gray, values)
    return cv2.resize(whole, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def table(rows) -> str:
    """Write rows and their mean as a Markdown table."""
    lines = ["| clip | object | on it % | in the last frame % | behind its edge % | skin, Lab |"]
    lines.append("|---|---|---:|---:|---:|---:|")
    mean = {"clip": f"mean of {len(rows)}", "object": ""}
    for name in ("on", "on_last", "behind", "skin"):
        mean[name] = float(np.mean([row[name] for row in rows if row[name] is not None]))
    for row in [*rows, mean]:
        last = "—" if row["on_last"] is None else f"{row['on_last']:.0%}"
        lines.append(
            f"| {row['clip']} | {row['object']} | {row['on']:.0%} | {last} | {row['behind']:.0%} "
            f"| {row['skin']:.1f} |"
        )
    return "\n".join(lines)


def main(argv=None) -> int:
    """Measure the objects, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="a folder of the clips")
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "experiments/results/measure_film_hints.json",
        help="default %(default)s",
    )
    settings = parser.parse_args(argv)
    return run(measure_all, settings)


def measure_all(settings) -> int:
    """Measure all OBJECTS."""
    STRIPS.mkdir(parents=True, exist_ok=True)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for name, things in itertools.groupby(OBJECTS, lambda each: each.clip):
            clip = [
                grayscale(frame) for frame in read_clip(settings.folder / f"{name}.mp4")[:FRAMES]
            ]
            scale = SIDE / max(clip[0].shape)
            height, width = (round(side * scale / 2) * 2 for side in clip[0].shape[:2])
            clip = [shrink(gray, height, width) for gray in clip]
            alone = colorized(clip, Path(temporary, name))
            for number, thing in enumerate(things):
                rows.append(measure(thing, clip, alone, Path(temporary, f"{name}-{number}")))
                print(f"measured {thing.name} of {name}: {rows[-1]['on']:.0%}", flush=True)
    print(table(rows))
    write_json(settings.output, {"objects": rows})
    print(f"written to {settings.output}; frames are in {STRIPS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
