"""Measure the training step against the network behind the paper and the hardware's ceiling.

    python experiments/benchmarks/benchmark.py

Every row is measured in this run, on this machine, on random pictures. Prints one table and writes
experiments/results/benchmark.json. PyTorch's row is there where PyTorch is installed.
"""

import argparse
import resource
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import models
import train
from colorizer import errors
from colorizer.files import atomic
from experiments.benchmarks.timing import RandomPictures, per_second, training_row
from pictures import record
from training import devices, steps
from training.cost import gigaflop
from training.system import System

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

BATCH = 64
PEER_BATCH = 16  # the stride-1 network keeps every map at full size: 64 would take 10 GiB


# ------------------------------------------------------------------------------------ the peer


def build_peer_generator():
    """Build the stride-1 generator of the Keras tutorial that the paper's text is adapted from.

    Maps (B, 120, 120, 1) to (B, 120, 120, 3). Source: S. Panchal's layer table, "valid" throughout;
    its 1,406,403 parameters are checked in the tests.
    """
    gray = layers.Input((models.SIZE, models.SIZE, 1))
    x, skips = gray, []
    for widths in ((16, 32, 32), (32, 64, 64), (64, 128, 128)):
        for width, kernel in zip(widths, (5, 3, 3), strict=True):
            x = layers.LeakyReLU()(layers.Conv2D(width, kernel)(x))
        skips.append(x)
    x = layers.Conv2D(128, 3, padding="same", activation="tanh")(x)
    for widths, skip in zip(((128, 128, 64), (64, 64, 32), (32, 32, 3)), skips[::-1], strict=True):
        x = layers.Concatenate()([x, skip])
        for width, kernel in zip(widths, (3, 3, 5), strict=True):
            name = "rgb" if width == 3 else None
            x = layers.Conv2DTranspose(width, kernel, activation="relu", name=name)(x)
    return keras.Model(gray, x, name="generator")


class Peer(train.PaperGAN):
    """The peer's generator and this project's discriminator, so that both rows update both.

    Its source trains it by the mean squared error; the mean absolute one, here, costs the same.
    """

    def __init__(self, settings, train_split):
        super().__init__(settings, train_split)
        with steps.precision(settings.precision):
            self.generator = build_peer_generator()
        self.averaged = build_peer_generator()
        optimizer = keras.optimizers.Adam(settings.learning_rate, *settings.betas)
        self.generator_optimizer = steps.ready(optimizer, self.generator, settings)


class GeneratorAlone(System):
    """The paper's generator, trained by its pixel loss, without a discriminator."""

    def __init__(self, settings, train_split):
        gan = train.PaperGAN(settings, train_split)
        self.settings = settings
        self.generator, self.averaged = gan.generator, gan.averaged
        self.generator_optimizer = gan.generator_optimizer

    @tf.function
    def train_step(self, grayscale, ground_truth):
        """Train the generator on one batch."""
        with tf.GradientTape() as tape:
            loss = train.pixel_loss(self.generator(grayscale, training=True), ground_truth)
            steps.update(self, tape, loss)
        return {"generator_loss": loss}


# ------------------------------------------------------------------------------------ the rows


def system_row(system, batch_size, precision) -> dict:
    """Measure the step of a system that has the paper's settings."""
    settings = train.PaperSettings(batch_size=batch_size, precision=precision)
    return training_row(system(settings, RandomPictures()))


def ceiling_rows(precision) -> dict:
    """Measure a large matrix product and a large convolution, in GFLOP a second."""
    dtype = precision.removeprefix("mixed_")
    side, batch, width = 4096, 64, 64
    matrix = ops.cast(np.random.default_rng(0).random((side, side)), dtype)
    maps = ops.cast(np.random.default_rng(0).random((batch, 60, 60, width)), dtype)
    kernel = ops.cast(np.random.default_rng(0).random((3, 3, width, width)), dtype)

    def product():
        return ops.sum(ops.cast(ops.matmul(matrix, matrix), "float32"))

    def convolution():
        return ops.sum(ops.cast(ops.conv(maps, kernel, padding="same"), "float32"))

    work = {
        "matrix product": (product, 2 * side**3),
        "convolution": (convolution, 2 * batch * 60 * 60 * 9 * width * width),
    }
    rows = {}
    for name, (function, flop) in work.items():
        compiled = tf.function(function)
        rows[name] = per_second(lambda run=compiled: float(run())) * flop / 1e9
    return rows


