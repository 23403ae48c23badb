"""Train the paper's GAN on prepared data.

    python train.py --epochs 50

Reads data/ (prepare_data.py makes it). Writes outputs/train/: generator.keras, history.csv,
losses.png, samples/, checkpoints/, config.json. Stopped at any moment, `--resume` goes on.
"""

import contextlib
import dataclasses
import functools
import math
import sys
import time
from pathlib import Path

from colorizer import errors, files, photos
from colorizer.errors import UserError
from settings import new_settings, parse_arguments, resume_command, resumed_settings
from systems import SYSTEMS
from training import colour, dataset, metrics, runs

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

# Paper: silent. Here: the generator that is kept is a moving average of the one that is trained
# (Yazici et al. 2019), because from step to step the adversary pulls colours back and forth.
AVERAGE_MOMENTUM = 0.999
# The share of a training in which a learning rate that decays rises first.
WARM_UP = 0.02

# Enough pictures to know how rare each colour is.
RARITY_PICTURES = 2000
SAMPLE_PICTURES = 8
LOSSES = ("generator_loss", "discriminator_loss", "pixel_loss")


class Networks:
    """Both networks, both optimizers, and the moving average of the generator that is kept.

    `painter` shares the generator's layers; it gives RGB and what the loss is about.
    Where a system has no adversary, `discriminator` and its optimizer are None.
    """

    def __init__(self, settings, distribution=None):
        self.system = SYSTEMS[settings.system]
        with distribution.scope() if distribution else contextlib.nullcontext():
            self.build_trained(settings)
        # What is kept is full precision whatever it was trained in, so that it runs anywhere.
        self.averaged = self.system.build(settings)
        self.averaged.set_weights(self.generator.get_weights())

    def build_trained(self, settings):
        """Build what is trained, in the precision of the settings."""
        keras.mixed_precision.set_global_policy(settings.precision)
        self.generator = self.system.build(settings)
        prediction = self.generator.get_layer(self.system.prediction).output
        self.painter = keras.Model(self.generator.input, [self.generator.output, prediction])
        self.generator_optimizer = self.optimizer(settings, self.generator)
        self.discriminator = self.discriminator_optimizer = None
        if self.system.build_discriminator:
            self.discriminator = self.system.build_discriminator(settings)
            self.discriminator_optimizer = self.optimizer(settings, self.discriminator)
        keras.mixed_precision.set_global_policy("float32")

    def optimizer(self, settings, network):
        """Return the optimizer that updates `network`, with its state allocated."""
        optimizer = self.system.optimizer(settings)
        if settings.precision == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(network.trainable_variables)
        return optimizer

    def variables(self) -> dict:
        """Return every variable that a checkpoint has to hold, by a name of its own."""
        owners = {
            "generator": self.generator,
            "averaged": self.averaged,
            "generator_optimizer": self.generator_optimizer,
        }
        if self.discriminator:
            owners["discriminator"] = self.discriminator
            owners["discriminator_optimizer"] = self.discriminator_optimizer
        return {
            f"{name}/{index:03d}": variable
            for name, owner in owners.items()
            for index, variable in enumerate(owner.variables)
        }


# ------------------------------------------------------------------------- losses and step


def binary_cross_entropy(labels, probabilities):
    """Return the mean binary cross-entropy (nats) of probabilities (B, 1) against labels (B, 1)."""
    return ops.mean(keras.losses.binary_crossentropy(labels, probabilities))


def discriminator_loss(real, generated, real_labels, generated_labels):
    """Return how badly the discriminator tells photographs from generated pictures (nats)."""
    return binary_cross_entropy(real_labels, real) + binary_cross_entropy(
        generated_labels, generated
    )


def adversarial_loss(generated):
    """Return how far the discriminator is from taking generated pictures for photographs (nats).

    Source: Goodfellow et al. 2014, the form that does not saturate.
    """
    return binary_cross_entropy(ops.ones_like(generated), generated)


