"""Measure colorize.py: time against decoding and encoding alone, first picture, memory.

    python experiments/benchmark_colorize.py

Makes photographs of 1, 12 and 100 megapixels from samples/ in a temporary folder, colorizes them
with the whole program, those of 1 megapixel by the paper's network as well, and decodes and encodes
the same files with OpenCV alone. Prints the ratios and writes them to
experiments/results/benchmark_colorize.json.
"""

import argparse
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import cv2
import numpy as np
import photos
from project import versions, write_json

# Model, megapixels of a photograph, how many of them, the ratio of times that must hold, if any.
SETS = (
    ("paper", 1, 200, 2.0),
    ("semantic", 1, 200, None),
    ("semantic", 12, 200, 2.5),
    ("semantic", 100, 1, None),
)
FIRST_PICTURE_LIMIT = 6.0  # seconds, in a set of more than one
MEMORY_LIMIT = 2.5  # GiB of process memory

# As colorize.py writes JPEGs.
JPEG = [
    cv2.IMWRITE_JPEG_QUALITY,
    photos.JPEG_QUALITY,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]


def make_photographs(folder, megapixels, count) -> None:
    """Write `count` JPEGs of `megapixels` each from the samples in turn.

    A sample is repeated, mirrored at its edges, until the size is reached: enlarged instead, it
    would lack the fine detail that a photograph of that size has.
    """
    folder.mkdir()
    samples = [photos.read_rgb(path) for path in photos.find_photographs(ROOT / "samples")]
    height = round(math.sqrt(megapixels * 1e6 * 2 / 3))
    width = round(height * 3 / 2)
    for number in range(count):
        sample = samples[number % len(samples)]
        missing = (0, max(0, height - sample.shape[0])), (0, max(0, width - sample.shape[1]))
        picture = np.pad(sample, (*missing, (0, 0)), mode="symmetric")[:height, :width]
        if number // len(samples) % 2:
            picture = picture[::-1]
        cv2.imwrite(str(folder / f"{number:04}.jpg"), picture[..., ::-1])


def time_opencv(folder, output) -> tuple[float, float]:
    """Return the seconds, and the processor's seconds, to decode and encode every file in turn."""
    output.mkdir()
    start, processor_start = time.perf_counter(), time.process_time()
    for path in sorted(folder.iterdir()):
        cv2.imwrite(str(output / path.name), cv2.imread(str(path)), JPEG)
    return time.perf_counter() - start, time.process_time() - processor_start


def time_colorize(folder, output, model) -> tuple[float, float, float]:
    """Return the seconds and processor's seconds of the process, and those to its first picture."""
    command = [sys.executable, ROOT / "colorize.py", "--input", folder, "--output", output]
    start, processor_start = time.perf_counter(), children_seconds()
    process = subprocess.Popen([*command, "--model", model], stdout=subprocess.DEVNULL)
    first = math.nan
    while process.poll() is None:
        if math.isnan(first) and any(output.glob("[!.]*")):
            first = time.perf_counter() - start
        time.sleep(0.02)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"colorize.py ended with exit status {process.returncode}")
    return seconds, children_seconds() - processor_start, first


def children_seconds() -> float:
    """Return the processor's seconds that finished child processes have taken."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(model, megapixels, count, limit, temporary) -> dict:
    """Measure one set and print it; return what goes into the JSON."""
    folder = temporary / f"{model}-{megapixels}-megapixels"
    make_photographs(folder, megapixels, count)
    opencv, opencv_processor = time_opencv(folder, temporary / f"{folder.name}-opencv")
    seconds, processor, first = time_colorize(folder, temporary / f"{folder.name}-done", model)
    # The largest of all sets so far, and the sets grow.
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
    holds = memory <= MEMORY_LIMIT
    if limit:
        holds = holds and seconds <= limit * opencv and first <= FIRST_PICTURE_LIMIT
    print(
        f"{model}, {count} x {megapixels} megapixels: colorize.py {seconds:.1f} s "
        f"({processor:.1f} s of processor), OpenCV alone {opencv:.1f} s "
        f"({opencv_processor:.1f} s), ratio {seconds / opencv:.2f}"
        f"{f' (at most {limit})' if limit else ''}; first picture after {first:.1f} s; "
        f"memory {memory:.2f} GiB: {'holds' if holds else 'DOES NOT HOLD'}"
    )
    return {
        "model": model,
        "megapixels": megapixels,
        "photographs": count,
        "colorize_seconds": round(seconds, 2),
        "colorize_processor_seconds": round(processor, 2),
        "opencv_seconds": round(opencv, 2),
        "opencv_processor_seconds": round(opencv_processor, 2),
        "ratio": round(seconds / opencv, 3),
        "ratio_limit": limit,
        "first_picture_seconds": round(first, 2),
        "peak_memory_gib": round(memory, 3),
        "holds": holds,
    }


def main(argv=None) -> int:
    """Measure every set, write the results, and return 1 if a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "experiments/results/benchmark_colorize.json",
        help="default %(default)s",
    )
    settings = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        results = [measure(*each, Path(temporary)) for each in SETS]
    write_json(settings.output, {"sets": results, "versions": versions()})
    print(f"written to {settings.output}")
    return 0 if all(result["holds"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