def torch_row(batch_size) -> dict | None:
    """Measure the generator's step of this project in PyTorch; None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    from torch import nn

    class Generator(nn.Module):
        """The layers of models.build_generator, channels last in memory."""

        def __init__(self):
            super().__init__()
            widths, dilations = models.ENCODER_WIDTHS, models.ENCODER_DILATIONS
            self.convolve, self.halve, before = nn.ModuleList(), nn.ModuleList(), 1
            for (width, after), rate in zip(widths, dilations, strict=True):
                self.convolve.append(nn.Conv2d(before, width, 3, padding=rate, dilation=rate))
                self.halve.append(nn.Conv2d(width, after, 3, stride=2, padding=1))
                before = after
            self.bottleneck = nn.ModuleList()
            for rate in models.BOTTLENECK_DILATIONS:
                width = models.BOTTLENECK_WIDTH
                self.bottleneck.append(nn.Conv2d(before, width, 3, padding=rate, dilation=rate))
                before = width
            self.upsample = nn.ModuleList()
            for width, (skip, _) in zip(models.DECODER_WIDTHS, widths[::-1], strict=True):
                self.upsample.append(nn.ConvTranspose2d(before, width, 4, stride=2, padding=1))
                before = width + skip
            self.rgb = nn.ConvTranspose2d(before + 1, 3, 3, padding=1)

        def forward(self, gray):
            x, skips = gray, []
            for convolve, halve in zip(self.convolve, self.halve, strict=True):
                skips.append(nn.functional.leaky_relu(convolve(x), models.LEAKY_SLOPE))
                x = nn.functional.leaky_relu(halve(skips[-1]), models.LEAKY_SLOPE)
            for layer in self.bottleneck:
                x = nn.functional.leaky_relu(layer(x), models.LEAKY_SLOPE)
            for upsample, skip in zip(self.upsample, skips[::-1], strict=True):
                x = torch.cat([nn.functional.relu(upsample(x)), skip], dim=1)
            return nn.functional.hardsigmoid(self.rgb(torch.cat([x, gray], dim=1)))

    settings = train.PaperSettings()
    generator = Generator().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(generator.parameters(), settings.learning_rate, settings.betas)
    gray = torch.rand(batch_size, 1, models.SIZE, models.SIZE).to(memory_format=torch.channels_last)
    rgb = torch.rand(batch_size, 3, models.SIZE, models.SIZE).to(memory_format=torch.channels_last)

    def step():
        optimizer.zero_grad()
        loss = (generator(gray) - rgb).abs().mean()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return {
        "pictures_per_second": batch_size * per_second(step),
        "gigaflop_per_picture": 3 * gigaflop(models.build_generator(), models.SIZE),
        "torch": torch.__version__,
    }


def measure(arguments) -> None:
    """Measure every row, print the table, and write the JSON."""
    devices.make_repeatable()
    precision = arguments.precision
    ceiling = ceiling_rows(precision)
    print(f"on {devices.device()}, {precision}")
    for name, rate in ceiling.items():
        print(f"{name:44} {rate:8.0f} GFLOP/s")
    rows = {
        "this project's step": system_row(train.PaperGAN, BATCH, precision),
        "the stride-1 network's step (the peer)": system_row(Peer, PEER_BATCH, precision),
        "this project's generator alone": system_row(GeneratorAlone, BATCH, precision),
        "the same generator in PyTorch": torch_row(BATCH),
    }
    for name, row in rows.items():
        if row is None:
            print(f"{name:44} not measured: PyTorch is not installed")
            continue
        rate = row["pictures_per_second"] * row["gigaflop_per_picture"]
        row["share_of_convolution_ceiling"] = rate / ceiling["convolution"]
        print(
            f"{name:44} {row['pictures_per_second']:8.1f} pictures/s "
            f"{row['gigaflop_per_picture']:7.2f} GFLOP a picture "
            f"{row['share_of_convolution_ceiling']:6.0%} of the convolution's"
        )
    ours, peer = list(rows.values())[:2]
    ratio = ours["pictures_per_second"] / peer["pictures_per_second"]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"{ratio:.1f} times the peer; memory of all rows together {memory:.1f} GiB")
    atomic.write_json(
        arguments.output,
        {
            "device": devices.device(),
            "precision": precision,
            "ceiling_gigaflop_per_second": ceiling,
            "rows": rows,
            "times_the_peer": ratio,
            "peak_memory_gib": memory,
            "versions": record.versions(),
        },
    )
    print(f"written to {arguments.output}")


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    precisions = ("float32", "mixed_bfloat16")
    parser.add_argument("--precision", default="float32", choices=precisions)
    parser.add_argument(
        "--output", type=Path, default=ROOT / "experiments" / "results" / "benchmark.json"
    )
    return errors.run(measure, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
