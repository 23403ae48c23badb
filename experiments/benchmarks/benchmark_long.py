"""Show that a long training keeps its memory and its pace: 20,000 steps on tiny pictures.

    python experiments/benchmarks/benchmark_long.py

Trains with train.py, files and all, and reads the process's memory after each epoch. Prints both
for the first epochs and the last, and writes experiments/results/benchmark_long.json.
Linux only (it reads /proc).
"""

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer.files import atomic
from colorizer.pixels import grayscale
from pictures import dataset, record

import numpy as np

SIZE = 24
PICTURES = {"train": 2000, "test": 4}
BATCH_SIZE = 4
EPOCHS = 40  # of 500 steps
# The first epochs allocate what the rest lives on.
SETTLED = 4


def write_data(folder) -> None:
    """Write a data folder of random pictures."""
    random = np.random.default_rng(0)
    manifest = {"source": "random", "classes": ["only"], "size": SIZE, "seed": 0, "splits": {}}
    manifest |= {"images_per_class": PICTURES["train"], "test_images_per_class": PICTURES["test"]}
    for split, count in PICTURES.items():
        rgb = random.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
        name = dataset.shard_name(split, 0, 1)
        labels = np.zeros(count, np.int32)
        dataset.write_shard(folder / name, grayscale(rgb), rgb, labels)
        shards = [{"file": name, "pictures": count}]
        manifest["splits"][split] = {"pictures": count, "shards": shards}
    dataset.write_manifest(folder, manifest)


def memory_mib(process) -> float:
    """Return how much memory a process holds now, in MiB; 0 when it has ended."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    sizes = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
    return int(sizes[0]) / 1024 if sizes else 0


def watch(command, history) -> list:
    """Run a training; return its memory in MiB at the end of each epoch."""
    memory, finished = [], 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            time.sleep(0.2)
            epochs = len(history.read_text().splitlines()) - 1 if history.exists() else 0
            if epochs > finished:
                finished = epochs
                memory.append(memory_mib(process.pid))
    if process.returncode:
        raise SystemExit(f"train.py failed with status {process.returncode}")
    return [size for size in memory if size]


def main(argv=None) -> int:
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        data, output = Path(folder, "data"), Path(folder, "run")
        data.mkdir()
        write_data(data)
        command = [sys.executable, ROOT / "train.py", "--data", data, "--output", output]
        command += ["--epochs", EPOCHS, "--batch-size", BATCH_SIZE]
        memory = watch([str(part) for part in command], output / "history.csv")
        with (output / "history.csv").open(newline="") as file:
            seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    steps = PICTURES["train"] // BATCH_SIZE
    early, late = slice(SETTLED, 2 * SETTLED), slice(-SETTLED - 1, -1)
    result = {
        "steps": steps * EPOCHS,
        "step_ms_early": round(1000 * statistics.mean(seconds[early]) / steps, 2),
        "step_ms_late": round(1000 * statistics.mean(seconds[late]) / steps, 2),
        "memory_mib_early": round(statistics.mean(memory[early])),
        "memory_mib_late": round(statistics.mean(memory[late])),
    }
    for name, value in result.items():
        print(f"{name.replace('_', ' ')}: {value}")
    path = ROOT / "experiments" / "results" / "benchmark_long.json"
    result |= {"memory_mib": [round(size) for size in memory], "versions": record.versions()}
    atomic.write_json(path, result)
    print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
