"""EfficientNet-Lite, an encoder that has learned to recognise things, in weights/."""

import math
from pathlib import Path

from training.layers import load_layers

import keras
from keras import layers

ENCODER = Path(__file__).resolve().parent.parent / "weights" / "efficientnet_lite0.keras"

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
TOTAL_STRIDE = 32  # it halves its picture five times


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


def load_encoder(generator) -> None:
    """Give the encoder inside `generator` its trained weights, those of ENCODER.

    Raises UserError when the file is missing or holds another network.
    """
    load_layers(
        encoder_layers(generator),
        ENCODER,
        f"does not hold the encoder; restore it with: git checkout -- weights/{ENCODER.name}",
    )


def build_encoder():
    """Build the trained encoder alone, frozen: RGB (B, H, W, 3) in [0, 1] to five feature maps."""
    rgb = layers.Input((None, None, 3))
    encoder = keras.Model(rgb, efficientnet_lite(rgb), name="encoder")
    load_encoder(encoder)
    encoder.trainable = False
    return encoder


def encoder_layers(generator) -> list:
    """Return the layers of the encoder inside a generator."""
    return [layer for layer in generator.layers if layer.name.startswith("encoder_")]


def freeze(generator, stages) -> None:
    """Keep the stem and the first `stages` stages of the encoder as they are."""
    first = ("encoder_stem", *(f"encoder_stage{number + 1}_" for number in range(stages)))
    for layer in encoder_layers(generator):
        layer.trainable = not layer.name.startswith(first)
