"""A generator that recognises what it sees: EfficientNet-Lite0 under a light U-Net decoder.

It keeps the luminance of the picture and predicts Lab chroma (a, b), either directly or as a
distribution over bins of it.
"""

import dataclasses

from colorizer.errors import UserError
from colorizer.pixels import to_unit
from pictures import dataset
from training import colour, losses, steps
from training.efficientnet import (
    ENCODER,
    STAGES,
    TOTAL_STRIDE,
    efficientnet_lite,
    freeze,
    load_encoder,
)
from training.layers import crop, enlarge, pad
from training.settings import Settings

import keras
import tensorflow as tf
from keras import layers

HEADS = ("regress", "classify")

# Edges and textures look the same in gray: the first two stages stay, and a step is 15% faster.
FROZEN_STAGES = 2

# Widths of the decoder at 1/16, 1/8, 1/4 and 1/2 of the picture's sides.
DECODER_WIDTHS = (128, 96, 64, 32)
# The encoder's features have a deviation of about 6, layers start best with 1.
FEATURE_SCALE = 1 / 6
# The last layer starts small, so that the first pictures are nearly gray, and its output is scaled
# to Lab's chroma by this, so that it moves as fast as other layers do.
FIRST_DEVIATION = 0.001
CHROMA_SCALE = 110
# A mean of likely colours is paler than any of them: chroma is painted this much stronger than it
# is predicted, so that pictures become nearly as colourful as photographs are.
VIVIDNESS = 1.15


@dataclasses.dataclass(frozen=True, kw_only=True)
class SemanticSettings(Settings):
    """How the semantic generator is trained; the trials that chose this are in docs/results.md."""

    epochs: int = 4
    batch_size: int = 32
    learning_rate: float = 1e-3
    output: str = "outputs/semantic"
    least_colourfulness: float = 8
    head: str = "regress"
    rarity_exponent: float = 0.5
    train_encoder: bool = True
    # An encoder that is trained already is only adapted: at the decoder's rate it forgets the
    # classes that it is not shown again.
    encoder_rate: float = 0.03
    decay: bool = True
    flips: bool = True
    crop: int | None = 128


# --------------------------------------------------------------------------------- the generator