def make_train_step(networks, settings, adversarial=True, rarity=None, distribution=None):
    """Return the compiled function that trains the networks on one batch.

    It takes a tuple of grayscale (B, H, W, 1) and ground truth (B, H, W, 3), float32 in [0, 1],
    and the labels of the photographs and of the generated pictures, each float32 (B, updates); and
    a tuple of the momentum of the generator's moving average. It returns the losses, by their
    names in the history.
    Without `adversarial`, the generator alone is trained, by the pixel loss alone. `rarity` is
    what the system's loss wants to know of each bin of chroma.

    Source: the paper, "In a single iteration, we execute the generator once and the discriminator
    twice": on the photographs and on the generated pictures, then one update of each network.
    """
    generator, discriminator = networks.generator, networks.discriminator
    optimizers = {
        "generator": networks.generator_optimizer,
        "discriminator": networks.discriminator_optimizer,
    }

    def paint(grayscale, ground_truth):
        """Execute the generator once; return the losses so far and what the discriminator sees."""
        generated, prediction = networks.painter(grayscale, training=True)
        pixel = networks.system.loss(prediction, ground_truth, rarity)
        losses = {"pixel_loss": pixel, "generator_loss": settings.pixel_weight * pixel}
        return losses, networks.system.shown(grayscale, generated, prediction)

    def compare(losses, seen, grayscale, ground_truth, real_labels, generated_labels):
        """Execute the discriminator twice; return all the losses."""
        real = networks.system.shown(grayscale, ground_truth, None)
        real_answer = discriminator(real, training=True)
        generated_answer = discriminator(seen, training=True)
        adversarial_part = settings.adversarial_weight * adversarial_loss(generated_answer)
        return {
            "pixel_loss": losses["pixel_loss"],
            "generator_loss": losses["generator_loss"] + adversarial_part,
            "discriminator_loss": discriminator_loss(
                real_answer, generated_answer, real_labels, generated_labels
            ),
        }

    def update(compute, updated):
        """Update each network named in `updated` once, by its own loss, and return the losses."""

        def objectives():
            losses = compute()
            return {
                name: optimizers[name].scale_loss(losses[f"{name}_loss"]) for name in updated
            }, losses

        weights = {name: getattr(networks, name).trainable_variables for name in updated}
        losses, gradients = engine.gradients(objectives, weights)
        for name in updated:
            optimizers[name].apply(gradients[name], weights[name])
        return losses

    def train_step(grayscale, ground_truth, real_labels, generated_labels):
        def both(number):
            return compare(
                *paint(grayscale, ground_truth),
                grayscale,
                ground_truth,
                real_labels[:, number, None],
                generated_labels[:, number, None],
            )

        if adversarial:
            # The paper's sentence read the other way, several discriminator updates an iteration:
            # all but the last happen before the generator learns.
            for early in range(settings.discriminator_updates - 1):
                update(lambda early=early: both(early), ["discriminator"])
            losses = update(lambda: both(-1), ["generator", "discriminator"])
        else:
            losses = update(lambda: paint(grayscale, ground_truth)[0], ["generator"])
        return losses

    def update_average(momentum):
        for average, weight in zip(networks.averaged.weights, generator.weights, strict=True):
            average.assign(momentum * average + (1 - momentum) * weight)

    variables = list(networks.variables().values())
    return engine.compile_step(train_step, update_average, variables, distribution)


# ------------------------------------------------------------------------------- the training


def write_samples(path, split, generator) -> None:
    """Write a sheet of test pictures spread evenly over the test set: gray, generated, true."""
    count = min(SAMPLE_PICTURES, split.pictures)
    gray, rgb = split.read(np.linspace(0, split.pictures - 1, count, dtype=np.int64))
    generated = photos.to_uint8(generator.predict_on_batch(photos.to_unit(gray)))
    rows = [np.concatenate(list(row), axis=1) for row in (gray.repeat(3, -1), generated, rgb)]
    photos.write_png(path, np.concatenate(rows, axis=0))


def evaluate_epoch(split, generator, batch_size) -> dict:
    """Return the mean SSIM, PSNR (dB) and colourfulness of `generator` over the test split."""
    values = []
    for gray, rgb in split.ordered_batches(batch_size):
        generated = photos.to_uint8(generator.predict_on_batch(photos.to_unit(gray)))
        for truth, picture in zip(rgb, generated, strict=True):
            error = metrics.mean_squared_error(truth, picture)
            similarity = metrics.ssim(truth, picture)
            values.append((similarity, metrics.psnr(error), metrics.colourfulness(picture)))
    means = np.mean(values, axis=0).round(4).tolist()
    return dict(zip(("test_ssim", "test_psnr", "test_colourfulness"), means, strict=True))


