"""What the training steps of all systems share: precision, optimizers, the moving average."""

import contextlib

from colorizer.pixels import to_unit
from training import colour

import keras
import numpy as np
import tensorflow as tf

# Paper: silent. Here: the generator that is kept is a moving average of the one that is trained
# (Yazici et al. 2019), because from step to step the adversary pulls colours back and forth.
AVERAGE_MOMENTUM = 0.999
# The share of a training in which a learning rate that decays rises first.
WARM_UP = 0.02
# Enough pictures to know how rare each colour is.
RARITY_PICTURES = 2000


@contextlib.contextmanager
def precision(name):
    """Build what is made in the block to compute in this precision, a Keras dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def built(settings, build, *given):
    """Build a generator to train, in the settings' precision, and the one to keep, float32."""
    with precision(settings.precision):
        generator = build(*given)
    averaged = build(*given)
    averaged.set_weights(generator.get_weights())
    return generator, averaged


def ready(optimizer, network, settings):
    """Return the optimizer with its state for `network` allocated, so that a checkpoint has it."""
    if settings.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(network.trainable_variables)
    return optimizer


def count(settings, pictures) -> int:
    """Return how many steps a training has that sees so many pictures each of its epochs."""
    return settings.epochs * (pictures // settings.batch_size)


def cosine(settings, pictures):
    """Return a learning rate that rises for `WARM_UP` of a training, then falls along a cosine.

    `pictures` are seen each of the epochs. Source: Loshchilov & Hutter 2017; the rise, Goyal et al.
    2017.
    """
    steps = count(settings, pictures)
    rise = int(WARM_UP * steps)
    return keras.optimizers.schedules.CosineDecay(
        0.01 * settings.learning_rate,
        max(1, steps - rise),
        warmup_target=settings.learning_rate,
        warmup_steps=rise,
    )


def predictor(generator, *names):
    """Return the part of a generator that ends in the layers that losses are about.

    They are "prediction", or those of several `names`, whose outputs come as a list.
    """
    outputs = [generator.get_layer(name).output for name in names or ("prediction",)]
    return keras.Model(generator.input, outputs if names else outputs[0])


def paint(generator, gray):
    """Paint gray pictures (B, H, W, 1) in [0, 1] with no colour known: RGB (B, H, W, 3), float32.

    A generator that has a second input, `known` (B, H/2, W/2, 3), is given zeros there.
    """
    if len(generator.inputs) == 1:
        return generator(gray, training=False)
    batch, height, width, _ = gray.shape
    known = np.zeros((batch, height // 2, width // 2, 3), np.float32)
    return generator({"grayscale": gray, "known": known}, training=False)


def objective(loss, optimizer):
    """Return what a tape differentiates of a loss, a scalar that is the mean over a batch's part.

    Optimizers add up the gradients of several devices, and scale losses in half precision.
    """
    return optimizer.scale_loss(loss / tf.distribute.get_strategy().num_replicas_in_sync)


def update_average(averaged, generator, optimizer) -> None:
    """Move the weights of `averaged` towards those of `generator`, which `optimizer` has updated.

    A young average forgets faster, or it would hold the first weights for epochs.
    """
    age = tf.cast(optimizer.iterations, tf.float64) - 1
    momentum = tf.cast(tf.minimum((1 + age) / (10 + age), AVERAGE_MOMENTUM), tf.float32)

    def assign(strategy):
        for average, weight in zip(averaged.weights, generator.weights, strict=True):
            average.assign(momentum * average + (1 - momentum) * weight)

    # Once for all devices, which hold the same weights.
    tf.distribute.get_replica_context().merge_call(assign)


def descend(optimizer, tape, loss, weights) -> None:
    """Take one step down the gradient of a loss, a scalar that is the mean over a batch's part.

    To be called while `tape` records, which has to know how the loss becomes the objective.
    """
    gradients = tape.gradient(objective(loss, optimizer), weights)
    optimizer.apply(gradients, weights)


def update(system, tape, loss, weights=None) -> None:
    """End the step of a system: update its generator, or these `weights` of it, and the average.

    To be called as `descend` is.
    """
    weights = system.generator.trainable_variables if weights is None else weights
    descend(system.generator_optimizer, tape, loss, weights)
    update_average(system.averaged, system.generator, system.generator_optimizer)


def rarity_of_bins(split, exponent):
    """Return how much a pixel of each bin of chroma counts, from the training pictures' colours.

    float32 (bins,), as `colour.rarity_weights` gives it.
    """
    rows = np.linspace(0, split.pictures - 1, min(RARITY_PICTURES, split.pictures), dtype=np.int64)
    counts = 0
    for first in range(0, len(rows), 100):
        _, rgb = split.read(split.rows[rows[first : first + 100]])
        counts = counts + colour.count_bins(colour.lab_from_srgb(to_unit(rgb))[..., 1:])
    return colour.rarity_weights(colour.smoothed_prior(counts), exponent)
