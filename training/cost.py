"""What a network costs: its layers' shapes, its GFLOP a picture."""

import keras
import numpy as np
from keras import layers


def layer_shapes(model, size):
    """Return the shape of every layer's output, by layer name, for one picture of `size` pixels."""
    every_layer = keras.Model(model.inputs, [layer.output for layer in model.layers])
    shapes = every_layer.compute_output_shape((1, size, size, model.inputs[0].shape[-1]))
    return {layer.name: shape for layer, shape in zip(model.layers, shapes, strict=True)}


def gigaflop(model, size) -> float:
    """Return the GFLOP of one picture of `size` x `size` pixels, a multiply-add counted as two.

    Counts convolutions (of one channel each too), transposed ones and dense layers; the rest is
    below 2%.
    """
    shapes = layer_shapes(model, size)
    total = 0
    for layer in model.layers:
        if isinstance(layer, layers.Conv2DTranspose):
            # It meets its whole kernel at every pixel of its input.
            side = layer.kernel_size[0] - layer.strides[0] if layer.padding == "valid" else 0
            positions = np.prod([(n - side) // layer.strides[0] for n in shapes[layer.name][1:3]])
        elif isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D | layers.Dense):
            positions = np.prod(shapes[layer.name][1:-1])  # the pixels of its output, 1 for dense
        else:
            continue
        total += 2 * positions * np.prod(layer.kernel.shape)
    return float(total) / 1e9


def describe(model, size) -> str:
    """Return a line a layer, with its output's shape and its parameters, and the sums."""
    lines = [f"{model.name} at {size}x{size}"]
    shapes = layer_shapes(model, size)
    for layer in model.layers:
        shape = "x".join(str(side) for side in shapes[layer.name][1:])
        kind = type(layer).__name__
        lines.append(f"  {layer.name:18} {kind:22} {shape:>12} {layer.count_params():>9,}")
    total = f"  {model.count_params():,} parameters, {gigaflop(model, size):.2f} GFLOP a picture"
    return "\n".join([*lines, total])
