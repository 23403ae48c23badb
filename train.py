"""Train the paper's GAN on prepared data.

    python train.py --epochs 50

Reads data/ (prepare_data.py makes it). Writes outputs/train/: generator.keras, history.csv,
losses.png, samples/, checkpoints/, config.json. Stopped at any moment, `--resume` goes on.
"""

import argparse
import contextlib
import csv
import dataclasses
import json
import math
import shlex
import signal
import sys
import time
import zipfile
from pathlib import Path

import engine
from engine import tf

import keras
import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

import dataset
import metrics
import models
import photos
import project
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
CHECKPOINTS_KEPT = 2
HISTORY_COLUMNS = (
    "epoch",
    "generator_loss",
    "discriminator_loss",
    "pixel_loss",
    "test_ssim",
    "test_psnr",
    "test_colourfulness",
    "seconds",
)


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
    return tf.reduce_mean(keras.losses.binary_crossentropy(labels, probabilities))


def discriminator_loss(real, generated, real_labels, generated_labels):
    """Return how badly the discriminator tells photographs from generated pictures (nats)."""
    return binary_cross_entropy(real_labels, real) + binary_cross_entropy(
        generated_labels, generated
    )


def adversarial_loss(generated):
    """Return how far the discriminator is from taking generated pictures for photographs (nats).

    Source: Goodfellow et al. 2014, the form that does not saturate.
    """
    return binary_cross_entropy(tf.ones_like(generated), generated)


def pixel_loss(generated, ground_truth):
    """Return the mean absolute difference of two (B, H, W, 3) pictures in [0, 1]."""
    return tf.reduce_mean(tf.abs(generated - ground_truth))


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

    def update(optimizer, network, tape, loss):
        weights = network.trainable_variables
        optimizer.apply(tape.gradient(loss, weights), weights)

    @tf.function
    def train_step(grayscale, ground_truth, real_labels, generated_labels, momentum):
        with tf.GradientTape() as generator_tape:
            generated = generator(grayscale, training=True)

        # The paper's sentence read the other way, several discriminator updates an iteration:
        # all but the last happen here, before the two networks meet.
        for early in range(settings.discriminator_updates - 1):
            with tf.GradientTape() as tape:
                early_loss = discriminator_optimizer.scale_loss(
                    discriminator_loss(
                        discriminator(ground_truth, training=True),
                        discriminator(generated, training=True),
                        real_labels[early],
                        generated_labels[early],
                    )
                )
            update(discriminator_optimizer, discriminator, tape, early_loss)

        with generator_tape, tf.GradientTape() as discriminator_tape:
            real_answer = discriminator(ground_truth, training=True)
            generated_answer = discriminator(generated, training=True)

            pixel = pixel_loss(generated, ground_truth)
            of_generator = settings.pixel_weight * pixel
            of_generator += settings.adversarial_weight * adversarial_loss(generated_answer)
            of_discriminator = discriminator_loss(
                real_answer, generated_answer, real_labels[-1], generated_labels[-1]
            )
            scaled_of_generator = generator_optimizer.scale_loss(of_generator)
            scaled_of_discriminator = discriminator_optimizer.scale_loss(of_discriminator)

        update(generator_optimizer, generator, generator_tape, scaled_of_generator)
        update(discriminator_optimizer, discriminator, discriminator_tape, scaled_of_discriminator)
        for average, weight in zip(networks.averaged.weights, generator.weights, strict=True):
            average.assign(momentum * average + (1 - momentum) * weight)
        return {
            "generator_loss": of_generator,
            "discriminator_loss": of_discriminator,
            "pixel_loss": pixel,
        }

    return train_step


# ------------------------------------------------------------------------------ a run's files


def save_checkpoint(folder, networks, epoch, step, totals) -> None:
    """Write a checkpoint, whole or not at all, then delete all but the last two.

    `epoch` epochs are finished, and `step` steps of the next one with these sums of losses.
    Every random draw follows from (seed, epoch, step), so this is the random state too.
    """
    arrays = {name: np.asarray(variable) for name, variable in networks.variables().items()}
    name = f"epoch-{epoch:04d}" + (f"-step-{step:06d}" if step else "")
    with project.replacing(folder / f"{name}.npz") as temporary:
        np.savez(temporary, progress=[epoch, step], totals=totals, **arrays)
    for old in checkpoints(folder)[:-CHECKPOINTS_KEPT]:
        old.unlink()


def checkpoints(folder) -> list[Path]:
    """List the checkpoints of a run, the oldest first."""
    return sorted(folder.glob("epoch-*.npz"), key=lambda path: path.stem)


