"""colorize.py in a process of its own, for the benchmarks: how long it takes, and its memory."""

import math
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


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
