"""A small network that finds the marks of broken prints: how likely one covers each pixel.

Source: after Wan et al. 2020 (Bringing Old Photos Back to Life), who find scratches by a U-Net of
Ronneberger et al. 2015. What fills them is colorizer.prints.mend.
"""

import dataclasses

from colorizer.pixels import to_unit
from pictures import damage, lookalikes, marks
from systems.enlarge import sub_pixels
from training import steps
from training.layers import load_layers
from training.settings import Settings
from training.system import System

import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

# Channels at half the size of the picture, a quarter, an eighth, a sixteenth.
WIDTHS = 16, 32, 48, 64
# A pixel of a mark counts by how much that changes it, in shares of this change, within limits:
# what is hardly seen is hardly missed. One that no mark covers counts 1.
FULL_CHANGE = 0.3
LEAST_COUNTED, MOST_COUNTED = 0.2, 2.0
# The share of pictures that are whole, and of those that show what only resembles a mark.
WHOLE, RESEMBLING = 0.3, 0.5
TEST_SEED = 19


@dataclasses.dataclass(frozen=True, kw_only=True)
class MendSettings(Settings):
    """How it is trained; docs/results.md has what comes out."""

    epochs: int = 12
    batch_size: int = 6
    learning_rate: float = 1e-3
    output: str = "outputs/mend"
    # The generator.keras of an earlier run, to train on from.
    start: str | None = None
    # Pixels a side of what a step sees of a picture.
    crop: int = 160

    def parts(self) -> tuple:
        return (self.crop,)


# ------------------------------------------------------------------------------- the network


def convolutions(x, width, name):
    """Convolve (B, H, W, C) twice, to (B, H, W, width)."""
    for number in (1, 2):
        x = layers.Conv2D(width, 3, padding="same", name=f"{name}_conv{number}")(x)
        x = layers.LeakyReLU(negative_slope=0.1, name=f"{name}_act{number}")(x)
    return x


def build_generator(seed=0):
    """Build the network that finds marks.

    Maps luminance (B, H, W, 1) float32 in [0, 1] to how likely a mark covers each pixel, of the
    same shape, in [0, 1]. H and W are multiples of 16.
    """
    keras.utils.set_random_seed(seed)
    x = gray = layers.Input((None, None, 1), name="grayscale")  # 128x128x1
    skips = []
    for level, width in enumerate(WIDTHS, start=1):
        size = 4 if level == 1 else 2
        x = layers.Conv2D(width, size, strides=2, padding="same", name=f"down{level}")(x)
        x = convolutions(x, width, f"level{level}")  # 64x64x16 .. 8x8x64
        skips.append(x)
    for level, width in zip((3, 2, 1), WIDTHS[-2::-1], strict=True):
        x = layers.Conv2DTranspose(width, 2, strides=2, name=f"up{level}")(x)
        x = layers.Concatenate(name=f"both{level}")([x, skips[level - 1]])
        x = convolutions(x, width, f"again{level}")  # 16x16x48 .. 64x64x16
    found = layers.Conv2D(4, 3, padding="same", dtype="float32", name="found")(x)  # 64x64x4
    found = sub_pixels(found, "sub_pixels")  # 128x128x1
    answer = layers.Activation("sigmoid", dtype="float32", name="prediction")(found)
    return keras.Model(gray, answer, name="generator")


# ------------------------------------------------------------------------------ the training


def print_of(random, truth):
    """Make an old print of a picture, luminance float32 (H, W) in [0, 1].

    Returns the print without marks, the marks' Layer, and the print with them. All is more or less
    sharp: a scan has more pixels than its print has detail.
    """
    picture = truth
    if random.random() < RESEMBLING:
        for kind in random.choice(len(lookalikes.IN_SCENE), random.integers(1, 3)):
            picture = lookalikes.IN_SCENE[kind](random, picture)
    if random.random() < 0.4:
        picture = damage.fade(random, picture)
    if random.random() < 0.5:
        picture = damage.blur(random, picture, random.choice((1, 2)))
    if random.random() < 0.5:
        picture = damage.grain(random, picture, random.choice((1, 2)))
    if random.random() < 0.3:
        picture = random.choice(lookalikes.ON_PRINT)(random, picture)
    whole = np.clip(picture, 0, 1).astype(np.float32)
    layer = marks.Layer(truth.shape)
    if random.random() >= WHOLE:
        layer = marks.draw_marks(random, truth.shape)
    soft = random.uniform(0, 0.9)
    broken = layer.on(whole)
    if soft > 0.3:
        whole, broken, layer.cover = (
            cv2.GaussianBlur(each, (0, 0), soft) for each in (whole, broken, layer.cover)
        )
    return whole, layer, broken