def colourful_part(split, least):
    """Return the split without its nearly gray pictures, and say how many those are."""
    rows = np.arange(split.pictures)
    colourful = [
        metrics.colourfulness(rgb) >= least
        for shard in split.shards()
        for rgb in tqdm(shard.rgb, desc="measuring colourfulness", leave=False)
    ]
    kept = split.only(rows[colourful])
    print(
        f"{split.pictures - kept.pictures:,} of {split.pictures:,} training pictures are nearly "
        f"gray (colourfulness below {least:g}) and left out"
    )
    return kept


def rarity_of_bins(split, exponent):
    """Return how much a pixel of each bin of chroma counts, from the training pictures' colours."""
    rows = np.linspace(0, split.pictures - 1, min(RARITY_PICTURES, split.pictures), dtype=np.int64)
    counts = 0
    for first in range(0, len(rows), 100):
        _, rgb = split.read(split.rows[rows[first : first + 100]])
        counts = counts + colour.count_bins(colour.lab_from_srgb(photos.to_unit(rgb))[..., 1:])
    return colour.rarity_weights(colour.smoothed_prior(counts), exponent)


@dataclasses.dataclass
class Progress:
    """Where a run stands: epochs finished, steps of the next one, and its sums of losses."""

    epoch: int = 0
    step: int = 0
    totals: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(len(LOSSES)))


def decayed_rate(rate, share) -> float:
    """Return the learning rate when `share` (0 to 1) of the training is done.

    It rises for the first `WARM_UP` of it, and falls to 0 along a cosine.
    Source: Loshchilov & Hutter 2017; the rise, Goyal et al. 2017.
    """
    return rate * min(1, 0.01 + share / WARM_UP) * (1 + math.cos(math.pi * share)) / 2


def train_epoch(split, networks, settings, train_step, progress, interrupted) -> None:
    """Train from where `progress` stands to the end of its epoch, or until `interrupted()`.

    Raises UserError on a loss that is not finite.
    """
    steps = split.pictures // settings.batch_size
    seed = [settings.seed, progress.epoch]
    batches = split.batches(settings.batch_size, *seed, first_step=progress.step)
    bar = tqdm(
        desc=f"epoch {progress.epoch + 1}/{settings.epochs}",
        total=steps * settings.batch_size,
        initial=progress.step * settings.batch_size,
        unit=" pictures",
        leave=False,
        dynamic_ncols=True,
    )
    with bar:
        for gray, rgb in batches:
            random = np.random.default_rng([*seed, progress.step])
            shape = (settings.batch_size, settings.discriminator_updates)
            labels = networks.system.labels(random, shape, settings)
            gray, rgb = dataset.flip_and_crop(random, gray, rgb, settings.flips, settings.crop)
            # A young average forgets faster, or it would hold the first weights for epochs.
            age = progress.epoch * steps + progress.step
            momentum = np.float32(min(AVERAGE_MOMENTUM, (1 + age) / (10 + age)))
            if settings.decay:
                rate = decayed_rate(settings.learning_rate, age / (settings.epochs * steps))
                networks.generator_optimizer.learning_rate = rate
            pair = photos.to_unit(gray), photos.to_unit(rgb)
            losses = train_step((*pair, *labels), (momentum,))
            losses = {name: float(losses.get(name, 0)) for name in LOSSES}
            progress.step += 1
            if not all(math.isfinite(loss) for loss in losses.values()):
                raise UserError(
                    f"the losses became {losses} at step "
                    f"{progress.step} of epoch {progress.epoch + 1}; the last checkpoint is "
                    f"untouched: try a --learning-rate below {settings.learning_rate:g} with "
                    "another --output"
                )
            progress.totals += list(losses.values())
            bar.update(settings.batch_size)
            bar.set_postfix({name.split("_")[0]: f"{loss:.3f}" for name, loss in losses.items()})
            if interrupted():
                return