def restore_checkpoint(path, networks):
    """Load a checkpoint into the networks, whole or not at all.

    Returns the finished epochs, the steps of the next one, and its sums of losses.
    Raises UserError when the file is damaged or belongs to other networks.
    """
    variables = networks.variables()
    try:
        with np.load(path, allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in arrays.files}
        (epoch, step), totals = content.pop("progress"), content.pop("totals")
        shapes = {name: array.shape for name, array in content.items()}
        if shapes != {name: tuple(variable.shape) for name, variable in variables.items()}:
            raise ValueError("it belongs to networks of another shape")
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"the checkpoint {path} cannot be used ({error}); delete it, and the same command "
            "goes on from the one before"
        ) from error
    for name, variable in variables.items():
        variable.assign(content[name])
    return int(epoch), int(step), totals


def read_history(path, epochs) -> list[dict]:
    """Return the first `epochs` rows of a history.csv, an empty list where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))[:epochs]


def write_history(folder, history) -> None:
    """Write history.csv and losses.png, each whole or not at all."""
    with (
        project.replacing(folder / "history.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, HISTORY_COLUMNS)
        writer.writeheader()
        writer.writerows(history)

    figure, axes = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
    epochs = [int(row["epoch"]) for row in history]
    for axis, column in zip(
        axes.flat, ("generator_loss", "discriminator_loss", "test_psnr", "test_ssim"), strict=True
    ):
        axis.plot(epochs, [float(row[column]) for row in history], marker=".")
        axis.set(title=column.replace("_", " "), xlabel="epoch")
        axis.grid(alpha=0.3)
    with project.replacing(folder / "losses.png") as temporary:
        figure.savefig(temporary, dpi=100)
    plt.close(figure)


def write_samples(path, split, generator) -> None:
    """Write a sheet of test pictures spread evenly over the test set: gray, generated, true."""
    count = min(SAMPLE_PICTURES, split.pictures)
    gray, rgb = split.read(np.linspace(0, split.pictures - 1, count, dtype=np.int64))
    generated = photos.to_uint8(generator.predict(photos.to_unit(gray), verbose=0))
    rows = [np.concatenate(list(row), axis=1) for row in (gray.repeat(3, -1), generated, rgb)]
    photos.write_png(path, np.concatenate(rows, axis=0))


# ------------------------------------------------------------------------------- the training


def evaluate_epoch(split, generator, batch_size) -> dict:
    """Return the mean SSIM, PSNR (dB) and colourfulness of `generator` over the test split."""
    values = []
    for gray, rgb in split.ordered_batches(batch_size).as_numpy_iterator():
        generated = photos.to_uint8(generator.predict_on_batch(photos.to_unit(gray)))
        for truth, picture in zip(rgb, generated, strict=True):
            error = metrics.mean_squared_error(truth, picture)
            similarity = metrics.ssim(truth, picture)
            values.append((similarity, metrics.psnr(error), metrics.colourfulness(picture)))
    means = np.mean(values, axis=0).round(4).tolist()
    return dict(zip(("test_ssim", "test_psnr", "test_colourfulness"), means, strict=True))


def train_epoch(split, networks, train_step, settings, epoch, first_step, totals, interrupted):
    """Train on the rest of an epoch, from `first_step` on; add its losses to `totals`.

    Returns the number of steps of this epoch that are done: all of them, or fewer when
    `interrupted()` said so after one. Raises UserError on a loss that is not finite.
    """
    steps = split.pictures // settings.batch_size
    batches = split.batches(settings.batch_size, settings.seed, epoch).skip(first_step)
    bar = tqdm(
        desc=f"epoch {epoch + 1}/{settings.epochs}",
        total=steps * settings.batch_size,
        initial=first_step * settings.batch_size,
        unit=" pictures",
        leave=False,
        dynamic_ncols=True,
    )
    with bar:
        for step, (gray, rgb) in enumerate(batches.as_numpy_iterator(), start=first_step):
            random = np.random.default_rng([settings.seed, epoch, step])
            shape = (settings.discriminator_updates, settings.batch_size, 1)
            labels = soft_noisy_labels(random, shape, settings)
            # A young average forgets faster, or it would hold the first weights for epochs.
            age = epoch * steps + step
            momentum = np.float32(min(AVERAGE_MOMENTUM, (1 + age) / (10 + age)))
            losses = train_step(photos.to_unit(gray), photos.to_unit(rgb), *labels, momentum)
            losses = {name: float(loss) for name, loss in losses.items()}
            for name, loss in losses.items():
                if not math.isfinite(loss):
                    raise UserError(
                        f"the {name.replace('_', ' ')} became {loss} at step {step + 1} of epoch "
                        f"{epoch + 1}; the last checkpoint is untouched: start again with a lower "
                        f"--learning-rate than {settings.learning_rate:g} and another --output"
                    )
            totals += [losses[name] for name in HISTORY_COLUMNS[1:4]]
            bar.update(settings.batch_size)
            bar.set_postfix({name.split("_")[0]: f"{loss:.3f}" for name, loss in losses.items()})
            if interrupted():
                return step + 1
    return steps


def train(settings, resume=False) -> int:
    """Train as `settings` say, from the start or, with `resume`, from the last checkpoint.

    Returns the process's exit status: 0, or 130 when Ctrl-C stopped it.
    """
    output = Path(settings.output)
    train_split = dataset.open_split(settings.data, "train")
    test_split = dataset.open_split(settings.data, "test")
    train_split.batches(settings.batch_size, settings.seed, 0)  # refuses a batch it cannot fill
    make_repeatable()
    networks = Networks(settings)
    epoch, step, totals = 0, 0, np.zeros(3)
    if resume and checkpoints(output / "checkpoints"):
        epoch, step, totals = restore_checkpoint(checkpoints(output / "checkpoints")[-1], networks)
    history = read_history(output / "history.csv", epoch)
    write_config(output, settings)
    train_step = make_train_step(networks, settings)
    steps = train_split.pictures // settings.batch_size
    print(
        f"training on {engine.device()} in {settings.precision}: {train_split.pictures:,} "
        f"pictures, {settings.epochs} epochs of {steps} steps"
        + (f", from epoch {epoch + 1}, step {step + 1}" if resume else "")
    )
    with interruption() as interrupted:
        while epoch < settings.epochs:
            started = time.monotonic()
            step = train_epoch(
                train_split, networks, train_step, settings, epoch, step, totals, interrupted
            )
            if step < steps:
                save_checkpoint(output / "checkpoints", networks, epoch, step, totals)
                print(f"stopped; go on with: {resume_command(settings)}")
                return 130
            row = {"epoch": epoch + 1}
            row |= dict(zip(HISTORY_COLUMNS[1:4], (totals / steps).round(5).tolist(), strict=True))
            row |= evaluate_epoch(test_split, networks.averaged, settings.batch_size)
            row["seconds"] = round(time.monotonic() - started, 1)
            history.append(row)
            epoch, step, totals = epoch + 1, 0, np.zeros(3)
            # The checkpoint comes last: whatever is killed before it is done again.
            write_samples(
                output / "samples" / f"epoch-{epoch:04d}.png", test_split, networks.averaged
            )
            write_history(output, history)
            with project.replacing(output / "generator.keras") as temporary:
                networks.averaged.save(temporary)
            save_checkpoint(output / "checkpoints", networks, epoch, step, totals)
            print("  ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in row.items()))
            if interrupted() and epoch < settings.epochs:
                print(f"stopped; go on with: {resume_command(settings)}")
                return 130
    print(f"the generator is {output / 'generator.keras'}; its samples are in {output / 'samples'}")
    return 0


def make_repeatable() -> None:
    """Make TensorFlow compute the same bits from the same numbers, on the CPU and on a GPU."""
    tf.config.experimental.enable_op_determinism()
    # Its remapper cannot fuse a convolution whose LeakyReLU needs a gradient, gives up on the
    # whole graph and prints that as an error.
    tf.config.optimizer.set_experimental_options({"remapping": False})


@contextlib.contextmanager
def interruption():
    """Turn Ctrl-C and SIGTERM into an answer to ask for; a second one stops at once."""
    received = []

    def receive(number, frame):
        if received:
            raise KeyboardInterrupt
        received.append(number)
        print("\nfinishing this step, then saving (once more to stop at once)", file=sys.stderr)

    before = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# ----------------------------------------------------------------------------- the command line


def write_config(output, settings) -> None:
    """Write config.json: the settings, and the versions and commit that last worked on the run."""
    record = {
        "settings": dataclasses.asdict(settings),
        "versions": project.versions(),
        "git_commit": project.git_commit(),
        "device": engine.device(),
    }
    project.write_json(output / "config.json", record)


def read_settings(given) -> Settings:
    """Return the settings of a new run from the flags given, a dict by their names.

    Raises UserError when the output folder already holds a run.
    """
    settings = Settings(**given)
    if (Path(settings.output) / "config.json").exists():
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
    path = Path(output) / "config.json"
    try:
        settings = Settings(**json.loads(path.read_text(encoding="utf-8"))["settings"])
    except FileNotFoundError:
        raise UserError(
            f"{output} holds no run to resume (no config.json); start one without --resume"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not the config.json of a run ({error})") from error
    for name, value in given.items():
        begun = getattr(settings, name)
        if name not in ("epochs", "output") and value != begun:
            flag = "--" + name.replace("_", "-")
            raise UserError(
                f"the run in {output} was begun with {flag} {begun}, not {value}; leave {flag} "
                "out to go on with it, or name another --output for a new run"
            )
    return dataclasses.replace(settings, **given)


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
    return train(resumed_settings(given) if resume else read_settings(given), resume)


def main(argv=None) -> int:
    return project.run(start, vars(parse_arguments(argv)))


if __name__ == "__main__":
    sys.exit(main())
