"""The systems that the paper measures itself against, as far as their sources describe them.

    python reference_models.py

prints the size of each. Where a source is silent, Keras' default stands, or the choice is declared
where it is made. All keep the luminance of the picture and predict its chroma; the layer named
"prediction" gives what the losses below are about.
"""

import sys

import models
import semantic_models
from colorizer.errors import UserError
from training import colour

import keras
from keras import layers, ops

# Lab's chroma is predicted in this unit, because sRGB's ends at -107.9 and 98.3.
CHROMA_SCALE = 110

# ------------------------------------------------------------------------------------ regression

# The first pictures are nearly gray.
FIRST_DEVIATION = 0.001


def build_regression_generator(seed=0):
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


def chroma_error(chroma, ground_truth, rarity=None):
    """Return the mean absolute difference, in Lab's units, of chroma from RGB (B, H, W, 3).

    `chroma` is (B, H, W, 2). `rarity` is not used: every pixel counts the same.
    """
    return ops.mean(ops.abs(chroma - semantic_models.true_chroma(ground_truth, chroma)))


# -------------------------------------------------------------------------------- classification

# Qiu et al.: "a U-Net-like network" over the 313 bins of Zhang et al.; its layers: not found. Here:
# the blocks of Zhang et al. 2016 with a quarter of their widths, because two cores have to train
# it, and one skip, which makes it U-Net-like. Width, convolutions, stride, dilation of each block.
CLASSIFICATION_BLOCKS = (
    (16, 2, 2, 1),
    (32, 2, 2, 1),
    (64, 3, 2, 1),
    (128, 3, 1, 1),
    (128, 3, 1, 2),
    (128, 3, 1, 2),
    (128, 3, 1, 1),
)
SKIPPING_BLOCK = 3  # the last at a quarter of the picture's sides, where the bins are predicted
CLASSIFICATION_DECODER_WIDTH = 64
CLASSIFICATION_DECODER_CONVOLUTIONS = 2
# Zhang et al. 2016: Adam, 3e-5, betas 0.9 and 0.99. Here: 1e-3, because a rate that suits 1.3
# million pictures would leave a few thousand of them unlearned, and the network is narrow.
CLASSIFICATION_LEARNING_RATE = 1e-3
CLASSIFICATION_BETAS = (0.9, 0.99)


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
    return before, layers.BatchNormalization(name=f"{name}_normalize")(x)


def build_classification_generator(seed=0):
    """Build the network that predicts a distribution over bins of chroma.

    Maps (B, H, W, 1) float32 in [0, 1] to (B, H, W, 3) float32 RGB in [0, 1]; H and W are
    multiples of 8. "prediction" is logits (B, H/4, W/4, 261) over `colour.bins`, to be trained by
    `semantic_models.bins_cross_entropy`; the picture is painted with their annealed mean.

    Source: Qiu et al., "313 a/b bins"; Zhang et al. 2016. `colour.bins` says why they are 261.
    """
    keras.utils.set_random_seed(seed)
    gray = layers.Input((None, None, 1), name="grayscale")  # 120x120x1
    lightness = colour.lightness_from_gray(gray)
    x = layers.Rescaling(1 / 50, -1, name="centre")(lightness)
    # 60x60x16, 30x30x32, 15x15x64, then 15x15x128
    for number, shape in enumerate(CLASSIFICATION_BLOCKS, start=1):
        before, x = block(x, *shape, name=f"block{number}")
        if number == SKIPPING_BLOCK:
            skip = before  # 30x30x64
    x = models.decoder_set(x, [skip], CLASSIFICATION_DECODER_WIDTH, "up")  # 30x30x(64+64)
    for number in range(1, CLASSIFICATION_DECODER_CONVOLUTIONS + 1):
        x = layers.Conv2D(
            CLASSIFICATION_DECODER_WIDTH,
            3,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"up_conv{number}",
        )(x)
    logits = layers.Conv2D(len(colour.bins()), 1, dtype="float32", name="prediction")(x)
    chroma = models.enlarge(colour.annealed_mean(logits), 4, "chroma", dtype="float32")
    return keras.Model(gray, colour.srgb_from_lab(lightness, chroma), name="generator")


# --------------------------------------------------------------------------------------- pix2pix

# Qiu, Cao et al., their GAN: all of this section, but for what is marked.
PIX2PIX_ENCODER_WIDTHS = (64, 128, 256, 512, 512)
PIX2PIX_DECODER_WIDTHS = (512, 256, 128, 64)
PIX2PIX_DISCRIMINATOR_WIDTHS = (64, 128, 256, 512)
PIX2PIX_LEARNING_RATE = 1e-4
PIX2PIX_BETAS = (0.5, 0.999)
# Source: 128. Here: half of it, because 128 pictures of 120x120 take over 8 GiB.
PIX2PIX_BATCH_SIZE = 64
PIX2PIX_EPOCHS = 200
PIX2PIX_PIXEL_WEIGHT = 100  # of the mean absolute error, beside the cross-entropy
PIX2PIX_REAL_LABEL = 0.9  # what the discriminator is to answer for photographs; 0 for others


