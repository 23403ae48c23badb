"""A network that makes luminance larger and cleaner: small convolutions, sub-pixels at the end.

It computes at the size of the small picture, and adds what it finds to the bicubic picture. With
`scale` 1 it restores a picture at its own size, at half of which it computes.
"""

import dataclasses

from colorizer.pixels import to_unit
from pictures import damage, dataset
from training import steps
from training.settings import Settings
from training.system import System

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

WIDTH = 32
BLOCKS = 5
# At half the size again, where damage is told from texture: after so many of the blocks.
WIDE_WIDTH = 48
WIDE_BLOCKS = 4
WIDE_AFTER = 3
# The charbonnier loss is rounded off below this difference.
ROUNDING = 1e-3
# Root mean square below which damage is mild: it does not count more the milder it is.
MILD = 4 / 255
# The share of pictures that nothing happened to, so that it learns to leave those alone.
UNDAMAGED = 0.15
# Pictures of a test that are damaged differently at each place, and in each epoch alike.
TEST_SEED = 19


@dataclasses.dataclass(frozen=True, kw_only=True)
class EnlargeSettings(Settings):
    """How it is trained; docs/results.md has what comes out."""

    epochs: int = 40
    batch_size: int = 16
    learning_rate: float = 1e-3
    output: str = "outputs/enlarge"
    scale: int = 2
    damage: str = "photo"
    # Pixels a side of what a step sees of a picture, after enlarging.
    crop: int = 96
    # The last share of the steps, in which mild damage counts as much as heavy does. From the start
    # that teaches to leave everything as it is.
    mild_share: float = 0.3

    def parts(self) -> tuple:
        return (self.crop,)


# ------------------------------------------------------------------------------- the network


def sub_pixels(x, name):
    """Make (B, 2 H, 2 W, 1) of (B, H, W, 4): each vector becomes a square of 2 x 2 pixels.

    This is tf.nn.depth_to_space, written as a convolution whose kernel is fixed, which every
    release of Keras saves and exports.
    """
    spread = layers.Conv2DTranspose(
        1, 2, strides=2, use_bias=False, trainable=False, dtype="float32", name=name
    )
    enlarged = spread(x)
    spread.kernel.assign(np.eye(4, dtype=np.float32).reshape(2, 2, 1, 4))
    return enlarged


def bicubic_phases(gray):
    """Enlarge (B, H, W, 1) twice by bicubic interpolation: the four sub-pixels, (B, H, W, 4)."""
    # A new pixel lies a quarter of a pixel before the middle of an old one, or behind it.
    taps = np.stack([damage.cubic(np.arange(-2, 3) - offset) for offset in (-0.25, 0.25)], axis=1)
    kernel = np.einsum("ip,jq->ijpq", taps, taps).reshape(5, 5, 1, 4)
    interpolate = layers.Conv2D(
        4, 5, use_bias=False, trainable=False, dtype="float32", name="bicubic"
    )
    padded = ops.pad(gray, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="symmetric")
    phases = interpolate(padded)
    interpolate.kernel.assign(kernel.astype(np.float32))
    return phases


def block(x, width, name):
    """Add what two convolutions find in (B, H, W, width) to it."""
    inner = layers.Conv2D(width, 3, padding="same", activation="relu", name=f"{name}_conv1")(x)
    inner = layers.Conv2D(width, 3, padding="same", name=f"{name}_conv2")(inner)
    return layers.Add(name=name)([x, inner])


def wide_view(x):
    """Add to (B, H, W, WIDTH) what blocks at half its size find, which see twice as far.

    Source: DRUNet, Zhang et al. 2021, of which this is one of three levels.
    """
    wide = layers.Conv2D(WIDE_WIDTH, 2, strides=2, name="wide_down")(x)
    for number in range(1, WIDE_BLOCKS + 1):
        wide = block(wide, WIDE_WIDTH, f"wide_block{number}")
    wide = layers.Conv2DTranspose(WIDTH, 2, strides=2, name="wide_up")(wide)
    return layers.Add(name="wide")([x, wide])


