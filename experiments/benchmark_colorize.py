"""Measure colorize.py: time against decoding and encoding alone, first picture, memory.

    python experiments/benchmark_colorize.py

Makes photographs of 1 and of 12 megapixels from samples/ in a temporary folder, colorizes them with
the whole program, and decodes and encodes the same files with OpenCV alone. Prints the ratios and
writes them to outputs/benchmark_colorize.json.
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

import cv2  # noqa: E402 (the project's folder has to be known first)
import numpy as np  # noqa: E402

import photos  # noqa: E402
from project import versions, write_json  # noqa: E402

# Megapixels of a photograph -> how many of them, and the ratio that must hold.
SETS = {1: (200, 2.0), 12: (30, 2.5)}
FIRST_PICTURE_LIMIT = 6.0  # seconds

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


def time_opencv(folder, output) -> float:
    """Return the seconds that decoding and encoding every file takes, one after the other."""
    output.mkdir()
    start = time.perf_counter()
    for path in sorted(folder.iterdir()):
        cv2.imwrite(str(output / path.name), cv2.imread(str(path)), JPEG)
    return time.perf_counter() - start


def time_colorize(folder, output, model) -> tuple[float, float]:
    """Return the seconds of the whole process, and those until its first picture was written."""
    command = [sys.executable, ROOT / "colorize.py", "--input", folder, "--output", output]
    start = time.perf_counter()
    process = subprocess.Popen([*command, "--model", model], stdout=subprocess.DEVNULL)
    first = math.nan
    while process.poll() is None:
        if math.isnan(first) and any(output.glob("[!.]*")):
            first = time.perf_counter() - start
        time.sleep(0.02)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"colorize.py ended with exit status {process.returncode}")
    return seconds, first


def main(argv=None) -> int:
    """Run both sets, print and write what they took; return 1 if a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--model", type=Path, default=ROOT / "weights/paper_gan.keras", help="default %(default)s"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "outputs/benchmark_colorize.json",
        help="default %(default)s",
    )
    settings = parser.parse_args(argv)
    results, holds = [], True
    with tempfile.TemporaryDirectory() as temporary:
        for megapixels, (count, limit) in SETS.items():
            folder = Path(temporary, f"{megapixels}-megapixels")
            make_photographs(folder, megapixels, count)
            opencv = time_opencv(folder, Path(temporary, f"{megapixels}-opencv"))
            seconds, first = time_colorize(
                folder, Path(temporary, f"{megapixels}-colorized"), settings.model
            )
            memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
            ratio = seconds / opencv
            print(
                f"{count} photographs of {megapixels} megapixels: colorize.py {seconds:.1f} s, "
                f"OpenCV alone {opencv:.1f} s, ratio {ratio:.2f} (at most {limit}); "
                f"first picture after {first:.1f} s; memory at most {memory:.2f} GiB"
            )
            holds = holds and ratio <= limit and first <= FIRST_PICTURE_LIMIT
            results.append(
                {
                    "megapixels": megapixels,
                    "photographs": count,
                    "colorize_seconds": round(seconds, 2),
                    "opencv_seconds": round(opencv, 2),
                    "ratio": round(ratio, 3),
                    "ratio_limit": limit,
                    "first_picture_seconds": round(first, 2),
                    "peak_memory_gib": round(memory, 3),
                }
            )
    write_json(settings.output, {"sets": results, "versions": versions()})
    print(f"written to {settings.output}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
