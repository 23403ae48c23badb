"""Measure the way of the pictures: prepare_data.py, and the stream that train.py reads.

    python experiments/benchmarks/benchmark_data.py

Makes JPEGs of 160 to 500 pixels a side from samples/ in a temporary folder. Times prepare_data.py
on them, a plain loop that opens, converts and resizes each with Pillow, and decoding alone on as
many processes; then the stream of batches, and the memory that streaming 10,000 and 200,000
pictures takes. Prints the ratios and writes them to experiments/results/benchmark_data.json.
Linux only (it asks for the cores that it may use).
"""

import argparse
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer.files import atomic, photos
from colorizer.jobs.find import find_photographs
from pictures import dataset, record

import numpy as np
from PIL import Image

CORES = len(os.sched_getaffinity(0))  # as many processes as prepare_data.py has
CLASSES = 40
PICTURES = 12000  # on disk; each is one of `DIFFERENT` files, linked
DIFFERENT = 600
SIDES = (160, 500)
SIZE = 120
BATCH = 64
QUALITY = 90
STREAMED = (10_000, 200_000)


def make_pictures(folder) -> list:
    """Write random parts of the samples as JPEGs, in a folder for each class; return the paths."""
    random = np.random.default_rng(0)
    samples = [photos.read_rgb(path) for path in find_photographs(ROOT / "samples")]
    paths = []
    for number in range(PICTURES):
        path = folder / f"class{number % CLASSES:02}" / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number < DIFFERENT:
            sample = Image.fromarray(samples[number % len(samples)])
            width, height = random.integers(SIDES[0], SIDES[1] + 1, 2)
            # A photograph is made smaller before it gets into such a collection.
            scale = random.uniform(1, 2)
            left = random.uniform(0, max(0, sample.width - scale * width))
            top = random.uniform(0, max(0, sample.height - scale * height))
            box = (left, top, left + scale * width, top + scale * height)
            box = (*box[:2], min(box[2], sample.width), min(box[3], sample.height))
            sample.resize((int(width), int(height)), box=box).save(path, quality=QUALITY)
        else:
            os.link(paths[number % DIFFERENT], path)
        paths.append(path)
    return paths


def plain_loop(paths) -> None:
    """Do what most scripts do: open, convert and resize one picture after another."""
    for path in paths:
        with Image.open(path) as image:
            np.asarray(image.convert("RGB").resize((SIZE, SIZE)))


def decode(paths) -> None:
    """Decode pictures and do nothing with them."""
    for path in paths:
        with Image.open(path) as image:
            image.load()


def seconds(function) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def measure_preparing(folder) -> dict:
    """Return the times of preparing, of the plain loop, and of decoding alone, in seconds."""
    paths = make_pictures(folder / "pictures")
    command = [sys.executable, ROOT / "prepare_data.py", "--source", folder / "pictures", "--all"]
    command += ["--size", str(SIZE), "--output", folder / "data"]
    command = [str(part) for part in command]
    prepared = seconds(lambda: subprocess.run(command, check=True, capture_output=True))
    parts = [paths[first : first + 100] for first in range(0, len(paths), 100)]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(CORES, spawn) as pool:
        decoded = seconds(lambda: list(pool.map(decode, parts)))
    plain = seconds(lambda: plain_loop(paths))
    return {
        "pictures": len(paths),
        "prepare_seconds": round(prepared, 2),
        "plain_loop_seconds": round(plain, 2),
        "decode_alone_seconds": round(decoded, 2),
        "plain_loop_over_prepare": round(plain / prepared, 2),
        "prepare_over_decode_alone": round(prepared / decoded, 2),
    }


def repeat_shards(data, folder, pictures) -> None:
    """Make a data folder of about so many training pictures out of the shards of another."""
    folder.mkdir()
    manifest = json.loads((data / dataset.MANIFEST).read_text(encoding="utf-8"))
    shards = manifest["splits"]["train"]["shards"]
    repeats = -(-pictures // manifest["splits"]["train"]["pictures"])
    manifest["splits"]["train"] = {"pictures": 0, "shards": []}
    for number in range(repeats * len(shards)):
        shard = shards[number % len(shards)]
        name = dataset.shard_name("train", number, repeats * len(shards))
        os.link(data / shard["file"], folder / name)
        manifest["splits"]["train"]["shards"].append(shard | {"file": name})
        manifest["splits"]["train"]["pictures"] += shard["pictures"]
    atomic.write_json(folder / dataset.MANIFEST, manifest)


def stream(data) -> None:
    """Read one epoch of batches; print pictures a second, and the process's memory in MiB."""
    split = dataset.open_split(data, "train")
    batches = split.batches(BATCH, seed=0, epoch=0)
    next(batches)
    started, count = time.perf_counter(), 0
    for gray, _ in batches:
        count += len(gray)
    rate = count / (time.perf_counter() - started)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"pictures_per_second": round(rate), "memory_mib": round(memory)}))


def measure_streams(folder) -> dict:
    """Return what `stream` says of each number of pictures, each in a process of its own."""
    rows = {}
    for pictures in STREAMED:
        data = folder / f"data{pictures}"
        repeat_shards(folder / "data", data, pictures)
        command = [sys.executable, __file__, "--stream", str(data)]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        rows[f"{pictures} pictures"] = json.loads(printed.splitlines()[-1])
    return rows


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--stream", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.stream:
        stream(arguments.stream)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        preparing = measure_preparing(Path(folder))
        streams = measure_streams(Path(folder))
    result = {"preparing": preparing, "streams": streams, "processes": CORES}
    print(json.dumps(result, indent=1))
    path = ROOT / "experiments" / "results" / "benchmark_data.json"
    atomic.write_json(path, result | {"versions": record.versions()})
    print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
