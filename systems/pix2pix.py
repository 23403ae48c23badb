"""A conditional GAN in Lab, as pix2pix is (Qiu, Cao et al.).

Where the source is silent, Keras' default stands, or the choice is declared where it is made.
"""

import dataclasses

import models
from colorizer.chroma import CHROMA_SCALE
from training import colour, steps
from training.layers import crop
from training.settings import Settings
from training.system import System

import keras
import tensorflow as tf
from keras import layers, ops

# Qiu, Cao et al., their GAN: all of this file, but for what is marked.
ENCODER_WIDTHS = (64, 128, 256, 512, 512)
DECODER_WIDTHS = (512, 256, 128, 64)
DISCRIMINATOR_WIDTHS = (64, 128, 256, 512)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pix2pixSettings(Settings):
    """How it is trained."""

    epochs: int = 200
    # Source: 128. Here: half of it, because 128 pictures of 120x120 take over 8 GiB.
    batch_size: int = 64
    learning_rate: float = 1e-4
    output: str = "outputs/pix2pix"
    betas: tuple = (0.5, 0.999)
    pixel_weight: float = 100  # of the mean absolute error, beside the cross-entropy
    real_label: float = 0.9  # what the discriminator is to answer for photographs; 0 for others


def normalized_convolution(x, width, kernel, stride, name):
    """Convolve, normalize over the batch, LeakyReLU of slope 0.2."""
    # No bias, because the normalization would take it away again.
    x = layers.Conv2D(
        width, kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    x = layers.BatchNormalization(synchronized=True, name=f"{name}_normalize")(x)
    return layers.LeakyReLU(models.LEAKY_SLOPE, name=f"{name}_leaky")(x)


def build_generator(seed=0):
    """Build the generator of the Lab GAN.

    Maps (B, H, W, 1) float32 in [0, 1] to (B, H, W, 3) float32 RGB in [0, 1]; H and W are
    multiples of 8. "prediction" is chroma (B, H, W, 2) in [-1, 1], in units of CHROMA_SCALE.

    Source: Qiu, Cao et al.
    """
    keras.utils.set_random_seed(seed)
    gray = layers.Input((None, None, 1), name="grayscale")  # 120x120x1
    lightness = colour.lightness_from_gray(gray)
    first, *widths = ENCODER_WIDTHS
    x = layers.Rescaling(1 / 50, -1, name="centre")(lightness)
    x = layers.Conv2D(first, 3, padding="same", name="encode1_conv")(x)
    x = layers.LeakyReLU(models.LEAKY_SLOPE, name="encode1_leaky")(x)
    skips = []  # 120x120x64, 60x60x128, 30x30x256, 15x15x512
    for number, width in enumerate(widths, start=2):
        skips.append(x)
        x = normalized_convolution(x, width, 4, 2, f"encode{number}")  # in the end 8x8x512
    for number, width in enumerate(DECODER_WIDTHS, start=1):
        skip = skips.pop()
        x = layers.Conv2DTranspose(width, 4, strides=2, padding="same", name=f"up{number}_double")(
            x
        )
        if number == 1:
            # Halving rounds up: a multiple of 8 that is none of 16 has come back one too large.
            x = crop(x, skip)
        x = layers.Concatenate(name=f"up{number}_skip")([x, skip])
        x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"up{number}_conv")(x)
        x = layers.BatchNormalization(synchronized=True, name=f"up{number}_normalize")(x)
        x = layers.ReLU(name=f"up{number}_relu")(x)  # in the end 120x120x64
    chroma = layers.Conv2D(2, 1, activation="tanh", dtype="float32", name="prediction")(x)
    rgb = colour.srgb_from_lab(lightness, CHROMA_SCALE * chroma)
    return keras.Model(gray, rgb, name="generator")  # 120x120x3