def normalized_convolution(x, width, kernel, stride, name):
    """Convolve, normalize over the batch, LeakyReLU of slope 0.2."""
    # No bias, because the normalization would take it away again.
    x = layers.Conv2D(
        width, kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    x = layers.BatchNormalization(name=f"{name}_normalize")(x)
    return layers.LeakyReLU(models.LEAKY_SLOPE, name=f"{name}_leaky")(x)


def build_pix2pix_generator(seed=0):
    """Build the generator of the Lab GAN.

    Maps (B, H, W, 1) float32 in [0, 1] to (B, H, W, 3) float32 RGB in [0, 1]; H and W are
    multiples of 8. "prediction" is chroma (B, H, W, 2) in [-1, 1], in units of CHROMA_SCALE.

    Source: Qiu, Cao et al.
    """
    keras.utils.set_random_seed(seed)
    gray = layers.Input((None, None, 1), name="grayscale")  # 120x120x1
    lightness = colour.lightness_from_gray(gray)
    first, *widths = PIX2PIX_ENCODER_WIDTHS
    x = layers.Rescaling(1 / 50, -1, name="centre")(lightness)
    x = layers.Conv2D(first, 3, padding="same", name="encode1_conv")(x)
    x = layers.LeakyReLU(models.LEAKY_SLOPE, name="encode1_leaky")(x)
    skips = []  # 120x120x64, 60x60x128, 30x30x256, 15x15x512
    for number, width in enumerate(widths, start=2):
        skips.append(x)
        x = normalized_convolution(x, width, 4, 2, f"encode{number}")  # in the end 8x8x512
    for number, width in enumerate(PIX2PIX_DECODER_WIDTHS, start=1):
        skip = skips.pop()
        x = layers.Conv2DTranspose(width, 4, strides=2, padding="same", name=f"up{number}_double")(
            x
        )
        if number == 1:
            # Halving rounds up: a multiple of 8 that is none of 16 has come back one too large.
            x = semantic_models.crop(x, skip)
        x = layers.Concatenate(name=f"up{number}_skip")([x, skip])
        x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"up{number}_conv")(x)
        x = layers.BatchNormalization(name=f"up{number}_normalize")(x)
        x = layers.ReLU(name=f"up{number}_relu")(x)  # in the end 120x120x64
    chroma = layers.Conv2D(2, 1, activation="tanh", dtype="float32", name="prediction")(x)
    rgb = colour.srgb_from_lab(lightness, CHROMA_SCALE * chroma)
    return keras.Model(gray, rgb, name="generator")  # 120x120x3


def build_pix2pix_discriminator(seed=0):
    """Build the discriminator of the Lab GAN, which sees the chroma with the luminance.

    Maps `scaled_lab`, (B, H, W, 3) float32 in [-1, 1], to (B, 1) float32, the probability that the
    chroma is a photograph's.

    Source: Qiu, Cao et al.
    """
    keras.utils.set_random_seed(seed + 1)
    first, *widths, last = PIX2PIX_DISCRIMINATOR_WIDTHS
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


def scaled_chroma_error(chroma, ground_truth, rarity=None):
    """Return the mean absolute difference of chroma in [-1, 1] from RGB (B, H, W, 3) in [0, 1].

    `chroma` is (B, H, W, 2), in units of CHROMA_SCALE. `rarity` is not used.
    """
    return ops.mean(ops.abs(chroma - scaled_chroma(ground_truth)))


# ----------------------------------------------------------------------------------------- VGG-16

# Varga & Szirányi 2017: all of this section, but for what is marked.
VGG16_SIZE = 224
# T: "all before the third pooling layer", 451 channels. Here: 3 of the picture and the last map of
# each block before that layer, 64 + 128 + 256, because that is how it adds up.
VGG16_MAPS = ("block1_conv2", "block2_conv2", "block3_conv3")
# Q: the outputs of two convolutions, 144 channels together. Their split: not found. Here: the
# second one narrow, and a convolution of the first.
VGG16_Q_WIDTHS = (128, 16)
VGG16_HEAD_WIDTH = 64  # Source: silent. Here: half of the wider one before.
VGG16_LEARNING_RATE = 8e-2  # SGD; momentum: silent
VGG16_WEIGHT_DECAY = 8e-7
VGG16_HALVING_EPOCHS = 300  # the learning rate is halved every so many
# Source: silent. Here: few, because T of 224x224 pixels alone takes 90 MB a picture.
VGG16_BATCH_SIZE = 8
# The mean of ImageNet that Keras' weights expect subtracted; blue, green, red, 0..255.
VGG16_MEAN = (103.939, 116.779, 123.68)
# The file of `keras.applications` (its URL ends in the name).
VGG16_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"


