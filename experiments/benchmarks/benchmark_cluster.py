"""Measure colorize.py on a Dask cluster of this machine beside its own threads.

    python experiments/benchmarks/benchmark_cluster.py

Makes photographs of 1 megapixel from samples/ in a temporary folder, colorizes them with as many
threads as there are cores, with one worker process and with two, and prints the seconds and writes
them to experiments/results/benchmark_cluster.json. Exit status: 0 the bound holds, 1 it does not.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer.files.atomic import write_json
from experiments.benchmarks.processes import machine, make_photographs, run_colorize

import distributed

PHOTOGRAPHS = 2_000
# The seconds of two workers over those of two threads, at most.
RATIO_LIMIT = 1.1


def with_workers(number, folder, output) -> float:
    """Return the seconds that a number of worker processes, of one thread each, take."""
    with distributed.LocalCluster(
        n_workers=number, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        flags = ("--cluster", cluster.scheduler_address)
        return run_colorize(folder, output, *flags, quiet=True)["seconds"]


def main(argv=None) -> int:
    """Measure, write the results, and return 1 if the bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    count = "how many (default %(default)s)"
    parser.add_argument("--photographs", type=int, default=PHOTOGRAPHS, help=count)
    output = ROOT / "experiments/results/benchmark_cluster.json"
    parser.add_argument("--output", type=Path, default=output, help="default %(default)s")
    settings = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        temporary = Path(temporary)
        folder = temporary / "photographs"
        make_photographs(folder, 1, settings.photographs)
        threads = run_colorize(folder, temporary / "threads", quiet=True)["seconds"]
        one, two = (
            with_workers(number, folder, temporary / f"workers-{number}") for number in (1, 2)
        )
    holds = two <= RATIO_LIMIT * threads
    print(
        f"{settings.photographs} photographs of 1 megapixel on {os.cpu_count()} cores of "
        f"{machine()}: threads {threads:.1f} s, 1 worker {one:.1f} s, 2 workers {two:.1f} s, "
        f"{two / threads:.2f} times the threads (at most {RATIO_LIMIT})"
    )
    results = {
        "photographs": settings.photographs,
        "threads_seconds": round(threads, 1),
        "one_worker_seconds": round(one, 1),
        "two_workers_seconds": round(two, 1),
        "ratio": round(two / threads, 3),
        "ratio_limit": RATIO_LIMIT,
        "holds": holds,
        "processor": machine(),
        "processor_cores": os.cpu_count(),
    }
    write_json(settings.output, results)
    print(f"written to {settings.output}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
