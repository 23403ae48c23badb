"""Measure colorize.py: first picture, time against decoding and encoding alone, memory.

    python experiments/benchmarks/benchmark_colorize.py

Colorizes one of samples/ in a fresh process, then photographs of 1, 12 and 100 megapixels, made
from samples/ in a temporary folder, and decodes and encodes the same files with OpenCV alone. A
ratio is of processor seconds, however many cores share the work. Prints them, the memory and what
share of a photograph each part of the work has, and writes them to
experiments/results/benchmark_colorize.json. With --before, a checkout of another commit does the
same photographs in the same run. Exit status: 0 all bounds hold, 1 some do not.
"""

import argparse
import importlib.metadata
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer import Colorizer
from colorizer.files import formats, photos
from colorizer.files.atomic import write_json
from experiments.benchmarks.processes import machine, make_photographs, run_colorize

import cv2

# Model, megapixels of a photograph, how many of them, the most that the ratio of processor seconds
# and the peak memory in MiB may be, where there is a bound.
SETS = (
    ("semantic", 1, 200, 5.0, 600),
    ("paper", 1, 200, 5.0, 600),
    ("semantic", 12, 60, 3.0, 2560),
    ("semantic", 100, 1, None, 2560),
)

FIRST_PICTURE_LIMIT = 1.5  # seconds
PARTS_OF = 8  # photographs, of which the mean counts
FIRST_PICTURE_STARTS = 5  # of which the median counts

PACKAGES = ("numpy", "opencv-python-headless", "onnxruntime", "pillow")

# As colorize.py writes JPEGs.
JPEG = [
    cv2.IMWRITE_JPEG_QUALITY,
    formats.QUALITY,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]


def time_opencv(folder, output) -> tuple[float, float]:
    """Return the seconds, and the processor's seconds, to decode and encode every file in turn."""
    output.mkdir()
    start, processor_start = time.perf_counter(), time.process_time()
    for path in sorted(folder.iterdir()):
        cv2.imwrite(str(output / path.name), cv2.imread(str(path)), JPEG)
    return time.perf_counter() - start, time.process_time() - processor_start


def measure_first_picture(model, temporary) -> dict:
    """Measure the start of a process to its first picture and print it, for the JSON."""
    sample = ROOT / "samples" / "astronaut.jpg"
    runs = [
        run_colorize(sample, temporary / f"first-{model}-{number}", "--model", model)
        for number in range(FIRST_PICTURE_STARTS)
    ]
    first = statistics.median(run["first_picture_seconds"] for run in runs)
    memory = max(run["peak_memory_mib"] for run in runs)
    holds = first <= FIRST_PICTURE_LIMIT
    print(
        f"{model}, a fresh process: first picture after {first:.2f} s "
        f"(at most {FIRST_PICTURE_LIMIT}); memory {memory:.0f} MiB: {verdict(holds)}"
    )
    return {
        "model": model,
        "first_picture_seconds": round(first, 3),
        "first_picture_limit": FIRST_PICTURE_LIMIT,
        "peak_memory_mib": round(memory),
        "holds": holds,
    }


def measure_parts(model, folder) -> dict:
    """Return the processor's milliseconds that each part of the work takes, a photograph."""
    colorizer = Colorizer(model)
    paths = sorted(folder.iterdir())[:PARTS_OF]
    colorizer.colorize(photos.read_rgb(paths[0]))  # the first is slower than the others
    spent = dict.fromkeys(("decode", "network", "chroma onto luminance", "encode"), 0.0)

    def timed(part, function, *given):
        start = time.process_time()
        result = function(*given)
        spent[part] += 1e3 * (time.process_time() - start) / len(paths)
        return result

    for path in paths:
        with photos.opened(path) as image:
            photograph = timed("decode", photos.load, image)
        chroma = timed("network", colorizer.predict, photograph.pixels)
        photograph.pixels = timed(
            "chroma onto luminance", colorizer.paint, photograph.pixels, chroma
        )
        timed("encode", photos.encode, photograph)
    return spent


def measure(model, megapixels, count, ratio_limit, memory_limit, before, temporary) -> dict:
    """Measure one set and print it; return what goes into the JSON."""
    folder = temporary / f"{model}-{megapixels}-megapixels"
    make_photographs(folder, megapixels, count)
    opencv, opencv_processor = time_opencv(folder, temporary / f"{folder.name}-opencv")
    run = run_colorize(folder, temporary / f"{folder.name}-done", "--model", model)
    ratio, memory = run["processor_seconds"] / opencv_processor, run["peak_memory_mib"]
    holds = memory <= memory_limit and (ratio_limit is None or ratio <= ratio_limit)
    print(
        f"{model}, {count} x {megapixels} megapixels: colorize.py "
        f"{run['processor_seconds']:.1f} s of processor ({run['seconds']:.1f} s), OpenCV alone "
        f"{opencv_processor:.1f} s ({opencv:.1f} s), ratio {ratio:.2f}"
        f"{f' (at most {ratio_limit})' if ratio_limit else ''}; "
        f"memory {memory:.0f} MiB (at most {memory_limit}): {verdict(holds)}"
    )
    each = 1e3 * run["processor_seconds"] / count
    parts = measure_parts(model, folder)
    parts["the rest"] = each - sum(parts.values())
    shares = ", ".join(f"{part} {spent:.1f} ({spent / each:.0%})" for part, spent in parts.items())
    print(f"    of {each:.1f} ms a photograph: {shares}")
    result = {
        "model": model,
        "megapixels": megapixels,
        "photographs": count,
        "colorize_seconds": round(run["seconds"], 2),
        "colorize_processor_seconds": round(run["processor_seconds"], 2),
        "opencv_seconds": round(opencv, 2),
        "opencv_processor_seconds": round(opencv_processor, 2),
        "ratio": round(ratio, 3),
        "ratio_limit": ratio_limit,
        "milliseconds": {part: round(spent, 1) for part, spent in parts.items()},
        "peak_memory_mib": round(memory),
        "memory_limit_mib": memory_limit,
        "holds": holds,
    }
    if before:
        done = temporary / f"{folder.name}-before"
        run = run_colorize(folder, done, "--model", model, root=before)
        other = run["processor_seconds"] / opencv_processor
        print(
            f"    {before}: {run['processor_seconds']:.1f} s of processor "
            f"({run['seconds']:.1f} s), ratio {other:.2f}, {other / ratio:.2f} times as much"
        )
        result["before_processor_seconds"] = round(run["processor_seconds"], 2)
        result["before_ratio"] = round(other, 3)
    return result


def verdict(holds) -> str:
    return "holds" if holds else "DOES NOT HOLD"


def main(argv=None) -> int:
    """Measure every set, write the results, and return 1 if a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "experiments/results/benchmark_colorize.json",
        help="default %(default)s",
    )
    before = "a checkout of another commit, to measure in the same run"
    parser.add_argument("--before", type=Path, metavar="PATH", help=before)
    settings = parser.parse_args(argv)
    print(f"{os.cpu_count()} cores of {machine()}")
    with tempfile.TemporaryDirectory() as temporary:
        starts = [measure_first_picture(model, Path(temporary)) for model in ("semantic", "paper")]
        sets = [measure(*each, settings.before, Path(temporary)) for each in SETS]
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    results = {
        "first_picture": starts,
        "sets": sets,
        "processor": machine(),
        "processor_cores": os.cpu_count(),
        "versions": {"python": platform.python_version(), **versions},
    }
    write_json(settings.output, results)
    print(f"written to {settings.output}")
    return 0 if all(result["holds"] for result in starts + sets) else 1


if __name__ == "__main__":
    sys.exit(main())
