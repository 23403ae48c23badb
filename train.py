"""Train the paper's GAN on prepared data.

    python train.py --epochs 50

Reads data/ (prepare_data.py makes it). Writes outputs/train/: after each epoch generator.keras,
history.csv, losses.png, samples/, checkpoints/; config.json; at the end generator.onnx, which
colorize.py runs. Stopped at any moment, `--resume` goes on. `--system` trains one of the systems
that the paper is compared with, in the same loop.
"""

import dataclasses
import math
import signal
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    # What follows takes seconds to import. Ctrl-C ends it at once; later `errors.run` answers it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import models
from colorizer import errors
from colorizer.errors import STOPPED, UserError
from colorizer.files import photos
from colorizer.pixels import to_uint8, to_unit
from colorizer.progress import Progress
from pictures import dataset, metrics
from systems import classify, enlarge, mend, pix2pix, regress, semantic, vgg16
from training import devices, export, runs, steps
from training.settings import Settings, parse_arguments, resume_command
from training.system import System

import keras
import numpy as np
import tensorflow as tf
from keras import ops

SAMPLE_PICTURES = 8
# How long a run goes on before what it has learned is on the disk.
CHECKPOINT_SECONDS = 600
TEST_FIGURES = ("test_ssim", "test_psnr", "test_colourfulness")

# ------------------------------------------------------------------------ the paper's settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaperSettings(Settings):
    """How the paper's GAN is trained."""

    epochs: int = 50  # Paper: "50 epochs".
    batch_size: int = 64  # Paper: silent. Here: larger is no faster on a CPU.
    learning_rate: float = 2e-4  # Paper: silent. Here: DCGAN's and pix2pix's.
    # Paper: "Adam". Momentum: silent. Here: 0.5, as in DCGAN, because 0.9 makes the two networks
    # swing.
    betas: tuple = (0.5, 0.999)
    pixel_weight: float = 100  # Paper: silent. Here: pix2pix's weight of the mean absolute error.
    adversarial_weight: float = 1
    # Paper: "Soft & Noisy Labels". Ranges and shares: silent. Here: a photograph is labelled 0.8 to
    # 1.0, a generated picture 0.0 to 0.2 (Salimans et al. 2016), and one label in 20 is flipped.
    label_softness: float = 0.2
    label_flips: float = 0.05
    # Paper: "we execute the generator once and the discriminator twice". Here: once on photographs
    # and once on generated pictures. Read the other way: 2 updates of it.
    discriminator_updates: int = 1
    # Ingredients of the paper's generator, to be left out by experiments.
    dilations: bool = True
    skips: bool = True
    # What it claims Adam and ReLU are better than: SGD, here with momentum, instead of both Adams,
    # and LeakyReLU in the discriminator.
    momentum: float | None = None
    discriminator_slope: float = 0


# ----------------------------------------------------------------------------------- the losses


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
    """Draw labels of photographs and of generated pictures, two float32 arrays of `shape`.

    Soft: uniform in [1 - softness, 1] and in [0, softness]. Noisy: a share of them is flipped.

    Source: the paper, "Soft & Noisy Labels"; Salimans et al. 2016.
    """
    real = 1 - settings.label_softness * random.random(shape)
    generated = settings.label_softness * random.random(shape)
    real_flipped = random.random(shape) < settings.label_flips
    generated_flipped = random.random(shape) < settings.label_flips
    real = np.where(real_flipped, 1 - real, real).astype(np.float32)
    generated = np.where(generated_flipped, 1 - generated, generated).astype(np.float32)
    return real, generated


# ------------------------------------------------------------------- the networks and the step


