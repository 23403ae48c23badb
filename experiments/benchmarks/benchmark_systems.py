"""Measure what each system costs: parameters, arithmetic, pictures a second, memory.

    python experiments/benchmarks/benchmark_systems.py

On random pictures of 120x120, each system in a process of its own. Prints one Markdown table and
writes experiments/results/benchmark_systems.json.
"""

import argparse
import multiprocessing
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import models
import train
from colorizer.files import atomic
from colorizer.pixels import to_unit
from experiments.benchmarks.timing import RandomPictures, per_second, training_row
from pictures import record
from training import devices
from training.cost import gigaflop

NAMES = ("paper", "regress", "classify", "pix2pix", "vgg16")
INFERENCE_BATCH = 8


def cost(name) -> dict:
    """Measure one system, named as train.py --system names it."""
    devices.make_repeatable()
    system = train.SYSTEMS[name]
    model = system(system.Settings(), RandomPictures())
    training = training_row(model)
    gray, _ = RandomPictures().read(range(INFERENCE_BATCH))
    gray = to_unit(gray)
    images = INFERENCE_BATCH * per_second(lambda: model.generator.predict_on_batch(gray))
    return {
        "parameters": model.generator.count_params(),
        "gigaflop_per_picture": gigaflop(model.generator, models.SIZE),
        "batch_size": model.settings.batch_size,
        "trained_per_second": training["pictures_per_second"],
        "painted_per_second": images,
        "peak_memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2,
    }


def table(costs) -> str:
    """Return the Markdown table of the costs."""
    lines = [
        "| system | parameters, millions | GFLOP a picture | training, images/s "
        "| inference, images/s | memory in training, GiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, row in costs.items():
        lines.append(
            f"| {name} | {row['parameters'] / 1e6:.1f} | {row['gigaflop_per_picture']:.1f} "
            f"| {row['trained_per_second']:.1f} | {row['painted_per_second']:.0f} "
            f"| {row['peak_memory_gib']:.1f} |"
        )
    return "\n".join(lines)


def main(argv=None) -> int:
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args(argv)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
        costs = dict(zip(NAMES, pool.map(cost, NAMES), strict=True))
    print(table(costs))
    path = ROOT / "experiments" / "results" / "benchmark_systems.json"
    atomic.write_json(
        path, {"systems": costs, "device": devices.device(), "versions": record.versions()}
    )
    print(f"written to {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
