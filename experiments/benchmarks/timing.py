"""How fast a training step is, on random pictures, for the benchmarks."""

import time

import models
from colorizer.pixels import grayscale
from training import devices
from training.cost import gigaflop

import numpy as np

SECONDS = 10  # that each function is timed for, after its first call


class RandomPictures:
    """Random pictures in place of a training split: a step's time does not depend on them."""

    pictures = 64
    rows = np.arange(pictures)

    def read(self, rows):
        """Return a pair for each of the rows, as `dataset.Split.read` does."""
        shape = len(rows), models.SIZE, models.SIZE, 3
        rgb = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        return grayscale(rgb), rgb


def per_second(function) -> float:
    """Return how often `function` runs in a second, after one call that is not counted."""
    function()
    calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        function()
        calls += 1
    return calls / (time.perf_counter() - start)


def training_row(model) -> dict:
    """Measure one whole step of a system: its networks executed and updated."""
    batch_size = model.settings.batch_size
    pair = RandomPictures().read(range(batch_size))
    batch = model.draw(np.random.default_rng(0), *pair)
    step = devices.distributed(devices.strategy(None), model.train_step)
    # A backward pass costs two forward ones: by the weights, and by what came in. The generator
    # is executed once; the discriminator twice, and once more backwards for the generator's sake.
    work = 3 * gigaflop(model.generator, models.SIZE)
    if hasattr(model, "discriminator"):
        work += 7 * gigaflop(model.discriminator, models.SIZE)
    return {
        "pictures_per_second": batch_size * per_second(lambda: step(batch)),
        "gigaflop_per_picture": work,
    }