class PaperGAN(System):
    """The paper's generator and discriminator, how they learn, and the generator that is kept."""

    Settings = PaperSettings
    LOSSES = ("generator_loss", "discriminator_loss", "pixel_loss")
    working_size = models.SIZE

    def __init__(self, settings, train_split):
        """Build the networks and their optimizers; of the `train_split` nothing has to be known."""
        self.settings = settings
        options = {"dilations": settings.dilations, "skips": settings.skips}
        with steps.precision(settings.precision):
            self.generator = models.build_generator(seed=settings.seed, **options)
            self.discriminator = models.build_discriminator(
                seed=settings.seed, slope=settings.discriminator_slope
            )
        # What is kept is full precision whatever it was trained in, so that it runs anywhere.
        self.averaged = models.build_generator(seed=settings.seed, **options)
        self.averaged.set_weights(self.generator.get_weights())
        self.generator_optimizer = steps.ready(self.optimizer(), self.generator, settings)
        self.discriminator_optimizer = steps.ready(self.optimizer(), self.discriminator, settings)

    def optimizer(self):
        """Return an optimizer as the settings say."""
        rate, momentum = self.settings.learning_rate, self.settings.momentum
        if momentum is None:
            return keras.optimizers.Adam(rate, *self.settings.betas)
        return keras.optimizers.SGD(rate, momentum)

    def draw(self, random, gray, rgb):
        """Return a batch as the step takes it: gray, colour, labels of real and generated ones."""
        shape = len(gray), self.settings.discriminator_updates
        labels = soft_noisy_labels(random, shape, self.settings)
        return to_unit(gray), to_unit(rgb), *labels

    @tf.function
    def train_step(self, grayscale, ground_truth, real_labels, generated_labels):
        """Train both networks on one batch and return the losses, by name.

        Grayscale (B, H, W, 1) and ground truth (B, H, W, 3), float32 in [0, 1]; labels (B, updates)
        of the photographs and of the generated pictures, float32.

        Source: the paper, "In a single iteration, we execute the generator once and the
        discriminator twice": on the photographs and on the generated pictures.
        """
        for early in range(1, self.settings.discriminator_updates):
            labels = real_labels[:, early, None], generated_labels[:, early, None]
            self.discriminator_step(grayscale, ground_truth, *labels)

        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            generated = self.generator(grayscale, training=True)
            real_answer = self.discriminator(ground_truth, training=True)
            generated_answer = self.discriminator(generated, training=True)

            pixel = pixel_loss(generated, ground_truth)
            adversarial = adversarial_loss(generated_answer)
            generator_total = (
                self.settings.pixel_weight * pixel + self.settings.adversarial_weight * adversarial
            )
            discriminator_total = discriminator_loss(
                real_answer, generated_answer, real_labels[:, :1], generated_labels[:, :1]
            )
            generator_objective = steps.objective(generator_total, self.generator_optimizer)
            discriminator_objective = steps.objective(
                discriminator_total, self.discriminator_optimizer
            )

        weights = self.generator.trainable_variables
        gradients = generator_tape.gradient(generator_objective, weights)
        self.generator_optimizer.apply(gradients, weights)

        weights = self.discriminator.trainable_variables
        gradients = discriminator_tape.gradient(discriminator_objective, weights)
        self.discriminator_optimizer.apply(gradients, weights)

        steps.update_average(self.averaged, self.generator, self.generator_optimizer)
        return {
            "generator_loss": generator_total,
            "discriminator_loss": discriminator_total,
            "pixel_loss": pixel,
        }

    def discriminator_step(self, grayscale, ground_truth, real_labels, generated_labels):
        """Update the discriminator alone, before the generator learns from it."""
        generated = self.generator(grayscale, training=True)
        with tf.GradientTape() as tape:
            real_answer = self.discriminator(ground_truth, training=True)
            generated_answer = self.discriminator(generated, training=True)
            total = discriminator_loss(real_answer, generated_answer, real_labels, generated_labels)
            objective = steps.objective(total, self.discriminator_optimizer)
        weights = self.discriminator.trainable_variables
        self.discriminator_optimizer.apply(tape.gradient(objective, weights), weights)


# ------------------------------------------------------------------------------------- the loop

SYSTEMS = {
    "paper": PaperGAN,
    "semantic": semantic.Semantic,
    "regress": regress.Regress,
    "classify": classify.Classify,
    "pix2pix": pix2pix.Pix2pix,
    "vgg16": vgg16.Vgg16,
    "enlarge": enlarge.Enlarge,
    "mend": mend.Mend,
}


