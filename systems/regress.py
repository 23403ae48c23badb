"""The paper's generator with Lab chroma as its output, trained by the pixel loss alone."""

import dataclasses

import models
from colorizer.chroma import CHROMA_SCALE
from training import colour, losses, steps
from training.settings import Settings
from training.system import System

import keras
import tensorflow as tf
from keras import layers, ops

# The first pictures are nearly gray.
FIRST_DEVIATION = 0.001


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegressSettings(Settings):
    """How it is trained: as the paper's generator is."""

    epochs: int = 50
    batch_size: int = 64
    learning_rate: float = 2e-4
    output: str = "outputs/regress"
    betas: tuple = (0.5, 0.999)


def build_generator(seed=0):
    """Build the paper's generator with chroma as its output, to be trained by `chroma_error`.

    Maps (B, H, W, 1) float32 in [0, 1] to (B, H, W, 3) float32 RGB in [0, 1]; H and W are
    multiples of 8. "prediction" is chroma (B, H, W, 2) in Lab's units.

    Source: the paper's body; its references work in Lab, and nothing beyond that was found.
    """
    keras.utils.set_random_seed(seed)
    gray = layers.Input((None, None, 1), name="grayscale")  # 120x120x1
    x = models.unet(gray)  # 120x120x33
    chroma = layers.Conv2DTranspose(
        2,
        3,
        padding="same",
        kernel_initializer=keras.initializers.RandomNormal(stddev=FIRST_DEVIATION),
        dtype="float32",
        name="chroma",
    )(x)  # 120x120x2
    # Scaled, so that a step of the optimizer moves it by as much as it moves other layers.
    chroma = layers.Rescaling(CHROMA_SCALE, dtype="float32", name="prediction")(chroma)
    rgb = colour.srgb_from_lab(colour.lightness_from_gray(gray), chroma)
    generator = keras.Model(gray, rgb, name="generator")  # 120x120x3
    models.start_smooth(generator)
    return generator


def chroma_error(chroma, ground_truth):
    """Return the mean absolute difference, in Lab's units, of chroma from RGB (B, H, W, 3).

    `chroma` is (B, H, W, 2).
    """
    return ops.mean(ops.abs(chroma - losses.true_chroma(ground_truth, chroma)))


class Regress(System):
    """The generator, how it learns, and the moving average of it that is kept."""

    Settings = RegressSettings
    LOSSES = ("generator_loss",)

    def __init__(self, settings, train_split):
        self.settings = settings
        self.generator, self.averaged = steps.built(settings, build_generator, settings.seed)
        self.predictor = steps.predictor(self.generator)
        optimizer = keras.optimizers.Adam(settings.learning_rate, *settings.betas)
        self.generator_optimizer = steps.ready(optimizer, self.generator, settings)

    @tf.function
    def train_step(self, grayscale, ground_truth):
        """Train on grayscale (B, H, W, 1) and ground truth (B, H, W, 3), float32 in [0, 1]."""
        with tf.GradientTape() as tape:
            prediction = self.predictor(grayscale, training=True)
            loss = chroma_error(prediction, ground_truth)
            steps.update(self, tape, loss)
        return {"generator_loss": loss}
