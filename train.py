"""Train the paper's GAN on prepared data.

    python train.py --epochs 50

Reads data/ (prepare_data.py makes it). Writes outputs/train/: generator.keras, history.csv,
losses.png, samples/, checkpoints/, config.json. Stopped at any moment, `--resume` goes on.
"""

import argparse
import dataclasses
import math
import shlex
import sys
import time
from pathlib import Path

import engine

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

import dataset
import metrics
import models
import photos
import project
import runs
from project import UserError

# Paper: "Soft & Noisy Labels". The ranges and shares: silent. Here: a photograph is labelled
# 0.8 to 1.0, a generated picture 0.0 to 0.2 (Salimans et al. 2016), and one label in 20 is flipped.
LABEL_SOFTNESS = 0.2
LABEL_FLIPS = 0.05
# Paper: "Adam". Momentum: silent. Here: 0.5, as in DCGAN, because 0.9 makes the two networks swing.
ADAM_BETAS = (0.5, 0.999)
# Paper: silent. Here: the generator that is kept is a moving average of the one that is trained
# (Yazici et al. 2019), because from step to step the adversary pulls colours back and forth.
AVERAGE_MOMENTUM = 0.999

SAMPLE_PICTURES = 8
LOSSES = ("generator_loss", "discriminator_loss", "pixel_loss")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every setting of a run. Those without a flag of their own are for experiments."""

    epochs: int = 50  # Paper: "50 epochs".
    data: str = "data"
    output: str = "outputs/train"
    batch_size: int = 64  # Paper: silent. Here: larger is no faster on a CPU.
    learning_rate: float = 2e-4  # Paper: silent. Here: DCGAN's and pix2pix's.
    pixel_weight: float = 100  # Paper: silent. Here: pix2pix's weight of the mean absolute error.
    adversarial_weight: float = 1
    discriminator_updates: int = 1
    label_softness: float = LABEL_SOFTNESS
    label_flips: float = LABEL_FLIPS
    precision: str = "float32"
    seed: int = 0
    dilations: bool = True
    skips: bool = True


class Networks:
    """Both networks, both optimizers, and the moving average of the generator that is kept."""

    def __init__(self, settings):
        keras.mixed_precision.set_global_policy(settings.precision)
        shape = {"dilations": settings.dilations, "skips": settings.skips, "seed": settings.seed}
        self.generator = models.build_generator(**shape)
        self.discriminator = models.build_discriminator(settings.seed)
        self.generator_optimizer = adam(settings, self.generator)
        self.discriminator_optimizer = adam(settings, self.discriminator)
        # What is kept is full precision whatever it was trained in, so that it runs anywhere.
        keras.mixed_precision.set_global_policy("float32")
        self.averaged = models.build_generator(**shape)

    def variables(self) -> dict:
        """Return every variable that a checkpoint has to hold, by a name of its own."""
        return {
            f"{name}/{index:03d}": variable
            for name, owner in vars(self).items()
            for index, variable in enumerate(owner.variables)
        }


def adam(settings, network):
    """Return the Adam that updates `network`, with its state allocated."""
    optimizer = keras.optimizers.Adam(settings.learning_rate, *ADAM_BETAS)
    if settings.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(network.trainable_variables)
    return optimizer


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


def pixel_loss(generated, ground_truth):
    """Return the mean absolute difference of two (B, H, W, 3) pictures in [0, 1]."""
    return ops.mean(ops.abs(generated - ground_truth))


def soft_noisy_labels(random, shape, settings):
    """Draw labels for photographs and for generated pictures, two float32 arrays of `shape`.

    Soft: uniform in [1 - softness, 1] and in [0, softness]. Noisy: a share of flipped ones.
    """
    softness = settings.label_softness
    real = 1 - softness * random.random(shape)
    generated = softness * random.random(shape)
    real_flipped = random.random(shape) < settings.label_flips
    generated_flipped = random.random(shape) < settings.label_flips
    real = np.where(real_flipped, 1 - real, real)
    generated = np.where(generated_flipped, 1 - generated, generated)
    return real.astype(np.float32), generated.astype(np.float32)


def make_train_step(networks, settings):
    """Return the compiled function that trains both networks on one batch.

    It takes grayscale (B, H, W, 1) and ground truth (B, H, W, 3), float32 in [0, 1]; the labels
    of the photographs and of the generated pictures, each float32 (updates, B, 1); the momentum
    of the generator's moving average. It returns the three losses, by their names in the history.

    Source: the paper, "In a single iteration, we execute the generator once and the discriminator
    twice": on the photographs and on the generated pictures, then one update of each network.
    """
    generator, discriminator = networks.generator, networks.discriminator
    generator_optimizer = networks.generator_optimizer
    discriminator_optimizer = networks.discriminator_optimizer
    of_generator = {"generator": generator.trainable_variables}
    of_discriminator = {"discriminator": discriminator.trainable_variables}

    def compare(generated, ground_truth, real_labels, generated_labels):
        """Execute the discriminator twice; return what to differentiate, and the losses."""
        real_answer = discriminator(ground_truth, training=True)
        generated_answer = discriminator(generated, training=True)
        pixel = pixel_loss(generated, ground_truth)
        losses = {
            "generator_loss": settings.adversarial_weight * adversarial_loss(generated_answer)
            + settings.pixel_weight * pixel,
            "discriminator_loss": discriminator_loss(
                real_answer, generated_answer, real_labels, generated_labels
            ),
            "pixel_loss": pixel,
        }
        objectives = {
            "generator": generator_optimizer.scale_loss(losses["generator_loss"]),
            "discriminator": discriminator_optimizer.scale_loss(losses["discriminator_loss"]),
        }
        return objectives, losses

    def train_step(grayscale, ground_truth, real_labels, generated_labels, momentum):
        # The paper's sentence read the other way, several discriminator updates an iteration: all
        # but the last happen here, on pictures that the generator does not learn from.
        for early in range(settings.discriminator_updates - 1):
            generated = ops.stop_gradient(generator(grayscale, training=True))
            labels = real_labels[early], generated_labels[early]
            _, gradients = engine.gradients(
                lambda shown=(generated, ground_truth, *labels): compare(*shown), of_discriminator
            )
            discriminator_optimizer.apply(
                gradients["discriminator"], discriminator.trainable_variables
            )

        losses, gradients = engine.gradients(
            lambda: compare(
                generator(grayscale, training=True),
                ground_truth,
                real_labels[-1],
                generated_labels[-1],
            ),
            of_generator | of_discriminator,
        )
        generator_optimizer.apply(gradients["generator"], generator.trainable_variables)
        discriminator_optimizer.apply(gradients["discriminator"], discriminator.trainable_variables)
        for average, weight in zip(networks.averaged.weights, generator.weights, strict=True):
            average.assign(momentum * average + (1 - momentum) * weight)
        return losses

    return engine.compile_step(train_step, list(networks.variables().values()))


# ------------------------------------------------------------------------------- the training


def write_samples(path, split, generator) -> None:
    """Write a sheet of test pictures spread evenly over the test set: gray, generated, true."""
    count = min(SAMPLE_PICTURES, split.pictures)
    gray, rgb = split.read(np.linspace(0, split.pictures - 1, count, dtype=np.int64))
    generated = photos.to_uint8(generator.predict(photos.to_unit(gray), verbose=0))
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


@dataclasses.dataclass
class Progress:
    """Where a run stands: epochs finished, steps of the next one, and its sums of losses."""

    epoch: int = 0
    step: int = 0
    totals: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(len(LOSSES)))


def train_epoch(split, networks, settings, train_step, progress, interrupted) -> None:
    """Train from where `progress` stands to the end of its epoch, or until `interrupted()`.

    Raises UserError on a loss that is not finite.
    """
    steps = split.pictures // settings.batch_size
    batches = split.batches(
        settings.batch_size, settings.seed, progress.epoch, first_step=progress.step
    )
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
            random = np.random.default_rng([settings.seed, progress.epoch, progress.step])
            shape = (settings.discriminator_updates, settings.batch_size, 1)
            labels = soft_noisy_labels(random, shape, settings)
            # A young average forgets faster, or it would hold the first weights for epochs.
            age = progress.epoch * steps + progress.step
            momentum = np.float32(min(AVERAGE_MOMENTUM, (1 + age) / (10 + age)))
            losses = train_step(photos.to_unit(gray), photos.to_unit(rgb), *labels, momentum)
            losses = {name: float(losses[name]) for name in LOSSES}
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
    row |= evaluate_epoch(split, networks.averaged, settings.batch_size)
    row["seconds"] = round(seconds, 1)
    history.append(row)
    progress.epoch, progress.step, progress.totals = progress.epoch + 1, 0, np.zeros(len(LOSSES))
    write_samples(output / "samples" / f"epoch-{row['epoch']:04d}.png", split, networks.averaged)
    runs.write_history(output, history)
    with project.replacing(output / "generator.keras") as temporary:
        networks.averaged.save(temporary)
    # The checkpoint comes last: an epoch that was killed before it is done again.
    save(networks, settings, progress)
    print("  ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in row.items()))


def save(networks, settings, progress) -> None:
    """Write a checkpoint of where the run stands."""
    runs.save_checkpoint(
        settings.output, networks.variables(), progress.epoch, progress.step, progress.totals
    )


def train(settings, resume=False) -> int:
    """Train as `settings` say, from the start or, with `resume`, from the last checkpoint.

    Returns the process's exit status: 0, or 130 when Ctrl-C stopped it.
    """
    train_split = dataset.open_split(settings.data, "train")
    test_split = dataset.open_split(settings.data, "test")
    train_split.batches(settings.batch_size, settings.seed, 0)  # refuses a batch it cannot fill
    engine.make_repeatable()
    networks = Networks(settings)
    progress = Progress()
    if resume and runs.checkpoints(settings.output):
        latest = runs.checkpoints(settings.output)[-1]
        progress = Progress(*runs.restore_checkpoint(latest, networks.variables()))
    history = runs.read_history(settings.output, progress.epoch)
    runs.write_config(settings.output, dataclasses.asdict(settings), engine.device())
    train_step = make_train_step(networks, settings)
    steps = train_split.pictures // settings.batch_size
    print(
        f"training on {engine.device()} in {settings.precision}: {train_split.pictures:,} "
        f"pictures, {settings.epochs} epochs of {steps} steps"
        + (f", from epoch {progress.epoch + 1}, step {progress.step + 1}" if resume else "")
    )
    with runs.interruption() as interrupted:
        while progress.epoch < settings.epochs:
            started = time.monotonic()
            train_epoch(train_split, networks, settings, train_step, progress, interrupted)
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


# ----------------------------------------------------------------------------- the command line


def new_settings(given) -> Settings:
    """Return the settings of a new run from the flags given, a dict by their names.

    Raises UserError when the output folder already holds a run.
    """
    settings = Settings(**given)
    if runs.read_config(settings.output):
        raise UserError(
            f"{settings.output} already holds a run; go on with it: {resume_command(settings)}, "
            "or name another folder with --output"
        )
    return settings


def resumed_settings(given) -> Settings:
    """Return the settings of the run in the output folder; only the number of epochs may change.

    Raises UserError when there is no run, or a flag given differs from it.
    """
    output = given.get("output", Settings.output)
    begun = runs.read_config(output)
    if not begun:
        raise UserError(f"{output} holds no run to resume; start one without --resume")
    for name, value in given.items():
        if name not in ("epochs", "output") and value != begun[name]:
            flag = "--" + name.replace("_", "-")
            raise UserError(
                f"the run in {output} was begun with {flag} {begun[name]}, not {value}; leave "
                f"{flag} out to go on with it, or name another --output for a new run"
            )
    return Settings(**(begun | given))


def resume_command(settings) -> str:
    """Return the command that goes on with a run."""
    return f"python train.py --resume --output {shlex.quote(settings.output)}"


def positive(kind):
    """Return a parser of command-line numbers of `kind` that refuses zero and below."""

    def parse(text):
        value = kind(text)
        if not 0 < value < math.inf:
            raise ValueError
        return value

    parse.__name__ = f"positive {kind.__name__}"
    return parse


def share(text) -> float:
    """Parse a command-line number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def parse_arguments(argv):
    """Return the parsed flags; those not given are absent, so that a resumed run can tell."""
    parser = argparse.ArgumentParser(description=__doc__, argument_default=argparse.SUPPRESS)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter

    def add(flag, kind, text, **more):
        default = getattr(Settings, flag.replace("-", "_"))
        parser.add_argument(f"--{flag}", type=kind, help=f"{text} (default: {default})", **more)

    add("epochs", positive(int), "passes over the training pictures")
    add("data", str, "folder that prepare_data.py wrote")
    add("output", str, "folder of this run")
    add("batch-size", positive(int), "pictures a step")
    add("learning-rate", positive(float), "Adam's step size, of both networks")
    add("pixel-weight", float, "weight of the pixel loss beside the adversarial loss of weight 1")
    add("discriminator-updates", positive(int), "updates of the discriminator a step")
    add("label-softness", share, "width of the range of soft labels, 0 for hard ones")
    add("label-flips", share, "share of labels flipped, 0 for none")
    precisions = ("float32", "mixed_bfloat16", "mixed_float16")
    add("precision", str, "numbers the networks compute in", choices=precisions)
    add("seed", int, "decides the first weights, the order of pictures and the labels' noise")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --output")
    return parser.parse_args(argv)


def start(given) -> int:
    """Train with the flags given, a dict by their names."""
    resume = given.pop("resume", False)
    return train(resumed_settings(given) if resume else new_settings(given), resume)


def main(argv=None) -> int:
    return project.run(start, vars(parse_arguments(argv)))


if __name__ == "__main__":
    sys.exit(main())
