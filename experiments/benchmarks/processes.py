"""colorize.py in a process of its own, for the benchmarks, and what it is given there."""

import contextlib
import math
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

from colorizer.files import photos
from colorizer.jobs.find import find_photographs

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def machine() -> str:
    """Return the name of this machine's processor."""
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def make_photographs(folder, megapixels, count) -> None:
    """Write `count` JPEGs of `megapixels` each from the samples in turn.

    A sample is repeated, mirrored at its edges, until the size is reached: enlarged instead, it
    would lack the fine detail that a photograph of that size has.
    """
    folder.mkdir()
    samples = [photos.read_rgb(path) for path in find_photographs(ROOT / "samples")]
    height = round(math.sqrt(megapixels * 1e6 * 2 / 3))
    width = round(height * 3 / 2)
    for number in range(count):
        sample = samples[number % len(samples)]
        missing = (0, max(0, height - sample.shape[0])), (0, max(0, width - sample.shape[1]))
        picture = np.pad(sample, (*missing, (0, 0)), mode="symmetric")[:height, :width]
        if number // len(samples) % 2:
            picture = picture[::-1]
        cv2.imwrite(str(folder / f"{number:04}.jpg"), picture[..., ::-1])


def run_colorize(source, output, *flags, quiet=False, root=ROOT) -> dict:
    """Run the colorize.py of a checkout in a fresh process, without its progress if `quiet`.

    Returns its seconds, its processor's seconds, the seconds to its first picture, and its peak
    memory in MiB. Stops the program where it fails.
    """
    command = [sys.executable, root / "colorize.py", "--input", source, "--output", output, *flags]
    errors = subprocess.DEVNULL if quiet else None
    first = math.nan
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
    ended = 0
    while not ended:
        if math.isnan(first) and any(output.glob("[!.]*")):
            first = time.perf_counter() - start
        time.sleep(0.01)
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"colorize.py failed ({os.waitstatus_to_exitcode(status)})")
    return {
        "seconds": seconds,
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "first_picture_seconds": min(first, seconds),
        "peak_memory_mib": usage.ru_maxrss / 1024,
    }
