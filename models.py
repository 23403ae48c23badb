"""The networks of the paper: a U-Net generator and a discriminator of four convolutions.

    python models.py

prints both layer by layer, with parameters and GFLOP a picture. Every colorizer maps
(batch, height, width, 1) float32 grayscale in [0, 1] to (batch, height, width, 3) float32 RGB in
[0, 1], height and width multiples of 8.
"""

import sys

from training.cost import describe

import keras
import numpy as np
from keras import layers

SIZE = 120  # Paper: "120 X 120", the side of the pictures it trains on, in pixels.

# Paper: "three sets of convolutional layers". Widths: silent. Here: wide where the picture is
# small, because a layer at 120x120 costs 64 times what the same layer costs at 15x15.
ENCODER_WIDTHS = ((16, 32), (32, 64), (64, 160))
BOTTLENECK_WIDTH = 224
DECODER_WIDTHS = (64, 32, 16)
# Paper: "dilated convolutions to expand the receptive field". Rates: silent. Here: doubling
# towards the bottleneck, which then sees the whole picture, and none at full size, where edges are.
ENCODER_DILATIONS = (1, 2, 2)
BOTTLENECK_DILATIONS = (2, 4)
# Paper: "LeakyReLU". Slope: silent. Here: 0.2, as in DCGAN and pix2pix.
LEAKY_SLOPE = 0.2

# Paper: "4 convolutional 2d layers". Widths, kernels, strides: silent. Here: DCGAN's pattern.
DISCRIMINATOR_WIDTHS = (32, 64, 128, 128)