def decoder_stage(x, skip, width, name):
    """Double the resolution, concatenate the encoder's features, convolve."""
    # Enlarged before it is convolved, so that no checkerboard can arise.
    x = layers.UpSampling2D(2, name=f"{name}_double")(x)
    x = layers.Concatenate(name=f"{name}_skip")([x, skip])
    x = layers.Conv2D(
        width, 3, padding="same", kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def predict_chroma(features, head):
    """Decode the encoder's features into chroma (B, H, W, 2), by way of the layer "prediction"."""
    # 64x64x16, 32x32x24, 16x16x40, 8x8x112, 4x4x320
    half, quarter, eighth, sixteenth, x = (
        layers.Rescaling(FEATURE_SCALE, name=f"features{number}")(feature)
        for number, feature in enumerate(features, start=1)
    )
    x = decoder_stage(x, sixteenth, DECODER_WIDTHS[0], "up4")  # 8x8x128
    x = decoder_stage(x, eighth, DECODER_WIDTHS[1], "up3")  # 16x16x96
    x = decoder_stage(x, quarter, DECODER_WIDTHS[2], "up2")  # 32x32x64
    if head == "classify":
        bins = layers.Conv2D(len(colour.bins()), 1, dtype="float32", name="prediction")(x)
        chroma, enlargement = colour.annealed_mean(bins), 4  # 32x32x261, 32x32x2
    else:
        x = decoder_stage(x, half, DECODER_WIDTHS[3], "up1")  # 64x64x32
        start = keras.initializers.RandomNormal(stddev=FIRST_DEVIATION)
        chroma = layers.Conv2D(
            2, 3, padding="same", kernel_initializer=start, dtype="float32", name="chroma"
        )(x)
        chroma = layers.Rescaling(CHROMA_SCALE, dtype="float32", name="prediction")(chroma)
        chroma = layers.Rescaling(VIVIDNESS, dtype="float32", name="vivid")(chroma)
        enlargement = 2  # 64x64x2
    return enlarge(chroma, enlargement, "chroma_full", dtype="float32")


def build_semantic_generator(head="regress", encoder=ENCODER, train_encoder=True, seed=0):
    """Build the generator that paints what it recognises, at the picture's own luminance.

    Maps (B, H, W, 1) float32 in [0, 1] to (B, H, W, 3) float32 RGB in [0, 1]; H and W are
    multiples of 8, from 32 up. Its layer "prediction" gives what a loss is about, where H and W are
    multiples of 32: with `head="regress"` chroma (B, H/2, W/2, 2) in Lab's units, with
    `head="classify"` logits over the bins of `colour.bins`, (B, H/4, W/4, 261), a quarter as in
    Zhang et al. 2016; float32. `encoder` is the file of the encoder's weights, None for random
    ones; `train_encoder=False` freezes all of it. The other weights start from `seed`.
    Raises UserError when the encoder cannot be loaded.
    """
    if head not in HEADS:
        raise UserError(f"there is no head {head!r}; give one of {', '.join(HEADS)}")
    keras.utils.set_random_seed(seed)
    gray = layers.Input((None, None, 1), name="grayscale")  # 128x128x1
    rgb = layers.Concatenate(name="gray_as_rgb")(
        [pad(pad(gray, 1, TOTAL_STRIDE), 2, TOTAL_STRIDE)] * 3
    )  # 128x128x3
    chroma = predict_chroma(efficientnet_lite(rgb), head)  # 128x128x2
    painted = colour.srgb_from_lab(colour.lightness_from_gray(gray), crop(chroma, gray))
    generator = keras.Model(gray, painted, name="generator")  # 128x128x3
    if encoder is not None:
        load_encoder(generator, encoder)
    freeze(generator, FROZEN_STAGES if train_encoder else len(STAGES))
    return generator


# --------------------------------------------------------------------------------- the training


class TwoRates(keras.optimizers.Adam):
    """Adam with `encoder_rate` times its learning rate for the layers of a trained encoder."""

    def __init__(self, *given, encoder_rate, **more):
        super().__init__(*given, **more)
        self.encoder_rate = encoder_rate

    def build(self, variables):
        super().build(variables)
        self.adapted = [variable.path.startswith("encoder_") for variable in variables]

    def update_step(self, gradient, variable, learning_rate):
        if self.adapted[self._get_variable_index(variable)]:
            learning_rate = learning_rate * self.encoder_rate
        super().update_step(gradient, variable, learning_rate)


class Semantic:
    """The semantic generator, trained by the smooth L1 of chroma, rare colours counting more."""

    Settings = SemanticSettings
    LOSSES = ("generator_loss",)

    def __init__(self, settings, train_split):
        self.settings = settings
        self.rarity = steps.rarity_of_bins(train_split, settings.rarity_exponent)
        self.loss = losses.smooth_l1 if settings.head == "regress" else losses.bins_cross_entropy
        options = {
            "head": settings.head,
            "train_encoder": settings.train_encoder,
            "seed": settings.seed,
        }
        with steps.precision(settings.precision):
            self.generator = build_semantic_generator(**options)
        self.averaged = build_semantic_generator(**options)
        self.averaged.set_weights(self.generator.get_weights())
        self.predictor = steps.predictor(self.generator)
        rate = settings.learning_rate
        if settings.decay:
            rate = steps.cosine(settings, train_split.pictures)
        optimizer = TwoRates(rate, encoder_rate=settings.encoder_rate)
        self.generator_optimizer = steps.ready(optimizer, self.generator, settings)

    def draw(self, random, gray, rgb):
        """Return a batch as the step takes it: mirrored by chance, a part cut out by chance."""
        crop = self.settings.crop
        gray, rgb = dataset.flip_and_crop(random, gray, rgb, self.settings.flips, crop)
        return to_unit(gray), to_unit(rgb)

    @tf.function
    def train_step(self, grayscale, ground_truth):
        """Train on grayscale (B, H, W, 1) and ground truth (B, H, W, 3), float32 in [0, 1]."""
        with tf.GradientTape() as tape:
            prediction = self.predictor(grayscale, training=True)
            truth = losses.true_chroma(ground_truth, prediction)
            loss = self.loss(prediction, truth, self.rarity)
            objective = steps.objective(loss, self.generator_optimizer)
        weights = self.generator.trainable_variables
        self.generator_optimizer.apply(tape.gradient(objective, weights), weights)
        steps.update_average(self.averaged, self.generator, self.generator_optimizer)
        return {"generator_loss": loss}
