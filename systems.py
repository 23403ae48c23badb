"""What train.py can train: how each colorizer is built, and what it learns from."""

import dataclasses
from collections.abc import Callable

import models
import reference_models
import semantic_models

import keras
import numpy as np
from keras import ops

# Paper: "Adam". Momentum: silent. Here: 0.5, as in DCGAN, because 0.9 makes the two networks swing.
ADAM_BETAS = (0.5, 0.999)


@dataclasses.dataclass(frozen=True)
class System:
    """How one colorizer is built and trained; `settings` is always a `train.Settings`.

    `build(settings)` returns the generator, gray to RGB.
    `prediction` names the layer of it whose output the loss is about: RGB, chroma, or logits.
    `loss(prediction, ground_truth, rarity)` returns a scalar; `ground_truth` is RGB (B, H, W, 3)
    in [0, 1], `rarity` how much the pixels of each bin of `colour.bins` count, float32 (bins,),
    or None where `rarity_exponent` is None.
    `rarity_exponent` is that of `colour.rarity_weights`.
    `optimizer(settings)` returns a fresh optimizer, for either network.
    `build_discriminator(settings)` returns the adversary, or is None where there is none.
    `shown(grayscale, rgb, prediction)` returns what the discriminator sees of a picture;
    `prediction` is None for a photograph.
    `labels(random, shape, settings)` draws the labels of photographs and of generated pictures.
    `defaults` are those of `train.Settings` that differ from the paper's.
    """

    build: Callable
    prediction: str
    loss: Callable
    rarity_exponent: float | None
    optimizer: Callable
    build_discriminator: Callable | None
    shown: Callable
    labels: Callable
    defaults: dict


def adam(settings):
    """Return the Adam of the paper's networks."""
    return keras.optimizers.Adam(settings.learning_rate, *ADAM_BETAS)


def soft_noisy_labels(random, shape, settings):
    """Draw labels for photographs and for generated pictures, two float32 arrays of `shape`.

    Soft: uniform in [1 - softness, 1] and in [0, softness]. Noisy: a share of flipped ones.

    Source: the paper, "Soft & Noisy Labels"; Salimans et al. 2016.
    """
    softness = settings.label_softness
    real = 1 - softness * random.random(shape)
    generated = softness * random.random(shape)
    real_flipped = random.random(shape) < settings.label_flips
    generated_flipped = random.random(shape) < settings.label_flips
    real = np.where(real_flipped, 1 - real, real)
    generated = np.where(generated_flipped, 1 - generated, generated)
    return real.astype(np.float32), generated.astype(np.float32)


# -------------------------------------------------------------------------------------- paper


def pixel_loss(generated, ground_truth, rarity=None):
    """Return the mean absolute difference of two (B, H, W, 3) pictures in [0, 1]."""
    return ops.mean(ops.abs(generated - ground_truth))


PAPER = System(
    build=lambda settings: models.build_generator(
        dilations=settings.dilations, skips=settings.skips, seed=settings.seed
    ),
    prediction="rgb",
    loss=pixel_loss,
    rarity_exponent=None,
    optimizer=adam,
    build_discriminator=lambda settings: models.build_discriminator(seed=settings.seed),
    shown=lambda grayscale, rgb, prediction: rgb,
    labels=soft_noisy_labels,
    defaults={},
)


# ----------------------------------------------------------------------------------- semantic

# Chroma differs by tens, RGB by tenths: in this unit one pixel weight serves both.
CHROMA_UNIT = 0.01
# An encoder that is trained already is only adapted: at the decoder's rate it forgets the classes
# that it is not shown again.
ENCODER_RATE = 0.03


class TwoRates(keras.optimizers.Adam):
    """Adam with `ENCODER_RATE` times its learning rate for the layers of a trained encoder."""

    def build(self, variables):
        super().build(variables)
        self.adapted = [variable.path.startswith("encoder_") for variable in variables]

    def update_step(self, gradient, variable, learning_rate):
        if self.adapted[self._get_variable_index(variable)]:
            learning_rate = learning_rate * ENCODER_RATE
        super().update_step(gradient, variable, learning_rate)


def semantic_loss(prediction, ground_truth, rarity):
    """Return the smooth L1 difference in chroma, weighted by rarity, in hundreds of Lab units."""
    return CHROMA_UNIT * semantic_models.smooth_l1(prediction, ground_truth, rarity)