def vgg16(picture, weights):
    """Apply VGG-16 to three equal channels of gray, (B, H, W, 3) in [0, 1]; return the model.

    `weights` is "imagenet" for Keras to download them once (59 MB), a file of them, or None for
    random ones. Raises UserError when they cannot be had.
    """
    centred = layers.Rescaling(255, [-mean for mean in VGG16_MEAN], name="encoder_centre")(picture)
    try:
        return keras.applications.VGG16(include_top=False, weights=weights, input_tensor=centred)
    except Exception as error:  # Keras raises a bare Exception where a download fails
        reason = " ".join(str(error).split())
        raise UserError(
            f"VGG-16's weights {weights} cannot be loaded ({reason}); give Keras' file "
            f"{VGG16_FILE} with --encoder-weights FILE, or --encoder-weights none to train without"
        ) from error


def build_vgg16_generator(encoder_weights="imagenet", seed=0):
    """Build the network that paints from the hypercolumns of VGG-16.

    Maps (B, H, W, 1) float32 in [0, 1] to (B, H, W, 3) float32 RGB in [0, 1]; H and W are
    multiples of 4. "prediction" is U and V (B, H, W, 2) in [0, 1], 0.5 for gray. `encoder_weights`
    as in `vgg16`, which raises UserError.

    Source: Varga & Szirányi 2017.
    """
    keras.utils.set_random_seed(seed)
    gray = layers.Input((None, None, 1), name="grayscale")  # 224x224x1
    picture = layers.Concatenate(name="gray_as_rgb")([gray] * 3)  # 224x224x3
    encoder = vgg16(picture, encoder_weights)
    # Source: silent. Here: frozen where it is pretrained, because a rate of 8e-2 would undo that.
    encoder.trainable = encoder_weights is None
    columns = [picture]
    for number, name in enumerate(VGG16_MAPS):  # 224x224x64, 112x112x128, 56x56x256
        # Source: silent. Here: normalized, because maps in the hundreds and a rate of 8e-2 diverge.
        x = layers.BatchNormalization(name=f"{name}_normalize")(encoder.get_layer(name).output)
        if number:
            x = models.enlarge(x, 2**number, name)
        columns.append(x)
    x = layers.Concatenate(name="T")(columns)  # 224x224x451
    q = []
    for number, width in enumerate(VGG16_Q_WIDTHS, start=1):
        x = layers.Conv2D(width, 3, padding="same", activation="relu", name=f"Q_conv{number}")(x)
        q.append(x)
    x = layers.Concatenate(name="Q")(q)  # 224x224x144
    x = layers.Conv2D(VGG16_HEAD_WIDTH, 3, padding="same", activation="relu", name="head_conv")(x)
    uv = layers.Conv2D(
        2, 3, padding="same", activation="sigmoid", dtype="float32", name="prediction"
    )(x)
    rgb = colour.srgb_from_yuv(ops.concatenate([gray, uv], axis=-1))
    return keras.Model(gray, rgb, name="generator")  # 224x224x3


def uv_cross_entropy(uv, ground_truth, rarity=None):
    """Return the cross-entropy (nats a pixel) of U and V (B, H, W, 2) against RGB (B, H, W, 3).

    All in [0, 1]. `rarity` is not used.
    Source: Varga & Szirányi 2017, -1/(WH) sum UV log(UV_predicted). Here: with the other half,
    (1 - UV) log(1 - UV_predicted), because the first alone is least when every prediction is 1.
    """
    truth = colour.yuv_from_srgb(ground_truth)[..., 1:]
    return ops.mean(ops.sum(ops.binary_crossentropy(truth, uv), axis=-1))


def main() -> int:
    """Print the parameters and GFLOP of every network."""
    for name, network, size in (
        ("regress", build_regression_generator(), models.SIZE),
        ("classify", build_classification_generator(), models.SIZE),
        ("pix2pix", build_pix2pix_generator(), models.SIZE),
        ("pix2pix", build_pix2pix_discriminator(), models.SIZE),
        ("vgg16", build_vgg16_generator(encoder_weights=None), VGG16_SIZE),
    ):
        print(
            f"{name:8} {network.name:13} {network.count_params():>11,} parameters, "
            f"{models.gigaflop(network, size):6.2f} GFLOP at {size}x{size}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