def fit(system, settings, resume=False, splits=None) -> int:
    """Train a system from the start or, with `resume`, from the last checkpoint of its run.

    `system` is a class made of `training.system.System`, which names all that is asked of one:
    `Settings`, `LOSSES`, `working_size`, and of its object `settings`, `generator`, `averaged`,
    `draw`, `train_step` and `test_pairs`. Of settings, `parts` is asked beside the values.
    `splits` are the training and the test split, those of `settings.data` by default. Returns the
    process's exit status: 0, or STOPPED when Ctrl-C stopped it.
    Raises UserError when the data do not suit the system, or the run was begun with another system
    or other settings.
    """
    with runs.interruption() as interrupted:
        train_split, test_split = splits or open_data(settings)
        strategy = devices.strategy(settings.distribute)
        model, progress, checkpoints, history = begin(
            system, settings, resume, strategy, train_split, test_split
        )
        steps_an_epoch = train_split.pictures // settings.batch_size
        step = devices.distributed(strategy, model.train_step)
        seconds = 0.0
        while progress.epoch < settings.epochs and not interrupted():
            started = time.monotonic()
            train_epoch(train_split, model, step, progress, interrupted)
            seconds += time.monotonic() - started
            if progress.step == steps_an_epoch:
                finish_epoch(test_split, model, progress, history, seconds)
                seconds = 0.0
            # Last: an epoch that was killed before it is done again.
            if devices.is_chief():
                runs.save(checkpoints, progress.epoch * steps_an_epoch + progress.step)
        if progress.epoch < settings.epochs:
            return STOPPED
        output = Path(settings.output)
        if devices.is_chief():
            export.write_onnx(model.averaged, output / "generator.onnx", model.working_size)
    print(f"the generator is {output / 'generator.onnx'}; its samples are in {output / 'samples'}")
    return 0


def begin(system, settings, resume, strategy, train_split, test_split):
    """Build what is trained and make its run's folder, or go on with that.

    Returns the system's object, `runs.Progress`, the checkpoints' manager and the history so far.
    """
    devices.check_batch(settings.batch_size, strategy)
    devices.make_repeatable()
    with strategy.scope():
        model = system(settings, train_split)
    check_size(model, settings, train_split.size)
    progress = runs.Progress(len(system.LOSSES))
    checkpoints = runs.checkpoints(model, progress, settings.output)
    fingerprint = dataset.fingerprint(train_split, test_split)
    if resume:
        runs.check_config(system, settings, fingerprint)
        runs.restore(checkpoints)
    columns = ("epoch", *system.LOSSES, *TEST_FIGURES, "seconds")
    history = runs.read_history(settings.output, int(progress.epoch), columns)
    if devices.is_chief():
        runs.write_config(system, settings, fingerprint)
    print(
        f"training on {devices.device()} in {settings.precision}: {train_split.pictures:,} "
        f"pictures, {settings.epochs} epochs of {train_split.pictures // settings.batch_size} steps"
        + (f", from epoch {progress.epoch + 1}, step {progress.step + 1}" if resume else "")
    )
    return model, progress, checkpoints, history


def open_data(settings):
    """Open the training and the test split; raises UserError where they do not suit."""
    train_split = dataset.open_split(settings.data, "train")
    test_split = dataset.open_split(settings.data, "test")
    if settings.least_colourfulness:
        train_split = colourful_part(train_split, settings.least_colourfulness)
    train_split.batches(settings.batch_size, settings.seed, 0)  # refuses a batch it cannot fill
    if not test_split.pictures:
        raise UserError(
            f"{settings.data} holds no test pictures, on which each epoch is measured; prepare it "
            "with --test-images-per-class 1 or more"
        )
    largest = max(settings.parts(), default=0)
    if largest > train_split.size:
        raise UserError(
            f"{settings.data} holds pictures of {train_split.size} pixels, and parts of {largest} "
            "are to be cut out of them; prepare larger pictures with --size"
        )
    return train_split, test_split


def check_size(model, settings, size) -> None:
    """Raise UserError unless the generator answers pictures of `size` pixels with their size."""
    for side in {size, *settings.parts()}:
        black = np.zeros((1, side, side, 3), np.uint8)
        try:
            given, truth = model.test_pairs(black[..., :1], black)
            fits = steps.paint(model.averaged, given).shape == truth.shape
        except (ValueError, tf.errors.OpError):
            # Keras' layers say it in many ways.
            fits = False
        if not fits:
            raise UserError(
                f"the system cannot learn from {side}x{side} pixels; prepare data with a --size "
                f"that is a multiple of 8, such as {models.SIZE}, and give it as --data"
            )


def colourful_part(split, least):
    """Return the split without its nearly gray pictures, and say how many those are."""
    colourful = [
        metrics.colourfulness(rgb) >= least
        for shard in split.shards()
        for rgb in Progress(shard.rgb, desc="measuring colourfulness", leave=False)
    ]
    kept = split.only(np.arange(split.pictures)[colourful])
    print(
        f"{split.pictures - kept.pictures:,} of {split.pictures:,} training pictures are nearly "
        f"gray (colourfulness below {least:g}) and left out"
    )
    return kept


