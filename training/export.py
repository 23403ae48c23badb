"""A Keras generator as an ONNX file, which colorize.py runs without Keras and TensorFlow."""

import warnings

from colorizer import files
from colorizer.network import FEATURE_LAYER
from training import steps

import keras
import numpy as np
import onnx

# The names of the sizes that are open, so that a file says what it takes.
AXES = ("batch", "height", "width")
AXES_OF = {
    "known": ("batch", "half_height", "half_width"),
    "features": ("batch", "rows", "columns"),
    "luminance": ("batch", "enlarged_height", "enlarged_width"),
}
OUTPUTS = ("rgb", "features")


def write_onnx(generator, path) -> None:
    """Write a generator as an .onnx file, whole or not at all; its output is called `rgb`.

    That of a network that answers with one channel is called `luminance`.

    `generator` maps grayscale (B, H, W, 1) float32 in [0, 1], and `known` (B, H/2, W/2, 3) if it
    has that input, to RGB (B, H, W, 3). If it has a layer FEATURE_LAYER, what comes out of that is
    a second output, `features`, by which places are found that look alike.
    """
    if FEATURE_LAYER in [layer.name for layer in generator.layers]:
        features = generator.get_layer(FEATURE_LAYER).output
        generator = keras.Model(generator.inputs, [generator.output, features])
    with files.replacing(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy's names that tf2onnx asks for
        # Keras exports what has been called.
        steps.paint(generator, np.zeros((1, 32, 32, 1), np.float32))
        generator.export(temporary, format="onnx", verbose=False)
        gray = generator.outputs[0].shape[-1] == 1
        name_ends(temporary, ("luminance",) if gray else OUTPUTS)


def name_ends(path, outputs=OUTPUTS) -> None:
    """Name the outputs of a converted model and the open sizes of its inputs and outputs."""
    model = onnx.load(path)
    graph = model.graph
    renamed = dict(zip([each.name for each in graph.output], outputs, strict=False))
    for node in graph.node:
        node.output[:] = [renamed.get(name, name) for name in node.output]
        node.input[:] = [renamed.get(name, name) for name in node.input]
    for output in graph.output:
        output.name = renamed[output.name]
    for end in (*graph.input, *graph.output):
        names = AXES_OF.get(end.name, AXES)
        for axis, name in zip(end.type.tensor_type.shape.dim, names, strict=False):
            axis.dim_param = name
    onnx.checker.check_model(model)
    onnx.save(model, path)
