"""A generator that paints by chroma, as it is used: its chroma alone, the same with less work.

What training wants and use does not is folded into the weights: three equal channels of gray into
one, what scales pixels and features into the convolutions behind them. What repeats pixels is one
operation.
"""

from colorizer.network import FEATURE_LAYER

import keras
import numpy as np
import tensorflow as tf
from keras import layers

# The layers of such a generator: gray three times, behind its padding; the chroma that it paints
# alone; that corrected by its second input; what the encoder sees, from fine to coarse.
REPEATED, ALONE, CORRECTED = "gray_as_rgb", "vivid", "prediction"
LAYERS = (REPEATED, ALONE, CORRECTED, FEATURE_LAYER)
# What makes pixels of [0, 1] those that the encoder learned from.
CENTRE = "encoder_centre"
FEATURES = [f"features{number}" for number in range(1, 6)]


def for_use(generator):
    """Return the model of grayscale (B, H, W, 1) in [0, 1] and known (B, H/2, W/2, 3) to chroma.

    H and W are multiples of 32: padding and painting are left out. Its outputs are CORRECTED
    (B, H/2, W/2, 2), Lab a and b, FEATURE_LAYER (B, H/16, W/16, C), and ALONE, like CORRECTED.
    """
    # A copy: what begins within a model changes its layers, and they could not be saved any more.
    weights = generator.get_weights()
    generator = keras.models.clone_model(generator)
    generator.set_weights(weights)
    gray = generator.get_layer(REPEATED).input[0]
    known = next(each for each in generator.inputs if each.name == "known")
    ends = (CORRECTED, FEATURE_LAYER, ALONE)
    used = keras.Model([gray, known], [generator.get_layer(name).output for name in ends])
    used = keras.models.clone_model(
        used,
        input_tensors=[
            layers.Input((None, None, channels), name=name)
            for name, channels in (("grayscale", 1), ("known", 3))
        ],
        clone_function=lambda layer: folded(layer, generator),
    )
    corrected, features, alone = used.outputs
    scale = generator.get_layer(FEATURE_LAYER).scale
    return keras.Model(used.inputs, [corrected, features * scale, alone])


def folded(layer, generator):
    """Return what stands for a layer of the generator: itself, or another that has its name."""
    name = layer.name
    if name == REPEATED:
        return First(name=name)
    centre = generator.get_layer(CENTRE)
    if name == CENTRE:
        return Bordered(-centre.offset / centre.scale, name=name)
    if name == "encoder_stem_conv":
        kernel = np.array(layer.kernel).sum(axis=2, keepdims=True)
        bias = layer.bias + centre.offset * kernel.sum(axis=(0, 1, 2))
        return with_kernel(layer, centre.scale * kernel, bias, padding="valid")
    if name in FEATURES:
        return layers.Identity(name=name)
    if isinstance(layer, layers.UpSampling2D):
        return Doubled(layer.size[0], name=name)
    for number, features in enumerate(FEATURES[:-1], start=1):
        if name == f"up{number}_conv":
            # The last of what it convolves are features; the coarsest stage has them alone.
            scaled = generator.get_layer(features)
            count = scaled.output.shape[-1] if features != FEATURES[-2] else None
            kernel = np.array(layer.kernel)
            kernel[:, :, -count if count else None :] *= scaled.scale
            return with_kernel(layer, kernel)
    return layer


def with_kernel(layer, kernel, bias=None, **settings):
    """Return a convolution like a layer with a kernel, and another bias or settings, if given."""
    new = type(layer).from_config(layer.get_config() | settings)
    new.build((None, None, None, kernel.shape[2]))
    new.set_weights([kernel, layer.bias if bias is None else bias])
    return new


class First(layers.Layer):
    """Gives the first of its inputs."""

    def call(self, inputs):
        return inputs[0]


class Bordered(layers.Layer):
    """Continues even heights and widths as a convolution of stride 2 does, with another value."""

    def __init__(self, value, **settings):
        super().__init__(**settings)
        self.value = value

    def call(self, x):
        return tf.pad(x, [[0, 0], [0, 1], [0, 1], [0, 0]], constant_values=self.value)


class Doubled(layers.Layer):
    """Repeats pixels `factor` times, a power of two, in steps of two."""

    def __init__(self, factor, **settings):
        super().__init__(**settings)
        self.steps = int(np.log2(factor))

    def call(self, x):
        for _ in range(self.steps):
            x = tf.raw_ops.ResizeNearestNeighbor(images=x, size=2 * tf.shape(x)[1:3])
        return x
