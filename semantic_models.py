"""A generator that recognises what it sees: EfficientNet-Lite0 under a light U-Net decoder.

It keeps the luminance of the picture and predicts Lab chroma (a, b), either directly or as a
distribution over bins of it. Trained with the losses at the end of this file.
"""

import math
import zipfile
from pathlib import Path

import models
from colorizer.errors import UserError
from training import colour

import keras
from keras import layers, ops

ENCODER = Path(__file__).parent / "weights" / "efficientnet_lite0.keras"
HEADS = ("regress", "classify")

# EfficientNet-Lite's stages: blocks, kernel, stride, expansion, width. Source: Tan & Le 2019,
# table 1, and the Lite variant: ReLU6, no squeeze-and-excitation, first and last stage not scaled.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_WIDTH = 32
# Edges and textures look the same in gray: the first two stages stay, and a step is 15% faster.
FROZEN_STAGES = 2
TOTAL_STRIDE = 32  # the encoder halves its picture five times

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
# Differences of chroma below this count by their square, those above by their size. Silent in
# Zhang et al. 2017, who use a smooth L1. Here: about four just noticeable differences.
SMOOTH_L1_WIDTH = 10


# --------------------------------------------------------------------------------- the encoder


def scaled_width(width, factor) -> int:
    """Return `width` times `factor`, rounded to a multiple of 8 that is not over 10% less.

    Source: Tan & Le 2019, in their published code.
    """
    scaled = max(8, int(width * factor + 4) // 8 * 8)
    return scaled + 8 if scaled < 0.9 * width * factor else scaled


def convolution(x, width, kernel, stride=1, name=None):
    """Convolve, then ReLU6."""
    x = layers.Conv2D(width, kernel, strides=stride, padding="same", name=f"{name}_conv")(x)
    return layers.ReLU(6, name=f"{name}_relu")(x)


def inverted_bottleneck(x, width, kernel, stride, expansion, name):
    """Widen by `expansion`, convolve each channel by itself, narrow to `width`; add what came in.

    Source: Sandler et al. 2018, MobileNetV2.
    """
    before = x
    if expansion > 1:
        x = convolution(x, expansion * x.shape[-1], 1, name=f"{name}_expand")
    x = layers.DepthwiseConv2D(kernel, strides=stride, padding="same", name=f"{name}_depthwise")(x)
    x = layers.ReLU(6, name=f"{name}_depthwise_relu")(x)
    x = layers.Conv2D(width, 1, name=f"{name}_project")(x)
    if stride == 1 and width == before.shape[-1]:
        x = layers.Add(name=f"{name}_add")([before, x])
    return x


def efficientnet_lite(rgb, width_factor=1.0, depth_factor=1.0):
    """Apply EfficientNet-Lite up to its last stage; factors of 1 make it Lite0.

    `rgb` is (B, H, W, 3) in [0, 1]. Returns five feature maps, at 1/2, 1/4, 1/8, 1/16 and 1/32 of
    the picture's sides: 16, 24, 40, 112 and 320 wide in Lite0.

    There is no batch normalization: its statistics, measured on ImageNet in colour, are folded
    into the convolutions. So training and use compute the same, a moving average of the weights
    is complete, and a step is faster.
    """
    x = layers.Rescaling(255 / 128, -127 / 128, name="encoder_centre")(rgb)
    x = convolution(x, STEM_WIDTH, 3, stride=2, name="encoder_stem")
    features = []
    for number, (blocks, kernel, stride, expansion, width) in enumerate(STAGES, start=1):
        if stride == 2:
            features.append(x)
        if 1 < number < len(STAGES):
            blocks = math.ceil(blocks * depth_factor)
        for block in range(1, blocks + 1):
            name = f"encoder_stage{number}_block{block}"
            x = inverted_bottleneck(
                x,
                scaled_width(width, width_factor),
                kernel,
                stride if block == 1 else 1,
                expansion,
                name,
            )
    return [*features, x]


def load_encoder(generator, path) -> None:
    """Give the encoder inside `generator` the weights of the `.keras` file at `path`.

    Raises UserError when the file is missing or holds another network.
    """
    try:
        encoder = keras.saving.load_model(path, compile=False, safe_mode=True)
        for layer in encoder_layers(generator):
            layer.set_weights(encoder.get_layer(layer.name).get_weights())
    except (OSError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} does not hold the encoder ({type(error).__name__}); restore it with: "
            f"git checkout -- weights/{ENCODER.name}"
        ) from error