def build_discriminator(seed=0):
    """Build the discriminator of the Lab GAN, which sees the chroma with the luminance.

    Maps `scaled_lab`, (B, H, W, 3) float32 in [-1, 1], to (B, 1) float32, the probability that the
    chroma is a photograph's.

    Source: Qiu, Cao et al.
    """
    keras.utils.set_random_seed(seed + 1)
    first, *widths, last = DISCRIMINATOR_WIDTHS
    lab = layers.Input((None, None, 3), name="lab")  # 120x120x3
    x = layers.Conv2D(first, 4, strides=2, padding="same", name="set1_conv")(lab)
    x = layers.LeakyReLU(models.LEAKY_SLOPE, name="set1_leaky")(x)  # 60x60x64
    for number, width in enumerate(widths, start=2):
        x = normalized_convolution(x, width, 4, 2, f"set{number}")  # 30x30x128, 15x15x256
    x = normalized_convolution(x, last, 3, 1, f"set{len(widths) + 2}")  # 15x15x512
    x = layers.Conv2D(1, 4, padding="same", dtype="float32", name="patches")(x)  # 15x15x1
    # Source: silent on what becomes of more than one answer. Here: their mean, because the other
    # discriminator answers once a picture too.
    x = layers.GlobalAveragePooling2D(dtype="float32", name="average")(x)
    probability = layers.Activation("sigmoid", dtype="float32", name="probability")(x)
    return keras.Model(lab, probability, name="discriminator")


def scaled_chroma(ground_truth):
    """Return the chroma (B, H, W, 2) of RGB (B, H, W, 3) in [0, 1], in units of CHROMA_SCALE."""
    return colour.lab_from_srgb(ground_truth)[..., 1:] / CHROMA_SCALE


def scaled_lab(gray, chroma):
    """Return what the discriminator is shown: L of gray (B, H, W, 1), chroma (B, H, W, 2).

    All in [-1, 1]: `chroma` is a prediction or `scaled_chroma`, `gray` is in [0, 1].
    """
    return ops.concatenate([colour.lightness_from_gray(gray) / 50 - 1, chroma], axis=-1)


def cross_entropy(label, probabilities):
    """Return the mean binary cross-entropy (nats) of probabilities (B, 1) against one label."""
    labels = label * ops.ones_like(probabilities)
    return ops.mean(keras.losses.binary_crossentropy(labels, probabilities))


class Pix2pix(System):
    """Both networks, how they learn, and the moving average of the generator that is kept."""

    Settings = Pix2pixSettings
    LOSSES = ("generator_loss", "discriminator_loss", "pixel_loss")

    def __init__(self, settings, train_split):
        self.settings = settings
        self.generator, self.averaged = steps.built(settings, build_generator, settings.seed)
        with steps.precision(settings.precision):
            self.discriminator = build_discriminator(settings.seed)
        self.predictor = steps.predictor(self.generator)
        rate, betas = settings.learning_rate, settings.betas
        self.generator_optimizer = steps.ready(
            keras.optimizers.Adam(rate, *betas), self.generator, settings
        )
        self.discriminator_optimizer = steps.ready(
            keras.optimizers.Adam(rate, *betas), self.discriminator, settings
        )

    @tf.function
    def train_step(self, grayscale, ground_truth):
        """Train both networks on grayscale (B, H, W, 1) and ground truth (B, H, W, 3) in [0, 1]."""
        truth = scaled_chroma(ground_truth)
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            chroma = self.predictor(grayscale, training=True)
            real_answer = self.discriminator(scaled_lab(grayscale, truth), training=True)
            generated_answer = self.discriminator(scaled_lab(grayscale, chroma), training=True)

            pixel = ops.mean(ops.abs(chroma - truth))
            adversarial = cross_entropy(1, generated_answer)
            generator_total = adversarial + self.settings.pixel_weight * pixel
            discriminator_total = cross_entropy(
                self.settings.real_label, real_answer
            ) + cross_entropy(0, generated_answer)
            steps.update(self, generator_tape, generator_total)
            weights = self.discriminator.trainable_variables
            steps.descend(
                self.discriminator_optimizer, discriminator_tape, discriminator_total, weights
            )
        return {
            "generator_loss": generator_total,
            "discriminator_loss": discriminator_total,
            "pixel_loss": pixel,
        }