def train_epoch(split, model, step, progress, interrupted) -> None:
    """Train from where `progress` stands to the end of its epoch, or until `interrupted()`.

    Stops after CHECKPOINT_SECONDS as well, to go on when they are saved. Raises UserError on a loss
    that is not finite.
    """
    settings = model.settings
    due = time.monotonic() + CHECKPOINT_SECONDS
    epoch, first = int(progress.epoch), int(progress.step)
    bar = Progress(
        desc=f"epoch {epoch + 1}/{settings.epochs}",
        total=split.pictures // settings.batch_size * settings.batch_size,
        initial=first * settings.batch_size,
        unit=" pictures",
        leave=False,
        dynamic_ncols=True,
    )
    batches = split.batches(settings.batch_size, settings.seed, epoch, first)
    with bar:
        for number, (gray, rgb) in enumerate(batches, start=first):
            random = np.random.default_rng([settings.seed, epoch, number])
            losses = step(model.draw(random, gray, rgb))
            check_finite(losses, number + 1, epoch + 1, settings)
            progress.step.assign_add(1)
            progress.totals.assign_add([losses[name] for name in model.LOSSES])
            bar.update(settings.batch_size)
            bar.set_postfix({name.split("_")[0]: f"{loss:.3f}" for name, loss in losses.items()})
            if interrupted() or time.monotonic() > due:
                break


def check_finite(losses, step, epoch, settings) -> None:
    """Raise UserError unless all the losses, floats by name, are finite."""
    if not all(math.isfinite(loss) for loss in losses.values()):
        named = ", ".join(f"{name.replace('_', ' ')} {loss:g}" for name, loss in losses.items())
        raise UserError(
            f"step {step} of epoch {epoch} gave {named}; the last checkpoint is untouched: "
            f"try a --learning-rate below {settings.learning_rate:g} with another --output"
        )


def finish_epoch(split, model, progress, history, seconds) -> None:
    """Measure the generator, add a row to the history, write all files, and begin a new epoch."""
    means = (progress.totals / tf.cast(progress.step, tf.float64)).numpy().round(5).tolist()
    progress.next_epoch()
    if not devices.is_chief():
        return
    row = {"epoch": int(progress.epoch), **dict(zip(model.LOSSES, means, strict=True))}
    row |= evaluate_epoch(split, model)
    row["seconds"] = round(seconds, 1)
    history.append(row)
    output = Path(model.settings.output)
    write_samples(output / "samples" / f"epoch-{row['epoch']:04d}.png", split, model)
    runs.write_history(output, history)
    export.write_keras(model.averaged, output / "generator.keras", model.working_size)
    print("  ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in row.items()))


def test_pictures(model, gray, rgb):
    """Return what the generator is given of test pictures, makes of it, and the truth: uint8 RGB.

    Where it enlarges, what it is given is shown with larger pixels.
    """
    given, truth = model.test_pairs(gray, rgb)
    shown = [given, steps.paint(model.averaged, given), truth]
    shown = [to_uint8(pictures) for pictures in shown]
    times = truth.shape[1] // given.shape[1]
    shown[0] = shown[0].repeat(times, axis=1).repeat(times, axis=2)
    return [np.broadcast_to(pictures, (*pictures.shape[:3], 3)) for pictures in shown]


def evaluate_epoch(split, model) -> dict:
    """Return the mean SSIM, PSNR (dB) and colourfulness of what is kept over the test split."""
    values = []
    for gray, rgb in split.ordered_batches(model.settings.batch_size):
        _, generated, truths = test_pictures(model, gray, rgb)
        for truth, picture in zip(truths, generated, strict=True):
            error = metrics.mean_squared_error(truth, picture)
            similarity = metrics.ssim(truth, picture)
            values.append((similarity, metrics.psnr(error), metrics.colourfulness(picture)))
    means = np.mean(values, axis=0).round(4).tolist()
    return dict(zip(TEST_FIGURES, means, strict=True))


def write_samples(path, split, model) -> None:
    """Write a sheet of test pictures spread evenly over the test set: given, generated, true."""
    count = min(SAMPLE_PICTURES, split.pictures)
    gray, rgb = split.read(np.linspace(0, split.pictures - 1, count, dtype=np.int64))
    rows = [np.concatenate(list(row), axis=1) for row in test_pictures(model, gray, rgb)]
    photos.write_png(path, np.concatenate(rows, axis=0))


@errors.reported
def main(argv=None) -> int:
    """Read the command line and train."""
    system, settings, resume = parse_arguments(argv, __doc__, SYSTEMS)
    status = fit(system, settings, resume)
    if status == STOPPED:
        print(f"stopped; go on with: {resume_command(settings)}")
    return status


if __name__ == "__main__":
    sys.exit(main())
