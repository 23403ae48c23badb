"""Measure colorize.py on films: frames a second of the whole process, and its memory.

    python experiments/benchmarks/benchmark_films.py

Makes black-and-white films that pan over one of samples/ in a temporary folder, colorizes each in a
fresh process, prints a table and writes it to experiments/results/benchmark_films.json. Exit
status: 0 all bounds hold, 1 some do not.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer.files import photos
from colorizer.files.atomic import write_json
from colorizer.pixels import grayscale
from experiments.benchmarks.processes import run_colorize

import av
import numpy as np

# Height, width, frames, the size at which the network sees them (None: the default), and the
# bounds, where there are some: the least frames a second and the most memory in MiB.
FILMS = (
    (480, 640, 400, None, 12, None),
    (1080, 1920, 200, None, 5, 1228),
    (96, 128, 2_000, 64, None, None),
    (96, 128, 20_000, 64, None, 1228),
)

# Pixels that the window moves over the sample, forth and back, one a frame.
PAN = 100


def make_film(path, height, width, frames) -> None:
    """Write a film that pans over a sample, repeated and mirrored until it is large enough."""
    sample = grayscale(photos.read_rgb(ROOT / "samples" / "palace.jpg"))[..., 0]
    room = (max(0, height + PAN - sample.shape[0]), max(0, width + PAN - sample.shape[1]))
    whole = np.pad(sample, [(0, side) for side in room], mode="symmetric")
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", 25, options={"preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for number in range(frames):
            place = PAN - abs(number % (2 * PAN) - PAN)
            picture = np.ascontiguousarray(whole[place : place + height, place : place + width])
            frame = av.VideoFrame.from_ndarray(picture, format="gray")
            output.mux(stream.encode(frame.reformat(format="yuv420p")))
        output.mux(stream.encode(None))


def measure(height, width, frames, working_size, least, most, folder) -> dict:
    """Make and colorize one film in a fresh process; return what goes into the JSON."""
    film = folder / f"{width}x{height}-{frames}.mp4"
    make_film(film, height, width, frames)
    flags = ["--working-size", str(working_size)] if working_size else []
    run = run_colorize(film, folder / "done", *flags, quiet=True)
    rate, memory = frames / run["seconds"], run["peak_memory_mib"]
    return {
        "height": height,
        "width": width,
        "frames": frames,
        "working_size": working_size,
        "seconds": round(run["seconds"], 2),
        "processor_seconds": round(run["processor_seconds"], 2),
        "frames_per_second": round(rate, 1),
        "peak_memory_mib": round(memory),
        "holds": (least is None or rate >= least) and (most is None or memory <= most),
    }


def table(rows) -> str:
    """Write rows as a Markdown table; the small films are there for the memory alone."""
    lines = ["| film | frames a second | memory, MiB |", "|---|---:|---:|"]
    for row in rows:
        name = f"{row['width']}x{row['height']}, {row['frames']:,} frames"
        rate = "" if row["working_size"] else f"{row['frames_per_second']:.1f}"
        lines.append(f"| {name} | {rate} | {row['peak_memory_mib']} |")
    return "\n".join(lines)


def main(argv=None) -> int:
    """Measure every film, write the results, and return 1 if a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "experiments/results/benchmark_films.json",
        help="default %(default)s",
    )
    settings = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        rows = [measure(*film, Path(temporary)) for film in FILMS]
    print(table(rows))
    write_json(settings.output, {"films": rows, "processor_cores": os.cpu_count()})
    print(f"written to {settings.output}")
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