def encoder_set(x, widths, dilation, name):
    """Convolve at this resolution, then halve it; return both feature maps."""
    x = layers.Conv2D(
        widths[0],
        3,
        padding="same",
        dilation_rate=dilation,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    skip = layers.LeakyReLU(LEAKY_SLOPE, name=f"{name}_leaky")(x)
    x = layers.Conv2D(
        widths[1],
        3,
        strides=2,
        padding="same",
        kernel_initializer="he_normal",
        name=f"{name}_halve",
    )(skip)
    return skip, layers.LeakyReLU(LEAKY_SLOPE, name=f"{name}_halve_leaky")(x)


def decoder_set(x, skips, width, name):
    """Double the resolution with a transposed convolution, then concatenate the skips."""
    # A kernel of 4 covers every output pixel with the same 2x2 input pixels; 3 would cover them
    # unevenly, which is where the checkerboard of transposed convolutions comes from.
    x = layers.Conv2DTranspose(
        width,
        4,
        strides=2,
        padding="same",
        kernel_initializer="he_normal",
        name=f"{name}_double",
    )(x)
    x = layers.ReLU(name=f"{name}_relu")(x)
    return layers.Concatenate(name=f"{name}_skip")([x, *skips]) if skips else x


def unet(gray, dilations=True, skips=True):
    """Apply the paper's generator but for its last layer to `gray`, (B, H, W, 1) in [0, 1].

    Returns a feature map (B, H, W, 33), whose last channel is `gray` itself; (B, H, W, 16) without
    skips. H and W are multiples of 8.
    """
    rates = ENCODER_DILATIONS if dilations else (1, 1, 1)
    skip1, x = encoder_set(gray, ENCODER_WIDTHS[0], rates[0], "set1")  # 120x120x16, 60x60x32
    skip2, x = encoder_set(x, ENCODER_WIDTHS[1], rates[1], "set2")  # 60x60x32, 30x30x64
    skip3, x = encoder_set(x, ENCODER_WIDTHS[2], rates[2], "set3")  # 30x30x64, 15x15x160
    for number, rate in enumerate(BOTTLENECK_DILATIONS, start=1):
        x = layers.Conv2D(
            BOTTLENECK_WIDTH,
            3,
            padding="same",
            dilation_rate=rate if dilations else 1,
            kernel_initializer="he_normal",
            name=f"bottleneck{number}_conv",
        )(x)
        x = layers.LeakyReLU(LEAKY_SLOPE, name=f"bottleneck{number}_leaky")(x)  # 15x15x224
    # The picture itself is the outermost skip: luminance has to be copied, not remembered.
    kept = ([skip3], [skip2], [skip1, gray]) if skips else ([], [], [])
    x = decoder_set(x, kept[0], DECODER_WIDTHS[0], "up3")  # 30x30x(64+64)
    x = decoder_set(x, kept[1], DECODER_WIDTHS[1], "up2")  # 60x60x(32+32)
    return decoder_set(x, kept[2], DECODER_WIDTHS[2], "up1")  # 120x120x(16+16+1)


def build_generator(dilations=True, skips=True, seed=0):
    """Build the paper's generator, a U-Net that paints a grayscale picture.

    Maps (B, H, W, 1) float32 in [0, 1] to (B, H, W, 3) float32 RGB in [0, 1]; H and W are
    multiples of 8. `dilations=False` and `skips=False` leave out that ingredient of the paper,
    to measure what it does. The weights start from `seed`, and the picture that they paint first
    is the gray one.

    Source: the paper, "Generator"; the U-Net of Ronneberger et al. 2015 for what it leaves open.
    """
    keras.utils.set_random_seed(seed)
    gray = layers.Input((None, None, 1), name="grayscale")  # 120x120x1
    x = unet(gray, dilations, skips)  # 120x120x33
    # Paper: the output's activation is not named. Here: a straight line from 0 to 1 with flat
    # ends, because it can pass the gray picture on unchanged and a sigmoid cannot.
    rgb = layers.Conv2DTranspose(
        3, 3, padding="same", activation="hard_sigmoid", dtype="float32", name="rgb"
    )(x)  # 120x120x3
    generator = keras.Model(gray, rgb, name="generator")
    start_smooth(generator)
    if skips:
        start_gray(generator.get_layer("rgb"))
    return generator


def start_smooth(generator) -> None:
    """Give every doubling layer a bilinear kernel, so that no checkerboard is there to unlearn.

    Each 4x4 kernel becomes one random number times the 4x4 bilinear kernel.
    Source: the initial form of Odena et al. 2016, "Deconvolution and Checkerboard Artifacts".
    """
    ramp = np.array([0.25, 0.75, 0.75, 0.25], "float32")
    for layer in generator.layers:
        if isinstance(layer, layers.Conv2DTranspose) and layer.strides == (2, 2):
            kernel, *rest = layer.get_weights()  # (4, 4, out, in)
            # One number for 16 taps: 2 x 2 taps of 0.25 to 0.75 meet in each pixel, and sum to 1.
            mixing = kernel[1, 1] / kernel[1, 1].std() * np.sqrt(2 / kernel.shape[3])
            layer.set_weights([np.outer(ramp, ramp)[:, :, None, None] * mixing, *rest])


def start_gray(layer) -> None:
    """Let the last layer paint the gray picture it is given, plus a little of everything else."""
    kernel, bias = layer.get_weights()  # (3, 3, rgb, in), the gray picture is the last input
    kernel *= 0.1
    kernel[:, :, :, -1] = 0
    kernel[1, 1, :, -1] = 6  # hard_sigmoid(x) = x / 6 + 1 / 2
    layer.set_weights([kernel, bias - 3])


def build_discriminator(channels=3, seed=0, slope=0):
    """Build the paper's discriminator, which tells photographs from generated pictures.

    Maps (B, H, W, 3) float32 RGB in [0, 1] to (B, 1) float32, the probability that the picture is
    a photograph. With more `channels` it sees more of a picture than its RGB; with a `slope` its
    ReLUs are leaky.

    Source: the paper, "4 convolutional 2d layers with relu activation", on RGB pictures alone.
    """
    keras.utils.set_random_seed(seed + 1)
    picture = layers.Input((None, None, channels), name="picture")  # 120x120x3
    x = layers.Rescaling(2, -1, name="centre")(picture)
    for number, width in enumerate(DISCRIMINATOR_WIDTHS, start=1):
        x = layers.Conv2D(
            width,
            4,
            strides=2,
            padding="same",
            kernel_initializer="he_normal",
            name=f"conv{number}",
        )(x)
        # 60x60x32, 30x30x64, 15x15x128, 8x8x128
        x = layers.ReLU(negative_slope=slope, name=f"relu{number}")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)  # 128
    probability = layers.Dense(1, activation="sigmoid", dtype="float32", name="probability")(x)
    return keras.Model(picture, probability, name="discriminator")


def main() -> int:
    """Print both networks."""
    for model in (build_generator(), build_discriminator()):
        print(describe(model, SIZE), end="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