def stored(random, picture) -> np.ndarray:
    """Scan a print and store it."""
    if random.random() < 0.4:
        picture = damage.sensor_noise(random, picture)
    if random.random() < 0.6:
        picture = damage.compress(random, picture)
    return damage.rounded(picture)


def cut(random, gray, side):
    """Cut a square of `side` pixels out of a gray picture uint8 (H, W), larger or smaller."""
    part = int(side / random.choice((1, 1, 1.5, 2.5)))
    top, left = (random.integers(0, length - part + 1) for length in gray.shape)
    square = gray[top : top + part, left : left + part]
    if part != side:
        square = cv2.resize(square, (side, side), interpolation=cv2.INTER_CUBIC)
    turns = random.integers(0, 4)
    return to_unit(np.rot90(square[:, :: random.choice((-1, 1))], turns).copy())


class Mend(System):
    """The network, how it learns, and the moving average of it that is kept."""

    Settings = MendSettings
    LOSSES = ("generator_loss",)
    working_size = None

    def __init__(self, settings, train_split):
        self.settings = settings
        self.generator, self.averaged = steps.built(settings, build_generator, settings.seed)
        if settings.start:
            load_layers(
                self.generator.layers,
                settings.start,
                "holds no network to start from; give --start the generator.keras that train.py "
                "--system mend wrote",
            )
            self.averaged.set_weights(self.generator.get_weights())
        optimizer = keras.optimizers.Adam(steps.cosine(settings, train_split.pictures))
        self.generator_optimizer = steps.ready(optimizer, self.generator, settings)

    def draw(self, random, gray, rgb):
        """Return a batch as the step takes it: what the network is given, the truth, and weights.

        All are float32 (B, crop, crop, 1).
        """
        squares = [cut(random, each, self.settings.crop) for each in gray[..., 0]]
        return self.pairs(random, squares)

    def test_pairs(self, gray, rgb):
        """Return test pictures, all broken alike in each epoch, and what is to be answered."""
        given, truth, _ = self.pairs(np.random.default_rng(TEST_SEED), list(to_unit(gray[..., 0])))
        return given, truth

    def pairs(self, random, pictures):
        """Break pictures, float32 (H, W); return them, the truth and how much each pixel counts.

        All are float32 (B, H, W, 1).
        """
        made = zip(*[pair(random, each) for each in pictures], strict=True)
        return tuple(np.stack(each).astype(np.float32)[..., None] for each in made)

    @tf.function
    def train_step(self, given, truth, counted):
        """Train on pictures and what is to be answered, each (B, H, W, 1)."""
        with tf.GradientTape() as tape:
            loss = found_loss(self.generator(given, training=True), truth, counted)
            steps.update(self, tape, loss)
        return {"generator_loss": loss}


def pair(random, picture):
    """Return a broken print, where it is broken, and which pixels count, each (H, W)."""
    whole, layer, broken = print_of(random, picture)
    change = np.abs(broken - whole)
    label = marks.labels(layer, change)
    counted = np.clip(change / FULL_CHANGE, LEAST_COUNTED, MOST_COUNTED)
    counted = np.where(label == 1, counted, np.where(label == 0, 1, 0))
    return stored(random, broken), label == 1, counted


def found_loss(answer, truth, counted):
    """Return the cross entropy where a pixel counts, and one minus the overlap (Dice) of marks."""
    answer = ops.clip(answer, 1e-5, 1 - 1e-5)
    entropy = -(truth * ops.log(answer) + (1 - truth) * ops.log(1 - answer))
    entropy = ops.sum(counted * entropy) / ops.sum(counted)
    seen = ops.minimum(counted, 1)
    overlap = 2 * ops.sum(seen * answer * truth) / (ops.sum(seen * (answer + truth)) + 1)
    return entropy + 0.2 * (1 - overlap)