SEMANTIC = System(
    build=lambda settings: semantic_models.build_semantic_generator(seed=settings.seed),
    prediction="prediction",
    loss=semantic_loss,
    rarity_exponent=0.5,
    optimizer=lambda settings: TwoRates(settings.learning_rate),
    build_discriminator=lambda settings: models.build_discriminator(channels=4, seed=settings.seed),
    # Conditional, as in pix2pix: is this a likely colour of this gray picture?
    shown=lambda grayscale, rgb, prediction: ops.concatenate([rgb, grayscale], axis=-1),
    labels=soft_noisy_labels,
    defaults={
        "epochs": 4,
        "adversarial_weight": 0,
        "batch_size": 32,
        "learning_rate": 1e-3,
        "decay": True,
        "flips": True,
        "crop": 128,
        "least_colourfulness": 8,
    },
)

# --------------------------------------------------------------- the paper's reference systems


def constant_labels(random, shape, settings):
    """Return the labels of Qiu, Cao et al.: one constant for photographs, 0 for generated ones."""
    real = np.full(shape, reference_models.PIX2PIX_REAL_LABEL, np.float32)
    return real, np.zeros(shape, np.float32)


def lab_shown(grayscale, rgb, prediction):
    """Return L and a/b, all in [-1, 1], as the discriminator of Qiu, Cao et al. sees them."""
    chroma = reference_models.scaled_chroma(rgb) if prediction is None else prediction
    return reference_models.scaled_lab(grayscale, chroma)


REGRESS = dataclasses.replace(
    PAPER,
    build=lambda settings: reference_models.build_regression_generator(seed=settings.seed),
    prediction="prediction",
    loss=reference_models.chroma_error,
    build_discriminator=None,
    defaults={"pixel_weight": 1},
)

CLASSIFY = dataclasses.replace(
    REGRESS,
    build=lambda settings: reference_models.build_classification_generator(seed=settings.seed),
    loss=semantic_models.bins_cross_entropy,
    rarity_exponent=1,
    optimizer=lambda settings: keras.optimizers.Adam(
        settings.learning_rate, *reference_models.CLASSIFICATION_BETAS
    ),
    defaults={
        "pixel_weight": 1,
        "learning_rate": reference_models.CLASSIFICATION_LEARNING_RATE,
    },
)

PIX2PIX = System(
    build=lambda settings: reference_models.build_pix2pix_generator(seed=settings.seed),
    prediction="prediction",
    loss=reference_models.scaled_chroma_error,
    rarity_exponent=None,
    optimizer=lambda settings: keras.optimizers.Adam(
        settings.learning_rate, *reference_models.PIX2PIX_BETAS
    ),
    build_discriminator=lambda settings: reference_models.build_pix2pix_discriminator(
        seed=settings.seed
    ),
    shown=lab_shown,
    labels=constant_labels,
    defaults={
        "epochs": reference_models.PIX2PIX_EPOCHS,
        "batch_size": reference_models.PIX2PIX_BATCH_SIZE,
        "learning_rate": reference_models.PIX2PIX_LEARNING_RATE,
        "pixel_weight": reference_models.PIX2PIX_PIXEL_WEIGHT,
    },
)

VGG16 = dataclasses.replace(
    REGRESS,
    build=lambda settings: reference_models.build_vgg16_generator(
        None if settings.encoder_weights == "none" else settings.encoder_weights, settings.seed
    ),
    loss=reference_models.uv_cross_entropy,
    # Source: the rate is halved every 300 epochs. Here: it is not, because no run is that long.
    optimizer=lambda settings: keras.optimizers.SGD(
        settings.learning_rate, weight_decay=reference_models.VGG16_WEIGHT_DECAY
    ),
    defaults={
        "pixel_weight": 1,
        "batch_size": reference_models.VGG16_BATCH_SIZE,
        "learning_rate": reference_models.VGG16_LEARNING_RATE,
    },
)

SYSTEMS = {
    "paper": PAPER,
    "semantic": SEMANTIC,
    "regress": REGRESS,
    "classify": CLASSIFY,
    "pix2pix": PIX2PIX,
    "vgg16": VGG16,
}