def encoder_layers(generator) -> list:
    """Return the layers of the encoder inside a generator."""
    return [layer for layer in generator.layers if layer.name.startswith("encoder_")]


def freeze(generator, stages) -> None:
    """Keep the stem and the first `stages` stages of the encoder as they are."""
    first = ("encoder_stem", *(f"encoder_stage{number + 1}_" for number in range(stages)))
    for layer in encoder_layers(generator):
        layer.trainable = not layer.name.startswith(first)


# --------------------------------------------------------------------------------- the generator


def positions(tensor, axis):
    """Return 0, 1, 2 ... for each row (axis 1) or column (axis 2) of (B, H, W, C): int32 (H or W,).

    Computed from the tensor itself, because the size is not known when the model is built.
    """
    others = tuple(other for other in range(4) if other != axis)
    return ops.cumsum(ops.cast(ops.ones_like(ops.mean(tensor, axis=others)), "int32")) - 1


def pad(x, axis):
    """Pad rows (axis 1) or columns (axis 2) to a multiple of 32 by reflection at the far end."""
    inside = positions(x, axis)
    ones = ops.reshape(ops.cast(ops.ones_like(inside), "float32"), (1, -1, 1))
    blocks = layers.MaxPooling1D(TOTAL_STRIDE, padding="same", name=f"pad{axis}_blocks")(ones)
    blocks = layers.UpSampling1D(TOTAL_STRIDE, name=f"pad{axis}_length")(blocks)
    wanted = ops.cumsum(ops.cast(ops.reshape(blocks, (-1,)), "int32")) - 1
    last = ops.max(inside)
    return ops.take(x, ops.where(wanted > last, 2 * last + 1 - wanted, wanted), axis=axis)


def crop(x, like):
    """Cut `x` to as many rows and columns as `like` has."""
    for axis in (1, 2):
        x = ops.take(x, positions(like, axis), axis=axis)
    return x


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
    return models.enlarge(chroma, enlargement, "chroma_full", dtype="float32")


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
    rgb = layers.Concatenate(name="gray_as_rgb")([pad(pad(gray, 1), 2)] * 3)  # 128x128x3
    chroma = predict_chroma(efficientnet_lite(rgb), head)  # 128x128x2
    painted = colour.srgb_from_lab(colour.lightness_from_gray(gray), crop(chroma, gray))
    generator = keras.Model(gray, painted, name="generator")  # 128x128x3
    if encoder is not None:
        load_encoder(generator, encoder)
    freeze(generator, FROZEN_STAGES if train_encoder else len(STAGES))
    return generator


# ------------------------------------------------------------------------------------ the losses


def true_chroma(ground_truth, prediction):
    """Return the chroma of RGB (B, H, W, 3) in [0, 1], shrunk to the size of a prediction."""
    shrink = ground_truth.shape[1] // prediction.shape[1]
    shrunk = ops.average_pool(ground_truth, shrink, strides=shrink)
    return colour.lab_from_srgb(shrunk)[..., 1:]


def smooth_l1(chroma, ground_truth, rarity):
    """Return the smooth L1 difference of predicted chroma (B, h, w, 2) from RGB (B, H, W, 3).

    `rarity` is how much each bin's pixels count, as from `colour.rarity_weights`. In Lab's units.
    Source: Girshick 2015; for colour, Zhang et al. 2017.
    """
    truth = true_chroma(ground_truth, chroma)
    distance = ops.abs(chroma - truth)
    small = ops.minimum(distance, SMOOTH_L1_WIDTH)
    # The square up to the width, and the straight line that continues it.
    loss = small**2 / (2 * SMOOTH_L1_WIDTH) + distance - small
    weights = ops.take(rarity, colour.nearest_bin(truth), axis=0)
    return ops.mean(weights * ops.mean(loss, axis=-1))


def bins_cross_entropy(logits, ground_truth, rarity):
    """Return the cross-entropy (nats) of logits over bins (B, h, w, 261) against RGB (B, H, W, 3).

    `rarity` as in `smooth_l1`. Source: Zhang et al. 2016, equation 2.
    """
    truth = true_chroma(ground_truth, logits)
    found, shares = colour.soft_encode(truth)
    log_probabilities = ops.take_along_axis(ops.log_softmax(logits, axis=-1), found, axis=-1)
    weights = ops.take(rarity, colour.nearest_bin(truth), axis=0)
    return -ops.mean(weights * ops.sum(shares * log_probabilities, axis=-1))
