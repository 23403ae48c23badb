"""A Keras generator as an ONNX file, which colorize.py runs without Keras and TensorFlow."""

import warnings

from colorizer import files
from training import steps

import numpy as np
import onnx

# The names of the sizes that are open, so that a file says what it takes.
AXES = ("batch", "height", "width")
KNOWN_AXES = ("batch", "half_height", "half_width")


def write_onnx(generator, path) -> None:
    """Write a generator as an .onnx file, whole or not at all; its output is called `rgb`.

    `generator` maps grayscale (B, H, W, 1) float32 in [0, 1], and `known` (B, H/2, W/2, 3) if it
    has that input, to RGB (B, H, W, 3).
    """
    with files.replacing(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy's names that tf2onnx asks for
        # Keras exports what has been called.
        steps.paint(generator, np.zeros((1, 32, 32, 1), np.float32))
        generator.export(temporary, format="onnx", verbose=False)
        name_ends(temporary)


def name_ends(path) -> None:
    """Name the output of a converted model and the sizes of its input and output that are open."""
    model = onnx.load(path)
    graph = model.graph
    (output,) = graph.output
    for node in graph.node:
        node.output[:] = ["rgb" if name == output.name else name for name in node.output]
    output.name = "rgb"
    for end in (*graph.input, output):
        names = KNOWN_AXES if end.name == "known" else AXES
        for axis, name in zip(end.type.tensor_type.shape.dim, names, strict=False):
            axis.dim_param = name
    onnx.checker.check_model(model)
    onnx.save(model, path)
