"""U and V from the hypercolumns of VGG-16 (Varga & Szirányi 2017)."""

import dataclasses
from pathlib import Path

from training import colour, steps
from training.layers import enlarge, load_layers
from training.settings import Settings
from training.system import System

import keras
import tensorflow as tf
from keras import layers, ops

# Varga & Szirányi 2017: all of this file, but for what is marked.
SIZE = 224
# T: "all before the third pooling layer", 451 channels. Here: 3 of the picture and the last map of
# each block before that layer, 64 + 128 + 256, because that is how it adds up.
MAPS = ("block1_conv2", "block2_conv2", "block3_conv3")
# Q: the outputs of two convolutions, 144 channels together. Their split: not found. Here: the
# second one narrow, and a convolution of the first.
Q_WIDTHS = (128, 16)
HEAD_WIDTH = 64  # Source: silent. Here: half of the wider one before.
# Of ImageNet in red, green and blue, 0..255, which the pretrained encoder expects subtracted.
MEAN = (123.68, 116.779, 103.939)
# Its first three blocks, trained on ImageNet; experiments/converters/convert_vgg16.py makes it.
ENCODER = Path(__file__).resolve().parent.parent / "weights" / "vgg16.keras"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vgg16Settings(Settings):
    """How it is trained, with SGD."""

    epochs: int = 50  # Source: not found.
    # Source: silent. Here: few, because T of 224x224 pixels alone takes 90 MB a picture.
    batch_size: int = 8
    # Source: SGD at this rate, halved every 300 epochs. Here: it is not, because no run is that
    # long. Momentum: silent.
    learning_rate: float = 8e-2
    output: str = "outputs/vgg16"
    weight_decay: float = 8e-7
    encoder_weights: str = "imagenet"


def vgg16(picture, weights):
    """Apply VGG-16 to RGB (B, H, W, 3) in [0, 1], up to its fifth block; return the model.

    `weights` is "imagenet" for ENCODER, another file of `convert_vgg16.py`, or None for random
    ones. What comes after the last of MAPS is random. Raises UserError when it does not do.

    Source: Simonyan & Zisserman 2015.
    """
    centred = layers.Rescaling(255, [-mean for mean in MEAN], name="encoder_centre")(picture)
    encoder = keras.applications.VGG16(include_top=False, weights=None, input_tensor=centred)
    if weights is not None:
        load(encoder, ENCODER if weights == "imagenet" else weights)
    return encoder


def load(encoder, path, last=MAPS[-1]) -> None:
    """Give VGG-16, up to its layer `last`, the weights of the `.keras` file at `path`.

    Raises UserError when there is no such file, or it ends before that layer.
    """
    names = [layer.name for layer in encoder.layers]
    load_layers(
        encoder.layers[: names.index(last) + 1],
        path,
        f"does not hold VGG-16 up to {last}; experiments/converters/convert_vgg16.py writes it, "
        "weights/vgg16.keras is part of this project",
    )


def build_generator(encoder_weights="imagenet", seed=0):
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
    for number, name in enumerate(MAPS):  # 224x224x64, 112x112x128, 56x56x256
        # Source: silent. Here: normalized, because maps in the hundreds and a rate of 8e-2 diverge.
        x = layers.BatchNormalization(synchronized=True, name=f"{name}_normalize")(
            encoder.get_layer(name).output
        )
        if number:
            x = enlarge(x, 2**number, name)
        columns.append(x)
    x = layers.Concatenate(name="T")(columns)  # 224x224x451
    q = []
    for number, width in enumerate(Q_WIDTHS, start=1):
        x = layers.Conv2D(width, 3, padding="same", activation="relu", name=f"Q_conv{number}")(x)
        q.append(x)
    x = layers.Concatenate(name="Q")(q)  # 224x224x144
    x = layers.Conv2D(HEAD_WIDTH, 3, padding="same", activation="relu", name="head_conv")(x)
    uv = layers.Conv2D(
        2, 3, padding="same", activation="sigmoid", dtype="float32", name="prediction"
    )(x)
    rgb = colour.srgb_from_yuv(ops.concatenate([gray, uv], axis=-1))
    return keras.Model(gray, rgb, name="generator")  # 224x224x3


def uv_cross_entropy(uv, ground_truth):
    """Return the cross-entropy (nats a pixel) of U and V (B, H, W, 2) against RGB (B, H, W, 3).

    All in [0, 1].
    Source: Varga & Szirányi 2017, -1/(WH) sum UV log(UV_predicted). Here: with the other half,
    (1 - UV) log(1 - UV_predicted), because the first alone is least when every prediction is 1.
    """
    truth = colour.yuv_from_srgb(ground_truth)[..., 1:]
    return ops.mean(ops.sum(ops.binary_crossentropy(truth, uv), axis=-1))


class Vgg16(System):
    """The generator, how it learns, and the moving average of it that is kept."""

    Settings = Vgg16Settings
    LOSSES = ("generator_loss",)

    def __init__(self, settings, train_split):
        self.settings = settings
        weights = None if settings.encoder_weights == "none" else settings.encoder_weights
        self.generator, self.averaged = steps.built(
            settings, build_generator, weights, settings.seed
        )
        self.predictor = steps.predictor(self.generator)
        optimizer = keras.optimizers.SGD(settings.learning_rate, weight_decay=settings.weight_decay)
        self.generator_optimizer = steps.ready(optimizer, self.generator, settings)

    @tf.function
    def train_step(self, grayscale, ground_truth):
        """Train on grayscale (B, H, W, 1) and ground truth (B, H, W, 3), float32 in [0, 1]."""
        with tf.GradientTape() as tape:
            prediction = self.predictor(grayscale, training=True)
            loss = uv_cross_entropy(prediction, ground_truth)
            steps.update(self, tape, loss)
        return {"generator_loss": loss}
