"""Layers for pictures of any size: padding, cutting, enlarging; and their weights from a file."""

import zipfile

from colorizer.errors import UserError

import keras
from keras import layers, ops


def load_layers(wanted, path, otherwise) -> None:
    """Give the layers in `wanted` the weights of those of their names in the .keras file at `path`.

    Raises UserError, "{path} {otherwise}" and the error's name, when it does not hold them.
    """
    try:
        saved = keras.saving.load_model(path, compile=False, safe_mode=True)
        for layer in wanted:
            if layer.weights:
                layer.set_weights(saved.get_layer(layer.name).get_weights())
    except (OSError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} {otherwise} ({type(error).__name__})") from error


def enlarge(x, factor, name, dtype=None):
    """Enlarge (B, H, W, C) bilinearly by an even `factor`, in `dtype` or the policy's.

    UpSampling2D does this as well, but some releases of Keras (3.15 is one) cannot trace its
    bilinear form for pictures of any size, which colorize.py needs.
    """
    x = layers.UpSampling2D(factor, dtype=dtype, name=f"{name}_repeat")(x)
    # Means of 2 and of `factor` neighbours, one after the other, turn steps into bilinear ramps.
    edge = (factor // 2, factor // 2)
    x = ops.pad(x, ((0, 0), edge, edge, (0, 0)), mode="symmetric")
    x = layers.AveragePooling2D(2, strides=1, dtype=dtype, name=f"{name}_mean")(x)
    return layers.AveragePooling2D(factor, strides=1, dtype=dtype, name=f"{name}_ramp")(x)


def positions(tensor, axis):
    """Return 0, 1, 2 ... for each row (axis 1) or column (axis 2) of (B, H, W, C): int32 (H or W,).

    Computed from the tensor itself, because the size is not known when the model is built.
    """
    others = tuple(other for other in range(4) if other != axis)
    return ops.cumsum(ops.cast(ops.ones_like(ops.mean(tensor, axis=others)), "int32")) - 1


def pad(x, axis, multiple, name="pad"):
    """Pad rows (axis 1) or columns (axis 2) to a multiple by reflection at the far end."""
    inside = positions(x, axis)
    ones = ops.reshape(ops.cast(ops.ones_like(inside), "float32"), (1, -1, 1))
    blocks = layers.MaxPooling1D(multiple, padding="same", name=f"{name}{axis}_blocks")(ones)
    blocks = layers.UpSampling1D(multiple, name=f"{name}{axis}_length")(blocks)
    wanted = ops.cumsum(ops.cast(ops.reshape(blocks, (-1,)), "int32")) - 1
    last = ops.max(inside)
    return ops.take(x, ops.where(wanted > last, 2 * last + 1 - wanted, wanted), axis=axis)


def crop(x, like):
    """Cut `x` to as many rows and columns as `like` has."""
    for axis in (1, 2):
        x = ops.take(x, positions(like, axis), axis=axis)
    return x
