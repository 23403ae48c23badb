"""Colour as a distribution over bins of chroma, rare ones counting more (Qiu et al., Zhang et al.).

Where a source is silent, Keras' default stands, or the choice is declared where it is made.
"""

import dataclasses

import models
from training import colour, losses, steps
from training.layers import enlarge
from training.settings import Settings
from training.system import System

import keras
import tensorflow as tf
from keras import layers

# Qiu et al.: "a U-Net-like network" over the 313 bins of Zhang et al.; its layers: not found. Here:
# the blocks of Zhang et al. 2016 with a quarter of their widths, because two cores have to train
# it, and one skip, which makes it U-Net-like. Width, convolutions, stride, dilation of each block.
BLOCKS = (
    (16, 2, 2, 1),
    (32, 2, 2, 1),
    (64, 3, 2, 1),
    (128, 3, 1, 1),
    (128, 3, 1, 2),
    (128, 3, 1, 2),
    (128, 3, 1, 1),
)
SKIPPING_BLOCK = 3  # the last at a quarter of the picture's sides, where the bins are predicted
DECODER_WIDTH = 64
DECODER_CONVOLUTIONS = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassifySettings(Settings):
    """How it is trained."""

    epochs: int = 50
    batch_size: int = 64
    # Zhang et al. 2016: Adam, 3e-5, betas 0.9 and 0.99. Here: 1e-3, because a rate that suits 1.3
    # million pictures would leave a few thousand of them unlearned, and the network is narrow.
    learning_rate: float = 1e-3
    output: str = "outputs/classify"
    betas: tuple = (0.9, 0.99)
    rarity_exponent: float = 1  # Zhang et al. 2016, equation 4


def block(x, width, convolutions, stride, dilation, name):
    """Convolve a few times, the last time with `stride`, and normalize.

    Returns what the last convolution took in, and the result.
    """
    for number in range(1, convolutions + 1):
        before = x
        x = layers.Conv2D(
            width,
            3,
            strides=stride if number == convolutions else 1,
            padding="same",
            dilation_rate=dilation,
            activation="relu",
            kernel_initializer="he_normal",
            name=f"{name}_conv{number}",
        )(x)
    return before, layers.BatchNormalization(synchronized=True, name=f"{name}_normalize")(x)


def build_generator(seed=0):
    """Build the network that predicts a distribution over bins of chroma.

    Maps (B, H, W, 1) float32 in [0, 1] to (B, H, W, 3) float32 RGB in [0, 1]; H and W are
    multiples of 8. "prediction" is logits (B, H/4, W/4, 261) over `colour.bins`, to be trained by
    `losses.bins_cross_entropy`; the picture is painted with their annealed mean.

    Source: Qiu et al., "313 a/b bins"; Zhang et al. 2016. `colour.bins` says why they are 261.
    """
    keras.utils.set_random_seed(seed)
    gray = layers.Input((None, None, 1), name="grayscale")  # 120x120x1
    lightness = colour.lightness_from_gray(gray)
    x = layers.Rescaling(1 / 50, -1, name="centre")(lightness)
    # 60x60x16, 30x30x32, 15x15x64, then 15x15x128
    for number, shape in enumerate(BLOCKS, start=1):
        before, x = block(x, *shape, name=f"block{number}")
        if number == SKIPPING_BLOCK:
            skip = before  # 30x30x64
    x = models.decoder_set(x, [skip], DECODER_WIDTH, "up")  # 30x30x(64+64)
    for number in range(1, DECODER_CONVOLUTIONS + 1):
        x = layers.Conv2D(
            DECODER_WIDTH,
            3,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"up_conv{number}",
        )(x)
    logits = layers.Conv2D(len(colour.bins()), 1, dtype="float32", name="prediction")(x)
    chroma = enlarge(colour.annealed_mean(logits), 4, "chroma", dtype="float32")
    return keras.Model(gray, colour.srgb_from_lab(lightness, chroma), name="generator")


class Classify(System):
    """The generator, how it learns, and the moving average of it that is kept."""

    Settings = ClassifySettings
    LOSSES = ("generator_loss",)

    def __init__(self, settings, train_split):
        self.settings = settings
        self.rarity = steps.rarity_of_bins(train_split, settings.rarity_exponent)
        self.generator, self.averaged = steps.built(settings, build_generator, settings.seed)
        self.predictor = steps.predictor(self.generator)
        optimizer = keras.optimizers.Adam(settings.learning_rate, *settings.betas)
        self.generator_optimizer = steps.ready(optimizer, self.generator, settings)

    @tf.function
    def train_step(self, grayscale, ground_truth):
        """Train on grayscale (B, H, W, 1) and ground truth (B, H, W, 3), float32 in [0, 1]."""
        with tf.GradientTape() as tape:
            prediction = self.predictor(grayscale, training=True)
            truth = losses.true_chroma(ground_truth, prediction)
            loss = losses.bins_cross_entropy(prediction, truth, self.rarity)
            steps.update(self, tape, loss)
        return {"generator_loss": loss}