def finish_epoch(split, networks, settings, progress, history, seconds) -> None:
    """Measure the generator, add a row to the history, write all files, and begin a new epoch."""
    output = Path(settings.output)
    means = (progress.totals / progress.step).round(5).tolist()
    row = {"epoch": progress.epoch + 1, **dict(zip(LOSSES, means, strict=True))}
    if not engine.is_chief():
        progress.epoch, progress.step, progress.totals = row["epoch"], 0, np.zeros(len(LOSSES))
        return
    row |= evaluate_epoch(split, networks.averaged, settings.batch_size)
    row["seconds"] = round(seconds, 1)
    history.append(row)
    progress.epoch, progress.step, progress.totals = progress.epoch + 1, 0, np.zeros(len(LOSSES))
    write_samples(output / "samples" / f"epoch-{row['epoch']:04d}.png", split, networks.averaged)
    runs.write_history(output, history)
    with files.replacing(output / "generator.keras") as temporary:
        networks.averaged.save(temporary)
    # The checkpoint comes last: an epoch that was killed before it is done again.
    save(networks, settings, progress)
    print("  ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in row.items()))


def save(networks, settings, progress) -> None:
    """Write a checkpoint of where the run stands."""
    if not engine.is_chief():
        return
    runs.save_checkpoint(
        settings.output, networks.variables(), progress.epoch, progress.step, progress.totals
    )


def train(settings, resume=False) -> int:
    """Train as `settings` say, from the start or, with `resume`, from the last checkpoint.

    Returns the process's exit status: 0, or 130 when Ctrl-C stopped it.
    """
    train_split = dataset.open_split(settings.data, "train")
    test_split = dataset.open_split(settings.data, "test")
    if settings.least_colourfulness:
        train_split = colourful_part(train_split, settings.least_colourfulness)
    train_split.batches(settings.batch_size, settings.seed, 0)  # refuses a batch it cannot fill
    if settings.crop and settings.crop > train_split.size:
        raise UserError(
            f"--crop {settings.crop} is more than the {train_split.size} pixels of {settings.data};"
            f" use {train_split.size} or less, or prepare larger pictures with --size"
        )
    distribution = engine.Distribution(settings.distribute) if settings.distribute else None
    if distribution and settings.batch_size % distribution.parts:
        raise UserError(
            f"--batch-size {settings.batch_size} cannot be shared by {distribution.parts} devices;"
            f" give a multiple of {distribution.parts}"
        )
    engine.make_repeatable()
    networks = Networks(settings, distribution)
    progress = Progress()
    if resume and runs.checkpoints(settings.output):
        latest = runs.checkpoints(settings.output)[-1]
        progress = Progress(*runs.restore_checkpoint(latest, networks.variables()))
    history = runs.read_history(settings.output, progress.epoch)
    if engine.is_chief():
        runs.write_config(settings.output, dataclasses.asdict(settings), engine.device())
    exponent = networks.system.rarity_exponent
    rarity = None if exponent is None else rarity_of_bins(train_split, exponent)

    @functools.cache
    def train_step(adversarial):
        return make_train_step(networks, settings, adversarial, rarity, distribution)

    steps = train_split.pictures // settings.batch_size
    print(
        f"training on {engine.device()} in {settings.precision}: {train_split.pictures:,} "
        f"pictures, {settings.epochs} epochs of {steps} steps"
        + (f", from epoch {progress.epoch + 1}, step {progress.step + 1}" if resume else "")
    )
    with runs.interruption() as interrupted:
        while progress.epoch < settings.epochs:
            started = time.monotonic()
            adversarial = bool(networks.discriminator and settings.adversarial_weight)
            step = train_step(adversarial and progress.epoch >= settings.adversarial_from)
            train_epoch(train_split, networks, settings, step, progress, interrupted)
            if progress.step == steps:
                seconds = time.monotonic() - started
                finish_epoch(test_split, networks, settings, progress, history, seconds)
            else:
                save(networks, settings, progress)
            if interrupted() and progress.epoch < settings.epochs:
                print(f"stopped; go on with: {resume_command(settings)}")
                return 130
    output = Path(settings.output)
    print(f"the generator is {output / 'generator.keras'}; its samples are in {output / 'samples'}")
    return 0


def start(given) -> int:
    """Train with the flags given, a dict by their names."""
    resume = given.pop("resume", False)
    return train(resumed_settings(given) if resume else new_settings(given), resume)


def main(argv=None) -> int:
    return errors.run(start, vars(parse_arguments(argv, __doc__)))


if __name__ == "__main__":
    sys.exit(main())