def build_generator(scale=2, seed=0, wide=True):
    """Build the network that enlarges luminance.

    Maps (B, H, W, 1) float32 in [0, 1] to (B, scale H, scale W, 1) float32, of which a little may
    lie outside [0, 1]; `scale` is 1 or 2. H and W are multiples of 2 / scale, and of twice that
    where it has a `wide` view.

    Source: residual blocks without normalisation, Lim et al. 2017 (EDSR); sub-pixels, Shi et al.
    2016 (ESPCN); at scale 1 the same at half the size, as Real-ESRGAN does it.
    """
    keras.utils.set_random_seed(seed)
    gray = layers.Input((None, None, 1), name="grayscale")  # 48x48x1
    first = {"kernel_size": 3} if scale == 2 else {"kernel_size": 4, "strides": 2}
    x = first_features = layers.Conv2D(WIDTH, padding="same", name="first", **first)(gray)
    for number in range(1, BLOCKS + 1):
        x = block(x, WIDTH, f"block{number}")
        if wide and number == WIDE_AFTER:
            x = wide_view(x)  # 48x48x32, its blocks 24x24x48
    x = layers.Add(name="features")([x, first_features])  # 48x48x32
    start = keras.initializers.RandomNormal(stddev=1e-3)
    found = layers.Conv2D(
        4, 3, padding="same", kernel_initializer=start, dtype="float32", name="found"
    )(x)  # 48x48x4
    if scale == 2:
        enlarged = sub_pixels(found + bicubic_phases(gray), "prediction")  # 96x96x1
    else:
        enlarged = sub_pixels(found, "sub_pixels") + gray
    return keras.Model(gray, enlarged, name="generator")


# ------------------------------------------------------------------------------ the training


def charbonnier(enlarged, truth):
    """Return the mean absolute difference of pictures, rounded off near zero. Source: Lai 2017."""
    return ops.mean(ops.sqrt(ops.square(enlarged - truth) + ROUNDING**2))


def share_left(enlarged, truth, amiss):
    """Return how much of what was amiss with pictures (B, H, W, 1) is left, the mean over them.

    The root mean square error of each, over what it was before, `amiss` (B,), so that mild damage
    counts as heavy does, and what was fine is worth leaving.
    """
    squared = ops.mean(ops.square(enlarged - truth), axis=(1, 2, 3))
    return ops.mean(ops.sqrt(squared + ROUNDING**2) / (amiss + MILD))


class Enlarge(System):
    """The network, how it learns, and the moving average of it that is kept."""

    Settings = EnlargeSettings
    LOSSES = ("generator_loss",)
    working_size = None

    def __init__(self, settings, train_split):
        self.settings = settings
        # Shrinking alone is undone from what is near.
        parts = settings.scale, settings.seed, settings.damage != "clean"
        self.generator, self.averaged = steps.built(settings, build_generator, *parts)
        all_steps = steps.count(settings, train_split.pictures)
        share = 0 if settings.damage == "clean" else settings.mild_share
        self.first_mild = round((1 - share) * all_steps)
        optimizer = keras.optimizers.Adam(steps.cosine(settings, train_split.pictures))
        self.generator_optimizer = steps.ready(optimizer, self.generator, settings)

    def draw(self, random, gray, rgb):
        """Return a batch as the step takes it: small pictures, the truth, and how far it is away.

        That is the root mean square error of bicubic interpolation, (B,) float32.
        """
        gray, _ = dataset.flip_and_crop(random, gray, gray, self.settings.crop)
        turned = random.random(len(gray)) < 0.5
        gray = np.where(turned[:, None, None, None], gray.swapaxes(1, 2), gray)
        small, truth = self.pairs(random, gray, UNDAMAGED)
        sides = truth.shape[1:3]
        before = [damage.resize_bicubic(each, *sides) for each in small[..., 0]]
        squared = np.square(np.stack(before) - truth[..., 0])
        return small, truth, np.sqrt(squared.mean(axis=(1, 2)))

    def test_pairs(self, gray, rgb):
        """Return test pictures, all damaged where damage is learned, and what they ought to be."""
        return self.pairs(np.random.default_rng(TEST_SEED), gray, 0)

    def pairs(self, random, gray, undamaged):
        """Damage gray pictures uint8 (B, H, W, 1), but for a share of them that is only shrunk.

        Returns pictures (B, H / scale, W / scale, 1) and (B, H, W, 1), float32 in [0, 1].
        """
        scale, pairs = self.settings.scale, []
        for truth in to_unit(gray[..., 0]):
            if self.settings.damage == "clean" or random.random() < undamaged:
                pairs.append((damage.clean(truth, scale), truth))
            else:
                pairs.append(damage.damage(random, truth, scale))
        small, truths = zip(*pairs, strict=True)
        return np.stack(small)[..., None], np.stack(truths)[..., None]

    @tf.function
    def train_step(self, small, truth, amiss):
        """Train on pictures (B, H, W, 1) and what they ought to become (B, scale H, scale W, 1).

        Both are float32 in [0, 1]; `amiss` (B,), how far apart they are before.
        """
        with tf.GradientTape() as tape:
            enlarged = self.generator(small, training=True)
            loss = ops.where(
                self.generator_optimizer.iterations < self.first_mild,
                charbonnier(enlarged, truth),
                share_left(enlarged, truth, amiss),
            )
            steps.update(self, tape, loss)
        return {"generator_loss": loss}
